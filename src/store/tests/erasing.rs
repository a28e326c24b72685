//! What an erasure, a move, a withdrawal and a reset leave and take, with more than one at work.

use super::*;
use crate::audit::{AuditEvent, Class, Object, Person as Subject, Sealed, Value};
use crate::ids::TaskId;
use crate::privacy::{ANONYMIZED, Person, Search, read_directory};

on_each_kind! {
    a_withdrawal_is_heard_of_by_every_node,
    an_export_leaves_out_what_is_restricted,
    tasks_are_seen_by_who_sees_all_they_are_about,
    a_move_erases_what_it_archived_and_no_more,
    a_big_erasure_goes_in_lots,
    a_consent_of_a_call_that_goes_on_keeps_its_number_and_counts_no_more,
    a_number_that_only_a_transfer_knows_keeps_its_key,
    a_reset_leaves_what_came_after_its_export,
    the_words_of_a_search_go_with_whom_it_found,
    what_is_being_made_of_the_erased_is_not_kept,
    a_key_is_not_retired_while_a_file_needs_it,
    what_a_unit_erases_is_not_sealed_anew,
    a_frequent_word_is_not_read_to_its_end,
    words_are_found_in_their_span_the_latest_first,
}

fn other() -> PhoneNumber {
    PhoneNumber::parse("+43 1 7654321", None).expect("a number")
}

fn task(n: u128) -> TaskId {
    TaskId::new(Ulid(n))
}

fn asked(id: TaskId, kind: TaskKind, calls: Vec<CallId>) -> NewTask {
    NewTask {
        id,
        kind,
        by: "dora".into(),
        at: at(20),
        reason: Redacted("asked for".into()),
        calls,
        entries: Vec::new(),
        consents: true,
        whose: None,
        approval: false,
        spool: SPOOL.into(),
        counts: TaskCounts::default(),
    }
}

async fn change(store: &Store, change: PrivacyChange) -> Result<(), StoreError> {
    store.commit(vec![Change::Privacy(change)]).await
}

async fn begin(store: &Store, new: NewTask) {
    let id = new.id;
    change(store, PrivacyChange::Asked(Box::new(new))).await.expect("asks");
    change(store, PrivacyChange::Began { id }).await.expect("begins");
}

fn of(call: CallId, second: i64, from: PhoneNumber) -> Vec<Fact> {
    let mut facts = vec![arrived(call, second), answered(call, second + 1, yes())];
    for fact in &mut facts {
        if let Fact::Arrived { from: number, .. } | Fact::ConsentAnswered { from: number, .. } = fact {
            *number = Some(from.clone());
        }
    }
    facts
}

fn ended(call: CallId, second: i64) -> Fact {
    Fact::Ended { call, at: at(second), cause: Cause::HungUp }
}

/// The numbers of a call's consents.
async fn numbers(store: &Store, call: CallId) -> Vec<String> {
    let detail = store.call(call).await.expect("reads").expect("there");
    detail.consents.into_iter().filter_map(|row| row.from.map(|from| from.0)).collect()
}

/// All that the log tells in the rows of an action.
async fn texts(store: &Store, action: &str) -> Vec<String> {
    let filter = AuditFilter { action: Some(action.into()), limit: 1_000, ..AuditFilter::default() };
    let rows = store.audit(&filter).await.expect("reads");
    let text = |sealed: &Option<Sealed>| sealed.as_ref().and_then(Sealed::text).map(str::to_owned);
    rows.iter().flat_map(|row| [&row.about, &row.old, &row.new].map(text)).flatten().collect()
}

fn withdrawn(number: PhoneNumber, second: i64) -> PrivacyChange {
    let (by, reason) = (Actor::User("cora".into()), Redacted("wrote to us".to_owned()));
    PrivacyChange::Withdrawn { number, by, reason, at: at(second) }
}

