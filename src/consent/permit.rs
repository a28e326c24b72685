//! The permit: no permit, no key, no audio (domain rule 5).
//!
//! The chain has no other beginning than `consent` itself and no short cut:
//! [`Decision`](super::Decision) (from an answer, a legal basis or an override) → in a unit of work,
//! [`Lodged`](super::Lodged) → with its [`Receipt`], [`Stored`](super::Stored) → [`Grant`] → with id and
//! key, [`RecordingPermit`]. None of them can be cloned or written down by hand:
//!
//! ```
//! use sayso::consent::{DataKey, Grant, RecordingPermit};
//! use sayso::ids::RecordingId;
//!
//! fn allowed(grant: Grant, id: RecordingId, key: DataKey) -> RecordingPermit {
//!     grant.permit(id, key)
//! }
//! ```
//! ```compile_fail
//! use sayso::consent::{Basis, Grant};
//!
//! fn forged(call: sayso::ids::CallId, basis: Basis) -> Grant {
//!     Grant { call, basis }
//! }
//! ```
//! ```compile_fail
//! use sayso::consent::{Basis, Grant};
//!
//! fn short_cut(call: sayso::ids::CallId, basis: Basis) -> Option<Grant> {
//!     Grant::from_stored(call, basis)
//! }
//! ```
//! ```compile_fail
//! use sayso::consent::Grant;
//!
//! fn doubled(grant: &Grant) -> Grant {
//!     Grant::clone(grant)
//! }
//! ```
//! ```compile_fail
//! use sayso::consent::{Basis, DataKey, RecordingPermit};
//!
//! fn forged(id: sayso::ids::RecordingId, call: sayso::ids::CallId, basis: Basis, key: DataKey) -> RecordingPermit {
//!     RecordingPermit { id, call, basis, key }
//! }
//! ```
//! ```compile_fail
//! use sayso::consent::RecordingPermit;
//!
//! fn doubled(permit: &RecordingPermit) -> RecordingPermit {
//!     RecordingPermit::clone(permit)
//! }
//! ```
//! ```compile_fail
//! use sayso::consent::{Basis, Decision};
//!
//! fn forged(call: sayso::ids::CallId, basis: Basis) -> Decision {
//!     Decision { call, basis }
//! }
//! ```

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::ids::{CallId, CommitId, RecordingId};

use super::policy::Basis;

/// Proof that a unit of work is durable. The shell makes it when the store has said so, and nowhere
/// else; a [`Lodged`](super::Lodged) decision becomes a grant only with the receipt of its own unit.
#[derive(Debug, PartialEq, Eq)]
pub struct Receipt(CommitId);

impl Receipt {
    /// For the call driver, after the store's commit returned well.
    #[must_use]
    pub const fn durable(commit: CommitId) -> Self {
        Self(commit)
    }

    /// The unit of work.
    #[must_use]
    pub const fn commit(&self) -> CommitId {
        self.0
    }
}

/// Recording of a call is allowed, and why. Made only inside `consent`, from consent given, a legal
/// basis or an audited override whose decision is durable; becomes one [`RecordingPermit`].
#[derive(Debug)]
pub struct Grant {
    call: CallId,
    basis: Basis,
}

impl Grant {
    /// `None` unless `basis` allows recording. Only a stored decision calls it.
    pub(super) fn from_stored(call: CallId, basis: Basis) -> Option<Self> {
        basis.allows().then_some(Self { call, basis })
    }

    /// The call it is for.
    #[must_use]
    pub const fn call(&self) -> CallId {
        self.call
    }

    /// Why it may be recorded.
    #[must_use]
    pub const fn basis(&self) -> &Basis {
        &self.basis
    }

    /// Joins the grant with an id and a fresh data key drawn by the shell.
    #[must_use]
    pub fn permit(self, id: RecordingId, key: DataKey) -> RecordingPermit {
        RecordingPermit { id, call: self.call, basis: self.basis, key }
    }
}

/// Leave to record one call, with the recording's data key. Neither clonable nor constructible
/// outside `consent`: a recorder cannot be built without one.
#[derive(Debug)]
pub struct RecordingPermit {
    id: RecordingId,
    call: CallId,
    basis: Basis,
    key: DataKey,
}

impl RecordingPermit {
    /// A permit out of thin air, for unit tests of what needs one. Not in any build that ships.
    #[cfg(test)]
    pub(crate) fn for_test(id: RecordingId, key: DataKey) -> Self {
        let basis = Basis::Agreed(crate::time::Timestamp::from_micros(0));
        Self { id, call: CallId::new(ulid::Ulid(1)), basis, key }
    }

    /// The recording's id.
    #[must_use]
    pub fn id(&self) -> RecordingId {
        self.id
    }

    /// The call it is for.
    #[must_use]
    pub fn call(&self) -> CallId {
        self.call
    }

    /// Why it may be recorded.
    #[must_use]
    pub fn basis(&self) -> &Basis {
        &self.basis
    }

    /// The key its audio is sealed with.
    #[must_use]
    pub fn key(&self) -> &DataKey {
        &self.key
    }
}

/// A recording's AES-256 key. Wiped when dropped; never printed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; 32]);

impl DataKey {
    /// From 32 random bytes the shell drew.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for sealing and wrapping.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_printed() {
        let grant = Grant {
            call: CallId::new(ulid::Ulid(1)),
            basis: Basis::Agreed(crate::time::Timestamp::from_micros(0)),
        };
        let permit = grant.permit(RecordingId::new(ulid::Ulid(2)), DataKey::new([0xA5; 32]));
        let shown = format!("{permit:?} {:?}", permit.key());
        assert!(shown.contains("DataKey(…)"));
        assert!(!shown.contains("165") && !shown.to_lowercase().contains("a5"), "{shown}");
    }

    #[test]
    fn only_a_basis_that_allows_becomes_a_grant() {
        let call = CallId::new(ulid::Ulid(1));
        let at = crate::time::Timestamp::from_micros(7);
        for basis in [Basis::Never, Basis::RefusedEarlier(at), Basis::Withdrawn(at), Basis::NotStored] {
            assert!(Grant::from_stored(call, basis.clone()).is_none(), "{basis:?}");
        }
        assert!(Grant::from_stored(call, Basis::AgreedEarlier(at)).is_some());
    }

    /// A receipt is the store's word: of the code that ships, only the composition root passes it on.
    #[test]
    fn receipts_are_written_by_the_server_only() {
        let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        while let Some(folder) = folders.pop() {
            for entry in
                std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path())
            {
                let name =
                    entry.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("inside").display().to_string();
                let allowed = ["src/server", "src/consent/permit.rs", "src/call/tests", "src/call/model"]
                    .iter()
                    .any(|place| name.starts_with(place));
                if entry.is_dir() {
                    folders.push(entry);
                } else if !allowed && let Ok(text) = std::fs::read_to_string(&entry) {
                    assert!(!text.contains("Receipt::durable"), "{name} writes a receipt");
                }
            }
        }
    }
}
