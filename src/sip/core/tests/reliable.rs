//! Reliable provisional responses (RFC 3262), as callee and as caller.

use std::time::Duration;

use bytes::Bytes;

use super::bench::{Bench, Request, SDP, Sent, US, reply, udp};
use crate::call::Cause;
use crate::sip::core::{Callee, Command, DialogId, Event, Login, Transport};

pub(super) fn sdp(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// An INVITE that was told of, and 100 was sent.
pub(super) fn incoming(bench: &mut Bench, invite: &Request) -> DialogId {
    bench.trunk(invite.text());
    assert_eq!(bench.statuses(), [100]);
    bench.incoming().dialog
}

/// The PRACK of a reliable response.
pub(super) fn prack(invite: &Request, ringing: &Sent, cseq: u32) -> Request {
    invite.within(ringing, "PRACK", cseq).with(&format!(
        "RAck: {} {} INVITE",
        ringing.header("RSeq"),
        invite.cseq
    ))
}

fn able(call_id: &str) -> Request {
    Request::invite(call_id).with("Supported: timer, 100rel").with("Allow: INVITE, ACK, BYE, UPDATE, PRACK")
}

/// Early media that was acknowledged: the call and its 183.
pub(super) fn early(bench: &mut Bench, invite: &Request) -> (DialogId, Sent) {
    let dialog = incoming(bench, invite);
    bench.command(Command::Ring { dialog, sdp: Some(sdp("early")) });
    let ringing = bench.next();
    bench.trunk(prack(invite, &ringing, 2).text());
    assert_eq!(bench.statuses(), [200]);
    (dialog, ringing)
}

#[test]
fn early_media_is_sent_again_until_its_prack_and_the_200_waits() {
    let mut bench = Bench::new();
    let invite = able("e1");
    let dialog = incoming(&mut bench, &invite);
    bench.command(Command::Ring { dialog, sdp: Some(sdp("early")) });
    let ringing = bench.next();
    assert_eq!((ringing.status(), ringing.header("Require"), ringing.body()), (183, "100rel", "early"));
    assert!((1..1 << 31).contains(&ringing.header("RSeq").parse::<u32>().unwrap()));
    // 0.5, 1.5, 3.5, 7.5, 15.5: doubling without an end.
    for (span, copies) in [(499, 0), (2, 1), (1_000, 1), (2_000, 1), (4_000, 1), (7_990, 0), (10, 1)] {
        bench.pass(Duration::from_millis(span));
        assert_eq!(bench.sent.len(), copies);
        assert!(bench.sent.drain(..).all(|copy| copy.text == ringing.text));
    }
    bench.command(Command::Answer { dialog, sdp: sdp("early") });
    bench.command(Command::Ring { dialog, sdp: None });
    bench.nothing_sent();
    let mut wrong = prack(&invite, &ringing, 2);
    wrong.extra[0] = format!("RAck: {} 2 INVITE", ringing.header("RSeq"));
    bench.trunk(wrong.text());
    wrong = prack(&invite, &ringing, 3);
    wrong.extra[0] = "RAck: 7777777 1 INVITE".to_owned();
    bench.trunk(wrong.text());
    wrong = prack(&invite, &ringing, 4);
    wrong.extra[0] = "RAck: x".to_owned();
    bench.trunk(wrong.text());
    assert_eq!(bench.statuses(), [481, 481, 400]);
    let right = prack(&invite, &ringing, 5);
    bench.trunk(right.text());
    let (agreed, ok) = (bench.next(), bench.next());
    assert_eq!((agreed.status(), agreed.header("CSeq")), (200, "5 PRACK"));
    assert_eq!((ok.status(), ok.header("CSeq"), ok.body()), (200, "1 INVITE", ""), "it was said before");
    assert!(ok.header("Supported").contains("100rel"));
    bench.trunk(right.text());
    assert_eq!(bench.next().text, agreed.text, "a copy gets a copy");
    bench.trunk(invite.ack(&ok).text());
    assert!(matches!(bench.event(), Event::Confirmed { sdp: None, .. }));
    bench.trunk(prack(&invite, &ringing, 6).text());
    assert_eq!(bench.statuses(), [481], "it was acknowledged");
    bench.pass(Duration::from_secs(20));
    bench.nothing_sent();
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    bench.is_clean();
}

#[test]
fn who_insists_gets_all_reliably_one_after_the_other() {
    let mut bench = Bench::new();
    let invite = Request::invite("r1").with("Require: 100rel");
    let dialog = incoming(&mut bench, &invite);
    bench.command(Command::Ring { dialog, sdp: None });
    let first = bench.next();
    assert_eq!((first.status(), first.header("Require")), (180, "100rel"));
    bench.command(Command::Ring { dialog, sdp: Some(sdp("early")) });
    bench.nothing_sent();
    bench.trunk(prack(&invite, &first, 2).text());
    let (agreed, second) = (bench.next(), bench.next());
    assert_eq!((agreed.status(), second.status(), second.body()), (200, 183, "early"));
    let number = |sent: &Sent| sent.header("RSeq").parse::<u32>().unwrap();
    assert_eq!(number(&second), number(&first) + 1);
    bench.trunk(prack(&invite, &second, 3).text());
    assert_eq!(bench.statuses(), [200]);
    // A sign of life each minute has a number of its own.
    bench.pass(Duration::from_secs(60));
    let third = bench.next();
    assert_eq!((third.status(), number(&third), third.body()), (183, number(&first) + 2, ""));
    // A 2xx may overtake one without a description; its PRACK still finds an answer.
    bench.command(Command::Answer { dialog, sdp: sdp("early") });
    let ok = bench.next();
    assert_eq!((ok.status(), ok.body()), (200, ""));
    bench.trunk(prack(&invite, &third, 4).text());
    assert_eq!(bench.statuses(), [200]);
    bench.trunk(invite.ack(&ok).text());
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    bench.is_clean();
    // Who only can, gets a plain 180.
    let mut bench = Bench::new();
    let dialog = incoming(&mut bench, &able("r2"));
    bench.command(Command::Ring { dialog, sdp: None });
    let plain = bench.next();
    assert_eq!((plain.status(), plain.header("RSeq"), plain.header("Require")), (180, "", ""));
    bench.command(Command::Reject { dialog, status: 486 });
    bench.is_clean();
}

#[test]
fn without_a_prack_the_invite_is_refused_and_a_cancel_ends_the_waiting() {
    let mut bench = Bench::new();
    let dialog = incoming(&mut bench, &able("n1"));
    bench.command(Command::Ring { dialog, sdp: Some(sdp("early")) });
    bench.command(Command::Answer { dialog, sdp: sdp("early") });
    bench.pass(Duration::from_millis(31_999));
    assert!(bench.statuses().iter().all(|status| *status == 183));
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.statuses(), [504]);
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::Unreachable, status: Some(504), .. }));
    bench.is_clean();
    let mut bench = Bench::new();
    let invite = able("n2");
    let dialog = incoming(&mut bench, &invite);
    bench.command(Command::Ring { dialog, sdp: Some(sdp("early")) });
    bench.sent.clear();
    bench.trunk(invite.cancel().text());
    assert_eq!(bench.statuses(), [200, 487]);
    bench.pass(Duration::from_millis(600));
    assert!(!bench.statuses().contains(&183));
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::Cancelled, .. }));
    bench.is_clean();
}

