//! Three legs or more that hear one another: each 20 ms every leg is decoded, and each is told the sum of the
//! others. Keys go to nobody: they are told to the call.

use std::fmt;
use std::time::Duration;

use tracing::warn;

use crate::media::mix::Mixer;
use crate::media::sound::RATE;
use crate::media::tap::Channel;
use crate::media::{Codec, Seat};
use crate::time::Timestamp;

use super::command::CallKey;
use super::hearing::{Ear, Rate};
use super::session::{Place, Sessions, Timer};

/// Milliseconds mixed at once; each leg's packets are cut from it as its peer wants them.
const TICK_MS: u32 = 20;
const TICK: Duration = Duration::from_millis(TICK_MS as u64);
/// Being later than this the schedule starts anew rather than catch up.
const TOO_LATE: Duration = Duration::from_millis(100);

/// The legs that hear one another.
pub(super) struct Room {
    /// By their places on the worker.
    pub(super) legs: Vec<usize>,
    /// Samples per second of the mix: 16,000 as soon as one leg is better than G.711.
    rate: u32,
    due: Timestamp,
    generation: u32,
    mixer: Mixer,
    /// What each leg said in this tick, by its place in `legs`; empty when nothing.
    voices: Vec<Vec<i16>>,
    mix: Vec<i16>,
    /// For the recorder: a converter, and what it gave, for each channel.
    tape: [(Rate, Vec<i16>); 2],
    /// Counts samples at 8 kHz for the recorder.
    position: u32,
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("legs", &self.legs).field("rate", &self.rate).finish_non_exhaustive()
    }
}

impl Sessions {
    /// Connects these legs, in place of what was connected. Two are a bridge, fewer are nothing.
    pub(super) fn join(&mut self, key: CallKey, seats: &[Seat], now: Timestamp) {
        let mut legs: Vec<usize> = seats.iter().filter_map(|seat| self.find(key, seat.leg)).collect();
        legs.sort_unstable();
        legs.dedup();
        if let [a, b] = legs[..] {
            self.connect_pair(key, a, b, now);
            return;
        }
        if legs.len() < 2 {
            self.disconnect(key, &[], now);
            return;
        }
        self.disconnect(key, &legs, now);
        let rate = if legs.iter().any(|leg| self.is_wideband(*leg)) { 2 * RATE } else { RATE };
        let Some(&at) = self.index.get(&key) else { return };
        self.generation = self.generation.wrapping_add(1);
        let place = Place { key: at, generation: self.generation };
        for leg in &legs {
            self.enter(*leg, rate);
        }
        let due = now + TICK;
        self.wheel.arm(due, Timer::Room(place));
        let tape = [Channel::Caller, Channel::Agent].map(|_| (Rate::to(RATE), Vec::new()));
        let voices = vec![Vec::new(); legs.len()];
        self.calls[at].room = Some(Room {
            legs,
            rate,
            due,
            generation: place.generation,
            mixer: Mixer::default(),
            voices,
            mix: Vec::new(),
            tape,
            position: 0,
        });
        self.record_room(at);
        self.update_hold(key, now);
    }

    pub(super) fn echo(&mut self, key: CallKey, leg: u16, now: Timestamp) {
        let _ = (leg, now);
        self.disconnect(key, &[], now);
    }

    fn is_wideband(&self, leg: usize) -> bool {
        self.legs[leg].agreed.as_ref().is_some_and(|agreed| agreed.codec.rate() > RATE)
    }

    /// A leg that is in a conference already goes on being heard without a break.
    fn enter(&mut self, leg: usize, rate: u32) {
        self.generation = self.generation.wrapping_add(1);
        let leg = &mut self.legs[leg];
        if let Some(ear) = leg.ear.as_mut().filter(|ear| ear.in_room) {
            ear.to_room = Rate::to(rate);
            return;
        }
        leg.drop_ear();
        leg.interrupt();
        let codec = leg.heard.or(leg.agreed.as_ref().map(|agreed| agreed.codec)).unwrap_or(Codec::Pcma);
        match Ear::new(codec, self.generation, Some(rate)) {
            Ok(ear) => leg.ear = Some(Box::new(ear)),
            Err(error) => warn!(%error, "a leg of a conference cannot be decoded"),
        }
    }

