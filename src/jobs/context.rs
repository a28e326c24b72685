//! What every job has in hand: database, vault, object store, alarms; and how a job ends.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::reconcile::State;
use crate::store::{JobRow, RecordingChange, RecordingRow, StoreError};
use crate::time::Timestamp;
use crate::vault::objects::ObjectError;
use crate::vault::{Vault, VaultError, WrappedKey};

use super::guard::Guard;
use super::schedule::Breaker;
use super::{AlarmKind, Deps, JobsConfig, REFUSED};

/// See the module.
pub(super) struct Context {
    pub(super) config: JobsConfig,
    deps: Deps,
    /// What jobs are leased under: another name for each that may lease at the same time.
    name: String,
    /// When this runner began.
    pub(super) began: Timestamp,
    /// How long a put that was cut off may take to land; `None`: it cannot in this store.
    pub(super) settle: Option<Duration>,
    /// Who may put segments.
    pub(super) guard: Guard,
    breaker: Mutex<Breaker>,
    /// There may be something to do.
    pub(super) work: Notify,
    /// Counts up when what runs may be of no use any more.
    pub(super) doubt: watch::Sender<u64>,
    /// Where a test stops everything, as a crash would.
    #[cfg(test)]
    pub(super) halt: Option<&'static str>,
    #[cfg(test)]
    pub(super) halted: Notify,
}

impl Deref for Context {
    type Target = Deps;

    fn deref(&self) -> &Deps {
        &self.deps
    }
}

/// How a job ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is done; what it did is stored with its end, in one unit.
    Done(Option<RecordingChange>),
    /// Nothing is wrong, but it can go on only then.
    Later { due: Timestamp, why: String },
}

/// Why a job could not be done now. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("{0}")]
    Other(String),
    /// Like a crash.
    #[cfg(test)]
    #[error("halted after {0}")]
    Halted(&'static str),
}

impl Fault {
    /// A recording in that state cannot be asked for this.
    pub(super) fn not_for(state: State, wanted: &str) -> Self {
        Self::Other(format!("the recording is {}: it cannot be {wanted}", state.word()))
    }

    /// The object store's part in it.
    pub(super) fn object(&self) -> Option<&ObjectError> {
        match self {
            Self::Object(error) | Self::Vault(VaultError::Object(error)) => Some(error),
            Self::Store(_) | Self::Vault(_) | Self::Other(_) => None,
            #[cfg(test)]
            Self::Halted(_) => None,
        }
    }

    /// Whether nobody has to do anything for it to go well the next time.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::Object(error) => error.passes(),
            // A database that is away is told of by all who need it.
            Self::Store(_) => true,
            Self::Vault(_) => self.object().is_some_and(ObjectError::passes),
            Self::Other(_) => false,
            #[cfg(test)]
            Self::Halted(_) => true,
        }
    }
}

impl Context {
    /// For the runner of the spool: of one spool there is one at a time, and after a crash it has the same name.
    pub(super) fn new(config: JobsConfig, deps: Deps) -> Self {
        let name = deps.vault.spool_id().to_owned();
        Self::named(name, config, deps)
    }

    /// For one that is not the spool's.
    pub(super) fn named(name: String, config: JobsConfig, deps: Deps) -> Self {
        Self {
            name,
            began: deps.clock.now(),
            settle: deps.objects.lands_late().then_some(config.late),
            config,
            deps,
            guard: Guard::default(),
            breaker: Mutex::default(),
            work: Notify::new(),
            doubt: watch::Sender::new(0),
            #[cfg(test)]
            halt: None,
            #[cfg(test)]
            halted: Notify::new(),
        }
    }

    /// The runner's name.
    pub(super) fn runner(&self) -> &str {
        &self.name
    }

    pub(super) fn wake(&self) {
        self.doubt.send_modify(|count| *count = count.wrapping_add(1));
        self.work.notify_one();
    }

