//! Reads any common WAV file as mono, and writes 16-bit ones. The reader takes a slice and never
//! panics; it is our own because `hound` knows neither A-law and µ-law (what telephone systems
//! export) nor files whose length was not known when their header was written.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::PromptError;
use crate::media::g711::{ALAW_TO_PCM, ULAW_TO_PCM};
use crate::media::resample::{RATES, resample};

/// The largest file taken, in bytes: 14 minutes of stereo at 96 kHz and 24 bits.
pub const MOST_BYTES: u64 = 500_000_000;

/// What is wrong with a WAV file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// Something else, perhaps renamed.
    #[error("this is {0}, not a WAV file: convert it first, for example with: sox IN OUT.wav")]
    Not(&'static str),
    /// It ends within a header.
    #[error("the file ends in the middle of its {0:?} part: it was not copied whole")]
    CutHeader(&'static str),
    /// Fewer samples than promised.
    #[error("the file is cut short: its header promises {promised} bytes of sound and {present} are there")]
    CutSound {
        /// Bytes by the header.
        promised: u64,
        /// Bytes in the file.
        present: u64,
    },
    /// A part is missing.
    #[error("it has no {0:?} part, which every WAV file needs")]
    Missing(&'static str),
    /// The header contradicts itself.
    #[error("its header makes no sense: {0}")]
    Header(String),
    /// An encoding not taken.
    #[error(
        "its encoding is not supported: {0}; 8, 16, 24 or 32-bit PCM, 32 or 64-bit float, A-law and µ-law are"
    )]
    Encoding(String),
    /// A sample rate not taken.
    #[error("its sample rate of {rate} Hz is not supported: {} to {} Hz are", RATES.start(), RATES.end())]
    Rate {
        /// The rate it has.
        rate: u32,
    },
    /// No sound.
    #[error("it holds no samples")]
    Empty,
    /// Infinity, NaN or nonsense in a float file.
    #[error("sample {0} is no sound (full scale is 1.0): the program that wrote it is broken")]
    NoSound(usize),
}

/// How samples are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Integers; 8 bits are unsigned.
    Pcm,
    /// IEEE 754.
    Float,
    /// G.711 A-law.
    Alaw,
    /// G.711 µ-law.
    Ulaw,
    /// Packed in some other way: MP3, AAC, FLAC, …
    Packed,
}

/// What a file says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Format {
    /// Samples per second.
    pub rate: u32,
    /// 1 mono, 2 stereo, …
    pub channels: u16,
    /// Bits a sample takes in the file.
    pub bits: u16,
    /// How they are stored.
    pub encoding: Encoding,
}

impl fmt::Display for Format {
    /// `44.1 kHz stereo 24-bit`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kHz ", f64::from(self.rate) / 1_000.0)?;
        match self.channels {
            1 => f.write_str("mono ")?,
            2 => f.write_str("stereo ")?,
            more => write!(f, "{more} channels ")?,
        }
        match self.encoding {
            Encoding::Pcm => write!(f, "{}-bit", self.bits),
            Encoding::Float => write!(f, "{}-bit float", self.bits),
            Encoding::Alaw => f.write_str("A-law"),
            Encoding::Ulaw => f.write_str("µ-law"),
            Encoding::Packed => f.write_str("packed"),
        }
    }
}

/// A file's sound, mixed to mono.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// What it was.
    pub format: Format,
    /// Mono samples at `format.rate`; 1.0 is full scale.
    pub samples: Vec<f32>,
    /// The channels cancelled one another, so only the first was taken.
    pub cancelled: bool,
}

/// Reads a WAV file as mono.
pub fn read(path: &Path) -> Result<Clip, PromptError> {
    decode(&read_bytes(path)?).map_err(|source| PromptError::Wav { path: path.to_owned(), source })
}

/// Reads a WAV file of any rate as 8 kHz mono, at the level it has.
pub fn read_pcm8k(path: &Path) -> Result<Vec<i16>, PromptError> {
    to_pcm(&read(path)?, 8_000).map_err(|source| PromptError::Resample { path: path.to_owned(), source })
}

/// Writes 16-bit PCM, interleaved if `channels` is more than 1. The file appears whole or not at all.
pub fn write_pcm16(path: &Path, rate: u32, channels: u16, samples: &[i16]) -> Result<(), PromptError> {
    let failed = |source| PromptError::Write { path: path.to_owned(), source };
    let bytes = encode_pcm16(rate, channels, samples).map_err(failed)?;
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, path)).map_err(failed)
}

