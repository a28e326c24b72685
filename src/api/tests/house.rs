//! A database, a fake server, an HTTP port, and browsers without a window.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use futures_util::future::BoxFuture;
use sqlx::{Connection as _, Executor as _, Row as _};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, watch};
use tokio::time::timeout;
use ulid::Ulid;

use super::super::control::{Asker, Control, Credential, Tested};
use super::super::{Desktop, Front, Proxies, Readiness, Turn, install_metrics, start};
pub(in crate::api) use super::vault::{Kept, Raw};
use super::*;
use crate::audit::Actor;
use crate::ids::{AgentId, QueueId, TrunkId};
use crate::prompts::{self, Library};
use crate::queue::NotReady;
use crate::settings::{self, DiffOptions, Difference, Language, Outbound, Spoken, Wording};
use crate::store::{Ladder, Store};
use crate::time::Clock;

pub(in crate::api) const START: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);
pub(in crate::api) const PASSWORD: &str = "correct horse";
const PATIENCE: Duration = Duration::from_secs(20);

/// `fresh` has to change the password first.
const SETTINGS: &str = r#"
[queue.support]
[queue.sales]
[trunk.carrier]
outbound = { server = "sip:carrier.example", prefixes = ["+49"] }
[agent.bob]
display-name = "Bob B."
password = "x"
queues = ["support"]
[agent.carol]
password = "x"
queues = ["sales"]
[agent.boss]
password = "x"
[agent.fresh]
password = "x"
[user.bob]
display-name = "Bob B."
password = "correct horse"
must-change = false
role = "agent"
agent = "bob"
language = "de"
[user.carol]
password = "correct horse"
must-change = false
role = "agent"
agent = "carol"
[user.boss]
password = "correct horse"
must-change = false
role = "superuser"
agent = "boss"
[user.lead]
password = "correct horse"
must-change = false
role = "supervisor"
[user.monitor]
password = "correct horse"
must-change = false
role = "advanced-monitoring"
[user.clerk]
password = "correct horse"
must-change = false
role = "reporting"
[user.fresh]
password = "correct horse"
role = "superuser"
agent = "fresh"
"#;

/// What was asked of the server, and what it answers.
#[derive(Default)]
pub(in crate::api) struct Heard {
    pub(in crate::api) asked: Vec<(CallId, Asker, Ask)>,
    pub(in crate::api) refusal: Option<Refusal>,
    pub(in crate::api) presence: Vec<(AgentId, Result<(), NotReady>)>,
    pub(in crate::api) lent: Vec<(AgentId, Timestamp)>,
    /// Nothing is lent.
    pub(in crate::api) deaf: bool,
    pub(in crate::api) taken_back: Vec<String>,
    pub(in crate::api) calls: Vec<CallView>,
    pub(in crate::api) agents: Vec<AgentView>,
    pub(in crate::api) queues: Vec<QueueView>,
    /// What callers hear; `None`: nothing is known.
    pub(in crate::api) wording: Option<Wording>,
    /// Trunks whose servers were asked for, and where.
    pub(in crate::api) tested: Vec<(TrunkId, String)>,
    /// What was said in a call that goes on.
    pub(in crate::api) ladder: Option<Ladder>,
}

pub(in crate::api) struct Fake {
    heard: Mutex<Heard>,
    store: Store,
    prompts: Mutex<Arc<Library>>,
    live: broadcast::Sender<Arc<Live>>,
}

impl Control for Fake {
    fn watch(&self) -> (Snapshot, broadcast::Receiver<Arc<Live>>) {
        let heard = self.heard.lock().unwrap();
        let (calls, agents, queues) = (heard.calls.clone(), heard.agents.clone(), heard.queues.clone());
        (Snapshot { now: START, calls, agents, queues }, self.live.subscribe())
    }

