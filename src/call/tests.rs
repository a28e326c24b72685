//! One call in virtual time: each test is a scene.

use std::sync::Arc;
use std::time::Duration;

use ulid::Ulid;

use super::*;
use crate::consent::{
    Answer, AskRule, Known, LegalBasis, OverrideCategory, OverrideReason, OverrideRefused, Policy, Receipt,
    Script,
};
use crate::ids::{CommitId, PhoneNumber};
use crate::media::{Digit, DigitChannel};
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

pub(super) fn queue(recording: Policy) -> Queue {
    Queue {
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
    }
}

/// A call with its outputs gathered and the store kept by hand.
struct Scene {
    call: Call,
    now: Timestamp,
    out: Vec<Output>,
    facts: Vec<Fact>,
    commits: Vec<CommitId>,
}

impl Scene {
    fn new(arrival: Arrival) -> Self {
        let now = Timestamp::from_micros(1_000_000_000);
        let call = Call::new(arrival, now);
        let mut scene = Self { call, now, out: Vec::new(), facts: Vec::new(), commits: Vec::new() };
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
        self.input(Input::Ring(agents.iter().map(|name| AgentId::from(*name)).collect()))
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

    fn plays(&self) -> Vec<Prompt> {
        self.out
            .iter()
            .filter_map(|output| if let Output::Play { prompt, .. } = output { Some(*prompt) } else { None })
            .collect()
    }

    fn armed(&self) -> Option<TakeId> {
        self.out.iter().find_map(
            |output| if let Output::ArmRecording { take, .. } = output { Some(*take) } else { None },
        )
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
            .filter_map(|fact| if let Fact::Decided { basis, .. } = fact { Some(basis.clone()) } else { None })
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

fn consent() -> Policy {
    Policy::Consent(script())
}

/// What a caller can do when asked, and what it means. Every one of them waits in the same queue, at the
/// place of the arrival.
#[test]
fn only_a_pressed_yes_is_a_yes() {
    type Play = fn(&mut Scene);
    let cases: [(&str, Play, Answer); 6] = [
        ("yes", |s| drop(s.prompt_done().press('1')), Answer::Yes(key('1'), DigitChannel::Rfc4733)),
        ("yes, cutting short", |s| drop(s.press('1')), Answer::Yes(key('1'), DigitChannel::Rfc4733)),
        ("no", |s| drop(s.prompt_done().press('2')), Answer::No(key('2'), DigitChannel::Rfc4733)),
        (
            "silence",
            |s| {
                for _ in 0..3 {
                    s.prompt_done().timer(TimerName::Key);
                }
            },
            Answer::Silence,
        ),
        (
            "wrong keys",
            |s| {
                s.prompt_done().press('5');
                assert_eq!(s.plays(), [Prompt::InvalidKey]);
                s.press('6'); // still the same mistake
                assert!(s.plays().is_empty());
                s.prompt_done();
                assert_eq!(s.plays(), [Prompt::ConsentQuestion]);
                s.press('7').prompt_done().press('9');
            },
            Answer::WrongKeys(key('9'), DigitChannel::Rfc4733),
        ),
        (
            "a wrong key, then silence",
            |s| {
                s.press('8').prompt_done().prompt_done().timer(TimerName::Key);
                s.prompt_done().timer(TimerName::Key);
            },
            Answer::WrongKeys(key('8'), DigitChannel::Rfc4733),
        ),
    ];
    for (name, play, answer) in cases {
        let mut scene = Scene::with(consent(), |_| {}).welcomed();
        let arrived = Timestamp::from_micros(1_000_000_000);
        assert_eq!(scene.plays(), [Prompt::ConsentQuestion], "{name}");
        play(&mut scene);
        let outcome = if answer.agreed() { Prompt::Thanks } else { Prompt::Refused };
        assert_eq!(scene.plays(), [outcome], "{name}");
        assert_eq!(scene.enqueued(), Some(("sales".into(), None, arrived)), "{name}");
        assert_eq!(scene.answers(), [answer], "{name}");
        assert_eq!(scene.bases().len(), 1, "{name}");
        assert_eq!(scene.bases()[0].allows(), answer.agreed(), "{name}");
        scene.store(true).ring(&["ann"]);
        assert_eq!(scene.armed().is_some(), answer.agreed(), "{name}");
    }
}

#[test]
fn a_key_during_welcome_answers_nothing() {
    let mut scene = Scene::with(consent(), |_| {});
    scene.input(Input::CallerConfirmed).press('1');
    assert!(scene.out.is_empty());
    scene.prompt_done();
    assert_eq!(scene.plays(), [Prompt::ConsentQuestion]);
    assert!(scene.bases().is_empty());
}

#[test]
fn without_barge_in_keys_count_from_the_end_of_the_question() {
    let mut scene =
        Scene::with(Policy::Consent(Script { barge_in: false, ..script() }), |_| {}).welcomed();
    scene.press('1');
    assert!(scene.out.is_empty() && scene.bases().is_empty());
    scene.prompt_done().press('1');
    assert_eq!(scene.plays(), [Prompt::Thanks]);
}

#[test]
fn a_key_of_another_leg_answers_nothing() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    let leg = scene.leg(1);
    scene.input(Input::Digit { leg, digit: key('1'), channel: DigitChannel::Info });
    assert!(scene.out.is_empty());
}

#[test]
fn the_ask_rule_says_when_a_stored_answer_is_used() {
    let day = Duration::from_secs(86_400);
    let at = Timestamp::from_micros(1_000_000_000) - 10 * day;
    let known = |agreed| Some(Known { agreed, at });
    let cases = [
        (AskRule::EveryCall, known(true), false, None),
        (AskRule::WhenUnknown, None, false, None),
        (AskRule::WhenUnknown, known(true), false, Some(Basis::AgreedEarlier(at))),
        (AskRule::WhenUnknown, known(false), false, Some(Basis::RefusedEarlier(at))),
        (AskRule::OlderThan(9 * day), known(true), false, None),
        (AskRule::OlderThan(11 * day), known(true), false, Some(Basis::AgreedEarlier(at))),
        (AskRule::WhenUnknown, known(true), true, None), // withheld: nothing stored is this caller's
    ];
    for (ask, known, withheld, expected) in cases {
        let mut arrival = arrival(1, queue(Policy::Consent(Script { ask, ..script() })));
        arrival.known = known;
        if withheld {
            arrival.from = None;
        }
        let scene = Scene::new(arrival).welcomed();
        let asked = scene.call.phase() == Phase::Asking;
        assert_eq!(asked, expected.is_none(), "{ask:?} {known:?}");
        assert_eq!(scene.bases().into_iter().next(), expected, "{ask:?} {known:?}");
    }
}

#[test]
fn a_withheld_number_is_answered_for_this_call_only() {
    let mut arrival = arrival(1, queue(consent()));
    arrival.from = None;
    let mut scene = Scene::new(arrival).welcomed();
    scene.press('1');
    assert!(scene.facts.iter().any(|fact| matches!(fact, Fact::ConsentAnswered { from: None, .. })));
}

#[test]
fn never_and_always_are_decided_without_asking() {
    for (policy, basis) in [
        (Policy::Never, Basis::Never),
        (legal(), Basis::Legal(LegalBasis::Obligation("MiFID II".into()))),
    ] {
        let mut scene = Scene::with(policy, |_| {}).welcomed();
        assert_eq!(scene.plays(), [Prompt::PleaseWait]);
        assert_eq!(scene.bases(), [basis.clone()]);
        assert!(scene.enqueued().is_some());
        scene.store(true).ring(&["ann"]);
        assert_eq!(scene.armed().is_some(), basis.allows());
    }
}

/// The order that keeps every word: capture, then bridge; the agent reported before the queue is left.
#[test]
fn a_recorded_conversation_from_end_to_end() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').store(true).prompt_done();
    assert_eq!(scene.plays(), [Prompt::PleaseWait]);
    scene.prompt_done();
    assert_eq!(scene.plays(), [Prompt::Music]);
    scene.ring(&["ann"]);
    let (take, leg) = (scene.armed().expect("armed"), scene.leg(1));
    scene.input(Input::RecordingArmed(take)).input(Input::AgentRinging { leg }).input(Input::AgentAnswered { leg });
    let caller = scene.call.caller();
    assert!(
        matches!(
            &scene.out[..],
            [
                Output::StopPlay { leg: stopped },
                Output::StartRecording { caller: left, agent: right },
                Output::Bridge { .. },
                Output::AgentReport { report: AgentReport::Connected, .. },
                Output::Dequeue,
                Output::Commit(..),
            ] if *stopped == caller && *left == caller && *right == leg
        ),
        "{:?}",
        scene.out
    );
    scene.input(Input::LegGone { leg, cause: Cause::HungUp });
    assert!(scene.has(|o| matches!(o, Output::StopRecording { destroy: false })));
    assert!(scene.has(|o| matches!(o, Output::Hangup { leg, cause: Cause::OtherSideGone } if *leg == caller)));
    assert!(scene.has(|o| matches!(o, Output::AgentReport { report: AgentReport::Finished, .. })));
    assert!(scene.ended());
    scene.input(Input::LegGone { leg: caller, cause: Cause::OtherSideGone });
    assert!(scene.out.is_empty(), "nothing comes after the end");
}

#[test]
fn no_arming_before_the_decision_is_stored() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').ring(&["ann"]);
    assert_eq!(scene.armed(), None);
    let leg = scene.leg(1);
    scene.input(Input::AgentAnswered { leg });
    assert_eq!(scene.call.phase(), Phase::Joining, "waits for the store");
    scene.input(Input::Committed(Receipt::durable(CommitId(9_999))));
    assert_eq!(scene.armed(), None, "another unit's receipt is none");
    scene.store(true);
    let take = scene.armed().expect("armed");
    scene.input(Input::RecordingArmed(take));
    assert!(scene.has(|o| matches!(o, Output::StartRecording { .. })));
    assert_eq!(scene.call.phase(), Phase::Talking);
}

