//! What can go wrong, and what to do about it.

use std::sync::Arc;

use sqlx::error::ErrorKind;
use sqlx::migrate::MigrateError;

use crate::audit::BrokenLink;

/// Why the store could not do it. Holds no personal data.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names a database that is not supported.
    #[error(
        "{url:?} is no database Sayso can use: give a file, such as sqlite:///var/lib/sayso/sayso.db, or a \
         PostgreSQL server, such as postgres://sayso@db.example/sayso"
    )]
    Unsupported {
        /// Its scheme, or the whole when there is none.
        url: String,
    },
    /// The URL of a PostgreSQL server is wrong.
    #[error(
        "the database's URL: {0}; it is postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full, with \
         signs such as @ : / ? # % in user and password written %40 %3A %2F %3F %23 %25 (better: no password \
         there but in PGPASSWORD or the file PGPASSFILE names)"
    )]
    Url(String),
    /// The server is not one that will do.
    #[error("the PostgreSQL server {0}")]
    Server(String),
    /// The file could not be made or opened.
    #[error("cannot open the database {path}: {source}; check that the folder exists and is writable")]
    File {
        /// Which file.
        path: String,
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// The end of the audit log moved although it was locked.
    #[error("another process writes to the audit log without a lock: is it an older Sayso?")]
    Contended,
    /// The writer's thread could not be started.
    #[error("cannot start a thread for the database: {0}")]
    Thread(Arc<std::io::Error>),
    /// The tables could not be brought up to date.
    #[error("cannot bring the database up to date: {0}; was it written by a newer Sayso?")]
    Migrate(Arc<MigrateError>),
    /// The database refused or could not be reached.
    #[error("{doing}: {source}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Why.
        source: Arc<sqlx::Error>,
    },
    /// A change is about something that is not stored.
    #[error("there is no {what} {id} in the database")]
    Missing {
        /// What it is: `call`, `leg`, `recording`.
        what: &'static str,
        /// Which one.
        id: String,
    },
    /// There are as many of them as there may be.
    #[error("there are too many {what} of {id}")]
    TooMany {
        /// What they are: `notes`.
        what: &'static str,
        /// Of which one.
        id: String,
    },
    /// Something cannot go from its state to the one asked for.
    #[error("{what} {id} is {state}: it cannot be {wanted}")]
    State {
        /// What it is: `recording`, `job`, `key-encryption key`, `reconciliation`.
        what: &'static str,
        /// Which one.
        id: String,
        /// Its state.
        state: String,
        /// The state asked for.
        wanted: &'static str,
    },
    /// Settings were changed by another between comparing and applying.
    #[error("{object} was changed by someone else meanwhile: compare again")]
    Conflict {
        /// Kind and name.
        object: String,
    },
    /// Something stored cannot be read.
    #[error("{table}.{column} holds what Sayso never writes: restore the database from a backup")]
    Corrupt {
        /// Which table.
        table: &'static str,
        /// Which column.
        column: &'static str,
    },
    /// The audit log is not what was written.
    #[error(transparent)]
    Broken(#[from] BrokenLink),
    /// The store was closed.
    #[error("the database is closed")]
    Closed,
}

impl StoreError {
    /// Whether the same changes would be refused again, however often they are tried.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Database { source, .. } => refuses_values(source),
            Self::Missing { .. }
            | Self::State { .. }
            | Self::Conflict { .. }
            | Self::TooMany { .. }
            | Self::Closed => true,
            // What is stored may be put right.
            Self::Corrupt { .. }
            | Self::Broken(_)
            | Self::Unsupported { .. }
            | Self::Url(_)
            | Self::Server(_)
            | Self::File { .. }
            | Self::Contended
            | Self::Thread(_)
            | Self::Migrate(_) => false,
        }
    }
}

/// Whether it is the values that the database does not take: a constraint of the tables, or (SQLSTATE class 22 of
/// PostgreSQL) a text with a NUL, a number out of range.
fn refuses_values(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return matches!(error, sqlx::Error::Encode(_)) };
    let code = error.code().unwrap_or_default();
    error.kind() != ErrorKind::Other
        || (code.len() == 5 && (code.starts_with("22") || code.starts_with("23")))
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        Self::Migrate(Arc::new(error))
    }
}

/// Says what was being done when the database failed.
pub(super) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Database { doing, source: Arc::new(source) })
    }
}
