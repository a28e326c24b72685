//! Consents on a person's word, or on a new privacy policy: written out, withdrawn, reset (domain rule 21).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize};
use ulid::Ulid;
use utoipa::ToSchema;

use crate::access::Right;
use crate::api::control::{Ask, Refusal};
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor};
use crate::api::input::{At, Told};
use crate::api::problem::Problem;
use crate::api::view::ConsentState;
use crate::audit::{AuditEvent, Class, Object, Value};
use crate::export::report;
use crate::ids::{PhoneNumber, Redacted, TaskId};
use crate::store::{Change, ConsentsToExport, Cursor, NewTask, PrivacyChange, TaskCounts, TaskKind, Whose};

use super::privacy::{Task, reason_of, row, shown};
use super::route::{Route, post};

pub(super) fn routes() -> Vec<Route> {
    const CONSENT: Needs = Needs::Right(Right::CustomerConsent);
    vec![
        post("/consents/export", CONSENT, export)
            .says("Writes consents out as CSV, of one number or all; audited.")
            .takes::<Which>()
            .gives_octets(StatusCode::OK, "text/csv"),
        post("/consents/withdraw", CONSENT, withdraw)
            .says("A person takes the consent back by a word to us; calls that go on are not recorded any longer.")
            .takes::<Withdrawal>()
            .gives::<Withdrawn>(),
        post("/consents/reset", CONSENT, reset)
            .says("Consents count no more and callers are asked again; they are written out first.")
            .takes::<Resetting>()
            .gives::<Reset>(),
    ]
}

/// Rows that are read at a time.
const LOT: u32 = 500;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConsentsToExport)]
struct Which {
    /// E.164; without it those of all.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    number: Option<Redacted<String>>,
    since: Option<At>,
    until: Option<At>,
}

fn number_of(text: &Redacted<String>) -> Result<PhoneNumber, Problem> {
    let text = text.0.trim();
    let number = PhoneNumber::parse(text, None).filter(|_| text.starts_with('+'));
    number.ok_or_else(|| {
        let detail = "A number begins with + and the country: +49 30 1234567.";
        Problem::unprocessable("bad-number", detail)
    })
}

/// Consents on their way out.
struct Export {
    desk: Arc<Desk>,
    which: ConsentsToExport,
    next: Next,
}

enum Next {
    Heading,
    Page(Option<Cursor>),
    Over,
}

/// Breaks the connection off, so that nobody takes a part for the whole.
#[derive(Debug, thiserror::Error)]
#[error("broken off")]
struct BrokenOff;

async fn export(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Told(Which { number, since, until }): Told<Which>,
) -> Result<Response, Problem> {
    visitor.of_all_queues()?;
    let number = number.as_ref().map(number_of).transpose()?;
    let what = Object::new("privacy", "consents");
    let event = AuditEvent::new(Class::Read, visitor.actor(), desk.now(), "consents.exported", what);
    let about = number.as_ref().map(|number| number.as_e164().to_owned());
    let scope = Value::plain(if about.is_some() { "of one number" } else { "of all" });
    soon(desk.store().commit(vec![Change::Audit(event.about(about).new_value(Some(scope)))])).await?;
    let (since, until) = (since.map(|At(at)| at), until.map(|At(at)| at));
    let restricted = visitor.sight().restricted;
    let which = ConsentsToExport { number, since, until, restricted, last: None };
    let export = Export { desk, which, next: Next::Heading };
    let body = Body::from_stream(unfold(export, |mut export| async {
        let piece = export.next().await?;
        Some((piece, export))
    }));
    let kind = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
    let name = HeaderValue::from_static("attachment; filename=\"consents.csv\"");
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], body).into_response())
}

