//! What a decoded leg says, as an even flow of samples: jitter buffer, decoder, concealment and comfort
//! noise in one. Packets go in as they come, samples come out as they are needed.

use super::Codec;
use super::codec::CodecError;
use super::jitter::JitterStats;
use super::rtp::Header;
use crate::time::Timestamp;

/// One leg's ear.
pub struct Playout {
    codec: Codec,
}

impl Playout {
    /// For a leg whose peer sends `codec` at first. `seed` makes its comfort noise differ from others'.
    ///
    /// # Errors
    /// Only when Opus finds no memory.
    pub fn new(codec: Codec, seed: u32) -> Result<Self, CodecError> {
        let _ = seed;
        Ok(Self { codec })
    }

    /// Samples per second of what [`pull`](Self::pull) gives; changes when the peer's codec does.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.codec.rate()
    }

    /// An audio packet of `codec` came.
    pub fn audio(&mut self, header: &Header, codec: Codec, payload: &[u8], arrival: Timestamp) {
        let _ = (header, codec, payload, arrival);
    }

    /// A comfort noise packet came (RFC 3389).
    pub fn noise(&mut self, header: &Header, payload: &[u8], arrival: Timestamp) {
        let _ = (header, payload, arrival);
    }

    /// A telephone-event packet came: it takes its place in the sequence and is silent.
    pub fn event(&mut self, header: &Header, arrival: Timestamp) {
        let _ = (header, arrival);
    }

    /// Appends exactly `samples` samples at [`rate`](Self::rate), to be heard from `now` on. Call it once per
    /// outgoing packet. `true` when there was anything but silence in it.
    pub fn pull(&mut self, now: Timestamp, samples: usize, pcm: &mut Vec<i16>) -> bool {
        let _ = now;
        pcm.resize(pcm.len() + samples, 0);
        false
    }

    /// When audio is due; `None` while there is nothing but silence or noise to play.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    /// The jitter buffer's figures.
    #[must_use]
    pub fn stats(&self) -> JitterStats {
        JitterStats::default()
    }
}
