//! STUN binding (RFC 8489, once RFC 5389) on the SIP port, with which phones keep their NAT's mapping
//! open and learn what it made of their address (RFC 5626 §8).

use std::net::{IpAddr, SocketAddr};

/// RFC 8489 §5; told from SIP by this and the first octet, which in SIP is a letter.
const COOKIE: u32 = 0x2112_a442;
/// Type, length, cookie, transaction id.
const HEADER: usize = 20;
/// Longer ones are not binding requests, and are not worth reading.
const MAX_REQUEST: usize = 548;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const FINGERPRINT: u16 = 0x8028;
/// Attributes below this must be understood (RFC 8489 §14).
const OPTIONAL: u16 = 0x8000;
/// Attributes that a request may have and that change nothing for us: USERNAME, MESSAGE-INTEGRITY, REALM,
/// NONCE, MESSAGE-INTEGRITY-SHA256: RFC 5626 asks for no credentials.
const PASSED_OVER: [u16; 5] = [0x0006, 0x0008, 0x0014, 0x0015, 0x001c];

/// Whether a datagram is STUN and not SIP.
#[must_use]
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[0] < 4 && datagram[4..8] == COOKIE.to_be_bytes()
}

/// What a datagram from `remote` is answered with; `None`: it is no well-formed binding request. An answer
/// has 20 to 52 octets, at most 32 more than its request, so there is nothing to amplify.
#[must_use]
pub fn respond(datagram: &[u8], remote: SocketAddr) -> Option<Vec<u8>> {
    if !is_stun(datagram) || datagram.len() > MAX_REQUEST || word(datagram, 0)? != BINDING_REQUEST {
        return None;
    }
    let length = usize::from(word(datagram, 2)?);
    if length % 4 != 0 || length + HEADER != datagram.len() {
        return None;
    }
    let asked = attributes(datagram)?;
    if let Some(unknown) = asked.unknown {
        let mut answer = begin(BINDING_ERROR, datagram);
        attribute(&mut answer, ERROR_CODE, &[0, 0, 4, 20]);
        attribute(&mut answer, UNKNOWN_ATTRIBUTES, &[unknown.to_be_bytes(), unknown.to_be_bytes()].concat());
        return Some(finish(answer, asked.fingerprint));
    }
    let mut answer = begin(BINDING_SUCCESS, datagram);
    attribute(&mut answer, XOR_MAPPED_ADDRESS, &xored(remote, &datagram[4..HEADER]));
    Some(finish(answer, asked.fingerprint))
}

/// What matters of a request's attributes.
struct Asked {
    /// The first that must be understood and is not.
    unknown: Option<u16>,
    fingerprint: bool,
}

/// Reads the attributes; `None`: malformed, or its fingerprint is wrong.
fn attributes(datagram: &[u8]) -> Option<Asked> {
    let mut asked = Asked { unknown: None, fingerprint: false };
    let mut at = HEADER;
    while at < datagram.len() {
        if asked.fingerprint {
            return None; // it must be the last
        }
        let (kind, length) = (word(datagram, at)?, usize::from(word(datagram, at + 2)?));
        let value = datagram.get(at + 4..at + 4 + length)?;
        if kind == FINGERPRINT {
            let wanted = (crc32(&datagram[..at]) ^ 0x5354_554e).to_be_bytes();
            if value != wanted {
                return None;
            }
            asked.fingerprint = true;
        } else if kind < OPTIONAL && !PASSED_OVER.contains(&kind) && asked.unknown.is_none() {
            asked.unknown = Some(kind);
        }
        at += 4 + length.next_multiple_of(4);
    }
    (at == datagram.len()).then_some(asked)
}

fn word(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*octets.get(at)?, *octets.get(at + 1)?]))
}

fn begin(kind: u16, request: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(64);
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&[0, 0]);
    message.extend_from_slice(&request[4..HEADER]);
    message
}

/// Adds an attribute whose value is a multiple of four octets long, and counts it in the header.
fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
    message.extend_from_slice(value);
    let length = u16::try_from(message.len() - HEADER).unwrap_or(u16::MAX);
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

