//! Agents' states through calls that do not go as they should.

use super::tests::{SALES, Scene, call, queue, rings};
use super::*;
use crate::call::Cause;
use crate::settings::Strategy;

fn lunch() -> NotReady {
    NotReady { reason: "lunch".into() }
}

fn presence(scene: &mut Scene, ready: Result<(), NotReady>) -> Vec<Output> {
    scene.input(Input::Presence { agent: "ann".into(), ready })
}

fn registered(scene: &mut Scene, on: bool) -> Vec<Output> {
    scene.input(Input::Registered { agent: "ann".into(), on })
}

/// Ann talks with caller 1 of a queue with ten seconds of wrap-up.
fn talking() -> Scene {
    let mut scene = Scene::new(&[("sales", queue(Strategy::LongestIdle))], &[("ann", SALES)]);
    scene.log_on("ann");
    scene.wait(1, "sales");
    scene.report(1, "ann", AgentReport::Connected);
    scene
}

/// A page that is loaded anew, in mid-call.
#[test]
fn who_logs_off_and_on_again_while_talking_talks_on() {
    let mut scene = talking();
    for on in [false, true, false, true] {
        assert!(registered(&mut scene, on).is_empty(), "nothing to tell");
        assert_eq!(scene.state("ann"), AgentState::Talking(call(1)));
    }
    assert!(rings(&scene.wait(2, "sales")).is_empty());
    scene.report(1, "ann", AgentReport::Finished);
    assert!(matches!(scene.state("ann"), AgentState::WrapUp { .. }), "as after any call");
    assert_eq!(rings(&scene.pass(10)), [(2, vec!["ann"])]);
}

#[test]
fn a_choice_made_while_talking_counts_after_the_wrap_up() {
    let mut scene = talking();
    assert!(presence(&mut scene, Err(lunch())).is_empty());
    assert_eq!(scene.state("ann"), AgentState::Talking(call(1)));
    scene.report(1, "ann", AgentReport::Finished);
    assert!(matches!(scene.state("ann"), AgentState::WrapUp { .. }));
    scene.wait(2, "sales");
    assert!(rings(&scene.pass(10)).is_empty());
    assert_eq!(scene.state("ann"), AgentState::NotReady(lunch()));
    assert_eq!(rings(&presence(&mut scene, Ok(()))), [(2, vec!["ann"])]);
}

#[test]
fn a_wrap_up_ends_when_the_agent_says_so() {
    for (ready, rung) in [(Ok(()), true), (Err(lunch()), false)] {
        let mut scene = talking();
        scene.report(1, "ann", AgentReport::Finished);
        scene.wait(2, "sales");
        let told = presence(&mut scene, ready);
        assert_eq!(!rings(&told).is_empty(), rung);
        let state = if rung { AgentState::Ringing(call(2)) } else { AgentState::NotReady(lunch()) };
        assert_eq!(scene.state("ann"), state);
        scene.pass(20);
        assert_eq!(scene.state("ann"), state, "its timer is gone");
    }
}

/// The caller who was lost with the phone is first in the line again: not for that phone at once.
#[test]
fn a_phone_that_was_lost_for_good_rests() {
    for reachable in [true, false] {
        let mut scene = talking();
        registered(&mut scene, reachable);
        scene.report(1, "ann", AgentReport::Missed(Cause::Unreachable));
        assert!(rings(&scene.wait(1, "sales")).is_empty());
        let why = NotReady { reason: "phone not reachable".into() };
        let state = if reachable { AgentState::NotReady(why) } else { AgentState::LoggedOff };
        assert_eq!(scene.state("ann"), state);
        let rung = if reachable { scene.pass(ABSENT_REST.as_secs()) } else { registered(&mut scene, true) };
        assert_eq!(rings(&rung), [(1, vec!["ann"])]);
        assert_eq!(scene.desk.sizes().engaged, 1);
    }
}
