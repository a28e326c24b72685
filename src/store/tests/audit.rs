//! Who is erased, which classes are written, which rows are found, what webhooks are told, whose turn it is to anchor.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::audit::{
    Anchor, AuditEvent, Class, ExportVerifier, Hash, Head, Object, Person, Row, Sealed, Tells, action,
    end_line, row_line,
};
use crate::settings::{DiffOptions, Settings, diff, parse};

on_each_kind! {
    a_person_is_erased_by_the_key_in_every_row,
    a_call_is_erased_alone,
    what_is_said_of_restricted_people_is_for_who_has_the_right,
    what_an_older_sayso_wrote_is_sealed_at_the_start,
    a_class_that_is_off_is_not_written_but_the_switch_is,
    rows_are_found_by_every_filter_page_by_page_both_ways,
    an_export_is_proven_without_the_database,
    parts_side_by_side_prove_what_one_proves,
    rows_tell_what_the_list_of_actions_says,
    lines_that_join_and_callers_who_come_back_are_told,
    what_was_armed_and_never_began_is_told,
    webhooks_are_told_in_the_transaction_that_causes_it,
    a_delivery_is_held_by_one_ends_and_is_tidied_up,
    one_at_a_time_anchors_when_it_is_due,
}

async fn settings(store: &Store, text: &str) {
    let (_, old) = store.settings().await.expect("reads");
    let changes = changes(&old, text);
    store.commit(vec![Change::Settings(changes, Actor::User("root".into()))]).await.expect("applies");
}

fn changes(old: &Settings, text: &str) -> Vec<crate::settings::Difference> {
    let file = parse(text, "test.toml", "sayso").expect("right");
    diff(old, &file, &DiffOptions { prune: false, seed: [7; 32] }).expect("right")
}

fn texts(rows: &[Row]) -> Vec<Option<&str>> {
    rows.iter().map(|row| row.about.as_ref().and_then(Sealed::text)).collect()
}

fn from(call: CallId, number: &str) -> Change {
    let Fact::Arrived { at, dialled, trunk, queue, language, .. } = arrived(call, 0) else { unreachable!() };
    let from = PhoneNumber::parse(number, None);
    Change::Fact(Fact::Arrived { call, at, from, dialled, trunk, queue, language })
}

async fn a_person_is_erased_by_the_key_in_every_row(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    store.commit(vec![from(call(0), "+49301234567"), from(call(1), "+49307654321")]).await.expect("commits");
    store.commit(vec![from(call(2), "+49301234567")]).await.expect("commits");
    let of = AuditFilter { q: Some("+49 30 1234567".into()), oldest: true, ..AuditFilter::default() };
    let rows = store.audit(&of).await.expect("reads");
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(texts(&rows), [Some("+49301234567"); 2]);

    let erase = || Change::ErasePerson { person: Person::number(&caller()), by: Actor::User("dora".into()) };
    store.commit(vec![erase()]).await.expect("erases");
    store.shred().await.expect("shreds");
    let all = AuditFilter { oldest: true, ..AuditFilter::default() };
    let rows = store.audit(&all).await.expect("reads");
    assert_eq!(texts(&rows), [None, Some("+49307654321"), None, None]);
    assert_eq!((rows[3].action.as_ref(), rows[3].class), ("person.erased", Class::Modify));
    assert!(store.audit(&of).await.expect("reads").is_empty());
    let proof = store.verify_audit(|_, _| {}).await.expect("whole");
    assert_eq!((proof.personal, proof.erased), (1, 2));
    store.commit(vec![erase()]).await.expect("nothing is left to erase");
    assert_eq!(place.audit_rows().await, 4, "and nothing is said of it");

    // Who calls again is somebody new: nothing of before opens by the new key.
    store.commit(vec![from(call(3), "+49301234567")]).await.expect("commits");
    let rows = store.audit(&of).await.expect("reads");
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [5]);
    let proof = store.verify_audit(|_, _| {}).await.expect("whole");
    assert_eq!((proof.personal, proof.erased), (2, 2));
}

