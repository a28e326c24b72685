//! Paced G.711 with a scripted phone's hands: sends a clip and RFC 4733 keys on an absolute schedule,
//! and keeps what arrives. How it speaks ([`Voice`]) is the test's to say.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sayso::media::g711::{ALAW_TO_PCM, ULAW_TO_PCM, pcm_to_alaw, pcm_to_ulaw};

/// RTP payload types: both laws, comfort noise, and telephone-event as our SDP has it.
const PCMU: u8 = 0;
const PCMA: u8 = 8;
const NOISE: u8 = 13;
const DTMF: u8 = 101;

/// The two laws of G.711.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Law {
    A,
    Mu,
}

/// How a stream speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Voice {
    pub(crate) law: Law,
    /// The payload type it sends and understands beside 0 and 8.
    pub(crate) payload_type: u8,
    /// Milliseconds in a packet.
    pub(crate) ptime: u32,
    /// Silence is one packet of comfort noise (RFC 3389) and then none, not packets of zeros.
    pub(crate) noise: bool,
    /// Each so-many-th packet is lost on its way.
    pub(crate) lose: Option<usize>,
}

impl Voice {
    /// A-law, 20 ms.
    pub(crate) const USUAL: Self =
        Self { law: Law::A, payload_type: PCMA, ptime: 20, noise: false, lose: None };

    fn samples(&self) -> usize {
        self.ptime as usize * 8
    }

    fn encode(&self, sample: i16) -> u8 {
        match self.law {
            Law::A => pcm_to_alaw(sample),
            Law::Mu => pcm_to_ulaw(sample),
        }
    }

    fn table(&self, payload_type: u8) -> Option<&'static [i16; 256]> {
        match (payload_type, self.law) {
            (PCMA, _) => Some(&ALAW_TO_PCM),
            (PCMU, _) => Some(&ULAW_TO_PCM),
            (other, Law::A) if other == self.payload_type => Some(&ALAW_TO_PCM),
            (other, Law::Mu) if other == self.payload_type => Some(&ULAW_TO_PCM),
            (_, _) => None,
        }
    }
}

/// What went out and what came in, so far.
#[derive(Default)]
pub(crate) struct Log {
    /// Samples sent, as the far end decodes them.
    pub(crate) said: Vec<i16>,
    /// Samples received, in order of arrival.
    pub(crate) heard: Vec<i16>,
    /// Packets received, per SSRC: sequence numbers in order of arrival.
    pub(crate) packets: Vec<(u32, u16)>,
    /// Ends of RFC 4733 events received, once per event.
    pub(crate) digits: Vec<u8>,
    /// Payloads sent, and received with their types, as they were on the wire.
    pub(crate) sent: Vec<Vec<u8>>,
    pub(crate) received: Vec<(u8, Vec<u8>)>,
    last_event: Option<(u32, u32)>,
}

/// A running RTP stream; stops when dropped.
pub(crate) struct Stream {
    log: Arc<Mutex<Log>>,
    stop: Arc<AtomicBool>,
    keys: Sender<u8>,
    threads: Vec<JoinHandle<()>>,
}

impl Stream {
    /// Sends `clip` (then silence) to `remote` and logs what comes, on this socket.
    pub(crate) fn start(socket: &UdpSocket, remote: SocketAddr, clip: Arc<Vec<i16>>) -> Self {
        Self::start_as(socket, remote, clip, Voice::USUAL)
    }

