//! Agents in browsers, without a browser: SIP over WebSocket and WebRTC by script, commands over HTTP.

use std::time::{Duration, Instant};

use sayso::media::Codec;
use serde_json::json;

use crate::harness::api::Session;
use crate::harness::audio::{seconds_of, tone};
use crate::harness::desk::{
    ADA_HZ, ALWAYS, CALLER, CALLER_HZ, LATER, NEVER, NUMBER, only_call, only_recording,
};
use crate::harness::phone::{Phone, SOON};
use crate::harness::rtp::Stream;
use crate::harness::server::{HELD_BY_CALLS, Server, password};
use crate::harness::web::WebPhone;
use crate::harness::{shared, until};

const SUE_HZ: f64 = 1_130.0;
const PASSWORD: &str = "long enough for anybody";

/// The server, a caller by telephone, and users at pages.
struct Office {
    server: Server,
    caller: Phone,
}

impl Office {
    fn new(recording: &str) -> Self {
        let mut text = format!(
            "[trunk.carrier]\nnetworks = [\"127.0.0.2/32\"]\n[number.\"{NUMBER}\"]\nqueue = \"support\"\n\
             [queue.support]\nlanguage = \"en\"\nwrap-up = \"0s\"\n{recording}\n\
             [queue.sales]\nlanguage = \"en\"\nwrap-up = \"0s\"\nrecording = \"never\"\n"
        );
        for (agent, queues, role) in
            [("ada", "\"support\"", "agent"), ("bob", "\"sales\"", "agent"), ("sue", "", "supervisor")]
        {
            text.push_str(&format!(
                "[agent.{agent}]\npassword = \"secret-of-{agent}\"\nqueues = [{queues}]\n\
                 [user.{agent}]\nrole = \"{role}\"\nagent = \"{agent}\"\npassword = \"{PASSWORD}\"\nmust-change = false\n"
            ));
        }
        let server = Server::start(&text);
        let caller = Phone::new(server.udp, [127, 0, 0, 2], CALLER);
        Self { server, caller }
    }

    /// A page's phone, registered.
    fn page(&self, agent: &str) -> WebPhone {
        WebPhone::registered(self.server.http, agent, &password(agent))
    }

    fn session(&self, user: &str) -> Session {
        Session::open(self.server.http, user, PASSWORD)
    }

    /// The caller calls and Ada, at her page, picks up.
    fn connect(&mut self, ada: &mut WebPhone) -> Stream {
        self.caller.call_answered(NUMBER);
        let caller = self.caller.talk(tone(CALLER_HZ));
        let invite = ada.rung_within(LATER);
        assert_eq!(invite.get("X-Sayso-Purpose"), Some("offer"));
        ada.reply(180);
        ada.pick_up(&tone(ADA_HZ));
        caller
    }

    /// No call holds anything, the log is whole and nothing was lost inside. The port that WebRTC legs share stays.
    fn is_empty(&self) {
        self.server.empty(&HELD_BY_CALLS[..2], SOON);
        self.server.audit_is_whole();
        let metrics = self.server.metrics();
        for name in ["sayso_sip_commands_lost_total", "sayso_mail_lost_total", "sayso_store_failures_total"] {
            assert_eq!(metrics.sum(name).unwrap_or(0.0), 0.0, "{name}");
        }
    }
}

/// Waits until so many more seconds of a voice are heard by a page.
fn page_hears(page: &WebPhone, hz: f64, seconds: f64, what: &str) {
    let line = page.line.as_ref().expect("a call");
    let from = line.log(|log| log.heard.len());
    until(LATER, what, || line.log(|log| (seconds_of(hz, &log.heard[from..]) >= seconds).then_some(())));
}

/// The same for the telephone.
fn hears(ear: &Stream, hz: f64, seconds: f64, what: &str) {
    crate::harness::desk::hears(ear, hz, seconds, what);
}

/// Asserts that a page hears no such voice for a second.
fn page_does_not_hear(page: &WebPhone, hz: f64, what: &str) {
    let line = page.line.as_ref().expect("a call");
    let from = line.log(|log| log.heard.len());
    until(LATER, "a second of audio", || line.log(|log| (log.heard.len() >= from + 8_000).then_some(())));
    assert!(line.log(|log| seconds_of(hz, &log.heard[from..])) < 0.1, "{what}");
}

