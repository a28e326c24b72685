//! RTP packets that can be told apart: each carries the call, the direction, its number and when it was
//! sent, so loss, doubles and delay are exact, not inferred.

use std::sync::Arc;

use sayso::media::rtp::Header;

use crate::speech::Speech;

/// Bytes of G.711 in 20 ms.
const FRAME: usize = 160;
const HEADER: usize = 12;
/// RTP payload types: A-law, and telephone-event as our SDP has it.
const PCMA: u8 = 8;
const DTMF: u8 = 101;
/// Starts the payload of a packet of ours; prompts and music do not have it.
const MAGIC: [u8; 8] = *b"\xd5say\xd5so\xd5";

/// What a packet of ours says about itself. Its octets after the mark are A-law silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The call's number in this run.
    pub(crate) call: u32,
    /// Counts from 0 within call and direction.
    pub(crate) number: u32,
    /// When it was sent: nanoseconds of this run's clock.
    pub(crate) sent: u64,
}

/// The sending half of a stream.
#[derive(Debug, Default)]
pub(crate) struct Talker {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// Audio packets sent so far.
    pub(crate) sent: u32,
    /// Packets left of a key being pressed, and its event code.
    key: Option<(u8, u8)>,
}

/// A key is pressed for 100 ms and its end sent thrice (RFC 4733 §2.5.1.4).
const KEY_PACKETS: u8 = 7;

impl Talker {
    pub(crate) fn new(ssrc: u32) -> Self {
        Self { ssrc, ..Self::default() }
    }

    /// Presses a key: the next seven packets carry it.
    pub(crate) fn press(&mut self, event: u8) {
        self.key = Some((event, KEY_PACKETS));
    }

    /// Whether the next packet is the first of a key.
    pub(crate) fn begins_key(&self) -> bool {
        self.key.is_some_and(|(_, left)| left == KEY_PACKETS)
    }

