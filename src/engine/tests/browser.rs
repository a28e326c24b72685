//! A browser for tests: str0m as a full, controlling ICE agent on sockets of its own, spoken to in RTP.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use str0m::config::Fingerprint as RtcFingerprint;
use str0m::format::{Codec as RtcCodec, FormatParams};
use str0m::media::{Frequency, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, RtpWrite};
use str0m::{Candidate, Event, IceCreds, Input, Output, Rtc, RtcConfig};

use super::rig::{DEADLINE, LOCAL, Rig, payload_type};
use crate::engine::{CallMedia, LocalMedia, MediaEvent};
use crate::ids::Redacted;
use crate::media::codec::{Decoder, Encoder};
use crate::media::dtmf::EventPayload;
use crate::media::rtc::{DtlsRole, Fingerprint, IceLogin, Ours, Theirs};
use crate::media::rtp::Header;
use crate::media::{Codec, Digit, Direction, Events, LegMedia};
use crate::time::Clock;

/// Chromium's numbers for telephone-event.
const EVENTS_8: u8 = 126;
const EVENTS_48: u8 = 110;
const MID_EXTENSION: u8 = 4;
const SSRC: u32 = 0xB0B0;

pub(super) struct Browser {
    pub(super) rtc: Rtc,
    clock: Clock,
    /// The newest is the last; ICE says which to send from.
    sockets: Vec<UdpSocket>,
    pub(super) to: LocalMedia,
    pub(super) codec: Codec,
    mid: Mid,
    sequence: u64,
    timestamp: u32,
    pub(super) heard: VecDeque<(Header, Vec<u8>)>,
    connected: bool,
    pub(super) closed: bool,
    encoder: Encoder,
    decoder: Decoder,
    said: u64,
}

impl Rig {
    /// A leg with a browser at its other end, connected.
    pub(super) fn browser(&mut self, leg: u16, codec: Codec) -> Browser {
        let (to, ours) = self.call.add_rtc_leg(leg).unwrap();
        let mut browser = Browser::new(self.clock, to, codec);
        self.call.configure(leg, browser.media(Direction::SendRecv));
        browser.connect(&ours, true);
        browser.until("connected", |browser| browser.connected);
        browser
    }

    /// The next event that is none of these.
    pub(super) fn event_but(&mut self, but: &[MediaEvent]) -> MediaEvent {
        loop {
            let event = self.event();
            if !but.contains(&event) {
                return event;
            }
        }
    }
}

impl Browser {
    pub(super) fn new(clock: Clock, to: LocalMedia, codec: Codec) -> Self {
        let mut config = RtcConfig::new()
            .clear_codecs()
            .set_rtp_mode(true)
            .set_rtcp_report_interval_audio(Duration::from_millis(200))
            .clear_extension_map()
            .set_extension(MID_EXTENSION, Extension::RtpMid)
            .enable_opus(true, false)
            .enable_pcmu(true, false)
            .enable_pcma(true, false)
            .enable_g722(true, false);
        for (number, rate) in [(EVENTS_8, Frequency::EIGHT_KHZ), (EVENTS_48, Frequency::FORTY_EIGHT_KHZ)] {
            let format = FormatParams::default();
            config.codec_config().add_config(number.into(), None, RtcCodec::Tele, rate, None, format);
        }
        let mut rtc = config.build(clock.instant(clock.now()));
        let mid: Mid = "audio".into();
        let mut direct = rtc.direct_api();
        direct.set_ice_controlling(true);
        direct.declare_media(mid, MediaKind::Audio);
        direct.declare_stream_tx(SSRC.into(), None, mid, None);
        let mut browser = Self {
            rtc,
            clock,
            sockets: Vec::new(),
            to,
            codec,
            mid,
            sequence: 300,
            timestamp: 70_000,
            heard: VecDeque::new(),
            connected: false,
            closed: false,
            encoder: Encoder::new(codec).unwrap(),
            decoder: Decoder::new(codec).unwrap(),
            said: 0,
        };
        browser.add_address();
        browser
    }