#[test]
fn a_decision_that_cannot_be_stored_is_a_no_and_the_call_goes_on() {
    let mut scene = Scene::with(legal(), |q| q.on_recording_failure = OnRecordingFailure::DropCall).welcomed();
    let before = scene.facts.len();
    scene.store(false).ring(&["ann"]);
    assert_eq!(scene.armed(), None);
    let again = &scene.facts[before..];
    assert!(again.iter().any(|fact| matches!(fact, Fact::Arrived { .. })), "lost facts come again");
    assert!(again.iter().any(|fact| matches!(fact, Fact::Decided { basis: Basis::NotStored, .. })));
    assert!(!again.iter().any(|fact| matches!(fact, Fact::Decided { basis: Basis::Legal(_), .. })));
    let leg = scene.leg(1);
    scene.input(Input::AgentAnswered { leg });
    assert!(scene.has(|o| matches!(o, Output::Bridge { .. })));
    assert_eq!(scene.call.recording_state(), RecordingState::Off(Some(&Basis::NotStored)));
}

#[test]
fn a_recording_that_cannot_be_made_follows_the_queues_policy() {
    for (policy, dropped) in [(OnRecordingFailure::Continue, false), (OnRecordingFailure::DropCall, true)] {
        // Before the answer, after it, and in mid-conversation.
        for moment in 0..3 {
            let mut scene = Scene::with(legal(), |q| q.on_recording_failure = policy).welcomed();
            scene.store(true).ring(&["ann"]);
            let (take, leg) = (scene.armed().expect("armed"), scene.leg(1));
            match moment {
                0 => scene.input(Input::RecordingFailed(take)).input(Input::AgentAnswered { leg }),
                1 => scene.input(Input::AgentAnswered { leg }).input(Input::RecordingFailed(take)),
                _ => scene
                    .input(Input::RecordingArmed(take))
                    .input(Input::AgentAnswered { leg })
                    .input(Input::RecordingFailed(take)),
            };
            assert_eq!(scene.ended(), dropped, "{policy:?} {moment}");
            assert_eq!(scene.call.phase() == Phase::Talking, !dropped, "{policy:?} {moment}");
            let failures = scene.facts.iter().filter(|f| matches!(f, Fact::RecordingFailed { .. })).count();
            assert_eq!(failures, 1, "{policy:?} {moment}");
            scene.input(Input::RecordingFailed(take)).input(Input::RecordingArmed(take));
            assert!(scene.out.is_empty(), "said twice");
        }
    }
}

