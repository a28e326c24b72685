//! Indexes that are made after the rows: one by one they cost five times as much as all at once, and the longer a table the
//! more. Those that forbid a row stay.

use anyhow::{Context as _, Result};
use sqlx::{AnyConnection, AssertSqlSafe, Executor as _, Row as _};

use super::is_sqlite;

/// Takes the indexes away; the statements that make them again.
pub(super) async fn drop_all(database: &mut AnyConnection, url: &str) -> Result<Vec<String>> {
    let select = if is_sqlite(url) {
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql LIKE 'CREATE INDEX%'"
    } else {
        "SELECT CAST(indexname AS TEXT) AS name, indexdef AS sql FROM pg_indexes \
         WHERE schemaname = current_schema() AND indexdef LIKE 'CREATE INDEX%'"
    };
    let mut statements = Vec::new();
    for row in database.fetch_all(select).await.context("reading the indexes")? {
        let (name, sql): (String, String) = (row.try_get("name")?, row.try_get("sql")?);
        database.execute(AssertSqlSafe(format!("DROP INDEX {name}"))).await?;
        statements.push(sql);
    }
    Ok(statements)
}

/// Makes them again, and has the database look at its tables: what is told of one decides by which index it is read; in
/// PostgreSQL, whether an index alone will do.
pub(super) async fn make(database: &mut AnyConnection, url: &str, statements: Vec<String>) -> Result<()> {
    for statement in statements {
        database.execute(AssertSqlSafe(statement)).await.context("making an index")?;
    }
    database.execute(if is_sqlite(url) { "ANALYZE" } else { "VACUUM ANALYZE" }).await?;
    Ok(())
}
