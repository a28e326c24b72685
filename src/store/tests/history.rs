//! Lists as visitors see them, figures, attached data, nodes.

use std::collections::BTreeMap;

use super::*;
use crate::privacy::LastDigits;
use crate::store::Place as PagePlace;

on_each_kind! {
    calls_are_found_by_what_is_asked_for_in_both_orders,
    who_is_restricted_is_seen_by_nobody_without_the_right,
    who_is_limited_to_queues_sees_those_alone,
    words_are_found_in_notes_and_data,
    consents_come_in_pages_even_at_one_time,
    data_of_a_call_is_replaced_and_each_key_audited,
    nothing_is_attached_to_a_call_that_is_anonymised,
    figures_are_counted,
    figures_are_the_same_when_calls_are_anonymised,
    nodes_tell_that_they_are_there,
}

/// Call `n` of a queue from a number, so many seconds on.
fn from(n: u128, queue: &str, number: &str, second: i64) -> Fact {
    Fact::Arrived {
        call: call(n),
        at: at(second),
        from: PhoneNumber::parse(number, None),
        dialled: "+4989100".into(),
        trunk: None,
        queue: queue.into(),
        language: Language("de".into()),
    }
}

/// Calls 0 to 9, a minute apart, of two queues and two numbers; calls 0 to 4 are answered, 8 and 9 go on.
async fn ten(place: &Place) {
    for n in 0..10_u128 {
        let queue = if n % 2 == 0 { "support" } else { "sales" };
        let number = if n < 5 { "+49 30 1234567" } else { "+49 89 7654321" };
        let second = i64::try_from(n).unwrap() * 60;
        let mut facts = vec![
            from(n, queue, number, second),
            Fact::Queued { call: call(n), queue: queue.into(), at: at(second + 1) },
        ];
        if n < 5 {
            let leg = leg(call(n), 1);
            facts.push(Fact::Dialled { leg, to: Whom::Agent("bob".into()), at: at(second + 2) });
            facts.push(Fact::Connected { leg, at: at(second + 11) });
        }
        if n < 8 {
            facts.push(Fact::Ended { call: call(n), at: at(second + 31), cause: Cause::HungUp });
        }
        place.facts(facts).await;
    }
}

/// The calls of a list, page by page.
async fn found(store: &Store, filter: &CallFilter, limit: u32, order: Order) -> Vec<CallId> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.call_list(filter, &PagePlace { after, limit, order }).await.expect("reads");
        assert!(page.items.len() <= limit as usize);
        all.extend(page.items.iter().map(|row| row.id));
        let Some(next) = page.next else { return all };
        after = Some(next.to_string().parse().expect("survives text"));
    }
}

fn calls(numbers: &[u128]) -> Vec<CallId> {
    numbers.iter().map(|n| call(*n)).collect()
}

fn ending(text: &str) -> Option<LastDigits> {
    Some(LastDigits::parse(text).expect("digits"))
}

