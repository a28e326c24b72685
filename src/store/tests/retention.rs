//! Holds, anonymisation, what is due, and that reports are the same before and after.

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::life::house;
use super::*;
use crate::audit::Sealed;
use crate::ids::{HoldId, QueueId};
use crate::retention::{ANONYMISED, Hold, HoldOn, Kept, Proposed, ProposedQueue, Rules};
use crate::settings::{Keep, Settings};

on_each_kind! {
    holds_are_made_listed_released_and_audited,
    what_is_not_there_or_gone_is_not_held,
    nothing_held_is_destroyed_or_anonymised,
    an_anonymised_call_has_nothing_personal_left,
    a_call_that_is_not_ready_is_not_anonymised,
    no_report_changes_when_calls_are_anonymised,
    reporting_rows_go_unless_something_refers_to_them,
    what_is_due_is_found_by_queue_and_time_in_pages,
    a_simulation_counts_what_goes_what_is_held_and_when,
    the_listening_log_loses_reasons_and_nothing_else,
}

const DAY: i64 = 86_400;

fn hold_id(n: u128) -> HoldId {
    HoldId::new(Ulid(n + 5_000_000))
}

fn ada() -> Actor {
    Actor::User("ada".into())
}

fn hold(n: u128, on: HoldOn) -> Change {
    let reason = Redacted("Ms Miller sues".to_owned());
    Change::Hold(HoldChange::Created { id: hold_id(n), on, reason, by: ada(), at: at(50), ends: None })
}

fn release(n: u128) -> Change {
    let reason = Redacted("settled with Ms Miller".to_owned());
    Change::Hold(HoldChange::Released { id: hold_id(n), reason, by: ada(), at: at(60) })
}

fn anonymise(call: CallId) -> Change {
    let (rule, by) = ("retention: call data 30d (system)".to_owned(), Actor::System);
    Change::Anonymise(AnonymiseChange::Call { call, at: at(100), rule, by })
}

fn strip(call: CallId) -> Change {
    let (rule, by) = ("retention: reporting data 3650d (system)".to_owned(), Actor::System);
    Change::Anonymise(AnonymiseChange::Strip { call, at: at(100), rule, by })
}

fn by_rule(n: u128, rule: &str, by: Actor) -> Change {
    let (rule, why) = (rule.to_owned(), "because".to_owned());
    Change::Recording(RecordingChange::Destroyed { id: recording(n), at: at(90), rule, why, by })
}

fn ended(call: CallId, second: i64) -> Change {
    Change::Fact(Fact::Ended { call, at: at(second), cause: Cause::HungUp })
}

fn state_of(error: &StoreError) -> &str {
    let StoreError::State { state, .. } = error else { panic!("{error}") };
    state
}

async fn refused(store: &Store, change: Change) -> StoreError {
    store.commit(vec![change]).await.expect_err("it is refused")
}

/// The actions of the audit rows about this, the oldest first.
async fn told(store: &Store, object: impl ToString) -> Vec<String> {
    let filter = AuditFilter { object: Some(object.to_string()), ..AuditFilter::default() };
    let rows = store.audit(&filter).await.expect("reads");
    rows.into_iter().rev().map(|row| format!("{} {}", row.class, row.action)).collect()
}

/// A call with two recordings, ended.
async fn recorded(kind: Kind) -> Place {
    let place = house(kind).await;
    place.store.commit(vec![armed(0, b"key"), armed(1, b"key"), ended(call(0), 12)]).await.expect("ends");
    place
}

