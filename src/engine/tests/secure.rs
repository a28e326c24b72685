//! SRTP legs: sealed and opened, changed keys, forged packets, reports.

use std::net::UdpSocket;

use zeroize::Zeroizing;

use super::rig::{LOCAL, Phone, Rig, packet, sound};
use crate::call::PlayId;
use crate::media::rtcp::{self, MAX_REPORT, Packet, Report};
use crate::media::rtp::Header;
use crate::media::srtp::{Crypto, MasterKey, OVERHEAD, Suite};
use crate::media::{Codec, Direction, LegMedia};

/// Keys as both sides know them; `seed` makes them differ.
fn crypto(suite: Suite, seed: u8) -> Crypto {
    let key = |way: u8| {
        let octets = (0..suite.key_len() + suite.salt_len()).map(|n| n as u8 * 3 + seed * 7 + way);
        MasterKey::new(suite, Zeroizing::new(octets.collect())).unwrap()
    };
    Crypto { send: key(0), receive: key(100) }
}

fn agree(rig: &mut Rig, leg: u16, phone: &Phone, crypto: &Crypto) {
    let media = LegMedia { crypto: Some(Box::new(crypto.clone())), ..phone.media(Direction::SendRecv) };
    rig.call.configure(leg, media);
    rig.barrier(leg);
    phone.use_keys(crypto);
}

#[test]
fn a_sealed_leg_and_a_plain_one_hear_one_another_untouched() {
    for suite in Suite::ALL {
        let mut rig = Rig::new();
        let (mut caller, mut agent) = rig.bridged(Codec::Pcma, Codec::Pcma);
        agree(&mut rig, 0, &caller, &crypto(suite, 1));
        for n in 0..60 {
            let said = caller.say(n);
            assert_eq!(agent.hear().1, said, "{suite:?}");
            let said = agent.say(n + 100);
            assert_eq!(caller.hear().1, said, "{suite:?}");
        }
        let stats = rig.close(0);
        assert_eq!((stats.srtp, stats.auth_failures, stats.lost), (Some(suite), 0, 0));
        assert_eq!(rig.close(1).srtp, None);
    }
}

#[test]
fn what_is_not_sealed_with_the_peers_key_is_nobody() {
    let mut rig = Rig::new();
    let (mut caller, agent) = rig.bridged(Codec::Pcma, Codec::Pcma);
    let keys = crypto(Suite::AesCm128HmacSha1_80, 1);
    let media = LegMedia {
        // Behind a NAT: the announced address is not the one packets come from.
        remote_rtp: "127.0.0.77:9".parse().unwrap(),
        crypto: Some(Box::new(keys.clone())),
        ..caller.media(Direction::SendRecv)
    };
    rig.call.configure(0, media);
    rig.barrier(0);
    // Plain packets, by the thousand if need be, neither lock the source nor reach anyone.
    let thief = UdpSocket::bind((LOCAL, 0)).unwrap();
    for n in 0..10u16 {
        let header = Header { sequence: caller.header.sequence + n, ..caller.header };
        thief.send_to(&packet(header, &[0x2A; 160]), caller.to.rtp).unwrap();
    }
    // The first sealed packet does.
    caller.use_keys(&keys);
    let said = caller.say(1);
    assert_eq!(agent.hear().1, said);
    // Sealed with another key, from the right address: ignored. And a replay of the right one.
    let right = caller.keys.take();
    caller.use_keys(&crypto(Suite::AesCm128HmacSha1_80, 9));
    caller.say(66);
    *caller.keys.borrow_mut() = right;
    caller.header.sequence -= 1;
    let said = caller.say(2);
    assert_eq!(agent.hear().1, said);
    rig.heard(0, &mut caller, '1');
    assert_eq!(agent.hear().0.payload_type, super::rig::DTMF);
    assert!(agent.is_silent());
    let stats = rig.close(0);
    assert_eq!(stats.auth_failures + stats.strangers, 11, "{stats:?}");
    assert!(stats.auth_failures >= 1 && stats.packets_in == 3, "{stats:?}");
}