#[test]
fn a_late_offer_may_be_made_and_answered_while_it_rings() {
    let late = |call_id: &str| Request::new("INVITE", call_id, 1).with("Contact: <sip:them@10.0.0.2>");
    let mut bench = Bench::new();
    let invite = late("l1").with("Supported: 100rel");
    let dialog = incoming(&mut bench, &invite);
    bench.command(Command::Ring { dialog, sdp: Some(sdp("offer")) });
    let ringing = bench.next();
    assert_eq!(ringing.body(), "offer");
    bench.command(Command::Answer { dialog, sdp: sdp("offer") });
    bench.trunk(prack(&invite, &ringing, 2).sdp().text());
    assert_eq!(bench.next().header("CSeq"), "2 PRACK");
    let ok = bench.next();
    assert_eq!((ok.status(), ok.body()), (200, ""));
    assert!(matches!(bench.event(), Event::Reinvited { sdp: Some(answer), .. } if answer == SDP));
    bench.trunk(invite.ack(&ok).text());
    assert!(matches!(bench.event(), Event::Confirmed { sdp: Some(answer), .. } if answer == SDP));
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    bench.is_clean();
    // Their answer is missing: the 200 offers once more, the ACK answers.
    let mut bench = Bench::new();
    let invite = late("l2").with("Require: 100rel");
    let dialog = incoming(&mut bench, &invite);
    bench.command(Command::Ring { dialog, sdp: None });
    bench.nothing_sent(); // the first must bear the offer
    bench.command(Command::Ring { dialog, sdp: Some(sdp("offer")) });
    let ringing = bench.next();
    bench.trunk(prack(&invite, &ringing, 2).text());
    bench.next();
    bench.command(Command::Answer { dialog, sdp: sdp("offer") });
    let ok = bench.next();
    assert_eq!(ok.body(), "offer");
    bench.trunk(invite.ack(&ok).sdp().text());
    assert!(matches!(bench.event(), Event::Confirmed { sdp: Some(_), .. }));
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    bench.is_clean();
    // An offer does not go out in what may get lost.
    let mut bench = Bench::new();
    let dialog = incoming(&mut bench, &late("l3"));
    bench.command(Command::Ring { dialog, sdp: Some(sdp("offer")) });
    let ringing = bench.next();
    assert_eq!((ringing.status(), ringing.body()), (180, ""));
    bench.command(Command::Reject { dialog, status: 486 });
    bench.is_clean();
}

