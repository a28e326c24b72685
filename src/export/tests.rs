//! What is signed can be verified, what was changed cannot; the shapes are those of the drafts.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use ulid::Ulid;

use super::*;
use crate::ids::{AgentId, CallId, QueueId, RecordingId, Redacted, TrunkId};
use crate::store::{CallRow, ConsentRow, LegRow, RecordedGap, StoredObject};

const ID: RecordingId = RecordingId::new(Ulid(0x019e_0000_0000_7777_0123_4567_89ab_cdef));
const CALL: CallId = CallId::new(Ulid(7));

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_795_339_800 + seconds) * 1_000_000)
}

/// The caller pressed 1, spoke to Ada and to somebody outside; Bob's phone only rang, Eve came later.
fn facts() -> Facts {
    let leg = |n, agent: Option<&str>, outside: Option<&str>, from: Option<i64>, to: i64| LegRow {
        n,
        agent: agent.map(AgentId::from),
        direction: "out".into(),
        trunk: None,
        outside: outside.map(|number| Redacted(number.to_owned())),
        dialled_at: at(5),
        connected_at: from.map(at),
        ended_at: Some(at(to)),
        cause: None,
        quality: None,
    };
    let call = CallRow {
        id: CALL,
        arrived_at: at(0),
        from: Some(Redacted("+4930555001".into())),
        dialled: "+4930100".into(),
        trunk: Some(TrunkId("carrier".into())),
        first_queue: QueueId("support".into()),
        queue: QueueId("support".into()),
        language: "en".into(),
        basis: Some("agreed".into()),
        basis_detail: Some(at(4).to_rfc3339()),
        queued_at: Some(at(5)),
        connected_at: Some(at(10)),
        agent: Some(AgentId::from("ada")),
        ended_at: Some(at(22)),
        end_cause: Some("caller".into()),
        anonymised_at: None,
        restricted_at: None,
    };
    let consent = ConsentRow {
        reset: None,
        call: CALL,
        from: call.from.clone(),
        at: at(4),
        queue: QueueId("support".into()),
        answer: "yes".into(),
        agreed: true,
        digit: Some("1".into()),
        channel: Some("rfc4733".into()),
        question_sha256: Some("ab".repeat(32)),
        language: Some("en".into()),
    };
    let call = CallDetail {
        call,
        legs: vec![
            leg(0, None, None, Some(0), 22),
            leg(1, Some("bob"), None, None, 8),
            leg(2, Some("ada"), None, Some(10), 22),
            leg(3, None, Some("+4930777"), Some(15), 20),
            leg(4, Some("eve"), None, Some(21), 22),
        ],
        events: Vec::new(),
        consents: vec![consent],
        recordings: Vec::new(),
    };
    Facts {
        recording: recording(),
        call,
        at: at(100),
        by: "user ada".into(),
        audit: Some(AuditPlace { n: 9, hash: "cd".into() }),
    }
}

fn recording() -> RecordingRow {
    RecordingRow {
        id: ID,
        call: CALL,
        queue: QueueId("support".into()),
        state: "stored".into(),
        basis: "agreed".into(),
        basis_detail: Some(at(4).to_rfc3339()),
        wrapped_key: None,
        kek: None,
        spool: None,
        format: "pcm16".into(),
        armed_at: at(9),
        started_at: Some(at(10)),
        ended_at: Some(at(20)),
        salvaged: false,
        encoded_at: None,
        stored_at: Some(at(30)),
        object: Some(StoredObject {
            place: "a folder".to_owned(),
            name: "recordings/2026/11/22/x.rec".into(),
            version: None,
            bytes: 320_100,
            checksum: "c".into(),
            encryption: "sealed".into(),
        }),
        destroyed_at: None,
        rule: None,
        destroyed_by: None,
        removed_at: None,
        samples: Some(80_000),
        bytes: Some(320_100),
        sha256: Some("ef".repeat(32)),
        gaps: vec![RecordedGap { start: 8_000, len: 4_000, channel: None, why: "paused".into() }],
        unlisted: Some(0),
        why: None,
    }
}

fn signed<T>(seed: u8, make: impl FnOnce(&Signing<'_>) -> T) -> (T, [u8; 32]) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    let sign = |message: &[u8]| pair.sign(message).as_ref().try_into().unwrap();
    (make(&Signing { public, sign: &sign }), public)
}

fn dialog(bytes: &[u8]) -> vcon::Dialog<'_> {
    vcon::Dialog { content_type: "audio/wav", filename: format!("{ID}.wav"), body: vcon::Body::Inline(bytes) }
}

