//! Calls that lose what is personal, and rows that are past their time (domain rules 12, 16).

use super::error::StoreError;
use super::writer::Work;

/// See [`Change::Anonymise`](super::Change::Anonymise).
#[derive(Debug)]
pub enum AnonymiseChange {}

impl Work<'_> {
    #[expect(clippy::unused_async)]
    pub(super) async fn anonymise(&mut self, change: &AnonymiseChange) -> Result<(), StoreError> {
        match *change {}
    }
}
