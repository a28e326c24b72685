//! Requests that fit and do not come from the other side do nothing; those of one that moved do.

use super::bench::{Bench, REALM, Request, US, config, settings, udp};
use super::reliable::{incoming, sdp};
use crate::call::Cause;
use crate::sip::core::{Command, Event};

const STRANGER: &str = "203.0.113.9:5060";

fn is_spoofed(bench: &mut Bench) {
    let event = bench.event();
    assert!(matches!(event, Event::Spoofed { remote } if remote.to_string() == STRANGER), "{event:?}");
    assert!(bench.events.is_empty(), "{:?}", bench.events);
}

#[test]
fn a_bye_with_the_right_tags_from_elsewhere_does_nothing() {
    let mut bench = Bench::new();
    let (dialog, invite, ok) = bench.call();
    for method in ["BYE", "INVITE", "UPDATE", "INFO"] {
        bench.receive(udp(US, STRANGER), invite.within(&ok, method, 900).text());
        assert_eq!(bench.statuses(), [481], "{method}");
        is_spoofed(&mut bench);
    }
    // Neither did it use up their numbers, nor move where we send to.
    bench.command(Command::Reinvite { dialog, sdp: sdp("x") });
    assert_eq!(bench.next().flow.remote.to_string(), "10.0.0.2:5060");
    bench.trunk(invite.within(&ok, "BYE", 2).text());
    assert!(bench.statuses().contains(&200));
    bench.is_clean();
}

#[test]
fn a_cancel_comes_from_where_its_invite_came_from() {
    let mut bench = Bench::new();
    let invite = Request::invite("c1");
    let dialog = incoming(&mut bench, &invite);
    bench.receive(udp(US, STRANGER), invite.cancel().text());
    assert_eq!(bench.statuses(), [481]);
    is_spoofed(&mut bench);
    bench.command(Command::Answer { dialog, sdp: sdp("answer") });
    let ok = bench.next();
    assert_eq!(ok.status(), 200);
    // Nor does an ACK confirm what it has not heard.
    bench.receive(udp(US, STRANGER), invite.ack(&ok).text());
    bench.nothing_sent();
    is_spoofed(&mut bench);
    bench.trunk(invite.ack(&ok).text());
    assert!(matches!(bench.event(), Event::Confirmed { .. }));
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    bench.is_clean();
}

#[test]
fn another_host_of_the_trunk_may_go_on_with_its_call_and_so_may_their_contact() {
    let mut bench = Bench::with(config(US), settings(&["10.0.0.0/29"], &[]));
    let (dialog, invite, ok) = bench.call();
    let moved = udp(US, "10.0.0.5:5062");
    let mut again = invite.reinvite(&ok, 2);
    again.extra[0] = "Contact: <sip:them@10.0.0.5:5062>".to_owned();
    again.via = "SIP/2.0/UDP 10.0.0.5:5062".to_owned();
    bench.receive(moved, again.text());
    bench.event();
    bench.command(Command::AcceptReinvite { dialog, sdp: sdp("yes") });
    let yes = bench.next();
    assert_eq!((yes.status(), yes.flow), (200, moved));
    bench.receive(moved, again.ack(&yes).text());
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    assert_eq!(bench.next().flow.remote, moved.remote);
    bench.is_clean();
    // A proxy that keeps out of the call: the rest comes from Contact.
    let mut bench = Bench::new();
    let mut invite = Request::invite("p1");
    invite.extra[0] = "Contact: <sip:them@198.51.100.4>".to_owned();
    let dialog = incoming(&mut bench, &invite);
    bench.command(Command::Answer { dialog, sdp: sdp("answer") });
    let ok = bench.next();
    bench.receive(udp(US, "198.51.100.4:5060"), invite.ack(&ok).text());
    assert!(matches!(bench.event(), Event::Confirmed { .. }));
    bench.receive(udp(US, "198.51.100.4:5060"), invite.within(&ok, "BYE", 2).text());
    assert_eq!(bench.statuses(), [200]);
    bench.is_clean();
}

