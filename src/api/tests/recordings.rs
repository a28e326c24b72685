//! Listening, taking out and destroying, over a real store, a real vault and a folder of objects.

use sqlx::{Connection as _, Executor as _};
use tokio::io::AsyncReadExt as _;

use super::house::{Kept, Raw};
use super::*;
use crate::audit::Actor;
use crate::export::{vcon, verify};
use crate::ids::RecordingId;
use crate::store::{JobChange, JobKind, RecordingChange};

/// Half a second more than three windows of the reader, so that ranges cross them.
const SAMPLES: usize = 100_000;

async fn kept() -> (House, Kept, RecordingId, Vec<u8>) {
    let (house, kept) = House::kept(false).await;
    let id = kept.record(1, SAMPLES).await;
    let wav = kept.wav(id).await;
    (house, kept, id, wav)
}

fn audio(id: RecordingId) -> String {
    format!("/api/v1/recordings/{id}/audio")
}

async fn heard(house: &House) -> Vec<String> {
    house.select("SELECT who || ' ' || recording FROM listening_log ORDER BY n").await
}

#[tokio::test]
async fn ranges_are_slices_of_the_whole_from_spool_and_store() {
    let (house, kept, id, wav) = kept().await;
    let lead = house.log_in("lead").await;
    let len = wav.len();
    for place in ["finished", "stored"] {
        assert_eq!(lead.get(&format!("/recordings/{id}")).await.json()["state"], place);
        let whole = lead.raw("GET", &audio(id), &[]).await;
        assert_eq!(whole.status, 200, "{whole:?}");
        assert!(whole.whole && whole.body == wav, "{place}: {whole:?}");
        assert_eq!(whole.headers["content-type"], "audio/wav");
        assert_eq!(whole.headers["accept-ranges"], "bytes");
        assert_eq!(whole.headers["cache-control"], "no-store");
        assert_eq!(whole.headers["content-disposition"], format!("inline; filename=\"{id}.wav\""));
        let etag = whole.headers["etag"].clone();
        assert!(etag.starts_with('"') && etag.len() == 66, "strong: {etag}");
        for (first, last) in [(0, 0), (0, 43), (43, 44), (1_000, 200_000), (len - 1, len - 1), (5_163, 5_164)]
        {
            let range = format!("bytes={first}-{last}");
            let part = lead.raw("GET", &audio(id), &[("range", &range), ("if-range", &etag)]).await;
            assert_eq!(part.status, 206, "{range}: {part:?}");
            assert_eq!(part.headers["content-range"], format!("bytes {first}-{last}/{len}"));
            assert!(part.body == wav[first..=last], "{place} {range}");
        }
        let end = lead.raw("GET", &audio(id), &[("range", "bytes=-100")]).await;
        assert!((end.status, &end.body[..]) == (206, &wav[len - 100..]));
        let past = lead.raw("GET", &audio(id), &[("range", &format!("bytes={len}-"))]).await;
        assert_eq!(
            (past.status, past.headers["content-range"].as_str()),
            (416, format!("bytes */{len}").as_str())
        );
        let other = lead.raw("GET", &audio(id), &[("range", "bytes=0-1"), ("if-range", "\"other\"")]).await;
        assert!(other.status == 200 && other.body == wav);
        let head = lead.raw("HEAD", &audio(id), &[("range", "bytes=0-1")]).await;
        assert_eq!((head.status, head.headers["content-length"].as_str()), (200, len.to_string().as_str()));
        assert!(head.body.is_empty());
        if place == "finished" {
            kept.store_away(id).await;
            assert_eq!(lead.raw("HEAD", &audio(id), &[]).await.headers["etag"], etag, "the same file");
        }
    }
    assert_eq!(heard(&house).await, [format!("lead {id}")], "one session, one entry");
    assert_eq!(house.audit("recording.listened").await.len(), 1);
    assert_eq!(house.audit("recording.listened").await[0].0, Class::Read);
}

