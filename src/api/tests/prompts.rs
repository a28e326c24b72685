//! Prompts by API: uploaded, previewed, put in force, restored, removed; who may change which; what is refused.

use super::*;

const MP3: &[u8] = include_bytes!("../../prompts/samples/tone.mp3");
const FLAC: &[u8] = include_bytes!("../../prompts/samples/tone.flac");
const NEW: [(&str, &str); 1] = [("if-none-match", "*")];

async fn one(client: &Client, id: &str) -> Value {
    let list = client.get("/prompts").await.json();
    let found = list.as_array().unwrap().iter().find(|prompt| prompt["id"] == id).cloned();
    found.unwrap_or_else(|| panic!("{id}"))
}

/// Whose rights hold for `sales`.
const SOME: &str = "[user.ivr]\npassword = \"correct horse\"\nmust-change = false\nrole = \"ivr-administrator\"\n\
                    only-queues = [\"sales\"]\n";

#[tokio::test]
async fn a_prompt_is_uploaded_heard_restored_and_removed() {
    let house = House::new().await;
    let boss = house.log_in("boss").await;
    let shipped = one(&boss, "en~welcome").await;
    assert_eq!((&shipped["source"], &shipped["versions"]), (&json!("shipped"), &json!([])));
    assert_eq!(shipped["usedBy"], json!(["sales", "support"]));
    assert!((shipped["lufs"].as_f64().unwrap() + 19.0).abs() < 0.6, "{shipped}");

    let check = boss.upload("POST", "/prompts/en~welcome/preview", &[], MP3).await;
    assert_eq!(check.status, 200, "{check:?}");
    assert!((check.json()["silenceStart"].as_f64().unwrap() - 0.3).abs() < 0.1, "{check:?}");
    assert!((check.json()["lufs"].as_f64().unwrap() + 19.0).abs() < 0.3, "{check:?}");
    assert_eq!(one(&boss, "en~welcome").await["source"], "shipped", "nothing is stored");

    let made = boss.upload("PUT", "/prompts/en~welcome", &NEW, MP3).await;
    assert_eq!((made.status, &made.json()), (201, &check.json()), "as it was previewed");
    let first = made.json()["version"].as_str().unwrap().to_owned();
    assert_eq!(made.headers["etag"], format!("\"{first}\""));
    let now = one(&boss, "en~welcome").await;
    assert_eq!(
        (&now["source"], &now["version"], &now["text"]),
        (&json!("imported"), &json!(first), &Value::Null)
    );
    assert_eq!(
        boss.upload("PUT", "/prompts/en~welcome", &NEW, FLAC).await.problem(),
        (412, "changed".into())
    );
    assert_eq!(
        boss.upload("PUT", "/prompts/en~welcome", &[], FLAC).await.problem(),
        (428, "version-needed".into())
    );
    let tag = format!("\"{first}\"");
    let made = boss.upload("PUT", "/prompts/en~welcome", &[("if-match", &tag)], FLAC).await;
    assert_eq!(made.status, 200, "{made:?}");
    let second = made.json()["version"].as_str().unwrap().to_owned();

    for (query, version) in [(String::new(), &second), (format!("?version={first}"), &first)] {
        let path = format!("/api/v1/prompts/en~welcome/audio{query}");
        let whole = boss.raw("GET", &path, &[]).await;
        assert_eq!((whole.status, whole.headers["content-type"].as_str()), (200, "audio/wav"));
        let stored = house.store.prompt_sound(version, true).await.unwrap();
        assert_eq!(Some(&whole.body), stored.as_ref());
        let part = boss.raw("GET", &path, &[("range", "bytes=10-19")]).await;
        assert_eq!((part.status, &part.body[..]), (206, &whole.body[10..20]));
    }
    let other = format!("/prompts/de~welcome/audio?version={first}");
    assert_eq!(boss.get(&other).await.problem(), (404, "no-prompt".into()), "a version of another prompt");

    assert_eq!(boss.post("/prompts/en~welcome/restore", json!({ "version": first })).await.status, 204);
    let now = one(&boss, "en~welcome").await;
    assert_eq!((&now["version"], now["versions"].as_array().unwrap().len()), (&json!(first), 2));
    let never = boss.post("/prompts/en~welcome/restore", json!({ "version": "00".repeat(32) })).await;
    assert_eq!(never.problem(), (404, "no-version".into()));
    assert_eq!(boss.ours("DELETE", "/prompts/en~welcome", None).await.status, 204);
    assert_eq!(boss.ours("DELETE", "/prompts/en~welcome", None).await.problem(), (404, "no-prompt".into()));
    assert_eq!(one(&boss, "en~welcome").await["version"], shipped["version"]);

    let done: Vec<usize> = [
        house.audit("prompt.imported").await,
        house.audit("prompt.restored").await,
        house.audit("prompt.removed").await,
    ]
    .iter()
    .map(Vec::len)
    .collect();
    assert_eq!(done, [2, 1, 1]);
}

