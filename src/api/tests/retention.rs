//! Rules, simulation, holds and why, over a real store.

use super::house::{Client, Kept};
use super::*;
use crate::call::{Cause, Fact};
use crate::ids::RecordingId;
use crate::store::{AnonymiseChange, RecordingChange};

const RULES: &str = r#"
[system.sayso]
retention-calls = "365d"
[queue.support]
file-removal = "30d"
"#;

/// A recording of a call that ended, and rules.
async fn kept() -> (House, Kept, RecordingId) {
    let (house, kept) = House::kept(false).await;
    let id = kept.record(1, 8_000).await;
    kept.store_away(id).await;
    let call = house.store.recording(id).await.unwrap().unwrap().call;
    let ended = Fact::Ended { call, at: START, cause: Cause::HungUp };
    house.store.commit(vec![ended.into()]).await.unwrap();
    house.apply(RULES).await;
    (house, kept, id)
}

fn days(n: u64) -> Duration {
    Duration::from_secs(n * 86_400)
}

#[tokio::test]
async fn rules_are_shown_in_sentences_with_the_days_to_come() {
    let (house, _kept, _id) = kept().await;
    let boss = house.log_in("boss").await;
    let view = boss.get("/retention").await.json();
    let rules = view["rules"].as_array().unwrap();
    assert_eq!(rules[0]["queue"], Value::Null);
    let support = rules.iter().find(|rule| rule["queue"] == "support").unwrap();
    assert_eq!(
        (support["calls"].as_str(), support["recordings"].as_str(), support["from"].as_str()),
        (Some("365d"), Some("30d"), Some("queue"))
    );
    assert!(support["sentence"].as_str().unwrap().starts_with("Recordings of support are removed 30d after"));
    assert_eq!(rules.iter().find(|rule| rule["queue"] == "sales").unwrap()["from"], "system");
    let timeline = view["timeline"].as_array().unwrap();
    assert_eq!(timeline.len(), 90);
    assert_eq!((&timeline[30]["recordings"], &timeline[29]["recordings"]), (&json!(1), &json!(0)));
    assert_eq!((&view["due"], &view["lagSeconds"], &view["lastRun"]), (&json!(0), &json!(0), &Value::Null));
    assert_eq!(view["reporting"], "forever");
}

#[tokio::test]
async fn other_rules_are_simulated_and_nothing_changes() {
    let (house, _kept, id) = kept().await;
    let boss = house.log_in("boss").await;
    house.pass(days(10));
    let boss = if boss.get("/session").await.status == 200 { boss } else { house.log_in("boss").await };
    let rows = house.select("SELECT CAST(COUNT(*) AS TEXT) FROM audit").await;
    let body = json!({ "queues": { "support": { "retention": "7d", "file-removal": null } } });
    let simulation = boss.post("/retention/simulation", body).await.json();
    assert_eq!(simulation["now"]["recordings"], 0);
    let proposed = &simulation["proposed"];
    assert_eq!(
        (&proposed["recordings"], &proposed["calls"], &proposed["held"]),
        (&json!(1), &json!(1), &json!(0))
    );
    assert_eq!(proposed["byQueue"], json!([{ "queue": "support", "recordings": 1, "calls": 1 }]));
    assert!(proposed["bytes"].as_u64().unwrap() > 1_000);
    let sooner = &simulation["sooner"][0];
    assert_eq!(sooner["recording"], json!(id));
    assert!(
        sooner["sentence"].as_str().unwrap().contains("call data is kept 7d by the rules of queue support")
    );
    assert_eq!(
        simulation["timeline"][0],
        json!({
            "day": (START + days(10)).to_rfc3339()[..10], "recordings": 1, "calls": 1
        })
    );
    assert!(simulation["tookMs"].is_u64());
    let longer =
        json!({ "system": { "calls": "forever" }, "queues": { "support": { "file-removal": "forever" } } });
    let simulation = boss.post("/retention/simulation", longer).await.json();
    assert_eq!((&simulation["proposed"]["recordings"], &simulation["sooner"]), (&json!(0), &json!([])));
    for bad in [
        json!({ "system": { "calls": "90" } }),
        json!({ "queues": { "support": { "retention": "soon" } } }),
        json!({ "queues": { "support": { "file-removal": "-1d" } } }),
    ] {
        let answer = boss.post("/retention/simulation", bad).await;
        assert_eq!(answer.problem(), (422, "bad-rule".into()));
    }
    assert_eq!(boss.post("/retention/simulation", json!({ "rules": {} })).await.status, 400);
    assert_eq!(house.select("SELECT CAST(COUNT(*) AS TEXT) FROM audit").await, rows, "nothing was changed");
}

