//! A place with all that jobs need, and recordings in it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use super::super::context::Context;
use super::super::{Alarms, Deps, JobsConfig, SeparateStore, file, runner};
use crate::audit::Actor;
use crate::call::Fact;
use crate::consent::RecordingPermit;
use crate::ids::{CallId, RecordingId};
use crate::media::tap::{CHUNK, Chunk, ChunkSink as _, End};
use crate::settings::Language;
use crate::store::{
    Change, JobChange, JobFilter, JobKind, JobRow, KekChange, KekProvider, RecordingChange, RecordingRow,
    Store, StoreError,
};
use crate::time::Clock;
use crate::vault::objects::{Objects, ObjectsConfig};
use crate::vault::{Ending, Format, KeySource, Keyring, Signer, Spool, Vault, VaultConfig};

/// Longer than anything takes, on a busy machine too.
pub(in crate::jobs) const PATIENCE: Duration = Duration::from_secs(60);

pub(in crate::jobs) struct House {
    dir: TempDir,
    deps: Deps,
}

/// A runner at work.
pub(in crate::jobs) struct Run {
    pub(in crate::jobs) ctx: Arc<Context>,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl House {
    pub(in crate::jobs) async fn new(format: Format) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let store = Store::open(dir.path().join("a.db").to_str().unwrap(), clock).await.unwrap();
        let source = KeySource { file: dir.path().join("vault.key"), kms: None };
        let (keyring, new) = Keyring::open(source, &[], true).await.unwrap();
        let (id, provider, at) = (new.unwrap().id.to_string(), KekProvider::File, clock.now());
        let made = KekChange::Made { id, provider, wrapped: None, at, by: Actor::System };
        let place =
            SeparateStore { dir: dir.path().join("archive"), key_file: dir.path().join("archive.key") };
        place.make(&store).await.unwrap();
        let config = VaultConfig { dir: dir.path().join("vault"), format, reserve: 0 };
        let vault = Arc::new(Vault::open(config, keyring, clock).unwrap());
        store.of_node(vault.spool_id());
        let arrived = Fact::Arrived {
            call: CallId::new(Ulid(1)),
            at,
            from: None,
            dialled: "100".to_owned(),
            trunk: None,
            queue: "support".into(),
            language: Language("en".to_owned()),
        };
        store.commit(vec![Change::Kek(made), Change::Fact(arrived)]).await.unwrap();
        let objects = ObjectsConfig::Folder { dir: dir.path().join("objects") };
        let objects = Objects::open(&objects).await.unwrap();
        let signer = Arc::new(Signer::open(&dir.path().join("signing.key"), true).unwrap());
        let alarms = Alarms::new(store.clone(), clock);
        Self { dir, deps: Deps { store, vault, objects, signer, clock, alarms } }
    }

    pub(in crate::jobs) fn deps(&self) -> &Deps {
        &self.deps
    }

    pub(in crate::jobs) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where the folder keeps an object.
    pub(in crate::jobs) fn object(&self, name: &str) -> PathBuf {
        self.path("objects").join(name)
    }

    pub(in crate::jobs) fn spooled(&self, id: RecordingId) -> PathBuf {
        self.path(&format!("vault/spool/{id}.rec"))
    }

    /// A recording that is armed.
    pub(in crate::jobs) async fn armed(&self) -> RecordingId {
        self.permitted().await.id()
    }

    async fn permitted(&self) -> RecordingPermit {
        let (vault, clock) = (&self.deps.vault, self.deps.clock);
        let id = RecordingId::new(Ulid::generate());
        let permit = RecordingPermit::for_test(id, vault.draw_key());
        let wrapped = vault.wrap(&permit);
        let armed = RecordingChange::Armed {
            id,
            call: permit.call(),
            basis: permit.basis().clone(),
            kek: wrapped.kek().unwrap().to_string(),
            wrapped_key: wrapped.0,
            spool: vault.spool_id().to_owned(),
            format: vault.format().word().to_owned(),
            at: clock.now(),
        };
        self.step(armed).await;
        permit
    }

    /// Begins a recording and puts so many chunks into it.
    pub(in crate::jobs) async fn begin(&self, chunks: u64) -> (RecordingId, Spool, Ending, u64) {
        let (vault, clock) = (&self.deps.vault, self.deps.clock);
        let permit = self.permitted().await;
        let id = permit.id();
        let (mut spool, ending) = vault.begin(&permit).unwrap();
        self.step(RecordingChange::Started { id, at: clock.now() }).await;
        for n in 0..chunks {
            let samples = (0..CHUNK * 2).map(|k| ((k * 37 + n * 11) % 2_000) as i16 - 1_000).collect();
            spool.put(Chunk { start: n * CHUNK, samples }).unwrap();
        }
        (id, spool, ending, chunks * CHUNK)
    }

