//! Responses: built from the request (RFC 3261 §8.2.6), sent where RFC 3581 and §18.2.2 say, or
//! for requests too malformed to read, from what can be found in them.

use std::net::SocketAddr;

use bytes::Bytes;

use super::endpoint::Endpoint;
use super::io::{Flow, Transport};
use super::wire::{self, Fault, Head, Header, HeaderName, Host, Request, Response, StatusCode, Via};
use crate::time::Timestamp;

/// A request that was read, with the way it came and the way its responses go.
pub(super) struct Inbound {
    pub(super) request: Request,
    pub(super) head: Head,
    pub(super) flow: Flow,
    pub(super) reply: Flow,
    pub(super) now: Timestamp,
}

/// Begins a response: Via, From, To, Call-ID, CSeq; `tag` is given to a To that has none.
pub(super) fn response(request: &Request, status: u16, tag: Option<&str>) -> Response {
    let code = StatusCode::new(status).or_else(|| StatusCode::new(500)).expect("500 is a status");
    let mut response = Response::new(code, phrase(code.code()));
    for name in [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq] {
        for header in request.headers.get_all(&name) {
            match (&name, tag) {
                (HeaderName::To, Some(tag)) => {
                    let value = [&header.value()[..], b";tag=", tag.as_bytes()].concat();
                    wire::push(&mut response.headers, HeaderName::To, value);
                }
                (_, Some(_) | None) => response.headers.push(header.clone()),
            }
        }
    }
    if status == 100
        && let Some(stamp) = request.headers.get(&HeaderName::Timestamp)
    {
        response.headers.push(stamp.clone()); // RFC 3261 §8.2.6.1
    }
    response
}

impl Endpoint {
    /// Answers without a transaction (RFC 3261 §8.2.7): the same request gets the same answer
    /// again, and nothing is kept.
    pub(super) fn refuse(&mut self, inbound: &Inbound, status: u16, extra: &[(HeaderName, &str)]) {
        self.refuse_as(inbound, status, extra, None);
    }

    /// The same with a To tag of the caller's choice.
    pub(super) fn refuse_as(
        &mut self,
        inbound: &Inbound,
        status: u16,
        extra: &[(HeaderName, &str)],
        tag: Option<String>,
    ) {
        if !self.may_answer(&inbound.flow, inbound.now) {
            return;
        }
        let head = &inbound.head;
        let seed =
            [&head.call_id[..], head.from.tag().unwrap_or_default(), &head.cseq.to_be_bytes()].concat();
        let tag = tag.unwrap_or_else(|| self.mint.stable(&seed));
        let tag = head.to.tag().is_none().then_some(tag);
        let mut response = response(&inbound.request, status, tag.as_deref());
        for (name, value) in extra {
            wire::push(&mut response.headers, name.clone(), (*value).to_owned());
        }
        self.dress(&mut response);
        self.traces.response(&response, true);
        tracing::debug!(method = %inbound.request.method, status, "answered");
        self.send(inbound.reply, wire::Message::Response(response).to_bytes());
    }

    /// Adds what every response of ours has at its end, without a body.
    pub(super) fn dress(&self, response: &mut Response) {
        wire::push(&mut response.headers, HeaderName::Server, self.config.user_agent.clone());
        wire::body_headers(&mut response.headers, None);
    }

