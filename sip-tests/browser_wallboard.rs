//! The supervisor's wallboard: what it shows of queues, agents and calls, and who hears whom when the supervisor
//! listens in, whispers and barges in; all of it told in the logs.

use serde_json::{Value, json};

use crate::harness::audio::seconds_of;
use crate::harness::desk::{ADA_HZ, CALLER, CALLER_HZ, LATER};
use crate::harness::office::{ASK, Office, SUE_HZ, picture};
use crate::harness::phone::SOON;
use crate::harness::{shared, until};

#[test]
fn a_supervisor_listens_whispers_and_barges_in() {
    let _machine = shared();
    let office = Office::open(ASK);
    let (ada, sue) = (office.ada(), office.clerk("sue", SUE_HZ));
    sue.page.click_the("link", "Wallboard");
    let mut caller = office.conversation('1', &ada);
    let call = sue.call("a call on the wallboard", |call| call["phase"] == "talking");
    assert_eq!(call["caller"], "••• 01", "elsewhere than in own calls the number is masked: {call}");
    sue.page.see("••• 01");

    sue.page.click("Listen in");
    sue.hears(&[CALLER_HZ, ADA_HZ], "Sue hears both");
    joined(&office, &sue, "listening");
    unheard(&caller, &ada, "who listens is heard by nobody");

    sue.page.click("Whisper");
    joined(&office, &sue, "whispering");
    ada.hears(&[SUE_HZ, CALLER_HZ], "Ada hears the whisper and the caller");
    let heard = caller.listens(std::time::Duration::from_millis(1500));
    assert_eq!(seconds_of(SUE_HZ, &heard), 0.0, "the caller hears no whisper");
    assert!(seconds_of(ADA_HZ, &heard) > 0.3, "but Ada");

    sue.page.click("Barge in");
    joined(&office, &sue, "barged");
    caller.hears(SUE_HZ, "the caller hears who barged in");
    ada.hears(&[SUE_HZ], "and so does Ada");

    sue.page.click("Listen in");
    joined(&office, &sue, "listening");
    until(LATER, "nobody to hear Sue any more", || {
        let heard = caller.listens(std::time::Duration::from_millis(500));
        (seconds_of(SUE_HZ, &heard) == 0.0).then_some(())
    });
    sue.page.click("Stop listening");
    sue.call("a call without Sue", |call| call["parties"].as_array().is_some_and(|all| all.len() == 1));
    caller.hears(ADA_HZ, "the conversation goes on");
    ada.page.click("Hang up");
    caller.is_hung_up();
    ada.is("ready");
    // Only who was part of the conversation is recorded: Sue for as long as she had barged in.
    let [left, right] = office.channels(&office.recordings(1)[0]);
    let sues = seconds_of(SUE_HZ, &right);
    assert!(sues > 0.4, "who barged in is recorded: {sues} s");
    assert!(sues < seconds_of(ADA_HZ, &right), "for a part of the call");
    assert_eq!(seconds_of(SUE_HZ, &left), 0.0);
    logged(&office, &sue, &call["id"]);
    office.is_empty();
}

/// Waits until the server has Sue in the call in this way.
fn joined(office: &Office, sue: &crate::harness::clerk::Clerk, state: &str) {
    let is = |party: &Value| party["kind"] == "supervisor" && party["id"] == "sue" && party["state"] == state;
    sue.call(state, |call| call["parties"].as_array().is_some_and(|all| all.iter().any(is)));
    assert_eq!(office.server.rows(&["calls", "list"]).len(), 1, "joining is no call of its own");
}

/// Neither the caller nor Ada hears Sue.
fn unheard(caller: &crate::harness::office::Caller, ada: &crate::harness::clerk::Clerk, what: &str) {
    ada.hears_none(&[SUE_HZ], what);
    let heard = caller.listens(std::time::Duration::from_millis(500));
    assert_eq!(seconds_of(SUE_HZ, &heard), 0.0, "{what}");
}

