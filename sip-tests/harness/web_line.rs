//! A web phone's audio: full ICE and DTLS-SRTP, a clip spoken packet by packet, and what was heard. A thread of
//! its own drives it; a line that is dropped is silent from then on and says no goodbye.

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sayso::media::codec::{Decoder, Encoder};
use sayso::media::rtp::Header;
use sayso::media::{Codec, Direction, LegMedia};
use sayso::phone::browser::{Browser, Out};

use super::phone::SOON;

/// What went out and what came in, so far.
#[derive(Default)]
pub(crate) struct Log {
    /// Whether ICE and DTLS have succeeded.
    pub(crate) connected: bool,
    /// The codec it sends.
    pub(crate) codec: Option<Codec>,
    /// What was heard, at 8 kHz.
    pub(crate) heard: Vec<i16>,
    /// Payloads sent and heard, as they were in their packets.
    pub(crate) sent: Vec<Vec<u8>>,
    pub(crate) received: Vec<Vec<u8>>,
}

/// See the module.
pub(crate) struct Line {
    log: Arc<Mutex<Log>>,
    asks: Sender<Ask>,
    answers: Receiver<String>,
    thread: Option<JoinHandle<()>>,
}

enum Ask {
    Accept(Vec<u8>),
    Hold(bool),
    Restart,
    Stop,
}

impl Line {
    /// Answers an offer.
    pub(crate) fn answer(offer: &[u8], codecs: &[Codec], clip: &[i16]) -> (Self, String) {
        let mut driver = Driver::new(codecs, clip);
        let (answer, media) = driver.browser.answer(offer).expect("an answer");
        driver.speaks(&media);
        (Self::start(driver), text(&answer))
    }

    /// Offers; [`Self::accept`] takes the answer.
    pub(crate) fn offer(codecs: &[Codec], clip: &[i16]) -> (Self, String) {
        let mut driver = Driver::new(codecs, clip);
        let offer = driver.browser.offer().expect("an offer");
        (Self::start(driver), text(&offer))
    }

    /// Takes the answer to the offer made last.
    pub(crate) fn accept(&mut self, answer: &[u8]) {
        self.ask(Ask::Accept(answer.to_vec()));
    }

    /// An offer that holds, or takes back.
    pub(crate) fn hold(&mut self, on: bool) -> String {
        self.ask(Ask::Hold(on))
    }

    /// An offer from another port.
    pub(crate) fn restart(&mut self) -> String {
        self.ask(Ask::Restart)
    }

    /// Looks into the log.
    pub(crate) fn log<T>(&self, look: impl FnOnce(&Log) -> T) -> T {
        look(&self.log.lock().expect("no thread panicked"))
    }

    fn ask(&self, ask: Ask) -> String {
        self.asks.send(ask).expect("the line runs");
        self.answers.recv_timeout(SOON).expect("the line answers")
    }

    fn start(driver: Driver) -> Self {
        let log = driver.log.clone();
        let (asks, asked) = channel();
        let (answer, answers) = channel();
        let thread = std::thread::spawn(move || driver.run(&asked, &answer));
        Self { log, asks, answers, thread: Some(thread) }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.asks.send(Ask::Stop); // it has ended by itself
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // its panic shows as a poisoned log
        }
    }
}

struct Driver {
    browser: Browser,
    socket: UdpSocket,
    clip: Vec<i16>,
    at: usize,
    voice: Option<(Encoder, u8)>,
    ears: Vec<(u8, Decoder)>,
    header: Header,
    holds: bool,
    log: Arc<Mutex<Log>>,
}

impl Driver {
    fn new(codecs: &[Codec], clip: &[i16]) -> Self {
        let socket = socket();
        let local = socket.local_addr().expect("it is bound");
        let browser = Browser::new(local, codecs, Instant::now()).expect("a browser");
        Self {
            browser,
            socket,
            clip: clip.to_vec(),
            at: 0,
            voice: None,
            ears: Vec::new(),
            header: Header { sequence: 1, timestamp: 1_000, marker: true, ..Header::default() },
            holds: false,
            log: Arc::default(),
        }
    }

    fn speaks(&mut self, media: &LegMedia) {
        let same = self.log.lock().expect("no thread panicked").codec == Some(media.codec);
        if !same {
            self.voice = Some((Encoder::new(media.codec).expect("a codec"), media.payload_type));
            let ear = |(number, codec): &(u8, Codec)| (*number, Decoder::new(*codec).expect("a codec"));
            self.ears = media.receive.iter().map(ear).collect();
        }
        self.log.lock().expect("no thread panicked").codec = Some(media.codec);
    }

