//! The statements that write the rows, each for many of them.

use std::collections::HashSet;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, Row as _};

use crate::ids::{CallId, PhoneNumber};
use crate::store::dialect::Dialect;
use crate::store::error::{Doing as _, StoreError};
use crate::store::many::{Many, filled, lots, rows_of};
use crate::time::Timestamp;

use super::{Decision, End, Event, LegEnd, LegId, NewCall, NewLeg, Pending, Writing};

static CALLS: Many = Many::rows(
    "INSERT INTO calls (id, arrived_at, from_number, dialled, trunk, first_queue, queue, language, node) VALUES ",
    9,
    "",
);
static LEGS: Many = Many::rows(
    "INSERT INTO legs (call, n, agent, dialled_at, connected_at, direction, trunk, outside_number) VALUES ",
    8,
    "",
);
static EVENTS: Many = Many::rows(
    "INSERT INTO call_events (call, at, kind, agent, queue, detail, note, outside_number) VALUES ",
    8,
    "",
);
static DECIDED: Many = Many::rows(
    "WITH v (id, basis, detail, at) AS (VALUES ",
    4,
    ") UPDATE calls SET basis = v.basis, basis_detail = v.detail, decided_at = v.at FROM v WHERE calls.id = v.id",
);
/// With the decision that came with the end, if one did.
static ENDED: Many = Many::rows(
    "WITH v (id, at, cause, basis, detail, decided_at) AS (VALUES ",
    6,
    ") UPDATE calls SET ended_at = v.at, end_cause = v.cause, basis = COALESCE(v.basis, calls.basis), \
     basis_detail = CASE WHEN v.basis IS NULL THEN calls.basis_detail ELSE v.detail END, \
     decided_at = COALESCE(v.decided_at, calls.decided_at) FROM v WHERE calls.id = v.id",
);
/// The clock of their recordings begins.
static CLOCKS: Many = Many::items(
    "UPDATE recordings SET call_ended_at = (SELECT c.ended_at FROM calls c WHERE c.id = recordings.call) \
     WHERE call IN (",
    ")",
);
/// With the statistics that came with the end, if they did.
static LEGS_ENDED: Many = Many::rows(
    "WITH v (call, n, at, cause, quality) AS (VALUES ",
    5,
    ") UPDATE legs SET ended_at = v.at, cause = v.cause, quality = COALESCE(v.quality, legs.quality) \
     FROM v WHERE legs.call = v.call AND legs.n = v.n",
);
static QUALITY: Many = Many::rows(
    "WITH v (call, n, quality) AS (VALUES ",
    3,
    ") UPDATE legs SET quality = v.quality FROM v WHERE legs.call = v.call AND legs.n = v.n",
);
static LADDERS: Many =
    Many::rows("INSERT INTO sip_traces (call, messages, cut) VALUES ", 3, " ON CONFLICT (call) DO NOTHING");
static ANONYMISED: Many = Many::items("SELECT id, anonymised_at FROM calls WHERE id IN (", ")");
static BASES: Many = Many::items(
    "SELECT id, CASE WHEN basis_detail IS NULL THEN basis ELSE basis || ': ' || basis_detail END AS basis \
     FROM calls WHERE id IN (",
    ")",
);

impl Pending {
    /// In an order in which no row is missed by another.
    pub(super) async fn write_all(self, with: Writing<'_>) -> Result<(), StoreError> {
        let Writing { connection, dialect, node } = with;
        for lot in lots(&self.calls) {
            let insert = new_calls(dialect, lot, node);
            insert.execute(&mut *connection).await.doing("storing a call")?;
        }
        for lot in lots(&self.legs) {
            new_legs(dialect, lot).execute(&mut *connection).await.doing("storing a leg")?;
        }
        // What was decided behind an end is the later decision.
        ends(connection, dialect, &self.ended).await?;
        for lot in filled(&self.decided) {
            let done = decisions(dialect, lot).execute(&mut *connection).await.doing("changing a row")?;
            if done.rows_affected() < lot.0.len() as u64 {
                let calls: Vec<CallId> = lot.0.iter().map(|(call, _)| *call).collect();
                return Err(missing_call(connection, &calls).await);
            }
        }
        leg_ends(connection, dialect, &self.legs_ended).await?;
        // They come with a call's last facts, which must not fail for them: a leg that was never stored has none.
        for lot in filled(&self.quality) {
            let update = qualities(dialect, lot);
            update.execute(&mut *connection).await.doing("storing a leg's statistics")?;
        }
        for lot in lots(&self.events) {
            let insert = new_events(dialect, lot);
            insert.execute(&mut *connection).await.doing("storing what happened in a call")?;
        }
        ladders(connection, dialect, &self.ladders).await
    }
}

