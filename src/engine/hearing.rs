//! What a leg says, decoded: at its own pace as it comes, for the recorder and for keys in the audio
//! ([`Monitor`]); or evened out by a jitter buffer, for a peer with another codec or a conference ([`Ear`]).

use std::fmt;
use std::time::Duration;

use crate::media::codec::{CodecError, Decoder};
use crate::media::convert::Converter;
use crate::media::playout::Playout;
use crate::media::rtp::{Header, sequence_distance, timestamp_distance};
use crate::media::sound::RATE;
use crate::media::tones::ToneDetector;
use crate::media::{Codec, Digit};
use crate::time::Timestamp;

/// Being later than this a schedule starts anew rather than catch up, as
/// [`Player`](crate::media::player::Player) does.
const TOO_LATE: Duration = Duration::from_millis(100);
/// Samples given to the tone detector at once.
const TONE_PIECE: usize = 480;

/// To one sample rate, from whatever rate comes.
pub(super) struct Rate {
    to: u32,
    converter: Option<(u32, Converter)>,
}

impl Rate {
    pub(super) fn to(to: u32) -> Self {
        Self { to, converter: None }
    }

    /// Appends `pcm`, which has `from` samples per second, to `out`.
    pub(super) fn convert(&mut self, pcm: &[i16], from: u32, out: &mut Vec<i16>) {
        if from == self.to {
            self.converter = None;
            out.extend_from_slice(pcm);
            return;
        }
        if self.converter.as_ref().is_none_or(|(known, _)| *known != from) {
            self.converter = Some((from, Converter::new(from, self.to)));
        }
        if let Some((_, converter)) = &mut self.converter {
            converter.convert(pcm, out);
        }
    }
}

/// How far a packet may lie from the one expected before it begins the stream anew.
const FAR: i16 = 100;

/// Decodes a leg packet by packet as they come, to 8 kHz, for ears that need no even flow. One that overtook
/// another waits for it until the next one comes: a decoder out of step is heard. The recorder's hold leaves
/// no time for more.
pub(super) struct Monitor {
    decoder: Option<Decoder>,
    rate: Rate,
    raw: Vec<i16>,
    pcm: Vec<i16>,
    /// The packets decoded last: the timestamp of each, and where in `pcm` it begins.
    pieces: Vec<(u32, usize)>,
    /// The packet decoded last.
    last: Option<Header>,
    /// One that waits for its predecessor, and its payload.
    waiting: Option<(Header, Codec)>,
    payload: Vec<u8>,
    /// Ticks of the stream so far, never wrapped.
    ticks: i64,
    tones: Option<ToneDetector>,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("ticks", &self.ticks).finish_non_exhaustive()
    }
}

impl Monitor {
    /// With `tones`, it listens for keys too.
    pub(super) fn new(tones: bool) -> Self {
        Self {
            decoder: None,
            rate: Rate::to(RATE),
            raw: Vec::new(),
            pcm: Vec::new(),
            pieces: Vec::new(),
            last: None,
            waiting: None,
            payload: Vec::new(),
            ticks: 0,
            tones: tones.then(ToneDetector::new),
        }
    }

    /// Whether it listens for keys.
    pub(super) fn has_tones(&self) -> bool {
        self.tones.is_some()
    }

    /// Begins or ends to listen for keys.
    pub(super) fn set_tones(&mut self, on: bool) {
        if on != self.tones.is_some() {
            self.tones = on.then(ToneDetector::new);
        }
    }

    /// Takes an audio packet. `false` when there is nothing to hear now: it waits, came twice or too late, or
    /// cannot be decoded.
    pub(super) fn take(&mut self, header: &Header, codec: Codec, payload: &[u8]) -> bool {
        self.pcm.clear();
        self.pieces.clear();
        match self.ahead(header) {
            Some(1) => {
                self.decode(header, codec, payload);
                if let Some((waiting, codec)) = self.waiting.take_if(|w| follows(header, &w.0) == 1) {
                    self.decode_waiting(&waiting, codec);
                }
            }
            Some(ahead) if ahead > 1 => self.overtake(header, codec, payload),
            Some(_) => {}
            None => {
                self.waiting = None;
                self.decode(header, codec, payload);
            }
        }
        !self.pieces.is_empty()
    }

