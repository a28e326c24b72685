//! Transfers we ask the other side of a call for (RFC 3515), and the NOTIFYs that tell us how they go.

use std::time::Duration;

use super::dialog;
use super::endpoint::Endpoint;
use super::io::{DialogId, Event};
use super::leg::Leg;
use super::machines::Outcome;
use super::refer::SUBSCRIPTION;
use super::replaces::Replaces;
use super::respond::Inbound;
use super::timers::Deadline;
use super::transactions::Purpose;
use super::wire::{self, HeaderName, Headers, Key, Method, Request};
use crate::call::Cause;
use crate::time::Timestamp;

/// No NOTIFY is waited for longer, in seconds, whatever it says itself.
const LONGEST_WAIT: u32 = 300;

/// A REFER of ours.
pub(super) struct Reference {
    /// Its sequence number, or that of its first sending.
    cseq: u32,
}

/// What a NOTIFY says.
struct News {
    /// Of the status line in its body.
    status: Option<u16>,
    terminated: bool,
    expires: Option<u32>,
}

impl Endpoint {
    /// Asks the other side to call somebody else.
    pub(super) fn refer(&mut self, id: DialogId, to: &str, replaces: Option<DialogId>, now: Timestamp) {
        if self.transfers.ours.contains_key(&id) {
            return; // the one under way tells how it ends
        }
        let branch = self.mint.branch();
        let target = self.refer_target(id, to, replaces);
        let Some(Leg::Live(session)) = self.legs.get_mut(&id) else { return };
        let Some(target) = target else {
            return self.tell(Event::ReferProgress { dialog: id, status: 481 });
        };
        let (mut refer, flow) = session.dialog.request(Method::Refer, &self.config, &branch);
        let cseq = session.dialog.local_cseq;
        let us = dialog::contact_value(&self.config, &flow);
        wire::push(&mut refer.headers, HeaderName::Contact, us.clone());
        wire::push(&mut refer.headers, HeaderName::ReferTo, format!("<{target}>"));
        wire::push(&mut refer.headers, HeaderName::ReferredBy, us);
        wire::body_headers(&mut refer.headers, None);
        self.transfers.ours.insert(id, Reference { cseq });
        self.start(refer, &branch, flow, Purpose::Refer(id), now);
    }

    /// The URI of Refer-To: a user at their own address, or the other side of a dialog of ours with what
    /// makes the new call take its place (RFC 5589 §7).
    fn refer_target(&self, id: DialogId, to: &str, replaces: Option<DialogId>) -> Option<String> {
        let of = |id: &DialogId| match self.legs.get(id) {
            Some(Leg::Live(session)) => Some(&session.dialog),
            Some(Leg::Offered(_) | Leg::Calling(_) | Leg::Leaving(_) | Leg::LoggingOn) | None => None,
        };
        let dialog = of(&replaces.unwrap_or(id))?;
        let host = dialog.target.host().map(|host| match host {
            wire::Host::Ip(ip) => dialog::host_text(*ip),
            wire::Host::Name(name) => String::from_utf8_lossy(name.as_bytes()).into_owned(),
        });
        let port = dialog.target.port().map(|port| format!(":{port}")).unwrap_or_default();
        match replaces {
            None => Some(dialog::user_uri(to, &format!("{}{port}", host?))),
            Some(_) => {
                let target = String::from_utf8_lossy(&dialog.target.to_bytes()).into_owned();
                let bare = target.split('?').next().unwrap_or_default();
                Some(format!("{bare}?Replaces={}", Replaces::for_uri(dialog)))
            }
        }
    }

    /// What they say to our REFER.
    pub(super) fn on_refer_outcome(&mut self, id: DialogId, outcome: &Outcome, now: Timestamp) {
        if !self.transfers.ours.contains_key(&id) {
            return;
        }
        let status = match outcome {
            Outcome::Response(response) if response.status.is_provisional() => return,
            Outcome::Response(response) if response.status.is_success() => {
                if !is_silent(&response.headers) {
                    // The first NOTIFY may have been faster, and set a time of its own.
                    return self.timers.set_once(Deadline::Reference(id), now + self.config.patience());
                }
                // They will tell nothing: that they took it is all there is (RFC 4488 §4).
                200
            }
            Outcome::Response(response) => response.status.code(),
            Outcome::Failed(status) => *status,
        };
        self.end_reference(id, status);
        if self.ends_dialog(id, outcome) && self.session(id).is_some() {
            self.leave(id, Cause::Unreachable, now);
        }
    }

