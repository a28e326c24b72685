//! SRTP with keys from SDP (RFC 3711, RFC 7714; SDES by RFC 4568): what a leg's packets are sealed
//! with. Packets are sealed and opened in place; nothing is allocated for one.

mod cipher;
mod context;
mod derive;
mod source;

#[cfg(test)]
mod tests;

use std::fmt;

use zeroize::Zeroizing;

pub use context::{Opener, Sealer};

/// Octets a sealed packet is longer than a plain one, at most: a tag of AES-GCM and the word with
/// SRTCP's index.
pub const OVERHEAD: usize = 16 + 4;

/// A crypto suite of RFC 4568 §6.2 or RFC 7714 §14.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// AES counter mode with a tag of 80 bits.
    AesCm128HmacSha1_80,
    /// AES counter mode with a tag of 32 bits.
    AesCm128HmacSha1_32,
    /// AES-GCM with a key of 128 bits.
    AeadAes128Gcm,
    /// AES-GCM with a key of 256 bits.
    AeadAes256Gcm,
}

impl Suite {
    /// All of them, the strongest first.
    pub const ALL: [Self; 4] =
        [Self::AeadAes256Gcm, Self::AeadAes128Gcm, Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32];

    /// Its name in `a=crypto`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// From its name in `a=crypto`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// Octets of its master key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Octets of its master salt.
    #[must_use]
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }

    /// Octets of the tag of an RTP packet. That of an RTCP packet is ten where this says four
    /// (RFC 4568 §6.2.2).
    #[must_use]
    pub const fn tag_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 => 10,
            Self::AesCm128HmacSha1_32 => 4,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }
}

/// A master key with its salt. Its `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    /// For which suite.
    pub suite: Suite,
    /// Key, then salt.
    pub key_and_salt: Zeroizing<Vec<u8>>,
    /// The key's name in every packet (MKI, RFC 3711 §3.1), when its owner gave it one; none of ours
    /// has one.
    pub mki: Vec<u8>,
}

impl MasterKey {
    /// A key without a name.
    ///
    /// # Errors
    /// [`SrtpError::KeyLength`] when it is not `key_len() + salt_len()` octets.
    pub fn new(suite: Suite, key_and_salt: Zeroizing<Vec<u8>>) -> Result<Self, SrtpError> {
        let key = Self { suite, key_and_salt, mki: Vec::new() };
        key.check().map(|()| key)
    }

    fn check(&self) -> Result<(), SrtpError> {
        let suite = self.suite;
        let (is, wants) = (self.key_and_salt.len(), suite.key_len() + suite.salt_len());
        if is == wants { Ok(()) } else { Err(SrtpError::KeyLength { suite, is, wants }) }
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({:?}, …)", self.suite)
    }
}

/// A leg's keys, one a way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crypto {
    /// What we send is sealed with this.
    pub send: MasterKey,
    /// What the peer sends is.
    pub receive: MasterKey,
}

/// Why a packet was not sealed or not opened. It is dropped and counted; the next may fare better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SrtpError {
    /// The master key does not fit its suite.
    #[error("{} wants {wants} octets of key and salt, not {is}", suite.name())]
    KeyLength {
        /// Which suite.
        suite: Suite,
        /// How many there are.
        is: usize,
        /// How many there should be.
        wants: usize,
    },
    /// Not an RTP or RTCP packet, or too short for its tag.
    #[error("no RTP or RTCP packet, or cut short: {0} octets")]
    Malformed(usize),
    /// The buffer has no room for the tag.
    #[error("a sealed packet of {0} octets does not fit the buffer: leave OVERHEAD octets free")]
    NoRoom(usize),
    /// The tag is wrong: another key, or changed on the way.
    #[error("the packet's tag is wrong")]
    Forged,
    /// Seen before (RFC 3711 §3.3.2); or, where we seal, its number was used before.
    #[error("the packet's number was used before")]
    Replayed,
    /// So late that it cannot be told whether it was seen before.
    #[error("the packet is more than {} packets late", source::WINDOW)]
    TooLate,
    /// An RTCP packet that is only signed.
    #[error("the RTCP packet is not encrypted, though that was agreed")]
    NotEncrypted,
    /// There have been too many SSRCs.
    #[error("more than {} SSRCs with one key", source::MOST)]
    TooManySources,
    /// The key has sealed as many packets as it may (RFC 3711 §9.2).
    #[error("the key is used up: agree on another one")]
    KeyUsedUp,
}
