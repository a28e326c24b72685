//! What phones and carriers do with a dialog beside beginning and ending it: reliable ringing, UPDATE,
//! session timers, forks, what is told of a call, and what is asked of us that we do not do.

use std::time::{Duration, Instant};

use crate::harness::audio::tone;
use crate::harness::desk::{
    ADA_HZ, CALLER, CALLER_HZ, Desk, LATER, NEVER, NUMBER, Voices, hears, is_empty, only_call,
};
use crate::harness::phone::{Phone, SOON, register_for};
use crate::harness::server::{Server, password, settings};
use crate::harness::sip::Message;
use crate::harness::sipp::{Calls, Sipp};
use crate::harness::{shared, until};

/// The words of a header, all of its lines taken together.
fn has_word(message: &Message, name: &str, word: &str) -> bool {
    message.all(name).flat_map(|value| value.split(',')).any(|value| value.trim() == word)
}

/// RSeq of a reliable provisional response.
fn rseq(message: &Message) -> u32 {
    assert!(has_word(message, "Require", "100rel"), "{}: Require: 100rel", message.start);
    message.get("RSeq").and_then(|value| value.parse().ok()).expect("RSeq")
}

#[test]
fn ringing_is_reliable_where_the_caller_requires_it() {
    let _machine = shared();
    let bob = "[agent.bob]\npassword = \"secret-of-bob\"\nqueues = []\n";
    let mut desk = Desk::with(NEVER, "", bob);
    // A caller from outside is answered at once: there is nothing to be reliable about.
    let offer = desk.caller.describe("sendrecv");
    desk.caller.invite(NUMBER, &[("Require", "100rel")], Some(&offer));
    let first = desk.caller.wait(SOON, "more than 100", |m| m.status().is_some_and(|status| status > 100));
    assert_eq!(first.status(), Some(200));
    desk.caller.answered(&first);
    let voices = desk.meet();
    // Ada's second line rings while Bob's phone does, and insists on hearing that.
    let mut bob = Phone::new(desk.server.udp, [127, 0, 0, 1], "bob");
    bob.register(&password("bob"), 3600);
    let mut second = Phone::new(desk.server.udp, [127, 0, 0, 1], "ada");
    second.call_with("bob", &password("ada"), &[("Require", "100rel")]);
    bob.rung_within(SOON);
    bob.reply(180, "Ringing");
    let ringing = second.provisional(180);
    let (number, (cseq, _)) = (rseq(&ringing), ringing.cseq().expect("CSeq"));
    let again = second.provisional(180);
    assert_eq!(rseq(&again), number, "sent again until its PRACK comes");
    second.early_dialog(&ringing);
    assert_eq!(second.prack(&format!("{} {cseq} INVITE", number + 1)), Some(481), "names none of ours");
    assert_eq!(second.prack(&format!("{number} {cseq} INVITE")), Some(200));
    assert_eq!(second.prack(&format!("{number} {cseq} INVITE")), Some(481), "a second time");
    second.never(Duration::from_secs(2), "acknowledged", |m| m.status() == Some(180));
    bob.pick_up();
    let answer = second.response("INVITE");
    assert_eq!((answer.status(), answer.cseq()), (Some(200), Some((cseq, "INVITE"))));
    second.answered_late_ack(&answer, cseq);
    let bobs = bob.talk(tone(1_130.0));
    let adas = second.talk(tone(1_510.0));
    hears(&adas, 1_130.0, 0.5, "Ada hears Bob");
    hears(&bobs, 1_510.0, 0.5, "Bob hears Ada");
    second.bye();
    bob.take("BYE", SOON);
    voices.hear_each_other();
    desk.ends();
}

