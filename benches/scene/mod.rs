//! Real inputs of real size, shared by the Criterion benches (`benches/cores`) and the instruction counts
//! (`sayso-load count`), so that both measure the same work.

pub(crate) mod audit;
pub(crate) mod endpoint;
pub(crate) mod permit;
pub(crate) mod vault;

use sayso::time::Timestamp;

/// When the scenes play: any time will do, and always the same.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_795_339_800_000_000);