/// A whole 16-bit PCM WAV file as bytes.
pub(super) fn encode_pcm16(rate: u32, channels: u16, samples: &[i16]) -> std::io::Result<Vec<u8>> {
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::with_capacity(44 + 2 * samples.len()));
    let mut writer = hound::WavWriter::new(&mut file, spec).map_err(std::io::Error::other)?;
    for &sample in samples {
        writer.write_sample(sample).map_err(std::io::Error::other)?;
    }
    writer.finalize().map_err(std::io::Error::other)?;
    Ok(file.into_inner())
}

/// A file's bytes, unless there are too many.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, PromptError> {
    let failed = |source| PromptError::Read { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > MOST_BYTES {
        return Err(PromptError::TooLarge { path: path.to_owned(), bytes });
    }
    std::fs::read(path).map_err(failed)
}

/// A clip as 16-bit samples at `rate`.
pub(super) fn to_pcm(clip: &Clip, rate: u32) -> Result<Vec<i16>, crate::media::resample::ResampleError> {
    Ok(quantise(&resample(&clip.samples, clip.format.rate, rate)?))
}

/// Floats to 16 bits, full scale at the limits.
pub(super) fn quantise(samples: &[f32]) -> Vec<i16> {
    samples.iter().map(|sample| (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16).collect()
}

/// Reads a whole WAV file (RIFF, `fmt ` and `data` chunks; others are skipped) and mixes it to mono.
pub fn decode(file: &[u8]) -> Result<Clip, WavError> {
    let (format, data) = chunks(file)?;
    let all = samples(format, data);
    // Full scale is 1; what is a million times as loud is an integer in disguise or a broken float.
    if let Some(at) = all.iter().position(|sample| sample.is_nan() || sample.abs() >= 1e6) {
        return Err(WavError::NoSound(at));
    }
    let (samples, cancelled) = mix(&all, usize::from(format.channels));
    if samples.is_empty() {
        return Err(WavError::Empty);
    }
    Ok(Clip { format, samples, cancelled })
}

/// Walks the chunks to the sound.
fn chunks(file: &[u8]) -> Result<(Format, &[u8]), WavError> {
    if file.get(..4) != Some(b"RIFF") || file.get(8..12) != Some(b"WAVE") {
        return Err(WavError::Not(kind(file)));
    }
    let mut rest = &file[12..];
    let mut format = None;
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let [id @ .., a, b, c, d] = *head;
        let length = u32::from_le_bytes([a, b, c, d]);
        let present = &body[..body.len().min(length as usize)];
        match &id {
            b"fmt " => format = Some(read_format(present)?),
            b"data" => {
                let format = format.ok_or(WavError::Missing("fmt "))?;
                // A program that writes into a pipe cannot know the length and puts the most there is
                // (0xFFFFFFFF, or around 0x7FFFFFFF): then the sound goes on to the file's end.
                if present.len() < length as usize && length < 0x7FFF_0000 {
                    return Err(WavError::CutSound {
                        promised: length.into(),
                        present: present.len() as u64,
                    });
                }
                return Ok((format, present));
            }
            _ => {}
        }
        // Chunks begin at even places.
        rest = body.get(length as usize + (length % 2) as usize..).unwrap_or(&[]);
    }
    Err(WavError::Missing(if format.is_some() { "data" } else { "fmt " }))
}

fn read_format(chunk: &[u8]) -> Result<Format, WavError> {
    let u16_at = |at: usize| {
        chunk
            .get(at..at + 2)
            .map(|two| u16::from_le_bytes([two[0], two[1]]))
            .ok_or(WavError::CutHeader("fmt "))
    };
    let channels = u16_at(2)?;
    let rate = u32::from(u16_at(4)?) | u32::from(u16_at(6)?) << 16;
    let frame = u16_at(12)?;
    let meant = u16_at(14)?;
    // WAVE_FORMAT_EXTENSIBLE: the true tag is the beginning of a GUID.
    let tag = match u16_at(0)? {
        0xFFFE => u16_at(24)?,
        tag => tag,
    };
    if channels == 0 || frame == 0 || frame % channels != 0 {
        return Err(WavError::Header(format!("{channels} channels in frames of {frame} bytes")));
    }
    if !RATES.contains(&rate) {
        return Err(WavError::Rate { rate });
    }
    // A sample fills its container from the top: 20 bits come in 3 bytes, and read as 24.
    let bits = (frame / channels).saturating_mul(8);
    if meant > bits {
        return Err(WavError::Header(format!("samples of {meant} bits in {bits}")));
    }
    let encoding = match (tag, bits) {
        (1, 8 | 16 | 24 | 32) => Encoding::Pcm,
        (3, 32 | 64) => Encoding::Float,
        (6, 8) => Encoding::Alaw,
        (7, 8) => Encoding::Ulaw,
        (2 | 0x11, _) => return Err(WavError::Encoding("ADPCM".into())),
        (0x31, _) => return Err(WavError::Encoding("GSM 06.10".into())),
        (0x55, _) => return Err(WavError::Encoding("MP3 in a WAV file".into())),
        (tag, bits) => return Err(WavError::Encoding(format!("format tag {tag:#06x} with {bits} bits"))),
    };
    Ok(Format { rate, channels, bits, encoding })
}

