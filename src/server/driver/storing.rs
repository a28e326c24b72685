//! What a call wants remembered, on its way to the store.

use std::time::Duration;

use crate::audit::supervision_word;
use crate::call::{CommitId, Fact};
use crate::store::{Change, Listened, ListenedTo};

use super::{Done, Driver};

/// How long to wait before a finished call's last facts are tried again.
const COMMIT_AGAIN: Duration = Duration::from_secs(1);

impl Driver {
    /// Hands what is to be stored to the store, in order, and waits for the answers on the side. The
    /// closed legs' statistics go with the call's last facts.
    pub(super) async fn submit(&mut self) {
        for (commit, facts) in std::mem::take(&mut self.to_store) {
            let mut changes: Vec<Change> = facts.iter().cloned().map(Change::Fact).collect();
            changes.extend(facts.iter().filter_map(listening));
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
            let changes = facts.iter().cloned().map(Change::Fact);
            let stored = store.commit(changes.chain(facts.iter().filter_map(listening)).collect()).await;
            Done::Committed(commit, facts, stored)
        });
    }
}

/// The listening log's row of a fact, if it tells that somebody begins to listen (domain rule 24).
fn listening(fact: &Fact) -> Option<Change> {
    let Fact::Supervised { call, by, mode, was: None, at, .. } = fact else { return None };
    let to = ListenedTo::Live { call: *call, mode: supervision_word(*mode) };
    Some(Change::Listened(Listened { at: *at, who: by.clone(), to, reason: None }))
}
