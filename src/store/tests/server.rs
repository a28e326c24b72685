//! What only a database server does: it goes away, answers no more, refuses, and serves several nodes.
#![allow(clippy::disallowed_methods)] // deadlines of real time

use std::time::{Duration, Instant};

use sqlx::Row as _;

use super::*;
use crate::audit::{AuditEvent, Class, Object};
use crate::settings::{DiffOptions, diff, parse};

fn note(n: usize) -> Vec<Change> {
    let what = Object::new("test", n);
    vec![Change::Audit(AuditEvent::new(Class::System, Actor::System, at(0), "test.note", what))]
}

fn facts(n: u128) -> Vec<Change> {
    every_fact(call(n)).into_iter().map(Change::Fact).collect()
}

async fn rows(store: &Store) -> u64 {
    store.verify_audit(|_, _| {}).await.expect("whole").rows
}

/// Asks a database until it says `wanted`.
async fn until(cluster: &Cluster, statement: &str, wanted: &str) {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let said = cluster.sql("postgres", statement);
        if said == wanted {
            return;
        }
        assert!(Instant::now() < end, "{statement}: {said}");
        tokio::time::sleep(Duration::from_millis(10)).await; // between two looks
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_server_loses_nothing_and_does_nothing_twice() {
    let cluster = Cluster::start(&[]);
    let store = open(&cluster.database()).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let (count, mut counted) = tokio::sync::watch::channel(0_u64);
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (store, stopped, count) = (store.clone(), stopped.clone(), count.clone());
            tokio::spawn(async move {
                let (mut written, mut longest) = (0, Duration::ZERO);
                while !*stopped.borrow() {
                    let begun = Instant::now();
                    store.commit(facts(writer * 1_000_000 + written)).await.expect("commits, perhaps late");
                    longest = longest.max(begun.elapsed());
                    written += 1;
                    count.send_modify(|count| *count += 1);
                }
                (written, longest)
            })
        })
        .collect();
    for mode in ["fast", "immediate"] {
        let some = *counted.borrow() + 8;
        counted.wait_for(|count| *count >= some).await.expect("they write");
        let begun = Instant::now();
        tokio::task::block_in_place(|| {
            cluster.down(mode);
            cluster.up();
        });
        println!("{mode}: the server was away for {:?}", begun.elapsed());
        store.commit(note(0)).await.expect("goes on");
        println!("{mode}: and a unit of work was stored after {:?}", begun.elapsed());
    }
    stop.send(true).expect("they listen");
    let mut written = 0;
    for writer in writers {
        let (units, longest) = writer.await.expect("no unit failed");
        println!("{units} units, the longest took {longest:?}");
        written += units;
    }
    assert_eq!(u128::from(rows(&store).await), written * 15 + 2, "each once");
    let filter = Filter { limit: u32::MAX, ..Filter::default() };
    assert_eq!(store.calls(&filter).await.expect("reads").len() as u128, written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_server_that_stays_away_is_told_and_it_comes_back_by_itself() {
    let cluster = Cluster::start(&[]);
    let store = open(&cluster.database()).await;
    store.commit(note(0)).await.expect("commits");
    tokio::task::block_in_place(|| cluster.down("fast"));
    let begun = Instant::now();
    let error = store.commit(note(1)).await.expect_err("nobody there");
    let first = begun.elapsed();
    assert!((4..8).contains(&first.as_secs()), "told after {first:?}");
    assert!(error.to_string().starts_with("connecting"), "{error}");
    let begun = Instant::now();
    let waiting: Vec<_> = (0..200)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.commit(note(n)).await })
        })
        .collect();
    for unit in waiting {
        assert!(unit.await.expect("runs").is_err());
    }
    let more = begun.elapsed();
    assert!(more < Duration::from_secs(2), "told at once, not after {more:?}");
    let reading = Instant::now();
    assert!(store.known_consent(&caller()).await.is_err());
    assert!(reading.elapsed() < Duration::from_secs(4), "a call goes on: {:?}", reading.elapsed());
    tokio::task::block_in_place(|| cluster.up());
    let begun = Instant::now();
    while store.commit(note(2)).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(5), "back by itself");
        tokio::time::sleep(Duration::from_millis(50)).await; // as one tries again
    }
    println!("told after {first:?}, 200 more after {more:?}, back after {:?}", begun.elapsed());
    assert_eq!(rows(&store).await, 2);
}

