//! Prompts, keys, strangers, ports, time-outs, RTCP.

use std::net::UdpSocket;
use std::time::Duration;

use super::rig::{DTMF, LOCAL, Phone, Rig, own_loopback, packet, sound};
use crate::call::PlayId;
use crate::engine::{EngineError, MediaEvent};
use crate::media::rtcp::{self, Block, MAX_REPORT, Packet, Report};
use crate::media::rtp::{Header, is_rtcp, sequence_distance, timestamp_distance};
use crate::media::{Codec, Digit, DigitChannel, Direction, LegMedia};

#[test]
fn a_prompt_comes_in_exact_steps_and_says_when_it_is_done() {
    let mut rig = Rig::new();
    let phone = rig.phone(0, Codec::Pcmu);
    let prompt = sound(4_000);
    let begun = rig.now();
    rig.call.play(0, PlayId(1), prompt.clone(), false);

    let mut audio = Vec::new();
    let mut last: Option<Header> = None;
    for n in 0..25 {
        let (header, payload) = phone.hear();
        assert_eq!((header.payload_type, payload.len(), header.marker), (0, 160, n == 0));
        if let Some(last) = last {
            assert_eq!(header.ssrc, last.ssrc);
            assert_eq!(sequence_distance(last.sequence, header.sequence), 1);
            assert_eq!(timestamp_distance(last.timestamp, header.timestamp), 160);
        }
        // Never early; how late depends on who else uses the machine.
        assert!(rig.now().since(begun) >= Duration::from_millis(20 * n));
        audio.extend(payload);
        last = Some(header);
    }
    assert_eq!(rig.event(), MediaEvent::PlayDone { play: PlayId(1) });
    assert!(rig.now().since(begun) >= Duration::from_millis(500), "the last packet has its time too");
    assert_eq!(audio, prompt.ulaw());
    assert!(phone.is_silent());

    // The next one goes on in the same stream, with a mark.
    rig.call.play(0, PlayId(2), sound(160), false);
    let (header, _) = phone.hear();
    let last = last.unwrap();
    assert_eq!((sequence_distance(last.sequence, header.sequence), header.marker), (1, true));
    assert!(timestamp_distance(last.timestamp, header.timestamp) >= 160);
}

#[test]
fn music_goes_on_until_it_is_stopped_and_a_new_sound_replaces_an_old_one() {
    let mut rig = Rig::new();
    let phone = rig.phone(0, Codec::Pcma);
    let music = sound(400);
    rig.call.play(0, PlayId(1), music.clone(), true);
    let heard: Vec<u8> = (0..10).flat_map(|_| phone.hear().1).collect();
    let expected: Vec<u8> = music.alaw().iter().copied().cycle().take(1_600).collect();
    assert_eq!(heard, expected);

    let prompt = sound(320);
    rig.call.play(0, PlayId(2), prompt.clone(), false);
    let mut after = Vec::new();
    while !after.ends_with(prompt.alaw()) {
        after.extend(phone.hear().1);
    }
    // Nothing is told of the music: it did not come to its end.
    assert_eq!(rig.event(), MediaEvent::PlayDone { play: PlayId(2) });

    rig.call.play(0, PlayId(3), music, true);
    phone.hear();
    rig.call.stop_play(0);
    rig.barrier(0);
    while !phone.is_silent() {}
    let stats = rig.close(0);
    assert_eq!(stats.bytes_out, stats.packets_out * 172);
}

#[test]
fn a_key_is_told_once_though_its_packets_are_repeated_and_out_of_order() {
    let mut rig = Rig::new();
    let mut phone = rig.phone(0, Codec::Pcma);
    for key in ['1', '1', '#'] {
        let event = Digit::try_from(key).unwrap().event();
        let header = Header { payload_type: DTMF, ..phone.header };
        for (sequence, flags, duration) in
            [(1, 0x0A, 320u16), (0, 0x0A, 160), (2, 0x8A, 480), (2, 0x8A, 480), (3, 0x8A, 480)]
        {
            let [high, low] = duration.to_be_bytes();
            let header = Header { sequence: header.sequence + sequence, ..header };
            phone.send(header, &[event, flags, high, low]);
        }
        phone.header.sequence += 4;
        phone.header.timestamp += 8_000;
        let digit = Digit::try_from(key).unwrap();
        assert_eq!(rig.event(), MediaEvent::Digit { leg: 0, digit, channel: DigitChannel::Rfc4733 });
    }
    // One more, to know that all before it were dealt with.
    rig.heard(0, &mut phone, '9');
    assert!(rig.no_event());
    assert_eq!(rig.close(0).digits, 4);
}