#[test]
fn a_vcon_tells_who_spoke_and_what_was_agreed() {
    let audio: Vec<u8> = (0..=255).collect();
    let (text, key) = signed(1, |signing| vcon::sign(&facts(), &dialog(&audio), signing));
    let told = verify(&text, Some(key)).unwrap();
    assert_eq!(told["parties"][0]["tel"], "tel:+4930555001");
    assert_eq!(told["parties"][1]["name"], "ada");
    assert_eq!(told["parties"][2]["tel"], "tel:+4930777");
    assert_eq!(told["parties"].as_array().unwrap().len(), 4, "and who wrote it: {told}");
    let spoken = &told["dialog"][0];
    assert_eq!(spoken["type"], "recording");
    assert_eq!(spoken["start"], at(10).to_rfc3339());
    assert_eq!(spoken["duration"], 10.0);
    assert_eq!(spoken["parties"], json!([0, [1, 2]]), "one entry for each channel");
    assert_eq!(spoken["mediatype"], "audio/x-wav");
    assert_eq!(spoken["encoding"], "base64url");
    assert_eq!(URL_SAFE_NO_PAD.decode(spoken["body"].as_str().unwrap()).unwrap(), audio);
    assert_eq!(told["analysis"], json!([]));
    let consent = &told["attachments"][0];
    // draft-howe-vcon-consent §5: these four are needed.
    assert_eq!(
        (&consent["party"], &consent["dialog"], &consent["expiration"]),
        (&json!(0), &json!(0), &Value::Null)
    );
    assert_eq!(consent["consents"][0]["purpose"], "recording");
    assert_eq!(consent["consents"][0]["status"], "granted");
    assert_eq!(consent["consents"][0]["timestamp"], at(4).to_rfc3339());
    assert_eq!(consent["body"]["key"], "1");
    assert_eq!(consent["body"]["question_sha256"], "ab".repeat(32));
    assert_eq!(consent["body"]["language"], "en");
    assert_eq!(consent["body"]["basis"], "agreed");
    let told_of = &told["attachments"][1]["body"];
    assert_eq!(told_of["gaps"]["list"][0]["why"], "paused");
    assert_eq!(told_of["export"]["audit"]["n"], 9);
    // The draft: the unprotected header tells the UUID, and it is the payload's.
    let outer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(outer["signatures"][0]["header"]["uuid"], told["uuid"]);
}

#[test]
fn the_uuid_is_of_version_8_and_always_the_same() {
    let uuid = vcon::uuid(ID);
    assert_eq!(uuid, vcon::uuid(ID));
    assert!(uuid.starts_with("019e0000-0000-8"), "the time of the ULID, then the version: {uuid}");
    assert!(["8", "9", "a", "b"].contains(&&uuid[19..20]), "the variant: {uuid}");
    assert_eq!(uuid.len(), 36);
    // Another recording of the same millisecond.
    assert_ne!(uuid, vcon::uuid(RecordingId::new(Ulid(0x019e_0000_0000_7777_0123_4567_89ab_cdee))));
}

#[test]
fn a_vcon_whose_audio_lies_elsewhere_has_its_hash() {
    let body = vcon::Body::External { url: "https://desk.example/a".into(), sha512: [7; 64] };
    let dialog = vcon::Dialog { body, ..dialog(&[]) };
    let (text, _) = signed(1, |signing| vcon::sign(&facts(), &dialog, signing));
    let told = verify(&text, None).unwrap();
    let hash = told["dialog"][0]["content_hash"].as_str().unwrap().to_owned();
    assert_eq!(hash, format!("sha512-{}", URL_SAFE_NO_PAD.encode([7; 64])));
    assert_eq!(told["dialog"][0].get("body"), None);
}

#[test]
fn what_is_no_consent_is_not_called_one() {
    let status = |change: &dyn Fn(&mut Facts)| {
        let mut facts = facts();
        change(&mut facts);
        let (text, _) = signed(1, |signing| vcon::sign(&facts, &dialog(&[]), signing));
        let told = verify(&text, None).unwrap();
        let attachments = told["attachments"].as_array().unwrap().clone();
        let consent = attachments.into_iter().find(|one| one["purpose"] == "consent");
        consent.map(|one| one["consents"][0]["status"].as_str().unwrap().to_owned())
    };
    assert_eq!(status(&|_| ()), Some("granted".into()));
    for basis in ["obligation", "contract", "override"] {
        assert_eq!(status(&|facts| facts.recording.basis = basis.into()), None, "{basis}");
    }
    assert_eq!(
        status(&|facts| {
            facts.recording.basis = "agreed-earlier".into();
            facts.call.consents.clear();
        }),
        Some("granted".into())
    );
    assert_eq!(
        status(&|facts| {
            let mut later = facts.call.consents[0].clone();
            (later.answer, later.agreed, later.at) = ("withdrawn".into(), false, at(18));
            facts.call.consents.insert(0, later);
        }),
        Some("revoked".into())
    );
    // Taken back first, and given again: the newest word counts.
    assert_eq!(
        status(&|facts| {
            let mut before = facts.call.consents[0].clone();
            (before.answer, before.agreed, before.at) = ("withdrawn".into(), false, at(2));
            facts.call.consents.push(before);
        }),
        Some("granted".into())
    );
}

