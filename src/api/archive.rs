//! What the routes of recordings, jobs and reports need of the running server.

use std::sync::Arc;

use crate::jobs::Alarms;
use crate::time::Clock;
use crate::vault::objects::Objects;
use crate::vault::{Signer, Vault};

/// The vault and what goes on in it; the server fills it in.
#[derive(Clone)]
pub struct Archive {
    /// Spool and keys.
    pub vault: Arc<Vault>,
    /// Where recordings are kept.
    pub objects: Objects,
    /// Who signs exports.
    pub signer: Arc<Signer>,
    /// What a person should look at.
    pub alarms: Alarms,
    /// The time now, for what is done to objects.
    pub clock: Clock,
    /// A new job was enqueued: whoever runs jobs here looks at once.
    pub wake: Arc<dyn Fn() + Send + Sync>,
    /// Whether who listens to a recording must say why (domain rule 24), `[vault] listening-reason`.
    pub listening_reason: bool,
}
