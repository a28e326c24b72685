//! What a suite does to one packet, once its number is known. One [`Cipher`] for RTP, one for RTCP:
//! their keys differ.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::EncryptingKey;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::derive::{Label, add_stream, counter_mode, derive};
use super::source::Place;
use super::{MasterKey, SrtpError, Suite};

/// Octets of an RTCP header, which stays readable (RFC 3711 §3.4).
pub(super) const RTCP_HEADER: usize = 8;
/// Octets of the word with SRTCP's index, and its bit that says the packet is encrypted.
const INDEX_WORD: usize = 4;
const ENCRYPTED: u32 = 1 << 31;
/// Octets of an AES-GCM tag.
const GCM_TAG: usize = 16;
/// Octets of the longest shortened HMAC-SHA1, also that of every RTCP packet.
const SHA1_TAG: usize = 10;

/// See the module.
#[expect(clippy::large_enum_variant, reason = "one of each a leg; a box would cost every packet")]
pub(super) enum Cipher {
    /// AES counter mode and a shortened HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1).
    Counter { key: EncryptingKey, salt: [u8; 14], auth: hmac::Key, tag: usize },
    /// AES-GCM (RFC 7714).
    Gcm { key: LessSafeKey, salt: [u8; 12] },
}

impl Cipher {
    pub(super) fn for_rtp(master: &MasterKey) -> Self {
        Self::new(master, [Label::RtpKey, Label::RtpAuth, Label::RtpSalt], master.suite.tag_len())
    }

    pub(super) fn for_rtcp(master: &MasterKey) -> Self {
        Self::new(master, [Label::RtcpKey, Label::RtcpAuth, Label::RtcpSalt], SHA1_TAG)
    }

    fn new(master: &MasterKey, [key_label, auth_label, salt_label]: [Label; 3], tag: usize) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        let key = &mut key[..master.suite.key_len()];
        derive(master, key_label, key);
        match master.suite {
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => {
                let mut salt = [0; 14];
                derive(master, salt_label, &mut salt);
                let mut auth = Zeroizing::new([0; 20]);
                derive(master, auth_label, &mut *auth);
                let auth = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &*auth);
                Self::Counter { key: counter_mode(key), salt, auth, tag }
            }
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => {
                let mut salt = [0; 12];
                derive(master, salt_label, &mut salt);
                let algorithm = if key.len() == 32 { &AES_256_GCM } else { &AES_128_GCM };
                let key = UnboundKey::new(algorithm, key).expect("AES takes every key of its length");
                Self::Gcm { key: LessSafeKey::new(key), salt }
            }
        }
    }

    /// Octets of a tag.
    pub(super) fn tag_len(&self) -> usize {
        match self {
            Self::Counter { tag, .. } => *tag,
            Self::Gcm { .. } => GCM_TAG,
        }
    }

    /// Octets that RTCP grows by.
    pub(super) fn rtcp_overhead(&self) -> usize {
        self.tag_len() + INDEX_WORD
    }

    /// Seals the RTP packet in `packet[..len]`, whose first `header` octets stay readable. There is room.
    pub(super) fn seal_rtp(
        &self,
        packet: &mut [u8],
        header: usize,
        len: usize,
        place: Place,
    ) -> Result<usize, SrtpError> {
        match self {
            Self::Counter { key, salt, auth, tag } => {
                add_stream(key, counter_iv(salt, place), &mut packet[header..len]);
                let mac = rtp_mac(auth, packet, len, place);
                packet[len..len + tag].copy_from_slice(&mac.as_ref()[..*tag]);
                Ok(len + tag)
            }
            Self::Gcm { key, salt } => {
                let (head, rest) = packet.split_at_mut(header);
                let (body, rest) = rest.split_at_mut(len - header);
                let mac = key
                    .seal_in_place_separate_tag(nonce(salt, place), Aad::from(head), body)
                    .map_err(|_| SrtpError::Malformed(len))?;
                rest[..GCM_TAG].copy_from_slice(mac.as_ref());
                Ok(len + GCM_TAG)
            }
        }
    }

    /// Opens an SRTP packet. `mki` is what must stand beside the tag.
    pub(super) fn open_rtp(
        &self,
        packet: &mut [u8],
        header: usize,
        mki: &[u8],
        place: Place,
    ) -> Result<usize, SrtpError> {
        let trailer = self.tag_len() + mki.len();
        let plain = packet.len().checked_sub(trailer).filter(|plain| *plain >= header);
        let plain = plain.ok_or(SrtpError::Malformed(packet.len()))?;
        match self {
            Self::Counter { key, salt, auth, tag } => {
                let mut theirs = [0; SHA1_TAG];
                let theirs = &mut theirs[..*tag];
                theirs.copy_from_slice(&packet[plain + mki.len()..]);
                is_named(&packet[plain..plain + mki.len()], mki)?;
                let mac = rtp_mac(auth, packet, plain, place);
                verify_slices_are_equal(&mac.as_ref()[..*tag], theirs).map_err(|_| SrtpError::Forged)?;
                add_stream(key, counter_iv(salt, place), &mut packet[header..plain]);
            }
            Self::Gcm { key, salt } => {
                is_named(&packet[plain + GCM_TAG..], mki)?;
                let (head, body) = packet[..plain + GCM_TAG].split_at_mut(header);
                key.open_in_place(nonce(salt, place), Aad::from(head), body)
                    .map_err(|_| SrtpError::Forged)?;
            }
        }
        Ok(plain)
    }

    /// Seals the RTCP packet in `packet[..len]`. There is room.
    pub(super) fn seal_rtcp(&self, packet: &mut [u8], len: usize, place: Place) -> Result<usize, SrtpError> {
        let word = index_word(place);
        match self {
            Self::Counter { key, salt, auth, tag } => {
                add_stream(key, counter_iv(salt, place), &mut packet[RTCP_HEADER..len]);
                let signed = len + INDEX_WORD;
                packet[len..signed].copy_from_slice(&word);
                let mac = hmac::sign(auth, &packet[..signed]);
                packet[signed..signed + tag].copy_from_slice(&mac.as_ref()[..*tag]);
                Ok(signed + tag)
            }
            Self::Gcm { key, salt } => {
                let aad = rtcp_aad(packet, word);
                let mac = key
                    .seal_in_place_separate_tag(
                        nonce(salt, place),
                        Aad::from(aad),
                        &mut packet[RTCP_HEADER..len],
                    )
                    .map_err(|_| SrtpError::Malformed(len))?;
                packet[len..len + GCM_TAG].copy_from_slice(mac.as_ref());
                packet[len + GCM_TAG..][..INDEX_WORD].copy_from_slice(&word);
                Ok(len + GCM_TAG + INDEX_WORD)
            }
        }
    }

    /// The index that an SRTCP packet says it has.
    pub(super) fn rtcp_index(&self, packet: &[u8], mki: &[u8]) -> Result<u32, SrtpError> {
        let behind = match self {
            Self::Counter { tag, .. } => tag + mki.len(),
            Self::Gcm { .. } => mki.len(),
        };
        let word = packet.len().checked_sub(behind).and_then(|end| packet[..end].last_chunk());
        let word = u32::from_be_bytes(*word.ok_or(SrtpError::Malformed(packet.len()))?);
        if word & ENCRYPTED == 0 {
            return Err(SrtpError::NotEncrypted);
        }
        Ok(word & !ENCRYPTED)
    }

    /// Opens an SRTCP packet.
    pub(super) fn open_rtcp(&self, packet: &mut [u8], mki: &[u8], place: Place) -> Result<usize, SrtpError> {
        let trailer = self.rtcp_overhead() + mki.len();
        let plain = packet.len().checked_sub(trailer).filter(|plain| *plain >= RTCP_HEADER);
        let plain = plain.ok_or(SrtpError::Malformed(packet.len()))?;
        match self {
            Self::Counter { key, salt, auth, tag } => {
                let signed = plain + INDEX_WORD;
                is_named(&packet[signed..signed + mki.len()], mki)?;
                let mac = hmac::sign(auth, &packet[..signed]);
                verify_slices_are_equal(&mac.as_ref()[..*tag], &packet[signed + mki.len()..])
                    .map_err(|_| SrtpError::Forged)?;
                add_stream(key, counter_iv(salt, place), &mut packet[RTCP_HEADER..plain]);
            }
            Self::Gcm { key, salt } => {
                is_named(&packet[plain + GCM_TAG + INDEX_WORD..], mki)?;
                let aad = rtcp_aad(packet, index_word(place));
                key.open_in_place(
                    nonce(salt, place),
                    Aad::from(aad),
                    &mut packet[RTCP_HEADER..plain + GCM_TAG],
                )
                .map_err(|_| SrtpError::Forged)?;
            }
        }
        Ok(plain)
    }
}

