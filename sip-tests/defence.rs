//! Attacks as they are seen in the wild, against the running binary: each gets nothing, costs the others
//! nothing, and shows in the metrics and the audit log. The log, at its most talkative, names nobody meanwhile.

use std::io::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sayso::media::g711::pcm_to_alaw;

use crate::harness::audio::{channels, seconds_of, tone};
use crate::harness::authority::Authority;
use crate::harness::phone::{Phone, SOON, unique};
use crate::harness::rtp::Stream;
use crate::harness::server::{HELD_BY_CALLS, Server, password, settings};
use crate::harness::sip::{Ids, Message, sdp};
use crate::harness::{alone, shared, until};

const NUMBER: &str = "+4930100";
const CALLER: &str = "+4930555987001";
const GUESS: &str = "correct horse battery staple";
const ATTACKER: [u8; 4] = [127, 0, 0, 66];
/// Prompts and the arming of a recording come before a phone rings.
const LATER: Duration = Duration::from_secs(15);
/// Silence is believed after this.
const QUIET: Duration = Duration::from_millis(400);

const CALLER_HZ: f64 = 420.0;
const ADA_HZ: f64 = 710.0;
const EVIL_HZ: f64 = 1_870.0;

const TRACE: &str = "[log]\nfilter = \"trace\"";

/// A server whose trunk is 127.0.0.2 and whose agent Ada is at 127.0.0.1; anybody else is a stranger.
fn server(log: &str) -> Server {
    let settings = format!(
        "[trunk.carrier]\nnetworks = [\"127.0.0.2/32\"]\n[number.\"{NUMBER}\"]\nqueue = \"support\"\n\
         [queue.support]\nlanguage = \"en\"\nwrap-up = \"0s\"\nrecording = \"always\"\n\
         legal-basis = {{ contract = \"test\" }}\n\
         [agent.ada]\npassword = \"secret-of-ada\"\nqueues = [\"support\"]\n"
    );
    Server::start_with(&settings, log)
}

fn ada(server: &Server) -> Phone {
    let mut ada = Phone::new(server.udp, [127, 0, 0, 1], "ada");
    ada.register(&password("ada"), 3600);
    ada
}

fn caller(server: &Server) -> Phone {
    Phone::new(server.udp, [127, 0, 0, 2], CALLER)
}

fn hears(ear: &Stream, hz: f64, what: &str) {
    let from = ear.log(|log| log.heard.len());
    until(LATER, what, || ear.log(|log| (seconds_of(hz, &log.heard[from..]) >= 1.0).then_some(())));
}

/// Two who speak.
struct Talk {
    server: Server,
    caller: Phone,
    ada: Phone,
    voices: [Stream; 2],
}

impl Talk {
    fn new() -> Self {
        let server = server(TRACE);
        let (mut ada, mut caller) = (ada(&server), caller(&server));
        caller.call_answered(NUMBER);
        let of_caller = caller.talk(tone(CALLER_HZ));
        ada.rung_within(LATER);
        ada.pick_up();
        let of_ada = ada.talk(tone(ADA_HZ));
        let talk = Self { server, caller, ada, voices: [of_caller, of_ada] };
        talk.goes_on();
        talk
    }

    fn goes_on(&self) {
        hears(&self.voices[0], ADA_HZ, "the caller hears Ada");
        hears(&self.voices[1], CALLER_HZ, "Ada hears the caller");
    }

    fn counted(&self, name: &str) -> f64 {
        self.server.metrics().sum(name).unwrap_or(0.0)
    }
}

/// Nothing personal in the log, though all of it is written.
fn the_log_names_nobody(server: &Server) {
    let log = server.whole_log();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "the log is talkative");
    for secret in ["30555987001", GUESS, &password("ada"), "response=\"", "nonce=\"", "inline:"] {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret:?} is logged: {line:?}");
    }
}

/// Rows of the audit log with this action.
fn audited(server: &Server, action: &str) -> usize {
    server.rows(&["audit", "list"]).iter().filter(|row| row.to_string().contains(action)).count()
}

/// A packet of A-law as the attacker would send it.
fn evil_packet(voice: &[i16], n: u16, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend_from_slice(&n.to_be_bytes());
    packet.extend_from_slice(&(u32::from(n) * 160).to_be_bytes());
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend(voice[usize::from(n) * 160..][..160].iter().map(|sample| pcm_to_alaw(*sample)));
    packet
}