    /// The next packet, due every 20 ms; `now` in nanoseconds of the run's clock.
    pub(crate) fn packet(&mut self, call: u32, now: u64, buffer: &mut [u8; HEADER + FRAME]) -> usize {
        self.sequence = self.sequence.wrapping_add(1);
        let (header, payload) = buffer.split_at_mut(HEADER);
        header[0] = 0x80;
        header[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        header[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        header[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        if let Some((event, left)) = self.key {
            let step = KEY_PACKETS - left + 1;
            let end = if step >= 5 { 0x80 } else { 0 };
            let [high, low] = (160 * u16::from(step.min(5))).to_be_bytes();
            payload[..4].copy_from_slice(&[event, end | 10, high, low]);
            header[1] = DTMF | if step == 1 { 0x80 } else { 0 };
            self.key = (left > 1).then_some((event, left - 1));
            if self.key.is_none() {
                self.timestamp = self.timestamp.wrapping_add(160 * u32::from(KEY_PACKETS));
            }
            return HEADER + 4;
        }
        header[1] = PCMA;
        payload[..8].copy_from_slice(&MAGIC);
        payload[8..12].copy_from_slice(&call.to_be_bytes());
        payload[12..16].copy_from_slice(&self.sent.to_be_bytes());
        payload[16..24].copy_from_slice(&now.to_be_bytes());
        payload[24..].fill(0xd5); // A-law silence
        self.sent += 1;
        self.timestamp = self.timestamp.wrapping_add(160);
        HEADER + FRAME
    }

    /// The next packet, with the next 20 ms of speech instead of a mark.
    pub(crate) fn speech(&mut self, speech: &Speech, buffer: &mut [u8; HEADER + FRAME]) -> usize {
        let said = self.sent;
        let length = self.packet(0, 0, buffer);
        if length == HEADER + FRAME {
            buffer[HEADER..].copy_from_slice(speech.alaw(said));
        }
        length
    }

    /// The next 20 ms of speech in Opus.
    pub(crate) fn opus(&mut self, speech: &Speech) -> (Header, Arc<[u8]>) {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(960);
        let payload = speech.opus(self.sent);
        self.sent += 1;
        let Self { ssrc, sequence, timestamp, .. } = *self;
        (Header { marker: self.sent == 1, payload_type: 0, sequence, timestamp, ssrc }, payload)
    }
}

/// SSRC and sequence number of an RTP packet with A-law.
pub(crate) fn header(packet: &[u8]) -> Option<(u32, u16)> {
    let head: &[u8; HEADER] = packet.first_chunk()?;
    let ssrc = u32::from_be_bytes([head[8], head[9], head[10], head[11]]);
    (head[1] & 0x7f == PCMA).then_some((ssrc, u16::from_be_bytes([head[2], head[3]])))
}

/// What an RTP packet says about itself; `None` for prompts, music, keys and RTCP.
pub(crate) fn mark(packet: &[u8]) -> Option<Mark> {
    mark_in(packet.get(1)? & 0x7f, packet.get(HEADER..)?)
}

/// The same, of a payload.
pub(crate) fn mark_in(payload_type: u8, payload: &[u8]) -> Option<Mark> {
    let payload = payload.get(..24)?;
    if payload_type != PCMA || payload[..8] != MAGIC {
        return None;
    }
    let word = |at: usize| payload[at..at + 4].try_into().map(u32::from_be_bytes).ok();
    let sent = u64::from_be_bytes(payload[16..24].try_into().ok()?);
    Some(Mark { call: word(8)?, number: word(12)?, sent })
}

/// What 20 ms of A-law say about themselves, wherever they were found.
pub(crate) fn mark_of_audio(octets: &[u8]) -> Option<Mark> {
    mark_in(PCMA, octets)
}

/// The receiving half of a stream: which packets came.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    seen: Vec<u64>,
    first: Option<u32>,
    /// Different packets that came.
    pub(crate) received: u32,
    /// Packets that came more than once.
    pub(crate) doubles: u32,
}

impl Listener {
    /// Notes a packet's number.
    pub(crate) fn note(&mut self, number: u32) {
        let (word, bit) = (number as usize / 64, 1u64 << (number % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        if self.seen[word] & bit != 0 {
            self.doubles += 1;
            return;
        }
        self.seen[word] |= bit;
        self.received += 1;
        self.first = Some(self.first.map_or(number, |first| first.min(number)));
    }

    /// Whether this number came.
    pub(crate) fn has(&self, number: u32) -> bool {
        let bits = self.seen.get(number as usize / 64).copied().unwrap_or(0);
        bits & (1 << (number % 64)) != 0
    }

    /// All numbers that came, in order.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> {
        (0..self.seen.len() as u32 * 64).filter(|number| self.has(*number))
    }

    /// Whether anything came.
    pub(crate) fn heard(&self) -> bool {
        self.first.is_some()
    }

    /// How many of `sent` packets should have come: from the first that did (what was sent before the two
    /// sides were connected went nowhere) to the last that was sent.
    pub(crate) fn due(&self, sent: u32) -> u32 {
        self.first.map_or(0, |first| sent.saturating_sub(first))
    }

    /// How many of those are missing.
    pub(crate) fn lost(&self, sent: u32) -> u32 {
        self.due(sent).saturating_sub(self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_know_themselves_and_gaps_show() {
        let (mut talker, mut listener) = (Talker::new(7), Listener::default());
        let mut buffer = [0; 172];
        for n in 0..100u32 {
            let length = talker.packet(5, 1000 + u64::from(n), &mut buffer);
            let mark = mark(&buffer[..length]).expect("a packet of ours");
            assert_eq!(mark, Mark { call: 5, number: n, sent: 1000 + u64::from(n) });
            if n >= 10 && n != 50 {
                listener.note(mark.number);
            }
        }
        listener.note(99);
        assert_eq!((listener.received, listener.doubles, listener.lost(talker.sent)), (89, 1, 1));
        assert_eq!((listener.due(102), listener.lost(102)), (92, 3), "those sent last count");
        assert_eq!(mark(&[0x80; 172]), None);
    }

    #[test]
    fn a_key_takes_seven_packets() {
        let mut talker = Talker::new(7);
        let mut buffer = [0; 172];
        talker.press(1);
        let keys: Vec<_> = (0..8)
            .map(|_| {
                let length = talker.packet(0, 0, &mut buffer);
                (length, buffer[1], buffer[13] & 0x80 != 0)
            })
            .collect();
        assert_eq!(keys[0], (16, 0x80 | 101, false));
        assert_eq!(keys[6], (16, 101, true));
        assert_eq!(keys[7].0, 172);
    }
}
