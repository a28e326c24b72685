//! Phones in web pages: which are rung, how they lose their connection and come back, and what is lent to them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::bench::{Bench, REALM, Request, Sent, US, config, reply, settings};
use crate::call::Cause;
use crate::ids::{AgentId, Redacted};
use crate::settings::{Agent, PhoneMedia};
use crate::sip::core::{Callee, Command, DialogId, Event, Flow, Loan, Media, Particulars, Phones, Transport};

const PAGE: &str = "sip:k3v9@x1.invalid;transport=ws";
const INSTANCE: &str = "\"<urn:uuid:4a1bf3c0-11aa-4d2e-9a55-0d6a5c2a7f10>\"";
const WEBRTC: Phones = Phones { rtp: false, webrtc: true };
const NONE: Phones = Phones { rtp: false, webrtc: false };
const ANSWER: &str = "Contact: <sip:k3v9@x1.invalid;transport=ws;ob>\r\nContent-Type: application/sdp\r\nAllow: INVITE,UPDATE\r\n";

fn ws(connection: u64, remote: &str) -> Flow {
    Flow { transport: Transport::Ws, local: US.parse().unwrap(), remote: remote.parse().unwrap(), connection }
}

/// A page's connection.
fn open(bench: &mut Bench, connection: u64) -> Flow {
    let flow = ws(connection, &format!("192.0.2.7:{}", 40_000 + connection));
    bench.endpoint.accepted(flow, bench.now);
    flow
}

fn close(bench: &mut Bench, flow: Flow) {
    bench.endpoint.closed(flow, bench.now);
    bench.drain();
}

fn lend(bench: &mut Bench, user: &str, seconds: u64) {
    let until = bench.now + Duration::from_secs(seconds);
    let password = Redacted("lent".to_owned());
    let loan = Loan { agent: AgentId::from("ada"), user: user.to_owned(), password, until };
    bench.endpoint.lend(loan, bench.now);
    bench.drain();
}

/// A page's REGISTER, as far as it goes: its last answer.
fn register_as(bench: &mut Bench, flow: Flow, contact: &str, login: (&str, &str)) -> Sent {
    let params = format!(";+sip.ice;reg-id=1;+sip.instance={INSTANCE};expires=600");
    let mut request = Request::new("REGISTER", &format!("reg{}{contact}", flow.connection), 1)
        .with(&format!("Contact: <{contact}>{params}"))
        .with("Supported: path,gruu,outbound");
    request.branch = format!("z9hG4bK{}{}", flow.connection, bench.now.as_micros());
    request.cseq = u32::try_from(bench.now.as_micros() / 1_000_000 % 1_000_000).unwrap() * 2;
    request.uri = format!("sip:{REALM}");
    request.via = "SIP/2.0/WS x1.invalid".to_owned();
    request.from = format!("<sip:ada@{REALM}>;tag=reg");
    request.to = format!("<sip:ada@{REALM}>");
    bench.receive(flow, request.text());
    let challenge = bench.next();
    assert_eq!(challenge.status(), 401);
    bench.receive(flow, super::bench_login(&request, &challenge, login.0, login.1).text());
    bench.next()
}

fn register(bench: &mut Bench, flow: Flow, contact: &str) -> Sent {
    register_as(bench, flow, contact, ("ada", "secret"))
}

fn registered(bench: &mut Bench) -> Phones {
    let event = bench.event();
    let Event::Registered { agent, on, phones } = event else { panic!("{event:?}") };
    assert_eq!((agent, on), (AgentId::from("ada"), phones != NONE));
    phones
}

fn call(bench: &mut Bench, media: Media, particulars: Particulars) -> DialogId {
    let dialog = bench.endpoint.new_dialog();
    bench.command(Command::Invite {
        dialog,
        to: Callee::Agent { agent: AgentId::from("ada"), media },
        from: "+4930123".to_owned(),
        sdp: Bytes::from_static(b"offer"),
        particulars: Box::new(particulars),
    });
    dialog
}

/// A page that is registered over connection 1 and in a call: its dialog, the INVITE, our ACK.
fn in_call() -> (Bench, Flow, DialogId, Sent) {
    let mut bench = Bench::new();
    let flow = open(&mut bench, 1);
    assert_eq!(register(&mut bench, flow, PAGE).status(), 200);
    assert_eq!(registered(&mut bench), WEBRTC);
    let dialog = call(&mut bench, Media::Webrtc, Particulars::default());
    let invite = bench.next();
    bench.receive(flow, reply(&invite, 200, "page", ANSWER, "yes"));
    assert!(matches!(bench.event(), Event::Answered { .. }));
    let ack = bench.next();
    assert_eq!((ack.method(), ack.flow), ("ACK", flow));
    (bench, flow, dialog, invite)
}

