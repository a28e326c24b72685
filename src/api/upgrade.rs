//! `GET /sip`: a connection that becomes a WebSocket and is given away.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::Context;
use super::listen::{Ends, Octets};

/// Our 101 has to be written within this time.
const UPGRADE: Duration = Duration::from_secs(10);

/// Takes connections that ask to speak SIP over WebSocket.
pub trait WebSip: Send + Sync {
    /// The headers of the 101 to a request with these headers.
    ///
    /// # Errors
    /// The status of the refusal.
    fn answer(&self, headers: &HeaderMap) -> Result<HeaderMap, StatusCode>;

    /// Takes the connection after the 101.
    fn take(&self, stream: Box<dyn Octets>, ends: Ends) -> BoxFuture<'_, ()>;
}

pub(super) async fn sip(
    State(context): State<Context>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    mut request: Request,
) -> Response {
    let Some(web_sip) = context.web_sip else { return StatusCode::NOT_FOUND.into_response() };
    let headers = match web_sip.answer(request.headers()) {
        Ok(headers) => headers,
        Err(status) => return status.into_response(),
    };
    let client = context.proxies.source(ends.remote.ip(), request.headers());
    let ends = Ends { remote: SocketAddr::new(client, ends.remote.port()), ..ends };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match timeout(UPGRADE, upgrade).await {
            Ok(Ok(upgraded)) => web_sip.take(Box::new(TokioIo::new(upgraded)), ends).await,
            Ok(Err(error)) => tracing::debug!(%error, "an upgrade failed"),
            Err(_) => tracing::debug!("an upgrade took too long"),
        }
    });
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}