    /// A whole recording in the spool, whose first job waits.
    pub(in crate::jobs) async fn finished(&self) -> RecordingId {
        let (id, spool, ending, samples) = self.begin(20).await;
        self.finish(id, spool, ending, samples).await;
        id
    }

    /// Ends a recording that was begun.
    pub(in crate::jobs) async fn finish(&self, id: RecordingId, spool: Spool, ending: Ending, samples: u64) {
        Box::new(spool).finish(End { samples, ..End::default() });
        let finished = timeout(PATIENCE, ending).await.unwrap().unwrap().unwrap();
        self.step(RecordingChange::Finished { id, at: finished.at, file: file(&finished) }).await;
    }

    pub(in crate::jobs) async fn step(&self, change: RecordingChange) {
        self.deps.store.commit(vec![Change::Recording(change)]).await.unwrap();
    }

    pub(in crate::jobs) async fn destroy(&self, id: RecordingId) {
        let (at, by) = (self.deps.clock.now(), Actor::User("dora".to_owned()));
        let (rule, why) = ("operator".to_owned(), "asked for".to_owned());
        self.step(RecordingChange::Destroyed { id, at, rule, why, by }).await;
    }

    pub(in crate::jobs) async fn row(&self, id: RecordingId) -> RecordingRow {
        self.deps.store.recording(id).await.unwrap().expect("it has a row")
    }

    pub(in crate::jobs) async fn jobs(&self) -> Vec<JobRow> {
        self.deps.store.jobs(&JobFilter::default()).await.unwrap().items
    }

    pub(in crate::jobs) async fn enqueue(&self, kind: JobKind, id: RecordingId) {
        let at = self.deps.clock.now();
        let spool = Some(self.deps.vault.spool_id().to_owned());
        let job = JobChange::Enqueue { kind, subject: id.to_string(), spool, due: at, at };
        self.deps.store.commit(vec![Change::Job(job)]).await.unwrap();
    }

    /// Has all jobs tried now.
    pub(in crate::jobs) async fn hurry(&self) {
        for job in self.jobs().await {
            let at = self.deps.clock.now();
            if job.due <= at {
                continue;
            }
            let hurry = JobChange::Hurry { id: job.id, at, by: Actor::System };
            match self.deps.store.commit(vec![Change::Job(hurry)]).await {
                // Missing: it was done a moment ago.
                Ok(()) | Err(StoreError::Missing { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Runs jobs, up to and including the step `halt`, if one is named.
    pub(in crate::jobs) fn run(&self, plain: bool, halt: Option<&'static str>) -> Run {
        self.run_with(plain, |ctx| ctx.halt = halt)
    }

    /// Keeps objects in another folder from now on.
    pub(in crate::jobs) async fn keep_in(&mut self, folder: &str) {
        let objects = ObjectsConfig::Folder { dir: self.path(folder) };
        self.deps.objects = Objects::open(&objects).await.unwrap();
    }

    /// The same, with something about the runner changed before it begins.
    pub(in crate::jobs) fn run_with(&self, plain: bool, change: impl FnOnce(&mut Context)) -> Run {
        let mut ctx = Context::new(self.config(plain), self.deps.clone());
        change(&mut ctx);
        let (ctx, stop) = (Arc::new(ctx), CancellationToken::new());
        let task = tokio::spawn(runner::run(Arc::clone(&ctx), stop.clone()));
        Run { ctx, task, stop }
    }

    pub(in crate::jobs) fn config(&self, plain: bool) -> JobsConfig {
        JobsConfig {
            uploads: 4,
            segment: Duration::from_secs(60),
            alarm_after: Duration::from_secs(900),
            late: Duration::from_secs(900),
            plain,
            reconcile_every: Duration::ZERO,
            separate_store: Some(SeparateStore {
                dir: self.path("archive"),
                key_file: self.path("archive.key"),
            }),
        }
    }

    /// Runs jobs until none is left.
    pub(in crate::jobs) async fn run_all(&self, plain: bool) {
        let run = self.run(plain, None);
        until("all jobs are done", async || self.jobs().await.is_empty()).await;
        run.stop().await;
    }

    /// Runs jobs until the step was taken, and then nothing more, as a crash.
    pub(in crate::jobs) async fn crash_after(&self, plain: bool, step: &'static str) {
        let run = self.run(plain, Some(step));
        timeout(PATIENCE, run.ctx.halted.notified()).await.unwrap_or_else(|_| panic!("{step} is taken"));
        run.task.abort();
        let _ = run.task.await; // it was aborted
    }
}

impl Run {
    /// Nothing more is done, as a crash.
    pub(in crate::jobs) async fn crash(self) {
        self.task.abort();
        let _ = self.task.await; // it was aborted
    }

    pub(in crate::jobs) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// Waits for something to be so.
pub(in crate::jobs) async fn until(what: &str, is: impl AsyncFn() -> bool) {
    let wait = async {
        while !is().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("in time: {what}"));
}
