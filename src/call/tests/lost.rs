//! Phones that are gone without a goodbye.

use super::*;
use crate::ids::Redacted;

/// Ann and the caller in a recorded conversation, and ann's phone is gone.
fn lost() -> (Scene, LegId) {
    let (mut scene, leg) = talking();
    scene.input(Input::AgentLost { leg });
    (scene, leg)
}

fn talking() -> (Scene, LegId) {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').store(true).recorded("ann", 1);
    let leg = scene.leg(1);
    (scene, leg)
}

/// The phone is rung anew on a leg of its own.
fn anew(scene: &mut Scene) -> LegId {
    let leg = scene.call.admit_leg().expect("a number");
    scene.input(Input::Reattach { leg });
    leg
}

fn bridged(scene: &Scene) -> Option<u16> {
    scene.out.iter().find_map(|o| if let Output::Bridge { agent, .. } = o { Some(agent.n) } else { None })
}

fn hung_up(scene: &Scene) -> Vec<(u16, Cause)> {
    let ended = |o: &Output| if let Output::Hangup { leg, cause } = o { Some((leg.n, *cause)) } else { None };
    scene.out.iter().filter_map(ended).collect()
}

fn reports(scene: &Scene, name: &str) -> Vec<AgentReport> {
    let report = |o: &Output| match o {
        Output::AgentReport { agent, report } if agent.0 == name => Some(*report),
        _ => None,
    };
    scene.out.iter().filter_map(report).collect()
}

fn asks_anew(scene: &Scene, n: u16) -> bool {
    scene.has(|o| matches!(o, Output::Reattach { agent, lost } if agent.0 == "ann" && lost.n == n))
}

fn music(scene: &Scene) -> bool {
    let caller = scene.call.caller();
    scene.has(|o| matches!(o, Output::Play { leg, prompt: Prompt::Music, .. } if *leg == caller))
}

#[test]
fn the_caller_hears_music_at_once_and_the_take_ends() {
    let (mut scene, leg) = lost();
    assert!(
        matches!(&scene.out[..], [
            Output::Unbridge,
            Output::StopRecording { destroy: false },
            Output::Play { prompt: Prompt::Music, .. },
            Output::Reattach { .. },
            Output::ArmRecording { .. },
            Output::Commit(_, facts),
        ] if matches!(&facts[..], [Fact::Lost { .. }])),
        "{:?}",
        scene.out
    );
    assert_eq!((scene.call.phase(), scene.call.agent()), (Phase::Lost, Some(&"ann".into())));
    scene.input(Input::AgentLost { leg });
    assert!(scene.out.is_empty(), "said twice");
    assert!(matches!(scene.call.view().parties[..], [PartyView { state: PartyState::Lost, .. }]));
}

#[test]
fn the_same_leg_or_a_new_one_goes_on_in_a_new_take_of_the_same_decision() {
    for same in [true, false] {
        let (mut scene, old) = lost();
        let take = scene.armed().expect("for what comes");
        scene.input(Input::RecordingArmed(take));
        let leg = anew(&mut scene);
        assert!(
            scene.facts.iter().any(|f| matches!(f, Fact::Dialled { leg: dialled, .. } if *dialled == leg))
        );
        if same {
            scene.input(Input::AgentBack { leg: old });
            assert_eq!(hung_up(&scene), [(leg.n, Cause::Cancelled)], "no longer needed");
        } else {
            scene.input(Input::AgentRinging { leg });
            assert!(reports(&scene, "ann").is_empty(), "ann talks, for the queue");
            scene.input(Input::AgentAnswered { leg });
            assert_eq!(hung_up(&scene), [(old.n, Cause::AnsweredElsewhere)]);
        }
        let with = if same { old } else { leg };
        assert_eq!(bridged(&scene), Some(with.n));
        assert!(scene.has(|o| matches!(o, Output::StartRecording { agent, .. } if *agent == with)));
        assert!(reports(&scene, "ann").is_empty(), "still talking");
        assert!(scene.facts.iter().any(|f| matches!(f, Fact::Reattached { leg, .. } if *leg == with)));
        assert_eq!((scene.call.phase(), scene.bases().len()), (Phase::Talking, 1));
        assert_eq!(scene.call.leg_of(&"ann".into()), Some(with));
        scene.input(Input::AgentBack { leg: old }).input(Input::AgentAnswered { leg });
        assert!(scene.out.is_empty(), "late words");
    }
}

