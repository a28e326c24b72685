//! Facts of many calls in one transaction: the same rows as one by one, and one that is refused costs the others nothing.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::*;

on_each_kind! {
    together_they_write_what_each_alone_writes,
    decisions_of_one_transaction_know_those_before,
    a_leg_that_is_not_there_fails_its_unit_alone,
    a_ladder_that_is_refused_fails_alone,
    statistics_of_a_leg_that_was_never_stored_are_none,
    a_unit_that_is_undone_leaves_what_was_before,
}

const CALLS: u128 = 41;

/// What calls of all sorts say, a unit of work after the other: of some there is nothing but a prompt.
fn units() -> Vec<Vec<Change>> {
    let mut units: Vec<Vec<Change>> = Vec::new();
    let quality = |packets_in| LegQuality { packets_in, ..LegQuality::default() };
    for n in 0..CALLS {
        let call = call(n);
        if n % 10 == 7 {
            units.extend(every_fact(call).into_iter().map(|fact| vec![fact.into()]));
            continue;
        }
        units.push(vec![arrived(call, n as i64).into()]);
        if n % 3 == 0 {
            let decided = Fact::Decided { call, at: at(1), basis: Basis::Refused(Answer::Silence) };
            units.push(vec![answered(call, 1, Answer::Silence).into(), decided.into()]);
        }
        if n % 4 == 0 {
            let bob = Whom::Agent("bob".into());
            units.push(vec![
                Fact::Queued { call, queue: "sales".into(), at: at(2) }.into(),
                Fact::Dialled { leg: leg(call, 1), to: bob, at: at(3) }.into(),
                Fact::Connected { leg: leg(call, 1), at: at(4) }.into(),
                Fact::LegEnded { leg: leg(call, 1), at: at(5), cause: Cause::HungUp }.into(),
                Change::LegStats { leg: leg(call, 1), quality: quality(2) },
            ]);
        }
    }
    for n in (0..CALLS).filter(|n| n % 10 != 7) {
        let call = call(n);
        let decided = Fact::Decided { call, at: at(6), basis: Basis::Never };
        let mut last: Vec<Change> = (n % 3 != 0).then_some(decided.into()).into_iter().collect();
        last.push(Fact::LegEnded { leg: leg(call, 0), at: at(7), cause: Cause::HungUp }.into());
        last.push(Fact::Ended { call, at: at(7), cause: Cause::HungUp }.into());
        last.push(Change::LegStats { leg: leg(call, 0), quality: quality(n as u64) });
        units.push(last);
    }
    units
}

/// All of a table but what differs from run to run.
async fn dump(place: &Place, select: &'static str) -> Vec<String> {
    let rows = place.raw().await.fetch_all(select).await.expect("reads");
    let cell = |row: &AnyRow, n: usize| {
        let text = row.try_get::<Option<String>, _>(n).ok();
        text.map(|text| format!("{text:?}"))
            .unwrap_or_else(|| format!("{:?}", row.try_get::<Option<i64>, _>(n).expect("a number")))
    };
    rows.iter().map(|row| (0..row.len()).map(|n| cell(row, n)).collect::<Vec<_>>().join(" ")).collect()
}

const TABLES: [&str; 5] = [
    "SELECT id, arrived_at, from_number, dialled, trunk, first_queue, queue, language, basis, basis_detail, \
     decided_at, queued_at, connected_at, agent, ended_at, end_cause, node FROM calls ORDER BY id",
    "SELECT call, n, agent, dialled_at, connected_at, ended_at, cause, quality, direction, trunk, \
     outside_number FROM legs ORDER BY call, n",
    "SELECT call, at, kind, agent, queue, detail, note, outside_number FROM call_events ORDER BY call, n",
    "SELECT call, from_number, at, queue, answer, agreed, digit, channel FROM consents ORDER BY call, n",
    "SELECT seq, version, at, class, actor_kind, actor, action, object_kind, object_id, attribute, about, old, \
     new FROM audit ORDER BY seq",
];

async fn together_they_write_what_each_alone_writes(kind: Kind) {
    let (alone, together) = (Place::new(kind).await, Place::new(kind).await);
    for unit in units() {
        alone.store.commit(unit).await.expect("commits");
    }
    let mut waiting = Vec::new();
    for unit in units() {
        waiting.push(together.store.submit(unit).await);
    }
    for unit in waiting {
        unit.wait().await.expect("commits");
    }
    for table in TABLES {
        let rows = dump(&alone, table).await;
        assert!(rows.len() > 4, "{table}");
        assert_eq!(dump(&together, table).await, rows, "{table}");
    }
    assert_eq!(together.audit_rows().await, alone.audit_rows().await);
}

