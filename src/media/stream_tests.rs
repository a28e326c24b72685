use super::*;
use proptest::prelude::*;

const AUDIO: Kind = Kind::Audio { samples: 160 };

fn at(ms: u64) -> Timestamp {
    Timestamp::from_micros(5_000_000) + Duration::from_millis(ms)
}

fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> Header {
    Header { marker: false, payload_type: 8, sequence, timestamp, ssrc }
}

fn stream() -> OutStream {
    OutStream::new(0xA11CE, 65_530, u32::MAX - 500)
}

#[test]
fn prompt_bridge_new_ssrc_prompt_is_one_stream() {
    let mut out = stream();
    let mut sent = Vec::new();
    for n in 0..10 {
        sent.push(out.local(8, 160, at(20 * n)));
    }
    out.interrupt();
    for n in 10..20u16 {
        sent.extend(out.forward(&packet(1, 40_000 + n, u32::from(n) * 160), 8, AUDIO, at(20 * u64::from(n))));
    }
    for n in 20..30u16 {
        sent.extend(out.forward(&packet(2, n, 77_777 + u32::from(n) * 160), 8, AUDIO, at(20 * u64::from(n))));
    }
    out.interrupt();
    for n in 30..40 {
        sent.push(out.local(8, 160, at(20 * n)));
    }
    assert_eq!(sent.len(), 40);
    for (n, pair) in sent.windows(2).enumerate() {
        assert_eq!(pair[1].ssrc, 0xA11CE);
        assert_eq!(sequence_distance(pair[0].sequence, pair[1].sequence), 1, "after {n}");
        assert_eq!(timestamp_distance(pair[0].timestamp, pair[1].timestamp), 160, "after {n}");
    }
    let marked: Vec<usize> = (0..40).filter(|n| sent[*n].marker).collect();
    assert_eq!(marked, [0, 10, 20, 30]);
}

#[test]
fn a_pause_between_prompts_passes_in_timestamps() {
    let mut out = stream();
    let first = out.local(8, 160, at(0));
    out.interrupt();
    let second = out.local(8, 160, at(1_020));
    assert_eq!(timestamp_distance(first.timestamp, second.timestamp), 1_020 * 8);
    assert!(second.marker);
    assert_eq!(out.free_from(at(1_025)), at(1_040));
    assert_eq!(out.free_from(at(1_100)), at(1_100));
}

#[test]
fn keys_with_an_ssrc_of_their_own_neither_break_the_audio_nor_fall_apart() {
    let mut out = stream();
    let mut sequences = Vec::new();
    let mut event_timestamps = Vec::new();
    let mut audio_timestamps = Vec::new();
    for n in 0..20u16 {
        let now = at(20 * u64::from(n));
        let audio = out.forward(&packet(1, n, u32::from(n) * 160), 8, AUDIO, now).unwrap();
        sequences.push(audio.sequence);
        audio_timestamps.push(audio.timestamp);
        if (5..12).contains(&n) {
            let event = out.forward(&packet(2, 900 + n, 123_456), 101, Kind::Event, now).unwrap();
            sequences.push(event.sequence);
            event_timestamps.push(event.timestamp);
        }
    }
    assert!(sequences.windows(2).all(|pair| sequence_distance(pair[0], pair[1]) == 1));
    assert!(audio_timestamps.windows(2).all(|pair| timestamp_distance(pair[0], pair[1]) == 160));
    event_timestamps.dedup();
    assert_eq!(event_timestamps.len(), 1, "one event, one timestamp");
}

#[test]
fn another_clock_goes_on_from_where_the_old_one_got() {
    let mut out = stream();
    let a = out.local(8, 160, at(0));
    let b = out.local(8, 160, at(20));
    assert_eq!(timestamp_distance(a.timestamp, b.timestamp), 160);
    out.set_clock(48_000, at(50));
    assert_eq!((out.khz(), out.free_from(at(50))), (48, at(50)));
    let c = out.local(111, 960, at(60));
    // 30 ms at 8 kHz, then 10 at 48.
    assert_eq!((timestamp_distance(b.timestamp, c.timestamp), c.marker), (240 + 480, true));
    let d = out.local(111, 960, at(80));
    assert_eq!((timestamp_distance(c.timestamp, d.timestamp), d.marker), (960, false));
    assert_eq!(out.timestamp_at(at(180)).wrapping_sub(d.timestamp), 4_800);
    // A sender whose clock stood still for ten seconds is moved, in ticks of this clock.
    let e = out.forward(&packet(1, 10, 0), 111, Kind::Audio { samples: 960 }, at(100)).unwrap();
    let f = out.forward(&packet(1, 11, 960), 111, Kind::Audio { samples: 960 }, at(10_100)).unwrap();
    assert_eq!(timestamp_distance(e.timestamp, f.timestamp), 480_000);
}

#[test]
fn an_event_of_our_own_takes_a_number_and_keeps_its_time() {
    let mut out = stream();
    let audio = out.local(8, 160, at(0));
    let start = out.timestamp_at(at(20));
    let first = out.own_event(101, start, true);
    let between = out.local(8, 160, at(20));
    let second = out.own_event(101, start, false);
    let numbers = [audio, first, between, second].map(|header| header.sequence);
    assert!(numbers.windows(2).all(|pair| sequence_distance(pair[0], pair[1]) == 1));
    assert_eq!((first.timestamp, second.timestamp), (start, start));
    assert!(!between.marker, "an event does not break the audio");
}

