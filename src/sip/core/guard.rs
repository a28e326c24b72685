//! How much each source may ask of us, so that nobody's flood or broken phone costs the others.
//!
//! A source is an IPv4 address or an IPv6 /64. Trunks are known by their networks; a *peer* is a source that
//! has shown who it is: it logged in, answered a request of ours, or spoke in a dialog of its own. Everybody
//! else is a stranger: since addresses of datagrams are forged with ease, all strangers together have one
//! more bucket, and get few answers.
//!
//! Guessing a password is slowed by source and by user name. Where a user has logged in before, that pair of
//! source and name has a bucket of its own: guesses from elsewhere do not lock the phone out.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::buckets::{Bucket, Rate, Recent};
use crate::time::Timestamp;

/// Requests of a trunk's address. A core sets up some 1,000 calls a second, of some five requests each.
const OF_TRUNK: Rate = Rate::per_second(20_000, 10_000);
/// Requests of one phone's address and port: many times what it needs, or an office's proxy.
const OF_PHONE: Rate = Rate::per_second(1_000, 200);
/// Requests of a peer's address, an office behind a NAT.
const OF_PEER: Rate = Rate::per_second(5_000, 2_000);
/// Requests of a stranger's address by datagrams: enough to log in, retransmissions included.
const OF_STRANGER: Rate = Rate::per_second(40, 20);
/// Requests of a stranger's address over connections, whose addresses are real: an office whose phones all
/// come back at once.
const OF_CONNECTED: Rate = Rate::per_second(1_000, 100);
/// Requests of all strangers, for datagrams and for connections: to read and refuse one costs about 20 µs,
/// so this is a tenth of a core.
const OF_ALL: Rate = Rate::per_second(5_000, 5_000);
/// Answers to a stranger's datagrams. They could be forged to have us send to somebody else; ours are then
/// one small datagram a second. The burst is what a log-in with a mistyped password needs.
const ANSWERS: Rate = Rate::per_second(5, 1);
/// Answers to datagrams of all strangers: 0.6 MB/s.
const ALL_ANSWERS: Rate = Rate::per_second(1_000, 1_000);

/// Wrong passwords for one user name from everywhere: 2,880 a day.
const OF_USER: Rate = Rate { burst: 10, every: Duration::from_secs(30) };
/// Wrong passwords from one peer's or trunk's address; a stranger's is shut out after five.
const FROM_PEER: Rate = Rate { burst: 20, every: Duration::from_secs(10) };
/// Wrong passwords for a name from where it has logged in before: hardly a guesser, and if so then one
/// behind the same NAT, who must not lock the phone out for long.
const OF_PAIR: Rate = Rate { burst: 20, every: Duration::from_secs(1) };
/// How long to wait when log-ins are slowed, in seconds: until there is a token again.
pub(super) const RETRY_LOG_IN: u32 = 30;

/// Half the most entries of a table; about 2 MB all together.
const HALF: usize = 8_192;
/// Buckets for user names, by hash: a fixed number, for names come from anybody and those that exist must
/// not be told from those that do not.
const USERS: usize = 8_192;

/// What was refused by a limit, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Requests of trunks beyond their bucket.
    pub trunk_requests: u64,
    /// Requests of phones and other peers.
    pub peer_requests: u64,
    /// Requests of strangers, unread.
    pub stranger_requests: u64,
    /// Answers that strangers did not get.
    pub answers: u64,
    /// Log-ins that were not looked at, for there were too many wrong ones.
    pub log_ins: u64,
    /// New calls and registrations refused as there is too much to do.
    pub overload: u64,
}

/// Whether a stranger is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    /// It has had its own.
    Spent,
    /// Too many others ask.
    Busy,
}

/// Where requests come from, as far as limits go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Trunk,
    Peer,
    Stranger,
}

