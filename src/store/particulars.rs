//! What a call has beside its own: attached data, its SIP messages.

use super::error::StoreError;
use super::writer::Work;

/// See [`Change::Particulars`](super::Change::Particulars).
#[derive(Debug)]
pub enum ParticularsChange {}

impl Work<'_> {
    #[expect(clippy::unused_async)]
    pub(super) async fn particulars(&mut self, change: &ParticularsChange) -> Result<(), StoreError> {
        match *change {}
    }
}
