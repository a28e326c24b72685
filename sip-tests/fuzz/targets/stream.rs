//! A TCP stream to a SIP endpoint, in chunks: the first octet of the input says how long they are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sayso::sip::core::Transport;
use sayso_fuzz::Bench;

fuzz_target!(|input: &[u8]| {
    let Some((step, stream)) = input.split_first() else { return };
    let mut bench = Bench::new();
    bench.connect();
    for chunk in stream.chunks(usize::from(*step).max(1)) {
        bench.receive(Transport::Tcp, chunk);
    }
    bench.end();
});
