//! Consultation, attended and semi-attended transfer, three-way.

use super::*;

fn bob() -> Target {
    Target::Agent("bob".into())
}

/// Ann in a recorded conversation has begun to ask bob, whose phone (leg `n`) rings; the next take is armed.
fn asking(own: bool) -> (Scene, LegId, Option<LegId>, LegId) {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').store(true).recorded("ann", 1);
    let by = scene.leg(1);
    let own = own.then(|| scene.call.admit_leg().expect("a number"));
    scene.input(Input::Consult { by, own, to: bob() });
    let caller = scene.call.caller();
    assert!(matches!(scene.out[0], Output::Unbridge));
    assert!(scene.has(|o| matches!(o, Output::StopRecording { destroy: false })), "rule 9");
    assert!(scene.has(|o| matches!(o, Output::Play { leg, prompt: Prompt::Music, .. } if *leg == caller)));
    let take = scene.armed().expect("for what comes");
    scene.input(Input::RecordingArmed(take)).input(Input::Claimed { agent: "bob".into(), free: true });
    let target = scene.leg(2 + u16::from(own.is_some()));
    (scene, by, own, target)
}

/// And bob has answered.
fn speaking(own: bool) -> (Scene, LegId, Option<LegId>, LegId) {
    let (mut scene, by, own, target) = asking(own);
    scene.input(Input::AgentAnswered { leg: target });
    assert_eq!(scene.call.phase(), Phase::Consulting);
    (scene, by, own, target)
}

fn bridged(scene: &Scene) -> Option<(LegId, LegId)> {
    scene.out.iter().find_map(|output| match output {
        Output::Bridge { caller, agent } => Some((*caller, *agent)),
        _ => None,
    })
}

fn recorded(scene: &Scene) -> Option<LegId> {
    scene.out.iter().find_map(|output| match output {
        Output::StartRecording { agent, .. } => Some(*agent),
        _ => None,
    })
}

fn hung_up(scene: &Scene) -> Vec<(u16, Cause)> {
    let ended = scene.out.iter().filter_map(|output| match output {
        Output::Hangup { leg, cause } => Some((leg.n, *cause)),
        _ => None,
    });
    ended.collect()
}

fn reports(scene: &Scene, name: &str) -> Vec<AgentReport> {
    let reports = scene.out.iter().filter_map(|output| match output {
        Output::AgentReport { agent, report } if agent.0 == name => Some(*report),
        _ => None,
    });
    reports.collect()
}

#[test]
fn a_second_line_is_told_of_the_ringing_and_answered_with_the_target() {
    let (mut scene, _, own, target) = asking(true);
    let own = own.expect("a second line");
    scene.input(Input::AgentRinging { leg: target });
    assert!(
        scene.has(
            |o| matches!(o, Output::TransferProgress { leg, progress: Progress::Ringing } if *leg == own)
        )
    );
    assert!(!scene.has(|o| matches!(o, Output::AnswerLeg { .. })));
    scene.input(Input::AgentAnswered { leg: target });
    assert!(scene.has(|o| matches!(o, Output::AnswerLeg { leg } if *leg == own)));
    assert_eq!(bridged(&scene), Some((own, target)));
    assert_eq!(recorded(&scene), None, "talk between agents is in no recording");
    assert_eq!(reports(&scene, "bob"), [AgentReport::Connected]);
}

#[test]
fn whatever_ends_it_the_agent_is_with_the_caller_again() {
    type End = fn(&mut Scene, LegId, Option<LegId>, LegId);
    let ends: [(&str, Cause, End); 3] = [
        ("bob hangs up", Cause::HungUp, |s, _, _, leg| {
            s.input(Input::LegGone { leg, cause: Cause::HungUp });
        }),
        ("ann has asked enough", Cause::HungUp, |s, by, _, _| {
            s.input(Input::EndConsultation { by });
        }),
        ("the second line is hung up", Cause::HungUp, |s, by, own, _| match own {
            Some(leg) => {
                s.input(Input::LegGone { leg, cause: Cause::HungUp });
            }
            None => {
                s.input(Input::EndConsultation { by });
            }
        }),
    ];
    for own in [false, true] {
        for (name, _, end) in ends {
            for early in [false, true] {
                let (mut scene, by, own, target) = if early { asking(own) } else { speaking(own) };
                end(&mut scene, by, own, target);
                assert_eq!(bridged(&scene), Some((scene.call.caller(), by)), "{name} {own:?} {early}");
                assert_eq!(recorded(&scene), Some(by), "{name}: the recording goes on");
                assert_eq!(scene.call.phase(), Phase::Talking, "{name}");
                let unbridged = scene.has(|o| matches!(o, Output::Unbridge));
                assert_eq!(unbridged, !early, "{name}");
                assert_eq!(reports(&scene, "bob").len(), 1, "{name}");
                let facts = |leg: LegId| {
                    let end = |f: &&Fact| matches!(f, Fact::LegEnded { leg: ended, .. } if *ended == leg);
                    scene.facts.iter().filter(end).count()
                };
                assert_eq!(facts(target), 1, "{name}");
                assert_eq!(own.map(facts), own.map(|_| 1), "{name}");
            }
        }
    }
}

