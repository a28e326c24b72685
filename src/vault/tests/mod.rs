//! The vault against real files in a temporary directory; faults of the disk are played.

mod crash;
mod destruction;
mod encoding;
mod exporting;
mod fault;
mod format;
mod life;
mod reading;
mod segments;

use std::fs;
use std::path::PathBuf;

use futures_util::TryStreamExt;
use tempfile::TempDir;
use ulid::Ulid;

use super::*;
use crate::media::tap::{CHUNK, Chunk, ChunkSink, End};

/// 2026-11-22T09:30:00Z, in milliseconds.
const DAY: u64 = 1_795_339_800_000;

/// A vault in a directory that vanishes with it.
struct Place {
    dir: TempDir,
    vault: Vault,
}

impl Place {
    fn new() -> Self {
        Self::of(Format::Pcm16)
    }

    fn of(format: Format) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { vault: open_as(&dir, format).unwrap(), dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn part(&self, id: RecordingId) -> PathBuf {
        self.path(&format!("vault/spool/{id}.part"))
    }

    fn rec(&self, id: RecordingId) -> PathBuf {
        self.path(&format!("vault/spool/{id}.rec"))
    }

    /// Closes the vault and opens it again, as after a restart.
    fn restart(self) -> Self {
        let Self { dir, vault } = self;
        drop(vault);
        Self { vault: open(&dir).unwrap(), dir }
    }

    /// Records `chunks` and ends in order.
    fn record(&self, n: u128, chunks: &[Vec<i16>]) -> (Finished, WrappedKey) {
        let permit = self.permit(n);
        let (mut spool, ending) = self.vault.begin(&permit).unwrap();
        let samples = put(&mut spool, chunks);
        Box::new(spool).finish(End { samples, ..End::default() });
        (ending.blocking_recv().unwrap().unwrap(), self.vault.wrap(&permit))
    }

    /// Records `chunks` and crashes; the spool file's bytes are what the crash left.
    fn crash(self, n: u128, chunks: &[Vec<i16>]) -> (Self, RecordingId, WrappedKey, Vec<u8>) {
        let permit = self.permit(n);
        let key = self.vault.wrap(&permit);
        let (mut spool, ending) = self.vault.begin(&permit).unwrap();
        put(&mut spool, chunks);
        let restarted = self.restart();
        assert!(matches!(ending.blocking_recv().unwrap(), Err(VaultError::Closed(_))));
        let bytes = fs::read(restarted.part(permit.id())).unwrap();
        (restarted, permit.id(), key, bytes)
    }

    /// The WAV or Ogg file in the clear.
    fn clear(&self, id: RecordingId, key: &WrappedKey) -> Result<Vec<u8>, VaultError> {
        wait(async {
            let reader = self.vault.plain(id, key).await?;
            collect(reader.stream(0..u64::MAX)).await
        })
    }

    /// Both channels of a recording of PCM, caller and agent.
    fn pcm(&self, id: RecordingId, key: &WrappedKey) -> Result<(Vec<i16>, Vec<i16>), VaultError> {
        let wav = self.clear(id, key)?;
        let side = |n: usize| {
            let samples = wav[44..].chunks_exact(2).skip(n).step_by(2);
            samples.map(|two| i16::from_le_bytes([two[0], two[1]])).collect()
        };
        Ok((side(0), side(1)))
    }

    /// Names of all files in the spool.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("vault/spool")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    fn permit(&self, n: u128) -> RecordingPermit {
        RecordingPermit::for_test(RecordingId::new(Ulid::from_parts(DAY, n)), self.vault.draw_key())
    }
}

fn open(dir: &TempDir) -> Result<Vault, VaultError> {
    open_as(dir, Format::Pcm16)
}

fn open_as(dir: &TempDir, format: Format) -> Result<Vault, VaultError> {
    let (file, dir) = (dir.path().join("keys/kek"), dir.path().join("vault"));
    let (keys, _) = wait(Keyring::open(KeySource { file, kms: None }, &[], Vault::is_empty(&dir)?))?;
    Vault::open(VaultConfig { dir, format, reserve: 0 }, keys, Clock::start())
}

/// Runs what is `async` to its end.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Puts chunks one after the other; returns the samples per channel.
fn put(spool: &mut Spool, chunks: &[Vec<i16>]) -> u64 {
    let mut start = 0;
    for samples in chunks {
        let mut buffer = spool.buffer();
        buffer.clear();
        buffer.extend_from_slice(samples);
        spool.put(Chunk { start, samples: buffer }).unwrap();
        start += samples.len() as u64 / 2;
    }
    start
}

/// All a stream brings.
async fn collect(stream: impl Stream<Item = Result<Bytes, VaultError>>) -> Result<Vec<u8>, VaultError> {
    let pieces: Vec<Bytes> = stream.try_collect().await?;
    Ok(pieces.concat())
}

/// `count` chunks as the tap makes them, no two alike.
fn chunks(count: usize) -> Vec<Vec<i16>> {
    let mut noise = 1u32;
    let mut chunk = || {
        let sample = || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 16) as i16
        };
        std::iter::repeat_with(sample).take(CHUNK as usize * 2).collect()
    };
    (0..count).map(|_| chunk()).collect()
}

/// Interleaved samples of `chunks`, as both channels.
fn channels(chunks: &[Vec<i16>]) -> (Vec<i16>, Vec<i16>) {
    let side = |n| chunks.iter().flat_map(move |chunk| chunk.iter().skip(n).step_by(2)).copied().collect();
    (side(0), side(1))
}
