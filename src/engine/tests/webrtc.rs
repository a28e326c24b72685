//! Legs whose other end is a browser.

use std::net::UdpSocket;
use std::time::Duration;

use str0m::ice::{StunMessage, TransId};

use super::browser::{Browser, restart_ice};
use super::rig::{DEADLINE, LOCAL, Pace, Phone, Rig, own_loopback, packet, sound, strength};
use crate::call::PlayId;
use crate::engine::{Engine, EngineConfig, EngineError, LegStats, MediaEvent};
use crate::ids::CallId;
use crate::media::codec::Encoder;
use crate::media::rtc::DtlsRole;
use crate::media::rtp::Header;
use crate::media::srtp::Suite;
use crate::media::{Codec, Digit, DigitChannel, Direction, Seat, Voice};
use crate::time::Clock;

const HEARD: MediaEvent = MediaEvent::Heard { leg: 1 };

/// A phone on leg 0 and a browser on leg 1, which hear one another.
fn connected(rig: &mut Rig, phone: Codec, browser: Codec) -> (Phone, Browser) {
    let pair = (rig.phone(0, phone), rig.browser(1, browser));
    rig.call.bridge(0, 1);
    rig.barrier(0);
    pair
}

/// Closes a leg; what else was to be told of it is passed over.
fn close(rig: &mut Rig, leg: u16) -> LegStats {
    rig.call.remove_leg(leg);
    loop {
        if let MediaEvent::Closed { leg: closed, stats } = rig.event() {
            assert_eq!(closed, leg);
            return stats;
        }
    }
}

#[test]
fn the_same_codec_passes_octet_by_octet_both_ways() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
        let mut rig = Rig::new();
        let (mut phone, mut browser) = connected(&mut rig, codec, codec);
        let mut encoder = Encoder::new(codec).unwrap();
        let mut last: Option<Header> = None;
        for n in 0..20u8 {
            let mut said = Vec::new();
            let pcm: Vec<i16> =
                (0..codec.rate() / 50).map(|at| ((at * 37 + u32::from(n)) % 900) as i16).collect();
            encoder.encode(&pcm, &mut said).unwrap();
            phone.send(phone.header, &said);
            phone.advance();
            let (header, payload) = browser.hear();
            assert_eq!((header.payload_type, &payload), (phone.header.payload_type, &said), "{codec:?}");
            if let Some(last) = last.replace(header) {
                assert_eq!(header.sequence, last.sequence.wrapping_add(1));
                assert_eq!(header.timestamp, last.timestamp.wrapping_add(codec.clock() / 50));
            }
            let said = browser.tone(400.0);
            assert_eq!(phone.hear().1, said);
        }
        assert_ne!(last.unwrap().ssrc, phone.header.ssrc, "the stream is our own");
        let stats = close(&mut rig, 1);
        assert_eq!(stats.srtp, Some(Suite::AeadAes256Gcm));
        assert_eq!((stats.packets_in, stats.packets_out, stats.lost), (20, 20, 0));
        assert_eq!((stats.codec, stats.send_errors, stats.unknown), (Some(codec), 0, 0));
        assert!(stats.mos.unwrap() > 3.5);
    }
}

#[test]
fn opus_is_transcoded_to_alaw_and_back() {
    let mut rig = Rig::new();
    let pace = Pace::new(&mut rig);
    let (mut phone, mut browser) = connected(&mut rig, Codec::Pcma, Codec::Opus);
    let (mut at_phone, mut at_browser, mut rate) = (Vec::new(), Vec::new(), 0);
    for n in 0..100 {
        pace.tick();
        phone.tone(&[500.0]);
        browser.tone(1_100.0);
        let heard = (phone.listen().1, browser.listen());
        rate = heard.1.0;
        if n > 40 {
            at_phone.extend(heard.0);
            at_browser.extend(heard.1.1);
        }
    }
    assert!(strength(&at_phone, 8_000, 1_100.0) > 5_000.0);
    assert!(strength(&at_phone, 8_000, 500.0) < 300.0);
    assert!(strength(&at_browser, rate, 500.0) > 5_000.0);
    assert_eq!(rate, 48_000);
}

