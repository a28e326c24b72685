//! Composition root: opens store, vault, prompts, engine, SIP and HTTP, drives calls, drains.

mod admission;
pub(crate) mod archive;
mod arrivals;
mod control;
mod convert;
mod desk;
mod driver;
mod fold;
mod gauges;
mod keypad;
pub(crate) mod keys;
mod ladder;
mod leg;
mod live;
mod notice;
mod phones;
mod policy;
pub mod probing;
mod prompts;
mod recorder;
pub(crate) mod salvage;
#[cfg(test)]
mod scene;
mod selftest;
mod switchboard;
mod trail;
mod uui;
mod views;
mod watch;
mod web;
mod withdrawals;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, watch as watch_value};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::task::TaskTracker;

use crate::api;
use crate::config::{Config, Fact};
use crate::engine::{Engine, EngineConfig};
use crate::jobs::{self, Alarms, Deps, Jobs};
use crate::prompts::Library;
use crate::queue;
use crate::settings::Settings;
use crate::sip::core::{Command, EndpointConfig, Pressure, Traced, Transport};
use crate::sip::io::{Certificates, SipHandle, StackConfig, TlsFiles};
use crate::store::{Change, Filter, NodeRow, Store};
use crate::time::Clock;
use crate::vault::objects::Objects;
use crate::vault::{Signer, SpoolOwner, Vault};

use admission::{Door, Short};
pub use notice::{Notice, Notices, What};
use switchboard::{Mail, Switchboard};

/// How often gauges that are not kept up by events are read.
const GAUGES: Duration = Duration::from_secs(1);
/// How often a node tells that it is there.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How often the load is judged. A burst within this time is not seen; the endpoint's own limits hold then.
const LOOK: Duration = Duration::from_millis(200);
/// How long calls have to close after they were told to.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// SIP events that may wait to be sorted.
const SIP_EVENTS: usize = 8192;

/// What the drivers of all calls share.
struct Shared {
    sip: SipHandle,
    engine: Engine,
    vault: Arc<Vault>,
    objects: Objects,
    signer: Arc<Signer>,
    jobs: Jobs,
    alarms: Alarms,
    store: Store,
    prompts: prompts::Prompts,
    desk: desk::DeskHandle,
    switchboard: Switchboard,
    phones: phones::PhoneBook,
    under_test: selftest::UnderTest,
    live: Arc<live::Hub>,
    ladders: ladder::Ladders,
    notices: Notices,
    settings: RwLock<Arc<Settings>>,
    /// The SIP realm.
    realm: String,
    clock: Clock,
    tasks: TaskTracker,
    draining: AtomicBool,
    /// The spool's disk stands still: recordings that run are given up.
    still: watch_value::Sender<bool>,
    /// Too busy for new calls.
    overloaded: AtomicBool,
}

/// A running server.
pub struct Server {
    shared: Arc<Shared>,
    http: SocketAddr,
    /// Until all calls have ended and all jobs have stopped.
    _owner: SpoolOwner,
}

