//! Anonymous calls: nothing personal is left, every figure is as it was, and what refers to them keeps its row.

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::life::house;
use super::retention::{DAY, ada, anonymise, by_rule, ended, hold, refused, release, state_of, strip, told};
use super::*;
use crate::audit::Sealed;
use crate::ids::TaskId;
use crate::retention::{ANONYMISED, HoldOn};

on_each_kind! {
    an_anonymised_call_has_nothing_personal_left,
    a_call_that_is_not_ready_is_not_anonymised,
    no_report_changes_when_calls_are_anonymised,
    reporting_rows_go_unless_something_refers_to_them,
    the_listening_log_loses_reasons_and_nothing_else,
    the_log_proves_a_consent_until_it_is_erased,
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
    assert_eq!(
        readable(store, call(1)).await,
        2,
        "the audit log forgets them, too, but for whose the consents were"
    );
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

/// Every report there is, of all queues and of one, and what else can be counted: by agent, by cause, notes.
async fn figures(place: &Place) -> Vec<String> {
    let mut lines = Vec::new();
    let one = Sight { queues: Some(["sales".into()].into()), restricted: false };
    for (sight, queue) in [(Sight::whole(), None), (Sight::default(), Some("support".into())), (one, None)] {
        let counted = Counted { since: at(-DAY), until: at(20 * DAY), queue, sight };
        let limits = (&BTreeMap::from([("sales".into(), 1_000_000)]), 2_000_000);
        for by in [By::Quarter, By::Queue, By::Question] {
            if by != By::Question {
                let calls = place.store.call_figures(&counted, by, limits).await.expect("counts");
                lines.extend(calls.into_iter().map(|row| format!("{by:?} {row:?}")));
            }
            let consents = place.store.consent_figures(&counted, by).await.expect("counts");
            lines.extend(consents.into_iter().map(|row| format!("{by:?} {row:?}")));
        }
    }
    let mut raw = place.raw().await;
    for select in [
        "SELECT agent, direction, cause, COUNT(*) AS a, COUNT(outside_number) AS b, COUNT(connected_at) AS c \
         FROM legs GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        "SELECT kind, agent, COUNT(*) AS a, COUNT(outside_number) AS b, COUNT(note) AS c FROM call_events \
         GROUP BY 1, 2 ORDER BY 1, 2",
        "SELECT name, COUNT(*) AS a FROM notes GROUP BY 1 ORDER BY 1",
        "SELECT end_cause, agent, COUNT(from_number) AS a FROM calls GROUP BY 1, 2 ORDER BY 1, 2",
    ] {
        for row in &sqlx::query(AssertSqlSafe(select.to_owned())).fetch_all(&mut raw).await.expect("counts") {
            let cell = |n: usize| match row.try_get::<Option<String>, _>(n) {
                Ok(text) => format!("{text:?}"),
                Err(_) => format!("{:?}", row.get::<Option<i64>, _>(n)),
            };
            lines.push((0..row.len()).map(cell).collect::<Vec<_>>().join(" "));
        }
    }
    // Groups come in no order.
    lines.sort();
    lines
}

/// Call `n`, a day after the one before, as different from others as they can be.
fn one_of_many(n: u128) -> Vec<Change> {
    let second = DAY * i64::try_from(n).expect("small");
    let queue = if n.is_multiple_of(2) { "support" } else { "sales" };
    let mut facts = vec![Fact::Arrived {
        call: call(n),
        at: at(second),
        from: (!n.is_multiple_of(3)).then(caller),
        dialled: "+4989100".into(),
        trunk: Some("carrier".into()),
        queue: queue.into(),
        language: Language("de".into()),
    }];
    if !n.is_multiple_of(4) {
        facts.push(answered(call(n), second + 1, if n.is_multiple_of(2) { yes() } else { Answer::Silence }));
        facts.push(Fact::Queued { call: call(n), queue: queue.into(), at: at(second + 2) });
    }
    if !n.is_multiple_of(5) {
        let to = Whom::Agent("bob".into());
        facts.push(Fact::Dialled { leg: leg(call(n), 1), to, at: at(second + 3) });
        facts.push(Fact::Connected { leg: leg(call(n), 1), at: at(second + 4) });
    }
    let ended = Fact::Ended { call: call(n), at: at(second + 60), cause: Cause::HungUp };
    let mut changes: Vec<Change> = facts.into_iter().map(Change::Fact).collect();
    if n.is_multiple_of(3) {
        let armed = RecordingChange::Armed {
            id: recording(n),
            call: call(n),
            basis: Basis::Agreed(at(second)),
            wrapped_key: b"key".to_vec(),
            kek: KEK.into(),
            spool: SPOOL.into(),
            format: "pcm16".into(),
            at: at(second + 3),
        };
        let started = RecordingChange::Started { id: recording(n), at: at(second + 4) };
        changes.extend([armed, started].map(Change::Recording));
    }
    changes.push(ended.into());
    changes
}

async fn no_report_changes_when_calls_are_anonymised(kind: Kind) {
    let place = personal(kind).await;
    let store = &place.store;
    for n in 2..12 {
        store.commit(one_of_many(n)).await.expect("commits");
    }
    let before = figures(&place).await;
    assert!(before.len() > 40, "{before:?}");
    for figure in ["recorded: 2", "offered: 4", "in_time: 3", "given: 3", "silent: 5"] {
        assert!(before.iter().any(|line| line.contains(figure)), "{figure}: {before:#?}");
    }
    for n in 1..12 {
        if (2..12).contains(&n) && n % 3 == 0 {
            store.commit(vec![by_rule(n, "retention: x", Actor::System)]).await.expect("destroys");
        }
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

async fn the_log_proves_a_consent_until_it_is_erased(kind: Kind) {
    let place = house(kind).await;
    let store = &place.store;
    place.facts(vec![answered(call(0), 1, yes())]).await;
    let (number, reason) = (caller(), Redacted("by letter".to_owned()));
    let withdrawn = PrivacyChange::Withdrawn { number, by: ada(), reason, at: at(5) };
    store.commit(vec![Change::Privacy(withdrawn), ended(call(0), 9)]).await.expect("ends");
    store.commit(vec![anonymise(call(0))]).await.expect("anonymises");
    // Who answered; who took it back, and why.
    assert_eq!(readable(store, call(0)).await, 4);
    let filter = AuditFilter { action: Some("consent.given".to_owned()), ..AuditFilter::default() };
    let given = store.audit(&filter).await.expect("reads").pop().expect("a row");
    assert_eq!(given.about.as_ref().and_then(Sealed::text), Some(caller().as_e164()));
    let filter = AuditFilter { action: Some("call.arrived".to_owned()), ..AuditFilter::default() };
    let came = store.audit(&filter).await.expect("reads").pop().expect("a row");
    assert_eq!(came.about.as_ref().and_then(Sealed::text), None);
    // An erasure that the person asked for takes that, too, though others of their calls keep their key.
    place.facts(vec![arrived(call(1), 30), arrived(call(2), 31)]).await;
    store.commit(vec![ended(call(1), 35)]).await.expect("ends");
    let id = TaskId::new(Ulid(777));
    let asked = PrivacyChange::Asked(Box::new(NewTask {
        id,
        kind: TaskKind::Erase,
        by: "dora".into(),
        at: at(40),
        reason: Redacted("asked for".into()),
        calls: vec![call(1)],
        entries: Vec::new(),
        consents: true,
        whose: None,
        approval: false,
        spool: SPOOL.into(),
        counts: TaskCounts::default(),
    }));
    for change in [asked, PrivacyChange::Began { id }] {
        store.commit(vec![Change::Privacy(change)]).await.expect("begins");
    }
    store.erase_people(id, at(41)).await.expect("erases");
    assert_eq!(readable(store, call(0)).await, 0);
    store.verify_audit(|_, _| {}).await.expect("whole");
}
