//! The database: migrations, units of work, queries.
//!
//! Everything written goes through [`Store::commit`]: changes with their audit rows, in one
//! transaction, durable when it returns. One writer task takes whatever is waiting and commits it
//! together (see `writer.rs`), so a hundred calls share one `fsync`.
//!
//! It is built on sqlx's `Any` driver, and all SQL is what SQLite and PostgreSQL both take: `$1`
//! placeholders, BIGINT microseconds, TEXT ids, upserts with `ON CONFLICT`, locks by `UPDATE`. So
//! the second database costs a variant of `dialect::Dialect` and a folder of migrations, not a second
//! set of queries; the price is a copy of each row through `Any`'s value type, which is small beside
//! the `fsync`. Columns and what is computed are BIGINT, TEXT, BYTEA or BLOB: `Any` knows few types more.

mod agent;
mod anchor;
mod anonymise;
mod audit;
mod call;
mod change;
mod dialect;
mod error;
mod history;
mod hold;
mod job;
mod kek;
mod link;
mod listening;
mod login;
mod many;
mod node;
mod page;
mod particulars;
mod pending;
mod people;
mod persons;
mod privacy;
mod prompts;
mod query;
mod reconcile;
mod reconciliation;
mod recorded;
mod recording;
mod recording_list;
mod recordings;
mod removal;
mod report;
mod retention;
mod rows;
mod rules;
mod select;
mod settings;
mod simulation;
mod spool;
mod tally;
#[cfg(test)]
mod tests;
mod token;
mod trace;
mod webhook;
mod writer;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, Connection as _};
use tokio::sync::oneshot;

use crate::time::Clock;

pub use anchor::{AnchorChange, AnchorPlace, AnchorRow, AnchorState, AnchorTurn};
pub use anonymise::AnonymiseChange;
pub use audit::AuditFilter;
pub use change::*;
pub use error::StoreError;
pub use history::{CallFilter, CallState, ConsentFilter};
pub use hold::HoldChange;
pub use job::{JobChange, JobFigures, JobFilter, JobKind, JobRow, Progress};
pub use kek::{KekChange, KekProvider, KekRow, KekState};
pub use listening::ListeningFilter;
pub use login::{FactorRow, Identity, LoginChange};
pub use node::NodeRow;
pub use page::{BadCursor, Cursor, Order, Page, Place};
pub use particulars::ParticularsChange;
pub use people::{SessionRow, SignedIn};
pub use privacy::{
    CallFound, ConsentsToExport, EntryRow, ExportedConsent, Found, Imported, MOST_FOUND, NewTask, PeopleStep,
    PrivacyChange, RecordingFound, TaskCall, TaskCounts, TaskFile, TaskKind, TaskRow, TaskState, Unfinished,
    Whose, Withdrawal,
};
pub use prompts::{PromptChange, PromptDone, PromptSound, PromptVersionRow, Replaces};
pub use query::Filter;
pub use reconciliation::{Finding, FindingRow, ReconciliationChange, ReconciliationRow, ReconciliationState};
pub use recorded::{RecordedFile, RecordedGap, RecordingChange, StoredObject, WITHDRAWAL};
pub use recording_list::RecordingFilter;
pub use removal::Removal;
pub use report::{By, CallFigures, ConsentFigures, Counted, QUARTER};
pub use retention::{Amount, Behind, KeptKind, Swept};
pub use rows::*;
pub use select::Sight;
pub use settings::VersionedSettings;
pub use simulation::{DAYS, Example, Impact, Simulation, TimelineDay};
pub use spool::{Adoption, SpoolRow};
pub use token::TokenRow;
pub use trace::{Ladder, Rung};
pub use webhook::{Delivery, DeliveryEnd, DeliveryState, WebhookChange};

use dialect::{Dialect, Location};
use error::Doing as _;
use link::Link;
use persons::Secret;
use tally::Tallies;
use writer::{Job, Jobs, Patience, Writer, queue};

/// Connections for reading; writing has one of its own, so reports cannot starve it.
const READERS: u32 = 4;

/// Units of work that may wait for the writer before [`Store::commit`] itself waits. At ten thousand
/// commits a second this is a tenth of a second of them.
const WAITING: usize = 1_024;

/// How long a server is waited for at start, and how long between two tries.
const STARTING: Duration = Duration::from_secs(10);
const BETWEEN: Duration = Duration::from_millis(250);

/// A unit of work on its way; see [`Store::submit`].
#[derive(Debug)]
#[must_use = "a unit of work is durable only when `wait` says so"]
pub struct Submitted(oneshot::Receiver<Result<(), StoreError>>);

impl Submitted {
    /// Waits until it is durable.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn wait(self) -> Result<(), StoreError> {
        self.0.await.map_err(|_| StoreError::Closed)?
    }
}

/// The database. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    read: AnyPool,
    dialect: Dialect,
    jobs: Jobs,
    /// See [`Store::of_node`]; shared with the writer.
    node: Node,
    /// What persons are looked up by.
    secret: Secret,
    tallies: Tallies,
}

/// The spool of the node that writes, once it is known.
type Node = Arc<OnceLock<String>>;

