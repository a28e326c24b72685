use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;
use crate::media::Codec;
use crate::media::g711::{ALAW_TO_PCM, ULAW_TO_PCM};
use crate::media::tap::{Channel, Missing, Tap};

#[test]
fn a_call_through_tap_and_vault_comes_back_as_wav() {
    let place = Place::new();
    let permit = place.permit(1);
    let (id, key) = (permit.id(), place.vault.wrap(&permit));
    let (spool, ending) = place.vault.begin(&permit).unwrap();
    let start = Timestamp::from_micros(DAY as i64 * 1_000);
    let mut tap = Tap::new(permit, Box::new(spool), start);
    for n in 0..150u64 {
        let now = start + Duration::from_millis(n * 20);
        tap.handle_timeout(now);
        if n == 100 {
            tap.pause(true, now);
        }
        tap.push(Channel::Caller, 1, n as u32 * 160, Codec::Pcmu, &[0x10; 160], now);
        if n < 50 {
            tap.push(Channel::Agent, 2, n as u32 * 160, Codec::Pcmu, &[0x90; 160], now);
        }
    }
    tap.finish(start + Duration::from_secs(3));
    let finished = ending.blocking_recv().unwrap().unwrap();

    assert_eq!((finished.id, finished.samples, finished.salvaged), (id, 24_000, None));
    let gaps: Vec<_> = finished.gaps.iter().map(|gap| (gap.start, gap.len, gap.why, gap.channel)).collect();
    let expected =
        [(8_000, 8_000, Missing::Lost, Some(Channel::Agent)), (16_000, 8_000, Missing::Paused, None)];
    assert_eq!(gaps, expected);
    let file = fs::read(place.rec(id)).unwrap();
    assert_eq!(finished.bytes, file.len() as u64);
    let sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &file);
    assert_eq!(finished.sha256, hex::encode(sha256));
    assert!(!place.part(id).exists());

    let out = place.path("out.wav");
    fs::write(&out, "an older export").unwrap();
    let mut seen = Vec::new();
    let reader = wait(place.vault.plain(id, &key)).unwrap();
    let exported = wait(reader.export(&out, &mut |done, all| seen.push((done, all)))).unwrap();
    let info = &exported.info;
    assert_eq!((info.samples, info.bytes, info.salvaged), (24_000, 96_044, false));
    assert_eq!(info.gaps, finished.gaps);
    assert!(seen.is_sorted() && seen.last() == Some(&(96_044, 96_044)));
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    let wav = fs::read(&out).unwrap();
    assert_eq!(wav.len(), 96_044);
    let sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &wav);
    assert_eq!(exported.sha256, hex::encode(sha256));
    assert_eq!(wait(reader.sha256()).unwrap(), exported.sha256);
    // RIFF size, "fmt ": PCM, 2 channels, 8 kHz, 32,000 bytes/s, 4 bytes a frame, 16 bits, data size.
    assert_eq!(wav[..4], *b"RIFF");
    assert_eq!(u32::from_le_bytes(wav[4..8].try_into().unwrap()), 96_036);
    assert_eq!(wav[8..36], *b"WAVEfmt \x10\0\0\0\x01\0\x02\0\x40\x1F\0\0\0\x7D\0\0\x04\0\x10\0");
    assert_eq!(wav[36..44], *b"data\x00\x77\x01\x00");
    let mut reader = hound::WavReader::open(&out).unwrap();
    let samples: Vec<i16> = reader.samples::<i16>().map(Result::unwrap).collect();
    for (n, frame) in samples.chunks_exact(2).enumerate() {
        let caller = if n < 16_000 { ULAW_TO_PCM[0x10] } else { 0 };
        let agent = if n < 8_000 { ULAW_TO_PCM[0x90] } else { 0 };
        assert_eq!(frame, [caller, agent], "at {n}");
    }
    let pcm = place.pcm(id, &key).unwrap();
    assert!(pcm.0.iter().zip(&pcm.1).flat_map(|(a, b)| [*a, *b]).eq(samples));
}

#[test]
fn it_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    fn moves<T: Send>() {}
    fn goes<T: Send>(_: &T) {}
    shared::<Vault>();
    moves::<Spool>();
    let place = Place::new();
    let (finished, key) = place.record(1, &chunks(1));
    // What a job awaits may be on any thread.
    let (id, out) = (finished.id, place.path("x"));
    let reader = wait(place.vault.plain(id, &key)).unwrap();
    goes(&place.vault.plain(id, &key));
    goes(&reader.export(&out, &mut |_, _| {}));
    goes(&place.vault.rebuild(id, futures_util::stream::empty()));
}

