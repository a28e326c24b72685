//! Documents: that they say all there is to say, and are refused as the apply file is.

use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use proptest::strategy::Strategy as Generator;
use serde_json::json;

use super::*;
use crate::access::Right;
use crate::ids::Redacted;
use crate::settings::tests::REALM;
use crate::settings::tests::properties::{keep, name, seconds, settings};
use crate::settings::{
    AuditRules, CustomRole, Language, PasswordRules, PrivacyRules, Provider, Retention, Role, SecondFactor,
    SessionRules, System, User, Webhook, WebhookRules,
};

const SEED: [u8; 32] = [7; 32];

fn rights() -> impl Generator<Value = Vec<Right>> {
    prop::sample::subsequence(Right::ALL.to_vec(), 0..6)
}

fn system() -> impl Generator<Value = System> {
    let day = 86_400;
    let keeps = (keep(), keep(), keep());
    let numbers = (8u8..=64, 0u8..=50, 1u8..=100);
    let spans = (of(seconds(day, day * 900)), seconds(60, day), seconds(60, 30 * day), seconds(60, 30 * day));
    let rest = (of(seconds(60, day)), seconds(3_600, 30 * day), any::<bool>(), any::<bool>());
    let zone = prop::sample::select(vec!["UTC", "Europe/Vienna", "Asia/Kathmandu"]);
    (zone, keeps, numbers, spans, rest).prop_map(|(zone, keeps, numbers, spans, rest)| System {
        time_zone: zone.to_owned(),
        retention: Retention { calls: keeps.0, recordings: keeps.1, reporting: keeps.2 },
        passwords: PasswordRules {
            longer_than: numbers.0,
            history: numbers.1,
            expires: spans.0,
            lock_after: numbers.2,
            lock_for: spans.1,
        },
        sessions: SessionRules {
            idle: spans.2,
            absolute: spans.3,
            second_factor: if rest.2 { SecondFactor::Required } else { SecondFactor::Optional },
        },
        audit: AuditRules {
            off: vec!["presence".to_owned()],
            anchor_every: rest.0,
            anchor_to: vec!["store".to_owned()],
        },
        privacy: PrivacyRules { second_approver: rest.3, keep_reports: rest.1 },
        webhooks: WebhookRules {
            networks: if rest.2 { vec!["10.1.0.0/16".parse().unwrap()] } else { Vec::new() },
        },
    })
}

/// Settings with every kind of object.
fn all() -> impl Generator<Value = Settings> {
    let roles = btree_map("own[a-z]{1,6}", ("[A-Z][a-z ]{0,9}[a-z]", rights()), 1..3);
    let user =
        ("[^\\p{C}\\p{Z}]{1,9}", any::<bool>(), any::<bool>(), rights(), any::<bool>(), of("[a-z]{2}"));
    let users = btree_map(name(), user, 1..4);
    let webhooks = btree_map(
        name(),
        ("https://[a-z]{1,9}/[a-z\"\\\\]{0,5}", vec(0usize..10, 0..3), any::<bool>()),
        1..3,
    );
    let provider = ("[^\\p{C}\\p{Z}]{1,9}", "https://[a-z]{1,9}", of("[a-z]{4,9}"), any::<bool>());
    let providers = btree_map(name(), provider, 1..3);
    (settings(), roles, users, webhooks, providers, of(system())).prop_map(
        |(mut settings, roles, users, webhooks, providers, system)| {
            for (name, (description, mut rights)) in roles {
                rights.retain(|right| !right.is_special());
                settings.roles.insert(name, Arc::new(CustomRole { description, rights }));
            }
            let mut agents: Vec<_> = settings.agents.keys().cloned().collect();
            let only: Vec<_> = settings.queues.keys().cloned().collect();
            for (n, (name, (display_name, must_change_password, own, grants, limited, language))) in
                users.into_iter().enumerate()
            {
                let custom_role = settings.roles.keys().next().filter(|_| own).cloned();
                let user = User {
                    display_name: Redacted(display_name),
                    password_hash: Redacted(format!("$argon2id$ of {name}")),
                    applied_hash: (n % 2 == 0).then(|| Redacted("$argon2id$ of before".to_owned())),
                    must_change_password,
                    // A role of one's own stands for the default one.
                    role: if custom_role.is_some() { Role::Reporting } else { Role::WORDS[n].1 },
                    custom_role,
                    grants,
                    only_queues: limited.then(|| only.clone()),
                    agent: agents.pop(),
                    language: language.map(Language),
                };
                settings.users.insert(name, Arc::new(user));
            }
            for (name, (url, events, enabled)) in webhooks {
                let events = events.into_iter().map(|n| Webhook::EVENTS[n].to_owned()).collect();
                let webhook = Webhook { url, secret: Redacted(format!("pw: {name}")), events, enabled };
                settings.webhooks.insert(name, Arc::new(webhook));
            }
            for (name, (display_name, issuer, secret, make_users)) in providers {
                let provider = Provider {
                    display_name,
                    issuer,
                    client_id: name.clone(),
                    client_secret: secret.map(Redacted),
                    scopes: vec!["email".to_owned()],
                    user_claim: "sub".to_owned(),
                    role_claim: "roles".to_owned(),
                    roles: vec![("cn=staff".to_owned(), "agent".to_owned())],
                    make_users,
                };
                settings.providers.insert(name, Arc::new(provider));
            }
            settings.system = system.map(Arc::new);
            settings
        },
    )
}

