//! A browser's half of a WebRTC call without its sockets: full ICE and DTLS-SRTP of str0m, with offers and
//! answers of str0m's own writing. One audio stream; RTP packets go in and come out. Also the load tool's and the
//! tests' agent.
//!
//! Feed it with [`Browser::receive`], [`Browser::send`] and, at the time [`Out::Wait`] names, [`Browser::wake`];
//! after each, drain [`Browser::poll`].

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::crypto::dtls::DtlsCert;
use str0m::format::{Codec as Payload, CodecConfig, FormatParams};
use str0m::media::{Direction as Way, Frequency, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig, RtcError};

use super::cipher::{self, provider};
use crate::ids::Redacted;
use crate::media::rtc::{Fingerprint, IceLogin, Ours};
use crate::media::rtp::Header;
use crate::media::srtp::Suite;
use crate::media::{Codec, Direction, LegMedia};
use crate::sip::core::sdp::{self, Local, SdpError, Terms};

/// As browsers number them.
const OPUS: u8 = 111;
const EVENTS_48K: u8 = 110;
const EVENTS_8K: u8 = 126;
const MID_EXTENSION: u8 = 4;

/// Why it cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// str0m says so: a description it cannot use, or a connection that failed.
    #[error("the WebRTC connection: {0}")]
    Rtc(#[from] RtcError),
    /// The other side's description is not text, or no description.
    #[error("the other side's SDP is not understood: {0}")]
    Text(String),
    /// Offer and answer do not fit together.
    #[error("offer and answer do not agree: {0}")]
    Sdp(#[from] SdpError),
    /// Its address is none to be reached at.
    #[error("{0} cannot be a candidate of ICE")]
    Address(SocketAddr),
    /// No certificate could be made.
    #[error("no DTLS certificate could be made")]
    NoCertificate,
    /// There is an offer of ours under way, or none where an answer came.
    #[error("an offer and its answer are out of turn")]
    OutOfTurn,
}

/// What is to be done.
#[derive(Debug)]
pub enum Out {
    /// Send this datagram.
    Send {
        /// Whereto.
        to: SocketAddr,
        /// STUN, DTLS, SRTP or SRTCP.
        datagram: Vec<u8>,
    },
    /// ICE and DTLS have succeeded: what is sent from now on is heard.
    Connected,
    /// A packet was heard.
    Heard {
        /// Its header, without extensions.
        header: Header,
        /// Its payload.
        payload: Arc<[u8]>,
    },
    /// The other side closed the connection, or it failed for good.
    Closed,
    /// Nothing more now; call [`Browser::wake`] then.
    Wait(Instant),
}

/// What went over the line so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packets {
    /// Sent since the connection was there.
    pub sent: u64,
    /// Heard.
    pub received: u64,
    /// Numbers missing among those heard.
    pub lost: u64,
}

/// See the module.
pub struct Browser {
    rtc: Rtc,
    local: SocketAddr,
    mid: Option<Mid>,
    pending: Option<(Bytes, SdpPendingOffer)>,
    connected: bool,
    /// The sequence number of the last packet sent, roll-overs counted.
    sequence: Option<u64>,
    packets: Packets,
    suite: Option<Suite>,
    /// SSRC, first and last number of the stream that is heard, and how many came of it.
    heard: Option<(u32, u64, u64, u64)>,
}

impl Browser {
    /// One that is reached at `local` and speaks these codecs, the best first.
    ///
    /// # Errors
    /// [`BrowserError::Address`], [`BrowserError::NoCertificate`].
    pub fn new(local: SocketAddr, codecs: &[Codec], now: Instant) -> Result<Self, BrowserError> {
        let mut config = RtcConfig::new()
            .set_crypto_provider(Arc::clone(provider()))
            .set_dtls_cert(certificate()?)
            .clear_codecs()
            .clear_extension_map()
            .set_extension(MID_EXTENSION, Extension::RtpMid)
            .set_rtp_mode(true)
            .set_stats_interval(None);
        fill(config.codec_config(), codecs);
        let mut browser = Self {
            rtc: config.build(now),
            local,
            mid: None,
            pending: None,
            connected: false,
            sequence: None,
            packets: Packets::default(),
            suite: None,
            heard: None,
        };
        browser.add_candidate(local)?;
        Ok(browser)
    }

