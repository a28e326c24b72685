//! Strangers, guessers and floods, in virtual time: they get little, and cost the others nothing.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::bench::{Bench, REALM, Request, Sent, US, config, settings, udp};
use super::bench_login;
use crate::ids::AgentId;
use crate::sip::core::{Command, Event, Flow, Pressure, Source, Transport};

/// An agent's request outside a dialog, from there.
fn of_agent(method: &str, agent: &str, from: &Flow, call: &str) -> Request {
    let mut request = Request::new(method, call, 1).with(&format!("Contact: <sip:{agent}@{}>", from.remote));
    request.via = format!("SIP/2.0/{} {};rport", from.transport.via(), from.remote);
    request.from = format!("<sip:{agent}@{REALM}>;tag=them");
    if method == "REGISTER" {
        request.to = format!("<sip:{agent}@{REALM}>");
        request.uri = format!("sip:{REALM}");
    }
    if method == "INVITE" { request.sdp() } else { request }
}

/// The challenge that a request from there meets.
fn challenged(bench: &mut Bench, from: Flow, request: &Request) -> Sent {
    bench.receive(from, request.text());
    let challenge = bench.next();
    assert_eq!(challenge.status(), 401, "{}", challenge.text);
    challenge
}

/// Registers with this password; the final statuses.
fn register(bench: &mut Bench, agent: &str, password: &str, from: Flow, call: &str) -> Vec<u16> {
    let request = of_agent("REGISTER", agent, &from, call);
    bench.receive(from, request.text());
    let Some(challenge) = bench.sent.pop_front() else { return Vec::new() };
    if challenge.status() == 401 {
        bench.receive(from, bench_login(&request, &challenge, agent, password).text());
    }
    bench.statuses()
}

fn nth(n: u32) -> Flow {
    udp(US, &format!("{}:5060", Ipv4Addr::from(0x0b00_0000 + n)))
}

#[test]
fn a_stranger_is_refused_once_and_then_ignored() {
    let mut bench = Bench::with(config(US), settings(&["10.0.0.2/32"], &[]));
    let from = udp(US, "192.0.2.9:5060");
    let send = |bench: &mut Bench, request: Request| bench.receive(from, request.text());
    send(&mut bench, Request::new("OPTIONS", "s0", 1));
    assert_eq!(bench.statuses(), [200]);
    send(&mut bench, Request::invite("s1"));
    assert_eq!(bench.statuses(), [403]);
    assert!(matches!(bench.event(), Event::Stranger { remote, .. } if remote == from.remote));
    for n in 0..5 {
        send(&mut bench, Request::invite(&format!("s2{n}")));
        send(&mut bench, Request::new("OPTIONS", &format!("s3{n}"), 1));
        bench.receive(from, "NONSENSE\r\nVia: x\r\nTo: a\r\nFrom: b\r\nCall-ID: c\r\nCSeq: 1 X\r\n\r\n");
    }
    bench.nothing_sent();
    assert!(bench.events.is_empty());
    bench.pass(Duration::from_secs(61));
    send(&mut bench, Request::new("MESSAGE", "s4", 1));
    assert_eq!(bench.statuses(), [403]);
    bench.is_clean();
}

#[test]
fn nobody_learns_who_has_a_password() {
    // Header by header the same, whether there is such an agent or not.
    let answers = |agent: &str| {
        let mut bench = Bench::new();
        let from = udp(US, "192.0.2.9:5060");
        let mut all = Vec::new();
        for method in ["REGISTER", "INVITE"] {
            let request = of_agent(method, agent, &from, method);
            let challenge = challenged(&mut bench, from, &request);
            bench.receive(from, bench_login(&request, &challenge, agent, "guess").text());
            all.extend([challenge, bench.next()]);
        }
        let events: Vec<_> = bench.events.iter().map(|event| format!("{event:?}")).collect();
        let nonce = |text: &str| text.split("nonce=\"").nth(1).map(|rest| rest[..64].to_owned());
        let text = |sent: &Sent| {
            let text = sent.text.replace(agent, "NAME");
            nonce(&text).map_or(text.clone(), |nonce| text.replace(&nonce, ""))
        };
        (all.iter().map(text).collect::<Vec<_>>(), events)
    };
    assert_eq!(answers("ada"), answers("eve"));
}

