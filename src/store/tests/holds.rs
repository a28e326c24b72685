//! Legal holds: made, listed, released, over by themselves; and what they keep.

use super::retention::{ada, anonymise, by_rule, hold, hold_id, recorded, refused, release, state_of, told};
use super::*;
use crate::retention::{Hold, HoldOn};

on_each_kind! {
    holds_are_made_listed_released_and_audited,
    what_is_not_there_or_gone_is_not_held,
    nothing_held_is_destroyed_or_anonymised,
    a_hold_tells_until_when_and_that_it_is_over,
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

/// The plain new values of the rows about this, the oldest first.
async fn values(store: &Store, object: impl ToString) -> Vec<Option<String>> {
    let filter = AuditFilter { object: Some(object.to_string()), ..AuditFilter::default() };
    let rows = store.audit(&filter).await.expect("reads");
    let plain = |row: &crate::audit::Row| match &row.new {
        Some(crate::audit::Sealed::Plain(text)) => Some(text.clone()),
        Some(crate::audit::Sealed::Personal { .. }) | None => None,
    };
    rows.iter().rev().map(plain).collect()
}

async fn a_hold_tells_until_when_and_that_it_is_over(kind: Kind) {
    let place = recorded(kind).await;
    let store = &place.store;
    let all = [
        HoldOn::Recording(recording(0)),
        HoldOn::Number(Redacted(caller().as_e164().to_owned())),
        HoldOn::Queue { queue: "support".into(), since: at(0), until: at(5) },
    ];
    for (n, on) in (0u128..).zip(all) {
        let (id, reason) = (hold_id(n), Redacted("Ms Miller sues".to_owned()));
        let hold = HoldChange::Created { id, on, reason, by: ada(), at: at(50), ends: Some(at(70)) };
        store.commit(vec![Change::Hold(hold)]).await.expect("holds");
    }
    store.commit(vec![hold(3, HoldOn::Call(call(0)))]).await.expect("holds");
    let until = format!("until {}", at(70));
    let first = values(store, hold_id(0)).await;
    assert_eq!(first, [Some(format!("recording {}, {until}", recording(0)))]);
    assert_eq!(values(store, hold_id(1)).await, [None, Some(at(70).to_string())], "the reason is personal");
    let of_queue = values(store, "support").await;
    assert!(of_queue[0].as_ref().is_some_and(|value| value.ends_with(&until)), "{of_queue:?}");

    assert_eq!(store.holds_run_out(at(69)).await.expect("reads"), []);
    let ended = |n, second| Change::Hold(HoldChange::Ended { id: hold_id(n), at: at(second) });
    assert_eq!(state_of(&refused(store, ended(0, 69)).await), "holding", "not yet");
    let over = store.holds_run_out(at(70)).await.expect("reads");
    assert_eq!(over, [hold_id(0), hold_id(1), hold_id(2)]);
    for n in 0..3 {
        store.commit(vec![ended(n, 75)]).await.expect("ends");
        assert_eq!(state_of(&refused(store, ended(n, 75)).await), "over", "it is told once");
        assert_eq!(state_of(&refused(store, release(n)).await), "over");
    }
    assert_eq!(state_of(&refused(store, ended(3, 75)).await), "holding", "that one is for good");
    let row = store.hold(hold_id(0)).await.expect("reads").expect("a hold");
    let released = row.released.expect("over");
    assert_eq!((released.at, released.by.as_str()), (at(70), "system"));
    assert_eq!(told(store, hold_id(0)).await, ["modify hold.created", "modify hold.ended"]);
    assert_eq!(told(store, recording(0)).await.last().map(String::as_str), Some("modify recording.released"));
    assert_eq!(told(store, "support").await, ["modify queue.held", "modify queue.released"]);
    let told = told(store, hold_id(1)).await;
    assert_eq!(told, ["modify hold.created", "modify hold.created", "modify hold.ended"]);
}
