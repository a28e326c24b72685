//! Agents in real browsers: the main road from a caller's call to a proven recording, and the codecs on it.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::audio::{RATE, clips, find, spoken};
use crate::harness::baresip::{Baresip, Login};
use crate::harness::browser::{Look, Page};
use crate::harness::clerk::Clerk;
use crate::harness::desk::{ADA_HZ, ALWAYS, CALLER, CALLER_HZ, LATER, NUMBER, only_call, talk_for};
use crate::harness::office::{ASK, Office, picture, secret};
use crate::harness::phone::{Phone, SOON};
use crate::harness::rtp::{Law, Stream, Voice};
use crate::harness::{shared, until};

/// The browser's own work on a microphone would move the phases of a voice: here its words are compared.
const RAW: &str = "const devices = navigator.mediaDevices
    const open = devices.getUserMedia.bind(devices)
    devices.getUserMedia = ({ audio }) =>
        open({ audio: { ...audio, echoCancellation: false, noiseSuppression: false, autoGainControl: false } })";

/// What resampling and the codec leave alike of what the microphone heard.
const ALIKE: f64 = 0.8;

#[test]
fn a_caller_who_agrees_meets_an_agent_in_a_browser() {
    let _machine = shared();
    let office = office_of_a_new_agent();
    let look = Look { says: Some(&spoken().0), before: Some(RAW), ..Look::default() };
    let ada = Clerk::new("ada", Page::open(&office.url(), look));
    first_log_in(&office, &ada);
    let mut caller = Baresip::start(CALLER, Baresip::address(), &clips().caller, &Login::None);
    caller.dial(&format!("sip:{NUMBER}@{}", office.server.udp));
    caller.expect("CALL_ESTABLISHED", SOON);
    office.server.phase("asking");
    caller.press('1');
    // What is told of the caller before the answer.
    ada.page.see("Incoming call");
    ada.page.see(CALLER);
    ada.answer();
    ada.lamp("Recording", "caller agreed");
    let call = ada.call("a recorded conversation", |call| call["phase"] == "talking");
    assert_eq!((&call["caller"], &call["queue"]), (&CALLER.into(), &"support".into()), "{call}");
    assert_eq!(
        (&call["consent"]["state"], &call["recording"]["state"]),
        (&"given".into(), &"recording".into())
    );
    let (before, began) = (ada.stats(), Instant::now());
    talk_for(Duration::from_secs(10));
    let (after, span) = (ada.stats(), began.elapsed().as_secs_f64());
    // 50 packets a second each way, none lost on the loopback; sound in what came.
    for way in ["received", "sent"] {
        let packets = (after.count(way) - before.count(way)) as f64;
        assert!((40.0..60.0).contains(&(packets / span)), "{way} {packets} packets in {span:.1} s");
    }
    assert!(after.energy() - before.energy() > 0.005, "sound came: {after:?}");
    assert_eq!(after.word("state"), "connected");
    assert_eq!(after.word("cipher"), "SRTP_AEAD_AES_256_GCM", "{after:?}");
    ada.page.see_the("meter", "Microphone level", None);
    ada.page.screenshot(&picture("desktop-recording"));
    ada.page.turns("dark");
    ada.page.screenshot(&picture("desktop-recording-dark"));
    ada.page.click("Hang up");
    caller.expect("CALL_CLOSED", SOON);
    let caller = caller.quit();
    ada.is("ready");
    proven(&office, &caller.said, &caller.heard);
    office.is_empty();
}

/// An office whose Ada has a password that somebody else chose, and a caller who is a baresip at 127.0.0.1.
fn office_of_a_new_agent() -> Office {
    let more = format!(
        "[trunk.other]\nnetworks = [\"127.0.0.1/32\"]\n\
         [user.ann]\nrole = \"agent\"\npassword = \"{}\"\n",
        secret("ann")
    );
    let settings = Office::settings(ASK, "").replace("must-change = false\n[user.bob]", "[user.bob]");
    Office { server: crate::harness::server::Server::start(&format!("{settings}{more}")) }
}

/// The first log-in: nothing can be done before a new password; then the phone is there.
fn first_log_in(office: &Office, ada: &Clerk) {
    ada.log_in("not the secret");
    ada.page.see("User name or password is wrong");
    ada.log_in(&secret("ada"));
    ada.page.see("Choose a password of your own");
    assert_eq!(ada.api("GET", "/directory", None).0, 403, "nothing else is allowed before");
    ada.page.fill("Present password", &secret("ada"));
    ada.page.fill("New password", "short");
    ada.page.fill("New password, again", "short");
    ada.page.click("Change password");
    ada.page.see("Too short");
    ada.page.fill("New password", "a word of her own");
    ada.page.fill("New password, again", "a word of her own");
    ada.page.click("Change password");
    ada.is_reachable();
    ada.is_ready();
    office.audited("user.login-failed", 1);
    office.audited("user.logged-in", 1);
}

