//! What comes on a worker's WebRTC port (RFC 7983): ICE checks go by the user name fragment, all else by the
//! address a check proved; and what follows of it for the leg.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::event::epoll;
use str0m::ice::StunMessage;
use tracing::{debug, error};

use crate::engine::MediaEvent;
use crate::engine::command::CallKey;
use crate::engine::leg::{Identity, Leg, Way};
use crate::engine::session::{Place, Sessions, Timer, present};
use crate::media::rtc::{IceLogin, Theirs};
use crate::media::rtp;
use crate::time::Timestamp;

use super::dtls::Outcome;
use super::ice::{ANSWER, Checked, named};
use super::{Door, Presence, QUIET, Rtc, use_keys};

/// Datagrams taken at once before others get their turn: 20 ms of 250 legs.
const BATCH: usize = 256;

impl Sessions {
    /// Opens the door: the port all WebRTC legs share.
    pub(in crate::engine) fn open_door(&mut self, door: Door, token: u64) {
        let data = epoll::EventData::new_u64(token);
        if let Err(error) = epoll::add(&*self.epoll, door.socket.as_fd(), data, epoll::EventFlags::IN) {
            error!(%error, "the WebRTC port cannot be watched: browsers stay unheard");
        }
        self.door = Some(door);
    }

    pub(in crate::engine) fn add_rtc_leg(
        &mut self,
        key: CallKey,
        number: u16,
        (ours, identity): (IceLogin, Identity),
        now: Timestamp,
    ) {
        self.remove_leg(key, number, now);
        let Some(&call) = self.index.get(&key) else { return };
        let Some(door) = &mut self.door else { return };
        self.generation = self.generation.wrapping_add(1);
        let ufrag = ours.ufrag.clone();
        let rtc = Rtc::new(Arc::clone(&door.socket), ours);
        let way = Way::Shared(Box::new(rtc));
        let leg = self.legs.insert(Leg::new(way, identity, (call, number), self.generation, now));
        door.ufrags.insert(ufrag, Place { key: leg, generation: self.generation });
        self.calls[call].legs.push((number, leg));
        self.stats.legs = self.legs.len() as u64;
    }

    pub(in crate::engine) fn restart_ice(&mut self, key: CallKey, number: u16, next: IceLogin) {
        let Some(at) = self.find(key, number) else { return };
        let place = Place { key: at, generation: self.legs[at].generation };
        let (Way::Shared(rtc), Some(door)) = (&mut self.legs[at].way, &mut self.door) else { return };
        door.ufrags.insert(next.ufrag.clone(), place);
        if let Some(unused) = rtc.ice.restart(next) {
            door.ufrags.remove(&unused.ufrag);
        }
    }

    /// A WebRTC leg's offer and answer.
    pub(in crate::engine) fn agree_rtc(&mut self, at: usize, theirs: &Theirs, now: Timestamp) {
        let instant = self.clock.instant(now);
        let Way::Shared(rtc) = &mut self.legs[at].way else { return };
        let (dropped, outcome) = rtc.agree(theirs, instant);
        if let (Some(login), Some(door)) = (dropped, &mut self.door) {
            door.ufrags.remove(&login.ufrag);
        }
        self.shaken(at, outcome, now);
        self.watch_quiet(at, now);
    }

    /// Closes a WebRTC leg's way: goodbye is said, nothing leads to it any more.
    pub(in crate::engine) fn leave_door(&mut self, at: usize, now: Timestamp) {
        let instant = self.clock.instant(now);
        let (Some(leg), Some(door)) = (self.legs.get_mut(at), &mut self.door) else { return };
        let place = Place { key: at, generation: leg.generation };
        let Way::Shared(rtc) = &mut leg.way else { return };
        rtc.close(instant);
        for ufrag in rtc.ice.ufrags() {
            door.ufrags.remove(ufrag);
        }
        for address in rtc.ice.known() {
            // Another leg of the same browser may have it by now.
            if door.addresses.get(address) == Some(&place) {
                door.addresses.remove(address);
            }
        }
    }

    /// Receives what has come on the door.
    pub(in crate::engine) fn receive_shared(&mut self, buffer: &mut [u8], now: Timestamp) {
        for _ in 0..BATCH {
            let Some(door) = &self.door else { return };
            let Ok((len, from)) = door.socket.recv_from(buffer) else { return };
            match buffer[..len].first() {
                Some(0..=3) => self.take_check(&buffer[..len], from, now),
                Some(20..=63) => self.take_record(&buffer[..len], from, now),
                Some(128..=191) => self.take_media(buffer, len, from, now),
                Some(_) | None => self.stats.strangers += 1,
            }
        }
    }

    fn take_check(&mut self, datagram: &[u8], from: SocketAddr, now: Timestamp) {
        let Some(door) = &mut self.door else { return };
        // Whose it is first: str0m's parser warns of much that is odd, and what strangers send may be.
        let whose = named(datagram).and_then(|ufrag| door.ufrags.get(ufrag)).copied();
        let leg = whose.and_then(|place| Some((place, present(&mut self.legs, place)?)));
        let Some((place, Leg { way: Way::Shared(rtc), .. })) = leg else {
            self.stats.strangers += 1;
            return;
        };
        let Ok(message) = StunMessage::parse(datagram) else {
            self.stats.strangers += 1;
            return;
        };
        let mut answer = [0; ANSWER];
        let (len, proven) = match rtc.ice.check(&message, from, &mut answer, now) {
            Checked::Refused => {
                self.stats.auth_failures += 1;
                return;
            }
            Checked::Conflict(len) => (len, false),
            Checked::Answered(len) => (len, true),
            Checked::Learned(len, forgotten) => {
                if let Some(forgotten) = forgotten.filter(|gone| door.addresses.get(gone) == Some(&place)) {
                    door.addresses.remove(&forgotten);
                }
                (len, true)
            }
        };
        // Unanswered, it checks again.
        drop(door.socket.send_to(&answer[..len], from));
        if !proven {
            return;
        }
        // Who proved it last has the address: a browser that came back may be given its former port.
        door.addresses.insert(from, place);
        let outcome = rtc.begin(self.clock.instant(now));
        self.shaken(place.key, outcome, now);
    }

