//! Symmetric RTP with a source lock (RFC 4961; the attack it guards against is known as RTP bleed).
//! The first packets decide whom we listen and send to; later strangers are ignored.

use std::net::{IpAddr, SocketAddr};

use crate::time::Timestamp;

/// Packets in a row from one unannounced source before it is believed. Four packets are 80 ms of
/// audio lost behind a NAT, once; fewer would let a single spoofed packet steal the call.
const PACKETS: u8 = 4;
/// A candidate silent for this long makes room for another.
const CANDIDATE_LIFE: std::time::Duration = std::time::Duration::from_millis(500);

/// Where a leg's RTP comes from.
#[derive(Clone, Debug)]
pub struct SourceLock {
    announced: SocketAddr,
    /// The one other host that may be learned; `None`: any.
    other: Option<IpAddr>,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// Nothing is sure yet.
    Open { candidate: Option<Candidate> },
    /// A source other than the announced one proved steady (NAT). The announced one would still win.
    Learned(SocketAddr),
    /// The announced source sends.
    Announced,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    from: SocketAddr,
    packets: u8,
    last: Timestamp,
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Of the locked source: take it.
    Accept,
    /// The same, and with it the lock has just closed (or moved to the announced source).
    Locked,
    /// May become the source, is not yet: throw it away, it is no stranger either.
    Wait,
    /// Throw it away and count it.
    Stranger,
}

impl SourceLock {
    /// Open, with the address the peer's SDP announces.
    #[must_use]
    pub fn new(announced: SocketAddr) -> Self {
        Self { announced, other: None, state: State::Open { candidate: None } }
    }

    /// Nobody but the announced host and this one is learned: behind a NAT, audio comes from where the
    /// signalling does. Else whoever sends to an open port, before the peer does, would hear the call.
    pub fn only_from(&mut self, signalling: Option<IpAddr>) {
        self.other = signalling.map(|ip| ip.to_canonical());
    }

    fn may_be_learned(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip == self.announced.ip().to_canonical() || self.other.is_none_or(|other| other == ip)
    }

    /// The peer's SDP again (re-INVITE): another address opens the lock, the same one changes nothing.
    /// Returns whether it was opened. An unspecified address (`0.0.0.0`, the old way to hold) says
    /// nothing about the source and changes nothing either.
    pub fn announce(&mut self, announced: SocketAddr) -> bool {
        if announced == self.announced || announced.ip().is_unspecified() {
            return false;
        }
        *self = Self { other: self.other, ..Self::new(announced) };
        true
    }

    /// Judges a packet that is RTP of an agreed payload type.
    pub fn judge(&mut self, from: SocketAddr, now: Timestamp) -> Verdict {
        let may = self.may_be_learned(from.ip());
        match &mut self.state {
            State::Announced if from == self.announced => Verdict::Accept,
            State::Announced => Verdict::Stranger,
            State::Learned(source) if *source == from => Verdict::Accept,
            State::Learned(_) | State::Open { .. } if from == self.announced => {
                self.state = State::Announced;
                Verdict::Locked
            }
            State::Learned(_) => Verdict::Stranger,
            State::Open { .. } if !may => Verdict::Stranger,
            State::Open { candidate } => {
                let verdict = Self::weigh(candidate, from, now);
                // The same host from another port is an ordinary NAT or a phone's whim: believe it.
                if verdict == Verdict::Locked || from.ip() == self.announced.ip() {
                    self.state = State::Learned(from);
                    return Verdict::Locked;
                }
                verdict
            }
        }
    }

    fn weigh(candidate: &mut Option<Candidate>, from: SocketAddr, now: Timestamp) -> Verdict {
        match candidate {
            Some(known) if known.from == from => {
                known.packets += 1;
                known.last = now;
                if known.packets >= PACKETS { Verdict::Locked } else { Verdict::Wait }
            }
            Some(known) if now.since(known.last) < CANDIDATE_LIFE => Verdict::Stranger,
            Some(_) | None => {
                *candidate = Some(Candidate { from, packets: 1, last: now });
                Verdict::Wait
            }
        }
    }