#[test]
fn who_asks_without_end_is_answered_a_few_times_and_then_once_a_second_at_most() {
    let mut bench = Bench::new();
    let from = udp(US, "192.0.2.9:5060");
    let mut answers = Vec::new();
    for n in 0..1_000u32 {
        bench.receive(from, of_agent("INVITE", "mallory", &from, &format!("q{n}")).text());
        answers.extend(bench.statuses());
        bench.pass(Duration::from_millis(20));
    }
    assert_eq!(answers, [401; 5], "in 20 s");
    assert!(matches!(bench.event(), Event::Stranger { remote, .. } if remote == from.remote));
    assert!(bench.events.is_empty(), "told once");
    // One who shares the address and has a password logs in all the same.
    bench.pass(Duration::from_secs(60));
    let request = of_agent("REGISTER", "ada", &from, "r1");
    let challenge = challenged(&mut bench, from, &request);
    for n in 0..100 {
        bench.receive(from, of_agent("INVITE", "mallory", &from, &format!("p{n}")).text());
    }
    bench.statuses();
    bench.pass(Duration::from_secs(1));
    bench.receive(from, bench_login(&request, &challenge, "ada", "secret").text());
    assert_eq!(bench.statuses(), [200]);
    bench.is_clean();
}

#[test]
fn guessing_ends_in_silence() {
    let mut bench = Bench::new();
    let from = udp(US, "192.0.2.9:5060");
    for n in 0..5 {
        register(&mut bench, "ada", "guess", from, &format!("g{n}"));
        bench.pass(Duration::from_secs(2));
    }
    let failures = bench.events.iter().filter(|e| matches!(e, Event::LoginFailed { .. })).count();
    assert_eq!(failures, 5);
    assert!(matches!(bench.events.pop_back(), Some(Event::Stranger { .. })));
    bench.events.clear();
    assert!(register(&mut bench, "ada", "secret", from, "g6").is_empty(), "even with the right one");
    assert!(bench.events.is_empty());
    bench.pass(Duration::from_secs(60));
    assert_eq!(register(&mut bench, "ada", "secret", from, "g7"), [200]);
}

#[test]
fn guessing_from_many_addresses_does_not_lock_the_phone_out() {
    let mut bench = Bench::new();
    let home = udp(US, "192.0.2.7:5062");
    assert_eq!(register(&mut bench, "ada", "secret", home, "home1"), [200]);
    bench.events.clear();
    for n in 0..200 {
        register(&mut bench, "ada", "guess", nth(n), &format!("g{n}"));
    }
    assert_eq!(bench.events.len(), 10, "ten guesses were looked at");
    assert_eq!(bench.endpoint.refusals().log_ins, 190);
    // The right password from elsewhere has to wait; at home it has not.
    let request = of_agent("REGISTER", "ada", &nth(900), "away");
    let challenge = challenged(&mut bench, nth(900), &request);
    bench.receive(nth(900), bench_login(&request, &challenge, "ada", "secret").text());
    let later = bench.next();
    assert_eq!((later.status(), later.header("Retry-After")), (503, "30"));
    assert_eq!(register(&mut bench, "ada", "secret", home, "home2"), [200]);
    assert_eq!(register(&mut bench, "bob", "secret", nth(901), "bob"), [200], "nor are others touched");
    bench.pass(Duration::from_secs(31));
    assert_eq!(register(&mut bench, "ada", "secret", nth(900), "away2"), [200]);
}

