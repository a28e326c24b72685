//! What a call wants remembered, on its way to the store.

use std::time::Duration;

use crate::call::{CommitId, Fact, Input};
use crate::consent::{Basis, Receipt};
use crate::store::{Change, RecordingChange, Store, StoreError};

use super::log::log;
use super::{Done, Driver, What};

/// How long to wait before a finished call's last facts, or a withdrawal, are tried again.
const COMMIT_AGAIN: Duration = Duration::from_secs(1);

impl Driver {
    /// Hands what is to be stored to the store, in order, and waits for the answers on the side. The
    /// closed legs' statistics go with the call's last facts. What comes after a withdrawal waits until that is stored.
    pub(super) async fn submit(&mut self) {
        while self.withdrawing.is_none() && !self.to_store.is_empty() {
            let (commit, facts) = self.to_store.remove(0);
            self.withdrawing = facts.iter().any(withdraws).then_some(commit);
            let mut changes = changes_of(&facts, &self.recorder.withdrawn());
            if self.over {
                changes.append(&mut self.quality);
            }
            let answer = self.shared.store.submit(changes).await;
            self.storing.push(Box::pin(async move { Done::Committed(commit, facts, answer.wait().await) }));
        }
    }

    /// A unit of work is durable.
    pub(super) fn on_committed(&mut self, commit: CommitId, facts: Vec<Fact>) {
        if self.withdrawing.take_if(|waits| *waits == commit).is_some() {
            self.recorder.on_withdrawn(&self.shared);
        }
        for fact in facts {
            log(&fact);
            self.shared.live.fact(&fact, self.shared.clock.now());
            self.shared.notices.tell(self.id, || What::Stored(fact));
        }
        self.tell(Input::Committed(Receipt::durable(commit)));
    }

    /// A unit of work was not taken. The call puts its facts into the next one; but the last ones, and a withdrawal, which
    /// nothing may follow for minutes, are tried again from here.
    pub(super) fn on_commit_failed(&mut self, commit: CommitId, facts: Vec<Fact>, error: &StoreError) {
        metrics::counter!("sayso_store_failures_total").increment(1);
        tracing::error!(%error, "facts of the call could not be stored");
        let withdrawn = self.withdrawing == Some(commit);
        match (self.over, error.is_final()) {
            (true, true) => self.commit_one_by_one(commit, facts),
            (true, false) => self.commit_again(commit, facts),
            (false, false) if withdrawn => self.commit_again(commit, facts),
            (false, _) => {
                self.withdrawing.take_if(|waits| *waits == commit);
                self.tell(Input::CommitFailed(commit));
            }
        }
    }

    /// A unit of work is tried once more.
    fn commit_again(&mut self, commit: CommitId, facts: Vec<Fact>) {
        let (store, withdrawn) = (self.shared.store.clone(), self.recorder.withdrawn());
        self.work.spawn(async move {
            tokio::time::sleep(COMMIT_AGAIN).await;
            let stored = store.commit(changes_of(&facts, &withdrawn)).await;
            Done::Committed(commit, facts, stored)
        });
    }

    /// The database will never take one of a finished call's last facts, such as a text it cannot hold: the others
    /// are stored alone, in order, and that one is given up.
    fn commit_one_by_one(&mut self, commit: CommitId, facts: Vec<Fact>) {
        let (store, call, withdrawn) = (self.shared.store.clone(), self.id, self.recorder.withdrawn());
        self.work.spawn(async move {
            let mut stored = Vec::with_capacity(facts.len());
            for fact in facts.into_iter().filter(|fact| !overrides(fact)) {
                let changes = || changes_of(std::slice::from_ref(&fact), &withdrawn);
                if let Err(error) = see_through(&store, changes).await {
                    metrics::counter!("sayso_facts_lost_total").increment(1);
                    tracing::error!(%call, %error, "a fact of a finished call is lost: it cannot be stored");
                } else {
                    stored.push(fact);
                }
            }
            // Had it gone with a fact that is lost. What was stored has no effect again.
            for change in withdrawn {
                if let Err(error) = see_through(&store, || vec![Change::Recording(change.clone())]).await {
                    tracing::error!(%call, %error, "a recording that was withdrawn could not be destroyed");
                }
            }
            Done::Committed(commit, stored, Ok(()))
        });
    }
}

/// The unit of work for these facts. With a withdrawal goes the destruction of what it destroys: a crash leaves both or
/// none.
fn changes_of(facts: &[Fact], withdrawn: &[RecordingChange]) -> Vec<Change> {
    let withdrawn = if facts.iter().any(withdraws) { withdrawn } else { &[] };
    let destroyed = withdrawn.iter().cloned().map(Change::Recording);
    facts.iter().cloned().map(Change::Fact).chain(destroyed).collect()
}

/// Stores changes however long the database is away.
///
/// # Errors
/// When it will never take them.
async fn see_through(store: &Store, changes: impl Fn() -> Vec<Change>) -> Result<(), StoreError> {
    loop {
        match store.commit(changes()).await {
            Err(error) if !error.is_final() => tokio::time::sleep(COMMIT_AGAIN).await,
            result => return result,
        }
    }
}

fn withdraws(fact: &Fact) -> bool {
    matches!(fact, Fact::ConsentWithdrawn { .. })
}

/// An override whose row and audit event were not stored together did not happen.
fn overrides(fact: &Fact) -> bool {
    matches!(fact, Fact::Overridden { .. } | Fact::Decided { basis: Basis::Override { .. }, .. })
}
