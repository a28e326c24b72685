//! Any common audio file becomes a prompt: mono, 8 and 16 kHz, without silence at its ends, at the level of all the
//! others, and never clipped. It is made in memory; the database keeps it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::check::{Severity, check_bytes, clipped};
use super::wav::{self, Format};
use super::{AudioError, PromptName, decode, sha256};
use crate::media::loudness::{Level, MUSIC_LUFS, SPEECH_LUFS, level, measure, silence};
use crate::media::resample::{resample, resample_loop};
use crate::store::PromptSound;

/// The largest file that is taken in, in bytes: a minute of stereo at 44.1 kHz and 24 bits is 16 MB, and a page has to
/// send it; packed, or in mono, it fits.
pub const LARGEST: usize = 10_000_000;
/// The longest spoken prompt, in seconds: callers listen to no more.
const LONGEST: u64 = 60;
/// The longest music, in seconds, after which it begins anew.
const LONGEST_MUSIC: u64 = 300;
/// The shortest prompt that can be understood, in seconds.
const SHORTEST: f64 = 0.3;
/// Silence at the ends that may be cut off what is longer, in seconds.
const ROOM: u64 = 30;
/// Silence kept before the first sound, in seconds: an attack needs a little air.
const LEAD: f64 = 0.05;
/// Silence kept after the last, in seconds: what follows should not tread on it.
const TRAIL: f64 = 0.12;
/// Raised by more than this, its noise is heard: in decibels.
const MUCH: f64 = 20.0;

/// A prompt made of a file, for people (`Display`) and programs (`Serialize`), and its sound to be stored.
#[derive(Clone, Debug, Serialize)]
pub struct Made {
    /// SHA-256 (hex) of what is played: the prompt version.
    pub version: String,
    /// The file it was made of.
    pub input: Measured,
    /// What is played, 8 kHz.
    pub output: Measured,
    /// Silence at the file's beginning, in seconds.
    pub lead: f64,
    /// And at its end.
    pub trail: f64,
    /// The file was clipped before it came here.
    pub clipped: bool,
    /// What was done to the sound, a sentence each.
    pub done: Vec<String>,
    /// What should be listened to once more, a sentence each.
    pub warnings: Vec<String>,
    /// What is to be stored.
    #[serde(skip)]
    pub sound: PromptSound,
}

/// A file's format and level.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// The file.
    pub file: PathBuf,
    /// Its format.
    pub format: Format,
    /// Playing time in seconds.
    pub seconds: f64,
    /// Integrated loudness, mixed to mono; `None` for silence.
    pub lufs: Option<f64>,
    /// The highest sample; `None` for digital silence.
    pub peak_dbfs: Option<f64>,
}

impl Measured {
    pub(super) fn new(file: &Path, format: Format, samples: &[f32]) -> Self {
        let Level { lufs, peak_dbfs } = measure(samples, format.rate);
        let seconds = samples.len() as f64 / f64::from(format.rate);
        Self { file: file.to_owned(), format, seconds, lufs, peak_dbfs }
    }
}

impl fmt::Display for Measured {
    /// `44.1 kHz stereo 24-bit, 3.2 s, -27.3 LUFS, peak -6.1 dBFS`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {:.1} s, ", self.format, self.seconds)?;
        match self.lufs {
            Some(lufs) => write!(f, "{:.1} LUFS, ", tenths(lufs))?,
            None => f.write_str("silent, ")?,
        }
        match self.peak_dbfs {
            Some(peak) => write!(f, "peak {:.1} dBFS", tenths(peak)),
            None => f.write_str("no peak"),
        }
    }
}

/// Rounded for people to read, never `-0.0`.
pub(super) fn tenths(decibels: f64) -> f64 {
    (decibels * 10.0).round() / 10.0 + 0.0
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  in:  {}\n  out: {}\n       sha256 {}", self.input, self.output, self.version)?;
        for done in &self.done {
            write!(f, "\n  - {done}")?;
        }
        if self.clipped {
            f.write_str("\n  ! it is clipped (flat tops at full scale): record it again, less loud")?;
        }
        for warning in &self.warnings {
            write!(f, "\n  ! {warning}")?;
        }
        Ok(())
    }
}