/// The buckets of all sources.
pub(super) struct Guard {
    trunks: Recent<IpAddr, Bucket>,
    peers: Recent<IpAddr, Peer>,
    phones: Recent<SocketAddr, Bucket>,
    strangers: Recent<IpAddr, Stranger>,
    all: [Bucket; 2],
    all_answers: Bucket,
    pairs: Recent<(IpAddr, u64), Bucket>,
    users: Box<[Bucket]>,
    /// Keys the hash of names, so that nobody finds two that share a bucket.
    seed: u64,
    pub(super) refused: Refusals,
}

#[derive(Default)]
struct Peer {
    requests: Bucket,
    failures: Bucket,
}

#[derive(Default)]
struct Stranger {
    requests: [Bucket; 2],
    answers: Bucket,
}

impl Guard {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            trunks: Recent::new(HALF),
            peers: Recent::new(HALF),
            phones: Recent::new(HALF),
            strangers: Recent::new(HALF),
            all: [Bucket::default(); 2],
            all_answers: Bucket::default(),
            pairs: Recent::new(HALF),
            users: vec![Bucket::default(); USERS].into(),
            seed,
            refused: Refusals::default(),
        }
    }

    /// `remote` has shown who it is.
    pub(super) fn befriend(&mut self, remote: IpAddr) {
        self.peers.entry(source(remote));
    }

    pub(super) fn is_peer(&self, remote: IpAddr) -> bool {
        self.peers.has(&source(remote))
    }

    /// Whether a request is to be read at all.
    pub(super) fn takes(
        &mut self,
        remote: SocketAddr,
        standing: Standing,
        connected: bool,
        now: Timestamp,
    ) -> bool {
        let from = source(remote.ip());
        match standing {
            Standing::Trunk => {
                let taken = self.trunks.entry(from).take(OF_TRUNK, now);
                self.refused.trunk_requests += u64::from(!taken);
                taken
            }
            Standing::Peer => {
                let taken = self.phones.entry(remote).take(OF_PHONE, now)
                    && self.peers.entry(from).requests.take(OF_PEER, now);
                self.refused.peer_requests += u64::from(!taken);
                taken
            }
            Standing::Stranger => {
                let (kind, rate) = if connected { (1, OF_CONNECTED) } else { (0, OF_STRANGER) };
                // Theirs all first: a forged address then costs no place in the table.
                let taken = self.all[kind].has(OF_ALL, now)
                    && self.strangers.entry(from).requests[kind].take(rate, now)
                    && self.all[kind].take(OF_ALL, now);
                self.refused.stranger_requests += u64::from(!taken);
                taken
            }
        }
    }

    /// Whether a stranger's datagram may be answered.
    pub(super) fn answers(&mut self, remote: IpAddr, now: Timestamp) -> Answer {
        let answer = if !self.all_answers.has(ALL_ANSWERS, now) {
            Answer::Busy
        } else if !self.strangers.entry(source(remote)).answers.take(ANSWERS, now) {
            Answer::Spent
        } else {
            self.all_answers.take(ALL_ANSWERS, now);
            Answer::Yes
        };
        self.refused.answers += u64::from(answer != Answer::Yes);
        answer
    }

    /// Whether a password for `user` is looked at.
    pub(super) fn may_try(&mut self, remote: IpAddr, user: &str, standing: Standing, now: Timestamp) -> bool {
        let (from, name) = (source(remote), self.hash(user));
        let may = match self.pairs.get((from, name)) {
            Some(pair) => pair.has(OF_PAIR, now),
            None => {
                let by_source = match standing {
                    Standing::Stranger => true, // see `Gate::failed`
                    Standing::Trunk | Standing::Peer => {
                        self.peers.get(from).is_none_or(|peer| peer.failures.has(FROM_PEER, now))
                    }
                };
                by_source && self.user(name).has(OF_USER, now)
            }
        };
        self.refused.log_ins += u64::from(!may);
        may
    }

    /// A password for `user` was wrong.
    pub(super) fn failed(&mut self, remote: IpAddr, user: &str, standing: Standing, now: Timestamp) {
        let (from, name) = (source(remote), self.hash(user));
        if let Some(pair) = self.pairs.get((from, name)) {
            pair.take(OF_PAIR, now);
            return;
        }
        match standing {
            Standing::Stranger => {}
            Standing::Trunk | Standing::Peer => {
                self.peers.entry(from).failures.take(FROM_PEER, now);
            }
        }
        self.user(name).take(OF_USER, now);
    }

    /// A password for `user` was right.
    pub(super) fn succeeded(&mut self, remote: IpAddr, user: &str) {
        let name = self.hash(user);
        self.pairs.entry((source(remote), name));
        self.befriend(remote);
    }

    /// The entries of all tables that strangers can fill.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.trunks.len() + self.peers.len() + self.phones.len() + self.strangers.len() + self.pairs.len()
    }

    fn hash(&self, user: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, user).hash(&mut hasher);
        hasher.finish()
    }

    fn user(&mut self, name: u64) -> &mut Bucket {
        &mut self.users[(name % USERS as u64) as usize]
    }
}

