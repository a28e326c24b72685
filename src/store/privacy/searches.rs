//! What was looked for: the words are in the audit log under a key of the search's own, which is destroyed with whom it found.

use sqlx::AssertSqlSafe;

use crate::audit::{Actor, AuditEvent, Class, Object, Person, Value};
use crate::ids::{Redacted, TaskId};
use crate::store::Store;
use crate::store::error::{Doing as _, StoreError};
use crate::store::persons::LogRows;
use crate::store::query::count;
use crate::store::writer::Work;
use crate::time::Timestamp;

use super::search::Found;
use super::tasks::of;

/// What the audit log calls it.
const PRIVACY: &str = "privacy";
/// Searches that are forgotten at a time.
const LOT: i64 = 100;

/// What the audit log calls a search.
fn object_of(search: &str) -> String {
    format!("search-{search}")
}

impl Found {
    /// Whom it found, by the ids of calls and entries.
    #[must_use]
    pub fn whom(&self) -> Vec<String> {
        let calls = self.calls.iter().map(|found| found.call.id.to_string());
        calls.chain(self.entries.iter().map(|entry| entry.id.to_string())).collect()
    }
}

impl Work<'_> {
    pub(super) async fn searched(
        &mut self,
        search: &str,
        words: &Redacted<String>,
        by: &Actor,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let insert =
            sqlx::query("INSERT INTO privacy_searches (id, at) VALUES ($1, $2)").bind(search.to_owned());
        let insert = insert.bind(at.as_micros()).execute(&mut *self.connection).await;
        insert.doing("storing a search")?;
        let what = Object::new(PRIVACY, object_of(search));
        let event = AuditEvent::new(Class::Read, by.clone(), at, "privacy.searched", what);
        self.audit(event.new_value(Some(Value::Personal(words.0.clone()))));
        Ok(())
    }

    pub(super) async fn search_found(&mut self, search: &str, whom: &[String]) -> Result<(), StoreError> {
        const DOING: &str = "storing whom a search found";
        for lot in whom.chunks(50) {
            let rows: Vec<String> = (0..lot.len()).map(|n| format!("($1, ${})", n + 2)).collect();
            let insert = format!(
                "INSERT INTO privacy_search_found (search, what) VALUES {} ON CONFLICT DO NOTHING",
                rows.join(", ")
            );
            let mut insert = sqlx::query(AssertSqlSafe(insert)).bind(search.to_owned());
            for one in lot {
                insert = insert.bind(one.clone());
            }
            insert.execute(&mut *self.connection).await.doing(DOING)?;
        }
        let update =
            sqlx::query("UPDATE privacy_searches SET found = $2 WHERE id = $1").bind(search.to_owned());
        let update = update.bind(count(whom.len() as u64)).execute(&mut *self.connection).await;
        update.map(drop).doing(DOING)
    }

    /// Destroys the words of searches, and forgets whom they found.
    pub(super) async fn searches_gone(&mut self, searches: &[String]) -> Result<(), StoreError> {
        for search in searches {
            self.erase_person(&Person::object(PRIVACY, object_of(search)), &Actor::System).await?;
            // A number that was typed whole is sealed under the number's key.
            self.erase_rows_of(&object_of(search), LogRows::All).await?;
            for delete in [
                "DELETE FROM privacy_search_found WHERE search = $1",
                "DELETE FROM privacy_searches WHERE id = $1",
            ] {
                let delete = sqlx::query(delete).bind(search.clone()).execute(&mut *self.connection).await;
                delete.doing("forgetting a search")?;
            }
        }
        Ok(())
    }
}

impl Store {
    /// Some searches that found a call that this task erased, or an entry.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn searches_for(&self, task: TaskId) -> Result<Vec<String>, StoreError> {
        let select = "SELECT DISTINCT f.search FROM privacy_search_found f WHERE f.what IN (\
                      SELECT call FROM privacy_task_calls WHERE task = $1 AND state = 'done' \
                      UNION SELECT e.entry FROM privacy_task_entries e WHERE e.task = $1 \
                      AND NOT EXISTS (SELECT 1 FROM directory d WHERE d.id = e.entry)) LIMIT $2";
        let rows = of(select, task).bind(LOT).fetch_all(&self.read).await.doing("looking for searches")?;
        read(&rows)
    }

    /// Some searches that found nobody, from before.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn searches_in_vain(&self, before: Timestamp) -> Result<Vec<String>, StoreError> {
        let select =
            "SELECT id AS search FROM privacy_searches WHERE found = 0 AND at < $1 ORDER BY at LIMIT $2";
        let rows = sqlx::query(select).bind(before.as_micros()).bind(LOT).fetch_all(&self.read).await;
        read(&rows.doing("looking for searches")?)
    }
}

fn read(rows: &[sqlx::any::AnyRow]) -> Result<Vec<String>, StoreError> {
    rows.iter()
        .map(|row| crate::store::query::Cells { table: "privacy_searches", row }.get("search"))
        .collect()
}
