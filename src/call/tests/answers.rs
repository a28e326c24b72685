//! What is shown of a call, and what is answered to commands.

use super::*;
use crate::ids::Redacted;

fn talking(recording: Policy, key: char) -> Scene {
    let mut scene = Scene::with(recording, |_| {}).welcomed();
    scene.press(key).store(true).ring(&["ann"]);
    if let Some(take) = scene.armed() {
        scene.input(Input::RecordingArmed(take));
    }
    let leg = scene.leg(1);
    scene.now = scene.now + Duration::from_secs(7);
    scene.input(Input::AgentAnswered { leg }).store(true);
    scene
}

#[test]
fn a_view_tells_the_course_of_a_call() {
    let mut scene = Scene::with(consent(), |_| {});
    let arrived = scene.now;
    let view = scene.call.view();
    assert_eq!((view.phase, view.arrived_at), (Phase::Answering, arrived));
    assert_eq!(view.consent, ConsentView { state: ConsentState::Undecided, at: None });
    scene = scene.welcomed();
    scene.now = scene.now + Duration::from_secs(3);
    let answered = scene.now;
    scene.press('1').store(true);
    let view = scene.call.view();
    assert_eq!((view.phase, view.waiting_since), (Phase::Waiting, Some(arrived)));
    assert_eq!(view.consent, ConsentView { state: ConsentState::Given, at: Some(answered) });
    assert_eq!((view.recording.state, view.recording.since), (Lamp::Off, Some(answered)));
    scene.ring(&["ann"]);
    let (leg, take) = (scene.leg(1), scene.armed().expect("armed"));
    let state = |scene: &Scene| scene.call.view().parties.iter().map(|party| party.state).collect::<Vec<_>>();
    assert_eq!(state(&scene), [PartyState::Dialled]);
    scene.input(Input::AgentRinging { leg });
    assert_eq!(state(&scene), [PartyState::Ringing]);
    assert_eq!(scene.call.view().recording.state, Lamp::Starting);
    scene.now = scene.now + Duration::from_secs(4);
    let connected = scene.now;
    scene.input(Input::RecordingArmed(take)).input(Input::AgentAnswered { leg });
    let view = scene.call.view();
    assert_eq!((view.connected_at, view.waiting_since), (Some(connected), None));
    assert_eq!((view.recording.state, state(&scene)), (Lamp::Recording, vec![PartyState::Talking]));
    assert_eq!((view.queue.0.as_str(), view.first_queue.0.as_str()), ("sales", "sales"));
    scene.input(Input::Hold { leg, on: true });
    let recording = scene.call.view().recording;
    assert_eq!((recording.state, recording.paused_at), (Lamp::Paused, None), "a hold is no press");
    assert_eq!(state(&scene), [PartyState::Holding]);
    scene.input(Input::Hold { leg, on: false });
    scene.input(Input::Consult { by: leg, own: None, to: Target::Agent("bob".into()) });
    scene.input(Input::Claimed { agent: "bob".into(), free: true });
    assert_eq!(state(&scene), [PartyState::Holding, PartyState::Dialled]);
    let bob = scene.leg(2);
    scene.input(Input::AgentAnswered { leg: bob });
    assert_eq!(state(&scene), [PartyState::Holding, PartyState::Consulted]);
    scene.input(Input::Complete { by: leg });
    let view = scene.call.view();
    assert_eq!(view.parties[0].who, PartyWho::Agent("bob".into()));
    assert_eq!(view.connected_at, Some(scene.now), "bob's conversation begins now");
    scene.input(Input::Shutdown);
    assert_eq!(scene.call.view().phase, Phase::Over);
}

#[test]
fn the_lamp_says_why_since_when_and_what_may_be_done() {
    // Agreed.
    let mut scene = talking(consent(), '1');
    let shown = scene.call.view().recording;
    assert!(matches!(shown.basis, Some(Basis::Agreed(_))));
    assert_eq!(shown.can, [Act::Pause, Act::Withdraw]);
    scene.input(Input::Recording(RecordingRequest::Pause { agent: "ann".into() }));
    let shown = scene.call.view().recording;
    assert_eq!(
        (shown.paused_at, shown.resumes_at),
        (Some(scene.now), Some(scene.now + Duration::from_secs(60)))
    );
    assert_eq!(shown.can, [Act::Resume, Act::Withdraw]);
    scene.now = scene.now + Duration::from_secs(1);
    scene.input(Input::Recording(RecordingRequest::Withdraw { entered_by: None }));
    let view = scene.call.view();
    assert_eq!(view.consent, ConsentView { state: ConsentState::Withdrawn, at: Some(scene.now) });
    assert_eq!((view.recording.state, view.recording.since), (Lamp::Off, Some(scene.now)));
    // Refused, then overridden.
    let mut scene = talking(consent(), '2');
    let view = scene.call.view();
    assert_eq!((view.consent.state, view.recording.can), (ConsentState::Refused, vec![Act::Override]));
    scene.now = scene.now + Duration::from_secs(9);
    let pressed = scene.now;
    let reason = OverrideReason { category: OverrideCategory::Legal, text: Redacted("claim".into()) };
    scene.input(Input::Recording(RecordingRequest::Override { agent: "ann".into(), reason })).store(true);
    let take = scene.armed().expect("armed");
    scene.now = scene.now + Duration::from_secs(1);
    scene.input(Input::RecordingArmed(take));
    let view = scene.call.view();
    assert!(matches!(view.recording.basis, Some(Basis::Override { .. })));
    assert_eq!((view.recording.since, &view.recording.can[..]), (Some(pressed), &[Act::Pause][..]));
    assert_eq!(view.consent.state, ConsentState::Refused, "the caller's word stays what it was");
    assert!(!format!("{view:?}").contains("claim") && !format!("{view:?}").contains("49301234567"));
    // Legal basis.
    let view = talking(legal(), '1').call.view();
    assert_eq!((view.consent.state, view.recording.can), (ConsentState::NotNeeded, vec![Act::Pause]));
}

