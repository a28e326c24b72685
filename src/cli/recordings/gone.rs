//! `sayso recordings gone`: what is destroyed and is not where it was put is certified by an operator's word.

use std::process::ExitCode;

use super::{Place, destroying};
use crate::cli::apply::account;
use crate::cli::{AtConfig, out};
use crate::ids::{RecordingId, Redacted};
use crate::jobs::{GoneError, say_gone};
use crate::reconcile::State;
use crate::store::{Filter, Store};

/// Recordings that are read at a time.
const PAGE: u32 = 500;

/// Of one recording; waits until it is certified.
pub(super) async fn one(at: &AtConfig, id: RecordingId, reason: String) -> anyhow::Result<ExitCode> {
    let (config, place) = (at.load()?, Place::open(at).await?);
    let object = say_gone((&place.store, place.clock), id, account(), &Redacted(reason)).await?;
    out(format_args!("{id}: noted that {} is not in {} any more\n", object.name, object.place));
    destroying::end(&config, &place, id).await
}

/// Of all that wait and were put into a store that is no more; a server certifies them one by one.
pub(super) async fn all_in(at: &AtConfig, was: &str, reason: String) -> anyhow::Result<ExitCode> {
    let (store, clock) = (at.store().await?, crate::time::Clock::start());
    let (ids, reason) = (waiting(&store, was).await?, Redacted(reason));
    anyhow::ensure!(
        !ids.is_empty(),
        "no destroyed recording that waits was put into {was}: `sayso jobs list` says what jobs wait for, with the place"
    );
    let mut said = 0;
    for id in ids {
        match say_gone((&store, clock), id, account(), &reason).await {
            Ok(_) => said += 1,
            // Certified a moment ago.
            Err(GoneError::NotDestroyed { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    store.close().await;
    out(format_args!(
        "noted that {said} recordings are not in {was} any more; a server certifies them (`sayso jobs list`)\n"
    ));
    Ok(ExitCode::SUCCESS)
}

/// Destroyed recordings that are not certified and were put there.
async fn waiting(store: &Store, was: &str) -> anyhow::Result<Vec<RecordingId>> {
    let state = Some(State::Destroyed.word().to_owned());
    let filter = Filter { state, limit: PAGE, ..Filter::default() };
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = store.recordings_page(&filter, after).await?;
        let there =
            page.items.iter().filter(|row| row.object.as_ref().is_some_and(|object| object.place == was));
        ids.extend(there.map(|row| row.id));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(ids),
        }
    }
}
