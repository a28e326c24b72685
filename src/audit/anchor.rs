//! Anchors: signed statements of where the log ended at a time, kept where whoever can write the database cannot reach.
//! The chain proves that no row was changed; an anchor proves that none was cut off, and that the whole was not written
//! anew.
//!
//! A statement is one line of JSON: `{"algorithm":"Ed25519","anchor":{…},"public_key":hex,"signature":hex}`. The
//! signature is over the UTF-8 octets of `anchor` in canonical form (RFC 8785), as it stands in the line; so it can be
//! verified without Sayso, with any tool for Ed25519 (RFC 8032).

use std::collections::BTreeMap;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::certificate::{PRODUCT, canonical, moment, octets};
use crate::time::Timestamp;

use super::chain::{Hash, Head};
use super::proof::{BrokenLink, Why};

/// What a statement calls itself: nothing else that is signed with the same key begins like this.
const DOCUMENT: &str = "sayso audit anchor";
/// The version of its fields.
const VERSION: u64 = 1;
const ALGORITHM: &str = "Ed25519";

/// Where the log ended, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Its last row.
    pub head: Head,
    /// When that was so.
    pub at: Timestamp,
}

/// Why a line is no anchor to rely on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// It is something else.
    #[error("this is no anchor of Sayso's audit log: {0}")]
    NotAnAnchor(&'static str),
    /// It is of a later version.
    #[error("this anchor is of version {0}, which this Sayso does not know: verify it with a newer one")]
    Newer(u64),
    /// The signature is not of this content.
    #[error("this anchor was changed after it was signed: its signature does not fit its content")]
    Changed,
    /// Its own key fits, but it is not the expected one.
    #[error("this anchor was signed with the key {found}, not with the expected {expected}")]
    AnotherKey {
        /// In hex.
        found: String,
        /// In hex.
        expected: String,
    },
}

impl Anchor {
    /// The signed statement: one line with its newline. `signature` gets the octets to sign.
    #[must_use]
    pub fn statement(&self, signature: impl FnOnce(&[u8]) -> [u8; 64], public_key: [u8; 32]) -> String {
        let content = canonical(&json!({
            "document": DOCUMENT,
            "version": VERSION,
            "seq": self.head.seq,
            "hash": self.head.hash.to_string(),
            "at": self.at.to_rfc3339(),
            "product": PRODUCT,
        }));
        let signature = signature(content.as_bytes());
        format!(
            "{{\"algorithm\":\"{ALGORITHM}\",\"anchor\":{content},\"public_key\":\"{}\",\"signature\":\"{}\"}}\n",
            hex::encode(public_key),
            hex::encode(signature),
        )
    }

    /// Reads and verifies what [`statement`](Self::statement) wrote.
    ///
    /// # Errors
    /// When it is no anchor, was changed, or is signed with another key than `expected`.
    pub fn verify(line: &str, expected: Option<[u8; 32]>) -> Result<Self, AnchorError> {
        let not = AnchorError::NotAnAnchor;
        let whole: Value = serde_json::from_str(line).map_err(|_| not("it is not JSON"))?;
        let field = |name: &str| whole.get(name).and_then(Value::as_str);
        let content = whole.get("anchor").ok_or(not("`anchor` is missing"))?;
        if field("algorithm") != Some(ALGORITHM) {
            return Err(not("`algorithm` is not Ed25519"));
        }
        let public_key: [u8; 32] = octets(field("public_key")).ok_or(not("`public_key` is no key"))?;
        let signature: [u8; 64] = octets(field("signature")).ok_or(not("`signature` is none"))?;
        let signed = canonical(content);
        if UnparsedPublicKey::new(&ED25519, public_key).verify(signed.as_bytes(), &signature).is_err() {
            return Err(AnchorError::Changed);
        }
        let anchor = Self::of(content)?;
        match expected {
            Some(expected) if expected != public_key => Err(AnchorError::AnotherKey {
                found: hex::encode(public_key),
                expected: hex::encode(expected),
            }),
            Some(_) | None => Ok(anchor),
        }
    }

    /// What signed content says.
    fn of(content: &Value) -> Result<Self, AnchorError> {
        let not = AnchorError::NotAnAnchor;
        let text = |name: &str| content.get(name).and_then(Value::as_str);
        if text("document") != Some(DOCUMENT) {
            return Err(not("its `document` is another"));
        }
        match content.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(newer) => return Err(AnchorError::Newer(newer)),
            None => return Err(not("`version` is missing")),
        }
        let seq = content.get("seq").and_then(Value::as_u64).ok_or(not("`seq` is no number"))?;
        let hash = octets(text("hash")).map(Hash).ok_or(not("`hash` is none"))?;
        let at = text("at").and_then(moment).ok_or(not("`at` is no time"))?;
        Ok(Self { head: Head { seq, hash }, at })
    }
}

