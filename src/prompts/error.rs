//! What can be wrong with a prompt: which file, what, and what to do.

use std::path::PathBuf;

use super::wav::WavError;
use crate::media::loudness::LevelError;
use crate::media::resample::ResampleError;

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
    /// The sound cannot be brought to its level.
    #[error("{}: {source}", path.display())]
    Level {
        /// The file.
        path: PathBuf,
        /// Why.
        source: LevelError,
    },
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
    /// A queue's name that is not usable as a folder's name.
    #[error(
        "queue {queue:?} cannot have prompts of its own: its name must be letters, digits, '-', '_' and '.', not beginning with '.'"
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