#[tokio::test]
async fn no_byte_goes_out_before_the_entry_is_durable() {
    let (house, _kept, id, wav) = kept().await;
    let lead = house.log_in("lead").await;
    let mut lock = house.lock_store().await;
    let mut asked = lead.ask("GET", &audio(id), &[]).await;
    let mut byte = [0; 1];
    let early = tokio::time::timeout(Duration::from_millis(700), asked.read(&mut byte)).await;
    assert!(early.is_err(), "something was sent before the listening log had its row: {early:?}");
    assert!(heard(&house).await.is_empty());
    lock.execute("ROLLBACK").await.unwrap();
    let answer = Raw::read(asked).await;
    assert!(answer.status == 200 && answer.body == wav, "{answer:?}");
    assert_eq!(heard(&house).await, [format!("lead {id}")]);
    lock.close().await.unwrap();

    // A database that stays away: no audio at all.
    let boss = house.log_in("boss").await;
    let mut lock = house.lock_store().await;
    let refused = boss.raw("GET", &audio(id), &[]).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(!String::from_utf8_lossy(&refused.body).contains("RIFF"));
    lock.execute("ROLLBACK").await.unwrap();
}

#[tokio::test]
async fn listening_lasts_while_it_is_used() {
    let (house, _kept, id, _) = kept().await;
    let (lead, other) = (house.log_in("lead").await, house.log_in("lead").await);
    let path = audio(id);
    let both = tokio::join!(lead.raw("GET", &path, &[]), lead.raw("GET", &path, &[("range", "bytes=9-99")]));
    assert_eq!((both.0.status, both.1.status), (200, 206));
    assert_eq!(heard(&house).await.len(), 1, "ranges asked for at once are one listening");
    for _ in 0..3 {
        house.pass(Duration::from_secs(29 * 60));
        assert_eq!(lead.raw("GET", &audio(id), &[("range", "bytes=0-9")]).await.status, 206);
    }
    assert_eq!(heard(&house).await.len(), 1);
    house.pass(Duration::from_secs(31 * 60));
    assert_eq!(lead.raw("GET", &audio(id), &[("range", "bytes=0-9")]).await.status, 206);
    assert_eq!(heard(&house).await.len(), 2, "who comes back later listens anew");
    assert_eq!(other.raw("GET", &audio(id), &[]).await.status, 200);
    assert_eq!(heard(&house).await.len(), 3, "another session is another listening");
}

#[tokio::test]
async fn where_a_reason_is_needed_nothing_is_heard_without_it() {
    let (house, kept) = House::kept(true).await;
    let id = kept.record(1, 8_000).await;
    let lead = house.log_in("lead").await;
    let path = format!("/recordings/{id}/listening");
    assert_eq!(lead.get(&format!("/recordings/{id}/audio")).await.problem(), (428, "reason-needed".into()));
    assert_eq!(lead.post(&path, json!({})).await.problem(), (428, "reason-needed".into()));
    for bad in [" ".to_owned(), "x".repeat(1_001), "a\u{1b}b".to_owned()] {
        assert_eq!(lead.post(&path, json!({ "reason": bad })).await.problem(), (422, "bad-reason".into()));
    }
    assert!(heard(&house).await.is_empty());
    let begun = lead.post(&path, json!({ "reason": " a complaint " })).await;
    assert_eq!((begun.status, begun.json()["recording"].as_str()), (201, Some(id.to_string().as_str())));
    assert_eq!(lead.raw("GET", &audio(id), &[]).await.status, 200);
    let log = house.select("SELECT reason FROM listening_log").await;
    assert_eq!(log, ["a complaint"]);
    // The same one again is the same listening, another one is not.
    assert_eq!(lead.post(&path, json!({ "reason": "a complaint" })).await.status, 201);
    assert_eq!(lead.post(&path, json!({ "reason": "training" })).await.status, 201);
    assert_eq!(lead.post(&path, json!({})).await.status, 201);
    let log = house.select("SELECT reason FROM listening_log ORDER BY n").await;
    assert_eq!(log, ["a complaint", "training"]);
    // The reason is of this session.
    let again = house.log_in("lead").await;
    assert_eq!(again.get(&format!("/recordings/{id}/audio")).await.problem(), (428, "reason-needed".into()));
}