async fn what_is_said_of_restricted_people_is_for_who_has_the_right(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    store.commit(vec![from(call(0), "+49301234567"), from(call(1), "+49307654321")]).await.expect("commits");
    store.commit(vec![from(call(2), "+49301234567")]).await.expect("commits");
    let restrict = format!("UPDATE calls SET restricted_at = 1 WHERE id = '{}'", call(0));
    place.raw().await.execute(AssertSqlSafe(restrict)).await.expect("restricts");
    let whole = AuditFilter { oldest: true, ..AuditFilter::default() };
    let some = AuditFilter { unrestricted: true, ..whole.clone() };
    let number =
        |filter: &AuditFilter, number: &str| AuditFilter { q: Some(number.into()), ..filter.clone() };
    let shown = store.audit(&some).await.expect("reads");
    assert_eq!(texts(&shown), [None, Some("+49307654321"), None], "the number, in whatever call");
    assert_eq!(texts(&store.audit_page(&some).await.expect("reads").items), texts(&shown));
    assert_eq!(texts(&store.audit(&whole).await.expect("reads")).iter().flatten().count(), 3);
    let found = async |filter: &AuditFilter, of: &str| {
        let filter = number(filter, of);
        let (lines, _) = store.audit_export(&filter).await.expect("reads");
        let page = store.audit_page(&filter).await.expect("reads");
        (page.items.len(), store.audit(&filter).await.expect("reads").len(), lines.len())
    };
    assert_eq!(found(&some, "+49301234567").await, (0, 0, 0), "the number finds nothing");
    assert_eq!(found(&whole, "+49301234567").await, (2, 2, 2));
    assert_eq!(found(&some, "+49307654321").await, (1, 1, 1));
    // What goes out is whole all the same.
    let (lines, rest) = store.audit_export(&some).await.expect("reads");
    let mut verifier = ExportVerifier::default();
    for (row, previous) in &lines {
        let line = row_line(row, *previous);
        assert!(!line.contains("+49301234567"), "{line}");
        verifier.line(&line).expect("as it was written");
    }
    let last = lines.last().expect("rows").0.head();
    verifier.line(&end_line(3, last)).expect("the end");
    let proof = verifier.finish().expect("whole");
    assert_eq!((proof.rows, proof.personal, proof.erased, rest), (3, 1, 2, None));
}

async fn a_call_is_erased_alone(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    place.facts(every_fact(call(0))).await;
    place.facts(every_fact(call(1))).await;
    let outside = crate::call::Outside { number: caller(), trunk: "carrier".into(), release: false };
    place.facts(vec![Fact::Dialled { leg: leg(call(0), 7), to: Whom::Outside(outside), at: at(3) }]).await;
    store.commit(vec![kek_made(KEK), armed(0, b"key")]).await.expect("arms");
    let (by, why) = (Actor::User("ada".into()), "Ms Miller asked".to_owned());
    let gone = RecordingChange::Destroyed { id: recording(0), at: at(9), rule: "operator".into(), why, by };
    store.commit(step(gone)).await.expect("destroys");
    let before = store.verify_audit(|_, _| {}).await.expect("whole");
    assert_eq!(
        (before.personal, before.erased),
        (10, 0),
        "twice three numbers and a reason, a leg, a reason"
    );

    let erase = || Change::ErasePersonalOf { calls: vec![call(0)] };
    store.commit(vec![erase(), erase()]).await.expect("erases, and nothing twice");
    let proof = store.verify_audit(|_, _| {}).await.expect("whole");
    assert_eq!((proof.rows, proof.personal, proof.erased), (before.rows, 4, 6));
    let other = AuditFilter { object: Some(call(1).to_string()), ..AuditFilter::default() };
    let told = store.audit(&other).await.expect("reads");
    assert!(texts(&told).contains(&Some("+49301234567")));
}

async fn what_an_older_sayso_wrote_is_sealed_at_the_start(kind: Kind) {
    let place = Place::new(kind).await;
    place.facts(every_fact(call(0))).await;
    let rows = place.store.audit(&AuditFilter::default()).await.expect("reads");
    let mut raw = place.raw().await;
    raw.execute("DELETE FROM audit_sealed").await.expect("removes");
    raw.execute("DELETE FROM persons").await.expect("removes");
    let mut written = 0;
    for row in &rows {
        for (field, opening) in ["about", "old", "new"].into_iter().zip(row.openings()) {
            let Some(opening) = opening else { continue };
            sqlx::query("INSERT INTO audit_personal (seq, field, salt, value) VALUES ($1, $2, $3, $4)")
                .bind(i64::try_from(row.seq).expect("small"))
                .bind(field)
                .bind(opening.salt.to_vec())
                .bind(opening.value.clone())
                .execute(&mut raw)
                .await
                .expect("as an older one did");
            written += 1;
        }
    }
    for _ in 0..2 {
        let store = place.again().await;
        let proof = store.verify_audit(|_, _| {}).await.expect("whole");
        assert_eq!((proof.personal, proof.erased), (written, 0));
        assert_eq!(store.audit(&AuditFilter::default()).await.expect("reads"), rows);
    }
    let left: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM audit_personal").fetch_one(&mut raw).await.expect("counts");
    assert_eq!(left, 0);
}

