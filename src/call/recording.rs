//! The call's recordings: arming, starting, silence, failure, override and withdrawal. Only `consent`
//! gives the leave; here it is only passed on.

use crate::consent::{Basis, Decision, Grant, OverrideReason, OverrideRefused, Receipt, Standing};
use crate::ids::{AgentId, CommitId, LegId};
use crate::settings::OnRecordingFailure;
use crate::time::Timestamp;

use super::state::{Conference, Consultation, Lost, Overriding, Sent, State, Transfer};
use super::{Call, Cause, Fact, NotNow, Output, RecordingRequest, RecordingState, TakeId};

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

    /// Whether that take rests on an override.
    pub(super) fn on_override(&self) -> bool {
        self.open().is_some_and(|open| matches!(open.basis, Basis::Override { .. }))
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
    pub fn may_override(&self, agent: &AgentId, reason: &OverrideReason) -> Result<(), OverrideRefused> {
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

    /// Arms a take for the conversation under way or to come, if none is open and the stored decision allows it,
    /// or an override of the agent who is with the caller then.
    pub(super) fn arm_if_granted(&mut self) {
        if self.recorder.is_open() {
            return;
        }
        let overridden = match &self.state {
            State::Talking(talk)
            | State::Consulting(Consultation { talk, .. })
            | State::Conference(Conference { talk, .. })
            | State::Lost(Lost { talk, third: None, .. }) => talk.overriding.grant(),
            // With the third party alone the agent who overrode is not there.
            State::Lost(Lost { third: Some(_), .. })
            | State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Transferring(_) // most probably for another agent
            | State::Over => None,
        };
        if let Some(grant) = self.standing.grant().or(overridden) {
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
            State::Offering(..)
            | State::Joining(..)
            | State::Talking(_)
            | State::Transferring(_)
            | State::Consulting(_)
            | State::Conference(_)
            | State::Lost(_) => self.arm_if_granted(),
            State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Over => {}
        }
        if self.awaits_take() && self.readiness() != Readiness::Wait {
            self.connect_answered(now);
        }
    }

    /// Whether somebody has answered and only the recording is not ready.
    pub(super) const fn awaits_take(&self) -> bool {
        matches!(
            self.state,
            State::Joining(..) | State::Transferring(Transfer { sent: Sent::Answered(_), .. })
        )
    }

    /// Connects who has answered, an agent from the queue or the target of a transfer.
    pub(super) fn connect_answered(&mut self, now: Timestamp) {
        if matches!(self.state, State::Joining(..)) {
            self.connect(now);
        } else {
            self.hand_over(now);
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
        if self.awaits_take() {
            self.connect_answered(now);
        } else {
            self.start_if_armed();
        }
    }

    /// Who is recorded with the caller, and whether only silence is, in the conversation under way.
    fn conversation(&self) -> Option<(LegId, bool)> {
        let away = |leg| self.holding.contains(&leg);
        match &self.state {
            State::Talking(talk) => {
                let leg = talk.party.leg;
                Some((leg, away(self.caller) || away(leg) || talk.paused()))
            }
            State::Conference(Conference { talk, .. }) => {
                Some((talk.party.leg, away(self.caller) || talk.paused()))
            }
            State::Lost(Lost { talk, third, .. }) => {
                let leg = third.as_ref()?.leg;
                Some((leg, away(self.caller) || away(leg) || talk.paused()))
            }
            State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Transferring(_)
            | State::Consulting(_)
            | State::Over => None,
        }
    }

    /// Starts the armed take for the conversation.
    pub(super) fn start_if_armed(&mut self) {
        let Some((agent, quiet)) = self.conversation() else { return };
        match std::mem::take(&mut self.recorder.take) {
            Take::Armed(open) => self.recorder.take = Take::Running { open, quiet },
            other @ (Take::None | Take::Arming(_) | Take::Running { .. } | Take::Failed(_)) => {
                self.recorder.take = other;
                return;
            }
        }
        self.recorder.started = true;
        self.put(Output::StartRecording { caller: self.caller, agent, quiet });
    }

    /// Capture sound or silence, as holds and pauses ask.
    pub(super) fn follow_quiet(&mut self) {
        let Some((_, wanted)) = self.conversation() else { return };
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
        let needed = self.awaits_take() || self.conversation().is_some();
        if must && needed {
            self.finish(None, Cause::RecordingFailed, now);
        } else if self.awaits_take() {
            self.connect_answered(now);
        }
    }

    pub(super) fn on_recording_request(&mut self, request: RecordingRequest, now: Timestamp) {
        match request {
            RecordingRequest::Pause { agent } => self.pause(agent, now),
            RecordingRequest::Resume { agent } => self.resume(agent, now),
            RecordingRequest::Override { agent, reason } => self.override_(agent, reason, now),
            RecordingRequest::Withdraw { entered_by } => self.withdraw(entered_by, now),
        }
    }

    pub(super) fn may_withdraw(&self) -> Result<(), NotNow> {
        let consent = self.standing.basis().is_some_and(Basis::is_consent);
        if consent { Ok(()) } else { Err(NotNow::NoConsent) }
    }

    fn overriding(&self, agent: &AgentId, reason: &OverrideReason) -> Result<Decision, OverrideRefused> {
        self.could_override(agent)?;
        let allowed = self.arrival.queue.override_allowed;
        Decision::overriding(self.arrival.call, &self.standing, allowed, agent.clone(), reason.clone())
    }

    /// Whether an override by this agent would be followed, given a reason.
    pub(super) fn could_override(&self, agent: &AgentId) -> Result<(), OverrideRefused> {
        let (State::Talking(talk) | State::Conference(Conference { talk, .. })) = &self.state else {
            return Err(OverrideRefused::NotNeeded);
        };
        let own = talk.party.agent() == Some(agent);
        if !own || talk.overriding.is_asked() || self.recorder.is_open() {
            return Err(OverrideRefused::NotNeeded);
        }
        Decision::may_override(&self.standing, self.arrival.queue.override_allowed)
    }

    /// Recording without consent, from the moment its audit row is durable (domain rule 6).
    fn override_(&mut self, agent: AgentId, reason: OverrideReason, now: Timestamp) {
        let Ok(decision) = self.overriding(&agent, &reason) else { return };
        self.note(Fact::Overridden { call: self.arrival.call, agent, reason, at: now });
        let lodged = self.lodge(decision, now);
        if let Some(talk) = self.talk_mut() {
            talk.overriding = Overriding::Lodged(lodged, now);
        }
    }

    pub(super) fn on_override_stored(&mut self, receipt: &Receipt) {
        let Some(talk) = self.talk_mut() else { return };
        match std::mem::replace(&mut talk.overriding, Overriding::No) {
            Overriding::Lodged(lodged, at) => match lodged.stored(receipt) {
                Ok(stored) => {
                    talk.overriding = Overriding::Stored(stored, at);
                    self.arm_if_granted();
                }
                Err(lodged) => talk.overriding = Overriding::Lodged(lodged, at),
            },
            other @ (Overriding::No | Overriding::Stored(..) | Overriding::Failed) => talk.overriding = other,
        }
    }

    pub(super) fn on_override_failed(&mut self, commit: CommitId) {
        if let Some(talk) = self.talk_mut()
            && matches!(&talk.overriding, Overriding::Lodged(lodged, _) if lodged.commit() == commit)
        {
            talk.overriding = Overriding::Failed;
        }
    }

    /// The caller takes the consent back (domain rule 8): effective at once, stored or not.
    fn withdraw(&mut self, entered_by: Option<AgentId>, now: Timestamp) {
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
            entered_by,
            at: now,
        });
        self.standing = Standing::Lodged(self.lodge(decision, now));
        self.decided_at = Some(now);
        if self.awaits_take() {
            self.connect_answered(now);
        }
    }
}

impl Overriding {
    fn grant(&self) -> Option<Grant> {
        match self {
            Self::No | Self::Lodged(..) | Self::Failed => None,
            Self::Stored(stored, _) => stored.grant(),
        }
    }

    /// Whether it is on its way or holds.
    pub(super) const fn is_asked(&self) -> bool {
        match self {
            Self::No | Self::Failed => false,
            Self::Lodged(..) | Self::Stored(..) => true,
        }
    }

    /// Whether it could not be stored.
    pub(super) const fn has_failed(&self) -> bool {
        matches!(self, Self::Failed)
    }

    /// When it was asked for.
    pub(super) const fn since(&self) -> Option<Timestamp> {
        match self {
            Self::No | Self::Failed => None,
            Self::Lodged(_, at) | Self::Stored(_, at) => Some(*at),
        }
    }
}
