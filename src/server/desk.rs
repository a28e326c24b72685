//! The one task that owns the [`queue::Desk`]: agents' states and waiting calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};
use tokio::time::sleep_until;

use crate::ids::AgentId;
use crate::queue::{self, AgentState, Desk};
use crate::store::{Change, Store};
use crate::time::{Clock, Timestamp};

use super::live::Hub;
use super::switchboard::{Mail, Switchboard};

/// How to reach the desk.
#[derive(Clone)]
pub(super) struct DeskHandle(mpsc::Sender<queue::Input>);

impl DeskHandle {
    /// Tells the desk; waits while its box is full.
    pub(super) async fn tell(&self, input: queue::Input) {
        if self.0.send(input).await.is_err() {
            tracing::debug!("the desk is closed: the server is stopping");
        }
    }
}

/// Starts the desk; it ends when the last handle is dropped.
pub(super) fn start(
    settings: Arc<crate::settings::Settings>,
    switchboard: Switchboard,
    live: Arc<Hub>,
    store: Store,
    clock: Clock,
) -> DeskHandle {
    let (sender, inputs) = mpsc::channel(4096);
    let states = Arc::new(States::default());
    tokio::spawn(keep_states(store, Arc::clone(&states)));
    let mut desk = Desk::default();
    desk.handle(queue::Input::Settings(settings), clock.now());
    tokio::spawn(run(desk, inputs, Tells { switchboard, live, states }, clock));
    DeskHandle(sender)
}

/// Whom the desk tells.
struct Tells {
    switchboard: Switchboard,
    live: Arc<Hub>,
    states: Arc<States>,
}

async fn run(mut desk: Desk, mut inputs: mpsc::Receiver<queue::Input>, tells: Tells, clock: Clock) {
    loop {
        while let Some(output) = desk.poll_output() {
            tells.deliver(output, clock.now());
        }
        let due = desk.poll_timeout();
        let timeout = async {
            match due {
                Some(at) => sleep_until(clock.instant(at).into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            input = inputs.recv() => match input {
                Some(input) => desk.handle(input, clock.now()),
                None => return,
            },
            () = timeout => desk.handle_timeout(clock.now()),
        }
    }
}

impl Tells {
    fn deliver(&self, output: queue::Output, now: Timestamp) {
        match output {
            queue::Output::Ring { call, .. }
            | queue::Output::Position { call, .. }
            | queue::Output::Overflow { call, .. }
            | queue::Output::Claimed { call, .. } => self.switchboard.post(call, Mail::Desk(output)),
            queue::Output::AgentChanged { agent, state } => {
                self.live.agent(&agent, &state, now);
                self.states.lock().insert(agent, (state, now));
                self.states.changed.notify_one();
            }
        }
    }
}

/// Agents' states that are not stored yet. While the store is slow a newer state replaces an older
/// one, so this never grows beyond the number of agents.
#[derive(Default)]
struct States {
    waiting: Mutex<BTreeMap<AgentId, (AgentState, Timestamp)>>,
    changed: Notify,
}

impl States {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<AgentId, (AgentState, Timestamp)>> {
        // Nothing panics while it holds the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores agents' states off the desk's path.
async fn keep_states(store: Store, states: Arc<States>) {
    loop {
        states.changed.notified().await;
        let waiting = std::mem::take(&mut *states.lock());
        for (agent, (state, at)) in waiting {
            if let Err(error) = store.commit(vec![Change::Agent { agent, state, at }]).await {
                tracing::error!(%error, "an agent's state could not be stored");
            }
        }
    }
}
