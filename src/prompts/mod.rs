//! Shipped and imported prompts: the library calls play from, and the tools that check prompts and
//! bring a customer's own to the right format and level. Imported ones lie in the database, for all servers.

mod check;
mod decode;
mod error;
mod import;
mod library;
mod name;
mod stored;
#[cfg(test)]
mod testing;
pub mod wav;

pub use check::{Finding, Report, Severity, check, check_shipped};
pub use error::{AudioError, PromptError};
pub use import::{LARGEST, Made, Measured, make};
pub use library::{Library, Loaded, Source};
pub use name::{NO_LANGUAGE, PromptName};
pub use stored::load;

use crate::call::Prompt;

/// The name of every prompt: `prompts/<language>/<name>.8k.wav`, and `prompts/music.8k.wav`.
pub const NAMES: [&str; 18] = [
    "welcome",
    "consent-question",
    "thanks",
    "refused",
    "invalid-key",
    "please-wait",
    "position-1",
    "position-2",
    "position-3",
    "position-4",
    "position-5",
    "position-6",
    "position-7",
    "position-8",
    "position-9",
    "position-many",
    "closed",
    "music",
];

/// Music's place in [`NAMES`]: the one prompt without words, hence without a language.
const MUSIC: usize = NAMES.len() - 1;

/// The language every prompt exists in.
const ENGLISH: &str = "en";

/// The place of `prompt` in [`NAMES`].
const fn index(prompt: Prompt) -> usize {
    match prompt {
        Prompt::Welcome => 0,
        Prompt::ConsentQuestion => 1,
        Prompt::Thanks => 2,
        Prompt::Refused => 3,
        Prompt::InvalidKey => 4,
        Prompt::PleaseWait => 5,
        // 1 is next; there is no place 0.
        Prompt::Position(0) => 6,
        Prompt::Position(place @ 1..=9) => 5 + place as usize,
        Prompt::Position(_) => 15,
        Prompt::Closed => 16,
        Prompt::Music => MUSIC,
    }
}

/// The name of `prompt`'s files.
#[must_use]
pub const fn name(prompt: Prompt) -> &'static str {
    NAMES[index(prompt)]
}

/// SHA-256 of a file's bytes, in hex: names the exact version of a prompt.
fn sha256(bytes: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes))
}

/// A language as it is used in folder names: lower case (`de`, `de-at`); `None` if it is no tag.
fn language_key(language: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let fits = (2..=35).contains(&language.len())
        && language.chars().all(plain)
        && language.starts_with(|c: char| c.is_ascii_alphabetic());
    fits.then(|| language.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_has_its_name() {
        assert_eq!(name(Prompt::Welcome), "welcome");
        assert_eq!(name(Prompt::ConsentQuestion), "consent-question");
        assert_eq!(name(Prompt::Thanks), "thanks");
        assert_eq!(name(Prompt::Refused), "refused");
        assert_eq!(name(Prompt::InvalidKey), "invalid-key");
        assert_eq!(name(Prompt::PleaseWait), "please-wait");
        for place in 1..=9 {
            assert_eq!(name(Prompt::Position(place)), format!("position-{place}"));
        }
        assert_eq!(name(Prompt::Position(10)), "position-many");
        assert_eq!(name(Prompt::Position(255)), "position-many");
        assert_eq!(name(Prompt::Closed), "closed");
        assert_eq!(name(Prompt::Music), "music");
    }
}
