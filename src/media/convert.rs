//! Sample rates of live audio: 8, 16 and 48 kHz, streaming, with a delay below 3 ms. (Whole clips go
//! through [`resample`](super::resample).) A polyphase filter: a windowed sinc, of which each output sample uses the
//! taps that fall on input samples. Linear phase; passband and stopband are those of the lower rate.

use std::f64::consts::PI;

/// Side lobes of the window (Kaiser): stopband and images lie below -66 dB.
const BETA: f64 = 6.2;

/// Taps of the prototype at the higher rate, half and cut-off in Hz for each lower rate. 8 kHz: flat within 0.1 dB up to
/// 3.3 kHz, below -60 dB from 4.07 kHz, delay 2.94 ms. 16 kHz: 7.1 kHz, 8.0 kHz, 2.25 ms.
const NARROW: (f64, f64) = (0.002_94, 3_690.0);
const WIDE: (f64, f64) = (0.002_25, 7_540.0);

/// Brings one stream of mono samples from one rate to another.
#[derive(Clone, Debug)]
pub struct Converter {
    /// `up` output samples for `down` input samples; one of them is 1.
    up: usize,
    down: usize,
    /// Taps of each phase, in the order of the input.
    phases: Vec<Vec<f32>>,
    /// Input not yet done with: the `taps - 1` samples before the next, and what is left over.
    input: Vec<f32>,
}

impl Converter {
    /// Rates of 8,000, 16,000 and 48,000 Hz. Panics on others: they are ours, never a peer's.
    #[must_use]
    pub fn new(from: u32, to: u32) -> Self {
        assert!([from, to].iter().all(|rate| [8_000, 16_000, 48_000].contains(rate)), "{from} Hz to {to} Hz");
        let (low, high) = (from.min(to), from.max(to));
        let factor = (high / low) as usize;
        let (up, down) = if from < to { (factor, 1) } else { (1, factor) };
        if factor == 1 {
            return Self { up, down, phases: Vec::new(), input: Vec::new() };
        }
        let (half, cutoff) = if low == 8_000 { NARROW } else { WIDE };
        let half = (half * f64::from(high)).floor();
        let taps = prototype(half as usize, cutoff / f64::from(high), up as f64);
        let phases: Vec<Vec<f32>> = (0..up)
            .map(|phase| taps.iter().skip(phase).step_by(up).rev().map(|&tap| tap as f32).collect())
            .collect();
        let longest = phases.iter().map(Vec::len).max().unwrap_or(1);
        let phases = phases.into_iter().map(|taps| pad(taps, longest)).collect();
        Self { up, down, phases, input: vec![0.0; longest - 1] }
    }

    /// Appends `pcm`, converted, to `out`: as long in time (when `pcm` is a whole number of samples of the lower rate;
    /// what is left over is kept for the next time).
    pub fn convert(&mut self, pcm: &[i16], out: &mut Vec<i16>) {
        let Some(taps) = self.phases.first().map(Vec::len) else {
            out.extend_from_slice(pcm);
            return;
        };
        self.input.extend(pcm.iter().map(|&sample| f32::from(sample)));
        out.reserve(pcm.len() * self.up / self.down + 1);
        let mut at = 0;
        while at + taps - 1 + self.down <= self.input.len() {
            let window = &self.input[at..at + taps];
            for phase in &self.phases {
                out.push(dot(window, phase).round().clamp(-32_768.0, 32_767.0) as i16);
            }
            at += self.down;
        }
        self.input.drain(..at);
    }
}

/// A Kaiser-windowed sinc of `2 * half + 1` taps; `cutoff` as a share of the sample rate.
fn prototype(half: usize, cutoff: f64, gain: f64) -> Vec<f64> {
    let tap = |n: usize| {
        let t = n as f64 - half as f64;
        let x = 2.0 * cutoff * t;
        let sinc = if t == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
        let edge = t / (half as f64 + 1.0);
        2.0 * cutoff * sinc * bessel(BETA * (1.0 - edge * edge).sqrt()) / bessel(BETA)
    };
    let taps: Vec<f64> = (0..=2 * half).map(tap).collect();
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|tap| tap * gain / sum).collect()
}

/// Zeros in front (the oldest input), so that all phases are equally long.
fn pad(mut taps: Vec<f32>, length: usize) -> Vec<f32> {
    while taps.len() < length {
        taps.insert(0, 0.0);
    }
    taps
}

