//! Changing prompts: an audio file comes in, is converted off the threads that serve, looked at, and put in force.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::api::desk::{Desk, soon};
use crate::api::guard::Visitor;
use crate::api::input::{Told, written};
use crate::api::problem::Problem;
use crate::prompts::{LARGEST, Made, PromptName, Source, make};
use crate::store::{Change, PromptChange, PromptDone, Replaces, StoreError};

use super::{Named, no_prompt, sees};

/// A file has to come within this time: 10 MB at 1.4 Mbit/s.
const ARRIVAL: Duration = Duration::from_secs(60);
/// Who finds the server busy with others' files waits so long.
const QUEUED: Duration = Duration::from_secs(15);
/// The longest text of what a prompt says, in signs.
const LONGEST_TEXT: usize = 4_000;
/// Files that may be on their way at once, each up to 10 MB.
static ARRIVING: Semaphore = Semaphore::const_new(4);
/// One is converted at a time: it takes a core and up to 200 MB, and calls go on beside it.
static CONVERTING: Semaphore = Semaphore::const_new(1);

/// `PromptCheck` of `admin.ts`: a sound as it would be, and is once it is stored.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromptCheck {
    /// SHA-256 of what is played.
    version: String,
    seconds: f64,
    /// Of what is played.
    lufs: f64,
    /// Its highest sample, dBFS.
    peak: f64,
    /// The file was clipped before it came here.
    clipped: bool,
    /// Of the file, in seconds; the most of it is cut off.
    silence_start: f64,
    silence_end: f64,
    /// What the file was, and what was done to it.
    converted: String,
    warnings: Vec<String>,
}

impl PromptCheck {
    fn of(made: &Made) -> Self {
        let round = |value: f64, by: f64| (value * by).round() / by;
        let Made { version, input, output, lead, trail, clipped, done, warnings, sound: _ } = made;
        Self {
            version: version.clone(),
            seconds: round(output.seconds, 100.0),
            // It is neither silent nor empty: it would have been refused.
            lufs: output.lufs.map_or(0.0, |lufs| round(lufs, 10.0)),
            peak: output.peak_dbfs.map_or(0.0, |peak| round(peak, 10.0)),
            clipped: *clipped,
            silence_start: round(*lead, 100.0),
            silence_end: round(*trail, 100.0),
            converted: format!("{}; {}", input.format, done.join("; ")),
            warnings: warnings.clone(),
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PromptRestore)]
pub(super) struct Restore {
    /// SHA-256 of a version that it had.
    #[schema(min_length = 64, max_length = 64)]
    version: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PromptText)]
pub(super) struct Text {
    /// Empty: nobody knows.
    #[schema(max_length = 4000)]
    text: String,
}

pub(super) async fn preview(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Named(name): Named,
    request: Request,
) -> Result<Json<PromptCheck>, Problem> {
    may(&desk, &visitor, &name, true).await?;
    let made = made(name, request).await?;
    Ok(Json(PromptCheck::of(&made)))
}

pub(super) async fn put(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Named(name): Named,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let replaces = replaces(&headers)?;
    may(&desk, &visitor, &name, true).await?;
    let made = made(name.clone(), request).await?;
    let check = PromptCheck::of(&made);
    let status = if replaces == Replaces::Nothing { StatusCode::CREATED } else { StatusCode::OK };
    let library = desk.control().prompts();
    let beneath = library.named(&name).filter(|loaded| loaded.source != Source::Imported);
    let beneath = beneath.map(|loaded| (loaded.sha256.clone(), loaded.duration));
    let done = PromptDone::Put { sound: Box::new(made.sound), replaces, beneath };
    match store(&desk, &visitor, &name, done).await {
        Ok(()) => {}
        Err(StoreError::Conflict { .. }) => {
            let detail = "Somebody else has changed it, made it or removed it meanwhile: read it again.";
            return Err(Problem::new(StatusCode::PRECONDITION_FAILED, "changed", detail));
        }
        Err(error) => return Err(error.into()),
    }
    let etag = HeaderValue::try_from(format!("\"{}\"", check.version)).expect("hex is ASCII");
    Ok((status, [(header::ETAG, etag)], Json(check)).into_response())
}

