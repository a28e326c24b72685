use proptest::prelude::*;

use super::*;

const MS: i64 = 1_000;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_760_000_000_000_000 + micros)
}

/// A pseudo-random number from 0 to 1, the same for the same arguments.
fn random(seed: u32, n: u32) -> f64 {
    let mut x = seed.wrapping_mul(0x9E37_79B9) ^ n.wrapping_mul(0x85EB_CA6B) ^ 0x1234_5678;
    for _ in 0..3 {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
    }
    f64::from(x) / f64::from(u32::MAX)
}

/// A sender and the network: packets that carry their number as payload.
#[derive(Clone, Debug)]
struct Sender {
    clock: u32,
    ptime_ms: i64,
    packets: u32,
    /// Shares lost and duplicated.
    loss: f64,
    twice: f64,
    /// Each packet waits up to so long, in milliseconds.
    jitter_ms: f64,
    skew_ppm: f64,
    seed: u32,
    sequence: u16,
    timestamp: u32,
}

const USUAL: Sender = Sender {
    clock: 8_000,
    ptime_ms: 20,
    packets: 500,
    loss: 0.0,
    twice: 0.0,
    jitter_ms: 0.0,
    skew_ppm: 0.0,
    seed: 1,
    sequence: 65_500,
    timestamp: u32::MAX - 30_000,
};

#[derive(Clone, Debug)]
struct Packet {
    header: Header,
    content: Content,
    payload: Vec<u8>,
    arrival: i64,
}

impl Sender {
    fn ticks(&self) -> u32 {
        self.clock / 1_000 * self.ptime_ms as u32
    }

    fn header(&self, n: u32) -> Header {
        Header {
            marker: n == 0,
            payload_type: 8,
            sequence: self.sequence.wrapping_add(n as u16),
            timestamp: self.timestamp.wrapping_add(n * self.ticks()),
            ssrc: 7,
        }
    }

    /// In the order of their arrival.
    fn send(&self) -> Vec<Packet> {
        let mut sent = Vec::new();
        for n in 0..self.packets {
            let sent_at = f64::from(n) * self.ptime_ms as f64 * 1_000.0 * (1.0 + self.skew_ppm * 1e-6);
            let waits = |salt: u32| random(self.seed ^ salt, n) * self.jitter_ms * 1_000.0;
            let packet = |arrival: f64| Packet {
                header: self.header(n),
                content: Content::Audio { ticks: self.ticks() },
                payload: n.to_be_bytes().to_vec(),
                arrival: arrival as i64,
            };
            if random(self.seed ^ 0xABCD, n) >= self.loss {
                sent.push(packet(sent_at + waits(1)));
            }
            if random(self.seed ^ 0xDCBA, n) < self.twice {
                sent.push(packet(sent_at + waits(2)));
            }
        }
        sent.sort_by_key(|packet| packet.arrival);
        sent
    }
}

/// What was played: packets by number and when, and milliseconds concealed.
#[derive(Debug, Default)]
struct Heard {
    /// Packet and the moment it was played, in µs; surplus ones too.
    packets: Vec<(u32, i64)>,
    surplus: u64,
    concealed_us: i64,
    noise: u32,
    empty: u32,
    /// The largest delay from arrival of a packet to its play.
    longest_us: i64,
    stats: JitterStats,
}

