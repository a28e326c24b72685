//! Every action the code writes to the log, with its class and what its row tells. A test looks through the sources: what
//! is written and not listed here fails it.

use crate::settings::Kind;

use super::event::Class;

/// What a row of an action tells beside who, when and of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// That it happened; nothing changed that has a value.
    Nothing,
    /// That it happened, and how, where there is something to say.
    Perhaps,
    /// A new value: of what just came to be, or of an event.
    New,
    /// An attribute's value before and after. There is none before where it had none yet, and none after where it was
    /// removed.
    Change,
}

/// An action: its word, the classes its rows may have, what they tell.
pub type Action = (&'static str, &'static [Class], Tells);

const ASKED: &[Class] = &[Class::Modify, Class::Read];
const CONFIG: &[Class] = &[Class::Config];
const CONFIG_OR_RIGHTS: &[Class] = &[Class::Config, Class::Rights];
const ENDED: &[Class] = &[Class::Modify, Class::Read, Class::Failure];
const FAILURE: &[Class] = &[Class::Failure];
const MODIFY: &[Class] = &[Class::Modify];
const PRESENCE: &[Class] = &[Class::Presence];
const READ: &[Class] = &[Class::Read];
const RIGHTS: &[Class] = &[Class::Rights];
const SYSTEM: &[Class] = &[Class::System];
const SYSTEM_OR_FAILURE: &[Class] = &[Class::System, Class::Failure];

