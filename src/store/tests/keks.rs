//! Key-encryption keys: nothing is ever sealed under one that nobody has, and what is destroyed stays so.

use std::sync::atomic::{AtomicBool, Ordering};

use super::life::house;
use super::*;

on_each_kind! {
    a_key_is_made_retires_and_is_retired_when_it_wraps_nothing,
    two_nodes_that_make_a_key_at_once_leave_one_current,
    wrapping_again_never_brings_a_destroyed_key_back,
    nothing_is_armed_under_a_key_that_is_retired_meanwhile,
}

const NEW: &str = "ffeeddccbbaa9988";

fn retire(id: &str) -> Vec<Change> {
    vec![Change::Kek(KekChange::Retired { id: id.into(), at: at(9), by: Actor::User("ada".into()) })]
}

fn rewrap(n: u128, from: &str, to: &str, key: &[u8]) -> Vec<Change> {
    let (from_kek, kek, wrapped_key) = (Some(from.into()), to.into(), key.to_vec());
    step(RecordingChange::Rewrapped { id: recording(n), from_kek, kek, wrapped_key })
}

async fn states(store: &Store) -> Vec<(String, KekState)> {
    store.keks().await.expect("reads").into_iter().map(|row| (row.id, row.state)).collect()
}

async fn a_key_is_made_retires_and_is_retired_when_it_wraps_nothing(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    place.facts(vec![arrived(call(0), 0)]).await;
    let unknown = store.commit(vec![armed(0, b"key")]).await.expect_err("no key yet");
    assert!(unknown.to_string().contains("is unknown: it cannot be used for a recording"), "{unknown}");
    let wrapped = Some(b"as KMS gave it".to_vec());
    let (provider, by) = (KekProvider::Kms, Actor::System);
    let first = KekChange::Made { id: KEK.into(), provider, wrapped: wrapped.clone(), at: at(0), by };
    store.commit(vec![Change::Kek(first)]).await.expect("made");
    let row = store.keks().await.expect("reads").remove(0);
    assert_eq!((row.provider, row.wrapped.map(|key| key.0)), (KekProvider::Kms, wrapped));
    store.commit(vec![armed(0, b"key"), armed(1, b"key")]).await.expect("arms");
    let in_use = store.commit(retire(KEK)).await;
    assert!(in_use.expect_err("current").to_string().contains("is current"));

    let rows = place.audit_rows().await;
    store.commit(vec![kek_made(NEW)]).await.expect("made");
    store.commit(vec![kek_made(NEW)]).await.expect("said again");
    store.commit(vec![kek_made(KEK)]).await.expect("known");
    assert_eq!(place.audit_rows().await, rows + 1);
    let both = [(KEK.to_owned(), KekState::Retiring), (NEW.to_owned(), KekState::Current)];
    assert_eq!(states(store).await, both);
    store.commit(vec![armed(2, b"key")]).await.expect("another node has not noticed yet");
    let in_use = store.commit(retire(KEK)).await.expect_err("three recordings");
    assert!(in_use.to_string().contains("is in use"), "{in_use}");
    assert_eq!(states(store).await, both, "all of it or nothing");

    let rows = place.audit_rows().await;
    assert_eq!(store.count_wrapped_by(Some(KEK)).await.expect("counts"), 3);
    let mut after = None;
    loop {
        let page = store.recordings_wrapped_by(Some(KEK), after, 2).await.expect("reads");
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for row in page {
            let n = [0, 1, 2].into_iter().find(|n| recording(*n) == row.id).expect("one of them");
            store.commit(rewrap(n, KEK, NEW, b"again")).await.expect("wraps again");
        }
    }
    let again = store.commit(rewrap(0, KEK, NEW, b"twice")).await;
    assert!(matches!(again, Err(StoreError::State { what: "recording", .. })), "{again:?}");
    assert_eq!(place.audit_rows().await, rows, "not one by one");
    let row = store.recording(recording(0)).await.expect("reads").expect("a row");
    assert_eq!((row.kek.as_deref(), row.wrapped_key.map(|key| key.0)), (Some(NEW), Some(b"again".to_vec())));

    // A row of an older Sayso may need any key there is.
    let mut raw = place.raw().await;
    let older = AssertSqlSafe(format!("UPDATE recordings SET kek = NULL WHERE id = '{}'", recording(2)));
    raw.execute(older).await.expect("pretends");
    let perhaps = store.commit(retire(KEK)).await.expect_err("who knows");
    assert!(perhaps.to_string().contains("names none"), "{perhaps}");
    let (id, kek) = (recording(2), NEW.to_owned());
    let named = RecordingChange::Rewrapped { id, from_kek: None, kek, wrapped_key: b"named".to_vec() };
    store.commit(step(named)).await.expect("wraps again");

    store.commit(retire(KEK)).await.expect("nothing needs it");
    let rows = place.audit_rows().await;
    store.commit(retire(KEK)).await.expect("said again");
    assert_eq!(place.audit_rows().await, rows);
    let row = store.keks().await.expect("reads").remove(0);
    assert_eq!((row.state, row.wrapped, row.retired_at), (KekState::Retired, None, Some(at(9))));
    for change in [vec![armed(3, b"key")], rewrap(0, NEW, KEK, b"back"), vec![kek_made(KEK)]] {
        let refused = store.commit(change).await;
        assert!(
            matches!(&refused, Err(StoreError::State { state, .. }) if state == "retired"),
            "{refused:?}"
        );
    }
    let actions = AuditFilter { class: Some(crate::audit::Class::Config), ..AuditFilter::default() };
    let actions = store.audit(&actions).await.expect("reads");
    let actions: Vec<&str> = actions.iter().map(|row| &*row.action).collect();
    assert_eq!(actions, ["kek.retired", "kek.made", "kek.made"]);
}

