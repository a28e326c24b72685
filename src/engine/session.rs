//! The sessions of one worker: its calls, their legs, and who hears whom. Carries out commands and fires
//! timers; `relay` has the way of a packet, and `transcode`, `conference`, `playing` and `recording` what
//! their names say; the worker's loop says when.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::epoll;
use slab::Slab;
use tokio::sync::mpsc::Sender;
use tracing::warn;

use crate::ids::CallId;
use crate::media::LegMedia;
use crate::time::{Clock, Timestamp};

use super::MediaEvent;
use super::command::{CallKey, Command};
use super::conference::Room;
use super::leg::{Identity, Leg, Way};
use super::outbox::{Outbox, Posted};
use super::recording::Recording;
use super::relay::{Port, token};
use super::rtc::Door;
use super::socket::Sockets;
use super::stats::WorkerStats;
use super::wheel::Wheel;
use super::worker::DOOR;

/// How long events of a closed call are tried, when its receiver does not keep up.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Why a timer was armed. A leg or recording that is gone, or has another generation, is not meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timer {
    /// A leg's next packet of a sound.
    Play(Place),
    /// What a leg says is due at the one that hears it decoded.
    Pump(Place),
    /// A conference's next tick.
    Room(Place),
    /// A leg's next RTCP report.
    Report(Place),
    /// A leg may have been silent for too long.
    Silence(Place),
    /// A WebRTC leg may have gone.
    Quiet(Place),
    /// A WebRTC leg's DTLS handshake sends again.
    Shake(Place),
    /// A recording's next chunk.
    Chunk(Place),
}

/// A place in a slab, and who is meant to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) key: usize,
    pub(super) generation: u32,
}

/// A call.
pub(super) struct Call {
    key: CallKey,
    id: CallId,
    outbox: Outbox,
    pub(super) legs: Vec<(u16, usize)>,
    /// Two legs that hear one another.
    pub(super) bridge: Option<(usize, usize)>,
    /// More of them; never beside a bridge.
    pub(super) room: Option<Room>,
    pub(super) recording: Option<Recording>,
}

impl Call {
    /// Whether any legs hear one another.
    pub(super) fn connects(&self) -> bool {
        self.bridge.is_some() || self.room.is_some()
    }
}

/// All that a worker holds.
pub(super) struct Sessions {
    pub(super) legs: Slab<Leg>,
    pub(super) calls: Slab<Call>,
    pub(super) index: HashMap<CallKey, usize>,
    pub(super) wheel: Wheel<Timer>,
    pub(super) epoll: Arc<rustix::fd::OwnedFd>,
    /// For DTLS, which counts in its own time.
    pub(super) clock: Clock,
    /// What the WebRTC legs share, once there was one.
    pub(super) door: Option<Door>,
    media_timeout: Duration,
    pub(super) generation: u32,
    /// Scratch: decoded samples, and what of them goes to the recorder.
    pub(super) pcm: Vec<i16>,
    pub(super) tape: Vec<i16>,
    /// Calls with events that wait.
    slow: Vec<CallKey>,
    /// Events of closed calls that wait, and until when.
    leaving: Vec<(Outbox, Timestamp)>,
    pub(super) stats: WorkerStats,
}

impl Sessions {
    pub(super) fn new(epoll: Arc<rustix::fd::OwnedFd>, media_timeout: Duration, clock: Clock) -> Self {
        Self {
            legs: Slab::new(),
            calls: Slab::new(),
            index: HashMap::new(),
            wheel: Wheel::new(clock.now()),
            epoll,
            clock,
            door: None,
            media_timeout,
            generation: 0,
            pcm: Vec::new(),
            tape: Vec::new(),
            slow: Vec::new(),
            leaving: Vec::new(),
            stats: WorkerStats::default(),
        }
    }

    /// Carries out a command; `false` for the last one.
    pub(super) fn command(&mut self, command: Command, now: Timestamp) -> bool {
        match command {
            Command::Open { key, call, events } => self.open(key, call, events),
            Command::AddLeg { key, leg, sockets, identity } => {
                self.add_leg(key, leg, *sockets, identity, now)
            }
            Command::OpenDoor { door } => self.open_door(*door, DOOR),
            Command::AddRtcLeg { key, leg, ours, identity } => {
                self.add_rtc_leg(key, leg, (ours, identity), now)
            }
            Command::RestartIce { key, leg, next } => self.restart_ice(key, leg, next),
            Command::Configure { key, leg, media } => self.configure(key, leg, &media, now),
            Command::RemoveLeg { key, leg } => self.remove_leg(key, leg, now),
            Command::Play { key, leg, play, sound, repeat } => {
                self.play(key, leg, play, (sound, repeat), now)
            }
            Command::StopPlay { key, leg } => self.stop_play(key, leg),
            Command::Bridge { key, a, b } => self.bridge(key, a, b, now),
            Command::Join { key, seats } => self.join(key, &seats, now),
            Command::Echo { key, leg } => self.echo(key, leg, now),
            Command::Unbridge { key } => self.disconnect(key, &[], now),
            Command::Record { key, tap, caller, agent } => self.record(key, tap, (caller, agent), now),
            Command::PauseRecording { key, on } => {
                if let Some(recording) = self.call(key).and_then(|call| call.recording.as_mut()) {
                    recording.tap.pause(on, now);
                }
            }
            Command::StopRecording { key } => self.stop_recording(key, now),
            Command::Close { key } => self.close(key, now),
            Command::Stop => {
                let keys: Vec<CallKey> = self.index.keys().copied().collect();
                keys.into_iter().for_each(|key| self.close(key, now));
                return false;
            }
        }
        true
    }

