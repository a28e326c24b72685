//! What the routes share: the server, the store, and what lives as long as a session does.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use aws_lc_rs::rand;
use tokio::sync::{Semaphore, broadcast};
use tokio::time::{MissedTickBehavior, interval};

use crate::access::{Source, Sources};
use crate::ids::Redacted;
use crate::settings::hash_password;
use crate::store::{SessionKey, Store};
use crate::time::Timestamp;

use super::control::Control;
use super::guard::Visitor;
use super::problem::Problem;
use super::{Desktop, Turn};

/// Phones one session may have: a few tabs, and reloads whose old credential is not missed yet. The oldest
/// one is taken back when there are more.
const PHONES: usize = 4;
/// Event streams one session may have.
const STREAMS: usize = 8;
/// How often it is looked for sessions that are over and whose phones are not taken back.
const SWEEP: Duration = Duration::from_secs(60);
/// Log-ins of names that share one of so many locks wait for each other.
const NAMES: usize = 64;
/// Log-ins that may wait for a place to compute in; a second's worth or two.
const WAITING: usize = 64;
/// Ends of sessions that an event stream may have to hear yet.
const ENDS: usize = 64;

/// A session ended, or several.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    One(SessionKey),
    /// All of a user but this one.
    Others(String, SessionKey),
}

impl Ended {
    pub(super) fn is(&self, visitor: &Visitor) -> bool {
        match self {
            Self::One(key) => *key == visitor.key,
            Self::Others(user, but) => *user == visitor.user && *but != visitor.key,
        }
    }
}

/// What a session has beside its row.
#[derive(Default)]
struct Held {
    user: String,
    /// User names of lent phone credentials, the oldest first.
    phones: Vec<String>,
    streams: usize,
}

/// See the module.
pub(super) struct Desk {
    desktop: Desktop,
    /// Whether browsers reach us by TLS.
    secure: bool,
    held: Mutex<HashMap<SessionKey, Held>>,
    ended: broadcast::Sender<Ended>,
    sources: Mutex<Sources>,
    /// One try at a time for each name, so that tries made together cannot all be the first.
    pub(super) names: Vec<tokio::sync::Mutex<()>>,
    /// Hashing a password takes a core and 19 MB for tens of milliseconds.
    pub(super) hashing: Semaphore,
    pub(super) waiting: Semaphore,
    /// What the password of somebody unknown is compared with, so that it takes as long.
    pub(super) nobody: Redacted<String>,
}

impl Desk {
    pub(super) fn new(desktop: Desktop, tls: bool) -> Arc<Self> {
        let secure = desktop.url.as_ref().map_or(tls, |url| url.starts_with("https://"));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Arc::new(Self {
            desktop,
            secure,
            held: Mutex::default(),
            ended: broadcast::channel(ENDS).0,
            sources: Mutex::default(),
            names: (0..NAMES).map(|_| tokio::sync::Mutex::default()).collect(),
            hashing: Semaphore::new(cores),
            waiting: Semaphore::new(WAITING),
            nobody: hash_password("", &hex::encode(random()), &random()),
        })
    }

    pub(super) fn control(&self) -> &dyn Control {
        &*self.desktop.control
    }

    pub(super) fn store(&self) -> &Store {
        &self.desktop.store
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.desktop.now)()
    }

    pub(super) fn secure(&self) -> bool {
        self.secure
    }

    pub(super) fn url(&self) -> Option<&str> {
        self.desktop.url.as_deref()
    }

    pub(super) fn turn(&self) -> Option<&Turn> {
        self.desktop.turn.as_ref()
    }

    pub(super) fn reasons(&self) -> &[String] {
        &self.desktop.not_ready_reasons
    }

    /// The visitor of a session, if it lives.
    pub(super) async fn visitor(&self, key: SessionKey) -> Result<Option<Visitor>, Problem> {
        let signed = self.store().session(key).await?;
        let signed = signed.filter(|signed| signed.session.lives(self.now()));
        Ok(signed.map(|signed| Visitor {
            key,
            user: signed.user,
            account: signed.account,
            session: signed.session,
        }))
    }

    /// Whether a log-in from there is heard.
    pub(super) fn hears(&self, ip: IpAddr) -> bool {
        lock(&self.sources).allows(Source::from(ip), self.now())
    }

    /// A log-in from there failed.
    pub(super) fn failed(&self, ip: IpAddr) {
        lock(&self.sources).failed(Source::from(ip), self.now());
    }

    /// Keeps in mind that a phone was lent to a session.
    pub(super) fn lent(&self, visitor: &Visitor, phone: String) {
        let oldest = {
            let mut held = lock(&self.held);
            let phones = &mut held.entry(visitor.key).or_default();
            phones.user.clone_from(&visitor.user);
            phones.phones.push(phone);
            (phones.phones.len() > PHONES).then(|| phones.phones.remove(0))
        };
        if let Some(oldest) = oldest {
            self.control().take_back(&oldest);
        }
    }

    /// Sessions end: their phones are taken back, their streams close.
    pub(super) fn over(&self, ended: &Ended) {
        let phones: Vec<String> = {
            let mut held = lock(&self.held);
            let ends = |key: &SessionKey, held: &Held| match ended {
                Ended::One(one) => one == key,
                Ended::Others(user, but) => held.user == *user && but != key,
            };
            held.iter_mut()
                .filter(|(key, held)| ends(key, held))
                .flat_map(|(_, held)| std::mem::take(&mut held.phones))
                .collect()
        };
        for phone in &phones {
            self.control().take_back(phone);
        }
        lock(&self.held).retain(|_, held| held.streams > 0 || !held.phones.is_empty());
        // An error means that no stream is open.
        let _ = self.ended.send(ended.clone());
    }

    pub(super) fn endings(&self) -> broadcast::Receiver<Ended> {
        self.ended.subscribe()
    }

    /// A place for one event stream more; `None`: the session has enough of them.
    pub(super) fn seat(self: &Arc<Self>, visitor: &Visitor) -> Option<Seat> {
        let mut held = lock(&self.held);
        let mine = held.entry(visitor.key).or_default();
        if mine.streams >= STREAMS {
            return None;
        }
        mine.user.clone_from(&visitor.user);
        mine.streams += 1;
        Some(Seat { desk: Arc::clone(self), key: visitor.key })
    }

    /// Takes back the phones of sessions that ended by time, or by a change of settings.
    pub(super) async fn sweep(&self) {
        let keys: Vec<SessionKey> = {
            let held = lock(&self.held);
            held.iter().filter(|(_, held)| !held.phones.is_empty()).map(|(key, _)| *key).collect()
        };
        for key in keys {
            if let Ok(None) = self.visitor(key).await {
                self.over(&Ended::One(key));
            }
        }
    }
}

/// Looks for what is over, as long as the desk is there.
pub(super) async fn keep_swept(desk: Weak<Desk>) {
    let mut tick = interval(SWEEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(desk) = desk.upgrade() else { return };
        desk.sweep().await;
    }
}

/// An event stream's place; given back when it is dropped.
pub(super) struct Seat {
    desk: Arc<Desk>,
    key: SessionKey,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut held = lock(&self.desk.held);
        if let Some(mine) = held.get_mut(&self.key) {
            mine.streams = mine.streams.saturating_sub(1);
            if mine.streams == 0 && mine.phones.is_empty() {
                held.remove(&self.key);
            }
        }
    }
}

/// 32 random bytes.
///
/// # Panics
/// When the system gives none: nothing here could be kept secret then.
pub(super) fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).expect("the system's random number generator answers");
    bytes
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
