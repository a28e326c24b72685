//! Legs that hear one another, or some of them: each 20 ms every leg is decoded, and each is told the sum of
//! those whose voice reaches it. Keys go to nobody: they are told to the call.

use std::fmt;
use std::time::Duration;

use tracing::warn;

use crate::media::mix::Mixer;
use crate::media::sound::RATE;
use crate::media::tap::Channel;
use crate::media::{Codec, Seat, Voice};
use crate::time::Timestamp;

use super::command::CallKey;
use super::hearing::{Ear, Rate};
use super::session::{Place, Sessions, Timer};

/// Milliseconds mixed at once; each leg's packets are cut from it as its peer wants them.
const TICK_MS: u32 = 20;
const TICK: Duration = Duration::from_millis(TICK_MS as u64);
/// Being later than this the schedule starts anew rather than catch up.
const TOO_LATE: Duration = Duration::from_millis(100);

/// Legs that are together, each of which may be heard by all others, by one, or by nobody.
pub(super) struct Room {
    chairs: Vec<Chair>,
    /// Samples per second of the mix: 16,000 as soon as one leg is better than G.711.
    rate: u32,
    due: Timestamp,
    generation: u32,
    /// The voices that all hear.
    mixer: Mixer,
    mix: Vec<i16>,
    /// For the recorder: a converter, and what it gave, for each channel.
    tape: [(Rate, Vec<i16>); 2],
    /// Counts samples at 8 kHz for the recorder.
    position: u32,
}

/// A leg in a room.
#[derive(Debug)]
struct Chair {
    /// By its place on the worker.
    leg: usize,
    voice: Voice,
    /// What it said in this tick; empty when nothing.
    said: Vec<i16>,
    /// It is alone and hears itself.
    echoes: bool,
}

impl Chair {
    fn new(leg: usize, voice: Voice) -> Self {
        Self { leg, voice, said: Vec::new(), echoes: false }
    }

    fn is_heard_by_all(&self) -> bool {
        self.voice == Voice::All
    }
}

impl Room {
    /// All in it, by their places on the worker.
    pub(super) fn legs(&self) -> impl Iterator<Item = usize> {
        self.chairs.iter().map(|chair| chair.leg)
    }