async fn a_withdrawal_is_heard_of_by_every_node(kind: Kind) {
    let place = Place::new(kind).await;
    let (here, there) = (&place.store, &place.again().await);
    here.of_node("01JD0000000000000000000HER");
    there.of_node("01JD0000000000000000000THE");
    let facts = |call| of(call, 0, caller()).into_iter().map(Change::Fact).collect();
    there.commit(facts(call(0))).await.expect("a call there");
    here.commit(facts(call(1))).await.expect("a call here");
    assert_eq!(there.withdrawals_since(0).await.expect("reads"), []);
    change(here, withdrawn(caller(), 9)).await.expect("withdraws");
    assert_eq!(here.calls_elsewhere(&caller()).await.expect("counts"), 1, "not the one here");
    let heard = there.withdrawals_since(0).await.expect("reads");
    assert_eq!(heard.len(), 1);
    assert_eq!(
        (heard[0].number.0.as_str(), heard[0].at, heard[0].by.as_str()),
        ("+49301234567", at(9), "cora")
    );
    let seen = heard[0].n;
    assert_eq!(there.withdrawals_since(seen).await.expect("reads"), [], "once");
    // Whatever the last answer is: a call that goes on may go by one before.
    change(there, withdrawn(caller(), 10)).await.expect("withdraws again");
    let heard = here.withdrawals_since(seen).await.expect("reads");
    assert_eq!(heard.iter().map(|one| one.n).collect::<Vec<_>>(), [seen + 1]);
    there.commit(vec![Change::Fact(ended(call(0), 11))]).await.expect("ends");
    assert_eq!(here.calls_elsewhere(&caller()).await.expect("counts"), 0);
    // It is a message: it goes.
    let day = 86_400;
    assert!(!here.withdrawals_over(at(9 + day)).await.expect("reads"));
    assert!(here.withdrawals_over(at(10 + day)).await.expect("reads"));
    change(here, PrivacyChange::WithdrawalsGone { now: at(10 + day) }).await.expect("removes");
    let kept = here.withdrawals_since(0).await.expect("reads");
    assert_eq!(kept.iter().map(|one| one.n).collect::<Vec<_>>(), [seen + 1], "the later one");
}

async fn an_export_leaves_out_what_is_restricted(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    for n in 0..2 {
        place.facts(of(call(n), 0, caller())).await;
    }
    begin(store, asked(task(1), TaskKind::Restrict, vec![call(0)])).await;
    change(store, PrivacyChange::Restricted { id: task(1), on: true, at: at(30) }).await.expect("restricts");
    for number in [None, Some(caller())] {
        let mut which = ConsentsToExport { number, since: None, until: None, restricted: false, last: None };
        let page = store.consents_to_export(&which, None, 10).await.expect("reads");
        assert_eq!(page.items.iter().map(|one| one.row.call).collect::<Vec<_>>(), [call(1)]);
        which.restricted = true;
        let page = store.consents_to_export(&which, None, 10).await.expect("reads");
        let told: Vec<(CallId, bool)> = page.items.iter().map(|one| (one.row.call, one.restricted)).collect();
        assert_eq!(told, [(call(1), false), (call(0), true)]);
    }
    assert!(store.restricted_since(at(29)).await.expect("reads"));
    assert!(!store.restricted_since(at(31)).await.expect("reads"), "it was so before");
}

async fn tasks_are_seen_by_who_sees_all_they_are_about(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    let mut sales = arrived(call(1), 0);
    if let Fact::Arrived { queue, .. } = &mut sales {
        *queue = "sales".into();
    }
    place.facts(vec![arrived(call(0), 0), sales]).await;
    let plain = |n, calls| NewTask { consents: false, ..asked(task(n), TaskKind::Report, calls) };
    begin(store, plain(1, vec![call(0)])).await;
    begin(store, plain(2, vec![call(0), call(1)])).await;
    begin(store, NewTask { consents: true, ..plain(3, vec![call(0)]) }).await;
    let imported = "list,name,number\nvip,Ann,+49301234567\n";
    let lines =
        read_directory(imported.as_bytes()).expect("columns").map(|line| line.expect("right")).collect();
    store.import_entries(lines, &Actor::User("ada".into()), at(5), |_| {}).await.expect("imports");
    let entries = store.directory(None, &crate::store::Place::first(10)).await.expect("reads").items;
    begin(store, NewTask { entries: vec![entries[0].id], ..plain(4, vec![call(0)]) }).await;
    begin(store, plain(5, vec![call(7)])).await;
    let sight = |queues: &[&str]| Sight {
        queues: Some(queues.iter().map(|queue| (*queue).into()).collect()),
        restricted: true,
    };
    for (sight, seen) in [
        (Sight::whole(), vec![1, 2, 3, 4, 5]),
        (sight(&["support"]), vec![1]),
        (sight(&["sales", "support"]), vec![1, 2]),
        (sight(&["sales"]), vec![]),
        (sight(&[]), vec![]),
    ] {
        let page = store.privacy_tasks(&crate::store::Place::first(10), &sight).await.expect("reads");
        let mut listed: Vec<TaskId> = page.items.iter().map(|row| row.id).collect();
        listed.sort_unstable();
        assert_eq!(listed, seen.iter().map(|n| task(*n)).collect::<Vec<_>>(), "{sight:?}");
        for n in 1..=5 {
            let one = store.privacy_task_seen(task(n), &sight).await.expect("reads");
            assert_eq!(one, seen.contains(&n), "{n} {sight:?}");
        }
    }
}

