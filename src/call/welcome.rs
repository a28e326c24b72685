//! From the ACK to the queue: Welcome, policy, the consent dialogue, the decision.

use std::sync::Arc;

use crate::consent::{Answered, Case, Decision, Opening, Standing, Step};
use crate::ids::LegId;
use crate::media::{Digit, DigitChannel};
use crate::time::Timestamp;

use super::state::{Hearing, Playing, State, Wait};
use super::timer::PROMPT_LIMIT;
use super::{Call, Cause, Door, Fact, Output, PlayId, Prompt};

impl Call {
    pub(super) fn arrived(&self) -> Fact {
        let arrival = &self.arrival;
        Fact::Arrived {
            call: arrival.call,
            at: self.since,
            from: arrival.from.clone(),
            dialled: arrival.dialled.clone(),
            trunk: arrival.trunk.clone(),
            queue: arrival.queue_id.clone(),
            language: arrival.language.clone(),
        }
    }

    pub(super) fn on_confirmed(&mut self, now: Timestamp) {
        if matches!(self.state, State::Answering) {
            match &self.arrival.door {
                Door::Open | Door::Elsewhere { .. } => {
                    self.state = State::Welcoming(self.play(Prompt::Welcome, now));
                }
                Door::Closed => self.closing(now),
            }
        }
    }

    /// Tells the caller that it is closed; the end of the prompt is the end of the call.
    pub(super) fn closing(&mut self, now: Timestamp) {
        self.state = State::Closing(self.play(Prompt::Closed, now));
    }

    /// Plays a prompt to the caller.
    pub(super) fn play(&mut self, prompt: Prompt, now: Timestamp) -> Playing {
        let play = self.play_to(self.caller, prompt);
        Playing { play, prompt, until: now + PROMPT_LIMIT }
    }

    pub(super) fn play_to(&mut self, leg: LegId, prompt: Prompt) -> PlayId {
        let play = PlayId(self.numbers.play);
        self.numbers.play = self.numbers.play.wrapping_add(1);
        self.put(Output::Play { leg, play, prompt });
        play
    }

    pub(super) fn on_prompt_done(&mut self, play: PlayId, now: Timestamp) {
        let playing = match &self.state {
            State::Welcoming(playing) | State::Closing(playing) => Some(*playing),
            State::Asking { playing, .. } => *playing,
            State::Waiting(wait) | State::Offering(wait, _) | State::Joining(wait, _) => {
                wait.hearing.playing()
            }
            State::Answering
            | State::Talking(_)
            | State::Transferring(_)
            | State::Consulting(_)
            | State::Conference(_)
            | State::Lost(_)
            | State::Over => None,
        };
        if playing.is_some_and(|playing| playing.play == play) {
            self.on_prompt_end(now);
        }
    }

    /// What plays to the caller has ended, or should have.
    pub(super) fn on_prompt_end(&mut self, now: Timestamp) {
        match &mut self.state {
            State::Welcoming(_) => self.open(now),
            State::Closing(_) => self.finish(None, Cause::Closed, now),
            State::Asking { dialogue, playing } => {
                *playing = None;
                let step = dialogue.prompt_done(now);
                self.on_step(step, now);
            }
            State::Waiting(_) => self.next_hearing(Prompt::PleaseWait, now),
            State::Offering(..) | State::Joining(..) => self.next_hearing(Prompt::Music, now),
            State::Answering
            | State::Talking(_)
            | State::Transferring(_)
            | State::Consulting(_)
            | State::Conference(_)
            | State::Lost(_)
            | State::Over => {}
        }
    }

    pub(super) fn opening(&self, now: Timestamp) -> Opening {
        let arrival = &self.arrival;
        let case = Case {
            call: arrival.call,
            policy: &arrival.queue.recording,
            from: arrival.from.as_ref(),
            known: arrival.known,
            language: &arrival.language,
            question_sha256: &arrival.question_sha256,
        };
        Opening::of(case, now)
    }

    /// Welcome was heard: decide or ask.
    fn open(&mut self, now: Timestamp) {
        match self.opening(now) {
            Opening::Decided(decision) => {
                self.decide(decision, None, now);
                let playing = self.play(Prompt::PleaseWait, now);
                self.enqueue_first(Hearing::Notice(playing), now);
            }
            Opening::Ask(dialogue) => {
                let playing = Some(self.play(Prompt::ConsentQuestion, now));
                self.state = State::Asking { dialogue, playing };
            }
        }
    }

    pub(super) fn on_digit(&mut self, leg: LegId, digit: Digit, channel: DigitChannel, now: Timestamp) {
        let from_caller = leg == self.caller;
        if let State::Asking { dialogue, .. } = &mut self.state
            && from_caller
        {
            let step = dialogue.digit(digit, channel, now);
            self.on_step(step, now);
        }
    }

    pub(super) fn on_key_overdue(&mut self, now: Timestamp) {
        if let State::Asking { dialogue, .. } = &mut self.state {
            let step = dialogue.handle_timeout(now);
            self.on_step(step, now);
        }
    }

    fn on_step(&mut self, step: Option<Step>, now: Timestamp) {
        let prompt = match step {
            None => return,
            Some(Step::Ask) => Prompt::ConsentQuestion,
            Some(Step::Correct) => Prompt::InvalidKey,
            Some(Step::Done(decision, answered)) => {
                let prompt = if answered.answer.agreed() { Prompt::Thanks } else { Prompt::Refused };
                self.decide(decision, Some(answered), now);
                let playing = self.play(prompt, now);
                return self.enqueue_first(Hearing::Outcome(playing), now);
            }
        };
        let next = Some(self.play(prompt, now));
        if let State::Asking { playing, .. } = &mut self.state {
            *playing = next;
        }
    }

    /// Notes the call's decision, and the answer if the caller gave one.
    pub(super) fn decide(&mut self, decision: Decision, answered: Option<Answered>, now: Timestamp) {
        if let Some(answered) = answered {
            self.note(Fact::ConsentAnswered {
                call: self.arrival.call,
                from: self.arrival.from.clone(),
                queue: self.arrival.queue_id.clone(),
                answered,
            });
        }
        self.standing = Standing::Lodged(self.lodge(decision, now));
        self.decided_at = Some(now);
    }

    /// Into the first queue, or the one that serves its callers now, at the place of the arrival, whatever was decided.
    fn enqueue_first(&mut self, hearing: Hearing, now: Timestamp) {
        let (id, queue) = match &self.arrival.door {
            Door::Elsewhere { id, queue } => (id, queue),
            Door::Open | Door::Closed => (&self.arrival.queue_id, &self.arrival.queue),
        };
        let wait =
            Wait { id: id.clone(), queue: Arc::clone(queue), since: self.since, overflows: 0, hearing };
        self.enqueue(wait, None, now);
    }
}

impl Hearing {
    pub(super) const fn playing(self) -> Option<Playing> {
        match self {
            Self::Outcome(playing) | Self::Notice(playing) => Some(playing),
            Self::Music => None,
        }
    }
}