#[test]
fn strangers_are_ignored_and_counted_before_and_after_the_twin() {
    let mut rig = Rig::new();
    let (mut caller, agent) = rig.bridged(Codec::Pcma, Codec::Pcma);
    let stranger = UdpSocket::bind((LOCAL, 0)).unwrap();
    let intrude = |caller: &Phone| {
        // One that guesses, and one that knows SSRC and sequence number.
        for n in 0..5 {
            let ssrc = if n % 2 == 0 { 666 } else { caller.header.ssrc };
            let header = Header { ssrc, ..caller.header };
            stranger.send_to(&packet(header, &[0x2A; 160]), caller.to.rtp).unwrap();
        }
    };
    // Until the caller speaks, four packets of one source would win; another is a stranger.
    let first = caller.say(0);
    assert_eq!(agent.hear().1, first);
    for round in 0..70u8 {
        if round % 10 == 0 {
            intrude(&caller);
        }
        let said = caller.say(round);
        assert_eq!(agent.hear().1, said);
    }
    rig.heard(0, &mut caller, '1');
    // The strangers' own socket may still hold some: wait for the count, not for time.
    let strangers = || rig.engine.stats()[0].strangers;
    let deadline = rig.now() + super::rig::DEADLINE;
    while strangers() < 35 && rig.now() < deadline {}
    let stats = rig.close(0);
    assert_eq!((stats.strangers, stats.ssrc_changes, stats.lost), (35, 0, 0));
    assert_eq!(stats.packets_in, 72);
}

#[test]
fn a_source_behind_nat_is_learned_and_answered() {
    let mut rig = Rig::new();
    let local = rig.call.add_leg(0).unwrap();
    let mut phone = Phone::new(local, Codec::Pcma);
    let mut media = phone.media(Direction::SendRecv);
    media.remote_rtp = "127.0.0.77:9".parse().unwrap();
    rig.call.configure(0, media);
    rig.barrier(0);
    (0..4).for_each(|n| drop(phone.say(n)));
    rig.heard(0, &mut phone, '5');
    rig.call.play(0, PlayId(1), sound(160), false);
    assert_eq!(phone.hear().1, sound(160).alaw());
}

#[test]
fn a_new_address_in_a_reinvite_opens_the_lock() {
    let mut rig = Rig::new();
    let (mut caller, mut agent) = rig.bridged(Codec::Pcma, Codec::Pcma);
    for n in 0..60 {
        caller.say(n);
        agent.hear();
    }
    let mut moved = Phone::new(caller.to, Codec::Pcma);
    moved.header.ssrc = 0x6060;
    rig.call.configure(0, moved.media(Direction::SendRecv));
    rig.barrier(0);
    let said = moved.say(9);
    assert_eq!(agent.hear().1, said);
    let answer = agent.say(3);
    assert_eq!(moved.hear().1, answer);
    caller.say(1);
    rig.heard(0, &mut moved, '1');
    let stats = rig.close(0);
    assert_eq!((stats.strangers, stats.ssrc_changes), (1, 1));
}

#[test]
fn ports_come_back_when_legs_close() {
    let mut rig = Rig::on(own_loopback(), 21_100..=21_103, Duration::from_secs(60), 32);
    let (a, b) = (rig.call.add_leg(0).unwrap(), rig.call.add_leg(1).unwrap());
    assert_eq!((a.rtp.port() % 2, a.rtcp.port()), (0, a.rtp.port() + 1));
    assert_ne!(a.rtp, b.rtp);
    assert!(rig.call.add_leg(2).is_err());
    assert_eq!(rig.engine.ports_in_use(), 2);
    rig.close(0);
    assert_eq!(rig.engine.ports_in_use(), 1);
    assert_eq!(rig.call.add_leg(2).unwrap().rtp, a.rtp);
    // A call that is dropped closes all its legs, and they say so.
    let Rig { engine, call, mut events, .. } = rig;
    drop(call);
    let mut closed = Vec::new();
    while let Some(event) = events.blocking_recv() {
        let MediaEvent::Closed { leg, .. } = event else { panic!("{event:?}") };
        closed.push(leg);
    }
    closed.sort_unstable();
    assert_eq!((closed, engine.ports_in_use()), (vec![1, 2], 0));
}