async fn a_move_erases_what_it_archived_and_no_more(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    for (n, from) in [(0, other()), (1, caller())] {
        place.facts(of(call(n), 0, from)).await;
        place.facts(vec![ended(call(n), 3)]).await;
    }
    begin(store, asked(task(1), TaskKind::Move, vec![call(0), call(1)])).await;
    let began = (at(30), store.last_consent().await.expect("reads"));
    // While it is written: one caller calls again and says yes, and somebody writes about the other's call.
    place.facts(of(call(2), 31, caller())).await;
    place.facts(vec![ended(call(2), 33)]).await;
    let note = NoteChange {
        call: call(0),
        by: "bob".into(),
        who: Actor::User("bob".into()),
        at: at(32),
        text: Redacted("Ms Miller will call again".into()),
    };
    store.commit(vec![Change::Note(note)]).await.expect("writes");
    let (id, archive, sha256, bytes) = (task(1), "x.box".to_owned(), "ab".repeat(32), 7);
    let archived = PrivacyChange::Archived { id, archive, sha256, bytes, began, at: at(34) };
    change(store, archived).await.expect("archives");
    store.erase_people(id, at(40)).await.expect("erases");
    assert_eq!(numbers(store, call(0)).await, ["+4317654321"], "who is left is left whole");
    assert_eq!(numbers(store, call(1)).await, [ANONYMIZED]);
    assert_eq!(numbers(store, call(2)).await, ["+49301234567"], "it is in no file");
    let known = store.known_consent(&caller()).await.expect("reads").expect("the answer of afterwards");
    assert!(known.agreed);
    let calls = store.privacy_task_calls(id).await.expect("reads");
    let told: Vec<(&str, Option<&str>)> =
        calls.iter().map(|call| (call.state.as_str(), call.what.as_deref())).collect();
    assert_eq!(told, [("refused", Some("changed since it was archived")), ("waiting", None)]);
    // And one that is written about between that and its own turn.
    let note = NoteChange {
        call: call(1),
        by: "bob".into(),
        who: Actor::User("bob".into()),
        at: at(41),
        text: Redacted("she did".into()),
    };
    store.commit(vec![Change::Note(note)]).await.expect("writes");
    let refused = change(store, PrivacyChange::EraseCall { id, call: call(1), at: at(42) }).await;
    assert!(matches!(refused, Err(StoreError::State { ref state, .. }) if state.contains("changed since")));
}

async fn a_big_erasure_goes_in_lots(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    let number = |n: u128| PhoneNumber::parse(&format!("+49301{:06}", 100_000 + n), None).expect("a number");
    for n in 0..45 {
        place.facts(of(call(n), 0, number(n))).await;
        place.facts(vec![ended(call(n), 3)]).await;
    }
    begin(store, asked(task(1), TaskKind::Erase, (0..45).map(call).collect())).await;
    store.erase_people(task(1), at(40)).await.expect("erases");
    let row = store.privacy_task(task(1)).await.expect("reads").expect("there");
    assert_eq!(row.counts.consents, 45, "all of them");
    let mut told = texts(store, "consents.erased").await;
    told.sort();
    assert_eq!(told, ["20", "20", "5"], "never many at a time");
    assert_eq!(numbers(store, call(44)).await, [ANONYMIZED]);
    let rows = place.audit_rows().await;
    store.erase_people(task(1), at(41)).await.expect("again");
    assert_eq!(place.audit_rows().await, rows, "it was done");
}

async fn a_consent_of_a_call_that_goes_on_keeps_its_number_and_counts_no_more(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    place.facts(of(call(0), 0, caller())).await;
    place.facts(vec![ended(call(0), 3)]).await;
    place.facts(of(call(1), 5, caller())).await;
    begin(store, asked(task(1), TaskKind::Erase, vec![call(0)])).await;
    store.erase_people(task(1), at(40)).await.expect("erases");
    assert_eq!(numbers(store, call(0)).await, [ANONYMIZED]);
    assert_eq!(
        numbers(store, call(1)).await,
        ["+49301234567"],
        "who is in a call can take it back in this call"
    );
    assert_eq!(store.known_consent(&caller()).await.expect("reads"), None, "later calls ask");
}

