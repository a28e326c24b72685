//! What is put into an object store: bytes that can be read again, so that a part can be sent again.

use std::io;
use std::ops::Range;
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::ObjectError;

/// Content of known length that gives the same bytes each time it is read.
pub trait Content: Send + Sync {
    /// How many bytes there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a range that is within the length.
    fn read(&self, range: Range<u64>) -> BoxFuture<'_, io::Result<Bytes>>;

    /// The file that holds exactly this content and is never written to again: a folder on the same disk then
    /// takes it by a link and needs no second copy.
    fn file(&self) -> Option<&Path> {
        None
    }
}

impl Content for Bytes {
    fn len(&self) -> u64 {
        Self::len(self) as u64
    }

    fn read(&self, range: Range<u64>) -> BoxFuture<'_, io::Result<Bytes>> {
        let ends = (usize::try_from(range.start), usize::try_from(range.end));
        let found = match ends {
            (Ok(start), Ok(end)) if start <= end && end <= Self::len(self) => Ok(self.slice(start..end)),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        };
        Box::pin(std::future::ready(found))
    }
}

/// Reads exactly this range.
pub(super) async fn read(content: &dyn Content, range: Range<u64>, name: &str) -> Result<Bytes, ObjectError> {
    let wanted = range.end - range.start;
    let bytes = content.read(range).await.map_err(|error| ObjectError::Refused {
        what: "read what is to become",
        name: name.to_owned(),
        why: error.to_string(),
    })?;
    if bytes.len() as u64 == wanted {
        return Ok(bytes);
    }
    Err(ObjectError::Corrupt {
        name: name.to_owned(),
        why: format!("what is to be put gave {} of {wanted} bytes", bytes.len()),
    })
}

/// SHA-256 (hex) of the whole, read in pieces of `step` bytes.
pub(super) async fn sha256(content: &dyn Content, step: u64, name: &str) -> Result<String, ObjectError> {
    let mut hash = Context::new(&SHA256);
    let mut at = 0;
    while at < content.len() {
        let end = content.len().min(at + step);
        hash.update(&read(content, at..end, name).await?);
        at = end;
    }
    Ok(hex::encode(hash.finish()))
}
