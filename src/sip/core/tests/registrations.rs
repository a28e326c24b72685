//! Our registrations at trunks' servers.

use std::sync::Arc;
use std::time::Duration;

use super::bench::{Bench, Request, Sent, US, config, reply, settings, udp};
use super::trunk_calls::{outbound, with_trunk};
use crate::ids::TrunkId;
use crate::settings::Trunk;
use crate::sip::core::{Event, Flow, Source, Transport};

const ONE: &str = "198.51.100.1:5060";
const TWO: &str = "198.51.100.2:5060";
const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"\r\n";

fn at(remote: &str) -> Flow {
    udp(US, remote)
}

/// A server that starts with a trunk to register at, of which no network is known.
fn started() -> Bench {
    let mut settings = settings(&["10.0.0.2/32"], &["ada"]);
    let trunk = Trunk { outbound: Some(outbound("sip:carrier.test", true)), ..Trunk::default() };
    settings.trunks.insert(TrunkId::from("carrier"), Arc::new(trunk));
    let mut bench = Bench::with(config(US), settings);
    bench.pass(Duration::ZERO);
    bench
}

fn told(bench: &mut Bench) -> Result<(), Option<u16>> {
    let event = bench.event();
    let Event::TrunkRegistered { trunk, result } = event else { panic!("no news of a trunk: {event:?}") };
    assert_eq!(trunk, TrunkId::from("carrier"));
    result
}

/// Registered for 100 s; the REGISTER that was granted.
fn registered() -> (Bench, Sent) {
    let mut bench = started();
    let asked = bench.found(&[(Transport::Udp, ONE), (Transport::Udp, TWO)]);
    assert_eq!((asked.host.as_str(), asked.port, asked.transport), ("carrier.test", None, None));
    let first = bench.next();
    assert!(first.text.starts_with("REGISTER sip:carrier.test SIP/2.0\r\n"));
    assert!(first.header("From").starts_with("<sip:ada@carrier.test>;tag="));
    assert_eq!((first.header("To"), first.header("Expires")), ("<sip:ada@carrier.test>", "3600"));
    assert_eq!(first.header("Contact"), "<sip:ada@10.0.0.1:5060>");
    assert_eq!((first.header("Authorization"), first.flow), ("", at(ONE)));
    bench.receive(at(ONE), reply(&first, 401, "t", CHALLENGE, ""));
    let second = bench.next();
    assert!(second.header("Authorization").contains("nc=00000001"));
    assert_eq!((second.header("CSeq"), second.header("Call-ID")), ("2 REGISTER", first.header("Call-ID")));
    let granted = "Contact: <sip:other@10.9.9.9>;expires=3000, <sip:ada@10.0.0.1>;expires=100\r\n";
    bench.receive(at(ONE), reply(&second, 200, "t", granted, ""));
    assert_eq!(told(&mut bench), Ok(()));
    (bench, second)
}

#[test]
fn it_is_refreshed_before_the_server_forgets_us() {
    let (mut bench, before) = registered();
    assert_eq!(bench.endpoint.sizes().trunks, 1);
    bench.pass(Duration::from_secs(49));
    bench.nothing_sent();
    bench.pass(Duration::from_secs(2));
    // The name now leads elsewhere first; the binding is refreshed where it is.
    bench.found(&[(Transport::Udp, TWO), (Transport::Udp, ONE)]);
    let refresh = bench.next();
    assert_eq!(refresh.flow, at(ONE));
    assert_eq!((refresh.header("CSeq"), refresh.header("Call-ID")), ("3 REGISTER", before.header("Call-ID")));
    assert!(refresh.header("Authorization").contains("nc=00000002"), "without being asked");
    bench.receive(at(ONE), reply(&refresh, 200, "t", "Expires: 60\r\n", ""));
    assert!(bench.events.is_empty(), "nothing new");
    bench.pass(Duration::from_secs(31));
    bench.found(&[(Transport::Udp, ONE)]);
    let refresh = bench.next();
    // A new nonce, not called stale: the old one was good before, so the password is.
    bench.receive(at(ONE), reply(&refresh, 401, "t", &CHALLENGE.replace("n1", "n2"), ""));
    let again = bench.next();
    assert!(again.header("Authorization").contains("nonce=\"n2\""));
    bench.receive(at(ONE), reply(&again, 200, "t", "", ""));
    bench.is_clean();
    assert!(bench.events.is_empty());
}

