//! Supervisors: who hears whom, when, and until when.

use super::*;

fn talking() -> Scene {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').store(true).recorded("ann", 1);
    scene
}

/// A supervisor's phone has answered; nothing is stored yet.
fn comes(scene: &mut Scene, by: &str, mode: Supervision) -> LegId {
    let leg = scene.call.admit_leg().expect("a number");
    scene.input(Input::Supervise { leg, by: by.to_owned(), mode });
    leg
}

/// Ann and the caller, and eve takes part as leg 2.
fn with_eve(mode: Supervision) -> (Scene, LegId) {
    let mut scene = talking();
    scene.store(true);
    let leg = comes(&mut scene, "eve", mode);
    scene.store(true);
    (scene, leg)
}

/// Who hears whom from now on, as the last output of this input has it.
fn seats(scene: &Scene) -> Option<Vec<(u16, Voice)>> {
    scene.out.iter().rev().find_map(|output| match output {
        Output::Join { seats } => Some(seats.iter().map(|seat| (seat.leg, seat.voice)).collect()),
        Output::Bridge { caller, agent } => Some(vec![(caller.n, Voice::All), (agent.n, Voice::All)]),
        _ => None,
    })
}

fn hung_up(scene: &Scene) -> Vec<u16> {
    let ended = |o: &Output| if let Output::Hangup { leg, .. } = o { Some(leg.n) } else { None };
    scene.out.iter().filter_map(ended).collect()
}

const BOTH: [(u16, Voice); 2] = [(0, Voice::All), (1, Voice::All)];

#[test]
fn each_is_heard_by_whom_the_mode_says_and_by_nobody_else() {
    let voices = [
        (Supervision::Listen, Voice::Nobody, PartyState::Listening),
        (Supervision::Whisper, Voice::Only(1), PartyState::Whispering),
        (Supervision::Barge, Voice::All, PartyState::Barged),
    ];
    for (mode, voice, state) in voices {
        let (mut scene, leg) = with_eve(mode);
        assert_eq!(seats(&scene), Some([&BOTH[..], &[(2, voice)]].concat()));
        assert!(!scene.has(|o| matches!(o, Output::Unbridge | Output::StopRecording { .. })), "no cut");
        assert_eq!(scene.call.supervisor("eve"), Some((leg, mode)));
        let parties = scene.call.view().parties;
        assert_eq!(parties[1], PartyView { leg, who: PartyWho::Supervisor("eve".into()), state });
        // And changes, each time told whence.
        for (next, voice, _) in voices.into_iter().filter(|(next, ..)| *next != mode) {
            let was = scene.call.supervisor("eve").map(|(_, was)| was);
            scene.input(Input::Supervising { by: "eve".into(), mode: next });
            assert!(matches!(scene.facts.last(), Some(Fact::Supervised { mode, was: told, .. })
                if *mode == next && *told == was));
            assert_eq!(seats(&scene).as_deref(), Some(&BOTH[..]), "not before it is stored");
            scene.store(true);
            assert_eq!(seats(&scene), Some([&BOTH[..], &[(2, voice)]].concat()));
            scene.input(Input::Supervising { by: "eve".into(), mode: next });
            assert!(scene.out.is_empty(), "said twice");
        }
    }
}

/// Who listened is proven: nothing is heard before it is stored.
#[test]
fn nothing_is_heard_before_it_is_stored() {
    let mut scene = talking();
    scene.store(true);
    comes(&mut scene, "eve", Supervision::Barge);
    assert!(matches!(&scene.out[..], [Output::Commit(..)]), "{:?}", scene.out);
    scene.store(false);
    assert_eq!(seats(&scene), None, "the store is away");
    scene.input(Input::Supervising { by: "eve".into(), mode: Supervision::Listen });
    assert_eq!(seats(&scene), None);
    scene.store(true);
    assert_eq!(
        seats(&scene),
        Some([&BOTH[..], &[(2, Voice::Nobody)]].concat()),
        "stored with what came later"
    );
}

