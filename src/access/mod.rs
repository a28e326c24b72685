//! Who may do what (domain rules 22, 23): roles hold rights; how long a session lives; when a log-in is
//! locked; what a password must be.

mod held;
mod lockout;
mod rights;
mod session;

pub use held::Held;
pub use lockout::{Attempts, FAILURES, LOCKED_FOR, Source, Sources};
pub use rights::{Right, rights};
pub use session::{ABSOLUTE, IDLE, SESSIONS, Session, TOUCH};

/// A user's password has more characters than this (domain rule 23).
pub const PASSWORD_OVER: usize = 8;

/// Whether a password a user chose is long enough.
#[must_use]
pub fn long_enough(password: &str) -> bool {
    password.chars().count() > PASSWORD_OVER
}
