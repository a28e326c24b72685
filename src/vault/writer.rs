//! Two threads keep files off the media workers: the writer seals and appends the chunks of all
//! recordings; the finisher waits for the disk when one ends (`fsync` may take long, and must not
//! hold up the others) and puts the file in its place.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use metrics::{counter, gauge};
use tokio::sync::oneshot;

use super::pulse::Pulse;
use super::running::Mark;
use super::sealed::Header;
use super::sealing::Sealing;
use super::spool::Paths;
use super::{Ending, Finished, VaultError};
use crate::consent::RecordingPermit;
use crate::ids::RecordingId;
use crate::media::tap::{Chunk, ChunkSink, End, Missing};
use crate::time::Clock;

/// Chunks that may wait for the writer, of all recordings together: 42 MB at most, or 1.3 s of
/// 1,000 calls. A disk that stands still longer costs audio (marked), not memory.
const QUEUE: usize = 8_192;
/// Chunks are gathered for so long before they are written: waking the writer for each costs more than sealing it,
/// on both sides. Of the 250 ms that a kill may cost, chunk and hold of the tap take 200 and its worker's tick 2.
const GATHER: Duration = Duration::from_millis(20);
/// Buffers a recording keeps for reuse. It has one or two under way unless the disk stands still.
const RECYCLED: usize = 4;
/// Frames of silence that are filled in at once.
const SILENCE: usize = 1_280;

/// What a spool file is written through.
pub(super) trait Part: Write + Send {
    /// Waits until all of it is on the disk.
    fn sync(&self) -> io::Result<()>;
}

impl Part for File {
    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }
}

/// The two threads, from outside.
pub(super) struct Writer {
    to: Sender<Message>,
    waiting: Arc<AtomicUsize>,
    next: AtomicU64,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// `written` is set whenever something was; `pulse` tells what the writer is at.
    pub(super) fn start(clock: Clock, written: Arc<AtomicBool>, pulse: Pulse) -> io::Result<Self> {
        let (to, from) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let (to_finisher, endings) = mpsc::channel();
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let finisher = named("vault-finisher").spawn(move || finish_all(&endings, clock))?;
        let depth = Arc::clone(&waiting);
        let thread = named("vault-writer").spawn(move || {
            let from = Beating { from, pulse, clock, busy: Cell::new(false) };
            write_all(&from, &depth, &written, to_finisher);
            // Its queue is closed now: it ends when all that ended is in its place.
            from.pulse.rests();
            finisher.join().expect("the finisher does not panic");
        })?;
        Ok(Self { to, waiting, next: AtomicU64::new(0), thread: Some(thread) })
    }

    /// Takes over a spool file that has its header.
    pub(super) fn begin(
        &self,
        permit: &RecordingPermit,
        header: &Header,
        part: Box<dyn Part>,
        mark: Mark,
        paths: &Paths,
    ) -> Result<(Spool, Ending), VaultError> {
        let id = permit.id();
        let (done, ending) = oneshot::channel();
        let (recycle, recycled) = mpsc::sync_channel(RECYCLED);
        let file = Sealing::new(permit.key(), header, part);
        mark.sealed(file.written());
        let writing = Writing { id, file, mark, paths: paths.clone(), samples: 0, done };
        let slot = self.next.fetch_add(1, Ordering::Relaxed);
        let begun = self.to.send(Message::Begin { slot, recycle, writing: Box::new(writing) });
        begun.map_err(|_| VaultError::Closed(id))?;
        let spool =
            Spool { slot, to: self.to.clone(), waiting: Arc::clone(&self.waiting), recycled, ended: false };
        Ok((spool, ending))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.to.send(Message::Stop); // fails only when the thread is gone already
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a thread of the vault panicked: this is a bug, please report it");
        }
    }
}

/// Takes one recording's chunks to the writer. Dropped without an end, the recording is given up;
/// its file is kept for salvage, or removed when nothing was written to it.
pub struct Spool {
    slot: u64,
    /// Unbounded, so that an end always gets through; chunks are bounded by `waiting`.
    to: Sender<Message>,
    waiting: Arc<AtomicUsize>,
    recycled: Receiver<Vec<i16>>,
    ended: bool,
}

