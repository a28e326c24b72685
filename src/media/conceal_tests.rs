use super::*;

fn voice(rate: u32, from: usize, samples: usize) -> Vec<i16> {
    let at = |n: usize| {
        let t = n as f64 / f64::from(rate) * std::f64::consts::TAU;
        ((t * 140.0).sin() * 6_000.0 + (t * 280.0).sin() * 3_000.0 + (t * 700.0).sin() * 1_500.0) as i16
    };
    (from..from + samples).map(at).collect()
}

fn power(pcm: &[i16]) -> f64 {
    pcm.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / pcm.len().max(1) as f64
}

#[test]
fn a_lost_packet_of_a_steady_voice_is_hardly_missed() {
    for rate in [8_000, 16_000] {
        let packet = rate as usize / 50;
        let mut concealer = Concealer::new(rate);
        let whole = voice(rate, 0, packet * 10);
        let mut got = Vec::new();
        for (n, chunk) in whole.chunks(packet).enumerate() {
            let mut chunk = chunk.to_vec();
            if n == 6 {
                concealer.conceal(packet, &mut got);
            } else {
                concealer.heard(&mut chunk);
                got.extend(chunk);
            }
        }
        let half = packet / 2;
        let wrong: Vec<i16> = got.iter().zip(&whole).map(|(a, b)| a.saturating_sub(*b)).collect();
        // The first 10 ms are not faded yet.
        let snr = 10.0 * (power(&whole) / power(&wrong[6 * packet..6 * packet + half])).log10();
        assert!(snr > 20.0, "{rate} Hz: {snr:.1} dB");
        let jump = got.windows(2).map(|two| i32::from(two[0]) - i32::from(two[1])).map(i32::abs).max();
        let steepest = whole.windows(2).map(|two| i32::from(two[0]) - i32::from(two[1])).map(i32::abs).max();
        assert!(jump <= steepest.map(|s| s * 5 / 4), "{rate} Hz: {jump:?} of {steepest:?}");
    }
}

#[test]
fn it_fades_to_silence_in_60_ms_and_returns_smoothly() {
    let mut concealer = Concealer::new(8_000);
    concealer.heard(&mut voice(8_000, 0, 800));
    let mut got = Vec::new();
    for _ in 0..10 {
        concealer.conceal(160, &mut got);
    }
    let level = |ms: usize| power(&got[ms * 8..(ms + 10) * 8]).sqrt();
    assert!(
        level(20) < level(0) * 0.95 && level(40) < level(20) * 0.7,
        "{} {} {}",
        level(0),
        level(20),
        level(40)
    );
    assert!(got[480..].iter().all(|&sample| sample == 0));
    let mut next = vec![10_000i16; 160];
    concealer.heard(&mut next);
    assert!(next[0] < 1_000 && next[40] < 6_000 && next[80] == 10_000, "{next:?}");
}

#[test]
fn silence_is_concealed_by_silence_and_extremes_do_not_wrap() {
    let mut concealer = Concealer::new(8_000);
    let mut got = Vec::new();
    concealer.conceal(480, &mut got);
    assert!(got.iter().all(|&sample| sample == 0));
    let mut loud: Vec<i16> = (0..800).map(|n| if n / 40 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    concealer.heard(&mut loud);
    got.clear();
    concealer.conceal(320, &mut got);
    concealer.heard(&mut [i16::MIN; 3]);
    concealer.heard(&mut []);
    assert_eq!(got.len(), 320);
}
