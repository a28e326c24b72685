//! Which objects of a run are read: always the same for the same run, other ones in the next.

use ulid::Ulid;

use crate::ids::RecordingId;

/// A sample of so many per mille, and the first few of each day at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What the choice depends on: the run's id.
    seed: u128,
    per_mille: u16,
    /// So many are taken before chance decides.
    at_least: u32,
}

impl Sample {
    /// Of each thousand so many (1,000 and more: all), and of each part, a day for example,
    /// the first `at_least`.
    #[must_use]
    pub const fn new(run: Ulid, per_mille: u16, at_least: u32) -> Self {
        Self { seed: run.0, per_mille, at_least }
    }

    /// How many of the part are taken in any case.
    #[must_use]
    pub const fn at_least(&self) -> u32 {
        self.at_least
    }

    /// Whether `id` is taken when `taken` of its part have been. The same answer each time.
    #[must_use]
    pub fn takes(&self, id: RecordingId, taken: u32) -> bool {
        taken < self.at_least || self.draws(id)
    }

    /// Whether chance takes it.
    fn draws(&self, id: RecordingId) -> bool {
        let id = Ulid::from_string(&id.to_string()).map_or(0, |ulid| ulid.0);
        let mixed = mix(low(id) ^ mix(high(id) ^ mix(low(self.seed) ^ mix(high(self.seed)))));
        mixed % 1_000 < u64::from(self.per_mille)
    }
}

fn low(number: u128) -> u64 {
    u64::try_from(number & u128::from(u64::MAX)).unwrap_or(0)
}

fn high(number: u128) -> u64 {
    u64::try_from(number >> 64).unwrap_or(0)
}

/// The finalizer of SplitMix64: each bit of the input moves half of the output's.
const fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_as_large_as_asked_and_repeats_itself() {
        let ids = || (0..10_000u128).map(|n| RecordingId::new(Ulid(n << 3)));
        let count = |sample: &Sample| ids().filter(|id| sample.takes(*id, 100)).count();
        let sample = Sample::new(Ulid(7), 20, 3);
        assert!((150..250).contains(&count(&sample)), "{}", count(&sample));
        assert_eq!(count(&sample), count(&sample.clone()));
        assert_eq!(count(&Sample::new(Ulid(7), 1_000, 0)), 10_000);
        assert_eq!(count(&Sample::new(Ulid(7), 0, 0)), 0);
        let other = Sample::new(Ulid(8), 20, 3);
        assert!(ids().any(|id| sample.takes(id, 100) != other.takes(id, 100)));
        assert!(ids().all(|id| sample.takes(id, 2)), "the first three are always taken");
    }
}
