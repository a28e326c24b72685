//! Every call is recorded, lawfully not recorded, or failed.

use crate::ids::CallId;

use super::State;

/// A call as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenCall {
    /// Which.
    pub id: CallId,
    /// Whether it has ended.
    pub ended: bool,
    /// Whether the caller ever spoke with anybody.
    pub connected: bool,
    /// What was decided, in a word ([`crate::audit::basis_word`]); `None`: nothing was.
    pub basis: Option<String>,
    /// What belongs to that word: of a refusal, the answer.
    pub detail: Option<String>,
    /// Whether it was told that its recording failed.
    pub told_failed: bool,
    /// Its recordings: the state of each, and whether it was salvaged.
    pub recordings: Vec<(State, bool)>,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What was allowed was captured, and is there (or its loss is a finding of its own).
    Recorded,
    /// There is no recording, and there is to be none.
    NotRecorded(LawfulReason),
    /// There should be a recording, and it is not whole or not there.
    Failed(Failure),
    /// It goes on.
    Open,
}

macro_rules! words {
    ($(#[$head:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$head])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// As it is stored and shown.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

words! {
    /// Why a call is lawfully not recorded.
    LawfulReason {
        /// Nobody spoke with the caller.
        NeverConnected = "never-connected",
        /// The queue's policy.
        Never = "never",
        /// The caller said no.
        Refused = "refused",
        /// The caller said no in an earlier call.
        RefusedEarlier = "refused-earlier",
        /// The caller did not answer.
        Silent = "silent",
        /// The caller pressed other keys.
        WrongKeys = "wrong-keys",
        /// The caller hung up when asked.
        HungUp = "hung-up",
        /// The caller took the consent back.
        Withdrawn = "withdrawn",
        /// A recording was made ready, and the conversation never began.
        Discarded = "discarded",
        /// It was recorded, and has been destroyed since.
        Destroyed = "destroyed",
    }
}

words! {
    /// How a call failed.
    Failure {
        /// It was connected, and whether it may be recorded was never stored.
        Undecided = "undecided",
        /// The yes could not be stored, so it was not used.
        NotStored = "not-stored",
        /// It might have been recorded, and no recording was made.
        NoRecording = "no-recording",
        /// A recording broke.
        Broken = "broken",
        /// A decision this program does not know.
        UnknownBasis = "unknown-basis",
    }
}

/// Judges one call.
#[must_use]
pub fn judge_call(call: &SeenCall) -> Verdict {
    if !call.ended {
        return Verdict::Open;
    }
    let has = |wanted: &[State]| call.recordings.iter().any(|(state, _)| wanted.contains(state));
    if has(&[State::Failed]) {
        return Verdict::Failed(Failure::Broken);
    }
    let destroyed = has(&[State::Destroyed, State::Removed]);
    let salvaged = call.recordings.iter().any(|(_, salvaged)| *salvaged);
    // A take that could not even be written as a row leaves this trace alone. What was salvaged or destroyed
    // later had failed too, and is not missed any more.
    if call.told_failed && !salvaged && !destroyed {
        return Verdict::Failed(Failure::Broken);
    }
    if has(&[State::Armed, State::Recording, State::Finished, State::Stored]) {
        return Verdict::Recorded;
    }
    let basis = match call.basis.as_deref() {
        Some(word) => Leave::of(word, call.detail.as_deref()),
        None => Leave::Failed(Failure::Undecided),
    };
    match basis {
        Leave::No(LawfulReason::Withdrawn) => Verdict::NotRecorded(LawfulReason::Withdrawn),
        _ if destroyed => Verdict::NotRecorded(LawfulReason::Destroyed),
        Leave::No(why) => Verdict::NotRecorded(why),
        _ if !call.connected => Verdict::NotRecorded(LawfulReason::NeverConnected),
        Leave::Failed(how) => Verdict::Failed(how),
        Leave::Yes if has(&[State::Discarded]) => Verdict::NotRecorded(LawfulReason::Discarded),
        Leave::Yes => Verdict::Failed(Failure::NoRecording),
    }
}

/// What a decision's words mean here.
enum Leave {
    Yes,
    No(LawfulReason),
    Failed(Failure),
}

impl Leave {
    fn of(word: &str, detail: Option<&str>) -> Self {
        match word {
            "never" => Self::No(LawfulReason::Never),
            "refused" => Self::No(match detail {
                Some("silence") => LawfulReason::Silent,
                Some("wrong-keys") => LawfulReason::WrongKeys,
                Some("hung-up") => LawfulReason::HungUp,
                Some(_) | None => LawfulReason::Refused,
            }),
            "refused-earlier" => Self::No(LawfulReason::RefusedEarlier),
            "withdrawn" => Self::No(LawfulReason::Withdrawn),
            "not-stored" => Self::Failed(Failure::NotStored),
            "obligation" | "contract" | "agreed" | "agreed-earlier" | "override" => Self::Yes,
            _ => Self::Failed(Failure::UnknownBasis),
        }
    }
}

#[cfg(test)]
mod tests {
    use ulid::Ulid;

    use super::*;
    use crate::audit::{answer_word, basis_word};
    use crate::consent::{Answer, Basis, LegalBasis};
    use crate::media::{Digit, DigitChannel};
    use crate::time::Timestamp;

    fn call(basis: Option<&str>, detail: Option<&str>, recordings: &[State]) -> SeenCall {
        SeenCall {
            id: CallId::new(Ulid(1)),
            ended: true,
            connected: true,
            basis: basis.map(str::to_owned),
            detail: detail.map(str::to_owned),
            told_failed: false,
            recordings: recordings.iter().map(|state| (*state, false)).collect(),
        }
    }

    #[test]
    fn each_end_has_its_verdict() {
        use State::{Armed, Destroyed, Discarded, Failed, Finished, Recording, Removed, Stored};
        let lawful = Verdict::NotRecorded;
        let cases = [
            (Some("agreed"), None, vec![Stored], Verdict::Recorded),
            (Some("obligation"), None, vec![Finished], Verdict::Recorded),
            (Some("override"), None, vec![Discarded, Recording], Verdict::Recorded),
            (Some("agreed"), None, vec![Armed], Verdict::Recorded),
            (Some("agreed"), None, vec![], Verdict::Failed(Failure::NoRecording)),
            (Some("agreed"), None, vec![Stored, Failed], Verdict::Failed(Failure::Broken)),
            (Some("agreed-earlier"), None, vec![Discarded], lawful(LawfulReason::Discarded)),
            (Some("contract"), None, vec![Removed], lawful(LawfulReason::Destroyed)),
            (Some("withdrawn"), None, vec![Destroyed], lawful(LawfulReason::Withdrawn)),
            (Some("withdrawn"), None, vec![], lawful(LawfulReason::Withdrawn)),
            (Some("withdrawn"), None, vec![Stored], Verdict::Recorded),
            (Some("never"), None, vec![], lawful(LawfulReason::Never)),
            (Some("refused"), Some("no"), vec![], lawful(LawfulReason::Refused)),
            (Some("refused"), Some("silence"), vec![], lawful(LawfulReason::Silent)),
            (Some("refused"), Some("wrong-keys"), vec![], lawful(LawfulReason::WrongKeys)),
            (Some("refused"), Some("hung-up"), vec![], lawful(LawfulReason::HungUp)),
            (Some("refused-earlier"), None, vec![], lawful(LawfulReason::RefusedEarlier)),
            (Some("not-stored"), None, vec![], Verdict::Failed(Failure::NotStored)),
            (Some("news"), None, vec![], Verdict::Failed(Failure::UnknownBasis)),
            (None, None, vec![], Verdict::Failed(Failure::Undecided)),
        ];
        for (basis, detail, recordings, verdict) in cases {
            let call = call(basis, detail, &recordings);
            assert_eq!(judge_call(&call), verdict, "{call:?}");
        }
    }

    #[test]
    fn who_was_never_connected_is_missed_by_nobody() {
        for basis in [None, Some("agreed"), Some("not-stored")] {
            let call = SeenCall { connected: false, ..call(basis, None, &[]) };
            assert_eq!(judge_call(&call), Verdict::NotRecorded(LawfulReason::NeverConnected));
        }
        let open = SeenCall { ended: false, ..call(None, None, &[]) };
        assert_eq!(judge_call(&open), Verdict::Open);
    }

    #[test]
    fn a_take_without_a_row_is_a_failure_unless_it_was_salvaged() {
        let told = SeenCall { told_failed: true, ..call(Some("agreed"), None, &[State::Stored]) };
        assert_eq!(judge_call(&told), Verdict::Failed(Failure::Broken));
        let salvaged = SeenCall { recordings: vec![(State::Stored, true)], ..told };
        assert_eq!(judge_call(&salvaged), Verdict::Recorded);
    }

    #[test]
    fn every_word_of_a_decision_is_known() {
        let at = Timestamp::from_micros(0);
        let key = (Digit::from_event(1).unwrap(), DigitChannel::Info);
        let answers =
            [Answer::No(key.0, key.1), Answer::WrongKeys(key.0, key.1), Answer::Silence, Answer::HungUp];
        let mut bases = vec![
            Basis::Never,
            Basis::Legal(LegalBasis::Obligation(String::new())),
            Basis::Legal(LegalBasis::Contract(String::new())),
            Basis::Agreed(at),
            Basis::AgreedEarlier(at),
            Basis::RefusedEarlier(at),
            Basis::Withdrawn(at),
            Basis::NotStored,
        ];
        bases.extend(answers.map(Basis::Refused));
        for basis in bases {
            let detail = match &basis {
                Basis::Refused(answer) => Some(answer_word(*answer)),
                Basis::Never
                | Basis::Legal(_)
                | Basis::Agreed(_)
                | Basis::AgreedEarlier(_)
                | Basis::RefusedEarlier(_)
                | Basis::Withdrawn(_)
                | Basis::Override { .. }
                | Basis::NotStored => None,
            };
            let verdict = judge_call(&call(Some(basis_word(&basis)), detail, &[]));
            assert_ne!(verdict, Verdict::Failed(Failure::UnknownBasis), "{basis:?}");
            let refused = matches!(verdict, Verdict::NotRecorded(_));
            assert_eq!(refused, !basis.allows() && basis != Basis::NotStored, "{basis:?}");
        }
    }
}
