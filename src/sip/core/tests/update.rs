//! UPDATE (RFC 3311): early and in the call, both roles, and its glares.

use std::time::Duration;

use super::bench::{Bench, Request, Sent, reply};
use super::reliable::{calling, early, far, incoming, prack, rings, sdp};
use crate::call::Cause;
use crate::media::Digit;
use crate::sip::core::{Command, DialogId, Event};

fn over(bench: &mut Bench, dialog: DialogId) {
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    bench.is_clean();
}

fn update(invite: &Request, ok: &Sent, cseq: u32) -> Request {
    invite.within(ok, "UPDATE", cseq).with("Contact: <sip:them@10.0.0.2:5060>")
}

fn able(call_id: &str) -> Request {
    Request::invite(call_id).with("Supported: 100rel").with("Allow: INVITE, ACK, BYE, UPDATE")
}

#[test]
fn without_sdp_it_only_moves_the_target() {
    let mut bench = Bench::new();
    let (dialog, invite, ok) = bench.call();
    let mut moved = update(&invite, &ok, 2);
    moved.extra[0] = "Contact: <sip:moved@10.0.0.2:5099>".to_owned();
    bench.trunk(moved.text());
    let agreed = bench.next();
    assert_eq!((agreed.status(), agreed.header("Contact")), (200, "<sip:10.0.0.1:5060>"));
    assert!(bench.events.is_empty());
    bench.command(Command::Info { dialog, digit: Digit::try_from('7').unwrap() });
    assert!(bench.next().text.starts_with("INFO sip:moved@10.0.0.2:5099 SIP/2.0"));
    over(&mut bench, dialog);
}

#[test]
fn an_offer_is_put_to_the_user_and_answered_without_an_ack() {
    let mut bench = Bench::new();
    let (dialog, invite, ok) = bench.call();
    bench.trunk(update(&invite, &ok, 2).sdp().text());
    assert!(matches!(bench.event(), Event::Reinvite { sdp: Some(_), .. }));
    bench.trunk(update(&invite, &ok, 3).sdp().text());
    let busy = bench.next();
    assert_eq!(busy.status(), 500);
    assert!(busy.header("Retry-After").parse::<u32>().unwrap() <= 10);
    bench.trunk(invite.reinvite(&ok, 4).text());
    assert_eq!(bench.statuses(), [500]);
    bench.command(Command::AcceptReinvite { dialog, sdp: sdp("fine") });
    let fine = bench.next();
    assert_eq!((fine.status(), fine.header("CSeq"), fine.body()), (200, "2 UPDATE", "fine"));
    bench.pass(Duration::from_secs(5));
    bench.nothing_sent();
    bench.trunk(update(&invite, &ok, 5).sdp().text());
    bench.event();
    bench.command(Command::RejectReinvite { dialog, status: 488 });
    assert_eq!(bench.statuses(), [488]);
    let mut odd = update(&invite, &ok, 6).with("Content-Type: text/plain");
    odd.body = "?".to_owned();
    bench.trunk(odd.text());
    assert_eq!(bench.statuses(), [415]);
    // Nobody answers: they must hear so before they give up themselves.
    bench.trunk(update(&invite, &ok, 7).sdp().text());
    bench.event();
    bench.pass(Duration::from_millis(16_001));
    assert_eq!(bench.statuses(), [504]);
    bench.command(Command::AcceptReinvite { dialog, sdp: sdp("late") });
    bench.nothing_sent();
    over(&mut bench, dialog);
}

#[test]
fn an_offer_that_meets_ours_is_491() {
    let mut bench = Bench::new();
    let (dialog, invite, ok) = bench.call();
    bench.command(Command::Reinvite { dialog, sdp: sdp("ours") });
    let ours = bench.next();
    bench.trunk(update(&invite, &ok, 2).sdp().text());
    bench.trunk(update(&invite, &ok, 3).text());
    assert_eq!(bench.statuses(), [491, 200], "without an offer it does no harm");
    bench.trunk(reply(&ours, 200, "", "Content-Type: application/sdp\r\n", "yes"));
    bench.sent.clear();
    // Our 200 to a re-INVITE without SDP offers, until its ACK.
    let ask = invite.within(&ok, "INVITE", 4).with("Contact: <sip:them@10.0.0.2>");
    bench.trunk(ask.text());
    bench.command(Command::AcceptReinvite { dialog, sdp: sdp("ours") });
    let offer = bench.next();
    bench.trunk(update(&invite, &ok, 5).sdp().text());
    assert_eq!(bench.statuses(), [491]);
    bench.trunk(ask.ack(&offer).sdp().text());
    over(&mut bench, dialog);
}

