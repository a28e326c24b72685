//! How long things are kept (domain rules 10-16): the rules of a queue, what is due by them, what holds it back, and why
//! a recording is still here or gone.
//!
//! The clock of a call and of its recordings is the call's end. A call's rules are those of its first queue, as the
//! settings are now. Of call data and automatic file removal the earlier removes a recording; at the end of call data the
//! call is anonymised, and much later its anonymous row goes. A legal hold suspends all of it.

mod hold;
mod plan;
mod proposed;
mod rules;
#[cfg(test)]
mod tests;
mod why;

pub use hold::{EndedCall, Hold, HoldOn, Holds, Part, Released};
pub use plan::{Action, Kept, Step, cutoff, plan};
pub use proposed::{BadChange, Proposed, ProposedQueue};
pub use rules::{Because, Due, QueueRules, Rule, Rules, Said, Which};
pub use why::{Fate, RunningClock, Whys, why};

/// What stands where something personal was, once a call is anonymised (domain rules 12, 19).
pub const ANONYMISED: &str = "{Anonymized by DPO}";

/// How a moment is told in sentences: to the minute, in UTC.
pub(crate) fn moment(at: crate::time::Timestamp) -> String {
    let text = at.to_rfc3339();
    match text.get(..16) {
        Some(minute) => format!("{} UTC", minute.replace('T', " ")),
        None => text,
    }
}
