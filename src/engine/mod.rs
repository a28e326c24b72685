//! Media workers: one OS thread each, its sockets, its sessions. All legs of a call live on one
//! worker, so that a packet runs to completion there: received, checked, rewritten, sent on.
//!
//! [`Engine::open`] gives the handle of one call; what happens to its audio comes back as
//! [`MediaEvent`]s. Nothing here blocks the caller for longer than a worker's tick (2 ms).

mod agreed;
mod call_media;
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

use std::hash::RandomState;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use crate::call::PlayId;
use crate::ids::CallId;
use crate::media::{Digit, DigitChannel};
use crate::time::Clock;

use command::{CallKey, Command, Mailbox};
use ports::{Lease, Ports};
use rtc::Door;
use stats::Counters;
use worker::{Setup, Worker};

pub use call_media::CallMedia;
pub use stats::{LegStats, WorkerStats};

/// Calls a worker takes before the next one is given any: a worker's wake-ups cost the same for one call as for all,
/// and what is in its core's cache stays there. So many take four fifths of a core if each of them converts Opus.
const FILLED: usize = 200;
/// A worker this busy (thousandths) is filled already, whatever its calls are.
const BUSY: u64 = 300;

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
    /// sure where they are listened for ([`crate::media::LegMedia::in_band_digits`]). One that comes both ways
    /// is told as what came first.
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
    /// A WebRTC leg that should send has sent no RTP for 1.5 s (for 4 s when it has sent none yet), or said
    /// goodbye (DTLS close_notify, told at once). Told once, until it is heard again.
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
    /// Its calls, and its share of time at work in thousandths.
    fn load(&self) -> (usize, u64) {
        (self.calls.load(Ordering::Relaxed), self.counters.load())
    }

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

    /// Takes a call in: on the first worker that has room, and on the least loaded when each is well filled.
    /// `events` should hold a few dozen events; what does not fit waits in a bounded backlog.
    #[must_use]
    pub fn open(&self, call: CallId, events: Sender<MediaEvent>) -> CallMedia {
        let worker = Arc::clone(&self.workers[choose(self.workers.iter().map(|worker| worker.load()))]);
        worker.calls.fetch_add(1, Ordering::Relaxed);
        let key = CallKey(self.next_call.fetch_add(1, Ordering::Relaxed));
        worker.mailbox.send(Command::Open { key, call, events });
        let shared = (Arc::clone(&self.ports), self.advertise, self.entropy.clone());
        CallMedia::new(worker, key, shared)
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

/// Which worker takes a call, by the calls and the load (thousandths) of each; there is at least one.
fn choose(loads: impl Iterator<Item = (usize, u64)> + Clone) -> usize {
    // Load follows a second behind, so calls count beside it.
    let full = |(calls, load): (usize, u64)| load.max(calls as u64 * BUSY / FILLED as u64);
    let first = loads.clone().position(|of| full(of) < BUSY);
    let least = || loads.enumerate().min_by_key(|(_, of)| (full(*of), of.0)).map(|(number, _)| number);
    first.or_else(least).unwrap_or(0)
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

#[cfg(test)]
mod choosing {
    use super::*;

    #[test]
    fn workers_are_filled_one_after_another_and_then_evenly() {
        let choose = |loads: &[(usize, u64)]| super::choose(loads.iter().copied());
        assert_eq!(choose(&[(0, 0), (0, 0)]), 0);
        assert_eq!(choose(&[(FILLED - 1, 100), (0, 0)]), 0);
        assert_eq!(choose(&[(FILLED, 100), (0, 0)]), 1);
        assert_eq!(choose(&[(10, BUSY), (0, 0)]), 1, "its calls are dear");
        assert_eq!(choose(&[(FILLED + 20, 200), (FILLED + 10, 250)]), 1);
        assert_eq!(choose(&[(20, BUSY), (20, BUSY + 300), (21, BUSY)]), 0);
        assert_eq!(choose(&[(FILLED, 100), (FILLED - 1, 100)]), 1, "room that was left is taken");
        assert_eq!(choose(&[(10, 900), (FILLED + 50, 200)]), 1, "few calls, and no time for more");
    }
}