#[test]
fn a_stopped_engine_has_closed_everything_and_says_so() {
    let mut rig = Rig::new();
    let phone = rig.phone(0, Codec::Pcma);
    rig.call.play(0, PlayId(1), sound(800), true);
    phone.hear();
    let Rig { engine, mut call, mut events, .. } = rig;
    engine.shutdown();
    let Some(MediaEvent::Closed { leg: 0, stats }) = events.blocking_recv() else { panic!("not closed") };
    assert!(stats.packets_out >= 1);
    assert!(events.blocking_recv().is_none());
    assert!(matches!(call.add_leg(1), Err(EngineError::Stopped)));
    call.play(0, PlayId(2), sound(800), false);
    drop(call);
    UdpSocket::bind(phone.to.rtp).expect("the port is free");
}

#[test]
fn a_silent_leg_is_told_once_and_a_held_one_never() {
    let mut rig = Rig::with(Duration::from_millis(150), 32);
    let begun = rig.now();
    let mut talking = rig.phone(0, Codec::Pcma);
    let held = rig.phone(1, Codec::Pcma);
    rig.call.configure(1, held.media(Direction::SendOnly));
    talking.say(1);
    assert_eq!(rig.event(), MediaEvent::MediaTimeout { leg: 0 });
    assert!(rig.now().since(begun) >= Duration::from_millis(150));
    // Taken back from hold, leg 1 is watched from then on; leg 0 is not told of again.
    rig.call.configure(1, held.media(Direction::SendRecv));
    assert_eq!(rig.event(), MediaEvent::MediaTimeout { leg: 1 });
    rig.call.configure(0, talking.media(Direction::RecvOnly));
    assert_eq!(rig.event(), MediaEvent::MediaTimeout { leg: 0 });
    assert!(rig.no_event());
}

#[test]
fn reports_are_sent_and_understood() {
    let mut rig = Rig::new();
    let mut phone = rig.phone(0, Codec::Pcma);
    rig.call.play(0, PlayId(1), sound(8_000), true);
    let local = rig.call.add_leg(1).unwrap();
    let on_one_port = Phone::new(local, Codec::Pcma);
    let media = LegMedia { rtcp_mux: true, ..on_one_port.media(Direction::SendRecv) };
    rig.call.configure(1, media);
    // Ten packets, of which the third never comes.
    for n in 0..10 {
        if n == 2 {
            phone.header.sequence += 1;
            phone.header.timestamp += 160;
        }
        phone.say(n);
    }
    let mut buffer = [0; 512];
    let (len, from) = phone.rtcp.recv_from(&mut buffer).expect("a report");
    assert_eq!(from, phone.to.rtcp);
    let compound: Vec<_> = rtcp::packets(&buffer[..len]).collect::<Result<_, _>>().unwrap();
    let Packet::Report { ssrc, sender: Some(info), .. } = &compound[0] else { panic!("{compound:?}") };
    let (ssrc, info) = (*ssrc, *info);
    assert_eq!(compound[1], Packet::Description);
    let block = compound[0].blocks().next().expect("a report block on us");
    assert_eq!((block.ssrc, block.lost), (phone.header.ssrc, 1));
    assert!(info.packets > 50 && info.octets == info.packets * 160, "{info:?}");

    // Nothing was sent or received on the other leg: an empty receiver report, on its RTP port.
    let mut other = [0; 512];
    let (len, from) = on_one_port.rtp.recv_from(&mut other).expect("a report");
    assert_eq!(from, on_one_port.to.rtp);
    let packet = rtcp::packets(&other[..len]).next().expect("not empty").expect("well formed");
    assert!(matches!(packet, Packet::Report { sender: None, blocks: [], .. }), "{packet:?}");

    // Our answer, as if it had been on the way for 40 ms.
    let now = rig.now();
    let answer = Block {
        ssrc,
        fraction_lost: 0,
        lost: 3,
        highest: 70,
        jitter: 24,
        last_report: rtcp::ntp_middle(rtcp::ntp(now - Duration::from_millis(40))),
        delay: 0,
    };
    let mut out = [0; MAX_REPORT];
    let report = Report {
        ssrc: phone.header.ssrc,
        sender: None,
        block: Some(answer),
        cname: b"phone",
        goodbye: false,
    };
    let len = report.build(&mut out);
    phone.rtcp.send_to(&out[..len], phone.to.rtcp).unwrap();
    // On the RTP port too it is told from RTP.
    phone.rtp.send_to(&out[..len], phone.to.rtp).unwrap();
    rig.heard(0, &mut phone, '1');

    let stats = rig.close(0);
    assert_eq!((stats.lost, stats.peer_lost, stats.peer_jitter_ms), (1, Some(3), Some(3.0)));
    assert!(stats.rtcp_in >= 2);
    let round_trip = stats.round_trip_ms.expect("measured");
    assert!((40.0..5_000.0).contains(&round_trip), "{round_trip} ms");
    let goodbye = loop {
        let (len, _) = phone.rtcp.recv_from(&mut buffer).expect("a goodbye");
        assert!(is_rtcp(&buffer[..len]));
        if let Some(Packet::Goodbye { ssrc }) = rtcp::packets(&buffer[..len]).flatten().nth(2) {
            break ssrc;
        }
    };
    assert_eq!(goodbye, Some(ssrc));
}

