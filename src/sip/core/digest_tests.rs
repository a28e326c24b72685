use proptest::prelude::*;

use super::*;
use crate::settings::ha1;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const URI: &str = "sip:sayso.example";
const REMOTE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

fn server() -> DigestServer {
    DigestServer::new("sayso", [7; 32])
}

fn users(user: &str) -> Option<SipCredentials> {
    (user == "ada").then(|| ha1(user, "sayso", "secret"))
}

fn nonce(server: &mut DigestServer, now: Timestamp) -> String {
    nonce_for(server, REMOTE, now)
}

fn nonce_for(server: &mut DigestServer, remote: IpAddr, now: Timestamp) -> String {
    let challenges = server.challenges(false, remote, now);
    Params::parse(digest_params(challenges[0].as_bytes()).unwrap()).unwrap().take("nonce").unwrap()
}

/// What a phone would send, written independently of `Answer::expected`.
fn answer(algorithm: Algorithm, password: &str, nonce: &str, nc: Option<u32>, method: &str) -> String {
    let h = |text: String| algorithm.hash(&text);
    let a1 = h(format!("ada:sayso:{password}"));
    let a2 = h(format!("{method}:{URI}"));
    let name = algorithm.name();
    let head = format!("Digest username=\"ada\", realm=\"sayso\",nonce=\"{nonce}\", uri=\"{URI}\"");
    match nc {
        None => format!("{head}, algorithm={name}, response=\"{}\"", h(format!("{a1}:{nonce}:{a2}"))),
        Some(nc) => {
            let response = h(format!("{a1}:{nonce}:{nc:08x}:cn:auth:{a2}"));
            format!(
                "{head}, response=\"{response}\" , algorithm={name}, qop=auth, nc={nc:08x}, cnonce=\"cn\""
            )
        }
    }
}

fn verify(server: &mut DigestServer, value: &str, now: Timestamp) -> Verdict {
    verify_from(server, value, REMOTE, now)
}

fn verify_from(server: &mut DigestServer, value: &str, remote: IpAddr, now: Timestamp) -> Verdict {
    let ask = Ask { method: "REGISTER", uri: URI, remote };
    server.verify(ask, [value.as_bytes()].into_iter(), &users, &mut |_| true, now)
}

fn wrong(user: &str) -> Verdict {
    Verdict::Wrong { user: user.to_owned() }
}

fn ada() -> Verdict {
    Verdict::Accepted { user: "ada".to_owned() }
}

