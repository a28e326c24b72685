//! Recordings at rest: keys, the sealed spool on the local disk, the object store, reading. No plaintext audio
//! touches the disk; a recording without its wrapped key (which lives in the database, not here) is noise.
//!
//! ```text
//! <dir>/spool.id             a ULID: which spool this is (several servers may share a database, not a spool)
//! <dir>/owner.lock           locked by who writes, salvages and runs jobs: one process at a time
//! <dir>/spool/<ULID>.part    being written
//! <dir>/spool/<ULID>.rec     whole; stays until it is verified in the object store
//! <dir>/spool/<ULID>.draft   a `.rec` that is being made anew as Opus
//! <dir>/spool/<ULID>.rebuild a `.part` that is being put together from segments
//! ```
//!
//! A recording: [`Vault::draw_key`] for its permit, [`Vault::wrap`] to store the key, then
//! [`Vault::begin`]; the [`Spool`] goes into a [`Tap`](crate::media::tap::Tap), the receiver tells
//! how it ended. Methods that are not `async` and touch files block; on an async runtime call them from
//! `spawn_blocking`. The file's format is in `sealed.rs`.
//!
//! A chunk that was written survives the death of the process at once, and loss of power after about a
//! second; a finished recording survives both.

mod aws;
mod chest;
mod draft;
mod encode;
mod error;
mod export;
pub mod keys;
pub mod objects;
mod ogg;
mod owner;
mod pulse;
mod reader;
mod rebuild;
mod running;
mod salvage;
mod sealed;
mod sealing;
mod secret;
pub mod signing;
mod source;
mod spool;
mod sync;
#[cfg(test)]
mod tests;
mod walk;
mod wav;
mod works;
mod writer;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::oneshot;

use crate::consent::{DataKey, RecordingPermit};
use crate::ids::RecordingId;
use crate::media::tap::Gap;
use crate::time::{Clock, Timestamp};

pub use aws::AwsService;
pub use chest::{Chest, Contents, Filling};
pub use draft::Draft;
pub use error::VaultError;
pub use export::Exported;
pub use keys::{KekId, KekState, KeySource, Keyring, KmsConfig, KnownKek, NewKek, Provider, WrappedKey};
pub use owner::SpoolOwner;
pub use reader::{Info, Reader};
pub use running::Running;
pub use sealed::Format;
pub use signing::Signer;
pub use source::{Source, SpoolFile};
pub use spool::{LocalTraces, Spooled, SpooledKind};
pub use writer::Spool;

use objects::ObjectError;
use pulse::{Gate, Pulse};
use running::Registry;
use sealed::Header;
use spool::Paths;
use sync::Syncer;
use works::Works;
use writer::{Part, Writer};

/// What the vault is made of.
#[derive(Clone, Debug)]
pub struct VaultConfig {
    /// Holds `spool/` and `spool.id`.
    pub dir: PathBuf,
    /// What recordings are made of.
    pub format: Format,
    /// Free bytes that recordings leave on the spool's disk: below that, none begins.
    pub reserve: u64,
}

/// Room on the spool's disk, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What we may still write.
    pub free: u64,
    /// What recordings leave free: [`VaultConfig::reserve`].
    pub reserve: u64,
}

/// A recording that is whole and in its place in the spool.
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

/// Takes how many bytes are done, and of how many; tells whether to go on. Called on another thread.
pub type Progress<'a> = &'a mut (dyn FnMut(u64, u64) -> ControlFlow<()> + Send);

/// The vault: one per server. Dropping it writes what was handed to it, then ends its threads;
/// recordings not ended by then stay in the spool for salvage.
pub struct Vault {
    paths: Paths,
    spool_id: String,
    format: Format,
    reserve: u64,
    keys: Keyring,
    clock: Clock,
    writer: Writer,
    running: Registry,
    /// What the writer is at.
    pulse: Pulse,
    beginning: Gate,
    works: Works,
    /// One recording is encoded at a time, however many ask for it.
    encoder: Mutex<()>,
    /// What a spool file is written through. Tests put failing disks here.
    through: Box<dyn Fn(File) -> Box<dyn Part> + Send + Sync>,
    /// Last: it goes on until the writer is done.
    _syncer: Syncer,
}