    fn ask(&self, call: CallId, who: Asker, what: Ask) -> BoxFuture<'_, Result<(), Refusal>> {
        let mut heard = self.heard.lock().unwrap();
        heard.asked.push((call, who, what));
        let refusal = heard.refusal.clone();
        Box::pin(async move { refusal.map_or(Ok(()), Err) })
    }

    fn presence(&self, agent: AgentId, ready: Result<(), NotReady>) -> BoxFuture<'_, ()> {
        self.heard.lock().unwrap().presence.push((agent, ready));
        Box::pin(async {})
    }

    fn prompts(&self) -> Arc<Library> {
        Arc::clone(&self.prompts.lock().unwrap())
    }

    fn renew_prompts(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let before = self.prompts();
            let now = prompts::load(&self.store, Path::new("no-such-folder"), Some(&before)).await.unwrap();
            *self.prompts.lock().unwrap() = Arc::new(now);
        })
    }

    fn wording(&self, _queue: &QueueId, language: &Language) -> Wording {
        self.heard.lock().unwrap().wording.clone().unwrap_or_else(|| Wording {
            language: language.clone(),
            welcome: Spoken::default(),
            question: Spoken::default(),
            refused: Spoken::default(),
        })
    }

    fn realm(&self) -> &str {
        "sayso"
    }

    fn lend(&self, agent: AgentId, until: Timestamp) -> Option<Credential> {
        let mut heard = self.heard.lock().unwrap();
        if heard.deaf {
            return None;
        }
        heard.lent.push((agent, until));
        let user = format!("lent{}", heard.lent.len());
        Some(Credential { user, password: Redacted("secret".into()) })
    }

    fn take_back(&self, user: &str) {
        self.heard.lock().unwrap().taken_back.push(user.to_owned());
    }

    fn reaches(&self, number: &str) -> bool {
        number.starts_with("+49")
    }

    fn test_trunk(&self, trunk: TrunkId, outbound: Outbound) -> BoxFuture<'_, Result<Tested, Refusal>> {
        let mut heard = self.heard.lock().unwrap();
        heard.tested.push((trunk, outbound.server));
        let what = "It is there.".to_owned();
        let (status, after) = (Some(200), Some(Duration::from_micros(23_400)));
        let answer = heard.refusal.clone().map_or(Ok(Tested { ok: true, status, after, what }), Err);
        Box::pin(async move { answer })
    }

    fn ladder(&self, _call: CallId) -> BoxFuture<'_, Option<Ladder>> {
        let ladder = self.heard.lock().unwrap().ladder.clone();
        Box::pin(async move { ladder })
    }
}

pub(in crate::api) struct House {
    dir: TempDir,
    /// What the server says of itself: a new one has the sessions looked at.
    pub(in crate::api) ready: watch::Sender<Readiness>,
    pub(in crate::api) store: Store,
    pub(in crate::api) desktop: Desktop,
    control: Arc<Fake>,
    now: Arc<AtomicI64>,
    at: SocketAddr,
}

impl House {
    pub(in crate::api) async fn new() -> Self {
        Self::at(None).await
    }

    /// Behind a proxy, with a URL.
    pub(in crate::api) async fn at(url: Option<&str>) -> Self {
        Self::with(url, None).await.0
    }

    /// With a vault; whether who listens has to say why.
    pub(in crate::api) async fn kept(listening_reason: bool) -> (Self, Kept) {
        let (house, kept) = Self::with(None, Some(listening_reason)).await;
        (house, kept.expect("it was asked for"))
    }

