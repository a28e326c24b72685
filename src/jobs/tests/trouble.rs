//! A store that is away, names that are taken, files that are gone, recordings that are destroyed while they are
//! worked on.

use std::fs;

use super::super::context::{Context, Held};
use super::super::names::{self, Form};
use super::super::segment;
use super::super::{AlarmKind, REFUSED, destroy_one, runner};
use super::house::{House, until};
use crate::store::{JobKind, RecordingChange};
use crate::vault::Format;

fn raised(house: &House, kind: AlarmKind) -> bool {
    house.deps().alarms.list().iter().any(|alarm| alarm.kind == kind)
}

#[tokio::test]
async fn a_store_that_is_away_costs_nothing_but_time() {
    let house = House::new(Format::Pcm16).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(house.finished().await);
    }
    // Whatever lies where the folder should be: nothing can be put.
    let _ = fs::remove_dir_all(house.path("objects")); // it may not be there yet
    fs::write(house.path("objects"), b"no folder").unwrap();
    let run = house.run(false, None);
    until("the alarm", async || raised(&house, AlarmKind::StoreAway)).await;
    for id in &ids {
        assert!(house.spooled(*id).exists() && house.row(*id).await.state == "finished");
    }
    assert!(!run.ctx.store_answers() || raised(&house, AlarmKind::StoreAway));
    let tries: u32 = house.jobs().await.iter().map(|job| job.attempts).sum();
    assert!(tries <= 12, "the backlog does not knock: {tries}");
    fs::remove_file(house.path("objects")).unwrap();
    until("all are stored", async || house.jobs().await.is_empty()).await;
    until("the alarm is over", async || !raised(&house, AlarmKind::StoreAway)).await;
    for id in &ids {
        assert_eq!(house.row(*id).await.state, "stored");
    }
    run.stop().await;
}

#[tokio::test]
async fn what_is_not_ours_is_never_overwritten() {
    let house = House::new(Format::Pcm16).await;
    let id = house.finished().await;
    let object = house.object(&names::whole(id, Form::Sealed));
    fs::create_dir_all(object.parent().unwrap()).unwrap();
    fs::write(&object, b"somebody else's").unwrap();
    let run = house.run(false, None);
    until("the alarm", async || raised(&house, AlarmKind::ObjectConflict)).await;
    assert_eq!(fs::read(&object).unwrap(), b"somebody else's");
    assert!(house.spooled(id).exists());
    fs::remove_file(&object).unwrap();
    house.hurry().await;
    run.ctx.wake();
    until("it is stored", async || house.jobs().await.is_empty()).await;
    assert_eq!(house.row(id).await.state, "stored");
    assert!(!raised(&house, AlarmKind::ObjectConflict) && !raised(&house, AlarmKind::JobFails));
    run.stop().await;
}

#[tokio::test]
async fn a_lost_disk_costs_no_more_than_the_last_segment() {
    let house = House::new(Format::Pcm16).await;
    let (id, spool, ending, samples) = house.begin(50).await;
    let sealed = || house.deps().vault.running().iter().find(|running| running.id == id).map(|r| r.sealed);
    // All but what waits for a chunk to be full.
    let whole = samples * 4 * 9 / 10;
    until("the chunks are written", async || sealed().unwrap_or(0) >= whole).await;
    let run = house.run(false, None);
    let bytes = sealed().unwrap();
    segment::copy(&run.ctx, id, 0, 0..bytes / 2).await.unwrap();
    segment::copy(&run.ctx, id, 1, bytes / 2..bytes).await.unwrap();
    drop(spool);
    assert!(ending.await.unwrap().is_err(), "it was given up");
    fs::remove_file(house.path(&format!("vault/spool/{id}.part"))).unwrap();
    house.enqueue(JobKind::Rescue, id).await;
    run.ctx.wake();
    until("it is rescued and stored", async || house.jobs().await.is_empty()).await;
    let row = house.row(id).await;
    assert_eq!(row.state, "stored");
    let saved = row.samples.unwrap();
    assert!(saved * 4 >= whole && saved <= samples, "{saved} of {samples}");
    assert!(row.why.unwrap().contains("2 segments"), "the log says what was saved");
    let left = house.deps().objects.list("recordings/", None, 10).await.unwrap();
    assert_eq!(left.objects.len(), 1, "the segments are gone: {left:?}");
    run.stop().await;
}

