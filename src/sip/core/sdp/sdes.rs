//! Keys in SDP (RFC 4568): `a=crypto:<tag> <suite> inline:<key and salt>|<lifetime>|<MKI>:<length> …`.
//! A line that is not understood to the end is not used, whatever it wants.

use std::fmt;

use zeroize::Zeroizing;

use crate::media::srtp::{Crypto, MasterKey, Suite};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// An `a=crypto` line. Its `Debug` shows no key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct CryptoLine<'a> {
    /// What an answer names it by.
    tag: &'a str,
    suite: &'a str,
    key: &'a str,
    parameters: &'a str,
}

impl fmt::Debug for CryptoLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CryptoLine(…)")
    }
}

impl<'a> CryptoLine<'a> {
    /// From the attribute's value; `None` when it does not even look like one.
    pub(super) fn parse(value: &'a str) -> Option<Self> {
        let mut words = value.trim().splitn(4, ' ').map(str::trim);
        let (tag, suite, key) = (words.next()?, words.next()?, words.next()?);
        let is_tag = (1..=9).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_digit());
        is_tag.then(|| Self { tag, suite, key, parameters: words.next().unwrap_or_default() })
    }

    fn suite(&self) -> Option<Suite> {
        Suite::from_name(self.suite)
    }

    /// The key, if every word of the line is understood.
    fn master_key(&self) -> Option<MasterKey> {
        // Several keys in one line need not be supported (RFC 4568 §6.1).
        let inline = self.key.get(..7).filter(|method| method.eq_ignore_ascii_case("inline:"))?.len();
        let mut parts = self.key[inline..].split('|');
        let key_and_salt = decode(parts.next()?)?;
        let mut mki = Vec::new();
        for (at, part) in parts.enumerate() {
            match part.split_once(':') {
                Some((value, length)) if mki.is_empty() => mki = name_of_key(value, length)?,
                None if at == 0 && is_lifetime(part) => {}
                Some(_) | None => return None,
            }
        }
        let understood = self.parameters.split_ascii_whitespace().all(may_be_ignored);
        let key = MasterKey::new(self.suite()?, key_and_salt).ok().filter(|_| understood)?;
        Some(MasterKey { mki, ..key })
    }
}

/// As the answerer: the line to be answered and what both sides seal with then. Of our suites, the best
/// first, the first that they offer in a way we understand.
pub(super) fn choose<'a>(offered: &[CryptoLine<'a>], keys: &[MasterKey]) -> Option<(&'a str, Crypto)> {
    keys.iter().find_map(|ours| {
        let same = offered.iter().filter(|line| line.suite() == Some(ours.suite));
        let (tag, receive) = same.filter_map(|line| Some((line.tag, line.master_key()?))).next()?;
        Some((tag, Crypto { send: ours.clone(), receive }))
    })
}

/// As the offerer: what both sides seal with after this answer. `None` when it is not an answer to one of
/// our lines (RFC 4568 §5.1.3).
pub(super) fn accept(
    answered: &[CryptoLine<'_>],
    offered: &[CryptoLine<'_>],
    keys: &[MasterKey],
) -> Option<Crypto> {
    let [line] = answered else { return None };
    offered.iter().find(|ours| ours.tag == line.tag && ours.suite() == line.suite())?;
    let send = keys.iter().find(|ours| Some(ours.suite) == line.suite())?.clone();
    Some(Crypto { send, receive: line.master_key()? })
}

/// A line's value.
pub(super) fn line(tag: &str, key: &MasterKey) -> Zeroizing<String> {
    Zeroizing::new(format!("{tag} {} inline:{}", key.suite.name(), encode(&key.key_and_salt).as_str()))
}

/// Session parameters (RFC 4568 §6.3) that change nothing for us: a hint at the replay window, a key
/// derivation rate of 0, and what says of itself that it may be ignored. All others weaken or change
/// what is done to packets.
fn may_be_ignored(parameter: &str) -> bool {
    let name = parameter.split('=').next().unwrap_or_default();
    name.eq_ignore_ascii_case("WSH") || parameter.eq_ignore_ascii_case("KDR=0") || name.starts_with('-')
}

/// `2^31` or `1000`: packets until the key is used up. No call lasts so long at the values in use.
fn is_lifetime(text: &str) -> bool {
    let digits = text.strip_prefix("2^").unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && digits.bytes().any(|b| b != b'0')
}

/// `1:4`: the number that stands for the key in each packet, and in how many octets (RFC 4568 §6.1).
fn name_of_key(value: &str, length: &str) -> Option<Vec<u8>> {
    let length = length.parse::<usize>().ok().filter(|length| (1..=128).contains(length))?;
    let octets = value.parse::<u128>().ok()?.to_be_bytes();
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    let digits = &octets[zeros..];
    let mut name = vec![0; length.checked_sub(digits.len())?];
    name.extend_from_slice(digits);
    Some(name)
}

/// Base64 (RFC 4648 §4); padding may be missing.
fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() > 2 || digits.len() % 4 == 1 {
        return None;
    }
    // As much as there will be, so that no half of a key is left behind where the buffer grew.
    let mut octets = Zeroizing::new(Vec::with_capacity(digits.len() * 3 / 4));
    let (mut bits, mut count) = (0u32, 0);
    for digit in digits.bytes() {
        let value = ALPHABET.iter().position(|known| *known == digit)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            octets.push((bits >> count & 0xFF) as u8);
        }
    }
    Some(octets)
}

