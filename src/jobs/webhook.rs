//! Sends events to webhooks: signed, each until it is taken, at most four at a time to one of them.
//!
//! An event is a row, written in the transaction that caused it (`store::webhook`); whoever leases the row sends it.
//! A lost answer or a crash in between sends it again: receivers tell it by `Sayso-Delivery`.

mod sender;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use tokio::task::{Id, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use crate::audit::Actor;
use crate::settings::{Webhook, WebhookRules};
use crate::store::{Change, Delivery, DeliveryEnd, Store, StoreError, WebhookChange};
use crate::time::{Clock, Timestamp};

use super::{AlarmKind, Context, random};

pub use sender::{Refused, Sender};

/// How often it is looked for what is due.
const POLL: Duration = Duration::from_secs(1);
/// Requests to one webhook at once: one that hangs holds up no more than these.
const AT_ONCE: usize = 4;
/// How long a delivery is held: longer than a request takes.
const LEASE: Duration = Duration::from_secs(30);
/// The wait after the first failure; each one is twice the last.
const FIRST: Duration = Duration::from_secs(5);
/// The longest wait: so long may a repaired receiver have to wait.
const LONGEST: Duration = Duration::from_secs(3_600);
/// What was not taken by then is given up.
const GIVE_UP: Duration = Duration::from_secs(3 * 86_400);
/// What ended is kept for so long, for whoever looks for it.
const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// What ended is removed each time so many looks have passed; the figures are taken more often.
const TIDY: u32 = 600;
/// Lots of a thousand that are given up in one go: after a long stop all may be old.
const MOST_LOTS: u32 = 100;
const FIGURES: u32 = 5;

/// Sends one event `test` now, whether or not the webhook is enabled, and tells how that went; it is not tried again.
///
/// # Errors
/// When the database refuses.
pub async fn test(
    store: &Store,
    clock: Clock,
    (name, webhook): (&str, &Webhook),
    rules: &WebhookRules,
    by: Actor,
) -> Result<Delivery, StoreError> {
    let at = clock.now();
    let body = serde_json::json!({ "event": "test", "at": at.to_rfc3339() }).to_string();
    let (id, change, _) = send_now(clock, (name, webhook), rules, ("test", body), Some(by)).await;
    store.commit(vec![Change::Webhook(change)]).await?;
    let missing = StoreError::Missing { what: "delivery", id: id.to_string() };
    store.delivery(id).await?.ok_or(missing)
}

/// Sends past the queue: the delivery's row, still to be stored, and why it failed if it did.
pub(super) async fn send_now(
    clock: Clock,
    (name, webhook): (&str, &Webhook),
    rules: &WebhookRules,
    (event, body): (&str, String),
    by: Option<Actor>,
) -> (Ulid, WebhookChange, Option<String>) {
    let id = Ulid::generate();
    let sent = Sender::new(rules).send(webhook, event, id, &body, clock.now()).await;
    let (end, why) = match sent {
        Ok(status) => (DeliveryEnd::Delivered { status }, None),
        Err(Refused { status, what }) => {
            (DeliveryEnd::Failed { status, what: what.clone(), again: None }, Some(what))
        }
    };
    let (webhook, event, at) = (name.to_owned(), event.to_owned(), clock.now());
    (id, WebhookChange::Sent { id, webhook, event, body, end, by, at }, why)
}

/// Sends what is due, until it is stopped.
pub(super) async fn run(ctx: Arc<Context>, stop: CancellationToken) {
    let mut work = Work::new(ctx, Sender::new(&WebhookRules::default()));
    let mut poll = interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = 0u32;
    loop {
        tokio::select! {
            // What is on its way is sent again by whoever comes next.
            () = stop.cancelled() => return,
            _ = poll.tick() => looks = looks.wrapping_add(1),
            Some(ended) = work.tasks.join_next_with_id() => work.on_end(ended),
        }
        if let Err(error) = work.look(looks).await {
            tracing::error!(%error, "webhooks cannot be looked after");
        }
    }
}

/// The sender at work.
struct Work {
    ctx: Arc<Context>,
    sender: Sender,
    /// Of which generation of settings the webhooks are.
    generation: Option<u64>,
    /// Those that are enabled.
    hooks: BTreeMap<String, Arc<Webhook>>,
    tasks: JoinSet<()>,
    running: HashMap<Id, String>,
    /// The look at which figures were taken.
    counted: u32,
}

impl Work {
    fn new(ctx: Arc<Context>, sender: Sender) -> Self {
        let (tasks, running) = (JoinSet::new(), HashMap::new());
        Self { ctx, sender, generation: None, hooks: BTreeMap::new(), tasks, running, counted: 0 }
    }

