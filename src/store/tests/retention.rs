//! What is due, what goes by other rules, what a queue keeps; and what the tests of holds and of anonymisation share.

use std::collections::BTreeMap;

use super::life::house;
use super::*;
use crate::ids::{HoldId, QueueId};
use crate::retention::{HoldOn, Kept, Proposed, ProposedQueue, Rules};
use crate::settings::{Keep, Settings};

on_each_kind! {
    what_is_due_is_found_by_queue_and_time_in_pages,
    a_simulation_counts_what_goes_what_is_held_and_when,
    what_a_queue_keeps_whole_is_counted_with_what_is_held_beside_it,
    a_queue_that_keeps_longer_is_named_before_it_goes,
    nothing_is_done_by_rules_that_have_changed,
    who_may_not_see_what_is_restricted_gets_no_example_of_it,
}

pub(super) const DAY: i64 = 86_400;

pub(super) fn hold_id(n: u128) -> HoldId {
    HoldId::new(Ulid(n + 5_000_000))
}

pub(super) fn ada() -> Actor {
    Actor::User("ada".into())
}

pub(super) fn hold(n: u128, on: HoldOn) -> Change {
    let reason = Redacted("Ms Miller sues".to_owned());
    Change::Hold(HoldChange::Created { id: hold_id(n), on, reason, by: ada(), at: at(50), ends: None })
}

pub(super) fn release(n: u128) -> Change {
    let reason = Redacted("settled with Ms Miller".to_owned());
    Change::Hold(HoldChange::Released { id: hold_id(n), reason, by: ada(), at: at(60) })
}

pub(super) fn anonymise(call: CallId) -> Change {
    let (rule, by) = ("retention: call data 30d (system)".to_owned(), Actor::System);
    Change::Anonymise(AnonymiseChange::Call { call, at: at(100), rule, by })
}

pub(super) fn strip(call: CallId) -> Change {
    let (rule, by) = ("retention: reporting data 3650d (system)".to_owned(), Actor::System);
    Change::Anonymise(AnonymiseChange::Strip { call, at: at(100), rule, by })
}

pub(super) fn by_rule(n: u128, rule: &str, by: Actor) -> Change {
    let (rule, why) = (rule.to_owned(), "because".to_owned());
    Change::Recording(RecordingChange::Destroyed { id: recording(n), at: at(90), rule, why, by })
}

pub(super) fn ended(call: CallId, second: i64) -> Change {
    Change::Fact(Fact::Ended { call, at: at(second), cause: Cause::HungUp })
}

pub(super) fn state_of(error: &StoreError) -> &str {
    let StoreError::State { state, .. } = error else { panic!("{error}") };
    state
}

pub(super) async fn refused(store: &Store, change: Change) -> StoreError {
    store.commit(vec![change]).await.expect_err("it is refused")
}

/// The actions of the audit rows about this, the oldest first.
pub(super) async fn told(store: &Store, object: impl ToString) -> Vec<String> {
    let filter = AuditFilter { object: Some(object.to_string()), ..AuditFilter::default() };
    let rows = store.audit(&filter).await.expect("reads");
    rows.into_iter().rev().map(|row| format!("{} {}", row.class, row.action)).collect()
}

/// A call with two recordings, ended.
pub(super) async fn recorded(kind: Kind) -> Place {
    let place = house(kind).await;
    place.store.commit(vec![armed(0, b"key"), armed(1, b"key"), ended(call(0), 12)]).await.expect("ends");
    place
}

/// Calls of two queues, one a day, each with a recording; the last goes on.
async fn days(kind: Kind) -> Place {
    let place = Place::new(kind).await;
    let store = &place.store;
    store.commit(vec![kek_made(KEK)]).await.expect("begins");
    for n in 0..10u128 {
        let second = DAY * n as i64;
        let queue = if n % 2 == 0 { "support" } else { "sales" };
        let arrived = Fact::Arrived {
            call: call(n),
            at: at(second),
            from: PhoneNumber::parse(&format!("+4930123450{n}"), None),
            dialled: "+4989100".into(),
            trunk: None,
            queue: queue.into(),
            language: Language("de".into()),
        };
        let armed = RecordingChange::Armed {
            id: recording(n),
            call: call(n),
            basis: Basis::Agreed(at(second)),
            wrapped_key: b"key".to_vec(),
            kek: KEK.into(),
            spool: SPOOL.into(),
            format: "pcm16".into(),
            at: at(second),
        };
        let started = RecordingChange::Started { id: recording(n), at: at(second) };
        let finished = RecordingChange::Finished { id: recording(n), at: at(second + 9), file: file() };
        let mut changes = vec![arrived.into()];
        changes.extend([armed, started, finished].map(Change::Recording));
        if n < 9 {
            changes.push(ended(call(n), second + 10));
        }
        store.commit(changes).await.expect("commits");
    }
    place
}

