//! One call as a pure state machine: welcome, consent, queue, agent, bridge, wrap-up.
//!
//! Feed it with [`Call::handle`] and, at the time [`Call::poll_timeout`] names, with
//! [`Call::handle_timeout`]; after each, drain [`Call::poll_output`] and do what it says, in order.

mod fact;
mod io;

pub use fact::*;
pub use io::*;
