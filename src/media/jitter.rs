//! The adaptive jitter buffer of a leg that is decoded: takes packets as they come, gives them in order and
//! in time. It is pulled: whoever plays asks for the next piece when it needs one. Virtual time only.

mod delay;
mod line;
mod slots;

use std::time::Duration;

use self::delay::Delay;
use self::line::{Line, Place};
use self::slots::{SLOTS, Seen, Slots};
use super::rtp::Header;
use crate::time::Timestamp;

/// The most audio kept, in milliseconds.
const MOST_MS: i64 = 400;
/// The longest packet taken, in milliseconds, and its longest payload.
const MAX_PACKET_MS: i64 = 200;
const MAX_PAYLOAD: usize = 2_048;
/// Concealed at a time while nothing comes, in milliseconds: short, so that a packet that comes late is played soon.
const PATCH_MS: i64 = 10;
/// After so much of it the sender is taken to pause: the concealment is silent by then.
const GIVE_UP_MS: i64 = 100;
/// Deeper than wanted by this, frames are left out even while somebody speaks, one in five.
const URGENT_MS: i64 = 80;
const URGENT_EVERY: u32 = 5;
/// Deeper than wanted by a frame and this, or shallower by this: worth a correction at a quiet moment.
const SLACK_MS: i64 = 6;
/// Longest time taken as given, in microseconds from the first packet (115 days): keeps the arithmetic in range.
const HORIZON: i64 = 10_000_000_000_000;

/// What a packet of the stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Audio, of so many ticks of the RTP clock (see [`ticks`](super::codec::ticks)).
    Audio {
        /// More than zero, at most 200 ms.
        ticks: u32,
    },
    /// Comfort noise (RFC 3389).
    Noise,
    /// A telephone-event or the like: keeps the sequence whole and means silence.
    Event,
}

impl Content {
    fn ticks(self) -> i64 {
        match self {
            Self::Audio { ticks } => i64::from(ticks),
            Self::Noise | Self::Event => 0,
        }
    }
}

/// The next piece to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Decode and play it.
    Audio {
        /// Says which codec.
        payload_type: u8,
        /// The packet's payload.
        payload: &'a [u8],
    },
    /// Decode it to keep the decoder in step and throw the samples away: the buffer is too deep. Ask again.
    Surplus {
        /// Says which codec.
        payload_type: u8,
        /// The packet's payload.
        payload: &'a [u8],
    },
    /// A packet is missing, or the buffer is too shallow: conceal so many ticks.
    Lost {
        /// Of the RTP clock.
        ticks: u32,
        /// The packet that follows the lost one, when it is here: its forward error correction may help.
        next: Option<&'a [u8]>,
    },
    /// The sender pauses: play comfort noise.
    Noise {
        /// A new description of it (RFC 3389), if one came.
        payload: Option<&'a [u8]>,
    },
    /// Nothing is playing: silence.
    Empty,
}

/// What became of the packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterStats {
    /// Audio packets played.
    pub played: u64,
    /// Packets that had not come when their turn was over.
    pub lost: u64,
    /// Those of `lost` that came later, to no use.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets thrown away because the buffer was too deep.
    pub dropped: u64,
    /// Packets that were never put in: too long, without audio, or out of any sequence.
    pub refused: u64,
    /// Microseconds of concealment asked for.
    pub concealed_us: u64,
    /// The depth wanted at present, in microseconds.
    pub target_us: u64,
    /// The depth at present: how long the fastest packets wait before they are played, in microseconds.
    pub depth_us: u64,
}

impl JitterStats {
    /// The counts of both; the depths are those of `self`.
    #[must_use]
    pub fn plus(&self, before: &Self) -> Self {
        Self {
            played: self.played + before.played,
            lost: self.lost + before.lost,
            late: self.late + before.late,
            duplicates: self.duplicates + before.duplicates,
            dropped: self.dropped + before.dropped,
            refused: self.refused + before.refused,
            concealed_us: self.concealed_us + before.concealed_us,
            target_us: self.target_us,
            depth_us: self.depth_us,
        }
    }
}

