//! Apply files: what is read, what is refused and how, and that applying twice changes nothing.

mod hours;
pub(super) mod properties;
mod trunks;

use super::*;
use crate::consent::{AskRule, LegalBasis, Script};
use crate::media::Digit;

pub(super) const REALM: &str = "sayso";
const OPTIONS: DiffOptions = DiffOptions { prune: false, seed: [7; 32] };
const PRUNE: DiffOptions = DiffOptions { prune: true, seed: [7; 32] };

fn read(text: &str) -> ApplyFile {
    parse(text, "demo.toml", REALM).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// The errors of reading, or of checking against nothing stored.
fn errors(text: &str) -> Vec<String> {
    let errors = match parse(text, "demo.toml", REALM) {
        Ok(file) => diff(&Settings::default(), &file, &OPTIONS).expect_err("wrong"),
        Err(errors) => errors,
    };
    errors.iter().map(ToString::to_string).collect()
}

/// `settings` with the differences of `text` applied, and the differences as shown.
fn applied(settings: &Settings, text: &str, options: &DiffOptions) -> (Settings, Vec<String>) {
    let differences = diff(settings, &read(text), options).unwrap_or_else(|errors| panic!("{errors:?}"));
    let mut settings = settings.clone();
    settings.apply(&differences);
    (settings, differences.iter().map(ToString::to_string).collect())
}

const FULL: &str = r##"
[trunk.carrier]
networks = ["192.0.2.0/24", "198.51.100.7"]
max-calls = 200
calls-per-second = 20
region = "DE"

[trunk.pbx]
digest = { user = "pbx", password = "hunter22" }

[number."+4989100"]
queue = "support"

[number.100]
queue = "trading"
language = "de"

[queue.support]
wrap-up = "20s"
overflow = { queue = "trading" }
pause-limit = "2m"

[queue.support.consent]
yes = "1"
no = "*"
attempts = 3
timeout = "7s"
barge-in = false
ask = "older-than 365d"

[queue.trading]
recording = "always"
legal-basis = { obligation = "MiFID II" }
strategy = "ring-all"
position-every = "never"

[agent.bob]
display-name = "Bob"
password = "s3cret"
queues = ["trading", "support"]

[user.ada]
display-name = "Ada"
password = "correct horse"
role = "superuser"
"##;

#[test]
fn a_whole_file_is_read_with_good_defaults() {
    let (settings, shown) = applied(&Settings::default(), FULL, &OPTIONS);
    let support = &settings.queues[&"support".into()];
    let script = Script {
        yes: Digit::try_from('1').expect("a key"),
        no: Digit::try_from('*').expect("a key"),
        attempts: 3,
        timeout: Duration::from_secs(7),
        barge_in: false,
        ask: AskRule::OlderThan(Duration::from_secs(365 * 86_400)),
    };
    assert_eq!(support.recording, Policy::Consent(script));
    assert_eq!((support.wrap_up, support.ring_timeout), (Duration::from_secs(20), Duration::from_secs(20)));
    assert_eq!(support.overflow, Overflow::Queue("trading".into()));
    assert!(!support.override_allowed && support.destroy_on_withdrawal);
    let trading = &settings.queues[&"trading".into()];
    assert_eq!(trading.recording, Policy::Always(LegalBasis::Obligation("MiFID II".into())));
    assert_eq!((trading.strategy, trading.position_every), (Strategy::RingAll, None));
    let carrier = &settings.trunks[&"carrier".into()];
    assert_eq!(carrier.networks[1], "198.51.100.7/32".parse().expect("a network"));
    assert_eq!(settings.trunks[&"pbx".into()].digest, Some(ha1("pbx", REALM, "hunter22")));
    assert_eq!(settings.agents[&"bob".into()].credentials, Some(ha1("bob", REALM, "s3cret")));
    assert!(verify_password(&settings.users["ada"].password_hash, "correct horse"));
    assert_eq!(settings.numbers["100"].language, Some(Language("de".into())));
    assert_eq!(
        shown,
        [
            "+ trunk carrier",
            "+ trunk pbx",
            "+ queue support",
            "+ queue trading",
            "+ number +4989100",
            "+ number 100",
            "+ agent bob",
            "+ user ada"
        ]
    );
    let (again, shown) = applied(&settings, FULL, &OPTIONS);
    assert_eq!((again, shown), (settings, vec![]), "the same password is no change");
}

#[test]
fn a_diff_names_each_attribute_and_no_secret() {
    let (settings, _) = applied(&Settings::default(), FULL, &OPTIONS);
    let changed = FULL
        .replace("wrap-up = \"20s\"", "wrap-up = \"90s\"")
        .replace("no = \"*\"", "no = \"2\"")
        .replace("correct horse", "battery staple")
        .replace("s3cret", "other")
        .replace("display-name = \"Bob\"", "display-name = \"Robert\"")
        .replace("max-calls = 200\n", "");
    let (_, shown) = applied(&settings, &changed, &OPTIONS);
    assert_eq!(
        shown,
        [
            "~ trunk carrier.max-calls: 200 -> (none)",
            "~ queue support.consent.no: * -> 2\n~ queue support.wrap-up: 20s -> 1m30s",
            "~ agent bob.display-name: Bob -> Robert\n~ agent bob.password: changed",
            "~ user ada.password: changed"
        ]
    );
    let policy = FULL.replace("recording = \"always\"", "recording = \"never\"");
    let policy = policy.replace("legal-basis = { obligation = \"MiFID II\" }\n", "");
    let (_, shown) = applied(&settings, &policy, &OPTIONS);
    let lines = "~ queue trading.recording: always -> never\n\
                 ~ queue trading.legal-basis: obligation MiFID II -> (none)";
    assert_eq!(shown, [lines]);
    let debug = format!("{:?}", diff(&settings, &read(&changed), &OPTIONS));
    assert!(!debug.contains("Robert") && !debug.contains("argon2id"), "{debug}");
}

#[test]
fn objects_go_only_when_pruned_and_only_of_kinds_in_the_file() {
    let (settings, _) = applied(&Settings::default(), FULL, &OPTIONS);
    let text = "[agent]\n[number.100]\nqueue = \"trading\"\nlanguage = \"de\"";
    assert_eq!(applied(&settings, text, &OPTIONS), (settings.clone(), vec![]));
    let (pruned, shown) = applied(&settings, text, &PRUNE);
    assert_eq!(shown, ["- agent bob", "- number +4989100"]);
    assert_eq!((pruned.users.len(), pruned.queues.len(), pruned.trunks.len()), (1, 2, 2));
    let still_used = "[queue.support]";
    let errors = diff(&settings, &read(still_used), &PRUNE).expect_err("trading is used");
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let unused = "names the queue \"trading\", which does not exist; queues: support";
    assert_eq!(
        texts,
        [format!("demo.toml: number.100.queue: {unused}"), format!("demo.toml: agent.bob.queues: {unused}")]
    );
}

#[test]
fn a_stored_password_may_be_left_out() {
    let (settings, _) = applied(&Settings::default(), FULL, &OPTIONS);
    let text = "[agent.bob]\ndisplay-name = \"Bob\"\nqueues = [\"trading\", \"support\"]\n\
                [trunk.pbx]\ndigest = { user = \"pbx\" }\n\
                [user.ada]\ndisplay-name = \"Ada\"\nrole = \"superuser\"";
    assert_eq!(applied(&settings, text, &OPTIONS).1, Vec::<String>::new());
    let other = text.replace("user = \"pbx\"", "user = \"pbx2\"").replace("user.ada", "user.eve");
    let errors = diff(&settings, &read(&other), &OPTIONS).expect_err("no password is right");
    let places: Vec<_> = errors.iter().map(|error| (error.line, error.key.as_str())).collect();
    assert_eq!(places, [(Some(4), "trunk.pbx.digest.password"), (Some(6), "user.eve.password")]);
}

#[test]
fn an_agent_of_the_browser_needs_no_password() {
    let text = "[agent.eve]\nmedia = \"webrtc\"";
    let (settings, lines) = applied(&Settings::default(), text, &OPTIONS);
    let eve = &settings.agents[&"eve".into()];
    assert_eq!((&eve.credentials, eve.phone.media), (&None, PhoneMedia::Webrtc));
    assert_eq!(lines, ["+ agent eve"]);
    let later = format!("{text}\npassword = \"s3cret\"");
    let (settings, lines) = applied(&settings, &later.replace("webrtc", "auto"), &OPTIONS);
    let login = settings.agents[&"eve".into()].credentials.as_ref();
    assert_eq!(login, Some(&ha1("eve", REALM, "s3cret")));
    assert_eq!(lines, ["~ agent eve.password: (none) -> (secret)\n~ agent eve.media: webrtc -> auto"]);
    // A document of before has neither.
    let stored = r#"{"display_name":"Eve","credentials":{"user":"eve","ha1_md5":"a","ha1_sha256":"b"},
        "queues":[],"phone":{"codecs":["Pcma"],"srtp":"off","codes":{"three_way":[],"complete":[],"back":[]}}}"#;
    let Ok(Object::Agent(eve)) = Object::from_json(Kind::Agent, stored) else { panic!("an agent") };
    assert!(eve.credentials.is_some() && eve.phone.media == PhoneMedia::Auto);
}

