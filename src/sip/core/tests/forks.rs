//! Our INVITEs: to an agent's phones, and with a password.

use std::time::Duration;

use bytes::Bytes;

use super::bench::{Bench, Request, Sent, US, reply, udp};
use crate::call::Cause;
use crate::ids::AgentId;
use crate::sip::core::{Callee, Command, DialogId, Event, Flow, Login, Media, Transport};

fn phones() -> [Flow; 2] {
    [udp(US, "192.0.2.7:5062"), udp(US, "192.0.2.8:5062")]
}

/// Registers ada's phone at this address.
fn register(bench: &mut Bench, phone: Flow, expires: u32) -> Sent {
    let host = phone.remote;
    let mut request = Request::new("REGISTER", &format!("reg{host}"), 1)
        .with(&format!("Contact: <sip:ada@{host};line=1>"))
        .with(&format!("Expires: {expires}"));
    request.cseq = u32::try_from(bench.now.as_micros() / 1_000_000 % 1_000_000).unwrap() * 2;
    request.branch = format!("z9hG4bK{host}{}", bench.now.as_micros());
    request.uri = "sip:sayso.test".to_owned();
    request.via = format!("SIP/2.0/UDP {host}");
    request.from = "<sip:ada@sayso.test>;tag=reg".to_owned();
    request.to = "<sip:ada@sayso.test>".to_owned();
    bench.receive(phone, request.text());
    let challenge = bench.next();
    assert_eq!(challenge.status(), 401);
    bench.receive(phone, super::bench_login(&request, &challenge, "ada", "secret").text());
    let answer = bench.next();
    // A copy is absorbed: the nonce count of its password is used up.
    bench.receive(phone, super::bench_login(&request, &challenge, "ada", "secret").text());
    assert_eq!(bench.next().text, answer.text);
    answer
}

fn invite(bench: &mut Bench, to: Callee) -> DialogId {
    let dialog = bench.endpoint.new_dialog();
    bench.command(Command::Invite {
        dialog,
        to,
        from: "+4930123".to_owned(),
        sdp: Bytes::from_static(b"offer"),
        particulars: Box::default(),
    });
    dialog
}

/// Two registered phones of ada, both called.
fn ringing() -> (Bench, DialogId, [Sent; 2]) {
    let mut bench = Bench::new();
    for phone in phones() {
        assert_eq!(register(&mut bench, phone, 600).status(), 200);
    }
    assert!(matches!(bench.event(), Event::Registered { on: true, .. }));
    let dialog = invite(&mut bench, Callee::Agent { agent: AgentId::from("ada"), media: Media::Rtp });
    let sent = [bench.next(), bench.next()];
    for (invite, phone) in sent.iter().zip(phones()) {
        assert!(
            invite.text.starts_with(&format!("INVITE sip:ada@{};line=1 SIP/2.0", phone.remote)),
            "{}",
            invite.text
        );
        assert_eq!((invite.flow, invite.body()), (phone, "offer"));
        assert!(invite.header("From").starts_with("<sip:+4930123@10.0.0.1>;tag="));
        bench.receive(phone, reply(invite, 180, "t", "", ""));
        assert!(matches!(bench.event(), Event::Ringing { sdp: None, .. }));
    }
    (bench, dialog, sent)
}

const ANSWER: &str = "Contact: <sip:ada@192.168.0.1>\r\nContent-Type: application/sdp\r\n";

#[test]
fn a_phone_registers_is_listed_and_leaves() {
    let mut bench = Bench::new();
    let [phone, _] = phones();
    let ok = register(&mut bench, phone, 600);
    assert_eq!(ok.header("Contact"), "<sip:ada@192.0.2.7:5062;line=1>;expires=600");
    assert!(matches!(bench.event(), Event::Registered { on: true, .. }));
    assert_eq!(bench.endpoint.sizes().registrations, 1);
    bench.pass(Duration::from_secs(100));
    let brief = register(&mut bench, phone, 5);
    assert_eq!((brief.status(), brief.header("Min-Expires")), (423, "30"));
    bench.pass(Duration::from_secs(501));
    assert!(matches!(bench.event(), Event::Registered { on: false, .. }));
    assert_eq!(bench.endpoint.sizes().registrations, 0);
    bench.is_clean();
}

