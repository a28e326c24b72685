//! HTTP: `/healthz` (the process answers), `/readyz` (it can take calls), `/metrics` (Prometheus),
//! `/sip`, where WebSocket clients come in (RFC 7118), the agents' pages, and `/api/v1`, what they ask.

mod archive;
mod assets;
pub mod control;
mod csv;
mod desk;
mod guard;
mod headers;
mod heavy;
mod input;
mod listen;
mod listening;
mod problem;
mod range;
mod routes;
mod seen;
mod sign;
#[cfg(test)]
mod tests;
mod upgrade;
mod via;
pub mod view;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::map_response;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::ids::Redacted;
use crate::store::Store;
use crate::time::Timestamp;

use control::Control;

pub use archive::Archive;
pub use input::{LONGEST_REASON, written};
pub use listen::{Ends, Octets, Secure};
pub use upgrade::WebSip;
pub use via::Proxies;

/// Whether calls can be taken, as `/readyz` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// The store answers.
    pub store: bool,
    /// The server refuses new calls and waits for the last ones to end.
    pub draining: bool,
    /// The generation of the settings in force; `sayso apply` prints the one it made.
    pub generation: u64,
}

/// What the agents' pages need.
#[derive(Clone)]
pub struct Desktop {
    /// The running server.
    pub control: Arc<dyn Control>,
    /// Sessions, notes, past calls.
    pub store: Store,
    /// The time now.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// The reasons an agent may give for not being ready.
    pub not_ready_reasons: Vec<String>,
    /// The recordings; `None`: there are no routes to them.
    pub archive: Option<Archive>,
    /// How browsers reach us from behind a NAT or a firewall.
    pub turn: Option<Turn>,
    /// Where browsers reach the pages, `https://desk.example`; `None`: where they say they asked.
    pub url: Option<String>,
}

/// See [`Desktop::turn`].
#[derive(Clone, Debug)]
pub struct Turn {
    /// `turn:`, `turns:`, `stun:` and `stuns:` URIs.
    pub urls: Vec<String>,
    /// What the TURN server knows as its shared secret; `None`: there are only STUN servers.
    pub secret: Option<Redacted<String>>,
    /// How long a browser's user name and password hold.
    pub ttl: Duration,
}

/// What the port has beside its own routes.
#[derive(Clone, Default)]
pub struct Front {
    /// TLS; without it the port speaks in the clear.
    pub secure: Option<Secure>,
    /// Who takes WebSocket connections for SIP; without it there is no `/sip`.
    pub web_sip: Option<Arc<dyn WebSip>>,
    /// The agents' pages and what they ask; without it there are none.
    pub desktop: Option<Desktop>,
    /// Who is asked where a request comes from.
    pub proxies: Proxies,
}

#[derive(Clone)]
struct Context {
    metrics: PrometheusHandle,
    ready: watch::Receiver<Readiness>,
    web_sip: Option<Arc<dyn WebSip>>,
    proxies: Proxies,
}

/// Installs the process's metrics recorder, once; later calls give the same handle.
///
/// # Panics
/// When another recorder was installed before: a bug.
pub fn install_metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            PrometheusBuilder::new().install_recorder().expect("no other metrics recorder is ever installed")
        })
        .clone()
}

/// Serves until the process ends; gives the address with its port resolved.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn start(
    listen: SocketAddr,
    front: Front,
    metrics: PrometheusHandle,
    ready: watch::Receiver<Readiness>,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| anyhow::anyhow!("http.listen: {listen} cannot be listened on: {error}"))?;
    let address = listener.local_addr()?;
    let mut router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_text))
        .route("/sip", get(upgrade::sip))
        .with_state(Context {
            metrics,
            ready: ready.clone(),
            web_sip: front.web_sip,
            proxies: front.proxies.clone(),
        });
    if let Some(desktop) = front.desktop {
        router = router.merge(pages(desktop, front.secure.is_some(), front.proxies, ready).await?);
    }
    let service = router.into_make_service_with_connect_info::<Ends>();
    let door = listen::Door::new(listener, address, front.secure);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(door, service).await {
            tracing::error!(%error, "the HTTP server stopped");
        }
    });
    Ok(address)
}

/// The agents' pages and what they ask.
async fn pages(
    desktop: Desktop,
    tls: bool,
    proxies: Proxies,
    ready: watch::Receiver<Readiness>,
) -> anyhow::Result<Router> {
    if !desktop.store.has_users().await? {
        tracing::info!(
            "nobody can log in yet: name a user in a file, [user.NAME] with role = \"superuser\" and a \
             password, and `sayso apply` it"
        );
    }
    // It computes a hash.
    let desk = tokio::task::spawn_blocking(move || desk::Desk::new(desktop, tls, proxies)).await?;
    tokio::spawn(desk::keep_swept(Arc::downgrade(&desk), ready));
    let headers = headers::Headers::new(tls, desk.url());
    Ok(Router::new()
        .nest("/api/v1", routes::router(&desk))
        .fallback(assets::page)
        .layer(map_response(move |response| std::future::ready(headers.clone().on(response)))))
}

async fn readyz(State(context): State<Context>) -> impl IntoResponse {
    let ready = *context.ready.borrow();
    let status =
        if ready.store && !ready.draining { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(ready))
}

async fn metrics_text(State(context): State<Context>) -> String {
    context.metrics.run_upkeep();
    context.metrics.render()
}
