//! Whether callers are asked fairly, and on which basis they are not asked.

use std::time::Duration;

use crate::consent::{AskRule, LegalBasis, Policy, Script};
use crate::settings::OnRecordingFailure;
use crate::settings::sentence::long;

use super::{Found, Subject};

/// Less is hard to do for people who have to look at their telephone first, or cannot see it.
const QUICK: Duration = Duration::from_secs(4);
/// Less is hard to do for anybody.
const TOO_QUICK: Duration = Duration::from_secs(2);
/// Nobody remembers an older yes.
const STALE: Duration = Duration::from_secs(2 * 365 * 86_400);

pub(super) fn look(subject: &Subject<'_>, found: &mut Found) {
    let queue = subject.queue;
    match &queue.recording {
        Policy::Never => never(subject, found),
        Policy::Always(basis) => always(subject, basis, found),
        Policy::Consent(script) => consent(subject, script, found),
    }
    if queue.pause_limit.is_none() && queue.recording != Policy::Never {
        let what = "A pause never ends by itself: who forgets to go on leaves the rest of the call out.";
        found.note("endless-pause", "pause-limit", what);
    }
}

fn never(subject: &Subject<'_>, found: &mut Found) {
    if subject.queue.override_allowed {
        let what = "Nobody is asked here, and agents may record all the same: allow it only where emergencies are \
                    taken.";
        found.warn("override-without-need", "override-allowed", what);
    }
}

fn always(subject: &Subject<'_>, basis: &LegalBasis, found: &mut Found) {
    let (LegalBasis::Obligation(name) | LegalBasis::Contract(name)) = basis;
    if let Some(why) = implausible(name) {
        let what = format!(
            "{name:?} {why}: callers are recorded without being asked, so name the law or the contract that asks for \
             it, or let them be asked."
        );
        found.stop("no-basis", "legal-basis", what);
    }
    if subject.queue.override_allowed {
        found.note(
            "override-without-need",
            "override-allowed",
            "All calls are recorded: there is nothing to override.",
        );
    }
}

/// Why a text is no legal basis, if it is none.
fn implausible(name: &str) -> Option<&'static str> {
    let name = name.trim().to_lowercase();
    let words: Vec<&str> =
        name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let nothing = ["test", "todo", "tbd", "xxx", "none", "yes", "no", "foo", "example", "n", "a", "asdf"];
    let agreed = ["consent", "einwilligung", "zustimmung", "consentement", "consentimiento", "suostumus"];
    let wishes = [
        "quality",
        "training",
        "marketing",
        "qualität",
        "schulung",
        "qualité",
        "formation",
        "calidad",
        "formación",
        "laatu",
        "koulutus",
        "coaching",
        "statistics",
    ];
    if name.chars().filter(|c| c.is_alphabetic()).count() < 3
        || words.iter().all(|word| nothing.contains(word))
    {
        Some("names nothing")
    } else if words.iter().any(|word| agreed.contains(word)) {
        Some("is consent, for which callers have to be asked")
    } else if words.iter().all(|word| wishes.contains(word) || ["and", "und", "et", "y", "ja"].contains(word))
    {
        Some("is a wish and neither an obligation nor part of a contract")
    } else {
        None
    }
}

fn consent(subject: &Subject<'_>, script: &Script, found: &mut Found) {
    let queue = subject.queue;
    if script.yes == script.no {
        found.stop("same-key", "consent.no", "Yes and no are the same key: there is no way to refuse.");
    }
    let timeout = long(script.timeout);
    if script.timeout < TOO_QUICK {
        let what = format!("{timeout} are too short to find a key: 5s or more.");
        found.stop("short-timeout", "consent.timeout", what);
    } else if script.timeout < QUICK {
        let what =
            format!("{timeout} are short for who has to take the telephone from the ear first: 5s or more.");
        found.warn("short-timeout", "consent.timeout", what);
    }
    if script.attempts < 2 {
        let what = "Who mistypes is not asked again. That is a no, and not what the caller meant.";
        found.note("one-attempt", "consent.attempts", what);
    }
    match script.ask {
        AskRule::EveryCall => {}
        AskRule::WhenUnknown => {
            let what = "A yes holds for ever and is used for calls that the caller did not think of: let it grow old, \
                        \"older-than 365d\".";
            found.warn("old-answers", "consent.ask", what);
        }
        AskRule::OlderThan(age) if age > STALE => {
            let what = format!("A yes of {} ago is remembered by nobody but us.", long(age));
            found.warn("old-answers", "consent.ask", what);
        }
        AskRule::OlderThan(_) => {}
    }
    if queue.override_allowed {
        let what = "Agents with the right may record who has refused. Allow it only where there is a need, and see to \
                    it that callers are told.";
        found.warn("override-without-need", "override-allowed", what);
    }
    if !queue.destroy_on_withdrawal {
        let what = "Who takes the yes back in the call is recorded no longer, but what exists is kept.";
        found.warn("kept-after-withdrawal", "destroy-on-withdrawal", what);
    }
    if queue.on_recording_failure == OnRecordingFailure::DropCall {
        let what = "A call whose recording fails is ended: who has agreed loses the call, who has refused does not. \
                    With consent, \"continue\" is right.";
        found.stop("answer-costs-the-call", "on-recording-failure", what);
    }
    asks_again(subject, script, found);
}

/// What those agreed to whose earlier answers are used is not what would be done now.
fn asks_again(subject: &Subject<'_>, script: &Script, found: &mut Found) {
    if script.ask == AskRule::EveryCall {
        return;
    }
    for wording in subject.wording.iter().filter(|wording| wording.question.changed) {
        let what = "The question was worded differently before, and answers to that wording are used: reset the \
                    consents, so that callers are asked again.";
        found.warn("changed-wording", format!("prompt {}~consent-question", wording.language.0), what);
    }
    let Some(before) = subject.before else { return };
    let system = subject.system();
    let ((_, was), (_, is)) =
        (super::super::kept(before, &system), super::super::kept(subject.queue, &system));
    if matches!(before.recording, Policy::Consent(_)) && is > was {
        let what = "Recordings would be kept longer than those were told who agreed before: reset the consents, so \
                    that callers are asked again.";
        found.warn("changed-wording", "consent.ask", what);
    }
}
