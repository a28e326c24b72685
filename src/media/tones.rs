//! Keys pressed as tones in the audio (ITU-T Q.23), accepted as ITU-T Q.24 asks: 0 to -25 dBm0 a tone, the upper 4 dB
//! stronger to 8 dB weaker than the lower, within 1.5 % of its frequency, 40 ms long; refused beyond 3.5 % and up to 23 ms.
//!
//! Every 5 ms the last 16 ms are compared with the eight frequencies (Goertzel). A moment is a hit when one of each group
//! stands out and both together are nearly all there is: speech is not. Five hits in a row make a key, if the phases of its
//! tones advanced at the right pace over them: that measures the frequency far more sharply than 16 ms can.

use std::f32::consts::{PI, TAU};

use super::Digit;

/// Samples compared at a time (16 ms) and between comparisons (5 ms).
const WINDOW: usize = 128;
const HOP: usize = 40;
const RATE: f32 = 8_000.0;
/// Hz (Q.23): four rows, four columns.
const TONES: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
/// Mean square of a sine at -28 dBm0, full scale being 3.17 dBm0: between what is accepted and what is not.
const FAINTEST: f32 = 0.5 * 32_768.0 * 32_768.0 * 7.6e-4;
/// Upper over lower tone, as power ratios: -9.5 and +5.5 dB, half of what lies between must and must not.
const TWIST: (f32, f32) = (0.112, 3.55);
/// The share of the two tones in all there is, at a hit, and on average over the hits of a key. Noise 15 dB below leaves 0.97.
const PURE: f32 = 0.78;
const PURE_ON_AVERAGE: f32 = 0.86;
/// Each tone is at least four times (6 dB) the next of its group.
const STANDS_OUT: f32 = 4.0;
/// The frequency is taken up to here: between 1.5 and 3.5 %.
const OFF: f32 = 0.025;
/// From one window to the next, where noise blurs it, up to here; and so much is given back.
const OFF_AT_ONCE: f32 = 0.04;
const GIVEN_BACK: f32 = 0.018;
/// Hits in a row that make a key: a tone of 40 ms gives six or more, one of 23 ms at most three.
const HITS: u32 = 5;
/// Misses in a row after which it is let go: a pause of 40 ms gives nine, a lost packet of 20 ms six.
const MISSES: u32 = 8;
/// A tone held is one tone: its level at a hit is at most 2.5 times (4 dB) that of any other of the key's first hits.
const STEADY: f32 = 2.5;

/// Listens to one leg for keys.
#[derive(Clone, Debug)]
pub struct ToneDetector {
    /// The latest [`WINDOW`] samples, and those that came after them.
    samples: Vec<f32>,
    /// What the window before the next sounded like; `None` when it was faint.
    before: Option<[Tone; 8]>,
    run: Option<Run>,
    held: Option<Held>,
}

/// Hits in a row of one key.
#[derive(Clone, Copy, Debug)]
struct Run {
    row: usize,
    column: usize,
    hits: u32,
    /// Phases at the latest hit, and how far they ran ahead of the nominal frequencies since the first.
    phases: [f32; 2],
    ahead: [f32; 2],
    purity: f32,
    /// Weakest and strongest level.
    weakest: f32,
    strongest: f32,
}

/// A key that was told and is still pressed.
#[derive(Clone, Copy, Debug)]
struct Held {
    key: (usize, usize),
    misses: u32,
}

/// What one moment sounds like when it sounds like a key.
#[derive(Clone, Copy, Debug)]
struct Hit {
    row: usize,
    column: usize,
    phases: [f32; 2],
    purity: f32,
    level: f32,
}

impl Default for ToneDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl ToneDetector {
    /// Has heard nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { samples: vec![0.0; WINDOW - HOP], before: None, run: None, held: None }
    }

    /// The next samples at 8 kHz, at most 60 ms at a time: more could hold two keys. A key is told once per press, as
    /// soon as it is sure (about 40 ms after it began).
    pub fn push(&mut self, pcm8k: &[i16]) -> Option<Digit> {
        let mut found = None;
        self.samples.extend(pcm8k.iter().map(|&sample| f32::from(sample)));
        let mut at = 0;
        while at + WINDOW <= self.samples.len() {
            let hit = self.hear(at);
            found = self.follow(hit).or(found);
            at += HOP;
        }
        self.samples.drain(..at);
        found
    }

    /// The window that begins at `at`.
    fn hear(&mut self, at: usize) -> Option<Hit> {
        let window = &self.samples[at..at + WINDOW];
        let power = window.iter().map(|sample| sample * sample).sum::<f32>() / WINDOW as f32;
        if power < FAINTEST {
            self.before = None;
            return None;
        }
        let tones = TONES.map(|hz| Tone::fit(window, hz));
        let before = self.before.replace(tones)?;
        listen(power, &before, &tones)
    }

    /// One moment more.
    fn follow(&mut self, hit: Option<Hit>) -> Option<Digit> {
        self.run = hit.map(|hit| match self.run {
            Some(run) if (run.row, run.column) == (hit.row, hit.column) => run.and(&hit),
            Some(_) | None => Run::begin(&hit),
        });
        let key = self.run.filter(Run::is_key).map(|run| (run.row, run.column));
        if let Some(held) = &mut self.held {
            // A key once told is held by any of its hits: a packet lost in it shall not tell it twice.
            let still = self.run.is_some_and(|run| (run.row, run.column) == held.key);
            held.misses = if still { 0 } else { held.misses + 1 };
            if held.misses >= MISSES {
                self.held = None;
            } else if key.is_none_or(|key| key == held.key) {
                return None;
            }
        }
        let (row, column) = key?;
        self.held = Some(Held { key: (row, column), misses: 0 });
        Digit::try_from(KEYS[row][column]).ok()
    }
}

