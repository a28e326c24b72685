//! Facts about calls: their rows, and their one audit event.

use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;

use crate::audit::{
    Value, answer_key, answer_word, basis_detail, basis_word, category_word, cause_word, channel_word,
    of_fact, supervision_word,
};
use crate::call::{Fact, Whom};
use crate::consent::{Answered, Basis};
use crate::ids::{CallId, LegId, PhoneNumber, QueueId};
use crate::time::Timestamp;

use super::change::{LegQuality, Listened, ListenedTo};
use super::error::{Doing as _, StoreError};
use super::pending::{Decision, Event, NewCall, NewLeg};
use super::query::json;
use super::writer::Work;

type Statement = Query<'static, Any, AnyArguments>;

impl Work<'_> {
    /// Writes a fact.
    pub(super) async fn fact(&mut self, fact: &Fact) -> Result<(), StoreError> {
        let before = self.before(fact).await?;
        match fact {
            Fact::Arrived { call, at, from, dialled, trunk, queue, language } => {
                self.pending.arrived(NewCall {
                    call: *call,
                    at: *at,
                    from: from.clone(),
                    dialled: dialled.clone(),
                    trunk: trunk.clone(),
                    queue: queue.clone(),
                    language: language.0.clone(),
                });
                self.leg(LegId::caller(*call), "in", None, *at, Some(*at));
            }
            Fact::Decided { call, at, basis } => self.decided(*call, *at, basis),
            Fact::ConsentAnswered { call, from, queue, answered } => {
                self.settle(*call).await?;
                self.answered(*call, from.as_ref(), queue, answered).await?;
            }
            Fact::ConsentWithdrawn { call, from, queue, entered_by: _, at } => {
                self.settle(*call).await?;
                self.withdrawn(*call, from.as_ref(), queue, *at).await?;
            }
            Fact::Queued { call, queue, at } => {
                let update = "UPDATE calls SET queue = $2, queued_at = COALESCE(queued_at, $3) WHERE id = $1";
                let update = of_call(update, *call).bind(queue.0.clone()).bind(at.as_micros());
                self.one("call", call, update).await?;
                let event = Event { kind: "queued", queue: Some(queue.clone()), ..Event::default() };
                self.pending.event(*call, *at, event);
            }
            Fact::Dialled { leg, to, at } => {
                self.leg(*leg, "out", Some(to), *at, None);
            }
            Fact::Admitted { leg, agent, replaces, at } => {
                let who = agent.clone().map(Whom::Agent);
                self.leg(*leg, "in", who.as_ref(), *at, None);
                if let Some(old) = replaces {
                    let detail = Some(format!("leg {} by leg {}", old.n, leg.n));
                    let event = Event { kind: "replaced", agent: agent.clone(), detail, ..Event::default() };
                    self.pending.event(leg.call, *at, event);
                }
            }
            Fact::Connected { leg, at } => self.connected(*leg, *at).await?,
            Fact::LegEnded { leg, at, cause } => self.pending.leg_ended(*leg, *at, cause_word(*cause)),
            Fact::Overridden { call, agent, reason, at } => {
                let event = Event {
                    kind: "overridden",
                    agent: Some(agent.clone()),
                    detail: Some(category_word(reason.category).to_owned()),
                    note: Some(reason.text.0.clone()),
                    ..Event::default()
                };
                self.pending.event(*call, *at, event);
            }
            Fact::Paused { call, agent, on, at } => {
                let kind = if *on { "paused" } else { "resumed" };
                self.pending.event(*call, *at, Event { kind, agent: agent.clone(), ..Event::default() });
            }
            Fact::RecordingFailed { call, at } => {
                self.pending.event(*call, *at, Event { kind: "recording-failed", ..Event::default() });
            }
            Fact::Returned { call, agent, cause, at } => {
                let detail = Some(cause_word(*cause).to_owned());
                let event = Event { kind: "returned", agent: agent.clone(), detail, ..Event::default() };
                self.pending.event(*call, *at, event);
            }
            Fact::Consulted { call, by, queue, agent, outside, at }
            | Fact::Transferred { call, by, queue, agent, outside, at } => {
                let consulted = matches!(fact, Fact::Consulted { .. });
                let event = Event {
                    kind: if consulted { "consulted" } else { "transferred" },
                    agent: agent.clone(),
                    queue: queue.clone(),
                    outside: outside.clone(),
                    detail: Some(format!("by {by}")),
                    note: None,
                };
                self.pending.event(*call, *at, event);
            }
            Fact::Lost { call, leg, agent, at } => {
                let detail = Some(format!("leg {}", leg.n));
                let event = Event { kind: "lost", agent: Some(agent.clone()), detail, ..Event::default() };
                self.pending.event(*call, *at, event);
            }
            Fact::Reattached { call, agent, lost, leg, at } => {
                let detail = Some(format!("leg {} by leg {}", lost.n, leg.n));
                let agent = Some(agent.clone());
                let event = Event { kind: "reattached", agent, detail, ..Event::default() };
                self.pending.event(*call, *at, event);
            }
            Fact::Supervised { call, leg, by, mode, was, at } => {
                if was.is_none() {
                    self.leg(*leg, "out", None, *at, Some(*at));
                }
                self.settle(*call).await?;
                let to = ListenedTo::Live { call: *call, mode: supervision_word(*mode) };
                self.listening(&Listened { at: *at, who: by.clone(), to, reason: None }).await?;
                let detail = Some(format!("{} by {by}", supervision_word(*mode)));
                self.pending.event(*call, *at, Event { kind: "supervised", detail, ..Event::default() });
            }
            Fact::SuperviseEnded { call, leg: _, by, at } => {
                let detail = Some(format!("by {by}"));
                self.pending.event(
                    *call,
                    *at,
                    Event { kind: "supervision-ended", detail, ..Event::default() },
                );
            }
            Fact::Ended { call, at, cause } => self.pending.ended(*call, *at, cause_word(*cause)),
        }
        let event = of_fact(fact);
        let old = event.old.clone().or(before);
        self.audit(event.old(old));
        Ok(())
    }

    /// What an attribute was before a fact changes it, where the fact does not tell.
    async fn before(&mut self, fact: &Fact) -> Result<Option<Value>, StoreError> {
        let select = match fact {
            Fact::Decided { call, .. } => {
                if let Some(basis) = self.pending.basis(*call) {
                    return Ok(basis.map(Value::Plain));
                }
                self.settle(*call).await?;
                let select = "SELECT CASE WHEN basis_detail IS NULL THEN basis \
                              ELSE basis || ': ' || basis_detail END FROM calls WHERE id = $1";
                sqlx::query_scalar::<_, Option<String>>(select).bind(call.to_string())
            }
            Fact::Queued { call, .. } => {
                self.settle(*call).await?;
                let select =
                    "SELECT CASE WHEN queued_at IS NULL THEN NULL ELSE queue END FROM calls WHERE id = $1";
                sqlx::query_scalar(select).bind(call.to_string())
            }
            Fact::ConsentWithdrawn { from: Some(from), .. } => {
                let select =
                    "SELECT answer FROM consents WHERE from_number = $1 ORDER BY at DESC, n DESC LIMIT 1";
                sqlx::query_scalar(select).bind(from.as_e164().to_owned())
            }
            Fact::ConsentWithdrawn { from: None, .. }
            | Fact::Arrived { .. }
            | Fact::ConsentAnswered { .. }
            | Fact::Dialled { .. }
            | Fact::Admitted { .. }
            | Fact::Connected { .. }
            | Fact::LegEnded { .. }
            | Fact::Overridden { .. }
            | Fact::Paused { .. }
            | Fact::RecordingFailed { .. }
            | Fact::Returned { .. }
            | Fact::Consulted { .. }
            | Fact::Transferred { .. }
            | Fact::Lost { .. }
            | Fact::Reattached { .. }
            | Fact::Supervised { .. }
            | Fact::SuperviseEnded { .. }
            | Fact::Ended { .. } => return Ok(None),
        };
        let old = select.fetch_optional(&mut *self.connection).await.doing("reading what a fact changes")?;
        Ok(old.flatten().map(Value::Plain))
    }

    /// Writes a leg's statistics.
    pub(super) fn leg_quality(&mut self, leg: LegId, quality: &LegQuality) -> Result<(), StoreError> {
        self.pending.quality(leg, json("legs", "quality", quality)?);
        Ok(())
    }

    fn decided(&mut self, call: CallId, at: Timestamp, basis: &Basis) {
        let decision = Decision { word: basis_word(basis), detail: basis_detail(basis), at };
        let detail = Some(decision.text());
        self.pending.decided(call, decision);
        self.pending.event(call, at, Event { kind: "decided", detail, ..Event::default() });
    }

    async fn answered(
        &mut self,
        call: CallId,
        from: Option<&PhoneNumber>,
        queue: &QueueId,
        answered: &Answered,
    ) -> Result<(), StoreError> {
        let insert = "INSERT INTO consents (call, from_number, at, queue, answer, agreed, digit, channel, \
                      question_sha256, language) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let key = answer_key(answered.answer);
        of_call(insert, call)
            .bind(number(from))
            .bind(answered.at.as_micros())
            .bind(queue.0.clone())
            .bind(answer_word(answered.answer))
            .bind(i64::from(answered.answer.agreed()))
            .bind(key.map(|(digit, _)| digit.as_char().to_string()))
            .bind(key.map(|(_, channel)| channel_word(channel).to_owned()))
            .bind(answered.question_sha256.clone())
            .bind(answered.language.0.clone())
            .execute(&mut *self.connection)
            .await
            .map(drop)
            .doing("storing a consent")
    }

    async fn withdrawn(
        &mut self,
        call: CallId,
        from: Option<&PhoneNumber>,
        queue: &QueueId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let insert = "INSERT INTO consents (call, from_number, at, queue, answer, agreed) \
                      VALUES ($1, $2, $3, $4, 'withdrawn', 0)";
        of_call(insert, call)
            .bind(number(from))
            .bind(at.as_micros())
            .bind(queue.0.clone())
            .execute(&mut *self.connection)
            .await
            .map(drop)
            .doing("storing a withdrawal")
    }

    fn leg(
        &mut self,
        leg: LegId,
        direction: &'static str,
        who: Option<&Whom>,
        dialled_at: Timestamp,
        connected_at: Option<Timestamp>,
    ) {
        let (agent, outside) = match who {
            None => (None, None),
            Some(Whom::Agent(agent)) => (Some(agent.clone()), None),
            Some(Whom::Outside(outside)) => (None, Some(outside)),
        };
        let trunk = outside.map(|outside| outside.trunk.clone());
        let outside = outside.map(|outside| outside.number.clone());
        self.pending.leg(NewLeg { leg, agent, dialled_at, connected_at, direction, trunk, outside });
    }

    async fn connected(&mut self, leg: LegId, at: Timestamp) -> Result<(), StoreError> {
        self.settle(leg.call).await?;
        let update = "UPDATE legs SET connected_at = COALESCE(connected_at, $3) WHERE call = $1 AND n = $2";
        self.one("leg", &leg, of_leg(update, leg).bind(at.as_micros())).await?;
        let update = "UPDATE calls SET connected_at = COALESCE(connected_at, $3), \
                      agent = (SELECT agent FROM legs WHERE call = $1 AND n = $2) WHERE id = $1";
        self.one("call", &leg.call, of_leg(update, leg).bind(at.as_micros())).await
    }

    /// Runs an update that must meet its row.
    pub(super) async fn one(
        &mut self,
        what: &'static str,
        id: &(dyn std::fmt::Display + Sync),
        update: Statement,
    ) -> Result<(), StoreError> {
        let done = update.execute(&mut *self.connection).await.doing("changing a row")?;
        match done.rows_affected() {
            0 => Err(StoreError::Missing { what, id: id.to_string() }),
            _ => Ok(()),
        }
    }
}

fn of_call(sql: &'static str, call: CallId) -> Statement {
    sqlx::query(sql).bind(call.to_string())
}

fn of_leg(sql: &'static str, leg: LegId) -> Statement {
    of_call(sql, leg.call).bind(i64::from(leg.n))
}

fn number(number: Option<&PhoneNumber>) -> Option<String> {
    number.map(|number| number.as_e164().to_owned())
}
