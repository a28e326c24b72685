//! What goes on, kept for whoever watches: calls as their drivers publish them, agents as the desk tells,
//! queues from both. One lock, held for a look-up or a change of one object, never across a wait.

mod day;
mod today;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;

use crate::api::control::Live;
use crate::api::view::{AgentView, AgentWord, CallView, QueueView, Snapshot};
use crate::call::Fact;
use crate::ids::{AgentId, CallId, QueueId};
use crate::queue::AgentState;
use crate::settings::Settings;
use crate::store::CallRow;
use crate::time::Timestamp;

use today::{Today, Waits};

/// Changes a slow watcher may be behind before it has to begin anew. A call makes about ten.
const BEHIND: usize = 4_096;

/// See the module.
pub(super) struct Hub {
    state: Mutex<State>,
    changes: broadcast::Sender<Arc<Live>>,
}

struct State {
    calls: BTreeMap<CallId, CallView>,
    agents: BTreeMap<AgentId, AgentView>,
    queues: BTreeMap<QueueId, Line>,
    waits: Waits,
    /// When the figures of today begin anew.
    day_ends: Timestamp,
}

/// One queue.
struct Line {
    /// As it was told last.
    told: QueueView,
    service: Duration,
    /// Who waits, the longest first.
    waiting: BTreeSet<(Timestamp, CallId)>,
    today: Today,
    ready: u32,
}

impl Hub {
    /// Knows the agents, all logged off, and the queues of `settings`.
    pub(super) fn new(settings: &Settings, now: Timestamp) -> Self {
        let (calls, agents, queues) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (_, day_ends) = day::around(now);
        let state = State { calls, agents, queues, waits: Waits::default(), day_ends };
        let hub = Self { state: Mutex::new(state), changes: broadcast::Sender::new(BEHIND) };
        hub.settings(settings, now);
        hub
    }

    /// When the day of `now` began: [`Self::recall`] wants the calls from then on.
    pub(super) fn day_began(now: Timestamp) -> Timestamp {
        day::around(now).0
    }

    /// Counts the calls that an earlier run of the server had today.
    pub(super) fn recall(&self, rows: &[CallRow]) {
        let mut state = self.state();
        for row in rows {
            if let Some(line) = state.queues.get_mut(&row.queue) {
                line.today.count_row(row, line.service);
            }
        }
        self.tell_queues(&mut state);
    }

    /// All that goes on, and every change from then on.
    pub(super) fn watch(&self, now: Timestamp) -> (Snapshot, broadcast::Receiver<Arc<Live>>) {
        let mut state = self.state();
        self.turn_the_day(&mut state, now);
        let snapshot = Snapshot {
            now,
            calls: state.calls.values().cloned().collect(),
            agents: state.agents.values().cloned().collect(),
            queues: state.queues.values().map(|line| line.told.clone()).collect(),
        };
        // Subscribed under the lock: no change is missed, and none is told twice.
        (snapshot, self.changes.subscribe())
    }

    /// A call came or changed.
    pub(super) fn call(&self, view: CallView) {
        let mut state = self.state();
        let id = view.id;
        let before = state.calls.get(&id).and_then(place);
        let after = place(&view);
        self.tell(|| Live::Call(view.clone()));
        state.calls.insert(id, view);
        self.move_wait(&mut state, id, before, after);
    }

    /// A call is over.
    pub(super) fn gone(&self, call: CallId) {
        let mut state = self.state();
        let Some(view) = state.calls.remove(&call) else { return };
        self.tell(|| Live::Gone(call));
        self.move_wait(&mut state, call, place(&view), None);
    }

    /// A fact of a call is stored: the figures of today.
    pub(super) fn fact(&self, fact: &Fact, now: Timestamp) {
        let mut state = self.state();
        self.turn_the_day(&mut state, now);
        let Some(counted) = state.waits.count(fact) else { return };
        if let Some(line) = state.queues.get_mut(counted.queue()) {
            counted.add_to(&mut line.today, line.service);
            self.tell_queue(line);
        }
    }