#[test]
fn a_prack_may_bear_an_offer() {
    let mut bench = Bench::new();
    let invite = able("o1");
    let dialog = incoming(&mut bench, &invite);
    bench.command(Command::Ring { dialog, sdp: Some(sdp("early")) });
    let ringing = bench.next();
    bench.trunk(prack(&invite, &ringing, 2).sdp().text());
    assert!(matches!(bench.event(), Event::Reinvite { sdp: Some(offer), .. } if offer == SDP));
    bench.command(Command::Answer { dialog, sdp: sdp("early") });
    bench.nothing_sent(); // one offer at a time
    bench.command(Command::AcceptReinvite { dialog, sdp: sdp("fine") });
    let (agreed, ok) = (bench.next(), bench.next());
    assert_eq!((agreed.header("CSeq"), agreed.body()), ("2 PRACK", "fine"));
    assert_eq!((ok.header("CSeq"), ok.body()), ("1 INVITE", ""));
    bench.trunk(invite.ack(&ok).text());
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    bench.is_clean();
    // Refused, and while it is open the caller gives up.
    for cancel in [false, true] {
        let mut bench = Bench::new();
        let dialog = incoming(&mut bench, &invite);
        bench.command(Command::Ring { dialog, sdp: Some(sdp("early")) });
        let ringing = bench.next();
        bench.trunk(prack(&invite, &ringing, 2).sdp().text());
        if cancel {
            bench.trunk(invite.cancel().text());
            assert_eq!(bench.statuses(), [200, 487, 487], "CANCEL, PRACK, INVITE");
        } else {
            bench.command(Command::RejectReinvite { dialog, status: 488 });
            assert_eq!(bench.statuses(), [488]);
            bench.command(Command::Reject { dialog, status: 603 });
        }
        bench.is_clean();
    }
}

/// Our INVITE to a far place.
pub(super) fn calling(bench: &mut Bench) -> (DialogId, Sent) {
    let dialog = bench.endpoint.new_dialog();
    let login = Login { user: "ada".to_owned(), password: "secret".to_owned() };
    let to = Callee::Uri {
        uri: "sip:100@10.0.0.9".to_owned(),
        remote: far().remote,
        transport: Transport::Udp,
        login: Some(login),
    };
    let (from, offer) = ("+4930123".to_owned(), sdp("offer"));
    bench.command(Command::Invite { dialog, to, from, sdp: offer, particulars: Box::default() });
    (dialog, bench.next())
}

pub(super) fn far() -> crate::sip::core::Flow {
    udp(US, "10.0.0.9:5060")
}

/// A reliable response of a place that rings.
pub(super) fn rings(invite: &Sent, status: u16, tag: &str, rseq: u32, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let extra = format!(
        "Contact: <sip:{tag}@10.0.0.9>\r\nRequire: 100rel\r\nRSeq: {rseq}\r\nAllow: INVITE, UPDATE\r\n{kind}"
    );
    reply(invite, status, tag, &extra, body)
}

const OK: &str = "Contact: <sip:x@10.0.0.9>\r\n";

