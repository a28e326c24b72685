//! Session descriptions: an offer is answered, and the answer to it read.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = input;
});
