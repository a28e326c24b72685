//! The recorder tap: puts both legs of a call on one timeline (8 kHz samples since the start;
//! channel 0 caller, channel 1 agent) and hands it on in chunks that are always equally long on
//! both channels. What never came, was paused or had no room is silence, and is marked.

mod gaps;
mod leg;
mod ring;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::consent::RecordingPermit;
use crate::media::Codec;
use crate::media::g711::{ALAW_TO_PCM, ULAW_TO_PCM};
use crate::time::Timestamp;

use gaps::Gaps;
use leg::Leg;
use ring::{CAPACITY, Ring};

/// Microseconds a sample lasts at 8 kHz.
const MICROS: i64 = 125;
/// Samples (40 ms) a packet may come late and still be placed rightly: two packets' worth of
/// jitter. All of it is lost when the process is killed, so it is no larger.
pub const HOLD: u64 = 320;
/// Samples (160 ms) in a chunk. With the hold, 200 ms are at risk when the process is killed, and
/// 50 ms of the promised 250 are left for the worker's tick and the writer. Smaller chunks cost a
/// write each.
pub const CHUNK: u64 = 1_280;
/// Peak (-42 dBFS) below which a packet counts as quiet: room noise, not speech.
const QUIET: u16 = 256;

/// A channel of the stereo recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// Channel 0.
    Caller,
    /// Channel 1.
    Agent,
}

impl Channel {
    /// Its place in a stereo frame.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Caller => 0,
            Self::Agent => 1,
        }
    }
}

/// A finished stretch of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its first sample, counted per channel since the recording's start.
    pub start: u64,
    /// Interleaved stereo (caller, agent, caller, ...), 8 kHz.
    pub samples: Vec<i16>,
}

/// Why a stretch of a recording is silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// Recording was paused (domain rule 7).
    Paused,
    /// A party was on hold (domain rule 9).
    Hold,
    /// No packet brought it in time.
    Lost,
    /// The vault could not keep up.
    Backlog,
}

/// A stretch of silence that nobody spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Gap {
    /// First sample, counted per channel since the recording's start.
    pub start: u64,
    /// Samples per channel.
    pub len: u64,
    /// Why.
    pub why: Missing,
    /// On which channel; `None`: both.
    pub channel: Option<Channel>,
}

/// How a recording ended, for its sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Length of each channel, in samples.
    pub samples: u64,
    /// The marked gaps, by start.
    pub gaps: Vec<Gap>,
    /// Silent samples, both channels together, in gaps too short or too many to be listed.
    pub unlisted: u64,
}

/// Where chunks go. Called on a media worker: it never blocks.
pub trait ChunkSink: Send {
    /// An empty buffer for the next chunk, recycled if there is one.
    fn buffer(&mut self) -> Vec<i16>;

    /// Takes a chunk. Chunks come in order of `start`; where one begins later than the last ended,
    /// silence belongs in between.
    ///
    /// # Errors
    /// Gives the chunk back when there is no room for it.
    fn put(&mut self, chunk: Chunk) -> Result<(), Chunk>;

    /// Nothing more comes. Silence belongs between the last chunk's end and `end.samples`.
    fn finish(self: Box<Self>, end: End);
}

/// Records one call. Drive it with [`Tap::push`] for every audio packet relayed and with
/// [`Tap::handle_timeout`] at the time [`Tap::poll_timeout`] names; end it with [`Tap::finish`].
/// Time never runs backwards between calls. In steady state it allocates nothing.
pub struct Tap {
    permit: RecordingPermit,
    sink: Box<dyn ChunkSink>,
    start: Timestamp,
    ring: Ring,
    legs: [Leg; 2],
    muting: Muting,
    gaps: Gaps,
    /// The buffer of a chunk the sink refused.
    spare: Option<Vec<i16>>,
}

impl Tap {
    /// Begins at `start`; what arrived earlier is not recorded. The sink must have been opened with
    /// the same permit.
    #[must_use]
    pub fn new(permit: RecordingPermit, sink: Box<dyn ChunkSink>, start: Timestamp) -> Self {
        Self {
            permit,
            sink,
            start,
            ring: Ring::new(),
            legs: [Leg::default(), Leg::default()],
            muting: Muting::default(),
            gaps: Gaps::new(),
            spare: None,
        }
    }