async fn holds_are_made_listed_released_and_audited(kind: Kind) {
    let place = recorded(kind).await;
    let store = &place.store;
    let all = [
        HoldOn::Recording(recording(0)),
        HoldOn::Call(call(0)),
        HoldOn::Number(Redacted(caller().as_e164().to_owned())),
        HoldOn::Queue { queue: "support".into(), since: at(0), until: at(5) },
    ];
    for (n, on) in (0u128..).zip(all.clone()) {
        store.commit(vec![hold(n, on)]).await.expect("holds");
    }
    let open = store.open_holds().await.expect("reads");
    assert_eq!(open.iter().map(|hold| hold.on.clone()).collect::<Vec<_>>(), all);
    let first = Hold {
        id: hold_id(0),
        on: all[0].clone(),
        reason: Redacted("Ms Miller sues".to_owned()),
        by: "user ada".to_owned(),
        at: at(50),
        ends: None,
        released: None,
    };
    assert_eq!(store.hold(hold_id(0)).await.expect("reads"), Some(first));
    store.commit(vec![release(1)]).await.expect("releases");
    assert_eq!(state_of(&refused(store, release(1)).await), "over");
    assert!(matches!(refused(store, release(9)).await, StoreError::Missing { .. }));
    let ids = |page: Page<Hold>| page.items.into_iter().map(|hold| hold.id).collect::<Vec<_>>();
    let page = async |active, limit| store.holds(active, at(70), &crate::store::Place::first(limit)).await;
    assert_eq!(ids(page(Some(true), 9).await.expect("reads")), [hold_id(3), hold_id(2), hold_id(0)]);
    assert_eq!(ids(page(Some(false), 9).await.expect("reads")), [hold_id(1)]);
    let first = page(None, 3).await.expect("reads");
    let behind = crate::store::Place { after: first.next.clone(), ..crate::store::Place::first(3) };
    let next = store.holds(None, at(70), &behind).await.expect("reads");
    assert_eq!((first.items.len(), ids(next)), (3, vec![hold_id(0)]));
    assert_eq!(told(store, hold_id(1)).await, ["modify hold.created", "modify hold.released"]);
    assert_eq!(told(store, recording(0)).await, ["modify recording.armed", "modify recording.held"]);
    let of_call = told(store, call(0)).await;
    assert_eq!(of_call[of_call.len() - 2..], ["modify call.held", "modify call.released"]);
    assert_eq!(told(store, "support").await, ["modify queue.held"]);
}

async fn what_is_not_there_or_gone_is_not_held(kind: Kind) {
    let place = recorded(kind).await;
    let store = &place.store;
    for on in [HoldOn::Recording(recording(7)), HoldOn::Call(call(7))] {
        assert!(matches!(refused(store, hold(0, on)).await, StoreError::Missing { .. }));
    }
    store.commit(vec![by_rule(0, "retention: x", Actor::System)]).await.expect("destroys");
    let gone = refused(store, hold(0, HoldOn::Recording(recording(0)))).await;
    assert_eq!(state_of(&gone), "destroyed");
    store
        .commit(vec![by_rule(1, "retention: x", Actor::System), anonymise(call(0))])
        .await
        .expect("in one unit");
    assert_eq!(state_of(&refused(store, hold(0, HoldOn::Call(call(0)))).await), "anonymised");
    assert_eq!(store.open_holds().await.expect("reads"), []);
}

async fn nothing_held_is_destroyed_or_anonymised(kind: Kind) {
    let place = recorded(kind).await;
    let store = &place.store;
    let span = |since, until| HoldOn::Queue { queue: "support".into(), since: at(since), until: at(until) };
    let all = [
        HoldOn::Recording(recording(0)),
        HoldOn::Call(call(0)),
        HoldOn::Number(Redacted(caller().as_e164().to_owned())),
        span(-5, 0),
        span(12, 20),
    ];
    for (n, on) in (0u128..).zip(all) {
        let is_one = matches!(on, HoldOn::Recording(_));
        store.commit(vec![hold(n, on)]).await.expect("holds");
        for (rule, by) in [("retention: x", Actor::System), ("operator", ada()), ("dpo", ada())] {
            let error = refused(store, by_rule(0, rule, by)).await;
            assert_eq!(state_of(&error), "held", "{rule}");
        }
        if !is_one {
            assert_eq!(state_of(&refused(store, by_rule(1, "retention: x", Actor::System)).await), "held");
        }
        store.commit(vec![release(n)]).await.expect("releases");
    }
    // A hold on what is beside it, and one that is over by itself, hold nothing.
    store.commit(vec![hold(10, span(13, 20)), hold(11, span(-9, -1))]).await.expect("holds");
    store.commit(vec![hold(12, HoldOn::Recording(recording(1)))]).await.expect("holds");
    let reason = Redacted("short".to_owned());
    let (id, on, ends) = (hold_id(13), HoldOn::Call(call(0)), Some(at(-1_000_000_000)));
    let over = HoldChange::Created { id, on, reason, by: ada(), at: at(50), ends };
    store.commit(vec![Change::Hold(over)]).await.expect("holds");
    store.commit(vec![by_rule(0, "retention: x", Actor::System)]).await.expect("destroys");
    // What a caller takes back in the call is not for anybody to hold; then the call has none that could be held.
    assert_eq!(state_of(&refused(store, anonymise(call(0))).await), "recorded");
    store.commit(vec![by_rule(1, "withdrawal", Actor::Caller)]).await.expect("destroys");
    assert_eq!(state_of(&refused(store, anonymise(call(0))).await), "held", "by its recording");
    store.commit(vec![release(12), anonymise(call(0))]).await.expect("anonymises");
}

