//! Where on the timeline a packet of one leg belongs: by arrival at first, by RTP timestamp
//! (RFC 3550 §5.1) from then on, and corrected when the sender's clock drifts or its timestamps jump.
//! Positions are samples at 8 kHz; all arithmetic is in `i64`, far from its limits.

use super::HOLD;

/// A packet this much (60 ms) ahead of its arrival, and not the direct successor of the last, shows
/// a jump of the sender's timestamps: jitter only makes packets late. Also how much overlap with
/// what is already placed is avoided when a stream is anchored anew.
const JUMP: i64 = 480;
/// Direct successors may run ahead of their arrival by this (300 ms): a burst after a stall. More
/// has no room in the ring.
const MAX_AHEAD: i64 = 2_400;
/// A timestamp this far (1 s) back is no reordering.
const JUMP_BACK: i64 = 8_000;
/// After a silence this long (500 ms) a packet whose timestamp stood still meanwhile begins anew:
/// phones do that after hold. A network that holds packets back so long loses them anyway.
const STALL: i64 = 4_000;
/// When packets come too late for this long (100 ms) without recovery, the delay has changed for
/// good. Shorter, and a burst that catches up would be torn; longer, and more audio is lost.
const BEHIND: i64 = 800;

/// One leg's place on the timeline.
#[derive(Default)]
pub(super) struct Leg {
    stream: Option<Stream>,
    /// Where the audio placed last ends, of whatever stream.
    end: i64,
    /// From here on the sender is silent because it has nothing to say.
    pub(super) resting_since: Option<i64>,
}

struct Stream {
    ssrc: u32,
    /// RTP timestamp, place and length of the newest packet.
    timestamp: u32,
    at: i64,
    len: i64,
    /// When anything last arrived.
    heard: i64,
    /// Since when packets come too late to be of use, without one in time.
    behind_since: Option<i64>,
    drift: Drift,
}

impl Leg {
    /// Where the audio placed last ends.
    pub(super) fn end(&self) -> i64 {
        self.end
    }

    /// Where a packet of `len` samples belongs that came at `arrival`. `quiet` tells whether it
    /// holds so little sound that samples may be dropped or added before it unheard.
    pub(super) fn place(
        &mut self,
        ssrc: u32,
        timestamp: u32,
        len: i64,
        arrival: i64,
        quiet: impl FnOnce() -> bool,
    ) -> i64 {
        let found = match &mut self.stream {
            Some(stream) if stream.ssrc == ssrc => stream.place(timestamp, len, arrival, quiet),
            Some(_) | None => None,
        };
        let at = found.unwrap_or_else(|| {
            // Go on where the last audio ends if that is near: overlapping would lose samples.
            let at = if (1..=JUMP).contains(&(self.end - arrival)) { self.end } else { arrival };
            self.stream = Some(Stream::new(ssrc, timestamp, at, len, arrival));
            at
        });
        self.end = self.end.max(at + len);
        at
    }
}

impl Stream {
    fn new(ssrc: u32, timestamp: u32, at: i64, len: i64, arrival: i64) -> Self {
        let drift = Drift::new(arrival, at - arrival);
        Self { ssrc, timestamp, at, len, heard: arrival, behind_since: None, drift }
    }

    /// `None`: the packet does not fit the stream's past; anchor anew.
    fn place(&mut self, timestamp: u32, len: i64, arrival: i64, quiet: impl FnOnce() -> bool) -> Option<i64> {
        // Modulo 2^32 (RFC 3550 §5.1): the shorter way round decides what is newer.
        let step = i64::from(timestamp.wrapping_sub(self.timestamp) as i32);
        let at = self.at + step;
        let pause = arrival - std::mem::replace(&mut self.heard, arrival);
        let late = arrival - at;
        if step <= 0 {
            // Reordered or duplicate, unless the timestamps jumped back.
            let fits = step > -JUMP_BACK && (step == 0 || !self.behind(arrival));
            return fits.then_some(at);
        }
        let successor = step == self.len;
        let ahead = if successor { MAX_AHEAD } else { self.drift.base() + JUMP };
        if -late > ahead || (late >= STALL && pause >= STALL) {
            return None;
        }
        if late > HOLD as i64 {
            if self.behind(arrival) {
                return None;
            }
        } else {
            self.behind_since = None;
        }
        self.drift.observe(arrival, -late);
        let shift = self.drift.correction(arrival, || !successor || quiet());
        (self.timestamp, self.at, self.len) = (timestamp, at + shift, len);
        Some(self.at)
    }

    /// Whether packets have come too late for so long that waiting for better is vain.
    fn behind(&mut self, arrival: i64) -> bool {
        arrival - *self.behind_since.get_or_insert(arrival) >= BEHIND
    }
}

/// Compares the sender's clock with ours. Jitter delays packets but never hastens them, so the
/// earliest packet of a window shows the clock alone.
struct Drift {
    /// How far ahead of its arrival the earliest packet was placed in the first window.
    base: Option<i64>,
    window: Window,
    /// The deviation from `base` in the window before.
    last: Option<i64>,
    /// A correction that waits for a quiet packet.
    due: i64,
}

struct Window {
    since: i64,
    packets: u32,
    earliest: i64,
}

/// Long enough (5 s) that some packet was not delayed, short against any drift: 100 ppm are 0.5 ms.
const WINDOW: i64 = 40_000;
/// Fewer packets than this (0.5 s of audio) prove nothing; the window stays open.
const ENOUGH: u32 = 25;
/// Correct this much (4 ms) when it is quiet, when two windows agree ...
const WHEN_QUIET: i64 = 32;
/// ... and this much (7 ms) in any case: two senders that drift apart stay within 20 ms.
const AT_ONCE: i64 = 56;

impl Drift {
    fn new(arrival: i64, ahead: i64) -> Self {
        let window = Window { since: arrival, packets: 1, earliest: ahead };
        Self { base: None, window, last: None, due: 0 }
    }

    fn base(&self) -> i64 {
        self.base.unwrap_or(0)
    }

    /// A packet was placed `ahead` of its arrival (late ones are negative).
    fn observe(&mut self, arrival: i64, ahead: i64) {
        let window = &mut self.window;
        window.packets += 1;
        window.earliest = window.earliest.max(ahead);
        if arrival - window.since < WINDOW || window.packets < ENOUGH {
            return;
        }
        let earliest = window.earliest;
        self.restart(arrival);
        let Some(base) = self.base else {
            // The first packet may have been late itself; that much (60 ms) offset is no harm and
            // not worth a cut. More came from a burst and goes.
            let base = earliest.min(JUMP);
            self.base = Some(base);
            self.due = base - earliest;
            return;
        };
        let deviation = earliest - base;
        let before = self.last.replace(deviation).unwrap_or(0);
        let agreed = if before.signum() != deviation.signum() {
            0
        } else if before.abs() < deviation.abs() {
            before
        } else {
            deviation
        };
        let correct = if deviation.abs() > JUMP { deviation } else { agreed };
        self.due = if correct.abs() >= WHEN_QUIET { -correct } else { 0 };
    }

    /// By how much to move this packet and all after it.
    fn correction(&mut self, arrival: i64, quiet: impl FnOnce() -> bool) -> i64 {
        if self.due == 0 || (self.due.abs() < AT_ONCE && !quiet()) {
            return 0;
        }
        self.restart(arrival);
        self.last = None;
        std::mem::take(&mut self.due)
    }

    fn restart(&mut self, arrival: i64) {
        self.window = Window { since: arrival, packets: 0, earliest: i64::MIN };
    }
}
