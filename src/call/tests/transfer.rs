//! Blind transfers: reached, failed, returned, released.

use super::*;

fn outside(release: bool) -> Outside {
    let number = PhoneNumber::parse("+4989123456", None).expect("a number");
    Outside { trunk: "carrier".into(), number, release }
}

/// Ann and the caller in a recorded conversation; a minute of ringing was allowed by the queue.
fn talking() -> (Scene, LegId) {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').store(true).recorded("ann", 1);
    let leg = scene.leg(1);
    (scene, leg)
}

fn told(scene: &Scene, to: LegId) -> Vec<Progress> {
    let told = scene.out.iter().filter_map(|output| match output {
        Output::TransferProgress { leg, progress } if *leg == to => Some(*progress),
        _ => None,
    });
    told.collect()
}

fn ends(scene: &Scene, n: u16) -> usize {
    scene.out.iter().filter(|o| matches!(o, Output::Hangup { leg, .. } if leg.n == n)).count()
}

#[test]
fn an_agent_sends_the_caller_to_another_and_stays_until_that_one_answers() {
    let (mut scene, by) = talking();
    let (caller, target) = (scene.call.caller(), scene.leg(2));
    scene.input(Input::Transfer { by, to: Target::Agent("bob".into()) });
    assert!(
        matches!(&scene.out[..], [
            Output::Unbridge,
            Output::StopRecording { destroy: false },
            Output::Claim { agent },
            Output::Play { leg, prompt: Prompt::Music, .. },
            Output::TransferProgress { progress: Progress::Trying, .. },
            Output::ArmRecording { .. },
            Output::Commit(..),
        ] if *leg == caller && agent.0 == "bob"),
        "{:?}",
        scene.out
    );
    let take = scene.armed().expect("for the next conversation");
    assert_eq!(scene.call.phase(), Phase::Transferring);
    assert!(matches!(scene.call.recording_state(), RecordingState::Armed(_)));
    scene.input(Input::RecordingArmed(take)).input(Input::Claimed { agent: "bob".into(), free: true });
    assert!(scene.has(|o| matches!(o, Output::Dial { leg, to: Whom::Agent(_) } if *leg == target)));
    assert_eq!(ends(&scene, 1), 0, "ann's leg is kept");
    scene.input(Input::AgentRinging { leg: target });
    assert_eq!(told(&scene, by), [Progress::Ringing]);
    scene.input(Input::AgentAnswered { leg: target });
    assert!(
        matches!(&scene.out[..], [
            Output::TransferProgress { progress: Progress::Done, .. },
            Output::Hangup { leg: left, cause: Cause::HungUp },
            Output::AgentReport { report: AgentReport::Finished, .. },
            Output::AgentReport { report: AgentReport::Connected, .. },
            Output::StopPlay { .. },
            Output::StartRecording { agent, .. },
            Output::Bridge { agent: met, .. },
            Output::Commit(..),
        ] if *left == by && *agent == target && *met == target),
        "{:?}",
        scene.out
    );
    assert_eq!((scene.call.phase(), scene.call.agent()), (Phase::Talking, Some(&"bob".into())));
    assert_eq!(scene.bases().len(), 1, "nobody was asked again");
}

