//! A timer wheel of 1 ms slots: arming and firing cost the same however many timers there are.
//! Nothing is cancelled: whoever is told that a timer fired checks whether it still matters.

use std::time::Duration;

use crate::time::Timestamp;

/// Slots; a timer further away than this many milliseconds waits for more than one turn.
const SLOTS: usize = 1_024;

/// Timers of kind `T`.
#[derive(Debug)]
pub(super) struct Wheel<T> {
    slots: Vec<Vec<(u64, T)>>,
    /// One bit per slot that holds timers.
    occupied: [u64; SLOTS / 64],
    /// The time of tick 0.
    origin: Timestamp,
    /// The first tick that has not been fired yet.
    next: u64,
    armed: usize,
}

impl<T> Wheel<T> {
    /// A wheel that begins to turn at `origin`.
    pub(super) fn new(origin: Timestamp) -> Self {
        let slots = std::iter::repeat_with(Vec::new).take(SLOTS).collect();
        Self { slots, occupied: [0; SLOTS / 64], origin, next: 0, armed: 0 }
    }

    /// Fires at the first millisecond at or after `at`; at the next one when that is past.
    pub(super) fn arm(&mut self, at: Timestamp, timer: T) {
        let tick = Self::ticks(at.since(self.origin).as_micros() + 999).max(self.next);
        let slot = Self::slot(tick);
        self.slots[slot].push((tick, timer));
        self.occupied[slot / 64] |= 1 << (slot % 64);
        self.armed += 1;
    }

    /// Moves the timers due by `now` into `fired`.
    pub(super) fn advance(&mut self, now: Timestamp, fired: &mut Vec<T>) {
        let last = Self::ticks(now.since(self.origin).as_micros());
        // After a long standstill one turn visits every slot.
        let first = self.next.max((last + 1).saturating_sub(SLOTS as u64));
        for tick in first..=last {
            let slot = Self::slot(tick);
            if self.occupied[slot / 64] & (1 << (slot % 64)) == 0 {
                continue;
            }
            let before = fired.len();
            let timers = &mut self.slots[slot];
            fired.extend(timers.extract_if(.., |(due, _)| *due <= last).map(|(_, timer)| timer));
            if timers.is_empty() {
                self.occupied[slot / 64] &= !(1 << (slot % 64));
            }
            self.armed -= fired.len() - before;
        }
        self.next = self.next.max(last + 1);
    }

    /// When to look again: never later than the next timer, at times earlier (a slot may hold only
    /// timers of a later turn). `None` when nothing is armed.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        if self.armed == 0 {
            return None;
        }
        let start = Self::slot(self.next);
        // Word by word from the slot due next; the first word is seen twice, its low part last.
        let word = |n: usize| {
            let at = (start / 64 + n) % self.occupied.len();
            let bits = self.occupied[at];
            let bits = match n {
                0 => bits & (u64::MAX << (start % 64)),
                n if n == self.occupied.len() => bits & !(u64::MAX << (start % 64)),
                _ => bits,
            };
            (bits != 0).then(|| at * 64 + bits.trailing_zeros() as usize)
        };
        let slot = (0..=self.occupied.len()).find_map(word)?;
        let ahead = (slot + SLOTS - start) % SLOTS;
        Some(self.origin + Duration::from_millis(self.next + ahead as u64))
    }

    fn slot(tick: u64) -> usize {
        (tick % SLOTS as u64) as usize
    }

    fn ticks(micros: u128) -> u64 {
        u64::try_from(micros / 1_000).unwrap_or(u64::MAX - SLOTS as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ZERO: Timestamp = Timestamp::from_micros(1_000_000_000);

    proptest! {
        #[test]
        fn every_timer_fires_once_and_never_early(
            delays in proptest::collection::vec(0u64..6_000_000, 1..60), steps in proptest::collection::vec(1u64..900_000, 1..40),
        ) {
            let mut wheel = Wheel::new(ZERO);
            for delay in &delays {
                wheel.arm(ZERO + Duration::from_micros(*delay), *delay);
            }
            let (mut now, mut fired) = (0, Vec::new());
            for step in steps.into_iter().chain([6_100_000]) {
                let before = now;
                now += step;
                let mut due = Vec::new();
                wheel.advance(ZERO + Duration::from_micros(now), &mut due);
                for delay in &due {
                    prop_assert!(*delay <= now, "early: {delay} at {now}");
                    prop_assert!(*delay + 1_000 > before, "late: {delay} after {before}");
                }
                fired.extend(due);
            }
            fired.sort_unstable();
            let mut expected = delays;
            expected.sort_unstable();
            prop_assert_eq!(fired, expected);
            prop_assert_eq!(wheel.poll_timeout(), None);
        }

        #[test]
        fn following_poll_timeout_misses_nothing(delays in proptest::collection::vec(0u64..5_000_000, 1..20)) {
            let mut wheel = Wheel::new(ZERO);
            for delay in &delays {
                wheel.arm(ZERO + Duration::from_micros(*delay), *delay);
            }
            let (mut fired, mut wakes) = (Vec::new(), 0);
            while let Some(at) = wheel.poll_timeout() {
                let before = fired.len();
                wheel.advance(at, &mut fired);
                for delay in &fired[before..] {
                    let due = ZERO + Duration::from_micros(*delay);
                    prop_assert!(at >= due && at.since(due) < Duration::from_millis(1));
                }
                wakes += 1;
                prop_assert!(wakes <= delays.len() * 6, "woken for nothing");
            }
            prop_assert_eq!(fired.len(), delays.len());
        }
    }
}