#[test]
fn an_agent_s_phone_answers_early_and_reliably() {
    let _machine = shared();
    let mut desk = Desk::new(NEVER, "");
    desk.caller.call_answered(NUMBER);
    let caller = desk.caller.talk(tone(CALLER_HZ));
    let invite = desk.ada.rung_within(LATER);
    assert!(has_word(&invite, "Supported", "100rel"), "{invite:?}");
    let (tag, (cseq, _)) = (desk.ada.own_tag(), invite.cseq().expect("CSeq"));
    let answer = desk.ada.describe("sendrecv");
    let reliable = [("Require", "100rel"), ("RSeq", "7")];
    desk.ada.reply_as(&tag, 183, &reliable, Some(&answer));
    let prack = desk.ada.expects("PRACK", SOON);
    assert_eq!(prack.get("RAck"), Some(format!("7 {cseq} INVITE").as_str()));
    desk.ada.answer(&prack, &tag, 200, &[], None);
    // The same again, as when our 200 to the PRACK was late, is none that is new; the next one is.
    desk.ada.reply_as(&tag, 183, &reliable, Some(&answer));
    desk.ada.reply_as(&tag, 180, &[("Require", "100rel"), ("RSeq", "8")], None);
    let prack = desk.ada.expects("PRACK", SOON);
    assert_eq!(prack.get("RAck"), Some(format!("8 {cseq} INVITE").as_str()));
    desk.ada.answer(&prack, &tag, 200, &[], None);
    // The answer came with the 183: none in the 200.
    desk.ada.reply_as(&tag, 200, &[], None);
    desk.ada.expects("ACK", SOON);
    desk.ada.enter(&tag);
    let ada = desk.ada.talk(tone(ADA_HZ));
    Voices { caller, ada }.hear_each_other();
    assert_eq!(desk.call()["call"]["agent"], "ada");
    desk.ends();
}

#[test]
fn an_update_moves_a_phone_and_describes_it_anew() {
    let _machine = shared();
    let mut desk = Desk::new(NEVER, "");
    let voices = desk.connect();
    // A target refresh: the BYE goes to where the phone is now.
    let _old = desk.caller.move_away();
    let moved = desk.caller.asked("UPDATE", &[], None);
    assert_eq!((moved.status(), moved.body.len()), (Some(200), 0));
    assert!(has_word(&moved, "Allow", "UPDATE"), "{moved:?}");
    // An offer: its answer, and audio that goes on.
    let offer = desk.caller.describe("sendrecv");
    let answer = desk.caller.asked("UPDATE", &[], Some(&offer));
    assert_eq!(answer.status(), Some(200));
    assert!(String::from_utf8_lossy(&answer.body).contains("m=audio"), "{answer:?}");
    voices.hear_each_other();
    // An older one, come late, changes nothing.
    desk.caller.set_cseq(1);
    assert_eq!(desk.caller.asked("UPDATE", &[], None).status(), Some(500), "out of order");
    desk.ada.bye();
    desk.caller.take("BYE", SOON);
    desk.is_empty();
}

