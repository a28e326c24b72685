//! Listening to a recording: its entry in the listening log, then its audio, in ranges (RFC 9110 §14).
//!
//! Nothing is sent before the entry is durable. The audio is streamed as the client takes it; what cannot be verified
//! breaks the connection off, so that no client takes a torn file for a whole one.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, StreamExt as _, unfold};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::access::Right;
use crate::api::desk::{Desk, soon};
use crate::api::guard::Visitor;
use crate::api::input::{LONGEST_REASON, Recorded, Told, written};
use crate::api::listening::{Seat, Slot};
use crate::api::problem::Problem;
use crate::api::range::{Wanted, wanted};
use crate::export::{Audio, AudioError, Peaks, extension, peaks};
use crate::ids::{RecordingId, Redacted};
use crate::jobs::AlarmKind;
use crate::store::RecordingRow;
use crate::time::Timestamp;

use super::recordings::gone;

/// Points of a waveform, on each side: more than a screen shows.
const POINTS: usize = 1_000;
/// Who wants a waveform while many recordings are read waits so long.
const QUEUED: Duration = Duration::from_secs(10);
/// More than the header of a WAV (44 to 58 bytes).
const FIRST: usize = 64;
/// Who listens for long is asked so often whether they still may, and whether the recording is still there.
const STILL: Duration = Duration::from_secs(5);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ListeningReason)]
pub(super) struct Why {
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000)]
    reason: Option<Redacted<String>>,
}

/// When this listening began; it goes on while it is used.
#[derive(Serialize, ToSchema)]
pub(super) struct Listens {
    recording: RecordingId,
    since: String,
}

/// Opens listening, so that a player can ask for audio.
pub(super) async fn listen(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Recorded(id): Recorded,
    Told(Why { reason }): Told<Why>,
) -> Result<Response, Problem> {
    let reason = match &reason {
        None => None,
        Some(Redacted(text)) => {
            Some(Redacted(written(text, LONGEST_REASON).ok_or_else(bad_reason)?.to_owned()))
        }
    };
    let row = seen(&desk, &visitor, id).await?;
    whole(&desk, &row).await?;
    let slot = begin(&desk, &visitor, id, reason).await?;
    let since = slot.since().unwrap_or(desk.now()).to_rfc3339();
    Ok((StatusCode::CREATED, Json(Listens { recording: id, since })).into_response())
}

fn bad_reason() -> Problem {
    let detail =
        format!("A reason has 1 to {LONGEST_REASON} characters, and none that only steers a terminal.");
    Problem::unprocessable("bad-reason", detail)
}

/// The audio, or the range of it that was asked for.
pub(super) async fn play(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Recorded(id): Recorded,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let row = seen(&desk, &visitor, id).await?;
    let audio = whole(&desk, &row).await?;
    let (length, etag) = (audio.length(), format!("\"{}\"", audio.tag()));
    // A range is only of GET (RFC 9110 §14.2).
    let wanted = if method == Method::HEAD { Wanted::Whole } else { wanted(&headers, length, &etag) };
    let about = About { id, length, etag, content_type: audio.content_type() };
    let (status, range) = match wanted {
        Wanted::Whole => (StatusCode::OK, 0..length),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Nothing => return Ok(about.nothing()),
    };
    if method == Method::HEAD {
        return Ok(about.head(status, range, Body::empty()));
    }
    let Some(seat) = desk.listening.seat(visitor.key) else {
        let detail = "This session plays enough recordings at once: close a player.";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", detail));
    };
    let slot = begin(&desk, &visitor, id, None).await?;
    let mut stream = match audio.stream(range.clone()).await {
        Ok(stream) => stream,
        Err(error) => return Err(broken(&desk, id, &error).await),
    };
    // The first audio is read before the status is told, so that an error there has a status of its own; a WAV's
    // header alone is none.
    let mut first = BytesMut::new();
    while first.len() < FIRST {
        match stream.next().await.transpose() {
            Ok(Some(bytes)) => first.extend_from_slice(&bytes),
            Ok(None) => break,
            Err(error) => return Err(broken(&desk, id, &error).await),
        }
    }
    let (checked, all) = (desk.now(), range == (0..length));
    let left = range.end - range.start;
    let playing = Playing { id, stream, slot, _seat: seat, checked, desk, visitor, left, all };
    Ok(about.head(status, range, playing.body(first.freeze())))
}

/// `Waveform` of `admin.ts`: 1,000 points of each side, 0 to 1.
#[derive(Serialize, ToSchema)]
pub(super) struct Waveform {
    seconds: f64,
    caller: Vec<f32>,
    agent: Vec<f32>,
}