fn ids(rows: &[Kept]) -> Vec<u128> {
    let id = |row: &Kept| match row {
        Kept::Recording { call, .. } | Kept::Call { call, .. } | Kept::Anonymous { call } => {
            (0..10).find(|n| crate::ids::CallId::new(Ulid(n + 1)) == call.id).expect("known")
        }
    };
    rows.iter().map(id).collect()
}

async fn what_is_due_is_found_by_queue_and_time_in_pages(kind: Kind) {
    let place = days(kind).await;
    let store = &place.store;
    let queue = QueueId::from("support");
    let until = at(4 * DAY + 10);
    let first = store.kept_recordings(&queue, until, None, 2).await.expect("reads");
    assert_eq!(ids(&first), [0, 2]);
    let Kept::Recording { id, call: of } = &first[0] else { panic!("{first:?}") };
    assert_eq!((*id, of.ended_at, of.queue.0.as_str()), (recording(0), at(10), "support"));
    let behind = Behind::of(&first[1]);
    assert_eq!(ids(&store.kept_recordings(&queue, until, Some(&behind), 2).await.expect("reads")), [4]);
    let earlier = at(4 * DAY + 9);
    assert_eq!(ids(&store.kept_recordings(&queue, earlier, None, 9).await.expect("reads")), [0, 2]);
    store.commit(vec![by_rule(2, "retention: x", Actor::System)]).await.expect("destroys");
    assert_eq!(ids(&store.kept_recordings(&queue, until, None, 9).await.expect("reads")), [0, 4]);
    let calls = store.kept_calls(&queue, until, None, 2).await.expect("reads");
    let Kept::Call { recordings, .. } = &calls[0] else { panic!("{calls:?}") };
    assert_eq!((ids(&calls), recordings.as_slice()), (vec![0, 2], [recording(0)].as_slice()));
    let Kept::Call { recordings, .. } = &calls[1] else { panic!("{calls:?}") };
    assert_eq!(recordings.as_slice(), []);
    store.commit(vec![anonymise(call(2))]).await.expect("anonymises");
    assert_eq!(ids(&store.kept_calls(&queue, until, None, 9).await.expect("reads")), [0, 4]);
    // The call that goes on is nowhere.
    let sales = QueueId::from("sales");
    let ever = at(100 * DAY);
    assert_eq!(ids(&store.kept_calls(&sales, ever, None, 99).await.expect("reads")), [1, 3, 5, 7]);
    let next =
        |after: Option<QueueId>| async move { store.next_kept_queue(after.as_ref()).await.expect("reads") };
    assert_eq!(next(None).await, Some(sales.clone()));
    assert_eq!(next(Some(sales)).await, Some(queue.clone()));
    assert_eq!(next(Some(queue)).await, None);
}

fn keep(days: i64) -> Keep {
    Keep::For(Duration::from_secs(u64::try_from(days * DAY).expect("days")))
}

