//! Datagrams to a SIP endpoint, with calls of both ways and all that follows from them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sayso_fuzz::Bench;

fuzz_target!(|script: &[u8]| {
    let mut bench = Bench::new();
    bench.play(script);
    bench.end();
});
