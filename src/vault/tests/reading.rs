use std::sync::OnceLock;

use proptest::prelude::*;

use super::super::objects::{About, Content, ObjectClass, Objects, ObjectsConfig};
use super::super::sealed::HEADER;
use super::*;

/// A recording of a bit more than two windows, made once: its sealed file, and its WAV file.
struct Long {
    place: Place,
    id: RecordingId,
    key: WrappedKey,
    wav: Vec<u8>,
    samples: u64,
}

fn long() -> &'static Long {
    static LONG: OnceLock<Long> = OnceLock::new();
    LONG.get_or_init(|| {
        let place = Place::new();
        let mut audio = chunks(430);
        audio.push(vec![77; 902]);
        let (finished, key) = place.record(1, &audio);
        let mut wav = wav::header(Format::Pcm16, finished.samples).unwrap();
        wav.extend(audio.iter().flatten().flat_map(|sample| sample.to_le_bytes()));
        Long { place, id: finished.id, key, wav, samples: finished.samples }
    })
}

#[test]
fn the_whole_comes_in_order_and_as_told() {
    let Long { place, id, key, wav, samples } = long();
    let reader = wait(place.vault.plain(*id, key)).unwrap();
    let info = reader.info();
    assert_eq!((info.bytes, info.samples, info.format), (wav.len() as u64, *samples, Format::Pcm16));
    assert_eq!((info.format.content_type(), info.format.extension()), ("audio/wav", "wav"));
    assert!(place.clear(*id, key).unwrap() == *wav);
    assert_eq!(wait(reader.sha256()).unwrap(), sha256(wav));
    // As content to be put: the same bytes, again and again.
    assert_eq!(Content::len(&reader), wav.len() as u64);
    for _ in 0..2 {
        assert!(wait(Content::read(&reader, 40..70_000)).unwrap() == wav[40..70_000]);
    }
    assert!(wait(Content::read(&reader, 0..wav.len() as u64 + 1)).is_err());
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_range_is_the_slice_of_the_whole(a in 0u64..2_300_000, b in 0u64..2_300_000, near in 0u64..5_200) {
        let Long { place, id, key, wav, .. } = long();
        let reader = wait(place.vault.plain(*id, key)).unwrap();
        for (start, end) in [(a, b), (a, a + near), (near, b), (a, u64::MAX), (near, near), (0, near)] {
            let clamp = |n: u64| n.min(wav.len() as u64) as usize;
            let truth = &wav[clamp(start).min(clamp(end))..clamp(end)];
            let bytes = wait(collect(reader.stream(start..end))).unwrap();
            prop_assert!(bytes == truth, "{start}..{end}");
        }
    }

    /// What comes before the fault is true, and after it nothing comes.
    #[test]
    fn a_changed_byte_is_never_heard(at in 0usize..103_000, bit in 0u8..8, cut in any::<bool>()) {
        let (place, id, key, truth, wav) = short();
        let at = at % truth.len();
        let mut changed = truth.clone();
        if cut { changed.truncate(at) } else { changed[at] ^= 1 << bit }
        let place = place.lock().unwrap();
        fs::write(place.rec(*id), &changed).unwrap();
        match wait(place.vault.plain(*id, key)) {
            Err(_) => prop_assert!(cut || at < HEADER || at >= truth.len() - 45, "only header and end are seen at once"),
            Ok(reader) => {
                prop_assert!(!cut);
                let pieces: Vec<Result<Bytes, VaultError>> =
                    wait(futures_util::StreamExt::collect(reader.stream(0..u64::MAX)));
                let (last, heard) = pieces.split_last().unwrap();
                let heard: Vec<u8> = heard.iter().flat_map(|piece| piece.as_ref().unwrap().to_vec()).collect();
                prop_assert!(wav.starts_with(&heard));
                let chunk = ((at - HEADER) / 5_140) as u32;
                let found = matches!(last, Err(VaultError::Tampered { chunk: named, .. }) if *named == chunk);
                prop_assert!(found, "{last:?}");
                // A range that does not touch that chunk is not in doubt.
                let after = 44 + (u64::from(chunk) + 1) * 5_120;
                let rest = wait(collect(reader.stream(after..u64::MAX))).unwrap();
                prop_assert!(rest == wav[after.min(wav.len() as u64) as usize..]);
            }
        }
    }

    #[test]
    fn swapped_chunks_are_never_heard(a in 0usize..20, b in 0usize..20) {
        prop_assume!(a != b);
        let (place, id, key, truth, _) = short();
        let mut changed = truth.clone();
        let chunk = |n: usize| HEADER + n * 5_140..HEADER + (n + 1) * 5_140;
        changed[chunk(a)].copy_from_slice(&truth[chunk(b)]);
        changed[chunk(b)].copy_from_slice(&truth[chunk(a)]);
        let place = place.lock().unwrap();
        fs::write(place.rec(*id), &changed).unwrap();
        let error = place.clear(*id, key).expect_err("swapped");
        prop_assert!(matches!(error, VaultError::Tampered { chunk, .. } if chunk as usize == a.min(b)), "{error}");
    }
}

