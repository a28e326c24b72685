//! ITU-T G.711: A-law and µ-law to and from 16-bit linear PCM, by table, and to each other.

/// A-law octet -> 16-bit linear sample.
pub static ALAW_TO_PCM: [i16; 256] = table_i16(false);
/// µ-law octet -> 16-bit linear sample.
pub static ULAW_TO_PCM: [i16; 256] = table_i16(true);
/// A-law octet -> µ-law octet, through linear PCM.
pub static ALAW_TO_ULAW: [u8; 256] = cross_table(false);
/// µ-law octet -> A-law octet, through linear PCM.
pub static ULAW_TO_ALAW: [u8; 256] = cross_table(true);

/// Silence in A-law (+8 on the 13-bit scale, the smallest there is).
pub const ALAW_SILENCE: u8 = 0xD5;
/// Silence in µ-law (zero).
pub const ULAW_SILENCE: u8 = 0xFF;

/// 16-bit linear sample -> A-law octet.
#[must_use]
pub const fn pcm_to_alaw(sample: i16) -> u8 {
    // Sign and 12 bits of magnitude; negative values count from -1 (G.711 table 1).
    let (sign, magnitude) = if sample >= 0 { (0x80u8, sample >> 4) } else { (0, !(sample >> 4)) };
    let magnitude = magnitude as u16 & 0x7FF;
    let octet = if magnitude < 16 {
        magnitude as u8
    } else {
        let exponent = 12 - magnitude.leading_zeros() as u16;
        ((exponent << 4) | ((magnitude >> (exponent - 1)) & 0x0F)) as u8
    };
    (octet | sign) ^ 0x55
}

/// 16-bit linear sample -> µ-law octet.
#[must_use]
pub const fn pcm_to_ulaw(sample: i16) -> u8 {
    const BIAS: i32 = 0x84;
    const CLIP: i32 = 32_635;
    let (sign, magnitude) = if sample < 0 { (0x80u8, -(sample as i32)) } else { (0, sample as i32) };
    let magnitude = if magnitude > CLIP { CLIP } else { magnitude } + BIAS;
    let exponent = 31 - magnitude.leading_zeros() as i32 - 7;
    let mantissa = (magnitude >> (exponent + 3)) & 0x0F;
    !(sign | ((exponent << 4) | mantissa) as u8)
}

const fn alaw_to_pcm(octet: u8) -> i16 {
    let octet = octet ^ 0x55;
    let exponent = (octet >> 4) & 0x07;
    let mantissa = (octet & 0x0F) as i16;
    let magnitude =
        if exponent == 0 { (mantissa << 4) + 8 } else { ((mantissa << 4) + 0x108) << (exponent - 1) };
    if octet & 0x80 != 0 { magnitude } else { -magnitude }
}

const fn ulaw_to_pcm(octet: u8) -> i16 {
    let octet = !octet;
    let exponent = (octet >> 4) & 0x07;
    let mantissa = (octet & 0x0F) as i16;
    let magnitude = (((mantissa << 3) + 0x84) << exponent) - 0x84;
    if octet & 0x80 != 0 { -magnitude } else { magnitude }
}

const fn table_i16(ulaw: bool) -> [i16; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = if ulaw { ulaw_to_pcm(octet as u8) } else { alaw_to_pcm(octet as u8) };
        octet += 1;
    }
    table
}

const fn cross_table(from_ulaw: bool) -> [u8; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = if from_ulaw {
            pcm_to_alaw(ulaw_to_pcm(octet as u8))
        } else {
            pcm_to_ulaw(alaw_to_pcm(octet as u8))
        };
        octet += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_the_recommendation() {
        assert_eq!(pcm_to_ulaw(0), 0xFF);
        assert_eq!(pcm_to_ulaw(i16::MAX), 0x80);
        assert_eq!(pcm_to_ulaw(i16::MIN), 0x00);
        assert_eq!(ULAW_TO_PCM[0x80], 32_124);
        assert_eq!(pcm_to_alaw(0), 0xD5);
        assert_eq!(pcm_to_alaw(-1), 0x55);
        assert_eq!(pcm_to_alaw(i16::MAX), 0xAA);
        assert_eq!(pcm_to_alaw(i16::MIN), 0x2A);
        assert_eq!(ALAW_TO_PCM[0xAA], 32_256);
    }

    #[test]
    fn every_octet_survives_the_round_trip() {
        for octet in 0..=255u8 {
            assert_eq!(pcm_to_alaw(ALAW_TO_PCM[usize::from(octet)]), octet);
            // µ-law has two zeros; the negative one comes back as the positive one.
            let back = pcm_to_ulaw(ULAW_TO_PCM[usize::from(octet)]);
            assert!(back == octet || (octet == 0x7F && back == 0xFF), "{octet:#x} -> {back:#x}");
        }
    }
}
