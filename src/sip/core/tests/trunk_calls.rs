//! Calls to the outside by a trunk.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::bench::{Bench, Request, Sent, US, config, reply, settings, udp};
use super::pair::{End, Network, Pair};
use crate::call::Cause;
use crate::ids::{Redacted, TrunkId};
use crate::settings::{Outbound, Settings, Trunk, TrunkLogin};
use crate::sip::core::{Callee, Command, DialogId, Event, Flow, Particulars, Transport};

const ONE: &str = "192.0.2.1:5060";
const TWO: &str = "192.0.2.2:5060";
const THREE: &str = "192.0.2.3:5070";

pub(super) fn outbound(server: &str, register: bool) -> Outbound {
    Outbound {
        server: server.to_owned(),
        login: Some(TrunkLogin { user: "ada".to_owned(), password: Redacted("secret".to_owned()) }),
        register,
        caller_id: Some(Redacted("+4989100".to_owned())),
        prefixes: Vec::new(),
    }
}

pub(super) fn with_trunk(outbound: Outbound, max_calls: Option<u32>) -> Settings {
    let mut settings = settings(&["10.0.0.2/32"], &["ada"]);
    let networks = vec!["192.0.2.0/24".parse().unwrap()];
    let trunk = Trunk { networks, outbound: Some(outbound), max_calls, ..Trunk::default() };
    settings.trunks.insert(TrunkId::from("carrier"), Arc::new(trunk));
    settings
}

fn bench(server: &str) -> Bench {
    Bench::with(config(US), with_trunk(outbound(server, false), Some(1)))
}

fn dial(bench: &mut Bench, particulars: Particulars) -> DialogId {
    let dialog = bench.endpoint.new_dialog();
    bench.command(Command::Invite {
        dialog,
        to: Callee::Trunk { trunk: TrunkId::from("carrier"), number: "+4940555".to_owned() },
        from: "+4930123".to_owned(),
        sdp: Bytes::from_static(b"offer"),
        particulars: Box::new(particulars),
    });
    dialog
}

fn called(ways: &[(Transport, &str)]) -> (Bench, DialogId, Sent) {
    let mut bench = bench("sip:carrier.test");
    let dialog = dial(&mut bench, Particulars::default());
    bench.found(ways);
    let invite = bench.next();
    (bench, dialog, invite)
}

fn at(remote: &str) -> Flow {
    udp(US, remote)
}

const ANSWER: &str = "Contact: <sip:gw@192.0.2.1:5060>\r\nContent-Type: application/sdp\r\n";

fn ended(bench: &mut Bench) -> (Cause, Option<u16>) {
    let event = bench.event();
    let Event::Ended { cause, status, .. } = event else { panic!("not the end: {event:?}") };
    (cause, status)
}

#[test]
fn a_number_is_called_at_the_trunks_server_and_counted() {
    let mut bench = bench("sip:carrier.test:5070;transport=udp");
    let dialog = dial(&mut bench, Particulars::default());
    bench.nothing_sent();
    let asked = bench.found(&[(Transport::Udp, ONE)]);
    assert_eq!(
        (asked.host.as_str(), asked.port, asked.transport),
        ("carrier.test", Some(5070), Some(Transport::Udp))
    );
    let invite = bench.next();
    assert_eq!(invite.flow, at(ONE));
    assert!(
        invite.text.starts_with("INVITE sip:+4940555@carrier.test:5070;transport=udp;user=phone SIP/2.0\r\n")
    );
    assert!(invite.header("From").starts_with("<sip:+4930123@carrier.test>;tag="));
    assert_eq!(invite.header("To"), "<sip:+4940555@carrier.test;user=phone>");
    assert_eq!(invite.header("P-Asserted-Identity"), "<sip:+4930123@carrier.test>");
    assert_eq!((invite.header("Max-Forwards"), invite.header("Privacy")), ("70", ""));
    // One call at once: neither another out nor one in.
    dial(&mut bench, Particulars::default());
    assert!(matches!(bench.event(), Event::Limited { .. }));
    assert_eq!(ended(&mut bench), (Cause::Unreachable, Some(503)));
    bench.receive(at(ONE), Request::invite("in").text());
    assert_eq!(bench.statuses(), [503]);
    assert!(matches!(bench.event(), Event::Limited { .. }));
    bench.receive(at(ONE), reply(&invite, 180, "t", "", ""));
    assert!(matches!(bench.event(), Event::Ringing { .. }));
    bench.receive(at(ONE), reply(&invite, 200, "t", &format!("Supported: record-aware\r\n{ANSWER}"), "yes"));
    assert_eq!(bench.next().method(), "ACK");
    assert!(matches!(bench.event(), Event::Answered { record_aware: true, .. }));
    dial(&mut bench, Particulars::default());
    assert!(matches!(bench.event(), Event::Limited { .. }), "an answered call counts, too");
    bench.events.clear();
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    let bye = bench.next();
    bench.receive(at(ONE), reply(&bye, 200, "", "", ""));
    bench.is_clean();
    bench.events.clear();
    dial(&mut bench, Particulars::default());
    assert!(bench.events.is_empty() && bench.questions.len() == 1, "there is room again");
}