/// How many STUN requests are answered: their source may be forged, too.
pub struct StunQuota {
    sources: Recent<IpAddr, Bucket>,
    all: Bucket,
}

/// STUN answers to one source: an office of 1,000 phones asks 40 times a second. To somebody whose address is
/// forged that is 5 kB/s at most.
const STUN: Rate = Rate::per_second(200, 100);
/// STUN answers to all.
const ALL_STUN: Rate = Rate::per_second(10_000, 10_000);

impl Default for StunQuota {
    fn default() -> Self {
        Self { sources: Recent::new(HALF), all: Bucket::default() }
    }
}

impl StunQuota {
    /// Whether a request from there is answered.
    pub fn takes(&mut self, remote: IpAddr, now: Timestamp) -> bool {
        self.all.has(ALL_STUN, now)
            && self.sources.entry(source(remote)).take(STUN, now)
            && self.all.take(ALL_STUN, now)
    }
}

/// What counts as one source: an IPv4 address, or an IPv6 /64, since whoever has one address of it
/// has all.
pub(super) fn source(remote: IpAddr) -> IpAddr {
    match remote.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::Standing::{Peer, Stranger, Trunk};
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn nth(n: u32) -> IpAddr {
        IpAddr::from((0x0b00_0000 + n).to_be_bytes())
    }

    fn at(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), 5060)
    }

    fn after(seconds: u64) -> Timestamp {
        NOW + Duration::from_secs(seconds)
    }

    #[test]
    fn a_source_has_its_own_bucket_and_a_network_of_ipv6_is_one_source() {
        let mut guard = Guard::new(1);
        let mut taken =
            |from: &str, n| (0..n).filter(|_| guard.takes(at(from), Stranger, false, NOW)).count();
        assert_eq!(taken("192.0.2.1", 100), 40);
        assert_eq!(taken("192.0.2.2", 100), 40);
        assert_eq!(taken("2001:db8:0:1::1", 30) + taken("2001:db8:0:1:ffff::2", 70), 40);
        assert_eq!(taken("2001:db8:0:2::1", 100), 40);
        assert_eq!(guard.refused.stranger_requests, 4 * 60);
        assert!(guard.takes(at("192.0.2.1"), Stranger, true, NOW), "a connection's address is real");
        assert!(guard.takes(at("192.0.2.1"), Stranger, false, after(1)));
    }

    #[test]
    fn a_hundred_thousand_forged_addresses_cost_little_and_spoil_nothing() {
        let mut guard = Guard::new(1);
        guard.succeeded(nth(1_000_000), "ada");
        let (mut read, mut answered) = (0, 0);
        for n in 0..100_000 {
            read += u32::from(guard.takes(SocketAddr::new(nth(n), 5060), Stranger, false, NOW));
            answered += u32::from(guard.answers(nth(n), NOW) == Answer::Yes);
        }
        assert_eq!((read, answered), (5_000, 1_000));
        for second in 0..20 {
            for n in 0..10_000 {
                guard.takes(
                    SocketAddr::new(nth(second * 10_000 + n), 1),
                    Stranger,
                    false,
                    after(second.into()),
                );
            }
        }
        assert!(guard.len() <= 5 * 2 * HALF, "{}", guard.len());
        assert!(guard.strangers.len() <= 2 * HALF);
        assert!(guard.takes(at("10.0.0.2"), Trunk, false, NOW));
        assert!(guard.is_peer(nth(1_000_000)) && guard.may_try(nth(1_000_000), "ada", Peer, NOW));
        assert!(guard.takes(SocketAddr::new(nth(1_000_000), 5060), Peer, false, NOW));
    }

    #[test]
    fn a_broken_phone_starves_neither_its_neighbours_nor_the_trunk() {
        let mut guard = Guard::new(1);
        guard.befriend(at("192.0.2.1").ip());
        let broken = (0..100_000).filter(|_| guard.takes(at("192.0.2.1"), Peer, false, NOW)).count();
        assert_eq!(broken, 1_000);
        assert!(guard.takes(SocketAddr::new(at("192.0.2.1").ip(), 5062), Peer, false, NOW), "behind its NAT");
        assert!(guard.takes(at("10.0.0.2"), Trunk, false, NOW));
        assert_eq!(guard.refused.peer_requests, 99_000);
    }

    #[test]
    fn stun_answers_are_bounded() {
        let mut quota = StunQuota::default();
        let mut taken = |n, times| (0..times).filter(|_| quota.takes(nth(n), NOW)).count();
        assert_eq!(taken(1, 1_000), 200);
        assert_eq!((2..90_000).map(|n| taken(n, 1)).sum::<usize>(), 9_800);
        assert!(quota.sources.len() <= 2 * HALF);
        assert!(quota.takes(nth(1), after(1)));
    }

    #[test]
    fn guessing_from_many_addresses_is_slowed_and_the_phone_keeps_its_way() {
        let mut guard = Guard::new(1);
        let home = at("192.0.2.1").ip();
        guard.succeeded(home, "ada");
        let mut guesses = 0;
        for n in 0..5_000 {
            let now = NOW + Duration::from_millis(60) * n; // five minutes
            if guard.may_try(nth(n), "ada", Stranger, now) {
                guard.failed(nth(n), "ada", Stranger, now);
                guesses += 1;
            }
        }
        assert_eq!(guesses, 10 + 9, "ten at once, one in 30 s after");
        assert_eq!(guard.refused.log_ins, 5_000 - 19);
        let now = after(300);
        assert!(guard.may_try(home, "ada", Peer, now), "the phone itself");
        assert!(guard.may_try(nth(1), "bob", Stranger, now), "nor is another user touched");
        // A name that is not there is slowed the same way.
        for _ in 0..10 {
            assert!(guard.may_try(nth(1), "nobody", Stranger, now));
            guard.failed(nth(1), "nobody", Stranger, now);
        }
        assert!(!guard.may_try(nth(2), "nobody", Stranger, now));
    }

    #[test]
    fn guesses_from_a_known_address_are_slowed_too() {
        let mut guard = Guard::new(1);
        let office = at("192.0.2.1").ip();
        guard.succeeded(office, "ada");
        let tries = |guard: &mut Guard, user: &dyn Fn(u32) -> String, now| {
            (0..100)
                .filter(|n| {
                    let may = guard.may_try(office, &user(*n), Peer, now);
                    guard.failed(office, &user(*n), Peer, now);
                    may
                })
                .count()
        };
        assert_eq!(tries(&mut guard, &|n| format!("user{n}"), NOW), 20, "one password for many names");
        assert_eq!(tries(&mut guard, &|_| "ada".to_owned(), NOW), 20);
        assert!(guard.may_try(office, "ada", Peer, after(1)), "soon again");
        assert!(!guard.may_try(office, "user200", Peer, after(9)));
    }
}
