//! The manifest beside an exported file: what the audio is, why it could be made, and hashes that tie it to the sealed
//! object and to the audit log; signed. `{"manifest": {…}, "algorithm": "Ed25519", "public_key": hex, "signature": hex}`,
//! signed over the manifest's JSON with sorted keys and without spaces.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::{Value, json};

use super::party::parties;
use super::{Facts, Signing};
use crate::store::RecordedGap;
use crate::time::Timestamp;

/// An exported file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AudioFile {
    /// Its name, without a folder.
    pub file: String,
    /// `audio/wav` or `audio/ogg`, `application/vcon` for one inside a vCon.
    pub content_type: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 (hex) of it.
    pub sha256: String,
}

/// What a manifest says, as far as it is needed to check a file against it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Manifest {
    /// Which recording.
    pub recording: String,
    /// The file.
    pub audio: AudioFile,
}

/// Why a manifest is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read.
    #[error("it is no manifest of an export: {0}")]
    Malformed(&'static str),
    /// Another key signed it.
    #[error("it is signed by the key {0}, which is not the expected one")]
    OtherKey(String),
    /// It was changed after it was signed.
    #[error("the signature does not fit: it was changed after it was signed")]
    Changed,
}

impl Manifest {
    /// Writes and signs the manifest of an exported file.
    #[must_use]
    pub fn sign(facts: &Facts, audio: &AudioFile, signing: &Signing<'_>) -> String {
        let manifest = value(facts, Some(audio));
        let signature = (signing.sign)(canonical(&manifest).as_bytes());
        let file = json!({
            "manifest": manifest,
            "algorithm": "Ed25519",
            "public_key": hex::encode(signing.public),
            "signature": hex::encode(signature),
        });
        format!("{file:#}\n")
    }

    /// Reads one that `expected` (or, without it, whatever key it names) signed.
    ///
    /// # Errors
    /// See [`ManifestError`].
    pub fn verify(text: &str, expected: Option<[u8; 32]>) -> Result<Self, ManifestError> {
        Self::open(text, expected).map(|(manifest, _)| manifest)
    }

    /// The same, and whose key signed it.
    ///
    /// # Errors
    /// See [`ManifestError`].
    pub fn open(text: &str, expected: Option<[u8; 32]>) -> Result<(Self, [u8; 32]), ManifestError> {
        use ManifestError::Malformed;
        #[derive(Deserialize)]
        struct Signed {
            manifest: Value,
            algorithm: String,
            public_key: String,
            signature: String,
        }
        let signed: Signed = serde_json::from_str(text).map_err(|_| Malformed("the JSON is another one"))?;
        if signed.algorithm != "Ed25519" {
            return Err(Malformed("it is signed by another algorithm than Ed25519"));
        }
        let bytes = |text: &str| hex::decode(text).map_err(|_| Malformed("key and signature are hex"));
        let key: [u8; 32] =
            bytes(&signed.public_key)?.try_into().map_err(|_| Malformed("a key has 32 bytes"))?;
        if expected.is_some_and(|expected| expected != key) {
            return Err(ManifestError::OtherKey(signed.public_key));
        }
        let told = canonical(&signed.manifest);
        let checked =
            UnparsedPublicKey::new(&ED25519, key).verify(told.as_bytes(), &bytes(&signed.signature)?);
        checked.map_err(|_| ManifestError::Changed)?;
        let told = serde_json::from_value(signed.manifest);
        told.map(|told| (told, key)).map_err(|_| Malformed("recording and audio are missing"))
    }
}

/// All that is told of a recording. Inside a vCon the audio lies beside it.
pub(super) fn value(facts: &Facts, audio: Option<&AudioFile>) -> Value {
    let Facts { recording, call, at, by, audit } = facts;
    let time = |at: Option<Timestamp>| at.map(Timestamp::to_rfc3339);
    let consents = call.consents.iter().rev().map(|consent| {
        json!({
            "at": consent.at.to_rfc3339(), "answer": consent.answer, "agreed": consent.agreed,
            "key": consent.digit, "channel": consent.channel, "queue": consent.queue,
            "question_sha256": consent.question_sha256, "language": consent.language,
        })
    });
    let gaps = recording.gaps.iter().map(|RecordedGap { start, len, channel, why }| {
        json!({ "start": start, "len": len, "channel": channel, "why": why })
    });
    let object = recording.object.as_ref();
    json!({
        "kind": "sayso recording export",
        "version": 1,
        "recording": recording.id,
        "call": recording.call,
        "queue": recording.queue,
        "trunk": call.call.trunk,
        "dialled": call.call.dialled,
        "parties": parties(facts).iter().map(super::party::Party::manifest).collect::<Vec<_>>(),
        "times": {
            "call_arrived": call.call.arrived_at.to_rfc3339(),
            "recording_began": time(recording.started_at),
            "recording_ended": time(recording.ended_at),
            "stored": time(recording.stored_at),
        },
        "basis": { "word": recording.basis, "detail": recording.basis_detail },
        "consents": consents.collect::<Vec<_>>(),
        "gaps": { "unit": "samples of each channel", "list": gaps.collect::<Vec<_>>(),
            "unlisted_silent_samples": recording.unlisted },
        "salvaged": recording.salvaged,
        "format": { "name": recording.format, "sample_rate": 8_000, "samples": recording.samples,
            "channels": ["caller", "everybody else"] },
        "audio": audio.map(|audio| json!({
            "file": audio.file, "content_type": audio.content_type, "bytes": audio.bytes, "sha256": audio.sha256,
        })),
        "sealed": { "bytes": recording.bytes, "sha256": recording.sha256,
            "object": object.map(|object| &object.name) },
        "export": { "at": at.to_rfc3339(), "by": by,
            "audit": audit.as_ref().map(|place| json!({ "n": place.n, "hash": place.hash })) },
    })
}

/// JSON with sorted keys and without spaces, whatever order the map was in.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entry = |(key, value): (&String, &Value)| format!("{}:{}", json!(key), canonical(value));
            format!("{{{}}}", entries.into_iter().map(entry).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}
