//! Deletion certificates: what was destroyed, by which rule, when, and that nothing was found afterwards; signed, and
//! verified by anybody who has the file and the public key, without the server.
//!
//! The file is one line of JSON: `{"algorithm":"Ed25519","certificate":{…},"public_key":hex,"signature":hex}`. The
//! signature is over the UTF-8 octets of `certificate` in canonical form (RFC 8785), which is the form it has in the file;
//! so whoever has a tool for Ed25519 (RFC 8032) can verify it without Sayso. It names no person but who gave the order.

mod erasure;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::ids::{CallId, RecordingId};
use crate::time::Timestamp;

pub use erasure::{Erasure, is_erasure, sign_erasure, verify_erasure};

/// What a certificate calls itself: nothing else that is signed with the same key begins like this.
const DOCUMENT: &str = "sayso deletion certificate";
/// The version of its fields.
const VERSION: u32 = 1;
const ALGORITHM: &str = "Ed25519";

/// What a certificate says of why: our own words as they are, those of a person only as their SHA-256. They may name
/// somebody, and a certificate is kept for good; the audit log has them, and can erase them.
#[must_use]
pub fn reason_told(rule: &str, words: &str) -> String {
    if rule == BY_HAND {
        format!("in words with the SHA-256 {}", hex::encode(digest(&SHA256, words.as_bytes())))
    } else {
        words.to_owned()
    }
}

/// The rule by which a person destroys a recording.
pub(crate) const BY_HAND: &str = "operator";

/// That a recording was destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// What was destroyed.
    pub recording: RecordingId,
    /// The call it was of.
    pub call: CallId,
    /// The rule it was destroyed by: `withdrawal`, `operator`, `retention`, …
    pub rule: String,
    /// Why, in words, or what stands for them: see [`reason_told`].
    pub reason: String,
    /// Who gave the order: an account, or `system`.
    pub by: String,
    /// From then on every copy was noise, wherever it lies.
    pub key_destroyed_at: Timestamp,
    /// The place in the audit log of the row that tells of it.
    pub audit: ChainPosition,
    /// What there was before: an entry for each object, version, delete marker, unfinished upload and local file.
    pub found_before: Vec<String>,
    /// What a listing still found afterwards: nothing, or there is no certificate.
    pub found_after: Vec<String>,
    /// Where it was looked: the object store, the spool, the database.
    pub looked_in: Vec<String>,
    /// What could not be looked at from there, in words.
    pub not_seen: Vec<String>,
    /// When that listing was made.
    pub removed_at: Timestamp,
    /// Name and version of the program that did it: [`PRODUCT`].
    pub product: String,
}

/// What this program calls itself in [`Certificate::product`].
pub const PRODUCT: &str = concat!("sayso ", env!("CARGO_PKG_VERSION"));

/// A row of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainPosition {
    /// Its number, from 1.
    pub n: u64,
    /// Its hash, SHA-256: it stands for all rows up to it.
    pub hash: [u8; 32],
}

/// A certificate whose signature is right, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it says.
    pub certificate: Certificate,
    /// The key that signed it. Unless it was expected, compare it with the server's own.
    pub public_key: [u8; 32],
}

/// Why a text is no certificate to rely on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It is something else.
    #[error("this is no deletion certificate of Sayso: {0}")]
    NotACertificate(String),
    /// It is of a later version.
    #[error("this certificate is of version {0}, which this Sayso does not know: verify it with a newer one")]
    Newer(u64),
    /// The signature is not of this content.
    #[error("this certificate was changed after it was signed: its signature does not fit its content")]
    Changed,
    /// The content is as it was signed; the file is not as it was written.
    #[error(
        "what this certificate says is as it was signed, but the file is not as it was issued: something was added, \
         left out or set out anew around it; take the file as it was issued"
    )]
    Reformatted,
    /// Its own key fits, but it is not the expected one.
    #[error("this certificate was signed with the key {found}, not with the expected {expected}")]
    AnotherKey {
        /// In hex.
        found: String,
        /// In hex.
        expected: String,
    },
}

/// The signed certificate: one line of JSON with a newline. `signature` gets the octets to sign.
#[must_use]
pub fn sign(
    certificate: &Certificate,
    signature: impl FnOnce(&[u8]) -> [u8; 64],
    public_key: [u8; 32],
) -> String {
    let content = canonical(&content(certificate));
    let signature = signature(content.as_bytes());
    enveloped(&content, &public_key, &signature)
}

