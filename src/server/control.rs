//! What the HTTP side asks of the running server (`api::control`).

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{broadcast, oneshot};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::api::control::{Ask, Asker, Control, Credential, Live, Refusal, Tested, Where};
use crate::api::view::{AgentWord, CallView, Snapshot};
use crate::call::Target;
use crate::ids::{AgentId, CallId, QueueId, Redacted, TrunkId};
use crate::prompts::Library;
use crate::queue::{self, NotReady};
use crate::settings::{Language, Outbound, Way, Wording};
use crate::sip::core::Loan;
use crate::store::Ladder;
use crate::time::Timestamp;

use super::switchboard::Asked;
use super::{Shared, probing};

/// How long a call may take to answer what was asked. It answers within a turn of its loop; this is for one
/// that hangs on a full queue.
const PATIENCE: Duration = Duration::from_secs(5);

impl Control for Shared {
    fn watch(&self) -> (Snapshot, broadcast::Receiver<std::sync::Arc<Live>>) {
        self.live.watch(self.clock.now())
    }

    fn call(&self, call: CallId) -> Option<CallView> {
        self.live.call_view(call)
    }

    fn ask(&self, call: CallId, who: Asker, what: Ask) -> BoxFuture<'_, Result<(), Refusal>> {
        async move {
            let (answer, answered) = oneshot::channel();
            self.switchboard.ask(call, Asked { who, what, answer })?;
            match timeout(PATIENCE, answered).await {
                Ok(Ok(answer)) => answer,
                // The call ended meanwhile.
                Ok(Err(_)) => Err(Refusal::NoCall),
                Err(_) => Err(not_now("the call does not answer: try again")),
            }
        }
        .boxed()
    }

    fn presence(&self, agent: AgentId, ready: Result<(), NotReady>) -> BoxFuture<'_, ()> {
        self.desk.tell(queue::Input::Presence { agent, ready }).boxed()
    }

    fn prompts(&self) -> Arc<Library> {
        self.prompts.now()
    }

    fn renew_prompts(&self) -> BoxFuture<'_, ()> {
        async move {
            if let Err(error) = self.prompts.renew(&self.store).await {
                tracing::error!(%error, "the prompts cannot be read now: the old ones stay until they can");
            }
        }
        .boxed()
    }

    fn wording(&self, queue: &QueueId, language: &Language) -> Wording {
        self.prompts.now().wording(queue, language)
    }

    fn realm(&self) -> &str {
        &self.realm
    }

    fn lend(&self, agent: AgentId, until: Timestamp) -> Option<Credential> {
        let user = format!("{agent}~{}", draw(8));
        let password = Redacted(draw(16));
        let loan = Loan { agent, user: user.clone(), password: password.clone(), until };
        if let Err(error) = self.sip.lend(loan) {
            tracing::error!(%error, "a SIP credential could not be lent");
            return None;
        }
        Some(Credential { user, password })
    }

    fn take_back(&self, user: &str) {
        if let Err(error) = self.sip.take_back(user) {
            tracing::error!(%error, "a SIP credential could not be taken back: it lasts until its time");
        }
    }

    fn reaches(&self, number: &str) -> bool {
        self.settings().way(number).is_some()
    }

    fn test_trunk(&self, trunk: TrunkId, outbound: Outbound) -> BoxFuture<'_, Result<Tested, Refusal>> {
        async move {
            let end = self.sip.probe(trunk, outbound).await.map_err(|error| not_now(error.to_string()))?;
            probing::words(&end).map_err(not_now)
        }
        .boxed()
    }

    fn ladder(&self, call: CallId) -> BoxFuture<'_, Option<Ladder>> {
        self.ladders.show(call).boxed()
    }
}

impl Shared {
    /// Where an agent wants a call to go that came by `trunk`.
    pub(super) fn destination(&self, to: &Where, trunk: Option<&TrunkId>) -> Result<Target, Refusal> {
        let no_target = |why: String| Refusal::NoTarget(why);
        let settings = self.settings();
        match to {
            Where::Queue(id) => match settings.queues.get(id) {
                Some(queue) => Ok(Target::Queue { id: id.clone(), queue: queue.clone() }),
                None => Err(no_target(format!("there is no queue {id:?}", id = id.0))),
            },
            Where::Agent(agent) => {
                if !settings.agents.contains_key(agent) {
                    return Err(no_target(format!("there is no agent {:?}", agent.0)));
                }
                self.is_free(agent)?;
                Ok(Target::Agent(agent.clone()))
            }
            Where::Number(number) => {
                let dialled = number.0.trim();
                match settings.way(dialled) {
                    Some(Way::Agent(agent)) => self.destination(&Where::Agent(agent), trunk),
                    Some(Way::Queue(_) | Way::Outside { .. }) => {
                        self.target(dialled, trunk).ok_or_else(|| no_target(NO_WAY.to_owned()))
                    }
                    None => Err(no_target(NO_WAY.to_owned())),
                }
            }
        }
    }

    /// Whether an agent can be called past the queues now; the desk has the last word.
    fn is_free(&self, agent: &AgentId) -> Result<(), Refusal> {
        let Some(view) = self.live.agent_view(agent) else { return Ok(()) };
        let name = &view.name.0;
        let why = match view.state {
            AgentWord::Ready => return Ok(()),
            AgentWord::LoggedOff => format!("{name} is not logged on"),
            AgentWord::NotReady => match &view.reason {
                Some(reason) => format!("{name} is not ready: {reason}"),
                None => format!("{name} is not ready"),
            },
            AgentWord::Ringing => format!("{name}'s phone is ringing for another call"),
            AgentWord::Talking => format!("{name} is in a call"),
            AgentWord::WrapUp => format!("{name} is still finishing the last call"),
        };
        Err(Refusal::NoTarget(why))
    }
}

const NO_WAY: &str = "this number leads nowhere: no queue has it, and no trunk takes it (settings: prefixes)";

pub(super) fn not_now(why: impl Into<String>) -> Refusal {
    Refusal::NotNow(why.into())
}

/// So many random octets, in hexadecimal.
fn draw(octets: usize) -> String {
    let mut random = Zeroizing::new(vec![0; octets]);
    rand::fill(&mut random).expect("the system gives random octets, without which nothing here is safe");
    hex::encode(&*random)
}
