//! Commands of a call, notes, own calls and the listening log.

use super::*;
use crate::audit::Actor;
use crate::call::{Cause, Fact, Whom};
use crate::consent::{Basis, OverrideCategory};
use crate::ids::{LegId, PhoneNumber, RecordingId};
use crate::settings::Language;
use crate::store::{KekChange, KekProvider, Listened, ListenedTo, Place, RecordingChange};
use ulid::Ulid;

fn asked(house: &House) -> Vec<String> {
    house.heard().asked.drain(..).map(|(call, who, what)| format!("{call} {who:?} {what:?}")).collect()
}

#[tokio::test]
async fn an_agent_asks_of_an_own_call_what_the_server_is_asked() {
    let house = House::new().await;
    house.heard().calls = vec![call_view(1, &["bob"]), call_view(2, &["carol"])];
    let bob = house.log_in("bob").await;
    let call = id(1);
    for (what, body, ask) in [
        ("transfer", json!({ "to": { "queue": "sales" } }), "Transfer(Queue(QueueId(\"sales\")))"),
        ("transfer", json!({ "to": { "number": " +49 30 1" } }), "Transfer(Number(…))"),
        ("consult", json!({ "to": { "agent": "carol" } }), "Consult(Agent(AgentId(\"carol\")))"),
        ("complete", json!({}), "Complete"),
        ("three-way", json!({}), "ThreeWay"),
        ("end-consultation", json!({}), "EndConsultation"),
        ("recording/pause", json!({}), "Pause"),
        ("recording/resume", json!({}), "Resume"),
        ("recording/withdraw", json!({}), "Withdraw"),
        (
            "recording/override",
            json!({ "category": "emergency", "reason": " the caller is hurt " }),
            "Override(OverrideReason { category: Emergency, text: … })",
        ),
    ] {
        let answer = bob.post(&format!("/calls/{call}/{what}"), body.clone()).await;
        assert_eq!(answer.status, 204, "{what}: {answer:?}");
        let who = "Asker { user: \"bob\", agent: Some(AgentId(\"bob\")) }";
        assert_eq!(asked(&house), [format!("{call} {who} {ask}")]);
        // The same of a colleague's call, and of none.
        for other in [id(2), id(3)] {
            let answer = bob.post(&format!("/calls/{other}/{what}"), body.clone()).await;
            assert_eq!(answer.problem(), (404, "no-call".into()), "{what}");
        }
        assert!(asked(&house).is_empty(), "{what}");
    }
}

#[tokio::test]
async fn values_arrive_whole() {
    let house = House::new().await;
    house.heard().calls = vec![call_view(1, &["bob"])];
    let bob = house.log_in("bob").await;
    bob.post(&format!("/calls/{}/consult", id(1)), json!({ "to": { "number": "+49 30 1" } })).await;
    let body = json!({ "category": "legal", "reason": " a threat " });
    bob.post(&format!("/calls/{}/recording/override", id(1)), body).await;
    let heard = house.heard();
    let Ask::Consult(Where::Number(number)) = &heard.asked[0].2 else { panic!("{:?}", heard.asked[0]) };
    assert_eq!(number.0, "+49 30 1");
    let Ask::Override(reason) = &heard.asked[1].2 else { panic!("{:?}", heard.asked[1]) };
    assert_eq!((reason.category, reason.text.0.as_str()), (OverrideCategory::Legal, "a threat"));
}

#[tokio::test]
async fn what_cannot_be_is_not_asked() {
    let house = House::new().await;
    house.heard().calls = vec![call_view(1, &["bob"])];
    let bob = house.log_in("bob").await;
    let post =
        async |what: &str, body: Value| bob.post(&format!("/calls/{}/{what}", id(1)), body).await.problem();
    for reason in [" ".to_owned(), String::new(), "x".repeat(1_001), "a\0b".into(), "\u{1b}[2J".into()] {
        let body = json!({ "category": "legal", "reason": reason });
        assert_eq!(post("recording/override", body).await, (422, "bad-reason".into()));
    }
    let body = json!({ "category": "curiosity", "reason": "why not" });
    assert_eq!(post("recording/override", body).await, (400, "bad-request".into()));
    for number in ["", "alice", "1;x", "sip:a@b"] {
        let body = json!({ "to": { "number": number } });
        assert_eq!(post("transfer", body).await, (422, "bad-number".into()), "{number}");
    }
    let abroad = json!({ "to": { "number": "+1 212 5550100" } });
    assert_eq!(post("transfer", abroad).await, (409, "no-target".into()));
    let both = json!({ "to": { "queue": "sales", "agent": "carol" } });
    assert_eq!(post("transfer", both).await, (400, "bad-request".into()));
    assert!(asked(&house).is_empty());
}

