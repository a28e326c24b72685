//! A call's timers: each has a name, and a deadline carries its reason.

use std::time::Duration;

use crate::time::Timestamp;

use super::state::{Asked, Hearing, Pause, Sent, State, Wait};
use super::{Call, Cause};

/// How long a prompt may play before the call goes on without the word of its end. Longer than any prompt
/// should be; shorter than a caller's patience with a dead line would need.
pub(super) const PROMPT_LIMIT: Duration = Duration::from_secs(120);

/// How long an agent who has answered hears nothing while the recording's key and row are stored. Half a
/// second is noticed but not yet taken for a fault.
pub(super) const ARM_LIMIT: Duration = Duration::from_millis(500);

/// How long the network may take to send a caller on (REFER and its NOTIFYs): a phone's ringing, 60 s with most
/// carriers, and the way there. Meanwhile the caller hears music.
pub(super) const REFER_LIMIT: Duration = Duration::from_secs(90);

/// How long an agent whose phone is gone is waited for while the caller hears music. A page is loaded anew and has
/// registered within 3 s, a network has changed within 10; much longer is no time to leave a caller alone.
pub const LOST_GRACE: Duration = Duration::from_secs(30);

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimerName {
    /// The end of a prompt, in case no word of it comes.
    Prompt,
    /// A key, after the question.
    Key,
    /// The answer of an agent or of a transfer's target.
    Ring,
    /// The recording's key and row, after an agent's answer.
    Arm,
    /// The end of a pause, by the queue's limit.
    Pause,
    /// The network's word on a caller it was asked to send on.
    Refer,
    /// An agent whose phone is gone.
    Lost,
}

impl Call {
    /// The next deadline and what it is for; `None` when only inputs matter.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Timestamp, TimerName)> {
        match &self.state {
            State::Answering | State::Over => None,
            State::Welcoming(playing) | State::Closing(playing) => Some((playing.until, TimerName::Prompt)),
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
            State::Transferring(transfer) => {
                let sent = match &transfer.sent {
                    Sent::Reaching(reaching) => (reaching.until(), TimerName::Ring),
                    Sent::Answered(joining) => (joining.until, TimerName::Arm),
                    Sent::Referring { until } => (*until, TimerName::Refer),
                };
                [Some(sent), self.pause_timer()].into_iter().flatten().min()
            }
            State::Consulting(consultation) => {
                let asked = match &consultation.asked {
                    Asked::Reaching(reaching) => Some((reaching.until(), TimerName::Ring)),
                    Asked::Offering(_, offer) => Some((offer.until, TimerName::Ring)),
                    Asked::Waiting(_) | Asked::Speaking(_) => None,
                };
                [asked, self.pause_timer()].into_iter().flatten().min()
            }
            State::Lost(lost) => {
                [Some((lost.until, TimerName::Lost)), self.pause_timer()].into_iter().flatten().min()
            }
            State::Talking(_) | State::Conference(_) => self.pause_timer(),
        }
    }

    fn pause_timer(&self) -> Option<(Timestamp, TimerName)> {
        match self.talk()?.pause {
            Pause::Yes { until: Some(at), .. } => Some((at, TimerName::Pause)),
            Pause::Yes { until: None, .. } | Pause::No => None,
        }
    }

    pub(super) fn on_timer(&mut self, name: TimerName, now: Timestamp) {
        match name {
            TimerName::Prompt => self.on_prompt_end(now),
            TimerName::Key => self.on_key_overdue(now),
            TimerName::Ring => self.on_ring_overdue(now),
            TimerName::Arm => self.on_arm_overdue(now),
            TimerName::Pause => self.on_pause_limit(now),
            TimerName::Refer => self.transfer_failed(Cause::NoAnswer, now),
            TimerName::Lost => self.lost_for_ever(now),
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
