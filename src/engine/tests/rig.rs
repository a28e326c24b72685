//! What the engine's tests are made with: an engine, a call, and phones on plain sockets.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::Receiver;

use crate::call::PlayId;
use crate::consent::{DataKey, RecordingPermit};
use crate::engine::{CallMedia, Engine, EngineConfig, LegStats, LocalMedia, MediaEvent};
use crate::ids::{CallId, RecordingId};
use crate::media::codec::{Decoder, Encoder};
use crate::media::dtmf::EventPayload;
use crate::media::rtp::{HEADER, Header, View};
use crate::media::sound::Sound;
use crate::media::srtp::{Crypto, OVERHEAD, Opener, Sealer};
use crate::media::tap::{Chunk, ChunkSink, End, Tap};
use crate::media::{Codec, Digit, DigitChannel, Direction, Events, LegMedia, Seat, Voice};
use crate::time::{Clock, Timestamp};

pub(super) const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Generous, since other tests share the machine; only a failure waits for so long.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);
pub(super) const DTMF: u8 = 101;

/// A loopback address that no other run of the tests on this machine uses: for tests that count ports.
pub(in crate::engine) fn own_loopback() -> IpAddr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 100 + (high & 0x7F), low, 1).into()
}

/// All of these hear one another.
pub(super) fn seats(legs: &[u16]) -> Vec<Seat> {
    legs.iter().map(|leg| Seat { leg: *leg, voice: Voice::All }).collect()
}

pub(super) struct Rig {
    pub(super) engine: Engine,
    pub(super) call: CallMedia,
    pub(super) clock: Clock,
    pub(super) events: Receiver<MediaEvent>,
    runtime: tokio::runtime::Runtime,
    barriers: u32,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(Duration::from_secs(60), 32)
    }

    pub(super) fn with(media_timeout: Duration, event_room: usize) -> Self {
        Self::on(LOCAL, 30_000..=39_999, media_timeout, event_room)
    }

    pub(super) fn on(
        bind: IpAddr,
        ports: RangeInclusive<u16>,
        media_timeout: Duration,
        event_room: usize,
    ) -> Self {
        let clock = Clock::start();
        let config =
            EngineConfig { workers: 1, bind, advertise: None, ports, webrtc_port: None, media_timeout };
        let engine = Engine::start(config, clock).unwrap();
        let (sender, events) = tokio::sync::mpsc::channel(event_room);
        let call = engine.open(CallId::new(ulid::Ulid(1)), sender);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Self { engine, call, clock, events, runtime, barriers: 1_000_000 }
    }

    /// A leg with a phone at its other end, both ways in `codec`.
    pub(super) fn phone(&mut self, leg: u16, codec: Codec) -> Phone {
        let local = self.call.add_leg(leg).unwrap();
        let phone = Phone::new(local, codec);
        self.call.configure(leg, phone.media(Direction::SendRecv));
        phone
    }

    /// Two phones, connected.
    pub(super) fn bridged(&mut self, a: Codec, b: Codec) -> (Phone, Phone) {
        let phones = (self.phone(0, a), self.phone(1, b));
        self.call.bridge(0, 1);
        self.barrier(0);
        phones
    }

    pub(super) fn event(&mut self) -> MediaEvent {
        let next = async { tokio::time::timeout(DEADLINE, self.events.recv()).await };
        self.runtime.block_on(next).expect("an event before the deadline").expect("the call is open")
    }

    /// Returns when all commands given so far are done: an empty sound is over as soon as it is begun.
    pub(super) fn barrier(&mut self, leg: u16) {
        self.barriers += 1;
        let play = PlayId(self.barriers);
        self.call.play(leg, play, Arc::new(Sound::default()), false);
        assert_eq!(self.event(), MediaEvent::PlayDone { play });
    }

    /// Presses a key on `phone` and waits until it is heard: all the phone sent before was dealt with.
    pub(super) fn heard(&mut self, leg: u16, phone: &mut Phone, key: char) {
        // The last packet of a press is enough to hear it, and nothing comes after it.
        phone.event(key, &[(true, 480)]);
        let digit = Digit::try_from(key).unwrap();
        assert_eq!(self.event(), MediaEvent::Digit { leg, digit, channel: DigitChannel::Rfc4733 });
    }

    /// Begins a recording.
    pub(super) fn record(&self, caller: u16, agent: u16) -> Arc<Mutex<Reel>> {
        let reel = Arc::new(Mutex::new(Reel::default()));
        let permit = RecordingPermit::for_test(RecordingId::new(ulid::Ulid(5)), DataKey::new([1; 32]));
        let tap = Tap::new(permit, Box::new(Sink(Arc::clone(&reel))), self.now());
        self.call.record(tap, caller, agent);
        reel
    }

    pub(super) fn close(&mut self, leg: u16) -> LegStats {
        self.call.remove_leg(leg);
        let event = self.event();
        let MediaEvent::Closed { leg: closed, stats } = event else { panic!("{event:?} instead of Closed") };
        assert_eq!(closed, leg);
        stats
    }

    /// The next event, if one is there.
    pub(super) fn no_event(&mut self) -> bool {
        self.events.try_recv().is_err()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Gives the pace of the clock: a leg that is played music, a packet each 20 ms.
pub(super) struct Pace(Phone);

impl Pace {
    pub(super) fn new(rig: &mut Rig) -> Self {
        const LEG: u16 = 900;
        let phone = Phone::new(rig.call.add_leg(LEG).unwrap(), Codec::Pcma);
        rig.call.configure(LEG, phone.media(Direction::SendOnly));
        rig.call.play(LEG, PlayId(u32::from(LEG)), sound(8_000), true);
        Self(phone)
    }

    /// Returns 20 ms after it did last.
    pub(super) fn tick(&self) {
        self.0.hear();
    }
}

/// A phone: a socket that speaks RTP.
pub(super) struct Phone {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    pub(super) to: LocalMedia,
    pub(super) codec: Codec,
    /// Of the next packet.
    pub(super) header: Header,
    /// Its keys: seals with the first, opens with the second.
    pub(super) keys: RefCell<Option<(Sealer, Opener)>>,
    encoder: Encoder,
    decoder: Decoder,
    /// Samples of tone said.
    said: u64,
}

/// The numbers phones give their codecs.
pub(super) fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus => 111,
    }
}

