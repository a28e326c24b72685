//! A call's timers: each has a name, and a deadline carries its reason.

use std::time::Duration;

use crate::time::Timestamp;

use super::Call;
use super::state::{Hearing, Pause, State, Wait};

/// How long a prompt may play before the call goes on without the word of its end. Longer than any prompt
/// should be; shorter than a caller's patience with a dead line would need.
pub(super) const PROMPT_LIMIT: Duration = Duration::from_secs(120);

/// How long an agent who has answered hears nothing while the recording's key and row are stored. Half a
/// second is noticed but not yet taken for a fault.
pub(super) const ARM_LIMIT: Duration = Duration::from_millis(500);

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimerName {
    /// The end of a prompt, in case no word of it comes.
    Prompt,
    /// A key, after the question.
    Key,
    /// An agent's answer.
    Ring,
    /// The recording's key and row, after an agent's answer.
    Arm,
    /// The end of a pause, by the queue's limit.
    Pause,
}

impl Call {
    /// The next deadline and what it is for; `None` when only inputs matter.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Timestamp, TimerName)> {
        match &self.state {
            State::Answering | State::Over => None,
            State::Welcoming(playing) => Some((playing.until, TimerName::Prompt)),
            State::Asking { playing: Some(playing), .. } => Some((playing.until, TimerName::Prompt)),
            State::Asking { dialogue, playing: None } => {
                dialogue.poll_timeout().map(|at| (at, TimerName::Key))
            }
            State::Waiting(wait) => wait.prompt_timer(),
            State::Offering(wait, offer) => {
                [wait.prompt_timer(), Some((offer.until, TimerName::Ring))].into_iter().flatten().min()
            }
            State::Joining(wait, joining) => {
                [wait.prompt_timer(), Some((joining.until, TimerName::Arm))].into_iter().flatten().min()
            }
            State::Talking(talk) => match talk.pause {
                Pause::Yes { until: Some(at) } => Some((at, TimerName::Pause)),
                Pause::Yes { until: None } | Pause::No => None,
            },
        }
    }

    pub(super) fn on_timer(&mut self, name: TimerName, now: Timestamp) {
        match name {
            TimerName::Prompt => self.on_prompt_end(now),
            TimerName::Key => self.on_key_overdue(now),
            TimerName::Ring => self.on_ring_overdue(now),
            TimerName::Arm => self.on_arm_overdue(now),
            TimerName::Pause => self.on_pause_limit(now),
        }
    }
}

impl Wait {
    fn prompt_timer(&self) -> Option<(Timestamp, TimerName)> {
        match self.hearing {
            Hearing::Outcome(playing) | Hearing::Notice(playing) => Some((playing.until, TimerName::Prompt)),
            Hearing::Music => None,
        }
    }
}
