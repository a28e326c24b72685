//! What is done to recordings beside the calls, so that it happens once and for certain: uploads, copies of
//! recordings that go on, encoding, destruction. Each is a row in the database, written in the transaction that made
//! it necessary; a runner leases it, does it in steps that can be done again, and goes on after any crash.

mod alarm;
pub mod reconcile;
mod schedule;

use std::sync::Arc;

use tokio::sync::Notify;

pub use alarm::{Alarm, AlarmKind, Alarms};

/// The jobs of this server, as they run. Clones share them.
#[derive(Clone)]
pub struct Jobs {
    wake: Arc<Notify>,
}

impl Jobs {
    /// There is a new job: it is looked for at once and not with the next second.
    pub fn wake(&self) {
        self.wake.notify_one();
    }
}
