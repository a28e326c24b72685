//! SIP: a pure core and its sockets.

pub mod core;
pub mod io;
