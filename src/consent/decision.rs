//! From a queue's policy to a stored decision: what is decided, where it is lodged, and when it counts.

use crate::ids::{AgentId, CallId, CommitId, PhoneNumber};
use crate::settings::Language;
use crate::time::Timestamp;

use super::dialogue::Dialogue;
use super::permit::{Grant, Receipt};
use super::policy::{Answer, Answered, AskRule, Basis, Known, OverrideReason, Policy};

/// All that bears on whether a call may be recorded.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The call.
    pub call: CallId,
    /// The first queue's policy (domain rule 4).
    pub policy: &'a Policy,
    /// The caller's number; `None` when withheld: then nothing stored is used (domain rule 3).
    pub from: Option<&'a PhoneNumber>,
    /// The number's last stored answer.
    pub known: Option<Known>,
    /// The language of the question.
    pub language: &'a Language,
    /// SHA-256 (hex) of the question.
    pub question_sha256: &'a str,
}

/// How a case begins: decided at once, or by asking.
#[derive(Debug)]
pub enum Opening {
    /// Nothing to ask.
    Decided(Decision),
    /// The caller is asked.
    Ask(Dialogue),
}

impl Opening {
    /// Applies the policy and its ask rule.
    #[must_use]
    pub fn of(case: Case<'_>, now: Timestamp) -> Self {
        let script = match case.policy {
            Policy::Never => return Self::Decided(Decision { call: case.call, basis: Basis::Never }),
            Policy::Always(legal) => {
                return Self::Decided(Decision { call: case.call, basis: Basis::Legal(legal.clone()) });
            }
            Policy::Consent(script) => script,
        };
        let usable = case.known.filter(|known| {
            case.from.is_some()
                && match script.ask {
                    AskRule::EveryCall => false,
                    AskRule::WhenUnknown => true,
                    AskRule::OlderThan(age) => now.since(known.at) <= age,
                }
        });
        match usable {
            Some(Known { agreed: true, at }) => {
                Self::Decided(Decision { call: case.call, basis: Basis::AgreedEarlier(at) })
            }
            Some(Known { agreed: false, at }) => {
                Self::Decided(Decision { call: case.call, basis: Basis::RefusedEarlier(at) })
            }
            None => Self::Ask(Dialogue::new(&case, script.clone())),
        }
    }

    /// The decision for a caller who left before the question was begun. Hanging up means no (domain
    /// rule 2), but since nothing was asked there is no answer to store.
    pub fn left(self) -> Decision {
        match self {
            Self::Decided(decision) => decision,
            Self::Ask(dialogue) => Decision { call: dialogue.call(), basis: Basis::Refused(Answer::HungUp) },
        }
    }
}

/// Why an override is not made (domain rule 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideRefused {
    /// The first queue's settings.
    #[error("this queue does not allow overrides: set override_allowed on the call's first queue")]
    NotAllowed,
    /// A reason must be written.
    #[error("an override needs a written reason: the text is empty")]
    NoReason,
    /// There is nothing to override.
    #[error("the call may be recorded already: nothing to override")]
    NotNeeded,
    /// Whether the call may be recorded is still open.
    #[error("the caller has not been asked yet: an override needs a decision to override")]
    Undecided,
}

/// Whether a call may be recorded, decided but not yet stored. Only `consent` makes one.
#[derive(Debug)]
#[must_use]
pub struct Decision {
    call: CallId,
    basis: Basis,
}

impl Decision {
    /// What an answer means.
    pub(super) fn answered(call: CallId, answered: &Answered) -> Self {
        let basis = if answered.answer.agreed() {
            Basis::Agreed(answered.at)
        } else {
            Basis::Refused(answered.answer)
        };
        Self { call, basis }
    }

    /// Whether an override of `standing` would be made, given a reason.
    ///
    /// # Errors
    /// See [`OverrideRefused`].
    pub fn may_override(standing: &Standing, allowed: bool) -> Result<(), OverrideRefused> {
        let basis = standing.basis().ok_or(OverrideRefused::Undecided)?;
        match (basis.allows(), allowed) {
            (true, _) => Err(OverrideRefused::NotNeeded),
            (false, false) => Err(OverrideRefused::NotAllowed),
            (false, true) => Ok(()),
        }
    }

    /// An agent records against `standing`, where the first queue allows it.
    ///
    /// # Errors
    /// See [`OverrideRefused`]; the call goes on unrecorded.
    pub fn overriding(
        call: CallId,
        standing: &Standing,
        allowed: bool,
        agent: AgentId,
        reason: OverrideReason,
    ) -> Result<Self, OverrideRefused> {
        Self::may_override(standing, allowed)?;
        if reason.text.0.trim().is_empty() {
            return Err(OverrideRefused::NoReason);
        }
        Ok(Self { call, basis: Basis::Override { agent, reason } })
    }