#[test]
fn a_500_that_says_when_is_tried_again_then() {
    let mut bench = Bench::new();
    let (dialog, ..) = bench.call();
    bench.command(Command::Reinvite { dialog, sdp: sdp("ours") });
    let ours = bench.next();
    bench.trunk(reply(&ours, 500, "", "Retry-After: 7 (busy)\r\n", ""));
    assert_eq!(bench.next().method(), "ACK");
    bench.pass(Duration::from_millis(6_999));
    bench.nothing_sent();
    bench.pass(Duration::from_millis(1));
    let again = bench.next();
    assert_eq!((again.method(), again.body()), ("INVITE", "ours"));
    bench.trunk(reply(&again, 500, "", "Retry-After: 3600\r\n", ""));
    assert!(matches!(bench.event(), Event::Reinvited { sdp: None, .. }));
    over(&mut bench, dialog);
}

#[test]
fn before_the_answer_it_waits_for_the_first_offer_and_answer() {
    let mut bench = Bench::new();
    let invite = able("u1");
    let dialog = incoming(&mut bench, &invite);
    bench.command(Command::Ring { dialog, sdp: None });
    let plain = bench.next();
    bench.trunk(update(&invite, &plain, 2).sdp().text());
    let soon = bench.next();
    assert_eq!(soon.status(), 500);
    assert!(!soon.header("Retry-After").is_empty());
    bench.command(Command::Ring { dialog, sdp: Some(sdp("early")) });
    let ringing = bench.next();
    bench.trunk(prack(&invite, &ringing, 3).text());
    bench.next();
    bench.trunk(update(&invite, &ringing, 4).sdp().text());
    assert!(matches!(bench.event(), Event::Reinvite { sdp: Some(_), .. }));
    bench.command(Command::Answer { dialog, sdp: sdp("early") });
    bench.nothing_sent();
    bench.command(Command::AcceptReinvite { dialog, sdp: sdp("held") });
    let (held, ok) = (bench.next(), bench.next());
    assert_eq!((held.header("CSeq"), held.body()), ("4 UPDATE", "held"));
    assert_eq!((ok.status(), ok.header("CSeq"), ok.body()), (200, "1 INVITE", ""));
    bench.trunk(invite.ack(&ok).text());
    over(&mut bench, dialog);
}

