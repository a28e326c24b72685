//! The main road with PostgreSQL below it, and what calls notice of a server that goes away: nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::audio::{RATE, channels, clips, find, read};
use crate::harness::metrics::get;
use crate::harness::phone::{Phone, SOON};
use crate::harness::postgres::Cluster;
use crate::harness::rtp::Stream;
use crate::harness::server::{HELD_BY_CALLS, Server, password, settings, text};
use crate::harness::{shared, until};

const ASK: &str = "recording = \"consent\"\nconsent = { attempts = 2, timeout = \"2s\" }";
const NUMBER: &str = "+4930100";
const CALLER: &str = "+4930555001";

/// A caller who agreed and an agent, in conversation.
struct Pair {
    caller: Phone,
    agent: Phone,
    said: Stream,
    answered: Stream,
}

impl Pair {
    fn connected(server: &Server) -> Self {
        let mut agent = Phone::new(server.udp, [127, 0, 0, 1], "ada");
        agent.register(&password("ada"), 3600);
        let mut caller = Phone::new(server.udp, [127, 0, 0, 1], CALLER);
        caller.call_answered(NUMBER);
        // A caller who sends nothing at all would be taken for dead.
        let silence = caller.talk(Arc::new(vec![0; RATE]));
        server.phase("asking");
        caller.press_info('1');
        agent.rung_within(SOON);
        agent.pick_up();
        server.phase("talking");
        drop(silence);
        let said = caller.talk(Arc::new(read(&clips().caller)));
        let answered = agent.talk(Arc::new(read(&clips().agent)));
        Self { caller, agent, said, answered }
    }

    /// Waits until the caller has said so many seconds more.
    fn talk(&self, seconds: usize) {
        let said = || self.said.log(|log| log.said.len());
        let enough = said() + seconds * RATE;
        until(Duration::from_secs(2 * seconds as u64 + 5), "talk", || (said() >= enough).then_some(()));
    }

    /// The caller hangs up; what each said.
    fn part(mut self) -> [Vec<i16>; 2] {
        let (said, answered) = (self.said.finish(), self.answered.finish());
        self.caller.bye();
        self.agent.take("BYE", SOON);
        [said.said, answered.said]
    }
}

/// A server on a database of the cluster.
fn on(url: &str) -> Server {
    Server::start_with(&settings(ASK, &["ada"]), &format!("[database]\nurl = {url:?}\n"))
}

/// The share of windows that may slip on a busy machine: how exactly time is kept is judged elsewhere.
const SLIPS: f64 = 0.3;

/// The recording holds what both said, and all that is listed says so.
fn assert_stored(server: &Server, said: &[Vec<i16>; 2], windows: usize) {
    let recording = server.sealed_recording();
    let wav = channels(&server.export(recording["id"].as_str().expect("an id")));
    for (channel, words, what) in [(0, &said[0], "caller"), (1, &said[1], "agent")] {
        find(&wav[channel][RATE / 50..], words).assert(what, windows, 0.99, SLIPS);
    }
    let [consent] = server.rows(&["consents", "list"]).try_into().expect("one consent");
    assert_eq!((&consent["answer"], &consent["agreed"]), (&"yes".into(), &true.into()), "{consent}");
    let ended = || {
        let [call] = server.rows(&["calls", "list"]).try_into().expect("one call");
        let call: Value = call;
        (!call["ended_at"].is_null()).then_some(call)
    };
    let call = until(SOON, "the call's end", ended);
    assert_eq!((&call["basis"], &call["agent"]), (&"agreed".into(), &"ada".into()), "{call}");
    assert_eq!(call["from"], CALLER, "{call}");
    server.audit_is_whole();
    server.empty(&HELD_BY_CALLS[..3], SOON);
}

