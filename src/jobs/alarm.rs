//! Alarms: what a person should look at, from the moment it goes wrong until it is right again. Each is a gauge
//! (`sayso_alarm`), a line in the log, and a row in the audit log when it is raised and when it is cleared.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::gauge;
use serde::{Serialize, Serializer};
use tokio::sync::mpsc;

use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::store::{Change, Store};
use crate::time::{Clock, Timestamp};

/// Causes of one kind that are told apart. More of them say nothing more to a person; the alarm stays while one
/// of these does.
const CAUSES: usize = 200;
/// How long to wait before a row that could not be stored is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlarmKind {
    /// The oldest recording that waits for its upload has waited too long (`[vault] alarm-after`).
    UploadBacklog,
    /// The spool's disk has less room than `[vault] reserve`: no recording begins.
    DiskReserve,
    /// The object store does not answer.
    StoreAway,
    /// Something that is not ours lies where a recording should go.
    ObjectConflict,
    /// A destroyed recording's copies are not all gone: the key is, the noise is not.
    DestructionWaits,
    /// A recording could not begin or broke.
    RecordingFailed,
    /// A recording that was kept does not verify any more.
    RecordingDamaged,
    /// A recording's file is gone and cannot be made again.
    RecordingLost,
    /// The keys could not be read again after a rotation.
    KeysAway,
    /// A job fails for a reason that will not pass by itself.
    JobFails,
    /// The last comparison of store and database found what should not be.
    Reconciliation,
    /// What is due by the rules of retention waits for more than a day.
    RetentionLag,
    /// The audit log's head cannot be anchored where it should be.
    AnchorFails,
    /// A webhook did not take an event for days: it was given up.
    WebhookFails,
}

impl AlarmKind {
    /// Every one of them.
    pub const ALL: [Self; 14] = [
        Self::UploadBacklog,
        Self::DiskReserve,
        Self::StoreAway,
        Self::ObjectConflict,
        Self::DestructionWaits,
        Self::RecordingFailed,
        Self::RecordingDamaged,
        Self::RecordingLost,
        Self::KeysAway,
        Self::JobFails,
        Self::Reconciliation,
        Self::RetentionLag,
        Self::AnchorFails,
        Self::WebhookFails,
    ];

    /// Its word in metrics, logs and the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::UploadBacklog => "upload-backlog",
            Self::DiskReserve => "disk-reserve",
            Self::StoreAway => "store-away",
            Self::ObjectConflict => "object-conflict",
            Self::DestructionWaits => "destruction-waits",
            Self::RecordingFailed => "recording-failed",
            Self::RecordingDamaged => "recording-damaged",
            Self::RecordingLost => "recording-lost",
            Self::KeysAway => "keys-away",
            Self::JobFails => "job-fails",
            Self::Reconciliation => "reconciliation",
            Self::RetentionLag => "retention-lag",
            Self::AnchorFails => "anchor-fails",
            Self::WebhookFails => "webhook-fails",
        }
    }
}

impl fmt::Display for AlarmKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Serialize for AlarmKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// An alarm that is raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Which.
    pub kind: AlarmKind,
    /// What is wrong and what to do; no personal data.
    pub what: String,
    /// Since when.
    pub since: Timestamp,
}

/// The alarms of this server. Clones share them.
#[derive(Clone)]
pub struct Alarms(Arc<Shared>);

struct Shared {
    raised: Mutex<BTreeMap<AlarmKind, Raised>>,
    clock: Clock,
    audit: mpsc::UnboundedSender<AuditEvent>,
}

struct Raised {
    since: Timestamp,
    /// What is wrong, by what it is about.
    causes: BTreeMap<String, String>,
}

impl Alarms {
    /// None is raised. Starts the task that writes their audit rows.
    #[must_use]
    pub fn new(store: Store, clock: Clock) -> Self {
        // Bounded by what changes: a kind has one row when it comes and one when it goes.
        let (audit, rows) = mpsc::unbounded_channel();
        tokio::spawn(write(store, rows));
        for kind in AlarmKind::ALL {
            gauge!("sayso_alarm", "kind" => kind.word()).set(0.0);
        }
        Self(Arc::new(Shared { raised: Mutex::default(), clock, audit }))
    }

    /// Raises an alarm that has one cause at a time, or tells another cause of it. `what` says what is wrong and
    /// what to do, without personal data.
    pub fn raise(&self, kind: AlarmKind, what: String) {
        self.raise_for(kind, "", what);
    }

    /// Raises an alarm about `subject`, a recording for example; it lasts until each of its subjects is cleared.
    pub fn raise_for(&self, kind: AlarmKind, subject: &str, what: String) {
        let now = self.0.clock.now();
        let mut all = self.0.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !all.contains_key(&kind);
        let raised = all.entry(kind).or_insert_with(|| Raised { since: now, causes: BTreeMap::new() });
        if raised.causes.len() >= CAUSES && !raised.causes.contains_key(subject) {
            return;
        }
        if raised.causes.insert(subject.to_owned(), what.clone()).is_none() {
            tracing::error!(alarm = kind.word(), subject, "{what}");
        }
        if is_new {
            gauge!("sayso_alarm", "kind" => kind.word()).set(1.0);
            self.audit(event("alarm.raised", Class::Failure, kind, now).new_value(Some(Value::plain(what))));
        }
    }

