//! The life of a recording with its jobs: each step leaves the next, in whatever order steps are tried, and through a
//! kill at any moment.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::*;
use crate::audit::Sealed;

on_each_kind! {
    each_step_leaves_the_job_that_takes_the_next,
    opus_is_encoded_before_it_is_uploaded,
    storing_the_same_object_again_changes_nothing,
    a_destroyed_recording_ends_in_a_certificate_that_stays,
    a_withdrawal_is_one_with_the_destruction_and_may_be_said_again,
    steps_in_any_order_keep_row_key_and_jobs_together,
    a_kill_at_any_moment_leaves_what_the_next_start_goes_on_from,
}

pub(super) fn object(n: u128) -> StoredObject {
    StoredObject {
        place: "s3://audio/".into(),
        name: format!("recordings/2026/11/18/{}.rec", recording(n)),
        version: Some("v1".into()),
        bytes: 64_100,
        checksum: "ef".repeat(32),
        encryption: "sealed".into(),
    }
}

pub(super) fn started(n: u128) -> RecordingChange {
    RecordingChange::Started { id: recording(n), at: at(3) }
}

pub(super) fn finished(n: u128) -> RecordingChange {
    RecordingChange::Finished { id: recording(n), at: at(4), file: file() }
}

fn salvaged(n: u128) -> RecordingChange {
    RecordingChange::Salvaged { id: recording(n), at: at(4), file: file(), why: "the power failed".into() }
}

fn encoded(n: u128) -> RecordingChange {
    let file = RecordedFile { bytes: 9_000, sha256: "98".repeat(32), ..file() };
    RecordingChange::Encoded { id: recording(n), at: at(5), file }
}

pub(super) fn stored(n: u128) -> RecordingChange {
    RecordingChange::Stored { id: recording(n), at: at(6), object: object(n) }
}

pub(super) fn discarded(n: u128) -> RecordingChange {
    RecordingChange::Discarded { id: recording(n), at: at(4) }
}

fn failed(n: u128) -> RecordingChange {
    RecordingChange::Failed { id: recording(n), at: at(4), why: "the disk is full".into() }
}

pub(super) fn removed(n: u128) -> RecordingChange {
    RecordingChange::Removed { id: recording(n), at: at(8), certificate: certificate(n) }
}

fn certificate(n: u128) -> String {
    format!("{{\"certificate\":{{\"recording\":\"{}\"}}}}", recording(n))
}

/// A place with a call and a key-encryption key.
pub(super) async fn house(kind: Kind) -> Place {
    let place = Place::new(kind).await;
    place.store.commit(vec![arrived(call(0), 0).into(), kek_made(KEK)]).await.expect("begins");
    place
}

