//! Who sees what.

use super::*;
use crate::access::{Held, Session, Standing};
use crate::api::guard::By;
use crate::api::view::*;
use crate::ids::Redacted;
use crate::settings::{Role, System, User};
use crate::store::SessionKey;
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);

fn visitor(role: Role, agent: Option<&str>) -> Visitor {
    let account = User {
        display_name: Redacted(String::new()),
        password_hash: Redacted(String::new()),
        applied_hash: None,
        must_change_password: false,
        role,
        custom_role: None,
        grants: Vec::new(),
        only_queues: None,
        agent: agent.map(AgentId::from),
        language: None,
    };
    Visitor {
        key: SessionKey([0; 32]),
        user: "x".into(),
        held: Held::of(&account, None),
        account,
        session: Session::begun(NOW),
        by: By::Password,
        standing: Standing { by_password: true, must_change: false, changed: None, second_factor: false },
        system: System::default(),
    }
}

fn call(n: u128, agent: &str) -> CallView {
    let party = |leg, kind, id: &str| PartyView {
        leg,
        kind,
        id: Redacted(id.to_owned()),
        name: Redacted(id.to_owned()),
        state: PartyState::Talking,
    };
    CallView {
        id: CallId::new(ulid::Ulid(n)),
        phase: PhaseWord::Conference,
        arrived_at: NOW,
        queue: "support".into(),
        first_queue: "support".into(),
        caller: Some(Redacted("+4930123467".into())),
        waiting_since: None,
        connected_at: None,
        parties: vec![
            party(1, PartyKind::Agent, agent),
            party(2, PartyKind::Outside, "+4989555"),
            party(3, PartyKind::Supervisor, "bob"),
        ],
        consent: ConsentView { state: ConsentState::Undecided, at: None },
        recording: RecordingView {
            state: Lamp::Off,
            why: Why::Undecided,
            paused_at: None,
            resumes_at: None,
            can: Vec::new(),
        },
    }
}

fn agent(id: &str, queues: &[&str]) -> AgentView {
    AgentView {
        id: id.into(),
        name: Redacted(id.to_owned()),
        queues: queues.iter().map(|queue| QueueId::from(*queue)).collect(),
        state: AgentWord::Ready,
        since: NOW,
        reason: None,
        until: None,
        call: None,
    }
}

fn queue(id: &str) -> QueueView {
    QueueView {
        id: id.into(),
        waiting: 0,
        longest_since: None,
        offered: 0,
        answered: 0,
        abandoned: 0,
        service_level: None,
        service_seconds: 20,
        ready: 0,
    }
}

fn snapshot() -> Snapshot {
    Snapshot {
        now: NOW,
        calls: vec![call(1, "bob"), call(2, "carol")],
        agents: vec![agent("bob", &["support"]), agent("carol", &["sales"])],
        queues: vec![queue("sales"), queue("support")],
    }
}

fn numbers(call: &CallView) -> (&str, &str, &str) {
    (call.caller.as_ref().map_or("", |it| it.0.as_str()), &call.parties[1].id.0, &call.parties[1].name.0)
}

const WHOLE: (&str, &str, &str) = ("+4930123467", "+4989555", "+4989555");
const MASKED: (&str, &str, &str) = ("••• 67", "••• 55", "••• 55");

#[test]
fn an_agent_sees_own_calls_whole_own_queues_and_all_agents() {
    let mut seen = Seen::new(&visitor(Role::Agent, Some("bob")));
    let shown = seen.begin(snapshot());
    assert_eq!(shown.calls, [call(1, "bob")]);
    assert_eq!(numbers(&shown.calls[0]), WHOLE);
    assert_eq!(shown.agents.len(), 2);
    assert_eq!(shown.queues, [queue("support")]);
    assert_eq!(seen.change(&Live::Call(call(2, "carol"))), Shown::Nothing);
    assert_eq!(seen.change(&Live::Queue(queue("sales"))), Shown::Nothing);
    assert_eq!(seen.change(&Live::Queue(queue("support"))), Shown::Queue(queue("support")));
    assert_eq!(seen.change(&Live::Agent(agent("carol", &[]))), Shown::Agent(agent("carol", &[])));
}

#[test]
fn a_call_comes_when_it_becomes_own_and_goes_when_it_is_no_longer() {
    let mut seen = Seen::new(&visitor(Role::Agent, Some("bob")));
    seen.begin(snapshot());
    let id = |n| CallId::new(ulid::Ulid(n));
    assert_eq!(seen.change(&Live::Call(call(2, "bob"))), Shown::Call(call(2, "bob")));
    assert_eq!(seen.change(&Live::Call(call(1, "carol"))), Shown::Gone(id(1)));
    assert_eq!(seen.change(&Live::Gone(id(1))), Shown::Nothing, "told already");
    assert_eq!(seen.change(&Live::Gone(id(2))), Shown::Gone(id(2)));
    assert_eq!(seen.change(&Live::Gone(id(9))), Shown::Nothing);
}

#[test]
fn the_wallboard_sees_all_and_whole_numbers_in_own_calls_only() {
    for role in [Role::Supervisor, Role::AdvancedMonitoring] {
        let mut seen = Seen::new(&visitor(role, Some("bob")));
        let shown = seen.begin(snapshot());
        assert_eq!(shown.calls.iter().map(numbers).collect::<Vec<_>>(), [WHOLE, MASKED]);
        assert_eq!(shown.queues.len(), 2);
        let Shown::Call(told) = seen.change(&Live::Call(call(3, "carol"))) else { panic!("not told") };
        assert_eq!(numbers(&told), MASKED);
        assert_eq!(told.parties[2].id.0, "bob", "a supervisor is no number");
    }
}

#[test]
fn who_is_no_agent_and_has_no_wallboard_sees_nobody() {
    let mut seen = Seen::new(&visitor(Role::Reporting, None));
    let shown = seen.begin(snapshot());
    assert!(shown.calls.is_empty() && shown.queues.is_empty());
    assert_eq!(shown.agents.len(), 0);
}

#[test]
fn another_queue_shows_everything_anew() {
    let mut seen = Seen::new(&visitor(Role::Agent, Some("bob")));
    seen.begin(snapshot());
    assert_eq!(seen.change(&Live::Agent(agent("bob", &["support", "sales"]))), Shown::Anew);
    assert_eq!(
        seen.change(&Live::Agent(agent("carol", &["support"]))),
        Shown::Agent(agent("carol", &["support"]))
    );
    let mut all = Seen::new(&visitor(Role::Supervisor, Some("bob")));
    all.begin(snapshot());
    assert_eq!(all.change(&Live::Anew), Shown::Anew);
    assert_eq!(all.change(&Live::Agent(agent("bob", &[]))), Shown::Agent(agent("bob", &[])));
}

#[test]
fn a_mask_leaves_two_digits_and_of_short_numbers_none() {
    let mask = |number: &str| mask(&Redacted(number.to_owned())).0;
    assert_eq!(mask("+4930123467"), "••• 67");
    assert_eq!(mask("12345"), "••• 45");
    assert_eq!(mask("1234"), "•••");
    assert_eq!(mask(""), "•••");
}
