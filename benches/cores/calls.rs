//! The call core: a recorded call from its arrival to its end, in virtual time.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use sayso::call::{Arrival, Call, Cause, Door, Input, Output, Phase, PlayId, TakeId};
use sayso::consent::Receipt;
use sayso::ids::{CallId, CommitId, LegId, PhoneNumber};
use sayso::media::{Digit, DigitChannel};
use sayso::settings::{Language, Queue};
use sayso::time::Timestamp;
use ulid::Ulid;

use crate::scene::START;

pub(crate) fn benches(criterion: &mut Criterion) {
    let arrival = Arrival {
        call: CallId::new(Ulid(1)),
        from: PhoneNumber::parse("+49301234567", None),
        dialled: "100".to_owned(),
        trunk: Some("carrier".into()),
        queue_id: "sales".into(),
        queue: Arc::new(Queue::default()),
        language: Language("en".to_owned()),
        question_sha256: "ab".repeat(32),
        known: None,
        door: Door::Open,
    };
    let walked = Walk::through(arrival.clone());
    assert!(walked.recorded && walked.bridged && walked.over, "the call was recorded and is over");
    assert!(walked.facts >= 5, "{} facts", walked.facts);
    let mut group = criterion.benchmark_group("call");
    // Per second: how many events a core carries on one thread.
    group.throughput(Throughput::Elements(walked.inputs));
    group.bench_function("a recorded call, event by event", |bencher| {
        bencher.iter(|| black_box(Walk::through(black_box(arrival.clone()))).inputs);
    });
    group.finish();
}

/// A call, and a shell that does what it says at once.
struct Walk {
    call: Call,
    now: Timestamp,
    play: Option<PlayId>,
    take: Option<TakeId>,
    since: Option<Timestamp>,
    commits: Vec<CommitId>,
    inputs: u64,
    facts: usize,
    recorded: bool,
    bridged: bool,
    over: bool,
}

impl Walk {
    /// Welcome, question, yes, an agent, talk, and the caller hangs up.
    fn through(arrival: Arrival) -> Self {
        let mut walk = Self {
            call: Call::new(arrival, START),
            now: START,
            play: None,
            take: None,
            since: None,
            commits: Vec::new(),
            inputs: 0,
            facts: 0,
            recorded: false,
            bridged: false,
            over: false,
        };
        walk.drain();
        let caller = walk.call.caller();
        let agent = LegId { call: walk.call.id(), n: 1 };
        let yes = Digit::try_from('1').expect("a key");
        walk.input(Input::CallerConfirmed).stored().played();
        walk.input(Input::Digit { leg: caller, digit: yes, channel: DigitChannel::Rfc4733 })
            .stored()
            .played();
        walk.played();
        let since = walk.since.expect("the caller waits in the queue");
        walk.input(Input::Ring { agents: vec!["ada".into()], since }).stored();
        let take = walk.take.expect("the caller agreed");
        walk.input(Input::RecordingArmed(take)).input(Input::AgentRinging { leg: agent });
        walk.input(Input::AgentAnswered { leg: agent }).stored();
        assert_eq!(walk.call.phase(), Phase::Talking);
        walk.input(Input::LegGone { leg: caller, cause: Cause::HungUp }).stored();
        walk
    }

    fn input(&mut self, input: Input) -> &mut Self {
        self.now = self.now + Duration::from_secs(1);
        self.inputs += 1;
        self.call.handle(input, self.now);
        self.drain();
        self
    }

    /// What plays to its end.
    fn played(&mut self) -> &mut Self {
        match self.play.take() {
            Some(play) => self.input(Input::PromptDone { play }),
            None => self,
        }
    }

    /// What is to be stored is.
    fn stored(&mut self) -> &mut Self {
        while let Some(commit) = self.commits.pop() {
            self.input(Input::Committed(Receipt::durable(commit)));
        }
        self
    }

    #[allow(clippy::wildcard_enum_match_arm)] // it looks for some outputs among many
    fn drain(&mut self) {
        while let Some(output) = self.call.poll_output() {
            match output {
                Output::Play { play, .. } => self.play = Some(play),
                Output::Commit(commit, facts) => {
                    self.facts += facts.len();
                    self.commits.push(commit);
                }
                Output::Enqueue { since, .. } => self.since = Some(since),
                Output::ArmRecording { take, .. } => self.take = Some(take),
                Output::StartRecording { .. } => self.recorded = true,
                Output::Bridge { .. } => self.bridged = true,
                Output::Ended => self.over = true,
                _ => {}
            }
        }
    }
}