#[test]
fn session_timers_are_agreed_on_with_both_sides() {
    let _machine = shared();
    let mut desk = Desk::new(NEVER, "");
    let timer = ("Supported", "timer");
    let offer = desk.caller.describe("sendrecv");
    let short = desk.caller.invited(NUMBER, &[timer, ("Session-Expires", "60")], Some(&offer));
    assert_eq!((short.status(), short.get("Min-SE")), (Some(422), Some("90")));
    let wish = [timer, ("Session-Expires", "90;refresher=uac"), ("Min-SE", "90")];
    let answer = desk.caller.invited(NUMBER, &wish, Some(&offer));
    let granted = |answer: &Message| {
        assert_eq!(answer.status(), Some(200));
        assert!(has_word(answer, "Require", "timer"), "{answer:?}");
        assert_eq!(answer.get("Session-Expires"), Some("90;refresher=uac"));
    };
    granted(&answer);
    let caller = desk.caller.talk(tone(CALLER_HZ));
    // Ada's phone wants it longer than we do.
    let invite = desk.ada.rung_within(LATER);
    let asked: u32 = invite.get("Session-Expires").and_then(|value| value.parse().ok()).expect("seconds");
    assert!(asked >= 90 && invite.get("Min-SE") == Some("90"), "{invite:?}");
    let longer = (asked + 600).to_string();
    desk.ada.reply_as(&desk.ada.own_tag(), 422, &[("Min-SE", &longer)], None);
    let invite = desk.ada.wait(SOON, "a longer one", |m| m.get("Session-Expires") == Some(&longer));
    assert_eq!((invite.method(), invite.get("Min-SE")), (Some("INVITE"), Some(longer.as_str())));
    desk.ada.invite = Some(invite.clone());
    desk.ada.hear_at(&invite);
    desk.ada.pick_up_with(&[("Require", "timer"), ("Session-Expires", &format!("{longer};refresher=uas"))]);
    let ada = desk.ada.talk(tone(ADA_HZ));
    let voices = Voices { caller, ada };
    voices.hear_each_other();
    // Refreshes, by both methods, each granted anew; too short a one is not, and ends nothing.
    granted(&desk.caller.asked("UPDATE", &wish, None));
    let offer = desk.caller.describe("sendrecv");
    granted(&desk.caller.asked("INVITE", &wish, Some(&offer)));
    let short = [timer, ("Session-Expires", "60")];
    assert_eq!(desk.caller.asked("UPDATE", &short, None).status(), Some(422));
    let wish = [timer, ("Session-Expires", &*format!("{longer};refresher=uac"))];
    let refreshed = desk.ada.asked("UPDATE", &wish, None);
    assert!(refreshed.get("Session-Expires").is_some_and(|value| value.ends_with("refresher=uac")));
    voices.hear_each_other();
    desk.ends();
}

/// RFC 4028 §10 in real time: the shortest session there is takes 45 s to its refresh.
#[test]
fn the_server_refreshes_where_that_is_its_part() {
    let _machine = shared();
    let server = Server::start(&settings(NEVER, &[]));
    let wish = ("Session-Expires", "90;refresher=uas");
    let call = |allow: &str| {
        let mut phone = Phone::new(server.udp, [127, 0, 0, 1], CALLER);
        let offer = phone.describe("sendrecv");
        let answer = phone.invited(NUMBER, &[("Supported", "timer"), wish, ("Allow", allow)], Some(&offer));
        assert_eq!((answer.status(), answer.get("Session-Expires")), (Some(200), Some(wish.1)));
        let breath = phone.talk(tone(CALLER_HZ));
        (phone, breath, Instant::now())
    };
    let mut updated = call("INVITE, ACK, BYE, CANCEL, UPDATE");
    let mut reinvited = call("INVITE, ACK, BYE, CANCEL");
    for ((phone, _, since), method) in [(&mut updated, "UPDATE"), (&mut reinvited, "INVITE")] {
        let refresh = phone.expects(method, Duration::from_secs(50));
        let after = since.elapsed().as_secs_f64();
        assert!((42.0..50.0).contains(&after), "{method} after {after:.1} s, 45 expected");
        assert_eq!(refresh.get("Session-Expires"), Some("90;refresher=uac"), "the roles are the request's");
        match method {
            "UPDATE" => {
                assert!(refresh.body.is_empty());
                let tag = phone.local_tag();
                phone.answer(
                    &refresh,
                    &tag,
                    200,
                    &[("Require", "timer"), ("Session-Expires", "90;refresher=uac")],
                    None,
                );
            }
            _ => {
                phone.accept(&refresh);
                phone.expects("ACK", SOON);
            }
        }
        phone.bye();
    }
    is_empty(&server);
}

