use std::collections::VecDeque;
use std::time::Duration;

use super::*;
use crate::media::Events;
use crate::media::dtmf::EventPayload;
use crate::media::rtc::DtlsRole;
use crate::time::Clock;

const ALL: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];

fn now() -> Instant {
    let clock = Clock::start();
    clock.instant(clock.now())
}

/// Two browsers and a wire that loses every so-many-th datagram, in virtual time.
struct Pair {
    ends: [Browser; 2],
    at: [SocketAddr; 2],
    wire: VecDeque<(usize, SocketAddr, Vec<u8>)>,
    wakes: [Instant; 2],
    heard: [Vec<(Header, Arc<[u8]>)>; 2],
    closed: [bool; 2],
    now: Instant,
    lose: Option<usize>,
    sent: usize,
}

impl Pair {
    fn new(codecs: [&[Codec]; 2]) -> Self {
        let now = now();
        let at = ["192.0.2.1:4000".parse().unwrap(), "192.0.2.2:4000".parse().unwrap()];
        let ends = [0, 1].map(|n| Browser::new(at[n], codecs[n], now).unwrap());
        let (heard, wire) = (Default::default(), VecDeque::new());
        Self { ends, at, wire, wakes: [now; 2], heard, closed: [false; 2], now, lose: None, sent: 0 }
    }

    fn drain(&mut self, n: usize) {
        loop {
            match self.ends[n].poll().unwrap() {
                Out::Send { datagram, .. } => {
                    self.sent += 1;
                    if self.lose.is_none_or(|every| !self.sent.is_multiple_of(every)) {
                        self.wire.push_back((1 - n, self.at[n], datagram));
                    }
                }
                Out::Heard { header, payload } => self.heard[n].push((header, payload)),
                Out::Connected => {}
                Out::Closed => self.closed[n] = true,
                Out::Wait(at) => break self.wakes[n] = at,
            }
        }
    }

    /// Lets 5 ms pass.
    fn step(&mut self) {
        self.now += Duration::from_millis(5);
        for n in [0, 1] {
            if self.wakes[n] <= self.now {
                self.ends[n].wake(self.now).unwrap();
            }
            self.drain(n);
        }
        while let Some((to, from, datagram)) = self.wire.pop_front() {
            self.ends[to].receive(from, &datagram, self.now).unwrap();
            self.drain(to);
        }
    }

    fn connect(&mut self) {
        for _ in 0..4_000 {
            if self.ends.iter().all(Browser::is_connected) {
                return;
            }
            self.step();
        }
        panic!("not connected within 20 s");
    }

    fn say(&mut self, n: usize, header: Header, payload: &[u8]) {
        self.ends[n].send(&header, payload.into(), self.now).unwrap();
        self.step();
    }
}

#[test]
fn two_of_them_call_speak_and_press_keys() {
    let mut pair = Pair::new([&ALL, &[Codec::Pcma, Codec::Opus]]);
    let offer = pair.ends[0].offer().unwrap();
    assert!(sdp::is_webrtc(&offer));
    let (answer, callee) = pair.ends[1].answer(&offer).unwrap();
    let caller = pair.ends[0].accept(&answer).unwrap();
    assert_eq!((caller.codec, caller.payload_type), (callee.codec, callee.payload_type));
    assert_eq!((caller.dtmf, caller.direction), (callee.dtmf, Direction::SendRecv));
    let events = caller.dtmf.unwrap();
    assert_eq!(events.clock, caller.codec.clock());
    pair.connect();
    assert_eq!(pair.ends[0].suite(), pair.ends[1].suite());
    assert!(matches!(pair.ends[0].suite(), Some(Suite::AeadAes256Gcm | Suite::AeadAes128Gcm)));
    let number = caller.payload_type;
    // Over the end of the numbers, and from both sides.
    for n in 0..40u16 {
        let sequence = 65_520u16.wrapping_add(n);
        let header =
            Header { payload_type: number, sequence, timestamp: 960 * u32::from(n), ..Header::default() };
        pair.say(0, header, &[n as u8; 60]);
        pair.say(1, header, &[n as u8; 50]);
    }
    let key = EventPayload { event: 5, end: true, volume: 10, duration: 960 };
    let header = Header { payload_type: events.send, sequence: 30, timestamp: 7, marker: true, ssrc: 0 };
    pair.say(0, header, &key.to_bytes());
    pair.step();
    for (n, length) in [(1, 60), (0, 50)] {
        let heard = &pair.heard[n];
        let audio = heard.iter().filter(|(header, _)| header.payload_type == number);
        let payloads: Vec<_> =
            audio.map(|(header, payload)| (header.sequence, payload.len(), payload[0])).collect();
        let wanted = (0..40u16).map(|n| (65_520u16.wrapping_add(n), length, n as u8));
        assert_eq!(payloads, wanted.collect::<Vec<_>>());
    }
    let (heard, payload) = pair.heard[1].last().unwrap();
    assert_eq!((heard.payload_type, heard.timestamp, heard.marker), (events.receive, 7, true));
    assert_eq!(&payload[..], &key.to_bytes());
    assert_eq!(pair.ends[0].packets(), Packets { sent: 41, received: 40, lost: 0 });
    pair.ends[0].close().unwrap();
    for _ in 0..10 {
        pair.drain(0);
        pair.step();
    }
    assert!(pair.closed[1], "close_notify is heard");
}

