//! Legs with different codecs, clocks and packet lengths; prompts, recording, comfort noise.

use super::rig::{DTMF, Pace, Phone, Rig, payload_type, sound, strength};
use crate::call::PlayId;
use crate::engine::MediaEvent;
use crate::media::dtmf::EventPayload;
use crate::media::rtp::{Header, sequence_distance, timestamp_distance};
use crate::media::sound::Sound;
use crate::media::{Codec, Digit, DigitChannel, Direction, LegMedia};

/// What a phone hears of others' tones must be at least so strong (they are said with 10,000) ...
const THERE: f64 = 5_000.0;
/// ... and what it must not hear, at most.
const ABSENT: f64 = 300.0;

#[test]
fn any_two_codecs_hear_one_another_both_ways() {
    for (a, b) in [(Codec::Pcma, Codec::G722), (Codec::Pcmu, Codec::Opus), (Codec::G722, Codec::Opus)] {
        let mut rig = Rig::new();
        let pace = Pace::new(&mut rig);
        let (mut caller, mut agent) = rig.bridged(a, b);
        let (mut to_agent, mut to_caller) = (Vec::new(), Vec::new());
        for _ in 0..75 {
            pace.tick();
            caller.tone(&[1_000.0]);
            agent.tone(&[440.0]);
            to_agent.extend(agent.listen().1);
            to_caller.extend(caller.listen().1);
        }
        for (heard, codec, said) in [(to_agent, b, 1_000.0), (to_caller, a, 440.0)] {
            let rate = codec.rate();
            // The middle: the beginning waits in the jitter buffer.
            assert!(heard.len() as u32 > rate * 9 / 10, "{a:?} {b:?}: {} samples", heard.len());
            let middle = &heard[heard.len() / 4..heard.len() * 3 / 4];
            let there = strength(middle, rate, said);
            assert!((THERE..11_000.0).contains(&there), "{a:?} {b:?}: {there}");
            assert!(strength(middle, rate, said * 1.31) < ABSENT);
        }
        let stats = rig.close(0);
        assert_eq!((stats.codec, stats.lost), (Some(a), 0));
    }
}

#[test]
fn a_decoded_stream_has_even_steps_in_its_own_clock() {
    let mut rig = Rig::new();
    let pace = Pace::new(&mut rig);
    let (mut caller, agent) = rig.bridged(Codec::Pcma, Codec::Opus);
    let mut heard = Vec::new();
    for _ in 0..40 {
        pace.tick();
        caller.tone(&[700.0]);
        heard.extend(std::iter::from_fn(|| agent.next()).map(|(header, _)| header));
    }
    assert!(heard.len() >= 30 && heard[0].marker, "{}", heard.len());
    for pair in heard.windows(2) {
        assert_eq!((pair[1].payload_type, pair[1].ssrc), (111, pair[0].ssrc));
        assert_eq!(sequence_distance(pair[0].sequence, pair[1].sequence), 1);
        assert_eq!(timestamp_distance(pair[0].timestamp, pair[1].timestamp) % 960, 0);
        assert!(timestamp_distance(pair[0].timestamp, pair[1].timestamp) >= 960);
    }
}

#[test]
fn the_same_codec_is_forwarded_untouched_under_the_peers_number() {
    for codec in [Codec::G722, Codec::Opus] {
        let mut rig = Rig::new();
        let (mut caller, agent) = rig.bridged(codec, codec);
        let media = LegMedia { payload_type: 120, ptime: 40, ..agent.media(Direction::SendRecv) };
        rig.call.configure(1, media);
        rig.barrier(0);
        let mut last: Option<Header> = None;
        for n in 0..20u8 {
            // No valid audio: nobody looks into it. (For Opus its first octet says 20 ms.)
            let payload: Vec<u8> = std::iter::once(0x78).chain((0..90).map(|m| n ^ m)).collect();
            if n == 7 {
                caller.advance();
            }
            caller.send(caller.header, &payload);
            caller.advance();
            let (header, heard) = agent.hear();
            assert_eq!((header.payload_type, &heard), (120, &payload));
            if let Some(last) = last {
                let step = if n == 7 { 2 } else { 1 };
                assert_eq!(sequence_distance(last.sequence, header.sequence), step);
                let ticks = timestamp_distance(last.timestamp, header.timestamp);
                assert_eq!(ticks, i32::from(step) * codec.clock() as i32 / 50);
            }
            last = Some(header);
        }
    }
}