/// The disk is lost after the call and before the file was encoded.
#[tokio::test]
async fn what_waits_to_be_encoded_is_made_again_of_its_segments() {
    let house = House::new(Format::Opus).await;
    let (id, spool, ending, samples) = house.begin(50).await;
    let sealed = || house.deps().vault.running().iter().find(|running| running.id == id).map(|r| r.sealed);
    let whole = samples * 4 * 9 / 10;
    until("the chunks are written", async || sealed().unwrap_or(0) >= whole).await;
    let run = house.run(false, None);
    segment::copy(&run.ctx, id, 0, 0..sealed().unwrap()).await.unwrap();
    run.stop().await;
    house.finish(id, spool, ending, samples).await;
    fs::remove_file(house.spooled(id)).unwrap();
    house.run_all(false).await;
    let row = house.row(id).await;
    assert_eq!((row.state.as_str(), row.format.as_str()), ("stored", "opus"));
    let saved = row.samples.unwrap();
    assert!(saved * 4 >= whole && saved <= samples, "{saved} of {samples}");
    assert!(house.object(&names::whole(id, Form::Sealed)).exists());
}

/// Of another's lost disk: it was armed while the agent's phone rang, and there is nothing of it.
#[tokio::test]
async fn what_was_armed_only_is_discarded_by_its_rescue() {
    let house = House::new(Format::Pcm16).await;
    let id = house.armed().await;
    house.enqueue(JobKind::Rescue, id).await;
    house.run_all(false).await;
    let row = house.row(id).await;
    assert_eq!((row.state.as_str(), row.wrapped_key), ("discarded", None));
    assert!(!raised(&house, AlarmKind::RecordingLost));
}

#[tokio::test]
async fn what_cannot_be_rescued_is_said_to_be_lost() {
    let house = House::new(Format::Pcm16).await;
    let (id, spool, ending, _) = house.begin(1).await;
    drop(spool);
    assert!(ending.await.unwrap().is_err(), "it was given up");
    let _ = fs::remove_file(house.path(&format!("vault/spool/{id}.part"))); // it may have been empty
    house.enqueue(JobKind::Rescue, id).await;
    house.run_all(false).await;
    assert_eq!(house.row(id).await.state, "failed");
    assert!(raised(&house, AlarmKind::RecordingLost));
}

#[tokio::test]
async fn a_job_of_a_destroyed_recording_makes_room_for_the_one_that_removes_it() {
    let house = House::new(Format::Pcm16).await;
    let id = house.finished().await;
    // Held by this very runner when it crashed.
    house.crash_after(false, "put").await;
    house.destroy(id).await;
    house.run_all(false).await;
    assert_eq!(house.row(id).await.state, "removed");
    assert!(!house.object(&names::whole(id, Form::Sealed)).exists() && !house.spooled(id).exists());
}

#[tokio::test]
async fn an_upload_without_a_file_takes_the_object_that_is_there() {
    let house = House::new(Format::Pcm16).await;
    let id = house.finished().await;
    house.crash_after(false, "put").await;
    fs::remove_file(house.spooled(id)).unwrap();
    house.run_all(false).await;
    assert_eq!(house.row(id).await.state, "stored");
    // And where there is nothing at all, it says so and waits for a person.
    let lost = house.finished().await;
    fs::remove_file(house.spooled(lost)).unwrap();
    let run = house.run(false, None);
    until("the alarm", async || raised(&house, AlarmKind::RecordingLost)).await;
    assert_eq!(house.row(lost).await.state, "finished");
    house.destroy(lost).await;
    run.ctx.wake();
    until("it is removed", async || house.row(lost).await.state == "removed").await;
    assert!(!raised(&house, AlarmKind::RecordingLost));
    run.stop().await;
}

#[tokio::test]
async fn what_another_runner_holds_is_left_alone() {
    let house = House::new(Format::Pcm16).await;
    let id = house.finished().await;
    let job = house.jobs().await.remove(0);
    let now = house.deps().clock.now();
    let lease = crate::store::JobChange::Leased {
        id: job.id,
        by: "another".to_owned(),
        until: now + std::time::Duration::from_secs(60),
        at: now,
    };
    house.deps().store.commit(vec![crate::store::Change::Job(lease)]).await.unwrap();
    let other = house.finished().await;
    let run = house.run(false, None);
    until("ours is stored", async || house.row(other).await.state == "stored").await;
    assert_eq!(house.row(id).await.state, "finished");
    let at = house.deps().clock.now();
    house
        .step(RecordingChange::Destroyed {
            id: other,
            at,
            rule: "retention".to_owned(),
            why: "30 days".to_owned(),
            by: crate::audit::Actor::System,
        })
        .await;
    run.ctx.wake();
    until("and removed", async || house.row(other).await.state == "removed").await;
    assert_eq!(house.jobs().await.len(), 1);
    run.stop().await;
}

