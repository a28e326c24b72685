//! SIP without I/O: an [`Endpoint`] that owns transactions, dialogs, registrations and trunk limits.
//!
//! Feed it with [`Endpoint::receive`], [`Endpoint::command`] and, at the time
//! [`Endpoint::poll_timeout`] names, [`Endpoint::handle_timeout`]; after each, drain
//! [`Endpoint::poll_output`].

pub mod digest;
mod endpoint;
pub mod gate;
mod io;
mod mint;
pub mod registrar;
pub mod sdp;
mod timers;
mod uri;
mod wire;

pub use endpoint::{Endpoint, EndpointConfig, Sizes, Timers};
pub use io::*;
