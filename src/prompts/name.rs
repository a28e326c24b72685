//! How a prompt is called: `QUEUE~LANGUAGE~NAME`, or `LANGUAGE~NAME` for all queues.

use std::fmt;
use std::str::FromStr;

use crate::ids::QueueId;

use super::{MUSIC, NAMES, PromptError, language_key};

/// The language of music, which has none ("no linguistic content", BCP 47 and ISO 639-2).
pub const NO_LANGUAGE: &str = "zxx";

/// Which prompt. In URLs, in the database and for people it is `QUEUE~LANGUAGE~NAME` or `LANGUAGE~NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PromptName {
    queue: Option<QueueId>,
    /// Lower case; `None`: music of all languages.
    language: Option<String>,
    /// In [`NAMES`].
    index: usize,
}

impl PromptName {
    /// A prompt of a queue, or of all; only music goes without a language.
    ///
    /// # Errors
    /// When there is no such prompt, the language is no tag, or the queue's name cannot be part of a prompt's.
    pub fn new(queue: Option<&str>, language: Option<&str>, name: &str) -> Result<Self, PromptError> {
        let index = NAMES.iter().position(|known| *known == name);
        let index = index.ok_or_else(|| PromptError::UnknownName { name: name.to_owned() })?;
        let language = match language.filter(|language| !language.eq_ignore_ascii_case(NO_LANGUAGE)) {
            Some(language) => {
                let bad = || PromptError::BadLanguage { language: language.to_owned() };
                Some(language_key(language).ok_or_else(bad)?)
            }
            None if index == MUSIC => None,
            None => return Err(PromptError::NoLanguage { name: name.to_owned() }),
        };
        let queue = match queue {
            Some(queue) if queue.is_empty() || queue.contains('~') || queue.chars().any(char::is_control) => {
                return Err(PromptError::BadQueue { queue: queue.to_owned() });
            }
            queue => queue.map(QueueId::from),
        };
        Ok(Self { queue, language, index })
    }

    pub(super) fn of(queue: Option<&QueueId>, language: Option<&str>, index: usize) -> Self {
        Self { queue: queue.cloned(), language: language.map(str::to_owned), index }
    }

    /// The queue it is for; `None`: all.
    #[must_use]
    pub fn queue(&self) -> Option<&QueueId> {
        self.queue.as_ref()
    }

    /// Its language; [`NO_LANGUAGE`] for music of all languages.
    #[must_use]
    pub fn language(&self) -> &str {
        self.language.as_deref().unwrap_or(NO_LANGUAGE)
    }

    /// One of [`NAMES`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        NAMES[self.index]
    }

    /// Whether it is music, which is repeated and lies under voices.
    #[must_use]
    pub fn is_music(&self) -> bool {
        self.index == MUSIC
    }

    pub(super) fn tag(&self) -> Option<&str> {
        self.language.as_deref()
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }
}

impl fmt::Display for PromptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(queue) = &self.queue {
            write!(f, "{queue}~")?;
        }
        write!(f, "{}~{}", self.language(), self.name())
    }
}

impl FromStr for PromptName {
    type Err = PromptError;

    fn from_str(text: &str) -> Result<Self, PromptError> {
        match *text.split('~').collect::<Vec<_>>() {
            [language, name] => Self::new(None, Some(language), name),
            [queue, language, name] => Self::new(Some(queue), Some(language), name),
            _ => Err(PromptError::UnknownName { name: text.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for text in
            ["en~welcome", "de-at~consent-question", "sales~fi~position-many", "zxx~music", "sales~zxx~music"]
        {
            let name: PromptName = text.parse().expect("right");
            assert_eq!(name.to_string(), text);
        }
        let name: PromptName = "Sales & more~DE~thanks".parse().expect("right");
        assert_eq!((name.queue().map(|queue| &*queue.0), name.language()), (Some("Sales & more"), "de"));
        for bad in [
            "",
            "welcome",
            "en~welcom",
            "~en~welcome",
            "a~b~en~welcome",
            "zxx~welcome",
            "en/..~welcome",
            "x~~welcome",
            "a\u{7}b~en~welcome",
        ] {
            assert!(bad.parse::<PromptName>().is_err(), "{bad:?}");
        }
    }
}
