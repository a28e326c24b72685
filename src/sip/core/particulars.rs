//! What a call's headers tell beside its offer, both ways: who calls (RFC 3325), whether that may be
//! shown (RFC 3323), where the call came by (RFC 5806, RFC 7044), who transferred it (RFC 3892), and
//! what the systems tell each other (RFC 7433). Bounded, and without a byte that could end a header.

use super::dialog::user_uri;
use super::io::{Particulars, Source};
use super::respond::Inbound;
use super::wire::{self, HeaderName, Headers};

/// Values of one header at most; the rest is dropped.
const MAX_VALUES: usize = 10;
/// The longest value kept, in octets; a longer one is dropped.
const MAX_LENGTH: usize = 1_024;

/// From of a caller who stays unnamed (RFC 3323 §4.1.1.3).
pub(super) const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

/// Diversion (RFC 5806).
fn diversion() -> HeaderName {
    HeaderName::parse(&bytes::Bytes::from_static(b"Diversion"))
}

/// User-to-User (RFC 7433).
fn user_to_user() -> HeaderName {
    HeaderName::parse(&bytes::Bytes::from_static(b"User-to-User"))
}

/// Reads what an INVITE tells. An identity is believed from a trunk only.
pub(super) fn read(headers: &Headers, source: &Source) -> Particulars {
    Particulars {
        private: wants_privacy(headers),
        asserted: match source {
            Source::Trunk(_) => asserted(headers),
            Source::Agent(_) => None,
        },
        diversion: values(headers, &diversion()),
        history: values(headers, &HeaderName::HistoryInfo),
        user_to_user: values(headers, &user_to_user()),
        referred_by: referred_by(headers),
        call: None,
        purpose: None,
    }
}

/// Referred-By (RFC 3892), whole.
pub(super) fn referred_by(headers: &Headers) -> Option<String> {
    values(headers, &HeaderName::ReferredBy).into_iter().next()
}

/// The headers that tell it. `host` is that of the identity's URI. Values that would break a header
/// line, or are too many or too long, are left out.
pub(super) fn write(particulars: &Particulars, host: &str) -> Vec<(HeaderName, String)> {
    let mut rows = Vec::new();
    if let Some(user) = particulars.asserted.as_ref().filter(|user| is_fit(user)) {
        rows.push((HeaderName::PAssertedIdentity, format!("<{}>", user_uri(user, host))));
    }
    if particulars.private {
        rows.push((HeaderName::Privacy, "id".to_owned()));
    }
    let mut all = |name: HeaderName, values: &[String]| {
        let fit = values.iter().filter(|value| is_fit(value)).take(MAX_VALUES);
        rows.extend(fit.map(|value| (name.clone(), value.clone())));
    };
    all(diversion(), &particulars.diversion);
    all(HeaderName::HistoryInfo, &particulars.history);
    all(user_to_user(), &particulars.user_to_user);
    all(HeaderName::ReferredBy, particulars.referred_by.as_slice());
    rows
}

/// What agents' phones are told beside it, and nobody else: which call of ours it is, and why they are called.
pub(super) fn write_ours(particulars: &Particulars) -> Vec<(HeaderName, String)> {
    let call = particulars.call.as_deref().map(|value| (&b"X-Sayso-Call"[..], value));
    let purpose = particulars.purpose.map(|value| (&b"X-Sayso-Purpose"[..], value));
    let rows = call.into_iter().chain(purpose).filter(|(_, value)| is_fit(value));
    rows.map(|(name, value)| (HeaderName::parse(&bytes::Bytes::from_static(name)), value.to_owned()))
        .collect()
}

/// The caller's number or name: what the trunk asserts (RFC 3325), else From; `None` when withheld.
pub(super) fn caller(inbound: &Inbound, source: &Source) -> Option<String> {
    let headers = &inbound.request.headers;
    let from = wire::user_of(&inbound.head.from.uri);
    if from.as_deref().is_none_or(is_anonymous) || wants_privacy(headers) {
        return None;
    }
    match source {
        Source::Agent(_) => from,
        Source::Trunk(_) => match asserted(headers) {
            Some(user) if is_anonymous(&user) => None,
            Some(user) => Some(user),
            None => from,
        },
    }
}

/// Whether a user part names nobody.
pub(super) fn is_anonymous(user: &str) -> bool {
    user.is_empty() || user.eq_ignore_ascii_case("anonymous")
}

/// RFC 3325 §9.1: one or two values, a SIP and a tel URI of the same person.
fn asserted(headers: &Headers) -> Option<String> {
    let addresses = wire::addresses(headers, &HeaderName::PAssertedIdentity).unwrap_or_default();
    addresses.iter().find_map(|address| wire::user_of(&address.uri)).filter(|user| is_fit(user))
}

/// RFC 3323 §4.2, RFC 3325 §9.3: `id`, or the older `user` and `header`, hide who calls.
fn wants_privacy(headers: &Headers) -> bool {
    headers.get_all(&HeaderName::Privacy).any(|row| {
        let text = String::from_utf8_lossy(&row.value()).to_ascii_lowercase();
        text.split([';', ',']).any(|value| matches!(value.trim(), "id" | "user" | "header"))
    })
}

/// The values of a header, in order, whether each has a line of its own or not.
fn values(headers: &Headers, name: &HeaderName) -> Vec<String> {
    let mut all = Vec::new();
    for row in headers.get_all(name) {
        let value = row.value();
        let Ok(text) = std::str::from_utf8(&value) else { continue };
        for value in split(text).into_iter().filter(|value| is_fit(value)) {
            if all.len() >= MAX_VALUES {
                return all;
            }
            all.push(value.to_owned());
        }
    }
    all
}

/// Whether a value may stand in a header of ours: no line break, no NUL nor other control character.
fn is_fit(value: &str) -> bool {
    !value.is_empty() && value.len() <= MAX_LENGTH && !value.chars().any(|c| c.is_control() && c != '\t')
}

/// Splits at the commas that are neither in quotes nor in angle brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped, mut inside) = (false, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => inside = true,
            '>' if !quoted => inside = false,
            ',' if !quoted && !inside => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_at_their_own_commas_only() {
        assert_eq!(
            split(r#""a, \"b\"" <sip:x,y@h>;reason=no-answer, <sip:z@h> ,"#),
            [r#""a, \"b\"" <sip:x,y@h>;reason=no-answer"#, "<sip:z@h>", ""]
        );
    }

    #[test]
    fn nothing_that_breaks_a_line_gets_out() {
        let bad = |value: &str| vec![value.to_owned(), "<sip:ok@h>".to_owned()];
        for value in ["<sip:a@h>\r\nX: y", "a\nb", "a\rb", "a\0b", "", &"x".repeat(MAX_LENGTH + 1)] {
            let particulars = Particulars {
                private: false,
                asserted: Some(value.to_owned()),
                diversion: bad(value),
                history: bad(value),
                user_to_user: bad(value),
                referred_by: Some(value.to_owned()),
                ..Particulars::default()
            };
            let rows = write(&particulars, "h");
            assert!(rows.iter().all(|(_, value)| value == "<sip:ok@h>"), "{value:?}: {rows:?}");
            assert_eq!(rows.len(), 3);
        }
        let many = Particulars { history: vec!["<sip:a@h>".to_owned(); 50], ..Particulars::default() };
        assert_eq!(write(&many, "h").len(), MAX_VALUES);
    }
}
