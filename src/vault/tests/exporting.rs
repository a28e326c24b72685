use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

fn draft(place: &Place, id: RecordingId) -> PathBuf {
    place.path(&format!("out.wav.{id}.part"))
}

/// Leaves a draft as an export does.
fn leave(path: &Path, bytes: &[u8]) {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

/// Exports; tells where it went on, and its hash.
fn export(place: &Place, id: RecordingId, key: &WrappedKey) -> Result<(u64, String), VaultError> {
    let mut from = None;
    let exported = wait(async {
        let reader = place.vault.plain(id, key).await?;
        reader.export(&place.path("out.wav"), &mut |done, _| from = from.or(Some(done))).await
    })?;
    Ok((from.unwrap(), exported.sha256))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// However long the draft is and whatever its last bytes are, what comes out is right.
    #[test]
    fn an_interrupted_export_goes_on(length in 0usize..60_000, spoilt in 0usize..12_000, by in 0u8..255) {
        let place = Place::new();
        let (finished, key) = place.record(1, &chunks(10));
        let truth = place.clear(finished.id, &key).unwrap();
        let mut left = truth.clone();
        left.resize(length, 0xAA);
        let right = length.saturating_sub(spoilt);
        left[right..].iter_mut().for_each(|byte| *byte ^= by);
        let same = left.iter().zip(&truth).take_while(|(a, b)| a == b).count();
        leave(&draft(&place, finished.id), &left);
        let (from, sha256) = export(&place, finished.id, &key).unwrap();
        prop_assert_eq!(from as usize, same, "what is right is kept, and nothing else");
        prop_assert!(fs::read(place.path("out.wav")).unwrap() == truth);
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &truth);
        prop_assert_eq!(sha256, hex::encode(hash));
        prop_assert!(!draft(&place, finished.id).exists());
    }
}

/// A draft far longer than what was put on the disk at once: wherever a byte of it is wrong, it is found.
#[test]
fn no_byte_of_a_long_draft_is_trusted() {
    let place = Place::new();
    let permit = place.permit(1);
    let (mut spool, ending) = place.vault.begin(&permit).unwrap();
    let mut start = 0;
    for samples in chunks(3_600) {
        let frames = samples.len() as u64 / 2;
        let mut chunk = Chunk { start, samples };
        // The writer takes no more for a moment when it lags.
        while let Err(back) = spool.put(chunk) {
            std::thread::yield_now();
            chunk = back;
        }
        start += frames;
    }
    Box::new(spool).finish(End { samples: start, ..End::default() });
    let finished = ending.blocking_recv().unwrap().unwrap();
    let key = place.vault.wrap(&permit);
    let truth = place.clear(finished.id, &key).unwrap();
    let mut runner = TestRunner::new(ProptestConfig::with_cases(6));
    let checked = runner.run(&(0..truth.len()), |at| {
        let mut left = truth.clone();
        left[at] ^= 1;
        leave(&draft(&place, finished.id), &left);
        prop_assert_eq!(export(&place, finished.id, &key).unwrap().0, at as u64);
        prop_assert!(fs::read(place.path("out.wav")).unwrap() == truth);
        Ok(())
    });
    checked.unwrap();
}

/// In a shared folder anybody may have put something into the draft's place.
#[test]
fn what_others_may_have_planted_is_not_written_to() {
    let place = Place::new();
    let (finished, key) = place.record(1, &chunks(10));
    let truth = place.clear(finished.id, &key).unwrap();
    let (draft, other) = (draft(&place, finished.id), place.path("theirs"));
    let plant: [(&str, &dyn Fn()); 4] = [
        ("a link", &|| symlink(&other, &draft).unwrap()),
        ("a link to nothing", &|| symlink(place.path("nothing"), &draft).unwrap()),
        ("a second name", &|| fs::hard_link(&other, &draft).unwrap()),
        ("open to all", &|| {
            leave(&draft, &truth[..30_000]);
            fs::set_permissions(&draft, fs::Permissions::from_mode(0o666)).unwrap();
        }),
    ];
    for (what, plant) in plant {
        leave(&other, b"theirs");
        plant();
        assert_eq!(export(&place, finished.id, &key).unwrap().0, 0, "{what}");
        assert_eq!(fs::read(&other).unwrap(), b"theirs", "{what}");
        assert!(!place.path("nothing").exists(), "{what}");
        let out = place.path("out.wav");
        assert!(fs::read(&out).unwrap() == truth, "{what}");
        let told = fs::symlink_metadata(&out).unwrap();
        assert_eq!((told.is_file(), told.mode() & 0o777, told.nlink()), (true, 0o600, 1), "{what}");
        fs::remove_file(&out).unwrap();
    }
}

#[test]
fn a_draft_of_another_format_or_in_use_is_not_gone_on_with() {
    let place = Place::new();
    let (finished, key) = place.record(1, &chunks(40));
    let wav = place.clear(finished.id, &key).unwrap();
    place.vault.encode(finished.id, &key, &mut |_, _| ControlFlow::Continue(())).unwrap();
    leave(&draft(&place, finished.id), b"");
    let held = File::open(draft(&place, finished.id)).unwrap();
    held.try_lock().unwrap();
    assert!(matches!(export(&place, finished.id, &key), Err(VaultError::InUse(_))));
    drop(held);
    leave(&draft(&place, finished.id), &wav[..100_000]);
    assert_eq!(export(&place, finished.id, &key).unwrap().0, 0);
    assert_eq!(fs::read(place.path("out.wav")).unwrap(), place.clear(finished.id, &key).unwrap());
}

#[test]
fn a_damaged_recording_leaves_no_draft() {
    let place = Place::new();
    let (finished, key) = place.record(1, &chunks(10));
    let mut bytes = fs::read(place.rec(finished.id)).unwrap();
    bytes[30_000] ^= 1;
    fs::write(place.rec(finished.id), bytes).unwrap();
    assert!(matches!(export(&place, finished.id, &key), Err(VaultError::Tampered { chunk: 5, .. })));
    assert!(!place.path("out.wav").exists() && !draft(&place, finished.id).exists());
}