impl Server {
    /// Opens everything `config` names and salvages what an earlier run left.
    ///
    /// # Errors
    /// Whatever cannot be opened: database, vault and key, prompts, ports. Each says what to do.
    pub async fn start(config: &Config, clock: Clock, notices: Notices) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&config.data)?;
        let metrics = api::install_metrics();
        let store = Store::open(&config.database_url(), clock).await?;
        let (vault, objects, signer) = archive::open(config, &store, clock).await?;
        // Before anything is salvaged or said in this node's name: who lives is no leftover.
        let owner = vault.own()?;
        store.of_node(vault.spool_id());
        let alarms = Alarms::new(store.clone(), clock);
        archive::check(&objects, &alarms).await?;
        let jobs_config = archive::jobs_config(config);
        if let Some(place) = &jobs_config.separate_store {
            // Calls come first: who moves somebody there is told what is missing.
            if let Err(error) = place.make(&store).await {
                tracing::error!(error = format!("{error:#}"), "the separate store cannot be made");
            }
        }
        salvage::run(&store, &vault, &alarms, clock).await?;
        let deps = Deps {
            store: store.clone(),
            vault: Arc::clone(&vault),
            objects: objects.clone(),
            signer: Arc::clone(&signer),
            clock,
            alarms: alarms.clone(),
        };
        let (generation, settings) = store.settings().await?;
        let settings = Arc::new(settings);
        let prompts = prompts::Prompts::open(&store, config.prompts_dir()).await?;
        let engine = Engine::start(engine_config(config), clock)?;
        let (events, sip_events) = mpsc::channel(SIP_EVENTS);
        let certificates = Certificates::load(tls_files(config))?;
        for fact in config.facts() {
            match fact {
                Fact::AnyOrigin => tracing::warn!("{fact}"),
                Fact::NothingSecure => tracing::info!("{fact}"),
                Fact::VaultInClear => tracing::warn!("{fact}"),
            }
        }
        let (ladders, notes, traces) = ladder::Ladders::new();
        let stack = stack_config(config, certificates.clone(), traces);
        let sip = crate::sip::io::start(stack, Arc::clone(&settings), clock, events).await?;
        let switchboard = Switchboard::default();
        if settings.users.is_empty() {
            tracing::info!(
                "nobody can log in at the pages yet: name a user in the settings, [user.NAME] with display-name, \
                 role and password (and agent, to take calls), and `sayso apply` them"
            );
        }
        let live = live_of_today(&settings, &store, clock).await?;
        let told = Arc::clone(&live);
        let desk = desk::start(Arc::clone(&settings), switchboard.clone(), told, store.clone(), clock);
        let shared = Arc::new(Shared {
            sip,
            engine,
            vault,
            objects,
            signer,
            jobs: jobs::start(jobs_config, deps),
            alarms,
            store,
            prompts,
            desk,
            switchboard,
            phones: phones::PhoneBook::default(),
            under_test: selftest::UnderTest::default(),
            live,
            ladders,
            notices,
            settings: RwLock::new(settings),
            realm: config.sip.realm.clone(),
            clock,
            tasks: TaskTracker::new(),
            draining: AtomicBool::new(false),
            still: watch_value::Sender::new(false),
            overloaded: AtomicBool::new(false),
        });
        tokio::spawn(arrivals::sort(Arc::clone(&shared), sip_events));
        tokio::spawn(ladder::run(notes, shared.sip.clone(), shared.store.clone(), clock));
        tokio::spawn(watch_gauges(Arc::clone(&shared)));
        tokio::spawn(watch_load(Arc::clone(&shared), config.ports()));
        tokio::spawn(tell_of_life(Arc::downgrade(&shared)));
        tokio::spawn(withdrawals::watch(Arc::downgrade(&shared)));
        let ready = watch::start(Arc::clone(&shared), generation);
        let front = web::front(config, certificates, shared.sip.web(), Some(web::desktop(config, &shared)));
        let http = api::start(config.http.listen, front, metrics, ready).await?;
        let started = trail::started(clock.now());
        shared.store.commit(vec![Change::Audit(started)]).await?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), %http, "ready");
        Ok(Self { shared, http, _owner: owner })
    }

    /// The HTTP address, its port resolved.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// The SIP addresses of a transport, their ports resolved.
    #[must_use]
    pub fn sip(&self, transport: Transport) -> Vec<SocketAddr> {
        let bound = self.shared.sip.local().iter();
        bound.filter(|(t, _)| *t == transport).map(|(_, address)| *address).collect()
    }

    /// The store, for reading.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The vault, for reading.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.shared.vault
    }

    /// The object store, for reading.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.shared.objects
    }

    /// Refuses new calls, lets calls end by themselves for `patience` (or until `hurry` is done), then
    /// ends them, and returns when all of them are stored.
    pub async fn drain(self, patience: Duration, hurry: impl Future<Output = ()>) {
        let shared = &self.shared;
        shared.draining.store(true, Ordering::Release);
        shared.tasks.close();
        tracing::info!(calls = shared.switchboard.calls(), "draining");
        let calls_end = async {
            tokio::select! {
                () = shared.tasks.wait() => {}
                () = tokio::time::sleep(patience) => {}
                () = hurry => {}
            }
        };
        // The trunks are told first, so that no new calls come while the old ones end.
        let (left, ()) = tokio::join!(timeout(LAST_WORDS, shared.sip.take_leave()), calls_end);
        if left.is_err() {
            tracing::warn!("a trunk did not confirm that we are no longer registered there");
        }
        shared.switchboard.post_to_all(|| Mail::Shutdown);
        if timeout(LAST_WORDS, shared.tasks.wait()).await.is_err() {
            tracing::error!(calls = shared.switchboard.calls(), "calls did not end in time");
        }
        shared.ladders.flush().await;
        // What is not uploaded by then is so after the next start.
        shared.jobs.stop().await;
        let stopped = trail::stopped(shared.clock.now());
        if let Err(error) = shared.store.commit(vec![Change::Audit(stopped)]).await {
            tracing::error!(%error, "the stop could not be audited");
        }
        tracing::info!("stopped");
    }
}

impl Shared {
    /// Hands a command to the SIP endpoint.
    fn send(&self, command: Command) {
        if let Err(error) = self.sip.send(command) {
            metrics::counter!("sayso_sip_commands_lost_total").increment(1);
            tracing::error!(%error, "the SIP endpoint takes no commands");
        }
    }