async fn a_class_that_is_off_is_not_written_but_the_switch_is(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    settings(store, "[queue.support]\n[system.sayso]\naudit-off = [\"system\", \"config\"]").await;
    let other = place.again().await;
    let before = place.audit_rows().await;
    place.facts(every_fact(call(0))).await;
    other.commit(vec![arrived(call(1), 0).into()]).await.expect("another process knows it too");
    let of = AuditFilter { behind: Some(before), oldest: true, ..AuditFilter::default() };
    let rows = store.audit(&of).await.expect("reads");
    let classes: BTreeSet<Class> = rows.iter().map(|row| row.class).collect();
    assert_eq!(classes, BTreeSet::from([Class::Modify, Class::Failure]));
    // In one transaction with what follows it.
    let (_, old) = store.settings().await.expect("reads");
    let on = changes(&old, "[queue.support]\nwrap-up = \"9s\"\n[system.sayso]\naudit-off = []");
    let note = AuditEvent::new(Class::System, Actor::System, at(0), "test.note", Object::new("test", 1));
    let switch = vec![Change::Settings(on, Actor::User("root".into()))];
    store.commit(switch).await.expect("switches on");
    store.commit(vec![Change::Audit(note)]).await.expect("is written again");
    let rows =
        store.audit(&AuditFilter { limit: 2, oldest: false, ..AuditFilter::default() }).await.expect("reads");
    let told = |row: &Row| format!("{} {} {}", row.who, row.action, row.what);
    assert_eq!(told(&rows[0]), "system test.note test 1");
    assert_eq!(told(&rows[1]), "user root system.changed system sayso.audit-off");
    let values = [&rows[1].old, &rows[1].new].map(|value| value.as_ref().and_then(Sealed::text));
    assert_eq!(values, [Some("system, config"), Some("")]);
    place.audit_rows().await;
}

async fn rows_are_found_by_every_filter_page_by_page_both_ways(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    for n in 0..4 {
        place.facts(every_fact(call(n))).await;
    }
    let all = store.audit(&AuditFilter::default()).await.expect("reads");
    let any = AuditFilter::default();
    type Fits = fn(&Row) -> bool;
    let filters: [(AuditFilter, Fits); 9] = [
        (any.clone(), |_| true),
        (AuditFilter { class: Some(Class::Modify), ..any.clone() }, |row| row.class == Class::Modify),
        (AuditFilter { object: Some(call(1).to_string()), ..any.clone() }, |row| {
            row.what.id.starts_with(&call(1).to_string())
        }),
        (AuditFilter { action: Some("call.queued".into()), ..any.clone() }, |row| {
            row.action == "call.queued"
        }),
        (AuditFilter { actor: Some("bob".into()), ..any.clone() }, |row| row.who.name() == Some("bob")),
        (AuditFilter { q: Some("SUPPORT, language".into()), ..any.clone() }, |row| {
            row.action == "call.arrived"
        }),
        (AuditFilter { q: Some("100%_!".into()), ..any.clone() }, |_| false),
        (AuditFilter { q: Some("+49301234567".into()), ..any.clone() }, |row| row.about.is_some()),
        (AuditFilter { since: Some(at(3)), until: Some(at(9)), ..any.clone() }, |row| {
            (at(3)..at(9)).contains(&row.at)
        }),
    ];
    for (filter, fits) in filters {
        let mut wanted: Vec<Row> = all.iter().filter(|row| fits(row)).cloned().collect();
        for oldest in [false, true] {
            let mut found = Vec::new();
            let mut page = AuditFilter { limit: 3, oldest, ..filter.clone() };
            loop {
                let part = store.audit_page(&page).await.expect("reads");
                assert!(part.items.len() <= 3);
                found.extend(part.items);
                let Some(next) = part.next else { break };
                page.behind = Some(next.row());
            }
            assert_eq!(found, wanted, "{filter:?} {oldest}");
            assert_eq!(store.audit(&AuditFilter { oldest, ..filter.clone() }).await.expect("reads"), wanted);
            wanted.reverse();
        }
    }
    assert!(!store.audit(&AuditFilter { q: Some("bob".into()), ..any }).await.expect("reads").is_empty());
}

