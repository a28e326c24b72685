//! Sound: codecs, converters, detector, jitter buffer, mixer, tap. 20 ms of speech unless the name says otherwise.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion};
use sayso::media::Codec;
use sayso::media::codec::{Decoder, Encoder, ticks};
use sayso::media::convert::Converter;
use sayso::media::g711::{ALAW_TO_PCM, ULAW_TO_PCM, pcm_to_alaw, pcm_to_ulaw};
use sayso::media::jitter::{Content, Frame, JitterBuffer};
use sayso::media::mix::Mixer;
use sayso::media::resample::resample;
use sayso::media::rtp::Header;
use sayso::media::tap::{CHUNK, Channel, Chunk, ChunkSink, End, Tap};
use sayso::media::tones::ToneDetector;

use crate::scene::{START, permit::permit};
use crate::speech;

pub(crate) fn benches(criterion: &mut Criterion) {
    g711(criterion);
    codecs(criterion);
    converters(criterion);
    detector(criterion);
    jitter(criterion);
    mixer(criterion);
    tap(criterion);
}

fn g711(criterion: &mut Criterion) {
    let pcm = speech::at_8k(160);
    let alaw: Vec<u8> = pcm.iter().map(|sample| pcm_to_alaw(*sample)).collect();
    let back: Vec<i16> = alaw.iter().map(|octet| ALAW_TO_PCM[usize::from(*octet)]).collect();
    assert!(back.iter().zip(&pcm).all(|(a, b)| (i32::from(*a) - i32::from(*b)).abs() <= 1_024));
    let mut out = vec![0u8; 160];
    criterion.bench_function("g711/A-law encode", |bencher| {
        bencher.iter(|| {
            out.iter_mut().zip(black_box(&pcm)).for_each(|(octet, sample)| *octet = pcm_to_alaw(*sample));
            black_box(&out);
        });
    });
    assert_eq!(out, alaw);
    criterion.bench_function("g711/u-law encode", |bencher| {
        bencher.iter(|| {
            out.iter_mut().zip(black_box(&pcm)).for_each(|(octet, sample)| *octet = pcm_to_ulaw(*sample));
            black_box(&out);
        });
    });
    let ulaw = out.clone();
    for (name, table, octets) in [("A-law", &ALAW_TO_PCM, &alaw), ("u-law", &ULAW_TO_PCM, &ulaw)] {
        let mut out = vec![0i16; 160];
        criterion.bench_function(&format!("g711/{name} decode"), |bencher| {
            bencher.iter(|| {
                let decoded = black_box(octets).iter().map(|octet| table[usize::from(*octet)]);
                out.iter_mut().zip(decoded).for_each(|(to, sample)| *to = sample);
                black_box(&out);
            });
        });
        assert!(speech::power(&out) > 0 || speech::power(&pcm) == 0, "{name}: silence came out");
    }
}

fn codecs(criterion: &mut Criterion) {
    for (codec, name) in [(Codec::Opus, "opus"), (Codec::G722, "g722")] {
        let mut encoder = Encoder::new(codec).expect("memory");
        // A second of speech at the codec's rate, a frame after the other as a call has it.
        let pcm = upsampled(encoder.rate());
        let frames: Vec<&[i16]> = pcm.chunks_exact(encoder.rate() as usize / 50).collect();
        let mut packets = Vec::new();
        for frame in &frames {
            let mut payload = Vec::new();
            encoder.encode(frame, &mut payload).expect("a frame of 20 ms");
            packets.push(payload);
        }
        let mut decoder = Decoder::new(codec).expect("memory");
        let mut heard = Vec::new();
        for packet in &packets {
            assert_eq!(ticks(codec, packet), Some(codec.clock() / 50), "{name}: 20 ms");
            decoder.decode(packet, &mut heard).expect("a packet of its own encoder");
        }
        let (said, heard) = (speech::power(&pcm), speech::power(&heard));
        assert!(heard > said / 2 && heard < said * 2, "{name}: {said} went in, {heard} came out");
        let (mut n, mut payload) = (0, Vec::new());
        criterion.bench_function(&format!("{name}/encode"), |bencher| {
            bencher.iter(|| {
                payload.clear();
                n += 1;
                encoder.encode(frames[n % frames.len()], &mut payload).expect("a frame of 20 ms");
                black_box(&payload);
            });
        });
        let (mut n, mut pcm) = (0, Vec::new());
        criterion.bench_function(&format!("{name}/decode"), |bencher| {
            bencher.iter(|| {
                pcm.clear();
                n += 1;
                decoder.decode(&packets[n % packets.len()], &mut pcm).expect("a packet");
                black_box(&pcm);
            });
        });
    }
}

/// A second of speech at this rate.
fn upsampled(rate: u32) -> Vec<i16> {
    let mut out = Vec::new();
    Converter::new(8_000, rate).convert(&speech::at_8k(8_000 * 2), &mut out);
    out.split_off(rate as usize)
}

