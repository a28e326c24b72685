//! `/session`: logging in, who one is, logging out, changing the password.

use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use crate::access::Right;
use crate::api::Ends;
use crate::api::desk::Desk;
use crate::api::guard::{Needs, Visitor, cookie_name, session_key};
use crate::api::input::Told;
use crate::api::problem::Problem;
use crate::api::sign;
use crate::ids::{AgentId, Redacted};
use crate::settings::{Language, Role};
use crate::time::Timestamp;

use super::route::{Route, delete, get, post, put};

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/session", Needs::Nothing, log_in),
        get("/session", Needs::Session, show),
        delete("/session", Needs::Session, log_out),
        put("/session/password", Needs::Session, change_password),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogIn {
    user: String,
    password: Redacted<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    old: Redacted<String>,
    new: Redacted<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Session<'a> {
    user: &'a str,
    name: &'a Redacted<String>,
    role: Role,
    rights: Vec<Right>,
    agent: Option<&'a AgentId>,
    must_change_password: bool,
    language: Option<&'a Language>,
    server: About,
}

#[derive(Serialize)]
struct About {
    version: &'static str,
    now: String,
}

fn session(visitor: &Visitor, now: Timestamp) -> Json<Session<'_>> {
    Json(Session {
        user: &visitor.user,
        name: &visitor.account.display_name,
        role: visitor.account.role,
        rights: visitor.held.rights().collect(),
        agent: visitor.account.agent.as_ref(),
        must_change_password: visitor.account.must_change_password,
        language: visitor.account.language.as_ref(),
        server: About { version: env!("CARGO_PKG_VERSION"), now: now.to_rfc3339() },
    })
}

pub(super) async fn log_in(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    headers: HeaderMap,
    Told(LogIn { user, password }): Told<LogIn>,
) -> Result<Response, Problem> {
    let (from, before) = (desk.source(ends, &headers), session_key(&headers, desk.secure()));
    let at = Arc::clone(&desk);
    let (token, visitor) = sign::to_the_end(async move {
        let done = sign::log_in(&at, &user, password.0, from).await?;
        if let Some(before) = before {
            sign::replace(&at, before).await?;
        }
        Ok(done)
    })
    .await?;
    let cookie = cookie(&token, desk.secure());
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), session(&visitor, desk.now())).into_response())
}

pub(super) async fn show(State(desk): State<Arc<Desk>>, Extension(visitor): Extension<Visitor>) -> Response {
    session(&visitor, desk.now()).into_response()
}

pub(super) async fn log_out(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<impl IntoResponse, Problem> {
    let gone = format!("{}; Max-Age=0", cookie("", desk.secure()));
    sign::to_the_end(async move { sign::log_out(&desk, &visitor).await }).await?;
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(header::SET_COOKIE, gone)])))
}

pub(super) async fn change_password(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    Told(NewPassword { old, new }): Told<NewPassword>,
) -> Result<StatusCode, Problem> {
    let from = desk.source(ends, &headers);
    let change = async move { sign::change_password(&desk, &visitor, old.0, new.0, from).await };
    sign::to_the_end(change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// No script reads it, no other site's page sends it, and it ends with the browser.
fn cookie(token: &str, secure: bool) -> String {
    let (name, secure) = (cookie_name(secure), if secure { "; Secure" } else { "" });
    format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict{secure}")
}
