use proptest::prelude::*;

use super::*;

const CODECS: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

fn power(pcm: &[f64]) -> f64 {
    pcm.iter().map(|s| s * s).sum::<f64>() / pcm.len().max(1) as f64
}

fn sine(hz: f64, amplitude: f64, rate: u32, samples: usize) -> Vec<i16> {
    let angle = |n: usize| 2.0 * std::f64::consts::PI * hz * n as f64 / f64::from(rate);
    (0..samples).map(|n| (amplitude * angle(n).sin()).round() as i16).collect()
}

/// Through encoder and decoder in packets of 20 ms.
fn round_trip(codec: Codec, pcm: &[i16]) -> Vec<i16> {
    let (mut encoder, mut decoder) = (Encoder::new(codec).unwrap(), Decoder::new(codec).unwrap());
    let (mut payload, mut out) = (Vec::new(), Vec::new());
    for packet in pcm.chunks_exact(codec.rate() as usize / 50) {
        payload.clear();
        encoder.encode(packet, &mut payload).unwrap();
        assert_eq!(ticks(codec, &payload), Some(codec.clock() / 50));
        assert_eq!(decoder.decode(&payload, &mut out), Ok(packet.len()));
    }
    out
}

/// dB of `wanted` over what differs from it in `got`, at the delay and gain that suit best.
fn snr(wanted: &[i16], got: &[i16], delays: std::ops::Range<usize>) -> f64 {
    let at = |delay: usize| {
        let pairs: Vec<(f64, f64)> =
            wanted.iter().zip(&got[delay..]).skip(400).map(|(&w, &g)| (f64::from(w), f64::from(g))).collect();
        let gain = pairs.iter().map(|(w, g)| w * g).sum::<f64>()
            / pairs.iter().map(|(w, _)| w * w).sum::<f64>().max(1.0);
        let signal: Vec<f64> = pairs.iter().map(|(w, _)| gain * w).collect();
        let noise: Vec<f64> = pairs.iter().map(|(w, g)| g - gain * w).collect();
        10.0 * (power(&signal) / power(&noise).max(1e-9)).log10()
    };
    delays.map(at).fold(f64::NEG_INFINITY, f64::max)
}

fn clip(name: &str) -> Vec<i16> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    hound::WavReader::open(path).unwrap().into_samples::<i16>().map(Result::unwrap).collect()
}

/// FNV-1a, to compare with what another implementation gave.
fn digest(octets: impl IntoIterator<Item = u8>) -> u64 {
    octets
        .into_iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01B3))
}

/// Made by the octet, so that it needs no file: bursts of noise, silence and full scale.
fn stress() -> Vec<i16> {
    let mut state = 1u32;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    (0..32_000)
        .map(|n| match n / 4_000 % 4 {
            0 => (random() >> 16) as u16 as i16 / 2,
            1 => ((random() >> 16) as u16 as i16) / 64,
            2 => (random() % 5) as i16 - 2,
            _ => (random() >> 16) as u16 as i16 / 4,
        })
        .collect()
}

#[test]
fn g722_gives_the_octets_and_samples_of_another_implementation() {
    // Compared once with an independent implementation: the same octets from the same samples, and the same samples back.
    let mut octets = Vec::new();
    Encoder::new(Codec::G722).unwrap().encode(&stress(), &mut octets).unwrap();
    assert_eq!(octets.len(), 16_000);
    assert_eq!(digest(octets.iter().copied()), 0x25B6_D15B_A112_5EA7);
    let mut pcm = Vec::new();
    let mut decoder = Decoder::new(Codec::G722).unwrap();
    octets.chunks(160).for_each(|packet| assert_eq!(decoder.decode(packet, &mut pcm), Ok(320)));
    assert_eq!(digest(pcm.iter().flat_map(|sample| sample.to_le_bytes())), 0xD5E2_F902_EC8F_84AC);
}

#[test]
fn g722_carries_sines_of_its_whole_band() {
    // Delay of both quadrature mirror filters: 22 samples.
    for (hz, least) in [
        (100.0, 30.0),
        (300.0, 30.0),
        (1_020.0, 30.0),
        (2_500.0, 28.0),
        (3_400.0, 22.0),
        (5_000.0, 12.0),
        (6_800.0, 12.0),
    ] {
        let wanted = sine(hz, 8_000.0, 16_000, 16_000);
        let got = round_trip(Codec::G722, &wanted);
        let snr = snr(&wanted, &got, 22..23);
        assert!(snr > least, "{hz} Hz: {snr:.1} dB");
    }
}

