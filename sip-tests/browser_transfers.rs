//! Transfers from the desktop: blind and after a consultation, between two agents in browsers. Every party has a
//! pitch of its own: who hears whom is heard.

use serde_json::Value;

use crate::harness::audio::{seconds_of, tone};
use crate::harness::clerk::Clerk;
use crate::harness::desk::{ADA_HZ, ALWAYS, CALLER, CALLER_HZ, hears, only_call};
use crate::harness::office::{BOB_HZ, Caller, Office};
use crate::harness::phone::{Phone, SOON};
use crate::harness::server::Server;
use crate::harness::shared;

/// Ada speaks with a caller; Bob is ready, too.
fn scene() -> (Office, Clerk, Clerk, Caller) {
    let office = Office::open(ALWAYS);
    let (ada, bob) = (office.ada(), office.clerk("bob", BOB_HZ));
    bob.is_ready();
    let caller = office.caller_unasked();
    ada.answer();
    caller.hears(ADA_HZ, "the caller hears Ada");
    ada.hears(&[CALLER_HZ], "Ada hears the caller");
    (office, ada, bob, caller)
}

fn transferred(office: &Office, to: &str) {
    let row = office.audited("call.transferred", 1).remove(0);
    assert!(row["who"].as_str().is_some_and(|who| who.contains("ada")), "{row}");
    assert_eq!(row["new"], to, "{row}");
    let call = only_call(&office.server);
    assert_eq!(call["call"]["agent"], "bob", "{call}");
    assert!(office.events().contains(&"transferred".to_owned()), "{call}");
}

/// Both takes of the call: the caller on channel 0, the agent of each on channel 1 and nobody else.
fn takes(office: &Office, agents: &[(f64, &[f64])]) {
    let rows = office.recordings(agents.len());
    for (row, (agent, others)) in rows.iter().zip(agents) {
        let [left, right] = office.channels(row);
        assert!(seconds_of(CALLER_HZ, &left) > 0.4, "the caller on channel 0: {row}");
        assert!(seconds_of(*agent, &right) > 0.4, "{agent} Hz on channel 1: {row}");
        for other in *others {
            assert_eq!(seconds_of(*other, &right) + seconds_of(*other, &left), 0.0, "{other} Hz: {row}");
        }
    }
}

#[test]
fn blind_to_an_agent_and_to_a_queue() {
    let _machine = shared();
    let (office, ada, bob, mut caller) = scene();
    ada.transfer_to("Bob");
    bob.page.see("A call is transferred to you");
    bob.page.see(CALLER);
    bob.answer();
    ada.is("ready");
    caller.hears(BOB_HZ, "the caller hears Bob");
    bob.hears(&[CALLER_HZ], "Bob hears the caller");
    bob.lamp("Recording", "contract: test");
    transferred(&office, "agent bob");
    // And back, to whoever of the queue is free.
    bob.transfer_to("support");
    ada.answer();
    caller.hears(ADA_HZ, "the caller hears Ada again");
    bob.is("ready");
    caller.hangs_up();
    ada.is("ready");
    takes(&office, &[(ADA_HZ, &[BOB_HZ]), (BOB_HZ, &[ADA_HZ]), (ADA_HZ, &[BOB_HZ])]);
    let rows = office.audited("call.transferred", 2);
    assert_eq!(rows[1]["new"], "queue support", "{rows:?}");
    assert!(rows[1]["who"].as_str().is_some_and(|who| who.contains("bob")), "{rows:?}");
    office.is_empty();
}

