//! The states of a call, each with its data.

use std::sync::Arc;

use crate::consent::{Dialogue, Lodged};
use crate::ids::{AgentId, LegId, QueueId};
use crate::settings::Queue;
use crate::time::Timestamp;

use super::io::PlayId;

#[derive(Debug)]
pub(super) enum State {
    /// 200 sent, ACK awaited. The endpoint ends the dialog if none comes.
    Answering,
    /// Welcome plays.
    Welcoming(Playing),
    /// The consent dialogue; `None`: the question was heard and a key is awaited.
    Asking { dialogue: Dialogue, playing: Option<Playing> },
    /// In a queue.
    Waiting(Wait),
    /// In a queue, and phones ring.
    Offering(Wait, Offer),
    /// An agent answered and the recording is not ready yet.
    Joining(Wait, Joining),
    /// Caller and agent are connected.
    Talking(Talk),
    /// `Ended` was put out.
    Over,
}

/// A prompt on its way, and when to go on even if no word of its end comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Playing {
    pub(super) play: PlayId,
    pub(super) until: Timestamp,
}

/// A caller's waiting, with all it takes to wait on at the same place.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) id: QueueId,
    pub(super) queue: Arc<Queue>,
    pub(super) since: Timestamp,
    /// How often the caller was sent on to another queue.
    pub(super) overflows: u8,
    pub(super) hearing: Hearing,
}

/// What a waiting caller hears.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hearing {
    /// Welcome's or the question's outcome; "please wait" follows, unless a phone rings already.
    Outcome(Playing),
    /// "Please wait" or the place; music follows.
    Notice(Playing),
    /// Music, without end.
    Music,
}

#[derive(Clone, Debug)]
pub(super) struct Party {
    pub(super) leg: LegId,
    pub(super) agent: AgentId,
}

/// Phones ringing, at least one.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) parties: Vec<Party>,
    pub(super) until: Timestamp,
}

#[derive(Debug)]
pub(super) struct Joining {
    pub(super) party: Party,
    pub(super) until: Timestamp,
}

/// A conversation.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) party: Party,
    pub(super) queue_id: QueueId,
    pub(super) queue: Arc<Queue>,
    /// The agent has put the caller on hold.
    pub(super) agent_holds: bool,
    pub(super) pause: Pause,
    /// An override whose audit row is on its way to the store.
    pub(super) overriding: Option<Lodged>,
}

/// Whether an agent asked for silence in the recording.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pause {
    No,
    /// Until resumed, or until the queue's limit.
    Yes {
        until: Option<Timestamp>,
    },
}

impl Talk {
    /// Whether the agent's side asks for silence in the recording now.
    pub(super) const fn quiet(&self) -> bool {
        self.agent_holds || matches!(self.pause, Pause::Yes { .. })
    }
}
