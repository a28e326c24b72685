//! Jobs: one runner holds a subject, whatever runners and operators do.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use super::life::house;
use super::*;

on_each_kind! {
    a_job_is_enqueued_once_leased_retried_hurried_and_done,
    due_jobs_come_in_order_for_their_spool_only,
    one_runner_holds_a_subject_however_many_try,
    jobs_of_one_subject_wait_for_each_other,
    destruction_waits_for_a_running_upload_which_cannot_go_on,
    figures_count_each_kind,
}

fn enqueue(kind: JobKind, subject: &str, spool: Option<&str>, due: i64) -> Change {
    let spool = spool.map(str::to_owned);
    Change::Job(JobChange::Enqueue { kind, subject: subject.into(), spool, due: at(due), at: at(0) })
}

fn lease(id: i64, by: &str, until: i64, second: i64) -> Vec<Change> {
    vec![Change::Job(JobChange::Leased { id, by: by.into(), until: at(until), at: at(second) })]
}

fn renew(id: i64, by: &str, until: Timestamp) -> Vec<Change> {
    let progress = Some(Progress { done: 3, total: 9 });
    vec![Change::Job(JobChange::Renewed { id, by: by.into(), until, progress })]
}

fn retry(id: i64, by: &str, due: i64) -> Vec<Change> {
    let error = "the object store is away".into();
    vec![Change::Job(JobChange::Retry { id, by: by.into(), due: at(due), error, at: at(5) })]
}

fn end(id: i64, by: &str) -> Vec<Change> {
    vec![Change::Job(JobChange::Done { id, by: by.into() })]
}

async fn all(store: &Store) -> Vec<JobRow> {
    store.jobs(&JobFilter { limit: 1_000, ..JobFilter::default() }).await.expect("reads").items
}

fn refused(result: &Result<(), StoreError>) -> bool {
    matches!(result, Err(StoreError::State { what: "job", .. }))
}

async fn a_job_is_enqueued_once_leased_retried_hurried_and_done(kind: Kind) {
    let place = house(kind).await;
    let store = &place.store;
    for due in [3, 9] {
        store.commit(vec![enqueue(JobKind::Reconcile, "all", None, due)]).await.expect("enqueues");
    }
    let job = all(store).await.pop().expect("one");
    assert_eq!((job.due, job.attempts, job.error.as_deref()), (at(3), 0, None), "the first stays");
    let id = job.id;
    for change in [renew(id, "a", at(9)), retry(id, "a", 9), end(id, "a")] {
        let result = store.commit(change).await;
        assert!(refused(&result), "nobody holds it: {result:?}");
    }
    store.commit(lease(id, "a", 60, 3)).await.expect("leases");
    store.commit(lease(id, "a", 60, 3)).await.expect("the same lease, as after a COMMIT in doubt");
    assert!(refused(&store.commit(lease(id, "a", 61, 4)).await), "not twice, not even by the same");
    assert!(refused(&store.commit(lease(id, "b", 90, 59)).await));
    store.commit(renew(id, "a", at(70))).await.expect("renews");
    let job = store.job(id).await.expect("reads").expect("there");
    assert_eq!((job.attempts, job.leased_until), (1, Some(at(70))));
    assert_eq!(job.progress, Some(Progress { done: 3, total: 9 }));
    store.commit(retry(id, "a", 80)).await.expect("fails");
    assert!(refused(&store.commit(renew(id, "a", at(90))).await), "given back");
    let failing = JobFilter { failing: true, kind: Some(JobKind::Reconcile), ..JobFilter::default() };
    let job = store.jobs(&failing).await.expect("reads").items.pop().expect("one");
    assert_eq!((job.due, job.leased_by, job.progress), (at(80), None, None));
    assert_eq!(job.error.as_deref(), Some("the object store is away"));

    let rows = place.audit_rows().await;
    let hurry = |id| vec![Change::Job(JobChange::Hurry { id, at: at(6), by: Actor::User("ada".into()) })];
    store.commit(hurry(id)).await.expect("hurries");
    assert_eq!(
        (store.job(id).await.expect("reads").expect("there").due, place.audit_rows().await),
        (at(6), rows + 1)
    );
    assert_eq!(
        store.told("job.hurried").await,
        [format!("modify user ada job {id}: nothing -> reconcile all")]
    );
    let unknown = store.commit(hurry(id + 1_000)).await;
    assert!(matches!(unknown, Err(StoreError::Missing { what: "job", .. })), "{unknown:?}");

    // Another takes over when the lease is over; the first has lost it.
    store.commit(lease(id, "a", 20, 6)).await.expect("leases");
    store.commit(lease(id, "b", 40, 20)).await.expect("over at 20");
    for change in [renew(id, "a", at(60)), retry(id, "a", 90), end(id, "a")] {
        let result = store.commit(change).await;
        assert!(refused(&result), "{result:?}");
    }
    store.commit(end(id, "b")).await.expect("done");
    store.commit(end(id, "b")).await.expect("gone already");
    assert_eq!(all(store).await, []);
    store.commit(vec![enqueue(JobKind::Reconcile, "all", None, 3)]).await.expect("enqueues");
    assert_ne!(all(store).await[0].id, id, "a number is never used again");
}

