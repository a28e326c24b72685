//! The permit: no permit, no key, no audio (domain rule 5).

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::ids::{CallId, RecordingId};

use super::policy::Basis;

/// Recording of a call is allowed, and why. Made only inside `consent`, from consent given, a legal
/// basis or an audited override whose decision is durable; becomes one [`RecordingPermit`].
#[derive(Debug)]
pub struct Grant {
    call: CallId,
    basis: Basis,
}

impl Grant {
    /// `None` unless `basis` allows recording. Call it only once the decision is stored.
    pub(super) fn from_stored(call: CallId, basis: Basis) -> Option<Self> {
        let allowed = match basis {
            Basis::Legal(_) | Basis::Agreed(_) | Basis::AgreedEarlier(_) | Basis::Override { .. } => true,
            Basis::Never
            | Basis::Refused(_)
            | Basis::RefusedEarlier(_)
            | Basis::Withdrawn(_)
            | Basis::NotStored => false,
        };
        allowed.then_some(Self { call, basis })
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
