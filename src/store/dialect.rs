//! All that differs between one kind of database and another.

use std::fs::{OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::AnyConnectOptions;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AnyConnection, Executor as _, Row as _};

use crate::ids::Redacted;

use super::error::{Doing as _, StoreError};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// How long a connection waits for another's lock, in milliseconds.
const BUSY_TIMEOUT: &str = "PRAGMA busy_timeout = 10000";

/// The oldest PostgreSQL that is tested, as `server_version_num` tells it.
const OLDEST_POSTGRES: i64 = 150_000;

/// How often, and how long apart, it is looked whether older transactions have ended.
const OLDER_LOOKS: u32 = 200;
const OLDER_AGAIN: Duration = Duration::from_millis(100);

/// What may stand behind the `?` of a PostgreSQL URL. sqlx ignores what it does not know and logs it with its
/// value, which may be a password.
const POSTGRES_KEYS: [&str; 12] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "statement-cache-capacity",
];

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// One file, one node.
    Sqlite,
    /// A server, as many nodes as one likes.
    Postgres,
}

/// Where a database is.
#[derive(Clone, Debug)]
pub(super) struct Location {
    pub(super) dialect: Dialect,
    /// The URL as sqlx takes it. It may hold a password.
    pub(super) url: Redacted<String>,
    file: Option<PathBuf>,
}

impl Location {
    /// What a URL names. A text without a scheme is a path.
    pub(super) fn of(url: &str) -> Result<Self, StoreError> {
        let is_scheme = |text: &str| text.len() > 1 && text.chars().all(|c| c.is_ascii_alphanumeric());
        let path = match url.split_once(':') {
            Some(("postgres" | "postgresql", _)) => return Self::of_server(url),
            Some(("sqlite", rest)) => rest.strip_prefix("//").unwrap_or(rest),
            Some((scheme, rest)) if is_scheme(scheme) || rest.starts_with("//") => {
                return Err(StoreError::Unsupported { url: scheme.to_owned() });
            }
            Some(_) | None => url,
        };
        // A database in memory would be another one on every connection.
        if path.is_empty() || path.starts_with(':') {
            return Err(StoreError::Unsupported { url: url.to_owned() });
        }
        let path = std::path::absolute(path).map_err(|source| file_error(path.as_ref(), source))?;
        // What means something in a URL is escaped.
        let escaped = path.display().to_string().replace('%', "%25");
        let url = format!("sqlite://{}", escaped.replace('?', "%3F").replace('#', "%23"));
        Ok(Self { dialect: Dialect::Sqlite, url: Redacted(url), file: Some(path) })
    }

    fn of_server(text: &str) -> Result<Self, StoreError> {
        // What these errors say is about the form of the URL; they quote no password.
        let wrong = |error: sqlx::Error| {
            let said = error.to_string();
            StoreError::Url(said.trim_start_matches("error with configuration: ").to_owned())
        };
        let mut url = AnyConnectOptions::from_str(text).map_err(wrong)?.database_url;
        let keys: Vec<String> = url.query_pairs().map(|(key, _)| key.into_owned()).collect();
        let known = |key: &String| POSTGRES_KEYS.contains(&key.as_str()) || key.starts_with("options[");
        if let Some(unknown) = keys.iter().find(|key| !known(key)) {
            let what = format!("`{unknown}` is no parameter; those are {}", POSTGRES_KEYS.join(", "));
            return Err(StoreError::Url(what));
        }
        if url.path().trim_matches('/').is_empty() && !keys.iter().any(|key| key == "dbname") {
            return Err(StoreError::Url("it names no database".to_owned()));
        }
        if url.fragment().is_some() {
            return Err(StoreError::Url("a `#` ends it".to_owned()));
        }
        PgConnectOptions::from_str(url.as_str()).map_err(wrong)?;
        if !keys.iter().any(|key| key == "application_name") {
            url.query_pairs_mut().append_pair("application_name", "sayso");
        }
        Ok(Self { dialect: Dialect::Postgres, url: Redacted(url.into()), file: None })
    }

    /// Makes SQLite's file if it is not there. Only its owner may read it: it holds numbers and password
    /// hashes. SQLite gives the files beside it (`-wal`, `-shm`) the same rights.
    pub(super) fn prepare(&self) -> Result<(), StoreError> {
        let Some(path) = &self.file else { return Ok(()) };
        make_private(path).map_err(|source| file_error(path, source))
    }
}

