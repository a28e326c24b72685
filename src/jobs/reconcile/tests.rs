//! Reconciliation of a real database, a folder of objects and a spool: clean worlds, broken ones, runs that are cut
//! off, orphans, the schedule.

use std::collections::BTreeMap;
use std::fs;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::sync::Notify;

use super::ask::{enqueue_scheduled, settle_alarms};
use super::*;
use crate::audit::Actor;
use crate::call::{Cause, Fact, Whom};
use crate::consent::{Answer, Basis, LegalBasis};
use crate::ids::{LegId, ReconciliationId, Redacted};
use crate::jobs::{AlarmKind, Alarms};
use crate::settings::Language;
use crate::store::{
    AuditFilter, JobChange, KekChange, KekProvider, RecordedFile, RecordingChange, StoredObject,
};
use crate::vault::objects::{About, ObjectClass, ObjectsConfig};

const KEK: &str = "00112233445566aa";
const SPOOL: &str = "01JD00000000000000000000AA";

/// The ids of what is put in: milliseconds since 1970, of so many days ago.
fn ulid(days_ago: u64, n: u64) -> Ulid {
    let today = Day::of(Clock::start().now()).first_id().timestamp_ms();
    Ulid::from_parts(today - days_ago * 86_400_000 + n * 1_000, u128::from(n))
}

fn text(n: u64) -> String {
    format!("what was said in {n}")
}

fn sha256(content: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Place {
    dir: TempDir,
    compared: Compared,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let store = Store::open(dir.path().join("a.db").to_str().unwrap(), clock).await.unwrap();
        let (provider, at, by) = (KekProvider::File, clock.now(), Actor::System);
        let kek = KekChange::Made { id: KEK.to_owned(), provider, wrapped: None, at, by };
        store.commit(vec![Change::Kek(kek)]).await.unwrap();
        let objects = ObjectsConfig::Folder { dir: dir.path().join("objects") };
        let objects = Objects::open(&objects).await.unwrap();
        let spool = SpoolPlace { id: SPOOL.to_owned(), dir: dir.path().join("spool") };
        fs::create_dir(&spool.dir).unwrap();
        let rules = Rules::new(Duration::from_secs(900));
        Self { dir, compared: Compared { store, objects, spool, clock, rules } }
    }

    async fn commit(&self, changes: Vec<Change>) {
        self.compared.store.commit(changes).await.unwrap();
    }

    /// A call that has ended.
    async fn call(&self, id: CallId, basis: Basis, connected: bool) {
        let at = self.compared.clock.now();
        let leg = LegId { call: id, n: 1 };
        let arrived = Fact::Arrived {
            call: id,
            at,
            from: None,
            dialled: "100".to_owned(),
            trunk: Some("carrier".into()),
            queue: "support".into(),
            language: Language("en".to_owned()),
        };
        let mut facts = vec![arrived, Fact::Decided { call: id, at, basis }];
        if connected {
            facts.push(Fact::Dialled { leg, to: Whom::Agent("ada".into()), at });
            facts.push(Fact::Connected { leg, at });
        }
        facts.push(Fact::Ended { call: id, at, cause: Cause::HungUp });
        self.commit(facts.into_iter().map(Change::Fact).collect()).await;
    }

    async fn step(&self, change: RecordingChange) {
        self.commit(vec![Change::Recording(change)]).await;
    }

    /// A call and its recording, whole in the spool; its upload waits.
    async fn finished(&self, days_ago: u64, n: u64) -> RecordingId {
        let (call, id) = (CallId::new(ulid(days_ago, n)), RecordingId::new(ulid(days_ago, n)));
        let law = || Basis::Legal(LegalBasis::Contract("of sale".to_owned()));
        self.call(call, law(), true).await;
        let at = self.compared.clock.now();
        self.step(RecordingChange::Armed {
            id,
            call,
            basis: law(),
            wrapped_key: vec![1],
            kek: KEK.to_owned(),
            spool: SPOOL.to_owned(),
            format: "pcm16".to_owned(),
            at,
        })
        .await;
        self.step(RecordingChange::Started { id, at }).await;
        fs::write(self.spooled(id), text(n)).unwrap();
        let bytes = text(n).len() as u64;
        let file =
            RecordedFile { samples: 8_000, bytes, sha256: sha256(&text(n)), gaps: vec![], unlisted: 0 };
        self.step(RecordingChange::Finished { id, at, file }).await;
        id
    }

    fn spooled(&self, id: RecordingId) -> PathBuf {
        self.compared.spool.dir.join(format!("{id}.rec"))
    }

    /// One that is stored, as its job leaves it.
    async fn stored(&self, days_ago: u64, n: u64) -> String {
        let id = self.finished(days_ago, n).await;
        let name = format!("{}{id}.rec", folder_of(Day::of(id)));
        let checksum = self.put(&name, &text(n)).await;
        let bytes = text(n).len() as u64;
        let encryption = "sealed".to_owned();
        let object = StoredObject {
            place: String::new(),
            name: name.clone(),
            version: None,
            bytes,
            checksum,
            encryption,
        };
        self.step(RecordingChange::Stored { id, at: self.compared.clock.now(), object }).await;
        fs::remove_file(self.spooled(id)).unwrap();
        self.end_jobs().await;
        name
    }

    async fn put(&self, name: &str, content: &str) -> String {
        let about = About {
            recording: RecordingId::new(Ulid(1)),
            sha256: None,
            content_type: "application/octet-stream",
            class: ObjectClass::Recording,
        };
        let content = Bytes::from(content.to_owned());
        self.compared.objects.put(name, &content, &about).await.unwrap().checksum
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join("objects").join(name)
    }

    async fn jobs(&self) -> Vec<JobRow> {
        self.compared.store.jobs(&JobFilter::default()).await.unwrap().items
    }

    async fn end_jobs(&self) {
        for job in self.jobs().await {
            let (id, by, at) = (job.id, "test".to_owned(), self.compared.clock.now());
            let until = at + Duration::from_secs(60);
            let lease = JobChange::Leased { id, by: by.clone(), until, at };
            self.commit(vec![Change::Job(lease), Change::Job(JobChange::Done { id, by })]).await;
        }
    }

    /// Asks for one and does it; its counts and findings.
    async fn reconcile(&self) -> (ReconciliationId, Counts, BTreeMap<(String, String), String>) {
        let (store, now) = (&self.compared.store, self.compared.clock.now());
        let subject = ask(store, Actor::User("ada".to_owned()), Scope::Sample, now).await.unwrap();
        let counts = reconcile(&self.compared, &subject.to_string(), &|_| {}).await.unwrap();
        let row = store.reconciliation(subject.id).await.unwrap().unwrap();
        assert_eq!(row.state, ReconciliationState::Ended);
        assert_eq!(Counts::from_json(row.counts.unwrap()), counts, "what is stored is what was counted");
        let found = self.findings(subject.id).await;
        assert_eq!(counts.all_findings(), found.len() as u64);
        (subject.id, counts, found)
    }

    async fn findings(&self, id: ReconciliationId) -> BTreeMap<(String, String), String> {
        let page = self.compared.store.findings(id, None, None, 1_000).await.unwrap();
        page.items
            .into_iter()
            .map(|row| ((row.finding.kind, row.finding.subject), row.finding.detail))
            .collect()
    }
}

