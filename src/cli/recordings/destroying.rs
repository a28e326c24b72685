//! `sayso recordings destroy`: the key at once, then every copy, by a running server's jobs or by our own.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{MissedTickBehavior, interval};

use super::Place;
use crate::cli::apply::account;
use crate::cli::{AtConfig, out, progress};
use crate::ids::RecordingId;
use crate::jobs::{self, Alarms, Deps};
use crate::server::archive;
use crate::store::{Change, JobFilter, RecordingChange, StoreError};
use crate::vault::VaultError;

/// How often it is looked how far it is.
const LOOK: Duration = Duration::from_millis(250);
/// How many of those looks the job may lie there before this process does it itself: 3 s, a server looks each second.
const PATIENCE: u32 = 12;
/// How many looks in all; a store that is away may come back tomorrow, and a server goes on then.
const LOOKS: u32 = 240;

pub(super) async fn run(at: &AtConfig, id: RecordingId, reason: &str) -> anyhow::Result<ExitCode> {
    let reason = reason.trim();
    anyhow::ensure!(!reason.is_empty(), "--reason: say why, it goes into the deletion certificate");
    let config = at.load()?;
    let place = Place::open(at).await?;
    let (rule, why, by) = ("operator".to_owned(), reason.to_owned(), account());
    let change = RecordingChange::Destroyed { id, at: place.clock.now(), rule, why, by };
    match place.store.commit(vec![Change::Recording(change)]).await {
        Ok(()) => out(format_args!("{id}: its key is destroyed, no copy can be read any more\n")),
        Err(StoreError::State { state, .. }) if ["destroyed", "removed"].contains(&state.as_str()) => {
            out(format_args!("{id}: its key was destroyed before\n"));
        }
        Err(StoreError::State { state, .. }) if state == "held" => {
            anyhow::bail!("a legal hold is on recording {id}: see `sayso holds list`")
        }
        Err(StoreError::State { state, .. }) => {
            anyhow::bail!("recording {id} is {state}: there is nothing to destroy")
        }
        Err(error) => return Err(error.into()),
    }
    end(&config, &place, id).await
}

/// Waits for the end of its destruction, and tells of it.
pub(super) async fn end(
    config: &crate::config::Config,
    place: &Place,
    id: RecordingId,
) -> anyhow::Result<ExitCode> {
    let removed = wait(config, place, id).await?;
    place.store.close().await;
    if removed {
        out(format_args!("{id}: every copy is gone; `sayso certificate show {id}` shows the proof\n"));
        return Ok(ExitCode::SUCCESS);
    }
    out(format_args!(
        "{id}: not every copy is gone yet; it is tried until it is (`sayso jobs list` says why it is not)\n"
    ));
    Ok(ExitCode::FAILURE)
}

/// Waits until every copy is gone. Where nobody takes the job and no server has the vault, it is done here.
async fn wait(config: &crate::config::Config, place: &Place, id: RecordingId) -> anyhow::Result<bool> {
    let bar = progress("removing");
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut unwanted, mut tried) = (0, false);
    for _ in 0..LOOKS {
        look.tick().await;
        let row = place.store.recording(id).await?.with_context(|| format!("no recording {id}"))?;
        if row.state == "removed" {
            bar.finish_and_clear();
            return Ok(true);
        }
        let filter = JobFilter { subject: Some(id.to_string()), limit: 1, ..JobFilter::default() };
        let job = place.store.jobs(&filter).await?.items.pop();
        if let Some(progress) = job.as_ref().and_then(|job| job.progress) {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        }
        let now = place.clock.now();
        let held = job.as_ref().is_some_and(|job| job.leased_until.is_some_and(|until| until > now));
        unwanted = if held { 0 } else { unwanted + 1 };
        // Once at once; after that as it is due, for the row says what it waits for.
        let is_due = !tried || job.is_some_and(|job| job.due <= now);
        if unwanted >= PATIENCE && is_due {
            (unwanted, tried) = (0, true);
            do_here(config, place, id).await?;
        }
    }
    bar.finish_and_clear();
    Ok(false)
}

/// Does its job in this process, if no other has the vault: a server that does goes on with it by itself, and puts beside
/// ours would not be seen.
async fn do_here(config: &crate::config::Config, place: &Place, id: RecordingId) -> anyhow::Result<()> {
    let owner = match place.vault.own() {
        Ok(owner) => owner,
        Err(VaultError::Owned { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let deps = Deps {
        store: place.store.clone(),
        vault: Arc::clone(&place.vault),
        objects: place.objects.clone(),
        signer: Arc::clone(&place.signer),
        clock: place.clock,
        alarms: Alarms::new(place.store.clone(), place.clock),
    };
    let done = jobs::destroy_one(archive::jobs_config(config), deps, id).await;
    drop(owner);
    Ok(done?)
}
