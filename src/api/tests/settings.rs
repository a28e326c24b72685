//! Settings by the API: documents, versions, who may change what, and two administrators at once.

mod care;

use super::*;
use crate::audit::Actor;
use crate::settings::{Kind, Language, Object, Spoken, User, Wording, verify_password};
use crate::store::VersionedSettings;

/// Roles of one's own beside the default ones, and who has them.
const PEOPLE: &str = r#"
[role.recorder]
rights = ["configure-recording"]
[role.queues]
rights = ["configure-queues"]
[role.clerks]
rights = ["manage-users"]
[role.wires]
rights = ["configure-trunks", "configure-agents", "configure-queues"]
[user.rec]
password = "correct horse"
must-change = false
role = "recorder"
[user.que]
password = "correct horse"
must-change = false
role = "queues"
[user.human]
password = "correct horse"
must-change = false
role = "clerks"
[user.local]
password = "correct horse"
must-change = false
role = "wires"
only-queues = ["support"]
"#;

async fn house() -> House {
    let house = House::new().await;
    house.apply(PEOPLE).await;
    house
}

impl Client {
    async fn put_as(&self, path: &str, version: &str, document: Value) -> Answer {
        self.versioned("PUT", path, &[("if-match", version)], Some(document)).await
    }

    async fn make(&self, path: &str, document: Value) -> Answer {
        self.versioned("PUT", path, &[("if-none-match", "*")], Some(document)).await
    }

    async fn remove(&self, path: &str, version: &str) -> Answer {
        self.versioned("DELETE", path, &[("if-match", version)], None).await
    }

    async fn versioned(
        &self,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        document: Option<Value>,
    ) -> Answer {
        let ours = [("x-sayso", "1"), ("content-type", "application/json")];
        let headers = [&ours[..], more].concat();
        self.send(method, &format!("/api/v1{path}"), &headers, document.map(|it| it.to_string())).await
    }
}

fn tag(answer: &Answer) -> String {
    answer.headers["etag"].clone()
}

/// Keys of the errors of a 422.
fn keys(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.problem(), (422, "bad-settings".into()), "{answer:?}");
    let json = answer.json();
    json["errors"].as_array().unwrap().iter().map(|error| error["key"].as_str().unwrap().to_owned()).collect()
}

async fn stored(house: &House) -> VersionedSettings {
    house.store.versioned_settings().await.unwrap()
}

async fn user(house: &House, name: &str) -> User {
    let Some(Object::User(user)) = stored(house).await.settings.object(Kind::User, name) else {
        panic!("no user {name}")
    };
    (*user).clone()
}

#[tokio::test]
async fn an_object_is_made_read_changed_and_removed() {
    let house = house().await;
    let boss = house.log_in("boss").await;
    assert_eq!(boss.get("/queues/tax").await.problem(), (404, "no-object".into()));
    let document = json!({ "language": "de", "hours": { "mon": ["08:00-12:00"] }, "wrap-up": null });
    let made = boss.make("/queues/tax", document.clone()).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.json()["hours"], json!({ "mon": ["08:00-12:00"] }));
    assert_eq!((&made.json()["wrap-up"], &made.json()["recording"]), (&json!("10s"), &json!("consent")));
    let read = boss.get("/queues/tax").await;
    assert_eq!((read.status, tag(&read), read.json()), (200, tag(&made), made.json()));
    assert_eq!(boss.make("/queues/tax", document).await.problem(), (412, "changed".into()));

    let mut wanted = read.json();
    wanted["wrap-up"] = json!("30s");
    let changed = boss.put_as("/queues/tax", &tag(&read), wanted.clone()).await;
    assert_eq!((changed.status, changed.json()["wrap-up"].clone()), (200, json!("30s")));
    assert_ne!(tag(&changed), tag(&made));
    let again = boss.put_as("/queues/tax", &tag(&changed), wanted).await;
    assert_eq!((again.status, tag(&again)), (200, tag(&changed)), "nothing to change");
    let rows = house.audit("queue.changed").await;
    let expected =
        (Class::Config, "user boss".to_owned(), "queue tax.wrap-up".to_owned(), Some("30s".to_owned()));
    assert_eq!(rows, [expected], "the audit log has the attribute");

    assert_eq!(boss.remove("/queues/tax", &tag(&made)).await.problem(), (412, "changed".into()));
    assert_eq!(boss.remove("/queues/tax", &tag(&changed)).await.status, 204);
    assert_eq!(boss.get("/queues/tax").await.status, 404);
    let anew = boss.make("/queues/tax", json!({})).await;
    assert!(![tag(&made), tag(&changed)].contains(&tag(&anew)), "a version never comes again");
    assert_eq!(boss.put_as("/queues/tax", &tag(&made), json!({})).await.problem(), (412, "changed".into()));
}

