//! What the routes of recordings, jobs and reports need of the running server.

use std::sync::Arc;

use crate::vault::Vault;

/// The vault and what goes on in it; the server fills it in.
#[derive(Clone)]
pub struct Archive {
    /// Spool and keys.
    pub vault: Arc<Vault>,
    /// A new job was enqueued: whoever runs jobs here looks at once.
    pub wake: Arc<dyn Fn() + Send + Sync>,
    /// Whether who listens to a recording must say why (domain rule 24), `[vault] listening-reason`.
    pub listening_reason: bool,
    // With the merges of `objects`, `keys` and `jobs` follow, in these very words:
    //   pub objects: Objects,      vault::Objects, where recordings are kept
    //   pub signer: Signer,        vault::Signer, who signs exports
    //   pub alarms: Alarms,        jobs::Alarms: list() for GET /alarms, raise(AlarmKind::RecordingDamaged, ..)
}
