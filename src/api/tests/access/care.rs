//! What takes the password once more, and what a token opens as long as it lives.

use super::*;

#[tokio::test]
async fn what_outlives_a_session_or_locks_its_owner_out_takes_the_password() {
    let house = House::new().await;
    let boss = house.log_in("boss").await;
    let wanted =
        |password: Value| json!({ "name": "x", "rights": ["monitor"], "days": 1, "password": password });
    for wrong in [json!("wrong horse"), Value::Null] {
        assert_eq!(boss.post("/tokens", wanted(wrong)).await.problem(), (422, "wrong-password".into()));
    }
    let begun = boss.post("/session/second-factor", json!({ "password": "wrong horse" })).await;
    assert_eq!(begun.problem(), (422, "wrong-password".into()));
    assert_eq!(house.select("SELECT name FROM second_factors").await, Vec::<String>::new());
    assert_eq!(house.audit("user.login-failed").await.len(), 3, "each is counted as a log-in is");
    assert_eq!(boss.post("/tokens", wanted(json!(PASSWORD))).await.status, 201);
    assert_eq!(house.store.attempts("boss").await.unwrap().failures, 0, "and forgotten with the right one");
}

#[tokio::test]
async fn tokens_end_when_somebody_ends_their_maker_s_sessions() {
    let (house, _kept) = House::kept(false).await;
    let boss = house.log_in("boss").await;
    let (machine, _) = token(&house, &boss, &["manage-vault"]).await;
    house
        .apply("[user.other]\npassword = \"correct horse\"\nmust-change = false\nrole = \"superuser\"\n")
        .await;
    let other = house.log_in("other").await;
    assert_eq!(machine.ask("GET", "/jobs", None).await.status, 200);
    assert_eq!(other.ours("DELETE", "/users/boss/sessions", None).await.status, 204);
    assert_eq!(machine.ask("GET", "/jobs", None).await.status, 401);
    assert_eq!(house.audit("token.revoked").await[0].1, "user other");
}

#[tokio::test]
async fn a_machine_hears_and_exports_until_its_token_ends() {
    let (house, kept) = House::kept(false).await;
    // More than the buffers of two sockets hold.
    let id = kept.record(1, 4_000_000).await;
    let boss = house.log_in("boss").await;
    let (machine, of) = token(&house, &boss, &["listen-recordings", "export-recordings"]).await;
    let bearer = format!("Bearer {}", machine.1);
    let headers = [("authorization", bearer.as_str())];
    let exported = house.stranger().raw("GET", &format!("/api/v1/recordings/{id}/vcon"), &headers).await;
    assert_eq!(exported.status, 200);
    let audio = format!("/api/v1/recordings/{id}/audio");
    for ends in [false, true] {
        let mut asked = house.stranger().ask("GET", &audio, &headers).await;
        let mut begin = vec![0; 1_000];
        tokio::io::AsyncReadExt::read_exact(&mut asked, &mut begin).await.unwrap();
        if ends {
            assert_eq!(boss.ours("DELETE", &format!("/tokens/{of}"), None).await.status, 204);
        }
        house.pass(Duration::from_secs(6));
        let mut rest = Vec::new();
        // However the socket tells it.
        let _ended = tokio::io::AsyncReadExt::read_to_end(&mut asked, &mut rest).await;
        assert_eq!(rest.len() < 15_000_000, ends, "{} bytes came", rest.len());
    }
}