#[test]
fn after_the_grace_the_caller_waits_at_the_place_of_the_arrival() {
    let arrived = Timestamp::from_micros(1_000_000_000);
    for again in 1..=2 {
        let (mut scene, _) = lost();
        if again == 2 {
            // Back for a moment: the grace begins anew.
            scene.now = scene.now + Duration::from_secs(20);
            let leg = scene.leg(1);
            scene.input(Input::AgentBack { leg }).input(Input::AgentLost { leg });
        }
        let leg = anew(&mut scene);
        let since = scene.now;
        scene.timer(TimerName::Lost);
        assert_eq!(scene.now.since(since), LOST_GRACE);
        let (queue, only, place) = scene.enqueued().expect("waits again");
        assert_eq!((queue.0.as_str(), only), ("sales", None));
        assert!(place > arrived && place.since(arrived) < Duration::from_millis(1), "its old place");
        assert_eq!(reports(&scene, "ann"), [AgentReport::Missed(Cause::Unreachable)]);
        assert_eq!(hung_up(&scene), [(leg.n, Cause::Cancelled), (1, Cause::Unreachable)]);
        assert!(!music(&scene), "it plays");
        assert_eq!(scene.call.phase(), Phase::Waiting);
        // Any agent; the decision is still the caller's.
        scene.ring(&["ann"]);
        let bob = scene.leg(leg.n + 1);
        let take = scene.call.recording_state();
        assert!(matches!(take, RecordingState::Armed(Basis::Agreed(_))), "{take:?}");
        scene.input(Input::AgentAnswered { leg: bob }).timer(TimerName::Arm);
        assert_eq!((bridged(&scene), scene.call.phase()), (Some(bob.n), Phase::Talking));
    }
}

#[test]
fn a_phone_that_cannot_be_rung_is_asked_for_again_and_one_that_declines_is_not() {
    let (mut scene, _) = lost();
    for _ in 0..2 {
        let leg = anew(&mut scene);
        scene.input(Input::LegGone { leg, cause: Cause::Unreachable });
        assert!(asks_anew(&scene, 1) && scene.call.phase() == Phase::Lost);
    }
    let leg = anew(&mut scene);
    let other = anew(&mut scene);
    assert_eq!(hung_up(&scene), [(other.n, Cause::OtherSideGone)], "one at a time");
    scene.input(Input::LegGone { leg, cause: Cause::Declined });
    assert_eq!(scene.call.phase(), Phase::Waiting);
    let late = anew(&mut scene);
    assert_eq!(hung_up(&scene), [(late.n, Cause::OtherSideGone)], "nobody is waited for");
    assert!(!scene.facts.iter().any(|f| matches!(f, Fact::LegEnded { leg, .. } if *leg == late)));
}

/// The server may ring anew in the very moment in which the agent hangs up.
#[test]
fn who_hangs_up_the_old_line_and_declines_the_new_one_was_done() {
    let (mut scene, old) = lost();
    let leg = anew(&mut scene);
    scene.input(Input::LegGone { leg: old, cause: Cause::HungUp });
    assert_eq!(scene.call.phase(), Phase::Lost, "a page lets its old line go for the new one, too");
    scene.input(Input::LegGone { leg, cause: Cause::Declined });
    assert!(scene.ended());
    assert_eq!(hung_up(&scene), [(0, Cause::OtherSideGone)]);
    assert_eq!(reports(&scene, "ann"), [AgentReport::Finished], "wrap-up, nothing missed");
}