#[test]
fn g711_is_cut_anew_for_a_peer_that_wants_other_packets() {
    for (ptime, octets) in [(40, 320), (60, 480)] {
        let mut rig = Rig::new();
        let pace = Pace::new(&mut rig);
        let (mut caller, agent) = rig.bridged(Codec::Pcma, Codec::Pcmu);
        let media = LegMedia { ptime, ..agent.media(Direction::SendRecv) };
        rig.call.configure(1, media);
        rig.barrier(0);
        let mut lengths = Vec::new();
        for _ in 0..60 {
            pace.tick();
            caller.tone(&[700.0]);
            lengths.extend(std::iter::from_fn(|| agent.next()).map(|(_, payload)| payload.len()));
        }
        // The first two go as they are: they might have been the odd end of something.
        assert_eq!(lengths[..2], [160, 160]);
        assert!(lengths[2..].iter().all(|len| *len == octets), "{lengths:?}");
        assert!(lengths.iter().sum::<usize>() > 50 * 160, "{lengths:?}");
        // A long packet's last part comes later than its first, and is waited for.
        let stats = rig.close(0);
        assert!(stats.concealed <= 20, "{ptime} ms: {} ms were made up", stats.concealed);
    }
}

#[test]
fn prompts_are_heard_on_every_codec() {
    let pcm: Vec<i16> = (0..8_000)
        .map(|n| ((f64::from(n) * 800.0 / 8_000.0 * std::f64::consts::TAU).sin() * 10_000.0) as i16)
        .collect();
    let prompt = std::sync::Arc::new(Sound::from_pcm8k(&pcm));
    for (codec, ptime) in [(Codec::G722, 20), (Codec::G722, 30), (Codec::Opus, 20), (Codec::Opus, 60)] {
        let mut rig = Rig::new();
        let local = rig.call.add_leg(0).unwrap();
        let mut phone = Phone::new(local, codec);
        rig.call.configure(0, LegMedia { ptime, ..phone.media(Direction::SendRecv) });
        let begun = rig.now();
        rig.call.play(0, PlayId(1), prompt.clone(), false);
        assert_eq!(rig.event(), MediaEvent::PlayDone { play: PlayId(1) });
        let took = rig.now().since(begun);
        assert!(took.as_millis() >= 1_000, "{took:?}");
        let (rate, heard) = phone.listen();
        assert!(heard.len() as u32 >= rate, "{codec:?}: {}", heard.len());
        let middle = &heard[heard.len() / 4..heard.len() * 3 / 4];
        let there = strength(middle, rate, 800.0);
        assert!((9_000.0..11_000.0).contains(&there), "{codec:?}: {there}");
        let stats = rig.close(0);
        assert_eq!(stats.packets_out, 1_000_u64.div_ceil(u64::from(ptime)));
    }
}

#[test]
fn keys_are_told_in_the_peers_ticks() {
    let mut rig = Rig::new();
    let (mut caller, agent) = rig.bridged(Codec::Pcma, Codec::Opus);
    caller.key('4');
    assert_eq!(
        rig.event(),
        MediaEvent::Digit { leg: 0, digit: Digit::try_from('4').unwrap(), channel: DigitChannel::Rfc4733 }
    );
    let heard: Vec<_> = (0..3).map(|_| agent.hear()).collect();
    let durations: Vec<u16> =
        heard.iter().map(|(_, payload)| EventPayload::parse(payload).unwrap().duration).collect();
    assert_eq!(durations, [960, 1_920, 2_880]);
    assert!(heard.iter().all(|(header, _)| header.timestamp == heard[0].0.timestamp));
    assert!(heard.iter().all(|(header, _)| header.payload_type == DTMF));
    assert!(heard[0].0.marker && !heard[1].0.marker);
}

/// Two seconds of both sides' tones, recorded; then what each channel holds of both.
fn record(a: Codec, b: Codec) {
    let mut rig = Rig::new();
    let pace = Pace::new(&mut rig);
    let (mut caller, mut agent) = rig.bridged(a, b);
    let reel = rig.record(0, 1);
    for _ in 0..100 {
        pace.tick();
        caller.tone(&[1_000.0]);
        agent.tone(&[440.0]);
        caller.listen();
        agent.listen();
    }
    rig.call.stop_recording();
    rig.barrier(0);
    let reel = reel.lock().unwrap();
    let end = reel.end.as_ref().expect("finished");
    assert!((15_000..30_000).contains(&end.samples), "{end:?}");
    for (n, said, other) in [(0, 1_000.0, 440.0), (1, 440.0, 1_000.0)] {
        let channel = reel.channel(n);
        let middle = &channel[4_000..12_000];
        let (there, absent) = (strength(middle, 8_000, said), strength(middle, 8_000, other));
        assert!(there > THERE && absent < ABSENT, "{a:?} {b:?} channel {n}: {there} {absent}");
    }
}

