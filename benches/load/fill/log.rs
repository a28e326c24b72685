//! Rows of the audit log by the store's own writer: four for each of many calls, two of them with a personal value that
//! is sealed under its person's key.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::Result;
use sayso::audit::{Actor, AuditEvent, Class, Object, Value};
use sayso::ids::CallId;
use sayso::store::{Change, Store, Submitted};
use sayso::time::Timestamp;
use ulid::Ulid;

use super::people::number_of;

/// Rows of one unit of work.
pub(crate) const A_UNIT: u64 = 4;
/// Units on their way at once.
const AT_ONCE: usize = 256;
/// A person is told of in so many units.
const UNITS_A_PERSON: u64 = 5;

/// Which values rows have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// Plain ones only.
    Plain,
    /// In two of four rows a personal one.
    Both,
}

/// What was appended.
pub(crate) struct Appended {
    pub(crate) rows: u64,
    pub(crate) took: Duration,
}

impl Appended {
    pub(crate) fn a_second(&self) -> f64 {
        self.rows as f64 / self.took.as_secs_f64().max(1e-9)
    }

    pub(crate) fn sentence(&self) -> String {
        format!(
            "{} rows of the audit log in {:.1} s, {:.0} a second",
            self.rows,
            self.took.as_secs_f64(),
            self.a_second()
        )
    }
}

/// Appends rows, many units on their way at once, as calls do; `tell` hears how many are durable.
pub(crate) async fn append(
    store: &Store,
    rows: u64,
    values: Values,
    mut tell: impl FnMut(u64),
) -> Result<Appended> {
    let first = store.audit_head().await?.seq;
    let began = Instant::now();
    let mut waiting: VecDeque<Submitted> = VecDeque::new();
    let units = rows.div_ceil(A_UNIT);
    for n in 0..units {
        if waiting.len() == AT_ONCE
            && let Some(unit) = waiting.pop_front()
        {
            unit.wait().await?;
            tell((n - AT_ONCE as u64) * A_UNIT);
        }
        waiting.push_back(store.submit(unit(first / A_UNIT + n, values)).await);
    }
    for unit in waiting {
        unit.wait().await?;
    }
    Ok(Appended { rows: units * A_UNIT, took: began.elapsed() })
}

/// What each of some units takes that has the writer to itself, the shortest first.
pub(crate) async fn alone(store: &Store, units: u64, values: Values) -> Result<Vec<Duration>> {
    let first = store.audit_head().await?.seq;
    let mut took = Vec::new();
    for n in 0..units {
        let began = Instant::now();
        store.commit(unit(first + n, values)).await?;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    Ok(took)
}

/// The rows of a call that is asked and recorded.
fn unit(n: u64, values: Values) -> Vec<Change> {
    let at = Timestamp::from_micros(1_700_000_000_000_000 + i64::try_from(n).unwrap_or(0) * 1_000_000);
    let call = CallId::new(Ulid::from_parts(at.as_micros() as u64 / 1_000, u128::from(n)));
    let number = (values == Values::Both).then(|| number_of(n / UNITS_A_PERSON));
    let event = |class, who, seconds: i64, action: &'static str, kind: &'static str| {
        let at = Timestamp::from_micros(at.as_micros() + seconds * 1_000_000);
        AuditEvent::new(class, who, at, action, Object::new(kind, call))
    };
    let plain = |text: &str| Some(Value::Plain(text.to_owned()));
    [
        event(Class::System, Actor::System, 0, "call.arrived", "call")
            .about(number.clone())
            .new_value(plain("support")),
        event(Class::Modify, Actor::Caller, 8, "consent.given", "consent")
            .about(number)
            .new_value(plain("yes")),
        event(Class::System, Actor::System, 9, "call.queued", "call").new_value(plain("support")),
        event(Class::System, Actor::Caller, 90, "call.ended", "call").new_value(plain("hung-up")),
    ]
    .map(Change::Audit)
    .into()
}
