//! A vault in a folder of its own, in memory where the system has such a place: it is the sealing that counts here,
//! not the disk.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sayso::media::tap::{CHUNK, Chunk, ChunkSink as _, End};
use sayso::time::Clock;
use sayso::vault::{Finished, Format, KeySource, Keyring, Vault, VaultConfig};

use super::permit::permit;

/// A vault; its folder goes with it.
pub(crate) struct Scene {
    vault: Option<Vault>,
    dir: PathBuf,
    recordings: u64,
}

impl Scene {
    /// # Errors
    /// The folder cannot be made.
    pub(crate) fn new() -> Result<Self> {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let dir = parent.join(format!("sayso-vault-{}", std::process::id()));
        std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        let source = KeySource { file: dir.join("kek"), kms: None };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (keys, _) = runtime.block_on(Keyring::open(source, &[], true))?;
        let config = VaultConfig { dir: dir.join("vault"), format: Format::Pcm16, reserve: 0 };
        Ok(Self { vault: Some(Vault::open(config, keys, Clock::start())?), dir, recordings: 0 })
    }

    /// Records so many chunks of the tap (160 ms of both sides each) and ends; how it ended.
    ///
    /// # Errors
    /// The vault refuses.
    pub(crate) fn record(&mut self, chunks: u64) -> Result<Finished> {
        let vault = self.vault.as_ref().expect("there until it is dropped");
        let (mut spool, ending) = vault.begin(&permit(self.recordings))?;
        self.recordings += 1;
        for n in 0..chunks {
            let mut samples = spool.buffer();
            samples.clear();
            // No two alike, and cheaper than what is measured.
            samples.extend((0..CHUNK * 2).map(|i| (i * 31 + n * 977) as i16));
            let refused = spool.put(Chunk { start: n * CHUNK, samples }).is_err();
            anyhow::ensure!(!refused, "the vault's queue is full after {n} chunks");
        }
        Box::new(spool).finish(End { samples: chunks * CHUNK, ..End::default() });
        let finished = ending.blocking_recv().context("the vault gave a recording up")??;
        anyhow::ensure!(
            finished.samples == chunks * CHUNK,
            "{} samples of {chunks} chunks",
            finished.samples
        );
        Ok(finished)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        drop(self.vault.take()); // its threads write there
        let _ = std::fs::remove_dir_all(&self.dir); // a temporary folder: the system removes it otherwise
    }
}
