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
use crate::ids::{AgentId, CallId, LegId, PhoneNumber, QueueId};
use crate::time::Timestamp;

use super::change::{LegQuality, Listened, ListenedTo};
use super::error::{Doing as _, StoreError};
use super::query::json;
use super::writer::Work;

type Statement = Query<'static, Any, AnyArguments>;

const INSERT_CALL: &str = "INSERT INTO calls (id, arrived_at, from_number, dialled, trunk, first_queue, \
     queue, language, node) VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8)";

/// A line of the course of a call.
#[derive(Default)]
struct Event {
    kind: &'static str,
    agent: Option<AgentId>,
    queue: Option<QueueId>,
    outside: Option<PhoneNumber>,
    detail: Option<String>,
    /// A person's free text.
    note: Option<String>,
}

impl Work<'_> {
    /// Writes a fact.
    pub(super) async fn fact(&mut self, fact: &Fact) -> Result<(), StoreError> {
        let before = self.before(fact).await?;
        match fact {
            Fact::Arrived { call, at, from, dialled, trunk, queue, language } => {
                let insert = of_call(INSERT_CALL, *call)
                    .bind(at.as_micros())
                    .bind(number(from.as_ref()))
                    .bind(dialled.clone())
                    .bind(trunk.as_ref().map(|trunk| trunk.0.clone()))
                    .bind(queue.0.clone())
                    .bind(language.0.clone())
                    .bind(self.node.map(str::to_owned));
                insert.execute(&mut *self.connection).await.doing("storing a call")?;
                self.leg(LegId::caller(*call), "in", None, *at, Some(*at)).await?;
            }
            Fact::Decided { call, at, basis } => self.decided(*call, *at, basis).await?,
            Fact::ConsentAnswered { call, from, queue, answered } => {
                self.answered(*call, from.as_ref(), queue, answered).await?;
            }
            Fact::ConsentWithdrawn { call, from, queue, entered_by: _, at } => {
                self.withdrawn(*call, from.as_ref(), queue, *at).await?;
            }
            Fact::Queued { call, queue, at } => {
                let update = "UPDATE calls SET queue = $2, queued_at = COALESCE(queued_at, $3) WHERE id = $1";
                let update = of_call(update, *call).bind(queue.0.clone()).bind(at.as_micros());
                self.one("call", call, update).await?;
                let event = Event { kind: "queued", queue: Some(queue.clone()), ..Event::default() };
                self.event(*call, *at, event).await?;
            }
            Fact::Dialled { leg, to, at } => {
                self.leg(*leg, "out", Some(to), *at, None).await?;
            }
            Fact::Admitted { leg, agent, replaces, at } => {
                let who = agent.clone().map(Whom::Agent);
                self.leg(*leg, "in", who.as_ref(), *at, None).await?;
                if let Some(old) = replaces {
                    let detail = Some(format!("leg {} by leg {}", old.n, leg.n));
                    let event = Event { kind: "replaced", agent: agent.clone(), detail, ..Event::default() };
                    self.event(leg.call, *at, event).await?;
                }
            }
            Fact::Connected { leg, at } => self.connected(*leg, *at).await?,
            Fact::LegEnded { leg, at, cause } => {
                let update = "UPDATE legs SET ended_at = $3, cause = $4 WHERE call = $1 AND n = $2";
                let update = of_leg(update, *leg).bind(at.as_micros()).bind(cause_word(*cause));
                self.one("leg", leg, update).await?;
            }
            Fact::Overridden { call, agent, reason, at } => {
                let event = Event {
                    kind: "overridden",
                    agent: Some(agent.clone()),
                    detail: Some(category_word(reason.category).to_owned()),
                    note: Some(reason.text.0.clone()),
                    ..Event::default()
                };
                self.event(*call, *at, event).await?;
            }
            Fact::Paused { call, agent, on, at } => {
                let kind = if *on { "paused" } else { "resumed" };
                self.event(*call, *at, Event { kind, agent: agent.clone(), ..Event::default() }).await?;
            }
            Fact::RecordingFailed { call, at } => {
                self.event(*call, *at, Event { kind: "recording-failed", ..Event::default() }).await?;
            }
            Fact::Returned { call, agent, cause, at } => {
                let detail = Some(cause_word(*cause).to_owned());
                let event = Event { kind: "returned", agent: agent.clone(), detail, ..Event::default() };
                self.event(*call, *at, event).await?;
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
                self.event(*call, *at, event).await?;
            }
            Fact::Lost { call, leg, agent, at } => {
                let detail = Some(format!("leg {}", leg.n));
                let event = Event { kind: "lost", agent: Some(agent.clone()), detail, ..Event::default() };
                self.event(*call, *at, event).await?;
            }
            Fact::Reattached { call, agent, lost, leg, at } => {
                let detail = Some(format!("leg {} by leg {}", lost.n, leg.n));
                let agent = Some(agent.clone());
                let event = Event { kind: "reattached", agent, detail, ..Event::default() };
                self.event(*call, *at, event).await?;
            }
            Fact::Supervised { call, leg, by, mode, was, at } => {
                if was.is_none() {
                    self.leg(*leg, "out", None, *at, Some(*at)).await?;
                }
                let to = ListenedTo::Live { call: *call, mode: supervision_word(*mode) };
                self.listening(&Listened { at: *at, who: by.clone(), to, reason: None }).await?;
                let detail = Some(format!("{} by {by}", supervision_word(*mode)));
                self.event(*call, *at, Event { kind: "supervised", detail, ..Event::default() }).await?;
            }
            Fact::SuperviseEnded { call, leg: _, by, at } => {
                let detail = Some(format!("by {by}"));
                self.event(*call, *at, Event { kind: "supervision-ended", detail, ..Event::default() })
                    .await?;
            }
            Fact::Ended { call, at, cause } => {
                let update = "UPDATE calls SET ended_at = $2, end_cause = $3 WHERE id = $1";
                let update = of_call(update, *call).bind(at.as_micros()).bind(cause_word(*cause));
                self.one("call", call, update).await?;
                // The clock of its recordings begins.
                let clock = "UPDATE recordings SET call_ended_at = $2 WHERE call = $1";
                let clock = of_call(clock, *call).bind(at.as_micros());
                clock.execute(&mut *self.connection).await.doing("starting the clock of recordings")?;
            }
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
                let select = "SELECT CASE WHEN basis_detail IS NULL THEN basis \
                              ELSE basis || ': ' || basis_detail END FROM calls WHERE id = $1";
                sqlx::query_scalar::<_, Option<String>>(select).bind(call.to_string())
            }
            Fact::Queued { call, .. } => {
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

    /// Writes a leg's statistics. They come with the call's last facts, which must not fail for them: a
    /// leg that was never stored has none.
    pub(super) async fn leg_quality(&mut self, leg: LegId, quality: &LegQuality) -> Result<(), StoreError> {
        let update = of_leg("UPDATE legs SET quality = $3 WHERE call = $1 AND n = $2", leg);
        let update = update.bind(json("legs", "quality", quality)?);
        update.execute(&mut *self.connection).await.map(drop).doing("storing a leg's statistics")
    }

    async fn decided(&mut self, call: CallId, at: Timestamp, basis: &Basis) -> Result<(), StoreError> {
        let update = "UPDATE calls SET basis = $2, basis_detail = $3, decided_at = $4 WHERE id = $1";
        let (word, detail) = (basis_word(basis), basis_detail(basis));
        let update = of_call(update, call).bind(word).bind(detail.clone()).bind(at.as_micros());
        self.one("call", &call, update).await?;
        let detail = detail.map_or_else(|| word.to_owned(), |detail| format!("{word}: {detail}"));
        self.event(call, at, Event { kind: "decided", detail: Some(detail), ..Event::default() }).await
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

    async fn leg(
        &mut self,
        leg: LegId,
        direction: &'static str,
        who: Option<&Whom>,
        dialled_at: Timestamp,
        connected_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let insert = "INSERT INTO legs (call, n, agent, dialled_at, connected_at, direction, trunk, \
                      outside_number) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let (agent, outside) = match who {
            None => (None, None),
            Some(Whom::Agent(agent)) => (Some(agent), None),
            Some(Whom::Outside(outside)) => (None, Some(outside)),
        };
        of_leg(insert, leg)
            .bind(agent.map(|agent| agent.0.clone()))
            .bind(dialled_at.as_micros())
            .bind(connected_at.map(Timestamp::as_micros))
            .bind(direction)
            .bind(outside.map(|outside| outside.trunk.0.clone()))
            .bind(number(outside.map(|outside| &outside.number)))
            .execute(&mut *self.connection)
            .await
            .map(drop)
            .doing("storing a leg")
    }

    async fn connected(&mut self, leg: LegId, at: Timestamp) -> Result<(), StoreError> {
        let update = "UPDATE legs SET connected_at = COALESCE(connected_at, $3) WHERE call = $1 AND n = $2";
        self.one("leg", &leg, of_leg(update, leg).bind(at.as_micros())).await?;
        let update = "UPDATE calls SET connected_at = COALESCE(connected_at, $3), \
                      agent = (SELECT agent FROM legs WHERE call = $1 AND n = $2) WHERE id = $1";
        self.one("call", &leg.call, of_leg(update, leg).bind(at.as_micros())).await
    }

    async fn event(&mut self, call: CallId, at: Timestamp, event: Event) -> Result<(), StoreError> {
        let insert = "INSERT INTO call_events (call, at, kind, agent, queue, detail, note, outside_number) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        of_call(insert, call)
            .bind(at.as_micros())
            .bind(event.kind)
            .bind(event.agent.map(|agent| agent.0))
            .bind(event.queue.map(|queue| queue.0))
            .bind(event.detail)
            .bind(event.note)
            .bind(number(event.outside.as_ref()))
            .execute(&mut *self.connection)
            .await
            .map(drop)
            .doing("storing what happened in a call")
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
