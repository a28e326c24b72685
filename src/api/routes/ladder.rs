//! A call's SIP messages, as a ladder: of one that is over from the store, of one that goes on what there is so far.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Right;
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor};
use crate::api::input::Of;
use crate::api::problem::Problem;
use crate::store;

use super::route::{Route, get};

/// Ourselves.
const SAYSO: &str = "sayso";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/calls/{id}/ladder", Needs::Right(Right::Monitor), show)
            .says("The SIP messages of a call, without bodies and numbers; none if none are kept.")
            .gives::<Ladder>(),
    ]
}

/// `Ladder` of `admin.ts`.
#[derive(Serialize, ToSchema)]
pub(super) struct Ladder {
    /// `sayso`, `trunk NAME`, `agent NAME`, `supervisor`, `outside`.
    lines: Vec<String>,
    messages: Vec<Message>,
    /// There were more, in the middle.
    cut: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SipMessage)]
struct Message {
    at: String,
    from: String,
    to: String,
    /// `INVITE`, `200 OK`.
    what: String,
    cseq: String,
    /// Its media type, and how long it was.
    body: Option<String>,
    leg: u16,
}

impl From<store::Ladder> for Ladder {
    fn from(ladder: store::Ladder) -> Self {
        let store::Ladder { lines, messages, cut } = ladder;
        let messages = messages.into_iter().map(|rung| {
            let store::Rung { at, sent, line, what, cseq, body, leg } = rung;
            let (us, them) = (SAYSO.to_owned(), lines.get(line).cloned().unwrap_or_default());
            let (from, to) = if sent { (us, them) } else { (them, us) };
            Message { at: at.to_rfc3339(), from, to, what, cseq, body, leg }
        });
        let messages = messages.collect();
        // The caller's side, ourselves, then whom we called.
        let mut lines = lines;
        lines.insert(usize::from(!lines.is_empty()), SAYSO.to_owned());
        Self { lines, messages, cut }
    }
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Of(id): Of,
) -> Result<Json<Ladder>, Problem> {
    soon(desk.store().call_seen(id, &visitor.sight())).await?.ok_or_else(Problem::no_call)?;
    let ladder = match soon(desk.store().ladder(id)).await? {
        Some(ladder) => Some(ladder),
        None => desk.control().ladder(id).await,
    };
    Ok(Json(ladder.unwrap_or_default().into()))
}
