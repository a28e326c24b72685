//! What is to be done by the rules, a page of rows after the other: nothing is kept in memory but the row at hand.

use crate::ids::{CallId, RecordingId};
use crate::settings::Keep;
use crate::time::Timestamp;

use super::hold::{EndedCall, Holds};
use super::rules::{Because, Due, Rule, Rules, Said, Which};

/// A row that may be due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// A recording that is not destroyed.
    Recording {
        /// Its id.
        id: RecordingId,
        /// Its call.
        call: EndedCall,
    },
    /// A call that is not anonymised.
    Call {
        /// The call.
        call: EndedCall,
        /// All of its recordings that are not destroyed.
        recordings: Vec<RecordingId>,
    },
    /// A call that is anonymised, whose row is there for reports.
    Anonymous {
        /// The call.
        call: EndedCall,
    },
}

impl Kept {
    /// The call it is or belongs to.
    #[must_use]
    pub const fn call(&self) -> CallId {
        match self {
            Self::Recording { call, .. } | Self::Call { call, .. } | Self::Anonymous { call } => call.id,
        }
    }
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// About which call.
    pub call: CallId,
    /// What.
    pub step: Step,
    /// Why.
    pub because: Because,
}

/// See [`Action::step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A recording is destroyed.
    Destroy(RecordingId),
    /// The call loses what is personal.
    Anonymise,
    /// The call's anonymous row goes.
    Strip,
}

/// What is to be done with `rows` by the rules, in an order in which it can be done: a call's recordings before the call.
/// What is held is left out, and so is a call of which a recording is held. `rows` may be pages read one after the
/// other; the actions come as fast as they are asked for.
pub fn plan<'a>(
    rules: &'a Rules,
    holds: &'a Holds,
    now: Timestamp,
    rows: impl IntoIterator<Item = Kept> + 'a,
) -> impl Iterator<Item = Action> + 'a {
    rows.into_iter().flat_map(move |row| of_row(rules, holds, now, row))
}

fn of_row(rules: &Rules, holds: &Holds, now: Timestamp, row: Kept) -> Vec<Action> {
    match row {
        Kept::Recording { id, call } => {
            let due = rules.of_queue(&call.queue).removes_at(call.ended_at);
            let is_free = holds.of_recording(id, &call).next().is_none();
            let due = due.filter(|due| due.at <= now && is_free);
            due.map(|due| action(&call, Step::Destroy(id), due)).into_iter().collect()
        }
        Kept::Call { call, recordings } => {
            let is_free = holds.of_call(&call).next().is_none();
            let due = rules.of_queue(&call.queue).anonymises_at(call.ended_at);
            let Some(due) = due.filter(|due| due.at <= now && is_free) else { return Vec::new() };
            let (held, free): (Vec<_>, Vec<_>) =
                recordings.into_iter().partition(|id| holds.of_recording(*id, &call).next().is_some());
            let removes = rules.of_queue(&call.queue).removes_at(call.ended_at).unwrap_or(due);
            let mut actions: Vec<Action> =
                free.into_iter().map(|id| action(&call, Step::Destroy(id), removes)).collect();
            if held.is_empty() {
                actions.push(action(&call, Step::Anonymise, due));
            }
            actions
        }
        Kept::Anonymous { call } => {
            let rule = Rule { keep: rules.reporting(), said: Said::System };
            let is_free = holds.of_call(&call).next().is_none();
            let due = rule.ends(call.ended_at).filter(|at| *at <= now && is_free);
            let due = due.map(|at| Due { at, which: Which::Reporting, rule });
            due.map(|due| action(&call, Step::Strip, due)).into_iter().collect()
        }
    }
}

fn action(call: &EndedCall, step: Step, due: Due) -> Action {
    let because = Because { queue: call.queue.clone(), ended_at: call.ended_at, due };
    Action { call: call.id, step, because }
}

/// Calls that ended then or earlier are due; `None`: none is.
#[must_use]
pub fn cutoff(keep: Keep, now: Timestamp) -> Option<Timestamp> {
    match keep {
        Keep::For(span) => Some(now - span),
        Keep::Forever => None,
    }
}
