use futures_util::stream;
use proptest::prelude::*;

use super::super::objects::{Content, ObjectError};
use super::super::sealed::HEADER;
use super::*;

/// Waits until what was put is written: messages are handled in order, and another recording's end is told.
fn settled(place: &Place, n: u128) {
    let (other, _) = place.record(n, &[]);
    place.vault.let_go(other.id).unwrap();
}

#[test]
fn a_running_recording_can_be_copied_up_to_a_chunk() {
    let place = Place::new();
    assert!(place.vault.running().is_empty());
    let permit = place.permit(1);
    let id = permit.id();
    let (mut spool, ending) = place.vault.begin(&permit).unwrap();
    let sealed = |place: &Place| {
        let running = place.vault.running();
        assert_eq!((running.len(), running[0].id), (1, id));
        running[0].sealed
    };
    settled(&place, 2);
    assert_eq!(sealed(&place), HEADER as u64);
    // What does not fill a chunk waits for more.
    put(&mut spool, &[vec![1; 2_000]]);
    settled(&place, 3);
    assert_eq!(sealed(&place), HEADER as u64);
    spool.put(Chunk { start: 1_000, samples: vec![2; 4_000] }).unwrap();
    settled(&place, 4);
    assert_eq!(sealed(&place), HEADER as u64 + 2 * 5_140);

    let first = place.vault.spooled_part(id, 0..HEADER as u64 + 5_140).unwrap().unwrap();
    let second = place.vault.spooled_part(id, HEADER as u64 + 5_140..sealed(&place)).unwrap().unwrap();
    assert!(place.vault.spooled_part(id, 0..1_000_000).is_err(), "more than there is");
    assert!(place.vault.spooled(id).unwrap().is_none());
    assert_eq!(first.file(), None, "what is still written to must be copied");
    Box::new(spool).finish(End { samples: 3_000, ..End::default() });
    ending.blocking_recv().unwrap().unwrap();
    assert!(place.vault.running().is_empty());
    assert!(place.vault.spooled_part(id, 0..10).unwrap().is_none());
    // What was opened can still be read, and is the beginning of the whole.
    let whole = fs::read(place.rec(id)).unwrap();
    let copied =
        [wait(first.read(0..first.len())).unwrap(), wait(second.read(0..second.len())).unwrap()].concat();
    assert!(whole.starts_with(&copied) && copied.len() == HEADER + 2 * 5_140);
}

#[test]
fn one_that_fails_runs_no_more() {
    let place = Place::new();
    let (spool, ending) = place.vault.begin(&place.permit(1)).unwrap();
    assert_eq!(place.vault.running().len(), 1);
    drop(spool);
    assert!(ending.blocking_recv().unwrap().is_err());
    assert!(place.vault.running().is_empty());
}

/// Pieces of `bytes`, as a store gives segments.
fn pieces(bytes: &[u8], size: usize) -> impl Stream<Item = Result<Bytes, ObjectError>> + Send + use<> {
    let pieces: Vec<_> = bytes.chunks(size.max(1)).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever was copied comes back, whole chunks of it.
    #[test]
    fn a_lost_disk_costs_what_was_not_copied(copied in HEADER..6 * 5_140, size in 1usize..9_000) {
        let truth = chunks(6);
        let (place, id, key, bytes) = Place::new().crash(1, &truth);
        fs::remove_file(place.part(id)).unwrap();
        let size_back = wait(place.vault.rebuild(id, pieces(&bytes[..copied], size))).unwrap();
        prop_assert_eq!(size_back, copied as u64);
        prop_assert_eq!(place.vault.leftovers().unwrap(), vec![id]);
        let saved = place.vault.salvage(id, &key).unwrap();
        let whole = (copied - HEADER) / 5_140;
        prop_assert_eq!(saved.samples, whole as u64 * CHUNK);
        prop_assert_eq!(place.pcm(id, &key).unwrap(), channels(&truth[..whole]));
        prop_assert_eq!(place.names(), vec![format!("{id}.rec")]);
    }
}

#[test]
fn a_rebuild_overwrites_nothing_and_leaves_nothing_half_done() {
    let (place, id, key, bytes) = Place::new().crash(1, &chunks(3));
    let rebuild = |bytes: &[u8]| wait(place.vault.rebuild(id, pieces(bytes, 1_000)));
    assert!(matches!(rebuild(&bytes), Err(VaultError::Exists(_))));
    fs::remove_file(place.part(id)).unwrap();
    // The store goes away in the middle.
    let away = ObjectError::Away { what: "read", name: "x".to_owned(), why: "gone".to_owned() };
    let begun = futures_util::StreamExt::chain(pieces(&bytes[..5_000], 1_000), stream::iter([Err(away)]));
    let error = wait(place.vault.rebuild(id, begun)).expect_err("cut off");
    assert!(matches!(&error, VaultError::Object(_)) && error.passes());
    assert!(!place.part(id).exists());
    // A draft that a crash left is begun anew, or removed.
    fs::write(place.rec(id).with_extension("rebuild"), vec![9; 50_000]).unwrap();
    assert!(place.vault.leftovers().unwrap().is_empty());
    assert!(place.names().is_empty());
    fs::write(place.rec(id).with_extension("rebuild"), vec![9; 50_000]).unwrap();
    // Another's segments, or nothing at all.
    let mut other = bytes.clone();
    other[20] ^= 1;
    assert!(matches!(rebuild(&other), Err(VaultError::Misplaced { .. })));
    assert!(matches!(rebuild(&bytes[..30]), Err(VaultError::NotARecording { .. })));
    assert!(matches!(rebuild(b""), Err(VaultError::NotARecording { .. })));
    assert_eq!(rebuild(&bytes).unwrap(), bytes.len() as u64);
    assert_eq!(fs::read(place.part(id)).unwrap(), bytes);
    assert_eq!(place.vault.salvage(id, &key).unwrap().samples, 3 * CHUNK);
    assert!(matches!(rebuild(&bytes), Err(VaultError::Exists(_))), "not beside the whole one");
}
