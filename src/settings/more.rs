//! Roles that were copied and changed, webhooks, and who else may say who somebody is.

use serde::{Deserialize, Serialize};
use toml::de::DeValue;

use crate::access::Right;
use crate::ids::Redacted;

use super::object::Shown;
use super::read::{Source, Table, boolean, filled, list, secret, text, unknown};

/// A role of one's own (domain rule 22). The default roles are fixed and not among these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomRole {
    /// What it is for.
    pub description: String,
    /// What it holds; never `dpo` or `customer-consent`, which are granted to users one at a time.
    pub rights: Vec<Right>,
}

/// Who is told of what happens (signed, tried again).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Where: `https://…`, or `http://` to this machine. A private address has to be allowed ([`super::WebhookRules`]).
    pub url: String,
    /// The key of the signature.
    pub secret: Redacted<String>,
    /// What is told: words of [`Webhook::EVENTS`].
    pub events: Vec<String>,
    /// Whether anything is sent.
    pub enabled: bool,
}

impl Webhook {
    /// All that can be told.
    pub const EVENTS: [&'static str; 10] = [
        "call.ended",
        "consent.given",
        "consent.refused",
        "consent.withdrawn",
        "recording.stored",
        "recording.failed",
        "recording.removed",
        "recording.overridden",
        "audit.alarm",
        "audit.anchor",
    ];
}

/// An OpenID Connect provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// What the log-in page calls it.
    pub display_name: String,
    /// Its issuer URL, below which `/.well-known/openid-configuration` is.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// Our secret there; `None`: a public client with PKCE alone.
    pub client_secret: Option<Redacted<String>>,
    /// Scopes asked beside `openid`.
    pub scopes: Vec<String>,
    /// The claim that names the user; `preferred_username`.
    pub user_claim: String,
    /// The claim whose values are mapped to roles; `groups`.
    pub role_claim: String,
    /// `value = role`: the first that fits. Who has none may not log in, if there are any.
    pub roles: Vec<(String, String)>,
    /// Whether a user who is not known yet is made at the first log-in.
    pub make_users: bool,
}

/// Reads `[role.NAME]`.
pub(super) fn read_role(source: &mut Source<'_>, table: &mut Table<'_>) -> CustomRole {
    CustomRole {
        description: table.take(source, "description", filled).unwrap_or_default(),
        rights: table.take(source, "rights", |value| list(value, role_right)).unwrap_or_default(),
    }
}

/// A right a role may hold.
fn role_right(value: &DeValue<'_>) -> Result<Right, String> {
    let right = any_right(value)?;
    if right.is_special() {
        return Err(format!("{:?} is granted to single users, not to roles", right.word()));
    }
    Ok(right)
}

/// A right by its word.
pub(super) fn any_right(value: &DeValue<'_>) -> Result<Right, String> {
    let text = text(value)?;
    Right::from_word(text).ok_or_else(|| {
        let words: Vec<&str> = Right::ALL.iter().map(|right| right.word()).collect();
        format!("{text:?} {}", unknown(text, &words))
    })
}

/// Reads `[webhook.NAME]`; without `secret` the stored one stays.
pub(super) fn read_webhook(source: &mut Source<'_>, table: &mut Table<'_>) -> (Webhook, bool) {
    let url = table.take(source, "url", address);
    if url.is_none() && !table.has("url") {
        source.error(table.at, table.path_of("url"), "is missing: where events are sent");
    }
    let event = |value: &DeValue<'_>| {
        let text = text(value)?;
        let known = Webhook::EVENTS.contains(&text);
        known.then(|| text.to_owned()).ok_or_else(|| format!("{text:?} {}", unknown(text, &Webhook::EVENTS)))
    };
    let key = table.take(source, "secret", secret);
    let given = key.is_some();
    let webhook = Webhook {
        url: url.unwrap_or_default(),
        secret: Redacted(key.unwrap_or_default()),
        events: table.take(source, "events", |value| list(value, event)).unwrap_or_default(),
        enabled: table.take(source, "enabled", boolean).unwrap_or(true),
    };
    (webhook, given)
}

