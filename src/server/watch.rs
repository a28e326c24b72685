//! Notices settings, prompts and keys that another process (`sayso apply`, `sayso prompts import`, `sayso keys rotate`)
//! has stored, and swaps them in.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::interval;

use crate::api::Readiness;
use crate::jobs::AlarmKind;
use crate::prompts::PromptError;
use crate::store::{KekRow, StoreError};

use super::{Shared, keys};

/// How often the store is asked. `apply` takes effect within this time.
const EVERY: Duration = Duration::from_millis(300);

/// Starts watching from settings generation `generation`.
pub(super) fn start(shared: Arc<Shared>, generation: u64) -> tokio::sync::watch::Receiver<Readiness> {
    let first = Readiness { store: true, draining: false, generation };
    let (sender, receiver) = tokio::sync::watch::channel(first);
    tokio::spawn(async move {
        let mut tick = interval(EVERY);
        let (mut known, mut keys) = (generation, Vec::new());
        loop {
            tick.tick().await;
            follow_keys(&shared, &mut keys).await;
            let store = match refresh(&shared, &mut known).await {
                Ok(()) => true,
                Err(error) => {
                    tracing::error!(%error, "the store cannot be read");
                    false
                }
            };
            let now = Readiness { store, draining: shared.draining(), generation: known };
            sender.send_if_modified(|was| std::mem::replace(was, now) != now);
        }
    });
    receiver
}

/// Takes up what `sayso keys rotate` did: from then on new recordings are sealed with the new key.
async fn follow_keys(shared: &Shared, seen: &mut Vec<KekRow>) {
    // A database that cannot be read is told of by who reads the settings.
    let Ok(rows) = shared.store.keks().await else { return };
    if rows == *seen {
        return;
    }
    match keys::follow(&shared.store, shared.vault.keyring()).await {
        Ok(()) => {
            if !seen.is_empty() {
                tracing::info!(current = %shared.vault.keyring().current(), "keys changed");
            }
            *seen = rows;
            shared.alarms.clear(AlarmKind::KeysAway);
        }
        Err(error) => {
            let what = format!(
                "the keys changed and cannot be read: {error:#}. Those from before are used on; recordings that need \
                 another key neither begin nor can be read until this is put right"
            );
            shared.alarms.raise(AlarmKind::KeysAway, what);
        }
    }
}

async fn refresh(shared: &Shared, known: &mut u64) -> Result<(), StoreError> {
    if shared.store.generation().await? != *known {
        let (generation, settings) = shared.store.settings().await?;
        match shared.prompts.renew(&shared.store).await {
            Ok(()) => {}
            // It is tried again, with the settings.
            Err(PromptError::Store(error)) => return Err(error),
            Err(error) => tracing::error!(%error, "the prompts cannot be read: the old ones stay"),
        }
        shared.swap_settings(Arc::new(settings)).await;
        *known = generation;
        tracing::info!(generation, "settings changed");
    }
    Ok(())
}
