//! Writing a recording out in the clear, as a WAV or Ogg file. It can be interrupted and goes on.

use std::io::{self, SeekFrom};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use futures_util::TryStreamExt;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::draft::Draft;
use super::{Info, Reader, VaultError};

/// After so many bytes the draft is put on the disk, a little at a time.
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
    /// next one compares every byte of that with the recording and writes on from where it is not right any more.
    /// `progress` gets bytes of the file, done and in all.
    ///
    /// # Errors
    /// When a chunk does not verify or cannot be read, or `out` cannot be written.
    pub async fn export(
        &self,
        out: &Path,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Exported, VaultError> {
        let opened = Draft::open(out, &format!(".{}.part", self.id()));
        let draft = opened.map_err(|error| {
            if error.kind() == io::ErrorKind::WouldBlock {
                return VaultError::InUse(self.id());
            }
            VaultError::io("create a draft of", out)(error)
        })?;
        let sha256 = match self.write_draft(&draft, progress).await {
            Ok(sha256) => sha256,
            Err(error) => {
                if !error.passes() {
                    draft.discard();
                }
                return Err(error);
            }
        };
        let place = out.to_owned();
        let finished = tokio::task::spawn_blocking(move || draft.finish(&place)).await;
        finished.map_err(|error| VaultError::io("finish", out)(io::Error::other(error)))??;
        Ok(Exported { info: self.info().clone(), sha256 })
    }

    /// Writes what the draft lacks; gives the SHA-256 of all of it.
    async fn write_draft(
        &self,
        draft: &Draft,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<String, VaultError> {
        let io = |what| VaultError::io(what, draft.path());
        let mut file = File::from_std(draft.file().map_err(io("open"))?);
        let all = self.info().bytes;
        let mut hash = Context::new(&SHA256);
        let mut done = self.right(&mut file, draft.path(), &mut hash).await?;
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
        file.flush().await.map_err(io("write"))?;
        Ok(hex::encode(hash.finish()))
    }

    /// How many bytes of the draft are right, each compared with the recording: they may be from a disk that lost its
    /// power, or of the recording in another format. `hash` gets them.
    async fn right(&self, file: &mut File, path: &Path, hash: &mut Context) -> Result<u64, VaultError> {
        let io = |what| VaultError::io(what, path);
        let size = file.metadata().await.map_err(io("look at"))?.len().min(self.info().bytes);
        file.seek(SeekFrom::Start(0)).await.map_err(io("read"))?;
        let (mut at, mut there) = (0, Vec::new());
        let mut truth = self.stream(0..size);
        while let Some(truth) = truth.try_next().await? {
            there.resize(truth.len(), 0);
            file.read_exact(&mut there).await.map_err(io("read"))?;
            let same = truth.iter().zip(&there).take_while(|(a, b)| a == b).count();
            hash.update(&truth[..same]);
            at += same as u64;
            if same < truth.len() {
                break;
            }
        }
        Ok(at)
    }
}