/// Twenty chunks: sealed and as WAV. One test at a time may put another file in its place.
type Short = (std::sync::Mutex<Place>, RecordingId, WrappedKey, Vec<u8>, Vec<u8>);

fn short() -> &'static Short {
    static SHORT: OnceLock<Short> = OnceLock::new();
    SHORT.get_or_init(|| {
        let place = Place::new();
        let (finished, key) = place.record(1, &chunks(20));
        let truth = fs::read(place.rec(finished.id)).unwrap();
        let wav = place.clear(finished.id, &key).unwrap();
        (std::sync::Mutex::new(place), finished.id, key, truth, wav)
    })
}

#[test]
fn it_reads_from_an_object_store_as_well() {
    let Long { place, id, key, wav, samples } = long();
    let dir = tempfile::tempdir().unwrap();
    wait(async {
        let objects = Objects::open(&ObjectsConfig::Folder { dir: dir.path().into() }).await.unwrap();
        let name = format!("recordings/2026/11/22/{id}.rec");
        let file = place.vault.spooled(*id).unwrap().unwrap();
        let about = About {
            recording: *id,
            sha256: None,
            content_type: "application/octet-stream",
            class: ObjectClass::Recording,
        };
        let put = objects.put(&name, &file, &about).await.unwrap();
        let open = |name: &str, bytes| {
            let source = Source::Object { objects: objects.clone(), name: name.to_owned(), bytes };
            place.vault.read(source, *id, key, Some(*samples))
        };
        let reader = open(&name, put.bytes).await.unwrap();
        assert!(collect(reader.stream(0..u64::MAX)).await.unwrap() == *wav);
        assert!(collect(reader.stream(1_050_000..2_100_001)).await.unwrap() == wav[1_050_000..2_100_001]);
        // The database knows its size.
        assert!(matches!(open(&name, put.bytes + 1).await, Err(VaultError::Truncated { .. })));
        assert!(matches!(open(&name, put.bytes - 1).await, Err(VaultError::Trailing { .. })));
        let missing = open("recordings/2026/11/22/none.rec", 1).await;
        assert!(matches!(missing, Err(VaultError::Object(objects::ObjectError::NotFound { .. }))));
        // Cut short in the store, by exactly what the database would say.
        let sealed = fs::read(place.rec(*id)).unwrap();
        for (length, cut_at) in [(sealed.len() - 3, 430), (HEADER + 5_140 * 7 + 100, 7), (HEADER, 0)] {
            let name = format!("cut/{length}");
            let piece = Bytes::copy_from_slice(&sealed[..length]);
            objects.put(&name, &piece, &about).await.unwrap();
            let error = open(&name, length as u64).await.expect_err("cut");
            let VaultError::Truncated { at, .. } = error else { panic!("{error}") };
            let short = if cut_at == 430 { 1_804 + 20 } else { 0 };
            assert_eq!(at, (HEADER + cut_at * 5_140 + short) as u64);
        }
    });
}

#[test]
fn a_spool_file_is_read_where_it_lies() {
    let Long { place, id, .. } = long();
    let file = place.vault.spooled(*id).unwrap().unwrap();
    let sealed = fs::read(place.rec(*id)).unwrap();
    assert_eq!(file.len(), sealed.len() as u64);
    assert_eq!(file.file(), Some(place.rec(*id).as_path()));
    assert!(wait(file.read(100..100_000)).unwrap() == sealed[100..100_000]);
    assert!(wait(file.read(0..file.len() + 1)).is_err());
}
