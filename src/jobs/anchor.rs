//! Anchors the audit log: states where it ends, signed, to places that whoever can write the database cannot reach. One
//! node at a time, by its turn in the database; a crash in between costs a statement more, never one less.

mod place;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::audit::{Actor, Anchor, Anchors};
use crate::settings::Settings;
use crate::store::{AnchorChange, AnchorPlace, AnchorState, Change, Store, StoreError};
use crate::time::Clock;
use crate::vault::Signer;
use crate::vault::objects::Objects;

use super::{AlarmKind, Alarms, Context};

use place::Place;
pub use place::{Stated, read_file};

/// How often it is looked whether an anchor is due.
const LOOK: Duration = Duration::from_secs(5);
/// How long the turn is held: longer than the slowest place takes.
const LEASE: Duration = Duration::from_secs(120);
/// The wait after a failure; each one is twice the last.
const FIRST: Duration = Duration::from_secs(30);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Anchors read at once.
const PAGE: u32 = 1_000;

/// What anchoring takes.
#[derive(Clone)]
pub struct Anchoring {
    /// The database.
    pub store: Store,
    /// The object store.
    pub objects: Objects,
    /// Who signs.
    pub signer: Arc<Signer>,
    /// The time.
    pub clock: Clock,
    /// Who is told when it fails; `None`: whoever ran the command sees it.
    pub alarms: Option<Alarms>,
    /// The turn is taken under this name: another one for each that may take it at the same time.
    pub name: String,
}

/// Why no anchor was made.
#[derive(Debug, thiserror::Error)]
pub enum AnchorFault {
    /// The settings name no place.
    #[error("the settings name no place for anchors: set `anchor-to` of the system")]
    NoPlace,
    /// It is another's turn, or not due.
    #[error("the log is being anchored this moment: try again")]
    NotNow,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Anchors where the log ends now, if it is due (`every`; `None`: in any case), at each place of the settings. A place
/// that does not take it raises the alarm until it does.
///
/// # Errors
/// When nothing was anchored because nothing should be, or the database refuses.
pub async fn anchor(
    with: &Anchoring,
    settings: &Settings,
    by: Actor,
    every: Option<Duration>,
) -> Result<(Anchor, Vec<AnchorPlace>), AnchorFault> {
    let to = settings.system.as_ref().map_or(&[][..], |system| &system.audit.anchor_to);
    if to.is_empty() {
        return Err(AnchorFault::NoPlace);
    }
    let Anchoring { store, signer, clock, name, .. } = with;
    let at = clock.now();
    let begun = AnchorChange::Begun { by: name.clone(), until: at + LEASE, every, at };
    match store.commit(vec![Change::Anchor(begun)]).await {
        Ok(()) => {}
        Err(StoreError::State { .. }) => return Err(AnchorFault::NotNow),
        Err(error) => return Err(error.into()),
    }
    let failures = store.anchor_turn().await?.failures;
    let anchor = Anchor { head: store.audit_head().await?, at };
    let statement = anchor.statement(|octets| signer.sign(octets), signer.public_key());
    let (mut places, mut changes) = (Vec::new(), Vec::new());
    for text in to {
        let put = match Place::of(text, settings) {
            Ok(place) => place.put(with, &anchor, &statement, &mut changes).await,
            Err(why) => Err(why),
        };
        places.push(told(with, text, put));
    }
    let at = clock.now();
    let wait = (FIRST * 2u32.pow(failures.min(12))).min(LONGEST);
    let ended = AnchorChange::Ended {
        by: name.clone(),
        who: by,
        anchor,
        statement,
        places: places.clone(),
        again: at + wait,
        at,
    };
    changes.insert(0, Change::Anchor(ended));
    store.commit(changes).await?;
    Ok((anchor, places))
}

/// What became of the anchor at a place, for its row and the alarm.
fn told(with: &Anchoring, text: &str, put: Result<Option<String>, String>) -> AnchorPlace {
    let (state, what) = match put {
        Ok(what) => {
            if let Some(alarms) = &with.alarms {
                alarms.clear_for(AlarmKind::AnchorFails, text);
            }
            (AnchorState::Anchored, what)
        }
        Err(why) => {
            let alarm = format!(
                "the audit log's head cannot be anchored at {text}: {why}. It is tried again; until then a cut of the log \
                 does not show there"
            );
            if let Some(alarms) = &with.alarms {
                alarms.raise_for(AlarmKind::AnchorFails, text, alarm);
            }
            (AnchorState::Failed, Some(why))
        }
    };
    AnchorPlace { place: text.to_owned(), state, what }
}

/// What is known here of where the log ended: the database's own anchors, and the files of the settings that can be
/// read from this machine. A statement that does not verify with `key` is told in words.
///
/// # Errors
/// When the database refuses.
pub async fn known(
    store: &Store,
    settings: &Settings,
    key: Option<[u8; 32]>,
) -> Result<(Anchors, Option<String>), StoreError> {
    let (mut all, mut fault, mut after) = (Vec::new(), None, None);
    loop {
        let page = store.anchors(after, PAGE).await?;
        for row in &page.items {
            match Anchor::verify(&row.statement, key) {
                Ok(anchor) => all.push(anchor),
                Err(error) => fault = Some(format!("anchor {} in the database: {error}", row.n)),
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let to = settings.system.as_ref().map_or(&[][..], |system| &system.audit.anchor_to);
    for text in to {
        if let Ok(Place::File(path)) = Place::of(text, settings) {
            match read_file(&path, key) {
                Ok(Stated { anchors, faults, unreadable: _ }) => {
                    all.extend(anchors);
                    fault = faults.into_iter().next().or(fault);
                }
                // Another node's, or none was written yet.
                Err(error) => {
                    tracing::info!(%error, path = %path.display(), "a file of anchors is not compared")
                }
            }
        }
    }
    Ok((Anchors::of(all), fault))
}

/// Anchors as often as the settings say, until it is stopped.
pub(super) async fn watch(ctx: Arc<Context>, stop: CancellationToken) {
    let with = Anchoring {
        store: ctx.store.clone(),
        objects: ctx.objects.clone(),
        signer: Arc::clone(&ctx.signer),
        clock: ctx.clock,
        alarms: Some(ctx.alarms.clone()),
        name: ctx.runner().to_owned(),
    };
    let mut known: Option<(u64, Settings)> = None;
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        if let Err(error) = turn(&with, &mut known).await {
            tracing::error!(%error, "the audit log cannot be anchored");
        }
    }
}

async fn turn(with: &Anchoring, known: &mut Option<(u64, Settings)>) -> Result<(), StoreError> {
    let generation = with.store.generation().await?;
    if known.as_ref().is_none_or(|(known, _)| *known != generation) {
        let read = with.store.settings().await?;
        let system = read.1.system.as_ref();
        let to = |text: &str| system.is_some_and(|system| system.audit.anchor_to.iter().any(|to| to == text));
        if let Some(alarms) = &with.alarms {
            alarms.clear_where(AlarmKind::AnchorFails, |place| !to(place));
        }
        *known = Some(read);
    }
    let Some((_, settings)) = known else { return Ok(()) };
    let Some(every) = settings.system.as_ref().and_then(|system| system.audit.anchor_every) else {
        return Ok(());
    };
    let last = with.store.anchor_turn().await?.anchored_at;
    if last.is_some_and(|last| with.clock.now().since(last) < every) {
        return Ok(());
    }
    match anchor(with, settings, Actor::System, Some(every)).await {
        Ok(_) | Err(AnchorFault::NoPlace | AnchorFault::NotNow) => Ok(()),
        Err(AnchorFault::Store(error)) => Err(error),
    }
}
