//! Salvage of what a server's own vault and database hold.

use ulid::Ulid;

use super::super::{Shared, scene};
use super::*;
use crate::audit::Actor;
use crate::consent::RecordingPermit;
use crate::media::tap::{CHUNK, Chunk, ChunkSink as _, End};
use crate::store::JobFilter;
use crate::vault::Ending;

async fn run_in(shared: &Shared) {
    run(&shared.store, &shared.vault, &shared.alarms, shared.clock).await.unwrap();
}

async fn step(shared: &Shared, change: RecordingChange) {
    shared.store.commit(vec![Change::Recording(change)]).await.unwrap();
}

/// A recording that has begun, with some audio.
async fn begun(shared: &Shared) -> (RecordingId, crate::vault::Spool, Ending) {
    let permit = scene::armed(shared).await;
    let id = permit.id();
    let (mut spool, ending) = shared.vault.begin(&permit).unwrap();
    step(shared, RecordingChange::Started { id, at: shared.clock.now() }).await;
    spool.put(Chunk { start: 0, samples: vec![7; CHUNK as usize * 2] }).unwrap();
    (id, spool, ending)
}

/// The same, with its file whole in the spool.
async fn whole(shared: &Shared) -> RecordingId {
    let (id, spool, ending) = begun(shared).await;
    Box::new(spool).finish(End { samples: CHUNK, ..End::default() });
    ending.await.unwrap().unwrap();
    id
}

async fn fail(shared: &Shared, id: RecordingId) {
    let (at, why) = (shared.clock.now(), "the disk said no for a moment".to_owned());
    step(shared, RecordingChange::Failed { id, at, why }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_recording_that_is_whole_is_salvaged() {
    let (_dir, server) = scene::server().await;
    let shared = &server.shared;
    let id = whole(shared).await;
    fail(shared, id).await;
    run_in(shared).await;
    assert!(scene::said(shared, id, "recording.salvaged").await);
    let state = scene::state(shared, id).await;
    assert!(["finished", "stored"].contains(&&*state), "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_recording_with_a_part_is_salvaged() {
    let (_dir, server) = scene::server().await;
    let shared = &server.shared;
    let (id, spool, ending) = begun(shared).await;
    drop(spool);
    assert!(ending.await.unwrap().is_err());
    fail(shared, id).await;
    run_in(shared).await;
    assert!(scene::said(shared, id, "recording.salvaged").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_without_a_row_is_told_and_what_has_no_key_is_removed() {
    let (dir, server) = scene::server().await;
    let shared = &server.shared;
    // Of a recording that was discarded: nobody can read it any more.
    let permit = scene::armed(shared).await;
    let noise = permit.id();
    let (mut spool, ending) = shared.vault.begin(&permit).unwrap();
    spool.put(Chunk { start: 0, samples: vec![7; CHUNK as usize * 2] }).unwrap();
    drop(spool);
    assert!(ending.await.unwrap().is_err());
    step(shared, RecordingChange::Discarded { id: noise, at: shared.clock.now() }).await;
    let mut files =
        std::fs::read_dir(dir.path().join("data/vault/spool")).unwrap().flatten().map(|it| it.path());
    let file = files.find(|path| path.to_string_lossy().contains(&noise.to_string())).unwrap();
    // Of nobody: a copy under a name that no row has.
    let stray = RecordingId::new(Ulid::generate());
    let name = file.file_name().unwrap().to_string_lossy().replace(&noise.to_string(), &stray.to_string());
    std::fs::copy(&file, file.with_file_name(name)).unwrap();
    run_in(shared).await;
    assert!(!file.exists() && shared.vault.is_spooled(stray), "a stray file is a person's to look at");
    let told = shared.store.told("recording.noise-removed").await;
    let [told] = told.as_slice() else { panic!("{told:?}") };
    let begins = format!("modify system recording {noise}: nothing -> ");
    let name = file.file_name().unwrap().to_string_lossy();
    assert!(told.starts_with(&begins) && told.contains(&*name), "{told}");
    assert_eq!(
        shared.store.told("recording.stray").await,
        [format!("failure system recording {stray}: nothing -> nothing")]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_salvaged_now_is_not_failed_but_tried_again() {
    let (_dir, server) = scene::server().await;
    let shared = &server.shared;
    // In use: a reason that passes.
    let (id, _spool, _ending) = begun(shared).await;
    run_in(shared).await;
    assert_eq!(scene::state(shared, id).await, "recording");
    let jobs = shared.store.jobs(&JobFilter::default()).await.unwrap().items;
    assert!(jobs.iter().any(|job| job.kind == JobKind::Rescue && job.subject == id.to_string()), "{jobs:?}");
    assert!(shared.alarms.list().iter().any(|alarm| alarm.kind == AlarmKind::RecordingFailed));
    assert!(!scene::said(shared, id, "recording.failed").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_node_destroyed_meanwhile_ends_no_start() {
    let (_dir, server) = scene::server().await;
    let shared = &server.shared;
    let id = whole(shared).await;
    let (at, rule, why) = (shared.clock.now(), "operator".to_owned(), "asked for".to_owned());
    step(shared, RecordingChange::Destroyed { id, at, rule, why, by: Actor::System }).await;
    let house =
        House { store: &shared.store, vault: &shared.vault, alarms: &shared.alarms, clock: shared.clock };
    let why = "too late".to_owned();
    house.store(id, Change::Recording(RecordingChange::Failed { id, at, why })).await.unwrap();
    assert!(!scene::said(shared, id, "recording.failed").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_held_fails_no_recording() {
    let (_dir, server) = scene::server().await;
    let shared = &server.shared;
    let permit = RecordingPermit::for_test(RecordingId::new(Ulid::generate()), shared.vault.draw_key());
    let (id, kek) = (permit.id(), shared.vault.keyring().current().to_string());
    let mut wrapped_key = shared.vault.wrap(&permit).0;
    // Another key's id, as in a row that was read just before a rotation.
    wrapped_key[1] ^= 0xFF;
    let armed = RecordingChange::Armed {
        id,
        call: permit.call(),
        basis: permit.basis().clone(),
        wrapped_key,
        kek,
        spool: shared.vault.spool_id().to_owned(),
        format: shared.vault.format().word().to_owned(),
        at: shared.clock.now(),
    };
    step(shared, armed).await;
    let (mut spool, ending) = shared.vault.begin(&permit).unwrap();
    spool.put(Chunk { start: 0, samples: vec![7; CHUNK as usize * 2] }).unwrap();
    drop(spool);
    assert!(ending.await.unwrap().is_err());
    run_in(shared).await;
    assert_eq!(scene::state(shared, id).await, "armed");
    assert!(shared.vault.is_spooled(id));
    assert!(shared.alarms.list().iter().any(|alarm| alarm.kind == AlarmKind::RecordingFailed));
}