#[test]
fn many_recordings_at_once_do_not_mix() {
    let place = Place::new();
    let permits: Vec<_> = (0..30).map(|n| place.permit(n)).collect();
    let mut spools: Vec<_> = permits.iter().map(|permit| place.vault.begin(permit).unwrap()).collect();
    for turn in 0..20u64 {
        for (n, (spool, _)) in spools.iter_mut().enumerate() {
            spool
                .put(Chunk { start: turn * 10, samples: vec![(n * 100 + turn as usize) as i16; 20] })
                .unwrap();
        }
    }
    for (permit, (spool, ending)) in permits.iter().zip(spools) {
        Box::new(spool).finish(End { samples: 205, ..End::default() });
        assert_eq!(ending.blocking_recv().unwrap().unwrap().samples, 205);
        let n = ulid::Ulid::from_string(&permit.id().to_string()).unwrap().random() as usize;
        let truth: Vec<i16> =
            (0..205).map(|at| if at < 200 { (n * 100 + at / 10) as i16 } else { 0 }).collect();
        let pcm = place.pcm(permit.id(), &place.vault.wrap(permit)).unwrap();
        assert_eq!(pcm, (truth.clone(), truth));
    }
}

#[test]
fn long_chunks_and_long_silences_are_split() {
    let place = Place::new();
    let permit = place.permit(1);
    let (mut spool, ending) = place.vault.begin(&permit).unwrap();
    spool.put(Chunk { start: 40_000, samples: vec![5; 80_000] }).unwrap();
    Box::new(spool).finish(End { samples: 100_000, ..End::default() });
    assert_eq!(ending.blocking_recv().unwrap().unwrap().samples, 100_000);
    let (caller, _) = place.pcm(permit.id(), &place.vault.wrap(&permit)).unwrap();
    let truth = [vec![0; 40_000], vec![5; 40_000], vec![0; 20_000]].concat();
    assert_eq!(caller, truth);
}

#[test]
fn a_spool_recycles_its_buffers() {
    let place = Place::new();
    let (mut spool, ending) = place.vault.begin(&place.permit(1)).unwrap();
    spool.put(Chunk { start: 0, samples: Vec::with_capacity(4_321) }).unwrap();
    // Messages are handled in order: when another recording's end is told, the chunk was written.
    place.record(2, &[]);
    assert!(spool.buffer().capacity() >= 4_321, "the same buffer comes back");
    assert_eq!(spool.buffer().capacity(), 0, "and only once");
    Box::new(spool).finish(End::default());
    ending.blocking_recv().unwrap().unwrap();
}

#[test]
fn a_sink_that_is_dropped_is_given_up() {
    let place = Place::new();
    // Armed and never started: nothing is left.
    let (armed, ending) = place.vault.begin(&place.permit(1)).unwrap();
    drop(armed);
    assert!(matches!(ending.blocking_recv().unwrap(), Err(VaultError::Abandoned { samples: 0, .. })));
    assert!(place.names().is_empty());
    // With sound: kept.
    let permit = place.permit(2);
    let (mut spool, ending) = place.vault.begin(&permit).unwrap();
    put(&mut spool, &chunks(1));
    drop(spool);
    assert!(matches!(ending.blocking_recv().unwrap(), Err(VaultError::Abandoned { samples: CHUNK, .. })));
    assert_eq!(place.vault.leftovers().unwrap(), [permit.id()]);
    // What did not fill a chunk is there as well.
    let permit = place.permit(3);
    let (mut spool, ending) = place.vault.begin(&permit).unwrap();
    put(&mut spool, &[vec![3; 2_000], vec![4; 2_000]]);
    drop(spool);
    assert!(matches!(ending.blocking_recv().unwrap(), Err(VaultError::Abandoned { samples: 2_000, .. })));
    let key = place.vault.wrap(&permit);
    assert_eq!(place.vault.salvage(permit.id(), &key).unwrap().samples, 2_000);
    assert_eq!(place.pcm(permit.id(), &key).unwrap().0, [[3; 1_000], [4; 1_000]].concat());
}

#[test]
fn an_id_is_used_once() {
    let place = Place::new();
    let permit = place.permit(1);
    let (spool, ending) = place.vault.begin(&permit).unwrap();
    assert!(matches!(place.vault.begin(&permit).map(|_| ()), Err(VaultError::Exists(_))));
    Box::new(spool).finish(End::default());
    ending.blocking_recv().unwrap().unwrap();
    assert!(matches!(place.vault.begin(&permit).map(|_| ()), Err(VaultError::Exists(_))));
}

#[test]
fn closing_the_vault_finishes_what_ended() {
    let place = Place::new();
    let permit = place.permit(1);
    let (mut spool, ending) = place.vault.begin(&permit).unwrap();
    let samples = put(&mut spool, &chunks(3));
    Box::new(spool).finish(End { samples, ..End::default() });
    let place = place.restart(); // returns when the threads are done
    assert!(place.rec(permit.id()).exists());
    assert!(ending.blocking_recv().unwrap().is_ok());
}

