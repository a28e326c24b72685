//! The agent's desktop, button by button: what each does to the call, the audit log and the recording.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::audio::{RATE, rms, seconds_of};
use crate::harness::desk::{ADA_HZ, ALWAYS, CALLER, CALLER_HZ, LATER, only_call};
use crate::harness::office::{ASK, Office};
use crate::harness::phone::SOON;
use crate::harness::{shared, until};

/// So long something lasts that is looked for in the recording.
const SPAN: Duration = Duration::from_secs(2);

#[test]
fn hold_mute_keypad_and_notes() {
    let _machine = shared();
    let office = Office::open(ALWAYS);
    let ada = office.ada();
    let mut caller = office.caller_unasked();
    ada.answer();
    caller.hears(ADA_HZ, "the caller hears Ada");
    ada.lamp("Recording", "contract: test");

    ada.page.click("Hold");
    ada.page.see_the("button", "Resume call", None);
    ada.lamp("Recording paused: on hold", "contract: test");
    let held = caller.listens(SPAN);
    assert!(rms(&held) > 50.0, "music to the caller, RMS {}", rms(&held));
    assert!(seconds_of(ADA_HZ, &held[RATE / 2..]) < 0.1, "not Ada");
    ada.hears_none(&[CALLER_HZ], "who holds hears no caller");
    ada.call("a held call", |call| call["parties"][0]["state"] == "holding");
    ada.page.click("Resume call");
    caller.hears(ADA_HZ, "the caller hears Ada again");
    ada.hears(&[CALLER_HZ], "Ada hears the caller again");

    ada.page.click("Mute");
    ada.page.see_the("button", "Unmute", None);
    until(LATER, "silence to the caller", || (rms(&caller.listens(SPAN / 4)) < 20.0).then_some(()));
    ada.page.click("Unmute");
    caller.hears(ADA_HZ, "the caller hears Ada after the mute");

    ada.page.click("Keypad");
    ada.page.click("5");
    ada.page.click("#");
    until(SOON, "both keys at the caller's", || caller.line.log(|log| (log.digits == [5, 11]).then_some(())));

    ada.page.fill("Note on this call", "Wants seven green chairs.");
    ada.page.click("Save note");
    ada.page.see("Note saved.");
    ada.page.click("Hang up");
    caller.is_hung_up();
    ada.is("ready");

    let [left, right] = office.channels(&office.recordings(1)[0]);
    // The hold is silent on both channels; the mute on Ada's alone.
    let quiet = |channel: &[i16]| longest_silence(channel);
    assert!(quiet(&left) >= SPAN.as_secs_f64() * 0.8, "the hold: {} s", quiet(&left));
    assert!(seconds_of(CALLER_HZ, &left) > 2.0 && seconds_of(ADA_HZ, &right) > 1.0);
    assert_eq!(seconds_of(ADA_HZ, &left), 0.0);
    noted(&office, &ada);
    office.is_empty();
}

