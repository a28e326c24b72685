//! RTCP compounds, and the figures taken from them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sayso::media::rtcp;
use sayso::time::Timestamp;

fuzz_target!(|input: &[u8]| {
    let now = Timestamp::from_micros(1_700_000_000_000_000);
    let mut reception = rtcp::Reception::new(1, 0);
    // Each packet takes at least four octets, so the walk ends.
    for packet in rtcp::packets(input).take(input.len() + 1) {
        let Ok(packet) = packet else { break };
        for block in packet.blocks() {
            let _ = rtcp::round_trip(&block, now);
        }
        if let rtcp::Packet::Report { sender: Some(info), .. } = &packet {
            reception.sender_report(info.ntp, now);
        }
    }
    let _ = reception.block(now);
});