#[test]
fn a_decoded_bridge_is_recorded() {
    record(Codec::Pcmu, Codec::Opus);
}

#[test]
fn a_forwarded_bridge_of_any_codec_is_recorded() {
    record(Codec::G722, Codec::G722);
    record(Codec::Opus, Codec::Opus);
}

#[test]
fn comfort_noise_goes_to_a_peer_that_knows_it() {
    let mut rig = Rig::new();
    let (mut caller, agent) = rig.bridged(Codec::Pcma, Codec::Pcma);
    for (leg, phone, number) in [(0, &caller, 13), (1, &agent, 96)] {
        let media = LegMedia { comfort_noise: Some(number), ..phone.media(Direction::SendRecv) };
        rig.call.configure(leg, media);
    }
    rig.barrier(0);
    let said = caller.say(1);
    assert_eq!(agent.hear().1, said);
    caller.send(Header { payload_type: 13, ..caller.header }, &[60]);
    caller.header.sequence += 1;
    caller.header.timestamp += 8_000;
    let (header, payload) = agent.hear();
    assert_eq!((header.payload_type, payload), (96, vec![60]));
    let said = caller.say(2);
    let (after, payload) = agent.hear();
    assert_eq!((payload, sequence_distance(header.sequence, after.sequence)), (said, 1));
    assert_eq!(timestamp_distance(header.timestamp, after.timestamp), 8_000);
    assert_eq!(rig.close(0).lost, 0);
}

#[test]
fn comfort_noise_is_made_for_a_peer_that_does_not_and_ends_with_the_next_word() {
    let mut rig = Rig::new();
    let pace = Pace::new(&mut rig);
    let (mut caller, agent) = rig.bridged(Codec::Pcma, Codec::Pcmu);
    let reel = rig.record(0, 1);
    for _ in 0..10 {
        pace.tick();
        caller.tone(&[700.0]);
    }
    // -50 dBov: an amplitude of about 100.
    caller.send(Header { payload_type: 13, ..caller.header }, &[50]);
    caller.header.sequence += 1;
    caller.header.timestamp += 160 * 30;
    while agent.next().is_some() {}
    let mut noise = Vec::new();
    for _ in 0..30 {
        pace.tick();
        noise.extend(std::iter::from_fn(|| agent.next()));
    }
    assert!(noise.len() >= 20, "{}", noise.len());
    assert!(noise.iter().all(|(header, payload)| (header.payload_type, payload.len()) == (0, 160)));
    let decoded: Vec<i16> = noise[5..]
        .iter()
        .flat_map(|(_, payload)| payload)
        .map(|octet| crate::media::g711::ULAW_TO_PCM[usize::from(*octet)])
        .collect();
    let power = decoded.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / decoded.len() as f64;
    assert!((30.0..300.0).contains(&power.sqrt()), "{}", power.sqrt());
    let mut pcm = Vec::new();
    for _ in 0..30 {
        pace.tick();
        caller.tone(&[700.0]);
        for (_, payload) in std::iter::from_fn(|| agent.next()) {
            pcm.extend(payload.iter().map(|octet| crate::media::g711::ULAW_TO_PCM[usize::from(*octet)]));
        }
    }
    assert!(strength(&pcm[pcm.len() / 2..], 8_000, 700.0) > THERE);
    rig.call.stop_recording();
    rig.barrier(0);
    let reel = reel.lock().unwrap();
    let lost = |gap: &&crate::media::tap::Gap| gap.channel.is_some_and(|c| c.index() == 0) && gap.len > 1_600;
    let gaps = &reel.end.as_ref().unwrap().gaps;
    assert_eq!(gaps.iter().find(lost), None, "a pause is no loss");
}

