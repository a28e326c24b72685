//! What the HTTP server gets: TLS to accept with, a taker for WebSocket connections, and what the agents' pages
//! need.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};

use crate::api::{Archive, Desktop, Ends, Front, Octets, Proxies, Secure, Turn, WebSip};
use crate::config::Config;
use crate::sip::io::{Certificates, WebDoor};

use super::Shared;

/// How the HTTP port speaks and whom it hands WebSockets to.
pub(super) fn front(
    config: &Config,
    certificates: Certificates,
    door: WebDoor,
    desktop: Option<Desktop>,
) -> Front {
    let secure: Secure = Arc::new(move |stream| {
        // Asked for each connection, so that a renewed certificate counts.
        let acceptor = certificates.web_acceptor();
        Box::pin(async move {
            let acceptor = acceptor.ok_or(std::io::ErrorKind::NotFound)?;
            let stream: Box<dyn Octets> = Box::new(acceptor.accept(stream).await?);
            Ok(stream)
        })
    });
    let secure = config.http.tls.then_some(secure);
    let proxies = Proxies::new(config.http.proxies.clone());
    Front { web_sip: Some(Arc::new(Door { door, secure: secure.is_some() })), secure, desktop, proxies }
}

/// What the agents' pages are given of a running server.
pub(super) fn desktop(config: &Config, shared: &Arc<Shared>) -> Desktop {
    let (control, clock) = (Arc::clone(shared), shared.clock);
    let turn = &config.turn;
    Desktop {
        control,
        store: shared.store.clone(),
        now: Arc::new(move || clock.now()),
        not_ready_reasons: config.desktop.not_ready_reasons.clone(),
        archive: Some(archive(config, shared)),
        turn: (!turn.urls.is_empty()).then(|| Turn {
            urls: turn.urls.clone(),
            secret: turn.secret.clone(),
            ttl: turn.ttl,
        }),
        url: config.desktop.url.clone(),
    }
}

/// The recordings, for those who may listen to or destroy them.
fn archive(config: &Config, shared: &Arc<Shared>) -> Archive {
    let jobs = shared.jobs.clone();
    Archive {
        vault: Arc::clone(&shared.vault),
        objects: shared.objects.clone(),
        signer: Arc::clone(&shared.signer),
        alarms: shared.alarms.clone(),
        clock: shared.clock,
        wake: Arc::new(move || jobs.wake()),
        listening_reason: config.vault.listening_reason,
    }
}

struct Door {
    door: WebDoor,
    secure: bool,
}

impl WebSip for Door {
    fn answer(&self, headers: &HeaderMap) -> Result<HeaderMap, StatusCode> {
        self.door.answer(headers, self.secure)
    }

    fn take(&self, stream: Box<dyn Octets>, ends: Ends) -> futures_util::future::BoxFuture<'_, ()> {
        Box::pin(self.door.take(Box::new(stream), self.secure, ends.local, ends.remote))
    }
}

#[cfg(test)]
#[path = "web_tests.rs"]
mod tests;
