//! Transfers as phones do them: blind and attended, to agents, queues and numbers outside; who hears whom,
//! and what of it is recorded. Every party speaks a tone of its own.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::api::Session;
use crate::harness::audio::{channels, rms, seconds_of, tone};
use crate::harness::phone::{Phone, SOON};
use crate::harness::rtp::Stream;
use crate::harness::server::{HELD_BY_CALLS, Server, password};
use crate::harness::{shared, until};

const NUMBER: &str = "+4930100";
const CALLER: &str = "+4930555001";
const OUTSIDE: &str = "+358401234567";
/// Ringing, prompts and the arming of a recording come before a phone rings.
const LATER: Duration = Duration::from_secs(15);

/// The voices.
const CALLER_HZ: f64 = 420.0;
const ADA_HZ: f64 = 710.0;
const BOB_HZ: f64 = 1_130.0;
/// Ada's second line, and a carrier's announcement.
const SECOND_HZ: f64 = 1_510.0;
const EARLY_HZ: f64 = 1_710.0;

/// A server with the caller's carrier at 127.0.0.2 and three phones: the caller's, Ada's and the target's.
struct Scene {
    server: Server,
    caller: Phone,
    ada: Phone,
}

/// What a conversation sounds like while it goes on.
struct Voices {
    caller: Stream,
    ada: Stream,
}

impl Scene {
    /// `carrier`: more keys of the trunk; calls to the outside go to `outside`.
    fn new(outside: &Phone, carrier: &str) -> Self {
        let at = outside.local();
        let settings = format!(
            "[trunk.carrier]\nnetworks = [\"127.0.0.2/32\"]\n{carrier}\n\
             [trunk.carrier.outbound]\nserver = \"sip:{at}\"\n\
             [number.\"{NUMBER}\"]\nqueue = \"support\"\n\
             [queue.support]\nlanguage = \"en\"\nwrap-up = \"0s\"\nring-timeout = \"4s\"\n\
             recording = \"always\"\nlegal-basis = {{ contract = \"test\" }}\n\
             [queue.sales]\nlanguage = \"en\"\nwrap-up = \"0s\"\nrecording = \"never\"\n\
             [agent.ada]\npassword = \"secret-of-ada\"\nqueues = [\"support\"]\n\
             [agent.bob]\npassword = \"secret-of-bob\"\nqueues = [\"sales\"]\n"
        );
        let server = Server::start(&settings);
        let mut ada = Phone::new(server.udp, [127, 0, 0, 1], "ada");
        ada.register(&password("ada"), 3600);
        let caller = Phone::new(server.udp, [127, 0, 0, 2], CALLER);
        Self { server, caller, ada }
    }

    /// The carrier's side of calls to the outside; its server's address is set when the server is there.
    fn carrier() -> Phone {
        Phone::new(([127, 0, 0, 1], 9).into(), [127, 0, 0, 2], "carrier")
    }

    fn bob(&self) -> Phone {
        let mut bob = Phone::new(self.server.udp, [127, 0, 0, 1], "bob");
        bob.register(&password("bob"), 3600);
        bob
    }

    /// The caller and Ada speak.
    fn connect(&mut self) -> Voices {
        self.connect_with(&[])
    }

    fn connect_with(&mut self, more: &[(&str, &str)]) -> Voices {
        self.caller.call_answered(NUMBER);
        let caller = self.caller.talk(tone(CALLER_HZ));
        self.ada.rung_within(LATER);
        self.ada.pick_up_with(more);
        let ada = self.ada.talk(tone(ADA_HZ));
        hears(&caller, ADA_HZ, 1.0, "the caller hears Ada");
        hears(&ada, CALLER_HZ, 1.0, "Ada hears the caller");
        Voices { caller, ada }
    }

