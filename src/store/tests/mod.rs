//! The store on a real file and on a real server: each test in [`on_each_kind`] runs on both.

/// Makes a test of its own name of each function and each kind of database: `sqlite::name`,
/// `postgres::name`.
macro_rules! on_each_kind {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $name() { super::$name(super::Kind::Sqlite).await; })*
        }
        mod postgres {
            $(#[tokio::test] async fn $name() { super::$name(super::Kind::Postgres).await; })*
        }
    };
}

mod anonymised;
mod audit;
mod chain;
#[path = "../../../sip-tests/harness/postgres.rs"]
mod cluster;
mod commit;
mod erasing;
mod held;
mod history;
mod holds;
mod jobs;
mod keks;
mod life;
mod lists;
mod logins;
mod people;
mod privacy;
mod prompts;
mod recordings;
mod reports;
mod retention;
mod rows;
mod server;
mod settings;
mod spools;
mod supervised;
mod together;
mod trace;

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use tempfile::TempDir;
use ulid::Ulid;

use super::*;
use crate::audit::Actor;
use crate::call::{Cause, Fact, Outside, Whom};
use crate::consent::{Answer, Answered, Basis, OverrideCategory, OverrideReason};
use crate::ids::{CallId, LegId, PhoneNumber, RecordingId, Redacted};
use crate::media::{Digit, DigitChannel};
use crate::settings::Language;
use crate::time::Timestamp;

use cluster::Cluster;

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

/// A store in a place of its own.
struct Place {
    store: Store,
    url: String,
    dir: TempDir,
}

impl Place {
    async fn new(kind: Kind) -> Self {
        let (url, dir) = nowhere(kind);
        let store = open(&url).await;
        Self { store, url, dir }
    }

    async fn again(&self) -> Store {
        open(&self.url).await
    }

    /// Statements past the store, as someone with the file or the password would run them.
    async fn raw(&self) -> AnyConnection {
        let location = Location::of(&self.url).expect("right");
        let mut connection = AnyConnection::connect(&location.url.0).await.expect("connects");
        location.dialect.set_up(&mut connection).await.expect("waits");
        connection
    }

    async fn facts(&self, facts: Vec<Fact>) {
        self.store.commit(facts.into_iter().map(Change::Fact).collect()).await.expect("commits");
    }

    async fn audit_rows(&self) -> u64 {
        self.store.verify_audit(|_, _| {}).await.expect("whole").rows
    }
}

/// Where a database may be made.
fn nowhere(kind: Kind) -> (String, TempDir) {
    let dir = TempDir::new().expect("a folder");
    let url = match kind {
        Kind::Sqlite => dir.path().join("sayso.db").display().to_string(),
        Kind::Postgres => Cluster::shared().database(),
    };
    (url, dir)
}

async fn open(url: &str) -> Store {
    Store::open(url, Clock::start()).await.expect("opens")
}

/// A statement as this kind of database takes it.
fn sql(kind: Kind, statement: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(match kind {
        Kind::Sqlite => statement.to_owned(),
        Kind::Postgres => {
            // zeroblob(N) -> N zero octets; INSERT OR REPLACE -> the nearest there is.
            let zeros = statement.replace("zeroblob(", "decode(repeat('00', ");
            let zeros = (16..64).fold(zeros, |text, n| {
                text.replace(&format!("repeat('00', {n})"), &format!("repeat('00', {n}), 'hex')"))
            });
            match zeros.split_once(" OR REPLACE") {
                Some((before, after)) => format!("{before}{after} ON CONFLICT DO NOTHING"),
                None => zeros,
            }
        }
    })
}

