//! How unevenly packets come. The delay of each is measured against the fastest of the last seconds; the depth wanted
//! is what 99 of 100 packets stay below.
//!
//! Why not fewer: by the E-model one packet in a hundred concealed costs G.711 as much as 150 ms of delay.

/// A bin of the histogram, in milliseconds, and their number: 400 ms.
const BIN_MS: i64 = 4;
const BINS: usize = 100;
/// The share that may come later than the depth wanted.
const LATER: f64 = 0.01;
/// Each packet weighs this much more than the one before: 500 packets (10 s) are remembered. Faster, and rare spikes are
/// forgotten before the next; slower, and the delay stays after a bad minute.
const GROWTH: f64 = 1.002;
/// Weights are brought down again from here.
const HEAVY: f64 = 1e12;
/// The fastest packet is that of this many to twice this many milliseconds: long enough to contain one that did not wait,
/// short enough to follow a clock 500 ppm off by 3 ms.
const WINDOW_MS: i64 = 3_000;
/// Until so many packets have come the depth is at least [`INITIAL_MS`].
const FIRST: u32 = 25;
const INITIAL_MS: i64 = 40;
/// Added to what was measured, for the grid of whoever plays.
const MARGIN_MS: i64 = 4;
/// The deepest wanted: the rest to 400 ms is for bursts.
const MOST_MS: i64 = 300;

#[derive(Clone, Debug)]
pub(super) struct Delay {
    /// Ticks per millisecond.
    per_ms: i64,
    fastest: Option<Fastest>,
    bins: [f64; BINS],
    total: f64,
    weight: f64,
    /// 99 of 100 lie in this bin or below, and the weight above it.
    at: usize,
    above: f64,
    packets: u32,
}

/// The smallest difference of arrival and time on the sender's timeline, in ticks.
#[derive(Clone, Copy, Debug)]
struct Fastest {
    now: i64,
    before: i64,
    since: i64,
}

impl Delay {
    pub(super) fn new(per_ms: i64) -> Self {
        Self {
            per_ms,
            fastest: None,
            bins: [0.0; BINS],
            total: 0.0,
            weight: 1.0,
            at: 0,
            above: 0.0,
            packets: 0,
        }
    }

    /// A packet of `time` came at `arrival`.
    pub(super) fn note(&mut self, time: i64, arrival: i64) {
        let delay = arrival - time;
        let fastest = self.fastest.get_or_insert(Fastest { now: delay, before: delay, since: arrival });
        if arrival - fastest.since > WINDOW_MS * self.per_ms {
            *fastest = Fastest { now: delay, before: fastest.now, since: arrival };
        }
        fastest.now = fastest.now.min(delay);
        let later = delay - self.base().unwrap_or(delay);
        self.weigh(usize::try_from(later / (BIN_MS * self.per_ms)).unwrap_or(0).min(BINS - 1));
        self.packets = self.packets.saturating_add(1);
    }

    /// The difference of arrival and time of the fastest packets, in ticks.
    pub(super) fn base(&self) -> Option<i64> {
        self.fastest.map(|fastest| fastest.now.min(fastest.before))
    }

    /// The depth wanted, in ticks.
    pub(super) fn target(&self) -> i64 {
        let measured = ((self.at as i64 + 1) * BIN_MS + MARGIN_MS).min(MOST_MS);
        let least = if self.packets < FIRST { INITIAL_MS } else { 0 };
        measured.max(least) * self.per_ms
    }

    fn weigh(&mut self, bin: usize) {
        self.bins[bin] += self.weight;
        self.total += self.weight;
        if bin > self.at {
            self.above += self.weight;
        }
        self.weight *= GROWTH;
        let allowed = LATER * self.total;
        while self.above > allowed && self.at + 1 < BINS {
            self.at += 1;
            self.above -= self.bins[self.at];
        }
        while self.at > 0 && self.above + self.bins[self.at] <= allowed {
            self.above += self.bins[self.at];
            self.at -= 1;
        }
        if self.weight > HEAVY {
            self.lighten();
        }
    }

    /// Once in some 14,000 packets. Sums anew, so that rounding does not pile up.
    fn lighten(&mut self) {
        for bin in &mut self.bins {
            *bin /= self.weight;
        }
        self.weight = 1.0;
        self.total = self.bins.iter().sum();
        self.above = self.bins[self.at + 1..].iter().sum();
    }
}
