//! What is done about a person: requests, approvals, restrictions, the directory, consents reset (domain rules 17-21).

use super::error::StoreError;
use super::writer::Work;

/// See [`Change::Privacy`](super::Change::Privacy).
#[derive(Debug)]
pub enum PrivacyChange {}

impl Work<'_> {
    #[expect(clippy::unused_async)]
    pub(super) async fn privacy(&mut self, change: &PrivacyChange) -> Result<(), StoreError> {
        match *change {}
    }
}
