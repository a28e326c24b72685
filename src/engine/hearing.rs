//! What a leg says, decoded: at its own pace as it comes, for the recorder and for keys in the audio
//! ([`Monitor`]); or evened out by a jitter buffer, for a peer with another codec or a conference ([`Ear`]).

use std::fmt;
use std::time::Duration;

use crate::media::codec::{CodecError, Decoder};
use crate::media::convert::Converter;
use crate::media::playout::Playout;
use crate::media::rtp::{Header, timestamp_distance};
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

/// Decodes a leg packet by packet as they come, to 8 kHz. A late packet is decoded late: the recorder has
/// its place for it, and that a decoder is a packet out of step is hardly heard.
pub(super) struct Monitor {
    decoder: Option<Decoder>,
    rate: Rate,
    raw: Vec<i16>,
    pcm: Vec<i16>,
    /// SSRC, sequence and timestamp of the packet before.
    last: Option<(u32, u16, u32)>,
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
            last: None,
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

    /// Takes an audio packet. `false` when it is a duplicate or cannot be decoded.
    pub(super) fn take(&mut self, header: &Header, codec: Codec, payload: &[u8]) -> bool {
        self.pcm.clear();
        if let Some((ssrc, sequence, timestamp)) = self.last
            && ssrc == header.ssrc
        {
            if sequence == header.sequence {
                return false;
            }
            self.ticks += i64::from(timestamp_distance(timestamp, header.timestamp));
        }
        self.last = Some((header.ssrc, header.sequence, header.timestamp));
        self.decode(codec, payload).is_ok()
    }

    fn decode(&mut self, codec: Codec, payload: &[u8]) -> Result<(), CodecError> {
        if self.decoder.as_ref().is_none_or(|decoder| decoder.codec() != codec) {
            self.decoder = Some(Decoder::new(codec)?);
        }
        if let Some(decoder) = &mut self.decoder {
            self.raw.clear();
            decoder.decode(payload, &mut self.raw)?;
            self.rate.convert(&self.raw, decoder.rate(), &mut self.pcm);
        }
        Ok(())
    }

    /// The packet taken last: its samples at 8 kHz, and a timestamp that counts them.
    pub(super) fn heard(&self) -> (u32, &[i16]) {
        let khz = self.decoder.as_ref().map_or(8, |decoder| i64::from(decoder.codec().clock() / 1_000));
        // Wraps as timestamps do.
        ((self.ticks * 8 / khz) as u32, &self.pcm)
    }

    /// A key that the packet taken last completed.
    pub(super) fn key(&mut self) -> Option<Digit> {
        let tones = self.tones.as_mut()?;
        // All pieces are to be heard, whichever of them completes a key.
        self.pcm.chunks(TONE_PIECE).fold(None, |found, piece| tones.push(piece).or(found))
    }
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
