//! The sender's sequence numbers and timestamps as one line that only grows: unwrapped, and carried on over a new SSRC or
//! a jump of either.

use super::Content;
use super::slots::SLOTS;
use crate::media::rtp::{Header, sequence_distance, timestamp_distance};

/// A timestamp this far (500 ms) from where its arrival says shows that the sender moved its clock, or stalled: more than
/// the buffer can even out.
const STRAY_MS: i64 = 500;

#[derive(Clone, Debug)]
pub(super) struct Line {
    ssrc: u32,
    /// The newest packet: its sequence number, raw and on the line.
    raw: u16,
    seq: i64,
    /// The newest timestamp, raw and on the line in ticks, when it came, and where the audio ends.
    timestamp: u32,
    time: i64,
    arrival: i64,
    end: i64,
    /// A packet out of any sequence: if the next follows on it, the sender has started anew (RFC 3550 A.1).
    outlier: Option<u16>,
}

/// Where a packet belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) seq: i64,
    pub(super) time: i64,
}

impl Line {
    /// Begins with this packet, which came at `arrival`.
    pub(super) fn new(header: &Header, content: Content, arrival: i64) -> (Self, Place) {
        let line = Self {
            ssrc: header.ssrc,
            raw: header.sequence,
            seq: 0,
            timestamp: header.timestamp,
            time: arrival,
            arrival,
            end: arrival + content.ticks(),
            outlier: None,
        };
        (line, Place { seq: 0, time: arrival })
    }

    /// Where the newest audio ends.
    pub(super) fn end(&self) -> i64 {
        self.end
    }

    /// Places a packet; `None` when it is out of any sequence. `base`: arrival less time of the fastest packets.
    pub(super) fn place(
        &mut self,
        header: &Header,
        content: Content,
        arrival: i64,
        base: Option<i64>,
        per_ms: i64,
    ) -> Option<Place> {
        let distance = i64::from(sequence_distance(self.raw, header.sequence));
        // Where a packet belongs whose timestamp says nothing.
        let anew = base.map_or(arrival, |base| arrival - base).max(self.end);
        if header.ssrc != self.ssrc {
            return Some(self.advance(header, content, arrival, 1, anew));
        }
        if distance.abs() >= SLOTS {
            let follows = self.outlier.replace(header.sequence) == Some(header.sequence.wrapping_sub(1));
            return follows.then(|| self.advance(header, content, arrival, 1, anew));
        }
        self.outlier = None;
        let moved = i64::from(timestamp_distance(self.timestamp, header.timestamp));
        if distance <= 0 {
            // Whatever its timestamp says, it came before the newest.
            return Some(Place { seq: self.seq + distance, time: self.time + moved.min(0) });
        }
        let strayed = (moved - (arrival - self.arrival)).abs() > STRAY_MS * per_ms;
        let time = match content {
            Content::Event => return Some(self.silent(header, distance)),
            Content::Audio { .. } | Content::Noise if strayed => anew,
            Content::Audio { .. } | Content::Noise => (self.time + moved).max(self.end),
        };
        Some(self.advance(header, content, arrival, distance, time))
    }

    /// An event has a timestamp of its own rules (RFC 4733 §2.1): only its number counts.
    fn silent(&mut self, header: &Header, distance: i64) -> Place {
        self.raw = header.sequence;
        self.seq += distance;
        Place { seq: self.seq, time: self.end }
    }

    fn advance(&mut self, header: &Header, content: Content, arrival: i64, by: i64, time: i64) -> Place {
        self.ssrc = header.ssrc;
        self.raw = header.sequence;
        self.seq += by;
        self.timestamp = header.timestamp;
        self.time = time;
        self.arrival = arrival;
        self.end = self.end.max(time + content.ticks());
        self.outlier = None;
        Place { seq: self.seq, time }
    }
}
