//! Units of work: together, alone, from two sides, and through a kill.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::audit::{AuditEvent, Class, Object};
use crate::settings::{DiffOptions, Settings, diff, parse};

on_each_kind! {
    a_unit_that_fails_is_rolled_back_alone,
    a_unit_whose_audit_rows_are_refused_fails_alone,
    a_webhook_hears_of_the_unit_behind_the_one_that_sets_it,
    two_stores_on_one_database_keep_the_chain_whole,
    reopening_finds_all,
    what_waits_is_written_before_it_closes,
    a_killed_process_loses_nothing_it_was_told_is_stored,
    settings_are_applied_once_audited_and_seen_by_others,
    settings_changed_meanwhile_are_refused,
    a_newer_database_is_left_alone,
    a_hundred_callers_at_once,
}

fn note(n: usize) -> Change {
    Change::Audit(AuditEvent::new(Class::System, Actor::System, at(0), "test.note", Object::new("test", n)))
}

async fn a_unit_that_fails_is_rolled_back_alone(kind: Kind) {
    let place = Place::new(kind).await;
    let units: Vec<_> = (0..60)
        .map(|n| {
            // Every third unit ends with a fact about a call that does not exist.
            let wrong = Fact::Ended { call: call(n + 1_000), at: at(1), cause: Cause::HungUp };
            let last = if n % 3 == 0 { wrong } else { answered(call(n), 1, yes()) };
            let (store, changes) = (place.store.clone(), vec![arrived(call(n), 0).into(), last.into()]);
            tokio::spawn(async move { store.commit(changes).await })
        })
        .collect();
    for (n, unit) in units.into_iter().enumerate() {
        let result = unit.await.expect("runs");
        assert_eq!(result.is_err(), n % 3 == 0, "{n}: {result:?}");
        let stored = place.store.call(call(n as u128)).await.expect("reads").is_some();
        assert_eq!(stored, n % 3 != 0, "{n}: all of it or nothing");
    }
    assert_eq!(place.audit_rows().await, 80);
}

/// Audit rows are written for all units of a transaction, behind the last of them.
async fn a_unit_whose_audit_rows_are_refused_fails_alone(kind: Kind) {
    let place = Place::new(kind).await;
    let index = "CREATE UNIQUE INDEX once ON audit (action) WHERE action = 'test.once'";
    place.raw().await.execute(index).await.expect("an index");
    let once = || {
        Change::Audit(AuditEvent::new(
            Class::System,
            Actor::System,
            at(0),
            "test.once",
            Object::new("test", 1),
        ))
    };
    place.store.commit(vec![once()]).await.expect("commits");
    let mut waiting = Vec::new();
    for n in 0..40 {
        let last = if n == 20 { once() } else { answered(call(n), 1, yes()).into() };
        waiting.push(place.store.submit(vec![arrived(call(n), 0).into(), last]).await);
    }
    for (n, unit) in waiting.into_iter().enumerate() {
        let result = unit.wait().await;
        assert_eq!(result.is_err(), n == 20, "{n}: {result:?}");
        let stored = place.store.call(call(n as u128)).await.expect("reads").is_some();
        assert_eq!(stored, n != 20, "{n}: all of it or nothing");
    }
    assert_eq!(place.audit_rows().await, 1 + 39 * 2);
}

async fn a_webhook_hears_of_the_unit_behind_the_one_that_sets_it(kind: Kind) {
    let place = Place::new(kind).await;
    let text = "[webhook.crm]\nurl = \"https://a.example/\"\nsecret = \"north-of-here\"\nevents = [\"call.ended\"]\n";
    let file = parse(text, "test.toml", "sayso").expect("right");
    let options = DiffOptions { prune: false, seed: [7; 32] };
    let differences = diff(&Settings::default(), &file, &options).expect("right");
    let who = Actor::User("boss".into());
    let ended = Fact::Ended { call: call(0), at: at(1), cause: Cause::HungUp };
    let store = &place.store;
    // The first is under way when the others come: those are of one transaction.
    let first = store.submit((0..500).map(note).collect()).await;
    let set = store.submit(vec![Change::SettingsSince { generation: 0, differences, who }]).await;
    let call = store.submit(vec![arrived(call(0), 0).into(), ended.into()]).await;
    for unit in [first, set, call] {
        unit.wait().await.expect("commits");
    }
    assert_eq!(store.deliveries("crm", None, 9).await.expect("reads").items.len(), 1);
}

