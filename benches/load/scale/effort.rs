//! What answering a question takes: octets of the database that are read for it, wherever they come from, and CPU. They
//! are the same each time, whatever else the machine does, and tell what is looked up from what is gone through.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::fs::{Advice, fadvise};
use rustix::time::{ClockId, clock_gettime};
use sayso::store::Store;
use sayso::time::Clock;
use sqlx::{AnyConnection, Row as _};

use crate::fill;

/// A block of PostgreSQL.
const BLOCK: u64 = 8_192;
/// So long a server may take to end sessions that were closed.
const ENDING: Duration = Duration::from_secs(10);

const BLOCKS: &str = "SELECT CAST(SUM(COALESCE(heap_blks_read, 0) + COALESCE(heap_blks_hit, 0) + COALESCE(idx_blks_read, 0) \
     + COALESCE(idx_blks_hit, 0)) AS BIGINT) AS blocks FROM pg_statio_user_tables";
const OTHERS: &str = "SELECT CAST(COUNT(*) AS BIGINT) AS others FROM pg_stat_activity \
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";

/// What a question took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Effort {
    /// Octets of pages that were looked at: SQLite's as this process read them, PostgreSQL's as it counts them.
    pub(super) octets: u64,
    /// Of this process, which is all of it with SQLite.
    pub(super) cpu: Option<Duration>,
}

/// Measures it.
pub(super) enum Meter {
    /// The database's files.
    Sqlite(Vec<PathBuf>),
    /// A connection beside the store's.
    Postgres(Box<AnyConnection>),
}

impl Meter {
    pub(super) async fn of(url: &str) -> Result<Self> {
        if !fill::is_sqlite(url) {
            return Ok(Self::Postgres(Box::new(fill::connect(url).await?)));
        }
        let path = url.strip_prefix("sqlite:").unwrap_or(url);
        let path = path.strip_prefix("//").unwrap_or(path);
        Ok(Self::Sqlite(["", "-wal"].map(|end| PathBuf::from(format!("{path}{end}"))).to_vec()))
    }

    /// Has the system forget the pages it keeps of SQLite's files. PostgreSQL keeps its own: there the first time is what
    /// a server finds that has been running.
    pub(super) fn forget(&self) -> Result<()> {
        let Self::Sqlite(files) = self else { return Ok(()) };
        for path in files.iter().filter(|path| path.exists()) {
            let file = File::open(path).with_context(|| path.display().to_string())?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
        Ok(())
    }

    /// What it takes to open and close the store, and ask nothing.
    pub(super) async fn opened(&mut self, url: &str) -> Result<Effort> {
        let store = Store::open(url, Clock::start()).await?;
        let before = self.begin().await?;
        self.end(before, store, Effort::default()).await
    }

    pub(super) async fn begin(&mut self) -> Result<Effort> {
        match self {
            Self::Sqlite(_) => own(),
            // The sessions of the store before are gone: what they read is counted.
            Self::Postgres(connection) => Ok(Effort { octets: blocks(connection).await?, cpu: None }),
        }
    }

    /// What was read since `before`, less what it takes to open a store.
    pub(super) async fn end(&mut self, before: Effort, store: Store, idle: Effort) -> Result<Effort> {
        let now = match self {
            Self::Sqlite(_) => {
                let now = own()?;
                store.close().await;
                now
            }
            Self::Postgres(connection) => {
                store.close().await;
                alone(connection).await?;
                Effort { octets: blocks(connection).await?, cpu: None }
            }
        };
        let octets = now.octets.saturating_sub(before.octets).saturating_sub(idle.octets);
        let cpu = now.cpu.zip(before.cpu).map(|(now, before)| now.saturating_sub(before));
        Ok(Effort { octets, cpu })
    }
}

/// Octets this process read so far, and the CPU it took.
fn own() -> Result<Effort> {
    let counters = fs::read_to_string("/proc/self/io").context("/proc/self/io")?;
    let read = counters.lines().find_map(|line| line.strip_prefix("rchar: "));
    let octets = read.and_then(|n| n.trim().parse().ok()).context("/proc/self/io has no rchar")?;
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let cpu = Duration::new(u64::try_from(time.tv_sec)?, u32::try_from(time.tv_nsec)?);
    Ok(Effort { octets, cpu: Some(cpu) })
}

async fn blocks(connection: &mut AnyConnection) -> Result<u64> {
    let row = sqlx::query(BLOCKS).fetch_one(connection).await?;
    Ok(u64::try_from(row.try_get::<i64, _>("blocks")?)? * BLOCK)
}

/// Waits until the store's sessions have ended: a session tells what it read when it ends.
async fn alone(connection: &mut AnyConnection) -> Result<()> {
    let until = Instant::now() + ENDING;
    loop {
        let row = sqlx::query(OTHERS).fetch_one(&mut *connection).await?;
        if row.try_get::<i64, _>("others")? == 0 {
            return Ok(());
        }
        if Instant::now() > until {
            bail!("somebody else uses the database");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