    /// A leg leaves the worker: those it talked with go on without it. `false` when it was in no conference.
    pub(super) fn leave(&mut self, at: usize, leg: usize) -> bool {
        let Some(room) = &mut self.calls[at].room else { return false };
        let Some(n) = room.legs.iter().position(|known| *known == leg) else { return false };
        room.legs.remove(n);
        room.voices.remove(n);
        true
    }

    /// A conference's tick.
    pub(super) fn mix(&mut self, place: Place, now: Timestamp) {
        let Some(call) = self.calls.get_mut(place.key) else { return };
        let Some(mut room) = call.room.take_if(|room| room.generation == place.generation) else { return };
        if now.since(room.due) > TOO_LATE {
            room.due = now;
        }
        while room.due <= now {
            self.hear_all(&mut room);
            self.tape_room(place.key, &mut room, now);
            self.tell_all(&mut room);
            room.position = room.position.wrapping_add(TICK_MS * (RATE / 1_000));
            room.due = room.due + TICK;
        }
        self.wheel.arm(room.due, Timer::Room(place));
        if let Some(call) = self.calls.get_mut(place.key) {
            call.room = Some(room);
        }
    }

    fn hear_all(&mut self, room: &mut Room) {
        room.mixer.clear();
        for (leg, voice) in room.legs.iter().zip(&mut room.voices) {
            voice.clear();
            let Some(leg) = self.legs.get_mut(*leg) else { continue };
            let receives = leg.receives();
            let Some(ear) = &mut leg.ear else { continue };
            self.pcm.clear();
            let rate = ear.playout.rate();
            let heard = ear.playout.pull(room.due, (rate / 1_000 * TICK_MS) as usize, &mut self.pcm);
            if heard && receives {
                ear.to_room.convert(&self.pcm, rate, voice);
                room.mixer.add(voice);
            }
        }
    }

    /// Each leg is told what the others said; silence too, so that its stream does not break off.
    fn tell_all(&mut self, room: &mut Room) {
        for (leg, voice) in room.legs.iter().zip(&room.voices) {
            let Some(leg) = self.legs.get_mut(*leg).filter(|leg| leg.hears().is_some()) else { continue };
            room.mix.clear();
            room.mixer.without(voice, &mut room.mix);
            room.mix.resize((room.rate / 1_000 * TICK_MS) as usize, 0);
            let before = leg.stats.packets_out;
            leg.speak(&room.mix, room.rate, room.due);
            self.stats.packets_out += leg.stats.packets_out - before;
        }
    }

    /// Records the caller on channel 0 when anyone hears it, and all others on channel 1 when it hears them.
    fn tape_room(&mut self, call: usize, room: &mut Room, now: Timestamp) {
        let Some(recording) = self.calls.get_mut(call).and_then(|call| call.recording.as_mut()) else {
            return;
        };
        let legs = &self.legs;
        let is_caller = |leg: &usize| legs.get(*leg).is_some_and(|leg| leg.channel == Some(Channel::Caller));
        let Some(caller) = room.legs.iter().position(is_caller) else { return };
        let hears = |n: usize| legs.get(room.legs[n]).is_some_and(|leg| leg.hears().is_some());
        let others = || (0..room.legs.len()).filter(|n| *n != caller);
        let (told, tells) = (others().any(hears), others().any(|n| !room.voices[n].is_empty()));
        let said = &room.voices[caller];
        room.mix.clear();
        if tells && hears(caller) {
            room.mixer.without(said, &mut room.mix);
        }
        let said = if told { &said[..] } else { &[] };
        for (channel, pcm) in [(Channel::Caller, said), (Channel::Agent, &room.mix[..])] {
            let (rate, tape) = &mut room.tape[channel.index()];
            tape.clear();
            rate.convert(pcm, room.rate, tape);
            recording.tap.push_pcm(channel, room.generation, room.position, tape, now);
        }
    }
}