fn actions(server: &Server) -> Vec<String> {
    let rows = server.rows(&["audit", "list"]);
    rows.iter().map(|row| row["action"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_main_road_on_postgresql() {
    let _machine = shared();
    let cluster = Cluster::shared();
    let mut server = on(&cluster.database());
    let pair = Pair::connected(&server);
    pair.talk(5);
    let said = pair.part();
    assert_stored(&server, &said, 4);
    let before = actions(&server);
    let once = ["call.arrived", "consent.given", "recording.started", "recording.finished", "call.ended"];
    for action in once {
        assert_eq!(before.iter().filter(|done| *done == action).count(), 1, "{action}: {before:?}");
    }
    assert!(!server.dir.path().join("data/sayso.db").exists(), "all of it is in PostgreSQL");
    // Settings applied by another process are seen.
    server.apply(&settings(ASK, &["ada", "bob"]));
    let mut bob = Phone::new(server.udp, [127, 0, 0, 1], "bob");
    let seen = || server.whole_log().contains("settings changed").then_some(());
    until(SOON, "the server to see what was applied", seen);
    bob.register(&password("bob"), 60);
    // And all of it is there after a kill.
    let listings = [["calls", "list"], ["recordings", "list"], ["consents", "list"]];
    let rows = listings.map(|words| server.rows(&words));
    server.kill();
    server.start_again();
    assert_eq!(listings.map(|words| server.rows(&words)), rows);
    server.audit_is_whole();
}

#[test]
fn postgresql_is_restarted_in_mid_call() {
    let _machine = shared();
    let cluster = Cluster::start(&[]);
    let server = on(&cluster.database());
    let pair = Pair::connected(&server);
    pair.talk(2);
    cluster.down("immediate");
    pair.talk(2);
    let away = || get(server.http, "/readyz").filter(|(status, _)| *status == 503);
    until(Duration::from_secs(10), "/readyz to say that the store is away", away);
    cluster.up();
    let begun = Instant::now();
    let back = || get(server.http, "/readyz").filter(|(status, _)| *status == 200);
    until(Duration::from_secs(10), "/readyz to say that it is back", back);
    println!("ready {:?} after PostgreSQL was back", begun.elapsed());
    pair.talk(2);
    let said = pair.part();
    assert_stored(&server, &said, 5);
    // The last facts come while the database is away: they are stored when it is back.
    let pair = Pair::connected(&server);
    pair.talk(1);
    cluster.down("fast");
    pair.part();
    server.empty(&["sayso_media_legs"], SOON);
    cluster.up();
    let ended = || {
        let rows = server.rows(&["calls", "list"]);
        (rows.len() == 2 && rows.iter().all(|call| !call["ended_at"].is_null())).then_some(())
    };
    until(Duration::from_secs(15), "the second call's end to be stored", ended);
    let sealed = || {
        let rows = server.rows(&["recordings", "list"]);
        (rows.len() == 2 && rows.iter().all(|row| row["state"] == "stored")).then_some(())
    };
    until(Duration::from_secs(15), "the second recording's row to be finished", sealed);
    let count = |action: &str| actions(&server).iter().filter(|done| *done == action).count();
    assert_eq!((count("call.ended"), count("recording.finished")), (2, 2), "each once");
    server.audit_is_whole();
}

#[test]
fn config_check_judges_the_databases_url() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("sayso.toml");
    let check = |url: &str| {
        std::fs::write(&file, format!("[database]\nurl = {url:?}\n")).expect("writable");
        let words = ["config", "check", "--config"];
        let output =
            std::process::Command::new(crate::harness::server::SAYSO).args(words).arg(&file).output();
        let output = output.expect("sayso runs");
        (output.status.success(), text(&output))
    };
    assert!(check("postgres://sayso@db.example/sayso?sslmode=verify-full").0);
    assert!(check("sqlite:var/sayso.db").0);
    for (url, says) in [
        ("postgres://sayso:secret@db.example", "names no database"),
        ("postgres://sayso:secret@db.example/sayso?passwd=secret", "`passwd` is no parameter"),
        ("postgres://sayso:secret@db.example/sayso?sslmode=on", "ssl"),
        ("mysql://sayso:secret@db.example/sayso", "no database Sayso can use"),
    ] {
        let (well, said) = check(url);
        assert!(!well && said.contains(says) && said.contains("[database] url"), "{url}: {said}");
        assert!(!said.contains("secret"), "{said}");
    }
}
