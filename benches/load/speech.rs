//! Speech to say, where it is converted on the way: silence would cost less than talk does.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use sayso::media::Codec;
use sayso::media::codec::Encoder;
use sayso::media::convert::Converter;
use sayso::media::g711::pcm_to_alaw;

/// A shipped prompt.
const PROMPT: &[u8] = include_bytes!("../../prompts/en/consent-question.8k.wav");
/// Samples of 20 ms at 8 kHz.
const FRAME: usize = 160;

/// The same words in both codecs, in packets of 20 ms, said again and again.
#[derive(Debug)]
pub(crate) struct Speech {
    alaw: Vec<[u8; FRAME]>,
    opus: Vec<Arc<[u8]>>,
}

impl Speech {
    /// # Errors
    /// The prompt cannot be read, or Opus finds no memory.
    pub(crate) fn new() -> Result<Self> {
        let wav = hound::WavReader::new(PROMPT).context("the prompt")?;
        let pcm: Vec<i16> = wav.into_samples().collect::<Result<_, _>>().context("the prompt")?;
        let (mut converter, mut encoder) = (Converter::new(8_000, 48_000), Encoder::new(Codec::Opus)?);
        let (mut alaw, mut opus) = (Vec::new(), Vec::new());
        for frame in pcm.chunks_exact(FRAME) {
            let mut octets = [0; FRAME];
            octets.iter_mut().zip(frame).for_each(|(octet, sample)| *octet = pcm_to_alaw(*sample));
            alaw.push(octets);
            let (mut high, mut payload) = (Vec::new(), Vec::new());
            converter.convert(frame, &mut high);
            high.resize(FRAME * 6, 0);
            encoder.encode(&high, &mut payload)?;
            opus.push(payload.into());
        }
        anyhow::ensure!(alaw.len() > 50, "the prompt is shorter than a second");
        Ok(Self { alaw, opus })
    }

    /// Packet `n` in A-law.
    pub(crate) fn alaw(&self, n: u32) -> &[u8] {
        &self.alaw[n as usize % self.alaw.len()]
    }

    /// Packet `n` in Opus.
    pub(crate) fn opus(&self, n: u32) -> Arc<[u8]> {
        Arc::clone(&self.opus[n as usize % self.opus.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_codecs_say_the_same_and_no_silence() {
        let speech = Speech::new().expect("the prompt is there");
        assert_eq!(speech.alaw.len(), speech.opus.len());
        let first = u32::try_from(speech.alaw.len()).expect("short");
        assert_eq!(speech.alaw(first), speech.alaw(0), "again from the start");
        let longest = speech.opus.iter().map(|packet| packet.len()).max();
        assert!(longest > Some(40), "speech takes more than silence: {longest:?}");
        assert!(speech.alaw.iter().any(|frame| frame.iter().any(|octet| octet & 0x7f < 0x40)));
    }
}