fn converters(criterion: &mut Criterion) {
    for (from, to) in [(8_000u32, 48_000u32), (48_000, 8_000), (8_000, 16_000)] {
        let pcm = upsampled(from);
        let mut converter = Converter::new(from, to);
        let mut out = Vec::new();
        converter.convert(&pcm, &mut out);
        let (said, heard) = (speech::power(&pcm), speech::power(&out));
        assert!(out.len().abs_diff(to as usize) < to as usize / 50, "{} samples", out.len());
        assert!(heard > said / 2 && heard < said * 2, "{from} to {to}: {said} went in, {heard} came out");
        let frames: Vec<&[i16]> = pcm.chunks_exact(from as usize / 50).collect();
        let mut n = 0;
        criterion.bench_function(&format!("convert/{from} to {to} Hz, in a call"), |bencher| {
            bencher.iter(|| {
                out.clear();
                n += 1;
                converter.convert(frames[n % frames.len()], &mut out);
                black_box(&out);
            });
        });
    }
    let second: Vec<f32> = speech::at_8k(8_000).iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
    let made = resample(&second, 8_000, 16_000).expect("rates it knows");
    assert!(made.len().abs_diff(16_000) < 100, "{} samples", made.len());
    criterion.bench_function("resample/a second of a file, 8000 to 16000 Hz", |bencher| {
        bencher.iter(|| black_box(resample(black_box(&second), 8_000, 16_000)).is_ok());
    });
}

/// Key 5 for so many samples.
fn key_five(samples: usize) -> Vec<i16> {
    let tone = |n: usize, hz: f64| (n as f64 * hz * std::f64::consts::TAU / 8_000.0).sin() * 5_000.0;
    (0..samples).map(|n| (tone(n, 770.0) + tone(n, 1_336.0)) as i16).collect()
}

fn detector(criterion: &mut Criterion) {
    let mut detector = ToneDetector::new();
    let found: Vec<char> = key_five(800)
        .chunks(160)
        .filter_map(|frame| detector.push(frame))
        .map(|digit| digit.as_char())
        .collect();
    assert_eq!(found, ['5'], "the detector hears the key once");
    let speech = speech::at_8k(16_000);
    let talk: Vec<&[i16]> = speech.chunks_exact(160).collect();
    let mut detector = ToneDetector::new();
    assert!(talk.iter().all(|frame| detector.push(frame).is_none()), "speech is no key");
    let mut n = 0;
    criterion.bench_function("dtmf/listen to speech", |bencher| {
        bencher.iter(|| {
            n += 1;
            black_box(detector.push(talk[n % talk.len()]))
        });
    });
}

fn jitter(criterion: &mut Criterion) {
    let payload = speech::alaw(160);
    // Ten seconds with every 50th packet lost and every 7th 30 ms late.
    let run = || {
        let mut buffer = JitterBuffer::new(8_000);
        let (mut played, mut lost) = (0u32, 0u32);
        for n in 0..500u16 {
            let header = Header {
                marker: n == 0,
                payload_type: 8,
                sequence: n,
                timestamp: u32::from(n) * 160,
                ssrc: 7,
            };
            let late = if n % 7 == 0 { 15 } else { 0 };
            let at = START + Duration::from_millis(u64::from(n) * 20 + late);
            if n % 50 != 49 {
                buffer.put(&header, Content::Audio { ticks: 160 }, black_box(&payload), at);
            }
            match buffer.take(at, false) {
                Frame::Audio { .. } => played += 1,
                Frame::Lost { .. } => lost += 1,
                Frame::Surplus { .. } | Frame::Noise { .. } | Frame::Empty => {}
            }
        }
        (played, lost)
    };
    let (played, lost) = run();
    assert!(played > 400 && lost > 0, "{played} packets played, {lost} concealed");
    criterion.bench_function("jitter/put and take, 500 packets with loss and jitter", |bencher| {
        bencher.iter(|| black_box(run()));
    });
}

fn mixer(criterion: &mut Criterion) {
    let voices: Vec<Vec<i16>> = (1..=3).map(|n| speech::at_8k(160 * n).split_off(160 * (n - 1))).collect();
    let mut mixer = Mixer::default();
    let mut out = Vec::new();
    let mut mix = || {
        mixer.clear();
        voices.iter().for_each(|voice| mixer.add(voice));
        out.clear();
        voices.iter().for_each(|voice| mixer.without(voice, &mut out));
        out.len()
    };
    assert_eq!(mix(), 480);
    criterion.bench_function("mix/a conference of three", |bencher| bencher.iter(|| black_box(mix())));
}

/// Counts what the tap hands on.
struct Counting(Vec<i16>, std::sync::mpsc::Sender<u64>);

impl ChunkSink for Counting {
    fn buffer(&mut self) -> Vec<i16> {
        std::mem::take(&mut self.0)
    }

    fn put(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        self.0 = black_box(chunk.samples);
        Ok(())
    }

    fn finish(self: Box<Self>, end: End) {
        self.1.send(end.samples).expect("it is waited for");
    }
}

fn tap(criterion: &mut Criterion) {
    const PACKETS: u32 = 400;
    let payload = speech::alaw(160);
    let (ended, ends) = std::sync::mpsc::channel();
    let make = || Tap::new(permit(1), Box::new(Counting(Vec::new(), ended.clone())), START);
    let feed = |mut tap: Tap| {
        let mut at = START;
        for n in 0..PACKETS {
            at = START + Duration::from_millis(u64::from(n) * 20);
            for (channel, ssrc) in [(Channel::Caller, 1), (Channel::Agent, 2)] {
                tap.push(channel, ssrc, n * 160, Codec::Pcma, black_box(&payload), at);
            }
            if tap.poll_timeout() <= at {
                tap.handle_timeout(at);
            }
        }
        tap.finish(at + Duration::from_millis(20));
        ends.recv().expect("the tap tells its end")
    };
    let samples = feed(make());
    assert!(samples >= u64::from(PACKETS) * 160 && samples < u64::from(PACKETS) * 160 + CHUNK, "{samples}");
    criterion.bench_function("tap/8 s of a call: 800 packets, 50 chunks", |bencher| {
        bencher.iter_batched(make, feed, BatchSize::SmallInput);
    });
}