/// Interleaved samples; a last, incomplete one is left out.
fn samples(format: Format, data: &[u8]) -> Vec<f32> {
    fn each<const N: usize>(data: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        data.as_chunks::<N>().0.iter().map(|bytes| read(*bytes)).collect()
    }
    let pcm16 = |sample: i16| f32::from(sample) / 32_768.0;
    match (format.encoding, format.bits) {
        (Encoding::Pcm, 8) => each(data, |[byte]| (f32::from(byte) - 128.0) / 128.0),
        (Encoding::Pcm, 16) => each(data, |bytes| pcm16(i16::from_le_bytes(bytes))),
        (Encoding::Pcm, 24) => {
            each(data, |[a, b, c]| (i32::from_le_bytes([0, a, b, c]) >> 8) as f32 / 8_388_608.0)
        }
        (Encoding::Pcm, _) => each(data, |bytes| i32::from_le_bytes(bytes) as f32 / 2_147_483_648.0),
        (Encoding::Float, 64) => each(data, |bytes| f64::from_le_bytes(bytes) as f32),
        (Encoding::Float, _) => each(data, f32::from_le_bytes),
        (Encoding::Alaw, _) => each(data, |[octet]| pcm16(ALAW_TO_PCM[usize::from(octet)])),
        (Encoding::Ulaw, _) => each(data, |[octet]| pcm16(ULAW_TO_PCM[usize::from(octet)])),
        // No head that is read here says so.
        (Encoding::Packed, _) => Vec::new(),
    }
}

/// The mean of all channels; or the first, if they cancel one another (one wired the wrong way round).
pub(super) fn mix(all: &[f32], channels: usize) -> (Vec<f32>, bool) {
    let frames = || all.chunks_exact(channels);
    let mixed: Vec<f32> = frames().map(|frame| frame.iter().sum::<f32>() / channels as f32).collect();
    let power = |sum: f64, sample: f32| sum + f64::from(sample).powi(2);
    let first = frames().map(|frame| frame[0]).fold(0.0, power);
    // A silent channel costs 6 dB, two unlike ones 3 dB; 20 dB is not chance.
    let cancelled = channels > 1 && mixed.iter().copied().fold(0.0, power) < first / 100.0;
    if cancelled { (frames().map(|frame| frame[0]).collect(), true) } else { (mixed, false) }
}