#[tokio::test]
async fn a_change_says_what_it_changes() {
    let house = house().await;
    let boss = house.log_in("boss").await;
    for (method, body) in [("PUT", Some(json!({}))), ("DELETE", None)] {
        let bare = boss.versioned(method, "/queues/support", &[], body.clone()).await;
        assert_eq!(bare.problem(), (428, "version-needed".into()));
        for wrong in ["\"7777\", x", "W/\"1\"", "1", "\"99999\"", "\"x\""] {
            let answer =
                boss.versioned(method, "/queues/support", &[("if-match", wrong)], body.clone()).await;
            assert_eq!(answer.problem().0, 412, "{method} {wrong}");
        }
        let both = [("if-match", "*"), ("if-none-match", "*")];
        assert_eq!(boss.versioned(method, "/queues/support", &both, body).await.status, 428);
    }
    assert_eq!(boss.put_as("/queues/nowhere", "*", json!({})).await.problem(), (412, "changed".into()));
    assert_eq!(boss.remove("/queues/nowhere", "*").await.problem(), (404, "no-object".into()));
    assert_eq!(boss.put_as("/queues/support", "*", json!([])).await.problem(), (400, "bad-request".into()));
}

#[tokio::test]
async fn all_that_is_wrong_is_told_and_nothing_is_stored() {
    let house = house().await;
    let boss = house.log_in("boss").await;
    let before = stored(&house).await.generation;
    let wrong = json!({ "max-wait": 5, "consent": { "yes": "12" }, "wrapup": "10s" });
    assert_eq!(
        keys(&boss.put_as("/queues/support", "*", wrong.clone()).await),
        ["consent.yes", "max-wait", "wrapup"]
    );
    let unknown = json!({ "queue": "nowhere" });
    assert_eq!(keys(&boss.make("/numbers/100", unknown).await), ["queue"]);
    assert_eq!(keys(&boss.make("/roles/agent", json!({ "rights": [] })).await), [""]);
    assert_eq!(keys(&boss.make("/roles/own", json!({ "rights": ["dpo"] })).await), ["rights"]);
    let refers = boss.remove("/queues/support", "*").await;
    assert_eq!(keys(&refers), ["agent.bob.queues", "user.local.only-queues"]);
    assert_eq!(stored(&house).await.generation, before);

    let check = async |body: Value| boss.post("/settings/check", body).await;
    let checked = check(json!({ "kind": "queues", "name": "support", "document": wrong })).await;
    let checked = checked.json()["errors"].as_array().unwrap().len();
    assert_eq!(checked, 3);
    let right = check(json!({ "kind": "system", "name": "sayso", "document": { "time-zone": "UTC" } })).await;
    assert_eq!(right.json(), json!({ "errors": [] }));
    assert_eq!(check(json!({ "kind": "cats", "name": "x", "document": {} })).await.problem().0, 422);
    let que = house.log_in("que").await;
    let users = json!({ "kind": "users", "name": "x", "document": {} });
    assert_eq!(que.post("/settings/check", users).await.problem(), (403, "no-right".into()));
}