#[tokio::test]
async fn where_a_reason_is_needed_no_vcon_goes_out_without_it() {
    let (house, kept) = House::kept(true).await;
    let id = kept.record(1, 8_000).await;
    let boss = house.log_in("boss").await;
    let vcon = format!("/recordings/{id}/vcon");
    assert_eq!(boss.get(&vcon).await.problem(), (428, "reason-needed".into()));
    assert!(heard(&house).await.is_empty() && house.audit("recording.exported").await.is_empty());
    let reason = json!({ "reason": "a court asked" });
    assert_eq!(boss.post(&format!("/recordings/{id}/listening"), reason).await.status, 201);
    assert_eq!(boss.get(&vcon).await.status, 200);
    assert_eq!(house.select("SELECT reason FROM listening_log").await, ["a court asked"]);
    assert_eq!(house.audit("recording.exported").await.len(), 1);
}

#[tokio::test]
async fn a_session_has_so_many_players() {
    let (house, kept) = House::kept(false).await;
    // More than the buffers of two sockets hold.
    let id = kept.record(1, 4_000_000).await;
    let lead = house.log_in("lead").await;
    let play = async || {
        let mut socket = lead.ask("GET", &audio(id), &[]).await;
        let mut begin = [0; 12];
        socket.read_exact(&mut begin).await.unwrap();
        (socket, String::from_utf8(begin.to_vec()).unwrap())
    };
    let mut playing = Vec::new();
    for _ in 0..8 {
        let (socket, status) = play().await;
        assert_eq!(status, "HTTP/1.1 200");
        playing.push(socket);
    }
    assert_eq!(lead.get(&format!("/recordings/{id}/audio")).await.problem(), (429, "too-many".into()));
    assert_eq!(lead.raw("HEAD", &audio(id), &[]).await.status, 200, "what plays nothing is answered");
    assert_eq!(
        house.log_in("lead").await.raw("GET", &audio(id), &[("range", "bytes=0-1")]).await.status,
        206
    );
    playing.pop();
    // The server learns of it when it writes.
    let again = tokio::time::timeout(Duration::from_secs(20), async {
        while play().await.1 != "HTTP/1.1 200" {
            tokio::task::yield_now().await;
        }
    });
    again.await.expect("a place is free when a player is closed");
}

#[tokio::test]
async fn a_vcon_waits_for_room_and_then_looks_again() {
    let (house, kept) = House::kept(false).await;
    let id = kept.record(1, 4_000_000).await;
    let boss = house.log_in("boss").await;
    let path = format!("/api/v1/recordings/{id}/vcon");
    let mut sent = Vec::new();
    for _ in 0..4 {
        let mut socket = boss.ask("GET", &path, &[]).await;
        let mut begin = [0; 12];
        socket.read_exact(&mut begin).await.unwrap();
        assert_eq!(&begin, b"HTTP/1.1 200");
        sent.push(socket);
    }
    let late = house.log_in("boss").await;
    let waiting = tokio::spawn(async move { late.raw("GET", &path, &[]).await });
    // It has looked once when its listening is written.
    let begun = async { while heard(&house).await.len() < 2 {} };
    tokio::time::timeout(Duration::from_secs(20), begun).await.expect("its entry");
    let (rule, why) = ("operator".to_owned(), "gone".to_owned());
    let destroyed = RecordingChange::Destroyed { id, at: START, rule, why, by: Actor::System };
    house.store.commit(vec![Change::Recording(destroyed)]).await.unwrap();
    assert!(!waiting.is_finished(), "there is no room before the others are sent");
    drop(sent);
    assert_eq!(waiting.await.unwrap().status, 410);
    assert_eq!(house.audit("recording.exported").await.len(), 4);
}

#[tokio::test]
async fn why_it_was_destroyed_is_told_to_who_may_destroy() {
    let (house, _kept, id, _) = kept().await;
    let (boss, lead) = (house.log_in("boss").await, house.log_in("lead").await);
    let path = format!("/recordings/{id}");
    let reason = json!({ "reason": "Mr Meier asked" });
    assert_eq!(boss.ours("DELETE", &path, Some(reason)).await.status, 202);
    for path in [path.as_str(), "/recordings"] {
        assert!(boss.get(path).await.body.contains("Meier"), "{path}");
        let shown = lead.get(path).await;
        assert!(shown.status == 200 && !shown.body.contains("Meier"), "{path}: {shown:?}");
    }
}

