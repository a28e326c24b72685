//! Legal holds: what is held back from removal, by whom and why (domain rule 14).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use ulid::Ulid;
use utoipa::{IntoParams, ToSchema};

use crate::access::Right;
use crate::api::csv::{Listed, listed};
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor, no_right};
use crate::api::input::{Asked, At, LONGEST_REASON, Told, written};
use crate::api::problem::Problem;
use crate::ids::{CallId, HoldId, PhoneNumber, QueueId, RecordingId, Redacted};
use crate::retention::{self, HoldOn};
use crate::store::{Change, HoldChange, Page, StoreError};
use crate::time::Timestamp;

use super::route::{Route, delete, get, post};

pub(super) fn routes() -> Vec<Route> {
    const MANAGE: Needs = Needs::Right(Right::ManageHolds);
    vec![
        get("/holds", MANAGE, list).says("Legal holds.").lists::<By, Hold>(),
        post("/holds", MANAGE, create)
            .says(
                "Holds a recording, a call, a number's calls or a queue's calls of a span back from removal.",
            )
            .takes::<NewHold>()
            .gives_with::<Hold>(StatusCode::CREATED),
        delete("/holds/{id}", MANAGE, release)
            .says("Releases a hold: what it held goes by the rules again.")
            .takes::<Release>()
            .gives_nothing(StatusCode::NO_CONTENT),
    ]
}

/// A legal hold.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hold {
    id: HoldId,
    on: On,
    /// Empty for who may not manage holds.
    #[schema(value_type = String)]
    reason: Redacted<String>,
    by: String,
    at: String,
    /// When it ends by itself.
    until: Option<String>,
    released_at: Option<String>,
    released_by: Option<String>,
}

/// What is held.
#[derive(Serialize, ToSchema)]
#[schema(as = HeldOn)]
struct On {
    /// `recording`, `call`, `number` or `queue`.
    kind: &'static str,
    /// Its id; the number; the queue's name.
    #[schema(value_type = String)]
    id: Redacted<String>,
    /// Of a queue: calls that went on in this span.
    since: Option<String>,
    until: Option<String>,
}

impl Hold {
    /// As it is shown; whose reason and number it is, is for who may manage holds.
    pub(super) fn shown(hold: &retention::Hold, may: bool) -> Self {
        let (since, until) = match &hold.on {
            HoldOn::Queue { since, until, .. } => (Some(since.to_rfc3339()), Some(until.to_rfc3339())),
            HoldOn::Recording(_) | HoldOn::Call(_) | HoldOn::Number(_) => (None, None),
        };
        let is_number = matches!(hold.on, HoldOn::Number(_));
        let id = if may || !is_number { hold.on.subject() } else { String::new() };
        Self {
            id: hold.id,
            on: On { kind: hold.on.kind(), id: Redacted(id), since, until },
            reason: if may { hold.reason.clone() } else { Redacted(String::new()) },
            by: hold.by.clone(),
            at: hold.at.to_rfc3339(),
            until: hold.ends.map(Timestamp::to_rfc3339),
            released_at: hold.released.as_ref().map(|released| released.at.to_rfc3339()),
            released_by: hold.released.as_ref().map(|released| released.by.clone()),
        }
    }
}

impl Listed for Hold {
    const COLUMNS: &'static [&'static str] =
        &["id", "on", "reason", "by", "at", "until", "releasedAt", "releasedBy"];
    const PERSONAL: bool = true;
}

/// Which holds.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub(super) struct By {
    /// Only those that hold now; `false`: only those that do not.
    active: Option<bool>,
}

async fn list(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    asked: Asked<By>,
) -> Result<Response, Problem> {
    let (at, who, By { active }) = (Arc::clone(&desk), visitor.clone(), asked.by);
    listed(&desk, &visitor, &asked, "holds", move |place| {
        let (desk, who) = (Arc::clone(&at), who.clone());
        async move {
            let page = soon(desk.store().holds(active, desk.now(), &place)).await?;
            let mut items = Vec::new();
            for hold in &page.items {
                if may_see(&desk, &who, &hold.on).await? {
                    items.push(Hold::shown(hold, true));
                }
            }
            Ok(Page { items, next: page.next })
        }
    })
    .await
}

/// Whether the visitor's rights hold for what is held. A number's calls may come to any queue.
async fn may_see(desk: &Desk, visitor: &Visitor, on: &HoldOn) -> Result<bool, Problem> {
    let sight = visitor.sight();
    Ok(match on {
        HoldOn::Queue { queue, .. } => visitor.sees(queue),
        HoldOn::Number(_) => visitor.held.queues().is_none(),
        HoldOn::Call(id) => soon(desk.store().call_seen(*id, &sight)).await?.is_some(),
        HoldOn::Recording(id) => soon(desk.store().recording_seen(*id, &sight)).await?.is_some(),
    })
}