#[test]
fn consult_and_come_back_then_consult_and_complete() {
    let _machine = shared();
    let (office, ada, bob, mut caller) = scene();
    ada.consult("Bob");
    bob.page.see("A colleague asks you");
    bob.answer();
    ada.hears(&[BOB_HZ], "Ada hears Bob");
    bob.hears(&[ADA_HZ], "Bob hears Ada");
    bob.hears_none(&[CALLER_HZ], "Bob does not hear the caller");
    let heard = caller.listens(std::time::Duration::from_secs(1));
    assert_eq!(seconds_of(ADA_HZ, &heard) + seconds_of(BOB_HZ, &heard), 0.0, "the caller hears music");
    ada.call("a consultation", |call| call["phase"] == "consulting");
    ada.page.click("Back to caller");
    bob.is("ready");
    caller.hears(ADA_HZ, "the caller hears Ada again");
    ada.hears(&[CALLER_HZ], "Ada hears the caller again");

    ada.consult("Bob");
    bob.answer();
    ada.hears(&[BOB_HZ], "Ada hears Bob again");
    ada.page.click("Complete transfer");
    caller.hears(BOB_HZ, "the caller hears Bob");
    bob.hears(&[CALLER_HZ], "Bob hears the caller");
    ada.is("ready");
    transferred(&office, "agent bob");
    assert_eq!(office.audited("call.consulted", 2).len(), 2);
    bob.page.click("Hang up");
    caller.is_hung_up();
    // Domain rule 9: the consultation is no part of the caller's recording.
    takes(&office, &[(ADA_HZ, &[BOB_HZ]), (ADA_HZ, &[BOB_HZ]), (BOB_HZ, &[ADA_HZ])]);
    office.is_empty();
}

#[test]
fn three_speak() {
    let _machine = shared();
    let (office, ada, bob, caller) = scene();
    ada.consult("Bob");
    bob.answer();
    ada.hears(&[BOB_HZ], "Ada hears Bob");
    ada.page.click("Three-way");
    ada.call("a three-way conversation", |call| call["phase"] == "conference");
    caller.hears(BOB_HZ, "the caller hears Bob");
    caller.hears(ADA_HZ, "the caller hears Ada");
    ada.hears(&[CALLER_HZ, BOB_HZ], "Ada hears both");
    bob.hears(&[CALLER_HZ, ADA_HZ], "Bob hears both");
    ada.lamp("Recording", "contract: test");
    office.audited("call.conference", 1);
    // Ada leaves the two of them.
    ada.page.click("Complete transfer");
    ada.is("ready");
    caller.hears(BOB_HZ, "the caller still hears Bob");
    bob.page.click("Hang up");
    let mut caller = caller;
    caller.is_hung_up();
    let all: Vec<Value> = office.server.rows(&["recordings", "list"]);
    let heard = |hz: f64| all.iter().map(|row| seconds_of(hz, &office.channels(row)[1])).sum::<f64>();
    assert!(heard(ADA_HZ) > 0.5 && heard(BOB_HZ) > 0.5, "both agents stand on channel 1");
    office.is_empty();
}

#[test]
fn who_declines_is_told_of_and_a_number_outside_is_reached() {
    let _machine = shared();
    let mut carrier = Phone::new(([127, 0, 0, 1], 9).into(), [127, 0, 0, 2], "carrier");
    let trunk = format!("[trunk.carrier.outbound]\nserver = \"sip:{}\"\n[number.", carrier.local());
    let settings = Office::settings(ALWAYS, "").replacen("[number.", &trunk, 1);
    let office = Office { server: Server::start(&settings) };
    carrier.serve(office.server.udp);
    let (ada, bob) = (office.ada(), office.clerk("bob", BOB_HZ));
    bob.is_ready();
    let mut caller = office.caller_unasked();
    ada.answer();
    caller.hears(ADA_HZ, "the caller hears Ada");
    ada.consult("Bob");
    bob.page.click("Decline");
    ada.call("the caller's conversation", |call| call["phase"] == "talking");
    ada.page.see("Nobody could be reached there.");
    caller.hears(ADA_HZ, "the caller hears Ada again");

    ada.transfer_outside("+358 40 1234567");
    let invite = carrier.rung_within(SOON);
    assert_eq!(invite.user_of("P-Asserted-Identity"), Some(CALLER), "{invite:?}");
    assert!(invite.start.contains("+358401234567"), "{}", invite.start);
    carrier.pick_up();
    let outside = carrier.talk(tone(BOB_HZ));
    caller.hears(BOB_HZ, "the caller hears who is outside");
    hears(&outside, CALLER_HZ, 0.5, "and is heard there");
    ada.is("ready");
    caller.hangs_up();
    carrier.take("BYE", SOON);
    let row = office.audited("call.transferred", 1).remove(0);
    assert_eq!((&row["new"], &row["about"]), (&"a number outside".into(), &"+358401234567".into()), "{row}");
    assert!(!office.server.whole_log().contains("358401234567"), "no number in the log");
    office.is_empty();
}
