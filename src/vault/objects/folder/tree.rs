//! The tree of files that a folder of objects is: listings in name order, durable directories, the SHA-256 of a file.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use super::PIECE;
use crate::time::Timestamp;
use crate::vault::objects::Listed;

/// A listing as it goes through the directories in name order, holding one directory's names at a time.
pub(super) struct Walk<'a> {
    pub(super) prefix: &'a str,
    pub(super) after: Option<&'a str>,
    pub(super) most: usize,
    pub(super) found: Vec<Listed>,
}

impl Walk<'_> {
    /// `below`: what the names in this directory begin with.
    pub(super) fn list(&mut self, dir: &Path, below: &str) -> io::Result<()> {
        let mut entries = Vec::new();
        for (path, is_dir) in entries_of(dir)? {
            let Some(own) = path.file_name().and_then(|own| own.to_str()) else { continue };
            if !own.starts_with('.') {
                // With its slash, so that the order is that of whole names.
                entries.push((format!("{below}{own}{}", if is_dir { "/" } else { "" }), path));
            }
        }
        entries.sort_unstable();
        for (name, path) in entries {
            if self.found.len() >= self.most {
                break;
            }
            let passed = self.after.is_some_and(|after| after >= name.as_str());
            if name.ends_with('/') {
                let inside = name.starts_with(self.prefix) || self.prefix.starts_with(&name);
                let resumes = self.after.is_some_and(|after| after.starts_with(&name));
                if inside && (!passed || resumes) {
                    self.list(&path, &name)?;
                }
            } else if !passed && name.starts_with(self.prefix) {
                // Gone meanwhile is not there.
                let Ok(metadata) = path.symlink_metadata() else { continue };
                self.found.push(Listed { name, bytes: metadata.len(), modified: modified(&metadata) });
            }
        }
        Ok(())
    }
}

/// What is in a directory, and whether each is one; nothing if there is none.
pub(super) fn entries_of(dir: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    entries.map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.file_type()?.is_dir())))).collect()
}

/// All files below a directory; none if there is none.
pub(super) fn all_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for (path, is_dir) in entries_of(dir)? {
        if is_dir { found.extend(all_files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

/// Whether there is a file; one that cannot be looked at is not taken for gone.
pub(super) fn is_file(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Ok(found) => Ok(!found.is_dir()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a directory below `base` and all above it, each durable in the one above.
pub(super) fn make_dirs(base: &Path, dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if dir == base {
        return DirBuilder::new().recursive(true).mode(0o700).create(dir);
    }
    make_dirs(base, dir.parent().unwrap_or(base))?;
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => sync_parent(dir),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes empty directories, from the deepest up to `dir`.
pub(super) fn remove_empty(dir: &Path) -> io::Result<()> {
    for (path, is_dir) in entries_of(dir)? {
        if is_dir {
            remove_empty(&path)?;
        }
    }
    match fs::remove_dir(dir) {
        Ok(()) => sync_parent(dir),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Whether it was there.
pub(super) fn remove_file(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes the entry of a file durable.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

/// SHA-256 (hex) of a file.
pub(super) fn hash(file: &File) -> io::Result<String> {
    let (mut hash, mut at) = (Context::new(&SHA256), 0);
    let mut piece = vec![0; usize::try_from(PIECE).expect("a piece fits in memory")];
    loop {
        match file.read_at(&mut piece, at)? {
            0 => return Ok(hex::encode(hash.finish())),
            count => {
                hash.update(&piece[..count]);
                at += count as u64;
            }
        }
    }
}

/// When a file was last written.
pub(super) fn modified(metadata: &fs::Metadata) -> Timestamp {
    use std::os::unix::fs::MetadataExt as _;
    Timestamp::from_micros(metadata.mtime() * 1_000_000 + metadata.mtime_nsec() / 1_000)
}
