//! Fills a database with calls of the past, as if years had gone: for searches, reports and retention at their size.
//! Rows only: no audio, no audit log. Never a database that somebody uses.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use sayso::ids::{CallId, RecordingId};
use sayso::store::Store;
use sayso::time::Clock;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use ulid::Ulid;

/// Calls in one INSERT, and INSERTs in one transaction.
const TOGETHER: u64 = 500;
const A_TRANSACTION: u64 = 20;
/// Calls are spread over so many days before now.
const DAYS: u64 = 3 * 365;
/// Each queue has the same share.
const QUEUES: [&str; 10] =
    ["support", "sales", "billing", "returns", "claims", "loans", "cards", "abroad", "fraud", "night"];
/// A caller comes back so often.
const CALLS_A_NUMBER: u64 = 5;

/// What is made.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many calls.
    #[arg(long)]
    calls: u64,
    /// The database: `sqlite:///tmp/fill.db`, `postgres://…`. It is made if it is SQLite's; it must hold no call.
    #[arg(long)]
    database: String,
}

/// Fills it; true when all is there.
pub(crate) fn fill(options: &Options) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(fill_all(options))
}

async fn fill_all(options: &Options) -> Result<bool> {
    let clock = Clock::start();
    let store = Store::open(&options.database, clock).await.context("opening the database")?;
    let is_empty = store.calls(&sayso::store::Filter { limit: 1, ..Default::default() }).await?.is_empty();
    ensure!(is_empty, "the database holds calls: give one of its own");
    store.close().await;
    let is_sqlite = !options.database.starts_with("postgres");
    let url = if is_sqlite && !options.database.starts_with("sqlite:") {
        format!("sqlite://{}", options.database)
    } else {
        options.database.clone()
    };
    let mut database = AnyConnection::connect(&url).await?;
    if is_sqlite {
        // What is lost with the power is made again.
        database.execute("PRAGMA synchronous = OFF").await?;
        database.execute("PRAGMA cache_size = -1000000").await?;
    }
    let began = Instant::now();
    let bar = ProgressBar::new(options.calls)
        .with_style(ProgressStyle::with_template("filling {wide_bar} {pos}/{len} {per_sec} {eta}")?);
    let now = clock.now().as_micros();
    let (mut done, mut batch) = (0, 0);
    while done < options.calls {
        if batch % A_TRANSACTION == 0 {
            database.execute("BEGIN").await?;
        }
        let next = (done + TOGETHER).min(options.calls);
        for statement in statements(done..next, options.calls, now) {
            database.execute(AssertSqlSafe(statement)).await?;
        }
        done = next;
        batch += 1;
        if batch % A_TRANSACTION == 0 || done == options.calls {
            database.execute("COMMIT").await?;
        }
        bar.set_position(done);
    }
    bar.finish_and_clear();
    // What is told of a table decides by which index it is read; in PostgreSQL, whether an index alone will do.
    database.execute(if is_sqlite { "ANALYZE" } else { "VACUUM ANALYZE" }).await?;
    database.close().await?;
    println!("{} calls in {:.1} s", options.calls, began.elapsed().as_secs_f64());
    Ok(true)
}

/// Rows of one INSERT.
struct Rows {
    head: &'static str,
    rows: Vec<String>,
}

impl Rows {
    fn of(head: &'static str) -> Self {
        Self { head, rows: Vec::new() }
    }

    fn statement(self) -> Option<String> {
        (!self.rows.is_empty()).then(|| format!("{} VALUES {}", self.head, self.rows.join(",")))
    }
}

/// The rows of these of `all` calls: two legs each, 8 of 10 answer the question, 6 of 10 are recorded.
fn statements(calls: std::ops::Range<u64>, all: u64, now: i64) -> impl Iterator<Item = String> {
    let mut of_calls = Rows::of(
        "INSERT INTO calls (id, arrived_at, from_number, dialled, trunk, first_queue, queue, language, basis, \
         decided_at, queued_at, connected_at, agent, ended_at, end_cause)",
    );
    let mut legs =
        Rows::of("INSERT INTO legs (call, n, agent, dialled_at, connected_at, ended_at, cause, direction)");
    let mut consents = Rows::of(
        "INSERT INTO consents (call, from_number, at, queue, answer, agreed, digit, channel, language)",
    );
    let mut recordings = Rows::of(
        "INSERT INTO recordings (id, call, state, basis, armed_at, started_at, ended_at, samples, bytes, format, \
         stored_at, queue, call_ended_at)",
    );
    for n in calls {
        let chance = mixed(n);
        let step = Duration::from_secs(DAYS * 86_400).as_micros() as u64 / all.max(1);
        let at = now - i64::try_from((all - n) * step).unwrap_or(0);
        let of =
            |part: u128| Ulid::from_parts(u64::try_from(at / 1_000).unwrap_or(0), u128::from(n) * 4 + part);
        let (call, recording) = (CallId::new(of(0)), RecordingId::new(of(1)));
        let queue = QUEUES[(chance % 10) as usize];
        let number = match chance / 10 % 20 {
            0 => "NULL".to_owned(),
            _ => format!("'+4930{:08}'", mixed(chance) % (all / CALLS_A_NUMBER).max(1)),
        };
        let (agreed, asked) = (chance / 200 % 10 < 6, chance / 200 % 10 < 8);
        let (agent, talk) =
            (chance / 2_000 % 200, 30_000_000 + i64::from((chance / 7 % 600) as u32) * 1_000_000);
        let (decided, queued, connected) = (at + 8_000_000, at + 9_000_000, at + 20_000_000);
        let ended = connected + talk;
        let basis = if agreed { "agreed" } else { "refused" };
        of_calls.rows.push(format!(
            "('{call}',{at},{number},'+4989100','carrier','{queue}','{queue}','de','{basis}',{decided},{queued},\
             {connected},'agent{agent}',{ended},'hung-up')"
        ));
        legs.rows.push(format!("('{call}',0,NULL,{at},{at},{ended},'hung-up','in')"));
        legs.rows.push(format!("('{call}',1,'agent{agent}',{queued},{connected},{ended},'hung-up','out')"));
        if asked {
            let (answer, yes, key) = if agreed { ("yes", 1, "'1'") } else { ("no", 0, "'2'") };
            consents.rows.push(format!(
                "('{call}',{number},{decided},'{queue}','{answer}',{yes},{key},'rfc4733','de')"
            ));
        }
        if agreed {
            let samples = talk / 125;
            let bytes = samples * 4;
            recordings.rows.push(format!(
                "('{recording}','{call}','stored','agreed',{queued},{connected},{ended},{samples},{bytes},'pcm16',\
                 {ended},'{queue}',{ended})"
            ));
        }
    }
    [of_calls, legs, consents, recordings].into_iter().filter_map(Rows::statement)
}

/// A number that looks like chance and is the same each time (splitmix64).
fn mixed(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