#[tokio::test]
async fn what_is_destroyed_while_it_is_played_is_not_called_damaged() {
    let (house, kept) = House::kept(false).await;
    let id = kept.record(1, 4_000_000).await;
    kept.store_away(id).await;
    let lead = house.log_in("lead").await;
    let mut asked = lead.ask("GET", &audio(id), &[]).await;
    let mut begin = vec![0; 1_000];
    asked.read_exact(&mut begin).await.unwrap();
    let (rule, why) = ("operator".to_owned(), "gone".to_owned());
    let destroyed = RecordingChange::Destroyed { id, at: START, rule, why, by: Actor::System };
    house.store.commit(vec![Change::Recording(destroyed)]).await.unwrap();
    kept.remove(id);
    let mut rest = Vec::new();
    // However the socket tells it.
    let _ended = asked.read_to_end(&mut rest).await;
    assert!(rest.len() < 15_000_000, "{} bytes came", rest.len());
    assert_eq!(house.log_in("boss").await.get("/alarms").await.json(), json!([]));
}

#[tokio::test]
async fn what_is_not_whole_or_gone_is_not_played() {
    let (house, kept) = House::kept(false).await;
    let armed = kept.arm(2).await;
    let lead = house.log_in("lead").await;
    let get = async |id: RecordingId| lead.get(&format!("/recordings/{id}/audio")).await.problem();
    assert_eq!(get(armed).await, (409, "not-whole".into()));
    let started = RecordingChange::Started { id: armed, at: START };
    house.store.commit(vec![Change::Recording(started)]).await.unwrap();
    assert_eq!(get(armed).await, (409, "not-whole".into()));
    let failed = RecordingChange::Failed { id: armed, at: START, why: "the disk is full".into() };
    house.store.commit(vec![Change::Recording(failed)]).await.unwrap();
    let answer = lead.get(&format!("/recordings/{armed}/audio")).await;
    assert_eq!(answer.problem(), (409, "failed".into()));
    assert!(answer.body.contains("the disk is full"));
    assert_eq!(get(RecordingId::new(ulid::Ulid(99))).await, (404, "no-recording".into()));
    assert_eq!(lead.get("/recordings/x/audio").await.problem(), (404, "no-recording".into()));
    assert!(heard(&house).await.is_empty());
}

#[tokio::test]
async fn what_is_destroyed_is_gone_with_the_answer() {
    let (house, kept, id, _) = kept().await;
    let (boss, lead) = (house.log_in("boss").await, house.log_in("lead").await);
    let path = format!("/recordings/{id}");
    let reason = json!({ "reason": "asked for by the caller" });
    assert_eq!(lead.ours("DELETE", &path, Some(reason.clone())).await.problem(), (403, "no-right".into()));
    assert_eq!(
        boss.ours("DELETE", &path, Some(json!({ "reason": " " }))).await.problem(),
        (422, "bad-reason".into())
    );
    let destroyed = boss.ours("DELETE", &path, Some(reason.clone())).await;
    assert_eq!((destroyed.status, &destroyed.json()["state"]), (202, &json!("destroyed")));
    assert_eq!(kept.woken(), 1, "the job is done at once");
    assert_eq!(lead.get(&format!("{path}/audio")).await.problem(), (410, "destroyed".into()));
    assert_eq!(boss.get(&format!("{path}/vcon")).await.problem(), (410, "destroyed".into()));
    assert_eq!(boss.ours("DELETE", &path, Some(reason)).await.problem(), (410, "destroyed".into()));
    assert_eq!(boss.get(&format!("{path}/certificate")).await.problem(), (404, "no-certificate".into()));
    let certificate = "{\"certificate\":{}}\n".to_owned();
    let removed = RecordingChange::Removed { id, at: START, certificate: certificate.clone() };
    house.store.commit(vec![Change::Recording(removed)]).await.unwrap();
    let shown = boss.get(&format!("{path}/certificate")).await;
    assert_eq!((shown.status, shown.body), (200, certificate));
    assert_eq!(lead.get(&format!("{path}/audio")).await.problem(), (410, "destroyed".into()));
}