#[tokio::test]
async fn two_administrators_cannot_overwrite_each_other() {
    let house = house().await;
    let (one, other) = (house.log_in("boss").await, house.log_in("boss").await);
    let read = one.get("/queues/sales").await;
    let with = |span: &str| {
        let mut document = read.json();
        document["wrap-up"] = json!(span);
        document
    };
    let version = tag(&read);
    let (first, second) = tokio::join!(
        one.put_as("/queues/sales", &version, with("11s")),
        other.put_as("/queues/sales", &version, with("22s"))
    );
    let mut both = [first.status, second.status];
    both.sort_unstable();
    assert_eq!(both, [200, 412], "{first:?} {second:?}");
    let (kept, lost) = if first.status == 200 { ("11s", "22s") } else { ("22s", "11s") };
    assert_eq!(one.get("/queues/sales").await.json()["wrap-up"], json!(kept));
    let again = other.get("/queues/sales").await;
    assert_eq!(other.put_as("/queues/sales", &tag(&again), with(lost)).await.status, 200);

    // Changes of different objects both come through, and neither leaves a reference to nothing.
    for n in 0..6 {
        let (queue, number) = (format!("/queues/q{n}"), format!("/numbers/10{n}"));
        let made = one.make(&queue, json!({})).await;
        let version = tag(&made);
        let (gone, leads) = tokio::join!(
            one.remove(&queue, &version),
            other.make(&number, json!({ "queue": format!("q{n}") }))
        );
        assert!(
            matches!((gone.status, leads.status), (204, 422) | (422, 201)),
            "one comes first: {gone:?} {leads:?}"
        );
    }
    let (a, b) = tokio::join!(one.make("/queues/x", json!({})), other.make("/queues/y", json!({})));
    assert_eq!((a.status, b.status), (201, 201));
}

#[tokio::test]
async fn lists_name_all_of_a_kind() {
    let house = house().await;
    let boss = house.log_in("boss").await;
    let page = boss.get("/queues?q=SUP").await.json();
    assert_eq!(page["next"], Value::Null);
    let [support] = &page["items"].as_array().unwrap()[..] else { panic!("{page}") };
    let read = boss.get("/queues/support").await;
    assert_eq!((&support["name"], &support["document"]), (&json!("support"), &read.json()));
    assert_eq!(format!("\"{}\"", support["version"].as_str().unwrap()), tag(&read));
    let table = boss.get("/queues?format=csv").await;
    assert_eq!(table.headers["content-type"], "text/csv; charset=utf-8; header=present");
    assert_eq!(boss.get("/queues?name=x").await.problem(), (400, "bad-request".into()));
    for kind in ["trunks", "numbers", "agents", "roles", "users", "webhooks", "providers"] {
        assert_eq!(boss.get(&format!("/{kind}")).await.status, 200, "{kind}");
    }
    let names = house.log_in("human").await.get("/users").await.body;
    assert!(names.contains("\"fresh\"") && !names.contains("argon2") && !names.contains("hash"), "{names}");
}

#[tokio::test]
async fn secrets_go_in_and_never_come_out() {
    let house = house().await;
    let boss = house.log_in("boss").await;
    let documents = [
        ("/webhooks/crm", json!({ "url": "https://crm.example", "secret": "s3cret-a" })),
        (
            "/providers/idp",
            json!({ "issuer": "https://id.example", "client-id": "us", "client-secret": "s3cret-b" }),
        ),
        ("/agents/dora", json!({ "password": "s3cret-c" })),
        ("/trunks/pbx", json!({ "digest": { "user": "pbx", "password": "s3cret-d" } })),
        (
            "/trunks/world",
            json!({ "outbound": { "server": "sip:w.example", "user": "us", "password": "s3cret-e", "prefixes": ["+1"] } }),
        ),
    ];
    for (path, document) in documents {
        let made = boss.make(path, document).await;
        assert!(made.status == 201 && !made.body.contains("s3cret"), "{path}: {made:?}");
        let same = boss.put_as(path, &tag(&made), made.json()).await;
        assert_eq!((same.status, tag(&same)), (200, tag(&made)), "without them nothing changes");
    }
    let all = stored(&house).await.settings;
    assert_eq!(all.webhooks["crm"].secret.0, "s3cret-a");
    assert_eq!(
        all.trunks[&"world".into()].outbound.as_ref().unwrap().login.as_ref().unwrap().password.0,
        "s3cret-e"
    );
    let log = format!("{:?}", house.store.audit(&AuditFilter::default()).await.unwrap());
    assert!(!log.contains("s3cret"), "nor are they in the audit log");
}