async fn an_export_is_proven_without_the_database(kind: Kind) {
    let place = Place::new(kind).await;
    place.facts(every_fact(call(0))).await;
    place.facts(every_fact(call(1))).await;
    let erase = Change::ErasePersonalOf { calls: vec![call(0)] };
    place.store.commit(vec![erase]).await.expect("erases");
    let export = async |filter: AuditFilter| {
        let mut filter = AuditFilter { limit: 7, ..filter };
        let (mut verifier, mut rows, mut last) = (ExportVerifier::default(), 0, Head::EMPTY);
        loop {
            let (lot, rest) = place.store.audit_export(&filter).await.expect("reads");
            for (row, previous) in &lot {
                verifier.line(&row_line(row, *previous)).expect("as it was written");
                (rows, last) = (rows + 1, row.head());
            }
            filter.behind = rest;
            if rest.is_none() {
                break;
            }
        }
        verifier.line(&end_line(rows, last)).expect("the end");
        verifier.finish().expect("whole")
    };
    let proof = export(AuditFilter::default()).await;
    assert_eq!((proof.rows, proof.gaps, proof.personal, proof.erased), (30, 0, 4, 4));
    assert_eq!(proof.last, place.store.audit_head().await.expect("reads"));
    let some = export(AuditFilter { class: Some(Class::Modify), ..AuditFilter::default() }).await;
    assert!(some.rows > 5 && some.gaps > 1, "{some:?}");
}

/// More rows than are read at once, so that several readers share the work.
async fn parts_side_by_side_prove_what_one_proves(kind: Kind) {
    let place = Place::new(kind).await;
    let note = |n| AuditEvent::new(Class::System, Actor::System, at(n), "test.note", Object::new("test", n));
    for lot in 0..10 {
        let notes = (0..2_000).map(|n| Change::Audit(note(lot * 2_000 + n))).collect();
        place.store.commit(notes).await.expect("commits");
    }
    let mut told = (0, 0);
    let proof = place.store.verify_audit(|done, all| told = (done, all)).await.expect("whole");
    assert_eq!((proof.rows, told), (20_000, (20_000, 20_000)));
    let filter = AuditFilter { q: Some("test 77".into()), ..AuditFilter::default() };
    assert!(place.store.audit_page(&filter).await.expect("reads").items.is_empty());
    let wrong = Anchor { head: Head { seq: 19_000, hash: Hash([1; 32]) }, at: at(1) };
    let broken = place.store.verify_audit_with(crate::audit::Anchors::of([wrong]), |_, _| {}).await;
    assert!(matches!(&broken, Err(StoreError::Broken(link)) if link.seq == 19_000), "{broken:?}");
}

async fn lines_that_join_and_callers_who_come_back_are_told(kind: Kind) {
    let place = Place::new(kind).await;
    let call = call(0);
    place.facts(vec![arrived(call, 0)]).await;
    let admitted = |n, agent: Option<&str>, replaces| Fact::Admitted {
        leg: leg(call, n),
        agent: agent.map(Into::into),
        replaces,
        at: at(5),
    };
    place.facts(vec![admitted(1, Some("bob"), None), admitted(2, None, Some(leg(call, 1)))]).await;
    let returned =
        |agent: Option<&str>, cause| Fact::Returned { call, agent: agent.map(Into::into), cause, at: at(6) };
    place.facts(vec![returned(Some("bob"), Cause::Declined), returned(None, Cause::NoAnswer)]).await;
    let [first, second] = [leg(call, 1), leg(call, 2)];
    assert_eq!(
        place.store.told("leg.admitted").await,
        [
            format!("system agent bob leg {first}: nothing -> nothing"),
            format!("system system leg {second}: nothing -> replaces {first}"),
        ]
    );
    let [declined, silent] = [Cause::Declined, Cause::NoAnswer].map(crate::audit::cause_word);
    assert_eq!(
        place.store.told("call.returned").await,
        [
            format!("system system call {call}: nothing -> agent bob: {declined}"),
            format!("system system call {call}: nothing -> anyone: {silent}"),
        ]
    );
}