    /// How many packets after the one decoded last; `None` when the stream begins.
    fn ahead(&self, header: &Header) -> Option<i16> {
        let last = self.last.as_ref().filter(|last| last.ssrc == header.ssrc)?;
        Some(follows(last, header)).filter(|ahead| ahead.abs() <= FAR)
    }

    /// A packet whose predecessor is missing: it waits, or, when one waits already, no more is waited for.
    fn overtake(&mut self, header: &Header, codec: Codec, payload: &[u8]) {
        let Some((waiting, waiting_codec)) = self.waiting.take() else {
            self.wait(header, codec, payload);
            return;
        };
        match follows(&waiting, header) {
            0 => self.waiting = Some((waiting, waiting_codec)),
            1 => {
                self.decode_waiting(&waiting, waiting_codec);
                self.decode(header, codec, payload);
            }
            ahead if ahead > 1 => {
                self.decode_waiting(&waiting, waiting_codec);
                self.wait(header, codec, payload);
            }
            behind => {
                self.decode(header, codec, payload);
                if behind == -1 {
                    self.decode_waiting(&waiting, waiting_codec);
                } else {
                    self.waiting = Some((waiting, waiting_codec));
                }
            }
        }
    }

    fn wait(&mut self, header: &Header, codec: Codec, payload: &[u8]) {
        self.waiting = Some((*header, codec));
        self.payload.clear();
        self.payload.extend_from_slice(payload);
    }

    fn decode_waiting(&mut self, header: &Header, codec: Codec) {
        let payload = std::mem::take(&mut self.payload);
        self.decode(header, codec, &payload);
        self.payload = payload;
    }

    fn decode(&mut self, header: &Header, codec: Codec, payload: &[u8]) {
        if let Some(last) = self.last.filter(|last| last.ssrc == header.ssrc) {
            self.ticks += i64::from(timestamp_distance(last.timestamp, header.timestamp));
        }
        self.last = Some(*header);
        if self.decoder.as_ref().is_none_or(|decoder| decoder.codec() != codec) {
            self.decoder = Decoder::new(codec)
                .inspect_err(|error| tracing::error!(%error, "a leg's audio cannot be recorded"))
                .ok();
        }
        let Some(decoder) = &mut self.decoder else { return };
        self.raw.clear();
        if decoder.decode(payload, &mut self.raw).is_ok() {
            let khz = i64::from(codec.clock() / 1_000);
            // Wraps as timestamps do.
            self.pieces.push(((self.ticks * 8 / khz) as u32, self.pcm.len()));
            self.rate.convert(&self.raw, decoder.rate(), &mut self.pcm);
        }
    }

    /// What the packet taken last let be heard, packet by packet: its samples at 8 kHz, and a timestamp that
    /// counts them.
    pub(super) fn heard(&self) -> impl Iterator<Item = (u32, &[i16])> {
        let ends = self.pieces.iter().skip(1).map(|(_, start)| *start).chain([self.pcm.len()]);
        self.pieces.iter().zip(ends).map(|(&(timestamp, start), end)| (timestamp, &self.pcm[start..end]))
    }

    /// A key that the packet taken last completed.
    pub(super) fn key(&mut self) -> Option<Digit> {
        let tones = self.tones.as_mut()?;
        // All pieces are to be heard, whichever of them completes a key.
        self.pcm.chunks(TONE_PIECE).fold(None, |found, piece| tones.push(piece).or(found))
    }
}

/// How many packets `later` comes after `earlier`.
fn follows(earlier: &Header, later: &Header) -> i16 {
    sequence_distance(earlier.sequence, later.sequence)
}

/// A leg's jitter buffer and decoder, and when to pull from it.
pub(super) struct Ear {
    pub(super) playout: Playout,
    /// For the recorder.
    pub(super) to_tape: Rate,
    /// For a conference.
    pub(super) to_room: Rate,
    /// When the next packet for the peer is due; `None` while there is nothing to say, and in a conference,
    /// which has a pace of its own.
    pub(super) due: Option<Timestamp>,
    /// Packets in a row in which nothing was heard.
    pub(super) silent: u32,
    /// Counts samples at 8 kHz for the recorder, whether anything was heard or not.
    pub(super) position: u32,
    /// Tells the recorder this stretch from others of the leg.
    pub(super) stream: u32,
    /// It belongs to a conference.
    pub(super) in_room: bool,
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ear").field("due", &self.due).field("in_room", &self.in_room).finish_non_exhaustive()
    }
}