#[test]
fn every_error_names_file_line_key_what_and_what_is_allowed() {
    let text = r#"
[queue.support]
wrapup = "10s"
strategy = "longest"
ring-timeout = "20"
max-wait = 5
priority = 300
recording = "always"
[queue.support.consent]
yes = "12"
[queu.sales]
[agent.bob]
queues = "support"
password = 12
[trunk.carrier]
networks = ["192.0.2.0/33"]
[trunk.nobody]
region = "XX"
[user.ada]
password = "short"
role = "boss"
[number."+49 30"]
queue = "support"
"#;
    assert_eq!(
        errors(text),
        [
            "demo.toml:2: queue.support.legal-basis: is missing: recording = \"always\" needs one, { obligation = \"...\" } or { contract = \"...\" }",
            "demo.toml:3: queue.support.wrapup: is unknown; allowed: recording, legal-basis, consent, language, override-allowed, pause-limit, destroy-on-withdrawal, on-recording-failure, strategy, priority, ring-timeout, wrap-up, max-wait, overflow, position-every, service-seconds, retention, file-removal, skills, hours, closed, when-closed; did you mean \"wrap-up\"?",
            "demo.toml:4: queue.support.strategy: \"longest\" is unknown; allowed: longest-idle, round-robin, ring-all",
            "demo.toml:5: queue.support.ring-timeout: is \"20\"; a duration such as \"20s\", \"2m\", \"1h30m\" or \"90d\" is expected (units: d, h, m, s, ms)",
            "demo.toml:6: queue.support.max-wait: is the number 5; a duration such as \"20s\", \"2m\", \"1h30m\" or \"90d\" is expected (units: d, h, m, s, ms)",
            "demo.toml:7: queue.support.priority: is the number 300; a whole number from 0 to 255 is expected",
            "demo.toml:9: queue.support.consent: goes with recording = \"consent\" only: take it out, or change recording",
            "demo.toml:10: queue.support.consent.yes: \"12\" is no key; one of 0-9, *, #, A-D is expected",
            "demo.toml:11: queu: is unknown; allowed: trunk, queue, number, agent, role, user, webhook, provider, system; did you mean \"queue\"?",
            "demo.toml:13: agent.bob.queues: is the text \"support\"; a list [...] is expected",
            "demo.toml:14: agent.bob.password: a password in quotes is expected",
            "demo.toml:16: trunk.carrier.networks: \"192.0.2.0/33\" is no network; \"192.0.2.0/24\", \"192.0.2.1\" or \"2001:db8::/32\" is expected",
            "demo.toml:17: trunk.nobody: is known by nothing: give networks = [\"192.0.2.0/24\"], or digest = { user = \"...\", password = \"...\" }, or outbound = { server = \"sip:...\" }, or several of them",
            "demo.toml:18: trunk.nobody.region: \"XX\" is no country such as \"DE\" or \"FI\"",
            "demo.toml:20: user.ada.password: is too short: more than 8 characters are expected",
            "demo.toml:22: number.\"+49 30\": is no name: 1 to 64 letters (a-z), digits and ._-+*# are allowed",
        ]
    );
    let broken = errors("[queue.a]\nwrap-up = \n[queue.b\n");
    assert!(broken[0].starts_with("demo.toml:2: is not TOML: "), "{broken:?}");
}

