//! Requests outside a dialog: what is answered, what is refused, what is ignored.

use super::bench::{Bench, Request, SDP, US, config, settings, udp};
use crate::ids::{AgentId, TrunkId};
use crate::settings::Settings;
use crate::sip::core::{Command, Event, Source};
use std::sync::Arc;

fn answer(request: &Request) -> super::bench::Sent {
    let mut bench = Bench::new();
    bench.trunk(request.text());
    let answer = bench.next();
    bench.nothing_sent();
    assert!(bench.events.is_empty());
    assert!(bench.endpoint.sizes().is_idle(), "a refusal keeps nothing");
    assert!(!answer.to_tag().is_empty(), "a To tag on every final response");
    answer
}

#[test]
fn options_is_answered_with_what_we_can() {
    let ok = answer(&Request::new("OPTIONS", "o1", 7));
    assert_eq!((ok.status(), ok.header("CSeq")), (200, "7 OPTIONS"));
    assert!(ok.header("Allow").contains("INVITE") && ok.header("Accept").contains("application/sdp"));
    assert_eq!(ok.header("Supported"), "100rel, timer, replaces, norefersub, histinfo, record-aware");
}

#[test]
fn what_we_do_not_take_is_refused_as_the_rfc_says() {
    let new = |method: &str| Request::new(method, "r1", 1);
    assert_eq!(answer(&new("BREW")).status(), 501);
    let refused = answer(&new("SUBSCRIBE"));
    assert_eq!(refused.status(), 405);
    assert!(refused.header("Allow").contains("BYE"));
    assert_eq!(answer(&new("BYE")).status(), 481);
    assert_eq!(answer(&new("CANCEL")).status(), 481);
    let mut lost = new("BYE");
    lost.to.push_str(";tag=gone");
    assert_eq!(answer(&lost).status(), 481);

    let refused = answer(
        &Request::invite("r2").with("Require: join, 100rel, \t precondition").with("Proxy-Require: x"),
    );
    assert_eq!((refused.status(), refused.header("Unsupported")), (420, "join, precondition"));
    let mut strange = Request::invite("r3");
    strange.uri = "http://example.com".to_owned();
    assert_eq!(answer(&strange).status(), 416);
    let mut typed = new("INVITE").with("Content-Type: application/x-unknown");
    typed.body = "?".to_owned();
    let refused = answer(&typed);
    assert_eq!(refused.status(), 415);
    assert!(refused.header("Accept").contains("application/sdp"));
    assert_eq!(answer(&Request::invite("r4").with("Accept: text/plain")).status(), 406);
}

