//! Moving (domain rule 20): all that is selected goes into one sealed file of the separate store, which is read back whole;
//! only then is it erased here. A call of which something cannot be taken along is left.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use bytes::Bytes;

use crate::jobs::{Context, Fault, Held, Outcome};
use crate::store::{PrivacyChange, TaskCounts, TaskRow};
use crate::vault::{Chest, Contents, KeySource, Keyring, VaultError};

use super::making::{Unread, put_recording, recordings, write_report};
use super::{SeparateStore, calls, change, end, erasing};

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
    let keys = keys(place).await?;
    let name = format!("{id}.box");
    let path = place.dir.join(&name);
    let (dir, to, with) = (place.dir.clone(), path.clone(), keys.clone());
    let filling = ctx.with_vault(move |_| {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        made.map_err(VaultError::io("create directory", &dir))?;
        Chest::begin_archived(&to, id, &with).map_err(VaultError::io("create", &to))
    });
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
    change(ctx, PrivacyChange::Archived { id, archive: name, sha256, bytes, at: ctx.clock.now() }).await?;
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

/// The keys of the separate store; made when there are none.
async fn keys(place: &SeparateStore) -> Result<Keyring, Fault> {
    let source = KeySource { file: place.key_file.clone(), kms: None };
    Ok(Keyring::open(source, &[], true).await?.0)
}

fn unwritten(path: &std::path::Path, error: &std::io::Error) -> Fault {
    Fault::Other(format!("{} cannot be written: {error}", path.display()))
}
