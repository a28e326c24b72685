//! The servers that share a database: each tells every few seconds that it is there.

use crate::time::Timestamp;

use super::Store;
use super::error::{Doing as _, StoreError};
use super::query::{Cells, count};
use super::writer::Work;

/// A server, by the id of its spool. As a change: it is there; not audited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Its spool's id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Since when it runs.
    pub since: Timestamp,
    /// When it was heard of last.
    pub seen_at: Timestamp,
    /// Calls it has.
    pub calls: u64,
    /// Whether it refuses new ones and is about to stop.
    pub draining: bool,
}

impl Work<'_> {
    /// Writes that a node is there.
    pub(super) async fn node_seen(&mut self, node: &NodeRow) -> Result<(), StoreError> {
        let insert = "INSERT INTO nodes (id, version, since, seen_at, calls, draining) \
                      VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE \
                      SET version = $2, since = $3, seen_at = $4, calls = $5, draining = $6";
        sqlx::query(insert)
            .bind(node.id.clone())
            .bind(node.version.clone())
            .bind(node.since.as_micros())
            .bind(node.seen_at.as_micros())
            .bind(count(node.calls))
            .bind(i64::from(node.draining))
            .execute(&mut *self.connection)
            .await
            .map(drop)
            .doing("storing that a node is there")
    }
}

impl Store {
    /// All nodes that were ever heard of, in order of their ids.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM nodes ORDER BY id").fetch_all(&self.read).await;
        let read = |row| {
            let cells = Cells { table: "nodes", row };
            Ok(NodeRow {
                id: cells.get("id")?,
                version: cells.get("version")?,
                since: cells.time("since")?,
                seen_at: cells.time("seen_at")?,
                calls: cells.number("calls")?.ok_or(cells.corrupt("calls"))?,
                draining: cells.get::<i64>("draining")? == 1,
            })
        };
        rows.doing("reading the nodes")?.iter().map(read).collect()
    }

    /// The node that writes by this store, if it is a server's.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        self.node.get().map(String::as_str)
    }
}
