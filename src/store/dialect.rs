//! All that differs between one kind of database and another.

use std::fs::{OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, Executor as _, Row as _};

use super::error::StoreError;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a connection waits for another's lock, in milliseconds.
const BUSY_TIMEOUT: &str = "PRAGMA busy_timeout = 10000";

/// A kind of database.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dialect {
    /// One file, one node.
    Sqlite,
}

impl Dialect {
    /// The kind a URL names, and where it is. A text without a scheme is a path.
    pub(super) fn of(url: &str) -> Result<(Self, PathBuf), StoreError> {
        let is_scheme = |text: &str| text.len() > 1 && text.chars().all(|c| c.is_ascii_alphanumeric());
        let path = match url.split_once(':') {
            Some(("sqlite", rest)) => rest.strip_prefix("//").unwrap_or(rest),
            Some((scheme, _)) if is_scheme(scheme) => {
                return Err(StoreError::Unsupported { url: scheme.to_owned() });
            }
            Some(_) | None => url,
        };
        // A database in memory would be another one on every connection.
        if path.is_empty() || path.starts_with(':') {
            return Err(StoreError::Unsupported { url: url.to_owned() });
        }
        let path = std::path::absolute(path).map_err(|source| file_error(path.as_ref(), source))?;
        Ok((Self::Sqlite, path))
    }

    /// The URL sqlx takes: what means something in a URL is escaped.
    pub(super) fn url(self, path: &Path) -> String {
        match self {
            Self::Sqlite => {
                let escaped = path.display().to_string().replace('%', "%25");
                format!("sqlite://{}", escaped.replace('?', "%3F").replace('#', "%23"))
            }
        }
    }

    /// Makes the file if it is not there. Only its owner may read it: it holds numbers and password
    /// hashes. SQLite gives the files beside it (`-wal`, `-shm`) the same rights.
    pub(super) fn prepare(self, path: &Path) -> Result<(), StoreError> {
        match self {
            Self::Sqlite => make_private(path).map_err(|source| file_error(path, source)),
        }
    }

    /// Sets up each new connection.
    pub(super) async fn set_up(self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        let statements = match self {
            Self::Sqlite => &[
                // First, so that the others wait rather than fail: `sayso apply` may hold the lock.
                BUSY_TIMEOUT,
                "PRAGMA journal_mode = WAL",
                // Durable on commit, also when the power fails.
                "PRAGMA synchronous = FULL",
                "PRAGMA foreign_keys = ON",
                // What is deleted is overwritten: keys of destroyed recordings, erased persons.
                "PRAGMA secure_delete = ON",
            ],
        };
        for statement in statements {
            connection.execute(*statement).await?;
        }
        Ok(())
    }

    /// The migrations.
    pub(super) fn migrator(self) -> &'static Migrator {
        match self {
            Self::Sqlite => &SQLITE,
        }
    }

    /// Begins a transaction that writes. SQLite must take the write lock at once: one that read first
    /// could not wait for it later.
    pub(super) const fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
        }
    }

    /// Removes what was deleted from the write-ahead log too. False: not while somebody reads.
    pub(super) async fn shred(self, connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
        match self {
            Self::Sqlite => {
                // Waiting for readers would keep the writer from its work.
                connection.execute("PRAGMA busy_timeout = 0").await?;
                let row = connection.fetch_one("PRAGMA wal_checkpoint(TRUNCATE)").await;
                connection.execute(BUSY_TIMEOUT).await?;
                row?.try_get::<i64, _>("busy").map(|busy| busy == 0)
            }
        }
    }
}

fn file_error(path: &Path, source: io::Error) -> StoreError {
    StoreError::File { path: path.display().to_string(), source: Arc::new(source) }
}

fn make_private(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(())
}
