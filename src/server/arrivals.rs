//! Sorts the SIP endpoint's events: new calls are looked up and let in, the rest goes to its call.

use std::sync::Arc;

use tokio::sync::mpsc;
use ulid::Ulid;

use crate::call::Arrival;
use crate::consent::Policy;
use crate::ids::{CallId, PhoneNumber, QueueId};
use crate::queue;
use crate::settings::{Number, Settings};
use crate::sip::core::{Command, Event, Incoming, Source};
use crate::store::Change;

use super::driver::{self, Admitted, asks_the_store};
use super::switchboard::{MAILBOX, Mail, dialog_of};
use super::{Shared, trail};

/// Sorts until the endpoint closes.
pub(super) async fn sort(shared: Arc<Shared>, mut events: mpsc::Receiver<Event>) {
    while let Some(event) = events.recv().await {
        match event {
            Event::Incoming(incoming) => admit(&shared, *incoming),
            Event::Registered { agent, on } => {
                shared.desk.tell(queue::Input::Registered { agent, on }).await;
            }
            Event::Stranger { remote, ignored_until } => {
                metrics::counter!("sayso_sip_strangers_total").increment(1);
                let event = trail::stranger_refused(remote, ignored_until, shared.clock.now());
                shared.keep(vec![Change::Audit(event)]);
            }
            Event::LoginFailed { remote } => {
                metrics::counter!("sayso_sip_login_failures_total").increment(1);
                let event = trail::login_failed(remote, shared.clock.now());
                shared.keep(vec![Change::Audit(event)]);
            }
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
            | Event::Ended { .. }) => {
                if let Some(dialog) = dialog_of(&other) {
                    shared.switchboard.post_to_dialog(dialog, other);
                }
            }
        }
    }
}

/// Lets a call in, or refuses it: 503 while draining, 404 for a number nobody set.
fn admit(shared: &Arc<Shared>, incoming: Incoming) {
    let dialog = incoming.dialog;
    let refuse = |status: u16| {
        metrics::counter!("sayso_calls_refused_total", "status" => status.to_string()).increment(1);
        shared.send(Command::Reject { dialog, status });
    };
    if shared.draining() {
        return refuse(503);
    }
    let settings = shared.settings();
    let region = match &incoming.source {
        Source::Trunk(trunk) => settings.trunks.get(trunk).and_then(|trunk| trunk.region.clone()),
        Source::Agent(_) => None,
    };
    let Some((number, queue_id)) = look_up(&settings, &incoming.dialled, region.as_deref()) else {
        return refuse(404);
    };
    let Some(queue) = settings.queues.get(&queue_id).cloned() else { return refuse(404) };
    let call = CallId::new(Ulid::generate());
    let language = number.language.clone().unwrap_or_else(|| queue.language.clone());
    let question = shared.prompts().get(&queue_id, &language, crate::call::Prompt::ConsentQuestion);
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
    };
    let (sender, mailbox) = mpsc::channel::<Mail>(MAILBOX);
    shared.switchboard.add_call(call, sender);
    shared.switchboard.add_dialog(dialog, call);
    shared.tasks.spawn(driver::run(Arc::clone(shared), Admitted { arrival, incoming, mailbox }));
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