/// The server commits, but the answer is lost: whoever is told that it failed would store it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_was_lost_is_not_done_twice() {
    let cluster = Cluster::start(&[]);
    let store = open(&cluster.database()).await;
    store.commit(facts(0)).await.expect("commits");
    // COMMIT waits for a standby that does not exist, after it has committed.
    let waits = |name: &str| {
        cluster.sql("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"));
        cluster.sql("postgres", "SELECT pg_reload_conf()");
    };
    waits("nobody");
    until(&cluster, "SHOW synchronous_standby_names", "nobody").await;
    let unit = tokio::spawn({
        let store = store.clone();
        async move { store.commit(facts(1)).await }
    });
    until(&cluster, "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", "1").await;
    cluster.sql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
    );
    waits("");
    unit.await.expect("runs").expect("it was stored, and is told so");
    assert_eq!(rows(&store).await, 30, "once");
    store.commit(facts(2)).await.expect("goes on");
    assert_eq!(rows(&store).await, 45);
}

/// The connection is lost within COMMIT, before it is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_was_cut_off_is_done_again() {
    let cluster = Cluster::start(&[]);
    let url = cluster.database();
    let store = open(&url).await;
    store.commit(facts(0)).await.expect("commits");
    let name = url.split(['/', '?']).find(|part| part.starts_with("test")).expect("its name").to_owned();
    cluster.sql(&name, "CREATE TABLE slowly (n INT)");
    cluster.sql(&name, "INSERT INTO slowly VALUES (1)");
    cluster.sql(
        &name,
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM pg_sleep(60) FROM slowly; RETURN NULL; END $$",
    );
    cluster.sql(
        &name,
        "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON calls DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    let unit = tokio::spawn({
        let store = store.clone();
        async move { store.commit(facts(1)).await }
    });
    until(&cluster, "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", "1").await;
    cluster.sql(&name, "DELETE FROM slowly");
    cluster.sql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
    );
    unit.await.expect("runs").expect("stored in the end");
    assert_eq!(rows(&store).await, 30, "once");
}