#[test]
fn the_examples_of_the_rfcs_hold() {
    // RFC 7616 §3.9.1, both algorithms; RFC 2617 §3.5.
    let example = |algorithm, nonce: &str, cnonce: &str, password: &str, realm: &str| {
        let known = ha1("Mufasa", realm, password);
        let answer = Answer {
            username: "Mufasa".to_owned(),
            realm: realm.to_owned(),
            nonce: nonce.to_owned(),
            uri: "/dir/index.html".to_owned(),
            response: String::new(),
            algorithm,
            qop: Qop::Auth { nc: "00000001".to_owned(), count: 1, cnonce: cnonce.to_owned() },
        };
        answer
            .expected(if algorithm == Algorithm::Md5 { &known.ha1_md5.0 } else { &known.ha1_sha256.0 }, "GET")
    };
    let (nonce, cnonce) =
        ("7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
    let (password, realm) = ("Circle of Life", "http-auth@example.org");
    assert_eq!(
        example(Algorithm::Sha256, nonce, cnonce, password, realm),
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    );
    assert_eq!(example(Algorithm::Md5, nonce, cnonce, password, realm), "8ca523f5e9506fed4657c9700eebdbec");
    assert_eq!(
        example(
            Algorithm::Md5,
            "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            "0a4f113b",
            "Circle Of Life",
            "testrealm@host.com"
        ),
        "6629fae49393a05397450978507c4ef1"
    );
}

#[test]
fn both_algorithms_and_old_phones_log_in() {
    for (algorithm, nc) in [
        (Algorithm::Sha256, Some(1)),
        (Algorithm::Md5, Some(1)),
        (Algorithm::Md5, Some(9)),
        (Algorithm::Md5, None),
    ] {
        let mut server = server();
        let nonce = nonce(&mut server, NOW);
        let value = answer(algorithm, "secret", &nonce, nc, "REGISTER");
        assert_eq!(verify(&mut server, &value, NOW), ada(), "{value}");
    }
    let mut server = server();
    let nonce = nonce(&mut server, NOW);
    let value = answer(Algorithm::Sha256, "secret", &nonce, None, "REGISTER");
    assert_eq!(verify(&mut server, &value, NOW), Verdict::Unusable, "SHA-256 wants qop");
}

#[test]
fn wrong_is_wrong_and_missing_is_missing() {
    let mut server = server();
    let nonce = nonce(&mut server, NOW);
    let good = answer(Algorithm::Sha256, "secret", &nonce, Some(1), "REGISTER");
    let mut check = |value: &str| verify(&mut server, value, NOW);
    assert_eq!(check(&answer(Algorithm::Sha256, "guess", &nonce, Some(1), "REGISTER")), wrong("ada"));
    assert_eq!(check(&answer(Algorithm::Sha256, "secret", &nonce, Some(1), "INVITE")), wrong("ada"));
    assert_eq!(check(&good.replace("ada", "eve")), wrong("eve"), "as if there were such a user");
    assert_eq!(check(&good.replace("uri=\"sip:", "uri=\"sip:x@")), Verdict::Unusable);
    assert_eq!(check(&good.replace("sayso\"", "other\"")), Verdict::Missing);
    assert_eq!(check("Digest nonsense"), Verdict::Unusable);
    assert_eq!(check("Digest username=\"ada"), Verdict::Unusable);
    assert_eq!(check(&format!("{good}, nc=00000002")), Verdict::Unusable, "a name twice");
    assert_eq!(check("Basic YWRhOnNlY3JldA=="), Verdict::Missing);
    assert_eq!(check(&good), ada(), "and it was not spoilt by what came before");
    let ask = Ask { method: "REGISTER", uri: URI, remote: REMOTE };
    let none = server.verify(ask, std::iter::empty(), &users, &mut |_| true, NOW);
    assert_eq!(none, Verdict::Missing);
}

#[test]
fn a_replayed_request_is_refused() {
    for nc in [Some(5), None] {
        let mut server = server();
        let nonce = nonce(&mut server, NOW);
        let value = answer(Algorithm::Md5, "secret", &nonce, nc, "REGISTER");
        assert_eq!(verify(&mut server, &value, NOW), ada());
        assert_eq!(verify(&mut server, &value, NOW), Verdict::Stale);
        let next = answer(Algorithm::Md5, "secret", &nonce, Some(6), "REGISTER");
        assert_eq!(verify(&mut server, &next, NOW), ada(), "the count may jump, not fall");
        let back = answer(Algorithm::Md5, "secret", &nonce, Some(4), "REGISTER");
        assert_eq!(verify(&mut server, &back, NOW), Verdict::Stale);
    }
}

#[test]
fn old_and_foreign_nonces_are_stale_and_leave_nothing() {
    let mut server = server();
    let first = nonce(&mut server, NOW);
    let value = |nonce: &str| answer(Algorithm::Sha256, "secret", nonce, Some(1), "REGISTER");
    assert_eq!(verify(&mut server, &value(&first), NOW + LIFETIME), ada(), "the last moment counts");
    assert_eq!(server.used.len(), 1);
    let late = NOW + LIFETIME + Duration::from_micros(1);
    assert_eq!(verify(&mut server, &value(&first), late), Verdict::Stale);
    assert_eq!(server.used.len(), 0, "an expired nonce is forgotten");
    let foreign = nonce(&mut DigestServer::new("sayso", [8; 32]), NOW);
    assert_eq!(verify(&mut server, &value(&foreign), NOW), Verdict::Stale, "as after a restart");
    assert_eq!(verify(&mut server, &value("made up"), NOW), Verdict::Stale);
    let guess = answer(Algorithm::Sha256, "guess", &foreign, Some(1), "REGISTER");
    assert_eq!(verify(&mut server, &guess, NOW), Verdict::Stale, "nor is a password judged");
    assert_eq!(server.used.len(), 0);
}

#[test]
fn a_nonce_is_good_for_the_source_that_got_it() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    for (given, used, good) in [
        ("192.0.2.7", "::ffff:192.0.2.7", true),
        ("192.0.2.7", "192.0.2.8", false),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
    ] {
        let mut server = server();
        let nonce = nonce_for(&mut server, ip(given), NOW);
        let value = answer(Algorithm::Sha256, "secret", &nonce, Some(1), "REGISTER");
        let values = || [value.as_bytes()].into_iter();
        assert_eq!(server.answers_challenge(values(), ip(used), NOW), good, "{used}");
        let expected = if good { ada() } else { Verdict::Stale };
        assert_eq!(verify_from(&mut server, &value, ip(used), NOW), expected, "{used}");
        let late = NOW + LIFETIME + Duration::from_secs(1);
        assert!(!server.answers_challenge(values(), ip(given), late));
    }
}

