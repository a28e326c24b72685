//! The words in which causes, answers and decisions are stored and shown.

use crate::call::{Cause, Supervision};
use crate::consent::{Answer, Basis, LegalBasis, OverrideCategory};
use crate::media::{Digit, DigitChannel};

/// Why a leg or a call ended.
#[must_use]
pub const fn cause_word(cause: Cause) -> &'static str {
    match cause {
        Cause::HungUp => "hung-up",
        Cause::Cancelled => "cancelled",
        Cause::Busy => "busy",
        Cause::Declined => "declined",
        Cause::NoAnswer => "no-answer",
        Cause::Unreachable => "unreachable",
        Cause::MediaTimeout => "media-timeout",
        Cause::AnsweredElsewhere => "answered-elsewhere",
        Cause::OtherSideGone => "other-side-gone",
        Cause::WaitedTooLong => "waited-too-long",
        Cause::Closed => "closed",
        Cause::RecordingFailed => "recording-failed",
        Cause::Shutdown => "shutdown",
        Cause::Internal => "internal",
    }
}

/// How a supervisor takes part.
#[must_use]
pub const fn supervision_word(mode: Supervision) -> &'static str {
    match mode {
        Supervision::Listen => "listen",
        Supervision::Whisper => "whisper",
        Supervision::Barge => "barge",
    }
}

/// What the caller did when asked.
#[must_use]
pub const fn answer_word(answer: Answer) -> &'static str {
    match answer {
        Answer::Yes(..) => "yes",
        Answer::No(..) => "no",
        Answer::WrongKeys(..) => "wrong-keys",
        Answer::Silence => "silence",
        Answer::HungUp => "hung-up",
    }
}

/// The key that was pressed and how it came, where one was.
#[must_use]
pub const fn answer_key(answer: Answer) -> Option<(Digit, DigitChannel)> {
    match answer {
        Answer::Yes(digit, channel) | Answer::No(digit, channel) | Answer::WrongKeys(digit, channel) => {
            Some((digit, channel))
        }
        Answer::Silence | Answer::HungUp => None,
    }
}

/// How a key came.
#[must_use]
pub const fn channel_word(channel: DigitChannel) -> &'static str {
    match channel {
        DigitChannel::Rfc4733 => "rfc4733",
        DigitChannel::Info => "info",
        DigitChannel::InBand => "in-band",
    }
}

/// An override's category.
#[must_use]
pub const fn category_word(category: OverrideCategory) -> &'static str {
    match category {
        OverrideCategory::Emergency => "emergency",
        OverrideCategory::Legal => "legal",
        OverrideCategory::Business => "business",
    }
}

/// Why a call is recorded or not, in a word to filter by.
#[must_use]
pub const fn basis_word(basis: &Basis) -> &'static str {
    match basis {
        Basis::Never => "never",
        Basis::Legal(LegalBasis::Obligation(_)) => "obligation",
        Basis::Legal(LegalBasis::Contract(_)) => "contract",
        Basis::Agreed(_) => "agreed",
        Basis::AgreedEarlier(_) => "agreed-earlier",
        Basis::Refused(_) => "refused",
        Basis::RefusedEarlier(_) => "refused-earlier",
        Basis::Withdrawn(_) => "withdrawn",
        Basis::Override { .. } => "override",
        Basis::NotStored => "not-stored",
    }
}

/// What belongs to the word of [`basis_word`]: the law, the time, the answer, the agent. An
/// override's written reason is personal and not in it.
#[must_use]
pub fn basis_detail(basis: &Basis) -> Option<String> {
    match basis {
        Basis::Never | Basis::NotStored => None,
        Basis::Legal(LegalBasis::Obligation(name) | LegalBasis::Contract(name)) => Some(name.clone()),
        Basis::Agreed(at) | Basis::AgreedEarlier(at) | Basis::RefusedEarlier(at) | Basis::Withdrawn(at) => {
            Some(at.to_rfc3339())
        }
        Basis::Refused(answer) => Some(answer_word(*answer).to_owned()),
        Basis::Override { agent, reason } => Some(format!("{} by {agent}", category_word(reason.category))),
    }
}
