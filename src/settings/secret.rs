//! Passwords on their way in: digest hashes for phones and trunks, argon2id for people.

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use aws_lc_rs::digest::{SHA256, digest};
use md5::{Digest as _, Md5};

use crate::ids::Redacted;

use super::SipCredentials;

/// The digest hashes of a SIP password, over `user:realm:password` (RFC 7616 section 3.4.2); the
/// password itself is not kept.
#[must_use]
pub fn ha1(user: &str, realm: &str, password: &str) -> SipCredentials {
    let a1 = format!("{user}:{realm}:{password}");
    SipCredentials {
        user: user.to_owned(),
        ha1_md5: Redacted(hex::encode(Md5::digest(a1.as_bytes()))),
        ha1_sha256: Redacted(hex::encode(digest(&SHA256, a1.as_bytes()))),
    }
}

/// A person's password as an argon2id PHC string. The salt is `seed` (32 random bytes the shell drew
/// for this run) and the user's name hashed together, so every user gets a salt of its own.
///
/// # Panics
/// Never: salt length and parameters are fixed and valid.
#[must_use]
pub fn hash_password(user: &str, password: &str, seed: &[u8; 32]) -> Redacted<String> {
    let salt = digest(&SHA256, &[seed.as_slice(), user.as_bytes()].concat());
    let salt = SaltString::encode_b64(&salt.as_ref()[..16]).expect("16 bytes are a valid salt");
    let hash =
        Argon2::default().hash_password(password.as_bytes(), &salt).expect("default parameters are valid");
    Redacted(hash.to_string())
}

/// Whether `password` is the one `hash` (a PHC string) was made from.
#[must_use]
pub fn verify_password(hash: &Redacted<String>, password: &str) -> bool {
    PasswordHash::new(&hash.0)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_hashes_are_those_of_the_rfc() {
        // RFC 2617 section 3.5 and RFC 7616 section 3.9.1 name user, realm and password; the hashes
        // were computed with md5sum and sha256sum.
        let made = ha1("Mufasa", "testrealm@host.com", "Circle Of Life");
        assert_eq!(made.ha1_md5.0, "939e7578ed9e3c518a452acee763bce9");
        let made = ha1("Mufasa", "http-auth@example.org", "Circle of Life");
        assert_eq!(made.ha1_sha256.0, "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232");
    }

    #[test]
    fn a_person_s_password_is_salted_and_verified() {
        let hash = hash_password("ada", "correct horse", &[1; 32]);
        assert!(hash.0.starts_with("$argon2id$"));
        assert!(verify_password(&hash, "correct horse"));
        assert!(!verify_password(&hash, "correct house"));
        assert!(!verify_password(&Redacted("nonsense".into()), "correct horse"));
        assert_ne!(hash, hash_password("bob", "correct horse", &[1; 32]));
    }
}
