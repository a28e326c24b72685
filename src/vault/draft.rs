//! A file that is written beside its place and moved there when it is whole. What lies there already is gone on with
//! only if nobody else can have written it: the folder may be shared.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::VaultError;
use super::spool::sync_dir;

/// How often what is foreign is removed and made anew: somebody may be playing against us.
const TRIES: u32 = 3;

/// A draft: mode 0600, locked, ours alone.
#[derive(Debug)]
pub struct Draft {
    file: File,
    path: PathBuf,
}

impl Draft {
    /// Opens `<out><ending>` to go on with, or makes it. A link, what belongs to somebody else, can be read or written
    /// by others or has a second name is removed, and an empty file takes its place. Blocks for a moment.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when another process writes it; when it cannot be made.
    pub fn open(out: &Path, ending: &str) -> io::Result<Self> {
        let mut path = OsString::from(out);
        path.push(ending);
        let path = PathBuf::from(path);
        for _ in 0..TRIES {
            let file = match Self::there(&path) {
                Ok(Some(file)) => file,
                Ok(None) => match make(&path) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                    made => made?,
                },
                Err(error) => return Err(error),
            };
            file.try_lock().map_err(io::Error::from)?;
            let draft = Self { file, path: path.clone() };
            // Whoever held the lock until now may have moved it away.
            if draft.is_in_place()? {
                return Ok(draft);
            }
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "somebody else keeps putting a file there"))
    }

    /// What is there and ours; what is foreign is removed.
    fn there(path: &Path) -> io::Result<Option<File>> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
        let opened = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path);
        match opened {
            Ok(file) if is_ours(&file.metadata()?) => return Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // A link gives ELOOP, what is not ours most often EACCES: whatever it is, its name is what we take.
            Ok(_) | Err(_) => {}
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(None),
        }
    }

    /// The file; its lock holds as long as a copy of it is open.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Its name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it.
    pub fn discard(self) {
        let _ = fs::remove_file(&self.path); // it is of no use, and is looked at anew by the next one
    }

    /// Moves it to `out`, whole and on the disk. Blocks.
    ///
    /// # Errors
    /// When the disk refuses, or when somebody put another file into its place.
    pub fn finish(self, out: &Path) -> Result<(), VaultError> {
        let io = |what| VaultError::io(what, &self.path);
        self.file.sync_all().map_err(io("sync"))?;
        if !self.is_in_place().map_err(io("look at"))? {
            let other = io::Error::new(io::ErrorKind::PermissionDenied, "another file is in its place");
            return Err(io("move")(other));
        }
        fs::rename(&self.path, out).map_err(VaultError::io("move a draft to", out))?;
        sync_dir(out)
    }

    /// Whether its name is still that of this very file, and nobody else can write it.
    fn is_in_place(&self) -> io::Result<bool> {
        let ours = self.file.metadata()?;
        match fs::symlink_metadata(&self.path) {
            Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino()) && is_ours(&ours)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn make(path: &Path) -> io::Result<File> {
    // O_EXCL follows no link.
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

fn is_ours(file: &fs::Metadata) -> bool {
    let own = rustix::process::geteuid().as_raw();
    file.is_file() && file.uid() == own && file.mode() & 0o077 == 0 && file.nlink() == 1
}
