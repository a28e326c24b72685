//! Logging in, being locked, changing the password, and how sessions end.

use tokio::time::Instant;

use super::*;
use crate::access::{SESSIONS, TOUCH};

const SECOND: Duration = Duration::from_secs(1);
/// The defaults of the settings.
const FAILURES: u32 = 5;
const LOCKED_FOR: Duration = Duration::from_secs(30 * 60);
const IDLE: Duration = Duration::from_secs(12 * 3_600);
const ABSOLUTE: Duration = Duration::from_secs(24 * 3_600);

#[tokio::test]
async fn a_session_begins_and_ends() {
    let house = House::new().await;
    let answer = house.stranger().try_log_in("bob", PASSWORD).await;
    let session = json!({
        "user": "bob", "name": "Bob B.", "role": "agent", "rights": ["take-calls", "override"], "agent": "bob",
        "mustChangePassword": false, "language": "de", "by": "password", "secondFactor": false,
        "mustAddSecondFactor": false, "queues": null, "passwordExpiresAt": null,
        "server": { "version": env!("CARGO_PKG_VERSION"), "now": START.to_rfc3339() },
    });
    assert_eq!(answer.json(), session);
    let cookie = &answer.headers["set-cookie"];
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    let bob = house.log_in("bob").await;
    assert_eq!(bob.get("/session").await.json(), session);
    let answer = bob.ours("DELETE", "/session", None).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert!(
        answer.headers["set-cookie"].starts_with("sayso=; ")
            && answer.headers["set-cookie"].ends_with("Max-Age=0")
    );
    assert_eq!(bob.get("/session").await.problem(), (401, "not-logged-in".into()));
    let entry = || (Class::Rights, "user bob".to_owned(), "user bob".to_owned(), None);
    assert_eq!(house.audit("user.logged-in").await, [entry(), entry()]);
    assert_eq!(house.audit("user.logged-out").await, [entry()]);
}

#[tokio::test]
async fn behind_a_proxy_with_tls_the_cookie_is_secure() {
    let house = House::at(Some("https://desk.example")).await;
    let answer = house.stranger().try_log_in("bob", PASSWORD).await;
    let cookie = &answer.headers["set-cookie"];
    assert!(cookie.starts_with("__Host-sayso=") && cookie.ends_with("; Secure"), "{answer:?}");
    assert_eq!(house.log_in("bob").await.get("/session").await.status, 200);
    let headers =
        [("x-sayso", "1"), ("content-type", "application/json"), ("origin", "https://desk.example")];
    let body = json!({ "user": "bob", "password": PASSWORD }).to_string();
    let answer = house.stranger().send("POST", "/api/v1/session", &headers, Some(body)).await;
    assert_eq!(answer.status, 200, "the proxy's origin is ours: {answer:?}");
}

#[tokio::test]
async fn logging_in_anew_ends_the_session_before() {
    let house = House::new().await;
    let first = house.log_in("bob").await;
    let answer = first.try_log_in("carol", PASSWORD).await;
    assert_eq!(answer.status, 200);
    assert_eq!(first.get("/session").await.status, 401);
}

#[tokio::test]
async fn five_failures_lock_a_name_whoever_it_is() {
    let house = House::new().await;
    for name in ["bob", "nobody"] {
        for _ in 0..FAILURES {
            let answer = house.stranger().try_log_in(name, "wrong horse").await;
            assert_eq!(answer.problem(), (401, "wrong".into()), "{name}");
            assert!(!answer.headers.contains_key("set-cookie"));
        }
        assert_eq!(house.stranger().try_log_in(name, PASSWORD).await.problem(), (423, "locked".into()));
    }
    // The lock is of the name, and known to no session that goes on.
    house.log_in("carol").await;
    house.pass(LOCKED_FOR - SECOND);
    assert_eq!(house.stranger().try_log_in("bob", PASSWORD).await.status, 423, "trying makes it no longer");
    house.pass(SECOND);
    house.log_in("bob").await;

    let failures = house.audit("user.login-failed").await;
    let of = |what: &str, why: &str| {
        let row = (Class::Failure, "system".to_owned(), what.to_owned(), Some(why.to_owned()));
        failures.iter().filter(|it| **it == row).count()
    };
    assert_eq!(of("user bob", "wrong password"), 5);
    assert_eq!(of("log-in unknown name", "unknown name"), 5);
    assert_eq!(of("log-in locked name", "locked"), 3);
    let locked = house.audit("user.locked").await;
    assert_eq!(locked[0].2, "user bob");
    assert_eq!(locked[0].3, Some(format!("until {}", START + LOCKED_FOR)));
    let all = format!("{:?}", house.store.audit(&AuditFilter::default()).await.unwrap());
    assert!(!all.contains("nobody") && !all.contains("horse"), "what was typed is not kept");
    let names = house.select("SELECT name FROM login_failures").await;
    let [name] = &names[..] else { panic!("{names:?}") };
    assert!(name.len() == 17 && name.starts_with('?'), "nor is it here: {name}");
}

