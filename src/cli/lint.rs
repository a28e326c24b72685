//! `sayso config lint`: what the consent-flow linter finds in the stored settings.

use std::process::ExitCode;

use crate::prompts::load;
use crate::settings::{Level, Subject, lint};

use super::{AtConfig, open_store, out};

/// Look at the policies that are stored: what should not go live, and what deserves a thought.
#[derive(Debug, clap::Args)]
pub(super) struct Lint {
    #[command(flatten)]
    at: AtConfig,
    /// Only this queue.
    #[arg(long)]
    queue: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Lint {
    /// Fails when something was found that should not go live.
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.at.load()?;
        let store = open_store(&config).await?;
        let (_, settings) = store.settings().await?;
        let library = load(&store, &config.prompts_dir(), None).await?;
        let wanted = |name: &str| self.queue.as_deref().is_none_or(|queue| queue == name);
        let (mut stops, mut looked) = (false, 0);
        for (name, queue) in settings.queues.iter().filter(|(name, _)| wanted(&name.0)) {
            looked += 1;
            let mut wording = Vec::new();
            for language in Subject::languages(name, queue, &settings) {
                let mut heard = library.wording(name, &language);
                heard.question.changed =
                    store.asked_otherwise(name, &language, &heard.question.version).await?;
                wording.push(heard);
            }
            let subject = Subject { name, queue, before: None, settings: &settings, wording: &wording };
            for finding in lint(&subject) {
                stops |= finding.level == Level::Stop;
                if self.json {
                    let mut line = serde_json::to_value(&finding)?;
                    line["queue"] = name.0.clone().into();
                    out(format_args!("{line}\n"));
                } else {
                    let level = match finding.level {
                        Level::Stop => "stop",
                        Level::Warn => "warn",
                        Level::Note => "note",
                    };
                    out(format_args!(
                        "{level}  {name}: {}: {} [{}]\n",
                        finding.place, finding.what, finding.rule
                    ));
                }
            }
        }
        if let Some(queue) = self.queue.filter(|_| looked == 0) {
            anyhow::bail!("there is no queue {queue:?}");
        }
        Ok(if stops { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
