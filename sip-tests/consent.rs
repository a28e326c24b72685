//! The main job: who agrees is recorded as both sides heard it; who does not is connected all the same
//! and leaves no sample behind.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::api::Session;
use crate::harness::audio::{RATE, channels, clips, find, read, rms};
use crate::harness::baresip::{Baresip, Login};
use crate::harness::capture::Capture;
use crate::harness::phone::{Phone, SOON, register_for};
use crate::harness::server::{HELD_BY_CALLS, Server, password, settings};
use crate::harness::sipp::Sipp;
use crate::harness::{shared, until};

const ASK: &str = "recording = \"consent\"\nconsent = { attempts = 2, timeout = \"2s\" }";
/// The question takes a while: once is enough where nobody answers it.
const ASK_ONCE: &str = "recording = \"consent\"\nconsent = { attempts = 1, timeout = \"2s\" }";
const NUMBER: &str = "+4930100";
const CALLER: &str = "+4930555001";

/// The audio of one channel of a sealed recording must be what was said: no jitter buffer stands between.
const SAME: f64 = 0.99;
/// What a baresip plays has gone through its jitter buffer, which may cut or stretch in a few windows.
const SLIPS: f64 = 0.1;

/// What domain rule 3 wants stored about an answer.
fn assert_consent(server: &Server, agreed: bool, answer: &str, key: Option<&str>, channel: Option<&str>) {
    let rows = server.rows(&["consents", "list"]);
    let [row] = rows.as_slice() else { panic!("one consent row: {rows:?}") };
    assert_eq!(row["agreed"], agreed, "{row}");
    assert_eq!(row["answer"], answer, "{row}");
    assert_eq!(row["digit"].as_str(), key, "{row}");
    assert_eq!(row["channel"].as_str(), channel, "{row}");
    assert_eq!(row["language"], "en", "{row}");
    assert_eq!(row["queue"], "support", "{row}");
    let sha256 = row["question_sha256"].as_str().unwrap_or_default();
    assert!(sha256.len() == 64 && sha256.chars().all(|c| c.is_ascii_hexdigit()), "{row}");
    let calls = server.rows(&["calls", "list"]);
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!(row["call"], calls[0]["id"], "{row}");
}

/// Lets time pass in a call.
fn talk_for(span: Duration) {
    let end = Instant::now() + span;
    until(span * 2, "the talk", || (Instant::now() >= end).then_some(()));
}

fn clip(path: &std::path::Path) -> Arc<Vec<i16>> {
    Arc::new(read(path))
}

/// Checks a recording of the caller's and the agent's words: its two channels and its row.
fn assert_recorded(server: &Server, caller: &[i16], agent: &[i16], windows: usize) -> Value {
    let row = server.sealed_recording();
    let wav = channels(&server.export(row["id"].as_str().expect("an id")));
    let [left, right] = wav.as_slice() else { panic!("a stereo file: {} channels", wav.len()) };
    assert_eq!(left.len(), right.len(), "channels of one length");
    assert_eq!(row["samples"].as_u64(), Some(left.len() as u64), "{row}");
    // Capture begins between two packets: the first 20 ms may be half silence.
    let begun = RATE / 50;
    find(&left[begun..], caller).assert("channel 0 is the caller", windows, SAME, 0.0);
    find(&right[begun..], agent).assert("channel 1 is the agent", windows, SAME, 0.0);
    server.audit_is_whole();
    // What must be absent where nobody agreed is there where somebody did.
    assert!(server.captured() > 0.0, "the vault counts what it takes in");
    assert!(!server.vault_files().is_empty(), "the vault holds the recording");
    row
}

#[test]
fn yes_by_rfc4733_is_recorded_as_both_heard_it() {
    let _machine = shared();
    let server = Server::start(&settings(ASK, &["ada"]));
    let at = Baresip::address();
    register_for(server.udp, at, "ada");
    let mut agent = Baresip::start("ada", at, &clips().agent, &Login::None);
    let mut caller = Baresip::start(CALLER, Baresip::address(), &clips().caller, &Login::None);
    caller.dial(&format!("sip:{NUMBER}@{}", server.udp));
    caller.expect("CALL_ESTABLISHED", SOON);
    server.phase("asking");
    caller.press('1');
    agent.expect("CALL_ESTABLISHED", Duration::from_secs(10));
    talk_for(Duration::from_secs(12));
    caller.hang_up();
    agent.expect("CALL_CLOSED", SOON);
    let (caller, agent) = (caller.quit(), agent.quit());
    find(&agent.heard, &caller.said).assert("the agent heard the caller", 12, SAME, SLIPS);
    find(&agent.said, &caller.heard).assert("the caller heard the agent", 12, SAME, SLIPS);
    assert_recorded(&server, &caller.said, &agent.said, 12);
    assert_consent(&server, true, "yes", Some("1"), Some("rfc4733"));
    server.empty(&HELD_BY_CALLS[..3], SOON);
}

