//! Media workers: one OS thread each, its sockets, its sessions. All legs of a call live on one
//! worker, so that a packet runs to completion there: received, checked, rewritten, sent on.
//!
//! [`Engine::open`] gives the handle of one call; what happens to its audio comes back as
//! [`MediaEvent`]s. Nothing here blocks the caller for longer than a worker's tick (2 ms).

mod agreed;
mod command;
mod conference;
mod hearing;
mod keys;
mod leg;
mod outbox;
mod pacing;
mod playing;
mod ports;
mod recording;
mod relay;
mod reporting;
mod rtc;
mod secure;
mod session;
mod socket;
mod speaking;
mod stats;
mod transcode;
mod wheel;
mod worker;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use crate::call::PlayId;
use crate::ids::CallId;
use crate::media::rtc::Ours;
use crate::media::sound::Sound;
use crate::media::tap::Tap;
use crate::media::{Digit, DigitChannel, LegMedia, Seat};
use crate::time::Clock;

use command::{CallKey, Command, Mailbox};
use leg::Identity;
use ports::{Lease, Ports};
use rtc::Door;
use stats::Counters;
use worker::{Setup, Worker};

pub use stats::{LegStats, WorkerStats};

/// How the engine is set up.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Worker threads; 0 means one per core.
    pub workers: usize,
    /// The address the sockets are bound to.
    pub bind: IpAddr,
    /// The address told to peers, when it is not the bound one (NAT, unspecified `bind`).
    pub advertise: Option<IpAddr>,
    /// Ports for RTP (even) and RTCP (the odd one above).
    pub ports: RangeInclusive<u16>,
    /// The UDP port of the first worker's WebRTC legs; worker n takes this one + n. `None`: a port of
    /// `ports` for each worker, taken when it has its first such leg.
    pub webrtc_port: Option<u16>,
    /// A leg that should send and sends no RTP for this long raises [`MediaEvent::MediaTimeout`]; zero:
    /// never.
    pub media_timeout: Duration,
}

/// What goes wrong when starting the engine or adding a leg.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The port range holds no even port with an odd one above it.
    #[error("media ports {first}-{last} hold no even/odd pair: give at least two ports, the first even")]
    NoPairs {
        /// First port of the range.
        first: u16,
        /// Last port of the range.
        last: u16,
    },
    /// All ports of the range are in use.
    #[error("no media port is free ({in_use} pairs in use): widen the port range or limit the calls")]
    PortsExhausted {
        /// Pairs that live legs hold.
        in_use: usize,
    },
    /// A socket could not be made or bound.
    #[error("media socket on {address}: {source}")]
    Socket {
        /// What was to be bound.
        address: SocketAddr,
        /// The system's word.
        source: std::io::Error,
    },
    /// A worker could not be started.
    #[error("media worker {worker}: {what}: {source}")]
    Worker {
        /// Its number.
        worker: usize,
        /// What failed.
        what: &'static str,
        /// The system's word.
        source: std::io::Error,
    },
    /// The ports of WebRTC legs do not fit above the configured one.
    #[error("webrtc-port {base}: {workers} workers need that many ports from there on, up to 65535")]
    WebrtcPorts {
        /// The configured port.
        base: u16,
        /// How many workers there are.
        workers: usize,
    },
    /// The system gives no random bytes, or no certificate can be made of them.
    #[error("no key for WebRTC legs could be made: {0}")]
    NoKey(&'static str),
    /// The engine was shut down.
    #[error("the media engine has stopped")]
    Stopped,
}

/// Our media addresses of a leg, as told to the peer in SDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalMedia {
    /// For RTP.
    pub rtp: SocketAddr,
    /// For RTCP, unless multiplexed.
    pub rtcp: SocketAddr,
}

