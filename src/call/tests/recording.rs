//! What is recorded, and what is not.

use super::*;
use crate::audit::of_fact;
use crate::ids::Redacted;

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
    let mut scene =
        Scene::with(legal(), |q| q.on_recording_failure = OnRecordingFailure::DropCall).welcomed();
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
    assert!(
        scene.has(|o| matches!(o, Output::StopRecording { destroy: false })),
        "the armed one is given back"
    );
}

fn reason(text: &str) -> OverrideReason {
    OverrideReason { category: OverrideCategory::Emergency, text: Redacted(text.into()) }
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
    scene.sent_to(by, "bob");
    assert!(scene.has(|o| matches!(o, Output::StopRecording { destroy: false })));
    assert_eq!(scene.armed(), None);
    let leg = scene.leg(2);
    scene.store(true).input(Input::AgentAnswered { leg });
    assert_eq!((scene.armed(), scene.call.phase()), (None, Phase::Talking));
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
    let shown = scene.call.view().recording;
    assert_eq!((shown.state, shown.basis), (Lamp::Off, Some(Basis::NotStored)), "who asked is told");
    assert_eq!(scene.armed(), None);
    let before = scene.facts.len();
    scene.input(Input::Shutdown);
    let late = &scene.facts[before..];
    assert!(
        !late.iter().any(|f| matches!(f, Fact::Overridden { .. } | Fact::Decided { .. })),
        "did not happen"
    );
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
fn withdrawal_stops_at_once_and_destroys_by_policy() {
    for destroy in [true, false] {
        let mut scene = Scene::with(consent(), |q| q.destroy_on_withdrawal = destroy).welcomed();
        scene.press('1').store(true).recorded("ann", 1);
        let by_ann = RecordingRequest::Withdraw { entered_by: Some("ann".into()) };
        scene.input(Input::Recording(by_ann));
        assert!(scene.has(|o| matches!(o, Output::StopRecording { destroy: d } if *d == destroy)));
        let fact = scene.facts.iter().find(|fact| matches!(fact, Fact::ConsentWithdrawn { .. }));
        let event = format!("{:?}", of_fact(fact.expect("a withdrawal")));
        assert!(event.contains("entered by agent ann"), "{event}");
        assert!(matches!(scene.bases()[..], [Basis::Agreed(_), Basis::Withdrawn(_)]));
        scene.store(true);
        let by = scene.leg(1);
        scene.sent_to(by, "bob");
        let leg = scene.leg(2);
        scene.input(Input::AgentAnswered { leg });
        assert_eq!(scene.call.phase(), Phase::Talking);
        assert_eq!(scene.armed(), None, "and stays off");
        scene.input(Input::Recording(RecordingRequest::Withdraw { entered_by: None }));
        assert!(scene.out.is_empty(), "there is nothing left to take back");
    }
}

#[test]
fn withdrawal_reaches_earlier_takes_and_takes_on_their_way() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').store(true).recorded("ann", 1);
    let by = scene.leg(1);
    scene.sent_to(by, "bob").input(Input::Recording(RecordingRequest::Withdraw { entered_by: None }));
    assert!(scene.has(|o| matches!(o, Output::StopRecording { destroy: true })), "ann's take");
    // Withdrawn while the yes is not even stored: its receipt comes to nothing.
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene
        .press('1')
        .input(Input::Recording(RecordingRequest::Withdraw { entered_by: None }))
        .ring(&["ann"])
        .store(true);
    assert_eq!(scene.armed(), None);
    // A legal basis does not rest on consent.
    let mut scene = Scene::with(legal(), |_| {}).welcomed();
    scene.store(true).input(Input::Recording(RecordingRequest::Withdraw { entered_by: None }));
    assert!(scene.out.is_empty());
}

#[test]
fn a_late_word_of_an_earlier_take_starts_nothing() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').store(true).ring(&["ann"]);
    let first = scene.armed().expect("armed");
    let leg = scene.leg(1);
    scene.input(Input::AgentAnswered { leg }).timer(TimerName::Arm);
    scene.sent_to(leg, "bob");
    let second = scene.armed().expect("armed anew");
    assert_ne!(first, second);
    let leg = scene.leg(2);
    scene.input(Input::AgentAnswered { leg }).input(Input::RecordingArmed(first));
    assert!(scene.out.is_empty(), "the second's key and row are not stored yet");
    scene.input(Input::RecordingArmed(second));
    assert!(scene.has(|o| matches!(o, Output::StartRecording { .. })));
}

#[test]
fn hold_is_music_for_the_held_and_silence_in_the_recording() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').store(true).recorded("ann", 1);
    let (caller, agent) = (scene.call.caller(), scene.leg(1));
    scene.input(Input::Hold { leg: agent, on: true });
    assert!(
        matches!(&scene.out[..], [Output::Play { leg, prompt: Prompt::Music, .. }, Output::PauseRecording]
        if *leg == caller)
    );
    scene.input(Input::Recording(RecordingRequest::Pause { agent: "ann".into() }));
    scene.input(Input::Hold { leg: agent, on: false });
    assert!(matches!(&scene.out[..], [Output::StopPlay { leg }] if *leg == caller), "still paused");
    scene.input(Input::Recording(RecordingRequest::Resume { agent: "ann".into() }));
    assert!(scene.has(|o| matches!(o, Output::ResumeRecording)));
}

/// A caller who holds the line while waiting is still away when the agent comes.
#[test]
fn a_hold_begun_in_the_queue_lasts_into_the_conversation() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').store(true);
    let caller = scene.call.caller();
    scene.input(Input::Hold { leg: caller, on: true });
    assert!(scene.out.is_empty());
    scene.ring(&["ann"]);
    let (take, leg) = (scene.armed().expect("armed"), scene.leg(1));
    scene.input(Input::RecordingArmed(take)).input(Input::AgentAnswered { leg });
    assert!(scene.has(|o| matches!(o, Output::StartRecording { quiet: true, .. })));
    assert!(scene.has(|o| matches!(o, Output::Play { leg: to, prompt: Prompt::Music, .. } if *to == leg)));
    scene.input(Input::Hold { leg: caller, on: false });
    assert!(matches!(&scene.out[..], [Output::StopPlay { leg: to }, Output::ResumeRecording] if *to == leg));
}