/// Modified Bessel function of order 0, by its series.
fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for n in 1..40 {
        term *= (x / (2.0 * f64::from(n))).powi(2);
        sum += term;
    }
    sum
}

/// Eight sums at a time, which the compiler keeps in vector registers.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    rest + sums.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: [(u32, u32); 6] = [
        (8_000, 16_000),
        (16_000, 8_000),
        (8_000, 48_000),
        (48_000, 8_000),
        (16_000, 48_000),
        (48_000, 16_000),
    ];

    fn tone(hz: f64, rate: u32, samples: usize) -> Vec<i16> {
        (0..samples)
            .map(|n| (16_000.0 * (2.0 * PI * hz * n as f64 / f64::from(rate)).sin()).round() as i16)
            .collect()
    }

    /// Power at `hz`, and of all else, both in dB below a sine of amplitude 16,000, over the last half second.
    fn spectrum(pcm: &[i16], hz: f64, rate: u32) -> (f64, f64) {
        let pcm = &pcm[pcm.len() - rate as usize / 2..];
        let (mut re, mut im) = (0.0, 0.0);
        for (n, &sample) in pcm.iter().enumerate() {
            let angle = 2.0 * PI * hz * n as f64 / f64::from(rate);
            re += f64::from(sample) * angle.cos();
            im += f64::from(sample) * angle.sin();
        }
        let n = pcm.len() as f64;
        let at = 2.0 * (re * re + im * im) / (n * n);
        let whole = pcm.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / n;
        let db = |power: f64| 10.0 * (power.max(1e-9) / (16_000f64 * 16_000.0 / 2.0)).log10();
        (db(at), db((whole - at).max(0.0)))
    }

    fn convert(from: u32, to: u32, pcm: &[i16]) -> Vec<i16> {
        let mut converter = Converter::new(from, to);
        let mut out = Vec::new();
        for packet in pcm.chunks(from as usize / 50) {
            let before = out.len();
            converter.convert(packet, &mut out);
            assert_eq!(out.len() - before, to as usize / 50, "20 ms in, 20 ms out");
        }
        out
    }

    #[test]
    fn the_passband_is_flat_and_free_of_images() {
        for (from, to) in RATES {
            let edge = if from.min(to) == 8_000 { 3_300 } else { 7_100 };
            for hz in [100, 300, 1_004, 2_500, 3_300, 5_000, 7_100].into_iter().filter(|&hz| hz <= edge) {
                let out = convert(from, to, &tone(f64::from(hz), from, from as usize));
                let (at, rest) = spectrum(&out, f64::from(hz), to);
                assert!(at.abs() < 0.15, "{from} to {to}, {hz} Hz: {at:.2} dB");
                assert!(at - rest > 60.0, "{from} to {to}, {hz} Hz: SNR {:.1} dB", at - rest);
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_gone() {
        for (from, to, edge) in [(16_000, 8_000, 4_100), (48_000, 8_000, 4_100), (48_000, 16_000, 8_050)] {
            for hz in (edge..i32::try_from(from / 2).unwrap()).step_by(333) {
                let out = convert(from, to, &tone(f64::from(hz), from, from as usize));
                let (_, rest) = spectrum(&out, 50.0, to);
                assert!(rest < -60.0, "{from} to {to}: {hz} Hz leaves {rest:.1} dB");
            }
        }
    }

    #[test]
    fn the_delay_is_below_3_ms() {
        for (from, to) in RATES {
            let mut click = vec![0i16; from as usize / 50];
            click[0] = 30_000;
            let out = convert(from, to, &click);
            let weigh = |n: usize| f64::from(out[n]).powi(2);
            let centre = (0..out.len()).map(|n| n as f64 * weigh(n)).sum::<f64>()
                / (0..out.len()).map(weigh).sum::<f64>();
            let ms = centre * 1_000.0 / f64::from(to);
            assert!((1.0..3.0).contains(&ms), "{from} to {to}: {ms:.2} ms");
        }
    }

    #[test]
    fn the_size_of_the_pieces_does_not_matter_and_full_scale_does_not_wrap() {
        for (from, to) in RATES {
            let square: Vec<i16> =
                (0..from).map(|n| if n / 20 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
            let whole = convert(from, to, &square);
            let (mut odd, mut converter) = (Vec::new(), Converter::new(from, to));
            for piece in square.chunks(7) {
                converter.convert(piece, &mut odd);
            }
            assert_eq!(whole, odd, "{from} to {to}");
            assert!(whole.contains(&i16::MAX) && whole.contains(&i16::MIN));
        }
    }
}
