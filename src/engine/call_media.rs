//! The handle of one call's audio, for the task that drives the call.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::call::PlayId;
use crate::media::rtc::Ours;
use crate::media::sound::Sound;
use crate::media::tap::Tap;
use crate::media::{LegMedia, Seat};

use super::command::{CallKey, Command};
use super::leg::Identity;
use super::ports::Ports;
use super::{EngineError, Handle, LocalMedia, rtc};

/// One call's audio: its legs, what is played, bridged and recorded. Commands are done in order by
/// the call's worker, within a tick. One about a leg that is gone is ignored: races are normal.
/// Dropping it closes every leg of the call.
#[derive(Debug)]
pub struct CallMedia {
    worker: Arc<Handle>,
    key: CallKey,
    ports: Arc<Ports>,
    advertise: IpAddr,
    entropy: RandomState,
    /// Which legs have ever been WebRTC legs.
    rtc_legs: HashSet<u16>,
}

impl CallMedia {
    pub(super) fn new(
        worker: Arc<Handle>,
        key: CallKey,
        (ports, advertise, entropy): (Arc<Ports>, IpAddr, RandomState),
    ) -> Self {
        Self { worker, key, ports, advertise, entropy, rtc_legs: HashSet::new() }
    }

    /// Binds an even/odd port pair at once, in the calling thread, for leg number `leg`. Nothing is
    /// sent before [`CallMedia::configure`]; what arrives before it is thrown away. A leg of the
    /// same number is closed first.
    ///
    /// # Errors
    /// No port is free, the system refuses the socket, or the engine has stopped.
    pub fn add_leg(&mut self, leg: u16) -> Result<LocalMedia, EngineError> {
        let sockets = self.ports.open_pair()?;
        let port = sockets.rtp_port();
        let identity = self.identity(leg, port);
        self.rtc_legs.remove(&leg);
        let added = Command::AddLeg { key: self.key, leg, sockets: Box::new(sockets), identity };
        if !self.worker.mailbox.send(added) {
            return Err(EngineError::Stopped);
        }
        Ok(LocalMedia {
            rtp: SocketAddr::new(self.advertise, port),
            rtcp: SocketAddr::new(self.advertise, port + 1),
        })
    }

    /// A WebRTC leg (RFC 8829) with number `leg`, on the port that all such legs of the worker share. Its
    /// ICE credentials are drawn here. Nothing is sent before [`CallMedia::configure`] with
    /// [`LegMedia::rtc`]; both addresses told are the same, since RTCP comes on the RTP port.
    ///
    /// # Errors
    /// The port cannot be bound, there is no randomness, or the engine has stopped.
    pub fn add_rtc_leg(&mut self, leg: u16) -> Result<(LocalMedia, Ours), EngineError> {
        let fingerprint = rtc::certificate()?.fingerprint();
        let ice = rtc::draw().ok_or(EngineError::NoKey("the system gives no random bytes"))?;
        let port = self.worker.door(&self.ports)?;
        let identity = self.identity(leg, port);
        let added = Command::AddRtcLeg { key: self.key, leg, ours: ice.clone(), identity };
        if !self.worker.mailbox.send(added) {
            return Err(EngineError::Stopped);
        }
        self.rtc_legs.insert(leg);
        let address = SocketAddr::new(self.advertise, port);
        Ok((LocalMedia { rtp: address, rtcp: address }, Ours { ice, fingerprint, role: None }))
    }

    /// New ICE credentials, for the answer to an ICE restart (RFC 8445 §9) or for an offer of one. The former
    /// ones hold until the next [`CallMedia::configure`] with other credentials of the peer. `None`: it is no
    /// WebRTC leg, or there is no randomness.
    #[must_use]
    pub fn restart_ice(&self, leg: u16) -> Option<Ours> {
        let fingerprint = rtc::certificate().ok().filter(|_| self.rtc_legs.contains(&leg))?.fingerprint();
        let ice = rtc::draw()?;
        self.send(Command::RestartIce { key: self.key, leg, next: ice.clone() });
        Some(Ours { ice, fingerprint, role: None })
    }