fn encode(octets: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(octets.len().div_ceil(3) * 4));
    for chunk in octets.chunks(3) {
        let mut three = [0; 4];
        three[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(three);
        for at in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * at) & 0x3F) as usize];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    fn read(value: &str) -> Option<MasterKey> {
        CryptoLine::parse(value)?.master_key()
    }

    #[test]
    fn a_line_is_understood_whole_or_not_used() {
        // The key is that of RFC 4568's examples.
        let key = read(&format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}|2^20|1:4")).unwrap();
        assert_eq!(key.suite, Suite::AesCm128HmacSha1_80);
        assert_eq!(&key.key_and_salt[..4], b"YS__");
        assert_eq!(key.mki, [0, 0, 0, 1]);
        for good in
            ["", "|2^31", "|1048576", "|1:1", " WSH=128", " -x=y", " KDR=0 WSH=64", "|2^48|513:2 WSH=64"]
        {
            assert!(read(&format!("1 AES_CM_128_HMAC_SHA1_32 {KEY}{good}")).is_some(), "{good}");
        }
        for bad in [
            "|",
            "|x",
            "|0",
            "|2^",
            "|1:4|2^20",
            "|1:0",
            "|1:129",
            "|256:1",
            "|x:4",
            "|2^20|1:4|9",
            ";inline:AAAA",
            " KDR=1",
            " UNENCRYPTED_SRTCP",
            " UNENCRYPTED_SRTP",
            " UNAUTHENTICATED_SRTP",
            " FEC_ORDER=FEC_SRTP",
            " what",
        ] {
            assert!(read(&format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}{bad}")).is_none(), "{bad}");
        }
        for bad in [
            "",
            "1",
            "1 AES_CM_128_HMAC_SHA1_80",
            "x AES_CM_128_HMAC_SHA1_80 inline:AA",
            "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
            "1 AES_CM_128_HMAC_SHA1_80 inline:",
            "1 F8_128_HMAC_SHA1_80 inline:AA",
            "1 AES_CM_128_HMAC_SHA1_80 uri:AAAA",
            "1234567890 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
            "1 AES_CM_128_HMAC_SHA1_80 é:é",
        ] {
            assert!(read(bad).is_none(), "{bad}");
        }
        let gcm = format!("1 AEAD_AES_256_GCM {KEY}");
        assert!(read(&gcm).is_none(), "30 octets are no key of it");
        assert!(!format!("{:?}", CryptoLine::parse(&gcm)).contains("WVN"));
    }

    proptest! {
        #[test]
        fn base64_there_and_back(octets in proptest::collection::vec(any::<u8>(), 0..60)) {
            let text = encode(&octets);
            prop_assert_eq!(text.len() % 4, 0);
            prop_assert!(decode(&text).is_some_and(|back| *back == octets));
            prop_assert!(decode(text.trim_end_matches('=')).is_some_and(|back| *back == octets));
        }

        #[test]
        fn arbitrary_lines_do_no_harm(value in "[0-9 ]{0,3}(AES_CM_128_HMAC_SHA1_80 inline:)?\\PC{0,60}") {
            let _ = read(&value);
        }
    }
}
