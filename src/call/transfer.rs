//! Blind transfer: the target is reached while the caller hears music and the agent's leg is kept; then the
//! caller is handed over, or returns.

use crate::ids::{AgentId, LegId, PhoneNumber, QueueId};
use crate::settings::OnRecordingFailure;
use crate::time::Timestamp;

use super::recording::Readiness;
use super::state::{
    Asked, Hearing, Joining, Origin, Party, Reaching, Sent, State, Talk, Transfer, Wait, Who,
};
use super::timer::{ARM_LIMIT, REFER_LIMIT};
use super::{AgentReport, Call, Cause, Fact, Output, Outside, Progress, Prompt, Target, Whom};

/// A target as facts name it.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) queue: Option<QueueId>,
    pub(super) agent: Option<AgentId>,
    pub(super) outside: Option<PhoneNumber>,
}

impl Named {
    pub(super) fn target(to: &Target) -> Self {
        match to {
            Target::Queue { id, .. } => Self { queue: Some(id.clone()), ..Self::default() },
            Target::Agent(agent) => Self { agent: Some(agent.clone()), ..Self::default() },
            Target::Outside(to) => Self { outside: Some(to.number.clone()), ..Self::default() },
        }
    }

    pub(super) fn party(party: &Party) -> Self {
        match &party.who {
            Who::Agent(agent) => Self { agent: Some(agent.clone()), ..Self::default() },
            Who::Outside(number) => Self { outside: number.clone(), ..Self::default() },
        }
    }

    pub(super) fn reaching(reaching: &Reaching) -> Self {
        match reaching {
            Reaching::Claiming { agent, .. } => Self { agent: Some(agent.clone()), ..Self::default() },
            Reaching::Ringing { party, .. } => Self::party(party),
        }
    }
}

impl Call {
    /// The agent sends the caller on and is done. Consent and the first queue's recording settings stay
    /// with the call (domain rule 4).
    pub(super) fn on_transfer(&mut self, by: LegId, to: Target, now: Timestamp) {
        if let Err(cause) = self.may_send(by, &to) {
            return self.refuse(by, cause);
        }
        self.apart();
        let State::Talking(talk) = std::mem::replace(&mut self.state, State::Over) else { return };
        self.note_sent(&talk, Named::target(&to), now);
        match to {
            Target::Queue { id, queue } => {
                self.leave(&talk, None, now);
                let hearing = Hearing::Notice(self.play(Prompt::PleaseWait, now));
                let since = self.wait_name(now);
                self.enqueue(Wait { id, queue, since, overflows: 0, hearing }, None, now);
            }
            Target::Agent(agent) => {
                let until = now + talk.queue.ring_timeout;
                self.put(Output::Claim { agent: agent.clone() });
                self.send(talk, Sent::Reaching(Reaching::Claiming { agent, until }));
            }
            Target::Outside(to) if to.release => {
                self.put(Output::Refer { leg: self.caller, to });
                self.send(talk, Sent::Referring { until: now + REFER_LIMIT });
            }
            Target::Outside(to) => self.send_outside(talk, to, now),
        }
    }

    /// Only the agent of a conversation may send the caller on or ask, and nobody in the call already.
    pub(super) fn may_send(&mut self, by: LegId, to: &Target) -> Result<(), Cause> {
        match &self.state {
            State::Talking(talk) if talk.party.leg == by && talk.party.agent().is_some() => {}
            State::Talking(_)
            | State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Transferring(_)
            | State::Consulting(_)
            | State::Conference(_)
            | State::Lost(_)
            | State::Over => return Err(Cause::Declined),
        }
        match to {
            Target::Agent(agent) if self.has_agent(agent) => Err(Cause::Busy),
            Target::Agent(_) | Target::Queue { .. } | Target::Outside(_) => Ok(()),
        }
    }

    pub(super) fn note_sent(&mut self, talk: &Talk, to: Named, now: Timestamp) {
        if let Some(by) = talk.party.agent().cloned() {
            let (call, Named { queue, agent, outside }) = (self.arrival.call, to);
            self.note(Fact::Transferred { call, by, queue, agent, outside, at: now });
        }
    }

    fn send(&mut self, talk: Talk, sent: Sent) {
        self.play_to(self.caller, Prompt::Music);
        self.progress(talk.party.leg, Progress::Trying);
        self.state = State::Transferring(Transfer { origin: Origin::Kept(talk), sent });
        self.arm_if_granted();
    }

    fn send_outside(&mut self, talk: Talk, to: Outside, now: Timestamp) {
        let until = now + talk.queue.ring_timeout;
        match self.dial(Whom::Outside(to), now) {
            Some(party) => self.send(talk, Sent::Reaching(Reaching::Ringing { party, until })),
            None => {
                self.send(talk, Sent::Referring { until });
                self.transfer_failed(Cause::Internal, now);
            }
        }
    }

