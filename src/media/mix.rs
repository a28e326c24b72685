//! Mixes voices: sums that saturate instead of wrapping.

/// Appends the saturated sum of `voices` to `out`, as long as the longest; shorter ones end in silence.
pub fn mix(voices: &[&[i16]], out: &mut Vec<i16>) {
    let mut mixer = Mixer::default();
    for voice in voices {
        mixer.add(voice);
    }
    mixer.without(&[], out);
}

/// A conference of one packet's length: add every voice once, then give each the sum less its own.
#[derive(Clone, Debug, Default)]
pub struct Mixer {
    sum: Vec<i32>,
}

impl Mixer {
    /// Forgets all voices; keeps its memory.
    pub fn clear(&mut self) {
        self.sum.clear();
    }

    /// One more voice; shorter ones end in silence.
    pub fn add(&mut self, voice: &[i16]) {
        if self.sum.len() < voice.len() {
            self.sum.resize(voice.len(), 0);
        }
        for (sum, &sample) in self.sum.iter_mut().zip(voice) {
            *sum = sum.saturating_add(i32::from(sample));
        }
    }

    /// Appends the sum of all voices less `own`, which was added before (empty: the sum of all).
    pub fn without(&self, own: &[i16], out: &mut Vec<i16>) {
        let own = own.iter().copied().chain(std::iter::repeat(0));
        out.extend(self.sum.iter().zip(own).map(|(&sum, own)| saturate(sum - i32::from(own))));
    }
}

fn saturate(sum: i32) -> i16 {
    sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}
