//! `GET /events`: server-sent events. A snapshot, then each change as this visitor may see it; a snapshot again
//! when changes were missed or the visitor's rights are others; an end when the session ends.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use futures_util::stream::unfold;
use serde::Serialize;
use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::api::control::Live;
use crate::api::desk::{Desk, Ended, Seat};
use crate::api::guard::{Needs, Visitor};
use crate::api::problem::Problem;
use crate::api::seen::{Seen, Shown};
use crate::api::view::Snapshot;

use super::route::{Route, get};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/events", Needs::User, stream)
            .says("What goes on, as server-sent events: a snapshot, then changes.")
            .gives_octets(StatusCode::OK, "text/event-stream"),
    ]
}

/// How often a sign of life is sent, for the proxies between, and the session looked at.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) async fn stream(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    // Heard from before the session is looked at once more, so that no end is missed.
    let endings = desk.endings();
    let Some(visitor) = desk.visitor(visitor.key).await? else { return Err(Problem::not_logged_in()) };
    let Some(seat) = desk.seat(&visitor) else {
        let detail = "This session has enough event streams: close a window.";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", detail));
    };
    let told = Telling::begin(desk, visitor, seat, endings);
    let body = Body::from_stream(unfold(told, async |mut told| {
        let text = told.next().await?;
        Some((Ok::<_, Infallible>(text), told))
    }));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, body).into_response())
}

/// One stream.
struct Telling {
    desk: Arc<Desk>,
    visitor: Visitor,
    _seat: Seat,
    seen: Seen,
    live: broadcast::Receiver<Arc<Live>>,
    endings: broadcast::Receiver<Ended>,
    heartbeat: Interval,
    /// The session is being looked at; what goes on is told meanwhile.
    looking: Option<BoxFuture<'static, Found>>,
    /// Not sent yet.
    waiting: VecDeque<String>,
    over: bool,
}

/// What a look at the session finds.
type Found = Result<Option<Visitor>, Problem>;

/// What a stream waits for.
enum Next {
    Found(Found),
    Live(Result<Arc<Live>, RecvError>),
    Ended(Result<Ended, RecvError>),
    Heartbeat,
}

impl Telling {
    fn begin(desk: Arc<Desk>, visitor: Visitor, seat: Seat, endings: broadcast::Receiver<Ended>) -> Self {
        let (snapshot, live) = desk.control().watch();
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.reset();
        let (seen, waiting) = (Seen::new(&visitor), VecDeque::new());
        let mut new = Self {
            desk,
            visitor,
            _seat: seat,
            seen,
            live,
            endings,
            heartbeat,
            looking: None,
            waiting,
            over: false,
        };
        new.show(snapshot);
        new
    }

    /// Begins again with a snapshot, whatever was told before.
    fn anew(&mut self) {
        let (snapshot, live) = self.desk.control().watch();
        self.live = live;
        self.seen = Seen::new(&self.visitor);
        self.show(snapshot);
    }

    fn show(&mut self, snapshot: Snapshot) {
        let snapshot = self.seen.begin(snapshot);
        self.tell("snapshot", &snapshot);
    }

    /// The next piece of the stream; `None`: it is over.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(text) = self.waiting.pop_front() {
                return Some(text);
            }
            if self.over {
                return None;
            }
            let found = async {
                match &mut self.looking {
                    Some(look) => look.await,
                    None => pending().await,
                }
            };
            let next = tokio::select! {
                ended = self.endings.recv() => Next::Ended(ended),
                live = self.live.recv() => Next::Live(live),
                _ = self.heartbeat.tick() => Next::Heartbeat,
                found = found => Next::Found(found),
            };
            match next {
                Next::Live(Ok(live)) => self.change(&live),
                Next::Live(Err(RecvError::Lagged(_))) => self.anew(),
                Next::Live(Err(RecvError::Closed)) | Next::Ended(Err(RecvError::Closed)) => self.over = true,
                Next::Ended(Ok(ended)) if ended.is(&self.visitor) => self.log_out(),
                Next::Ended(Ok(_)) => {}
                Next::Ended(Err(RecvError::Lagged(_))) => self.look(),
                Next::Found(found) => {
                    self.looking = None;
                    self.found(found);
                }
                Next::Heartbeat => {
                    self.waiting.push_back(":\n\n".to_owned());
                    self.look();
                }
            }
        }
    }

    fn change(&mut self, live: &Live) {
        match self.seen.change(live) {
            Shown::Call(call) => self.tell("call", &call),
            Shown::Gone(id) => self.tell("gone", &json!({ "id": id })),
            Shown::Agent(agent) => self.tell("agent", &agent),
            Shown::Queue(queue) => self.tell("queue", &queue),
            Shown::Nothing => {}
            Shown::Anew => self.anew(),
        }
    }

    /// Begins to look whether the session still lives, and the user is still who it was.
    fn look(&mut self) {
        let (desk, key) = (Arc::clone(&self.desk), self.visitor.key);
        self.looking = Some(Box::pin(async move { desk.visitor(key).await }));
    }

    fn found(&mut self, found: Found) {
        match found {
            Ok(Some(now)) if now.owes().is_some() => self.log_out(),
            Ok(Some(now)) => {
                let other = now.held != self.visitor.held || now.account.agent != self.visitor.account.agent;
                self.visitor = now;
                if other {
                    self.anew();
                }
            }
            Ok(None) => self.log_out(),
            // The database does not answer: what is shown does not come from there.
            Err(_) => {}
        }
    }

    fn log_out(&mut self) {
        self.waiting.clear();
        self.tell("logged-out", &json!({}));
        self.over = true;
    }

    fn tell(&mut self, event: &str, data: &impl Serialize) {
        match serde_json::to_string(data) {
            // JSON has no line ends of its own, so one line holds it.
            Ok(data) => self.waiting.push_back(format!("event: {event}\ndata: {data}\n\n")),
            Err(error) => tracing::error!(%error, event, "an event has no JSON form"),
        }
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
