//! What the phone hears: decodes RTP onto a line of samples, and notices when the other side has
//! spoken and fallen silent, which is when a person would press a key.

use std::time::Duration;

use crate::media::Codec;
use crate::media::codec::{CodecError, Decoder};
use crate::media::convert::Converter;
use crate::media::rtp::{View, timestamp_distance};

/// Louder than this (root mean square of a packet, of 32,768) is speech: about -45 dBFS.
const SPEECH: f64 = 180.0;
/// So much speech makes an utterance, in milliseconds.
const UTTERANCE: u64 = 500;
/// A gap in the sender's clock longer than this is a new beginning, not lost packets, in milliseconds.
const JUMP: i64 = 1_000;

/// See the module.
pub(super) struct Ear {
    /// Samples per second of what is kept.
    rate: u32,
    heard: Vec<i16>,
    /// The codec of the last packet, to samples of `rate`.
    decoder: Option<(Decoder, Converter)>,
    /// The stream being heard: SSRC, and the timestamp that lies at `heard[at]`.
    stream: Option<(u32, u32, usize)>,
    /// Milliseconds.
    spoken: u64,
    quiet: u64,
}

impl Ear {
    /// Keeps what it hears at `rate`: 8,000, 16,000 or 48,000 samples per second.
    pub(super) fn new(rate: u32) -> Self {
        Self { rate, heard: Vec::new(), decoder: None, stream: None, spoken: 0, quiet: 0 }
    }

    /// Takes one datagram; anything but audio of the payload types of `receive` is left.
    pub(super) fn hear(&mut self, datagram: &[u8], receive: &[(u8, Codec)]) -> Result<(), CodecError> {
        let Ok(view) = View::parse(datagram) else { return Ok(()) };
        let known = receive.iter().find(|(number, _)| *number == view.header.payload_type);
        let Some((_, codec)) = known.copied() else { return Ok(()) };
        let samples = self.decode(codec, &datagram[view.payload()])?;
        let at = self.place(view.header.ssrc, view.header.timestamp, codec.clock());
        let end = at + samples.len();
        if self.heard.len() < end {
            self.heard.resize(end, 0);
        }
        self.heard[at..end].copy_from_slice(&samples);
        self.listen(at, end);
        Ok(())
    }

    fn decode(&mut self, codec: Codec, payload: &[u8]) -> Result<Vec<i16>, CodecError> {
        let (mut decoder, mut converter) = match self.decoder.take() {
            Some((decoder, converter)) if decoder.codec() == codec => (decoder, converter),
            Some(_) | None => {
                let decoder = Decoder::new(codec)?;
                let converter = Converter::new(decoder.rate(), self.rate);
                (decoder, converter)
            }
        };
        let (mut pcm, mut samples) = (Vec::new(), Vec::new());
        let decoded = decoder.decode(payload, &mut pcm);
        converter.convert(&pcm, &mut samples);
        self.decoder = Some((decoder, converter));
        decoded.map(|_| samples)
    }

    /// Time passed without a packet counts as silence too.
    pub(super) fn no_packet(&mut self, span: Duration) {
        self.quiet += u64::try_from(span.as_millis()).unwrap_or(0);
    }

    /// Whether the other side has said something and then been silent for `span`.
    pub(super) fn fell_silent(&self, span: Duration) -> bool {
        self.spoken >= UTTERANCE && u128::from(self.quiet) >= span.as_millis()
    }

    /// Begins to listen for a new utterance.
    pub(super) fn forget(&mut self) {
        self.spoken = 0;
        self.quiet = 0;
    }

    /// All that was heard.
    pub(super) fn into_samples(self) -> Vec<i16> {
        self.heard
    }

    fn place(&mut self, ssrc: u32, timestamp: u32, clock: u32) -> usize {
        let end = self.heard.len();
        if let Some((known, first, at)) = self.stream
            && known == ssrc
        {
            let rate = i64::from(self.rate);
            let ahead = i64::from(timestamp_distance(first, timestamp)) * rate / i64::from(clock);
            let position = i64::try_from(at).unwrap_or(0) + ahead;
            let jump = position - i64::try_from(end).unwrap_or(0);
            if let Ok(position) = usize::try_from(position)
                && jump.abs() < JUMP * rate / 1_000
            {
                return position;
            }
        }
        self.stream = Some((ssrc, timestamp, end));
        end
    }

    fn listen(&mut self, at: usize, end: usize) {
        let samples = &self.heard[at..end];
        let count = samples.len().max(1);
        let span = count as u64 * 1_000 / u64::from(self.rate);
        let power: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        if (power / count as f64).sqrt() > SPEECH {
            self.spoken += span;
            self.quiet = 0;
        } else {
            self.quiet += span;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::g711::pcm_to_alaw;
    use crate::media::rtp::{HEADER, Header};

    fn packet(ssrc: u32, timestamp: u32, sample: i16) -> Vec<u8> {
        let mut packet = vec![pcm_to_alaw(sample); HEADER + 160];
        Header { payload_type: 8, timestamp, ssrc, ..Header::default() }.write(&mut packet);
        packet
    }

    #[test]
    fn lost_packets_are_silence_and_late_ones_find_their_place() {
        let mut ear = Ear::new(8_000);
        for (timestamp, sample) in [(0, 1_000), (480, 4_000), (160, 2_000)] {
            ear.hear(&packet(1, timestamp, sample), &[(8, Codec::Pcma)]).unwrap();
        }
        let heard = ear.into_samples();
        assert_eq!(heard.len(), 640);
        assert!(heard[170] > 1_900 && heard[320] == 0 && heard[490] > 3_900);
    }

    #[test]
    fn a_new_source_goes_on_where_the_old_one_ended() {
        let mut ear = Ear::new(8_000);
        ear.hear(&packet(1, 0, 1_000), &[(8, Codec::Pcma)]).unwrap();
        ear.hear(&packet(2, 4_000_000_000, 2_000), &[(8, Codec::Pcma)]).unwrap();
        assert_eq!(ear.into_samples().len(), 320);
    }

    #[test]
    fn silence_counts_only_after_speech() {
        let mut ear = Ear::new(8_000);
        ear.no_packet(Duration::from_secs(10));
        assert!(!ear.fell_silent(Duration::from_secs(1)));
        for n in 0..30 {
            ear.hear(&packet(1, n * 160, 3_000), &[(8, Codec::Pcma)]).unwrap();
        }
        assert!(!ear.fell_silent(Duration::from_secs(1)));
        ear.no_packet(Duration::from_secs(1));
        assert!(ear.fell_silent(Duration::from_secs(1)));
    }
}
