//! The recorder of one call against a server of its own, event by event.

use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::{Server, scene};
use super::*;
use crate::store::JobFilter;

/// Longer than anything takes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);
const TAKE: TakeId = TakeId(1);

/// A server, and a call whose recording is armed.
struct Scene {
    _dir: TempDir,
    server: Server,
    media: CallMedia,
    recorder: Recorder,
    work: JoinSet<Done>,
    id: RecordingId,
}

impl Scene {
    async fn new() -> Self {
        let (dir, server) = scene::server().await;
        let permit = scene::armed(&server.shared).await;
        let (events, _) = mpsc::channel(16);
        let media = server.shared.engine.open(permit.call(), events);
        let (id, mut recorder) = (permit.id(), Recorder::new(permit.call()));
        recorder.state = State::Armed(TAKE, Box::new(permit));
        Self { _dir: dir, server, media, recorder, work: JoinSet::new(), id }
    }

    async fn start(&mut self) -> Option<Input> {
        let what = ((0, 1), false);
        self.recorder.start(&self.server.shared, &self.media, what, &mut self.work).await
    }

    /// As the driver does it, with the fact's unit of work.
    async fn withdraw(&mut self) {
        let (by, shared) = (Some(Actor::Caller), &self.server.shared);
        self.recorder.stop(by, shared, &self.media, &mut self.work).await;
        let gone: Vec<Change> = self.recorder.withdrawn().into_iter().map(Change::Recording).collect();
        assert_eq!(gone.len(), 1);
        shared.store.commit(gone).await.unwrap();
        self.recorder.on_withdrawn(shared);
    }

    /// The next thing that a task has brought about.
    async fn event(&mut self) -> Recording {
        let done = timeout(PATIENCE, self.work.join_next()).await.expect("in time");
        match done.expect("work goes on").unwrap() {
            Done::Recording(event) => event,
            Done::Committed(..) => panic!("no facts are stored here"),
        }
    }

    async fn tell(&mut self, event: Recording) -> Option<Input> {
        self.recorder.on_event(event, &self.server.shared, &self.media, &mut self.work).await
    }

    async fn is_gone(&self) -> bool {
        ["destroyed", "removed"].contains(&&*scene::state(&self.server.shared, self.id).await)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_withdrawn_is_destroyed_before_its_file_is_closed() {
    let mut scene = Scene::new().await;
    assert!(scene.start().await.is_none());
    scene.withdraw().await;
    // A disk that is slow: the file's closing is not told yet.
    assert!(scene.is_gone().await);
    let mut closed = Vec::new();
    while closed.is_empty() {
        match scene.event().await {
            Recording::Kept(_) | Recording::Noted => {}
            event @ (Recording::Closed(..) | Recording::Armed(..)) => closed.push(event),
        }
    }
    for event in closed {
        assert!(scene.tell(event).await.is_none());
    }
    while !scene.work.is_empty() {
        scene.event().await;
    }
    assert!(scene.is_gone().await, "its closing does not bring it back");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_broke_and_left_audio_is_taken_up_by_a_job() {
    let mut scene = Scene::new().await;
    assert!(scene.start().await.is_none());
    let id = scene.id;
    assert!(scene.server.shared.vault.is_spooled(id));
    let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let broke = VaultError::WriteFailed { id, samples: 1_280, source };
    let failed = scene.tell(Recording::Closed(id, Err(broke))).await;
    assert!(matches!(failed, Some(Input::RecordingFailed(TAKE))));
    while !matches!(scene.event().await, Recording::Kept(_)) {}
    let shared = &scene.server.shared;
    assert!(scene::said(shared, id, "recording.failed").await);
    let jobs = shared.store.jobs(&JobFilter::default()).await.unwrap().items;
    let taken_up = jobs.iter().any(|job| job.kind == JobKind::Rescue && job.subject == id.to_string());
    // The job may have been done by now.
    assert!(taken_up || scene::said(shared, id, "recording.salvaged").await, "{jobs:?}");
    let alarms = shared.alarms.list();
    let raised = alarms.iter().any(|alarm| alarm.kind == AlarmKind::RecordingFailed);
    assert!(raised || scene::said(shared, id, "recording.salvaged").await, "{alarms:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_stands_still_fails_the_recording() {
    let mut scene = Scene::new().await;
    assert!(scene.start().await.is_none());
    let mut look = tokio::time::interval(Duration::from_millis(10));
    let closed = timeout(PATIENCE, async {
        loop {
            tokio::select! {
                done = scene.work.join_next() => match done.unwrap().unwrap() {
                    Done::Recording(event @ Recording::Closed(..)) => break event,
                    Done::Recording(_) | Done::Committed(..) => {}
                },
                // The server, whose disk is well, says otherwise each second.
                _ = look.tick() => { scene.server.shared.still.send_replace(true); }
            }
        }
    });
    let closed = closed.await.expect("in time");
    assert!(matches!(closed, Recording::Closed(_, Err(VaultError::Still(_)))));
    assert!(matches!(scene.tell(closed).await, Some(Input::RecordingFailed(TAKE))));
    while !matches!(scene.event().await, Recording::Kept(_)) {}
    assert!(scene::said(&scene.server.shared, scene.id, "recording.failed").await);
}
