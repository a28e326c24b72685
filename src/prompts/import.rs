//! `sayso prompts import`: any WAV file becomes a prompt: mono, 8 and 16 kHz, without silence at its
//! ends, at the level of all the others, and never clipped.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::wav::{self, Format};
use super::{MUSIC, NAMES, PromptError, language_key, sha256};
use crate::media::loudness::{Level, MUSIC_LUFS, SPEECH_LUFS, level, measure, silence};
use crate::media::resample::{resample, resample_loop};

/// Silence kept before the first sound, in seconds: an attack needs a little air.
const LEAD: f64 = 0.05;
/// Silence kept after the last, in seconds: what follows should not tread on it.
const TRAIL: f64 = 0.12;

/// Where an imported prompt goes.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The prompts folder, `<data>/prompts`.
    pub dir: PathBuf,
    /// Its name, one of [`NAMES`].
    pub name: String,
    /// Its language; only music may be without.
    pub language: Option<String>,
    /// The queue it is for; `None`: all.
    pub queue: Option<String>,
}

/// What [`import`] did, for people (`Display`) and programs (`Serialize`).
#[derive(Clone, Debug, Serialize)]
pub struct ImportReport {
    /// The prompt.
    pub name: String,
    /// Its language.
    pub language: Option<String>,
    /// The queue it is for.
    pub queue: Option<String>,
    /// The file it was made from.
    pub input: Measured,
    /// The files written, 8 kHz first.
    pub output: Vec<Written>,
    /// What was done to the sound, a sentence each.
    pub done: Vec<String>,
    /// Where the versions that were replaced are kept: `<sha256>.wav`, as a consent may name one.
    pub kept: Vec<PathBuf>,
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

/// A file that was written.
#[derive(Clone, Debug, Serialize)]
pub struct Written {
    /// What it is now.
    #[serde(flatten)]
    pub measured: Measured,
    /// SHA-256 of its bytes, in hex: the prompt version.
    pub sha256: String,
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

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(language) = &self.language {
            write!(f, " in {language}")?;
        }
        if let Some(queue) = &self.queue {
            write!(f, " for queue {queue}")?;
        }
        write!(f, "\n  in:  {}: {}", self.input.file.display(), self.input)?;
        for written in &self.output {
            write!(f, "\n  out: {}: {}", written.measured.file.display(), written.measured)?;
            write!(f, "\n       sha256 {}", written.sha256)?;
        }
        for done in &self.done {
            write!(f, "\n  - {done}")?;
        }
        for kept in &self.kept {
            write!(f, "\n  - the version before is kept as {}", kept.display())?;
        }
        Ok(())
    }
}

/// Makes a prompt of `file` and writes its 8 and 16 kHz versions. A version that it replaces is kept
/// beside. Running servers play it after they reload their prompts.
pub fn import(file: &Path, options: &ImportOptions) -> Result<ImportReport, PromptError> {
    let (folder, music) = destination(options)?;
    let clip = wav::read(file)?;
    let input = Measured::new(file, clip.format, &clip.samples);
    let mut done = Vec::new();
    if clip.cancelled {
        done.push("took the first channel alone: mixed, the channels cancel each other".to_owned());
    } else if clip.format.channels > 1 {
        done.push("mixed to mono".to_owned());
    }
    // Music keeps its ends: it was made to be repeated.
    let samples = if music { &clip.samples[..] } else { trim(&clip.samples, clip.format.rate, &mut done) };

    let mut sounds = Vec::new();
    for rate in [8_000, 16_000] {
        sounds.push((rate, convert(file, samples, clip.format.rate, rate, music, &mut done)?));
    }
    // All is written before the version in use is touched.
    std::fs::create_dir_all(&folder).map_err(cannot_write(&folder))?;
    let mut made = Vec::new();
    for (rate, pcm) in sounds {
        let name = format!("{}.{}k.wav", options.name, rate / 1_000);
        let new = folder.join(format!(".new-{name}"));
        wav::write_pcm16(&new, rate, 1, &pcm)?;
        made.push((new, folder.join(name)));
    }
    let kept = make_room(&options.dir, &folder, &options.name)?;
    let mut output = Vec::new();
    for (new, path) in made {
        std::fs::rename(&new, &path).map_err(cannot_write(&path))?;
        output.push(written(&path)?);
    }
    let (name, language, queue) = (options.name.clone(), options.language.clone(), options.queue.clone());
    Ok(ImportReport { name, language, queue, input, output, done, kept })
}

