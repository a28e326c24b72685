//! Three legs that hear one another.

use super::rig::{Pace, Phone, Rig, seats, strength};
use crate::media::{Codec, Direction, Seat, Voice};

const THERE: f64 = 5_000.0;
const ABSENT: f64 = 300.0;
/// What each of the three says.
const TONES: [f64; 3] = [500.0, 1_100.0, 1_900.0];

/// Half a second and a half of tones, each 20 ms; what each phone heard in the second half, as strength of
/// each tone.
fn talk(pace: &Pace, phones: &mut [Phone]) -> Vec<Vec<f64>> {
    let mut heard = vec![Vec::new(); phones.len()];
    for n in 0..60 {
        pace.tick();
        for (phone, tone) in phones.iter_mut().zip(TONES) {
            phone.tone(&[tone]);
        }
        for (phone, heard) in phones.iter_mut().zip(&mut heard) {
            let pcm = phone.listen().1;
            if n >= 25 {
                heard.extend(pcm);
            }
        }
    }
    let strengths = |pcm: &Vec<i16>, phone: &Phone| {
        TONES.iter().map(|tone| strength(pcm, phone.codec.rate(), *tone)).collect()
    };
    heard.iter().zip(phones).map(|(pcm, phone)| strengths(pcm, phone)).collect()
}

#[test]
fn each_hears_the_others_and_not_itself_whatever_the_codecs() {
    for codecs in [[Codec::Pcma, Codec::Pcmu, Codec::Pcma], [Codec::Pcma, Codec::G722, Codec::Opus]] {
        let mut rig = Rig::new();
        let pace = Pace::new(&mut rig);
        let mut phones: Vec<Phone> = (0..3).map(|n| rig.phone(n, codecs[usize::from(n)])).collect();
        rig.call.join(&seats(&[0, 1, 2]));
        rig.barrier(0);
        for (own, heard) in talk(&pace, &mut phones).into_iter().enumerate() {
            for (tone, strength) in heard.into_iter().enumerate() {
                let fits = if tone == own { strength < ABSENT } else { strength > THERE };
                assert!(fits, "{codecs:?}: phone {own}, tone {tone}: {strength}");
            }
        }
    }
}

#[test]
fn legs_come_and_go_and_keys_are_told_but_not_passed_on() {
    let mut rig = Rig::new();
    let pace = Pace::new(&mut rig);
    let mut phones: Vec<Phone> = (0..3).map(|n| rig.phone(n, Codec::Pcma)).collect();
    rig.call.bridge(0, 1);
    rig.barrier(0);
    phones[0].say(1);
    phones[1].hear();
    rig.call.join(&seats(&[0, 1, 2]));
    rig.barrier(0);
    let key = |rig: &mut Rig, phones: &mut [Phone]| {
        rig.heard(2, &mut phones[2], '7');
        for phone in phones.iter() {
            while let Some((header, _)) = phone.next() {
                assert_ne!(header.payload_type, super::rig::DTMF);
            }
        }
    };
    key(&mut rig, &mut phones);
    let heard = talk(&pace, &mut phones);
    assert!(heard[0][1] > THERE && heard[0][2] > THERE && heard[0][0] < ABSENT, "{heard:?}");
    // On hold one hears nothing and is not heard.
    rig.call.configure(2, phones[2].media(Direction::Inactive));
    rig.barrier(0);
    while phones[2].next().is_some() {}
    let heard = talk(&pace, &mut phones);
    assert!(heard[0][1] > THERE && heard[0][2] < ABSENT, "{heard:?}");
    assert!(phones[2].is_silent());
    // Gone: the others go on; as a bridge they are forwarded again.
    rig.close(2);
    let heard = talk(&pace, &mut phones[..2]);
    assert!(heard[0][1] > THERE && heard[1][0] > THERE, "{heard:?}");
    rig.call.join(&seats(&[0, 1]));
    rig.barrier(0);
    phones.iter().for_each(|phone| while phone.next().is_some() {});
    let said = phones[0].say(77);
    assert_eq!(phones[1].hear().1, said);
}

