//! The vault folder has one owner at a time: who writes recordings into its spool, salvages them or runs its jobs.
//! Two of them would each take what the other one makes for the leftovers of a crash.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::VaultError;

/// The file that is locked. It stays when its owner goes: who removed it would let in two.
const NAME: &str = "owner.lock";

/// Ownership of a vault folder, until it is dropped or its process dies, however it does.
#[derive(Debug)]
pub struct SpoolOwner {
    /// Locked (`flock`).
    _lock: File,
}

/// Takes the folder.
pub(super) fn own(dir: &Path) -> Result<SpoolOwner, VaultError> {
    let path = dir.join(NAME);
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut lock = opened.map_err(VaultError::io("open", &path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(owned(lock, path)),
        Err(TryLockError::Error(error)) => return Err(VaultError::io("lock", path)(error)),
    }
    let said = lock
        .set_len(0)
        .and_then(|()| lock.seek(SeekFrom::Start(0)))
        .and_then(|_| writeln!(lock, "{}", std::process::id()));
    if let Err(error) = said {
        // A full disk, perhaps. The lock holds all the same, only who has it cannot be read.
        tracing::warn!(path = %path.display(), %error, "who owns the vault could not be noted");
    }
    Ok(SpoolOwner { _lock: lock })
}

/// Says who has it, as far as that can be read.
fn owned(mut lock: File, path: PathBuf) -> VaultError {
    let mut text = String::new();
    let read = lock.read_to_string(&mut text).ok();
    VaultError::Owned { path, pid: read.and_then(|_| text.trim_end().parse().ok()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let first = own(dir.path()).unwrap();
        let refused = own(dir.path()).unwrap_err();
        let VaultError::Owned { pid, .. } = &refused else { panic!("{refused}") };
        assert_eq!(*pid, Some(std::process::id()));
        assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
        drop(first);
        own(dir.path()).unwrap();
    }
}
