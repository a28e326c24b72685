//! Where a sealed file is read from: the spool or the object store, any range at any time.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryStreamExt};

use super::VaultError;
use super::objects::{Content, ObjectError, Objects};
use crate::ids::RecordingId;

/// Where a recording is read from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The spool: [`Vault::spooled`](super::Vault::spooled).
    Spool(SpoolFile),
    /// The object store.
    Object {
        /// Which.
        objects: Objects,
        /// The object's name.
        name: String,
        /// Its size, as the database has it.
        bytes: u64,
    },
}

impl Source {
    /// Its size; for an object the store is asked whether it agrees.
    pub(super) async fn size(&self, id: RecordingId) -> Result<u64, VaultError> {
        match self {
            Self::Spool(file) => Ok(file.len()),
            Self::Object { objects, name, bytes } => {
                let head = objects.head(name).await?;
                let found = head.ok_or_else(|| ObjectError::NotFound { name: name.clone() })?.bytes;
                if found < *bytes {
                    return Err(VaultError::Truncated { id, at: found });
                }
                if found > *bytes {
                    return Err(VaultError::Trailing { id, at: *bytes });
                }
                Ok(found)
            }
        }
    }

    /// Exactly the bytes of a range that is within its size.
    pub(super) async fn read(&self, range: Range<u64>) -> Result<BytesMut, VaultError> {
        if range.is_empty() {
            return Ok(BytesMut::new()); // which a store would refuse
        }
        match self {
            Self::Spool(file) => {
                let read = file.read_exact(range).await;
                read.map_err(VaultError::io("read", &file.path))
            }
            Self::Object { objects, name, .. } => {
                let wanted = range.end.saturating_sub(range.start);
                let mut bytes = BytesMut::with_capacity(wanted as usize);
                let mut stream = objects.get(name, range).await?;
                while let Some(more) = stream.try_next().await? {
                    bytes.extend_from_slice(&more);
                }
                if bytes.len() as u64 == wanted {
                    return Ok(bytes);
                }
                let why = format!("the store gave {} bytes of {wanted}", bytes.len());
                Err(ObjectError::Corrupt { name: name.clone(), why }.into())
            }
        }
    }

    /// What errors call it.
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::Spool(file) => file.path.clone(),
            Self::Object { name, .. } => PathBuf::from(name),
        }
    }
}

/// A sealed file of the spool, or a piece of one. It stays readable when its name goes.
#[derive(Clone, Debug)]
pub struct SpoolFile {
    file: Arc<File>,
    path: PathBuf,
    range: Range<u64>,
    whole: bool,
}

impl SpoolFile {
    /// `None`: there is no such file. A piece must be within the file.
    pub(super) fn open(path: PathBuf, piece: Option<Range<u64>>) -> Result<Option<Self>, VaultError> {
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(VaultError::io("open", &path))?,
        };
        let size = file.metadata().map_err(VaultError::io("look at", &path))?.len();
        let whole = piece.is_none();
        let range = piece.unwrap_or(0..size);
        if range.start > range.end || range.end > size {
            let error = io::Error::new(io::ErrorKind::UnexpectedEof, "more than is written was asked for");
            return Err(VaultError::io("read", path)(error));
        }
        Ok(Some(Self { file: Arc::new(file), path, range, whole }))
    }

    async fn read_exact(&self, range: Range<u64>) -> io::Result<BytesMut> {
        let end = self.range.start.checked_add(range.end).filter(|end| *end <= self.range.end);
        let (Some(end), true) = (end, range.start <= range.end) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let start = self.range.start + range.start;
        let file = Arc::clone(&self.file);
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = BytesMut::zeroed((end - start) as usize);
            file.read_exact_at(&mut bytes, start).map(|()| bytes)
        });
        read.await.map_err(io::Error::other)?
    }
}

impl Content for SpoolFile {
    fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    fn read(&self, range: Range<u64>) -> BoxFuture<'_, io::Result<Bytes>> {
        async move { Ok(self.read_exact(range).await?.freeze()) }.boxed()
    }

    /// A whole recording is never written to again; what is still written must be copied.
    fn file(&self) -> Option<&Path> {
        self.whole.then_some(&*self.path)
    }
}