#[test]
fn a_misplaced_password_is_not_repeated() {
    for text in [
        "[trunk.a]\ndigest = \"hunter2\"",
        "[agent]\nbob = \"hunter2\"",
        "[agent.bob]\npassword = [\"hunter2\"]",
        "[user.ada]\nrole = \"agent\"\npassword = \"hunter2\"",
    ] {
        let errors = errors(text);
        assert!(!errors.is_empty() && !errors.concat().contains("hunter2"), "{errors:?}");
    }
}

#[test]
fn references_are_checked_in_the_whole() {
    let text = r#"
[queue.a]
overflow = { queue = "b" }
[queue.b]
overflow = { queue = "c" }
[queue.c]
overflow = { queue = "a" }
[queue.d]
overflow = { queue = "nowhere" }
[number.1]
queue = "e"
[agent.bob]
password = "x"
queues = ["a", "f"]
[trunk.one]
networks = ["192.0.2.0/24"]
digest = { user = "bob", password = "y" }
[trunk.two]
networks = ["192.0.2.77/24"]
"#;
    assert_eq!(
        errors(text),
        [
            "demo.toml:3: queue.a.overflow: leads in a circle (a -> b -> c -> a): one of them must end",
            "demo.toml:9: queue.d.overflow: names the queue \"nowhere\", which does not exist; queues: a, b, c, d",
            "demo.toml:11: number.1.queue: names the queue \"e\", which does not exist; queues: a, b, c, d",
            "demo.toml:14: agent.bob.queues: names the queue \"f\", which does not exist; queues: a, b, c, d",
            "demo.toml:15: trunk.one.digest.user: is \"bob\", which agent bob has already",
            "demo.toml:18: trunk.two.networks: has 192.0.2.0/24, which trunk one has already",
        ]
    );
    let (stored, _) = applied(&Settings::default(), "[queue.e]", &OPTIONS);
    assert_eq!(applied(&stored, "[number.1]\nqueue = \"e\"", &OPTIONS).1, ["+ number 1"], "stored will do");
    assert!(errors("[queue.a]\noverflow = { queue = \"a\" }")[0].contains("(a -> a)"));
    let mixed =
        "[queue.day]\nwhen-closed = { queue = \"night\" }\n[queue.night]\noverflow = { queue = \"day\" }";
    let circle =
        "demo.toml:2: queue.day.when-closed: leads in a circle (day -> night -> day): one of them must end";
    assert_eq!(errors(mixed), [circle], "whichever way is taken");
    let both = "[queue.a]\noverflow = { queue = \"b\" }\nwhen-closed = { queue = \"b\" }\n[queue.b]";
    assert_eq!(applied(&Settings::default(), both, &OPTIONS).1, ["+ queue a", "+ queue b"], "no circle");
}

