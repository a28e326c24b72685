//! What became of events for webhooks; a test; another try.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Serialize;
use ulid::Ulid;
use utoipa::ToSchema;

use crate::access::{Right, could_be_name};
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor};
use crate::api::input::Asked;
use crate::api::problem::Problem;
use crate::jobs::webhook;
use crate::settings::{Webhook, WebhookRules};
use crate::store::{self, Change, DeliveryState, Page, WebhookChange};
use crate::time::Clock;

use super::route::{Route, get, post};
use super::vault::Paged;

pub(super) fn routes() -> Vec<Route> {
    const CONFIGURE: Needs = Needs::Right(Right::ConfigureSystem);
    vec![
        get("/webhooks/{name}/deliveries", CONFIGURE, deliveries)
            .says("What was sent to a webhook in the last 30 days and what waits, the latest first.")
            .query::<Paged>()
            .gives::<Page<Delivery>>(),
        post("/webhooks/{name}/test", CONFIGURE, test)
            .says("Sends one event `test` now, also to a webhook that is disabled; it is not tried again.")
            .gives::<Delivery>(),
        post("/webhooks/{name}/deliveries/{id}/retry", CONFIGURE, retry)
            .says("Has an event sent again, within a second.")
            .gives_nothing(StatusCode::NO_CONTENT),
    ]
}

/// `Delivery` of `admin.ts`.
#[derive(Serialize, ToSchema)]
pub(super) struct Delivery {
    /// `Sayso-Delivery` of the request.
    id: String,
    event: String,
    at: String,
    attempts: u32,
    /// `waiting`, `delivered` or `failed`.
    state: &'static str,
    /// Of the last answer; null: there was none.
    status: Option<u16>,
    /// Why the last try failed.
    what: Option<String>,
    /// When it is tried next.
    next: Option<String>,
}

impl From<store::Delivery> for Delivery {
    fn from(row: store::Delivery) -> Self {
        let next = (row.state == DeliveryState::Waiting).then(|| row.due.to_rfc3339());
        Self {
            id: row.id.to_string(),
            event: row.event,
            at: row.at.to_rfc3339(),
            attempts: row.attempts,
            state: row.state.word(),
            status: row.status,
            what: row.what,
            next,
        }
    }
}

pub(super) async fn deliveries(
    State(desk): State<Arc<Desk>>,
    Path(name): Path<String>,
    asked: Asked,
) -> Result<Json<Page<Delivery>>, Problem> {
    let (after, limit) = asked.page()?;
    if !could_be_name(&name) {
        return Err(no_webhook());
    }
    let page = soon(desk.store().deliveries(&name, after, limit)).await?;
    if page.items.is_empty() {
        // One that is gone still tells what was sent.
        webhook_of(&desk, &name).await?;
    }
    Ok(Json(page.map(Delivery::from)))
}

pub(super) async fn test(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Json<Delivery>, Problem> {
    let (hook, rules) = webhook_of(&desk, &name).await?;
    let Some(_turn) = desk.test_of(&name) else {
        return Err(Problem::conflict("not-now", "It is being tested this moment: wait for the result."));
    };
    let to = (name.as_str(), &*hook);
    let sent = webhook::test(desk.store(), Clock::start(), to, &rules, visitor.actor()).await?;
    Ok(Json(sent.into()))
}

pub(super) async fn retry(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path((name, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let none =
        || Problem::new(StatusCode::NOT_FOUND, "no-delivery", "There is no such delivery, or not any more.");
    let id: Ulid = id.parse().map_err(|_| none())?;
    let row = soon(desk.store().delivery(id)).await?.filter(|row| row.webhook == name).ok_or_else(none)?;
    if row.state == DeliveryState::Delivered && row.event == "test" {
        return Err(Problem::conflict("not-now", "A test is not sent again: ask for another one."));
    }
    let again = WebhookChange::Retry { id, by: visitor.actor(), at: desk.now() };
    soon(desk.store().commit(vec![Change::Webhook(again)])).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A webhook, and where webhooks may be.
async fn webhook_of(desk: &Desk, name: &str) -> Result<(Arc<Webhook>, WebhookRules), Problem> {
    let (_, settings) = soon(desk.store().settings()).await?;
    let rules = settings.system.as_ref().map(|system| system.webhooks.clone()).unwrap_or_default();
    let hook = settings.webhooks.get(name).cloned().ok_or_else(no_webhook)?;
    Ok((hook, rules))
}

fn no_webhook() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no-object", "There is no such webhook.")
}