async fn a_simulation_counts_what_goes_what_is_held_and_when(kind: Kind) {
    let place = days(kind).await;
    let store = &place.store;
    let usual = Rules::of(&Settings::default());
    let rules = usual.with(&Proposed { recordings: Some(keep(6)), ..Proposed::default() });
    let sales = ProposedQueue { retention: Some(Some(keep(2))), file_removal: None };
    let proposed =
        rules.with(&Proposed { queues: [(QueueId::from("sales"), sales)].into(), ..Proposed::default() });
    // Ten days later, at the same time: calls 0 to 3 are older than six days, 0 to 7 than two.
    let now = at(9 * DAY + 20);
    store
        .commit(vec![hold(0, HoldOn::Call(call(1))), hold(1, HoldOn::Recording(recording(7)))])
        .await
        .expect("holds");
    let told = std::sync::Mutex::new(Vec::new());
    let tell = |done, all| told.lock().expect("told").push((done, all));
    let simulation =
        store.simulate((&rules, &proposed), now, &Sight::whole(), &tell).await.expect("simulates");
    let by_queue = |impact: &Impact| impact.by_queue.clone();
    assert_eq!(by_queue(&simulation.now), [("sales".into(), 1, 0), ("support".into(), 2, 0)]);
    assert_eq!((simulation.now.recordings, simulation.now.bytes, simulation.now.held), (3, 3 * 64_100, 1));
    assert_eq!(by_queue(&simulation.proposed), [("sales".into(), 2, 2), ("support".into(), 2, 0)]);
    assert_eq!((simulation.proposed.calls, simulation.proposed.held), (2, 4));
    // Sooner: what is not due anyway, without what is held.
    let sooner: Vec<_> =
        simulation.sooner.iter().map(|example| (example.recording, example.because.due.at)).collect();
    assert_eq!(sooner, [(recording(5), at(7 * DAY + 10))]);
    assert_eq!(simulation.timeline.len(), DAYS);
    let mut days: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for (n, day) in simulation.timeline.iter().enumerate().filter(|(_, day)| day.recordings + day.calls > 0) {
        days.insert(n, (day.recordings, day.calls));
    }
    // Support: 4, 6 and 8 are due on days 10, 12 and 14, which are 1, 3 and 5 days away.
    let today = now.as_micros() / (DAY * 1_000_000);
    let away = |call: i64| {
        let due = at(call * DAY + 10 + 6 * DAY).as_micros() / (DAY * 1_000_000);
        usize::try_from(due - today).expect("later")
    };
    let expected = BTreeMap::from([(0, (4, 2)), (away(4), (1, 0)), (away(6), (1, 0)), (away(8), (1, 0))]);
    assert_eq!(days, expected);
    let told = told.into_inner().expect("told");
    assert_eq!(told, [(1, 6), (2, 6), (3, 6), (4, 6), (5, 6), (6, 6)]);
    let nothing = Sight { queues: Some([QueueId::from("x")].into()), restricted: true };
    let none = store.simulate((&rules, &proposed), now, &nothing, &|_, _| {}).await.expect("simulates");
    assert_eq!(none.proposed.recordings, 0, "of queues nobody sees");
}

async fn what_a_queue_keeps_whole_is_counted_with_what_is_held_beside_it(kind: Kind) {
    let place = days(kind).await;
    let store = &place.store;
    let rules =
        Rules::of(&Settings::default()).with(&Proposed { calls: Some(keep(1)), ..Proposed::default() });
    // Support has calls 0, 2, 4, 6, 8, each with a recording. Two holds that overlap keep 2 and 4; call 4 is held by itself,
    // too; and call 6 came while a third one began.
    let span = |since, until| HoldOn::Queue { queue: "support".into(), since: at(since), until: at(until) };
    let holds = [
        span(DAY, 3 * DAY),
        span(2 * DAY + 5, 5 * DAY),
        HoldOn::Call(call(4)),
        span(6 * DAY - 9, 6 * DAY + 5),
        HoldOn::Recording(recording(0)),
    ];
    for (n, on) in (0u128..).zip(holds) {
        store.commit(vec![hold(n, on)]).await.expect("holds");
    }
    let now = at(20 * DAY);
    let simulation =
        store.simulate((&rules, &rules), now, &Sight::whole(), &|_, _| {}).await.expect("counts");
    let support = simulation.now.by_queue.iter().find(|(queue, ..)| queue.0 == "support").expect("named");
    // Call 8 is free; of call 0 the recording and with it the call are held.
    assert_eq!((support.1, support.2, simulation.now.held), (1, 1, 8));
    let (due, held) = store.due_of(&rules, now, &Sight::whole()).await.expect("counts");
    let sales = simulation.now.recordings + simulation.now.calls - 2;
    assert_eq!((due, held), (2 + sales, 8));
    let narrow = Sight { queues: Some([QueueId::from("support")].into()), restricted: false };
    assert_eq!(store.due_of(&rules, now, &narrow).await.expect("counts"), (2, 8));
}

fn support_keeps(retention: Option<Keep>) -> Settings {
    let queue = crate::settings::Queue { retention, ..crate::settings::Queue::default() };
    let queues = [(QueueId::from("support"), std::sync::Arc::new(queue))].into();
    let mut system = crate::settings::System::default();
    system.retention.calls = keep(6);
    Settings { queues, system: Some(std::sync::Arc::new(system)), ..Settings::default() }
}