#[tokio::test]
async fn damage_breaks_the_connection_off_and_raises_the_alarm() {
    let (house, kept) = House::kept(false).await;
    // Three windows of a MiB: the damage is in the last.
    let id = kept.record(1, 700_000).await;
    kept.store_away(id).await;
    let wav = kept.wav(id).await;
    kept.damage(id, 2_600_000);
    let lead = house.log_in("lead").await;
    let torn = lead.raw("GET", &audio(id), &[]).await;
    assert_eq!(torn.status, 200);
    assert!(!torn.whole && torn.body.len() < wav.len(), "cut off: {} of {}", torn.body.len(), wav.len());
    assert!(wav.starts_with(&torn.body), "and nothing wrong was sent");
    let alarms = house.log_in("boss").await.get("/alarms").await.json();
    assert_eq!(alarms[0]["kind"], "recording-damaged", "{alarms}");
    assert!(alarms[0]["what"].as_str().unwrap().contains(&id.to_string()));
    // What is before the damage can be heard; what begins in it (the 506th chunk) is told in the status.
    let before = lead.raw("GET", &audio(id), &[("range", "bytes=0-99999")]).await;
    assert!(before.whole && before.body == wav[..100_000]);
    let within = lead.raw("GET", &audio(id), &[("range", "bytes=2586000-2586010")]).await;
    assert_eq!(within.status, 500, "{within:?}");
    // So is damage at the very beginning, although a WAV's header is no chunk.
    kept.damage(id, 2_000);
    assert_eq!(lead.raw("GET", &audio(id), &[]).await.status, 500);
    kept.damage(id, 2_000);
    // Put right, and read whole: nobody has to look any more.
    kept.damage(id, 2_600_000);
    let whole = lead.raw("GET", &audio(id), &[]).await;
    assert!(whole.whole && whole.body == wav);
    let alarms = house.log_in("boss").await.get("/alarms").await.json();
    assert_eq!(alarms, json!([]));
}

#[tokio::test]
async fn audio_on_its_way_ends_with_the_session_and_with_the_recording() {
    let (house, kept) = House::kept(false).await;
    // More than the buffers of two sockets hold.
    let id = kept.record(1, 4_000_000).await;
    for end in ["session", "recording"] {
        let lead = house.log_in("lead").await;
        let mut asked = lead.ask("GET", &audio(id), &[]).await;
        let mut begin = vec![0; 1_000];
        asked.read_exact(&mut begin).await.unwrap();
        if end == "session" {
            assert_eq!(lead.ours("DELETE", "/session", None).await.status, 204);
        } else {
            let by = Actor::System;
            let (rule, why) = ("operator".to_owned(), "gone".to_owned());
            let destroyed = RecordingChange::Destroyed { id, at: START, rule, why, by };
            house.store.commit(vec![Change::Recording(destroyed)]).await.unwrap();
        }
        house.pass(Duration::from_secs(6));
        let mut rest = Vec::new();
        // However the socket tells it.
        let _ended = asked.read_to_end(&mut rest).await;
        assert!(rest.len() < 15_000_000, "{end}: {} bytes came", rest.len());
    }
}

#[tokio::test]
async fn a_vcon_is_signed_and_audited() {
    let (house, kept, id, wav) = kept().await;
    let boss = house.log_in("boss").await;
    let path = format!("/recordings/{id}/vcon");
    assert_eq!(house.log_in("lead").await.get(&path).await.problem(), (403, "no-right".into()));
    let answer = boss.get(&path).await;
    assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, "application/vcon"));
    let told = verify(&answer.body, Some(kept.signer.public_key())).unwrap();
    assert_eq!(told["uuid"], vcon::uuid(id));
    use base64::Engine as _;
    let body = told["dialog"][0]["body"].as_str().unwrap();
    assert!(base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(body).unwrap() == wav);
    let audited = house.audit("recording.exported").await;
    assert_eq!(audited.len(), 1);
    assert_eq!((audited[0].0, audited[0].1.as_str()), (Class::Read, "user boss"));
    let place = &told["attachments"].as_array().unwrap().last().unwrap()["body"]["export"]["audit"];
    assert!(place["n"].as_u64().unwrap() > 0 && place["hash"].as_str().unwrap().len() == 64, "{place}");
    assert_eq!(heard(&house).await, [format!("boss {id}")]);
}

