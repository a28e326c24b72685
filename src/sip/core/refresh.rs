//! Session timers (RFC 4028): what is asked, granted and adopted, the refresh at half of the interval,
//! and the BYE when none came in time.

use std::time::Duration;

use super::dialog::Dialog;
use super::endpoint::{Endpoint, EndpointConfig};
use super::extensions;
use super::io::{DialogId, Event};
use super::leg::Leg;
use super::respond::Inbound;
use super::timers::{Deadline, DialogTimer};
use super::wire::{self, HeaderName, Headers, Response};
use crate::call::Cause;
use crate::time::Timestamp;

/// RFC 4028 §5: no interval is shorter, and so long is a Min-SE that is not written.
const FLOOR: Duration = Duration::from_secs(90);

/// The BYE goes out so long before the session expires, or a third of it (RFC 4028 §10).
const BYE_EARLY: Duration = Duration::from_secs(32);

/// A refresh that is due while its phone is out of reach is looked at again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// So often a 422 is answered with a longer session.
const MAX_LENGTHENED: u8 = 3;

/// What we ask of the other side, once it has refused what the configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    expires: Duration,
    min_se: Duration,
    lengthened: u8,
}

/// A session timer that both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    /// Without a refresh for so long, the session is over.
    pub(super) interval: Duration,
    /// Whether we refresh.
    pub(super) ours: bool,
}

/// Who refreshes, by its role in the transaction at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refresher {
    Uac,
    Uas,
}

impl Dialog {
    /// What we ask for now.
    fn terms(&self, config: &EndpointConfig) -> Terms {
        let min_se = config.min_se.max(FLOOR);
        let expires = config.session_expires;
        let expires = if expires.is_zero() { expires } else { expires.max(min_se) };
        self.terms.unwrap_or(Terms { expires, min_se, lengthened: 0 })
    }

    /// Session-Expires and Min-SE of a request of ours; who refreshes goes on doing it (RFC 4028 §7.4).
    pub(super) fn ask_timer(&self, headers: &mut Headers, config: &EndpointConfig) {
        let terms = self.terms(config);
        let (expires, role) = match self.agreed {
            Some(Agreed { interval, ours }) => {
                let role = if ours { ";refresher=uac" } else { ";refresher=uas" };
                (interval.max(terms.min_se), role)
            }
            None => (terms.expires, ""),
        };
        if !expires.is_zero() {
            wire::push(headers, HeaderName::SessionExpires, format!("{}{role}", expires.as_secs()));
            wire::push(headers, HeaderName::MinSe, terms.min_se.as_secs().to_string());
        }
    }

    /// Takes the longer Min-SE of a 422, for the request to be sent again (RFC 4028 §7.3). `false`: it is no
    /// 422, or asks for nothing that we did not offer.
    pub(super) fn lengthen(&mut self, response: &Response, config: &EndpointConfig) -> bool {
        let terms = self.terms(config);
        let Some(min_se) = seconds(&response.headers, &HeaderName::MinSe) else { return false };
        let asked = self.agreed.map_or(terms.expires, |agreed| agreed.interval.max(terms.min_se));
        if response.status.code() != 422 || min_se <= asked || terms.lengthened >= MAX_LENGTHENED {
            return false;
        }
        self.terms = Some(Terms { expires: min_se, min_se, lengthened: terms.lengthened + 1 });
        true
    }

    /// Answers a request's wish for a session timer in its 2xx (RFC 4028 §9).
    pub(super) fn grant_timer(&mut self, request: &Headers, response: &mut Headers, config: &EndpointConfig) {
        self.agreed = None;
        let supported = extensions::supports(request, extensions::TIMER);
        let min_se = seconds(request, &HeaderName::MinSe).unwrap_or(FLOOR).max(FLOOR);
        let longest = config.session_expires.max(min_se);
        let (interval, refresher) = match session_expires(request) {
            Some((asked, _)) if asked < FLOOR => return, // put in by somebody on the way; 422 would not reach him
            Some((asked, chosen)) => {
                let interval = if config.session_expires.is_zero() { asked } else { asked.min(longest) };
                // Who cannot, need not; else it is their choice; else we hear sooner of a dead peer.
                let chosen = chosen.filter(|_| supported);
                (interval, chosen.unwrap_or(Refresher::Uas))
            }
            None if config.session_expires.is_zero() || !(supported || config.refresh_alone) => return,
            None => (longest, Refresher::Uas),
        };
        self.agreed = Some(Agreed { interval, ours: refresher == Refresher::Uas });
        let role = match refresher {
            Refresher::Uac => "uac",
            Refresher::Uas => "uas",
        };
        let value = format!("{};refresher={role}", interval.as_secs());
        wire::push(response, HeaderName::SessionExpires, value);
        if supported {
            wire::push(response, HeaderName::Require, extensions::TIMER);
        }
    }