async fn what_was_armed_and_never_began_is_told(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    store.commit(vec![arrived(call(0), 0).into(), kek_made(KEK), armed(0, b"key")]).await.expect("arms");
    store.commit(step(RecordingChange::Discarded { id: recording(0), at: at(4) })).await.expect("discards");
    let row = format!("modify system recording {}: nothing -> discarded", recording(0));
    assert_eq!(store.told("recording.discarded").await, [row]);
}

async fn rows_tell_what_the_list_of_actions_says(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    settings(store, "[queue.support]\n[user.ada]\nrole = \"superuser\"\npassword = \"correct horse\"").await;
    settings(store, "[queue.support]\nwrap-up = \"9s\"").await;
    place.facts(every_fact(call(0))).await;
    store.commit(vec![kek_made(KEK), armed(0, b"key")]).await.expect("arms");
    store.commit(step(RecordingChange::Started { id: recording(0), at: at(3) })).await.expect("starts");
    store.commit(step(destroyed(0, 9))).await.expect("destroys");
    let rows = store.audit(&AuditFilter::default()).await.expect("reads");
    let mut actions = BTreeSet::new();
    for row in &rows {
        let (_, classes, tells) =
            action(&row.action).unwrap_or_else(|| panic!("{} is not listed", row.action));
        assert!(classes.contains(&row.class), "{} {}", row.action, row.class);
        let values = (row.old.is_some(), row.new.is_some());
        let fits = match tells {
            Tells::Nothing => values == (false, false),
            Tells::Perhaps => true,
            Tells::New => values == (false, true),
            Tells::Change => values.0 || values.1,
        };
        assert!(fits, "{} tells {tells:?}, and has {values:?}", row.action);
        actions.insert((row.action.to_string(), values));
    }
    for both in [
        "recording.decided",
        "recording.paused",
        "recording.resumed",
        "recording.started",
        "consent.withdrawn",
        "queue.changed",
    ] {
        assert!(actions.contains(&(both.to_owned(), (true, true))), "{both} has both values: {actions:?}");
    }
}

const HOOKS: &str = "[queue.support]\n\
    [webhook.crm]\nurl = \"https://crm.example/\"\nsecret = \"north\"\nevents = [\"call.ended\", \"consent.refused\", \
    \"recording.overridden\", \"audit.alarm\"]\n\
    [webhook.off]\nurl = \"https://off.example/\"\nsecret = \"north\"\nevents = [\"call.ended\"]\nenabled = false\n\
    [webhook.late]\nurl = \"https://late.example/\"\nsecret = \"north\"\nevents = [\"recording.stored\"]\n\
    [system.sayso]\naudit-off = [\"system\"]";

async fn webhooks_are_told_in_the_transaction_that_causes_it(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    settings(store, HOOKS).await;
    place.facts(every_fact(call(0))).await;
    let raised =
        AuditEvent::new(Class::Failure, Actor::System, at(1), "alarm.raised", Object::new("alarm", "disk"));
    store.commit(vec![Change::Audit(raised)]).await.expect("commits");
    // What is not stored is not told.
    let wrong = vec![
        arrived(call(1), 0).into(),
        Fact::Ended { call: call(1), at: at(2), cause: Cause::HungUp }.into(),
        Fact::Ended { call: call(9), at: at(2), cause: Cause::HungUp }.into(),
    ];
    store.commit(wrong).await.expect_err("there is no such call");
    let rows = store.deliveries("crm", None, 50).await.expect("reads").items;
    let events: BTreeSet<&str> = rows.iter().map(|row| row.event.as_str()).collect();
    let wanted = ["audit.alarm", "call.ended", "consent.refused", "recording.overridden"];
    assert_eq!((events, rows.len()), (BTreeSet::from(wanted), 4), "also of a class that is not written");
    for row in &rows {
        assert_eq!((row.state, row.attempts, row.status), (DeliveryState::Waiting, 0, None));
        assert!(!["1234567", "Miller", "bob"].iter().any(|word| row.body.contains(word)), "{}", row.body);
    }
    let body = |event: &str| -> serde_json::Value {
        let row = rows.iter().find(|row| row.event == event).expect("told");
        serde_json::from_str(&row.body).expect("JSON")
    };
    let ended = body("call.ended");
    assert_eq!((&ended["call"], &ended["cause"]), (&call(0).to_string().into(), &"hung-up".into()));
    assert_eq!((&ended["queue"], &ended["at"]), (&"support".into(), &at(12).to_rfc3339().into()));
    assert_eq!(body("consent.refused")["answer"], "no");
    assert_eq!(body("recording.overridden")["category"], "emergency");
    assert_eq!(
        (&body("audit.alarm")["alarm"], &body("audit.alarm")["state"]),
        (&"disk".into(), &"raised".into())
    );
    for nothing in ["off", "late", "nobody"] {
        assert!(store.deliveries(nothing, None, 50).await.expect("reads").items.is_empty(), "{nothing}");
    }
}

