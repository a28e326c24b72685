//! Moving (domain rule 20): all that is selected goes into one sealed file of the separate store, which is read back whole;
//! only then is it erased here. A call of which something cannot be taken along is left.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use anyhow::Context as _;
use bytes::Bytes;

use crate::jobs::{Context, Fault, Held, Outcome};
use crate::store::{PrivacyChange, Store, TaskCounts, TaskRow};
use crate::vault::{Chest, Contents, KeySource, Keyring, VaultError};

use super::making::{Unread, put_recording, recordings, write_report};
use super::{SeparateStore, calls, change, end, erasing};

impl SeparateStore {
    /// Makes the folder and the keys, unless something was moved there before: then they are on a disk that is to be
    /// mounted. Done again it does nothing.
    ///
    /// # Errors
    /// When they cannot be made, or the database refuses.
    pub async fn make(&self, store: &Store) -> anyhow::Result<()> {
        let missing = [&self.dir, &self.key_file].into_iter().find(|path| !path.exists());
        let Some(missing) = missing else { return Ok(()) };
        if store.privacy_archives().await? {
            tracing::error!(
                path = %missing.display(),
                "the separate store is not whole, though something was moved there: mount its disk"
            );
            return Ok(());
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .with_context(|| self.dir.display().to_string())?;
        let source = KeySource { file: self.key_file.clone(), kms: None };
        Keyring::open(source, &[], true).await.map(drop)?;
        Ok(())
    }
}

/// [`PrivacyChange::Archived`] is behind it.
const ARCHIVED: u8 = 1;

pub(super) async fn archive_then_erase(ctx: &Context, job: &Held, task: &TaskRow) -> Result<Outcome, Fault> {
    if task.stage < ARCHIVED {
        let Some(place) = ctx.config.separate_store.clone() else {
            let what = "there is no separate store: [privacy] archive names no folder".to_owned();
            return end(ctx, task, false, what, TaskCounts::default(), None, None).await;
        };
        archive(ctx, job, task, &place).await?;
    }
    erasing::erase(ctx, job, task).await
}

async fn archive(ctx: &Context, job: &Held, task: &TaskRow, place: &SeparateStore) -> Result<(), Fault> {
    let id = task.id;
    leave_unfinished(ctx, task).await?;
    // What comes from now on may not be in the archive, and is not erased.
    let began = (ctx.clock.now(), ctx.store.last_consent().await?);
    let keys = keys(place).await?;
    let name = format!("{id}.box");
    let path = place.dir.join(&name);
    let (to, with) = (path.clone(), keys.clone());
    let filling =
        ctx.with_vault(move |_| Chest::begin_archived(&to, id, &with).map_err(VaultError::io("create", &to)));
    let zip = crate::export::Zip::begin(filling.await?);
    // First the recordings, as a call may be left for them; then what is told of the others.
    let rows = recordings(ctx, &calls(ctx, task).await?).await?;
    for (n, row) in rows.iter().enumerate() {
        job.progress(n as u64, rows.len() as u64);
        match put_recording(ctx, task, &zip, row).await? {
            Ok(()) | Err(Unread::Gone) => {}
            Err(Unread::Broken(recording)) => {
                let what = format!("its recording {recording} cannot be read");
                let (call, at) = (row.call, ctx.clock.now());
                change(ctx, PrivacyChange::CallRefused { id, call, what, at }).await?;
            }
        }
    }
    zip.file("report.csv".to_owned(), true).await;
    write_report(ctx, job, task, |octets| zip.octets(Bytes::from(octets))).await?;
    let filling = zip.finish().await.map_err(|error| unwritten(&path, &error))?;
    let to = path.clone();
    let written = ctx.with_vault(move |_| filling.finish(&to)).await?;
    ctx.step("archived")?;
    let read = read_back(ctx, path.clone(), keys).await?;
    if read != written {
        return Err(Fault::Other(format!(
            "{} is not what was written to it when it is read back: find out what is wrong with that disk; nothing was erased",
            path.display()
        )));
    }
    let Contents { bytes, sha256 } = written;
    change(ctx, PrivacyChange::Archived { id, archive: name, sha256, bytes, began, at: ctx.clock.now() })
        .await?;
    ctx.step("read-back")
}

/// Calls that go on cannot be moved whole.
async fn leave_unfinished(ctx: &Context, task: &TaskRow) -> Result<(), Fault> {
    for call in calls(ctx, task).await? {
        let ended = ctx.store.call(call).await?.is_none_or(|detail| detail.call.ended_at.is_some());
        if !ended {
            let (id, what, at) = (task.id, "going on".to_owned(), ctx.clock.now());
            change(ctx, PrivacyChange::CallRefused { id, call, what, at }).await?;
        }
    }
    Ok(())
}

async fn read_back(ctx: &Context, path: PathBuf, keys: Keyring) -> Result<Contents, Fault> {
    ctx.with_vault(move |_| {
        let (_, chest) = Chest::open_archived(&path, &keys)?;
        chest.contents(|_| {}).map_err(VaultError::io("read back", &path))
    })
    .await
}

/// The keys of the separate store. Neither it nor they are made here: a disk that is not mounted would be hidden by what was
/// written below its mount point.
async fn keys(place: &SeparateStore) -> Result<Keyring, Fault> {
    for there in [&place.dir, &place.key_file] {
        if !there.exists() {
            return Err(Fault::Other(format!(
                "the separate store is not whole, {} is missing: mount its disk; nothing was erased",
                there.display()
            )));
        }
    }
    let source = KeySource { file: place.key_file.clone(), kms: None };
    Ok(Keyring::open(source, &[], false).await?.0)
}

fn unwritten(path: &std::path::Path, error: &std::io::Error) -> Fault {
    Fault::Other(format!("{} cannot be written: {error}", path.display()))
}
