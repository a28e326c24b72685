//! What happens in calls, told as it happens: for the demo's story now, for the desktop's event
//! stream later. Best effort: the store, not this, is the record.

use tokio::sync::broadcast;

use crate::call::{Fact, Prompt};
use crate::ids::{AgentId, CallId, RecordingId};
use crate::media::{Digit, DigitChannel};

/// One thing that happened in a call.
#[derive(Clone, Debug)]
pub struct Notice {
    /// In which call.
    pub call: CallId,
    /// What.
    pub what: What,
}

/// See [`Notice::what`].
#[derive(Clone, Debug)]
pub enum What {
    /// An INVITE for a known number.
    Invited,
    /// A prompt begins to play to a leg.
    Playing {
        /// The leg's number.
        leg: u16,
        /// Which prompt.
        prompt: Prompt,
    },
    /// A leg pressed a key.
    Key {
        /// The leg's number.
        leg: u16,
        /// Which.
        digit: Digit,
        /// How it came.
        channel: DigitChannel,
    },
    /// A fact is stored, with its audit row.
    Stored(Fact),
    /// An agent's phone rings.
    Ringing(AgentId),
    /// Sound is being captured.
    Recording(RecordingId),
    /// A recording is closed and safe.
    Kept(RecordingId),
    /// The call is over and everything of it is stored.
    Over,
}

/// The sending end, shared by all calls.
#[derive(Clone)]
pub struct Notices(broadcast::Sender<Notice>);

impl Notices {
    /// A channel that remembers this many notices for slow listeners.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self(broadcast::Sender::new(capacity))
    }

    /// Listens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.0.subscribe()
    }

    pub(super) fn tell(&self, call: CallId, what: impl FnOnce() -> What) {
        if self.0.receiver_count() > 0 {
            // Fails only when the last listener just left: nobody to tell.
            let _nobody = self.0.send(Notice { call, what: what() });
        }
    }
}
