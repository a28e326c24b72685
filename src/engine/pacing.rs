//! How a worker waits. A wake-up costs 14-20 µs, a packet 3: so with many packets it sleeps to an
//! absolute grid and takes what has come, with few it lets each packet wake it.

use std::time::Duration;

use crate::time::Timestamp;

/// Span over which load is judged: long enough to be steady, short against a burst of new calls.
const WINDOW: Duration = Duration::from_millis(200);
/// Packets a second, in and out of timers, above which the 1 ms grid is cheaper than waking for each.
const BUSY_PACKETS: u64 = 900;
/// Below this it goes back to waking for each.
const QUIET_PACKETS: u64 = 600;
/// Share of time at work (thousandths) above which the grid is 2 ms: half the wake-ups, 1 ms more delay.
const BUSY_SHARE: u64 = 650;
/// Below this it goes back to 1 ms.
const QUIET_SHARE: u64 = 450;
/// A wake-up this long after its time counts as late.
const LATE: Duration = Duration::from_millis(5);

/// How to wait for the next tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grid {
    /// In epoll, until a packet, a command or a timer.
    PerPacket,
    /// Asleep until the next multiple of this.
    Every(Duration),
}

/// Judges load and chooses the grid.
#[derive(Debug)]
pub(super) struct Pacing {
    grid: Grid,
    since: Timestamp,
    packets: u64,
    worked: Duration,
    load: u64,
    late: u64,
}

impl Pacing {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { grid: Grid::PerPacket, since: now, packets: 0, worked: Duration::ZERO, load: 0, late: 0 }
    }

    /// A tick ended: it began at `began`, should have begun at `planned` (if by the grid), and handled
    /// so many packets.
    pub(super) fn ticked(
        &mut self,
        planned: Option<Timestamp>,
        began: Timestamp,
        ended: Timestamp,
        packets: u64,
    ) {
        self.packets += packets;
        self.worked += ended.since(began);
        if planned.is_some_and(|planned| began.since(planned) > LATE) {
            self.late += 1;
        }
        let span = ended.since(self.since);
        if span < WINDOW {
            return;
        }
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let worked = u64::try_from(self.worked.as_micros()).unwrap_or(u64::MAX);
        let rate = self.packets.saturating_mul(1_000_000) / micros;
        let share = worked.saturating_mul(1_000) / micros;
        self.load = (self.load * 4 + share.min(1_000)) / 5;
        self.grid = Self::choose(self.grid, rate, share);
        (self.since, self.packets, self.worked) = (ended, 0, Duration::ZERO);
    }

    fn choose(now: Grid, rate: u64, share: u64) -> Grid {
        const ONE: Duration = Duration::from_millis(1);
        const TWO: Duration = Duration::from_millis(2);
        let wide = now == Grid::Every(TWO);
        let per_packet = now == Grid::PerPacket;
        if rate < QUIET_PACKETS || (per_packet && rate < BUSY_PACKETS) {
            Grid::PerPacket
        } else if share > BUSY_SHARE || (wide && share > QUIET_SHARE) {
            Grid::Every(TWO)
        } else {
            Grid::Every(ONE)
        }
    }

    pub(super) fn grid(&self) -> Grid {
        self.grid
    }

    /// Share of time at work, in thousandths, smoothed over about a second.
    pub(super) fn load(&self) -> u64 {
        self.load
    }

    /// Wake-ups that came late.
    pub(super) fn late(&self) -> u64 {
        self.late
    }
}

/// The first grid point after `now`, in nanoseconds of the same clock; skips those that were missed.
pub(super) fn next_point(now_nanos: u64, grid: Duration) -> u64 {
    let step = u64::try_from(grid.as_nanos()).unwrap_or(u64::MAX).max(1);
    (now_nanos / step + 1).saturating_mul(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ticks of 1 ms for two seconds at a rate and a share of work.
    fn run(pacing: &mut Pacing, start: &mut Timestamp, packets_per_tick: u64, worked: Duration) {
        for _ in 0..2_000 {
            pacing.ticked(Some(*start), *start, *start + worked, packets_per_tick);
            *start = *start + Duration::from_millis(1);
        }
    }

    #[test]
    fn the_grid_follows_the_load_and_does_not_flutter() {
        let mut now = Timestamp::from_micros(0);
        let mut pacing = Pacing::new(now);
        let (one, two) = (Grid::Every(Duration::from_millis(1)), Grid::Every(Duration::from_millis(2)));
        assert_eq!(pacing.grid(), Grid::PerPacket);
        run(&mut pacing, &mut now, 1, Duration::from_micros(20));
        assert_eq!(pacing.grid(), one);
        run(&mut pacing, &mut now, 100, Duration::from_micros(800));
        assert_eq!(pacing.grid(), two);
        assert!((600..=800).contains(&pacing.load()), "{}", pacing.load());
        run(&mut pacing, &mut now, 100, Duration::from_micros(500));
        assert_eq!(pacing.grid(), two, "between the thresholds it stays");
        run(&mut pacing, &mut now, 100, Duration::from_micros(300));
        assert_eq!(pacing.grid(), one);
        run(&mut pacing, &mut now, 0, Duration::from_micros(20));
        assert_eq!(pacing.grid(), Grid::PerPacket);
        assert_eq!(pacing.late(), 0);
    }

    #[test]
    fn grid_points_are_absolute_and_missed_ones_are_skipped() {
        let one = Duration::from_millis(1);
        assert_eq!(next_point(0, one), 1_000_000);
        assert_eq!(next_point(1_000_001, one), 2_000_000);
        assert_eq!(next_point(7_900_000, one), 8_000_000);
    }
}
