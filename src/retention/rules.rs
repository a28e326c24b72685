//! The rules of each queue: what the system says, what the queue overrides, and which of two deadlines is the earlier.

use std::collections::BTreeMap;

use crate::ids::QueueId;
use crate::settings::{Keep, Retention, Settings};
use crate::time::Timestamp;

use super::moment;
use super::proposed::{Proposed, ProposedQueue};

/// Who says how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The system's default.
    System,
    /// The queue; its word wins (domain rules 10, 11).
    Queue,
}

impl Said {
    /// In words.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Queue => "queue",
        }
    }
}

/// How long, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// How long after the call's end.
    pub keep: Keep,
    /// Who says so.
    pub said: Said,
}

impl Rule {
    /// When it ends what began then; `None`: never.
    #[must_use]
    pub fn ends(&self, ended_at: Timestamp) -> Option<Timestamp> {
        match self.keep {
            Keep::For(span) => Some(ended_at + span),
            Keep::Forever => None,
        }
    }
}

/// Which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Retention of call data (domain rule 10).
    CallData,
    /// Automatic file removal (domain rule 11).
    FileRemoval,
    /// Reporting data, which is anonymous (domain rule 16). Removes no recording.
    Reporting,
}

impl Which {
    /// In words.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::CallData => "call data",
            Self::FileRemoval => "automatic file removal",
            Self::Reporting => "reporting data",
        }
    }
}

/// Both rules of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueRules {
    /// Call data: recordings go and the call is anonymised.
    pub calls: Rule,
    /// Automatic file removal: recordings go.
    pub files: Rule,
}

/// A moment at which something is due, and by which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: Timestamp,
    /// By which.
    pub which: Which,
    /// The rule.
    pub rule: Rule,
}

impl QueueRules {
    /// The rule that removes recordings: the earlier of both (domain rule 12).
    #[must_use]
    pub fn of_recordings(&self) -> (Which, Rule) {
        if self.files.keep < self.calls.keep {
            (Which::FileRemoval, self.files)
        } else {
            (Which::CallData, self.calls)
        }
    }

    /// Whether they remove recordings or anonymise calls sooner than `other`.
    #[must_use]
    pub fn are_shorter_than(&self, other: &Self) -> bool {
        self.of_recordings().1.keep < other.of_recordings().1.keep || self.calls.keep < other.calls.keep
    }

    /// When the recordings of a call that ended then are removed; `None`: never.
    #[must_use]
    pub fn removes_at(&self, ended_at: Timestamp) -> Option<Due> {
        let (which, rule) = self.of_recordings();
        rule.ends(ended_at).map(|at| Due { at, which, rule })
    }

    /// When a call that ended then is anonymised; `None`: never.
    #[must_use]
    pub fn anonymises_at(&self, ended_at: Timestamp) -> Option<Due> {
        self.calls.ends(ended_at).map(|at| Due { at, which: Which::CallData, rule: self.calls })
    }

    /// What the rules do, for a person: `queue` is whose they are, `None` those of the system.
    #[must_use]
    pub fn sentence(&self, queue: Option<&QueueId>) -> String {
        let whose = match queue {
            Some(queue) => format!("Recordings of {queue}"),
            None => "Recordings of queues that say nothing else".to_owned(),
        };
        let says = |rule: Rule| match rule.said {
            Said::System => "as the system says",
            Said::Queue => "as the queue says",
        };
        let (which, rule) = self.of_recordings();
        let other = match which {
            Which::FileRemoval => (Which::CallData, self.calls),
            Which::CallData | Which::Reporting => (Which::FileRemoval, self.files),
        };
        let recordings = match rule.keep {
            Keep::Forever => format!("{whose} are removed by no rule"),
            Keep::For(_) => format!(
                "{whose} are removed {} after the end of the call: {} ({}) comes before {} ({})",
                rule.keep,
                which.word(),
                says(rule),
                other.0.word(),
                other.1.keep,
            ),
        };
        let calls = match self.calls.keep {
            Keep::Forever => format!("call data is kept for good, {}", says(self.calls)),
            Keep::For(_) => {
                format!("calls are anonymised {} after their end, {}", self.calls.keep, says(self.calls))
            }
        };
        format!("{recordings}; {calls}.")
    }
}