impl Dialect {
    /// Whether the server is one that Sayso can work with.
    pub(super) async fn check(self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        match self {
            Self::Sqlite => return Ok(()),
            Self::Postgres => {}
        }
        let select = "SELECT current_setting('server_version_num')::int8 AS version, \
                      current_setting('server_version') AS name, current_setting('server_encoding') AS encoding, \
                      current_setting('fsync') AS fsync, pg_is_in_recovery() AS standby";
        let row = connection.fetch_one(select).await.doing("asking the database what it is")?;
        let get = |column| row.try_get::<String, _>(column).doing("asking the database what it is");
        let version: i64 = row.try_get("version").doing("asking the database what it is")?;
        if version < OLDEST_POSTGRES {
            let is = get("name")?;
            return Err(StoreError::Server(format!("is version {is}: version 15 or newer is needed")));
        }
        let encoding = get("encoding")?;
        if encoding != "UTF8" {
            let what = format!("holds a database in {encoding}: make one with ENCODING 'UTF8'");
            return Err(StoreError::Server(what));
        }
        if row.try_get("standby").doing("asking the database what it is")? {
            return Err(StoreError::Server("is a standby: give the address of the primary".to_owned()));
        }
        if get("fsync")? == "off" {
            tracing::warn!("PostgreSQL runs with fsync = off: what is stored may be lost with the power");
        }
        Ok(())
    }

    /// Sets up each new connection.
    pub(super) async fn set_up(self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        let statements: &[&'static str] = match self {
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
            // In one message. A node that hangs within a transaction may hold the end of the audit chain: the
            // server ends it, and those that wait try again. Durable on commit; what is stricter than `on`
            // (synchronous standbys) is left to the operator.
            Self::Postgres => &["SET default_transaction_isolation = 'read committed'; \
                 SET client_min_messages = warning; \
                 SET lock_timeout = '5s'; \
                 SET statement_timeout = '60s'; \
                 SET idle_in_transaction_session_timeout = '10s'; \
                 SELECT set_config('synchronous_commit', 'on', false) \
                     WHERE current_setting('synchronous_commit') = 'off'"],
        };
        for statement in statements {
            connection.execute(*statement).await?;
        }
        Ok(())
    }

    /// Sets up each connection for reading, after [`Dialect::set_up`].
    pub(super) async fn set_up_reader(self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        self.set_up(connection).await?;
        match self {
            Self::Sqlite => Ok(()),
            // Lists are `$1 IS NULL OR …`: only a plan for the values at hand knows which index fits.
            Self::Postgres => connection.execute("SET plan_cache_mode = force_custom_plan").await.map(drop),
        }
    }

