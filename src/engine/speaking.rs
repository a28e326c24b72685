//! What a leg is told, encoded: linear samples of any rate in, packets of its codec out.

use std::fmt;

use crate::media::Codec;
use crate::media::codec::{CodecError, Encoder};

use super::hearing::Rate;

/// The encoder towards a leg. Made when first needed: most legs are forwarded to and played G.711.
pub(super) struct Mouth {
    encoder: Encoder,
    rate: Rate,
    /// What waits until it fills a packet, at the encoder's rate.
    pcm: Vec<i16>,
    payload: Vec<u8>,
}

impl fmt::Debug for Mouth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mouth({:?})", self.encoder.codec())
    }
}

impl Mouth {
    pub(super) fn new(codec: Codec) -> Result<Self, CodecError> {
        let encoder = Encoder::new(codec)?;
        let rate = Rate::to(encoder.rate());
        Ok(Self { encoder, rate, pcm: Vec::new(), payload: Vec::new() })
    }

    pub(super) fn codec(&self) -> Codec {
        self.encoder.codec()
    }

    /// Another source will speak: what is left of the last one is dropped.
    pub(super) fn clear(&mut self) {
        self.pcm.clear();
    }

    /// Takes samples; whole packets come out by [`Mouth::packet`].
    pub(super) fn take(&mut self, pcm: &[i16], rate: u32) {
        self.rate.convert(pcm, rate, &mut self.pcm);
    }

    /// Whether a packet was begun and is not full yet.
    pub(super) fn has_begun(&self) -> bool {
        !self.pcm.is_empty()
    }

    /// The payload of the next packet of `ms` milliseconds, when there is enough for it.
    pub(super) fn packet(&mut self, ms: u32) -> Option<&[u8]> {
        let samples = (self.encoder.rate() / 1_000 * ms) as usize;
        if self.pcm.len() < samples {
            return None;
        }
        self.payload.clear();
        // `Agreed::packet_ms` asks for no length that the codec does not have.
        let encoded = self.encoder.encode(&self.pcm[..samples], &mut self.payload);
        self.pcm.drain(..samples);
        encoded.ok().map(|()| &self.payload[..])
    }

    /// The share of our packets the peer says it lost, in 256ths.
    pub(super) fn expect_loss(&mut self, fraction: u8) {
        let percent = u32::from(fraction) * 100 / 256;
        self.encoder.expect_loss(u8::try_from(percent).unwrap_or(100));
    }
}
