//! Rules from the settings, second factors, others' log-ins, tokens.

mod care;

use totp_rs::{Builder, Secret};

use super::*;

const DAY: Duration = Duration::from_secs(86_400);
const STEP: Duration = Duration::from_secs(30);

/// The code of a device with this secret, so long after the start.
fn code(secret: &str, passed: Duration) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    let at = START + passed;
    let seconds = u64::try_from(at.as_micros() / 1_000_000).unwrap();
    Builder::new().with_secret(secret).build_noncompliant().generate(seconds).to_string()
}

async fn log_in(house: &House, user: &str, code: &str) -> Answer {
    house.stranger().post("/session", json!({ "user": user, "password": PASSWORD, "code": code })).await
}

/// Adds a second factor: its secret and the recovery codes.
async fn add_factor(client: &Client, passed: Duration) -> (String, Vec<String>) {
    let begun = client.post("/session/second-factor", json!({ "password": PASSWORD })).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    let secret = begun.json()["secret"].as_str().unwrap().to_owned();
    assert!(begun.json()["uri"].as_str().unwrap().contains(&format!("?secret={secret}&")));
    let body = json!({ "code": code(&secret, passed) });
    let added = client.ours("PUT", "/session/second-factor", Some(body)).await;
    assert_eq!(added.status, 200, "{added:?}");
    let codes =
        added.json()["codes"].as_array().unwrap().iter().map(|c| c.as_str().unwrap().into()).collect();
    (secret, codes)
}

#[tokio::test]
async fn rules_come_from_the_settings() {
    let house = House::new().await;
    house
        .apply(
            "[system.sayso]\npassword-longer-than = 12\nlock-after = 2\nlock-for = \"5m\"\n\
             session-idle = \"10m\"\nsession-absolute = \"15m\"\n",
        )
        .await;
    assert_eq!(house.stranger().get("/sign-on").await.json()["passwordLongerThan"], 12);
    let minute = Duration::from_secs(60);
    let carol = house.log_in("carol").await;
    let change = json!({ "old": PASSWORD, "new": "x".repeat(12) });
    let answer = carol.ours("PUT", "/session/password", Some(change)).await;
    assert_eq!(answer.problem(), (422, "too-short".into()));
    for _ in 0..2 {
        assert_eq!(house.stranger().try_log_in("bob", "wrong horse").await.status, 401);
    }
    assert_eq!(house.stranger().try_log_in("bob", PASSWORD).await.problem(), (423, "locked".into()));
    house.pass(minute * 5);
    let bob = house.log_in("bob").await;
    house.pass(minute * 9);
    assert_eq!(bob.get("/session").await.status, 200);
    house.store.commit(vec![]).await.unwrap();
    assert_eq!(carol.get("/session").await.status, 401, "unused for 14 minutes");
    house.pass(minute * 6);
    assert_eq!(bob.get("/session").await.status, 401, "15 minutes old");
}

#[tokio::test]
async fn earlier_passwords_are_not_taken_again() {
    let house = House::new().await;
    house.apply("[system.sayso]\npassword-history = 2\n").await;
    let bob = house.log_in("bob").await;
    let change = async |old: &str, new: &str| {
        let body = json!({ "old": old, "new": new });
        bob.ours("PUT", "/session/password", Some(body)).await
    };
    for (old, new) in [(PASSWORD, "password one"), ("password one", "password two")] {
        assert_eq!(change(old, new).await.status, 204);
    }
    let used = (422, "used-before".to_owned());
    assert_eq!(change("password two", "password two").await.problem(), used);
    assert_eq!(change("password two", "password one").await.problem(), used, "the last but one");
    assert_eq!(change("password two", "password six").await.status, 204);
    assert_eq!(change("password six", "password one").await.status, 204, "the last but two may come back");
    let hashes = house.select("SELECT hash FROM passwords WHERE name = 'bob'").await;
    assert!(hashes.len() == 5 && hashes.iter().all(|hash| hash.starts_with("$argon2id$")), "{hashes:?}");
}