/// Anchors a log is compared with, while it is verified.
#[derive(Clone, Debug, Default)]
pub struct Anchors(BTreeMap<u64, Vec<Anchor>>);

impl Anchors {
    /// These.
    #[must_use]
    pub fn of(anchors: impl IntoIterator<Item = Anchor>) -> Self {
        Self::default().and(anchors)
    }

    /// These and more.
    #[must_use]
    pub fn and(mut self, more: impl IntoIterator<Item = Anchor>) -> Self {
        for anchor in more {
            self.0.entry(anchor.head.seq).or_default().push(anchor);
        }
        self
    }

    /// How many there are of this row.
    #[must_use]
    pub fn at(&self, seq: u64) -> usize {
        self.0.get(&seq).map_or(0, Vec::len)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A row of the log has this hash; it must be the one that was anchored, if one was.
    ///
    /// # Errors
    /// When it is another.
    pub fn check(&self, row: Head) -> Result<(), BrokenLink> {
        let other =
            self.0.get(&row.seq).and_then(|all| all.iter().find(|anchor| anchor.head.hash != row.hash));
        match other {
            Some(anchor) => Err(BrokenLink { seq: row.seq, why: Why::Anchored { at: anchor.at } }),
            None => Ok(()),
        }
    }

    /// The log ends at this row.
    ///
    /// # Errors
    /// When a later one was anchored.
    pub fn finish(&self, head: Head) -> Result<(), BrokenLink> {
        match self.0.last_key_value() {
            Some((seq, all)) if *seq > head.seq => {
                let at = all.iter().map(|anchor| anchor.at).max().unwrap_or(Timestamp::from_micros(0));
                Err(BrokenLink { seq: head.seq, why: Why::Cut { anchored: *seq, at } })
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    const AT: Timestamp = Timestamp::from_micros(1_795_339_800_000_001);

    fn anchor(seq: u64, octet: u8) -> Anchor {
        Anchor { head: Head { seq, hash: Hash([octet; 32]) }, at: AT }
    }

    fn stated(anchor: &Anchor) -> (String, [u8; 32]) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        (anchor.statement(|octets| pair.sign(octets).as_ref().try_into().unwrap(), public), public)
    }

    #[test]
    fn a_statement_is_one_line_and_says_what_was_signed() {
        let (line, key) = stated(&anchor(42, 0xA5));
        assert!(line.ends_with("}\n") && line.lines().count() == 1);
        assert_eq!(Anchor::verify(&line, None), Ok(anchor(42, 0xA5)));
        assert_eq!(Anchor::verify(&line, Some(key)), Ok(anchor(42, 0xA5)));
        let other = Anchor::verify(&line, Some([9; 32]));
        assert!(matches!(other, Err(AnchorError::AnotherKey { .. })), "{other:?}");
    }

    #[test]
    fn what_was_changed_or_is_something_else_is_no_anchor() {
        let (line, _) = stated(&anchor(42, 0xA5));
        for (from, to) in
            [("\"seq\":42", "\"seq\":41"), ("a5a5", "a5a6"), ("2026", "2025"), ("anchor\",", "x\",")]
        {
            assert!(line.contains(from), "{from}");
            assert_eq!(
                Anchor::verify(&line.replacen(from, to, 1), None),
                Err(AnchorError::Changed),
                "{from}"
            );
        }
        for text in ["", "{}", "[1]", "null", "{\"anchor\":{}}", &line[..line.len() - 3]] {
            assert!(matches!(Anchor::verify(text, None), Err(AnchorError::NotAnAnchor(_))), "{text}");
        }
    }

    #[test]
    fn a_log_is_compared_with_what_was_anchored() {
        let anchors = Anchors::of([anchor(2, 2), anchor(5, 5), anchor(5, 5)]);
        assert_eq!(anchors.len(), 3);
        for row in [anchor(1, 9), anchor(2, 2), anchor(5, 5)] {
            assert_eq!(anchors.check(row.head), Ok(()));
        }
        let anew = BrokenLink { seq: 2, why: Why::Anchored { at: AT } };
        assert_eq!(anchors.check(anchor(2, 3).head), Err(anew));
        let cut = BrokenLink { seq: 4, why: Why::Cut { anchored: 5, at: AT } };
        assert_eq!(anchors.finish(anchor(4, 0).head), Err(cut));
        assert_eq!(anchors.finish(anchor(5, 5).head), Ok(()));
        assert_eq!(Anchors::default().finish(Head::EMPTY), Ok(()));
    }
}
