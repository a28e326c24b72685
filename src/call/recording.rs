//! The call's recordings: arming, starting, silence, failure, override and withdrawal. Only `consent`
//! gives the leave; here it is only passed on.

use crate::consent::{Basis, Decision, Grant, OverrideReason, Receipt, Standing};
use crate::ids::{AgentId, CommitId};
use crate::settings::OnRecordingFailure;
use crate::time::Timestamp;

use super::state::{Pause, State};
use super::{Call, Cause, Fact, Output, RecordingRequest, RecordingState, TakeId};

/// The take of the conversation under way or to come.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    take: Take,
    /// Whether any take of this call was started: a withdrawal may have to destroy it.
    started: bool,
}

#[derive(Debug, Default)]
enum Take {
    /// None.
    #[default]
    None,
    /// Key and row are being made.
    Arming(Open),
    /// Can start at once.
    Armed(Open),
    /// Captures; `quiet`: silence.
    Running { open: Open, quiet: bool },
    /// Could not be made or broke.
    Failed(Basis),
}

#[derive(Debug)]
struct Open {
    id: TakeId,
    basis: Basis,
}

impl Recorder {
    /// Whether the shell holds something for a take.
    pub(super) const fn is_open(&self) -> bool {
        match self.take {
            Take::Arming(_) | Take::Armed(_) | Take::Running { .. } => true,
            Take::None | Take::Failed(_) => false,
        }
    }

    fn open(&self) -> Option<&Open> {
        match &self.take {
            Take::Arming(open) | Take::Armed(open) | Take::Running { open, .. } => Some(open),
            Take::None | Take::Failed(_) => None,
        }
    }
}

/// Whether a conversation can begin as far as its recording goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// A take is armed.
    Ready,
    /// The conversation is not recorded.
    NotRecorded,
    /// The decision or the take is on its way to the store.
    Wait,
    /// It should be recorded and cannot be.
    Failed,
}

