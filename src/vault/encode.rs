//! A whole recording made anew as Ogg Opus, in its place in the spool.
//!
//! It is made as a draft beside it, put on the disk, read back and verified, and exchanged with what it was made of in one
//! step, which then goes. Killed anywhere between, the one or the other is in its place whole; a draft that
//! is left is removed at the next start, and the work done again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::thread;

use super::ogg::{OggError, OggOpus};
use super::salvage::digest;
use super::sealed::{Format, Header, ulid};
use super::sealing::Sealing;
use super::spool::Paths;
use super::walk::Walk;
use super::works::Work;
use super::{Finished, Progress, VaultError};
use crate::consent::DataKey;
use crate::ids::RecordingId;
use crate::media::tap::End;
use crate::time::Clock;

/// The lowest priority there is: an encoder never takes time that calls need.
const NICE: i32 = 19;

pub(super) fn encode(
    paths: &Paths,
    id: RecordingId,
    key: &DataKey,
    work: &Work<'_>,
    clock: Clock,
    progress: Progress<'_>,
) -> Result<Finished, VaultError> {
    let job = || {
        // Of this thread only: that is how Linux counts it.
        if let Err(error) = rustix::process::setpriority_process(None, NICE) {
            tracing::warn!(%error, "the encoder's thread cannot step back behind others");
        }
        Encoding { paths, id, key, work, clock }.run(progress)
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("vault-encoder".to_owned()).spawn_scoped(scope, job);
        let thread = thread.map_err(VaultError::io("start a thread for", paths.rec(id)))?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

struct Encoding<'a> {
    paths: &'a Paths,
    id: RecordingId,
    key: &'a DataKey,
    work: &'a Work<'a>,
    clock: Clock,
}

impl Encoding<'_> {
    fn run(&self, progress: Progress<'_>) -> Result<Finished, VaultError> {
        let (id, rec) = (self.id, self.paths.rec(self.id));
        let unfinished = self.paths.part(id).exists();
        let missing = if unfinished { VaultError::Unfinished(id) } else { VaultError::NotFound(id) };
        let walk = Walk::open(rec, id, missing)?;
        match walk.header.format {
            Format::Pcm16 => {
                let made = self.make(walk, progress);
                if made.is_err() {
                    // It may not be there; and a next start, or a next attempt, sees to it.
                    let _ = fs::remove_file(self.paths.draft(id));
                }
                made
            }
            // Made before a crash, or never to be made.
            Format::Opus | Format::Ulaw | Format::Alaw => self.again(walk, progress),
        }
    }

    /// Makes the draft, and puts it in its place.
    fn make(&self, walk: Walk, progress: Progress<'_>) -> Result<Finished, VaultError> {
        let (id, path, size) = (self.id, self.paths.draft(self.id), walk.size);
        let io = |what| VaultError::io(what, &path);
        let mut options = OpenOptions::new();
        // One that a crash left is overwritten.
        let draft = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(&path);
        let mut draft = draft.map_err(io("create"))?;
        // The lock shows that somebody is at it.
        draft.try_lock().map_err(|_| VaultError::InUse(id))?;
        let header = Header::draw(id, Format::Opus);
        draft.write_all(&header.bytes()).map_err(io("write"))?;
        let fault = |error| match error {
            OggError::Io(error) => VaultError::io("write", &path)(error),
            OggError::Codec(error) => VaultError::Codec { id, why: error.to_string() },
        };
        let sealed = Draft(Sealing::new(self.key, &header, &draft));
        let mut ogg = OggOpus::new(sealed, ulid(id).random() as u32).map_err(fault)?;
        let mut samples = Vec::new();
        let (end, salvaged) = walk.run(self.key, &mut |plain, at| {
            samples.clear();
            samples.extend(plain.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])));
            ogg.push(&samples).map_err(fault)?;
            self.go_on(at, size, progress)
        })?;
        let Draft(mut sealed) = ogg.finish().map_err(fault)?;
        sealed.end(&end, salvaged).map_err(io("write"))?;
        let (_, bytes, sha256) = sealed.into_parts();
        draft.sync_all().map_err(io("sync"))?;
        // What it was made of goes: so what is on the disk is read again, and opened.
        let found =
            Walk::open(path.clone(), id, VaultError::Destroyed(id))?.run(self.key, &mut |_, _| Ok(()))?;
        let same = found == (end.clone(), salvaged)
            && digest(&mut draft).map_err(io("read"))? == (bytes, sha256.clone());
        if !same {
            return Err(VaultError::io("read back", path)(io::ErrorKind::InvalidData.into()));
        }
        self.go_on(size, size, progress)?;
        self.paths.exchange(id)?;
        Ok(self.finished(end, salvaged, bytes, sha256))
    }

    /// Verifies what is in its place already.
    fn again(&self, walk: Walk, progress: Progress<'_>) -> Result<Finished, VaultError> {
        let (rec, size) = (self.paths.rec(self.id), walk.size);
        let (end, salvaged) = walk.run(self.key, &mut |_, at| self.go_on(at, size, progress))?;
        let digest = File::open(&rec).and_then(|mut file| digest(&mut file));
        let (bytes, sha256) = digest.map_err(VaultError::io("read", rec))?;
        Ok(self.finished(end, salvaged, bytes, sha256))
    }

    fn finished(&self, end: End, salvaged: bool, bytes: u64, sha256: String) -> Finished {
        let (End { samples, gaps, unlisted }, at) = (end, self.clock.now());
        Finished { id: self.id, at, samples, bytes, sha256, gaps, unlisted, salvaged: salvaged.then_some(0) }
    }

    fn go_on(&self, done: u64, size: u64, progress: Progress<'_>) -> Result<(), VaultError> {
        if self.work.is_unwanted() {
            return Err(VaultError::Destroyed(self.id));
        }
        match progress(done, size) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(VaultError::Stopped(self.id)),
        }
    }
}

/// The draft as a writer of Ogg pages sees it.
struct Draft<W>(Sealing<W>);

impl<W: Write> Write for Draft<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.bytes(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // chunks go when they are full
    }
}
