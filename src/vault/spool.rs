//! The spool's files: their names, how they come to their place, and how they go.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use ulid::Ulid;

use super::VaultError;
use crate::ids::RecordingId;

/// What destruction found of a recording on this machine: names of files in the spool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalTraces {
    /// Found and removed.
    pub before: Vec<String>,
    /// Found afterwards, by listing again: none.
    pub after: Vec<String>,
}

/// A file in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spooled {
    /// Whose.
    pub id: RecordingId,
    /// What.
    pub kind: SpooledKind,
    /// Its size.
    pub bytes: u64,
}

/// What a file in the spool is; its name ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpooledKind {
    /// Being written, or left by a crash.
    Part,
    /// Whole.
    Rec,
    /// Being made anew as Opus.
    Draft,
    /// Being put together from segments.
    Rebuild,
}

impl SpooledKind {
    /// In the order in which a file moves: one that is just moving is caught by who goes through them.
    const ALL: [Self; 4] = [Self::Rebuild, Self::Part, Self::Draft, Self::Rec];

    const fn ending(self) -> &'static str {
        match self {
            Self::Part => "part",
            Self::Rec => "rec",
            Self::Draft => "draft",
            Self::Rebuild => "rebuild",
        }
    }
}

/// Where files are.
#[derive(Clone)]
pub(super) struct Paths {
    dir: PathBuf,
}

impl Paths {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn spool(&self) -> PathBuf {
        self.dir.join("spool")
    }

    pub(super) fn part(&self, id: RecordingId) -> PathBuf {
        self.of(id, SpooledKind::Part)
    }

    pub(super) fn rec(&self, id: RecordingId) -> PathBuf {
        self.of(id, SpooledKind::Rec)
    }

    pub(super) fn draft(&self, id: RecordingId) -> PathBuf {
        self.of(id, SpooledKind::Draft)
    }

    pub(super) fn rebuild(&self, id: RecordingId) -> PathBuf {
        self.of(id, SpooledKind::Rebuild)
    }

    fn of(&self, id: RecordingId, kind: SpooledKind) -> PathBuf {
        self.spool().join(format!("{id}.{}", kind.ending()))
    }