#[test]
fn a_request_is_one_guess_and_a_slowed_user_gets_none() {
    let mut server = server();
    let nonce = nonce(&mut server, NOW);
    let good = answer(Algorithm::Sha256, "secret", &nonce, Some(1), "REGISTER");
    let guess = answer(Algorithm::Sha256, "guess", &nonce, Some(1), "REGISTER");
    let foreign = good.replace("realm=\"sayso\"", "realm=\"other\"");
    let ask = Ask { method: "REGISTER", uri: URI, remote: REMOTE };
    let mut judge = |values: &[&str], may: bool| {
        let values = values.iter().map(|value| value.as_bytes());
        server.verify(ask, values, &users, &mut |user| may && user == "ada", NOW)
    };
    assert_eq!(judge(&[&guess, &good], true), wrong("ada"));
    assert_eq!(judge(&[&good], false), Verdict::Throttled);
    assert_eq!(judge(&[&foreign, "Digest nonsense", &good], true), ada());
}

#[test]
fn the_table_is_bounded_and_what_fell_out_cannot_be_replayed() {
    let mut server = server();
    let first = nonce(&mut server, NOW);
    let value = |nonce: &str, nc| answer(Algorithm::Md5, "secret", nonce, Some(nc), "REGISTER");
    assert_eq!(verify(&mut server, &value(&first, 1), NOW), ada());
    for _ in 0..MAX_NONCES {
        let nonce = nonce(&mut server, NOW);
        assert_eq!(verify(&mut server, &value(&nonce, 1), NOW), ada());
    }
    assert_eq!(server.used.len(), MAX_NONCES);
    assert_eq!(verify(&mut server, &value(&first, 1), NOW), Verdict::Stale);
}

#[test]
fn the_uri_may_differ_in_port_and_parameters_only() {
    assert!(same_target("sip:sayso.example", "sip:SAYSO.example:5060;transport=udp"));
    assert!(same_target("tel:+49301234567", "tel:+49301234567"));
    assert!(!same_target("sip:100@sayso.example", "sip:200@sayso.example"));
}

#[test]
fn one_algorithm_may_be_all_there_is() {
    let mut server = server().offering(&[]).offering(&[Algorithm::Md5]);
    let challenges = server.challenges(false, REMOTE, NOW);
    assert!(matches!(&challenges[..], [only] if only.contains("algorithm=MD5")));
    let nonce = nonce(&mut server, NOW);
    let sha256 = answer(Algorithm::Sha256, "secret", &nonce, Some(1), "REGISTER");
    assert_eq!(verify(&mut server, &sha256, NOW), Verdict::Unusable);
    let md5 = answer(Algorithm::Md5, "secret", &nonce, Some(1), "REGISTER");
    assert_eq!(verify(&mut server, &md5, NOW), ada());
}

#[test]
fn challenges_quote_the_realm_and_tell_staleness() {
    let mut server = DigestServer::new("a \"quoted\" realm", [7; 32]);
    let challenges = server.challenges(true, REMOTE, NOW);
    assert_eq!(challenges.len(), 2);
    assert!(challenges[0].contains("algorithm=SHA-256") && challenges[1].contains("algorithm=MD5"));
    for challenge in &challenges {
        let mut params = Params::parse(digest_params(challenge.as_bytes()).unwrap()).unwrap();
        assert_eq!(params.take("realm").unwrap(), "a \"quoted\" realm");
        assert_eq!(params.take("stale").unwrap(), "true");
        assert_eq!(params.take("qop").unwrap(), "auth");
    }
    assert!(!server.challenges(false, REMOTE, NOW)[0].contains("stale"));
}

proptest! {
    #[test]
    fn no_bytes_are_accepted_or_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut server = server();
        let value = [&b"Digest "[..], &bytes].concat();
        let ask = Ask { method: "REGISTER", uri: URI, remote: REMOTE };
        let values = [&value[..], &bytes[..]].into_iter();
        let verdict = server.verify(ask, values, &users, &mut |_| true, NOW);
        prop_assert!(matches!(verdict, Verdict::Unusable | Verdict::Missing));
    }

    #[test]
    fn a_changed_character_spoils_the_answer(at in 0usize..400, with in proptest::char::range('0', 'z')) {
        let mut server = server();
        let nonce = nonce(&mut server, NOW);
        let value = answer(Algorithm::Sha256, "secret", &nonce, Some(1), "REGISTER");
        let start = value.find("response=\"").unwrap() + 10;
        let at = start + at % 64;
        let mut bytes = value.clone().into_bytes();
        prop_assume!(with != '\\' && !bytes[at].eq_ignore_ascii_case(&(with as u8)));
        bytes[at] = with as u8;
        let spoilt = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(verify(&mut server, &spoilt, NOW), wrong("ada"));
    }
}