async fn a_queue_that_keeps_longer_is_named_before_it_goes(kind: Kind) {
    let place = days(kind).await;
    let store = &place.store;
    let now = at(9 * DAY + 20);
    let removals = async |settings: &Settings| {
        let mut without = settings.clone();
        without.queues.clear();
        let differences = crate::settings::differences(settings, &without);
        store.removals(settings, &differences, now).await.expect("looks")
    };
    let found = removals(&support_keeps(Some(keep(3_650)))).await;
    assert_eq!(found.len(), 1);
    // Calls 0, 2, 4, 6 and 8; 0 and 2 are older than six days.
    assert_eq!((found[0].queue.0.as_str(), found[0].kept, found[0].at_once), ("support", (5, 5), (2, 2)));
    let told = found[0].to_string();
    assert!(
        told.contains("keeps 5 recordings") && told.contains("3650d") && told.contains("2 calls would go")
    );
    for keeps in [None, Some(keep(6)), Some(keep(2))] {
        assert_eq!(removals(&support_keeps(keeps)).await, [], "{keeps:?} is no longer than the system's");
    }
    // A queue that has nothing goes; one with a call that goes on does not.
    let settings = support_keeps(Some(Keep::Forever));
    let empty = Place::new(kind).await;
    let differences = crate::settings::differences(
        &settings,
        &Settings { queues: std::collections::BTreeMap::new(), ..settings.clone() },
    );
    assert_eq!(empty.store.removals(&settings, &differences, now).await.expect("looks"), []);
    empty.facts(vec![arrived(call(0), 0)]).await;
    assert_eq!(empty.store.removals(&settings, &differences, now).await.expect("looks").len(), 1);
}

async fn nothing_is_done_by_rules_that_have_changed(kind: Kind) {
    let place = recorded(kind).await;
    let store = &place.store;
    let as_of = |generation| Change::Anonymise(AnonymiseChange::AsOf(generation));
    let generation = store.generation().await.expect("reads");
    let settings = support_keeps(Some(keep(3_650)));
    let differences = crate::settings::differences(&Settings::default(), &settings);
    store.commit(vec![Change::Settings(differences, ada())]).await.expect("changes");
    let rows = place.audit_rows().await;
    let late = vec![as_of(generation), by_rule(0, "retention: x", Actor::System)];
    assert_eq!(state_of(&store.commit(late).await.expect_err("by old rules")), "changed");
    let late = vec![as_of(generation), by_rule(0, "x", ada()), by_rule(1, "x", ada()), anonymise(call(0))];
    assert_eq!(state_of(&store.commit(late).await.expect_err("by old rules")), "changed");
    assert_eq!(place.audit_rows().await, rows, "nothing was done");
    let now = vec![as_of(generation + 1), by_rule(0, "retention: x", Actor::System)];
    store.commit(now).await.expect("by the rules as they are");
}

async fn who_may_not_see_what_is_restricted_gets_no_example_of_it(kind: Kind) {
    let place = days(kind).await;
    let store = &place.store;
    let restrict = "UPDATE calls SET restricted_at = 1 WHERE id = $1";
    let mut raw = place.raw().await;
    sqlx::query(restrict).bind(call(2).to_string()).execute(&mut raw).await.expect("restricts");
    let usual = Rules::of(&Settings::default());
    let proposed = usual.with(&Proposed { recordings: Some(keep(6)), ..Proposed::default() });
    let examples = async |sight: Sight| {
        let simulation = store.simulate((&usual, &proposed), at(9 * DAY + 20), &sight, &|_, _| {}).await;
        let simulation = simulation.expect("simulates");
        let examples: Vec<CallId> = simulation.sooner.iter().map(|example| example.call).collect();
        (simulation.proposed.recordings, examples)
    };
    let of_support = |restricted| Sight { queues: Some([QueueId::from("support")].into()), restricted };
    let all = [0, 2, 4, 6, 8].map(call);
    assert_eq!(examples(of_support(true)).await, (2, all.to_vec()));
    assert_eq!(examples(of_support(false)).await, (2, vec![all[0], all[2], all[3], all[4]]), "it counts");
}
