//! What the routes share: the server, the store, and what lives as long as a session does.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use aws_lc_rs::{hmac, rand};
use axum::http::{HeaderMap, StatusCode};
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::access::{self, Right, Source, Sources, Strangers};
use crate::ids::{AgentId, CallId, Redacted};
use crate::settings::{User, hash_password};
use crate::store::{SessionKey, SignedIn, Store, StoreError};
use crate::time::Timestamp;

use super::archive::Archive;
use super::control::{Ask, Asker, Control};
use super::guard::{By, Visitor};
use super::heavy::Heavy;
use super::listening::Listening;
use super::problem::Problem;
use super::sign;
use super::sign::oidc::Providers;
use super::sign::seal::Sealing;
use super::view::{PartyKind, PartyState, PartyView};
use super::{Desktop, Ends, Proxies, Readiness, Turn};

/// Phones one session may have: a few tabs, and reloads whose old credential is not missed yet. The oldest
/// one is taken back when there are more.
const PHONES: usize = 4;
/// vCons that are made or sent at once.
const VCONS: usize = 4;
/// Event streams one session may have.
const STREAMS: usize = 8;
/// How often it is looked for what sessions hold and may not any more.
const SWEEP: Duration = Duration::from_secs(60);
/// Log-ins of names that share one of so many locks wait for each other.
const NAMES: usize = 64;
/// Log-ins that may wait for a place to compute in; a second's worth or two.
const WAITING: usize = 64;
/// Ends of sessions that an event stream may have to hear yet.
const ENDS: usize = 64;
/// A read of the database that somebody waits for takes no longer; it answers in milliseconds, or it is away.
pub(super) const SOON: Duration = Duration::from_secs(3);
/// How long for a report over millions of rows: half of what PostgreSQL is allowed for a statement.
const COUNTING: Duration = Duration::from_secs(30);

/// A session ended, or several.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// This one of a user.
    One(String, SessionKey),
    /// All of a user but this one.
    Others(String, SessionKey),
    /// All of a user.
    All(String),
}

impl Ended {
    pub(super) fn is(&self, visitor: &Visitor) -> bool {
        match self {
            Self::One(_, key) => *key == visitor.key,
            Self::Others(user, but) => *user == visitor.user && *but != visitor.key,
            Self::All(user) => *user == visitor.user,
        }
    }
}

/// What a session has beside its row.
#[derive(Default)]
struct Held {
    user: String,
    /// The oldest first.
    phones: Vec<Lent>,
    streams: usize,
}

/// A lent phone credential.
struct Lent {
    /// The SIP user name.
    phone: String,
    /// Whose phone it is.
    agent: AgentId,
}

/// See the module.
pub(super) struct Desk {
    desktop: Desktop,
    /// Whether browsers reach us by TLS.
    secure: bool,
    held: Mutex<HashMap<SessionKey, Held>>,
    ended: broadcast::Sender<Ended>,
    sources: Mutex<Sources>,
    strangers: Mutex<Strangers>,
    /// One try at a time for each name, so that tries made together cannot all be the first.
    pub(super) names: Vec<tokio::sync::Mutex<()>>,
    /// Hashing a password takes a core and 19 MB for tens of milliseconds.
    pub(super) hashing: Arc<Semaphore>,
    pub(super) waiting: Semaphore,
    /// What the password of somebody unknown is compared with, so that it takes as long.
    pub(super) nobody: Redacted<String>,
    /// Of this process alone.
    key: hmac::Key,
    /// For what is not to be read in the database, or by a browser.
    pub(super) sealing: Sealing,
    pub(super) providers: Providers,
    proxies: Proxies,
    pub(super) listening: Listening,
    /// A vCon is in memory several times while it is made, and once until it is sent.
    pub(super) exporting: Arc<Semaphore>,
    pub(super) heavy: Heavy,
    /// The audit log is proven by one at a time, and not before this.
    pub(super) proving: tokio::sync::Mutex<Option<Timestamp>>,
    /// Webhooks that are tested now.
    testing: Mutex<BTreeSet<String>>,
}