    /// The permit it records under.
    #[must_use]
    pub fn permit(&self) -> &RecordingPermit {
        &self.permit
    }

    /// Takes the payload of an audio packet that came from `channel`'s leg at `arrival`. Packets
    /// may come in any order, more than once, or never.
    pub fn push(
        &mut self,
        channel: Channel,
        ssrc: u32,
        rtp_timestamp: u32,
        codec: Codec,
        payload: &[u8],
        arrival: Timestamp,
    ) {
        if payload.is_empty() || arrival < self.start {
            return;
        }
        let table = match codec {
            Codec::Pcmu => &ULAW_TO_PCM,
            Codec::Pcma => &ALAW_TO_PCM,
            Codec::G722 | Codec::Opus => return,
        };
        self.put(channel, (ssrc, rtp_timestamp), payload, |octet| table[usize::from(octet)], arrival);
    }

    /// The same for audio that was decoded already: linear samples at 8 kHz, and a timestamp that counts
    /// them.
    pub fn push_pcm(&mut self, channel: Channel, ssrc: u32, timestamp: u32, pcm: &[i16], arrival: Timestamp) {
        if !pcm.is_empty() && arrival >= self.start {
            // The ring's mark for "nothing" is no sample: one step louder is as loud.
            self.put(channel, (ssrc, timestamp), pcm, |sample| sample.max(ring::EMPTY + 1), arrival);
        }
    }

    /// The sender fell silent and said so (comfort noise, RFC 3389): from the end of its last audio to its
    /// next, silence is what was sent, and nothing is missing.
    pub fn rest(&mut self, channel: Channel, now: Timestamp) {
        let (position, first) = (self.position(now) as i64, self.ring.first() as i64);
        let leg = &mut self.legs[channel.index()];
        // Never heard so far: it rests from now on.
        let from = if leg.end() == 0 { position } else { leg.end() };
        leg.resting_since.get_or_insert(from.max(first));
    }

    /// The next packet of `channel` follows the last one directly by its sequence number: what lies between
    /// them was never sent, and no packet of it is missing. Call it before that packet is pushed.
    pub fn rested(&mut self, channel: Channel) {
        let leg = &mut self.legs[channel.index()];
        if leg.end() > 0 && leg.resting_since.is_none() {
            let from = leg.end();
            leg.resting_since = Some(from);
            self.gaps.forgive(channel, from.max(0) as u64, self.ring.first());
        }
    }

    #[inline]
    fn put<T: Copy>(
        &mut self,
        channel: Channel,
        (ssrc, timestamp): (u32, u32),
        payload: &[T],
        decode: impl Fn(T) -> i16,
        arrival: Timestamp,
    ) {
        let quiet = || payload.iter().all(|sample| decode(*sample).unsigned_abs() <= QUIET);
        let len = payload.len() as i64;
        let heard = self.position(arrival) as i64;
        let leg = &mut self.legs[channel.index()];
        let at = leg.place(ssrc, timestamp, len, heard, quiet);
        let rested = leg.resting_since.take_if(|since| at + len > *since);
        if self.muting.is_on() {
            return; // not even what was said just before: it cannot be told apart
        }
        if at + len > (self.ring.first() + CAPACITY) as i64 {
            self.handle_timeout(arrival); // the driver is late: make room
        }
        if let Some(since) = rested {
            self.ring.hush(channel, since, at);
        }
        self.ring.write(channel, at, payload, decode);
    }

    /// Silence from `now` on, on both channels (`true`), or sound again (domain rule 7).
    pub fn pause(&mut self, on: bool, now: Timestamp) {
        self.muting.paused = on;
        self.muting.changed(self.position(now), self.ring.first());
    }

    /// The same because a party is on hold (domain rule 9); independent of [`Tap::pause`].
    pub fn hold(&mut self, on: bool, now: Timestamp) {
        self.muting.held = on;
        self.muting.changed(self.position(now), self.ring.first());
    }

    /// When to call [`Tap::handle_timeout`]: the next chunk's hold is over.
    #[must_use]
    pub fn poll_timeout(&self) -> Timestamp {
        let micros = (self.ring.first() + CHUNK + HOLD) * MICROS as u64;
        self.start + Duration::from_micros(micros)
    }