/// What happened to a call's audio.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaEvent {
    /// A key, told once: at the first packet of its telephone-event (RFC 4733), or as soon as its tones are
    /// sure where they are listened for ([`LegMedia::in_band_digits`]). One that comes both ways is told as
    /// what came first.
    Digit {
        /// Which leg.
        leg: u16,
        /// The key.
        digit: Digit,
        /// How it came.
        channel: DigitChannel,
    },
    /// A sound was played to its end. Not told when it was stopped or replaced.
    PlayDone {
        /// Which one.
        play: PlayId,
    },
    /// No RTP for the media time-out, though the leg should send. Told once for each
    /// [`CallMedia::configure`].
    MediaTimeout {
        /// Which leg.
        leg: u16,
    },
    /// A WebRTC leg that should send has sent no RTP for 1.5 s, or said goodbye (DTLS close_notify, told at
    /// once). Told once, until it is heard again.
    Silent {
        /// Which leg.
        leg: u16,
    },
    /// A WebRTC leg sends: told at its first packet, and when it sends again after [`MediaEvent::Silent`].
    Heard {
        /// Which leg.
        leg: u16,
    },
    /// A leg's sockets are closed and its ports free. Nothing more comes of this leg.
    Closed {
        /// Which leg.
        leg: u16,
        /// How its media fared.
        stats: LegStats,
    },
}

/// The media workers. Share it with `Arc`; dropping it stops them.
#[derive(Debug)]
pub struct Engine {
    workers: Vec<Arc<Handle>>,
    threads: Vec<JoinHandle<()>>,
    ports: Arc<Ports>,
    advertise: IpAddr,
    next_call: AtomicU64,
    entropy: RandomState,
}

/// What the outside holds of a worker.
#[derive(Debug)]
struct Handle {
    mailbox: Mailbox,
    counters: Arc<Counters>,
    /// Calls opened and not yet dropped, for choosing the least loaded worker.
    calls: AtomicUsize,
    /// The port its WebRTC legs share, once it is open.
    door: Mutex<Option<u16>>,
}

impl Handle {
    /// The port its WebRTC legs share; taken from the range when there is none yet.
    fn door(&self, ports: &Arc<Ports>) -> Result<u16, EngineError> {
        if let Some(port) = *self.door.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(port);
        }
        let (socket, lease) = ports.open_shared()?;
        self.open_door(socket, Some(lease))
    }

    /// Gives the worker its WebRTC port. Of two that are given at once it keeps the first.
    fn open_door(&self, socket: UdpSocket, lease: Option<Lease>) -> Result<u16, EngineError> {
        let local = socket.local_addr();
        let address =
            local.map_err(|source| EngineError::Worker { worker: 0, what: "WebRTC socket", source })?;
        let mut door = self.door.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(port) = *door {
            return Ok(port);
        }
        let opened = Command::OpenDoor { door: Box::new(Door::new(Arc::new(socket), lease)) };
        if !self.mailbox.send(opened) {
            return Err(EngineError::Stopped);
        }
        *door = Some(address.port());
        Ok(address.port())
    }
}

impl Engine {
    /// Starts the workers.
    ///
    /// # Errors
    /// The port range is unusable, or the system refuses a thread, an epoll or an event descriptor.
    pub fn start(config: EngineConfig, clock: Clock) -> Result<Self, EngineError> {
        let ports = Arc::new(Ports::new(config.bind, config.ports.clone())?);
        let count = match config.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            given => given,
        };
        let mut engine = Self {
            workers: Vec::with_capacity(count),
            threads: Vec::with_capacity(count),
            ports,
            advertise: config.advertise.unwrap_or_else(|| reachable(config.bind)),
            next_call: AtomicU64::new(0),
            entropy: RandomState::new(),
        };
        let fixed = fixed_ports(config.webrtc_port, count)?;
        for number in 0..count {
            let failed = |what| move |source| EngineError::Worker { worker: number, what, source };
            let counters = Arc::new(Counters::default());
            let (mailbox, inbox) = command::mailbox().map_err(failed("event descriptor"))?;
            let setup =
                Setup { clock, media_timeout: config.media_timeout, counters: Arc::clone(&counters), inbox };
            let worker = Worker::new(setup).map_err(failed("epoll"))?;
            let thread = std::thread::Builder::new()
                .name(format!("media-{number}"))
                .spawn(move || worker.run())
                .map_err(failed("thread"))?;
            engine.threads.push(thread);
            let handle = Handle { mailbox, counters, calls: AtomicUsize::new(0), door: Mutex::new(None) };
            engine.workers.push(Arc::new(handle));
            // From here on a failure stops the threads.
            if let Some(port) = fixed.get(number) {
                engine.workers[number].open_door(engine.ports.open_fixed(*port)?, None)?;
            }
        }
        Ok(engine)
    }

    /// Takes a call in, on the least loaded worker. `events` should hold a few dozen events; what
    /// does not fit waits in a bounded backlog.
    #[must_use]
    pub fn open(&self, call: CallId, events: Sender<MediaEvent>) -> CallMedia {
        let load = |handle: &&Arc<Handle>| (handle.calls.load(Ordering::Relaxed), handle.counters.load());
        let worker = Arc::clone(self.workers.iter().min_by_key(load).expect("start makes at least one"));
        worker.calls.fetch_add(1, Ordering::Relaxed);
        let key = CallKey(self.next_call.fetch_add(1, Ordering::Relaxed));
        worker.mailbox.send(Command::Open { key, call, events });
        CallMedia {
            worker,
            key,
            ports: Arc::clone(&self.ports),
            advertise: self.advertise,
            entropy: self.entropy.clone(),
            rtc_legs: HashSet::new(),
        }
    }

    /// One entry per worker, as of its last tick.
    #[must_use]
    pub fn stats(&self) -> Vec<WorkerStats> {
        self.workers.iter().map(|handle| handle.counters.snapshot()).collect()
    }

    /// Even/odd port pairs held by live legs.
    #[must_use]
    pub fn ports_in_use(&self) -> usize {
        self.ports.in_use()
    }

    /// Closes every leg and ends the threads.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for handle in &self.workers {
            handle.mailbox.send(Command::Stop);
        }
        for thread in self.threads.drain(..) {
            // A worker that panicked has said so already.
            let _ = thread.join();
        }
    }
}