impl ChunkSink for Spool {
    fn buffer(&mut self) -> Vec<i16> {
        self.recycled.try_recv().unwrap_or_default()
    }

    fn put(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= QUEUE {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(chunk);
        }
        // A writer that is gone drops what it gets, as it does for a recording that failed.
        let _ = self.to.send(Message::Chunk { slot: self.slot, chunk });
        Ok(())
    }

    fn finish(mut self: Box<Self>, end: End) {
        self.ended = true;
        let _ = self.to.send(Message::Finish { slot: self.slot, end });
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.to.send(Message::Abandon { slot: self.slot });
        }
    }
}

enum Message {
    Begin { slot: u64, recycle: SyncSender<Vec<i16>>, writing: Box<Writing> },
    Chunk { slot: u64, chunk: Chunk },
    Finish { slot: u64, end: End },
    Abandon { slot: u64 },
    Stop,
}

/// A recording as the writer sees it, until its sink says that it ended.
struct Recording {
    recycle: SyncSender<Vec<i16>>,
    /// `None`: it failed, and what still comes is dropped.
    writing: Option<Box<Writing>>,
}

/// The writer's queue; whoever waits at it has no work.
struct Beating {
    from: Receiver<Message>,
    pulse: Pulse,
    clock: Clock,
    /// A chunk was taken since it waited last: more will come soon.
    busy: Cell<bool>,
}

impl Beating {
    #[expect(
        clippy::disallowed_methods,
        reason = "gathering ends by time alone; an event would be what it avoids"
    )]
    fn next(&self) -> Option<Message> {
        let message = match self.from.try_recv() {
            Ok(message) => message,
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {
                self.pulse.rests();
                if self.busy.take() {
                    // Who sends meanwhile has nobody to wake.
                    thread::sleep(GATHER);
                }
                self.from.recv().ok()?
            }
        };
        self.pulse.begins(self.clock.now());
        if matches!(message, Message::Chunk { .. }) {
            self.busy.set(true);
        }
        Some(message)
    }
}

/// The writer thread.
fn write_all(from: &Beating, waiting: &AtomicUsize, written: &AtomicBool, to_finisher: Sender<Ended>) {
    let mut recordings = HashMap::<u64, Recording>::new();
    let chunks = counter!("sayso_recording_chunks_total");
    let samples = counter!("sayso_recording_samples_total");
    let bytes = counter!("sayso_recording_bytes_total");
    let depth = gauge!("sayso_recording_queue_chunks");
    while let Some(message) = from.next() {
        match message {
            Message::Begin { slot, recycle, writing } => {
                recordings.insert(slot, Recording { recycle, writing: Some(writing) });
            }
            Message::Chunk { slot, chunk } => {
                depth.set((waiting.fetch_sub(1, Ordering::Relaxed) - 1) as f64);
                let Some(recording) = recordings.get_mut(&slot) else { continue };
                if let Some(mut writing) = recording.writing.take() {
                    let before = writing.file.written();
                    match writing.chunk(&chunk) {
                        Ok(()) => {
                            chunks.increment(1);
                            samples.increment(chunk.samples.len() as u64 / 2);
                            bytes.increment(writing.file.written() - before);
                            written.store(true, Ordering::Release);
                            recording.writing = Some(writing);
                        }
                        Err(error) => writing.fail(error),
                    }
                }
                let _ = recording.recycle.try_send(chunk.samples); // enough are there already
            }
            Message::Finish { slot, end } => {
                let writing = recordings.remove(&slot).and_then(|recording| recording.writing);
                let Some(mut writing) = writing else { continue };
                match writing.end(&end) {
                    Ok(()) => {
                        count_gaps(&end);
                        let sent = to_finisher.send(Ended { writing, end });
                        sent.expect("the finisher lives as long as the writer");
                    }
                    Err(error) => writing.fail(error),
                }
            }
            Message::Abandon { slot } => {
                let writing = recordings.remove(&slot).and_then(|recording| recording.writing);
                if let Some(writing) = writing {
                    writing.leave(|id, samples| VaultError::Abandoned { id, samples });
                }
            }
            Message::Stop => break,
        }
    }
    for writing in recordings.into_values().filter_map(|recording| recording.writing) {
        writing.leave(|id, _| VaultError::Closed(id));
    }
}

