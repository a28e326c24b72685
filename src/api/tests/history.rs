//! Lists of calls and consents, one call, attached data, reports; as JSON and as tables.

use super::*;
use crate::audit::Actor;
use crate::call::{Cause, Fact};
use crate::consent::{Answer, Answered, Basis};
use crate::ids::PhoneNumber;
use crate::media::{Digit, DigitChannel};
use crate::settings::Language;
use crate::store::NoteChange;

/// Beside the usual users: who is limited to a queue, and who may see what is restricted.
const MORE: &str = r#"
[user.narrow]
password = "correct horse"
must-change = false
role = "superuser"
only-queues = ["sales"]
[user.dpo]
password = "correct horse"
must-change = false
role = "superuser"
grants = ["dpo"]
[system.sayso]
time-zone = "Europe/Vienna"
"#;

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(START.as_micros() + second * 1_000_000)
}

fn arrived(n: u128, queue: &str) -> Vec<Change> {
    let second = i64::try_from(n).unwrap() * 60;
    let answered = Answered {
        answer: Answer::Yes(Digit::try_from('1').unwrap(), DigitChannel::Rfc4733),
        at: at(second + 2),
        question_sha256: "ab".repeat(32),
        language: Language("en".into()),
    };
    let from = PhoneNumber::parse("+49301234567", None);
    let (call, queue) = (id(n), crate::ids::QueueId(queue.to_owned()));
    let language = Language("en".into());
    let facts = vec![
        Fact::Arrived {
            call,
            at: at(second),
            from: from.clone(),
            dialled: "+4930100".into(),
            trunk: None,
            queue: queue.clone(),
            language,
        },
        Fact::ConsentAnswered { call, from, queue: queue.clone(), answered },
        Fact::Decided { call, at: at(second + 2), basis: Basis::Agreed(at(second + 2)) },
        Fact::Queued { call, queue, at: at(second + 3) },
        Fact::Ended { call, at: at(second + 30), cause: Cause::HungUp },
    ];
    facts.into_iter().map(Change::Fact).collect()
}

/// Calls 0 and 2 of support, 1 and 3 of sales; call 2 is restricted.
async fn house() -> House {
    let house = House::new().await;
    house.apply(MORE).await;
    for (n, queue) in [(0, "support"), (1, "sales"), (2, "support"), (3, "sales")] {
        house.store.commit(arrived(n, queue)).await.unwrap();
    }
    house.change("UPDATE calls SET restricted_at = 1 WHERE arrived_at = 1795000120000000").await;
    house
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
    let id = |item: &Value| item.get("id").or(item.get("call")).unwrap().as_str().unwrap().to_owned();
    items.iter().map(id).collect()
}

fn of(numbers: &[u128]) -> Vec<String> {
    numbers.iter().map(|n| id(*n).to_string()).collect()
}