/// Plays on a grid of 5 ms, as something that pulls 5 ms at a time would.
fn play(clock: u32, packets: &[Packet], until: i64, quiet: impl Fn(i64) -> bool) -> Heard {
    let mut buffer = JitterBuffer::new(clock);
    let mut heard = Heard::default();
    let mut rest = packets.iter().peekable();
    let (mut arrivals, mut lengths) = (std::collections::HashMap::new(), std::collections::HashMap::new());
    let mut filled = 0;
    let mut now = 0;
    while now < until {
        while let Some(packet) = rest.next_if(|packet| packet.arrival <= now) {
            buffer.put(&packet.header, packet.content, &packet.payload, at(packet.arrival));
            if let Ok(number) = packet.payload.clone().try_into() {
                let number = u32::from_be_bytes(number);
                arrivals.entry(number).or_insert(packet.arrival);
                lengths.insert(number, packet.content.ticks());
            }
        }
        filled = filled.max(now);
        while filled < now + 5 * MS {
            let frame = buffer.take(at(filled), quiet(now));
            let number = |payload: &[u8]| u32::from_be_bytes(payload.try_into().expect("a number"));
            match frame {
                Frame::Audio { payload, .. } => {
                    let number = number(payload);
                    heard.packets.push((number, filled));
                    heard.longest_us = heard.longest_us.max(filled - arrivals[&number]);
                    filled += lengths[&number] * 1_000_000 / i64::from(clock);
                }
                Frame::Surplus { payload, .. } => {
                    heard.packets.push((number(payload), filled));
                    heard.surplus += 1;
                }
                Frame::Lost { ticks, .. } => {
                    let us = i64::from(ticks) * 1_000_000 / i64::from(clock);
                    assert!(us > 0, "something is to be concealed");
                    heard.concealed_us += us;
                    filled += us;
                }
                Frame::Noise { .. } => {
                    heard.noise += 1;
                    filled += 5 * MS;
                }
                Frame::Empty => {
                    heard.empty += 1;
                    filled += 5 * MS;
                }
            }
        }
        now += 5 * MS;
    }
    heard.stats = buffer.stats();
    heard
}

fn numbers(heard: &Heard) -> Vec<u32> {
    heard.packets.iter().map(|&(number, _)| number).collect()
}

#[test]
fn an_even_stream_is_played_whole_with_little_delay() {
    for (clock, ptime_ms) in [(8_000, 10), (8_000, 20), (8_000, 60), (48_000, 20)] {
        let sender = Sender { clock, ptime_ms, ..USUAL };
        let heard =
            play(clock, &sender.send(), (500 * ptime_ms + 1_000) * MS, |now| now % 1_000_000 < 100_000);
        assert_eq!(numbers(&heard), (0..500).collect::<Vec<_>>());
        let (last, played) = heard.packets[499];
        let delay = played - i64::from(last) * ptime_ms * MS;
        assert!(delay <= (ptime_ms + 20) * MS, "{ptime_ms} ms: {delay} µs");
        assert_eq!((heard.stats.lost, heard.stats.late, heard.stats.duplicates), (0, 0, 0));
    }
}

#[test]
fn loss_is_concealed_in_its_place_and_counted() {
    let sender = Sender { loss: 0.1, ..USUAL };
    let sent = sender.send();
    let heard = play(8_000, &sent, 10_500 * MS, |_| false);
    assert_eq!(heard.packets.len(), sent.len());
    let (first, last) = (heard.packets[0].0, heard.packets[heard.packets.len() - 1].0);
    let lost = u64::from(last + 1 - first) - sent.len() as u64;
    assert!(lost > 20);
    assert_eq!((heard.stats.lost, heard.stats.late), (lost, 0));
    // What is concealed is what was lost, and what the end of the stream looked like.
    let wanted = lost as i64 * 20 * MS;
    assert!((heard.concealed_us - wanted).abs() <= 150 * MS, "{} of {wanted}", heard.concealed_us);
}

#[test]
fn the_packet_after_a_lost_one_is_shown_for_its_error_correction() {
    let mut buffer = JitterBuffer::new(8_000);
    for n in [0u32, 1, 3] {
        buffer.put(&USUAL.header(n), Content::Audio { ticks: 160 }, &n.to_be_bytes(), at(i64::from(n)));
    }
    let mut now = 60 * MS;
    for wanted in ["0", "1", "lost, then 3", "3"] {
        let got = match buffer.take(at(now), false) {
            Frame::Audio { payload, .. } => format!("{}", payload[3]),
            Frame::Lost { ticks: 160, next: Some(next) } => format!("lost, then {}", next[3]),
            other @ (Frame::Lost { .. } | Frame::Surplus { .. } | Frame::Noise { .. } | Frame::Empty) => {
                format!("{other:?}")
            }
        };
        assert_eq!(got, wanted);
        now += 20 * MS;
    }
}