    /// A timer fired.
    pub(super) fn fired(&mut self, timer: Timer, now: Timestamp) {
        match timer {
            Timer::Play(place) => self.play_on(place, now),
            Timer::Pump(place) => self.pump(place, now),
            Timer::Room(place) => self.mix(place, now),
            Timer::Report(place) => {
                if let Some(leg) = present(&mut self.legs, place) {
                    leg.report(false, now);
                    let next = now + leg.report_interval();
                    self.wheel.arm(next, timer);
                }
            }
            Timer::Silence(place) => self.check_silence(place, now),
            Timer::Quiet(place) => self.check_quiet(place, now),
            Timer::Shake(place) => self.shake(place, now),
            Timer::Chunk(place) => {
                let recording = self.calls.get_mut(place.key).and_then(|call| call.recording.as_mut());
                if let Some(recording) = recording.filter(|known| known.is(place)) {
                    recording.tap.handle_timeout(now);
                    self.wheel.arm(recording.tap.poll_timeout(), timer);
                }
            }
        }
    }

    /// Tries again to hand over events that wait. `true` while some still do.
    pub(super) fn retry_events(&mut self, now: Timestamp) -> bool {
        let (index, calls) = (&self.index, &mut self.calls);
        self.slow.retain(|key| {
            let call = index.get(key).and_then(|at| calls.get_mut(*at));
            call.is_some_and(|call| !call.outbox.flush())
        });
        self.leaving.retain_mut(|(outbox, until)| !outbox.flush() && now < *until);
        !(self.slow.is_empty() && self.leaving.is_empty())
    }

    fn open(&mut self, key: CallKey, id: CallId, events: Sender<MediaEvent>) {
        let outbox = Outbox::new(events);
        let call = Call { key, id, outbox, legs: Vec::new(), bridge: None, room: None, recording: None };
        let place = self.calls.insert(call);
        self.index.insert(key, place);
        self.stats.calls = self.calls.len() as u64;
    }

    fn add_leg(&mut self, key: CallKey, number: u16, sockets: Sockets, identity: Identity, now: Timestamp) {
        self.remove_leg(key, number, now);
        let Some(&at) = self.index.get(&key) else { return };
        self.generation = self.generation.wrapping_add(1);
        let leg =
            self.legs.insert(Leg::new(Way::Ports(sockets), identity, (at, number), self.generation, now));
        let Way::Ports(sockets) = &self.legs[leg].way else { return };
        for (descriptor, port) in [(sockets.rtp().as_fd(), Port::Rtp), (sockets.rtcp().as_fd(), Port::Rtcp)] {
            let data = epoll::EventData::new_u64(token(leg, port));
            if let Err(error) = epoll::add(&*self.epoll, descriptor, data, epoll::EventFlags::IN) {
                // The leg stays deaf and its time-out will tell the call.
                warn!(call = %self.calls[at].id, leg = number, %error, "media socket cannot be watched");
            }
        }
        self.calls[at].legs.push((number, leg));
        self.stats.legs = self.legs.len() as u64;
    }

    fn configure(&mut self, key: CallKey, number: u16, media: &LegMedia, now: Timestamp) {
        let Some(at) = self.find(key, number) else { return };
        let leg = &mut self.legs[at];
        let changed = leg.configure(media, now);
        let place = Place { key: at, generation: leg.generation };
        if changed.first {
            let first = now + leg.report_interval() / 2;
            self.wheel.arm(first, Timer::Report(place));
        }
        if changed.watch && !self.media_timeout.is_zero() {
            self.wheel.arm(now + self.media_timeout, Timer::Silence(place));
        }
        if let Some(theirs) = &media.rtc {
            self.agree_rtc(at, theirs, now);
        }
        if let Some((leg, peer)) = pair(&mut self.legs, at) {
            if changed.receives {
                peer.interrupt();
            }
            if changed.format {
                // Whether they can be forwarded to one another is seen anew.
                leg.drop_ear();
                peer.drop_ear();
            }
        }
        self.update_hold(key, now);
    }