#[test]
fn a_target_that_cannot_be_had_gives_the_caller_back() {
    type Fail = fn(&mut Scene);
    let cases: [(&str, Cause, Fail); 4] = [
        ("not free", Cause::Busy, |s| {
            s.input(Input::Claimed { agent: "bob".into(), free: false });
        }),
        ("declines", Cause::Declined, |s| {
            let leg = s.leg(2);
            s.input(Input::Claimed { agent: "bob".into(), free: true });
            s.input(Input::LegGone { leg, cause: Cause::Declined });
        }),
        ("silent", Cause::NoAnswer, |s| {
            s.input(Input::Claimed { agent: "bob".into(), free: true }).timer(TimerName::Ring);
            assert!(s.has(|o| matches!(o, Output::Hangup { leg, cause: Cause::NoAnswer } if leg.n == 2)));
        }),
        ("no word of the claim", Cause::NoAnswer, |s| {
            s.timer(TimerName::Ring);
            let freed = |o: &Output| matches!(o, Output::AgentReport { report: AgentReport::Released, .. });
            assert!(s.has(freed));
        }),
    ];
    for (name, why, fail) in cases {
        let (mut scene, by) = talking();
        scene.input(Input::Transfer { by, to: Target::Agent("bob".into()) });
        let take = scene.armed().expect("armed");
        scene.input(Input::RecordingArmed(take));
        fail(&mut scene);
        assert_eq!(told(&scene, by), [Progress::Failed(why)], "{name}");
        let again = |o: &Output| matches!(o, Output::StartRecording { agent, .. } if *agent == by);
        assert!(scene.has(again), "{name}: a new take of the same decision");
        assert!(scene.has(|o| matches!(o, Output::Bridge { agent, .. } if *agent == by)), "{name}");
        assert!(matches!(scene.facts.last(), Some(Fact::LegEnded { .. } | Fact::Returned { .. })), "{name}");
        assert_eq!((scene.call.phase(), scene.bases().len()), (Phase::Talking, 1), "{name}");
        assert_eq!(ends(&scene, 1), 0, "{name}");
        // A late word of that claim is about nothing.
        if name == "no word of the claim" {
            scene.input(Input::Claimed { agent: "bob".into(), free: true });
            assert!(scene.out.is_empty());
        }
    }
}

#[test]
fn the_transfer_goes_on_when_the_agent_hangs_up_and_a_failure_waits_for_that_agent() {
    for answers in [true, false] {
        let (mut scene, by) = talking();
        scene.sent_to(by, "bob").input(Input::LegGone { leg: by, cause: Cause::HungUp });
        assert!(scene.has(|o| matches!(o, Output::AgentReport { report: AgentReport::Finished, .. })));
        assert!(!scene.has(|o| matches!(o, Output::Hangup { .. })));
        assert_eq!(scene.call.phase(), Phase::Transferring);
        let leg = scene.leg(2);
        if answers {
            scene.input(Input::AgentAnswered { leg }).timer(TimerName::Arm);
            assert_eq!(scene.call.phase(), Phase::Talking);
        } else {
            scene.input(Input::LegGone { leg, cause: Cause::Busy });
            let back = scene.enqueued().map(|(queue, only, _)| (queue.0, only));
            assert_eq!(back, Some(("sales".into(), Some("ann".into()))));
            assert_eq!(scene.call.phase(), Phase::Waiting);
        }
    }
}

#[test]
fn a_transfer_to_a_queue_is_done_at_once() {
    let (mut scene, by) = talking();
    let to = Target::Queue { id: "support".into(), queue: Arc::new(queue(Policy::Never)) };
    scene.input(Input::Transfer { by, to });
    assert_eq!(told(&scene, by), [Progress::Done]);
    assert_eq!(ends(&scene, 1), 1);
    scene.ring(&["bob"]);
    assert!(scene.armed().is_some(), "the first queue's settings");
}

#[test]
fn outside_the_recording_goes_on_and_nobody_there_may_touch_it() {
    let (mut scene, by) = talking();
    scene.input(Input::Transfer { by, to: Target::Outside(outside(false)) });
    let (take, leg) = (scene.armed().expect("armed"), scene.leg(2));
    assert!(scene.has(|o| matches!(o, Output::Dial { to: Whom::Outside(_), .. })));
    scene.input(Input::RecordingArmed(take)).input(Input::AgentAnswered { leg });
    assert!(scene.has(|o| matches!(o, Output::StartRecording { agent, .. } if *agent == leg)));
    assert!(!scene.has(|o| matches!(o, Output::AgentReport { report: AgentReport::Connected, .. })));
    assert_eq!((scene.call.phase(), scene.call.agent()), (Phase::Talking, None));
    scene.input(Input::Recording(RecordingRequest::Pause { agent: "ann".into() }));
    assert!(scene.out.is_empty(), "ann is not in it any more");
    scene.input(Input::Transfer { by: leg, to: Target::Agent("bob".into()) });
    assert_eq!(told(&scene, leg), [Progress::Failed(Cause::Declined)], "nor may they send the caller on");
    scene.input(Input::LegGone { leg, cause: Cause::HungUp });
    assert!(scene.ended() && scene.has(|o| matches!(o, Output::StopRecording { destroy: false })));
}