/// A body in chunks (RFC 9112 §7.1) as a text.
fn unchunked(body: Vec<u8>) -> String {
    let text = String::from_utf8(body).unwrap();
    let (mut rest, mut all) = (text.as_str(), String::new());
    loop {
        let (size, more) = rest.split_once("\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(size, 16).expect("hex");
        if size == 0 {
            return all;
        }
        all.push_str(&more[..size]);
        rest = &more[size + 2..];
    }
}

#[tokio::test]
async fn each_sees_the_calls_that_the_rights_allow() {
    let house = house().await;
    for (user, calls) in [("boss", &[3, 1, 0][..]), ("narrow", &[3, 1]), ("dpo", &[3, 2, 1, 0])] {
        let who = house.log_in(user).await;
        for (path, newest_first) in [
            ("/calls", true),
            ("/consents", true),
            ("/calls?number=234567", true),
            ("/calls?sort=oldest", false),
        ] {
            let page = who.get(path).await.json();
            let mut expected = of(calls);
            if !newest_first {
                expected.reverse();
            }
            assert_eq!(ids(&page), expected, "{user} {path}");
        }
        for n in 0..4 {
            let status = if calls.contains(&n) { 200 } else { 404 };
            assert_eq!(who.get(&format!("/calls/{}", id(n))).await.status, status, "{user} {n}");
            let put = who.ours("PUT", &format!("/calls/{}/data", id(n)), Some(json!({}))).await;
            assert_eq!(put.status, if status == 200 { 204 } else { 404 }, "{user} {n}");
        }
        let figures =
            who.get("/reports/calls?by=queue&since=2026-01-01T00:00:00Z&until=2026-12-31T00:00:00Z");
        let offered = figures.await.json()["total"]["offered"].clone();
        assert_eq!(offered, if user == "narrow" { 2 } else { 4 }, "{user}: figures tell of nobody");
    }
    let boss = house.log_in("boss").await;
    assert_eq!(boss.get("/calls?state=restricted").await.problem(), (403, "no-right".into()));
    let dpo = house.log_in("dpo").await;
    assert_eq!(ids(&dpo.get("/calls?state=restricted").await.json()), of(&[2]));
    assert_eq!(house.log_in("clerk").await.get("/calls").await.problem(), (403, "no-right".into()));
}

#[tokio::test]
async fn a_right_to_see_is_none_to_write_and_restricted_calls_are_nobody_s() {
    let house = house().await;
    house
        .apply(
            "[role.looks]\nrights = [\"view-calls\", \"view-listening-logs\"]\n[user.looker]\n\
             password = \"correct horse\"\nmust-change = false\nrole = \"looks\"\n",
        )
        .await;
    let (looker, bob) = (house.log_in("looker").await, house.log_in("bob").await);
    let path = |n: u128| format!("/calls/{}/data", id(n));
    assert_eq!(looker.ours("PUT", &path(0), Some(json!({}))).await.problem(), (403, "no-right".into()));
    assert_eq!(bob.ours("PUT", &path(0), Some(json!({}))).await.problem(), (404, "no-call".into()));
    for n in [0, 2] {
        let leg = crate::ids::LegId { call: id(n), n: 1 };
        let to = crate::call::Whom::Agent("bob".into());
        let facts =
            [Fact::Dialled { leg, to, at: at(1) }, Fact::Connected { leg, at: at(2) }].map(Change::Fact);
        house.store.commit(facts.into()).await.unwrap();
        for to in [id(n)].map(|call| crate::store::ListenedTo::Live { call, mode: "listen" }) {
            let listened = crate::store::Listened { at: START, who: "lead".into(), to, reason: None };
            house.store.commit(vec![Change::Listened(listened)]).await.unwrap();
        }
    }
    assert_eq!(bob.ours("PUT", &path(0), Some(json!({}))).await.status, 204, "his own");
    assert_eq!(bob.ours("PUT", &path(2), Some(json!({}))).await.status, 404, "restricted");
    let note = |n: u128| format!("/calls/{}/notes", id(n));
    assert_eq!(bob.post(&note(0), json!({ "text": "x" })).await.status, 204);
    assert_eq!(bob.post(&note(2), json!({ "text": "x" })).await.problem(), (404, "no-call".into()));
    let entries = async |who: &str, path: &str| {
        house.log_in(who).await.get(path).await.json()["items"].as_array().unwrap().len()
    };
    assert_eq!(entries("looker", "/listening-log").await, 1);
    assert_eq!(entries("dpo", "/listening-log").await, 2);
    assert_eq!(entries("lead", "/my/listening-log").await, 2, "what one has done one knows");
}

#[tokio::test]
async fn a_call_is_shown_with_all_that_belongs_to_it() {
    let house = house().await;
    let boss = house.log_in("boss").await;
    let path = format!("/calls/{}", id(0));
    let text = Redacted("She calls again.".to_owned());
    let note = NoteChange { call: id(0), by: "bob".into(), who: Actor::System, at: START, text };
    house.store.commit(vec![Change::Note(note)]).await.unwrap();
    let put = async |data: Value| boss.ours("PUT", &format!("{path}/data"), Some(data)).await;
    assert_eq!(put(json!({ "order": "A-1", "ticket.id": "9" })).await.status, 204);
    for bad in [
        json!({ "": "x" }),
        json!({ "a b": "x" }),
        json!({ "Miller": "x" }),
        json!({ "a": "" }),
        json!({ "a": "x".repeat(1_001) }),
    ] {
        assert_eq!(put(bad).await.problem(), (422, "bad-data".into()));
    }
    let many: serde_json::Map<String, Value> = (0..33).map(|n| (format!("k{n}"), json!("x"))).collect();
    assert_eq!(put(Value::Object(many)).await.problem(), (422, "bad-data".into()));
    let call = boss.get(&path).await.json();
    assert_eq!(
        (&call["id"], &call["caller"], &call["firstQueue"], &call["recordings"], &call["restricted"]),
        (&json!(id(0)), &json!("+49301234567"), &json!("support"), &json!(0), &json!(false))
    );
    assert_eq!(call["arrivedAt"], at(0).to_rfc3339());
    assert_eq!(call["data"], json!({ "order": "A-1", "ticket.id": "9" }));
    assert_eq!(call["notes"][0]["text"], "She calls again.");
    assert_eq!((&call["legs"][0]["n"], &call["legs"][0]["direction"]), (&json!(0), &json!("in")));
    assert_eq!((&call["consents"][0]["answer"], &call["consents"][0]["digit"]), (&json!("yes"), &json!("1")));
    assert_eq!(call["events"][0]["kind"], "decided");
    let set = house.audit("call.data-set").await;
    let what = format!("call {}.data.order", id(0));
    assert_eq!(set[0], (Class::Modify, "user boss".to_owned(), what, Some("A-1".to_owned())));
    for none in ["x", &id(9).to_string(), "../session"] {
        assert_eq!(boss.get(&format!("/calls/{none}")).await.status, 404, "{none}");
    }
}

#[tokio::test]
async fn a_list_is_a_table_too_and_taking_it_is_audited() {
    let house = house().await;
    let boss = house.log_in("boss").await;
    let table = boss.raw("GET", "/api/v1/calls?format=csv&number=4567&limit=1", &[]).await;
    assert_eq!(table.headers["content-type"], "text/csv; charset=utf-8; header=present");
    assert_eq!(table.headers["content-disposition"], "attachment; filename=\"calls.csv\"");
    let text = unchunked(table.body);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("id,arrivedAt,queue,firstQueue,caller,dialled,"), "{text}");
    assert_eq!(lines.len(), 4, "all of it, whatever a page's limit: {text}");
    assert!(lines[1].contains(",'+49301234567,'+4930100,"), "no formula: {text}");
    let taken = house.audit("list.taken").await;
    let expected =
        (Class::Read, "user boss".to_owned(), "list calls".to_owned(), Some("number=4567".to_owned()));
    assert_eq!(taken, [expected]);
    let csv = boss.raw("GET", "/api/v1/recordings?format=csv", &[]).await;
    assert_eq!(unchunked(csv.body).lines().count(), 1, "a header, though there is no row");
    assert_eq!(house.audit("list.taken").await.len(), 1, "no number is in it");
}