#[tokio::test]
async fn a_queue_s_parts_are_two_rights() {
    let house = house().await;
    let (rec, que) = (house.log_in("rec").await, house.log_in("que").await);
    let with = async |who: &Client, key: &str, value: Value| {
        let read = who.get("/queues/sales").await;
        let mut document = read.json();
        // A script goes with asking.
        if value == json!("never") && key == "recording" {
            document.as_object_mut().unwrap().remove("consent");
        }
        document[key] = value;
        who.put_as("/queues/sales", &tag(&read), document).await
    };
    let recording = [
        ("recording", json!("never")),
        ("override-allowed", json!(true)),
        ("pause-limit", json!("1m")),
        ("destroy-on-withdrawal", json!(false)),
        ("on-recording-failure", json!("drop-call")),
        ("retention", json!("90d")),
        ("file-removal", json!("30d")),
    ];
    for (key, value) in recording {
        assert_eq!(with(&que, key, value.clone()).await.problem(), (403, "no-right".into()), "{key}");
        assert_eq!(with(&rec, key, value).await.status, 200, "{key}");
    }
    let serving = [
        ("language", json!("de")),
        ("strategy", json!("ring-all")),
        ("skills", json!(["tax"])),
        ("priority", json!(3)),
        ("ring-timeout", json!("9s")),
        ("wrap-up", json!("9s")),
        ("max-wait", json!("9s")),
        ("overflow", json!({ "queue": "support" })),
        ("hours", json!({ "mon": [] })),
        ("closed", json!(["2026-12-25"])),
        ("when-closed", json!({ "queue": "support" })),
        ("position-every", json!("never")),
        ("service-seconds", json!(9)),
    ];
    for (key, value) in serving {
        assert_eq!(with(&rec, key, value.clone()).await.problem(), (403, "no-right".into()), "{key}");
        assert_eq!(with(&que, key, value).await.status, 200, "{key}");
    }
    assert_eq!(rec.make("/queues/new", json!({})).await.problem(), (403, "no-right".into()));
    assert_eq!(que.make("/queues/new", json!({})).await.status, 201);
    assert_eq!(que.make("/queues/more", json!({ "recording": "never" })).await.problem().0, 403);
    assert_eq!(rec.remove("/queues/new", "*").await.problem().0, 403);
    assert_eq!(que.remove("/queues/new", "*").await.status, 204);

    let kept = json!({ "retention-recordings": "90d" });
    assert_eq!(que.get("/system").await.problem().0, 403);
    let first = rec.get("/system").await;
    assert_eq!((tag(&first), first.json()["time-zone"].clone()), ("\"0\"".to_owned(), json!("UTC")));
    assert_eq!(rec.put_as("/system", "\"0\"", kept).await.status, 200);
    let zone = json!({ "retention-recordings": "90d", "time-zone": "Europe/Vienna" });
    assert_eq!(rec.put_as("/system", "*", zone.clone()).await.problem().0, 403);
    assert_eq!(house.log_in("boss").await.put_as("/system", "*", zone).await.status, 200);
}

#[tokio::test]
async fn nobody_gets_rights_from_who_may_not_grant_them() {
    let house = house().await;
    let (boss, human) = (house.log_in("boss").await, house.log_in("human").await);
    let with = async |who: &Client, name: &str, set: Value| {
        let path = format!("/users/{name}");
        let read = who.get(&path).await;
        let mut document = read.json();
        document.as_object_mut().unwrap().extend(set.as_object().unwrap().clone());
        who.put_as(&path, &tag(&read), document).await
    };
    // Who manages users only: names and passwords of those who have no more rights.
    assert_eq!(
        human.make("/users/new", json!({ "role": "agent", "password": PASSWORD })).await.problem().0,
        403
    );
    assert_eq!(
        human.make("/users/new", json!({ "role": "superuser", "password": PASSWORD })).await.problem().0,
        403
    );
    for set in [json!({ "role": "superuser" }), json!({ "grants": ["dpo"] }), json!({ "only-queues": [] })] {
        assert_eq!(with(&human, "human", set.clone()).await.problem().0, 403, "oneself: {set}");
        assert_eq!(with(&human, "bob", set.clone()).await.problem().0, 403, "{set}");
    }
    let taken = with(&human, "boss", json!({ "password": "another horse" })).await;
    assert_eq!(taken.problem(), (403, "no-right".into()), "who logs in as the boss is the boss");
    assert!(verify_password(&user(&house, "boss").await.password_hash, PASSWORD));
    assert_eq!(with(&human, "human", json!({ "display-name": "H." })).await.status, 200);

    // A superuser: others, and not oneself.
    for set in
        [json!({ "role": "agent" }), json!({ "grants": ["dpo"] }), json!({ "only-queues": ["support"] })]
    {
        assert_eq!(with(&boss, "boss", set.clone()).await.problem().0, 403, "oneself: {set}");
    }
    assert_eq!(with(&boss, "lead", json!({ "grants": ["dpo"], "role": "clerks" })).await.status, 200);
    let lead = user(&house, "lead").await;
    assert_eq!((lead.custom_role.as_deref(), lead.grants.len()), (Some("clerks"), 1));
    let rows = house.audit("user.changed").await;
    assert!(rows.iter().any(|(class, who, what, new)| {
        (*class, who.as_str(), what.as_str()) == (Class::Rights, "user boss", "user lead.grants")
            && new.as_deref() == Some("dpo")
    }));
    assert_eq!(boss.remove("/users/boss", "*").await.problem(), (409, "refused".into()));
    assert_eq!(boss.remove("/users/clerk", "*").await.status, 204);
    let reset = with(&boss, "bob", json!({ "password": "a new horse", "must-change": null })).await;
    assert_eq!((reset.status, reset.json()["must-change"].clone()), (200, json!(true)));
    assert!(verify_password(&user(&house, "bob").await.password_hash, "a new horse"));
}

