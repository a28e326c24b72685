//! Rules as somebody thinks of them, to be simulated before they are saved (domain rule 13).

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::QueueId;
use crate::settings::Keep;

/// Changes that somebody thinks of, to be simulated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposed {
    /// The system's retention of call data.
    pub calls: Option<Keep>,
    /// The system's automatic file removal.
    pub recordings: Option<Keep>,
    /// The system's retention of reporting data.
    pub reporting: Option<Keep>,
    /// Of queues; such that are not in the settings, too.
    pub queues: BTreeMap<QueueId, ProposedQueue>,
    /// Queues that go: what they leave is kept by the rules of the system.
    pub removed: BTreeSet<QueueId>,
}

/// See [`Proposed::queues`]. The outer `None`: it stays as it is; the inner one: as the system says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProposedQueue {
    /// Retention of call data.
    pub retention: Option<Option<Keep>>,
    /// Automatic file removal.
    pub file_removal: Option<Option<Keep>>,
}

/// A text that says no change of a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadChange {
    /// It has no `=`.
    #[error("{0:?}: KEY=VALUE is expected, such as queue.support.retention=90d")]
    NoValue(String),
    /// Its key is none.
    #[error(
        "{0:?} is no rule: system.retention-calls, system.retention-recordings, system.retention-reporting, \
         queue.NAME.retention, queue.NAME.file-removal or queue.NAME=removed is expected"
    )]
    Key(String),
    /// Its value is none.
    #[error("{key}={value:?}: a duration such as 90d, \"forever\" or, of a queue, \"system\" is expected")]
    Value {
        /// The key.
        key: String,
        /// What stands behind it.
        value: String,
    },
}

impl Proposed {
    /// Adds a change by its text: `system.retention-calls=365d`, `queue.support.file-removal=forever`,
    /// `queue.support.retention=system`, `queue.support=removed`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn set(&mut self, text: &str) -> Result<(), BadChange> {
        let (key, value) = text.split_once('=').ok_or_else(|| BadChange::NoValue(text.to_owned()))?;
        let bad_value = || BadChange::Value { key: key.to_owned(), value: value.to_owned() };
        let keep = || Keep::parse(value).map_err(|_| bad_value());
        if let Some(rest) = key.strip_prefix("queue.") {
            if value == "removed" {
                self.removed.insert(rest.into());
                return Ok(());
            }
            let (name, rule) = rest.rsplit_once('.').ok_or_else(|| BadChange::Key(key.to_owned()))?;
            let own = if value == "system" { None } else { Some(keep()?) };
            let queue = self.queues.entry(name.into()).or_default();
            match rule {
                "retention" => queue.retention = Some(own),
                "file-removal" => queue.file_removal = Some(own),
                _ => return Err(BadChange::Key(key.to_owned())),
            }
            return Ok(());
        }
        match key {
            "system.retention-calls" => self.calls = Some(keep()?),
            "system.retention-recordings" => self.recordings = Some(keep()?),
            "system.retention-reporting" => self.reporting = Some(keep()?),
            _ => return Err(BadChange::Key(key.to_owned())),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_from_texts() {
        let mut proposed = Proposed::default();
        for text in [
            "system.retention-calls=365d",
            "queue.front.desk.retention=forever",
            "queue.front.desk.file-removal=system",
            "queue.back.office=removed",
        ] {
            proposed.set(text).unwrap();
        }
        let queue = ProposedQueue { retention: Some(Some(Keep::Forever)), file_removal: Some(None) };
        assert_eq!(proposed.queues, [(QueueId::from("front.desk"), queue)].into());
        assert_eq!(proposed.removed, [QueueId::from("back.office")].into());
        assert_eq!(proposed.calls, Some(Keep::parse("365d").unwrap()));
        for (bad, told) in [
            ("queue.x.retention", "KEY=VALUE"),
            ("queue.retention=90d", "is no rule"),
            ("queue.x.colour=90d", "is no rule"),
            ("system.retention=90d", "is no rule"),
            ("system.retention-calls=system", "is expected"),
            ("queue.x.retention=90", "is expected"),
        ] {
            let error = proposed.set(bad).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