#[test]
fn a_target_that_fails_ends_the_second_line_with_its_cause() {
    for cause in [Cause::Busy, Cause::Declined, Cause::Unreachable] {
        let (mut scene, _, own, leg) = asking(true);
        scene.input(Input::LegGone { leg, cause });
        assert_eq!(hung_up(&scene), [(own.expect("a second line").n, cause)]);
        let (mut scene, by, _, leg) = asking(false);
        scene.input(Input::LegGone { leg, cause });
        assert!(scene.has(|o| matches!(o, Output::TransferProgress { leg, progress: Progress::Failed(why) }
            if *leg == by && *why == cause)));
        assert!(hung_up(&scene).is_empty());
    }
}

#[test]
fn completed_by_word_or_by_hanging_up_the_caller_is_with_the_target() {
    for own in [false, true] {
        for by_word in [true, false] {
            let (mut scene, by, own, target) = speaking(own);
            scene.input(if by_word {
                Input::Complete { by }
            } else {
                Input::LegGone { leg: by, cause: Cause::HungUp }
            });
            assert!(matches!(scene.out[0], Output::Unbridge));
            assert_eq!(bridged(&scene), Some((scene.call.caller(), target)));
            assert_eq!(recorded(&scene), Some(target));
            assert_eq!(reports(&scene, "ann"), [AgentReport::Finished]);
            assert_eq!(scene.call.agent(), Some(&"bob".into()));
            let ended = usize::from(by_word) + usize::from(own.is_some());
            assert_eq!(hung_up(&scene).len(), ended, "{own:?} {by_word}");
            let done = |o: &Output| matches!(o, Output::TransferProgress { progress: Progress::Done, .. });
            assert_eq!(scene.has(done), by_word || own.is_some());
        }
    }
}

#[test]
fn completed_while_the_target_rings_it_is_a_blind_transfer() {
    for by_word in [true, false] {
        for answers in [true, false] {
            let (mut scene, by, own, leg) = asking(true);
            scene.input(if by_word {
                Input::Complete { by }
            } else {
                Input::LegGone { leg: by, cause: Cause::HungUp }
            });
            assert_eq!(scene.call.phase(), Phase::Transferring);
            assert_eq!(hung_up(&scene), [(own.expect("one").n, Cause::HungUp)], "ann's first leg is kept");
            scene.input(if answers {
                Input::AgentAnswered { leg }
            } else {
                Input::LegGone { leg, cause: Cause::Busy }
            });
            let caller = scene.call.caller();
            let with = if answers { leg } else { by };
            if answers || by_word {
                assert_eq!((bridged(&scene), recorded(&scene)), (Some((caller, with)), Some(with)));
            } else {
                assert_eq!(scene.enqueued().and_then(|(_, only, _)| only), Some("ann".into()));
            }
        }
    }
}

#[test]
fn a_queue_is_asked_for_its_first_free_agent() {
    let to = || Target::Queue { id: "support".into(), queue: Arc::new(queue(Policy::Never)) };
    let start = || {
        let mut scene = Scene::with(consent(), |_| {}).welcomed();
        scene.press('1').store(true).recorded("ann", 1);
        let by = scene.leg(1);
        scene.input(Input::Consult { by, own: None, to: to() });
        assert_eq!(scene.enqueued().map(|(id, ..)| id), Some("support".into()));
        (scene, by)
    };
    let (mut scene, by) = start();
    scene.ring(&["bob", "cy"]);
    let (late, first) = (scene.leg(2), scene.leg(3));
    scene.timer(TimerName::Ring).ring(&["bob", "cy"]);
    assert_eq!(scene.call.phase(), Phase::Consulting, "nobody answered: others are asked");
    let (late, first) = (LegId { n: late.n + 2, ..late }, LegId { n: first.n + 2, ..first });
    scene.input(Input::AgentAnswered { leg: first });
    assert_eq!(bridged(&scene), Some((by, first)));
    assert_eq!(hung_up(&scene), [(late.n, Cause::AnsweredElsewhere)]);
    assert_eq!(reports(&scene, "cy"), [AgentReport::Connected]);
    assert!(scene.has(|o| matches!(o, Output::Dequeue)));
    // Nobody is free in time.
    let (mut scene, by) = start();
    let since = scene.wait;
    scene.input(Input::Overflow { to: Onward::End, since });
    assert_eq!(bridged(&scene), Some((scene.call.caller(), by)));
    // The agent does not wait for it: the caller does.
    let (mut scene, by) = start();
    scene.input(Input::Complete { by });
    assert_eq!((scene.call.phase(), scene.call.queue()), (Phase::Waiting, &"support".into()));
    assert!(!scene.has(|o| matches!(o, Output::Dequeue | Output::Enqueue { .. })), "the place is kept");
    scene.ring(&["bob"]);
    assert_eq!(scene.call.phase(), Phase::Ringing);
}