#[test]
fn yes_over_tcp_to_an_agent_that_echoes() {
    let _machine = shared();
    let server = Server::start(&settings(ASK, &["bob"]));
    let at = Sipp::address();
    register_for(server.udp, at, "bob");
    let _agent = Sipp::answer("agent.xml", at);
    let mut caller = Baresip::start(CALLER, Baresip::address(), &clips().caller, &Login::Tcp);
    caller.dial(&format!("sip:{NUMBER}@{}", server.tcp));
    caller.expect("CALL_ESTABLISHED", SOON);
    server.phase("asking");
    caller.press('1');
    server.phase("talking");
    talk_for(Duration::from_secs(9));
    caller.hang_up();
    let caller = caller.quit();
    // What sipp hears it says: the caller's own words come back, and stand in both channels.
    assert_recorded(&server, &caller.said, &caller.said, 8);
    let row = server.sealed_recording();
    let wav = channels(&server.export(row["id"].as_str().expect("an id")));
    find(&wav[1], &caller.heard).assert("the caller heard the echo", 8, SAME, SLIPS);
    assert_consent(&server, true, "yes", Some("1"), Some("rfc4733"));
}

/// A caller and an agent that are scripted, brought together after the caller did `answer`.
struct Pair {
    caller: Phone,
    agent: Phone,
}

impl Pair {
    fn connected(server: &Server, answer: impl FnOnce(&Server, &mut Phone)) -> Self {
        let mut agent = Phone::new(server.udp, [127, 0, 0, 1], "ada");
        agent.register(&password("ada"), 3600);
        let mut caller = Phone::new(server.udp, [127, 0, 0, 1], CALLER);
        caller.call_answered(NUMBER);
        // A caller who sends nothing at all would be taken for dead.
        let _breath = caller.talk(Arc::new(Vec::new()));
        server.phase("asking");
        answer(server, &mut caller);
        agent.rung_within(Duration::from_secs(40));
        agent.reply(180, "Ringing");
        agent.pick_up();
        server.phase("talking");
        Self { caller, agent }
    }
}

#[test]
fn yes_by_info_is_recorded() {
    let _machine = shared();
    let server = Server::start(&settings(ASK, &["ada"]));
    let mut pair = Pair::connected(&server, |_, caller| caller.press_info('1'));
    let said = pair.caller.talk(clip(&clips().caller));
    let answered = pair.agent.talk(clip(&clips().agent));
    talk_for(Duration::from_secs(8));
    let (caller, agent) = (said.finish(), answered.finish());
    pair.caller.bye();
    pair.agent.take("BYE", SOON);
    find(&agent.heard, &caller.said).assert("the agent heard the caller", 8, SAME, 0.0);
    find(&agent.said, &caller.heard).assert("the caller heard the agent", 8, SAME, 0.0);
    assert_recorded(&server, &caller.said, &agent.said, 8);
    assert_consent(&server, true, "yes", Some("1"), Some("info"));
}

/// Connects a caller who did not agree: they talk as others do, and nothing is captured.
fn refused(
    script: &str,
    answer: &str,
    key: Option<&str>,
    channel: Option<&str>,
    act: impl FnOnce(&Server, &mut Phone),
) {
    let _machine = shared();
    let server = Server::start(&settings(script, &["ada"]));
    let mut pair = Pair::connected(&server, act);
    let said = pair.caller.talk(clip(&clips().caller));
    let answered = pair.agent.talk(clip(&clips().agent));
    talk_for(Duration::from_secs(4));
    let (caller, agent) = (said.finish(), answered.finish());
    pair.caller.bye();
    pair.agent.take("BYE", SOON);
    find(&agent.heard, &caller.said).assert("the agent heard the caller", 3, SAME, 0.0);
    find(&agent.said, &caller.heard).assert("the caller heard the agent", 3, SAME, 0.0);
    server.empty(&HELD_BY_CALLS[..3], SOON);
    assert_consent(&server, false, answer, key, channel);
    server.nothing_captured();
    server.audit_is_whole();
}

