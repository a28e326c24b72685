//! A desk: a caller from a trunk, Ada who picks up, both scripted, and tones or speech between them.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::audio::{channels, seconds_of, tone};
use super::phone::{Phone, SOON};
use super::rtp::Stream;
use super::server::{HELD_BY_CALLS, Server, password};
use super::until;

pub(crate) const NUMBER: &str = "+4930100";
pub(crate) const CALLER: &str = "+4930555001";

/// The voices.
pub(crate) const CALLER_HZ: f64 = 420.0;
pub(crate) const ADA_HZ: f64 = 710.0;

/// Prompts and the arming of a recording come before a phone rings.
pub(crate) const LATER: Duration = Duration::from_secs(20);

pub(crate) const NEVER: &str = "recording = \"never\"";
pub(crate) const ALWAYS: &str = "recording = \"always\"\nlegal-basis = { contract = \"test\" }";

/// The server and its two phones.
pub(crate) struct Desk {
    pub(crate) server: Server,
    pub(crate) caller: Phone,
    pub(crate) ada: Phone,
}

/// What a conversation sounds like while it goes on.
pub(crate) struct Voices {
    pub(crate) caller: Stream,
    pub(crate) ada: Stream,
}

impl Desk {
    /// With this recording policy and these further keys of the trunk, or of anything after it.
    pub(crate) fn new(recording: &str, trunk: &str) -> Self {
        Self::with(recording, trunk, "")
    }

    /// The same, with more tables at the end.
    pub(crate) fn with(recording: &str, trunk: &str, more: &str) -> Self {
        Self::on(Server::start(&Self::settings(recording, trunk, more)))
    }

    /// What its server is set to.
    pub(crate) fn settings(recording: &str, trunk: &str, more: &str) -> String {
        format!(
            "[trunk.carrier]\nnetworks = [\"127.0.0.2/32\"]\n{trunk}\n\
             [number.\"{NUMBER}\"]\nqueue = \"support\"\n\
             [queue.support]\nlanguage = \"en\"\nwrap-up = \"0s\"\n{recording}\n\
             [agent.ada]\npassword = \"secret-of-ada\"\nqueues = [\"support\"]\n{more}\n"
        )
    }

    /// At a server that runs.
    pub(crate) fn on(server: Server) -> Self {
        let mut ada = Phone::new(server.udp, [127, 0, 0, 1], "ada");
        ada.register(&password("ada"), 3600);
        let caller = Phone::new(server.udp, [127, 0, 0, 2], CALLER);
        Self { server, caller, ada }
    }

    /// The caller and Ada speak.
    pub(crate) fn connect(&mut self) -> Voices {
        self.caller.call_answered(NUMBER);
        self.meet()
    }

    /// The caller, who has been answered, and Ada speak.
    pub(crate) fn meet(&mut self) -> Voices {
        let caller = self.caller.talk(tone(CALLER_HZ));
        self.ada.rung_within(LATER);
        self.ada.pick_up();
        let ada = self.ada.talk(tone(ADA_HZ));
        let voices = Voices { caller, ada };
        voices.hear_each_other();
        voices
    }

    /// Ends it from the caller's side; nothing is held, nothing was lost.
    pub(crate) fn ends(mut self) -> Server {
        self.caller.bye();
        self.ada.take("BYE", SOON);
        self.is_empty();
        self.server
    }

    /// No call holds anything, the log is whole and nothing was lost inside.
    pub(crate) fn is_empty(&self) {
        is_empty(&self.server);
    }

    /// The only call, in full.
    pub(crate) fn call(&self) -> Value {
        only_call(&self.server)
    }
}

impl Voices {
    /// Both are heard for half a second from now on.
    pub(crate) fn hear_each_other(&self) {
        hears(&self.caller, ADA_HZ, 0.5, "the caller hears Ada");
        hears(&self.ada, CALLER_HZ, 0.5, "Ada hears the caller");
    }
}

/// Asserts that no call holds anything, that the audit chain is whole and nothing was lost inside.
pub(crate) fn is_empty(server: &Server) {
    server.empty(&HELD_BY_CALLS[..3], SOON);
    server.audit_is_whole();
    let metrics = server.metrics();
    for name in ["sayso_sip_commands_lost_total", "sayso_mail_lost_total"] {
        assert_eq!(metrics.sum(name).unwrap_or(0.0), 0.0, "{name}");
    }
}

/// The only call of a server, in full.
pub(crate) fn only_call(server: &Server) -> Value {
    let calls = server.rows(&["calls", "list"]);
    let [call] = calls.as_slice() else { panic!("one call: {calls:?}") };
    let id = call["id"].as_str().expect("an id");
    let output = server.run(&["calls", "show", id, "--json", "--config"], &[&server.config()]);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The channels of the only recording, once it is sealed.
pub(crate) fn only_recording(server: &Server) -> [Vec<i16>; 2] {
    let row = server.sealed_recording();
    let wav = channels(&server.export(row["id"].as_str().expect("an id")));
    <[Vec<i16>; 2]>::try_from(wav).expect("a stereo file")
}

/// Waits until so many more seconds of a voice are heard.
pub(crate) fn hears(ear: &Stream, hz: f64, seconds: f64, what: &str) {
    let from = ear.log(|log| log.heard.len());
    until(LATER, what, || ear.log(|log| (seconds_of(hz, &log.heard[from..]) >= seconds).then_some(())));
}

/// Lets time pass in a call.
pub(crate) fn talk_for(span: Duration) {
    let end = Instant::now() + span;
    until(span * 2, "the talk", || (Instant::now() >= end).then_some(()));
}