/// A request of the page inside the dialog of our INVITE.
fn within(invite: &Sent, method: &str, cseq: u32) -> Request {
    let mut request = Request::new(method, invite.header("Call-ID"), cseq);
    request.uri = "sip:10.0.0.1:5060;transport=ws".to_owned();
    request.via = "SIP/2.0/WS x1.invalid".to_owned();
    request.from = format!("{};tag=page", invite.header("To"));
    request.to = invite.header("From").to_owned();
    request.branch = format!("z9hG4bKin{method}{cseq}");
    request
}

fn unreachable(bench: &mut Bench) -> DialogId {
    let event = bench.event();
    let Event::Unreachable { dialog } = event else { panic!("{event:?}") };
    dialog
}

#[test]
fn only_phones_of_the_wanted_kind_are_rung_and_told_of_the_call() {
    let mut bench = Bench::new();
    let flow = open(&mut bench, 1);
    let ok = register(&mut bench, flow, PAGE);
    assert_eq!(
        ok.header("Contact"),
        format!("<{PAGE}>;+sip.instance={INSTANCE};reg-id=1;expires=600"),
        "by which it finds itself"
    );
    assert_eq!(registered(&mut bench), WEBRTC);
    let particulars =
        Particulars { call: Some("7f3a".to_owned()), purpose: Some("reattach"), ..Particulars::default() };
    let dialog = call(&mut bench, Media::Rtp, particulars.clone());
    assert!(
        matches!(bench.event(), Event::Ended { dialog: of, cause: Cause::Unreachable, .. } if of == dialog)
    );
    bench.nothing_sent();
    let dialog = call(&mut bench, Media::Webrtc, particulars);
    let invite = bench.next();
    assert!(invite.text.starts_with(&format!("INVITE {PAGE} SIP/2.0\r\n")), "{}", invite.text);
    assert_eq!((invite.header("X-Sayso-Call"), invite.header("X-Sayso-Purpose")), ("7f3a", "reattach"));
    bench.command(Command::Hangup { dialog, cause: Cause::Cancelled });
    // The settings decide, also for phones that are there already.
    for (media, phones) in [
        (PhoneMedia::Rtp, Phones { rtp: true, webrtc: false }),
        (PhoneMedia::Webrtc, WEBRTC),
        (PhoneMedia::Rtp, Phones { rtp: true, webrtc: false }),
        (PhoneMedia::Auto, WEBRTC),
    ] {
        let mut new = settings(&["10.0.0.2/32"], &["ada", "bob"]);
        let mut ada = Agent::clone(&new.agents[&AgentId::from("ada")]);
        ada.phone.media = media;
        new.agents.insert(AgentId::from("ada"), Arc::new(ada));
        bench.endpoint.settings(Arc::new(new), bench.now);
        bench.drain();
        bench.events.retain(|event| !matches!(event, Event::Ended { .. }));
        if bench.events.is_empty() {
            assert_eq!((media, phones), (PhoneMedia::Webrtc, WEBRTC), "no change is told");
        } else {
            assert_eq!(registered(&mut bench), phones);
        }
    }
}

#[test]
fn a_reloaded_page_takes_its_own_place() {
    let (mut bench, _, dialog, _) = in_call();
    // Its old connection is not seen to close: the network is gone.
    let new = open(&mut bench, 2);
    assert_eq!(register(&mut bench, new, "sip:another@x1.invalid;transport=ws").status(), 200);
    assert_eq!(unreachable(&mut bench), dialog, "the page that was in the call is no more");
    assert_eq!(registered(&mut bench), WEBRTC, "told again: it is there anew");
    assert_eq!(bench.endpoint.sizes().registrations, 1);
    bench.nothing_sent();
    let other = call(&mut bench, Media::Webrtc, Particulars::default());
    let invite = bench.next();
    assert_eq!(invite.flow, new);
    // The old connection's end says nothing new.
    close(&mut bench, ws(1, "192.0.2.7:40001"));
    assert!(bench.events.is_empty(), "{:?}", bench.events);
    bench.command(Command::Hangup { dialog: other, cause: Cause::Cancelled });
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    let ended = bench.events.drain(..).filter(|event| matches!(event, Event::Ended { .. })).count();
    assert_eq!(ended, 2);
    bench.is_clean();
}