#[test]
fn a_conference_is_recorded_with_the_caller_on_one_channel_and_all_others_on_the_other() {
    let mut rig = Rig::new();
    let pace = Pace::new(&mut rig);
    let mut phones: Vec<Phone> = [Codec::Pcma, Codec::Pcmu, Codec::G722]
        .into_iter()
        .zip(0..)
        .map(|(codec, n)| rig.phone(n, codec))
        .collect();
    rig.call.bridge(0, 1);
    let reel = rig.record(0, 1);
    rig.call.join(&seats(&[0, 1, 2]));
    rig.barrier(0);
    talk(&pace, &mut phones);
    let middle = reel.lock().unwrap().samples.len();
    // The first agent leaves; the caller and the second go on, and so does the recording.
    rig.call.bridge(0, 2);
    rig.barrier(0);
    talk(&pace, &mut phones);
    // The agents among themselves are in no recording.
    rig.call.bridge(1, 2);
    rig.barrier(0);
    let before = reel.lock().unwrap().samples.len();
    talk(&pace, &mut phones);
    rig.call.stop_recording();
    rig.barrier(0);
    let reel = reel.lock().unwrap();
    let strengths = |channel: usize, range: std::ops::Range<usize>| {
        TONES.map(|tone| strength(&reel.channel(channel)[range.clone()], 8_000, tone))
    };
    let caller = strengths(0, middle / 2..middle - 800);
    let others = strengths(1, middle / 2..middle - 800);
    assert!(caller[0] > THERE && caller[1] < ABSENT && caller[2] < ABSENT, "{caller:?}");
    assert!(others[0] < ABSENT && others[1] > THERE && others[2] > THERE, "{others:?}");
    let later = strengths(1, (middle + before) / 2..before - 1_600);
    assert!(later[0] < ABSENT && later[1] < ABSENT && later[2] > THERE, "{later:?}");
    let end = reel.samples.len();
    assert!(end > before + 4_800);
    for channel in 0..2 {
        assert!(reel.channel(channel)[before + 1_600..].iter().all(|sample| *sample == 0));
    }
}

/// Caller 0 and agent 1 talk, supervisor 2 has this voice. What the three heard, and what was recorded.
fn supervised(voice: Voice) -> (Vec<Vec<f64>>, [Vec<f64>; 2]) {
    let mut rig = Rig::new();
    let pace = Pace::new(&mut rig);
    let mut phones: Vec<Phone> = (0..3).map(|n| rig.phone(n, Codec::Pcma)).collect();
    rig.call.bridge(0, 1);
    let reel = rig.record(0, 1);
    let seat = |leg, voice| Seat { leg, voice };
    // First it speaks with them, then it has its place.
    rig.call.join(&[seat(0, Voice::All), seat(1, Voice::All), seat(2, Voice::All)]);
    rig.call.join(&[seat(0, Voice::All), seat(1, Voice::All), seat(2, voice)]);
    rig.barrier(0);
    let heard = talk(&pace, &mut phones);
    rig.call.stop_recording();
    rig.barrier(0);
    let reel = reel.lock().unwrap();
    let taped = [0, 1].map(|channel| {
        let pcm = reel.channel(channel);
        TONES.iter().map(|tone| strength(&pcm[pcm.len() / 2..pcm.len() - 1_600], 8_000, *tone)).collect()
    });
    (heard, taped)
}

/// Which of the three tones are there.
fn there(heard: &[f64]) -> Vec<usize> {
    assert!(heard.iter().all(|strength| *strength < ABSENT || *strength > THERE), "{heard:?}");
    (0..heard.len()).filter(|tone| heard[*tone] > THERE).collect()
}

#[test]
fn a_supervisor_listens_whispers_or_barges_in() {
    for (voice, caller, agent) in [
        (Voice::Nobody, vec![1], vec![0]),
        (Voice::Only(1), vec![1], vec![0, 2]),
        (Voice::Only(77), vec![1], vec![0]),
        (Voice::All, vec![1, 2], vec![0, 2]),
    ] {
        let (heard, taped) = supervised(voice);
        assert_eq!(there(&heard[0]), caller, "{voice:?}: the caller");
        assert_eq!(there(&heard[1]), agent, "{voice:?}: the agent");
        assert_eq!(there(&heard[2]), [0, 1], "{voice:?}: the supervisor");
        assert_eq!(there(&taped[0]), [0], "{voice:?}");
        assert_eq!(there(&taped[1]), caller, "{voice:?}: the recording hears what the caller does");
    }
}

#[test]
fn who_listens_to_one_alone_is_not_heard_by_it() {
    let mut rig = Rig::new();
    let pace = Pace::new(&mut rig);
    let mut phones: Vec<Phone> = (0..2).map(|n| rig.phone(n, Codec::Pcma)).collect();
    rig.call.join(&[Seat { leg: 0, voice: Voice::All }, Seat { leg: 1, voice: Voice::Nobody }]);
    rig.barrier(0);
    let heard = talk(&pace, &mut phones);
    assert_eq!((there(&heard[0]), there(&heard[1])), (vec![], vec![0]));
}

#[test]
fn an_echo_is_what_was_said() {
    let mut rig = Rig::new();
    let pace = Pace::new(&mut rig);
    let mut phones = [rig.phone(0, Codec::G722)];
    rig.call.echo(0);
    rig.barrier(0);
    assert_eq!(there(&talk(&pace, &mut phones)[0]), [0]);
    rig.call.unbridge();
    rig.barrier(0);
    while phones[0].next().is_some() {}
    assert!(there(&talk(&pace, &mut phones)[0]).is_empty());
}
