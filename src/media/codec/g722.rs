//! G.722 at 64 kbit/s (mode 1) from ITU-T Rec. G.722: two sub-bands of 8 kHz split by a quadrature mirror filter,
//! 6 bits of adaptive differential PCM a sample below, 2 above. Block names in comments are those of the
//! Recommendation, clause 6. All arithmetic is its 16-bit fixed point; wider here, limited where it limits.

/// Taps of one phase of the quadrature mirror filter (table 11; symmetric, so the other phase is the mirror).
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
/// Decision levels of the 6-bit quantizer (table 14).
const Q6: [i32; 30] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121,
    1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
/// Output levels of the inverse 6-bit quantizer (table 20), by code.
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360,
    -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688,
    -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856,
    7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136,
    -432, -136,
];
/// Output levels of the inverse 4-bit quantizer (table 18), by the 6-bit code's upper 4 bits.
const QM4: [i32; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];
/// Output levels of the inverse 2-bit quantizer of the upper band (table 21), by code.
const QM2: [i32; 4] = [-7408, -1616, 7408, 1616];
/// What the lower band's scale factor gains with each 4-bit code (tables 12 and 13).
const WL: [i32; 16] = [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
/// Likewise in the upper band, by 2-bit code (tables 13 and 22).
const WH: [i32; 4] = [798, -214, 798, -214];
/// 2048 * 2^(n/32): the logarithm's way back (table 15).
const ILB: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

/// 16 kHz samples in, one octet for each two out.
#[derive(Clone, Debug)]
pub(super) struct Encoder {
    low: Band,
    high: Band,
    qmf: Line,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { low: Band::new(32), high: Band::new(8), qmf: Line::default() }
    }

    /// Appends an octet for each pair of samples; an odd last one is not coded.
    pub(super) fn encode(&mut self, pcm: &[i16], octets: &mut Vec<u8>) {
        octets.reserve(pcm.len() / 2);
        for pair in pcm.chunks_exact(2) {
            let (odd, even) = self.qmf.push(i32::from(pair[0]), i32::from(pair[1]));
            octets.push(self.code((even + odd) >> 14, (even - odd) >> 14));
        }
    }

    fn code(&mut self, low: i32, high: i32) -> u8 {
        // SUBTRA and QUANTL. Codes count down from the outermost level: 4-31 below zero, 32-61 above,
        // and the innermost two below zero are 63 and 62.
        let difference = limit(low - self.low.estimate);
        let level = Q6.partition_point(|&q| (q * self.low.scale) >> 12 <= magnitude(difference)) as u8;
        let code_low = match (difference < 0, level) {
            (true, 1 | 2) => 64 - level,
            (true, _) => 34 - level,
            (false, _) => 62 - level,
        };
        self.low.adapt_low(usize::from(code_low >> 2));
        // SUBTRA and QUANTH.
        let difference = limit(high - self.high.estimate);
        let outer = magnitude(difference) >= (564 * self.high.scale) >> 12;
        let code_high = match (difference < 0, outer) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        };
        self.high.adapt_high(usize::from(code_high));
        code_high << 6 | code_low
    }
}

/// One octet in, two 16 kHz samples out. Every octet is a valid code.
#[derive(Clone, Debug)]
pub(super) struct Decoder {
    low: Band,
    high: Band,
    qmf: Line,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { low: Band::new(32), high: Band::new(8), qmf: Line::default() }
    }

    /// Appends two samples for each octet.
    pub(super) fn decode(&mut self, octets: &[u8], pcm: &mut Vec<i16>) {
        pcm.reserve(2 * octets.len());
        for &octet in octets {
            let code_low = usize::from(octet & 0x3F);
            let code_high = usize::from(octet >> 6);
            // INVQBL, RECONS, LIMIT: the output uses all six bits, the adaptation only the upper four.
            let low = limit15(self.low.estimate + ((self.low.scale * QM6[code_low]) >> 15));
            self.low.adapt_low(code_low >> 2);
            let high = limit15(self.high.estimate + ((self.high.scale * QM2[code_high]) >> 15));
            self.high.adapt_high(code_high);
            let (second, first) = self.qmf.push(low + high, low - high);
            pcm.push(limit(first >> 11) as i16);
            pcm.push(limit(second >> 11) as i16);
        }
    }
}

/// The 24 latest values of a quadrature mirror filter. They are kept twice, so that the latest always lie in a
/// row without being moved.
#[derive(Clone, Debug, Default)]
struct Line {
    even: [[i32; 12]; 2],
    odd: [[i32; 12]; 2],
    at: usize,
}