/// What is answered is what is done: a command that is refused changes nothing, and the reverse.
#[test]
fn each_command_is_answered_as_it_is_followed() {
    let (ann, bob, eve) = (AgentId::from("ann"), AgentId::from("bob"), AgentId::from("eve"));
    let to_bob = Target::Agent("bob".into());
    let to_ann = Target::Agent("ann".into());
    let (by, other) = (&ann, &eve);
    let mut scene = talking(consent(), '1');
    let leg = scene.leg(1);
    let may = |scene: &Scene, request: Request<'_>| scene.call.may(&request);
    assert_eq!(may(&scene, Request::Pause { by: other }), Err(NotNow::NotYours));
    assert_eq!(may(&scene, Request::Resume { by }), Err(NotNow::NotPaused));
    assert_eq!(may(&scene, Request::Withdraw { by: other }), Err(NotNow::NotYours));
    assert_eq!(may(&scene, Request::Withdraw { by }), Ok(()));
    let mut early = Scene::with(consent(), |_| {}).welcomed();
    early.press('1').ring(&["ann"]);
    assert_eq!(may(&early, Request::Withdraw { by }), Err(NotNow::NotYours), "her phone only rings");
    assert_eq!(may(&scene, Request::Transfer { by: other, to: &to_bob }), Err(NotNow::NotYours));
    assert_eq!(may(&scene, Request::Transfer { by, to: &to_ann }), Err(NotNow::InCallAlready));
    assert_eq!(may(&scene, Request::Complete { by }), Err(NotNow::NobodyAsked));
    assert_eq!(may(&scene, Request::ThreeWay { by }), Err(NotNow::NobodyAsked));
    scene.input(Input::Recording(RecordingRequest::Pause { agent: ann.clone() }));
    assert_eq!(may(&scene, Request::Pause { by }), Err(NotNow::PausedAlready));
    assert_eq!(may(&scene, Request::Resume { by }), Ok(()));
    assert_eq!(may(&scene, Request::Consult { by, to: &to_bob }), Ok(()));
    scene.input(Input::Consult { by: leg, own: None, to: to_bob.clone() });
    assert_eq!(may(&scene, Request::Pause { by }), Err(NotNow::Apart));
    assert_eq!(may(&scene, Request::Transfer { by, to: &to_bob }), Err(NotNow::Apart));
    assert_eq!(may(&scene, Request::ThreeWay { by }), Err(NotNow::NotAnswered));
    assert_eq!(may(&scene, Request::Complete { by }), Ok(()));
    scene.input(Input::Claimed { agent: bob.clone(), free: true });
    let target = scene.leg(2);
    scene.input(Input::AgentAnswered { leg: target });
    assert_eq!(may(&scene, Request::ThreeWay { by }), Ok(()));
    scene.input(Input::ThreeWay { by: leg });
    assert_eq!(scene.call.phase(), Phase::Conference);
    assert_eq!(may(&scene, Request::Consult { by, to: &to_bob }), Err(NotNow::ThirdParty));
    assert_eq!(may(&scene, Request::EndConsultation { by }), Ok(()));
    assert_eq!(may(&scene, Request::Resume { by: &bob }), Ok(()), "any agent who is with the caller");
    assert_eq!(may(&scene, Request::Complete { by: &bob }), Err(NotNow::NotYours));
    scene.input(Input::EndConsultation { by: leg }).input(Input::AgentLost { leg });
    for request in [
        Request::Pause { by },
        Request::Transfer { by, to: &to_bob },
        Request::Complete { by },
        Request::ThreeWay { by },
    ] {
        assert_eq!(may(&scene, request), Err(NotNow::Lost), "{request:?}");
    }
    let reason = OverrideReason { category: OverrideCategory::Legal, text: Redacted(" ".into()) };
    let scene = talking(consent(), '2');
    assert_eq!(may(&scene, Request::Pause { by }), Err(NotNow::NotRecorded));
    assert_eq!(may(&scene, Request::Withdraw { by }), Err(NotNow::NoConsent));
    let refused = may(&scene, Request::Override { by, reason: &reason });
    assert_eq!(refused, Err(NotNow::Override(OverrideRefused::NoReason)));
    assert!(refused.is_err_and(|why| why.to_string().contains("written reason")));
    assert_eq!(may(&scene, Request::Override { by: other, reason: &reason }), Err(NotNow::NotYours));
}
