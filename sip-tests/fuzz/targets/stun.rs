//! STUN requests on the SIP port: the answer is never much larger than the question.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sayso::sip::core::stun;

fuzz_target!(|input: &[u8]| {
    let from = "[2001:db8::1]:4000".parse().unwrap();
    if stun::is_stun(input)
        && let Some(answer) = stun::respond(input, from)
    {
        assert!(answer.len() <= input.len() + 128);
        assert!(stun::is_stun(&answer));
    }
});