impl Store {
    /// The audit rows of an action, the earliest first: `CLASS WHO OBJECT: OLD -> NEW`, for tests everywhere.
    pub(crate) async fn told(&self, action: &str) -> Vec<String> {
        let filter = AuditFilter { action: Some(action.to_owned()), limit: 1_000, ..AuditFilter::default() };
        let text = |value: &Option<crate::audit::Sealed>| match value {
            None => "nothing".to_owned(),
            Some(sealed) => sealed.text().unwrap_or("(erased)").to_owned(),
        };
        let rows = self.audit(&filter).await.expect("reads");
        let row = |row: &crate::audit::Row| {
            format!("{} {} {}: {} -> {}", row.class, row.who, row.what, text(&row.old), text(&row.new))
        };
        rows.iter().rev().map(row).collect()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(1_795_000_000_000_000 + second * 1_000_000)
}

fn call(n: u128) -> CallId {
    CallId::new(Ulid(n + 1))
}

fn recording(n: u128) -> RecordingId {
    RecordingId::new(Ulid(n + 1_000_000))
}

fn leg(call: CallId, n: u16) -> LegId {
    LegId { call, n }
}

fn caller() -> PhoneNumber {
    PhoneNumber::parse("+49 30 1234567", None).expect("a number")
}

fn arrived(call: CallId, second: i64) -> Fact {
    Fact::Arrived {
        call,
        at: at(second),
        from: Some(caller()),
        dialled: "+4989100".into(),
        trunk: Some("carrier".into()),
        queue: "support".into(),
        language: Language("de".into()),
    }
}

/// The key-encryption key and the spool of these tests.
const KEK: &str = "00112233445566aa";
const SPOOL: &str = "01JD00000000000000000000AA";

fn kek_made(id: &str) -> Change {
    let (provider, by) = (KekProvider::File, Actor::System);
    Change::Kek(KekChange::Made { id: id.into(), provider, wrapped: None, at: at(0), by })
}

/// Recording `n` of the first call, armed with `key`; for WAV.
fn armed(n: u128, key: &[u8]) -> Change {
    armed_as(n, key, "pcm16")
}

fn armed_as(n: u128, key: &[u8], format: &str) -> Change {
    Change::Recording(RecordingChange::Armed {
        id: recording(n),
        call: call(0),
        basis: Basis::Agreed(at(1)),
        wrapped_key: key.to_vec(),
        kek: KEK.into(),
        spool: SPOOL.into(),
        format: format.into(),
        at: at(2),
    })
}

fn destroyed(n: u128, second: i64) -> RecordingChange {
    let (rule, why) = ("withdrawn".into(), "consent withdrawn".into());
    RecordingChange::Destroyed { id: recording(n), at: at(second), rule, why, by: Actor::Caller }
}

fn step(change: RecordingChange) -> Vec<Change> {
    vec![Change::Recording(change)]
}

fn key(key: char) -> Digit {
    Digit::try_from(key).expect("a key")
}

fn answered(call: CallId, second: i64, answer: Answer) -> Fact {
    let answered = Answered {
        answer,
        at: at(second),
        question_sha256: "ab".repeat(32),
        language: Language("de".into()),
    };
    Fact::ConsentAnswered { call, from: Some(caller()), queue: "support".into(), answered }
}

fn yes() -> Answer {
    Answer::Yes(key('1'), DigitChannel::Rfc4733)
}

fn file() -> RecordedFile {
    let gap = RecordedGap { start: 80, len: 80, channel: None, why: "paused".into() };
    RecordedFile { samples: 16_000, bytes: 64_100, sha256: "cd".repeat(32), gaps: vec![gap], unlisted: 7 }
}

/// Every kind of fact, in an order in which they can happen; the last item names what each does.
fn every_fact(call: CallId) -> Vec<Fact> {
    let reason =
        OverrideReason { category: OverrideCategory::Emergency, text: Redacted("Ms Miller is hurt".into()) };
    vec![
        arrived(call, 0),
        answered(call, 1, Answer::No(key('2'), DigitChannel::Info)),
        Fact::Decided { call, at: at(1), basis: Basis::Refused(Answer::No(key('2'), DigitChannel::Info)) },
        Fact::Queued { call, queue: "support".into(), at: at(2) },
        Fact::Dialled { leg: leg(call, 1), to: Whom::Agent("bob".into()), at: at(3) },
        Fact::Connected { leg: leg(call, 1), at: at(4) },
        Fact::Overridden { call, agent: "bob".into(), reason: reason.clone(), at: at(5) },
        Fact::Decided { call, at: at(5), basis: Basis::Override { agent: "bob".into(), reason } },
        Fact::Paused { call, agent: Some("bob".into()), on: true, at: at(6) },
        Fact::Paused { call, agent: None, on: false, at: at(7) },
        Fact::RecordingFailed { call, at: at(8) },
        Fact::ConsentWithdrawn {
            call,
            from: Some(caller()),
            queue: "support".into(),
            entered_by: Some("bob".into()),
            at: at(9),
        },
        Fact::Transferred {
            call,
            by: "bob".into(),
            queue: Some("sales".into()),
            agent: None,
            outside: None,
            at: at(10),
        },
        Fact::LegEnded { leg: leg(call, 1), at: at(11), cause: Cause::HungUp },
        Fact::Ended { call, at: at(12), cause: Cause::HungUp },
    ]
}
