//! Who may call, and how much: limits of trunks, strangers, passwords.

use std::time::{Duration, Instant};

use crate::harness::phone::{Phone, SOON};
use crate::harness::server::{HELD_BY_CALLS, Server, settings};
use crate::harness::sip::Message;
use crate::harness::{shared, until};

const NUMBER: &str = "+4930100";
const NEVER: &str = "recording = \"never\"";

/// The settings, with more keys for the trunk.
fn limited(limit: &str) -> String {
    settings(NEVER, &[]).replacen("networks = ", &format!("{limit}\nnetworks = "), 1)
}

fn phone(server: &Server, n: u32) -> Phone {
    Phone::new(server.udp, [127, 0, 0, 1], &format!("+493055510{n}"))
}

/// Calls; the final answer, acknowledged.
fn try_call(phone: &mut Phone) -> Message {
    phone.call(NUMBER);
    let answer = phone.response("INVITE");
    if answer.status() == Some(200) {
        phone.answered(&answer)
    } else {
        phone.refused(&answer)
    }
    answer
}

fn assert_overloaded(answer: &Message) {
    assert_eq!(answer.status(), Some(503));
    let after =
        answer.get("Retry-After").and_then(|value| value.split([' ', ';', '(']).next()?.parse::<u32>().ok());
    assert!(after.is_some_and(|seconds| seconds >= 1), "Retry-After: {:?}", answer.get("Retry-After"));
}

#[test]
fn calls_over_a_trunks_limit_are_told_to_come_back() {
    let _machine = shared();
    let server = Server::start(&limited("max-calls = 2"));
    let mut phones: Vec<Phone> = (0..3).map(|n| phone(&server, n)).collect();
    assert_eq!(try_call(&mut phones[0]).status(), Some(200));
    assert_eq!(try_call(&mut phones[1]).status(), Some(200));
    assert_overloaded(&try_call(&mut phones[2]));
    let told = until(SOON, "an audit row about the limit", || {
        let rows = server.rows(&["audit", "list", "--action", "call.limited"]);
        (!rows.is_empty()).then_some(rows)
    });
    let [told] = told.as_slice() else { panic!("one call, one row: {told:?}") };
    assert_eq!((&told["class"], &told["who"]), (&"failure".into(), &"trunk carrier".into()), "{told}");
    assert_eq!((&told["what"], &told["new"]), (&"trunk carrier".into(), &serde_json::Value::Null), "{told}");
    phones[0].bye();
    assert_eq!(try_call(&mut phones[2]).status(), Some(200), "one has gone, the next may come");
    phones[1].bye();
    phones[2].bye();
    server.empty(&HELD_BY_CALLS[..3], SOON);
}

#[test]
fn calls_over_a_trunks_rate_are_told_to_come_back() {
    let _machine = shared();
    let server = Server::start(&limited("calls-per-second = 3"));
    let mut phones: Vec<Phone> = (0..12).map(|n| phone(&server, n)).collect();
    let start = Instant::now();
    let answers: Vec<Message> = phones.iter_mut().map(try_call).collect();
    let seconds = start.elapsed().as_secs_f64();
    let taken = answers.iter().filter(|a| a.status() == Some(200)).count();
    for refusal in answers.iter().filter(|a| a.status() != Some(200)) {
        assert_overloaded(refusal);
    }
    // A bucket of 3 at most, refilled with 3 a second.
    let allowed = 3.0 + 3.0 * seconds.max(1.0);
    assert!(taken >= 3 && taken as f64 <= allowed, "{taken} of 12 taken in {seconds:.2} s");
    for (phone, _) in phones.iter_mut().zip(&answers).filter(|(_, a)| a.status() == Some(200)) {
        phone.bye();
    }
    server.empty(&HELD_BY_CALLS[..3], SOON);
}

#[test]
fn a_stranger_is_refused_once_then_ignored_and_audited() {
    let _machine = shared();
    let server = Server::start(&settings(NEVER, &[]));
    let mut stranger = Phone::new(server.udp, [127, 0, 0, 2], "mallory");
    stranger.call(NUMBER);
    let refusal = stranger.response("INVITE");
    assert_eq!(refusal.status(), Some(403));
    assert!(refusal.get("To").is_some_and(|to| to.contains(";tag=")), "a To-tag on the refusal");
    stranger.refused(&refusal);
    for method in ["INVITE", "OPTIONS", "REGISTER"] {
        let sent = stranger.request(method);
        stranger.send(&sent.with("X-Try", "2"));
    }
    // The server answers others meanwhile; by then it has seen the stranger's requests too.
    let mut known = phone(&server, 1);
    assert_eq!(try_call(&mut known).status(), Some(200));
    known.bye();
    let more = stranger.receive(Instant::now() + Duration::from_millis(300));
    let other = more.filter(|m| m.status() != Some(403) || m.cseq().is_none_or(|(_, of)| of != "INVITE"));
    assert!(other.is_none(), "silence, but {other:?}");
    let rows = server.rows(&["audit", "list"]);
    let told: Vec<_> = rows.iter().filter(|row| row.to_string().contains("127.0.0.2")).collect();
    assert_eq!(told.len(), 1, "one row about the stranger: {told:?}");
    server.audit_is_whole();
}

#[test]
fn a_wrong_password_does_not_register_and_is_audited() {
    let _machine = shared();
    let server = Server::start(&settings(NEVER, &["ada"]));
    let before = server.rows(&["audit", "list"]).len();
    let mut agent = Phone::new(server.udp, [127, 0, 0, 1], "ada");
    let status = agent.try_register("not-the-password", 3600);
    assert!(matches!(status, 401 | 403), "{status}");
    let rows = until(SOON, "an audit row about the failed log-in", || {
        let rows = server.rows(&["audit", "list"]);
        (rows.len() > before).then_some(rows)
    });
    assert!(!rows.iter().any(|row| row.to_string().contains("not-the-password")), "without the password");
    // Nobody is registered: a caller waits, no phone rings.
    let mut caller = phone(&server, 1);
    caller.call_answered(NUMBER);
    server.phase("waiting");
    assert!(agent.receive(Instant::now() + Duration::from_millis(300)).is_none(), "no INVITE for ada");
    caller.bye();
    server.empty(&HELD_BY_CALLS[..3], SOON);
}

#[test]
fn baresip_registers_by_itself() {
    use crate::harness::audio::clips;
    use crate::harness::baresip::{Baresip, Login};
    let _machine = shared();
    // baresip 1.0 gives up when SHA-256 is offered, even beside MD5.
    let server = Server::start_with(&settings(NEVER, &["ada"]), "digest = [\"md5\"]");
    let login = Login::Registers(server.udp, "secret-of-ada");
    let mut agent = Baresip::start("ada", Baresip::address(), &clips().agent, &login);
    // Its own word of it may come before its control port is open.
    until(SOON, "a registration", || {
        let metrics = server.metrics();
        let registered = metrics.named("sayso_sip_table").find(|s| s.labels.contains("registrations"));
        registered.filter(|s| s.value == 1.0).map(|_| ())
    });
    let mut caller = phone(&server, 1);
    caller.call_answered(NUMBER);
    agent.expect("CALL_ESTABLISHED", Duration::from_secs(15));
    caller.bye();
    agent.expect("CALL_CLOSED", SOON);
}