async fn calls_are_found_by_what_is_asked_for_in_both_orders(kind: Kind) {
    let place = Place::new(kind).await;
    ten(&place).await;
    let all = CallFilter::default;
    let expected: Vec<(CallFilter, &[u128])> = vec![
        (all(), &[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        (CallFilter { since: Some(at(60)), until: Some(at(240)), ..all() }, &[3, 2, 1]),
        (CallFilter { queue: Some("sales".into()), ..all() }, &[9, 7, 5, 3, 1]),
        (CallFilter { agent: Some("bob".into()), ..all() }, &[4, 3, 2, 1, 0]),
        (CallFilter { agent: Some("eve".into()), ..all() }, &[]),
        (CallFilter { digits: ending("321"), ..all() }, &[9, 8, 7, 6, 5]),
        (CallFilter { digits: ending("30 123-4567"), queue: Some("support".into()), ..all() }, &[4, 2, 0]),
        (CallFilter { digits: ending("320"), ..all() }, &[]),
        (CallFilter { state: Some(CallState::Running), ..all() }, &[9, 8]),
        (CallFilter { state: Some(CallState::Abandoned), ..all() }, &[7, 6, 5]),
        (CallFilter { state: Some(CallState::Ended), since: Some(at(180)), ..all() }, &[7, 6, 5, 4, 3]),
        (CallFilter { queue: Some("' OR 1 = 1 --".into()), ..all() }, &[]),
    ];
    for (filter, numbers) in expected {
        for limit in [1, 3, 100] {
            let mut is = found(&place.store, &filter, limit, Order::Latest).await;
            assert_eq!(is, calls(numbers), "{filter:?}");
            is = found(&place.store, &filter, limit, Order::Oldest).await;
            is.reverse();
            assert_eq!(is, calls(numbers), "{filter:?}, the oldest first");
        }
    }
}

async fn who_is_restricted_is_seen_by_nobody_without_the_right(kind: Kind) {
    let place = Place::new(kind).await;
    ten(&place).await;
    place.facts(vec![answered(call(0), 5, yes()), answered(call(2), 125, yes())]).await;
    place.store.commit(vec![kek_made(KEK), armed(0, &[1])]).await.expect("arms");
    let mut raw = place.raw().await;
    raw.execute("UPDATE calls SET restricted_at = 1 WHERE arrived_at = 1795000000000000")
        .await
        .expect("sets");
    let (usual, dpo) = (Sight::default(), Sight { restricted: true, ..Sight::default() });
    let store = &place.store;
    let of = |sight: &Sight| CallFilter { sight: sight.clone(), ..CallFilter::default() };
    assert!(!found(store, &of(&usual), 100, Order::Latest).await.contains(&call(0)));
    assert!(found(store, &of(&dpo), 100, Order::Latest).await.contains(&call(0)));
    let only = CallFilter { state: Some(CallState::Restricted), ..of(&dpo) };
    assert_eq!(found(store, &only, 100, Order::Latest).await, calls(&[0]));
    let by_number = CallFilter { digits: ending("4567"), ..of(&usual) };
    assert_eq!(found(store, &by_number, 100, Order::Oldest).await, calls(&[1, 2, 3, 4]));
    for (sight, seen) in [(&usual, false), (&dpo, true)] {
        assert_eq!(store.call_seen(call(0), sight).await.expect("reads").is_some(), seen);
        assert_eq!(store.recording_seen(recording(0), sight).await.expect("reads").is_some(), seen);
        let filter = RecordingFilter { sight: sight.clone(), ..RecordingFilter::default() };
        let page = store.recording_list(&filter, &PagePlace::first(10)).await.expect("reads");
        assert_eq!(page.items.len(), usize::from(seen));
        let filter = ConsentFilter { sight: sight.clone(), ..ConsentFilter::default() };
        let page = store.consent_list(&filter, &PagePlace::first(10)).await.expect("reads");
        assert_eq!(page.items.len(), 1 + usize::from(seen));
        let bob = "bob".into();
        let own = store.own_calls(&bob, sight.restricted, &PagePlace::first(10)).await.expect("reads");
        assert_eq!(own.items.len(), 4 + usize::from(seen));
    }
}

async fn who_is_limited_to_queues_sees_those_alone(kind: Kind) {
    let place = Place::new(kind).await;
    ten(&place).await;
    place.facts(vec![from(10, "back-office", "+49301234567", 600)]).await;
    place.store.commit(vec![kek_made(KEK), armed(0, &[1])]).await.expect("arms");
    let store = &place.store;
    let of = |queues: &[&str]| Sight {
        queues: Some(queues.iter().map(|queue| (*queue).into()).collect()),
        restricted: false,
    };
    let filter = |queues: &[&str]| CallFilter { sight: of(queues), ..CallFilter::default() };
    for limit in [2, 100] {
        let two = found(store, &filter(&["sales", "back-office"]), limit, Order::Latest).await;
        assert_eq!(two, calls(&[10, 9, 7, 5, 3, 1]));
        let two = found(store, &filter(&["sales", "back-office"]), limit, Order::Oldest).await;
        assert_eq!(two, calls(&[1, 3, 5, 7, 9, 10]));
        assert!(found(store, &filter(&[]), limit, Order::Latest).await.is_empty());
    }
    let other = CallFilter { queue: Some("support".into()), ..filter(&["sales"]) };
    assert!(found(store, &other, 100, Order::Latest).await.is_empty());
    let digits = CallFilter { digits: ending("4567"), ..filter(&["sales", "back-office"]) };
    assert_eq!(found(store, &digits, 100, Order::Latest).await, calls(&[10, 3, 1]));
    let recordings = async |sight: Sight| {
        let filter = RecordingFilter { sight, ..RecordingFilter::default() };
        store.recording_list(&filter, &PagePlace::first(10)).await.expect("reads").items.len()
    };
    assert_eq!((recordings(of(&["sales"])).await, recordings(of(&["support", "x"])).await), (0, 1));
    assert!(store.call_seen(call(0), &of(&["sales"])).await.expect("reads").is_none());
    assert!(store.recording_seen(recording(0), &of(&["sales"])).await.expect("reads").is_none());
    let counted =
        Counted { since: at(0), until: at(1_000), queue: None, sight: of(&["sales", "back-office"]) };
    let figures = store.call_figures(&counted, By::Queue, (&BTreeMap::new(), 1)).await.expect("counts");
    let mut queues: Vec<String> = figures.into_iter().map(|(key, _)| key).collect();
    queues.sort();
    assert_eq!(queues, ["back-office", "sales"]);
}

async fn words_are_found_in_notes_and_data(kind: Kind) {
    let place = Place::new(kind).await;
    ten(&place).await;
    let note = |n: u128, text: &str| {
        let text = Redacted(text.to_owned());
        Change::Note(NoteChange { call: call(n), by: "bob".into(), who: Actor::System, at: at(700), text })
    };
    let data = BTreeMap::from([("order".to_owned(), Redacted("A-100%".to_owned()))]);
    let data = ParticularsChange::Data { call: call(3), data, at: at(700), by: Actor::System };
    let notes = vec![note(1, "Angry about the BILL"), note(2, "Ärger"), Change::Particulars(data)];
    place.store.commit(notes).await.expect("commits");
    let words = async |text: &str, since: i64| {
        let words = Some(Redacted(text.to_owned()));
        let filter = CallFilter { since: Some(at(since)), words, ..CallFilter::default() };
        found(&place.store, &filter, 1, Order::Latest).await
    };
    assert_eq!(words("the bill", 0).await, calls(&[1]));
    assert_eq!(words("Ärger", 0).await, calls(&[2]));
    assert_eq!(words("a-100%", 0).await, calls(&[3]));
    for none in ["a-1%0", "_00%", "' OR '1'='1", "bill!"] {
        assert!(words(none, 0).await.is_empty(), "{none}");
    }
    assert!(words("the bill", 100).await.is_empty(), "an earlier call");
}

async fn consents_come_in_pages_even_at_one_time(kind: Kind) {
    let place = Place::new(kind).await;
    ten(&place).await;
    let no = || Answer::No(key('2'), DigitChannel::Info);
    for n in 0..10 {
        place.facts(vec![answered(call(n), 5, if n % 2 == 0 { yes() } else { no() })]).await;
    }
    let store = &place.store;
    let list = async |filter: &ConsentFilter, order| {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = PagePlace { after, limit: 3, order };
            let page = store.consent_list(filter, &page).await.expect("reads");
            all.extend(page.items.iter().map(|row| row.call));
            let Some(next) = page.next else { return all };
            after = Some(next.to_string().parse().expect("survives text"));
        }
    };
    let all = ConsentFilter::default();
    assert_eq!(list(&all, Order::Latest).await, calls(&[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]));
    assert_eq!(list(&all, Order::Oldest).await, calls(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    let refused = ConsentFilter { answer: Some("no".into()), ..ConsentFilter::default() };
    assert_eq!(list(&refused, Order::Latest).await, calls(&[9, 7, 5, 3, 1]));
    let digits = ConsentFilter { digits: ending("1234567"), ..ConsentFilter::default() };
    assert_eq!(list(&digits, Order::Latest).await.len(), 10, "the facts name this number");
    let queue = ConsentFilter { queue: Some("sales".into()), ..ConsentFilter::default() };
    assert!(list(&queue, Order::Latest).await.is_empty(), "support asked");
}

async fn data_of_a_call_is_replaced_and_each_key_audited(kind: Kind) {
    let place = Place::new(kind).await;
    place.facts(vec![arrived(call(0), 0)]).await;
    let store = &place.store;
    let set = async |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), Redacted((*value).to_owned())));
        let by = Actor::User("ada".into());
        let data = ParticularsChange::Data { call: call(0), data: pairs.collect(), at: at(9), by };
        store.commit(vec![Change::Particulars(data)]).await.expect("commits");
    };
    let before = place.audit_rows().await;
    set(&[("a", "1"), ("b", "2")]).await;
    set(&[("b", "3"), ("c", "4")]).await;
    set(&[("b", "3"), ("c", "4")]).await;
    let (_, data) = store.attached(call(0)).await.expect("reads");
    let data: Vec<(&str, &str)> = data.iter().map(|(key, value)| (key.as_str(), value.0.as_str())).collect();
    assert_eq!(data, [("b", "3"), ("c", "4")]);
    let filter = AuditFilter { action: Some("call.data-set".into()), ..AuditFilter::default() };
    let rows = store.audit(&filter).await.expect("reads");
    assert_eq!(place.audit_rows().await, before + 5, "what stays as it is leaves no row");
    let text = |value: &Option<crate::audit::Sealed>| {
        value.as_ref().and_then(crate::audit::Sealed::text).map(str::to_owned)
    };
    let told: Vec<_> =
        rows.iter().rev().map(|row| (row.what.to_string(), text(&row.old), text(&row.new))).collect();
    let what = |key: &str| format!("call {}.data.{key}", call(0));
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        told,
        [
            (what("a"), None, some("1")),
            (what("b"), None, some("2")),
            (what("a"), some("1"), None),
            (what("b"), some("2"), some("3")),
            (what("c"), None, some("4")),
        ]
    );
    let unknown =
        ParticularsChange::Data { call: call(9), data: BTreeMap::new(), at: at(9), by: Actor::System };
    let refused = store.commit(vec![Change::Particulars(unknown)]).await;
    assert!(matches!(refused, Err(StoreError::Missing { .. })), "{refused:?}");
}