#[test]
fn a_reinvite_that_changes_codec_and_number_goes_on_at_once() {
    let mut rig = Rig::new();
    let pace = Pace::new(&mut rig);
    let (mut caller, agent) = rig.bridged(Codec::Pcma, Codec::Pcma);
    let said = caller.say(1);
    let before = agent.hear();
    assert_eq!(before.1, said);
    // The agent moves to Opus: decoded from now on, in the same stream.
    let mut moved = Phone::new(agent.to, Codec::Opus);
    rig.call.configure(1, moved.media(Direction::SendRecv));
    rig.barrier(0);
    let (mut heard, mut first) = (Vec::new(), None);
    for _ in 0..50 {
        pace.tick();
        caller.tone(&[600.0]);
        first = first.or_else(|| moved.next().map(|(header, _)| header));
        heard.extend(moved.listen().1);
    }
    let first = first.expect("it is spoken to");
    assert_eq!((first.ssrc, first.payload_type), (before.0.ssrc, payload_type(Codec::Opus)));
    let there = strength(&heard[heard.len() / 2..], 48_000, 600.0);
    assert!(there > THERE, "{there}");
    // And back to what the caller speaks: forwarded untouched again.
    let back = Phone::new(agent.to, Codec::Pcma);
    rig.call.configure(1, back.media(Direction::SendRecv));
    rig.barrier(0);
    let said = caller.say(9);
    assert_eq!(back.hear().1, said);
    rig.call.play(1, PlayId(5), sound(160), false);
    assert_eq!(back.hear().1, sound(160).alaw());
}

#[test]
fn what_is_lost_before_decoding_is_concealed_and_counted() {
    let mut rig = Rig::new();
    let pace = Pace::new(&mut rig);
    let (mut caller, mut agent) = rig.bridged(Codec::Pcma, Codec::G722);
    let mut heard = Vec::new();
    for n in 0..80 {
        pace.tick();
        // Every tenth packet is lost on its way here.
        if n % 10 == 5 {
            caller.advance();
        }
        caller.tone(&[600.0]);
        if n > 20 {
            heard.extend(agent.listen().1);
        }
    }
    let longest = heard.split(|sample| sample.unsigned_abs() > 300).map(<[i16]>::len).max().unwrap_or(0);
    assert!(longest < 160, "no hole of 10 ms: {longest} samples");
    let stats = rig.close(0);
    assert_eq!(stats.lost, 8);
    assert!((100..1_000).contains(&stats.concealed), "{} ms", stats.concealed);
    let mos = stats.mos.expect("heard");
    assert!((1.0..4.0).contains(&mos), "{mos}");
}

#[test]
fn a_decoded_speaker_who_pauses_without_a_word_is_heard_again() {
    let mut rig = Rig::new();
    let pace = Pace::new(&mut rig);
    let (mut caller, mut agent) = rig.bridged(Codec::Pcma, Codec::G722);
    let speak = |caller: &mut Phone, agent: &mut Phone| {
        (0..30).for_each(|_| {
            pace.tick();
            caller.tone(&[600.0]);
        });
        (0..10).for_each(|_| pace.tick());
        agent.listen().1
    };
    let before = speak(&mut caller, &mut agent);
    assert!(strength(&before, 16_000, 600.0) > THERE);
    // A second of nothing at all: no packets come, and none are made.
    (0..50).for_each(|_| pace.tick());
    assert!(agent.listen().1.len() <= 320);
    caller.header.timestamp += 60 * 160;
    let after = speak(&mut caller, &mut agent);
    assert!(strength(&after, 16_000, 600.0) > THERE);
    assert_eq!(rig.close(0).lost, 0);
}

#[test]
fn a_pause_that_the_sequence_shows_to_be_one_is_no_loss_in_the_recording() {
    let mut rig = Rig::new();
    let pace = Pace::new(&mut rig);
    let (mut caller, mut agent) = rig.bridged(Codec::Pcma, Codec::Pcma);
    let reel = rig.record(0, 1);
    for n in 0..60 {
        pace.tick();
        agent.tone(&[600.0]);
        match n {
            20..40 => caller.header.timestamp += 160,
            _ => caller.tone(&[400.0]),
        }
    }
    rig.call.stop_recording();
    rig.barrier(0);
    let reel = reel.lock().unwrap();
    let gaps = &reel.end.as_ref().unwrap().gaps;
    let long =
        gaps.iter().find(|gap| gap.channel.is_some_and(|channel| channel.index() == 0) && gap.len > 1_600);
    assert_eq!(long, None, "{gaps:?}");
    let caller = reel.channel(0);
    assert!(strength(&caller[800..2_800], 8_000, 400.0) > THERE);
    assert!(strength(&caller[4_400..6_000], 8_000, 400.0) < ABSENT);
}
