//! Silence in the recording at an agent's wish, until resumed or until the queue's limit (domain rule 7). It
//! is of the conversation: it outlasts all that conversation outlasts, a lost phone included.

use crate::ids::AgentId;
use crate::time::Timestamp;

use super::state::{Conference, Consultation, Lost, Origin, Party, Pause, State, Talk, Transfer};
use super::{Call, Fact, NotNow};

impl Call {
    /// A pause may be asked for while the take is still being armed: then it begins silent.
    pub(super) fn may_pause(&self, agent: &AgentId) -> Result<(), NotNow> {
        let talk = self.with_caller(agent)?;
        let coming = self.recorder.is_open() || self.standing.awaits_store();
        match (coming || talk.overriding.is_asked(), talk.paused()) {
            (false, _) => Err(NotNow::NotRecorded),
            (true, true) => Err(NotNow::PausedAlready),
            (true, false) => Ok(()),
        }
    }

    pub(super) fn may_resume(&self, agent: &AgentId) -> Result<(), NotNow> {
        if self.with_caller(agent)?.paused() { Ok(()) } else { Err(NotNow::NotPaused) }
    }

    /// Any agent who is with the caller may pause and resume; nobody outside.
    pub(super) fn with_caller(&self, agent: &AgentId) -> Result<&Talk, NotNow> {
        let is = |party: &Party| party.agent() == Some(agent);
        match &self.state {
            State::Talking(talk) if is(&talk.party) => Ok(talk),
            State::Conference(Conference { talk, third }) if is(&talk.party) || is(third) => Ok(talk),
            State::Lost(Lost { talk, third: Some(third), .. }) if is(third) => Ok(talk),
            State::Lost(Lost { talk, .. }) if is(&talk.party) => Err(NotNow::Lost),
            State::Consulting(Consultation { talk, .. })
            | State::Transferring(Transfer { origin: Origin::Kept(talk), .. })
                if is(&talk.party) =>
            {
                Err(NotNow::Apart)
            }
            State::Talking(_)
            | State::Conference(_)
            | State::Lost(_)
            | State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Transferring(_)
            | State::Consulting(_)
            | State::Over => Err(NotNow::NotYours),
        }
    }

    pub(super) fn pause(&mut self, agent: AgentId, now: Timestamp) {
        if self.may_pause(&agent).is_err() {
            return;
        }
        let until = self.arrival.queue.pause_limit.map(|limit| now + limit);
        let Some(talk) = self.talk_mut() else { return };
        talk.pause = Pause::Yes { since: now, until };
        self.follow_quiet();
        self.note(Fact::Paused { call: self.arrival.call, agent: Some(agent), on: true, at: now });
    }

    pub(super) fn resume(&mut self, agent: AgentId, now: Timestamp) {
        if self.may_resume(&agent).is_ok() {
            self.end_pause(Some(agent), now);
        }
    }

    pub(super) fn on_pause_limit(&mut self, now: Timestamp) {
        self.end_pause(None, now);
    }

    fn end_pause(&mut self, agent: Option<AgentId>, now: Timestamp) {
        let Some(talk) = self.talk_mut() else { return };
        if !talk.paused() {
            return;
        }
        talk.pause = Pause::No;
        self.follow_quiet();
        self.note(Fact::Paused { call: self.arrival.call, agent, on: false, at: now });
    }
}

impl Talk {
    /// Whether an agent asked for silence.
    pub(super) const fn paused(&self) -> bool {
        matches!(self.pause, Pause::Yes { .. })
    }
}