/// Adds a fingerprint where the request had one (RFC 8489 §14.7: it covers the length with itself in it).
fn finish(mut message: Vec<u8>, fingerprint: bool) -> Vec<u8> {
    if fingerprint {
        attribute(&mut message, FINGERPRINT, &[0; 4]);
        let at = message.len() - 8;
        let sum = (crc32(&message[..at]) ^ 0x5354_554e).to_be_bytes();
        message[at + 4..].copy_from_slice(&sum);
    }
    message
}

/// XOR-MAPPED-ADDRESS's value (RFC 8489 §14.2); `mask` is the cookie and the transaction id.
fn xored(address: SocketAddr, mask: &[u8]) -> Vec<u8> {
    let (family, ip) = match address.ip().to_canonical() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let port = address.port().to_be_bytes();
    let mut value = vec![0, family, port[0] ^ mask[0], port[1] ^ mask[1]];
    value.extend(ip.iter().zip(mask).map(|(octet, mask)| octet ^ mask));
    value
}

/// ITU-T V.42's checksum. A request has a few dozen octets, so no table is worth its memory.
fn crc32(octets: &[u8]) -> u32 {
    let step = |sum: u32| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    !octets.iter().fold(u32::MAX, |sum, octet| (0..8).fold(sum ^ u32::from(*octet), |sum, _| step(sum)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 12] = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut start = vec![0, 0, 0, 0];
        start.extend_from_slice(&COOKIE.to_be_bytes());
        start.extend_from_slice(&ID);
        let mut message = begin(BINDING_REQUEST, &start);
        for (kind, value) in attributes {
            attribute(&mut message, *kind, value);
        }
        message
    }

    fn remote() -> SocketAddr {
        "192.0.2.1:32853".parse().unwrap()
    }

    /// The address of RFC 5769 §2.2 and its masked form there.
    #[test]
    fn the_source_address_is_told_masked() {
        let answer = respond(&request(&[]), remote()).unwrap();
        assert_eq!(answer[..8], [1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42]);
        assert_eq!(answer[8..20], ID);
        assert_eq!(answer[20..], [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        let v6 =
            respond(&request(&[]), "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap()).unwrap();
        // RFC 5769 §2.3.
        let masked =
            [0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9];
        assert_eq!((v6.len(), &v6[24..28], &v6[28..]), (44, &[0, 2, 0xa1, 0x47][..], &masked[..]));
    }

    #[test]
    fn a_fingerprint_is_checked_and_given_back() {
        let good = finish(request(&[(0x8022, b"test")]), true);
        let answer = respond(&good, remote()).unwrap();
        assert_eq!(answer.len(), 40);
        assert!(attributes(&answer[..]).is_some_and(|asked| asked.fingerprint));
        let mut bad = good;
        *bad.last_mut().unwrap() ^= 1;
        assert_eq!(respond(&bad, remote()), None);
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926, "the check value of CRC-32");
    }

    #[test]
    fn only_well_formed_requests_are_answered() {
        let unknown = respond(&request(&[(0x0006, b"user"), (0x0003, &[0; 4])]), remote()).unwrap();
        assert_eq!(unknown[..2], [1, 0x11]);
        assert!(unknown.ends_with(&[0, 0x0a, 0, 4, 0, 3, 0, 3]));
        let good = request(&[(0x8022, b"test")]);
        for length in 0..good.len() {
            assert_eq!(respond(&good[..length], remote()), None, "{length}");
        }
        let mut indication = good.clone();
        indication[1] = 0x11;
        let mut too_far = good.clone();
        too_far[23] = 200;
        for wrong in [indication, too_far, [&good[..], b"more"].concat(), request(&[(0x8022, &[0; 600])])] {
            assert_eq!(respond(&wrong, remote()), None);
        }
        assert!(!is_stun(b"OPTIONS sip:a@b SIP/2.0\r\n") && is_stun(&good));
    }
}
