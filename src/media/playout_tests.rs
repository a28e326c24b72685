use super::*;
use crate::media::codec::Encoder;

const MS: i64 = 1_000;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_760_000_000_000_000 + micros)
}

fn header(n: u32, codec: Codec) -> Header {
    Header { marker: n == 0, payload_type: 8, sequence: n as u16, timestamp: n * codec.clock() / 50, ssrc: 3 }
}

fn sine(n: usize, rate: u32) -> i16 {
    (8_000.0 * (2.0 * std::f64::consts::PI * 400.0 * n as f64 / f64::from(rate)).sin()) as i16
}

/// 20 ms packets of a 400 Hz sine.
fn packets(codec: Codec, count: usize) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec).unwrap();
    let length = codec.rate() as usize / 50;
    let packet = |n: usize| {
        let pcm: Vec<i16> = (n * length..(n + 1) * length).map(|n| sine(n, codec.rate())).collect();
        let mut payload = Vec::new();
        encoder.encode(&pcm, &mut payload).unwrap();
        payload
    };
    (0..count).map(packet).collect()
}

fn power(pcm: &[i16]) -> f64 {
    pcm.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / pcm.len().max(1) as f64
}

/// Plays 30 ms at a time what came in 20 ms packets, without those `lost` names.
fn play(codec: Codec, count: usize, lost: impl Fn(usize) -> bool) -> (Vec<i16>, JitterStats) {
    let mut playout = Playout::new(codec, 1).unwrap();
    let packets = packets(codec, count);
    let mut pcm = Vec::new();
    let mut sent = 0;
    for pull in 0..count * 2 / 3 {
        let now = pull as i64 * 30 * MS;
        while sent < count && sent as i64 * 20 * MS <= now {
            if !lost(sent) {
                playout
                    .audio(&header(sent as u32, codec), codec, &packets[sent], at(sent as i64 * 20 * MS))
                    .unwrap();
            }
            sent += 1;
        }
        let before = pcm.len();
        playout.pull(at(now), codec.rate() as usize * 30 / 1_000, &mut pcm);
        assert_eq!(pcm.len() - before, codec.rate() as usize * 30 / 1_000);
    }
    (pcm, playout.stats())
}

#[test]
fn a_sine_comes_through_every_codec_with_and_without_loss() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
        let (whole, stats) = play(codec, 150, |_| false);
        assert_eq!((stats.lost, stats.late), (0, 0), "{codec:?}");
        let steady = &whole[whole.len() / 4..whole.len() * 3 / 4];
        assert!((power(steady) / 32e6 - 1.0).abs() < 0.2, "{codec:?}: {}", power(steady));
        let (holed, stats) = play(codec, 150, |n| n % 20 == 10);
        assert!((6..=8).contains(&stats.lost), "{codec:?}: {stats:?}");
        let steady = &holed[holed.len() / 4..holed.len() * 3 / 4];
        assert!((power(steady) / 32e6 - 1.0).abs() < 0.25, "{codec:?} with loss: {}", power(steady));
        let quietest = steady.chunks(codec.rate() as usize / 100).map(power).fold(f64::MAX, f64::min);
        // Opus fades its own concealment, and sends nothing to repair a loss with before it is told of losses.
        let least = if codec == Codec::Opus { 5e5 } else { 5e6 };
        assert!(quietest > least, "{codec:?}: a hole of {quietest}");
    }
}

#[test]
fn noise_fills_a_pause_and_silence_what_nobody_describes() {
    let codec = Codec::Pcma;
    let mut playout = Playout::new(codec, 9).unwrap();
    let mut pcm = Vec::new();
    assert!(!playout.pull(at(0), 160, &mut pcm));
    assert!(pcm.iter().all(|&sample| sample == 0));
    playout.noise(&header(0, codec), &[50], at(20 * MS));
    pcm.clear();
    for n in 1..50 {
        assert!(playout.pull(at(n * 20 * MS), 160, &mut pcm));
    }
    let level = 10.0 * (power(&pcm) / 32_768f64.powi(2)).log10();
    assert!((level + 50.0).abs() < 1.0, "{level:.1} dBov");
}

#[test]
fn the_peer_may_change_its_codec_in_mid_call() {
    let mut playout = Playout::new(Codec::Pcmu, 1).unwrap();
    let (first, second) = (packets(Codec::Pcmu, 50), packets(Codec::Opus, 50));
    let mut loud = [0, 0];
    for n in 0..100u32 {
        let now = at(i64::from(n) * 20 * MS);
        let (codec, payload) = match n {
            0..50 => (Codec::Pcmu, &first[n as usize]),
            _ => (Codec::Opus, &second[n as usize - 50]),
        };
        playout.audio(&header(n, codec), codec, payload, now).unwrap();
        let mut pcm = Vec::new();
        playout.pull(now, playout.rate() as usize / 50, &mut pcm);
        loud[usize::from(n >= 50)] += u32::from(power(&pcm) > 1e7);
    }
    assert_eq!(playout.rate(), 48_000);
    assert!(loud[0] > 40 && loud[1] > 40, "{loud:?}");
    assert!(playout.stats().played > 90);
    let refused = playout.audio(&header(100, Codec::Opus), Codec::Opus, &[], at(0));
    assert_eq!(refused, Err(CodecError::Payload { codec: Codec::Opus, octets: 0 }));
}

#[test]
fn a_frame_left_out_makes_no_click() {
    // A burst after a stall makes the buffer deep while a loud sine goes on: frames are left out.
    let codec = Codec::Pcma;
    let packets = packets(codec, 1_200);
    let mut playout = Playout::new(codec, 1).unwrap();
    let mut pcm = Vec::new();
    let mut sent = 0;
    for pull in 0..1_200 {
        let now = i64::from(pull) * 20 * MS;
        let stalled = (2_000 * MS..2_300 * MS).contains(&now);
        while sent < 1_200 && sent as i64 * 20 * MS <= now && !stalled {
            playout.audio(&header(sent as u32, codec), codec, &packets[sent], at(now)).unwrap();
            sent += 1;
        }
        playout.pull(at(now), 160, &mut pcm);
    }
    let stats = playout.stats();
    assert!(stats.dropped >= 4 && stats.lost == 0, "{stats:?}");
    // The sine's own steepest step is 2,500; the codec adds its noise.
    let jump =
        pcm[2_400 * 8..].windows(2).map(|two| (i32::from(two[1]) - i32::from(two[0])).abs()).max().unwrap();
    assert!(jump < 3_600, "{jump}");
}