#[test]
fn a_challenge_of_another_address_is_worth_nothing() {
    let mut bench = Bench::new();
    let (mine, victim) = (udp(US, "192.0.2.9:5060"), udp(US, "192.0.2.10:5060"));
    let request = of_agent("REGISTER", "ada", &mine, "n1");
    let challenge = challenged(&mut bench, mine, &request);
    // Forged: the victim's address would be shut out for the guesses.
    for n in 0..20 {
        let mut forged = bench_login(&request, &challenge, "ada", "guess");
        forged.branch = format!("z9hG4bKf{n}");
        bench.receive(victim, forged.text());
    }
    assert!(bench.statuses().len() <= 5);
    assert!(!bench.events.iter().any(|event| matches!(event, Event::LoginFailed { .. })));
    bench.pass(Duration::from_secs(61));
    assert_eq!(register(&mut bench, "bob", "secret", victim, "v1"), [200]);
}

#[test]
fn an_agents_calls_are_challenged_over_udp_and_trusted_over_the_connection_it_registered_on() {
    let mut bench = Bench::new();
    let phone = udp(US, "192.0.2.7:5062");
    assert_eq!(register(&mut bench, "ada", "secret", phone, "r1"), [200]);
    bench.event();
    let invite = of_agent("INVITE", "ada", &phone, "c1");
    let challenge = challenged(&mut bench, phone, &invite);
    assert!(bench.events.is_empty(), "a forged address is nobody's call");
    bench.receive(phone, bench_login(&invite, &challenge, "ada", "secret").text());
    assert_eq!(bench.statuses(), [100]);
    let incoming = bench.incoming();
    assert_eq!(incoming.source, Source::Agent(AgentId::from("ada")));
    bench.command(Command::Reject { dialog: incoming.dialog, status: 486 });
    bench.sent.clear();

    let stream = |connection| Flow { transport: Transport::Tcp, connection, ..udp(US, "192.0.2.8:40000") };
    let now = bench.now;
    for connection in [1, 2] {
        bench.endpoint.accepted(stream(connection), now);
    }
    assert_eq!(register(&mut bench, "bob", "secret", stream(1), "r2"), [200]);
    bench.events.clear();
    bench.receive(stream(1), of_agent("INVITE", "bob", &stream(1), "c2").text());
    assert_eq!(bench.statuses(), [100]);
    let incoming = bench.incoming();
    assert_eq!(incoming.source, Source::Agent(AgentId::from("bob")));
    bench.command(Command::Reject { dialog: incoming.dialog, status: 486 });
    bench.sent.clear();
    // Another connection is not where it registered.
    challenged(&mut bench, stream(2), &of_agent("INVITE", "bob", &stream(2), "c3"));
}

#[test]
fn a_flood_from_a_hundred_thousand_addresses_costs_the_trunk_nothing() {
    let mut bench = Bench::new();
    let home = udp(US, "192.0.2.7:5062");
    assert_eq!(register(&mut bench, "ada", "secret", home, "home1"), [200]);
    bench.events.clear();
    let (dialog, invite, ok) = bench.call();
    let mut answers = 0;
    for n in 0..100_000 {
        bench.receive(nth(n), of_agent("INVITE", "mallory", &nth(n), "flood").text());
        answers += bench.statuses().len();
        if n % 10 == 0 {
            bench.now = bench.now + Duration::from_micros(200); // 50,000 a second, for two seconds
        }
        if n % 20_000 == 0 {
            let call = Request::invite(&format!("t{n}"));
            bench.trunk(call.text());
            assert_eq!(bench.statuses(), [100], "a call of the trunk");
            let other = bench.incoming().dialog;
            bench.command(Command::Reject { dialog: other, status: 486 });
            bench.sent.clear();
            bench.events.clear();
            assert_eq!(register(&mut bench, "ada", "secret", home, &format!("home{n}")), [200]);
            bench.receive(udp(US, super::bench::TRUNK), invite.within(&ok, "OPTIONS", 10 + n).text());
            assert_eq!(bench.statuses(), [200], "the call that is there");
        }
    }
    assert!(answers <= 3_000, "{answers} answers in two seconds");
    let sizes = bench.endpoint.sizes();
    assert!(sizes.server_transactions < 20 && sizes.dialogs < 10, "{sizes:?}");
    assert!(bench.endpoint.refusals().stranger_requests > 80_000);
    bench.trunk(invite.within(&ok, "BYE", 100_000).text());
    assert!(bench.statuses().contains(&200));
    assert!(
        bench.events.iter().any(|event| matches!(event, Event::Ended { dialog: of, .. } if *of == dialog))
    );
}

