//! How loud a mono clip is (ITU-R BS.1770, through `ebur128`), and how to bring it to a level without
//! clipping: gain, then a look-ahead limiter. Samples are -1.0 to 1.0; 0 dBFS is a sample of 1.0.

use std::collections::VecDeque;

use ebur128::{EbuR128, Mode};

/// Integrated loudness of spoken prompts, in LUFS.
pub const SPEECH_LUFS: f64 = -19.0;
/// Integrated loudness of hold music: a little lower, as nobody has to follow it.
pub const MUSIC_LUFS: f64 = -24.0;
/// How far from its target a clip may be, in LU.
pub const TOLERANCE_LU: f64 = 0.5;
/// No sample may be above this, in dBFS.
pub const PEAK_DBFS: f64 = -1.0;

/// The limiter's ceiling, in dBFS: [`PEAK_DBFS`] with room for rounding and for peaks between samples.
const CEILING_DBFS: f64 = -1.5;
/// Half of the limiter's look-ahead and of its gain ramp, in seconds: longer than a period of the
/// lowest voice, so that it turns down a vowel rather than bending each of its pulses.
const HALF_WINDOW: f64 = 0.010;
/// The most gain that makes sense, in dB: what needs more is noise rather than speech.
const MOST_GAIN_DB: f64 = 40.0;

/// What a meter shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Integrated loudness; `None` for silence (nothing above the -70 LUFS gate).
    pub lufs: Option<f64>,
    /// The highest sample; `None` for digital silence.
    pub peak_dbfs: Option<f64>,
}

/// What [`level`] did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levelled {
    /// Gain put on, in dB.
    pub gain_db: f64,
    /// The deepest cut of the limiter, in dB; 0 when it had nothing to do.
    pub limited_db: f64,
}

/// Why a clip cannot be levelled.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum LevelError {
    /// Nothing above the gate.
    #[error("there is only silence in it")]
    Silent,
    /// Too quiet to be speech.
    #[error(
        "it is too quiet ({lufs:.1} LUFS): at the right level it would be mostly noise; record it again, louder"
    )]
    TooQuiet {
        /// Its loudness.
        lufs: f64,
    },
    /// So few and high peaks that no limiter reaches the level.
    #[error("it cannot be brought to {target:.1} LUFS, only to {reached:.1}: clicks instead of speech?")]
    Unreachable {
        /// What was wanted.
        target: f64,
        /// What came out.
        reached: f64,
    },
}

/// Measures a mono clip at `rate` Hz. A clip shorter than the meter's block of 400 ms is measured as
/// if it were repeated.
#[must_use]
pub fn measure(samples: &[f32], rate: u32) -> Level {
    let peak = samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    Level { lufs: integrated(samples, rate), peak_dbfs: (peak > 0.0).then(|| to_db(peak.into())) }
}

/// Brings a mono clip at `rate` Hz to `target` LUFS with no sample above [`PEAK_DBFS`].
pub fn level(samples: &mut [f32], rate: u32, target: f64) -> Result<Levelled, LevelError> {
    let start = integrated(samples, rate).ok_or(LevelError::Silent)?;
    if target - start > MOST_GAIN_DB {
        return Err(LevelError::TooQuiet { lufs: start });
    }
    let mut gain_db = target - start;
    let mut reached = start;
    // Limiting takes some loudness away; a few rounds of gain give it back.
    for _ in 0..8 {
        let mut out: Vec<f32> = samples.iter().map(|sample| sample * to_ratio(gain_db) as f32).collect();
        let limited_db = limit(&mut out, rate, CEILING_DBFS);
        reached = integrated(&out, rate).ok_or(LevelError::Silent)?;
        if (reached - target).abs() < TOLERANCE_LU / 5.0 {
            samples.copy_from_slice(&out);
            return Ok(Levelled { gain_db, limited_db });
        }
        gain_db += target - reached;
    }
    Err(LevelError::Unreachable { target, reached })
}