/// The folder the files go to, and whether it is music.
fn destination(options: &ImportOptions) -> Result<(PathBuf, bool), PromptError> {
    let unknown = || PromptError::UnknownName { name: options.name.clone() };
    let index = NAMES.iter().position(|name| *name == options.name).ok_or_else(unknown)?;
    let mut folder = options.dir.clone();
    if let Some(queue) = &options.queue {
        let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        if queue.is_empty() || queue.starts_with('.') || !queue.chars().all(plain) {
            return Err(PromptError::BadQueue { queue: queue.clone() });
        }
        folder.push(queue);
    }
    match &options.language {
        Some(language) => folder.push(
            language_key(language).ok_or_else(|| PromptError::BadLanguage { language: language.clone() })?,
        ),
        None if index == MUSIC => {}
        None => return Err(PromptError::NoLanguage { name: options.name.clone() }),
    }
    Ok((folder, index == MUSIC))
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

/// Samples at `to` Hz and at their level.
fn convert(
    file: &Path,
    samples: &[f32],
    from: u32,
    to: u32,
    music: bool,
    done: &mut Vec<String>,
) -> Result<Vec<i16>, PromptError> {
    let (resampled, target) = if music {
        (resample_loop(samples, from, to), MUSIC_LUFS)
    } else {
        (resample(samples, from, to), SPEECH_LUFS)
    };
    let mut samples = resampled.map_err(|source| PromptError::Resample { path: file.to_owned(), source })?;
    let levelled = level(&mut samples, to, target)
        .map_err(|source| PromptError::Level { path: file.to_owned(), source })?;
    let khz = to / 1_000;
    let mut text = format!("{khz} kHz: level changed by {:+.1} dB", levelled.gain_db);
    if levelled.limited_db > 0.0 {
        text += &format!(", highest peaks turned down by {:.1} dB", levelled.limited_db);
    }
    if from < to {
        text += &format!(" (the source has {} kHz, so no more treble than that)", f64::from(from) / 1_000.0);
    }
    done.push(text);
    Ok(wav::quantise(&samples))
}

/// Moves aside what stands for the prompt now: a stored consent names the question it was given to by
/// SHA-256, so that version must be found again.
fn make_room(dir: &Path, folder: &Path, name: &str) -> Result<Vec<PathBuf>, PromptError> {
    let versions = dir.join(".versions");
    let mut kept = Vec::new();
    for ending in ["wav", "8k.wav", "16k.wav"] {
        let old = folder.join(format!("{name}.{ending}"));
        if old.exists() {
            std::fs::create_dir_all(&versions).map_err(cannot_write(&versions))?;
            let version = versions.join(format!("{}.wav", sha256(&wav::read_bytes(&old)?)));
            std::fs::rename(&old, &version).map_err(cannot_write(&old))?;
            kept.push(version);
        }
    }
    Ok(kept)
}

fn cannot_write(path: &Path) -> impl FnOnce(std::io::Error) -> PromptError {
    let path = path.to_owned();
    move |source| PromptError::Write { path, source }
}

fn written(path: &Path) -> Result<Written, PromptError> {
    let bytes = wav::read_bytes(path)?;
    let clip = wav::decode(&bytes).map_err(|source| PromptError::Wav { path: path.to_owned(), source })?;
    Ok(Written { measured: Measured::new(path, clip.format, &clip.samples), sha256: sha256(&bytes) })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{file, formats, tone};
    use super::super::wav::Encoding;
    use super::*;
    use crate::media::loudness::PEAK_DBFS;

    fn options(dir: &Path, name: &str, language: Option<&str>) -> ImportOptions {
        let language = language.map(str::to_owned);
        ImportOptions { dir: dir.join("prompts"), name: name.to_owned(), language, queue: None }
    }

    #[test]
    fn a_tone_in_any_format_becomes_a_prompt_at_its_level() {
        let dir = tempfile::tempdir().expect("a folder");
        let source = dir.path().join("in.wav");
        let cases = [(44_100, 2), (48_000, 1), (8_000, 2), (96_000, 1)];
        for (n, format) in cases.into_iter().flat_map(|(rate, channels)| formats(rate, channels)).enumerate()
        {
            // Each case in some formats, all formats in some case: resampling is slow when not optimised.
            if n % 3 != 0 && format.bits != 24 {
                continue;
            }
            std::fs::write(&source, file(format, &tone(1_000.0, format.rate, 0.5, 0.3))).expect("writes");
            let report = import(&source, &options(dir.path(), "welcome", Some("de"))).expect("imports");
            for (written, rate) in report.output.iter().zip([8_000, 16_000]) {
                let Measured { file, format: out, seconds, lufs, peak_dbfs } = &written.measured;
                assert_eq!((out.rate, out.channels, out.bits, out.encoding), (rate, 1, 16, Encoding::Pcm));
                assert!((lufs.expect("loud") - SPEECH_LUFS).abs() < 0.2, "{format}: {lufs:?}");
                assert!(peak_dbfs.expect("loud") <= PEAK_DBFS, "{format}: {peak_dbfs:?}");
                assert!((seconds - 0.67).abs() < 0.03, "{format}: {seconds} s");
                let clip = wav::read(file).expect("reads");
                // Without what is next to nothing: the filter rings on into the silence.
                let heard: Vec<f32> = clip.samples.into_iter().filter(|s| s.abs() > 0.01).collect();
                let crossings = heard.windows(2).filter(|two| two[0] < 0.0 && two[1] > 0.0).count();
                assert!((485..=515).contains(&crossings), "{format}: {crossings} periods of 500");
            }
        }
    }

    #[test]
    fn the_report_says_what_was_done() {
        let dir = tempfile::tempdir().expect("a folder");
        let source = dir.path().join("in.wav");
        let format = Format { rate: 44_100, channels: 2, bits: 24, encoding: Encoding::Pcm };
        std::fs::write(&source, file(format, &tone(1_000.0, 44_100, 0.5, 0.4))).expect("writes");
        let to =
            ImportOptions { queue: Some("sales".into()), ..options(dir.path(), "thanks", Some("de-AT")) };
        let report = import(&source, &to).expect("imports");
        let text = report.to_string();
        for part in [
            "thanks in de-AT for queue sales",
            // -9.03 LUFS while it sounds; the meter's blocks that begin or end in silence take 2.04 off.
            "44.1 kHz stereo 24-bit, 1.3 s, -11.1 LUFS, peak -6.0 dBFS",
            "prompts/sales/de-at/thanks.8k.wav: 8 kHz mono 16-bit, 0.7 s, -19.0 LUFS",
            "mixed to mono",
            "cut 0.35 s of silence at the start",
            "8 kHz: level changed by -9.",
        ] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
        let json = serde_json::to_value(&report).expect("serialises");
        assert_eq!(json["output"][1]["format"]["rate"], 16_000);
        assert_eq!(json["input"]["format"]["encoding"], "pcm");
    }

    #[test]
    fn the_version_before_is_kept_under_its_hash() {
        let dir = tempfile::tempdir().expect("a folder");
        let source = dir.path().join("in.wav");
        let format = formats(8_000, 1)[1];
        let to = options(dir.path(), "consent-question", Some("en"));
        std::fs::write(&source, file(format, &tone(500.0, 8_000, 0.5, 0.0))).expect("writes");
        let first = import(&source, &to).expect("imports");
        assert!(first.kept.is_empty());
        let played = std::fs::read(&first.output[0].measured.file).expect("reads");
        std::fs::write(&source, file(format, &tone(600.0, 8_000, 0.5, 0.0))).expect("writes");
        let second = import(&source, &to).expect("imports");
        assert_ne!(first.output[0].sha256, second.output[0].sha256);
        let kept = to.dir.join(".versions").join(format!("{}.wav", first.output[0].sha256));
        assert!(second.kept.contains(&kept));
        assert_eq!(std::fs::read(kept).expect("reads"), played);
        let names: Vec<_> = std::fs::read_dir(to.dir.join("en")).expect("lists").collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn music_keeps_its_length_and_is_quieter() {
        let dir = tempfile::tempdir().expect("a folder");
        let source = dir.path().join("in.wav");
        std::fs::write(&source, file(formats(16_000, 2)[1], &tone(500.0, 16_000, 0.5, 0.25)))
            .expect("writes");
        let report = import(&source, &options(dir.path(), "music", None)).expect("imports");
        assert_eq!(report.output[0].measured.file, dir.path().join("prompts/music.8k.wav"));
        for written in &report.output {
            assert!((written.measured.seconds - 1.0).abs() < 1e-9);
            assert!((written.measured.lufs.expect("loud") - MUSIC_LUFS).abs() < 0.2);
        }
    }

    #[test]
    fn a_wrong_request_names_file_and_fault_and_changes_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let source = dir.path().join("in.wav");
        std::fs::write(&source, file(formats(8_000, 1)[1], &[0.0; 8_000])).expect("writes");
        let says = |file: &Path, to: ImportOptions| import(file, &to).expect_err("refused").to_string();
        let plain = || options(dir.path(), "welcome", Some("en"));
        assert!(says(&source, plain()).ends_with("in.wav: there is only silence in it"));
        let mp3 = dir.path().join("song.wav");
        std::fs::write(&mp3, b"ID3\x04\0\0").expect("writes");
        assert!(says(&mp3, plain()).contains("song.wav: this is an MP3"));
        let unknown = says(&source, options(dir.path(), "welcom", Some("en")));
        assert!(
            unknown.contains("\"welcom\" is no prompt; there are: welcome, consent-question"),
            "{unknown}"
        );
        assert!(says(&source, options(dir.path(), "welcome", None)).contains("needs a language"));
        assert!(says(&source, options(dir.path(), "welcome", Some("../en"))).contains("no language tag"));
        for queue in ["../x", "", ".versions", "a/b"] {
            assert!(
                says(&source, ImportOptions { queue: Some(queue.into()), ..plain() })
                    .contains("cannot have prompts")
            );
        }
        let left = super::super::library::folder_files(&dir.path().join("prompts")).expect("lists");
        assert!(left.is_empty() && !dir.path().join("prompts").exists(), "{left:?}");
    }
}