fn is_named(is: &[u8], mki: &[u8]) -> Result<(), SrtpError> {
    if is == mki { Ok(()) } else { Err(SrtpError::Forged) }
}

/// HMAC of the packet and its roll-over counter (RFC 3711 §4.2), which is written where the tag goes:
/// what is signed lies in one piece then.
fn rtp_mac(auth: &hmac::Key, packet: &mut [u8], len: usize, place: Place) -> hmac::Tag {
    let roll_over = &(place.index << 16).to_be_bytes()[..4];
    packet[len..len + 4].copy_from_slice(roll_over);
    hmac::sign(auth, &packet[..len + 4])
}

/// The first block of the key stream (RFC 3711 §4.1.1).
fn counter_iv(salt: &[u8; 14], place: Place) -> [u8; 16] {
    let number = u128::from(place.ssrc) << 64 | u128::from(place.index) << 16;
    let mut iv = number.to_be_bytes();
    for (octet, salt) in iv.iter_mut().zip(salt) {
        *octet ^= salt;
    }
    iv
}

/// Two zeros, the SSRC, and 48 bits of index: roll-over counter and sequence number of RTP (RFC 7714
/// §8.1), the shorter index of RTCP (§9.1).
fn nonce(salt: &[u8; 12], place: Place) -> Nonce {
    let number = u128::from(place.ssrc) << 48 | u128::from(place.index);
    let mut nonce = [0; 12];
    nonce.copy_from_slice(&number.to_be_bytes()[4..]);
    for (octet, salt) in nonce.iter_mut().zip(salt) {
        *octet ^= salt;
    }
    Nonce::assume_unique_for_key(nonce)
}

fn index_word(place: Place) -> [u8; INDEX_WORD] {
    let index = u32::try_from(place.index).expect("an SRTCP index has 31 bits");
    (ENCRYPTED | index).to_be_bytes()
}

/// What AES-GCM signs beside an RTCP packet's body: its header and the word with the index (RFC 7714 §9.2).
fn rtcp_aad(packet: &[u8], word: [u8; INDEX_WORD]) -> [u8; RTCP_HEADER + INDEX_WORD] {
    let mut aad = [0; RTCP_HEADER + INDEX_WORD];
    aad[..RTCP_HEADER].copy_from_slice(&packet[..RTCP_HEADER]);
    aad[RTCP_HEADER..].copy_from_slice(&word);
    aad
}