#[test]
fn keys_change_in_mid_call_without_a_gap() {
    let mut rig = Rig::new();
    let (mut caller, mut agent) = rig.bridged(Codec::Pcma, Codec::Pcma);
    let (old, new) = (crypto(Suite::AeadAes128Gcm, 1), crypto(Suite::AeadAes256Gcm, 2));
    agree(&mut rig, 0, &caller, &old);
    // Close to the wrap of the sequence, so that the roll-over counter matters below.
    caller.header.sequence = 65_530;
    for n in 0..10 {
        let said = caller.say(n);
        assert_eq!(agent.hear().1, said);
    }
    // The same keys again (a re-INVITE for hold, a session refresh): all goes on.
    agree_without_phone(&mut rig, &caller, &old);
    let said = caller.say(50);
    assert_eq!(agent.hear().1, said, "the roll-over counter is kept");
    let said = agent.say(51);
    assert_eq!(caller.hear().1, said, "and ours too");

    agree_without_phone(&mut rig, &caller, &new);
    let said = caller.say(60);
    assert_eq!(agent.hear().1, said, "sealed with the former key, on its way while it changed");
    caller.use_keys(&new);
    let said = caller.say(61);
    assert_eq!(agent.hear().1, said);
    let said = agent.say(62);
    assert_eq!(caller.hear().1, said);
    // And given up: back to plain RTP.
    rig.call.configure(0, caller.media(Direction::SendRecv));
    rig.barrier(0);
    *caller.keys.borrow_mut() = None;
    let said = caller.say(63);
    assert_eq!(agent.hear().1, said);
    assert_eq!(rig.close(0).auth_failures, 0);
}

fn agree_without_phone(rig: &mut Rig, phone: &Phone, crypto: &Crypto) {
    let media = LegMedia { crypto: Some(Box::new(crypto.clone())), ..phone.media(Direction::SendRecv) };
    rig.call.configure(0, media);
    rig.barrier(0);
}

#[test]
fn keys_of_no_use_let_nothing_through() {
    let mut rig = Rig::new();
    let (mut caller, mut agent) = rig.bridged(Codec::Pcma, Codec::Pcma);
    let mut broken = crypto(Suite::AeadAes128Gcm, 1);
    broken.send.key_and_salt.truncate(5);
    agree_without_phone(&mut rig, &caller, &broken);
    caller.say(1);
    agent.say(2);
    rig.heard(1, &mut agent, '1');
    assert!(agent.is_silent() && caller.is_silent());
    assert_eq!(rig.close(0).auth_failures, 1);
}

#[test]
fn reports_are_sealed_too_and_plain_ones_ignored() {
    let mut rig = Rig::new();
    let mut phone = rig.phone(0, Codec::Pcma);
    let keys = crypto(Suite::AesCm128HmacSha1_32, 3);
    agree(&mut rig, 0, &phone, &keys);
    rig.call.play(0, PlayId(1), sound(8_000), true);
    let (header, payload) = phone.hear();
    assert_eq!(payload, sound(8_000).alaw()[..160]);
    phone.say(1);
    let report = Report {
        ssrc: phone.header.ssrc,
        sender: None,
        block: Some(rtcp::Block {
            ssrc: header.ssrc,
            fraction_lost: 0,
            lost: 4,
            highest: 1,
            jitter: 16,
            last_report: 0,
            delay: 0,
        }),
        cname: b"phone",
        goodbye: false,
    };
    let mut compound = [0; MAX_REPORT];
    let len = report.build(&mut compound);
    phone.rtcp.send_to(&compound[..len], phone.to.rtcp).unwrap();
    let mut sealed = [0; MAX_REPORT + OVERHEAD];
    sealed[..len].copy_from_slice(&compound[..len]);
    let sealed_len = match &mut *phone.keys.borrow_mut() {
        Some((sealer, _)) => sealer.rtcp(&mut sealed, len).unwrap(),
        None => unreachable!("it has keys"),
    };
    phone.rtcp.send_to(&sealed[..sealed_len], phone.to.rtcp).unwrap();
    rig.heard(0, &mut phone, '1');
    let stats = rig.close(0);
    // The two sockets are read in any order: both reports are dealt with when the leg closes, or the
    // closing report below would not come after them.
    assert_eq!((stats.peer_lost, stats.peer_jitter_ms, stats.auth_failures), (Some(4), Some(2.0), 1));
    assert!(stats.peer_mos.is_some_and(|mos| (1.0..=4.5).contains(&mos)) && stats.mos.is_some());
    let mut buffer = [0; 512];
    let (len, _) = phone.rtcp.recv_from(&mut buffer).expect("a report");
    let plain = match &mut *phone.keys.borrow_mut() {
        Some((_, opener)) => opener.rtcp(&mut buffer[..len]).expect("sealed with our key"),
        None => unreachable!("it has keys"),
    };
    let first = rtcp::packets(&buffer[..plain]).next().unwrap().unwrap();
    assert!(matches!(first, Packet::Report { sender: Some(_), .. }), "{first:?}");
}