    /// The queue's word on the agent who is to be dialled past it.
    pub(super) fn on_claimed(&mut self, agent: &AgentId, free: bool, now: Timestamp) {
        if let Some(at) = self.given_up.iter().position(|claimed| claimed == agent) {
            self.given_up.remove(at);
            return;
        }
        if self.claiming() != Some(agent) {
            return;
        }
        if !free {
            return self.not_reached(Cause::Busy, now);
        }
        match self.dial(Whom::Agent(agent.clone()), now) {
            Some(party) => self.rings_now(party, now),
            None => {
                let report = AgentReport::Missed(Cause::Internal);
                self.put(Output::AgentReport { agent: agent.clone(), report });
                self.not_reached(Cause::Internal, now);
            }
        }
    }

    fn rings_now(&mut self, party: Party, now: Timestamp) {
        let limit = match &self.state {
            State::Transferring(Transfer { origin: Origin::Left { queue, .. }, .. }) => queue.ring_timeout,
            State::Transferring(_)
            | State::Consulting(_)
            | State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Talking(_)
            | State::Conference(_)
            | State::Lost(_)
            | State::Over => {
                self.talk().map_or(self.arrival.queue.ring_timeout, |talk| talk.queue.ring_timeout)
            }
        };
        let ringing = Reaching::Ringing { party, until: now + limit };
        match &mut self.state {
            State::Transferring(transfer) => transfer.sent = Sent::Reaching(ringing),
            State::Consulting(consultation) => consultation.asked = Asked::Reaching(ringing),
            State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Talking(_)
            | State::Conference(_)
            | State::Lost(_)
            | State::Over => {}
        }
    }

    /// The one target of a transfer or consultation cannot be had.
    pub(super) fn not_reached(&mut self, cause: Cause, now: Timestamp) {
        if matches!(self.state, State::Consulting(_)) {
            self.consultation_over(cause, now);
        } else {
            self.transfer_failed(cause, now);
        }
    }

    /// The caller returns to the agent, or waits for the agent who has hung up meanwhile. What was reached has
    /// been ended.
    pub(super) fn transfer_failed(&mut self, cause: Cause, now: Timestamp) {
        if !matches!(self.state, State::Transferring(_)) {
            return;
        }
        let State::Transferring(transfer) = std::mem::replace(&mut self.state, State::Over) else { return };
        let call = self.arrival.call;
        match transfer.origin {
            Origin::Kept(talk) => {
                let agent = talk.party.agent().cloned();
                self.note(Fact::Returned { call, agent, cause, at: now });
                self.progress(talk.party.leg, Progress::Failed(cause));
                self.resume_talk(talk);
            }
            Origin::Left { agent, queue_id: id, queue } => {
                self.note(Fact::Returned { call, agent: agent.clone(), cause, at: now });
                let since = self.wait_name(now);
                let wait = Wait { id, queue, since, overflows: 0, hearing: Hearing::Music };
                self.enqueue(wait, agent, now);
            }
        }
    }

    /// The target answered: it is connected as soon as the recording is ready.
    pub(super) fn on_target_answered(&mut self, now: Timestamp) {
        let State::Transferring(transfer) = &mut self.state else { return };
        let Sent::Reaching(Reaching::Ringing { party, .. }) = &transfer.sent else { return };
        let party = party.clone();
        transfer.sent = Sent::Answered(Joining { party, until: now + ARM_LIMIT });
        let drop_call = self.arrival.queue.on_recording_failure == OnRecordingFailure::DropCall;
        match self.readiness() {
            Readiness::Wait => self.arm_if_granted(),
            Readiness::Failed if drop_call => self.finish(None, Cause::RecordingFailed, now),
            Readiness::Ready | Readiness::NotRecorded | Readiness::Failed => self.hand_over(now),
        }
    }

    /// The caller is connected with the target who answered; who transferred is not needed any more.
    pub(super) fn hand_over(&mut self, now: Timestamp) {
        if !matches!(&self.state, State::Transferring(Transfer { sent: Sent::Answered(_), .. })) {
            return;
        }
        let State::Transferring(transfer) = std::mem::replace(&mut self.state, State::Over) else { return };
        let Sent::Answered(joining) = transfer.sent else { return };
        let (queue_id, queue) = match transfer.origin {
            Origin::Kept(talk) => {
                self.leave(&talk, None, now);
                (talk.queue_id, talk.queue)
            }
            Origin::Left { queue_id, queue, .. } => (queue_id, queue),
        };
        self.report(&joining.party, AgentReport::Connected);
        self.note(Fact::Connected { leg: joining.party.leg, at: now });
        self.state = State::Talking(Talk::new(joining.party, queue_id, queue, now));
        self.put(Output::StopPlay { leg: self.caller });
        self.together();
    }

    /// The network has sent the caller on, or would not.
    pub(super) fn on_referred(&mut self, leg: LegId, result: Result<(), Cause>, now: Timestamp) {
        if leg != self.caller
            || !matches!(self.state, State::Transferring(Transfer { sent: Sent::Referring { .. }, .. }))
        {
            return;
        }
        match result {
            Ok(()) => self.finish(None, Cause::HungUp, now),
            Err(cause) => self.transfer_failed(cause, now),
        }
    }
}
