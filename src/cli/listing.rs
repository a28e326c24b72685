//! `sayso calls|consents`: what is stored, as a table or as JSON lines.

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use crate::ids::{CallId, QueueId, Redacted};
use crate::store::{CallRow, ConsentRow, Filter};
use crate::time::Timestamp;

use super::{AtConfig, Form, out};

/// Which rows of a list, and how they are shown.
#[derive(Debug, clap::Args)]
#[group(id = "rows")] // a subcommand that takes more has the name `List` itself
pub(super) struct List {
    #[command(flatten)]
    pub(super) at: AtConfig,
    #[command(flatten)]
    pub(super) form: Form,
    /// Only of calls whose first queue is this.
    #[arg(long)]
    queue: Option<String>,
}

impl List {
    pub(super) fn filter(&self) -> Filter {
        Filter { limit: self.form.limit, queue: self.queue.clone().map(QueueId), ..Filter::default() }
    }
}

/// Look at calls.
#[derive(Debug, Subcommand)]
pub(super) enum CallsCommand {
    /// List calls, newest first.
    List(List),
    /// Show one call: legs, events, consents, recordings.
    Show {
        /// Its id.
        id: CallId,
        #[command(flatten)]
        at: AtConfig,
        /// JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Look at consents.
#[derive(Debug, Subcommand)]
pub(super) enum ConsentsCommand {
    /// List answers to the consent question, newest first.
    List(List),
}

impl CallsCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(which) => {
                let calls = which.at.store().await?.calls(&which.filter()).await?;
                let head = ["CALL", "ARRIVED", "FROM", "QUEUE", "RECORDED?", "AGENT", "ENDED"];
                list(&which.form, &head, &calls, call_cells)?;
            }
            Self::Show { id, at, json } => {
                let call = at.store().await?.call(id).await?.with_context(|| format!("no call {id}"))?;
                let text =
                    if json { serde_json::to_string(&call)? } else { serde_json::to_string_pretty(&call)? };
                out(format_args!("{text}\n"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl ConsentsCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Self::List(which) = self;
        let consents = which.at.store().await?.consents(&which.filter()).await?;
        let head = ["WHEN", "FROM", "QUEUE", "ANSWER", "KEY", "BY", "LANGUAGE", "QUESTION", "CALL"];
        list(&which.form, &head, &consents, consent_cells)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn call_cells(call: &CallRow) -> Vec<String> {
    vec![
        call.id.to_string(),
        short(call.arrived_at),
        number(&call.from),
        call.first_queue.to_string(),
        call.basis.clone().unwrap_or_else(|| "undecided".to_owned()),
        call.agent.as_ref().map(ToString::to_string).unwrap_or_default(),
        call.ended_at.map(short).unwrap_or_else(|| "going on".to_owned()),
    ]
}

fn consent_cells(consent: &ConsentRow) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let question = text(&consent.question_sha256).chars().take(12).collect();
    vec![
        short(consent.at),
        number(&consent.from),
        consent.queue.to_string(),
        consent.answer.clone(),
        text(&consent.digit),
        text(&consent.channel),
        text(&consent.language),
        question,
        consent.call.to_string(),
    ]
}

/// Shows a number to whoever asked for the listing.
fn number(from: &Option<Redacted<String>>) -> String {
    from.as_ref().map_or_else(|| "withheld".to_owned(), |from| from.0.clone())
}

/// RFC 3339 to the second.
pub(super) fn short(at: Timestamp) -> String {
    let text = at.to_rfc3339();
    format!("{}Z", text.split(['.', 'Z']).next().unwrap_or_default())
}

/// Prints rows as JSON lines, or as a table whose columns are as wide as need be.
pub(super) fn list<T: Serialize>(
    form: &Form,
    head: &[&str],
    rows: &[T],
    cells: impl Fn(&T) -> Vec<String>,
) -> anyhow::Result<()> {
    if form.json {
        for row in rows {
            out(format_args!("{}\n", json!(row)));
        }
        return Ok(());
    }
    let mut table = vec![head.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()];
    table.extend(rows.iter().map(cells));
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for row in &table {
        let line: String = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  ")).collect();
        out(format_args!("{}\n", line.trim_end()));
    }
    Ok(())
}