impl Store {
    /// Opens the database of `url` (`sqlite:///var/lib/sayso/sayso.db`; a plain path will do;
    /// `postgres://sayso@db.example/sayso`), makes SQLite's file if it is not there (readable by its owner
    /// only), brings the tables up to date, and starts the writer on a thread of its own. Sayso owns
    /// the database: a PostgreSQL one must exist, be in UTF-8, and its user may make tables and functions
    /// there. Connections are set up by `SET`, so what stands between must pool sessions, not transactions.
    ///
    /// # Errors
    /// When it cannot be opened or reached, belongs to a newer Sayso, or names a kind of database that is not
    /// supported.
    pub async fn open(url: &str, clock: Clock) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let location = Location::of(url)?;
        location.prepare()?;
        let dialect = location.dialect;
        let mut first = at_start(&location).await?;
        dialect.check(&mut first).await?;
        dialect.set_up(&mut first).await.doing("opening the database")?;
        dialect.migrator().run(&mut first).await.map_err(StoreError::from)?;
        let secret = Secret::of(&mut first).await?;
        persons::seal_old(&mut first, dialect, &secret).await?;
        first.close().await.doing("opening the database")?;
        let pool = AnyPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(dialect.acquire_timeout())
            .test_before_acquire(dialect.tests_readers())
            .after_connect(move |connection, _| Box::pin(dialect.set_up_reader(connection)));
        let read = pool.connect(&location.url.0).await.doing("opening the database")?;
        let (jobs, queue) = queue(WAITING, dialect.together(), Patience::USUAL);
        let node = Node::default();
        let writer = Writer::new(Link::new(location), clock, queue, Arc::clone(&node), secret.clone());
        // A thread of its own: each statement goes to the database and back, and waking a runtime's worker for
        // that is dearer (figures in ARCHITECTURE.md). With a runtime of its own, it is also this thread that
        // waits for the server's socket.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| StoreError::Thread(Arc::new(source)))?;
        let spawned = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || runtime.block_on(writer.run()));
        spawned.map_err(|source| StoreError::Thread(Arc::new(source)))?;
        Ok(Self { read, dialect, jobs, node, secret, tallies: Tallies::new(clock) })
    }

    /// Says whose calls arrive by this store and its clones: those of the node with this spool. When that node starts
    /// again, it ends the calls it died in and leaves those of other nodes alone ([`Store::calls_unfinished`]). Once,
    /// before the first call; a second name has no effect.
    pub fn of_node(&self, spool: &str) {
        if self.node.get_or_init(|| spool.to_owned()) != spool {
            tracing::error!("the store belongs to another node already");
        }
    }

    /// Whether `url` names a database, and how it would be opened is written well; nothing is opened.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(url: &str) -> Result<(), StoreError> {
        Location::of(url).map(drop)
    }

    /// Applies all changes, or none, with their audit rows. Durable when it returns. Waits while too
    /// many others wait; give it a time limit where waiting is no option (the changes may then still
    /// be applied later).
    ///
    /// # Errors
    /// When a change does not fit what is stored, or the database refuses; nothing was applied then.
    pub async fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.hand_over(changes, true).await.wait().await
    }

    /// The first half of [`Store::commit`]: the unit of work has its place in the writer's queue when
    /// this returns, so units submitted one after the other are applied in that order. What no step of a call, no page
    /// and no person waits for may wait for others there, a fifth of a second at most.
    pub async fn submit(&self, changes: Vec<Change>) -> Submitted {
        self.hand_over(changes, false).await
    }

    async fn hand_over(&self, changes: Vec<Change>, awaited: bool) -> Submitted {
        let (done, result) = oneshot::channel();
        // A closed writer drops `done`, which `wait` tells.
        self.jobs.send(Job::Commit { changes, awaited, done }).await;
        Submitted(result)
    }

    /// Returns when keys that were destroyed before are no longer in what the database keeps for itself: SQLite's
    /// write-ahead log, PostgreSQL's old row versions. Tells what cannot be reached from here, in words for a
    /// certificate. Give it a time limit: whoever reads for long holds it up.
    ///
    /// # Errors
    /// When the database refuses, or somebody's old transaction holds on to what was there.
    pub async fn shred(&self) -> Result<Option<&'static str>, StoreError> {
        if let Some(beyond) = self.dialect.beyond_shredding() {
            let mut connection = self.read.acquire().await.doing("connecting")?;
            let shredded = self.dialect.shred_tables(&mut connection).await;
            // Its limits are not those of the others: it is not given back.
            if let Err(error) = connection.close().await {
                tracing::debug!(%error, "the database was not taken leave of");
            }
            return shredded.map(|()| Some(beyond));
        }
        let (done, shredded) = oneshot::channel();
        // A closed writer drops `done`, which is told below.
        self.jobs.send(Job::Shred { done }).await;
        shredded.await.map_err(|_| StoreError::Closed)?;
        Ok(None)
    }

    /// Units of work that wait for the writer, for metrics.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.jobs.waiting()
    }

    /// How many units of work may wait.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.jobs.room()
    }

    /// Writes what waits, then closes. Every clone answers [`StoreError::Closed`] from then on.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.jobs.send(Job::Close { done }).await {
            // An error means that the writer is gone already, which is what we wait for.
            let _ = closed.await;
        }
        self.read.close().await;
    }
}

/// Connects; a server that is not there yet is waited for, since it may be starting with us.
async fn at_start(location: &Location) -> Result<AnyConnection, StoreError> {
    let mut tries = (STARTING.as_millis() / BETWEEN.as_millis()).max(1);
    loop {
        tries -= 1;
        match link::connect(location).await {
            Err(error) if tries > 0 && location.dialect.passes(&error) => tokio::time::sleep(BETWEEN).await,
            result => return result.doing("connecting to the database"),
        }
    }
}