async fn nothing_is_attached_to_a_call_that_is_anonymised(kind: Kind) {
    let place = Place::new(kind).await;
    place.facts(vec![arrived(call(0), 0)]).await;
    let mut raw = place.raw().await;
    raw.execute("UPDATE calls SET anonymised_at = 1").await.expect("sets");
    let data = BTreeMap::from([("a".to_owned(), Redacted("1".to_owned()))]);
    let data = ParticularsChange::Data { call: call(0), data, at: at(9), by: Actor::System };
    let text = Redacted("Ms Miller".to_owned());
    let note = NoteChange { call: call(0), by: "bob".into(), who: Actor::System, at: at(9), text };
    for change in [Change::Particulars(data), Change::Note(note)] {
        let refused = place.store.commit(vec![change]).await;
        assert!(matches!(refused, Err(StoreError::State { .. })), "{refused:?}");
    }
}

async fn figures_are_counted(kind: Kind) {
    let place = Place::new(kind).await;
    ten(&place).await;
    place.facts(vec![answered(call(0), 5, yes())]).await;
    place.facts(vec![answered(call(2), 125, Answer::Silence)]).await;
    place.store.commit(vec![kek_made(KEK), armed(0, &[1])]).await.expect("arms");
    let started = RecordingChange::Started { id: recording(0), at: at(12) };
    place.store.commit(step(started)).await.expect("starts");
    let counted = Counted { since: at(0), until: at(480), queue: None, sight: Sight::default() };
    let limits = BTreeMap::from([("sales".into(), 9_999_999), ("support".into(), 10_000_000)]);
    let mut by_queue = place.store.call_figures(&counted, By::Queue, (&limits, 1)).await.expect("counts");
    by_queue.sort_by(|a, b| a.0.cmp(&b.0));
    let (sales, support) = (&by_queue[0].1, &by_queue[1].1);
    let expected = CallFigures {
        offered: 4,
        answered: 2,
        abandoned: 2,
        recorded: 0,
        waited: 80_000_000,
        talked: 40_000_000,
        in_time: 0,
    };
    assert_eq!(*sales, expected, "calls 1 and 3 after 10 s, 5 and 7 gave up after 30");
    let expected = CallFigures {
        answered: 3,
        abandoned: 1,
        recorded: 1,
        waited: 60_000_000,
        talked: 60_000_000,
        in_time: 3,
        ..expected
    };
    assert_eq!(*support, expected);
    let quarters = place.store.call_figures(&counted, By::Quarter, (&limits, 1)).await.expect("counts");
    assert!(quarters.iter().all(|(key, _)| key.parse::<i64>().is_ok()));
    assert_eq!(quarters.iter().map(|(_, figures)| figures.offered).sum::<u64>(), 8);
    let consents = place.store.consent_figures(&counted, By::Question).await.expect("counts");
    let expected = ConsentFigures { given: 1, silent: 1, ..ConsentFigures::default() };
    assert_eq!(consents, [("ab".repeat(32), expected)]);
    let one = Counted { queue: Some("sales".into()), ..counted };
    assert!(place.store.consent_figures(&one, By::Queue).await.expect("counts").is_empty());
    let is = place.store.recordings_in(&["recording"], &Sight::default()).await.expect("counts");
    assert_eq!(is, 1);
}

