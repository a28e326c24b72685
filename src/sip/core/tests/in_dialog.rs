//! Requests inside a call.

use std::time::Duration;

use bytes::Bytes;

use super::bench::{Bench, Request, Sent, US, reply, udp};
use crate::call::Cause;
use crate::media::Digit;
use crate::sip::core::{Command, DialogId, Event};

fn sdp(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn over(bench: &mut Bench, dialog: DialogId) {
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    bench.is_clean();
}

#[test]
fn their_reinvite_is_offered_answered_and_acknowledged() {
    let mut bench = Bench::new();
    let (dialog, invite, ok) = bench.call();
    let mut hold = invite.reinvite(&ok, 3);
    hold.extra[0] = "Contact: <sip:moved@10.0.0.2:5099>".to_owned();
    bench.trunk(hold.text());
    let Event::Reinvite { sdp: Some(offer), .. } = bench.event() else { panic!("no re-INVITE") };
    assert_eq!(offer, super::bench::SDP);
    bench.command(Command::AcceptReinvite { dialog, sdp: sdp("held") });
    let held = bench.next();
    assert_eq!((held.status(), held.header("CSeq"), held.body()), (200, "3 INVITE", "held"));
    assert_eq!(held.to_tag(), ok.to_tag());
    bench.pass(Duration::from_millis(500));
    assert_eq!(bench.statuses(), [200], "until its ACK");
    bench.trunk(hold.ack(&held).text());
    bench.pass(Duration::from_secs(5));
    bench.nothing_sent();
    assert!(bench.events.is_empty(), "only an ACK with SDP is told of");
    // Refused, the call goes on as it was.
    bench.trunk(invite.reinvite(&ok, 4).text());
    bench.event();
    bench.command(Command::RejectReinvite { dialog, status: 488 });
    assert_eq!(bench.next().status(), 488);
    // The new Contact is where we send to now.
    bench.command(Command::Info { dialog, digit: Digit::try_from('7').unwrap() });
    let info = bench.sent.drain(..).find(|sent| sent.method() == "INFO").unwrap();
    assert!(info.text.starts_with("INFO sip:moved@10.0.0.2:5099 SIP/2.0"), "{}", info.text);
    assert_eq!(info.flow.remote.to_string(), "10.0.0.2:5099");
    assert!(info.body().starts_with("Signal=7"));
    bench.trunk(reply(&info, 200, "", "", ""));
    over(&mut bench, dialog);
}

#[test]
fn a_reinvite_without_sdp_asks_for_our_offer() {
    let mut bench = Bench::new();
    let (dialog, invite, ok) = bench.call();
    let ask = invite.within(&ok, "INVITE", 2).with("Contact: <sip:them@10.0.0.2>");
    bench.trunk(ask.text());
    assert!(matches!(bench.event(), Event::Reinvite { sdp: None, .. }));
    bench.command(Command::AcceptReinvite { dialog, sdp: sdp("ours") });
    let offer = bench.next();
    assert_eq!(offer.body(), "ours");
    // Until that is settled no other re-INVITE can be.
    bench.trunk(invite.reinvite(&ok, 3).text());
    assert_eq!(bench.statuses(), [491]);
    bench.trunk(ask.ack(&offer).sdp().text());
    assert!(matches!(bench.event(), Event::Confirmed { sdp: Some(_), .. }));
    over(&mut bench, dialog);
}

#[test]
fn overlapping_reinvites_get_500_and_a_cancelled_one_487() {
    let mut bench = Bench::new();
    let (dialog, invite, ok) = bench.call();
    let first = invite.reinvite(&ok, 2);
    bench.trunk(first.text());
    bench.event();
    bench.trunk(invite.reinvite(&ok, 3).text());
    let busy = bench.next();
    assert_eq!(busy.status(), 500);
    assert!(busy.header("Retry-After").parse::<u32>().unwrap() <= 10);
    bench.trunk(first.cancel().text());
    assert_eq!(bench.statuses(), [200, 487]);
    bench.command(Command::AcceptReinvite { dialog, sdp: sdp("late") });
    bench.nothing_sent();
    over(&mut bench, dialog);
}

#[test]
fn our_reinvite_is_acknowledged_each_time_it_is_answered() {
    let mut bench = Bench::new();
    let (dialog, _, _) = bench.call();
    bench.command(Command::Reinvite { dialog, sdp: sdp("hold") });
    let ours = bench.next();
    assert_eq!((ours.method(), ours.body()), ("INVITE", "hold"));
    let contact = "Contact: <sip:new@10.0.0.2>\r\nContent-Type: application/sdp\r\n";
    let answer = reply(&ours, 200, "", contact, "held");
    bench.trunk(answer.clone());
    let ack = bench.next();
    assert_eq!(ack.method(), "ACK");
    assert!(ack.text.starts_with("ACK sip:new@10.0.0.2 "));
    assert!(matches!(bench.event(), Event::Reinvited { sdp: Some(sdp), .. } if sdp == "held"));
    bench.trunk(answer);
    assert_eq!(bench.next().text, ack.text);
    assert!(bench.events.is_empty());
    bench.command(Command::Reinvite { dialog, sdp: sdp("x") });
    let ours = bench.next();
    bench.trunk(reply(&ours, 488, "", "", ""));
    assert!(matches!(bench.event(), Event::Reinvited { sdp: None, .. }));
    over(&mut bench, dialog);
}

#[test]
fn a_dialog_they_do_not_know_or_answer_in_is_over() {
    for status in [481, 408, 0] {
        let mut bench = Bench::new();
        let (dialog, _, _) = bench.call();
        bench.command(Command::Reinvite { dialog, sdp: sdp("hold") });
        let ours = bench.next();
        if status == 0 {
            bench.pass(Duration::from_secs(33));
        } else {
            bench.trunk(reply(&ours, status, "", "", ""));
        }
        assert!(bench.sent.iter().any(|sent| sent.method() == "BYE"), "{status}");
        assert!(
            matches!(bench.event(), Event::Ended { dialog: ended, cause: Cause::Unreachable, .. } if ended == dialog)
        );
        bench.is_clean();
    }
}

#[test]
fn a_reinvite_that_is_never_settled_ends_the_call() {
    let mut bench = Bench::new();
    let (dialog, _, _) = bench.call();
    bench.command(Command::Reinvite { dialog, sdp: sdp("hold") });
    let ours = bench.next();
    bench.trunk(reply(&ours, 100, "", "", ""));
    bench.pass(Duration::from_secs(33));
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::Unreachable, .. }));
    assert!(bench.sent.iter().any(|sent| sent.method() == "CANCEL"));
    assert!(bench.sent.iter().any(|sent| sent.method() == "BYE"));
    bench.is_clean();
}