/// What was in doubt is applied again, and the database takes one of its units no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_was_in_doubt_only_the_unit_that_is_refused_fails() {
    let cluster = Cluster::start(&[]);
    let url = cluster.database();
    let store = open(&url).await;
    let name = url.split(['/', '?']).find(|part| part.starts_with("test")).expect("its name").to_owned();
    for statement in [
        "CREATE TABLE slowly (n INT)",
        "CREATE TABLE refused (id TEXT)",
        "INSERT INTO slowly VALUES (1)",
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM pg_sleep(60) FROM slowly; RETURN NULL; END $$",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN IF EXISTS (SELECT 1 FROM refused r WHERE r.id = NEW.id) THEN RAISE EXCEPTION 'no'; END IF; \
         RETURN NEW; END $$",
        "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON calls DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION slow()",
        "CREATE TRIGGER refuse BEFORE INSERT ON calls FOR EACH ROW EXECUTE FUNCTION refuse()",
    ] {
        cluster.sql(&name, statement);
    }
    // While the writer waits for the end of the chain, others gather behind it: one transaction.
    let location = Location::of(&url).expect("right");
    let mut holds = AnyConnection::connect(&location.url.0).await.expect("connects");
    holds.execute("BEGIN").await.expect("begins");
    holds.execute("UPDATE audit_head SET seq = seq").await.expect("holds the end of the chain");
    let before = store.submit(note(0)).await;
    let waits = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    until(&cluster, waits, "1").await;
    let (one, other) = (store.submit(facts(1)).await, store.submit(facts(2)).await);
    holds.execute("COMMIT").await.expect("lets go");
    before.wait().await.expect("commits");
    until(&cluster, "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", "1").await;
    cluster.sql(&name, "DELETE FROM slowly");
    cluster.sql(&name, &format!("INSERT INTO refused VALUES ('{}')", call(2)));
    cluster.sql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
    );
    one.wait().await.expect("stored in the end");
    assert!(other.wait().await.is_err(), "the database takes it no more");
    assert_eq!(rows(&store).await, 16, "the note, and one call");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_hangs_does_not_stop_the_others() {
    let place = Place::new(Kind::Postgres).await;
    place.facts(every_fact(call(0))).await;
    let mut hangs = place.raw().await;
    hangs.execute("SET idle_in_transaction_session_timeout = '1s'").await.expect("set");
    hangs.execute("BEGIN").await.expect("begins");
    hangs.execute("UPDATE audit_head SET seq = seq").await.expect("holds the end of the chain");
    let begun = Instant::now();
    place.facts(every_fact(call(1))).await;
    assert!(begun.elapsed() > Duration::from_millis(500), "it was held up");
    assert_eq!(place.audit_rows().await, 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_that_change_one_setting_one_is_refused() {
    let place = Place::new(Kind::Postgres).await;
    let nodes = [place.store.clone(), place.again().await];
    let text = |span: &str| {
        format!("[queue.support]\nwrap-up = {span:?}\n[number.\"+4989100\"]\nqueue = \"support\"\n")
    };
    let change = |old: &crate::settings::Settings, span: &str| {
        let file = parse(&text(span), "x.toml", "sayso").expect("right");
        let changes = diff(old, &file, &DiffOptions { prune: false, seed: [7; 32] }).expect("right");
        vec![Change::Settings(changes, Actor::System)]
    };
    place.store.commit(change(&crate::settings::Settings::default(), "1s")).await.expect("applies");
    for round in 0..20 {
        let (generation, old) = place.store.settings().await.expect("reads");
        let tasks: Vec<_> = nodes
            .iter()
            .enumerate()
            .map(|(n, node)| {
                let (node, change) = (node.clone(), change(&old, &format!("{}s", 2 + round * 2 + n)));
                tokio::spawn(async move { node.commit(change).await })
            })
            .collect();
        let mut refused = 0;
        for task in tasks {
            match task.await.expect("runs") {
                Ok(()) => {}
                Err(StoreError::Conflict { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(refused, 1, "round {round}");
        assert_eq!(nodes[1].generation().await.expect("reads"), generation + 1);
    }
    place.audit_rows().await;
}

#[tokio::test]
async fn a_url_is_checked_and_its_password_is_in_no_message() {
    let right = [
        "postgres://sayso@db.example/sayso",
        "postgresql://sayso:secret%40@db.example:5433/sayso?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgres:///sayso?host=/run/postgresql",
        "postgres://db.example/?dbname=sayso&options[search_path]=sayso",
    ];
    for url in right {
        Store::check(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        assert!(!format!("{:?}", Location::of(url)).contains("secret"));
    }
    let wrong = [
        ("postgres://sayso:secret@db.example", "names no database"),
        ("postgres://sayso:secret@db.example/?port=1", "names no database"),
        ("postgres://sayso:secret@db.example/sayso?passwd=secret", "`passwd` is no parameter"),
        ("postgres://sayso:secret@db.example/sayso?sslmode=sometimes", "sometimes"),
        ("postgres://sayso:secret@db.example:many/sayso", "port"),
        ("postgres://sayso:se#secret@db.example/sayso", "port"),
        ("postgres://sayso:secret@db.example/sayso?port=99999", "number"),
        ("postgres://", "names no database"),
        ("mysql://sayso:secret@db.example/sayso", "\"mysql\""),
    ];
    for (url, says) in wrong {
        let error = Store::check(url).expect_err(url);
        let text = format!("{error} {error:?}");
        assert!(text.contains(says), "{url}: {text}");
        assert!(!text.contains("secret"), "{url}: {text}");
    }
}

#[tokio::test]
async fn a_server_is_reached_by_tls_with_a_password_that_nothing_tells() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let port = port.expect("a free port").port();
    let cluster = Cluster::start_at(port, &["listen_addresses = '127.0.0.1'"]);
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let certificate = cluster.put("server.crt", &pair.cert.pem());
    let key = cluster.put("server.key", &pair.signing_key.serialize_pem());
    cluster.put("data/pg_hba.conf", "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n");
    for (name, value) in [
        ("ssl_cert_file", certificate.display().to_string()),
        ("ssl_key_file", key.display().to_string()),
        ("ssl", "on".to_owned()),
    ] {
        cluster.sql("postgres", &format!("ALTER SYSTEM SET {name} = '{value}'"));
    }
    cluster.sql("postgres", "CREATE USER phone PASSWORD 'pa@ss/secret'");
    cluster.sql("postgres", "CREATE DATABASE sayso OWNER phone");
    cluster.sql("postgres", "SELECT pg_reload_conf()");
    let url = |password: &str, how: &str| format!("postgres://phone:{password}@localhost:{port}/sayso?{how}");
    let full = format!("sslmode=verify-full&sslrootcert={}", certificate.display());
    let store = open(&url("pa%40ss%2Fsecret", &full)).await;
    store.commit(facts(0)).await.expect("commits");
    assert_eq!(rows(&store).await, 15);
    let sealed = "SELECT COUNT(*) FROM pg_stat_ssl s JOIN pg_stat_activity a ON a.pid = s.pid \
                  WHERE s.ssl AND a.application_name = 'sayso' AND a.usename = 'phone'";
    let connections: u32 = cluster.sql("postgres", sealed).parse().expect("a number");
    assert!(connections >= 2, "the writer's and a reader's");
    let refused = [
        (url("wrong-secret", &full), "password authentication failed"),
        (url("pa%40ss%2Fsecret", "sslmode=disable"), "pg_hba.conf"),
        (url("pa%40ss%2Fsecret", "sslmode=verify-full"), "certificate"),
    ];
    for (url, says) in refused {
        let error = Store::open(&url, Clock::start()).await.expect_err(says);
        let text = format!("{error} {error:?}");
        assert!(text.contains(says) && !text.contains("secret"), "{says}: {text}");
    }
}

#[tokio::test]
async fn a_database_that_will_not_do_is_refused() {
    let cluster = Cluster::shared();
    let latin = "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0";
    cluster.sql("postgres", latin);
    let error = Store::open(&cluster.url("latin"), Clock::start()).await.expect_err("not UTF-8");
    assert!(error.to_string().contains("LATIN1"), "{error}");
    let error = Store::open(&cluster.url("nowhere"), Clock::start()).await.expect_err("not there");
    assert!(error.to_string().contains("\"nowhere\" does not exist"), "{error}");
}

#[tokio::test]
async fn both_kinds_have_the_same_tables_and_columns() {
    let mut columns = Vec::new();
    for (kind, select) in [
        (
            Kind::Sqlite,
            "SELECT m.name || '.' || p.name AS name FROM sqlite_master m, pragma_table_xinfo(m.name) p \
             WHERE m.type = 'table' AND m.name NOT LIKE '\\_sqlx%' ESCAPE '\\' \
             AND m.name <> 'sqlite_sequence' ORDER BY 1",
        ),
        (
            Kind::Postgres,
            "SELECT (table_name || '.' || column_name)::text COLLATE \"C\" AS name \
             FROM information_schema.columns WHERE table_schema = 'public' \
             AND table_name NOT LIKE '\\_sqlx%' ORDER BY 1",
        ),
    ] {
        let place = Place::new(kind).await;
        let rows = place.raw().await.fetch_all(select).await.expect("reads");
        columns.push(rows.iter().map(|row| row.get::<String, _>("name")).collect::<Vec<_>>());
    }
    assert!(columns[0].len() > 80, "{columns:?}");
    assert_eq!(columns[0], columns[1]);
}