#[test]
fn who_leaves_by_word_or_by_hanging_up_is_gone_and_the_conversation_goes_on() {
    for by_word in [true, false] {
        let (mut scene, leg) = with_eve(Supervision::Listen);
        scene.input(if by_word {
            Input::Unsupervise { by: "eve".into() }
        } else {
            Input::LegGone { leg, cause: Cause::HungUp }
        });
        assert_eq!(seats(&scene).as_deref(), Some(&BOTH[..]));
        assert_eq!(hung_up(&scene).len(), usize::from(by_word));
        let ends: Vec<_> = scene.facts.iter().rev().take(2).collect();
        assert!(matches!(ends[..], [Fact::LegEnded { .. }, Fact::SuperviseEnded { by, .. }] if by == "eve"));
        assert_eq!(scene.call.phase(), Phase::Talking);
        scene.input(Input::Unsupervise { by: "eve".into() });
        assert!(scene.out.is_empty(), "said twice");
    }
}

/// What is said while the two are not together is for nobody's ears.
#[test]
fn while_the_conversation_parts_nothing_is_heard() {
    type Part = fn(&Scene) -> (Vec<Input>, Input);
    let parts: [(&str, Part); 5] = [
        ("ann holds", |s| {
            let leg = s.leg(1);
            (vec![Input::Hold { leg, on: true }], Input::Hold { leg, on: false })
        }),
        ("the caller holds", |s| {
            let leg = s.call.caller();
            (vec![Input::Hold { leg, on: true }], Input::Hold { leg, on: false })
        }),
        ("ann asks bob", |s| {
            let (by, bob) = (s.leg(1), s.leg(3));
            let consult = Input::Consult { by, own: None, to: Target::Agent("bob".into()) };
            let claimed = Input::Claimed { agent: "bob".into(), free: true };
            (vec![consult, claimed, Input::AgentAnswered { leg: bob }], Input::EndConsultation { by })
        }),
        ("a transfer fails", |s| {
            let transfer = Input::Transfer { by: s.leg(1), to: Target::Agent("bob".into()) };
            (vec![transfer], Input::Claimed { agent: "bob".into(), free: false })
        }),
        ("ann's phone is gone", |s| {
            let leg = s.leg(1);
            (vec![Input::AgentLost { leg }], Input::AgentBack { leg })
        }),
    ];
    for (name, part) in parts {
        let (mut scene, _) = with_eve(Supervision::Listen);
        let (inputs, back) = part(&scene);
        let mut heard = seats(&scene).is_some();
        for input in inputs {
            scene.input(input);
            for output in &scene.out {
                match output {
                    Output::Unbridge => heard = false,
                    Output::Join { seats } => heard = seats.iter().any(|seat| seat.leg == 2),
                    _ => {}
                }
            }
        }
        assert!(!heard, "{name}");
        assert_eq!(scene.call.supervisor("eve").map(|(leg, _)| leg.n), Some(2), "{name}: waits");
        scene.input(back);
        assert_eq!(
            seats(&scene),
            Some([&BOTH[..], &[(2, Voice::Nobody)]].concat()),
            "{name}: together again"
        );
    }
}

#[test]
fn a_supervisor_goes_with_the_conversation_and_only_with_it() {
    type End = fn(&mut Scene);
    let ends: [(&str, End); 6] = [
        ("the caller hangs up", |s| {
            let leg = s.call.caller();
            s.input(Input::LegGone { leg, cause: Cause::HungUp });
        }),
        ("ann hangs up", |s| {
            let leg = s.leg(1);
            s.input(Input::LegGone { leg, cause: Cause::HungUp });
        }),
        ("ann sends the caller to a queue", |s| {
            let to = Target::Queue { id: "support".into(), queue: Arc::new(queue(Policy::Never)) };
            s.input(Input::Transfer { by: s.leg(1), to });
        }),
        ("bob takes over", |s| {
            let (old, new) = (s.leg(1), s.call.admit_leg().expect("a number"));
            s.input(Input::Replaced { old, new, agent: Some("bob".into()) });
        }),
        ("ann is lost for ever", |s| {
            let leg = s.leg(1);
            s.input(Input::AgentLost { leg }).timer(TimerName::Lost);
        }),
        ("the server stops", |s| {
            s.input(Input::Shutdown);
        }),
    ];
    for (name, end) in ends {
        let (mut scene, leg) = with_eve(Supervision::Barge);
        end(&mut scene);
        assert!(hung_up(&scene).contains(&2), "{name}");
        assert_eq!(scene.call.supervisor("eve"), None, "{name}");
        let ended = scene.facts.iter().filter(|f| matches!(f, Fact::SuperviseEnded { .. })).count();
        assert_eq!(ended, 1, "{name}");
        assert!(!seats(&scene).is_some_and(|seats| seats.iter().any(|(n, _)| *n == leg.n)), "{name}");
    }
    // Another phone of the same agent is the same conversation.
    let (mut scene, _) = with_eve(Supervision::Whisper);
    let (old, new) = (scene.leg(1), scene.call.admit_leg().expect("a number"));
    scene.input(Input::Replaced { old, new, agent: Some("ann".into()) });
    let whispers_to = (2, Voice::Only(new.n));
    assert_eq!(seats(&scene), Some(vec![(0, Voice::All), (new.n, Voice::All), whispers_to]));
}

