//! Recordings at rest: keys, encrypted spool, salvage, export. No plaintext audio touches the disk;
//! a recording without its wrapped key (which lives in the database, not here) is noise.
//!
//! ```text
//! <dir>/spool/<ULID>.part                  being written
//! <dir>/recordings/<yyyy>/<mm>/<dd>/<ULID>.rec   finished; the day is the ULID's, in UTC
//! ```
//!
//! A recording: [`Vault::draw_key`] for its permit, [`Vault::wrap`] to store the key, then
//! [`Vault::begin`]; the [`Spool`] goes into a [`Tap`](crate::media::tap::Tap), the receiver tells
//! how it ended. All methods that touch files block; on an async runtime call them from
//! `spawn_blocking`, except `begin` (one small write). The file's format is in `spool.rs`.
//!
//! A chunk that was written survives the death of the process at once, and loss of power when the
//! kernel has written it out (30 s by default); a finished recording survives both.

mod error;
mod export;
mod key;
pub mod objects;
mod salvage;
mod spool;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tokio::sync::oneshot;

use crate::consent::{DataKey, RecordingPermit};
use crate::ids::RecordingId;
use crate::media::tap::Gap;
use crate::time::{Clock, Timestamp};

pub use error::VaultError;
pub use export::Exported;
pub use key::WrappedKey;
pub use writer::Spool;

use key::Kek;
use spool::Header;
use writer::{Part, Writer};

/// Where the vault lives.
#[derive(Clone, Debug)]
pub struct VaultConfig {
    /// Holds `spool/` (being written) and `recordings/yyyy/mm/dd/` (finished).
    pub dir: PathBuf,
    /// The key-encryption key; made at first start, mode 0600.
    pub key_file: PathBuf,
}

/// A recording that is whole and in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Which.
    pub id: RecordingId,
    /// When it was in its place.
    pub at: Timestamp,
    /// Length of each channel, in samples at 8 kHz.
    pub samples: u64,
    /// Size of the sealed file.
    pub bytes: u64,
    /// SHA-256 (hex) of the sealed file.
    pub sha256: String,
    /// Stretches of silence that nobody spoke. Empty when salvaged: unknown.
    pub gaps: Vec<Gap>,
    /// Silent samples, both channels together, that `gaps` does not list.
    pub unlisted: u64,
    /// `Some`: it did not end in order and was salvaged, and so many bytes of a torn tail were cut
    /// off. How much audio is lost cannot be told from the file.
    pub salvaged: Option<u64>,
}

/// Tells how a recording ended.
pub type Ending = oneshot::Receiver<Result<Finished, VaultError>>;

/// The vault: one per server. Dropping it writes what was handed to it, then ends its threads;
/// recordings not ended by then stay in the spool for salvage.
pub struct Vault {
    paths: Paths,
    kek: Kek,
    clock: Clock,
    writer: Writer,
    /// What a spool file is written through. Tests put failing disks here.
    through: Box<dyn Fn(File) -> Box<dyn Part> + Send + Sync>,
}

impl Vault {
    /// Opens it: makes directories and key file at first start, and starts its two threads.
    ///
    /// # Errors
    /// When directories or key file cannot be made or read, when others than the owner can reach
    /// the key file, or when it is missing though there are recordings.
    pub fn open(config: VaultConfig, clock: Clock) -> Result<Self, VaultError> {
        let paths = Paths { dir: config.dir };
        for dir in [paths.spool(), paths.recordings()] {
            make_dir(&dir).map_err(VaultError::io("create directory", &dir))?;
        }
        let kek = Kek::open(&config.key_file, paths.is_empty()?)?;
        let writer = Writer::start(clock).map_err(VaultError::io("start the writer of", &paths.dir))?;
        Ok(Self { paths, kek, clock, writer, through: Box::new(|file| Box::new(file)) })
    }

    /// A fresh data key.
    #[must_use]
    pub fn draw_key(&self) -> DataKey {
        key::draw()
    }

    /// The permit's data key, sealed, for the database.
    #[must_use]
    pub fn wrap(&self, permit: &RecordingPermit) -> WrappedKey {
        self.kek.wrap(permit.id(), permit.key())
    }

    /// Opens the spool file. The receiver tells how the recording ended; when it fails on the way,
    /// it tells so at once.
    ///
    /// # Errors
    /// When the file cannot be made, or the id was used before.
    pub fn begin(&self, permit: &RecordingPermit) -> Result<(Spool, Ending), VaultError> {
        let id = permit.id();
        let part = self.paths.part(id);
        if self.paths.rec(id).exists() {
            return Err(VaultError::Exists(id));
        }
        let mut options = OpenOptions::new();
        let opened = options.write(true).create_new(true).mode(0o600).open(&part);
        let file = opened.map_err(VaultError::io_or(
            io::ErrorKind::AlreadyExists,
            VaultError::Exists(id),
            "create spool file",
            &part,
        ))?;
        let header = Header::draw(id);
        // The lock shows that it is no leftover, to this process and to others.
        let locked = file.lock();
        let mut file = (self.through)(file);
        let begun = locked.and_then(|()| file.write_all(&header.bytes()));
        if let Err(error) = begun {
            let _ = fs::remove_file(&part); // it holds nothing
            return Err(VaultError::io("begin spool file", part)(error));
        }
        self.writer.begin(permit, &header, file, &self.paths).inspect_err(|_| {
            let _ = fs::remove_file(self.paths.part(id)); // it holds nothing
        })
    }