/// Verifies what [`sign`] wrote, to the last octet (a missing or doubled newline at the end apart).
///
/// # Errors
/// When it is no certificate, was changed, or is signed with another key than `expected`.
pub fn verify(text: &str, expected: Option<[u8; 32]>) -> Result<Verified, CertificateError> {
    let (certificate, public_key) = opened(text, expected, certificate_of)?;
    Ok(Verified { certificate, public_key })
}

/// What a signed file says, as `read` understands it, and whose key signed it.
fn opened<T>(
    text: &str,
    expected: Option<[u8; 32]>,
    read: impl FnOnce(&Value) -> Result<T, CertificateError>,
) -> Result<(T, [u8; 32]), CertificateError> {
    let not = |what: &str| CertificateError::NotACertificate(what.to_owned());
    let whole: Value = serde_json::from_str(text).map_err(|error| not(&format!("not JSON ({error})")))?;
    let field = |name: &str| whole.get(name).and_then(Value::as_str);
    let content = whole.get("certificate").ok_or_else(|| not("`certificate` is missing"))?;
    if field("algorithm") != Some(ALGORITHM) {
        return Err(not("`algorithm` is not Ed25519"));
    }
    let public_key: [u8; 32] = octets(field("public_key")).ok_or_else(|| not("`public_key` is no key"))?;
    let signature: [u8; 64] = octets(field("signature")).ok_or_else(|| not("`signature` is none"))?;
    let signed = canonical(content);
    if UnparsedPublicKey::new(&ED25519, public_key).verify(signed.as_bytes(), &signature).is_err() {
        return Err(CertificateError::Changed);
    }
    let told = read(content)?;
    let issued = enveloped(&signed, &public_key, &signature);
    if text.trim_end_matches(['\r', '\n']) != issued.trim_end() {
        return Err(CertificateError::Reformatted);
    }
    match expected {
        Some(expected) if expected != public_key => Err(CertificateError::AnotherKey {
            found: hex::encode(public_key),
            expected: hex::encode(expected),
        }),
        Some(_) | None => Ok((told, public_key)),
    }
}

/// As it is in JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    document: String,
    version: u32,
    recording: RecordingId,
    call: CallId,
    rule: String,
    reason: String,
    by: String,
    key_destroyed_at: String,
    audit: Position,
    found_before: Vec<String>,
    found_after: Vec<String>,
    looked_in: Vec<String>,
    not_seen: Vec<String>,
    removed_at: String,
    product: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    n: u64,
    hash: String,
}

fn content(certificate: &Certificate) -> Value {
    let Certificate {
        recording,
        call,
        rule,
        reason,
        by,
        key_destroyed_at,
        audit,
        found_before,
        found_after,
        looked_in,
        not_seen,
        removed_at,
        product,
    } = certificate;
    let content = Content {
        document: DOCUMENT.to_owned(),
        version: VERSION,
        recording: *recording,
        call: *call,
        rule: rule.clone(),
        reason: reason.clone(),
        by: by.clone(),
        key_destroyed_at: key_destroyed_at.to_rfc3339(),
        audit: Position { n: audit.n, hash: hex::encode(audit.hash) },
        found_before: found_before.clone(),
        found_after: found_after.clone(),
        looked_in: looked_in.clone(),
        not_seen: not_seen.clone(),
        removed_at: removed_at.to_rfc3339(),
        product: product.clone(),
    };
    serde_json::to_value(content).expect("texts, numbers and lists are JSON")
}

/// What signed content says.
fn certificate_of(content: &Value) -> Result<Certificate, CertificateError> {
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
    Ok(Certificate {
        recording: content.recording,
        call: content.call,
        rule: content.rule,
        reason: content.reason,
        by: content.by,
        key_destroyed_at: at(&content.key_destroyed_at)?,
        audit: ChainPosition { n: content.audit.n, hash },
        found_before: content.found_before,
        found_after: content.found_after,
        looked_in: content.looked_in,
        not_seen: content.not_seen,
        removed_at: at(&content.removed_at)?,
        product: content.product,
    })
}