    pub(super) fn remove_leg(&mut self, key: CallKey, number: u16, now: Timestamp) {
        let Some(at) = self.find(key, number) else { return };
        let Some(&call_at) = self.index.get(&key) else { return };
        if self.calls[call_at].bridge.is_some_and(|(a, b)| a == at || b == at) {
            self.disconnect(key, &[], now);
        }
        if self.leave(call_at, at) {
            self.update_hold(key, now);
        }
        self.calls[call_at].legs.retain(|(_, leg)| *leg != at);
        self.legs[at].report(true, now);
        self.leave_door(at, now);
        let leg = self.legs.remove(at);
        self.stats.legs = self.legs.len() as u64;
        let stats = leg.close();
        self.stats.lost += stats.lost;
        self.stats.send_errors += u64::from(stats.send_errors);
        self.post(call_at, MediaEvent::Closed { leg: number, stats });
    }

    fn bridge(&mut self, key: CallKey, a: u16, b: u16, now: Timestamp) {
        match (self.find(key, a), self.find(key, b)) {
            (Some(a), Some(b)) if a != b => self.connect_pair(key, a, b, now),
            (Some(_) | None, Some(_) | None) => self.disconnect(key, &[], now),
        }
    }

    /// Two legs, by their places, hear one another and nobody else.
    pub(super) fn connect_pair(&mut self, key: CallKey, a: usize, b: usize, now: Timestamp) {
        self.disconnect(key, &[], now);
        for (leg, peer) in [(a, b), (b, a)] {
            self.legs[leg].peer = Some(peer);
            self.legs[leg].interrupt();
        }
        if let Some(call) = self.call(key) {
            call.bridge = Some((a, b));
        }
        self.update_hold(key, now);
    }

    /// Takes a bridge or a conference apart. Legs of a conference that are in `keep` will be in the next one.
    pub(super) fn disconnect(&mut self, key: CallKey, keep: &[usize], now: Timestamp) {
        let Some(call) = self.call(key).filter(|call| call.connects()) else { return };
        let pair = call.bridge.take().map(|(a, b)| vec![a, b]);
        let legs = pair.or(call.room.take().map(|room| room.legs().collect())).unwrap_or_default();
        for at in legs {
            let Some(leg) = self.legs.get_mut(at) else { continue };
            leg.peer = None;
            if !(keep.contains(&at) && leg.ear.as_ref().is_some_and(|ear| ear.in_room)) {
                leg.drop_ear();
                leg.interrupt();
            }
        }
        self.update_hold(key, now);
    }

    fn close(&mut self, key: CallKey, now: Timestamp) {
        self.stop_recording(key, now);
        let Some(&at) = self.index.get(&key) else { return };
        while let Some((number, _)) = self.calls[at].legs.last().copied() {
            self.remove_leg(key, number, now);
        }
        self.index.remove(&key);
        let mut call = self.calls.remove(at);
        self.stats.calls = self.calls.len() as u64;
        if !call.outbox.flush() {
            self.leaving.push((call.outbox, now + LAST_WORDS));
        }
    }

    fn check_silence(&mut self, place: Place, now: Timestamp) {
        let Some(leg) = present(&mut self.legs, place) else { return };
        let until = leg.silent_since().map(|since| since + self.media_timeout);
        match until {
            Some(until) if until > now => self.wheel.arm(until, Timer::Silence(place)),
            Some(_) | None => {
                // Over: told, or not expected to send any more. The next configure watches again.
                leg.watched = false;
                let (call, leg) = (leg.call, leg.number);
                if until.is_some() {
                    self.post(call, MediaEvent::MediaTimeout { leg });
                }
            }
        }
    }

    pub(super) fn post(&mut self, at: usize, event: MediaEvent) {
        let Some(call) = self.calls.get_mut(at) else { return };
        match call.outbox.post(event) {
            Posted::Sent => {}
            Posted::Kept => {
                if !self.slow.contains(&call.key) {
                    self.slow.push(call.key);
                }
            }
            Posted::Dropped => self.stats.dropped_events += 1,
        }
    }

    pub(super) fn call(&mut self, key: CallKey) -> Option<&mut Call> {
        let at = *self.index.get(&key)?;
        self.calls.get_mut(at)
    }

    pub(super) fn find(&self, key: CallKey, number: u16) -> Option<usize> {
        let call = self.calls.get(*self.index.get(&key)?)?;
        call.legs.iter().find(|(known, _)| *known == number).map(|(_, at)| *at)
    }
}

/// A leg and the one that hears it.
pub(super) fn pair(legs: &mut Slab<Leg>, key: usize) -> Option<(&mut Leg, &mut Leg)> {
    let peer = legs.get(key)?.peer?;
    legs.get2_mut(key, peer)
}

/// The leg a timer was armed for, if it is still there.
pub(super) fn present(legs: &mut Slab<Leg>, place: Place) -> Option<&mut Leg> {
    legs.get_mut(place.key).filter(|leg| leg.generation == place.generation)
}
