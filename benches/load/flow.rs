//! What one call's two directions showed: which packets came, when, and how they were spaced.

use crate::rtp::{Listener, Mark};

/// A packet that takes longer is late: few jitter buffers would still play it.
const LATE_US: u64 = 60_000;
/// Packets in a row by which a stream without marks is known to be heard.
const HEARD: u32 = 5;

/// One direction of a call, as its hearer has it.
#[derive(Default)]
pub(crate) struct Direction {
    pub(crate) packets: Listener,
    last: Option<Mark>,
    last_arrival: u64,
    /// Of a stream whose payload is made anew on the way (Opus): by sequence number.
    stream: Option<Stream>,
}

/// A stream by its RTP headers.
#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    highest: u16,
    received: u32,
    /// Places in the sequence from the first packet on.
    span: u32,
}

/// What a packet showed, in microseconds.
pub(crate) struct Seen {
    /// From the sender's system call to the receiver's kernel.
    pub(crate) delay: u64,
    /// How much the distance to the packet before differs from what it was at the sender; `None`: that one is missing.
    pub(crate) jitter: Option<u64>,
}

impl Seen {
    pub(crate) fn is_late(&self) -> bool {
        self.delay > LATE_US
    }
}

impl Direction {
    /// Notes a packet of ours that arrived at `arrival` (nanoseconds of the run's clock).
    pub(crate) fn note(&mut self, mark: Mark, arrival: u64) -> Seen {
        self.packets.note(mark.number);
        let before = self.last.filter(|last| last.number + 1 == mark.number);
        let jitter = before.map(|last| {
            let heard = arrival.saturating_sub(self.last_arrival);
            heard.abs_diff(mark.sent.saturating_sub(last.sent)) / 1_000
        });
        (self.last, self.last_arrival) = (Some(mark), arrival);
        Seen { delay: arrival.saturating_sub(mark.sent) / 1_000, jitter }
    }

    /// Notes a packet by its header, where payloads are made anew.
    pub(crate) fn note_header(&mut self, ssrc: u32, sequence: u16) {
        match &mut self.stream {
            Some(stream) if stream.ssrc == ssrc => {
                stream.received += 1;
                let step = sequence.wrapping_sub(stream.highest);
                if step < 0x8000 {
                    stream.span += u32::from(step);
                    stream.highest = sequence;
                }
            }
            stream => *stream = Some(Stream { ssrc, highest: sequence, received: 1, span: 1 }),
        }
    }

    /// Whether this direction is heard.
    pub(crate) fn heard(&self) -> bool {
        self.packets.heard() || self.stream.is_some_and(|stream| stream.received >= HEARD)
    }

    /// Due, received, lost, twice: of `sent` packets with marks, or of those that the headers told of.
    pub(crate) fn counts(&self, sent: u32) -> [u64; 4] {
        let of = match self.stream {
            Some(stream) => [stream.span, stream.received, stream.span.saturating_sub(stream.received), 0],
            None => {
                let packets = &self.packets;
                [packets.due(sent), packets.received, packets.lost(sent), packets.doubles]
            }
        };
        of.map(u64::from)
    }
}

/// What one call's two directions showed.
#[derive(Default)]
pub(crate) struct Flow {
    pub(crate) to_agent: Direction,
    pub(crate) to_caller: Direction,
    /// Packets that each side had said when it was over.
    pub(crate) said_by_caller: u32,
    pub(crate) said_by_agent: u32,
    /// When the ACK reached the agent.
    pub(crate) acknowledged: Option<u64>,
    /// When the caller first heard the agent.
    pub(crate) caller_hears: Option<u64>,
    pub(crate) connected: bool,
    pub(crate) failed: bool,
}

impl Flow {
    /// Microseconds from the agent's ACK until the caller hears the agent; 0 when the caller heard before that.
    pub(crate) fn ack_to_heard(&self) -> Option<u64> {
        let (acknowledged, hears) = self.acknowledged.zip(self.caller_hears)?;
        Some(hears.saturating_sub(acknowledged) / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spacing_and_delay_are_of_neighbours() {
        let mut direction = Direction::default();
        let ms = |n: u64| n * 1_000_000;
        let mut note = |number, sent, arrival| {
            let seen = direction.note(Mark { call: 0, number, sent: ms(sent) }, ms(arrival));
            (seen.delay, seen.jitter, seen.is_late())
        };
        assert_eq!(note(0, 0, 1), (1_000, None, false));
        assert_eq!(note(1, 20, 24), (4_000, Some(3_000), false));
        assert_eq!(note(3, 60, 61), (1_000, None, false), "the one before is missing");
        assert_eq!(note(4, 80, 141), (61_000, Some(60_000), true));
        assert_eq!(direction.counts(6), [6, 4, 2, 0]);
    }

    #[test]
    fn without_marks_the_sequence_tells_what_is_missing() {
        let mut direction = Direction::default();
        for sequence in [65_533u16, 65_534, 65_535, 0, 2, 3] {
            assert!(!direction.heard() || sequence > 2);
            direction.note_header(7, sequence);
        }
        assert!(direction.heard());
        assert_eq!(direction.counts(0), [7, 6, 1, 0]);
    }

    #[test]
    fn who_hears_before_the_ack_waits_for_nothing() {
        let of = |acknowledged, hears| {
            Flow { acknowledged, caller_hears: hears, ..Flow::default() }.ack_to_heard()
        };
        assert_eq!(of(Some(5_000_000), Some(9_000_000)), Some(4_000));
        assert_eq!(of(Some(9_000_000), Some(5_000_000)), Some(0));
        assert_eq!(of(None, Some(1)), None);
    }
}