#[tokio::test]
async fn filters_that_cannot_be_read_find_nothing() {
    let house = house().await;
    let boss = house.log_in("boss").await;
    for bad in [
        "/calls?since=yesterday",
        "/calls?number=12",
        "/calls?number=abc",
        "/calls?state=lost",
        "/calls?q=ab&since=2026-11-01T00:00:00Z",
        "/calls?q=angry",
        "/calls?q=angry&since=2020-11-01T00:00:00Z",
        "/consents?answer=maybe",
        "/reports/calls?by=week",
        "/reports/calls?since=2020-01-01T00:00:00Z",
        "/reports/consents?since=2026-12-01T00:00:00Z&until=2026-11-01T00:00:00Z",
        "/listening-log?call=x",
    ] {
        assert_eq!(boss.get(bad).await.problem(), (422, "bad-filter".into()), "{bad}");
    }
    for bad in [
        "/calls?after=x",
        "/calls?limit=0",
        "/calls?limit=501",
        "/calls?limit=many",
        "/calls?sort=upwards",
        "/calls?format=xml",
        "/calls?colour=red",
        "/calls?queue=a%00b",
        "/jobs?sort=oldest",
    ] {
        let answer = boss.get(bad).await;
        // Without a vault there are no jobs.
        assert_eq!(answer.problem(), (400, "bad-request".into()), "{bad}");
    }
    for odd in ["/calls?queue='%20OR%201=1--", "/calls?agent=%25", "/consents?queue=%22%3B%20DROP"] {
        assert_eq!(ids(&boss.get(odd).await.json()), of(&[]), "{odd}");
    }
    let told = boss.get("/calls?number=12").await.body;
    assert!(!told.contains("12\""), "what was asked is not said again: {told}");
}