    /// Does what touches the vault's files where it holds up nobody.
    pub(super) async fn with_vault<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Vault) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, Fault> {
        let vault = Arc::clone(&self.vault);
        let done = tokio::task::spawn_blocking(move || work(&vault)).await;
        Ok(done.map_err(|error| Fault::Other(format!("a task of the vault failed: {error}")))??)
    }

    /// A step of a job is done and will be found done.
    #[cfg_attr(not(test), allow(clippy::unused_self, clippy::unnecessary_wraps))]
    pub(super) fn step(&self, _name: &'static str) -> Result<(), Fault> {
        #[cfg(test)]
        if self.halt == Some(_name) {
            self.halted.notify_one();
            return Err(Fault::Halted(_name));
        }
        Ok(())
    }

    /// Whether the object store answers, as far as is known.
    pub(super) fn store_answers(&self) -> bool {
        self.breaker().is_closed() && !self.alarms.is_raised_for(AlarmKind::StoreAway, REFUSED)
    }

    /// The object store did what it was asked for.
    pub(super) fn on_answer(&self) {
        self.breaker().on_answer();
        // What its check found is another matter.
        self.alarms.clear_for(AlarmKind::StoreAway, "");
    }

    /// A job failed: what that tells of the object store.
    pub(super) fn on_fault(&self, fault: &Fault) {
        match fault.object() {
            Some(error @ ObjectError::Away { .. }) => {
                let went = self.breaker().on_away(self.clock.now(), random());
                if went {
                    let what = format!(
                        "{error}. Recordings wait in the spool ({} is asked again every 30 s at most) and calls go on; \
                         look at the store, at the network to it and at its credentials",
                        self.objects.place()
                    );
                    self.alarms.raise(AlarmKind::StoreAway, what);
                }
            }
            // It answers, if not as we wish.
            Some(_) => self.breaker().on_answer(),
            None => {}
        }
    }

    /// Whether a look should be taken if the store is back.
    pub(super) fn wants_look(&self) -> bool {
        self.breaker().wants_look(self.clock.now())
    }

    /// Takes that look.
    pub(super) async fn look(&self) {
        match self.objects.list(crate::reconcile::RECORDINGS, None, 1).await {
            Ok(_) => {
                // The alarm stays until something was really done there.
                self.breaker().on_answer();
                self.work.notify_one();
            }
            Err(error) => {
                tracing::warn!(%error, "the object store is still away");
                self.breaker().on_blank_look(self.clock.now(), random());
            }
        }
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job that is held by this runner.
pub(super) struct Held {
    pub(super) row: JobRow,
    meter: Arc<Meter>,
}

impl Held {
    pub(super) fn new(row: JobRow) -> Self {
        Self { row, meter: Arc::default() }
    }

    /// The recording it is about, and its state.
    pub(super) async fn recording(&self, ctx: &Context) -> Result<(RecordingRow, State), Fault> {
        let subject = &self.row.subject;
        let id = subject.parse().map_err(|_| Fault::Other(format!("{subject} is no recording's id")))?;
        let row = ctx.store.recording(id).await?;
        let row = row.ok_or_else(|| Fault::Other(format!("there is no recording {id} in the database")))?;
        let state = State::from_word(&row.state).ok_or_else(|| {
            Fault::Other(format!("recording {id} is {:?}: a newer Sayso wrote that", row.state))
        })?;
        Ok((row, state))
    }

    /// It is so far.
    pub(super) fn progress(&self, done: u64, total: u64) {
        self.meter.set(done, total);
    }

    /// It is given up: what goes on of it ends at its next step.
    pub(super) fn give_up(&self) {
        self.meter.over.store(true, Ordering::Relaxed);
    }

    /// Whether it is.
    pub(super) fn is_given_up(&self) -> bool {
        self.meter.is_over()
    }

    /// For work on another thread.
    pub(super) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.meter.over.store(true, Ordering::Relaxed);
    }
}

/// How far a job is.
#[derive(Default)]
pub(super) struct Meter {
    done: AtomicU64,
    total: AtomicU64,
    over: AtomicBool,
}

impl Meter {
    pub(super) fn set(&self, done: u64, total: u64) {
        self.total.store(total, Ordering::Relaxed);
        self.done.store(done, Ordering::Relaxed);
    }

    /// Done, and of how much.
    pub(super) fn get(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }

    /// Whether the job was given up.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// The recording's wrapped key.
pub(super) fn key_of(row: &RecordingRow) -> Result<WrappedKey, Fault> {
    let key = row.wrapped_key.as_ref().ok_or(VaultError::Destroyed(row.id))?;
    Ok(WrappedKey(key.0.clone()))
}

/// For jitter.
pub(super) fn random() -> u32 {
    let mut bytes = [0; 4];
    // Without randomness there is no jitter, and nothing else is wrong.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u32::from_le_bytes(bytes)
}