/// All rules, of the settings as they are, or as somebody proposes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    system: Retention,
    queues: BTreeMap<QueueId, (Option<Keep>, Option<Keep>)>,
}

impl Rules {
    /// Those of the settings.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let system = settings.system.as_ref().map(|system| system.retention).unwrap_or_default();
        let of_queue = |(name, queue): (&QueueId, &std::sync::Arc<crate::settings::Queue>)| {
            (name.clone(), (queue.retention, queue.file_removal))
        };
        Self { system, queues: settings.queues.iter().map(of_queue).collect() }
    }

    /// The same with changes.
    #[must_use]
    pub fn with(&self, proposed: &Proposed) -> Self {
        let mut new = self.clone();
        let Proposed { calls, recordings, reporting, queues, removed } = proposed;
        new.system.calls = calls.unwrap_or(new.system.calls);
        new.system.recordings = recordings.unwrap_or(new.system.recordings);
        new.system.reporting = reporting.unwrap_or(new.system.reporting);
        for (queue, ProposedQueue { retention, file_removal }) in queues {
            let kept = new.queues.entry(queue.clone()).or_default();
            kept.0 = retention.unwrap_or(kept.0);
            kept.1 = file_removal.unwrap_or(kept.1);
        }
        new.queues.retain(|queue, _| !removed.contains(queue));
        new
    }

    /// Those of a queue; of one that is not in the settings any more, the system's.
    #[must_use]
    pub fn of_queue(&self, queue: &QueueId) -> QueueRules {
        let (calls, files) = self.queues.get(queue).copied().unwrap_or_default();
        let rule = |own: Option<Keep>, system| match own {
            Some(keep) => Rule { keep, said: Said::Queue },
            None => Rule { keep: system, said: Said::System },
        };
        QueueRules { calls: rule(calls, self.system.calls), files: rule(files, self.system.recordings) }
    }

    /// Those of queues that say nothing.
    #[must_use]
    pub fn of_system(&self) -> QueueRules {
        let rule = |keep| Rule { keep, said: Said::System };
        QueueRules { calls: rule(self.system.calls), files: rule(self.system.recordings) }
    }

    /// How long anonymous reporting data is kept (domain rule 16).
    #[must_use]
    pub const fn reporting(&self) -> Keep {
        self.system.reporting
    }

    /// Whether any of them ever removes something.
    #[must_use]
    pub fn remove_something(&self) -> bool {
        let Retention { calls, recordings, reporting } = self.system;
        let of_queues = self.queues.values().flat_map(|(calls, files)| [*calls, *files]).flatten();
        [calls, recordings, reporting].into_iter().chain(of_queues).any(|keep| keep != Keep::Forever)
    }

    /// The queues that the settings name.
    pub fn queues(&self) -> impl Iterator<Item = &QueueId> {
        self.queues.keys()
    }
}

/// Why something is done: what the row, the audit log and the certificate say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Because {
    /// Whose rules.
    pub queue: QueueId,
    /// When the call ended.
    pub ended_at: Timestamp,
    /// What was due, and when.
    pub due: Due,
}

impl Because {
    /// The rule in a few words, never personal: `retention: call data 90d (queue support)`.
    #[must_use]
    pub fn rule(&self) -> String {
        let Due { which, rule, .. } = self.due;
        let said = match rule.said {
            Said::System => "system".to_owned(),
            Said::Queue => format!("queue {}", self.queue),
        };
        format!("retention: {} {} ({said})", which.word(), rule.keep)
    }

    /// The same as a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Due { at, which, rule } = self.due;
        format!(
            "the call ended {}, and {} is kept {} by the rules of {}: due {}",
            moment(self.ended_at),
            which.word(),
            rule.keep,
            match rule.said {
                Said::System => "the system".to_owned(),
                Said::Queue => format!("queue {}", self.queue),
            },
            moment(at),
        )
    }
}