    /// The migrations.
    pub(super) fn migrator(self) -> &'static Migrator {
        match self {
            Self::Sqlite => &SQLITE,
            Self::Postgres => &POSTGRES,
        }
    }

    /// Begins a transaction that writes. SQLite must take the write lock at once: one that read first
    /// could not wait for it later. In PostgreSQL each statement sees what others have committed by then;
    /// who must not be overtaken locks a row first: the head of the audit chain, the generation of settings.
    pub(super) const fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        }
    }

    /// Behind a SELECT: nobody else changes the rows it found until the transaction ends, nor reads them by this. A
    /// transaction of SQLite that writes is alone anyway.
    pub(super) const fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE",
        }
    }

    /// Behind a SELECT: nobody changes the rows it found until the transaction ends; others may read them by this too.
    pub(super) const fn for_share(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR SHARE",
        }
    }

    /// Units of work in one transaction at most: bounds how long the first one waits for the rest.
    /// PostgreSQL keeps 64 savepoints of a transaction at hand; with more, all others' reads get slower.
    pub(super) const fn together(self) -> usize {
        match self {
            Self::Sqlite => 256,
            Self::Postgres => 60,
        }
    }

    /// How long a transaction may take until its connection is given up; a file answers or fails by itself.
    pub(super) const fn transaction_limit(self) -> Option<Duration> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some(Duration::from_secs(15)),
        }
    }

    /// How long a reader waits for a connection. Longer than others' locks are held; where the database can
    /// go away, calls wait for what they can do without, such as an earlier consent.
    pub(super) const fn acquire_timeout(self) -> Duration {
        match self {
            Self::Sqlite => Duration::from_secs(10),
            Self::Postgres => Duration::from_secs(2),
        }
    }

    /// Whether a reader's connection is tried before it is used. A server may have gone since; a file has not, and each
    /// try is a switch to another thread and back.
    pub(super) const fn tests_readers(self) -> bool {
        match self {
            Self::Sqlite => false,
            Self::Postgres => true,
        }
    }

    /// Whether the error is of the moment: the server is away, starts, stops, has become a standby, or this
    /// transaction lost against another. The same work on a new connection may do.
    pub(super) fn passes(self, error: &sqlx::Error) -> bool {
        match self {
            // As it is waited for locks within SQLite, and a file does not come back.
            Self::Sqlite => return false,
            Self::Postgres => {}
        }
        let of_connection =
            matches!(error, sqlx::Error::Protocol(_) | sqlx::Error::BeginFailed | sqlx::Error::PoolTimedOut);
        let code = error.as_database_error().and_then(|error| error.code());
        // What is not as it should be is a certificate, which stays so.
        let io = matches!(error, sqlx::Error::Io(error) if error.kind() != io::ErrorKind::InvalidData);
        of_connection
            || io
            || code.is_some_and(|code| {
                // Connection, rolled back, shut down or started; then: too many connections, read-only,
                // idle in transaction for too long, lock or statement timeout.
                ["08", "40", "57P"].iter().any(|class| code.starts_with(class))
                    || ["53300", "25006", "25P03", "55P03", "57014"].contains(&code.as_ref())
            })
    }

    /// Whether nobody knows what became of a transaction whose COMMIT got no answer or an error for one.
    pub(super) const fn leaves_doubt(self) -> bool {
        match self {
            Self::Sqlite => false,
            Self::Postgres => true,
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
            // Its log is beyond reach; its old row versions go by `shred_tables`, which waits for others and so is not
            // the writer's work.
            Self::Postgres => Ok(true),
        }
    }

    /// What holds deleted keys and cannot be cleared by us, in words for a certificate; `None`: nothing does.
    pub(super) const fn beyond_shredding(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some(
                "PostgreSQL's write-ahead log, standbys, backups and freed disk blocks: the wrapped key in them opens \
                 for nobody once `sayso keys rotate` has ended the key it was wrapped by",
            ),
        }
    }

    /// Clears old row versions of the tables that held wrapped keys, on a connection that is not used again.
    pub(super) async fn shred_tables(self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        match self {
            Self::Sqlite => return Ok(()),
            Self::Postgres => {}
        }
        const DOING: &str = "removing destroyed keys from the tables";
        connection.execute("SET statement_timeout = 0; SET lock_timeout = '30s'").await.doing(DOING)?;
        // A transaction that is older than the destruction still sees the key, and so does one that began beside it.
        for _ in 0..2 {
            older_ones_end(connection).await?;
        }
        for table in [
            "VACUUM (TRUNCATE FALSE) recordings",
            "VACUUM (TRUNCATE FALSE) keks",
            "VACUUM (TRUNCATE FALSE) persons",
            "VACUUM (TRUNCATE FALSE) audit_sealed",
            "VACUUM (TRUNCATE FALSE) audit_personal",
        ] {
            connection.execute(table).await.doing(DOING)?;
        }
        Ok(())
    }
}

/// Waits until all transactions of this database that are there now have ended.
async fn older_ones_end(connection: &mut AnyConnection) -> Result<(), StoreError> {
    const DOING: &str = "waiting for transactions that still see destroyed keys";
    let now: String =
        sqlx::query_scalar("SELECT now()::text").fetch_one(&mut *connection).await.doing(DOING)?;
    for _ in 0..OLDER_LOOKS {
        let older = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                     AND pid <> pg_backend_pid() AND backend_type = 'client backend' \
                     AND xact_start < $1::text::timestamptz";
        let older: i64 =
            sqlx::query_scalar(older).bind(now.clone()).fetch_one(&mut *connection).await.doing(DOING)?;
        if older == 0 {
            return Ok(());
        }
        tokio::time::sleep(OLDER_AGAIN).await;
    }
    Err(StoreError::Server(
        "has a transaction that began before a key was destroyed and has not ended: end it, so that the key can be \
         removed from the tables"
            .to_owned(),
    ))
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
