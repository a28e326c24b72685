//! `sayso retention`: the rules, what would go by others, a sweep now, and why a recording is here.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;
use tokio::time::sleep;

use crate::ids::{QueueId, RecordingId};
use crate::jobs::retention as sweeper;
use crate::retention::{self, Holds, Proposed, Rules};
use crate::store::{Impact, JobFilter, JobKind, Progress, Sight, Store};
use crate::time::Clock;

use super::listing::short;
use super::{AtConfig, out, progress};

/// How often it is looked how far a server is with a sweep, and how many looks it may leave it lie.
const LOOK: Duration = Duration::from_millis(250);
const PATIENCE: u32 = 12;

/// See and try out how long things are kept.
#[derive(Debug, Subcommand)]
pub(super) enum RetentionCommand {
    /// Show the rules in sentences, what is due, and what goes in the days to come.
    Show {
        #[command(flatten)]
        at: AtConfig,
        /// JSON.
        #[arg(long)]
        json: bool,
    },
    /// Count what would go if rules were other ones, beside what goes anyway. Nothing is changed.
    Simulate {
        /// A rule, as queue.NAME.retention=90d, queue.NAME.file-removal=forever, queue.NAME.retention=system, queue.NAME=removed,
        /// system.retention-calls=365d, system.retention-recordings=…, system.retention-reporting=…; as often as you like.
        #[arg(long, value_name = "RULE=VALUE", required = true)]
        set: Vec<String>,
        #[command(flatten)]
        at: AtConfig,
        /// JSON.
        #[arg(long)]
        json: bool,
    },
    /// Do now what is due: by a running server, or else here.
    Run {
        /// Now, and not with the next minute.
        #[arg(long, required = true)]
        now: bool,
        #[command(flatten)]
        at: AtConfig,
    },
    /// Say why a recording is still here, or why it went.
    Why {
        /// Its id.
        id: RecordingId,
        #[command(flatten)]
        at: AtConfig,
        /// JSON.
        #[arg(long)]
        json: bool,
    },
}

impl RetentionCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Show { at, json } => show(&at.store().await?, json).await?,
            Self::Simulate { set, at, json } => simulate(&at.store().await?, &set, json).await?,
            Self::Run { now: _, at } => run_now(&at.store().await?).await?,
            Self::Why { id, at, json } => why(&at.store().await?, id, json).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn show(store: &Store, as_json: bool) -> anyhow::Result<()> {
    let (_, settings) = store.settings().await?;
    let (rules, now) = (Rules::of(&settings), Clock::start().now());
    let state = store.retention_state().await?;
    let lag = if rules.remove_something() { state.lag(now).as_secs() } else { 0 };
    let days = store.timeline(&rules, now, &Sight::whole()).await?;
    let queues: Vec<Option<&QueueId>> = std::iter::once(None).chain(rules.queues().map(Some)).collect();
    let of = |queue: Option<&QueueId>| queue.map_or_else(|| rules.of_system(), |queue| rules.of_queue(queue));
    if as_json {
        let lines = queues.iter().map(|queue| {
            let rule = of(*queue);
            let (calls, recordings) = (rule.calls.keep.to_string(), rule.files.keep.to_string());
            json!({ "queue": queue, "calls": calls, "recordings": recordings, "sentence": rule.sentence(*queue) })
        });
        let view = json!({
            "rules": lines.collect::<Vec<_>>(),
            "reporting": rules.reporting().to_string(),
            "lag_seconds": lag,
            "last_run": state.ended_at.map(|at| at.to_rfc3339()),
            "due": state.due,
            "held": state.held,
            "timeline": timeline(&days),
        });
        out(format_args!("{view}\n"));
        return Ok(());
    }
    for queue in queues {
        out(format_args!("{}\n", of(queue).sentence(queue)));
    }
    out(format_args!("Anonymous reporting data is kept: {}.\n", rules.reporting()));
    let last = state.ended_at.map_or_else(|| "never".to_owned(), short);
    out(format_args!(
        "Due: {}, held: {}, behind: {lag} s; the last sweep ended: {last}\n",
        state.due, state.held
    ));
    for day in days.iter().filter(|day| day.recordings + day.calls > 0) {
        out(format_args!("{}  {:>9} recordings  {:>9} calls\n", day.day, day.recordings, day.calls));
    }
    Ok(())
}

fn timeline(days: &[crate::store::TimelineDay]) -> serde_json::Value {
    let day = |day: &crate::store::TimelineDay| json!({ "day": day.day, "recordings": day.recordings, "calls": day.calls });
    days.iter().map(day).collect()
}

