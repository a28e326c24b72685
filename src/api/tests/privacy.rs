//! People's data by the API: who may, who approves, what is told, and what is in the trail.

use super::house::{Client, House, Kept};
use super::*;
use crate::ids::TaskId;
use crate::store::{PrivacyChange, TaskCounts, TaskFile};

/// Another server's.
const SPOOL: &str = "01JD00000000000000000000AA";

const PEOPLE: &str = r#"
[user.dora]
password = "correct horse"
must-change = false
role = "reporting"
grants = ["dpo"]
[user.emil]
password = "correct horse"
must-change = false
role = "reporting"
grants = ["dpo"]
[user.quinn]
password = "correct horse"
must-change = false
role = "reporting"
grants = ["dpo", "customer-consent"]
only-queues = ["support"]
[user.cora]
password = "correct horse"
must-change = false
role = "reporting"
grants = ["customer-consent"]
"#;

async fn opened() -> (House, Kept, Client) {
    let (house, kept) = House::kept(false).await;
    house.apply(PEOPLE).await;
    let dora = house.log_in("dora").await;
    (house, kept, dora)
}

fn wanted(kind: &str, call: &Value) -> Value {
    json!({ "kind": kind, "reason": "asked for", "selection": { "calls": [call], "consents": true, "entries": [] } })
}

#[tokio::test]
async fn a_search_is_told_and_written_down() {
    let (house, _kept, dora) = opened().await;
    let found = dora.post("/privacy/search", json!({ "number": "30 123-4567" })).await.json();
    assert_eq!(found["calls"]["total"], 1);
    assert_eq!(found["calls"]["items"][0]["caller"], "+49301234567");
    assert_eq!(found["tooMany"], false);
    let told = house.audit("privacy.searched").await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].0, told[0].1.as_str(), told[0].3.as_deref()),
        (Class::Read, "user dora", Some("30 123-4567"))
    );
    for (body, title) in [
        (json!({}), "too-short"),
        (json!({ "number": "12" }), "too-short"),
        (json!({ "name": "x'" }), "too-short"),
        (json!({ "number": "1' OR 1=1 --" }), "bad-number"),
        (json!({ "email": "e".repeat(300) }), "too-long"),
    ] {
        assert_eq!(dora.post("/privacy/search", body).await.problem(), (422, title.into()));
    }
    let boss = house.log_in("boss").await;
    let refused = boss.post("/privacy/search", json!({ "number": "4567" })).await;
    assert_eq!(refused.problem(), (403, "no-right".into()), "not even a superuser");
}

#[tokio::test]
async fn an_erasure_waits_for_a_second_user() {
    let (house, kept, dora) = opened().await;
    let call = json!(house::id(0).to_string());
    let task = dora.post("/privacy/tasks", wanted("erase", &call)).await;
    assert_eq!(task.status, 201, "{task:?}");
    let task = task.json();
    assert_eq!((task["state"].as_str(), task["by"].as_str()), (Some("waiting-for-approval"), Some("dora")));
    assert_eq!(task["counts"]["calls"], 1);
    let path = format!("/privacy/tasks/{}", task["id"].as_str().unwrap());
    assert_eq!(dora.post(&format!("{path}/approve"), json!({})).await.problem(), (409, "own".into()));
    let emil = house.log_in("emil").await;
    let woken = kept.woken();
    let approved = emil.post(&format!("{path}/approve"), json!({})).await.json();
    assert_eq!(
        (approved["state"].as_str(), approved["approvedBy"].as_str()),
        (Some("waiting"), Some("emil"))
    );
    assert!(kept.woken() > woken);
    assert_eq!(emil.post(&format!("{path}/approve"), json!({})).await.problem(), (409, "not-waiting".into()));
    assert_eq!(
        emil.post(&format!("{path}/refuse"), json!({ "reason": "no" })).await.problem(),
        (409, "not-waiting".into())
    );
    let told = house.audit("privacy-task.approved").await;
    assert_eq!((told.len(), told[0].1.as_str()), (1, "user emil"));
    assert_eq!(
        dora.get(&format!("{path}/file")).await.problem(),
        (404, "no-file".into()),
        "nothing is made yet"
    );
    // A report needs nobody else, and neither does anything where the settings say so.
    let report = dora.post("/privacy/tasks", wanted("report", &call)).await.json();
    assert_eq!(report["state"], "waiting");
    house.apply("[system.sayso]\nsecond-approver = false\n").await;
    let alone = dora.post("/privacy/tasks", wanted("erase", &call)).await.json();
    assert_eq!(alone["state"], "waiting");
    let list = dora.get("/privacy/tasks").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 3);
    assert_eq!(list["items"][0]["id"], alone["id"], "the latest first");
}

