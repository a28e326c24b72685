//! Comfort noise (RFC 3389): reads its payload and fills a pause with noise of that level and colour.

/// Filter coefficients taken; more describe nothing an ear hears (RFC 3389 §3.3 finds 10 enough).
const ORDER: usize = 12;

/// What a comfort noise payload says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Description {
    /// Level in -dBov, 0-127: 0 is the loudest, 127 silence.
    pub level: u8,
    /// Reflection coefficients of its spectrum, between -1 and 1; all zero when it is white.
    pub reflection: [f32; ORDER],
}

impl Description {
    /// Reads a payload (RFC 3389 §3.1, §3.2); `None` when it is empty. Coefficients past the twelfth are ignored.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (&level, coefficients) = payload.split_first()?;
        let mut reflection = [0.0; ORDER];
        for (out, &octet) in reflection.iter_mut().zip(coefficients) {
            // 127 is zero; 255 is reserved and taken as 254.
            *out = 258.0 * (f32::from(octet.min(254)) - 127.0) / 32_768.0;
        }
        Some(Self { level: level & 0x7F, reflection })
    }
}

/// Makes noise.
#[derive(Clone, Debug)]
pub struct Generator {
    state: u32,
    /// Amplitude of the white noise that feeds the filter.
    amplitude: f32,
    reflection: [f32; ORDER],
    /// The lattice filter's memory.
    memory: [f32; ORDER],
}

impl Generator {
    /// Silent until described. `seed` makes it differ from others.
    #[must_use]
    pub fn new(seed: u32) -> Self {
        Self { state: seed | 1, amplitude: 0.0, reflection: [0.0; ORDER], memory: [0.0; ORDER] }
    }

    /// From now on noise as described. 0 dBov is a square wave of full scale (RFC 3389 §3.1).
    pub fn describe(&mut self, description: &Description) {
        let level =
            if description.level >= 127 { 0.0 } else { 10f32.powf(-f32::from(description.level) / 20.0) };
        // The filter raises the power by 1 / (1 - k²) a stage; evenly spread noise has a third of its peak's power.
        let gain: f32 = description.reflection.iter().map(|k| 1.0 - k * k).product();
        self.amplitude = 32_767.0 * level * (3.0 * gain).sqrt();
        self.reflection = description.reflection;
    }

    /// Appends `samples` samples of it.
    pub fn fill(&mut self, samples: usize, pcm: &mut Vec<i16>) {
        pcm.reserve(samples);
        for _ in 0..samples {
            let mut signal = self.random() * self.amplitude;
            for stage in (0..ORDER).rev() {
                signal -= self.reflection[stage] * self.memory[stage];
                if stage + 1 < ORDER {
                    self.memory[stage + 1] = self.memory[stage] + self.reflection[stage] * signal;
                }
            }
            self.memory[0] = signal;
            pcm.push(signal.clamp(-32_768.0, 32_767.0) as i16);
        }
    }

    /// Evenly from -1 to 1 (Marsaglia's xorshift).
    fn random(&mut self) -> f32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 17;
        self.state ^= self.state << 5;
        self.state as f32 / 2_147_483_648.0 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn level(pcm: &[i16]) -> f64 {
        let power = pcm.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / pcm.len() as f64;
        20.0 * (power.sqrt() / 32_768.0).log10()
    }

    #[test]
    fn the_noise_has_the_level_described_white_or_coloured() {
        for payload in [&[40u8][..], &[60], &[0x80 | 50], &[45, 200, 90, 140], &[30, 60, 160, 127, 120, 130]]
        {
            let mut generator = Generator::new(7);
            generator.describe(&Description::parse(payload).unwrap());
            let mut pcm = Vec::new();
            generator.fill(80_000, &mut pcm);
            let wanted = -f64::from(payload[0] & 0x7F);
            assert!((level(&pcm) - wanted).abs() < 1.0, "{payload:?}: {:.1} dBov", level(&pcm));
        }
    }

    #[test]
    fn a_coefficient_colours_it_and_127_is_silence() {
        let mut generator = Generator::new(7);
        let correlation = |pcm: &[i16]| {
            let product: f64 = pcm.windows(2).map(|two| f64::from(two[0]) * f64::from(two[1])).sum();
            product / pcm.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>()
        };
        let mut pcm = Vec::new();
        generator.describe(&Description::parse(&[30, 27]).unwrap());
        generator.fill(40_000, &mut pcm);
        // The first reflection coefficient is the negated correlation of neighbours.
        assert!((correlation(&pcm) - 0.787).abs() < 0.03, "{}", correlation(&pcm));
        pcm.clear();
        generator.describe(&Description::parse(&[127]).unwrap());
        generator.fill(2_000, &mut pcm);
        assert!(pcm[1_000..].iter().all(|&sample| sample == 0));
        assert_eq!(Description::parse(&[]), None);
    }

    proptest! {
        #[test]
        fn no_payload_makes_it_unstable(payload in proptest::collection::vec(any::<u8>(), 1..40), seed: u32) {
            let mut generator = Generator::new(seed);
            generator.describe(&Description::parse(&payload).expect("not empty"));
            let mut pcm = Vec::new();
            generator.fill(4_000, &mut pcm);
            prop_assert_eq!(pcm.len(), 4_000);
            prop_assert!(generator.memory.iter().all(|value| value.is_finite()));
        }
    }
}
