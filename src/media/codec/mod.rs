//! Audio codecs as packets in, samples out, and back: G.711, G.722, Opus. One state per direction and
//! leg. Nothing a peer sends makes a decoder panic.

mod g722;
mod opus;

use super::Codec;
use super::conceal::Concealer;
use super::g711::{ALAW_TO_PCM, ULAW_TO_PCM, pcm_to_alaw, pcm_to_ulaw};

/// The longest payload of G.711 and G.722 that is taken: 200 ms.
const MAX_OCTETS: usize = 1_600;

/// Why a payload was not decoded, or samples not encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The payload is no packet of this codec: conceal instead.
    #[error("{octets} octets are no {} packet", codec.word())]
    Payload {
        /// The codec it was to be.
        codec: Codec,
        /// How long it is.
        octets: usize,
    },
    /// The number of samples is none the codec can put into a packet.
    #[error("{samples} samples are no packet of {}", codec.word())]
    Samples {
        /// The codec it was to be.
        codec: Codec,
        /// How many samples.
        samples: usize,
    },
    /// The codec library refused: our fault.
    #[error("{} failed: {what}", codec.word())]
    Library {
        /// The codec.
        codec: Codec,
        /// What the library says.
        what: &'static str,
    },
}

/// How long a payload of `codec` sounds, in ticks of its RTP clock ([`Codec::clock`]); `None` when it is no
/// packet of that codec. Cheap: looks at the length, or at Opus' first octets.
#[must_use]
pub fn ticks(codec: Codec, payload: &[u8]) -> Option<u32> {
    let ticks = match codec {
        Codec::Pcmu | Codec::Pcma | Codec::G722 => {
            Some(payload.len()).filter(|octets| (1..=MAX_OCTETS).contains(octets))
        }
        Codec::Opus => opus::samples(payload),
    };
    ticks.and_then(|ticks| u32::try_from(ticks).ok())
}

/// Packets in, samples out.
pub struct Decoder {
    state: DecoderState,
}

enum DecoderState {
    /// The table of the law, A-law or µ-law.
    G711(Codec, &'static [i16; 256], Concealer),
    G722(Box<g722::Decoder>, Concealer),
    Opus(opus::Decoder),
}

impl Decoder {
    /// A decoder in its first state.
    ///
    /// # Errors
    /// Only when Opus finds no memory.
    pub fn new(codec: Codec) -> Result<Self, CodecError> {
        let state = match codec {
            Codec::Pcmu => DecoderState::G711(codec, &ULAW_TO_PCM, Concealer::new(codec.rate())),
            Codec::Pcma => DecoderState::G711(codec, &ALAW_TO_PCM, Concealer::new(codec.rate())),
            Codec::G722 => DecoderState::G722(Box::new(g722::Decoder::new()), Concealer::new(codec.rate())),
            Codec::Opus => DecoderState::Opus(opus::Decoder::new()?),
        };
        Ok(Self { state })
    }

    /// Its codec.
    #[must_use]
    pub fn codec(&self) -> Codec {
        match &self.state {
            DecoderState::G711(codec, ..) => *codec,
            DecoderState::G722(..) => Codec::G722,
            DecoderState::Opus(..) => Codec::Opus,
        }
    }

    /// Samples per second of what it appends: 8,000, 16,000 or 48,000; mono.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.codec().rate()
    }

    /// Decodes one packet and appends its samples to `pcm`; says how many. After concealment the joint
    /// is smoothed here.
    ///
    /// # Errors
    /// The payload is no packet of the codec: nothing was appended, conceal instead.
    pub fn decode(&mut self, payload: &[u8], pcm: &mut Vec<i16>) -> Result<usize, CodecError> {
        let (codec, start) = (self.codec(), pcm.len());
        if ticks(codec, payload).is_none() {
            return Err(CodecError::Payload { codec, octets: payload.len() });
        }
        match &mut self.state {
            DecoderState::G711(_, table, concealer) => {
                pcm.extend(payload.iter().map(|&octet| table[usize::from(octet)]));
                concealer.heard(&mut pcm[start..]);
            }
            DecoderState::G722(decoder, concealer) => {
                decoder.decode(payload, pcm);
                concealer.heard(&mut pcm[start..]);
            }
            DecoderState::Opus(decoder) => return decoder.decode(payload, pcm),
        }
        Ok(pcm.len() - start)
    }