    /// An agent's state changed. Of agents who are in no settings any more nothing is told.
    pub(super) fn agent(&self, agent: &AgentId, to: &AgentState, now: Timestamp) {
        let mut state = self.state();
        let State { agents, queues, .. } = &mut *state;
        let Some(view) = agents.get_mut(agent) else { return };
        let was_ready = is_ready(view);
        set_state(view, to, now);
        self.tell(|| Live::Agent(view.clone()));
        if was_ready == is_ready(view) {
            return;
        }
        for queue in &view.queues {
            let Some(line) = queues.get_mut(queue) else { continue };
            line.ready = if was_ready { line.ready.saturating_sub(1) } else { line.ready + 1 };
            self.tell_queue(line);
        }
    }

    /// An agent's view; `None` when not in the settings.
    pub(super) fn agent_view(&self, agent: &AgentId) -> Option<AgentView> {
        self.state().agents.get(agent).cloned()
    }

    /// A call as it is now.
    pub(super) fn call_view(&self, call: CallId) -> Option<CallView> {
        self.state().calls.get(&call).cloned()
    }

    /// Agents and queues come, change and go; this walks them all.
    pub(super) fn settings(&self, settings: &Settings, now: Timestamp) {
        let mut state = self.state();
        let State { agents, queues, calls, .. } = &mut *state;
        let known = (agents.len(), queues.len());
        agents.retain(|id, _| settings.agents.contains_key(id));
        queues.retain(|id, _| settings.queues.contains_key(id));
        let fewer = (agents.len(), queues.len()) != known;
        for (id, agent) in &settings.agents {
            let (name, serves) = (agent.display_name.clone(), settings.served_by(id));
            let view = agents.entry(id.clone()).or_insert_with(|| logged_off(id.clone(), now));
            let was = (std::mem::replace(&mut view.name, name), std::mem::replace(&mut view.queues, serves));
            if was.0 != view.name || was.1 != view.queues {
                self.tell(|| Live::Agent(view.clone()));
            }
        }
        for (id, queue) in &settings.queues {
            let line = queues.entry(id.clone()).or_insert_with(|| Line::new(id.clone()));
            line.service = Duration::from_secs(queue.service_seconds.into());
            line.ready = 0;
            line.waiting = waiting_in(calls, id);
        }
        for view in agents.values().filter(|view| is_ready(view)) {
            for queue in &view.queues {
                if let Some(line) = queues.get_mut(queue) {
                    line.ready += 1;
                }
            }
        }
        self.tell_queues(&mut state);
        if fewer {
            self.tell(|| Live::Anew);
        }
    }

    /// Begins new figures when a new day has come; ask now and then.
    pub(super) fn look_at_the_day(&self, now: Timestamp) {
        let mut state = self.state();
        self.turn_the_day(&mut state, now);
    }

    fn turn_the_day(&self, state: &mut State, now: Timestamp) {
        if now < state.day_ends {
            return;
        }
        (_, state.day_ends) = day::around(now);
        for line in state.queues.values_mut() {
            line.today = Today::default();
            self.tell_queue(line);
        }
    }

    /// A caller waits elsewhere, or no longer.
    fn move_wait(&self, state: &mut State, call: CallId, from: Option<Place>, to: Option<Place>) {
        if from == to {
            return;
        }
        if let Some((queue, since)) = from
            && let Some(line) = state.queues.get_mut(&queue)
        {
            line.waiting.remove(&(since, call));
            self.tell_queue(line);
        }
        if let Some((queue, since)) = to
            && let Some(line) = state.queues.get_mut(&queue)
        {
            line.waiting.insert((since, call));
            self.tell_queue(line);
        }
    }

    fn tell_queues(&self, state: &mut State) {
        for line in state.queues.values_mut() {
            self.tell_queue(line);
        }
    }

