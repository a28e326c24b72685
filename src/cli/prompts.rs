//! `sayso prompts`: check and import.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use crate::prompts::{ImportOptions, NAMES, check, check_shipped, import};

use super::{AtConfig, out};

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
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
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
                let dir = at.load()?.prompts_dir();
                let report = import(&file, &ImportOptions { dir, name, language: lang, queue })?;
                if json {
                    out(format_args!("{}\n", serde_json::to_string(&report)?));
                } else {
                    out(format_args!("{report}\nin force when the server starts next\n"));
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}
