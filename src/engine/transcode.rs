//! Audio that its hearer needs otherwise: another codec, packets of another length, noise in place of its
//! description. The speaker's packets go into a jitter buffer ([`Ear`]); at the hearer's packet time they
//! come out decoded, are converted and encoded, and sent as a stream of our own.

use std::time::Duration;

use tracing::warn;

use crate::media::Codec;
use crate::media::rtp::{HEADER, View};
use crate::media::sound::RATE;
use crate::media::srtp::OVERHEAD;
use crate::time::Timestamp;

use super::hearing::Ear;
use super::leg::Leg;
use super::session::{Place, Sessions, Timer, pair, present};
use super::speaking::Mouth;

/// Room for the largest payload we make: 60 ms of G.711 or G.722 are 480 octets, of Opus at our bit rate
/// less.
const PAYLOAD: usize = 1_275;
/// Packets in a row without a sound before the pump rests until the next packet comes: 100 ms at 20.
const RESTS_AFTER: u32 = 5;

impl Sessions {
    /// An audio packet of a leg that is decoded for its hearer; begins that if need be.
    pub(super) fn put_audio(
        &mut self,
        key: usize,
        view: &View,
        codec: Codec,
        datagram: &[u8],
        now: Timestamp,
    ) {
        let Some(ear) = self.ear(key, codec) else { return };
        if ear.playout.audio(&view.header, codec, &datagram[view.payload()], now).is_err() {
            self.legs[key].stats.unknown += 1;
            return;
        }
        self.wake(key, false, now);
    }

    /// A comfort noise packet, likewise.
    pub(super) fn put_noise(&mut self, key: usize, view: &View, datagram: &[u8], now: Timestamp) {
        let codec = self.legs[key].heard.unwrap_or(Codec::Pcma);
        let Some(ear) = self.ear(key, codec) else { return };
        ear.playout.noise(&view.header, &datagram[view.payload()], now);
        self.wake(key, true, now);
    }

    /// The leg's ear, made when it has none; `None` when what it says is not wanted.
    fn ear(&mut self, key: usize, codec: Codec) -> Option<&mut Ear> {
        if self.legs[key].ear.is_none() {
            self.generation = self.generation.wrapping_add(1);
            match Ear::new(codec, self.generation, None) {
                Ok(ear) => self.legs[key].ear = Some(Box::new(ear)),
                Err(error) => {
                    warn!(%error, "a leg cannot be decoded");
                    return None;
                }
            }
            if let Some((_, peer)) = pair(&mut self.legs, key) {
                peer.interrupt();
            }
        }
        let leg = &mut self.legs[key];
        if !leg.receives() {
            return None;
        }
        leg.ear.as_deref_mut()
    }

    /// Arms the pump of a leg that begins to be heard. Noise begins at once.
    fn wake(&mut self, key: usize, at_once: bool, now: Timestamp) {
        let Some((leg, peer)) = pair(&mut self.legs, key) else { return };
        let Some(ear) = leg.ear.as_mut().filter(|ear| ear.due.is_none() && !ear.in_room) else { return };
        let due = ear.playout.poll_timeout().or(at_once.then_some(now));
        if let Some(due) = due {
            let due = due.max(peer.out.free_from(now));
            (ear.due, ear.silent) = (Some(due), 0);
            self.wheel.arm(due, Timer::Pump(Place { key, generation: leg.generation }));
        }
    }

    /// A step of a hearer's packet time: takes what its speaker said, and sends what is full.
    pub(super) fn pump(&mut self, place: Place, now: Timestamp) {
        if present(&mut self.legs, place).is_none() {
            return;
        }
        let Some((leg, peer)) = pair(&mut self.legs, place.key) else { return };
        let ms = step_of(peer.agreed.as_ref().map_or(20, |agreed| agreed.packet_ms));
        let span = Duration::from_millis(u64::from(ms));
        let mut pcm = std::mem::take(&mut self.pcm);
        let before = peer.stats.packets_out;
        // Two timers of one leg may run after a change: the one with nothing due ends.
        let mut stepped = false;
        while let Some(ear) = &mut leg.ear
            && let Some(due) = ear.step(span, now)
        {
            stepped = true;
            pcm.clear();
            let rate = ear.playout.rate();
            let heard = ear.playout.pull(due, (rate / 1_000 * ms) as usize, &mut pcm);
            ear.position = ear.position.wrapping_add(ms * (RATE / 1_000));
            ear.silent = if heard { 0 } else { ear.silent + 1 };
            if ear.silent > RESTS_AFTER {
                ear.due = None;
            }
            // A packet that was begun is filled up with the silence.
            let wanted = heard || peer.mouth.as_ref().is_some_and(|mouth| mouth.has_begun());
            if !wanted || !leg.receives() || peer.hears().is_none() {
                peer.out.interrupt();
                continue;
            }
            if let (Some(channel), Some(_)) = (leg.channel, peer.channel)
                && let Some(recording) = self.calls.get_mut(leg.call).and_then(|call| call.recording.as_mut())
                && let Some(ear) = &mut leg.ear
            {
                self.tape.clear();
                ear.to_tape.convert(&pcm, rate, &mut self.tape);
                let start = ear.position.wrapping_sub(ms * (RATE / 1_000));
                recording.tap.push_pcm(channel, ear.stream, start, &self.tape, now);
            }
            peer.speak(&pcm, rate, due);
        }
        self.stats.packets_out += peer.stats.packets_out - before;
        self.pcm = pcm;
        if stepped && let Some(due) = leg.ear.as_ref().and_then(|ear| ear.due) {
            self.wheel.arm(due, Timer::Pump(place));
        }
    }
}

/// How much is taken at a time. Not a whole long packet: the last part of 60 ms has not arrived yet when the
/// first is due, and would be taken for lost.
const fn step_of(packet_ms: u32) -> u32 {
    if packet_ms.is_multiple_of(20) { 20 } else { 10 }
}

impl Leg {
    /// Tells this leg `pcm` of `rate` samples per second: encodes it and sends the packets that are full,
    /// the first of them due at `due`.
    pub(super) fn speak(&mut self, pcm: &[i16], rate: u32, due: Timestamp) {
        let Some(agreed) = &self.agreed else { return };
        let (codec, payload_type) = (agreed.codec, agreed.payload_type);
        let (ms, ticks) = (agreed.packet_ms, agreed.packet_ticks());
        let mut mouth = match self.mouth.take() {
            Some(mouth) if mouth.codec() == codec => mouth,
            Some(_) | None => match Mouth::new(codec) {
                Ok(mouth) => Box::new(mouth),
                Err(error) => {
                    warn!(%error, "a leg cannot be spoken to");
                    return;
                }
            },
        };
        mouth.take(pcm, rate);
        let mut buffer = [0; HEADER + PAYLOAD + OVERHEAD];
        let mut due = due;
        while let Some(payload) = mouth.packet(ms) {
            let Some(room) = buffer.get_mut(HEADER..HEADER + payload.len()) else { break };
            room.copy_from_slice(payload);
            let len = HEADER + payload.len();
            self.out.local(payload_type, ticks, due).write(&mut buffer);
            self.send(&mut buffer, len);
            due = due + Duration::from_millis(u64::from(ms));
        }
        self.mouth = Some(mouth);
    }
}
