//! When log-ins are refused unheard: a name after failures, a source address after more of them.

use std::net::IpAddr;
use std::time::Duration;

use crate::settings::PasswordRules;
use crate::sip::core::buckets::{Bucket, Rate, Recent};
use crate::time::Timestamp;

/// Failures longer ago count no more, whatever the rules say: no lock is longer.
pub const FORGOTTEN: Duration = Duration::from_secs(24 * 3_600);
/// Failures from one source, whatever the names: a whole office behind one address may mistype on a Monday
/// morning, and who guesses is held to three in a minute.
const SOURCE: Rate = Rate { burst: 30, every: Duration::from_secs(20) };

/// Sources remembered, at most twice.
const SOURCES: usize = 10_000;

/// The failures of each source of late.
pub struct Sources(Recent<Source, Bucket>);

impl Default for Sources {
    fn default() -> Self {
        Self(Recent::new(SOURCES))
    }
}

impl Sources {
    /// Whether a log-in from there is heard.
    pub fn allows(&mut self, source: Source, now: Timestamp) -> bool {
        self.0.get(source).is_none_or(|bucket| bucket.has(SOURCE, now))
    }

    /// One failed.
    pub fn failed(&mut self, source: Source, now: Timestamp) {
        // Those that were heard together may fail together: more than the bucket holds is not counted.
        let _ = self.0.entry(source).take(SOURCE, now);
    }
}

/// Log-ins of unknown names that the audit log tells of, wherever they come from: who has many addresses fills no disk.
const STRANGERS: Rate = Rate { burst: 300, every: Duration::from_secs(2) };

/// The log-ins of unknown names of late.
#[derive(Default)]
pub struct Strangers(Bucket);

impl Strangers {
    /// Whether this one is told, or only counted.
    pub fn told(&mut self, now: Timestamp) -> bool {
        self.0.take(STRANGERS, now)
    }
}

/// Where log-ins come from: an IPv4 address, or an IPv6 network of 64 bits, since whoever has one address of
/// such a network has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(u64, bool);

impl From<IpAddr> for Source {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self(u64::from(u32::from(ip)), false),
            IpAddr::V6(ip) => Self(u64::try_from(u128::from(ip) >> 64).unwrap_or(u64::MAX), true),
        }
    }
}

/// The failures of a name since its last success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// How many.
    pub failures: u32,
    /// The last one; `None`: there was none.
    pub last: Option<Timestamp>,
}

impl Attempts {
    /// Until when the name is locked, if it is.
    #[must_use]
    pub fn locked(self, rules: &PasswordRules, now: Timestamp) -> Option<Timestamp> {
        let until = self.last? + rules.lock_for;
        (self.failures >= u32::from(rules.lock_after) && now < until).then_some(until)
    }

    /// With one failure more; those before it are forgotten when the last was longer ago than a lock takes. Never
    /// asked of a locked name: its lock is not made longer by trying.
    #[must_use]
    pub fn failed(self, rules: &PasswordRules, now: Timestamp) -> Self {
        let fresh = self.last.is_some_and(|last| now < last + rules.lock_for);
        Self { failures: if fresh { self.failures.saturating_add(1) } else { 1 }, last: Some(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_flood_of_strangers_not_all_are_told() {
        let start = Timestamp::from_micros(1_795_000_000_000_000);
        let mut strangers = Strangers::default();
        assert_eq!((0..1_000).filter(|_| strangers.told(start)).count(), 300);
        let later = start + Duration::from_secs(60);
        assert_eq!((0..1_000).filter(|_| strangers.told(later)).count(), 30);
    }

    #[test]
    fn so_many_failures_lock_for_so_long() {
        let start = Timestamp::from_micros(1_795_000_000_000_000);
        let usual = PasswordRules::default();
        let strict = PasswordRules { lock_after: 2, lock_for: Duration::from_secs(60), ..usual };
        assert_eq!((usual.lock_after, usual.lock_for), (5, Duration::from_secs(30 * 60)));
        for rules in [usual, strict] {
            let mut attempts = Attempts::default();
            for n in 0..rules.lock_after {
                assert_eq!(attempts.locked(&rules, start), None, "after {n}");
                attempts = attempts.failed(&rules, start);
            }
            assert_eq!(attempts.locked(&rules, start), Some(start + rules.lock_for));
            assert_eq!(attempts.locked(&rules, start + rules.lock_for), None);
            assert_eq!(attempts.failed(&rules, start + rules.lock_for).failures, 1, "all are forgotten then");
        }
    }

    #[test]
    fn old_failures_do_not_count() {
        let start = Timestamp::from_micros(1_795_000_000_000_000);
        let (rules, hour) = (PasswordRules::default(), Duration::from_secs(3_600));
        let mut attempts = Attempts::default();
        for n in 0..20 {
            attempts = attempts.failed(&rules, start + hour * n);
            assert_eq!(attempts.locked(&rules, start + hour * n), None);
        }
    }

    #[test]
    fn a_source_that_fails_often_is_slowed_down_and_others_are_not() {
        let start = Timestamp::from_micros(1_795_000_000_000_000);
        let of = |text: &str| Source::from(text.parse::<IpAddr>().expect("an address"));
        let (bad, good) = (of("192.0.2.1"), of("192.0.2.2"));
        let mut sources = Sources::default();
        for _ in 0..SOURCE.burst {
            assert!(sources.allows(bad, start));
            sources.failed(bad, start);
        }
        assert!(!sources.allows(bad, start) && sources.allows(good, start));
        assert!(sources.allows(bad, start + SOURCE.every));
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let of = |text: &str| Source::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
    }
}
