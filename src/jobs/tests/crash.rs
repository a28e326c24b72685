//! A crash after each step.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::super::context::Context;
use super::super::file;
use super::super::names::{self, Form};
use super::house::{House, PATIENCE, until};
use crate::certificate;
use crate::ids::RecordingId;
use crate::media::tap::{ChunkSink as _, End};
use crate::store::{JobKind, RecordingChange};
use crate::vault::Format;
use crate::vault::objects::{About, ObjectClass, Target};

async fn segment(house: &House, id: RecordingId) {
    let about = About {
        recording: id,
        sha256: None,
        content_type: "application/octet-stream",
        class: ObjectClass::Segment,
    };
    house.deps().objects.put(&names::segment(id, 0), &Bytes::from_static(b"piece"), &about).await.unwrap();
}

/// Stored once, verified, and nothing else is left of it anywhere.
async fn is_stored(house: &House, id: RecordingId, form: Form) {
    let row = house.row(id).await;
    assert_eq!(row.state, "stored");
    let (name, object) = (names::whole(id, form), row.object.expect("it lies somewhere"));
    assert_eq!(object.name, name);
    house.deps().objects.verify(&name, object.bytes, &object.checksum).await.unwrap();
    let all = house.deps().objects.list("recordings/", None, 100).await.unwrap();
    assert_eq!(all.objects.len(), 1, "once, and no segments: {:?}", all.objects);
    assert!(house.deps().vault.spool_files().unwrap().is_empty(), "the spool is empty");
    assert!(house.jobs().await.is_empty());
}

#[tokio::test]
async fn an_upload_goes_on_from_wherever_it_was_cut() {
    for step in ["put", "stored", "let-go", "segments-removed"] {
        let house = House::new(Format::Pcm16).await;
        let id = house.finished().await;
        segment(&house, id).await;
        house.crash_after(false, step).await;
        // The order: verified, then the row, then the file, then the segments.
        assert!(house.object(&names::whole(id, Form::Sealed)).exists(), "{step}");
        let (row, file) = (house.row(id).await, house.spooled(id).exists());
        let segment = house.object(&names::segment(id, 0)).exists();
        let expected = match step {
            "put" => ("finished", true, true),
            "stored" => ("stored", true, true),
            "let-go" => ("stored", false, true),
            _ => ("stored", false, false),
        };
        assert_eq!((row.state.as_str(), file, segment), expected, "{step}");
        assert_eq!(house.jobs().await.len(), 1, "{step}: the job is there still");
        house.run_all(false).await;
        is_stored(&house, id, Form::Sealed).await;
        let row = house.row(id).await;
        assert_eq!(row.sha256, row.object.map(|object| object.checksum), "as it was sealed");
    }
}

#[tokio::test]
async fn a_plain_upload_goes_on_too() {
    for step in ["put", "stored"] {
        let house = House::new(Format::Ulaw).await;
        let id = house.finished().await;
        house.crash_after(true, step).await;
        house.run_all(true).await;
        is_stored(&house, id, Form::Wav).await;
        let wav = std::fs::read(house.object(&names::whole(id, Form::Wav))).unwrap();
        assert_eq!((&wav[..4], &wav[8..12]), (&b"RIFF"[..], &b"WAVE"[..]));
    }
}

#[tokio::test]
async fn encoding_comes_first_and_is_done_once() {
    let house = House::new(Format::Opus).await;
    let id = house.finished().await;
    let before = house.row(id).await;
    assert_eq!(house.jobs().await[0].kind, JobKind::Encode);
    house.crash_after(false, "encoded").await;
    assert_eq!(house.row(id).await.sha256, before.sha256, "the row does not know yet");
    house.run_all(false).await;
    is_stored(&house, id, Form::Sealed).await;
    let after = house.row(id).await;
    assert!(after.bytes < before.bytes && after.samples == before.samples, "{before:?} {after:?}");
}

#[tokio::test]
async fn destruction_ends_in_a_certificate_that_tells_all_wherever_it_was_cut() {
    for step in ["local-removed", "found", "removed"] {
        let house = House::new(Format::Pcm16).await;
        let id = house.finished().await;
        house.run_all(false).await;
        segment(&house, id).await;
        house.destroy(id).await;
        assert!(house.row(id).await.wrapped_key.is_none(), "the key goes first");
        house.crash_after(false, step).await;
        assert_eq!(house.row(id).await.state, "destroyed", "{step}");
        assert!(
            house.deps().store.certificate(id).await.unwrap().is_none(),
            "{step}: not before all is gone"
        );
        house.run_all(false).await;
        let row = house.row(id).await;
        assert_eq!(row.state, "removed");
        let text = house.deps().store.certificate(id).await.unwrap().expect("a certificate");
        let key = house.deps().signer.public_key();
        let told = certificate::verify(&text, Some(key)).unwrap().certificate;
        assert_eq!((told.recording, told.rule.as_str()), (id, "operator"));
        assert_eq!(told.reason, crate::certificate::reason_told("operator", "asked for"));
        assert!(!text.contains("asked for"), "a person's words are not kept for good: {text}");
        assert_eq!(
            (told.key_destroyed_at, told.removed_at),
            (row.destroyed_at.unwrap(), row.removed_at.unwrap())
        );
        let found = told.found_before.join("\n");
        for name in [names::whole(id, Form::Sealed), names::segment(id, 0)] {
            assert!(found.contains(&name), "{step}: {name} was there: {found}");
            assert!(house.deps().objects.traces(&Target::Name(&name)).await.unwrap().is_empty());
        }
        let rows = house.deps().store.told("recording.copies-found").await;
        let all = rows.join("\n");
        let begins = format!("modify system recording {id}: nothing -> object ");
        assert!(rows.iter().all(|row| row.starts_with(&begins)), "{step}: {rows:?}");
        for line in &told.found_before {
            assert_eq!(all.matches(line.as_str()).count(), 1, "{step}: the log has {line:?} once: {rows:?}");
        }
        assert!(told.found_after.is_empty() && told.audit.n > 0);
        let (place, spool) = (house.deps().objects.place(), house.deps().vault.spool_id());
        assert_eq!(told.looked_in, [format!("object store {place}"), format!("spool {spool}")]);
        assert!(told.not_seen.is_empty(), "a folder and SQLite hide nothing");
    }
}

