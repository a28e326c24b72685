use proptest::prelude::*;

use super::super::sealed::{Cipher, Fault, HEADER, Header, Opener, Piece};
use super::super::sealing::Sealing;
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
        audio in prop::collection::vec(prop::collection::vec(any::<[i16; 2]>(), 0..3_000), 0..10),
        gaps in prop::collection::vec(any_gap(), 0..50),
        samples: u64, unlisted: u64, salvaged: bool, key: [u8; 32], id: u128,
    ) {
        let (key, header) = (DataKey::new(key), Header::draw(RecordingId::new(Ulid(id)), Format::Pcm16));
        let mut sealing = Sealing::new(&key, &header, Vec::new());
        for piece in &audio {
            sealing.pcm(piece.as_flattened()).unwrap();
        }
        let end = End { samples, gaps, unlisted };
        sealing.end(&end, salvaged).unwrap();
        let (file, written, _) = sealing.into_parts();

        let parsed = Header::parse(&header.bytes()).unwrap();
        prop_assert_eq!(parsed, header);
        let mut opener = Opener::new(&key, &parsed, file.as_slice());
        let truth: Vec<u8> =
            audio.iter().flat_map(|piece| piece.as_flattened()).flat_map(|sample| sample.to_le_bytes()).collect();
        for chunk in truth.chunks(5_120) {
            prop_assert_eq!(opener.next().unwrap(), Piece::Audio(chunk));
        }
        prop_assert_eq!(opener.next().unwrap(), Piece::Last { end, salvaged });
        prop_assert_eq!(opener.at(), written);
        prop_assert_eq!(written as usize, HEADER + file.len());
    }

    /// Any bytes at all: no panic, and nothing verifies that was not sealed.
    #[test]
    fn noise_is_refused(file in prop::collection::vec(any::<u8>(), 0..400), header: [u8; HEADER]) {
        let _ = Header::parse(&header);
        let header = Header::draw(RecordingId::new(Ulid(1)), Format::Pcm16);
        let opened = Opener::new(&DataKey::new([1; 32]), &header, file.as_slice()).next().map(|_| ());
        prop_assert!(matches!(opened, Err(Fault::Torn | Fault::Bad)));
    }
}

#[test]
fn the_header_is_as_documented() {
    let id = RecordingId::new(Ulid(0x0102_0304_0506_0708_090A_0B0C_0D0E_0F10));
    let draw = |format| Header::draw(id, format).bytes();
    let (one, two) = (draw(Format::Pcm16), draw(Format::Pcm16));
    assert_eq!(one[..16], *b"SAYSOREC\x02\x01\x02\x00\x40\x1F\x00\x00");
    assert_eq!(one[16..32], (1..=16).collect::<Vec<u8>>());
    assert_ne!(one[32..39], two[32..39], "each file has a nonce prefix of its own");
    assert_eq!(one[39..], *b"\0\x00\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    for (format, content, chunk) in
        [(Format::Ulaw, 2, 2_560u32), (Format::Alaw, 3, 2_560), (Format::Opus, 4, 16_384)]
    {
        let bytes = draw(format);
        assert_eq!((bytes[9], &bytes[40..44]), (content, &chunk.to_le_bytes()[..]));
        assert_eq!(Header::parse(&bytes).unwrap().format, format);
        assert_eq!(Format::from_word(format.word()), Some(format));
    }
    // The first version, other channels or rates, chunks that are none, anything in what is reserved.
    for (at, byte) in
        [(8, 1), (9, 0), (9, 5), (10, 1), (11, 1), (13, 0), (39, 1), (40, 1), (42, 1), (43, 1), (55, 1)]
    {
        let mut changed = one;
        changed[at] = byte;
        assert!(Header::parse(&changed).is_none(), "byte {at}");
    }
    let mut none = one;
    none[40..44].fill(0);
    assert!(Header::parse(&none).is_none());
}

#[test]
fn files_of_one_recording_have_keys_of_their_own() {
    let (id, key) = (RecordingId::new(Ulid(1)), DataKey::new([1; 32]));
    let one = Header::draw(id, Format::Pcm16);
    let mut bytes = one.bytes();
    bytes[9] = 2; // the same prefix, another content
    bytes[40..44].copy_from_slice(&2_560u32.to_le_bytes());
    let other = Header::parse(&bytes).unwrap();
    let seal = |header: &Header| Cipher::new(&key, header).end(0, &End::default(), false);
    let (one, other) = (seal(&one), seal(&other));
    assert_eq!(one.len(), other.len());
    let alike = one[4..25].iter().zip(&other[4..25]).filter(|(a, b)| a == b).count();
    assert!(alike < 10, "the same text under the same nonce, and {alike} of 21 bytes alike");
}

#[test]
fn the_most_gaps_fit_into_the_last_chunk() {
    let gap = Gap { start: 1, len: 2, why: Missing::Lost, channel: None };
    let end = End { samples: 3, gaps: vec![gap; 3_000], unlisted: 4 };
    let (key, header) = (DataKey::new([1; 32]), Header::draw(RecordingId::new(Ulid(1)), Format::Pcm16));
    let sealed = Cipher::new(&key, &header).end(0, &end, false);
    let mut opener = Opener::new(&key, &header, sealed.as_slice());
    assert_eq!(opener.next().unwrap(), Piece::Last { end, salvaged: false });
    // And more are cut off, not written wrongly.
    let end = End { samples: 3, gaps: vec![gap; 5_000], unlisted: 4 };
    let sealed = Cipher::new(&key, &header).end(0, &end, false);
    assert!(matches!(Opener::new(&key, &header, sealed.as_slice()).next(), Ok(Piece::Last { .. })));
}

/// A file as header and chunks; the trailer goes with the last one.
fn split(bytes: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (header, mut rest) = bytes.split_at(HEADER);
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes([rest[1], rest[2], rest[3], 0]) as usize;
        let (chunk, more) = rest.split_at(4 + length + if rest[0] == 0 { 0 } else { 4 });
        chunks.push(chunk.to_vec());
        rest = more;
    }
    (header.to_vec(), chunks)
}

