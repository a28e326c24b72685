//! Why a recording is still here, or why it is gone (domain rule 13): in a sentence, with the rule, the clock and the
//! holds.

use crate::ids::RecordingId;
use crate::settings::Keep;
use crate::time::Timestamp;

use super::hold::{EndedCall, Hold, Holds};
use super::moment;
use super::rules::{Rules, Said};

/// What is known of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its call goes on.
    Running,
    /// Its call ended, and its key is there.
    Here(EndedCall),
    /// Nothing was captured: there is no recording.
    Discarded,
    /// Its key is destroyed.
    Gone {
        /// When.
        at: Timestamp,
        /// By which rule: `withdrawn`, `operator`, `retention: …`.
        rule: String,
        /// By whom: `system`, `user ada`.
        by: String,
        /// When the last copy was seen to be gone; `None`: not yet.
        removed_at: Option<Timestamp>,
    },
}

/// Why it is here, or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whys<'a> {
    /// All of it in a sentence.
    pub sentence: String,
    /// The rule that decides, in a few words.
    pub rule: String,
    /// What runs; `None`: no rule removes it, or it is gone.
    pub clock: Option<RunningClock>,
    /// What holds it back.
    pub holds: Vec<&'a Hold>,
}

/// The clock of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningClock {
    /// It began at the call's end.
    pub from: Timestamp,
    /// So long it runs.
    pub keep: Keep,
    /// Then it is over.
    pub at: Timestamp,
}

/// Says why recording `id` is here or gone.
#[must_use]
pub fn why<'a>(rules: &Rules, holds: &'a Holds, now: Timestamp, id: RecordingId, fate: &'a Fate) -> Whys<'a> {
    let plain = |sentence: &str, rule: &str| Whys {
        sentence: sentence.to_owned(),
        rule: rule.to_owned(),
        clock: None,
        holds: Vec::new(),
    };
    match fate {
        Fate::Running => plain("Its call goes on: the clock begins with the call's end.", "none yet"),
        Fate::Discarded => plain("Nothing was captured, so there is nothing to keep.", "none"),
        Fate::Gone { at, rule, by, removed_at } => {
            let copies = match removed_at {
                Some(removed) => format!("every copy was seen to be gone {}", moment(*removed)),
                None => "its copies, which nobody can read any more, are being removed".to_owned(),
            };
            let sentence = format!("It is gone: {by} destroyed its key {} ({rule}); {copies}.", moment(*at));
            plain(&sentence, rule)
        }
        Fate::Here(call) => here(rules, holds, now, id, call),
    }
}

fn here<'a>(
    rules: &Rules,
    holds: &'a Holds,
    now: Timestamp,
    id: RecordingId,
    call: &'a EndedCall,
) -> Whys<'a> {
    let of_queue = rules.of_queue(&call.queue);
    let (which, rule) = of_queue.of_recordings();
    let said = match rule.said {
        Said::System => "system".to_owned(),
        Said::Queue => format!("queue {}", call.queue),
    };
    let named = format!("{} {} ({said})", which.word(), rule.keep);
    let clock = of_queue.removes_at(call.ended_at).map(|due| RunningClock {
        from: call.ended_at,
        keep: rule.keep,
        at: due.at,
    });
    let holds: Vec<&Hold> = holds.of_recording(id, call).collect();
    let ended = moment(call.ended_at);
    let sentence = match (clock, holds.as_slice()) {
        (None, []) => format!("It is kept for good: the call ended {ended}, and no rule removes it."),
        (None, _) => format!("It is kept for good, as no rule removes it; {} besides.", held(&holds)),
        (Some(clock), []) if clock.at > now => format!(
            "It is here until {}: the call ended {ended}, and {named} is the earlier of both rules.",
            moment(clock.at)
        ),
        (Some(clock), []) => format!(
            "Its time was over {} ({named}, the call ended {ended}): it goes with the next sweep.",
            moment(clock.at)
        ),
        (Some(clock), _) => {
            let goes = if clock.at > now { "would go" } else { "would have gone" };
            format!("{}; without that it {goes} {} ({named}).", capital(&held(&holds)), moment(clock.at))
        }
    };
    Whys { sentence, rule: named, clock, holds }
}

fn held(holds: &[&Hold]) -> String {
    match holds {
        [one] => match one.ends {
            Some(ends) => format!("a legal hold of {} keeps it until {}", one.by, moment(ends)),
            None => format!("a legal hold of {} keeps it until it is released", one.by),
        },
        many => format!("{} legal holds keep it", many.len()),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