#[test]
fn g722_carries_speech_and_keeps_silence_silent() {
    let speech = clip("prompts/en/welcome.16k.wav");
    let got = round_trip(Codec::G722, &speech);
    // Mean over 20 ms segments that are loud enough.
    let segments = speech.chunks_exact(320).zip(got[22..].chunks_exact(320));
    let snrs: Vec<f64> = segments
        .filter(|(wanted, _)| wanted.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / 320.0 > 40_000.0)
        .map(|(wanted, got)| {
            let noise: Vec<f64> =
                wanted.iter().zip(got).map(|(&w, &g)| f64::from(g) - f64::from(w)).collect();
            let signal: Vec<f64> = wanted.iter().map(|&w| f64::from(w)).collect();
            10.0 * (power(&signal) / power(&noise).max(1.0)).log10()
        })
        .collect();
    let mean = snrs.iter().sum::<f64>() / snrs.len() as f64;
    assert!(snrs.len() > 40 && mean > 18.0, "{mean:.1} dB over {} segments", snrs.len());
    // Idle channel: below -70 dBov.
    let idle = round_trip(Codec::G722, &[0; 16_000]);
    assert!(idle.iter().all(|sample| sample.abs() < 10), "{:?}", idle.iter().max());
}

#[test]
fn g711_and_opus_carry_a_sine() {
    for (codec, least, delays) in
        [(Codec::Pcma, 36.0, 0..1), (Codec::Pcmu, 36.0, 0..1), (Codec::Opus, 15.0, 200..500)]
    {
        let rate = codec.rate();
        let wanted = sine(440.0, 8_000.0, rate, rate as usize);
        let snr = snr(&wanted, &round_trip(codec, &wanted), delays);
        assert!(snr > least, "{codec:?}: {snr:.1} dB");
    }
}

#[test]
fn opus_repairs_a_lost_packet_from_the_next() {
    let speech: Vec<i16> = {
        let mut out = Vec::new();
        crate::media::convert::Converter::new(16_000, 48_000)
            .convert(&clip("prompts/en/welcome.16k.wav"), &mut out);
        out
    };
    let mut encoder = Encoder::new(Codec::Opus).unwrap();
    encoder.expect_loss(20);
    let packets: Vec<Vec<u8>> = speech
        .chunks_exact(960)
        .map(|pcm| {
            let mut payload = Vec::new();
            encoder.encode(pcm, &mut payload).unwrap();
            payload
        })
        .collect();
    // Every fifth packet lost; the whole decoding is what it is compared with.
    let decode = |mode: u8| {
        let mut decoder = Decoder::new(Codec::Opus).unwrap();
        let mut pcm = Vec::new();
        for (n, packet) in packets.iter().enumerate() {
            match (n % 5 == 4, mode) {
                (true, 1) => decoder.conceal(960, &mut pcm),
                (true, 2) => decoder.decode_fec(packets.get(n + 1).unwrap_or(packet), 960, &mut pcm),
                _ => assert_eq!(decoder.decode(packet, &mut pcm), Ok(960)),
            }
        }
        assert_eq!(pcm.len(), packets.len() * 960);
        pcm
    };
    let whole = decode(0);
    let (concealed, repaired) = (snr(&whole, &decode(1), 0..1), snr(&whole, &decode(2), 0..1));
    assert!(repaired > concealed + 3.0, "repaired {repaired:.1} dB, concealed {concealed:.1} dB");
}

#[test]
fn packets_of_ten_to_sixty_milliseconds_are_made_and_odd_ones_refused() {
    for codec in CODECS {
        for ms in [10, 20, 40, 60] {
            let pcm = vec![100; codec.rate() as usize * ms / 1_000];
            let mut payload = vec![7];
            Encoder::new(codec).unwrap().encode(&pcm, &mut payload).unwrap();
            assert_eq!(ticks(codec, &payload[1..]), Some(codec.clock() * ms as u32 / 1_000), "{codec:?}");
        }
    }
    let mut payload = Vec::new();
    let refused = Encoder::new(Codec::Opus).unwrap().encode(&[0; 961], &mut payload);
    assert_eq!(refused, Err(CodecError::Samples { codec: Codec::Opus, samples: 961 }));
    assert!(Encoder::new(Codec::G722).unwrap().encode(&[0; 3], &mut payload).is_err() && payload.is_empty());
}

proptest! {
    #[test]
    fn no_octets_make_a_decoder_panic(
        codec in 0usize..4,
        packets in proptest::collection::vec((0u8..3, proptest::collection::vec(any::<u8>(), 0..300), 0usize..3_000), 1..8),
    ) {
        let mut decoder = Decoder::new(CODECS[codec]).expect("memory");
        for (kind, payload, samples) in packets {
            let mut pcm = vec![1, 2, 3];
            match kind {
                0 => match decoder.decode(&payload, &mut pcm) {
                    Ok(samples) => {
                        prop_assert_eq!(pcm.len(), 3 + samples);
                        let ticks = ticks(CODECS[codec], &payload).expect("it was decoded");
                        prop_assert_eq!(samples as u32 * CODECS[codec].clock() / CODECS[codec].rate(), ticks);
                    }
                    Err(_) => prop_assert_eq!(pcm.len(), 3),
                },
                1 => { decoder.conceal(samples, &mut pcm); prop_assert_eq!(pcm.len(), 3 + samples); }
                _ => { decoder.decode_fec(&payload, samples, &mut pcm); prop_assert_eq!(pcm.len(), 3 + samples); }
            }
        }
    }
}