#[tokio::test]
async fn a_success_forgets_the_failures_before() {
    let house = House::new().await;
    for _ in 0..3 {
        for _ in 1..FAILURES {
            assert_eq!(house.stranger().try_log_in("bob", "wrong horse").await.status, 401);
        }
        house.log_in("bob").await;
    }
}

#[tokio::test]
async fn tries_made_together_are_counted_one_by_one() {
    let house = House::new().await;
    let tries = (0..12).map(|_| async { house.stranger().try_log_in("bob", "wrong horse").await.status });
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 5, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 423).count(), 7, "{answers:?}");
}

#[tokio::test]
async fn a_source_of_many_failures_is_not_heard_for_a_while() {
    let house = House::new().await;
    // Texts that cannot be names are counted for their source alone.
    for n in 0..30 {
        let answer = house.stranger().try_log_in(&format!("no name {n}"), "wrong horse").await;
        assert_eq!(answer.problem(), (401, "wrong".into()), "{n}");
    }
    assert_eq!(house.stranger().try_log_in("bob", PASSWORD).await.problem(), (429, "too-many".into()));
    house.pass(20 * SECOND);
    house.log_in("bob").await;
}

#[tokio::test]
async fn behind_a_proxy_who_fails_often_shuts_out_nobody_else() {
    let house = House::at(Some("https://desk.example")).await;
    let log_in = async |from: &str, name: &str| {
        let headers = [("x-sayso", "1"), ("content-type", "application/json"), ("x-forwarded-for", from)];
        let body = json!({ "user": name, "password": PASSWORD }).to_string();
        house.stranger().send("POST", "/api/v1/session", &headers, Some(body)).await
    };
    for n in 0..30 {
        assert_eq!(log_in("1.1.1.1, 192.0.2.1", &format!("no name {n}")).await.status, 401);
    }
    assert_eq!(log_in("192.0.2.1", "bob").await.status, 429);
    assert_eq!(log_in("192.0.2.1, 192.0.2.2", "bob").await.status, 200);
    let rows = house.store.audit(&AuditFilter::default()).await.unwrap();
    let about = rows.iter().filter_map(|row| row.about.as_ref().and_then(Sealed::text));
    let told: std::collections::BTreeSet<&str> = about.filter(|text| text.starts_with("192.")).collect();
    assert_eq!(told.len(), 2, "{told:?}");
}

/// Who hangs up has tried all the same.
#[tokio::test]
async fn a_failure_counts_whoever_waits_for_the_answer() {
    let house = House::new().await;
    let (end, mut failures) = (Instant::now() + 20 * SECOND, 0);
    while house.audit("user.locked").await.is_empty() {
        assert!(Instant::now() < end, "they are not counted");
        house.stranger().leave("POST", "/session", json!({ "user": "bob", "password": "wrong horse" })).await;
        // One whose end came before it was looked at is no try.
        let next = Instant::now() + SECOND / 2;
        while house.audit("user.login-failed").await.len() == failures && Instant::now() < next {}
        failures = house.audit("user.login-failed").await.len();
    }
    assert_eq!(house.stranger().try_log_in("bob", PASSWORD).await.problem(), (423, "locked".into()));
}

#[tokio::test]
async fn with_a_session_too_many_the_one_not_used_for_longest_ends() {
    let house = House::new().await;
    let first = house.log_in("bob").await;
    for _ in 0..SESSIONS - 1 {
        house.pass(SECOND);
        house.log_in("bob").await;
    }
    assert_eq!(first.get("/session").await.status, 200);
    house.pass(SECOND);
    let last = house.log_in("bob").await;
    assert_eq!(first.get("/session").await.status, 401);
    assert_eq!(last.get("/session").await.status, 200);
}

