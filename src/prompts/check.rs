//! `sayso prompts check`: whether files are fit to be played to callers, and what to do if not.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::import::Measured;
use super::library::{Shipped, name_index, wav_files};
use super::{MUSIC, wav};
use crate::media::loudness::{MUSIC_LUFS, PEAK_DBFS, SPEECH_LUFS, TOLERANCE_LU, silence};

/// The longest silence before the first sound, in seconds: callers take more for a dead line.
const MOST_LEAD: f64 = 0.2;
/// The longest silence after the last, in seconds: it delays the next step of the call.
const MOST_TRAIL: f64 = 0.5;
/// The shortest prompt that can be understood, in seconds.
const SHORTEST: f64 = 0.3;
/// The longest spoken prompt callers listen to, in seconds.
const LONGEST: f64 = 60.0;

/// What [`check`] says of one file.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The file or folder.
    pub file: PathBuf,
    /// Format and level; `None` if it cannot be read.
    #[serde(flatten)]
    pub measured: Option<Measured>,
    /// What was found, gravest first.
    pub findings: Vec<Finding>,
}

/// Something to know about a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How grave.
    pub severity: Severity,
    /// What, and what to do.
    pub text: String,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It cannot be played.
    Error,
    /// It plays badly.
    Warning,
    /// Good to know.
    Note,
}

impl Report {
    /// Whether it is fit to be played: nothing graver than a note.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.passed() { "ok  " } else { "FAIL" }, self.file.display())?;
        if let Some(measured) = &self.measured {
            write!(f, ": {measured}")?;
        }
        for finding in &self.findings {
            write!(f, "\n     {finding}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        write!(f, "{severity}: {}", self.text)
    }
}

/// Checks files, and all WAV files under folders. One report each; never fails as a whole.
#[must_use]
pub fn check(paths: &[PathBuf]) -> Vec<Report> {
    let mut reports = Vec::new();
    for path in paths {
        if path.is_dir() {
            match wav_files(path) {
                Ok(files) if files.is_empty() => {
                    reports.push(unusable(path, "there is no .wav file in this folder".to_owned()));
                }
                Ok(files) => reports.extend(files.iter().map(|file| check_file(file))),
                Err(error) => reports.push(unusable(path, error.to_string())),
            }
        } else {
            reports.push(check_file(path));
        }
    }
    reports
}

/// Checks the prompts compiled into this program.
#[must_use]
pub fn check_shipped() -> Vec<Report> {
    let wavs = Shipped::iter().filter(|name| name.ends_with(".wav"));
    let mut reports: Vec<Report> = wavs
        .filter_map(|name| Shipped::get(&name).map(|file| check_bytes(Path::new(name.as_ref()), &file.data)))
        .collect();
    reports.sort_by(|a, b| a.file.cmp(&b.file));
    reports
}

fn check_file(path: &Path) -> Report {
    match wav::read_bytes(path) {
        Ok(bytes) => check_bytes(path, &bytes),
        Err(error) => unusable(path, error.to_string()),
    }
}

fn check_bytes(path: &Path, bytes: &[u8]) -> Report {
    let clip = match wav::decode(bytes) {
        Ok(clip) => clip,
        Err(error) => return unusable(path, error.to_string()),
    };
    let measured = Measured::new(path, clip.format, &clip.samples);
    let known = path.file_name().and_then(|name| name_index(&name.to_string_lossy()));
    let music = known == Some(MUSIC);
    let mut findings = Vec::new();
    let mut find = |severity, text: String| findings.push(Finding { severity, text });
    let warning = Severity::Warning;
    if clip.cancelled {
        find(warning, "its channels cancel each other: one is wired the wrong way round".to_owned());
    }
    check_level(&measured, if music { MUSIC_LUFS } else { SPEECH_LUFS }, &mut find);
    if clipped(&clip.samples) {
        find(warning, "it is clipped (flat tops at full scale): record it again, less loud".to_owned());
    }
    if !music {
        check_time(&measured, silence(&clip.samples, clip.format.rate), &mut find);
    }
    if clip.format.channels > 1 || ![8_000, 16_000].contains(&clip.format.rate) {
        find(Severity::Note, "it is converted at each start: import it to do that once and well".to_owned());
    }
    if known.is_none() {
        find(Severity::Note, format!("no prompt has this file name; there are: {}", super::NAMES.join(", ")));
    }
    findings.sort_by_key(|finding| finding.severity);
    Report { file: path.to_owned(), measured: Some(measured), findings }
}

fn check_level(measured: &Measured, target: f64, find: &mut impl FnMut(Severity, String)) {
    match measured.lufs {
        Some(lufs) if (lufs - target).abs() > TOLERANCE_LU => {
            let text = format!("{lufs:.1} LUFS, {target:.1} is wanted: import it, which sets the level");
            find(Severity::Warning, text);
        }
        Some(_) => {}
        None => find(Severity::Error, "there is only silence in it".to_owned()),
    }
    if let Some(peak) = measured.peak_dbfs.filter(|peak| *peak > PEAK_DBFS) {
        find(
            Severity::Warning,
            format!("its peak is {peak:.1} dBFS, at most {PEAK_DBFS:.1} is wanted: import it"),
        );
    }
}

fn check_time(measured: &Measured, (lead, trail): (f64, f64), find: &mut impl FnMut(Severity, String)) {
    for (seconds, most, place) in
        [(lead, MOST_LEAD, "before the first sound"), (trail, MOST_TRAIL, "after the last")]
    {
        if measured.lufs.is_some() && seconds > most {
            find(
                Severity::Warning,
                format!("{seconds:.2} s of silence {place}, at most {most:.1} is wanted: import it"),
            );
        }
    }
    if measured.seconds < SHORTEST {
        find(Severity::Warning, format!("{:.2} s is too short to be understood", measured.seconds));
    }
    if measured.seconds > LONGEST {
        find(Severity::Warning, format!("{:.0} s is longer than callers listen to", measured.seconds));
    }
}

/// Three samples in a row at full scale do not happen in sound that was not cut off.
fn clipped(samples: &[f32]) -> bool {
    let full = |sample: &f32| sample.abs() >= 32_766.0 / 32_768.0;
    samples.windows(3).any(|three| three.iter().all(full) && (three[0] > 0.0) == (three[2] > 0.0))
}

fn unusable(path: &Path, text: String) -> Report {
    let findings = vec![Finding { severity: Severity::Error, text }];
    Report { file: path.to_owned(), measured: None, findings }
}