async fn due_jobs_come_in_order_for_their_spool_only(kind: Kind) {
    let place = house(kind).await;
    let store = &place.store;
    let jobs = [("a", Some(SPOOL), 5), ("b", None, 3), ("c", Some("another"), 1), ("d", Some(SPOOL), 4)];
    for (subject, spool, due) in jobs {
        store.commit(vec![enqueue(JobKind::Upload, subject, spool, due)]).await.expect("enqueues");
    }
    store.commit(vec![enqueue(JobKind::Reconcile, "e", None, 2)]).await.expect("enqueues");
    let due = |now, kinds: &'static [JobKind], limit| async move {
        let rows = store.jobs_due(at(now), SPOOL, kinds, limit).await.expect("reads");
        rows.into_iter().map(|row| row.subject).collect::<Vec<_>>()
    };
    assert_eq!(due(9, JobKind::ALL, 9).await, ["e", "b", "d", "a"]);
    assert_eq!(due(9, JobKind::ALL, 2).await, ["e", "b"]);
    assert_eq!(due(4, &[JobKind::Upload], 9).await, ["b", "d"]);
    assert_eq!(due(9, &[], 9).await, [""; 0]);
    let b = all(store).await[1].id;
    store.commit(lease(b, "a", 60, 9)).await.expect("leases");
    assert_eq!(due(59, JobKind::ALL, 9).await, ["e", "d", "a"]);
    assert_eq!(due(60, JobKind::ALL, 9).await, ["e", "b", "d", "a"], "a runner that died");
    let page = store.jobs(&JobFilter { limit: 3, ..JobFilter::default() }).await.expect("reads");
    let rest = JobFilter { limit: 3, after: page.next, ..JobFilter::default() };
    let rest = store.jobs(&rest).await.expect("reads");
    assert_eq!((page.items.len(), rest.items.len(), rest.next), (3, 2, None));
}