pub(super) async fn done(store: &Store, steps: impl IntoIterator<Item = RecordingChange>) {
    for change in steps {
        let text = format!("{change:?}");
        store.commit(step(change)).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

pub(super) async fn row(store: &Store, n: u128) -> RecordingRow {
    store.recording(recording(n)).await.expect("reads").expect("a row")
}

/// The open jobs of a recording: kind, spool, due.
async fn jobs(store: &Store, n: u128) -> Vec<(JobKind, Option<String>, Timestamp)> {
    let filter = JobFilter { subject: Some(recording(n).to_string()), ..JobFilter::default() };
    let page = store.jobs(&filter).await.expect("reads");
    page.items.into_iter().map(|job| (job.kind, job.spool, job.due)).collect()
}

async fn each_step_leaves_the_job_that_takes_the_next(kind: Kind) {
    let place = house(kind).await;
    let store = &place.store;
    store.commit(vec![armed_as(0, b"key", "ulaw")]).await.expect("arms");
    done(store, [started(0)]).await;
    assert_eq!(jobs(store, 0).await, []);
    done(store, [finished(0)]).await;
    assert_eq!(jobs(store, 0).await, [(JobKind::Upload, Some(SPOOL.into()), at(4))]);
    done(store, [stored(0)]).await;
    let stored = row(store, 0).await;
    assert_eq!((stored.state.as_str(), stored.stored_at), ("stored", Some(at(6))));
    assert_eq!((stored.object, stored.format.as_str()), (Some(object(0)), "ulaw"));
    assert_eq!((stored.spool.as_deref(), stored.kek.as_deref()), (Some(SPOOL), Some(KEK)));

    // Salvaged of whatever a crash can leave.
    let before: [&[RecordingChange]; 4] =
        [&[], &[started(2)], &[started(3), failed(3)], &[started(4), finished(4)]];
    for (n, before) in (1..).zip(before) {
        store.commit(vec![armed(n, b"key")]).await.expect("arms");
        done(store, before.iter().cloned().chain([salvaged(n)])).await;
        assert_eq!(jobs(store, n).await, [(JobKind::Upload, Some(SPOOL.into()), at(4))]);
        assert!(row(store, n).await.salvaged);
    }
    let actions = store.audit(&AuditFilter { limit: 2, ..AuditFilter::default() }).await.expect("reads");
    assert_eq!(&*actions[0].action, "recording.salvaged");
    let object_row = AuditFilter { action: Some("recording.stored".into()), ..AuditFilter::default() };
    let object_row = store.audit(&object_row).await.expect("reads").pop().expect("a row");
    let text = object_row.new.as_ref().and_then(Sealed::text).expect("plain").to_owned();
    assert!(text.contains(&object(0).name) && text.contains("version v1"), "{text}");
}

async fn opus_is_encoded_before_it_is_uploaded(kind: Kind) {
    let place = house(kind).await;
    let store = &place.store;
    store.commit(vec![armed_as(0, b"key", "opus")]).await.expect("arms");
    done(store, [started(0), finished(0)]).await;
    assert_eq!(jobs(store, 0).await, [(JobKind::Encode, Some(SPOOL.into()), at(4))]);
    let id = store.jobs(&JobFilter::default()).await.expect("reads").items[0].id;
    let lease = JobChange::Leased { id, by: "runner".into(), until: at(60), at: at(4) };
    store.commit(vec![Change::Job(lease)]).await.expect("leases");
    let end = JobChange::Done { id, by: "runner".into() };
    store.commit(vec![Change::Recording(encoded(0)), Change::Job(end)]).await.expect("encodes");
    assert_eq!(jobs(store, 0).await, [(JobKind::Upload, Some(SPOOL.into()), at(5))]);
    let row = row(store, 0).await;
    assert_eq!((row.state.as_str(), row.bytes, row.encoded_at), ("finished", Some(9_000), Some(at(5))));
    assert!(
        store.audit_position(&recording(0).to_string(), "recording.encoded").await.expect("reads").is_some()
    );
    // Its disk was lost, and the file made anew of what was copied before.
    done(store, [salvaged(0)]).await;
    assert!(jobs(store, 0).await.contains(&(JobKind::Encode, Some(SPOOL.into()), at(4))));
    let row = self::row(store, 0).await;
    assert_eq!((row.bytes, row.encoded_at), (Some(64_100), None));
}

async fn storing_the_same_object_again_changes_nothing(kind: Kind) {
    let place = house(kind).await;
    let store = &place.store;
    store.commit(vec![armed(0, b"key")]).await.expect("arms");
    let early = store.commit(step(stored(0))).await;
    assert!(matches!(early, Err(StoreError::State { wanted: "stored", .. })), "{early:?}");
    done(store, [started(0), finished(0), stored(0)]).await;
    let (before, rows) = (row(store, 0).await, place.audit_rows().await);
    let later = RecordingChange::Stored { id: recording(0), at: at(9), object: object(0) };
    done(store, [later]).await;
    assert_eq!((row(store, 0).await, place.audit_rows().await), (before, rows));
    let other = RecordingChange::Stored { id: recording(0), at: at(9), object: object(1) };
    let other = store.commit(step(other)).await;
    assert!(matches!(other, Err(StoreError::State { .. })), "{other:?}");
    done(store, [destroyed(0, 7)]).await;
    let late = store.commit(step(stored(0))).await;
    assert!(matches!(late, Err(StoreError::State { .. })), "{late:?}");
}

async fn a_destroyed_recording_ends_in_a_certificate_that_stays(kind: Kind) {
    let place = house(kind).await;
    let store = &place.store;
    store.commit(vec![armed(0, b"key")]).await.expect("arms");
    done(store, [started(0), finished(0)]).await;
    let by = Actor::User("ada".into());
    let (rule, why) = ("operator".into(), "Ms Miller asked for it".into());
    done(store, [RecordingChange::Destroyed { id: recording(0), at: at(7), rule, why, by: by.clone() }])
        .await;
    let gone = row(store, 0).await;
    assert_eq!((gone.state.as_str(), gone.wrapped_key, gone.kek), ("destroyed", None, None));
    assert_eq!((gone.rule.as_deref(), gone.destroyed_by.as_deref()), (Some("operator"), Some("user ada")));
    assert_eq!(jobs(store, 0).await, [(JobKind::Destroy, Some(SPOOL.into()), at(7))], "and no upload");
    let filter = AuditFilter { limit: 1, ..AuditFilter::default() };
    let told = store.audit(&filter).await.expect("reads").pop().expect("a row");
    assert_eq!((&*told.action, told.who), ("recording.destroyed", by));
    assert!(matches!(told.new, Some(Sealed::Personal { .. })), "a person's words can be erased");
    let object = recording(0).to_string();
    let position = store.audit_position(&object, "recording.destroyed").await.expect("reads").expect("there");
    assert_eq!((position.seq, position.hash), (told.seq, told.hash));
    assert_eq!(store.audit_position(&object, "recording.removed").await.expect("reads"), None);

    done(store, [removed(0)]).await;
    assert_eq!(store.certificate(recording(0)).await.expect("reads"), Some(certificate(0)));
    assert_eq!(row(store, 0).await.removed_at, Some(at(8)));
    let told = store.audit(&filter).await.expect("reads").pop().expect("a row");
    let listed = store.certificates(None, 10).await.expect("reads").items;
    let text = told.new.as_ref().and_then(Sealed::text).expect("plain").to_owned();
    assert_eq!(text, format!("certificate sha256 {}", listed[0].sha256));
    let sha = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate(0).as_bytes());
    assert_eq!(listed[0].sha256, hex::encode(sha));
    for again in [removed(0), destroyed(0, 9), stored(0), salvaged(0)] {
        let refused = store.commit(step(again)).await;
        assert!(matches!(refused, Err(StoreError::State { .. })), "{refused:?}");
    }

    let mut raw = place.raw().await;
    let replace = "INSERT OR REPLACE INTO certificates SELECT * FROM certificates";
    let (last, says) = match kind {
        Kind::Sqlite => (replace, "not replaced"),
        Kind::Postgres => ("TRUNCATE certificates", "not deleted"),
    };
    for (statement, says) in [
        ("UPDATE certificates SET text = 'x'", "not changed"),
        ("DELETE FROM certificates", "not deleted"),
        (last, says),
    ] {
        let error = raw.execute(statement).await.expect_err(statement).to_string();
        assert!(error.contains(says), "{statement}: {error}");
    }
    assert_eq!(store.certificate(recording(0)).await.expect("reads"), Some(certificate(0)));
}

async fn a_withdrawal_is_one_with_the_destruction_and_may_be_said_again(kind: Kind) {
    let place = house(kind).await;
    let store = &place.store;
    store.commit(vec![armed(0, b"key"), armed(1, b"key")]).await.expect("arms");
    done(store, [started(0), finished(0), started(1)]).await;
    let fact = || {
        let (from, queue) = (Some(caller()), "support".into());
        Change::Fact(Fact::ConsentWithdrawn { call: call(0), from, queue, entered_by: None, at: at(7) })
    };
    let destroyed = |n| {
        let (rule, why) = (WITHDRAWAL.to_owned(), "consent withdrawn in the call".to_owned());
        Change::Recording(RecordingChange::Destroyed {
            id: recording(n),
            at: at(7),
            rule,
            why,
            by: Actor::Caller,
        })
    };
    // One of them has no row: neither fact nor destruction.
    let refused = store.commit(vec![fact(), destroyed(0), destroyed(9)]).await;
    assert!(matches!(refused, Err(StoreError::Missing { .. })), "{refused:?}");
    let withdrawn = async || {
        let consents = store.consents(&Filter::default()).await.expect("reads");
        consents.iter().filter(|row| row.answer == "withdrawn").count()
    };
    assert_eq!((withdrawn().await, row(store, 0).await.state.as_str()), (0, "finished"));
    store.commit(vec![fact(), destroyed(0), destroyed(1)]).await.expect("both");
    assert_eq!(withdrawn().await, 1);
    let told = place.audit_rows().await;
    // Nobody knew whether it was stored; one is removed meanwhile.
    done(store, [removed(1)]).await;
    store.commit(vec![destroyed(0), destroyed(1)]).await.expect("no effect");
    assert_eq!(
        (row(store, 0).await.state, row(store, 1).await.state),
        ("destroyed".into(), "removed".into())
    );
    assert_eq!(place.audit_rows().await, told + 1, "that it is removed, and nothing more");
    assert_consistent(store).await;
}

/// What holds of every recording between any two changes.
async fn assert_consistent(store: &Store) {
    let all = Filter { limit: u32::MAX, ..Filter::default() };
    let everything = JobFilter { limit: u32::MAX, ..JobFilter::default() };
    let mut open: BTreeMap<String, Vec<JobKind>> = BTreeMap::new();
    for job in store.jobs(&everything).await.expect("reads").items {
        open.entry(job.subject).or_default().push(job.kind);
    }
    for row in store.recordings(&all).await.expect("reads") {
        let (id, state) = (row.id.to_string(), row.state.as_str());
        let gone = matches!(state, "discarded" | "destroyed" | "removed");
        assert_eq!((row.wrapped_key.is_none(), row.kek.is_none()), (gone, gone), "{id} is {state}");
        assert_eq!(row.object.is_some(), row.stored_at.is_some(), "{id} is {state}");
        assert_eq!(state == "removed", store.certificate(row.id).await.expect("reads").is_some(), "{id}");
        let action = format!("recording.{state}");
        let position = match state {
            "recording" => store.audit_position(&id, "recording.started").await,
            // Salvaged or finished.
            "finished" => store.audit_position(&id, "recording.armed").await,
            _ => store.audit_position(&id, &action).await,
        };
        assert!(position.expect("reads").is_some(), "{id} is {state}: the log says so");
        let kinds = open.get(&id).cloned().unwrap_or_default();
        match state {
            "finished" => assert!(
                matches!(kinds.as_slice(), [JobKind::Encode | JobKind::Upload, ..]),
                "{id} is {state}: {kinds:?}"
            ),
            "destroyed" => assert!(kinds.contains(&JobKind::Destroy), "{id} is {state}: {kinds:?}"),
            "removed" => assert!(!kinds.contains(&JobKind::Upload), "{id} is {state}: {kinds:?}"),
            _ => assert!(!kinds.contains(&JobKind::Destroy), "{id} is {state}: {kinds:?}"),
        }
    }
}

/// A step that may be taken from these states, and where it leads.
type Step = (fn(u128) -> RecordingChange, &'static [&'static str], &'static str);

const STEPS: [Step; 9] = [
    (started, &["armed"], "recording"),
    (finished, &["armed", "recording"], "finished"),
    (salvaged, &["armed", "recording", "failed", "finished"], "finished"),
    (encoded, &["finished"], "finished"),
    (stored, &["finished", "stored"], "stored"),
    (discarded, &["armed"], "discarded"),
    (failed, &["armed", "recording"], "failed"),
    (|n| destroyed(n, 7), &["armed", "recording", "finished", "stored", "failed"], "destroyed"),
    (removed, &["destroyed"], "removed"),
];

async fn steps_in_any_order_keep_row_key_and_jobs_together(kind: Kind) {
    let place = house(kind).await;
    let mut seed = 7_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).expect("31 bits") % below
    };
    let formats = ["pcm16", "opus"];
    let mut model: Vec<&str> = Vec::new();
    for n in 0..12 {
        place.store.commit(vec![armed_as(n, b"key", formats[random(2)])]).await.expect("arms");
        model.push("armed");
    }
    for round in 0..240 {
        let (n, (change, from, to)) = (random(model.len()), STEPS[random(STEPS.len())]);
        let result = place.store.commit(step(change(n as u128))).await;
        if from.contains(&model[n]) {
            assert!(result.is_ok(), "round {round}: {} -> {to}: {result:?}", model[n]);
            model[n] = to;
        } else {
            assert!(matches!(result, Err(StoreError::State { .. })), "{} -> {to}: {result:?}", model[n]);
        }
        assert_eq!(row(&place.store, n as u128).await.state, model[n], "round {round}");
        if round % 24 == 0 {
            assert_consistent(&place.again().await).await;
        }
    }
    assert_consistent(&place.store).await;
    place.audit_rows().await;
}