#[tokio::test]
async fn an_expired_password_is_changed_at_the_next_log_in() {
    let house = House::new().await;
    house
        .apply(
            "[system.sayso]\npassword-expires = \"2d\"\nsession-idle = \"3d\"\nsession-absolute = \"3d\"\n",
        )
        .await;
    house.execute(&format!("UPDATE passwords SET at = {}", START.as_micros())).await;
    let bob = house.log_in("bob").await;
    let until = (START + DAY * 2).to_rfc3339();
    assert_eq!(bob.get("/session").await.json()["passwordExpiresAt"], until);
    house.pass(DAY * 2);
    assert_eq!(bob.get("/session").await.json()["mustChangePassword"], false, "it goes on to its end");
    let bob = house.log_in("bob").await;
    assert_eq!(bob.get("/session").await.json()["mustChangePassword"], true);
    assert_eq!(bob.get("/directory").await.problem(), (403, "change-password-first".into()));
    let change = json!({ "old": PASSWORD, "new": "battery staple" });
    assert_eq!(bob.ours("PUT", "/session/password", Some(change)).await.status, 204);
    assert_eq!(bob.get("/directory").await.status, 200);
}

#[tokio::test]
async fn a_second_factor_is_asked_once_it_was_seen_and_each_code_is_good_once() {
    let house = House::new().await;
    let bob = house.log_in("bob").await;
    let add =
        async |code: &str| bob.ours("PUT", "/session/second-factor", Some(json!({ "code": code }))).await;
    assert_eq!(add("123456").await.problem(), (409, "not-begun".into()));
    let first = bob.post("/session/second-factor", json!({ "password": PASSWORD })).await.json();
    house.log_in("bob").await; // it does not count before a code of it was seen
    let (secret, _) = add_factor(&bob, Duration::ZERO).await;
    assert_ne!(first["secret"], secret, "the one begun before is forgotten");
    assert_eq!(
        bob.post("/session/second-factor", json!({ "password": PASSWORD })).await.problem(),
        (409, "has-one".into())
    );
    assert_eq!(add("123456").await.problem(), (409, "has-one".into()));
    assert_eq!(bob.get("/session").await.json()["secondFactor"], true);

    let plain = house.stranger().try_log_in("bob", PASSWORD).await;
    assert_eq!(plain.problem(), (401, "code-needed".into()));
    assert_eq!(house.stranger().try_log_in("bob", "wrong horse").await.problem(), (401, "wrong".into()));
    let now = code(&secret, Duration::ZERO);
    assert_eq!(
        log_in(&house, "bob", &now).await.problem(),
        (401, "wrong-code".into()),
        "it was used already"
    );
    let next = code(&secret, STEP);
    assert_eq!(log_in(&house, "bob", &next).await.status, 200, "a step ahead");
    assert_eq!(log_in(&house, "bob", &next).await.problem(), (401, "wrong-code".into()));
    house.pass(STEP * 2);
    let third = code(&secret, STEP * 2);
    let both = [log_in(&house, "bob", &third), log_in(&house, "bob", &third)];
    let statuses: Vec<u16> = futures_util::future::join_all(both).await.iter().map(|it| it.status).collect();
    assert!(statuses.contains(&200) && statuses.contains(&401), "one of two at once: {statuses:?}");

    let stored = house.select("SELECT secret FROM second_factors").await;
    assert!(stored.len() == 1 && !stored[0].contains(&secret), "sealed");
    let row = |new: Option<&str>| {
        (Class::Rights, "user bob".to_owned(), "user bob.second-factor".to_owned(), new.map(str::to_owned))
    };
    assert_eq!(house.audit("user.second-factor-added").await, [row(Some("totp"))]);
    let failed = house.audit("user.login-failed").await;
    assert_eq!(failed.iter().filter(|row| row.3.as_deref() == Some("wrong code")).count(), 3);
    let all = format!("{:?}", house.store.audit(&AuditFilter::default()).await.unwrap());
    assert!(!all.contains(&secret) && !all.contains(&next));

    house.pass(STEP * 2);
    let remove = async |password: &str| {
        bob.ours("DELETE", "/session/second-factor", Some(json!({ "password": password }))).await
    };
    assert_eq!(remove("wrong horse").await.problem(), (422, "wrong-password".into()));
    assert_eq!(remove(PASSWORD).await.status, 204);
    assert_eq!(house.audit("user.second-factor-removed").await, [row(None)]);
    house.log_in("bob").await;
}