#[test]
fn what_refers_to_roles_and_webhooks_is_checked() {
    let text = "[user.a]\npassword = \"correct horse\"\nrole = \"boss\"\n\
                [provider.idp]\nissuer = \"https://id.example\"\nclient-id = \"us\"\nroles = [\"staff = agent\", \"it = boss\"]\n\
                [system.sayso]\nanchor-to = [\"store\", \"webhook notary\"]\n";
    let defaults = "superuser, supervisor, agent, reporting, queue-administrator, ivr-administrator, \
                    recording-administrator, advanced-monitoring";
    assert_eq!(
        errors(text),
        [
            format!(
                "demo.toml:3: user.a.role: is the role \"boss\", which does not exist; roles: {defaults}"
            ),
            "demo.toml:4: provider.idp.roles: \"it\" stands for the role \"boss\", which does not exist"
                .to_owned(),
            "demo.toml:8: system.sayso.anchor-to: names the webhook \"notary\", which does not exist"
                .to_owned(),
        ]
    );
    let there = "[role.boss]\nrights = [\"wallboard\"]\n[webhook.notary]\nurl = \"https://n.example\"\nsecret = \"key\"\n";
    assert_eq!(applied(&Settings::default(), &format!("{text}{there}"), &OPTIONS).1.len(), 5);
}