    /// Takes what the 2xx to a request of ours says of the session timer (RFC 4028 §7.2). `asked`: the
    /// request bore a Session-Expires.
    pub(super) fn adopt_timer(&mut self, response: &Headers, config: &EndpointConfig) {
        let asked = self.agreed.map_or(self.terms(config).expires, |agreed| agreed.interval);
        self.agreed = match session_expires(response) {
            // A peer that does not keep to our Min-SE must not make us send without end.
            Some((interval, refresher)) => {
                let ours = refresher != Some(Refresher::Uas);
                Some(Agreed { interval: interval.max(self.terms(config).min_se.min(asked)).max(FLOOR), ours })
            }
            // They cannot: if we are to, we refresh alone.
            None if config.refresh_alone && !asked.is_zero() => Some(Agreed { interval: asked, ours: true }),
            None => None,
        };
    }
}

impl Endpoint {
    /// Whether the session a request asks for is not too short for us. `false`: answered 422. Only who knows
    /// session timers is told (RFC 4028 §9).
    pub(super) fn is_long_enough(&mut self, inbound: &Inbound) -> bool {
        let headers = &inbound.request.headers;
        let min_se = self.config.min_se.max(FLOOR);
        let short = session_expires(headers).is_some_and(|(asked, _)| asked < min_se);
        if !short || !extensions::supports(headers, extensions::TIMER) {
            return true;
        }
        self.refuse(inbound, 422, &[(HeaderName::MinSe, &min_se.as_secs().to_string())]);
        false
    }

    /// The session was refreshed, or its timer was settled: it runs anew, or not at all.
    pub(super) fn refreshed(&mut self, id: DialogId, now: Timestamp) {
        let agreed = match self.legs.get(&id) {
            Some(Leg::Live(session)) => session.dialog.agreed,
            Some(Leg::Offered(_) | Leg::Calling(_) | Leg::Leaving(_) | Leg::LoggingOn) | None => return,
        };
        let (due, over) = (
            Deadline::Dialog(id, DialogTimer::RefreshDue),
            Deadline::Dialog(id, DialogTimer::SessionExpires),
        );
        self.timers.clear(due);
        self.timers.clear(over);
        let Some(Agreed { interval, ours }) = agreed else { return };
        self.timers.set(over, now + (interval - BYE_EARLY.min(interval / 3)));
        if ours {
            self.timers.set(due, now + interval / 2);
        }
    }

    /// Half of the interval is over: our turn.
    pub(super) fn refresh_due(&mut self, id: DialogId, now: Timestamp) {
        let Some(session) = self.session(id) else { return };
        if session.dialog.is_lost() {
            self.timers.set(Deadline::Dialog(id, DialogTimer::RefreshDue), now + LOOK_AGAIN);
        } else if session.dialog.updates {
            self.send_update(id, None, None, now);
        } else {
            self.tell(Event::Refresh { dialog: id });
        }
    }

    /// Nobody refreshed in time (RFC 4028 §10).
    pub(super) fn session_expired(&mut self, id: DialogId, now: Timestamp) {
        self.leave(id, Cause::Unreachable, now);
    }
}

/// A header that begins with a number of seconds.
fn seconds(headers: &Headers, name: &HeaderName) -> Option<Duration> {
    let value = headers.value(name)?;
    let digits = value.split(|b| *b == b';').next()?;
    Some(Duration::from_secs(wire::seconds(digits)?.into()))
}

/// Session-Expires: the interval, and who refreshes.
fn session_expires(headers: &Headers) -> Option<(Duration, Option<Refresher>)> {
    let interval = seconds(headers, &HeaderName::SessionExpires)?;
    let value = headers.value(&HeaderName::SessionExpires)?;
    let text = String::from_utf8_lossy(&value).to_ascii_lowercase();
    let refresher = text.split(';').skip(1).find_map(|param| {
        let (name, value) = param.split_once('=')?;
        match (name.trim(), value.trim()) {
            ("refresher", "uac") => Some(Refresher::Uac),
            ("refresher", "uas") => Some(Refresher::Uas),
            (_, _) => None,
        }
    });
    Some((interval, refresher))
}