#[tokio::test]
async fn holds_are_made_seen_and_released() {
    let (house, _kept, id) = kept().await;
    let boss = house.log_in("boss").await;
    let until = (START + days(90)).to_rfc3339();
    let body = json!({ "on": { "recording": id }, "reason": " Case 7 ", "until": until });
    let made = boss.post("/holds", body).await;
    assert_eq!(made.status, 201);
    let hold = made.json();
    assert_eq!((&hold["on"]["kind"], &hold["on"]["id"]), (&json!("recording"), &json!(id)));
    assert_eq!((&hold["reason"], &hold["by"]), (&json!("Case 7"), &json!("user boss")));
    assert!(hold["until"].as_str().unwrap().starts_with(&until[..19]));
    let number = boss.post("/holds", json!({ "on": { "number": "+49 30 1234567" }, "reason": "x" })).await;
    assert_eq!(number.json()["on"]["id"], "+49301234567");
    let span = json!({ "queue": "support", "since": START.to_rfc3339(), "until": until });
    assert_eq!(boss.post("/holds", json!({ "on": span, "reason": "x" })).await.status, 201);
    assert_eq!(boss.get("/holds").await.json()["items"].as_array().unwrap().len(), 3);
    // It cannot be destroyed by anybody.
    let destroy = boss.ours("DELETE", &format!("/recordings/{id}"), Some(json!({ "reason": "x" }))).await;
    assert_eq!(destroy.problem(), (409, "held".into()));
    assert_eq!(house.store.recording(id).await.unwrap().unwrap().state, "stored");
    let path = format!("/holds/{}", hold["id"].as_str().unwrap());
    for (body, title) in
        [(json!({ "reason": " " }), "bad-reason"), (json!({ "reason": "\u{1b}[2J" }), "bad-reason")]
    {
        assert_eq!(boss.ours("DELETE", &path, Some(body)).await.problem(), (422, title.into()));
    }
    let over = json!({ "reason": "settled" });
    assert_eq!(boss.ours("DELETE", &path, Some(over.clone())).await.status, 204);
    assert_eq!(boss.ours("DELETE", &path, Some(over.clone())).await.problem(), (409, "over".into()));
    let nobody = format!("/holds/{id}");
    assert_eq!(boss.ours("DELETE", &nobody, Some(over.clone())).await.problem(), (404, "no-hold".into()));
    assert_eq!(boss.ours("DELETE", "/holds/x", Some(over)).await.problem(), (404, "no-hold".into()));
    let active = boss.get("/holds?active=true").await.json();
    assert_eq!(active["items"].as_array().unwrap().len(), 2);
    let released = boss.get("/holds?active=false").await.json();
    assert_eq!(released["items"][0]["releasedBy"], "user boss");
    let audited = house.audit("hold.created").await;
    assert_eq!((audited.len(), audited[0].0), (3, Class::Modify));
    assert_eq!(house.audit("hold.released").await.len(), 1);
}