#[test]
fn glare_is_491_and_ours_is_tried_again_after_theirs() {
    let mut bench = Bench::new();
    let (dialog, invite, ok) = bench.call();
    bench.command(Command::Reinvite { dialog, sdp: sdp("ours") });
    let ours = bench.next();
    bench.trunk(invite.reinvite(&ok, 2).text());
    assert_eq!(bench.statuses(), [491]);
    bench.trunk(reply(&ours, 491, "", "", ""));
    assert_eq!(bench.next().method(), "ACK");
    // They drew the Call-ID, so they wait 2.1 s and more, we 2 s and less.
    let theirs = invite.reinvite(&ok, 3);
    bench.trunk(theirs.text());
    bench.event();
    bench.pass(Duration::from_millis(2_010));
    assert!(bench.sent.drain(..).all(|sent| sent.status() == 100), "theirs is still open");
    bench.command(Command::AcceptReinvite { dialog, sdp: sdp("fine") });
    let fine = bench.next();
    bench.trunk(theirs.ack(&fine).text());
    let again = bench.next();
    assert_eq!((again.method(), again.body()), ("INVITE", "ours"));
    assert_eq!(again.header("CSeq"), "2 INVITE");
    bench.trunk(reply(&again, 200, "", "Content-Type: application/sdp\r\n", "ok"));
    assert!(matches!(bench.event(), Event::Reinvited { sdp: Some(_), .. }));
    over(&mut bench, dialog);
}

#[test]
fn a_glare_without_end_is_given_up() {
    let mut bench = Bench::new();
    let (dialog, _, _) = bench.call();
    bench.command(Command::Reinvite { dialog, sdp: sdp("ours") });
    let mut tries = 0;
    while bench.events.is_empty() {
        let ours = bench.sent.drain(..).find(|sent| sent.method() == "INVITE").expect("another try");
        tries += 1;
        bench.trunk(reply(&ours, 491, "", "", ""));
        bench.pass(Duration::from_millis(2_010));
    }
    assert!(matches!(bench.event(), Event::Reinvited { sdp: None, .. }));
    assert_eq!(tries, 6);
    over(&mut bench, dialog);
}