/// One whole life, as runners lead it.
async fn live(store: &Store, n: u128) {
    store.commit(vec![armed_as(n, b"key", "opus")]).await.expect("arms");
    done(store, [started(n), finished(n)]).await;
    for (kind, change) in
        [(JobKind::Encode, encoded(n)), (JobKind::Upload, stored(n)), (JobKind::Destroy, removed(n))]
    {
        if kind == JobKind::Destroy {
            done(store, [destroyed(n, 7)]).await;
        }
        let due = store.jobs_due(at(100), SPOOL, &[kind], 100).await.expect("reads");
        let id = due.iter().find(|job| job.subject == recording(n).to_string()).expect("due").id;
        let by = || "runner".to_owned();
        let lease = JobChange::Leased { id, by: by(), until: at(200), at: at(100) };
        store.commit(vec![Change::Job(lease)]).await.expect("leases");
        let end = JobChange::Done { id, by: by() };
        store.commit(vec![Change::Recording(change), Change::Job(end)]).await.expect("ends");
    }
}

#[test]
#[ignore = "the child of the next test: records until it is killed"]
fn killed_recorder() {
    let Ok(url) = std::env::var("SAYSO_TEST_STORE") else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = open(&url).await;
        let lives = (0..4_u128).map(|lane| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0.. {
                    live(&store, lane * 1_000 + n).await;
                    println!("lived {lane} {n}");
                }
            })
        });
        for lane in lives.collect::<Vec<_>>() {
            lane.await.expect("runs");
        }
    });
}