#[test]
fn released_the_network_takes_the_caller_or_gives_it_back() {
    type End = fn(&mut Scene);
    let cases: [(&str, Option<Progress>, End); 4] = [
        ("done", Some(Progress::Done), |s| {
            let leg = s.call.caller();
            s.input(Input::Referred { leg, result: Ok(()) });
        }),
        ("hung up, having gone there", Some(Progress::Done), |s| {
            let leg = s.call.caller();
            s.input(Input::LegGone { leg, cause: Cause::HungUp });
        }),
        ("refused", Some(Progress::Failed(Cause::Busy)), |s| {
            let leg = s.call.caller();
            s.input(Input::Referred { leg, result: Err(Cause::Busy) });
        }),
        ("no word", Some(Progress::Failed(Cause::NoAnswer)), |s| {
            s.timer(TimerName::Refer);
        }),
    ];
    for (name, progress, end) in cases {
        let (mut scene, by) = talking();
        let caller = scene.call.caller();
        scene.input(Input::Transfer { by, to: Target::Outside(outside(true)) });
        assert!(scene.has(|o| matches!(o, Output::Refer { leg, .. } if *leg == caller)), "{name}");
        assert!(!scene.has(|o| matches!(o, Output::Dial { .. })), "{name}");
        end(&mut scene);
        assert_eq!(told(&scene, by).first().copied(), progress, "{name}");
        let over = progress == Some(Progress::Done);
        assert_eq!(scene.ended(), over, "{name}");
        assert_eq!(scene.call.phase() == Phase::Talking, !over, "{name}");
    }
}

#[test]
fn who_may_not_send_is_told_and_nothing_else_happens() {
    let (mut scene, by) = talking();
    let caller = scene.call.caller();
    scene.input(Input::Transfer { by: caller, to: Target::Agent("bob".into()) });
    assert_eq!(told(&scene, caller), [Progress::Failed(Cause::Declined)]);
    scene.input(Input::Transfer { by, to: Target::Agent("ann".into()) });
    assert_eq!(told(&scene, by), [Progress::Failed(Cause::Busy)], "to herself");
    let by = scene.leg(7);
    scene.input(Input::Transfer { by, to: Target::Agent("bob".into()) });
    assert!(scene.out.is_empty(), "no such leg");
}

#[test]
fn the_caller_hangs_up_while_the_target_rings() {
    let (mut scene, by) = talking();
    let leg = scene.call.caller();
    scene.sent_to(by, "bob").input(Input::LegGone { leg, cause: Cause::HungUp });
    assert!(scene.ended());
    assert_eq!(told(&scene, by), [Progress::Failed(Cause::OtherSideGone)]);
    assert_eq!((ends(&scene, 0), ends(&scene, 1), ends(&scene, 2)), (0, 1, 1));
    let freed = scene.out.iter().filter(|o| matches!(o, Output::AgentReport { .. })).count();
    assert_eq!(freed, 2);
}

/// What an offer of a wait that was left says is void: its agent may be another caller's by now.
#[test]
fn an_offer_for_a_wait_that_was_left_rings_nobody() {
    let (mut scene, by) = talking();
    let support = || Target::Queue { id: "support".into(), queue: Arc::new(queue(Policy::Never)) };
    scene.input(Input::Consult { by, own: None, to: support() });
    let old = scene.wait;
    scene.input(Input::EndConsultation { by });
    assert!(scene.has(|o| matches!(o, Output::Dequeue)));
    scene.input(Input::Transfer { by, to: support() });
    assert_ne!(scene.wait, old, "though not a microsecond has passed");
    scene.input(Input::Ring { agents: vec!["bob".into()], since: old });
    scene.input(Input::Overflow { to: Onward::End, since: old });
    assert!(scene.out.is_empty() && scene.call.phase() == Phase::Waiting);
}