#[test]
fn a_closed_connection_is_told_once_and_the_dialog_stays() {
    let (mut bench, flow, dialog, _) = in_call();
    close(&mut bench, flow);
    assert_eq!(unreachable(&mut bench), dialog);
    assert_eq!(registered(&mut bench), NONE);
    close(&mut bench, flow);
    bench.pass(Duration::from_secs(120));
    // Nothing is sent where nobody is, and what must wait waits.
    bench.command(Command::Info { dialog, digit: '5'.try_into().unwrap() });
    bench.command(Command::Reinvite { dialog, sdp: Bytes::from_static(b"first") });
    bench.command(Command::Reinvite { dialog, sdp: Bytes::from_static(b"second") });
    bench.nothing_sent();
    assert!(bench.events.is_empty(), "{:?}", bench.events);
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::HungUp, .. }));
    // Its BYE cannot be delivered: the shell says so.
    let bye = bench.next();
    assert_eq!((bye.method(), bye.flow.connection), ("BYE", 0));
    close(&mut bench, bye.flow);
    assert_eq!(bench.endpoint.sizes().dialogs, 0);
    bench.is_clean();
}

#[test]
fn a_page_that_registers_again_goes_on_with_its_calls() {
    let (mut bench, flow, dialog, _) = in_call();
    close(&mut bench, flow);
    assert_eq!(unreachable(&mut bench), dialog);
    assert_eq!(registered(&mut bench), NONE);
    bench.command(Command::Reinvite { dialog, sdp: Bytes::from_static(b"hold") });
    bench.nothing_sent();
    bench.pass(Duration::from_secs(3));
    let new = open(&mut bench, 2);
    assert_eq!(register(&mut bench, new, PAGE).status(), 200);
    let reinvite = bench.next();
    assert_eq!((reinvite.method(), reinvite.flow, reinvite.body()), ("INVITE", new, "hold"));
    assert_eq!(registered(&mut bench), WEBRTC);
    bench.receive(new, reply(&reinvite, 200, "page", ANSWER, "held"));
    assert!(matches!(bench.event(), Event::Reinvited { sdp: Some(_), .. }));
    assert_eq!(bench.next().method(), "ACK");
    // And once more, which is told once more.
    close(&mut bench, new);
    assert_eq!(unreachable(&mut bench), dialog);
    let newer = open(&mut bench, 3);
    bench.pass(Duration::from_secs(2));
    register(&mut bench, newer, PAGE);
    bench.events.clear();
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    let bye = bench.next();
    assert_eq!((bye.method(), bye.flow), ("BYE", newer));
    bench.receive(newer, reply(&bye, 200, "page", "", ""));
    bench.is_clean();
}

#[test]
fn a_page_that_comes_back_before_its_old_connection_is_seen_to_close_is_not_lost() {
    let (mut bench, flow, dialog, _) = in_call();
    let new = open(&mut bench, 2);
    assert_eq!(register(&mut bench, new, PAGE).status(), 200);
    assert_eq!(registered(&mut bench), WEBRTC);
    close(&mut bench, flow);
    assert!(bench.events.is_empty(), "{:?}", bench.events);
    bench.command(Command::Reinvite { dialog, sdp: Bytes::from_static(b"x") });
    assert_eq!(bench.next().flow, new);
    // A refresh of the registration moves nothing.
    bench.pass(Duration::from_secs(2));
    assert_eq!(register(&mut bench, new, PAGE).status(), 200);
    assert!(bench.events.is_empty(), "{:?}", bench.events);
}

#[test]
fn a_request_of_ours_that_the_closing_took_is_made_again() {
    let (mut bench, flow, dialog, _) = in_call();
    bench.command(Command::Reinvite { dialog, sdp: Bytes::from_static(b"x") });
    assert_eq!(bench.next().flow, flow);
    close(&mut bench, flow);
    assert_eq!(unreachable(&mut bench), dialog);
    assert_eq!(registered(&mut bench), NONE);
    assert!(bench.events.is_empty(), "neither refused nor ended: {:?}", bench.events);
    let new = open(&mut bench, 2);
    bench.pass(Duration::from_secs(2));
    register(&mut bench, new, PAGE);
    let again = bench.next();
    assert_eq!((again.method(), again.flow, again.body()), ("INVITE", new, "x"));
}