#[test]
fn each_place_that_rings_gets_its_pracks_in_order_and_its_own_numbers() {
    let mut bench = Bench::new();
    let (dialog, invite) = calling(&mut bench);
    assert!(invite.header("Supported").contains("100rel") && invite.header("Allow").contains("PRACK"));
    let mut hear = |text: String| {
        bench.receive(far(), text);
        let sent: Vec<_> = bench.sent.drain(..).collect();
        let told: Vec<_> = bench.events.drain(..).collect();
        (sent, told)
    };
    let (sent, told) = hear(rings(&invite, 183, "a", 5, "from a"));
    assert_eq!((sent[0].header("RAck"), sent[0].header("CSeq")), ("5 1 INVITE", "2 PRACK"));
    assert!(sent[0].text.starts_with("PRACK sip:a@10.0.0.9 ") && sent[0].to_tag() == "a");
    assert!(matches!(&told[..], [Event::Ringing { sdp: Some(sdp), .. }] if sdp == "from a"));
    // A copy, and one that came too early: their sender will send them again.
    assert!(
        matches!(hear(rings(&invite, 183, "a", 5, "from a")), (sent, told) if sent.is_empty() && told.is_empty())
    );
    assert!(
        matches!(hear(rings(&invite, 180, "a", 7, "")), (sent, told) if sent.is_empty() && told.is_empty())
    );
    let (sent, told) = hear(rings(&invite, 180, "a", 6, "another?"));
    assert_eq!((sent[0].header("RAck"), sent[0].header("CSeq")), ("6 1 INVITE", "3 PRACK"));
    assert!(matches!(&told[..], [Event::Ringing { sdp: None, .. }]), "the first answer stands");
    let (sent, told) = hear(rings(&invite, 183, "b", 100, "from b"));
    assert_eq!(
        (sent[0].header("RAck"), sent[0].header("CSeq"), sent[0].to_tag()),
        ("100 1 INVITE", "2 PRACK", "b")
    );
    assert!(matches!(&told[..], [Event::Ringing { sdp: Some(sdp), .. }] if sdp == "from b"));
    let (sent, _) = hear(rings(&invite, 183, "c", 1, "from c"));
    assert_eq!(sent.len(), 1);
    // b answers: its own description is told again, as c was heard last.
    let (sent, told) = hear(reply(&invite, 200, "b", OK, ""));
    assert_eq!((sent.len(), sent[0].method()), (1, "ACK"));
    assert!(matches!(&told[..], [Event::Answered { sdp: Some(sdp), .. }] if sdp == "from b"));
    // a was faster than the CANCEL of the proxy between: acknowledged and hung up, with a number that counts on.
    let (sent, told) = hear(reply(&invite, 200, "a", OK, ""));
    let list: Vec<_> = sent.iter().map(|sent| sent.header("CSeq")).collect();
    assert_eq!(list, ["1 ACK", "4 BYE"]);
    assert!(sent[1].to_tag() == "a" && told.is_empty());
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    assert_eq!(bench.next().header("CSeq"), "3 BYE");
    bench.is_clean();
}

#[test]
fn a_place_that_answers_after_we_gave_up_is_hung_up_with_a_number_that_counts_on() {
    let mut bench = Bench::new();
    let (dialog, invite) = calling(&mut bench);
    bench.receive(far(), rings(&invite, 183, "a", 1, "x"));
    bench.command(Command::Hangup { dialog, cause: Cause::Cancelled });
    bench.sent.clear();
    bench.receive(far(), rings(&invite, 180, "a", 2, ""));
    bench.nothing_sent();
    bench.receive(far(), reply(&invite, 200, "a", OK, ""));
    let list: Vec<_> = bench.sent.drain(..).map(|sent| sent.header("CSeq").to_owned()).collect();
    assert_eq!(list, ["1 ACK", "3 BYE"]);
    bench.is_clean();
}

#[test]
fn so_many_places_may_ring_and_no_more() {
    let mut bench = Bench::new();
    let (_, invite) = calling(&mut bench);
    for n in 0..50 {
        bench.receive(far(), rings(&invite, 183, &format!("t{n}"), 1, "x"));
    }
    assert_eq!(bench.sent.drain(..).filter(|sent| sent.method() == "PRACK").count(), 32);
    bench.receive(far(), reply(&invite, 486, "t0", "", ""));
    assert!(matches!(bench.events.pop_back(), Some(Event::Ended { cause: Cause::Busy, .. })));
    bench.is_clean();
}

#[test]
fn a_prack_that_is_challenged_is_sent_again_with_the_password() {
    let mut bench = Bench::new();
    let (_, invite) = calling(&mut bench);
    bench.receive(far(), rings(&invite, 183, "a", 1, "x"));
    let prack = bench.next();
    let challenge = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n";
    bench.receive(far(), reply(&prack, 407, "", challenge, ""));
    let again = bench.next();
    assert_eq!((again.header("CSeq"), again.header("RAck")), ("3 PRACK", "1 1 INVITE"));
    assert!(again.header("Proxy-Authorization").contains("username=\"ada\""));
    bench.receive(far(), reply(&again, 200, "", "", ""));
    bench.receive(far(), reply(&invite, 503, "a", "Reason: Q.850;cause=17\r\n", ""));
    assert!(matches!(
        bench.events.pop_back(),
        Some(Event::Ended { cause: Cause::Busy, status: Some(503), .. })
    ));
    bench.is_clean();
}
