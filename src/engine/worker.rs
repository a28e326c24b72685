//! A worker's loop: wait as [`Pacing`] says, take what has come, one datagram per event, fire the
//! timers, publish the figures. No lock, no log and no allocation per packet.

use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::thread::{ClockId, clock_nanosleep_absolute};
use rustix::time::clock_gettime;
use tracing::{debug, error};

use crate::time::{Clock, Timestamp};

use super::command::Inbox;
use super::pacing::{Grid, Pacing, next_point};
use super::relay::from_token;
use super::session::{Sessions, Timer};
use super::stats::Counters;

/// Events taken from epoll at once.
const EVENTS: usize = 256;
/// Rounds through epoll in a tick before timers get their turn, when packets keep coming.
const ROUNDS: usize = 8;
/// Largest datagram read; more is cut off, and was no audio of ours. What a packet leaves free is room for
/// the tag it may be sealed with.
const DATAGRAM: usize = 2_048;
/// The mailbox's token in epoll; no leg's place on a worker reaches it.
const BELL: u64 = u64::MAX;
/// That of the port WebRTC legs share, likewise.
pub(super) const DOOR: u64 = u64::MAX - 1;
/// How soon events that a slow receiver left waiting are tried again, when nothing else wakes the worker.
const RETRY: Duration = Duration::from_millis(5);

/// What a worker is made of.
pub(super) struct Setup {
    pub(super) clock: Clock,
    pub(super) media_timeout: Duration,
    pub(super) counters: Arc<Counters>,
    pub(super) inbox: Inbox,
}

/// A media worker; owns its thread.
pub(super) struct Worker {
    clock: Clock,
    counters: Arc<Counters>,
    inbox: Inbox,
    epoll: Arc<OwnedFd>,
    sessions: Sessions,
    pacing: Pacing,
    fired: Vec<Timer>,
    /// Events wait for a slow receiver.
    retry: bool,
}

impl Worker {
    pub(super) fn new(setup: Setup) -> std::io::Result<Self> {
        let Setup { clock, media_timeout, counters, inbox } = setup;
        let epoll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        let bell = epoll::EventData::new_u64(BELL);
        epoll::add(&*epoll, inbox.descriptor(), bell, epoll::EventFlags::IN)?;
        let now = clock.now();
        Ok(Self {
            clock,
            counters,
            inbox,
            sessions: Sessions::new(Arc::clone(&epoll), media_timeout, clock),
            epoll,
            pacing: Pacing::new(now),
            fired: Vec::new(),
            retry: false,
        })
    }

    /// Runs until told to stop.
    pub(super) fn run(mut self) {
        // Without it the system may wake us 50 µs late, to save power; a sandbox may refuse it.
        if let Err(error) = rustix::thread::set_current_timer_slack(NonZeroU64::new(1)) {
            debug!(%error, "timer slack stays as it is");
        }
        let mut buffer = [0; DATAGRAM];
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            let planned = self.wait(&mut events);
            let began = self.clock.now();
            let before = self.sessions.stats.packets_in + self.sessions.stats.packets_out;
            let goes_on = self.take_events(&mut events, &mut buffer, began);
            self.fire_timers();
            let ended = self.clock.now();
            self.retry = self.sessions.retry_events(ended);
            let stats = &mut self.sessions.stats;
            self.pacing.ticked(planned, began, ended, stats.packets_in + stats.packets_out - before);
            stats.load = if stats.legs == 0 { 0 } else { self.pacing.load() };
            stats.late_ticks = self.pacing.late();
            self.counters.publish(stats);
            if !goes_on {
                return;
            }
        }
    }

    /// Waits for the next tick and leaves what has come in `events`. Returns when the tick
    /// should begin, if that was planned.
    fn wait(&mut self, events: &mut Vec<epoll::Event>) -> Option<Timestamp> {
        match self.pacing.grid() {
            Grid::PerPacket => {
                let now = self.clock.now();
                let retry = self.retry.then(|| now + RETRY);
                let until = self.sessions.wheel.poll_timeout().into_iter().chain(retry).min();
                self.poll(events, until.map(|until| timespec(until.since(now))));
                // Woken by a packet it is early, which is never late.
                until
            }
            Grid::Every(grid) => {
                let mono = clock_gettime(ClockId::Monotonic);
                let nanos = mono.tv_sec.unsigned_abs() * 1_000_000_000 + mono.tv_nsec.unsigned_abs();
                let point = next_point(nanos, grid);
                let planned = self.clock.now() + Duration::from_nanos(point - nanos);
                // A signal may wake us early: the tick is early then, and the next one in time.
                let _ = clock_nanosleep_absolute(ClockId::Monotonic, &timespec(Duration::from_nanos(point)));
                self.poll(events, Some(timespec(Duration::ZERO)));
                Some(planned)
            }
        }
    }

    fn poll(&self, events: &mut Vec<epoll::Event>, timeout: Option<Timespec>) {
        events.clear();
        match epoll::wait(&*self.epoll, spare_capacity(events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => error!(%error, "epoll refuses to wait"),
        }
    }

    /// Takes one datagram per event, then carries out the commands. `false` after the last command.
    fn take_events(
        &mut self,
        events: &mut Vec<epoll::Event>,
        buffer: &mut [u8; DATAGRAM],
        now: Timestamp,
    ) -> bool {
        let mut rung = false;
        for round in 1.. {
            for event in events.iter() {
                let token = event.data.u64();
                if token == BELL {
                    rung = true;
                } else if token == DOOR {
                    self.sessions.receive_shared(buffer, now);
                } else {
                    let (key, port) = from_token(token);
                    self.sessions.receive(key, port, buffer, now);
                }
            }
            if events.len() < EVENTS || round == ROUNDS {
                break;
            }
            self.poll(events, Some(timespec(Duration::ZERO)));
        }
        if rung {
            self.inbox.hush();
            while let Some(command) = self.inbox.next() {
                if !self.sessions.command(command, self.clock.now()) {
                    return false;
                }
            }
        }
        true
    }

    fn fire_timers(&mut self) {
        let now = self.clock.now();
        self.sessions.wheel.advance(now, &mut self.fired);
        for timer in self.fired.drain(..) {
            self.sessions.fired(timer, now);
        }
    }
}

fn timespec(span: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(span.subsec_nanos()),
    }
}
