//! A certificate for our signing key. The vCon draft wants an `x5c` beside each signature (§ "Signed Form of vCon Object"),
//! so the key is wrapped in the smallest certificate there is: X.509 v1 without extensions, signed by itself, the same
//! bytes each time. It proves no identity; whoever trusts the key knows it by `sayso certificate key`.

use aws_lc_rs::digest::{SHA256, digest};

use super::Signing;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const UTF8: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// AlgorithmIdentifier of Ed25519, without parameters (RFC 8410 §3).
const ED25519: [u8; 7] = [SEQUENCE, 5, 0x06, 3, 0x2b, 0x65, 0x70];
/// The OID of commonName (2.5.4.3).
const COMMON_NAME: [u8; 5] = [0x06, 3, 0x55, 0x04, 0x03];
/// A SubjectPublicKeyInfo of Ed25519 up to the key itself.
const KEY_FOLLOWS: [u8; 12] = [SEQUENCE, 42, SEQUENCE, 5, 0x06, 3, 0x2b, 0x65, 0x70, BIT_STRING, 33, 0];

/// The certificate (RFC 5280 §4.1), DER.
pub(super) fn certificate(signing: &Signing<'_>) -> Vec<u8> {
    let mark = digest(&SHA256, &signing.public);
    // Positive, not zero, and of the key alone.
    let mut serial = [0; 8];
    serial.copy_from_slice(&mark.as_ref()[..8]);
    serial[0] = (serial[0] & 0x7f) | 0x40;
    let name = format!("Sayso signing key {}", hex::encode(&signing.public[..8]));
    let name = tagged(
        SEQUENCE,
        &tagged(SET, &tagged(SEQUENCE, &[&COMMON_NAME[..], &tagged(UTF8, name.as_bytes())].concat())),
    );
    // No end that is known (RFC 5280 §4.1.2.5): it holds as long as the key does.
    let validity =
        [tagged(UTC_TIME, b"700101000000Z"), tagged(GENERALIZED_TIME, b"99991231235959Z")].concat();
    let told = [
        tagged(INTEGER, &serial),
        ED25519.to_vec(),
        name.clone(),
        tagged(SEQUENCE, &validity),
        name,
        [&KEY_FOLLOWS[..], &signing.public].concat(),
    ];
    let told = tagged(SEQUENCE, &told.concat());
    let signature = (signing.sign)(&told);
    let signature = tagged(BIT_STRING, &[&[0][..], &signature].concat());
    tagged(SEQUENCE, &[told, ED25519.to_vec(), signature].concat())
}

/// The Ed25519 key of a certificate; `None`: it has none.
pub(super) fn key_of(certificate: &[u8]) -> Option<[u8; 32]> {
    let at = certificate.windows(KEY_FOLLOWS.len()).position(|window| window == KEY_FOLLOWS)?;
    certificate.get(at + KEY_FOLLOWS.len()..)?.first_chunk().copied()
}

/// Tag, length, value.
fn tagged(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len().to_be_bytes();
    let long: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut out = vec![tag];
    match long.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        bytes => {
            out.push(0x80 | u8::try_from(bytes.len()).expect("a length has at most 8 bytes"));
            out.extend_from_slice(bytes);
        }
    }
    out.extend_from_slice(value);
    out
}