fn kinds(found: &BTreeMap<(String, String), String>) -> Vec<(&str, &str)> {
    found.keys().map(|(kind, subject)| (kind.as_str(), subject.as_str())).collect()
}

#[tokio::test]
async fn a_world_in_order_says_so() {
    let place = Place::new().await;
    place.stored(40, 1).await;
    place.stored(40, 2).await;
    place.stored(0, 3).await;
    place.finished(0, 4).await;
    place.call(CallId::new(ulid(3, 5)), Basis::Never, true).await;
    place.call(CallId::new(ulid(3, 6)), Basis::Refused(Answer::Silence), true).await;
    place.call(CallId::new(ulid(3, 7)), Basis::Legal(LegalBasis::Contract(String::new())), false).await;
    let (id, counts, found) = place.reconcile().await;
    assert_eq!(found, BTreeMap::new());
    assert_eq!((counts.calls, counts.recorded, counts.not_recorded, counts.failed), (7, 4, 3, 0));
    let lawful: Vec<_> = counts.lawful.iter().map(|(why, many)| (why.as_str(), *many)).collect();
    assert_eq!(lawful, [("never", 1), ("never-connected", 1), ("silent", 1)]);
    assert_eq!((counts.recordings, counts.objects, counts.verified), (4, 3, 3));
    let ended = AuditFilter { action: Some("reconciliation.ended".to_owned()), ..AuditFilter::default() };
    let rows = place.compared.store.audit(&ended).await.unwrap();
    assert_eq!(rows.len(), 1, "the end is audited, with the counts");
    assert!(format!("{:?}", rows[0]).contains(&id.to_string()), "{:?}", rows[0]);
    assert_eq!(place.jobs().await.len(), 2, "the upload and this one wait for who holds them");
}

