//! People's data: searching for a person, what is asked about one and who approves it, what was made, the directory.

mod directory;
mod tasks;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use ulid::Ulid;
use utoipa::ToSchema;

use crate::access::Right;
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor};
use crate::api::input::{At, Told};
use crate::api::problem::Problem;
use crate::ids::{CallId, RecordingId, Redacted};
use crate::privacy::{BadSearch, Person, Search};
use crate::store::{CallFound, Change, Found as FoundRows, PrivacyChange, RecordingFound};

use super::consents::Consent;
use super::history::Call;
use super::route::{Route, get, post};

pub(super) use directory::Entry;
pub(super) use tasks::{Task, reason_of, row, shown};

/// Tasks about consents are for those who look after consents, too.
const EITHER: Needs = Needs::Any(&[Right::Dpo, Right::CustomerConsent]);

pub(super) fn routes() -> Vec<Route> {
    const DPO: Needs = Needs::Right(Right::Dpo);
    vec![
        post("/privacy/search", DPO, search)
            .says("Finds what there is of a person, by the last digits of a number, e-mail address or name; audited.")
            .takes::<Whom>()
            .gives::<Found>(),
        post("/privacy/tasks", DPO, tasks::ask)
            .says("Asks for a report, a zip, an erasure, a restriction or a move of what is selected.")
            .takes::<tasks::Wanted>()
            .gives_with::<Task>(StatusCode::CREATED),
        get("/privacy/tasks", DPO, tasks::list)
            .says("What was asked about people's data.")
            .lists::<crate::api::input::Everything, Task>(),
        get("/privacy/tasks/{id}", EITHER, tasks::one).says("One of these.").gives::<Task>(),
        get("/privacy/tasks/{id}/file", EITHER, tasks::file)
            .says("What was made: a report, a zip, the certificate of an erasure; audited.")
            .gives_octets(StatusCode::OK, "text/csv")
            .gives_octets(StatusCode::OK, "application/zip")
            .gives_octets(StatusCode::OK, "application/json"),
        post("/privacy/tasks/{id}/approve", DPO, tasks::approve)
            .says("A second user says yes.")
            .takes::<tasks::Nothing>()
            .gives::<Task>(),
        post("/privacy/tasks/{id}/refuse", DPO, tasks::refuse)
            .says("Somebody says no.")
            .takes::<tasks::No>()
            .gives::<Task>(),
        get("/privacy/directory", DPO, directory::list)
            .says("People on lists.")
            .lists::<directory::By, Entry>(),
        post("/privacy/directory", DPO, directory::import)
            .says("Adds or changes people on lists, from a CSV with the columns list, name, number, email, note.")
            .takes_octets("text/csv")
            .gives::<directory::Imported>(),
        super::route::delete("/privacy/directory/{id}", DPO, directory::remove)
            .says("Removes somebody from a list.")
            .gives_nothing(StatusCode::NO_CONTENT),
    ]
}

/// Whom to look for; at least one of the first three.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Whom {
    /// The last digits of a number, 3 or more; what parts them is passed over.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    number: Option<Redacted<String>>,
    /// The whole address.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    email: Option<Redacted<String>>,
    /// Beginnings of words, 3 letters or more.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    name: Option<Redacted<String>>,
    since: Option<At>,
    until: Option<At>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Group<T> {
    total: usize,
    items: Vec<T>,
}

impl<T> Group<T> {
    fn of(items: Vec<T>) -> Self {
        Self { total: items.len(), items }
    }
}

/// `Found` of `admin.ts`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Found {
    calls: Group<Call>,
    consents: Group<Consent>,
    recordings: Group<FoundRecording>,
    entries: Group<Entry>,
    /// There is more of some kind than the 1,000 that are shown: narrow the search.
    too_many: bool,
    took_ms: u64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct FoundRecording {
    id: RecordingId,
    call: CallId,
    state: String,
    at: String,
}

async fn search(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Told(whom): Told<Whom>,
) -> Result<Json<Found>, Problem> {
    let began = desk.now();
    let text = |text: &'_ Option<Redacted<String>>| text.as_ref().map(|text| text.0.clone());
    let typed = [text(&whom.number), text(&whom.email), text(&whom.name)];
    let person =
        Person::parse(typed[0].as_deref(), typed[1].as_deref(), typed[2].as_deref()).map_err(bad_search)?;
    let (since, until) = (whom.since.map(|At(at)| at), whom.until.map(|At(at)| at));
    let search = Search { person, since, until };
    // Who looks for whom is written down before anything is told.
    let words: Vec<String> = typed.into_iter().flatten().filter(|text| !text.trim().is_empty()).collect();
    let (id, words, by, at) =
        (Ulid::generate().to_string(), Redacted(words.join(", ")), visitor.actor(), desk.now());
    let searched = PrivacyChange::Searched { search: id.clone(), words, by, at };
    soon(desk.store().commit(vec![Change::Privacy(searched)])).await?;
    let store = desk.store().clone();
    let found = desk.count(async move { store.find_person(&search).await }).await?;
    // With any of these the words are erased, too.
    let found_them = PrivacyChange::SearchFound { search: id, whom: found.whom() };
    soon(desk.store().commit(vec![Change::Privacy(found_them)])).await?;
    let FoundRows { calls, consents, recordings, entries, too_many } = seen(&visitor, found);
    let mut counted: HashMap<CallId, u64> = HashMap::new();
    for recording in &recordings {
        *counted.entry(recording.call).or_default() += 1;
    }
    let call = |found: CallFound| {
        let n = counted.get(&found.call.id).copied().unwrap_or_default();
        Call::of(found.call, n)
    };
    let recording =
        |RecordingFound { id, call, state, at }| FoundRecording { id, call, state, at: at.to_rfc3339() };
    Ok(Json(Found {
        calls: Group::of(calls.into_iter().map(call).collect()),
        consents: Group::of(consents.into_iter().map(Consent::from).collect()),
        recordings: Group::of(recordings.into_iter().map(recording).collect()),
        entries: Group::of(entries.into_iter().map(Entry::from).collect()),
        too_many,
        took_ms: u64::try_from(desk.now().since(began).as_millis()).unwrap_or(u64::MAX),
    }))
}

/// What a user who is limited to queues may see of it.
fn seen(visitor: &Visitor, mut found: FoundRows) -> FoundRows {
    if visitor.held.queues().is_none() {
        return found;
    }
    found.calls.retain(|found| visitor.sees(&found.call.first_queue));
    found.consents.retain(|consent| visitor.sees(&consent.queue));
    let calls: HashSet<CallId> = found.calls.iter().map(|found| found.call.id).collect();
    found.recordings.retain(|recording| calls.contains(&recording.call));
    // They belong to no queue.
    found.entries.clear();
    found
}

fn bad_search(error: BadSearch) -> Problem {
    let title = match error {
        BadSearch::Nothing | BadSearch::TooShort => "too-short",
        BadSearch::TooLong => "too-long",
        BadSearch::NotDigits => "bad-number",
    };
    Problem::unprocessable(title, format!("To look for a person: {error}."))
}
