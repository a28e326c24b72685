//! Withdrawals by a word to us, for the calls of this node: whichever node took the word, each looks a few times a second for
//! new ones, and has its calls that go by a consent of before stop recording.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::api::control::{Ask, Asker, Control as _, Refusal};
use crate::api::view::{CallView, ConsentState};
use crate::ids::CallId;
use crate::store::{StoreError, Withdrawal};
use crate::time::Timestamp;

use super::Shared;

/// How often the store is asked.
const EVERY: Duration = Duration::from_millis(300);

/// How long calls are looked at for a withdrawal in any case: one that had read the consent just before may not be among
/// those that go on yet.
const LONG: Duration = Duration::from_secs(60);

/// Looks as long as the server is there.
pub(super) async fn watch(shared: Weak<Shared>) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut withdrawals, mut told) = (Withdrawals::default(), false);
    loop {
        tick.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        let looked = look(&shared, &mut withdrawals).await;
        if let (Err(error), false) = (&looked, told) {
            tracing::error!(%error, "withdrawals cannot be read: calls that go on do not hear of them");
        }
        told = looked.is_err();
    }
}

async fn look(shared: &Arc<Shared>, withdrawals: &mut Withdrawals) -> Result<(), StoreError> {
    let new = shared.store.withdrawals_since(withdrawals.known).await?;
    let now = shared.clock.now();
    withdrawals.add(new, now);
    if withdrawals.recent.is_empty() {
        return Ok(());
    }
    let (snapshot, _) = shared.watch();
    for Due { call, by } in withdrawals.due(&snapshot.calls, now) {
        match shared.ask(call, Asker { user: by, agent: None }, Ask::Revoke).await {
            // It ended meanwhile.
            Ok(()) | Err(Refusal::NoCall) => {}
            Err(refusal @ (Refusal::NotNow(_) | Refusal::Forbidden(_) | Refusal::NoTarget(_))) => {
                tracing::error!(%call, %refusal, "a withdrawal did not reach a call: it is tried again");
                withdrawals.again(call);
            }
        }
    }
    Ok(())
}

/// A call whose consent was taken back.
#[derive(Debug, PartialEq, Eq)]
struct Due {
    call: CallId,
    /// The user who entered the withdrawal.
    by: String,
}

/// Withdrawals that a call may have missed.
#[derive(Default)]
struct Withdrawals {
    /// All up to this one were read. From the beginning: those of before this node's first call do no harm.
    known: i64,
    recent: Vec<Recent>,
}

struct Recent {
    withdrawal: Withdrawal,
    found: Timestamp,
    /// Calls that were told.
    told: HashSet<CallId>,
}

impl Withdrawals {
    fn add(&mut self, new: Vec<Withdrawal>, now: Timestamp) {
        for withdrawal in new {
            self.known = self.known.max(withdrawal.n);
            self.recent.push(Recent { withdrawal, found: now, told: HashSet::new() });
        }
    }

    /// The calls to be told now. A withdrawal is kept for [`LONG`], and for as long as a call goes by the consent, or is not
    /// decided: that may have read the consent before.
    fn due(&mut self, calls: &[CallView], now: Timestamp) -> Vec<Due> {
        let mut due = Vec::new();
        for Recent { withdrawal, told, .. } in &mut self.recent {
            for call in calls.iter().filter(|call| goes_by(call, withdrawal)) {
                if told.insert(call.id) {
                    due.push(Due { call: call.id, by: withdrawal.by.clone() });
                }
            }
        }
        self.recent.retain(|Recent { withdrawal, found, .. }| {
            let open = |call: &CallView| match call.consent.state {
                ConsentState::Undecided => is_of(call, withdrawal),
                ConsentState::Given => goes_by(call, withdrawal),
                ConsentState::Refused | ConsentState::Withdrawn | ConsentState::NotNeeded => false,
            };
            now.since(*found) < LONG || calls.iter().any(open)
        });
        due
    }

