//! Files that hold secrets: made whole or not at all, mode 0600, refused when others can reach them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::VaultError;

/// Most bytes that are read: a thousand keys.
const LIMIT: u64 = 1 << 16;

/// The file's text; `None` if it is not there.
///
/// # Errors
/// When others than the owner can reach it, or it cannot be read.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<String>>, VaultError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(VaultError::io("open key file", path))?,
    };
    let about = file.metadata().map_err(VaultError::io("look at key file", path))?;
    let mode = about.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(VaultError::KeyExposed { path: path.into(), mode });
    }
    // Its size at once, so that no copy is left behind by a text that grew.
    let room = usize::try_from(about.len().min(LIMIT)).unwrap_or(0) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(LIMIT).read_to_end(&mut bytes).map_err(VaultError::io("read key file", path))?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Some(Zeroizing::new(text.to_owned()))),
        Err(_) => Err(VaultError::KeyInvalid { path: path.into(), line: 1 }),
    }
}

/// Makes the file, with its directory. When another process has just made it, that one stays.
///
/// # Errors
/// When it cannot be made.
pub(super) fn create(path: &Path, text: &str) -> Result<(), VaultError> {
    let parent = parent(path);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
    made.map_err(VaultError::io("create directory", parent))?;
    let draft = beside(path, &format!(".{}", std::process::id()));
    let written = draft_of(&draft, text)
        // A link, not a rename: it does not replace a key that another process has just made.
        .and_then(|_| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        })
        .and_then(|()| File::open(parent)?.sync_all());
    let removed = fs::remove_file(&draft);
    written.and(removed).map_err(VaultError::io("create key file", path))
}

/// Puts another text in the file's place: at every moment there is the old one whole or the new one whole.
/// Its owner stays. Call it with the [`Lock`] alone.
///
/// # Errors
/// When it cannot be written; the old one is then still there.
pub(super) fn replace(path: &Path, text: &str, _alone: &Lock) -> Result<(), VaultError> {
    let fault = || VaultError::io("replace key file", path);
    // Where the name is a link, what it names is replaced.
    let path = fs::canonicalize(path).map_err(fault())?;
    let about = fs::metadata(&path).map_err(fault())?;
    let draft = beside(&path, ".new");
    match fs::remove_file(&draft) {
        // A crash left it. The lock says that nobody else writes it now.
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(fault()(error)),
    }
    let written = draft_of(&draft, text)
        .and_then(|file| {
            let ours = file.metadata()?;
            if (ours.uid(), ours.gid()) != (about.uid(), about.gid()) {
                std::os::unix::fs::fchown(&file, Some(about.uid()), Some(about.gid()))?;
                file.sync_all()?;
            }
            fs::rename(&draft, &path)
        })
        .and_then(|()| File::open(parent(&path))?.sync_all());
    if written.is_err() {
        // It may not be there; the error that counts is the first.
        let _ = fs::remove_file(&draft);
    }
    written.map_err(fault())
}

/// Removes the file, durably. Call it with the [`Lock`] alone.
///
/// # Errors
/// When it cannot be removed.
pub(super) fn remove(path: &Path, _alone: &Lock) -> Result<(), VaultError> {
    let removed = fs::remove_file(path).and_then(|()| File::open(parent(path))?.sync_all());
    removed.map_err(VaultError::io("remove key file", path))
}

/// Held by the one process that changes a key file; waits for another. It lies beside the file, since that one is
/// replaced, and goes with the process.
pub(super) struct Lock(#[allow(dead_code, reason = "it locks while it is open")] File);

impl Lock {
    /// Waits until nobody else has it.
    ///
    /// # Errors
    /// When the lock's file cannot be made.
    pub(super) fn take(path: &Path) -> Result<Self, VaultError> {
        let lock = beside(path, ".lock");
        let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(&lock);
        let taken = opened.and_then(|file| file.lock().map(|()| file));
        taken.map(Self).map_err(VaultError::io("lock key file by", lock))
    }
}

fn draft_of(draft: &Path, text: &str) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(file)
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