/// Each mode stands in the listening log and in the audit log, class `read`.
fn logged(office: &Office, sue: &crate::harness::clerk::Clerk, call: &Value) {
    let (status, log) = sue.api("GET", "/my/listening-log", None);
    assert_eq!(status, 200, "{log}");
    let entries = log["items"].as_array().expect("entries");
    assert!(!entries.is_empty(), "{log}");
    for entry in entries {
        assert_eq!(
            (&entry["who"], &entry["kind"], &entry["call"]),
            (&"sue".into(), &"live".into(), call),
            "{entry}"
        );
    }
    let rows = office.server.rows(&["audit", "list", "--class", "read", "--action", "call.supervised"]);
    assert_eq!(rows.len(), entries.len(), "{rows:?}");
    let texts: Vec<String> = rows.iter().map(Value::to_string).collect();
    for mode in ["listen", "whisper", "barge"] {
        assert!(texts.iter().any(|row| row.contains(mode) && row.contains("sue")), "{mode}: {texts:?}");
    }
    sue.page.click_the("link", "Listening log");
    sue.page.see("Live call");
}

#[test]
fn the_wallboard_shows_queues_agents_and_calls() {
    let _machine = shared();
    let office = Office::open(ASK);
    let sue = office.clerk("sue", SUE_HZ);
    sue.page.click_the("link", "Wallboard");
    let ada = office.ada();
    let queue = |fits: &dyn Fn(&Value) -> bool, what: &str| {
        until(LATER, what, || {
            let all = sue.snapshot();
            let support = all["queues"].as_array()?.iter().find(|queue| queue["id"] == "support")?.clone();
            fits(&support).then_some(support)
        })
    };
    queue(&|it| it["ready"] == 1 && it["waiting"] == 0, "an agent who is ready");
    // One is served, the next waits and gives up.
    let mut first = office.conversation('2', &ada);
    let mut second = office.caller('1');
    let waits = queue(&|it| it["waiting"] == 1 && it["offered"] == 2, "one who waits");
    assert!(waits["longestSince"].is_string(), "{waits}");
    assert_eq!(
        (&waits["offered"], &waits["answered"], &waits["ready"]),
        (&2.into(), &1.into(), &0.into()),
        "{waits}"
    );
    assert_eq!(waits["serviceLevel"].as_f64(), Some(1.0), "{waits}");
    sue.page.see("Refused");
    sue.page.see("Not recording");
    sue.page.is_accessible("the wallboard");
    sue.page.screenshot(&picture("wallboard"));
    sue.page.turns("dark");
    sue.page.is_accessible("the wallboard in the dark");
    sue.page.screenshot(&picture("wallboard-dark"));
    second.hangs_up();
    queue(&|it| it["waiting"] == 0 && it["abandoned"] == 1, "one who gave up");
    first.hangs_up();
    ada.is("ready");

    // Who has no right sees no wallboard and joins no call.
    let mut third = office.conversation('2', &ada);
    let call = ada.call("her own call", |call| call["phase"] == "talking");
    let path = format!("/calls/{}/supervise", call["id"].as_str().expect("an id"));
    let (status, problem) = ada.api("POST", &path, Some(json!({ "mode": "listen" })));
    assert_eq!(status, 403, "{problem}");
    assert_eq!(ada.api("GET", "/listening-log", None).0, 403);
    ada.page.gone_the("link", "Wallboard");
    let queues = ada.snapshot()["queues"].clone();
    assert_eq!(queues.as_array().map(Vec::len), Some(1), "own queues only: {queues}");
    ada.page.click("Hang up");
    third.is_hung_up();
    let refused = office.server.rows(&["audit", "list", "--action", "call.supervised"]);
    assert_eq!(refused, Vec::<Value>::new(), "nobody listened");
    until(SOON, "the caller's number to be nowhere", || {
        (!office.server.whole_log().contains(&CALLER[1..])).then_some(())
    });
    office.is_empty();
}
