//! Many calls: none fails, no packet is lost, and afterwards nothing is held.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::harness::phone::{SOON, register_for};
use crate::harness::server::{HELD_BY_CALLS, Server, settings};
use crate::harness::sipp::{Calls, Sipp};
use crate::harness::{alone, until};

const NUMBER: &str = "+4930100";

/// Transactions and dialogs are held for up to 32 s after their end (64*T1), so tables are empty after that.
const QUIET: Duration = Duration::from_secs(45);

#[test]
fn a_hundred_calls_a_second_for_twenty_seconds() {
    let server = Server::start(&settings("recording = \"never\"", &[]));
    let round = |seconds: u32| {
        let machine = alone();
        let calls = Calls { total: 100 * seconds, rate: 100, at_once: 400, hold: Duration::from_millis(100) };
        let done = Sipp::call("setup.xml", server.udp, NUMBER, calls).succeeded(Duration::from_secs(60));
        assert_eq!(done, 100 * seconds);
        drop(machine); // others may go on while timers run out
        server.empty(HELD_BY_CALLS, QUIET);
        server.rss_kb()
    };
    let after_many = round(20);
    let after_more = round(5);
    eprintln!("resident memory: {after_many} kB after 2000 calls, {after_more} kB after 500 more");
    assert!(
        after_more <= after_many + after_many / 20 + 2048,
        "memory grew from {after_many} to {after_more} kB"
    );
    assert!(!server.rows(&["calls", "list"]).is_empty());
    server.audit_is_whole();
}

#[test]
fn a_hundred_calls_held_with_sipp() {
    let machine = alone();
    let names: Vec<String> = (0..100).map(|n| format!("agent{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let server = Server::start(&settings("recording = \"never\"", &names));
    let at = Sipp::address();
    for name in &names {
        register_for(server.udp, at, name);
    }
    let _agents = Sipp::answer("agent.xml", at);
    let calls = Calls { total: 100, rate: 25, at_once: 100, hold: Duration::from_secs(30) };
    let callers = Sipp::call("hold.xml", server.udp, NUMBER, calls);
    until(Duration::from_secs(25), "100 conversations", || {
        let talking =
            server.metrics().named("sayso_calls").find(|s| s.labels.contains("talking")).map(|s| s.value);
        (talking == Some(100.0)).then_some(())
    });
    assert_eq!(callers.succeeded(Duration::from_secs(60)), 100);
    let metrics = server.metrics();
    assert_eq!(metrics.sum("sayso_media_lost_total"), Some(0.0));
    let packets = metrics.sum("sayso_media_packets_in_total").unwrap_or(0.0);
    // Callers talk from the answer on, agents (the echo) once Welcome is over and they have picked up.
    let expected = 100.0 * 50.0 * (29.0 + 25.0);
    assert!(packets > expected, "{packets} packets came in, over {expected} expected");
    drop(machine);
    server.empty(HELD_BY_CALLS, QUIET);
}

/// The same with a count of every packet at both ends, and recording.
#[test]
fn a_hundred_recorded_calls_lose_no_packet() {
    let machine = alone();
    let load = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sayso-load"));
        command.args(words).stdin(Stdio::null()).output().expect("sayso-load runs")
    };
    let text = load(&["settings", "--agents", "100"]).stdout;
    let server = Server::start(&String::from_utf8(text).expect("UTF-8"));
    let (udp, pid) = (server.udp.to_string(), server.pid().to_string());
    let words = ["ivr-record", "--server", &udp, "--pid", &pid, "--calls", "100", "--hold", "30", "--json"];
    let output = load(&words);
    let said = crate::harness::server::text(&output);
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    assert_eq!(report["failed"], 0, "{report}");
    assert_eq!(report["packets"]["lost"], 0, "{report}");
    // The last ones are sealed while the callers are already gone.
    until(SOON, "100 sealed recordings", || {
        let rows = server.rows(&["recordings", "list"]);
        assert_eq!(rows.len(), 100);
        rows.iter().all(|row| row["state"] == "stored").then_some(())
    });
    drop(machine);
    server.empty(HELD_BY_CALLS, QUIET);
}
