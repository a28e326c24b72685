//! `/users/{name}/…`: others' log-ins, for who manages users. The users themselves are settings.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Right;
use crate::api::desk::Desk;
use crate::api::guard::{Needs, Visitor};
use crate::api::problem::Problem;
use crate::api::sign;
use crate::time::Timestamp;

use super::route::{Route, delete, get, post};

pub(super) fn routes() -> Vec<Route> {
    const MANAGE: Needs = Needs::Right(Right::ManageUsers);
    const OK: StatusCode = StatusCode::NO_CONTENT;
    vec![
        get("/users/{name}/state", MANAGE, state).says("How a user's log-in stands.").gives::<UserState>(),
        post("/users/{name}/unlock", MANAGE, unlock)
            .says("Forgets a user's failed log-ins; nobody does it for somebody with more rights or queues.")
            .gives_nothing(OK),
        delete("/users/{name}/sessions", MANAGE, end_sessions)
            .says("Ends all sessions of a user, and the tokens that the user made.")
            .gives_nothing(OK),
        delete("/users/{name}/second-factor", MANAGE, remove_factor)
            .says("Removes a user's second factor; nobody removes that of somebody with more rights.")
            .gives_nothing(OK),
    ]
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserState {
    locked_until: Option<String>,
    failures: u32,
    sessions: usize,
    second_factor: bool,
    last_log_in: Option<String>,
}

async fn state(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Json<UserState>, Problem> {
    let state = sign::state(&desk, &visitor, &name).await?;
    Ok(Json(UserState {
        locked_until: state.locked_until.map(Timestamp::to_rfc3339),
        failures: state.failures,
        sessions: state.sessions,
        second_factor: state.second_factor,
        last_log_in: state.last_log_in.map(Timestamp::to_rfc3339),
    }))
}

async fn unlock(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    sign::unlock(&desk, &visitor, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn end_sessions(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    sign::end_sessions(&desk, &visitor, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove_factor(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    sign::remove_factor(&desk, &visitor, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
