//! People's data: what a search finds, approvals, the directory, withdrawals; what is typed is never a statement.

use super::*;
use crate::ids::{EntryId, TaskId};
use crate::privacy::{NewEntry, Person, Search, read_directory};

on_each_kind! {
    a_person_is_found_by_what_is_known_of_them,
    what_is_typed_is_never_a_statement,
    more_than_a_thousand_is_said,
    entries_are_known_by_number_or_address,
    only_another_user_approves_and_only_once,
    a_withdrawal_by_word_ends_what_was_known,
    words_go_with_what_is_attached,
    consents_of_the_erased_stay_without_their_number,
}

fn other() -> PhoneNumber {
    PhoneNumber::parse("+43 1 7654321", None).expect("a number")
}

async fn find(store: &Store, number: Option<&str>, email: Option<&str>, name: Option<&str>) -> Found {
    let person = Person::parse(number, email, name).expect("something to look for");
    store.find_person(&Search { person, since: None, until: None }).await.expect("searches")
}

fn calls(found: &Found) -> Vec<CallId> {
    found.calls.iter().map(|found| found.call.id).collect()
}

fn lines(text: &str) -> Vec<(u64, NewEntry)> {
    read_directory(text.as_bytes()).expect("columns").map(|line| line.expect("right")).collect()
}

async fn import(store: &Store, text: &str) -> Imported {
    store.import_entries(lines(text), &Actor::User("ada".into()), at(5), |_| {}).await.expect("imports")
}

async fn attach(store: &Store, call: CallId, data: &[(&str, &str)]) {
    let data = data.iter().map(|(key, value)| ((*key).to_owned(), Redacted((*value).to_owned()))).collect();
    let by = Actor::User("ada".into());
    let change = ParticularsChange::Data { call, data, at: at(6), by };
    store.commit(vec![Change::Particulars(change)]).await.expect("attaches");
}

fn transferred(call: CallId, to: PhoneNumber) -> Fact {
    let (by, agent, queue) = ("bob".into(), None, None);
    Fact::Transferred { call, by, queue, agent, outside: Some(to), at: at(4) }
}

fn new_task(id: TaskId, kind: TaskKind, calls: Vec<CallId>, approval: bool) -> PrivacyChange {
    PrivacyChange::Asked(Box::new(NewTask {
        id,
        kind,
        by: "dora".into(),
        at: at(20),
        reason: Redacted("asked for".into()),
        calls,
        entries: Vec::new(),
        consents: true,
        whose: None,
        approval,
        spool: SPOOL.into(),
        counts: TaskCounts::default(),
    }))
}

async fn change(store: &Store, change: PrivacyChange) -> Result<(), StoreError> {
    store.commit(vec![Change::Privacy(change)]).await
}

async fn a_person_is_found_by_what_is_known_of_them(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    place.facts(vec![arrived(call(0), 0), answered(call(0), 1, yes())]).await;
    let mut withheld = arrived(call(1), 10);
    if let Fact::Arrived { from, .. } = &mut withheld {
        *from = None;
    }
    let to = Outside { trunk: "carrier".into(), number: other(), release: false };
    let dialled = Fact::Dialled { leg: leg(call(1), 1), to: Whom::Outside(to), at: at(11) };
    place.facts(vec![withheld, dialled, arrived(call(2), 20), transferred(call(2), other())]).await;
    attach(store, call(1), &[("customer", "Anna Müller"), ("mail", "Anna.M@example.org")]).await;

    for digits in ["567", "30-1234567", "+49 30 1234567"] {
        assert_eq!(
            calls(&find(store, Some(digits), None, None).await),
            [call(2), call(0)],
            "{digits}: by the caller"
        );
    }
    let found = find(store, Some("7654321"), None, None).await;
    assert_eq!(
        calls(&found),
        [call(1), call(2)].iter().rev().copied().collect::<Vec<_>>(),
        "by the number outside"
    );
    assert_eq!(find(store, Some("4567"), None, None).await.consents.len(), 1);
    assert_eq!(calls(&find(store, Some("999"), None, None).await), []);
    for name in ["müll", "MÜLLER anna", "ann mül"] {
        assert_eq!(calls(&find(store, None, None, Some(name)).await), [call(1)], "{name}");
    }
    assert_eq!(calls(&find(store, None, None, Some("anna schmidt")).await), [], "all words");
    assert_eq!(calls(&find(store, None, Some("ANNA.m@EXAMPLE.org"), None).await), [call(1)]);
    assert_eq!(
        calls(&find(store, None, Some("anna.m@example.or"), None).await),
        [],
        "an address is meant whole"
    );

    // By an entry's name come the calls of its number.
    import(store, "list,name,number,email\nvip,Berta Huber,+49301234567,berta@example.org\n").await;
    for (email, name) in [(None, Some("huber")), (Some("berta@example.org"), None)] {
        let found = find(store, None, email, name).await;
        assert_eq!(
            (calls(&found), found.entries.len(), found.consents.len()),
            (vec![call(2), call(0)], 1, 1)
        );
    }
    let person = Person::parse(Some("4567"), None, None).expect("digits");
    let since = Search { person, since: Some(at(5)), until: Some(at(21)) };
    let found = store.find_person(&since).await.expect("searches");
    assert_eq!((calls(&found), found.too_many), (vec![call(2)], false));
}

