//! `sayso prompts`: check and import.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use crate::prompts::{ImportOptions, ImportReport, NAMES, check, check_shipped, import};
use crate::store::{Change, PromptImported};

use super::apply::account;
use super::{AtConfig, open_store, out};

/// Check or import prompts.
#[derive(Debug, Subcommand)]
pub(super) enum PromptsCommand {
    /// Say whether WAV files are fit to be played: format, level, peaks, silence.
    Check {
        /// Files, or folders of files; the shipped prompts when none is named.
        paths: Vec<PathBuf>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Take any WAV as a prompt: converts, trims, levels, and says what it did.
    Import {
        /// The file.
        file: PathBuf,
        /// Which prompt it is.
        #[arg(long = "as", value_name = "NAME", value_parser = NAMES)]
        name: String,
        /// Its language: `en`, `de`, … Only music goes without.
        #[arg(long, value_name = "LANG")]
        lang: Option<String>,
        /// Only for this queue.
        #[arg(long)]
        queue: Option<String>,
        #[command(flatten)]
        at: AtConfig,
        /// JSON.
        #[arg(long)]
        json: bool,
    },
}

impl PromptsCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Check { paths, json } => {
                let reports = if paths.is_empty() { check_shipped() } else { check(&paths) };
                for report in &reports {
                    if json {
                        out(format_args!("{}\n", serde_json::to_string(report)?));
                    } else {
                        out(format_args!("{report}\n"));
                    }
                }
                let passed = reports.iter().all(crate::prompts::Report::passed);
                Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Self::Import { file, name, lang, queue, at, json } => {
                let config = at.load()?;
                let dir = config.prompts_dir();
                let report = import(&file, &ImportOptions { dir, name, language: lang, queue })?;
                let store = open_store(&config).await?;
                store.commit(vec![Change::Prompt(imported(&report)?)]).await?;
                if json {
                    out(format_args!("{}\n", serde_json::to_string(&report)?));
                } else {
                    out(format_args!("{report}\n"));
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// The import, for the audit log and running servers.
fn imported(report: &ImportReport) -> anyhow::Result<PromptImported> {
    let parts = [report.queue.as_deref(), report.language.as_deref(), Some(report.name.as_str())];
    let written = report.output.first().context("the import wrote nothing")?;
    let old = report.kept.first().and_then(|kept| kept.file_stem());
    Ok(PromptImported {
        prompt: parts.into_iter().flatten().collect::<Vec<_>>().join("/"),
        old: old.map(|stem| stem.to_string_lossy().into_owned()),
        new: written.sha256.clone(),
        who: account(),
    })
}