/// How loud both sides are along the recording. Who sees that knows who spoke when, so listening is opened.
pub(super) async fn outline(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Recorded(id): Recorded,
) -> Result<Json<Waveform>, Problem> {
    let row = seen(&desk, &visitor, id).await?;
    let audio = whole(&desk, &row).await?;
    begin(&desk, &visitor, id, None).await?;
    let Ok(Ok(_room)) = timeout(QUEUED, desk.exporting.acquire()).await else {
        let detail = "Too many recordings are read just now: try again.";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail));
    };
    match peaks(&audio, POINTS).await {
        Ok(Some(Peaks { seconds, caller, agent })) => Ok(Json(Waveform { seconds, caller, agent })),
        Ok(None) => {
            let detail = "The recording is too long for a picture of it.";
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail))
        }
        Err(error) => Err(broken(&desk, id, &error).await),
    }
}

/// A recording that the visitor may see.
///
/// # Errors
/// 404, when there is none.
pub(super) async fn seen(desk: &Desk, visitor: &Visitor, id: RecordingId) -> Result<RecordingRow, Problem> {
    soon(desk.store().recording_seen(id, &visitor.sight())).await?.ok_or_else(Problem::no_recording)
}

/// A recording's row.
///
/// # Errors
/// 404, when there is none.
pub(super) async fn recording(desk: &Desk, id: RecordingId) -> Result<RecordingRow, Problem> {
    soon(desk.store().recording(id)).await?.ok_or_else(Problem::no_recording)
}

/// A recording opened for reading.
///
/// # Errors
/// What keeps it from being read, as `types.ts` tells it.
pub(super) async fn whole(desk: &Desk, row: &RecordingRow) -> Result<Audio, Problem> {
    let archive = desk.archive()?;
    let id = row.id;
    let error = match Audio::open(row, &archive.vault, &archive.objects).await {
        Ok(audio) => return Ok(audio),
        Err(error) => error,
    };
    // It may have been stored, or destroyed, since the row was read: then its file or object is gone.
    let now = if is_there(row) { recording(desk, id).await? } else { row.clone() };
    if now.state == row.state {
        return Err(unreadable(desk, id, &error));
    }
    let opened = Audio::open(&now, &archive.vault, &archive.objects).await;
    opened.map_err(|error| unreadable(desk, id, &error))
}

fn is_there(row: &RecordingRow) -> bool {
    ["finished", "stored"].contains(&row.state.as_str())
}

/// Tells why reading a recording broke; what was destroyed meanwhile is gone, and not damaged.
pub(super) async fn broken(desk: &Desk, id: RecordingId, error: &AudioError) -> Problem {
    match recording(desk, id).await {
        Ok(row) if !is_there(&row) => gone(),
        Ok(_) | Err(_) => unreadable(desk, id, error),
    }
}

/// All of a recording was read and verified.
pub(super) fn is_right(desk: &Desk, id: RecordingId) {
    if let Ok(archive) = desk.archive() {
        archive.alarms.clear_for(AlarmKind::RecordingDamaged, &id.to_string());
    }
}

/// Tells why a recording cannot be read; damage is told to who looks after the vault, too.
pub(super) fn unreadable(desk: &Desk, id: RecordingId, error: &AudioError) -> Problem {
    match error {
        AudioError::NotWhole(state) => {
            let detail = format!("The recording is {state}: there is no whole file of it to be heard.");
            Problem::conflict("not-whole", detail)
        }
        AudioError::Failed(why) => Problem::conflict("failed", format!("The recording failed: {why}.")),
        AudioError::Destroyed => gone(),
        AudioError::Elsewhere(_) => Problem::conflict("elsewhere", format!("For now {error}.")),
        AudioError::Away(_) => {
            tracing::warn!(recording = %id, %error, "a recording cannot be read now");
            let detail = "The store of recordings does not answer: try again.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store-away", detail)
        }
        AudioError::Damaged(_) | AudioError::Vault(_) | AudioError::Unwritten { .. } => {
            report(desk, id, error);
            let detail = "The recording cannot be read; the server's log says why, and an alarm is raised if it is damaged.";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "damaged", detail)
        }
    }
}

/// Logs what is wrong with a recording, and raises the alarm where it is damage.
fn report(desk: &Desk, id: RecordingId, error: &AudioError) {
    tracing::error!(recording = %id, %error, "a recording cannot be read");
    metrics::counter!("sayso_recordings_unreadable_total").increment(1);
    if let (true, Ok(archive)) = (error.is_damage(), desk.archive()) {
        let what = format!("{error}: compare it with its copies, and look at who writes to the store");
        archive.alarms.raise_for(AlarmKind::RecordingDamaged, &id.to_string(), what);
    }
}