fn count_gaps(end: &End) {
    for gap in &end.gaps {
        let why = match gap.why {
            Missing::Paused => "paused",
            Missing::Hold => "hold",
            Missing::Lost => "lost",
            Missing::Backlog => "backlog",
        };
        counter!("sayso_recording_gaps_total", "why" => why).increment(1);
    }
}

/// A recording that can be written to.
struct Writing {
    id: RecordingId,
    file: Sealing<Box<dyn Part>>,
    mark: Mark,
    paths: Paths,
    /// Per channel, so far. Fewer may be in the file.
    samples: u64,
    done: oneshot::Sender<Result<Finished, VaultError>>,
}

impl Writing {
    fn chunk(&mut self, chunk: &Chunk) -> io::Result<()> {
        self.silence_until(chunk.start)?;
        self.audio(&chunk.samples)
    }

    fn end(&mut self, end: &End) -> io::Result<()> {
        self.silence_until(end.samples)?;
        self.file.end(end, false)?;
        self.mark.sealed(self.file.written());
        Ok(())
    }

    /// Fills what the queue had no room for.
    fn silence_until(&mut self, start: u64) -> io::Result<()> {
        if start < self.samples {
            return Err(io::Error::other("a chunk came twice: this is a bug, please report it"));
        }
        while self.samples < start {
            let frames = (start - self.samples).min(SILENCE as u64) as usize;
            self.audio(&[0; SILENCE * 2][..frames * 2])?;
        }
        Ok(())
    }

    fn audio(&mut self, samples: &[i16]) -> io::Result<()> {
        self.file.pcm(samples)?;
        self.samples += samples.len() as u64 / 2;
        self.mark.sealed(self.file.written());
        Ok(())
    }

    fn fail(self, source: io::Error) {
        let (id, samples) = (self.id, self.file.samples());
        counter!("sayso_recording_failures_total").increment(1);
        tracing::error!(recording = %id, samples, error = %source, "recording failed");
        self.give_up(VaultError::WriteFailed { id, samples, source });
    }

    /// It has no end, but its disk is well: what came is in the file when it is left.
    fn leave(mut self, why: impl FnOnce(RecordingId, u64) -> VaultError) {
        match self.file.flush_short() {
            Ok(()) => {
                let why = why(self.id, self.file.samples());
                self.give_up(why);
            }
            Err(error) => self.fail(error),
        }
    }

    /// Leaves the file for salvage, unless there is nothing in it.
    fn give_up(self, why: VaultError) {
        let Self { id, file, mark, paths, done, .. } = self;
        if file.samples() == 0 {
            let _ = fs::remove_file(paths.part(id)); // it may be destroyed already
        }
        drop((file, mark)); // and its lock, before anyone is told
        let _ = done.send(Err(why)); // nobody may care
    }
}

/// A recording whose file is written to its end.
struct Ended {
    writing: Box<Writing>,
    end: End,
}

/// The finisher thread.
fn finish_all(endings: &Receiver<Ended>, clock: Clock) {
    while let Ok(Ended { writing, end }) = endings.recv() {
        let Writing { id, file, mark, paths, samples, done } = *writing;
        let (part, bytes, sha256) = file.into_parts();
        let synced = part.sync().map_err(|source| VaultError::WriteFailed { id, samples, source });
        let finished = synced.and_then(|()| paths.settle(id)).map(|()| Finished {
            id,
            at: clock.now(),
            samples,
            bytes,
            sha256,
            gaps: end.gaps,
            unlisted: end.unlisted,
            salvaged: None,
        });
        match &finished {
            Ok(_) => {}
            Err(VaultError::Destroyed(_)) => {
                tracing::info!(recording = %id, "destroyed before it was finished")
            }
            Err(error) => tracing::error!(recording = %id, %error, "recording could not be finished"),
        }
        drop((part, mark));
        let _ = done.send(finished); // nobody may care
    }
}
