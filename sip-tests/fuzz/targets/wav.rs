//! Uploaded audio files.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let _ = sayso::prompts::wav::decode(file);
});