async fn decisions_of_one_transaction_know_those_before(kind: Kind) {
    let place = Place::new(kind).await;
    place.facts(vec![arrived(call(0), 0)]).await;
    let decided = |n, basis| Fact::Decided { call: call(n), at: at(1), basis };
    let facts = vec![
        decided(0, Basis::Refused(Answer::HungUp)),
        arrived(call(1), 1),
        decided(1, Basis::Never),
        decided(0, Basis::Never),
        Fact::Ended { call: call(0), at: at(2), cause: Cause::HungUp },
        decided(0, Basis::NotStored),
    ];
    place.facts(facts).await;
    place.facts(vec![decided(0, Basis::Never)]).await;
    let select = "SELECT object_id, old, new FROM audit WHERE action = 'recording.decided' ORDER BY seq";
    let found = dump(&place, select).await;
    let text = |basis: &Basis| {
        let word = crate::audit::basis_word(basis);
        crate::audit::basis_detail(basis).map_or(word.to_owned(), |detail| format!("{word}: {detail}"))
    };
    let row = |n, old: Option<Basis>, new: Basis| {
        let (id, old, new) = (Some(call(n).to_string()), old.map(|old| text(&old)), Some(text(&new)));
        format!("{id:?} {old:?} {new:?}")
    };
    let expected = [
        row(0, None, Basis::Refused(Answer::HungUp)),
        row(1, None, Basis::Never),
        row(0, Some(Basis::Refused(Answer::HungUp)), Basis::Never),
        row(0, Some(Basis::Never), Basis::NotStored),
        row(0, Some(Basis::NotStored), Basis::Never),
    ];
    assert_eq!(found, expected);
    let row = place.store.call(call(0)).await.expect("reads").expect("a call").call;
    assert_eq!((row.basis.as_deref(), row.ended_at), (Some("never"), Some(at(2))));
}

async fn a_leg_that_is_not_there_fails_its_unit_alone(kind: Kind) {
    let place = Place::new(kind).await;
    let ended = |n, leg_n| Fact::LegEnded { leg: leg(call(n), leg_n), at: at(1), cause: Cause::HungUp };
    let mut waiting = Vec::new();
    for n in 0..20 {
        let legs = if n == 13 { [0, 4] } else { [0, 0] };
        let unit = vec![arrived(call(n), 0).into(), ended(n, legs[0]).into(), ended(n, legs[1]).into()];
        waiting.push(place.store.submit(unit).await);
    }
    for (n, unit) in waiting.into_iter().enumerate() {
        let result = unit.wait().await;
        let stored = place.store.call(call(n as u128)).await.expect("reads").is_some();
        assert_eq!((result.is_ok(), stored), (n != 13, n != 13), "{n}: {result:?}");
        if let Err(error) = result {
            let missing = leg(call(13), 4).to_string();
            assert!(matches!(&error, StoreError::Missing { what: "leg", id } if *id == missing), "{error}");
        }
    }
    assert_eq!(place.audit_rows().await, 19 * 3);
}

async fn a_ladder_that_is_refused_fails_alone(kind: Kind) {
    let place = Place::new(kind).await;
    place.facts((0..6).map(|n| arrived(call(n), 0)).collect()).await;
    let forget = sqlx::query("UPDATE calls SET anonymised_at = 1 WHERE id = $1").bind(call(2).to_string());
    forget.execute(&mut place.raw().await).await.expect("forgets");
    let mut waiting = Vec::new();
    for n in 0..7 {
        let ladder = Ladder { lines: vec![format!("trunk {n}")], ..Ladder::default() };
        let change = ParticularsChange::Ladder { call: call(n), ladder };
        waiting.push(place.store.submit(vec![Change::Particulars(change)]).await);
    }
    for (n, unit) in waiting.into_iter().enumerate() {
        let result = unit.wait().await;
        match n {
            2 => assert!(matches!(result, Err(StoreError::State { .. })), "{result:?}"),
            6 => assert!(matches!(result, Err(StoreError::Missing { .. })), "{result:?}"),
            _ => assert!(result.is_ok(), "{n}: {result:?}"),
        }
        let ladder = place.store.ladder(call(n as u128)).await.expect("reads");
        assert_eq!(ladder.map(|ladder| ladder.lines), result.is_ok().then(|| vec![format!("trunk {n}")]));
    }
}

async fn statistics_of_a_leg_that_was_never_stored_are_none(kind: Kind) {
    let place = Place::new(kind).await;
    let stats = |n| Change::LegStats { leg: leg(call(0), n), quality: LegQuality::default() };
    place.store.commit(vec![arrived(call(0), 0).into(), stats(0), stats(7)]).await.expect("commits");
    let legs = place.store.call(call(0)).await.expect("reads").expect("a call").legs;
    assert_eq!(legs.len(), 1);
    assert_eq!(legs[0].quality, Some(LegQuality::default()));
}

/// Units that may well be refused have a savepoint, behind what facts before them write.
async fn a_unit_that_is_undone_leaves_what_was_before(kind: Kind) {
    let place = Place::new(kind).await;
    let note = |n| {
        Change::Note(NoteChange {
            call: call(n),
            by: "ada".into(),
            who: Actor::User("ada".into()),
            at: at(1),
            text: Redacted("a note".into()),
        })
    };
    let first = place.store.submit(vec![arrived(call(0), 0).into()]).await;
    // Its call is there by then; the second's is not.
    let noted = place.store.submit(vec![note(0)]).await;
    let ended = Fact::Ended { call: call(0), at: at(2), cause: Cause::HungUp };
    let refused = place.store.submit(vec![arrived(call(1), 0).into(), note(1), note(2)]).await;
    let last = place.store.submit(vec![ended.into()]).await;
    for unit in [first, noted, last] {
        unit.wait().await.expect("commits");
    }
    refused.wait().await.expect_err("there is no such call");
    let row = place.store.call(call(0)).await.expect("reads").expect("a call").call;
    assert_eq!(row.ended_at, Some(at(2)));
    assert!(place.store.call(call(1)).await.expect("reads").is_none());
    assert_eq!(place.audit_rows().await, 3);
}