#[test]
fn jitter_is_learnt_quickly_and_forgotten_slowly() {
    let sender = Sender { jitter_ms: 60.0, packets: 1_500, ..USUAL };
    let sent = sender.send();
    let heard = play(8_000, &sent, 31_000 * MS, |now| now % 500_000 < 60_000);
    assert!(heard.stats.late <= 8, "{:?}", heard.stats);
    assert!((40_000..90_000).contains(&heard.stats.target_us), "{:?}", heard.stats);
    // After the first second next to nothing is concealed.
    assert!(heard.concealed_us < 500 * MS, "{}", heard.concealed_us);

    // Then a calm minute and a half: the delay goes down again.
    let calm = Sender { packets: 6_000, ..USUAL };
    let mut both = sent;
    both.extend(calm.send().into_iter().skip(1_510));
    let heard = play(8_000, &both, 121_000 * MS, |now| now % 500_000 < 60_000);
    assert!(heard.stats.target_us < 20_000, "{:?}", heard.stats);
    let &(number, played) = heard.packets.last().unwrap();
    assert!(played - i64::from(number) * 20 * MS < 45 * MS, "{number} at {played}");
}

#[test]
fn skewed_clocks_never_pile_up_delay() {
    for skew_ppm in [-500.0, 500.0] {
        // Ten minutes: 300 ms of drift.
        let sender = Sender { skew_ppm, jitter_ms: 5.0, packets: 30_000, ..USUAL };
        let heard = play(8_000, &sender.send(), 601_000 * MS, |now| now % 2_000_000 < 200_000);
        let &(number, played) = heard.packets.last().unwrap();
        let sent_at = (f64::from(number) * 20_000.0 * (1.0 + skew_ppm * 1e-6)) as i64;
        assert!(played - sent_at < 80 * MS, "{skew_ppm} ppm: {} µs", played - sent_at);
        assert!(heard.longest_us < 90 * MS, "{skew_ppm} ppm: {}", heard.longest_us);
        assert_eq!(heard.stats.late, 0);
        // The end of the stream is concealed for 110 ms.
        let moved = heard.surplus as i64 * 20 - (heard.concealed_us / MS - 110);
        // A faster sender (negative: its packets come sooner) has frames left out, a slower one is stretched.
        let wanted = (skew_ppm * -0.6) as i64;
        assert!((moved - wanted).abs() < 60, "{skew_ppm} ppm: {moved} ms of {wanted}");
    }
}

#[test]
fn a_step_of_the_delay_is_followed_and_a_stall_is_not_kept() {
    // From packet 200 on everything takes 120 ms longer.
    let mut sent = USUAL.send();
    for packet in &mut sent[200..] {
        packet.arrival += 120 * MS;
    }
    let heard = play(8_000, &sent, 11_000 * MS, |_| false);
    assert!(heard.packets.len() >= 499, "{}", heard.packets.len());
    // Between 200 and 230 nothing came: it all comes at once.
    let mut sent = USUAL.send();
    for packet in &mut sent[200..230] {
        packet.arrival = 230 * 20 * MS;
    }
    let heard = play(8_000, &sent, 11_000 * MS, |now| now % 1_000_000 < 100_000);
    let &(number, played) = heard.packets.last().unwrap();
    assert_eq!(number, 499);
    assert!(played - 499 * 20 * MS < 120 * MS, "{played}");
    assert!(heard.longest_us <= 420 * MS, "{}", heard.longest_us);
}