    fn run(mut self, asked: &Receiver<Ask>, answer: &Sender<String>) {
        let mut next_packet = Instant::now();
        let mut wake = Instant::now();
        loop {
            match asked.try_recv() {
                Ok(Ask::Stop) => return,
                Ok(ask) => drop(answer.send(self.on_ask(ask))), // the test has given up waiting
                Err(_) => {}
            }
            let now = Instant::now();
            if now >= next_packet {
                next_packet += Duration::from_millis(20);
                self.speak(now);
            }
            if now >= wake {
                self.browser.wake(now).expect("the connection holds");
            }
            self.listen(next_packet.min(now + Duration::from_millis(5)));
            wake = self.drain();
        }
    }

    fn on_ask(&mut self, ask: Ask) -> String {
        match ask {
            Ask::Accept(answer) => {
                let media = self.browser.accept(&answer).expect("an answer that fits");
                self.speaks(&media);
                String::new()
            }
            Ask::Hold(on) => {
                self.holds = on;
                let way = if on { Direction::Inactive } else { Direction::SendRecv };
                text(&self.browser.reoffer(way).expect("an offer"))
            }
            Ask::Restart => {
                self.socket = socket();
                let local = self.socket.local_addr().expect("it is bound");
                text(&self.browser.restart(local).expect("an offer"))
            }
            Ask::Stop => String::new(),
        }
    }

    /// The next 20 ms: of the clip, then of silence.
    fn speak(&mut self, now: Instant) {
        let Some((encoder, number)) = &mut self.voice else { return };
        if !self.browser.is_connected() || self.holds {
            return;
        }
        let mut frame: Vec<i16> = self.clip.iter().skip(self.at).take(160).copied().collect();
        frame.resize(160, 0);
        self.at += 160;
        let repeat = (encoder.rate() / 8_000) as usize;
        let pcm: Vec<i16> = frame.iter().flat_map(|sample| std::iter::repeat_n(*sample, repeat)).collect();
        let mut payload = Vec::new();
        encoder.encode(&pcm, &mut payload).expect("it encodes");
        self.header.payload_type = *number;
        self.browser.send(&self.header, payload.clone().into(), now).expect("the connection holds");
        self.header.marker = false;
        self.header.sequence = self.header.sequence.wrapping_add(1);
        let ticks = encoder.codec().clock() / 50;
        self.header.timestamp = self.header.timestamp.wrapping_add(ticks);
        self.log.lock().expect("no thread panicked").sent.push(payload);
    }

    fn listen(&mut self, until: Instant) {
        let mut datagram = [0; 2_048];
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.socket.set_read_timeout(Some(left)).expect("a timeout can be set");
        if let Ok((length, from)) = self.socket.recv_from(&mut datagram) {
            self.browser.receive(from, &datagram[..length], Instant::now()).expect("the connection holds");
        }
    }

    /// Does what the browser wants done; when it is to be woken.
    fn drain(&mut self) -> Instant {
        loop {
            match self.browser.poll().expect("the connection holds") {
                Out::Wait(at) => return at,
                Out::Send { to, datagram } => {
                    let _ = self.socket.send_to(&datagram, to); // a closed port answers with ICMP
                }
                Out::Connected => self.log.lock().expect("no thread panicked").connected = true,
                Out::Heard { header, payload } => self.hear(&header, &payload),
                Out::Closed => {}
            }
        }
    }

    fn hear(&mut self, header: &Header, payload: &[u8]) {
        let ear = self.ears.iter_mut().find(|(number, _)| *number == header.payload_type);
        let Some((_, decoder)) = ear else { return };
        let mut pcm = Vec::new();
        if decoder.decode(payload, &mut pcm).is_err() {
            return;
        }
        let every = (decoder.rate() / 8_000) as usize;
        let mut log = self.log.lock().expect("no thread panicked");
        log.heard.extend(pcm.iter().step_by(every));
        log.received.push(payload.to_vec());
    }
}

fn socket() -> UdpSocket {
    UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port is free")
}

fn text(description: &[u8]) -> String {
    String::from_utf8(description.to_vec()).expect("SDP is text")
}