    /// Stores changes on the side; a failure is logged and counted.
    fn keep(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let store = self.store.clone();
        self.tasks.spawn(async move {
            if let Err(error) = store.commit(changes).await {
                metrics::counter!("sayso_store_failures_total").increment(1);
                tracing::error!(%error, "a change could not be stored");
            }
        });
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn prompts(&self) -> Arc<Library> {
        self.prompts.now()
    }

    async fn swap_settings(&self, settings: Arc<Settings>) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&settings);
        self.sip.settings(Arc::clone(&settings));
        self.live.settings(&settings, self.clock.now());
        self.desk.tell(queue::Input::Settings(settings)).await;
    }

    fn overloaded(&self) -> bool {
        self.overloaded.load(Ordering::Relaxed)
    }

    fn draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

/// Reads the gauges that no event keeps up.
async fn watch_gauges(shared: Arc<Shared>) {
    let mut tick = interval(GAUGES);
    loop {
        tick.tick().await;
        gauges::publish_media(&shared.engine);
        let now = shared.clock.now();
        shared.live.look_at_the_day(now);
        let still = shared.vault.stands_still(now);
        let changed = shared.still.send_if_modified(|was| std::mem::replace(was, still) != still);
        if changed && still {
            tracing::error!("the spool's disk stands still: recordings are given up");
        }
    }
}

/// Judges a few times a second whether new calls are taken.
async fn watch_load(shared: Arc<Shared>, ports: RangeInclusive<u16>) {
    let mut tick = interval(LOOK);
    let mut gauge = gauges::LoadGauge::new(usize::from(ports.end() - ports.start()).div_ceil(2));
    let mut door = Door::default();
    loop {
        tick.tick().await;
        let was = door.shut_by();
        let now = shared.clock.now();
        door = door.judge(&gauge.read(&shared, now), now);
        let shut = door.shut_by();
        shared.sip.pressure(shut.map_or(Pressure::None, Short::pressure));
        shared.overloaded.store(shut.is_some(), Ordering::Relaxed);
        metrics::gauge!("sayso_overloaded").set(if shut.is_some() { 1.0 } else { 0.0 });
        match (was, shut) {
            (None, Some(short)) => tracing::warn!(short = short.word(), "overloaded: new calls are refused"),
            (Some(_), None) => tracing::info!("new calls are taken again"),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
}

/// Tells the others that this node is there, as long as it is.
async fn tell_of_life(shared: Weak<Shared>) {
    let mut tick = interval(HEARTBEAT);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut since = None;
    loop {
        tick.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        let now = shared.clock.now();
        let node = NodeRow {
            id: shared.vault.spool_id().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: *since.get_or_insert(now),
            seen_at: now,
            calls: shared.switchboard.calls() as u64,
            draining: shared.draining(),
        };
        // Nothing hangs on it: the next one comes soon, and a database that is away is told of elsewhere.
        if let Err(error) = shared.store.commit(vec![Change::Node(node)]).await {
            tracing::debug!(%error, "that this node is there was not stored");
        }
    }
}

/// What goes on, with today's figures of an earlier run.
async fn live_of_today(settings: &Settings, store: &Store, clock: Clock) -> anyhow::Result<Arc<live::Hub>> {
    let now = clock.now();
    let live = live::Hub::new(settings, now);
    let today = Filter { since: Some(live::Hub::day_began(now)), limit: u32::MAX, ..Filter::default() };
    live.recall(&store.calls(&today).await?);
    Ok(Arc::new(live))
}

fn engine_config(config: &Config) -> EngineConfig {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    EngineConfig {
        workers: config.media.workers.map_or(cores, NonZeroUsize::get),
        bind: config.media.ip,
        // The endpoint tells peers behind a NAT another one (`EndpointConfig::media_nat`).
        advertise: None,
        ports: config.ports(),
        webrtc_port: config.media.webrtc_port,
        media_timeout: config.media.timeout,
    }
}

fn stack_config(config: &Config, certificates: Certificates, traces: mpsc::Sender<Traced>) -> StackConfig {
    let sip = &config.sip;
    StackConfig {
        udp: sip.udp.clone(),
        tcp: sip.tcp.clone(),
        tls: sip.tls.clone(),
        ws: sip.ws.clone(),
        wss: sip.wss.clone(),
        certificates,
        ws_origins: sip.ws_origins.clone(),
        dns: sip.dns.clone(),
        realm: sip.realm.clone(),
        traces: Some(traces),
        endpoint: EndpointConfig {
            algorithms: sip.digest.clone(),
            nat: config.sip_nat(),
            media_nat: config.media_nat(),
            ..EndpointConfig::default()
        },
        ..StackConfig::default()
    }
}

fn tls_files(config: &Config) -> TlsFiles {
    let tls = &config.tls;
    TlsFiles {
        identity: tls.certificate.clone().zip(tls.key.clone()),
        client_ca: tls.client_ca.clone(),
        require_client: tls.require_client_certificate,
        ca: tls.ca.clone(),
        client_identity: tls.client_certificate.clone().zip(tls.client_key.clone()),
    }
}
