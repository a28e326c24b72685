//! Key-encryption keys (KEKs), several at once: the current one seals the data keys of new recordings, retiring ones
//! still open those that are not sealed anew yet. They are kept in a file or by AWS KMS; the database says which there
//! are, and the keyring follows it ([`Keyring::reload`]).
//!
//! A rotation: [`Keyring::make`] puts a new key where keys are kept; the database registers it as current and the
//! others as retiring; servers reload; each row is sealed anew ([`Keyring::rewrap`]); the database retires a key that
//! no row needs; [`Keyring::forget`] removes it. Whatever step a crash comes after, the next rotation goes on from
//! there: a key is in its place before the database names it, and leaves it after the database has given it up.

mod file;
mod kek;
mod kms;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, OnceCell};

use crate::consent::DataKey;
use crate::ids::RecordingId;

use super::error::VaultError;
pub use kek::{BadKekId, KekId, WrappedKey};
pub(super) use kek::{draw, fill};
pub use kms::{KmsConfig, KmsError};

use kek::Kek;
use kms::Kms;

/// Where key-encryption keys are kept.
#[derive(Clone, Debug)]
pub struct KeySource {
    /// The key file. With `kms` it is read only while the database knows keys of it: that is the way from the one
    /// to the other, by a rotation.
    pub file: PathBuf,
    /// New keys come from AWS KMS.
    pub kms: Option<KmsConfig>,
}

/// Who keeps a key-encryption key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// The key file.
    File,
    /// AWS KMS.
    Kms,
}

/// What a key-encryption key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KekState {
    /// It seals the data keys of new recordings.
    Current,
    /// It opens what is not sealed anew yet.
    Retiring,
    /// No recording needs it any more.
    Retired,
}

/// A key-encryption key that the database knows.
#[derive(Clone, Debug)]
pub struct KnownKek {
    /// Which.
    pub id: KekId,
    /// Who keeps it.
    pub provider: Provider,
    /// What it is used for.
    pub state: KekState,
    /// The ciphertext of a key of KMS.
    pub wrapped: Option<Vec<u8>>,
}

/// A key-encryption key that the database does not know yet: register it before anything is sealed with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKek {
    /// Which.
    pub id: KekId,
    /// Who keeps it.
    pub provider: Provider,
    /// The ciphertext of a key of KMS, for the database.
    pub wrapped: Option<Vec<u8>>,
}

/// The key-encryption keys in use. Clones share them: a reload changes what all of them do.
#[derive(Clone)]
pub struct Keyring(Arc<Inner>);

struct Inner {
    source: KeySource,
    kms: OnceCell<Kms>,
    ring: RwLock<Arc<Ring>>,
    /// Held by the one who reloads.
    reloading: Mutex<()>,
}

/// The keys at one moment.
struct Ring {
    current: KekId,
    held: BTreeMap<KekId, Arc<Kek>>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = self.0.ring();
        write!(f, "Keyring({} of {:?})", ring.current, ring.held.keys())
    }
}

impl Keyring {
    /// Opens all keys that the database knows as current or retiring. When it knows none, the key of the file that is
    /// there is taken, and one is made if it is a `first_start` (nothing was ever recorded): it is then returned and
    /// must be registered in the database before anything is sealed.
    ///
    /// # Errors
    /// When others can reach the key file, a key is not where it should be, or KMS does not open one.
    pub async fn open(
        source: KeySource,
        known: &[KnownKek],
        first_start: bool,
    ) -> Result<(Self, Option<NewKek>), VaultError> {
        let kms = OnceCell::new();
        if !known.is_empty() {
            let ring = Ring::open(&source, &kms, known, None).await?;
            return Ok((Self::of(source, kms, ring), None));
        }
        if let Some(keys) = off_thread(source.file.clone(), file::read).await? {
            return Ok(Self::of_file(source, kms, keys));
        }
        if !first_start {
            return Err(VaultError::KeyMissing { path: source.file });
        }
        let Some(config) = &source.kms else {
            let keys = off_thread(source.file.clone(), file::create).await?;
            return Ok(Self::of_file(source, kms, keys));
        };
        let (kek, wrapped) = kms.get_or_init(|| Kms::new(config)).await.draw().await?;
        let new = NewKek { id: kek.id().clone(), provider: Provider::Kms, wrapped: Some(wrapped) };
        let ring = Ring { current: new.id.clone(), held: [(new.id.clone(), Arc::new(kek))].into() };
        Ok((Self::of(source, kms, ring), Some(new)))
    }

