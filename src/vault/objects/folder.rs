//! Objects in a folder, with the promises of a bucket: a name appears with its whole content or not at all
//! (a temporary file, made durable, then linked), is never overwritten, and is read back. Temporary files have a
//! directory of their own, [`UPLOADS`], so nothing has to look through the objects to find them. All of the folder is
//! one file system.

mod tree;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use rustix::fs::{Advice, CWD, RenameFlags, fadvise, renameat_with};
use ulid::Ulid;

use super::{
    About, Content, Head, ObjectError, Page, Proof, Put, Removed, Target, Trace, TraceKind, Unfinished,
    content,
};
use crate::time::Timestamp;

use tree::{
    Walk, all_files, entries_of, hash, is_file, make_dirs, modified, remove_empty, remove_file, sync_parent,
};

/// What is read or written at once.
const PIECE: u64 = 1 << 20;
/// Where temporary files are. No object's name begins with a dot.
const UPLOADS: &str = ".uploads";
/// The end of a temporary file's name: `<name>.<ULID>.tmp`, in it [`SLASH`] for each slash of the object's name.
const TEMPORARY: &str = ".tmp";
/// No object's name has it.
const SLASH: &str = "!";

/// A folder.
pub(super) struct Folder {
    dir: PathBuf,
}

impl Folder {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(super) fn place(&self) -> String {
        self.dir.display().to_string()
    }

    pub(super) async fn put(
        &self,
        name: &str,
        content: &dyn Content,
        about: &About,
    ) -> Result<Put, ObjectError> {
        let path = self.path(name);
        let (dir, of, own) = (self.dir.clone(), path.clone(), name.to_owned());
        blocking("make the directory of", name, move || {
            make_dirs(&dir, of.parent().unwrap_or(&dir))?;
            // What an earlier try left, of this process or one that died.
            let left = temporaries(&dir, |name| name == own)?;
            left.iter().try_for_each(|left| remove_file(&left.path).map(drop))
        })
        .await?;
        let linked = match content.file() {
            Some(file) => self.link(file, name).await?,
            None => None,
        };
        let (found, sha256) = match linked {
            Some(found) => {
                let sha256 = match &about.sha256 {
                    Some(known) => known.clone(),
                    None => content::sha256(content, PIECE, name).await?,
                };
                (found, sha256)
            }
            None => self.copy(name, content, about).await?,
        };
        match (found, self.verify(name, content.len(), &sha256).await) {
            (Found::Other, Err(ObjectError::Corrupt { name, .. })) => Err(ObjectError::Exists { name }),
            (Found::Ours, Err(error @ ObjectError::Corrupt { .. })) => {
                // Ours, and wrong from the start: nobody has been told of it, and it must not block the next try.
                blocking("remove", name, move || remove_file(&path).map(drop)).await?;
                Err(error)
            }
            (_, result) => result,
        }
    }

    pub(super) async fn verify(&self, name: &str, bytes: u64, sha256: &str) -> Result<Put, ObjectError> {
        let path = self.path(name);
        let (has, found) = blocking("read back", name, move || {
            let file = File::open(&path)?;
            // From the disk and not from memory, as far as the kernel lets us.
            file.sync_all()?;
            let _best_effort = fadvise(&file, 0, None, Advice::DontNeed);
            Ok((file.metadata()?.len(), hash(&file)?))
        })
        .await?;
        let corrupt = |why| Err(ObjectError::Corrupt { name: name.to_owned(), why });
        if has != bytes {
            return corrupt(format!("the folder has {has} bytes, {bytes} are expected"));
        }
        if !found.eq_ignore_ascii_case(sha256) {
            return corrupt(format!("its SHA-256 is {found}, {sha256} is expected"));
        }
        Ok(Put { version: None, bytes, checksum: found, proof: Proof::ReadBack })
    }

    /// Takes the file itself under the new name; `None` where the file system cannot.
    async fn link(&self, file: &Path, name: &str) -> Result<Option<Found>, ObjectError> {
        let (file, path) = (file.to_owned(), self.path(name));
        blocking("link", name, move || match fs::hard_link(file, &path) {
            Ok(()) => {
                File::open(&path)?.sync_all()?;
                sync_parent(&path)?;
                Ok(Some(Found::Ours))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Some(Found::Other)),
            // Another disk, or no links there: it is copied.
            Err(_) => Ok(None),
        })
        .await
    }

