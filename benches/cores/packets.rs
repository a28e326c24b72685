//! What comes from the network and goes to it: SIP, SDP, RTP.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use sayso::media::rtp::{HEADER, Header, View};
use sayso::media::srtp::{MasterKey, Opener, Sealer, Suite};
use sayso::media::stream::{Kind, OutStream};
use sayso::sip::core::sdp::{self, Terms};
use zeroize::Zeroizing;

use crate::scene::{self, START};
use crate::speech;

pub(crate) fn benches(criterion: &mut Criterion) {
    sip(criterion);
    descriptions(criterion);
    rtp(criterion);
    srtp(criterion);
}

/// A call through the endpoint: three requests parsed, three responses built, and all that lies between.
fn sip(criterion: &mut Criterion) {
    let mut scene = scene::endpoint::Scene::new();
    assert_eq!(scene.call(), [100, 200, 200]);
    criterion.bench_function("sip/a call: INVITE, 100, 200, ACK, BYE, 200", |bencher| {
        bencher.iter(|| black_box(scene.call()));
    });
    assert!(scene.ends_idle(), "the endpoint holds nothing of what is over");
    let invite = scene::endpoint::request("INVITE", 1, None);
    let parse = || sipx_sip::parse_datagram(black_box(invite.clone()), &sipx_sip::Limits::datagram());
    assert!(parse().is_ok(), "the INVITE is one");
    let mut group = criterion.benchmark_group("sip");
    group.throughput(Throughput::Bytes(invite.len() as u64));
    group.bench_function("parse an INVITE", |bencher| {
        bencher.iter(|| black_box(parse()).is_ok());
    });
    group.finish();
}

fn descriptions(criterion: &mut Criterion) {
    let (offer, local, terms) =
        (scene::endpoint::OFFER.as_bytes(), scene::endpoint::local(), Terms::default());
    let (answer, agreed) = sdp::answer(offer, &local, &terms).expect("G.711 is offered");
    assert!(answer.starts_with(b"v=0\r\n") && agreed.payload_type == 8 && agreed.dtmf.is_some());
    criterion.bench_function("sdp/parse an offer and build the answer", |bencher| {
        bencher.iter(|| black_box(sdp::answer(black_box(offer), &local, &terms)).is_ok());
    });
    let ours = sdp::offer(&local, &terms);
    assert!(sdp::accept(&answer, &ours, &local, &terms).is_ok(), "our own answer fits our offer");
    criterion.bench_function("sdp/build an offer", |bencher| {
        bencher.iter(|| black_box(sdp::offer(&local, &terms)));
    });
    criterion.bench_function("sdp/parse an answer", |bencher| {
        bencher.iter(|| black_box(sdp::accept(black_box(&answer), &ours, &local, &terms)).is_ok());
    });
}

/// A packet of 20 ms of speech in A-law, as a phone sends it.
fn packet(n: u16) -> [u8; HEADER + 160] {
    let header =
        Header { marker: false, payload_type: 8, sequence: n, timestamp: u32::from(n) * 160, ssrc: 0x5050 };
    let mut packet = [0; HEADER + 160];
    header.write(&mut packet);
    packet[HEADER..].copy_from_slice(&speech::alaw(160));
    packet
}

fn rtp(criterion: &mut Criterion) {
    let first = packet(7);
    let view = View::parse(&first).expect("an RTP packet");
    assert_eq!((view.header.sequence, view.payload()), (7, HEADER..HEADER + 160));
    criterion.bench_function("rtp/parse", |bencher| {
        bencher.iter(|| black_box(View::parse(black_box(&first))).is_ok());
    });
    let mut out = OutStream::new(0x77, 100, 4_000);
    let mut buffer = [0; HEADER + 160 + 64];
    buffer[..HEADER + 160].copy_from_slice(&first);
    let mut sequence = 7u16;
    let (mut relayed, mut seen) = (0u64, 0u64);
    criterion.bench_function("rtp/parse, number anew, rewrite in place", |bencher| {
        bencher.iter(|| {
            buffer[2..4].copy_from_slice(&sequence.to_be_bytes());
            buffer[4..8].copy_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
            sequence = sequence.wrapping_add(1);
            seen += 1;
            let view = View::parse(&buffer[..HEADER + 160]).expect("an RTP packet");
            let at = START + std::time::Duration::from_millis(u64::from(sequence) * 20);
            let header = out.forward(&view.header, 8, Kind::Audio { samples: 160 }, at);
            if let Some(header) = header {
                let (_, len) = view.rewrite(&mut buffer, &header);
                relayed += u64::from(black_box(len) == HEADER + 160);
            }
        });
    });
    // The clock turns back with the sequence now and then; a packet may be refused then.
    assert!(relayed > 0 && relayed * 10 >= seen * 9, "{relayed} of {seen} packets were rewritten");
}

fn srtp(criterion: &mut Criterion) {
    for suite in [Suite::AesCm128HmacSha1_80, Suite::AeadAes128Gcm] {
        let key = vec![0x3c; suite.key_len() + suite.salt_len()];
        let key = MasterKey::new(suite, Zeroizing::new(key)).expect("a key of the suite's length");
        let mut sealer = Sealer::new(&key).expect("a key");
        let mut opener = Opener::new(&key).expect("a key");
        let plain = packet(1);
        let mut n = 1u16;
        let (mut opened, mut seen) = (0u64, 0u64);
        criterion.bench_function(&format!("srtp/seal and open, {}", suite.name()), |bencher| {
            bencher.iter(|| {
                let mut buffer = [0; HEADER + 160 + 64];
                buffer[..plain.len()].copy_from_slice(&plain);
                buffer[2..4].copy_from_slice(&n.to_be_bytes());
                n = n.wrapping_add(1);
                seen += 1;
                let sealed = sealer.rtp(&mut buffer, plain.len()).expect("there is room for the tag");
                let length = opener.rtp(&mut buffer[..sealed]).expect("sealed with the same key");
                opened += u64::from(buffer[HEADER..length] == plain[HEADER..]);
            });
        });
        assert!(opened > 0 && opened == seen, "{opened} of {seen} packets were opened");
    }
}
