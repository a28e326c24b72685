//! The only file that names the `sipx_sip` crate: messages, headers and RFC 3261 §17's machines
//! under the names the other modules use, plus the reading of a message's frame of reference.

use bytes::Bytes;
use sipx_sip::headers::{CSeq, ContentType, From, MaxForwards};
use sipx_sip::{Limits, Version, auth};

use super::io::Login;

pub(super) use sipx_sip::auth::Challenge;
pub(super) use sipx_sip::headers::{Address, ContactValue, To, Via, first_hop_end};
pub(super) use sipx_sip::transaction::{ClientTransaction, ServerState, ServerTransaction, Timer, Timers};
pub(super) use sipx_sip::{
    Header, HeaderName, Headers, Host, Message, Method, Output as Step, Reliability, Request, Response,
    Scheme, StatusCode, TuEvent, Uri,
};

/// Reads one whole message: a datagram, or what the stream framer cut out. `Err`: not SIP.
pub(super) fn parse(bytes: Bytes) -> Result<Message, sipx_sip::error::ParseError> {
    sipx_sip::parse_datagram(bytes, &Limits::datagram())
}

/// What every rule looks at first, read once (RFC 3261 §8.1.1).
pub(super) struct Head {
    /// The topmost hop.
    pub(super) via: Via,
    /// From, with its tag (absent in RFC 2543 requests).
    pub(super) from: Address,
    /// To, with a tag inside a dialog.
    pub(super) to: Address,
    /// The Call-ID, opaque.
    pub(super) call_id: Bytes,
    /// The sequence number.
    pub(super) cseq: u32,
}

/// A request that must not be acted on, and the answer it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// 4xx or 5xx.
    pub(super) status: u16,
    /// The reason phrase.
    pub(super) reason: &'static str,
}

const fn bad(reason: &'static str) -> Fault {
    Fault { status: 400, reason }
}

/// Checks a request's frame of reference and reads it. A missing Max-Forwards is forgiven, as
/// RFC 3261 §16.6 lets a proxy do; RFC 2543 user agents send none.
pub(super) fn head_of_request(request: &Request) -> Result<Head, Fault> {
    if !matches!(request.version, Version::Sip20) {
        return Err(Fault { status: 505, reason: "Version Not Supported" });
    }
    if request.uri.has_headers() {
        return Err(bad("Headers in Request-URI"));
    }
    let headers = &request.headers;
    let once =
        [HeaderName::To, HeaderName::From, HeaderName::CallId, HeaderName::CSeq, HeaderName::MaxForwards];
    if once.iter().any(|name| headers.count(name) > 1) {
        return Err(bad("Repeated Header"));
    }
    if let Some(Err(_)) = headers.typed::<MaxForwards>() {
        return Err(bad("Bad Max-Forwards"));
    }
    let head = head_of(headers)?;
    let Some(Ok(cseq)) = headers.typed::<CSeq>() else { return Err(bad("Bad CSeq")) };
    if cseq.method != request.method {
        return Err(bad("CSeq Method Mismatch"));
    }
    Ok(head)
}

fn head_of(headers: &Headers) -> Result<Head, Fault> {
    let via = headers.typed::<Via>().and_then(Result::ok).ok_or(bad("Bad Via"))?;
    let from = headers.typed::<From>().and_then(Result::ok).ok_or(bad("Bad From"))?.0;
    let to = headers.typed::<To>().and_then(Result::ok).ok_or(bad("Bad To"))?.0;
    let call_id = headers.value(&HeaderName::CallId).filter(|id| !id.is_empty()).ok_or(bad("Bad Call-ID"))?;
    let cseq = headers.typed::<CSeq>().and_then(Result::ok).ok_or(bad("Bad CSeq"))?;
    Ok(Head { via, from, to, call_id: Bytes::copy_from_slice(&call_id), cseq: cseq.sequence })
}

/// Reads a response's frame of reference and the method it answers; `None`: drop it.
pub(super) fn head_of_response(response: &Response) -> Option<(Head, Method)> {
    let head = head_of(&response.headers).ok()?;
    let method = response.headers.typed::<CSeq>()?.ok()?.method;
    Some((head, method))
}