async fn a_number_that_only_a_transfer_knows_keeps_its_key(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    let outside = Some(other());
    let sent =
        Fact::Transferred { call: call(1), by: "bob".into(), queue: None, agent: None, outside, at: at(4) };
    place.facts(of(call(0), 0, other())).await;
    place.facts(vec![ended(call(0), 3), arrived(call(1), 0), sent, ended(call(1), 6)]).await;
    let told =
        || async { texts(store, "call.transferred").await.iter().any(|text| text.contains("+4317654321")) };
    assert!(told().await);
    begin(store, asked(task(1), TaskKind::Erase, vec![call(0)])).await;
    store.erase_people(task(1), at(40)).await.expect("erases");
    assert!(told().await, "the other call was not selected");
}

async fn a_reset_leaves_what_came_after_its_export(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    place.facts(of(call(0), 0, caller())).await;
    let whose = Some(Whose::Of(caller()));
    begin(store, NewTask { whose, ..asked(task(1), TaskKind::Consents, Vec::new()) }).await;
    let last = store.last_consent().await.expect("reads");
    place.facts(of(call(1), 31, caller())).await;
    let which =
        ConsentsToExport { number: None, since: None, until: None, restricted: true, last: Some(last) };
    let page = store.consents_to_export(&which, None, 10).await.expect("reads");
    assert_eq!(page.items.iter().map(|one| one.row.call).collect::<Vec<_>>(), [call(0)]);
    change(store, PrivacyChange::Reset { id: task(1), last, at: at(30) }).await.expect("resets");
    assert!(store.known_consent(&caller()).await.expect("reads").is_some(), "it is in no file");
    // All, where one was stored by a clock that is ahead.
    place.facts(of(call(2), 500, other())).await;
    let whose = Some(Whose::Everybodys);
    begin(store, NewTask { whose, ..asked(task(2), TaskKind::Consents, Vec::new()) }).await;
    let last = store.last_consent().await.expect("reads");
    change(store, PrivacyChange::Reset { id: task(2), last, at: at(100) }).await.expect("resets");
    assert_eq!(store.known_consent(&caller()).await.expect("reads"), None);
    assert_eq!(store.known_consent(&other()).await.expect("reads"), None, "that one, too");
    assert_eq!(store.consents_to_reset(&Whose::Of(other())).await.expect("counts"), 0);
}

async fn the_words_of_a_search_go_with_whom_it_found(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    place.facts(of(call(0), 0, caller())).await;
    place.facts(vec![ended(call(0), 3)]).await;
    place.facts(of(call(1), 0, other())).await;
    place.facts(vec![ended(call(1), 3)]).await;
    let look = async |search: &str, words: &str, digits: &str| {
        let (by, words) = (Actor::User("dora".into()), Redacted(words.to_owned()));
        let (id, at) = (search.to_owned(), at(10));
        change(store, PrivacyChange::Searched { search: id.clone(), words, by, at })
            .await
            .expect("writes down");
        let person = Person::parse(Some(digits), None, None).expect("digits");
        let found = store.find_person(&Search { person, since: None, until: None }).await.expect("searches");
        let whom = found.whom();
        change(store, PrivacyChange::SearchFound { search: id, whom }).await.expect("writes down");
    };
    look("one", "Ann Miller 4567", "4567").await;
    look("two", "+49301234567", "1234567").await;
    look("three", "Berta 4321", "4321").await;
    look("four", "nobody 9999", "9999").await;
    assert_eq!(store.searches_for(task(1)).await.expect("reads").len(), 0);
    begin(store, asked(task(1), TaskKind::Erase, vec![call(0)])).await;
    store.erase_people(task(1), at(40)).await.expect("erases");
    assert_eq!(store.searches_for(task(1)).await.expect("reads").len(), 0, "not before the call is erased");
    change(store, PrivacyChange::EraseCall { id: task(1), call: call(0), at: at(41) }).await.expect("erases");
    let mut searches = store.searches_for(task(1)).await.expect("reads");
    searches.sort();
    assert_eq!(searches, ["one", "two"]);
    change(store, PrivacyChange::SearchesGone { searches }).await.expect("forgets");
    let mut told = texts(store, "privacy.searched").await;
    told.sort();
    assert_eq!(told, ["Berta 4321", "nobody 9999"], "those of others stay");
    assert_eq!(store.searches_for(task(1)).await.expect("reads").len(), 0);
    let in_vain = store.searches_in_vain(at(11)).await.expect("reads");
    assert_eq!(in_vain, ["four"], "nobody's erasure takes it: its time does");
    assert_eq!(store.searches_in_vain(at(9)).await.expect("reads").len(), 0, "not before");
    store.verify_audit(|_, _| {}).await.expect("whole");
}