#[test]
fn one_may_not_register_for_another() {
    let mut bench = Bench::new();
    let mut request = Request::new("REGISTER", "other", 1).with("Contact: <sip:bob@192.0.2.7>");
    request.to = "<sip:bob@sayso.test>".to_owned();
    bench.trunk(request.text());
    let challenge = bench.next();
    bench.trunk(super::bench_login(&request, &challenge, "ada", "secret").text());
    assert_eq!(bench.statuses(), [403]);
    assert_eq!(bench.endpoint.sizes().registrations, 0);
}

#[test]
fn the_first_answer_wins_and_the_other_phone_is_cancelled() {
    let (mut bench, dialog, [one, two]) = ringing();
    let [first, second] = phones();
    bench.receive(first, reply(&one, 200, "t1", ANSWER, "yes"));
    let (ack, cancel) = (bench.next(), bench.next());
    assert_eq!((ack.method(), ack.flow), ("ACK", first));
    assert_eq!((cancel.method(), cancel.flow), ("CANCEL", second));
    assert!(cancel.header("Reason").contains("cause=200"));
    assert_eq!(cancel.header("Via"), two.header("Via"));
    assert!(matches!(bench.event(), Event::Answered { sdp: Some(sdp), .. } if sdp == "yes"));
    bench.receive(second, reply(&cancel, 200, "", "", ""));
    bench.receive(second, reply(&two, 487, "t2", "", ""));
    assert_eq!(bench.next().method(), "ACK");
    // The 200 again: the same ACK again.
    bench.receive(first, reply(&one, 200, "t1", ANSWER, "yes"));
    assert_eq!(bench.next().text, ack.text);
    bench.command(Command::Hangup { dialog, cause: Cause::OtherSideGone });
    let bye = bench.next();
    assert!(bye.text.starts_with("BYE sip:ada@192.168.0.1 SIP/2.0"));
    assert_eq!(bye.flow, first, "back the way it registered");
    bench.receive(first, reply(&bye, 200, "", "", ""));
    bench.is_clean();
}

#[test]
fn when_both_answer_the_second_is_acknowledged_and_hung_up() {
    let (mut bench, dialog, [one, two]) = ringing();
    let [first, second] = phones();
    bench.receive(first, reply(&one, 200, "t1", ANSWER, "yes"));
    bench.receive(second, reply(&two, 200, "t2", ANSWER, "me too"));
    let methods: Vec<_> = bench.sent.drain(..).map(|sent| sent.method().to_owned()).collect();
    assert_eq!(methods, ["ACK", "CANCEL", "ACK", "BYE"]);
    // Another phone behind the first contact.
    bench.receive(first, reply(&one, 200, "t3", ANSWER, "and me"));
    let methods: Vec<_> = bench.sent.drain(..).map(|sent| sent.method().to_owned()).collect();
    assert_eq!(methods, ["ACK", "BYE"]);
    assert!(matches!(bench.event(), Event::Answered { .. }));
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    assert_eq!(bench.events.len(), 1);
    bench.is_clean();
}

#[test]
fn refusals_are_weighed_and_a_6xx_speaks_for_all() {
    let (mut bench, _, [one, two]) = ringing();
    let [first, second] = phones();
    bench.receive(first, reply(&one, 486, "t1", "", ""));
    bench.receive(second, reply(&two, 500, "t2", "", ""));
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::Busy, status: Some(486), .. }));
    bench.is_clean();
    let (mut bench, _, [one, _]) = ringing();
    bench.receive(first, reply(&one, 603, "t1", "", ""));
    let methods: Vec<_> = bench.sent.drain(..).map(|sent| sent.method().to_owned()).collect();
    assert_eq!(methods, ["ACK", "CANCEL"]);
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::Declined, status: Some(603), .. }));
    bench.is_clean();
}

#[test]
fn a_hang_up_while_it_rings_cancels_and_a_late_answer_is_hung_up() {
    let (mut bench, dialog, [one, two]) = ringing();
    let [first, second] = phones();
    bench.command(Command::Hangup { dialog, cause: Cause::NoAnswer });
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::NoAnswer, status: None, .. }));
    let cancels: Vec<_> = bench.sent.drain(..).collect();
    assert!(cancels.len() == 2 && cancels.iter().all(|cancel| cancel.method() == "CANCEL"));
    bench.receive(first, reply(&one, 200, "t1", ANSWER, "too late"));
    let methods: Vec<_> = bench.sent.drain(..).map(|sent| sent.method().to_owned()).collect();
    assert_eq!(methods, ["ACK", "BYE"]);
    bench.receive(second, reply(&two, 487, "t2", "", ""));
    assert_eq!(bench.next().method(), "ACK");
    assert!(bench.events.is_empty());
    bench.is_clean();
}