    async fn with(url: Option<&str>, kept: Option<bool>) -> (Self, Option<Kept>) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("sayso.db").display().to_string();
        let store = Store::open(&path, Clock::start()).await.unwrap();
        static USUAL: OnceLock<Vec<Difference>> = OnceLock::new();
        let usual = USUAL.get_or_init(|| differences(&settings::Settings::default(), SETTINGS)).clone();
        store.commit(vec![Change::Settings(usual, Actor::System)]).await.unwrap();
        let now = Arc::new(AtomicI64::new(START.as_micros()));
        let control = Arc::new(Fake {
            heard: Mutex::default(),
            store: store.clone(),
            prompts: Mutex::new(Arc::new(Library::open(None).unwrap())),
            live: broadcast::channel(16).0,
        });
        let kept = match kept {
            Some(listening_reason) => Some(Kept::open(dir.path(), &store, listening_reason).await),
            None => None,
        };
        let desktop = Desktop {
            control: Arc::clone(&control) as Arc<dyn Control>,
            store: store.clone(),
            now: {
                let now = Arc::clone(&now);
                Arc::new(move || Timestamp::from_micros(now.load(Ordering::SeqCst)))
            },
            not_ready_reasons: vec!["Lunch".into(), "Tea".into()],
            archive: kept.as_ref().map(|kept| kept.archive.clone()),
            turn: Some(Turn {
                urls: vec!["turn:t.example".into()],
                secret: Some(Redacted("north".into())),
                ttl: Duration::from_secs(3_600),
            }),
            url: url.map(str::to_owned),
        };
        let (ready, told) = watch::channel(Readiness { store: true, draining: false, generation: 1 });
        let proxies = url.map_or_else(Vec::new, |_| vec!["127.0.0.1/32".parse().unwrap()]);
        let front =
            Front { desktop: Some(desktop.clone()), proxies: Proxies::new(proxies), ..Front::default() };
        let at = start("127.0.0.1:0".parse().unwrap(), front, install_metrics(), told).await.unwrap();
        (Self { dir, ready, store, desktop, control, now, at }, kept)
    }

    pub(in crate::api) fn pass(&self, span: Duration) {
        self.now.fetch_add(i64::try_from(span.as_micros()).unwrap(), Ordering::SeqCst);
    }

    pub(in crate::api) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.control.heard.lock().unwrap()
    }

    pub(in crate::api) fn happen(&self, live: Live) {
        let _ = self.control.live.send(Arc::new(live));
    }

    /// A browser that has not logged in.
    pub(in crate::api) fn stranger(&self) -> Client {
        Client { at: self.at, cookie: None }
    }

    pub(in crate::api) async fn log_in(&self, user: &str) -> Client {
        self.log_in_with(user, PASSWORD).await
    }

    pub(in crate::api) async fn log_in_with(&self, user: &str, password: &str) -> Client {
        let answer = self.stranger().try_log_in(user, password).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Client { at: self.at, cookie: Some(answer.cookie()) }
    }

    /// Applies settings as `sayso apply` does.
    pub(in crate::api) async fn apply(&self, text: &str) {
        let (_, stored) = self.store.settings().await.unwrap();
        let changes = differences(&stored, text);
        self.store.commit(vec![Change::Settings(changes, Actor::User("root".into()))]).await.unwrap();
    }

    /// Applies the settings once more.
    pub(in crate::api) async fn apply_again(&self) {
        self.apply(SETTINGS).await;
    }

    async fn raw(&self) -> sqlx::AnyConnection {
        let url = format!("sqlite://{}", self.dir.path().join("sayso.db").display());
        sqlx::AnyConnection::connect(&url).await.unwrap()
    }

    /// A statement past the store, as someone with the file would run it.
    pub(in crate::api) async fn tamper(&self, statement: &'static str) {
        self.raw().await.execute(statement).await.unwrap();
    }

    /// Nothing can be written until this connection rolls back.
    pub(in crate::api) async fn lock_store(&self) -> sqlx::AnyConnection {
        let mut raw = self.raw().await;
        raw.execute("BEGIN IMMEDIATE").await.unwrap();
        raw
    }

    /// Changes the database past the store.
    pub(in crate::api) async fn change(&self, statement: &'static str) {
        self.raw().await.execute(statement).await.unwrap();
    }

    /// The first column that a statement selects.
    pub(in crate::api) async fn select(&self, statement: &'static str) -> Vec<String> {
        let mut raw = self.raw().await;
        let rows = raw.fetch_all(statement).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>(0)).collect()
    }

    /// Carries out a statement of the test's own.
    pub(in crate::api) async fn execute(&self, statement: &str) {
        self.raw().await.execute(sqlx::AssertSqlSafe(statement.to_owned())).await.unwrap();
    }

    /// Audit events of an action: class, who, object, new value; the earliest first.
    pub(in crate::api) async fn audit(&self, action: &str) -> Vec<(Class, String, String, Option<String>)> {
        let filter = AuditFilter { action: Some(action.to_owned()), ..AuditFilter::default() };
        let rows = self.store.audit(&filter).await.unwrap();
        let text = |sealed: &Option<Sealed>| sealed.as_ref().and_then(Sealed::text).map(str::to_owned);
        let rows = rows.iter().rev();
        rows.map(|row| (row.class, row.who.to_string(), row.what.to_string(), text(&row.new))).collect()
    }
}

