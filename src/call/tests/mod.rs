//! One call in virtual time: each test is a scene.

#![allow(clippy::wildcard_enum_match_arm)] // a test looks for one variant among many

use std::sync::Arc;
use std::time::Duration;

use ulid::Ulid;

mod answers;
mod asking;
mod consult;
mod flow;
mod lost;
mod recording;
mod replaced;
mod supervise;
mod transfer;

use super::*;
use crate::consent::{
    Answer, AskRule, Known, LegalBasis, OverrideCategory, OverrideReason, OverrideRefused, Policy, Receipt,
    Script,
};
use crate::ids::{CommitId, PhoneNumber};
use crate::media::{Digit, DigitChannel, Seat, Voice};
use crate::settings::{Language, OnRecordingFailure, Overflow, Queue, Strategy};

pub(super) fn key(key: char) -> Digit {
    Digit::try_from(key).expect("a key")
}

pub(super) fn script() -> Script {
    Script {
        yes: key('1'),
        no: key('2'),
        attempts: 3,
        timeout: Duration::from_secs(5),
        barge_in: true,
        ask: AskRule::EveryCall,
    }
}

pub(crate) fn queue(recording: Policy) -> Queue {
    Queue {
        retention: None,
        file_removal: None,
        skills: Vec::new(),
        hours: None,
        closed: Vec::new(),
        when_closed: Overflow::Hangup,
        language: Language("en".into()),
        recording,
        override_allowed: true,
        pause_limit: Some(Duration::from_secs(60)),
        destroy_on_withdrawal: true,
        on_recording_failure: OnRecordingFailure::Continue,
        strategy: Strategy::LongestIdle,
        priority: 0,
        ring_timeout: Duration::from_secs(20),
        wrap_up: Duration::from_secs(10),
        max_wait: Duration::from_secs(600),
        overflow: Overflow::Hangup,
        position_every: None,
        service_seconds: 20,
    }
}

pub(super) fn legal() -> Policy {
    Policy::Always(LegalBasis::Obligation("MiFID II".into()))
}

pub(super) fn arrival(n: u128, queue: Queue) -> Arrival {
    Arrival {
        call: CallId::new(Ulid(n)),
        from: PhoneNumber::parse("+49301234567", None),
        dialled: "100".into(),
        trunk: Some("carrier".into()),
        queue_id: "sales".into(),
        queue: Arc::new(queue),
        language: Language("en".into()),
        question_sha256: "abc".into(),
        known: None,
        door: Door::Open,
    }
}

/// A call with its outputs gathered and the store kept by hand.
struct Scene {
    call: Call,
    now: Timestamp,
    out: Vec<Output>,
    facts: Vec<Fact>,
    commits: Vec<CommitId>,
    /// The name of the last wait.
    wait: Timestamp,
}

impl Scene {
    fn new(arrival: Arrival) -> Self {
        let now = Timestamp::from_micros(1_000_000_000);
        let call = Call::new(arrival, now);
        let mut scene =
            Self { call, now, out: Vec::new(), facts: Vec::new(), commits: Vec::new(), wait: now };
        scene.drain();
        assert!(matches!(scene.out[..], [Output::Answer]));
        scene
    }

    fn with(recording: Policy, set: impl FnOnce(&mut Queue)) -> Self {
        let mut queue = queue(recording);
        set(&mut queue);
        Self::new(arrival(1, queue))
    }

    fn drain(&mut self) {
        self.out.clear();
        while let Some(output) = self.call.poll_output() {
            if let Output::Commit(id, facts) = &output {
                self.commits.push(*id);
                self.facts.extend(facts.iter().cloned());
            }
            if let Output::Enqueue { since, .. } = &output {
                self.wait = *since;
            }
            self.out.push(output);
        }
    }

    fn input(&mut self, input: Input) -> &mut Self {
        self.call.handle(input, self.now);
        self.drain();
        self
    }

    /// Lets time pass to the next deadline, which must be the named one.
    fn timer(&mut self, name: TimerName) -> &mut Self {
        let (at, found) = self.call.poll_timeout().expect("a timer");
        assert_eq!(found, name);
        self.call.handle_timeout(at - Duration::from_micros(1));
        assert!(self.call.poll_output().is_none(), "too early");
        self.now = at;
        self.call.handle_timeout(at);
        self.drain();
        self
    }

