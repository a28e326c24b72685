//! Prompts and music to a leg. G.711 is copied from the sound; for other codecs the sound is encoded as it
//! plays, for each listener. A copy encoded once would serve only those who began at the same sample with
//! the same packet length, since these encoders carry a state from packet to packet; and to make one would
//! hold the worker up.

use std::sync::Arc;

use crate::call::PlayId;
use crate::media::Codec;
use crate::media::player::{Player, Step};
use crate::media::rtp::HEADER;
use crate::media::sound::{RATE, Sound};
use crate::media::srtp::OVERHEAD;
use crate::time::Timestamp;

use super::MediaEvent;
use super::command::CallKey;
use super::leg::Leg;
use super::session::{Place, Sessions, Timer, present};

/// The largest packet of G.711: 60 ms.
const LARGEST: usize = HEADER + 480;

impl Sessions {
    pub(super) fn play(
        &mut self,
        key: CallKey,
        number: u16,
        play: PlayId,
        (sound, repeat): (Arc<Sound>, bool),
        now: Timestamp,
    ) {
        let Some(at) = self.find(key, number) else { return };
        let leg = &mut self.legs[at];
        leg.interrupt();
        leg.player = Some(Player::new(play, sound, repeat, leg.out.free_from(now)));
        let place = Place { key: at, generation: leg.generation };
        match leg.player.as_ref().map(Player::due) {
            Some(due) if due > now => self.wheel.arm(due, Timer::Play(place)),
            Some(_) | None => self.play_on(place, now),
        }
    }

    /// Sends what is due of a leg's sound, and arms the timer for the next packet.
    pub(super) fn play_on(&mut self, place: Place, now: Timestamp) {
        let Some(leg) = present(&mut self.legs, place) else { return };
        // When a sound replaced another, the timers of both run: the one with nothing due ends.
        if leg.player.as_ref().is_none_or(|player| player.due() > now) {
            return;
        }
        let before = leg.stats.packets_out;
        let done = leg.play(&mut self.pcm, now);
        self.stats.packets_out += leg.stats.packets_out - before;
        let (call, next) = (leg.call, leg.player.as_ref().map(Player::due));
        if let Some(next) = next {
            self.wheel.arm(next, Timer::Play(place));
        }
        if let Some(play) = done {
            self.post(call, MediaEvent::PlayDone { play });
        }
    }

    pub(super) fn stop_play(&mut self, key: CallKey, number: u16) {
        if let Some(at) = self.find(key, number) {
            let leg = &mut self.legs[at];
            leg.player = None;
            leg.interrupt();
        }
    }
}

impl Leg {
    /// Sends what the player is due to send. `Some` when it came to its end. `pcm` is scratch.
    fn play(&mut self, pcm: &mut Vec<i16>, now: Timestamp) -> Option<PlayId> {
        let (codec, payload_type, samples, sends) = match &self.agreed {
            Some(agreed) => (agreed.codec, agreed.payload_type, agreed.packet_samples(), agreed.sends),
            None => (Codec::Pcma, 8, 160, false),
        };
        let mut buffer = [0; LARGEST + OVERHEAD];
        while let Some(player) = self.player.as_mut().filter(|player| player.due() <= now) {
            let len = HEADER + samples;
            let step = match codec {
                Codec::Pcmu | Codec::Pcma => player.fill(codec, &mut buffer[HEADER..len], now),
                Codec::G722 | Codec::Opus => {
                    pcm.clear();
                    player.fill_pcm(pcm, samples, now)
                }
            };
            match (step, codec) {
                // On hold the sound goes on unheard.
                (Step::Packet { .. }, _) if !sends => {}
                (Step::Packet { due }, Codec::Pcmu | Codec::Pcma) => {
                    self.out.local(payload_type, samples as u32, due).write(&mut buffer);
                    self.send(&mut buffer, len);
                }
                (Step::Packet { due }, Codec::G722 | Codec::Opus) => self.speak(pcm, RATE, due),
                (Step::Done, _) => {
                    let play = self.player.take().map(|player| player.play);
                    if let Some(mouth) = &mut self.mouth {
                        mouth.clear();
                    }
                    return play;
                }
            }
        }
        None
    }
}
