//! What phones send and receive here: a clip in packets, made beforehand, with the losses and delays of a
//! network on their way to the server.

use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, SystemTime};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use sayso::media::Codec;
use sayso::media::codec::Encoder;
use sayso::media::convert::Converter;
use sayso::media::rtp::{HEADER, Header, is_rtcp};
use sayso::time::Timestamp;

/// Samples per second of a clip.
pub(super) const RATE: u32 = 16_000;
/// Silence before the clip and after it, in packets: buffers settle, and the last delays have passed.
const BEFORE: usize = 25;
const AFTER: usize = 15;
/// Every packet here.
pub(super) const PACKET: Duration = Duration::from_millis(20);

/// A packet on its way, and when it was there.
pub(super) type Arrival = (Timestamp, Vec<u8>);

/// What the network does to the packets of a phone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    pub(super) name: &'static str,
    pub(super) lost_percent: usize,
    /// Each packet comes up to so much later, evenly spread; they overtake one another.
    pub(super) jitter_ms: u64,
}

/// A packet to be sent.
#[derive(Debug)]
pub(super) struct Packet {
    at: Duration,
    datagram: Vec<u8>,
}

/// The clip as a phone sends it and the network lets it through. The same `seed` loses and delays the same.
pub(super) fn packets(clip: &[i16], codec: Codec, number: u8, weather: Weather, seed: u32) -> Vec<Packet> {
    let mut pcm = Vec::new();
    Converter::new(RATE, codec.rate()).convert(clip, &mut pcm);
    let count = (codec.rate() / 50) as usize;
    let mut said = vec![0; BEFORE * count];
    said.extend(pcm);
    said.resize(said.len().next_multiple_of(count) + AFTER * count, 0);
    let mut encoder = Encoder::new(codec).expect("memory for an encoder");
    // The peer's reports would tell it.
    encoder.expect_loss(u8::try_from(weather.lost_percent).expect("a percentage"));
    let mut dice = Dice(seed.into());
    let mut header = Header { marker: true, payload_type: number, ssrc: seed, ..Header::default() };
    let mut packets = Vec::new();
    for (n, frame) in (0..).zip(said.chunks(count)) {
        let mut datagram = vec![0; HEADER];
        header.write(&mut datagram);
        encoder.encode(frame, &mut datagram).expect("20 ms fill a packet");
        header.sequence = header.sequence.wrapping_add(1);
        header.timestamp = header.timestamp.wrapping_add(codec.clock() / 50);
        header.marker = false;
        packets.push(Packet { at: PACKET * n + dice.micros(weather.jitter_ms * 1_000), datagram });
    }
    // Exactly the share that was asked for, of the clip: what is lost in silence is not heard.
    for _ in 0..(packets.len() - BEFORE - AFTER) * weather.lost_percent / 100 {
        let left = packets.len() - BEFORE - AFTER;
        packets.remove(BEFORE + dice.below(left));
    }
    packets.sort_by_key(|packet| packet.at);
    packets
}

/// A repeatable choice: the generator of Vigna's splitmix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn micros(&mut self, bound: u64) -> Duration {
        Duration::from_micros(self.next() % (bound + 1))
    }
}

/// A phone's audio: where it is, where its packets go.
pub(super) struct Voice<'a> {
    pub(super) socket: &'a UdpSocket,
    pub(super) server: SocketAddr,
    pub(super) packets: Vec<Packet>,
}

/// What went out, and what came in from the first packet on.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    pub(super) sent: Vec<Arrival>,
    pub(super) heard: Vec<Arrival>,
}

/// All phones speak at the same time, each its packets at their times, and listen to the end. Tells also how
/// late the latest packet was sent: what this machine withheld from us, it withheld from the server.
pub(super) fn talk(voices: &[Voice<'_>]) -> (Vec<Exchange>, Duration) {
    // The threads are there by then, and what came earlier has been thrown away.
    let start = SystemTime::now() + Duration::from_millis(100);
    let mut late = Duration::ZERO;
    let last = voices.iter().flat_map(|voice| voice.packets.last()).map(|packet| packet.at).max();
    let end = start + last.unwrap_or_default() + Duration::from_millis(500);
    let mut plan: Vec<(Duration, usize, &Packet)> = (0..)
        .zip(voices)
        .flat_map(|(n, voice)| voice.packets.iter().map(move |packet| (packet.at, n, packet)))
        .collect();
    plan.sort_by_key(|(at, ..)| *at);
    std::thread::scope(|scope| {
        let listen = |voice: &Voice<'_>| {
            let socket = voice.socket.try_clone().expect("a socket can be cloned");
            scope.spawn(move || listen(&socket, start, end))
        };
        let ears: Vec<_> = voices.iter().map(listen).collect();
        let mut exchanges: Vec<Exchange> = voices.iter().map(|_| Exchange::default()).collect();
        for (at, n, packet) in plan {
            let planned = start + at;
            std::thread::sleep(planned.duration_since(SystemTime::now()).unwrap_or_default()); // pacing
            let now = SystemTime::now();
            late = late.max(now.duration_since(planned).unwrap_or_default());
            let now = stamp(start, now);
            voices[n].socket.send_to(&packet.datagram, voices[n].server).expect("loopback takes it");
            exchanges[n].sent.push((now, packet.datagram.clone()));
        }
        for (exchange, ear) in exchanges.iter_mut().zip(ears) {
            exchange.heard = ear.join().expect("the ear does not panic");
        }
        (exchanges, late)
    })
}

/// Takes what comes from `start` to `end`, with the kernel's time of its arrival: this thread may be late.
fn listen(socket: &UdpSocket, start: SystemTime, end: SystemTime) -> Vec<Arrival> {
    setsockopt(socket, sockopt::ReceiveTimestampns, &true).expect("the kernel stamps packets");
    let mut heard = Vec::new();
    let mut buffer = [0; 2048];
    let mut control = nix::cmsg_space!(TimeSpec);
    loop {
        let left = end.duration_since(SystemTime::now()).unwrap_or_default();
        if left.is_zero() {
            return heard;
        }
        socket.set_read_timeout(Some(left)).expect("a timeout can be set");
        let mut room = [IoSliceMut::new(&mut buffer)];
        let received = recvmsg::<()>(socket.as_raw_fd(), &mut room, Some(&mut control), MsgFlags::empty());
        let Ok(message) = received else { continue };
        let at = message.cmsgs().ok().and_then(|mut all| {
            all.find_map(|one| {
                let ControlMessageOwned::ScmTimestampns(at) = one else { return None };
                Some(SystemTime::UNIX_EPOCH + Duration::from(at))
            })
        });
        let (length, at) = (message.bytes, at.unwrap_or_else(SystemTime::now));
        if at >= start && !is_rtcp(&buffer[..length]) {
            heard.push((stamp(start, at), buffer[..length].to_vec()));
        }
    }
}

fn stamp(start: SystemTime, at: SystemTime) -> Timestamp {
    Timestamp::from_micros(1_000_000) + at.duration_since(start).unwrap_or_default()
}
