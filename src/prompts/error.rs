//! What can be wrong with a prompt: which file, what, and what to do.

use std::path::PathBuf;

use super::wav::WavError;
use crate::media::loudness::LevelError;
use crate::media::resample::ResampleError;
use crate::store::StoreError;

/// Why a file's octets cannot become a prompt.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// A WAV file that cannot be used.
    #[error(transparent)]
    Wav(#[from] WavError),
    /// Not a format that is read.
    #[error("it cannot be read as sound ({0}): WAV, MP3, M4A (AAC), FLAC, Ogg (Vorbis or Opus) and AIFF can")]
    Unknown(String),
    /// A format that is read, with faults.
    #[error("it is damaged, or was not copied whole ({0})")]
    Damaged(String),
    /// More than callers listen to.
    #[error("it is too long: a prompt of this kind has at most {most} s")]
    TooLong {
        /// The most, in seconds.
        most: u64,
    },
    /// Less than can be understood.
    #[error("it is too short: without the silence at its ends, {seconds:.2} s are left")]
    TooShort {
        /// What is left of it.
        seconds: f64,
    },
    /// The sample rate cannot be converted.
    #[error(transparent)]
    Resample(#[from] ResampleError),
    /// It cannot be brought to its level.
    #[error(transparent)]
    Level(#[from] LevelError),
    /// The WAV file could not be made.
    #[error("it cannot be written as WAV: {0}")]
    Write(std::io::Error),
}

/// Why prompts cannot be read, imported or written.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The file system says no.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// File or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file system says no.
    #[error("{}: cannot be written: {source}", path.display())]
    Write {
        /// File or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Larger than any prompt.
    #[error("{}: {bytes} bytes is too large for a prompt: at most {} MB", path.display(), super::wav::MOST_BYTES / 1_000_000)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// No WAV file, or one that cannot be used.
    #[error("{}: {source}", path.display())]
    Wav {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: WavError,
    },
    /// The sample rate cannot be converted.
    #[error("{}: {source}", path.display())]
    Resample {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ResampleError,
    },
    /// It cannot become a prompt.
    #[error("{}: {source}", path.display())]
    Audio {
        /// The file.
        path: PathBuf,
        /// Why.
        source: AudioError,
    },
    /// The imported prompts cannot be read.
    #[error("the imported prompts: {0}")]
    Store(#[from] StoreError),
    /// Reading was broken off.
    #[error("the prompts could not be read: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// Not a prompt Sayso plays.
    #[error("{name:?} is no prompt; there are: {}", super::NAMES.join(", "))]
    UnknownName {
        /// What was given.
        name: String,
    },
    /// A prompt is spoken in a language.
    #[error("{name} needs a language (only music is without): say which, such as de")]
    NoLanguage {
        /// The prompt.
        name: String,
    },
    /// No language tag, or not usable as a folder's name.
    #[error(
        "{language:?} is no language tag: lower-case letters, digits and hyphens are expected, such as de or de-at"
    )]
    BadLanguage {
        /// What was given.
        language: String,
    },
    /// A queue's name that cannot be part of a prompt's.
    #[error(
        "queue {queue:?} cannot have prompts of its own: its name is empty, or has a '~' or a control character"
    )]
    BadQueue {
        /// What was given.
        queue: String,
    },
    /// Two files for one prompt: nobody could say which is played.
    #[error("{} and {} are the same prompt: remove one", first.display(), second.display())]
    Twice {
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// This program was built without a prompt it needs.
    #[error("the shipped prompts lack {name:?} in English: rebuild with a whole prompts folder")]
    ShippedMissing {
        /// Which.
        name: &'static str,
    },
}
