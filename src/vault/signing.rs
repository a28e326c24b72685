//! The Ed25519 key (RFC 8032) that signs deletion certificates and exports: 64 hexadecimal digits of its seed in a file
//! of mode 0600, made at first start.

use std::fmt;
use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use super::error::VaultError;
use super::keys::fill;
use super::secret;

/// The signing key, ready for use.
pub struct Signer {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", hex::encode(self.public))
    }
}

impl Signer {
    /// Reads the key file, and makes it if it is not there and `may_make` (nothing was ever signed): another key would
    /// not be the one that earlier certificates are verified with.
    ///
    /// # Errors
    /// When others than the owner can reach the file, it is missing, cannot be read or made, or holds no key.
    pub fn open(path: &Path, may_make: bool) -> Result<Self, VaultError> {
        let text = match secret::read(path)? {
            Some(text) => text,
            None if may_make => {
                let mut seed = Zeroizing::new([0u8; 32]);
                fill(seed.as_mut_slice());
                let mut text = Zeroizing::new(hex::encode(seed.as_slice()));
                text.push('\n');
                secret::create(path, &text)?;
                // Another process may have been first.
                secret::read(path)?.ok_or_else(|| VaultError::SigningKeyMissing { path: path.into() })?
            }
            None => return Err(VaultError::SigningKeyMissing { path: path.into() }),
        };
        let invalid = || VaultError::KeyInvalid { path: path.into(), line: 1 };
        let mut seed = Zeroizing::new([0u8; 32]);
        hex::decode_to_slice(text.trim_end(), seed.as_mut_slice()).map_err(|_| invalid())?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map_err(|_| invalid())?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| invalid())?;
        Ok(Self { pair, public })
    }

    /// The key that verifies, for those who want to.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.public
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign(message).as_ref().try_into().expect("a signature of Ed25519 has 64 bytes")
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    #[test]
    fn the_key_is_made_once_and_signs_what_others_can_verify() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/signing.key");
        let missing = Signer::open(&path, false).expect_err("nothing may be made");
        assert!(matches!(missing, VaultError::SigningKeyMissing { .. }), "{missing}");
        assert!(!path.exists());
        let signer = Signer::open(&path, true).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path().join("keys")).unwrap().count(), 1, "no draft is left");
        for may_make in [true, false] {
            assert_eq!(Signer::open(&path, may_make).unwrap().public_key(), signer.public_key());
        }
        let signature = signer.sign(b"gone");
        let key = UnparsedPublicKey::new(&ED25519, signer.public_key());
        assert!(key.verify(b"gone", &signature).is_ok());
        assert!(key.verify(b"gonf", &signature).is_err());
        let other = Signer::open(&dir.path().join("other"), true).unwrap();
        assert_ne!(other.public_key(), signer.public_key());
        assert!(!format!("{signer:?}").contains(fs::read_to_string(&path).unwrap().trim()));
    }

    /// RFC 8032, 7.1, test 2.
    #[test]
    fn a_known_seed_gives_the_known_signature() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signing.key");
        secret::create(&path, "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb\n").unwrap();
        let signer = Signer::open(&path, false).unwrap();
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        assert_eq!(hex::encode(signer.public_key()), public);
        let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        assert_eq!(hex::encode(signer.sign(&[0x72])), signature);
    }

    #[test]
    fn a_file_that_others_reach_or_that_holds_no_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signing.key");
        let text = {
            Signer::open(&path, true).unwrap();
            fs::read_to_string(&path).unwrap()
        };
        for open_to in [0o640, 0o604, 0o620, 0o601] {
            fs::set_permissions(&path, Permissions::from_mode(open_to)).unwrap();
            let error = Signer::open(&path, true).expect_err("others can reach it");
            assert!(matches!(error, VaultError::KeyExposed { mode, .. } if mode == open_to), "{error}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        for nonsense in ["", "\n", "zz", &text[..60], &format!("{text}{text}"), "\u{e9}"] {
            fs::write(&path, nonsense).unwrap();
            let error = Signer::open(&path, true).expect_err("no key");
            assert!(matches!(error, VaultError::KeyInvalid { .. }), "{nonsense:?}: {error}");
        }
    }
}
