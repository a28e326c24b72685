//! The one task that owns the [`queue::Desk`]: agents' states and waiting calls.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::sleep_until;

use crate::ids::AgentId;
use crate::queue::{self, AgentState, Desk};
use crate::store::{Change, Store};
use crate::time::{Clock, Timestamp};

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
    store: Store,
    clock: Clock,
) -> DeskHandle {
    let (sender, inputs) = mpsc::channel(4096);
    let (states, changed) = mpsc::channel(4096);
    tokio::spawn(keep_states(store, changed));
    let mut desk = Desk::default();
    desk.handle(queue::Input::Settings(settings), clock.now());
    tokio::spawn(run(desk, inputs, switchboard, states, clock));
    DeskHandle(sender)
}

async fn run(
    mut desk: Desk,
    mut inputs: mpsc::Receiver<queue::Input>,
    switchboard: Switchboard,
    states: mpsc::Sender<(AgentId, AgentState, Timestamp)>,
    clock: Clock,
) {
    loop {
        while let Some(output) = desk.poll_output() {
            deliver(output, &switchboard, &states, clock.now());
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

fn deliver(
    output: queue::Output,
    switchboard: &Switchboard,
    states: &mpsc::Sender<(AgentId, AgentState, Timestamp)>,
    now: Timestamp,
) {
    match output {
        queue::Output::Ring { call, .. }
        | queue::Output::Position { call, .. }
        | queue::Output::Overflow { call, .. } => switchboard.post(call, Mail::Desk(output)),
        queue::Output::AgentChanged { agent, state } => {
            if states.try_send((agent, state, now)).is_err() {
                tracing::error!("agents change state faster than the store takes it: one change is lost");
            }
        }
    }
}

/// Stores agents' states off the desk's path, in order.
async fn keep_states(store: Store, mut changed: mpsc::Receiver<(AgentId, AgentState, Timestamp)>) {
    while let Some((agent, state, at)) = changed.recv().await {
        if let Err(error) = store.commit(vec![Change::Agent { agent, state, at }]).await {
            tracing::error!(%error, "an agent's state could not be stored");
        }
    }
}