#[test]
fn three_speak_and_any_of_the_agents_may_leave() {
    type Leave = fn(&mut Scene, LegId, LegId);
    let leaves: [(&str, bool, Leave); 4] = [
        ("ann completes", true, |s, by, _| {
            s.input(Input::Complete { by });
        }),
        ("ann hangs up", true, |s, leg, _| {
            s.input(Input::LegGone { leg, cause: Cause::HungUp });
        }),
        ("bob hangs up", false, |s, _, leg| {
            s.input(Input::LegGone { leg, cause: Cause::HungUp });
        }),
        ("ann sends bob away", false, |s, by, _| {
            s.input(Input::EndConsultation { by });
        }),
    ];
    for (name, ann_left, leave) in leaves {
        let (mut scene, by, own, third) = speaking(true);
        let (caller, agent) = (scene.call.caller(), own.expect("a second line"));
        scene.input(Input::ThreeWay { by });
        let joined = |o: &Output| all_speak(o, &[caller, agent, third]);
        assert!(scene.has(joined), "{name}: on the second line");
        assert_eq!((recorded(&scene), hung_up(&scene)), (Some(agent), vec![(by.n, Cause::HungUp)]));
        assert_eq!(scene.call.phase(), Phase::Conference);
        scene.input(Input::Hold { leg: third, on: true });
        assert!(scene.out.is_empty(), "bob's hold silences nobody else");
        scene.input(Input::Hold { leg: third, on: false });
        scene.input(Input::Recording(RecordingRequest::Pause { agent: "bob".into() }));
        assert!(scene.has(|o| matches!(o, Output::PauseRecording)), "either agent may");
        scene.input(Input::Recording(RecordingRequest::Resume { agent: "ann".into() }));
        leave(&mut scene, agent, third);
        let stays = if ann_left { third } else { agent };
        assert_eq!(bridged(&scene), Some((caller, stays)), "{name}");
        let take = scene.armed().expect("a take of its own");
        scene.input(Input::RecordingArmed(take));
        assert_eq!(recorded(&scene), Some(stays), "{name}");
        assert_eq!(
            scene.call.agent().map(|agent| agent.0.as_str()),
            Some(if ann_left { "bob" } else { "ann" })
        );
    }
}

#[test]
fn the_callers_leaving_ends_all() {
    for three in [false, true] {
        for own in [false, true] {
            let (mut scene, by, own, _) = speaking(own);
            if three {
                scene.input(Input::ThreeWay { by });
            }
            let leg = scene.call.caller();
            scene.input(Input::LegGone { leg, cause: Cause::HungUp });
            assert!(scene.ended());
            let legs = 2 + usize::from(own.is_some() && !three);
            assert_eq!(hung_up(&scene).len(), legs);
            assert_eq!(reports(&scene, "ann"), [AgentReport::Finished]);
            assert_eq!(reports(&scene, "bob"), [AgentReport::Finished]);
        }
    }
}

#[test]
fn what_cannot_be_asked_now_is_refused() {
    let (mut scene, by, _, _) = speaking(false);
    let own = scene.call.admit_leg();
    scene.input(Input::Consult { by, own, to: Target::Agent("cy".into()) });
    assert_eq!(hung_up(&scene), [(own.expect("one").n, Cause::Declined)], "one at a time");
    scene.input(Input::Transfer { by, to: Target::Agent("cy".into()) });
    assert!(matches!(scene.out[..], [Output::TransferProgress { progress: Progress::Failed(_), .. }]));
    let (mut scene, by, ..) = asking(false);
    scene.input(Input::ThreeWay { by });
    assert!(matches!(scene.out[..], [Output::TransferProgress { progress: Progress::Failed(_), .. }]));
    assert_eq!(scene.call.phase(), Phase::Consulting);
}

/// An override is one agent's: back from a consultation it holds, handed over it does not.
#[test]
fn an_override_outlasts_a_consultation_and_no_handover() {
    for completed in [false, true] {
        let mut scene = Scene::with(consent(), |_| {}).welcomed();
        scene.press('2').store(true).ring(&["ann"]);
        let by = scene.leg(1);
        scene.input(Input::AgentAnswered { leg: by });
        let reason = OverrideReason {
            category: OverrideCategory::Emergency,
            text: crate::ids::Redacted("threat".into()),
        };
        let agent = AgentId::from("ann");
        scene.input(Input::Recording(RecordingRequest::Override { agent, reason })).store(true);
        let take = scene.armed().expect("armed");
        scene.input(Input::RecordingArmed(take)).input(Input::Consult { by, own: None, to: bob() });
        let take = scene.armed().expect("ann will be back");
        scene.input(Input::RecordingArmed(take)).input(Input::Claimed { agent: "bob".into(), free: true });
        let leg = scene.leg(2);
        scene.input(Input::AgentAnswered { leg });
        scene.input(if completed { Input::Complete { by } } else { Input::EndConsultation { by } });
        assert_eq!(recorded(&scene).is_some(), !completed);
        assert_eq!(scene.has(|o| matches!(o, Output::StopRecording { .. })), completed, "armed in vain");
    }
}
