//! JSON Web Signatures: the general JSON serialization (RFC 7515 §7.2.1) with EdDSA (RFC 8037), by the key that signs
//! everything else here. The vCon draft would rather see RS256, so who verifies needs a library that knows Ed25519.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Signing, der};

/// Why a signed text is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// It is no JWS in the general JSON serialization, or a part of it cannot be read.
    #[error("it is no signed vCon: {0}")]
    Malformed(&'static str),
    /// It names another algorithm.
    #[error("it is signed by another algorithm than EdDSA: verify it with another tool")]
    Algorithm,
    /// It is signed by another key than was expected.
    #[error("it is signed by the key {0}, which is not the expected one")]
    OtherKey(String),
    /// It was changed after it was signed.
    #[error("the signature does not fit: it was changed after it was signed")]
    Changed,
}

/// Signs `payload`; `header` goes along unprotected, beside our `x5c`.
pub(super) fn sign(payload: &[u8], mut header: Value, signing: &Signing<'_>) -> String {
    // `alg` is protected, so it must not stand in the unprotected header, too (RFC 7515 §7.2.1).
    let protected = json!({ "alg": "EdDSA", "kid": hex::encode(signing.public), "cty": "vcon" });
    let protected = URL_SAFE_NO_PAD.encode(protected.to_string());
    let mut input = protected.clone();
    input.push('.');
    let begins = input.len();
    URL_SAFE_NO_PAD.encode_string(payload, &mut input);
    let signature = URL_SAFE_NO_PAD.encode((signing.sign)(input.as_bytes()));
    header["x5c"] = json!([STANDARD.encode(der::certificate(signing))]);
    let signatures = json!([{ "header": header, "protected": protected, "signature": signature }]);
    // Written by hand: the payload may be long, and needs no second copy.
    let mut text = input;
    text.replace_range(..begins, "{\"payload\":\"");
    text.push_str("\",\"signatures\":");
    text.push_str(&signatures.to_string());
    text.push('}');
    text
}

/// A signed text whose signature fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Signed {
    /// What was signed.
    pub payload: Value,
    /// The key that signed it.
    pub key: [u8; 32],
}

/// The payload of a signed text, if `expected` (or, without it, the key of its own certificate, which says only
/// that it is whole) signed it.
///
/// # Errors
/// See [`JwsError`].
pub fn verify(text: &str, expected: Option<[u8; 32]>) -> Result<Value, JwsError> {
    open(text, expected).map(|signed| signed.payload)
}

/// The same, and whose key signed it. Key and UUID are named more than once; they have to be the same everywhere.
///
/// # Errors
/// See [`JwsError`].
pub fn open(text: &str, expected: Option<[u8; 32]>) -> Result<Signed, JwsError> {
    use JwsError::Malformed;
    #[derive(Deserialize)]
    struct Outer {
        payload: String,
        signatures: Vec<Signature>,
    }
    #[derive(Deserialize)]
    struct Signature {
        header: Header,
        protected: String,
        signature: String,
    }
    #[derive(Deserialize)]
    struct Header {
        x5c: Vec<String>,
        uuid: Value,
    }
    let signed: Outer = serde_json::from_str(text).map_err(|_| Malformed("the JSON is not that of a JWS"))?;
    let [one] = signed.signatures.as_slice() else { return Err(Malformed("one signature is expected")) };
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Malformed("a part is not base64url"));
    let protected: Value =
        serde_json::from_slice(&bytes(&one.protected)?).map_err(|_| Malformed("the protected header"))?;
    if protected["alg"] != "EdDSA" {
        return Err(JwsError::Algorithm);
    }
    let certificate = one.header.x5c.first().and_then(|first| STANDARD.decode(first).ok());
    let key = certificate.and_then(|certificate| der::key_of(&certificate));
    let key = key.ok_or(Malformed("x5c has no Ed25519 key"))?;
    if expected.is_some_and(|expected| expected != key) {
        return Err(JwsError::OtherKey(hex::encode(key)));
    }
    let input = format!("{}.{}", one.protected, signed.payload);
    let checked = UnparsedPublicKey::new(&ED25519, key).verify(input.as_bytes(), &bytes(&one.signature)?);
    checked.map_err(|_| JwsError::Changed)?;
    if protected["kid"] != hex::encode(key) {
        return Err(Malformed("kid names another key than x5c"));
    }
    let payload: Value =
        serde_json::from_slice(&bytes(&signed.payload)?).map_err(|_| Malformed("the payload is not JSON"))?;
    if payload["uuid"] != one.header.uuid {
        return Err(Malformed("its header names another UUID than what is signed"));
    }
    Ok(Signed { payload, key })
}
