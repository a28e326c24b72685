//! The writer's own connection: made when it is needed, given up when it failed.

use std::io;
use std::time::Duration;

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};

use super::dialect::{Dialect, Location};

/// How long the server may take to take us in.
const CONNECTING: Duration = Duration::from_secs(2);

/// How long such a reading may take, the wait for a connection included.
const READING: Duration = Duration::from_secs(3);

/// See the module. A pool would ask the server before each transaction whether it is there; a transaction
/// that fails tells as much.
#[derive(Debug)]
pub(super) struct Link {
    location: Location,
    connection: Option<AnyConnection>,
    /// One more statement for each new connection.
    more: Option<fn() -> String>,
}

impl Link {
    pub(super) fn new(location: Location) -> Self {
        Self { location, connection: None, more: None }
    }

    /// The same, with one more statement for each new connection.
    #[cfg(test)]
    pub(super) fn with(location: Location, more: fn() -> String) -> Self {
        Self { location, connection: None, more: Some(more) }
    }

    pub(super) const fn dialect(&self) -> Dialect {
        self.location.dialect
    }

    /// The connection, set up.
    pub(super) async fn connection(&mut self) -> Result<&mut AnyConnection, sqlx::Error> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(self.connection.insert(connection))
    }

    async fn connect(&mut self) -> Result<AnyConnection, sqlx::Error> {
        let mut connection = connect(&self.location).await?;
        self.location.dialect.set_up(&mut connection).await?;
        if let Some(more) = self.more {
            connection.execute(AssertSqlSafe(more())).await?;
        }
        Ok(connection)
    }

    /// Gives the connection up: it failed, or nobody knows what it is at.
    pub(super) fn give_up(&mut self) {
        self.connection = None;
    }

    /// Takes leave.
    pub(super) async fn close(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::debug!(%error, "the database was not taken leave of");
        }
    }
}

/// Connects; fails when it takes too long.
pub(super) async fn connect(location: &Location) -> Result<AnyConnection, sqlx::Error> {
    tokio::time::timeout(CONNECTING, AnyConnection::connect(&location.url.0))
        .await
        .unwrap_or_else(|_| Err(no_answer(CONNECTING)))
}

/// Reads what a call or the watch over settings waits for: a server that went without a word is not waited
/// for as long as TCP would.
pub(super) async fn soon<T>(read: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(READING, read).await.unwrap_or_else(|_| Err(no_answer(READING)))
}

/// The server did not answer in time.
pub(super) fn no_answer(within: Duration) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {within:?}")))
}