    /// Judges a packet whose tag proved that it is the peer's (SRTP): an open lock believes it at once,
    /// from wherever it came. A closed one stays as it is: a replayed packet never gets here, but a relayed
    /// one may.
    pub fn judge_proven(&mut self, from: SocketAddr, now: Timestamp) -> Verdict {
        match &self.state {
            // Its key says more than its address.
            State::Open { .. } if from != self.announced => {
                self.state = State::Learned(from);
                Verdict::Locked
            }
            State::Open { .. } | State::Learned(_) | State::Announced => self.judge(from, now),
        }
    }

    /// Whether a packet from here will be refused whatever it holds: not worth the cost of opening it.
    #[must_use]
    pub fn is_stranger(&self, from: SocketAddr) -> bool {
        self.source().is_some_and(|source| source != from) && from != self.announced
    }

    /// Judges a packet that may not close the lock (RTP of a payload type nobody agreed on).
    #[must_use]
    pub fn peek(&self, from: SocketAddr) -> Verdict {
        match self.source() {
            Some(source) if source == from => Verdict::Accept,
            Some(_) => Verdict::Stranger,
            None => Verdict::Wait,
        }
    }

    /// Where to send: the source once locked, before that what the peer announced.
    #[must_use]
    pub fn destination(&self) -> SocketAddr {
        match &self.state {
            State::Learned(source) => *source,
            State::Open { .. } | State::Announced => self.announced,
        }
    }

    /// The locked source, if there is one.
    #[must_use]
    pub fn source(&self) -> Option<SocketAddr> {
        match &self.state {
            State::Open { .. } => None,
            State::Learned(source) => Some(*source),
            State::Announced => Some(self.announced),
        }
    }

    /// Whether RTCP from this host can be the peer's: it may come from a port never announced.
    #[must_use]
    pub fn is_peer_host(&self, ip: IpAddr) -> bool {
        self.destination().ip() == ip
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_micros(0) + Duration::from_millis(ms)
    }

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_the_announced_host_and_that_of_the_signalling_are_learned() {
        let mut lock = SourceLock::new(addr("192.168.1.5:4000"));
        lock.only_from(Some("203.0.113.7".parse().unwrap()));
        for n in 0..20 {
            assert_eq!(lock.judge(addr("198.51.100.66:4000"), at(n * 20)), Verdict::Stranger);
        }
        assert_eq!(lock.destination(), addr("192.168.1.5:4000"), "nothing is sent to who knocks");
        let nat = addr("203.0.113.7:61000");
        for n in 20..23 {
            assert_eq!(lock.judge(nat, at(n * 20)), Verdict::Wait);
        }
        assert_eq!(lock.judge(nat, at(460)), Verdict::Locked);
        assert!(lock.announce(addr("192.168.1.5:4002")), "a new offer opens it, for the same hosts");
        assert_eq!(lock.judge(addr("198.51.100.66:4000"), at(480)), Verdict::Stranger);
    }

    #[test]
    fn the_announced_source_is_believed_at_once_and_strangers_never() {
        let mut lock = SourceLock::new(addr("192.0.2.1:4000"));
        assert_eq!(lock.destination(), addr("192.0.2.1:4000"));
        assert_eq!(lock.judge(addr("192.0.2.1:4000"), at(0)), Verdict::Locked);
        assert_eq!(lock.judge(addr("192.0.2.1:4000"), at(20)), Verdict::Accept);
        for n in 0..100 {
            assert_eq!(lock.judge(addr("198.51.100.9:4000"), at(20 + n)), Verdict::Stranger);
            assert_eq!(lock.judge(addr("192.0.2.1:4002"), at(20 + n)), Verdict::Stranger);
        }
        assert_eq!(lock.destination(), addr("192.0.2.1:4000"));
    }

    #[test]
    fn a_steady_source_behind_nat_is_learned() {
        let mut lock = SourceLock::new(addr("10.0.0.5:4000"));
        let nat = addr("203.0.113.7:61000");
        for n in 0..3 {
            assert_eq!(lock.judge(nat, at(20 * n)), Verdict::Wait);
            assert_eq!(lock.judge(addr("198.51.100.9:1"), at(20 * n)), Verdict::Stranger);
        }
        assert_eq!(lock.destination(), addr("10.0.0.5:4000"));
        assert_eq!(lock.judge(nat, at(60)), Verdict::Locked);
        assert_eq!((lock.destination(), lock.source()), (nat, Some(nat)));
        assert_eq!(lock.judge(addr("198.51.100.9:1"), at(80)), Verdict::Stranger);
    }

