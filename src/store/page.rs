//! Long lists in pages, the latest first.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// Its rows, the latest first.
    pub items: Vec<T>,
    /// Where the next page begins; `None`: this is the last.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// From at most one row more than `limit`, which tells that there is another page.
    pub(super) fn of(mut rows: Vec<T>, limit: u32, cursor: impl Fn(&T) -> Cursor) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(cursor);
        Self { items: rows, next }
    }
}

/// A place in a list: only rows after it are listed. As text it is what a client hands back unread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// What the list is ordered by first: a time or a number.
    pub(super) at: i64,
    /// What tells rows of the same time apart; may be empty.
    pub(super) id: String,
}

impl Cursor {
    /// Before everything.
    pub(super) fn start() -> Self {
        Self { at: i64::MAX, id: "~".to_owned() }
    }
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no cursor: give back the `next` of a page as it was")]
pub struct BadCursor;

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let (at, id) = text.split_once('-').ok_or(BadCursor)?;
        let plain = id.len() <= 26 && id.chars().all(|c| c.is_ascii_alphanumeric());
        let at = at.parse().ok().filter(|at| plain && *at >= 0).ok_or(BadCursor)?;
        Ok(Self { at, id: id.to_owned() })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.at, self.id)
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
