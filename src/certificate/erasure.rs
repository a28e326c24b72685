//! Erasure certificates: that a person's data was erased on request, how much of it, and by which deletion certificates
//! its recordings are proven to be gone. In the same envelope as those, and verified by the same key. It names nobody but
//! the users who asked and approved, and calls by their ids.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{CallId, RecordingId, TaskId};
use crate::time::Timestamp;

use super::{CertificateError, ChainPosition, Position, canonical, enveloped, moment, octets, opened};

/// What a certificate of this kind calls itself.
const DOCUMENT: &str = "sayso erasure certificate";
const VERSION: u32 = 1;

/// That data was erased on request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// The request.
    pub task: TaskId,
    /// Whether it was put into the separate store before, and which file that is, with its SHA-256 (hex).
    pub moved_to: Option<(String, String)>,
    /// The user who asked for it.
    pub by: String,
    /// The user who approved it; `None`: nobody had to.
    pub approved_by: Option<String>,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When the last of it was gone.
    pub erased_at: Timestamp,
    /// The place in the audit log of the request.
    pub audit: ChainPosition,
    /// Calls that were anonymised.
    pub calls: u64,
    /// Consents whose number was erased.
    pub consents: u64,
    /// Entries of the directory that were removed.
    pub entries: u64,
    /// The recordings that were destroyed, each with the SHA-256 (hex) of its deletion certificate.
    pub recordings: Vec<(RecordingId, String)>,
    /// Calls that were left, and why.
    pub left: Vec<(CallId, String)>,
    /// What could not be reached from there, in words.
    pub not_seen: Vec<String>,
    /// As in [`Certificate::product`](super::Certificate::product).
    pub product: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    document: String,
    version: u32,
    task: TaskId,
    moved_to: Option<Moved>,
    by: String,
    approved_by: Option<String>,
    asked_at: String,
    erased_at: String,
    audit: Position,
    calls: u64,
    consents: u64,
    entries: u64,
    recordings: Vec<Proof>,
    left: Vec<Left>,
    not_seen: Vec<String>,
    product: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Moved {
    file: String,
    sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    recording: RecordingId,
    certificate_sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Left {
    call: CallId,
    why: String,
}

/// Whether a text says of itself that it is an erasure certificate; nothing is verified.
#[must_use]
pub fn is_erasure(text: &str) -> bool {
    let whole: Option<Value> = serde_json::from_str(text).ok();
    let document = whole.as_ref().and_then(|whole| whole.get("certificate")?.get("document")?.as_str());
    document == Some(DOCUMENT)
}

/// The signed certificate, as [`sign`](super::sign) writes one.
#[must_use]
pub fn sign_erasure(
    erasure: &Erasure,
    signature: impl FnOnce(&[u8]) -> [u8; 64],
    public_key: [u8; 32],
) -> String {
    let content = canonical(&content(erasure));
    let signature = signature(content.as_bytes());
    enveloped(&content, &public_key, &signature)
}

/// Verifies what [`sign_erasure`] wrote; what it says, and whose key signed it.
///
/// # Errors
/// As [`verify`](super::verify).
pub fn verify_erasure(
    text: &str,
    expected: Option<[u8; 32]>,
) -> Result<(Erasure, [u8; 32]), CertificateError> {
    opened(text, expected, erasure_of)
}

fn content(erasure: &Erasure) -> Value {
    let content = Content {
        document: DOCUMENT.to_owned(),
        version: VERSION,
        task: erasure.task,
        moved_to: erasure.moved_to.clone().map(|(file, sha256)| Moved { file, sha256 }),
        by: erasure.by.clone(),
        approved_by: erasure.approved_by.clone(),
        asked_at: erasure.asked_at.to_rfc3339(),
        erased_at: erasure.erased_at.to_rfc3339(),
        audit: Position { n: erasure.audit.n, hash: hex::encode(erasure.audit.hash) },
        calls: erasure.calls,
        consents: erasure.consents,
        entries: erasure.entries,
        recordings: (erasure.recordings.iter())
            .map(|(recording, sha256)| Proof { recording: *recording, certificate_sha256: sha256.clone() })
            .collect(),
        left: erasure.left.iter().map(|(call, why)| Left { call: *call, why: why.clone() }).collect(),
        not_seen: erasure.not_seen.clone(),
        product: erasure.product.clone(),
    };
    serde_json::to_value(content).expect("texts, numbers and lists are JSON")
}

fn erasure_of(content: &Value) -> Result<Erasure, CertificateError> {
    let not = |what: String| CertificateError::NotACertificate(what);
    if content.get("document").and_then(Value::as_str) != Some(DOCUMENT) {
        return Err(not(format!("its `document` is not {DOCUMENT:?}")));
    }
    match content.get("version").and_then(Value::as_u64) {
        Some(version) if version > u64::from(VERSION) => return Err(CertificateError::Newer(version)),
        Some(_) | None => {}
    }
    let content = Content::deserialize(content).map_err(|error| not(error.to_string()))?;
    let at = |text: &str| moment(text).ok_or_else(|| not(format!("{text:?} is no time of RFC 3339")));
    let hash = octets(Some(&content.audit.hash)).ok_or_else(|| not("`audit.hash` is none".to_owned()))?;
    Ok(Erasure {
        task: content.task,
        moved_to: content.moved_to.map(|moved| (moved.file, moved.sha256)),
        by: content.by,
        approved_by: content.approved_by,
        asked_at: at(&content.asked_at)?,
        erased_at: at(&content.erased_at)?,
        audit: ChainPosition { n: content.audit.n, hash },
        calls: content.calls,
        consents: content.consents,
        entries: content.entries,
        recordings: content
            .recordings
            .into_iter()
            .map(|proof| (proof.recording, proof.certificate_sha256))
            .collect(),
        left: content.left.into_iter().map(|left| (left.call, left.why)).collect(),
        not_seen: content.not_seen,
        product: content.product,
    })
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use ulid::Ulid;

    use super::super::{PRODUCT, verify};
    use super::*;

    fn pair(seed: u8) -> (Ed25519KeyPair, [u8; 32]) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        (pair, public)
    }

    fn sample() -> Erasure {
        let at = |seconds: i64| Timestamp::from_micros(1_795_339_800_000_000 + seconds * 1_000_000);
        Erasure {
            task: TaskId::new(Ulid(1)),
            moved_to: Some(("01.box".to_owned(), "ab".repeat(32))),
            by: "dora".to_owned(),
            approved_by: Some("emil".to_owned()),
            asked_at: at(0),
            erased_at: at(9),
            audit: ChainPosition { n: 12, hash: [3; 32] },
            calls: 2,
            consents: 1,
            entries: 0,
            recordings: vec![(RecordingId::new(Ulid(2)), "cd".repeat(32))],
            left: vec![(CallId::new(Ulid(3)), "held".to_owned())],
            not_seen: vec!["backups".to_owned()],
            product: PRODUCT.to_owned(),
        }
    }

    fn signed(erasure: &Erasure, seed: u8) -> String {
        let (pair, public) = pair(seed);
        sign_erasure(erasure, |octets| pair.sign(octets).as_ref().try_into().unwrap(), public)
    }

    #[test]
    fn what_is_signed_is_verified_and_read_again() {
        let text = signed(&sample(), 1);
        let (_, key) = pair(1);
        assert!(is_erasure(&text) && text.lines().count() == 1);
        assert_eq!(verify_erasure(&text, Some(key)), Ok((sample(), key)));
        assert!(
            matches!(verify(&text, Some(key)), Err(CertificateError::NotACertificate(_))),
            "not of a recording"
        );
        assert!(matches!(verify_erasure(&text, Some(pair(2).1)), Err(CertificateError::AnotherKey { .. })));
        let changed = text.replace("\"calls\":2", "\"calls\":3");
        assert_eq!(verify_erasure(&changed, Some(key)), Err(CertificateError::Changed));
        assert!(!is_erasure("{}") && !is_erasure("x"));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let text = signed(&sample(), 1);
        let (_, key) = pair(1);
        for at in 0..text.trim_end().len() {
            for bit in 0..8 {
                let mut octets = text.clone().into_bytes();
                octets[at] ^= 1 << bit;
                let Ok(changed) = String::from_utf8(octets) else { continue };
                assert!(verify_erasure(&changed, Some(key)).is_err(), "octet {at}, bit {bit}");
            }
        }
    }
}