async fn a_delivery_is_held_by_one_ends_and_is_tidied_up(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    settings(store, HOOKS).await;
    for n in 0..3 {
        place
            .facts(vec![arrived(call(n), 0), Fact::Ended { call: call(n), at: at(2), cause: Cause::HungUp }])
            .await;
    }
    let now = Clock::start().now() + Duration::from_secs(60);
    let due = store.deliveries_due("crm", now, 9).await.expect("reads");
    assert_eq!(due.len(), 3);
    let id = due[0].id;
    let lease = |by: &str, now: Timestamp| {
        vec![Change::Webhook(WebhookChange::Leased {
            id,
            by: by.into(),
            until: now + Duration::from_secs(30),
            at: now,
        })]
    };
    let ended = |by: &str, end: &DeliveryEnd, at| {
        vec![Change::Webhook(WebhookChange::Ended { id, by: by.into(), end: end.clone(), at })]
    };
    store.commit(lease("a", now)).await.expect("is free");
    let held = store.commit(lease("b", now)).await;
    assert!(matches!(held, Err(StoreError::State { what: "delivery", .. })), "{held:?}");
    assert_eq!(store.deliveries_due("crm", now, 9).await.expect("reads").len(), 2);
    let taken = DeliveryEnd::Delivered { status: 204 };
    store.commit(ended("b", &taken, now)).await.expect_err("it is not b's");
    let later = now + Duration::from_secs(60);
    let failed =
        DeliveryEnd::Failed { status: Some(500), what: "the answer was 500".into(), again: Some(later) };
    store.commit(ended("a", &failed, now)).await.expect("failed");
    assert_eq!(store.deliveries_due("crm", now, 9).await.expect("reads").len(), 2, "not yet");
    store.commit(lease("b", later)).await.expect("is due again");
    store.commit(ended("b", &taken, later)).await.expect("taken");
    let row = store.delivery(id).await.expect("reads").expect("a row");
    assert_eq!((row.state, row.attempts, row.status), (DeliveryState::Delivered, 2, Some(204)));
    assert_eq!(store.deliveries_waiting().await.expect("counts").0, 2);

    let by = Actor::User("ada".into());
    let again = || Change::Webhook(WebhookChange::Retry { id, by: by.clone(), at: later });
    store.commit(vec![again()]).await.expect("once more");
    assert_eq!(store.deliveries_waiting().await.expect("counts").0, 3);
    store.commit(lease("a", later)).await.expect("is due");
    store.commit(vec![again()]).await.expect("asked for while a has it");
    store.commit(lease("b", later)).await.expect("is due at once");
    store.commit(ended("b", &taken, later)).await.expect("taken");
    let unknown = Change::Webhook(WebhookChange::Retry { id: Ulid(9), by: by.clone(), at: later });
    let unknown = store.commit(vec![unknown]).await;
    assert!(matches!(unknown, Err(StoreError::Missing { what: "delivery", .. })), "{unknown:?}");

    let mut page = store.deliveries("crm", None, 2).await.expect("reads");
    assert_eq!(page.items.len(), 2);
    page = store.deliveries("crm", page.next, 2).await.expect("reads");
    assert_eq!((page.items.len(), page.next), (1, None));
    let tidied = |ended, came, at| Change::Webhook(WebhookChange::Tidied { ended, came, at });
    store.commit(vec![tidied(at(0), at(0), later)]).await.expect("nothing is so old");
    assert_eq!(store.deliveries("crm", None, 9).await.expect("reads").items.len(), 3);
    let second = |n| later + Duration::from_secs(n);
    store.commit(vec![tidied(second(1), second(1), second(2))]).await.expect("tidies");
    let rows = store.deliveries("crm", None, 9).await.expect("reads").items;
    let states: Vec<&str> = rows.iter().map(|row| row.state.word()).collect();
    assert_eq!(states, ["failed", "failed"], "what was taken is gone, what waited is given up: {rows:?}");

    let many = "INSERT INTO webhook_deliveries (id, webhook, event, body, at, state, due) \
                WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001) \
                SELECT 'old' || i, 'gone', 'test', '{}', 1, 'waiting', 1 FROM n";
    place.raw().await.execute(many).await.expect("waits");
    store.commit(vec![tidied(at(0), second(1), second(3))]).await.expect("tidies");
    assert_eq!(store.deliveries_waiting().await.expect("counts").0, 1, "a thousand at once");
}