fn does_not_hear(ear: &Stream, hz: f64, what: &str) {
    let from = ear.log(|log| log.heard.len());
    until(LATER, "a second of audio", || ear.log(|log| (log.heard.len() >= from + 8_000).then_some(())));
    assert!(ear.log(|log| seconds_of(hz, &log.heard[from..])) < 0.1, "{what}");
}

#[test]
fn a_page_answers_and_g711_passes_untouched() {
    let _machine = shared();
    let mut office = Office::new(ALWAYS);
    let mut ada = office.page("ada");
    let caller = office.connect(&mut ada);
    hears(&caller, ADA_HZ, 1.0, "the caller hears Ada");
    page_hears(&ada, CALLER_HZ, 1.0, "Ada hears the caller");
    let said = caller.log(|log| log.sent.clone());
    let line = ada.line.as_ref().expect("a call");
    let (codec, heard) = line.log(|log| (log.codec, log.received.clone()));
    assert_eq!(codec, Some(Codec::Pcma));
    // But for the prompts and the music before.
    let same = heard.iter().rev().take(40).filter(|payload| said.contains(payload)).count();
    assert!(same >= 39, "{same} of 40 payloads as the caller sent them");
    ada.bye();
    office.caller.take("BYE", SOON);
    let [left, right] = only_recording(&office.server);
    assert!(seconds_of(CALLER_HZ, &left) >= 1.0 && seconds_of(ADA_HZ, &right) >= 1.0, "both are recorded");
    let call = only_call(&office.server);
    let leg = call["legs"]
        .as_array()
        .expect("legs")
        .iter()
        .find(|leg| leg["agent"] == "ada")
        .expect("Ada's leg")
        .clone();
    let quality = leg["quality"].clone();
    assert_eq!(quality["codec"], "pcma", "{quality}");
    assert!(quality["srtp"].as_str().is_some_and(|suite| suite.contains("AES")), "{quality}");
    office.is_empty();
}

#[test]
fn opus_is_spoken_with_a_page_and_g711_with_the_trunk() {
    let _machine = shared();
    let mut office = Office::new(ALWAYS);
    let mut ada = office.page("ada");
    ada.speak(Codec::Opus);
    let caller = office.connect(&mut ada);
    hears(&caller, ADA_HZ, 1.0, "the caller hears Ada");
    page_hears(&ada, CALLER_HZ, 1.0, "Ada hears the caller");
    assert_eq!(ada.line.as_ref().and_then(|line| line.log(|log| log.codec)), Some(Codec::Opus));
    office.caller.bye();
    ada.take("BYE", SOON);
    let [left, right] = only_recording(&office.server);
    assert!(seconds_of(CALLER_HZ, &left) >= 1.0 && seconds_of(ADA_HZ, &right) >= 1.0, "both are recorded");
    drop((caller, ada));
    office.is_empty();
}

#[test]
fn a_page_that_is_loaded_anew_has_its_call_back_within_ten_seconds() {
    let _machine = shared();
    let mut office = Office::new(ALWAYS);
    let mut ada = office.page("ada");
    let caller = office.connect(&mut ada);
    hears(&caller, ADA_HZ, 0.5, "the caller hears Ada");
    let session = office.session("ada");
    let began = Instant::now();
    drop(ada);
    let mut ada = office.page("ada");
    let invite = ada.rung_within(Duration::from_secs(8));
    assert_eq!(invite.get("X-Sayso-Purpose"), Some("reattach"));
    assert_eq!(invite.get("X-Sayso-Call"), session.snapshot()["calls"][0]["id"].as_str());
    session.call("the lost call", |call| {
        call["phase"] == "lost" && call["parties"][0]["state"] == "lost" && call["parties"][0]["id"] == "ada"
    });
    ada.pick_up(&tone(ADA_HZ));
    let back = began.elapsed();
    assert!(back < Duration::from_secs(10), "{back:?}");
    hears(&caller, ADA_HZ, 0.5, "the caller hears Ada again");
    page_hears(&ada, CALLER_HZ, 0.5, "Ada hears the caller again");
    session.call("the call again", |call| {
        call["phase"] == "talking" && call["parties"].as_array().is_some_and(|all| all.len() == 1)
    });
    let agent = session.snapshot()["agents"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["id"] == "ada").cloned());
    assert_eq!(agent.expect("Ada")["state"], "talking");
    office.caller.bye();
    ada.take("BYE", SOON);
    drop((caller, ada));
    let actions = actions(&office.server);
    assert!(actions.iter().any(|action| action == "agent.lost"), "{actions:?}");
    assert!(actions.iter().any(|action| action == "agent.reattached"), "{actions:?}");
    let rows = until(SOON, "two recordings", || {
        let rows = office.server.rows(&["recordings", "list"]);
        let whole = rows.len() == 2 && rows.iter().all(|row| row["state"] == "stored");
        whole.then_some(rows)
    });
    assert_eq!(rows.len(), 2, "each conversation is a recording of its own");
    office.is_empty();
}

