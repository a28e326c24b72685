//! Paced G.711 with a scripted phone's hands: sends a clip and RFC 4733 keys on an absolute schedule,
//! and keeps what arrives.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sayso::media::g711::{ALAW_TO_PCM, pcm_to_alaw};

/// Samples in a packet of 20 ms.
const FRAME: usize = 160;
/// RTP payload types: A-law, and telephone-event as our SDP has it.
const PCMA: u8 = 8;
const DTMF: u8 = 101;

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
                    Talker { socket: send, remote, log, stop, pressed, sequence: 0, timestamp: 160, ssrc }
                        .run(&clip)
                }
            }),
            std::thread::spawn({
                let (log, stop) = (log.clone(), stop.clone());
                move || listen(&receive, &log, &stop)
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
        let mut frames = clip.chunks(FRAME);
        let mut tick = 0u32;
        while !self.stop.load(Ordering::Relaxed) {
            if let Ok(event) = self.pressed.try_recv() {
                self.key(event, start, &mut tick);
            }
            wait_until(start + Duration::from_millis(20) * tick);
            tick += 1;
            let mut frame = frames.next().unwrap_or_default().to_vec();
            frame.resize(FRAME, 0);
            let payload: Vec<u8> = frame.iter().map(|s| pcm_to_alaw(*s)).collect();
            self.send(PCMA, &payload, false);
            self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
            let mut log = self.log.lock().expect("no thread panicked");
            log.said.extend(payload.iter().map(|b| ALAW_TO_PCM[usize::from(*b)]));
        }
    }

    /// An event of 100 ms: five updates, then the end thrice (RFC 4733 §2.5.1.4).
    fn key(&mut self, event: u8, start: Instant, tick: &mut u32) {
        for n in 1..=7u16 {
            wait_until(start + Duration::from_millis(20) * *tick);
            *tick += 1;
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

fn listen(socket: &UdpSocket, log: &Mutex<Log>, stop: &AtomicBool) {
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
        match packet[1] & 0x7f {
            PCMA => {
                log.packets.push((ssrc, sequence));
                log.heard.extend(packet[12..].iter().map(|b| ALAW_TO_PCM[usize::from(*b)]));
            }
            DTMF if length >= 16 && packet[13] & 0x80 != 0 && log.last_event != Some((ssrc, timestamp)) => {
                log.last_event = Some((ssrc, timestamp));
                log.digits.push(packet[12]);
            }
            _ => {}
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
