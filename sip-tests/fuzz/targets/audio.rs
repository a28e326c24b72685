//! The way of audio that is decoded: jitter buffer, decoders, concealment, comfort noise.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sayso::media::Codec;
use sayso::media::playout::Playout;
use sayso::media::rtp::View;
use sayso::time::Timestamp;

fuzz_target!(|input: &[u8]| {
    let Some((choice, mut rest)) = input.split_first() else { return };
    let codecs = [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus];
    let codec = codecs[usize::from(*choice) % 4];
    let Ok(mut playout) = Playout::new(codec, 7) else { return };
    let mut now = Timestamp::from_micros(1_000_000_000);
    let mut pcm = Vec::new();
    // Each packet: its length, the milliseconds that passed, itself.
    while let [len, millis, tail @ ..] = rest {
        let (packet, tail) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = tail;
        now = now + Duration::from_millis(u64::from(*millis));
        if let Ok(view) = View::parse(packet) {
            let payload = &packet[view.payload()];
            match view.header.payload_type {
                13 => playout.noise(&view.header, payload, now),
                101 => playout.event(&view.header, now),
                other => {
                    let other = codecs[usize::from(other) % 4];
                    let _ = playout.audio(&view.header, if choice & 0x80 == 0 { codec } else { other }, payload, now);
                }
            }
        }
        pcm.clear();
        let samples = playout.rate() as usize / 50;
        playout.pull(now, samples, &mut pcm);
        assert_eq!(pcm.len(), samples);
    }
});