#[tokio::test]
async fn a_task_is_about_a_thousand_calls_and_entries_and_no_more() {
    let (_house, _kept, dora) = opened().await;
    let ids =
        |n: usize| -> Vec<String> { (0..n).map(|n| house::id(1_000 + n as u128).to_string()).collect() };
    let ask = async |calls: Vec<String>, entries: Vec<String>| {
        let selection = json!({ "calls": calls, "consents": false, "entries": entries });
        let body = json!({ "kind": "report", "reason": "asked for", "selection": selection });
        dora.post("/privacy/tasks", body).await.problem()
    };
    assert_eq!(
        ask(ids(1_000), ids(1_000)).await,
        (422, "nothing-selected".into()),
        "it is read and looked for"
    );
    for (calls, entries) in [(ids(1_001), Vec::new()), (Vec::new(), ids(1_001))] {
        assert_eq!(ask(calls, entries).await, (422, "too-many".into()));
    }
    let same = vec![house::id(0).to_string(); 1_001];
    assert_eq!(ask(same, Vec::new()).await, (422, "too-many".into()), "as often as one is named");
    let much = vec!["x".repeat(97 * 1_024)];
    assert_eq!(ask(much, Vec::new()).await, (413, "too-large".into()));
}

#[tokio::test]
async fn what_cannot_be_asked_is_told() {
    let (_house, _kept, dora) = opened().await;
    let call = json!(house::id(0).to_string());
    let ask = async |body: Value| dora.post("/privacy/tasks", body).await.problem();
    assert_eq!(
        ask(wanted("erase", &json!(house::id(77).to_string()))).await,
        (422, "nothing-selected".into())
    );
    assert_eq!(ask(wanted("consents", &call)).await, (400, "bad-request".into()), "it has routes of its own");
    let mut no_reason = wanted("erase", &call);
    no_reason["reason"] = json!("  ");
    assert_eq!(ask(no_reason).await, (422, "bad-reason".into()));
    let mut wrong = wanted("erase", &call);
    wrong["password"] = json!("battery staple");
    assert_eq!(ask(wrong).await, (422, "wrong-password".into()));
    let mut right = wanted("erase", &call);
    right["password"] = json!(house::PASSWORD);
    assert_eq!(dora.post("/privacy/tasks", right).await.status, 201);
    assert_eq!(dora.get("/privacy/tasks/nonsense").await.problem(), (404, "no-task".into()));
    assert_eq!(dora.get("/privacy/tasks/../../etc/passwd/file").await.status, 404);
}

#[tokio::test]
async fn a_list_is_imported_line_by_line() {
    let (house, _kept, dora) = opened().await;
    let headers = [("x-sayso", "1"), ("content-type", "text/csv; charset=utf-8")];
    let text = "list,name,number,email,note\r\nvip,\"Müller, \"\"Anna\"\"\",+49301234567,,\"two\nlines\"\r\nvip,Bob,123,,\r\n\
                vip,=cmd(),,x@example.org,\r\n";
    let answer = dora.send("POST", "/api/v1/privacy/directory", &headers, Some(text.into())).await.json();
    assert_eq!((answer["added"].as_u64(), answer["changed"].as_u64()), (Some(2), Some(0)));
    assert_eq!(answer["errors"].as_array().unwrap().len(), 1);
    assert_eq!(answer["errors"][0]["line"], 4, "{answer}");
    let list = dora.get("/privacy/directory?q=m%C3%BCller").await.json();
    assert_eq!(list["items"][0]["name"], "Müller, \"Anna\"");
    let table = dora.raw("GET", "/api/v1/privacy/directory?format=csv", &[]).await;
    let table = String::from_utf8_lossy(&table.body).into_owned();
    assert!(table.contains("'=cmd()") && table.contains("'+49301234567"), "{table}");
    let entry = list["items"][0]["id"].as_str().unwrap();
    assert_eq!(dora.ours("DELETE", &format!("/privacy/directory/{entry}"), None).await.status, 204);
    assert_eq!(
        dora.ours("DELETE", &format!("/privacy/directory/{entry}"), None).await.problem(),
        (404, "no-entry".into())
    );
    let wrong = dora.send("POST", "/api/v1/privacy/directory", &headers, Some("who,what\n".into())).await;
    assert_eq!(wrong.problem(), (422, "bad-file".into()));
    let wrong = dora.send("POST", "/api/v1/privacy/directory", &[("x-sayso", "1")], Some(text.into())).await;
    assert_eq!(wrong.problem(), (415, "not-csv".into()));
    assert_eq!(house.audit("directory-entry.removed").await.len(), 1);
}

