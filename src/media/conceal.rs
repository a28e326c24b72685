//! Packet-loss concealment for codecs that have none of their own, in the spirit of ITU-T G.711 Appendix I: the last
//! pitch period is repeated, then the last two, then three; it fades from 10 ms on and is silent after 60 ms. Unlike
//! there, nothing is delayed: the joint before the loss is smoothed inside the concealment.

/// Lags searched for the pitch period, in tenths of a millisecond: 66 to 200 Hz as in Appendix I.
const LAGS: (usize, usize) = (50, 150);
/// Length compared to find it, likewise.
const COMPARED: usize = 200;
/// Remembered, likewise: three longest periods and what the joint needs.
const REMEMBERED: usize = 500;
/// Unfaded at first, and silent from then on, likewise.
const FADE: (usize, usize) = (100, 600);

/// Remembers what was played, and goes on from there when a packet is missing.
#[derive(Clone, Debug)]
pub struct Concealer {
    /// Samples in a tenth of a millisecond, times ten: 8 or 16 to the millisecond.
    per_ms: usize,
    /// The latest samples played, in order; always of the same length.
    history: Vec<i16>,
    loss: Option<Loss>,
}

/// A loss going on.
#[derive(Clone, Debug)]
struct Loss {
    /// The pitch period in samples.
    period: usize,
    /// How many samples have been concealed.
    done: usize,
    /// Where in the repeated stretch the next sample lies, and how long the stretch is: one to three periods.
    at: usize,
    stretch: usize,
    /// What a straight repetition would jump by at the beginning.
    step: f32,
}

impl Concealer {
    /// For 8,000 or 16,000 samples per second.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        let per_ms = rate as usize / 1_000;
        Self { per_ms, history: vec![0; REMEMBERED * per_ms / 10], loss: None }
    }

    /// `pcm` was decoded and is to be played; after a loss its beginning is blended with the concealment.
    pub fn heard(&mut self, pcm: &mut [i16]) {
        if let Some(mut loss) = self.loss.take() {
            // 4 ms, and as much for each 10 ms lost, at most 10 ms (Appendix I, clause I.2.7).
            let span = (4 * self.per_ms + loss.done * 4 / 10).min(10 * self.per_ms).min(pcm.len());
            for (n, sample) in pcm[..span].iter_mut().enumerate() {
                let share = (n + 1) as f32 / (span + 1) as f32;
                let concealed = f32::from(loss.next(&self.history, self.per_ms));
                *sample = (concealed + (f32::from(*sample) - concealed) * share) as i16;
            }
        }
        self.remember(pcm);
    }

    /// Appends `samples` in place of what is missing.
    pub fn conceal(&mut self, samples: usize, pcm: &mut Vec<i16>) {
        let loss = self.loss.get_or_insert_with(|| Loss::begin(&self.history, self.per_ms));
        pcm.reserve(samples);
        for _ in 0..samples {
            pcm.push(loss.next(&self.history, self.per_ms));
        }
    }

    fn remember(&mut self, pcm: &[i16]) {
        let length = self.history.len();
        let new = &pcm[pcm.len().saturating_sub(length)..];
        self.history.copy_within(new.len().., 0);
        self.history[length - new.len()..].copy_from_slice(new);
    }
}

impl Loss {
    fn begin(history: &[i16], per_ms: usize) -> Self {
        let period = period(history, per_ms);
        let end = history.len();
        let step = f32::from(history[end - 1]) - f32::from(history[end - period - 1]);
        Self { period, done: 0, at: 0, stretch: period, step }
    }

    /// The next concealed sample.
    fn next(&mut self, history: &[i16], per_ms: usize) -> i16 {
        // Longer stretches sound less like a buzzer (Appendix I, clause I.2.5): two periods after 10 ms, three after 20.
        if self.at == self.stretch {
            self.at = 0;
            self.stretch = self.period * (1 + self.done / (10 * per_ms)).min(3);
        }
        let gain = fade(self.done, per_ms);
        self.at += 1;
        self.done += 1;
        if gain <= 0.0 {
            return 0;
        }
        let source = f32::from(blended(history, self.stretch, self.at - 1, self.period / 4));
        // The jump at the beginning dies away within 2 ms.
        let rest = 1.0 - (self.done as f32 / (2 * per_ms) as f32);
        let smooth = if rest > 0.0 { self.step * rest } else { 0.0 };
        ((source + smooth) * gain).clamp(-32_768.0, 32_767.0) as i16
    }
}

/// Sample `at` of the last `stretch` samples; its end is blended into what precedes the stretch, so that the repetition
/// has no jump.
fn blended(history: &[i16], stretch: usize, at: usize, overlap: usize) -> i16 {
    let start = history.len() - stretch;
    let left = stretch - at;
    let sample = f32::from(history[start + at]);
    if left > overlap || start < left {
        return sample as i16;
    }
    let share = left as f32 / (overlap + 1) as f32;
    let before = f32::from(history[start - left]);
    (before + (sample - before) * share) as i16
}

/// 1 for 10 ms, then less by 20 % each 10 ms, 0 from 60 ms on.
fn fade(done: usize, per_ms: usize) -> f32 {
    let (from, to) = (FADE.0 * per_ms / 10, FADE.1 * per_ms / 10);
    match done {
        done if done < from => 1.0,
        done if done >= to => 0.0,
        done => 1.0 - (done - from) as f32 / (to - from) as f32,
    }
}

/// The lag at which the end of `history` is most like what came before: normalised cross-correlation, every second lag
/// and sample first, then the neighbours of the best.
fn period(history: &[i16], per_ms: usize) -> usize {
    let (shortest, longest) = (LAGS.0 * per_ms / 10, LAGS.1 * per_ms / 10);
    let likeness = |lag: usize, step: usize| {
        let end = history.len();
        let length = COMPARED * per_ms / 10;
        let (latest, earlier) = (&history[end - length..], &history[end - length - lag..end - lag]);
        let (mut product, mut energy) = (0.0f32, 1.0f32);
        for (&a, &b) in latest.iter().zip(earlier).step_by(step) {
            product += f32::from(a) * f32::from(b);
            energy += f32::from(b) * f32::from(b);
        }
        product / energy.sqrt()
    };
    let best = |lags: &mut dyn Iterator<Item = usize>, step: usize| {
        let start = (shortest, f32::NEG_INFINITY);
        lags.map(|lag| (lag, likeness(lag, step)))
            .fold(start, |best, new| if new.1 > best.1 { new } else { best })
            .0
    };
    let coarse = per_ms / 4;
    let rough = best(&mut (shortest..=longest).step_by(coarse), coarse);
    best(&mut (rough.saturating_sub(coarse).max(shortest)..=(rough + coarse).min(longest)), 1)
}

#[cfg(test)]
#[path = "conceal_tests.rs"]
mod tests;