#[test]
fn rtp_from_a_stranger_is_neither_answered_nor_heard_nor_recorded() {
    let _machine = shared();
    let mut talk = Talk::new();
    let targets = [&talk.caller, &talk.ada].map(|phone| phone.audio.expect("a place for audio"));
    let ssrc = talk.voices[0].log(|log| log.packets.first().map(|(ssrc, _)| *ssrc)).expect("it hears");
    let evil = UdpSocket::bind((std::net::Ipv4Addr::from(ATTACKER), 0)).expect("a port");
    evil.set_read_timeout(Some(Duration::from_millis(10))).expect("a timeout can be set");
    let before = talk.counted("sayso_media_strangers_total");
    let voice: Arc<Vec<i16>> = tone(EVIL_HZ);
    // A second and a half of a voice, the SSRC its own and the server's in turn, and an RTCP BYE for it.
    for n in 0..75 {
        let ssrc = if n % 2 == 0 { ssrc } else { 0xdead_beef };
        for target in targets {
            evil.send_to(&evil_packet(&voice, n, ssrc), target).expect("loopback takes it");
            let bye = [&[0x81, 203, 0, 1][..], &ssrc.to_be_bytes()].concat();
            evil.send_to(&bye, SocketAddr::new(target.ip(), target.port() + 1)).expect("loopback takes it");
        }
        let mut buffer = [0; 2048];
        assert!(evil.recv_from(&mut buffer).is_err(), "the server answers a stranger");
    }
    until(SOON, "the strangers' count", || {
        (talk.counted("sayso_media_strangers_total") - before >= 150.0).then_some(())
    });
    talk.goes_on();
    talk.caller.bye();
    talk.ada.take("BYE", SOON);
    for voice in &talk.voices {
        assert_eq!(voice.log(|log| seconds_of(EVIL_HZ, &log.heard)), 0.0, "heard");
    }
    let row = talk.server.sealed_recording();
    let recording = channels(&talk.server.export(row["id"].as_str().expect("an id")));
    for (channel, hz) in recording.iter().zip([CALLER_HZ, ADA_HZ]) {
        assert!(seconds_of(hz, channel) > 1.0);
        assert_eq!(seconds_of(EVIL_HZ, channel), 0.0, "recorded");
    }
    the_log_names_nobody(&talk.server);
}

/// The same request with a higher number.
fn later(mut request: Message, cseq: u32) -> Message {
    for (name, value) in &mut request.headers {
        if name == "CSeq" {
            let method = value.split(' ').nth(1).unwrap_or_default();
            *value = format!("{cseq} {method}");
        }
    }
    request
}

fn with_wrong_tag(mut request: Message) -> Message {
    for (name, value) in &mut request.headers {
        if name == "To" {
            value.push('0');
        }
    }
    request
}

#[test]
fn requests_with_the_right_tags_from_elsewhere_do_nothing() {
    let _machine = shared();
    let mut talk = Talk::new();
    let evil = Phone::new(talk.server.udp, ATTACKER, "mallory");
    let offer = sdp(evil.rtp.local_addr().expect("bound"), &[8], "sendrecv", 9);
    for (n, victim) in [&talk.caller, &talk.ada].into_iter().enumerate() {
        let victim_number = u32::try_from(n).expect("two");
        for (n, method) in ["BYE", "INVITE", "REFER", "INFO"].into_iter().enumerate() {
            let request = victim.request(method).with("Refer-To", "<sip:+4930666@sayso>");
            let request = later(request, 500 + u32::try_from(n).expect("four"));
            let request =
                if method == "INVITE" { request.with_body("application/sdp", &offer) } else { request };
            evil.send(&with_wrong_tag(request.clone()));
            evil.send(&request);
        }
        // Answers, if there are any, are refusals; after a few there is silence.
        while let Some(answer) = evil.receive(Instant::now() + QUIET) {
            assert!(matches!(answer.status(), Some(401 | 481)), "{victim_number}: {}", answer.start);
        }
    }
    assert!(talk.counted("sayso_sip_spoofed_total") >= 4.0);
    let mut buffer = [0; 2048];
    evil.rtp.set_read_timeout(Some(QUIET)).expect("a timeout can be set");
    assert!(evil.rtp.recv_from(&mut buffer).is_err(), "no audio came along");
    talk.goes_on();
    talk.caller.bye();
    talk.ada.take("BYE", SOON);
    talk.server.empty(&HELD_BY_CALLS[..3], SOON);
    assert!((1..=2).contains(&audited(&talk.server, "request.spoofed")), "a row for all of them");
    the_log_names_nobody(&talk.server);
}

