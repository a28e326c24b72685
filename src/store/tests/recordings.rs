//! Recordings as they are listed: of a node, in pages, of an older Sayso.

use sqlx::Row as _;
use sqlx::migrate::Migrator;

use super::life::{discarded, done, finished, house, removed, row, started, stored};
use super::*;

on_each_kind! {
    each_node_ends_its_own_calls_and_salvages_its_own_spool,
    long_lists_of_recordings_come_in_pages,
    what_was_stored_beside_a_recording,
    recordings_of_an_older_sayso_wait_for_upload_or_for_proof,
}

async fn each_node_ends_its_own_calls_and_salvages_its_own_spool(kind: Kind) {
    let place = house(kind).await;
    let (a, b) = (place.again().await, place.again().await);
    a.of_node("spool-a");
    b.of_node("spool-b");
    b.of_node("spool-c"); // no effect
    a.commit(vec![arrived(call(1), 1).into()]).await.expect("arrives");
    b.commit(vec![arrived(call(2), 2).into()]).await.expect("arrives");
    b.clone().commit(vec![arrived(call(3), 3).into()]).await.expect("arrives");
    let unfinished = |spool| {
        let store = place.store.clone();
        async move {
            let calls = store.calls_unfinished(spool).await.expect("reads");
            calls.into_iter().map(|row| row.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(unfinished("spool-a").await, [call(0), call(1)], "and the one that names no node");
    assert_eq!(unfinished("spool-b").await, [call(0), call(2), call(3)]);
    b.commit(vec![Fact::Ended { call: call(2), at: at(9), cause: Cause::Internal }.into()])
        .await
        .expect("ends");
    assert_eq!(unfinished("spool-b").await, [call(0), call(3)]);

    let in_spool = |n: u128, spool: &str| {
        Change::Recording(RecordingChange::Armed {
            id: recording(n),
            call: call(0),
            basis: Basis::Agreed(at(1)),
            wrapped_key: vec![1],
            kek: KEK.into(),
            spool: spool.into(),
            format: "pcm16".into(),
            at: at(2),
        })
    };
    a.commit(vec![in_spool(0, "spool-a"), in_spool(1, "spool-b"), in_spool(2, "spool-b")])
        .await
        .expect("arms");
    let ids = |rows: Vec<RecordingRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(a.recordings_unfinished("spool-a").await.expect("reads")), [recording(0)]);
    done(&b, [started(1), finished(1)]).await;
    assert_eq!(ids(b.recordings_unfinished("spool-b").await.expect("reads")), [recording(2)]);
    let spooled = b.recordings_spooled("spool-b", None, 1).await.expect("reads");
    assert_eq!(ids(spooled), [recording(1)]);
    let spooled = b.recordings_spooled("spool-b", Some(recording(1)), 9).await.expect("reads");
    assert_eq!(ids(spooled), [recording(2)]);
    done(&b, [stored(1)]).await;
    assert_eq!(ids(b.recordings_spooled("spool-b", None, 9).await.expect("reads")), [recording(2)]);
    let due = a.jobs_due(at(9), "spool-a", JobKind::ALL, 9).await.expect("reads");
    assert_eq!(due, [], "another's spool");
}

async fn long_lists_of_recordings_come_in_pages(kind: Kind) {
    let place = house(kind).await;
    let store = &place.store;
    for n in 0..7 {
        store.commit(vec![arrived(call(n + 1), 5).into(), armed(n, b"key")]).await.expect("arms");
    }
    done(store, [discarded(2), discarded(4), discarded(5)]).await;
    let ids = |rows: &[RecordingRow]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    let filter = Filter { limit: 3, ..Filter::default() };
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.recordings_page(&filter, after).await.expect("reads");
        assert!(page.items.len() <= 3);
        seen.extend(ids(&page.items));
        let Some(next) = page.next else { break };
        after = Some(next.to_string().parse().expect("a cursor"));
    }
    assert_eq!(seen, (0..7).rev().map(recording).collect::<Vec<_>>(), "of one moment, and each once");
    let discarded = Filter { state: Some("discarded".into()), limit: 2, ..Filter::default() };
    let page = store.recordings_page(&discarded, None).await.expect("reads");
    assert_eq!(ids(&page.items), [recording(5), recording(4)]);
    let page = store.recordings_page(&discarded, page.next).await.expect("reads");
    assert_eq!((ids(&page.items), page.next), (vec![recording(2)], None));
    let of_call = Filter { call: Some(call(1)), queue: Some("support".into()), ..Filter::default() };
    assert!(store.recordings(&of_call).await.expect("reads").is_empty());
    let all = Filter {
        call: Some(call(0)),
        queue: Some("support".into()),
        since: Some(at(2)),
        ..Filter::default()
    };
    assert_eq!(store.recordings(&all).await.expect("reads").len(), 7);
    let unfinished = Filter { unfinished: true, ..Filter::default() };
    assert_eq!(store.recordings(&unfinished).await.expect("reads").len(), 4);

    let between = |after, limit| store.recordings_between(recording(1), recording(5), after, limit);
    assert_eq!(ids(&between(None, 2).await.expect("reads")), [recording(1), recording(2)]);
    assert_eq!(ids(&between(Some(recording(2)), 9).await.expect("reads")), [recording(3), recording(4)]);
    assert_eq!(ids(&between(Some(recording(0)), 1).await.expect("reads")), [recording(1)]);
    assert!(between(Some(recording(4)), 9).await.expect("reads").is_empty());
    let calls = store.calls_between(call(2), call(6), Some(call(3)), 9).await.expect("reads");
    assert_eq!(calls.iter().map(|row| row.id).collect::<Vec<_>>(), [call(4), call(5)]);

    done(store, [0, 1, 3].map(|n| destroyed(n, 7))).await;
    done(store, [0, 1, 3].map(removed)).await;
    let page = store.certificates(None, 2).await.expect("reads");
    assert_eq!(page.items.iter().map(|row| row.recording).collect::<Vec<_>>(), [recording(3), recording(1)]);
    let page = store.certificates(page.next, 2).await.expect("reads");
    assert_eq!(page.items.iter().map(|row| row.recording).collect::<Vec<_>>(), [recording(0)]);
    assert_eq!(page.next, None);
}

async fn what_was_stored_beside_a_recording(kind: Kind) {
    let place = house(kind).await;
    let store = &place.store;
    let beside = async |n, place: &str, each| {
        let names = store.stored_beside(recording(n), place, each).await.expect("reads");
        let of = |name: String| (0..9).find(|n| name == super::life::object(*n).name).expect("ours");
        names.into_iter().map(of).collect::<Vec<u128>>()
    };
    for n in 0..7 {
        store.commit(vec![armed(n, b"key")]).await.expect("arms");
        done(store, [started(n), finished(n)]).await;
    }
    let there = "s3://audio/";
    assert_eq!(beside(3, there, 9).await, [0_u128; 0], "nothing is stored");
    done(store, [0, 1, 2, 3, 5, 6].map(stored)).await;
    assert_eq!(beside(3, there, 2).await, [2, 1, 5, 6], "the nearest, and not itself");
    assert_eq!(beside(3, "s3://other/", 9).await, [0_u128; 0]);
    done(store, [2, 5].map(|n| destroyed(n, 7))).await;
    assert_eq!(beside(3, there, 1).await, [1, 6], "what is being removed may be gone");
    done(store, [0, 1, 3, 6].map(|n| destroyed(n, 7))).await;
    assert_eq!(beside(3, there, 1).await, [2, 5], "unless there is nothing else");
    done(store, [0, 1, 2, 5, 6].map(removed)).await;
    assert_eq!(beside(3, there, 9).await, [0_u128; 0]);
}

async fn recordings_of_an_older_sayso_wait_for_upload_or_for_proof(kind: Kind) {
    let (url, _dir) = nowhere(kind);
    sqlx::any::install_default_drivers();
    let location = Location::of(&url).expect("right");
    location.prepare().expect("a file");
    let mut raw = AnyConnection::connect(&location.url.0).await.expect("connects");
    location.dialect.set_up(&mut raw).await.expect("sets up");
    let migrator = location.dialect.migrator();
    let older = migrator.iter().filter(|migration| migration.version < 4).cloned().collect();
    Migrator::with_migrations(older).run(&mut raw).await.expect("the tables of before");
    let insert = format!(
        "INSERT INTO calls (id, arrived_at, dialled, first_queue, queue, language) \
         VALUES ('{}', 1, '+49', 'q', 'q', 'de')",
        call(0)
    );
    raw.execute(AssertSqlSafe(insert)).await.expect("a call");
    for (n, state) in ["armed", "recording", "stored", "destroyed", "failed", "discarded"].iter().enumerate()
    {
        let key = if ["destroyed", "discarded"].contains(state) { "NULL" } else { "zeroblob(61)" };
        let insert = format!(
            "INSERT INTO recordings (id, call, state, basis, armed_at, wrapped_key) \
             VALUES ('{}', '{}', '{state}', 'agreed', {n}, {key})",
            recording(n as u128),
            call(0)
        );
        let insert = match kind {
            Kind::Sqlite => insert,
            Kind::Postgres => insert.replace("zeroblob(61)", "decode(repeat('00', 61), 'hex')"),
        };
        raw.execute(AssertSqlSafe(insert)).await.expect("a recording");
    }
    let store = open(&url).await;
    let rows = raw.fetch_all("SELECT state FROM recordings ORDER BY id").await.expect("reads");
    let states: Vec<String> = rows.iter().map(|row| row.get("state")).collect();
    assert_eq!(states, ["armed", "recording", "finished", "destroyed", "failed", "discarded"]);
    let kept = row(&store, 2).await;
    assert_eq!((kept.format.as_str(), kept.spool, kept.kek), ("pcm16", None, None));
    let due = store.jobs_due(at(0), "any spool", JobKind::ALL, 9).await.expect("reads");
    let due: Vec<_> = due.into_iter().map(|job| (job.kind, job.subject)).collect();
    let expected = [(JobKind::Upload, recording(2)), (JobKind::Destroy, recording(3))];
    assert_eq!(due, expected.map(|(kind, id)| (kind, id.to_string())));
    assert_eq!(store.recordings_unfinished("any spool").await.expect("reads").len(), 2);
    assert_eq!(store.count_wrapped_by(None).await.expect("counts"), 4);
}