/// What anonymising does to a call, and destroying and removing to its recordings, changes no figure.
async fn figures_are_the_same_when_calls_are_anonymised(kind: Kind) {
    let place = Place::new(kind).await;
    ten(&place).await;
    place.facts(vec![answered(call(0), 5, yes())]).await;
    place.store.commit(vec![kek_made(KEK), armed(0, &[1])]).await.expect("arms");
    place
        .store
        .commit(step(RecordingChange::Started { id: recording(0), at: at(12) }))
        .await
        .expect("starts");
    let all = async || {
        let counted = Counted { since: at(0), until: at(9_999), queue: None, sight: Sight::default() };
        let limits = (&BTreeMap::new(), 10_000_000);
        let mut figures = place.store.call_figures(&counted, By::Queue, limits).await.expect("counts");
        figures.sort_by(|a, b| a.0.cmp(&b.0));
        (figures, place.store.consent_figures(&counted, By::Queue).await.expect("counts"))
    };
    let before = all().await;
    let mut raw = place.raw().await;
    for change in [
        "UPDATE calls SET from_number = '{Anonymized by DPO}', anonymised_at = 1, restricted_at = 1",
        "UPDATE recordings SET state = 'removed', wrapped_key = NULL, destroyed_at = 1, removed_at = 1",
    ] {
        raw.execute(change).await.expect(change);
    }
    assert_eq!(all().await, before);
    let digits = CallFilter { digits: ending("4567"), sight: Sight::whole(), ..CallFilter::default() };
    assert!(
        found(&place.store, &digits, 9, Order::Latest).await.is_empty(),
        "no digit is left to be found by"
    );
}

async fn nodes_tell_that_they_are_there(kind: Kind) {
    let place = Place::new(kind).await;
    let node = |seen: i64, calls, draining| NodeRow {
        id: SPOOL.into(),
        version: "1".into(),
        since: at(0),
        seen_at: at(seen),
        calls,
        draining,
    };
    for change in [node(1, 4, false), node(11, 5, true)] {
        place.store.commit(vec![Change::Node(change)]).await.expect("commits");
    }
    assert_eq!(place.store.nodes().await.expect("reads"), [node(11, 5, true)]);
    assert_eq!(place.audit_rows().await, 0);
}