/// The visitor's open listening, or a new one.
///
/// # Errors
/// 428, when a reason is needed first; 503, when the listening log cannot be written.
pub(super) async fn begin(
    desk: &Desk,
    visitor: &Visitor,
    id: RecordingId,
    reason: Option<Redacted<String>>,
) -> Result<Arc<Slot>, Problem> {
    let needed = desk.archive()?.listening_reason;
    desk.listening.begin(desk.store(), visitor, id, desk.now(), reason, needed).await
}

/// What the headers tell.
struct About {
    id: RecordingId,
    length: u64,
    etag: String,
    content_type: &'static str,
}

impl About {
    fn head(&self, status: StatusCode, range: Range<u64>, body: Body) -> Response {
        let Self { id, length, etag, content_type } = self;
        let ascii = |text: String| HeaderValue::try_from(text).expect("ids, digits and hex are ASCII");
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::ETAG, ascii(etag.clone()));
        let name = format!("inline; filename=\"{id}.{}\"", extension(content_type));
        headers.insert(header::CONTENT_DISPOSITION, ascii(name));
        if status == StatusCode::PARTIAL_CONTENT {
            let part = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            headers.insert(header::CONTENT_RANGE, ascii(part));
        }
        response
    }

    /// 416 (RFC 9110 §15.5.17).
    fn nothing(&self) -> Response {
        let detail = format!("The file has {} bytes: the range lies past its end.", self.length);
        let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "bad-range", detail);
        let range = HeaderValue::try_from(format!("bytes */{}", self.length)).expect("digits are ASCII");
        ([(header::CONTENT_RANGE, range)], problem).into_response()
    }
}

/// Audio on its way to a client.
struct Playing {
    id: RecordingId,
    desk: Arc<Desk>,
    visitor: Visitor,
    slot: Arc<Slot>,
    stream: BoxStream<'static, Result<Bytes, AudioError>>,
    _seat: Seat,
    checked: Timestamp,
    /// Bytes that are still owed.
    left: u64,
    /// They are the whole file.
    all: bool,
}

/// Breaks a connection off; the client is told nothing more.
#[derive(Debug, thiserror::Error)]
#[error("broken off")]
struct BrokenOff;

impl Playing {
    /// The body: read on as the client takes it, and no longer when it is gone.
    fn body(self, first: Bytes) -> Body {
        Body::from_stream(unfold(Some((self, Some(first))), |playing| async {
            let (mut playing, first) = playing?;
            match playing.next(first).await {
                Ok(Some(bytes)) => Some((Ok(bytes), Some((playing, None)))),
                Ok(None) => None,
                Err(broken) => Some((Err(broken), None)),
            }
        }))
    }

    async fn next(&mut self, first: Option<Bytes>) -> Result<Option<Bytes>, BrokenOff> {
        let next = match first {
            Some(first) => Some(Ok(first)),
            None => {
                self.may_go_on().await?;
                self.stream.next().await
            }
        };
        match next {
            Some(Ok(bytes)) => {
                self.left = self.left.saturating_sub(bytes.len() as u64);
                // Nobody asks for more than was announced, so this is the end.
                if self.left == 0 && self.all {
                    is_right(&self.desk, self.id);
                }
                Ok(Some(bytes))
            }
            Some(Err(error)) => {
                // What is destroyed while it is read is not damaged.
                if !matches!(recording(&self.desk, self.id).await, Ok(row) if !is_there(&row)) {
                    report(&self.desk, self.id, &error);
                }
                Err(BrokenOff)
            }
            None if self.left > 0 => {
                let short =
                    AudioError::Damaged(format!("recording {} ended {} bytes early", self.id, self.left));
                report(&self.desk, self.id, &short);
                Err(BrokenOff)
            }
            None => Ok(None),
        }
    }

    /// Looks from time to time whether who listens is still logged in and may, and whether the recording is there.
    async fn may_go_on(&mut self) -> Result<(), BrokenOff> {
        let now = self.desk.now();
        if now.since(self.checked) < STILL {
            return Ok(());
        }
        self.checked = now;
        self.slot.goes_on(now);
        let visitor = self.desk.again(&self.visitor).await;
        let visitor = visitor.ok().flatten().filter(|visitor| visitor.has(Right::ListenRecordings));
        let row = match &visitor {
            Some(visitor) => seen(&self.desk, visitor, self.id).await.ok(),
            None => None,
        };
        let (may, there) = (visitor.is_some(), row.is_some_and(|row| is_there(&row)));
        if may && there {
            return Ok(());
        }
        tracing::info!(recording = %self.id, may, there, "audio on its way is broken off");
        Err(BrokenOff)
    }
}
