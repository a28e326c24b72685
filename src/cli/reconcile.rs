//! `sayso reconcile`: compare database, object store and spool, and look at what was found.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};
use ulid::Ulid;

use crate::config::Config;
use crate::ids::{ReconciliationId, Redacted};
use crate::jobs::reconcile::{Compared, Scope, SpoolPlace, Subject, ask, reconcile, remove_orphan};
use crate::reconcile::{Counts, Rules};
use crate::server::archive;
use crate::store::{
    Change, FindingRow, JobChange, JobFilter, JobKind, JobRow, Progress, ReconciliationRow,
    ReconciliationState, Store, StoreError,
};
use crate::time::Clock;

use super::apply::account;
use super::listing::{list, short};
use super::{AtConfig, Form, out, progress};

/// How often it is looked how far a server is.
const LOOK: Duration = Duration::from_millis(250);
/// How many of those looks a job may lie there before this process does it itself: 3 s, a server looks each second.
const PATIENCE: u32 = 12;
/// How long the job is held without a sign of life, and how often one is given.
const LEASE: Duration = Duration::from_secs(60);
const SIGN: Duration = Duration::from_secs(5);
/// Findings that are read at a time.
const PAGE: u32 = 500;

/// Compare database, object store and spool, and look at what was found.
#[derive(Debug, Subcommand)]
pub(super) enum ReconcileCommand {
    /// Compare now. A running server does it; without one this process does. Exit code 1: something was found.
    Run {
        #[command(flatten)]
        at: AtConfig,
        /// Read every object whole instead of a sample.
        #[arg(long)]
        everything: bool,
        #[command(flatten)]
        form: Form,
    },
    /// List comparisons, newest first.
    List {
        #[command(flatten)]
        at: AtConfig,
        #[command(flatten)]
        form: Form,
    },
    /// Show what a comparison found; without an id the last one.
    Show {
        /// Its id.
        id: Option<ReconciliationId>,
        #[command(flatten)]
        at: AtConfig,
        /// Only findings of this kind, such as `orphan`.
        #[arg(long)]
        kind: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// Objects that no recording owns.
    #[command(subcommand)]
    Orphans(OrphansCommand),
}

/// Objects that no recording owns.
#[derive(Debug, Subcommand)]
pub(super) enum OrphansCommand {
    /// Remove one for good, with all its versions; audited. There is no other way in which an orphan is deleted.
    Remove {
        /// Its name as in the report.
        name: String,
        /// The report that found it.
        #[arg(long)]
        report: ReconciliationId,
        /// Why, for the audit log.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        at: AtConfig,
    },
}

impl ReconcileCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Run { at, everything, form } => {
                let config = at.load()?;
                let store = super::open_store(&config).await?;
                let scope = if everything { Scope::Everything } else { Scope::Sample };
                let subject = ask(&store, account(), scope, Clock::start().now()).await?;
                let bar = progress("comparing");
                let done = follow(&config, &store, subject, &bar).await;
                bar.finish_and_clear();
                done?;
                let row = report(&store, subject.id).await?;
                show(&store, &row, None, &form).await?;
                let clean = row.state == ReconciliationState::Ended && counts(&row).to_look_at() == 0;
                store.close().await;
                Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Self::List { at, form } => {
                let page = at.store().await?.reconciliations(None, form.limit).await?;
                list(
                    &form,
                    &["REPORT", "BEGAN", "ENDED", "STATE", "BY", "CALLS", "FINDINGS"],
                    &page.items,
                    cells,
                )?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Show { id, at, kind, form } => {
                let store = at.store().await?;
                let row = match id {
                    Some(id) => report(&store, id).await?,
                    None => store
                        .reconciliations(None, 1)
                        .await?
                        .items
                        .pop()
                        .context("nothing was compared yet")?,
                };
                show(&store, &row, kind.as_deref(), &form).await?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Orphans(OrphansCommand::Remove { name, report, reason, at }) => {
                let config = at.load()?;
                let store = super::open_store(&config).await?;
                let objects = archive::objects(&config).await?;
                let things = (&store, &objects, Clock::start());
                let removed = remove_orphan(things, (report, &name), account(), &Redacted(reason)).await?;
                store.close().await;
                let all = removed.versions + removed.delete_markers + removed.uploads;
                out(format_args!("{name}: gone ({all} versions, markers and uploads removed)\n"));
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

async fn report(store: &Store, id: ReconciliationId) -> anyhow::Result<ReconciliationRow> {
    store.reconciliation(id).await?.with_context(|| format!("no reconciliation {id}"))
}

/// Waits until it is done, by whoever does it; does it here when nobody takes it.
async fn follow(
    config: &Config,
    store: &Store,
    subject: Subject,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<()> {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unwanted = 0;
    loop {
        look.tick().await;
        if report(store, subject.id).await?.state != ReconciliationState::Running {
            return Ok(());
        }
        let filter = JobFilter {
            kind: Some(JobKind::Reconcile),
            subject: Some(subject.to_string()),
            limit: 1,
            ..JobFilter::default()
        };
        let Some(job) = store.jobs(&filter).await?.items.pop() else {
            // Between the two looks it may have ended.
            unwanted += 1;
            anyhow::ensure!(unwanted < PATIENCE, "the job of {} is gone: run this again", subject.id);
            continue;
        };
        if let Some(Progress { done, total }) = job.progress {
            bar.set_length(total);
            bar.set_position(done);
        }
        let now = Clock::start().now();
        let held = job.leased_until.is_some_and(|until| until > now);
        // What failed and waits to be tried again is a server's, too: it says why.
        unwanted = if held { 0 } else { unwanted + 1 };
        if unwanted >= PATIENCE {
            unwanted = 0;
            do_here(config, store, &job, bar).await?;
        }
    }
}

/// Does the job in this process, as a server would. Returns without having done anything when somebody else has
/// just taken it.
async fn do_here(
    config: &Config,
    store: &Store,
    job: &JobRow,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<()> {
    let clock = Clock::start();
    let (id, by) = (job.id, format!("reconcile {}", Ulid::generate()));
    let lease = JobChange::Leased { id, by: by.clone(), until: clock.now() + LEASE, at: clock.now() };
    match store.commit(vec![Change::Job(lease)]).await {
        Ok(()) => {}
        Err(StoreError::State { .. } | StoreError::Missing { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let compared = Compared {
        store: store.clone(),
        objects: archive::objects(config).await?,
        spool: spool(config)?,
        clock,
        rules: Rules::new(config.vault.alarm_after),
    };
    let tell = |Progress { done, total }: Progress| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let done = tokio::select! {
        done = reconcile(&compared, &job.subject, &tell) => done,
        lost = keep(store, clock, id, &by) => return Err(lost.into()),
    };
    let now = clock.now();
    let end = match &done {
        Ok(_) => JobChange::Done { id, by },
        Err(error) => JobChange::Retry { id, by, due: now, error: error.to_string(), at: now },
    };
    store.commit(vec![Change::Job(end)]).await?;
    done?;
    Ok(())
}

/// Renews the lease until that fails.
async fn keep(store: &Store, clock: Clock, id: i64, by: &str) -> StoreError {
    let mut sign = interval(SIGN);
    sign.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        sign.tick().await;
        let renewed =
            JobChange::Renewed { id, by: by.to_owned(), until: clock.now() + LEASE, progress: None };
        if let Err(error) = store.commit(vec![Change::Job(renewed)]).await {
            return error;
        }
    }
}

/// This machine's spool, without opening it: a server may be at work in it.
fn spool(config: &Config) -> anyhow::Result<SpoolPlace> {
    let path = config.vault_dir().join("spool.id");
    let id = match std::fs::read_to_string(&path) {
        Ok(id) => id.trim_end().to_owned(),
        // There was never a server here: all files are elsewhere.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    Ok(SpoolPlace { id, dir: config.vault_dir().join("spool") })
}

fn counts(row: &ReconciliationRow) -> Counts {
    row.counts.clone().map(Counts::from_json).unwrap_or_default()
}

fn cells(row: &ReconciliationRow) -> Vec<String> {
    let counts = counts(row);
    vec![
        row.id.to_string(),
        short(row.began_at),
        row.ended_at.map(short).unwrap_or_default(),
        row.state.word().to_owned(),
        row.by.clone(),
        counts.calls.to_string(),
        counts.all_findings().to_string(),
    ]
}

/// Writes a report: what was counted, then the findings. As JSON the report is the first line, each finding one more.
async fn show(store: &Store, row: &ReconciliationRow, kind: Option<&str>, form: &Form) -> anyhow::Result<()> {
    if form.json {
        out(format_args!("{}\n", json!(row)));
    } else {
        summary(row);
    }
    let head = ["KIND", "SUBJECT", "DETAIL", "DEALT WITH"];
    let (mut after, mut left) = (None, form.limit);
    while left > 0 {
        let page = store.findings(row.id, kind, after, left.min(PAGE)).await?;
        left = left.saturating_sub(u32::try_from(page.items.len()).unwrap_or(u32::MAX));
        if !page.items.is_empty() {
            list(form, &head, &page.items, finding_cells)?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
    if !form.json {
        out(format_args!("… and more: --limit\n"));
    }
    Ok(())
}

fn finding_cells(row: &FindingRow) -> Vec<String> {
    let dealt =
        row.resolved_at.map(|at| format!("{} by {}", short(at), row.resolved_by.as_deref().unwrap_or("?")));
    vec![
        row.finding.kind.clone(),
        row.finding.subject.clone(),
        row.finding.detail.clone(),
        dealt.unwrap_or_default(),
    ]
}

fn summary(row: &ReconciliationRow) {
    let counts = counts(row);
    let ended = row.ended_at.map(|at| format!(", {} {}", row.state, short(at)));
    out(format_args!(
        "reconciliation {}, begun {} by {}{}\n",
        row.id,
        short(row.began_at),
        row.by,
        ended.unwrap_or_else(|| format!(", {}", row.state))
    ));
    if let Some(why) = &row.why {
        out(format_args!("  {why}\n"));
    }
    let Counts { calls, recorded, not_recorded, failed, open, .. } = counts;
    let lawful: Vec<String> = counts.lawful.iter().map(|(why, many)| format!("{why} {many}")).collect();
    let lawful = if lawful.is_empty() { String::new() } else { format!(" ({})", lawful.join(", ")) };
    out(format_args!(
        "  {calls} calls: {recorded} recorded, {not_recorded} lawfully not{lawful}, {failed} failed, {open} go on\n"
    ));
    let Counts { recordings, objects, bytes, verified, traced, elsewhere, .. } = counts;
    out(format_args!(
        "  {recordings} recordings, {objects} objects of {bytes} bytes; {verified} read and compared, {traced} removed \
         ones looked for in every version, {elsewhere} in another node's spool\n"
    ));
    out(format_args!("  {} findings, {} of them mended\n", counts.all_findings(), counts.healed));
}