    fn on_end(&mut self, ended: Result<(Id, ()), tokio::task::JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(%error, "a webhook's task failed: this is a bug, please report it");
                error.id()
            }
        };
        self.running.remove(&id);
    }

    async fn look(&mut self, looks: u32) -> Result<(), StoreError> {
        self.read_settings().await?;
        self.fill().await?;
        if looks != self.counted && looks % FIGURES == 1 {
            let (waiting, oldest) = self.ctx.store.deliveries_waiting().await?;
            gauge!("sayso_webhook_waiting").set(waiting as f64);
            let age = oldest.map_or(Duration::ZERO, |oldest| self.ctx.clock.now().since(oldest));
            gauge!("sayso_webhook_oldest_seconds").set(age.as_secs_f64());
            if looks % TIDY == 1 {
                self.tidy().await?;
            }
        }
        self.counted = looks;
        Ok(())
    }

    /// Removes what is old. What is tried is given up by who tries it; this is for webhooks that are gone.
    async fn tidy(&self) -> Result<(), StoreError> {
        let at = self.ctx.clock.now();
        let came = at - GIVE_UP - 2 * LONGEST;
        for _ in 0..MOST_LOTS {
            let tidied = WebhookChange::Tidied { ended: at - KEPT, came, at };
            self.ctx.store.commit(vec![Change::Webhook(tidied)]).await?;
            let (_, oldest) = self.ctx.store.deliveries_waiting().await?;
            if oldest.is_none_or(|oldest| oldest >= came) {
                break;
            }
        }
        Ok(())
    }

    async fn read_settings(&mut self) -> Result<(), StoreError> {
        let store = &self.ctx.store;
        if Some(store.generation().await?) == self.generation {
            return Ok(());
        }
        let (generation, settings) = store.settings().await?;
        let rules = settings.system.as_ref().map(|system| system.webhooks.clone()).unwrap_or_default();
        if !self.sender.is_by(&rules) {
            self.sender = Sender::new(&rules);
        }
        let hooks = settings.webhooks.into_iter().filter(|(_, hook)| hook.enabled).collect();
        let before = std::mem::replace(&mut self.hooks, hooks);
        for name in before.keys().filter(|name| !self.hooks.contains_key(*name)) {
            self.ctx.alarms.clear_for(AlarmKind::WebhookFails, name);
        }
        self.generation = Some(generation);
        Ok(())
    }

    /// Begins what is due and has room.
    async fn fill(&mut self) -> Result<(), StoreError> {
        let ctx = &self.ctx;
        for (name, hook) in &self.hooks {
            let running = self.running.values().filter(|running| *running == name).count();
            let free = AT_ONCE.saturating_sub(running) as u32;
            if free == 0 {
                continue;
            }
            for delivery in ctx.store.deliveries_due(name, ctx.clock.now(), free).await? {
                let Some(delivery) = lease(ctx, delivery).await? else { continue };
                let work = deliver(Arc::clone(ctx), self.sender.clone(), Arc::clone(hook), delivery);
                self.running.insert(self.tasks.spawn(work).id(), name.clone());
            }
        }
        Ok(())
    }
}

/// Takes a delivery; `None`: somebody else has it.
async fn lease(ctx: &Context, delivery: Delivery) -> Result<Option<Delivery>, StoreError> {
    let at = ctx.clock.now();
    let (id, by) = (delivery.id, ctx.runner().to_owned());
    let leased = WebhookChange::Leased { id, by, until: at + LEASE, at };
    match ctx.store.commit(vec![Change::Webhook(leased)]).await {
        Ok(()) => Ok(Some(Delivery { attempts: delivery.attempts + 1, ..delivery })),
        Err(StoreError::State { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn deliver(ctx: Arc<Context>, sender: Sender, hook: Arc<Webhook>, delivery: Delivery) {
    let Delivery { id, webhook, event, body, at: came, attempts, .. } = delivery;
    let sent = sender.send(&hook, &event, id, &body, ctx.clock.now()).await;
    let at = ctx.clock.now();
    let end = match sent {
        Ok(status) => DeliveryEnd::Delivered { status },
        Err(Refused { status, what }) => {
            let again = next(came, attempts, at, random());
            tracing::warn!(webhook, %id, attempts, what, given_up = again.is_none(), "a webhook did not take an event");
            DeliveryEnd::Failed { status, what, again }
        }
    };
    let result = match &end {
        DeliveryEnd::Delivered { .. } => {
            ctx.alarms.clear_for(AlarmKind::WebhookFails, &webhook);
            "delivered"
        }
        DeliveryEnd::Failed { again: Some(_), .. } => "failed",
        DeliveryEnd::Failed { what, again: None, .. } => {
            let days = GIVE_UP.as_secs() / 86_400;
            let what = format!(
                "the webhook {webhook} did not take events for {days} days, and the oldest are given up: {what}. Look \
                 at the receiver, or disable the webhook; its page lists what it did not get and sends it again"
            );
            ctx.alarms.raise_for(AlarmKind::WebhookFails, &webhook, what);
            "given-up"
        }
    };
    counter!("sayso_webhook_deliveries_total", "result" => result).increment(1);
    let ended = WebhookChange::Ended { id, by: ctx.runner().to_owned(), end, at };
    if let Err(error) = ctx.store.commit(vec![Change::Webhook(ended)]).await {
        // The lease runs out, and it is sent once more.
        tracing::warn!(webhook, %id, %error, "what became of an event could not be stored");
    }
}

/// When something that came then is tried again after so many failures; `None`: it is given up.
fn next(came: Timestamp, failures: u32, now: Timestamp, random: u32) -> Option<Timestamp> {
    let doubled = FIRST * 2u32.pow(failures.saturating_sub(1).min(16));
    // Between half of it and all of it: what failed together does not come back together.
    let wait = doubled.min(LONGEST).mul_f64(0.5 + f64::from(random) / f64::from(u32::MAX) / 2.0);
    (now.since(came) < GIVE_UP).then(|| now + wait)
}