async fn a_kill_at_any_moment_leaves_what_the_next_start_goes_on_from(kind: Kind) {
    for kill_after in [1, 2, 5, 9] {
        let place = house(kind).await;
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "store::tests::life::killed_recorder", "--ignored", "--nocapture"])
            .env("SAYSO_TEST_STORE", &place.url)
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let lived = lines.filter(|line| line.starts_with("lived")).take(kill_after).count();
        child.kill().expect("killed");
        child.wait().expect("gone");
        assert_eq!(lived, kill_after, "the child lived until it was killed");
        assert_consistent(&place.store).await;
        let removed = Filter { state: Some("removed".into()), ..Filter::default() };
        let removed = place.store.recordings(&removed).await.expect("reads").len();
        assert!(removed >= kill_after, "what was told is there: {removed}");
        place.audit_rows().await;
        // The next start goes on: what a dead runner held is free when its lease is over.
        let kinds = JobKind::ALL;
        let due = place.store.jobs_due(at(300), SPOOL, kinds, 100).await.expect("reads");
        let all = place.store.jobs(&JobFilter { limit: 1_000, ..JobFilter::default() }).await.expect("reads");
        let of_living = all.items.iter().filter(|job| due.iter().any(|due| due.id == job.id)).count();
        assert_eq!(of_living, due.len());
        for job in &all.items {
            let state = place.store.recording(job.subject.parse().expect("an id")).await.expect("reads");
            let over = matches!(state.expect("a row").state.as_str(), "destroyed" | "removed");
            let is_due = due.iter().any(|due| due.id == job.id);
            assert_eq!(is_due, !over || job.kind == JobKind::Destroy, "{job:?}");
        }
    }
}
