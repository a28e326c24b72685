use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, LessSafeKey, UnboundKey};
use proptest::prelude::*;

use super::cipher::Cipher;
use super::derive::{Label, add_stream, counter_mode, derive};
use super::source::{Place, Sources};
use super::*;
use crate::media::rtp::{HEADER, Header};

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.replace([' ', '\n'], "")).unwrap()
}

fn key(suite: Suite, seed: u8) -> MasterKey {
    let octets = (0..suite.key_len() + suite.salt_len()).map(|n| seed.wrapping_add(n as u8)).collect();
    MasterKey::new(suite, Zeroizing::new(octets)).unwrap()
}

fn pair(suite: Suite) -> (Sealer, Opener) {
    (Sealer::new(&key(suite, 1)).unwrap(), Opener::new(&key(suite, 1)).unwrap())
}

fn rtp(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; HEADER];
    Header { payload_type: 8, sequence, ssrc, ..Header::default() }.write(&mut packet);
    packet.extend_from_slice(payload);
    packet
}

fn sealed(sealer: &mut Sealer, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + OVERHEAD, 0);
    let len = sealer.rtp(&mut buffer, packet.len())?;
    buffer.truncate(len);
    Ok(buffer)
}

fn sealed_rtcp(sealer: &mut Sealer, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + OVERHEAD, 0);
    let len = sealer.rtcp(&mut buffer, packet.len())?;
    buffer.truncate(len);
    Ok(buffer)
}

fn opened(opener: &mut Opener, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = packet.to_vec();
    let len = opener.rtp(&mut buffer)?;
    buffer.truncate(len);
    Ok(buffer)
}

fn opened_rtcp(opener: &mut Opener, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = packet.to_vec();
    let len = opener.rtcp(&mut buffer)?;
    buffer.truncate(len);
    Ok(buffer)
}

