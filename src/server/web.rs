//! What the HTTP server gets of SIP: TLS to accept with, and a taker for WebSocket connections.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};

use crate::api::{Ends, Front, Octets, Secure, WebSip};
use crate::config::Config;
use crate::sip::io::{Certificates, WebDoor};

/// How the HTTP port speaks and whom it hands WebSockets to.
pub(super) fn front(config: &Config, certificates: Certificates, door: WebDoor) -> Front {
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
    Front { web_sip: Some(Arc::new(Door { door, secure: secure.is_some() })), secure, desktop: None }
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