    /// An offer of one stream both ways.
    ///
    /// # Errors
    /// [`BrowserError::OutOfTurn`] when it has made or taken one before: see [`Browser::reoffer`].
    pub fn offer(&mut self) -> Result<Bytes, BrowserError> {
        if self.mid.is_some() || self.pending.is_some() {
            return Err(BrowserError::OutOfTurn);
        }
        let mut changes = self.rtc.sdp_api();
        self.mid = Some(changes.add_media(MediaKind::Audio, Way::SendRecv, None, None, None));
        let made = changes.apply();
        self.keep(made)
    }

    /// An offer in mid-call: hold, resume (`direction` as this side sees it).
    ///
    /// # Errors
    /// [`BrowserError::OutOfTurn`] before the first offer, or when nothing would change.
    pub fn reoffer(&mut self, direction: Direction) -> Result<Bytes, BrowserError> {
        let mid = self.mid.ok_or(BrowserError::OutOfTurn)?;
        let mut changes = self.rtc.sdp_api();
        changes.set_direction(mid, way(direction));
        let made = changes.apply();
        self.keep(made)
    }

    /// An offer that restarts ICE, as after a change of network: it is reached at `local` from now on.
    ///
    /// # Errors
    /// [`BrowserError::Address`], [`BrowserError::OutOfTurn`].
    pub fn restart(&mut self, local: SocketAddr) -> Result<Bytes, BrowserError> {
        if local != self.local {
            self.add_candidate(local)?;
            self.local = local;
        }
        let mut changes = self.rtc.sdp_api();
        changes.ice_restart(true);
        let made = changes.apply();
        self.keep(made)
    }

    /// Takes the answer to the offer made last; what was agreed, as this side sees it.
    ///
    /// # Errors
    /// [`BrowserError`]; the call is of no use then.
    pub fn accept(&mut self, answer: &[u8]) -> Result<LegMedia, BrowserError> {
        let (offer, pending) = self.pending.take().ok_or(BrowserError::OutOfTurn)?;
        let parsed = SdpAnswer::from_sdp_string(text(answer)?).map_err(|error| unread(&error))?;
        self.rtc.sdp_api().accept_answer(pending, parsed)?;
        self.agreed(answer, &offer)
    }

    /// Answers an offer; the answer, and what was agreed as this side sees it.
    ///
    /// # Errors
    /// [`BrowserError`]; the call stays as it was.
    pub fn answer(&mut self, offer: &[u8]) -> Result<(Bytes, LegMedia), BrowserError> {
        let parsed = SdpOffer::from_sdp_string(text(offer)?).map_err(|error| unread(&error))?;
        self.pending = None;
        let answer = Bytes::from(self.rtc.sdp_api().accept_offer(parsed)?.to_sdp_string());
        // Numbers and codecs of an answer are the same seen from either side; its direction is our own.
        let mut media = self.agreed(&answer, offer)?;
        media.direction = turned(media.direction);
        self.mid = media.rtc.as_ref().map(|theirs| Mid::from(theirs.mid.as_str()));
        Ok((answer, media))
    }

    /// Takes a datagram that came to its address; one that makes no sense is passed over.
    ///
    /// # Errors
    /// [`BrowserError::Rtc`] when the connection has failed.
    pub fn receive(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) -> Result<(), BrowserError> {
        let Ok(received) = Receive::new(Protocol::Udp, from, self.local, datagram) else { return Ok(()) };
        self.take(Input::Receive(now, received))
    }

    /// Time has come, see [`Out::Wait`].
    ///
    /// # Errors
    /// [`BrowserError::Rtc`] when the connection has failed.
    pub fn wake(&mut self, now: Instant) -> Result<(), BrowserError> {
        self.take(Input::Timeout(now))
    }

