//! Copying an object that is plain audio to a file. An interrupted copy goes on where it was: the draft's name says
//! which object it is of, and what is in it beyond the last block that was put on the disk is written anew.

use std::ffi::OsString;
use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use futures_util::TryStreamExt as _;
use tokio::fs::{File, OpenOptions, rename};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use super::{Audio, AudioError};
use crate::ids::RecordingId;

/// The draft is put on the disk each time it is so much longer. Loss of power spoils no more than that.
const BLOCK: u64 = 256 << 10;

pub(super) async fn copy(
    audio: &Audio,
    id: RecordingId,
    out: &Path,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<String, AudioError> {
    let mut name = OsString::from(out);
    name.push(format!(".{id}.{}.part", audio.tag().get(..16).unwrap_or_default()));
    let draft = PathBuf::from(name);
    let unwritten = |source| AudioError::Unwritten { path: out.to_owned(), source };
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&draft).await;
    let mut file = file.map_err(unwritten)?;
    let there = file.metadata().await.map_err(unwritten)?.len().min(audio.length());
    // All before the block in which it ends was put on the disk.
    let mut done = there.saturating_sub(1) / BLOCK * BLOCK;
    let mut hash = read(&mut file, done).await.map_err(unwritten)?;
    file.set_len(done).await.map_err(unwritten)?;
    file.seek(SeekFrom::Start(done)).await.map_err(unwritten)?;
    let mut stream = audio.stream(done..audio.length()).await?;
    while let Some(mut bytes) = stream.try_next().await? {
        while !bytes.is_empty() {
            let room = usize::try_from(BLOCK - done % BLOCK).unwrap_or(usize::MAX);
            let piece = bytes.split_to(room.min(bytes.len()));
            file.write_all(&piece).await.map_err(unwritten)?;
            hash.update(&piece);
            done += piece.len() as u64;
            if done % BLOCK == 0 {
                file.flush().await.map_err(unwritten)?;
                file.sync_data().await.map_err(unwritten)?;
            }
            progress(done, audio.length());
        }
    }
    if done != audio.length() {
        return Err(AudioError::Damaged(format!(
            "recording {id} ended {} bytes early",
            audio.length() - done
        )));
    }
    file.flush().await.map_err(unwritten)?;
    file.sync_all().await.map_err(unwritten)?;
    rename(&draft, out).await.map_err(unwritten)?;
    Ok(hex::encode(hash.finish()))
}

/// The hash of what is kept of a draft.
async fn read(file: &mut File, length: u64) -> std::io::Result<Context> {
    let mut hash = Context::new(&SHA256);
    let mut buffer = vec![0; 256 << 10];
    let mut left = length;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = file.read_exact(&mut buffer[..most]).await?;
        hash.update(&buffer[..read]);
        left -= read as u64;
    }
    Ok(hash)
}