#[test]
fn an_answered_agent_waits_half_a_second_for_the_recording() {
    let start = |policy| {
        let mut scene = Scene::with(legal(), |q| q.on_recording_failure = policy).welcomed();
        scene.prompt_done().store(true).ring(&["ann"]);
        let (take, leg) = (scene.armed().expect("armed"), scene.leg(1));
        scene.input(Input::AgentAnswered { leg });
        assert!(!scene.has(|o| matches!(o, Output::Bridge { .. })));
        let asked = scene.now;
        scene.timer(TimerName::Arm);
        assert_eq!(scene.now.since(asked), Duration::from_millis(500));
        (scene, take)
    };
    let (mut scene, take) = start(OnRecordingFailure::Continue);
    assert!(scene.has(|o| matches!(o, Output::Bridge { .. })));
    assert!(!scene.has(|o| matches!(o, Output::StartRecording { .. })));
    scene.input(Input::RecordingArmed(take));
    assert!(scene.has(|o| matches!(o, Output::StartRecording { .. })), "better late than not");
    let (scene, _) = start(OnRecordingFailure::DropCall);
    assert!(scene.ended());
    assert!(scene.has(|o| matches!(o, Output::StopRecording { destroy: false })), "the armed one is given back");
}

/// In every phase, whoever hangs up, nothing is left.
#[test]
fn a_hang_up_at_any_moment_leaves_nothing() {
    let steps: [(&str, fn(&mut Scene)); 9] = [
        ("ack", |s| drop(s.input(Input::CallerConfirmed))),
        ("welcome", |s| drop(s.prompt_done())),
        ("key", |s| drop(s.press('1'))),
        ("store", |s| drop(s.store(true))),
        ("thanks", |s| drop(s.prompt_done())),
        ("ring", |s| drop(s.ring(&["ann", "bob"]))),
        ("answer", |s| {
            let leg = s.leg(2);
            s.input(Input::AgentAnswered { leg });
        }),
        ("arm", |s| drop(s.input(Input::RecordingArmed(TakeId(0))))),
        ("pause", |s| drop(s.input(Input::Recording(RecordingRequest::Pause { agent: "bob".into() })))),
    ];
    for count in 0..=steps.len() {
        for end in [Input::LegGone { leg: LegId::caller(CallId::new(Ulid(1))), cause: Cause::HungUp }, Input::Shutdown]
        {
            let hung_up = matches!(end, Input::LegGone { .. });
            let mut scene = Scene::with(consent(), |_| {});
            for (_, step) in &steps[..count] {
                step(&mut scene);
            }
            let at = steps[..count].last().map_or("answer sent", |(name, _)| name);
            scene.input(end);
            assert!(scene.ended(), "after {at}");
            assert_eq!(scene.has(|o| matches!(o, Output::Hangup { leg, .. } if leg.n == 0)), !hung_up, "after {at}");
            let agents = scene.out.iter().filter(|o| matches!(o, Output::AgentReport { .. })).count();
            let legs = scene.out.iter().filter(|o| matches!(o, Output::Hangup { leg, .. } if leg.n > 0)).count();
            assert_eq!(agents, legs, "after {at}");
            assert_eq!(legs, [0, 0, 0, 0, 0, 0, 2, 1, 1, 1][count], "after {at}");
            assert_eq!(
                scene.has(|o| matches!(o, Output::StopRecording { destroy: false })),
                count >= 6,
                "after {at}"
            );
            assert_eq!(scene.has(|o| matches!(o, Output::Dequeue)), (3..=7).contains(&count), "after {at}");
            assert_eq!(scene.bases().len(), 1, "after {at}");
            let asked = (2..3).contains(&count) && hung_up;
            assert_eq!(scene.answers().contains(&Answer::HungUp), asked, "after {at}");
            assert_eq!(scene.facts.iter().filter(|f| matches!(f, Fact::Ended { .. })).count(), 1, "after {at}");
        }
    }
}

