//! The states of a call, each with its data.

use std::sync::Arc;

use crate::consent::{Dialogue, Lodged, Stored};
use crate::ids::{AgentId, LegId, PhoneNumber, QueueId};
use crate::settings::Queue;
use crate::time::Timestamp;

use super::io::{PlayId, Prompt, Supervision};

#[derive(Debug)]
pub(super) enum State {
    /// 200 sent, ACK awaited. The endpoint ends the dialog if none comes.
    Answering,
    /// Welcome plays.
    Welcoming(Playing),
    /// The caller hears that it is closed; then the call ends.
    Closing(Playing),
    /// The consent dialogue; `None`: the question was heard and a key is awaited.
    Asking { dialogue: Dialogue, playing: Option<Playing> },
    /// In a queue.
    Waiting(Wait),
    /// In a queue, and phones ring.
    Offering(Wait, Offer),
    /// An agent answered and the recording is not ready yet.
    Joining(Wait, Joining),
    /// Caller and agent (or who is outside in the agent's place) are connected.
    Talking(Talk),
    /// The caller hears music while the target of a transfer is reached.
    Transferring(Transfer),
    /// The caller hears music while the agent asks somebody.
    Consulting(Consultation),
    /// Caller, agent and a third party are joined.
    Conference(Conference),
    /// The agent's phone is gone and waited for.
    Lost(Lost),
    /// `Ended` was put out.
    Over,
}

/// A prompt on its way, and when to go on even if no word of its end comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Playing {
    pub(super) play: PlayId,
    pub(super) prompt: Prompt,
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

/// Somebody in the call beside the caller.
#[derive(Clone, Debug)]
pub(super) struct Party {
    pub(super) leg: LegId,
    pub(super) who: Who,
}

/// Agents are known to the queue and have rights; who is outside has none.
#[derive(Clone, Debug)]
pub(super) enum Who {
    Agent(AgentId),
    /// The number is unknown of one who took another's place.
    Outside(Option<PhoneNumber>),
}

impl Party {
    pub(super) const fn agent(&self) -> Option<&AgentId> {
        match &self.who {
            Who::Agent(agent) => Some(agent),
            Who::Outside(_) => None,
        }
    }
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

/// A conversation. It outlasts a consultation, a conference, a failed transfer and a lost phone: then it is whole in
/// there.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) party: Party,
    /// When it began with this party.
    pub(super) since: Timestamp,
    pub(super) queue_id: QueueId,
    pub(super) queue: Arc<Queue>,
    pub(super) pause: Pause,
    pub(super) overriding: Overriding,
    /// In the order they came.
    pub(super) supervisors: Vec<Supervisor>,
}

impl Talk {
    pub(super) fn new(party: Party, queue_id: QueueId, queue: Arc<Queue>, now: Timestamp) -> Self {
        let (pause, overriding, supervisors) = (Pause::No, Overriding::No, Vec::new());
        Self { party, since: now, queue_id, queue, pause, overriding, supervisors }
    }
}

/// Somebody who supervises the conversation.
#[derive(Debug)]
pub(super) struct Supervisor {
    pub(super) leg: LegId,
    /// The user's name.
    pub(super) by: String,
    pub(super) mode: Supervision,
}

/// Whether the conversation's agent records without consent.
#[derive(Debug)]
pub(super) enum Overriding {
    No,
    /// Its audit row is on its way to the store; asked for at that time.
    Lodged(Lodged, Timestamp),
    /// Durable: holds until this agent leaves the caller.
    Stored(Stored, Timestamp),
    /// It could not be stored: it did not happen, and may be tried again.
    Failed,
}

/// Whether an agent asked for silence in the recording.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pause {
    No,
    /// Until resumed, or until the queue's limit.
    Yes {
        since: Timestamp,
        until: Option<Timestamp>,
    },
}

/// A transfer under way.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) origin: Origin,
    pub(super) sent: Sent,
}

/// Who gets the caller back when the target cannot be had.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // the call's other states are as large: nothing is won by a box
pub(super) enum Origin {
    /// The agent's leg is kept until the target is connected.
    Kept(Talk),
    /// The agent has hung up; `None`: it was somebody outside.
    Left { agent: Option<AgentId>, queue_id: QueueId, queue: Arc<Queue> },
}

/// How far a transfer is.
#[derive(Debug)]
pub(super) enum Sent {
    Reaching(Reaching),
    /// The target answered and the recording is not ready yet.
    Answered(Joining),
    /// The network was asked to send the caller there.
    Referring {
        until: Timestamp,
    },
}

/// One target being reached.
#[derive(Debug)]
pub(super) enum Reaching {
    /// The queue was asked for this agent.
    Claiming { agent: AgentId, until: Timestamp },
    /// The phone rings.
    Ringing { party: Party, until: Timestamp },
}

impl Reaching {
    pub(super) const fn until(&self) -> Timestamp {
        match self {
            Self::Claiming { until, .. } | Self::Ringing { until, .. } => *until,
        }
    }
}

/// A consultation under way.
#[derive(Debug)]
pub(super) struct Consultation {
    pub(super) talk: Talk,
    pub(super) second: Option<Second>,
    pub(super) asked: Asked,
}

impl Consultation {
    /// The leg the agent asks on.
    pub(super) fn leg(&self) -> LegId {
        self.second.as_ref().map_or(self.talk.party.leg, Second::leg)
    }
}

/// An agent's second line.
#[derive(Clone, Copy, Debug)]
pub(super) enum Second {
    /// Calls in; answered when the target answers.
    Calling(LegId),
    Answered(LegId),
}

impl Second {
    pub(super) const fn leg(&self) -> LegId {
        match self {
            Self::Calling(leg) | Self::Answered(leg) => *leg,
        }
    }
}

/// How far a consultation is.
#[derive(Debug)]
pub(super) enum Asked {
    Reaching(Reaching),
    /// The first free agent of a queue is awaited.
    Waiting(Wait),
    /// And phones ring.
    Offering(Wait, Offer),
    /// The agent speaks with the target.
    Speaking(Party),
}

#[derive(Debug)]
pub(super) struct Conference {
    pub(super) talk: Talk,
    pub(super) third: Party,
}

/// An agent who is waited for.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) talk: Talk,
    /// Of three, who goes on with the caller.
    pub(super) third: Option<Party>,
    pub(super) line: Line,
    /// The same agent's phone, rung anew.
    pub(super) anew: Option<Party>,
    pub(super) until: Timestamp,
}

/// The leg of a lost agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// May speak again.
    Silent,
    /// Has ended meanwhile.
    Gone,
    /// Said goodbye while the phone was rung anew: a page that lets its old line go, or an agent who hangs up.
    Left,
}