#[test]
fn a_cancel_from_elsewhere_cancels_nothing() {
    let _machine = shared();
    let server = server(TRACE);
    let mut caller = caller(&server);
    let evil = Phone::new(server.udp, ATTACKER, "mallory");
    caller.call(NUMBER);
    let invite = caller.invite.clone().expect("sent");
    let uri = invite.start.split(' ').nth(1).expect("a request line");
    let field = |name: &str| invite.get(name).expect("a header").to_owned();
    let ids = Ids { from: field("From"), to: field("To"), call_id: field("Call-ID"), cseq: 1 };
    evil.send(&Message::request("CANCEL", uri, &field("Via"), &ids));
    let answer = caller.response("INVITE");
    assert_eq!(answer.status(), Some(200));
    caller.answered(&answer);
    let refused = evil.receive(Instant::now() + SOON).and_then(|answer| answer.status());
    assert_eq!(refused, Some(481));
    caller.bye();
    the_log_names_nobody(&server);
}

#[test]
fn guessing_a_password_is_slowed_and_then_ignored_and_the_phone_gets_in() {
    let _machine = shared();
    let server = server(TRACE);
    let mut evil = Phone::new(server.udp, ATTACKER, "ada");
    let (mut guesses, mut silent) = (0, 0);
    let mut credentials = None;
    while silent < 4 {
        let request = evil.registration(credentials.as_deref());
        evil.send(&request);
        guesses += u32::from(credentials.is_some());
        credentials = match evil.receive(Instant::now() + QUIET) {
            Some(answer) => {
                assert!(matches!(answer.status(), Some(401 | 403)), "{}", answer.start);
                silent = 0;
                (answer.status() == Some(401)).then(|| evil.credentials(&answer, GUESS))
            }
            None => {
                silent += 1;
                None
            }
        };
        assert!(guesses < 10, "it never ends");
    }
    assert!((3..=6).contains(&guesses), "{guesses} guesses");
    assert!(server.metrics().sum("sayso_sip_login_failures_total").unwrap_or(0.0) <= f64::from(guesses));
    let mut ada = ada(&server);
    let mut caller = caller(&server);
    caller.call_answered(NUMBER);
    ada.rung_within(LATER);
    caller.bye();
    assert!((1..=2).contains(&audited(&server, "login.failed")), "a row for all of them");
    server.audit_is_whole();
    the_log_names_nobody(&server);
}

#[test]
fn a_captured_registration_is_worth_nothing() {
    let _machine = shared();
    let server = server(TRACE);
    let mut ada = Phone::new(server.udp, [127, 0, 0, 1], "ada");
    let request = ada.registration(None);
    ada.send(&request);
    let challenge = ada.response("REGISTER");
    let good = ada.credentials(&challenge, &password("ada"));
    let captured = ada.registration(Some(&good));
    ada.send(&captured);
    assert_eq!(ada.response("REGISTER").status(), Some(200));
    // Sent again with another place to call: from elsewhere, and from the phone's own address.
    let evil = Phone::new(server.udp, ATTACKER, "ada");
    let mut replay = captured.clone();
    for (name, value) in &mut replay.headers {
        match name.as_str() {
            "Contact" => *value = format!("<sip:ada@{}>", evil.local()),
            "Via" => *value = format!("SIP/2.0/UDP {};rport;branch={}", evil.local(), unique("z9hG4bK")),
            _ => {}
        }
    }
    for (sender, n) in [(&evil, 700), (&ada, 701)] {
        let mut replay = later(replay.clone(), n);
        replay.headers[0].1.push_str(&n.to_string());
        sender.send(&replay);
        let answer = sender.receive(Instant::now() + SOON).expect("an answer");
        assert_eq!(answer.status(), Some(401), "{}", answer.start);
        assert!(answer.get("WWW-Authenticate").is_some_and(|value| value.contains("stale=true")));
    }
    let mut caller = caller(&server);
    caller.call_answered(NUMBER);
    ada.rung_within(LATER);
    assert!(evil.receive(Instant::now() + QUIET).is_none(), "the attacker's phone does not ring");
    caller.bye();
    the_log_names_nobody(&server);
}