    fn end_reference(&mut self, id: DialogId, status: u16) {
        self.timers.clear(Deadline::Reference(id));
        if self.transfers.ours.remove(&id).is_some() {
            self.tell(Event::ReferProgress { dialog: id, status });
        }
    }

    /// No NOTIFY came for too long.
    pub(super) fn reference_expired(&mut self, id: DialogId) {
        self.end_reference(id, 408);
    }

    /// A NOTIFY inside a dialog; its sequence number and source were checked.
    pub(super) fn on_notify(&mut self, id: DialogId, inbound: Inbound, key: Key) {
        let now = inbound.now;
        let Some((package, event_id)) = event(&inbound.request) else {
            return self.refuse(&inbound, 489, &[(HeaderName::AllowEvents, "refer")]);
        };
        if !package.eq_ignore_ascii_case("refer") {
            return self.refuse(&inbound, 489, &[(HeaderName::AllowEvents, "refer")]);
        }
        // An earlier REFER's news come too late.
        let current = |reference: &&Reference| event_id.is_none_or(|id| id >= reference.cseq);
        if self.transfers.ours.get(&id).filter(current).is_none() {
            return self.refuse(&inbound, 481, &[]);
        }
        let Some(news) = News::read(&inbound.request) else { return self.refuse(&inbound, 400, &[]) };
        if self.agree(inbound, key).is_none() {
            return; // too full to answer; they will send it again
        }
        match (news.status, news.terminated) {
            (Some(status), _) if status >= 200 => self.end_reference(id, status),
            // They stopped telling before the end was known.
            (_, true) => self.end_reference(id, 408),
            (status, false) => {
                let seconds = news.expires.unwrap_or(SUBSCRIPTION).clamp(1, LONGEST_WAIT);
                self.timers.set(Deadline::Reference(id), now + Duration::from_secs(seconds.into()));
                if let Some(status) = status {
                    self.tell(Event::ReferProgress { dialog: id, status });
                }
            }
        }
    }
}

impl News {
    /// `None`: malformed. RFC 6665 §4.1.3 wants Subscription-State; phones that leave it out mean what
    /// their status line says.
    fn read(request: &Request) -> Option<Self> {
        let body = request.body();
        let status = if body.is_empty() {
            None
        } else {
            let (kind, _) = wire::content_type(&request.headers)?;
            (kind == "message/sipfrag").then_some(())?;
            let line = body.split(|b| matches!(b, b'\r' | b'\n')).find(|line| !line.is_empty())?;
            let mut words = std::str::from_utf8(line).ok()?.split(' ').filter(|word| !word.is_empty());
            words.next().filter(|version| version.eq_ignore_ascii_case("SIP/2.0"))?;
            let status: u16 = words.next()?.parse().ok()?;
            Some((100..=699).contains(&status).then_some(status)?)
        };
        let value = request.headers.value(&HeaderName::SubscriptionState);
        let text = value.map(|value| String::from_utf8_lossy(&value).to_ascii_lowercase());
        let mut parts = text.as_deref().unwrap_or("active").split(';').map(str::trim);
        let terminated = parts.next() == Some("terminated");
        let expires = parts.find_map(|part| wire::seconds(part.strip_prefix("expires=")?.as_bytes()));
        Some(Self { status, terminated, expires })
    }
}

/// The event package of a NOTIFY, and its id.
pub(super) fn event(request: &Request) -> Option<(String, Option<u32>)> {
    let value = request.headers.value(&HeaderName::Event)?;
    let text = String::from_utf8_lossy(&value).into_owned();
    let mut parts = text.split(';').map(str::trim);
    let package = parts.next().filter(|package| !package.is_empty())?.to_owned();
    Some((package, parts.find_map(|part| part.strip_prefix("id=")?.parse().ok())))
}

/// `Refer-Sub: false` (RFC 4488).
pub(super) fn is_silent(headers: &Headers) -> bool {
    let value = headers.value(&HeaderName::ReferSub);
    value.is_some_and(|value| {
        value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii().eq_ignore_ascii_case(b"false")
    })
}
