//! Plays a [`Sound`] to a leg: a packet of audio each packet time, on an absolute schedule, so that a
//! late tick does not make the next ones late.

use std::sync::Arc;
use std::time::Duration;

use super::Codec;
use super::g711::{ALAW_SILENCE, ULAW_SILENCE, ULAW_TO_PCM};
use super::sound::Sound;
use crate::time::Timestamp;

/// Being later than this the schedule starts anew rather than catch up: a burst of more than five
/// packets overflows the jitter buffers of small phones.
const TOO_LATE: Duration = Duration::from_millis(100);

/// A sound on its way to a leg.
#[derive(Clone, Debug)]
pub struct Player<Id> {
    /// Whose "done" it is.
    pub play: Id,
    sound: Arc<Sound>,
    /// The next sample to be sent.
    at: usize,
    repeat: bool,
    next: Timestamp,
}

/// What [`Player::fill`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The packet is filled; it belongs to this moment of the schedule.
    Packet {
        /// When it was due.
        due: Timestamp,
    },
    /// The sound was played to its end: its last packet has had its time.
    Done,
}

impl<Id> Player<Id> {
    /// Begins at `start`. An empty sound is done at once, even when it is to be repeated.
    #[must_use]
    pub fn new(play: Id, sound: Arc<Sound>, repeat: bool, start: Timestamp) -> Self {
        Self { play, sound, at: 0, repeat, next: start }
    }

    /// When to call [`Player::fill`].
    #[must_use]
    pub fn due(&self) -> Timestamp {
        self.next
    }

    /// Fills one packet's payload (`out.len()` samples, an octet each) in a G.711 `codec` and moves the
    /// schedule on by its length. The end of the sound is filled up with silence.
    pub fn fill(&mut self, codec: Codec, out: &mut [u8], now: Timestamp) -> Step {
        let sound = Arc::clone(&self.sound);
        let (mut filled, len) = (0, out.len());
        let put = |octets: &[u8]| {
            out[filled..filled + octets.len()].copy_from_slice(octets);
            filled += octets.len();
        };
        let step = self.advance(sound.encoded(codec), len, put, now);
        out[filled..].fill(silence(codec));
        step
    }

    /// Likewise as linear samples at 8 kHz, appended to `out`: what other codecs encode.
    pub fn fill_pcm(&mut self, out: &mut Vec<i16>, samples: usize, now: Timestamp) -> Step {
        let sound = Arc::clone(&self.sound);
        let end = out.len() + samples;
        let put = |octets: &[u8]| out.extend(octets.iter().map(|octet| ULAW_TO_PCM[usize::from(*octet)]));
        let step = self.advance(sound.ulaw(), samples, put, now);
        if step != Step::Done {
            out.resize(end, 0);
        }
        step
    }

    /// Gives `len` samples of `audio` to `put`, piece by piece, and moves the schedule on.
    fn advance(&mut self, audio: &[u8], len: usize, mut put: impl FnMut(&[u8]), now: Timestamp) -> Step {
        if audio.is_empty() || (self.at >= audio.len() && !self.repeat) {
            return Step::Done;
        }
        let mut left = len;
        while left > 0 {
            if self.at >= audio.len() {
                if !self.repeat {
                    break;
                }
                self.at = 0;
            }
            let piece = left.min(audio.len() - self.at);
            put(&audio[self.at..self.at + piece]);
            self.at += piece;
            left -= piece;
        }
        if now.since(self.next) > TOO_LATE {
            self.next = now;
        }
        let due = self.next;
        self.next = due + Duration::from_micros(len as u64 * 125);
        Step::Packet { due }
    }
}

