//! Audio codecs as packets in, samples out, and back: G.711, G.722, Opus. One state per direction and
//! leg. Nothing a peer sends makes a decoder panic.

use super::Codec;

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
    let _ = (codec, payload);
    None
}

/// Packets in, samples out.
pub struct Decoder {
    codec: Codec,
}

impl Decoder {
    /// A decoder in its first state.
    ///
    /// # Errors
    /// Only when Opus finds no memory.
    pub fn new(codec: Codec) -> Result<Self, CodecError> {
        Ok(Self { codec })
    }

    /// Its codec.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Samples per second of what it appends: 8,000, 16,000 or 48,000; mono.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.codec.rate()
    }

    /// Decodes one packet and appends its samples to `pcm`; says how many. After concealment the joint
    /// is smoothed here.
    ///
    /// # Errors
    /// The payload is no packet of the codec: nothing was appended, conceal instead.
    pub fn decode(&mut self, payload: &[u8], pcm: &mut Vec<i16>) -> Result<usize, CodecError> {
        let _ = (payload, pcm);
        Ok(0)
    }

    /// Appends `samples` samples in place of a packet that did not come.
    pub fn conceal(&mut self, samples: usize, pcm: &mut Vec<i16>) {
        let _ = (samples, pcm);
    }

    /// As [`conceal`](Self::conceal), with the packet after the lost one in hand: Opus repeats the lost one
    /// there in brief (RFC 6716 §2.1.7); the others just conceal. Decode `next` afterwards as usual.
    pub fn decode_fec(&mut self, next: &[u8], samples: usize, pcm: &mut Vec<i16>) {
        let _ = (next, samples, pcm);
    }
}

/// Samples in, packets out.
pub struct Encoder {
    codec: Codec,
}

impl Encoder {
    /// An encoder in its first state.
    ///
    /// # Errors
    /// Only when Opus finds no memory.
    pub fn new(codec: Codec) -> Result<Self, CodecError> {
        Ok(Self { codec })
    }

    /// Its codec.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Samples per second of what it takes: 8,000, 16,000 or 48,000; mono.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.codec.rate()
    }

    /// Encodes the samples of one packet and appends the payload. G.711 takes any number, G.722 an even one,
    /// Opus 2.5, 5, 10, 20, 40 or 60 ms.
    ///
    /// # Errors
    /// The number of samples is none of these: nothing was appended.
    pub fn encode(&mut self, pcm: &[i16], payload: &mut Vec<u8>) -> Result<(), CodecError> {
        let _ = (pcm, payload);
        Ok(())
    }

    /// The share of our packets the peer loses (0-100 %), from its reports: Opus spends so much more on
    /// forward error correction; the others do not care.
    pub fn expect_loss(&mut self, percent: u8) {
        let _ = percent;
    }
}