#[test]
fn of_two_forks_that_answer_one_is_kept() {
    let _machine = shared();
    let mut desk = Desk::new(NEVER, "");
    desk.caller.call_answered(NUMBER);
    let caller = desk.caller.talk(tone(CALLER_HZ));
    desk.ada.rung_within(LATER);
    // A proxy has sent it to two phones: both ring, both are picked up.
    let sdp = desk.ada.describe("sendrecv");
    for tag in ["one", "two"] {
        desk.ada.reply_as(tag, 180, &[], None);
    }
    for tag in ["one", "two"] {
        desk.ada.reply_as(tag, 200, &[], Some(&sdp));
    }
    let (mut acks, mut byes) = (Vec::new(), Vec::new());
    until(SOON, "two ACKs and a BYE", || {
        let message = desk.ada.receive(Instant::now() + Duration::from_millis(500))?;
        let to = message.get("To").expect("To").rsplit_once("tag=").expect("a tag").1.to_owned();
        match message.method() {
            Some("ACK") => acks.push(to),
            Some("BYE") => {
                desk.ada.answer(&message, &to, 200, &[], None);
                byes.push(to);
            }
            _ => {}
        }
        (acks.len() >= 2 && !byes.is_empty()).then_some(())
    });
    acks.sort();
    assert_eq!((acks, byes), (vec!["one".to_owned(), "two".to_owned()], vec!["two".to_owned()]));
    desk.ada.enter("one");
    let ada = desk.ada.talk(tone(ADA_HZ));
    let voices = Voices { caller, ada };
    voices.hear_each_other();
    desk.ends();
}

#[test]
fn of_two_phones_of_an_agent_one_is_kept() {
    let _machine = shared();
    let mut desk = Desk::new(NEVER, "");
    let mut other = Phone::new(desk.server.udp, [127, 0, 0, 1], "ada");
    other.register(&password("ada"), 3600);
    desk.caller.call_answered(NUMBER);
    let caller = desk.caller.talk(tone(CALLER_HZ));
    desk.ada.rung_within(LATER);
    other.rung_within(SOON);
    // Both are picked up at the same moment.
    let (first, second) = (desk.ada.describe("sendrecv"), other.describe("sendrecv"));
    desk.ada.reply_as(&desk.ada.own_tag(), 200, &[], Some(&first));
    other.reply_as(&other.own_tag(), 200, &[], Some(&second));
    desk.ada.expects("ACK", SOON);
    other.expects("ACK", SOON);
    let bye = other.expects("BYE", SOON);
    assert!(bye.get("Reason").is_some_and(|reason| reason.starts_with("SIP;cause=200")), "{bye:?}");
    other.answer(&bye, "", 200, &[], None);
    desk.ada.enter(&desk.ada.own_tag());
    let ada = desk.ada.talk(tone(ADA_HZ));
    Voices { caller, ada }.hear_each_other();
    desk.ends();
}

#[test]
fn what_cannot_be_done_is_said() {
    let _machine = shared();
    let mut desk = Desk::new(NEVER, "");
    let offer = desk.caller.describe("sendrecv");
    let gone = "nobody@nowhere;to-tag=1;from-tag=2";
    for (more, status) in [
        (&[("Require", "join"), ("Join", gone)][..], 420),
        (&[("Require", "100rel, teleport")], 420),
        (&[("Replaces", gone)], 481),
        (&[("Replaces", gone), ("Join", gone)], 400),
        (&[("Replaces", "nonsense")], 400),
        (&[("Content-Encoding", "gzip")], 415),
    ] {
        let answer = desk.caller.invited(NUMBER, more, Some(&offer));
        assert_eq!(answer.status(), Some(status), "{more:?}");
        if status == 420 {
            let missing = if more.len() == 2 { "join" } else { "teleport" };
            assert_eq!(answer.get("Unsupported"), Some(missing), "{more:?}");
        }
    }
    assert!(desk.server.rows(&["calls", "list"]).is_empty(), "none of them was a call");
    // Join alone is a wish, which may be ignored (RFC 3911 §4).
    assert_eq!(desk.caller.invited(NUMBER, &[("Join", gone)], Some(&offer)).status(), Some(200));
    let _voices = desk.meet();
    assert_eq!(desk.caller.asked("INFO", &[("Require", "teleport")], None).status(), Some(420));
    let mistaken = desk.caller.asked("PRACK", &[("RAck", "1 1 INVITE")], None);
    assert_eq!(mistaken.status(), Some(481), "nothing waits for it");
    desk.ends();
}

