//! RTP: header and payload are read, rewritten in place and measured; keys are heard.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sayso::media::dtmf::Receiver;
use sayso::media::rtcp::Reception;
use sayso::media::rtp::{View, is_rtcp};
use sayso::media::stream::{Kind, OutStream};
use sayso::time::Timestamp;

fuzz_target!(|input: &[u8]| {
    let mut digits = Receiver::default();
    let mut out = OutStream::new(1, 65_530, u32::MAX - 400);
    let mut reception: Option<Reception> = None;
    // The first octet of each packet is its length, the second the milliseconds that passed.
    let (mut rest, mut now) = (input, Timestamp::from_micros(1_000_000_000));
    while let [len, millis, tail @ ..] = rest {
        let (packet, tail) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = tail;
        now = now + std::time::Duration::from_millis(u64::from(*millis));
        let _ = is_rtcp(packet);
        let Ok(view) = View::parse(packet) else { continue };
        assert!(view.payload().end <= packet.len());
        let header = view.header;
        digits.receive(header.ssrc, header.timestamp, &packet[view.payload()], now);
        let known = reception.get_or_insert_with(|| Reception::new(header.ssrc, header.sequence));
        known.count(header.sequence);
        known.measure(header.timestamp, now);
        let kind = if header.marker {
            Kind::Event
        } else {
            Kind::Audio { samples: view.payload().len() as u32 }
        };
        let mut copy = packet.to_vec();
        if let Some(ours) = out.forward(&header, 8, kind, now) {
            let (rewritten, length) = view.rewrite(&mut copy, &ours);
            let again = View::parse(&rewritten[..length]).expect("what we write can be read");
            assert_eq!(again.header, ours);
        }
    }
});