    /// The same, speaking like this.
    pub(crate) fn start_as(
        socket: &UdpSocket,
        remote: SocketAddr,
        clip: Arc<Vec<i16>>,
        voice: Voice,
    ) -> Self {
        static STREAMS: AtomicU32 = AtomicU32::new(0x5a5a_0001);
        let ssrc = STREAMS.fetch_add(1, Ordering::Relaxed);
        let log = Arc::new(Mutex::new(Log::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let (keys, pressed) = channel();
        let both = [socket.try_clone(), socket.try_clone()].map(|s| s.expect("a socket can be cloned"));
        let [send, receive] = both;
        let threads = vec![
            std::thread::spawn({
                let (log, stop) = (log.clone(), stop.clone());
                move || {
                    let talker = Talker {
                        socket: send,
                        remote,
                        voice,
                        log,
                        stop,
                        pressed,
                        sequence: 0,
                        timestamp: 160,
                        ssrc,
                    };
                    talker.run(&clip);
                }
            }),
            std::thread::spawn({
                let (log, stop) = (log.clone(), stop.clone());
                move || listen(&receive, voice, &log, &stop)
            }),
        ];
        Self { log, stop, keys, threads }
    }

    /// Presses a key (event code) by RFC 4733.
    pub(crate) fn press(&self, event: u8) {
        self.keys.send(event).expect("the stream runs");
    }

    /// Looks into the log.
    pub(crate) fn log<T>(&self, look: impl FnOnce(&Log) -> T) -> T {
        look(&self.log.lock().expect("no thread panicked"))
    }

    /// Stops at once; what was sent and heard.
    pub(crate) fn finish(mut self) -> Log {
        self.halt();
        std::mem::take(&mut self.log.lock().expect("no thread panicked"))
    }

    fn halt(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // its panic shows as a poisoned log
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.halt();
    }
}

struct Talker {
    socket: UdpSocket,
    remote: SocketAddr,
    voice: Voice,
    log: Arc<Mutex<Log>>,
    stop: Arc<AtomicBool>,
    pressed: Receiver<u8>,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
}

impl Talker {
    fn run(mut self, clip: &[i16]) {
        let start = Instant::now();
        let (voice, samples) = (self.voice, self.voice.samples());
        let mut frames = clip.chunks(samples);
        let (mut tick, mut quiet, mut packets) = (0u32, false, 0usize);
        while !self.stop.load(Ordering::Relaxed) {
            if let Ok(event) = self.pressed.try_recv() {
                self.key(event, start, &mut tick);
            }
            wait_until(start + Duration::from_millis(1) * tick);
            tick += voice.ptime;
            let mut frame = frames.next().unwrap_or_default().to_vec();
            frame.resize(samples, 0);
            let silent = voice.noise && frame.iter().all(|sample| sample.unsigned_abs() < 40);
            let payload: Vec<u8> = frame.iter().map(|s| voice.encode(*s)).collect();
            match (silent, quiet) {
                (true, true) => {}
                // -70 dBov, as quiet as a line is (RFC 3389 §3.1).
                (true, false) => self.send(NOISE, &[70], false),
                (false, _) if voice.lose.is_some_and(|nth| packets % nth == nth - 1) => {
                    self.sequence = self.sequence.wrapping_add(1);
                }
                (false, first) => self.send(voice.payload_type, &payload, first),
            }
            quiet = silent;
            packets += 1;
            self.timestamp = self.timestamp.wrapping_add(samples as u32);
            let table = voice.table(voice.payload_type).expect("its own type");
            let mut log = self.log.lock().expect("no thread panicked");
            log.said.extend(payload.iter().map(|b| table[usize::from(*b)]));
            log.sent.push(payload);
        }
    }

    /// An event of 100 ms: five updates, then the end thrice (RFC 4733 §2.5.1.4).
    fn key(&mut self, event: u8, start: Instant, tick: &mut u32) {
        for n in 1..=7u16 {
            wait_until(start + Duration::from_millis(1) * *tick);
            *tick += 20;
            let duration = 160 * n.min(5);
            let end = if n >= 5 { 0x80 } else { 0 };
            let [high, low] = duration.to_be_bytes();
            self.send(DTMF, &[event, end | 10, high, low], n == 1);
        }
        self.timestamp = self.timestamp.wrapping_add(160 * 7);
    }

    fn send(&mut self, payload_type: u8, payload: &[u8], marker: bool) {
        let mut packet = vec![0x80, payload_type | if marker { 0x80 } else { 0 }];
        packet.extend_from_slice(&self.sequence.to_be_bytes());
        packet.extend_from_slice(&self.timestamp.to_be_bytes());
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        packet.extend_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(1);
        // A port that is closed by now answers with ICMP: part of the tests in which someone dies.
        let _ = self.socket.send_to(&packet, self.remote);
    }
}

fn listen(socket: &UdpSocket, voice: Voice, log: &Mutex<Log>, stop: &AtomicBool) {
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout can be set");
    let mut buffer = [0u8; 2048];
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, _)) = socket.recv_from(&mut buffer) else { continue };
        let packet = &buffer[..length];
        if length < 12 || packet[0] >> 6 != 2 || (200..=207).contains(&packet[1]) {
            continue;
        }
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let timestamp = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        let ssrc = u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]);
        let mut log = log.lock().expect("no thread panicked");
        let payload_type = packet[1] & 0x7f;
        if payload_type == DTMF {
            if length >= 16 && packet[13] & 0x80 != 0 && log.last_event != Some((ssrc, timestamp)) {
                log.last_event = Some((ssrc, timestamp));
                log.digits.push(packet[12]);
            }
        } else if let Some(table) = voice.table(payload_type) {
            log.packets.push((ssrc, sequence));
            log.heard.extend(packet[12..].iter().map(|b| table[usize::from(*b)]));
            log.received.push((payload_type, packet[12..].to_vec()));
        }
    }
}

/// Sleeps to an absolute time, so that a late packet does not make the next ones late.
fn wait_until(at: Instant) {
    std::thread::sleep(at.saturating_duration_since(Instant::now())); // pacing, not waiting for an event
}

/// A socket for RTP on an even port of `ip`, its RTCP port left free.
pub(crate) fn socket(ip: IpAddr) -> UdpSocket {
    (0..200).find_map(|_| UdpSocket::bind((ip, super::ports(2))).ok()).expect("one of 200 even ports is free")
}
