//! The endpoint's timers: one queue, each deadline under a key that says its reason. Setting a
//! key again moves it and clearing it takes it out, so a stale timer cannot fire.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use super::io::{DialogId, Query};
use super::probe::ProbeId;
use super::transactions::{ClientId, ServerId};
use super::wire::Timer;
use crate::time::Timestamp;

/// Why something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Deadline {
    /// A server transaction's timer (RFC 3261 §17.2).
    Server(ServerId, Timer),
    /// A client transaction's timer (RFC 3261 §17.1).
    Client(ClientId, Timer),
    /// No final response came after our CANCEL (RFC 3261 §9.1).
    CancelUnanswered(ClientId),
    /// Our INVITE rings for longer than any phone should (RFC 3261 §16.6, timer C).
    RingsTooLong(ClientId),
    /// A server says nothing while another way is left (RFC 3263 §4.3).
    TryNext(ClientId),
    /// A trunk's server has been asked for long enough whether it is there.
    Probe(ProbeId),
    /// A host was not found in time.
    Unresolved(Query),
    /// A REFER of theirs waits for too long, or its subscription ends (RFC 3515 §2.4.4).
    Referral(DialogId),
    /// No news of a REFER of ours.
    Reference(DialogId),
    /// A dialog's own timer.
    Dialog(DialogId, DialogTimer),
    /// A message on a TCP connection was begun and not ended.
    HalfMessage(u64),
}

/// The timers of a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum DialogTimer {
    /// Send our 2xx again (RFC 3261 §13.3.1.4).
    Resend2xx,
    /// The ACK of our 2xx did not come within 64*T1.
    AckLate,
    /// The INVITE's Expires has passed (RFC 3261 §13.3.1).
    Expires,
    /// Tell proxies that it still rings, each minute (RFC 3261 §13.3.1.1).
    StillRinging,
    /// Try the re-INVITE again that met theirs (RFC 3261 §14.1).
    ReinviteAgain,
    /// Send our reliable provisional response again (RFC 3262 §3).
    ResendProvisional,
    /// Its PRACK did not come within 64*T1.
    PrackLate,
    /// Our user has not answered the offer of their UPDATE or PRACK, which wait for 64*T1 at most.
    OfferLate,
    /// The session wants refreshing by us (RFC 4028 §10).
    RefreshDue,
    /// Nobody refreshed the session.
    SessionExpires,
}

/// A queue of deadlines; every operation is O(log n).
#[derive(Debug)]
pub(super) struct TimerQueue<K> {
    due: BTreeMap<(Timestamp, u64), K>,
    places: HashMap<K, (Timestamp, u64)>,
    drawn: u64,
}

impl<K: Copy + Eq + Hash> TimerQueue<K> {
    pub(super) fn new() -> Self {
        Self { due: BTreeMap::new(), places: HashMap::new(), drawn: 0 }
    }

    /// Sets or moves the deadline of `key`.
    pub(super) fn set(&mut self, key: K, at: Timestamp) {
        self.drawn += 1;
        let place = (at, self.drawn);
        if let Some(old) = self.places.insert(key, place) {
            self.due.remove(&old);
        }
        self.due.insert(place, key);
    }

    /// Sets the deadline of `key` unless it has one.
    pub(super) fn set_once(&mut self, key: K, at: Timestamp) {
        if !self.places.contains_key(&key) {
            self.set(key, at);
        }
    }

    /// Takes the deadline of `key` out, if there is one, and says when it was.
    pub(super) fn clear(&mut self, key: K) -> Option<Timestamp> {
        let place = self.places.remove(&key)?;
        self.due.remove(&place);
        Some(place.0)
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.due.first_key_value().map(|(place, _)| place.0)
    }

    /// Takes out the earliest deadline that has come; those of one instant in the order set.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<K> {
        let entry = self.due.first_entry().filter(|entry| entry.key().0 <= now)?;
        let key = entry.remove();
        self.places.remove(&key);
        Some(key)
    }

    /// How many run.
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moved_or_cleared_deadline_does_not_fire_at_its_old_time() {
        let start = Timestamp::from_micros(0);
        let at = |ms| start + Duration::from_millis(ms);
        let mut queue = TimerQueue::new();
        queue.set("a", at(10));
        queue.set("b", at(10));
        queue.set("a", at(30));
        queue.set("c", at(5));
        queue.clear("c");
        assert_eq!(queue.next(), Some(at(10)));
        assert_eq!(queue.pop(at(9)), None);
        assert_eq!(queue.pop(at(20)), Some("b"));
        assert_eq!(queue.pop(at(20)), None);
        assert_eq!(queue.pop(at(30)), Some("a"));
        assert_eq!((queue.len(), queue.next()), (0, None));
        assert!(queue.places.is_empty());
    }
}
