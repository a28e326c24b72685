//! Events on their way to webhooks, and what became of them.

use super::error::StoreError;
use super::writer::Work;

/// See [`Change::Webhook`](super::Change::Webhook).
#[derive(Debug)]
pub enum WebhookChange {}

impl Work<'_> {
    #[expect(clippy::unused_async)]
    pub(super) async fn webhook(&mut self, change: &WebhookChange) -> Result<(), StoreError> {
        match *change {}
    }
}