/// Why these calls are recorded or not.
pub(super) fn bases(dialect: Dialect, lot: (&[CallId], usize)) -> Statement {
    items(&BASES, dialect, lot)
}

type Statement = Query<'static, Any, AnyArguments>;

fn items(many: &'static Many, dialect: Dialect, lot: (&[CallId], usize)) -> Statement {
    let statement = sqlx::query(many.text(dialect, lot.1));
    rows_of(lot).fold(statement, |statement, call| statement.bind(call.map(CallId::to_string)))
}

fn new_calls(dialect: Dialect, lot: &[NewCall], node: Option<&str>) -> Statement {
    lot.iter().fold(sqlx::query(CALLS.text(dialect, lot.len())), |insert, new| {
        insert
            .bind(new.call.to_string())
            .bind(new.at.as_micros())
            .bind(number(new.from.as_ref()))
            .bind(new.dialled.clone())
            .bind(new.trunk.as_ref().map(|trunk| trunk.0.clone()))
            .bind(new.queue.0.clone())
            .bind(new.queue.0.clone())
            .bind(new.language.clone())
            .bind(node.map(str::to_owned))
    })
}

fn new_legs(dialect: Dialect, lot: &[NewLeg]) -> Statement {
    lot.iter().fold(sqlx::query(LEGS.text(dialect, lot.len())), |insert, new| {
        insert
            .bind(new.leg.call.to_string())
            .bind(i64::from(new.leg.n))
            .bind(new.agent.as_ref().map(|agent| agent.0.clone()))
            .bind(new.dialled_at.as_micros())
            .bind(new.connected_at.map(Timestamp::as_micros))
            .bind(new.direction)
            .bind(new.trunk.as_ref().map(|trunk| trunk.0.clone()))
            .bind(number(new.outside.as_ref()))
    })
}

fn new_events(dialect: Dialect, lot: &[(CallId, Timestamp, Event)]) -> Statement {
    lot.iter().fold(sqlx::query(EVENTS.text(dialect, lot.len())), |insert, (call, at, event)| {
        insert
            .bind(call.to_string())
            .bind(at.as_micros())
            .bind(event.kind)
            .bind(event.agent.as_ref().map(|agent| agent.0.clone()))
            .bind(event.queue.as_ref().map(|queue| queue.0.clone()))
            .bind(event.detail.clone())
            .bind(event.note.clone())
            .bind(number(event.outside.as_ref()))
    })
}

fn decisions(dialect: Dialect, lot: (&[(CallId, Decision)], usize)) -> Statement {
    rows_of(lot).fold(sqlx::query(DECIDED.text(dialect, lot.1)), |update, row| {
        update
            .bind(row.map(|(call, _)| call.to_string()))
            .bind(row.map(|(_, decision)| decision.word.to_owned()))
            .bind(row.and_then(|(_, decision)| decision.detail.clone()))
            .bind(row.map(|(_, decision)| decision.at.as_micros()))
    })
}

fn qualities(dialect: Dialect, lot: (&[(LegId, String)], usize)) -> Statement {
    rows_of(lot).fold(sqlx::query(QUALITY.text(dialect, lot.1)), |update, row| {
        update
            .bind(row.map(|(leg, _)| leg.call.to_string()))
            .bind(row.map(|(leg, _)| i64::from(leg.n)))
            .bind(row.map(|(_, quality)| quality.clone()))
    })
}

async fn ends(connection: &mut AnyConnection, dialect: Dialect, ended: &[End]) -> Result<(), StoreError> {
    for lot in filled(ended) {
        let update = rows_of(lot).fold(sqlx::query(ENDED.text(dialect, lot.1)), |update, end| {
            let decision = end.and_then(|end| end.decision.as_ref());
            update
                .bind(end.map(|end| end.call.to_string()))
                .bind(end.map(|end| end.at.as_micros()))
                .bind(end.map(|end| end.cause.to_owned()))
                .bind(decision.map(|decision| decision.word.to_owned()))
                .bind(decision.and_then(|decision| decision.detail.clone()))
                .bind(decision.map(|decision| decision.at.as_micros()))
        });
        let done = update.execute(&mut *connection).await.doing("changing a row")?;
        if done.rows_affected() < lot.0.len() as u64 {
            let calls: Vec<CallId> = lot.0.iter().map(|end| end.call).collect();
            return Err(missing_call(connection, &calls).await);
        }
    }
    let calls: Vec<CallId> = ended.iter().map(|end| end.call).collect();
    for lot in filled(&calls) {
        let update = items(&CLOCKS, dialect, lot);
        update.execute(&mut *connection).await.doing("starting the clock of recordings")?;
    }
    Ok(())
}

