//! SRTP with keys from SDP (RFC 3711, RFC 7714; SDES by RFC 4568): what a leg's packets are sealed with.

use std::fmt;

use zeroize::Zeroizing;

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

/// A master key with its salt. Its `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    /// For which suite.
    pub suite: Suite,
    /// Key, then salt.
    pub key_and_salt: Zeroizing<Vec<u8>>,
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