#[test]
fn digits_by_info_come_once_each() {
    let mut bench = Bench::new();
    let (dialog, invite, ok) = bench.call();
    let mut info = invite.within(&ok, "INFO", 2).with("Content-Type: application/dtmf-relay");
    info.body = "Signal= 5\r\nDuration= 160\r\n".to_owned();
    bench.trunk(info.text());
    bench.trunk(info.text());
    assert_eq!(bench.statuses(), [200, 200]);
    assert!(matches!(bench.event(), Event::Digit { digit, .. } if digit.as_char() == '5'));
    assert!(bench.events.is_empty());
    let mut other = invite.within(&ok, "INFO", 3).with("Content-Type: text/plain");
    other.body = "5".to_owned();
    bench.trunk(other.text());
    assert_eq!(bench.statuses(), [415]);
    bench.trunk(invite.within(&ok, "INFO", 4).text());
    assert_eq!(bench.statuses(), [200]);
    assert!(bench.events.is_empty());
    over(&mut bench, dialog);
}

#[test]
fn an_older_cseq_is_500_and_a_foreign_tag_481() {
    let mut bench = Bench::new();
    let (dialog, invite, ok) = bench.call();
    bench.trunk(invite.within(&ok, "OPTIONS", 9).text());
    assert_eq!(bench.statuses(), [200]);
    bench.trunk(invite.within(&ok, "OPTIONS", 8).text());
    assert_eq!(bench.statuses(), [500]);
    let mut foreign = invite.within(&ok, "BYE", 10);
    foreign.from = foreign.from.replace("them", "others");
    bench.trunk(foreign.text());
    let mut foreign = invite.within(&ok, "BYE", 10);
    foreign.call_id.push('x');
    bench.trunk(foreign.text());
    assert_eq!(bench.statuses(), [481, 481]);
    bench.trunk(invite.within(&ok, "SUBSCRIBE", 10).text());
    bench.trunk(invite.within(&ok, "BREW", 11).text());
    bench.trunk(invite.within(&ok, "UPDATE", 12).with("Require: tdialog").text());
    assert_eq!(bench.statuses(), [405, 501, 420]);
    over(&mut bench, dialog);
}

#[test]
fn byes_that_cross_are_both_answered() {
    let mut bench = Bench::new();
    let (dialog, invite, ok) = bench.call();
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    let bye = bench.next();
    bench.trunk(invite.within(&ok, "BYE", 2).text());
    assert_eq!(bench.statuses(), [200]);
    bench.trunk(reply(&bye, 481, "", "", ""));
    assert_eq!(bench.events.len(), 1, "{:?}", bench.events);
    assert_eq!(bench.endpoint.sizes().dialogs, 0);
    bench.is_clean();
}

#[test]
fn routes_are_followed_loose_and_strict() {
    let bye = |routes: &str| -> Sent {
        let mut bench = Bench::new();
        let invite = Request::invite("rr").with(&format!("Record-Route: {routes}"));
        bench.trunk(invite.text());
        let dialog = bench.incoming().dialog;
        bench.command(Command::Answer { dialog, sdp: sdp("a") });
        bench.next();
        let ok = bench.next();
        bench.trunk(invite.ack(&ok).text());
        bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
        bench.next()
    };
    let loose = bye("<sip:10.0.0.3:5080;lr>, <sip:p2.example.com;lr>");
    assert!(loose.text.starts_with("BYE sip:them@10.0.0.2:5060 SIP/2.0"));
    let routes: Vec<_> = loose.headers("Route").collect();
    assert_eq!(routes, ["<sip:10.0.0.3:5080;lr>", "<sip:p2.example.com;lr>"]);
    assert_eq!(loose.flow.remote.to_string(), "10.0.0.3:5080");
    let strict = bye("<sip:10.0.0.3:5080>, <sip:p2.example.com;lr>");
    assert!(strict.text.starts_with("BYE sip:10.0.0.3:5080 SIP/2.0"));
    let routes: Vec<_> = strict.headers("Route").collect();
    assert_eq!(routes, ["<sip:p2.example.com;lr>", "<sip:them@10.0.0.2:5060>"]);
    // Behind a NAT what is written down leads nowhere.
    let mut bench = Bench::new();
    let mut invite = Request::invite("nat");
    invite.via = "SIP/2.0/UDP 192.168.1.5:5060;rport".to_owned();
    invite.extra[0] = "Contact: <sip:them@192.168.1.5:5060>".to_owned();
    let outside = udp(US, "10.0.0.2:33333");
    bench.receive(outside, invite.text());
    let dialog = bench.incoming().dialog;
    bench.command(Command::Answer { dialog, sdp: sdp("a") });
    bench.next();
    let ok = bench.next();
    bench.receive(outside, invite.ack(&ok).text());
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    assert_eq!(bench.next().flow, outside);
}
