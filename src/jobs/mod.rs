//! What is done to recordings beside the calls, so that it happens once and for certain: uploads, copies of
//! recordings that go on, encoding, destruction, rescue from a lost disk, reconciliation. Each is a row in the database,
//! written in the transaction that made it necessary; the runner leases it and does it in steps that can be done
//! again, so that the next one goes on after any crash.
//!
//! | module      | what it does |
//! |-------------|--------------|
//! | `runner`    | leases due jobs, so many of a kind at once; renews, ends, tries again |
//! | `schedule`  | back-off and breaker, pure |
//! | `upload`    | spool -> object store, then the spool's file goes |
//! | `segment`   | recordings that go on are copied now and then |
//! | `encode`    | Ogg Opus of the finished recording |
//! | `destroy`   | all copies go; the certificate |
//! | `reconcile` | database against object store and spool; orphans |
//! | `rescue`    | a lost spool file is made again of its segments |
//! | `retention` | what is due by the rules is destroyed and anonymised |
//! | `privacy`   | reports, erasures, restrictions: what was asked about people's data |
//! | `anchor`    | the audit log's head, signed, to places beyond the database |
//! | `webhook`   | events, signed, to who wants to be told; tried again |
//! | `figures`   | metrics, and alarms by age and room |
//! | `alarm`     | what a person should look at |

mod alarm;
pub mod anchor;
mod context;
mod destroy;
mod encode;
mod figures;
mod guard;
mod names;
mod privacy;
pub mod reconcile;
mod rescue;
pub mod retention;
mod runner;
mod schedule;
mod segment;
#[cfg(test)]
mod tests;
mod upload;
pub mod webhook;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use crate::ids::RecordingId;
use crate::media::tap::Missing;
use crate::store::{JobKind, RecordedFile, RecordedGap, Store, StoreError};
use crate::time::Clock;
use crate::vault::objects::Objects;
use crate::vault::{Finished, Signer, Vault};

pub use alarm::{Alarm, AlarmKind, Alarms};
pub use destroy::{GoneError, say_gone};
pub use privacy::SeparateStore;

use context::{Context, Fault, Held, Outcome, key_of, random};

/// What [`AlarmKind::StoreAway`] is raised about when the store's check found that it will not do: nothing is put into
/// it until that is cleared.
pub const REFUSED: &str = "refused";

/// How jobs are run.
#[derive(Clone, Debug)]
pub struct JobsConfig {
    /// Uploads that run at once, and segments as many again.
    pub uploads: u8,
    /// How often a recording that goes on is copied to the store.
    pub segment: Duration,
    /// An upload or a destruction that is older raises an alarm.
    pub alarm_after: Duration,
    /// How long a put whose end nobody saw may take to land: a store completes a long upload in minutes.
    pub late: Duration,
    /// Objects are plain WAV or Ogg files, which the store encrypts by itself.
    pub plain: bool,
    /// How often database, object store and spool are compared; zero: only when asked.
    pub reconcile_every: Duration,
    /// Where people's data is moved to; `None`: nowhere.
    pub separate_store: Option<SeparateStore>,
}

/// What jobs are about.
#[derive(Clone)]
pub struct Deps {
    /// Their rows.
    pub store: Store,
    /// The spool and the keys.
    pub vault: Arc<Vault>,
    /// Where recordings are kept.
    pub objects: Objects,
    /// Who signs certificates.
    pub signer: Arc<Signer>,
    /// The time.
    pub clock: Clock,
    /// Who is told when something is wrong.
    pub alarms: Alarms,
}

/// The jobs of this server, as they run. Clones share them.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    ctx: Arc<Context>,
    stop: CancellationToken,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// Removes the copies of one destroyed recording here and now, as its job and once, under a name of its own. Whoever
/// calls it owns the vault's folder ([`Vault::own`]): a server beside it might still put what was just removed. Nothing
/// is done if somebody holds the job, or it is another node's. How it went is in the rows.
///
/// # Errors
/// When the database refuses.
pub async fn destroy_one(config: JobsConfig, deps: Deps, id: RecordingId) -> Result<(), StoreError> {
    let name = format!("destroy {}", Ulid::generate());
    runner::one(Arc::new(Context::named(name, config, deps)), JobKind::Destroy, &id.to_string()).await
}

/// Starts running jobs: those that wait, and those that come. One per spool.
#[must_use]
pub fn start(config: JobsConfig, deps: Deps) -> Jobs {
    let ctx = Arc::new(Context::new(config, deps));
    let stop = CancellationToken::new();
    let tasks = vec![
        tokio::spawn(runner::run(Arc::clone(&ctx), stop.clone())),
        tokio::spawn(segment::run(Arc::clone(&ctx), stop.clone())),
        tokio::spawn(figures::run(Arc::clone(&ctx), stop.clone())),
        tokio::spawn(reconcile::watch(Arc::clone(&ctx), stop.clone())),
        tokio::spawn(privacy::files::watch(Arc::clone(&ctx), stop.clone())),
        tokio::spawn(retention::watch(Arc::clone(&ctx), stop.clone())),
        tokio::spawn(anchor::watch(Arc::clone(&ctx), stop.clone())),
        tokio::spawn(webhook::run(Arc::clone(&ctx), stop.clone())),
    ];
    Jobs(Arc::new(Inner { ctx, stop, tasks: Mutex::new(tasks) }))
}

impl Jobs {
    /// There is a new job, or one that runs is of no use any more (its recording was destroyed): it is looked for at
    /// once and not with the next second.
    pub fn wake(&self) {
        self.0.ctx.wake();
    }

    /// Stops: nothing new is begun, what runs has a few seconds to end, what does not end is given up and goes on
    /// with the next start. Returns when all is quiet.
    pub async fn stop(&self) {
        self.0.stop.cancel();
        let tasks = std::mem::take(&mut *self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the jobs failed: this is a bug, please report it");
            }
        }
    }
}

/// A finished recording in the store's words.
#[must_use]
pub fn file(finished: &Finished) -> RecordedFile {
    let gaps = finished.gaps.iter().map(|gap| RecordedGap {
        start: gap.start,
        len: gap.len,
        channel: gap.channel.map(|channel| if channel.index() == 0 { 0 } else { 1 }),
        why: match gap.why {
            Missing::Paused => "paused",
            Missing::Hold => "hold",
            Missing::Lost => "lost",
            Missing::Backlog => "backlog",
        }
        .to_owned(),
    });
    RecordedFile {
        samples: finished.samples,
        bytes: finished.bytes,
        sha256: finished.sha256.clone(),
        gaps: gaps.collect(),
        unlisted: finished.unlisted,
    }
}