#[tokio::test]
async fn a_session_ends_unused_and_it_ends_old() {
    let house = House::new().await;
    let bob = house.log_in("bob").await;
    house.pass(IDLE - SECOND);
    assert_eq!(bob.get("/session").await.status, 200, "used just in time");
    // Nobody waits for its being written but this.
    house.store.commit(vec![]).await.unwrap();
    house.pass(TOUCH);
    assert_eq!(bob.get("/session").await.status, 200, "it would be over, had that use not counted");
    house.store.commit(vec![]).await.unwrap();
    house.pass(ABSOLUTE - IDLE - TOUCH);
    assert_eq!(bob.get("/session").await.status, 200);
    house.pass(SECOND);
    assert_eq!(bob.get("/session").await.status, 401, "24 h are the end");
    let bob = house.log_in("bob").await;
    house.pass(IDLE);
    assert_eq!(bob.get("/session").await.status, 401, "12 h unused are, too");
}

#[tokio::test]
async fn the_first_password_is_changed_before_anything_else() {
    let house = House::new().await;
    let fresh = house.log_in("fresh").await;
    let other = house.log_in("fresh").await;
    assert_eq!(fresh.get("/session").await.json()["mustChangePassword"], true);
    let change = async |client: &Client, old: &str, new: &str| {
        client.ours("PUT", "/session/password", Some(json!({ "old": old, "new": new }))).await
    };
    assert_eq!(change(&fresh, PASSWORD, "12345678").await.problem(), (422, "too-short".into()));
    assert_eq!(change(&fresh, PASSWORD, PASSWORD).await.problem(), (422, "used-before".into()));
    assert_eq!(change(&fresh, "wrong horse", "123456789").await.problem(), (422, "wrong-password".into()));
    assert_eq!(change(&fresh, PASSWORD, &"x".repeat(1_025)).await.problem(), (422, "too-long".into()));
    assert_eq!(change(&fresh, PASSWORD, "123456789").await.status, 204);
    let session = fresh.get("/session").await;
    assert_eq!(session.json()["mustChangePassword"], false, "it goes on");
    assert_eq!(fresh.get("/directory").await.status, 200);
    assert_eq!(other.get("/session").await.status, 401, "the user's other sessions end");
    assert_eq!(house.stranger().try_log_in("fresh", PASSWORD).await.status, 401);
    house.log_in_with("fresh", "123456789").await;

    let changed = house.audit("user.changed").await;
    let row = |attribute: &str, new: &str| {
        (Class::Rights, "user fresh".to_owned(), format!("user fresh.{attribute}"), Some(new.to_owned()))
    };
    assert_eq!(changed, [row("password", "(secret)"), row("must-change", "false")]);
    assert_eq!(house.audit("user.login-failed").await.len(), 2);
}

#[tokio::test]
async fn who_guesses_the_old_password_is_locked() {
    let house = House::new().await;
    let bob = house.log_in("bob").await;
    let guess = json!({ "old": "wrong horse", "new": "123456789" });
    for _ in 0..FAILURES {
        let answer = bob.ours("PUT", "/session/password", Some(guess.clone())).await;
        assert_eq!(answer.problem(), (422, "wrong-password".into()));
    }
    let answer = bob.ours("PUT", "/session/password", Some(guess)).await;
    assert_eq!(answer.problem(), (423, "locked".into()));
}

#[tokio::test]
async fn a_file_applied_again_leaves_a_changed_password_and_another_one_ends_sessions() {
    let house = House::new().await;
    let bob = house.log_in("bob").await;
    let change = json!({ "old": PASSWORD, "new": "123456789" });
    assert_eq!(bob.ours("PUT", "/session/password", Some(change)).await.status, 204);
    house.apply_again().await;
    assert_eq!(bob.get("/session").await.status, 200);
    let back = json!({ "old": "123456789", "new": PASSWORD });
    let answer = bob.ours("PUT", "/session/password", Some(back)).await;
    assert_eq!(answer.problem(), (422, "used-before".into()), "the file's own password is one it had");
    house.apply("[user.bob]\npassword = \"battery staple\"\nrole = \"agent\"\nagent = \"bob\"\n").await;
    assert_eq!(bob.get("/session").await.status, 401, "an administrator gave another password");
    let bob = house.log_in_with("bob", "battery staple").await;
    assert_eq!(bob.get("/session").await.json()["mustChangePassword"], true);
}
