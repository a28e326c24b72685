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
            Some(lufs) => write!(f, "{lufs:.1} LUFS, ")?,
            None => f.write_str("silent, ")?,
        }
        match self.peak_dbfs {
            Some(peak) => write!(f, "peak {peak:.1} dBFS"),
            None => f.write_str("no peak"),
        }
    }
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

    // All is written before the version in use is touched.
    std::fs::create_dir_all(&folder).map_err(cannot_write(&folder))?;
    let mut made = Vec::new();
    for rate in [8_000, 16_000] {
        let pcm = convert(file, samples, clip.format.rate, rate, music, &mut done)?;
        let new = folder.join(format!(".new-{}.{}k.wav", options.name, rate / 1_000));
        wav::write_pcm16(&new, rate, 1, &pcm)?;
        made.push((new, folder.join(format!("{}.{}k.wav", options.name, rate / 1_000))));
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