impl Phone {
    pub(super) fn new(to: LocalMedia, codec: Codec) -> Self {
        let bind = || {
            let socket = UdpSocket::bind((LOCAL, 0)).unwrap();
            socket.set_read_timeout(Some(DEADLINE)).unwrap();
            socket
        };
        let payload_type = payload_type(codec);
        let header = Header { marker: false, payload_type, sequence: 100, timestamp: 5_000, ssrc: 0x5050 };
        Self {
            rtp: bind(),
            rtcp: bind(),
            to,
            codec,
            header,
            keys: RefCell::new(None),
            encoder: Encoder::new(codec).unwrap(),
            decoder: Decoder::new(codec).unwrap(),
            said: 0,
        }
    }

    /// Uses the keys that are the engine's `crypto` from now on.
    pub(super) fn use_keys(&self, crypto: &Crypto) {
        let pair = (Sealer::new(&crypto.receive).unwrap(), Opener::new(&crypto.send).unwrap());
        *self.keys.borrow_mut() = Some(pair);
    }

    /// Says the next 20 ms of a sum of tones; together they are as loud as -9 dBm0.
    pub(super) fn tone(&mut self, frequencies: &[f64]) {
        let rate = self.encoder.rate();
        let pcm: Vec<i16> = (0..rate / 50)
            .map(|n| {
                let at = (self.said + u64::from(n)) as f64 / f64::from(rate);
                let sum: f64 = frequencies.iter().map(|f| (at * f * std::f64::consts::TAU).sin()).sum();
                (sum * 10_000.0 / frequencies.len().max(1) as f64) as i16
            })
            .collect();
        self.said += u64::from(rate / 50);
        let mut payload = Vec::new();
        self.encoder.encode(&pcm, &mut payload).unwrap();
        self.send(self.header, &payload);
        self.advance();
    }

    /// The header of the next packet of 20 ms.
    pub(super) fn advance(&mut self) {
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(self.codec.clock() / 50);
    }

    /// The next RTP packet, decoded, if one is waiting: samples per second and samples.
    pub(super) fn listen(&mut self) -> (u32, Vec<i16>) {
        let mut pcm = Vec::new();
        while let Some((header, payload)) = self.next() {
            if header.payload_type == self.header.payload_type {
                self.decoder.decode(&payload, &mut pcm).unwrap();
            }
        }
        (self.decoder.rate(), pcm)
    }

    /// The next RTP packet, if one is waiting.
    pub(super) fn next(&self) -> Option<(Header, Vec<u8>)> {
        self.rtp.set_nonblocking(true).unwrap();
        let mut buffer = [0; 2_048];
        let received = self.rtp.recv(&mut buffer);
        self.rtp.set_nonblocking(false).unwrap();
        received.ok().map(|len| self.read(&mut buffer[..len]))
    }

    fn read(&self, datagram: &mut [u8]) -> (Header, Vec<u8>) {
        let len = match &mut *self.keys.borrow_mut() {
            Some((_, opener)) => opener.rtp(datagram).expect("sealed with our key"),
            None => datagram.len(),
        };
        let view = View::parse(&datagram[..len]).unwrap();
        (view.header, datagram[view.payload()].to_vec())
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.rtp.local_addr().unwrap()
    }

    pub(super) fn media(&self, direction: Direction) -> LegMedia {
        LegMedia {
            remote_rtp: self.address(),
            remote_rtcp: self.rtcp.local_addr().unwrap(),
            rtcp_mux: false,
            codec: self.codec,
            payload_type: self.header.payload_type,
            receive: vec![(self.header.payload_type, self.codec)],
            dtmf: Some(Events { send: DTMF, receive: DTMF, clock: self.codec.clock() }),
            comfort_noise: None,
            direction,
            ptime: 20,
            crypto: None,
            rtc: None,
            in_band_digits: false,
            signalled_from: None,
        }
    }