#[test]
fn g711_that_came_as_g711_loses_nothing() {
    for (format, codec, table) in
        [(Format::Ulaw, Codec::Pcmu, &ULAW_TO_PCM), (Format::Alaw, Codec::Pcma, &ALAW_TO_PCM)]
    {
        let place = Place::of(format);
        let permit = place.permit(1);
        let (id, key) = (permit.id(), place.vault.wrap(&permit));
        let (spool, ending) = place.vault.begin(&permit).unwrap();
        let start = Timestamp::from_micros(DAY as i64 * 1_000);
        let mut tap = Tap::new(permit, Box::new(spool), start);
        // Every octet there is, in 41 packets: 160 samples more than five chunks.
        let octets: Vec<u8> = (0..41 * 160).map(|n| (n % 256) as u8).collect();
        for (n, payload) in octets.chunks(160).enumerate() {
            let now = start + Duration::from_millis(n as u64 * 20);
            tap.handle_timeout(now);
            tap.push(Channel::Caller, 1, n as u32 * 160, codec, payload, now);
            tap.push(Channel::Agent, 2, n as u32 * 160, codec, payload, now);
        }
        tap.finish(start + Duration::from_millis(41 * 20));
        let finished = ending.blocking_recv().unwrap().unwrap();
        assert_eq!(finished.samples, 41 * 160);
        assert_eq!(finished.bytes, 56 + 41 * 320 + 6 * 20 + 20 + 21 + 4, "half of what PCM takes");
        let wav = place.clear(id, &key).unwrap();
        assert_eq!(wav.len(), 58 + 41 * 320);
        assert_eq!(wav[..4], *b"RIFF");
        assert_eq!(u32::from_le_bytes(wav[4..8].try_into().unwrap()) as usize, wav.len() - 8);
        let tag = if format == Format::Ulaw { 7 } else { 6 };
        assert_eq!(wav[8..20], *b"WAVEfmt \x12\0\0\0");
        assert_eq!(wav[20..38], [tag, 0, 2, 0, 0x40, 0x1F, 0, 0, 0x80, 0x3E, 0, 0, 2, 0, 8, 0, 0, 0]);
        assert_eq!(wav[38..50], *b"fact\x04\0\0\0\xA0\x19\0\0");
        assert_eq!(wav[50..58], *b"data\x40\x33\0\0");
        for (n, (frame, sent)) in wav[58..].chunks_exact(2).zip(&octets).enumerate() {
            let heard = [frame[0], frame[1]].map(|octet| table[usize::from(octet)]);
            assert_eq!(heard, [table[usize::from(*sent)]; 2], "sample {n}");
            // Of the two zeros that mu-law has, one is kept.
            assert!(frame == [*sent; 2] || (format, *sent) == (Format::Ulaw, 0x7F), "sample {n}");
        }
    }
}

#[test]
fn silence_in_g711_is_silence() {
    let place = Place::of(Format::Alaw);
    let permit = place.permit(1);
    let (spool, ending) = place.vault.begin(&permit).unwrap();
    Box::new(spool).finish(End { samples: 3_000, ..End::default() });
    assert_eq!(ending.blocking_recv().unwrap().unwrap().samples, 3_000);
    let wav = place.clear(permit.id(), &place.vault.wrap(&permit)).unwrap();
    assert!(
        wav.len() == 58 + 6_000 && wav[58..].iter().all(|octet| *octet == crate::media::g711::ALAW_SILENCE)
    );
}

#[test]
fn a_disk_down_to_its_reserve_takes_no_new_recording() {
    let mut place = Place::new();
    let room = place.vault.room().unwrap();
    assert!(room.free > 0 && room.reserve == 0);
    let (mut spool, ending) = place.vault.begin(&place.permit(1)).unwrap();
    place.vault.reserve = u64::MAX;
    let refused = place.vault.begin(&place.permit(2)).map(|_| ());
    assert!(matches!(refused, Err(VaultError::NoRoom { reserve: u64::MAX, .. })));
    assert_eq!(place.names().len(), 1, "nothing is begun");
    // What goes on goes on.
    let samples = put(&mut spool, &chunks(2));
    Box::new(spool).finish(End { samples, ..End::default() });
    assert!(ending.blocking_recv().unwrap().is_ok());
}

#[test]
fn a_spool_keeps_its_id() {
    let place = Place::new();
    let id = place.vault.spool_id().to_owned();
    assert!(Ulid::from_string(&id).is_ok());
    assert_eq!(fs::read_to_string(place.path("vault/spool.id")).unwrap(), format!("{id}\n"));
    assert_eq!(fs::read_dir(place.path("vault")).unwrap().count(), 2, "no draft is left");
    let place = place.restart();
    assert_eq!(place.vault.spool_id(), id);
    assert_ne!(Place::new().vault.spool_id(), id);
    fs::write(place.path("vault/spool.id"), "nonsense").unwrap();
    assert!(matches!(open(&place.dir).map(|_| ()), Err(VaultError::SpoolId { .. })));
}