#[test]
fn an_agents_phone_that_moved_is_asked_for_its_password() {
    let mut bench = Bench::new();
    let (home, away) = (udp(US, "192.0.2.7:5062"), udp(US, "203.0.113.9:5060"));
    let mut invite = Request::new("INVITE", "a1", 1).with("Contact: <sip:ada@phone.invalid>").sdp();
    invite.via = "SIP/2.0/UDP 192.0.2.7:5062".to_owned();
    invite.from = format!("<sip:ada@{REALM}>;tag=them");
    bench.receive(home, invite.text());
    let challenge = bench.next();
    let invite = super::bench_login(&invite, &challenge, "ada", "secret");
    bench.receive(home, invite.text());
    bench.sent.clear();
    let dialog = bench.incoming().dialog;
    bench.command(Command::Answer { dialog, sdp: sdp("answer") });
    let ok = bench.next();
    bench.receive(home, invite.ack(&ok).text());
    bench.event();
    let mut bye = invite.within(&ok, "BYE", 9);
    bye.via = "SIP/2.0/UDP 203.0.113.9:5060".to_owned();
    bench.receive(away, bye.text());
    let challenge = bench.next();
    assert_eq!(challenge.status(), 401);
    is_spoofed(&mut bench);
    // Another agent's password is not the right one.
    bench.receive(away, super::bench_login(&bye, &challenge, "bob", "secret").text());
    assert_eq!(bench.statuses(), [481]);
    is_spoofed(&mut bench);
    bye.branch.push('b');
    bye.cseq += 5;
    bench.receive(away, bye.text());
    let challenge = bench.next();
    is_spoofed(&mut bench);
    let bye = super::bench_login(&bye, &challenge, "ada", "secret");
    bench.receive(away, bye.text());
    assert_eq!(bench.statuses(), [200]);
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::HungUp, .. }));
    bench.is_clean();
}

#[test]
fn their_reason_is_ours_to_know() {
    for (reason, cause) in [
        ("Q.850;cause=16", Cause::HungUp),
        ("SIP;cause=200;text=\"Call completed elsewhere\"", Cause::AnsweredElsewhere),
        ("Q.850;cause=38;text=\"Network out of order\"", Cause::Unreachable),
        ("x", Cause::HungUp),
    ] {
        let mut bench = Bench::new();
        let (_, invite, ok) = bench.call();
        bench.trunk(invite.within(&ok, "BYE", 2).with(&format!("Reason: {reason}")).text());
        assert!(matches!(bench.event(), Event::Ended { cause: told, .. } if told == cause), "{reason}");
        bench.is_clean();
    }
    for (reason, cause) in [("Q.850;cause=19", Cause::NoAnswer), ("Q.850;cause=16", Cause::Cancelled)] {
        let mut bench = Bench::new();
        let invite = Request::invite("r1");
        incoming(&mut bench, &invite);
        bench.trunk(invite.cancel().with(&format!("Reason: {reason}")).text());
        assert!(matches!(bench.event(), Event::Ended { cause: told, .. } if told == cause), "{reason}");
        bench.is_clean();
    }
}

#[test]
fn a_join_header_is_ignored_and_a_required_one_refused_and_awareness_is_told() {
    let mut bench = Bench::new();
    bench.trunk(Request::invite("j1").with("Require: join").with("Join: x;to-tag=1;from-tag=2").text());
    let refused = bench.next();
    assert_eq!((refused.status(), refused.header("Unsupported")), (420, "join"));
    bench.trunk(
        Request::invite("j2").with("Join: x;to-tag=1;from-tag=2").with("Supported: record-aware").text(),
    );
    let incoming = bench.incoming();
    assert!(incoming.record_aware && incoming.replaces.is_none());
    bench.command(Command::Reject { dialog: incoming.dialog, status: 486 });
    bench.is_clean();
}