impl Call {
    /// How the recording stands.
    #[must_use]
    pub const fn recording_state(&self) -> RecordingState<'_> {
        match &self.recorder.take {
            Take::None => RecordingState::Off(self.standing.basis()),
            Take::Arming(open) | Take::Armed(open) => RecordingState::Armed(&open.basis),
            Take::Running { open, quiet: false } => RecordingState::Recording(&open.basis),
            Take::Running { open, quiet: true } => RecordingState::Paused(&open.basis),
            Take::Failed(basis) => RecordingState::Failed(basis),
        }
    }

    /// Whether [`RecordingRequest::Override`] by this agent would be followed, for a clear answer to it.
    ///
    /// # Errors
    /// Why it would not be. An agent who is not in conversation with the caller has nothing to override.
    pub fn may_override(
        &self,
        agent: &AgentId,
        reason: &OverrideReason,
    ) -> Result<(), crate::consent::OverrideRefused> {
        self.overriding(agent, reason).map(drop)
    }

    pub(super) fn readiness(&self) -> Readiness {
        match &self.recorder.take {
            Take::Armed(_) | Take::Running { .. } => Readiness::Ready,
            Take::Arming(_) => Readiness::Wait,
            Take::Failed(_) => Readiness::Failed,
            Take::None if self.standing.basis().is_some_and(Basis::allows) => Readiness::Wait,
            Take::None => Readiness::NotRecorded,
        }
    }

    /// Arms a take for the next conversation, if the stored decision allows it and none is open.
    pub(super) fn arm_if_granted(&mut self) {
        if !self.recorder.is_open()
            && let Some(grant) = self.standing.grant()
        {
            self.arm(grant);
        }
    }

    fn arm(&mut self, grant: Grant) {
        let id = TakeId(self.numbers.take);
        self.numbers.take = self.numbers.take.wrapping_add(1);
        self.recorder.take = Take::Arming(Open { id, basis: grant.basis().clone() });
        self.put(Output::ArmRecording { take: id, grant });
    }

    /// The call's decision is stored, or cannot be.
    pub(super) fn on_standing_settled(&mut self, now: Timestamp) {
        match &self.state {
            State::Offering(..) | State::Talking(_) => self.arm_if_granted(),
            State::Joining(..) => {
                self.arm_if_granted();
                if self.readiness() != Readiness::Wait {
                    self.connect(now);
                }
            }
            State::Answering
            | State::Welcoming(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Over => {}
        }
    }

    pub(super) fn on_armed(&mut self, take: TakeId, now: Timestamp) {
        match std::mem::take(&mut self.recorder.take) {
            Take::Arming(open) if open.id == take => self.recorder.take = Take::Armed(open),
            other @ (Take::None
            | Take::Arming(_)
            | Take::Armed(_)
            | Take::Running { .. }
            | Take::Failed(_)) => {
                self.recorder.take = other;
                return;
            }
        }
        match &self.state {
            State::Joining(..) => self.connect(now),
            State::Talking(_) => self.start_if_armed(),
            State::Answering
            | State::Welcoming(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Over => {}
        }
    }

    /// Starts the armed take for the conversation.
    pub(super) fn start_if_armed(&mut self) {
        let State::Talking(talk) = &self.state else { return };
        let (agent, quiet) = (talk.party.leg, self.caller_holds || talk.quiet());
        match std::mem::take(&mut self.recorder.take) {
            Take::Armed(open) => self.recorder.take = Take::Running { open, quiet },
            other @ (Take::None | Take::Arming(_) | Take::Running { .. } | Take::Failed(_)) => {
                self.recorder.take = other;
                return;
            }
        }
        self.recorder.started = true;
        self.put(Output::StartRecording { caller: self.caller(), agent });
        if quiet {
            self.put(Output::PauseRecording);
        }
    }

    /// Capture sound or silence, as holds and pauses ask.
    pub(super) fn follow_quiet(&mut self) {
        let State::Talking(talk) = &self.state else { return };
        let wanted = self.caller_holds || talk.quiet();
        if let Take::Running { quiet, .. } = &mut self.recorder.take
            && *quiet != wanted
        {
            *quiet = wanted;
            self.put(if wanted { Output::PauseRecording } else { Output::ResumeRecording });
        }
    }

    /// The conversation is over, or will not be: finishes the take, or discards it.
    pub(super) fn close_take(&mut self) {
        let open = self.recorder.is_open();
        self.recorder.take = Take::None;
        if open {
            self.put(Output::StopRecording { destroy: false });
        }
    }

    pub(super) fn on_recording_failed(&mut self, take: TakeId, now: Timestamp) {
        let Some(open) = self.recorder.open().filter(|open| open.id == take) else { return };
        let basis = open.basis.clone();
        // An override is a wish on top: that it fails does not make the call one that must be recorded.
        let must = !matches!(basis, Basis::Override { .. })
            && self.arrival.queue.on_recording_failure == OnRecordingFailure::DropCall;
        self.recorder.take = Take::Failed(basis);
        self.note(Fact::RecordingFailed { call: self.arrival.call, at: now });
        match &self.state {
            State::Joining(..) | State::Talking(_) if must => self.finish(None, Cause::RecordingFailed, now),
            State::Joining(..) => self.connect(now),
            State::Answering
            | State::Welcoming(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Talking(_)
            | State::Over => {}
        }
    }

    pub(super) fn on_recording_request(&mut self, request: RecordingRequest, now: Timestamp) {
        match request {
            RecordingRequest::Pause { agent } => self.pause(agent, now),
            RecordingRequest::Resume { agent } => self.resume(agent, now),
            RecordingRequest::Override { agent, reason } => self.override_(agent, reason, now),
            RecordingRequest::Withdraw => self.withdraw(now),
        }
    }

    /// A pause may be asked for while the take is still being armed: then it begins silent.
    fn pause(&mut self, agent: AgentId, now: Timestamp) {
        let coming = self.recorder.is_open() || self.standing.awaits_store();
        let until = self.arrival.queue.pause_limit.map(|limit| now + limit);
        let State::Talking(talk) = &mut self.state else { return };
        let recorded = coming || talk.overriding.is_some();
        if !recorded || agent != talk.party.agent || !matches!(talk.pause, Pause::No) {
            return;
        }
        talk.pause = Pause::Yes { until };
        self.follow_quiet();
        self.note(Fact::Paused { call: self.arrival.call, agent: Some(agent), on: true, at: now });
    }

    fn resume(&mut self, agent: AgentId, now: Timestamp) {
        if let State::Talking(talk) = &self.state
            && agent == talk.party.agent
        {
            self.end_pause(Some(agent), now);
        }
    }

    pub(super) fn on_pause_limit(&mut self, now: Timestamp) {
        self.end_pause(None, now);
    }

    fn end_pause(&mut self, agent: Option<AgentId>, now: Timestamp) {
        let State::Talking(talk) = &mut self.state else { return };
        if matches!(talk.pause, Pause::No) {
            return;
        }
        talk.pause = Pause::No;
        self.follow_quiet();
        self.note(Fact::Paused { call: self.arrival.call, agent, on: false, at: now });
    }

    fn overriding(
        &self,
        agent: &AgentId,
        reason: &OverrideReason,
    ) -> Result<Decision, crate::consent::OverrideRefused> {
        use crate::consent::OverrideRefused::NotNeeded;
        let State::Talking(talk) = &self.state else { return Err(NotNeeded) };
        if talk.party.agent != *agent || talk.overriding.is_some() || self.recorder.is_open() {
            return Err(NotNeeded);
        }
        let allowed = self.arrival.queue.override_allowed;
        Decision::overriding(self.arrival.call, &self.standing, allowed, agent.clone(), reason.clone())
    }

    /// Recording without consent, from the moment its audit row is durable (domain rule 6).
    fn override_(&mut self, agent: AgentId, reason: OverrideReason, now: Timestamp) {
        let Ok(decision) = self.overriding(&agent, &reason) else { return };
        self.note(Fact::Overridden { call: self.arrival.call, agent, reason, at: now });
        let lodged = self.lodge(decision, now);
        if let State::Talking(talk) = &mut self.state {
            talk.overriding = Some(lodged);
        }
    }

    pub(super) fn on_override_stored(&mut self, receipt: &Receipt) {
        let State::Talking(talk) = &mut self.state else { return };
        match talk.overriding.take().map(|lodged| lodged.stored(receipt)) {
            Some(Ok(stored)) => {
                if let Some(grant) = stored.grant() {
                    self.arm(grant);
                }
            }
            Some(Err(lodged)) => talk.overriding = Some(lodged),
            None => {}
        }
    }

    pub(super) fn on_override_failed(&mut self, commit: CommitId) {
        if let State::Talking(talk) = &mut self.state
            && talk.overriding.as_ref().is_some_and(|lodged| lodged.commit() == commit)
        {
            talk.overriding = None;
        }
    }

    /// The caller takes the consent back (domain rule 8): effective at once, stored or not.
    fn withdraw(&mut self, now: Timestamp) {
        let call = self.arrival.call;
        let Some(decision) = Decision::withdrawn(call, &self.standing, now) else { return };
        let destroy = self.arrival.queue.destroy_on_withdrawal;
        if self.recorder.is_open() || (destroy && self.recorder.started) {
            self.put(Output::StopRecording { destroy });
        }
        self.recorder.take = Take::None;
        self.note(Fact::ConsentWithdrawn {
            call,
            from: self.arrival.from.clone(),
            queue: self.arrival.queue_id.clone(),
            at: now,
        });
        self.standing = Standing::Lodged(self.lodge(decision, now));
        if matches!(self.state, State::Joining(..)) {
            self.connect(now);
        }
    }
}
