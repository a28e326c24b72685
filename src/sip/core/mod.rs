//! SIP without I/O: an [`Endpoint`] that owns transactions, dialogs, registrations and trunk limits.
//!
//! Feed it with [`Endpoint::receive`], [`Endpoint::command`] and, at the time
//! [`Endpoint::poll_timeout`] names, [`Endpoint::handle_timeout`]; after each, drain
//! [`Endpoint::poll_output`].

mod body;
mod cause;
mod dialog;
pub mod digest;
mod endpoint;
pub mod gate;
mod inbound;
mod io;
mod leg;
mod machines;
mod mint;
pub mod naming;
mod nat;
mod register;
pub mod registrar;
mod respond;
pub mod sdp;
mod session;
mod source;
mod stream;
pub mod stun;
#[cfg(test)]
mod tests;
mod timers;
mod transactions;
mod uac;
mod uas;
mod uri;
mod wire;

pub use endpoint::{Endpoint, EndpointConfig, Sizes, Timers};
pub use io::*;
pub use nat::{Advertise, Nat};
