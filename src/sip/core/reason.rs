//! What the other side says of why a call ends: the Reason header (RFC 3326), which carriers also put into
//! responses (RFC 6432).

use super::cause;
use super::wire::{HeaderName, Headers, Response};
use crate::call::Cause;

/// The cause a Reason header names; `None`: there is none, or it tells nothing we tell apart.
pub(super) fn cause_of(headers: &Headers) -> Option<Cause> {
    for row in headers.get_all(&HeaderName::Reason) {
        let value = row.value();
        let text = String::from_utf8_lossy(&value).to_ascii_lowercase();
        if let Some(cause) = outside_quotes(&text, ',').into_iter().find_map(one) {
            return Some(cause);
        }
    }
    None
}

/// What a final refusal of our INVITE means: its Reason knows better than its status, which a gateway
/// may have had to choose.
pub(super) fn of_refusal(response: &Response) -> Cause {
    let by_status = cause::of_status(response.status.code());
    match cause_of(&response.headers) {
        Some(Cause::HungUp) | None => by_status,
        Some(cause) => cause,
    }
}

/// What a BYE means; an answered call that ends is hung up unless they say more.
pub(super) fn of_bye(headers: &Headers) -> Cause {
    match cause_of(headers) {
        Some(Cause::Cancelled) | None => Cause::HungUp,
        Some(cause) => cause,
    }
}

/// What a CANCEL means.
pub(super) fn of_cancel(headers: &Headers) -> Cause {
    match cause_of(headers) {
        Some(Cause::HungUp) | None => Cause::Cancelled,
        Some(cause) => cause,
    }
}

fn one(value: &str) -> Option<Cause> {
    let mut parts = outside_quotes(value, ';').into_iter().map(str::trim);
    let protocol = parts.next()?;
    let number = parts.find_map(|part| {
        let (name, number) = part.split_once('=')?;
        (name.trim() == "cause").then(|| number.trim().parse::<u16>().ok())?
    })?;
    match protocol {
        "q.850" => of_q850(number),
        "sip" => of_sip(number),
        _ => None,
    }
}

/// ITU-T Q.850 §2.2.7.
const fn of_q850(number: u16) -> Option<Cause> {
    match number {
        16 | 31 => Some(Cause::HungUp),
        17 => Some(Cause::Busy),
        18..=20 => Some(Cause::NoAnswer),
        21 => Some(Cause::Declined),
        26 => Some(Cause::AnsweredElsewhere),
        1..=15 | 22..=25 | 27..=30 | 34..=127 => Some(Cause::Unreachable),
        0 | 32 | 33 | 128..=u16::MAX => None,
    }
}

const fn of_sip(status: u16) -> Option<Cause> {
    match status {
        200 => Some(Cause::AnsweredElsewhere),
        400..=699 => Some(cause::of_status(status)),
        0..=199 | 201..=399 | 700..=u16::MAX => None,
    }
}

/// Splits a header's value where no quoted string is.
fn outside_quotes(text: &str, at: char) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (place, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c == at && !quoted => {
                parts.push(&text[start..place]);
                start = place + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::super::wire;
    use super::*;

    #[test]
    fn reasons_are_read_in_every_spelling() {
        let cause = |value: &str| {
            let mut headers = Headers::new();
            wire::push(&mut headers, HeaderName::Reason, value.to_owned());
            cause_of(&headers)
        };
        assert_eq!(cause("Q.850;cause=16;text=\"Normal call clearing\""), Some(Cause::HungUp));
        assert_eq!(cause("Q.850 ; text=\"a;b, cause=17\" ; cause = 19"), Some(Cause::NoAnswer));
        assert_eq!(cause("preemption;cause=1, q.850;Cause=17"), Some(Cause::Busy));
        assert_eq!(cause("SIP;cause=200;text=\"Call completed elsewhere\""), Some(Cause::AnsweredElsewhere));
        assert_eq!(cause("SIP;cause=603"), Some(Cause::Declined));
        assert_eq!(cause("Q.850;cause=21"), Some(Cause::Declined));
        assert_eq!(cause("Q.850;cause=31"), Some(Cause::HungUp));
        assert_eq!(cause("Q.850;cause=38"), Some(Cause::Unreachable));
        assert_eq!(cause("Q.850;cause=x"), None);
        assert_eq!(cause("\"\\"), None);
    }
}
