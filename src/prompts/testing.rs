//! WAV files for this module's tests, written byte by byte rather than by the code under test.

use super::wav::{Encoding, Format};
use crate::media::g711::{pcm_to_alaw, pcm_to_ulaw};

/// Every format the reader takes, at `rate` Hz with `channels`.
pub(super) fn formats(rate: u32, channels: u16) -> Vec<Format> {
    let kinds = [
        (Encoding::Pcm, 8),
        (Encoding::Pcm, 16),
        (Encoding::Pcm, 24),
        (Encoding::Pcm, 32),
        (Encoding::Float, 32),
        (Encoding::Float, 64),
        (Encoding::Alaw, 8),
        (Encoding::Ulaw, 8),
    ];
    kinds.map(|(encoding, bits)| Format { rate, channels, bits, encoding }).to_vec()
}

/// A tone of 0.5 amplitude with as much silence before and after as asked for (seconds).
pub(super) fn tone(hz: f64, rate: u32, seconds: f64, silence: f64) -> Vec<f64> {
    let quiet = vec![0.0; (f64::from(rate) * silence) as usize];
    let sound = (0..(f64::from(rate) * seconds) as usize)
        .map(|n| 0.5 * (std::f64::consts::TAU * hz * n as f64 / f64::from(rate)).sin());
    quiet.iter().copied().chain(sound).chain(quiet.iter().copied()).collect()
}

/// A WAV file of `samples`, the same in each channel.
pub(super) fn file(format: Format, samples: &[f64]) -> Vec<u8> {
    let mut data = Vec::new();
    for &sample in samples {
        for _ in 0..format.channels {
            data.extend(encode(format, sample));
        }
    }
    riff(&[(b"fmt ", head(format)), (b"LIST", vec![b'x'; 5]), (b"data", data)])
}

/// A `fmt ` chunk.
pub(super) fn head(format: Format) -> Vec<u8> {
    let frame = format.channels * format.bits / 8;
    let tag: u16 = match format.encoding {
        Encoding::Pcm => 1,
        Encoding::Float => 3,
        Encoding::Alaw => 6,
        Encoding::Ulaw => 7,
        Encoding::Packed => 0x55,
    };
    let extensible = format.bits == 24;
    let mut head = Vec::new();
    head.extend(if extensible { 0xFFFE } else { tag }.to_le_bytes());
    head.extend(format.channels.to_le_bytes());
    head.extend(format.rate.to_le_bytes());
    head.extend((format.rate * u32::from(frame)).to_le_bytes());
    head.extend(frame.to_le_bytes());
    head.extend(format.bits.to_le_bytes());
    if extensible {
        head.extend([22, 0, 24, 0, 4, 0, 0, 0]);
        head.extend(tag.to_le_bytes());
        head.extend([0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]);
    }
    head
}

/// A RIFF file of these chunks, odd ones padded.
pub(super) fn riff(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut body = b"WAVE".to_vec();
    for (id, content) in chunks {
        body.extend(*id);
        body.extend((content.len() as u32).to_le_bytes());
        body.extend(content);
        body.extend(std::iter::repeat_n(0, content.len() % 2));
    }
    let mut file = b"RIFF".to_vec();
    file.extend((body.len() as u32).to_le_bytes());
    file.extend(body);
    file
}

fn encode(format: Format, sample: f64) -> Vec<u8> {
    let pcm16 = (sample * 32_767.0).round() as i16;
    match (format.encoding, format.bits) {
        (Encoding::Pcm, 8) => vec![(sample * 127.0 + 128.0).round() as u8],
        (Encoding::Pcm, 16) => pcm16.to_le_bytes().to_vec(),
        (Encoding::Pcm, 24) => ((sample * 8_388_607.0).round() as i32).to_le_bytes()[..3].to_vec(),
        (Encoding::Pcm, _) => ((sample * 2_147_483_647.0).round() as i32).to_le_bytes().to_vec(),
        (Encoding::Float, 64) => sample.to_le_bytes().to_vec(),
        (Encoding::Float, _) => (sample as f32).to_le_bytes().to_vec(),
        (Encoding::Alaw, _) => vec![pcm_to_alaw(pcm16)],
        (Encoding::Ulaw, _) => vec![pcm_to_ulaw(pcm16)],
        (Encoding::Packed, _) => Vec::new(),
    }
}