#[tokio::test]
async fn somebody_is_left_who_grants_rights() {
    let house = house().await;
    house.apply("[role.chief]\nrights = [\"manage-roles\", \"manage-users\"]\n[user.chief]\npassword = \"correct horse\"\nmust-change = false\nrole = \"chief\"\n").await;
    let chief = house.log_in("chief").await;
    for name in ["boss", "fresh"] {
        assert_eq!(chief.remove(&format!("/users/{name}"), "*").await.status, 204, "{name}");
    }
    let weaker = json!({ "rights": ["manage-users"] });
    assert_eq!(chief.put_as("/roles/chief", "*", weaker).await.problem(), (409, "refused".into()));
    let more = json!({ "rights": ["manage-roles", "manage-users", "manage-vault"] });
    assert_eq!(
        chief.put_as("/roles/chief", "*", more).await.problem(),
        (403, "no-right".into()),
        "one's own"
    );
    assert_eq!(keys(&chief.remove("/roles/chief", "*").await), ["user.chief.role"]);
}

#[tokio::test]
async fn rights_that_hold_for_one_queue_end_there() {
    let house = house().await;
    let (local, boss) = (house.log_in("local").await, house.log_in("boss").await);
    boss.make("/numbers/100", json!({ "queue": "sales" })).await;
    assert_eq!(local.get("/queues").await.json()["items"].as_array().unwrap().len(), 1);
    assert_eq!(local.get("/numbers").await.json()["items"], json!([]));
    for path in ["/queues/sales", "/numbers/100"] {
        assert_eq!(local.get(path).await.problem(), (404, "no-object".into()), "{path}");
        assert_eq!(local.put_as(path, "*", json!({ "queue": "support" })).await.problem().0, 404, "{path}");
        assert_eq!(local.remove(path, "*").await.problem().0, 404, "{path}");
    }
    assert_eq!(local.make("/queues/own", json!({})).await.problem().0, 403);
    assert_eq!(local.make("/numbers/101", json!({ "queue": "sales" })).await.problem().0, 403);
    assert_eq!(local.make("/numbers/101", json!({ "queue": "support" })).await.status, 201);
    assert_eq!(local.put_as("/agents/carol", "*", json!({ "queues": ["support"] })).await.problem().0, 403);
    assert_eq!(
        local.put_as("/agents/bob", "*", json!({ "queues": ["support", "sales"] })).await.problem().0,
        403
    );
    assert_eq!(local.put_as("/agents/bob", "*", json!({ "queues": ["support"] })).await.status, 200);
    assert_eq!(local.post("/queues/sales/preview", json!({})).await.problem().0, 404);
    assert_eq!(local.put_as("/queues/support", "*", json!({ "wrap-up": "9s" })).await.status, 200);
}

