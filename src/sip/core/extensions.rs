//! The SIP extensions and methods we know, in one place: what Supported and Allow say must be true,
//! and what a request requires is measured against it.

use super::wire::{HeaderName, Headers, Method, Request};

/// The methods we take.
pub(super) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REGISTER, PRACK, UPDATE, REFER, NOTIFY";

/// The option tags we understand: RFC 3262, 4028, 3891, 4488, 7044 and 7866. Neither `join` (RFC 3911)
/// nor `tdialog` (RFC 4538) is among them: a Join header without Require is ignored, as that RFC allows.
pub(super) const SUPPORTED: &str = "100rel, timer, replaces, norefersub, histinfo, record-aware";

/// Reliable provisional responses (RFC 3262).
pub(super) const RELIABLE: &str = "100rel";
/// Session timers (RFC 4028).
pub(super) const TIMER: &str = "timer";
/// `a=record` is understood (RFC 7866 §6.1.1).
pub(super) const RECORD_AWARE: &str = "record-aware";

/// The comma-separated words of all headers of this name.
pub(super) fn words(headers: &Headers, name: &HeaderName) -> Vec<String> {
    let mut all = Vec::new();
    for header in headers.get_all(name) {
        let value = header.value();
        let text = String::from_utf8_lossy(&value);
        all.extend(text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned));
    }
    all
}

/// Whether the sender understands this option tag: in Supported or in Require.
pub(super) fn supports(headers: &Headers, tag: &str) -> bool {
    has(headers, &HeaderName::Supported, tag) || requires(headers, tag)
}

/// Whether the sender insists on this option tag.
pub(super) fn requires(headers: &Headers, tag: &str) -> bool {
    has(headers, &HeaderName::Require, tag)
}

/// Whether the sender says that it takes this method; `None`: it says nothing (RFC 3261 §20.5).
pub(super) fn allows(headers: &Headers, method: &Method) -> Option<bool> {
    headers.get(&HeaderName::Allow)?;
    let name = method.to_string();
    Some(words(headers, &HeaderName::Allow).contains(&name))
}

/// What a request requires of us that we do not have. Proxy-Require is not for user agents
/// (RFC 3261 §8.2.2.3, §20.29).
pub(super) fn missing(request: &Request) -> Vec<String> {
    let known = |tag: &str| SUPPORTED.split(", ").any(|ours| ours.eq_ignore_ascii_case(tag));
    words(&request.headers, &HeaderName::Require).into_iter().filter(|tag| !known(tag)).collect()
}

fn has(headers: &Headers, name: &HeaderName, tag: &str) -> bool {
    words(headers, name).iter().any(|word| word.eq_ignore_ascii_case(tag))
}