async fn one_at_a_time_anchors_when_it_is_due(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    let hour = Duration::from_secs(3_600);
    let begin = |by: &str, second: i64, every: Option<Duration>| {
        let at = at(second);
        let until = at + Duration::from_secs(120);
        vec![Change::Anchor(AnchorChange::Begun { by: by.into(), until, every, at })]
    };
    let end = |by: &str, second: i64, state: AnchorState| {
        let anchor = Anchor { head: Head { seq: 7, hash: Hash([9; 32]) }, at: at(second) };
        let to = AnchorPlace { place: "/a/b".into(), state, what: Some("x".into()) };
        let again = at(second) + Duration::from_secs(600);
        let (who, statement, at) = (Actor::System, "{}".to_owned(), at(second));
        let places = vec![to];
        vec![Change::Anchor(AnchorChange::Ended { by: by.into(), who, anchor, statement, places, again, at })]
    };
    let refused =
        |result: Result<(), StoreError>| matches!(result, Err(StoreError::State { what: "anchor", .. }));
    store.commit(begin("a", 0, Some(hour))).await.expect("it was never");
    assert!(refused(store.commit(begin("b", 1, Some(hour))).await), "a is at it");
    assert!(refused(store.commit(begin("b", 1, None)).await), "also by hand");
    assert!(refused(store.commit(end("b", 2, AnchorState::Anchored)).await), "it is not b's");
    store.commit(end("a", 2, AnchorState::Anchored)).await.expect("anchored");
    assert!(refused(store.commit(begin("b", 1_800, Some(hour))).await), "not due");
    store.commit(begin("b", 1_801, None)).await.expect("by hand, whenever");
    store.commit(end("b", 1_802, AnchorState::Failed)).await.expect("failed");
    let turn = store.anchor_turn().await.expect("reads");
    assert_eq!(turn, AnchorTurn { anchored_at: Some(at(2)), failures: 1 });
    assert!(
        refused(store.commit(begin("a", 2_000, Some(Duration::from_secs(60)))).await),
        "not so soon after it"
    );
    store.commit(begin("a", 2_500, Some(Duration::from_secs(60)))).await.expect("later it is");
    // It died: another takes over when its time is up.
    assert!(refused(store.commit(begin("b", 2_600, Some(Duration::from_secs(60)))).await));
    store.commit(begin("b", 2_700, Some(Duration::from_secs(60)))).await.expect("its turn");

    let page = store.anchors(None, 1).await.expect("reads");
    assert_eq!((page.items[0].at.state, page.items[0].anchor.head.seq), (AnchorState::Failed, 7));
    let rest = store.anchors(page.next, 9).await.expect("reads");
    assert_eq!((rest.items.len(), rest.items[0].at.state), (1, AnchorState::Anchored));
    let rows = store.audit(&AuditFilter { oldest: true, ..AuditFilter::default() }).await.expect("reads");
    let told: Vec<String> = rows.iter().map(|row| format!("{} {}", row.class, row.action)).collect();
    assert_eq!(told, ["system audit.anchored", "failure audit.anchor-failed"]);
    let mut raw = place.raw().await;
    for statement in ["UPDATE anchors SET seq = 1", "DELETE FROM anchors"] {
        let error = raw.execute(sql(kind, statement)).await.expect_err(statement).to_string();
        assert!(error.contains("anchor"), "{error}");
    }
}