/// What is to be done with a request, by its method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Invite,
    Bye,
    Info,
    Options,
    Register,
    /// RFC 3262.
    Prack,
    /// RFC 3311.
    Update,
    /// RFC 3515.
    Refer,
    /// RFC 6665.
    Notify,
    /// 405 to methods we know and do not take, 501 to those we do not know (RFC 3261 §8.2.1).
    Refuse(u16),
}

/// ACK and CANCEL are no requests to be answered in the usual way and do not get here.
pub(super) fn action(method: &Method) -> Action {
    match method {
        Method::Invite => Action::Invite,
        Method::Bye => Action::Bye,
        Method::Info => Action::Info,
        Method::Options => Action::Options,
        Method::Register => Action::Register,
        Method::Prack => Action::Prack,
        Method::Update => Action::Update,
        Method::Refer => Action::Refer,
        Method::Notify => Action::Notify,
        Method::Ack | Method::Cancel | Method::Subscribe | Method::Message | Method::Publish => {
            Action::Refuse(405)
        }
        Method::Other(_) | _ => Action::Refuse(501),
    }
}

/// A request's sequence number.
pub(super) fn cseq(request: &Request) -> Option<u32> {
    Some(request.headers.typed::<CSeq>()?.ok()?.sequence)
}

/// A message's sequence number and method, as CSeq has them.
pub(super) fn cseq_of(headers: &Headers) -> Option<(u32, Method)> {
    let cseq = headers.typed::<CSeq>()?.ok()?;
    Some((cseq.sequence, cseq.method))
}

/// Names a transaction (RFC 3261 §17.1.3, §17.2.3); an ACK has its INVITE's key, a CANCEL does not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(Box<[u8]>);

const COOKIE: &[u8] = b"z9hG4bK";

/// The key of a received request. `method` is the request's own, or INVITE to find what a CANCEL
/// means. A branch that is nothing but the cookie identifies nothing (RFC 4475 §3.2.1) and is
/// matched by the older rules.
pub(super) fn server_key(request: &Request, head: &Head, method: &Method) -> Key {
    let method = if *method == Method::Ack { &Method::Invite } else { method };
    let mut key = method.as_bytes().to_vec();
    match head.via.branch() {
        Some(branch) if branch.len() > COOKIE.len() && branch.starts_with(COOKIE) => {
            key.push(b' ');
            key.extend_from_slice(branch);
            key.push(b' ');
            key.extend(head.via.host.to_bytes().to_ascii_lowercase());
            key.extend_from_slice(&head.via.port.unwrap_or(0).to_be_bytes());
        }
        Some(_) | None => {
            key.push(b'\n');
            // The To tag is left out: an ACK for our 4xx bears a tag its INVITE did not have.
            let via = request.headers.value(&HeaderName::Via).unwrap_or_default();
            let uri = request.uri.to_bytes();
            let from_tag = head.from.tag().unwrap_or_default();
            for part in [&via[..], &uri, from_tag, &head.call_id, &head.cseq.to_be_bytes()] {
                key.extend_from_slice(part);
                key.push(b'\n');
            }
        }
    }
    Key(key.into())
}

/// The key of a request of ours, by its branch.
pub(super) fn client_key(branch: &[u8], method: &Method) -> Key {
    let mut key = method.as_bytes().to_vec();
    key.push(b' ');
    key.extend_from_slice(branch);
    Key(key.into())
}

/// What makes two requests the same one that came by two ways (RFC 3261 §8.2.2.2).
pub(super) fn merge_key(head: &Head, method: &Method) -> Key {
    let mut key = method.as_bytes().to_vec();
    for part in [head.from.tag().unwrap_or_default(), &head.call_id, &head.cseq.to_be_bytes()] {
        key.push(b'\n');
        key.extend_from_slice(part);
    }
    Key(key.into())
}

/// Appends a header. A value that would break the line is left out: it can only come from our
/// own configuration, since values read from the wire hold no line break.
pub(super) fn push(headers: &mut Headers, name: HeaderName, value: impl Into<Bytes>) {
    let value = value.into();
    match Header::build(name.clone(), value.clone()) {
        Ok(header) => headers.push(header),
        Err(error) => match echo(&name, &value) {
            Some(header) => headers.push(header),
            None => tracing::warn!(%error, "a header of ours was left out"),
        },
    }
}