/// Where a webhook is: by TLS, or in the clear on this machine alone.
fn address(value: &DeValue<'_>) -> Result<String, String> {
    let text = filled(value)?;
    let host = |rest: &str| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, rest) = rest.split_at(end);
        let odd = |c: char| c.is_whitespace() || c.is_control();
        (!host.is_empty() && !host.contains('@') && !rest.contains(odd) && !host.contains(odd))
            .then(|| host.to_owned())
    };
    let here = |host: &str| {
        ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| match host.strip_prefix(name) {
            Some(port) => port.is_empty() || port.starts_with(':'),
            None => false,
        })
    };
    let https = text.strip_prefix("https://").and_then(host).is_some();
    let http = text.strip_prefix("http://").and_then(host).is_some_and(|host| here(&host));
    if https || http {
        return Ok(text);
    }
    Err("is no address such as \"https://crm.example/sayso\" (without a password; http:// to this machine alone)".to_owned())
}

/// Reads `[provider.NAME]`; without `client-secret` the stored one stays.
pub(super) fn read_provider(source: &mut Source<'_>, table: &mut Table<'_>) -> Provider {
    let mut needed = |key: &'static str, what: &str| {
        let value = table.take(source, key, filled);
        if value.is_none() && !table.has(key) {
            source.error(table.at, table.path_of(key), format!("is missing: {what}"));
        }
        value.unwrap_or_default()
    };
    let issuer = needed("issuer", "the provider's URL");
    let client_id = needed("client-id", "who we are there");
    let pair = |value: &DeValue<'_>| {
        let text = filled(value)?;
        // Values of a directory have the sign themselves, names of roles never.
        let (value, role) = text.rsplit_once('=').ok_or("\"value = role\" is expected".to_owned())?;
        Ok((value.trim().to_owned(), role.trim().to_owned()))
    };
    let display_name = table.take(source, "display-name", filled).unwrap_or_else(|| issuer.clone());
    Provider {
        display_name,
        issuer,
        client_id,
        client_secret: table.take(source, "client-secret", secret).map(Redacted),
        scopes: table
            .take(source, "scopes", |value| list(value, filled))
            .unwrap_or_else(|| vec!["profile".into()]),
        user_claim: table.take(source, "user-claim", filled).unwrap_or_else(|| "preferred_username".into()),
        role_claim: table.take(source, "role-claim", filled).unwrap_or_else(|| "groups".into()),
        roles: table.take(source, "roles", |value| list(value, pair)).unwrap_or_default(),
        make_users: table.take(source, "make-users", boolean).unwrap_or(false),
    }
}

/// The attributes of a role.
pub(super) fn role_attributes(role: &CustomRole, list: &mut Vec<(&'static str, Shown)>) {
    let rights: Vec<&str> = role.rights.iter().map(|right| right.word()).collect();
    list.push(("description", Shown::Plain(role.description.clone())));
    list.push(("rights", Shown::Plain(rights.join(", "))));
}

/// The attributes of a webhook.
pub(super) fn webhook_attributes(webhook: &Webhook, list: &mut Vec<(&'static str, Shown)>) {
    // What stands behind the path is a secret of the receiver's, often.
    let (place, query) = webhook.url.split_once('?').unwrap_or((&webhook.url, ""));
    list.push(("url", Shown::Plain(place.to_owned())));
    if !query.is_empty() {
        list.push(("url-query", Shown::Secret(query.to_owned())));
    }
    list.push(("secret", Shown::Secret(webhook.secret.0.clone())));
    list.push(("events", Shown::Plain(webhook.events.join(", "))));
    list.push(("enabled", Shown::Plain(webhook.enabled.to_string())));
}

/// The attributes of a provider.
pub(super) fn provider_attributes(provider: &Provider, list: &mut Vec<(&'static str, Shown)>) {
    let roles: Vec<String> = provider.roles.iter().map(|(value, role)| format!("{value} = {role}")).collect();
    list.push(("display-name", Shown::Plain(provider.display_name.clone())));
    list.push(("issuer", Shown::Plain(provider.issuer.clone())));
    list.push(("client-id", Shown::Plain(provider.client_id.clone())));
    list.extend(provider.client_secret.as_ref().map(|key| ("client-secret", Shown::Secret(key.0.clone()))));
    list.push(("scopes", Shown::Plain(provider.scopes.join(", "))));
    list.push(("user-claim", Shown::Plain(provider.user_claim.clone())));
    list.push(("role-claim", Shown::Plain(provider.role_claim.clone())));
    list.push(("roles", Shown::Plain(roles.join("; "))));
    list.push(("make-users", Shown::Plain(provider.make_users.to_string())));
}