fn made() -> TaskFile {
    TaskFile {
        spool: SPOOL.into(),
        wrapped_key: Redacted(b"key".to_vec()),
        content_type: "text/csv".into(),
        bytes: 3,
        sha256: "ab".repeat(32),
        kek: Some(KEK.into()),
        restricted: false,
    }
}

fn is_over(id: TaskId) -> PrivacyChange {
    let (what, counts, file) = ("made".to_owned(), TaskCounts::default(), Some(Box::new(made())));
    let (expires_at, certificate) = (Some(at(9_000)), None);
    PrivacyChange::Ended { id, done: true, what, counts, file, expires_at, certificate, at: at(50) }
}

async fn what_is_being_made_of_the_erased_is_not_kept(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    store.commit(vec![kek_made(KEK)]).await.expect("a key");
    for n in 0..2 {
        place.facts(of(call(n), 0, caller())).await;
        place.facts(vec![ended(call(n), 3)]).await;
    }
    let whose = || Some(Whose::Of(caller()));
    begin(store, NewTask { whose: whose(), ..asked(task(1), TaskKind::Consents, Vec::new()) }).await;
    assert!(is_over(task(1)).erases(), "whose they were leaves the database's own log, too");
    change(store, is_over(task(1))).await.expect("was written out before");
    begin(store, asked(task(2), TaskKind::Report, vec![call(0)])).await;
    begin(store, asked(task(3), TaskKind::Report, vec![call(1)])).await;
    begin(store, NewTask { whose: whose(), ..asked(task(4), TaskKind::Consents, Vec::new()) }).await;
    begin(store, asked(task(9), TaskKind::Erase, vec![call(0)])).await;
    store.erase_people(task(9), at(40)).await.expect("erases");
    change(store, PrivacyChange::EraseCall { id: task(9), call: call(0), at: at(41) }).await.expect("erases");
    change(store, PrivacyChange::ForgetEarlier { id: task(9), at: at(42) }).await.expect("forgets");
    // They had read the person before, and end now.
    for n in 2..=4 {
        change(store, is_over(task(n))).await.expect("ends");
    }
    let row = async |n| store.privacy_task(task(n)).await.expect("reads").expect("there");
    for (n, state, kept) in [
        (1, TaskState::Done, false),
        (2, TaskState::Failed, false),
        (3, TaskState::Done, true),
        (4, TaskState::Done, false),
    ] {
        let row = row(n).await;
        assert_eq!((row.state, row.file.is_some()), (state, kept), "{n}: {row:?}");
        assert_eq!(row.reason.0 == ANONYMIZED, !kept, "{n}");
    }
    assert!(row(2).await.what.is_some_and(|what| what.contains("ask for it anew")));
    let reasons = texts(store, "privacy-task.asked").await;
    assert_eq!(
        reasons.iter().filter(|text| *text == "asked for").count(),
        2,
        "those of the third and of the erasure"
    );
}

async fn a_key_is_not_retired_while_a_file_needs_it(kind: Kind) {
    const NEW: &str = "ffeeddccbbaa9988";
    let place = Place::new(kind).await;
    let store = &place.store;
    store.commit(vec![kek_made(KEK)]).await.expect("a key");
    begin(store, asked(task(1), TaskKind::Consents, Vec::new())).await;
    change(store, is_over(task(1))).await.expect("a file of consents");
    store.commit(vec![kek_made(NEW)]).await.expect("another key");
    let retire = || {
        vec![Change::Kek(KekChange::Retired { id: KEK.into(), at: at(60), by: Actor::User("ada".into()) })]
    };
    let refused = store.commit(retire()).await.expect_err("the only export of what was reset");
    assert!(refused.to_string().contains("a file that was made for people"), "{refused}");
    change(store, PrivacyChange::FileGone { id: task(1), at: at(61) }).await.expect("its time is over");
    store.commit(retire()).await.expect("nothing needs it");
    begin(store, asked(task(2), TaskKind::Report, Vec::new())).await;
    let late = change(store, is_over(task(2))).await;
    assert!(late.is_err(), "a file whose key nobody can unwrap is none");
}

