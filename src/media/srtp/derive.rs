//! Session keys out of a master key (RFC 3711 §4.3, with a key derivation rate of 0).

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;

use super::MasterKey;

/// What a session key is for (RFC 3711 §4.3.1, §4.3.2).
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Label {
    RtpKey = 0,
    RtpAuth = 1,
    RtpSalt = 2,
    RtcpKey = 3,
    RtcpAuth = 4,
    RtcpSalt = 5,
}

/// Where the label lies in the input block: its key id is as long as the index and a label, and ends
/// with the salt of 112 bits.
const LABEL_AT: usize = 7;

/// A key in counter mode. `key` is 16 or 32 octets, which [`MasterKey::new`] and the callers see to.
pub(super) fn counter_mode(key: &[u8]) -> EncryptingKey {
    let algorithm = if key.len() == 32 { &AES_256 } else { &AES_128 };
    UnboundCipherKey::new(algorithm, key)
        .and_then(EncryptingKey::ctr)
        .expect("AES takes every key of its length")
}

/// Adds the key stream that begins at block `iv` to `octets`.
pub(super) fn add_stream(key: &EncryptingKey, iv: [u8; 16], octets: &mut [u8]) {
    key.less_safe_encrypt(octets, EncryptionContext::Iv128(FixedLength::from(iv)))
        .expect("counter mode takes any length and a block as its start");
}

/// Fills `out` with the session key of `label`. A salt of 96 bits counts as one of 112 that ends with
/// zeros (RFC 7714 §11).
pub(super) fn derive(master: &MasterKey, label: Label, out: &mut [u8]) {
    let (key, salt) = master.key_and_salt.split_at(master.suite.key_len());
    let mut block = [0; 16];
    block[..salt.len()].copy_from_slice(salt);
    block[LABEL_AT] ^= label as u8;
    out.fill(0);
    add_stream(&counter_mode(key), block, out);
}