/// How many values of people the audit log has of the call, that can be read.
async fn readable(store: &Store, call: CallId) -> usize {
    let filter = AuditFilter { object: Some(call.to_string()), ..AuditFilter::default() };
    let rows = store.audit(&filter).await.expect("reads");
    let values = rows.iter().flat_map(|row| [&row.about, &row.old, &row.new]).flatten();
    values.filter(|value| matches!(value, Sealed::Personal { opening: Some(_), .. })).count()
}

/// Texts of people in a call; the caller's number is one more.
const PERSONAL: [&str; 6] = [
    "Ms Miller sues",
    "Ms Miller is hurt",
    "Call Ms Miller back",
    "M. Miller",
    "complaint of Ms Miller",
    "+4930555",
];

/// A call with everything personal that there is.
async fn personal(kind: Kind) -> Place {
    let place = house(kind).await;
    let store = &place.store;
    let mut changes: Vec<Change> = every_fact(call(1)).into_iter().map(Change::Fact).collect();
    let outside = PhoneNumber::parse("+49 30 5551234", None).expect("a number");
    let to = Whom::Outside(Outside { trunk: "carrier".into(), number: outside.clone(), release: false });
    changes.insert(5, Change::Fact(Fact::Dialled { leg: leg(call(1), 2), to, at: at(3) }));
    changes.insert(
        6,
        Change::Fact(Fact::Consulted {
            call: call(1),
            by: "bob".into(),
            queue: None,
            agent: None,
            outside: Some(outside),
            at: at(4),
        }),
    );
    let text = Redacted("Call Ms Miller back".to_owned());
    changes.push(Change::Note(NoteChange { call: call(1), by: "bob".into(), who: ada(), at: at(9), text }));
    let reason = Some(Redacted("complaint of Ms Miller".to_owned()));
    let to = ListenedTo::Live { call: call(1), mode: "listen" };
    changes.push(Change::Listened(Listened { at: at(9), who: "ada".into(), to, reason }));
    changes.extend([hold(20, HoldOn::Call(call(1))), release(20)]);
    store.commit(changes).await.expect("commits");
    let mut raw = place.raw().await;
    let data = "INSERT INTO call_data (call, key, value, at) VALUES ($1, 'customer', 'M. Miller', 0)";
    sqlx::query(data).bind(call(1).to_string()).execute(&mut raw).await.expect("data");
    let trace = "INSERT INTO sip_traces (call, messages, cut) VALUES ($1, '[\"M. Miller\"]', 0)";
    sqlx::query(trace).bind(call(1).to_string()).execute(&mut raw).await.expect("a trace");
    place
}

/// All texts of the tables that are not for ever: not the consents (domain rule 16) nor the audit log.
async fn texts(place: &Place) -> Vec<String> {
    let mut raw = place.raw().await;
    let mut texts = Vec::new();
    for (table, columns) in [
        ("calls", "from_number, dialled, basis, basis_detail, end_cause, agent"),
        ("legs", "agent, outside_number, cause, trunk, quality"),
        ("call_events", "kind, agent, queue, detail, note, outside_number"),
        ("notes", "name, text"),
        ("call_data", "key, value"),
        ("sip_traces", "messages"),
        ("listening_log", "who, reason, mode"),
        ("recordings", "why, basis_detail, gaps"),
        ("holds", "kind, object, reason, by_whom, released_by"),
    ] {
        for column in columns.split(", ") {
            let select =
                format!("SELECT CAST({column} AS TEXT) AS text FROM {table} WHERE {column} IS NOT NULL");
            let rows = sqlx::query(AssertSqlSafe(select)).fetch_all(&mut raw).await.expect("reads");
            let text =
                |row: &sqlx::any::AnyRow| format!("{table}.{column}: {}", row.get::<String, _>("text"));
            texts.extend(rows.iter().map(text));
        }
    }
    texts.sort(); // a row that was changed may come last
    texts
}

