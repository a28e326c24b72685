//! What the end-to-end tests stand on: the server under test, real SIP clients, a scripted phone, a
//! wire capture, and ears that compare what was said with what was heard.

pub(crate) mod api;
pub(crate) mod audio;
pub(crate) mod authority;
pub(crate) mod baresip;
pub(crate) mod browser;
pub(crate) mod capture;
pub(crate) mod clerk;
pub(crate) mod console;
pub(crate) mod desk;
pub(crate) mod faults;
pub(crate) mod listener;
pub(crate) mod metrics;
pub(crate) mod office;
pub(crate) mod oidc;
pub(crate) mod phone;
pub(crate) mod postgres;
pub(crate) mod raw;
pub(crate) mod relay;
pub(crate) mod rtp;
pub(crate) mod s3;
pub(crate) mod script;
pub(crate) mod server;
#[path = "../../benches/load/sip.rs"]
pub(crate) mod sip;
pub(crate) mod sipp;
pub(crate) mod turn;
pub(crate) mod vault;
pub(crate) mod web;
pub(crate) mod web_line;

use std::process::{Child, Command};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// Tests that load the machine take it alone; the others share it. Without this, a load test would
/// disturb the timing that a speech test judges.
static MACHINE: RwLock<()> = RwLock::new(());

/// Shares the machine with other tests until dropped.
pub(crate) fn shared() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Has the machine alone until dropped.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A helper process, ended by its pid when dropped.
pub(crate) struct Process {
    child: Child,
    name: &'static str,
}

impl Process {
    /// Starts `command`; `name` is for messages.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Self {
        let child =
            command.spawn().unwrap_or_else(|e| panic!("{name} does not start ({e}): run `make tools`"));
        Self { child, name }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits for its end; panics at the deadline. Its exit code, `None` if a signal ended it.
    pub(crate) fn wait(&mut self, deadline: Duration) -> Option<i32> {
        let name = self.name;
        until(deadline, &format!("{name} to end"), || {
            self.child.try_wait().expect("a child can be waited for")
        })
        .code()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
        rustix::process::kill_process(pid, signal).expect("the child has not been waited for");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors mean it is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks `probe` every 10 ms until it answers; panics at the deadline, saying what was waited for.
pub(crate) fn until<T>(deadline: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < end, "waited {deadline:?} for {what}");
        std::thread::sleep(Duration::from_millis(10)); // the one pause between two looks
    }
}

/// Port ranges of this test process: each caller gets its own, below the system's ephemeral ports
/// (32768 and up), so that servers and clients of tests side by side never meet.
pub(crate) fn ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = NEXT.fetch_add(count + count % 2, Ordering::Relaxed) % 19_000;
    // Not 12,000: tshark takes that for another protocol's.
    12_100 + offset.min(19_000 - count)
}