/// The WebRTC ports of all workers, when they are configured.
fn fixed_ports(base: Option<u16>, workers: usize) -> Result<Vec<u16>, EngineError> {
    let Some(base) = base else { return Ok(Vec::new()) };
    let last = u16::try_from(workers.saturating_sub(1)).ok().and_then(|more| base.checked_add(more));
    match last {
        Some(last) if base != 0 => Ok((base..=last).collect()),
        Some(_) | None => Err(EngineError::WebrtcPorts { base, workers }),
    }
}

/// The address peers reach us at when bound to all of them: that of the route to the outside. No
/// packet is sent for finding it. Loopback when there is no route.
fn reachable(bind: IpAddr) -> IpAddr {
    let (probe, loopback): (SocketAddr, IpAddr) = match bind {
        IpAddr::V4(any) if any.is_unspecified() => (([192, 0, 2, 1], 9).into(), Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(any) if any.is_unspecified() => {
            ((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9).into(), Ipv6Addr::LOCALHOST.into())
        }
        IpAddr::V4(_) | IpAddr::V6(_) => return bind,
    };
    let route = UdpSocket::bind((bind, 0)).and_then(|socket| {
        socket.connect(probe)?;
        socket.local_addr()
    });
    route.map_or(loopback, |address| address.ip())
}

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
        Ok((LocalMedia { rtp: address, rtcp: address }, Ours { ice, fingerprint }))
    }

    /// New ICE credentials, for the answer to an ICE restart (RFC 8445 §9) or for an offer of one. The former
    /// ones hold until the next [`CallMedia::configure`] with other credentials of the peer. `None`: it is no
    /// WebRTC leg, or there is no randomness.
    #[must_use]
    pub fn restart_ice(&self, leg: u16) -> Option<Ours> {
        let fingerprint = rtc::certificate().ok().filter(|_| self.rtc_legs.contains(&leg))?.fingerprint();
        let ice = rtc::draw()?;
        self.send(Command::RestartIce { key: self.key, leg, next: ice.clone() });
        Some(Ours { ice, fingerprint })
    }

    /// Sets what offer and answer agreed; again on a re-INVITE. A new remote address opens the source lock
    /// again; the outgoing stream keeps its SSRC and goes on counting. A changed SRTP key counts from now
    /// on; what the peer sealed with its former key is understood for 5 s more.
    pub fn configure(&self, leg: u16, media: LegMedia) {
        self.send(Command::Configure { key: self.key, leg, media });
    }

    /// Closes a leg; [`MediaEvent::Closed`] follows with its statistics.
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
    /// with [`Voice::All`](crate::media::Voice) are a bridge. Keys reach [`MediaEvent::Digit`] and no other
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
