//! Who may call, and how much: trunks by network, strangers ignored for a while, limits per trunk.
//!
//! Every table is bounded, as each is filled by whoever finds our port.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use crate::ids::TrunkId;
use crate::settings::{Settings, Trunk};
use crate::time::Timestamp;

/// Addresses ignored at once, and addresses with failed log-ins at once; about 1 MB each.
const MAX_IGNORED: usize = 10_000;
/// Failed log-ins in a row that make an address a stranger.
const MAX_FAILURES: u32 = 5;
/// Seconds to wait when all of a trunk's calls are taken. A carrier sends us nothing meanwhile
/// (RFC 3261 §21.5.4), so not longer than it takes for some call to end.
const RETRY_WHEN_FULL: u32 = 5;
/// Seconds to wait when a trunk is allowed no call at all.
const RETRY_WHEN_SHUT: u32 = 60;
/// A call in the token bucket's unit: a token a second is then one unit a microsecond.
const CALL: u64 = 1_000_000;

/// Who an out-of-dialog request may be from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// A trunk, by its network.
    Trunk(TrunkId),
    /// Some trunk or agent may be there: challenge.
    NeedsDigest,
    /// Nobody.
    Stranger {
        /// Answer 403 and tell; on later requests be silent.
        first: bool,
        /// Until when it is ignored.
        ignored_until: Timestamp,
    },
}

/// A trunk is at its limit: answer 503 with this Retry-After, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter(pub u32);

/// Recognises sources and counts calls.
pub struct Gate {
    settings: Arc<Settings>,
    networks: Networks,
    ignore: Duration,
    ignored: Expiring<()>,
    failures: Expiring<u32>,
    trunks: HashMap<TrunkId, Load>,
}

impl Gate {
    /// A gate for `settings`; strangers are ignored for `ignore`.
    #[must_use]
    pub fn new(settings: Arc<Settings>, ignore: Duration) -> Self {
        Self {
            networks: Networks::new(&settings),
            settings,
            ignore,
            ignored: Expiring::default(),
            failures: Expiring::default(),
            trunks: HashMap::new(),
        }
    }

    /// Takes new settings; calls already admitted stay counted.
    pub fn settings(&mut self, settings: Arc<Settings>) {
        self.networks = Networks::new(&settings);
        self.trunks.retain(|id, load| load.calls > 0 || settings.trunks.contains_key(id));
        self.settings = settings;
    }

    /// The trunk whose network holds `remote`, the longest prefix first.
    #[must_use]
    pub fn recognise(&self, remote: IpAddr) -> Option<TrunkId> {
        self.networks.find(remote).cloned()
    }

    /// What to make of an out-of-dialog request from `remote`. `may_log_in`: it bears credentials or
    /// names a user who has some. A stranger's first request here starts its time of being ignored.
    pub fn judge(&mut self, remote: IpAddr, may_log_in: bool, now: Timestamp) -> Known {
        if let Some(trunk) = self.recognise(remote) {
            return Known::Trunk(trunk);
        }
        let first = !self.ignored(remote, now);
        if first && may_log_in {
            return Known::NeedsDigest;
        }
        Known::Stranger { first, ignored_until: self.refuse(remote, now) }
    }

    /// Whether requests from `remote` get no answer. Never so for a trunk's address: an agent behind
    /// it with a wrong password must not cut the trunk off.
    #[must_use]
    pub fn ignored(&self, remote: IpAddr, now: Timestamp) -> bool {
        self.ignored.get(source(remote), now).is_some() && self.networks.find(remote).is_none()
    }

    /// Ignores `remote` from now on; says until when. Being ignored already is not prolonged.
    pub fn refuse(&mut self, remote: IpAddr, now: Timestamp) -> Timestamp {
        self.ignored.entry(source(remote), now, now + self.ignore).1
    }

    /// A log-in from `remote` failed. After five in a row (within an hour) it is a stranger: ignored
    /// until the returned time. A trunk's address never is, see [`Gate::ignored`].
    pub fn failed(&mut self, remote: IpAddr, now: Timestamp) -> Option<Timestamp> {
        if self.networks.find(remote).is_some() {
            return None;
        }
        let source = source(remote);
        let (count, _) = self.failures.entry(source, now, now + Duration::from_secs(3_600));
        *count += 1;
        if *count < MAX_FAILURES {
            return None;
        }
        self.failures.remove(source);
        Some(self.refuse(remote, now))
    }