#[test]
fn a_proof_is_only_of_a_key_that_is_known() {
    let consent = |change: &dyn Fn(&mut Facts)| {
        let mut facts = facts();
        change(&mut facts);
        let (text, _) = signed(1, |signing| vcon::sign(&facts, &dialog(&[]), signing));
        verify(&text, None).unwrap()["attachments"][0].clone()
    };
    assert_eq!(consent(&|_| ())["proof"][0]["type"], "key-press");
    let earlier = consent(&|facts| {
        facts.recording.basis = "agreed-earlier".into();
        facts.recording.basis_detail = None;
        facts.call.consents.clear();
    });
    assert_eq!(earlier.get("proof"), None);
    assert_eq!(earlier["start"], at(9).to_rfc3339(), "a time, for the draft wants one");
}

#[test]
fn a_changed_vcon_and_another_key_are_refused() {
    let (text, key) = signed(1, |signing| vcon::sign(&facts(), &dialog(b"RIFF"), signing));
    let (_, other) = signed(2, |_| ());
    assert_eq!(verify(&text, Some(other)), Err(JwsError::OtherKey(hex::encode(key))));
    let mut outer: Value = serde_json::from_str(&text).unwrap();
    let payload = URL_SAFE_NO_PAD.decode(outer["payload"].as_str().unwrap()).unwrap();
    let changed = String::from_utf8(payload).unwrap().replace("+4930555001", "+4930555002");
    outer["payload"] = json!(URL_SAFE_NO_PAD.encode(changed));
    assert_eq!(verify(&outer.to_string(), Some(key)), Err(JwsError::Changed));
    // Whose vCon it is stands unprotected beside it, and must be what is signed.
    let mut renamed: Value = serde_json::from_str(&text).unwrap();
    renamed["signatures"][0]["header"]["uuid"] = json!("019e0000-0000-8000-8000-000000000000");
    assert!(matches!(verify(&renamed.to_string(), Some(key)), Err(JwsError::Malformed(_))));
    assert_eq!(open(&text, None).unwrap().key, key, "whose key it is can be told");
    let mut none: Value = serde_json::from_str(&text).unwrap();
    none["signatures"][0]["protected"] = json!(URL_SAFE_NO_PAD.encode("{\"alg\":\"none\"}"));
    assert_eq!(verify(&none.to_string(), None), Err(JwsError::Algorithm));
    for broken in ["", "{}", "[]", "{\"payload\":1}", "{\"payload\":\"\",\"signatures\":[]}"] {
        assert!(matches!(verify(broken, None), Err(JwsError::Malformed(_))), "{broken}");
    }
}

#[test]
fn a_manifest_holds_for_its_file_alone() {
    let audio = AudioFile {
        file: "a.wav".into(),
        content_type: "audio/wav".into(),
        bytes: 44,
        sha256: "12".repeat(32),
    };
    let (text, key) = signed(1, |signing| Manifest::sign(&facts(), &audio, signing));
    assert_eq!(Manifest::open(&text, None).unwrap().1, key);
    let told = Manifest::verify(&text, Some(key)).unwrap();
    assert_eq!((told.recording, told.audio), (ID.to_string(), audio));
    let whole: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(whole["manifest"]["sealed"]["sha256"], "ef".repeat(32));
    assert_eq!(whole["manifest"]["consents"][0]["key"], "1");
    assert_eq!(whole["manifest"]["export"]["audit"], json!({ "n": 9, "hash": "cd" }));
    assert_eq!(
        Manifest::verify(&text.replace("\"44\"", "45").replace(": 44", ": 45"), Some(key)),
        Err(ManifestError::Changed)
    );
    let (_, other) = signed(2, |_| ());
    assert_eq!(Manifest::verify(&text, Some(other)), Err(ManifestError::OtherKey(hex::encode(key))));
    assert!(matches!(Manifest::verify("{}", None), Err(ManifestError::Malformed(_))));
    // Who lays it out in another way has changed nothing.
    assert!(Manifest::verify(&whole.to_string(), Some(key)).is_ok());
}

#[test]
fn the_certificate_is_der_of_the_right_lengths() {
    let (certificate, key) = signed(1, der::certificate);
    assert_eq!(der::key_of(&certificate), Some(key));
    // SEQUENCE, two bytes of length, and all of it.
    assert_eq!(certificate[0], 0x30);
    assert_eq!(certificate[1], 0x82);
    assert_eq!(usize::from(u16::from_be_bytes([certificate[2], certificate[3]])), certificate.len() - 4);
    assert_eq!(der::key_of(&certificate[..certificate.len() / 2 - 20]), None);
}
