//! What strangers do goes to the audit log, folded: one row stands for all a source did in ten seconds, and
//! when there are too many sources, one row for all of them. So neither a phone that retries all day nor a flood
//! from forged addresses fills the log, and nothing goes uncounted.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::audit::AuditEvent;
use crate::store::Change;
use crate::time::Timestamp;

use super::trail;

/// One row a source in this time, and one for all the rest.
pub(super) const EVERY: Duration = Duration::from_secs(10);
/// Rows about single sources in that time, of each kind.
const ROWS: u32 = 20;
/// Sources remembered; past it all are forgotten, and what they did is counted with the rest.
const SOURCES: usize = 10_000;

/// The kinds, each with rows of its own.
#[derive(Default)]
pub(super) struct Folds {
    strangers: Fold,
    failures: Fold,
    spoofed: Fold,
}

impl Folds {
    pub(super) fn stranger(&mut self, remote: SocketAddr, until: Timestamp, now: Timestamp) -> Vec<Change> {
        rows(self.strangers.count(remote.ip(), now).map(|_| trail::stranger_refused(remote, until, now)))
    }

    pub(super) fn login_failed(&mut self, remote: SocketAddr, now: Timestamp) -> Vec<Change> {
        let row = |times| trail::by_somebody("login.failed", remote, times, now);
        rows(self.failures.count(remote.ip(), now).map(row))
    }

    pub(super) fn spoofed(&mut self, remote: SocketAddr, now: Timestamp) -> Vec<Change> {
        let row = |times| trail::by_somebody("request.spoofed", remote, times, now);
        rows(self.spoofed.count(remote.ip(), now).map(row))
    }

    /// The rows about what had none: ask every [`EVERY`].
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Change> {
        let kinds = [
            ("stranger.refused", &mut self.strangers),
            ("login.failed", &mut self.failures),
            ("request.spoofed", &mut self.spoofed),
        ];
        let row =
            |(action, fold): (_, &mut Fold)| fold.rest(now).map(|times| trail::by_many(action, times, now));
        rows(kinds.into_iter().filter_map(row))
    }
}

fn rows(events: impl IntoIterator<Item = AuditEvent>) -> Vec<Change> {
    events.into_iter().map(Change::Audit).collect()
}

/// Counts by source.
#[derive(Default)]
struct Fold {
    /// When each had its last row, and how often it did it since.
    sources: HashMap<IpAddr, (Timestamp, u64)>,
    /// Since when rows are counted, and how many there were.
    rows: Option<(Timestamp, u32)>,
    /// What has no row and no place in `sources`.
    rest: u64,
}

impl Fold {
    /// Counts one; `Some` when a row is due, with how many it stands for.
    fn count(&mut self, source: IpAddr, now: Timestamp) -> Option<u64> {
        let may = self.may_tell(now);
        if self.sources.len() >= SOURCES && !self.sources.contains_key(&source) {
            self.rest += self.sources.drain().map(|(_, (_, since))| since).sum::<u64>();
        }
        let times = match self.sources.entry(source) {
            Entry::Vacant(new) if may => {
                new.insert((now, 0));
                1
            }
            Entry::Vacant(_) => {
                self.rest += 1;
                return None;
            }
            Entry::Occupied(mut known) => {
                let (last, since) = known.get_mut();
                *since += 1;
                if !may || now.since(*last) < EVERY {
                    return None;
                }
                *last = now;
                std::mem::take(since)
            }
        };
        if let Some((_, told)) = &mut self.rows {
            *told += 1;
        }
        Some(times)
    }

    /// What had no row: the sources that were quiet since, and those that never had a place. Asked when rows
    /// may be told again.
    fn rest(&mut self, now: Timestamp) -> Option<u64> {
        let mut times = std::mem::take(&mut self.rest);
        self.sources.retain(|_, (last, since)| {
            let stays = now.since(*last) < EVERY;
            times += if stays { 0 } else { *since };
            stays
        });
        (times > 0).then_some(times)
    }

    fn may_tell(&mut self, now: Timestamp) -> bool {
        match &mut self.rows {
            Some((since, told)) if now.since(*since) < EVERY => *told < ROWS,
            Some(_) | None => {
                self.rows = Some((now, 0));
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn at(seconds: u64) -> Timestamp {
        START + Duration::from_secs(seconds)
    }

    fn nth(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    #[test]
    fn a_source_is_told_once_in_a_while_and_none_is_lost() {
        let mut fold = Fold::default();
        assert_eq!(fold.count(nth(1), at(0)), Some(1));
        assert_eq!(fold.count(nth(1), at(1)), None);
        assert_eq!(fold.count(nth(1), at(2)), None);
        assert_eq!(fold.count(nth(2), at(2)), Some(1));
        assert_eq!(fold.count(nth(1), at(11)), Some(3));
        assert_eq!(fold.count(nth(1), at(12)), None);
        assert_eq!(fold.rest(at(20)), None, "its time is not over");
        assert_eq!(fold.rest(at(21)), Some(1), "it was quiet since");
        assert_eq!(fold.rest(at(31)), None);
    }

    #[test]
    fn a_flood_from_many_addresses_is_a_few_rows_that_count_it_all() {
        let mut fold = Fold::default();
        let (mut rows, mut told) = (0u64, 0);
        for second in 0..60 {
            for n in 0..1_000 {
                if let Some(times) = fold.count(nth(second * 1_000 + n), at(second.into())) {
                    rows += 1;
                    told += times;
                }
            }
            if second % 10 == 9 {
                let rest = fold.rest(at(second.into()));
                rows += u64::from(rest.is_some());
                told += rest.unwrap_or(0);
            }
            assert!(fold.sources.len() <= SOURCES);
        }
        assert_eq!(rows, 6 * (u64::from(ROWS) + 1));
        assert_eq!(told, 60_000);
    }
}
