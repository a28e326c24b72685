//! What is shown of calls, agents and queues: the shapes of `web/src/api/types.ts`.

use serde::Serialize;

use crate::ids::{AgentId, CallId, QueueId, Redacted};
use crate::time::Timestamp;

/// All that goes on at one moment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// That moment.
    #[serde(with = "rfc3339")]
    pub now: Timestamp,
    /// The calls.
    pub calls: Vec<CallView>,
    /// All agents of the settings.
    pub agents: Vec<AgentView>,
    /// All queues of the settings.
    pub queues: Vec<QueueView>,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallView {
    /// Its id.
    pub id: CallId,
    /// Where it is.
    pub phase: PhaseWord,
    /// When it came.
    #[serde(with = "rfc3339")]
    pub arrived_at: Timestamp,
    /// The queue it waits in or was connected from.
    pub queue: QueueId,
    /// The queue whose recording settings follow it (domain rule 4).
    pub first_queue: QueueId,
    /// The caller's number; `None`: withheld.
    #[serde(serialize_with = "shown")]
    pub caller: Option<Redacted<String>>,
    /// Since when it waits, while it does.
    #[serde(with = "rfc3339_option")]
    pub waiting_since: Option<Timestamp>,
    /// Since when the conversation goes on.
    #[serde(with = "rfc3339_option")]
    pub connected_at: Option<Timestamp>,
    /// Everybody but the caller.
    pub parties: Vec<PartyView>,
    /// What the caller said to being recorded.
    pub consent: ConsentView,
    /// The lamp.
    pub recording: RecordingView,
}

/// See [`CallView::phase`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the words of `call::Phase`, and one more
pub enum PhaseWord {
    Answering,
    Welcome,
    Asking,
    Waiting,
    Ringing,
    Joining,
    Talking,
    Transferring,
    Consulting,
    Conference,
    /// The agent's phone is gone; the caller hears music while it is waited for.
    Lost,
    Over,
}

/// Somebody in a call who is not the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartyView {
    /// The leg's number.
    pub leg: u16,
    /// What they are.
    pub kind: PartyKind,
    /// The agent, the supervisor's user name, or the number outside.
    #[serde(serialize_with = "plain")]
    pub id: Redacted<String>,
    /// The name people see; the number of somebody outside.
    #[serde(serialize_with = "plain")]
    pub name: Redacted<String>,
    /// How they take part.
    pub state: PartyState,
}

/// See [`PartyView::kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartyKind {
    /// An agent.
    Agent,
    /// Somebody outside.
    Outside,
    /// A supervisor.
    Supervisor,
}

/// See [`PartyView::state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartyState {
    /// The phone is called.
    Dialled,
    /// It rings.
    Ringing,
    /// With the caller.
    Talking,
    /// Holds the line.
    Holding,
    /// Was asked by the agent.
    Consulted,
    /// The phone is gone; it is waited for.
    Lost,
    /// Hears all, is heard by nobody.
    Listening,
    /// Hears all, is heard by the agent.
    Whispering,
    /// A supervisor heard by all.
    Barged,
}

/// See [`CallView::consent`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsentView {
    /// How it stands.
    pub state: ConsentState,
    /// Since when.
    #[serde(with = "rfc3339_option")]
    pub at: Option<Timestamp>,
}

/// See [`ConsentView::state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsentState {
    /// Not asked or not answered yet.
    Undecided,
    /// Yes, in this call or an earlier one.
    Given,
    /// No.
    Refused,
    /// Taken back.
    Withdrawn,
    /// The queue does not ask: never recorded, or a legal basis.
    NotNeeded,
}

/// The recording's lamp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingView {
    /// On or off.
    pub state: Lamp,
    /// Why.
    pub why: Why,
    /// While paused by a press.
    #[serde(with = "rfc3339_option")]
    pub paused_at: Option<Timestamp>,
    /// When it goes on by itself.
    #[serde(with = "rfc3339_option")]
    pub resumes_at: Option<Timestamp>,
    /// What the agent in conversation may do now.
    pub can: Vec<Can>,
}

/// See [`RecordingView::state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lamp {
    /// Sound is captured.
    Recording,
    /// Silence is captured.
    Paused,
    /// Nothing is captured.
    Off,
    /// It is about to begin.
    Starting,
    /// Allowed, but it could not be made or broke.
    Failed,
}

/// See [`RecordingView::can`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the words of `call::RecordingRequest`
pub enum Can {
    Pause,
    Resume,
    Override,
    Withdraw,
}

/// Why a call is recorded or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[allow(missing_docs)] // see `consent::Basis`
pub enum Why {
    Undecided,
    Never,
    Legal {
        /// `obligation` or `contract`.
        basis: &'static str,
        detail: String,
    },
    Agreed {
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    AgreedEarlier {
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    Refused {
        /// `no`, `wrong-keys`, `silence`, `hung-up`.
        answer: &'static str,
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    RefusedEarlier {
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    Withdrawn {
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    Override {
        by: AgentId,
        /// `emergency`, `legal`, `business`.
        category: &'static str,
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    NotStored,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentView {
    /// Its name in the settings.
    pub id: AgentId,
    /// The name people see.
    #[serde(serialize_with = "plain")]
    pub name: Redacted<String>,
    /// The queues it serves.
    pub queues: Vec<QueueId>,
    /// What it does.
    pub state: AgentWord,
    /// Since when.
    #[serde(with = "rfc3339")]
    pub since: Timestamp,
    /// Why not ready.
    pub reason: Option<String>,
    /// When wrap-up ends.
    #[serde(with = "rfc3339_option")]
    pub until: Option<Timestamp>,
    /// The call that rings or is talked in.
    pub call: Option<CallId>,
}

/// See [`AgentView::state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the words of `queue::AgentState`
pub enum AgentWord {
    LoggedOff,
    Ready,
    NotReady,
    Ringing,
    Talking,
    WrapUp,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueView {
    /// Its name.
    pub id: QueueId,
    /// Callers who wait.
    pub waiting: u32,
    /// Since when the first of them waits.
    #[serde(with = "rfc3339_option")]
    pub longest_since: Option<Timestamp>,
    /// Calls that began to wait today.
    pub offered: u32,
    /// Of them connected.
    pub answered: u32,
    /// Of them gone before.
    pub abandoned: u32,
    /// Share (0 to 1) of answered calls that waited at most [`Self::service_seconds`].
    pub service_level: Option<f64>,
    /// The service level's limit.
    pub service_seconds: u32,
    /// Agents who are ready.
    pub ready: u32,
}

fn plain<S: serde::Serializer>(value: &Redacted<String>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&value.0)
}

fn shown<S: serde::Serializer>(value: &Option<Redacted<String>>, to: S) -> Result<S::Ok, S::Error> {
    value.as_ref().map(|value| &value.0).serialize(to)
}

mod rfc3339 {
    use crate::time::Timestamp;

    pub(super) fn serialize<S: serde::Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(at)
    }
}

mod rfc3339_option {
    use crate::time::Timestamp;

    pub(super) fn serialize<S: serde::Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => to.collect_str(at),
            None => to.serialize_none(),
        }
    }
}
