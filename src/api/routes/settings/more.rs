//! What comes of settings before they are stored: a preview of a queue's policy, a check of any document. And what roles
//! and rights there are.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::access::{Right, rights};
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor, no_right};
use crate::api::input::Told;
use crate::api::problem::Problem;
use crate::ids::QueueId;
use crate::settings::{
    DocumentError, Finding, Kind, Object, QueueDocument, Role, Subject, Wording, lint, sentence,
};
use crate::store::VersionedSettings;

use super::change::{after, made};
use super::fault::{Fault, no_object};
use super::{changes, may};
use crate::api::routes::route::{Route, get, post};

pub(super) fn routes() -> Vec<Route> {
    const ANY: Needs = Needs::Any(&[
        Right::ConfigureTrunks,
        Right::ConfigureQueues,
        Right::ConfigureRecording,
        Right::ConfigureAgents,
        Right::ManageUsers,
        Right::ManageRoles,
        Right::ConfigureSystem,
    ]);
    vec![
        post("/queues/{name}/preview", Needs::Any(changes(Kind::Queue)), preview)
            .says("What a queue's policy would do, in a sentence, and what the consent-flow linter finds.")
            .takes::<QueueDocument>()
            .gives::<PolicyPreview>(),
        post("/settings/check", ANY, check)
            .says("What a change would be refused with; nothing is stored.")
            .takes::<Check>()
            .gives::<Checked>(),
        get("/default-roles", Needs::Any(&[Right::ManageRoles, Right::ManageUsers]), default_roles)
            .says("The fixed roles, and all rights.")
            .gives::<DefaultRoles>(),
    ]
}

/// `PolicyPreview` of `admin.ts`.
#[derive(Serialize, ToSchema)]
struct PolicyPreview {
    sentence: String,
    findings: Vec<Finding>,
}

async fn preview(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Told(document): Told<Map<String, Value>>,
) -> Result<Json<PolicyPreview>, Fault> {
    let all = soon(desk.store().versioned_settings()).await?;
    let name = QueueId(name);
    if !visitor.sees(&name) {
        return Err(no_object().into());
    }
    let differences = made(&desk, &all, Kind::Queue, &name.0, &document).await??;
    let stored = all.settings.object(Kind::Queue, &name.0);
    let Some(Object::Queue(queue)) = after(&differences, Kind::Queue, &name.0).or(stored.as_ref()) else {
        return Err(no_object().into());
    };
    let wording = wording(&desk, &all, &name, queue).await?;
    let before = all.settings.queues.get(&name).map(|queue| &**queue);
    let subject = Subject { name: &name, queue, before, settings: &all.settings, wording: &wording };
    let findings = lint(&subject);
    let system = all.settings.system.as_deref().cloned().unwrap_or_default();
    let sentence = sentence(&name, queue, &system, &all.settings.zone(), desk.now());
    Ok(Json(PolicyPreview { sentence, findings }))
}

/// What the queue's callers hear, and whether others were asked in other words.
/// What callers hear of a queue, in each of its languages.
pub(in crate::api::routes) async fn wording(
    desk: &Desk,
    all: &VersionedSettings,
    name: &QueueId,
    queue: &crate::settings::Queue,
) -> Result<Vec<Wording>, Problem> {
    let mut wordings = Vec::new();
    for language in Subject::languages(name, queue, &all.settings) {
        let mut wording = desk.control().wording(name, &language);
        let version = &wording.question.version;
        wording.question.changed = soon(desk.store().asked_otherwise(name, &language, version)).await?;
        wordings.push(wording);
    }
    Ok(wordings)
}

/// What is to be checked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Check {
    /// `trunks`, `numbers`, `queues`, `agents`, `roles`, `users`, `webhooks`, `providers`, `system`.
    kind: String,
    name: String,
    /// As PUT would take it.
    #[schema(value_type = Object)]
    document: Map<String, Value>,
}

#[derive(Serialize, ToSchema)]
struct Checked {
    errors: Vec<Wrong>,
}

/// Of a document.
#[derive(Serialize, ToSchema)]
struct Wrong {
    key: String,
    what: String,
}