/// A card number must not be recorded because a page was loaded anew.
#[test]
fn a_pause_survives_and_so_does_its_limit() {
    let (mut scene, _) = talking();
    let paused = scene.now;
    scene.input(Input::Recording(RecordingRequest::Pause { agent: "ann".into() }));
    for n in [1, 2] {
        scene.now = scene.now + Duration::from_secs(5);
        let leg = scene.leg(n);
        scene.input(Input::AgentLost { leg });
        let take = scene.armed().expect("armed");
        scene.input(Input::RecordingArmed(take));
        let leg = anew(&mut scene);
        scene.input(Input::AgentAnswered { leg });
        assert!(
            scene.has(|o| matches!(o, Output::StartRecording { quiet: true, .. })),
            "silent from its first sample: {:?}",
            scene.out
        );
        let shown = scene.call.view().recording;
        assert_eq!((shown.state, shown.paused_at), (Lamp::Paused, Some(paused)));
    }
    scene.timer(TimerName::Pause);
    assert_eq!(scene.now.since(paused), Duration::from_secs(60), "the limit counts from the press");
    assert!(scene.has(|o| matches!(o, Output::ResumeRecording)));
    // A limit that is over while the phone is gone.
    let (mut scene, leg) = talking();
    scene.input(Input::Recording(RecordingRequest::Pause { agent: "ann".into() }));
    scene.now = scene.now + Duration::from_secs(50);
    scene.input(Input::AgentLost { leg }).timer(TimerName::Pause);
    assert!(matches!(scene.facts.last(), Some(Fact::Paused { agent: None, on: false, .. })));
    scene.input(Input::AgentBack { leg });
    assert_eq!(scene.call.view().recording.paused_at, None);
}

#[test]
fn an_override_is_of_its_conversation() {
    let overridden = || {
        let mut scene = Scene::with(consent(), |_| {}).welcomed();
        scene.press('2').store(true).ring(&["ann"]);
        let leg = scene.leg(1);
        scene.input(Input::AgentAnswered { leg });
        let text = Redacted("threat".to_owned());
        let reason = OverrideReason { category: OverrideCategory::Emergency, text };
        scene.input(Input::Recording(RecordingRequest::Override { agent: "ann".into(), reason })).store(true);
        let take = scene.armed().expect("by override");
        scene.input(Input::RecordingArmed(take)).input(Input::AgentLost { leg });
        assert!(scene.has(|o| matches!(o, Output::StopRecording { .. })));
        let take = scene.armed().expect("for ann, when she is back");
        scene.input(Input::RecordingArmed(take));
        scene
    };
    let mut scene = overridden();
    let leg = anew(&mut scene);
    scene.input(Input::AgentAnswered { leg });
    assert!(matches!(scene.call.recording_state(), RecordingState::Recording(Basis::Override { .. })));
    // With another agent it does not hold: in the queue, or who takes the leg's place.
    let mut scene = overridden();
    scene.timer(TimerName::Lost);
    assert!(scene.has(|o| matches!(o, Output::StopRecording { .. })));
    scene.store(true).ring(&["bob"]);
    assert_eq!(scene.armed(), None);
    let mut scene = overridden();
    let (old, new) = (scene.leg(1), scene.call.admit_leg().expect("a number"));
    scene.input(Input::Replaced { old, new, agent: Some("bob".into()) });
    assert_eq!((bridged(&scene), scene.armed()), (Some(new.n), None));
    assert!(matches!(scene.call.recording_state(), RecordingState::Off(Some(Basis::Refused(_)))));
    assert_eq!(reports(&scene, "ann"), [AgentReport::Finished]);
    assert_eq!(reports(&scene, "bob"), [AgentReport::Connected]);
}

#[test]
fn the_caller_hangs_up_meanwhile_or_the_agent_after_all() {
    let (mut scene, _) = lost();
    let (leg, caller) = (anew(&mut scene), scene.call.caller());
    scene.input(Input::LegGone { leg: caller, cause: Cause::HungUp });
    assert!(scene.ended());
    assert_eq!(hung_up(&scene), [(leg.n, Cause::Cancelled), (1, Cause::OtherSideGone)]);
    assert_eq!(reports(&scene, "ann"), [AgentReport::Finished], "wrap-up");
    // A goodbye that comes late is one.
    let (mut scene, leg) = lost();
    scene.input(Input::LegGone { leg, cause: Cause::HungUp });
    assert!(scene.ended() && reports(&scene, "ann") == [AgentReport::Finished]);
    // The end of a dead leg is news of nothing.
    let (mut scene, old) = lost();
    scene.input(Input::LegGone { leg: old, cause: Cause::MediaTimeout });
    assert_eq!(scene.call.phase(), Phase::Lost);
    let leg = anew(&mut scene);
    scene.input(Input::AgentAnswered { leg });
    assert_eq!((bridged(&scene), hung_up(&scene)), (Some(leg.n), vec![]));
}