#[test]
fn keys_go_both_ways_at_either_clock() {
    for codec in [Codec::Pcma, Codec::Opus] {
        let mut rig = Rig::new();
        let (mut phone, mut browser) = connected(&mut rig, Codec::Pcma, codec);
        browser.key('7');
        let digit = |leg, key| MediaEvent::Digit {
            leg,
            digit: Digit::try_from(key).unwrap(),
            channel: DigitChannel::Rfc4733,
        };
        assert_eq!(rig.event_but(&[HEARD]), digit(1, '7'));
        let (header, payload) = phone.hear();
        assert_eq!((header.payload_type, payload[0], &payload[2..]), (super::rig::DTMF, 7, &[0, 160][..]));
        phone.key('#');
        assert_eq!(rig.event_but(&[HEARD]), digit(0, '#'));
        let (header, payload) = browser.hear();
        let (number, ticks) = if codec == Codec::Opus { (110, 960u16) } else { (126, 160) };
        assert_eq!((header.payload_type, payload[0]), (number, 11));
        assert_eq!(payload[2..], ticks.to_be_bytes());
    }
}

#[test]
fn a_prompt_is_played_and_a_hold_is_kept() {
    let mut rig = Rig::new();
    let mut browser = rig.browser(1, Codec::Pcmu);
    let prompt = sound(1_600);
    rig.call.play(1, PlayId(7), prompt, false);
    for _ in 0..10 {
        assert_eq!(browser.hear().0.payload_type, 0);
    }
    assert_eq!(rig.event(), MediaEvent::PlayDone { play: PlayId(7) });

    let mut phone = rig.phone(0, Codec::Pcmu);
    rig.call.bridge(0, 1);
    rig.call.configure(1, browser.media(Direction::RecvOnly));
    rig.barrier(0);
    phone.say(1);
    let said = browser.say(2);
    assert_eq!(phone.hear().1, said, "it holds us, and may speak");
    rig.call.configure(1, browser.media(Direction::SendRecv));
    assert_eq!(rig.event(), HEARD);
    rig.barrier(0);
    let said = phone.say(3);
    assert_eq!(browser.hear().1, said, "nothing of before");
}

#[test]
fn both_sides_are_recorded() {
    let mut rig = Rig::new();
    let pace = Pace::new(&mut rig);
    let (mut phone, mut browser) = connected(&mut rig, Codec::Pcma, Codec::Pcma);
    let reel = rig.record(0, 1);
    for _ in 0..60 {
        pace.tick();
        phone.tone(&[500.0]);
        browser.tone(1_100.0);
        browser.live(Duration::from_millis(1));
    }
    rig.call.stop_recording();
    close(&mut rig, 1);
    let reel = reel.lock().unwrap();
    for (channel, there, absent) in [(0, 500.0, 1_100.0), (1, 1_100.0, 500.0)] {
        let heard = reel.channel(channel);
        let middle = &heard[2_000..8_000];
        assert!(strength(middle, 8_000, there) > 5_000.0, "channel {channel}");
        assert!(strength(middle, 8_000, absent) < 300.0, "channel {channel}");
    }
}

#[test]
fn reports_go_both_ways() {
    let mut rig = Rig::new();
    let mut browser = rig.browser(1, Codec::Pcma);
    // Our first report is due after 2.5 s at most.
    rig.call.play(1, PlayId(3), sound(24_000), false);
    for n in 0..5 {
        browser.say(n);
    }
    assert_eq!(rig.event(), HEARD);
    browser.until("played to", |browser| browser.heard.len() >= 148);
    rig.call.stop_play(1);
    let stats = close(&mut rig, 1);
    assert!(stats.rtcp_in > 3, "{}", stats.rtcp_in);
    assert_eq!(stats.peer_lost, Some(0));
    assert!(stats.round_trip_ms.unwrap() < 500.0 && stats.peer_mos.unwrap() > 3.5);
    assert_eq!((stats.auth_failures, stats.unknown), (0, 0));
}

