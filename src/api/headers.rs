//! What browsers are told not to do with our pages.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

/// The headers of every answer to a page.
#[derive(Clone, Debug)]
pub(super) struct Headers(Vec<(HeaderName, HeaderValue)>);

impl Headers {
    /// For a port with or without TLS, reached at `url` if the operator says so.
    pub(super) fn new(tls: bool, url: Option<&str>) -> Self {
        // The page speaks SIP by WebSocket: some browsers do not count that as `'self'`. Styles are set by
        // script (Mantine); scripts come from files of ours alone.
        let sockets =
            if tls || url.is_some_and(|url| url.starts_with("https://")) { "wss:" } else { "ws: wss:" };
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
             font-src 'self' data:; media-src 'self' blob: data:; connect-src 'self' {sockets}; \
             worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
             frame-ancestors 'none'"
        );
        let fixed = [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            (
                "permissions-policy",
                "microphone=(self), speaker-selection=(self), autoplay=(self), camera=(), geolocation=(), \
                 display-capture=(), payment=(), usb=()",
            ),
        ];
        let mut list: Vec<(HeaderName, HeaderValue)> = fixed
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let policy = HeaderValue::try_from(policy).expect("the policy is ASCII of our own");
        list.push((header::CONTENT_SECURITY_POLICY, policy));
        // Only where the operator has said that there is TLS for good: a browser keeps it for a year.
        if url.is_some_and(|url| url.starts_with("https://")) {
            let year = HeaderValue::from_static("max-age=31536000");
            list.push((header::STRICT_TRANSPORT_SECURITY, year));
        }
        Self(list)
    }

    /// Puts them on an answer.
    pub(super) fn on(self, mut response: Response) -> Response {
        response.headers_mut().extend(self.0);
        response
    }
}
