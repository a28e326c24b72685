//! Copying an object that is plain audio to a file. An interrupted copy goes on where it was. The hash of the whole
//! decides: what does not fit is made once more from the start, so that a spoilt draft spoils nothing.

use std::io::{self, SeekFrom};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use futures_util::TryStreamExt as _;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use super::{Audio, AudioError};
use crate::ids::RecordingId;
use crate::vault::Draft;

/// The draft is put on the disk each time it is so much longer.
const SYNC: u64 = 8 << 20;

/// Copies `audio`, whose SHA-256 is `sha256` (hex).
pub(super) async fn copy(
    audio: &Audio,
    id: RecordingId,
    sha256: &str,
    out: &Path,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<(), AudioError> {
    let unwritten = |source| AudioError::Unwritten { path: out.to_owned(), source };
    let ending = format!(".{id}.{}.part", sha256.get(..16).unwrap_or_default());
    let draft = Draft::open(out, &ending).map_err(unwritten)?;
    let mut file = File::from_std(draft.file().map_err(unwritten)?);
    let there = file.metadata().await.map_err(unwritten)?.len().min(audio.length());
    let mut filled = fill(audio, &mut file, there, out, progress).await;
    if there > 0 && filled.as_ref().is_ok_and(|found| found != sha256) {
        filled = fill(audio, &mut file, 0, out, progress).await;
    }
    drop(file);
    let right = match filled {
        Ok(found) if found != sha256 => Err(super::audio::not_as_stored(id, &found, sha256)),
        filled => filled,
    };
    if let Err(error) = right {
        // Where the store is only away, the next one goes on.
        if error.is_damage() {
            draft.discard();
        }
        return Err(error);
    }
    let place = out.to_owned();
    let finished = tokio::task::spawn_blocking(move || draft.finish(&place)).await;
    finished.map_err(|error| unwritten(io::Error::other(error)))?.map_err(AudioError::Vault)
}

/// Keeps the first `done` bytes and writes the others; the SHA-256 (hex) of all of it.
async fn fill(
    audio: &Audio,
    file: &mut File,
    mut done: u64,
    out: &Path,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<String, AudioError> {
    let unwritten = |source| AudioError::Unwritten { path: out.to_owned(), source };
    let mut hash = read(file, done).await.map_err(unwritten)?;
    file.set_len(done).await.map_err(unwritten)?;
    file.seek(SeekFrom::Start(done)).await.map_err(unwritten)?;
    progress(done, audio.length());
    let mut synced = done;
    let mut stream = audio.stream(done..audio.length()).await?;
    while let Some(bytes) = stream.try_next().await? {
        file.write_all(&bytes).await.map_err(unwritten)?;
        hash.update(&bytes);
        done += bytes.len() as u64;
        if done - synced >= SYNC {
            file.sync_data().await.map_err(unwritten)?;
            synced = done;
        }
        progress(done, audio.length());
    }
    file.flush().await.map_err(unwritten)?;
    Ok(hex::encode(hash.finish()))
}

/// The hash of what is kept of a draft.
async fn read(file: &mut File, length: u64) -> io::Result<Context> {
    let mut hash = Context::new(&SHA256);
    let mut buffer = vec![0; 256 << 10];
    let mut left = length;
    file.seek(SeekFrom::Start(0)).await?;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = file.read_exact(&mut buffer[..most]).await?;
        hash.update(&buffer[..read]);
        left -= read as u64;
    }
    Ok(hash)
}