    /// Sends the next 20 ms: 160 octets made from `seed`, which are returned.
    pub(super) fn say(&mut self, seed: u8) -> Vec<u8> {
        let payload: Vec<u8> = (0..160u8).map(|n| n.wrapping_mul(7).wrapping_add(seed)).collect();
        self.send(self.header, &payload);
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(160);
        payload
    }

    /// A key, by three packets: start, update, end.
    pub(super) fn key(&mut self, key: char) {
        self.event(key, &[(false, 160), (false, 320), (true, 480)]);
    }

    fn event(&mut self, key: char, packets: &[(bool, u16)]) {
        let event = Digit::try_from(key).unwrap().event();
        for &(end, duration) in packets {
            let payload = EventPayload { event, end, volume: 10, duration }.to_bytes();
            let header = Header { payload_type: DTMF, marker: duration == 160, ..self.header };
            self.send(header, &payload);
            self.header.sequence = self.header.sequence.wrapping_add(1);
        }
        self.header.timestamp = self.header.timestamp.wrapping_add(480);
    }

    pub(super) fn send(&self, header: Header, payload: &[u8]) {
        let mut packet = packet(header, payload);
        if let Some((sealer, _)) = &mut *self.keys.borrow_mut() {
            let len = packet.len();
            packet.resize(len + OVERHEAD, 0);
            let len = sealer.rtp(&mut packet, len).unwrap();
            packet.truncate(len);
        }
        self.rtp.send_to(&packet, self.to.rtp).unwrap();
    }

    /// The next RTP packet.
    pub(super) fn hear(&self) -> (Header, Vec<u8>) {
        let mut buffer = [0; 2_048];
        let (len, from) = self.rtp.recv_from(&mut buffer).expect("a packet before the deadline");
        assert_eq!(from, self.to.rtp, "symmetric RTP");
        self.read(&mut buffer[..len])
    }

    /// Nothing is waiting to be heard.
    pub(super) fn is_silent(&self) -> bool {
        self.rtp.set_nonblocking(true).unwrap();
        let nothing = self.rtp.recv(&mut [0; 2_048]).is_err_and(|e| e.kind() == ErrorKind::WouldBlock);
        self.rtp.set_nonblocking(false).unwrap();
        nothing
    }
}

pub(super) fn packet(header: Header, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; HEADER];
    header.write(&mut packet);
    packet.extend(payload);
    packet
}

/// A sound in which no 20 ms are like any others.
pub(super) fn sound(samples: usize) -> Arc<Sound> {
    let pcm: Vec<i16> = (0..samples).map(|n| ((n * n / 7 + n * 31) % 28_000) as i16 - 14_000).collect();
    Arc::new(Sound::from_pcm8k(&pcm))
}

/// What was recorded.
#[derive(Default)]
pub(super) struct Reel {
    pub(super) samples: Vec<[i16; 2]>,
    pub(super) end: Option<End>,
}

struct Sink(Arc<Mutex<Reel>>);

impl ChunkSink for Sink {
    fn buffer(&mut self) -> Vec<i16> {
        Vec::new()
    }

    fn put(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        let mut reel = self.0.lock().unwrap();
        reel.samples.resize(usize::try_from(chunk.start).unwrap(), [0; 2]);
        reel.samples.extend(chunk.samples.chunks_exact(2).map(|pair| [pair[0], pair[1]]));
        Ok(())
    }

    fn finish(self: Box<Self>, end: End) {
        let mut reel = self.0.lock().unwrap();
        reel.samples.resize(usize::try_from(end.samples).unwrap(), [0; 2]);
        reel.end = Some(end);
    }
}

impl Reel {
    pub(super) fn channel(&self, n: usize) -> Vec<i16> {
        self.samples.iter().map(|frame| frame[n]).collect()
    }
}

/// How strong a frequency is, as amplitude: a pure tone of amplitude 10,000 gives 10,000. The mean over
/// spans of 50 ms, so that a packet lost to a busy machine does not turn the phase of all that follows.
pub(super) fn strength(pcm: &[i16], rate: u32, frequency: f64) -> f64 {
    use std::f64::consts::TAU;
    let len = rate as usize / 20;
    let amplitude = |span: &[i16]| {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in span.iter().enumerate() {
            // A Hann window: what is a few tones off does not leak in.
            let window = 1.0 - (n as f64 / len as f64 * TAU).cos();
            let (sin, cos) = (n as f64 * frequency / f64::from(rate) * TAU).sin_cos();
            re += f64::from(*sample) * window * cos;
            im += f64::from(*sample) * window * sin;
        }
        2.0 * f64::hypot(re, im) / len as f64
    };
    let spans = pcm.chunks_exact(len);
    spans.clone().map(amplitude).sum::<f64>() / spans.count().max(1) as f64
}