#[test]
fn a_webhook_is_reached_by_tls_or_on_this_machine() {
    let of = |url: &str| errors(&format!("[webhook.crm]\nsecret = \"key\"\nurl = {url:?}\n")).len();
    let right =
        |url: &str| parse(&format!("[webhook.crm]\nsecret = \"key\"\nurl = {url:?}\n"), "x", REALM).is_ok();
    for url in
        ["https://crm.example/sayso?a=b", "http://127.0.0.1:8080/x", "http://localhost", "http://[::1]:1/"]
    {
        assert!(right(url), "{url}");
    }
    for url in [
        "http://crm.example",
        "crm.example",
        "https://",
        "https://a:b@crm.example",
        "http://localhost.evil.example",
        "https://a b",
    ] {
        assert_eq!(of(url), 1, "{url}");
    }
}

#[test]
fn a_webhook_at_a_private_address_is_refused_until_it_is_allowed() {
    let hook = |url: &str| format!("[webhook.crm]\nsecret = \"key\"\nurl = {url:?}\n");
    for url in [
        "http://127.0.0.1:8080/x",
        "https://localhost",
        "https://[::1]:1/",
        "https://10.0.0.1",
        "https://169.254.169.254/",
    ] {
        let told = errors(&hook(url));
        let begins = "demo.toml:1: webhook.crm.url: is at a private address";
        assert!(told.len() == 1 && told[0].starts_with(begins), "{told:?}");
    }
    let allowed = "[system.sayso]\nwebhook-networks = [\"127.0.0.0/8\"]\n";
    let (stored, _) =
        applied(&Settings::default(), &format!("{}{allowed}", hook("http://127.0.0.1/")), &OPTIONS);
    assert_eq!(errors(&format!("{}{allowed}", hook("https://10.0.0.1/"))).len(), 1, "only what is named");
    for text in ["[system.sayso]\n", "[system.sayso]\nwebhook-networks = [\"10.0.0.0/8\"]\n"] {
        let told = diff(&stored, &read(text), &OPTIONS).expect_err("not taken back while there is one");
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].key, "system.sayso.webhook-networks");
    }
    assert_eq!(applied(&stored, "[queue.a]\n", &OPTIONS).1, ["+ queue a"], "what is as it was is let be");
    assert_eq!(errors("[system.sayso]\nwebhook-networks = [\"ten\"]\n").len(), 1);
}

const PEOPLE: &str = "[agent.bob]\npassword = \"x\"\n[user.bob]\npassword = \"correct horse\"\nrole = \"agent\"\nagent = \"bob\"\n";

