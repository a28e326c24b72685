//! The shapes of the documents about the house (roles, users, webhooks, providers, the system): for the OpenAPI document,
//! and for what goes out. `web/src/api/admin.ts` has them for the pages.

use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Right;
use crate::settings::{CustomRole, Provider, System, User, Webhook, format_span};

use super::shapes::or_never;

/// A role of one's own.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RoleDocument {
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    rights: Vec<Right>,
}

impl From<&CustomRole> for RoleDocument {
    fn from(role: &CustomRole) -> Self {
        Self { description: role.description.clone(), rights: role.rights.clone() }
    }
}

/// A person who may log in.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct UserDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    /// A default role, or one of one's own.
    role: String,
    /// Goes in and never comes out.
    #[schema(write_only)]
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    /// Whether the password has to be changed before anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    must_change: Option<bool>,
    /// The agent this user is.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    /// Rights beside those of the role.
    #[serde(skip_serializing_if = "Option::is_none")]
    grants: Option<Vec<Right>>,
    /// The rights hold for these queues only; absent: for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    only_queues: Option<Vec<String>>,
}

impl From<&User> for UserDocument {
    fn from(user: &User) -> Self {
        let names = |queues: &Vec<crate::ids::QueueId>| queues.iter().map(|queue| queue.0.clone()).collect();
        Self {
            display_name: Some(user.display_name.0.clone()),
            role: user.custom_role.clone().unwrap_or_else(|| user.role.word().to_owned()),
            password: None,
            must_change: Some(user.must_change_password),
            agent: user.agent.as_ref().map(|agent| agent.0.clone()),
            language: user.language.as_ref().map(|language| language.0.clone()),
            grants: Some(user.grants.clone()),
            only_queues: user.only_queues.as_ref().map(names),
        }
    }
}

/// Who is told of what happens.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookDocument {
    url: String,
    /// Goes in and never comes out.
    #[schema(write_only)]
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
}

impl From<&Webhook> for WebhookDocument {
    fn from(webhook: &Webhook) -> Self {
        let (events, enabled) = (Some(webhook.events.clone()), Some(webhook.enabled));
        Self { url: webhook.url.clone(), secret: None, events, enabled }
    }
}

/// An OpenID Connect provider.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ProviderDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    issuer: String,
    client_id: String,
    /// Goes in and never comes out.
    #[schema(write_only)]
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_claim: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_claim: Option<String>,
    /// `value = role`; the first that fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    make_users: Option<bool>,
}

impl From<&Provider> for ProviderDocument {
    fn from(provider: &Provider) -> Self {
        let roles = provider.roles.iter().map(|(value, role)| format!("{value} = {role}")).collect();
        Self {
            display_name: Some(provider.display_name.clone()),
            issuer: provider.issuer.clone(),
            client_id: provider.client_id.clone(),
            client_secret: None,
            scopes: Some(provider.scopes.clone()),
            user_claim: Some(provider.user_claim.clone()),
            role_claim: Some(provider.role_claim.clone()),
            roles: Some(roles),
            make_users: Some(provider.make_users),
        }
    }
}

/// What holds for all.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct SystemDocument {
    /// `Europe/Vienna`
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    /// `90d`, `forever`.
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_calls: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_recordings: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_reporting: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_longer_than: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_history: Option<u8>,
    /// `90d`, `never`.
    #[serde(skip_serializing_if = "Option::is_none")]
    password_expires: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock_after: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock_for: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_idle: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_absolute: Option<String>,
    /// `optional`, `required`.
    #[serde(skip_serializing_if = "Option::is_none")]
    second_factor: Option<&'static str>,
    /// Classes that are not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_off: Option<Vec<String>>,
    /// `1h`, `never`.
    #[serde(skip_serializing_if = "Option::is_none")]
    anchor_every: Option<String>,
    /// Files, `store`, `webhook NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    anchor_to: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    second_approver: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_reports: Option<String>,
    /// Private networks that webhooks may reach: `10.1.0.0/16`, `127.0.0.1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_networks: Option<Vec<String>>,
}

impl From<&System> for SystemDocument {
    fn from(system: &System) -> Self {
        Self {
            time_zone: Some(system.time_zone.clone()),
            retention_calls: Some(system.retention.calls.to_string()),
            retention_recordings: Some(system.retention.recordings.to_string()),
            retention_reporting: Some(system.retention.reporting.to_string()),
            password_longer_than: Some(system.passwords.longer_than),
            password_history: Some(system.passwords.history),
            password_expires: Some(or_never(system.passwords.expires)),
            lock_after: Some(system.passwords.lock_after),
            lock_for: Some(format_span(system.passwords.lock_for)),
            session_idle: Some(format_span(system.sessions.idle)),
            session_absolute: Some(format_span(system.sessions.absolute)),
            second_factor: Some(system.sessions.second_factor.word()),
            audit_off: Some(system.audit.off.clone()),
            anchor_every: Some(or_never(system.audit.anchor_every)),
            anchor_to: Some(system.audit.anchor_to.clone()),
            second_approver: Some(system.privacy.second_approver),
            keep_reports: Some(format_span(system.privacy.keep_reports)),
            webhook_networks: Some(system.webhooks.networks.iter().map(ToString::to_string).collect()),
        }
    }
}
