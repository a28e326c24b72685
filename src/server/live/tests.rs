//! The hub in virtual time: who is told what, and what the queues' figures come to.

#![allow(clippy::wildcard_enum_match_arm)] // a test looks for one variant among many

use ulid::Ulid;

use super::*;
use crate::api::view::{ConsentState, ConsentView, Lamp, PhaseWord, RecordingView, Why};
use crate::call::tests::queue;
use crate::call::{Cause, Whom};
use crate::consent::Policy;
use crate::ids::{LegId, Redacted};
use crate::queue::NotReady;
use crate::settings::{Agent, Phone};

const NOON: Timestamp = Timestamp::from_micros(1_795_348_800_000_000);

fn at(seconds: u64) -> Timestamp {
    NOON + Duration::from_secs(seconds)
}

fn call_id(n: u128) -> CallId {
    CallId::new(Ulid(n))
}

/// Queues `sales` and `support`, and agents by name and the queues they serve.
fn settings(agents: &[(&str, &str, &[&str])]) -> Settings {
    let mut settings = Settings::default();
    for name in ["sales", "support"] {
        settings.queues.insert(name.into(), Arc::new(queue(Policy::Never)));
    }
    for (id, name, queues) in agents {
        let queues = queues.iter().map(|queue| QueueId::from(*queue)).collect();
        let (display_name, phone) = (Redacted((*name).to_owned()), Phone::default());
        let agent = Agent { display_name, credentials: None, queues, skills: Vec::new(), phone };
        settings.agents.insert((*id).into(), Arc::new(agent));
    }
    settings
}

const ADA: (&str, &str, &[&str]) = ("ada", "Ada", &["sales", "support"]);
const BOB: (&str, &str, &[&str]) = ("bob", "Bob", &["support"]);

struct Scene {
    hub: Hub,
    told: broadcast::Receiver<Arc<Live>>,
}

impl Scene {
    fn new() -> Self {
        let hub = Hub::new(&settings(&[ADA, BOB]), NOON);
        let (_, told) = hub.watch(NOON);
        Self { hub, told }
    }

    fn queue(&self, name: &str) -> QueueView {
        let (snapshot, _) = self.hub.watch(NOON);
        snapshot.queues.into_iter().find(|queue| queue.id == name.into()).expect("a queue")
    }

    /// What was told since the last time, in a word each.
    fn told(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        while let Ok(live) = self.told.try_recv() {
            words.push(match &*live {
                Live::Call(view) => format!("call {:?}", view.phase),
                Live::Gone(_) => "gone".to_owned(),
                Live::Agent(view) => format!("{} {:?}", view.id, view.state),
                Live::Queue(view) => format!("{} waiting {} ready {}", view.id, view.waiting, view.ready),
                Live::Anew => "anew".to_owned(),
            });
        }
        words
    }

    fn agent(&self, name: &str, state: AgentState, seconds: u64) {
        self.hub.agent(&name.into(), &state, at(seconds));
    }

    fn fact(&self, fact: Fact, seconds: u64) {
        self.hub.fact(&fact, at(seconds));
    }
}

fn view(n: u128, phase: PhaseWord, queue: &str, waits: Option<u64>) -> CallView {
    CallView {
        id: call_id(n),
        phase,
        arrived_at: NOON,
        queue: queue.into(),
        first_queue: queue.into(),
        caller: Some(Redacted("+4930123456".to_owned())),
        waiting_since: waits.map(at),
        connected_at: None,
        parties: Vec::new(),
        consent: ConsentView { state: ConsentState::NotNeeded, at: None },
        recording: RecordingView {
            state: Lamp::Off,
            why: Why::Never,
            paused_at: None,
            resumes_at: None,
            can: Vec::new(),
        },
    }
}

fn queued(n: u128, queue: &str, seconds: u64) -> Fact {
    Fact::Queued { call: call_id(n), queue: queue.into(), at: at(seconds) }
}

fn connected(n: u128, seconds: u64) -> Fact {
    Fact::Connected { leg: LegId { call: call_id(n), n: 1 }, at: at(seconds) }
}

fn ended(n: u128, seconds: u64) -> Fact {
    Fact::Ended { call: call_id(n), at: at(seconds), cause: Cause::HungUp }
}