    /// A best-effort answer to a request that is not well formed: silence unless Via, From, To,
    /// Call-ID and CSeq can be found, and never to an ACK or a response.
    pub(super) fn refuse_malformed(&mut self, flow: Flow, text: &[u8], fault: Fault, now: Timestamp) {
        if self.gate.ignored(flow.remote.ip(), now) {
            return;
        }
        let Some(found) = Salvage::find(text) else { return };
        if !self.may_answer(&flow, now) {
            return;
        }
        let (via, reply) = match Via::parse_one(&found.vias[0][..first_hop(&found.vias[0])]) {
            Ok(via) => (mark(&found.vias[0], &via, flow.remote), reply_flow(&via, flow)),
            Err(_) => (None, flow),
        };
        let mut out = format!("SIP/2.0 {} {}\r\n", fault.status, fault.reason).into_bytes();
        let mut line = |name: &str, value: &[u8]| {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        };
        line("Via", via.as_deref().unwrap_or(&found.vias[0]));
        for via in &found.vias[1..] {
            line("Via", via);
        }
        line("From", &found.from);
        let tagged = found.to.to_ascii_lowercase().windows(4).any(|four| four == b"tag=");
        let tag = if tagged { String::new() } else { format!(";tag={}", self.mint.stable(&found.call_id)) };
        line("To", &[&found.to[..], tag.as_bytes()].concat());
        line("Call-ID", &found.call_id);
        line("CSeq", &found.cseq);
        line("Server", self.config.user_agent.as_bytes());
        line("Content-Length", b"0");
        out.extend_from_slice(b"\r\n");
        tracing::debug!(status = fault.status, reason = fault.reason, "answered a malformed request");
        self.send(reply, Bytes::from(out));
    }
}

/// The header fields an answer needs, found without understanding the rest.
struct Salvage {
    vias: Vec<Vec<u8>>,
    from: Vec<u8>,
    to: Vec<u8>,
    call_id: Vec<u8>,
    cseq: Vec<u8>,
}

impl Salvage {
    fn find(text: &[u8]) -> Option<Self> {
        // Split at CR as well as LF, so that no line break can get into what we copy.
        let end = text.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(text.len());
        let mut lines: Vec<Vec<u8>> = Vec::new();
        for line in text[..end].split(|b| matches!(b, b'\r' | b'\n')).filter(|line| !line.is_empty()) {
            match lines.last_mut() {
                Some(last) if matches!(line[0], b' ' | b'\t') => {
                    last.push(b' ');
                    last.extend_from_slice(line.trim_ascii());
                }
                Some(_) | None => lines.push(line.to_vec()),
            }
        }
        let start = lines.first()?;
        if start.starts_with(b"ACK ") || start.len() < 4 || start[..4].eq_ignore_ascii_case(b"SIP/") {
            return None;
        }
        let all = |long: &str, short: &str| -> Vec<Vec<u8>> {
            lines.iter().skip(1).filter_map(|line| field(line, long, short)).collect()
        };
        let one =
            |long: &str, short: &str| all(long, short).into_iter().next().filter(|value| !value.is_empty());
        let vias = all("via", "v");
        (!vias.is_empty()).then_some(())?;
        Some(Self {
            vias,
            from: one("from", "f")?,
            to: one("to", "t")?,
            call_id: one("call-id", "i")?,
            cseq: one("cseq", "cseq")?,
        })
    }
}

fn field(line: &[u8], long: &str, short: &str) -> Option<Vec<u8>> {
    let colon = line.iter().position(|b| *b == b':')?;
    let name = line[..colon].trim_ascii();
    let ours = name.eq_ignore_ascii_case(long.as_bytes()) || name.eq_ignore_ascii_case(short.as_bytes());
    ours.then(|| line[colon + 1..].trim_ascii().iter().copied().filter(|b| *b != 0).collect())
}

fn first_hop(value: &[u8]) -> usize {
    wire::first_hop_end(value).min(value.len())
}

/// Where the responses to a request go: over TCP the connection it came on; over UDP the source
/// address, at the source port if the sender asked for that (RFC 3581 §4), else at the port of its
/// Via (RFC 3261 §18.2.2). The host in Via is never looked up.
pub(super) fn reply_flow(via: &Via, flow: Flow) -> Flow {
    match flow.transport {
        Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => flow,
        Transport::Udp if via.rport().is_some() => flow,
        Transport::Udp => {
            let port = via.port.filter(|port| *port != 0).unwrap_or(5060);
            Flow { remote: SocketAddr::new(flow.remote.ip(), port), ..flow }
        }
    }
}

