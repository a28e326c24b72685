//! Death and restart: kill -9 in mid-call loses at most 0.25 s, what is stored survives, SIGTERM drains, and who comes
//! too early finds the folder taken.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::harness::audio::{RATE, channels, clips, find, read};
use crate::harness::phone::{Phone, SOON};
use crate::harness::server::{HELD_BY_CALLS, SAYSO, Server, password, settings};
use crate::harness::{Process, shared, until};

const ALWAYS: &str = "recording = \"always\"\nlegal-basis = { obligation = \"MiFID II\" }";
const NUMBER: &str = "+4930100";

/// A caller and an agent in conversation.
fn connected(server: &Server) -> (Phone, Phone) {
    let mut agent = Phone::new(server.udp, [127, 0, 0, 1], "ada");
    agent.register(&password("ada"), 3600);
    let mut caller = Phone::new(server.udp, [127, 0, 0, 1], "+4930555002");
    caller.call_answered(NUMBER);
    agent.rung_within(Duration::from_secs(20));
    agent.pick_up();
    server.phase("talking");
    (caller, agent)
}

#[test]
fn kill_9_loses_a_quarter_of_a_second_at_most() {
    let _machine = shared();
    let mut server = Server::start(&settings(ALWAYS, &["ada"]));
    let (caller, agent) = connected(&server);
    let said = caller.talk(Arc::new(noise(1)));
    let answered = agent.talk(Arc::new(noise(2)));
    let enough = || said.log(|log| (log.said.len() > 6 * RATE).then_some(()));
    until(Duration::from_secs(10), "6 s of talk", enough);
    let until_death = said.log(|log| log.said.len());
    server.kill();
    let (said, answered) = (said.finish(), answered.finish());
    server.start_again();
    let row = server.sealed_recording();
    assert_eq!(row["salvaged"], true, "{row}");
    let wav = channels(&server.export(row["id"].as_str().expect("an id")));
    assert_eq!(wav[0].len(), wav[1].len(), "channels of one length");
    // Everything said from half a second after the talk began to a quarter before death must be there. The
    // windows end where the quarter begins.
    for (channel, words, what) in [(0, &said.said, "caller"), (1, &answered.said, "agent")] {
        let last = until_death - RATE / 4;
        let from = RATE / 2 + (last - RATE / 2) % (RATE / 2);
        find(&words[from..last], &wav[channel]).assert(what, 10, 0.99, 0.0);
    }
    let told = server.rows(&["audit", "list"]).iter().any(|row| row.to_string().contains("salvage"));
    assert!(told, "the audit log tells of the salvage");
    server.audit_is_whole();
}

#[test]
fn a_restart_keeps_what_is_stored() {
    let _machine = shared();
    let mut server = Server::start(&settings(ALWAYS, &["ada"]));
    let (mut caller, mut agent) = connected(&server);
    let line = caller.talk(Arc::new(read(&clips().caller)));
    let enough = || line.log(|log| (log.said.len() > 3 * RATE).then_some(()));
    until(Duration::from_secs(6), "3 s of talk", enough);
    caller.bye();
    agent.take("BYE", SOON);
    drop(line);
    let recording = server.sealed_recording();
    let id = recording["id"].as_str().expect("an id").to_owned();
    let before = channels(&server.export(&id));
    server.empty(&HELD_BY_CALLS[..3], SOON);
    let listings = [["calls", "list"], ["recordings", "list"], ["consents", "list"]];
    let rows = listings.map(|words| server.rows(&words));
    let audit = server.rows(&["audit", "list"]).len();
    server.terminate();
    assert_eq!(server.ended(Duration::from_secs(10)), Some(0), "SIGTERM without calls");
    server.start_again();
    assert_eq!(listings.map(|words| server.rows(&words)), rows);
    assert!(server.rows(&["audit", "list"]).len() >= audit);
    assert_eq!(channels(&server.export(&id)), before);
    server.audit_is_whole();
    // And it works on: the agent registers again, and the next call finds it.
    let (mut caller, mut agent) = connected(&server);
    caller.bye();
    agent.take("BYE", SOON);
}

#[test]
fn sigterm_lets_calls_end_and_takes_no_new_ones() {
    let _machine = shared();
    let mut server = Server::start(&settings("recording = \"never\"", &["ada"]));
    let (mut caller, mut agent) = connected(&server);
    let said = caller.talk(Arc::new(read(&clips().caller)));
    let heard = agent.talk(Arc::new(Vec::new()));
    server.terminate();
    let mut late = Phone::new(server.udp, [127, 0, 0, 1], "+4930555003");
    // The signal and the INVITE race; once a call is refused, the drain has begun.
    let end = Instant::now() + SOON;
    let refusal = loop {
        late.call(NUMBER);
        let answer = late.response("INVITE");
        if answer.status() != Some(200) {
            late.refused(&answer);
            break answer;
        }
        late.answered(&answer);
        late.bye();
        assert!(Instant::now() < end, "new calls are still taken");
    };
    assert_eq!(refusal.status(), Some(503));
    let (had, more) = (heard.log(|log| log.heard.len()), 2 * RATE);
    until(SOON, "the talk to go on", || heard.log(|log| (log.heard.len() > had + more).then_some(())));
    caller.bye();
    agent.take("BYE", SOON);
    drop((said, heard));
    assert_eq!(server.ended(Duration::from_secs(10)), Some(0), "it ends once the last call has");
}

/// Noise: unlike speech it has no pauses, so every moment of it can be missed.
fn noise(seed: u32) -> Vec<i16> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16 / 8
    };
    (0..20 * RATE).map(|_| next()).collect()
}

#[test]
fn a_second_server_on_the_same_folder_is_refused_and_harms_nothing() {
    let _machine = shared();
    let server = Server::start(&settings(ALWAYS, &["ada"]));
    let mut agent = Phone::new(server.udp, [127, 0, 0, 1], "ada");
    agent.register(&password("ada"), 3600);
    let mut caller = Phone::new(server.udp, [127, 0, 0, 1], "+4930555002");
    caller.call_answered(NUMBER);
    agent.rung_within(Duration::from_secs(20));
    let states = || -> Vec<serde_json::Value> {
        server.rows(&["recordings", "list"]).iter().map(|row| row["state"].clone()).collect()
    };
    let armed = || (states() == ["armed"]).then_some(());
    until(SOON, "a recording to be armed while the phone rings", armed);
    let log = server.dir.path().join("second.log");
    let mut command = Command::new(SAYSO);
    command.args(["serve", "--config"]).arg(server.config()).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(std::fs::File::create(&log).expect("writable"));
    let mut second = Process::start("sayso", &mut command);
    let code = second.wait(Duration::from_secs(20));
    let said = std::fs::read_to_string(&log).expect("readable");
    assert!(code.is_some_and(|code| code != 0), "{code:?}: {said}");
    assert!(said.contains(&format!("in use by process {}", server.pid())), "{said}");
    assert_eq!(states(), ["armed"], "nothing was salvaged");
    agent.pick_up();
    server.phase("talking");
    let line = caller.talk(Arc::new(read(&clips().caller)));
    until(Duration::from_secs(6), "2 s of talk", || {
        line.log(|log| (log.said.len() > 2 * RATE).then_some(()))
    });
    caller.bye();
    agent.take("BYE", SOON);
    drop(line);
    let row = server.sealed_recording();
    assert_eq!(row["salvaged"], false, "{row}");
    assert!(channels(&server.export(row["id"].as_str().expect("an id")))[0].len() > RATE);
    server.audit_is_whole();
}
