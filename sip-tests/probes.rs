//! The test of a trunk's server: a carrier that answers OPTIONS in each way, or not at all, and what the API says of it.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::api::Session;
use crate::harness::phone::{Phone, SOON, unique};
use crate::harness::server::{Server, password, text};
use crate::harness::shared;

const USER: &str = "house";
const SECRET: &str = "our secret there";

fn settings(trunks: &str) -> String {
    format!(
        "[user.boss]\nrole = \"superuser\"\npassword = \"secret-of-boss\"\nmust-change = false\n\
         [user.clerk]\nrole = \"reporting\"\npassword = \"secret-of-clerk\"\nmust-change = false\n\
         [queue.support]\nlanguage = \"en\"\nrecording = \"never\"\n{trunks}"
    )
}

fn trunk(name: &str, server: &str, more: &str) -> String {
    format!("[trunk.{name}.outbound]\nserver = \"{server}\"\n{more}")
}

/// The carrier's server, and ours with a trunk to it.
fn scene(more: &str) -> (Server, Session, Phone) {
    let mut carrier = Phone::new(([127, 0, 0, 1], 9).into(), [127, 0, 0, 2], "carrier");
    let server = Server::start(&settings(&trunk("carrier", &format!("sip:{}", carrier.local()), more)));
    carrier.serve(server.udp);
    let boss = Session::open(server.http, "boss", &password("boss"));
    (server, boss, carrier)
}

fn test(session: &Session, name: &str) -> Value {
    let (status, told) = session.ask("POST", &format!("/trunks/{name}/test"), Some(json!({})));
    assert_eq!(status, 200, "{told}");
    told
}

/// Asks, while the carrier does this.
fn tested(boss: &Session, carrier: &mut Phone, serves: impl FnOnce(&mut Phone) + Send) -> Value {
    thread::scope(|scope| {
        scope.spawn(|| serves(carrier));
        test(boss, "carrier")
    })
}

fn asked(carrier: &mut Phone) -> crate::harness::sip::Message {
    carrier.wait(SOON, "OPTIONS", |message| message.method() == Some("OPTIONS"))
}

fn says(told: &Value, what: &str) {
    assert!(told["what"].as_str().is_some_and(|told| told.contains(what)), "{told} does not say {what:?}");
}

#[test]
fn a_server_that_answers_is_told_from_one_that_is_out_of_service() {
    let _machine = shared();
    let (server, boss, mut carrier) = scene("");
    let told = tested(&boss, &mut carrier, |carrier| {
        let options = asked(carrier);
        assert!(options.get("Accept").is_some() && options.get("Contact").is_some(), "{options:?}");
        carrier.answer(&options, &unique("tag"), 200, &[], None);
    });
    assert_eq!((&told["ok"], &told["status"]), (&json!(true), &json!(200)), "{told}");
    assert!(told["milliseconds"].as_u64().is_some_and(|ms| ms < 2_000), "{told}");
    says(&told, "It is there.");
    let told = tested(&boss, &mut carrier, |carrier| {
        let options = asked(carrier);
        carrier.answer(&options, &unique("tag"), 503, &[], None);
    });
    assert_eq!((&told["ok"], &told["status"]), (&json!(false), &json!(503)), "{told}");
    says(&told, "out of service");
    let rows = server.rows(&["audit", "list", "--action", "trunk.tested"]);
    assert_eq!(rows.len(), 2, "{rows:?}");
    let (status, _) = Session::open(server.http, "clerk", &password("clerk")).ask(
        "POST",
        "/trunks/carrier/test",
        Some(json!({})),
    );
    assert_eq!(status, 403, "who does not configure trunks does not test them");
    server.audit_is_whole();
}

