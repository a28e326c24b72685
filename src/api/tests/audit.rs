//! The audit log by HTTP: lists, exports, proofs, anchors; webhooks.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::house::*;
use super::*;
use crate::audit::{Anchor, ExportVerifier, Person};
use crate::ids::PhoneNumber;

const FORBIDDEN: [(&str, &str); 8] = [
    ("GET", "/audit"),
    ("GET", "/audit/export"),
    ("POST", "/audit/verify"),
    ("GET", "/audit/anchors"),
    ("POST", "/audit/anchors"),
    ("GET", "/webhooks/crm/deliveries"),
    ("POST", "/webhooks/crm/test"),
    ("POST", "/webhooks/crm/deliveries/01KAN4Q8X00000000000000000/retry"),
];

#[tokio::test]
async fn nobody_without_the_right_sees_the_log_or_the_webhooks() {
    let house = House::new().await;
    let bob = house.log_in("bob").await;
    for (method, path) in FORBIDDEN {
        let answer = bob.ours(method, path, None).await;
        assert_eq!(answer.problem(), (403, "no-right".to_owned()), "{method} {path}");
    }
}

#[tokio::test]
async fn rows_are_listed_filtered_and_paged_and_who_reads_them_is_in_them() {
    let (house, _kept) = House::kept(false).await;
    let boss = house.log_in("boss").await;
    let page = boss.get("/audit?limit=2").await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    assert_eq!(page["items"][0]["action"], "audit.read");
    assert_eq!(page["items"][0]["actor"], "user boss");
    let next = page["next"].as_str().expect("more");
    let second = boss.get(&format!("/audit?limit=2&after={next}")).await.json();
    let seq = |page: &Value, n: usize| page["items"][n]["seq"].as_u64().unwrap();
    assert_eq!(seq(&second, 0) + 1, seq(&page, 1));
    let oldest = boss.get("/audit?limit=1&sort=oldest").await.json();
    assert_eq!(seq(&oldest, 0), 1);
    let then =
        boss.get(&format!("/audit?limit=1&sort=oldest&after={}", oldest["next"].as_str().unwrap())).await;
    assert_eq!(seq(&then.json(), 0), 2);

    let found = boss.get("/audit?q=%2B49301234567").await.json();
    assert_eq!(found["items"][0]["about"], "+49301234567");
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    let rights = boss.get("/audit?class=rights&actor=boss").await.json();
    assert!(rights["items"].as_array().unwrap().iter().all(|row| row["class"] == "rights"), "{rights}");
    assert_eq!(rights["items"][0]["action"], "user.logged-in");
    assert_eq!(rights["items"][0]["object"]["kind"], "user");
    let none = boss.get("/audit?since=2099-01-01T00:00:00Z").await.json();
    assert_eq!(none["items"], json!([]));
    for bad in ["/audit?class=nonsense", "/audit?since=now", "/audit?colour=red"] {
        let status = boss.get(bad).await.status;
        assert!([400, 422].contains(&status), "{bad}: {status}");
    }
    assert_eq!(boss.get("/audit?after=x").await.status, 400);

    assert_eq!(house.audit("audit.read").await.len(), 1, "once an hour");
    house.pass(Duration::from_secs(3_601));
    boss.get("/audit").await;
    assert_eq!(house.audit("audit.read").await.len(), 2);

    let erase = Change::ErasePerson {
        person: Person::number(&PhoneNumber::parse("+49301234567", None).unwrap()),
        by: crate::audit::Actor::System,
    };
    house.store.commit(vec![erase]).await.unwrap();
    let gone = boss.get("/audit?action=call.arrived").await.json();
    assert_eq!((&gone["items"][0]["about"], &gone["items"][0]["erased"]), (&Value::Null, &json!(true)));
}

