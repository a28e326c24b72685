//! The database: migrations, units of work, queries.

mod change;

pub use change::*;
