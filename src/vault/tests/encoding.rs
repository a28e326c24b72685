use std::f64::consts::TAU;
use std::io::Cursor;
use std::sync::mpsc;

use ::ogg::PacketReader;
use opus::MSDecoder;

use super::*;

/// A tone whose pitch glides: something like speech, and never the same twice.
fn speech(n: usize, pitch: f64) -> i16 {
    let t = n as f64 / 8_000.0;
    let loud = 0.5 + 0.5 * (TAU * 3.0 * t).sin();
    (loud * 9_000.0 * (TAU * (pitch * t + 40.0 * (TAU * 0.7 * t).sin())).sin()) as i16
}

/// Interleaved chunks of two channels.
fn talk(samples: usize, caller: impl Fn(usize) -> i16, agent: impl Fn(usize) -> i16) -> Vec<Vec<i16>> {
    let all: Vec<i16> = (0..samples).flat_map(|n| [caller(n), agent(n)]).collect();
    all.chunks(CHUNK as usize * 2).map(<[i16]>::to_vec).collect()
}

/// Decodes an Ogg Opus file to 8 kHz: both channels, without what a decoder must leave out.
fn decode(file: &[u8]) -> [Vec<i16>; 2] {
    let mut packets = PacketReader::new(Cursor::new(file));
    let head = packets.read_packet().unwrap().unwrap();
    assert!(head.first_in_stream() && head.last_in_page());
    assert_eq!(head.data[..10], *b"OpusHead\x01\x02");
    assert_eq!(head.data[12..], [0x40, 0x1F, 0, 0, 0, 0, 1, 2, 0, 0, 1], "two streams, uncoupled");
    let skip = u64::from(u16::from_le_bytes([head.data[10], head.data[11]]));
    let tags = packets.read_packet().unwrap().unwrap();
    assert!(tags.data.starts_with(b"OpusTags") && tags.last_in_page());
    assert!(tags.data.ends_with(&[0; 4]), "no comments");
    let mut decoder = MSDecoder::new(8_000, 2, 0, &[0, 1]).unwrap();
    let (mut heard, mut granule, mut pcm) = (Vec::new(), 0, vec![0; 2 * 960]);
    let mut ended = false;
    while let Some(packet) = packets.read_packet().unwrap() {
        assert!(!ended && packet.data.len() > 2);
        let samples = decoder.decode(&packet.data, &mut pcm, false).unwrap();
        heard.extend_from_slice(&pcm[..samples * 2]);
        assert!(packet.absgp_page() >= granule);
        granule = packet.absgp_page();
        if packet.last_in_page() && !packet.last_in_stream() {
            assert_eq!(
                granule,
                heard.len() as u64 / 2 * 6,
                "a page's position is where its last packet ends"
            );
        }
        ended = packet.last_in_stream();
    }
    assert!(ended);
    let (skip, end) = (skip as usize / 6, granule as usize / 6);
    assert!(end <= heard.len() / 2 && heard.len() / 2 - end < 160, "less than a packet is cut off");
    let side = |n: usize| heard.chunks_exact(2).take(end).skip(skip).map(|frame| frame[n]).collect();
    [side(0), side(1)]
}

fn energy(samples: &[i16]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len().max(1) as f64
}

/// Correlation of two equally long signals.
fn likeness(a: &[i16], b: &[i16]) -> f64 {
    let product: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    product / a.len() as f64 / (energy(a) * energy(b)).sqrt()
}