fn differences(stored: &settings::Settings, text: &str) -> Vec<Difference> {
    let file = settings::parse(text, "test.toml", "sayso").unwrap();
    settings::diff(stored, &file, &DiffOptions { prune: false, seed: [7; 32] }).unwrap()
}

/// A browser: it sends what our page sends.
#[derive(Clone, Debug)]
pub(in crate::api) struct Client {
    at: SocketAddr,
    pub(in crate::api) cookie: Option<String>,
}

impl Client {
    pub(in crate::api) async fn try_log_in(&self, user: &str, password: &str) -> Answer {
        self.post("/session", json!({ "user": user, "password": password })).await
    }

    pub(in crate::api) async fn get(&self, path: &str) -> Answer {
        self.send("GET", &format!("/api/v1{path}"), &[], None).await
    }

    pub(in crate::api) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ours("POST", path, Some(body)).await
    }

    pub(in crate::api) async fn ours(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let headers = [("x-sayso", "1"), ("content-type", "application/json")];
        self.send(method, &format!("/api/v1{path}"), &headers, body.map(|body| body.to_string())).await
    }

    pub(in crate::api) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let mut stream = self.request(method, path, headers, body).await;
        timeout(PATIENCE, stream.answer()).await.expect("an answer in time")
    }

    /// Sends a request that is answered with bytes and the connection's end.
    pub(in crate::api) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> TcpStream {
        let headers = [headers, &[("connection", "close")]].concat();
        self.request(method, path, &headers, None).await.socket
    }

    /// A request with a body, answered with bytes and the connection's end.
    pub(in crate::api) async fn raw_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Raw {
        let headers = [headers, &[("connection", "close")]].concat();
        Raw::read(self.request(method, path, &headers, Some(body.to_owned())).await.socket).await
    }

    /// The same, and the answer.
    pub(in crate::api) async fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Raw {
        Raw::read(self.ask(method, path, headers).await).await
    }

    /// Sends a file as our page does.
    pub(in crate::api) async fn upload(
        &self,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let length = body.len().to_string();
        let ours = [("x-sayso", "1"), ("content-type", "audio/wav"), ("content-length", &length)];
        let head = self.head(method, &format!("/api/v1{path}"), &[&ours, more].concat());
        let mut socket = TcpStream::connect(self.at).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(b"\r\n").await.unwrap();
        // A file that is refused before it is there whole may find the connection closed.
        let _ = socket.write_all(body).await;
        let mut stream = Stream { socket, text: String::new() };
        timeout(PATIENCE, stream.answer()).await.expect("an answer in time")
    }

    /// The event stream, its headers read.
    pub(in crate::api) async fn events(&self) -> Stream {
        let mut stream = self.request("GET", "/api/v1/events", &[], None).await;
        let answer = timeout(PATIENCE, stream.answer()).await.expect("an answer in time");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.headers["content-type"], "text/event-stream");
        stream
    }

    /// Sends a request and hangs up.
    pub(in crate::api) async fn leave(&self, method: &str, path: &str, body: Value) {
        let headers = [("x-sayso", "1"), ("content-type", "application/json")];
        drop(self.request(method, &format!("/api/v1{path}"), &headers, Some(body.to_string())).await);
    }

    fn head(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: desk.test:8080\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(cookie) = &self.cookie {
            text.push_str(&format!("Cookie: other=1; {cookie}\r\n"));
        }
        text
    }

    async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Stream {
        let body = body.unwrap_or_default();
        let mut text = self.head(method, path, headers);
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let mut socket = TcpStream::connect(self.at).await.unwrap();
        socket.write_all(text.as_bytes()).await.unwrap();
        Stream { socket, text: String::new() }
    }
}

