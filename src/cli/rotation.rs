//! A rotation of the key-encryption key, a step at a time. No step remembers anything: what is to be done next is read
//! from the database and the key file, so whatever a crash leaves, the next rotation goes on from there.
//!
//! 1. [`Rotation::begin`]: a new key is put where keys are kept, then registered as current; the old one is retiring.
//!    A rotation that was interrupted is gone on with instead.
//! 2. [`Rotation::reseal`]: the data key of each recording is sealed with the new key.
//! 3. [`Rotation::retire`]: the database retires the old key if no recording needs it; else there are new ones, of a
//!    server that had not noticed yet: step 2 again.
//! 4. [`Rotation::tidy`]: retired keys are removed from the key file.
//!
//! Servers that run notice by themselves within a second, and are given two before step 2. Recordings' objects are not touched.

use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::ids::RecordingId;
use crate::server::keys;
use crate::store::{Change, KekChange, RecordingChange, RecordingRow, Store, StoreError};
use crate::time::Clock;
use crate::vault::{KekId, KekState, Keyring, WrappedKey};

/// Rows that are sealed anew at a time: enough that they share the database's syncs, few enough to be held.
const BATCH: u32 = 200;
/// So many are told in one row of the audit log: an interruption leaves no more untold.
const TELL: u64 = 10_000;
/// See [`Rotation::grace`]: twice what a server takes to notice.
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// How long servers have to notice the new key. They look once a second.
const NOTICE: Duration = Duration::from_secs(30);
const BETWEEN: Duration = Duration::from_millis(200);

/// How a rotation began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Began {
    /// With a new key.
    New(KekId),
    /// One that was interrupted goes on; its key is this.
    Resumed(KekId),
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Resealed {
    /// Recordings whose key is now sealed with the new key.
    pub(super) done: u64,
    /// Recordings whose wrapped key does not open: they keep the old key in use.
    pub(super) stuck: u64,
}

/// See the module.
pub(super) struct Rotation {
    store: Store,
    keyring: Keyring,
    by: Actor,
    clock: Clock,
    /// How long servers are given to hold a new key before anything is sealed with it that they may have to open.
    grace: Duration,
}

impl Rotation {
    pub(super) fn new(store: Store, keyring: Keyring, by: Actor, clock: Clock, grace: Duration) -> Self {
        Self { store, keyring, by, clock, grace }
    }

    /// All steps; `progress` gets recordings, done and in all.
    pub(super) async fn run(
        &self,
        progress: &mut dyn FnMut(u64, u64),
    ) -> anyhow::Result<(Began, Resealed, Vec<KekId>)> {
        self.tidy().await?;
        let began = self.begin().await?;
        match began {
            Began::New(_) => tokio::time::sleep(self.grace).await,
            Began::Resumed(_) => {}
        }
        let mut all = Resealed::default();
        let mut retired = Vec::new();
        for old in self.retiring().await? {
            let since = self.clock.now();
            loop {
                // Another rotation may have made a newer key meanwhile.
                keys::follow(&self.store, &self.keyring).await?;
                let done = all.done;
                let sealed = self.reseal(&old, &mut |n, of| progress(done + n, done + of)).await?;
                all.done += sealed.done;
                all.stuck += sealed.stuck;
                if sealed.stuck > 0 {
                    break;
                }
                if self.retire(&old).await? {
                    retired.push(old);
                    break;
                }
                if self.clock.now().since(since) > NOTICE {
                    bail!(
                        "a server still seals recordings with the old key {old}, {} s after the new one was made: look \
                         into its log (has it the same key file?), then run this again",
                        NOTICE.as_secs()
                    );
                }
                tokio::time::sleep(BETWEEN).await;
            }
        }
        self.tidy().await?;
        Ok((began, all, retired))
    }

    /// Puts the new key where keys are kept and goes no further.
    pub(super) async fn prepare(&self) -> anyhow::Result<KekId> {
        Ok(self.keyring.make(&keys::known(&self.store).await?).await?.id)
    }

    pub(super) async fn begin(&self) -> anyhow::Result<Began> {
        let known = keys::known(&self.store).await?;
        if known.iter().any(|kek| kek.state == KekState::Retiring) {
            self.keyring.reload(&known).await?;
            return Ok(Began::Resumed(self.keyring.current()));
        }
        let new = self.keyring.make(&known).await?;
        let id = new.id.clone();
        keys::register(&self.store, &self.keyring, new, self.clock.now(), self.by.clone()).await?;
        let current = self.keyring.current();
        Ok(if current == id { Began::New(id) } else { Began::Resumed(current) })
    }

