//! Deadlines of a worker, in nanoseconds of the run's clock.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What is due. The number is the caller's or agent's place in its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A call begins.
    Start(usize),
    /// A caller's next RTP packet.
    CallerPacket(usize),
    /// An agent's next RTP packet, in its call of this generation.
    AgentPacket(usize, u32),
    /// An agent's browser wants to be woken, in its call of this generation.
    Wake(usize, u32),
    /// A caller presses its key, unless an agent has come.
    Press(usize),
    /// A caller's request has no answer yet: once more, after this many milliseconds next time.
    Resend(usize, u32),
    /// An agent's REGISTER has no answer yet.
    Register(usize),
    /// An agent's 200 has no ACK yet, in its call of this generation.
    ResendOk(usize, u32),
    /// A caller hangs up.
    Leave(usize),
    /// A call should have come further by now.
    GiveUp(usize),
}

/// The queue of deadlines.
#[derive(Debug, Default)]
pub(crate) struct Timers(BinaryHeap<Reverse<(u64, Timer)>>);

impl Timers {
    /// Sets a deadline. It cannot be taken back: what it concerns must still hold when it fires.
    pub(crate) fn set(&mut self, at: u64, timer: Timer) {
        self.0.push(Reverse((at, timer)));
    }

    /// The next deadline.
    pub(crate) fn next(&self) -> Option<u64> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// What is due at `now`, with the time it was due.
    pub(crate) fn due(&mut self, now: u64) -> Option<(u64, Timer)> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse(due)| due)
    }
}