async fn what_is_typed_is_never_a_statement(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    place.facts(vec![arrived(call(0), 0)]).await;
    let evil = [
        "x'; DROP TABLE calls; --",
        "abc%' OR '1'='1",
        "a_b_c%%%",
        "\\\\'\"abc",
        "$1 $2 abc",
        "abc\u{10FFFF}",
    ];
    for text in evil {
        for found in [find(store, None, Some(text), None).await, find(store, None, None, Some(text)).await] {
            assert!(found.calls.is_empty() && found.entries.is_empty(), "{text}");
        }
        assert!(
            store
                .directory(Some(text), &crate::store::Place::first(10))
                .await
                .expect("reads")
                .items
                .is_empty()
        );
    }
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["list", "name", "number", "email", "note"]).expect("writes");
    csv.write_record(["l'; --", "Robert'); DROP TABLE directory; --", "+49301234567", "", "=1+1\n'"])
        .expect("writes");
    let text = String::from_utf8(csv.into_inner().expect("text")).expect("text");
    assert_eq!(import(store, &text).await.added, 1);
    let found = find(store, None, None, Some("robert drop")).await;
    assert_eq!(found.entries[0].name.0, "Robert'); DROP TABLE directory; --");
    assert_eq!(found.entries[0].note.as_ref().map(|note| note.0.as_str()), Some("=1+1\n'"));
    assert_eq!(calls(&find(store, Some("4567"), None, None).await), [call(0)], "all is there still");
}

async fn more_than_a_thousand_is_said(kind: Kind) {
    let place = Place::new(kind).await;
    let facts = (0..1_100u128).map(|n| arrived(call(n), i64::try_from(n).expect("small"))).collect();
    place.facts(facts).await;
    let found = find(&place.store, Some("567"), None, None);
    let found = tokio::time::timeout(std::time::Duration::from_secs(10), found).await.expect("in time");
    assert_eq!((found.calls.len(), found.too_many), (MOST_FOUND, true));
    assert_eq!(found.calls[0].call.id, call(1_099), "the latest first");
    let person = Person::parse(Some("567"), None, None).expect("digits");
    let narrow = Search { person, since: Some(at(1_000)), until: None };
    let found = place.store.find_person(&narrow).await.expect("searches");
    assert_eq!((found.calls.len(), found.too_many), (100, false));
}

