//! The User-to-User header (RFC 7433) on calls we make: the next system learns which call of ours it is
//! and whether it may be recorded. In the form of RFC 7434: hexadecimal, the first octet 04 (IA5 text).
//!
//! The text is `sayso;call=ID;recording=STATE;consent=WORD`: the call's id; `on`, `off` or `paused`; and
//! why, in the word of `sayso calls list` (`agreed`, `refused`, `obligation`, `never`, …, or `undecided`).
//! It names nobody.

use std::fmt::Write as _;

use crate::audit::basis_word;
use crate::call::RecordingState;
use crate::ids::CallId;
use crate::sip::core::sdp::RecordState;

/// Protocol discriminator: IA5 characters (RFC 7434 §6, ITU-T Q.931 table 4-26).
const IA5: u8 = 0x04;

/// The header's value.
pub(super) fn value(call: CallId, recording: RecordingState<'_>) -> String {
    let state = match record_state(recording) {
        RecordState::On => "on",
        RecordState::Off => "off",
        RecordState::Paused => "paused",
    };
    let basis = match recording {
        RecordingState::Off(basis) => basis,
        RecordingState::Armed(basis)
        | RecordingState::Recording(basis)
        | RecordingState::Paused(basis)
        | RecordingState::Failed(basis) => Some(basis),
    };
    let text =
        format!("sayso;call={call};recording={state};consent={}", basis.map_or("undecided", basis_word));
    let mut value = format!("{IA5:02x}");
    for octet in text.bytes() {
        let _infallible = write!(value, "{octet:02x}");
    }
    value + ";encoding=hex;purpose=isdn-uui;content=isdn-uui"
}

/// How the recording stands, in the words of `a=record` (RFC 7866 §7.1).
pub(super) const fn record_state(recording: RecordingState<'_>) -> RecordState {
    match recording {
        RecordingState::Recording(_) => RecordState::On,
        RecordingState::Paused(_) => RecordState::Paused,
        RecordingState::Off(_) | RecordingState::Armed(_) | RecordingState::Failed(_) => RecordState::Off,
    }
}

#[cfg(test)]
mod tests {
    use ulid::Ulid;

    use super::*;
    use crate::consent::Basis;
    use crate::time::Timestamp;

    #[test]
    fn it_reads_as_documented_and_is_short_enough() {
        let call = CallId::new(Ulid(u128::MAX));
        let text = |state| {
            let value = value(call, state);
            let (hex, rest) = value.split_once(';').expect("parameters");
            assert_eq!(rest, "encoding=hex;purpose=isdn-uui;content=isdn-uui");
            let octets = hex::decode(hex).expect("hex");
            assert!(octets.len() <= 129 && octets[0] == 4, "RFC 7434: 128 octets after the discriminator");
            String::from_utf8(octets[1..].to_vec()).expect("IA5")
        };
        let agreed = Basis::Agreed(Timestamp::from_micros(0));
        assert_eq!(
            text(RecordingState::Off(None)),
            format!("sayso;call={call};recording=off;consent=undecided")
        );
        let on = text(RecordingState::Recording(&agreed));
        assert_eq!(on, format!("sayso;call={call};recording=on;consent=agreed"));
        let earlier = Basis::RefusedEarlier(Timestamp::from_micros(0));
        assert!(
            text(RecordingState::Paused(&earlier)).ends_with(";recording=paused;consent=refused-earlier")
        );
    }
}