#[tokio::test]
async fn the_server_s_refusal_is_told() {
    let house = House::new().await;
    house.heard().calls = vec![call_view(1, &["bob"])];
    let bob = house.log_in("bob").await;
    for (refusal, problem) in [
        (Refusal::NoCall, (404, "no-call")),
        (Refusal::NotNow("The call is elsewhere.".into()), (409, "not-now")),
        (Refusal::Forbidden("The queue allows no override.".into()), (409, "refused")),
        (Refusal::NoTarget("There is no queue x.".into()), (409, "no-target")),
    ] {
        house.heard().refusal = Some(refusal.clone());
        let answer = bob.post(&format!("/calls/{}/complete", id(1)), json!({})).await;
        assert_eq!(answer.problem(), (problem.0, problem.1.to_owned()));
        if refusal != Refusal::NoCall {
            assert_eq!(answer.json()["detail"], refusal.to_string());
        }
    }
}

#[tokio::test]
async fn a_supervisor_takes_part_as_the_role_allows() {
    let house = House::new().await;
    house.apply("[user.monitor]\nrole = \"advanced-monitoring\"\nagent = \"carol\"\n[user.carol]\nrole = \"agent\"\n").await;
    house.heard().calls = vec![call_view(1, &["bob"])];
    let (boss, monitor) = (house.log_in("boss").await, house.log_in("monitor").await);
    let path = format!("/calls/{}/supervise", id(1));
    for (mode, word) in [(Mode::Listen, "listen"), (Mode::Whisper, "whisper"), (Mode::Barge, "barge")] {
        for method in ["POST", "PUT"] {
            assert_eq!(boss.ours(method, &path, Some(json!({ "mode": word }))).await.status, 204);
            assert!(asked(&house)[0].ends_with(&format!("Supervise({mode:?})")));
            let answer = monitor.ours(method, &path, Some(json!({ "mode": word }))).await;
            match mode {
                Mode::Listen => assert_eq!(answer.status, 204),
                Mode::Whisper | Mode::Barge => assert_eq!(answer.problem(), (403, "no-right".into())),
            }
            assert_eq!(asked(&house).len(), usize::from(mode == Mode::Listen));
        }
    }
    assert_eq!(boss.ours("DELETE", &path, None).await.status, 204);
    assert!(asked(&house)[0].ends_with("Unsupervise"));
}

/// A call that came, and was connected with bob in its `n`-th second.
fn past(n: i64) -> Vec<Change> {
    let at = |second: i64| Timestamp::from_micros(START.as_micros() + (n * 100 + second) * 1_000_000);
    let call = id(u128::try_from(n).unwrap());
    let leg = LegId { call, n: 1 };
    let facts = vec![
        Fact::Arrived {
            call,
            at: at(0),
            from: PhoneNumber::parse("+49 30 1234567", None),
            dialled: "+4989100".into(),
            trunk: None,
            queue: "support".into(),
            language: Language("de".into()),
        },
        Fact::Decided { call, at: at(1), basis: Basis::Agreed(at(1)) },
        Fact::Dialled { leg, to: Whom::Agent("bob".into()), at: at(2) },
        Fact::Connected { leg, at: at(3) },
        Fact::Ended { call, at: at(4), cause: Cause::HungUp },
    ];
    facts.into_iter().map(Change::Fact).collect()
}

