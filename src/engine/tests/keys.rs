//! Keys in the audio.

use super::rig::{Pace, Rig};
use crate::engine::MediaEvent;
use crate::media::{Codec, Digit, DigitChannel, Direction, LegMedia};

/// The two tones of a key (ITU-T Q.23).
fn tones(key: char) -> [f64; 2] {
    let at = "123A456B789C*0#D".find(key).unwrap();
    [[697.0, 770.0, 852.0, 941.0][at / 4], [1_209.0, 1_336.0, 1_477.0, 1_633.0][at % 4]]
}

#[test]
fn tones_are_heard_on_every_codec_once_a_press() {
    for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus] {
        let mut rig = Rig::new();
        let mut phone = rig.phone(0, codec);
        let media = LegMedia { in_band_digits: true, ..phone.media(Direction::SendRecv) };
        rig.call.configure(0, media);
        rig.barrier(0);
        let keys = "1590*#";
        for key in keys.chars() {
            (0..5).for_each(|_| phone.tone(&tones(key)));
            (0..5).for_each(|_| phone.tone(&[]));
        }
        for key in keys.chars() {
            let digit = Digit::try_from(key).unwrap();
            assert_eq!(
                rig.event(),
                MediaEvent::Digit { leg: 0, digit, channel: DigitChannel::InBand },
                "{codec:?} {key}"
            );
        }
        assert_eq!(rig.close(0).digits, 6);
    }
}

#[test]
fn a_key_that_comes_as_tone_and_as_event_is_told_once() {
    let mut rig = Rig::new();
    let pace = Pace::new(&mut rig);
    let mut phone = rig.phone(0, Codec::Pcma);
    rig.call.configure(0, LegMedia { in_band_digits: true, ..phone.media(Direction::SendRecv) });
    rig.barrier(0);
    // As a gateway does that lets the tone through beside the event.
    for n in 0..6 {
        pace.tick();
        phone.tone(&tones('5'));
        if n == 1 {
            phone.key('5');
        }
    }
    let event = rig.event();
    let MediaEvent::Digit { digit, .. } = event else { panic!("{event:?}") };
    assert_eq!(digit, Digit::try_from('5').unwrap());
    rig.close(0);
}

#[test]
fn without_being_asked_nobody_listens_for_tones() {
    let mut rig = Rig::new();
    let mut phone = rig.phone(0, Codec::Pcma);
    (0..10).for_each(|_| phone.tone(&tones('5')));
    rig.heard(0, &mut phone, '1');
    assert!(rig.no_event());
}