#[test]
fn the_server_may_ask_for_longer_and_a_silent_one_is_passed_by() {
    let mut bench = started();
    bench.found(&[(Transport::Udp, ONE), (Transport::Udp, TWO)]);
    let first = bench.next();
    bench.pass(Duration::from_millis(4_100));
    let second = bench.sent.pop_back().unwrap();
    bench.sent.clear();
    assert_eq!(second.flow, at(TWO));
    bench.receive(at(TWO), reply(&second, 423, "t", "Min-Expires: 7200\r\n", ""));
    let longer = bench.next();
    assert_eq!((longer.header("Expires"), longer.flow), ("7200", at(TWO)));
    bench.receive(at(TWO), reply(&longer, 200, "t", "", ""));
    assert_eq!(told(&mut bench), Ok(()));
    // Too late.
    bench.receive(at(ONE), reply(&first, 403, "t", "", ""));
    bench.pass(Duration::from_secs(7_000));
    assert!(bench.events.is_empty() && bench.questions.is_empty());
    bench.is_clean();
}

/// Lets time pass until a host is asked for.
fn until_asked(bench: &mut Bench) {
    while bench.questions.is_empty() {
        let at = bench.endpoint.poll_timeout().expect("it is tried again");
        bench.pass(at.since(bench.now));
    }
}

#[test]
fn failures_are_told_once_and_tried_again_less_and_less_often() {
    let mut bench = started();
    let mut waits = Vec::new();
    bench.found(&[]);
    assert_eq!(told(&mut bench), Err(None));
    for round in 0..7 {
        let before = bench.now;
        until_asked(&mut bench);
        waits.push(bench.now.since(before).as_secs());
        bench.found(&[(Transport::Udp, ONE)]);
        let register = bench.next();
        bench.receive(at(ONE), reply(&register, 403, "t", "", ""));
        if round == 0 {
            assert_eq!(told(&mut bench), Err(Some(403)));
        }
        assert!(bench.events.is_empty());
    }
    let bounds = [(30, 36), (60, 72), (120, 144), (240, 288), (480, 576), (500, 600), (500, 600)];
    assert!(waits.iter().zip(bounds).all(|(wait, (low, high))| (low..=high).contains(wait)), "{waits:?}");
    // It recovers.
    until_asked(&mut bench);
    bench.found(&[(Transport::Udp, ONE)]);
    let register = bench.next();
    bench.receive(at(ONE), reply(&register, 200, "t", "", ""));
    assert_eq!(told(&mut bench), Ok(()));
    bench.is_clean();
}

#[test]
fn nobody_at_all_answers() {
    let mut bench = started();
    bench.found(&[(Transport::Udp, ONE), (Transport::Tcp, TWO)]);
    bench.sent.clear();
    bench.pass(Duration::from_secs(5));
    let tcp = bench.sent.iter().find(|sent| sent.flow.transport == Transport::Tcp).unwrap().flow;
    let now = bench.now;
    bench.endpoint.closed(tcp, now);
    bench.drain();
    assert_eq!(told(&mut bench), Err(Some(503)));
    // Before it is tried again, nothing is left.
    bench.pass(Duration::from_secs(29));
    assert!(bench.endpoint.sizes().is_idle());
}