    #[test]
    fn another_port_of_the_announced_host_is_believed_at_once() {
        let mut lock = SourceLock::new(addr("192.0.2.1:4000"));
        assert_eq!(lock.judge(addr("192.0.2.1:5000"), at(0)), Verdict::Locked);
        assert_eq!(lock.destination(), addr("192.0.2.1:5000"));
    }

    #[test]
    fn the_announced_source_wins_over_a_learned_one_but_only_once() {
        let mut lock = SourceLock::new(addr("192.0.2.1:4000"));
        let thief = addr("198.51.100.9:4000");
        for n in 0..4 {
            lock.judge(thief, at(20 * n));
        }
        assert_eq!(lock.source(), Some(thief));
        assert_eq!(lock.judge(addr("192.0.2.1:4000"), at(100)), Verdict::Locked);
        assert_eq!(lock.judge(thief, at(120)), Verdict::Stranger);
    }

    #[test]
    fn a_proven_source_is_believed_at_once_and_then_strangers_are_not() {
        let mut lock = SourceLock::new(addr("10.0.0.5:4000"));
        let nat = addr("203.0.113.7:61000");
        assert!(!lock.is_stranger(nat));
        assert_eq!(lock.judge_proven(nat, at(0)), Verdict::Locked);
        assert_eq!(lock.judge_proven(nat, at(20)), Verdict::Accept);
        assert!(lock.is_stranger(addr("198.51.100.9:1")) && !lock.is_stranger(nat));
        assert!(!lock.is_stranger(addr("10.0.0.5:4000")), "the announced source may still win");
        assert_eq!(lock.judge_proven(addr("198.51.100.9:1"), at(40)), Verdict::Stranger);
    }

    #[test]
    fn a_candidate_that_falls_silent_makes_room() {
        let mut lock = SourceLock::new(addr("10.0.0.5:4000"));
        lock.judge(addr("198.51.100.9:1"), at(0));
        assert_eq!(lock.judge(addr("203.0.113.7:2"), at(499)), Verdict::Stranger);
        assert_eq!(lock.judge(addr("203.0.113.7:2"), at(500)), Verdict::Wait);
    }

    #[test]
    fn a_new_address_opens_the_lock_and_hold_does_not() {
        let mut lock = SourceLock::new(addr("192.0.2.1:4000"));
        lock.judge(addr("192.0.2.1:4000"), at(0));
        assert!(!lock.announce(addr("192.0.2.1:4000")));
        assert!(!lock.announce(addr("0.0.0.0:4000")));
        assert_eq!(lock.source(), Some(addr("192.0.2.1:4000")));
        assert!(lock.announce(addr("192.0.2.99:7000")));
        assert_eq!((lock.source(), lock.destination()), (None, addr("192.0.2.99:7000")));
        assert_eq!(lock.judge(addr("192.0.2.99:7000"), at(40)), Verdict::Locked);
        assert_eq!(lock.judge(addr("192.0.2.1:4000"), at(60)), Verdict::Stranger);
    }

    proptest! {
        #[test]
        fn once_locked_on_the_announced_source_no_order_of_packets_moves_it(
            before in proptest::collection::vec(0u16..6, 0..30), after in proptest::collection::vec(1u16..6, 0..60),
        ) {
            let source = |n: u16| SocketAddr::from(([192, 0, 2, n as u8 + 1], 4000 + n));
            let mut lock = SourceLock::new(source(0));
            let mut now = 0;
            for n in before {
                lock.judge(source(n), at(now));
                now += 20;
            }
            lock.judge(source(0), at(now));
            for n in after {
                now += 20;
                prop_assert_eq!(lock.judge(source(n), at(now)), Verdict::Stranger);
            }
            prop_assert_eq!(lock.judge(source(0), at(now)), Verdict::Accept);
        }
    }
}