#[test]
fn a_browser_is_in_a_conference_and_another_listens() {
    let mut rig = Rig::new();
    let pace = Pace::new(&mut rig);
    let (mut phone, mut agent) = connected(&mut rig, Codec::Pcma, Codec::Opus);
    let mut supervisor = rig.browser(2, Codec::Pcmu);
    let seat = |leg, voice| Seat { leg, voice };
    rig.call.join(&[seat(0, Voice::All), seat(1, Voice::All), seat(2, Voice::Nobody)]);
    let mut heard: [(u32, Vec<i16>); 3] = Default::default();
    for n in 0..100 {
        pace.tick();
        phone.tone(&[500.0]);
        agent.tone(1_100.0);
        supervisor.tone(1_900.0);
        for (told, heard) in [phone.listen(), agent.listen(), supervisor.listen()].into_iter().zip(&mut heard)
        {
            heard.0 = told.0;
            if n > 40 {
                heard.1.extend(told.1);
            }
        }
    }
    for (n, expected) in
        [[false, true, false], [true, false, false], [true, true, false]].into_iter().enumerate()
    {
        for (tone, there) in [500.0, 1_100.0, 1_900.0].into_iter().zip(expected) {
            let strength = strength(&heard[n].1, heard[n].0, tone);
            assert!(if there { strength > 5_000.0 } else { strength < 300.0 }, "{n}, {tone}: {strength}");
        }
    }
}

#[test]
fn a_stranger_learns_and_changes_nothing() {
    let mut rig = Rig::new();
    let (mut phone, mut browser) = connected(&mut rig, Codec::Pcma, Codec::Pcma);
    let stranger = UdpSocket::bind((LOCAL, 0)).unwrap();
    let login = browser.media(Direction::SendRecv).rtc.unwrap().ice;
    // It saw the user name on its way, and guesses the password.
    let other = rig.call.restart_ice(1).unwrap();
    rig.barrier(0);
    let hmac = |key: &[u8], parts: &[&[u8]]| {
        str0m::crypto::from_feature_flags().sha1_hmac_provider.sha1_hmac(key, parts)
    };
    let mut stun = [0; 256];
    for (ufrag, password) in [(&other.ice.ufrag, &login.password.0), (&login.ufrag, &other.ice.password.0)] {
        let user = format!("{ufrag}:{}", login.ufrag);
        let check = StunMessage::binding_request(&user, TransId::new(), true, 1, 1, true);
        let len = check.to_bytes(Some(password.as_bytes()), &mut stun, hmac).unwrap();
        stranger.send_to(&stun[..len], browser.to.rtp).unwrap();
    }
    // RTP, DTLS and nonsense of nobody who was checked.
    let header = Header { payload_type: 8, sequence: 9, timestamp: 9, ..Header::default() };
    for datagram in [packet(header, &[0xD5; 160]), vec![22; 40], vec![99; 40], Vec::new()] {
        stranger.send_to(&datagram, browser.to.rtp).unwrap();
    }
    let said = browser.say(1);
    assert_eq!(phone.hear().1, said);
    assert_eq!(rig.event(), HEARD);
    // From the browser's own address, but not sealed with its key.
    browser.send_raw(&packet(header, &[0xD5; 160]));
    let said = phone.say(2);
    assert_eq!(browser.hear().1, said, "it is still the browser that is spoken to");
    assert!(phone.is_silent());
    stranger.set_nonblocking(true).unwrap();
    assert!(stranger.recv(&mut stun).is_err(), "no answer");
    let stats = close(&mut rig, 1);
    assert_eq!((stats.packets_in, stats.auth_failures), (1, 1));
    // Published with the tick that told of the close, or the next.
    rig.barrier(0);
    let worker = rig.engine.stats()[0];
    assert_eq!((worker.strangers, worker.auth_failures), (5, 2));
}

