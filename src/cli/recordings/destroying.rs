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
use crate::jobs::{self, Alarms, Deps, Jobs};
use crate::server::archive;
use crate::store::{Change, JobFilter, RecordingChange, StoreError};

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
        Err(StoreError::State { state, .. }) => {
            anyhow::bail!("recording {id} is {state}: there is nothing to destroy")
        }
        Err(error) => return Err(error.into()),
    }
    let mut own = None;
    let removed = wait(&config, &place, id, &mut own).await;
    if let Some(jobs) = own {
        jobs.stop().await;
    }
    let removed = removed?;
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

/// Waits until every copy is gone. Where nobody takes the job, it is done here: `own` are the jobs of this process.
async fn wait(
    config: &crate::config::Config,
    place: &Place,
    id: RecordingId,
    own: &mut Option<Jobs>,
) -> anyhow::Result<bool> {
    let bar = progress("removing");
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unwanted = 0;
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
        if unwanted >= PATIENCE && own.is_none() {
            let deps = Deps {
                store: place.store.clone(),
                vault: Arc::clone(&place.vault),
                objects: place.objects.clone(),
                signer: Arc::clone(&place.signer),
                clock: place.clock,
                alarms: Alarms::new(place.store.clone(), place.clock),
            };
            let mut config = archive::jobs_config(config);
            // Only what was asked for.
            config.reconcile_every = Duration::ZERO;
            *own = Some(jobs::start(config, deps));
        }
    }
    bar.finish_and_clear();
    Ok(false)
}
