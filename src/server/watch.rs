//! Notices settings that another process (`sayso apply`) has stored, and swaps them in.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::interval;

use crate::api::Readiness;

use super::Shared;

/// How often the store is asked. `apply` takes effect within this time.
const EVERY: Duration = Duration::from_millis(300);

/// Starts watching from settings generation `generation`.
pub(super) fn start(shared: Arc<Shared>, generation: u64) -> tokio::sync::watch::Receiver<Readiness> {
    let first = Readiness { store: true, draining: false, generation };
    let (sender, receiver) = tokio::sync::watch::channel(first);
    tokio::spawn(async move {
        let mut tick = interval(EVERY);
        let mut known = generation;
        loop {
            tick.tick().await;
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

async fn refresh(shared: &Shared, known: &mut u64) -> Result<(), crate::store::StoreError> {
    if shared.store.generation().await? != *known {
        let (generation, settings) = shared.store.settings().await?;
        shared.swap_settings(Arc::new(settings)).await;
        *known = generation;
        tracing::info!(generation, "settings changed");
    }
    Ok(())
}