#[test]
fn a_caller_who_wants_privacy_goes_out_unnamed() {
    let mut bench = bench("sip:carrier.test");
    let particulars = Particulars {
        private: true,
        asserted: Some("+4930123".to_owned()),
        diversion: vec!["<sip:+4930999@h>;reason=no-answer".to_owned(), "<sip:x@h>\r\nEvil: 1".to_owned()],
        ..Particulars::default()
    };
    dial(&mut bench, particulars);
    bench.found(&[(Transport::Udp, ONE)]);
    let invite = bench.next();
    assert!(invite.header("From").starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag="));
    assert_eq!(invite.header("Privacy"), "id");
    assert_eq!(invite.header("P-Asserted-Identity"), "<sip:+4989100@carrier.test>");
    assert_eq!(invite.headers("Diversion").collect::<Vec<_>>(), ["<sip:+4930999@h>;reason=no-answer"]);
    assert!(!invite.text.contains("+4930123") && !invite.text.contains("Evil"));
}

#[test]
fn a_silent_server_and_a_full_one_are_passed_by() {
    let (mut bench, _, first) =
        called(&[(Transport::Udp, ONE), (Transport::Udp, TWO), (Transport::Udp, THREE)]);
    bench.pass(Duration::from_millis(3_900));
    assert!(bench.sent.drain(..).all(|again| again.text == first.text));
    bench.pass(Duration::from_millis(200));
    let second = bench.sent.pop_back().expect("the next way");
    assert_eq!(second.flow, at(TWO));
    assert_ne!(second.header("Call-ID"), first.header("Call-ID"));
    bench.sent.clear();
    bench.receive(at(TWO), reply(&second, 503, "t", "", ""));
    assert_eq!(bench.next().method(), "ACK");
    let third = bench.next();
    assert_eq!(third.flow, at(THREE));
    bench.receive(at(THREE), reply(&third, 200, "t", ANSWER, "yes"));
    assert_eq!(bench.next().method(), "ACK");
    assert!(matches!(bench.event(), Event::Answered { .. }));
    // The silent one wakes up.
    bench.receive(at(ONE), reply(&first, 200, "late", ANSWER, "me too"));
    let methods: Vec<_> = bench.sent.drain(..).map(|sent| sent.method().to_owned()).collect();
    assert_eq!(methods, ["ACK", "BYE"]);
    assert!(bench.events.is_empty());
    let dialog = DialogId(1);
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    bench.is_clean();
}

#[test]
fn the_last_way_is_given_all_its_time_and_one_that_rings_is_kept() {
    let (mut bench, ..) = called(&[(Transport::Udp, ONE)]);
    bench.pass(Duration::from_secs(31));
    assert!(bench.events.is_empty());
    bench.pass(Duration::from_secs(2));
    assert_eq!(ended(&mut bench), (Cause::Unreachable, Some(408)));
    bench.is_clean();
    let (mut bench, _, invite) = called(&[(Transport::Udp, ONE), (Transport::Udp, TWO)]);
    bench.receive(at(ONE), reply(&invite, 180, "t", "", ""));
    bench.event();
    bench.pass(Duration::from_secs(10));
    bench.receive(at(ONE), reply(&invite, 503, "t", "", ""));
    assert_eq!(ended(&mut bench), (Cause::Unreachable, Some(503)));
    bench.is_clean();
    // What a person says is final.
    let (mut bench, _, invite) = called(&[(Transport::Udp, ONE), (Transport::Udp, TWO)]);
    bench.receive(at(ONE), reply(&invite, 486, "t", "", ""));
    assert_eq!(ended(&mut bench), (Cause::Busy, Some(486)));
    bench.is_clean();
}

#[test]
fn a_connection_that_cannot_be_made_leads_to_the_next() {
    let (mut bench, _, invite) = called(&[(Transport::Tcp, ONE), (Transport::Udp, TWO)]);
    assert_eq!(invite.flow.transport, Transport::Tcp);
    let now = bench.now;
    bench.endpoint.closed(invite.flow, now);
    bench.drain();
    let second = bench.next();
    assert_eq!(second.flow, at(TWO));
    bench.receive(at(TWO), reply(&second, 404, "t", "", ""));
    assert_eq!(ended(&mut bench), (Cause::Unreachable, Some(404)));
    bench.is_clean();
}

#[test]
fn a_host_that_is_not_found_ends_the_call_and_late_answers_are_ignored() {
    let mut bench = bench("sip:carrier.test");
    dial(&mut bench, Particulars::default());
    bench.found(&[]);
    assert_eq!(ended(&mut bench), (Cause::Unreachable, None));
    // We speak no TLS here.
    dial(&mut bench, Particulars::default());
    bench.found(&[(Transport::Tls, ONE)]);
    assert_eq!(ended(&mut bench), (Cause::Unreachable, None));
    dial(&mut bench, Particulars::default());
    bench.pass(Duration::from_secs(11));
    assert_eq!(ended(&mut bench), (Cause::Unreachable, None));
    bench.found(&[(Transport::Udp, ONE)]);
    bench.nothing_sent();
    let dialog = dial(&mut bench, Particulars::default());
    bench.command(Command::Hangup { dialog, cause: Cause::Cancelled });
    assert_eq!(ended(&mut bench), (Cause::Cancelled, None));
    bench.found(&[(Transport::Udp, ONE)]);
    bench.nothing_sent();
    bench.is_clean();
}

fn challenge(name: &str, realm: &str, nonce: &str, more: &str) -> String {
    format!("{name}: Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm=SHA-256, qop=\"auth\"{more}\r\n")
}

#[test]
fn a_proxy_and_its_server_are_both_shown_the_password() {
    let (mut bench, dialog, invite) = called(&[(Transport::Udp, ONE)]);
    bench.receive(at(ONE), reply(&invite, 407, "t", &challenge("Proxy-Authenticate", "p", "n1", ""), ""));
    assert_eq!(bench.next().method(), "ACK");
    let second = bench.next();
    assert!(second.header("Proxy-Authorization").contains("realm=\"p\""));
    assert!(second.header("Proxy-Authorization").contains("nc=00000001"));
    assert_eq!((second.header("CSeq"), second.header("Call-ID")), ("2 INVITE", invite.header("Call-ID")));
    assert!(second.header("P-Asserted-Identity").contains("+4930123") && second.body() == "offer");
    bench.receive(at(ONE), reply(&second, 401, "t", &challenge("WWW-Authenticate", "s", "n2", ""), ""));
    assert_eq!(bench.next().method(), "ACK");
    let third = bench.next();
    assert!(third.header("Authorization").contains("realm=\"s\""));
    assert!(third.header("Proxy-Authorization").contains("nc=00000002"), "its nonce was used once more");
    // The server's nonce has become stale; a stale one is replaced, the password is still good.
    let stale = challenge("WWW-Authenticate", "s", "n3", ", stale=TRUE");
    bench.receive(at(ONE), reply(&third, 401, "t", &stale, ""));
    assert_eq!(bench.next().method(), "ACK");
    let fourth = bench.next();
    assert!(fourth.header("Authorization").contains("nonce=\"n3\""));
    bench.receive(at(ONE), reply(&fourth, 200, "t", ANSWER, "yes"));
    let ack = bench.next();
    assert_eq!((ack.method(), ack.header("Authorization")), ("ACK", fourth.header("Authorization")));
    assert!(matches!(bench.event(), Event::Answered { .. }));
    // Inside the call they ask again.
    bench.command(Command::Reinvite { dialog, sdp: Bytes::from_static(b"hold") });
    let hold = bench.next();
    bench.receive(at(ONE), reply(&hold, 407, "", &challenge("Proxy-Authenticate", "p", "n4", ""), ""));
    assert_eq!(bench.next().method(), "ACK");
    let again = bench.next();
    assert_eq!((again.method(), again.body()), ("INVITE", "hold"));
    assert!(again.header("Proxy-Authorization").contains("nonce=\"n4\""));
    bench.receive(at(ONE), reply(&again, 200, "", ANSWER, "held"));
    assert_eq!(bench.next().method(), "ACK");
    assert!(matches!(bench.event(), Event::Reinvited { sdp: Some(_), .. }));
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    bench.event();
    let bye = bench.next();
    bench.receive(at(ONE), reply(&bye, 407, "", &challenge("Proxy-Authenticate", "p", "n5", ""), ""));
    let again = bench.next();
    assert!(again.method() == "BYE" && again.header("Proxy-Authorization").contains("nonce=\"n5\""));
    bench.receive(at(ONE), reply(&again, 200, "", "", ""));
    bench.is_clean();
    assert!(bench.events.is_empty());
}

#[test]
fn a_password_that_was_refused_is_not_shown_again() {
    let (mut bench, _, invite) = called(&[(Transport::Udp, ONE)]);
    bench.receive(at(ONE), reply(&invite, 401, "t", &challenge("WWW-Authenticate", "s", "n1", ""), ""));
    bench.next();
    let second = bench.next();
    bench.receive(at(ONE), reply(&second, 401, "t", &challenge("WWW-Authenticate", "s", "n2", ""), ""));
    assert_eq!(ended(&mut bench), (Cause::Unreachable, Some(401)));
    bench.is_clean();
    // Who calls every nonce stale does not keep us busy for ever.
    let (mut bench, _, mut invite) = called(&[(Transport::Udp, ONE)]);
    let mut tries = 0;
    while bench.events.is_empty() {
        let stale = challenge("WWW-Authenticate", "s", &format!("n{tries}"), ", stale=true");
        bench.receive(at(ONE), reply(&invite, 401, "t", &stale, ""));
        assert_eq!(bench.next().method(), "ACK");
        tries += 1;
        if let Some(next) = bench.sent.pop_front() {
            invite = next;
        }
    }
    assert_eq!(tries, 5);
    bench.is_clean();
}

#[test]
fn a_redirection_is_followed_to_the_same_trunk_only() {
    let (mut bench, _, invite) = called(&[(Transport::Udp, ONE)]);
    let contacts = "Contact: <sip:+4940556@evil.test>, <sip:low@carrier.test>;q=0.1, <sip:+4940557@CARRIER.test:5080>;q=0.9\r\n\
                    Contact: <sip:x@192.0.2.1?Subject=hm>, <tel:+49>\r\n";
    bench.receive(at(ONE), reply(&invite, 302, "t", contacts, ""));
    assert_eq!(bench.next().method(), "ACK");
    let asked = bench.found(&[(Transport::Udp, TWO)]);
    assert_eq!(asked.port, Some(5080));
    let second = bench.next();
    assert!(second.text.starts_with("INVITE sip:+4940557@CARRIER.test:5080 SIP/2.0"));
    assert_eq!(second.flow, at(TWO));
    // It fails; the next best. Which leads back: not twice.
    bench.receive(at(TWO), reply(&second, 404, "t", "", ""));
    bench.next();
    bench.found(&[(Transport::Udp, ONE)]);
    let third = bench.next();
    assert!(third.text.starts_with("INVITE sip:low@carrier.test SIP/2.0"));
    bench.receive(at(ONE), reply(&third, 302, "t", contacts, ""));
    assert_eq!(ended(&mut bench), (Cause::Unreachable, Some(302)));
    bench.is_clean();
}

#[test]
fn an_invite_too_large_for_a_datagram_goes_by_tcp_if_that_can_be() {
    let large = || Particulars { user_to_user: vec!["a".repeat(1_000)], ..Particulars::default() };
    let mut by_name = bench("sip:carrier.test");
    dial(&mut by_name, large());
    by_name.found(&[(Transport::Udp, ONE)]);
    let invite = by_name.next();
    assert_eq!((invite.flow.transport, invite.flow.remote), (Transport::Tcp, at(ONE).remote));
    assert!(invite.header("Via").starts_with("SIP/2.0/TCP"));
    let now = by_name.now;
    by_name.endpoint.closed(invite.flow, now);
    by_name.drain();
    let again = by_name.next();
    assert_eq!(again.flow, at(ONE), "by UDP after all");
    by_name.receive(at(ONE), reply(&again, 404, "t", "", ""));
    by_name.is_clean();
    let mut told = bench("sip:carrier.test;transport=udp");
    dial(&mut told, large());
    told.found(&[(Transport::Udp, ONE)]);
    assert_eq!(told.next().flow, at(ONE));
}

#[test]
fn a_trunk_that_wants_us_registered_gets_calls_with_a_password_over_a_bad_network() {
    for seed in 0..30 {
        let network = Network { loss: 20, doubles: 10, delay: 300 };
        let mut pair = Pair::new(network, seed).with_trunk(outbound("sip:carrier.test", true));
        pair.wait(End::Phone, |event| {
            let Event::TrunkRegistered { result: Ok(()), .. } = event else { return None };
            Some(())
        });
        pair.wait(End::Server, |event| matches!(event, Event::Registered { on: true, .. }).then_some(()));
        let dialog = pair.end(End::Phone).new_dialog();
        pair.command(
            End::Phone,
            Command::Invite {
                dialog,
                to: Callee::Trunk { trunk: TrunkId::from("carrier"), number: "+4940555".to_owned() },
                from: "+4930123".to_owned(),
                sdp: Bytes::from_static(b"offer"),
                particulars: Box::new(Particulars {
                    user_to_user: vec!["00AB;encoding=hex".to_owned()],
                    ..Particulars::default()
                }),
            },
        );
        let incoming = pair.wait(End::Server, |event| {
            let Event::Incoming(incoming) = event else { return None };
            Some((**incoming).clone())
        });
        assert_eq!((incoming.dialled.as_str(), incoming.caller.as_deref()), ("+4940555", Some("+4930123")));
        assert_eq!(incoming.particulars.asserted.as_deref(), Some("+4930123"));
        assert_eq!(incoming.particulars.user_to_user, ["00AB;encoding=hex"]);
        pair.command(
            End::Server,
            Command::Answer { dialog: incoming.dialog, sdp: Bytes::from_static(b"answer") },
        );
        pair.wait(End::Phone, |event| matches!(event, Event::Answered { .. }).then_some(()));
        pair.wait(End::Server, |event| matches!(event, Event::Confirmed { .. }).then_some(()));
        pair.command(End::Phone, Command::Hangup { dialog, cause: Cause::HungUp });
        pair.wait(End::Server, |event| matches!(event, Event::Ended { .. }).then_some(()));
        pair.is_clean();
    }
}
