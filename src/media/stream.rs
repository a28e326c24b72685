//! What a leg is sent, as one RTP stream: one SSRC, sequence and timestamps that go on growing across
//! prompt, bridge, a peer's change of SSRC, and prompt again. Loss and reordering of a forwarded
//! stream stay visible, so that the receiver conceals them where they happened.

use std::time::Duration;

use super::rtp::{Header, sequence_distance, timestamp_distance};
use crate::time::Timestamp;

/// Forward jump of the sequence beyond which a sender is taken to have started anew (RFC 3550 A.1).
const MAX_DROPOUT: i16 = 3_000;
/// Backward jump, likewise.
const MAX_MISORDER: i16 = 100;
/// A sender's timestamps may run ahead of or behind the wall clock by so many milliseconds between two
/// packets; beyond it they are moved. Some senders stop their clock on hold, or jump on a new source.
const MAX_STRAY_MS: i64 = 3_000;

/// An outgoing RTP stream.
#[derive(Clone, Debug)]
pub struct OutStream {
    ssrc: u32,
    /// Timestamp ticks in a millisecond.
    khz: u32,
    /// The next packet's, when it comes in order.
    sequence: u16,
    last: Option<Last>,
    talker: Talker,
    /// Streams being forwarded, the latest first. Two, since some phones send keys with an SSRC of
    /// their own amid the audio.
    sources: [Option<Source>; 2],
    first_timestamp: u32,
}

/// The latest moment of the outgoing timeline.
#[derive(Clone, Copy, Debug)]
struct Last {
    timestamp: u32,
    at: Timestamp,
    samples: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Talker {
    Nobody,
    Local,
    Source(u32),
}

/// A stream being forwarded. Its sequence `highest` always stands for our `sequence - 1`.
#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    highest: u16,
    /// Older packets than this have had their place in the outgoing sequence taken.
    from: u16,
    /// Ours minus theirs.
    timestamp_delta: u32,
    /// Their latest audio timestamp, and when it came.
    audio: Option<(u32, Timestamp)>,
}

/// What a forwarded packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Audio of so many samples.
    Audio {
        /// In ticks of the stream's clock.
        samples: u32,
    },
    /// A telephone-event: its timestamp is that of the event's start (RFC 4733 §2.1).
    Event,
}