/// The caller hangs up while Ada's phone rings, which is told why it stops.
fn given_up(desk: &mut Desk) {
    desk.ada.reply(180, "Ringing");
    desk.server.phase("ringing");
    desk.caller.bye();
    let cancel = desk.ada.expects("CANCEL", SOON);
    assert!(cancel.get("Reason").is_some(), "{cancel:?}");
    desk.ada.answer(&cancel, "", 200, &[], None);
    desk.ada.reply(487, "Request Terminated");
    desk.is_empty();
}

#[test]
fn who_calls_and_how_is_told_to_the_agent_s_phone() {
    let _machine = shared();
    let mut desk = Desk::new(NEVER, "");
    let offer = desk.caller.describe("sendrecv");
    let told = [
        ("P-Asserted-Identity", "\"Erika\" <sip:+4930777001@carrier.example>"),
        ("Diversion", "<sip:+4930888@carrier.example>;reason=no-answer"),
        ("History-Info", "<sip:+4930888@carrier.example>;index=1"),
        ("User-to-User", "00c0ffee;encoding=hex"),
    ];
    assert_eq!(desk.caller.invited(NUMBER, &told, Some(&offer)).status(), Some(200));
    let invite = desk.ada.rung_within(LATER);
    assert_eq!(invite.user_of("P-Asserted-Identity"), Some("+4930777001"), "{invite:?}");
    assert_eq!(invite.user_of("From"), Some("+4930777001"), "{invite:?}");
    for (name, value) in &told[1..] {
        assert!(invite.all(name).any(|line| line == *value), "{name}: {invite:?}");
    }
    assert_eq!(invite.get("Privacy"), None);
    given_up(&mut desk);
    // Who withholds the number is named to the network alone, never to a phone.
    let private = [told[0], ("Privacy", "id")];
    assert_eq!(desk.caller.invited(NUMBER, &private, Some(&offer)).status(), Some(200));
    let invite = desk.ada.rung_within(LATER);
    assert!(invite.get("From").is_some_and(|from| from.to_lowercase().contains("anonymous")), "{invite:?}");
    assert!(!invite.headers.iter().any(|(_, value)| value.contains("4930777001")), "{invite:?}");
    assert!(!invite.headers.iter().any(|(_, value)| value.contains("4930555001")), "{invite:?}");
    given_up(&mut desk);
    assert!(!desk.server.whole_log().contains("4930777001"), "no number in the log");
}

#[test]
fn why_a_call_ended_is_heard_and_told() {
    let _machine = shared();
    let mut desk = Desk::new(NEVER, "");
    let voices = desk.connect();
    desk.ada.bye_with(&[("Reason", "Q.850;cause=41;text=\"line cut, again\"")]);
    let bye = desk.caller.take("BYE", SOON);
    assert!(bye.get("Reason").is_some_and(|reason| reason.contains("cause=")), "{bye:?}");
    drop(voices);
    desk.is_empty();
    let call = desk.call();
    assert_eq!(call["legs"][1]["cause"], "unreachable", "{call:#}");
}

/// The same by another's SIP: late offer, UPDATE, both holds; answered in a reliable 183.
#[test]
fn sipp_offers_late_and_sipp_answers_early() {
    let _machine = shared();
    let server = Server::start(&settings(NEVER, &["ada"]));
    let at = Sipp::address();
    register_for(server.udp, at, "ada");
    let _agent = Sipp::answer("reliable.xml", at);
    let calls = Calls { total: 1, rate: 1, at_once: 1, hold: Duration::from_secs(7) };
    let caller = Sipp::call("late.xml", server.udp, NUMBER, calls);
    server.phase("talking");
    assert_eq!(caller.succeeded(Duration::from_secs(40)), 1);
    let call = only_call(&server);
    assert_eq!(
        (&call["call"]["agent"], &call["legs"][0]["cause"]),
        (&"ada".into(), &"hung-up".into()),
        "{call:#}"
    );
    is_empty(&server);
}