/// What a file that is no WAV is, by its first bytes.
fn kind(file: &[u8]) -> &'static str {
    match file {
        [] => "an empty file",
        [b'I', b'D', b'3', ..] | [0xFF, 0xFB | 0xFA | 0xF3 | 0xF2, ..] => "an MP3",
        [0xFF, 0xF1 | 0xF9, ..] => "an AAC file",
        [b'O', b'g', b'g', b'S', ..] => "an Ogg file",
        [b'f', b'L', b'a', b'C', ..] => "a FLAC file",
        [b'F', b'O', b'R', b'M', ..] => "an AIFF file",
        [b'R', b'F', b'6', b'4', ..] | [b'R', b'I', b'F', b'X', ..] => "a rare kind of WAV (RF64 or RIFX)",
        [b'.', b's', b'n', b'd', ..] => "an AU file",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "an MP4 or M4A",
        [b'R', b'I', b'F', b'F', rest @ ..] if rest.len() < 8 => "the first bytes of a WAV",
        _ => "a file of an unknown kind",
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{file, formats, head, riff, tone};
    use super::*;
    use proptest::prelude::*;

    const PCM16: Format = Format { rate: 8_000, channels: 1, bits: 16, encoding: Encoding::Pcm };

    #[test]
    fn every_format_reads_as_the_tone_it_holds() {
        for channels in [1, 2, 3] {
            for format in formats(8_000, channels) {
                let wanted = tone(440.0, 8_000, 0.1, 0.0);
                let clip = decode(&file(format, &wanted)).expect("reads");
                assert_eq!((clip.format, clip.samples.len(), clip.cancelled), (format, wanted.len(), false));
                // 8-bit PCM rounds by 1/256; G.711 by up to 1/32 of the value.
                let allowed = if format.bits == 8 { 0.017 } else { 1e-4 };
                for (got, wanted) in clip.samples.iter().zip(&wanted) {
                    assert!((f64::from(*got) - wanted).abs() < allowed, "{format}: {got} for {wanted}");
                }
            }
        }
    }

    #[test]
    fn stereo_is_mixed_unless_it_cancels() {
        let format = Format { channels: 2, ..PCM16 };
        let stereo = |frames: [[i16; 2]; 4]| {
            let data = frames.concat().iter().flat_map(|sample| sample.to_le_bytes()).collect();
            decode(&riff(&[(b"fmt ", head(format)), (b"data", data)])).expect("reads")
        };
        let mixed = stereo([[16_384, 0], [0, 16_384], [8_192, 8_192], [-16_384, -16_384]]);
        assert_eq!((mixed.samples, mixed.cancelled), (vec![0.25, 0.25, 0.25, -0.5], false));
        let opposed = stereo([[16_384, -16_384], [-8_192, 8_192], [4_096, -4_096], [0, 0]]);
        assert_eq!((opposed.samples, opposed.cancelled), (vec![0.5, -0.25, 0.125, 0.0], true));
    }

    #[test]
    fn what_is_no_wav_is_named() {
        let says = |bytes: &[u8]| decode(bytes).expect_err("refused").to_string();
        assert!(says(b"ID3\x04 and so on").starts_with("this is an MP3, not a WAV file"));
        assert!(says(&[0xFF, 0xFB, 0x90, 0x64]).contains("an MP3"));
        assert!(says(b"OggS").contains("an Ogg file"));
        assert!(says(b"fLaC").contains("a FLAC file"));
        assert!(says(b"\0\0\0 ftypM4A ").contains("an MP4 or M4A"));
        assert!(says(b"").contains("an empty file"));
        assert!(says(b"hello, world").contains("unknown kind"));
        let whole = file(PCM16, &tone(440.0, 8_000, 0.1, 0.0));
        assert_eq!(
            says(&whole[..whole.len() - 100]),
            "the file is cut short: its header promises 1600 bytes of sound and 1500 are there"
        );
        assert!(says(&whole[..30]).contains("ends in the middle of its \"fmt \" part"));
        assert!(says(&riff(&[(b"data", vec![0; 4])])).contains("no \"fmt \" part"));
        assert!(says(&riff(&[(b"fmt ", head(PCM16))])).contains("no \"data\" part"));
        assert!(says(&file(PCM16, &[])).contains("no samples"));
        assert!(says(&file(Format { rate: 4_000, ..PCM16 }, &[0.0])).contains("4000 Hz is not supported"));
        assert!(says(&file(Format { channels: 0, ..PCM16 }, &[0.0])).contains("makes no sense"));
        let mut gsm = head(PCM16);
        gsm[0] = 0x31;
        assert!(says(&riff(&[(b"fmt ", gsm), (b"data", vec![0; 65])])).contains("GSM"));
        let nan = Format { bits: 32, encoding: Encoding::Float, ..PCM16 };
        assert!(says(&file(nan, &[0.0, f64::NAN])).contains("sample 1 is no sound"));
    }

    #[test]
    fn a_file_written_into_a_pipe_reads_to_its_end() {
        let mut piped = file(PCM16, &tone(440.0, 8_000, 0.1, 0.0));
        let at = piped.windows(4).position(|four| four == b"data").expect("there") + 4;
        piped[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(decode(&piped).expect("reads").samples.len(), 800);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.wav");
        let samples: Vec<i16> = (0..400).map(|n| n * 80 - 16_000).collect();
        write_pcm16(&path, 8_000, 1, &samples).expect("writes");
        assert_eq!(read_pcm8k(&path).expect("reads"), samples);
        write_pcm16(&path, 16_000, 2, &samples).expect("writes");
        let clip = read(&path).expect("reads");
        assert_eq!((clip.format.rate, clip.format.channels, clip.samples.len()), (16_000, 2, 200));
        assert_eq!(read_pcm8k(&path).expect("reads").len(), 100);
        let error = read(&dir.path().join("none.wav")).expect_err("refused").to_string();
        assert!(error.contains("none.wav: cannot be read"), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).expect("lists").count(), 1, "nothing is left over");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn no_damage_makes_it_panic(
            kind in 0usize..8,
            channels in 1u16..4,
            damage in prop::collection::vec((0usize..200, any::<u8>()), 0..6),
            length in 0usize..300,
        ) {
            let mut bytes = file(formats(8_000, channels)[kind], &tone(440.0, 8_000, 0.01, 0.0));
            for (at, byte) in damage {
                if let Some(there) = bytes.get_mut(at) {
                    *there = byte;
                }
            }
            bytes.truncate(length);
            if let Ok(clip) = decode(&bytes) {
                prop_assert!(clip.samples.iter().all(|sample| sample.is_finite()));
                prop_assert!(to_pcm(&clip, 8_000).is_ok());
            }
        }
    }
}
