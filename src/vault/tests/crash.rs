use std::time::Duration;

use proptest::prelude::*;

use super::super::sealed::HEADER;
use super::*;
use crate::media::Codec;
use crate::media::tap::{Channel, HOLD, Tap};

/// Bytes a chunk of the tap takes in the file.
const SEALED: usize = 4 + CHUNK as usize * 4 + 16;

/// Salvages `bytes` as what a crash left of `id`.
fn salvage(place: &Place, id: RecordingId, key: &WrappedKey, bytes: &[u8]) -> Result<Finished, VaultError> {
    place.vault.destroy(id).unwrap();
    fs::write(place.part(id), bytes).unwrap();
    assert_eq!(place.vault.leftovers().unwrap(), [id]);
    place.vault.salvage(id, key)
}

#[test]
fn killed_at_any_byte_all_whole_chunks_are_saved() {
    let truth = chunks(6);
    let (place, id, key, bytes) = Place::new().crash(1, &truth);
    assert_eq!(bytes.len(), HEADER + 6 * SEALED);
    let (caller, agent) = channels(&truth);
    // Around every boundary, and in strides between.
    let near = (0..=6).flat_map(|n| (HEADER + n * SEALED).saturating_sub(41)..=HEADER + n * SEALED + 24);
    let lengths = near.chain((0..bytes.len()).step_by(997)).filter(|length| *length <= bytes.len());
    for length in lengths {
        let saved = salvage(&place, id, &key, &bytes[..length]).unwrap();
        let whole = length.saturating_sub(HEADER) / SEALED;
        assert_eq!(saved.samples, whole as u64 * CHUNK, "{length} bytes");
        let torn = if length < HEADER { 0 } else { (length - HEADER) % SEALED };
        assert_eq!(saved.salvaged, Some(torn as u64), "{length} bytes");
        let heard = place.pcm(id, &key).unwrap();
        let samples = saved.samples as usize;
        assert!(heard.0 == caller[..samples] && heard.1 == agent[..samples]);
        assert_eq!(fs::metadata(place.rec(id)).unwrap().len(), saved.bytes);
        assert!(place.vault.leftovers().unwrap().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A call through the tap, killed at any moment, its file cut at any byte of the chunk in
    /// flight: what is saved is true, equally long on both sides, and at most chunk and hold short.
    #[test]
    fn a_killed_call_loses_at_most_chunk_and_hold(packets in 1u64..200, cut in 0usize..SEALED, offset in 0u64..20_000) {
        let place = Place::new();
        let permit = place.permit(1);
        let (id, key) = (permit.id(), place.vault.wrap(&permit));
        let (spool, ending) = place.vault.begin(&permit).unwrap();
        let start = Timestamp::from_micros(DAY as i64 * 1_000);
        let mut tap = Tap::new(permit, Box::new(spool), start);
        let octet = |n: u64| (n % 97) as u8;
        let mut now = start;
        for n in 0..packets {
            now = start + Duration::from_millis(n * 20);
            tap.handle_timeout(now);
            let payload: Vec<u8> = (n * 160..(n + 1) * 160).map(octet).collect();
            tap.push(Channel::Caller, 1, n as u32 * 160, Codec::Pcma, &payload, now);
            tap.push(Channel::Agent, 2, n as u32 * 160, Codec::Pcma, &payload, now);
        }
        now = now + Duration::from_micros(offset);
        tap.handle_timeout(now);
        std::mem::forget(tap); // killed: no end, no destructor
        let place = place.restart();
        drop(ending);

        let said = now.since(start).as_micros() as u64 / 125;
        let Ok(bytes) = fs::read(place.part(id)) else {
            prop_assert!(said < CHUNK + HOLD, "nothing was handed off yet");
            return Ok(());
        };
        prop_assert!(said >= CHUNK + HOLD);
        let length = bytes.len() - cut;
        let saved = salvage(&place, id, &key, &bytes[..length]).unwrap();
        let in_flight = if cut > 0 { CHUNK } else { 0 };
        prop_assert!(saved.samples + CHUNK + HOLD + in_flight >= said, "{} of {said}", saved.samples);
        let (caller, agent) = place.pcm(id, &key).unwrap();
        prop_assert_eq!(&caller, &agent);
        let truth: Vec<i16> =
            (0..saved.samples).map(|n| crate::media::g711::ALAW_TO_PCM[usize::from(octet(n))]).collect();
        prop_assert_eq!(caller, truth);
    }
}

#[test]
fn a_torn_end_is_written_again_and_a_whole_one_is_kept() {
    let place = Place::new();
    let (finished, key) = place.record(1, &chunks(3));
    let id = finished.id;
    let bytes = fs::read(place.rec(id)).unwrap();
    // Killed while the last chunk was written.
    for length in HEADER + 3 * SEALED..bytes.len() {
        let saved = salvage(&place, id, &key, &bytes[..length]).unwrap();
        assert_eq!((saved.samples, saved.bytes), (3 * CHUNK, finished.bytes));
        assert!(saved.salvaged.is_some());
    }
    // Killed before the rename: nothing is missing.
    let saved = salvage(&place, id, &key, &bytes).unwrap();
    assert_eq!(saved, Finished { at: saved.at, ..finished.clone() });
    // Killed after the rename, before the database knew.
    let saved = place.vault.salvage(id, &key).unwrap();
    assert_eq!(saved, Finished { at: saved.at, ..finished });
}

/// The file grew, and its first pages were still in memory when power was lost: it must not fail at each start.
#[test]
fn a_header_that_never_reached_the_disk_is_no_recording() {
    let (place, id, key, bytes) = Place::new().crash(1, &chunks(2));
    for (length, zeros) in [(HEADER, HEADER), (600, 600), (bytes.len(), 512), (bytes.len(), bytes.len())] {
        let mut lost = bytes[..length].to_vec();
        lost[..zeros].fill(0);
        let saved = salvage(&place, id, &key, &lost).unwrap();
        assert_eq!(saved.samples, 0, "{length}, {zeros}");
        assert_eq!(place.pcm(id, &key).unwrap(), (vec![], vec![]));
        assert!(place.vault.leftovers().unwrap().is_empty());
    }
    // Less than a sector is no loss of power.
    let mut damaged = bytes;
    damaged[..HEADER].fill(0);
    assert!(matches!(salvage(&place, id, &key, &damaged), Err(VaultError::NotARecording { .. })));
}

#[test]
fn salvage_may_itself_be_killed() {
    let (place, id, key, bytes) = Place::new().crash(1, &chunks(2));
    let cut = &bytes[..bytes.len() - 100];
    let first = salvage(&place, id, &key, cut).unwrap();
    let salvaged = fs::read(place.rec(id)).unwrap();
    for length in HEADER + SEALED..=salvaged.len() {
        let again = salvage(&place, id, &key, &salvaged[..length]).unwrap();
        assert_eq!((again.samples, &again.sha256), (first.samples, &first.sha256), "the same bytes again");
        assert!(again.salvaged.is_some());
    }
}

#[test]
fn zeros_that_power_loss_leaves_are_a_torn_tail() {
    let truth = chunks(4);
    let (place, id, key, bytes) = Place::new().crash(1, &truth);
    for from in [HEADER, HEADER + SEALED, HEADER + 2 * SEALED + 2, HEADER + 3 * SEALED - 1, 3 * SEALED + 700]
    {
        let mut zeroed = bytes.clone();
        zeroed[from..].fill(0);
        let whole = (from - HEADER) / SEALED;
        // A tag that ends in a zero byte of its own would still verify.
        let saved = salvage(&place, id, &key, &zeroed);
        if from == HEADER + 3 * SEALED - 1 {
            // Only a part of the tag is gone: not to be told from tampering.
            assert!(matches!(saved, Err(VaultError::Tampered { chunk: 2, .. })), "{saved:?}");
        } else {
            assert_eq!(saved.unwrap().samples, whole as u64 * CHUNK, "zeros from {from}");
        }
    }
}

#[test]
fn a_page_may_end_in_the_middle_of_a_tag() {
    let (place, id, key, bytes) = Place::new().crash(1, &chunks(24));
    let in_a_tag = |at: &usize| (at - HEADER) % SEALED > SEALED - 16;
    let from = (512..bytes.len()).step_by(512).find(in_a_tag).expect("a boundary in a tag");
    let mut zeroed = bytes;
    zeroed[from..].fill(0);
    assert_eq!(
        salvage(&place, id, &key, &zeroed).unwrap().samples,
        ((from - HEADER) / SEALED) as u64 * CHUNK
    );
}

#[test]
fn damage_is_not_mistaken_for_a_crash_and_the_file_is_left() {
    let (place, id, key, bytes) = Place::new().crash(1, &chunks(4));
    for at in [33, HEADER + 100, HEADER + SEALED, HEADER + 3 * SEALED + 50, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let error = salvage(&place, id, &key, &damaged).expect_err("damaged");
        assert!(matches!(error, VaultError::Tampered { id: named, .. } if named == id), "{at}: {error}");
        assert_eq!(fs::read(place.part(id)).unwrap(), damaged, "left as it was");
        assert_eq!(place.vault.leftovers().unwrap(), [id], "and named");
    }
    let mut foreign = bytes.clone();
    foreign[0] ^= 1;
    assert!(matches!(salvage(&place, id, &key, &foreign), Err(VaultError::NotARecording { .. })));
    let mut misplaced = bytes;
    misplaced[20] ^= 1;
    assert!(matches!(salvage(&place, id, &key, &misplaced), Err(VaultError::Misplaced { .. })));
}

#[test]
fn wrong_key_unknown_id_and_a_living_recording_are_refused() {
    let (place, id, key, bytes) = Place::new().crash(1, &chunks(2));
    let other = place.permit(2);
    let wrong = place.vault.wrap(&other);
    assert!(matches!(place.vault.salvage(id, &wrong), Err(VaultError::WrongKey(named)) if named == id));
    assert_eq!(fs::read(place.part(id)).unwrap(), bytes);
    assert!(matches!(place.vault.salvage(other.id(), &wrong), Err(VaultError::NotFound(_))));

    let (spool, ending) = place.vault.begin(&other).unwrap();
    assert_eq!(place.vault.leftovers().unwrap(), [id], "what is being written is no leftover");
    assert!(matches!(place.vault.salvage(other.id(), &wrong), Err(VaultError::InUse(_))));
    assert!(matches!(wait(place.vault.plain(other.id(), &wrong)), Err(VaultError::Unfinished(_))));
    Box::new(spool).finish(End::default());
    assert_eq!(ending.blocking_recv().unwrap().unwrap().samples, 0);
    assert_eq!(place.vault.salvage(id, &key).unwrap().samples, 2 * CHUNK);
}

#[test]
fn a_whole_recording_is_never_replaced_by_a_leftover() {
    let (place, id, key, bytes) = Place::new().crash(1, &chunks(2));
    let saved = place.vault.salvage(id, &key).unwrap();
    fs::write(place.part(id), &bytes[..HEADER + SEALED]).unwrap();
    assert!(matches!(place.vault.salvage(id, &key), Err(VaultError::Exists(_))));
    assert_eq!(fs::metadata(place.rec(id)).unwrap().len(), saved.bytes);
}

#[test]
fn a_truncated_recording_in_its_place_is_not_mended() {
    let place = Place::new();
    let (finished, key) = place.record(1, &chunks(2));
    let bytes = fs::read(place.rec(finished.id)).unwrap();
    for length in [20, HEADER + SEALED, bytes.len() - 1] {
        fs::write(place.rec(finished.id), &bytes[..length]).unwrap();
        assert!(place.vault.salvage(finished.id, &key).is_err());
        assert_eq!(fs::read(place.rec(finished.id)).unwrap(), bytes[..length]);
    }
}
