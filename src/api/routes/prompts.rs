//! Prompts: what callers hear, for all queues or for one, and its sound.

mod change;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Right;
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor};
use crate::api::problem::Problem;
use crate::api::range::{Wanted, wanted};
use crate::consent::Policy;
use crate::ids::QueueId;
use crate::prompts::{Library, Loaded, NAMES, PromptName, Source};
use crate::settings::{Settings, Subject};
use crate::store::PromptVersionRow;

use super::route::{Route, delete, get, post, put};

/// Only callers who are asked hear these.
const OF_CONSENT: [&str; 4] = ["consent-question", "thanks", "refused", "invalid-key"];

pub(super) fn routes() -> Vec<Route> {
    const NEEDS: Needs = Needs::Right(Right::ConfigurePrompts);
    vec![
        get("/prompts", NEEDS, list)
            .says("All prompts: shipped, of the folder, imported; and those that callers should hear and are not there.")
            .gives::<Vec<Prompt>>(),
        get("/prompts/{id}/audio", NEEDS, audio)
            .says("How a prompt sounds, or a version that it had.")
            .query::<OfVersion>()
            .gives_octets(StatusCode::OK, "audio/wav")
            .gives_octets(StatusCode::PARTIAL_CONTENT, "audio/wav"),
        post("/prompts/{id}/preview", NEEDS, change::preview)
            .says("What an audio file would become as this prompt; nothing is stored.")
            .takes_octets("application/octet-stream")
            .gives::<change::PromptCheck>(),
        put("/prompts/{id}", NEEDS, change::put)
            .says("Makes a prompt of an audio file and puts it in force; calls hear it from the next playing on.")
            .takes_octets("application/octet-stream")
            .versioned()
            .gives::<change::PromptCheck>()
            .gives_with::<change::PromptCheck>(StatusCode::CREATED),
        post("/prompts/{id}/restore", NEEDS, change::restore)
            .says("Puts an earlier version of a prompt in force again.")
            .takes::<change::Restore>()
            .gives_nothing(StatusCode::NO_CONTENT),
        delete("/prompts/{id}", NEEDS, change::remove)
            .says("Takes an imported prompt out of force: what is beneath it holds again. Its versions stay.")
            .gives_nothing(StatusCode::NO_CONTENT),
        put("/prompts/{id}/text", NEEDS, change::text)
            .says("Notes what a prompt says, as it is now, for the linter.")
            .takes::<change::Text>()
            .gives_nothing(StatusCode::NO_CONTENT),
    ]
}

/// The prompt of `/prompts/{id}/…`.
pub(super) struct Named(PromptName);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(Path(id)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(no_prompt("There is no such prompt."));
        };
        id.parse().map(Self).map_err(|error| no_prompt(format!("There is no such prompt: {error}.")))
    }
}

fn no_prompt(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no-prompt", detail)
}

/// Whether it is shown to somebody whose rights may hold for some queues only: those of all queues are heard in theirs.
fn sees(visitor: &Visitor, name: &PromptName) -> bool {
    name.queue().is_none_or(|queue| visitor.sees(queue))
}

/// `Prompt` of `admin.ts`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Prompt {
    /// `QUEUE~LANGUAGE~NAME`, or `LANGUAGE~NAME` for all queues.
    id: String,
    queue: Option<QueueId>,
    /// `zxx`: music, which has none.
    language: String,
    name: &'static str,
    source: From,
    seconds: Option<f64>,
    lufs: Option<f64>,
    /// What it says, as somebody noted it.
    text: Option<String>,
    /// SHA-256 of what is played.
    version: Option<String>,
    /// Those that were imported, the latest first.
    versions: Vec<Version>,
    /// The queues whose callers hear it.
    used_by: BTreeSet<QueueId>,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = PromptSource)]
enum From {
    Shipped,
    /// A file of the prompts folder of the server that answers.
    Folder,
    Imported,
    /// English is played instead.
    Missing,
}

#[derive(Clone, Serialize, ToSchema)]
#[schema(as = PromptVersion)]
struct Version {
    version: String,
    /// When it was first in force.
    at: String,
    by: String,
}