#[test]
fn nobody_answers_and_the_caller_waits_on_with_music() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').prompt_done().prompt_done().store(true).ring(&["ann"]);
    let take = scene.armed().expect("armed");
    scene.input(Input::RecordingArmed(take)).timer(TimerName::Ring);
    assert!(scene.has(|o| matches!(o, Output::Hangup { cause: Cause::NoAnswer, .. })));
    assert!(scene.has(|o| matches!(o, Output::AgentReport { report: AgentReport::Missed(Cause::NoAnswer), .. })));
    assert!(!scene.has(|o| matches!(o, Output::Dequeue | Output::Enqueue { .. })), "the place is kept");
    assert!(scene.plays().is_empty(), "the music goes on");
    scene.ring(&["bob"]);
    assert_eq!(scene.armed(), None, "the armed take serves the next agent");
    let leg = scene.leg(2);
    scene.input(Input::AgentAnswered { leg });
    assert!(scene.has(|o| matches!(o, Output::StartRecording { .. })));
}

#[test]
fn all_ring_and_the_first_to_answer_has_the_call() {
    let mut scene = Scene::with(Policy::Never, |_| {}).welcomed();
    scene.ring(&["ann", "bob", "cy"]);
    let (first, busy, late) = (scene.leg(2), scene.leg(1), scene.leg(3));
    scene.input(Input::LegGone { leg: busy, cause: Cause::Busy });
    assert_eq!(scene.call.phase(), Phase::Ringing, "others still ring");
    scene.input(Input::AgentAnswered { leg: first });
    assert!(scene.has(|o| matches!(o, Output::Hangup { leg, cause: Cause::AnsweredElsewhere } if *leg == late)));
    assert!(scene.has(
        |o| matches!(o, Output::AgentReport { agent, report: AgentReport::Released } if agent.0 == "cy")
    ));
    scene.input(Input::AgentAnswered { leg: late }).input(Input::LegGone { leg: late, cause: Cause::Cancelled });
    assert!(scene.out.is_empty(), "its 200 crossed our CANCEL");
    assert_eq!(scene.call.agent(), Some(&"bob".into()));
}

