//! Agents held past the queues, in scenes and by chance.

#![allow(clippy::wildcard_enum_match_arm)] // a test looks for one variant among many

use std::time::Duration;

use proptest::prelude::*;

use super::tests::{SALES, Scene, call, queue, rings};
use super::*;
use crate::call::Cause;
use crate::settings::Strategy;

fn scene() -> Scene {
    Scene::new(&[("sales", queue(Strategy::LongestIdle))], &[("ann", SALES), ("bob", SALES)])
}

/// Whether the claim was granted; said exactly once.
fn claim(scene: &mut Scene, n: u128, name: &str) -> bool {
    let outputs = scene.input(Input::Claim { call: call(n), agent: name.into() });
    let mut answers = outputs.iter().filter_map(|output| match output {
        Output::Claimed { call: id, agent, free } => Some((*id, agent.0.clone(), *free)),
        _ => None,
    });
    let (id, agent, free) = answers.next().expect("an answer");
    assert_eq!((id, agent.as_str(), answers.next()), (call(n), name, None));
    free
}

#[test]
fn only_a_ready_agent_is_held_and_then_for_one_call() {
    let mut scene = scene();
    assert!(!claim(&mut scene, 1, "nobody"));
    assert!(!claim(&mut scene, 1, "bob"), "logged off");
    scene.log_on("bob");
    scene.input(Input::Presence { agent: "bob".into(), ready: Err(NotReady { reason: "lunch".into() }) });
    assert!(!claim(&mut scene, 1, "bob"), "not ready");
    scene.input(Input::Presence { agent: "bob".into(), ready: Ok(()) });
    assert!(claim(&mut scene, 1, "bob"));
    assert_eq!(scene.state("bob"), AgentState::Ringing(call(1)));
    assert!(!claim(&mut scene, 2, "bob") && !claim(&mut scene, 1, "bob"), "held");
    assert!(rings(&scene.wait(3, "sales")).is_empty(), "not offered to others");
    scene.report(1, "bob", AgentReport::Connected);
    assert!(!claim(&mut scene, 2, "bob"), "talking");
    let freed = scene.report(1, "bob", AgentReport::Finished);
    assert_eq!(rings(&freed), [(3, vec!["bob"])], "claimed past the queues: no wrap-up is known");
}

#[test]
fn who_is_claimed_for_a_call_shares_its_queues_wrap_up_and_leaves_alone() {
    let mut scene = scene();
    scene.log_on("ann");
    scene.wait(1, "sales");
    scene.log_on("bob");
    scene.report(1, "ann", AgentReport::Connected);
    scene.input(Input::Leave { call: call(1) });
    assert!(claim(&mut scene, 1, "bob"), "two agents of one call");
    scene.input(Input::Leave { call: call(1) });
    assert_eq!(scene.state("bob"), AgentState::Ringing(call(1)), "leaving a queue does not free a claim");
    scene.report(1, "bob", AgentReport::Connected);
    scene.report(1, "ann", AgentReport::Finished);
    assert_eq!(scene.state("bob"), AgentState::Talking(call(1)));
    scene.report(1, "bob", AgentReport::Finished);
    assert!(matches!(scene.state("bob"), AgentState::WrapUp { .. }));
}

#[test]
fn a_claim_that_comes_to_nothing_frees_the_agent() {
    let mut scene = scene();
    scene.log_on("bob");
    let idle = scene.state("bob");
    assert!(claim(&mut scene, 1, "bob"));
    scene.tick().report(1, "bob", AgentReport::Released);
    assert_eq!(scene.state("bob"), idle, "as idle as before");
    assert!(claim(&mut scene, 1, "bob"));
    scene.report(1, "bob", AgentReport::Missed(Cause::NoAnswer));
    assert!(matches!(scene.state("bob"), AgentState::NotReady(_)));
    scene.pass(60);
    assert!(claim(&mut scene, 1, "bob"));
    scene.input(Input::Gone { call: call(1) });
    assert_eq!((scene.state("bob"), scene.desk.sizes()), (idle_now(&scene), Sizes::default()));
}

fn idle_now(scene: &Scene) -> AgentState {
    let state = scene.state("bob");
    assert!(matches!(state, AgentState::Ready { .. }));
    state
}