#[tokio::test]
async fn what_is_broken_by_hand_is_found_and_nothing_else() {
    let place = Place::new().await;
    let (gone, flipped, cut) = (place.stored(9, 1).await, place.stored(9, 2).await, place.stored(8, 3).await);
    place.stored(8, 4).await;
    fs::remove_file(place.file(&gone)).unwrap();
    fs::write(place.file(&flipped), text(2).replace("said", "sung")).unwrap();
    fs::write(place.file(&cut), "what").unwrap();
    let orphan = format!("{}{}.rec", folder_of(Day::of(ulid(7, 0))), ulid(7, 9));
    place.put(&orphan, "nobody's").await;
    place.put("recordings/readme.txt", "hello").await;
    let lost = place.finished(0, 5).await;
    fs::remove_file(place.spooled(lost)).unwrap();
    fs::write(place.compared.spool.dir.join("strange.txt"), "?").unwrap();
    let failed = CallId::new(ulid(2, 6));
    place.call(failed, Basis::Legal(LegalBasis::Contract(String::new())), true).await;
    let (failed, lost) = (failed.to_string(), lost.to_string());
    let (_, counts, found) = place.reconcile().await;
    let expected = [
        ("call-failed", failed.as_str()),
        ("lost", &gone),
        ("orphan", &orphan),
        ("orphan", "recordings/readme.txt"),
        ("spool-lost", &lost),
        ("spool-orphan", "strange.txt"),
        ("wrong-content", &flipped),
        ("wrong-size", &cut),
    ];
    assert_eq!(kinds(&found), expected);
    assert_eq!((counts.failed, counts.failed_lately, counts.losses), (1, 1, 4));
    // A failed call cannot be mended: the next report names it, but it is no news.
    place.end_jobs().await;
    fs::remove_file(place.compared.spool.dir.join("strange.txt")).unwrap();
    let (_, again, found) = place.reconcile().await;
    assert_eq!(found.len(), 7 + 1 - 1, "the upload's job is gone now, its file was before: {found:?}");
    assert_eq!((again.failed, again.failed_lately), (1, 0));
}

#[tokio::test]
async fn what_can_mend_itself_is_made_a_job_again() {
    let place = Place::new().await;
    let waits = place.finished(0, 1).await;
    let name = place.stored(1, 2).await;
    let back: RecordingId = ulid(1, 2).to_string().parse().unwrap();
    let (at, by) = (place.compared.clock.now(), Actor::System);
    let (rule, why) = ("operator".to_owned(), "test".to_owned());
    place.step(RecordingChange::Destroyed { id: back, at, rule, why, by }).await;
    place.end_jobs().await;
    let (_, counts, found) = place.reconcile().await;
    assert_eq!(kinds(&found), [("no-job", waits.to_string().as_str()), ("not-gone", &back.to_string())]);
    assert_eq!(counts.healed, 2);
    assert!(place.file(&name).exists(), "it is the job that removes it");
    let jobs: Vec<_> = place.jobs().await.into_iter().map(|job| (job.kind, job.subject)).collect();
    assert!(jobs.contains(&(JobKind::Upload, waits.to_string())), "{jobs:?}");
    assert!(jobs.contains(&(JobKind::Destroy, back.to_string())), "{jobs:?}");
    for detail in found.values() {
        assert!(detail.contains("is made again"), "{detail}");
    }
    // They are on their way: nothing to find.
    let running = place.jobs().await.into_iter().find(|job| job.kind == JobKind::Reconcile).unwrap();
    let lease = |until| JobChange::Leased { id: running.id, by: "test".to_owned(), until, at };
    let done = JobChange::Done { id: running.id, by: "test".to_owned() };
    place.commit(vec![Change::Job(lease(at + Duration::from_secs(60))), Change::Job(done)]).await;
    assert_eq!(place.reconcile().await.2, BTreeMap::new());
}

#[tokio::test]
async fn a_run_that_was_cut_off_goes_on_and_counts_nothing_twice() {
    let whole = Place::new().await;
    let cut = Place::new().await;
    for place in [&whole, &cut] {
        for n in 0..6 {
            let name = place.stored(10 - n, n).await;
            if n.is_multiple_of(2) {
                fs::remove_file(place.file(&name)).unwrap();
            }
        }
        place.put("recordings/0", "before all").await;
    }
    let (_, expected, found) = whole.reconcile().await;
    assert_eq!(found.len(), 4);
    let (store, now) = (&cut.compared.store, cut.compared.clock.now());
    let subject = ask(store, Actor::System, Scope::Sample, now).await.unwrap();
    // Dropped after so many signs of life, again and again, as a process that dies.
    let mut deaths = 0;
    let counts = loop {
        let (dead, left) = (Notify::new(), std::sync::atomic::AtomicU32::new(4));
        let tell = |_: Progress| {
            if left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) == 1 {
                dead.notify_one();
            }
        };
        let subject = subject.to_string();
        tokio::select! {
            biased;
            () = dead.notified() => deaths += 1,
            done = reconcile(&cut.compared, &subject, &tell) => break done.unwrap(),
        }
        assert!(deaths < 50, "it never comes to its end");
    };
    assert!(deaths >= 2, "it was cut off: {deaths}");
    assert_eq!(counts, expected);
    assert_eq!(kinds(&cut.findings(subject.id).await), kinds(&found));
    // Done once more by a job that outlived it: no other report, no other row.
    assert_eq!(reconcile(&cut.compared, &subject.to_string(), &|_| {}).await.unwrap(), expected);
}