#[tokio::test]
async fn recordings_are_listed_and_found() {
    let (house, kept) = House::kept(false).await;
    let mut ids = Vec::new();
    for n in 1..=52 {
        ids.push(kept.arm(n).await);
    }
    let lead = house.log_in("lead").await;
    let page = lead.get("/recordings").await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 50);
    let next = page["next"].as_str().unwrap();
    let rest = lead.get(&format!("/recordings?after={next}")).await.json();
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (2, &Value::Null));
    let one = &page["items"][0];
    assert_eq!(
        (&one["state"], &one["playable"], &one["queue"]),
        (&json!("armed"), &json!(false), &json!("support"))
    );
    assert!(!page.to_string().contains("+49"), "no number is told here");
    let count = async |query: &str| {
        let page = lead.get(&format!("/recordings?{query}")).await.json();
        page["items"].as_array().unwrap_or_else(|| panic!("{query}: {page}")).len()
    };
    assert_eq!(count("state=armed&queue=support").await, 50);
    assert_eq!(count("state=stored").await, 0);
    assert_eq!(count("queue=sales").await, 0);
    assert_eq!(count(&format!("call={}", id(0))).await, 50);
    assert_eq!(count("since=2100-01-01T00:00:00Z").await, 0);
    for bad in ["state=lost", "since=yesterday", "call=x"] {
        let answer = lead.get(&format!("/recordings?{bad}")).await;
        assert_eq!(answer.problem(), (422, "bad-filter".into()), "{bad}");
    }
    for bad in ["after=x", "colour=red"] {
        assert_eq!(
            lead.get(&format!("/recordings?{bad}")).await.problem(),
            (400, "bad-request".into()),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn jobs_are_shown_and_hurried() {
    let (house, kept) = House::kept(false).await;
    let later = START + Duration::from_secs(3_600);
    let job = JobChange::Enqueue {
        kind: JobKind::Reconcile,
        subject: "x".into(),
        spool: None,
        due: later,
        at: START,
    };
    house.store.commit(vec![Change::Job(job)]).await.unwrap();
    let boss = house.log_in("boss").await;
    let shown = boss.get("/jobs").await.json();
    let job = &shown["items"][0];
    assert_eq!((&job["kind"], &job["due"]), (&json!("reconcile"), &json!(later.to_rfc3339())));
    let kinds = shown["kinds"].as_array().unwrap();
    assert!(kinds.iter().any(|kind| kind["kind"] == "reconcile" && kind["waiting"] == 1), "{shown}");
    let path = format!("/jobs/{}/retry", job["id"].as_str().unwrap());
    assert_eq!(boss.post(&path, json!({})).await.status, 204);
    assert_eq!(boss.get("/jobs").await.json()["items"][0]["due"], START.to_rfc3339());
    assert_eq!(kept.woken(), 1);
    for none in ["99", "x", "-1"] {
        let answer = boss.post(&format!("/jobs/{none}/retry"), json!({})).await;
        assert_eq!(answer.problem(), (404, "no-job".into()), "{none}");
    }
    assert_eq!(house.log_in("lead").await.get("/jobs").await.problem(), (403, "no-right".into()));
}

#[tokio::test]
async fn a_reconciliation_is_asked_for_once_and_shown() {
    let (house, kept) = House::kept(false).await;
    let boss = house.log_in("boss").await;
    let first = boss.post("/reconciliations", json!({})).await;
    assert_eq!(first.status, 202, "{first:?}");
    let again = boss.post("/reconciliations", json!({})).await;
    assert_eq!(again.json()["id"], first.json()["id"], "one that waits is taken");
    assert!(kept.woken() >= 1);
    let reports = boss.get("/reconciliations").await.json();
    assert_eq!(reports["items"][0]["id"], first.json()["id"]);
    let path = format!("/reconciliations/{}", first.json()["id"].as_str().unwrap());
    let report = boss.get(&path).await.json();
    assert_eq!((&report["state"], &report["by"]), (&json!("running"), &json!("user boss")));
    assert_eq!(report["findings"], json!({ "items": [], "next": null }));
    assert_eq!(boss.get("/reconciliations/x").await.problem(), (404, "no-report".into()));
    let orphan =
        boss.post(&format!("{path}/orphans"), json!({ "name": "recordings/x", "reason": "lost" })).await;
    assert_eq!(orphan.problem(), (404, "no-orphan".into()));
    let orphan = boss.post(&format!("{path}/orphans"), json!({ "name": "recordings/x", "reason": "" })).await;
    assert_eq!(orphan.problem(), (422, "bad-reason".into()));
}
