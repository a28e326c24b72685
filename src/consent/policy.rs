//! A queue's recording policy and what a caller's answer means.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{AgentId, Redacted};
use crate::media::{Digit, DigitChannel};
use crate::settings::Language;
use crate::time::Timestamp;

/// Whether calls of a queue are recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// Never.
    Never,
    /// Always, on this legal basis; the caller is not asked.
    Always(LegalBasis),
    /// When the caller agrees.
    Consent(Script),
}

/// Why recording needs no consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LegalBasis {
    /// A legal obligation, and which one.
    Obligation(String),
    /// Needed for a contract, and which one.
    Contract(String),
}

/// How the consent question is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The key for yes.
    pub yes: Digit,
    /// The key for no.
    pub no: Digit,
    /// How often the question is asked before wrong keys or silence mean no; at least 1.
    pub attempts: u8,
    /// How long to wait for a key after the question's end.
    pub timeout: Duration,
    /// Whether a key cuts the question short.
    pub barge_in: bool,
    /// When a stored answer is used instead of asking.
    pub ask: AskRule,
}

impl Default for Script {
    /// 1 is yes, 2 is no; asked twice, in every call.
    fn default() -> Self {
        let key = |key| Digit::try_from(key).expect("a key of the telephone");
        Self {
            yes: key('1'),
            no: key('2'),
            attempts: 2,
            timeout: Duration::from_secs(5),
            barge_in: true,
            ask: AskRule::EveryCall,
        }
    }
}

/// When the caller is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AskRule {
    /// In every call.
    EveryCall,
    /// Only when no answer of this number is stored.
    WhenUnknown,
    /// Only when no answer is stored, or it is older than this.
    OlderThan(Duration),
}

/// A stored answer of the caller's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Yes or no.
    pub agreed: bool,
    /// When it was given.
    pub at: Timestamp,
}

/// An answer to the consent question, with its circumstances (domain rule 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// What it was.
    pub answer: Answer,
    /// When.
    pub at: Timestamp,
    /// SHA-256 (hex) of the question as it was played.
    pub question_sha256: String,
    /// Its language.
    pub language: Language,
}

/// What the caller did when asked. Everything but a yes is a no (domain rule 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Pressed the key for yes.
    Yes(Digit, DigitChannel),
    /// Pressed the key for no.
    No(Digit, DigitChannel),
    /// Pressed only wrong keys; the last of them.
    WrongKeys(Digit, DigitChannel),
    /// Pressed nothing.
    Silence,
    /// Hung up while being asked.
    HungUp,
}

impl Answer {
    /// Only a pressed yes is a yes.
    #[must_use]
    pub const fn agreed(self) -> bool {
        matches!(self, Self::Yes(..))
    }
}

/// Why a call is recorded or not: what an agent's lamp says and what the audit log keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The queue never records.
    Never,
    /// A legal basis.
    Legal(LegalBasis),
    /// The caller agreed in this call.
    Agreed(Timestamp),
    /// The caller agreed in an earlier call.
    AgreedEarlier(Timestamp),
    /// The caller refused in this call, by key, wrong keys, silence or hanging up.
    Refused(Answer),
    /// The caller refused in an earlier call.
    RefusedEarlier(Timestamp),
    /// The caller took the consent back.
    Withdrawn(Timestamp),
    /// An agent's override.
    Override {
        /// Whose.
        agent: AgentId,
        /// Why.
        reason: OverrideReason,
    },
    /// The decision could not be stored, so nothing may be recorded.
    NotStored,
}

impl Basis {
    /// Whether it allows recording.
    #[must_use]
    pub const fn allows(&self) -> bool {
        match self {
            Self::Legal(_) | Self::Agreed(_) | Self::AgreedEarlier(_) | Self::Override { .. } => true,
            Self::Never
            | Self::Refused(_)
            | Self::RefusedEarlier(_)
            | Self::Withdrawn(_)
            | Self::NotStored => false,
        }
    }

    /// Whether it rests on the caller's consent, which can be taken back.
    #[must_use]
    pub const fn is_consent(&self) -> bool {
        match self {
            Self::Agreed(_) | Self::AgreedEarlier(_) => true,
            Self::Legal(_)
            | Self::Override { .. }
            | Self::Never
            | Self::Refused(_)
            | Self::RefusedEarlier(_)
            | Self::Withdrawn(_)
            | Self::NotStored => false,
        }
    }
}

/// Why an agent records without consent (domain rule 6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideReason {
    /// The category.
    pub category: OverrideCategory,
    /// The written reason; not empty. It may name people.
    pub text: Redacted<String>,
}

/// The categories an override can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OverrideCategory {
    /// Danger to life or property.
    Emergency,
    /// A legal need.
    Legal,
    /// A business need.
    Business,
}
