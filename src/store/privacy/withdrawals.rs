//! Withdrawals by a word to us as messages to all nodes: the caller may have calls that go on anywhere.

use std::time::Duration;

use crate::audit::Actor;
use crate::ids::{PhoneNumber, Redacted};
use crate::store::Store;
use crate::store::error::{Doing as _, StoreError};
use crate::store::query::Cells;
use crate::store::writer::Work;
use crate::time::Timestamp;

/// How long such a message stays: a node that was away from its database for longer has told so loudly.
const KEPT: Duration = Duration::from_secs(86_400);

/// A withdrawal that a node has to look at its calls for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Its place in the order of all.
    pub n: i64,
    /// Whose, E.164.
    pub number: Redacted<String>,
    /// When: consents given until then are taken back.
    pub at: Timestamp,
    /// The user who entered it.
    pub by: String,
}

impl Work<'_> {
    /// Leaves the message for all nodes.
    pub(super) async fn tell_nodes(
        &mut self,
        number: &PhoneNumber,
        by: &Actor,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const DOING: &str = "telling nodes of a withdrawal";
        // The row's lock is held until the commit: no smaller number comes after a greater one was seen.
        let draw = "UPDATE consent_withdrawals_last SET n = n + 1 WHERE id = 1 RETURNING n";
        let n: i64 = sqlx::query_scalar(draw).fetch_one(&mut *self.connection).await.doing(DOING)?;
        let insert = "INSERT INTO consent_withdrawals (n, number, at, by_user) VALUES ($1, $2, $3, $4)";
        let insert = sqlx::query(insert).bind(n).bind(number.as_e164().to_owned()).bind(at.as_micros());
        let insert = insert.bind(by.name().unwrap_or_default().to_owned());
        insert.execute(&mut *self.connection).await.map(drop).doing(DOING)
    }

    /// Removes messages whose time is over by now.
    pub(super) async fn withdrawals_gone(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let delete = "DELETE FROM consent_withdrawals WHERE at < $1";
        let delete = sqlx::query(delete).bind((now - KEPT).as_micros());
        delete.execute(&mut *self.connection).await.map(drop).doing("removing withdrawals that were told")
    }
}

impl Store {
    /// Withdrawals by a word to us behind the `n`th, in their order.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn withdrawals_since(&self, n: i64) -> Result<Vec<Withdrawal>, StoreError> {
        let select = "SELECT n, number, at, by_user FROM consent_withdrawals WHERE n > $1 ORDER BY n";
        let rows = sqlx::query(select).bind(n).fetch_all(&self.read).await.doing("reading withdrawals")?;
        let read = |row| {
            let cells = Cells { table: "consent_withdrawals", row };
            let (n, number) = (cells.get("n")?, Redacted(cells.get("number")?));
            Ok(Withdrawal { n, number, at: cells.time("at")?, by: cells.get("by_user")? })
        };
        rows.iter().map(read).collect()
    }

    /// Whether there are messages whose time is over by now.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn withdrawals_over(&self, now: Timestamp) -> Result<bool, StoreError> {
        let select = "SELECT 1 FROM consent_withdrawals WHERE at < $1 LIMIT 1";
        let over = sqlx::query(select).bind((now - KEPT).as_micros()).fetch_optional(&self.read).await;
        Ok(over.doing("looking for withdrawals that were told")?.is_some())
    }

    /// How many calls of a number go on at other nodes that have, or may get, a consent: each node looks by itself.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn calls_elsewhere(&self, number: &PhoneNumber) -> Result<u64, StoreError> {
        let select = "SELECT COUNT(*) FROM calls c WHERE c.from_number = $1 AND c.ended_at IS NULL AND c.node <> $2 \
                      AND (c.basis IS NULL OR c.basis IN ('agreed', 'agreed-earlier'))";
        let count = sqlx::query_scalar(select).bind(number.as_e164().to_owned());
        let count = count.bind(self.node().unwrap_or_default().to_owned());
        let count: i64 = count.fetch_one(&self.read).await.doing("counting calls that go on")?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}