async fn simulate(store: &Store, set: &[String], as_json: bool) -> anyhow::Result<()> {
    let mut proposed = Proposed::default();
    for change in set {
        proposed.set(change).with_context(|| "--set")?;
    }
    let (_, settings) = store.settings().await?;
    let rules = Rules::of(&settings);
    let bar = progress("counting");
    let tell = |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    };
    let now = Clock::start().now();
    let simulated = store.simulate((&rules, &rules.with(&proposed)), now, &Sight::whole(), &tell).await;
    bar.finish_and_clear();
    let simulated = simulated?;
    if as_json {
        let examples = simulated.sooner.iter().map(|example| {
            json!({
                "recording": example.recording,
                "call": example.call,
                "queue": example.because.queue,
                "goes_at": example.because.due.at.to_rfc3339(),
                "sentence": example.because.sentence(),
            })
        });
        let view = json!({
            "now": impact(&simulated.now),
            "proposed": impact(&simulated.proposed),
            "sooner": examples.collect::<Vec<_>>(),
            "timeline": timeline(&simulated.timeline),
        });
        out(format_args!("{view}\n"));
        return Ok(());
    }
    for (whose, impact) in [("As it is", &simulated.now), ("As proposed", &simulated.proposed)] {
        let Impact { recordings, bytes, calls, rows, held, by_queue } = impact;
        out(format_args!(
            "{whose}: {recordings} recordings ({} MB) go at once, {calls} calls are anonymised, {rows} rows of \
             reports go; {held} are held\n",
            bytes / 1_000_000
        ));
        for (queue, recordings, calls) in by_queue {
            out(format_args!("  {queue}: {recordings} recordings, {calls} calls\n"));
        }
    }
    for example in &simulated.sooner {
        let (id, at) = (example.recording, short(example.because.due.at));
        out(format_args!("sooner: {id} ({at}): {}\n", example.because.sentence()));
    }
    Ok(())
}

fn impact(impact: &Impact) -> serde_json::Value {
    let Impact { recordings, bytes, calls, rows, held, by_queue } = impact;
    let of = |(queue, recordings, calls): &(QueueId, u64, u64)| json!({ "queue": queue, "recordings": recordings, "calls": calls });
    json!({
        "recordings": recordings,
        "bytes": bytes,
        "calls": calls,
        "rows": rows,
        "held": held,
        "by_queue": by_queue.iter().map(of).collect::<Vec<_>>(),
    })
}

/// Asks for a sweep and waits for its end. Where no server takes it, it is done here.
async fn run_now(store: &Store) -> anyhow::Result<()> {
    let clock = Clock::start();
    sweeper::ask(store, clock.now()).await?;
    let bar = progress("sweeping");
    let tell = |progress: Progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    };
    let filter = JobFilter { kind: Some(JobKind::Retention), limit: 1, ..JobFilter::default() };
    let mut unwanted = 0;
    loop {
        let Some(job) = store.jobs(&filter).await?.items.pop() else { break };
        if let Some(progress) = job.progress {
            tell(progress);
        }
        let is_held = job.leased_until.is_some_and(|until| until > clock.now());
        unwanted = if is_held { 0 } else { unwanted + 1 };
        if unwanted < PATIENCE {
            sleep(LOOK).await;
            continue;
        }
        let Some(done) = sweeper::sweep_here(store, clock, &tell).await? else { continue };
        bar.finish_and_clear();
        let sweeper::Done { destroyed, anonymised, removed, skipped } = done;
        out(format_args!(
            "{destroyed} recordings destroyed, {anonymised} calls anonymised, {removed} rows of reports removed, \
             {skipped} left out; a server removes the copies of what was destroyed\n"
        ));
        return Ok(());
    }
    bar.finish_and_clear();
    let state = store.retention_state().await?;
    out(format_args!("A server has swept; due: {}, held: {}\n", state.due, state.held));
    Ok(())
}

async fn why(store: &Store, id: RecordingId, as_json: bool) -> anyhow::Result<()> {
    let row = store.recording(id).await?.with_context(|| format!("no recording {id}"))?;
    let (_, settings) = store.settings().await?;
    let now = Clock::start().now();
    let holds = Holds::new(store.open_holds().await?, now);
    let fate = store.fate_of(&row).await?;
    let why = retention::why(&Rules::of(&settings), &holds, now, id, &fate);
    if as_json {
        let clock = why.clock.map(|clock| {
            let (from, at) = (clock.from.to_rfc3339(), clock.at.to_rfc3339());
            json!({ "from": from, "keep": clock.keep.to_string(), "at": at })
        });
        let holds: Vec<String> = why.holds.iter().map(|hold| hold.id.to_string()).collect();
        let view = json!({ "sentence": why.sentence, "rule": why.rule, "clock": clock, "holds": holds });
        out(format_args!("{view}\n"));
        return Ok(());
    }
    out(format_args!("{}\n", why.sentence));
    for hold in why.holds {
        out(format_args!("  hold {} by {} since {}\n", hold.id, hold.by, short(hold.at)));
    }
    Ok(())
}