/// What comes back.
pub(in crate::api) struct Stream {
    socket: TcpStream,
    text: String,
}

impl Stream {
    async fn more(&mut self) -> bool {
        let mut bytes = [0; 16_384];
        let read = self.socket.read(&mut bytes).await.unwrap_or(0);
        self.text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        read > 0
    }

    async fn answer(&mut self) -> Answer {
        let end = loop {
            if let Some(end) = self.text.find("\r\n\r\n") {
                break end;
            }
            assert!(self.more().await, "an answer: {:?}", self.text);
        };
        let head = self.text[..end].to_owned();
        self.text.drain(..end + 4);
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: HashMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        while self.text.len() < length {
            assert!(self.more().await, "a whole body: {:?}", self.text);
        }
        let body = self.text.drain(..length).collect();
        Answer { status, headers, body }
    }

    /// The next event and its data; `None`: the stream is over.
    pub(in crate::api) async fn event(&mut self) -> Option<(String, Value)> {
        timeout(PATIENCE, async {
            loop {
                let begin = self.text.find("event: ").unwrap_or(self.text.len());
                if let Some(end) = self.text[begin..].find("\n\n") {
                    let block: String = self.text.drain(..begin + end + 2).skip(begin).collect();
                    let (event, data) = block.trim_end().split_once("\ndata: ").unwrap();
                    let event = event.trim_start_matches("event: ").to_owned();
                    return Some((event, serde_json::from_str(data).unwrap()));
                }
                if self.text.contains("\r\n0\r\n\r\n") || !self.more().await {
                    return None;
                }
            }
        })
        .await
        .expect("an event in time")
    }

    /// As [`Self::event`], of this name.
    pub(in crate::api) async fn expect(&mut self, name: &str) -> Value {
        let (event, data) = self.event().await.expect("an event");
        assert_eq!(event, name, "{data}");
        data
    }
}

#[derive(Debug)]
pub(in crate::api) struct Answer {
    pub(in crate::api) status: u16,
    pub(in crate::api) headers: HashMap<String, String>,
    pub(in crate::api) body: String,
}

impl Answer {
    pub(in crate::api) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status and title of a problem.
    pub(in crate::api) fn problem(&self) -> (u16, String) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let json = self.json();
        assert_eq!(json["status"], self.status);
        assert!(!json["detail"].as_str().unwrap().is_empty());
        (self.status, json["title"].as_str().unwrap().to_owned())
    }

    /// `sayso=TOKEN` as a browser sends it back.
    fn cookie(&self) -> String {
        self.headers["set-cookie"].split(';').next().unwrap().to_owned()
    }
}

pub(in crate::api) fn id(n: u128) -> CallId {
    CallId::new(Ulid(n + 1))
}

/// A call in conversation with these agents.
pub(in crate::api) fn call_view(n: u128, agents: &[&str]) -> CallView {
    let party = |(leg, agent): (usize, &&str)| PartyView {
        leg: u16::try_from(leg + 1).unwrap(),
        kind: PartyKind::Agent,
        id: Redacted((*agent).to_owned()),
        name: Redacted((*agent).to_owned()),
        state: PartyState::Talking,
    };
    CallView {
        id: id(n),
        phase: PhaseWord::Talking,
        arrived_at: START,
        queue: "support".into(),
        first_queue: "support".into(),
        caller: Some(Redacted("+4930123467".into())),
        waiting_since: None,
        connected_at: Some(START),
        parties: agents.iter().enumerate().map(party).collect(),
        consent: ConsentView { state: ConsentState::Given, at: Some(START) },
        recording: RecordingView {
            state: Lamp::Recording,
            why: Why::Agreed { at: START },
            paused_at: None,
            resumes_at: None,
            can: vec![Can::Pause],
        },
    }
}
