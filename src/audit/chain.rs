//! The hash chain: how a row is sealed, encoded and hashed.
//!
//! A row's hash is SHA-256 over a canonical encoding: a domain tag with the version, the hash of the
//! row before, and every field with its length in front, so that no two rows encode alike.

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::digest::{Context, SHA256, digest};

use crate::time::Timestamp;

use super::event::{Actor, AuditEvent, Class, Object, Value};

/// The version of the encoding. Rows of an old version stay verifiable: it is stored with the row.
pub const VERSION: u8 = 1;

/// What "the row before" is for the first row.
pub const GENESIS: Hash = Hash([0; 32]);

/// Bytes of the salt of a personal value: enough that nobody finds a number by trying all of them.
pub const SALT_LEN: usize = 16;

/// A SHA-256 hash; shown as hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The chain's last row: what the next one is tied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its sequence number; 0 while the log is empty.
    pub seq: u64,
    /// Its hash; [`GENESIS`] while the log is empty.
    pub hash: Hash,
}

impl Head {
    /// The head of an empty log.
    pub const EMPTY: Self = Self { seq: 0, hash: GENESIS };
}

/// One row of the log, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number; the first row is 1, and there are no gaps.
    pub seq: u64,
    /// The version of the encoding, see [`VERSION`].
    pub version: u8,
    /// Its class.
    pub class: Class,
    /// Who did it.
    pub who: Actor,
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub action: Cow<'static, str>,
    /// To what.
    pub what: Object,
    /// The person concerned.
    pub about: Option<Sealed>,
    /// The value before.
    pub old: Option<Sealed>,
    /// The value after.
    pub new: Option<Sealed>,
    /// Over all of this and the row before.
    pub hash: Hash,
}

/// A value as it lies in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// As it is.
    Plain(String),
    /// Only its commitment; what it opens to lies in the side table, until it is erased.
    Personal {
        /// SHA-256 of salt and value.
        commitment: Hash,
        /// `None` once erased.
        opening: Option<Opening>,
    },
}

/// What a commitment opens to.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    /// Random, drawn for this value alone.
    pub salt: [u8; SALT_LEN],
    /// The value.
    pub value: String,
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening(…)")
    }
}

impl Opening {
    /// The commitment it belongs to.
    #[must_use]
    pub fn commitment(&self) -> Hash {
        let mut context = Context::new(&SHA256);
        context.update(&self.salt);
        context.update(self.value.as_bytes());
        finish(context)
    }
}

impl Sealed {
    fn seal(value: Value, salt: [u8; SALT_LEN]) -> Self {
        match value {
            Value::Plain(text) => Self::Plain(text),
            Value::Personal(value) => {
                let opening = Opening { salt, value };
                Self::Personal { commitment: opening.commitment(), opening: Some(opening) }
            }
        }
    }

    /// The text, unless it was erased.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Personal { opening, .. } => opening.as_ref().map(|opening| opening.value.as_str()),
        }
    }
}

impl Row {
    /// Gives `event` its place behind `head`. `salts` are fresh random bytes for the person, the old
    /// and the new value (drawn by the shell; unused ones are dropped).
    #[must_use]
    pub fn seal(event: AuditEvent, head: Head, salts: [[u8; SALT_LEN]; 3]) -> Self {
        let AuditEvent { class, who, at, action, what, about, old, new } = event;
        let [about_salt, old_salt, new_salt] = salts;
        let mut row = Self {
            seq: head.seq + 1,
            version: VERSION,
            class,
            who,
            at,
            action,
            what,
            about: about.map(|value| Sealed::seal(value, about_salt)),
            old: old.map(|value| Sealed::seal(value, old_salt)),
            new: new.map(|value| Sealed::seal(value, new_salt)),
            hash: GENESIS,
        };
        row.hash = row.expected_hash(head.hash);
        row
    }

    /// Gives the row its place behind another `head`: what it was sealed behind is not the end any more.
    pub fn move_behind(&mut self, head: Head) {
        self.seq = head.seq + 1;
        self.hash = self.expected_hash(head.hash);
    }

    /// This row as the head of the chain.
    #[must_use]
    pub const fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }

    /// The hash it must have behind a row with the hash `previous`.
    pub(super) fn expected_hash(&self, previous: Hash) -> Hash {
        let mut bytes = Vec::with_capacity(384);
        bytes.extend_from_slice(b"sayso-audit");
        bytes.push(self.version);
        bytes.extend_from_slice(&previous.0);
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.at.as_micros().to_be_bytes());
        put(&mut bytes, self.class.word());
        put(&mut bytes, self.who.kind());
        put_optional(&mut bytes, self.who.name());
        put(&mut bytes, &self.action);
        put(&mut bytes, &self.what.kind);
        put(&mut bytes, &self.what.id);
        put_optional(&mut bytes, self.what.attribute.as_deref());
        for value in [&self.about, &self.old, &self.new] {
            match value {
                None => bytes.push(0),
                Some(Sealed::Plain(text)) => {
                    bytes.push(1);
                    put(&mut bytes, text);
                }
                Some(Sealed::Personal { commitment, .. }) => {
                    bytes.push(2);
                    bytes.extend_from_slice(&commitment.0);
                }
            }
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &bytes).as_ref());
        Hash(hash)
    }
}

fn put(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn put_optional(bytes: &mut Vec<u8>, text: Option<&str>) {
    match text {
        None => bytes.push(0),
        Some(text) => {
            bytes.push(1);
            put(bytes, text);
        }
    }
}

fn finish(context: Context) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    Hash(hash)
}