/// Recording, consent and audit log of the only call, in which the caller said and heard this.
fn proven(office: &Office, said: &[i16], heard: &[i16]) {
    let row = office.recordings(1).remove(0);
    let [left, right] = office.channels(&row);
    assert_eq!(left.len(), right.len(), "channels of one length");
    // A browser beside them takes the machine from the caller now and then; `consent` judges without one, and strictly.
    find(&left[RATE / 2..], said).assert("channel 0 is the caller", 8, 0.99, 0.2);
    // The caller's own jitter buffer stands between, and may cut in a window.
    find(&right[RATE..], heard).assert("channel 1 is what the caller heard", 8, 0.95, 0.25);
    // Chromium's file for a microphone slips where the machine is busy. No window of another voice is so much alike.
    find(&right[RATE..], &spoken().1).assert("channel 1 is the agent", 8, ALIKE, 0.4);
    assert_eq!(row["basis"], "agreed", "{row}");
    let call = only_call(&office.server);
    let agent = &call["legs"][1];
    assert_eq!(agent["agent"], "ada", "{call}");
    assert!(agent["quality"]["srtp"].as_str().is_some_and(|s| s.starts_with("AEAD_AES_")), "{agent}");
    assert_eq!(agent["quality"]["auth_failures"], 0, "{agent}");
    // From the answer to the end, in the one order that is allowed: asked, decided, then captured.
    let rows = office.server.rows(&["audit", "list"]);
    let seq = |action: &str| {
        let row = rows.iter().find(|row| row["action"] == action);
        row.unwrap_or_else(|| panic!("an audit row {action}"))["seq"].as_u64().expect("a number")
    };
    let order =
        ["call.arrived", "consent.given", "recording.decided", "recording.started", "recording.finished"];
    assert!(order.map(seq).is_sorted(), "{order:?} at {:?}", order.map(seq));
    office.server.audit_is_whole();
}

/// A call by a phone that speaks one law, to Ada, who must speak `wanted`: whether anything was converted.
fn codec(office: &Office, ada: &Clerk, law: Law, wanted: &str) -> bool {
    let converted = || office.server.metrics().sum("sayso_transcoded_total").unwrap_or(0.0);
    let before = converted();
    let (payload_type, name) = match law {
        Law::A => (8, "PCMA/8000"),
        Law::Mu => (0, "PCMU/8000"),
    };
    let mut phone = Phone::new(office.server.udp, [127, 0, 0, 2], CALLER);
    phone.speak(payload_type, name);
    phone.call_answered(NUMBER);
    let voice = Voice { law, payload_type, ..Voice::USUAL };
    let audio = phone.audio.expect("the server's SDP named a place for audio");
    let line = Stream::start_as(&phone.rtp, audio, crate::harness::audio::tone(CALLER_HZ), voice);
    ada.answer();
    crate::harness::desk::hears(&line, ADA_HZ, 0.5, "the caller hears Ada");
    ada.hears(&[CALLER_HZ], "Ada hears the caller");
    let stats = ada.stats();
    assert_eq!((stats.word("hears"), stats.word("says")), (wanted, wanted), "{stats:?}");
    ada.page.click("Hang up");
    phone.take("BYE", SOON);
    drop(line);
    ada.is("ready");
    let id = office.server.rows(&["calls", "list"])[0]["id"].as_str().expect("an id").to_owned();
    let legs = until(SOON * 2, "the figures of both legs", || {
        let words = ["calls", "show", &id, "--json", "--config"];
        let call: Value =
            serde_json::from_slice(&office.server.run(&words, &[&office.server.config()]).stdout).ok()?;
        let codecs =
            [0, 1].map(|n| call["legs"][n]["quality"]["codec"].as_str().map(str::to_ascii_lowercase));
        let [Some(caller), Some(agent)] = codecs else { return None };
        Some([caller, agent])
    });
    assert_eq!(legs[1], wanted.trim_start_matches("audio/").to_ascii_lowercase(), "{legs:?}");
    assert_eq!(legs[0], name.trim_end_matches("/8000").to_ascii_lowercase(), "{legs:?}");
    converted() > before
}

#[test]
fn g711_passes_through_and_opus_is_converted() {
    let _machine = shared();
    let office = Office::open(ALWAYS);
    let ada = office.ada();
    assert!(!codec(&office, &ada, Law::A, "audio/PCMA"), "A-law passes through");
    assert!(!codec(&office, &ada, Law::Mu, "audio/PCMU"), "and so does the other law");
    office.server.apply(&Office::settings(ALWAYS, "codecs = [\"opus\"]"));
    let converted = || codec(&office, &ada, Law::A, "audio/opus");
    assert!(converted(), "Opus on one side only is converted");
    for row in office.recordings(3) {
        let [left, right] = office.channels(&row);
        let seconds = |hz, channel: &[i16]| crate::harness::audio::seconds_of(hz, channel);
        assert!(seconds(CALLER_HZ, &left) > 0.5 && seconds(ADA_HZ, &right) > 0.5, "{row}");
        assert_eq!((seconds(ADA_HZ, &left), seconds(CALLER_HZ, &right)), (0.0, 0.0), "{row}");
    }
    until(LATER, "nothing to be held", || {
        (office.server.metrics().sum("sayso_calls") == Some(0.0)).then_some(())
    });
    office.is_empty();
}