#[test]
fn under_pressure_calls_are_refused_first_then_registrations_and_never_what_is_there() {
    let mut bench = Bench::new();
    let phone = udp(US, "192.0.2.7:5062");
    assert_eq!(register(&mut bench, "ada", "secret", phone, "r0"), [200]);
    bench.events.clear();
    let (_, invite, ok) = bench.call();
    let mut waits = std::collections::BTreeSet::new();
    for (level, registers, new) in [(Pressure::High, true, nth(1)), (Pressure::Critical, false, nth(2))] {
        bench.endpoint.pressure(level);
        for n in 0..60 {
            bench.trunk(Request::invite(&format!("{level:?}{n}")).text());
            let refused = bench.next();
            assert_eq!(refused.status(), 503);
            let after: u32 = refused.header("Retry-After").parse().unwrap();
            assert!((5..=15).contains(&after));
            waits.insert(after);
        }
        let status = register(&mut bench, "bob", "secret", new, &format!("r{level:?}"));
        assert_eq!(status == [200], registers, "{status:?}");
        bench.pass(Duration::from_secs(2));
        assert_eq!(register(&mut bench, "ada", "secret", phone, &format!("a{level:?}")), [200], "a refresh");
        // Consultation is of a call that is there.
        let consult = of_agent("INVITE", "ada", &phone, &format!("c{level:?}"));
        let challenge = challenged(&mut bench, phone, &consult);
        bench.receive(phone, bench_login(&consult, &challenge, "ada", "secret").text());
        assert_eq!(bench.statuses(), [if registers { 100 } else { 503 }]);
    }
    assert!(waits.len() > 5, "spread: {waits:?}");
    for method in ["OPTIONS", "INFO"] {
        bench.trunk(invite.within(&ok, method, if method == "INFO" { 3 } else { 2 }).text());
        assert!(!bench.statuses().contains(&503), "{method}");
    }
    bench.trunk(invite.within(&ok, "BYE", 9).text());
    assert_eq!(bench.statuses(), [200]);
    bench.endpoint.pressure(Pressure::None);
    bench.trunk(Request::invite("after").text());
    assert_eq!(bench.statuses(), [100]);
}

#[test]
fn a_call_may_end_when_no_new_one_fits() {
    let mut small = config(US);
    small.max_transactions = 10;
    let mut bench = Bench::with(small, settings(&["10.0.0.2/32"], &[]));
    let mut taken = Vec::new();
    for n in 0..20 {
        let invite = Request::invite(&format!("m{n}"));
        bench.trunk(invite.text());
        if bench.statuses() == [100] {
            taken.push((invite, bench.incoming().dialog));
        }
    }
    assert_eq!(taken.len(), 9, "the last place is not for new calls");
    let (invite, dialog) = taken.swap_remove(0);
    bench.command(Command::Answer { dialog, sdp: super::reliable::sdp("answer") });
    let ok = bench.next();
    bench.trunk(invite.ack(&ok).text());
    bench.trunk(invite.within(&ok, "BYE", 2).text());
    assert_eq!(bench.statuses(), [200]);
    bench.trunk(taken[0].0.cancel().text());
    assert_eq!(bench.statuses(), [200, 487]);
}
