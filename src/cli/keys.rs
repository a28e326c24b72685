//! `sayso keys`: which key-encryption keys there are, and a new one.

use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;

use crate::server::keys;
use crate::store::{KekRow, Store};
use crate::time::Clock;

use super::apply::account;
use super::listing::{list, short};
use super::rotation::{Began, GRACE, Rotation};
use super::{AtConfig, Form, out, progress};

/// Look at the keys that seal recordings' keys, or change them.
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// List key-encryption keys, the newest first.
    List {
        #[command(flatten)]
        at: AtConfig,
        #[command(flatten)]
        form: Form,
    },
    /// Make a new key-encryption key, seal all recordings' keys with it, and remove the old one. Servers may run
    /// meanwhile; recordings themselves are not touched. Run it again after an interruption: it goes on.
    Rotate {
        #[command(flatten)]
        at: AtConfig,
        /// Only put the new key into the key file. With several servers on one database: copy the file to each of
        /// them, then rotate.
        #[arg(long)]
        prepare: bool,
    },
}

impl KeysCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List { at, form } => {
                let lines = lines(&at.store().await?, form.limit).await?;
                let head = ["KEY", "KEPT BY", "STATE", "MADE", "RETIRED", "RECORDINGS"];
                list(&form, &head, &lines, KeyLine::cells)?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Rotate { at, prepare } => rotate(&at, prepare).await,
        }
    }
}

async fn rotate(at: &AtConfig, prepare: bool) -> anyhow::Result<ExitCode> {
    let config = at.load()?;
    let store = super::open_store(&config).await?;
    let (clock, by) = (Clock::start(), account());
    let keyring = keys::open(&config, &store, clock.now(), by.clone()).await?;
    let rotation = Rotation::new(store.clone(), keyring, by, clock, GRACE);
    if prepare {
        anyhow::ensure!(
            config.vault.kms.is_none(),
            "with [vault.kms] nothing is to be prepared: every server has AWS KMS open the new key"
        );
        let id = rotation.prepare().await?;
        out(format_args!("{id} is in {} and not used yet\n", config.key_file().display()));
        return Ok(ExitCode::SUCCESS);
    }
    let bar = progress("sealing anew");
    let done = rotation
        .run(&mut |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        })
        .await;
    bar.finish_and_clear();
    let (began, resealed, retired) = done?;
    store.close().await;
    match began {
        Began::New(id) => out(format_args!("{id} is the new key\n")),
        Began::Resumed(id) => out(format_args!("{id} is the new key, of a rotation that was interrupted\n")),
    }
    out(format_args!("{} recordings' keys sealed with it\n", resealed.done));
    for id in retired {
        out(format_args!("{id} is retired\n"));
    }
    if resealed.stuck == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "sayso: {} recordings' keys do not open and were left as they are (the log names them), so the old key stays \
         in use: is the database the one that belongs to the key file?",
        resealed.stuck
    );
    Ok(ExitCode::FAILURE)
}

/// A key as it is listed.
#[derive(Serialize)]
struct KeyLine {
    id: Option<String>,
    provider: Option<&'static str>,
    state: &'static str,
    made_at: Option<String>,
    retired_at: Option<String>,
    recordings: u64,
}

async fn lines(store: &Store, limit: u32) -> anyhow::Result<Vec<KeyLine>> {
    let mut lines = Vec::new();
    for kek in store.keks().await?.into_iter().rev() {
        let recordings = store.count_wrapped_by(Some(&kek.id)).await?;
        lines.push(KeyLine::of(kek, recordings));
    }
    lines.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let unnamed = store.count_wrapped_by(None).await?;
    if unnamed > 0 {
        let state = "recordings of an older Sayso, by a key of the file";
        let (id, provider, made_at, retired_at) = (None, None, None, None);
        lines.push(KeyLine { id, provider, state, made_at, retired_at, recordings: unnamed });
    }
    Ok(lines)
}

impl KeyLine {
    fn of(kek: KekRow, recordings: u64) -> Self {
        Self {
            id: Some(kek.id),
            provider: Some(kek.provider.word()),
            state: kek.state.word(),
            made_at: Some(short(kek.made_at)),
            retired_at: kek.retired_at.map(short),
            recordings,
        }
    }

    fn cells(&self) -> Vec<String> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        vec![
            self.id.clone().unwrap_or_else(|| "(unnamed)".to_owned()),
            self.provider.unwrap_or_default().to_owned(),
            self.state.to_owned(),
            text(&self.made_at),
            text(&self.retired_at),
            self.recordings.to_string(),
        ]
    }
}
