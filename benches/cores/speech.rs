//! Speech to work on: a shipped prompt, which is what callers hear.

use sayso::media::g711::pcm_to_alaw;

/// Seconds of speech at 8 kHz, at least so many samples (the prompt again and again).
pub(crate) fn at_8k(samples: usize) -> Vec<i16> {
    read("prompts/en/consent-question.8k.wav", samples)
}

fn read(name: &str, samples: usize) -> Vec<i16> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let wav = hound::WavReader::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let speech: Vec<i16> = wav.into_samples().map(|sample| sample.expect("a prompt is whole")).collect();
    assert!(speech.len() > 8_000, "a prompt is longer than a second");
    speech.into_iter().cycle().take(samples).collect()
}

/// The same as A-law.
pub(crate) fn alaw(samples: usize) -> Vec<u8> {
    at_8k(samples).into_iter().map(pcm_to_alaw).collect()
}

/// How strong it is: the mean square.
pub(crate) fn power(pcm: &[i16]) -> i64 {
    pcm.iter().map(|sample| i64::from(*sample) * i64::from(*sample)).sum::<i64>() / pcm.len().max(1) as i64
}