#[tokio::test]
async fn a_hold_is_on_one_thing_that_is_there() {
    let (house, _kept, id) = kept().await;
    let boss = house.log_in("boss").await;
    let hold = async |on: Value| boss.post("/holds", json!({ "on": on, "reason": "x" })).await.problem();
    let (since, until) = (START.to_rfc3339(), (START + days(1)).to_rfc3339());
    for bad in [
        json!({}),
        json!({ "recording": id, "call": "01ARZ3NDEKTSV4RRFFQ69G5FAV" }),
        json!({ "recording": id, "since": since }),
        json!({ "queue": "support" }),
        json!({ "queue": "support", "since": until, "until": since }),
        json!({ "number": "030 1234567" }),
        json!({ "number": "+49'; DROP TABLE holds; --" }),
    ] {
        assert_eq!(hold(bad.clone()).await, (422, "bad-hold".into()), "{bad}");
    }
    let nobody = json!({ "recording": "01ARZ3NDEKTSV4RRFFQ69G5FAV" });
    assert_eq!(hold(nobody).await, (404, "no-recording".into()));
    assert_eq!(hold(json!({ "call": "01ARZ3NDEKTSV4RRFFQ69G5FAV" })).await, (404, "no-call".into()));
    let over = json!({ "on": { "recording": id }, "reason": "x", "until": START.to_rfc3339() });
    assert_eq!(boss.post("/holds", over).await.problem(), (422, "bad-hold".into()));
    let destroy = boss.ours("DELETE", &format!("/recordings/{id}"), Some(json!({ "reason": "x" }))).await;
    assert_eq!(destroy.status, 202);
    assert_eq!(hold(json!({ "recording": id })).await, (409, "gone".into()));
    assert!(house.store.open_holds().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_recording_says_why_it_is_here_and_why_it_went() {
    let (house, _kept, id) = kept().await;
    let (boss, lead) = (house.log_in("boss").await, house.log_in("lead").await);
    let path = format!("/recordings/{id}/why");
    let why = lead.get(&path).await.json();
    assert!(why["sentence"].as_str().unwrap().starts_with("It is here until "), "{why}");
    assert_eq!(why["rule"], "automatic file removal 30d (queue support)");
    assert_eq!((&why["clock"]["keep"], &why["clock"]["from"]), (&json!("30d"), &json!(START.to_rfc3339())));
    assert_eq!(why["clock"]["at"], (START + days(30)).to_rfc3339());
    let history: Vec<&str> =
        why["history"].as_array().unwrap().iter().map(|past| past["what"].as_str().unwrap()).collect();
    assert_eq!(history[0], "recording.armed");
    let made =
        boss.post("/holds", json!({ "on": { "number": "+49301234567" }, "reason": "Ms Miller" })).await;
    assert_eq!(made.status, 201);
    let held = boss.get(&path).await.json();
    assert_eq!(
        (&held["holds"][0]["reason"], &held["holds"][0]["on"]["id"]),
        (&json!("Ms Miller"), &json!("+49301234567"))
    );
    assert!(
        held["sentence"].as_str().unwrap().contains("a legal hold")
            || held["sentence"].as_str().unwrap().starts_with("A legal hold")
    );
    // Whose number and whose words is for who manages holds.
    let sentence = lead.get(&path).await.json();
    let shown = &sentence["holds"][0];
    if !lead.get("/session").await.json()["rights"].as_array().unwrap().contains(&json!("manage-holds")) {
        assert_eq!((&shown["reason"], &shown["on"]["id"]), (&json!(""), &json!("")));
    }
    let id_of_hold = made.json()["id"].as_str().unwrap().to_owned();
    let released = boss.ours("DELETE", &format!("/holds/{id_of_hold}"), Some(json!({ "reason": "x" }))).await;
    assert_eq!(released.status, 204);
    let destroyed = boss.ours("DELETE", &format!("/recordings/{id}"), Some(json!({ "reason": "y" }))).await;
    assert_eq!(destroyed.status, 202);
    let gone = lead.get(&path).await.json();
    assert!(
        gone["sentence"].as_str().unwrap().starts_with("It is gone: user boss destroyed its key"),
        "{gone}"
    );
    assert_eq!((&gone["clock"], &gone["rule"]), (&Value::Null, &json!("operator")));
    let nobody = lead.get("/recordings/01ARZ3NDEKTSV4RRFFQ69G5FAV/why").await;
    assert_eq!(nobody.problem(), (404, "no-recording".into()));
}

/// A call of a queue that ended, without a recording.
async fn call_of(house: &House, n: u128, queue: &str) {
    let arrived = Fact::Arrived {
        call: id(n),
        at: START,
        from: None,
        dialled: "100".to_owned(),
        trunk: None,
        queue: queue.into(),
        language: crate::settings::Language("en".to_owned()),
    };
    let ended = Fact::Ended { call: id(n), at: START, cause: Cause::HungUp };
    house.store.commit(vec![arrived.into(), ended.into()]).await.unwrap();
}

const ARCHIVE: &str = r#"
[queue.archive]
retention = "forever"
[queue.empty]
retention = "forever"
[system.sayso]
retention-calls = "10d"
"#;

#[tokio::test]
async fn a_queue_that_keeps_something_longer_is_removed_only_when_that_is_confirmed() {
    let house = House::new().await;
    house.apply(ARCHIVE).await;
    call_of(&house, 7, "archive").await;
    let boss = house.log_in("boss").await;
    house.pass(days(20));
    let boss = if boss.get("/session").await.status == 200 { boss } else { house.log_in("boss").await };
    let body = json!({ "queues": { "archive": { "removed": true } } });
    let simulation = boss.post("/retention/simulation", body).await.json();
    assert_eq!((&simulation["now"]["calls"], &simulation["proposed"]["calls"]), (&json!(0), &json!(1)));
    let headers = [("x-sayso", "1"), ("if-match", "*")];
    let remove =
        async |path: &str| boss.send("DELETE", &format!("/api/v1/queues/{path}"), &headers, None).await;
    let refused = remove("archive").await;
    assert_eq!(refused.problem(), (409, "keeps-recordings".into()));
    let told = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        told.contains("keeps 0 recordings and 1 calls") && told.contains("1 calls would go at once"),
        "{told}"
    );
    assert_eq!(remove("archive?confirm=perhaps").await.problem(), (400, "bad-request".into()));
    assert_eq!(boss.get("/queues/archive").await.status, 200, "it is there");
    assert_eq!(remove("empty").await.status, 204, "nothing is kept there");
    assert_eq!(remove("archive?confirm=true").await.status, 204);
    assert_eq!(boss.get("/queues/archive").await.status, 404);
}

#[tokio::test]
async fn who_sees_some_queues_is_told_of_these_alone() {
    let house = House::new().await;
    house
        .apply(
            "[user.narrow]\npassword = \"correct horse\"\nmust-change = false\nrole = \"superuser\"\n\
             only-queues = [\"sales\"]\n[system.sayso]\nretention-calls = \"10d\"\n",
        )
        .await;
    for (n, queue) in [(1, "support"), (2, "support"), (3, "sales")] {
        call_of(&house, n, queue).await;
    }
    house.pass(days(20));
    // What the sweeper found, of all queues; and what it did to recordings of both.
    house.change("UPDATE retention_state SET due = 3, held = 5").await;
    for (n, queue) in [(1, "support"), (2, "sales")] {
        house
            .execute(&format!(
                "INSERT INTO recordings (id, call, state, basis, armed_at, format, queue, destroyed_at, rule) \
                 VALUES ('{}', '{}', 'removed', 'agreed', 0, 'pcm16', '{queue}', {}, 'retention: x')",
                RecordingId::new(ulid::Ulid(n)),
                id(n),
                (START + days(20)).as_micros()
            ))
            .await;
    }
    let (boss, narrow) = (house.log_in("boss").await, house.log_in("narrow").await);
    let told = async |who: &Client| {
        let view = who.get("/retention").await.json();
        let overview = who.get("/overview").await.json();
        [&view["due"], &view["held"], &view["removedToday"], &overview["retention"]["due"]]
            .map(|figure| figure.as_u64().unwrap())
    };
    assert_eq!(told(&boss).await, [3, 5, 2, 3]);
    assert_eq!(told(&narrow).await, [1, 0, 1, 1]);
}

/// Every report, as the pages read it.
#[tokio::test]
async fn reports_are_the_same_before_and_after_calls_are_anonymised() {
    let (house, _kept, recording) = kept().await;
    let call = house.store.recording(recording).await.unwrap().unwrap().call;
    for (n, queue) in [(101, "support"), (102, "sales")] {
        call_of(&house, n, queue).await;
    }
    let clerk = house.log_in("clerk").await;
    let (since, until) = ((START - days(2)).to_rfc3339(), (START + days(2)).to_rfc3339());
    let reports = async || {
        let mut all = Vec::new();
        for (report, ways) in
            [("calls", ["day", "queue", "hour"]), ("consents", ["day", "queue", "question"])]
        {
            for by in ways {
                for more in ["", "&queue=support"] {
                    let path = format!("/reports/{report}?by={by}&since={since}&until={until}{more}");
                    let answer = clerk.get(&path).await;
                    assert_eq!(answer.status, 200, "{path}");
                    all.push((path, answer.json()));
                }
            }
        }
        all
    };
    let before = reports().await;
    assert!(before.iter().any(|(_, report)| report["total"]["recorded"] == 1), "{before:?}");
    let (rule, by) = ("retention: x".to_owned(), crate::audit::Actor::System);
    let why = "it is due".to_owned();
    let destroyed =
        RecordingChange::Destroyed { id: recording, at: START, rule: rule.clone(), why, by: by.clone() };
    let mut changes = vec![Change::Recording(destroyed)];
    for call in [call, id(101), id(102)] {
        let (rule, by) = (rule.clone(), by.clone());
        changes.push(Change::Anonymise(AnonymiseChange::Call { call, at: START, rule, by }));
    }
    house.store.commit(changes).await.unwrap();
    let row = house.store.call(call).await.unwrap().unwrap();
    assert_eq!(row.call.from.unwrap().0, crate::retention::ANONYMISED);
    assert_eq!(reports().await, before);
}