async fn an_anonymised_call_has_nothing_personal_left(kind: Kind) {
    let place = personal(kind).await;
    let store = &place.store;
    store.commit(vec![ended(call(0), 12), anonymise(call(0))]).await.expect("anonymises");
    let before = texts(&place).await;
    let number = caller().as_e164().to_owned();
    for text in PERSONAL.into_iter().chain([number.as_str()]) {
        assert!(before.iter().any(|it| it.contains(text)), "{text} is there first: {before:?}");
    }
    let rows = place.audit_rows().await;
    assert!(readable(store, call(1)).await > 3);
    store.commit(vec![anonymise(call(1))]).await.expect("anonymises");
    assert_eq!(readable(store, call(1)).await, 0, "the audit log forgets them, too");
    let after = texts(&place).await;
    for text in PERSONAL.into_iter().chain([number.as_str()]) {
        assert!(!after.iter().any(|it| it.contains(text)), "{text} is left: {after:?}");
    }
    // What is not personal is as it was, text by text.
    let personal = |text: &&String| {
        PERSONAL.iter().any(|it| text.contains(it)) || text.contains(&number) || text.contains(ANONYMISED)
    };
    let rest = |texts: &[String]| texts.iter().filter(|it| !personal(it)).cloned().collect::<Vec<_>>();
    assert_eq!(rest(&before), rest(&after));
    assert!(after.iter().filter(|it| it.contains(ANONYMISED)).count() >= 8, "{after:?}");
    // It reads as before, and is found by nobody's number.
    let detail = store.call(call(1)).await.expect("reads").expect("a call");
    assert_eq!(detail.call.from, Some(Redacted(ANONYMISED.to_owned())));
    assert_eq!(detail.legs[2].outside, Some(Redacted(ANONYMISED.to_owned())));
    assert_eq!(detail.consents[0].from, Some(Redacted(number)), "consents stay (domain rule 16)");
    assert_eq!(place.audit_rows().await, rows + 1);
    let told = told(store, call(1)).await;
    assert_eq!(told.last().map(String::as_str), Some("modify call.anonymised"));
    // Once more has no effect.
    store.commit(vec![anonymise(call(1))]).await.expect("is there");
    assert_eq!((texts(&place).await, place.audit_rows().await), (after, rows + 1));
}

async fn a_call_that_is_not_ready_is_not_anonymised(kind: Kind) {
    let place = house(kind).await;
    let store = &place.store;
    assert!(matches!(refused(store, anonymise(call(5))).await, StoreError::Missing { .. }));
    assert_eq!(state_of(&refused(store, anonymise(call(0))).await), "going on");
    store.commit(vec![armed(0, b"key"), armed(1, b"key"), ended(call(0), 9)]).await.expect("ends");
    assert_eq!(state_of(&refused(store, anonymise(call(0))).await), "recorded");
    store.commit(step(RecordingChange::Discarded { id: recording(0), at: at(9) })).await.expect("discards");
    assert_eq!(state_of(&refused(store, anonymise(call(0))).await), "recorded");
    assert_eq!(state_of(&refused(store, strip(call(0))).await), "not anonymised");
    store.commit(vec![by_rule(1, "operator", ada()), anonymise(call(0))]).await.expect("anonymises");
    let row = store.recording(recording(1)).await.expect("reads").expect("a row");
    assert_eq!((row.state.as_str(), row.why.as_deref()), ("destroyed", Some(ANONYMISED)), "a person's words");
}

/// Everything that can be counted by day, queue, agent, number withheld or not, and answer.
async fn figures(place: &Place) -> Vec<String> {
    let mut raw = place.raw().await;
    let mut lines = Vec::new();
    for select in [
        "SELECT first_queue, queue, basis, end_cause, agent, arrived_at / 86400000000 AS d, \
         COUNT(*) AS a, COUNT(from_number) AS b, COUNT(connected_at) AS c, \
         COALESCE(CAST(SUM(connected_at - queued_at) AS BIGINT), 0) AS w, \
         COALESCE(CAST(SUM(ended_at - connected_at) AS BIGINT), 0) AS t \
         FROM calls GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6",
        "SELECT queue, answer, at / 86400000000 AS d, COUNT(*) AS a, CAST(SUM(agreed) AS BIGINT) AS b, \
         COUNT(DISTINCT from_number) AS c FROM consents GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        "SELECT agent, direction, cause, COUNT(*) AS a, COUNT(outside_number) AS b, COUNT(connected_at) AS c \
         FROM legs GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        "SELECT kind, agent, COUNT(*) AS a, COUNT(outside_number) AS b, COUNT(note) AS c FROM call_events \
         GROUP BY 1, 2 ORDER BY 1, 2",
        "SELECT name, COUNT(*) AS a FROM notes GROUP BY 1 ORDER BY 1",
        "SELECT c.first_queue, COUNT(DISTINCT r.call) AS a FROM recordings r JOIN calls c ON c.id = r.call \
         WHERE r.started_at IS NOT NULL GROUP BY 1 ORDER BY 1",
    ] {
        for row in &sqlx::query(AssertSqlSafe(select.to_owned())).fetch_all(&mut raw).await.expect("counts") {
            let cell = |n: usize| match row.try_get::<Option<String>, _>(n) {
                Ok(text) => format!("{text:?}"),
                Err(_) => format!("{:?}", row.get::<Option<i64>, _>(n)),
            };
            lines.push((0..row.len()).map(cell).collect::<Vec<_>>().join(" "));
        }
    }
    lines
}

