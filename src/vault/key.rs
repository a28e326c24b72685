//! Keys: the key-encryption key (KEK) in its file, and the data keys it wraps.
//!
//! The file holds 64 hexadecimal digits and a newline, mode 0600. A wrapped data key is one byte of
//! version (1), a 12-byte random nonce, and the AES-256-GCM ciphertext and tag of the 32-byte key,
//! with the recording's id as associated data: it opens for no other recording.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use zeroize::{Zeroize, Zeroizing};

use super::error::VaultError;
use crate::consent::DataKey;
use crate::ids::RecordingId;

/// A data key sealed with the key-encryption key and bound to its recording; 61 bytes, for the
/// database. Destroying it destroys every copy of the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey(pub Vec<u8>);

const VERSION: u8 = 1;

/// The key-encryption key, ready for use.
pub(super) struct Kek(LessSafeKey);

impl Kek {
    /// Reads the key file, or makes it if `first_start`.
    pub(super) fn open(path: &Path, first_start: bool) -> Result<Self, VaultError> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !first_start {
                    return Err(VaultError::KeyMissing { path: path.into() });
                }
                create(path)?;
                File::open(path)
            }
            opened => opened,
        };
        let file = file.map_err(VaultError::io("open key file", path))?;
        let about = file.metadata().map_err(VaultError::io("look at key file", path))?;
        let mode = about.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(VaultError::KeyExposed { path: path.into(), mode });
        }
        let mut text = Zeroizing::new(String::with_capacity(128));
        // Bounded: whatever the path names, a key is short.
        file.take(128).read_to_string(&mut text).map_err(VaultError::io("read key file", path))?;
        let mut key = Zeroizing::new([0u8; 32]);
        hex::decode_to_slice(text.trim_end(), key.as_mut_slice())
            .map_err(|_| VaultError::KeyInvalid { path: path.into() })?;
        Ok(Self(aes(&key)))
    }

    /// Seals a data key for the database.
    pub(super) fn wrap(&self, id: RecordingId, key: &DataKey) -> WrappedKey {
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce);
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&nonce);
        let mut sealed = *key.bytes();
        let tag = self
            .0
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), purpose(id), &mut sealed)
            .expect("32 bytes are within the cipher's limit");
        bytes.extend_from_slice(&sealed);
        bytes.extend_from_slice(tag.as_ref());
        WrappedKey(bytes)
    }

    /// Opens what [`Kek::wrap`] sealed for the same recording.
    pub(super) fn unwrap(&self, id: RecordingId, wrapped: &WrappedKey) -> Result<DataKey, VaultError> {
        let wrong = || VaultError::WrongKey(id);
        let (version, rest) = wrapped.0.split_first().ok_or_else(wrong)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN).ok_or_else(wrong)?;
        if *version != VERSION {
            return Err(wrong());
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let key = self.0.open_in_place(nonce, purpose(id), &mut sealed).map_err(|_| wrong())?;
        let bytes = <[u8; 32]>::try_from(&*key).map_err(|_| wrong())?;
        Ok(DataKey::new(bytes))
    }
}

/// A fresh data key.
pub(super) fn draw() -> DataKey {
    let mut bytes = Zeroizing::new([0; 32]);
    fill(bytes.as_mut_slice());
    DataKey::new(*bytes)
}

/// Fills with bytes from the system's randomness.
pub(super) fn fill(bytes: &mut [u8]) {
    rand::fill(bytes).expect("the system's randomness does not fail once it is seeded");
}

/// An AES-256-GCM key ready for use.
pub(super) fn aes(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key is 32 bytes long"))
}

/// What a wrapped key is for, as associated data.
fn purpose(id: RecordingId) -> Aad<String> {
    Aad::from(format!("sayso data key {id}"))
}

/// Makes the key file whole or not at all, even when two processes start at once.
fn create(path: &Path) -> Result<(), VaultError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(parent);
    made.map_err(VaultError::io("create directory", parent))?;
    let mut key = Zeroizing::new([0u8; 32]);
    fill(key.as_mut_slice());
    let mut text = hex::encode(key.as_slice());
    text.push('\n');
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", std::process::id()));
    let draft = Path::new(&draft);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        // A link, not a rename: it does not replace a key that another process has just made.
        .and_then(|()| match fs::hard_link(draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        })
        .and_then(|()| File::open(parent)?.sync_all());
    text.zeroize();
    let removed = fs::remove_file(draft);
    written.and(removed).map_err(VaultError::io("create key file", path))
}