#[tokio::test]
async fn reports_are_of_the_system_s_days() {
    let house = house().await;
    let clerk = house.log_in("clerk").await;
    let span = "since=2026-01-01T00:00:00Z&until=2026-12-31T00:00:00Z";
    let calls = clerk.get(&format!("/reports/calls?{span}")).await.json();
    let day = &calls["rows"][0];
    assert_eq!(calls["rows"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&day["key"], &day["offered"], &day["abandoned"], &day["waitSeconds"]),
        (&json!("2026-11-18"), &json!(4), &json!(4), &json!(4 * 27))
    );
    assert_eq!((&calls["total"]["key"], &calls["total"]["serviceLevel"]), (&json!("total"), &Value::Null));
    let hours = clerk.get(&format!("/reports/calls?by=hour&{span}")).await.json();
    assert_eq!(hours["rows"][0]["key"], "12", "11:06 UTC in Vienna");
    let consents = clerk.get(&format!("/reports/consents?by=queue&{span}")).await.json();
    let keys: Vec<&Value> = consents["rows"].as_array().unwrap().iter().map(|row| &row["key"]).collect();
    assert_eq!(keys, ["sales", "support"]);
    assert_eq!((&consents["total"]["asked"], &consents["total"]["given"]), (&json!(4), &json!(4)));
    let of_one = clerk.get(&format!("/reports/consents?by=question&queue=sales&{span}")).await.json();
    assert_eq!((&of_one["rows"][0]["key"], &of_one["total"]["asked"]), (&json!("ab".repeat(32)), &json!(2)));
}

#[tokio::test]
async fn a_consent_that_was_reset_says_so() {
    let house = house().await;
    let boss = house.log_in("boss").await;
    let resets = async |path: &str| {
        let list = boss.get(path).await.json();
        let items = list["items"].as_array().or(list["consents"].as_array()).unwrap().clone();
        items.iter().map(|consent| consent["reset"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(resets("/consents").await, [false, false, false]);
    // One by itself; and those that were given before everybody's were reset.
    house.execute(&format!("UPDATE consents SET reset_at = 1 WHERE call = '{}'", id(3))).await;
    house
        .execute(&format!(
            "INSERT INTO consent_resets (at, by_user, task) VALUES ({}, 'ada', 'x')",
            at(2).as_micros()
        ))
        .await;
    assert_eq!(resets("/consents").await, [true, false, true], "3, 1, 0; of 2 nothing is shown");
    assert_eq!(resets("/consents?queue=sales").await, [true, false]);
    assert_eq!(resets("/consents?number=4567&sort=oldest").await, [true, false, true]);
    let table = boss.raw("GET", "/api/v1/consents?format=csv", &[]).await;
    let text = unchunked(table.body);
    assert!(text.lines().next().unwrap().ends_with("reset"), "{text}");
    assert_eq!(resets(&format!("/calls/{}", id(0))).await, [true]);
}
