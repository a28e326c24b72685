//! A recording whose spool file was lost comes back from the segments that were copied while it was written.

use std::io;
use std::pin::pin;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt;

use super::VaultError;
use super::objects::ObjectError;
use super::sealed::{HEADER, Header};
use super::spool::Paths;
use super::works::Work;
use crate::ids::RecordingId;

/// Segments are bytes of the `.part`, so that one after the other they are its beginning. Whether they verify is for
/// salvage to see; that they begin with the recording's own header is seen here.
pub(super) async fn rebuild(
    paths: &Paths,
    id: RecordingId,
    work: &Work<'_>,
    segments: impl Stream<Item = Result<Bytes, ObjectError>> + Send,
) -> Result<u64, VaultError> {
    if paths.part(id).exists() || paths.rec(id).exists() {
        return Err(VaultError::Exists(id));
    }
    let path = paths.rebuild(id);
    let io = |what| VaultError::io(what, &path);
    let mut options = OpenOptions::new();
    // A draft that a stop left is overwritten.
    let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(&path).await;
    let file = file.map_err(io("create"))?.into_std().await;
    // The lock shows that somebody is at it.
    file.try_lock().map_err(|_| VaultError::InUse(id))?;
    let mut file = tokio::fs::File::from_std(file);
    let mut segments = pin!(segments);
    let (mut bytes, mut first) = (0, Vec::with_capacity(HEADER));
    while let Some(segment) = segments.try_next().await? {
        if work.is_unwanted() {
            return Err(VaultError::Destroyed(id));
        }
        first.extend(segment.iter().take(HEADER - first.len()));
        file.write_all(&segment).await.map_err(io("write"))?;
        bytes += segment.len() as u64;
    }
    let header = first.as_slice().try_into().ok().and_then(Header::parse);
    let header = header.ok_or_else(|| VaultError::NotARecording { path: path.clone() })?;
    if header.id != id {
        return Err(VaultError::Misplaced { path, id, found: header.id });
    }
    file.sync_all().await.map_err(io("sync"))?;
    drop(file);
    let paths = paths.clone();
    let moved = tokio::task::spawn_blocking(move || paths.put_part(id)).await;
    moved.map_err(|error| VaultError::io("move to its place", &path)(io::Error::other(error)))??;
    Ok(bytes)
}
