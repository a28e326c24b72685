//! Fills a database as if years had gone: calls with all that hangs on them, people on lists, a chained audit log; for
//! searches, reports, retention and the log's proof at their size. Rows only: no audio. Never a database that somebody uses.

mod indexes;
mod log;
mod people;
mod rows;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use sayso::store::{Filter, Store};
use sayso::time::Clock;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};

pub(crate) use log::{Appended, Values, alone, append};
pub(crate) use people::name_of;

/// Calls in one INSERT, and INSERTs in one transaction.
const TOGETHER: u64 = 500;
const A_TRANSACTION: u64 = 20;

/// What is made.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many calls.
    #[arg(long, default_value_t = 0)]
    calls: u64,
    /// How many rows of the audit log, behind those that are there, by the server's own writer: a true chain.
    #[arg(long, default_value_t = 0)]
    audit: u64,
    /// The database: `sqlite:///tmp/fill.db`, `postgres://…`. It is made if it is SQLite's; it must hold no call if calls
    /// are made.
    #[arg(long)]
    database: String,
}

/// Fills it; true when all is there.
pub(crate) fn fill(options: &Options) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(fill_all(options))
}

async fn fill_all(options: &Options) -> Result<bool> {
    if options.calls > 0 {
        let took = calls(&options.database, options.calls).await?;
        println!("{} calls in {:.1} s", options.calls, took.as_secs_f64());
    }
    if options.audit > 0 {
        let done = audit(&options.database, options.audit).await?;
        println!("{}", done.sentence());
    }
    Ok(true)
}

/// Makes calls in a database that has none.
pub(crate) async fn calls(url: &str, calls: u64) -> Result<Duration> {
    let clock = Clock::start();
    let store = Store::open(url, clock).await.context("opening the database")?;
    let is_empty = store.calls(&Filter { limit: 1, ..Default::default() }).await?.is_empty();
    store.close().await;
    ensure!(is_empty, "the database holds calls: give one of its own");
    let mut database = connect(url).await?;
    if is_sqlite(url) {
        // What is lost with the power is made again.
        database.execute("PRAGMA synchronous = OFF").await?;
        database.execute("PRAGMA cache_size = -1000000").await?;
    }
    let began = Instant::now();
    let indexes = indexes::drop_all(&mut database, url).await?;
    let bar = progress(calls)?;
    let now = clock.now().as_micros();
    let (mut done, mut batch) = (0, 0);
    while done < calls {
        if batch % A_TRANSACTION == 0 {
            database.execute("BEGIN").await?;
        }
        let next = (done + TOGETHER).min(calls);
        for statement in rows::statements(done..next, calls, now) {
            database.execute(AssertSqlSafe(statement)).await?;
        }
        done = next;
        batch += 1;
        if batch % A_TRANSACTION == 0 || done == calls {
            database.execute("COMMIT").await?;
        }
        bar.set_position(done);
    }
    for statement in rows::holds(now) {
        database.execute(AssertSqlSafe(statement)).await?;
    }
    bar.finish_and_clear();
    indexes::make(&mut database, url, indexes).await?;
    database.close().await?;
    Ok(began.elapsed())
}

/// Appends rows to the audit log.
pub(crate) async fn audit(url: &str, rows: u64) -> Result<Appended> {
    let store = Store::open(url, Clock::start()).await.context("opening the database")?;
    let bar = progress(rows)?;
    let done = append(&store, rows, Values::Both, |done| bar.set_position(done)).await?;
    bar.finish_and_clear();
    store.close().await;
    let mut database = connect(url).await?;
    database.execute(if is_sqlite(url) { "ANALYZE" } else { "VACUUM ANALYZE" }).await?;
    database.close().await?;
    Ok(done)
}

/// A connection beside the store's; the store must have made the tables.
pub(crate) async fn connect(url: &str) -> Result<AnyConnection> {
    sqlx::any::install_default_drivers();
    let url = if is_sqlite(url) && !url.starts_with("sqlite:") {
        format!("sqlite://{url}")
    } else {
        url.to_owned()
    };
    Ok(AnyConnection::connect(&url).await?)
}

/// Whether a database is SQLite's.
pub(crate) fn is_sqlite(url: &str) -> bool {
    !url.starts_with("postgres")
}

fn progress(all: u64) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("filling {wide_bar} {pos}/{len} {per_sec} {eta}")?;
    Ok(ProgressBar::new(all).with_style(style))
}

/// A number that looks like chance and is the same each time (splitmix64).
fn mixed(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