#[test]
fn a_watcher_gets_all_there_is_and_then_each_change_once() {
    let mut scene = Scene::new();
    scene.hub.call(view(1, PhaseWord::Welcome, "sales", None));
    let (snapshot, mut late) = scene.hub.watch(at(1));
    assert_eq!(snapshot.now, at(1));
    assert_eq!((snapshot.calls.len(), snapshot.agents.len(), snapshot.queues.len()), (1, 2, 2));
    assert!(late.try_recv().is_err(), "what the snapshot has is not told again");
    scene.hub.call(view(1, PhaseWord::Talking, "sales", None));
    scene.hub.gone(call_id(1));
    scene.hub.gone(call_id(1));
    assert!(matches!(&*late.try_recv().expect("news"), Live::Call(view) if view.phase == PhaseWord::Talking));
    assert!(matches!(&*late.try_recv().expect("news"), Live::Gone(id) if *id == call_id(1)));
    assert!(late.try_recv().is_err());
    assert_eq!(scene.told(), ["call Welcome", "call Talking", "gone"]);
    assert_eq!(scene.hub.call_view(call_id(1)), None);
}

#[test]
fn waiting_is_counted_where_it_happens() {
    let mut scene = Scene::new();
    scene.hub.call(view(1, PhaseWord::Waiting, "sales", Some(10)));
    scene.hub.call(view(2, PhaseWord::Waiting, "sales", Some(5)));
    let sales = scene.queue("sales");
    assert_eq!((sales.waiting, sales.longest_since), (2, Some(at(5))));
    scene.told();
    scene.hub.call(view(2, PhaseWord::Ringing, "sales", Some(5)));
    assert_eq!(scene.told(), ["call Ringing"], "ringing is waiting still: no news of the queue");
    scene.hub.call(view(2, PhaseWord::Talking, "sales", None));
    assert_eq!(scene.told(), ["call Talking", "sales waiting 1 ready 0"]);
    scene.hub.call(view(1, PhaseWord::Waiting, "support", Some(10)));
    assert_eq!((scene.queue("sales").waiting, scene.queue("support").waiting), (0, 1), "sent on");
    scene.hub.gone(call_id(1));
    assert_eq!((scene.queue("support").waiting, scene.queue("support").longest_since), (0, None));
}

#[test]
fn agents_are_told_with_since_reason_and_until() {
    let mut scene = Scene::new();
    let state = |scene: &Scene| scene.hub.agent_view(&"ada".into()).expect("known");
    assert_eq!((state(&scene).state, state(&scene).since), (AgentWord::LoggedOff, NOON));
    scene.agent("ada", AgentState::Ready { since: at(3) }, 4);
    assert_eq!((state(&scene).state, state(&scene).since), (AgentWord::Ready, at(3)));
    let told = ["ada Ready", "sales waiting 0 ready 1", "support waiting 0 ready 1"];
    assert_eq!(scene.told(), told, "both of its queues have one more");
    scene.agent("ada", AgentState::Ringing(call_id(1)), 5);
    assert_eq!(state(&scene).call, Some(call_id(1)));
    scene.agent("ada", AgentState::Talking(call_id(1)), 6);
    assert_eq!((state(&scene).since, scene.queue("sales").ready), (at(6), 0));
    scene.agent("ada", AgentState::WrapUp { until: at(40) }, 30);
    assert_eq!((state(&scene).until, state(&scene).call), (Some(at(40)), None));
    scene.agent("ada", AgentState::NotReady(NotReady { reason: "Lunch".to_owned() }), 41);
    assert_eq!((state(&scene).reason.as_deref(), state(&scene).until), (Some("Lunch"), None));
    scene.agent("eve", AgentState::Ready { since: at(1) }, 42);
    assert_eq!(scene.hub.agent_view(&"eve".into()), None, "of strangers nothing is told");
}