#[test]
fn an_agent_lost_before_the_bridge_gives_the_caller_back_to_the_queue() {
    let mut scene = Scene::with(legal(), |_| {}).welcomed();
    scene.store(true).ring(&["ann"]);
    let leg = scene.leg(1);
    scene.input(Input::AgentAnswered { leg }).input(Input::LegGone { leg, cause: Cause::HungUp });
    assert_eq!(scene.call.phase(), Phase::Waiting);
    assert!(scene.has(|o| matches!(o, Output::AgentReport { report: AgentReport::Missed(Cause::HungUp), .. })));
}

fn reason(text: &str) -> OverrideReason {
    OverrideReason { category: OverrideCategory::Emergency, text: text.into() }
}

fn refused(set: impl FnOnce(&mut Queue)) -> Scene {
    let mut scene = Scene::with(consent(), set).welcomed();
    scene.press('2').store(true).ring(&["ann"]);
    let leg = scene.leg(1);
    scene.input(Input::AgentAnswered { leg }).store(true);
    assert!(matches!(scene.call.recording_state(), RecordingState::Off(Some(Basis::Refused(_)))));
    scene
}

fn override_by(agent: &str, text: &str) -> Input {
    Input::Recording(RecordingRequest::Override { agent: agent.into(), reason: reason(text) })
}

