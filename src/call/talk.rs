//! The conversation: connecting, hold, transfer.

use crate::ids::LegId;
use crate::time::Timestamp;

use super::state::{Hearing, Pause, State, Talk, Wait};
use super::{AgentReport, Call, Cause, Fact, Output, Prompt, Target};

impl Call {
    /// Connects the caller and the agent who answered. Capturing begins before the bridge, so that no word is
    /// missed; the queue is told of the agent first, so that leaving it does not set the agent free.
    pub(super) fn connect(&mut self, now: Timestamp) {
        let (wait, party) = match std::mem::replace(&mut self.state, State::Over) {
            State::Joining(wait, joining) => (wait, joining.party),
            other @ (State::Answering
            | State::Welcoming(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Talking(_)
            | State::Over) => {
                self.state = other;
                return;
            }
        };
        let (leg, agent) = (party.leg, party.agent.clone());
        self.state = State::Talking(Talk {
            party,
            queue_id: wait.id,
            queue: wait.queue,
            agent_holds: false,
            pause: Pause::No,
            overriding: None,
        });
        let caller = self.caller();
        self.put(Output::StopPlay { leg: caller });
        self.start_if_armed();
        self.put(Output::Bridge { caller, agent: leg });
        if self.caller_holds {
            self.play_to(leg, Prompt::Music);
        }
        self.put(Output::AgentReport { agent, report: AgentReport::Connected });
        self.put(Output::Dequeue);
        self.note(Fact::Connected { leg, at: now });
    }

    /// One party put the other on hold or took it back: the other hears music, the recording silence.
    pub(super) fn on_hold(&mut self, leg: LegId, on: bool) {
        let caller = self.caller();
        let (flag, held) = match &mut self.state {
            State::Talking(talk) if leg == talk.party.leg => (&mut talk.agent_holds, caller),
            State::Talking(talk) if leg == caller => (&mut self.caller_holds, talk.party.leg),
            State::Talking(_)
            | State::Answering
            | State::Welcoming(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Over => {
                if leg == caller {
                    self.caller_holds = on; // remembered for the conversation to come
                }
                return;
            }
        };
        if *flag == on {
            return;
        }
        *flag = on;
        if on {
            self.play_to(held, Prompt::Music);
        } else {
            self.put(Output::StopPlay { leg: held });
        }
        self.follow_quiet();
    }

    /// The agent sends the caller on and is done. Consent and the first queue's recording settings stay
    /// with the call (domain rule 4).
    pub(super) fn on_transfer(&mut self, by: LegId, to: Target, now: Timestamp) {
        if !matches!(&self.state, State::Talking(talk) if talk.party.leg == by) {
            return;
        }
        if matches!(to, Target::Outside(_)) {
            return;
        }
        let State::Talking(talk) = std::mem::replace(&mut self.state, State::Over) else { return };
        self.put(Output::Unbridge);
        self.close_take();
        let (queue_id, agent) = match &to {
            Target::Queue { id, .. } => (Some(id.clone()), None),
            Target::Agent(agent) => (None, Some(agent.clone())),
            Target::Outside(_) => (None, None),
        };
        let call = self.arrival.call;
        let from = talk.party.agent.clone();
        self.note(Fact::Transferred { call, by: from, queue: queue_id, agent, outside: None, at: now });
        self.hang_up(talk.party.leg, Cause::HungUp, now);
        self.put(Output::AgentReport { agent: talk.party.agent, report: AgentReport::Finished });
        let (id, queue, only) = match to {
            Target::Queue { id, queue } => (id, queue, None),
            Target::Agent(agent) => (talk.queue_id, talk.queue, Some(agent)),
            Target::Outside(_) => return,
        };
        let hearing = Hearing::Notice(self.play(Prompt::PleaseWait, now));
        self.enqueue(Wait { id, queue, since: now, overflows: 0, hearing }, only, now);
    }
}