    /// The recordings, the oldest first, once there are so many and all are sealed: their channels.
    fn recordings(&self, count: usize) -> Vec<Vec<Vec<i16>>> {
        let sealed = || {
            let rows = self.server.rows(&["recordings", "list"]);
            let whole = rows.iter().filter(|row| row["state"] == "stored").count();
            (whole == count).then_some(rows)
        };
        let mut rows = until(SOON * 2, &format!("{count} sealed recordings"), sealed);
        rows.retain(|row| row["state"] == "stored");
        rows.sort_by_key(|row| row["started_at"].as_str().map(str::to_owned));
        rows.iter().map(|row| channels(&self.server.export(row["id"].as_str().expect("an id")))).collect()
    }

    /// The only call, in full.
    fn call(&self) -> Value {
        let calls = self.server.rows(&["calls", "list"]);
        let [call] = calls.as_slice() else { panic!("one call: {calls:?}") };
        let id = call["id"].as_str().expect("an id");
        let output = self.server.run(&["calls", "show", id, "--json", "--config"], &[&self.server.config()]);
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn ends_clean(&self) {
        self.server.empty(&HELD_BY_CALLS[..3], SOON);
        self.server.audit_is_whole();
        let metrics = self.server.metrics();
        assert_eq!(metrics.sum("sayso_sip_commands_lost_total").unwrap_or(0.0), 0.0);
        assert_eq!(metrics.sum("sayso_mail_lost_total").unwrap_or(0.0), 0.0);
    }
}

/// Waits until so many more seconds of a voice are heard.
fn hears(ear: &Stream, hz: f64, seconds: f64, what: &str) {
    let from = ear.log(|log| log.heard.len());
    let end = std::time::Instant::now() + LATER;
    while ear.log(|log| seconds_of(hz, &log.heard[from..])) < seconds {
        if std::time::Instant::now() > end {
            let heard = ear.log(|log| log.heard[from..].to_vec());
            let voices = [CALLER_HZ, ADA_HZ, SECOND_HZ, BOB_HZ, EARLY_HZ];
            let voices: Vec<_> = voices.iter().map(|hz| (hz, seconds_of(*hz, &heard))).collect();
            panic!(
                "waited {LATER:?} for {what}: {} samples, loudness {:.0}, {voices:?}",
                heard.len(),
                rms(&heard)
            );
        }
        std::thread::sleep(Duration::from_millis(20)); // between two looks
    }
}

/// Kinds of a call's events.
fn kinds(call: &Value) -> Vec<&str> {
    call["events"].as_array().into_iter().flatten().filter_map(|event| event["kind"].as_str()).collect()
}

/// What our User-to-User value says.
fn user_to_user(invite: &crate::harness::sip::Message) -> String {
    let value = invite.get("User-to-User").expect("a User-to-User header");
    let octets = hex::decode(value.split(';').next().unwrap_or_default()).expect("hex");
    assert_eq!(octets.first(), Some(&4), "IA5 text");
    String::from_utf8(octets[1..].to_vec()).expect("text")
}

#[test]
fn blind_to_an_agent() {
    let _machine = shared();
    let mut scene = Scene::new(&Scene::carrier(), "");
    let mut bob = scene.bob();
    let voices = scene.connect();
    assert_eq!(scene.ada.refer("sip:bob@sayso"), Some(202));
    bob.rung_within(SOON);
    bob.reply(180, "Ringing");
    bob.pick_up();
    let bobs = bob.talk(tone(BOB_HZ));
    let told = scene.ada.notified(SOON);
    assert!(told.starts_with(&[100]) && told.ends_with(&[200]), "{told:?}");
    scene.ada.take("BYE", SOON);
    drop(voices.ada);
    hears(&voices.caller, BOB_HZ, 2.0, "the caller hears Bob");
    hears(&bobs, CALLER_HZ, 1.0, "Bob hears the caller");
    scene.caller.bye();
    bob.take("BYE", SOON);
    let recordings = scene.recordings(2);
    for (recording, agent, other) in [(&recordings[0], ADA_HZ, BOB_HZ), (&recordings[1], BOB_HZ, ADA_HZ)] {
        assert!(seconds_of(CALLER_HZ, &recording[0]) > 0.5, "the caller on channel 0");
        assert!(seconds_of(agent, &recording[1]) > 0.5, "the agent on channel 1");
        assert_eq!(seconds_of(other, &recording[1]), 0.0, "and nobody else");
    }
    let call = scene.call();
    assert!(kinds(&call).contains(&"transferred"), "{call}");
    assert_eq!(call["call"]["agent"], "bob", "{call}");
    assert!(scene.server.metrics().sum("sayso_transfers_total") >= Some(1.0));
    scene.ends_clean();
}

#[test]
fn blind_to_a_queue_keeps_the_first_queue_s_recording() {
    let _machine = shared();
    let mut scene = Scene::new(&Scene::carrier(), "");
    let mut bob = scene.bob();
    let voices = scene.connect();
    assert_eq!(scene.ada.refer("sip:sales@sayso"), Some(202));
    let told = scene.ada.notified(SOON);
    assert!(told.ends_with(&[200]), "{told:?}");
    scene.ada.take("BYE", SOON);
    bob.rung_within(LATER);
    bob.pick_up();
    let bobs = bob.talk(tone(BOB_HZ));
    hears(&voices.caller, BOB_HZ, 1.0, "the caller hears Bob");
    hears(&bobs, CALLER_HZ, 1.0, "Bob hears the caller");
    bob.bye();
    scene.caller.take("BYE", SOON);
    let recordings = scene.recordings(2);
    assert!(seconds_of(BOB_HZ, &recordings[1][1]) > 0.5, "sales records nothing, support does: it was first");
    let call = scene.call();
    assert_eq!((&call["call"]["first_queue"], &call["call"]["queue"]), (&"support".into(), &"sales".into()));
    scene.ends_clean();
}

#[test]
fn blind_to_a_number_outside() {
    let _machine = shared();
    let mut carrier = Scene::carrier();
    let mut scene = Scene::new(&carrier, "");
    carrier.serve(scene.server.udp);
    let voices = scene.connect();
    assert_eq!(scene.ada.refer(&format!("sip:{OUTSIDE}@sayso")), Some(202));
    let invite = carrier.rung_within(SOON);
    assert_eq!(
        invite.start.split(' ').nth(1).map(|uri| uri.contains(OUTSIDE)),
        Some(true),
        "{}",
        invite.start
    );
    assert_eq!(invite.user_of("P-Asserted-Identity"), Some(CALLER), "{invite:?}");
    assert!(invite.get("Referred-By").is_some_and(|by| by.contains("ada")), "{invite:?}");
    let told = user_to_user(&invite);
    let id = scene.server.rows(&["calls", "list"])[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(told, format!("sayso;call={id};recording=off;consent=contract"));
    // A carrier's announcement is heard by the caller who waits, and is in no recording.
    carrier.early();
    let announcement = carrier.talk(tone(EARLY_HZ));
    hears(&voices.caller, EARLY_HZ, 1.0, "the caller hears early media");
    drop(announcement);
    carrier.pick_up();
    let outside = carrier.talk(tone(BOB_HZ));
    assert!(scene.ada.notified(SOON).ends_with(&[200]));
    scene.ada.take("BYE", SOON);
    hears(&voices.caller, BOB_HZ, 1.0, "the caller hears who is outside");
    hears(&outside, CALLER_HZ, 1.0, "and is heard there");
    scene.caller.bye();
    carrier.take("BYE", SOON);
    let recordings = scene.recordings(2);
    assert!(seconds_of(BOB_HZ, &recordings[1][1]) > 0.5, "the recording goes on while we are in the path");
    for channel in recordings.iter().flatten() {
        assert_eq!(seconds_of(EARLY_HZ, channel), 0.0, "early media is not recorded");
    }
    let call = scene.call();
    let outside = call["legs"].as_array().and_then(|legs| legs.iter().find(|leg| leg["trunk"] == "carrier"));
    assert_eq!(outside.expect("a leg to the outside")["outside"], OUTSIDE, "{call}");
    assert!(!scene.server.whole_log().contains("358401234567"), "no number in the log");
    scene.ends_clean();
}

#[test]
fn a_busy_target_returns_and_a_silent_one() {
    let _machine = shared();
    let mut scene = Scene::new(&Scene::carrier(), "");
    let mut bob = scene.bob();
    let voices = scene.connect();
    assert_eq!(scene.ada.refer("sip:bob@sayso"), Some(202));
    bob.rung_within(SOON);
    bob.reply(486, "Busy Here");
    let told = scene.ada.notified(SOON);
    assert!(told.ends_with(&[486]), "{told:?}");
    hears(&voices.caller, ADA_HZ, 1.0, "the caller hears Ada again");
    hears(&voices.ada, CALLER_HZ, 1.0, "Ada hears the caller again");
    // The queue may think of a busy phone as it likes: this target is outside the house and never answers.
    assert_eq!(scene.ada.refer("sip:nobody@sayso"), Some(404));
    hears(&voices.caller, ADA_HZ, 1.0, "nothing has changed");
    scene.caller.bye();
    scene.ada.take("BYE", SOON);
    assert!(kinds(&scene.call()).contains(&"returned"));
    scene.ends_clean();
}

#[test]
fn a_silent_target_returns() {
    let _machine = shared();
    let mut carrier = Scene::carrier();
    let mut scene = Scene::new(&carrier, "");
    carrier.serve(scene.server.udp);
    let voices = scene.connect();
    assert_eq!(scene.ada.refer(&format!("sip:{OUTSIDE}@sayso")), Some(202));
    carrier.rung_within(SOON);
    carrier.reply(180, "Ringing");
    let told = scene.ada.notified(LATER);
    assert!(told.last().is_some_and(|status| *status >= 400), "{told:?}");
    carrier.wait(SOON, "a CANCEL", |m| m.method() == Some("CANCEL"));
    hears(&voices.caller, ADA_HZ, 1.0, "the caller hears Ada again");
    scene.caller.bye();
    scene.ada.take("BYE", SOON);
    scene.server.audit_is_whole();
}

/// Ada asks Bob on a second line. The caller hears music; what they say is in no recording.
fn consult(scene: &mut Scene, bob: &mut Phone) -> (Phone, Stream, Stream) {
    let mut second = Phone::new(scene.server.udp, [127, 0, 0, 1], "ada");
    second.call_as("bob", &password("ada"));
    bob.rung_within(SOON);
    bob.reply(180, "Ringing");
    second.wait(SOON, "ringing", |m| m.status() == Some(180));
    bob.pick_up();
    let answer = second.response("INVITE");
    assert_eq!(answer.status(), Some(200), "the second line");
    second.answered(&answer);
    let (adas, bobs) = (second.talk(tone(SECOND_HZ)), bob.talk(tone(BOB_HZ)));
    hears(&adas, BOB_HZ, 1.0, "Ada hears Bob");
    hears(&bobs, SECOND_HZ, 1.0, "Bob hears Ada's second line");
    (second, adas, bobs)
}

#[test]
fn attended_by_refer_with_replaces() {
    let _machine = shared();
    let mut scene = Scene::new(&Scene::carrier(), "");
    let mut bob = scene.bob();
    let voices = scene.connect();
    assert_eq!(scene.ada.reinvite("sendonly").status(), Some(200), "on hold");
    let (mut second, adas, bobs) = consult(&mut scene, &mut bob);
    let replaces = second.replaces().replace(';', "%3B").replace('=', "%3D");
    assert_eq!(scene.ada.refer(&format!("sip:bob@sayso?Replaces={replaces}")), Some(202));
    assert!(scene.ada.notified(SOON).ends_with(&[200]));
    scene.ada.take("BYE", SOON);
    second.take("BYE", SOON);
    drop((voices.ada, adas));
    hears(&voices.caller, BOB_HZ, 1.0, "the caller hears Bob");
    hears(&bobs, CALLER_HZ, 1.0, "Bob hears the caller");
    scene.caller.bye();
    bob.take("BYE", SOON);
    let recordings = scene.recordings(2);
    assert!(seconds_of(BOB_HZ, &recordings[1][1]) > 0.5, "the second conversation is recorded");
    for (n, channel) in recordings.iter().flatten().enumerate() {
        assert_eq!(seconds_of(SECOND_HZ, channel), 0.0, "the consultation is in no recording: {n}");
    }
    let call = scene.call();
    assert!(kinds(&call).contains(&"consulted") && kinds(&call).contains(&"transferred"), "{call}");
    let came = call["legs"].as_array().into_iter().flatten().filter(|leg| leg["direction"] == "in").count();
    assert_eq!(came, 2, "the caller's leg and the second line called in: {call}");
    scene.ends_clean();
}

/// How phones complete a consultation other than by REFER on the first line.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Completion {
    ReferOnTheSecond,
    HangingUpTheFirst,
    Code,
}

#[test]
fn attended_as_other_phones_do_it() {
    use Completion::{Code, HangingUpTheFirst, ReferOnTheSecond};
    let _machine = shared();
    for way in [ReferOnTheSecond, HangingUpTheFirst, Code] {
        let mut scene = Scene::new(&Scene::carrier(), "");
        let mut bob = scene.bob();
        let voices = scene.connect();
        let (mut second, adas, bobs) = consult(&mut scene, &mut bob);
        match way {
            ReferOnTheSecond => {
                let replaces = scene.ada.replaces().replace(';', "%3B").replace('=', "%3D");
                assert_eq!(second.refer(&format!("sip:caller@sayso?Replaces={replaces}")), Some(202));
                assert!(second.notified(SOON).ends_with(&[200]));
            }
            HangingUpTheFirst => scene.ada.bye(),
            Code => {
                second.press_info('*');
                second.press_info('4');
            }
        }
        if way != HangingUpTheFirst {
            scene.ada.take("BYE", SOON);
        }
        second.take("BYE", SOON);
        drop((voices.ada, adas));
        hears(&voices.caller, BOB_HZ, 1.0, "the caller hears Bob");
        hears(&bobs, CALLER_HZ, 1.0, "Bob hears the caller");
        scene.caller.bye();
        bob.take("BYE", SOON);
        let recordings = scene.recordings(2);
        assert!(seconds_of(BOB_HZ, &recordings[1][1]) > 0.5, "{way:?}: the second conversation is recorded");
        for channel in recordings.iter().flatten() {
            assert_eq!(seconds_of(SECOND_HZ, channel), 0.0, "{way:?}: the consultation is in no recording");
        }
        scene.ends_clean();
    }
}

/// Ada asks a number outside on a second line; it is called from the house's own number.
#[test]
fn a_consultation_with_somebody_outside() {
    let _machine = shared();
    let mut carrier = Scene::carrier();
    let mut scene = Scene::new(&carrier, "");
    scene.server.apply(&format!(
        "[trunk.carrier]\nnetworks = [\"127.0.0.2/32\"]\n[trunk.carrier.outbound]\nserver = \"sip:{}\"\n\
         caller-id = \"+4930100999\"\n",
        carrier.local()
    ));
    let applied = || scene.server.whole_log().contains("settings changed").then_some(());
    until(SOON, "the new settings", applied);
    carrier.serve(scene.server.udp);
    let voices = scene.connect();
    let mut second = Phone::new(scene.server.udp, [127, 0, 0, 1], "ada");
    second.call_as(OUTSIDE, &password("ada"));
    let invite = carrier.rung_within(SOON);
    assert_eq!(invite.user_of("From"), Some("+4930100999"), "the caller is not who asks");
    assert_eq!(invite.user_of("P-Asserted-Identity"), Some("+4930100999"));
    // The carrier's announcement is Ada's early media, not the caller's.
    carrier.early();
    let early = second.wait(SOON, "early media", |m| m.status() == Some(183));
    assert!(!early.body.is_empty(), "183 with SDP");
    second.hear_early(&early);
    let announcement = carrier.talk(tone(EARLY_HZ));
    let adas = second.talk(tone(SECOND_HZ));
    hears(&adas, EARLY_HZ, 1.0, "Ada hears early media");
    drop(announcement);
    carrier.reply(486, "Busy Here");
    let refused = second.response("INVITE");
    assert_eq!(refused.status(), Some(486), "{}", refused.start);
    second.refused(&refused);
    hears(&voices.caller, ADA_HZ, 1.0, "the caller hears Ada again");
    assert_eq!(voices.caller.log(|log| seconds_of(EARLY_HZ, &log.heard)), 0.0, "and never heard the carrier");
    scene.caller.bye();
    scene.ada.take("BYE", SOON);
    for channel in scene.recordings(2).iter().flatten() {
        assert_eq!(seconds_of(EARLY_HZ, channel), 0.0, "early media is not recorded");
    }
    scene.ends_clean();
}

#[test]
fn a_consultation_that_ends_brings_the_caller_back() {
    let _machine = shared();
    let mut scene = Scene::new(&Scene::carrier(), "");
    let mut bob = scene.bob();
    let voices = scene.connect();
    let (mut second, _adas, _bobs) = consult(&mut scene, &mut bob);
    second.bye();
    bob.take("BYE", SOON);
    hears(&voices.caller, ADA_HZ, 1.0, "the caller hears Ada again");
    hears(&voices.ada, CALLER_HZ, 1.0, "and Ada the caller");
    scene.caller.bye();
    scene.ada.take("BYE", SOON);
    scene.recordings(2);
    scene.ends_clean();
}

/// By the API: no fact of the call tells who ended it, so a row of its own does.
#[test]
fn a_consultation_that_is_ended_by_page_is_told() {
    let _machine = shared();
    let mut scene = Scene::new(&Scene::carrier(), "");
    scene.server.apply(
        "[user.ada]\nrole = \"agent\"\nagent = \"ada\"\npassword = \"secret-of-ada\"\nmust-change = false\n",
    );
    let mut bob = scene.bob();
    let voices = scene.connect();
    let ada = Session::open(scene.server.http, "ada", &password("ada"));
    let call = ada.call("the talk", |call| call["phase"] == "talking");
    let id = call["id"].as_str().expect("an id").to_owned();
    ada.does("POST", &format!("/calls/{id}/consult"), Some(json!({ "to": { "agent": "bob" } })));
    bob.rung_within(LATER);
    bob.pick_up();
    ada.call("the consultation", |call| call["phase"] == "consulting");
    ada.does("POST", &format!("/calls/{id}/end-consultation"), None);
    bob.take("BYE", SOON);
    hears(&voices.caller, ADA_HZ, 0.5, "the caller hears Ada again");
    let told = until(SOON, "an audit row", || {
        let rows = scene.server.rows(&["audit", "list", "--action", "call.consultation-ended"]);
        (!rows.is_empty()).then_some(rows)
    });
    let [told] = told.as_slice() else { panic!("once: {told:?}") };
    assert_eq!((&told["class"], &told["who"]), (&"system".into(), &"agent ada".into()), "{told}");
    assert_eq!((&told["what"], &told["new"]), (&format!("call {id}").into(), &Value::Null), "{told}");
    scene.caller.bye();
    scene.ada.take("BYE", SOON);
    scene.ends_clean();
}

#[test]
fn three_way_by_a_keypad_code() {
    let _machine = shared();
    let mut scene = Scene::new(&Scene::carrier(), "");
    let mut bob = scene.bob();
    let voices = scene.connect();
    let (mut second, adas, bobs) = consult(&mut scene, &mut bob);
    for key in ['*', '3'] {
        second.press_info(key);
    }
    scene.ada.take("BYE", SOON);
    drop(voices.ada);
    for (ear, hz, what) in [
        (&voices.caller, BOB_HZ, "the caller hears Bob"),
        (&voices.caller, SECOND_HZ, "the caller hears Ada"),
        (&bobs, CALLER_HZ, "Bob hears the caller"),
        (&bobs, SECOND_HZ, "Bob hears Ada"),
        (&adas, CALLER_HZ, "Ada hears the caller"),
        (&adas, BOB_HZ, "Ada hears Bob"),
    ] {
        hears(ear, hz, 0.5, what);
    }
    scene.caller.bye();
    second.take("BYE", SOON);
    bob.take("BYE", SOON);
    let recordings = scene.recordings(2);
    assert_eq!(scene.server.rows(&["audit", "list", "--action", "call.conference"]).len(), 1);
    for hz in [SECOND_HZ, BOB_HZ] {
        assert!(seconds_of(hz, &recordings[1][1]) > 0.5, "both others on channel 1");
    }
    scene.ends_clean();
}

#[test]
fn a_record_aware_phone_is_told() {
    let _machine = shared();
    let mut scene = Scene::new(&Scene::carrier(), "");
    scene.caller.call_answered(NUMBER);
    scene.ada.rung_within(LATER);
    scene.ada.pick_up_with(&[("Supported", "record-aware")]);
    let reinvite = scene.ada.wait(SOON, "a re-INVITE", |m| matches!(m.method(), Some("INVITE" | "UPDATE")));
    let body = String::from_utf8_lossy(&reinvite.body).into_owned();
    assert!(body.contains("a=record:on"), "{body}");
    scene.ada.accept(&reinvite);
    scene.caller.bye();
    scene.ada.take("BYE", SOON);
    scene.ends_clean();
}

#[test]
fn the_path_is_released_to_the_carrier() {
    let _machine = shared();
    let mut scene = Scene::new(&Scene::carrier(), "release-path = true");
    let voices = scene.connect();
    assert_eq!(scene.ada.refer(&format!("sip:{OUTSIDE}@sayso")), Some(202));
    let refer = scene.caller.wait(SOON, "a REFER", |m| m.method() == Some("REFER"));
    assert_eq!(refer.user_of("Refer-To"), Some(OUTSIDE), "{refer:?}");
    scene.caller.answer_refer(&refer, 200);
    assert!(scene.ada.notified(SOON).ends_with(&[200]));
    scene.ada.take("BYE", SOON);
    scene.caller.take("BYE", SOON);
    drop(voices);
    scene.recordings(1);
    scene.ends_clean();
}

#[test]
fn what_may_not_be_transferred_is_not() {
    let _machine = shared();
    let mut scene = Scene::new(&Scene::carrier(), "");
    let voices = scene.connect();
    assert_eq!(scene.caller.refer("sip:bob@sayso"), Some(403), "a caller sends nobody on");
    // Somebody else's phone cannot take the caller's place, nor can a trunk an agent's.
    let replaces = scene.ada.replaces();
    let mut thief = Phone::new(scene.server.udp, [127, 0, 0, 2], "+4930555999");
    thief.call_replacing("ada", &replaces);
    let answer = thief.response("INVITE");
    assert!(answer.status().is_some_and(|status| status == 403 || status == 481), "{}", answer.start);
    thief.refused(&answer);
    hears(&voices.caller, ADA_HZ, 1.0, "nothing has changed");
    scene.caller.bye();
    scene.ada.take("BYE", SOON);
    scene.ends_clean();
}

#[test]
fn an_agent_moves_to_another_phone() {
    let _machine = shared();
    let mut scene = Scene::new(&Scene::carrier(), "");
    let voices = scene.connect();
    // From the server's side the first phone's dialog has the server's tag as its local one.
    let replaces = scene.ada.replaces();
    let mut other = Phone::new(scene.server.udp, [127, 0, 0, 1], "ada");
    other.call_with("ada", &password("ada"), &[("Replaces", &replaces)]);
    let answer = other.response("INVITE");
    assert_eq!(answer.status(), Some(200), "INVITE with Replaces");
    other.answered(&answer);
    scene.ada.take("BYE", SOON);
    drop(voices.ada);
    let adas = other.talk(tone(BOB_HZ));
    hears(&voices.caller, BOB_HZ, 1.0, "the caller hears the other phone");
    hears(&adas, CALLER_HZ, 1.0, "and is heard there");
    scene.caller.bye();
    other.take("BYE", SOON);
    scene.recordings(2);
    assert!(kinds(&scene.call()).contains(&"replaced"));
    scene.ends_clean();
}