#[tokio::test]
async fn own_calls_come_in_pages_with_notes_and_recordings() {
    let house = House::new().await;
    for n in 0..51 {
        house.store.commit(past(n)).await.unwrap();
    }
    let armed = RecordingChange::Armed {
        id: RecordingId::new(Ulid(7)),
        call: id(50),
        basis: Basis::Agreed(START),
        wrapped_key: vec![1],
        kek: "00".repeat(8),
        spool: "spool".to_owned(),
        format: "pcm16".to_owned(),
        at: START,
    };
    let (provider, by) = (KekProvider::File, Actor::System);
    let kek = KekChange::Made { id: "00".repeat(8), provider, wrapped: None, at: START, by };
    house.store.commit(vec![Change::Kek(kek), Change::Recording(armed)]).await.unwrap();
    let (bob, carol) = (house.log_in("bob").await, house.log_in("carol").await);
    let path = format!("/calls/{}/notes", id(50));
    assert_eq!(bob.post(&path, json!({ "text": " Ms Miller calls again. " })).await.status, 204);
    assert_eq!(carol.post(&path, json!({ "text": "Hi" })).await.problem(), (404, "no-call".into()));
    assert_eq!(bob.post(&path, json!({ "text": " " })).await.problem(), (422, "bad-note".into()));
    let long = "x".repeat(4_001);
    assert_eq!(bob.post(&path, json!({ "text": long })).await.problem(), (422, "bad-note".into()));
    assert_eq!(bob.post(&path, json!({ "text": "a\0b" })).await.problem(), (422, "bad-note".into()));

    let page = bob.get("/my/calls").await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 50);
    let second = |second: i64| Timestamp::from_micros(START.as_micros() + (5_000 + second) * 1_000_000);
    let first = json!({
        "id": id(50), "arrivedAt": second(0).to_rfc3339(), "queue": "support", "caller": "+49301234567",
        "connectedAt": second(3).to_rfc3339(), "endedAt": second(4).to_rfc3339(), "endCause": "hung-up",
        "why": { "basis": "agreed", "detail": second(1).to_rfc3339() },
        "recordings": [{ "id": RecordingId::new(Ulid(7)), "state": "armed", "seconds": null }],
        "notes": [{ "at": START.to_rfc3339(), "by": "bob", "text": "Ms Miller calls again." }],
    });
    assert_eq!(page["items"][0], first);
    let cursor = page["next"].as_str().unwrap();
    let page = bob.get(&format!("/my/calls?before={cursor}")).await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    assert_eq!((&page["items"][0]["id"], &page["next"]), (&json!(id(0)), &Value::Null));
    assert_eq!(carol.get("/my/calls").await.json(), json!({ "items": [], "next": null }));

    let noted = house.audit("call.noted").await;
    let length = Some("22 characters".to_owned());
    assert_eq!(noted, [(Class::Modify, "user bob".to_owned(), format!("call {}.note", id(50)), length)]);
    let log = format!("{:?}", house.store.own_calls(&"bob".into(), false, &Place::first(1)).await.unwrap());
    assert!(!log.contains("Miller") && !log.contains("1234567"), "{log}");
}

#[tokio::test]
async fn a_note_can_be_written_while_the_call_goes_on() {
    let house = House::new().await;
    let mut facts = past(1);
    facts.truncate(3); // it rings
    house.store.commit(facts).await.unwrap();
    let bob = house.log_in("bob").await;
    let path = format!("/calls/{}/notes", id(1));
    assert_eq!(bob.post(&path, json!({ "text": "Hi" })).await.problem(), (404, "no-call".into()));
    house.heard().calls = vec![call_view(1, &["bob"]), call_view(2, &["bob"])];
    assert_eq!(bob.post(&path, json!({ "text": "Hi" })).await.status, 204);
    let unstored = bob.post(&format!("/calls/{}/notes", id(2)), json!({ "text": "Hi" })).await;
    assert_eq!(unstored.problem(), (404, "no-call".into()));
}

#[tokio::test]
async fn agents_see_their_own_entries_of_the_listening_log_and_the_right_sees_all() {
    let house = House::new().await;
    house.store.commit(past(1)).await.unwrap();
    for (n, who) in ["bob", "lead", "bob"].into_iter().enumerate() {
        let at = START + Duration::from_secs(n as u64);
        let listened = Listened {
            at,
            who: who.into(),
            to: ListenedTo::Live { call: id(1), mode: "whisper" },
            reason: (n == 2).then(|| Redacted("asked to".into())),
        };
        house.store.commit(vec![Change::Listened(listened)]).await.unwrap();
    }
    let entry = |n: u64, who: &str, reason: Option<&str>| {
        let at = (START + Duration::from_secs(n)).to_rfc3339();
        json!({
            "at": at, "who": who, "call": id(1), "recording": null, "kind": "live", "mode": "whisper",
            "reason": reason,
        })
    };
    let own = house.log_in("bob").await.get("/my/listening-log").await.json();
    assert_eq!(own["items"], json!([entry(2, "bob", Some("asked to")), entry(0, "bob", None)]));
    let all = house.log_in("boss").await.get("/listening-log").await.json();
    assert_eq!(all["items"][1], entry(1, "lead", None));
    assert_eq!((all["items"].as_array().unwrap().len(), &all["next"]), (3, &Value::Null));
    assert_eq!(house.log_in("clerk").await.get("/my/listening-log").await.json()["items"], json!([]));
    let heard = house.audit("call.listened").await;
    assert_eq!((heard[0].0, heard[0].1.as_str()), (Class::Read, "user bob"));
    assert_eq!(heard[1].1, Actor::User("lead".into()).to_string());
}