async fn two_nodes_that_make_a_key_at_once_leave_one_current(kind: Kind) {
    let place = Place::new(kind).await;
    let stores = [place.store.clone(), place.again().await];
    for round in 0..20 {
        let makers: Vec<_> = stores
            .iter()
            .enumerate()
            .map(|(n, store)| {
                let store = store.clone();
                tokio::spawn(
                    async move { store.commit(vec![kek_made(&format!("{round:08}0000000{n}"))]).await },
                )
            })
            .collect();
        let mut made = 0;
        for maker in makers {
            match maker.await.expect("runs") {
                Ok(()) => made += 1,
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert!(made >= 1);
        let current = states(&place.store).await.into_iter().filter(|(_, state)| *state == KekState::Current);
        assert_eq!(current.count(), 1);
    }
}

async fn wrapping_again_never_brings_a_destroyed_key_back(kind: Kind) {
    let place = house(kind).await;
    let store = &place.store;
    store.commit(vec![kek_made(NEW), armed(0, b"key")]).await.expect("arms");
    store.commit(step(destroyed(0, 7))).await.expect("destroys");
    let late = store.commit(rewrap(0, KEK, NEW, b"back")).await;
    assert!(matches!(late, Err(StoreError::State { ref state, .. }) if state == "destroyed"), "{late:?}");

    // And from two sides at once, in whatever order.
    let other = place.again().await;
    for n in 1..40 {
        store.commit(vec![armed(n, b"key")]).await.expect("arms");
        let (one, two) = (store.clone(), other.clone());
        let wrapping = tokio::spawn(async move { one.commit(rewrap(n, KEK, NEW, b"back")).await });
        let destroying = tokio::spawn(async move { two.commit(step(destroyed(n, 7))).await });
        let wrapped = wrapping.await.expect("runs");
        assert!(matches!(wrapped, Ok(()) | Err(StoreError::State { .. })), "{wrapped:?}");
        destroying.await.expect("runs").expect("destroys, before or after");
        let row = store.recording(recording(n)).await.expect("reads").expect("a row");
        assert_eq!((row.state.as_str(), row.wrapped_key, row.kek), ("destroyed", None, None));
    }
}

async fn nothing_is_armed_under_a_key_that_is_retired_meanwhile(kind: Kind) {
    let place = house(kind).await;
    let other = place.again().await;
    place.store.commit(vec![kek_made(NEW)]).await.expect("made");
    static STOP: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];
    let stop = match kind {
        Kind::Sqlite => &STOP[0],
        Kind::Postgres => &STOP[1],
    };
    // A node that has not noticed goes on arming under the old key until it is refused.
    let store = other.clone();
    let arming = tokio::spawn(async move {
        let mut armed_ones = 0;
        loop {
            match store.commit(vec![armed(armed_ones, b"key")]).await {
                Ok(()) => armed_ones += 1,
                Err(StoreError::State { state, .. }) if state == "retired" => return armed_ones,
                Err(error) => panic!("{error}"),
            }
            assert!(!stop.load(Ordering::SeqCst), "armed after the key was retired");
        }
    });
    let mut refused = 0;
    loop {
        for row in place.store.recordings_wrapped_by(Some(KEK), None, 100).await.expect("reads") {
            let (from_kek, kek, wrapped_key) = (Some(KEK.into()), NEW.into(), b"again".to_vec());
            let change = RecordingChange::Rewrapped { id: row.id, from_kek, kek, wrapped_key };
            place.store.commit(step(change)).await.expect("wraps again");
        }
        match place.store.commit(retire(KEK)).await {
            Ok(()) => break,
            Err(StoreError::State { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    let count = place.store.count_wrapped_by(Some(KEK)).await.expect("counts");
    let armed_ones = arming.await.expect("is refused at last");
    stop.store(true, Ordering::SeqCst);
    println!("{armed_ones} armed meanwhile; refused {refused} times");
    assert_eq!(count, 0);
    assert_eq!(place.store.count_wrapped_by(Some(KEK)).await.expect("counts"), 0);
}

/// What was wrapped before, what is destroyed, and what KMS wrapped of a key: none of it lies in SQLite's files.
#[tokio::test]
async fn no_old_wrapping_is_in_any_file() {
    let place = Place::new(Kind::Sqlite).await;
    let secret = |n: u8| -> Vec<u8> { (0..69_u8).map(|at| at.wrapping_mul(29) ^ n).collect() };
    let found = |key: &[u8]| {
        let files = std::fs::read_dir(place.dir.path()).expect("a folder");
        files.flatten().any(|file| {
            let bytes = std::fs::read(file.path()).expect("readable");
            bytes.windows(key.len()).any(|window| window == key)
        })
    };
    let (kms, first, second) = (secret(1), secret(2), secret(3));
    let (provider, by) = (KekProvider::Kms, Actor::System);
    let made = KekChange::Made { id: KEK.into(), provider, wrapped: Some(kms.clone()), at: at(0), by };
    place
        .store
        .commit(vec![arrived(call(0), 0).into(), Change::Kek(made), kek_made(NEW), armed(0, &first)])
        .await
        .expect("arms");
    // What an earlier run left is cleared at the start: files are not looked at while it is.
    place.store.shred().await.expect("clears the write-ahead log");
    assert!(found(&kms) && found(&first), "the test sees what is there");
    place.store.commit(rewrap(0, KEK, NEW, &second)).await.expect("wraps again");
    place.store.shred().await.expect("clears the write-ahead log");
    assert!(!found(&first) && found(&second) && found(&kms));
    place.store.commit(retire(KEK)).await.expect("retires");
    place.store.shred().await.expect("clears it");
    assert!(!found(&kms) && found(&second));
    place.store.commit(step(destroyed(0, 7))).await.expect("destroys");
    place.store.shred().await.expect("clears it");
    assert!(!found(&second));
}
