//! What the HTTP side asks of the running server, which implements it: nothing here knows how.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::broadcast;

use crate::audit::Actor;
use crate::consent::OverrideReason;
use crate::ids::{AgentId, CallId, QueueId, Redacted, TrunkId};
use crate::prompts::Library;
use crate::queue::NotReady;
use crate::settings::{Language, Outbound, Wording};
use crate::store::Ladder;
use crate::time::Timestamp;

use super::view::{AgentView, CallView, QueueView, Snapshot};

/// The running server.
pub trait Control: Send + Sync {
    /// All that goes on, numbers whole, and every change from then on. A receiver that lags begins anew.
    fn watch(&self) -> (Snapshot, broadcast::Receiver<Arc<Live>>);

    /// A call as it is now.
    fn call(&self, call: CallId) -> Option<CallView> {
        self.watch().0.calls.into_iter().find(|view| view.id == call)
    }

    /// Asks something of a call.
    fn ask(&self, call: CallId, who: Asker, what: Ask) -> BoxFuture<'_, Result<(), Refusal>>;

    /// An agent's own choice.
    fn presence(&self, agent: AgentId, ready: Result<(), NotReady>) -> BoxFuture<'_, ()>;

    /// A SIP user name and password for an agent's browser, good until then or until taken back; `None`: there is no
    /// telephony to log on to.
    fn lend(&self, agent: AgentId, until: Timestamp) -> Option<Credential>;

    /// Takes a lent credential back: its phone is no longer registered. Conversations go on.
    fn take_back(&self, user: &str);

    /// The prompts that are played now.
    fn prompts(&self) -> Arc<Library>;

    /// Takes up what was stored of prompts, at once; other servers do within a second.
    fn renew_prompts(&self) -> BoxFuture<'_, ()>;

    /// What callers of a queue hear in a language.
    fn wording(&self, queue: &QueueId, language: &Language) -> Wording;

    /// The SIP realm, for which passwords of phones are hashed.
    fn realm(&self) -> &str;

    /// Where a call of this number outside would go; `false`: no trunk takes it.
    fn reaches(&self, number: &str) -> bool;

    /// Asks a trunk's server, which is what `outbound` says, whether it is there: some seconds at most.
    fn test_trunk(&self, trunk: TrunkId, outbound: Outbound) -> BoxFuture<'_, Result<Tested, Refusal>>;

    /// What was said so far in a call that goes on or has just ended; `None`: it is none of these.
    fn ladder(&self, call: CallId) -> BoxFuture<'_, Option<Ladder>>;
}

/// What came of asking a trunk's server whether it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// It answers as a server does that is there.
    pub ok: bool,
    /// The SIP status of its answer.
    pub status: Option<u16>,
    /// How long that took.
    pub after: Option<Duration>,
    /// The same in words; it names the server's address.
    pub what: String,
}

/// A change, for the event stream.
#[derive(Clone, Debug)]
pub enum Live {
    /// A call came or changed.
    Call(CallView),
    /// A call is over.
    Gone(CallId),
    /// An agent changed, or came with new settings.
    Agent(AgentView),
    /// A queue changed.
    Queue(QueueView),
    /// Agents or queues are gone with new settings: the watcher begins anew with a snapshot.
    Anew,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The user.
    pub user: String,
    /// The agent this user is.
    pub agent: Option<AgentId>,
}

impl Asker {
    /// For the audit log: the agent, or the user who is none.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match &self.agent {
            Some(agent) => Actor::Agent(agent.clone()),
            None => Actor::User(self.user.clone()),
        }
    }
}

/// What can be asked of a call. All but [`Ask::Supervise`], its end and
/// [`Ask::Revoke`] come from the agent in conversation.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Send the caller on.
    Transfer(Where),
    /// Ask somebody while the caller hears music.
    Consult(Where),
    /// Hand the caller to who was asked.
    Complete,
    /// All three speak.
    ThreeWay,
    /// Back to the caller.
    EndConsultation,
    /// Silence in the recording.
    Pause,
    /// Sound again.
    Resume,
    /// Record without consent, from now on.
    Override(OverrideReason),
    /// The caller takes the consent back.
    Withdraw,
    /// The same, by a word to who looks after people's data and is in no conversation with the caller.
    Revoke,
    /// Take part, or change how.
    Supervise(Mode),
    /// No longer.
    Unsupervise,
}

/// Where a call is to go.
#[derive(Clone, Debug)]
pub enum Where {
    /// To a queue.
    Queue(QueueId),
    /// To an agent.
    Agent(AgentId),
    /// To a number outside, as typed.
    Number(Redacted<String>),
}

/// How a supervisor takes part in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Hears all, is heard by nobody.
    Listen,
    /// Hears all, is heard by the agent.
    Whisper,
    /// Hears all, is heard by all.
    Barge,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such call, or it is none of the asker's.
    #[error("there is no such call")]
    NoCall,
    /// It cannot be done now.
    #[error("{0}")]
    NotNow(String),
    /// A policy forbids it.
    #[error("{0}")]
    Forbidden(String),
    /// The target does not exist or cannot be reached.
    #[error("{0}")]
    NoTarget(String),
}

/// A SIP user name and password.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The user name, for digest; the address of record is the agent's.
    pub user: String,
    /// The password.
    pub password: Redacted<String>,
}