    /// Removes every local copy, whether finished or being written, and verifies by listing that
    /// none is left. Doing it again does no harm.
    ///
    /// # Errors
    /// When a copy cannot be removed or is there again.
    pub fn destroy(&self, id: RecordingId) -> Result<(), VaultError> {
        // In the order in which a file moves: one that is just being finished is caught.
        for path in [self.paths.part(id), self.paths.rec(id)] {
            match fs::remove_file(&path) {
                Ok(()) => sync_dir(&path)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(VaultError::io("remove", path)(error)),
            }
        }
        let name = id.to_string();
        for dir in [self.paths.spool(), self.paths.day(id)] {
            let mut left = list(&dir)?.into_iter();
            let bears =
                |path: &Path| path.file_name().and_then(|file| file.to_str()?.strip_prefix(&name)).is_some();
            let left = left.find(|path| bears(path));
            if let Some(path) = left {
                return Err(VaultError::StillThere { id, path });
            }
        }
        Ok(())
    }

    /// Recordings that a crash left in the spool, oldest first; not those being written by a
    /// process that lives. Ask before the first [`Vault::begin`].
    ///
    /// # Errors
    /// When the spool cannot be read.
    pub fn leftovers(&self) -> Result<Vec<RecordingId>, VaultError> {
        let mut ids = Vec::new();
        for path in list(&self.paths.spool())? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Some(id) = name.strip_suffix(".part").and_then(|id| id.parse().ok()) else {
                tracing::warn!(path = %path.display(), "a strange file in the spool; it is left alone");
                continue;
            };
            let free = File::open(&path).map_err(TryLockError::Error).and_then(|file| file.try_lock());
            match free {
                Ok(()) => ids.push(id),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(TryLockError::Error(error)) => {
                    return Err(VaultError::io("open spool file", path)(error));
                }
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Makes a recording out of a leftover: verifies it chunk by chunk, cuts its torn tail, ends it
    /// and puts it in its place. One that is in its place already is verified again.
    ///
    /// # Errors
    /// When the key does not open for it, when it is not there, in use, or damaged otherwise than
    /// a crash does it; the file is then left as it is.
    pub fn salvage(&self, id: RecordingId, key: &WrappedKey) -> Result<Finished, VaultError> {
        salvage::salvage(&self.paths, id, &self.kek.unwrap(id, key)?, self.clock)
    }

    /// Writes a finished recording in the clear as stereo WAV (PCM16, 8 kHz) to `out`, mode 0600,
    /// verifying every chunk. `out` appears only when all of it is right, and is replaced if it is
    /// there. `progress` gets bytes of the sealed file, done and in all.
    ///
    /// # Errors
    /// When the key does not open for it, it is not there or not whole, or `out` cannot be written.
    pub fn export(
        &self,
        id: RecordingId,
        key: &WrappedKey,
        out: &Path,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Exported, VaultError> {
        export::export(&self.paths, id, &self.kek.unwrap(id, key)?, out, progress)
    }

    /// Both channels of a finished recording, caller and agent, in memory: 115 MB an hour.
    ///
    /// # Errors
    /// As [`Vault::export`].
    pub fn read_pcm(&self, id: RecordingId, key: &WrappedKey) -> Result<(Vec<i16>, Vec<i16>), VaultError> {
        export::read_pcm(&self.paths, id, &self.kek.unwrap(id, key)?)
    }
}

/// Where files are.
#[derive(Clone)]
struct Paths {
    dir: PathBuf,
}

impl Paths {
    fn spool(&self) -> PathBuf {
        self.dir.join("spool")
    }

    fn recordings(&self) -> PathBuf {
        self.dir.join("recordings")
    }

    fn part(&self, id: RecordingId) -> PathBuf {
        self.spool().join(format!("{id}.part"))
    }

    fn rec(&self, id: RecordingId) -> PathBuf {
        self.day(id).join(format!("{id}.rec"))
    }

    /// The directory of the day the id was drawn.
    fn day(&self, id: RecordingId) -> PathBuf {
        let seconds = i64::try_from(spool::ulid(id).timestamp_ms() / 1_000).unwrap_or(0);
        // An id from beyond the year 9999 is nobody's; it needs a place all the same.
        let day =
            time::OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
        let (year, month, day) = day.to_calendar_date();
        self.recordings().join(format!("{year:04}/{:02}/{day:02}", u8::from(month)))
    }

    /// Whether nothing was ever recorded here.
    fn is_empty(&self) -> Result<bool, VaultError> {
        Ok(list(&self.spool())?.is_empty() && list(&self.recordings())?.is_empty())
    }

    /// Puts a spool file whose content is on the disk in its place, durably.
    fn settle(&self, id: RecordingId) -> Result<(), VaultError> {
        let (part, rec, day) = (self.part(id), self.rec(id), self.day(id));
        let new_day = !day.exists();
        make_dir(&day).map_err(VaultError::io("create directory", &day))?;
        let gone = VaultError::Destroyed(id);
        let moved = fs::rename(&part, &rec);
        moved.map_err(VaultError::io_or(io::ErrorKind::NotFound, gone, "move to its place", &rec))?;
        sync_dir(&rec)?;
        if new_day {
            for dir in day.ancestors().take_while(|dir| **dir != self.dir) {
                sync_dir(dir)?;
            }
        }
        sync_dir(&part)
    }
}

fn make_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Makes the entry of `path` in its directory durable.
fn sync_dir(path: &Path) -> Result<(), VaultError> {
    let dir = path.parent().unwrap_or(path);
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(VaultError::io("sync directory", dir))
}

/// What is in a directory; nothing if there is none.
fn list(dir: &Path) -> Result<Vec<PathBuf>, VaultError> {
    match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
            .map_err(VaultError::io("list directory", dir)),
    }
}
