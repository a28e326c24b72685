//! `sayso jobs`: what is done to recordings beside the calls, and how it fares.

use std::process::ExitCode;

use clap::Subcommand;

use crate::store::{Change, JobChange, JobFilter, JobKind, JobRow};
use crate::time::Clock;

use super::apply::account;
use super::listing::{list, short};
use super::{AtConfig, Form, out};

/// Look at jobs, or have one tried now.
#[derive(Debug, Subcommand)]
pub(super) enum JobsCommand {
    /// List jobs that wait or run, oldest first.
    List {
        #[command(flatten)]
        at: AtConfig,
        #[command(flatten)]
        form: Form,
        /// Only of this kind: rescue, encode, upload, destroy, reconcile, retention.
        #[arg(long, value_parser = kind)]
        kind: Option<JobKind>,
        /// Only those that failed and wait to be tried again.
        #[arg(long)]
        failing: bool,
    },
    /// Try a job now instead of when it is due; a running server does so within a second.
    Retry {
        /// Its number.
        id: i64,
        #[command(flatten)]
        at: AtConfig,
    },
}

fn kind(word: &str) -> Result<JobKind, String> {
    let allowed = || JobKind::ALL.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", ");
    JobKind::from_word(word).ok_or_else(|| format!("one of {} is expected", allowed()))
}

impl JobsCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List { at, form, kind, failing } => {
                let filter = JobFilter { kind, failing, limit: form.limit, ..JobFilter::default() };
                let jobs = at.store().await?.jobs(&filter).await?;
                let head = ["JOB", "KIND", "ABOUT", "SINCE", "STATE", "TRIES", "SPOOL", "ERROR"];
                let now = Clock::start().now();
                list(&form, &head, &jobs.items, |job| {
                    let state = match (&job.leased_until, &job.progress) {
                        (Some(until), Some(so_far)) if *until > now => {
                            format!("running, {} of {}", so_far.done, so_far.total)
                        }
                        (Some(until), None) if *until > now => "running".to_owned(),
                        (Some(_) | None, _) if job.due > now => format!("waits until {}", short(job.due)),
                        (Some(_) | None, _) => "due".to_owned(),
                    };
                    cells(job, state)
                })?;
                if jobs.next.is_some() && !form.json {
                    out(format_args!("… and more: see --limit\n"));
                }
            }
            Self::Retry { id, at } => {
                let store = at.store().await?;
                let hurry = JobChange::Hurry { id, at: Clock::start().now(), by: account() };
                store.commit(vec![Change::Job(hurry)]).await?;
                out(format_args!("job {id} is due now\n"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn cells(job: &JobRow, state: String) -> Vec<String> {
    vec![
        job.id.to_string(),
        job.kind.to_string(),
        job.subject.clone(),
        short(job.created),
        state,
        job.attempts.to_string(),
        job.spool.clone().unwrap_or_else(|| "any".to_owned()),
        job.error.clone().unwrap_or_default(),
    ]
}