/// A hold to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewHold {
    on: NewOn,
    /// Why, for the audit log and whoever releases it.
    #[schema(value_type = String, min_length = 1, max_length = 1000)]
    reason: Redacted<String>,
    /// When it ends by itself.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<At>,
}

/// One of `recording`, `call`, `number`, or `queue` with `since` and `until`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewOn {
    #[schema(value_type = Option<String>)]
    recording: Option<RecordingId>,
    #[schema(value_type = Option<String>)]
    call: Option<CallId>,
    /// With `+` and country code.
    #[schema(value_type = Option<String>)]
    number: Option<Redacted<String>>,
    #[schema(value_type = Option<String>)]
    queue: Option<QueueId>,
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<At>,
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<At>,
}

impl NewOn {
    fn read(self) -> Result<HoldOn, Problem> {
        let bad = |detail: &str| Err(Problem::unprocessable("bad-hold", detail));
        match self {
            Self { recording: Some(id), call: None, number: None, queue: None, since: None, until: None } => {
                Ok(HoldOn::Recording(id))
            }
            Self { recording: None, call: Some(id), number: None, queue: None, since: None, until: None } => {
                Ok(HoldOn::Call(id))
            }
            Self {
                recording: None,
                call: None,
                number: Some(number),
                queue: None,
                since: None,
                until: None,
            } => match PhoneNumber::parse(&number.0, None).filter(|_| number.0.trim().starts_with('+')) {
                Some(number) => Ok(HoldOn::Number(Redacted(number.as_e164().to_owned()))),
                None => bad("`number` is a number with + and its country code."),
            },
            Self {
                recording: None,
                call: None,
                number: None,
                queue: Some(queue),
                since: Some(At(since)),
                until: Some(At(until)),
            } => {
                if since > until {
                    return bad("`since` comes before `until`.");
                }
                Ok(HoldOn::Queue { queue, since, until })
            }
            _ => bad("`on` is one of recording, call, number, or queue with since and until."),
        }
    }
}

async fn create(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Told(NewHold { on, reason: Redacted(reason), until }): Told<NewHold>,
) -> Result<Response, Problem> {
    let Some(reason) = written(&reason, LONGEST_REASON) else { return Err(bad_reason()) };
    let (on, at, ends) = (on.read()?, desk.now(), until.map(|At(until)| until));
    if ends.is_some_and(|ends| ends <= at) {
        return Err(Problem::unprocessable("bad-hold", "`until` is over already."));
    }
    if !may_see(&desk, &visitor, &on).await? {
        return Err(match on {
            HoldOn::Recording(_) => Problem::no_recording(),
            HoldOn::Call(_) => Problem::no_call(),
            HoldOn::Number(_) | HoldOn::Queue { .. } => no_right(),
        });
    }
    let (id, reason) = (HoldId::new(Ulid::generate()), Redacted(reason.to_owned()));
    let created = HoldChange::Created { id, on, reason, by: visitor.actor(), at, ends };
    match desk.store().commit(vec![Change::Hold(created)]).await {
        Ok(()) => {}
        Err(StoreError::Missing { what: "recording", .. }) => return Err(Problem::no_recording()),
        Err(StoreError::Missing { .. }) => return Err(Problem::no_call()),
        Err(StoreError::State { what, state, .. }) => {
            return Err(Problem::conflict(
                "gone",
                format!("The {what} is {state}: there is nothing to hold."),
            ));
        }
        Err(error) => return Err(error.into()),
    }
    let hold = soon(desk.store().hold(id)).await?.ok_or_else(no_hold)?;
    Ok((StatusCode::CREATED, Json(Hold::shown(&hold, true))).into_response())
}

/// Why it is released.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Release {
    #[schema(value_type = String, min_length = 1, max_length = 1000)]
    reason: Redacted<String>,
}

async fn release(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    Told(Release { reason: Redacted(reason) }): Told<Release>,
) -> Result<StatusCode, Problem> {
    let Some(reason) = written(&reason, LONGEST_REASON) else { return Err(bad_reason()) };
    let id: HoldId = id.parse().map_err(|_| no_hold())?;
    let hold = soon(desk.store().hold(id)).await?.ok_or_else(no_hold)?;
    if !may_see(&desk, &visitor, &hold.on).await? {
        return Err(no_hold());
    }
    let (by, at, reason) = (visitor.actor(), desk.now(), Redacted(reason.to_owned()));
    match desk.store().commit(vec![Change::Hold(HoldChange::Released { id, reason, by, at })]).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(StoreError::Missing { .. }) => Err(no_hold()),
        Err(StoreError::State { .. }) => Err(Problem::conflict("over", "This hold was released before.")),
        Err(error) => Err(error.into()),
    }
}

fn no_hold() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no-hold", "There is no such hold.")
}

fn bad_reason() -> Problem {
    let detail = format!("A hold and its release need a written reason of 1 to {LONGEST_REASON} characters.");
    Problem::unprocessable("bad-reason", detail)
}
