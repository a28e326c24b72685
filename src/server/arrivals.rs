//! Sorts the SIP endpoint's events: new calls are looked up and let in, the rest goes to its call.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use ulid::Ulid;

use crate::call::{Arrival, Door, Outside, Target};
use crate::consent::{AskRule, Policy};
use crate::ids::{CallId, PhoneNumber, QueueId, TrunkId};
use crate::queue;
use crate::settings::{Number, Settings, Way, WayIn};
use crate::sip::core::{Command, Event, Incoming, Source};
use crate::store::Change;

use super::driver::{self, Admitted};
use super::fold::{self, Folds};
use super::switchboard::{Joining, MAILBOX, Mail, Purpose, dialog_of};
use super::{Shared, selftest, trail};

/// Sorts until the endpoint closes.
pub(super) async fn sort(shared: Arc<Shared>, mut events: mpsc::Receiver<Event>) {
    let mut folds = Folds::default();
    let mut registrations = Registrations::default();
    let mut tick = tokio::time::interval(fold::EVERY);
    loop {
        let event = tokio::select! {
            event = events.recv() => match event {
                Some(event) => event,
                None => break,
            },
            _ = tick.tick() => {
                shared.keep(folds.due(shared.clock.now()));
                continue;
            }
        };
        match event {
            Event::Incoming(incoming) => admit(&shared, *incoming),
            Event::Registered { agent, on, phones } => {
                shared.phones.set(&agent, on, phones);
                if on && let Some(call) = shared.switchboard.call_of_agent(&agent) {
                    shared.switchboard.post(call, Mail::PhoneIsBack(agent.clone()));
                }
                shared.desk.tell(queue::Input::Registered { agent, on }).await;
            }
            Event::Stranger { remote, ignored_until } => {
                metrics::counter!("sayso_sip_strangers_total").increment(1);
                shared.keep(folds.stranger(remote, ignored_until, shared.clock.now()));
            }
            Event::Spoofed { remote } => {
                metrics::counter!("sayso_sip_spoofed_total").increment(1);
                shared.keep(folds.spoofed(remote, shared.clock.now()));
            }
            Event::LoginFailed { remote } => {
                metrics::counter!("sayso_sip_login_failures_total").increment(1);
                shared.keep(folds.login_failed(remote, shared.clock.now()));
            }
            Event::TrunkRegistered { trunk, result } => registrations.on_change(&shared, trunk, result),
            Event::Limited { trunk } => {
                metrics::counter!("sayso_sip_limited_total", "trunk" => trunk.0.clone()).increment(1);
                shared.keep(vec![Change::Audit(trail::limited(&trunk, shared.clock.now()))]);
            }
            other @ (Event::Confirmed { .. }
            | Event::Reinvite { .. }
            | Event::Digit { .. }
            | Event::Ringing { .. }
            | Event::Answered { .. }
            | Event::Reinvited { .. }
            | Event::Refresh { .. }
            | Event::Refer { .. }
            | Event::ReferProgress { .. }
            | Event::Unreachable { .. }
            | Event::Ended { .. }) => {
                if let Some(dialog) = dialog_of(&other) {
                    shared.switchboard.post_to_dialog(dialog, other);
                }
            }
        }
    }
}

/// Whether we are registered at the trunks that want it: each change is audited once.
#[derive(Default)]
struct Registrations(HashMap<TrunkId, bool>);

impl Registrations {
    fn on_change(&mut self, shared: &Shared, trunk: TrunkId, result: Result<(), Option<u16>>) {
        let on = result.is_ok();
        metrics::gauge!("sayso_trunk_registered", "trunk" => trunk.0.clone()).set(if on { 1.0 } else { 0.0 });
        match result {
            Ok(()) => tracing::info!(%trunk, "registered at the trunk's server"),
            Err(status) => tracing::warn!(%trunk, status, "not registered at the trunk's server"),
        }
        if self.0.insert(trunk.clone(), on) != Some(on) {
            shared.keep(vec![Change::Audit(trail::trunk_registered(&trunk, result, shared.clock.now()))]);
        }
    }
}

/// Sends an INVITE where it belongs: to the self-test, to the call whose leg it replaces, to the call its agent is in, or to
/// a call of its own.
fn admit(shared: &Arc<Shared>, incoming: Incoming) {
    let dialog = incoming.dialog;
    let sent = if selftest::is_asked(&incoming) {
        selftest::begin(shared, incoming)
    } else if let Some(old) = incoming.replaces {
        match shared.switchboard.call_of(old) {
            Some(call) => join(shared, call, Joining { incoming, purpose: Purpose::Replace(old) }),
            None => Err(481),
        }
    } else if let Some(call) = agents_call(shared, &incoming.source) {
        match shared.target(&incoming.dialled, None) {
            Some(to) => join(shared, call, Joining { incoming, purpose: Purpose::Consult(to) }),
            None => Err(404),
        }
    } else {
        begin(shared, incoming)
    };
    if let Err(status) = sent {
        metrics::counter!("sayso_calls_refused_total", "status" => status.to_string()).increment(1);
        shared.send(Command::Reject { dialog, status });
    }
}