impl Desk {
    pub(super) fn new(desktop: Desktop, tls: bool, proxies: Proxies) -> Arc<Self> {
        let secure = desktop.url.as_ref().map_or(tls, |url| url.starts_with("https://"));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let sealing = Sealing::of(desktop.archive.as_ref().map(|archive| &*archive.signer));
        Arc::new(Self {
            desktop,
            secure,
            held: Mutex::default(),
            ended: broadcast::channel(ENDS).0,
            sources: Mutex::default(),
            strangers: Mutex::default(),
            names: (0..NAMES).map(|_| tokio::sync::Mutex::default()).collect(),
            hashing: Arc::new(Semaphore::new((cores / 2).max(1))),
            waiting: Semaphore::new(WAITING),
            nobody: hash_password("", &hex::encode(random()), &random()),
            key: hmac::Key::new(hmac::HMAC_SHA256, &random()),
            sealing,
            providers: Providers::default(),
            proxies,
            listening: Listening::default(),
            exporting: Arc::new(Semaphore::new(VCONS)),
            heavy: Heavy::new(),
            proving: tokio::sync::Mutex::default(),
            testing: Mutex::default(),
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

    /// The recordings.
    ///
    /// # Errors
    /// 404, when this server was given none.
    pub(super) fn archive(&self) -> Result<&Archive, Problem> {
        self.desktop.archive.as_ref().ok_or_else(Problem::no_recording)
    }

    pub(super) fn reasons(&self) -> &[String] {
        &self.desktop.not_ready_reasons
    }

    /// The visitor of a session, if it lives.
    pub(super) async fn visitor(&self, key: SessionKey) -> Result<Option<Visitor>, Problem> {
        let signed = soon(self.store().session(key)).await?;
        let lives = |signed: &SignedIn| signed.session.lives(&signed.system.sessions, self.now());
        Ok(signed.filter(lives).map(|signed| Visitor {
            key,
            user: signed.user,
            account: signed.account,
            held: signed.held,
            session: signed.session,
            by: signed.provider.map_or(By::Password, By::Provider),
            standing: signed.standing,
            system: signed.system,
        }))
    }

    /// Who asks, as things are now: for what takes long, since rights, session and token may end meanwhile.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn again(&self, visitor: &Visitor) -> Result<Option<Visitor>, Problem> {
        match visitor.by {
            By::Password | By::Provider(_) => self.visitor(visitor.key).await,
            By::Token(_) => sign::token_again(self, visitor.key).await,
        }
    }

    /// Does a read that goes through many rows and shows a page: see [`Heavy`].
    ///
    /// # Errors
    /// 503, as [`Heavy::read`].
    pub(super) async fn search<T: Send + 'static>(
        &self,
        read: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, Problem> {
        self.heavy.read(SOON, read).await
    }

    /// The same for what counts years of calls: it takes longer than a page, and is worth waiting for.
    ///
    /// # Errors
    /// 503, as [`Heavy::read`].
    pub(super) async fn count<T: Send + 'static>(
        &self,
        read: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, Problem> {
        self.heavy.read(COUNTING, read).await
    }

    /// A webhook's turn to be tested; `None`: it is being tested.
    pub(super) fn test_of(self: &Arc<Self>, webhook: &str) -> Option<Test> {
        let begun = lock(&self.testing).insert(webhook.to_owned());
        begun.then(|| Test { desk: Arc::clone(self), webhook: webhook.to_owned() })
    }

    /// What stands for a name that is nobody's: it tells one from another, and nothing of them.
    pub(super) fn nobodys(&self, name: &str) -> String {
        format!("?{}", hex::encode(&hmac::sign(&self.key, name.as_bytes()).as_ref()[..8]))
    }

    /// Where a request comes from.
    pub(super) fn source(&self, ends: Ends, headers: &HeaderMap) -> IpAddr {
        self.proxies.source(ends.remote.ip(), headers)
    }

    /// Whether a log-in from there is heard.
    pub(super) fn hears(&self, ip: IpAddr) -> bool {
        lock(&self.sources).allows(Source::from(ip), self.now())
    }

    /// A log-in from there failed.
    pub(super) fn failed(&self, ip: IpAddr) {
        lock(&self.sources).failed(Source::from(ip), self.now());
    }

    /// Whether the audit log tells of this log-in of an unknown name.
    pub(super) fn tells_stranger(&self) -> bool {
        lock(&self.strangers).told(self.now())
    }

    /// Keeps in mind that a phone was lent to a session.
    pub(super) fn lent(&self, visitor: &Visitor, agent: AgentId, phone: String) {
        let oldest = {
            let mut held = lock(&self.held);
            let phones = &mut held.entry(visitor.key).or_default();
            phones.user.clone_from(&visitor.user);
            phones.phones.push(Lent { phone, agent });
            (phones.phones.len() > PHONES).then(|| phones.phones.remove(0))
        };
        if let Some(oldest) = oldest {
            self.control().take_back(&oldest.phone);
        }
    }

    /// Sessions end: their phones are taken back, their streams close, and their user listens to nobody any more.
    pub(super) fn over(&self, ended: &Ended) {
        let phones: Vec<Lent> = {
            let mut held = lock(&self.held);
            let ends = |key: &SessionKey, held: &Held| match ended {
                Ended::One(_, one) => one == key,
                Ended::Others(user, but) => held.user == *user && but != key,
                Ended::All(user) => held.user == *user,
            };
            held.iter_mut()
                .filter(|(key, held)| ends(key, held))
                .flat_map(|(_, held)| std::mem::take(&mut held.phones))
                .collect()
        };
        for lent in &phones {
            self.control().take_back(&lent.phone);
        }
        self.listening.over(ended);
        let (Ended::One(user, _) | Ended::Others(user, _) | Ended::All(user)) = ended;
        for (call, _) in self.supervisors().iter().filter(|(_, party)| party.id.0 == *user) {
            self.unsupervise(*call, user);
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

    /// Takes back what sessions hold that ended by time or by a change of settings, or whose users may not have it
    /// any more.
    pub(super) async fn sweep(&self) {
        self.listening.sweep(self.now());
        let held: Vec<(String, SessionKey)> =
            lock(&self.held).iter().map(|(key, held)| (held.user.clone(), *key)).collect();
        for (user, key) in held {
            match self.visitor(key).await {
                Ok(Some(visitor)) => self.keep_phones_of(key, phone_of(&visitor)),
                Ok(None) => self.over(&Ended::One(user, key)),
                // The database does not answer: the next time.
                Err(_) => {}
            }
        }
        for (call, party) in self.supervisors() {
            let user = party.id.0;
            let Ok(account) = soon(self.store().user(&user)).await else { continue };
            let may = match account {
                None => false,
                Some(account) => {
                    let Ok(held) = soon(self.store().held(&account)).await else { continue };
                    may_supervise(&account, &held, party.state)
                }
            };
            if !may {
                self.unsupervise(call, &user);
            }
        }
    }

    /// Takes back a session's phones that are not this agent's.
    fn keep_phones_of(&self, key: SessionKey, agent: Option<&AgentId>) {
        let others: Vec<Lent> = match lock(&self.held).get_mut(&key) {
            Some(held) => held.phones.extract_if(.., |lent| Some(&lent.agent) != agent).collect(),
            None => Vec::new(),
        };
        for lent in others {
            self.control().take_back(&lent.phone);
        }
    }

    /// Who takes part in a conversation to supervise it.
    fn supervisors(&self) -> Vec<(CallId, PartyView)> {
        let calls = self.control().watch().0.calls;
        let parties =
            calls.into_iter().flat_map(|call| call.parties.into_iter().map(move |it| (call.id, it)));
        parties.filter(|(_, party)| party.kind == PartyKind::Supervisor).collect()
    }

    fn unsupervise(&self, call: CallId, user: &str) {
        let (control, user) = (Arc::clone(&self.desktop.control), user.to_owned());
        tokio::spawn(async move {
            let who = Asker { user, agent: None };
            if let Err(why) = control.ask(call, who, Ask::Unsupervise).await {
                tracing::info!(%call, %why, "a supervisor who may not be there is asked to leave in vain");
            }
        });
    }
}

/// Whose phone a user may have.
fn phone_of(visitor: &Visitor) -> Option<&AgentId> {
    let may = [Right::TakeCalls, Right::ListenLive].into_iter().any(|right| visitor.has(right));
    visitor.account.agent.as_ref().filter(|_| may && visitor.owes().is_none())
}

/// Whether a user may take part in this way.
fn may_supervise(account: &User, held: &access::Held, state: PartyState) -> bool {
    let right = match state {
        PartyState::Whispering => Right::Whisper,
        PartyState::Barged => Right::Barge,
        PartyState::Listening
        | PartyState::Dialled
        | PartyState::Ringing
        | PartyState::Talking
        | PartyState::Holding
        | PartyState::Consulted
        | PartyState::Lost => Right::ListenLive,
    };
    held.has(right) && !account.must_change_password
}

/// Looks for what is over, as long as the desk is there: at times, and when the settings have changed.
pub(super) async fn keep_swept(desk: Weak<Desk>, mut ready: watch::Receiver<Readiness>) {
    let mut tick = interval(SWEEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            Ok(()) = ready.changed() => {}
        }
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

/// A webhook that is tested; over when it is dropped.
pub(super) struct Test {
    desk: Arc<Desk>,
    webhook: String,
}

impl Drop for Test {
    fn drop(&mut self) {
        lock(&self.desk.testing).remove(&self.webhook);
    }
}

/// Waits for a read of the database, but not for long.
///
/// # Errors
/// 503, when the database refuses or does not answer.
pub(super) async fn soon<T>(read: impl Future<Output = Result<T, StoreError>>) -> Result<T, Problem> {
    within(SOON, read).await
}

/// The same for what counts a day of calls or the recordings of a state: it may take longer than a page, and is worth
/// waiting for. What counts more goes by [`Desk::count`].
///
/// # Errors
/// As [`soon`].
pub(super) async fn patiently<T>(read: impl Future<Output = Result<T, StoreError>>) -> Result<T, Problem> {
    within(COUNTING, read).await
}

async fn within<T>(limit: Duration, read: impl Future<Output = Result<T, StoreError>>) -> Result<T, Problem> {
    match timeout(limit, read).await {
        Ok(read) => Ok(read?),
        Err(_) => Err(no_answer()),
    }
}

fn no_answer() -> Problem {
    let detail = "The database does not answer: try again.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
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