impl Vault {
    /// Whether nothing was ever recorded in the folder: a first start, as far as it can tell.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_empty(dir: &Path) -> Result<bool, VaultError> {
        Paths::new(dir.to_owned()).is_empty()
    }

    /// The id of the spool in the folder; `None`: there is none yet.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn spool_of(dir: &Path) -> Result<Option<String>, VaultError> {
        Paths::new(dir.to_owned()).id()
    }

    /// Opens it: makes its directory and `spool.id` at first start, and starts its threads.
    ///
    /// # Errors
    /// When directories or `spool.id` cannot be made or read.
    pub fn open(config: VaultConfig, keys: Keyring, clock: Clock) -> Result<Self, VaultError> {
        let paths = Paths::new(config.dir);
        let spool_id = paths.open()?;
        let syncer = Syncer::start(sync::EVERY, sync::spool(&paths)?);
        let syncer = syncer.map_err(VaultError::io("start a thread for", paths.dir()))?;
        let pulse = Pulse::default();
        let writer = Writer::start(clock, syncer.written(), pulse.clone());
        let writer = writer.map_err(VaultError::io("start the writer of", paths.dir()))?;
        Ok(Self {
            paths,
            spool_id,
            format: config.format,
            reserve: config.reserve,
            keys,
            clock,
            writer,
            running: Registry::default(),
            pulse,
            beginning: Gate::default(),
            works: Works::default(),
            encoder: Mutex::default(),
            through: Box::new(|file| Box::new(file)),
            _syncer: syncer,
        })
    }

    /// Makes this process the folder's only owner, until what is returned is dropped. Who begins recordings, salvages
    /// or runs jobs holds it; who only reads needs it not.
    ///
    /// # Errors
    /// When another has it: which process, and what to do. Also when the lock's file cannot be opened.
    pub fn own(&self) -> Result<SpoolOwner, VaultError> {
        owner::own(self.paths.dir())
    }

    /// The spool's folder.
    #[must_use]
    pub fn spool_dir(&self) -> PathBuf {
        self.paths.spool()
    }

    /// Which spool this is: a ULID. Rows and jobs that need a file of it name it.
    #[must_use]
    pub fn spool_id(&self) -> &str {
        &self.spool_id
    }

    /// What recordings are made of.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// What wraps data keys.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.keys
    }

    /// A fresh data key.
    #[must_use]
    pub fn draw_key(&self) -> DataKey {
        keys::draw()
    }

    /// The permit's data key, sealed, for the database.
    #[must_use]
    pub fn wrap(&self, permit: &RecordingPermit) -> WrappedKey {
        self.keys.wrap(permit.id(), permit.key())
    }

    /// Room on the spool's disk.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn room(&self) -> io::Result<Room> {
        let about = rustix::fs::statvfs(self.paths.spool())?;
        Ok(Room { free: about.f_bavail.saturating_mul(about.f_frsize), reserve: self.reserve })
    }

    /// Whether the spool's disk neither writes nor says no, for some seconds: what is put into recordings waits in
    /// memory. Asks no disk.
    #[must_use]
    pub fn stands_still(&self, now: Timestamp) -> bool {
        self.pulse.stands_still(now)
    }

    /// Opens the spool file. Blocks as long as the disk does. The receiver tells how the recording ended; when it fails on the way,
    /// it tells so at once.
    ///
    /// # Errors
    /// When the disk is down to its reserve or stands still, the file cannot be made, or the id was used before.
    pub fn begin(&self, permit: &RecordingPermit) -> Result<(Spool, Ending), VaultError> {
        let id = permit.id();
        if self.stands_still(self.clock.now()) {
            return Err(VaultError::Still(id));
        }
        let _beginning = self.beginning.enter().ok_or(VaultError::Still(id))?;
        let part = self.paths.part(id);
        let room = self.room().map_err(VaultError::io("ask for the room of", self.paths.spool()))?;
        if room.free < room.reserve {
            return Err(VaultError::NoRoom { free: room.free, reserve: room.reserve });
        }
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
        let header = Header::draw(id, self.format.live());
        // The lock shows that it is no leftover, to this process and to others.
        let locked = file.lock();
        let mut file = (self.through)(file);
        let begun = locked.and_then(|()| file.write_all(&header.bytes()));
        if let Err(error) = begun {
            let _ = fs::remove_file(&part); // it holds nothing
            return Err(VaultError::io("begin spool file", part)(error));
        }
        let mark = self.running.enter(id, self.clock.now());
        self.writer.begin(permit, &header, file, mark, &self.paths).inspect_err(|_| {
            let _ = fs::remove_file(self.paths.part(id)); // it holds nothing
        })
    }

    /// Recordings that are being written now, oldest first, and how far their files can be read.
    #[must_use]
    pub fn running(&self) -> Vec<Running> {
        self.running.list()
    }

    /// A whole recording in the spool, as it lies there: sealed. `None`: it is not here.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn spooled(&self, id: RecordingId) -> Result<Option<SpoolFile>, VaultError> {
        SpoolFile::open(self.paths.rec(id), None)
    }

    /// A piece of a recording that is being written: ask for no more than [`Running::sealed`] says. `None`: it is
    /// not (any more) being written.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn spooled_part(&self, id: RecordingId, range: Range<u64>) -> Result<Option<SpoolFile>, VaultError> {
        SpoolFile::open(self.paths.part(id), Some(range))
    }

    /// All recordings' files in the spool, by id.
    ///
    /// # Errors
    /// When the spool cannot be read.
    pub fn spool_files(&self) -> Result<Vec<Spooled>, VaultError> {
        self.paths.files()
    }

    /// Whether there is a file of it in the spool, whole or not.
    #[must_use]
    pub fn is_spooled(&self, id: RecordingId) -> bool {
        self.paths.part(id).exists() || self.paths.rec(id).exists()
    }

    /// Removes the whole recording from the spool: it was verified in the object store. Doing it again does no
    /// harm.
    ///
    /// # Errors
    /// When it is being worked on, or cannot be removed.
    pub fn let_go(&self, id: RecordingId) -> Result<(), VaultError> {
        let _work = self.works.begin(id).ok_or(VaultError::InUse(id))?;
        self.paths.let_go(id)
    }

    /// Removes every local copy, whether whole, being written or a draft, and verifies by listing that
    /// none is left. Doing it again does no harm.
    ///
    /// # Errors
    /// When a copy cannot be removed or is there again.
    pub fn destroy(&self, id: RecordingId) -> Result<LocalTraces, VaultError> {
        // Who is making another copy of it stops first.
        let _work = self.works.alone(id);
        self.paths.destroy(id)
    }

    /// Recordings that a crash left unended in the spool, oldest first; not those being written by a
    /// process that lives, nor whole ones. Drafts that nobody works on any more are removed. Ask before the
    /// first [`Vault::begin`].
    ///
    /// # Errors
    /// When the spool cannot be read.
    pub fn leftovers(&self) -> Result<Vec<RecordingId>, VaultError> {
        self.paths.leftovers()
    }

    /// Makes a recording out of a leftover: verifies it chunk by chunk, cuts its torn tail, ends it
    /// and puts it in its place. One that is in its place already is verified again.
    ///
    /// # Errors
    /// When the key does not open for it, when it is not there, in use, or damaged otherwise than
    /// a crash does it; the file is then left as it is.
    pub fn salvage(&self, id: RecordingId, key: &WrappedKey) -> Result<Finished, VaultError> {
        let _work = self.works.begin(id).ok_or(VaultError::InUse(id))?;
        salvage::salvage(&self.paths, id, &self.keys.unwrap(id, key)?, self.format.live(), self.clock)
    }

    /// Puts a recording whose spool file was lost into the spool again, from its segments in order, for
    /// [`Vault::salvage`] to mend. Tells its size. `.part` appears only when all of it is on the disk.
    ///
    /// # Errors
    /// When the recording is in the spool, a segment cannot be read, or the disk fails.
    pub async fn rebuild<S>(&self, id: RecordingId, segments: S) -> Result<u64, VaultError>
    where
        S: Stream<Item = Result<Bytes, ObjectError>> + Send,
    {
        let work = self.works.begin(id).ok_or(VaultError::InUse(id))?;
        rebuild::rebuild(&self.paths, id, &work, segments).await
    }

    /// Makes an Ogg Opus file of a whole recording in the spool, in its place: at any moment the one or the other is
    /// there whole. One that is Opus already is verified again. Runs on a thread of its own that yields to all
    /// others, one at a time.
    ///
    /// # Errors
    /// When the key does not open for it, it is not there or not whole, `progress` (bytes of the spool file) said
    /// to stop, it is destroyed meanwhile, or the disk fails; what was there is then left as it is.
    pub fn encode(
        &self,
        id: RecordingId,
        key: &WrappedKey,
        progress: Progress<'_>,
    ) -> Result<Finished, VaultError> {
        let _one = self.encoder.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let work = self.works.begin(id).ok_or(VaultError::InUse(id))?;
        encode::encode(&self.paths, id, &self.keys.unwrap(id, key)?, &work, self.clock, progress)
    }

    /// Opens a whole recording for reading in the clear. `samples`: what the database says, if it does.
    ///
    /// # Errors
    /// As [`Reader::open`], and when the key does not open for it.
    pub async fn read(
        &self,
        source: Source,
        id: RecordingId,
        key: &WrappedKey,
        samples: Option<u64>,
    ) -> Result<Reader, VaultError> {
        Reader::open(source, id, self.keys.unwrap(id, key)?, samples).await
    }

    /// A whole recording of the spool in the clear, as WAV or Ogg: for a store that encrypts by itself. It is a
    /// [`Content`](objects::Content) that is made while it is read, every chunk verified.
    ///
    /// # Errors
    /// As [`Vault::read`]; also when it is not in the spool.
    pub async fn plain(&self, id: RecordingId, key: &WrappedKey) -> Result<Reader, VaultError> {
        let file = self.spooled(id)?.ok_or_else(|| {
            let unfinished = self.paths.part(id).exists();
            if unfinished { VaultError::Unfinished(id) } else { VaultError::NotFound(id) }
        })?;
        self.read(Source::Spool(file), id, key, None).await
    }
}