    /// All is well again, whatever it was about.
    pub fn clear(&self, kind: AlarmKind) {
        self.clear_where(kind, |_| true);
    }

    /// All is well again with `subject`.
    pub fn clear_for(&self, kind: AlarmKind, subject: &str) {
        self.clear_where(kind, |about| about == subject);
    }

    /// All is well again with those subjects that `cleared` tells.
    pub(super) fn clear_where(&self, kind: AlarmKind, cleared: impl Fn(&str) -> bool) {
        let mut all = self.0.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(raised) = all.get_mut(&kind) else { return };
        raised.causes.retain(|subject, _| !cleared(subject));
        if raised.causes.is_empty() {
            all.remove(&kind);
            gauge!("sayso_alarm", "kind" => kind.word()).set(0.0);
            tracing::info!(alarm = kind.word(), "the alarm is over");
            self.audit(event("alarm.cleared", Class::System, kind, self.0.clock.now()));
        }
    }

    /// Whether it is raised about `subject`.
    #[must_use]
    pub fn is_raised_for(&self, kind: AlarmKind, subject: &str) -> bool {
        let all = self.0.raised.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&kind).is_some_and(|raised| raised.causes.contains_key(subject))
    }

    /// Those that are raised, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<Alarm> {
        let all = self.0.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<Alarm> = all
            .iter()
            .map(|(kind, raised)| Alarm { kind: *kind, what: raised.what(), since: raised.since })
            .collect();
        list.sort_by_key(|alarm| alarm.since);
        list
    }

    fn audit(&self, event: AuditEvent) {
        // The task ends with the store; what is raised after that has its line in the log.
        let _ = self.0.audit.send(event);
    }
}

impl Raised {
    fn what(&self) -> String {
        let first = self.causes.values().next().cloned().unwrap_or_default();
        match self.causes.len() {
            0 | 1 => first,
            n => format!("{first} (and {} more)", n - 1),
        }
    }
}

fn event(action: &'static str, class: Class, kind: AlarmKind, at: Timestamp) -> AuditEvent {
    AuditEvent::new(class, Actor::System, at, action, Object::new("alarm", kind))
}

/// Writes the rows in order; a database that is away is waited for.
async fn write(store: Store, mut rows: mpsc::UnboundedReceiver<AuditEvent>) {
    while let Some(row) = rows.recv().await {
        while let Err(error) = store.commit(vec![Change::Audit(row.clone())]).await {
            tracing::error!(%error, action = %row.action, what = %row.what, "an alarm could not be audited");
            if error.is_final() {
                break;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::AuditFilter;

    /// The actions of the alarms' rows, oldest first, once there are `n`.
    async fn rows(store: &Store, n: usize) -> Vec<String> {
        let wait = async {
            loop {
                let filter = AuditFilter { limit: 100, ..AuditFilter::default() };
                let rows = store.audit(&filter).await.unwrap();
                if rows.len() >= n {
                    return rows.iter().rev().map(|row| format!("{} {}", row.action, row.what)).collect();
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the rows in time")
    }

    #[tokio::test]
    async fn an_alarm_is_told_once_and_lasts_while_it_has_a_cause() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let store = Store::open(dir.path().join("a.db").to_str().unwrap(), clock).await.unwrap();
        let alarms = Alarms::new(store.clone(), clock);
        assert!(alarms.list().is_empty());
        alarms.raise_for(AlarmKind::ObjectConflict, "a", "a lies there".to_owned());
        alarms.raise_for(AlarmKind::ObjectConflict, "b", "b lies there".to_owned());
        alarms.raise_for(AlarmKind::ObjectConflict, "b", "b lies there still".to_owned());
        alarms.raise(AlarmKind::StoreAway, "no answer".to_owned());
        let list = alarms.list();
        assert_eq!(list.len(), 2);
        assert_eq!(
            (list[0].kind, list[0].what.as_str()),
            (AlarmKind::ObjectConflict, "a lies there (and 1 more)")
        );
        alarms.clear_for(AlarmKind::ObjectConflict, "a");
        assert_eq!(alarms.list()[0].what, "b lies there still", "it lasts while a cause does");
        alarms.clear_for(AlarmKind::ObjectConflict, "b");
        alarms.clear_for(AlarmKind::ObjectConflict, "b");
        alarms.clear(AlarmKind::StoreAway);
        assert!(alarms.list().is_empty());
        let told = [
            "raised alarm object-conflict",
            "raised alarm store-away",
            "cleared alarm object-conflict",
            "cleared alarm store-away",
        ];
        let rows = rows(&store, 4).await;
        assert_eq!(rows.len(), 4, "{rows:?}");
        for (row, told) in rows.iter().zip(told) {
            let (how, which) = told.split_once(" alarm ").unwrap();
            assert!(row.contains(&format!("alarm.{how}")) && row.contains(which), "{row}: {told}");
        }
    }

    #[tokio::test]
    async fn many_causes_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let store = Store::open(dir.path().join("a.db").to_str().unwrap(), clock).await.unwrap();
        let alarms = Alarms::new(store, clock);
        for n in 0..2 * CAUSES {
            alarms.raise_for(AlarmKind::DestructionWaits, &n.to_string(), "locked".to_owned());
        }
        assert!(alarms.list()[0].what.ends_with(&format!("(and {} more)", CAUSES - 1)));
    }
}