/// Turns down, smoothly and ahead of time, what would pass `ceiling` dBFS; returns the deepest cut in
/// dB (0: nothing was above).
pub fn limit(samples: &mut [f32], rate: u32, ceiling: f64) -> f64 {
    let ceiling = to_ratio(ceiling) as f32;
    let wanted: Vec<f32> =
        samples.iter().map(|s| if s.abs() > ceiling { ceiling / s.abs() } else { 1.0 }).collect();
    let deepest = wanted.iter().copied().fold(1.0, f32::min);
    if deepest < 1.0 {
        let half = ((f64::from(rate) * HALF_WINDOW) as usize).max(1);
        // The mean, over a window, of minima over the same window is never above the value in its
        // middle: so the gain ramps down before a peak, and is low enough when it comes.
        for (sample, gain) in samples.iter_mut().zip(sliding_mean(&sliding_min(&wanted, half), half)) {
            *sample *= gain;
        }
    }
    -to_db(deepest.into())
}

/// Seconds of silence before the first sound and after the last: 10 ms frames more than 40 dB below
/// the loudest frame. A clip without sound is all lead.
#[must_use]
pub fn silence(samples: &[f32], rate: u32) -> (f64, f64) {
    let frame = (rate as usize / 100).max(1);
    let energy =
        |frame: &[f32]| frame.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / frame.len() as f64;
    let energies: Vec<f64> = samples.chunks(frame).map(energy).collect();
    let threshold = energies.iter().copied().fold(0.0, f64::max) * 1e-4;
    let loud = |energy: &f64| *energy > threshold;
    let seconds = |samples: usize| samples as f64 / f64::from(rate);
    match (energies.iter().position(loud), energies.iter().rposition(loud)) {
        (Some(first), Some(last)) => {
            (seconds(first * frame), seconds(samples.len().saturating_sub((last + 1) * frame)))
        }
        _ => (seconds(samples.len()), 0.0),
    }
}

fn integrated(samples: &[f32], rate: u32) -> Option<f64> {
    if samples.is_empty() {
        return None;
    }
    let mut meter = EbuR128::new(1, rate, Mode::I).ok()?;
    let block = rate as usize / 2;
    meter.add_frames_f32(samples).ok()?;
    for _ in 0..block.saturating_sub(samples.len()).div_ceil(samples.len()) {
        meter.add_frames_f32(samples).ok()?;
    }
    meter.loudness_global().ok().filter(|lufs| lufs.is_finite())
}

/// The minimum over `half` samples either side of each.
fn sliding_min(values: &[f32], half: usize) -> Vec<f32> {
    // Indices of rising values: the front is the window's minimum.
    let mut window: VecDeque<usize> = VecDeque::new();
    let mut out = Vec::with_capacity(values.len());
    for right in 0..values.len() + half {
        if let Some(&value) = values.get(right) {
            while window.back().is_some_and(|&last| values[last] >= value) {
                window.pop_back();
            }
            window.push_back(right);
        }
        if let Some(middle) = right.checked_sub(half) {
            while window.front().is_some_and(|&first| first + half < middle) {
                window.pop_front();
            }
            out.push(window.front().map_or(1.0, |&first| values[first]));
        }
    }
    out
}

/// The mean over `half` samples either side of each; outside of the clip a value counts as its
/// nearest inside.
fn sliding_mean(values: &[f32], half: usize) -> Vec<f32> {
    let last = values.len().saturating_sub(1);
    let at = |n: isize| f64::from(values[n.clamp(0, last as isize) as usize]);
    let half = half as isize;
    let mut sum: f64 = (-half..=half).map(at).sum();
    let mut out = Vec::with_capacity(values.len());
    for n in 0..values.len() as isize {
        out.push((sum / (2 * half + 1) as f64) as f32);
        sum += at(n + half + 1) - at(n - half);
    }
    out
}

