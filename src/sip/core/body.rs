//! What SIP bodies hold: SDP, alone or as a part among others, and digits of INFO.

use bytes::Bytes;

use super::wire::{self, HeaderName, Headers};
use crate::media::Digit;

/// The media types we take, for Accept.
pub(super) const ACCEPT: &str = "application/sdp, application/dtmf-relay, application/dtmf";

/// A body we cannot use: 415.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsupported;

/// The SDP of a request or response; `None` when there is no body. Trunks that speak SIP-I wrap
/// it into `multipart/mixed` beside an ISUP part (RFC 3204); RFC 5621 §5 asks us to look inside.
pub(super) fn sdp(headers: &Headers, body: &Bytes) -> Result<Option<Bytes>, Unsupported> {
    if body.is_empty() {
        return Ok(None);
    }
    let encoded = headers.value(&HeaderName::ContentEncoding);
    if encoded.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return Err(Unsupported);
    }
    match wire::content_type(headers) {
        Some((kind, _)) if kind == "application/sdp" => Ok(Some(body.clone())),
        Some((kind, Some(boundary))) if kind.starts_with("multipart/") => {
            sdp_part(body, &boundary).map(Some).ok_or(Unsupported)
        }
        Some(_) | None => Err(Unsupported),
    }
}

/// The first `application/sdp` part of a multipart body (RFC 2046 §5.1.1).
fn sdp_part(body: &Bytes, boundary: &[u8]) -> Option<Bytes> {
    let delimiter = [b"--", boundary].concat();
    let mut from = find(body, &delimiter)? + delimiter.len();
    while let Some(length) = find(&body[from..], &delimiter) {
        let part = &body[from..from + length];
        if let Some(head) = find(part, b"\r\n\r\n") {
            let is_sdp = part[..head].split(|b| *b == b'\n').any(|line| {
                let line = line.to_ascii_lowercase();
                line.starts_with(b"content-type") && find(&line, b"application/sdp").is_some()
            });
            if is_sdp {
                let end = from + length - if part.ends_with(b"\r\n") { 2 } else { 0 };
                return Some(body.slice((from + head + 4).min(end)..end));
            }
        }
        from += length + delimiter.len();
    }
    None
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len().max(1)).position(|window| window == what)
}

/// The key in an INFO: `Ok(None)` for an INFO without a body, which some send to keep a path alive.
pub(super) fn digit(headers: &Headers, body: &[u8]) -> Result<Option<Digit>, Unsupported> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(body);
    let key = match wire::content_type(headers) {
        Some((kind, _)) if kind == "application/dtmf-relay" => text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then(|| value.trim().to_owned())
        }),
        Some((kind, _)) if kind == "application/dtmf" => Some(text.trim().to_owned()),
        Some(_) | None => None,
    };
    key.and_then(|key| key_of(&key)).map(Some).ok_or(Unsupported)
}

/// A key by its character, or by its event number where that has two digits (10 is `*`, 11 is `#`).
fn key_of(text: &str) -> Option<Digit> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(key), None) => Digit::try_from(key).ok(),
        (Some(_), Some(_)) => text.parse().ok().and_then(Digit::from_event),
        (None, _) => None,
    }
}

/// The body of an INFO that sends a key.
pub(super) fn dtmf_relay(digit: Digit) -> Bytes {
    Bytes::from(format!("Signal={}\r\nDuration=160\r\n", digit.as_char()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(kind: &str) -> Headers {
        let mut headers = Headers::new();
        wire::push(&mut headers, HeaderName::ContentType, kind.to_owned());
        headers
    }

    #[test]
    fn digits_come_in_every_style_seen() {
        let relay = |body: &str| digit(&headers("application/dtmf-relay"), body.as_bytes());
        let plain = |body: &str| digit(&headers("Application/DTMF"), body.as_bytes());
        let key = |c: char| Ok(Some(Digit::try_from(c).unwrap()));
        assert_eq!(relay("Signal=5\r\nDuration=160"), key('5'));
        assert_eq!(relay("Signal= 5\r\nDuration= 250\r\n"), key('5'));
        assert_eq!(relay("Duration=160\nsignal = *\n"), key('*'));
        assert_eq!(relay("Signal=11"), key('#'));
        assert_eq!(plain("1"), key('1'));
        assert_eq!(plain("#\r\n"), key('#'));
        assert_eq!(plain("99"), Err(Unsupported));
        assert_eq!(relay("Duration=160"), Err(Unsupported));
        assert_eq!(relay("Signal=€"), Err(Unsupported));
        assert_eq!(plain(""), Ok(None));
        assert_eq!(digit(&headers("text/plain"), b"5"), Err(Unsupported));
    }

    #[test]
    fn sdp_is_found_alone_and_among_other_parts() {
        let body = Bytes::from_static(b"v=0\r\n");
        assert_eq!(sdp(&headers("application/SDP; charset=x"), &body), Ok(Some(body.clone())));
        assert_eq!(sdp(&headers("application/x"), &body), Err(Unsupported));
        assert_eq!(sdp(&Headers::new(), &body), Err(Unsupported));
        assert_eq!(sdp(&Headers::new(), &Bytes::new()), Ok(None));
        let mixed = Bytes::from_static(
            b"--b1\r\nContent-Type: application/isup\r\n\r\n\x01\x02\r\n--b1\r\n\
              Content-Type: application/sdp\r\n\r\nv=0\r\ns=-\r\n\r\n--b1--\r\n",
        );
        let found = sdp(&headers("multipart/mixed;boundary=\"b1\""), &mixed);
        assert_eq!(found, Ok(Some(Bytes::from_static(b"v=0\r\ns=-\r\n"))));
        assert_eq!(sdp(&headers("multipart/mixed;boundary=b2"), &mixed), Err(Unsupported));
    }
}
