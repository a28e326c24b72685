//! `sayso prompts`: check, import, list, restore.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use crate::prompts::{Made, NAMES, PromptName, Source, check, check_shipped, load, make};
use crate::store::{Change, PromptChange, PromptDone, Replaces, Store};

use super::apply::account;
use super::{AtConfig, open_store, out};

/// Check, import, list or restore prompts.
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
    /// Take an audio file (WAV, MP3, M4A, FLAC, Ogg, AIFF) as a prompt: converts, trims, levels, and says what it did.
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
        /// Write NAME.8k.wav and NAME.16k.wav into this folder, and put nothing in force.
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
        #[command(flatten)]
        at: AtConfig,
        /// JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the prompts that calls play, and the versions that imported ones had.
    List {
        #[command(flatten)]
        at: AtConfig,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Put an earlier version of an imported prompt in force again.
    Restore {
        /// Which: `LANGUAGE~NAME`, or `QUEUE~LANGUAGE~NAME`.
        prompt: PromptName,
        /// The version, as `list` shows it.
        version: String,
        #[command(flatten)]
        at: AtConfig,
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
            Self::Import { file, name, lang, queue, into, at, json } => {
                let name = PromptName::new(queue.as_deref(), lang.as_deref(), &name)?;
                let bytes = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
                let made = make(&bytes, &name).with_context(|| format!("{}", file.display()))?;
                if let Some(into) = into {
                    for (rate, wav) in [(8, &made.sound.narrow), (16, &made.sound.wide)] {
                        let path = into.join(format!("{}.{rate}k.wav", name.name()));
                        std::fs::write(&path, wav).with_context(|| format!("writing {}", path.display()))?;
                    }
                } else {
                    let config = at.load()?;
                    let store = open_store(&config).await?;
                    import(&store, &config.prompts_dir(), &name, &made).await?;
                }
                if json {
                    let mut report = serde_json::to_value(&made)?;
                    report["prompt"] = name.to_string().into();
                    out(format_args!("{report}\n"));
                } else {
                    out(format_args!("{name}\n{made}\n"));
                }
                Ok(ExitCode::SUCCESS)
            }
            Self::List { at, json } => {
                let config = at.load()?;
                let store = open_store(&config).await?;
                list(&store, &config.prompts_dir(), json).await?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Restore { prompt, version, at } => {
                let store = open_store(&at.load()?).await?;
                let done = PromptDone::Restored { version };
                let change = PromptChange { prompt: prompt.to_string(), done, who: account() };
                store.commit(vec![Change::Prompt(change)]).await?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// Stores a prompt and puts it in force.
async fn import(store: &Store, dir: &Path, name: &PromptName, made: &Made) -> anyhow::Result<()> {
    let (_, settings) = store.settings().await?;
    if let Some(queue) = name.queue().filter(|queue| !settings.queues.contains_key(*queue)) {
        anyhow::bail!("there is no queue {queue:?}: its callers could not hear it");
    }
    let library = load(store, dir, None).await?;
    let beneath = library.named(name).filter(|loaded| loaded.source != Source::Imported);
    let beneath = beneath.map(|loaded| (loaded.sha256.clone(), loaded.duration));
    let done = PromptDone::Put { sound: Box::new(made.sound.clone()), replaces: Replaces::Any, beneath };
    let change = PromptChange { prompt: name.to_string(), done, who: account() };
    Ok(store.commit(vec![Change::Prompt(change)]).await?)
}

async fn list(store: &Store, dir: &Path, json: bool) -> anyhow::Result<()> {
    let library = load(store, dir, None).await?;
    let versions = store.prompt_versions().await?;
    for (name, loaded) in library.all() {
        let id = name.to_string();
        let had = versions.iter().filter(|row| row.prompt == id);
        let seconds = loaded.duration.as_secs_f64();
        if json {
            let had: Vec<_> = had
                .map(|row| serde_json::json!({ "version": row.version, "at": row.at.to_rfc3339(), "by": row.who }))
                .collect();
            let line = serde_json::json!({
                "prompt": id, "version": loaded.sha256, "origin": loaded.origin, "seconds": seconds,
                "text": loaded.text, "versions": had,
            });
            out(format_args!("{line}\n"));
            continue;
        }
        out(format_args!("{id}  {seconds:.1} s  {}  {}\n", loaded.sha256, loaded.origin));
        for row in had.filter(|row| row.version != loaded.sha256) {
            out(format_args!("    before: {}  {} by {}\n", row.version, row.at.to_rfc3339(), row.who));
        }
    }
    Ok(())
}
