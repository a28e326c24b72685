//! What is verified offline: certificates, manifests, vCons, whoever made them. A text behind `!` is signed as the content
//! of a certificate, so that what lies behind the signature is reached, too.
#![no_main]

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use libfuzzer_sys::fuzz_target;
use sayso::certificate::{verify, verify_erasure};
use sayso::export::Manifest;

fuzz_target!(|file: &[u8]| {
    let Ok(text) = std::str::from_utf8(file) else { return };
    let signed = text.strip_prefix('!').map(signed);
    let text = signed.as_deref().unwrap_or(text);
    if let Ok(verified) = verify(text, None) {
        assert!(verify(text, Some(verified.public_key)) == Ok(verified));
        assert!(verify(text, Some([0; 32])).is_err());
    }
    let _ = verify_erasure(text, None);
    let _ = sayso::export::open(text, None);
    let _ = Manifest::open(text, None);
});

/// Around content that is in canonical form, as it is signed and set out.
fn signed(content: &str) -> String {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    let (key, signature) = (hex(pair.public_key().as_ref()), hex(pair.sign(content.as_bytes()).as_ref()));
    format!(
        "{{\"algorithm\":\"Ed25519\",\"certificate\":{content},\"public_key\":\"{key}\",\"signature\":\"{signature}\"}}\n"
    )
}
