//! When a job is tried, without a clock: back-off with jitter, and the breaker that keeps the backlog from
//! knocking at a store that does not answer.

use std::time::Duration;

use crate::time::Timestamp;

/// The first wait; each one is twice the last.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait, before jitter: what a person who repaired something has to wait at most.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// The longest wait between two looks whether the store is back: so long does nobody notice that it is.
const PROBE: Duration = Duration::from_secs(30);
/// Failures in a row, of whatever jobs, that mean that the store is away and not that one request had bad luck.
const IN_A_ROW: u32 = 3;

/// How long after its failure number `failures` (from 1) something is tried again: 1 s, 2 s, 4 s, … 5 min, each
/// within ±50 % by `random`, so that a thousand that failed together do not come back together.
pub(super) fn backoff(failures: u32, random: u32) -> Duration {
    jitter(doubled(failures).min(LONGEST), random)
}

fn doubled(failures: u32) -> Duration {
    FIRST * 2u32.pow(failures.saturating_sub(1).min(16))
}

fn jitter(wait: Duration, random: u32) -> Duration {
    wait.mul_f64(0.5 + f64::from(random) / f64::from(u32::MAX))
}

/// Whether the object store answers. While it does not, jobs that need it are left alone (their back-off does not
/// grow, their rows are not written) and only a cheap look is taken now and then; when it is back, all go on at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breaker {
    /// It answers, as far as is known.
    Closed {
        /// Requests in a row that got no answer.
        failures: u32,
    },
    /// It does not.
    Open {
        /// Since when.
        since: Timestamp,
        /// How often a look was taken.
        looks: u32,
        /// When the next one is due.
        look: Timestamp,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// A request got no answer. Whether the store is away from now on.
    pub(super) fn on_away(&mut self, now: Timestamp, random: u32) -> bool {
        let Self::Closed { failures } = self else { return false };
        *failures += 1;
        if *failures < IN_A_ROW {
            return false;
        }
        *self = Self::Open { since: now, looks: 1, look: now + jitter(FIRST, random) };
        true
    }

    /// A request was answered.
    pub(super) fn on_answer(&mut self) {
        *self = Self::default();
    }

    /// A look got no answer either.
    pub(super) fn on_blank_look(&mut self, now: Timestamp, random: u32) {
        if let Self::Open { looks, look, .. } = self {
            *looks += 1;
            *look = now + jitter(doubled(*looks).min(PROBE), random);
        }
    }

    /// Whether jobs may try.
    pub(super) const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }

    /// Whether it is time for a look.
    pub(super) fn wants_look(&self, now: Timestamp) -> bool {
        match self {
            Self::Closed { .. } => false,
            Self::Open { look, .. } => now >= *look,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn waits_double_up_to_five_minutes() {
        let middle = u32::MAX / 2;
        let seconds = |failures| backoff(failures, middle).as_secs_f64().round();
        let waits: Vec<f64> = (1..=11).map(seconds).collect();
        assert_eq!(waits, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0]);
        assert_eq!(seconds(u32::MAX), 300.0);
        assert_eq!(seconds(0), 1.0);
    }

    proptest! {
        #[test]
        fn jitter_stays_within_half(failures in 0u32..100, random: u32) {
            let exact = doubled(failures).min(LONGEST).as_secs_f64();
            let wait = backoff(failures, random).as_secs_f64();
            prop_assert!(wait >= 0.499 * exact && wait <= 1.501 * exact, "{wait} {exact}");
        }
    }

    #[test]
    fn jitter_reaches_both_ends() {
        assert_eq!(backoff(1, 0), Duration::from_millis(500));
        assert_eq!(backoff(1, u32::MAX), Duration::from_millis(1_500));
    }

    #[test]
    fn one_piece_of_bad_luck_is_not_the_end_of_the_store() {
        let mut breaker = Breaker::default();
        assert!(!breaker.on_away(at(1), 0) && !breaker.on_away(at(2), 0));
        breaker.on_answer();
        assert!(!breaker.on_away(at(3), 0) && !breaker.on_away(at(4), 0) && breaker.is_closed());
        assert!(breaker.on_away(at(5), 0), "three in a row");
        assert!(!breaker.is_closed() && !breaker.on_away(at(5), 0), "told once");
    }

    #[test]
    fn while_it_is_away_only_looks_are_taken_and_ever_fewer() {
        let mut breaker = Breaker::default();
        let middle = u32::MAX / 2;
        while !breaker.on_away(at(0), middle) {}
        let (mut now, mut looks) = (at(0), Vec::new());
        while now < at(3_600) {
            if breaker.wants_look(now) {
                looks.push(now);
                breaker.on_blank_look(now, middle);
            }
            now = now + Duration::from_millis(100);
        }
        assert!(looks[0] <= at(2), "soon at first: {looks:?}");
        let waits: Vec<Duration> = looks.windows(2).map(|two| two[1].since(two[0])).collect();
        assert!(
            waits.iter().all(|wait| *wait <= PROBE + Duration::from_secs(1)),
            "back within 30 s: {waits:?}"
        );
        assert!(looks.len() < 130, "{} looks in an hour", looks.len());
        breaker.on_answer();
        assert!(breaker.is_closed() && !breaker.wants_look(now));
    }
}
