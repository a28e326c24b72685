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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sums_saturate_and_short_voices_end_in_silence() {
        let mut out = vec![9];
        mix(&[&[1, 20_000, -20_000, 5], &[2, 20_000, -20_000], &[3]], &mut out);
        assert_eq!(out, [9, 6, i16::MAX, i16::MIN, 5]);
        mix(&[], &mut out);
        assert_eq!(out.len(), 5);
    }

    proptest! {
        #[test]
        fn each_hears_all_the_others(voices in proptest::collection::vec(proptest::collection::vec(any::<i16>(), 0..9), 2..6)) {
            let mut mixer = Mixer::default();
            mixer.add(&[1; 20]);
            mixer.clear();
            voices.iter().for_each(|voice| mixer.add(voice));
            let length = voices.iter().map(Vec::len).max().unwrap_or(0);
            for (n, own) in voices.iter().enumerate() {
                let (mut heard, mut wanted) = (Vec::new(), Vec::new());
                mixer.without(own, &mut heard);
                let others: Vec<&[i16]> =
                    voices.iter().enumerate().filter(|&(m, _)| m != n).map(|(_, voice)| &voice[..]).collect();
                mix(&others, &mut wanted);
                wanted.resize(length, 0);
                prop_assert_eq!(heard, wanted);
            }
        }
    }
}
