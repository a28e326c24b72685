//! Presence, and whom a call can be sent to.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::Right;
use crate::api::desk::Desk;
use crate::api::guard::{Needs, Visitor};
use crate::api::input::Told;
use crate::api::problem::Problem;
use crate::ids::{AgentId, QueueId, Redacted};
use crate::queue::NotReady;

use super::route::{Route, get, put};

pub(super) fn routes() -> Vec<Route> {
    vec![
        put("/presence", Needs::Agent(&[Right::TakeCalls]), choose)
            .says("Ready for calls, or not for a reason; ends the time after a call, too.")
            .takes::<Choice>()
            .gives_nothing(StatusCode::NO_CONTENT),
        get("/presence/reasons", Needs::User, reasons)
            .says("The reasons an agent may give.")
            .gives::<Vec<String>>(),
        get("/directory", Needs::Any(&[Right::TakeCalls, Right::Wallboard]), directory)
            .says("Whom a call can be sent to.")
            .gives::<Directory>(),
    ]
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Presence)]
pub(super) struct Choice {
    ready: bool,
    reason: Option<String>,
}

pub(super) async fn choose(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Told(choice): Told<Choice>,
) -> Result<StatusCode, Problem> {
    let ready = match (choice.ready, choice.reason) {
        (true, None) => Ok(()),
        (true, Some(_)) => return Err(Problem::unprocessable("bad-reason", "Who is ready gives no reason.")),
        (false, Some(reason)) if desk.reasons().contains(&reason) => Err(NotReady { reason }),
        (false, _) => {
            let detail = format!("A reason is one of: {}.", desk.reasons().join(", "));
            return Err(Problem::unprocessable("bad-reason", detail));
        }
    };
    desk.control().presence(visitor.agent()?.clone(), ready).await;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn reasons(State(desk): State<Arc<Desk>>) -> Json<Vec<String>> {
    Json(desk.reasons().to_vec())
}

#[derive(Serialize, ToSchema)]
pub(super) struct Directory {
    agents: Vec<Colleague>,
    queues: Vec<QueueId>,
    outside: bool,
}

#[derive(Serialize, ToSchema)]
struct Colleague {
    id: AgentId,
    #[schema(value_type = String)]
    name: Redacted<String>,
}

pub(super) async fn directory(State(desk): State<Arc<Desk>>) -> Result<Json<Directory>, Problem> {
    let (_, settings) = desk.store().settings().await?;
    let ways_out = settings.trunks.values().filter_map(|trunk| trunk.outbound.as_ref());
    Ok(Json(Directory {
        agents: settings
            .agents
            .iter()
            .map(|(id, agent)| Colleague { id: id.clone(), name: agent.display_name.clone() })
            .collect(),
        queues: settings.queues.keys().cloned().collect(),
        outside: ways_out.flat_map(|outbound| &outbound.prefixes).next().is_some(),
    }))
}