    /// Seals anew what `old` sealed, and what rows of an older Sayso hold, which do not say by which key.
    pub(super) async fn reseal(
        &self,
        old: &KekId,
        progress: &mut dyn FnMut(u64, u64),
    ) -> anyhow::Result<Resealed> {
        let mut sealed = Resealed::default();
        let froms = [Some(old.as_str()), None];
        let mut all = 0;
        for from in froms {
            all += self.store.count_wrapped_by(from).await?;
        }
        progress(0, all);
        let mut told = 0;
        for from in froms {
            let mut after = None;
            loop {
                let rows = self.store.recordings_wrapped_by(from, after, BATCH).await?;
                let Some(last) = rows.last() else { break };
                after = Some(last.id);
                self.reseal_batch(from, rows, &mut sealed).await?;
                progress(sealed.done, all.max(sealed.done));
                if sealed.done - told >= TELL {
                    self.tell(old, sealed.done - told).await?;
                    told = sealed.done;
                }
            }
        }
        if sealed.done > told {
            self.tell(old, sealed.done - told).await?;
        }
        Ok(sealed)
    }

    /// Audits how many recordings' keys were sealed anew.
    async fn tell(&self, old: &KekId, count: u64) -> anyhow::Result<()> {
        let now = Value::plain(format!("{count} recordings' keys by {}", self.keyring.current()));
        let event = self.event("kek.resealed", old).new_value(Some(now));
        Ok(self.store.commit(vec![Change::Audit(event)]).await?)
    }

    async fn reseal_batch(
        &self,
        from: Option<&str>,
        rows: Vec<RecordingRow>,
        sealed: &mut Resealed,
    ) -> anyhow::Result<()> {
        let mut waiting = Vec::with_capacity(rows.len());
        for row in rows {
            let Some(wrapped) = row.wrapped_key else { continue }; // destroyed meanwhile
            match self.reseal_one(row.id, from, WrappedKey(wrapped.0)) {
                // Each is a unit of work of its own, since one that was destroyed meanwhile is refused; the writer
                // commits them together all the same.
                Ok(change) => waiting.push(self.store.submit(vec![change]).await),
                Err(error) => {
                    tracing::error!(recording = %row.id, %error, "a recording's key cannot be sealed anew");
                    sealed.stuck += 1;
                }
            }
        }
        for unit in waiting {
            match unit.wait().await {
                Ok(()) => sealed.done += 1,
                // Destroyed, or sealed anew by another rotation.
                Err(StoreError::State { .. } | StoreError::Missing { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn reseal_one(&self, id: RecordingId, from: Option<&str>, wrapped: WrappedKey) -> anyhow::Result<Change> {
        let anew = self.keyring.rewrap(id, &wrapped)?;
        let kek = anew.kek().context("a key that was just wrapped names none")?.to_string();
        let from_kek = from.map(str::to_owned);
        Ok(Change::Recording(RecordingChange::Rewrapped { id, from_kek, kek, wrapped_key: anew.0 }))
    }

    /// Retires the old key, if no recording needs it; whether it is retired.
    pub(super) async fn retire(&self, old: &KekId) -> anyhow::Result<bool> {
        let (at, by) = (self.clock.now(), self.by.clone());
        let retired = KekChange::Retired { id: old.to_string(), at, by };
        match self.store.commit(vec![Change::Kek(retired)]).await {
            Ok(()) => {
                keys::follow(&self.store, &self.keyring).await?;
                Ok(true)
            }
            Err(StoreError::State { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes retired keys from the key file; which those were.
    pub(super) async fn tidy(&self) -> anyhow::Result<Vec<KekId>> {
        let removed = self.keyring.forget(&keys::known(&self.store).await?).await?;
        for id in &removed {
            let event = self.event("kek.removed", id).new_value(Some(Value::plain("from the key file")));
            self.store.commit(vec![Change::Audit(event)]).await?;
        }
        Ok(removed)
    }

    async fn retiring(&self) -> anyhow::Result<Vec<KekId>> {
        let known = keys::known(&self.store).await?.into_iter();
        Ok(known.filter(|kek| kek.state == KekState::Retiring).map(|kek| kek.id).collect())
    }

    fn event(&self, action: &'static str, id: &KekId) -> AuditEvent {
        AuditEvent::new(Class::Config, self.by.clone(), self.clock.now(), action, Object::new("kek", id))
    }
}
