//! Which SRTP suite a connection of str0m's came to: str0m does not tell, but asks its provider for ciphers, and
//! this one remembers. The question and the answer are on one thread, one after the other.

use std::cell::Cell;
use std::sync::{Arc, OnceLock};

use str0m::crypto::{
    AeadAes128GcmCipher, AeadAes256GcmCipher, Aes128CmSha1_80Cipher, CryptoProvider, SrtpProvider,
    SupportedAeadAes128Gcm, SupportedAeadAes256Gcm, SupportedAes128CmSha1_80,
};

use crate::media::srtp::Suite;

thread_local! {
    static ASKED_FOR: Cell<Option<Suite>> = const { Cell::new(None) };
}

/// The suite that ciphers were made of on this thread since the last call.
pub(super) fn asked_for() -> Option<Suite> {
    ASKED_FOR.take()
}

/// str0m's provider, with a memory.
pub(super) fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        let inner = str0m::crypto::from_feature_flags();
        INNER.get_or_init(|| inner.srtp_provider);
        Arc::new(CryptoProvider { srtp_provider: &Remembering, ..inner })
    })
}

static INNER: OnceLock<&'static dyn SrtpProvider> = OnceLock::new();

fn inner() -> &'static dyn SrtpProvider {
    *INNER.get().expect("set before a provider of this kind is given away")
}

/// Makes the ciphers of the provider it stands for.
#[derive(Debug)]
struct Remembering;

impl SrtpProvider for Remembering {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        &Remembering
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        &Remembering
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        &Remembering
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        inner().srtp_aes_128_ecb_round(key, input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        inner().srtp_aes_256_ecb_round(key, input, output);
    }
}

impl SupportedAes128CmSha1_80 for Remembering {
    fn create_cipher(&self, key: [u8; 16], encrypt: bool) -> Box<dyn Aes128CmSha1_80Cipher> {
        ASKED_FOR.set(Some(Suite::AesCm128HmacSha1_80));
        inner().aes_128_cm_sha1_80().create_cipher(key, encrypt)
    }
}

impl SupportedAeadAes128Gcm for Remembering {
    fn create_cipher(&self, key: [u8; 16], encrypt: bool) -> Box<dyn AeadAes128GcmCipher> {
        ASKED_FOR.set(Some(Suite::AeadAes128Gcm));
        inner().aead_aes_128_gcm().create_cipher(key, encrypt)
    }
}

impl SupportedAeadAes256Gcm for Remembering {
    fn create_cipher(&self, key: [u8; 32], encrypt: bool) -> Box<dyn AeadAes256GcmCipher> {
        ASKED_FOR.set(Some(Suite::AeadAes256Gcm));
        inner().aead_aes_256_gcm().create_cipher(key, encrypt)
    }
}