#[tokio::test]
async fn an_orphan_goes_by_word_only() {
    let place = Place::new().await;
    let (store, objects) = (&place.compared.store, &place.compared.objects);
    let own = place.stored(2, 1).await;
    let orphan = format!("{}{}.rec", folder_of(Day::of(ulid(2, 0))), ulid(2, 9));
    place.put(&orphan, "nobody's").await;
    let alarms = Alarms::new(store.clone(), place.compared.clock);
    let (report, _, found) = place.reconcile().await;
    assert_eq!(kinds(&found), [("orphan", orphan.as_str())]);
    settle_alarms(store, &alarms).await.unwrap();
    assert_eq!(alarms.list().iter().map(|alarm| alarm.kind).collect::<Vec<_>>(), [AlarmKind::Reconciliation]);
    let remove = |name: &str, reason: &str| {
        let (name, reason) = (name.to_owned(), Redacted(reason.to_owned()));
        async move {
            let by = Actor::User("ada".to_owned());
            remove_orphan((store, objects, place.compared.clock), (report, &name), by, &reason).await
        }
    };
    assert!(matches!(remove(&orphan, "  ").await, Err(OrphanError::NoReason)));
    assert!(matches!(remove(&own, "tidy").await, Err(OrphanError::NotInReport { .. })));
    assert!(matches!(remove("recordings/", "all of it").await, Err(OrphanError::NotInReport { .. })));
    assert!(place.file(&orphan).exists() && place.file(&own).exists());
    assert_eq!(remove(&orphan, "a test of Ada's").await.unwrap().names, std::slice::from_ref(&orphan));
    assert!(!place.file(&orphan).exists() && place.file(&own).exists());
    assert!(remove(&orphan, "a test of Ada's").await.is_ok(), "done again it does no harm");
    let audited = |action: &str| AuditFilter { action: Some(action.to_owned()), ..AuditFilter::default() };
    assert!(!store.audit(&audited("orphan.remove")).await.unwrap().is_empty());
    settle_alarms(store, &alarms).await.unwrap();
    assert_eq!(alarms.list(), []);
}

#[tokio::test]
async fn a_name_that_has_got_a_row_is_no_orphan_any_more() {
    let place = Place::new().await;
    let store = &place.compared.store;
    let id = RecordingId::new(ulid(0, 1));
    let name = format!("{}{id}.rec", folder_of(Day::of(id)));
    place.put(&name, &text(1)).await;
    let (report, _, found) = place.reconcile().await;
    assert_eq!(kinds(&found), [("orphan", name.as_str())]);
    // A database that was brought back from a backup, and now knows it.
    place.finished(0, 1).await;
    let things = (store, &place.compared.objects, place.compared.clock);
    let reason = Redacted("gone?".to_owned());
    let refused = remove_orphan(things, (report, &name), Actor::System, &reason).await;
    assert!(matches!(refused, Err(OrphanError::HasRow { .. })), "{refused:?}");
    assert!(place.file(&name).exists());
}

#[tokio::test]
async fn of_all_nodes_one_enqueues_what_is_due_and_only_once() {
    let place = Place::new().await;
    let store = &place.compared.store;
    let (day, now) = (Duration::from_secs(86_400), place.compared.clock.now());
    assert!(!enqueue_scheduled(store, day, now).await.unwrap(), "there is nothing to compare");
    place.stored(2, 1).await;
    assert!(!enqueue_scheduled(store, Duration::ZERO, now).await.unwrap(), "only when asked");
    assert!(enqueue_scheduled(store, day, now).await.unwrap());
    assert!(!enqueue_scheduled(store, day, now).await.unwrap(), "another node comes late");
    let jobs = place.jobs().await;
    assert_eq!(jobs.iter().map(|job| job.kind).collect::<Vec<_>>(), [JobKind::Reconcile]);
    let asked = ask(store, Actor::System, Scope::Everything, now).await.unwrap();
    assert_eq!(asked.to_string(), jobs[0].subject, "who asks is given the one that waits");
    reconcile(&place.compared, &jobs[0].subject, &|_| {}).await.unwrap();
    place.end_jobs().await;
    assert!(!enqueue_scheduled(store, day, now).await.unwrap(), "it was done");
    assert!(enqueue_scheduled(store, day, now + day).await.unwrap(), "the next day's");
}