impl OutStream {
    /// A stream that will start with these; all three are to be random (RFC 3550 §5.1). Its clock runs at
    /// 8 kHz until [`OutStream::set_clock`] says otherwise.
    #[must_use]
    pub fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Self {
            ssrc,
            khz: 8,
            sequence,
            last: None,
            talker: Talker::Nobody,
            sources: [None, None],
            first_timestamp: timestamp,
        }
    }

    /// Our SSRC.
    #[must_use]
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The ticks of its clock per second from `now` on (see [`Codec::clock`](super::Codec::clock)). The
    /// SSRC stays, and timestamps go on from where they are, in the new unit: what RFC 7160 §3.2 calls the
    /// same SSRC with monotonic timestamps.
    pub fn set_clock(&mut self, hz: u32, now: Timestamp) {
        let khz = (hz / 1_000).max(1);
        if khz == self.khz {
            return;
        }
        if let Some(last) = &mut self.last {
            let passed = samples_in(now.since(last.at), self.khz).max(last.samples);
            *last = Last { timestamp: last.timestamp.wrapping_add(passed), at: now, samples: 0 };
        }
        self.khz = khz;
        self.interrupt();
    }

    /// Timestamp ticks in a millisecond.
    #[must_use]
    pub fn khz(&self) -> u32 {
        self.khz
    }

    /// The header of a packet of a telephone-event amid our own audio. `timestamp` is that of the event's
    /// start (RFC 4733 §2.1), by [`OutStream::timestamp_at`] at its first packet.
    pub fn own_event(&mut self, payload_type: u8, timestamp: u32, marker: bool) -> Header {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        Header { marker, payload_type, sequence, timestamp, ssrc: self.ssrc }
    }

    /// The header of a packet of our own audio, due at `due`.
    pub fn local(&mut self, payload_type: u8, samples: u32, due: Timestamp) -> Header {
        let timestamp = self.timestamp_at(due);
        let marker = self.talker != Talker::Local;
        self.talker = Talker::Local;
        self.sources = [None, None];
        self.last = Some(Last { timestamp, at: due, samples });
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        Header { marker, payload_type, sequence, timestamp, ssrc: self.ssrc }
    }

    /// The header a received packet is forwarded with; `None` when it came so late that its place
    /// is taken: drop it.
    pub fn forward(
        &mut self,
        received: &Header,
        payload_type: u8,
        kind: Kind,
        now: Timestamp,
    ) -> Option<Header> {
        let (mut source, fresh) = self.take_source(received, now);
        let distance = sequence_distance(source.highest, received.sequence);
        if distance <= 0 && sequence_distance(source.from, received.sequence) < 0 {
            self.sources[0] = Some(source);
            return None;
        }
        let moved = distance > 0 && self.follow_clock(&mut source, received, kind, now);
        // `highest` stands for `sequence - 1`, in both directions.
        let sequence = self.sequence.wrapping_sub(1).wrapping_add(distance.cast_unsigned());
        let timestamp = received.timestamp.wrapping_add(source.timestamp_delta);
        let switched = self.talker != Talker::Source(received.ssrc);
        if distance > 0 {
            source.highest = received.sequence;
            self.sequence = sequence.wrapping_add(1);
            self.talker = Talker::Source(received.ssrc);
            if let Some(other) = &mut self.sources[1] {
                other.from = other.highest.wrapping_add(1);
            }
            self.reach(timestamp, kind, now);
        }
        self.sources[0] = Some(source);
        let marker = received.marker || (distance > 0 && (fresh || moved || switched));
        Some(Header { marker, payload_type, sequence, timestamp, ssrc: self.ssrc })
    }

    /// A received packet is deliberately not forwarded (a payload type the receiver does not know): it
    /// shall not look lost.
    pub fn skip(&mut self, received: &Header) {
        for source in self.sources.iter_mut().flatten() {
            if source.ssrc == received.ssrc && sequence_distance(source.highest, received.sequence) == 1 {
                source.highest = received.sequence;
                source.from = received.sequence.wrapping_add(1);
            }
        }
    }

    /// Forwarding stops for a while (prompt, hold, another bridge): what comes next starts a new
    /// talkspurt, at its own time.
    pub fn interrupt(&mut self) {
        self.talker = Talker::Nobody;
        self.sources = [None, None];
    }

    /// When our next own packet may be due without overlapping the last one sent.
    #[must_use]
    pub fn free_from(&self, now: Timestamp) -> Timestamp {
        self.last.map_or(now, |last| now.max(last.at + samples_time(last.samples, self.khz)))
    }

    /// The stream's timestamp at `now`: for sender reports, and for what is sent at `now`.
    #[must_use]
    pub fn timestamp_at(&self, now: Timestamp) -> u32 {
        let Some(last) = self.last else { return self.first_timestamp };
        last.timestamp.wrapping_add(samples_in(now.since(last.at), self.khz).max(last.samples))
    }

    /// The source a packet belongs to, taken out of slot 0 (the caller puts it back), and whether it
    /// was anchored anew.
    fn take_source(&mut self, received: &Header, now: Timestamp) -> (Source, bool) {
        let is = |slot: &Option<Source>| slot.is_some_and(|source| source.ssrc == received.ssrc);
        if is(&self.sources[1]) {
            self.sources.swap(0, 1);
        } else if !is(&self.sources[0]) {
            self.sources[1] = self.sources[0].take();
        }
        if let Some(known) = self.sources[0].take() {
            let distance = sequence_distance(known.highest, received.sequence);
            if (-MAX_MISORDER..=MAX_DROPOUT).contains(&distance) {
                return (known, false);
            }
        }
        let anchored = Source {
            ssrc: received.ssrc,
            highest: received.sequence.wrapping_sub(1),
            from: received.sequence,
            timestamp_delta: self.timestamp_at(now).wrapping_sub(received.timestamp),
            audio: None,
        };
        (anchored, true)
    }

    /// Moves the source's timestamps when they have strayed from the clock; `true` if so.
    fn follow_clock(&self, source: &mut Source, received: &Header, kind: Kind, now: Timestamp) -> bool {
        if kind == Kind::Event {
            return false;
        }
        let before = source.audio.replace((received.timestamp, now));
        let Some((timestamp, at)) = before else { return false };
        let advanced = i64::from(timestamp_distance(timestamp, received.timestamp));
        let elapsed = i64::from(samples_in(now.since(at), self.khz));
        let strayed = (advanced - elapsed).abs() > MAX_STRAY_MS * i64::from(self.khz);
        if strayed {
            source.timestamp_delta = self.timestamp_at(now).wrapping_sub(received.timestamp);
        }
        strayed
    }

    fn reach(&mut self, timestamp: u32, kind: Kind, now: Timestamp) {
        let samples = match kind {
            Kind::Audio { samples } => samples,
            Kind::Event => 0,
        };
        if self.last.is_none_or(|last| timestamp_distance(last.timestamp, timestamp) > 0) {
            self.last = Some(Last { timestamp, at: now, samples });
        }
    }
}

/// Ticks in a span; a span of more than a day counts as a day.
fn samples_in(span: Duration, khz: u32) -> u32 {
    const DAY: u64 = 86_400_000_000;
    let micros = u64::try_from(span.as_micros()).unwrap_or(DAY).min(DAY);
    u32::try_from(micros * u64::from(khz) / 1_000).unwrap_or(u32::MAX)
}

fn samples_time(samples: u32, khz: u32) -> Duration {
    Duration::from_micros(u64::from(samples) * 1_000 / u64::from(khz))
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