#[test]
fn it_is_taken_back_when_settings_or_the_server_end() {
    for closes in [false, true] {
        let (mut bench, before) = registered();
        let now = bench.now;
        if closes {
            bench.endpoint.close(now);
        } else {
            bench.endpoint.settings(Arc::new(settings(&["10.0.0.2/32"], &["ada"])), now);
        }
        bench.drain();
        let off = bench.next();
        assert_eq!((off.header("Expires"), off.header("CSeq"), off.flow), ("0", "3 REGISTER", at(ONE)));
        assert_eq!(off.header("Call-ID"), before.header("Call-ID"));
        // Even then it may ask for the password.
        let stale = CHALLENGE.replace("n1", "n2").replace("\r\n", ", stale=true\r\n");
        bench.receive(at(ONE), reply(&off, 401, "t", &stale, ""));
        let again = bench.next();
        assert_eq!(again.header("Expires"), "0");
        bench.receive(at(ONE), reply(&again, 200, "t", "", ""));
        assert_eq!(bench.endpoint.sizes().trunks, 0);
        bench.pass(Duration::from_secs(10_000));
        bench.nothing_sent();
        bench.is_clean();
    }
}

#[test]
fn one_that_is_unwanted_while_it_is_made_is_taken_back_after() {
    let mut bench = started();
    bench.found(&[(Transport::Udp, ONE)]);
    let register = bench.next();
    let now = bench.now;
    bench.endpoint.close(now);
    bench.drain();
    bench.nothing_sent();
    bench.receive(at(ONE), reply(&register, 200, "t", "", ""));
    let off = bench.next();
    assert_eq!(off.header("Expires"), "0");
    bench.pass(Duration::from_secs(33));
    assert_eq!(bench.endpoint.sizes().trunks, 0, "whether it is answered or not");
    bench.is_clean();
}

#[test]
fn a_new_password_is_taken_over_and_a_new_server_is_gone_to() {
    let (mut bench, _) = registered();
    let mut changed = with_trunk(outbound("sip:carrier.test", true), None);
    let now = bench.now;
    bench.endpoint.settings(Arc::new(changed.clone()), now);
    bench.pass(Duration::from_secs(1));
    bench.nothing_sent();
    let trunk = Trunk { outbound: Some(outbound("sip:new.test", true)), ..Trunk::default() };
    changed.trunks.insert(TrunkId::from("carrier"), Arc::new(trunk));
    let now = bench.now;
    bench.endpoint.settings(Arc::new(changed), now);
    bench.pass(Duration::ZERO);
    assert_eq!(bench.next().header("Expires"), "0");
    assert_eq!(bench.found(&[(Transport::Udp, TWO)]).host, "new.test");
    assert!(bench.next().text.starts_with("REGISTER sip:new.test SIP/2.0"));
}

/// A call from the server; the number is in To, the Request-URI is our Contact.
fn call(bench: &mut Bench, from: &str, id: &str) {
    let mut invite = Request::invite(id);
    invite.uri = "sip:ada@10.0.0.1:5060".to_owned();
    invite.to = "<sip:+4989100@carrier.test>".to_owned();
    invite.via = format!("SIP/2.0/UDP {from}");
    bench.receive(at(from), invite.text());
}

#[test]
fn calls_from_the_server_we_are_registered_at_are_the_trunks() {
    let (mut bench, _) = registered();
    call(&mut bench, ONE, "in1");
    assert_eq!(bench.statuses(), [100]);
    let incoming = bench.incoming();
    assert_eq!(incoming.source, Source::Trunk(TrunkId::from("carrier")));
    assert_eq!(incoming.dialled, "+4989100");
    bench.command(crate::sip::core::Command::Reject { dialog: incoming.dialog, status: 486 });
    bench.sent.clear();
    bench.events.clear();
    // Another address of the same host is not where we are registered; it may log in, as any other.
    call(&mut bench, TWO, "in2");
    assert_eq!(bench.statuses(), [401]);
    assert!(bench.events.is_empty());
    // Once the binding is over, so is the trust.
    bench.pass(Duration::from_secs(55));
    bench.found(&[]);
    bench.sent.clear();
    bench.pass(Duration::from_secs(50));
    bench.sent.clear();
    bench.questions.clear();
    call(&mut bench, ONE, "in3");
    assert!(!bench.statuses().contains(&100));
}
