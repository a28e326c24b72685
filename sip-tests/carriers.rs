//! Calls to the outside: carriers that challenge, that want us registered, that are found by DNS and are
//! not there. The carrier is scripted; Ada sends her caller to a number outside.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use md5::{Digest as _, Md5};

use crate::harness::audio::tone;
use crate::harness::desk::{CALLER_HZ, Desk, LATER, NEVER, Voices, hears};
use crate::harness::phone::{Phone, SOON, unique};
use crate::harness::server::Server;
use crate::harness::sip::Message;
use crate::harness::{shared, until};

const OUTSIDE: &str = "+358401234567";
const OUTSIDE_HZ: f64 = 1_130.0;
const USER: &str = "house";
const SECRET: &str = "our secret there";
const REALM: &str = "carrier.example";

/// The carrier's side; its server's address is set when the server is there.
fn carrier() -> Phone {
    Phone::new(([127, 0, 0, 1], 9).into(), [127, 0, 0, 2], "carrier")
}

fn outbound(server: &str, more: &str) -> String {
    format!("[trunk.carrier.outbound]\nserver = \"{server}\"\n{more}")
}

fn login(more: &str) -> String {
    format!("user = \"{USER}\"\npassword = \"{SECRET}\"\n{more}")
}

/// A parameter of a digest response.
fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let parts = value.strip_prefix("Digest ")?.split(',').filter_map(|part| part.split_once('='));
    let (_, value) = parts.into_iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
    Some(value.trim().trim_matches('"'))
}

/// Whether a request bears the right answer to our challenge with `nonce` (RFC 2617 §3.2.2, MD5 with
/// `qop=auth`), in this header.
fn knows_the_secret(request: &Message, header: &str, nonce: &str) -> bool {
    let Some(value) = request.get(header) else { return false };
    let of = |name: &str| parameter(value, name).unwrap_or_else(|| panic!("{name} in {value}"));
    let md5 = |text: String| hex::encode(Md5::digest(text));
    let (method, uri) = (request.method().expect("a request"), of("uri"));
    assert_eq!(request.start.split(' ').nth(1), Some(uri), "the URI that was asked");
    let secret = md5(format!("{USER}:{REALM}:{SECRET}"));
    let asked = md5(format!("{method}:{uri}"));
    let right = md5(format!("{secret}:{nonce}:{}:{}:auth:{asked}", of("nc"), of("cnonce")));
    of("username") == USER && of("nonce") == nonce && of("response") == right
}

fn challenge(nonce: &str) -> String {
    format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\", algorithm=MD5, qop=\"auth\"")
}

/// Ada sends the caller outside; the outside party, who has picked up, and the caller speak, and the end.
fn is_sent_on(mut desk: Desk, mut carrier: Phone, voices: Voices) -> Server {
    carrier.pick_up();
    let outside = carrier.talk(tone(OUTSIDE_HZ));
    assert!(desk.ada.notified(SOON).ends_with(&[200]));
    desk.ada.take("BYE", SOON);
    hears(&voices.caller, OUTSIDE_HZ, 0.5, "the caller hears who is outside");
    hears(&outside, CALLER_HZ, 0.5, "and is heard there");
    desk.caller.bye();
    carrier.take("BYE", SOON);
    desk.is_empty();
    assert!(!desk.server.whole_log().contains(SECRET), "no secret in the log");
    desk.server
}

fn sends_outside(desk: &mut Desk) {
    assert_eq!(desk.ada.refer(&format!("sip:{OUTSIDE}@sayso")), Some(202));
}

/// RFC 3261 §22.2 and §22.3.
fn challenged(status: u16, asks: &str, answers: &str) {
    let _machine = shared();
    let mut carrier = carrier();
    let trunk = outbound(&format!("sip:{}", carrier.local()), &login(""));
    let mut desk = Desk::new(NEVER, &trunk);
    carrier.serve(desk.server.udp);
    let voices = desk.connect();
    sends_outside(&mut desk);
    let first = carrier.rung_within(SOON);
    assert_eq!(first.get(answers), None, "nobody has asked yet");
    let nonce = unique("nonce");
    carrier.reply_as("refusal", status, &[(asks, &challenge(&nonce))], None);
    carrier.expects("ACK", SOON);
    let second = carrier.rung_within(SOON);
    assert!(knows_the_secret(&second, answers, &nonce), "{second:?}");
    assert_eq!(second.get("Call-ID"), first.get("Call-ID"));
    assert!(second.cseq() > first.cseq(), "{second:?}");
    is_sent_on(desk, carrier, voices);
}

#[test]
fn a_proxy_s_challenge_is_answered() {
    challenged(407, "Proxy-Authenticate", "Proxy-Authorization");
}

