//! The consent-flow linter: what should not go live, and what deserves a thought. Pure: prompt texts are handed in.
//!
//! The flow itself cannot be set wrong: nothing is captured before the decision, and a refusal costs no place (domain
//! rules 2 and 5). What can be wrong is what callers are told, on which basis, and for how long.

mod asking;
mod keeping;
#[cfg(test)]
mod tests;
mod wording;

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;

use crate::consent::Policy;
use crate::ids::QueueId;

use super::{Language, Overflow, Queue, Settings, System};

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// It should not go live.
    Stop,
    /// It deserves a thought.
    Warn,
    /// Worth knowing.
    Note,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// A stable word.
    pub rule: &'static str,
    /// The key of the queue's document, or `prompt LANGUAGE~NAME`.
    #[serde(rename = "where")]
    pub place: String,
    /// What is wrong and what would be right, in a sentence.
    pub what: String,
}

/// A prompt as callers hear it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    /// What it says; `None`: nobody has noted it.
    pub text: Option<String>,
    /// There is none in this language: the English one is played.
    pub missing: bool,
    /// SHA-256 (hex) of what is played.
    pub version: String,
    /// Callers have answered another version of it.
    pub changed: bool,
}

/// What callers hear in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// Which.
    pub language: Language,
    /// The greeting.
    pub welcome: Spoken,
    /// The consent question.
    pub question: Spoken,
    /// What is said after a no.
    pub refused: Spoken,
}

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The queue's name.
    pub name: &'a QueueId,
    /// As it would be.
    pub queue: &'a Queue,
    /// As it is stored, if it is.
    pub before: Option<&'a Queue>,
    /// What is around it.
    pub settings: &'a Settings,
    /// What callers hear in each of [`languages`](Self::languages).
    pub wording: &'a [Wording],
}

impl Subject<'_> {
    /// The languages in which the queue's callers are spoken to: its own, and those of the numbers that lead to it.
    #[must_use]
    pub fn languages(name: &QueueId, queue: &Queue, settings: &Settings) -> Vec<Language> {
        let numbers = settings.numbers.values().filter(|number| number.queue == *name);
        let set: BTreeSet<Language> =
            numbers.map(|number| number.language.as_ref().unwrap_or(&queue.language)).cloned().collect();
        let mut list = vec![queue.language.clone()];
        list.extend(set.into_iter().filter(|language| *language != queue.language));
        list
    }

    fn system(&self) -> System {
        self.settings.system.as_deref().cloned().unwrap_or_default()
    }
}

/// Looks at a queue's policy and what its callers are told; the worst first.
#[must_use]
pub fn lint(subject: &Subject<'_>) -> Vec<Finding> {
    let mut found = Found::default();
    asking::look(subject, &mut found);
    keeping::look(subject, &mut found);
    for wording in subject.wording {
        wording::look(subject, wording, &mut found);
    }
    ways(subject, &mut found);
    agents(subject, &mut found);
    found.0.sort_by_key(|finding| finding.level);
    found.0
}

/// Findings so far.
#[derive(Default)]
struct Found(Vec<Finding>);

impl Found {
    fn add(&mut self, level: Level, rule: &'static str, place: impl Into<String>, what: impl Into<String>) {
        self.0.push(Finding { level, rule, place: place.into(), what: what.into() });
    }

    fn stop(&mut self, rule: &'static str, place: impl Into<String>, what: impl Into<String>) {
        self.add(Level::Stop, rule, place, what);
    }

    fn warn(&mut self, rule: &'static str, place: impl Into<String>, what: impl Into<String>) {
        self.add(Level::Warn, rule, place, what);
    }

    fn note(&mut self, rule: &'static str, place: impl Into<String>, what: impl Into<String>) {
        self.add(Level::Note, rule, place, what);
    }
}

/// Where callers go who are not served here.
fn ways(subject: &Subject<'_>, found: &mut Found) {
    let queue = subject.queue;
    for (key, onward) in [("overflow", &queue.overflow), ("when-closed", &queue.when_closed)] {
        let next = match onward {
            Overflow::Hangup => continue,
            Overflow::Queue(next) => next,
        };
        let Some(other) = subject.settings.queues.get(next) else { continue };
        if word(&other.recording) != word(&queue.recording) {
            let what = format!(
                "{next} records by another policy ({}), but callers who come from here are recorded as this queue says \
                 ({}): agents of {next} should know",
                word(&other.recording),
                word(&queue.recording)
            );
            found.note("other-policy", key, what);
        }
    }
    if queue.hours.as_ref().is_some_and(super::Hours::is_never) {
        found.warn("never-open", "hours", "There are no hours on any day: nobody is ever let in.");
    }
    if queue.when_closed != Overflow::Hangup && queue.hours.is_none() && queue.closed.is_empty() {
        found.note("never-closed", "when-closed", "The queue is always open: this never happens.");
    }
}

fn word(policy: &Policy) -> &'static str {
    match policy {
        Policy::Never => "never",
        Policy::Always(_) => "always",
        Policy::Consent(_) => "consent",
    }
}

/// Who gets its calls.
fn agents(subject: &Subject<'_>, found: &mut Found) {
    let skills = &subject.queue.skills;
    let serving = || subject.settings.agents.values().filter(|agent| agent.queues.contains(subject.name));
    if serving().next().is_none() {
        found.warn("no-agents", "skills", "No agent serves this queue: callers wait in vain.");
    } else if !serving().any(|agent| skills.iter().all(|skill| agent.skills.contains(skill))) {
        let what =
            format!("No agent who serves this queue has all of {}: callers wait in vain.", skills.join(", "));
        found.stop("no-agents", "skills", what);
    }
}