/// Goes on to the end.
fn on(_: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn each_channel_is_heard_in_its_place_and_in_time() {
    let place = Place::new();
    let audio = talk(60_123, |n| speech(n, 400.0), |n| speech(n + 999, 700.0));
    let (finished, key) = place.record(1, &audio);
    let mut seen = Vec::new();
    let encoded = place
        .vault
        .encode(finished.id, &key, &mut |done, all| {
            seen.push((done, all));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(seen.is_sorted() && seen.last() == Some(&(finished.bytes, finished.bytes)));
    assert_eq!((encoded.samples, encoded.salvaged), (60_123, None));
    assert!(encoded.bytes * 3 < finished.bytes, "{} of {}", encoded.bytes, finished.bytes);
    let sealed = fs::read(place.rec(finished.id)).unwrap();
    assert_eq!(sealed.len() as u64, encoded.bytes);
    assert_eq!(place.names(), [format!("{}.rec", finished.id)], "nothing else is left");

    let reader = wait(place.vault.plain(finished.id, &key)).unwrap();
    let info = reader.info();
    assert_eq!((info.samples, info.format.content_type()), (60_123, "audio/ogg"));
    let file = place.clear(finished.id, &key).unwrap();
    assert_eq!(file.len() as u64, info.bytes);
    // Any range of it, too: it is found by arithmetic.
    for (start, end) in [(0, 27), (100, 16_400), (16_383, 16_385), (5_000, info.bytes)] {
        let piece = wait(collect(reader.stream(start..end))).unwrap();
        assert!(piece == file[start as usize..end as usize]);
    }
    let truth = channels(&audio);
    let [caller, agent] = decode(&file);
    assert_eq!((caller.len(), agent.len()), (60_123, 60_123), "as long as it was, to the sample");
    for (heard, said) in [(&caller, &truth.0), (&agent, &truth.1)] {
        // Shifted by a few samples either way it is less like what was said.
        let at = |lag: usize| likeness(&heard[lag..heard.len() - 8 + lag], &said[4..said.len() - 4]);
        let best = (0..=8).max_by(|a, b| at(*a).total_cmp(&at(*b))).unwrap();
        assert!((3..=5).contains(&best), "shifted by {} samples", best as i64 - 4);
        assert!(at(best) > 0.8, "likeness {}", at(best));
    }
    assert!(likeness(&caller, &truth.1).abs() < 0.2);
}

#[test]
fn nothing_of_one_channel_is_in_the_other() {
    let place = Place::new();
    for (n, silent) in [(1, 0), (2, 1)] {
        let talker = |of: usize| move |n: usize| if of == silent { 0 } else { speech(n, 500.0) };
        let (finished, key) = place.record(n, &talk(40_000, talker(0), talker(1)));
        place.vault.encode(finished.id, &key, &mut on).unwrap();
        let heard = decode(&place.clear(finished.id, &key).unwrap());
        let (loud, quiet) = (energy(&heard[1 - silent]), energy(&heard[silent]));
        assert!(loud > 1e6 && quiet < loud * 1e-6, "{loud} and {quiet}: not 60 dB apart");
    }
}

#[test]
fn lengths_at_the_edges_are_kept_and_gaps_too() {
    let place = Place::new();
    for (n, samples) in [0usize, 1, 107, 108, 109, 159, 160, 161, 8_000, 8_107].into_iter().enumerate() {
        let permit = place.permit(n as u128);
        let key = place.vault.wrap(&permit);
        let (mut spool, ending) = place.vault.begin(&permit).unwrap();
        put(&mut spool, &talk(samples, |n| speech(n, 300.0), |_| 0));
        let why = crate::media::tap::Missing::Paused;
        let gap = Gap { start: 0, len: samples as u64, why, channel: None };
        let end = End { samples: samples as u64, gaps: vec![gap], unlisted: 7 };
        Box::new(spool).finish(end);
        ending.blocking_recv().unwrap().unwrap();
        let encoded = place.vault.encode(permit.id(), &key, &mut on).unwrap();
        assert_eq!((encoded.samples, encoded.gaps, encoded.unlisted), (samples as u64, vec![gap], 7));
        let heard = decode(&place.clear(permit.id(), &key).unwrap());
        assert_eq!(heard.map(|side| side.len()), [samples; 2]);
    }
}

#[test]
fn a_salvaged_recording_stays_one() {
    let (place, id, key, _) = Place::new().crash(1, &chunks(3));
    place.vault.salvage(id, &key).unwrap();
    let encoded = place.vault.encode(id, &key, &mut on).unwrap();
    assert_eq!((encoded.samples, encoded.salvaged), (3 * CHUNK, Some(0)));
    assert!(wait(place.vault.plain(id, &key)).unwrap().info().salvaged);
}

#[test]
fn killed_anywhere_one_of_the_two_is_whole() {
    let place = Place::new();
    let (finished, key) = place.record(1, &chunks(12));
    let id = finished.id;
    let (rec, draft) = (place.rec(id), place.rec(id).with_extension("draft"));
    let pcm = fs::read(&rec).unwrap();
    let encoded = place.vault.encode(id, &key, &mut on).unwrap();
    let opus = fs::read(&rec).unwrap();
    // (in its place, draft): while it was made, before the exchange, after it, after the removal.
    let states = [
        (&pcm, Some(&opus[..0])),
        (&pcm, Some(&opus[..40])),
        (&pcm, Some(&opus[..opus.len() / 2])),
        (&pcm, Some(&opus[..])),
        (&opus, Some(&pcm[..])),
        (&opus, None),
    ];
    for (n, (rec_bytes, draft_bytes)) in states.into_iter().enumerate() {
        for restarts in [false, true] {
            fs::write(&rec, rec_bytes).unwrap();
            if let Some(bytes) = draft_bytes {
                fs::write(&draft, bytes).unwrap();
            }
            if restarts {
                assert!(place.vault.leftovers().unwrap().is_empty());
                assert!(!draft.exists());
            }
            assert!(place.vault.salvage(id, &key).is_ok(), "state {n}");
            let again = place.vault.encode(id, &key, &mut on).unwrap();
            assert_eq!((again.samples, again.bytes), (encoded.samples, encoded.bytes), "state {n}");
            decode(&place.clear(id, &key).unwrap());
        }
    }
    // Made anew, it is another file under another key.
    assert_ne!(fs::read(&rec).unwrap()[32..39], pcm[32..39]);
}

#[test]
fn a_damaged_recording_is_not_encoded_and_is_left() {
    let place = Place::new();
    let (finished, key) = place.record(1, &chunks(6));
    let truth = fs::read(place.rec(finished.id)).unwrap();
    let mut flipped = truth.clone();
    flipped[20_000] ^= 1;
    for bytes in [&flipped[..], &truth[..truth.len() - 1], &truth[..30], &[&truth[..], b"x"].concat()] {
        fs::write(place.rec(finished.id), bytes).unwrap();
        assert!(place.vault.encode(finished.id, &key, &mut on).is_err());
        assert_eq!(fs::read(place.rec(finished.id)).unwrap(), bytes);
        assert_eq!(place.names().len(), 1, "no draft is left");
    }
    assert!(matches!(
        place.vault.encode(place.permit(2).id(), &place.vault.wrap(&place.permit(2)), &mut on),
        Err(VaultError::NotFound(_))
    ));
}

#[test]
fn it_stops_when_it_is_told_to() {
    let place = Place::new();
    let (finished, key) = place.record(1, &chunks(6));
    let truth = fs::read(place.rec(finished.id)).unwrap();
    let mut calls = 0;
    let stopped = place.vault.encode(finished.id, &key, &mut |_, _| {
        calls += 1;
        if calls == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(VaultError::Stopped(_))));
    assert_eq!(fs::read(place.rec(finished.id)).unwrap(), truth);
    assert_eq!(place.names().len(), 1);
}

#[test]
fn destroyed_while_it_is_encoded_it_is_gone() {
    let place = Place::new();
    let (finished, key) = place.record(1, &chunks(6));
    let (began, begins) = mpsc::channel();
    let (go, goes) = mpsc::channel::<()>();
    let (vault, id) = (&place.vault, finished.id);
    std::thread::scope(|scope| {
        let encoding = scope.spawn(move || {
            let goes = std::sync::Mutex::new(goes);
            vault.encode(id, &key, &mut |_, _| {
                began.send(()).unwrap();
                let _ = goes.lock().unwrap().recv(); // an error: it goes on for good
                ControlFlow::Continue(())
            })
        });
        begins.recv().unwrap();
        assert!(matches!(vault.let_go(id), Err(VaultError::InUse(_))));
        let destroying = scope.spawn(move || vault.destroy(id));
        drop(go);
        // The encoder may have been done before it was told: then what it made is gone.
        let encoded = encoding.join().unwrap();
        assert!(matches!(encoded, Ok(_) | Err(VaultError::Destroyed(_))), "{encoded:?}");
        assert!(destroying.join().unwrap().unwrap().after.is_empty());
    });
    assert!(place.names().is_empty());
}