#[tokio::test]
async fn what_was_never_uploaded_is_destroyed_in_the_spool() {
    let house = House::new(Format::Pcm16).await;
    let id = house.finished().await;
    house.destroy(id).await;
    assert_eq!(house.jobs().await.len(), 1, "it is not uploaded any more");
    house.run_all(false).await;
    let text = house.deps().store.certificate(id).await.unwrap().expect("a certificate");
    let told = certificate::verify(&text, None).unwrap().certificate;
    assert_eq!(told.found_before, [format!("{id}.rec")]);
    assert!(!house.spooled(id).exists());
}

#[tokio::test]
async fn what_an_earlier_configuration_put_does_not_stay_beside_the_object() {
    let house = House::new(Format::Pcm16).await;
    let id = house.finished().await;
    house.crash_after(true, "put").await;
    assert!(house.object(&names::whole(id, Form::Wav)).exists(), "plain, and nobody knows of it");
    house.run_all(false).await;
    is_stored(&house, id, Form::Sealed).await;
}

/// Where a rescue can be found when it was cut.
async fn rescue_from(state: &str, step: &'static str) {
    let house = House::new(Format::Pcm16).await;
    let deps = house.deps();
    let (id, spool, ending, samples) = house.begin(20).await;
    Box::new(spool).finish(End { samples, ..End::default() });
    let finished = timeout(PATIENCE, ending).await.unwrap().unwrap().unwrap();
    let bytes = std::fs::read(house.spooled(id)).unwrap();
    let about = About {
        recording: id,
        sha256: None,
        content_type: "application/octet-stream",
        class: ObjectClass::Segment,
    };
    let kept = Bytes::copy_from_slice(&bytes[..bytes.len() * 3 / 4]);
    deps.objects.put(&names::segment(id, 0), &kept, &about).await.unwrap();
    std::fs::remove_file(house.spooled(id)).unwrap();
    let at = deps.clock.now();
    match state {
        "recording" => house.enqueue(JobKind::Rescue, id).await,
        "failed" => {
            house.step(RecordingChange::Failed { id, at, why: "the disk broke".to_owned() }).await;
            house.enqueue(JobKind::Rescue, id).await;
        }
        _ => house.step(RecordingChange::Finished { id, at, file: file(&finished) }).await,
    }
    house.crash_after(false, step).await;
    assert_eq!(house.row(id).await.state, state, "{step}: the row does not know yet");
    house.run_all(false).await;
    is_stored(&house, id, Form::Sealed).await;
    let row = house.row(id).await;
    assert!(row.salvaged && row.samples.unwrap() > samples / 2, "{state}, {step}");
    assert_eq!(row.sha256, row.object.map(|object| object.checksum));
}

#[tokio::test]
async fn a_rescue_goes_on_from_wherever_it_was_cut() {
    for step in ["rebuilt", "salvaged"] {
        for state in ["recording", "failed", "finished"] {
            rescue_from(state, step).await;
        }
    }
}

#[tokio::test]
async fn an_upload_that_was_cut_off_may_land_after_all_and_is_waited_for() {
    let house = House::new(Format::Pcm16).await;
    let id = house.finished().await;
    house.crash_after(false, "put").await;
    house.destroy(id).await;
    let late = |span| move |ctx: &mut Context| ctx.settle = Some(span);
    let run = house.run_with(false, late(Duration::from_secs(900)));
    let waits = async || {
        house.jobs().await.iter().any(|job| job.error.as_ref().is_some_and(|e| e.contains("cut off")))
    };
    until("it waits", waits).await;
    run.stop().await;
    let name = names::whole(id, Form::Sealed);
    assert_eq!(house.row(id).await.state, "destroyed");
    assert!(house.deps().store.certificate(id).await.unwrap().is_none(), "nothing is proven yet");
    assert!(!house.object(&name).exists(), "removed at once");
    let jobs = house.jobs().await;
    let job = jobs.iter().find(|job| job.kind == JobKind::Destroy).expect("it goes on");
    let wait = job.due.since(house.deps().clock.now());
    assert!(wait > Duration::from_secs(600), "{wait:?}");
    std::fs::write(house.object(&name), b"it lands").unwrap();
    house.hurry().await;
    let run = house.run_with(false, late(Duration::ZERO));
    until("it is removed", async || house.row(id).await.state == "removed").await;
    run.stop().await;
    assert!(!house.object(&name).exists());
    let text = house.deps().store.certificate(id).await.unwrap().expect("a certificate");
    assert!(text.contains("8 bytes"), "what landed is told: {text}");
}

#[tokio::test]
async fn what_was_uploaded_in_sight_is_not_waited_for() {
    let house = House::new(Format::Pcm16).await;
    let id = house.finished().await;
    house.run_all(false).await;
    house.destroy(id).await;
    let run = house.run_with(false, |ctx| ctx.settle = Some(Duration::from_secs(900)));
    until("it is removed", async || house.row(id).await.state == "removed").await;
    run.stop().await;
}
