//! `/session`: logging in, who one is, logging out, one's password, second factor and sessions.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{Owes, Right, base32, totp_uri};
use crate::api::Ends;
use crate::api::desk::Desk;
use crate::api::guard::{By, Needs, Visitor, cookie_name, session_key};
use crate::api::input::Told;
use crate::api::problem::Problem;
use crate::api::sign;
use crate::ids::Redacted;
use crate::time::Timestamp;

use super::route::{Route, delete, get, post, put};

pub(super) fn routes() -> Vec<Route> {
    const OK: StatusCode = StatusCode::NO_CONTENT;
    vec![
        post("/session", Needs::Nothing, log_in)
            .says("Logs in: the answer sets the session's cookie.")
            .takes::<LogIn>()
            .gives::<Session>(),
        get("/session", Needs::Session, show).says("Who one is, and what one may.").gives::<Session>(),
        delete("/session", Needs::Session, log_out).says("Logs out.").gives_nothing(OK),
        put("/session/password", Needs::Session, change_password)
            .says("Changes one's password; one's other sessions end.")
            .takes::<NewPassword>()
            .gives_nothing(OK),
        post("/session/second-factor", Needs::Session, begin_factor)
            .says("Begins a second factor: its secret, shown once. It counts once a code of it was seen.")
            .takes::<OwnPassword>()
            .gives::<SecondFactor>(),
        put("/session/second-factor", Needs::Session, add_factor)
            .says("The second factor that was begun counts; gives recovery codes, shown once.")
            .takes::<Code>()
            .gives::<RecoveryCodes>(),
        delete("/session/second-factor", Needs::Session, drop_factor)
            .says("Removes one's second factor.")
            .takes::<OwnPassword>()
            .gives_nothing(OK),
        get("/session/list", Needs::Session, list).says("One's sessions.").gives::<Vec<MySession>>(),
        delete("/session/list/{id}", Needs::Session, end)
            .says("Ends one of one's sessions.")
            .gives_nothing(OK),
    ]
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogIn {
    user: String,
    #[schema(value_type = String)]
    password: Redacted<String>,
    /// Of the second factor, or a recovery code.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    code: Option<Redacted<String>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    #[schema(value_type = String)]
    old: Redacted<String>,
    #[schema(value_type = String)]
    new: Redacted<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Code {
    #[schema(value_type = String)]
    code: Redacted<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnPassword {
    #[schema(value_type = String)]
    password: Redacted<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Session {
    user: String,
    #[schema(value_type = String)]
    name: Redacted<String>,
    /// A default role, or one of one's own.
    role: String,
    rights: Vec<Right>,
    agent: Option<String>,
    must_change_password: bool,
    language: Option<String>,
    /// `password`, or the provider's name.
    by: String,
    second_factor: bool,
    must_add_second_factor: bool,
    /// The queues that the rights hold for; null: all.
    queues: Option<Vec<String>>,
    password_expires_at: Option<String>,
    server: About,
}

#[derive(Serialize, ToSchema)]
struct About {
    version: &'static str,
    now: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct SecondFactor {
    secret: String,
    uri: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct RecoveryCodes {
    codes: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MySession {
    id: String,
    created_at: String,
    used_at: String,
    current: bool,
    /// `password`, or the provider's name.
    by: String,
}

fn session(visitor: &Visitor, now: Timestamp) -> Json<Session> {
    let Visitor { account, held, standing, system, .. } = visitor;
    let owes = visitor.owes();
    Json(Session {
        user: visitor.user.clone(),
        name: account.display_name.clone(),
        role: account.custom_role.clone().unwrap_or_else(|| account.role.word().to_owned()),
        rights: held.rights().collect(),
        agent: account.agent.as_ref().map(|agent| agent.0.clone()),
        must_change_password: owes == Some(Owes::Password),
        language: account.language.as_ref().map(|language| language.0.clone()),
        by: match &visitor.by {
            By::Password => "password".to_owned(),
            By::Provider(name) | By::Token(name) => name.clone(),
        },
        second_factor: standing.second_factor,
        must_add_second_factor: owes == Some(Owes::SecondFactor),
        queues: held.queues().map(|queues| queues.iter().map(|queue| queue.0.clone()).collect()),
        password_expires_at: standing.expires(system).map(Timestamp::to_rfc3339),
        server: About { version: env!("CARGO_PKG_VERSION"), now: now.to_rfc3339() },
    })
}

pub(super) async fn log_in(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    headers: HeaderMap,
    Told(LogIn { user, password, code }): Told<LogIn>,
) -> Result<Response, Problem> {
    let (from, before) = (desk.source(ends, &headers), session_key(&headers, desk.secure()));
    let at = Arc::clone(&desk);
    let (token, visitor) = sign::to_the_end(async move {
        let done = sign::log_in(&at, &user, password.0, code, from).await?;
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

pub(super) async fn begin_factor(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    Told(OwnPassword { password }): Told<OwnPassword>,
) -> Result<Json<SecondFactor>, Problem> {
    let (from, user) = (desk.source(ends, &headers), visitor.user.clone());
    let begun = async move { sign::begin_factor(&desk, &visitor, password.0, from).await };
    let secret = sign::to_the_end(begun).await?;
    Ok(Json(SecondFactor { secret: base32(&secret), uri: totp_uri(&secret, &user) }))
}

pub(super) async fn add_factor(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Told(Code { code }): Told<Code>,
) -> Result<Json<RecoveryCodes>, Problem> {
    let codes = sign::add_factor(&desk, &visitor, &code.0).await?;
    Ok(Json(RecoveryCodes { codes }))
}

pub(super) async fn drop_factor(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    Told(OwnPassword { password }): Told<OwnPassword>,
) -> Result<StatusCode, Problem> {
    let from = desk.source(ends, &headers);
    sign::to_the_end(async move { sign::drop_factor(&desk, &visitor, password.0, from).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Json<Vec<MySession>>, Problem> {
    let rows = sign::own_sessions(&desk, &visitor).await?;
    let told = rows.into_iter().map(|row| MySession {
        id: sign::session_id(row.key),
        created_at: row.session.created.to_rfc3339(),
        used_at: row.session.used.to_rfc3339(),
        current: row.key == visitor.key,
        by: row.provider.unwrap_or_else(|| "password".to_owned()),
    });
    Ok(Json(told.collect()))
}

pub(super) async fn end(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    sign::end_own(&desk, &visitor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// No script reads it, no other site's page sends it, and it ends with the browser.
pub(super) fn cookie(token: &str, secure: bool) -> String {
    let (name, secure) = (cookie_name(secure), if secure { "; Secure" } else { "" });
    format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict{secure}")
}