async fn entries_are_known_by_number_or_address(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    let head = "list,name,number,email,note\n";
    let first = import(
        store,
        &format!("{head}a,Ann,+49301234567,,\na,Ben,,ben@example.org,\nb,Ann,+49301234567,,\n"),
    )
    .await;
    assert_eq!((first.added, first.changed), (3, 0));
    // Once more, and one of them changed twice in one file.
    let again = format!(
        "{head}a,Anna,+49301234567,ann@example.org,\na,Benno,,BEN@example.org,x\na,Benny,,ben@example.org,y\n"
    );
    let again = import(store, &again).await;
    assert_eq!((again.added, again.changed, again.torn.len()), (0, 3, 0));
    let torn = import(store, &format!("{head}a,Both,+49301234567,ben@example.org,\n")).await;
    assert_eq!((torn.added, torn.changed, torn.torn), (0, 0, vec![2]));
    let all = store.directory(None, &crate::store::Place::first(10)).await.expect("reads").items;
    let mut names: Vec<String> = all.iter().map(|entry| format!("{} {}", entry.list, entry.name.0)).collect();
    names.sort();
    assert_eq!(names, ["a Anna", "a Benny", "b Ann"]);
    let mut page = crate::store::Place::first(2);
    let one = store.directory(None, &page).await.expect("reads");
    page.after = one.next;
    assert_eq!(store.directory(None, &page).await.expect("reads").items.len(), 1, "in pages");
    for (q, n) in [("benn", 1), ("4567", 2), ("ann@example.org", 1), ("zoe", 0)] {
        let found = store.directory(Some(q), &crate::store::Place::first(10)).await.expect("reads");
        assert_eq!(found.items.len(), n, "{q}");
    }
    let id: EntryId = all[0].id;
    let removed = PrivacyChange::EntryRemoved { id, by: Actor::User("ada".into()), at: at(9) };
    change(store, removed.clone()).await.expect("removes");
    assert!(matches!(change(store, removed).await, Err(StoreError::Missing { .. })));
    let filter = AuditFilter { object: Some(id.to_string()), ..AuditFilter::default() };
    let rows = store.audit(&filter).await.expect("reads");
    assert!(rows.iter().any(|row| row.action == "directory-entry.removed"));
    assert!(
        rows.iter()
            .any(|row| row.action == "directory-entry.added" || row.action == "directory-entry.changed")
    );
    store.verify_audit(|_, _| {}).await.expect("whole");
}

async fn only_another_user_approves_and_only_once(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    place.facts(vec![arrived(call(0), 0)]).await;
    let id = TaskId::new(Ulid(1));
    change(store, new_task(id, TaskKind::Erase, vec![call(0)], true)).await.expect("asks");
    let jobs = async || store.jobs(&JobFilter::default()).await.expect("reads").items.len();
    assert_eq!(
        (jobs().await, store.privacy_tasks_open().await.expect("counts")),
        (0, 1),
        "nothing is done yet"
    );
    let approve = |by: &str| PrivacyChange::Approved { id, by: by.into(), at: at(21) };
    let own = change(store, approve("dora")).await;
    assert!(matches!(own, Err(StoreError::State { .. })), "{own:?}");
    change(store, approve("emil")).await.expect("another");
    assert_eq!(jobs().await, 1);
    assert!(matches!(change(store, approve("fritz")).await, Err(StoreError::State { .. })), "once");
    let refuse = PrivacyChange::Refused { id, by: "fritz".into(), reason: Redacted("no".into()), at: at(22) };
    assert!(matches!(change(store, refuse.clone()).await, Err(StoreError::State { .. })), "too late");
    let row = store.privacy_task(id).await.expect("reads").expect("there");
    assert_eq!((row.state, row.approved_by.as_deref()), (TaskState::Waiting, Some("emil")));
    let id = TaskId::new(Ulid(2));
    change(store, new_task(id, TaskKind::Erase, vec![call(0)], true)).await.expect("asks");
    let refuse = PrivacyChange::Refused { id, by: "emil".into(), reason: Redacted("no".into()), at: at(22) };
    change(store, refuse).await.expect("refuses");
    assert_eq!(jobs().await, 1, "nothing comes of it");
    let rows = store
        .audit(&AuditFilter { object: Some(id.to_string()), ..AuditFilter::default() })
        .await
        .expect("reads");
    let told: Vec<(String, String)> =
        rows.iter().rev().map(|row| (row.action.to_string(), row.who.to_string())).collect();
    let told: Vec<(&str, &str)> = told.iter().map(|(action, who)| (action.as_str(), who.as_str())).collect();
    assert_eq!(
        told,
        [
            ("privacy-task.asked", "user dora"),
            ("privacy-task.asked", "user dora"),
            ("privacy-task.refused", "user emil")
        ]
    );
}