#[test]
fn a_server_s_challenge_is_answered() {
    challenged(401, "WWW-Authenticate", "Authorization");
}

#[test]
fn a_wrong_password_is_not_tried_for_ever() {
    let _machine = shared();
    let mut carrier = carrier();
    let trunk = outbound(&format!("sip:{}", carrier.local()), &login(""));
    let mut desk = Desk::new(NEVER, &trunk);
    carrier.serve(desk.server.udp);
    let voices = desk.connect();
    sends_outside(&mut desk);
    for n in ["one", "two"] {
        carrier.rung_within(SOON);
        carrier.reply_as(n, 401, &[("WWW-Authenticate", &challenge(&unique(n)))], None);
        carrier.expects("ACK", SOON);
    }
    let told = desk.ada.notified(SOON);
    assert!(told.last().is_some_and(|status| *status >= 400), "{told:?}");
    carrier.never(Duration::from_secs(1), "a third", |m| m.method() == Some("INVITE"));
    voices.hear_each_other();
    desk.ends();
}

#[test]
fn a_carrier_that_wants_us_registered_gets_that() {
    let _machine = shared();
    let mut carrier = carrier();
    let trunk = outbound(&format!("sip:{}", carrier.local()), &login("register = true\n"));
    let mut desk = Desk::new(NEVER, &trunk);
    carrier.serve(desk.server.udp);
    let registered = |server: &Server| server.metrics().sum("sayso_trunk_registered");
    let first = carrier.expects("REGISTER", LATER);
    let nonce = unique("nonce");
    carrier.answer(&first, "reg", 401, &[("WWW-Authenticate", &challenge(&nonce))], None);
    let second = carrier.wait(SOON, "a REGISTER with a password", |m| {
        m.method() == Some("REGISTER") && m.cseq() > first.cseq()
    });
    assert!(knows_the_secret(&second, "Authorization", &nonce), "{second:?}");
    let contact = second.get("Contact").expect("a Contact").to_owned();
    assert!(registered(&desk.server).unwrap_or(0.0) == 0.0);
    // Short: the next one comes within seconds.
    let ok = second.response(200, "OK", "reg").with("Contact", &format!("{contact};expires=4"));
    carrier.send(&ok);
    until(SOON, "registered", || (registered(&desk.server) == Some(1.0)).then_some(()));
    let third = carrier
        .wait(SOON, "the next REGISTER", |m| m.method() == Some("REGISTER") && m.cseq() > second.cseq());
    assert_eq!(third.get("Call-ID"), second.get("Call-ID"), "one registration");
    let ok = third.response(200, "OK", "reg").with("Contact", &format!("{contact};expires=3600"));
    carrier.send(&ok);
    let told = desk.server.rows(&["audit", "list", "--action", "trunk.registered"]);
    assert_eq!(told.len(), 1, "each change is audited once: {told:?}");
    // And calls go there.
    let voices = desk.connect();
    sends_outside(&mut desk);
    carrier.rung_within(SOON);
    is_sent_on(desk, carrier, voices);
}

#[test]
fn a_carrier_that_does_not_register_us_is_told_of() {
    let _machine = shared();
    let mut carrier = carrier();
    let trunk = outbound(&format!("sip:{}", carrier.local()), &login("register = true\n"));
    let desk = Desk::new(NEVER, &trunk);
    carrier.serve(desk.server.udp);
    let register = carrier.expects("REGISTER", LATER);
    carrier.answer(&register, "reg", 403, &[], None);
    let told = until(SOON, "an audit row", || {
        let rows = desk.server.rows(&["audit", "list", "--action", "trunk.unregistered"]);
        (!rows.is_empty()).then_some(rows)
    });
    let [told] = told.as_slice() else { panic!("each change is audited once: {told:?}") };
    assert_eq!((&told["class"], &told["who"]), (&"failure".into(), &"system".into()), "{told}");
    assert_eq!(
        (&told["what"], &told["new"]),
        (&"trunk carrier".into(), &"refused with 403".into()),
        "{told}"
    );
    desk.server.audit_is_whole();
}

#[test]
fn a_redirection_is_followed_within_the_carrier_only() {
    let _machine = shared();
    let mut carrier = carrier();
    let at = carrier.local();
    let mut desk = Desk::new(NEVER, &outbound(&format!("sip:{at}"), ""));
    carrier.serve(desk.server.udp);
    let elsewhere = Phone::new(desk.server.udp, [127, 0, 0, 3], "elsewhere");
    let voices = desk.connect();
    sends_outside(&mut desk);
    carrier.rung_within(SOON);
    let there = format!("<sip:thief@{}>;q=0.9, <sip:again@{at}>;q=0.5", elsewhere.local());
    let invite = carrier.invite.clone().expect("it was rung");
    carrier.send(&invite.response(302, "Moved", "moved").with("Contact", &there));
    carrier.expects("ACK", SOON);
    let second = carrier.rung_within(SOON);
    assert!(second.start.starts_with("INVITE sip:again@"), "{}", second.start);
    let end = std::time::Instant::now() + Duration::from_millis(300);
    assert!(elsewhere.receive(end).is_none(), "nothing goes elsewhere");
    is_sent_on(desk, carrier, voices);
}

