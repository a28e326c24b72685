//! A key-encryption key (KEK): its id, and the data keys it wraps.
//!
//! A wrapped key, version 2, 69 bytes: one byte of version (2), the 8 bytes of the KEK's id, a 12-byte random nonce,
//! and the AES-256-GCM ciphertext and tag of the 32-byte data key; the associated data are the recording's id and the
//! KEK's, so it opens for no other recording. Version 1, 61 bytes, has no KEK's id; it is read and no longer made.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::rand;
use zeroize::Zeroizing;

use crate::consent::DataKey;
use crate::ids::RecordingId;

/// The name of a key-encryption key: 16 hexadecimal digits, the first 8 bytes of SHA-256("sayso kek" || key).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KekId(String);

impl KekId {
    /// The id of a key.
    pub(super) fn of(key: &[u8; 32]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(b"sayso kek");
        context.update(key);
        Self(hex::encode(&context.finish().as_ref()[..8]))
    }

    /// The 16 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn bytes(&self) -> [u8; 8] {
        let mut bytes = [0; 8];
        hex::decode_to_slice(&self.0, &mut bytes).expect("it is made of 16 hexadecimal digits only");
        bytes
    }
}

/// A text that is no id of a key-encryption key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a key-encryption key: 16 hexadecimal digits are expected")]
pub struct BadKekId;

impl FromStr for KekId {
    type Err = BadKekId;

    fn from_str(text: &str) -> Result<Self, BadKekId> {
        let fits = text.len() == 16 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        fits.then(|| Self(text.to_owned())).ok_or(BadKekId)
    }
}

impl fmt::Display for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A data key sealed with a key-encryption key and bound to its recording, for the database. Destroying it destroys
/// every copy of the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey(pub Vec<u8>);

const UNNAMED: u8 = 1;
const VERSION: u8 = 2;
/// Octets of version 2.
const LENGTH: usize = 1 + 8 + NONCE_LEN + 32 + 16;

impl WrappedKey {
    /// Which key-encryption key it was sealed with; `None`: version 1, or no wrapped key at all.
    #[must_use]
    pub fn kek(&self) -> Option<KekId> {
        match self.0.split_first() {
            Some((&VERSION, rest)) if rest.len() == LENGTH - 1 => {
                rest.first_chunk::<8>().map(|id| KekId(hex::encode(id)))
            }
            Some(_) | None => None,
        }
    }

    /// Whether it is of version 1: every key of the key file may have sealed it.
    pub(super) fn is_unnamed(&self) -> bool {
        self.0.first() == Some(&UNNAMED)
    }
}

/// A key-encryption key, ready for use.
pub(super) struct Kek {
    id: KekId,
    key: LessSafeKey,
}

impl Kek {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self { id: KekId::of(key), key: aes(key) }
    }

    pub(super) fn id(&self) -> &KekId {
        &self.id
    }

    /// Seals a data key for the database.
    pub(super) fn wrap(&self, recording: RecordingId, key: &DataKey) -> WrappedKey {
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce);
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.id.bytes());
        bytes.extend_from_slice(&nonce);
        let mut sealed = *key.bytes();
        let tag = self
            .key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                named(recording, &self.id),
                &mut sealed,
            )
            .expect("32 bytes are within the cipher's limit");
        bytes.extend_from_slice(&sealed);
        bytes.extend_from_slice(tag.as_ref());
        WrappedKey(bytes)
    }

    /// Opens what [`Kek::wrap`] sealed for the same recording; `None`: it is another's, or changed.
    pub(super) fn unwrap(&self, recording: RecordingId, wrapped: &WrappedKey) -> Option<DataKey> {
        let (version, rest) = wrapped.0.split_first()?;
        let (rest, purpose) = match *version {
            UNNAMED => (rest, unnamed(recording)),
            VERSION => {
                let (id, rest) = rest.split_at_checked(8)?;
                (id == self.id.bytes()).then_some((rest, named(recording, &self.id)))?
            }
            _ => return None, // a byte of a row, not a type of ours
        };
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let key = self.key.open_in_place(nonce, purpose, &mut sealed).ok()?;
        let bytes = Zeroizing::new(<[u8; 32]>::try_from(&*key).ok()?);
        Some(DataKey::new(*bytes))
    }

    /// As version 1 did, for the tests of reading it.
    #[cfg(test)]
    pub(super) fn wrap_unnamed(&self, recording: RecordingId, key: &DataKey) -> WrappedKey {
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce);
        let mut sealed = key.bytes().to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(unique, unnamed(recording), &mut sealed).expect("short");
        WrappedKey([&[UNNAMED], &nonce[..], &sealed].concat())
    }
}

/// A fresh data key.
pub(in crate::vault) fn draw() -> DataKey {
    let mut bytes = Zeroizing::new([0; 32]);
    fill(bytes.as_mut_slice());
    DataKey::new(*bytes)
}

/// Fills with bytes from the system's randomness.
pub(in crate::vault) fn fill(bytes: &mut [u8]) {
    rand::fill(bytes).expect("the system's randomness does not fail once it is seeded");
}

/// An AES-256-GCM key ready for use.
pub(in crate::vault) fn aes(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key is 32 bytes long"))
}

/// What a wrapped key is for, as associated data.
fn named(recording: RecordingId, kek: &KekId) -> Aad<String> {
    Aad::from(format!("sayso data key {recording} {kek}"))
}

/// The same in version 1.
fn unnamed(recording: RecordingId) -> Aad<String> {
    Aad::from(format!("sayso data key {recording}"))
}
