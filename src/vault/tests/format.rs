use proptest::prelude::*;

use super::super::spool::{Fault, HEADER, Header, Opener, Piece, Sealer};
use super::*;
use crate::media::tap::{Channel, Missing};

fn any_gap() -> impl Strategy<Value = Gap> {
    let why =
        prop_oneof![Just(Missing::Paused), Just(Missing::Hold), Just(Missing::Lost), Just(Missing::Backlog)];
    let channel = prop_oneof![Just(None), Just(Some(Channel::Caller)), Just(Some(Channel::Agent))];
    (any::<u64>(), any::<u64>(), why, channel).prop_map(|(start, len, why, channel)| Gap {
        start,
        len,
        why,
        channel,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_sealed_comes_back(
        audio in prop::collection::vec(prop::collection::vec(any::<[i16; 2]>(), 0..200), 0..10),
        gaps in prop::collection::vec(any_gap(), 0..50),
        samples: u64, unlisted: u64, salvaged: bool, key: [u8; 32], id: u128,
    ) {
        let (key, header) = (DataKey::new(key), Header::draw(RecordingId::new(Ulid(id))));
        let (mut sealer, mut file, mut sealed) = (Sealer::new(&key, &header, 0), Vec::new(), Vec::new());
        for chunk in &audio {
            sealer.audio(chunk.as_flattened(), &mut sealed);
            file.extend_from_slice(&sealed);
        }
        let end = End { samples, gaps, unlisted };
        sealer.last(&end, salvaged, &mut sealed);
        file.extend_from_slice(&sealed);

        let parsed = Header::parse(&header.bytes()).unwrap();
        prop_assert_eq!(parsed.bytes(), header.bytes());
        let mut opener = Opener::new(&key, &parsed, file.as_slice());
        for chunk in &audio {
            let bytes: Vec<u8> = chunk.as_flattened().iter().flat_map(|sample| sample.to_le_bytes()).collect();
            prop_assert_eq!(opener.next().unwrap(), Piece::Audio(&bytes));
        }
        prop_assert_eq!(opener.next().unwrap(), Piece::Last { end, salvaged });
        prop_assert_eq!(opener.at() as usize, HEADER + file.len());
    }

    /// Any bytes at all: no panic, and nothing verifies that was not sealed.
    #[test]
    fn noise_is_refused(file in prop::collection::vec(any::<u8>(), 0..400), header: [u8; HEADER]) {
        let _ = Header::parse(&header);
        let header = Header::draw(RecordingId::new(Ulid(1)));
        let opened = Opener::new(&DataKey::new([1; 32]), &header, file.as_slice()).next().map(|_| ());
        prop_assert!(matches!(opened, Err(Fault::Torn | Fault::Bad)));
    }
}

#[test]
fn the_header_is_as_documented() {
    let id = RecordingId::new(Ulid(0x0102_0304_0506_0708_090A_0B0C_0D0E_0F10));
    let (one, two) = (Header::draw(id).bytes(), Header::draw(id).bytes());
    assert_eq!(one[..16], *b"SAYSOREC\x01\x01\x02\x00\x40\x1F\x00\x00");
    assert_eq!(one[16..32], (1..=16).collect::<Vec<u8>>());
    assert_ne!(one[32..39], two[32..39], "each file has a nonce prefix of its own");
    assert_eq!(one[39], 0);
}

#[test]
fn the_most_gaps_fit_into_the_last_chunk() {
    let gap = Gap { start: 1, len: 2, why: Missing::Lost, channel: None };
    let end = End { samples: 3, gaps: vec![gap; 3_000], unlisted: 4 };
    let (key, header) = (DataKey::new([1; 32]), Header::draw(RecordingId::new(Ulid(1))));
    let mut sealed = Vec::new();
    Sealer::new(&key, &header, 0).last(&end, false, &mut sealed);
    let mut opener = Opener::new(&key, &header, sealed.as_slice());
    assert_eq!(opener.next().unwrap(), Piece::Last { end, salvaged: false });
}

/// A file as header and chunks.
fn split(bytes: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (header, mut rest) = bytes.split_at(HEADER);
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes([rest[1], rest[2], rest[3], 0]) as usize;
        let (chunk, more) = rest.split_at(4 + length);
        chunks.push(chunk.to_vec());
        rest = more;
    }
    (header.to_vec(), chunks)
}

/// Puts `bytes` in the place of a finished recording; tells why it is refused. Nothing may be left
/// at or near the place of the export.
fn refused(place: &Place, id: RecordingId, key: &WrappedKey, bytes: &[u8]) -> VaultError {
    fs::write(place.rec(id), bytes).unwrap();
    let out = place.path("out.wav");
    let error = place.vault.export(id, key, &out, &mut |_, _| {}).expect_err("it was changed");
    assert!(place.vault.read_pcm(id, key).is_err());
    assert!(!out.exists() && !place.path("out.wav.part").exists());
    error
}

#[test]
fn every_kind_of_tampering_is_refused_and_named() {
    let place = Place::new();
    let (one, key) = place.record(1, &chunks(5));
    let (two, other_key) = place.record(2, &chunks(5));
    let id = one.id;
    let truth = fs::read(place.rec(id)).unwrap();
    let other = fs::read(place.rec(two.id)).unwrap();
    let (header, sealed) = split(&truth);
    let (_, others) = split(&other);
    assert_eq!(sealed.len(), 6);
    let join = |chunks: &[&Vec<u8>]| {
        [header.as_slice(), &chunks.iter().copied().flatten().copied().collect::<Vec<u8>>()].concat()
    };
    let [a, b, c, d, e, last] = &sealed[..] else { panic!("six chunks") };

    let tampered = |bytes: &[u8], at_chunk| {
        let error = refused(&place, id, &key, bytes);
        let VaultError::Tampered { id: named, chunk, .. } = error else { panic!("{error}") };
        assert_eq!((named, chunk), (id, at_chunk));
    };
    tampered(&join(&[a, c, b, d, e, last]), 1); // swapped
    tampered(&join(&[a, b, d, e, last]), 2); // left out
    tampered(&join(&[a, b, b, c, d, e, last]), 2); // repeated
    tampered(&join(&[a, b, &others[2], d, e, last]), 2); // another recording's
    tampered(&join(&[a, b, last]), 2); // ended early
    tampered(&join(&[b, a, c, d, e, last]), 0);
    let mut kind = truth.clone();
    kind[HEADER] = 2; // audio passed off as the last chunk
    tampered(&kind, 0);
    let mut salvaged = truth.clone();
    salvaged[truth.len() - last.len()] = 2; // an orderly end passed off as a salvaged one
    tampered(&salvaged, 5);
    let mut prefix = truth.clone();
    prefix[35] ^= 1;
    tampered(&prefix, 0);

    assert!(matches!(refused(&place, id, &key, &join(&[a, b, c])), VaultError::Truncated { .. }));
    assert!(matches!(refused(&place, id, &key, &join(&[])), VaultError::Truncated { at: 40, .. }));
    assert!(matches!(refused(&place, id, &key, &truth[..truth.len() - 1]), VaultError::Truncated { .. }));
    assert!(matches!(refused(&place, id, &key, &[&truth[..], b"x"].concat()), VaultError::Trailing { .. }));
    assert!(matches!(refused(&place, id, &key, &[&truth[..], last].concat()), VaultError::Trailing { .. }));
    assert!(matches!(refused(&place, id, &key, &truth[..20]), VaultError::NotARecording { .. }));
    assert!(matches!(refused(&place, id, &key, b""), VaultError::NotARecording { .. }));
    assert!(
        matches!(refused(&place, id, &key, &other), VaultError::Misplaced { found, .. } if found == two.id)
    );
    assert!(matches!(refused(&place, id, &other_key, &truth), VaultError::WrongKey(named) if named == id));
    for broken in [vec![], vec![1], vec![2; 61], key.0[..60].to_vec(), [&key.0[..], &[0]].concat()] {
        assert!(matches!(refused(&place, id, &WrappedKey(broken), &truth), VaultError::WrongKey(_)));
    }
    let stranger = Place::new();
    fs::create_dir_all(stranger.rec(id).parent().unwrap()).unwrap();
    assert!(matches!(refused(&stranger, id, &key, &truth), VaultError::KekNotHeld { .. }));

    fs::write(place.rec(id), &truth).unwrap();
    assert_eq!(place.vault.read_pcm(id, &key).unwrap(), channels(&chunks(5)), "unchanged it opens");
}

#[test]
fn length_and_metadata_must_agree() {
    let place = Place::new();
    let permit = place.permit(1);
    let header = Header::draw(permit.id());
    let (mut sealer, mut file, mut sealed) =
        (Sealer::new(permit.key(), &header, 0), header.bytes().to_vec(), vec![]);
    sealer.audio(&[1; 20], &mut sealed);
    file.extend_from_slice(&sealed);
    sealer.last(&End { samples: 11, ..End::default() }, false, &mut sealed);
    file.extend_from_slice(&sealed);
    fs::create_dir_all(place.rec(permit.id()).parent().unwrap()).unwrap();
    let error = refused(&place, permit.id(), &place.vault.wrap(&permit), &file);
    assert!(matches!(error, VaultError::Inconsistent { found: 10, said: 11, .. }), "{error}");
}

#[test]
fn no_single_bit_can_be_changed() {
    let place = Place::new();
    let audio = vec![vec![7; 40]; 3];
    let (finished, key) = place.record(1, &audio);
    let truth = fs::read(place.rec(finished.id)).unwrap();
    for bit in 0..truth.len() * 8 {
        let mut bytes = truth.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(place.rec(finished.id), &bytes).unwrap();
        assert!(place.vault.read_pcm(finished.id, &key).is_err(), "bit {bit}");
    }
}

#[test]
fn no_plaintext_and_no_key_is_in_any_file() {
    let place = Place::new();
    let permit = place.permit(1);
    let pattern: Vec<i16> = (0..CHUNK as i16 * 2).collect();
    let (mut spool, ending) = place.vault.begin(&permit).unwrap();
    let samples = put(&mut spool, &vec![pattern.clone(); 20]);
    let place = place.restart();
    drop(ending);
    let key = place.vault.wrap(&permit);
    let mut files = vec![fs::read(place.part(permit.id())).unwrap()];
    assert_eq!(files[0].len() as u64, 40 + samples * 4 + 20 * 20, "all of it is there");
    place.vault.salvage(permit.id(), &key).unwrap();
    files.push(fs::read(place.rec(permit.id())).unwrap());
    let plain: Vec<u8> = pattern.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let finds = |file: &[u8], what: &[u8]| file.windows(what.len()).any(|window| window == what);
    assert!(finds(&plain, &plain[64..72]), "the search finds what is there");
    for file in &files {
        assert!(plain.chunks(8).all(|eight| !finds(file, eight)), "plaintext");
        assert!(!finds(file, permit.key().bytes()) && !finds(file, &key.0), "a key");
    }
    assert!(!finds(&key.0, permit.key().bytes()));
}
