//! What a call wants remembered. The store writes each fact's rows and its audit event in one
//! transaction.

use crate::consent::{Answered, Basis, OverrideReason};
use crate::ids::{AgentId, CallId, LegId, PhoneNumber, QueueId, TrunkId};
use crate::settings::Language;
use crate::time::Timestamp;

use super::io::{Cause, Supervision, Whom};

/// One fact about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// It arrived and was answered.
    Arrived {
        /// The call.
        call: CallId,
        /// When.
        at: Timestamp,
        /// The caller's number, unless withheld.
        from: Option<PhoneNumber>,
        /// What was dialled.
        dialled: String,
        /// By which trunk.
        trunk: Option<TrunkId>,
        /// The first queue.
        queue: QueueId,
        /// The language of its prompts.
        language: Language,
    },
    /// Whether it may be recorded was decided, and on what basis. One per call, and one more for
    /// each override and for a withdrawal.
    Decided {
        /// The call.
        call: CallId,
        /// When.
        at: Timestamp,
        /// Recorded, or not, and why.
        basis: Basis,
    },
    /// The consent question was answered (or not) by the caller in this call.
    ConsentAnswered {
        /// The call.
        call: CallId,
        /// The caller's number; `None`: holds for this call only.
        from: Option<PhoneNumber>,
        /// The queue that asked.
        queue: QueueId,
        /// The answer with its circumstances.
        answered: Answered,
    },
    /// The caller took the consent back.
    ConsentWithdrawn {
        /// The call.
        call: CallId,
        /// The caller's number.
        from: Option<PhoneNumber>,
        /// The first queue.
        queue: QueueId,
        /// The agent who entered it for the caller.
        entered_by: Option<AgentId>,
        /// When.
        at: Timestamp,
    },
    /// Began to wait.
    Queued {
        /// The call.
        call: CallId,
        /// Where.
        queue: QueueId,
        /// When.
        at: Timestamp,
    },
    /// A leg towards an agent or a number outside was dialled.
    Dialled {
        /// The leg.
        leg: LegId,
        /// To whom.
        to: Whom,
        /// When.
        at: Timestamp,
    },
    /// A leg called in: an agent's second line for a consultation, or in the place of another leg.
    Admitted {
        /// The leg.
        leg: LegId,
        /// Whose phone it is, if an agent's.
        agent: Option<AgentId>,
        /// The leg whose place it took, or was to take.
        replaces: Option<LegId>,
        /// When.
        at: Timestamp,
    },
    /// An agent's leg, or one to a number outside, and the caller were connected.
    Connected {
        /// That leg.
        leg: LegId,
        /// When.
        at: Timestamp,
    },
    /// A leg ended.
    LegEnded {
        /// The leg.
        leg: LegId,
        /// When.
        at: Timestamp,
        /// Why.
        cause: Cause,
    },
    /// An agent records without consent.
    Overridden {
        /// The call.
        call: CallId,
        /// Who.
        agent: AgentId,
        /// Category and written reason.
        reason: OverrideReason,
        /// When.
        at: Timestamp,
    },
    /// The recording was paused or resumed.
    Paused {
        /// The call.
        call: CallId,
        /// Who; `None`: resumed by the limit, or with the leaving of somebody outside.
        agent: Option<AgentId>,
        /// Paused or resumed.
        on: bool,
        /// When.
        at: Timestamp,
    },
    /// The call was allowed to be recorded and could not be.
    RecordingFailed {
        /// The call.
        call: CallId,
        /// When.
        at: Timestamp,
    },
    /// An agent asks somebody while the caller hears music.
    Consulted {
        /// The call.
        call: CallId,
        /// Who asks.
        by: AgentId,
        /// The first free agent of which queue.
        queue: Option<QueueId>,
        /// Which agent.
        agent: Option<AgentId>,
        /// Which number outside.
        outside: Option<PhoneNumber>,
        /// When.
        at: Timestamp,
    },
    /// A transfer failed: the caller is with who asked for it again, or waits for them.
    Returned {
        /// The call.
        call: CallId,
        /// To whom; `None`: they were outside and have left, the caller waits for anyone.
        agent: Option<AgentId>,
        /// Why.
        cause: Cause,
        /// When.
        at: Timestamp,
    },
    /// Sent on to another queue, agent or number outside.
    Transferred {
        /// The call.
        call: CallId,
        /// By whom.
        by: AgentId,
        /// To which queue.
        queue: Option<QueueId>,
        /// To which agent.
        agent: Option<AgentId>,
        /// To which number outside.
        outside: Option<PhoneNumber>,
        /// When.
        at: Timestamp,
    },
    /// An agent's phone is gone without a goodbye; it is waited for.
    Lost {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// Whose.
        agent: AgentId,
        /// When.
        at: Timestamp,
    },
    /// The agent is with the caller again.
    Reattached {
        /// The call.
        call: CallId,
        /// Who.
        agent: AgentId,
        /// The leg that was lost.
        lost: LegId,
        /// The leg that speaks now; the same one, or a new one.
        leg: LegId,
        /// When.
        at: Timestamp,
    },
    /// A supervisor takes part, or does so in another way. Durable before anything is heard.
    Supervised {
        /// The call.
        call: CallId,
        /// The supervisor's leg.
        leg: LegId,
        /// The user's name.
        by: String,
        /// How.
        mode: Supervision,
        /// How until now; `None`: begins.
        was: Option<Supervision>,
        /// When.
        at: Timestamp,
    },
    /// A supervisor takes part no longer.
    SuperviseEnded {
        /// The call.
        call: CallId,
        /// The supervisor's leg.
        leg: LegId,
        /// The user's name.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// It is over.
    Ended {
        /// The call.
        call: CallId,
        /// When.
        at: Timestamp,
        /// Who ended it, how.
        cause: Cause,
    },
}
