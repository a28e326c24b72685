//! SIP over WebSocket (RFC 7118): who may connect, on ports of its own and by the HTTP server.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::{
    CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config, client_async_with_config};

use super::connections::Inbound;
use super::link::{Duplex, Link};
use super::listen::Door;

/// The subprotocol (RFC 7118 §4.1).
const SIP: &str = "sip";
/// The longest message; as long as a datagram's.
const MAX_MESSAGE: usize = 65_535;
/// The task may be busy; an upgraded connection waits no longer than this to be taken.
const TAKE: Duration = Duration::from_secs(10);

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(8_192)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * MAX_MESSAGE)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

/// The server's side of the handshake, on a port of our own: any path will do.
pub(super) async fn accept(stream: Box<dyn Duplex>, origins: &[String], secure: bool) -> io::Result<Link> {
    #[allow(clippy::result_large_err)] // the library's
    let check = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        if let Err(status) = judge(request.headers(), origins, secure) {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = status;
            return Err(refusal);
        }
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SIP));
        Ok(response)
    };
    let socket = accept_hdr_async_with_config(stream, check, Some(limits())).await;
    let socket = socket.map_err(io::Error::other)?;
    Ok(Link::Web { socket: Box::new(socket), secure })
}

/// The client's side.
pub(super) async fn connect(stream: Box<dyn Duplex>, host: &str, secure: bool) -> io::Result<Link> {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
    let scheme = if secure { "wss" } else { "ws" };
    let mut request = format!("{scheme}://{host}/sip").into_client_request().map_err(io::Error::other)?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SIP));
    let socket = client_async_with_config(request, stream, Some(limits())).await;
    let (socket, _) = socket.map_err(io::Error::other)?;
    Ok(Link::Web { socket: Box::new(socket), secure })
}

/// Whether a WebSocket client may speak SIP with us: 400 without the subprotocol, 403 from a web page that
/// is not allowed to.
fn judge(headers: &HeaderMap, origins: &[String], secure: bool) -> Result<(), StatusCode> {
    if !lists(headers, SEC_WEBSOCKET_PROTOCOL, SIP) {
        return Err(StatusCode::BAD_REQUEST);
    }
    // Browsers always name the page (RFC 6455 §10.2); who names none is no browser, and no page's script.
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().map_err(|_| StatusCode::FORBIDDEN)?;
    let allowed = if origins.is_empty() {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let scheme = if secure { "https://" } else { "http://" };
        // A proxy may have taken the TLS off.
        let page = origin.strip_prefix(scheme).or_else(|| origin.strip_prefix("https://"));
        page.is_some_and(|page| !page.is_empty() && page.eq_ignore_ascii_case(host))
    } else {
        origins.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
    };
    if allowed { Ok(()) } else { Err(StatusCode::FORBIDDEN) }
}

/// Whether a header's list has this word.
fn lists(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|entry| entry.trim().eq_ignore_ascii_case(word))
}

/// For an HTTP server that gives connections away: judges a request for an upgrade, and takes the
/// connection once it is upgraded.
#[derive(Clone)]
pub struct WebDoor(pub(super) Door);

impl WebDoor {
    /// The headers of the 101 that a request for an upgrade (a GET) is answered with.
    ///
    /// # Errors
    /// The status of the refusal: 400 for what is no WebSocket handshake (RFC 6455 §4.2.1) or does not ask
    /// for SIP, 426 for another version, 403 for a page that may not.
    pub fn answer(&self, headers: &HeaderMap, secure: bool) -> Result<HeaderMap, StatusCode> {
        if !lists(headers, CONNECTION, "upgrade") || !lists(headers, UPGRADE, "websocket") {
            return Err(StatusCode::BAD_REQUEST);
        }
        if !lists(headers, SEC_WEBSOCKET_VERSION, "13") {
            return Err(StatusCode::UPGRADE_REQUIRED);
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(StatusCode::BAD_REQUEST)?;
        judge(headers, &self.0.origins, secure)?;
        let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()));
        let accept = accept.map_err(|_| StatusCode::BAD_REQUEST)?;
        Ok([
            (CONNECTION, HeaderValue::from_static("Upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_ACCEPT, accept),
            (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SIP)),
        ]
        .into_iter()
        .collect())
    }

    /// Takes an upgraded connection; with too many of them it is closed.
    pub async fn take(&self, stream: Box<dyn Duplex>, secure: bool, local: SocketAddr, remote: SocketAddr) {
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(limits())).await;
        let link = Link::Web { socket: Box::new(socket), secure };
        let taken = self.0.inbound.send(Inbound::Accepted { link, local, remote });
        if !matches!(timeout(TAKE, taken).await, Ok(Ok(()))) {
            tracing::debug!(%remote, "an upgraded connection was not taken");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        };
        lines.iter().map(header).collect()
    }

    #[test]
    fn pages_from_elsewhere_may_not() {
        let asked = |origin: &str, origins: &[&str]| {
            let lines =
                [("sec-websocket-protocol", "x, SIP"), ("host", "pbx.example:8443"), ("origin", origin)];
            let lines = if origin.is_empty() { &lines[..2] } else { &lines };
            let origins: Vec<String> = origins.iter().map(|o| (*o).to_owned()).collect();
            judge(&headers(lines), &origins, true).map_err(|status| status.as_u16())
        };
        assert_eq!(asked("", &[]), Ok(()), "no browser");
        assert_eq!(asked("https://pbx.example:8443", &[]), Ok(()));
        for other in ["https://pbx.example", "https://evil.example", "null", "http://pbx.example:8443"] {
            assert_eq!(asked(other, &[]), Err(403), "{other}");
        }
        assert_eq!(asked("https://desk.example", &["https://desk.example"]), Ok(()));
        assert_eq!(asked("https://pbx.example:8443", &["https://desk.example"]), Err(403));
        assert_eq!(asked("https://anything.example", &["*"]), Ok(()));
        assert_eq!(judge(&headers(&[("host", "h")]), &[], true), Err(StatusCode::BAD_REQUEST));
        assert_eq!(
            judge(&headers(&[("sec-websocket-protocol", "chat")]), &[], true),
            Err(StatusCode::BAD_REQUEST)
        );
    }
}