#[test]
fn an_override_is_audited_before_the_first_sample() {
    let mut scene = refused(|_| {});
    scene.input(override_by("ann", "threat of violence"));
    assert!(matches!(&scene.out[..], [Output::Commit(_, facts)]
        if matches!(facts[..], [Fact::Overridden { .. }, Fact::Decided { basis: Basis::Override { .. }, .. }])));
    scene.store(true);
    let take = scene.armed().expect("armed only now");
    scene.input(Input::RecordingArmed(take));
    assert!(matches!(&scene.out[..], [Output::StartRecording { .. }]), "from now on, no new bridge");
    // It was this agent's: the next conversation is as unrecorded as the caller wished.
    let by = scene.leg(1);
    scene.input(Input::Transfer { by, to: Target::Agent("bob".into()) });
    assert!(scene.has(|o| matches!(o, Output::StopRecording { destroy: false })));
    scene.store(true).ring(&["bob"]);
    assert_eq!(scene.armed(), None);
}

#[test]
fn an_override_needs_leave_a_reason_and_a_store() {
    let mut scene = refused(|q| q.override_allowed = false);
    assert_eq!(scene.call.may_override(&"ann".into(), &reason("x")), Err(OverrideRefused::NotAllowed));
    scene.input(override_by("ann", "x"));
    assert!(scene.out.is_empty());
    let mut scene = refused(|_| {});
    assert_eq!(scene.call.may_override(&"ann".into(), &reason("  ")), Err(OverrideRefused::NoReason));
    scene.input(override_by("ann", "  ")).input(override_by("bob", "not the agent in conversation"));
    assert!(scene.out.is_empty());
    assert_eq!(scene.call.may_override(&"ann".into(), &reason("x")), Ok(()));
    scene.input(override_by("ann", "x")).store(false);
    assert_eq!(scene.armed(), None);
    let before = scene.facts.len();
    scene.input(Input::Shutdown);
    let late = &scene.facts[before..];
    assert!(!late.iter().any(|f| matches!(f, Fact::Overridden { .. } | Fact::Decided { .. })), "did not happen");
    let mut agreed = Scene::with(consent(), |_| {}).welcomed();
    agreed.press('1').store(true).recorded("ann", 1);
    assert_eq!(agreed.call.may_override(&"ann".into(), &reason("x")), Err(OverrideRefused::NotNeeded));
}

#[test]
fn a_pause_ends_by_request_or_by_the_limit() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').store(true).recorded("ann", 1);
    let pause = || Input::Recording(RecordingRequest::Pause { agent: "ann".into() });
    scene.input(Input::Recording(RecordingRequest::Pause { agent: "bob".into() }));
    assert!(scene.out.is_empty(), "bob is not in this conversation");
    scene.input(pause());
    assert!(scene.has(|o| matches!(o, Output::PauseRecording)));
    assert!(matches!(scene.call.recording_state(), RecordingState::Paused(_)));
    scene.input(pause());
    assert!(scene.out.is_empty(), "said twice");
    scene.input(Input::Recording(RecordingRequest::Resume { agent: "ann".into() }));
    assert!(scene.has(|o| matches!(o, Output::ResumeRecording)));
    let paused = scene.input(pause()).now;
    scene.timer(TimerName::Pause);
    assert_eq!(scene.now.since(paused), Duration::from_secs(60));
    assert!(scene.has(|o| matches!(o, Output::ResumeRecording)));
    assert!(matches!(scene.facts.last(), Some(Fact::Paused { agent: None, on: false, .. })));
}