#[test]
fn of_three_the_supervisor_hears_all_and_whispers_to_the_own_agent() {
    let (mut scene, _) = with_eve(Supervision::Whisper);
    let by = scene.leg(1);
    scene.input(Input::Consult { by, own: None, to: Target::Agent("bob".into()) });
    scene.input(Input::Claimed { agent: "bob".into(), free: true });
    let bob = scene.leg(3);
    scene.input(Input::AgentAnswered { leg: bob }).input(Input::ThreeWay { by });
    assert_eq!(
        seats(&scene),
        Some(vec![(0, Voice::All), (1, Voice::All), (3, Voice::All), (2, Voice::Only(1))])
    );
    scene.input(Input::Complete { by });
    assert!(hung_up(&scene).contains(&2), "bob's conversation is another");
    assert_eq!(seats(&scene), Some(vec![(0, Voice::All), (3, Voice::All)]));
}

#[test]
fn whoever_may_not_is_told_and_hears_nothing() {
    let request = |by, agent| Request::Supervise { by, agent, mode: Supervision::Listen };
    let ann = AgentId::from("ann");
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    assert_eq!(scene.call.may(&request("eve", None)), Err(NotNow::NoConversation));
    let leg = comes(&mut scene, "eve", Supervision::Listen);
    assert_eq!(hung_up(&scene), [leg.n]);
    let mut scene = talking();
    assert_eq!(scene.call.may(&request("ann-the-user", Some(&ann))), Err(NotNow::OwnCall));
    for by in ["eve", "kim", "sam"] {
        assert_eq!(scene.call.may(&request(by, None)), Ok(()));
        comes(&mut scene, by, Supervision::Listen);
    }
    scene.store(true);
    assert_eq!(seats(&scene).map(|seats| seats.len()), Some(2 + MAX_SUPERVISORS));
    assert_eq!(scene.call.may(&request("zoe", None)), Err(NotNow::TooManySupervisors));
    assert_eq!(scene.call.may(&request("eve", None)), Err(NotNow::SupervisesAlready));
    let change = Request::Supervise { by: "eve", agent: None, mode: Supervision::Barge };
    assert_eq!(scene.call.may(&change), Ok(()));
    assert_eq!(scene.call.may(&Request::Unsupervise { by: "zoe" }), Err(NotNow::DoesNotSupervise));
    for by in ["zoe", "eve"] {
        let leg = comes(&mut scene, by, Supervision::Barge);
        assert_eq!(hung_up(&scene), [leg.n], "{by}");
        assert!(seats(&scene).is_none());
    }
}

/// Neither consent nor queue nor transfer knows a supervisor.
#[test]
fn a_supervisor_is_no_party() {
    let (mut scene, leg) = with_eve(Supervision::Barge);
    let old = leg;
    let new = scene.call.admit_leg().expect("a number");
    scene.input(Input::Transfer { by: leg, to: Target::Agent("bob".into()) });
    assert!(!scene.has(|o| matches!(o, Output::Claim { .. } | Output::Unbridge)));
    scene.input(Input::Digit { leg, digit: key('2'), channel: DigitChannel::Rfc4733 });
    assert!(scene.out.is_empty());
    scene.input(Input::Hold { leg, on: true });
    assert!(scene.out.is_empty(), "nobody hears music for it");
    scene.input(Input::Recording(RecordingRequest::Pause { agent: "eve".into() }));
    assert!(scene.out.is_empty());
    scene.input(Input::Replaced { old, new, agent: Some("bob".into()) });
    assert_eq!(hung_up(&scene), [new.n]);
    assert_eq!(scene.call.agent(), Some(&"ann".into()));
    scene.input(Input::AgentLost { leg });
    assert_eq!((hung_up(&scene), scene.call.phase()), (vec![leg.n], Phase::Talking));
}
