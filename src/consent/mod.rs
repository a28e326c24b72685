//! Consent: recording policy, the consent dialogue, what an answer means, and the one place where a
//! [`RecordingPermit`] comes from.

mod permit;
mod policy;

pub use permit::*;
pub use policy::*;
