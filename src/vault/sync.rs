//! What was written reaches the disk about every second, whatever the kernel's own time for it is: loss of power
//! costs no more than that. A thread of its own does it, so that the writer never waits for the disk.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::VaultError;
use super::spool::Paths;

/// Between two syncs. With the chunk and the hold of the tap and a sync of half a second, loss of power costs less
/// than two seconds of audio.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// The thread, from outside. Dropping it syncs once more.
pub(super) struct Syncer {
    written: Arc<AtomicBool>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub(super) fn start(
        every: Duration,
        mut sync: impl FnMut() -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let written = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = mpsc::channel::<()>();
        let dirty = Arc::clone(&written);
        let thread = thread::Builder::new().name("vault-syncer".to_owned()).spawn(move || {
            loop {
                let last = match stopped.recv_timeout(every) {
                    Err(RecvTimeoutError::Timeout) => false,
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
                };
                if dirty.swap(false, Ordering::AcqRel)
                    && let Err(error) = sync()
                {
                    metrics::counter!("sayso_spool_sync_failures_total").increment(1);
                    tracing::error!(%error, "the spool's disk does not take what was written: look at the disk");
                    dirty.store(true, Ordering::Release);
                }
                if last {
                    return;
                }
            }
        })?;
        Ok(Self { written, stop: Some(stop), thread: Some(thread) })
    }

    /// Set by who has written.
    pub(super) fn written(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.written)
    }
}

/// One call for the spool's whole file system: a thousand open files cost no more than one.
pub(super) fn spool(paths: &Paths) -> Result<impl FnMut() -> io::Result<()> + Send + 'static, VaultError> {
    let dir = paths.spool();
    let open = File::open(&dir).map_err(VaultError::io("open directory", dir))?;
    Ok(move || Ok(rustix::fs::syncfs(&open)?))
}

impl Drop for Syncer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a thread of the vault panicked: this is a bug, please report it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_syncs_what_was_written_and_nothing_else() {
        let (told, tells) = mpsc::channel();
        let mut outcomes = [Err(io::ErrorKind::Other.into()), Ok(())].into_iter();
        let syncer = Syncer::start(Duration::from_millis(1), move || {
            told.send(()).unwrap();
            outcomes.next().unwrap_or(Ok(()))
        })
        .unwrap();
        let deadline = Duration::from_secs(20);
        syncer.written().store(true, Ordering::Release);
        tells.recv_timeout(deadline).unwrap();
        tells.recv_timeout(deadline).expect("a failed sync is tried again");
        syncer.written().store(true, Ordering::Release);
        tells.recv_timeout(deadline).unwrap();
        drop(syncer);
        assert!(tells.try_recv().is_err(), "nothing was written since");
    }

    #[test]
    fn the_last_sync_is_at_the_end() {
        let (told, tells) = mpsc::channel();
        let syncer = Syncer::start(Duration::from_secs(3_600), move || {
            told.send(()).unwrap();
            Ok(())
        })
        .unwrap();
        syncer.written().store(true, Ordering::Release);
        drop(syncer);
        assert!(tells.try_recv().is_ok());
    }
}