    /// Sends a packet. Of the header, payload type, sequence number, timestamp and marker count. Before the
    /// connection is there it is not sent, as nobody would hear it.
    ///
    /// # Errors
    /// [`BrowserError::Rtc`] when the connection has failed.
    pub fn send(&mut self, header: &Header, payload: Arc<[u8]>, now: Instant) -> Result<(), BrowserError> {
        let Some(mid) = self.mid.filter(|_| self.connected) else { return Ok(()) };
        let sequence = self.extended(header.sequence);
        let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None).map(|stream| stream.ssrc())
        else {
            return Ok(());
        };
        let packet =
            RtpWrite::new(header.payload_type.into(), sequence.into(), header.timestamp, now, payload)
                .marker(header.marker);
        if let Some(stream) = self.rtc.direct_api().stream_tx(&stream) {
            stream.write_rtp(packet);
            self.packets.sent += 1;
        }
        self.wake(now)
    }

    /// The next thing to be done.
    ///
    /// # Errors
    /// [`BrowserError::Rtc`] when the connection has failed.
    pub fn poll(&mut self) -> Result<Out, BrowserError> {
        loop {
            cipher::asked_for();
            let output = self.rtc.poll_output()?;
            self.suite = cipher::asked_for().or(self.suite);
            match output {
                Output::Timeout(at) => return Ok(Out::Wait(at)),
                Output::Transmit(send) => {
                    return Ok(Out::Send { to: send.destination, datagram: send.contents.to_vec() });
                }
                Output::Event(Event::Connected) if !self.connected => {
                    self.connected = true;
                    return Ok(Out::Connected);
                }
                Output::Event(Event::Closed) => return Ok(Out::Closed),
                Output::Event(Event::RtpPacket(packet)) => {
                    self.count(*packet.header.ssrc, *packet.seq_no);
                    let header = Header {
                        marker: packet.header.marker,
                        payload_type: *packet.header.payload_type,
                        sequence: packet.header.sequence_number,
                        timestamp: packet.header.timestamp,
                        ssrc: *packet.header.ssrc,
                    };
                    return Ok(Out::Heard { header, payload: packet.payload });
                }
                Output::Event(_) => {} // str0m's enum: more of it is of no interest here
            }
        }
    }

    /// Says goodbye (DTLS close_notify), as a closed page does not always; drain [`Browser::poll`] after it.
    ///
    /// # Errors
    /// [`BrowserError::Rtc`] when the connection has failed.
    pub fn close(&mut self) -> Result<(), BrowserError> {
        Ok(self.rtc.close()?)
    }

    /// Whether ICE and DTLS have succeeded.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// What went over the line so far.
    #[must_use]
    pub fn packets(&self) -> Packets {
        let lost = self.heard.map_or(0, |(_, first, last, count)| (last - first + 1).saturating_sub(count));
        Packets { lost: self.packets.lost + lost, ..self.packets }
    }

    /// What the packets are sealed with; `None` before DTLS has agreed.
    #[must_use]
    pub fn suite(&self) -> Option<Suite> {
        self.suite
    }

    fn take(&mut self, input: Input<'_>) -> Result<(), BrowserError> {
        cipher::asked_for();
        let taken = self.rtc.handle_input(input);
        self.suite = cipher::asked_for().or(self.suite);
        Ok(taken?)
    }

    fn add_candidate(&mut self, at: SocketAddr) -> Result<(), BrowserError> {
        let candidate = Candidate::host(at, Protocol::Udp).map_err(|_| BrowserError::Address(at))?;
        self.rtc.add_local_candidate(candidate);
        Ok(())
    }

    fn keep(&mut self, made: Option<(SdpOffer, SdpPendingOffer)>) -> Result<Bytes, BrowserError> {
        let (offer, pending) = made.ok_or(BrowserError::OutOfTurn)?;
        let offer = Bytes::from(offer.to_sdp_string());
        self.pending = Some((offer.clone(), pending));
        Ok(offer)
    }

    /// What offer and answer come to, for the side that offered.
    fn agreed(&self, answer: &[u8], offer: &[u8]) -> Result<LegMedia, BrowserError> {
        // Only that it is a WebRTC leg counts here: addresses and keys are str0m's affair.
        let ice = IceLogin { ufrag: String::new(), password: Redacted(String::new()) };
        let rtc = Some(Ours { ice, fingerprint: Fingerprint([0; 32]), role: None });
        let local = Local { rtp: self.local, rtcp: self.local, session_id: 0, version: 0, rtc };
        Ok(sdp::accept(answer, offer, &local, &Terms::default())?)
    }

    /// The number with its roll-overs, which begin at none (RFC 3711 §3.3.1).
    fn extended(&mut self, number: u16) -> u64 {
        let next = match self.sequence {
            None => u64::from(number),
            Some(last) => {
                let step = number.wrapping_sub(last as u16).cast_signed();
                last.saturating_add_signed(step.into())
            }
        };
        self.sequence = Some(next);
        next
    }

    fn count(&mut self, ssrc: u32, number: u64) {
        self.packets.received += 1;
        self.heard = Some(match self.heard {
            Some((known, first, last, count)) if known == ssrc => {
                (ssrc, first.min(number), last.max(number), count + 1)
            }
            before @ (Some(_) | None) => {
                if let Some((_, first, last, count)) = before {
                    self.packets.lost += (last - first + 1).saturating_sub(count);
                }
                (ssrc, number, number, 1)
            }
        });
    }
}