    /// Hands off every chunk that is due. Call it at [`Tap::poll_timeout`] or any time later.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while self.poll_timeout() <= now {
            self.hand_off(CHUNK);
        }
    }

    /// Hands off the rest, up to `now` or the end of what was relayed by then, and tells the sink.
    pub fn finish(mut self, now: Timestamp) {
        self.handle_timeout(now);
        let spoken = self.legs.iter().map(Leg::end).max().unwrap_or(0) as u64;
        let end = spoken.max(self.position(now)).min(self.ring.first() + CAPACITY);
        while self.ring.first() < end {
            self.hand_off(CHUNK.min(end - self.ring.first()));
        }
        let samples = self.ring.first();
        let (gaps, unlisted) = self.gaps.finish();
        self.sink.finish(End { samples, gaps, unlisted });
    }

    /// Whole samples since the start.
    fn position(&self, at: Timestamp) -> u64 {
        // As 64 bits: a division of 128 costs as much as a packet's samples.
        at.since(self.start).as_micros() as u64 / MICROS as u64
    }

    fn hand_off(&mut self, len: u64) {
        let start = self.ring.first();
        let end = start + len;
        let before = self.gaps.mark();
        let mut samples = self.spare.take().unwrap_or_else(|| self.sink.buffer());
        samples.clear();
        samples.reserve(len as usize * 2);
        while self.ring.first() < end {
            let at = self.ring.first();
            let (why, until) = self.muting.at(at);
            let len = until.min(end) - at;
            if let Some(why) = why {
                self.ring.blank(len, &mut samples);
                self.gaps.add(at, len, why, None);
            } else {
                for channel in [Channel::Caller, Channel::Agent] {
                    if let Some(since) = self.legs[channel.index()].resting_since {
                        self.ring.hush(channel, since, (at + len) as i64);
                    }
                }
                self.ring.take(len, &mut samples, &mut self.gaps);
            }
        }
        self.muting.forget(end);
        if let Err(refused) = self.sink.put(Chunk { start, samples }) {
            self.spare = Some(refused.samples);
            self.gaps.back_to(before);
            self.gaps.add(start, len, Missing::Backlog, None);
        }
    }
}

/// Which stretches of the timeline are silent by order. Pausing and holding overlap freely; while
/// both last, the pause is named.
#[derive(Default)]
struct Muting {
    paused: bool,
    held: bool,
    /// In order, apart from one another; the last one may be open-ended.
    spans: VecDeque<Span>,
}

struct Span {
    start: u64,
    end: u64,
    why: Missing,
}

/// The end of a span that lasts.
const OPEN: u64 = u64::MAX;

impl Muting {
    fn reason(&self) -> Option<Missing> {
        match (self.paused, self.held) {
            (true, _) => Some(Missing::Paused),
            (false, true) => Some(Missing::Hold),
            (false, false) => None,
        }
    }

    fn is_on(&self) -> bool {
        self.reason().is_some()
    }

    /// Pause or hold may have changed at `now`; what lies before `first` is handed off.
    fn changed(&mut self, now: u64, first: u64) {
        let now = now.max(first);
        let reason = self.reason();
        let open = self.spans.back_mut().filter(|span| span.end == OPEN);
        if open.as_ref().map(|span| span.why) == reason {
            return;
        }
        if let Some(span) = open {
            // One more: a span ends within a sample, and that one is silent too.
            span.end = (now + 1).max(span.start);
        }
        if let Some(why) = reason {
            let start = self.spans.back().map_or(now, |span| span.end.max(now));
            self.spans.push_back(Span { start, end: OPEN, why });
        }
    }

    /// Whether and why `at` is silent, and up to where that holds.
    fn at(&self, at: u64) -> (Option<Missing>, u64) {
        match self.spans.iter().find(|span| at < span.end) {
            Some(span) if span.start <= at => (Some(span.why), span.end),
            Some(span) => (None, span.start),
            None => (None, OPEN),
        }
    }

    fn forget(&mut self, before: u64) {
        while self.spans.front().is_some_and(|span| span.end <= before) {
            self.spans.pop_front();
        }
    }
}
