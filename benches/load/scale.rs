//! `scale`: what users ask of a database of years, each question by the store's own functions: how long it takes the first
//! time and again, and how much of the database is read for it.

mod effort;
mod question;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use sayso::store::Store;
use sayso::time::Clock;
use serde_json::{Value as Json, json};

use crate::fill;
use effort::{Effort, Meter};
use question::{Grows, Question, Sample, questions};

/// Units of work that are timed one after the other.
const ALONE: u64 = 200;
/// Rows that are appended to see how many are in a second.
const APPENDED: u64 = 20_000;

/// What is asked, and of what.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The database: `sqlite:///tmp/scale.db`, `postgres://…`. Never one that somebody uses: the audit log is appended to.
    #[arg(long)]
    database: String,
    /// Calls it is filled with when it has none.
    #[arg(long, default_value_t = 10_000_000)]
    calls: u64,
    /// Rows its audit log is filled up to.
    #[arg(long, default_value_t = 1_000_000)]
    audit: u64,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
}

/// A question and what answering it took.
struct Answer {
    question: Question,
    /// What was found or counted.
    rows: u64,
    first: Duration,
    again: Duration,
    /// Of the first time.
    effort: Effort,
}

impl Answer {
    fn is_good(&self) -> bool {
        self.first <= self.question.bar
    }
}

/// How long a unit of work of four audit rows takes, and how many rows a second there are with many on their way.
struct Appends {
    alone: Duration,
    a_second: f64,
}

/// Fills, asks, prints; whether every bar was met.
pub(crate) fn scale(options: &Options) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(scale_all(options))
}

async fn scale_all(options: &Options) -> Result<bool> {
    let url = &options.database;
    fill_up(options).await?;
    let clock = Clock::start();
    let store = Store::open(url, clock).await.context("opening the database")?;
    let sample = Sample::of(&store, clock.now()).await?;
    store.close().await;
    let mut meter = Meter::of(url).await?;
    let mut answers = Vec::new();
    for question in questions(&sample) {
        let answer = ask(url, &mut meter, &sample, question).await?;
        if !options.json {
            line(&answer);
        }
        answers.push(answer);
    }
    let store = Store::open(url, clock).await?;
    let (plain, sealed) =
        (appends(&store, fill::Values::Plain).await?, appends(&store, fill::Values::Both).await?);
    store.close().await;
    if options.json {
        println!("{}", as_json(&answers, [&plain, &sealed]));
    } else {
        for (what, of) in [("plain values", &plain), ("two sealed values", &sealed)] {
            let (alone, many) = (of.alone.as_secs_f64() * 1e3, of.a_second);
            println!(
                "four audit rows, {what}: {alone:.2} ms a commit alone; {many:.0} rows a second with many"
            );
        }
    }
    Ok(answers.iter().all(Answer::is_good))
}

async fn fill_up(options: &Options) -> Result<()> {
    let store = Store::open(&options.database, Clock::start()).await.context("opening the database")?;
    let filter = sayso::store::Filter { limit: 1, ..Default::default() };
    let (is_empty, rows) = (store.calls(&filter).await?.is_empty(), store.audit_head().await?.seq);
    store.close().await;
    if is_empty {
        let took = fill::calls(&options.database, options.calls).await?;
        eprintln!("{} calls in {:.1} s", options.calls, took.as_secs_f64());
    }
    if rows < options.audit {
        let done = fill::audit(&options.database, options.audit - rows).await?;
        eprintln!("{}", done.sentence());
    }
    Ok(())
}

/// Asks by connections of its own, so that nothing is remembered from the question before.
async fn ask(url: &str, meter: &mut Meter, sample: &Sample, question: Question) -> Result<Answer> {
    meter.forget()?;
    let idle = meter.opened(url).await?;
    meter.forget()?;
    let store = Store::open(url, Clock::start()).await?;
    let before = meter.begin().await?;
    let began = Instant::now();
    let rows = question.ask.of(&store, sample).await.with_context(|| question.name)?;
    let first = began.elapsed();
    let effort = meter.end(before, store, idle).await?;
    let store = Store::open(url, Clock::start()).await?;
    question.ask.of(&store, sample).await?;
    let began = Instant::now();
    question.ask.of(&store, sample).await?;
    let again = began.elapsed();
    store.close().await;
    Ok(Answer { question, rows, first, again, effort })
}

async fn appends(store: &Store, values: fill::Values) -> Result<Appends> {
    let alone = fill::alone(store, ALONE, values).await?;
    let many = fill::append(store, APPENDED, values, |_| {}).await?;
    Ok(Appends { alone: alone[alone.len() / 2], a_second: many.a_second() })
}

fn line(answer: &Answer) {
    let Answer { question, rows, first, again, effort } = answer;
    let [first, again, bar] = [*first, *again, question.bar].map(|span| span.as_secs_f64());
    let cpu = effort.cpu.map_or_else(|| "-".to_owned(), |cpu| format!("{:.3}", cpu.as_secs_f64()));
    println!(
        "{:<52} {rows:>9} rows {first:>8.3} s, again {again:>8.3} s, CPU {cpu:>7} s, {:>9.1} MiB read, bar {bar:>4} s {}",
        question.name,
        effort.octets as f64 / f64::from(1 << 20),
        if answer.is_good() { "ok" } else { "MISSED" },
    );
}

fn as_json(answers: &[Answer], [plain, sealed]: [&Appends; 2]) -> Json {
    let of = |answer: &Answer| {
        json!({
            "question": answer.question.name,
            "rows": answer.rows,
            "grows_with": match answer.question.grows { Grows::Found => "found", Grows::Counted => "counted" },
            "first_seconds": answer.first.as_secs_f64(),
            "again_seconds": answer.again.as_secs_f64(),
            "cpu_seconds": answer.effort.cpu.map(|cpu| cpu.as_secs_f64()),
            "octets": answer.effort.octets,
            "bar_seconds": answer.question.bar.as_secs_f64(),
            "ok": answer.is_good(),
        })
    };
    let appends =
        |of: &Appends| json!({ "alone_ms": of.alone.as_secs_f64() * 1e3, "rows_a_second": of.a_second });
    json!({
        "questions": answers.iter().map(of).collect::<Vec<_>>(),
        "appends": { "plain": appends(plain), "sealed": appends(sealed) },
    })
}
