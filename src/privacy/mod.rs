//! People's data, as far as it is pure: what a search looks for, the words of a text, lists of people as CSV, and what
//! is told of a task (domain rules 17-21).

mod directory;
mod search;
mod words;

pub use directory::{BadLine, Header, NewEntry, read_directory};
pub use search::{BadSearch, LastDigits, Person, Search, reversed};
pub use words::{email_key, words};

/// What stands in the place of what was personal (domain rules 12, 19).
pub use crate::retention::ANONYMISED as ANONYMIZED;