#[tokio::test]
async fn consents_are_exported_withdrawn_and_reset_by_who_may() {
    let (house, _kept, dora) = opened().await;
    let cora = house.log_in("cora").await;
    let number = json!({ "number": "+49 30 1234567", "reason": "wrote to us" });
    for path in ["/consents/withdraw", "/consents/reset"] {
        assert_eq!(dora.post(path, number.clone()).await.problem(), (403, "no-right".into()), "{path}");
    }
    let answered = crate::consent::Answered {
        answer: crate::consent::Answer::Yes(
            crate::media::Digit::try_from('1').unwrap(),
            crate::media::DigitChannel::Rfc4733,
        ),
        at: house::START,
        question_sha256: "ab".repeat(32),
        language: crate::settings::Language("en".into()),
    };
    let from = crate::ids::PhoneNumber::parse("+49301234567", None);
    let fact =
        crate::call::Fact::ConsentAnswered { call: house::id(0), from, queue: "support".into(), answered };
    house.store.commit(vec![Change::Fact(fact)]).await.unwrap();
    let headers = [("x-sayso", "1"), ("content-type", "application/json")];
    let body = json!({ "number": "+49301234567" }).to_string();
    let table = cora.send("POST", "/api/v1/consents/export", &headers, Some(body)).await;
    assert_eq!(
        (table.status, table.headers["content-type"].as_str()),
        (200, "text/csv; charset=utf-8; header=present")
    );
    let told = house.audit("consents.exported").await;
    assert_eq!((told.len(), told[0].0, told[0].1.as_str()), (1, Class::Read, "user cora"));

    // A call of that number goes on.
    let mut running = house::call_view(5, &["bob"]);
    running.caller = Some(Redacted("+49301234567".into()));
    house.heard().calls.push(running);
    let done = cora.post("/consents/withdraw", number.clone()).await.json();
    assert_eq!(done["withdrawn"], 2, "what was known, and the call");
    let elsewhere = house.store.withdrawals_since(0).await.unwrap();
    assert_eq!((elsewhere.len(), elsewhere[0].by.as_str()), (1, "cora"), "each node hears of it");
    let asked = house
        .heard()
        .asked
        .iter()
        .map(|(call, who, what)| (*call, who.user.clone(), format!("{what:?}")))
        .collect::<Vec<_>>();
    assert_eq!(asked, [(house::id(5), "cora".to_owned(), "Revoke".to_owned())]);
    let bad = cora.post("/consents/withdraw", json!({ "number": "1234567", "reason": "x" })).await;
    assert_eq!(bad.problem(), (422, "bad-number".into()));

    let neither = cora.post("/consents/reset", json!({ "reason": "a new policy" })).await;
    assert_eq!(neither.problem(), (422, "whose".into()));
    let reset = cora.post("/consents/reset", json!({ "all": true, "reason": "a new policy" })).await.json();
    assert_eq!((reset["reset"].as_u64(), reset["exported"]["kind"].as_str()), (Some(2), Some("consents")));
    // Who asked sees this task, and no other kind.
    let path = format!("/privacy/tasks/{}", reset["exported"]["id"].as_str().unwrap());
    assert_eq!(cora.get(&path).await.json()["state"], "waiting");
    let call = json!(house::id(0).to_string());
    let report = dora.post("/privacy/tasks", wanted("report", &call)).await.json();
    let path = format!("/privacy/tasks/{}", report["id"].as_str().unwrap());
    assert_eq!(cora.get(&path).await.problem(), (404, "no-task".into()));
}

#[tokio::test]
async fn who_is_limited_to_queues_sees_what_is_of_them_alone() {
    let (house, _kept, dora) = opened().await;
    let quinn = house.log_in("quinn").await;
    let call = json!(house::id(0).to_string());
    let theirs = dora.post("/privacy/tasks", wanted("erase", &call)).await.json();
    let path = format!("/privacy/tasks/{}", theirs["id"].as_str().unwrap());
    assert_eq!(quinn.get(&path).await.problem(), (404, "no-task".into()), "it is about consents, too");
    assert_eq!(quinn.get(&format!("{path}/file")).await.problem(), (404, "no-task".into()));
    for (what, body) in [("approve", json!({})), ("refuse", json!({ "reason": "no" }))] {
        assert_eq!(
            quinn.post(&format!("{path}/{what}"), body).await.problem(),
            (404, "no-task".into()),
            "{what}"
        );
    }
    assert_eq!(quinn.get("/privacy/tasks").await.json()["items"], json!([]));
    let mut own = wanted("report", &call);
    own["selection"]["consents"] = json!(false);
    let own = quinn.post("/privacy/tasks", own).await.json();
    let list = quinn.get("/privacy/tasks").await.json();
    assert_eq!((list["items"].as_array().unwrap().len(), &list["items"][0]["id"]), (1, &own["id"]));
    assert_eq!(
        quinn.get("/privacy/directory").await.problem(),
        (403, "no-right".into()),
        "it is of no queue"
    );
    let headers = [("x-sayso", "1"), ("content-type", "text/csv")];
    let text = "list,name,number,email,note\nvip,Ann,+49301234567,,\n";
    dora.send("POST", "/api/v1/privacy/directory", &headers, Some(text.into())).await.json();
    let found = dora.post("/privacy/search", json!({ "number": "1234567" })).await.json();
    assert_eq!(found["entries"]["total"], 1);
    let found = quinn.post("/privacy/search", json!({ "number": "1234567" })).await.json();
    assert_eq!(found["entries"]["total"], 0);
    for path in ["/consents/export", "/consents/reset"] {
        let body = json!({ "number": "+49301234567", "reason": "x" });
        let body = if path == "/consents/export" { json!({ "number": "+49301234567" }) } else { body };
        assert_eq!(quinn.post(path, body).await.problem(), (403, "no-right".into()), "{path}");
    }
}