    /// The caller takes the consent back. `None` where there is none to take back: a legal basis and an
    /// override do not rest on it.
    #[must_use]
    pub fn withdrawn(call: CallId, standing: &Standing, at: Timestamp) -> Option<Self> {
        let basis = standing.basis()?;
        basis.is_consent().then_some(Self { call, basis: Basis::Withdrawn(at) })
    }

    /// What was decided, and why.
    #[must_use]
    pub const fn basis(&self) -> &Basis {
        &self.basis
    }

    /// Puts it into a unit of work.
    pub const fn lodge(self, commit: CommitId) -> Lodged {
        Lodged { decision: self, commit }
    }
}

/// A decision on its way to the store. Until the receipt comes it allows nothing.
#[derive(Debug)]
#[must_use]
pub struct Lodged {
    decision: Decision,
    commit: CommitId,
}

impl Lodged {
    /// The unit of work it is in.
    #[must_use]
    pub const fn commit(&self) -> CommitId {
        self.commit
    }

    /// What was decided.
    #[must_use]
    pub const fn basis(&self) -> &Basis {
        &self.decision.basis
    }

    /// It is durable.
    ///
    /// # Errors
    /// Gives itself back when the receipt is of another unit of work.
    pub fn stored(self, receipt: &Receipt) -> Result<Stored, Self> {
        if receipt.commit() == self.commit { Ok(Stored(self.decision)) } else { Err(self) }
    }

    /// It could not be stored: what it would have allowed is not allowed ([`Basis::NotStored`]); a no
    /// stays the no it was.
    pub fn failed(self) -> Stored {
        let Decision { call, basis } = self.decision;
        let basis = if basis.allows() { Basis::NotStored } else { basis };
        Stored(Decision { call, basis })
    }
}

/// A durable decision. The only source of grants: one for each conversation.
#[derive(Debug)]
pub struct Stored(Decision);

impl Stored {
    /// What was decided.
    #[must_use]
    pub const fn basis(&self) -> &Basis {
        &self.0.basis
    }

    /// Leave to record one conversation; `None` if the decision was no.
    #[must_use]
    pub fn grant(&self) -> Option<Grant> {
        Grant::from_stored(self.0.call, self.0.basis.clone())
    }
}

/// How a call stands with consent. It follows the call for its life (domain rule 4).
#[derive(Debug)]
pub enum Standing {
    /// Not decided yet.
    Open,
    /// Decided, not yet durable.
    Lodged(Lodged),
    /// Decided and durable.
    Stored(Stored),
}

impl Standing {
    /// What was decided; `None` while it is open.
    #[must_use]
    pub const fn basis(&self) -> Option<&Basis> {
        match self {
            Self::Open => None,
            Self::Lodged(lodged) => Some(lodged.basis()),
            Self::Stored(stored) => Some(stored.basis()),
        }
    }

    /// Whether a yes is still on its way to the store.
    #[must_use]
    pub const fn awaits_store(&self) -> bool {
        match self {
            Self::Open | Self::Stored(_) => false,
            Self::Lodged(lodged) => lodged.basis().allows(),
        }
    }

    /// A unit of work is durable. Tells whether it was this decision's.
    pub fn committed(&mut self, receipt: &Receipt) -> bool {
        match std::mem::replace(self, Self::Open) {
            Self::Lodged(lodged) => match lodged.stored(receipt) {
                Ok(stored) => {
                    *self = Self::Stored(stored);
                    true
                }
                Err(lodged) => {
                    *self = Self::Lodged(lodged);
                    false
                }
            },
            other @ (Self::Open | Self::Stored(_)) => {
                *self = other;
                false
            }
        }
    }

    /// A unit of work could not be stored. Tells whether it was this decision's.
    pub fn commit_failed(&mut self, commit: CommitId) -> bool {
        match std::mem::replace(self, Self::Open) {
            Self::Lodged(lodged) if lodged.commit() == commit => {
                *self = Self::Stored(lodged.failed());
                true
            }
            other @ (Self::Open | Self::Lodged(_) | Self::Stored(_)) => {
                *self = other;
                false
            }
        }
    }

    /// Leave to record one conversation: only from a stored yes.
    #[must_use]
    pub fn grant(&self) -> Option<Grant> {
        match self {
            Self::Open | Self::Lodged(_) => None,
            Self::Stored(stored) => stored.grant(),
        }
    }
}