/// A name server for one carrier: SRV to two hosts, the first of higher priority. It refuses what it does not
/// know by an empty answer.
struct NameServer {
    at: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl NameServer {
    fn start(first: SocketAddr, second: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout can be set");
        let at = socket.local_addr().expect("it is bound");
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                let mut buffer = [0; 1500];
                while !stop.load(Ordering::Relaxed) {
                    let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                    if let Some(answer) = answer(&buffer[..length], first, second) {
                        let _ = socket.send_to(&answer, from); // who asked may be gone
                    }
                }
            }
        });
        Self { at, stop, thread: Some(thread) }
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // its panic shows in the output
        }
    }
}

fn labels(name: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        name.split('.').flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
    bytes.push(0);
    bytes
}

/// RFC 1035 §4.1, RFC 2782: one question, its answers.
fn answer(query: &[u8], first: SocketAddr, second: SocketAddr) -> Option<Vec<u8>> {
    const A: u16 = 1;
    const SRV: u16 = 33;
    let mut rest: VecDeque<u8> = query.get(12..)?.iter().copied().collect();
    let mut name = Vec::new();
    let mut used = 12;
    while let Some(length @ 1..) = rest.pop_front() {
        let label: Vec<u8> = rest.drain(..usize::from(length).min(rest.len())).collect();
        used += 1 + label.len();
        name.push(String::from_utf8(label).ok()?.to_lowercase());
    }
    let end = used + 1 + 4;
    let kind = u16::from_be_bytes([*query.get(end - 4)?, *query.get(end - 3)?]);
    let name = name.join(".");
    let srv = |priority: u16, port: u16, host: &str| {
        let mut data = [priority, 0, port].iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
        data.extend(labels(host));
        data
    };
    let records: Vec<Vec<u8>> = match (name.as_str(), kind) {
        ("_sip._udp.carrier.test", SRV) => {
            vec![srv(20, second.port(), "two.carrier.test"), srv(10, first.port(), "one.carrier.test")]
        }
        ("one.carrier.test" | "two.carrier.test", A) => vec![vec![127, 0, 0, 2]],
        (_, _) => Vec::new(),
    };
    let mut answer = [&query[..2], &[0x85, 0x80, 0, 1, 0, records.len() as u8, 0, 0, 0, 0]].concat();
    answer.extend_from_slice(query.get(12..end)?);
    for data in records {
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 60]);
        answer.extend((data.len() as u16).to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}

#[test]
fn a_carrier_s_second_server_is_called_when_the_first_is_silent() {
    let _machine = shared();
    let (mut silent, mut carrier) = (carrier(), carrier());
    let names = NameServer::start(silent.local(), carrier.local());
    let settings = Desk::settings(NEVER, &outbound("sip:carrier.test", ""), "");
    let server = Server::start_with(&settings, &format!("dns = [\"{}\"]\n", names.at));
    let mut desk = Desk::on(server);
    for phone in [&mut silent, &mut carrier] {
        phone.serve(desk.server.udp);
    }
    let voices = desk.connect();
    sends_outside(&mut desk);
    let lost = silent.expects("INVITE", SOON);
    // RFC 3263 §4.3: no answer, so the next; not after 32 s, a caller waits.
    let invite = carrier.rung_within(Duration::from_secs(8));
    assert!(invite.start.contains(OUTSIDE) && invite.get("Via") != lost.get("Via"), "{invite:?}");
    is_sent_on(desk, carrier, voices);
}

#[test]
fn a_carrier_that_is_overloaded_is_left_for_its_other_server() {
    let _machine = shared();
    let (mut busy, mut carrier) = (carrier(), carrier());
    let names = NameServer::start(busy.local(), carrier.local());
    let settings = Desk::settings(NEVER, &outbound("sip:carrier.test", ""), "");
    let server = Server::start_with(&settings, &format!("dns = [\"{}\"]\n", names.at));
    let mut desk = Desk::on(server);
    for phone in [&mut busy, &mut carrier] {
        phone.serve(desk.server.udp);
    }
    let voices = desk.connect();
    sends_outside(&mut desk);
    busy.rung_within(SOON);
    busy.reply(503, "Service Unavailable");
    busy.expects("ACK", SOON);
    carrier.rung_within(SOON);
    is_sent_on(desk, carrier, voices);
}