#[test]
fn hold_is_music_for_the_held_and_silence_in_the_recording() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').store(true).recorded("ann", 1);
    let (caller, agent) = (scene.call.caller(), scene.leg(1));
    scene.input(Input::Hold { leg: agent, on: true });
    assert!(matches!(&scene.out[..], [Output::Play { leg, prompt: Prompt::Music, .. }, Output::PauseRecording]
        if *leg == caller));
    scene.input(Input::Recording(RecordingRequest::Pause { agent: "ann".into() }));
    scene.input(Input::Hold { leg: agent, on: false });
    assert!(matches!(&scene.out[..], [Output::StopPlay { leg }] if *leg == caller), "still paused");
    scene.input(Input::Recording(RecordingRequest::Resume { agent: "ann".into() }));
    assert!(scene.has(|o| matches!(o, Output::ResumeRecording)));
}

#[test]
fn withdrawal_stops_at_once_and_destroys_by_policy() {
    for destroy in [true, false] {
        let mut scene = Scene::with(consent(), |q| q.destroy_on_withdrawal = destroy).welcomed();
        scene.press('1').store(true).recorded("ann", 1);
        scene.input(Input::Recording(RecordingRequest::Withdraw));
        assert!(scene.has(|o| matches!(o, Output::StopRecording { destroy: d } if *d == destroy)));
        assert!(scene.facts.iter().any(|fact| matches!(fact, Fact::ConsentWithdrawn { .. })));
        assert!(matches!(scene.bases()[..], [Basis::Agreed(_), Basis::Withdrawn(_)]));
        scene.store(true);
        let by = scene.leg(1);
        scene.input(Input::Transfer { by, to: Target::Agent("bob".into()) }).ring(&["bob"]);
        assert_eq!(scene.armed(), None, "and stays off");
        scene.input(Input::Recording(RecordingRequest::Withdraw));
        assert!(scene.out.is_empty(), "there is nothing left to take back");
    }
}

#[test]
fn withdrawal_reaches_earlier_takes_and_takes_on_their_way() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').store(true).recorded("ann", 1);
    let by = scene.leg(1);
    scene.input(Input::Transfer { by, to: Target::Agent("bob".into()) });
    scene.input(Input::Recording(RecordingRequest::Withdraw));
    assert!(scene.has(|o| matches!(o, Output::StopRecording { destroy: true })), "ann's take");
    // Withdrawn while the yes is not even stored: its receipt comes to nothing.
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').input(Input::Recording(RecordingRequest::Withdraw)).ring(&["ann"]).store(true);
    assert_eq!(scene.armed(), None);
    // A legal basis does not rest on consent.
    let mut scene = Scene::with(legal(), |_| {}).welcomed();
    scene.store(true).input(Input::Recording(RecordingRequest::Withdraw));
    assert!(scene.out.is_empty());
}

#[test]
fn a_late_word_of_an_earlier_take_starts_nothing() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').store(true).ring(&["ann"]);
    let first = scene.armed().expect("armed");
    let leg = scene.leg(1);
    scene.input(Input::AgentAnswered { leg }).timer(TimerName::Arm);
    scene.input(Input::Transfer { by: leg, to: Target::Agent("bob".into()) }).ring(&["bob"]);
    let second = scene.armed().expect("armed anew");
    assert_ne!(first, second);
    let leg = scene.leg(2);
    scene.input(Input::AgentAnswered { leg }).input(Input::RecordingArmed(first));
    assert!(scene.out.is_empty(), "the second's key and row are not stored yet");
    scene.input(Input::RecordingArmed(second));
    assert!(scene.has(|o| matches!(o, Output::StartRecording { .. })));
}