impl Line {
    /// Takes two values and gives the sums of both phases.
    fn push(&mut self, first: i32, second: i32) -> (i32, i32) {
        let mut sums = (0, 0);
        for half in 0..2 {
            self.even[half][self.at] = first;
            self.odd[half][self.at] = second;
        }
        self.at = (self.at + 1) % 12;
        let even = self.even.as_flattened();
        let odd = self.odd.as_flattened();
        for (n, &tap) in QMF.iter().enumerate() {
            sums.0 += even[self.at + n] * tap;
            sums.1 += odd[self.at + n] * QMF[11 - n];
        }
        sums
    }
}

/// The adaptive predictor and scale factor of one sub-band, the same in encoder and decoder.
#[derive(Clone, Debug)]
struct Band {
    /// Predicted value `s`, and the part of it by the zeros, `sz`.
    estimate: i32,
    zeros_estimate: i32,
    /// Reconstructed signals `r`, latest first.
    signal: [i32; 2],
    /// Partially reconstructed signals `p`, latest first.
    partial: [i32; 2],
    /// Coefficients of the two poles and six zeros.
    poles: [i32; 2],
    zeros: [i32; 6],
    /// Quantized differences `d`, latest first.
    differences: [i32; 6],
    /// Logarithm of the scale factor, and the factor.
    log_scale: i32,
    scale: i32,
}

impl Band {
    fn new(scale: i32) -> Self {
        Self {
            estimate: 0,
            zeros_estimate: 0,
            signal: [0; 2],
            partial: [0; 2],
            poles: [0; 2],
            zeros: [0; 6],
            differences: [0; 6],
            log_scale: 0,
            scale,
        }
    }

    /// INVQAL, LOGSCL, SCALEL, then the predictor.
    fn adapt_low(&mut self, code: usize) {
        let difference = (self.scale * QM4[code]) >> 15;
        self.log_scale = (((self.log_scale * 127) >> 7) + WL[code]).clamp(0, 18_432);
        self.scale = unlog(self.log_scale, 8);
        self.predict(difference);
    }

    /// INVQAH, LOGSCH, SCALEH, then the predictor.
    fn adapt_high(&mut self, code: usize) {
        let difference = (self.scale * QM2[code]) >> 15;
        self.log_scale = (((self.log_scale * 127) >> 7) + WH[code]).clamp(0, 22_528);
        self.scale = unlog(self.log_scale, 10);
        self.predict(difference);
    }

    /// Block 4: adapts poles and zeros to the quantized difference and predicts the next value.
    fn predict(&mut self, difference: i32) {
        let signal = limit(self.estimate + difference); // RECONS
        let partial = limit(self.zeros_estimate + difference); // PARREC
        let same = |a: i32, b: i32| (a < 0) == (b < 0);

        // UPPOL2
        let pole = limit(self.poles[0] << 2);
        let turn = if same(partial, self.partial[0]) { (-pole).min(32_767) } else { pole };
        let push = if same(partial, self.partial[1]) { 128 } else { -128 };
        let second = ((turn >> 7) + push + ((self.poles[1] * 32_512) >> 15)).clamp(-12_288, 12_288);
        // UPPOL1
        let push = if same(partial, self.partial[0]) { 192 } else { -192 };
        let bound = limit(15_360 - second);
        let first = limit(push + ((self.poles[0] * 32_640) >> 15)).clamp(-bound, bound);
        // UPZERO
        let step = if difference == 0 { 0 } else { 128 };
        for (zero, &earlier) in self.zeros.iter_mut().zip(&self.differences) {
            let push = if same(difference, earlier) { step } else { -step };
            *zero = limit(push + ((*zero * 32_640) >> 15));
        }
        // DELAYA
        self.poles = [first, second];
        self.signal = [signal, self.signal[0]];
        self.partial = [partial, self.partial[0]];
        self.differences.rotate_right(1);
        self.differences[0] = difference;
        // FILTEP, FILTEZ, PREDIC
        let by_poles: i32 =
            self.poles.iter().zip(&self.signal).map(|(&a, &r)| (a * limit(2 * r)) >> 15).sum();
        let by_zeros: i32 =
            self.zeros.iter().zip(&self.differences).map(|(&b, &d)| (b * limit(2 * d)) >> 15).sum();
        self.zeros_estimate = limit(by_zeros);
        self.estimate = limit(limit(by_poles) + self.zeros_estimate);
    }
}

/// SCALEL and SCALEH: the scale factor of a logarithm.
fn unlog(log: i32, shift: i32) -> i32 {
    let mantissa = ILB[((log >> 6) & 31) as usize];
    let shift = shift - (log >> 11);
    (if shift < 0 { mantissa << -shift } else { mantissa >> shift }) << 2
}

/// Into 16 bits.
fn limit(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

/// LIMIT: into the 15 bits of a sub-band's output.
fn limit15(value: i32) -> i32 {
    value.clamp(-16_384, 16_383)
}

/// As the quantizers take it: -1 counts as 0.
fn magnitude(difference: i32) -> i32 {
    if difference < 0 { -(difference + 1) } else { difference }
}
