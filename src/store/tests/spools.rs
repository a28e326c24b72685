//! A lost spool's work becomes another's.

use super::life::{self, house};
use super::*;

on_each_kind! {
    a_lost_spool_is_listed_and_adopted,
    a_spool_that_is_at_work_or_ones_own_is_not_adopted,
    adoption_and_the_end_of_calls_are_one_unit,
}

const HEIR: &str = "01JD00000000000000000000BB";

fn adopt(from: &str, to: &str, second: i64) -> Change {
    let (from, to, by) = (from.to_owned(), to.to_owned(), Actor::User("ada".into()));
    Change::Adopt(Adoption { from, to, at: at(second), by })
}

async fn steps(store: &Store, steps: impl IntoIterator<Item = RecordingChange>) {
    for change in steps {
        store.commit(step(change)).await.expect("steps");
    }
}

fn started(n: u128) -> RecordingChange {
    RecordingChange::Started { id: recording(n), at: at(3) }
}

fn finished(n: u128) -> RecordingChange {
    RecordingChange::Finished { id: recording(n), at: at(4), file: file() }
}

/// The open jobs: kind, recording, spool.
async fn jobs(store: &Store) -> Vec<(JobKind, String, Option<String>)> {
    let filter = JobFilter { limit: 100, ..JobFilter::default() };
    let rows = store.jobs(&filter).await.expect("reads").items;
    let mut jobs: Vec<_> = rows.into_iter().map(|job| (job.kind, job.subject, job.spool)).collect();
    jobs.sort_by_key(|job| (job.1.clone(), job.0.word()));
    jobs
}

/// Recordings in every state: armed, recording, failed, finished, stored, destroyed, discarded; and an open call.
async fn lost(kind: Kind) -> Place {
    let place = house(kind).await;
    let store = &place.store;
    store.of_node(SPOOL);
    store.commit(vec![arrived(call(1), 1).into()]).await.expect("arrives");
    store.commit((0..7).map(|n| armed(n, b"key")).collect()).await.expect("arms");
    let failed = RecordingChange::Failed { id: recording(2), at: at(5), why: "the disk is full".into() };
    steps(store, [started(1), started(2), failed]).await;
    steps(store, [3, 4, 5].map(started)).await;
    steps(store, [3, 4, 5].map(finished)).await;
    let stored = RecordingChange::Stored { id: recording(4), at: at(6), object: life::object(4) };
    steps(store, [stored, destroyed(5, 6)]).await;
    steps(store, [RecordingChange::Discarded { id: recording(6), at: at(4) }]).await;
    // As the runner ends it when all of the upload is done.
    for job in store.jobs(&JobFilter::default()).await.expect("reads").items {
        if job.subject == recording(4).to_string() {
            let (id, by) = (job.id, "runner".to_owned());
            let lease = JobChange::Leased { id, by: by.clone(), until: at(60), at: at(6) };
            store.commit(vec![Change::Job(lease)]).await.expect("leases");
            store.commit(vec![Change::Job(JobChange::Done { id, by })]).await.expect("ends");
        }
    }
    place
}

async fn a_lost_spool_is_listed_and_adopted(kind: Kind) {
    let place = lost(kind).await;
    let store = &place.store;
    let row = |id: &str, recordings, jobs, oldest| SpoolRow {
        id: id.into(),
        recordings,
        jobs,
        calls: 1,
        oldest: at(oldest),
    };
    assert_eq!(store.spools().await.expect("reads"), [row(SPOOL, 4, 2, 1)]);
    let rows = place.audit_rows().await;
    store.commit(vec![adopt(SPOOL, HEIR, 9)]).await.expect("adopts");
    assert_eq!(place.audit_rows().await, rows + 1);
    assert_eq!(store.spools().await.expect("reads"), [row(HEIR, 4, 5, 1)], "and three rescues");
    let spools: Vec<_> = store
        .recordings_between(recording(0), recording(9), None, 10)
        .await
        .expect("reads")
        .into_iter()
        .map(|row| row.spool.expect("named"))
        .collect();
    // What is stored or discarded needs no spool and stays as it was.
    assert_eq!(spools, [HEIR, HEIR, HEIR, HEIR, SPOOL, HEIR, SPOOL]);
    let job = |kind, n| (kind, recording(n).to_string(), Some(HEIR.to_owned()));
    let (rescue, upload, destroy) = (JobKind::Rescue, JobKind::Upload, JobKind::Destroy);
    assert_eq!(
        jobs(store).await,
        [job(rescue, 0), job(rescue, 1), job(rescue, 2), job(upload, 3), job(destroy, 5)]
    );
    let ids = |rows: Vec<RecordingRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(
        ids(store.recordings_unfinished(HEIR).await.expect("reads")),
        [recording(0), recording(1)],
        "salvaged at the next start"
    );
    let calls = store.calls_unfinished(HEIR).await.expect("reads");
    assert_eq!(calls.last().map(|row| row.id), Some(call(1)));
    let filter = AuditFilter { object: Some(SPOOL.into()), ..AuditFilter::default() };
    let told = store.audit(&filter).await.expect("reads").remove(0);
    let text = format!("{told:?}");
    assert!(text.contains("spool.adopted") && text.contains(HEIR) && text.contains("5 recordings"), "{text}");

    let again = store.commit(vec![adopt(SPOOL, HEIR, 10)]).await;
    assert!(matches!(again, Err(StoreError::Missing { what: "spool", .. })), "{again:?}");
    assert_eq!(place.audit_rows().await, rows + 1);
}

async fn a_spool_that_is_at_work_or_ones_own_is_not_adopted(kind: Kind) {
    let place = lost(kind).await;
    let store = &place.store;
    let before = (store.spools().await.expect("reads"), jobs(store).await);
    let refused =
        |result: &Result<(), StoreError>| matches!(result, Err(StoreError::State { what: "spool", .. }));
    let own = store.commit(vec![adopt(SPOOL, SPOOL, 9)]).await;
    assert!(refused(&own), "{own:?}");
    let upload = store.jobs(&JobFilter { kind: Some(JobKind::Upload), ..JobFilter::default() }).await;
    let id = upload.expect("reads").items.remove(0).id;
    let lease = JobChange::Leased { id, by: SPOOL.into(), until: at(69), at: at(9) };
    store.commit(vec![Change::Job(lease)]).await.expect("leases");
    let at_work = store.commit(vec![adopt(SPOOL, HEIR, 68)]).await;
    assert!(refused(&at_work), "{at_work:?}");
    assert_eq!((store.spools().await.expect("reads"), jobs(store).await), before, "nothing moved");
    store.commit(vec![adopt(SPOOL, HEIR, 69)]).await.expect("the lease is over");
}

async fn adoption_and_the_end_of_calls_are_one_unit(kind: Kind) {
    let place = lost(kind).await;
    let store = &place.store;
    assert_eq!(store.calls_left_by(SPOOL).await.expect("reads"), [call(1)], "not the one without a node");
    let end = |call| Change::Fact(Fact::Ended { call, at: at(9), cause: Cause::Internal });
    let failed = store.commit(vec![adopt(SPOOL, HEIR, 9), end(call(77))]).await;
    assert!(failed.is_err(), "there is no such call");
    assert_eq!(store.spools().await.expect("reads")[0].id, SPOOL);
    store.commit(vec![adopt(SPOOL, HEIR, 9), end(call(1))]).await.expect("adopts");
    assert_eq!(store.calls_left_by(HEIR).await.expect("reads"), []);
    assert_eq!(store.spools().await.expect("reads")[0].calls, 0);
}