    /// Copies into a temporary file and gives it its name. Also the SHA-256 of what was written.
    async fn copy(
        &self,
        name: &str,
        content: &dyn Content,
        about: &About,
    ) -> Result<(Found, String), ObjectError> {
        let path = self.path(name);
        let temporary = Temporary::of(&self.dir, name);
        let (mut hash, mut at) = (Context::new(&SHA256), 0);
        let (dir, at_path) = (self.dir.clone(), temporary.0.clone());
        let made = blocking("write", name, move || {
            make_dirs(&dir, &dir.join(UPLOADS))?;
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(at_path)
        });
        let mut file = made.await?;
        while at < content.len() {
            let bytes = content::read(content, at..content.len().min(at + PIECE), name).await?;
            at += bytes.len() as u64;
            hash.update(&bytes);
            file = blocking("write", name, move || file.write_all(&bytes).map(|()| file)).await?;
        }
        let found = hex::encode(hash.finish());
        if let Some(said) = &about.sha256
            && !said.eq_ignore_ascii_case(&found)
        {
            let why = format!("what is to be put has SHA-256 {found}, {said} was said");
            return Err(ObjectError::Corrupt { name: name.to_owned(), why });
        }
        let placed = blocking("put", name, move || {
            file.sync_all()?;
            let placed = place(&temporary.0, &path);
            drop(temporary);
            sync_parent(&path)?;
            placed
        });
        Ok((placed.await?, found))
    }