pub(super) async fn restore(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Named(name): Named,
    Told(Restore { version }): Told<Restore>,
) -> Result<StatusCode, Problem> {
    may(&desk, &visitor, &name, true).await?;
    match store(&desk, &visitor, &name, PromptDone::Restored { version }).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(StoreError::Missing { .. }) => {
            let detail = "This prompt never had this version.";
            Err(Problem::new(StatusCode::NOT_FOUND, "no-version", detail))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn remove(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Named(name): Named,
) -> Result<StatusCode, Problem> {
    may(&desk, &visitor, &name, false).await?;
    match store(&desk, &visitor, &name, PromptDone::Removed).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(StoreError::Missing { .. }) => Err(no_prompt("No imported prompt of this name is in force.")),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn text(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Named(name): Named,
    Told(Text { text }): Told<Text>,
) -> Result<StatusCode, Problem> {
    may(&desk, &visitor, &name, false).await?;
    let text = match text.trim() {
        "" => "",
        _ => written(&text, LONGEST_TEXT).ok_or_else(|| {
            let detail = format!("A text has at most {LONGEST_TEXT} signs, and no control characters.");
            Problem::unprocessable("bad-text", detail)
        })?,
    };
    let library = desk.control().prompts();
    let Some(now) = library.named(&name) else {
        return Err(no_prompt("There is no such prompt: nothing is said that could be noted."));
    };
    if now.text.as_deref().unwrap_or_default() == text {
        return Ok(StatusCode::NO_CONTENT);
    }
    let (version, before) = (now.sha256.clone(), now.text.clone());
    let done = PromptDone::Noted { version, text: text.to_owned(), before };
    store(&desk, &visitor, &name, done).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Stores a change; when it returns, calls of this server hear it.
async fn store(
    desk: &Desk,
    visitor: &Visitor,
    name: &PromptName,
    done: PromptDone,
) -> Result<(), StoreError> {
    let change = PromptChange { prompt: name.to_string(), done, who: visitor.actor() };
    desk.store().commit(vec![Change::Prompt(change)]).await?;
    desk.control().renew_prompts().await;
    Ok(())
}

/// Whether somebody may change this prompt: whose rights hold for some queues may change only these queues' own. `there`:
/// its queue has to exist.
async fn may(desk: &Desk, visitor: &Visitor, name: &PromptName, there: bool) -> Result<(), Problem> {
    let Some(queue) = name.queue() else { return visitor.of_all_queues() };
    if !sees(visitor, name) {
        return Err(no_prompt("There is no such prompt, or your rights do not hold for its queue."));
    }
    if there && !soon(desk.store().settings()).await?.1.queues.contains_key(queue) {
        return Err(no_prompt(format!("There is no queue {queue}.")));
    }
    Ok(())
}

/// What a request wants to replace (RFC 9110 §13.1).
fn replaces(headers: &HeaderMap) -> Result<Replaces, Problem> {
    let all = |name: HeaderName| -> Vec<String> {
        let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).map(|tag| tag.trim().to_owned()).collect()
    };
    let (there, new) = (all(header::IF_MATCH), all(header::IF_NONE_MATCH));
    match (&there[..], &new[..]) {
        ([], [any]) if any == "*" => Ok(Replaces::Nothing),
        ([any], []) if any == "*" => Ok(Replaces::Something),
        ([_, ..], []) => {
            // A tag that is none of ours matches nothing; a weak one never does (RFC 9110 §13.1.1).
            let ours = |tag: &String| Some(tag.strip_prefix('"')?.strip_suffix('"')?.to_owned());
            Ok(Replaces::OneOf(there.iter().filter_map(ours).collect()))
        }
        (_, _) => {
            let detail = "Say what is replaced: If-Match with the version of the imported prompt, or If-None-Match: * \
                          where none is imported yet.";
            Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "version-needed", detail))
        }
    }
}

/// Takes a file in and makes a prompt of it.
async fn made(name: PromptName, request: Request) -> Result<Made, Problem> {
    let arriving = turn(&ARRIVING).await?;
    let file = octets(request).await?;
    let converting = turn(&CONVERTING).await?;
    drop(arriving);
    // The turn goes with the work: who hangs up meanwhile does not let two run at once.
    let work = tokio::task::spawn_blocking(move || {
        let _converting = converting;
        make(&file, &name)
    });
    match work.await {
        Ok(made) => made.map_err(|error| Problem::unprocessable("bad-audio", format!("The file: {error}."))),
        Err(error) => {
            tracing::error!(%error, "an audio file broke its reader");
            Err(Problem::unprocessable("bad-audio", "The file cannot be read as sound."))
        }
    }
}

async fn turn(of: &'static Semaphore) -> Result<SemaphorePermit<'static>, Problem> {
    match timeout(QUEUED, of.acquire()).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) | Err(_) => {
            let detail = "Other files are being converted: try again.";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail))
        }
    }
}

async fn octets(request: Request) -> Result<Bytes, Problem> {
    match timeout(ARRIVAL, to_bytes(request.into_body(), LARGEST)).await {
        Ok(Ok(file)) => Ok(file),
        Ok(Err(_)) => {
            let detail = format!(
                "The file did not come whole, or it has more than {} MB: MP3 or M4A is smaller.",
                LARGEST / 1_000_000
            );
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail))
        }
        Err(_) => {
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "The file did not come in time."))
        }
    }
}