#[test]
fn a_trunk_is_tested_on_the_command_line_beside_a_running_server() {
    let _machine = shared();
    let (server, _boss, mut carrier) = scene("");
    let ask = |name: &str, more: &[&str]| {
        let words = [&["trunks", "test", name][..], more, &["--config"]].concat();
        server.run(&words, &[&server.config()])
    };
    for (status, ok, what) in [(200, true, "It is there."), (503, false, "out of service")] {
        let output = thread::scope(|scope| {
            scope.spawn(|| {
                let options = asked(&mut carrier);
                // It asks from a port of its own.
                let via = options.get("Via").expect("a Via").to_owned();
                let from = via.split([' ', ';']).nth(1).and_then(|at| at.parse().ok()).expect("an address");
                assert_ne!(from, server.udp);
                carrier.serve(from);
                carrier.answer(&options, &unique("tag"), status, &[], None);
            });
            ask("carrier", &["--json"])
        });
        assert_eq!(output.status.success(), ok, "{}", text(&output));
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(
            (&told["trunk"], &told["ok"], &told["status"]),
            (&json!("carrier"), &json!(ok), &json!(status))
        );
        says(&told, what);
    }
    let rows = server.rows(&["audit", "list", "--action", "trunk.tested"]);
    let results: Vec<&Value> = rows.iter().map(|row| &row["new"]).collect();
    assert_eq!(results, [&json!("503"), &json!("200")], "{rows:?}");
    let unknown = ask("nobody", &[]);
    assert!(!unknown.status.success() && text(&unknown).contains("trunks: carrier"), "{}", text(&unknown));
    server.audit_is_whole();
}

#[test]
fn a_challenge_is_answered_with_the_trunk_s_password() {
    let _machine = shared();
    let login = format!("user = \"{USER}\"\npassword = \"{SECRET}\"\n");
    let (server, boss, mut carrier) = scene(&login);
    let told = tested(&boss, &mut carrier, |carrier| {
        let first = asked(carrier);
        assert_eq!(first.get("Authorization"), None, "nobody has asked yet");
        let challenge = "Digest realm=\"carrier.example\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"";
        carrier.answer(&first, &unique("tag"), 401, &[("WWW-Authenticate", challenge)], None);
        let second = asked(carrier);
        let answer = second.get("Authorization").expect("it has a password").to_owned();
        assert!(
            answer.contains(&format!("username=\"{USER}\"")) && answer.contains("nc=00000001"),
            "{answer}"
        );
        carrier.answer(&second, &unique("tag"), 200, &[], None);
    });
    assert_eq!((&told["ok"], &told["status"]), (&json!(true), &json!(200)), "{told}");
    says(&told, "takes our password");
    assert!(!server.whole_log().contains(SECRET), "no secret in the log");
}

#[test]
fn silence_and_refused_connections_are_told_and_one_test_runs_at_a_time() {
    let _machine = shared();
    let (server, boss, mut carrier) = scene("");
    let begun = Instant::now();
    let (told, second) = thread::scope(|scope| {
        let first = scope.spawn(|| test(&boss, "carrier"));
        asked(&mut carrier);
        let other = Session::open(server.http, "boss", &password("boss"));
        let second = other.refused("POST", "/trunks/carrier/test", Some(json!({})), 409);
        (first.join().expect("it is told"), second)
    });
    assert!(second.contains("being tested already"), "{second}");
    assert_eq!(
        (&told["ok"], &told["status"], &told["milliseconds"]),
        (&json!(false), &json!(null), &json!(null))
    );
    says(&told, "Nothing was heard from 127.0.0.2");
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(11) && took < Duration::from_secs(20), "{took:?}");

    // Nothing listens there by TCP; and a trunk whose name nobody knows. What was stored a moment ago is asked for.
    let tcp = trunk("stream", &format!("sip:{};transport=tcp", carrier.local()), "prefixes = [\"+1\"]\n");
    server.apply(&format!(
        "{tcp}{}[trunk.inward]\nnetworks = [\"192.0.2.0/24\"]\n",
        trunk("nowhere", "sip:carrier.invalid", "prefixes = [\"+2\"]\n")
    ));
    let told = test(&boss, "stream");
    assert_eq!((&told["ok"], &told["status"]), (&json!(false), &json!(null)), "{told}");
    says(&told, "nothing listens there");
    let told = test(&boss, "nowhere");
    assert_eq!(told["ok"], json!(false), "{told}");
    says(&told, "not found");
    let why = boss.refused("POST", "/trunks/inward/test", Some(json!({})), 409);
    assert!(why.contains("only brings calls"), "{why}");
}
