//! Recordings that legal holds keep, in lists.

use super::*;

on_each_kind! {
    recordings_are_found_by_any_number_of_holds,
}

async fn recordings_are_found_by_any_number_of_holds(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    store.commit(vec![kek_made(KEK)]).await.expect("makes");
    place.facts(vec![arrived(call(0), 0)]).await;
    for n in 0..2 {
        store.commit(vec![armed(n, &[7])]).await.expect("arms");
    }
    place.facts(vec![Fact::Ended { call: call(0), at: at(9), cause: Cause::HungUp }]).await;
    let found = async || {
        let filter =
            RecordingFilter { held: Some(at(20)), sight: Sight::whole(), ..RecordingFilter::default() };
        let page = store.recording_list(&filter, &crate::store::Place::first(50)).await.expect("reads");
        page.items.iter().map(|row| row.id).collect::<Vec<_>>()
    };
    let mut raw = place.raw().await;
    // More than an expression of SQLite may be deep, or a statement may have values.
    let many = "INSERT INTO holds (id, kind, object, reason, by_whom, at) \
                WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70000) \
                SELECT 'other' || i, 'call', 'nobody' || i, 'x', 'x', 1 FROM n";
    raw.execute(many).await.expect("holds");
    assert_eq!(found().await, []);
    let mut hold = async |id: &str, columns: &str, values: &str, ends: i64| {
        let insert = format!(
            "INSERT INTO holds (id, kind, {columns}, reason, by_whom, at, ends_at) VALUES ('{id}', {values}, 'x', 'x', 1, {ends})"
        );
        raw.execute(AssertSqlSafe(insert)).await.expect("holds");
    };
    let (soon, past) = (at(30).as_micros(), at(20).as_micros());
    hold("a", "object", &format!("'recording', '{}'", recording(0)), past).await;
    assert_eq!(found().await, [], "it is over");
    hold("b", "object", &format!("'recording', '{}'", recording(0)), soon).await;
    assert_eq!(found().await, [recording(0)]);
    hold("c", "number", "'number', '+49301234567'", soon).await;
    assert_eq!(found().await, [recording(1), recording(0)], "each once");
    raw_release(&place, &["b", "c"]).await;
    assert_eq!(found().await, []);
    let span = format!("'queue', 'support', {}, {}", at(0).as_micros(), at(5).as_micros());
    let insert = format!(
        "INSERT INTO holds (id, kind, object, span_since, span_until, reason, by_whom, at) VALUES ('{}', {span}, 'x', 'x', 1)",
        recording(9)
    );
    place.raw().await.execute(AssertSqlSafe(insert)).await.expect("holds");
    assert_eq!(found().await.len(), 2, "all of the queue's in that span");
}

async fn raw_release(place: &Place, ids: &[&str]) {
    let mut raw = place.raw().await;
    for id in ids {
        let update = format!("UPDATE holds SET released_at = 1 WHERE id = '{id}'");
        raw.execute(AssertSqlSafe(update)).await.expect("releases");
    }
}