#[tokio::test]
async fn wrong_codes_lock_as_wrong_passwords_do() {
    let house = House::new().await;
    let bob = house.log_in("bob").await;
    let (secret, codes) = add_factor(&bob, Duration::ZERO).await;
    for n in 0..5 {
        let wrong = if n % 2 == 0 { "000000" } else { "aaaa-aaaa-aaaa-aaaa" };
        assert_eq!(log_in(&house, "bob", wrong).await.problem(), (401, "wrong-code".into()), "{n}");
    }
    assert_eq!(log_in(&house, "bob", &code(&secret, STEP)).await.problem(), (423, "locked".into()));
    assert_eq!(log_in(&house, "bob", &codes[0]).await.problem(), (423, "locked".into()));
    assert_eq!(house.audit("user.locked").await.len(), 1);
}

#[tokio::test]
async fn recovery_codes_let_in_once_each() {
    let house = House::new().await;
    let bob = house.log_in("bob").await;
    let (_, codes) = add_factor(&bob, Duration::ZERO).await;
    assert_eq!(codes.len(), 10);
    assert_eq!(log_in(&house, "bob", &codes[3].to_uppercase()).await.status, 200);
    assert_eq!(log_in(&house, "bob", &codes[3]).await.problem(), (401, "wrong-code".into()));
    assert_eq!(log_in(&house, "bob", &codes[4].replace('-', " ")).await.status, 200);
    let used = house.audit("user.recovery-code-used").await;
    assert_eq!(used, vec![(Class::Rights, "user bob".to_owned(), "user bob".to_owned(), None); 2]);
    let stored = house.select("SELECT hash FROM recovery_codes").await;
    assert!(stored.len() == 10 && stored.iter().all(|hash| hash.len() == 64 && !codes.contains(hash)));
    // Another's code is none.
    let carol = house.log_in("carol").await;
    add_factor(&carol, Duration::ZERO).await;
    assert_eq!(log_in(&house, "carol", &codes[5]).await.problem(), (401, "wrong-code".into()));
}