fn document(object: &Object) -> Map<String, Value> {
    let Value::Object(document) = to_document(object) else { panic!("an object") };
    document
}

/// With the passwords that never come out put in again.
fn with_secrets(
    kind: Kind,
    name: &str,
    mut document: Map<String, Value>,
    object: &Object,
) -> Map<String, Value> {
    match (kind, object) {
        (Kind::Agent, Object::Agent(agent)) if agent.credentials.is_some() => {
            document.insert("password".into(), json!(format!("pw: {name}")));
        }
        (Kind::Trunk, _) => {
            for (part, password) in
                [("digest", format!("pw: trunk/{name}")), ("outbound", format!("pw: out/{name}"))]
            {
                if let Some(login) = document.get_mut(part).filter(|login| login.get("user").is_some()) {
                    login["password"] = json!(password);
                }
            }
        }
        (Kind::Webhook, _) => drop(document.insert("secret".into(), json!(format!("pw: {name}")))),
        (Kind::Provider, Object::Provider(provider)) => {
            let secret = provider.client_secret.as_ref().map(|secret| json!(secret.0));
            document.insert("client-secret".into(), secret.unwrap_or(Value::Null));
        }
        (_, _) => {}
    }
    document
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_document_says_all_there_is(wanted in all()) {
        for (kind, name, object) in wanted.objects() {
            let said = document(&object);
            let text = Value::Object(said.clone()).to_string();
            prop_assert!(!text.contains("argon2id") && !text.contains("pw: "), "{}", text);
            let changes = from_document(&wanted, kind, name, &said, REALM, SEED);
            prop_assert_eq!(changes, Ok(vec![]), "{} {} as {}", kind, name, text);
            // Made anew from it, as far as a document goes.
            if kind == Kind::User {
                continue; // the same password has another hash
            }
            let mut without = wanted.clone();
            without.remove(kind, name);
            let said = with_secrets(kind, name, said, &object);
            let made = from_document(&without, kind, name, &said, REALM, SEED);
            let expected = if wanted.object(kind, name) == without.object(kind, name) {
                Ok(None)
            } else {
                Ok(Some(Changed::Added(object.clone())))
            };
            // Where others referred to it, they still do.
            let made = made.map(|changes| changes.into_iter().next().map(|change| change.what));
            prop_assert_eq!(made, expected, "{} {}", kind, name);
        }
    }

    #[test]
    fn no_document_panics_or_escapes_its_object(
        key in "[a-z\\-\"\\]\\[\n=.]{1,12}",
        text in "\\PC{0,20}|[\"'\\\\\u{0}-\u{1f}\u{7f}\n]{0,9}",
        depth in 0usize..200,
    ) {
        let mut value = json!(text);
        for _ in 0..depth {
            value = json!([value]);
        }
        for document in [json!({ &key: text }), json!({ "language": text }), json!({ "closed": value }), json!({ "hours": { &key: [text] } })] {
            let Value::Object(document) = document else { unreachable!() };
            if let Ok(changes) = from_document(&Settings::default(), Kind::Queue, "q", &document, REALM, SEED) {
                prop_assert!(changes.iter().all(|change| change.kind == Kind::Queue && change.name == "q"));
            }
        }
    }

    #[test]
    fn texts_come_through_as_they_are(text in "[^\\p{Z}\\p{C}]\\PC{0,20}[^\\p{Z}\\p{C}]") {
        let document = json!({ "display-name": text, "media": null });
        let Value::Object(document) = document else { unreachable!() };
        let changes = from_document(&Settings::default(), Kind::Agent, "ada", &document, REALM, SEED).expect("right");
        let Changed::Added(Object::Agent(ada)) = &changes[0].what else { panic!("an agent") };
        prop_assert_eq!(&ada.display_name.0, &text);
    }
}

