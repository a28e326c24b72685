//! `POST /phone`: a SIP credential for the browser, good as long as its session at most, and the servers by
//! which it finds a way to us.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Right;
use crate::api::desk::Desk;
use crate::api::guard::{Needs, Visitor, host};
use crate::api::problem::Problem;
use crate::api::{Ends, Turn};
use crate::audit::{AuditEvent, Class, Object};
use crate::ids::{AgentId, Redacted};
use crate::store::Change;
use crate::time::Timestamp;

use super::route::{Route, post};

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/phone", Needs::Agent(&[Right::TakeCalls, Right::ListenLive]), lend)
            .says("A fresh SIP credential for the browser's phone; it ends with the session.")
            .gives::<Phone>(),
    ]
}

/// How long a credential is good: longer than a shift, so that none runs out in a conversation.
const GOOD_FOR: Duration = Duration::from_secs(12 * 3_600);

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Phone {
    websocket: String,
    uri: String,
    user: String,
    #[schema(value_type = String)]
    password: Redacted<String>,
    expires: String,
    ice_servers: Vec<IceServer>,
    self_test: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
struct IceServer {
    urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    credential: Option<Redacted<String>>,
}

pub(super) async fn lend(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
) -> Result<Json<Phone>, Problem> {
    let agent = visitor.agent()?.clone();
    let (authority, websocket) = reached(&desk, &headers)?;
    let now = desk.now();
    let until = visitor.ends().min(now + GOOD_FOR);
    let event =
        AuditEvent::new(Class::Rights, visitor.actor(), now, "phone.lent", Object::new("agent", &agent));
    let event = event.about(Some(desk.source(ends, &headers).to_string()));
    desk.store().commit(vec![Change::Audit(event)]).await?;
    let Some(lent) = desk.control().lend(agent.clone(), until) else {
        let detail = "The server's telephone side does not run: try again.";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail));
    };
    desk.lent(&visitor, agent.clone(), lent.user.clone());
    Ok(Json(Phone {
        websocket,
        uri: format!("sip:{agent}@{authority}"),
        user: lent.user,
        password: lent.password,
        expires: until.to_rfc3339(),
        ice_servers: desk
            .turn()
            .map_or_else(Vec::new, |turn| ice_servers(turn, &agent, (now + turn.ttl).min(until))),
        self_test: format!("sip:selftest@{authority}"),
    }))
}

/// The host for SIP URIs and the WebSocket's address: as the operator says, or as the browser asked.
fn reached(desk: &Desk, headers: &HeaderMap) -> Result<(String, String), Problem> {
    if let Some(url) = desk.url() {
        let authority = url.split_once("://").map_or(url, |(_, authority)| authority);
        let host = authority
            .parse()
            .map_or_else(|_| authority.to_owned(), |a: axum::http::uri::Authority| a.host().to_owned());
        return Ok((host, format!("{}/sip", url.replacen("http", "ws", 1))));
    }
    let Some(authority) = host(headers) else {
        let detail = "The request does not say which host it is for.";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-request", detail));
    };
    let scheme = if desk.secure() { "wss" } else { "ws" };
    Ok((authority.host().to_owned(), format!("{scheme}://{authority}/sip")))
}

/// The servers, with a name and password that the TURN server can tell by itself: the name is the second in
/// which they end, the password its HMAC-SHA1 (draft-uberti-behave-turn-rest-00 §2.2, coturn's
/// `use-auth-secret`).
fn ice_servers(turn: &Turn, agent: &AgentId, until: Timestamp) -> Vec<IceServer> {
    let (relays, plain): (Vec<String>, Vec<String>) =
        turn.urls.iter().cloned().partition(|url| url.starts_with("turn"));
    let mut servers = Vec::new();
    if !plain.is_empty() {
        servers.push(IceServer { urls: plain, username: None, credential: None });
    }
    if let Some(secret) = turn.secret.as_ref().filter(|_| !relays.is_empty()) {
        let ends = until.as_micros() / 1_000_000;
        let username = format!("{ends}:{agent}");
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.0.as_bytes());
        let credential = STANDARD.encode(hmac::sign(&key, username.as_bytes()));
        let credential = Some(Redacted(credential));
        servers.push(IceServer { urls: relays, username: Some(username), credential });
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turn_credentials_are_those_coturn_computes() {
        let turn = Turn {
            urls: vec!["turn:t.example".into(), "stun:t.example".into()],
            secret: Some(Redacted("north".into())),
            ttl: Duration::from_secs(3_600),
        };
        let servers = ice_servers(&turn, &"bob".into(), Timestamp::from_micros(1_795_343_400_000_001));
        assert_eq!(
            servers[0],
            IceServer { urls: vec!["stun:t.example".into()], username: None, credential: None }
        );
        assert_eq!(servers[1].username.as_deref(), Some("1795343400:bob"));
        // printf 1795343400:bob | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(servers[1].credential, Some(Redacted("QUHDqtK1y1gtPjCmQX4g27zMqXc=".into())));
    }
}