impl Ear {
    /// For a leg that sends `codec` at present. `stream` is another number for each ear.
    pub(super) fn new(codec: Codec, stream: u32, room: Option<u32>) -> Result<Self, CodecError> {
        Ok(Self {
            playout: Playout::new(codec, stream)?,
            to_tape: Rate::to(RATE),
            to_room: Rate::to(room.unwrap_or(RATE)),
            due: None,
            silent: 0,
            position: 0,
            stream,
            in_room: room.is_some(),
        })
    }

    /// Milliseconds of concealment so far.
    pub(super) fn concealed_ms(&self) -> u64 {
        self.playout.stats().concealed_us / 1_000
    }

    /// The due time of the next packet, and the schedule moved on by `span`.
    pub(super) fn step(&mut self, span: Duration, now: Timestamp) -> Option<Timestamp> {
        let due = self.due.filter(|due| *due <= now)?;
        let due = if now.since(due) > TOO_LATE { now } else { due };
        self.due = Some(due + span);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::Encoder;

    /// Half a second of a tone in packets of 20 ms.
    fn packets(codec: Codec) -> Vec<(Header, Vec<u8>)> {
        let mut encoder = Encoder::new(codec).unwrap();
        let count = codec.rate() as usize / 50;
        let packet = |n: usize| {
            let sample = |at: usize| ((at as f64 * 2_700.0 / f64::from(codec.rate())).sin() * 8_000.0) as i16;
            let pcm: Vec<i16> = (n * count..(n + 1) * count).map(sample).collect();
            let mut payload = Vec::new();
            encoder.encode(&pcm, &mut payload).unwrap();
            let sequence = 65_530u16.wrapping_add(n as u16);
            (Header { sequence, timestamp: n as u32 * codec.clock() / 50, ..Header::default() }, payload)
        };
        (0..25).map(packet).collect()
    }

    /// What is heard when they come in this order, by timestamp.
    fn heard(codec: Codec, packets: &[(Header, Vec<u8>)], order: &[usize]) -> Vec<(u32, Vec<i16>)> {
        let mut monitor = Monitor::new(false);
        let mut heard = Vec::new();
        for &n in order {
            let told = monitor.take(&packets[n].0, codec, &packets[n].1);
            let before = heard.len();
            heard.extend(monitor.heard().map(|(timestamp, pcm)| (timestamp, pcm.to_vec())));
            assert_eq!(told, heard.len() > before);
        }
        heard
    }

    #[test]
    fn overtaken_packets_are_decoded_in_their_order() {
        for codec in [Codec::G722, Codec::Opus] {
            let packets = packets(codec);
            let order: Vec<usize> = (0..25).collect();
            let whole = heard(codec, &packets, &order);
            assert_eq!(whole.len(), 25);
            assert!(whole.iter().enumerate().all(|(n, (at, pcm))| (*at, pcm.len()) == (n as u32 * 160, 160)));
            let mut swapped = order.clone();
            for n in [3, 7, 9, 15] {
                swapped.swap(n, n + 1);
            }
            swapped.insert(12, 11);
            assert_eq!(heard(codec, &packets, &swapped), whole, "{codec:?}");
        }
    }

    #[test]
    fn a_lost_packet_holds_the_next_one_up_for_a_packet_only() {
        let packets = packets(Codec::G722);
        let at = |heard: Vec<(u32, Vec<i16>)>| heard.iter().map(|(at, _)| at / 160).collect::<Vec<_>>();
        assert_eq!(at(heard(Codec::G722, &packets, &[0, 1, 3])), [0, 1]);
        assert_eq!(at(heard(Codec::G722, &packets, &[0, 1, 3, 4, 2, 5])), [0, 1, 3, 4, 5]);
        assert_eq!(at(heard(Codec::G722, &packets, &[0, 1, 4, 6, 7])), [0, 1, 4, 6, 7]);
        assert_eq!(at(heard(Codec::G722, &packets, &[0, 4, 2, 3, 5])), [0, 2, 3, 4, 5]);
    }
}
