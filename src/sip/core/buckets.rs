//! Token buckets, and tables of them that stay small whoever fills them.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::time::Timestamp;

/// How much is allowed: `burst` at once, and one more after each `every`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) burst: u32,
    pub(crate) every: Duration,
}

impl Rate {
    /// `burst` at once, `per_second` over time.
    pub(crate) const fn per_second(burst: u32, per_second: u32) -> Self {
        Self { burst, every: Duration::from_micros(1_000_000 / per_second as u64) }
    }
}

/// A token bucket, kept as the time at which it will be full again (the generic cell rate algorithm of
/// ITU-T I.371). One that is full says no more than one that is not there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket(Timestamp);

impl Default for Bucket {
    fn default() -> Self {
        Self(Timestamp::from_micros(0))
    }
}

impl Bucket {
    /// Whether there is a token.
    pub(crate) fn has(self, rate: Rate, now: Timestamp) -> bool {
        self.after(rate, now).since(now) <= rate.every * rate.burst
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&mut self, rate: Rate, now: Timestamp) -> bool {
        let has = self.has(rate, now);
        if has {
            self.0 = self.after(rate, now);
        }
        has
    }

    fn after(self, rate: Rate, now: Timestamp) -> Timestamp {
        self.0.max(now) + rate.every
    }
}

/// What was used lately: at most twice `half` values, the longest unused out. Two tables take turns: when
/// the young one is full it becomes the old one, and what was in that and not used since is forgotten. So each
/// step costs the same, however many come.
pub(crate) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Eq + Hash, V: Default> Recent<K, V> {
    pub(crate) fn new(half: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half }
    }

    /// The value of `key`; using it keeps it.
    pub(crate) fn get(&mut self, key: K) -> Option<&mut V> {
        if self.young.contains_key(&key) {
            return self.young.get_mut(&key);
        }
        let value = self.old.remove(&key)?;
        Some(self.put(key, value))
    }

    /// The value of `key`, made now if there is none.
    pub(crate) fn entry(&mut self, key: K) -> &mut V {
        if self.young.contains_key(&key) {
            return self.young.entry(key).or_default();
        }
        let value = self.old.remove(&key).unwrap_or_default();
        self.put(key, value)
    }

    pub(crate) fn has(&self, key: &K) -> bool {
        self.young.contains_key(key) || self.old.contains_key(key)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    fn put(&mut self, key: K, value: V) -> &mut V {
        if self.young.len() >= self.half {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.entry(key).or_insert(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let rate = Rate { burst: 3, every: Duration::from_secs(2) };
        let mut bucket = Bucket::default();
        let mut taken = |ms: u64| {
            let now = START + Duration::from_millis(ms);
            (0..9).filter(|_| bucket.take(rate, now)).count()
        };
        assert_eq!(taken(0), 3);
        assert_eq!(taken(1_999), 0);
        assert_eq!(taken(2_000), 1);
        assert_eq!(taken(1_000), 0, "time that runs back fills nothing");
        assert_eq!(taken(7_000), 2, "and nothing is lost by asking");
        assert_eq!(taken(1_000_000), 3, "never more than its burst");
        let fast = Rate::per_second(10, 1_000);
        let taken = (0..1_000u32).map(|n| START + Duration::from_micros(100) * n);
        let mut bucket = Bucket::default();
        assert_eq!(taken.filter(|at| bucket.take(fast, *at)).count(), 10 + 99);
    }

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let mut recent = Recent::<u32, u32>::new(100);
        *recent.entry(0) = 7;
        for n in 1..10_000 {
            *recent.entry(n) = n;
            assert_eq!(recent.get(0), Some(&mut 7));
            assert!(recent.len() <= 200);
        }
        assert!(recent.has(&9_999) && !recent.has(&5_000) && recent.get(5_000).is_none());
    }
}
