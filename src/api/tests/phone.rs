//! The phone that is lent, presence, the directory.

use super::*;
use crate::queue::NotReady;
use crate::settings::SessionRules;

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_phone_is_lent_and_taken_back() {
    let house = House::new().await;
    let bob = house.log_in("bob").await;
    let phone = bob.post("/phone", json!({})).await.json();
    let until = START + 12 * HOUR;
    let username = format!("{}:bob", (START + HOUR).as_micros() / 1_000_000);
    assert_eq!(phone["iceServers"][0]["username"], username);
    assert!(phone["iceServers"][0]["credential"].as_str().unwrap().len() > 20);
    assert_eq!(phone["iceServers"][0]["urls"], json!(["turn:t.example"]));
    let mut rest = phone;
    rest.as_object_mut().unwrap().remove("iceServers");
    let expected = json!({
        "websocket": "ws://desk.test:8080/sip", "uri": "sip:bob@desk.test", "user": "lent1", "password": "secret",
        "expires": until.to_rfc3339(), "selfTest": "sip:selftest@desk.test",
    });
    assert_eq!(rest, expected);
    assert_eq!(house.heard().lent, [("bob".into(), until)]);
    let lent = (Class::Rights, "user bob".to_owned(), "agent bob".to_owned(), None);
    assert_eq!(house.audit("phone.lent").await, [lent]);
    house.pass(11 * HOUR);
    for _ in 0..4 {
        assert_eq!(bob.post("/phone", json!({})).await.status, 200);
    }
    assert_eq!(house.heard().taken_back, ["lent1"], "the oldest of five");
    house.store.commit(Vec::new()).await.unwrap(); // behind the session's use, which nobody waits for
    house.pass(11 * HOUR);
    assert_eq!(bob.post("/phone", json!({})).await.status, 200);
    assert_eq!(
        house.heard().lent[5].1,
        START + SessionRules::default().absolute,
        "never longer than the session"
    );
    bob.ours("DELETE", "/session", None).await;
    assert_eq!(house.heard().taken_back, ["lent1", "lent2", "lent3", "lent4", "lent5", "lent6"]);
}

#[tokio::test]
async fn a_phone_that_cannot_be_lent_is_not() {
    let house = House::new().await;
    house.heard().deaf = true;
    let answer = house.log_in("bob").await.post("/phone", json!({})).await;
    assert_eq!(answer.problem(), (503, "unavailable".into()));
}

/// Until the fake server has been told `enough`.
async fn until(house: &House, enough: impl Fn(&house::Heard) -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    while !enough(&house.heard()) {
        assert!(tokio::time::Instant::now() < end, "not told");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_becomes_another_agent_or_none_has_the_phone_no_more() {
    let house = House::new().await;
    let (bob, boss) = (house.log_in("bob").await, house.log_in("boss").await);
    for client in [&bob, &boss] {
        assert_eq!(client.post("/phone", json!({})).await.status, 200);
    }
    house
        .apply("[user.bob]\nrole = \"reporting\"\nagent = \"bob\"\n[user.boss]\nrole = \"superuser\"\n")
        .await;
    house.ready.send_modify(|ready| ready.generation += 1);
    until(&house, |heard| heard.taken_back.len() == 2).await;
    assert_eq!(bob.get("/session").await.status, 200, "the session goes on");
}

#[tokio::test]
async fn who_logs_out_or_may_no_more_supervises_no_more() {
    let house = House::new().await;
    let mut call = call_view(1, &["bob"]);
    for user in ["boss", "lead"] {
        let party =
            PartyView { kind: PartyKind::Supervisor, id: Redacted(user.into()), ..call.parties[0].clone() };
        call.parties.push(PartyView { state: PartyState::Whispering, ..party });
    }
    house.heard().calls = vec![call];
    let boss = house.log_in("boss").await;
    boss.ours("DELETE", "/session", None).await;
    until(&house, |heard| heard.asked.len() == 1).await;
    house.apply("[user.lead]\nrole = \"advanced-monitoring\"\n").await;
    house.ready.send_modify(|ready| ready.generation += 1);
    until(&house, |heard| heard.asked.len() == 2).await;
    let heard = house.heard();
    let asked: Vec<&str> = heard
        .asked
        .iter()
        .map(|(_, who, what)| {
            assert!(matches!(what, Ask::Unsupervise));
            who.user.as_str()
        })
        .collect();
    assert_eq!(asked, ["boss", "lead"], "advanced-monitoring listens and does not whisper");
}

#[tokio::test]
async fn another_password_takes_back_the_phones_of_other_sessions() {
    let house = House::new().await;
    let (here, there, carol) =
        (house.log_in("bob").await, house.log_in("bob").await, house.log_in("carol").await);
    for client in [&here, &there, &carol] {
        assert_eq!(client.post("/phone", json!({})).await.status, 200);
    }
    let change = json!({ "old": PASSWORD, "new": "123456789" });
    assert_eq!(here.ours("PUT", "/session/password", Some(change)).await.status, 204);
    assert_eq!(house.heard().taken_back, ["lent2"]);
}

#[tokio::test]
async fn behind_a_proxy_the_phone_goes_by_it() {
    let house = House::at(Some("https://desk.example:8443")).await;
    let phone = house.log_in("bob").await.post("/phone", json!({})).await.json();
    assert_eq!(phone["websocket"], "wss://desk.example:8443/sip");
    assert_eq!(phone["uri"], "sip:bob@desk.example");
}

#[tokio::test]
async fn presence_is_chosen_with_a_reason_that_is_offered() {
    let house = House::new().await;
    let bob = house.log_in("bob").await;
    assert_eq!(bob.get("/presence/reasons").await.json(), json!(["Lunch", "Tea"]));
    let put = async |body: Value| bob.ours("PUT", "/presence", Some(body)).await;
    assert_eq!(put(json!({ "ready": true })).await.status, 204);
    assert_eq!(put(json!({ "ready": false, "reason": "Tea" })).await.status, 204);
    for wrong in [
        json!({ "ready": false }),
        json!({ "ready": false, "reason": "Golf" }),
        json!({ "ready": true, "reason": "Tea" }),
    ] {
        assert_eq!(put(wrong).await.problem(), (422, "bad-reason".into()));
    }
    let tea = NotReady { reason: "Tea".into() };
    assert_eq!(house.heard().presence, [("bob".into(), Ok(())), ("bob".into(), Err(tea))]);
}

#[tokio::test]
async fn the_directory_names_agents_queues_and_the_way_out() {
    let house = House::new().await;
    let directory = house.log_in("bob").await.get("/directory").await.json();
    assert_eq!(directory["agents"][0], json!({ "id": "bob", "name": "Bob B." }));
    assert_eq!(directory["agents"].as_array().unwrap().len(), 4);
    assert_eq!((&directory["queues"], &directory["outside"]), (&json!(["sales", "support"]), &json!(true)));
}