#[tokio::test]
async fn consents_of_restricted_calls_are_given_to_nobody_without_the_right() {
    let (house, _kept, dora) = opened().await;
    let cora = house.log_in("cora").await;
    let answered = crate::consent::Answered {
        answer: crate::consent::Answer::Yes(
            crate::media::Digit::try_from('1').unwrap(),
            crate::media::DigitChannel::Rfc4733,
        ),
        at: house::START,
        question_sha256: "ab".repeat(32),
        language: crate::settings::Language("en".into()),
    };
    let from = crate::ids::PhoneNumber::parse("+49301234567", None);
    let fact =
        crate::call::Fact::ConsentAnswered { call: house::id(0), from, queue: "support".into(), answered };
    house.store.commit(vec![Change::Fact(fact)]).await.unwrap();
    let headers = [("x-sayso", "1"), ("content-type", "application/json")];
    let export = async |client: &Client| {
        let body = json!({ "number": "+49301234567" }).to_string();
        let table = client.raw_with("POST", "/api/v1/consents/export", &headers, &body).await;
        String::from_utf8_lossy(&table.body).matches("'+49301234567").count()
    };
    let all = export(&cora).await;
    assert!(all >= 1);
    // What is written out holds nothing restricted yet.
    let reset = cora.post("/consents/reset", json!({ "all": true, "reason": "a new policy" })).await.json();
    let id: TaskId = reset["exported"]["id"].as_str().unwrap().parse().unwrap();
    let file = |restricted| {
        let (spool, content_type) = (SPOOL.to_owned(), "text/csv".to_owned());
        let (wrapped_key, sha256) = (Redacted(b"key".to_vec()), "ab".repeat(32));
        Some(Box::new(TaskFile { spool, wrapped_key, content_type, bytes: 1, sha256, kek: None, restricted }))
    };
    let over = |id, restricted| PrivacyChange::Ended {
        id,
        done: true,
        what: "written out".to_owned(),
        counts: TaskCounts::default(),
        file: file(restricted),
        expires_at: None,
        certificate: None,
        at: house::START,
    };
    house.store.commit(vec![Change::Privacy(over(id, false))]).await.unwrap();
    let path = format!("/privacy/tasks/{id}/file");
    assert_eq!(cora.get(&path).await.problem(), (409, "elsewhere".into()), "it may be taken, where it lies");
    // The call is restricted: its consents are seen by those alone who restrict.
    let call = json!(house::id(0).to_string());
    let task = dora.post("/privacy/tasks", wanted("restrict", &call)).await.json();
    let restrict: TaskId = task["id"].as_str().unwrap().parse().unwrap();
    let restricted =
        PrivacyChange::Restricted { id: restrict, on: true, at: house::START + Duration::from_secs(1) };
    house.store.commit(vec![Change::Privacy(restricted)]).await.unwrap();
    assert_eq!(export(&cora).await, all - 1, "one less");
    assert_eq!(cora.get(&path).await.problem(), (403, "restricted".into()), "nor by a file of before");
    assert_eq!(dora.get(&path).await.problem(), (409, "elsewhere".into()), "who has the right may");
    let again = cora.post("/consents/reset", json!({ "all": true, "reason": "once more" })).await.json();
    let id: TaskId = again["exported"]["id"].as_str().unwrap().parse().unwrap();
    house.store.commit(vec![Change::Privacy(over(id, true))]).await.unwrap();
    let path = format!("/privacy/tasks/{id}/file");
    assert_eq!(cora.get(&path).await.problem(), (403, "restricted".into()), "a file with them");
}
