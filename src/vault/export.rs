//! Writing a recording out in the clear, as a WAV or Ogg file. It can be interrupted and goes on.

use std::ffi::OsString;
use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use futures_util::TryStreamExt;
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::spool::sync_dir;
use super::{Info, Reader, VaultError};

/// After so many bytes the draft is put on the disk: loss of power can have spoilt no more than these.
const SYNC: u64 = 8 * 1024 * 1024;

/// A recording that was written out in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// What it is, its size among it.
    pub info: Info,
    /// SHA-256 (hex) of the file in the clear.
    pub sha256: String,
}

impl Reader {
    /// Writes it in the clear to `out`, mode 0600, verifying every chunk. `out` appears only when all of it is right, and
    /// is replaced if it is there. An export that is interrupted leaves a draft beside it, `<out>.<ULID>.part`; the
    /// next one verifies the draft's end again and goes on from there. `progress` gets bytes of the file, done
    /// and in all.
    ///
    /// # Errors
    /// When a chunk does not verify or cannot be read, or `out` cannot be written.
    pub async fn export(
        &self,
        out: &Path,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Exported, VaultError> {
        let mut name = OsString::from(out);
        name.push(format!(".{}.part", self.id()));
        let draft = PathBuf::from(name);
        let sha256 = match self.write_draft(&draft, progress).await {
            Ok(sha256) => sha256,
            Err(error) => {
                if !error.passes() {
                    let _ = fs::remove_file(&draft).await; // it may not be there
                }
                return Err(error);
            }
        };
        fs::rename(&draft, out).await.map_err(VaultError::io("move the export to", out))?;
        let place = out.to_owned();
        let synced = tokio::task::spawn_blocking(move || sync_dir(&place)).await;
        synced.map_err(|error| VaultError::io("sync", out)(io::Error::other(error)))??;
        Ok(Exported { info: self.info().clone(), sha256 })
    }

    /// Writes what the draft lacks; gives the SHA-256 of all of it.
    async fn write_draft(
        &self,
        draft: &Path,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<String, VaultError> {
        let io = |what| VaultError::io(what, draft);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(draft).await;
        let file = file.map_err(io("create"))?.into_std().await;
        file.try_lock().map_err(|_| VaultError::InUse(self.id()))?;
        let mut file = File::from_std(file);
        let all = self.info().bytes;
        let (mut done, mut hash) = self.resume(&mut file, draft).await?;
        file.set_len(done).await.map_err(io("cut"))?;
        file.seek(SeekFrom::Start(done)).await.map_err(io("write"))?;
        progress(done, all);
        let mut synced = done;
        let mut stream = self.stream(done..all);
        while let Some(bytes) = stream.try_next().await? {
            file.write_all(&bytes).await.map_err(io("write"))?;
            hash.update(&bytes);
            done += bytes.len() as u64;
            if done - synced >= SYNC {
                file.sync_data().await.map_err(io("sync"))?;
                synced = done;
            }
            progress(done, all);
        }
        file.sync_all().await.map_err(io("sync"))?;
        Ok(hex::encode(hash.finish()))
    }

    /// How much of the draft is right, up to a chunk's end, and the hash of that. What is before its last megabytes was
    /// put on the disk by the export that wrote it, after it was verified; they are verified again, and so is its
    /// beginning: it could be a draft of the recording in another format.
    async fn resume(&self, file: &mut File, path: &Path) -> Result<(u64, Context), VaultError> {
        let io = |what| VaultError::io(what, path);
        let size = file.metadata().await.map_err(io("look at"))?.len().min(self.info().bytes);
        let doubtful = self.boundary(size.saturating_sub(2 * SYNC));
        let first = self.boundary(self.chunk() + self.ahead()).min(doubtful);
        let mut hash = Context::new(&SHA256);
        let mut at = 0;
        let mut bytes = vec![0; 256 * 1024];
        file.seek(SeekFrom::Start(0)).await.map_err(io("read"))?;
        for (end, verify) in [(first, true), (doubtful, false), (size, true)] {
            let mut truth = if verify { Some(self.stream(at..end)) } else { None };
            while at < end {
                let expected = match &mut truth {
                    Some(truth) => truth.try_next().await?,
                    None => None,
                };
                let most = expected.as_ref().map_or(bytes.len(), bytes::Bytes::len);
                let now = most.min(usize::try_from(end - at).unwrap_or(most));
                bytes.resize(bytes.len().max(now), 0);
                file.read_exact(&mut bytes[..now]).await.map_err(io("read"))?;
                if let Some(expected) = expected {
                    let same = expected.iter().zip(&bytes[..now]).take_while(|(a, b)| a == b).count() as u64;
                    let right = self.boundary(at + same);
                    if right < at + now as u64 {
                        // From here on it is written anew.
                        let kept = right.saturating_sub(at) as usize;
                        hash.update(&bytes[..kept]);
                        let right =
                            if end == first { (0, Context::new(&SHA256)) } else { (at + kept as u64, hash) };
                        return Ok(right);
                    }
                }
                hash.update(&bytes[..now]);
                at += now as u64;
            }
        }
        Ok((at, hash))
    }

    /// The last chunk's end that is not after `at`, in the file in the clear; the file's own end is one.
    fn boundary(&self, at: u64) -> u64 {
        match at.checked_sub(self.ahead()) {
            None => 0,
            Some(_) if at == self.info().bytes => at,
            Some(audio) => at - audio % self.chunk(),
        }
    }
}