#[tokio::test]
async fn what_is_said_of_restricted_people_takes_the_right_to_it() {
    let (house, _kept) = House::kept(false).await;
    house.apply("[user.dora]\npassword = \"correct horse\"\nmust-change = false\nrole = \"superuser\"\ngrants = [\"dpo\"]\n").await;
    house.change("UPDATE calls SET restricted_at = 1").await;
    for (user, sees) in [("boss", false), ("dora", true)] {
        let who = house.log_in(user).await;
        let found = who.get("/audit?q=%2B49301234567").await.json();
        assert_eq!(found["items"].as_array().unwrap().len(), usize::from(sees), "{user}: {found}");
        let row = &who.get("/audit?action=call.arrived").await.json()["items"][0];
        assert_eq!(row["about"], if sees { json!("+49301234567") } else { Value::Null }, "{user}");
        assert_eq!((&row["new"], &row["old"]), (&row["new"], &Value::Null));
        assert!(sees || row["new"].is_null(), "{row}");
        let raw = who.raw("GET", "/api/v1/audit/export?action=call.arrived", &[]).await;
        let text = unchunked(&raw.body);
        assert_eq!(text.contains("+49301234567"), sees, "{user}");
        let mut verifier = ExportVerifier::default();
        for line in text.lines() {
            verifier.line(line).unwrap();
        }
        assert_eq!(verifier.finish().unwrap().rows, 1);
    }
}

#[tokio::test]
async fn who_reads_the_log_anchors_nothing() {
    let (house, _kept) = House::kept(false).await;
    house.apply("[user.reader]\npassword = \"correct horse\"\nmust-change = false\nrole = \"reporting\"\ngrants = [\"view-audit-log\"]\n").await;
    let reader = house.log_in("reader").await;
    assert_eq!(reader.get("/audit").await.status, 200);
    assert_eq!(reader.post("/audit/anchors", json!({})).await.problem(), (403, "no-right".to_owned()));
}

/// What came in chunks (RFC 9112 §7.1).
fn unchunked(mut body: &[u8]) -> String {
    let mut text = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n").expect("a size");
        let size = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        text.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 4 + size..];
        if size == 0 {
            return String::from_utf8(text).unwrap();
        }
    }
}

#[tokio::test]
async fn an_export_is_verified_without_the_server() {
    let (house, _kept) = House::kept(false).await;
    let boss = house.log_in("boss").await;
    let raw = boss.raw("GET", "/api/v1/audit/export", &[]).await;
    assert_eq!((raw.status, raw.headers["content-type"].as_str()), (200, "application/jsonl"));
    let mut verifier = ExportVerifier::default();
    for line in unchunked(&raw.body).lines() {
        verifier.line(line).unwrap();
    }
    let proof = verifier.finish().unwrap();
    assert_eq!((proof.gaps, proof.first), (0, 1));
    assert_eq!(house.audit("audit.exported").await.len(), 1);
    let one = boss.raw("GET", "/api/v1/audit/export?action=audit.exported", &[]).await;
    let mut verifier = ExportVerifier::default();
    for line in unchunked(&one.body).lines() {
        verifier.line(line).unwrap();
    }
    assert_eq!(verifier.finish().unwrap().rows, 2, "this one is in it");
}