#[test]
fn cancel_waits_for_a_provisional_response() {
    let mut bench = Bench::new();
    let [phone, _] = phones();
    register(&mut bench, phone, 600);
    let dialog = invite(&mut bench, Callee::Agent { agent: AgentId::from("ada"), media: Media::Rtp });
    let ours = bench.next();
    bench.command(Command::Hangup { dialog, cause: Cause::Cancelled });
    bench.nothing_sent();
    bench.receive(phone, reply(&ours, 100, "", "", ""));
    assert_eq!(bench.next().method(), "CANCEL");
    // Nobody ever answers that: all is forgotten after 64*T1.
    bench.is_clean();
}

#[test]
fn who_is_not_there_or_does_not_answer_is_unreachable() {
    let mut bench = Bench::new();
    invite(&mut bench, Callee::Agent { agent: AgentId::from("bob"), media: Media::Rtp });
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::Unreachable, status: None, .. }));
    register(&mut bench, phones()[0], 600);
    bench.events.clear();
    invite(&mut bench, Callee::Agent { agent: AgentId::from("ada"), media: Media::Rtp });
    bench.pass(Duration::from_secs(33));
    assert_eq!(bench.statuses(), [0; 7], "the INVITE, seven times");
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::Unreachable, status: Some(408), .. }));
    bench.is_clean();
}

#[test]
fn a_phone_that_rings_for_ever_is_given_up() {
    let (mut bench, _, _) = ringing();
    bench.pass(Duration::from_secs(201));
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::NoAnswer, .. }));
    assert!(bench.sent.iter().any(|sent| sent.method() == "CANCEL"));
    bench.is_clean();
}

fn login() -> Login {
    Login { user: "ada".to_owned(), password: "secret".to_owned() }
}

#[test]
fn a_challenge_is_answered_once() {
    let mut bench = Bench::new();
    let far = udp(US, "10.0.0.9:5060");
    let to = Callee::Uri {
        uri: "sip:100@example.com".to_owned(),
        remote: far.remote,
        transport: Transport::Udp,
        login: Some(login()),
    };
    invite(&mut bench, to);
    let first = bench.next();
    assert_eq!(first.flow, far);
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=MD5, qop=\"auth\"\r\n\
                     WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"\r\n";
    bench.receive(far, reply(&first, 401, "t", challenge, ""));
    let (ack, second) = (bench.next(), bench.next());
    assert_eq!(ack.method(), "ACK");
    assert_eq!((second.header("CSeq"), second.header("Call-ID")), ("2 INVITE", first.header("Call-ID")));
    assert!(second.header("Authorization").contains("algorithm=SHA-256"));
    assert!(!second.header("To").contains("tag"));
    bench.receive(far, reply(&second, 401, "t", challenge, ""));
    assert!(matches!(bench.event(), Event::Ended { status: Some(401), .. }));
    bench.is_clean();
}

#[test]
fn a_phone_of_ours_logs_on() {
    let mut bench = Bench::new();
    let far = udp(US, "10.0.0.9:5060");
    let dialog = DialogId(7);
    let register = |bench: &mut Bench| {
        let command = Command::Register {
            dialog,
            registrar: far.remote,
            transport: Transport::Udp,
            login: login(),
            expires: 60,
        };
        bench.command(command);
        bench.next()
    };
    let first = register(&mut bench);
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n";
    bench.receive(far, reply(&first, 401, "t", challenge, ""));
    let second = bench.next();
    assert!(second.header("Authorization").contains("username=\"ada\""));
    assert_eq!(second.headers("Via").count(), 1);
    bench.receive(far, reply(&second, 200, "t", "", ""));
    assert!(matches!(bench.event(), Event::Answered { dialog: done, sdp: None, .. } if done == dialog));
    let again = register(&mut bench);
    assert_eq!(again.header("Call-ID"), first.header("Call-ID"));
    assert_eq!(again.header("CSeq"), "3 REGISTER");
    bench.receive(far, reply(&again, 403, "t", "", ""));
    assert!(matches!(bench.event(), Event::Ended { status: Some(403), .. }));
    register(&mut bench);
    bench.pass(Duration::from_secs(33));
    assert!(matches!(bench.event(), Event::Ended { status: Some(408), .. }));
    bench.is_clean();
}