/// Seconds of the longest run of silence.
fn longest_silence(channel: &[i16]) -> f64 {
    let frames = channel.chunks(RATE / 50).map(|frame| rms(frame) < 20.0);
    let (mut run, mut longest) = (0usize, 0usize);
    for silent in frames {
        run = if silent { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest as f64 / 50.0
}

/// The note stands with the call, in the agent's own calls and in the audit log, there without its words.
fn noted(office: &Office, ada: &crate::harness::clerk::Clerk) {
    let (status, page) = ada.api("GET", "/my/calls", None);
    assert_eq!(status, 200, "{page}");
    let [call] = page["items"].as_array().expect("calls").as_slice() else { panic!("one call: {page}") };
    assert_eq!((&call["caller"], &call["queue"]), (&CALLER.into(), &"support".into()), "{call}");
    assert_eq!(
        (&call["notes"][0]["text"], &call["notes"][0]["by"]),
        (&"Wants seven green chairs.".into(), &"ada".into())
    );
    assert_eq!(call["recordings"].as_array().map(Vec::len), Some(1), "{call}");
    let row = office.audited("call.noted", 1).remove(0);
    assert!(row["who"].as_str().is_some_and(|who| who.contains("ada")), "{row}");
    ada.page.click_the("link", "My calls");
    ada.page.see(CALLER);
    ada.page.click_the("link", "Desktop");
}

#[test]
fn presence_declining_and_wrap_up() {
    let _machine = shared();
    let wrap_up = format!("{ALWAYS}\nwrap-up = \"60s\"\nring-timeout = \"30s\"");
    let settings = Office::settings(&wrap_up, "").replacen("wrap-up = \"0s\"\n", "", 1);
    let office = Office { server: crate::harness::server::Server::start(&settings) };
    let ada = office.ada();

    ada.page.click("Not ready");
    ada.page.click_the("menuitem", "Lunch");
    let agent = ada.is("not-ready");
    assert_eq!(agent["reason"], "Lunch", "{agent}");
    let mut caller = office.caller_unasked();
    office.server.phase("waiting");
    ada.page.click("Ready");
    ada.page.see_the("button", "Answer", None);
    ada.is("ringing");

    // Declined: the caller keeps the place, and Ada is asked again after a short rest.
    ada.page.click("Decline");
    ada.page.gone("Answer");
    office.server.phase("waiting");
    ada.is("ringing");
    ada.answer();
    caller.hears(ADA_HZ, "the caller hears Ada");
    caller.hangs_up();
    let agent = ada.is("wrap-up");
    assert!(agent["until"].is_string(), "wrap-up has an end: {agent}");
    ada.page.see("ends in");
    ada.page.click("Ready");
    ada.is("ready");

    ada.page.click("Log out");
    ada.page.see_the("button", "Log in", None);
    let registered = || {
        office
            .server
            .metrics()
            .named("sayso_sip_table")
            .find(|s| s.labels.contains("registrations"))
            .map(|s| s.value)
    };
    until(SOON, "no phone to be registered", || (registered() == Some(0.0)).then_some(()));
    let rows = office.server.rows(&["audit", "list", "--class", "presence"]);
    let texts: Vec<String> = rows.iter().map(Value::to_string).collect();
    for what in ["not ready: Lunch", "not ready: declined a call", "logged off"] {
        assert!(texts.iter().any(|row| row.contains(what)), "{what} in {texts:?}");
    }
    office.audited("user.logged-out", 1);
    office.is_empty();
}

#[test]
fn pause_resume_and_withdrawal() {
    let _machine = shared();
    let office = Office::open(&format!("{ASK}\npause-limit = \"60s\""));
    let ada = office.ada();
    let mut caller = office.conversation('1', &ada);
    ada.page.click("Pause recording");
    ada.lamp("Recording paused", "caller agreed");
    ada.page.see("Paused for");
    let call = ada.call("a paused recording", |call| call["recording"]["state"] == "paused");
    assert!(
        call["recording"]["pausedAt"].is_string() && call["recording"]["resumesAt"].is_string(),
        "{call}"
    );
    // They hear one another; the recording does not.
    let card = caller.speaks(550.0);
    ada.hears(&[550.0], "Ada hears the card's number");
    caller = card.speaks(CALLER_HZ);
    ada.hears(&[CALLER_HZ], "Ada hears the caller");
    ada.page.click("Resume recording");
    ada.lamp("Recording", "caller agreed");
    caller.listens(SPAN);
    ada.page.click("Hang up");
    caller.is_hung_up();
    let row = office.recordings(1).remove(0);
    let channels = office.channels(&row);
    assert_eq!(seconds_of(550.0, &channels[0]), 0.0, "nothing of the pause");
    let gaps: Vec<&Value> =
        row["gaps"].as_array().into_iter().flatten().filter(|gap| gap["why"] == "paused").collect();
    let [gap] = gaps.as_slice() else { panic!("one pause: {row}") };
    pause_is_where_it_is_said(&office, &row, gap, &channels);

    // The next call: the caller changes his mind, and what exists is destroyed.
    ada.is("ready");
    let mut caller = office.conversation('1', &ada);
    ada.lamp("Recording", "caller agreed");
    ada.page.click("Caller withdraws consent");
    ada.page.click("Confirm withdrawal");
    ada.lamp("Not recording", "caller withdrew consent");
    caller.hears(ADA_HZ, "the conversation goes on");
    ada.page.click("Hang up");
    caller.is_hung_up();
    let removed = || {
        let rows = office.server.rows(&["recordings", "list"]);
        rows.into_iter().find(|row| row["state"] == "removed")
    };
    let row = until(SOON * 2, "a recording that is destroyed and removed", removed);
    assert!(row["destroyed_at"].is_string() && row["removed_at"].is_string(), "{row}");
    assert_eq!(office.server.vault_files().len(), 1, "the first call's recording alone is left");
    let row = office.audited("consent.withdrawn", 1).remove(0);
    assert_eq!(row["class"], "modify", "{row}");
    assert!(office.server.rows(&["consents", "list"]).iter().any(|row| row["answer"] == "withdrawn"));
    office.is_empty();
}

/// The metadata's gap is silence on both channels and lasts from one audit row to the next; before and after it
/// there are voices.
fn pause_is_where_it_is_said(office: &Office, row: &Value, gap: &Value, channels: &[Vec<i16>; 2]) {
    let place = |name: &str| usize::try_from(gap[name].as_u64().expect("samples")).expect("it fits");
    let (start, len) = (place("start"), place("len"));
    for channel in channels {
        assert_eq!(rms(&channel[start..start + len]), 0.0, "silence over exactly the gap: {gap}");
    }
    // The caller's tone has no pauses: it stands on both sides of the gap. A tenth of a second after it may be lost,
    // for the caller's voice began anew meanwhile.
    assert!(rms(&channels[0][start - 400..start - 80]) > 500.0, "sound up to the gap: {row}");
    assert!(rms(&channels[0][start + len + 1000..][..320]) > 500.0, "sound from its end: {row}");
    let at = |action: &str| moment(&office.audited(action, 1)[0]["at"]);
    let told = at("recording.resumed") - at("recording.paused");
    let silent = len as f64 / RATE as f64;
    assert!((told - silent).abs() < 0.1, "told {told:.3} s, silent {silent:.3} s");
    let from = at("recording.paused") - moment(&row["started_at"]);
    assert!((from - start as f64 / RATE as f64).abs() < 0.3, "paused after {from:.3} s, silent from {start}");
}

/// Seconds since midnight of an RFC 3339 time.
fn moment(at: &Value) -> f64 {
    let text = at.as_str().expect("a time");
    let clock = text.split_once('T').expect("RFC 3339").1.trim_end_matches('Z');
    clock.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().expect("a number"))
}

#[test]
fn override_after_refusal_begins_at_the_press() {
    let _machine = shared();
    let office = Office::open(ASK);
    let ada = office.ada();
    let caller = office.conversation('2', &ada);
    ada.lamp("Not recording", "caller refused");
    office.server.nothing_captured();
    ada.page.click("Record anyway…");
    ada.page.click_the("radio", "Emergency");
    ada.page.click("Start recording");
    ada.page.see("Write a reason.");
    office.server.nothing_captured();
    ada.page.fill("Reason", "The caller speaks of a fire.");
    ada.page.screenshot(&crate::harness::office::picture("desktop-override"));
    // What is said up to the press has another pitch than what is said after it.
    let mut caller = caller.speaks(550.0);
    ada.hears(&[550.0], "Ada hears the new pitch");
    ada.page.click("Start recording");
    ada.lamp("Recording", "override by you: emergency");
    caller.listens(SPAN);
    caller.hangs_up();
    let row = office.recordings(1).remove(0);
    let [left, right] = office.channels(&row);
    assert_eq!(seconds_of(CALLER_HZ, &left), 0.0, "nothing of before the press");
    assert!(seconds_of(550.0, &left) > 1.5 && seconds_of(ADA_HZ, &right) > 0.5, "and all of after it");
    assert_eq!((&row["basis"], &row["queue"]), (&"override".into(), &"support".into()), "{row}");
    let told = office.audited("consent.overridden", 1).remove(0);
    assert_eq!(
        (&told["class"], &told["new"]),
        (&"modify".into(), &"The caller speaks of a fire.".into()),
        "{told}"
    );
    assert!(told["what"].as_str().is_some_and(|what| what.contains("emergency")), "{told}");
    let started = office.audited("recording.started", 1).remove(0);
    assert!(told["seq"].as_u64() < started["seq"].as_u64(), "told before the first sample: {told} {started}");
    assert!(moment(&told["at"]) <= moment(&row["started_at"]), "{told} {row}");
    assert!(office.events().contains(&"overridden".to_owned()));
    let call = only_call(&office.server);
    assert_eq!(call["consents"][0]["agreed"], json!(false), "the answer stays what it was: {call}");
    office.is_empty();
}