/// Who knows the password and takes itself for the controlled side is told, and has proven no address: nothing of it
/// comes to the leg, nor to one that is there later.
#[test]
fn a_role_conflict_opens_no_way() {
    let mut rig = Rig::new();
    let (to, ours) = rig.call.add_rtc_leg(1).unwrap();
    let peer = UdpSocket::bind((LOCAL, 0)).unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    let hmac = |key: &[u8], parts: &[&[u8]]| {
        str0m::crypto::from_feature_flags().sha1_hmac_provider.sha1_hmac(key, parts)
    };
    let mut stun = [0; 256];
    let user = format!("{}:them", ours.ice.ufrag);
    let check = StunMessage::binding_request(&user, TransId::new(), false, 1, 1, false);
    let len = check.to_bytes(Some(ours.ice.password.0.as_bytes()), &mut stun, hmac).unwrap();
    peer.send_to(&stun[..len], to.rtp).unwrap();
    let len = peer.recv(&mut stun).unwrap();
    let answer = StunMessage::parse(&stun[..len]).unwrap();
    assert_eq!(answer.error_code().map(|(code, _)| code), Some(487));
    close(&mut rig, 1);
    // The next leg has its place on the worker, and speaks plain RTP with somebody else.
    let mut phone = rig.phone(0, Codec::Pcma);
    let header = Header { payload_type: 8, sequence: 9, timestamp: 9, ..Header::default() };
    peer.send_to(&packet(header, &[0xD5; 160]), to.rtp).unwrap();
    peer.send_to(&[22; 40], to.rtp).unwrap();
    rig.heard(0, &mut phone, '5');
    let stats = close(&mut rig, 0);
    assert_eq!((stats.packets_in, stats.strangers), (1, 0));
    rig.call.add_leg(2).unwrap();
    close(&mut rig, 2);
    assert_eq!(rig.engine.stats()[0].strangers, 2);
}

#[test]
fn an_ice_restart_and_a_change_of_address_are_survived() {
    let mut rig = Rig::new();
    let (mut phone, mut browser) = connected(&mut rig, Codec::Pcma, Codec::Pcma);
    browser.say(0);
    phone.hear();
    assert_eq!(rig.event(), HEARD);

    restart_ice(&rig.call, 1, &mut browser);
    let said = browser.say(1);
    assert_eq!(phone.hear().1, said, "the old way goes on meanwhile");

    let before = browser.address();
    browser.moves();
    assert_ne!(browser.address(), before);
    // Until the new address is checked and nominated, audio goes to the dead one.
    let mut seed = 2;
    browser.until("heard at its new address", |browser| {
        phone.say(seed);
        seed += 1;
        !browser.heard.is_empty()
    });
    browser.heard.clear();
    while phone.next().is_some() {}
    let said = browser.say(3);
    assert_eq!(phone.hear().1, said);
    assert_eq!(close(&mut rig, 1).packets_in, 3);
}

#[test]
fn a_leg_that_falls_silent_is_told_of_and_so_is_its_return() {
    let mut rig = Rig::new();
    let mut browser = rig.browser(1, Codec::Pcma);
    browser.say(0);
    assert_eq!(rig.event(), HEARD);
    let before = rig.now();
    assert_eq!(rig.event(), MediaEvent::Silent { leg: 1 });
    let waited = rig.now().since(before);
    assert!(waited > Duration::from_millis(1_300) && waited < DEADLINE, "{waited:?}");
    browser.say(1);
    assert_eq!(rig.event(), HEARD);

    // On hold it need not send.
    rig.call.configure(1, browser.media(Direction::SendOnly));
    rig.call.play(1, PlayId(4), sound(16_000), false);
    assert_eq!(rig.event(), MediaEvent::PlayDone { play: PlayId(4) });
    rig.call.configure(1, browser.media(Direction::SendRecv));
    assert_eq!(rig.event(), MediaEvent::Silent { leg: 1 });
}

#[test]
fn one_that_never_speaks_is_waited_for_a_little_longer() {
    let mut rig = Rig::new();
    let before = rig.now();
    let mut browser = rig.browser(1, Codec::Pcma);
    browser.until("missed", |_| !rig.no_event());
    assert!(rig.now().since(before) >= Duration::from_secs(4));
    browser.say(0);
    assert_eq!(rig.event(), HEARD);
}

