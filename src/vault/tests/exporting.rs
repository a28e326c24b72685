use proptest::prelude::*;

use super::*;

fn draft(place: &Place, id: RecordingId) -> PathBuf {
    place.path(&format!("out.wav.{id}.part"))
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
        fs::write(draft(&place, finished.id), &left).unwrap();
        let (from, sha256) = export(&place, finished.id, &key).unwrap();
        prop_assert!(from as usize <= same, "from {from}, and {same} bytes were right");
        prop_assert!(same - from as usize <= 5_120 + 44, "from {from} of {same}: no more than a chunk is done again");
        prop_assert!(fs::read(place.path("out.wav")).unwrap() == truth);
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &truth);
        prop_assert_eq!(sha256, hex::encode(hash));
        prop_assert!(!draft(&place, finished.id).exists());
    }
}

#[test]
fn a_draft_of_another_format_or_in_use_is_not_gone_on_with() {
    let place = Place::new();
    let (finished, key) = place.record(1, &chunks(40));
    let wav = place.clear(finished.id, &key).unwrap();
    place.vault.encode(finished.id, &key, &mut |_, _| ControlFlow::Continue(())).unwrap();
    let held = File::create(draft(&place, finished.id)).unwrap();
    held.try_lock().unwrap();
    assert!(matches!(export(&place, finished.id, &key), Err(VaultError::InUse(_))));
    drop(held);
    fs::write(draft(&place, finished.id), &wav[..100_000]).unwrap();
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