    fn last_play(&self) -> PlayId {
        PlayId(self.call.numbers.play - 1)
    }

    /// What plays to its end.
    fn prompt_done(&mut self) -> &mut Self {
        let play = self.last_play();
        self.input(Input::PromptDone { play })
    }

    fn press(&mut self, digit: char) -> &mut Self {
        let leg = self.call.caller();
        self.input(Input::Digit { leg, digit: key(digit), channel: DigitChannel::Rfc4733 })
    }

    /// The store answers all units of work that wait.
    fn store(&mut self, well: bool) -> &mut Self {
        let mut all = Vec::new();
        for commit in std::mem::take(&mut self.commits) {
            let input =
                if well { Input::Committed(Receipt::durable(commit)) } else { Input::CommitFailed(commit) };
            self.call.handle(input, self.now);
            self.drain();
            all.append(&mut self.out);
        }
        self.out = all;
        self
    }

    fn leg(&self, n: u16) -> LegId {
        LegId { call: self.call.id(), n }
    }

    /// Through the ACK and Welcome.
    fn welcomed(mut self) -> Self {
        self.input(Input::CallerConfirmed);
        assert_eq!(self.plays(), [Prompt::Welcome]);
        self.prompt_done();
        self
    }

    fn ring(&mut self, agents: &[&str]) -> &mut Self {
        let agents = agents.iter().map(|name| AgentId::from(*name)).collect();
        let since = self.wait;
        self.input(Input::Ring { agents, since })
    }

    /// From the queue into a recorded conversation with `agent` on leg `n`.
    fn recorded(&mut self, agent: &str, n: u16) -> &mut Self {
        self.ring(&[agent]);
        let take = self.armed().expect("allowed to be recorded");
        self.input(Input::RecordingArmed(take));
        let leg = self.leg(n);
        self.input(Input::AgentAnswered { leg });
        assert_eq!(self.call.phase(), Phase::Talking);
        assert!(matches!(self.call.recording_state(), RecordingState::Recording(_)));
        self
    }

    /// Sent on to an agent whom the queue holds for the call: the phone rings.
    fn sent_to(&mut self, by: LegId, agent: &str) -> &mut Self {
        self.input(Input::Transfer { by, to: Target::Agent(agent.into()) });
        assert!(self.has(|o| matches!(o, Output::Claim { agent: claimed } if claimed.0 == agent)));
        let mut all = std::mem::take(&mut self.out);
        self.input(Input::Claimed { agent: agent.into(), free: true });
        all.append(&mut self.out);
        self.out = all;
        self
    }

    fn plays(&self) -> Vec<Prompt> {
        self.out
            .iter()
            .filter_map(|output| if let Output::Play { prompt, .. } = output { Some(*prompt) } else { None })
            .collect()
    }

    fn armed(&self) -> Option<TakeId> {
        self.out.iter().find_map(|output| {
            if let Output::ArmRecording { take, .. } = output { Some(*take) } else { None }
        })
    }

    fn has(&self, found: impl Fn(&Output) -> bool) -> bool {
        self.out.iter().any(found)
    }

    fn enqueued(&self) -> Option<(QueueId, Option<AgentId>, Timestamp)> {
        self.out.iter().find_map(|output| match output {
            Output::Enqueue { queue, only, since, .. } => Some((queue.clone(), only.clone(), *since)),
            _ => None,
        })
    }

    fn bases(&self) -> Vec<Basis> {
        self.facts
            .iter()
            .filter_map(
                |fact| if let Fact::Decided { basis, .. } = fact { Some(basis.clone()) } else { None },
            )
            .collect()
    }

    fn answers(&self) -> Vec<Answer> {
        self.facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::ConsentAnswered { answered, .. } => Some(answered.answer),
                _ => None,
            })
            .collect()
    }

    fn ended(&self) -> bool {
        matches!(self.out.last(), Some(Output::Ended))
            && self.call.phase() == Phase::Over
            && self.call.poll_timeout().is_none()
    }
}

/// Whether all of these hear each other from now on.
fn all_speak(output: &Output, legs: &[LegId]) -> bool {
    let seats = legs.iter().map(|leg| Seat { leg: leg.n, voice: Voice::All });
    matches!(output, Output::Join { seats: joined } if seats.eq(joined.iter().copied()))
}

fn consent() -> Policy {
    Policy::Consent(script())
}
