//! `sayso calls|consents|audit`: what is stored, as a table or as JSON lines.

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use crate::audit::{Class, Row, Sealed};
use crate::ids::{CallId, QueueId, Redacted};
use crate::store::{AuditFilter, CallRow, ConsentRow, Filter};
use crate::time::Timestamp;

use super::{AtConfig, Form, out, progress};

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

/// Read or prove the audit log.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// List audit events, newest first.
    List {
        #[command(flatten)]
        at: AtConfig,
        #[command(flatten)]
        form: Form,
        /// Only of this class: presence, config, rights, modify, read, failure, system.
        #[arg(long, value_parser = class)]
        class: Option<Class>,
        /// Only about this object: a call's or recording's id, a queue's name, …
        #[arg(long)]
        object: Option<String>,
        /// Only of this action, such as `consent.given`.
        #[arg(long)]
        action: Option<String>,
    },
    /// Prove that the log is whole, or name its first broken link (exit code 1).
    Verify {
        #[command(flatten)]
        at: AtConfig,
    },
}

fn class(word: &str) -> Result<Class, String> {
    let allowed = || Class::ALL.iter().map(|class| class.word()).collect::<Vec<_>>().join(", ");
    Class::from_word(word).ok_or_else(|| format!("one of {} is expected", allowed()))
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

impl AuditCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List { at, form, class, object, action } => {
                let filter =
                    AuditFilter { limit: form.limit, class, object, action, ..AuditFilter::default() };
                let rows: Vec<AuditLine> =
                    at.store().await?.audit(&filter).await?.iter().map(AuditLine::of).collect();
                let head = ["SEQ", "WHEN", "CLASS", "WHO", "ACTION", "WHAT", "ABOUT", "OLD", "NEW"];
                list(&form, &head, &rows, AuditLine::cells)?;
            }
            Self::Verify { at } => {
                let bar = progress("verifying");
                let proof = at
                    .store()
                    .await?
                    .verify_audit(|done, all| {
                        bar.set_length(all);
                        bar.set_position(done);
                    })
                    .await;
                bar.finish_and_clear();
                out(format_args!("{}\n", proof?));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// An audit row as it is listed.
#[derive(Serialize)]
struct AuditLine {
    seq: u64,
    at: String,
    class: &'static str,
    who: String,
    action: String,
    what: String,
    about: Option<String>,
    old: Option<String>,
    new: Option<String>,
    hash: String,
}

impl AuditLine {
    fn of(row: &Row) -> Self {
        let value = |sealed: &Option<Sealed>| {
            sealed.as_ref().map(|sealed| sealed.text().unwrap_or("(erased)").to_owned())
        };
        Self {
            seq: row.seq,
            at: row.at.to_rfc3339(),
            class: row.class.word(),
            who: row.who.to_string(),
            action: row.action.to_string(),
            what: row.what.to_string(),
            about: value(&row.about),
            old: value(&row.old),
            new: value(&row.new),
            hash: row.hash.to_string(),
        }
    }

    fn cells(&self) -> Vec<String> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        vec![
            self.seq.to_string(),
            self.at.clone(),
            self.class.to_owned(),
            self.who.clone(),
            self.action.clone(),
            self.what.clone(),
            text(&self.about),
            text(&self.old),
            text(&self.new),
        ]
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
