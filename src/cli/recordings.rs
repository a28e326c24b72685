//! `sayso recordings`: list, take out, verify, destroy, say that they are gone.

mod checking;
mod destroying;
mod exporting;
mod gone;
mod verifying;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};

use crate::api::{LONGEST_REASON, written};
use crate::config::Config;
use crate::ids::RecordingId;
use crate::server::archive;
use crate::store::{RecordingRow, Store};
use crate::time::Clock;
use crate::vault::objects::Objects;
use crate::vault::{Signer, Vault};

use super::AtConfig;
use super::apply::account;
use super::listing::{List, list, short};

pub(super) use exporting::export;

/// List, take out, verify or destroy recordings.
#[derive(Debug, Subcommand)]
pub(super) enum RecordingsCommand {
    /// List recordings, newest first.
    List {
        #[command(flatten)]
        which: List,
        /// Only in this state: armed, recording, finished, stored, discarded, failed, destroyed, removed.
        #[arg(long)]
        state: Option<String>,
    },
    /// Write a recording's audio (left: caller, right: everybody else), or many into a folder; audited. An export
    /// that was interrupted goes on where it was when it is run again.
    Export(exporting::Export),
    /// Read recordings whole and check every chunk of them (exit code 1: one is damaged).
    Verify {
        /// Its id.
        #[arg(required_unless_present = "all")]
        id: Option<RecordingId>,
        /// All that are whole.
        #[arg(long, conflicts_with = "id")]
        all: bool,
        #[command(flatten)]
        at: AtConfig,
    },
    /// Check the signature of an exported vCon or manifest, and the file it tells of. Needs no server and no database.
    VerifyExport {
        /// The vCon, the manifest, or the file that has its manifest beside it.
        file: PathBuf,
        /// The public key it must be signed with: 64 hexadecimal digits, from `sayso certificate key`.
        #[arg(long, value_name = "HEX", value_parser = super::certificate::public_key)]
        key: Option<[u8; 32]>,
    },
    /// Destroy a recording for good: its key first, then every copy. A running server does it; without one this
    /// process does.
    Destroy {
        /// Its id.
        id: RecordingId,
        /// Why, for the audit log and the deletion certificate, which is kept for good: name no person.
        #[arg(long, value_parser = reason)]
        reason: String,
        #[command(flatten)]
        at: AtConfig,
    },
    /// Say that a destroyed recording is not where it was put, and nobody can put that right: somebody took it away, or its
    /// bucket or folder is no more. Audited; its deletion certificate tells who said so.
    Gone {
        /// Its id.
        #[arg(required_unless_present = "all_in")]
        id: Option<RecordingId>,
        /// All that wait for this and were put into this store, named as `sayso jobs list` does.
        #[arg(long, value_name = "STORE", conflicts_with = "id")]
        all_in: Option<String>,
        /// Why it is not there, for the audit log; the certificate has its SHA-256.
        #[arg(long, value_parser = reason)]
        reason: String,
        #[command(flatten)]
        at: AtConfig,
    },
}

/// What an exported file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// The audio: WAV, or Ogg Opus where recordings are kept as that.
    Wav,
    /// A signed vCon with the audio inside.
    Vcon,
}

/// The vault and what belongs to it, as this process opens it.
struct Place {
    store: Store,
    vault: Arc<Vault>,
    objects: Objects,
    signer: Arc<Signer>,
    clock: Clock,
}

impl Place {
    async fn open(at: &AtConfig) -> anyhow::Result<Self> {
        Self::open_for(at, None).await
    }

    /// The same, if there is this recording.
    async fn open_for(at: &AtConfig, id: Option<RecordingId>) -> anyhow::Result<Self> {
        let config = at.load()?;
        let (store, clock) = (super::open_store(&config).await?, Clock::start());
        if let Some(id) = id {
            store.recording(id).await?.with_context(|| format!("no recording {id}"))?;
        }
        check_made(&config)?;
        let vault = Arc::new(archive::vault(&config, &store, account(), clock).await?);
        let signer = Arc::new(crate::server::keys::signer(&config, &store).await?);
        let objects = archive::objects(&config).await?;
        Ok(Self { store, vault, objects, signer, clock })
    }
}

impl RecordingsCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List { which, state } => {
                let filter = crate::store::Filter { state, ..which.filter() };
                let rows = which.at.store().await?.recordings(&filter).await?;
                let head = ["RECORDING", "BEGAN", "SECONDS", "QUEUE", "STATE", "BASIS", "CALL"];
                list(&which.form, &head, &rows, cells)?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Export(export) => export.run().await,
            Self::VerifyExport { file, key } => checking::run(&file, key),
            Self::Verify { id, all: _, at } => verifying::run(&Place::open(&at).await?, id).await,
            Self::Destroy { id, reason, at } => destroying::run(&at, id, &reason).await,
            Self::Gone { id, all_in, reason, at } => match (id, all_in) {
                (Some(id), _) => gone::one(&at, id, reason).await,
                (None, Some(was)) => gone::all_in(&at, &was, reason).await,
                (None, None) => anyhow::bail!("which recording? give its id, or --all-in"),
            },
        }
    }
}

/// Keys and spool are made by the server, as its own user and once: made here, they would be somebody else's.
fn check_made(config: &Config) -> anyhow::Result<()> {
    let key = config.vault.kms.is_none().then(|| config.key_file());
    let made = [Some(config.vault_dir().join("spool.id")), key, Some(config.signing_key_file())];
    for path in made.into_iter().flatten() {
        anyhow::ensure!(
            path.exists(),
            "there is no {}: `sayso serve` makes it at its first start; run this with that server's configuration, as its user",
            path.display()
        );
    }
    Ok(())
}

/// What a person gives as a reason.
fn reason(text: &str) -> Result<String, String> {
    let written = written(text, LONGEST_REASON).map(str::to_owned);
    written.ok_or_else(|| {
        format!("a reason has 1 to {LONGEST_REASON} characters, and none that only steers a terminal")
    })
}

fn cells(row: &RecordingRow) -> Vec<String> {
    let seconds = row.samples.map(|samples| format!("{:.1}", samples as f64 / 8_000.0));
    vec![
        row.id.to_string(),
        row.started_at.map(short).unwrap_or_default(),
        seconds.unwrap_or_default(),
        row.queue.to_string(),
        if row.salvaged { format!("{} (salvaged)", row.state) } else { row.state.clone() },
        row.basis.clone(),
        row.call.to_string(),
    ]
}

/// The folder's file of this name.
fn beside(file: &std::path::Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