#[tokio::test]
async fn what_is_no_sound_is_refused_and_changes_nothing() {
    let house = House::new().await;
    let boss = house.log_in("boss").await;
    for bad in [&b"no sound"[..], b"", &FLAC[..50], &[0; 500]] {
        for (method, path) in [("PUT", "/prompts/en~closed"), ("POST", "/prompts/en~closed/preview")] {
            let answer = boss.upload(method, path, &NEW, bad).await;
            assert_eq!(answer.problem(), (422, "bad-audio".into()), "{bad:?}");
        }
    }
    let large = vec![0; 10_000_001];
    let answer = boss.upload("PUT", "/prompts/en~closed", &NEW, &large).await;
    assert_eq!(answer.problem(), (413, "too-large".into()));
    for id in ["en~nothing", "welcome", "zxx~welcome", "none~en~welcome", "en..~welcome", "a~b~c~welcome"] {
        let answer = boss.upload("PUT", &format!("/prompts/{id}"), &NEW, MP3).await;
        assert_eq!(answer.problem(), (404, "no-prompt".into()), "{id}");
    }
    assert_eq!(house.store.prompts_in_force().await.unwrap(), []);
    assert!(house.audit("prompt.imported").await.is_empty());
}

#[tokio::test]
async fn rights_for_some_queues_change_only_theirs() {
    let house = House::new().await;
    house.apply(SOME).await;
    let (boss, ivr) = (house.log_in("boss").await, house.log_in("ivr").await);
    assert_eq!(boss.upload("PUT", "/prompts/support~en~welcome", &NEW, MP3).await.status, 201);
    assert_eq!(ivr.upload("PUT", "/prompts/sales~en~welcome", &NEW, MP3).await.status, 201);
    let list = ivr.get("/prompts").await.json();
    let ids: Vec<&str> = list.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"sales~en~welcome") && ids.contains(&"en~welcome"), "{ids:?}");
    assert!(!ids.contains(&"support~en~welcome"), "{ids:?}");
    for (id, refused) in [("en~welcome", (403, "no-right")), ("support~en~welcome", (404, "no-prompt"))] {
        let refused = (refused.0, refused.1.to_owned());
        let put = ivr.upload("PUT", &format!("/prompts/{id}"), &NEW, MP3).await;
        assert_eq!(put.problem(), refused, "{id}");
        let preview = ivr.upload("POST", &format!("/prompts/{id}/preview"), &[], MP3).await;
        assert_eq!(preview.problem(), refused, "{id}");
        let remove = ivr.ours("DELETE", &format!("/prompts/{id}"), None).await;
        assert_eq!(remove.problem(), refused, "{id}");
        let text = ivr.ours("PUT", &format!("/prompts/{id}/text"), Some(json!({ "text": "x" }))).await;
        assert_eq!(text.problem(), refused, "{id}");
        let version = json!({ "version": "00".repeat(32) });
        let restore = ivr.post(&format!("/prompts/{id}/restore"), version).await;
        assert_eq!(restore.problem(), refused, "{id}");
    }
    assert_eq!(ivr.get("/prompts/support~en~welcome/audio").await.problem(), (404, "no-prompt".into()));
    assert_eq!(ivr.raw("GET", "/api/v1/prompts/en~welcome/audio", &[]).await.status, 200);
}

#[tokio::test]
async fn texts_are_noted_of_the_version_that_is_heard() {
    let house = House::new().await;
    let boss = house.log_in("boss").await;
    let note = async |text: &str| {
        boss.ours("PUT", "/prompts/sales~fi~closed/text", Some(json!({ "text": text }))).await
    };
    assert_eq!(note("Suljettu.").await.problem(), (404, "no-prompt".into()), "there is none");
    assert_eq!(boss.upload("PUT", "/prompts/sales~fi~closed", &NEW, MP3).await.status, 201);
    assert_eq!(note(" Suljettu.\n").await.status, 204);
    assert_eq!(note("Suljettu.").await.status, 204, "it says so already");
    assert_eq!(note("a\u{1b}[2J").await.problem(), (422, "bad-text".into()));
    assert_eq!(one(&boss, "sales~fi~closed").await["text"], "Suljettu.");
    assert_eq!(house.audit("prompt.noted").await.len(), 1);
    // Another sound says something else.
    let any = [("if-match", "*")];
    assert_eq!(boss.upload("PUT", "/prompts/sales~fi~closed", &any, FLAC).await.status, 200);
    assert_eq!(one(&boss, "sales~fi~closed").await["text"], Value::Null);
    assert_eq!(note("").await.status, 204);
}

#[tokio::test]
async fn languages_that_nobody_recorded_are_missing() {
    let house = House::new().await;
    let boss = house.log_in("boss").await;
    house.apply("[queue.sales]\nlanguage = \"sv\"\nrecording = \"consent\"\n").await;
    let missing = one(&boss, "sv~consent-question").await;
    assert_eq!((&missing["source"], &missing["version"]), (&json!("missing"), &Value::Null));
    assert_eq!(missing["usedBy"], json!(["sales"]));
    assert_eq!(boss.upload("PUT", "/prompts/sv~consent-question", &NEW, MP3).await.status, 201);
    assert_eq!(one(&boss, "sv~consent-question").await["source"], "imported");
    let music = one(&boss, "zxx~music").await;
    assert_eq!((&music["source"], &music["usedBy"]), (&json!("shipped"), &json!(["sales", "support"])));
}