    /// Makes the directories and the spool's id where they are missing; gives the id.
    pub(super) fn open(&self) -> Result<String, VaultError> {
        let spool = self.spool();
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&spool);
        made.map_err(VaultError::io("create directory", &spool))?;
        let path = self.dir.join("spool.id");
        if let Some(id) = self.id()? {
            return Ok(id);
        }
        self.draw_id(&path)?;
        let gone = || VaultError::io("read", &path)(io::ErrorKind::NotFound.into());
        self.id()?.ok_or_else(gone)
    }

    /// The spool's id; `None`: it was never opened.
    pub(super) fn id(&self) -> Result<Option<String>, VaultError> {
        let path = self.dir.join("spool.id");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(VaultError::io("read", &path))?,
        };
        let id = Ulid::from_string(text.trim_end()).map_err(|_| VaultError::SpoolId { path })?;
        Ok(Some(id.to_string()))
    }

    /// Whether nothing was ever recorded here: the spool's id is made when it is first opened.
    pub(super) fn is_empty(&self) -> Result<bool, VaultError> {
        let path = self.dir.join("spool.id");
        Ok(!path.try_exists().map_err(VaultError::io("look for", path))?)
    }

    /// Writes a new id, whole or not at all; when another process has just done so, that one stays.
    fn draw_id(&self, path: &Path) -> Result<(), VaultError> {
        let draft = self.dir.join(format!("spool.id.{}", std::process::id()));
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| {
                writeln!(file, "{}", Ulid::generate())?;
                file.sync_all()
            })
            .and_then(|()| match fs::hard_link(&draft, path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                linked => linked,
            });
        let removed = fs::remove_file(&draft);
        written.and(removed).map_err(VaultError::io("create", path))?;
        sync_dir(path)
    }

    /// Puts a `.part` whose content is on the disk in its place, durably.
    pub(super) fn settle(&self, id: RecordingId) -> Result<(), VaultError> {
        let (part, rec) = (self.part(id), self.rec(id));
        let gone = VaultError::Destroyed(id);
        let moved = fs::rename(&part, &rec);
        moved.map_err(VaultError::io_or(io::ErrorKind::NotFound, gone, "move to its place", &rec))?;
        sync_dir(&rec)
    }

    /// Puts a draft whose content is on the disk in the place of the `.rec`, durably, and removes what was there.
    /// At any moment one of the two is in that place; where there is nothing any more, nothing is put.
    pub(super) fn exchange(&self, id: RecordingId) -> Result<(), VaultError> {
        let (draft, rec) = (self.draft(id), self.rec(id));
        let moved = match renameat_with(CWD, &draft, CWD, &rec, RenameFlags::EXCHANGE) {
            // A file system that cannot exchange. Who destroys it waits for us, so it does not go in between.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if rec.exists() => fs::rename(&draft, &rec),
            moved => moved.map_err(io::Error::from),
        };
        let gone = VaultError::Destroyed(id);
        moved.map_err(VaultError::io_or(io::ErrorKind::NotFound, gone, "move to its place", &rec))?;
        // Durable before the old one goes: else loss of power could leave neither.
        sync_dir(&rec)?;
        remove(&draft)?;
        sync_dir(&rec)
    }

    /// Puts a rebuilt file whose content is on the disk in the place of the `.part`, durably, if there is none.
    pub(super) fn put_part(&self, id: RecordingId) -> Result<(), VaultError> {
        let (rebuild, part) = (self.rebuild(id), self.part(id));
        let moved = match renameat_with(CWD, &rebuild, CWD, &part, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if !part.exists() => {
                fs::rename(&rebuild, &part)
            }
            moved => moved.map_err(io::Error::from),
        };
        let there = VaultError::Exists(id);
        moved.map_err(VaultError::io_or(io::ErrorKind::AlreadyExists, there, "move to its place", &part))?;
        sync_dir(&part)
    }

    /// Removes the `.rec`, and drafts of it.
    pub(super) fn let_go(&self, id: RecordingId) -> Result<(), VaultError> {
        let draft = remove(&self.draft(id))?;
        let rec = remove(&self.rec(id))?;
        if draft || rec { sync_dir(&self.rec(id)) } else { Ok(()) }
    }

    /// Removes all that bears a recording's name, and looks again. The files that we make are asked for by their
    /// names; the whole spool is listed once, for the proof, and once more only if somebody made copies.
    pub(super) fn destroy(&self, id: RecordingId) -> Result<LocalTraces, VaultError> {
        let mut before = Vec::new();
        for kind in SpooledKind::ALL {
            let path = self.of(id, kind);
            if remove(&path)? {
                before.extend(name(&path).map(str::to_owned));
            }
        }
        let mut after = self.bearing(id)?;
        if !after.is_empty() {
            for copy in after.drain(..) {
                remove(&self.spool().join(&copy))?;
                before.push(copy);
            }
            after = self.bearing(id)?;
        }
        before.sort_unstable();
        before.dedup();
        if !before.is_empty() {
            sync_dir(&self.rec(id))?;
        }
        match after.first() {
            None => Ok(LocalTraces { before, after }),
            Some(first) => Err(VaultError::StillThere { id, path: self.spool().join(first) }),
        }
    }

    /// Names of all files in the spool that begin with the recording's.
    fn bearing(&self, id: RecordingId) -> Result<Vec<String>, VaultError> {
        let (id, spool) = (id.to_string(), self.spool());
        let mut found = Vec::new();
        for entry in fs::read_dir(&spool).map_err(VaultError::io("list directory", &spool))? {
            let name = entry.map_err(VaultError::io("list directory", &spool))?.file_name();
            found.extend(name.into_string().ok().filter(|name| name.starts_with(&id)));
        }
        Ok(found)
    }

    /// See [`Vault::spool_files`](super::Vault::spool_files).
    pub(super) fn files(&self) -> Result<Vec<Spooled>, VaultError> {
        let mut files = Vec::new();
        for path in list(&self.spool())? {
            let Some((id, kind)) = parse(&path) else { continue };
            match fs::metadata(&path) {
                Ok(about) => files.push(Spooled { id, kind, bytes: about.len() }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {} // it went meanwhile
                Err(error) => return Err(VaultError::io("look at", path)(error)),
            }
        }
        files.sort_unstable_by_key(|file| file.id);
        Ok(files)
    }

    /// See [`Vault::leftovers`](super::Vault::leftovers).
    pub(super) fn leftovers(&self) -> Result<Vec<RecordingId>, VaultError> {
        let mut ids = Vec::new();
        for path in list(&self.spool())? {
            match parse(&path) {
                Some((id, SpooledKind::Part)) if is_free(&path)? => ids.push(id),
                Some((id, SpooledKind::Draft | SpooledKind::Rebuild)) if is_free(&path)? => {
                    // What it was made of is still there, and is whole.
                    tracing::info!(recording = %id, path = %path.display(), "a draft that a stop left is removed");
                    remove(&path)?;
                }
                Some((
                    _,
                    SpooledKind::Part | SpooledKind::Draft | SpooledKind::Rebuild | SpooledKind::Rec,
                )) => {}
                None => {
                    tracing::warn!(path = %path.display(), "a strange file in the spool; it is left alone");
                }
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }
}

/// Whether nobody who lives has the file locked. One that is gone is nobody's either way.
fn is_free(path: &Path) -> Result<bool, VaultError> {
    match File::open(path).map_err(TryLockError::Error).and_then(|file| file.try_lock()) {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(TryLockError::Error(error)) => Err(VaultError::io("open spool file", path)(error)),
    }
}

fn parse(path: &Path) -> Option<(RecordingId, SpooledKind)> {
    let (id, ending) = name(path)?.split_once('.')?;
    let kind = SpooledKind::ALL.into_iter().find(|kind| kind.ending() == ending)?;
    Some((id.parse().ok()?, kind))
}

fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// Removes a file; tells whether it was there.
fn remove(path: &Path) -> Result<bool, VaultError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(VaultError::io("remove", path)(error)),
    }
}

/// Makes the entry of `path` in its directory durable.
pub(super) fn sync_dir(path: &Path) -> Result<(), VaultError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(VaultError::io("sync directory", dir))
}

/// What is in a directory.
pub(super) fn list(dir: &Path) -> Result<Vec<PathBuf>, VaultError> {
    fs::read_dir(dir)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(VaultError::io("list directory", dir))
}