    /// A keyring of a key file that the database knows nothing of yet.
    fn of_file(source: KeySource, kms: OnceCell<Kms>, keys: Vec<Kek>) -> (Self, Option<NewKek>) {
        let current = keys.last().map(|kek| kek.id().clone()).expect("a key file that was read holds a key");
        let held = keys.into_iter().map(|kek| (kek.id().clone(), Arc::new(kek))).collect();
        let new = NewKek { id: current.clone(), provider: Provider::File, wrapped: None };
        (Self::of(source, kms, Ring { current, held }), Some(new))
    }

    fn of(source: KeySource, kms: OnceCell<Kms>, ring: Ring) -> Self {
        let ring = RwLock::new(Arc::new(ring));
        Self(Arc::new(Inner { source, kms, ring, reloading: Mutex::new(()) }))
    }

    /// Follows the database: another key is current, new ones are opened, retired ones dropped. When one cannot be
    /// opened, everything stays as it was.
    ///
    /// # Errors
    /// As [`Keyring::open`].
    pub async fn reload(&self, known: &[KnownKek]) -> Result<(), VaultError> {
        let _alone = self.0.reloading.lock().await;
        let old = self.0.ring();
        let ring = Ring::open(&self.0.source, &self.0.kms, known, Some(&old)).await?;
        *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(())
    }

    /// The key that seals what is new.
    #[must_use]
    pub fn current(&self) -> KekId {
        self.0.ring().current.clone()
    }

    /// Whether it is held here.
    #[must_use]
    pub fn holds(&self, kek: &KekId) -> bool {
        self.0.ring().held.contains_key(kek)
    }

    /// Where new keys come from.
    #[must_use]
    pub fn provider(&self) -> Provider {
        if self.0.source.kms.is_some() { Provider::Kms } else { Provider::File }
    }

    /// Seals a recording's data key with the current key. [`WrappedKey::kek`] says which one that was.
    #[must_use]
    pub fn wrap(&self, id: RecordingId, key: &DataKey) -> WrappedKey {
        let ring = self.0.ring();
        ring.held.get(&ring.current).expect("a ring holds its current key").wrap(id, key)
    }

    /// Opens what [`Keyring::wrap`] sealed for the same recording, with whichever key.
    ///
    /// # Errors
    /// When its key is not held here, or it is another recording's or was changed.
    pub fn unwrap(&self, id: RecordingId, wrapped: &WrappedKey) -> Result<DataKey, VaultError> {
        let ring = self.0.ring();
        let opened = match wrapped.kek() {
            Some(kek) => match ring.held.get(&kek) {
                Some(held) => held.unwrap(id, wrapped),
                None => return Err(VaultError::KekNotHeld { recording: id, kek }),
            },
            None if wrapped.is_unnamed() => ring.held.values().find_map(|held| held.unwrap(id, wrapped)),
            None => None,
        };
        opened.ok_or(VaultError::WrongKey(id))
    }

    /// The same data key, sealed with the current key.
    ///
    /// # Errors
    /// As [`Keyring::unwrap`].
    pub fn rewrap(&self, id: RecordingId, wrapped: &WrappedKey) -> Result<WrappedKey, VaultError> {
        Ok(self.wrap(id, &self.unwrap(id, wrapped)?))
    }

