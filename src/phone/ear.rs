//! What the phone hears: decodes RTP onto a line of samples, and notices when the other side has
//! spoken and fallen silent, which is when a person would press a key.

use std::time::Duration;

use crate::media::Codec;
use crate::media::g711::{ALAW_TO_PCM, ULAW_TO_PCM};
use crate::media::rtp::{View, timestamp_distance};

/// Louder than this (root mean square of a packet, of 32,768) is speech: about -45 dBFS.
const SPEECH: f64 = 180.0;
/// So much speech makes an utterance, in samples.
const UTTERANCE: u64 = 4_000;
/// A gap in the sender's clock longer than this is a new beginning, not lost packets, in samples.
const JUMP: i32 = 8_000;

/// See the module.
#[derive(Default)]
pub(super) struct Ear {
    heard: Vec<i16>,
    /// The stream being heard: SSRC, and the timestamp that lies at `heard[at]`.
    stream: Option<(u32, u32, usize)>,
    spoken: u64,
    quiet: u64,
}

impl Ear {
    /// Takes one datagram; anything but audio of `payload_type` is left.
    pub(super) fn hear(&mut self, datagram: &[u8], codec: Codec, payload_type: u8) {
        let Ok(view) = View::parse(datagram) else { return };
        if view.header.payload_type != payload_type {
            return;
        }
        let payload = &datagram[view.payload()];
        let at = self.place(view.header.ssrc, view.header.timestamp);
        let end = at + payload.len();
        if self.heard.len() < end {
            self.heard.resize(end, 0);
        }
        let table = match codec {
            Codec::Pcma => &ALAW_TO_PCM,
            Codec::Pcmu => &ULAW_TO_PCM,
            Codec::G722 | Codec::Opus => return,
        };
        for (sample, octet) in self.heard[at..end].iter_mut().zip(payload) {
            *sample = table[usize::from(*octet)];
        }
        self.listen(at, end);
    }

    /// Time passed without a packet counts as silence too.
    pub(super) fn no_packet(&mut self, samples: u64) {
        self.quiet += samples;
    }

    /// Whether the other side has said something and then been silent for `span`.
    pub(super) fn fell_silent(&self, span: Duration) -> bool {
        self.spoken >= UTTERANCE && u128::from(self.quiet) >= span.as_millis() * 8
    }

    /// Begins to listen for a new utterance.
    pub(super) fn forget(&mut self) {
        self.spoken = 0;
        self.quiet = 0;
    }

    /// All that was heard, at 8 kHz.
    pub(super) fn into_samples(self) -> Vec<i16> {
        self.heard
    }

    fn place(&mut self, ssrc: u32, timestamp: u32) -> usize {
        let end = self.heard.len();
        if let Some((known, first, at)) = self.stream
            && known == ssrc
        {
            let ahead = timestamp_distance(first, timestamp);
            let position = i64::try_from(at).unwrap_or(0) + i64::from(ahead);
            let jump = position - i64::try_from(end).unwrap_or(0);
            if let Ok(position) = usize::try_from(position)
                && jump.abs() < i64::from(JUMP)
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
        let power: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        if (power / count as f64).sqrt() > SPEECH {
            self.spoken += count as u64;
            self.quiet = 0;
        } else {
            self.quiet += count as u64;
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
        let mut ear = Ear::default();
        for (timestamp, sample) in [(0, 1_000), (480, 4_000), (160, 2_000)] {
            ear.hear(&packet(1, timestamp, sample), Codec::Pcma, 8);
        }
        let heard = ear.into_samples();
        assert_eq!(heard.len(), 640);
        assert!(heard[160] > 1_900 && heard[320] == 0 && heard[480] > 3_900);
    }

    #[test]
    fn a_new_source_goes_on_where_the_old_one_ended() {
        let mut ear = Ear::default();
        ear.hear(&packet(1, 0, 1_000), Codec::Pcma, 8);
        ear.hear(&packet(2, 4_000_000_000, 2_000), Codec::Pcma, 8);
        assert_eq!(ear.into_samples().len(), 320);
    }

    #[test]
    fn silence_counts_only_after_speech() {
        let mut ear = Ear::default();
        ear.no_packet(80_000);
        assert!(!ear.fell_silent(Duration::from_secs(1)));
        for n in 0..30 {
            ear.hear(&packet(1, n * 160, 3_000), Codec::Pcma, 8);
        }
        assert!(!ear.fell_silent(Duration::from_secs(1)));
        ear.no_packet(8_000);
        assert!(ear.fell_silent(Duration::from_secs(1)));
    }
}