    /// Those whom all others hear, and a recording.
    pub(super) fn speakers(&self) -> impl Iterator<Item = usize> {
        self.chairs.iter().filter(|chair| chair.is_heard_by_all()).map(|chair| chair.leg)
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room")
            .field("chairs", &self.chairs.len())
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

impl Sessions {
    /// Connects these legs, in place of what was connected. Two that hear one another are a bridge, fewer
    /// than two are nothing.
    pub(super) fn join(&mut self, key: CallKey, seats: &[Seat], now: Timestamp) {
        let mut chairs: Vec<Chair> = Vec::with_capacity(seats.len());
        for seat in seats {
            let Some(leg) = self.find(key, seat.leg) else { continue };
            if chairs.iter().all(|known| known.leg != leg) {
                chairs.push(Chair::new(leg, seat.voice));
            }
        }
        match chairs.as_slice() {
            [] | [_] => self.disconnect(key, &[], now),
            [a, b] if a.is_heard_by_all() && b.is_heard_by_all() => {
                let (a, b) = (a.leg, b.leg);
                self.connect_pair(key, a, b, now);
            }
            _ => self.open_room(key, chairs, now),
        }
    }

    /// A leg hears itself: decoded, mixed and encoded as in a conference, so that all of it is tried.
    pub(super) fn echo(&mut self, key: CallKey, leg: u16, now: Timestamp) {
        match self.find(key, leg) {
            Some(leg) => {
                self.open_room(key, vec![Chair { echoes: true, ..Chair::new(leg, Voice::All) }], now)
            }
            None => self.disconnect(key, &[], now),
        }
    }

    fn open_room(&mut self, key: CallKey, chairs: Vec<Chair>, now: Timestamp) {
        let legs: Vec<usize> = chairs.iter().map(|chair| chair.leg).collect();
        self.disconnect(key, &legs, now);
        let rate = if legs.iter().any(|leg| self.is_wideband(*leg)) { 2 * RATE } else { RATE };
        let Some(&at) = self.index.get(&key) else { return };
        self.generation = self.generation.wrapping_add(1);
        let place = Place { key: at, generation: self.generation };
        for leg in legs {
            self.enter(leg, rate);
        }
        let due = now + TICK;
        self.wheel.arm(due, Timer::Room(place));
        self.calls[at].room = Some(Room {
            chairs,
            rate,
            due,
            generation: place.generation,
            mixer: Mixer::default(),
            mix: Vec::new(),
            tape: [Channel::Caller, Channel::Agent].map(|_| (Rate::to(RATE), Vec::new())),
            position: 0,
        });
        self.record_room(at);
        self.update_hold(key, now);
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
        let before = room.chairs.len();
        room.chairs.retain(|chair| chair.leg != leg);
        room.chairs.len() < before
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
        for chair in &mut room.chairs {
            chair.said.clear();
            let Some(leg) = self.legs.get_mut(chair.leg) else { continue };
            let receives = leg.receives();
            let Some(ear) = &mut leg.ear else { continue };
            self.pcm.clear();
            let rate = ear.playout.rate();
            let heard = ear.playout.pull(room.due, (rate / 1_000 * TICK_MS) as usize, &mut self.pcm);
            if heard && receives && chair.voice != Voice::Nobody {
                ear.to_room.convert(&self.pcm, rate, &mut chair.said);
                if chair.is_heard_by_all() {
                    room.mixer.add(&chair.said);
                }
            }
        }
    }

    /// Each leg is told what the others said to it; silence too, so that its stream does not break off.
    fn tell_all(&mut self, room: &mut Room) {
        for chair in &room.chairs {
            let Some(leg) = self.legs.get_mut(chair.leg).filter(|leg| leg.hears().is_some()) else {
                continue;
            };
            room.mix.clear();
            let own = if chair.is_heard_by_all() && !chair.echoes { &chair.said[..] } else { &[] };
            room.mixer.without(own, &mut room.mix);
            room.mix.resize((room.rate / 1_000 * TICK_MS) as usize, 0);
            for whisper in room.chairs.iter().filter(|other| other.voice == Voice::Only(leg.number)) {
                for (sample, more) in room.mix.iter_mut().zip(&whisper.said) {
                    *sample = sample.saturating_add(*more);
                }
            }
            let before = leg.stats.packets_out;
            leg.speak(&room.mix, room.rate, room.due);
            self.stats.packets_out += leg.stats.packets_out - before;
        }
    }

    /// Records the caller on channel 0 when anyone who speaks with it hears it, and all those on channel 1
    /// when it hears them. Who listens in or whispers is not in the conversation.
    fn tape_room(&mut self, call: usize, room: &mut Room, now: Timestamp) {
        let Some(recording) = self.calls.get_mut(call).and_then(|call| call.recording.as_mut()) else {
            return;
        };
        let legs = &self.legs;
        let is_caller =
            |chair: &&Chair| legs.get(chair.leg).is_some_and(|leg| leg.channel == Some(Channel::Caller));
        let speakers = || room.chairs.iter().filter(|chair| chair.is_heard_by_all());
        let Some(caller) = speakers().find(is_caller) else { return };
        let hears = |chair: &Chair| legs.get(chair.leg).is_some_and(|leg| leg.hears().is_some());
        let others = || speakers().filter(|chair| chair.leg != caller.leg);
        let (told, tells) = (others().any(hears), others().any(|chair| !chair.said.is_empty()));
        room.mix.clear();
        if tells && hears(caller) {
            room.mixer.without(&caller.said, &mut room.mix);
        }
        let said = if told { &caller.said[..] } else { &[] };
        for (channel, pcm) in [(Channel::Caller, said), (Channel::Agent, &room.mix[..])] {
            let (rate, tape) = &mut room.tape[channel.index()];
            tape.clear();
            rate.convert(pcm, room.rate, tape);
            recording.tap.push_pcm(channel, room.generation, room.position, tape, now);
        }
    }
}
