//! How good a call sounded: the E-model (ITU-T G.107) with the equipment impairments of ITU-T G.113 Appendix I.
//! All on the narrowband scale, so that codecs compare: wideband codecs are scored as perfect narrowband ones, not better.

use super::Codec;

/// Signal to noise `Ro` and simultaneous impairment `Is` of G.107's default connection (its table 3).
const RO: f32 = 94.77;
const IS: f32 = 1.41;
/// Noise `No` behind that `Ro`: Ro = 15 - 1.5 (SLR + No), SLR = 8 dB.
const NO: f32 = -61.18;
/// Loudness ratings and echo losses of the default connection, in dB.
const RLR: f32 = 2.0;
const TELR: f32 = 65.0;
const WEPL: f32 = 110.0;
/// One way, besides the network: a packet's length and the codecs', in milliseconds.
const PACKET_MS: f32 = 25.0;
/// Delays beyond are all the same.
const MOST_MS: f32 = 10_000.0;

/// Mean opinion score (1-4.5) of what is heard over `codec`: share of packets lost (0-1), RFC 3550 jitter in
/// milliseconds (a receiver's buffer is assumed to be [`buffer_ms`] deep), and round trip, if known.
#[must_use]
pub fn mos(codec: Codec, loss: f32, jitter_ms: f32, round_trip_ms: Option<f32>) -> f32 {
    mos_buffered(codec, loss, buffer_ms(jitter_ms), round_trip_ms)
}

/// As [`mos`], where the jitter buffer is ours and its depth known.
#[must_use]
pub fn mos_buffered(codec: Codec, loss: f32, buffer_ms: f32, round_trip_ms: Option<f32>) -> f32 {
    let sane = |value: f32, most: f32| if value.is_finite() { value.clamp(0.0, most) } else { 0.0 };
    let network = sane(round_trip_ms.unwrap_or(0.0), 2.0 * MOST_MS) / 2.0;
    let delay = network + sane(buffer_ms, MOST_MS) + PACKET_MS;
    score(RO - IS - delayed(delay) - impaired(codec, 100.0 * sane(loss, 1.0)))
}

/// The depth an adaptive buffer takes at a given RFC 3550 jitter, in milliseconds: that jitter is a mean deviation, and three
/// of them hold nearly all packets (99 % when delays are spread exponentially need 4.6, evenly 3).
#[must_use]
pub fn buffer_ms(jitter_ms: f32) -> f32 {
    if jitter_ms.is_finite() { (3.0 * jitter_ms).clamp(8.0, 400.0) } else { 8.0 }
}

/// `Ie-eff` (G.107 §3.5), losses taken as random (BurstR = 1).
fn impaired(codec: Codec, percent: f32) -> f32 {
    let (impairment, robustness) = match codec {
        // G.113 table I.4: G.711 with the concealment of its Appendix I.
        Codec::Pcmu | Codec::Pcma => (0.0, 25.1),
        // No narrowband figure exists. Assumed: as clean as G.711, and less robust, since its decoder needs some packets to
        // find its state again after a loss.
        Codec::G722 => (0.0, 16.0),
        // No figure of the ITU exists. Assumed: as clean as G.711 at our bit rate, and as robust with its own concealment;
        // in-band error correction would make it better, but the sender decides whether there is any.
        Codec::Opus => (0.0, 25.1),
    };
    impairment + (95.0 - impairment) * percent / (percent + robustness)
}

/// `Id` (G.107 §3.4) of `ms` one way: talker echo, listener echo, and absolute delay.
fn delayed(ms: f32) -> f32 {
    let roe = -1.5 * (NO - RLR);
    let masked =
        TELR - 40.0 * ((1.0 + ms / 10.0) / (1.0 + ms / 150.0)).log10() + 6.0 * (-0.3 * ms * ms).exp();
    let re = 80.0 + 2.5 * (masked - 14.0);
    let half = (roe - re) / 2.0;
    let talker = (half + (half * half + 100.0).sqrt() - 1.0) * (1.0 - (-ms).exp());
    let rle = 10.5 * (WEPL + 7.0) * (2.0 * ms + 1.0).powf(-0.25);
    let half = (RO - rle) / 2.0;
    let listener = half + (half * half + 169.0).sqrt();
    talker.max(0.0) + listener + absolute(ms)
}

/// `Idd`: nothing up to 100 ms.
fn absolute(ms: f32) -> f32 {
    if ms <= 100.0 {
        return 0.0;
    }
    let x = (ms / 100.0).log2();
    25.0 * ((1.0 + x.powi(6)).powf(1.0 / 6.0) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0) + 2.0)
}

/// MOS of a rating `R` (G.107 Annex B).
fn score(r: f32) -> f32 {
    match r {
        r if r <= 0.0 => 1.0,
        r if r >= 100.0 => 4.5,
        // The cubic dips below 1 for the smallest R.
        r => (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CODECS: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

    #[test]
    fn the_default_connection_has_the_rating_of_the_recommendation() {
        // G.107 clause 7.7: R = 93.2, MOS 4.41 with all parameters at their defaults.
        let rating = RO - IS - delayed(0.0);
        assert!((rating - 93.2).abs() < 0.2, "{rating}");
        assert!((score(93.2) - 4.41).abs() < 0.01);
        // Annex B, table B.1: R of 90, 80, 70, 60, 50.
        for (r, wanted) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            assert!((score(r) - wanted).abs() < 0.01, "{r}: {}", score(r));
        }
    }

    #[test]
    fn loss_and_delay_cost_what_they_should() {
        // 3 % of random loss under G.711 with concealment: Ie-eff = 95 * 3 / 28.1 = 10.1.
        assert!((impaired(Codec::Pcma, 3.0) - 10.14).abs() < 0.01);
        // Figure 1 of G.114: 150 ms hardly matter, 400 ms do.
        assert!(delayed(150.0) < 6.0 && delayed(400.0) > 20.0, "{} {}", delayed(150.0), delayed(400.0));
        let good = mos(Codec::Pcma, 0.0, 1.0, Some(20.0));
        assert!(good > 4.3, "{good}");
        assert!(mos(Codec::Pcma, 0.05, 1.0, Some(20.0)) < good - 0.3);
        assert!(mos(Codec::Pcma, 0.0, 1.0, Some(800.0)) < good - 0.8);
    }

    proptest! {
        #[test]
        fn it_is_bounded_whatever_comes(
            codec in 0usize..4, loss: f32, jitter: f32, trip in proptest::option::of(any::<f32>()),
        ) {
            let score = mos(CODECS[codec], loss, jitter, trip);
            prop_assert!((1.0..=4.5).contains(&score), "{}", score);
        }

        #[test]
        fn worse_is_never_better(
            codec in 0usize..4, loss in 0f32..1.0, jitter in 0f32..300.0, trip in 0f32..2_000.0, more in 0f32..0.5,
        ) {
            let codec = CODECS[codec];
            let score = mos(codec, loss, jitter, Some(trip));
            prop_assert!(mos(codec, loss + more, jitter, Some(trip)) <= score + 1e-4);
            prop_assert!(mos(codec, loss, jitter + 100.0 * more, Some(trip)) <= score + 1e-4);
            prop_assert!(mos(codec, loss, jitter, Some(trip + 1_000.0 * more)) <= score + 1e-4);
        }
    }
}