#[test]
fn a_password_of_the_file_must_be_changed_and_what_the_user_chose_stays() {
    let (settings, _) = applied(&Settings::default(), PEOPLE, &OPTIONS);
    let bob = |settings: &Settings| (*settings.users["bob"]).clone();
    assert!(bob(&settings).must_change_password);
    assert_eq!(bob(&settings).agent, Some("bob".into()));
    let mut chosen = settings.clone();
    let own = bob(&settings).with_own_password("bob", "battery staple", &[9; 32]);
    chosen.users.insert("bob".into(), Arc::new(own));
    assert_eq!(applied(&chosen, PEOPLE, &OPTIONS), (chosen.clone(), vec![]), "the file says nothing new");
    let insists = format!("{PEOPLE}must-change = true\n");
    assert_eq!(applied(&chosen, &insists, &OPTIONS).1, Vec::<String>::new(), "of a password it set before");
    let silent = PEOPLE.replace("password = \"correct horse\"\n", "");
    assert_eq!(applied(&chosen, &silent, &OPTIONS).1, Vec::<String>::new());

    let (reset, shown) = applied(&chosen, &PEOPLE.replace("correct", "other"), &OPTIONS);
    assert_eq!(shown, ["~ user bob.password: changed\n~ user bob.must-change: false -> true"]);
    assert!(verify_password(&bob(&reset).password_hash, "other horse") && bob(&reset).applied_hash.is_none());
    // The user took the file's new password by chance: it is still one the file sets.
    let (taken, _) = applied(&chosen, &PEOPLE.replace("correct horse", "battery staple"), &OPTIONS);
    assert!(bob(&taken).must_change_password);

    let (spared, shown) = applied(&settings, &format!("{PEOPLE}must-change = false\n"), &OPTIONS);
    assert_eq!(shown, ["~ user bob.must-change: true -> false"]);
    assert_eq!(bob(&spared).password_hash, bob(&settings).password_hash);
}

#[test]
fn a_user_s_own_password_is_hashed_once_more_each_time() {
    let (settings, _) = applied(&Settings::default(), PEOPLE, &OPTIONS);
    let first = &settings.users["bob"];
    let second = first.with_own_password("bob", "battery staple", &[9; 32]);
    let third = second.with_own_password("bob", "third horse", &[8; 32]);
    assert_eq!(third.applied_hash.as_ref(), Some(&first.password_hash), "what the file said last");
    assert!(verify_password(&third.password_hash, "third horse") && !third.must_change_password);
}

#[test]
fn a_user_is_an_agent_who_is_there_and_nobody_else() {
    let text = "[agent.bob]\npassword = \"x\"\n\
                [user.a]\npassword = \"correct horse\"\nrole = \"agent\"\nagent = \"bob\"\n\
                [user.b]\npassword = \"correct horse\"\nrole = \"agent\"\nagent = \"bob\"\n\
                [user.c]\npassword = \"correct horse\"\nrole = \"agent\"\nagent = \"carol\"\nlanguage = \"klingon\"\n";
    let language = "demo.toml:15: user.c.language: \"klingon\" is no language such as \"en\" or \"de\"";
    assert_eq!(errors(text), [language]);
    assert_eq!(
        errors(&text.replace("\nlanguage = \"klingon\"", "")),
        [
            "demo.toml:10: user.b.agent: is \"bob\", which user a is already",
            "demo.toml:14: user.c.agent: names the agent \"carol\", which does not exist; agents: bob",
        ]
    );
}

#[test]
fn stored_users_and_queues_of_before_are_read() {
    let user = "{\"display_name\":\"Ada\",\"password_hash\":\"$argon2id$x\",\"role\":\"superuser\"}";
    let Ok(Object::User(user)) = Object::from_json(Kind::User, user) else { panic!("not read") };
    assert!(!user.must_change_password && user.agent.is_none() && user.applied_hash.is_none());
    let (settings, _) =
        applied(&Settings::default(), "[queue.a]\n[queue.b]\nservice-seconds = 30\n", &OPTIONS);
    let seconds = |name: &str| settings.queues[&name.into()].service_seconds;
    assert_eq!((seconds("a"), seconds("b")), (20, 30));
    let json = Object::Queue(settings.queues[&"b".into()].clone()).to_json().expect("JSON");
    let before = json.replace(",\"service_seconds\":30", "");
    assert_ne!(before, json);
    let Ok(Object::Queue(queue)) = Object::from_json(Kind::Queue, &before) else { panic!("not read") };
    assert_eq!(queue.service_seconds, 20);
}
