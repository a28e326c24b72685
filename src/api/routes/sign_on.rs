//! `/sign-on`: what the log-in page offers, and the way to an OpenID Connect provider and back.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Ends;
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, cookie_of, session_key};
use crate::api::problem::Problem;
use crate::api::sign;
use crate::api::sign::oidc::{self, Back, Fault, TRIP};

use super::route::{Route, get};
use super::session::cookie;

pub(super) fn routes() -> Vec<Route> {
    const AWAY: StatusCode = StatusCode::FOUND;
    vec![
        get("/sign-on", Needs::Nothing, offered).says("What the log-in page offers.").gives::<SignOn>(),
        get("/sign-on/{provider}", Needs::Nothing, begin)
            .says("Leads the browser to a provider.")
            .gives_nothing(AWAY),
        get("/sign-on/{provider}/callback", Needs::Nothing, finish)
            .says("Where the provider leads the browser back: to the pages with a session, or with a fault.")
            .gives_nothing(AWAY),
    ]
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignOn {
    providers: Vec<Offered>,
    password_longer_than: u8,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Offered {
    name: String,
    display_name: String,
}

async fn offered(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Result<Json<SignOn>, Problem> {
    let known = soon(desk.store().providers()).await?;
    let providers = if oidc::leads_back(&desk, &headers) { known } else { Vec::new() };
    let system = soon(desk.store().system()).await?;
    let offered = providers.into_iter().map(|(name, it)| Offered { name, display_name: it.display_name });
    let password_longer_than = system.passwords.longer_than;
    Ok(Json(SignOn { providers: offered.collect(), password_longer_than }))
}

async fn begin(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let from = desk.source(ends, &headers);
    match oidc::begin(&desk, &name, &headers, from).await {
        Ok((place, trip)) => lead(&place, vec![trip_cookie(&desk, &trip, TRIP.as_secs())]),
        Err(fault) => {
            tracing::debug!(provider = name, %fault, "nobody can be sent to a provider");
            lead(&at_fault(&fault), Vec::new())
        }
    }
}

async fn finish(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    Path(name): Path<String>,
    headers: HeaderMap,
    back: Result<Query<Back>, QueryRejection>,
) -> Response {
    let (from, before) = (desk.source(ends, &headers), session_key(&headers, desk.secure()));
    // What cannot be read is not of the trip that began here.
    let back = back.map(|Query(back)| back).unwrap_or_default();
    let at = Arc::clone(&desk);
    let done = sign::to_the_end(async move {
        let trip = cookie_of(&headers, trip_name(at.secure())).map(str::to_owned);
        let done = oidc::finish(&at, &name, back, trip.as_deref(), &headers, from).await;
        if done.is_ok() {
            let left = trip.and_then(|trip| oidc::before(&at, &trip));
            for before in before.into_iter().chain(left) {
                sign::replace(&at, before).await?;
            }
        }
        Ok(done)
    })
    .await;
    // The trip is over, however it ended.
    let over = trip_cookie(&desk, "", 0);
    match done {
        Ok(Ok((token, _))) => lead("/", vec![over, cookie(&token, desk.secure())]),
        Ok(Err(fault)) => lead(&at_fault(&fault), vec![over]),
        Err(_) => lead(&at_fault(&Fault::Unavailable), vec![over]),
    }
}

/// The page that says why.
fn at_fault(fault: &Fault) -> String {
    format!("/#/log-in?fault={}", fault.title())
}

fn lead(place: &str, cookies: Vec<String>) -> Response {
    let mut response = (StatusCode::FOUND, [(header::LOCATION, place)]).into_response();
    for cookie in cookies {
        let cookie = HeaderValue::try_from(cookie).expect("a cookie of ours is ASCII");
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// As the session's cookie is named, see [`crate::api::guard`].
const fn trip_name(secure: bool) -> &'static str {
    if secure { "__Host-sayso-sign-on" } else { "sayso-sign-on" }
}

/// `Lax`: the provider's page leads back here, and the browser has to bring it along then.
fn trip_cookie(desk: &Desk, trip: &str, seconds: u64) -> String {
    let (name, secure) = (trip_name(desk.secure()), if desk.secure() { "; Secure" } else { "" });
    format!("{name}={trip}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}
