//! `sayso prompts check`: whether files are fit to be played to callers, and what to do if not.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::import::{Measured, tenths};
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

pub(super) fn check_bytes(path: &Path, bytes: &[u8]) -> Report {
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
            let text =
                format!("{:.1} LUFS, {target:.1} is wanted: import it, which sets the level", tenths(lufs));
            find(Severity::Warning, text);
        }
        Some(_) => {}
        None => find(Severity::Error, "there is only silence in it".to_owned()),
    }
    if let Some(peak) = measured.peak_dbfs.filter(|peak| *peak > PEAK_DBFS) {
        find(
            Severity::Warning,
            format!("its peak is {:.1} dBFS, at most {PEAK_DBFS:.1} is wanted: import it", tenths(peak)),
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
pub(super) fn clipped(samples: &[f32]) -> bool {
    let full = |sample: &f32| sample.abs() >= 32_766.0 / 32_768.0;
    samples.windows(3).any(|three| three.iter().all(full) && (three[0] > 0.0) == (three[2] > 0.0))
}

fn unusable(path: &Path, text: String) -> Report {
    let findings = vec![Finding { severity: Severity::Error, text }];
    Report { file: path.to_owned(), measured: None, findings }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{file, formats, tone};
    use super::super::{NAMES, make};
    use super::*;

    #[test]
    fn every_shipped_prompt_passes_and_none_is_missing() {
        let reports = check_shipped();
        let bad: Vec<String> =
            reports.iter().filter(|r| !r.findings.is_empty()).map(ToString::to_string).collect();
        assert!(bad.is_empty(), "{}", bad.join("\n"));
        for name in NAMES {
            for language in ["en/", "de/", "fr/", "es/", "fi/"] {
                let language = if name == "music" { "" } else { language };
                for (rate, ending) in [(8_000, "8k"), (16_000, "16k")] {
                    let file = PathBuf::from(format!("{language}{name}.{ending}.wav"));
                    let report = reports.iter().find(|report| report.file == file);
                    let measured = report.and_then(|report| report.measured.as_ref());
                    let measured = measured.unwrap_or_else(|| panic!("{} is missing", file.display()));
                    assert_eq!(
                        (measured.format.rate, measured.format.channels, measured.format.bits),
                        (rate, 1, 16)
                    );
                }
                let text = Shipped::get(&format!("{language}{name}.txt"));
                assert!(
                    name == "music" || text.is_some_and(|text| text.data.len() > 8),
                    "{language}{name}.txt"
                );
            }
        }
        let bytes: usize =
            Shipped::iter().filter_map(|name| Shipped::get(&name)).map(|file| file.data.len()).sum();
        assert!(bytes < 14_000_000, "the prompts take {bytes} bytes");
    }

    #[test]
    fn the_hold_music_has_no_seam() {
        for name in ["music.8k.wav", "music.16k.wav"] {
            let clip = wav::decode(&Shipped::get(name).expect("shipped").data).expect("reads");
            let step = |a: f32, b: f32| (a - b).abs();
            let largest = clip.samples.windows(2).map(|two| step(two[0], two[1])).fold(0.0, f32::max);
            let seam = step(clip.samples[0], clip.samples[clip.samples.len() - 1]);
            assert!(seam <= largest / 2.0, "{name}: {seam} at the seam, elsewhere at most {largest}");
            assert_eq!(clip.samples.len() % (clip.format.rate as usize / 50), 0, "whole packets of 20 ms");
        }
    }

    #[test]
    fn faults_are_found_and_import_mends_them() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("welcome.wav");
        let loud: Vec<f64> =
            tone(500.0, 8_000, 0.5, 0.6).iter().map(|s| (s * 4.0).clamp(-1.0, 1.0)).collect();
        std::fs::write(&path, file(formats(8_000, 2)[1], &loud)).expect("writes");
        let [report] = &check(std::slice::from_ref(&path))[..] else { panic!("one report") };
        let text = report.to_string();
        for part in [
            "FAIL",
            "LUFS, -19.0 is wanted",
            "peak is 0.0 dBFS",
            "clipped",
            "0.60 s of silence before",
            "0.60 s of silence after",
            "note: it is converted",
        ] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
        let made = make(&std::fs::read(&path).expect("reads"), &"en~welcome".parse().expect("a name"));
        let made = made.expect("is made");
        assert!(made.clipped && made.warnings.is_empty(), "{made}");
        let mended = dir.path().join("p");
        std::fs::create_dir(&mended).expect("makes it");
        std::fs::write(mended.join("welcome.8k.wav"), &made.sound.narrow).expect("writes");
        std::fs::write(mended.join("welcome.16k.wav"), &made.sound.wide).expect("writes");
        let reports = check(&[mended]);
        // Clipping cannot be mended, but the flat tops are no longer at full scale.
        assert!(reports.len() == 2 && reports.iter().all(Report::passed), "{reports:?}");
    }

    #[test]
    fn what_cannot_be_read_is_an_error_of_that_file_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("a.wav"), b"fLaC").expect("writes");
        std::fs::write(dir.path().join("b.wav"), file(formats(8_000, 1)[1], &[0.0; 4_000])).expect("writes");
        let reports = check(&[dir.path().to_owned(), dir.path().join("none.wav")]);
        assert_eq!(reports.len(), 3);
        assert!(reports[0].to_string().contains("a.wav\n     error: this is a FLAC file"), "{}", reports[0]);
        assert!(reports[1].to_string().contains("error: there is only silence in it"), "{}", reports[1]);
        assert!(reports[1].to_string().contains("note: no prompt has this file name"), "{}", reports[1]);
        assert!(reports[2].to_string().contains("cannot be read"), "{}", reports[2]);
        assert!(reports.iter().all(|report| !report.passed()));
        let empty = tempfile::tempdir().expect("a folder");
        assert!(!check(&[empty.path().to_owned()])[0].passed());
    }
}