    /// Sets what offer and answer agreed; again on a re-INVITE. A new remote address opens the source lock
    /// again; the outgoing stream keeps its SSRC and goes on counting. A changed SRTP key counts from now
    /// on; what the peer sealed with its former key is understood for 5 s more.
    pub fn configure(&self, leg: u16, media: LegMedia) {
        self.send(Command::Configure { key: self.key, leg, media });
    }

    /// Closes a leg; [`MediaEvent::Closed`](super::MediaEvent::Closed) follows with its statistics.
    pub fn remove_leg(&self, leg: u16) {
        self.send(Command::RemoveLeg { key: self.key, leg });
    }

    /// Plays a sound to a leg, in place of what played there; `repeat` until stopped. While it
    /// plays, nothing is forwarded to that leg. The leg must be configured.
    pub fn play(&self, leg: u16, play: PlayId, sound: Arc<Sound>, repeat: bool) {
        self.send(Command::Play { key: self.key, leg, play, sound, repeat });
    }

    /// Stops what plays to a leg.
    pub fn stop_play(&self, leg: u16) {
        self.send(Command::StopPlay { key: self.key, leg });
    }

    /// Connects two legs' audio, in place of what was connected in this call. Audio of the same codec is
    /// forwarded untouched at once, and so is G.711 but for a table between its two codecs; any other is
    /// decoded and encoded, which adds a jitter buffer's delay. Likewise G.711 in packets of another length
    /// than the hearer asked for, and comfort noise to a peer that did not agree on it.
    pub fn bridge(&self, a: u16, b: u16) {
        self.send(Command::Bridge { key: self.key, a, b });
    }

    /// Connects legs: each hears the sum of those whose voice reaches it, without itself. In place of what
    /// was connected in this call; legs that were in its conference before go on without a break. Two legs
    /// with [`Voice::All`](crate::media::Voice) are a bridge. Keys reach [`MediaEvent::Digit`](super::MediaEvent::Digit) and no other
    /// leg. A recording hears the caller on channel 0 and all others with `Voice::All` on channel 1: nobody
    /// who listens in or whispers.
    pub fn join(&self, seats: &[Seat]) {
        self.send(Command::Join { key: self.key, seats: seats.into() });
    }

    /// Sends back to a leg what it says, for a test of its line; takes apart what was connected in this call.
    /// [`CallMedia::unbridge`] ends it.
    pub fn echo(&self, leg: u16) {
        self.send(Command::Echo { key: self.key, leg });
    }

    /// Takes the connected legs apart.
    pub fn unbridge(&self) {
        self.send(Command::Unbridge { key: self.key });
    }

    /// Captures what the two legs send one another from now on: audio is recorded when it is forwarded, and
    /// only then. In a conference with the caller, channel 1 is what all others say; a leg that was in one
    /// with it stays recorded when it becomes a bridge again. An earlier recording is finished first.
    pub fn record(&self, tap: Tap, caller: u16, agent: u16) {
        self.send(Command::Record { key: self.key, tap: Box::new(tap), caller, agent });
    }

    /// Captures silence (`true`) or sound again.
    pub fn pause_recording(&self, on: bool) {
        self.send(Command::PauseRecording { key: self.key, on });
    }

    /// Finishes the recording; its sink is told.
    pub fn stop_recording(&self) {
        self.send(Command::StopRecording { key: self.key });
    }

    fn identity(&self, leg: u16, port: u16) -> Identity {
        let draw = |what: u8| self.entropy.hash_one((self.key.0, leg, port, what));
        Identity::from_random([draw(0), draw(1), draw(2)])
    }

    fn send(&self, command: Command) {
        // A stopped engine has closed every leg already: nothing is left to do.
        let _ = self.worker.mailbox.send(command);
    }
}

impl Drop for CallMedia {
    fn drop(&mut self) {
        self.worker.calls.fetch_sub(1, Ordering::Relaxed);
        self.send(Command::Close { key: self.key });
    }
}