#[tokio::test]
async fn where_a_second_factor_is_required_nothing_is_done_before() {
    let house = House::new().await;
    house.apply("[system.sayso]\nsecond-factor = \"required\"\n").await;
    let bob = house.log_in("bob").await;
    assert_eq!(bob.get("/session").await.json()["mustAddSecondFactor"], true);
    assert_eq!(bob.get("/directory").await.problem(), (403, "add-second-factor-first".into()));
    assert_eq!(bob.get("/events").await.problem(), (403, "add-second-factor-first".into()));
    add_factor(&bob, Duration::ZERO).await;
    assert_eq!(bob.get("/session").await.json()["mustAddSecondFactor"], false);
    assert_eq!(bob.get("/directory").await.status, 200);
    let fresh = house.log_in("fresh").await.get("/session").await.json();
    assert_eq!((&fresh["mustChangePassword"], &fresh["mustAddSecondFactor"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn own_sessions_are_listed_and_ended() {
    let house = House::new().await;
    let (here, there) = (house.log_in("bob").await, house.log_in("bob").await);
    house.log_in("carol").await;
    let list = here.get("/session/list").await.json();
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 2);
    let other = list.iter().find(|it| it["current"] == false).unwrap();
    assert_eq!((&other["by"], &other["createdAt"]), (&json!("password"), &json!(START.to_rfc3339())));
    let id = other["id"].as_str().unwrap();
    let mut stream = there.events().await;
    stream.expect("snapshot").await;
    assert_eq!(here.ours("DELETE", &format!("/session/list/{id}"), None).await.status, 204);
    stream.expect("logged-out").await;
    assert_eq!((there.get("/session").await.status, here.get("/session").await.status), (401, 200));
    for gone in [id, "", "0"] {
        let answer = here.ours("DELETE", &format!("/session/list/{gone}"), None).await;
        assert_eq!(answer.status, 404, "{gone}");
    }
    assert_eq!(house.audit("user.session-ended").await.len(), 1);
}

#[tokio::test]
async fn who_manages_users_helps_who_cannot_log_in() {
    let house = House::new().await;
    house.apply("[user.helper]\npassword = \"correct horse\"\nmust-change = false\nrole = \"reporting\"\ngrants = [\"manage-users\", \"take-calls\", \"override\"]\n").await;
    let helper = house.log_in("helper").await;
    let bob = house.log_in("bob").await;
    add_factor(&bob, Duration::ZERO).await;
    for _ in 0..5 {
        house.stranger().try_log_in("bob", "wrong horse").await;
    }
    let state = helper.get("/users/bob/state").await.json();
    let locked = (START + Duration::from_secs(1_800)).to_rfc3339();
    let expected = json!({
        "lockedUntil": locked, "failures": 5, "sessions": 1, "secondFactor": true, "lastLogIn": START.to_rfc3339(),
    });
    assert_eq!(state, expected);
    assert_eq!(helper.post("/users/bob/unlock", json!({})).await.status, 204);
    assert_eq!(helper.get("/users/bob/state").await.json()["lockedUntil"], Value::Null);
    let mut stream = bob.events().await;
    stream.expect("snapshot").await;
    assert_eq!(helper.ours("DELETE", "/users/bob/sessions", None).await.status, 204);
    stream.expect("logged-out").await;
    assert_eq!(bob.get("/session").await.status, 401);
    // The boss may more than the helper: it takes somebody with as many rights, and queues.
    house.apply("[user.local]\npassword = \"correct horse\"\nmust-change = false\nrole = \"superuser\"\nonly-queues = [\"support\"]\n").await;
    let local = house.log_in("local").await;
    for (who, whom) in [(&helper, "boss"), (&local, "boss"), (&local, "bob")] {
        for (method, path) in [("POST", "unlock"), ("DELETE", "sessions"), ("DELETE", "second-factor")] {
            let answer = who.ours(method, &format!("/users/{whom}/{path}"), None).await;
            assert_eq!(answer.problem(), (403, "no-right".into()), "{method} {whom} {path}");
        }
    }
    let boss = house.log_in("boss").await;
    let own = boss.ours("DELETE", "/users/boss/second-factor", None).await;
    assert_eq!(own.problem(), (403, "no-right".into()), "that takes the password");
    assert_eq!(boss.ours("DELETE", "/users/bob/second-factor", None).await.status, 204);
    house.log_in("bob").await;
    for (method, path) in
        [("GET", "state"), ("POST", "unlock"), ("DELETE", "sessions"), ("DELETE", "second-factor")]
    {
        for nobody in ["nobody", "bo%00b"] {
            let answer = boss.ours(method, &format!("/users/{nobody}/{path}"), None).await;
            assert_eq!(answer.problem(), (404, "no-user".into()), "{method} {nobody} {path}");
        }
    }
    let row = |who: &str, what: &str, new: Option<&str>| {
        (Class::Rights, format!("user {who}"), format!("user bob.{what}"), new.map(str::to_owned))
    };
    assert_eq!(house.audit("user.unlocked").await, [row("helper", "failures", Some("0"))]);
    assert_eq!(house.audit("user.sessions-ended").await, [row("helper", "sessions", Some("0"))]);
    assert_eq!(house.audit("user.second-factor-removed").await, [row("boss", "second-factor", None)]);
}

/// A machine with this token.
struct Machine<'h>(&'h House, String);

impl Machine<'_> {
    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let bearer = format!("Bearer {}", self.1);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let path = format!("/api/v1{path}");
        self.0.stranger().send(method, &path, &headers, body.map(|body| body.to_string())).await
    }
}