/// Puts `bytes` in the place of a finished recording; tells why a reader refuses it. What walks through it refuses
/// it too, and nothing may be left at or near the place of an export.
fn refused(place: &Place, id: RecordingId, key: &WrappedKey, bytes: &[u8]) -> VaultError {
    fs::write(place.rec(id), bytes).unwrap();
    let out = place.path("out.wav");
    let error = wait(async {
        let reader = place.vault.plain(id, key).await?;
        reader.export(&out, &mut |_, _| {}).await
    });
    assert!(place.vault.salvage(id, key).is_err());
    assert_eq!(fs::read(place.rec(id)).unwrap(), bytes, "left as it is");
    let left = fs::read_dir(place.dir.path()).unwrap().count();
    assert_eq!(left, 2, "keys and vault");
    error.expect_err("it was changed")
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
    assert!(matches!(refused(&place, id, &key, &prefix), VaultError::WrongDataKey(named) if named == id));

    assert!(matches!(refused(&place, id, &key, &join(&[a, b, c])), VaultError::Truncated { .. }));
    assert!(matches!(refused(&place, id, &key, &join(&[])), VaultError::Truncated { at: 56, .. }));
    assert!(matches!(refused(&place, id, &key, &truth[..truth.len() - 1]), VaultError::Truncated { .. }));
    assert!(matches!(refused(&place, id, &key, &[&truth[..], b"x"].concat()), VaultError::Trailing { .. }));
    assert!(matches!(refused(&place, id, &key, &[&truth[..], last].concat()), VaultError::Trailing { .. }));
    assert!(matches!(refused(&place, id, &key, &truth[..20]), VaultError::NotARecording { .. }));
    assert!(matches!(refused(&place, id, &key, b""), VaultError::NotARecording { .. }));
    assert!(
        matches!(refused(&place, id, &key, &other), VaultError::Misplaced { found, .. } if found == two.id)
    );
    assert!(matches!(refused(&place, id, &other_key, &truth), VaultError::WrongKey(named) if named == id));
    for broken in [vec![], vec![1], key.0[..60].to_vec(), [&key.0[..], &[0]].concat()] {
        assert!(matches!(refused(&place, id, &WrappedKey(broken), &truth), VaultError::WrongKey(_)));
    }
    let stranger = Place::new();
    assert!(
        matches!(refused(&stranger, id, &key, &truth), VaultError::KekNotHeld { recording, .. } if recording == id)
    );
    // The right wrapping of a wrong data key.
    let wrong = place.vault.keyring().wrap(id, &DataKey::new([9; 32]));
    assert!(matches!(refused(&place, id, &wrong, &truth), VaultError::WrongDataKey(named) if named == id));

    fs::write(place.rec(id), &truth).unwrap();
    assert_eq!(place.pcm(id, &key).unwrap(), channels(&chunks(5)), "unchanged it opens");
}

#[test]
fn length_and_metadata_must_agree() {
    let place = Place::new();
    let permit = place.permit(1);
    let (header, key) = (Header::draw(permit.id(), Format::Pcm16), place.vault.wrap(&permit));
    let mut sealing = Sealing::new(permit.key(), &header, header.bytes().to_vec());
    sealing.pcm(&[1; 20]).unwrap();
    sealing.end(&End { samples: 11, ..End::default() }, false).unwrap();
    let (file, ..) = sealing.into_parts();
    let error = refused(&place, permit.id(), &key, &file);
    assert!(matches!(error, VaultError::Inconsistent { found: 10, said: 11, .. }), "{error}");

    let (finished, key) = place.record(2, &chunks(2));
    let file = || Source::Spool(place.vault.spooled(finished.id).unwrap().unwrap());
    let open = |samples| wait(place.vault.read(file(), finished.id, &key, Some(samples))).map(|_| ());
    assert!(open(2 * CHUNK).is_ok());
    assert!(matches!(open(CHUNK), Err(VaultError::NotAsStored { said: CHUNK, .. })));
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
        assert!(place.clear(finished.id, &key).is_err(), "bit {bit}");
        assert!(place.vault.salvage(finished.id, &key).is_err(), "bit {bit}");
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
    assert_eq!(files[0].len() as u64, 56 + samples * 4 + 20 * 20, "all of it is there");
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
