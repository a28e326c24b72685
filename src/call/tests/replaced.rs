//! Another dialog in a leg's place.

use super::*;

fn talking() -> Scene {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').store(true).recorded("ann", 1);
    scene
}

fn replace(scene: &mut Scene, old: LegId, agent: Option<&str>) -> LegId {
    let new = scene.call.admit_leg().expect("a number");
    scene.input(Input::Replaced { old, new, agent: agent.map(AgentId::from) });
    new
}

fn ended(scene: &Scene, leg: LegId) -> bool {
    scene.has(|o| matches!(o, Output::Hangup { leg: gone, .. } if *gone == leg))
}

fn bridged(scene: &Scene, one: LegId, other: LegId) -> bool {
    scene.has(|o| matches!(o, Output::Bridge { caller, agent } if (*caller, *agent) == (one, other)))
}

#[test]
fn in_a_conversation_the_recording_goes_on_as_a_new_take() {
    for (agent, moved) in [(Some("ann"), false), (Some("bob"), true), (None, true)] {
        let mut scene = talking();
        let (caller, old) = (scene.call.caller(), scene.leg(1));
        let new = replace(&mut scene, old, agent);
        assert!(matches!(scene.out[0], Output::Unbridge));
        assert!(ended(&scene, old) && bridged(&scene, caller, new));
        let take = scene.armed().expect("the same decision");
        scene.input(Input::RecordingArmed(take));
        assert!(scene.has(|o| matches!(o, Output::StartRecording { agent, .. } if *agent == new)));
        assert_eq!(scene.call.agent().map(|agent| agent.0.as_str()), agent);
        assert_eq!(scene.bases().len(), 1, "the consent stays with the call");
        let mut scene = talking();
        let old = scene.leg(1);
        replace(&mut scene, old, agent);
        let finished = |o: &Output| matches!(o, Output::AgentReport { agent, report: AgentReport::Finished } if agent.0 == "ann");
        assert_eq!(scene.has(finished), moved);
        let connected = |o: &Output| matches!(o, Output::AgentReport { report: AgentReport::Connected, .. });
        assert_eq!(scene.has(connected), agent == Some("bob"));
    }
}

#[test]
fn the_caller_hears_on_another_phone_what_was_to_be_heard() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    let old = scene.call.caller();
    let new = replace(&mut scene, old, None);
    assert!(ended(&scene, old) && scene.call.caller() == new);
    assert!(
        scene.has(|o| matches!(o, Output::Play { leg, prompt: Prompt::ConsentQuestion, .. } if *leg == new))
    );
    scene.press('1').store(true);
    assert!(matches!(scene.bases()[..], [Basis::Agreed(_)]), "asked once, answered on the new phone");
    let newer = replace(&mut scene, new, None);
    assert!(scene.has(|o| matches!(o, Output::Play { leg, prompt: Prompt::Thanks, .. } if *leg == newer)));
    scene.recorded("ann", 3);
    let last = replace(&mut scene, newer, None);
    let agent = scene.leg(3);
    assert!(ended(&scene, newer) && bridged(&scene, last, agent));
    scene.input(Input::LegGone { leg: newer, cause: Cause::HungUp });
    assert!(scene.out.is_empty(), "an old leg");
    scene.input(Input::LegGone { leg: last, cause: Cause::HungUp });
    assert!(scene.ended());
}

#[test]
fn a_ringing_phone_is_picked_up_on_another() {
    let mut scene = Scene::with(Policy::Never, |_| {}).welcomed();
    scene.ring(&["ann", "cy"]);
    let (old, other, caller) = (scene.leg(1), scene.leg(2), scene.call.caller());
    let new = replace(&mut scene, old, Some("bob"));
    assert!(ended(&scene, old) && ended(&scene, other) && bridged(&scene, caller, new));
    let released =
        scene.out.iter().filter(|o| matches!(o, Output::AgentReport { report: AgentReport::Released, .. }));
    assert_eq!((released.count(), scene.call.agent()), (2, Some(&"bob".into())));
    // And the target of a transfer.
    let third = scene.leg(4);
    scene.sent_to(new, "ann");
    let picked = replace(&mut scene, third, Some("cy"));
    assert!(bridged(&scene, caller, picked) && ended(&scene, new) && ended(&scene, third));
}

#[test]
fn legs_of_a_consultation_and_of_three_are_replaced() {
    let mut scene = talking();
    let (by, own) = (scene.leg(1), scene.call.admit_leg().expect("a number"));
    scene.input(Input::Consult { by, own: Some(own), to: Target::Agent("bob".into()) });
    let early = replace(&mut scene, own, Some("ann"));
    assert!(ended(&scene, early) && !ended(&scene, own), "not answered yet");
    let take = scene.call.numbers.take - 1;
    scene.input(Input::RecordingArmed(TakeId(take)));
    scene.input(Input::Claimed { agent: "bob".into(), free: true });
    let target = scene.leg(4);
    scene.input(Input::AgentAnswered { leg: target });
    let second = replace(&mut scene, own, Some("ann"));
    assert!(ended(&scene, own) && bridged(&scene, second, target));
    let asked = replace(&mut scene, target, Some("bob"));
    assert!(ended(&scene, target) && bridged(&scene, second, asked));
    let first = replace(&mut scene, by, Some("ann"));
    assert!(ended(&scene, by) && bridged(&scene, second, asked), "put together again");
    let wrong = replace(&mut scene, first, Some("bob"));
    assert!(ended(&scene, wrong) && !ended(&scene, first), "bob is in the call already");
    scene.input(Input::ThreeWay { by: first });
    let (caller, third) = (scene.call.caller(), replace(&mut scene, asked, Some("cy")));
    let joined = |o: &Output| all_speak(o, &[caller, second, third]);
    assert!(ended(&scene, asked) && scene.has(joined));
    scene.input(Input::Shutdown);
    assert!(scene.ended() && ended(&scene, second) && ended(&scene, third));
}

#[test]
fn a_leg_for_one_that_is_gone_is_ended() {
    let mut scene = talking();
    let old = scene.leg(9);
    let new = replace(&mut scene, old, Some("bob"));
    assert!(matches!(&scene.out[..], [Output::Hangup { leg, .. }, Output::Commit(_, facts)]
        if *leg == new && matches!(facts[..], [Fact::Admitted { .. }, Fact::LegEnded { .. }])));
    assert_eq!(scene.call.phase(), Phase::Talking);
}
