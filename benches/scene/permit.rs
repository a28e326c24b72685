//! A permit to record, by the only way there is: a decision, its unit of work, the receipt.

use sayso::consent::{Case, DataKey, LegalBasis, Opening, Policy, Receipt, RecordingPermit};
use sayso::ids::{CallId, CommitId, RecordingId};
use sayso::settings::Language;
use ulid::Ulid;

use super::START;

/// The permit for recording `n`.
pub(crate) fn permit(n: u64) -> RecordingPermit {
    let policy = Policy::Always(LegalBasis::Obligation("MiFID II".to_owned()));
    let (call, language) = (CallId::new(Ulid(u128::from(n) + 1)), Language("en".to_owned()));
    let case =
        Case { call, policy: &policy, from: None, known: None, language: &language, question_sha256: "" };
    let Opening::Decided(decision) = Opening::of(case, START) else {
        unreachable!("a legal basis asks nobody");
    };
    let commit = CommitId(1);
    let stored = decision.lodge(commit).stored(&Receipt::durable(commit)).expect("its own receipt");
    let grant = stored.grant().expect("a legal basis allows");
    let mut key = [0x5a; 32];
    key[..8].copy_from_slice(&n.to_be_bytes());
    let id = Ulid::from_parts(START.as_micros().unsigned_abs() / 1_000, u128::from(n));
    grant.permit(RecordingId::new(id), DataKey::new(key))
}