/// Every action, in order. Changes of settings are not among them: for each kind of object there are `KIND.added`,
/// `KIND.changed` and `KIND.removed`, a row for each attribute with its value before and after.
pub const ACTIONS: &[Action] = &[
    ("agent.dialled", SYSTEM, Tells::New),
    ("agent.lost", FAILURE, Tells::New),
    ("agent.reattached", SYSTEM, Tells::Change),
    ("agent.state", PRESENCE, Tells::Change),
    ("alarm.cleared", SYSTEM, Tells::Nothing),
    ("alarm.raised", FAILURE, Tells::New),
    ("audit.anchor-failed", FAILURE, Tells::New),
    ("audit.anchored", SYSTEM, Tells::New),
    ("audit.broken", FAILURE, Tells::New),
    ("audit.exported", READ, Tells::Perhaps),
    ("audit.read", READ, Tells::Nothing),
    ("audit.verified", READ, Tells::New),
    ("call.anonymised", MODIFY, Tells::New),
    ("call.arrived", SYSTEM, Tells::New),
    ("call.conference", SYSTEM, Tells::New),
    ("call.connected", SYSTEM, Tells::Nothing),
    ("call.consultation-ended", SYSTEM, Tells::Nothing),
    ("call.consulted", SYSTEM, Tells::New),
    ("call.data-set", MODIFY, Tells::Change),
    ("call.ended", SYSTEM, Tells::New),
    ("call.held", MODIFY, Tells::Change),
    ("call.limited", FAILURE, Tells::Nothing),
    ("call.listened", READ, Tells::New),
    ("call.noted", MODIFY, Tells::New),
    ("call.queued", SYSTEM, Tells::Change),
    ("call.released", MODIFY, Tells::Change),
    ("call.removed", MODIFY, Tells::New),
    ("call.restricted", MODIFY, Tells::Change),
    ("call.returned", SYSTEM, Tells::New),
    ("call.supervised", READ, Tells::Change),
    ("call.supervision-ended", READ, Tells::New),
    ("call.three-way", SYSTEM, Tells::Nothing),
    ("call.transferred", SYSTEM, Tells::New),
    ("call.unrestricted", MODIFY, Tells::Change),
    ("consent.given", MODIFY, Tells::New),
    ("consent.overridden", MODIFY, Tells::New),
    ("consent.override-refused", FAILURE, Tells::Nothing),
    ("consent.refused", MODIFY, Tells::New),
    ("consent.revoked", MODIFY, Tells::Perhaps),
    ("consent.withdrawn", MODIFY, Tells::Change),
    ("consents.erased", MODIFY, Tells::New),
    ("consents.exported", READ, Tells::New),
    ("consents.reset", MODIFY, Tells::New),
    ("directory-entry.added", MODIFY, Tells::New),
    ("directory-entry.changed", MODIFY, Tells::Change),
    ("directory-entry.removed", MODIFY, Tells::Perhaps),
    ("directory.imported", MODIFY, Tells::New),
    ("finding.resolved", MODIFY, Tells::Change),
    ("hold.created", MODIFY, Tells::New),
    ("hold.ended", MODIFY, Tells::New),
    ("hold.released", MODIFY, Tells::New),
    ("job.hurried", MODIFY, Tells::New),
    ("kek.made", CONFIG, Tells::Change),
    ("kek.removed", CONFIG, Tells::Perhaps),
    ("kek.resealed", CONFIG, Tells::Perhaps),
    ("kek.retired", CONFIG, Tells::Change),
    ("leg.admitted", SYSTEM, Tells::Perhaps),
    ("leg.ended", SYSTEM, Tells::New),
    ("leg.unsealed", FAILURE, Tells::New),
    ("list.taken", READ, Tells::Perhaps),
    ("login.failed", FAILURE, Tells::New),
    ("orphan.remove", MODIFY, Tells::New),
    ("outside.dialled", SYSTEM, Tells::New),
    ("person.erased", MODIFY, Tells::Change),
    ("phone.lent", RIGHTS, Tells::Nothing),
    ("privacy-task.approved", RIGHTS, Tells::Perhaps),
    ("privacy-task.archived", READ, Tells::New),
    ("privacy-task.asked", ASKED, Tells::New),
    ("privacy-task.call-refused", FAILURE, Tells::New),
    ("privacy-task.downloaded", READ, Tells::Perhaps),
    ("privacy-task.ended", ENDED, Tells::New),
    ("privacy-task.file-removed", MODIFY, Tells::New),
    ("privacy-task.refused", RIGHTS, Tells::New),
    ("privacy.searched", READ, Tells::New),
    ("prompt.imported", CONFIG, Tells::Change),
    ("prompt.noted", CONFIG, Tells::Change),
    ("prompt.removed", CONFIG, Tells::Change),
    ("prompt.restored", CONFIG, Tells::Change),
    ("queue.held", MODIFY, Tells::New),
    ("queue.released", MODIFY, Tells::Perhaps),
    ("reconciliation.ended", SYSTEM_OR_FAILURE, Tells::New),
    ("reconciliation.failed", SYSTEM_OR_FAILURE, Tells::New),
    ("recording.armed", MODIFY, Tells::New),
    ("recording.copies-found", MODIFY, Tells::New),
    ("recording.decided", MODIFY, Tells::Change),
    ("recording.destroyed", MODIFY, Tells::New),
    ("recording.discarded", MODIFY, Tells::New),
    ("recording.encoded", MODIFY, Tells::New),
    ("recording.exported", READ, Tells::New),
    ("recording.failed", FAILURE, Tells::New),
    ("recording.finished", MODIFY, Tells::New),
    ("recording.held", MODIFY, Tells::Change),
    ("recording.impossible", FAILURE, Tells::New),
    ("recording.listened", READ, Tells::Perhaps),
    ("recording.noise-removed", MODIFY, Tells::New),
    ("recording.paused", MODIFY, Tells::Change),
    ("recording.released", MODIFY, Tells::Change),
    ("recording.removed", MODIFY, Tells::New),
    ("recording.resumed", MODIFY, Tells::Change),
    ("recording.said-gone", MODIFY, Tells::Change),
    ("recording.salvaged", MODIFY, Tells::New),
    ("recording.started", MODIFY, Tells::Change),
    ("recording.stored", MODIFY, Tells::New),
    ("recording.stray", FAILURE, Tells::Nothing),
    ("request.spoofed", FAILURE, Tells::New),
    ("server.started", SYSTEM, Tells::New),
    ("server.stopped", SYSTEM, Tells::New),
    ("spool.adopted", MODIFY, Tells::Perhaps),
    ("stranger.refused", FAILURE, Tells::New),
    ("token.made", RIGHTS, Tells::New),
    ("token.revoked", RIGHTS, Tells::Change),
    ("trunk.registered", SYSTEM, Tells::New),
    ("trunk.tested", SYSTEM, Tells::New),
    ("trunk.unregistered", FAILURE, Tells::New),
    ("user.locked", FAILURE, Tells::Perhaps),
    ("user.logged-in", RIGHTS, Tells::Nothing),
    ("user.logged-out", RIGHTS, Tells::Nothing),
    ("user.login-failed", FAILURE, Tells::New),
    ("user.provider-bound", RIGHTS, Tells::New),
    ("user.recovery-code-used", RIGHTS, Tells::Perhaps),
    ("user.role-kept", FAILURE, Tells::Change),
    ("user.second-factor-added", RIGHTS, Tells::Change),
    ("user.second-factor-removed", RIGHTS, Tells::Change),
    ("user.session-ended", RIGHTS, Tells::Nothing),
    ("user.sessions-ended", RIGHTS, Tells::Change),
    ("user.unlocked", RIGHTS, Tells::Change),
    ("webhook.retried", MODIFY, Tells::Change),
    ("webhook.tested", SYSTEM, Tells::New),
];