async fn what_a_unit_erases_is_not_sealed_anew(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    let event = |text: &str, what: Object| {
        let event = AuditEvent::new(Class::Modify, Actor::System, at(1), "consent.withdrawn", what);
        event.new_value(Some(Value::Personal(text.to_owned())))
    };
    let by = || Actor::User("dora".into());
    let of_number = event("said by phone", Object::new("consent", "x")).about(Some("+49301234567"));
    let of_call = event("Ms Miller", Object::new("call", call(3)));
    let of_leg = event("Mr Miller", Object::new("leg", format!("{}/2", call(3))));
    let of_other = event("kept", Object::new("call", call(33)));
    let person = Subject::number(&caller());
    store
        .commit(vec![
            Change::Audit(of_number),
            Change::Audit(of_call),
            Change::Audit(of_leg),
            Change::Audit(of_other),
            Change::ErasePerson { person, by: by() },
            Change::ErasePersonalOf { calls: vec![call(3)] },
        ])
        .await
        .expect("commits");
    let mut told = texts(store, "consent.withdrawn").await;
    told.retain(|text| text != ANONYMIZED);
    assert_eq!(told, ["kept"]);
    store.verify_audit(|_, _| {}).await.expect("whole");
}

async fn a_frequent_word_is_not_read_to_its_end(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    for n in 0..6 {
        place.facts(vec![arrived(call(n), 0)]).await;
        let rare = if n == 5 { "walter vogel" } else { "walter" };
        let data = [("a".to_owned(), Redacted(rare.to_owned()))].into();
        let change = ParticularsChange::Data { call: call(n), data, at: at(6), by: Actor::System };
        store.commit(vec![Change::Particulars(change)]).await.expect("attaches");
    }
    let range = |word: &str| Person::range_of(word);
    let all = (i64::MIN, i64::MAX);
    let (rows, cut) = store.calls_by_words(&[range("walter")], all, 4).await.expect("searches");
    assert_eq!((rows.len(), cut), (4, true), "and there may be more");
    let (rows, cut) = store.calls_by_words(&[range("walter")], all, 6).await.expect("searches");
    assert_eq!((rows.len(), cut), (6, false));
    let both = [range("walter"), range("vogel")];
    let (rows, cut) = store.calls_by_words(&both, all, 4).await.expect("searches");
    assert_eq!((rows.len(), cut), (1, false), "the rarer one leads");
    let (rows, cut) = store
        .calls_by_words(&[range("walt")], (at(0).as_micros(), at(1).as_micros()), 6)
        .await
        .expect("searches");
    assert_eq!((rows.len(), cut), (6, false), "by how it begins");
}

async fn words_are_found_in_their_span_the_latest_first(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    for (n, text) in [(0, "anna"), (3, "annabel anna"), (1, "Anna Vogel"), (2, "hannah vogel")] {
        place.facts(vec![arrived(call(n), i64::try_from(n).expect("small") * 60)]).await;
        let data = [("a".to_owned(), Redacted(text.to_owned()))].into();
        let change = ParticularsChange::Data { call: call(n), data, at: at(600), by: Actor::System };
        store.commit(vec![Change::Particulars(change)]).await.expect("attaches");
    }
    let found = async |words: &[&str], since: i64, until: i64| {
        let words: Vec<_> = words.iter().map(|word| Person::range_of(word)).collect();
        let span = (at(since).as_micros(), at(until).as_micros());
        let (rows, cut) = store.calls_by_words(&words, span, 2).await.expect("searches");
        let ids = rows.iter().map(|row| sqlx::Row::get::<String, _>(row, "id").parse().expect("an id"));
        (ids.collect::<Vec<CallId>>(), cut)
    };
    assert_eq!(found(&["ann"], 0, 60).await, (vec![call(0)], false));
    assert_eq!(found(&["anna"], 60, 61).await, (vec![call(1)], false));
    assert_eq!(found(&["anna"], 180, 181).await, (vec![call(3)], false), "once, by two words");
    assert_eq!(found(&["vogel"], 0, 600).await, (vec![call(2), call(1)], false));
    assert_eq!(found(&["ann", "vogel"], 0, 600).await, (vec![call(1)], false));
    assert_eq!(found(&["nobody"], 0, 600).await, (vec![], false));
    assert!(found(&["ann"], 0, 600).await.1, "there may be more");
}