    /// Another address of its own. Returns it.
    fn add_address(&mut self) -> SocketAddr {
        let socket = UdpSocket::bind((LOCAL, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        self.sockets.push(socket);
        self.rtc.add_local_candidate(Candidate::host(address, Protocol::Udp).unwrap()).unwrap();
        address
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.sockets.last().unwrap().local_addr().unwrap()
    }

    /// Its network changed: it has another address, and the old one is dead.
    pub(super) fn moves(&mut self) {
        let old = self.address();
        self.add_address();
        let old = Candidate::host(old, Protocol::Udp).unwrap();
        assert!(self.rtc.direct_api().invalidate_candidate(&old));
        self.sockets.remove(0);
    }

    /// Learns our side of offer and answer.
    pub(super) fn connect(&mut self, ours: &Ours, active: bool) {
        self.rtc.add_remote_candidate(Candidate::host(self.to.rtp, Protocol::Udp).unwrap());
        let mut direct = self.rtc.direct_api();
        direct.set_remote_ice_credentials(creds(&ours.ice));
        let fingerprint =
            RtcFingerprint { hash_func: "sha-256".to_owned(), bytes: ours.fingerprint.0.to_vec() };
        direct.set_remote_fingerprint(fingerprint);
        direct.start_dtls(active).unwrap();
    }

    /// New credentials of its own, and ours.
    pub(super) fn restart(&mut self, ours: &Ours) {
        let mut direct = self.rtc.direct_api();
        direct.set_local_ice_credentials(IceCreds::new());
        direct.set_remote_ice_credentials(creds(&ours.ice));
    }

    /// What offer and answer agree with it; it is the DTLS client.
    pub(super) fn media(&mut self, direction: Direction) -> LegMedia {
        let direct = self.rtc.direct_api();
        let login = direct.local_ice_credentials();
        let fingerprint = direct.local_dtls_fingerprint().bytes.clone();
        let theirs = Theirs {
            ice: IceLogin { ufrag: login.ufrag, password: Redacted(login.pass) },
            fingerprint: Fingerprint(fingerprint.try_into().unwrap()),
            role: DtlsRole::Passive,
            mid: self.mid.to_string(),
            mid_extension: Some(MID_EXTENSION),
            ssrc: None,
        };
        let number = payload_type(self.codec);
        LegMedia {
            // As in SDP: where it is, ICE finds.
            remote_rtp: "0.0.0.0:9".parse().unwrap(),
            remote_rtcp: "0.0.0.0:9".parse().unwrap(),
            rtcp_mux: true,
            codec: self.codec,
            payload_type: number,
            receive: vec![(number, self.codec)],
            dtmf: Some(self.events()),
            comfort_noise: None,
            direction,
            ptime: 20,
            crypto: None,
            rtc: Some(Box::new(theirs)),
            in_band_digits: false,
            signalled_from: None,
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    fn events(&self) -> Events {
        let number = if self.codec == Codec::Opus { EVENTS_48 } else { EVENTS_8 };
        Events { send: number, receive: number, clock: self.codec.clock() }
    }

    fn instant(&self) -> Instant {
        self.clock.instant(self.clock.now())
    }

    /// Lives until this holds.
    pub(super) fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = self.clock.now() + DEADLINE;
        while !holds(self) {
            assert!(self.clock.now() < deadline, "a browser that is {what} before the deadline");
            self.live(Duration::from_millis(5));
        }
    }

    /// Lives for a moment: sends what is due, receives what comes, for so long at most when nothing does.
    pub(super) fn live(&mut self, most: Duration) {
        let now = self.instant();
        // Its last words may be left to say.
        if self.rtc.handle_input(Input::Timeout(now)).is_err() {
            return;
        }
        let due = self.flush();
        let wait = due.saturating_duration_since(now).min(most).max(Duration::from_millis(1));
        let mut buffer = [0; 2_048];
        for n in 0..self.sockets.len() {
            let socket = &self.sockets[n];
            socket.set_read_timeout(Some(wait)).unwrap();
            match socket.recv_from(&mut buffer) {
                Ok((len, from)) => self.take(&buffer[..len], from, self.sockets[n].local_addr().unwrap()),
                Err(error) => assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)),
            }
        }
    }

    fn take(&mut self, datagram: &[u8], source: SocketAddr, destination: SocketAddr) {
        let contents = datagram.try_into().expect("something of WebRTC");
        let received = Receive { proto: Protocol::Udp, source, destination, contents };
        let now = self.instant();
        self.rtc.handle_input(Input::Receive(now, received)).unwrap();
        self.flush();
    }

    /// Sends what waits. Returns when it wants to be asked again.
    fn flush(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) => return at,
                Output::Transmit(packet) => {
                    let from = |socket: &&UdpSocket| socket.local_addr().unwrap() == packet.source;
                    if let Some(socket) = self.sockets.iter().find(from) {
                        socket.send_to(&packet.contents, packet.destination).unwrap();
                    }
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::Closed) => self.closed = true,
                Output::Event(Event::RtpPacket(packet)) => {
                    assert_eq!(packet.header.ext_vals.mid, Some(self.mid), "it says which section it is of");
                    let header = Header {
                        marker: packet.header.marker,
                        payload_type: *packet.header.payload_type,
                        sequence: packet.header.sequence_number,
                        timestamp: packet.header.timestamp,
                        ssrc: *packet.header.ssrc,
                    };
                    self.heard.push_back((header, packet.payload.to_vec()));
                }
                Output::Event(_) => {}
            }
        }
    }

    /// Sends a datagram as it is, from its own address.
    pub(super) fn send_raw(&self, datagram: &[u8]) {
        self.sockets.last().unwrap().send_to(datagram, self.to.rtp).unwrap();
    }

    /// Closes the connection, and says so.
    pub(super) fn close(&mut self) {
        self.rtc.close().unwrap();
        self.flush();
    }

    /// The next packet.
    pub(super) fn hear(&mut self) -> (Header, Vec<u8>) {
        self.until("told something", |browser| !browser.heard.is_empty());
        self.heard.pop_front().unwrap()
    }

    /// Sends a packet of its stream; `step` ticks after the one before.
    pub(super) fn send(&mut self, payload_type: u8, marker: bool, step: u32, payload: &[u8]) {
        self.timestamp = self.timestamp.wrapping_add(step);
        let now = self.instant();
        let (sequence, time) = (self.sequence.into(), self.timestamp);
        self.sequence += 1;
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(self.mid, None).unwrap();
        let packet = RtpWrite::new(payload_type.into(), sequence, time, now, payload.to_vec()).marker(marker);
        stream.write_rtp(packet);
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
        self.flush();
    }

    /// Says 20 ms of octets made from `seed`, which are returned.
    pub(super) fn say(&mut self, seed: u8) -> Vec<u8> {
        let payload: Vec<u8> = (0..160u8).map(|n| n.wrapping_mul(7).wrapping_add(seed)).collect();
        self.send(payload_type(self.codec), false, self.codec.clock() / 50, &payload);
        payload
    }

    /// Says the next 20 ms of a tone of -9 dBm0. Returns the payload.
    pub(super) fn tone(&mut self, frequency: f64) -> Vec<u8> {
        let rate = self.encoder.rate();
        let sample = |n: u32| {
            let at = (self.said + u64::from(n)) as f64 / f64::from(rate);
            ((at * frequency * std::f64::consts::TAU).sin() * 10_000.0) as i16
        };
        let pcm: Vec<i16> = (0..rate / 50).map(sample).collect();
        self.said += u64::from(rate / 50);
        let mut payload = Vec::new();
        self.encoder.encode(&pcm, &mut payload).unwrap();
        self.send(payload_type(self.codec), false, self.codec.clock() / 50, &payload);
        payload
    }

    /// Lives on; what it heard meanwhile, decoded: samples per second and samples.
    pub(super) fn listen(&mut self) -> (u32, Vec<i16>) {
        self.live(Duration::from_millis(1));
        let mut pcm = Vec::new();
        while let Some((header, payload)) = self.heard.pop_front() {
            if header.payload_type == payload_type(self.codec) {
                self.decoder.decode(&payload, &mut pcm).unwrap();
            }
        }
        (self.decoder.rate(), pcm)
    }

    /// A key of 60 ms, by three packets.
    pub(super) fn key(&mut self, key: char) {
        let events = self.events();
        let event = Digit::try_from(key).unwrap().event();
        for n in 1..=3 {
            let duration = (events.clock / 50 * n) as u16;
            let payload = EventPayload { event, end: n == 3, volume: 10, duration }.to_bytes();
            self.send(events.send, n == 1, 0, &payload);
        }
        self.timestamp = self.timestamp.wrapping_add(events.clock / 50 * 3);
    }
}

/// Restarts a leg's ICE, from whoever asks for it.
pub(super) fn restart_ice(call: &CallMedia, leg: u16, browser: &mut Browser) {
    let ours = call.restart_ice(leg).unwrap();
    browser.restart(&ours);
    call.configure(leg, browser.media(Direction::SendRecv));
}

fn creds(login: &IceLogin) -> IceCreds {
    IceCreds { ufrag: login.ufrag.clone(), pass: login.password.0.clone() }
}