#[test]
fn lost_in_a_consultation_the_agent_is_back_with_the_caller() {
    for (leg, second) in [(1, false), (1, true), (2, true)] {
        let (mut scene, by) = talking();
        let own = second.then(|| scene.call.admit_leg().expect("a number"));
        scene.input(Input::Consult { by, own, to: Target::Agent("bob".into()) });
        scene.input(Input::Claimed { agent: "bob".into(), free: true });
        let bob = scene.leg(if second { 3 } else { 2 });
        scene.input(Input::AgentAnswered { leg: bob });
        let leg = scene.leg(leg);
        scene.input(Input::AgentLost { leg });
        assert!(matches!(scene.out[0], Output::Unbridge));
        assert_eq!(reports(&scene, "bob"), [AgentReport::Finished]);
        let gone: Vec<u16> = hung_up(&scene).into_iter().map(|(n, _)| n).collect();
        match (second, leg == by) {
            (false, _) => assert_eq!(gone, [2]),
            (true, true) => assert_eq!(gone, [3, 2]),
            (true, false) => assert_eq!(gone, [2, 3], "only the second line was lost"),
        }
        assert_eq!(scene.call.phase() == Phase::Lost, leg == by);
        scene.input(Input::AgentBack { leg: by });
        assert_eq!(scene.call.phase(), Phase::Talking);
    }
    // Who is asked is lost.
    let (mut scene, by) = talking();
    scene.input(Input::Consult { by, own: None, to: Target::Agent("bob".into()) });
    scene.input(Input::Claimed { agent: "bob".into(), free: true });
    let bob = scene.leg(2);
    scene.input(Input::AgentAnswered { leg: bob }).input(Input::AgentLost { leg: bob });
    assert_eq!(hung_up(&scene), [(2, Cause::Unreachable)]);
    assert_eq!((bridged(&scene), scene.call.phase()), (Some(1), Phase::Talking));
}

/// A page that was alive all the time says goodbye to its old line before it answers the new one.
#[test]
fn a_goodbye_of_the_old_line_while_the_phone_rings_anew_ends_nothing() {
    for with_bob in [false, true] {
        let mut scene = if with_bob { three() } else { talking().0 };
        let old = scene.leg(1);
        scene.input(Input::AgentLost { leg: old });
        let leg = anew(&mut scene);
        scene.input(Input::LegGone { leg: old, cause: Cause::HungUp });
        assert_eq!((scene.call.phase(), hung_up(&scene)), (Phase::Lost, vec![]));
        scene.input(Input::AgentAnswered { leg });
        assert!(hung_up(&scene).is_empty(), "it is gone already");
        let phase = if with_bob { Phase::Conference } else { Phase::Talking };
        assert_eq!((scene.call.phase(), scene.call.leg_of(&"ann".into())), (phase, Some(leg)));
    }
}

/// What ann may record on her own word is not recorded while she is away.
#[test]
fn an_override_rests_while_its_agent_is_away_from_three() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('2').store(true).ring(&["ann"]);
    let by = scene.leg(1);
    scene.input(Input::AgentAnswered { leg: by });
    let reason = OverrideReason { category: OverrideCategory::Emergency, text: Redacted("threat".into()) };
    scene.input(Input::Recording(RecordingRequest::Override { agent: "ann".into(), reason })).store(true);
    scene.input(Input::Consult { by, own: None, to: Target::Agent("bob".into()) });
    scene.input(Input::Claimed { agent: "bob".into(), free: true });
    let bob = scene.leg(2);
    scene.input(Input::AgentAnswered { leg: bob }).input(Input::ThreeWay { by });
    scene.input(Input::AgentLost { leg: by });
    assert_eq!((bridged(&scene), scene.armed()), (Some(2), None));
    scene.input(Input::AgentBack { leg: by });
    assert!(scene.armed().is_some() && scene.call.phase() == Phase::Conference);
}

