//! What a call wants remembered, on its way to the store.

use std::time::Duration;

use crate::call::{CommitId, Fact};
use crate::consent::Basis;
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
            self.storing.push(Box::pin(async move { Done::Committed(commit, facts, answer.wait().await) }));
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

    /// The database will never take one of a finished call's last facts, such as a text it cannot hold: the others
    /// are stored alone, in order, and that one is given up.
    pub(super) fn commit_one_by_one(&mut self, commit: CommitId, facts: Vec<Fact>) {
        let (store, call) = (self.shared.store.clone(), self.id);
        self.work.spawn(async move {
            let mut stored = Vec::with_capacity(facts.len());
            for fact in facts.into_iter().filter(|fact| !overrides(fact)) {
                loop {
                    match store.commit(vec![Change::Fact(fact.clone())]).await {
                        Ok(()) => break stored.push(fact),
                        Err(error) if error.is_final() => {
                            metrics::counter!("sayso_facts_lost_total").increment(1);
                            tracing::error!(%call, %error, "a fact of a finished call is lost: it cannot be stored");
                            break;
                        }
                        Err(_) => tokio::time::sleep(COMMIT_AGAIN).await,
                    }
                }
            }
            Done::Committed(commit, stored, Ok(()))
        });
    }
}

/// An override whose row and audit event were not stored together did not happen.
fn overrides(fact: &Fact) -> bool {
    matches!(fact, Fact::Overridden { .. } | Fact::Decided { basis: Basis::Override { .. }, .. })
}