/// Sixteen runners on two nodes fight for three jobs of each of six subjects; every commit moves the time on. Leases
/// end by being done, given back, or in time.
async fn one_runner_holds_a_subject_however_many_try(kind: Kind) {
    let place = house(kind).await;
    let kinds = [JobKind::Rescue, JobKind::Upload, JobKind::Encode];
    for subject in 0..6 {
        let jobs = kinds.map(|kind| enqueue(kind, &format!("subject {subject}"), None, 0));
        place.store.commit(jobs.into()).await.expect("enqueues");
    }
    // What a runner holds: the subject, the runner, until when. Given up before the store is told.
    let held: &'static Mutex<BTreeMap<String, (String, Timestamp)>> = Box::leak(Box::default());
    let time: &'static AtomicI64 = Box::leak(Box::default());
    let other = place.again().await;
    let runners: Vec<_> = (0..16_usize)
        .map(|n| {
            let store = if n % 2 == 0 { place.store.clone() } else { other.clone() };
            tokio::spawn(async move {
                let (by, mut leased, mut lost) = (format!("runner {n}"), 0, 0);
                for round in 0..500 {
                    let now = at(time.fetch_add(1, Ordering::SeqCst));
                    let due = store.jobs_due(now, SPOOL, JobKind::ALL, 20).await.expect("reads");
                    let Some(job) = due.get((n + round) % due.len().max(1)) else {
                        if all(&store).await.is_empty() {
                            break;
                        }
                        continue;
                    };
                    let until = now + std::time::Duration::from_secs(40);
                    let lease = JobChange::Leased { id: job.id, by: by.clone(), until, at: now };
                    match store.commit(vec![Change::Job(lease)]).await {
                        Ok(()) => leased += 1,
                        Err(StoreError::State { .. } | StoreError::Missing { .. }) => {
                            lost += 1;
                            continue;
                        }
                        Err(error) => panic!("{error}"),
                    }
                    let before = held.lock().expect("whole").insert(job.subject.clone(), (by.clone(), until));
                    if let Some((holder, theirs)) = before {
                        assert!(theirs <= now, "{by} and {holder} hold {} at {now}", job.subject);
                    }
                    tokio::task::yield_now().await;
                    let give_up = || {
                        let mut held = held.lock().expect("whole");
                        if held.get(&job.subject).is_some_and(|(holder, _)| *holder == by) {
                            held.remove(&job.subject);
                        }
                    };
                    // A third each: done, given back, forgotten as by a crash.
                    let ends = match (n + round) % 3 {
                        0 => JobChange::Done { id: job.id, by: by.clone() },
                        1 => JobChange::Retry {
                            id: job.id,
                            by: by.clone(),
                            due: now,
                            error: "x".into(),
                            at: now,
                        },
                        _ => continue,
                    };
                    give_up();
                    match store.commit(vec![Change::Job(ends)]).await {
                        Ok(()) | Err(StoreError::State { .. } | StoreError::Missing { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                (leased, lost)
            })
        })
        .collect();
    let (mut leased, mut lost) = (0, 0);
    for runner in runners {
        let (mine, others) = runner.await.expect("no two at once");
        (leased, lost) = (leased + mine, lost + others);
    }
    println!("{leased} leases, {lost} lost to another");
    assert!(leased >= 18, "{leased}");
    assert_eq!(all(&place.store).await, [], "all is done at last");
}

async fn jobs_of_one_subject_wait_for_each_other(kind: Kind) {
    let place = house(kind).await;
    let store = &place.store;
    let jobs = [JobKind::Rescue, JobKind::Upload].map(|kind| enqueue(kind, "one", None, 0));
    store.commit(jobs.into()).await.expect("enqueues");
    let rows = all(store).await;
    let (rescue, upload) = (rows[0].id, rows[1].id);
    store.commit(lease(rescue, "a", 60, 1)).await.expect("leases");
    assert_eq!(store.jobs_due(at(9), SPOOL, JobKind::ALL, 9).await.expect("reads"), []);
    assert!(refused(&store.commit(lease(upload, "b", 60, 9)).await));
    store.commit(lease(upload, "b", 90, 60)).await.expect("the rescue's runner died");
    // The dead one was only slow: it may not go on beside the other. (Renewing goes by the store's clock.)
    let now = Clock::start().now() + std::time::Duration::from_secs(3_600);
    store.commit(renew(upload, "b", now)).await.expect("renews");
    assert!(refused(&store.commit(renew(rescue, "a", now)).await));
    store.commit(end(upload, "b")).await.expect("done");
    store.commit(renew(rescue, "a", now)).await.expect("nobody else is at it");
}

async fn destruction_waits_for_a_running_upload_which_cannot_go_on(kind: Kind) {
    let place = house(kind).await;
    let store = &place.store;
    store.commit(vec![armed(0, b"key")]).await.expect("arms");
    let id = recording(0);
    store.commit(step(RecordingChange::Started { id, at: at(3) })).await.expect("starts");
    let subject = id.to_string();
    store.commit(vec![enqueue(JobKind::Rescue, &subject, Some(SPOOL), 3)]).await.expect("enqueues");
    store.commit(step(RecordingChange::Finished { id, at: at(4), file: file() })).await.expect("finishes");
    let upload = all(store).await[1].id;
    store.commit(lease(upload, "a", 60, 5)).await.expect("leases");
    store.commit(step(destroyed(0, 7))).await.expect("destroys");
    let rows: Vec<_> = all(store).await.into_iter().map(|job| job.kind).collect();
    assert_eq!(rows, [JobKind::Upload, JobKind::Destroy], "what nobody holds is gone");
    let destroy = all(store).await[1].id;
    assert!(refused(&store.commit(renew(upload, "a", at(90))).await), "stop");
    assert!(refused(&store.commit(lease(destroy, "b", 90, 8)).await), "not beside the upload");
    let due = |now| async move {
        let rows = store.jobs_due(at(now), SPOOL, JobKind::ALL, 9).await.expect("reads");
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(due(59).await, [0; 0]);
    assert_eq!(due(60).await, [destroy], "the upload's runner died; nobody takes the upload up again");
    assert!(refused(&store.commit(lease(upload, "c", 90, 60)).await));
    store.commit(lease(destroy, "b", 90, 60)).await.expect("leases");
    let gone = RecordingChange::Removed { id, at: at(61), certificate: "{}".into() };
    let end = Change::Job(JobChange::Done { id: destroy, by: "b".into() });
    store.commit(vec![Change::Recording(gone), end]).await.expect("removed");
    assert_eq!(all(store).await, [], "with what the dead runner held");
}

async fn figures_count_each_kind(kind: Kind) {
    let place = house(kind).await;
    let store = &place.store;
    for n in 0..5 {
        store.commit(vec![enqueue(JobKind::Upload, &n.to_string(), None, n)]).await.expect("enqueues");
    }
    let ids: Vec<i64> = all(store).await.iter().map(|job| job.id).collect();
    for id in &ids[..2] {
        store.commit(lease(*id, "a", 60, 1)).await.expect("leases");
    }
    store.commit(retry(ids[0], "a", 100)).await.expect("fails");
    let figures = store.job_figures(at(9)).await.expect("reads");
    let none = |kind| JobFigures { kind, waiting: 0, running: 0, oldest: None, failing: 0 };
    let upload =
        JobFigures { kind: JobKind::Upload, waiting: 4, running: 1, oldest: Some(at(0)), failing: 1 };
    let expected = [
        none(JobKind::Rescue),
        none(JobKind::Encode),
        upload,
        none(JobKind::Destroy),
        none(JobKind::Reconcile),
        none(JobKind::Retention),
        none(JobKind::Privacy),
    ];
    assert_eq!(figures, expected);
    let later = store.job_figures(at(60)).await.expect("reads");
    assert_eq!((later[2].waiting, later[2].running), (5, 0), "its lease is over");
}
