//! Media events on their way to a call's task. The worker never waits for it: what does not fit into
//! the channel stays in a small backlog and is tried again each tick.

use std::collections::VecDeque;

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::MediaEvent;

/// Events kept for a slow receiver. A call makes a handful per second; a receiver this far behind is
/// stuck, and keys pressed meanwhile are worthless.
const BACKLOG: usize = 64;

/// One call's events.
#[derive(Debug)]
pub(super) struct Outbox {
    sender: Sender<MediaEvent>,
    backlog: VecDeque<MediaEvent>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Posted {
    /// The receiver has it, or is gone and misses nothing.
    Sent,
    /// It waits: call [`Outbox::flush`] each tick.
    Kept,
    /// There was no room.
    Dropped,
}

impl Outbox {
    pub(super) fn new(sender: Sender<MediaEvent>) -> Self {
        Self { sender, backlog: VecDeque::new() }
    }

    /// Sends an event, after those that wait.
    pub(super) fn post(&mut self, event: MediaEvent) -> Posted {
        let event = match self.flush() {
            true => match self.sender.try_send(event) {
                Ok(()) | Err(TrySendError::Closed(_)) => return Posted::Sent,
                Err(TrySendError::Full(event)) => event,
            },
            false => event,
        };
        if self.backlog.len() >= BACKLOG {
            return Posted::Dropped;
        }
        self.backlog.push_back(event);
        Posted::Kept
    }

    /// Sends what waits; `true` when nothing is left.
    pub(super) fn flush(&mut self) -> bool {
        while let Some(event) = self.backlog.pop_front() {
            match self.sender.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Closed(_)) => self.backlog.clear(),
                Err(TrySendError::Full(event)) => {
                    self.backlog.push_front(event);
                    return false;
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::channel;

    fn event(leg: u16) -> MediaEvent {
        MediaEvent::MediaTimeout { leg }
    }

    #[test]
    fn a_slow_receiver_gets_everything_in_order_up_to_the_bound() {
        let (sender, mut receiver) = channel(2);
        let mut outbox = Outbox::new(sender);
        let posted: Vec<Posted> = (0..70).map(|n| outbox.post(event(n))).collect();
        assert_eq!(posted.iter().filter(|posted| **posted == Posted::Sent).count(), 2);
        assert_eq!(posted.iter().filter(|posted| **posted == Posted::Dropped).count(), 4);
        let mut got = Vec::new();
        loop {
            got.extend(std::iter::from_fn(|| receiver.try_recv().ok()));
            if outbox.flush() {
                break;
            }
        }
        got.extend(std::iter::from_fn(|| receiver.try_recv().ok()));
        assert_eq!(got, (0..66).map(event).collect::<Vec<_>>());
    }

    #[test]
    fn a_receiver_that_is_gone_holds_nothing_up() {
        let (sender, receiver) = channel(1);
        let mut outbox = Outbox::new(sender);
        outbox.post(event(0));
        assert_eq!(outbox.post(event(1)), Posted::Kept);
        drop(receiver);
        assert!(outbox.flush());
        assert_eq!(outbox.post(event(2)), Posted::Sent);
    }
}