/// A header with a value from the wire that the builder will not take: a NUL in a quoted string is
/// legal (RFC 4475 §3.1.1.2), and what they wrote must go back as it was.
fn echo(name: &HeaderName, value: &[u8]) -> Option<Header> {
    if value.iter().any(|b| matches!(b, b'\r' | b'\n')) {
        return None;
    }
    let text = [b"SIP/2.0 200 OK\r\n", name.canonical(), b": ", value, b"\r\n\r\n"].concat();
    let message = parse(Bytes::from(text)).ok()?;
    message.headers().iter().next().cloned()
}

/// Sets the body and the two headers that go with it; `None`: no body.
pub(super) fn body_headers(headers: &mut Headers, body: Option<(&'static str, &Bytes)>) {
    if let Some((kind, _)) = body {
        push(headers, HeaderName::ContentType, kind);
    }
    let length = body.map_or(0, |(_, bytes)| bytes.len());
    push(headers, HeaderName::ContentLength, length.to_string());
}

/// The addresses of a header that may hold several, in order; `Err`: at least one is malformed.
pub(super) fn addresses(headers: &Headers, name: &HeaderName) -> Result<Vec<Address>, Fault> {
    let mut all = Vec::new();
    for header in headers.get_all(name) {
        let list = Address::parse_list(&header.value(), "address").map_err(|_| bad("Bad Address"))?;
        all.extend(list);
    }
    Ok(all)
}

/// The Contact values of a REGISTER; `Err`: malformed.
pub(super) fn contacts(headers: &Headers) -> Result<Vec<ContactValue>, Fault> {
    headers.typed_all::<ContactValue>().collect::<Result<_, _>>().map_err(|_| bad("Bad Contact"))
}

/// A header that is a number of seconds; beyond `u32` it is as long as can be said.
pub(super) fn seconds(value: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(value).ok()?.trim();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u32::MAX))
}

/// The media type, lower case (`application/sdp`), and the boundary of a multipart body.
pub(super) fn content_type(headers: &Headers) -> Option<(String, Option<Vec<u8>>)> {
    let kind = headers.typed::<ContentType>()?.ok()?;
    let text = [&kind.media_type[..], b"/", &kind.subtype].concat();
    Some((String::from_utf8_lossy(&text).into_owned(), kind.param("boundary").map(<[u8]>::to_vec)))
}

/// Text of a SIP or tel URI's user part, percent escapes decoded, parameters of a telephone
/// number (`;phone-context=`, `;npdi`) cut off. `None` also with a NUL in it: no database takes that for text.
pub(super) fn user_of(uri: &Uri) -> Option<String> {
    let raw = match uri.tel_parts() {
        Some(tel) => tel.subscriber().to_vec(),
        None => uri.decoded_user()?,
    };
    if raw.contains(&0) {
        return None;
    }
    let text = String::from_utf8_lossy(&raw).into_owned();
    let number = text.starts_with(|c: char| c == '+' || c.is_ascii_digit());
    Some(match text.split_once(';') {
        Some((before, _)) if number => before.to_owned(),
        Some(_) | None => text,
    })
}

/// The digest challenges of a 401 or 407 that we understand.
pub(super) fn challenges(response: &Response) -> Vec<Challenge> {
    let from_proxy = response.status.code() == 407;
    let name = if from_proxy { HeaderName::ProxyAuthenticate } else { HeaderName::WwwAuthenticate };
    let rows = response.headers.get_all(&name);
    rows.filter_map(|header| Challenge::parse(&header.value(), from_proxy)).collect()
}

/// The answer to a challenge, used for the `count`th time.
pub(super) fn credentials(
    challenge: &Challenge,
    login: &Login,
    method: &Method,
    uri: &str,
    count: u32,
    cnonce: &str,
) -> String {
    let credentials = auth::Credentials::new(login.user.clone(), login.password.clone());
    auth::respond(challenge, &credentials, &method.to_string(), uri, count, cnonce)
}

/// Makes a request a new one: another Via, another sequence number.
pub(super) fn renew(request: &mut Request, via: String, cseq: u32) {
    let headers = &mut request.headers;
    headers.remove_all(&HeaderName::Via);
    headers.remove_all(&HeaderName::CSeq);
    if let Ok(via) = Header::build(HeaderName::Via, via) {
        headers.push_front(via);
    }
    push(headers, HeaderName::CSeq, format!("{cseq} {}", request.method));
}

/// Undoes percent-encoding; `None`: malformed.
pub(super) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            out.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            out.push(*first);
            rest = after;
        }
    }
    Some(out)
}
