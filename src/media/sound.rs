//! A prompt ready for the wire: 8 kHz mono, encoded once as A-law and once as µ-law, so that
//! playing it costs a copy of 160 octets per packet and nothing else.

use std::fmt;
use std::time::Duration;

use super::Codec;
use super::g711::{pcm_to_alaw, pcm_to_ulaw};

/// Samples per second of G.711, and of everything in [`Sound`].
pub const RATE: u32 = 8_000;

/// Immutable 8 kHz audio, pre-encoded for both G.711 codecs. Share it with `Arc`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Sound {
    alaw: Box<[u8]>,
    ulaw: Box<[u8]>,
}

impl Sound {
    /// Encodes mono 16-bit linear samples at 8 kHz.
    #[must_use]
    pub fn from_pcm8k(pcm: &[i16]) -> Self {
        Self {
            alaw: pcm.iter().copied().map(pcm_to_alaw).collect(),
            ulaw: pcm.iter().copied().map(pcm_to_ulaw).collect(),
        }
    }

    /// One A-law octet per sample.
    #[must_use]
    pub fn alaw(&self) -> &[u8] {
        &self.alaw
    }

    /// One µ-law octet per sample.
    #[must_use]
    pub fn ulaw(&self) -> &[u8] {
        &self.ulaw
    }

    /// One octet per sample in `codec`.
    #[must_use]
    pub fn encoded(&self, codec: Codec) -> &[u8] {
        match codec {
            Codec::Pcmu => &self.ulaw,
            Codec::Pcma => &self.alaw,
            Codec::G722 | Codec::Opus => &[],
        }
    }

    /// Length in samples (125 µs each).
    #[must_use]
    pub fn len(&self) -> usize {
        self.alaw.len()
    }

    /// Whether there is nothing to play.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.alaw.is_empty()
    }

    /// Playing time.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.len() as u64 * 125)
    }
}

impl fmt::Debug for Sound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sound({:?})", self.duration())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::g711::{ALAW_TO_PCM, ULAW_TO_PCM};

    #[test]
    fn both_encodings_have_one_octet_per_sample_and_sound_the_same() {
        let pcm: Vec<i16> =
            (0..800).map(|n| (f64::from(n) * 0.3).sin() * 20_000.0).map(|s| s as i16).collect();
        let sound = Sound::from_pcm8k(&pcm);
        assert_eq!((sound.len(), sound.alaw().len(), sound.ulaw().len()), (800, 800, 800));
        assert_eq!(sound.duration(), Duration::from_millis(100));
        for (n, &sample) in pcm.iter().enumerate() {
            // A G.711 step is 1/16 of the value's octave (in µ-law after a bias of 132), so the error is
            // at most 1/32 of the value, or half of A-law's smallest step, 8.
            let allowed = ((i32::from(sample).abs() + 132) / 32).max(8) + 1;
            for back in [ALAW_TO_PCM[usize::from(sound.alaw()[n])], ULAW_TO_PCM[usize::from(sound.ulaw()[n])]]
            {
                assert!(
                    (i32::from(back) - i32::from(sample)).abs() <= allowed,
                    "{sample} came back as {back}"
                );
            }
        }
        assert_eq!(sound.encoded(Codec::Pcma), sound.alaw());
        assert_eq!(sound.encoded(Codec::Pcmu), sound.ulaw());
    }
}