/// The agent a call asks while its caller waits nowhere does not keep a wait of the same call from its turn.
#[test]
fn a_call_with_an_agent_in_conversation_may_wait_for_another() {
    let mut scene = scene();
    scene.log_on("ann");
    scene.wait(1, "sales");
    scene.report(1, "ann", AgentReport::Connected);
    scene.input(Input::Leave { call: call(1) });
    scene.wait(1, "sales");
    assert_eq!(rings(&scene.log_on("bob")), [(1, vec!["bob"])]);
    scene.report(1, "bob", AgentReport::Missed(Cause::Busy));
    assert_eq!(rings(&scene.pass(5)), [(1, vec!["bob"])], "waits on at the same place");
    scene.input(Input::Leave { call: call(1) });
    assert!(matches!(scene.state("bob"), AgentState::Ready { .. }));
    assert_eq!(scene.state("ann"), AgentState::Talking(call(1)));
}

/// Who picks up elsewhere, or takes a call over, talks though nobody was offered anything.
#[test]
fn a_conversation_without_an_offer_is_believed_of_who_is_in_no_call() {
    let mut scene = scene();
    scene.log_on("bob");
    scene.report(1, "bob", AgentReport::Connected);
    assert_eq!(scene.state("bob"), AgentState::Talking(call(1)));
    scene.report(2, "bob", AgentReport::Connected);
    scene.report(2, "bob", AgentReport::Finished);
    assert_eq!(scene.state("bob"), AgentState::Talking(call(1)), "not of who is in another");
    scene.report(1, "bob", AgentReport::Finished);
    assert_eq!(scene.desk.sizes().engaged, 0);
}

const NAMES: [&str; 3] = ["ann", "bob", "cy"];

fn input(kind: u8, n: u8, who: u8, now: Timestamp) -> Input {
    let (id, agent) = (call(u128::from(n % 4)), AgentId::from(NAMES[usize::from(who) % 3]));
    let report = |report| Input::Report { call: id, agent: agent.clone(), report };
    match kind % 12 {
        0 | 1 => Input::Wait { call: id, queue: "sales".into(), priority: 0, only: None, since: now },
        2..=4 => Input::Claim { call: id, agent },
        5 => report(AgentReport::Connected),
        6 => report(AgentReport::Missed(Cause::Busy)),
        7 => report(AgentReport::Released),
        8 => report(AgentReport::Finished),
        9 => Input::Leave { call: id },
        10 if who & 8 == 0 => Input::Gone { call: id },
        10 => Input::Presence { agent, ready: Err(NotReady { reason: "lunch".into() }) },
        _ if who & 8 == 0 => Input::Presence { agent, ready: Ok(()) },
        _ => Input::Registered { agent, on: who & 16 == 0 },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A claim holds exactly who is ready, for exactly one call; nobody held is rung; gone is gone.
    #[test]
    fn a_claim_holds_who_is_ready_and_nobody_else(
        words in prop::collection::vec(any::<(u8, u8, u8)>(), 1..120)
    ) {
        let mut scene =
            Scene::new(&[("sales", queue(Strategy::RingAll))], &NAMES.map(|name| (name, SALES)));
        for name in NAMES {
            scene.log_on(name);
        }
        for (kind, n, who) in words {
            if kind & 0x80 == 0 {
                scene.tick(); // a rest or a wrap-up may end
            }
            let before: Vec<AgentState> = NAMES.iter().map(|name| scene.state(name)).collect();
            let word = input(kind, n, who, scene.now);
            let gone = if let Input::Gone { call } = &word { Some(*call) } else { None };
            let outputs = scene.input(word);
            scene.desk.check();
            for output in &outputs {
                match output {
                    Output::Claimed { call, agent, free } => {
                        let at = NAMES.iter().position(|name| *name == agent.0).expect("known");
                        prop_assert_eq!(*free, matches!(before[at], AgentState::Ready { .. }));
                        if *free {
                            prop_assert_eq!(scene.state(&agent.0), AgentState::Ringing(*call));
                        }
                    }
                    Output::Ring { call, agents, .. } => {
                        for agent in agents {
                            prop_assert_eq!(scene.state(&agent.0), AgentState::Ringing(*call));
                        }
                    }
                    _ => {}
                }
            }
            if let Some(gone) = gone {
                for name in NAMES {
                    let state = scene.state(name);
                    prop_assert!(state != AgentState::Ringing(gone) && state != AgentState::Talking(gone));
                }
            }
        }
        for n in 0..4 {
            scene.input(Input::Gone { call: call(n) });
        }
        scene.pass(Duration::from_secs(600).as_secs());
        prop_assert_eq!(scene.desk.sizes(), Sizes::default());
    }
}
