//! What a trunk and an agent's phone speak, the way out, and the number plan.

use super::*;

const OUT: &str = r##"
[queue.support]
[number."+4989100"]
queue = "support"
[number.100]
queue = "support"
[agent.bob]
password = "s3cret"
codecs = ["pcmu"]
srtp = "required"
three-way-code = "#9"
return-code = "none"
[trunk.carrier]
networks = ["192.0.2.0/24"]
region = "DE"
codecs = ["opus", "g722", "pcma", "pcmu"]
srtp = "optional"
in-band-digits = true
release-path = true
[trunk.carrier.outbound]
server = "sip:carrier.example:5070;transport=tls"
user = "us"
password = "hunter22"
register = true
caller-id = "+49 89 1000"
[trunk.finland]
outbound = { server = "sip:[2001:db8::1]", prefixes = ["+358", "+46"] }
"##;

#[test]
fn a_way_out_is_read_shown_and_its_password_kept() {
    let (settings, _) = applied(&Settings::default(), OUT, &OPTIONS);
    let carrier = &settings.trunks[&"carrier".into()];
    assert_eq!(carrier.codecs, [Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu]);
    assert_eq!(
        (carrier.srtp, carrier.in_band_digits, carrier.release_path),
        (SrtpPolicy::Optional, true, true)
    );
    let outbound = carrier.outbound.as_ref().expect("a way out");
    assert_eq!(outbound.caller_id, Some(Redacted("+49891000".to_owned())));
    assert_eq!((outbound.register, outbound.prefixes.as_slice()), (true, &["+".to_owned()][..]));
    let login = outbound.login.as_ref().expect("a log-in");
    assert_eq!((login.user.as_str(), login.password.0.as_str()), ("us", "hunter22"));
    let phone = &settings.agents[&"bob".into()].phone;
    assert_eq!((phone.codecs.as_slice(), phone.srtp), (&[Codec::Pcmu][..], SrtpPolicy::Required));
    assert_eq!(phone.codes.three_way.iter().map(|key| key.as_char()).collect::<String>(), "#9");
    assert_eq!((phone.codes.complete.len(), phone.codes.back.len()), (2, 0));

    let without = OUT.replace("password = \"hunter22\"\n", "");
    assert_eq!(applied(&settings, &without, &OPTIONS).1, Vec::<String>::new(), "the stored one stays");
    let errors = diff(&Settings::default(), &read(&without), &OPTIONS).expect_err("there is none");
    assert_eq!(errors[0].key, "trunk.carrier.outbound.password");
    let other = OUT.replace("hunter22", "hunter33").replace("register = true", "register = false");
    let (changed, shown) = applied(&settings, &other, &OPTIONS);
    let lines =
        "~ trunk carrier.outbound.password: changed\n~ trunk carrier.outbound.register: true -> false";
    assert_eq!(shown, [lines]);
    let debug = format!("{changed:?} {:?} {:?}", read(OUT), changed.objects().collect::<Vec<_>>());
    assert!(!debug.contains("hunter") && !debug.contains("891000"), "{debug}");
    let shown = format!("{:?}", settings.objects().map(|(.., it)| it.attributes()).collect::<Vec<_>>());
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn an_older_document_has_the_usual_phone() {
    let stored =
        r#"{"display_name":"Bob","credentials":{"user":"bob","ha1_md5":"","ha1_sha256":""},"queues":[]}"#;
    let Ok(Object::Agent(agent)) = Object::from_json(Kind::Agent, stored) else { panic!("is an agent") };
    assert_eq!(agent.phone, Phone::default());
}

#[test]
fn faults_of_a_way_out_are_named() {
    let text = r##"
[trunk.a]
codecs = []
srtp = "sometimes"
[trunk.a.outbound]
server = "carrier.example"
register = true
caller-id = "0891000"
prefixes = ["49"]
[trunk.b]
codecs = ["pcma", "pcma"]
outbound = { password = "hunter2" }
[agent.bob]
password = "x"
three-way-code = "*"
complete-code = "**123"
"##;
    assert_eq!(
        errors(text),
        [
            "demo.toml:3: trunk.a.codecs: is empty: at least one codec is expected",
            "demo.toml:4: trunk.a.srtp: \"sometimes\" is unknown; allowed: off, optional, required",
            "demo.toml:5: trunk.a.outbound.user: is missing: register needs it",
            "demo.toml:6: trunk.a.outbound.server: \"carrier.example\" is no server; \"sip:carrier.example\", \"sip:192.0.2.1:5070;transport=tcp\" or \"sips:carrier.example\" is expected (transport: udp, tcp or tls)",
            "demo.toml:8: trunk.a.outbound.caller-id: is no number such as \"+49891000\"",
            "demo.toml:9: trunk.a.outbound.prefixes: \"49\" is no beginning of a number such as \"+\" or \"+49\"",
            "demo.toml:11: trunk.b.codecs: names \"pcma\" twice",
            "demo.toml:12: trunk.b.outbound.server: is missing: where calls to the outside go, such as \"sip:carrier.example\"",
            "demo.toml:12: trunk.b.outbound.user: is missing: password needs it",
            "demo.toml:13: agent.bob: has keypad codes of which one begins with another (*): make them differ",
            "demo.toml:16: agent.bob.complete-code: \"**123\" is no code; 1 to 4 keys such as \"*3\", or \"none\", are expected",
        ]
    );
    let twice = OUT.replace("[\"+358\", \"+46\"]", "[\"+\"]");
    assert!(
        errors(&twice)[0]
            .ends_with("trunk.finland.outbound.prefixes: has \"+\", which trunk carrier has already")
    );
}

#[test]
fn servers_are_hosts() {
    for (server, good) in [
        ("sip:carrier", true),
        ("sips:a-b.example", true),
        ("sip:192.0.2.1:5070;transport=tcp", true),
        ("sip:[2001:db8::1]:5060", true),
        ("sip:user@carrier.example", false),
        ("sip:carrier.example;transport=sctp", false),
        ("sip:carrier.example:0", false),
        ("sip:[2001:db8::1]5060", false),
        ("sip:[::g]", false),
        ("sip:", false),
        ("tel:+4989", false),
    ] {
        let text = format!("[trunk.a]\noutbound = {{ server = {server:?} }}");
        assert_eq!(parse(&text, "demo.toml", REALM).is_ok(), good, "{server}");
    }
}

#[test]
fn keys_that_travel_in_the_open_are_warned_of() {
    assert_eq!(warnings(&read(OUT)), []);
    let open = OUT.replace(";transport=tls", "");
    let shown: Vec<String> = warnings(&read(&open)).iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), 1);
    assert!(shown[0].starts_with("demo.toml:13: trunk.carrier.srtp: is \"optional\""), "{shown:?}");
    assert_eq!(warnings(&read(&open.replace("sip:carrier", "sips:carrier"))), []);
}

#[test]
fn what_is_dialled_leads_to_the_nearest() {
    let (settings, _) = applied(&Settings::default(), OUT, &OPTIONS);
    let queue = Some(Way::Queue("support".into()));
    assert_eq!(settings.way("bob"), Some(Way::Agent("bob".into())));
    assert_eq!(settings.way("support"), queue);
    assert_eq!(settings.way("100"), queue);
    assert_eq!(settings.way("+4989100"), queue);
    assert_eq!(settings.way("nobody"), None);
    let out = |dialled: &str| match settings.way(dialled) {
        Some(Way::Outside { trunk, number }) => (trunk.0, number.as_e164().to_owned()),
        other => panic!("{other:?}"),
    };
    let to = |trunk: &str, number: &str| (trunk.to_owned(), number.to_owned());
    assert_eq!(out("+12125550100"), to("carrier", "+12125550100"));
    assert_eq!(out("+35891234567"), to("finland", "+35891234567"));
    assert_eq!(out("030 1234567"), to("carrier", "+49301234567"), "a number of the trunk's country");
    let (closed, _) =
        applied(&Settings::default(), &OUT.replace("caller-id =", "prefixes = []\ncaller-id ="), &OPTIONS);
    assert_eq!(closed.way("+12125550100"), None);
}