    /// Tells of a queue, if there is news.
    fn tell_queue(&self, line: &mut Line) {
        let view = line.view();
        if view != line.told {
            line.told = view;
            self.tell(|| Live::Queue(line.told.clone()));
        }
    }

    fn tell(&self, what: impl FnOnce() -> Live) {
        if self.changes.receiver_count() > 0 {
            // Fails only when the last watcher just left: nobody to tell.
            let _nobody = self.changes.send(Arc::new(what()));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn new(id: QueueId) -> Self {
        let told = QueueView {
            id,
            waiting: 0,
            longest_since: None,
            offered: 0,
            answered: 0,
            abandoned: 0,
            service_level: None,
            service_seconds: 0,
            ready: 0,
        };
        let (waiting, today) = (BTreeSet::new(), Today::default());
        Self { told, service: Duration::ZERO, waiting, today, ready: 0 }
    }

    fn view(&self) -> QueueView {
        QueueView {
            id: self.told.id.clone(),
            waiting: u32::try_from(self.waiting.len()).unwrap_or(u32::MAX),
            longest_since: self.waiting.first().map(|(since, _)| *since),
            offered: self.today.offered,
            answered: self.today.answered,
            abandoned: self.today.abandoned,
            service_level: self.today.service_level(),
            service_seconds: u32::try_from(self.service.as_secs()).unwrap_or(u32::MAX),
            ready: self.ready,
        }
    }
}

/// Where a caller waits, and since when.
type Place = (QueueId, Timestamp);

fn place(view: &CallView) -> Option<Place> {
    view.waiting_since.map(|since| (view.queue.clone(), since))
}

fn waiting_in(calls: &BTreeMap<CallId, CallView>, queue: &QueueId) -> BTreeSet<(Timestamp, CallId)> {
    let waits = calls.values().filter(|view| view.queue == *queue);
    waits.filter_map(|view| view.waiting_since.map(|since| (since, view.id))).collect()
}

fn logged_off(id: AgentId, now: Timestamp) -> AgentView {
    AgentView {
        name: crate::ids::Redacted(id.0.clone()),
        id,
        queues: Vec::new(),
        state: AgentWord::LoggedOff,
        since: now,
        reason: None,
        until: None,
        call: None,
    }
}

fn is_ready(view: &AgentView) -> bool {
    view.state == AgentWord::Ready
}

/// Takes the desk's word for what an agent does.
fn set_state(view: &mut AgentView, to: &AgentState, now: Timestamp) {
    let (word, since) = match to {
        AgentState::LoggedOff => (AgentWord::LoggedOff, now),
        AgentState::Ready { since } => (AgentWord::Ready, *since),
        AgentState::NotReady(_) => (AgentWord::NotReady, now),
        AgentState::Ringing(_) => (AgentWord::Ringing, now),
        AgentState::Talking(_) => (AgentWord::Talking, now),
        AgentState::WrapUp { .. } => (AgentWord::WrapUp, now),
    };
    (view.state, view.since) = (word, since);
    view.reason = match to {
        AgentState::NotReady(why) => Some(why.reason.clone()),
        AgentState::LoggedOff
        | AgentState::Ready { .. }
        | AgentState::Ringing(_)
        | AgentState::Talking(_)
        | AgentState::WrapUp { .. } => None,
    };
    view.until = match to {
        AgentState::WrapUp { until } => Some(*until),
        AgentState::LoggedOff
        | AgentState::Ready { .. }
        | AgentState::NotReady(_)
        | AgentState::Ringing(_)
        | AgentState::Talking(_) => None,
    };
    view.call = match to {
        AgentState::Ringing(call) | AgentState::Talking(call) => Some(*call),
        AgentState::LoggedOff
        | AgentState::Ready { .. }
        | AgentState::NotReady(_)
        | AgentState::WrapUp { .. } => None,
    };
}