    /// A log-in from `remote` succeeded: its failures are forgotten.
    pub fn succeeded(&mut self, remote: IpAddr) {
        self.failures.remove(source(remote));
    }

    /// Counts a new call of `trunk` in, unless it is at one of its limits. Each call admitted must be
    /// [released](Self::release) once.
    ///
    /// # Errors
    /// [`RetryAfter`] for the 503.
    pub fn admit(&mut self, trunk: &TrunkId, now: Timestamp) -> Result<(), RetryAfter> {
        // A trunk that is no more was recognised before the settings changed.
        let Some(limits) = self.settings.trunks.get(trunk) else { return Err(RetryAfter(RETRY_WHEN_SHUT)) };
        self.trunks.entry(trunk.clone()).or_default().admit(limits, now)
    }

    /// A call of `trunk` that was admitted is over.
    pub fn release(&mut self, trunk: &TrunkId) {
        let Some(load) = self.trunks.get_mut(trunk) else { return };
        load.calls = load.calls.saturating_sub(1);
        if load.calls == 0 && !self.settings.trunks.contains_key(trunk) {
            self.trunks.remove(trunk);
        }
    }

    /// The calls of `trunk` that are admitted and not released.
    #[must_use]
    pub fn calls(&self, trunk: &TrunkId) -> u32 {
        self.trunks.get(trunk).map_or(0, |load| load.calls)
    }
}

/// A trunk's calls, and its token bucket: it holds a second's worth of calls and begins full.
#[derive(Default)]
struct Load {
    calls: u32,
    bucket: Option<Bucket>,
}

struct Bucket {
    level: u64,
    at: Timestamp,
}

impl Load {
    fn admit(&mut self, limits: &Trunk, now: Timestamp) -> Result<(), RetryAfter> {
        if let Some(max) = limits.max_calls
            && self.calls >= max
        {
            return Err(RetryAfter(if max == 0 { RETRY_WHEN_SHUT } else { RETRY_WHEN_FULL }));
        }
        if let Some(rate) = limits.calls_per_second {
            if rate == 0 {
                return Err(RetryAfter(RETRY_WHEN_SHUT));
            }
            self.take_token(rate.into(), now)?;
        }
        self.calls += 1;
        Ok(())
    }

    /// `rate` is in calls a second.
    fn take_token(&mut self, rate: u64, now: Timestamp) -> Result<(), RetryAfter> {
        let full = rate * CALL;
        let bucket = self.bucket.get_or_insert(Bucket { level: full, at: now });
        let micros = u64::try_from(now.since(bucket.at).as_micros()).unwrap_or(u64::MAX);
        bucket.level = bucket.level.saturating_add(micros.saturating_mul(rate)).min(full);
        bucket.at = bucket.at.max(now);
        match bucket.level.checked_sub(CALL) {
            Some(left) => {
                bucket.level = left;
                Ok(())
            }
            // The next token is at most a second away.
            None => Err(RetryAfter(1)),
        }
    }
}

/// The trunks' networks: one table for each prefix length in use, the longest first.
struct Networks {
    v4: BTreeMap<std::cmp::Reverse<u8>, HashMap<IpAddr, TrunkId>>,
    v6: BTreeMap<std::cmp::Reverse<u8>, HashMap<IpAddr, TrunkId>>,
}

impl Networks {
    fn new(settings: &Settings) -> Self {
        let mut networks = Self { v4: BTreeMap::new(), v6: BTreeMap::new() };
        for (id, trunk) in &settings.trunks {
            for net in &trunk.networks {
                let family = if net.addr().is_ipv4() { &mut networks.v4 } else { &mut networks.v6 };
                let table = family.entry(std::cmp::Reverse(net.prefix_len())).or_default();
                table.entry(net.network()).or_insert_with(|| id.clone());
            }
        }
        networks
    }

    fn find(&self, remote: IpAddr) -> Option<&TrunkId> {
        let remote = remote.to_canonical();
        let family = if remote.is_ipv4() { &self.v4 } else { &self.v6 };
        family.iter().find_map(|(length, table)| {
            let network = ipnet::IpNet::new(remote, length.0).expect("the length is of this family");
            table.get(&network.network())
        })
    }
}

