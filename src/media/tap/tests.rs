use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::consent::DataKey;
use crate::ids::RecordingId;

const START: Timestamp = Timestamp::from_micros(1_795_339_800_000_000);

/// A sink for tests: the timeline as the vault would store it.
#[derive(Default)]
struct Heard {
    frames: Vec<[i16; 2]>,
    end: Option<End>,
    largest: usize,
    buffers_made: usize,
    spare: Vec<Vec<i16>>,
    /// Refuse chunks while this is set.
    full: bool,
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Heard>>);

impl ChunkSink for Sink {
    fn buffer(&mut self) -> Vec<i16> {
        let mut heard = self.0.lock().unwrap();
        heard.spare.pop().unwrap_or_else(|| {
            heard.buffers_made += 1;
            Vec::new()
        })
    }

    fn put(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        let mut heard = self.0.lock().unwrap();
        if heard.full {
            return Err(chunk);
        }
        assert!(chunk.start as usize >= heard.frames.len(), "chunks are in order");
        assert_eq!(chunk.samples.len() % 2, 0, "both channels are equally long");
        heard.largest = heard.largest.max(chunk.samples.len());
        heard.frames.resize(chunk.start as usize, [0; 2]);
        heard.frames.extend(chunk.samples.chunks_exact(2).map(|frame| [frame[0], frame[1]]));
        heard.spare.push(chunk.samples);
        Ok(())
    }

    fn finish(self: Box<Self>, end: End) {
        let mut heard = self.0.lock().unwrap();
        heard.frames.resize(end.samples as usize, [0; 2]);
        heard.end = Some(end);
    }
}

fn tap() -> (Tap, Sink) {
    let permit = RecordingPermit::for_test(RecordingId::new(ulid::Ulid(7)), DataKey::new([7; 32]));
    let sink = Sink::default();
    (Tap::new(permit, Box::new(sink.clone()), START), sink)
}

fn ms(ms: u64) -> Timestamp {
    START + Duration::from_millis(ms)
}

fn at(micros: u64) -> Timestamp {
    START + Duration::from_micros(micros)
}

