//! What a decoded leg says, as an even flow of samples: jitter buffer, decoder, concealment and comfort
//! noise in one. Packets go in as they come, samples come out as they are needed.

use std::time::Duration;

use super::Codec;
use super::codec::{CodecError, Decoder, ticks};
use super::jitter::{Content, Frame, JitterBuffer, JitterStats};
use super::noise::{Description, Generator};
use super::rtp::Header;
use crate::time::Timestamp;

/// Noise or silence is made in pieces of this many milliseconds while no audio is due.
const PIECE_MS: usize = 5;
/// Mean square below which a piece is so faint that its length may be changed unheard: -50 dBov.
const QUIET: i64 = 104 * 104;
/// Where a frame is left out amid speech, the joint is blended over this many milliseconds.
const JOINT_MS: usize = 5;

/// One leg's ear.
pub struct Playout {
    decoder: Decoder,
    jitter: JitterBuffer,
    noise: Generator,
    /// Decoded and not yet taken: from `taken` on.
    pcm: Vec<i16>,
    taken: usize,
    /// The beginning of a frame left out, to blend into what follows.
    left_out: Vec<i16>,
    quiet: bool,
    before: JitterStats,
}

impl Playout {
    /// For a leg whose peer sends `codec` at first. `seed` makes its comfort noise differ from others'.
    ///
    /// # Errors
    /// Only when Opus finds no memory.
    pub fn new(codec: Codec, seed: u32) -> Result<Self, CodecError> {
        Ok(Self {
            decoder: Decoder::new(codec)?,
            jitter: JitterBuffer::new(codec.clock()),
            noise: Generator::new(seed),
            pcm: Vec::new(),
            taken: 0,
            left_out: Vec::new(),
            quiet: true,
            before: JitterStats::default(),
        })
    }

    /// The codec the peer sends.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.decoder.codec()
    }

    /// Samples per second of what [`pull`](Self::pull) gives; changes when the peer's codec does.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.decoder.rate()
    }

    /// An audio packet of `codec` came. Another codec than before begins a new buffer and a new decoder, and may change
    /// [`rate`](Self::rate).
    ///
    /// # Errors
    /// The payload is no packet of `codec`, or Opus finds no memory; the packet is dropped.
    pub fn audio(
        &mut self,
        header: &Header,
        codec: Codec,
        payload: &[u8],
        arrival: Timestamp,
    ) -> Result<(), CodecError> {
        let ticks = ticks(codec, payload).ok_or(CodecError::Payload { codec, octets: payload.len() })?;
        if codec != self.decoder.codec() {
            self.change(codec)?;
        }
        self.jitter.put(header, Content::Audio { ticks }, payload, arrival);
        Ok(())
    }

    /// A comfort noise packet came (RFC 3389).
    pub fn noise(&mut self, header: &Header, payload: &[u8], arrival: Timestamp) {
        self.jitter.put(header, Content::Noise, payload, arrival);
    }

    /// A telephone-event packet came: it takes its place in the sequence and is silent.
    pub fn event(&mut self, header: &Header, arrival: Timestamp) {
        self.jitter.put(header, Content::Event, &[], arrival);
    }

    /// Appends exactly `samples` samples at [`rate`](Self::rate), to be heard from `now` on. Call it once per
    /// outgoing packet. `true` when there was anything but silence in it.
    pub fn pull(&mut self, now: Timestamp, samples: usize, pcm: &mut Vec<i16>) -> bool {
        let mut sounds = self.pcm.len() > self.taken;
        while self.pcm.len() - self.taken < samples {
            sounds |= self.step(now);
        }
        pcm.extend_from_slice(&self.pcm[self.taken..self.taken + samples]);
        self.taken += samples;
        sounds
    }

    /// When audio is due; `None` while there is nothing but silence or noise to play.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.jitter.poll_timeout()
    }

    /// The jitter buffer's figures, over all codecs the peer used.
    #[must_use]
    pub fn stats(&self) -> JitterStats {
        self.jitter.stats().plus(&self.before)
    }

    fn change(&mut self, codec: Codec) -> Result<(), CodecError> {
        self.decoder = Decoder::new(codec)?;
        self.before = self.stats();
        self.jitter = JitterBuffer::new(codec.clock());
        self.pcm.clear();
        self.taken = 0;
        self.left_out.clear();
        Ok(())
    }

    /// Takes the next piece from the buffer and appends its sound; `false` when it is silence.
    fn step(&mut self, now: Timestamp) -> bool {
        self.pcm.drain(..self.taken);
        self.taken = 0;
        let (start, rate, clock) =
            (self.pcm.len(), self.decoder.rate() as usize, self.decoder.codec().clock() as usize);
        let ahead = Duration::from_micros((start * 1_000_000 / rate) as u64);
        let piece = PIECE_MS * rate / 1_000;
        let sounds = match self.jitter.take(now + ahead, self.quiet) {
            Frame::Audio { payload, .. } => {
                if self.decoder.decode(payload, &mut self.pcm).is_err() {
                    // Its length was read when it came, its contents are broken.
                    self.decoder.conceal(4 * piece, &mut self.pcm);
                }
                blend(&mut self.pcm[start..], &mut self.left_out);
                true
            }
            Frame::Surplus { payload, .. } => {
                if self.decoder.decode(payload, &mut self.pcm).is_ok() && self.left_out.is_empty() {
                    let joint = (JOINT_MS * rate / 1_000).min(self.pcm.len() - start);
                    self.left_out.extend_from_slice(&self.pcm[start..start + joint]);
                }
                self.pcm.truncate(start);
                return true;
            }
            Frame::Lost { ticks, next } => {
                let samples = (ticks as usize * rate / clock).max(1);
                match next {
                    Some(next) => self.decoder.decode_fec(next, samples, &mut self.pcm),
                    None => self.decoder.conceal(samples, &mut self.pcm),
                }
                true
            }
            Frame::Noise { payload } => {
                if let Some(description) = payload.and_then(Description::parse) {
                    self.noise.describe(&description);
                }
                self.noise.fill(piece, &mut self.pcm);
                true
            }
            Frame::Empty => {
                self.pcm.resize(start + piece, 0);
                false
            }
        };
        self.quiet = is_quiet(&self.pcm[start..]);
        sounds
    }
}

/// Blends the frame left out, which follows on what was played last, into `pcm`, which does not.
fn blend(pcm: &mut [i16], left_out: &mut Vec<i16>) {
    let span = left_out.len().min(pcm.len());
    for (n, (sample, old)) in pcm.iter_mut().zip(left_out.drain(..)).enumerate() {
        let share = (n + 1) as f32 / (span + 1) as f32;
        *sample = (f32::from(old) + (f32::from(*sample) - f32::from(old)) * share) as i16;
    }
}

fn is_quiet(pcm: &[i16]) -> bool {
    let energy: i64 = pcm.iter().map(|&sample| i64::from(sample).pow(2)).sum();
    energy <= QUIET * pcm.len() as i64
}

#[cfg(test)]
#[path = "playout_tests.rs"]
mod tests;