fn refused(kind: Kind, name: &str, document: Value) -> Vec<(String, String)> {
    let Value::Object(document) = document else { panic!("an object") };
    let errors = from_document(&Settings::default(), kind, name, &document, REALM, SEED).expect_err("wrong");
    errors.into_iter().map(|error| (error.key, error.what)).collect()
}

#[test]
fn a_document_is_refused_as_the_apply_file_is() {
    let wrong = json!({
        "wrapup": "10s", "max-wait": 5, "priority": 300, "skills": [null],
        "consent": { "yes": "12" }, "overflow": { "queue": "nowhere" }
    });
    assert_eq!(
        refused(Kind::Queue, "q", wrong),
        [("skills".to_owned(), "has null in a list, where something is expected".to_owned())]
    );
    let wrong = json!({ "wrapup": "10s", "max-wait": 5, "consent": { "yes": "12" } });
    let keys: Vec<String> = refused(Kind::Queue, "q", wrong).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["consent.yes", "max-wait", "wrapup"]);
    let [(key, what)] = &refused(Kind::Queue, "q", json!({ "overflow": { "queue": "nowhere" } }))[..] else {
        panic!("one error")
    };
    assert_eq!(
        (key.as_str(), what.as_str()),
        ("overflow", "names the queue \"nowhere\", which does not exist; queues: q")
    );
    let [(key, what)] = &refused(Kind::Queue, "no name", json!({}))[..] else { panic!("one error") };
    assert!(key.is_empty() && what.starts_with("is no name"), "{key} {what}");
    assert_eq!(refused(Kind::System, "other", json!({})).len(), 1);
    let secret = refused(Kind::User, "ada", json!({ "role": "agent", "password": "hunter2" }));
    assert!(!secret.is_empty() && secret.iter().all(|(_, what)| !what.contains("hunter2")), "{secret:?}");
}

#[test]
fn a_new_password_is_what_the_system_asks_and_has_to_be_changed() {
    let mut stored = Settings::default();
    let passwords = PasswordRules { longer_than: 14, ..PasswordRules::default() };
    stored.system = Some(Arc::new(System { passwords, ..System::default() }));
    let put = |stored: &Settings, document: Value| {
        let Value::Object(document) = document else { panic!("an object") };
        from_document(stored, Kind::User, "ada", &document, REALM, SEED)
    };
    let errors =
        put(&stored, json!({ "role": "agent", "password": "correct horse" })).expect_err("too short");
    assert_eq!(errors[0].key, "password");
    assert_eq!(errors[0].what, "is too short: more than 14 characters are expected");
    let made = put(&stored, json!({ "role": "agent", "password": "correct horse battery" })).expect("right");
    stored.apply(&made);
    assert!(stored.users["ada"].must_change_password);
    // A password that stays may be made to be changed, and no longer.
    stored.apply(&put(&stored, json!({ "role": "agent", "must-change": false })).expect("right"));
    assert!(!stored.users["ada"].must_change_password);
    stored.apply(&put(&stored, json!({ "role": "agent", "must-change": true })).expect("right"));
    assert!(stored.users["ada"].must_change_password);
}

#[test]
fn what_others_refer_to_stays() {
    let text = "[queue.a]\n[queue.b]\noverflow = { queue = \"a\" }\n[number.100]\nqueue = \"a\"\n";
    let file = parse(text, "x", REALM).expect("right");
    let mut stored = Settings::default();
    let options = DiffOptions { prune: false, seed: SEED };
    stored.apply(&diff(&stored, &file, &options).expect("right"));
    let errors = without(&stored, Kind::Queue, "a").expect_err("b and a number");
    let keys: Vec<&str> = errors.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, ["number.100.queue", "queue.b.overflow"]);
    let changes = without(&stored, Kind::Queue, "b").expect("nothing refers to it");
    assert!(matches!(&changes[..], [Difference { what: Changed::Removed(_), .. }]));
    assert_eq!(without(&stored, Kind::Queue, "c"), Ok(vec![]));
}