fn to_db(ratio: f64) -> f64 {
    20.0 * ratio.log10()
}

fn to_ratio(db: f64) -> f64 {
    10f64.powf(db / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tone(hz: f64, rate: u32, amplitude: f64, seconds: f64) -> Vec<f32> {
        (0..(f64::from(rate) * seconds) as usize)
            .map(|n| (amplitude * (std::f64::consts::TAU * hz * n as f64 / f64::from(rate)).sin()) as f32)
            .collect()
    }

    #[test]
    fn the_meter_reads_the_reference_tone() {
        // BS.1770: a 997 Hz sine at 0 dBFS in one channel reads -3.01 LKFS.
        for rate in [8_000, 16_000, 48_000] {
            let level = measure(&tone(997.0, rate, 1.0, 1.0), rate);
            assert!((level.lufs.expect("loud") + 3.01).abs() < 0.15, "{rate} Hz: {level:?}");
            assert!(level.peak_dbfs.expect("loud").abs() < 0.01);
        }
    }

    #[test]
    fn short_clips_and_silence_are_measured_too() {
        let short = measure(&tone(997.0, 8_000, 1.0, 0.1), 8_000);
        assert!((short.lufs.expect("loud") + 3.0).abs() < 0.3, "{short:?}");
        assert_eq!(measure(&[0.0; 8_000], 8_000), Level { lufs: None, peak_dbfs: None });
        assert_eq!(measure(&[], 8_000), Level { lufs: None, peak_dbfs: None });
        assert_eq!(level(&mut [0.0; 8_000], 8_000, SPEECH_LUFS), Err(LevelError::Silent));
        assert!(matches!(
            level(&mut tone(997.0, 8_000, 0.0006, 1.0), 8_000, SPEECH_LUFS),
            Err(LevelError::TooQuiet { .. })
        ));
    }

    #[test]
    fn peaky_sound_reaches_the_level_without_clipping() {
        // A quiet tone with loud 5 ms bursts: plain gain would clip them by 10 dB.
        let mut clip = tone(500.0, 8_000, 0.05, 2.0);
        for burst in (400..16_000).step_by(4_000) {
            clip[burst..burst + 40].iter_mut().for_each(|sample| *sample *= 15.0);
        }
        let done = level(&mut clip, 8_000, SPEECH_LUFS).expect("reachable");
        let after = measure(&clip, 8_000);
        assert!((after.lufs.expect("loud") - SPEECH_LUFS).abs() < 0.1, "{after:?}");
        assert!(after.peak_dbfs.expect("loud") <= CEILING_DBFS + 0.001, "{after:?}");
        assert!(done.limited_db > 3.0, "{done:?}");
    }

    #[test]
    fn silence_at_both_ends_is_found() {
        let clip = [vec![0.0; 2_400], tone(500.0, 8_000, 0.5, 1.0), vec![0.0; 4_000]].concat();
        let (lead, trail) = silence(&clip, 8_000);
        assert!((lead - 0.3).abs() < 0.011 && (trail - 0.5).abs() < 0.011, "{lead} {trail}");
        assert_eq!(silence(&[0.0; 800], 8_000), (0.1, 0.0));
        assert_eq!(silence(&[], 8_000), (0.0, 0.0));
    }

    proptest! {
        #[test]
        fn nothing_passes_the_limiter(mut clip in prop::collection::vec(-8.0f32..8.0, 0..400), rate in 6_000u32..48_000) {
            let before = clip.clone();
            limit(&mut clip, rate, -1.5);
            let ceiling = 10f32.powf(-1.5 / 20.0) * 1.000_01;
            prop_assert!(clip.iter().all(|sample| sample.abs() <= ceiling));
            // It only ever turns down.
            prop_assert!(clip.iter().zip(&before).all(|(after, before)| after.abs() <= before.abs() * 1.000_01));
        }
    }
}
