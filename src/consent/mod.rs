//! Consent: recording policy, the consent dialogue, what an answer means, and the one place where a
//! [`RecordingPermit`] comes from.

mod decision;
mod dialogue;
mod permit;
mod policy;

pub use decision::*;
pub use dialogue::*;
pub use permit::*;
pub use policy::*;