    pub(super) async fn head(&self, name: &str) -> Result<Option<Head>, ObjectError> {
        let path = self.path(name);
        let found = blocking("ask for", name, move || fs::metadata(path)).await;
        match found {
            Ok(found) if found.is_file() => {
                Ok(Some(Head { bytes: found.len(), sha256: None, version: None, locked_until: None }))
            }
            Ok(_) | Err(ObjectError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn get(
        &self,
        name: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, ObjectError>>, ObjectError> {
        let path = self.path(name);
        let (file, length) = blocking("read", name, move || {
            let file = File::open(path)?;
            let length = file.metadata()?.len();
            Ok((Arc::new(file), length))
        })
        .await?;
        if range.start < range.end && range.end > length {
            let why = format!("it has {length} bytes, and no range up to {}", range.end);
            return Err(ObjectError::Refused { what: "read", name: name.to_owned(), why });
        }
        let name = name.to_owned();
        let next = move |at: u64| {
            let (file, name, end) = (file.clone(), name.clone(), range.end);
            async move {
                if at >= end {
                    return Ok(None);
                }
                let count = (end - at).min(PIECE / 4);
                let read = blocking("read", &name, move || {
                    let mut piece = vec![0; usize::try_from(count).expect("a piece fits in memory")];
                    file.read_exact_at(&mut piece, at).map(|()| Bytes::from(piece))
                });
                Ok(Some((read.await?, at + count)))
            }
        };
        Ok(stream::try_unfold(range.start, next).boxed())
    }

    pub(super) async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, ObjectError> {
        let (dir, from, after) = (self.dir.clone(), prefix.to_owned(), after.map(str::to_owned));
        blocking("list", prefix, move || {
            let mut walk =
                Walk { prefix: &from, after: after.as_deref(), most: limit + 1, found: Vec::new() };
            walk.list(&dir, "")?;
            let more = walk.found.len() > limit;
            walk.found.truncate(limit);
            Ok(Page { objects: walk.found, more })
        })
        .await
    }

    pub(super) async fn remove(&self, target: &Target<'_>) -> Result<Removed, ObjectError> {
        let mut removed = Removed::default();
        for trace in self.traces(target).await? {
            let path = self.path_of(&trace);
            let gone = blocking("remove", &trace.name, move || {
                let gone = remove_file(&path)?;
                sync_parent(&path)?;
                Ok(gone)
            });
            if !gone.await? {
                continue;
            }
            match trace.kind {
                TraceKind::Upload => removed.uploads += 1,
                TraceKind::File | TraceKind::Version | TraceKind::DeleteMarker => removed.versions += 1,
            }
            removed.names.push(trace.name);
        }
        removed.names.sort_unstable();
        removed.names.dedup();
        if let Target::Below(name) = target {
            // Its name is a trace as well. One that got a file meanwhile stays.
            let dir = self.path(name.trim_end_matches('/'));
            blocking("remove", name, move || remove_empty(&dir)).await?;
        }
        Ok(removed)
    }

    pub(super) async fn traces(&self, target: &Target<'_>) -> Result<Vec<Trace>, ObjectError> {
        let (name, below) = match target {
            Target::Name(name) => (*name, false),
            Target::Below(name) => (name.trim_end_matches('/'), true),
        };
        let (dir, path, of) = (self.dir.clone(), self.path(name), name.to_owned());
        let (mut files, uploads) = blocking("look for", name, move || {
            let inside =
                |name: &str| name.strip_prefix(of.as_str()).is_some_and(|rest| rest.starts_with('/'));
            let uploads = temporaries(&dir, |name| if below { inside(name) } else { name == of })?;
            if below {
                return Ok((all_files(&path)?, uploads));
            }
            Ok((if is_file(&path)? { vec![path] } else { Vec::new() }, uploads))
        })
        .await?;
        files.sort_unstable();
        let files = files.iter().filter_map(|file| self.trace(file));
        Ok(files.chain(uploads.into_iter().map(Upload::trace)).collect())
    }

    /// Whether there is anything in a directory of it: those of objects that were removed stay.
    pub(super) async fn is_used(&self, prefix: &str) -> Result<bool, ObjectError> {
        let dir = self.path(prefix);
        blocking("look through", prefix, move || Ok(!entries_of(&dir)?.is_empty())).await
    }

    pub(super) async fn unfinished(
        &self,
        prefix: &str,
        older_than: Timestamp,
    ) -> Result<Vec<Unfinished>, ObjectError> {
        let (dir, from) = (self.dir.clone(), prefix.to_owned());
        let uploads = blocking("look through", prefix, move || {
            let mut found = temporaries(&dir, |name| name.starts_with(&from))?;
            found.retain(|upload| upload.began < older_than);
            Ok(found)
        });
        let of = |Upload { name, id, began, .. }| Unfinished { name, id, began };
        Ok(uploads.await?.into_iter().map(of).collect())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// What a file among the objects is.
    fn trace(&self, file: &Path) -> Option<Trace> {
        let bytes = file.symlink_metadata().map_or(0, |found| found.len());
        Some(Trace { name: self.name(file)?, version: None, kind: TraceKind::File, bytes })
    }

    /// Where a trace of ours lies.
    fn path_of(&self, trace: &Trace) -> PathBuf {
        match &trace.version {
            Some(id) => upload(&self.dir, &trace.name, id),
            None => self.path(&trace.name),
        }
    }

    fn name(&self, path: &Path) -> Option<String> {
        path.strip_prefix(&self.dir).ok()?.to_str().map(str::to_owned)
    }
}

/// Whose object bears the name now.
enum Found {
    /// The one that was just put.
    Ours,
    /// One that was there.
    Other,
}

/// A file on its way to be an object; gone when dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn of(dir: &Path, name: &str) -> Self {
        Self(upload(dir, name, &Ulid::generate().to_string()))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed now is found by the next try, by traces and by reconciliation.
        let _ = fs::remove_file(&self.0);
    }
}

/// A temporary file that is there.
struct Upload {
    name: String,
    id: String,
    path: PathBuf,
    bytes: u64,
    began: Timestamp,
}

impl Upload {
    fn trace(self) -> Trace {
        Trace { name: self.name, version: Some(self.id), kind: TraceKind::Upload, bytes: self.bytes }
    }
}

/// Where the temporary file `id` of an object is.
fn upload(dir: &Path, name: &str, id: &str) -> PathBuf {
    dir.join(UPLOADS).join(format!("{}.{id}{TEMPORARY}", name.replace('/', SLASH)))
}

/// The temporary files of objects with such names, in name order. Only as many are there as are put at once, and what
/// crashes left.
fn temporaries(dir: &Path, is_asked: impl Fn(&str) -> bool) -> io::Result<Vec<Upload>> {
    let mut found = Vec::new();
    for (path, is_dir) in entries_of(&dir.join(UPLOADS))? {
        let own = path.file_name().and_then(|own| own.to_str()).unwrap_or_default();
        let Some((name, id)) = own.strip_suffix(TEMPORARY).and_then(|own| own.rsplit_once('.')) else {
            continue;
        };
        let (name, id) = (name.replace(SLASH, "/"), id.to_owned());
        if is_dir || !is_asked(&name) {
            continue;
        }
        match path.symlink_metadata() {
            Ok(about) => found.push(Upload { name, id, bytes: about.len(), began: modified(&about), path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {} // finished meanwhile
            Err(error) => return Err(error),
        }
    }
    found.sort_unstable_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Ok(found)
}

/// Gives a finished temporary file its name, unless that is taken.
fn place(temporary: &Path, path: &Path) -> io::Result<Found> {
    let done = match fs::hard_link(temporary, path) {
        // File systems without links can rename without overwriting.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            renameat_with(CWD, temporary, CWD, path, RenameFlags::NOREPLACE).map_err(io::Error::from)
        }
        other => other,
    };
    match done {
        Ok(()) => Ok(Found::Ours),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Found::Other),
        Err(error) => Err(error),
    }
}

/// Runs file work where it may block.
async fn blocking<T: Send + 'static>(
    what: &'static str,
    name: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ObjectError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(ObjectError::file(what, name)),
        Err(stopped) => {
            Err(ObjectError::Away { what, name: name.to_owned(), why: format!("not carried out: {stopped}") })
        }
    }
}
