//! What a call wants remembered, on its way to the store.

use std::time::Duration;

use crate::call::{CommitId, Fact};
use crate::store::Change;

use super::{Done, Driver};

/// How long to wait before a finished call's last facts are tried again.
const COMMIT_AGAIN: Duration = Duration::from_secs(1);

impl Driver {
    /// Hands what is to be stored to the store, in order, and waits for the answers on the side. The
    /// closed legs' statistics go with the call's last facts.
    pub(super) async fn submit(&mut self) {
        for (commit, facts) in std::mem::take(&mut self.to_store) {
            let mut changes: Vec<Change> = facts.iter().cloned().map(Change::Fact).collect();
            if self.over {
                changes.append(&mut self.quality);
            }
            let answer = self.shared.store.submit(changes).await;
            self.work.spawn(async move { Done::Committed(commit, facts, answer.wait().await) });
        }
    }

    /// The call is over and says nothing more: its last facts are tried again until they are stored.
    pub(super) fn commit_again(&mut self, commit: CommitId, facts: Vec<Fact>) {
        let store = self.shared.store.clone();
        self.work.spawn(async move {
            tokio::time::sleep(COMMIT_AGAIN).await;
            let stored = store.commit(facts.iter().cloned().map(Change::Fact).collect()).await;
            Done::Committed(commit, facts, stored)
        });
    }
}