/// Payload types, in the order of `codecs`, with telephone-event at each of their clocks.
fn fill(config: &mut CodecConfig, codecs: &[Codec]) {
    let mut put = |number: u8, codec, clock, channels, format| {
        config.add_config(number.into(), None, codec, clock, channels, format);
    };
    for codec in codecs {
        let plain = FormatParams::default();
        match codec {
            Codec::Opus => {
                let format = FormatParams {
                    min_p_time: Some(10),
                    use_inband_fec: Some(true),
                    ..FormatParams::default()
                };
                put(OPUS, Payload::Opus, Frequency::FORTY_EIGHT_KHZ, Some(2), format);
            }
            Codec::G722 => put(9, Payload::G722, Frequency::SIXTEEN_KHZ, None, plain),
            Codec::Pcma => put(8, Payload::PCMA, Frequency::EIGHT_KHZ, None, plain),
            Codec::Pcmu => put(0, Payload::PCMU, Frequency::EIGHT_KHZ, None, plain),
        }
    }
    let has = |clock| codecs.iter().any(|codec| codec.clock() == clock);
    for (number, clock, frequency) in
        [(EVENTS_48K, 48_000, Frequency::FORTY_EIGHT_KHZ), (EVENTS_8K, 8_000, Frequency::EIGHT_KHZ)]
    {
        if has(clock) {
            put(number, Payload::Tele, frequency, None, FormatParams::default());
        }
    }
}

const fn way(direction: Direction) -> Way {
    match direction {
        Direction::SendRecv => Way::SendRecv,
        Direction::SendOnly => Way::SendOnly,
        Direction::RecvOnly => Way::RecvOnly,
        Direction::Inactive => Way::Inactive,
    }
}

const fn turned(direction: Direction) -> Direction {
    match direction {
        Direction::SendOnly => Direction::RecvOnly,
        Direction::RecvOnly => Direction::SendOnly,
        Direction::SendRecv | Direction::Inactive => direction,
    }
}

fn text(sdp: &[u8]) -> Result<&str, BrowserError> {
    std::str::from_utf8(sdp).map_err(|error| BrowserError::Text(error.to_string()))
}

fn unread(error: &impl std::fmt::Display) -> BrowserError {
    BrowserError::Text(error.to_string())
}

/// One for the process: making it costs more than a call.
fn certificate() -> Result<DtlsCert, BrowserError> {
    static CERTIFICATE: OnceLock<Option<DtlsCert>> = OnceLock::new();
    let made = CERTIFICATE.get_or_init(|| provider().dtls_provider.generate_certificate());
    made.clone().ok_or(BrowserError::NoCertificate)
}

#[cfg(test)]
#[path = "browser_tests.rs"]
mod tests;
