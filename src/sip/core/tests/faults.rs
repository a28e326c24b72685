//! INVITEs from outside when things go wrong or cross.

use std::time::Duration;

use bytes::Bytes;

use super::bench::{Bench, Request};
use crate::call::Cause;
use crate::sip::core::{Command, Event};

fn answer(bench: &mut Bench, invite: &Request) -> (crate::sip::core::DialogId, super::bench::Sent) {
    bench.trunk(invite.text());
    assert_eq!(bench.statuses(), [100]);
    let dialog = bench.incoming().dialog;
    bench.command(Command::Answer { dialog, sdp: Bytes::from_static(b"answer") });
    (dialog, bench.next())
}

#[test]
fn ringing_early_media_and_answer_bear_one_tag_contact_and_the_route() {
    let mut bench = Bench::new();
    let invite = Request::invite("a1").with("Record-Route: <sip:10.0.0.2;lr>");
    bench.trunk(invite.text());
    assert!(bench.next().to_tag().is_empty(), "100 needs none");
    let dialog = bench.incoming().dialog;
    bench.command(Command::Ring { dialog, sdp: None });
    bench.command(Command::Ring { dialog, sdp: Some(Bytes::from_static(b"early")) });
    bench.command(Command::Answer { dialog, sdp: Bytes::from_static(b"final") });
    let sent: Vec<_> = bench.sent.drain(..).collect();
    assert_eq!(sent.iter().map(super::bench::Sent::status).collect::<Vec<_>>(), [180, 183, 200]);
    assert!(sent.iter().all(|s| s.to_tag() == sent[0].to_tag() && !s.to_tag().is_empty()));
    assert!(sent.iter().all(|s| s.header("Contact") == "<sip:10.0.0.1:5060>"));
    assert!(sent.iter().all(|s| s.header("Record-Route") == "<sip:10.0.0.2;lr>"));
    assert_eq!((sent[1].body(), sent[2].body()), ("early", "final"));
    // A retransmitted INVITE is absorbed: the 200 has its own clock.
    bench.trunk(invite.text());
    bench.nothing_sent();
    bench.trunk(invite.ack(&sent[2]).text());
    assert!(matches!(bench.event(), Event::Confirmed { sdp: None, .. }));
    // So is one that comes after its ACK: no ghost call.
    bench.pass(Duration::from_secs(20));
    bench.trunk(invite.text());
    bench.nothing_sent();
    assert!(bench.events.is_empty());
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    bench.pass(Duration::from_secs(33));
    bench.is_clean();
}

#[test]
fn while_it_rings_proxies_are_told_every_minute() {
    let mut bench = Bench::new();
    bench.trunk(Request::invite("m1").text());
    let dialog = bench.incoming().dialog;
    bench.command(Command::Ring { dialog, sdp: None });
    bench.sent.clear();
    bench.pass(Duration::from_secs(125));
    assert_eq!(bench.statuses(), [180, 180]);
    bench.command(Command::Hangup { dialog, cause: Cause::WaitedTooLong });
    assert_eq!(bench.statuses(), [480]);
    bench.is_clean();
}

#[test]
fn our_200_is_sent_again_until_the_ack_and_then_no_more() {
    let mut bench = Bench::new();
    let invite = Request::invite("r1");
    let (_, ok) = answer(&mut bench, &invite);
    // 0.5, 1.5, 3.5, 7.5, 11.5, …: doubling up to T2.
    for (span, copies) in [(499, 0), (2, 1), (1000, 1), (2000, 1), (4000, 1), (4000, 1)] {
        bench.pass(Duration::from_millis(span));
        assert_eq!(bench.sent.len(), copies);
        assert!(bench.sent.drain(..).all(|copy| copy.text == ok.text));
    }
    let mut old = invite.ack(&ok);
    old.cseq = 0;
    bench.trunk(old.text());
    assert!(bench.events.is_empty(), "an ACK of another INVITE");
    bench.trunk(invite.ack(&ok).text());
    assert!(matches!(bench.event(), Event::Confirmed { .. }));
    bench.trunk(invite.ack(&ok).text());
    bench.pass(Duration::from_secs(30));
    bench.nothing_sent();
    assert!(bench.events.is_empty());
    bench.trunk(invite.within(&ok, "BYE", 2).text());
    assert_eq!(bench.statuses(), [200]);
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::HungUp, status: None, .. }));
    bench.is_clean();
}

#[test]
fn without_an_ack_the_call_is_ended_by_bye() {
    let mut bench = Bench::new();
    let (_, _) = answer(&mut bench, &Request::invite("n1"));
    bench.pass(Duration::from_millis(31_900));
    assert!(bench.statuses().iter().all(|status| *status == 200));
    bench.pass(Duration::from_millis(200));
    let bye = bench.next();
    assert_eq!(bye.method(), "BYE");
    assert_eq!(bye.header("To"), "<sip:+4930123@10.0.0.2>;tag=them");
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::Unreachable, .. }));
    bench.is_clean();
}

#[test]
fn a_hang_up_before_the_ack_waits_for_it() {
    let mut bench = Bench::new();
    let invite = Request::invite("h1");
    let (dialog, ok) = answer(&mut bench, &invite);
    bench.command(Command::Hangup { dialog, cause: Cause::Shutdown });
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::Shutdown, .. }));
    bench.nothing_sent(); // RFC 3261 §15
    bench.pass(Duration::from_millis(600));
    assert_eq!(bench.statuses(), [200], "still sent again");
    bench.trunk(invite.ack(&ok).text());
    let bye = bench.next();
    assert_eq!(bye.method(), "BYE");
    assert!(bye.header("Reason").contains("503"));
    bench.trunk(super::bench::reply(&bye, 200, "", "", ""));
    assert_eq!(bench.endpoint.sizes().dialogs, 0);
    assert!(bench.events.is_empty(), "one end only");
    bench.is_clean();
    // And without the ACK, the BYE follows when it is late.
    let mut bench = Bench::new();
    let (dialog, _) = answer(&mut bench, &Request::invite("h2"));
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    bench.pass(Duration::from_secs(33));
    assert_eq!(bench.sent.iter().filter(|sent| sent.method() == "BYE").count(), 2);
    bench.is_clean();
}