#[test]
fn the_figures_of_today_follow_the_facts() {
    let mut scene = Scene::new();
    for (fact, seconds) in [
        (queued(1, "sales", 0), 0),
        (connected(1, 20), 20),
        (connected(1, 30), 30), // a third party joins: no answer of the queue's
        (ended(1, 40), 40),
        (queued(2, "sales", 50), 50),
        (connected(2, 71), 71),
        (queued(3, "sales", 80), 80),
        (ended(3, 81), 81),
        (queued(4, "sales", 90), 90),
        (queued(4, "support", 95), 95),
        (connected(4, 100), 100),
        (queued(5, "elsewhere", 100), 100),
        (ended(5, 101), 101),
    ] {
        scene.fact(fact, seconds);
    }
    let sales = scene.queue("sales");
    assert_eq!((sales.offered, sales.answered, sales.abandoned), (4, 2, 1));
    assert_eq!((sales.service_level, sales.service_seconds), (Some(0.5), 20), "one in 20 s, one in 21 s");
    let support = scene.queue("support");
    assert_eq!((support.offered, support.answered, support.service_level), (1, 1, Some(1.0)));
    assert!(!scene.told().is_empty());
    let to = Whom::Agent("ada".into());
    scene.fact(Fact::Dialled { leg: LegId { call: call_id(6), n: 1 }, to, at: at(102) }, 102);
    assert!(scene.told().is_empty(), "nothing that counts");
}

#[test]
fn a_new_day_begins_with_nothing() {
    let mut scene = Scene::new();
    scene.fact(queued(1, "sales", 0), 0);
    scene.fact(queued(2, "sales", 1), 1);
    scene.fact(ended(2, 2), 2);
    scene.told();
    let day = 24 * 3_600;
    scene.hub.look_at_the_day(at(60));
    assert!(scene.told().is_empty());
    scene.hub.look_at_the_day(at(day));
    assert_eq!(scene.told(), ["sales waiting 0 ready 0"]);
    let sales = scene.queue("sales");
    assert_eq!((sales.offered, sales.abandoned, sales.service_level), (0, 0, None));
    scene.fact(connected(1, day + 1), day + 1);
    assert_eq!(scene.queue("sales").answered, 1, "who waited over midnight is answered today");
}

#[test]
fn what_an_earlier_run_had_today_is_counted() {
    let scene = Scene::new();
    let row = |n, queued: Option<u64>, connected: Option<u64>, ended: Option<u64>| CallRow {
        id: call_id(n),
        queue: "sales".into(),
        queued_at: queued.map(at),
        connected_at: connected.map(at),
        ended_at: ended.map(at),
        ..an_empty_row()
    };
    scene.hub.recall(&[
        row(1, Some(0), Some(10), Some(90)),
        row(2, Some(0), Some(30), None),
        row(3, Some(0), None, Some(5)),
        row(4, None, None, Some(5)),
    ]);
    let sales = scene.queue("sales");
    assert_eq!((sales.offered, sales.answered, sales.abandoned), (3, 2, 1));
    assert_eq!(sales.service_level, Some(0.5));
}

#[test]
fn new_settings_bring_and_take_agents_and_queues() {
    let mut scene = Scene::new();
    scene.agent("ada", AgentState::Ready { since: at(1) }, 1);
    scene.hub.call(view(1, PhaseWord::Waiting, "support", Some(2)));
    scene.told();
    scene.hub.settings(&settings(&[ADA, BOB, ("cy", "Cy", &["sales"])]), at(2));
    assert_eq!(scene.told(), ["cy LoggedOff"], "and nothing of those who stay as they were");
    scene.hub.settings(&settings(&[("ada", "Ada", &["support"]), ("bob", "Robert", &["support"])]), at(3));
    let told = scene.told();
    let expected = ["ada Ready", "bob LoggedOff", "sales waiting 0 ready 0", "anew"];
    assert_eq!(told, expected, "ada left sales, bob has another name, cy is gone");
    let support = scene.queue("support");
    assert_eq!((support.waiting, support.ready), (1, 1));
}

fn an_empty_row() -> CallRow {
    CallRow {
        id: call_id(0),
        arrived_at: NOON,
        from: None,
        dialled: "100".to_owned(),
        trunk: None,
        first_queue: "sales".into(),
        queue: "sales".into(),
        language: "en".to_owned(),
        basis: None,
        basis_detail: None,
        queued_at: None,
        connected_at: None,
        agent: None,
        ended_at: None,
        end_cause: None,
        anonymised_at: None,
        restricted_at: None,
    }
}
