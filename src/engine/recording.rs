//! A call's recording: which legs it hears, and when their silence is a hold.

use crate::media::tap::{Channel, Tap};
use crate::time::Timestamp;

use super::command::CallKey;
use super::session::{Place, Sessions, Timer};

/// A recording that runs. Channel 0 is what the caller's leg says, channel 1 what all those say that it
/// talks with.
pub(super) struct Recording {
    pub(super) tap: Box<Tap>,
    generation: u32,
    held: bool,
}

impl Recording {
    pub(super) fn is(&self, place: Place) -> bool {
        self.generation == place.generation
    }
}

impl Sessions {
    pub(super) fn record(
        &mut self,
        key: CallKey,
        tap: Box<Tap>,
        (caller, agent): (u16, u16),
        now: Timestamp,
    ) {
        self.stop_recording(key, now);
        let Some(&at) = self.index.get(&key) else {
            tap.finish(now);
            return;
        };
        self.generation = self.generation.wrapping_add(1);
        let place = Place { key: at, generation: self.generation };
        self.wheel.arm(tap.poll_timeout(), Timer::Chunk(place));
        self.calls[at].recording = Some(Recording { tap, generation: self.generation, held: false });
        self.set_channel(key, caller, Channel::Caller);
        self.set_channel(key, agent, Channel::Agent);
        self.record_room(at);
        if self.calls[at].connects() {
            self.update_hold(key, now);
        }
    }

    pub(super) fn stop_recording(&mut self, key: CallKey, now: Timestamp) {
        let Some(&at) = self.index.get(&key) else { return };
        let Some(recording) = self.calls[at].recording.take() else { return };
        for n in 0..self.calls[at].legs.len() {
            let leg = &mut self.legs[self.calls[at].legs[n].1];
            leg.channel = None;
            // Decoded for the recorder alone.
            if leg.monitor.as_ref().is_some_and(|monitor| !monitor.has_tones()) {
                leg.monitor = None;
            }
        }
        recording.tap.finish(now);
    }

    /// Those who talk with the caller in a conference are heard on channel 1, and stay it when it becomes a
    /// bridge again.
    pub(super) fn record_room(&mut self, at: usize) {
        let call = &self.calls[at];
        let Some(room) = call.room.as_ref().filter(|_| call.recording.is_some()) else { return };
        let recorded =
            |leg: &usize| self.legs.get(*leg).is_some_and(|leg| leg.channel == Some(Channel::Caller));
        if !room.legs().any(|leg| recorded(&leg)) {
            return;
        }
        let speakers: Vec<usize> = room.speakers().collect();
        for at in room.legs() {
            let Some(leg) = self.legs.get_mut(at) else { continue };
            if speakers.contains(&at) {
                leg.channel.get_or_insert(Channel::Agent);
            } else if leg.channel == Some(Channel::Agent) {
                // It joins the conversation no more, and listens or whispers from now on.
                leg.channel = None;
            }
        }
    }

    fn set_channel(&mut self, key: CallKey, number: u16, channel: Channel) {
        if let Some(at) = self.find(key, number) {
            self.legs[at].channel = Some(channel);
        }
    }

    /// Tells the recording whether the caller and another leg hear one another, so that the silence of a
    /// hold is marked as such and not as loss.
    pub(super) fn update_hold(&mut self, key: CallKey, now: Timestamp) {
        let Some(&at) = self.index.get(&key) else { return };
        let (calls, legs) = (&mut self.calls, &self.legs);
        let Some(call) = calls.get_mut(at) else { return };
        let Some(recording) = &mut call.recording else { return };
        let talks = |leg: &usize, channel: Channel| {
            legs.get(*leg).is_some_and(|leg| leg.channel == Some(channel) && leg.is_two_way())
        };
        let pair = call.bridge.map(|(a, b)| [a, b]);
        let together: Vec<usize> = match (&pair, &call.room) {
            (Some(pair), _) => pair.to_vec(),
            (None, Some(room)) => room.speakers().collect(),
            (None, None) => Vec::new(),
        };
        let talk = [Channel::Caller, Channel::Agent]
            .into_iter()
            .all(|channel| together.iter().any(|leg| talks(leg, channel)));
        if recording.held == talk {
            recording.held = !talk;
            recording.tap.hold(!talk, now);
        }
    }
}
