//! `sayso spools`: what waits for which node, and taking over from one whose disk is lost.

use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use serde::Serialize;
use ulid::Ulid;

use crate::server::salvage;
use crate::store::{Adoption, Change, SpoolRow};
use crate::time::Clock;
use crate::vault::Vault;

use super::apply::account;
use super::listing::{list, short};
use super::{AtConfig, Form, open_store, out};

/// Look at what waits for which node, or take over from one whose disk is lost.
#[derive(Debug, Subcommand)]
pub(super) enum SpoolsCommand {
    /// List the spools for which something waits. A spool is the disk of one node; its id is in `spool.id` there.
    List {
        #[command(flatten)]
        at: AtConfig,
        #[command(flatten)]
        form: Form,
    },
    /// Take over from a node whose disk is lost and never comes back: its recordings, jobs and open calls become this
    /// node's, and what the object store has of its recordings is saved. This node's server may run meanwhile. Never of
    /// a node that runs: its recordings would be cut short.
    Adopt {
        /// The lost spool, as `spools list` and the alarms name it.
        spool: Ulid,
        #[command(flatten)]
        at: AtConfig,
    },
}

impl SpoolsCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List { at, form } => {
                let config = at.load()?;
                let own = Vault::spool_of(&config.vault_dir())?;
                let spools = open_store(&config).await?.spools().await?;
                let lines = spools.into_iter().map(|row| Line::of(row, own.as_deref()));
                let lines: Vec<Line> = lines.take(form.limit.try_into().unwrap_or(usize::MAX)).collect();
                let head = ["SPOOL", "RECORDINGS", "JOBS", "OPEN CALLS", "SINCE", "OF"];
                list(&form, &head, &lines, Line::cells)?;
            }
            Self::Adopt { spool, at } => adopt(&at, &spool.to_string()).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn adopt(at: &AtConfig, spool: &str) -> anyhow::Result<()> {
    let config = at.load()?;
    let dir = config.vault_dir();
    let own = Vault::spool_of(&dir)?;
    let own = own.with_context(|| format!("{} has no spool yet: start the server once", dir.display()))?;
    ensure!(
        own != spool,
        "{spool} is this node's own spool: its server does what waits for it at its start, see `sayso jobs list`"
    );
    let (store, now) = (open_store(&config).await?, Clock::start().now());
    let adoption = Adoption { from: spool.to_owned(), to: own.clone(), at: now, by: account() };
    let mut changes = vec![Change::Adopt(adoption)];
    // A server that runs looks for such calls at its next start only.
    let calls = store.calls_left_by(spool).await?;
    for call in &calls {
        changes.extend(salvage::end(&store, *call, now).await?);
    }
    store.commit(changes).await.context("nothing is changed")?;
    store.close().await;
    out(format_args!(
        "what waited for the spool {spool} is the business of this node ({own}) from now on, and {} calls are ended: \
         see `sayso jobs list`. Make sure that the node it was of never starts again with its old disk\n",
        calls.len()
    ));
    Ok(())
}

/// A spool as it is listed.
#[derive(Serialize)]
struct Line {
    spool: String,
    recordings: u64,
    jobs: u64,
    calls: u64,
    since: String,
    own: bool,
}

impl Line {
    fn of(row: SpoolRow, own: Option<&str>) -> Self {
        let SpoolRow { id, recordings, jobs, calls, oldest } = row;
        let own = own == Some(id.as_str());
        Self { spool: id, recordings, jobs, calls, since: short(oldest), own }
    }

    fn cells(&self) -> Vec<String> {
        let numbers = [self.recordings, self.jobs, self.calls].map(|number| number.to_string());
        let of = if self.own { "this node" } else { "another" };
        let mut cells = vec![self.spool.clone()];
        cells.extend(numbers);
        cells.extend([self.since.clone(), of.to_owned()]);
        cells
    }
}