#[test]
fn ours_before_the_answer_is_an_update_and_holds_the_answer_back() {
    let mut bench = Bench::new();
    let invite = able("u2");
    let (dialog, ringing) = early(&mut bench, &invite);
    bench.command(Command::Reinvite { dialog, sdp: sdp("moved") });
    let ours = bench.next();
    assert_eq!((ours.method(), ours.body(), ours.header("Session-Expires")), ("UPDATE", "moved", ""));
    bench.trunk(update(&invite, &ringing, 3).sdp().text());
    assert_eq!(bench.statuses(), [491]);
    bench.command(Command::Answer { dialog, sdp: sdp("moved") });
    bench.nothing_sent();
    bench.trunk(reply(&ours, 200, "", "Content-Type: application/sdp\r\n", "fine"));
    assert!(matches!(bench.event(), Event::Reinvited { sdp: Some(answer), .. } if answer == "fine"));
    let ok = bench.next();
    assert_eq!((ok.status(), ok.body()), (200, ""));
    bench.trunk(invite.ack(&ok).text());
    over(&mut bench, dialog);
    // 491: the answer goes out, and the offer follows in the call.
    let mut bench = Bench::new();
    let invite = able("u3");
    let (dialog, _) = early(&mut bench, &invite);
    bench.command(Command::Reinvite { dialog, sdp: sdp("moved") });
    let ours = bench.next();
    bench.command(Command::Answer { dialog, sdp: sdp("moved") });
    bench.trunk(reply(&ours, 491, "", "", ""));
    let ok = bench.next();
    assert_eq!(ok.status(), 200);
    bench.trunk(invite.ack(&ok).text());
    bench.pass(Duration::from_millis(2_010));
    let again = bench.sent.drain(..).find(|sent| sent.method() == "INVITE").expect("once more");
    assert_eq!(again.body(), "moved");
    over(&mut bench, dialog);
    // Whoever does not take UPDATE hears of it in the call.
    let mut bench = Bench::new();
    let invite = Request::invite("u4").with("Supported: 100rel");
    let (dialog, _) = early(&mut bench, &invite);
    bench.command(Command::Reinvite { dialog, sdp: sdp("moved") });
    bench.nothing_sent();
    bench.command(Command::Answer { dialog, sdp: sdp("moved") });
    let ok = bench.next();
    bench.trunk(invite.ack(&ok).text());
    assert_eq!((bench.next().method(), bench.sent.len()), ("INVITE", 0));
    over(&mut bench, dialog);
}

#[test]
fn as_caller_both_ways_before_the_answer() {
    let mut bench = Bench::new();
    let (dialog, invite) = calling(&mut bench);
    bench.command(Command::Reinvite { dialog, sdp: sdp("moved") });
    bench.nothing_sent();
    bench.receive(far(), rings(&invite, 183, "a", 1, "early"));
    let prack = bench.next();
    bench.nothing_sent(); // lest it overtake the PRACK
    bench.receive(far(), reply(&prack, 200, "", "", ""));
    let ours = bench.next();
    assert_eq!((prack.header("CSeq"), ours.header("CSeq"), ours.body()), ("2 PRACK", "3 UPDATE", "moved"));
    bench.receive(far(), reply(&ours, 200, "", "Content-Type: application/sdp\r\n", "fine"));
    bench.events.pop_front();
    assert!(matches!(bench.event(), Event::Reinvited { sdp: Some(answer), .. } if answer == "fine"));
    let mut theirs =
        Request::new("UPDATE", ours.header("Call-ID"), 1).with("Contact: <sip:a@10.0.0.9>").sdp();
    theirs.from = format!("{};tag=a", invite.header("To"));
    theirs.to = invite.header("From").to_owned();
    theirs.via = "SIP/2.0/UDP 10.0.0.9:5060".to_owned();
    theirs.branch = "z9hG4bKtheirs".to_owned();
    bench.receive(far(), theirs.text());
    assert!(matches!(bench.event(), Event::Reinvite { dialog: of, sdp: Some(_) } if of == dialog));
    bench.command(Command::AcceptReinvite { dialog, sdp: sdp("held") });
    assert_eq!((bench.next().body(), bench.sent.len()), ("held", 0));
    bench.receive(far(), reply(&invite, 200, "a", "Contact: <sip:a@10.0.0.9>\r\n", ""));
    // What was agreed on last was told already.
    assert!(matches!(bench.event(), Event::Answered { sdp: None, .. }));
    assert_eq!(bench.next().method(), "ACK");
    over(&mut bench, dialog);
    // An offer of theirs that is open when the call fails gets its answer.
    let mut bench = Bench::new();
    let (_, invite) = calling(&mut bench);
    bench.receive(far(), rings(&invite, 183, "a", 1, "early"));
    theirs.call_id = invite.header("Call-ID").to_owned();
    theirs.from = format!("{};tag=a", invite.header("To"));
    theirs.to = invite.header("From").to_owned();
    bench.receive(far(), theirs.text());
    bench.sent.clear();
    bench.receive(far(), reply(&invite, 480, "a", "", ""));
    let list: Vec<_> = bench.sent.drain(..).map(|sent| (sent.status(), sent.method().to_owned())).collect();
    assert!(list.contains(&(487, "UPDATE".to_owned())), "{list:?}");
    bench.is_clean();
}
