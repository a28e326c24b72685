//! `encryption = "store"`: objects in the clear, known by the hash of the whole.

use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

use super::*;
use crate::export::{Audio, AudioError};
use crate::ids::RecordingId;

fn audio(id: RecordingId) -> String {
    format!("/api/v1/recordings/{id}/audio")
}

#[tokio::test]
async fn ranges_of_a_plain_object_are_slices_of_it() {
    let (house, kept) = House::kept(false).await;
    let id = kept.record(1, 100_000).await;
    let wav = kept.wav(id).await;
    let lead = house.log_in("lead").await;
    let sealed = lead.raw("HEAD", &audio(id), &[]).await.headers["etag"].clone();
    kept.store_plain(id).await;
    let whole = lead.raw("GET", &audio(id), &[]).await;
    assert!(whole.status == 200 && whole.whole && whole.body == wav, "{whole:?}");
    let etag = &whole.headers["etag"];
    let hash = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &wav));
    assert_eq!(*etag, format!("\"{hash}\""), "of the object itself");
    assert_ne!(*etag, sealed);
    for (first, last) in [(0, 0), (43, 44), (1_000, 200_000), (wav.len() - 1, wav.len() - 1)] {
        let range = format!("bytes={first}-{last}");
        let part = lead.raw("GET", &audio(id), &[("range", &range), ("if-range", etag)]).await;
        assert!(part.status == 206 && part.body == wav[first..=last], "{range}: {part:?}");
    }
}

#[tokio::test]
async fn a_plain_object_that_was_changed_is_never_taken_for_the_recording() {
    let (house, kept) = House::kept(false).await;
    let id = kept.record(1, 700_000).await;
    kept.store_plain(id).await;
    let wav = kept.wav(id).await;
    kept.damage(id, 1_000_000);
    let lead = house.log_in("lead").await;
    let torn = lead.raw("GET", &audio(id), &[]).await;
    assert!(!torn.whole, "the connection is broken off: {torn:?}");
    let boss = house.log_in("boss").await;
    assert_eq!(boss.get(&format!("/recordings/{id}/vcon")).await.problem(), (500, "damaged".into()));
    assert_eq!(boss.get("/alarms").await.json()[0]["kind"], "recording-damaged");
    let row = house.store.recording(id).await.unwrap().unwrap();
    let opened = Audio::open(&row, &kept.archive.vault, &kept.archive.objects).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("a.wav");
    assert!(matches!(opened.export(id, &out, &mut |_, _| {}).await, Err(AudioError::Damaged(_))));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
    // Another file of the same name is told by its size.
    kept.replace(id, &wav[..wav.len() - 2]);
    assert_eq!(lead.get(&format!("/recordings/{id}/audio")).await.problem(), (500, "damaged".into()));
}

#[tokio::test]
async fn an_interrupted_export_of_a_plain_object_goes_on_and_a_spoilt_draft_spoils_nothing() {
    let (house, kept) = House::kept(false).await;
    let id = kept.record(1, 100_000).await;
    kept.store_plain(id).await;
    let wav = kept.wav(id).await;
    let row = house.store.recording(id).await.unwrap().unwrap();
    let opened = Audio::open(&row, &kept.archive.vault, &kept.archive.objects).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("a.wav");
    let draft = dir.path().join(format!("a.wav.{id}.{}.part", &opened.tag()[..16]));
    let leave = |bytes: &[u8]| {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&draft).unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
    };
    let export = async || {
        let mut starts = Vec::new();
        let mut before = u64::MAX;
        let sha256 = opened
            .export(id, &out, &mut |done, _| {
                if done < before || before == u64::MAX {
                    starts.push(done);
                }
                before = done;
            })
            .await
            .unwrap();
        assert_eq!(sha256, opened.tag());
        assert!(std::fs::read(&out).unwrap() == wav);
        let mode = std::fs::metadata(&out).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert!(!draft.exists());
        std::fs::remove_file(&out).unwrap();
        starts
    };
    assert_eq!(export().await, [0]);
    leave(&wav[..70_000]);
    assert_eq!(export().await, [70_000]);
    let mut spoilt = wav[..70_000].to_vec();
    spoilt[30_000] ^= 1;
    leave(&spoilt);
    assert_eq!(export().await, [70_000, 0], "the whole does not fit, so it is made anew");
    leave(&wav);
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(export().await, [0], "others could read it");
}
