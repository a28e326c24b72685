//! A key of this server's own that is not in the database: it seals second factors at rest, and what a browser carries
//! while it is at a provider.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::api::desk::random;
use crate::vault::Signer;

/// What the signing key is asked to sign, so that nothing else is ever made of that signature: a certificate or an
/// export never reads like this. Ed25519 signs the same alike each time (RFC 8032 §5.1.6).
const LABEL: &[u8] = b"sayso: sealing key for second factors and sign-on, version 1";

/// See the module.
pub(in crate::api) struct Sealing(LessSafeKey);

impl Sealing {
    /// From the key that signs certificates, which all nodes of a system share; without one, a key of this process.
    pub(in crate::api) fn of(signer: Option<&Signer>) -> Self {
        let secret = signer.map_or_else(|| random().to_vec(), |signer| signer.sign(LABEL).to_vec());
        let salt = Salt::new(HKDF_SHA256, b"sayso sign-on");
        let key = salt.extract(&secret);
        let key = key.expand(&[b"aes-256-gcm"], &AES_256_GCM).expect("32 bytes are less than HKDF gives");
        Self(LessSafeKey::new(UnboundKey::from(key)))
    }

    /// Seals `plain`; `what` it is has to be said again for opening it.
    pub(in crate::api) fn seal(&self, what: &str, plain: &[u8]) -> String {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).expect("the system's random number generator answers");
        let mut sealed = plain.to_vec();
        let aad = Aad::from(what.as_bytes());
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .expect("a few hundred bytes are not too many");
        URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed; `None`: it is something else, or was sealed by another key.
    pub(in crate::api) fn open(&self, what: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let plain = self.0.open_in_place(nonce, Aad::from(what.as_bytes()), &mut sealed).ok()?;
        Some(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_by_the_same_key_for_the_same_thing() {
        let dir = tempfile::tempdir().unwrap();
        let signer = |name: &str| Signer::open(&dir.path().join(name), true).unwrap();
        let sealing = Sealing::of(Some(&signer("one.key")));
        let sealed = sealing.seal("second factor ada", b"secret");
        assert!(!sealed.contains("secret"));
        assert_ne!(sealing.seal("second factor ada", b"secret"), sealed, "each time by another nonce");
        let again = Sealing::of(Some(&signer("one.key")));
        assert_eq!(again.open("second factor ada", &sealed).as_deref(), Some(b"secret".as_slice()));
        assert_eq!(again.open("second factor bob", &sealed), None);
        for other in [Sealing::of(Some(&signer("two.key"))), Sealing::of(None)] {
            assert_eq!(other.open("second factor ada", &sealed), None);
        }
        for nonsense in ["", "AAAA", "§", &sealed[1..]] {
            assert_eq!(sealing.open("second factor ada", nonsense), None, "{nonsense}");
        }
    }
}