#[tokio::test]
async fn a_policy_is_told_and_linted_before_it_is_stored() {
    let house = house().await;
    let rec = house.log_in("rec").await;
    let before = stored(&house).await.generation;
    let question = "May we record this call, for training? It is deleted after 30 days, and a yes can be taken back. \
                    Press 1 for yes, 2 for no, or hang up.";
    let spoken =
        |text: &str| Spoken { text: Some(text.into()), version: "ab".repeat(32), ..Spoken::default() };
    house.heard().wording = Some(Wording {
        language: Language("en".into()),
        welcome: spoken("Hello."),
        question: spoken(question),
        refused: spoken("All right."),
    });
    let document = json!({ "file-removal": "90d", "pause-limit": "2m", "consent": { "timeout": "1s" } });
    let preview = rec.post("/queues/support/preview", document.clone()).await;
    assert_eq!(preview.status, 200, "{preview:?}");
    let json = preview.json();
    let sentence = json["sentence"].as_str().unwrap();
    assert!(
        sentence.starts_with("Callers of support are asked each time; yes: recorded, kept 90 days, removed "),
        "{sentence}"
    );
    let rules: Vec<&str> =
        json["findings"].as_array().unwrap().iter().map(|it| it["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["short-timeout", "refusal-ends-call", "other-retention"], "{json}");
    assert_eq!(json["findings"][0]["level"], "stop");
    assert_eq!(json["findings"][0]["where"], "consent.timeout");
    assert_eq!(stored(&house).await.generation, before, "nothing is stored");
    assert_eq!(rec.post("/queues/new-one/preview", document).await.status, 200, "the name may be new");
    assert_eq!(
        keys(&rec.post("/queues/support/preview", json!({ "retention": "soon" })).await),
        ["retention"]
    );

    // Callers who answered another wording, and whose answers are used.
    let asks = json!({ "file-removal": "90d", "pause-limit": "2m", "consent": { "ask": "older-than 365d" } });
    let rules = async || {
        let json = rec.post("/queues/support/preview", asks.clone()).await.json();
        json["findings"].to_string()
    };
    assert!(!rules().await.contains("changed-wording"));
    house.answered("cd").await;
    assert!(rules().await.contains("changed-wording"));
}

impl House {
    /// A caller of `support` has answered a question of another wording.
    async fn answered(&self, version: &str) {
        use crate::call::Fact;
        use crate::consent::{Answer, Answered};
        let call = id(7);
        let arrived = Fact::Arrived {
            call,
            at: START,
            from: None,
            dialled: "100".into(),
            trunk: None,
            queue: "support".into(),
            language: Language("en".into()),
        };
        let answered = Answered {
            answer: Answer::Silence,
            at: START,
            question_sha256: version.repeat(32),
            language: Language("en".into()),
        };
        let answered = Fact::ConsentAnswered { call, from: None, queue: "support".into(), answered };
        self.store.commit(vec![Change::Fact(arrived), Change::Fact(answered)]).await.unwrap();
    }
}

#[tokio::test]
async fn the_fixed_roles_and_all_rights_are_told() {
    let house = house().await;
    let roles = house.log_in("boss").await.get("/default-roles").await.json();
    assert_eq!(roles["roles"].as_array().unwrap().len(), 8);
    assert_eq!(roles["roles"][2], json!({ "name": "agent", "rights": ["take-calls", "override"] }));
    let rights = roles["rights"].as_array().unwrap();
    assert_eq!(rights.len(), crate::access::Right::ALL.len());
    let special: Vec<&Value> =
        rights.iter().filter(|it| it["special"] == json!(true)).map(|it| &it["right"]).collect();
    assert_eq!(special, ["dpo", "customer-consent"]);
    assert_eq!(house.log_in("clerk").await.get("/default-roles").await.problem().0, 403);
}

/// What the server itself changes is compared as well: a unit of work made from older settings is not stored.
#[tokio::test]
async fn what_was_made_from_older_settings_is_not_stored() {
    let house = house().await;
    let old = stored(&house).await;
    house.apply("[queue.later]\n").await;
    let differences = crate::settings::without(&old.settings, Kind::Queue, "nothing").unwrap();
    assert!(differences.is_empty());
    let document = serde_json::Map::new();
    let made =
        crate::settings::from_document(&old.settings, Kind::Queue, "mine", &document, "sayso", [7; 32]);
    let who = Actor::User("ada".into());
    let change = |generation| Change::SettingsSince {
        generation,
        differences: made.clone().unwrap(),
        who: who.clone(),
    };
    let refused = house.store.commit(vec![change(old.generation)]).await;
    assert!(matches!(refused, Err(crate::store::StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(stored(&house).await.settings.object(Kind::Queue, "mine"), None);
    house.store.commit(vec![change(old.generation + 1)]).await.unwrap();
    let now = stored(&house).await;
    assert_eq!(now.versions[&(Kind::Queue, "mine".to_owned())], now.generation);
}
