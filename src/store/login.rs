//! Second factors, earlier passwords, tokens for machines (domain rule 23).

use super::error::StoreError;
use super::writer::Work;

/// See [`Change::Login`](super::Change::Login).
#[derive(Debug)]
pub enum LoginChange {}

impl Work<'_> {
    #[expect(clippy::unused_async)]
    pub(super) async fn login(&mut self, change: &LoginChange) -> Result<(), StoreError> {
        match *change {}
    }
}