#[test]
fn a_forged_address_is_not_enough_to_call_as_an_agent() {
    let _machine = shared();
    let server = server(TRACE);
    let mut ada = ada(&server);
    ada.call(NUMBER);
    let challenge = ada.response("INVITE");
    assert_eq!(challenge.status(), Some(401), "even from where she is registered");
    ada.refused(&challenge);
    assert_eq!(server.rows(&["calls", "list"]).len(), 0);
    ada.call_as(NUMBER, &password("ada"));
    let answer = ada.response("INVITE");
    assert_eq!(answer.status(), Some(200));
    ada.answered(&answer);
    ada.bye();
    the_log_names_nobody(&server);
}

#[test]
fn a_flood_of_invites_does_not_keep_the_trunk_waiting() {
    let _machine = alone();
    let server = server("");
    let mut ada = ada(&server);
    let strangers: Vec<Phone> =
        (0..20).map(|n| Phone::new(server.udp, [127, 0, 0, 100 + n], "mallory")).collect();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let start = Instant::now();
            let mut sent = 0u32;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                for stranger in &strangers {
                    sent += 1;
                    let ids = Ids {
                        from: format!("<sip:{sent}@flood.invalid>;tag=f"),
                        to: format!("<sip:{NUMBER}@sayso>"),
                        call_id: format!("flood{sent}"),
                        cseq: 1,
                    };
                    let via = format!("SIP/2.0/UDP {};rport;branch=z9hG4bKf{sent}", stranger.local());
                    stranger.send(&Message::request("INVITE", &format!("sip:{NUMBER}@sayso"), &via, &ids));
                }
                // 10,000 a second, paced.
                let due = start + Duration::from_micros(100) * sent;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            (sent, start.elapsed())
        });
        until(SOON, "the flood", || {
            let refused = server.metrics().named("sayso_sip_refused_total").map(|s| s.value).sum::<f64>();
            (refused > 5_000.0).then_some(())
        });
        let mut caller = caller(&server);
        let start = Instant::now();
        caller.call_answered(NUMBER);
        let took = start.elapsed();
        assert!(took < Duration::from_millis(500), "an answer after {took:?}");
        ada.rung_within(LATER);
        ada.pick_up();
        caller.bye();
        ada.take("BYE", SOON);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let (sent, span) = sending.join().expect("the flood");
        let mut answers = 0;
        for stranger in &strangers {
            while stranger.receive(Instant::now() + Duration::from_millis(5)).is_some() {
                answers += 1;
            }
        }
        let most = strangers.len() as f64 * (6.0 + span.as_secs_f64());
        assert!(f64::from(answers) <= most, "{answers} answers to {sent} requests in {span:?}");
    });
    assert!(audited(&server, "stranger.refused") <= 25);
    server.empty(&HELD_BY_CALLS[..3], SOON);
    server.audit_is_whole();
}

/// Whether openssl comes to an agreement with the server; what it says.
fn handshake(to: SocketAddr, options: &[&str]) -> (bool, String) {
    let mut command = Command::new("openssl");
    command.arg("s_client").args(["-connect", &to.to_string()]).args(options);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("openssl is installed");
    child.stdin.take().expect("piped").write_all(b"Q\n").unwrap_or(()); // it may have ended already
    let output = child.wait_with_output().expect("it ends");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = text.concat();
    (output.status.success() && !text.contains("Cipher is (NONE)"), text)
}

#[test]
fn tls_is_spoken_with_strong_suites_only() {
    let _machine = shared();
    let dir = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(dir.path());
    let ((certificate, key), _) = authority.sign("server", &["127.0.0.1"]);
    let sip = format!(
        "tls = [\"127.0.0.1:0\"]\nwss = [\"127.0.0.1:0\"]\n[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n"
    );
    let server = Server::start_with(&settings("recording = \"never\"", &[]), &sip);
    for to in [server.tls.expect("TLS"), server.wss.expect("WSS")] {
        for strong in
            [&["-tls1_3"][..], &["-tls1_2"], &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"]]
        {
            let (agreed, text) = handshake(to, strong);
            assert!(agreed, "{strong:?}: {text}");
        }
        for weak in [
            &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"][..],
            &["-tls1", "-cipher", "ALL:@SECLEVEL=0"],
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:@SECLEVEL=0"],
            &["-tls1_2", "-cipher", "AES128-GCM-SHA256:AES128-SHA:@SECLEVEL=0"],
            &["-tls1_2", "-cipher", "aNULL:eNULL:@SECLEVEL=0"],
        ] {
            let (agreed, text) = handshake(to, weak);
            assert!(!agreed, "{weak:?}: {text}");
        }
    }
}