/// The octet a sender speaks at its n-th sample: never silence, and no two packets alike.
fn octet(seed: u64, n: u64) -> u8 {
    let mixed = (n ^ seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    ((mixed >> 40) as u8 & 0x3F) | if mixed >> 63 == 0 { 0x00 } else { 0x80 }
}

fn packet(seed: u64, n: u64, len: u64) -> Vec<u8> {
    (n * len..(n + 1) * len).map(|n| octet(seed, n)).collect()
}

fn pcm(seed: u64, samples: std::ops::Range<u64>) -> Vec<i16> {
    samples.map(|n| ULAW_TO_PCM[usize::from(octet(seed, n))]).collect()
}

fn channel(sink: &Sink, channel: Channel) -> Vec<i16> {
    sink.0.lock().unwrap().frames.iter().map(|frame| frame[channel.index()]).collect()
}

fn end(sink: &Sink) -> End {
    sink.0.lock().unwrap().end.clone().expect("finished")
}

/// A packet on its way: when it arrives, and what it is.
#[derive(Clone, Debug)]
struct Flying {
    arrival: u64,
    channel: Channel,
    ssrc: u32,
    timestamp: u32,
    payload: Vec<u8>,
}

/// Delivers packets in order of arrival, handing off chunks in between as a worker would.
fn fly(tap: &mut Tap, mut packets: Vec<Flying>) {
    packets.sort_by_key(|packet| packet.arrival);
    for packet in packets {
        tap.handle_timeout(at(packet.arrival));
        let Flying { channel, ssrc, timestamp, payload, arrival } = packet;
        tap.push(channel, ssrc, timestamp, Codec::Pcmu, &payload, at(arrival));
    }
}

fn stream(channel: Channel, seed: u64, first: u32, delays: &[u64]) -> Vec<Flying> {
    let packets = delays.iter().zip(0u64..);
    packets
        .map(|(delay, n)| Flying {
            arrival: n * 20_000 + delay,
            channel,
            ssrc: seed as u32,
            timestamp: first.wrapping_add(n as u32 * 160),
            payload: packet(seed, n, 160),
        })
        .collect()
}

fn position_of(haystack: &[i16], needle: &[i16]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the jitter within the hold, the order and the duplicates: a stream without loss is
    /// in the recording sample by sample, and both channels are equally long.
    #[test]
    fn a_clean_stream_is_recorded_to_the_sample(
        caller in prop::collection::vec(0u64..38_000, 1..700),
        agent in prop::collection::vec(0u64..38_000, 1..700),
        first: (u32, u32),
        twice in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let (mut tap, sink) = tap();
        let mut packets = stream(Channel::Caller, 1, first.0, &caller);
        packets.extend(stream(Channel::Agent, 2, first.1, &agent));
        let copies: Vec<_> = twice.iter().map(|index| index.get(&packets).clone()).collect();
        packets.extend(copies.into_iter().map(|copy| Flying { arrival: copy.arrival + 5_000, ..copy }));
        fly(&mut tap, packets);
        tap.finish(ms(40 + 20 * caller.len().max(agent.len()) as u64));
        for (which, seed, count) in [(Channel::Caller, 1, caller.len()), (Channel::Agent, 2, agent.len())] {
            let truth = pcm(seed, 0..count as u64 * 160);
            prop_assert!(position_of(&channel(&sink, which), &truth).is_some(), "{which:?}");
        }
        let end = end(&sink);
        prop_assert!(end.gaps.iter().all(|gap| gap.why == Missing::Lost));
        prop_assert_eq!(end.samples as usize, sink.0.lock().unwrap().frames.len());
    }

    /// Loss, reordering, duplicates, delay far beyond the hold, jumps and changes of SSRC: the
    /// channels stay equally long, what is there is true and in order, and every silent sample is
    /// accounted for.
    #[test]
    fn nothing_is_invented(
        packets in prop::collection::vec(
            (0u64..300_000, 0u8..20, any::<bool>(), prop::option::weighted(0.01, any::<u32>())), 1..400),
    ) {
        let (mut tap, sink) = tap();
        let (mut flying, mut jump, mut ssrc) = (Vec::new(), 0u32, 1u32);
        for ((delay, fate, which, wild), n) in packets.iter().zip(0u64..) {
            jump = jump.wrapping_add(wild.unwrap_or(0));
            ssrc += u32::from(*fate == 19);
            let late = if *fate == 18 { *delay } else { delay / 10 };
            let packet = Flying {
                arrival: n * 20_000 + late,
                channel: if *which { Channel::Caller } else { Channel::Agent },
                ssrc,
                timestamp: (n as u32 * 160).wrapping_add(jump),
                payload: packet(3, n, 160),
            };
            match fate {
                0 | 1 => {}
                2 => flying.extend([packet.clone(), packet]),
                _ => flying.push(packet),
            }
        }
        fly(&mut tap, flying);
        tap.finish(ms(20 * packets.len() as u64));
        let end = end(&sink);
        let frames = sink.0.lock().unwrap().frames.clone();
        prop_assert_eq!(frames.len() as u64, end.samples);
        let listed: u64 = end.gaps.iter().map(|gap| gap.len * if gap.channel.is_some() { 1 } else { 2 }).sum();
        let silent = frames.iter().flatten().filter(|sample| **sample == 0).count() as u64;
        prop_assert_eq!(listed + end.unlisted, silent, "our speech is never zero");
        for gap in &end.gaps {
            let which = gap.channel.expect("lost packets are one channel's").index();
            let gap = &frames[gap.start as usize..(gap.start + gap.len) as usize];
            prop_assert!(gap.iter().all(|frame| frame[which] == 0));
        }
    }

    /// Pauses at any time: silence in them, truth outside, and the marks say exactly where.
    #[test]
    fn a_pause_is_silence_and_marked(moments in prop::collection::btree_set(1u64..3_980, 0..12)) {
        let (mut tap, sink) = tap();
        let mut packets = stream(Channel::Caller, 1, 0, &[0; 200]);
        packets.extend(stream(Channel::Agent, 2, 0, &[0; 200]));
        packets.sort_by_key(|packet| packet.arrival);
        let mut moments_left = moments.iter().copied().collect::<VecDeque<_>>();
        let mut on = false;
        for packet in packets {
            while moments_left.front().is_some_and(|moment| moment * 1_000 < packet.arrival) {
                on = !on;
                let moment = ms(moments_left.pop_front().expect("just seen"));
                tap.handle_timeout(moment);
                tap.pause(on, moment);
            }
            fly(&mut tap, vec![packet]);
        }
        tap.finish(ms(4_000));
        let end = end(&sink);
        let mut toggles = moments.iter().copied();
        let mut truth = [pcm(1, 0..32_000), pcm(2, 0..32_000)];
        while let Some(from) = toggles.next() {
            let to = toggles.next().map_or(32_000, |to| (to * 8 + 1).min(32_000));
            if from * 8 >= to {
                continue;
            }
            // Silent are the pause itself, and all of every packet that came in it.
            let came = (0..200).filter(|n| (from + 1..=to / 8).contains(&(n * 20)));
            for silent in came.map(|n| n * 160..(n + 1) * 160).chain(std::iter::once(from * 8..to)) {
                for side in &mut truth {
                    side[silent.start as usize..silent.end as usize].fill(0);
                }
            }
            let marked = end.gaps.iter().any(|gap| gap.why == Missing::Paused
                && gap.start <= from * 8 && gap.start + gap.len >= to);
            prop_assert!(marked, "{from} {to} {:?}", end.gaps);
        }
        for which in [Channel::Caller, Channel::Agent] {
            prop_assert!(channel(&sink, which) == truth[which.index()], "{which:?} {moments:?}");
        }
    }
}

/// Plays an hour of two senders whose clocks are off by `skew` (parts per million) and tells the
/// largest distance in ms between where a packet is and when it came, and the marks heard.
fn hour(skew: [i64; 2], quiet: bool) -> (f64, usize) {
    // Every second one packet is loud, all others are quiet (or not so quiet).
    let (murmur, loud) = (if quiet { 0xFE } else { 0xB0 }, 0x80);
    struct Ears {
        at: u64,
        was: [i16; 2],
        starts: [Vec<u64>; 2],
        samples: u64,
    }
    struct Listener(Arc<Mutex<Ears>>);
    impl ChunkSink for Listener {
        fn buffer(&mut self) -> Vec<i16> {
            Vec::new()
        }
        fn put(&mut self, chunk: Chunk) -> Result<(), Chunk> {
            let mut ears = self.0.lock().unwrap();
            assert_eq!(chunk.start, ears.at);
            for frame in chunk.samples.chunks_exact(2) {
                for (side, sample) in frame.iter().enumerate() {
                    if *sample == 32_124 && ears.was[side] != 32_124 {
                        let at = ears.at;
                        ears.starts[side].push(at);
                    }
                    ears.was[side] = *sample;
                }
                ears.at += 1;
            }
            Ok(())
        }
        fn finish(self: Box<Self>, end: End) {
            self.0.lock().unwrap().samples = end.samples;
        }
    }
    let ears = Arc::new(Mutex::new(Ears { at: 0, was: [0; 2], starts: [vec![], vec![]], samples: 0 }));
    let permit = RecordingPermit::for_test(RecordingId::new(ulid::Ulid(7)), DataKey::new([7; 32]));
    let mut tap = Tap::new(permit, Box::new(Listener(Arc::clone(&ears))), START);
    let (murmur, loud) = (vec![murmur; 160], vec![loud; 160]);
    let mut truth: [Vec<u64>; 2] = [vec![], vec![]];
    let mut jitter = 1u64;
    // A side's n-th packet: up to 15 ms of jitter, none on the marks, as they are the yardstick.
    let mut next = |n: u64, side: usize| {
        let sent = n as i64 * 20_000 + n as i64 * 20_000 * skew[side] / 1_000_000;
        jitter = jitter.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        sent as u64 + if n % 50 == 25 || n == 0 { 0 } else { (jitter >> 33) % 15_000 }
    };
    let mut ahead = [(next(0, 0), 0), (next(0, 1), 0)];
    loop {
        let side = usize::from(ahead[1].0 < ahead[0].0);
        let (arrival, n) = ahead[side];
        if arrival == u64::MAX {
            break;
        }
        ahead[side] = if n + 1 < 180_000 { (next(n + 1, side), n + 1) } else { (u64::MAX, n + 1) };
        match n % 50 {
            25 => truth[side].push(arrival / 125),
            7 => continue, // and 2 % loss
            _ => {}
        }
        tap.handle_timeout(at(arrival));
        let payload = if n % 50 == 25 { &loud } else { &murmur };
        let side = [Channel::Caller, Channel::Agent][side];
        tap.push(side, 9, n as u32 * 160, Codec::Pcmu, payload, at(arrival));
    }
    tap.finish(at(3_600_000_000));
    let ears = ears.lock().unwrap();
    assert_eq!(ears.at, ears.samples);
    let mut worst = 0;
    for (heard, came) in ears.starts.iter().zip(&truth) {
        assert_eq!(heard.len(), came.len(), "each mark is there once");
        let apart = heard.iter().zip(came).map(|(heard, came)| heard.abs_diff(*came));
        worst = worst.max(apart.max().unwrap_or(0));
    }
    // Between the channels: the marks of the same second.
    let apart = ears.starts[0].iter().zip(&ears.starts[1]).zip(truth[0].iter().zip(&truth[1]));
    for ((a, b), (x, y)) in apart {
        let apart = (*a as i64 - *b as i64) - (*x as i64 - *y as i64);
        worst = worst.max(apart.unsigned_abs());
    }
    (worst as f64 / 8.0, ears.starts[0].len())
}

#[test]
fn an_hour_of_drift_stays_within_20_ms() {
    for (skew, quiet) in [
        ([100, -100], true),
        ([100, -100], false),
        ([200, -200], true),
        ([200, -200], false),
        ([0, 0], false),
    ] {
        let (worst, marks) = hour(skew, quiet);
        assert_eq!(marks, 3_600);
        assert!(worst < 20.0, "{skew:?} ppm: {worst} ms apart");
        assert!(skew != [0, 0] || worst <= 0.25, "no drift, no correction: {worst} ms");
    }
}

#[test]
fn a_killed_process_loses_less_than_a_quarter_second() {
    let (mut tap, sink) = tap();
    for n in 0..500u64 {
        let now = n * 20_000 + 1_999;
        fly(&mut tap, stream(Channel::Caller, 1, 0, &[0; 500])[n as usize..=n as usize].to_vec());
        tap.handle_timeout(at(now)); // a worker on a 2 ms grid
        let safe = sink.0.lock().unwrap().frames.len() as u64;
        let said = now / 125;
        assert!(said - safe < 8 * 225, "{} ms at risk", (said - safe) / 8);
    }
}

#[test]
fn a_burst_is_kept_whole_and_in_order() {
    // The first 140 ms arrive at once, as when a worker was busy while the legs were bridged.
    let (mut tap, sink) = tap();
    let delays: Vec<u64> = (0..400u64).map(|n| 140_000u64.saturating_sub(n * 20_000)).collect();
    fly(&mut tap, stream(Channel::Agent, 5, 77, &delays[..200]));
    tap.finish(ms(4_100));
    assert_eq!(position_of(&channel(&sink, Channel::Agent), &pcm(5, 0..32_000)), Some(1_120));
}

#[test]
fn a_jump_of_timestamps_or_a_new_ssrc_goes_on_where_it_arrived() {
    for (jump, ssrc) in
        [(1_000_000, 1), (4_000_000_000, 1), (2_000, 1), (-1_600i32 as u32, 1), (0, 2), (55, 2)]
    {
        let (mut tap, sink) = tap();
        let mut packets = stream(Channel::Caller, 1, 0, &[0; 200]);
        for packet in &mut packets[100..] {
            packet.timestamp = packet.timestamp.wrapping_add(jump);
            packet.ssrc = ssrc;
        }
        fly(&mut tap, packets);
        tap.finish(ms(4_000));
        let heard = channel(&sink, Channel::Caller);
        assert_eq!(heard[..16_000], pcm(1, 0..16_000), "before {jump} {ssrc}");
        // A short jump back looks like reordering for 100 ms; all else goes on at once.
        let from = if jump == -1_600i32 as u32 { 16_000 + 960 } else { 16_000 };
        assert_eq!(heard[from..], pcm(1, from as u64..32_000), "after {jump} {ssrc}");
    }
}

#[test]
fn speech_after_silence_suppression_is_where_it_was_said() {
    // Timestamps run on during the silence (RFC 3551 §4.1), or stand still (some phones, on hold).
    for frozen in [false, true] {
        let (mut tap, sink) = tap();
        let mut packets = stream(Channel::Caller, 1, 0, &[0; 200]);
        for packet in &mut packets[100..] {
            packet.arrival += 3_000_000;
            packet.timestamp += if frozen { 0 } else { 24_000 };
        }
        fly(&mut tap, packets);
        tap.finish(ms(7_000));
        let heard = channel(&sink, Channel::Caller);
        assert_eq!(heard[16_000..40_000], [0; 24_000]);
        assert_eq!(heard[40_000..], pcm(1, 16_000..32_000));
        let gap = Gap { start: 16_000, len: 24_000, why: Missing::Lost, channel: Some(Channel::Caller) };
        assert!(end(&sink).gaps.contains(&gap), "{:?}", end(&sink).gaps);
    }
}

#[test]
fn a_pause_that_was_announced_or_shows_in_the_sequence_is_no_loss() {
    for announced in [false, true] {
        let (mut tap, sink) = tap();
        let packets = stream(Channel::Caller, 1, 0, &[0; 200]);
        fly(&mut tap, packets[..100].to_vec());
        // Comfort noise, or nothing at all and the next packet says by its number that none is missing.
        if announced {
            tap.rest(Channel::Caller, ms(2_000));
        }
        tap.handle_timeout(ms(4_990));
        if !announced {
            tap.rested(Channel::Caller);
        }
        let mut later = packets[100..].to_vec();
        for packet in &mut later {
            packet.arrival += 3_000_000;
            packet.timestamp += 24_000;
        }
        fly(&mut tap, later);
        tap.finish(ms(7_000));
        let heard = channel(&sink, Channel::Caller);
        assert_eq!(heard[16_000..40_000], [0; 24_000]);
        assert_eq!(heard[40_000..], pcm(1, 16_000..32_000));
        let lost = end(&sink).gaps.into_iter().filter(|gap| gap.channel == Some(Channel::Caller));
        assert_eq!(lost.collect::<Vec<_>>(), [], "announced: {announced}");
    }
}

#[test]
fn what_is_lost_after_a_pause_is_marked_again() {
    let (mut tap, sink) = tap();
    let packets = stream(Channel::Caller, 1, 0, &[0; 200]);
    fly(&mut tap, packets[..50].to_vec());
    tap.rest(Channel::Caller, ms(1_000));
    fly(&mut tap, packets[100..120].to_vec());
    fly(&mut tap, packets[130..].to_vec());
    tap.finish(ms(4_000));
    let lost: Vec<Gap> =
        end(&sink).gaps.into_iter().filter(|gap| gap.channel == Some(Channel::Caller)).collect();
    let gap = Gap { start: 19_200, len: 1_600, why: Missing::Lost, channel: Some(Channel::Caller) };
    assert_eq!(lost, [gap]);
}

#[test]
fn decoded_audio_is_placed_like_any_other() {
    let (mut tap, sink) = tap();
    let samples: Vec<i16> = (0..16_000).map(|n| if n % 7 == 0 { i16::MIN } else { n as i16 + 1 }).collect();
    for (n, packet) in samples.chunks(160).enumerate() {
        let now = ms(20 * n as u64 + 3);
        tap.handle_timeout(now);
        if n != 40 {
            tap.push_pcm(Channel::Agent, 9, n as u32 * 160, packet, now);
        }
    }
    tap.finish(ms(2_010));
    let heard = channel(&sink, Channel::Agent);
    let mut expected: Vec<i16> = samples.iter().map(|sample| (*sample).max(-i16::MAX)).collect();
    expected[6_400..6_560].fill(0);
    assert_eq!(heard[24..16_024], expected);
    let lost = Gap { start: 6_424, len: 160, why: Missing::Lost, channel: Some(Channel::Agent) };
    assert!(end(&sink).gaps.contains(&lost), "{:?}", end(&sink).gaps);
}

#[test]
fn a_short_stall_loses_only_what_came_too_late() {
    // Packets 100-114 are held up and arrive together; the stream recovers at once.
    let (mut tap, sink) = tap();
    let delays: Vec<u64> =
        (0..200u64).map(|n| if (100..115).contains(&n) { (114 - n) * 20_000 } else { 0 }).collect();
    fly(&mut tap, stream(Channel::Caller, 1, 0, &delays));
    tap.finish(ms(4_000));
    let heard = channel(&sink, Channel::Caller);
    let truth = pcm(1, 0..32_000);
    assert_eq!(heard.len(), truth.len());
    assert_eq!(heard[..16_000], truth[..16_000]);
    assert!((0..32_000).all(|n| heard[n] == truth[n] || heard[n] == 0));
    assert_eq!(heard[18_400..], truth[18_400..], "in place again after the stall");
}

#[test]
fn what_is_there_stays() {
    let (mut tap, sink) = tap();
    let (first, other) = (packet(1, 0, 160), packet(2, 0, 160));
    tap.push(Channel::Caller, 1, 0, Codec::Pcmu, &first, ms(0));
    tap.push(Channel::Caller, 1, 0, Codec::Pcmu, &other, ms(1));
    tap.push(Channel::Caller, 1, 80, Codec::Pcmu, &other, ms(2));
    tap.finish(ms(20));
    assert_eq!(channel(&sink, Channel::Caller)[..160], pcm(1, 0..160));
    assert_eq!(channel(&sink, Channel::Caller)[160..], pcm(2, 80..160), "what is new of it counts");
}

#[test]
fn a_new_stream_that_comes_early_is_put_behind_the_old_one() {
    let (mut tap, sink) = tap();
    let mut packets = stream(Channel::Caller, 1, 0, &[0; 100]);
    for packet in &mut packets[50..] {
        packet.ssrc = 2;
        packet.arrival -= 15_000;
    }
    fly(&mut tap, packets);
    tap.finish(ms(2_000));
    assert_eq!(channel(&sink, Channel::Caller), pcm(1, 0..16_000));
}

#[test]
fn it_moves_to_its_worker() {
    fn moves<T: Send>() {}
    moves::<Tap>();
}

#[test]
fn a_full_sink_leaves_marked_silence_and_keeps_time() {
    let (mut tap, sink) = tap();
    let packets = stream(Channel::Caller, 1, 0, &[0; 200]);
    for packet in packets {
        sink.0.lock().unwrap().full = (1_000_000..2_000_000).contains(&packet.arrival);
        fly(&mut tap, vec![packet]);
    }
    tap.finish(ms(4_000));
    let heard = channel(&sink, Channel::Caller);
    let end = end(&sink);
    let gap = *end.gaps.iter().find(|gap| gap.why == Missing::Backlog).expect("marked");
    assert_eq!((gap.channel, gap.len % CHUNK), (None, 0));
    let (from, to) = (gap.start as usize, (gap.start + gap.len) as usize);
    assert!((6_400..=8_000).contains(&from) && (14_400..=16_000).contains(&to), "{gap:?}");
    let mut truth = pcm(1, 0..32_000);
    truth[from..to].fill(0);
    assert_eq!(heard, truth);
    assert!(
        end.gaps.iter().all(|other| other.why == Missing::Backlog || other.channel == Some(Channel::Agent))
    );
}

#[test]
fn a_sink_that_is_full_to_the_end_is_padded() {
    let (mut tap, sink) = tap();
    sink.0.lock().unwrap().full = true;
    fly(&mut tap, stream(Channel::Caller, 1, 0, &[0; 50]));
    tap.finish(ms(1_000));
    assert_eq!(end(&sink).samples, 8_000);
    assert_eq!(end(&sink).gaps, [Gap { start: 0, len: 8_000, why: Missing::Backlog, channel: None }]);
}

#[test]
fn hold_is_silence_and_a_pause_within_it_is_named() {
    let (mut tap, sink) = tap();
    let packets = stream(Channel::Agent, 1, 0, &[0; 200]);
    for (n, packet) in packets.into_iter().enumerate() {
        let now = at(packet.arrival);
        match n {
            50 => tap.hold(true, now),
            75 => tap.pause(true, now),
            100 => tap.hold(false, now),
            125 => tap.pause(false, now),
            _ => {}
        }
        fly(&mut tap, vec![packet]);
    }
    tap.finish(ms(4_000));
    let marked = |why| end(&sink).gaps.iter().find(|gap| gap.why == why).map(|gap| (gap.start, gap.len));
    assert_eq!(marked(Missing::Hold), Some((8_000, 4_001)));
    assert_eq!(marked(Missing::Paused), Some((12_001, 8_000)));
    assert_eq!(channel(&sink, Channel::Agent)[8_000..20_000], [0; 12_000]);
    assert_eq!(channel(&sink, Channel::Agent)[20_001..], pcm(1, 20_001..32_000));
}

#[test]
fn buffers_are_recycled() {
    let (mut tap, sink) = tap();
    fly(&mut tap, stream(Channel::Caller, 1, 0, &[0; 500]));
    tap.finish(ms(10_000));
    let heard = sink.0.lock().unwrap();
    assert_eq!((heard.buffers_made, heard.largest), (1, CHUNK as usize * 2));
}

#[test]
fn wild_input_does_no_harm() {
    let (mut tap, sink) = tap();
    tap.push(Channel::Caller, 1, 0, Codec::Pcma, &[], ms(0));
    tap.push(Channel::Caller, 1, u32::MAX, Codec::Pcma, &[1; 60_000], ms(1));
    tap.push(Channel::Caller, 1, 5, Codec::Pcma, &[1; 160], ms(0));
    tap.push(Channel::Caller, 1, 1 << 31, Codec::Pcma, &[1; 160], ms(90_000));
    tap.push(Channel::Agent, 1, 0, Codec::Pcmu, &[1; 160], START - Duration::from_secs(1));
    tap.finish(ms(90_020));
    assert_eq!(end(&sink).samples, 720_160);
    assert_eq!(channel(&sink, Channel::Agent), vec![0; 720_160]);
}