async fn leg_ends(
    connection: &mut AnyConnection,
    dialect: Dialect,
    ended: &[LegEnd],
) -> Result<(), StoreError> {
    for lot in filled(ended) {
        let update = rows_of(lot).fold(sqlx::query(LEGS_ENDED.text(dialect, lot.1)), |update, end| {
            update
                .bind(end.map(|end| end.leg.call.to_string()))
                .bind(end.map(|end| i64::from(end.leg.n)))
                .bind(end.map(|end| end.at.as_micros()))
                .bind(end.map(|end| end.cause.to_owned()))
                .bind(end.and_then(|end| end.quality.clone()))
        });
        let done = update.execute(&mut *connection).await.doing("changing a row")?;
        if done.rows_affected() < lot.0.len() as u64 {
            return Err(missing_leg(connection, lot.0).await);
        }
    }
    Ok(())
}

/// Keeps what was said in calls, once; not of one that is anonymised.
async fn ladders(
    connection: &mut AnyConnection,
    dialect: Dialect,
    ladders: &[(CallId, String, bool)],
) -> Result<(), StoreError> {
    let calls: Vec<CallId> = ladders.iter().map(|(call, ..)| *call).collect();
    for lot in filled(&calls) {
        let select = items(&ANONYMISED, dialect, lot);
        let rows = select.fetch_all(&mut *connection).await.doing("looking at a call")?;
        let mut found = HashSet::new();
        for row in &rows {
            let (call, at) = (call_of(row)?, row.try_get::<Option<i64>, _>("anonymised_at"));
            if at.map_err(|_| StoreError::Corrupt { table: "calls", column: "anonymised_at" })?.is_some() {
                let (state, wanted) = ("anonymised".to_owned(), "given its SIP messages");
                return Err(StoreError::State { what: "call", id: call.to_string(), state, wanted });
            }
            found.insert(call);
        }
        if let Some(missing) = lot.0.iter().find(|call| !found.contains(call)) {
            return Err(StoreError::Missing { what: "call", id: missing.to_string() });
        }
    }
    for lot in lots(ladders) {
        let insert = lot.iter().fold(sqlx::query(LADDERS.text(dialect, lot.len())), |insert, row| {
            let (call, messages, cut) = row;
            insert.bind(call.to_string()).bind(messages.clone()).bind(i64::from(*cut))
        });
        insert.execute(&mut *connection).await.doing("storing a call's SIP messages")?;
    }
    Ok(())
}

/// Which of these calls there is not.
async fn missing_call(connection: &mut AnyConnection, calls: &[CallId]) -> StoreError {
    let mut id = String::new();
    for call in calls {
        id = call.to_string();
        let select = sqlx::query("SELECT 1 FROM calls WHERE id = $1").bind(id.clone());
        match select.fetch_optional(&mut *connection).await.doing("looking for a call") {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => return error,
        }
    }
    StoreError::Missing { what: "call", id }
}

/// Which of these legs there is not.
async fn missing_leg(connection: &mut AnyConnection, legs: &[LegEnd]) -> StoreError {
    let mut id = String::new();
    for LegEnd { leg, .. } in legs {
        id = leg.to_string();
        let select = sqlx::query("SELECT 1 FROM legs WHERE call = $1 AND n = $2");
        let select = select.bind(leg.call.to_string()).bind(i64::from(leg.n));
        match select.fetch_optional(&mut *connection).await.doing("looking for a leg") {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => return error,
        }
    }
    StoreError::Missing { what: "leg", id }
}

pub(super) fn call_of(row: &AnyRow) -> Result<CallId, StoreError> {
    let id: Option<String> = row.try_get("id").ok();
    id.and_then(|id| id.parse().ok()).ok_or(StoreError::Corrupt { table: "calls", column: "id" })
}

fn number(number: Option<&PhoneNumber>) -> Option<String> {
    number.map(|number| number.as_e164().to_owned())
}