/// The buffer. One a leg.
///
/// Time inside is in ticks of the RTP clock. A packet's time on the sender's timeline plus `base` is when it would have come
/// with the fastest; it is to be played `target` later. While it plays, pieces follow one another without a look at the
/// clock; the depth is then corrected by leaving a frame out, or filling some milliseconds in, where nobody hears it.
pub struct JitterBuffer {
    /// Ticks per second.
    clock: i64,
    /// When the first packet came.
    origin: Option<Timestamp>,
    line: Option<Line>,
    delay: Delay,
    slots: Slots,
    /// The lowest number that counts as lost when it is missing.
    counted: i64,
    state: State,
    stats: JitterStats,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing to play until the time of the next audio packet has come.
    Pause {
        noise: bool,
    },
    Playing(Playing),
}

#[derive(Clone, Copy, Debug)]
struct Playing {
    /// Where on the sender's timeline we are.
    next: i64,
    /// Length of the latest packet.
    ticks: i64,
    /// Concealed while nothing was there. When the packet missed comes, we are later by that much; when only its
    /// successor comes, so much of the gap is filled already.
    owed: i64,
    /// Frames since one was left out.
    whole: u32,
    /// When the latest piece ends, on our clock.
    until: i64,
}

/// What [`JitterBuffer::take`] gives, packets by number.
#[derive(Clone, Copy, Debug)]
enum Step {
    Audio(i64),
    Surplus(i64),
    Lost { ticks: i64, next: Option<i64> },
    Noise(Option<i64>),
    Empty,
}

impl JitterBuffer {
    /// Empty, for a stream whose timestamps run at `clock` ticks per second ([`Codec::clock`](super::Codec::clock)).
    #[must_use]
    pub fn new(clock: u32) -> Self {
        let clock = i64::from(clock.max(1_000));
        Self {
            clock,
            origin: None,
            line: None,
            delay: Delay::new(clock / 1_000),
            slots: Slots::new(),
            counted: 0,
            state: State::Pause { noise: false },
            stats: JitterStats::default(),
        }
    }

    /// A packet of the stream came at `arrival`.
    pub fn put(&mut self, header: &Header, content: Content, payload: &[u8], arrival: Timestamp) {
        let too_long = payload.len() > MAX_PAYLOAD || content.ticks() > MAX_PACKET_MS * self.per_ms();
        if too_long || content == (Content::Audio { ticks: 0 }) {
            self.stats.refused += 1;
            return;
        }
        self.origin.get_or_insert(arrival);
        let arrival = self.ticks_at(arrival);
        let Some(Place { seq, time }) = self.place(header, content, arrival) else {
            self.stats.refused += 1;
            return;
        };
        match self.slots.see(seq) {
            Seen::New => {}
            Seen::Late => {
                self.stats.late += 1;
                self.note(content, time, arrival);
                return;
            }
            Seen::Twice => {
                self.stats.duplicates += 1;
                return;
            }
        }
        self.note(content, time, arrival);
        self.counted = self.counted.min(seq);
        if seq >= self.slots.floor() + SLOTS {
            self.drop_until(seq + 1 - SLOTS);
        }
        self.slots.insert(seq, time, content, header.payload_type, payload);
        self.keep_bounded();
    }

