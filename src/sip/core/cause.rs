//! The one table between SIP statuses and the causes the rest of the server speaks of.

use crate::call::Cause;

/// What a final refusal of our INVITE means (RFC 3261 §21).
pub(crate) const fn of_status(status: u16) -> Cause {
    match status {
        486 | 600 => Cause::Busy,
        603 | 607 | 608 => Cause::Declined,
        408 | 480 => Cause::NoAnswer,
        487 => Cause::Cancelled,
        0..=u16::MAX => Cause::Unreachable,
    }
}

/// The final response that gives up an INVITE from outside for this cause.
pub(crate) const fn to_status(cause: Cause) -> u16 {
    match cause {
        Cause::Busy => 486,
        Cause::Declined | Cause::HungUp => 603,
        Cause::Cancelled => 487,
        Cause::NoAnswer
        | Cause::MediaTimeout
        | Cause::AnsweredElsewhere
        | Cause::OtherSideGone
        | Cause::WaitedTooLong
        | Cause::Closed => 480,
        Cause::Unreachable | Cause::RecordingFailed | Cause::Shutdown => 503,
        Cause::Internal => 500,
    }
}

/// The Reason header of a BYE or CANCEL (RFC 3326), so that a phone does not show a missed call
/// and a carrier's statistics stay true; Q.850 codes where one fits.
pub(super) const fn reason(cause: Cause) -> &'static str {
    match cause {
        Cause::HungUp | Cause::OtherSideGone => "Q.850;cause=16;text=\"Normal call clearing\"",
        Cause::Cancelled => "SIP;cause=487;text=\"Request terminated\"",
        Cause::Busy => "Q.850;cause=17;text=\"User busy\"",
        Cause::Declined => "Q.850;cause=21;text=\"Call rejected\"",
        Cause::NoAnswer => "Q.850;cause=19;text=\"No answer\"",
        Cause::Unreachable => "Q.850;cause=41;text=\"Temporary failure\"",
        Cause::MediaTimeout => "SIP;cause=500;text=\"Media time-out\"",
        Cause::AnsweredElsewhere => "SIP;cause=200;text=\"Call completed elsewhere\"",
        Cause::WaitedTooLong => "Q.850;cause=31;text=\"Waited too long\"",
        Cause::Closed => "Q.850;cause=31;text=\"Closed\"",
        Cause::RecordingFailed => "SIP;cause=500;text=\"Recording failed\"",
        Cause::Shutdown => "SIP;cause=503;text=\"Shutting down\"",
        Cause::Internal => "SIP;cause=500;text=\"Internal error\"",
    }
}

/// Which of two refusals tells more about why nobody answered: the first that a person gave, then
/// silence, then failures (after RFC 3261 §16.7 step 6).
pub(super) const fn weight(cause: Cause) -> u8 {
    match cause {
        Cause::Declined => 4,
        Cause::Busy => 3,
        Cause::NoAnswer => 2,
        Cause::Cancelled => 1,
        Cause::HungUp
        | Cause::Unreachable
        | Cause::MediaTimeout
        | Cause::AnsweredElsewhere
        | Cause::OtherSideGone
        | Cause::WaitedTooLong
        | Cause::Closed
        | Cause::RecordingFailed
        | Cause::Shutdown
        | Cause::Internal => 0,
    }
}
