//! What is shown of a call: a snapshot, to be compared with the last one and published when it differs.

use crate::consent::Basis;
use crate::ids::{AgentId, LegId, PhoneNumber, QueueId};
use crate::time::Timestamp;

use super::Phase;

/// A call at one moment. Its `Debug` shows no number and no free text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Where the call is.
    pub phase: Phase,
    /// When it came.
    pub arrived_at: Timestamp,
    /// The queue the caller waits in or was connected from.
    pub queue: QueueId,
    /// The queue whose recording settings follow the call (domain rule 4).
    pub first_queue: QueueId,
    /// The caller's number; `None`: withheld.
    pub caller: Option<PhoneNumber>,
    /// Since when the place in the queue counts, while the caller waits.
    pub waiting_since: Option<Timestamp>,
    /// Since when the conversation with this agent goes on; it outlasts a consultation, a failed transfer and a
    /// lost phone.
    pub connected_at: Option<Timestamp>,
    /// Everybody but the caller; an agent's second line is not told apart.
    pub parties: Vec<PartyView>,
    /// What the caller said to being recorded.
    pub consent: ConsentView,
    /// The lamp.
    pub recording: RecordingView,
}

/// Somebody in the call who is not the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyView {
    /// The leg.
    pub leg: LegId,
    /// Who.
    pub who: PartyWho,
    /// How they take part.
    pub state: PartyState,
}

/// Who somebody in a call is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartyWho {
    /// An agent.
    Agent(AgentId),
    /// Somebody outside; the number is unknown of one who took another's place.
    Outside(Option<PhoneNumber>),
    /// A supervisor, by the user's name.
    Supervisor(String),
}

/// How somebody takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartyState {
    /// The phone is called.
    Dialled,
    /// It rings, or has answered and is about to be connected.
    Ringing,
    /// With the caller.
    Talking,
    /// Of the conversation, but the caller hears music: the line is held, somebody is asked, or the caller is on
    /// the way to somebody else.
    Holding,
    /// Was asked by the agent and speaks with them.
    Consulted,
    /// The phone is gone; it is waited for.
    Lost,
    /// A supervisor who is heard by nobody.
    Listening,
    /// A supervisor who is heard by the agent.
    Whispering,
    /// A supervisor who is heard by all.
    Barged,
}

/// How it stands with the caller's consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsentView {
    /// How.
    pub state: ConsentState,
    /// Since when; `None` while undecided or not needed.
    pub at: Option<Timestamp>,
}

/// See [`ConsentView::state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConsentState {
    /// Not asked, not answered yet, or the answer could not be stored.
    Undecided,
    /// Yes, in this call or an earlier one.
    Given,
    /// No.
    Refused,
    /// Taken back.
    Withdrawn,
    /// The first queue does not ask.
    NotNeeded,
}

/// The recording as an agent's lamp shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingView {
    /// On or off.
    pub state: Lamp,
    /// Why; `None` while undecided.
    pub basis: Option<Basis>,
    /// When that was decided.
    pub since: Option<Timestamp>,
    /// Since when it is paused by a press; a hold's silence is none.
    pub paused_at: Option<Timestamp>,
    /// When such a pause ends by itself.
    pub resumes_at: Option<Timestamp>,
    /// What the agent in conversation may do now.
    pub can: Vec<Act>,
}

/// See [`RecordingView::state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lamp {
    /// Nothing is captured.
    Off,
    /// Key and row are being made, or are ready for the conversation.
    Starting,
    /// Sound is captured.
    Recording,
    /// Silence is captured: a pause or a hold.
    Paused,
    /// Allowed, but it could not be made or broke.
    Failed,
}

/// See [`RecordingView::can`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Pause.
    Pause,
    /// Resume.
    Resume,
    /// Record without consent; a reason must be written.
    Override,
    /// The caller takes the consent back.
    Withdraw,
}