#[test]
fn a_new_ssrc_and_a_jump_of_timestamps_or_numbers_lose_nothing() {
    for change in 0..4 {
        let mut sent = USUAL.send();
        for packet in &mut sent[250..] {
            let header = &mut packet.header;
            match change {
                0 => {
                    (header.ssrc, header.sequence, header.timestamp) =
                        (9, header.sequence ^ 0x5555, header.timestamp ^ 0x5555_5555)
                }
                1 => header.timestamp = header.timestamp.wrapping_add(1 << 30),
                2 => header.timestamp = header.timestamp.wrapping_sub(1 << 30),
                _ => header.sequence = header.sequence.wrapping_add(20_000),
            }
        }
        if change == 0 {
            // The exclusive-or above would scatter the numbers: renumber.
            for (n, packet) in sent[250..].iter_mut().enumerate() {
                packet.header.sequence = 4_000 + n as u16;
                packet.header.timestamp = 99 + 160 * n as u32;
            }
        }
        let heard = play(8_000, &sent, 10_500 * MS, |_| false);
        // A jump of the numbers alone is believed at the second packet (RFC 3550 A.1).
        let missed = usize::from(change == 3);
        assert!(heard.packets.len() >= 499 - missed, "change {change}: {}", heard.packets.len());
        assert!(heard.longest_us < 80 * MS, "change {change}: {}", heard.longest_us);
        assert_eq!(heard.stats.lost, 0, "change {change}");
    }
}

#[test]
fn pauses_are_filled_with_noise_or_silence_and_speech_resumes_in_time() {
    for comfort in [true, false] {
        // Packets 100-199 are not sent; with comfort noise one in their place, numbers without a gap.
        let mut sent: Vec<Packet> = USUAL
            .send()
            .into_iter()
            .enumerate()
            .filter(|(n, _)| !(100..200).contains(n))
            .map(|(_, p)| p)
            .collect();
        for packet in &mut sent[100..] {
            packet.header.sequence = packet.header.sequence.wrapping_sub(if comfort { 99 } else { 100 });
            packet.header.marker = true;
        }
        if comfort {
            let header = USUAL.header(100);
            sent.insert(
                100,
                Packet { header, content: Content::Noise, payload: vec![60], arrival: 2_000 * MS },
            );
        }
        let heard = play(8_000, &sent, 10_500 * MS, |_| false);
        assert_eq!(heard.packets.len(), 400);
        assert_eq!((heard.stats.lost, heard.stats.late), (0, 0));
        let gap = heard.packets[100].1 - heard.packets[99].1;
        assert!((gap - 2_020 * MS).abs() <= 40 * MS, "{gap}");
        assert_eq!(heard.noise > 300, comfort);
        assert!(if comfort { heard.concealed_us <= 220 * MS } else { heard.empty > 300 }, "{heard:?}");
    }
}

#[test]
fn events_in_the_stream_are_silent_and_not_lost() {
    let mut sent = USUAL.send();
    for packet in &mut sent[100..110] {
        packet.content = Content::Event;
        packet.header.timestamp = USUAL.header(100).timestamp;
    }
    let heard = play(8_000, &sent, 10_500 * MS, |_| false);
    assert_eq!((heard.packets.len(), heard.stats.lost, heard.stats.late), (490, 0, 0));
}

#[test]
fn nobody_taking_and_huge_packets_leave_it_bounded() {
    let mut buffer = JitterBuffer::new(8_000);
    for n in 0..5_000 {
        buffer.put(
            &USUAL.header(n),
            Content::Audio { ticks: 160 },
            &n.to_be_bytes(),
            at(i64::from(n) * 20 * MS),
        );
    }
    let Frame::Audio { payload, .. } = buffer.take(at(100_000 * MS), false) else { panic!("audio") };
    assert!(payload[2..] >= (4_999u32 - 21).to_be_bytes()[2..], "{payload:?}");
    let before = buffer.stats().refused;
    buffer.put(&USUAL.header(5_001), Content::Audio { ticks: 160 }, &[0; 4_000], at(0));
    buffer.put(&USUAL.header(5_002), Content::Audio { ticks: 9_999 }, &[0; 4], at(0));
    buffer.put(&USUAL.header(5_003), Content::Audio { ticks: 0 }, &[], at(0));
    assert_eq!(buffer.stats().refused, before + 3);
}