#[test]
fn cancel_gives_200_to_itself_and_487_to_the_invite() {
    let mut bench = Bench::new();
    let invite = Request::invite("c1");
    bench.trunk(invite.text());
    let dialog = bench.incoming().dialog;
    bench.command(Command::Ring { dialog, sdp: None });
    bench.sent.clear();
    bench.trunk(invite.cancel().text());
    let (ok, terminated) = (bench.next(), bench.next());
    assert_eq!((ok.status(), ok.header("CSeq")), (200, "1 CANCEL"));
    assert_eq!((terminated.status(), terminated.header("CSeq")), (487, "1 INVITE"));
    assert_eq!(ok.to_tag(), terminated.to_tag());
    assert!(!terminated.to_tag().is_empty());
    let ended = bench.event();
    assert!(matches!(ended, Event::Ended { cause: Cause::Cancelled, status: Some(487), .. }), "{ended:?}");
    // 487 again until its ACK, and the CANCEL again gets its 200 again.
    bench.pass(Duration::from_millis(500));
    assert_eq!(bench.statuses(), [487]);
    bench.trunk(invite.cancel().text());
    assert_eq!(bench.statuses(), [200]);
    let mut ack = invite.ack(&terminated);
    ack.branch.clone_from(&invite.branch);
    bench.trunk(ack.text());
    bench.pass(Duration::from_secs(4));
    bench.nothing_sent();
    bench.command(Command::Answer { dialog, sdp: Bytes::new() });
    bench.nothing_sent();
    bench.is_clean();
}

#[test]
fn cancel_that_crosses_the_200_changes_nothing() {
    let mut bench = Bench::new();
    let invite = Request::invite("x1");
    let (_, ok) = answer(&mut bench, &invite);
    bench.trunk(invite.cancel().text());
    assert_eq!(bench.statuses(), [200]);
    assert!(bench.events.is_empty());
    bench.trunk(invite.ack(&ok).text());
    assert!(matches!(bench.event(), Event::Confirmed { .. }));
    bench.trunk(invite.within(&ok, "BYE", 2).text());
    assert_eq!(bench.statuses(), [200]);
    bench.is_clean();
}

#[test]
fn cancel_tells_that_another_phone_answered() {
    let mut bench = Bench::new();
    let invite = Request::invite("e1");
    bench.trunk(invite.text());
    bench.incoming();
    bench.trunk(invite.cancel().with("Reason: SIP ;cause=200 ;text=\"Call completed elsewhere\"").text());
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::AnsweredElsewhere, .. }));
    bench.is_clean();
}

#[test]
fn bye_while_it_rings_still_gives_the_invite_its_final_response() {
    let mut bench = Bench::new();
    let invite = Request::invite("b1");
    bench.trunk(invite.text());
    let dialog = bench.incoming().dialog;
    bench.command(Command::Ring { dialog, sdp: None });
    bench.next();
    let ringing = bench.next();
    bench.trunk(invite.within(&ringing, "BYE", 2).text());
    let sent: Vec<_> = bench.sent.drain(..).map(|s| (s.status(), s.method().to_owned())).collect();
    assert_eq!(sent, [(200, "BYE".to_owned()), (487, "INVITE".to_owned())]);
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::Cancelled, .. }));
    bench.is_clean();
}

#[test]
fn bye_before_the_ack_and_with_a_gap_in_cseq_is_fine() {
    let mut bench = Bench::new();
    let invite = Request::invite("g1");
    let (_, ok) = answer(&mut bench, &invite);
    bench.trunk(invite.within(&ok, "BYE", 900).text());
    assert_eq!(bench.statuses(), [200]);
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::HungUp, .. }));
    bench.trunk(invite.ack(&ok).text());
    bench.trunk(invite.within(&ok, "BYE", 900).text());
    assert_eq!(bench.statuses(), [200], "sent again, answered again");
    bench.pass(Duration::from_secs(2));
    bench.nothing_sent();
    bench.is_clean();
}

#[test]
fn an_invite_that_expires_is_given_up() {
    let mut bench = Bench::new();
    bench.trunk(Request::invite("p1").with("Expires: 20").text());
    bench.incoming();
    bench.sent.clear();
    bench.pass(Duration::from_secs(21));
    assert!(bench.statuses().contains(&487));
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::NoAnswer, .. }));
    bench.is_clean();
}

#[test]
fn a_late_offer_is_ours_and_the_answer_comes_with_the_ack() {
    let mut bench = Bench::new();
    let mut invite = Request::new("INVITE", "l1", 1).with("Contact: <sip:them@10.0.0.2>");
    invite.cseq = 5;
    bench.trunk(invite.text());
    let incoming = bench.incoming();
    assert_eq!(incoming.sdp, None);
    bench.command(Command::Answer { dialog: incoming.dialog, sdp: Bytes::from_static(b"offer") });
    bench.next();
    let ok = bench.next();
    assert_eq!(ok.body(), "offer");
    bench.trunk(invite.ack(&ok).sdp().text());
    let Event::Confirmed { sdp: Some(sdp), .. } = bench.event() else { panic!("no answer") };
    assert_eq!(sdp, super::bench::SDP);
    bench.command(Command::Hangup { dialog: incoming.dialog, cause: Cause::HungUp });
    bench.is_clean();
}
