//! How a worker waits. A wake-up costs 14-20 µs, a packet 3: so with many packets it sleeps to an
//! absolute grid and takes what has come, with few it lets each packet wake it. The grid is as wide as the delay
//! allows: a packet waits for the next point of it, and there for those before it.

use std::time::Duration;

use crate::time::Timestamp;

/// Span over which load is judged: long enough to be steady, short against a burst of new calls.
const WINDOW: Duration = Duration::from_millis(200);
/// Packets a second, in and out of timers, above which a grid is cheaper than waking for each.
const BUSY_PACKETS: u64 = 900;
/// Below this it goes back to waking for each.
const QUIET_PACKETS: u64 = 600;
/// The grids, widest first, each with the share of time at work (thousandths) up to which it is kept: the step and
/// the work in it are 2.2 ms together at most, so that half of the packets wait less than 1.1 ms; to wake takes 0.1.
/// At a share of 80, 2 ms gave a median of 1.2. Each divides 20 ms: packets sent that far apart stay so.
const GRIDS: [(Duration, u64); 3] = [
    (Duration::from_micros(2_000), 60),
    (Duration::from_nanos(1_666_667), 240),
    (Duration::from_micros(1_250), u64::MAX),
];
/// A wider grid is taken again when the share is this much below its bound (of 10): it must not flutter.
const BACK: u64 = 8;
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
        self.grid = Self::choose(self.grid, rate, self.load);
        (self.since, self.packets, self.worked) = (ended, 0, Duration::ZERO);
    }

    fn choose(now: Grid, rate: u64, share: u64) -> Grid {
        let step = match now {
            Grid::PerPacket if rate < BUSY_PACKETS => return Grid::PerPacket,
            Grid::PerPacket => Duration::MAX,
            Grid::Every(_) if rate < QUIET_PACKETS => return Grid::PerPacket,
            Grid::Every(step) => step,
        };
        let fits = |(wider, most): &(Duration, u64)| {
            share <= if *wider > step { most.saturating_mul(BACK) / 10 } else { *most }
        };
        let [.., narrowest] = GRIDS;
        Grid::Every(GRIDS.into_iter().find(fits).unwrap_or(narrowest).0)
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

    /// Ticks of 1 ms for four seconds at a rate and a share of work.
    fn run(pacing: &mut Pacing, start: &mut Timestamp, packets_per_tick: u64, worked: Duration) {
        for _ in 0..4_000 {
            pacing.ticked(Some(*start), *start, *start + worked, packets_per_tick);
            *start = *start + Duration::from_millis(1);
        }
    }

    #[test]
    fn the_grid_follows_the_load_and_does_not_flutter() {
        let mut now = Timestamp::from_micros(0);
        let mut pacing = Pacing::new(now);
        let [wide, middle, narrow] = GRIDS.map(|(step, _)| Grid::Every(step));
        assert_eq!(pacing.grid(), Grid::PerPacket);
        run(&mut pacing, &mut now, 1, Duration::from_micros(20));
        assert_eq!(pacing.grid(), wide);
        run(&mut pacing, &mut now, 100, Duration::from_micros(800));
        assert_eq!(pacing.grid(), narrow);
        assert!((600..=800).contains(&pacing.load()), "{}", pacing.load());
        run(&mut pacing, &mut now, 100, Duration::from_micros(220));
        assert_eq!(pacing.grid(), narrow, "between the thresholds it stays");
        run(&mut pacing, &mut now, 100, Duration::from_micros(150));
        assert_eq!(pacing.grid(), middle);
        run(&mut pacing, &mut now, 100, Duration::from_micros(220));
        assert_eq!(pacing.grid(), middle, "the same load, from below");
        run(&mut pacing, &mut now, 100, Duration::from_micros(40));
        assert_eq!(pacing.grid(), wide);
        run(&mut pacing, &mut now, 0, Duration::from_micros(20));
        assert_eq!(pacing.grid(), Grid::PerPacket);
        assert_eq!(pacing.late(), 0);
    }

    #[test]
    fn half_of_the_packets_wait_less_than_the_bar_and_20_ms_stay_20_ms() {
        let waits = |step: Duration, share: u64| step.as_micros() as u64 * (1_000 + share) / 1_000;
        for (step, most) in GRIDS {
            assert!(waits(step, most.min(760)) <= 2_210, "{step:?}");
            let steps = (Duration::from_millis(20).as_nanos() as f64 / step.as_nanos() as f64).round();
            let strays = (step * steps as u32).abs_diff(Duration::from_millis(20));
            assert!(strays < Duration::from_micros(1), "{step:?}");
        }
    }

    #[test]
    fn grid_points_are_absolute_and_missed_ones_are_skipped() {
        let one = Duration::from_millis(1);
        assert_eq!(next_point(0, one), 1_000_000);
        assert_eq!(next_point(1_000_001, one), 2_000_000);
        assert_eq!(next_point(7_900_000, one), 8_000_000);
    }
}
