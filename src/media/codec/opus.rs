//! Opus as telephony uses it (RFC 7587): 48 kHz mono, VoIP tuning, in-band forward error correction, no DTX.

use opus::{Application, Bitrate, Channels, Error, Signal};

use super::CodecError;
use crate::media::Codec;

const RATE: u32 = 48_000;
/// The longest packet (RFC 6716 §2.1.4): 120 ms.
const MAX_SAMPLES: usize = 5_760;
/// The shortest frame, 2.5 ms: what is concealed comes in multiples of it.
const STEP: usize = 120;
/// Octets a packet of ours may take: far more than 60 ms at [`BITRATE`] needs.
const MAX_PAYLOAD: usize = 1_275;
/// Bits per second: wideband to fullband speech with room for error correction (RFC 7587 §3.1.1 names
/// 28-40 kbit/s for fullband mono speech).
const BITRATE: i32 = 32_000;
/// Measured on this project's prompts: three quarters of the time of 10 (7 of 10 ms a second), and PESQ 4.42 instead of 4.45.
const COMPLEXITY: i32 = 5;

/// One direction's encoder.
pub(super) struct Encoder {
    inner: opus::Encoder,
}

impl Encoder {
    pub(super) fn new() -> Result<Self, CodecError> {
        let make = || {
            let mut inner = opus::Encoder::new(RATE, Channels::Mono, Application::Voip)?;
            inner.set_bitrate(Bitrate::Bits(BITRATE))?;
            inner.set_complexity(COMPLEXITY)?;
            inner.set_signal(Signal::Voice)?;
            inner.set_inband_fec(true)?;
            inner.set_dtx(false)?;
            Ok(Self { inner })
        };
        make().map_err(|error| library(&error))
    }

    pub(super) fn expect_loss(&mut self, percent: u8) {
        // Only a percentage out of range is refused.
        let _ = self.inner.set_packet_loss_perc(i32::from(percent.min(100)));
    }

    pub(super) fn encode(&mut self, pcm: &[i16], payload: &mut Vec<u8>) -> Result<(), CodecError> {
        if ![120, 240, 480, 960, 1_920, 2_880].contains(&pcm.len()) {
            return Err(CodecError::Samples { codec: Codec::Opus, samples: pcm.len() });
        }
        let start = payload.len();
        payload.resize(start + MAX_PAYLOAD, 0);
        let done = self.inner.encode(pcm, &mut payload[start..]);
        payload.truncate(start + done.as_ref().copied().unwrap_or(0));
        done.map(|_| ()).map_err(|error| library(&error))
    }
}

/// One direction's decoder.
pub(super) struct Decoder {
    inner: opus::Decoder,
}

impl Decoder {
    pub(super) fn new() -> Result<Self, CodecError> {
        let inner = opus::Decoder::new(RATE, Channels::Mono).map_err(|error| library(&error))?;
        Ok(Self { inner })
    }

    pub(super) fn decode(&mut self, payload: &[u8], pcm: &mut Vec<i16>) -> Result<usize, CodecError> {
        let refused = CodecError::Payload { codec: Codec::Opus, octets: payload.len() };
        let samples = samples(payload).ok_or(refused)?;
        if self.append(payload, samples, false, pcm) { Ok(samples) } else { Err(refused) }
    }

    /// By the library's own concealment: it knows the spectrum and fades by itself.
    pub(super) fn conceal(&mut self, wanted: usize, pcm: &mut Vec<i16>) {
        let end = pcm.len() + wanted;
        while pcm.len() < end {
            let samples = (end - pcm.len()).next_multiple_of(STEP).min(MAX_SAMPLES);
            if !self.append(&[], samples, false, pcm) {
                break;
            }
        }
        pcm.resize(end, 0);
    }

    /// `next` repeats only the frame right before it: what is missing before that is concealed first.
    pub(super) fn decode_fec(&mut self, next: &[u8], wanted: usize, pcm: &mut Vec<i16>) {
        let end = pcm.len() + wanted;
        let repeated = samples(next).filter(|&samples| samples <= wanted && samples % STEP == 0);
        if let Some(repeated) = repeated {
            self.conceal(wanted - repeated, pcm);
            self.append(next, repeated, true, pcm);
        }
        if pcm.len() < end {
            self.conceal(end - pcm.len(), pcm);
        }
    }

    /// Appends exactly `samples`, or nothing when the library refuses.
    fn append(&mut self, payload: &[u8], samples: usize, fec: bool, pcm: &mut Vec<i16>) -> bool {
        let start = pcm.len();
        pcm.resize(start + samples, 0);
        let done = self.inner.decode(payload, &mut pcm[start..], fec).is_ok_and(|done| done == samples);
        if !done {
            pcm.truncate(start);
        }
        done
    }
}

/// How many samples at 48 kHz a packet holds; `None` for what is no packet.
pub(super) fn samples(payload: &[u8]) -> Option<usize> {
    if payload.is_empty() {
        return None;
    }
    opus::packet::get_nb_samples(payload, RATE).ok().filter(|samples| (STEP..=MAX_SAMPLES).contains(samples))
}

fn library(error: &Error) -> CodecError {
    CodecError::Library { codec: Codec::Opus, what: error.description() }
}