/// Ann, bob and the caller.
fn three() -> Scene {
    let (mut scene, by) = talking();
    scene.input(Input::Consult { by, own: None, to: Target::Agent("bob".into()) });
    scene.input(Input::Claimed { agent: "bob".into(), free: true });
    let bob = scene.leg(2);
    scene.input(Input::AgentAnswered { leg: bob }).input(Input::ThreeWay { by });
    assert_eq!(scene.call.phase(), Phase::Conference);
    scene
}

#[test]
fn of_three_the_other_two_go_on_meanwhile() {
    let mut scene = three();
    let leg = scene.leg(1);
    scene.input(Input::AgentLost { leg });
    assert_eq!(bridged(&scene), Some(2));
    assert!(!music(&scene) && scene.call.phase() == Phase::Lost);
    let take = scene.armed().expect("the same decision");
    scene.input(Input::RecordingArmed(take));
    assert!(scene.has(|o| matches!(o, Output::StartRecording { agent, .. } if agent.n == 2)));
    let caller = scene.call.caller();
    scene.input(Input::AgentBack { leg });
    let (own, third) = (scene.leg(1), scene.leg(2));
    assert!(scene.has(|o| all_speak(o, &[caller, own, third])));
    // Bob leaves while ann is gone; then bob stays when ann does not come back.
    let mut scene = three();
    scene.input(Input::AgentLost { leg }).input(Input::LegGone { leg: third, cause: Cause::HungUp });
    assert!(music(&scene) && scene.call.phase() == Phase::Lost);
    assert_eq!(reports(&scene, "bob"), [AgentReport::Finished]);
    let mut scene = three();
    scene.input(Input::AgentLost { leg }).timer(TimerName::Lost);
    assert_eq!((bridged(&scene), scene.call.agent()), (Some(2), Some(&"bob".into())));
    assert!(
        scene.facts.iter().any(|f| matches!(f, Fact::Transferred { agent: Some(to), .. } if to.0 == "bob"))
    );
    // Bob is lost: he was only asked in.
    let mut scene = three();
    scene.input(Input::AgentLost { leg: third });
    assert_eq!(hung_up(&scene), [(2, Cause::Unreachable)]);
    assert_eq!((bridged(&scene), scene.call.phase()), (Some(1), Phase::Talking));
}

#[test]
fn lost_while_the_caller_is_sent_on_the_transfer_goes_on() {
    let (mut scene, by) = talking();
    scene.sent_to(by, "bob").input(Input::AgentLost { leg: by });
    assert_eq!(hung_up(&scene), [(1, Cause::Unreachable)]);
    assert_eq!(reports(&scene, "ann"), [AgentReport::Finished]);
    let bob = scene.leg(2);
    scene.input(Input::LegGone { leg: bob, cause: Cause::Busy });
    assert_eq!(scene.enqueued().and_then(|(_, only, _)| only), Some("ann".into()));
}

#[test]
fn a_phone_that_is_lost_before_the_conversation_has_missed_it() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').store(true).ring(&["ann"]);
    let leg = scene.leg(1);
    scene.input(Input::AgentLost { leg });
    assert_eq!(reports(&scene, "ann"), [AgentReport::Missed(Cause::Unreachable)]);
    assert_eq!((hung_up(&scene), scene.call.phase()), (vec![(1, Cause::Unreachable)], Phase::Waiting));
    let caller = scene.call.caller();
    scene.input(Input::AgentLost { leg: caller }).input(Input::AgentLost { leg });
    assert!(scene.out.is_empty(), "the caller is no agent; ann's leg is gone");
}

#[test]
fn a_hold_is_the_phones_and_goes_with_it() {
    let (mut scene, leg) = talking();
    scene.input(Input::Hold { leg, on: true }).input(Input::AgentLost { leg });
    assert!(music(&scene));
    let take = scene.armed().expect("armed");
    scene.input(Input::RecordingArmed(take));
    let leg = anew(&mut scene);
    scene.input(Input::AgentAnswered { leg });
    assert!(!music(&scene) && !scene.has(|o| matches!(o, Output::PauseRecording)), "ann is there");
    // What the caller does with the line meanwhile counts.
    let (mut scene, leg) = lost();
    let caller = scene.call.caller();
    scene.input(Input::Hold { leg: caller, on: true }).input(Input::AgentBack { leg });
    assert!(scene.has(|o| matches!(o, Output::Play { leg: to, prompt: Prompt::Music, .. } if *to == leg)));
}
