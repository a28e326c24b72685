//! A recording as a vCon: draft-ietf-vcon-vcon-core, signed form, with the caller's consent as an attachment of
//! draft-howe-vcon-consent. Section names below are those of the core draft.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::party::{Party, parties};
use super::{Facts, Signing, jws, manifest};
use crate::ids::RecordingId;
use crate::store::ConsentRow;

/// Audio of at most so many bytes goes inside by HTTP, about 17 minutes of PCM: it is in memory four times while it is
/// signed.
pub const INLINE: u64 = 16 << 20;

/// The recording's audio.
#[derive(Clone, Debug)]
pub struct Dialog<'a> {
    /// `audio/wav` or `audio/ogg`.
    pub content_type: &'a str,
    /// Its name as a file.
    pub filename: String,
    /// Where it is.
    pub body: Body<'a>,
}

/// See [`Dialog::body`].
#[derive(Clone, Debug)]
pub enum Body<'a> {
    /// Here ("Inline Files").
    Inline(&'a [u8]),
    /// There, with its SHA-512 ("Externally Referenced Files").
    External {
        /// An HTTPS URL.
        url: String,
        /// SHA-512 of what is there.
        sha512: [u8; 64],
    },
}

/// The vCon, signed ("Signed Form of vCon Object").
#[must_use]
pub fn sign(facts: &Facts, dialog: &Dialog<'_>, signing: &Signing<'_>) -> String {
    let vcon = value(facts, dialog);
    let header = json!({ "uuid": vcon["uuid"] });
    jws::sign(vcon.to_string().as_bytes(), header, signing)
}

/// The vCon's UUID: always the same for a recording.
///
/// Version 8 (RFC 9562 §5.8) with the time where version 7 has it. The draft would fill the rest with a hash of the
/// host's name, which leaves 12 bits to tell recordings of one millisecond apart; here it is a hash of the id.
#[must_use]
pub fn uuid(id: RecordingId) -> String {
    let text = id.to_string();
    let time = ulid::Ulid::from_string(&text).map_or(0, |ulid| ulid.timestamp_ms());
    let mark = digest(&SHA256, format!("sayso vcon {text}").as_bytes());
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&time.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&mark.as_ref()[..10]);
    bytes[6] = 0x80 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    let hex = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn value(facts: &Facts, dialog: &Dialog<'_>) -> Value {
    let parties = parties(facts);
    let recording = &facts.recording;
    let ended = recording.ended_at.unwrap_or(facts.at);
    let mut attachments: Vec<Value> = consent(facts).into_iter().collect();
    attachments.push(json!({
        "purpose": "sayso-recording",
        "start": ended.to_rfc3339(),
        // Who builds the vCon is told as a party of its own ("Attachment Object", party).
        "party": parties.len(),
        "dialog": 0,
        "mediatype": "application/json",
        "encoding": "json",
        "body": manifest::value(facts, None),
    }));
    let mut told: Vec<Value> = parties.iter().map(Party::vcon).collect();
    told.push(json!({ "name": "Sayso", "validation": "none", "type": "organization" }));
    json!({
        "vcon": "0.4.0",
        "uuid": uuid(recording.id),
        "extensions": ["consent"],
        "created_at": ended.to_rfc3339(),
        "updated_at": facts.at.to_rfc3339(),
        "parties": told,
        "dialog": [spoken(facts, dialog, &parties)],
        "analysis": [],
        "attachments": attachments,
    })
}

/// The dialog object: one entry in its `parties` for each channel.
fn spoken(facts: &Facts, dialog: &Dialog<'_>, parties: &[Party<'_>]) -> Value {
    let recording = &facts.recording;
    let on = |channel| {
        let mut on = Vec::new();
        on.extend((0..parties.len()).filter(|n| parties[*n].channel == channel));
        match on.as_slice() {
            [] => Value::Null,
            [one] => json!(one),
            several => json!(several),
        }
    };
    let began = recording.started_at.unwrap_or(recording.armed_at);
    let mut object = json!({
        "type": "recording",
        "start": began.to_rfc3339(),
        "duration": recording.samples.map(|samples| samples as f64 / 8_000.0),
        "parties": [on(0), on(1)],
        // The draft lists WAV by its old name.
        "mediatype": if dialog.content_type == "audio/wav" { "audio/x-wav" } else { dialog.content_type },
        "filename": dialog.filename,
    });
    match &dialog.body {
        Body::Inline(bytes) => {
            object["encoding"] = json!("base64url");
            object["body"] = Value::String(URL_SAFE_NO_PAD.encode(bytes));
        }
        Body::External { url, sha512 } => {
            object["url"] = json!(url);
            object["content_hash"] = json!(format!("sha512-{}", URL_SAFE_NO_PAD.encode(sha512)));
        }
    }
    object
}

/// The consent attachment; `None` where it was not consent that allowed the recording, and nothing was answered.
///
/// Its fields stand at the top of the attachment, where draft-howe-vcon-consent §5 wants them, and our facts in the body,
/// where the core draft has an attachment's content.
fn consent(facts: &Facts) -> Option<Value> {
    let recording = &facts.recording;
    let given = |row: &&ConsentRow| row.agreed && row.at <= recording.armed_at;
    let answer = facts.call.consents.iter().find(given);
    let at = match (recording.basis.as_str(), answer) {
        ("agreed", Some(row)) => Some(row.at.to_rfc3339()),
        // The answer lies in an earlier call: its time is what is known here.
        ("agreed" | "agreed-earlier", _) => recording.basis_detail.clone(),
        _ => return None,
    };
    // The core draft wants a time; the decision was there when the recording was armed.
    let at = at.unwrap_or_else(|| recording.armed_at.to_rfc3339());
    // Taken back later: the recording is there only until it is destroyed, and says so. The newest word counts, and
    // stands first.
    let newest = facts.call.consents.iter().find(|row| row.agreed || row.answer == "withdrawn");
    let withdrawn = newest.filter(|row| row.answer == "withdrawn");
    let status = if withdrawn.is_some() { "revoked" } else { "granted" };
    let key = answer.filter(|_| recording.basis == "agreed");
    let mut told = json!({
        "type": "consent",
        "purpose": "consent",
        "start": at,
        // Until it is taken back (§6).
        "expiration": null,
        "party": 0,
        "dialog": 0,
        "consents": [{ "purpose": "recording", "status": status, "timestamp": at,
            // The draft's older examples say it in these words.
            "consent": "recording", "value": status == "granted" }],
        "mediatype": "application/json",
        "encoding": "json",
        "body": {
            "basis": recording.basis,
            "answer": key.map(|row| &row.answer),
            "at": at,
            "key": key.and_then(|row| row.digit.as_ref()),
            "channel": key.and_then(|row| row.channel.as_ref()),
            "question_sha256": key.and_then(|row| row.question_sha256.as_ref()),
            "language": key.and_then(|row| row.language.as_ref()),
            "withdrawn_at": withdrawn.map(|row| row.at.to_rfc3339()),
        },
    });
    // What was pressed in another call is not known here.
    if key.is_some_and(|row| row.digit.is_some()) {
        told["proof"] = json!([{ "type": "key-press", "timestamp": at }]);
    }
    Some(told)
}
