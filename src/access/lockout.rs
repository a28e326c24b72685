//! When log-ins are refused unheard: a name after failures, a source address after more of them.

use std::net::IpAddr;
use std::time::Duration;

use crate::sip::core::buckets::{Bucket, Rate, Recent};
use crate::time::Timestamp;

/// Failures in a row that lock a name.
pub const FAILURES: u32 = 5;
/// How long it is locked; failures longer ago than this count no more.
pub const LOCKED_FOR: Duration = Duration::from_secs(30 * 60);
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
    pub fn locked(self, now: Timestamp) -> Option<Timestamp> {
        let until = self.last? + LOCKED_FOR;
        (self.failures >= FAILURES && now < until).then_some(until)
    }

    /// With one failure more. Never asked of a locked name: its lock is not made longer by trying.
    #[must_use]
    pub fn failed(self, now: Timestamp) -> Self {
        let fresh = self.last.is_some_and(|last| now < last + LOCKED_FOR);
        Self { failures: if fresh { self.failures.saturating_add(1) } else { 1 }, last: Some(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_lock_for_half_an_hour() {
        let start = Timestamp::from_micros(1_795_000_000_000_000);
        let mut attempts = Attempts::default();
        for n in 0..FAILURES {
            assert_eq!(attempts.locked(start), None, "after {n}");
            attempts = attempts.failed(start);
        }
        assert_eq!(attempts.locked(start), Some(start + LOCKED_FOR));
        assert_eq!(attempts.locked(start + LOCKED_FOR), None);
        assert_eq!(attempts.failed(start + LOCKED_FOR).failures, 1, "all are forgotten then");
    }

    #[test]
    fn old_failures_do_not_count() {
        let start = Timestamp::from_micros(1_795_000_000_000_000);
        let hour = Duration::from_secs(3_600);
        let mut attempts = Attempts::default();
        for n in 0..20 {
            attempts = attempts.failed(start + hour * n);
            assert_eq!(attempts.locked(start + hour * n), None);
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