#[test]
fn a_page_that_moved_is_asked_for_its_password_and_its_new_contact_counts() {
    let (mut bench, flow, dialog, invite) = in_call();
    close(&mut bench, flow);
    bench.events.clear();
    bench.command(Command::Reinvite { dialog, sdp: Bytes::from_static(b"ours") });
    // Another network, another address; the REGISTER is still to come.
    let new = ws(2, "198.51.100.4:50000");
    bench.endpoint.accepted(new, bench.now);
    let contact = "Contact: <sip:moved@x2.invalid;transport=ws>";
    let reinvite = within(&invite, "INVITE", 5).with(contact).sdp();
    bench.receive(new, reinvite.text());
    let challenge = bench.next();
    assert_eq!((challenge.status(), challenge.flow), (401, new));
    bench.events.clear();
    let reinvite = super::bench_login(&reinvite, &challenge, "ada", "secret");
    bench.receive(new, reinvite.text());
    assert!(matches!(bench.event(), Event::Reinvite { .. }));
    bench.command(Command::AcceptReinvite { dialog, sdp: Bytes::from_static(b"yes") });
    bench.sent.retain(|sent| sent.status() == 200);
    let ok = bench.next();
    assert_eq!((ok.status(), ok.flow), (200, new));
    let mut ack = within(&invite, "ACK", reinvite.cseq);
    ack.branch.push('k');
    bench.receive(new, ack.text());
    // What had waited goes out now, to the new target.
    let ours = bench.next();
    assert!(ours.text.starts_with("INVITE sip:moved@x2.invalid;transport=ws SIP/2.0"), "{}", ours.text);
    assert_eq!(ours.flow, new);
}

#[test]
fn a_call_of_a_page_is_watched_too() {
    let mut bench = Bench::new();
    let flow = open(&mut bench, 1);
    register(&mut bench, flow, PAGE);
    bench.events.clear();
    let mut invite = Request::new("INVITE", "out", 1).with(&format!("Contact: <{PAGE};ob>")).sdp();
    invite.via = "SIP/2.0/WS x1.invalid".to_owned();
    invite.from = format!("<sip:ada@{REALM}>;tag=them");
    bench.receive(flow, invite.text());
    assert_eq!(bench.statuses(), [100], "trusted on the connection it registered over");
    let dialog = bench.incoming().dialog;
    close(&mut bench, flow);
    assert_eq!(unreachable(&mut bench), dialog, "before the answer");
    bench.command(Command::Reject { dialog, status: 480 });
    assert!(bench.events.drain(..).any(|event| matches!(event, Event::Ended { .. })));
    bench.is_clean();
}

#[test]
fn a_page_that_closes_while_it_rings_is_a_phone_less() {
    let mut bench = Bench::new();
    let flow = open(&mut bench, 1);
    register(&mut bench, flow, PAGE);
    bench.events.clear();
    let dialog = call(&mut bench, Media::Webrtc, Particulars::default());
    let invite = bench.next();
    bench.receive(flow, reply(&invite, 180, "page", "", ""));
    assert!(matches!(bench.event(), Event::Ringing { .. }));
    close(&mut bench, flow);
    assert!(
        matches!(bench.event(), Event::Ended { dialog: of, cause: Cause::Unreachable, .. } if of == dialog)
    );
    bench.is_clean();
}

#[test]
fn the_session_timer_waits_for_the_phone_and_ends_the_call_if_it_stays_away() {
    let timed = crate::sip::core::EndpointConfig { session_expires: Duration::from_secs(120), ..config(US) };
    for comes_back in [true, false] {
        let mut bench = Bench::with(timed.clone(), settings(&[], &["ada"]));
        let flow = open(&mut bench, 1);
        register(&mut bench, flow, PAGE);
        bench.events.clear();
        let dialog = call(&mut bench, Media::Webrtc, Particulars::default());
        let invite = bench.next();
        let timer = "Session-Expires: 120;refresher=uac\r\nRequire: timer\r\n";
        bench.receive(flow, reply(&invite, 200, "page", &format!("{ANSWER}{timer}"), "yes"));
        close(&mut bench, flow);
        bench.sent.clear();
        bench.events.clear();
        bench.pass(Duration::from_secs(62));
        bench.nothing_sent();
        if comes_back {
            let new = open(&mut bench, 2);
            register(&mut bench, new, PAGE);
            bench.pass(Duration::from_secs(5));
            let update = bench.next();
            assert_eq!((update.method(), update.flow), ("UPDATE", new));
        } else {
            bench.pass(Duration::from_secs(58));
            let ended = |event: &Event| matches!(event, Event::Ended { dialog: of, .. } if *of == dialog);
            assert!(bench.events.iter().any(ended), "{:?}", bench.events);
        }
    }
}