async fn a_withdrawal_by_word_ends_what_was_known(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    place.facts(vec![arrived(call(0), 0), answered(call(0), 1, yes())]).await;
    assert!(store.known_consent(&caller()).await.expect("reads").is_some());
    let (by, reason) = (Actor::User("cora".into()), Redacted("wrote to us".to_owned()));
    let withdrawn = PrivacyChange::Withdrawn { number: caller(), by, reason, at: at(9) };
    change(store, withdrawn.clone()).await.expect("withdraws");
    assert_eq!(store.known_consent(&caller()).await.expect("reads"), None);
    change(store, withdrawn).await.expect("again");
    let detail = store.call(call(0)).await.expect("reads").expect("there");
    assert_eq!(detail.consents.iter().filter(|row| row.answer == "withdrawn").count(), 1, "once");
    let (by, reason) = (Actor::User("cora".into()), Redacted("wrote to us".to_owned()));
    let nobody = PrivacyChange::Withdrawn { number: other(), by, reason, at: at(9) };
    change(store, nobody).await.expect("has no effect");
    let filter = AuditFilter { action: Some("consent.withdrawn".into()), ..AuditFilter::default() };
    let rows = store.audit(&filter).await.expect("reads");
    assert_eq!(rows.len(), 2, "that, and why");
    assert!(rows.iter().all(|row| row.who == Actor::User("cora".into())));
}

async fn words_go_with_what_is_attached(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    place.facts(vec![arrived(call(0), 0)]).await;
    attach(store, call(0), &[("a", "Walter"), ("b", "Vogel")]).await;
    assert_eq!(calls(&find(store, None, None, Some("walter vogel")).await), [call(0)]);
    attach(store, call(0), &[("a", "Walther")]).await;
    assert_eq!(calls(&find(store, None, None, Some("walter")).await), []);
    assert_eq!(calls(&find(store, None, None, Some("vogel")).await), []);
    assert_eq!(calls(&find(store, None, None, Some("walther")).await), [call(0)]);
    // Whoever removes or overwrites the data removes the words.
    let mut raw = place.raw().await;
    raw.execute("UPDATE call_data SET value = '{Anonymized by DPO}'").await.expect("overwrites");
    assert_eq!(calls(&find(store, None, None, Some("walther")).await), []);
    attach(store, call(0), &[("a", "Walther")]).await;
    raw.execute("DELETE FROM call_data").await.expect("removes");
    assert_eq!(calls(&find(store, None, None, Some("walther")).await), []);
}

async fn consents_of_the_erased_stay_without_their_number(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    place.facts(every_fact(call(0))).await;
    let ended = Fact::Ended { call: call(1), at: at(32), cause: Cause::HungUp };
    place.facts(vec![arrived(call(1), 30), answered(call(1), 31, yes()), ended]).await;
    let id = TaskId::new(Ulid(1));
    change(store, new_task(id, TaskKind::Erase, vec![call(0)], false)).await.expect("asks");
    change(store, PrivacyChange::Began { id }).await.expect("begins");
    for _ in 0..2 {
        store.erase_people(id, at(40)).await.expect("erases, once");
        change(store, PrivacyChange::EraseCall { id, call: call(0), at: at(41) })
            .await
            .expect("erases, once");
    }
    for n in 0..2 {
        let detail = store.call(call(n)).await.expect("reads").expect("there");
        assert!(!detail.consents.is_empty());
        for consent in &detail.consents {
            assert_eq!(
                consent.from.as_ref().map(|from| from.0.as_str()),
                Some(crate::privacy::ANONYMIZED),
                "{n}"
            );
        }
    }
    assert_eq!(store.known_consent(&caller()).await.expect("reads"), None, "asked again");
    assert_eq!(calls(&find(store, Some("4567"), None, None).await), [call(1)], "what was not selected stays");
    let task = store.privacy_task(id).await.expect("reads").expect("there");
    assert_eq!((task.counts.consents, task.stage), (3, 3));
    store.verify_audit(|_, _| {}).await.expect("whole");
}
