//! Any common audio file as mono samples: WAV by our own reader, Ogg Opus by libopus, all others by Symphonia. What comes
//! in is anybody's: how much is decoded is bounded, and nothing panics.

use std::io::Cursor;

use ogg::PacketReader;
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use crate::media::resample::RATES;

use super::AudioError;
use super::wav::{self, Clip, Encoding, Format, WavError};

/// Samples of all channels that are decoded at most: six minutes of stereo at 44.1 kHz, 128 MB.
const MOST_SAMPLES: usize = 32_000_000;
/// Ogg Opus is decoded at this rate (RFC 7845 §5.1).
const OPUS_RATE: u32 = 48_000;
/// Samples of a channel in the longest packet of Opus (RFC 6716 §2.1.4).
const OPUS_PACKET: usize = 5_760;

/// A file's sound, mixed to mono; `seconds`: the most there may be of it.
pub(super) fn decode(file: &[u8], seconds: u64) -> Result<Clip, AudioError> {
    let clip = match wav::decode(file) {
        Ok(clip) => clip,
        // A WAV file whose sound is packed, or no WAV file.
        Err(WavError::Encoding(_) | WavError::Not(_)) if is_opus(file) => by_opus(file, seconds)?,
        Err(WavError::Encoding(_) | WavError::Not(_)) => by_symphonia(file, seconds)?,
        Err(
            error @ (WavError::CutHeader(_)
            | WavError::CutSound { .. }
            | WavError::Missing(_)
            | WavError::Header(_)
            | WavError::Rate { .. }
            | WavError::Empty
            | WavError::NoSound(_)),
        ) => return Err(error.into()),
    };
    if clip.samples.len() as u64 > seconds * u64::from(clip.format.rate) {
        return Err(AudioError::TooLong { most: seconds });
    }
    Ok(clip)
}

/// Interleaved samples as they come.
struct Taken {
    rate: u32,
    channels: usize,
    samples: Vec<f32>,
    most: usize,
    seconds: u64,
}

impl Taken {
    fn new(rate: u32, channels: usize, seconds: u64) -> Result<Self, AudioError> {
        if !RATES.contains(&rate) {
            return Err(WavError::Rate { rate }.into());
        }
        if channels == 0 {
            return Err(AudioError::Damaged("it has no channels".into()));
        }
        let wanted =
            usize::try_from(seconds * u64::from(rate)).unwrap_or(usize::MAX).saturating_mul(channels);
        Ok(Self { rate, channels, samples: Vec::new(), most: wanted.min(MOST_SAMPLES), seconds })
    }

    fn take(&mut self, samples: &[f32]) -> Result<(), AudioError> {
        if self.samples.len() + samples.len() > self.most {
            return Err(AudioError::TooLong { most: self.seconds });
        }
        self.samples.extend_from_slice(samples);
        Ok(())
    }

    fn clip(mut self) -> Result<Clip, AudioError> {
        for sample in &mut self.samples {
            // Packed sound overshoots full scale; nonsense is no sound.
            if !sample.is_finite() || sample.abs() > 1e6 {
                return Err(AudioError::Damaged("it holds what is no sound".into()));
            }
        }
        let (samples, cancelled) = wav::mix(&self.samples, self.channels);
        if samples.is_empty() {
            return Err(WavError::Empty.into());
        }
        let channels = u16::try_from(self.channels).unwrap_or(u16::MAX);
        let format = Format { rate: self.rate, channels, bits: 0, encoding: Encoding::Packed };
        Ok(Clip { format, samples, cancelled })
    }
}

fn by_symphonia(file: &[u8], seconds: u64) -> Result<Clip, AudioError> {
    let source = MediaSourceStream::new(Box::new(Cursor::new(file)), Default::default());
    let unknown = |error: Error| AudioError::Unknown(error.to_string());
    let (format_options, meta) = (FormatOptions::default(), MetadataOptions::default());
    let probe = symphonia::default::get_probe();
    let mut format = probe.probe(&Hint::new(), source, format_options, meta).map_err(unknown)?;
    let silent = || AudioError::Unknown("there is no sound in it".into());
    let track = format.default_track(TrackType::Audio).ok_or_else(silent)?;
    let id = track.id;
    let parameters = track.codec_params.as_ref().and_then(|codec| codec.audio()).ok_or_else(silent)?;
    let codecs = symphonia::default::get_codecs();
    let mut decoder =
        codecs.make_audio_decoder(parameters, &AudioDecoderOptions::default()).map_err(unknown)?;
    let mut taken: Option<Taken> = None;
    let (mut buffer, mut good, mut bad) = (Vec::<f32>::new(), 0_u64, 0_u64);
    while let Some(packet) = format.next_packet().map_err(damaged)? {
        if packet.track_id != id {
            continue;
        }
        match decoder.decode(&packet) {
            Ok(decoded) => {
                let (rate, channels) = (decoded.spec().rate(), decoded.spec().channels().count());
                let now = match &mut taken {
                    Some(taken) if (taken.rate, taken.channels) != (rate, channels) => {
                        return Err(AudioError::Damaged("its sample rate or channels change in it".into()));
                    }
                    Some(taken) => taken,
                    None => taken.insert(Taken::new(rate, channels, seconds)?),
                };
                decoded.copy_to_vec_interleaved(&mut buffer);
                now.take(&buffer)?;
                good += 1;
            }
            // Some encoders begin and end with a packet that says nothing.
            Err(Error::DecodeError(_)) => bad += 1,
            Err(error) => return Err(damaged(error)),
        }
    }
    if bad > good {
        return Err(AudioError::Damaged("most of it cannot be decoded".into()));
    }
    taken.ok_or_else(silent)?.clip()
}

