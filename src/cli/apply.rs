//! `sayso apply`: makes the stored settings be as a file says.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};

use crate::audit::Actor;
use crate::config::Config;
use crate::settings::{self, DiffOptions, Difference, SettingsError};
use crate::store::Change;
use crate::time::Clock;

use super::{AtConfig, open_store, out};

/// Make the stored settings be as a file says.
#[derive(Debug, clap::Args)]
pub(super) struct Apply {
    /// The file.
    file: PathBuf,
    #[command(flatten)]
    at: AtConfig,
    /// Remove what is stored and not in the file, within the kinds the file mentions.
    #[arg(long)]
    prune: bool,
    /// Remove queues also where recordings and calls are kept by rules of theirs that would go sooner without them.
    #[arg(long)]
    confirm_removal: bool,
    /// Only show what would change.
    #[arg(long)]
    dry_run: bool,
}

impl Apply {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.at.load()?;
        let name = self.file.display().to_string();
        let text = std::fs::read_to_string(&self.file).with_context(|| format!("{name}: cannot be read"))?;
        let store = open_store(&config).await?;
        let (generation, stored) = store.settings().await?;
        let differences = read(&config, &text, &name, &stored, self.prune)?;
        for difference in &differences {
            out(format_args!("{difference}\n"));
        }
        let removals = store.removals(&stored, &differences, Clock::start().now()).await?;
        for removal in &removals {
            tracing::warn!("{removal}");
        }
        if differences.is_empty() {
            out(format_args!("nothing to change\n"));
        } else if self.dry_run {
            out(format_args!("{} changes, none made (--dry-run)\n", differences.len()));
        } else if !removals.is_empty() && !self.confirm_removal {
            let queues: Vec<&str> = removals.iter().map(|removal| removal.queue.0.as_str()).collect();
            bail!("{}", unconfirmed(&queues));
        } else {
            let count = differences.len();
            let who = account();
            store.commit(vec![Change::SettingsSince { generation, differences, who }]).await?;
            out(format_args!("{count} changes made, settings generation {}\n", store.generation().await?));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What is said when queues would be removed that keep something.
fn unconfirmed(queues: &[&str]) -> String {
    let set: Vec<String> = queues.iter().map(|queue| format!("--set queue.{queue}=removed")).collect();
    format!(
        "nothing was changed: without {} recordings and calls would be removed sooner than their rules say (see above). \
         Look first what goes: `sayso retention simulate {}`; then give the system as long a rule, keep the queue, or say \
         --confirm-removal",
        queues.join(", "),
        set.join(" "),
    )
}

/// Applies settings from a text (the demo's).
pub(super) async fn apply_text(config: &Config, text: &str, file: &str) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let (_, stored) = store.settings().await?;
    let differences = read(config, text, file, &stored, false)?;
    if !differences.is_empty() {
        store.commit(vec![Change::Settings(differences, account())]).await?;
    }
    store.close().await;
    Ok(())
}

fn read(
    config: &Config,
    text: &str,
    file: &str,
    stored: &settings::Settings,
    prune: bool,
) -> anyhow::Result<Vec<Difference>> {
    let file = settings::parse(text, file, &config.sip.realm).map_err(all)?;
    for warning in settings::warnings(&file) {
        tracing::warn!("{warning}");
    }
    let options = DiffOptions { prune, seed: seed()? };
    settings::diff(stored, &file, &options).map_err(all)
}

/// Every error, a line each.
fn all(errors: Vec<SettingsError>) -> anyhow::Error {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    anyhow!("{}", lines.join("\n       "))
}

/// Who runs the command, for the audit log: the name of the process's own account and its number. What the environment
/// says counts only where root alone could have said it.
pub(super) fn account() -> Actor {
    // Without the file, or a right to read it, the number is enough.
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let sudo = std::env::var("SUDO_UID").ok();
    Actor::User(named(rustix::process::getuid().as_raw(), sudo.as_deref(), &accounts))
}

/// `NAME (uid N)`, or `uid N` where `accounts` (see passwd(5)) has no such number, as of a directory service. `sudo`:
/// who became root by it.
fn named(own: u32, sudo: Option<&str>, accounts: &str) -> String {
    let asked = sudo.filter(|_| own == 0).and_then(|uid| uid.parse().ok());
    let uid: u32 = asked.unwrap_or(own);
    let name = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    };
    match accounts.lines().find_map(name) {
        Some(name) => format!("{name} (uid {uid})"),
        None => format!("uid {uid}"),
    }
}

/// 32 random bytes, for the salts of changed passwords.
pub(super) fn seed() -> anyhow::Result<[u8; 32]> {
    let mut seed = [0; 32];
    aws_lc_rs::rand::fill(&mut seed).map_err(|_| anyhow!("the system gives no random bytes"))?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_is_told_what_to_do() {
        let told = unconfirmed(&["support", "sales"]);
        assert!(told.contains("simulate --set queue.support=removed --set queue.sales=removed`"), "{told}");
        assert!(told.contains("--confirm-removal"), "{told}");
    }

    #[test]
    fn who_acts_is_whose_process_it_is() {
        let accounts =
            "root:x:0:0:root:/root:/bin/sh\n\nodd\nada:x:1000:1000:1001::\nbob:x:1001:1000::/home:\n";
        assert_eq!(named(1000, None, accounts), "ada (uid 1000)");
        assert_eq!(named(1000, Some("1001"), accounts), "ada (uid 1000)", "who is not root cannot say");
        assert_eq!(named(0, Some("1001"), accounts), "bob (uid 1001)");
        assert_eq!(named(0, Some("4242"), accounts), "uid 4242");
        for no_uid in [None, Some(""), Some("ceo"), Some("-1")] {
            assert_eq!(named(0, no_uid, accounts), "root (uid 0)");
        }
        assert_eq!(named(7, None, ""), "uid 7");
    }
}