async fn two_stores_on_one_database_keep_the_chain_whole(kind: Kind) {
    let place = Place::new(kind).await;
    let other = place.again().await;
    let writers: Vec<_> = [place.store.clone(), other.clone()]
        .into_iter()
        .map(|store| {
            tokio::spawn(async move {
                for n in 0..50 {
                    store.commit(vec![note(n), note(n)]).await.expect("commits");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("runs");
    }
    assert_eq!(place.audit_rows().await, 200);
}

#[tokio::test]
async fn only_the_owner_can_read_the_file() {
    let place = Place::new(Kind::Sqlite).await;
    place.facts(every_fact(call(0))).await;
    for file in std::fs::read_dir(place.dir.path()).expect("a folder").flatten() {
        let mode = file.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.path());
    }
}

async fn reopening_finds_all(kind: Kind) {
    let place = Place::new(kind).await;
    place.facts(every_fact(call(0))).await;
    let before = place.store.call(call(0)).await.expect("reads");
    place.store.close().await;
    assert!(matches!(place.store.commit(vec![note(1)]).await, Err(StoreError::Closed)));
    let again = place.again().await;
    assert_eq!(again.call(call(0)).await.expect("reads"), before);
    again.commit(vec![note(1)]).await.expect("commits");
    assert_eq!(again.verify_audit(|_, _| {}).await.expect("whole").rows, 16);
}

async fn what_waits_is_written_before_it_closes(kind: Kind) {
    let place = Place::new(kind).await;
    let waiting: Vec<_> = (0..100).map(|n| (place.store.clone(), n)).collect();
    let waiting: Vec<_> = waiting
        .into_iter()
        .map(|(store, n)| tokio::spawn(async move { store.commit(vec![note(n)]).await }))
        .collect();
    tokio::task::yield_now().await;
    place.store.close().await;
    let mut written = 0;
    for unit in waiting {
        written += u64::from(unit.await.expect("runs").is_ok());
    }
    let again = place.again().await;
    assert_eq!(again.verify_audit(|_, _| {}).await.expect("whole").rows, written);
}

#[test]
#[ignore = "the child of the next test: commits until it is killed"]
fn killed_child() {
    let Ok(url) = std::env::var("SAYSO_TEST_STORE") else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = open(&url).await;
        for n in 0.. {
            store.commit(every_fact(call(n)).into_iter().map(Change::Fact).collect()).await.expect("commits");
            println!("stored {n}");
        }
    });
}

async fn a_killed_process_loses_nothing_it_was_told_is_stored(kind: Kind) {
    let place = Place::new(kind).await;
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "store::tests::commit::killed_child", "--ignored", "--nocapture"])
        .env("SAYSO_TEST_STORE", &place.url)
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut stored = lines.by_ref().filter(|line| line.starts_with("stored"));
    assert!(stored.next().is_some(), "the child opened its store");
    // Both processes write now.
    let store = place.store.clone();
    for n in 1..40 {
        assert!(stored.next().is_some(), "the child ran until it was killed");
        store.commit(vec![note(n)]).await.expect("commits");
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
    let rows = store.verify_audit(|_, _| {}).await.expect("whole").rows - 39;
    assert!(rows >= 40 * 15 && rows.is_multiple_of(15), "{rows} rows: whole units only");
    for n in 0..40 {
        let call = store.call(call(n)).await.expect("reads").expect("what was acknowledged");
        assert_eq!(call.call.ended_at, Some(at(12)));
    }
}

const FILE: &str = r#"
    [trunk.carrier]
    networks = ["192.0.2.0/24"]
    [queue.support]
    recording = "consent"
    [number."+4989100"]
    queue = "support"
    [agent.bob]
    display-name = "Bob"
    password = "s3cret"
    queues = ["support"]
"#;