#[test]
fn a_browser_that_says_goodbye_is_silent_at_once() {
    let mut rig = Rig::new();
    let mut browser = rig.browser(1, Codec::Pcma);
    browser.say(0);
    assert_eq!(rig.event(), HEARD);
    let before = rig.now();
    browser.close();
    assert_eq!(rig.event(), MediaEvent::Silent { leg: 1 });
    assert!(rig.now().since(before) < Duration::from_millis(1_400));
    // Another browser takes the same leg over, by a re-INVITE.
    let ours = rig.call.restart_ice(1).unwrap();
    let mut next = Browser::new(rig.clock, browser.to, Codec::Pcma);
    rig.call.configure(1, next.media(Direction::SendRecv));
    next.connect(&ours, true);
    next.until("connected", Browser::is_connected);
    next.say(0);
    assert_eq!(rig.event(), HEARD);
}

#[test]
fn we_say_goodbye_too() {
    let mut rig = Rig::new();
    let mut browser = rig.browser(1, Codec::Pcma);
    close(&mut rig, 1);
    browser.until("told goodbye", |browser| browser.closed);
}

#[test]
fn another_certificate_than_the_announced_one_is_no_peer() {
    let mut rig = Rig::new();
    let (to, ours) = rig.call.add_rtc_leg(1).unwrap();
    let mut browser = Browser::new(rig.clock, to, Codec::Pcma);
    let mut media = browser.media(Direction::SendRecv);
    media.rtc.as_mut().unwrap().fingerprint.0[7] ^= 1;
    rig.call.configure(1, media);
    browser.connect(&ours, true);
    browser.until("refused", |_| !rig.no_event());
    let stats = close(&mut rig, 1);
    assert_eq!((stats.srtp, stats.packets_in, stats.packets_out), (None, 0, 0));
}

#[test]
fn we_are_the_dtls_client_of_a_passive_peer() {
    let mut rig = Rig::new();
    let (to, ours) = rig.call.add_rtc_leg(1).unwrap();
    let mut browser = Browser::new(rig.clock, to, Codec::Pcma);
    let mut media = browser.media(Direction::SendRecv);
    media.rtc.as_mut().unwrap().role = DtlsRole::Active;
    rig.call.configure(1, media);
    browser.connect(&ours, false);
    browser.until("connected", Browser::is_connected);
    browser.say(0);
    assert_eq!(rig.event(), HEARD);
    rig.call.play(1, PlayId(1), sound(160), false);
    browser.hear();
}

#[test]
fn legs_of_a_worker_share_a_port() {
    let mut rig = Rig::on(own_loopback(), 21_040..=21_043, Duration::from_secs(60), 32);
    let (a, _) = rig.call.add_rtc_leg(1).unwrap();
    let (b, _) = rig.call.add_rtc_leg(2).unwrap();
    assert_eq!((a, a.rtp), (b, b.rtcp));
    assert_eq!(rig.engine.ports_in_use(), 0, "the port is no leg's");
    rig.call.add_leg(3).unwrap();
    assert!(matches!(rig.call.add_leg(4), Err(EngineError::PortsExhausted { .. })));
    rig.call.add_rtc_leg(5).unwrap();
    assert!(rig.call.restart_ice(3).is_none() && rig.call.restart_ice(5).is_some());
}

#[test]
fn the_port_can_be_chosen() {
    let config = |webrtc_port, workers| EngineConfig {
        workers,
        bind: own_loopback(),
        advertise: None,
        ports: 21_044..=21_047,
        webrtc_port,
        media_timeout: Duration::from_secs(60),
    };
    let engine = Engine::start(config(Some(21_050), 2), Clock::start()).unwrap();
    // So many that the last one goes to the other worker.
    let mut calls: Vec<_> = (0..=crate::engine::FILLED as u128)
        .map(|n| {
            let (sender, _) = tokio::sync::mpsc::channel(4);
            engine.open(CallId::new(ulid::Ulid(n)), sender)
        })
        .collect();
    let ports = [0, crate::engine::FILLED].map(|n| calls[n].add_rtc_leg(0).unwrap().0.rtp.port());
    assert_eq!(ports, [21_050, 21_051]);
    assert_eq!(engine.ports_in_use(), 0);
    let taken = Engine::start(config(Some(21_051), 1), Clock::start());
    assert!(matches!(taken, Err(EngineError::Socket { address, .. }) if address.port() == 21_051));
    let high = Engine::start(config(Some(65_535), 2), Clock::start());
    assert!(matches!(high, Err(EngineError::WebrtcPorts { base: 65_535, workers: 2 })));
}