#[test]
fn what_is_not_forwarded_does_not_look_lost() {
    let mut out = stream();
    let first = out.forward(&packet(1, 10, 0), 8, AUDIO, at(0)).unwrap();
    out.skip(&packet(1, 11, 160));
    let second = out.forward(&packet(1, 12, 320), 8, AUDIO, at(40)).unwrap();
    assert_eq!(sequence_distance(first.sequence, second.sequence), 1);
    assert_eq!(timestamp_distance(first.timestamp, second.timestamp), 320);
}

#[test]
fn a_late_packet_never_takes_anothers_place() {
    let mut out = stream();
    out.forward(&packet(1, 10, 1_600), 8, AUDIO, at(0));
    // The first packet of a talkspurt was overtaken: its place belongs to what was sent before.
    assert_eq!(out.forward(&packet(1, 9, 1_440), 8, AUDIO, at(1)), None);
    let after = out.forward(&packet(1, 12, 1_920), 8, AUDIO, at(40)).unwrap();
    let late = out.forward(&packet(1, 11, 1_760), 8, AUDIO, at(41)).unwrap();
    assert_eq!(sequence_distance(late.sequence, after.sequence), 1);
    assert_eq!(timestamp_distance(late.timestamp, after.timestamp), 160);
    assert!(!late.marker);
}

#[test]
fn a_restarted_sender_and_a_stopped_clock_are_followed() {
    let mut out = stream();
    let a = out.forward(&packet(1, 10, 0), 8, AUDIO, at(0)).unwrap();
    let b = out.forward(&packet(1, 30_000, 0xFFFF_0000), 8, AUDIO, at(20)).unwrap();
    assert_eq!(sequence_distance(a.sequence, b.sequence), 1);
    assert_eq!(timestamp_distance(a.timestamp, b.timestamp), 160);
    // Ten seconds of hold during which the sender's timestamps stood still.
    let c = out.forward(&packet(1, 30_001, 0xFFFF_00A0), 8, AUDIO, at(10_020)).unwrap();
    assert_eq!(timestamp_distance(b.timestamp, c.timestamp), 80_000);
    assert!(c.marker);
    // And ten seconds of silence suppression: the sender's own timestamps tell, nothing is moved.
    let d =
        out.forward(&packet(1, 30_002, 0xFFFF_00A0u32.wrapping_add(80_000)), 8, AUDIO, at(20_020)).unwrap();
    assert_eq!(timestamp_distance(c.timestamp, d.timestamp), 80_000);
    assert!(!d.marker);
}

proptest! {
    /// Whatever is lost, repeated or overtaken on the way here, distances between forwarded packets
    /// are those the sender made.
    #[test]
    fn gaps_of_sequence_and_time_are_kept(
        first in any::<u16>(), timestamp in any::<u32>(), mine in any::<u16>(),
        arrivals in proptest::collection::vec((0u16..400, 0u64..60), 1..200),
    ) {
        let mut out = OutStream::new(7, mine, 9);
        let mut anchor: Option<(u16, Header)> = None;
        for (n, jitter) in arrivals {
            let received = packet(1, first.wrapping_add(n), timestamp.wrapping_add(u32::from(n) * 160));
            let now = at(20 * u64::from(n) + jitter);
            let known = anchor;
            let Some(sent) = out.forward(&received, 8, AUDIO, now) else {
                let (anchor, _) = known.expect("the first packet is always forwarded");
                prop_assert!(n < anchor, "only packets from before the anchor are dropped");
                continue;
            };
            // A jump back of more than 100 packets is a restart by RFC 3550: a new anchor.
            if let Some((n0, sent0)) = known && sequence_distance(sent0.sequence, sent.sequence) as i32 == i32::from(n) - i32::from(n0) {
                prop_assert_eq!(timestamp_distance(sent0.timestamp, sent.timestamp), (i32::from(n) - i32::from(n0)) * 160);
            } else {
                prop_assert!(known.is_none() || out.sequence == sent.sequence.wrapping_add(1));
                anchor = Some((n, sent));
            }
        }
    }

    /// In-order packets of ever changing senders, prompts in between, losses anywhere: sequence and
    /// timestamps only grow, and a lost packet leaves its gap within one sender's stretch.
    #[test]
    fn the_outgoing_stream_only_grows(
        stretches in proptest::collection::vec((any::<u32>(), any::<u16>(), any::<u32>(), 1u16..20, any::<bool>(), any::<bool>()), 1..20),
        lost in proptest::collection::vec(any::<bool>(), 16),
    ) {
        let mut out = OutStream::new(7, 65_000, u32::MAX - 4_000);
        let (mut now, mut last): (u64, Option<Header>) = (0, None);
        for (ssrc, sequence, timestamp, len, local, interrupt) in stretches {
            if interrupt {
                out.interrupt();
            }
            let mut before: Option<u16> = None;
            for n in 0..len {
                now += 20;
                if !local && lost[usize::from(n) % lost.len()] {
                    continue;
                }
                let received = packet(ssrc, sequence.wrapping_add(n), timestamp.wrapping_add(u32::from(n) * 160));
                let sent = if local { Some(out.local(8, 160, at(now))) } else { out.forward(&received, 8, AUDIO, at(now)) };
                let sent = sent.expect("in order packets are never dropped");
                if let Some(last) = last {
                    prop_assert!(sequence_distance(last.sequence, sent.sequence) > 0);
                    prop_assert!(timestamp_distance(last.timestamp, sent.timestamp) >= 160);
                    if let Some(before) = before {
                        prop_assert_eq!(sequence_distance(last.sequence, sent.sequence), (n - before) as i16);
                        prop_assert_eq!(timestamp_distance(last.timestamp, sent.timestamp), i32::from(n - before) * 160);
                    }
                }
                before = Some(n);
                last = Some(sent);
            }
        }
    }
}
