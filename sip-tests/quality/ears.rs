//! Phones' ears, and what the codecs alone do to a clip: the same decoders, jitter buffers and encoders as
//! between two phones that a server connects, without the server.

use sayso::media::Codec;
use sayso::media::codec::{Decoder, Encoder};
use sayso::media::convert::Converter;
use sayso::media::playout::Playout;
use sayso::media::rtp::{HEADER, Header, View};
use sayso::time::Timestamp;

use super::wire::{Arrival, PACKET};

/// A phone hears these packets of `codec` with payload type `number`: its samples at `rate`.
pub(super) fn hear(codec: Codec, number: u8, packets: &[Arrival], rate: u32) -> Vec<i16> {
    let mut converter = Converter::new(codec.rate(), rate);
    let mut heard = Vec::new();
    play(codec, number, packets, |_, pcm| converter.convert(pcm, &mut heard));
    heard
}

/// What `packets` of one codec are as packets of another, both with payload type `number`. Between A-law and
/// µ-law each packet stands for itself; otherwise the stream is played, and encoded anew.
pub(super) fn convert(from: Codec, to: Codec, number: u8, packets: &[Arrival]) -> Vec<Arrival> {
    if from == to {
        return packets.to_vec();
    }
    if from.rate() == 8_000 && to.rate() == 8_000 {
        return packets.iter().map(|(at, datagram)| (*at, law(from, to, datagram))).collect();
    }
    let mut encoder = Encoder::new(to).expect("memory for an encoder");
    let mut converter = Converter::new(from.rate(), to.rate());
    let mut header = Header { payload_type: number, ssrc: 1, ..Header::default() };
    let mut converted = Vec::new();
    play(from, number, packets, |at, pcm| {
        let (mut samples, mut datagram) = (Vec::new(), vec![0; HEADER]);
        converter.convert(pcm, &mut samples);
        header.write(&mut datagram);
        encoder.encode(&samples, &mut datagram).expect("20 ms fill a packet");
        header.sequence = header.sequence.wrapping_add(1);
        header.timestamp = header.timestamp.wrapping_add(to.clock() / 50);
        converted.push((at, datagram));
    });
    converted
}

fn law(from: Codec, to: Codec, datagram: &[u8]) -> Vec<u8> {
    let view = View::parse(datagram).expect("a packet of ours");
    let mut pcm = Vec::new();
    let decoder = Decoder::new(from);
    decoder.expect("a table").decode(&datagram[view.payload()], &mut pcm).expect("any octets");
    let mut converted = datagram[..view.payload().start].to_vec();
    Encoder::new(to).expect("a table").encode(&pcm, &mut converted).expect("any samples");
    converted
}

/// Plays packets as they came: 20 ms at a time from when the first is due until all have been heard.
fn play(codec: Codec, number: u8, packets: &[Arrival], mut piece: impl FnMut(Timestamp, &[i16])) {
    let mut playout = Playout::new(codec, 1).expect("memory for a decoder");
    let mut coming = packets.iter().peekable();
    let end = packets.last().map(|(at, _)| *at + 10 * PACKET);
    let mut due: Option<Timestamp> = None;
    loop {
        if let Some((at, datagram)) = coming.next_if(|(at, _)| due.is_none_or(|due| *at <= due)) {
            let Ok(view) = View::parse(datagram) else { continue };
            if view.header.payload_type == number {
                let payload = &datagram[view.payload()];
                playout.audio(&view.header, codec, payload, *at).expect("a packet of this codec");
                due = due.or(playout.poll_timeout());
            }
            continue;
        }
        let Some(at) = due.filter(|at| end.is_some_and(|end| *at <= end)) else { return };
        let mut pcm = Vec::new();
        playout.pull(at, (codec.rate() / 50) as usize, &mut pcm);
        piece(at, &pcm);
        due = Some(at + PACKET);
    }
}
