//! The consent dialogue: the question, the key, the attempts, the silence.
//!
//! Play the question when it begins, then tell it of ended prompts, keys and passed time, and do the
//! [`Step`] it gives back. Keys pressed before the question was begun never reach it: they answer
//! nothing.

use crate::ids::CallId;
use crate::media::{Digit, DigitChannel};
use crate::settings::Language;
use crate::time::Timestamp;

use super::decision::{Case, Decision};
use super::policy::{Answer, Answered, Script};

/// What to do next in the dialogue.
#[derive(Debug)]
pub enum Step {
    /// Play the question (again).
    Ask,
    /// Say that the key was neither yes nor no; the question follows.
    Correct,
    /// The caller has answered, in one way or another.
    Done(Decision, Answered),
}

/// One caller being asked.
#[derive(Debug)]
pub struct Dialogue {
    call: CallId,
    script: Script,
    language: Language,
    question_sha256: String,
    /// Questions that may still be asked after the one under way.
    left: u8,
    wrong: Option<(Digit, DigitChannel)>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// The question plays.
    Asking,
    /// "That key is neither" plays.
    Correcting,
    /// The question was heard; a key is awaited.
    Waiting { until: Timestamp },
}

impl Dialogue {
    /// Begins with the question, to be played at once.
    pub(super) fn new(case: &Case<'_>, script: Script) -> Self {
        Self {
            call: case.call,
            left: script.attempts.saturating_sub(1),
            script,
            language: case.language.clone(),
            question_sha256: case.question_sha256.to_owned(),
            wrong: None,
            phase: Phase::Asking,
        }
    }

    /// The call it is part of.
    #[must_use]
    pub const fn call(&self) -> CallId {
        self.call
    }

    /// The prompt that was playing has ended.
    pub fn prompt_done(&mut self, now: Timestamp) -> Option<Step> {
        match self.phase {
            Phase::Asking => {
                self.phase = Phase::Waiting { until: now + self.script.timeout };
                None
            }
            Phase::Correcting => {
                self.phase = Phase::Asking;
                Some(Step::Ask)
            }
            Phase::Waiting { .. } => None,
        }
    }

    /// The caller pressed a key. Without barge-in, keys count only once the question has ended. While the
    /// correction plays, another wrong key is part of the same mistake.
    pub fn digit(&mut self, digit: Digit, channel: DigitChannel, now: Timestamp) -> Option<Step> {
        let heard = match self.phase {
            Phase::Asking | Phase::Correcting => self.script.barge_in,
            Phase::Waiting { .. } => true,
        };
        if !heard {
            return None;
        }
        if digit == self.script.yes {
            return Some(self.done(Answer::Yes(digit, channel), now));
        }
        if digit == self.script.no {
            return Some(self.done(Answer::No(digit, channel), now));
        }
        self.wrong = Some((digit, channel));
        match self.phase {
            Phase::Correcting => None,
            Phase::Asking | Phase::Waiting { .. } => Some(self.again(Phase::Correcting, now)),
        }
    }

    /// When the awaited key is overdue.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Asking | Phase::Correcting => None,
            Phase::Waiting { until } => Some(until),
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Option<Step> {
        let until = self.poll_timeout()?;
        (until <= now).then(|| self.again(Phase::Asking, now))
    }

    /// The caller is gone: that is a no (domain rule 2).
    pub fn left(self, now: Timestamp) -> (Decision, Answered) {
        self.answer(Answer::HungUp, now)
    }

    /// Asks once more, or takes what there is for a no.
    fn again(&mut self, next: Phase, now: Timestamp) -> Step {
        let Some(left) = self.left.checked_sub(1) else {
            let answer = self.wrong.map_or(Answer::Silence, |(key, channel)| Answer::WrongKeys(key, channel));
            return self.done(answer, now);
        };
        self.left = left;
        let step = match next {
            Phase::Correcting => Step::Correct,
            Phase::Asking | Phase::Waiting { .. } => Step::Ask,
        };
        self.phase = next;
        step
    }

    fn done(&self, answer: Answer, now: Timestamp) -> Step {
        let (decision, answered) = self.answer(answer, now);
        Step::Done(decision, answered)
    }

    fn answer(&self, answer: Answer, at: Timestamp) -> (Decision, Answered) {
        let answered = Answered {
            answer,
            at,
            question_sha256: self.question_sha256.clone(),
            language: self.language.clone(),
        };
        (Decision::answered(self.call, &answered), answered)
    }
}
