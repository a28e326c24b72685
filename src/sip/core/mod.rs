//! SIP without I/O: an [`Endpoint`] that owns transactions, dialogs, registrations and trunk limits.
//!
//! Feed it with [`Endpoint::receive`], [`Endpoint::command`] and, at the time
//! [`Endpoint::poll_timeout`] names, [`Endpoint::handle_timeout`]; after each, drain
//! [`Endpoint::poll_output`].

mod body;
pub(crate) mod buckets;
pub(crate) mod cause;
mod challenge;
mod dialog;
pub mod digest;
mod endpoint;
mod extensions;
pub mod gate;
mod guard;
mod hunt;
mod inbound;
mod io;
mod leg;
mod loans;
mod locate;
mod machines;
mod mint;
pub mod naming;
mod nat;
mod outbound;
mod particulars;
mod pressure;
mod probe;
mod reason;
mod refer;
mod referring;
mod refresh;
mod register;
pub mod registrar;
mod registration;
mod reliable;
mod replaces;
mod respond;
pub mod sdp;
mod session;
mod source;
mod spoof;
mod stream;
pub mod stun;
#[cfg(test)]
mod tests;
mod timers;
mod trace;
mod transactions;
mod trunks;
mod uac;
mod uas;
mod update;
mod uri;
mod wire;

pub use endpoint::{Endpoint, EndpointConfig, Sizes, Timers};
pub use guard::{Refusals, StunQuota};
pub use io::*;
pub use loans::Lent;
pub use nat::{Advertise, Nat};
pub use pressure::Pressure;
pub use probe::{PATIENCE as PROBE_PATIENCE, ProbeId, Probed};
pub use trace::{Body as TracedBody, FIRST as TRACED_FIRST, LAST as TRACED_LAST, Step as TracedStep, Traced};