#[test]
fn versions_and_methods_must_agree() {
    let text = Request::new("OPTIONS", "v1", 1).text();
    for (wrong, status) in [
        (text.replace("SIP/2.0\r\n", "SIP/7.0\r\n"), 505),
        (text.replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"), 400),
        (text.replace("CSeq: 1 ", "CSeq: 99999999999 "), 400),
        (text.replace("Max-Forwards: 70", "Max-Forwards: 70\r\nCall-ID: other"), 400),
    ] {
        let mut bench = Bench::new();
        bench.trunk(wrong.clone());
        let refused = bench.next();
        assert_eq!(refused.status(), status, "{wrong}");
        assert!(!refused.to_tag().is_empty());
    }
    // A missing Max-Forwards is forgiven; of a last hop nothing is asked (RFC 3261 §16.3 is for proxies).
    for fine in ["", "Max-Forwards: 0\r\n"] {
        let mut bench = Bench::new();
        bench.trunk(text.replace("Max-Forwards: 70\r\n", fine));
        assert_eq!(bench.next().status(), 200);
    }
}

#[test]
fn the_same_request_by_two_ways_is_482() {
    let mut bench = Bench::new();
    let invite = Request::invite("m1");
    bench.trunk(invite.text());
    assert_eq!(bench.statuses(), [100]);
    let mut copy = invite.clone();
    copy.branch.push('x');
    bench.trunk(copy.text());
    assert_eq!(bench.statuses(), [482]);
    // The same branch is a retransmission.
    bench.trunk(invite.text());
    assert_eq!(bench.statuses(), [100]);
    let dialog = bench.incoming().dialog;
    bench.command(Command::Reject { dialog, status: 404 });
    let refused = bench.next();
    assert_eq!(refused.status(), 404);
    bench.trunk(invite.ack(&refused).text().replace("z9hG4bKm1ACK1", &invite.branch));
    bench.is_clean();
}

#[test]
fn a_caller_is_named_by_the_trunk_unless_it_hides() {
    let caller = |request: Request| {
        let mut bench = Bench::new();
        bench.trunk(request.text());
        let incoming = bench.incoming();
        assert_eq!(incoming.source, Source::Trunk(TrunkId::from("pstn")));
        incoming.caller
    };
    let invite = || Request::invite("i1");
    let asserted = "P-Asserted-Identity: \"A\" <sip:+49301@x>, <tel:+49301>";
    assert_eq!(caller(invite()).as_deref(), Some("+4930123"));
    assert_eq!(caller(invite().with(asserted)).as_deref(), Some("+49301"));
    assert_eq!(caller(invite().with("P-Asserted-Identity: <tel:+49302;x=y>")).as_deref(), Some("+49302"));
    assert_eq!(caller(invite().with(asserted).with("Privacy: header;id")), None);
    let mut hidden = invite().with(asserted);
    hidden.from = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=them".to_owned();
    assert_eq!(caller(hidden), None);
    let mut bench = Bench::new();
    let mut dialled = invite();
    dialled.uri = "sip:+49%33%30555;phone-context=x@10.0.0.1;user=phone".to_owned();
    bench.trunk(dialled.text());
    assert_eq!(bench.incoming().dialled, "+4930555");
    dialled.uri = "tel:+49-30-555;ext=1".to_owned();
    dialled.call_id = "i2".to_owned();
    dialled.branch.push('b');
    bench.trunk(dialled.text());
    assert_eq!(bench.incoming().dialled, "+49-30-555");
}

#[test]
fn what_is_logged_holds_no_number() {
    let mut bench = Bench::new();
    bench.trunk(Request::invite("n1").text());
    let event = bench.event();
    assert!(matches!(event, Event::Incoming(_)));
    let dialog = bench.endpoint.new_dialog();
    let to = crate::sip::core::Callee::Uri {
        uri: "sip:+4930123@10.0.0.9".to_owned(),
        remote: "10.0.0.9:5060".parse().unwrap(),
        transport: crate::sip::core::Transport::Udp,
        login: None,
    };
    let text = format!(
        "{event:?} {to:?} {:?}",
        Command::Invite {
            dialog,
            to: to.clone(),
            from: "+4930123".to_owned(),
            sdp: SDP.into(),
            particulars: Box::default()
        }
    );
    assert!(!text.contains("30123") && !text.contains("100@") && !text.contains("\"100\""), "{text}");
}

#[test]
fn a_trunk_may_log_in_from_anywhere() {
    let mut roaming = settings(&["10.0.0.2/32"], &["ada"]);
    let far = roaming.agents.remove(&AgentId::from("ada")).unwrap();
    let mut trunk = (**roaming.trunks.get(&TrunkId::from("pstn")).unwrap()).clone();
    (trunk.networks, trunk.digest) = (Vec::new(), far.credentials.clone());
    roaming.trunks.insert(TrunkId::from("roaming"), Arc::new(trunk));
    let mut bench = Bench::with(config(US), roaming);
    let from = udp(US, "192.0.2.50:5060");
    let mut invite = Request::invite("d1");
    invite.from = "<sip:ada@carrier.test>;tag=them".to_owned();
    bench.receive(from, invite.text());
    let challenge = bench.next();
    assert_eq!(challenge.status(), 401);
    let mut again = super::bench_login(&invite, &challenge, "ada", "secret");
    again.extra.push("P-Asserted-Identity: <sip:+49301@carrier.test>".to_owned());
    bench.receive(from, again.text());
    let incoming = bench.incoming();
    assert_eq!(incoming.source, Source::Trunk(TrunkId::from("roaming")));
    assert_eq!(incoming.caller.as_deref(), Some("+49301"));
    // The same answer for another call: its count is used up, the password is right.
    let mut replayed = again.clone();
    (replayed.call_id, replayed.branch) = ("d2".to_owned(), "z9hG4bKd2".to_owned());
    bench.sent.clear();
    bench.receive(from, replayed.text());
    let stale = bench.next();
    assert_eq!(stale.status(), 401);
    assert!(stale.header("WWW-Authenticate").contains("stale=true"));
    bench.command(Command::Hangup { dialog: incoming.dialog, cause: crate::call::Cause::Internal });
    bench.is_clean();
}

#[test]
fn latin_1_in_a_display_name_and_folded_headers_are_fine() {
    let mut bench = Bench::new();
    let text =
        Request::invite("l1").text().replace("From: ", "From:\r\n \"J\u{1}rg\" ").replace('\u{1}', "\u{fc}");
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    bench.trunk(latin);
    assert_eq!(bench.statuses(), [100]);
    assert_eq!(bench.incoming().caller.as_deref(), Some("+4930123"));
}

#[test]
fn responses_go_back_the_way_they_came() {
    let mut bench = Bench::new();
    let mut options = Request::new("OPTIONS", "w1", 1);
    options.via = "SIP/2.0/UDP far.example.com:5070".to_owned();
    let from = udp(US, "10.0.0.2:40000");
    bench.receive(from, options.text());
    let ok = bench.next();
    assert_eq!(ok.flow.remote.to_string(), "10.0.0.2:5070", "the port in Via, the address it came from");
    assert!(ok.header("Via").ends_with(";received=10.0.0.2"));
    options.branch.push_str(";rport");
    bench.receive(from, options.text());
    let ok = bench.next();
    assert_eq!(ok.flow, from);
    assert!(ok.header("Via").contains(";rport=40000;received=10.0.0.2"), "{}", ok.text);
}

#[test]
fn keep_alives_are_nothing_and_may_come_before_a_message() {
    let mut bench = Bench::new();
    for nothing in ["\r\n", "\r\n\r\n", "\0", ""] {
        bench.trunk(nothing);
    }
    bench.nothing_sent();
    bench.trunk(format!("\r\n\r\n{}", Request::new("OPTIONS", "k1", 1).text()));
    assert_eq!(bench.statuses(), [200]);
}

#[test]
fn a_trunk_at_its_limit_gets_503_and_counts_down_once() {
    let mut limited: Settings = settings(&["10.0.0.2/32"], &[]);
    let trunk = limited.trunks.get_mut(&TrunkId::from("pstn")).unwrap();
    Arc::make_mut(trunk).max_calls = Some(1);
    let mut bench = Bench::with(config(US), limited);
    for round in 0..3 {
        let invite = Request::invite(&format!("t{round}"));
        bench.trunk(invite.text());
        assert_eq!(bench.statuses(), [100]);
        let dialog = bench.incoming().dialog;
        bench.trunk(Request::invite(&format!("u{round}")).text());
        let refused = bench.next();
        assert_eq!(refused.status(), 503);
        assert!(!refused.header("Retry-After").is_empty());
        assert!(matches!(bench.event(), Event::Limited { .. }));
        bench.command(Command::Reject { dialog, status: 486 });
        bench.command(Command::Reject { dialog, status: 486 });
        let busy = bench.next();
        assert_eq!(busy.status(), 486);
        bench.trunk(invite.ack(&busy).text().replace(&format!("z9hG4bKt{round}ACK1"), &invite.branch));
        assert!(matches!(bench.event(), Event::Ended { status: Some(486), .. }));
    }
    bench.is_clean();
}

#[test]
fn a_full_house_refuses_new_calls_only() {
    let mut small = config(US);
    small.max_dialogs = 1;
    let mut bench = Bench::with(small, settings(&["10.0.0.2/32"], &[]));
    let (dialog, invite, ok) = bench.call();
    bench.trunk(Request::invite("f2").text());
    let refused = bench.next();
    assert_eq!(refused.status(), 503);
    assert!(!refused.header("Retry-After").is_empty());
    bench.trunk(invite.within(&ok, "BYE", 2).text());
    assert_eq!(bench.statuses(), [200]);
    assert!(matches!(bench.event(), Event::Ended { dialog: ended, .. } if ended == dialog));
    bench.is_clean();
}

#[test]
fn an_agents_phone_calls_in_by_its_registration_or_its_password() {
    let mut bench = Bench::new();
    let phone = udp(US, "192.0.2.7:5062");
    let mut invite = Request::invite("a1");
    invite.from = "<sip:ada@sayso.test>;tag=them".to_owned();
    bench.receive(phone, invite.text());
    let challenge = bench.next();
    assert_eq!(challenge.status(), 401);
    assert_eq!(challenge.headers("WWW-Authenticate").count(), 2);
    let authorized = super::bench_login(&invite, &challenge, "ada", "secret");
    bench.receive(phone, authorized.text());
    assert_eq!(bench.statuses(), [100]);
    let incoming = bench.incoming();
    assert_eq!(incoming.source, Source::Agent(AgentId::from("ada")));
    assert_eq!(incoming.caller.as_deref(), Some("ada"));
    bench.command(Command::Hangup { dialog: incoming.dialog, cause: crate::call::Cause::Shutdown });
    assert_eq!(bench.next().status(), 503);
    bench.is_clean();
}