/// What counts as one source: an IPv4 address, or an IPv6 /64, since whoever has one address of it
/// has all.
fn source(remote: IpAddr) -> IpAddr {
    match remote.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Values by source for a fixed time; at most [`MAX_IGNORED`], the oldest out.
struct Expiring<T> {
    values: HashMap<IpAddr, (T, Timestamp)>,
    /// In the order they were made; an entry whose time is not the value's is a removed one.
    order: VecDeque<(Timestamp, IpAddr)>,
}

impl<T> Default for Expiring<T> {
    fn default() -> Self {
        Self { values: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T: Default> Expiring<T> {
    fn get(&self, source: IpAddr, now: Timestamp) -> Option<&T> {
        self.values.get(&source).filter(|(_, until)| *until > now).map(|(value, _)| value)
    }

    /// The value of `source`, made now if there is none, and when it ends.
    fn entry(&mut self, source: IpAddr, now: Timestamp, until: Timestamp) -> (&mut T, Timestamp) {
        while self.order.front().is_some_and(|(at, _)| *at <= now) {
            self.drop_oldest();
        }
        if !self.values.contains_key(&source) {
            while self.order.len() >= MAX_IGNORED {
                self.drop_oldest();
            }
            self.order.push_back((until, source));
        }
        let (value, until) = self.values.entry(source).or_insert_with(|| (T::default(), until));
        (value, *until)
    }

    fn remove(&mut self, source: IpAddr) {
        self.values.remove(&source);
    }

    fn drop_oldest(&mut self) {
        if let Some((until, source)) = self.order.pop_front()
            && self.values.get(&source).is_some_and(|(_, at)| *at == until)
        {
            self.values.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
    const IGNORE: Duration = Duration::from_secs(60);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Name, networks, calls at once, calls a second.
    type Row<'a> = (&'a str, &'a [&'a str], Option<u32>, Option<u32>);

    fn gate(trunks: &[Row<'_>]) -> Gate {
        let trunks = trunks.iter().map(|(name, networks, max_calls, calls_per_second)| {
            let trunk = Trunk {
                networks: networks.iter().map(|net| net.parse().unwrap()).collect(),
                max_calls: *max_calls,
                calls_per_second: *calls_per_second,
                ..Trunk::default()
            };
            (TrunkId::from(*name), Arc::new(trunk))
        });
        let settings = Settings { trunks: trunks.collect(), ..Settings::default() };
        Gate::new(Arc::new(settings), IGNORE)
    }

    #[test]
    fn the_longest_prefix_wins() {
        let gate = gate(&[
            ("all", &["0.0.0.0/0"], None, None),
            ("wide", &["10.0.0.0/8", "2001:db8::/32"], None, None),
            ("narrow", &["10.1.0.0/16"], None, None),
            ("one", &["10.1.2.3/32"], None, None),
        ]);
        let found = |remote| gate.recognise(ip(remote)).map(|id| id.0);
        assert_eq!(found("10.1.2.3").as_deref(), Some("one"));
        assert_eq!(found("::ffff:10.1.2.3").as_deref(), Some("one"), "a dual-stack socket's view");
        assert_eq!(found("10.1.2.4").as_deref(), Some("narrow"));
        assert_eq!(found("10.2.0.1").as_deref(), Some("wide"));
        assert_eq!(found("192.0.2.1").as_deref(), Some("all"));
        assert_eq!(found("2001:db8:1::1").as_deref(), Some("wide"));
        assert_eq!(found("2001:db9::1"), None, "0.0.0.0/0 says nothing of IPv6");
    }

    #[test]
    fn a_stranger_is_told_once_and_then_ignored_for_a_while() {
        let mut gate = gate(&[("t", &["10.0.0.0/8"], None, None)]);
        let until = NOW + IGNORE;
        let stranger = |first| Known::Stranger { first, ignored_until: until };
        assert_eq!(gate.judge(ip("10.0.0.1"), false, NOW), Known::Trunk(TrunkId::from("t")));
        assert_eq!(gate.judge(ip("192.0.2.1"), true, NOW), Known::NeedsDigest);
        assert_eq!(gate.judge(ip("192.0.2.1"), false, NOW), stranger(true));
        let later = NOW + Duration::from_secs(59);
        assert_eq!(gate.judge(ip("192.0.2.1"), true, later), stranger(false), "not prolonged");
        assert!(!gate.ignored(ip("192.0.2.2"), later));
        assert!(!gate.ignored(ip("192.0.2.1"), until));
        assert_eq!(gate.judge(ip("192.0.2.1"), true, until), Known::NeedsDigest);
        gate.refuse(ip("2001:db8:0:1::1"), NOW);
        assert!(gate.ignored(ip("2001:db8:0:1:ffff::2"), NOW), "the same /64");
        assert!(!gate.ignored(ip("2001:db8:0:2::1"), NOW));
        gate.refuse(ip("10.0.0.1"), NOW);
        assert!(!gate.ignored(ip("10.0.0.1"), NOW), "a trunk is never cut off");
    }

    #[test]
    fn five_failures_in_a_row_make_a_stranger() {
        let mut gate = gate(&[("t", &["10.0.0.0/8"], None, None)]);
        for _ in 0..6 {
            assert_eq!(gate.failed(ip("10.0.0.1"), NOW), None, "a trunk's");
        }
        let remote = ip("192.0.2.1");
        for _ in 0..4 {
            assert_eq!(gate.failed(remote, NOW), None);
        }
        gate.succeeded(remote);
        for _ in 0..4 {
            assert_eq!(gate.failed(remote, NOW), None);
        }
        assert_eq!(gate.failed(remote, NOW), Some(NOW + IGNORE));
        assert!(gate.ignored(remote, NOW));
        assert!(gate.failures.values.is_empty());
    }

    #[test]
    fn the_tables_are_bounded_and_the_oldest_goes() {
        let mut gate = gate(&[]);
        let nth = |n: u32| IpAddr::from(n.to_be_bytes());
        for n in 0..MAX_IGNORED as u32 + 5 {
            gate.refuse(nth(n), NOW);
        }
        assert_eq!((gate.ignored.values.len(), gate.ignored.order.len()), (MAX_IGNORED, MAX_IGNORED));
        assert!(!gate.ignored(nth(4), NOW) && gate.ignored(nth(5), NOW));
        gate.refuse(nth(1), NOW + IGNORE);
        assert_eq!(gate.ignored.values.len(), 1, "what has expired is dropped");
        for _ in 0..3 * MAX_IGNORED {
            gate.failed(nth(1), NOW);
            gate.succeeded(nth(1));
        }
        assert!(gate.failures.order.len() <= MAX_IGNORED && gate.failures.values.is_empty());
    }

    #[test]
    fn calls_at_once_are_limited() {
        let mut gate = gate(&[("t", &[], Some(2), None), ("shut", &[], Some(0), None)]);
        let trunk = TrunkId::from("t");
        assert_eq!(gate.admit(&trunk, NOW), Ok(()));
        assert_eq!(gate.admit(&trunk, NOW), Ok(()));
        assert_eq!(gate.admit(&trunk, NOW), Err(RetryAfter(RETRY_WHEN_FULL)));
        assert_eq!(gate.admit(&TrunkId::from("shut"), NOW), Err(RetryAfter(RETRY_WHEN_SHUT)));
        gate.release(&trunk);
        assert_eq!(gate.admit(&trunk, NOW), Ok(()));
        gate.settings(Arc::new(Settings::default()));
        assert_eq!(gate.calls(&trunk), 2, "its calls go on when the trunk is removed");
        assert_eq!(gate.admit(&trunk, NOW), Err(RetryAfter(RETRY_WHEN_SHUT)));
        gate.release(&trunk);
        gate.release(&trunk);
        gate.release(&trunk);
        assert!(!gate.trunks.contains_key(&trunk));
    }

    #[test]
    fn calls_a_second_are_limited_by_a_bucket() {
        let mut gate = gate(&[("t", &[], None, Some(10)), ("shut", &[], None, Some(0))]);
        let trunk = TrunkId::from("t");
        let mut admitted =
            |at: Timestamp, tries: u32| (0..tries).filter(|_| gate.admit(&trunk, at).is_ok()).count();
        assert_eq!(admitted(NOW, 50), 10, "a second's worth at once");
        assert_eq!(admitted(NOW + Duration::from_millis(99), 1), 0);
        assert_eq!(admitted(NOW + Duration::from_millis(100), 5), 1);
        assert_eq!(admitted(NOW, 5), 0, "time that runs back fills nothing");
        let total: usize = (1..=1_000).map(|n| admitted(NOW + Duration::from_millis(100 + 7 * n), 3)).sum();
        assert_eq!(total, 70, "over 7 s");
        assert_eq!(admitted(NOW + Duration::from_secs(9_999), 50), 10);
        assert_eq!(gate.admit(&trunk, NOW + Duration::from_secs(9_999)), Err(RetryAfter(1)));
        assert_eq!(gate.admit(&TrunkId::from("shut"), NOW), Err(RetryAfter(RETRY_WHEN_SHUT)));
    }
}