#[test]
fn no_leaves_nothing() {
    refused(ASK, "no", Some("2"), Some("info"), |_, caller| caller.press_info('2'));
}

#[test]
fn silence_means_no() {
    refused(ASK_ONCE, "silence", None, None, |_, _| {});
}

#[test]
fn wrong_keys_mean_no() {
    refused(ASK, "wrong-keys", Some("7"), Some("info"), |server, caller| {
        caller.press_info('5');
        // The second attempt begins when the question is asked again; a key barges in whenever it comes.
        until(SOON, "the second question", || {
            caller.press_info('7');
            (!server.rows(&["consents", "list"]).is_empty()).then_some(())
        });
    });
}

#[test]
fn hanging_up_on_the_question_means_no() {
    let _machine = shared();
    let server = Server::start(&settings(ASK, &["ada"]));
    let mut agent = Phone::new(server.udp, [127, 0, 0, 1], "ada");
    agent.register(&password("ada"), 3600);
    let mut caller = Phone::new(server.udp, [127, 0, 0, 1], CALLER);
    caller.call_answered(NUMBER);
    let line = caller.talk(clip(&clips().caller));
    server.phase("asking");
    caller.bye();
    drop(line);
    server.empty(&HELD_BY_CALLS[..3], SOON);
    assert_consent(&server, false, "hung-up", None, None);
    server.nothing_captured();
    server.audit_is_whole();
}

#[test]
fn the_wire_shows_a_talk_and_the_vault_nothing() {
    let _machine = shared();
    let server = Server::start(&settings(ASK, &["ada"]));
    let at = Baresip::address();
    register_for(server.udp, at, "ada");
    let mut agent = Baresip::start("ada", at, &clips().agent, &Login::None);
    let mut caller = Baresip::start(CALLER, Baresip::address(), &clips().caller, &Login::None);
    let (first, last) = server.media_ports;
    let capture = Capture::start(first, last);
    caller.dial(&format!("sip:{NUMBER}@{}", server.udp));
    caller.expect("CALL_ESTABLISHED", SOON);
    server.phase("asking");
    caller.press('2');
    agent.expect("CALL_ESTABLISHED", Duration::from_secs(10));
    talk_for(Duration::from_secs(6));
    let counted = server.captured();
    caller.hang_up();
    let packets = capture.stop(101);
    let ours = |port: u16| (first..=last).contains(&port);
    let (inward, outward): (Vec<_>, Vec<_>) = packets.iter().partition(|p| ours(p.to) && !ours(p.from));
    let audio =
        |packets: &[&crate::harness::capture::Packet]| packets.iter().filter(|p| p.payload_type == 8).count();
    // Two legs, 50 packets a second each way, for 6 s and more.
    assert!(
        audio(&inward) >= 600 && audio(&outward) >= 600,
        "{} in, {} out",
        audio(&inward),
        audio(&outward)
    );
    let mut keys: Vec<_> = inward.iter().filter_map(|p| p.event.map(|(key, _)| (p.timestamp, key))).collect();
    keys.dedup();
    assert_eq!(keys.len(), 1, "one key was pressed: {keys:?}");
    assert_eq!(keys[0].1, 2);
    assert_eq!(counted, 0.0);
    let (caller, agent) = (caller.quit(), agent.quit());
    find(&agent.heard, &caller.said).assert("the agent heard the caller", 6, SAME, SLIPS);
    assert_consent(&server, false, "no", Some("2"), Some("rfc4733"));
    server.nothing_captured();
}

#[test]
fn hold_plays_music_and_records_silence() {
    let _machine = shared();
    let server = Server::start(&settings(ASK, &["ada"]));
    let mut pair = Pair::connected(&server, |_, caller| caller.press_info('1'));
    let caller = pair.caller.talk(clip(&clips().caller));
    let agent = pair.agent.talk(clip(&clips().agent));
    talk_for(Duration::from_secs(4));
    let held = pair.agent.reinvite("sendonly");
    assert_eq!(held.status(), Some(200), "hold");
    assert!(String::from_utf8_lossy(&held.body).contains("a=recvonly"), "we only receive now");
    let from = caller.log(|log| log.heard.len());
    talk_for(Duration::from_secs(3));
    let to = caller.log(|log| log.heard.len());
    let resumed = pair.agent.reinvite("sendrecv");
    assert_eq!(resumed.status(), Some(200), "resume");
    let back = caller.log(|log| log.heard.len());
    talk_for(Duration::from_secs(4));
    let (caller, agent) = (caller.finish(), agent.finish());
    pair.agent.bye();
    pair.caller.take("BYE", SOON);
    // 20 ms at either end of the hold are of both worlds.
    let music = &caller.heard[from + 800..to - 160];
    assert!(rms(music) > 50.0, "music to the caller, RMS {}", rms(music));
    let spoken = find(music, &agent.said);
    assert!(spoken.windows.iter().all(|w| w.score < 0.9), "not the agent's words: {spoken:?}");
    find(&caller.heard[back + 1600..], &agent.said).assert("after the hold", 5, SAME, 0.0);
    let row = server.sealed_recording();
    let wav = channels(&server.export(row["id"].as_str().expect("an id")));
    assert_eq!(wav[0].len(), wav[1].len());
    let hold = 5 * RATE..6 * RATE; // within the hold, which lasts from 4 s to 7 s
    assert!(wav.iter().all(|channel| rms(&channel[hold.clone()]) < 20.0), "silence while on hold");
}