async fn list(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Json<Vec<Prompt>>, Problem> {
    let (_, settings) = soon(desk.store().settings()).await?;
    let rows = soon(desk.store().prompt_versions()).await?;
    let library = desk.control().prompts();
    // Their loudness is measured when it is first asked for.
    let shown = tokio::task::spawn_blocking(move || shown(&visitor, &settings, &library, rows)).await;
    shown.map(Json).map_err(|error| {
        tracing::error!(%error, "the prompts could not be listed");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The prompts could not be listed.")
    })
}

fn shown(
    visitor: &Visitor,
    settings: &Settings,
    library: &Library,
    rows: Vec<PromptVersionRow>,
) -> Vec<Prompt> {
    let mut versions: BTreeMap<String, Vec<Version>> = BTreeMap::new();
    for PromptVersionRow { prompt, version, at, who } in rows {
        versions.entry(prompt).or_default().push(Version { version, at: at.to_rfc3339(), by: who });
    }
    let (used, missing) = usage(visitor, settings, library);
    let mut all: BTreeMap<PromptName, Option<Arc<Loaded>>> =
        library.all().into_iter().map(|(name, loaded)| (name, Some(loaded))).collect();
    for name in missing.keys() {
        all.entry(name.clone()).or_default();
    }
    let seen = all.into_iter().filter(|(name, _)| sees(visitor, name));
    seen.map(|(name, loaded)| {
        let id = name.to_string();
        let used_by = used.get(&name).or_else(|| missing.get(&name)).cloned().unwrap_or_default();
        let tenth = |value: f64| (value * 10.0).round() / 10.0;
        Prompt {
            queue: name.queue().cloned(),
            language: name.language().to_owned(),
            name: name.name(),
            source: match loaded.as_ref().map(|loaded| loaded.source) {
                Some(Source::Shipped) => From::Shipped,
                Some(Source::Folder) => From::Folder,
                Some(Source::Imported) => From::Imported,
                None => From::Missing,
            },
            seconds: loaded.as_ref().map(|loaded| tenth(loaded.duration.as_secs_f64())),
            lufs: loaded.as_ref().and_then(|loaded| loaded.lufs()).map(tenth),
            text: loaded.as_ref().and_then(|loaded| loaded.text.clone()),
            version: loaded.map(|loaded| loaded.sha256.clone()),
            versions: versions.remove(&id).unwrap_or_default(),
            used_by,
            id,
        }
    })
    .collect()
}

type Usage = BTreeMap<PromptName, BTreeSet<QueueId>>;

/// Which queues' callers hear which prompt, and for which there should be one in their language.
fn usage(visitor: &Visitor, settings: &Settings, library: &Library) -> (Usage, Usage) {
    let (mut used, mut missing) = (Usage::new(), Usage::new());
    for (id, queue) in settings.queues.iter().filter(|(id, _)| visitor.sees(id)) {
        let asks = matches!(queue.recording, Policy::Consent(_));
        for language in Subject::languages(id, queue, settings) {
            for name in NAMES.iter().filter(|name| asks || !OF_CONSENT.contains(name)) {
                let (usage, name) = match library.heard(id, &language, name) {
                    Ok(name) => (&mut used, name),
                    Err(name) => (&mut missing, name),
                };
                usage.entry(name).or_default().insert(id.clone());
            }
        }
    }
    (used, missing)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct OfVersion {
    /// SHA-256 of a version that it has or had; without it the one in force.
    version: Option<String>,
}

async fn audio(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Named(name): Named,
    asked: Result<Query<OfVersion>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(OfVersion { version }) =
        asked.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad-request", error.body_text()))?;
    let none = || no_prompt("There is no such prompt, or it never had this version.");
    if !sees(&visitor, &name) {
        return Err(none());
    }
    let library = desk.control().prompts();
    let played =
        library.named(&name).filter(|now| version.as_ref().is_none_or(|wanted| now.sha256 == *wanted));
    let (version, wav) = match (played, version) {
        (Some(now), _) => match now.wav() {
            Some(wav) => (now.sha256.clone(), Some(wav)),
            None => (now.sha256.clone(), soon(desk.store().prompt_sound(&now.sha256, true)).await?),
        },
        (None, Some(old)) if soon(desk.store().prompt_had(&name.to_string(), &old)).await? => {
            let wav = soon(desk.store().prompt_sound(&old, true)).await?;
            (old, wav)
        }
        (None, Some(_) | None) => return Err(none()),
    };
    Ok(sent(&headers, &version, wav.ok_or_else(none)?))
}

/// A whole WAV file, or the part that was asked for.
fn sent(headers: &HeaderMap, version: &str, mut wav: Vec<u8>) -> Response {
    let length = wav.len() as u64;
    let etag = format!("\"{version}\"");
    let range = match wanted(headers, length, &etag) {
        Wanted::Whole => None,
        Wanted::Part(range) => Some(range),
        Wanted::Nothing => {
            let detail = format!("The sound has {length} bytes: the range lies past its end.");
            let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "bad-range", detail);
            return ([(header::CONTENT_RANGE, format!("bytes */{length}"))], problem).into_response();
        }
    };
    let mut status = StatusCode::OK;
    let mut part = None;
    if let Some(range) = range {
        status = StatusCode::PARTIAL_CONTENT;
        part = Some(format!("bytes {}-{}/{length}", range.start, range.end - 1));
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(wav.len());
        let (start, end) = (index(range.start), index(range.end));
        wav.truncate(end);
        wav.drain(..start);
    }
    let mut response = Response::new(Body::from(wav));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("audio/wav"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let ascii = |text: String| HeaderValue::try_from(text).expect("digits and hex are ASCII");
    headers.insert(header::ETAG, ascii(etag));
    if let Some(part) = part {
        headers.insert(header::CONTENT_RANGE, ascii(part));
    }
    response
}