async fn token<'h>(house: &'h House, boss: &Client, rights: &[&str]) -> (Machine<'h>, String) {
    let body = json!({ "name": "grafana", "rights": rights, "days": 30, "password": PASSWORD });
    let made = boss.post("/tokens", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    let secret = made["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("sayso_") && secret.len() == 6 + 43, "{secret}");
    (Machine(house, secret), made["token"]["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_token_opens_what_its_rights_open_and_nothing_of_people() {
    let (house, _kept) = House::kept(false).await;
    let boss = house.log_in("boss").await;
    let (machine, id) = token(
        &house,
        &boss,
        &["take-calls", "override", "manage-vault", "view-listening-logs", "manage-users"],
    )
    .await;
    assert_eq!(machine.ask("GET", "/listening-log", None).await.status, 200);
    assert_eq!(machine.ask("POST", "/users/bob/unlock", None).await.status, 204, "no X-Sayso is asked");
    for path in
        ["/session", "/session/list", "/events", "/my/calls", "/my/listening-log", "/presence/reasons"]
    {
        assert_eq!(machine.ask("GET", path, None).await.problem(), (403, "no-right".into()), "{path}");
    }
    assert_eq!(machine.ask("POST", "/phone", None).await.problem(), (403, "no-right".into()));
    assert_eq!(
        machine.ask("GET", "/tokens", None).await.problem(),
        (403, "no-right".into()),
        "not in its scopes"
    );
    house.pass(Duration::from_secs(30));
    machine.ask("GET", "/jobs", None).await;
    // Nobody waits for its use being written but this.
    house.store.commit(vec![]).await.unwrap();
    let listed = boss.get("/tokens").await.json();
    let expected = json!({
        "id": id, "name": "grafana", "by": "boss",
        "rights": ["take-calls", "override", "view-listening-logs", "manage-vault", "manage-users"],
        "createdAt": START.to_rfc3339(), "expiresAt": (START + DAY * 30).to_rfc3339(),
        "usedAt": START.to_rfc3339(), "revokedAt": null,
    });
    assert_eq!(listed["items"], json!([expected]), "its use is told to the minute");
    let stored = house.select("SELECT hash FROM tokens").await;
    assert!(!stored[0].contains(&machine.1[6..]));
    for wrong in ["", "sayso_", "sayso_AAAA", &machine.1[..40]] {
        let machine = Machine(&house, wrong.to_owned());
        assert_eq!(
            machine.ask("GET", "/jobs", None).await.problem(),
            (401, "not-logged-in".into()),
            "{wrong}"
        );
    }
    // Who brings a token is judged by it alone.
    let bearer = "Bearer sayso_AAAA";
    let both = boss.send("GET", "/api/v1/jobs", &[("authorization", bearer)], None).await;
    assert_eq!(both.status, 401);
}

#[tokio::test]
async fn a_token_ends_and_loses_what_its_maker_loses() {
    let (house, _kept) = House::kept(false).await;
    let boss = house.log_in("boss").await;
    let (machine, id) = token(&house, &boss, &["manage-vault", "view-listening-logs"]).await;
    let (other, _) = token(&house, &boss, &["manage-vault"]).await;
    house.apply("[user.boss]\nrole = \"recording-administrator\"\nonly-queues = [\"support\"]\n").await;
    assert_eq!(machine.ask("GET", "/jobs", None).await.status, 200);
    house.apply("[user.boss]\nrole = \"reporting\"\n").await;
    assert_eq!(machine.ask("GET", "/jobs", None).await.problem(), (403, "no-right".into()));
    house.apply("[user.boss]\nrole = \"superuser\"\n").await;
    assert_eq!(machine.ask("GET", "/jobs", None).await.status, 200);
    assert_eq!(boss.ours("DELETE", &format!("/tokens/{id}"), None).await.status, 204);
    assert_eq!(machine.ask("GET", "/jobs", None).await.status, 401, "revoked");
    assert_eq!(boss.ours("DELETE", &format!("/tokens/{id}"), None).await.status, 204, "it is what was asked");
    for nothing in ["nothing", "a%00b"] {
        let none = boss.ours("DELETE", &format!("/tokens/{nothing}"), None).await;
        assert_eq!(none.problem(), (404, "no-token".into()), "{nothing}");
    }
    house.pass(DAY * 30 - Duration::from_secs(1));
    assert_eq!(other.ask("GET", "/jobs", None).await.status, 200);
    house.pass(Duration::from_secs(1));
    assert_eq!(other.ask("GET", "/jobs", None).await.status, 401, "30 days");
    let row = (Class::Rights, "user boss".to_owned(), format!("token {id}"), None);
    assert_eq!(house.audit("token.revoked").await, [row]);
}

#[tokio::test]
async fn a_token_carries_only_what_a_machine_may() {
    let house = House::new().await;
    let boss = house.log_in("boss").await;
    let make = async |name: &str, rights: &[&str], days: u16| {
        let body = json!({ "name": name, "rights": rights, "days": days, "password": PASSWORD });
        boss.post("/tokens", body).await.problem()
    };
    for right in ["manage-roles", "dpo", "customer-consent"] {
        assert_eq!(make("x", &[right], 1).await, (422, "bad-rights".into()), "{right}");
    }
    assert_eq!(make("x", &[], 1).await, (422, "bad-rights".into()));
    assert_eq!(make(" ", &["monitor"], 1).await, (422, "bad-name".into()));
    assert_eq!(make("x by admin", &["monitor"], 1).await, (422, "bad-name".into()));
    assert_eq!(make("x", &["monitor"], 0).await, (422, "bad-days".into()));
    assert_eq!(make("x", &["monitor"], 366).await, (422, "bad-days".into()));
    assert_eq!(make("x", &["flying"], 1).await, (400, "bad-request".into()));
    let rights = ["take-calls", "override", "configure-system", "manage-users"];
    let (machine, id) = token(&house, &boss, &rights).await;
    let body = json!({ "name": "child", "rights": ["manage-users"], "days": 1 });
    assert_eq!(machine.ask("POST", "/tokens", Some(body)).await.problem(), (403, "no-right".into()));
    house.log_in("bob").await;
    assert_eq!(machine.ask("DELETE", "/users/bob/sessions", None).await.status, 204);
    let [(class, who, ..)] = &house.audit("user.sessions-ended").await[..] else { panic!("one row") };
    assert_eq!((*class, who.as_str()), (Class::Rights, "user token grafana by boss"));
    let made = house.audit("token.made").await;
    let rights = Some("take-calls, override, manage-users, configure-system".to_owned());
    assert!(
        made.contains(&(Class::Rights, "user boss".into(), format!("token {id}.rights"), rights)),
        "{made:?}"
    );
}

#[tokio::test]
async fn a_removed_user_leaves_nothing_behind() {
    let (house, _kept) = House::kept(false).await;
    let boss = house.log_in("boss").await;
    add_factor(&boss, Duration::ZERO).await;
    let (machine, _) = token(&house, &boss, &["manage-vault"]).await;
    let stored = house.store.user("boss").await.unwrap().unwrap();
    let user = |user| crate::settings::Object::User(std::sync::Arc::new(user));
    let change = async |what| {
        let difference =
            crate::settings::Difference { kind: crate::settings::Kind::User, name: "boss".into(), what };
        let change = Change::Settings(vec![difference], crate::audit::Actor::System);
        house.store.commit(vec![change]).await.unwrap();
    };
    change(crate::settings::Changed::Removed(user(stored.clone()))).await;
    assert_eq!(machine.ask("GET", "/jobs", None).await.status, 401);
    change(crate::settings::Changed::Added(user(stored))).await;
    assert_eq!(
        machine.ask("GET", "/jobs", None).await.status,
        401,
        "another of the same name has not its tokens"
    );
    assert_eq!(boss.get("/session").await.status, 401);
    house.log_in("boss").await; // and no second factor that nobody has
}