/// RFC 3711 B.3.
#[test]
fn keys_are_derived_as_in_rfc_3711() {
    let octets = hex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
    let master = MasterKey::new(Suite::AesCm128HmacSha1_80, Zeroizing::new(octets)).unwrap();
    let of = |label, len| {
        let mut out = vec![0xFF; len];
        derive(&master, label, &mut out);
        out
    };
    assert_eq!(of(Label::RtpKey, 16), hex("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(of(Label::RtpSalt, 14), hex("30CBBC08863D8C85D49DB34A9AE1"));
    assert_eq!(of(Label::RtpAuth, 20), hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
}

/// RFC 3711 B.2.
#[test]
fn the_key_stream_is_that_of_rfc_3711() {
    let key = counter_mode(&hex("2B7E151628AED2A6ABF7158809CF4F3C"));
    let at = |counter: u16| {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"));
        iv[14..].copy_from_slice(&counter.to_be_bytes());
        let mut stream = [0; 48];
        add_stream(&key, iv, &mut stream);
        stream.to_vec()
    };
    let first =
        "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0";
    assert_eq!(at(0), hex(first));
    let last =
        "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44";
    assert_eq!(at(0xFEFF), hex(last));
}

/// The master key of RFC 3711 B.3 and a packet that other implementations test themselves with.
#[test]
fn counter_mode_packets_are_those_of_others() {
    let octets = hex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
    let master = MasterKey::new(Suite::AesCm128HmacSha1_80, Zeroizing::new(octets)).unwrap();
    let plain = hex("800f1234decafbadcafebabe abababababababababababababababab");
    let wire = hex("800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb");
    assert_eq!(sealed(&mut Sealer::new(&master).unwrap(), &plain).unwrap(), wire);
    assert_eq!(opened(&mut Opener::new(&master).unwrap(), &wire).unwrap(), plain);

    let plain = hex("81c8000bcafebabe abababababababababababababababab");
    let wire = hex("81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798");
    assert_eq!(opened_rtcp(&mut Opener::new(&master).unwrap(), &wire).unwrap(), plain);
    let mut sealer = Sealer::new(&master).unwrap();
    sealed_rtcp(&mut sealer, &plain).unwrap();
    assert_eq!(sealed_rtcp(&mut sealer, &plain).unwrap(), wire, "the second packet has index 1");
}

/// The session key and salt of RFC 7714 §16 and §17.
fn rfc_7714(suite: Suite) -> Cipher {
    let octets: Vec<u8> = (0..32).collect();
    let (algorithm, len) =
        if suite == Suite::AeadAes256Gcm { (&AES_256_GCM, 32) } else { (&AES_128_GCM, 16) };
    let key = LessSafeKey::new(UnboundKey::new(algorithm, &octets[..len]).unwrap());
    Cipher::Gcm { key, salt: *b"Quid pro quo" }
}

fn place_rtp(ssrc: u32, sequence: u16) -> Place {
    Sources::default().place_rtp(ssrc, sequence).unwrap()
}

/// RFC 7714 §16.1.1, §16.1.2, §16.2.1, §16.2.2.
#[test]
fn gcm_packets_are_those_of_rfc_7714() {
    let plain = [&hex("8040f17b 8041f8d3 5501a0b2")[..], b"Gallia est omnis divisa in partes tres"].concat();
    for (suite, body) in [
        (
            Suite::AeadAes128Gcm,
            "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833\
             899d7f27beb16a9152cf765ee4390cce",
        ),
        (
            Suite::AeadAes256Gcm,
            "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b\
             7aa3db36dfffd6b0f9bb7878d7a76c13",
        ),
    ] {
        let cipher = rfc_7714(suite);
        let place = place_rtp(0x5501_a0b2, 0xf17b);
        let mut buffer = plain.clone();
        buffer.resize(plain.len() + 16, 0);
        assert_eq!(cipher.seal_rtp(&mut buffer, HEADER, plain.len(), place).unwrap(), buffer.len());
        assert_eq!(buffer[HEADER..], hex(body), "{suite:?}");
        assert_eq!(cipher.open_rtp(&mut buffer, HEADER, &[], place).unwrap(), plain.len());
        assert_eq!(buffer[..plain.len()], plain, "{suite:?}");
    }
}

/// RFC 7714 §17.1, §17.2; §17.3 has a packet that is only signed.
#[test]
fn gcm_rtcp_packets_are_those_of_rfc_7714() {
    let plain = hex("81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
        deadbeef deadbeef deadbeef deadbeef deadbeef");
    for (suite, wire) in [
        (
            Suite::AeadAes128Gcm,
            "81c8000d4d617273 63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b46\
             86303ded0bb9275b c84aa45896cf4d2fc5abf87245d9eade 800005d4",
        ),
        (
            Suite::AeadAes256Gcm,
            "81c8000d4d617273 d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658\
             c61de0476f1b6fad 1d1eb30c4446839f57ff6f6cb26ac3be 800005d4",
        ),
    ] {
        let cipher = rfc_7714(suite);
        let mut buffer = hex(wire);
        let index = cipher.rtcp_index(&buffer, &[]).unwrap();
        assert_eq!(index, 0x5d4);
        let place = Sources::default().place_rtcp(0x4d61_7273, index).unwrap();
        assert_eq!(cipher.open_rtcp(&mut buffer, &[], place).unwrap(), plain.len());
        assert_eq!(buffer[..plain.len()], plain, "{suite:?}");
        assert_eq!(cipher.seal_rtcp(&mut buffer, plain.len(), place).unwrap(), buffer.len());
        assert_eq!(buffer, hex(wire), "{suite:?}");
    }
    let signed = [&plain[..], &hex("841dd9683dd78ec92ae58790125f62b3 000005d4")].concat();
    let cipher = rfc_7714(Suite::AeadAes128Gcm);
    assert_eq!(cipher.rtcp_index(&signed, &[]), Err(SrtpError::NotEncrypted));
}

#[test]
fn suites_have_their_names_and_sizes() {
    for suite in Suite::ALL {
        assert_eq!(Suite::from_name(suite.name()), Some(suite));
        assert_eq!(Suite::from_name(&suite.name().to_lowercase()), Some(suite));
        let short = Zeroizing::new(vec![0; suite.key_len() + suite.salt_len() - 1]);
        assert!(matches!(MasterKey::new(suite, short.clone()), Err(SrtpError::KeyLength { .. })));
        let short = MasterKey { suite, key_and_salt: short, mki: Vec::new() };
        assert!(Sealer::new(&short).is_err() && Opener::new(&short).is_err());
    }
    assert_eq!(Suite::from_name("F8_128_HMAC_SHA1_80"), None);
}

#[test]
fn keys_are_never_shown() {
    let secret = MasterKey::new(Suite::AesCm128HmacSha1_80, Zeroizing::new(vec![65; 30])).unwrap();
    let shown = format!(
        "{secret:?} {:?} {:?} {:?}",
        Crypto { send: secret.clone(), receive: secret.clone() },
        Sealer::new(&secret).unwrap(),
        Opener::new(&secret).unwrap()
    );
    assert!(!shown.contains("65") && !shown.contains("AAA"), "{shown}");
    assert!(shown.contains("AesCm128HmacSha1_80"));
}

#[test]
fn a_number_is_sealed_once_and_opened_once() {
    for suite in Suite::ALL {
        let (mut sealer, mut opener) = pair(suite);
        let packets: Vec<_> = [10, 11, 13, 12, 200]
            .into_iter()
            .map(|sequence| sealed(&mut sealer, &rtp(7, sequence, b"hello")).unwrap())
            .collect();
        for again in [10, 12, 100] {
            let fault = sealed(&mut sealer, &rtp(7, again, b"other")).unwrap_err();
            assert!(matches!(fault, SrtpError::Replayed | SrtpError::TooLate), "{fault}");
        }
        for packet in &packets {
            opened(&mut opener, packet).unwrap();
        }
        assert_eq!(opened(&mut opener, &packets[4]), Err(SrtpError::Replayed));
        assert_eq!(opened(&mut opener, &packets[0]), Err(SrtpError::TooLate));
        let report = hex("80c90001 00000007");
        let sealed = sealed_rtcp(&mut sealer, &report).unwrap();
        assert_eq!(sealed.len(), report.len() + 4 + if suite.tag_len() == 16 { 16 } else { 10 });
        assert_eq!(opened_rtcp(&mut opener, &sealed).unwrap(), report);
        assert_eq!(opened_rtcp(&mut opener, &sealed), Err(SrtpError::Replayed));
    }
}

#[test]
fn a_sender_may_name_its_key() {
    for suite in Suite::ALL {
        let (mut sealer, _) = pair(suite);
        let named = MasterKey { mki: vec![0, 0, 0, 9], ..key(suite, 1) };
        let mut opener = Opener::new(&named).unwrap();
        let packet = rtp(7, 1, b"hello");
        let plain = sealed(&mut sealer, &packet).unwrap();
        // The name stands before a tag of HMAC, behind one of AES-GCM (RFC 3711 §3.1, RFC 7714 §7.1).
        let at = if suite.tag_len() == 16 { plain.len() } else { plain.len() - suite.tag_len() };
        let with = |name: &[u8]| [&plain[..at], name, &plain[at..]].concat();
        assert_eq!(opened(&mut opener, &plain), Err(SrtpError::Forged));
        assert_eq!(opened(&mut opener, &with(&[0, 0, 0, 8])), Err(SrtpError::Forged));
        assert_eq!(opened(&mut opener, &with(&[0, 0, 0, 9])).unwrap(), packet, "{suite:?}");

        let report = hex("80c90001 00000007");
        let plain = sealed_rtcp(&mut sealer, &report).unwrap();
        let at = if suite.tag_len() == 16 { plain.len() } else { plain.len() - 10 };
        let with = [&plain[..at], &[0, 0, 0, 9], &plain[at..]].concat();
        assert_eq!(opened_rtcp(&mut opener, &with).unwrap(), report, "{suite:?}");
    }
}

#[test]
fn the_header_with_all_its_parts_stays_readable() {
    for suite in Suite::ALL {
        let (mut sealer, mut opener) = pair(suite);
        let head = hex("b1c80001 00000002 00000003 00000004 bede0001 01020304");
        let packet = [&head[..], b"payload\x01"].concat();
        let wire = sealed(&mut sealer, &packet).unwrap();
        assert_eq!(wire[..head.len()], head);
        assert_ne!(wire[head.len()..packet.len()], packet[head.len()..]);
        assert_eq!(opened(&mut opener, &wire).unwrap(), packet);
    }
}

#[test]
fn no_room_is_said_before_anything_is_touched() {
    for suite in Suite::ALL {
        let (mut sealer, _) = pair(suite);
        let packet = rtp(7, 1, b"hello");
        let mut tight = packet.clone();
        tight.resize(packet.len() + suite.tag_len() - 1, 0);
        assert!(matches!(sealer.rtp(&mut tight, packet.len()), Err(SrtpError::NoRoom(_))));
        assert_eq!(tight[..packet.len()], packet);
        assert!(sealed(&mut sealer, &packet).is_ok(), "the number was not used");
        assert_eq!(sealer.rtp(&mut tight, 500), Err(SrtpError::NoRoom(500)));
        assert_eq!(
            sealer.rtcp(&mut hex("80c90001 00000007"), 8),
            Err(SrtpError::NoRoom(8 + if suite.tag_len() == 16 { 20 } else { 14 }))
        );
    }
}

fn any_suite() -> impl Strategy<Value = Suite> {
    (0..Suite::ALL.len()).prop_map(|at| Suite::ALL[at])
}

proptest! {
    /// Each packet arrives whole and once, whatever the network does to it within the window, and across
    /// roll-overs of the sequence number.
    #[test]
    fn what_is_sealed_is_opened_once(
        suite in any_suite(),
        first in prop_oneof![any::<u16>(), 65_400u16..=65_535],
        fates in proptest::collection::vec((0u8..10, 0usize..30, proptest::collection::vec(any::<u8>(), 0..40)), 1..200),
    ) {
        let (mut sealer, mut opener) = pair(suite);
        let mut wires = Vec::new();
        for (n, (fate, late, payload)) in fates.iter().enumerate() {
            let packet = rtp(9, first.wrapping_add(n as u16), payload);
            let wire = sealed(&mut sealer, &packet).unwrap();
            // The first packet sets the roll-over counter: it is neither lost nor late.
            let (fate, late) = if n == 0 { (9, 0) } else { (*fate, *late) };
            match fate {
                0 => {}
                1 => wires.extend([(n, packet.clone(), wire.clone()), (n + late, packet, wire)]),
                2 | 3 => wires.push((n + late, packet, wire)),
                _ => wires.push((n, packet, wire)),
            }
        }
        wires.sort_by_key(|(at, ..)| *at);
        let mut seen = std::collections::HashSet::new();
        for (_, packet, wire) in wires {
            let expected = if seen.insert(packet.clone()) { Ok(packet) } else { Err(SrtpError::Replayed) };
            prop_assert_eq!(opened(&mut opener, &wire), expected);
        }
    }

    /// Long losses: the roll-over counter is right as long as less than half its span is missing.
    #[test]
    fn the_roll_over_counter_follows(
        suite in any_suite(), first in 0u16..0x8000, steps in proptest::collection::vec(1u16..0x8000, 1..60),
    ) {
        let (mut sealer, mut opener) = pair(suite);
        let mut sequence = first;
        for step in steps {
            let packet = rtp(9, sequence, b"x");
            let wire = sealed(&mut sealer, &packet).unwrap();
            prop_assert_eq!(opened(&mut opener, &wire), Ok(packet));
            sequence = sequence.wrapping_add(step);
        }
    }

    /// A changed bit anywhere is noticed, and does the next packets no harm.
    #[test]
    fn a_changed_packet_is_refused(
        suite in any_suite(), payload in proptest::collection::vec(any::<u8>(), 0..60), flip in any::<u16>(), bit in 0u8..8,
    ) {
        let (mut sealer, mut opener) = pair(suite);
        let first = sealed(&mut sealer, &rtp(9, 100, b"first")).unwrap();
        opened(&mut opener, &first).unwrap();
        let packet = rtp(9, 101, &payload);
        let wire = sealed(&mut sealer, &packet).unwrap();
        let mut changed = wire.clone();
        let at = usize::from(flip) % wire.len();
        changed[at] ^= 1 << bit;
        prop_assert!(opened(&mut opener, &changed).is_err());
        prop_assert!(opened(&mut opener, &wire[..usize::from(flip) % wire.len()]).is_err());
        prop_assert_eq!(opened(&mut opener, &wire), Ok(packet));

        let report = [&hex("80c90001 00000009")[..], &payload].concat();
        let wire = sealed_rtcp(&mut sealer, &report).unwrap();
        let mut changed = wire.clone();
        let at = usize::from(flip) % wire.len();
        changed[at] ^= 1 << bit;
        prop_assert!(opened_rtcp(&mut opener, &changed).is_err());
        prop_assert_eq!(opened_rtcp(&mut opener, &wire), Ok(report));
    }

    /// Another key opens nothing.
    #[test]
    fn a_strangers_packet_is_refused(suite in any_suite(), sequence in any::<u16>(), seed in 2u8..) {
        let mut sealer = Sealer::new(&key(suite, seed)).unwrap();
        let mut opener = Opener::new(&key(suite, 1)).unwrap();
        let wire = sealed(&mut sealer, &rtp(9, sequence, b"secret")).unwrap();
        // A tag of 32 bits is guessed once in 2^32 packets.
        prop_assert_eq!(opened(&mut opener, &wire), Err(SrtpError::Forged));
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(
        suite in any_suite(), bytes in proptest::collection::vec(any::<u8>(), 0..120), version in any::<bool>(),
        mki in proptest::collection::vec(any::<u8>(), 0..6), len in 0usize..140,
    ) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut().filter(|_| version) {
            *first = *first & 0x3F | 0x80;
        }
        let mut sealer = Sealer::new(&key(suite, 1)).unwrap();
        let mut opener = Opener::new(&MasterKey { mki, ..key(suite, 1) }).unwrap();
        prop_assert!(opener.rtp(&mut bytes.clone()).is_err());
        prop_assert!(opener.rtcp(&mut bytes.clone()).is_err());
        let mut buffer = bytes.clone();
        if let Ok(sealed) = sealer.rtp(&mut buffer, len) {
            prop_assert_eq!(sealed, len + suite.tag_len());
        }
        let _ = sealer.rtcp(&mut bytes, len);
    }
}
