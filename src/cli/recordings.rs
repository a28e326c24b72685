//! `sayso recordings`: list, and export as WAV.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use crate::audit::{AuditEvent, Class, Object, Value};
use crate::ids::RecordingId;
use crate::server::archive::vault_config;
use crate::server::keys;
use crate::store::{Change, Listened, ListenedTo, RecordingRow, Store};
use crate::time::Clock;
use crate::vault::{Exported, Vault, WrappedKey};

use super::apply::account;
use super::listing::{List, list, short};
use super::{AtConfig, out, progress};

/// List or export recordings.
#[derive(Debug, Subcommand)]
pub(super) enum RecordingsCommand {
    /// List recordings, newest first.
    List(List),
    /// Write a recording as a stereo WAV (left: caller, right: agent); audited.
    Export {
        /// Its id.
        id: RecordingId,
        /// The file to write.
        #[arg(long = "to", value_name = "FILE.wav")]
        file: PathBuf,
        #[command(flatten)]
        at: AtConfig,
    },
}

impl RecordingsCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(which) => {
                let rows = which.at.store().await?.recordings(&which.filter()).await?;
                let head = ["RECORDING", "BEGAN", "SECONDS", "QUEUE", "STATE", "BASIS", "CALL"];
                list(&which.form, &head, &rows, cells)?;
            }
            Self::Export { id, file, at } => {
                let config = at.load()?;
                let store = super::open_store(&config).await?;
                let keys = keys::open(&config, &store, Clock::start().now(), account()).await?;
                let vault = Vault::open(vault_config(&config), keys, Clock::start())?;
                let bar = progress("exporting");
                let exported = export(&store, &vault, id, &file, &mut |done, all| {
                    bar.set_length(all);
                    bar.set_position(done);
                })
                .await;
                bar.finish_and_clear();
                let exported = exported?;
                let seconds = exported.info.samples as f64 / 8_000.0;
                out(format_args!("{}: {seconds:.1} s, stereo, 8 kHz\n", file.display()));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes a recording's WAV; who took it out is audited first.
pub(super) async fn export(
    store: &Store,
    vault: &Vault,
    id: RecordingId,
    file: &std::path::Path,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> anyhow::Result<Exported> {
    let row = store.recording(id).await?.with_context(|| format!("no recording {id}"))?;
    let state = row.state;
    let key = row.wrapped_key.with_context(|| format!("recording {id} is {state}: its key is destroyed"))?;
    let (who, at) = (account(), Clock::start().now());
    // Who takes it out can listen to it as often as they like: domain rule 24.
    let listened = Listened {
        at,
        who: who.name().unwrap_or_default().to_owned(),
        to: ListenedTo::Recording(id),
        reason: None,
    };
    let read = AuditEvent::new(Class::Read, who, at, "recording.exported", Object::new("recording", id));
    let read = read.new_value(Some(Value::plain(file.display())));
    store.commit(vec![Change::Audit(read), Change::Listened(listened)]).await?;
    let reader = vault.plain(id, &WrappedKey(key.0)).await?;
    Ok(reader.export(file, progress).await?)
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