    /// A call was not told after all.
    fn again(&mut self, call: CallId) {
        for recent in &mut self.recent {
            recent.told.remove(&call);
        }
    }
}

/// Whether a call goes by a consent that was taken back. A yes to the question that was asked since is the caller's last
/// word.
fn goes_by(call: &CallView, withdrawal: &Withdrawal) -> bool {
    let before = call.consent.at.is_none_or(|at| at <= withdrawal.at);
    is_of(call, withdrawal) && call.consent.state == ConsentState::Given && before
}

fn is_of(call: &CallView, withdrawal: &Withdrawal) -> bool {
    call.caller.as_ref().is_some_and(|caller| caller.0 == withdrawal.number.0)
}

#[cfg(test)]
mod tests {
    use ulid::Ulid;

    use super::*;
    use crate::api::view::{ConsentView, Lamp, PhaseWord, RecordingView, Why};
    use crate::ids::Redacted;

    const NUMBER: &str = "+49301234567";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn call(n: u128, caller: &str, state: ConsentState, since: Option<i64>) -> CallView {
        let can = Vec::new();
        CallView {
            id: CallId::new(Ulid(n)),
            phase: PhaseWord::Welcome,
            arrived_at: at(40),
            queue: "support".into(),
            first_queue: "support".into(),
            caller: Some(Redacted(caller.to_owned())),
            waiting_since: None,
            connected_at: None,
            parties: Vec::new(),
            consent: ConsentView { state, at: since.map(at) },
            recording: RecordingView {
                state: Lamp::Off,
                why: Why::Never,
                paused_at: None,
                resumes_at: None,
                can,
            },
        }
    }

    fn withdrawn(n: i64, second: i64) -> Withdrawal {
        Withdrawal { n, number: Redacted(NUMBER.to_owned()), at: at(second), by: "cora".to_owned() }
    }

    fn due(calls: &[u128]) -> Vec<Due> {
        calls.iter().map(|n| Due { call: CallId::new(Ulid(*n)), by: "cora".to_owned() }).collect()
    }

    #[test]
    fn a_withdrawal_reaches_the_calls_of_before_once_and_nobody_else() {
        let mut all = Withdrawals::default();
        all.add(vec![withdrawn(4, 100)], at(101));
        assert_eq!(all.known, 4, "the next look begins behind it");
        let calls = [
            call(1, NUMBER, ConsentState::Given, Some(50)),
            call(2, "+49307654321", ConsentState::Given, Some(50)),
            call(3, NUMBER, ConsentState::Refused, Some(50)),
            call(4, NUMBER, ConsentState::Given, Some(102)),
            call(5, NUMBER, ConsentState::NotNeeded, None),
        ];
        assert_eq!(all.due(&calls, at(101)), due(&[1]), "neither others nor a yes of afterwards");
        assert_eq!(all.due(&calls, at(102)), due(&[]), "once");
        all.again(CallId::new(Ulid(1)));
        assert_eq!(all.due(&calls, at(102)), due(&[1]), "until it was told");
    }

    #[test]
    fn a_call_that_had_read_the_consent_just_before_is_caught_when_it_decides() {
        let mut all = Withdrawals::default();
        all.add(vec![withdrawn(1, 100)], at(100));
        assert_eq!(all.due(&[], at(100)), due(&[]), "it is not shown yet");
        let undecided = call(7, NUMBER, ConsentState::Undecided, None);
        assert_eq!(all.due(std::slice::from_ref(&undecided), at(101)), due(&[]));
        // A long Welcome.
        assert_eq!(all.due(std::slice::from_ref(&undecided), at(190)), due(&[]));
        let given = call(7, NUMBER, ConsentState::Given, Some(10));
        assert_eq!(all.due(std::slice::from_ref(&given), at(191)), due(&[7]));
        let told = call(7, NUMBER, ConsentState::Withdrawn, Some(100));
        assert_eq!(all.due(std::slice::from_ref(&told), at(192)), due(&[]));
        assert!(all.recent.is_empty(), "and then it is forgotten");
    }
}
