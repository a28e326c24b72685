//! The key file: one key-encryption key a line, 64 hexadecimal digits, newest last; mode 0600.

use std::path::Path;

use zeroize::Zeroizing;

use super::kek::{Kek, KekId, fill};
use crate::vault::error::VaultError;
use crate::vault::secret;

/// One line.
struct Entry {
    id: KekId,
    key: Zeroizing<[u8; 32]>,
}

/// All keys of the file, newest last; `None` if it is not there.
///
/// # Errors
/// When others can reach it, it cannot be read, or holds something else.
pub(super) fn read(path: &Path) -> Result<Option<Vec<Kek>>, VaultError> {
    Ok(entries(path)?.map(|entries| entries.iter().map(|entry| Kek::new(&entry.key)).collect()))
}

/// Makes the file with one new key; one that another process has just made stays.
///
/// # Errors
/// When it cannot be made or read.
pub(super) fn create(path: &Path) -> Result<Vec<Kek>, VaultError> {
    secret::create(path, &text(&[draw()]))?;
    read(path)?.ok_or_else(|| VaultError::KeyMissing { path: path.into() })
}

/// A key that is not `registered` yet: the newest such of the file (a rotation put it there and was interrupted, or
/// an operator copied it), else a new one, which is in the file, durably, when this returns.
///
/// # Errors
/// When the file is not there, or cannot be read or written.
pub(super) fn grow(path: &Path, registered: &dyn Fn(&KekId) -> bool) -> Result<KekId, VaultError> {
    let alone = secret::Lock::take(path)?;
    let mut entries = entries(path)?.ok_or_else(|| VaultError::KeyMissing { path: path.into() })?;
    if let Some(waiting) = entries.iter().rev().find(|entry| !registered(&entry.id)) {
        return Ok(waiting.id.clone());
    }
    let new = draw();
    let id = new.id.clone();
    entries.push(new);
    secret::replace(path, &text(&entries), &alone)?;
    Ok(id)
}

/// Removes keys; those that were there. If none is left, the file goes, where it `may_go`; else it stays as it is.
///
/// # Errors
/// When the file cannot be read or written.
pub(super) fn shrink(
    path: &Path,
    gone: &dyn Fn(&KekId) -> bool,
    may_go: bool,
) -> Result<Vec<KekId>, VaultError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let alone = secret::Lock::take(path)?;
    let Some(entries) = entries(path)? else { return Ok(Vec::new()) };
    let (removed, kept): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| gone(&entry.id));
    match (removed.is_empty(), kept.is_empty()) {
        (true, _) => return Ok(Vec::new()),
        (false, false) => secret::replace(path, &text(&kept), &alone)?,
        (false, true) if may_go => secret::remove(path, &alone)?,
        (false, true) => return Ok(Vec::new()),
    }
    Ok(removed.into_iter().map(|entry| entry.id).collect())
}

fn entries(path: &Path) -> Result<Option<Vec<Entry>>, VaultError> {
    let Some(text) = secret::read(path)? else { return Ok(None) };
    let mut entries: Vec<Entry> = Vec::new();
    for (number, line) in text.trim_end().split('\n').enumerate() {
        let invalid = || VaultError::KeyInvalid { path: path.into(), line: number + 1 };
        let mut key = Zeroizing::new([0u8; 32]);
        hex::decode_to_slice(line.trim_end(), key.as_mut_slice()).map_err(|_| invalid())?;
        let id = KekId::of(&key);
        if entries.iter().any(|entry| entry.id == id) {
            return Err(invalid());
        }
        entries.push(Entry { id, key });
    }
    Ok(Some(entries))
}

fn draw() -> Entry {
    let mut key = Zeroizing::new([0u8; 32]);
    fill(key.as_mut_slice());
    Entry { id: KekId::of(&key), key }
}

fn text(entries: &[Entry]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(entries.len() * 65));
    for entry in entries {
        let mut digits = Zeroizing::new([0u8; 64]);
        hex::encode_to_slice(entry.key.as_slice(), digits.as_mut_slice()).expect("64 digits for 32 bytes");
        text.extend(digits.iter().map(|digit| char::from(*digit)));
        text.push('\n');
    }
    text
}
