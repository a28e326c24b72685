//! What a worker is asked to do, and the bounded mailbox it comes through.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::mpsc::Sender;

use crate::call::PlayId;
use crate::ids::CallId;
use crate::media::rtc::IceLogin;
use crate::media::sound::Sound;
use crate::media::tap::Tap;
use crate::media::{LegMedia, Seat};

use super::MediaEvent;
use super::leg::Identity;
use super::rtc::Door;
use super::socket::Sockets;

/// A full mailbox makes the sender wait for the worker's next tick rather than lose a command: 1,024
/// commands are the set-up of 100 calls at once.
const CAPACITY: usize = 1_024;

/// A call on its worker; unique within the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CallKey(pub(super) u64);

/// See the methods of [`CallMedia`](super::CallMedia) of the same names.
pub(super) enum Command {
    Open { key: CallKey, call: CallId, events: Sender<MediaEvent> },
    AddLeg { key: CallKey, leg: u16, sockets: Box<Sockets>, identity: Identity },
    OpenDoor { door: Box<Door> },
    AddRtcLeg { key: CallKey, leg: u16, ours: IceLogin, identity: Identity },
    RestartIce { key: CallKey, leg: u16, next: IceLogin },
    Configure { key: CallKey, leg: u16, media: LegMedia },
    RemoveLeg { key: CallKey, leg: u16 },
    Play { key: CallKey, leg: u16, play: PlayId, sound: Arc<Sound>, repeat: bool },
    StopPlay { key: CallKey, leg: u16 },
    Bridge { key: CallKey, a: u16, b: u16 },
    Join { key: CallKey, seats: Box<[Seat]> },
    Echo { key: CallKey, leg: u16 },
    Unbridge { key: CallKey },
    Record { key: CallKey, tap: Box<Tap>, caller: u16, agent: u16 },
    PauseRecording { key: CallKey, on: bool },
    StopRecording { key: CallKey },
    Close { key: CallKey },
    Stop,
}

/// The senders' end.
#[derive(Debug)]
pub(super) struct Mailbox {
    queue: SyncSender<Command>,
    bell: Arc<Bell>,
}

/// The worker's end.
pub(super) struct Inbox {
    queue: Receiver<Command>,
    bell: Arc<Bell>,
}

/// Wakes a worker that waits in epoll; rung once however many commands wait.
#[derive(Debug)]
struct Bell {
    descriptor: OwnedFd,
    rung: AtomicBool,
}

/// Makes both ends.
pub(super) fn mailbox() -> std::io::Result<(Mailbox, Inbox)> {
    let descriptor = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let bell = Arc::new(Bell { descriptor, rung: AtomicBool::new(false) });
    let (sender, receiver) = sync_channel(CAPACITY);
    Ok((Mailbox { queue: sender, bell: Arc::clone(&bell) }, Inbox { queue: receiver, bell }))
}

impl Mailbox {
    /// `false` when the worker is gone.
    pub(super) fn send(&self, command: Command) -> bool {
        let sent = self.queue.send(command).is_ok();
        if !self.bell.rung.swap(true, Ordering::AcqRel) {
            // Can only fail when the counter is full, and then the worker wakes anyway.
            let _ = rustix::io::write(&self.bell.descriptor, &1u64.to_ne_bytes());
        }
        sent
    }
}

impl Inbox {
    /// For epoll: readable when commands wait.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.bell.descriptor.as_fd()
    }

    /// Takes the bell down, so that the next command rings again. Call it when epoll says that it
    /// rang, before draining: what is sent in between is drained too, or rings.
    pub(super) fn hush(&self) {
        let _ = rustix::io::read(&self.bell.descriptor, &mut [0u8; 8]);
        self.bell.rung.store(false, Ordering::Release);
    }

    /// The next command that waits.
    pub(super) fn next(&self) -> Option<Command> {
        self.queue.try_recv().ok()
    }
}