    /// The next piece, to be heard at `now`. `quiet`: what was played last is so faint that a piece more or
    /// less goes unheard.
    pub fn take(&mut self, now: Timestamp, quiet: bool) -> Frame<'_> {
        let now = self.ticks_at(now);
        let step = self.step(now, quiet);
        let ticks = self.ticks_of(step);
        if let State::Playing(playing) = &mut self.state {
            playing.until = now + ticks;
        }
        let payload = |seq| self.slots.slot(seq).payload.as_slice();
        let payload_type = |seq| self.slots.slot(seq).payload_type;
        match step {
            Step::Audio(seq) => Frame::Audio { payload_type: payload_type(seq), payload: payload(seq) },
            Step::Surplus(seq) => Frame::Surplus { payload_type: payload_type(seq), payload: payload(seq) },
            Step::Lost { ticks, next } => {
                self.stats.concealed_us += (ticks * 1_000_000 / self.clock).unsigned_abs();
                Frame::Lost { ticks: u32::try_from(ticks).unwrap_or(0), next: next.map(payload) }
            }
            Step::Noise(seq) => Frame::Noise { payload: seq.map(payload) },
            Step::Empty => Frame::Empty,
        }
    }

    /// When the next piece is due; `None` while there is nothing to play but silence or noise.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let due = match self.state {
            State::Playing(playing) => playing.until,
            State::Pause { .. } => self.due(self.slots.slot(self.slots.first()?).time),
        };
        let micros = u64::try_from(due * 1_000_000 / self.clock).unwrap_or(0);
        Some(self.origin? + Duration::from_micros(micros))
    }

    /// Its figures.
    #[must_use]
    pub fn stats(&self) -> JitterStats {
        let target_us = (self.delay.target() * 1_000_000 / self.clock).unsigned_abs();
        JitterStats { target_us, ..self.stats }
    }

    fn place(&mut self, header: &Header, content: Content, arrival: i64) -> Option<Place> {
        let (base, per_ms) = (self.delay.base(), self.per_ms());
        if let Some(line) = &mut self.line {
            return line.place(header, content, arrival, base, per_ms);
        }
        let (line, place) = Line::new(header, content, arrival);
        self.line = Some(line);
        // Some that were overtaken by the first may follow.
        self.slots.pass(place.seq - 8);
        self.counted = place.seq;
        Some(place)
    }

    fn note(&mut self, content: Content, time: i64, arrival: i64) {
        match content {
            Content::Audio { .. } => self.delay.note(time, arrival),
            Content::Noise | Content::Event => {}
        }
    }

    /// Throws the oldest away when too much has piled up: after a stall, or when nobody takes.
    fn keep_bounded(&mut self) {
        let Some(end) = self.line.as_ref().map(Line::end) else { return };
        let begin = |slots: &Slots| slots.first().map_or(end, |seq| slots.slot(seq).time);
        if end - begin(&self.slots) <= MOST_MS * self.per_ms() {
            return;
        }
        let kept = self.delay.target();
        while let Some(seq) = self.slots.first()
            && end - begin(&self.slots) > kept
            && self.slots.len() > 1
        {
            self.drop_until(seq + 1);
        }
    }

    /// Everything below `floor` is given up unplayed.
    fn drop_until(&mut self, floor: i64) {
        while let Some(seq) = self.slots.first().filter(|&seq| seq < floor) {
            match self.slots.slot(seq).content {
                Content::Audio { .. } => self.stats.dropped += 1,
                Content::Noise | Content::Event => {}
            }
            self.pass(seq);
        }
        if self.slots.floor() < floor {
            // `floor - 1` itself did not come either.
            self.stats.lost += u64::from(self.counted < floor);
            self.pass(floor - 1);
        }
        self.state = State::Pause { noise: false };
    }

    /// `seq` has had its turn; what was missing below it is lost.
    fn pass(&mut self, seq: i64) {
        let missing = seq - self.slots.floor().max(self.counted);
        self.stats.lost += u64::try_from(missing).unwrap_or(0);
        self.slots.pass(seq + 1);
        self.counted = self.counted.max(self.slots.floor());
    }

    fn step(&mut self, now: i64, quiet: bool) -> Step {
        // Each round passes a packet or changes the state towards a result.
        loop {
            let head = self.slots.first();
            match self.state {
                State::Pause { noise } => {
                    let Some(seq) = head else { return idle(noise) };
                    let slot = self.slots.slot(seq);
                    let time = slot.time;
                    match slot.content {
                        Content::Event => {
                            self.pass(seq);
                            self.state = State::Pause { noise: false };
                        }
                        Content::Noise => {
                            self.pass(seq);
                            self.state = State::Pause { noise: true };
                            return Step::Noise(Some(seq));
                        }
                        Content::Audio { .. } if now < self.due(time) => return idle(noise),
                        Content::Audio { ticks } => {
                            let playing = Playing {
                                next: time,
                                ticks: i64::from(ticks),
                                owed: 0,
                                whole: 0,
                                until: now,
                            };
                            // What is missing before the first packet of a talkspurt leaves no gap in it.
                            self.state = State::Playing(playing);
                        }
                    }
                }
                State::Playing(playing) => match head.map(|seq| (seq, self.slots.slot(seq).content)) {
                    None => match self.starve(playing) {
                        Some(step) => return step,
                        None => self.state = State::Pause { noise: false },
                    },
                    Some((_, Content::Noise | Content::Event)) => self.state = State::Pause { noise: false },
                    Some((seq, Content::Audio { ticks })) => {
                        match self.play(playing, seq, i64::from(ticks), now, quiet) {
                            Some(step) => return step,
                            None => self.state = State::Pause { noise: false },
                        }
                    }
                },
            }
        }
    }

    /// Nothing is there: conceals a little without moving on; `None` when the sender seems to pause.
    fn starve(&mut self, mut playing: Playing) -> Option<Step> {
        let ticks = playing.ticks.min(PATCH_MS * self.per_ms()).max(1);
        playing.owed += ticks;
        self.state = State::Playing(playing);
        (playing.owed <= GIVE_UP_MS * self.per_ms()).then_some(Step::Lost { ticks, next: None })
    }

    /// The next packet there is `seq`. `None` when the sender has paused before it.
    fn play(&mut self, mut playing: Playing, seq: i64, ticks: i64, now: i64, quiet: bool) -> Option<Step> {
        let (per_ms, time) = (self.per_ms(), self.slots.slot(seq).time);
        let gap = time - playing.next;
        let lost = seq > self.slots.floor().max(self.counted);
        let missing = if lost { gap - playing.owed } else { gap };
        let small = playing.ticks.min(ticks) / 2;
        if missing > small && (!lost || missing > GIVE_UP_MS * per_ms) {
            return None;
        }
        if missing > small {
            let patch = missing.min(playing.ticks);
            playing.next += patch;
            self.state = State::Playing(playing);
            return Some(Step::Lost { ticks: patch, next: (patch == missing).then_some(seq) });
        }
        let excess = now - time - self.delay.base().unwrap_or(now - time) - self.delay.target();
        let depth = u64::try_from(excess + self.delay.target()).unwrap_or(0);
        self.stats.depth_us = depth * 1_000_000 / self.clock.unsigned_abs();
        if excess < -SLACK_MS * per_ms && quiet {
            let ticks = (-excess).min(PATCH_MS * per_ms);
            self.state = State::Playing(playing);
            return Some(Step::Lost { ticks, next: None });
        }
        let urgent = excess > URGENT_MS * per_ms && playing.whole >= URGENT_EVERY;
        let surplus = excess > ticks + SLACK_MS * per_ms && self.slots.len() > 1 && (quiet || urgent);
        let whole = if surplus { 0 } else { playing.whole.saturating_add(1) };
        self.pass(seq);
        self.state = State::Playing(Playing { next: time + ticks, ticks, owed: 0, whole, until: now });
        if surplus {
            self.stats.dropped += 1;
            return Some(Step::Surplus(seq));
        }
        self.stats.played += 1;
        Some(Step::Audio(seq))
    }

    /// When a packet of `time` is to be played at the beginning of a talkspurt.
    fn due(&self, time: i64) -> i64 {
        time + self.delay.base().unwrap_or(0) + self.delay.target()
    }

    fn ticks_of(&self, step: Step) -> i64 {
        match step {
            Step::Audio(seq) => self.slots.slot(seq).content.ticks(),
            Step::Lost { ticks, .. } => ticks,
            Step::Surplus(_) | Step::Noise(_) | Step::Empty => 0,
        }
    }

    fn per_ms(&self) -> i64 {
        self.clock / 1_000
    }

    /// Ticks from the first packet to `at`.
    fn ticks_at(&self, at: Timestamp) -> i64 {
        let origin = self.origin.unwrap_or(at);
        let micros = at.as_micros().saturating_sub(origin.as_micros()).clamp(-HORIZON, HORIZON);
        micros * self.clock / 1_000_000
    }
}

fn idle(noise: bool) -> Step {
    if noise { Step::Noise(None) } else { Step::Empty }
}

#[cfg(test)]
#[path = "jitter_tests.rs"]
mod tests;