#[test]
fn a_page_that_changes_its_network_goes_on() {
    let _machine = shared();
    let mut office = Office::new(NEVER);
    let mut ada = office.page("ada");
    let caller = office.connect(&mut ada);
    hears(&caller, ADA_HZ, 0.5, "the caller hears Ada");
    ada.move_away();
    hears(&caller, ADA_HZ, 0.5, "the caller hears Ada from elsewhere");
    page_hears(&ada, CALLER_HZ, 0.5, "Ada hears the caller there");
    ada.bye();
    office.caller.take("BYE", SOON);
    assert!(!actions(&office.server).iter().any(|action| action == "agent.lost"));
    drop(caller);
    office.is_empty();
}

#[test]
fn a_supervisor_listens_whispers_and_barges_in() {
    let _machine = shared();
    let mut office = Office::new(ALWAYS);
    let (mut ada, mut sue) = (office.page("ada"), office.page("sue"));
    let caller = office.connect(&mut ada);
    hears(&caller, ADA_HZ, 0.5, "the caller hears Ada");
    let (agent, supervisor) = (office.session("ada"), office.session("sue"));
    let call = supervisor.call("a conversation", |call| call["phase"] == "talking");
    let path = format!("/calls/{}/supervise", call["id"].as_str().expect("an id"));
    let (status, _) = agent.ask("POST", &path, Some(json!({ "mode": "listen" })));
    assert_eq!(status, 403, "an agent has not the right");
    supervisor.does("POST", &path, Some(json!({ "mode": "listen" })));
    let invite = sue.rung_within(SOON);
    assert_eq!(invite.get("X-Sayso-Purpose"), Some("supervise"));
    sue.pick_up(&tone(SUE_HZ));
    page_hears(&sue, CALLER_HZ, 0.5, "Sue hears the caller");
    page_hears(&sue, ADA_HZ, 0.5, "Sue hears Ada");
    page_does_not_hear(&ada, SUE_HZ, "Ada does not hear who listens");
    does_not_hear(&caller, SUE_HZ, "nor does the caller");
    supervisor.call("Sue among the parties", |call| {
        call["parties"].as_array().is_some_and(|all| {
            all.iter()
                .any(|one| one["kind"] == "supervisor" && one["state"] == "listening" && one["id"] == "sue")
        })
    });
    supervisor.does("PUT", &path, Some(json!({ "mode": "whisper" })));
    page_hears(&ada, SUE_HZ, 0.5, "Ada hears the whisper");
    does_not_hear(&caller, SUE_HZ, "the caller does not");
    supervisor.does("PUT", &path, Some(json!({ "mode": "barge" })));
    hears(&caller, SUE_HZ, 0.5, "the caller hears Sue");
    supervisor.does("DELETE", &path, None);
    sue.take("BYE", SOON);
    supervisor.refused("DELETE", &path, None, 409);
    hears(&caller, ADA_HZ, 0.5, "the conversation goes on");
    office.caller.bye();
    ada.take("BYE", SOON);
    let (status, log) = supervisor.ask("GET", "/my/listening-log", None);
    assert_eq!((status, log["items"].as_array().map(Vec::len)), (200, Some(1)), "{log}");
    assert_eq!(
        (log["items"][0]["kind"].as_str(), log["items"][0]["who"].as_str()),
        (Some("live"), Some("sue"))
    );
    let actions = actions(&office.server);
    assert_eq!(actions.iter().filter(|action| *action == "call.supervised").count(), 3, "{actions:?}");
    assert!(actions.iter().any(|action| action == "call.supervision-ended"), "{actions:?}");
    let [left, right] = only_recording(&office.server);
    assert!(
        seconds_of(CALLER_HZ, &left) >= 1.0 && seconds_of(SUE_HZ, &right) >= 0.3,
        "who barges in is recorded"
    );
    drop((caller, ada, sue));
    office.is_empty();
}