async fn apply(store: &Store, text: &str) -> usize {
    let file = parse(text, "demo.toml", "sayso").expect("right");
    let (_, old) = store.settings().await.expect("reads");
    let changes = diff(&old, &file, &DiffOptions { prune: false, seed: [7; 32] }).expect("right");
    let count = changes.len();
    store.commit(vec![Change::Settings(changes, Actor::User("root".into()))]).await.expect("applies");
    count
}

async fn settings_are_applied_once_audited_and_seen_by_others(kind: Kind) {
    let place = Place::new(kind).await;
    let other = place.again().await;
    assert_eq!(other.settings().await.expect("reads"), (0, Settings::default()));
    assert_eq!(apply(&place.store, FILE).await, 4);
    assert_eq!(apply(&place.store, FILE).await, 0, "idempotent");
    assert_eq!(other.generation().await.expect("reads"), 1);
    let added = place.audit_rows().await;
    let slower = FILE.replace("recording = \"consent\"", "wrap-up = \"20s\"");
    assert_eq!(apply(&place.store, &slower).await, 1);
    assert_eq!(place.audit_rows().await, added + 1, "one attribute, one row");
    let filter = AuditFilter { limit: 1, ..AuditFilter::default() };
    let row = place.store.audit(&filter).await.expect("reads").pop().expect("a row");
    assert_eq!((&*row.action, row.what.to_string().as_str()), ("queue.changed", "queue support.wrap-up"));
    let text =
        |value: &Option<crate::audit::Sealed>| value.as_ref().and_then(|v| v.text().map(str::to_owned));
    assert_eq!((text(&row.old), text(&row.new)), (Some("10s".into()), Some("20s".into())));
    assert_eq!(row.who, Actor::User("root".into()));
    let (generation, settings) = other.settings().await.expect("reads");
    assert_eq!((generation, settings.queues[&"support".into()].wrap_up), (2, Duration::from_secs(20)));
    let everything = format!("{:?}", place.store.audit(&AuditFilter::default()).await.expect("reads"));
    let secret = &settings.agents[&"bob".into()].credentials.as_ref().unwrap().ha1_md5.0;
    assert!(!everything.contains(secret.as_str()) && !everything.contains("Bob"));
}

async fn settings_changed_meanwhile_are_refused(kind: Kind) {
    let place = Place::new(kind).await;
    apply(&place.store, FILE).await;
    let (_, old) = place.store.settings().await.expect("reads");
    let change = |span: &str| {
        let text = FILE.replace("recording = \"consent\"", &format!("wrap-up = {span:?}"));
        let file = parse(&text, "demo.toml", "sayso").expect("right");
        let changes = diff(&old, &file, &DiffOptions { prune: false, seed: [7; 32] }).expect("right");
        vec![Change::Settings(changes, Actor::System)]
    };
    place.store.commit(change("20s")).await.expect("applies");
    let late = place.store.commit(change("30s")).await;
    assert!(matches!(&late, Err(StoreError::Conflict { object }) if object == "queue support"), "{late:?}");
    let (generation, settings) = place.store.settings().await.expect("reads");
    assert_eq!((generation, settings.queues[&"support".into()].wrap_up), (2, Duration::from_secs(20)));
}

/// A full disk makes SQLite end the whole transaction by itself; once there is room, work goes on.
#[tokio::test]
async fn a_full_disk_is_survived() {
    let place = Place::new(Kind::Sqlite).await;
    place.facts(every_fact(call(0))).await;
    place.store.close().await;
    let location = Location::of(&place.url).expect("a file");
    let pages: i64 =
        sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut place.raw().await).await.expect("counts");
    static PAGES: AtomicU32 = AtomicU32::new(0);
    PAGES.store(u32::try_from(pages).expect("few") + 40, Ordering::Relaxed);
    let limit = || format!("PRAGMA max_page_count = {}", PAGES.load(Ordering::Relaxed));
    let (jobs, queue) = queue(8, 8, Patience::USUAL);
    let read = AnyPoolOptions::new().connect(&location.url.0).await.expect("connects");
    let node = Node::default();
    let secret = Secret::of(&mut place.raw().await).await.expect("reads");
    let link = Link::with(location, limit);
    let writer = Writer::new(link, Clock::start(), queue, Arc::clone(&node), secret.clone());
    tokio::spawn(writer.run());
    let tallies = Tallies::new(Clock::start());
    let store = Store { read, dialect: Dialect::Sqlite, jobs, node, secret, tallies };
    let unit = |n| every_fact(call(n)).into_iter().map(Change::Fact).collect();
    let mut stored = 1;
    while store.commit(unit(stored)).await.is_ok() {
        stored += 1;
        assert!(stored < 1_000, "40 more pages hold no thousand calls");
    }
    PAGES.store(100_000, Ordering::Relaxed);
    store.commit(unit(stored)).await.expect("there is room again");
    let proof = store.verify_audit(|_, _| {}).await.expect("whole");
    assert_eq!(u128::from(proof.rows), (stored + 1) * 15);
}

