//! Session timers (RFC 4028), both roles.

use std::time::Duration;

use super::bench::{Bench, Request, Sent, US, config, reply, settings};
use super::reliable::{calling, far, incoming, sdp};
use crate::call::Cause;
use crate::sip::core::{Command, DialogId, EndpointConfig, Event};

const ABLE: &str = "Allow: INVITE, ACK, BYE, UPDATE";

fn bench(change: impl FnOnce(&mut EndpointConfig)) -> Bench {
    let mut config = config(US);
    change(&mut config);
    Bench::with(config, settings(&["10.0.0.2/32"], &["ada"]))
}

/// A call with these headers in its INVITE: its dialog and our 200.
fn call(bench: &mut Bench, invite: &Request) -> (DialogId, Sent) {
    let dialog = incoming(bench, invite);
    bench.command(Command::Answer { dialog, sdp: sdp("answer") });
    let ok = bench.next();
    bench.trunk(invite.ack(&ok).text());
    bench.event();
    (dialog, ok)
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn over(bench: &mut Bench, dialog: DialogId) {
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    bench.is_clean();
}

fn is_dead(bench: &mut Bench) {
    assert!(bench.sent.iter().any(|sent| sent.method() == "BYE"), "{:?}", bench.sent);
    assert!(matches!(bench.events.pop_back(), Some(Event::Ended { cause: Cause::Unreachable, .. })));
    bench.is_clean();
}

#[test]
fn too_short_a_session_is_422_for_who_understands_it() {
    let mut bench = Bench::new();
    let short = Request::invite("s1").with("Supported: timer").with("Session-Expires: 60;refresher=uac");
    bench.trunk(short.text());
    let refused = bench.next();
    assert_eq!((refused.status(), refused.header("Min-SE")), (422, "90"));
    assert!(bench.endpoint.sizes().is_idle() && bench.events.is_empty());
    // Somebody on the way put it in: they could do nothing with a 422.
    let (dialog, ok) = call(&mut bench, &Request::invite("s2").with("Session-Expires: 60"));
    assert_eq!(ok.header("Session-Expires"), "");
    over(&mut bench, dialog);
}

#[test]
fn what_is_granted() {
    let granted = |headers: &[&str], change: fn(&mut EndpointConfig)| {
        let mut bench = bench(change);
        let invite = headers.iter().fold(Request::invite("g1"), |invite, header| invite.with(header));
        let (dialog, ok) = call(&mut bench, &invite);
        let answer = (ok.header("Session-Expires").to_owned(), ok.header("Require").to_owned());
        over(&mut bench, dialog);
        answer
    };
    let is = |expires: &str, require: &str| (expires.to_owned(), require.to_owned());
    let as_it_is = |_: &mut EndpointConfig| {};
    let timer = "Supported: timer";
    assert_eq!(
        granted(&[timer, "Session-Expires: 600;refresher=uac"], as_it_is),
        is("600;refresher=uac", "timer")
    );
    assert_eq!(granted(&[timer, "x: 600 ;refresher = UAS"], as_it_is), is("600;refresher=uas", "timer"));
    assert_eq!(granted(&[timer, "Session-Expires: 600"], as_it_is), is("600;refresher=uas", "timer"));
    assert_eq!(granted(&[timer, "Session-Expires: 7200"], as_it_is), is("1800;refresher=uas", "timer"));
    let floor = [timer, "Session-Expires: 7200", "Min-SE: 3600"];
    assert_eq!(granted(&floor, as_it_is), is("3600;refresher=uas", "timer"));
    assert_eq!(granted(&[timer], as_it_is), is("1800;refresher=uas", "timer"));
    assert_eq!(granted(&["Session-Expires: 600"], as_it_is), is("600;refresher=uas", ""));
    assert_eq!(granted(&[], as_it_is), is("", ""));
    assert_eq!(granted(&[], |config| config.refresh_alone = true), is("1800;refresher=uas", ""));
    let off = |config: &mut EndpointConfig| config.session_expires = Duration::ZERO;
    assert_eq!(granted(&[timer], off), is("", ""));
    assert_eq!(granted(&[timer, "Session-Expires: 7200"], off), is("7200;refresher=uas", "timer"));
}

#[test]
fn who_does_not_refresh_in_time_is_hung_up() {
    let mut bench = Bench::new();
    let invite = Request::invite("d1").with("Supported: timer").with("Session-Expires: 600;refresher=uac");
    let (_, ok) = call(&mut bench, &invite);
    bench.pass(secs(500));
    bench.trunk(
        invite
            .within(&ok, "UPDATE", 2)
            .with("Supported: timer")
            .with("Session-Expires: 300;refresher=uac")
            .text(),
    );
    let agreed = bench.next();
    assert_eq!((agreed.status(), agreed.header("Session-Expires")), (200, "300;refresher=uac"));
    bench.pass(secs(267));
    bench.nothing_sent();
    bench.pass(secs(1)); // 32 s before the end
    is_dead(&mut bench);
    // Of a short session a third.
    let mut bench = Bench::new();
    let invite = Request::invite("d2").with("Supported: timer").with("Session-Expires: 90;refresher=uac");
    call(&mut bench, &invite);
    bench.pass(secs(59));
    bench.nothing_sent();
    bench.pass(secs(1));
    is_dead(&mut bench);
}

#[test]
fn we_refresh_at_half_by_update_and_hang_up_when_nobody_answers() {
    let mut bench = Bench::new();
    let invite =
        Request::invite("u1").with("Supported: timer").with("Session-Expires: 600;refresher=uas").with(ABLE);
    call(&mut bench, &invite);
    bench.pass(secs(299));
    bench.nothing_sent();
    bench.pass(secs(1));
    let first = bench.next();
    assert_eq!((first.method(), first.body()), ("UPDATE", ""));
    assert_eq!(first.header("Session-Expires"), "600;refresher=uac");
    assert!(first.header("Supported").contains("timer") && !first.header("Contact").is_empty());
    bench.trunk(reply(&first, 200, "", "Require: timer\r\nSession-Expires: 600;refresher=uac\r\n", ""));
    bench.pass(secs(300));
    // 491: soon again.
    let second = bench.next();
    bench.trunk(reply(&second, 491, "", "", ""));
    bench.pass(secs(4));
    let third = bench.next();
    assert_eq!(third.method(), "UPDATE");
    bench.sent.clear();
    // 422: longer.
    bench.trunk(reply(&third, 422, "", "Min-SE: 1200\r\n", ""));
    let fourth = bench.next();
    assert_eq!((fourth.header("Session-Expires"), fourth.header("Min-SE")), ("1200;refresher=uac", "1200"));
    bench.trunk(reply(&fourth, 200, "", "Session-Expires: 1200;refresher=uac\r\n", ""));
    bench.pass(secs(600));
    assert_eq!(bench.next().method(), "UPDATE");
    bench.pass(secs(33));
    is_dead(&mut bench);
}

#[test]
fn without_update_the_user_offers_again() {
    let mut bench = Bench::new();
    let invite = Request::invite("o1").with("Supported: timer").with("Session-Expires: 600;refresher=uas");
    let (dialog, ok) = call(&mut bench, &invite);
    bench.pass(secs(300));
    bench.nothing_sent();
    assert!(matches!(bench.event(), Event::Refresh { dialog: of } if of == dialog));
    bench.command(Command::Reinvite { dialog, sdp: sdp("the same") });
    let ours = bench.next();
    assert_eq!((ours.method(), ours.header("Session-Expires")), ("INVITE", "600;refresher=uac"));
    let fine =
        "Session-Expires: 600;refresher=uac\r\nAllow: INVITE, UPDATE\r\nContent-Type: application/sdp\r\n";
    bench.trunk(reply(&ours, 200, "", fine, "yes"));
    bench.sent.clear();
    bench.pass(secs(300));
    // They said meanwhile that they take UPDATE; this one they do not.
    let update = bench.next();
    assert_eq!(update.method(), "UPDATE");
    bench.events.clear();
    bench.trunk(reply(&update, 501, "", "", ""));
    assert!(matches!(bench.event(), Event::Refresh { .. }));
    // Their re-INVITE refreshes as well, and who refreshes stays.
    let theirs = invite.reinvite(&ok, 2).with("Supported: timer").with("Session-Expires: 600;refresher=uas");
    bench.trunk(theirs.text());
    bench.event();
    bench.command(Command::AcceptReinvite { dialog, sdp: sdp("yes") });
    let yes = bench.next();
    assert_eq!(yes.header("Session-Expires"), "600;refresher=uas");
    bench.trunk(theirs.ack(&yes).text());
    bench.pass(secs(567));
    assert!(bench.sent.is_empty(), "{:?}", bench.sent);
    bench.pass(secs(1));
    is_dead(&mut bench);
}

#[test]
fn as_caller_we_ask_take_what_is_granted_and_ask_longer_when_told() {
    let mut bench = Bench::new();
    let (_, invite) = calling(&mut bench);
    assert_eq!((invite.header("Session-Expires"), invite.header("Min-SE")), ("1800", "90"));
    bench.receive(far(), reply(&invite, 422, "t", "Min-SE: 3600\r\n", ""));
    assert_eq!(bench.next().method(), "ACK");
    let again = bench.next();
    assert_eq!((again.header("Session-Expires"), again.header("Min-SE")), ("3600", "3600"));
    assert_eq!((again.header("CSeq"), again.header("Call-ID")), ("2 INVITE", invite.header("Call-ID")));
    let granted = "Contact: <sip:x@10.0.0.9>\r\nSession-Expires: 3600;refresher=uas\r\nRequire: timer\r\n";
    bench.receive(far(), reply(&again, 200, "t", granted, ""));
    assert_eq!(bench.next().method(), "ACK");
    bench.pass(secs(3_567));
    bench.nothing_sent();
    bench.pass(secs(1));
    is_dead(&mut bench);
    // Who asks for ever longer is left.
    let mut bench = Bench::new();
    let (_, mut invite) = calling(&mut bench);
    let mut tries = 1;
    for n in 0..10 {
        let refusal = format!("Min-SE: {}\r\n", 3_600 + n);
        bench.receive(far(), reply(&invite, 422, "t", &refusal, ""));
        let Some(again) = bench.sent.drain(..).find(|sent| sent.method() == "INVITE") else { break };
        invite = again;
        tries += 1;
    }
    assert_eq!(tries, 4);
    assert!(matches!(bench.event(), Event::Ended { status: Some(422), .. }));
    bench.is_clean();
}

#[test]
fn a_callee_that_knows_no_timers_is_refreshed_by_us_if_that_is_configured() {
    for alone in [false, true] {
        let mut bench = bench(|config| config.refresh_alone = alone);
        let (dialog, invite) = calling(&mut bench);
        bench.receive(
            far(),
            reply(&invite, 200, "t", "Contact: <sip:x@10.0.0.9>\r\nAllow: INVITE, UPDATE\r\n", ""),
        );
        assert_eq!(bench.next().method(), "ACK");
        bench.pass(secs(901));
        assert_eq!(bench.sent.iter().any(|sent| sent.method() == "UPDATE"), alone);
        over(&mut bench, dialog);
    }
    // A peer that grants less than our Min-SE does not make us send without end.
    let mut bench = Bench::new();
    let (dialog, invite) = calling(&mut bench);
    let odd = "Contact: <sip:x@10.0.0.9>\r\nAllow: UPDATE\r\nSession-Expires: 0;refresher=uac\r\n";
    bench.receive(far(), reply(&invite, 200, "t", odd, ""));
    bench.sent.clear();
    bench.pass(secs(44));
    bench.nothing_sent();
    bench.pass(secs(1));
    assert_eq!(bench.next().method(), "UPDATE");
    over(&mut bench, dialog);
}