#[test]
fn commands_of_the_page_pause_consult_and_complete() {
    let _machine = shared();
    let mut office = Office::new(ALWAYS);
    let (mut ada, mut bob) = (office.page("ada"), office.page("bob"));
    let caller = office.connect(&mut ada);
    hears(&caller, ADA_HZ, 0.5, "the caller hears Ada");
    let session = office.session("ada");
    let call = session.call("a recorded conversation", |call| {
        call["phase"] == "talking" && call["recording"]["state"] == "recording"
    });
    let path = |what: &str| format!("/calls/{}/{what}", call["id"].as_str().expect("an id"));
    let why = session.refused("POST", &path("recording/resume"), None, 409);
    assert_eq!(why, "the recording is not paused");
    session.does("POST", &path("recording/pause"), None);
    session.call("a pause", |call| {
        call["recording"]["state"] == "paused" && !call["recording"]["pausedAt"].is_null()
    });
    session.refused("POST", &path("recording/pause"), None, 409);
    session.does("POST", &path("recording/resume"), None);
    session.refused("POST", &path("three-way"), None, 409);
    session.refused("POST", &path("consult"), Some(json!({ "to": { "agent": "nobody" } })), 409);
    let why = session.refused("POST", &path("transfer"), Some(json!({ "to": { "agent": "sue" } })), 409);
    assert_eq!(why, "sue is not logged on");
    session.does("POST", &path("consult"), Some(json!({ "to": { "agent": "bob" } })));
    let invite = bob.rung_within(SOON);
    assert_eq!(invite.get("X-Sayso-Purpose"), Some("consult"));
    bob.pick_up(&tone(SUE_HZ));
    page_hears(&ada, SUE_HZ, 0.5, "Ada hears Bob on the same line");
    does_not_hear(&caller, SUE_HZ, "the caller does not");
    session.does("POST", &path("three-way"), None);
    hears(&caller, SUE_HZ, 0.5, "all three speak");
    hears(&caller, ADA_HZ, 0.3, "all three speak");
    session.does("POST", &path("complete"), None);
    ada.take("BYE", SOON);
    hears(&caller, SUE_HZ, 0.5, "the caller is with Bob");
    let (status, _) = session.ask("POST", &path("recording/pause"), None);
    assert_eq!(status, 404, "it is Ada's call no longer");
    office.caller.bye();
    bob.take("BYE", SOON);
    let actions = actions(&office.server);
    for action in
        ["recording.paused", "recording.resumed", "call.consulted", "call.three-way", "call.transferred"]
    {
        assert!(actions.iter().any(|one| one == action), "{action}: {actions:?}");
    }
    drop((caller, ada, bob));
    office.is_empty();
}

#[test]
fn a_page_tests_its_line_and_no_call_is_kept() {
    let _machine = shared();
    let office = Office::new(NEVER);
    let mut ada = office.page("ada");
    assert_eq!(ada.call("selftest", &tone(ADA_HZ)), 200);
    page_hears(&ada, ADA_HZ, 0.5, "Ada hears herself");
    let snapshot = office.session("ada").snapshot();
    assert_eq!(snapshot["calls"], json!([]));
    ada.bye();
    until(SOON, "the test to be counted", || {
        (office.server.metrics().sum("sayso_selftests_total") == Some(1.0)).then_some(())
    });
    assert_eq!(office.server.rows(&["calls", "list"]).len(), 0);
    drop(ada);
    office.server.audit_is_whole();
}

#[test]
fn a_page_calls_a_number_of_the_house() {
    let _machine = shared();
    let office = Office::new(NEVER);
    let (mut ada, mut bob) = (office.page("ada"), office.page("bob"));
    assert_eq!(bob.call(NUMBER, &tone(CALLER_HZ)), 200, "the browser offers");
    ada.rung_within(LATER);
    ada.pick_up(&tone(ADA_HZ));
    page_hears(&bob, ADA_HZ, 0.5, "Bob hears Ada");
    page_hears(&ada, CALLER_HZ, 0.5, "Ada hears Bob");
    ada.hold(true);
    office.server.phase("talking");
    ada.hold(false);
    page_hears(&bob, ADA_HZ, 0.5, "Bob hears Ada again");
    bob.bye();
    ada.take("BYE", SOON);
    drop((ada, bob));
    office.is_empty();
}

/// What the audit log has, by name.
fn actions(server: &Server) -> Vec<String> {
    let rows = server.rows(&["audit", "list"]);
    rows.iter().filter_map(|row| Some(row["action"].as_str()?.to_owned())).collect()
}
