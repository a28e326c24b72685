//! The test of a trunk's server, and the ladder of a call.

use super::*;
use crate::call::Fact;
use crate::ids::TrunkId;
use crate::settings::Language;
use crate::store::{Ladder, ParticularsChange, Rung};

/// Beside the usual users and trunks.
const MORE: &str = r#"
[trunk.inward]
networks = ["192.0.2.0/24"]
[user.narrow]
password = "correct horse"
must-change = false
role = "advanced-monitoring"
only-queues = ["sales"]
[user.dpo]
password = "correct horse"
must-change = false
role = "superuser"
grants = ["dpo"]
"#;

#[tokio::test]
async fn a_trunks_server_is_asked_and_the_log_has_it() {
    let house = House::new().await;
    house.apply(MORE).await;
    let boss = house.log_in("boss").await;
    let tested = boss.post("/trunks/carrier/test", json!({})).await;
    let wanted = json!({ "ok": true, "status": 200, "milliseconds": 23, "what": "It is there." });
    assert_eq!((tested.status, tested.json()), (200, wanted));
    let asked = house.heard().tested.clone();
    assert_eq!(asked, [(TrunkId::from("carrier"), "sip:carrier.example".to_owned())]);
    let row = (Class::System, "user boss".to_owned(), "trunk carrier".to_owned(), Some("200".to_owned()));
    assert_eq!(house.audit("trunk.tested").await, [row]);

    // A name that needs escaping is none of ours.
    for (path, problem) in [
        ("/trunks/nobody/test", (404, "no-object")),
        ("/trunks/no%20body/test", (404, "no-object")),
        ("/trunks/inward/test", (409, "no-server")),
    ] {
        let (status, title) = problem;
        assert_eq!(boss.post(path, json!({})).await.problem(), (status, title.to_owned()), "{path}");
    }
    house.heard().refusal = Some(Refusal::NotNow("It is being tested already.".to_owned()));
    assert_eq!(boss.post("/trunks/carrier/test", json!({})).await.problem(), (409, "not-now".to_owned()));
    assert_eq!(house.audit("trunk.tested").await.len(), 1, "nothing more was asked");
}

#[tokio::test]
async fn who_does_not_configure_trunks_does_not_test_them() {
    let house = House::new().await;
    for user in ["bob", "lead", "monitor", "clerk"] {
        let visitor = house.log_in(user).await;
        assert_eq!(
            visitor.post("/trunks/carrier/test", json!({})).await.problem(),
            (403, "no-right".to_owned()),
            "{user}"
        );
    }
    assert!(house.heard().tested.is_empty());
}

fn ladder(what: &str) -> Ladder {
    let rung = |sent, line, what: &str, body: Option<&str>| {
        let (what, body) = (what.to_owned(), body.map(str::to_owned));
        Rung { at: START, sent, line, what, cseq: "1 INVITE".to_owned(), body, leg: line as u16 }
    };
    let messages =
        vec![rung(false, 0, "INVITE", Some("application/sdp, 200 octets")), rung(true, 1, what, None)];
    Ladder { lines: vec!["trunk carrier".to_owned(), "agent bob".to_owned()], messages, cut: false }
}

/// Calls 0 and 2 of support, 1 of sales; 2 is restricted.
async fn house() -> House {
    let house = House::new().await;
    house.apply(MORE).await;
    for (n, queue) in [(0, "support"), (1, "sales"), (2, "support")] {
        let arrived = Fact::Arrived {
            call: id(n),
            at: Timestamp::from_micros(START.as_micros() + i64::try_from(n).unwrap()),
            from: None,
            dialled: "+4930100".into(),
            trunk: Some("carrier".into()),
            queue: queue.into(),
            language: Language("en".into()),
        };
        house.store.commit(vec![Change::Fact(arrived)]).await.unwrap();
    }
    house.change("UPDATE calls SET restricted_at = 1 WHERE arrived_at = 1795000000000002").await;
    house
}

async fn keep(house: &House, n: u128, ladder: Ladder) {
    let change = ParticularsChange::Ladder { call: id(n), ladder };
    house.store.commit(vec![Change::Particulars(change)]).await.unwrap();
}

#[tokio::test]
async fn a_calls_messages_are_shown_from_the_store_or_as_they_are_so_far() {
    let house = house().await;
    let monitor = house.log_in("monitor").await;
    let path = format!("/calls/{}/ladder", id(0));
    let none = monitor.get(&path).await;
    assert_eq!((none.status, none.json()["messages"].clone()), (200, json!([])), "nothing is kept of it");

    house.heard().ladder = Some(ladder("180 Ringing"));
    let so_far = monitor.get(&path).await.json();
    assert_eq!(so_far["lines"], json!(["trunk carrier", "sayso", "agent bob"]));
    let first = json!({ "at": START.to_rfc3339(), "from": "trunk carrier", "to": "sayso", "what": "INVITE", "cseq": "1 INVITE",
                        "body": "application/sdp, 200 octets", "leg": 0 });
    assert_eq!(so_far["messages"][0], first);
    let second = &so_far["messages"][1];
    assert_eq!((&second["from"], &second["to"]), (&json!("sayso"), &json!("agent bob")));
    assert_eq!(
        (&second["what"], &second["leg"], &second["body"]),
        (&json!("180 Ringing"), &json!(1), &json!(null))
    );

    keep(&house, 0, Ladder { cut: true, ..ladder("200 OK") }).await;
    let kept = monitor.get(&path).await.json();
    assert_eq!((&kept["messages"][1]["what"], &kept["cut"]), (&json!("200 OK"), &json!(true)));
}

#[tokio::test]
async fn a_ladder_is_for_who_may_see_its_call() {
    let house = house().await;
    for n in 0..3 {
        keep(&house, n, ladder("200 OK")).await;
    }
    let path = |n| format!("/calls/{}/ladder", id(n));
    for (user, seen) in [("monitor", [200, 200, 404]), ("narrow", [404, 200, 404]), ("dpo", [200, 200, 200])]
    {
        let visitor = house.log_in(user).await;
        for (n, status) in (0..3).zip(seen) {
            assert_eq!(visitor.get(&path(n)).await.status, status, "{user}, call {n}");
        }
    }
    for user in ["bob", "lead", "clerk"] {
        let visitor = house.log_in(user).await;
        assert_eq!(visitor.get(&path(0)).await.problem(), (403, "no-right".to_owned()), "{user}");
    }
    let monitor = house.log_in("monitor").await;
    assert_eq!(monitor.get("/calls/nothing/ladder").await.problem(), (404, "no-call".to_owned()));
}