/// The octet that sounds like nothing, in the G.711 codecs.
#[must_use]
pub const fn silence(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => ULAW_SILENCE,
        Codec::Pcma => ALAW_SILENCE,
        Codec::G722 | Codec::Opus => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(7_000_000) + Duration::from_micros(micros)
    }

    fn ramp(len: usize) -> Arc<Sound> {
        let pcm: Vec<i16> = (0..len).map(|n| (n * 37 % 30_000) as i16).collect();
        Arc::new(Sound::from_pcm8k(&pcm))
    }

    /// Plays to the end with ticks as late as `delays` says; returns the audio and the due times.
    fn play(player: &mut Player<u32>, codec: Codec, delays: &[u64]) -> (Vec<u8>, Vec<Timestamp>) {
        let (mut audio, mut times) = (Vec::new(), Vec::new());
        for n in 0..10_000 {
            let now = player.due() + Duration::from_micros(delays[n % delays.len()]);
            let mut packet = [0; 160];
            match player.fill(codec, &mut packet, now) {
                Step::Packet { due } => {
                    audio.extend(packet);
                    times.push(due);
                }
                Step::Done => return (audio, times),
            }
        }
        panic!("never done");
    }

    proptest! {
        #[test]
        fn late_ticks_shift_no_packet_and_lose_no_sample(
            len in 1usize..4_000, delays in proptest::collection::vec(0u64..100_000, 1..9), ulaw: bool,
        ) {
            let sound = ramp(len);
            let codec = if ulaw { Codec::Pcmu } else { Codec::Pcma };
            let (audio, times) = play(&mut Player::new(1, Arc::clone(&sound), false, at(0)), codec, &delays);
            prop_assert_eq!(&audio[..len], sound.encoded(codec));
            prop_assert!(audio[len..].iter().all(|octet| *octet == silence(codec)));
            prop_assert_eq!(audio.len(), len.div_ceil(160) * 160);
            for (n, due) in times.iter().enumerate() {
                prop_assert_eq!(*due, at(20_000 * n as u64));
            }
        }
    }

    #[test]
    fn done_comes_when_the_last_packet_has_had_its_time() {
        let mut player = Player::new(1, ramp(320), false, at(0));
        let mut packet = [0; 160];
        player.fill(Codec::Pcma, &mut packet, at(0));
        player.fill(Codec::Pcma, &mut packet, at(20_000));
        assert_eq!(player.due(), at(40_000));
        assert_eq!(player.fill(Codec::Pcma, &mut packet, at(40_000)), Step::Done);
    }

    #[test]
    fn music_repeats_without_a_seam() {
        let sound = ramp(250);
        let mut player = Player::new(1, Arc::clone(&sound), true, at(0));
        let mut audio = Vec::new();
        for n in 0..25 {
            let mut packet = [0; 160];
            assert_eq!(
                player.fill(Codec::Pcma, &mut packet, at(n * 20_000)),
                Step::Packet { due: at(n * 20_000) }
            );
            audio.extend(packet);
        }
        let expected: Vec<u8> = sound.alaw().iter().copied().cycle().take(25 * 160).collect();
        assert_eq!(audio, expected);
    }

    #[test]
    fn a_standstill_starts_the_schedule_anew_instead_of_a_burst() {
        let mut player = Player::new(1, ramp(4_000), false, at(0));
        let mut packet = [0; 160];
        player.fill(Codec::Pcma, &mut packet, at(0));
        assert_eq!(player.fill(Codec::Pcma, &mut packet, at(500_000)), Step::Packet { due: at(500_000) });
        assert_eq!(player.due(), at(520_000));
    }

    #[test]
    fn linear_samples_are_those_of_the_sound_and_keep_its_schedule() {
        let sound = ramp(400);
        let mut player = Player::new(1, Arc::clone(&sound), false, at(0));
        let mut pcm = Vec::new();
        for n in 0..3 {
            assert_eq!(player.fill_pcm(&mut pcm, 160, at(n * 20_000)), Step::Packet { due: at(n * 20_000) });
        }
        assert_eq!(player.fill_pcm(&mut pcm, 160, at(60_000)), Step::Done);
        let expected = sound.ulaw().iter().map(|octet| ULAW_TO_PCM[usize::from(*octet)]);
        assert_eq!(pcm, expected.chain(std::iter::repeat_n(0, 80)).collect::<Vec<_>>());
    }

    #[test]
    fn an_empty_sound_is_done_at_once() {
        let mut player = Player::new(1, ramp(0), true, at(0));
        assert_eq!(player.fill(Codec::Pcma, &mut [0; 160], at(0)), Step::Done);
    }
}