/// Makes a prompt of a file's octets. It takes its time (up to seconds): not for threads that serve.
///
/// # Errors
/// When it is no sound that can be read, or none that callers could be played: silent, too long, too short.
pub fn make(file: &[u8], name: &PromptName) -> Result<Made, AudioError> {
    let music = name.is_music();
    let longest = if music { LONGEST_MUSIC } else { LONGEST };
    let clip = decode::decode(file, longest + ROOM)?;
    let rate = clip.format.rate;
    let input = Measured::new(Path::new(""), clip.format, &clip.samples);
    let (lead, trail) = silence(&clip.samples, rate);
    let (mut done, mut warnings) = (Vec::new(), Vec::new());
    if clip.cancelled {
        warnings.push("took the first channel alone: mixed, the channels cancel each other".to_owned());
    } else if clip.format.channels > 1 {
        done.push("mixed to mono".to_owned());
    }
    // Music keeps its ends: it was made to be repeated.
    let samples = if music { &clip.samples[..] } else { trim(&clip.samples, rate, &mut done) };
    let seconds = samples.len() as f64 / f64::from(rate);
    if seconds > longest as f64 {
        return Err(AudioError::TooLong { most: longest });
    }
    let mut narrow = convert(samples, rate, 8_000, music, &mut done)?;
    // After the level: what is silent says so, and not that it is short.
    if seconds < SHORTEST {
        return Err(AudioError::TooShort { seconds });
    }
    let wide = convert(samples, rate, 16_000, music, &mut done)?;
    if narrow.gain_db > MUCH {
        warnings.push(format!(
            "it was raised by {:.0} dB, and its noise with it: listen to it, or record it louder",
            narrow.gain_db
        ));
    }
    let time = Duration::from_micros(narrow.pcm.len() as u64 * 125);
    let bytes = |rate, pcm: &[i16]| wav::encode_pcm16(rate, 1, pcm).map_err(AudioError::Write);
    let (narrow, wide) = (bytes(8_000, &std::mem::take(&mut narrow.pcm))?, bytes(16_000, &wide.pcm)?);
    // As `sayso prompts check` would, and as it is read when a server starts.
    let report = check_bytes(Path::new(&format!("{}.8k.wav", name.name())), &narrow);
    let grave = report.findings.iter().filter(|finding| finding.severity != Severity::Note);
    warnings.extend(grave.map(|finding| finding.text.clone()));
    let read = wav::decode(&narrow)?;
    let output = Measured::new(Path::new(""), read.format, &read.samples);
    let version = sha256(&narrow);
    let sound = PromptSound { version: version.clone(), narrow, wide, time };
    let clipped = clipped(&clip.samples);
    Ok(Made { version, input, output, lead, trail, clipped, done, warnings, sound })
}

/// The sound without long silence at its ends.
fn trim<'a>(samples: &'a [f32], rate: u32, done: &mut Vec<String>) -> &'a [f32] {
    let (lead, trail) = silence(samples, rate);
    let frames = |seconds: f64| (seconds * f64::from(rate)).round() as usize;
    let (lead, trail) = ((lead - LEAD).max(0.0), (trail - TRAIL).max(0.0));
    let trimmed = samples.get(frames(lead)..samples.len().saturating_sub(frames(trail)));
    for (seconds, end) in [(lead, "start"), (trail, "end")] {
        if seconds >= 0.01 {
            done.push(format!("cut {seconds:.2} s of silence at the {end}"));
        }
    }
    trimmed.filter(|trimmed| !trimmed.is_empty()).unwrap_or(samples)
}

/// Samples at their level, and what that took.
struct Converted {
    pcm: Vec<i16>,
    gain_db: f64,
}