#[tokio::test]
async fn the_log_is_proven_and_anchored() {
    let (house, kept) = House::kept(false).await;
    let boss = house.log_in("boss").await;
    let nowhere = boss.post("/audit/anchors", json!({})).await;
    assert_eq!(nowhere.problem(), (409, "no-place".to_owned()));
    house
        .apply(
            "[webhook.none]\nurl = \"https://a.example/\"\nsecret = \"north-of-here\"\nenabled = false\n\
             [system.sayso]\nanchor-to = [\"store\", \"webhook none\"]",
        )
        .await;
    let made = boss.post("/audit/anchors", json!({})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let places = made.json();
    let told = |n: usize| (places[n]["to"].as_str().unwrap(), places[n]["state"].as_str().unwrap());
    assert_eq!((told(0), told(1)), (("store", "anchored"), ("webhook none", "failed")));
    let page = boss.get("/audit/anchors").await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let object = kept.archive.objects.list("anchors/", None, 9).await.unwrap().objects.remove(0);
    let content = kept.archive.objects.get(&object.name, 0..object.bytes).await.unwrap();
    let content: Vec<bytes::Bytes> = futures_util::TryStreamExt::try_collect(content).await.unwrap();
    let anchor =
        Anchor::verify(std::str::from_utf8(&content.concat()).unwrap(), Some(kept.signer.public_key()));
    assert_eq!(anchor.unwrap().head.seq, places[0]["seq"].as_u64().unwrap());

    let verdict = boss.post("/audit/verify", json!({})).await.json();
    assert_eq!((&verdict["whole"], &verdict["fault"]), (&json!(true), &Value::Null), "{verdict}");
    assert_eq!(verdict["anchors"], json!({ "checked": 2, "fault": null }));
    assert_eq!(house.audit("audit.verified").await.len(), 1);

    let again = boss.post("/audit/verify", json!({})).await;
    assert_eq!(again.problem(), (429, "too-many".to_owned()), "a log is not read again and again");
    house.pass(Duration::from_secs(600));
    house.tamper("DROP TRIGGER audit_no_update").await;
    house.tamper("UPDATE audit SET new = 'nothing' WHERE seq = 2").await;
    let verdict = boss.post("/audit/verify", json!({})).await.json();
    assert_eq!((&verdict["whole"], &verdict["fault"]["seq"]), (&json!(false), &json!(2)), "{verdict}");
    assert_eq!(house.audit("audit.broken").await.len(), 1);
}

#[tokio::test]
async fn a_webhook_is_tested_and_its_deliveries_are_sent_again() {
    let house = House::new().await;
    let boss = house.log_in("boss").await;
    assert_eq!(boss.post("/webhooks/crm/test", json!({})).await.problem(), (404, "no-object".to_owned()));
    assert_eq!(boss.get("/webhooks/crm/deliveries").await.problem(), (404, "no-object".to_owned()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let asked = std::sync::Arc::new(AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let n = count.fetch_add(1, Ordering::SeqCst);
            let read = socket.read(&mut [0; 4_096]).await.unwrap_or(0);
            let status = if n == 0 { "200 OK" } else { "503 Service Unavailable" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            assert!(read > 0);
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    house
        .apply(&format!(
            "[system.sayso]\nwebhook-networks = [\"127.0.0.1\"]\n[webhook.crm]\nurl = \"http://{at}/\"\nsecret = \"north-of-here\"\nevents = [\"call.ended\"]"
        ))
        .await;
    let good = boss.post("/webhooks/crm/test", json!({})).await.json();
    assert_eq!(
        (&good["state"], &good["status"], &good["event"]),
        (&json!("delivered"), &json!(200), &json!("test"))
    );
    let bad = boss.post("/webhooks/crm/test", json!({})).await.json();
    assert_eq!((&bad["state"], &bad["status"], &bad["next"]), (&json!("failed"), &json!(503), &Value::Null));
    let page = boss.get("/webhooks/crm/deliveries?limit=1").await.json();
    assert_eq!(page["items"][0]["id"], bad["id"]);
    assert!(page["next"].is_string());
    let path = |id: &Value| format!("/webhooks/crm/deliveries/{}/retry", id.as_str().unwrap());
    assert_eq!(boss.post(&path(&good["id"]), json!({})).await.problem(), (409, "not-now".to_owned()));
    assert_eq!(boss.post(&path(&bad["id"]), json!({})).await.status, 204);
    let page = boss.get("/webhooks/crm/deliveries").await.json();
    assert_eq!(page["items"][0]["state"], "waiting");
    for unknown in
        ["/webhooks/crm/deliveries/x/retry", "/webhooks/other/deliveries/01KAN4Q8X00000000000000000/retry"]
    {
        assert_eq!(boss.post(unknown, json!({})).await.problem(), (404, "no-delivery".to_owned()));
    }
    assert_eq!(house.audit("webhook.tested").await.len(), 2);
    assert_eq!(house.audit("webhook.retried").await.len(), 1);
}

#[tokio::test]
async fn a_webhook_is_tested_by_one_at_a_time() {
    let house = House::new().await;
    let boss = house.log_in("boss").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let hook = format!(
        "[system.sayso]\nwebhook-networks = [\"127.0.0.1\"]\n[webhook.crm]\nurl = \"http://{at}/\"\nsecret = \"north-of-here\"\n"
    );
    house.apply(&format!("{hook}events = [\"call.ended\"]")).await;
    let other = boss.clone();
    let first = tokio::spawn(async move { other.post("/webhooks/crm/test", json!({})).await });
    let (mut socket, _) = listener.accept().await.unwrap();
    let second = boss.post("/webhooks/crm/test", json!({})).await;
    assert_eq!(second.problem(), (409, "not-now".to_owned()));
    assert!(socket.read(&mut [0; 4_096]).await.unwrap() > 0);
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    socket.write_all(answer.as_bytes()).await.unwrap();
    assert_eq!(first.await.unwrap().json()["state"], "delivered");
}