async fn a_newer_database_is_left_alone(kind: Kind) {
    let place = Place::new(kind).await;
    place.store.close().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'from the future', true, zeroblob(48), 0)";
    place.raw().await.execute(sql(kind, newer)).await.expect("pretends");
    let error = Store::open(&place.url, Clock::start()).await.expect_err("newer");
    assert!(error.to_string().contains("newer Sayso"), "{error}");
}

#[tokio::test]
async fn what_is_no_database_is_said_so() {
    for url in ["mysql://host/db", "my-sql://me:secret@host/db", "sqlite::memory:", ":memory:", ""] {
        let result = Store::open(url, Clock::start()).await;
        assert!(matches!(result, Err(StoreError::Unsupported { .. })), "{url}: {result:?}");
        assert!(!format!("{result:?}").contains("secret"));
    }
    let error = Store::open("/nowhere/at/all.db", Clock::start()).await.expect_err("no folder");
    assert!(error.to_string().contains("/nowhere/at/all.db"), "{error}");
}

#[tokio::test]
async fn any_file_name_will_do() {
    let dir = TempDir::new().expect("a folder");
    for name in ["plain.db", "with space.db", "50%25 off?.db", "a:b#c.db"] {
        let path = dir.path().join(name);
        for url in [path.display().to_string(), format!("sqlite://{}", path.display())] {
            let store =
                Store::open(&url, Clock::start()).await.unwrap_or_else(|error| panic!("{url}: {error}"));
            store.commit(vec![note(0)]).await.expect("commits");
            store.close().await;
        }
        let opened = open(&path.display().to_string()).await;
        assert_eq!(opened.verify_audit(|_, _| {}).await.expect("whole").rows, 2, "{name}: one file");
        opened.close().await;
    }
    assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 4, "and no other");
}

/// Prints what group commit and verification cost here; asserts only that all is there.
#[allow(clippy::disallowed_methods)] // a measurement
async fn a_hundred_callers_at_once(kind: Kind) {
    let place = Place::new(kind).await;
    let (callers, rounds) = (100u128, 10u128);
    let start = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let store = place.store.clone();
            tokio::spawn(async move {
                for round in 0..rounds {
                    let id = call(caller * rounds + round);
                    let decided = Fact::Decided { call: id, at: at(2), basis: Basis::Agreed(at(1)) };
                    let facts = [arrived(id, 0), answered(id, 1, yes()), decided];
                    store.commit(facts.map(Change::Fact).into()).await.expect("commits");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("runs");
    }
    let (commits, took) = (callers * rounds, start.elapsed());
    println!("{:.0} commits/s of 3 facts, {took:?}", commits as f64 / took.as_secs_f64());
    let start = Instant::now();
    for n in 0..50 {
        place.store.commit(vec![note(n)]).await.expect("commits");
    }
    println!("{:?} for a commit alone", start.elapsed() / 50);
    let start = Instant::now();
    let mut told = (0, 0);
    let proof = place.store.verify_audit(|done, all| told = (done, all)).await.expect("whole");
    println!("{:.0} audit rows/s verified", proof.rows as f64 / start.elapsed().as_secs_f64());
    assert_eq!((u128::from(proof.rows), told), (commits * 3 + 50, (proof.rows, proof.rows)));
}