/// A call between the caller, who presses this, and Ada; its id, and Ada at the API.
fn asked_of(server: &Server, key: char) -> (Pair, Session, String) {
    let pair = Pair::connected(server, |_, caller| caller.press_info(key));
    let ada = Session::open(server.http, "ada", &password("ada"));
    let call = ada.call("the talk", |call| call["phase"] == "talking");
    let id = call["id"].as_str().expect("an id").to_owned();
    (pair, ada, id)
}

/// Rows of an action, once there are some.
fn told(server: &Server, action: &str) -> Vec<Value> {
    until(SOON, action, || {
        let rows = server.rows(&["audit", "list", "--action", action]);
        (!rows.is_empty()).then_some(rows)
    })
}

const USERS: &str = "[user.ada]\nrole = \"agent\"\nagent = \"ada\"\npassword = \"secret-of-ada\"\nmust-change = false\n\
    [user.dora]\nrole = \"reporting\"\ngrants = [\"customer-consent\"]\npassword = \"secret-of-dora\"\n\
    must-change = false\n";

#[test]
fn an_override_that_the_queue_forbids_is_refused_and_told() {
    let _machine = shared();
    let forbids = format!("{ASK}\noverride-allowed = false");
    let server = Server::start(&(settings(&forbids, &["ada"]) + USERS));
    let (mut pair, ada, id) = asked_of(&server, '2');
    let _voices = [pair.caller.talk(clip(&clips().caller)), pair.agent.talk(clip(&clips().agent))];
    let reason = json!({ "category": "legal", "reason": "it seemed right" });
    let why = ada.refused("POST", &format!("/calls/{id}/recording/override"), Some(reason), 409);
    assert!(why.contains("allow no override"), "{why}");
    let rows = told(&server, "consent.override-refused");
    let [row] = rows.as_slice() else { panic!("once: {rows:?}") };
    assert_eq!((&row["class"], &row["who"]), (&"failure".into(), &"agent ada".into()), "{row}");
    assert_eq!((&row["what"], &row["new"]), (&format!("call {id}").into(), &Value::Null), "{row}");
    pair.agent.bye();
    pair.caller.take("BYE", SOON);
    server.nothing_captured();
    server.audit_is_whole();
}

#[test]
fn a_consent_that_is_taken_back_by_a_word_to_us_ends_the_recording_of_the_call_that_goes_on() {
    let _machine = shared();
    let server = Server::start(&(settings(ASK, &["ada"]) + USERS));
    let (mut pair, ada, id) = asked_of(&server, '1');
    let _voices = [pair.caller.talk(clip(&clips().caller)), pair.agent.talk(clip(&clips().agent))];
    ada.call("the recording", |call| call["recording"]["state"] == "recording");
    let dora = Session::open(server.http, "dora", &password("dora"));
    let asked = json!({ "number": CALLER, "reason": "by letter" });
    let (status, answer) = dora.ask("POST", "/consents/withdraw", Some(asked));
    assert_eq!(status, 200, "{answer}");
    // The page's word and the node's own look may both bring it.
    for row in told(&server, "consent.revoked") {
        assert_eq!((&row["class"], &row["who"]), (&"modify".into(), &"user dora".into()), "{row}");
        assert_eq!((&row["what"], &row["new"]), (&format!("call {id}").into(), &Value::Null), "{row}");
    }
    let rows = told(&server, "consent.withdrawn");
    assert!(rows.iter().any(|row| row["what"] == format!("call {id}.consent")), "{rows:?}");
    pair.agent.bye();
    pair.caller.take("BYE", SOON);
    server.audit_is_whole();
}
