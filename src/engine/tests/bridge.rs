//! Two legs connected: forwarding, transcoding, hold, change of sender, prompts amid, recording.

use super::rig::{DTMF, Phone, Rig, sound};
use crate::call::PlayId;
use crate::engine::MediaEvent;
use crate::media::g711::{ALAW_TO_PCM, ALAW_TO_ULAW, ULAW_TO_ALAW, ULAW_TO_PCM};
use crate::media::rtp::{Header, sequence_distance, timestamp_distance};
use crate::media::{Codec, Digit, DigitChannel, Direction};

#[test]
fn the_same_codec_passes_octet_by_octet_and_its_gaps_stay() {
    let mut rig = Rig::new();
    let (mut caller, mut agent) = rig.bridged(Codec::Pcma, Codec::Pcma);
    let mut heard: Vec<Header> = Vec::new();
    for n in 0..20 {
        if n == 7 {
            caller.header.sequence += 3;
            caller.header.timestamp += 480;
        }
        let said = caller.say(n);
        let (header, payload) = agent.hear();
        assert_eq!(payload, said);
        heard.push(header);
        let said = agent.say(n + 100);
        assert_eq!(caller.hear().1, said);
    }
    for (n, pair) in heard.windows(2).enumerate() {
        let step = if n == 6 { 4 } else { 1 };
        assert_eq!(sequence_distance(pair[0].sequence, pair[1].sequence), step, "after {n}");
        assert_eq!(timestamp_distance(pair[0].timestamp, pair[1].timestamp), i32::from(step) * 160);
    }
    assert!(heard[0].marker && !heard[1].marker);
    assert_ne!(heard[0].ssrc, caller.header.ssrc, "the stream is our own");
    assert_eq!(rig.close(0).lost, 3);
}

#[test]
fn alaw_and_ulaw_are_translated_both_ways() {
    let mut rig = Rig::new();
    let (mut caller, mut agent) = rig.bridged(Codec::Pcma, Codec::Pcmu);
    let map = |octets: Vec<u8>, table: &[u8; 256]| {
        octets.iter().map(|o| table[usize::from(*o)]).collect::<Vec<_>>()
    };
    let said = caller.say(11);
    let (header, payload) = agent.hear();
    assert_eq!((header.payload_type, payload), (0, map(said, &ALAW_TO_ULAW)));
    let said = agent.say(77);
    let (header, payload) = caller.hear();
    assert_eq!((header.payload_type, payload), (8, map(said, &ULAW_TO_ALAW)));
}

#[test]
fn keys_reach_the_peer_by_its_own_payload_type() {
    let mut rig = Rig::new();
    let (mut caller, agent) = rig.bridged(Codec::Pcma, Codec::Pcma);
    let mut media = agent.media(Direction::SendRecv);
    media.dtmf = Some(crate::media::Events { send: 96, receive: 96, clock: 8_000 });
    rig.call.configure(1, media.clone());
    rig.barrier(0);
    caller.say(0);
    let before = agent.hear().0;
    caller.key('4');
    let events: Vec<_> = (0..3).map(|_| agent.hear()).collect();
    for (n, (header, payload)) in events.iter().enumerate() {
        assert_eq!((header.payload_type, payload[0]), (96, 4));
        assert_eq!(header.timestamp, events[0].0.timestamp, "one event, one timestamp");
        assert_eq!(sequence_distance(before.sequence, header.sequence), n as i16 + 1);
    }
    assert!(events[0].0.marker);
    assert_eq!(
        rig.event(),
        MediaEvent::Digit { leg: 0, digit: Digit::try_from('4').unwrap(), channel: DigitChannel::Rfc4733 }
    );

    // A peer that knows no telephone-events gets none, and sees no loss.
    media.dtmf = None;
    rig.call.configure(1, media);
    rig.barrier(0);
    rig.heard(0, &mut caller, '5');
    caller.say(1);
    let (header, _) = agent.hear();
    assert_eq!((header.payload_type, sequence_distance(before.sequence, header.sequence)), (8, 4));
}

#[test]
fn a_new_ssrc_of_the_sender_goes_on_in_the_same_stream() {
    let mut rig = Rig::new();
    let (mut caller, agent) = rig.bridged(Codec::Pcma, Codec::Pcma);
    let mut heard = Vec::new();
    for n in 0..30u8 {
        if n % 10 == 0 {
            caller.header = Header {
                ssrc: u32::from(n) + 1,
                sequence: 6_553 * u16::from(n / 2),
                timestamp: u32::from(n) << 27,
                ..caller.header
            };
        }
        caller.say(n);
        heard.push(agent.hear().0);
    }
    for pair in heard.windows(2) {
        assert_eq!(pair[0].ssrc, pair[1].ssrc);
        assert_eq!(sequence_distance(pair[0].sequence, pair[1].sequence), 1);
        assert!(timestamp_distance(pair[0].timestamp, pair[1].timestamp) >= 160);
    }
    let stats = rig.close(0);
    assert_eq!((stats.ssrc_changes, stats.lost), (2, 0));
}