    /// Appends `samples` samples in place of a packet that did not come.
    pub fn conceal(&mut self, samples: usize, pcm: &mut Vec<i16>) {
        match &mut self.state {
            DecoderState::G711(_, _, concealer) | DecoderState::G722(_, concealer) => {
                concealer.conceal(samples, pcm)
            }
            DecoderState::Opus(decoder) => decoder.conceal(samples, pcm),
        }
    }

    /// As [`conceal`](Self::conceal), with the packet after the lost one in hand: Opus repeats the lost one
    /// there in brief (RFC 6716 §2.1.7); the others just conceal. Decode `next` afterwards as usual.
    pub fn decode_fec(&mut self, next: &[u8], samples: usize, pcm: &mut Vec<i16>) {
        match &mut self.state {
            DecoderState::G711(..) | DecoderState::G722(..) => self.conceal(samples, pcm),
            DecoderState::Opus(decoder) => decoder.decode_fec(next, samples, pcm),
        }
    }
}

/// Samples in, packets out.
pub struct Encoder {
    state: EncoderState,
}

enum EncoderState {
    Pcmu,
    Pcma,
    G722(Box<g722::Encoder>),
    Opus(opus::Encoder),
}

impl Encoder {
    /// An encoder in its first state.
    ///
    /// # Errors
    /// Only when Opus finds no memory.
    pub fn new(codec: Codec) -> Result<Self, CodecError> {
        let state = match codec {
            Codec::Pcmu => EncoderState::Pcmu,
            Codec::Pcma => EncoderState::Pcma,
            Codec::G722 => EncoderState::G722(Box::new(g722::Encoder::new())),
            Codec::Opus => EncoderState::Opus(opus::Encoder::new()?),
        };
        Ok(Self { state })
    }

    /// Its codec.
    #[must_use]
    pub fn codec(&self) -> Codec {
        match &self.state {
            EncoderState::Pcmu => Codec::Pcmu,
            EncoderState::Pcma => Codec::Pcma,
            EncoderState::G722(_) => Codec::G722,
            EncoderState::Opus(_) => Codec::Opus,
        }
    }

    /// Samples per second of what it takes: 8,000, 16,000 or 48,000; mono.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.codec().rate()
    }

    /// Encodes the samples of one packet and appends the payload. G.711 takes any number, G.722 an even one,
    /// Opus 2.5, 5, 10, 20, 40 or 60 ms.
    ///
    /// # Errors
    /// The number of samples is none of these: nothing was appended.
    pub fn encode(&mut self, pcm: &[i16], payload: &mut Vec<u8>) -> Result<(), CodecError> {
        match &mut self.state {
            EncoderState::Pcmu => payload.extend(pcm.iter().map(|&sample| pcm_to_ulaw(sample))),
            EncoderState::Pcma => payload.extend(pcm.iter().map(|&sample| pcm_to_alaw(sample))),
            EncoderState::G722(_) if pcm.len() % 2 == 1 => {
                return Err(CodecError::Samples { codec: Codec::G722, samples: pcm.len() });
            }
            EncoderState::G722(encoder) => encoder.encode(pcm, payload),
            EncoderState::Opus(encoder) => return encoder.encode(pcm, payload),
        }
        Ok(())
    }

    /// The share of our packets the peer loses (0-100 %), from its reports: Opus spends so much more on
    /// forward error correction; the others do not care.
    pub fn expect_loss(&mut self, percent: u8) {
        match &mut self.state {
            EncoderState::Pcmu | EncoderState::Pcma | EncoderState::G722(_) => {}
            EncoderState::Opus(encoder) => encoder.expect_loss(percent),
        }
    }
}

#[cfg(test)]
mod tests;
