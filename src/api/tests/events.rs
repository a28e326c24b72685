//! The event stream, as a browser hears it.

use super::*;

#[tokio::test]
async fn a_snapshot_comes_first_and_then_what_changes() {
    let house = House::new().await;
    house.heard().calls = vec![call_view(1, &["bob"]), call_view(2, &["carol"])];
    let bob = house.log_in("bob").await;
    let mut events = bob.events().await;
    let snapshot = events.expect("snapshot").await;
    assert_eq!(snapshot["now"], START.to_rfc3339());
    assert_eq!(snapshot["calls"], json!([call_view(1, &["bob"])]));
    house.happen(Live::Call(call_view(2, &["carol"])));
    let mut changed = call_view(1, &["bob", "carol"]);
    changed.phase = PhaseWord::Conference;
    house.happen(Live::Call(changed.clone()));
    assert_eq!(events.expect("call").await, json!(changed), "carol's own call is not told of");
    house.happen(Live::Gone(id(2)));
    house.happen(Live::Gone(id(1)));
    assert_eq!(events.expect("gone").await, json!({ "id": id(1) }));
}

#[tokio::test]
async fn the_stream_ends_with_the_session() {
    let house = House::new().await;
    let (bob, other, carol) =
        (house.log_in("bob").await, house.log_in("bob").await, house.log_in("carol").await);
    let (mut here, mut there, mut hers) = (bob.events().await, other.events().await, carol.events().await);
    for stream in [&mut here, &mut there, &mut hers] {
        stream.expect("snapshot").await;
    }
    bob.ours("DELETE", "/session", None).await;
    assert_eq!(here.expect("logged-out").await, json!({}));
    assert_eq!(here.event().await, None);
    let third = house.log_in("bob").await;
    let change = json!({ "old": PASSWORD, "new": "123456789" });
    assert_eq!(third.ours("PUT", "/session/password", Some(change)).await.status, 204);
    there.expect("logged-out").await;
    house.happen(Live::Gone(id(1)));
    house.happen(Live::Call(call_view(3, &["carol"])));
    hers.expect("call").await;
}

#[tokio::test]
async fn who_missed_changes_begins_anew() {
    let house = House::new().await;
    let boss = house.log_in("boss").await;
    let mut events = boss.events().await;
    events.expect("snapshot").await;
    house.heard().calls = vec![call_view(9, &["carol"])];
    // More at once than the fake server keeps; nobody reads between them.
    for n in 0..40 {
        house.happen(Live::Gone(id(n)));
    }
    let snapshot = events.expect("snapshot").await;
    assert_eq!(snapshot["calls"][0]["caller"], "••• 67");
}

#[tokio::test]
async fn a_session_has_so_many_streams_and_no_more() {
    let house = House::new().await;
    let bob = house.log_in("bob").await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(bob.events().await);
    }
    assert_eq!(bob.get("/events").await.problem(), (429, "too-many".into()));
    let other = house.log_in("bob").await;
    other.events().await.expect("snapshot").await;
}