#[test]
fn a_receiver_that_does_not_keep_up_loses_no_key() {
    let mut rig = Rig::with(Duration::from_secs(60), 1);
    let mut phone = rig.phone(0, Codec::Pcma);
    for key in "123456789*0#".chars() {
        phone.key(key);
        phone.header.timestamp += 800;
    }
    for key in "123456789*0#".chars() {
        assert_eq!(
            rig.event(),
            MediaEvent::Digit {
                leg: 0,
                digit: Digit::try_from(key).unwrap(),
                channel: DigitChannel::Rfc4733
            }
        );
    }
}

#[test]
fn sixty_prompts_at_once_keep_their_steps_on_the_grid() {
    let mut rig = Rig::new();
    let phones: Vec<Phone> = (0..60).map(|leg| rig.phone(leg, Codec::Pcma)).collect();
    let prompt = sound(16_000);
    let begun = rig.now();
    for leg in 0..60 {
        rig.call.play(leg, PlayId(u32::from(leg)), prompt.clone(), false);
    }
    let mut done: Vec<u32> = (0..60)
        .map(|_| {
            let event = rig.event();
            let MediaEvent::PlayDone { play } = event else { panic!("{event:?}") };
            play.0
        })
        .collect();
    let took = rig.now().since(begun);
    assert!(took >= Duration::from_secs(2), "{took:?}");
    done.sort_unstable();
    assert_eq!(done, (0..60).collect::<Vec<_>>());
    for phone in &phones {
        let mut last: Option<Header> = None;
        let mut audio = Vec::new();
        for _ in 0..100 {
            let (header, payload) = phone.hear();
            if let Some(last) = last {
                assert_eq!(sequence_distance(last.sequence, header.sequence), 1);
                assert_eq!(timestamp_distance(last.timestamp, header.timestamp), 160);
            }
            last = Some(header);
            audio.extend(payload);
        }
        assert_eq!(audio, prompt.alaw());
    }
    let stats = rig.engine.stats();
    assert_eq!((stats[0].legs, stats[0].calls), (60, 1));
    assert!(stats[0].packets_out >= 6_000);
}

#[test]
fn packets_of_thirty_milliseconds_for_a_peer_that_wants_them() {
    let mut rig = Rig::new();
    let local = rig.call.add_leg(0).unwrap();
    let phone = Phone::new(local, Codec::Pcma);
    let mut media = phone.media(Direction::SendRecv);
    media.ptime = 30;
    rig.call.configure(0, media);
    rig.call.play(0, PlayId(1), sound(720), false);
    let packets: Vec<_> = (0..3).map(|_| phone.hear()).collect();
    assert!(packets.iter().all(|(_, payload)| payload.len() == 240));
    assert_eq!(timestamp_distance(packets[0].0.timestamp, packets[2].0.timestamp), 480);
}