async fn no_report_changes_when_calls_are_anonymised(kind: Kind) {
    let place = personal(kind).await;
    let store = &place.store;
    for n in 2..12 {
        let from = (n % 3 > 0).then(caller);
        let arrived = Fact::Arrived {
            call: call(n),
            at: at(DAY * n as i64),
            from,
            dialled: "+4989100".into(),
            trunk: Some("carrier".into()),
            queue: if n % 2 == 0 { "support".into() } else { "sales".into() },
            language: Language("de".into()),
        };
        let second = DAY * n as i64;
        let mut facts = vec![arrived];
        if n % 4 > 0 {
            facts.push(answered(call(n), second + 1, if n % 2 == 0 { yes() } else { Answer::Silence }));
            facts.push(Fact::Queued { call: call(n), queue: "support".into(), at: at(second + 2) });
        }
        if n % 5 > 0 {
            let to = Whom::Agent("bob".into());
            facts.push(Fact::Dialled { leg: leg(call(n), 1), to, at: at(second + 3) });
            facts.push(Fact::Connected { leg: leg(call(n), 1), at: at(second + 4) });
        }
        facts.push(Fact::Ended { call: call(n), at: at(second + 60), cause: Cause::HungUp });
        place.facts(facts).await;
    }
    let before = figures(&place).await;
    assert!(before.len() > 20, "{before:?}");
    for n in 1..12 {
        store.commit(vec![anonymise(call(n))]).await.expect("anonymises");
    }
    assert_eq!(figures(&place).await, before);
}

async fn reporting_rows_go_unless_something_refers_to_them(kind: Kind) {
    let place = personal(kind).await;
    let store = &place.store;
    place
        .facts(vec![arrived(call(2), 0), Fact::Ended { call: call(2), at: at(5), cause: Cause::HungUp }])
        .await;
    store.commit(vec![ended(call(0), 12)]).await.expect("ends");
    for n in 0..3 {
        store.commit(vec![anonymise(call(n))]).await.expect("anonymises");
    }
    store
        .commit(vec![hold(0, HoldOn::Queue { queue: "support".into(), since: at(0), until: at(9) })])
        .await
        .expect("holds");
    assert_eq!(state_of(&refused(store, strip(call(2))).await), "held");
    store.commit(vec![release(0)]).await.expect("releases");
    assert_eq!(store.count_anonymous(at(12)).await.expect("counts"), 3);
    let after = store.anonymous_calls(at(12), None, 10).await.expect("reads");
    assert_eq!(after.len(), 3);
    store.commit(vec![strip(call(1)), strip(call(2))]).await.expect("strips");
    assert!(store.call(call(2)).await.expect("reads").is_none(), "nothing refers to it");
    let left = store.call(call(1)).await.expect("reads").expect("a consent refers to it");
    assert_eq!((left.legs.len(), left.events.len(), left.consents.len()), (0, 0, 2));
    assert_eq!(left.call.agent, None);
    assert_eq!(store.count_anonymous(at(12)).await.expect("counts"), 1, "it is not found again");
    let rows = place.audit_rows().await;
    store.commit(vec![strip(call(1)), strip(call(2))]).await.expect("have no effect");
    assert_eq!(place.audit_rows().await, rows);
    assert_eq!(told(store, call(2)).await.last().map(String::as_str), Some("modify call.removed"));
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
    let simulation = store.simulate((&rules, &proposed), now, &|_| true, &tell).await.expect("simulates");
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
    let none = store
        .simulate((&rules, &proposed), now, &|queue| queue.0 == "x", &|_, _| {})
        .await
        .expect("simulates");
    assert_eq!(none.proposed.recordings, 0, "of queues nobody sees");
}

async fn the_listening_log_loses_reasons_and_nothing_else(kind: Kind) {
    let place = personal(kind).await;
    let mut raw = place.raw().await;
    for change in [
        "UPDATE listening_log SET who = 'nobody'",
        "UPDATE listening_log SET reason = 'another'",
        "UPDATE listening_log SET reason = '{Anonymized by DPO}', who = 'nobody'",
        "UPDATE listening_log SET reason = '{Anonymized by DPO}', at = at + 1",
    ] {
        raw.execute(sql(kind, change)).await.expect_err(change);
    }
    raw.execute(sql(kind, "UPDATE listening_log SET reason = '{Anonymized by DPO}'")).await.expect("erases");
}