impl From<DocumentError> for Wrong {
    fn from(DocumentError { key, what }: DocumentError) -> Self {
        Self { key, what }
    }
}

async fn check(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Told(Check { kind, name, document }): Told<Check>,
) -> Result<Json<Checked>, Problem> {
    let word = if kind == "system" { kind.as_str() } else { kind.strip_suffix('s').unwrap_or_default() };
    let Some(kind) = Kind::from_word(word) else {
        return Err(Problem::unprocessable("bad-kind", "There is no such kind of settings."));
    };
    if !changes(kind).iter().any(|right| visitor.has(*right)) {
        return Err(no_right());
    }
    let all = soon(desk.store().versioned_settings()).await?;
    if all.settings.object(kind, &name).is_some_and(|object| !may::see(&visitor, &name, &object)) {
        return Err(no_object());
    }
    let errors = made(&desk, &all, kind, &name, &document).await?.err().unwrap_or_default();
    Ok(Json(Checked { errors: errors.into_iter().map(Wrong::from).collect() }))
}

/// `DefaultRoles` of `admin.ts`.
#[derive(Serialize, ToSchema)]
struct DefaultRoles {
    roles: Vec<DefaultRole>,
    rights: Vec<RightSays>,
}

#[derive(Serialize, ToSchema)]
struct DefaultRole {
    name: &'static str,
    rights: &'static [Right],
}

#[derive(Serialize, ToSchema)]
struct RightSays {
    right: Right,
    what: &'static str,
    special: bool,
}

async fn default_roles() -> Json<DefaultRoles> {
    let roles = Role::WORDS.iter().map(|(name, role)| DefaultRole { name, rights: rights(*role) });
    let says = Right::ALL.iter().map(|right| RightSays {
        right: *right,
        what: what(*right),
        special: right.is_special(),
    });
    Json(DefaultRoles { roles: roles.collect(), rights: says.collect() })
}

/// What a right is for, to a person who gives it.
const fn what(right: Right) -> &'static str {
    match right {
        Right::TakeCalls => "Take calls at the agent's page or phone.",
        Right::Override => "Record without consent, where the queue allows it, with a written reason.",
        Right::Wallboard => "See all calls, agents and queues as they are.",
        Right::ListenLive => "Hear conversations as they go on.",
        Right::Whisper => "Speak to the agent alone in a conversation.",
        Right::Barge => "Speak to all in a conversation.",
        Right::ViewListeningLogs => "See who has listened to what.",
        Right::ListenRecordings => "Hear recordings.",
        Right::ExportRecordings => "Take recordings out, with the numbers of those who speak.",
        Right::DestroyRecordings => "Destroy recordings before their time.",
        Right::ManageVault => "See and hurry the vault's jobs, compare database and store, remove orphans.",
        Right::ViewCalls => "See past calls, their notes and attached data.",
        Right::ViewReports => "See figures of calls and consents.",
        Right::ViewConsents => "See consents, with numbers.",
        Right::ViewAuditLog => "See, export and verify the audit log.",
        Right::ConfigureQueues => "Set how queues serve their callers: strategy, hours, overflow, times.",
        Right::ConfigureRecording => "Set what is recorded, on which basis and how long it is kept.",
        Right::ConfigurePrompts => "Upload prompts.",
        Right::ConfigureTrunks => "Set trunks and numbers.",
        Right::ConfigureAgents => "Set agents and their skills.",
        Right::ManageUsers => "Set users; their rights only together with manage-roles.",
        Right::ManageRoles => "Make roles, grant rights, set how people log in.",
        Right::ConfigureSystem => {
            "Set webhooks, tokens, rules for passwords, the audit log's classes and anchors."
        }
        Right::ManageHolds => "Hold recordings and calls back from removal.",
        Right::Monitor => "See health: nodes, alarms, jobs, the SIP messages of a call.",
        Right::Dpo => "Find, report, erase and restrict what is known of a person. Given to single users.",
        Right::CustomerConsent => "Export, reset and withdraw consents. Given to single users.",
    }
}