impl Run {
    fn begin(hit: &Hit) -> Self {
        Self {
            row: hit.row,
            column: hit.column,
            hits: 1,
            phases: hit.phases,
            ahead: [0.0; 2],
            purity: hit.purity,
            weakest: hit.level,
            strongest: hit.level,
        }
    }

    fn and(mut self, hit: &Hit) -> Self {
        if self.is_whole() {
            // Long keys are judged by their beginning, and may judge again from here.
            return if self.is_key() { self } else { Self::begin(hit) };
        }
        self.hits += 1;
        for (n, tone) in [self.row, 4 + self.column].into_iter().enumerate() {
            let nominal = TAU * TONES[tone] * HOP as f32 / RATE;
            self.ahead[n] += wrap(hit.phases[n] - self.phases[n] - nominal);
        }
        self.phases = hit.phases;
        self.purity += hit.purity;
        self.weakest = self.weakest.min(hit.level);
        self.strongest = self.strongest.max(hit.level);
        self
    }

    fn is_whole(&self) -> bool {
        self.hits >= HITS
    }

    fn is_key(&self) -> bool {
        let span = (self.hits.max(2) - 1) as f32 * HOP as f32 / RATE;
        let near = |n: usize, tone: usize| (self.ahead[n] / (TAU * span)).abs() <= OFF * TONES[tone];
        self.is_whole()
            && near(0, self.row)
            && near(1, 4 + self.column)
            && self.purity >= PURE_ON_AVERAGE * self.hits as f32
            && self.strongest <= STEADY * self.weakest
    }
}

/// Whether a window of that power (mean square) sounds like a key, given what the one before sounded like.
fn listen(power: f32, before: &[Tone; 8], tones: &[Tone; 8]) -> Option<Hit> {
    let (row, low) = strongest(&tones[..4])?;
    let (column, high) = strongest(&tones[4..])?;
    let (low_power, low_phase) = measured(row, low, before[row])?;
    let (high_power, high_phase) = measured(4 + column, high, before[4 + column])?;
    let twist = high_power / low_power;
    let purity = (low_power + high_power) / power;
    let is_key =
        low_power.min(high_power) >= FAINTEST && twist >= TWIST.0 && twist <= TWIST.1 && purity >= PURE;
    is_key.then_some(Hit {
        row,
        column,
        phases: [low_phase, high_phase],
        purity: purity.min(1.0),
        level: power,
    })
}

/// Power and phase of a tone. Its pace since the window before tells how far it is off; `None` when that is far too much.
/// What a tone off its frequency loses in the comparison is given back.
fn measured(index: usize, tone: Tone, before: Tone) -> Option<(f32, f32)> {
    let nominal = TAU * TONES[index] * HOP as f32 / RATE;
    let off = wrap(tone.phase() - before.phase() - nominal) / (TAU * HOP as f32 / RATE);
    if off.abs() > OFF_AT_ONCE * TONES[index] {
        return None;
    }
    let half_turns = (PI * off.abs().min(GIVEN_BACK * TONES[index]) * WINDOW as f32 / RATE).max(1e-3);
    let kept = half_turns.sin() / half_turns;
    Some((tone.power() / (kept * kept), tone.phase()))
}

/// One tone in a window: the sine that fits best, as a complex number whose phase is that at the window's begin.
#[derive(Clone, Copy, Debug, Default)]
struct Tone {
    re: f32,
    im: f32,
    turned: f32,
}

impl Tone {
    fn fit(window: &[f32], hz: f32) -> Self {
        let angle = TAU * hz / RATE;
        let turn = 2.0 * angle.cos();
        let (mut before, mut latest) = (0.0f32, 0.0f32);
        for &sample in window {
            (before, latest) = (latest, sample + turn * latest - before);
        }
        let size = window.len() as f32;
        Self { re: latest - before * angle.cos(), im: before * angle.sin(), turned: angle * (size - 1.0) }
    }

    /// Mean square of the sine.
    fn power(self) -> f32 {
        2.0 * (self.re * self.re + self.im * self.im) / (WINDOW * WINDOW) as f32
    }

    fn phase(self) -> f32 {
        self.im.atan2(self.re) - self.turned
    }
}

/// The strongest tone of a group, if it stands out.
fn strongest(group: &[Tone]) -> Option<(usize, Tone)> {
    let (best, tone) = group.iter().enumerate().max_by(|a, b| a.1.power().total_cmp(&b.1.power()))?;
    let others = group.iter().enumerate().filter(|&(n, _)| n != best);
    let next = others.map(|(_, tone)| tone.power()).fold(0.0, f32::max);
    (tone.power() >= STANDS_OUT * next).then_some((best, *tone))
}

/// An angle from -PI to PI.
fn wrap(angle: f32) -> f32 {
    (angle + PI).rem_euclid(TAU) - PI
}

#[cfg(test)]
mod tests;
