//! The outline of a recording, for showing it: how loud each side is at each point, made from the audio as it is read and
//! kept nowhere.

use std::io::Cursor;

use futures_util::TryStreamExt as _;
use ogg::PacketReader;
use opus::MSDecoder;

use crate::media::g711::{ALAW_TO_PCM, ULAW_TO_PCM};

use super::audio::{Audio, AudioError};

/// Samples a second, of each side.
const RATE: u32 = 8_000;
/// A packet of Opus is no longer than this (RFC 6716 §2.1.4), in samples of one side.
const LONGEST_PACKET: usize = 960;
/// An hour at 48 kbit/s is 21 MiB; one that is longer than four has no outline.
const LARGEST_OGG: u64 = 96 * 1_024 * 1_024;
/// The head of a WAV file of ours ends before this.
const HEAD: usize = 58;

/// How loud each side is at each point, 0 to 1: the largest sample there.
#[derive(Clone, Debug, PartialEq)]
pub struct Peaks {
    /// How long it all is.
    pub seconds: f64,
    /// The caller.
    pub caller: Vec<f32>,
    /// Whoever spoke with the caller.
    pub agent: Vec<f32>,
}

/// Reads all of a recording and gives its outline in so many points; `None`: it is too long for one.
///
/// # Errors
/// When it cannot be read, or is not what we write.
pub async fn peaks(audio: &Audio, points: usize) -> Result<Option<Peaks>, AudioError> {
    if audio.content_type() == "audio/ogg" {
        if audio.length() > LARGEST_OGG {
            return Ok(None);
        }
        let bytes = audio.read().await?;
        let done = tokio::task::spawn_blocking(move || of_ogg(bytes, points)).await;
        return done.unwrap_or_else(|_| Err(strange("it cannot be decoded"))).map(Some);
    }
    let mut stream = audio.stream(0..audio.length()).await?;
    let mut held = Vec::new();
    let mut outline: Option<(Law, Outline)> = None;
    while let Some(bytes) = stream.try_next().await? {
        held.extend_from_slice(&bytes);
        let (law, outline) = match &mut outline {
            Some(outline) => outline,
            None if held.len() < HEAD => continue,
            None => {
                let (law, head) = Law::of(&held)?;
                held.drain(..head);
                let frames = (audio.length() - head as u64) / law.frame() as u64;
                outline.insert((law, Outline::new(frames, points)))
            }
        };
        let whole = held.len() - held.len() % law.frame();
        for frame in held[..whole].chunks_exact(law.frame()) {
            outline.push(law.samples(frame));
        }
        held.drain(..whole);
    }
    // One that ends before its first sample has no outline, and is no fault.
    Ok(Some(outline.map_or_else(|| Outline::new(0, points), |(_, outline)| outline).done()))
}

/// How samples are written in a WAV file.
#[derive(Clone, Copy)]
enum Law {
    Linear,
    Mu,
    A,
}

impl Law {
    /// From a file's head, and how long that is.
    fn of(file: &[u8]) -> Result<(Self, usize), AudioError> {
        match file.get(20..22) {
            Some([1, 0]) => Ok((Self::Linear, 44)),
            Some([7, 0]) => Ok((Self::Mu, HEAD)),
            Some([6, 0]) => Ok((Self::A, HEAD)),
            Some(_) | None => Err(strange("its head is none of ours")),
        }
    }

    /// Bytes of both sides' samples.
    const fn frame(self) -> usize {
        match self {
            Self::Linear => 4,
            Self::Mu | Self::A => 2,
        }
    }

    fn samples(self, frame: &[u8]) -> [i16; 2] {
        match (self, frame) {
            (Self::Linear, &[a, b, c, d]) => [i16::from_le_bytes([a, b]), i16::from_le_bytes([c, d])],
            (Self::Mu, &[a, b]) => [a, b].map(|octet| ULAW_TO_PCM[usize::from(octet)]),
            (Self::A, &[a, b]) => [a, b].map(|octet| ALAW_TO_PCM[usize::from(octet)]),
            (Self::Linear | Self::Mu | Self::A, _) => [0, 0],
        }
    }
}

/// An outline being drawn.
struct Outline {
    frames: u64,
    seen: u64,
    sides: [Vec<u16>; 2],
}