/// Where a response goes when the connection its request came on is gone: to the port in Via, as
/// the one they connected from was a passing one (RFC 3261 §18.2.2).
pub(super) fn reopened(request: &Request, flow: Flow) -> Flow {
    let via = request.headers.typed::<Via>().and_then(Result::ok);
    let port = via.and_then(|via| via.port).filter(|port| *port != 0);
    let port = port.unwrap_or(flow.transport.default_port());
    Flow { remote: SocketAddr::new(flow.remote.ip(), port), connection: 0, ..flow }
}

/// The Via value with `received` and `rport` filled in for its first hop (RFC 3261 §18.2.1, RFC
/// 3581 §4); `None`: nothing to fill in.
fn mark(value: &[u8], via: &Via, source: SocketAddr) -> Option<Vec<u8>> {
    let wants_port = matches!(via.rport(), Some(None));
    let same_host = matches!(via.host, Host::Ip(ip) if ip == source.ip());
    if same_host && !wants_port {
        return None;
    }
    let (hop, rest) = value.split_at(first_hop(value));
    let mut hop = hop.trim_ascii_end().to_vec();
    if wants_port && let Some(at) = bare_rport(&hop) {
        hop.splice(at..at, format!("={}", source.port()).into_bytes());
    }
    let received = format!(";received={}", source.ip());
    Some([&hop[..], received.as_bytes(), rest].concat())
}

/// The place after a parameter `rport` without a value.
fn bare_rport(hop: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = hop[from..].iter().position(|b| *b == b';') {
        let start = from + at + 1;
        let end = hop[start..].iter().position(|b| *b == b';').map_or(hop.len(), |end| start + end);
        let name = &hop[start..end];
        if name.trim_ascii().eq_ignore_ascii_case(b"rport") {
            return Some(end - (name.len() - name.trim_ascii_end().len()));
        }
        from = start;
    }
    None
}

/// Fills `received` and `rport` into the topmost Via of a request, as every response copies it.
pub(super) fn mark_request(request: &mut Request, via: &Via, source: SocketAddr) {
    let headers = &mut request.headers;
    let Some(place) = headers.iter().position(|header| *header.name() == HeaderName::Via) else { return };
    let marked = headers.get(&HeaderName::Via).and_then(|header| mark(&header.value(), via, source));
    if let Some(Ok(header)) = marked.map(|value| Header::build(HeaderName::Via, value)) {
        headers.remove_first(&HeaderName::Via);
        headers.insert(place, header);
    }
}

/// The reason phrases of RFC 3261 §21, and those of the extensions we speak. Of statuses nobody has defined, what
/// their class says.
pub(super) const fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        200 | 201 | 203..=299 => "OK",
        202 => "Accepted",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        ..=199 => "Progress",
        _ => "Refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn via_is_marked_at_its_first_hop_only() {
        let source = SocketAddr::from(([192, 0, 2, 1], 40_000));
        let marked = |value: &str| {
            let via = Via::parse_one(&value.as_bytes()[..first_hop(value.as_bytes())]).unwrap();
            mark(value.as_bytes(), &via, source).map(|text| String::from_utf8(text).unwrap())
        };
        assert_eq!(marked("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa"), None);
        assert_eq!(
            marked("SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bKa").unwrap(),
            "SIP/2.0/UDP 192.0.2.1;rport=40000;branch=z9hG4bKa;received=192.0.2.1"
        );
        assert_eq!(
            marked("SIP/2.0/UDP h ;branch=z9hG4bKa ; RPort , SIP/2.0/TCP b;rport").unwrap(),
            "SIP/2.0/UDP h ;branch=z9hG4bKa ; RPort=40000;received=192.0.2.1, SIP/2.0/TCP b;rport"
        );
    }
}