#[test]
fn what_is_lent_logs_on_for_its_agent_and_ends() {
    let mut bench = Bench::new();
    lend(&mut bench, "ada~page", 300);
    let flow = open(&mut bench, 1);
    let wrong = register_as(&mut bench, flow, PAGE, ("ada~page", "guess"));
    assert_eq!(wrong.status(), 401);
    assert!(matches!(bench.event(), Event::LoginFailed { .. }));
    bench.pass(Duration::from_secs(1));
    let ok = register_as(&mut bench, flow, PAGE, ("ada~page", "lent"));
    assert_eq!(ok.status(), 200);
    assert!(ok.header("Contact").ends_with(";expires=299"), "not beyond the loan: {}", ok.header("Contact"));
    assert_eq!(registered(&mut bench), WEBRTC);
    // Inside a dialog it counts as well.
    let dialog = call(&mut bench, Media::Webrtc, Particulars::default());
    let invite = bench.next();
    bench.receive(flow, reply(&invite, 200, "page", ANSWER, "yes"));
    bench.sent.clear();
    bench.events.clear();
    let away = ws(2, "198.51.100.4:50000");
    bench.endpoint.accepted(away, bench.now);
    let info = within(&invite, "UPDATE", 5).with("Contact: <sip:k3v9@x1.invalid;transport=ws>");
    bench.receive(away, info.text());
    let challenge = bench.next();
    bench.receive(away, super::bench_login(&info, &challenge, "ada~page", "lent").text());
    assert_eq!(bench.next().status(), 200);
    bench.events.clear();
    // Taken back: its phone is logged off at once, its call goes on.
    bench.endpoint.end_loan("ada~page");
    bench.drain();
    assert_eq!(registered(&mut bench), NONE);
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    assert_eq!(bench.next().method(), "BYE");
    bench.pass(Duration::from_secs(1));
    bench.events.clear();
    assert_eq!(register_as(&mut bench, flow, PAGE, ("ada~page", "lent")).status(), 401);
    assert!(matches!(bench.event(), Event::LoginFailed { .. }));
}

#[test]
fn what_is_lent_is_good_by_web_socket_alone() {
    let mut bench = Bench::new();
    lend(&mut bench, "ada~page", 300);
    let flow = Flow { transport: Transport::Udp, ..ws(1, "198.51.100.4:50000") };
    assert_eq!(register_as(&mut bench, flow, PAGE, ("ada~page", "lent")).status(), 403);
}

#[test]
fn what_is_lent_ends_by_itself() {
    let mut bench = Bench::new();
    lend(&mut bench, "ada~page", 100);
    lend(&mut bench, "bob", 100);
    let flow = open(&mut bench, 1);
    // A loan by an agent's own name lends nothing.
    assert_eq!(register_as(&mut bench, flow, PAGE, ("bob", "lent")).status(), 401);
    bench.events.clear();
    bench.pass(Duration::from_secs(1));
    assert_eq!(register_as(&mut bench, flow, PAGE, ("ada~page", "lent")).status(), 200);
    assert_eq!(registered(&mut bench), WEBRTC);
    let mut invite = Request::new("INVITE", "out", 1).with(&format!("Contact: <{PAGE}>")).sdp();
    invite.from = format!("<sip:ada@{REALM}>;tag=them");
    bench.receive(flow, invite.text());
    let dialog = bench.incoming().dialog;
    bench.sent.clear();
    bench.pass(Duration::from_secs(100));
    bench.events.retain(|event| matches!(event, Event::Registered { .. }));
    assert_eq!(registered(&mut bench), NONE);
    bench.command(Command::Reject { dialog, status: 486 });
    bench.sent.clear();
    // Nor is its connection trusted any more.
    invite.call_id = "out2".to_owned();
    invite.branch.push('2');
    bench.receive(flow, invite.text());
    let challenge = bench.next();
    assert_eq!(challenge.status(), 401);
    bench.receive(flow, super::bench_login(&invite, &challenge, "ada~page", "lent").text());
    assert_eq!(bench.next().status(), 401);
}

#[test]
fn an_agent_without_a_password_has_only_what_is_lent() {
    let mut settings = settings(&["10.0.0.2/32"], &["ada"]);
    let ada = Agent { credentials: None, ..Agent::clone(&settings.agents[&AgentId::from("ada")]) };
    settings.agents.insert(AgentId::from("ada"), Arc::new(ada));
    let mut bench = Bench::with(config(US), settings);
    let flow = open(&mut bench, 1);
    assert_eq!(register(&mut bench, flow, PAGE).status(), 401);
    bench.pass(Duration::from_secs(1));
    lend(&mut bench, "ada~1", 60);
    assert_eq!(register_as(&mut bench, flow, PAGE, ("ada~1", "lent")).status(), 200);
}