impl Outline {
    fn new(frames: u64, points: usize) -> Self {
        Self { frames, seen: 0, sides: [vec![0; points], vec![0; points]] }
    }

    fn push(&mut self, samples: [i16; 2]) {
        let points = self.sides[0].len() as u64;
        let at = (self.seen * points).checked_div(self.frames).unwrap_or(0).min(points.saturating_sub(1));
        self.seen += 1;
        for (side, sample) in self.sides.iter_mut().zip(samples) {
            if let Some(peak) = side.get_mut(at as usize) {
                *peak = (*peak).max(sample.unsigned_abs());
            }
        }
    }

    fn done(self) -> Peaks {
        // Three places are more than a picture shows.
        let share = |peak: u16| (f32::from(peak) / 32_768.0 * 1_000.0).round() / 1_000.0;
        let [caller, agent] = self.sides.map(|side| side.into_iter().map(share).collect());
        Peaks { seconds: self.frames as f64 / f64::from(RATE), caller, agent }
    }
}

fn of_ogg(bytes: Vec<u8>, points: usize) -> Result<Peaks, AudioError> {
    let mut reader = PacketReader::new(Cursor::new(bytes));
    let mut decoder = MSDecoder::new(RATE, 2, 0, &[0, 1]).map_err(|_| strange("there is no decoder"))?;
    let mut samples: Vec<[i16; 2]> = Vec::new();
    let (mut skip, mut end) = (0, None);
    let mut n = 0_u64;
    while let Some(packet) = reader.read_packet().map_err(|_| strange("its pages are damaged"))? {
        match n {
            // What a decoder leaves out at the beginning, at 48 kHz (RFC 7845 §5.1).
            0 => {
                let at = packet.data.get(10..12).ok_or_else(|| strange("its head is short"))?;
                skip = usize::from(u16::from_le_bytes([at[0], at[1]])) / 6;
            }
            1 => {}
            _ => {
                let mut pcm = [0; LONGEST_PACKET * 2];
                let decoded = decoder.decode(&packet.data, &mut pcm, false);
                let decoded = decoded.map_err(|_| strange("a packet of it is damaged"))?;
                samples.extend(pcm[..decoded * 2].chunks_exact(2).map(|pair| [pair[0], pair[1]]));
                if packet.last_in_stream() {
                    // The last one may be cut (RFC 7845 §4.4).
                    end = usize::try_from(packet.absgp_page() / 6).ok();
                }
            }
        }
        n += 1;
    }
    let end = end.unwrap_or(samples.len()).min(samples.len());
    let samples = samples.get(skip.min(end)..end).unwrap_or_default();
    let mut outline = Outline::new(samples.len() as u64, points);
    samples.iter().for_each(|pair| outline.push(*pair));
    Ok(outline.done())
}

fn strange(what: &str) -> AudioError {
    AudioError::Damaged(format!("the recording has no outline: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_point_is_the_largest_sample_there() {
        let mut outline = Outline::new(8, 4);
        for (caller, agent) in
            [(1, 0), (-16_384, 0), (0, 0), (0, i16::MIN), (0, 0), (3_277, 0), (0, 0), (0, 32_767)]
        {
            outline.push([caller, agent]);
        }
        let peaks = outline.done();
        assert_eq!(peaks.caller, [0.5, 0.0, 0.1, 0.0]);
        assert_eq!(peaks.agent, [0.0, 1.0, 0.0, 1.0]);
        assert!((peaks.seconds - 0.001).abs() < 1e-9);
        let mut long = Outline::new(2, 1_000);
        [[i16::MAX, 0]; 5].into_iter().for_each(|pair| long.push(pair));
        assert_eq!(long.done().caller.len(), 1_000, "more samples than were told do no harm");
    }

    #[test]
    fn octets_of_g711_are_samples() {
        assert_eq!(Law::Mu.samples(&[0xFF, 0x80]), [0, 32_124]);
        assert_eq!(Law::A.samples(&[0xD5, 0xAA]), [8, 32_256]);
        assert_eq!(Law::Linear.samples(&[1, 0, 0xFF, 0xFF]), [1, -1]);
    }
}