impl Export {
    async fn next(&mut self) -> Option<Result<Vec<u8>, BrokenOff>> {
        let after = match std::mem::replace(&mut self.next, Next::Over) {
            Next::Heading => {
                self.next = Next::Page(None);
                return Some(Ok(report::heading()));
            }
            Next::Page(after) => after,
            Next::Over => return None,
        };
        let read = self.desk.store().consents_to_export(&self.which, after, LOT).await;
        match read {
            Ok(page) => {
                if page.next.is_some() {
                    self.next = Next::Page(page.next);
                }
                Some(Ok(report::consents(page.items.iter().map(|one| (&one.row, one.reset)))))
            }
            Err(error) => {
                tracing::error!(%error, "an export of consents broke off");
                Some(Err(BrokenOff))
            }
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Withdrawal {
    #[schema(value_type = String)]
    number: Redacted<String>,
    #[schema(value_type = String)]
    reason: Redacted<String>,
}

#[derive(Serialize, ToSchema)]
struct Withdrawn {
    /// The consent that counted for later calls, and one for each call that goes on here.
    withdrawn: u64,
    /// Calls that go on and hear of it within a second: those of other nodes.
    told: u64,
}

async fn withdraw(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Told(Withdrawal { number, reason }): Told<Withdrawal>,
) -> Result<Json<Withdrawn>, Problem> {
    visitor.of_all_queues()?;
    let (number, reason) = (number_of(&number)?, reason_of(&reason)?);
    let known = soon(desk.store().known_consent(&number)).await?;
    let mut withdrawn = u64::from(known.is_some_and(|known| known.agreed));
    // For later calls first: a call that begins now must not find it.
    let (by, at) = (visitor.actor(), desk.now());
    let change = PrivacyChange::Withdrawn { number: number.clone(), by, reason, at };
    soon(desk.store().commit(vec![Change::Privacy(change)])).await?;
    // Each node looks for what is new by itself, this one too: no call that is missed here goes on for long.
    let mut told = soon(desk.store().calls_elsewhere(&number)).await?;
    let (snapshot, _) = desk.control().watch();
    for call in snapshot.calls {
        let theirs = call.caller.as_ref().is_some_and(|caller| caller.0 == number.as_e164());
        if !theirs || call.consent.state != ConsentState::Given {
            continue;
        }
        match desk.control().ask(call.id, visitor.asker(), Ask::Revoke).await {
            Ok(()) => withdrawn += 1,
            // It ended meanwhile.
            Err(Refusal::NoCall) => {}
            Err(refusal @ (Refusal::NotNow(_) | Refusal::Forbidden(_) | Refusal::NoTarget(_))) => {
                tracing::warn!(call = %call.id, %refusal, "a call did not take a withdrawal: it hears of it again");
                told += 1;
            }
        }
    }
    Ok(Json(Withdrawn { withdrawn, told }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Resetting {
    /// E.164.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    number: Option<Redacted<String>>,
    /// True, without a number: those of everybody.
    #[serde(default)]
    all: bool,
    #[schema(value_type = String)]
    reason: Redacted<String>,
}

#[derive(Serialize, ToSchema)]
struct Reset {
    /// Consents that count no more once they are written out; past 100,000 it is not counted on.
    reset: u64,
    exported: Task,
}

async fn reset(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Told(Resetting { number, all, reason }): Told<Resetting>,
) -> Result<Json<Reset>, Problem> {
    visitor.of_all_queues()?;
    let whose = match (&number, all) {
        (Some(number), false) => Whose::Of(number_of(number)?),
        (None, true) => Whose::Everybodys,
        (Some(_), true) | (None, false) => {
            let detail = "Say a number, or that those of all are meant: one of the two.";
            return Err(Problem::unprocessable("whose", detail));
        }
    };
    let reason = reason_of(&reason)?;
    let archive = desk.archive()?;
    let count = desk.store().consents_to_reset(&whose).await?;
    let (id, by, at) = (TaskId::new(Ulid::generate()), visitor.user.clone(), desk.now());
    let counts = TaskCounts { consents: count, ..TaskCounts::default() };
    let task = NewTask {
        id,
        kind: TaskKind::Consents,
        by,
        at,
        reason,
        calls: Vec::new(),
        entries: Vec::new(),
        consents: true,
        whose: Some(whose),
        approval: false,
        spool: archive.vault.spool_id().to_owned(),
        counts,
    };
    soon(desk.store().commit(vec![Change::Privacy(PrivacyChange::Asked(Box::new(task)))])).await?;
    (archive.wake)();
    let exported = shown(row(&desk, id).await?, desk.now());
    Ok(Json(Reset { reset: count, exported }))
}