fn damaged(error: Error) -> AudioError {
    AudioError::Damaged(error.to_string())
}

fn is_opus(file: &[u8]) -> bool {
    file.starts_with(b"OggS")
        && file.get(..256.min(file.len())).is_some_and(|head| head.windows(8).any(|w| w == b"OpusHead"))
}

/// Ogg Opus of one or two channels (RFC 7845, mapping family 0).
fn by_opus(file: &[u8], seconds: u64) -> Result<Clip, AudioError> {
    let mut packets = PacketReader::new(Cursor::new(file));
    let mut next = || packets.read_packet().map_err(|error| AudioError::Damaged(error.to_string()));
    let cut = || AudioError::Damaged("it ends in its head".into());
    let head = next()?.ok_or_else(cut)?;
    // Its magic, version, channels, pre-skip, input rate, gain, mapping family (RFC 7845 §5.1).
    let [.., channels, skip_low, skip_high, _, _, _, _, _, _, family] =
        *head.data.first_chunk::<19>().ok_or_else(cut)?;
    let layout = match (family, channels) {
        (0, 1) => opus::Channels::Mono,
        (0, 2) => opus::Channels::Stereo,
        _ => return Err(AudioError::Unknown("Opus of one or two channels is".into())),
    };
    let (serial, channels) = (head.stream_serial(), usize::from(channels));
    let library = |error: opus::Error| AudioError::Damaged(error.to_string());
    let mut decoder = opus::Decoder::new(OPUS_RATE, layout).map_err(library)?;
    let mut taken = Taken::new(OPUS_RATE, channels, seconds + 1)?;
    let mut buffer = vec![0.0_f32; OPUS_PACKET * channels];
    let (mut tags, mut end) = (true, None);
    while let Some(packet) = next()? {
        if packet.stream_serial() != serial {
            continue;
        }
        if std::mem::take(&mut tags) {
            continue;
        }
        let frames = decoder.decode_float(&packet.data, &mut buffer, false).map_err(library)?;
        taken.take(&buffer[..frames * channels])?;
        end = packet.last_in_stream().then(|| packet.absgp_page());
    }
    // What the encoder put before and after is no part of the sound (RFC 7845 §4.2, §4.5).
    let all = taken.samples.len() / channels;
    let skip = usize::from(u16::from_le_bytes([skip_low, skip_high])).min(all);
    let end = end.and_then(|end| usize::try_from(end).ok()).map_or(all, |end| end.clamp(skip, all));
    taken.samples.truncate(end * channels);
    taken.samples.drain(..skip * channels);
    taken.clip()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of a tone of 1 kHz after 0.3 s of silence, made by other programs.
    pub(super) const SAMPLES: [(&str, &[u8]); 8] = [
        ("tone.mp3", include_bytes!("samples/tone.mp3")),
        ("tone.m4a", include_bytes!("samples/tone.m4a")),
        ("tone.aac", include_bytes!("samples/tone.aac")),
        ("tone.flac", include_bytes!("samples/tone.flac")),
        ("tone.ogg", include_bytes!("samples/tone.ogg")),
        ("tone.opus", include_bytes!("samples/tone.opus")),
        ("tone.aiff", include_bytes!("samples/tone.aiff")),
        ("adpcm.wav", include_bytes!("samples/adpcm.wav")),
    ];

    #[test]
    fn common_formats_are_read() {
        for (name, file) in SAMPLES {
            let clip = decode(file, 60).unwrap_or_else(|error| panic!("{name}: {error}"));
            let rate = f64::from(clip.format.rate);
            let seconds = clip.samples.len() as f64 / rate;
            // ADPCM is of whole blocks, the last one filled with silence.
            assert!((1.28..1.54).contains(&seconds), "{name}: {seconds} s");
            let middle = &clip.samples[(0.5 * rate) as usize..(1.0 * rate) as usize];
            let periods = middle.windows(2).filter(|two| two[0] < 0.0 && two[1] >= 0.0).count();
            assert!((498..=502).contains(&periods), "{name}: {periods} periods in half a second of 1 kHz");
        }
    }

    #[test]
    fn more_than_is_wanted_is_not_decoded() {
        for (name, file) in SAMPLES {
            let error = decode(file, 1).expect_err(name);
            assert!(matches!(error, AudioError::TooLong { most: 1 }), "{name}: {error}");
        }
    }

    #[test]
    fn what_is_no_sound_or_torn_is_refused_and_nothing_panics() {
        for bad in [
            &b""[..],
            b"hello, this is a text",
            b"%PDF-1.7\n",
            &[0; 4_096],
            b"OggS\0OpusHead",
            b"fLaC",
            b"ID3\x04\0\0",
        ] {
            assert!(decode(bad, 60).is_err(), "{bad:?}");
        }
        for (name, file) in SAMPLES {
            for cut in (0..file.len()).step_by(file.len() / 40) {
                // Cut or bent, it may be a sound or none; it must say which.
                let _ = decode(&file[..cut], 60);
                let mut bent = file.to_vec();
                bent[cut..].iter_mut().take(16).for_each(|octet| *octet ^= 0x5A);
                let _ = decode(&bent, 60);
            }
            assert!(decode(&file[..40], 60).is_err(), "{name}: 40 octets of it");
        }
    }
}