/// The call that the agent who calls is in conversation in.
fn agents_call(shared: &Shared, source: &Source) -> Option<CallId> {
    match source {
        Source::Agent(agent) => shared.switchboard.call_of_agent(agent),
        Source::Trunk(_) => None,
    }
}

/// Hands a leg to the call it calls in to.
fn join(shared: &Shared, call: CallId, joining: Joining) -> Result<(), u16> {
    let dialog = joining.incoming.dialog;
    shared.switchboard.add_dialog(dialog, call);
    shared.switchboard.try_post(call, Mail::Joining(Box::new(joining))).map_err(|_| {
        shared.switchboard.remove_dialog(dialog);
        480
    })
}

/// Begins a call, or says with what status it is refused: 503 while draining or overloaded, 404 for a number nobody set.
fn begin(shared: &Arc<Shared>, incoming: Incoming) -> Result<(), u16> {
    let dialog = incoming.dialog;
    if shared.draining() || shared.overloaded() {
        return Err(503);
    }
    let settings = shared.settings();
    let region = match &incoming.source {
        Source::Trunk(trunk) => settings.trunks.get(trunk).and_then(|trunk| trunk.region.clone()),
        Source::Agent(_) => None,
    };
    let (number, queue_id) = look_up(&settings, &incoming.dialled, region.as_deref()).ok_or(404u16)?;
    let queue = settings.queues.get(&queue_id).cloned().ok_or(404u16)?;
    let call = CallId::new(Ulid::generate());
    let language = number.language.clone().unwrap_or_else(|| queue.language.clone());
    let question = shared.prompts().get(&queue_id, &language, crate::call::Prompt::ConsentQuestion);
    let door = match settings.way_in(&queue_id, &queue, shared.clock.now()) {
        WayIn::Queue(id, _) if id == queue_id => Door::Open,
        WayIn::Queue(id, queue) => Door::Elsewhere { id, queue },
        WayIn::Closed => Door::Closed,
    };
    let arrival = Arrival {
        call,
        from: incoming.caller.as_deref().and_then(|from| PhoneNumber::parse(from, region.as_deref())),
        dialled: incoming.dialled.clone(),
        trunk: match &incoming.source {
            Source::Trunk(trunk) => Some(trunk.clone()),
            Source::Agent(_) => None,
        },
        queue_id,
        queue,
        language,
        question_sha256: question.sha256.clone(),
        known: None,
        door,
    };
    let (sender, mailbox) = mpsc::channel::<Mail>(MAILBOX);
    shared.switchboard.add_call(call, sender);
    shared.switchboard.add_dialog(dialog, call);
    shared.tasks.spawn(driver::run(Arc::clone(shared), Admitted { arrival, question, incoming, mailbox }));
    Ok(())
}

/// A number as it was dialled, or the same number in E.164 form.
fn look_up(settings: &Settings, dialled: &str, region: Option<&str>) -> Option<(Arc<Number>, QueueId)> {
    let number = settings.numbers.get(dialled).or_else(|| {
        let number = PhoneNumber::parse(dialled, region)?;
        settings.numbers.get(number.as_e164())
    })?;
    Some((Arc::clone(number), number.queue.clone()))
}

impl Shared {
    /// Whom a user part names, for somebody in a call that came by `trunk`: the path is released only
    /// within that trunk, for nobody else knows the caller's leg.
    pub(super) fn target(&self, dialled: &str, trunk: Option<&TrunkId>) -> Option<Target> {
        let settings = self.settings();
        Some(match settings.way(dialled)? {
            Way::Agent(agent) => Target::Agent(agent),
            Way::Queue(id) => Target::Queue { queue: settings.queues.get(&id)?.clone(), id },
            Way::Outside { trunk: by, number } => {
                let releases = settings.trunks.get(&by).is_some_and(|by| by.release_path);
                let release = releases && trunk == Some(&by);
                Target::Outside(Outside { trunk: by, number, release })
            }
        })
    }

    /// The caller's stored answer, where the queue's rule would use it. A store that cannot tell is
    /// no answer: the caller is asked.
    pub(super) async fn known_consent(&self, arrival: &Arrival) -> Option<crate::consent::Known> {
        let from = arrival.from.as_ref()?;
        let wanted = match &arrival.queue.recording {
            Policy::Consent(script) => asks_the_store(script.ask),
            Policy::Never | Policy::Always(_) => false,
        };
        if !wanted {
            return None;
        }
        match self.store.known_consent(from).await {
            Ok(known) => known,
            Err(error) => {
                tracing::error!(%error, "stored consents cannot be read: the caller is asked");
                None
            }
        }
    }
}

/// Whether a stored answer could spare the caller the question.
fn asks_the_store(ask: AskRule) -> bool {
    match ask {
        AskRule::EveryCall => false,
        AskRule::WhenUnknown | AskRule::OlderThan(_) => true,
    }
}