#[test]
fn hold_is_respected_in_both_directions() {
    let mut rig = Rig::new();
    let (mut caller, mut agent) = rig.bridged(Codec::Pcma, Codec::Pcma);
    let speaks = |rig: &mut Rig, from: (u16, &mut Phone), to: &Phone, expected: bool, why: &str| {
        let said = from.1.say(42);
        rig.heard(from.0, from.1, '1');
        if expected {
            assert_eq!(to.hear().1, said, "{why}");
            assert_eq!(to.hear().0.payload_type, DTMF, "{why}");
        }
        assert!(to.is_silent(), "{why}");
    };
    // As seen from us: SendOnly means that the agent only listens, RecvOnly that it only speaks.
    for (direction, to_agent, from_agent) in [
        (Direction::SendOnly, true, false),
        (Direction::RecvOnly, false, true),
        (Direction::Inactive, false, false),
        (Direction::SendRecv, true, true),
    ] {
        rig.call.configure(1, agent.media(direction));
        rig.barrier(0);
        speaks(&mut rig, (0, &mut caller), &agent, to_agent, &format!("to the agent, {direction:?}"));
        speaks(&mut rig, (1, &mut agent), &caller, from_agent, &format!("from the agent, {direction:?}"));
    }
    // A prompt to a leg that holds us passes unheard, and comes to its end all the same.
    rig.call.configure(1, agent.media(Direction::Inactive));
    rig.call.play(1, PlayId(7), sound(800), false);
    assert_eq!(rig.event(), MediaEvent::PlayDone { play: PlayId(7) });
    assert!(agent.is_silent());
}

#[test]
fn a_prompt_amid_a_bridge_takes_the_place_of_the_peer() {
    let mut rig = Rig::new();
    let (mut caller, mut agent) = rig.bridged(Codec::Pcma, Codec::Pcma);
    caller.say(1);
    let before = agent.hear().0;
    let whisper = sound(8_000);
    rig.call.play(1, PlayId(1), whisper.clone(), true);
    let first = agent.hear();
    assert_eq!(first.1, whisper.alaw()[..160]);
    caller.say(2);
    rig.heard(0, &mut caller, '1');
    let said = agent.say(3);
    assert_eq!(caller.hear().1, said, "the other direction goes on");
    rig.call.stop_play(1);
    // No barrier on leg 1: it would play there itself.
    rig.barrier(0);
    let said = caller.say(4);
    let mut last = first.0;
    loop {
        let (header, payload) = agent.hear();
        assert_eq!((header.ssrc, sequence_distance(last.sequence, header.sequence)), (before.ssrc, 1));
        last = header;
        if payload == said {
            break;
        }
        assert!(whisper.alaw().chunks(160).any(|chunk| chunk == payload), "nothing but the prompt");
    }
    assert!(last.marker);

    rig.call.unbridge();
    rig.barrier(0);
    caller.say(5);
    rig.heard(0, &mut caller, '2');
    assert!(agent.is_silent());
}

#[test]
fn what_is_forwarded_is_recorded_and_nothing_else() {
    let mut rig = Rig::new();
    let (mut caller, mut agent) = (rig.phone(0, Codec::Pcma), rig.phone(1, Codec::Pcmu));
    caller.say(200);
    agent.say(201);
    rig.heard(0, &mut caller, '1');
    rig.heard(1, &mut agent, '1');

    let reel = rig.record(0, 1);
    rig.call.bridge(0, 1);
    rig.barrier(0);
    // Half a second, at the pace of the clock: what one hears starts what the other says.
    let pace = Phone::new(rig.call.add_leg(3).unwrap(), Codec::Pcma);
    rig.call.configure(3, pace.media(Direction::SendOnly));
    rig.call.play(3, PlayId(3), sound(8_000), true);
    let (mut from_caller, mut from_agent) = (Vec::new(), Vec::new());
    for n in 0..25 {
        pace.hear();
        from_caller.extend(caller.say(n));
        agent.hear();
        from_agent.extend(agent.say(n + 50));
        caller.hear();
    }
    // The last packet has its time too, before the hold silences the recording.
    (0..2).for_each(|_| drop(pace.hear()));
    // On hold: neither hears the other, neither is recorded.
    rig.call.configure(1, agent.media(Direction::Inactive));
    rig.barrier(0);
    caller.say(250);
    agent.say(251);
    rig.heard(0, &mut caller, '2');
    rig.heard(1, &mut agent, '2');
    rig.call.stop_recording();
    rig.barrier(0);

    let reel = reel.lock().unwrap();
    assert!(reel.end.is_some(), "the sink is told of the end");
    let channel = |n: usize| reel.samples.iter().map(|pair| pair[n]).collect::<Vec<i16>>();
    let decode =
        |octets: &[u8], table: &[i16; 256]| octets.iter().map(|o| table[usize::from(*o)]).collect::<Vec<_>>();
    for (n, octets, table) in [(0, &from_caller, &ALAW_TO_PCM), (1, &from_agent, &ULAW_TO_PCM)] {
        let recorded = channel(n);
        let said = decode(octets, table);
        let at = recorded.windows(said.len()).position(|window| window == said);
        let at = at.expect("all that was heard is in the recording, sample by sample");
        assert!(recorded[..at].iter().chain(&recorded[at + said.len()..]).all(|sample| *sample == 0));
    }
}
