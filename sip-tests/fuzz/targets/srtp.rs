//! SRTP and SRTCP: what is not sealed by the peer does not open, and nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sayso::media::srtp::{MasterKey, Opener, Suite};

fuzz_target!(|input: &[u8]| {
    let Some((choice, packets)) = input.split_first() else { return };
    let suite = Suite::ALL[usize::from(*choice) % Suite::ALL.len()];
    let key = MasterKey::new(suite, vec![7; suite.key_len() + suite.salt_len()].into()).unwrap();
    let mut opener = Opener::new(&key).unwrap();
    for packet in packets.split(|octet| *octet == 0xFE) {
        let mut packet = packet.to_vec();
        if choice & 0x80 == 0 {
            let _ = opener.rtp(&mut packet);
        } else {
            let _ = opener.rtcp(&mut packet);
        }
    }
});