/// Samples at `to` Hz and at their level.
fn convert(
    samples: &[f32],
    from: u32,
    to: u32,
    music: bool,
    done: &mut Vec<String>,
) -> Result<Converted, AudioError> {
    let (mut samples, target) = if music {
        (resample_loop(samples, from, to)?, MUSIC_LUFS)
    } else {
        (resample(samples, from, to)?, SPEECH_LUFS)
    };
    let levelled = level(&mut samples, to, target)?;
    let khz = to / 1_000;
    let mut text = format!("{khz} kHz: level changed by {:+.1} dB", levelled.gain_db);
    if levelled.limited_db > 0.0 {
        text += &format!(", highest peaks turned down by {:.1} dB", levelled.limited_db);
    }
    if from < to {
        text += &format!(" (the source has {} kHz, so no more treble than that)", f64::from(from) / 1_000.0);
    }
    done.push(text);
    Ok(Converted { pcm: wav::quantise(&samples), gain_db: levelled.gain_db })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{file, formats, tone};
    use super::super::wav::Encoding;
    use super::*;
    use crate::media::loudness::PEAK_DBFS;

    fn name(text: &str) -> PromptName {
        text.parse().expect("a prompt's name")
    }

    #[test]
    fn a_tone_in_any_format_becomes_a_prompt_at_its_level() {
        let cases = [(44_100, 2), (48_000, 1), (8_000, 2), (96_000, 1)];
        for (n, format) in cases.into_iter().flat_map(|(rate, channels)| formats(rate, channels)).enumerate()
        {
            // Each case in some formats, all formats in some case: resampling is slow when not optimised.
            if n % 3 != 0 && format.bits != 24 {
                continue;
            }
            let source = file(format, &tone(1_000.0, format.rate, 0.5, 0.3));
            let made = make(&source, &name("de~welcome")).expect("is made");
            for (bytes, rate) in [(&made.sound.narrow, 8_000), (&made.sound.wide, 16_000)] {
                let clip = wav::decode(bytes).expect("reads");
                let Measured { format: out, seconds, lufs, peak_dbfs, .. } =
                    Measured::new(Path::new(""), clip.format, &clip.samples);
                assert_eq!((out.rate, out.channels, out.bits, out.encoding), (rate, 1, 16, Encoding::Pcm));
                assert!((lufs.expect("loud") - SPEECH_LUFS).abs() < 0.2, "{format}: {lufs:?}");
                assert!(peak_dbfs.expect("loud") <= PEAK_DBFS, "{format}: {peak_dbfs:?}");
                assert!((seconds - 0.67).abs() < 0.03, "{format}: {seconds} s");
                // Without what is next to nothing: the filter rings on into the silence.
                let heard: Vec<f32> = clip.samples.into_iter().filter(|s| s.abs() > 0.01).collect();
                let crossings = heard.windows(2).filter(|two| two[0] < 0.0 && two[1] > 0.0).count();
                assert!((485..=515).contains(&crossings), "{format}: {crossings} periods of 500");
            }
            assert_eq!((made.version.clone(), made.clipped), (sha256(&made.sound.narrow), false));
            assert_eq!(made.warnings, Vec::<String>::new());
        }
    }

    #[test]
    fn it_says_what_was_done() {
        let format = Format { rate: 44_100, channels: 2, bits: 24, encoding: Encoding::Pcm };
        let made = make(&file(format, &tone(1_000.0, 44_100, 0.5, 0.4)), &name("sales~de-at~thanks"));
        let made = made.expect("is made");
        let text = made.to_string();
        for part in [
            // -9.03 LUFS while it sounds; the meter's blocks that begin or end in silence take 2.04 off.
            "44.1 kHz stereo 24-bit, 1.3 s, -11.1 LUFS, peak -6.0 dBFS",
            "out: 8 kHz mono 16-bit, 0.7 s, -19.0 LUFS",
            "mixed to mono",
            "cut 0.35 s of silence at the start",
            "8 kHz: level changed by -9.",
        ] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
        assert!((made.lead - 0.4).abs() < 0.02 && (made.trail - 0.4).abs() < 0.02, "{made:?}");
        let json = serde_json::to_value(&made).expect("serialises");
        assert_eq!(json["output"]["format"]["rate"], 8_000);
        assert_eq!(json["input"]["format"]["encoding"], "pcm");
    }

    #[test]
    fn music_keeps_its_length_and_is_quieter() {
        let source = file(formats(16_000, 2)[1], &tone(500.0, 16_000, 0.5, 0.25));
        let made = make(&source, &name("zxx~music")).expect("is made");
        assert!((made.output.seconds - 1.0).abs() < 1e-9);
        assert!((made.output.lufs.expect("loud") - MUSIC_LUFS).abs() < 0.2);
    }

    #[test]
    fn what_callers_should_not_hear_is_refused_or_warned_of() {
        let plain = formats(8_000, 1)[1];
        let says = |samples: &[f64]| match make(&file(plain, samples), &name("en~welcome")) {
            Ok(made) => format!("{} {:?}", made.clipped, made.warnings),
            Err(error) => error.to_string(),
        };
        assert_eq!(says(&[0.0; 8_000]), "there is only silence in it");
        assert!(says(&tone(500.0, 8_000, 0.1, 0.0)).starts_with("it is too short"));
        assert!(
            says(&tone(500.0, 8_000, 61.0, 0.0))
                .starts_with("it is too long: a prompt of this kind has at most 60 s")
        );
        let square: Vec<f64> = tone(200.0, 8_000, 1.0, 0.0).iter().map(|sample| sample.signum()).collect();
        assert!(says(&square).starts_with("true "), "{}", says(&square));
        let faint: Vec<f64> = tone(500.0, 8_000, 1.0, 0.0).iter().map(|sample| sample / 60.0).collect();
        assert!(says(&faint).contains("record it louder"), "{}", says(&faint));
        // Long because of its silence alone.
        let long = tone(500.0, 8_000, 40.0, 14.0);
        assert!(says(&long).starts_with("false []"), "{}", says(&long));
        assert!(make(b"no sound at all", &name("en~welcome")).is_err());
    }
}