#[test]
fn a_transfer_keeps_the_first_queues_policy() {
    // From a queue that asked to one that never records, and the other way round.
    for (first, then, recorded) in [(consent(), Policy::Never, true), (Policy::Never, legal(), false)] {
        let mut scene = Scene::with(first, |_| {}).welcomed();
        if scene.call.phase() == Phase::Asking {
            scene.press('1');
        }
        scene.store(true).ring(&["ann"]);
        let leg = scene.leg(1);
        if let Some(take) = scene.armed() {
            scene.input(Input::RecordingArmed(take));
        }
        scene.input(Input::AgentAnswered { leg });
        let to = Target::Queue { id: "support".into(), queue: Arc::new(queue(then)) };
        scene.now = scene.now + Duration::from_secs(30);
        scene.input(Input::Transfer { by: leg, to });
        assert!(matches!(scene.out.first(), Some(Output::Unbridge)));
        assert!(scene.has(|o| matches!(o, Output::Hangup { leg: l, .. } if *l == leg)));
        assert!(scene.has(|o| matches!(o, Output::AgentReport { report: AgentReport::Finished, .. })));
        assert_eq!(scene.enqueued(), Some(("support".into(), None, scene.now)));
        assert_eq!(scene.call.phase(), Phase::Waiting, "not asked again");
        scene.store(true).ring(&["bob"]);
        assert_eq!(scene.armed().is_some(), recorded);
        assert_eq!(scene.bases().len(), 1);
    }
}

#[test]
fn overflow_ends_the_call_or_leads_to_another_queue_at_the_same_place() {
    let arrived = Timestamp::from_micros(1_000_000_000);
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.prompt_done().timer(TimerName::Key).press('1').store(true);
    let second = || Some(Target::Queue { id: "support".into(), queue: Arc::new(queue(Policy::Never)) });
    scene.input(Input::Overflow { to: second() });
    assert_eq!(scene.enqueued(), Some(("support".into(), None, arrived)));
    scene.store(true).ring(&["ann"]);
    assert!(scene.armed().is_some(), "the first queue's recording settings stay");
    scene.input(Input::Overflow { to: None });
    assert!(scene.out.is_empty(), "not while phones ring");
    scene.timer(TimerName::Ring).input(Input::Overflow { to: None });
    assert!(scene.ended());
    assert!(scene.has(|o| matches!(o, Output::Hangup { cause: Cause::WaitedTooLong, .. })));
    // A ring of queues comes to an end.
    let mut scene = Scene::with(Policy::Never, |_| {}).welcomed();
    for _ in 0..8 {
        scene.input(Input::Overflow { to: second() });
        assert!(scene.enqueued().is_some());
    }
    scene.input(Input::Overflow { to: second() });
    assert!(scene.ended());
}

#[test]
fn the_place_is_told_between_the_music() {
    let every = Some(Duration::from_secs(30));
    let mut scene = Scene::with(Policy::Never, |q| q.position_every = every).welcomed();
    scene.input(Input::Position(3));
    assert!(scene.plays().is_empty(), "not over another notice");
    scene.prompt_done().input(Input::Position(300));
    assert_eq!(scene.plays(), [Prompt::Position(255)]);
    scene.prompt_done();
    assert_eq!(scene.plays(), [Prompt::Music]);
}

#[test]
fn a_prompt_whose_end_is_never_told_holds_nobody() {
    let mut scene = Scene::with(consent(), |_| {});
    scene.input(Input::CallerConfirmed).timer(TimerName::Prompt);
    assert_eq!(scene.plays(), [Prompt::ConsentQuestion]);
    scene.timer(TimerName::Prompt).timer(TimerName::Key);
    assert_eq!(scene.plays(), [Prompt::ConsentQuestion]);
    scene.input(Input::PromptDone { play: PlayId(0) });
    assert!(scene.call.poll_timeout().is_some_and(|(_, name)| name == TimerName::Prompt), "an old word");
}

#[test]
fn agents_who_cannot_be_rung_are_given_back() {
    let mut scene = Scene::with(Policy::Never, |_| {}).welcomed();
    scene.ring(&[]);
    assert_eq!(scene.call.phase(), Phase::Waiting);
    scene.ring(&["ann", "ann"]);
    assert_eq!(scene.out.iter().filter(|o| matches!(o, Output::Dial { .. })).count(), 1);
    let leg = scene.leg(1);
    scene.ring(&["ann"]);
    assert!(scene.out.is_empty(), "said twice");
    scene.input(Input::AgentAnswered { leg }).ring(&["bob"]);
    assert!(matches!(&scene.out[..], [Output::AgentReport { agent, report: AgentReport::Released }]
        if agent.0 == "bob"));
}
