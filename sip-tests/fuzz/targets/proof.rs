//! What is verified offline: certificates, manifests, vCons, whoever made them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sayso::export::Manifest;

fuzz_target!(|file: &[u8]| {
    let Ok(text) = std::str::from_utf8(file) else { return };
    if let Ok(verified) = sayso::certificate::verify(text, None) {
        assert!(sayso::certificate::verify(text, Some(verified.public_key)) == Ok(verified));
    }
    let _ = sayso::export::open(text, None);
    let _ = Manifest::open(text, None);
});