#[test]
fn it_says_when_the_next_piece_is_due() {
    let mut buffer = JitterBuffer::new(8_000);
    assert_eq!(buffer.poll_timeout(), None);
    buffer.put(&USUAL.header(0), Content::Audio { ticks: 160 }, &[0; 4], at(0));
    let due = buffer.poll_timeout().expect("a packet waits");
    assert!(due > at(0) && due <= at(60 * MS));
    assert_eq!(buffer.take(due - Duration::from_millis(1), false), Frame::Empty);
    assert!(matches!(buffer.take(due, false), Frame::Audio { .. }));
    assert_eq!(buffer.poll_timeout(), Some(due + Duration::from_millis(20)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn each_packet_is_played_at_most_once_in_order_and_soon(
        loss in 0.0f64..0.4, twice in 0.0f64..0.3, jitter_ms in 0.0f64..150.0, skew_ppm in -500.0f64..500.0,
        ptime in 0usize..6, seed: u32, sequence: u16, timestamp: u32, wide: bool, quiet: bool,
    ) {
        let (ptime_ms, clock) = ([10, 20, 30, 40, 50, 60][ptime], if wide { 48_000 } else { 8_000 });
        let sender = Sender { clock, ptime_ms, loss, twice, jitter_ms, skew_ppm, seed, sequence, timestamp, packets: 400 };
        let sent = sender.send();
        let heard = play(clock, &sent, (400 * ptime_ms + 1_000) * MS, |_| quiet);
        prop_assert!(heard.packets.windows(2).all(|two| two[0].0 < two[1].0), "in order, once");
        prop_assert!(heard.longest_us <= 420 * MS, "{}", heard.longest_us);
        let stats = heard.stats;
        let came: std::collections::HashSet<u32> =
            sent.iter().map(|packet| u32::from_be_bytes(packet.payload.clone().try_into().expect("four"))).collect();
        prop_assert_eq!(stats.played + stats.dropped.max(heard.surplus) + stats.late, came.len() as u64, "{:?}", stats);
        prop_assert_eq!(stats.duplicates, (sent.len() - came.len()) as u64);
    }

    #[test]
    fn no_packets_make_it_panic(
        packets in proptest::collection::vec(
            (any::<u16>(), any::<u32>(), 0u32..3, 0u8..4, 0u32..12_000, 0usize..40, -500_000i64..500_000, any::<bool>()), 1..300),
        clock in proptest::sample::select(vec![0u32, 8_000, 48_000, u32::MAX]),
    ) {
        let mut buffer = JitterBuffer::new(clock);
        let (mut now, count) = (0i64, packets.len() as u64);
        for (sequence, timestamp, ssrc, kind, ticks, length, step, near) in packets {
            now += step;
            // Half of them near each other, so that they meet.
            let sequence = if near { sequence % 90 } else { sequence };
            let header = Header { marker: near, payload_type: 0, sequence, timestamp, ssrc };
            let content = match kind {
                0 => Content::Event,
                1 => Content::Noise,
                _ => Content::Audio { ticks },
            };
            buffer.put(&header, content, &vec![0; length], at(now));
            for _ in 0..3 {
                let _ = buffer.take(at(now), near);
            }
            let _ = buffer.poll_timeout();
        }
        let stats = buffer.stats();
        prop_assert!(stats.played + stats.dropped + stats.late + stats.duplicates + stats.refused <= count, "{:?}", stats);
    }
}