/// What is known of an action; `None`: it is not listed.
#[must_use]
pub fn action(word: &str) -> Option<Action> {
    of_settings(word).or_else(|| ACTIONS.iter().find(|(known, ..)| *known == word).copied())
}

/// A change of settings: `queue.changed`, …
fn of_settings(word: &str) -> Option<Action> {
    let (kind, done) = word.split_once('.')?;
    let kind = Kind::from_word(kind)?;
    ["added", "changed", "removed"].contains(&done).then_some((kind.word(), CONFIG_OR_RIGHTS, Tells::Change))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Literals of that form in files that audit, which are something else: columns, keys, what webhooks are told.
    const OTHERS: [&str; 6] =
        ["audit.alarm", "audit.anchor", "digest.password", "recording.overridden", "keys.txt", "sayso.toml"];

    #[test]
    fn the_list_is_in_order_and_each_is_there_once() {
        let words: Vec<&str> = ACTIONS.iter().map(|(word, ..)| *word).collect();
        assert!(words.is_sorted_by(|a, b| a < b), "sort it");
        assert_eq!(
            action("queue.changed").map(|(_, classes, tells)| (classes, tells)),
            Some((CONFIG_OR_RIGHTS, Tells::Change))
        );
        assert_eq!(action("queue.painted"), None);
    }

    #[test]
    fn every_action_in_the_sources_is_listed_and_every_listed_one_is_written() {
        let mut found = BTreeSet::new();
        look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        let listed: BTreeSet<String> = ACTIONS.iter().map(|(word, ..)| (*word).to_owned()).collect();
        let known = |word: &&String| action(word).is_none() && !OTHERS.contains(&word.as_str());
        let new: Vec<&String> = found.iter().filter(known).collect();
        assert!(
            new.is_empty(),
            "name these in ACTIONS with their class and what they tell (or in OTHERS, if they are no actions): {new:?}"
        );
        let gone: Vec<&String> = listed.difference(&found).collect();
        assert!(gone.is_empty(), "nothing writes these any more: {gone:?}");
    }

    fn look(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                look(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "rs")
                && !path.to_string_lossy().contains("test")
                && !path.ends_with("audit/actions.rs")
            {
                let text = fs::read_to_string(&path).expect("a source");
                let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
                if ["AuditEvent", "tell_of_task", "trail::"].iter().any(|word| code.contains(word)) {
                    found.extend(code.lines().flat_map(literals));
                }
            }
        }
    }

    /// Texts like `object.participle` in a line of code.
    fn literals(line: &str) -> Vec<String> {
        let line = line.trim_start();
        if line.starts_with("//") {
            return Vec::new();
        }
        let plain = |part: &str| {
            part.len() > 1
                && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
                && !part.starts_with('-')
        };
        let fits = |text: &&str| text.split_once('.').is_some_and(|(a, b)| plain(a) && plain(b));
        line.split('"').skip(1).step_by(2).filter(fits).map(str::to_owned).collect()
    }
}
