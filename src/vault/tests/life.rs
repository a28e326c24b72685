use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;
use crate::media::Codec;
use crate::media::g711::ULAW_TO_PCM;
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
    let exported = place.vault.export(id, &key, &out, &mut |done, all| seen.push((done, all))).unwrap();
    assert_eq!((exported.samples, exported.bytes, exported.salvaged), (24_000, 96_044, false));
    assert_eq!(exported.gaps, finished.gaps);
    assert!(seen.is_sorted() && seen.last() == Some(&(finished.bytes, finished.bytes)));
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    let wav = fs::read(&out).unwrap();
    assert_eq!(wav.len(), 96_044);
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
    shared::<Vault>();
    moves::<Spool>();
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
fn destroyed_is_gone_whenever_it_happens() {
    let place = Place::new();
    let files = |place: &Place| {
        let mut found = list(&place.path("vault/spool")).unwrap();
        found.extend(list(&place.path("vault/recordings/2026/11/22")).unwrap());
        found
    };
    // Finished; and again, and one that never was.
    let (finished, key) = place.record(1, &chunks(1));
    place.vault.destroy(finished.id).unwrap();
    place.vault.destroy(finished.id).unwrap();
    assert!(files(&place).is_empty());
    assert!(matches!(place.pcm(finished.id, &key), Err(VaultError::NotFound(_))));
    // While it is written: what comes later leaves nothing behind.
    let permit = place.permit(2);
    let (mut spool, ending) = place.vault.begin(&permit).unwrap();
    put(&mut spool, &chunks(2));
    place.vault.destroy(permit.id()).unwrap();
    put(&mut spool, &[]);
    Box::new(spool).finish(End { samples: 2 * CHUNK, ..End::default() });
    assert!(matches!(ending.blocking_recv().unwrap(), Err(VaultError::Destroyed(_))));
    assert!(files(&place).is_empty());
    // A leftover.
    let (place, id, _, _) = place.crash(3, &chunks(2));
    place.vault.destroy(id).unwrap();
    assert!(files(&place).is_empty() && place.vault.leftovers().unwrap().is_empty());
    // Another copy that bears its name is found out.
    let (finished, _) = place.record(4, &chunks(1));
    fs::copy(place.rec(finished.id), place.rec(finished.id).with_extension("rec.bak")).unwrap();
    assert!(matches!(place.vault.destroy(finished.id), Err(VaultError::StillThere { .. })));
}

#[test]
fn destroy_and_finish_may_race() {
    let place = Place::new();
    for n in 0..50 {
        let permit = place.permit(n);
        let (mut spool, ending) = place.vault.begin(&permit).unwrap();
        put(&mut spool, &[vec![1; 20]]);
        Box::new(spool).finish(End { samples: 10, ..End::default() });
        place.vault.destroy(permit.id()).unwrap();
        let _ = ending.blocking_recv().unwrap();
        assert!(!place.part(permit.id()).exists() && !place.rec(permit.id()).exists());
    }
}

#[test]
fn a_sink_that_is_dropped_is_given_up() {
    let place = Place::new();
    // Armed and never started: nothing is left.
    let (armed, ending) = place.vault.begin(&place.permit(1)).unwrap();
    drop(armed);
    assert!(matches!(ending.blocking_recv().unwrap(), Err(VaultError::Abandoned { samples: 0, .. })));
    assert!(list(&place.path("vault/spool")).unwrap().is_empty());
    // With sound: kept.
    let permit = place.permit(2);
    let (mut spool, ending) = place.vault.begin(&permit).unwrap();
    put(&mut spool, &chunks(1));
    drop(spool);
    assert!(matches!(ending.blocking_recv().unwrap(), Err(VaultError::Abandoned { samples: CHUNK, .. })));
    assert_eq!(place.vault.leftovers().unwrap(), [permit.id()]);
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
