//! What chance can say to a call, true or stale.

use super::*;

impl Shell {
    pub(in crate::call::model) fn digit(&self, n: u16, digit: u8) -> Input {
        let leg = if n == 0 { self.call.caller() } else { LegId { call: self.call.id(), n } };
        Input::Digit { leg, digit: key(char::from(digit)), channel: DigitChannel::Rfc4733 }
    }

    pub(in crate::call::model) fn playing(&self) -> Option<PlayId> {
        let (play, prompt) = self.plays.get(&self.call.caller())?;
        (*prompt != Prompt::Music).then_some(*play)
    }

    pub(in crate::call::model) fn answer_of_store(&self, well: bool) -> Option<Input> {
        let (commit, _) = self.units.first()?;
        Some(if well { Input::Committed(Receipt::durable(*commit)) } else { Input::CommitFailed(*commit) })
    }

    pub(in crate::call::model) fn answer_of_vault(&self, well: bool) -> Option<Input> {
        let Tape::Arming(take, _) = &self.tape else { return None };
        Some(if well { Input::RecordingArmed(*take) } else { Input::RecordingFailed(*take) })
    }

    pub(in crate::call::model) fn running_take(&self) -> Option<TakeId> {
        self.open_take()
    }

    pub(in crate::call::model) fn ringing(&self, n: u8) -> Option<LegId> {
        let legs: Vec<LegId> =
            self.legs.iter().filter(|(_, (state, _))| *state == Leg::Ringing).map(|(leg, _)| *leg).collect();
        (!legs.is_empty()).then(|| legs[usize::from(n) % legs.len()])
    }

    /// A live leg to an agent.
    pub(in crate::call::model) fn agent_leg(&self, n: u8) -> Option<LegId> {
        let legs: Vec<LegId> = self
            .legs
            .keys()
            .filter(|leg| **leg != self.call.caller() && self.alive(**leg))
            .copied()
            .collect();
        (!legs.is_empty()).then(|| legs[usize::from(n) % legs.len()])
    }

    pub(in crate::call::model) fn caller_gone(&self) -> Input {
        Input::LegGone { leg: self.call.caller(), cause: Cause::HungUp }
    }

    /// What a driver says that was asked to ring anew; now and then one that was not.
    pub(in crate::call::model) fn reattach(&mut self) -> Option<Input> {
        let leg = self.call.admit_leg().filter(|_| !self.ended)?;
        Some(Input::Reattach { leg })
    }

    pub(in crate::call::model) fn next_if_all_goes_well(&mut self, n: u8) -> Option<Input> {
        if n.is_multiple_of(3)
            && let Some(input) = self.answer_of_store(true)
        {
            return Some(input);
        }
        if n % 3 == 1
            && let Some(input) = self.answer_of_vault(true)
        {
            return Some(input);
        }
        match self.call.phase() {
            Phase::Answering => Some(Input::CallerConfirmed),
            Phase::Asking if n & 4 == 0 => Some(self.digit(0, if n & 8 == 0 { b'1' } else { b'2' })),
            Phase::Welcome | Phase::Asking | Phase::Waiting => {
                self.playing().map(|play| Input::PromptDone { play })
            }
            Phase::Ringing => self.ringing(n).map(|leg| {
                if n & 16 == 0 { Input::AgentRinging { leg } } else { Input::AgentAnswered { leg } }
            }),
            Phase::Transferring | Phase::Consulting => match (self.ringing(n), self.own_leg()) {
                (Some(leg), _) if n & 16 == 0 => Some(Input::AgentRinging { leg }),
                (Some(leg), _) => Some(Input::AgentAnswered { leg }),
                (None, _) if self.call.phase() == Phase::Transferring => Some(self.referred(n & 16 == 0)),
                (None, Some(by)) => match n >> 4 & 7 {
                    0 => Some(Input::Complete { by }),
                    1 | 2 => Some(Input::ThreeWay { by }),
                    _ => None,
                },
                (None, None) => None,
            },
            Phase::Lost => match (self.ringing(n), self.own_leg()) {
                (Some(leg), _) if n & 16 == 0 => Some(Input::AgentRinging { leg }),
                (Some(leg), _) => Some(Input::AgentAnswered { leg }),
                (None, Some(leg)) if n & 32 == 0 => Some(Input::AgentBack { leg }),
                (None, _) => self.reattach(),
            },
            Phase::Joining | Phase::Talking | Phase::Conference | Phase::Over => None,
        }
    }

    /// The leg of the conversation's agent.
    pub(in crate::call::model) fn own_leg(&self) -> Option<LegId> {
        self.call.talk().map(|talk| talk.party.leg)
    }

    /// A live leg, whosever.
    pub(in crate::call::model) fn any_leg(&self, n: u8) -> Option<LegId> {
        let legs: Vec<LegId> = self.legs.keys().filter(|leg| self.alive(**leg)).copied().collect();
        (!legs.is_empty()).then(|| legs[usize::from(n) % legs.len()])
    }

    pub(in crate::call::model) fn gone_leg(&self, n: u8) -> Option<LegId> {
        let legs: Vec<LegId> = self.legs.keys().filter(|leg| !self.alive(**leg)).copied().collect();
        (!legs.is_empty()).then(|| legs[usize::from(n) % legs.len()])
    }

    pub(in crate::call::model) fn referred(&self, well: bool) -> Input {
        let result = if well { Ok(()) } else { Err(Cause::Busy) };
        Input::Referred { leg: self.call.caller(), result }
    }

    /// Something that was true once.
    pub(in crate::call::model) fn stale(&self, n: u8) -> Option<Input> {
        let gone = || {
            let legs: Vec<LegId> = self.legs.keys().filter(|leg| !self.alive(**leg)).copied().collect();
            (!legs.is_empty()).then(|| legs[usize::from(n >> 4) % legs.len()])
        };
        match n % 12 {
            0 => Some(Input::CallerConfirmed),
            1 => Some(Input::AgentAnswered { leg: gone()? }),
            2 => Some(Input::LegGone { leg: gone()?, cause: Cause::HungUp }),
            3 => Some(Input::AgentRinging { leg: gone()? }),
            4 => Some(Input::Transfer { by: gone()?, to: Target::Agent("ann".into()) }),
            5 => Some(Input::PromptDone { play: PlayId(u32::from(n)) })
                .filter(|_| !self.plays.values().any(|(play, _)| *play == PlayId(u32::from(n)))),
            // Takes and units of work that had their answer, or never were.
            6 | 7 => {
                let take = TakeId(u32::from(n >> 4));
                let old = self.open_take() != Some(take);
                old.then_some(if n % 12 == 6 {
                    Input::RecordingArmed(take)
                } else {
                    Input::RecordingFailed(take)
                })
            }
            8 => Some(Input::Position(u32::from(n))),
            9 => {
                let unit = CommitId(u32::from(n >> 4));
                (!self.units.iter().any(|(id, _)| *id == unit)).then_some(Input::CommitFailed(unit))
            }
            10 => Some(Input::Hold { leg: gone()?, on: n & 16 == 0 }),
            _ => Some(Input::LegGone { leg: LegId { call: self.call.id(), n: 999 }, cause: Cause::HungUp }),
        }
    }
}
