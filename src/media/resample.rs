//! Changes the sample rate of whole clips (prompts, not live audio): band-limited by rubato's
//! synchronous resampler, a windowed sinc applied in the frequency domain.

use rubato::audioadapter::Adapter as _;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

/// Lowest and highest sample rate taken, in Hz.
pub const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// Length of the filter in samples of the lower rate. 512 passes everything up to 3.9 kHz of
/// 8 kHz audio and keeps images and aliases below -100 dB; the ringing of a click stays under
/// 32 ms either side, far below hearing.
const FILTER: usize = 512;

/// Why a clip cannot be resampled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResampleError {
    /// A rate out of [`RATES`].
    #[error("a sample rate of {0} Hz cannot be converted: 8000 to 192000 Hz can")]
    Rate(u32),
    /// The resampler refused: our fault.
    #[error("the resampler failed on {from} Hz to {to} Hz: {why}")]
    Resampler {
        /// The rate it has.
        from: u32,
        /// The rate wanted.
        to: u32,
        /// What the resampler says.
        why: String,
    },
}

/// `samples` (mono) at `from` Hz brought to `to` Hz; as long in time (rounded up to a sample), and
/// not delayed.
pub fn resample(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>, ResampleError> {
    for rate in [from, to] {
        if !RATES.contains(&rate) {
            return Err(ResampleError::Rate(rate));
        }
    }
    if from == to || samples.is_empty() {
        return Ok(samples.to_vec());
    }
    let why = |error: &dyn std::fmt::Display| ResampleError::Resampler { from, to, why: error.to_string() };
    // The chunk, in input samples, is the filter's length. It must be even in units of the ratio, or
    // the filter's middle falls between two samples and the sound moves by half of one.
    let unit = 2 * (from / gcd(from, to)) as usize;
    let chunk = (FILTER * from.max(to) as usize / to as usize).next_multiple_of(unit);
    let mut resampler = Fft::<f32>::new_custom(
        from as usize,
        to as usize,
        chunk,
        1,
        1,
        WindowFunction::BlackmanHarris2,
        FixedSync::Both,
    )
    .map_err(|error| why(&error))?;
    let input = InterleavedSlice::new(samples, 1, samples.len()).map_err(|error| why(&error))?;
    let output = resampler.process_all(&input, samples.len(), None).map_err(|error| why(&error))?;
    Ok((0..output.frames()).filter_map(|frame| output.read_sample(0, frame)).collect())
}

/// As [`resample`], for a clip whose end runs on into its beginning: so does the result.
pub fn resample_loop(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>, ResampleError> {
    if from == to || samples.is_empty() || from == 0 {
        return resample(samples, from, to);
    }
    // A margin from the other end on each side, longer than the filter and whole samples in both
    // rates; it is cut off again.
    let unit = (from / gcd(from, to)) as usize;
    let margin = (2 * FILTER * from.max(to) as usize / to.max(1) as usize).next_multiple_of(unit);
    let length = samples.len();
    let first = length - margin % length;
    let wrapped: Vec<f32> = (first..first + length + 2 * margin).map(|n| samples[n % length]).collect();
    let out = resample(&wrapped, from, to)?;
    let scale = |n: usize| (n as f64 * f64::from(to) / f64::from(from)).round() as usize;
    Ok(out.into_iter().skip(scale(margin)).take(scale(length)).collect())
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn tone(hz: f64, rate: u32, samples: usize) -> Vec<f32> {
        (0..samples).map(|n| (0.5 * (TAU * hz * n as f64 / f64::from(rate)).sin()) as f32).collect()
    }

    fn power(samples: &[f32]) -> f64 {
        samples.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / samples.len() as f64
    }

    /// dB between `wanted` and what differs from it, without the first and last 50 ms of `rate`.
    fn snr(got: &[f32], wanted: &[f32], rate: u32) -> f64 {
        let edge = rate as usize / 20;
        let inner = edge..wanted.len() - edge;
        let noise: Vec<f32> = inner.clone().map(|n| got[n] - wanted[n]).collect();
        10.0 * (power(&wanted[inner]) / power(&noise)).log10()
    }

    #[test]
    fn a_tone_keeps_its_pitch_level_and_place_at_every_rate() {
        for (from, to) in [
            (44_100, 8_000),
            (48_000, 8_000),
            (96_000, 8_000),
            (11_025, 8_000),
            (22_050, 16_000),
            (8_000, 16_000),
            (44_100, 16_000),
            (8_001, 8_000),
        ] {
            let out = resample(&tone(1_000.0, from, from as usize / 2), from, to).expect("resamples");
            let wanted = tone(1_000.0, to, to as usize / 2);
            assert!(out.len().abs_diff(wanted.len()) <= 1, "{from} -> {to}: {} samples", out.len());
            let snr = snr(&out, &wanted, to);
            assert!(snr > 80.0, "{from} Hz -> {to} Hz: SNR {snr:.1} dB");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_gone() {
        for hz in [4_150.0, 5_000.0, 7_000.0, 15_000.0] {
            let input = tone(hz, 44_100, 22_050);
            let out = resample(&input, 44_100, 8_000).expect("resamples");
            // Edges are left out: a tone that starts at once is a click there, with all frequencies in it.
            let down = 10.0 * (power(&input) / power(&out[400..out.len() - 400]).max(1e-15)).log10();
            assert!(down > 60.0, "{hz} Hz came through at -{down:.1} dB");
        }
    }

    #[test]
    fn the_telephone_band_passes_whole() {
        for hz in [300.0, 3_400.0, 3_700.0] {
            let out = resample(&tone(hz, 44_100, 22_050), 44_100, 8_000).expect("resamples");
            let db = 10.0 * (power(&out[400..3_600]) / 0.125).log10();
            assert!(db.abs() < 0.5, "{hz} Hz: {db:.2} dB");
        }
    }

    #[test]
    fn a_loop_stays_a_loop() {
        // 441 Hz: whole periods in one second, at both rates.
        let input = tone(441.0, 16_000, 16_000);
        let out = resample_loop(&input, 16_000, 8_000).expect("resamples");
        let wanted = tone(441.0, 8_000, 8_000);
        assert_eq!(out.len(), wanted.len());
        let worst = out.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "the seam shows: {worst}");
        let plain = resample(&input, 16_000, 8_000).expect("resamples");
        assert!((plain[1] - wanted[1]).abs() > 1e-3, "this test can see a seam");
    }

    #[test]
    fn impossible_rates_are_refused() {
        assert_eq!(resample(&[0.0], 0, 8_000), Err(ResampleError::Rate(0)));
        assert_eq!(resample_loop(&[0.0], 0, 8_000), Err(ResampleError::Rate(0)));
        assert_eq!(resample(&[0.0], 8_000, 1_000_000), Err(ResampleError::Rate(1_000_000)));
        assert_eq!(resample(&[], 44_100, 8_000), Ok(Vec::new()));
    }
}