    /// Puts a new key where keys are kept, durably: register it in the database, then [`Keyring::reload`]. A key of the
    /// file that the database does not know is taken before one is drawn: an interrupted rotation left it.
    ///
    /// # Errors
    /// When the key file cannot be written, or KMS does not draw one.
    pub async fn make(&self, known: &[KnownKek]) -> Result<NewKek, VaultError> {
        if let Some(config) = &self.0.source.kms {
            let (kek, wrapped) = self.0.kms.get_or_init(|| Kms::new(config)).await.draw().await?;
            return Ok(NewKek { id: kek.id().clone(), provider: Provider::Kms, wrapped: Some(wrapped) });
        }
        let known: Vec<KekId> = known.iter().map(|kek| kek.id.clone()).collect();
        let path = self.0.source.file.clone();
        let id = off_thread(path, move |path| file::grow(path, &|id| known.contains(id))).await?;
        Ok(NewKek { id, provider: Provider::File, wrapped: None })
    }

    /// Removes retired keys from the file; those that were there. KMS keeps nothing of ours; with it, a file without
    /// a key that is needed goes as a whole.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub async fn forget(&self, known: &[KnownKek]) -> Result<Vec<KekId>, VaultError> {
        let retired = known.iter().filter(|kek| kek.state == KekState::Retired);
        let retired: Vec<KekId> = retired.map(|kek| kek.id.clone()).collect();
        if retired.is_empty() {
            return Ok(Vec::new());
        }
        let may_go = self.0.source.kms.is_some();
        let path = self.0.source.file.clone();
        off_thread(path, move |path| file::shrink(path, &|id| retired.contains(id), may_go)).await
    }
}

impl Inner {
    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Ring {
    /// All keys that are current or retiring; those of KMS that `old` has are not asked for again.
    async fn open(
        source: &KeySource,
        kms: &OnceCell<Kms>,
        known: &[KnownKek],
        old: Option<&Self>,
    ) -> Result<Self, VaultError> {
        let current = known.iter().find(|kek| kek.state == KekState::Current);
        let current = current.map(|kek| kek.id.clone()).ok_or(VaultError::NoCurrentKey)?;
        let in_use: Vec<&KnownKek> = known.iter().filter(|kek| kek.state != KekState::Retired).collect();
        let mut held = BTreeMap::new();
        if in_use.iter().any(|kek| kek.provider == Provider::File) {
            let path = source.file.clone();
            let keys = off_thread(path.clone(), file::read).await?;
            for kek in keys.ok_or_else(|| VaultError::KeyMissing { path: path.clone() })? {
                let retired = known.iter().any(|k| k.id == *kek.id() && k.state == KekState::Retired);
                // One that the database does not know may have sealed what is in an older backup of it.
                if !retired {
                    held.insert(kek.id().clone(), Arc::new(kek));
                }
            }
        }
        for kek in in_use {
            if held.contains_key(&kek.id) {
                continue;
            }
            if kek.provider == Provider::File {
                return Err(VaultError::KeyLacking { path: source.file.clone(), kek: kek.id.clone() });
            }
            let opened = match old.and_then(|old| old.held.get(&kek.id)) {
                Some(held) => Arc::clone(held),
                None => {
                    let config =
                        source.kms.as_ref().ok_or_else(|| VaultError::KmsNotConfigured(kek.id.clone()))?;
                    let kms = kms.get_or_init(|| Kms::new(config)).await;
                    Arc::new(kms.open(&kek.id, kek.wrapped.as_deref().unwrap_or_default()).await?)
                }
            };
            held.insert(kek.id.clone(), opened);
        }
        Ok(Self { current, held })
    }
}

/// Does what touches the key file where it blocks nobody.
async fn off_thread<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce(&std::path::Path) -> Result<T, VaultError> + Send + 'static,
) -> Result<T, VaultError> {
    let place = path.clone();
    let done = tokio::task::spawn_blocking(move || work(&path)).await;
    done.unwrap_or_else(|error| Err(VaultError::io("read key file", place)(std::io::Error::other(error))))
}