#[tokio::test]
async fn alarms_about_jobs_go_with_the_recording() {
    let house = House::new(Format::Pcm16).await;
    let id = house.finished().await;
    let object = house.object(&names::whole(id, Form::Sealed));
    fs::create_dir_all(object.parent().unwrap()).unwrap();
    fs::write(&object, b"somebody else's").unwrap();
    let run = house.run(false, None);
    let both = async || raised(&house, AlarmKind::ObjectConflict) && raised(&house, AlarmKind::JobFails);
    until("the alarms", both).await;
    house.destroy(id).await;
    run.ctx.wake();
    until("it is removed", async || house.row(id).await.state == "removed").await;
    assert!(!raised(&house, AlarmKind::ObjectConflict) && !raised(&house, AlarmKind::JobFails));
    run.stop().await;
}

#[tokio::test]
async fn what_the_stores_check_found_is_not_over_with_the_next_answer() {
    let house = House::new(Format::Pcm16).await;
    let alarms = &house.deps().alarms;
    let run = house.run(false, None);
    alarms.raise_for(AlarmKind::StoreAway, "check", "its check had no answer".to_owned());
    alarms.raise_for(AlarmKind::StoreAway, REFUSED, "it overwrites".to_owned());
    run.ctx.on_answer();
    assert!(alarms.is_raised_for(AlarmKind::StoreAway, "check"));
    assert!(!run.ctx.store_answers(), "nothing is put into a store that will not do");
    alarms.clear_for(AlarmKind::StoreAway, REFUSED);
    assert!(run.ctx.store_answers());
    run.stop().await;
}

#[tokio::test]
async fn destroying_by_hand_does_that_alone_and_takes_nothing_from_a_server() {
    let house = House::new(Format::Pcm16).await;
    let (other, id) = (house.finished().await, house.finished().await);
    let job = house.jobs().await.into_iter().find(|job| job.subject == other.to_string()).unwrap();
    let (now, by) = (house.deps().clock.now(), house.deps().vault.spool_id().to_owned());
    let until = now + std::time::Duration::from_secs(60);
    let lease = crate::store::JobChange::Leased { id: job.id, by: by.clone(), until, at: now };
    house.deps().store.commit(vec![crate::store::Change::Job(lease)]).await.unwrap();
    let third = house.finished().await;
    house.destroy(id).await;
    destroy_one(house.config(false), house.deps().clone(), id).await.unwrap();
    assert_eq!(house.row(id).await.state, "removed");
    let left = house.jobs().await;
    let held = left.iter().find(|job| job.subject == other.to_string()).unwrap();
    assert_eq!((held.leased_by.as_ref(), held.leased_until), (Some(&by), Some(until)), "the server's");
    assert_eq!(house.row(third).await.state, "finished", "nobody asked for that");
}

#[tokio::test]
async fn a_job_hears_of_a_destruction_that_came_before_it_listened() {
    let house = House::new(Format::Pcm16).await;
    let id = house.finished().await;
    let ctx = Context::new(house.config(false), house.deps().clone());
    let row = house.jobs().await.remove(0);
    let (doubt, now) = (ctx.doubt.subscribe(), ctx.clock.now());
    let until = now + std::time::Duration::from_secs(60);
    let lease = crate::store::JobChange::Leased { id: row.id, by: ctx.runner().to_owned(), until, at: now };
    house.deps().store.commit(vec![crate::store::Change::Job(lease)]).await.unwrap();
    house.destroy(id).await;
    ctx.wake();
    // Less than the time after which it would ask by itself.
    let (held, limit) = (Held::new(row), std::time::Duration::from_secs(15));
    let heard = tokio::time::timeout(limit, runner::keep(&ctx, &held, doubt));
    heard.await.expect("at once");
}

#[tokio::test]
async fn what_is_planned_is_not_late() {
    let house = House::new(Format::Pcm16).await;
    let oldest = async || {
        let figures = house.deps().store.job_figures(house.deps().clock.now()).await.unwrap();
        figures.into_iter().find(|figures| figures.kind == JobKind::Destroy).unwrap().oldest
    };
    let enqueue = async |subject: &str, wait: u64| {
        let at = house.deps().clock.now();
        let (subject, due) = (subject.to_owned(), at + std::time::Duration::from_secs(wait));
        let job = crate::store::JobChange::Enqueue { kind: JobKind::Destroy, subject, spool: None, due, at };
        house.deps().store.commit(vec![crate::store::Change::Job(job)]).await.unwrap();
    };
    enqueue("a lock ends", 86_400).await;
    assert_eq!(oldest().await, None);
    enqueue("a failure is tried again", 300).await;
    assert!(oldest().await.is_some());
}