#[test]
fn it_connects_over_a_bad_line_and_counts_what_is_lost() {
    let mut pair = Pair::new([&[Codec::Pcmu]; 2]);
    pair.lose = Some(7);
    let offer = pair.ends[0].offer().unwrap();
    let (answer, _) = pair.ends[1].answer(&offer).unwrap();
    pair.ends[0].accept(&answer).unwrap();
    pair.connect();
    for n in 0..200u16 {
        let header = Header { sequence: n, timestamp: u32::from(n) * 160, ..Header::default() };
        pair.say(0, header, &[0x55; 160]);
    }
    let packets = pair.ends[1].packets();
    assert_eq!(packets.received, pair.heard[1].len() as u64);
    assert!(packets.lost > 5 && packets.received + packets.lost <= 200, "{packets:?}");
}

#[test]
fn a_call_goes_on_after_a_change_of_network_and_a_hold() {
    let mut pair = Pair::new([&[Codec::Pcma]; 2]);
    let offer = pair.ends[0].offer().unwrap();
    let (answer, before) = pair.ends[1].answer(&offer).unwrap();
    pair.ends[0].accept(&answer).unwrap();
    pair.connect();
    pair.at[0] = "198.51.100.9:5000".parse().unwrap();
    let moved = pair.ends[0].restart(pair.at[0]).unwrap();
    assert!(sdp::ice_restarts(&moved, before.rtc.as_deref().unwrap()));
    let (answer, _) = pair.ends[1].answer(&moved).unwrap();
    pair.ends[0].accept(&answer).unwrap();
    for n in 0..400u16 {
        let header =
            Header { payload_type: 8, sequence: n, timestamp: u32::from(n) * 160, ..Header::default() };
        pair.say(0, header, &[0x55; 160]);
    }
    assert!(pair.heard[1].iter().any(|(header, _)| header.sequence > 390), "heard at the end");
    let hold = pair.ends[0].reoffer(Direction::SendOnly).unwrap();
    let (answer, held) = pair.ends[1].answer(&hold).unwrap();
    let holds = pair.ends[0].accept(&answer).unwrap();
    assert_eq!((holds.direction, held.direction), (Direction::SendOnly, Direction::RecvOnly));
}

fn server() -> Local {
    let ice = IceLogin { ufrag: "sayS".into(), password: Redacted("abcdefghijklmnopqrstuv".into()) };
    let rtc = Some(Ours { ice, fingerprint: Fingerprint([7; 32]), role: None });
    let rtp = "203.0.113.1:40000".parse().unwrap();
    Local { rtp, rtcp: rtp, session_id: 1, version: 1, rtc }
}

#[test]
fn the_servers_descriptions_and_its_own_are_understood() {
    let at = "192.0.2.1:4000".parse().unwrap();
    let terms = Terms { codecs: &ALL, ..Terms::default() };
    // It offers.
    let mut browser = Browser::new(at, &ALL, now()).unwrap();
    let offer = browser.offer().unwrap();
    let (answer, ours) = sdp::answer(&offer, &server(), &terms).unwrap();
    let media = browser.accept(&answer).unwrap();
    assert_eq!((media.codec, ours.codec, media.payload_type), (Codec::Opus, Codec::Opus, ours.payload_type));
    assert_eq!(media.dtmf, Some(Events { send: EVENTS_48K, receive: EVENTS_48K, clock: 48_000 }));
    assert_eq!(media.rtc.unwrap().ice.ufrag, "sayS");
    let theirs = ours.rtc.unwrap();
    assert_eq!((theirs.role, theirs.mid_extension), (DtlsRole::Passive, Some(MID_EXTENSION)));
    let again = sdp::reoffer(&answer, &server(), &terms).unwrap();
    let (reply, _) = browser.answer(&again).unwrap();
    assert!(sdp::accept(&reply, &again, &server(), &terms).is_ok());
    // It is offered to.
    let mut browser = Browser::new(at, &[Codec::Pcma], now()).unwrap();
    let offer = sdp::offer(&server(), &terms);
    let (answer, media) = browser.answer(&offer).unwrap();
    let ours = sdp::accept(&answer, &offer, &server(), &terms).unwrap();
    assert_eq!((media.codec, ours.codec), (Codec::Pcma, Codec::Pcma));
    assert_eq!((media.dtmf, ours.dtmf.map(|events| events.clock)), (ours.dtmf, Some(8_000)));
    assert_eq!(ours.rtc.unwrap().role, DtlsRole::Active, "str0m waits where browsers begin: both are met");
    assert!(matches!(browser.offer(), Err(BrowserError::OutOfTurn)));
}

#[test]
fn what_is_no_description_is_refused() {
    let mut browser = Browser::new("192.0.2.1:4000".parse().unwrap(), &ALL, now()).unwrap();
    assert!(matches!(browser.answer(b"hello"), Err(BrowserError::Text(_))));
    assert!(matches!(browser.answer(&[0xFF, 0xFE]), Err(BrowserError::Text(_))));
    assert!(matches!(browser.accept(b"v=0"), Err(BrowserError::OutOfTurn)));
    assert!(browser.receive("192.0.2.9:1".parse().unwrap(), &[0; 40], now()).is_ok());
}