fn enveloped(content: &str, public_key: &[u8; 32], signature: &[u8; 64]) -> String {
    format!(
        "{{\"algorithm\":\"{ALGORITHM}\",\"certificate\":{content},\"public_key\":\"{}\",\"signature\":\"{}\"}}\n",
        hex::encode(public_key),
        hex::encode(signature),
    )
}

/// JSON without spaces, its names in order (RFC 8785). Ours has whole numbers only and names in ASCII, so their order by
/// octets is the order by UTF-16 units that the RFC wants; texts are escaped as it wants by `serde_json`.
pub(crate) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut names: Vec<&String> = map.keys().collect();
            names.sort_unstable();
            let pair = |name: &&String| format!("{}:{}", Value::from(name.as_str()), canonical(&map[*name]));
            format!("{{{}}}", names.iter().map(pair).collect::<Vec<_>>().join(","))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

pub(crate) fn octets<const N: usize>(text: Option<&str>) -> Option<[u8; N]> {
    let mut octets = [0; N];
    hex::decode_to_slice(text?, &mut octets).ok()?;
    Some(octets)
}

pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let nanos = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos();
    i64::try_from(nanos / 1_000).ok().map(Timestamp::from_micros)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use proptest::prelude::*;
    use serde_json::json;
    use ulid::Ulid;

    use super::*;

    fn pair(seed: u8) -> (Ed25519KeyPair, [u8; 32]) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        (pair, public)
    }

    fn signed(certificate: &Certificate, seed: u8) -> String {
        let (pair, public) = pair(seed);
        sign(certificate, |octets| pair.sign(octets).as_ref().try_into().unwrap(), public)
    }

    fn sample() -> Certificate {
        let at = |seconds: i64| Timestamp::from_micros(1_795_339_800_000_000 + seconds * 1_000_000);
        Certificate {
            recording: RecordingId::new(Ulid(7)),
            call: CallId::new(Ulid(8)),
            rule: "withdrawal".to_owned(),
            reason: "consent withdrawn \"in\" the call\n\u{1}é".to_owned(),
            by: "system".to_owned(),
            key_destroyed_at: at(0),
            audit: ChainPosition { n: 4711, hash: [0xA5; 32] },
            found_before: vec!["object recordings/2026/11/22/X.rec version 1".to_owned()],
            found_after: Vec::new(),
            looked_in: vec!["object store s3://audio/".to_owned(), "spool 01K".to_owned()],
            not_seen: vec!["the write-ahead log".to_owned()],
            removed_at: at(2),
            product: PRODUCT.to_owned(),
        }
    }

    #[test]
    fn what_is_signed_is_verified_and_read_again() {
        let more = Certificate { found_after: vec!["object X.rec version 1".to_owned()], ..sample() };
        for certificate in [sample(), more] {
            let text = signed(&certificate, 1);
            let (_, key) = pair(1);
            let wanted = Verified { certificate, public_key: key };
            assert_eq!(verify(&text, None), Ok(wanted.clone()));
            assert_eq!(verify(text.trim_end(), Some(key)), Ok(wanted));
            assert_eq!(text.lines().count(), 1);
        }
    }

    #[test]
    fn the_signature_is_over_the_content_as_it_stands_in_the_file() {
        let text = signed(&sample(), 1);
        let start = text.find("{\"audit\"").expect("names are in order");
        let end = text.find(",\"public_key\"").unwrap();
        let signature: [u8; 64] =
            octets(serde_json::from_str::<Value>(&text).unwrap()["signature"].as_str()).unwrap();
        let key = UnparsedPublicKey::new(&ED25519, pair(1).1);
        assert!(key.verify(&text.as_bytes()[start..end], &signature).is_ok());
        assert!(text.contains(r#""document":"sayso deletion certificate""#), "{text}");
        assert!(text.contains(r#""key_destroyed_at":"2026-11-22T09:30:00Z""#), "{text}");
    }

    #[test]
    fn faults_are_told_apart() {
        let text = signed(&sample(), 1);
        let other = signed(&sample(), 2);
        let (_, key) = pair(1);
        assert!(
            matches!(verify(&other, Some(key)), Err(CertificateError::AnotherKey { found, .. }) if found == hex::encode(pair(2).1))
        );
        let changed = text.replace("withdrawal", "retention!");
        assert_eq!(verify(&changed, Some(key)), Err(CertificateError::Changed));
        // Another's public key over our signature, and the other way round.
        let swapped = text.replace(&hex::encode(key), &hex::encode(pair(2).1));
        assert_eq!(verify(&swapped, None), Err(CertificateError::Changed));
        let whole: Value = serde_json::from_str(&text).unwrap();
        let pretty = serde_json::to_string_pretty(&whole).unwrap();
        assert_eq!(verify(&pretty, Some(key)), Err(CertificateError::Reformatted));
        let mut more = whole.clone();
        more["note"] = json!("added");
        assert_eq!(verify(&more.to_string(), Some(key)), Err(CertificateError::Reformatted));
        let doubled = text.replacen("{\"algorithm\"", "{\"certificate\":{},\"algorithm\"", 1);
        assert!(verify(&doubled, Some(key)).is_err());
        for nothing in ["", "{}", "[]", "null", "x", "{\"certificate\":{}}", &text[..text.len() / 2]] {
            let error = verify(nothing, Some(key)).expect_err("no certificate");
            assert!(matches!(error, CertificateError::NotACertificate(_)), "{nothing:?}: {error}");
        }
    }

    #[test]
    fn another_document_or_a_later_version_with_a_right_signature_is_refused() {
        let (pair, public) = pair(1);
        let verified = |name: &str, value: Value| {
            let mut content = content(&sample());
            content[name] = value;
            let content = canonical(&content);
            let signature: [u8; 64] = pair.sign(content.as_bytes()).as_ref().try_into().unwrap();
            verify(&enveloped(&content, &public, &signature), Some(public))
        };
        assert_eq!(verified("version", json!(2)), Err(CertificateError::Newer(2)));
        for (name, value) in [
            ("document", json!("sayso export")),
            ("removed_at", json!("yesterday")),
            ("extra", json!(1)),
            ("rule", Value::Null),
            ("audit", json!({ "n": 1, "hash": "00" })),
        ] {
            assert!(matches!(verified(name, value), Err(CertificateError::NotACertificate(_))), "{name}");
        }
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
                // Without an expected key as well: its own must then not fit.
                assert!(verify(&changed, Some(key)).is_err(), "octet {at}, bit {bit}");
                assert!(verify(&changed, None).is_err(), "octet {at}, bit {bit}");
            }
        }
    }

    prop_compose! {
        fn any_certificate()(
            ids in any::<(u128, u128)>(), texts in any::<[String; 3]>(), times in any::<[u32; 2]>(),
            n in any::<u64>(), hash in any::<[u8; 32]>(),
            before in prop::collection::vec(any::<String>(), 0..4), after in prop::collection::vec(any::<String>(), 0..2),
        ) -> Certificate {
            let [rule, reason, by] = texts;
            let before_2 = before.clone();
            let [one, two] = times.map(|micros| Timestamp::from_micros(i64::from(micros) * 1_000_003));
            Certificate {
                recording: RecordingId::new(Ulid(ids.0)), call: CallId::new(Ulid(ids.1)), rule, reason, by,
                key_destroyed_at: one, audit: ChainPosition { n, hash }, found_before: before,
                found_after: after, looked_in: before_2, not_seen: Vec::new(), removed_at: two,
                product: PRODUCT.to_owned(),
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_it_says_it_is_read_again(certificate in any_certificate()) {
            let verified = verify(&signed(&certificate, 1), Some(pair(1).1));
            prop_assert_eq!(verified.map(|verified| verified.certificate), Ok(certificate));
        }

        #[test]
        fn any_changed_octet_is_noticed(
            certificate in any_certificate(), at in any::<prop::sample::Index>(), octet in any::<u8>(), what in 0..3u8,
        ) {
            let text = signed(&certificate, 1);
            let mut octets = text.trim_end().as_bytes().to_vec();
            let at = at.index(octets.len());
            match what {
                0 => octets[at] = octet,
                1 => octets.insert(at, octet),
                _ => { octets.remove(at); }
            }
            prop_assume!(octets != text.trim_end().as_bytes());
            if let Ok(changed) = String::from_utf8(octets) {
                prop_assert!(verify(&changed, Some(pair(1).1)).is_err());
            }
        }

        #[test]
        fn nothing_makes_it_panic(text in any::<String>()) {
            prop_assert!(verify(&text, None).is_err());
        }
    }
}