    /// Whose address this is.
    fn at_address(&self, from: SocketAddr) -> Option<Place> {
        self.door.as_ref()?.addresses.get(&from).copied()
    }

    fn take_record(&mut self, datagram: &[u8], from: SocketAddr, now: Timestamp) {
        let instant = self.clock.instant(now);
        let place = self.at_address(from);
        let way = place.and_then(|place| Some((place.key, &mut present(&mut self.legs, place)?.way)));
        let Some((at, Way::Shared(rtc))) = way else {
            self.stats.strangers += 1;
            return;
        };
        let outcome = rtc.step(|connection, send| connection.take(datagram, instant, send));
        self.shaken(at, outcome, now);
    }

    fn take_media(&mut self, buffer: &mut [u8], len: usize, from: SocketAddr, now: Timestamp) {
        let place = self.at_address(from);
        let leg = place.and_then(|place| Some((place.key, present(&mut self.legs, place)?)));
        // A leg with ports of its own hears nothing by this one: its source is judged there.
        let Some((at, leg)) = leg.filter(|(_, leg)| matches!(leg.way, Way::Shared(_))) else {
            self.stats.strangers += 1;
            return;
        };
        if matches!(&leg.way, Way::Shared(rtc) if rtc.is_over()) {
            return;
        }
        if rtp::is_rtcp(&buffer[..len]) {
            leg.take_rtcp(&mut buffer[..len], None, true, now);
            return;
        }
        let before = leg.stats.packets_in;
        self.receive_rtp(at, None, buffer, len, now);
        self.heard(at, before, now);
    }

    /// A packet was taken: when it was one of the peer's, the peer is there.
    fn heard(&mut self, at: usize, before: u64, now: Timestamp) {
        let Some(leg) = self.legs.get_mut(at).filter(|leg| leg.stats.packets_in > before) else { return };
        let Way::Shared(rtc) = &mut leg.way else { return };
        if rtc.presence == Presence::Heard {
            return;
        }
        rtc.presence = Presence::Heard;
        let (call, leg) = (leg.call, leg.number);
        self.post(call, MediaEvent::Heard { leg });
        self.watch_quiet(at, now);
    }

    /// Arms the timer that looks for silence, when the peer should send and silence was not told yet.
    fn watch_quiet(&mut self, at: usize, now: Timestamp) {
        let leg = &mut self.legs[at];
        let expected = leg.receives();
        let place = Place { key: at, generation: leg.generation };
        let Way::Shared(rtc) = &mut leg.way else { return };
        if expected && !rtc.watched && rtc.presence != Presence::Silent {
            rtc.watched = true;
            self.wheel.arm(now + QUIET, Timer::Quiet(place));
        }
    }

    /// The time to look for silence.
    pub(in crate::engine) fn check_quiet(&mut self, place: Place, now: Timestamp) {
        let Some(leg) = present(&mut self.legs, place) else { return };
        let since = leg.silent_since();
        let Way::Shared(rtc) = &mut leg.way else { return };
        let until = since.map(|since| since + rtc.presence.patience());
        match until {
            Some(until) if until > now && rtc.presence != Presence::Silent => {
                self.wheel.arm(until, Timer::Quiet(place));
            }
            Some(_) => {
                rtc.watched = false;
                self.silent(place.key);
            }
            // On hold. The next configure watches again.
            None => rtc.watched = false,
        }
    }

    fn silent(&mut self, at: usize) {
        let leg = &mut self.legs[at];
        let Way::Shared(rtc) = &mut leg.way else { return };
        if rtc.presence != Presence::Silent {
            rtc.presence = Presence::Silent;
            let (call, leg) = (leg.call, leg.number);
            self.post(call, MediaEvent::Silent { leg });
        }
    }

    /// A handshake is due to send again.
    pub(in crate::engine) fn shake(&mut self, place: Place, now: Timestamp) {
        let instant = self.clock.instant(now);
        let Some(Leg { way: Way::Shared(rtc), .. }) = present(&mut self.legs, place) else { return };
        // An earlier timer may fire after it was armed anew: what is not due yet does nothing.
        rtc.timer.take_if(|timer| *timer <= now);
        let outcome = rtc.step(|connection, send| connection.handle_timeout(instant, send));
        self.shaken(place.key, outcome, now);
    }

    /// What a step of the handshake came to.
    fn shaken(&mut self, at: usize, outcome: Outcome, now: Timestamp) {
        let Some(leg) = self.legs.get_mut(at) else { return };
        let place = Place { key: at, generation: leg.generation };
        let Way::Shared(rtc) = &mut leg.way else { return };
        if let Some(keys) = &outcome.keys {
            use_keys(&mut leg.security, keys, now);
        }
        if let Some(timeout) = outcome.timeout {
            let due = now + timeout.saturating_duration_since(self.clock.instant(now));
            if rtc.timer.is_none_or(|timer| due < timer) {
                rtc.timer = Some(due);
                self.wheel.arm(due, Timer::Shake(place));
            }
        }
        if let Some(why) = outcome.ended {
            debug!(leg = leg.number, why, "a WebRTC leg's DTLS ended");
            self.silent(at);
        }
    }
}
