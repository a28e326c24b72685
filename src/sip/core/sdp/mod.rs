//! Session descriptions: read (RFC 8866) and agreed upon (RFC 3264), for one audio stream: plain, sealed by
//! SDES (RFC 4568), or WebRTC's (RFC 8829).
//!
//! What we do not use we do not judge: other streams are refused in place, other attributes skipped.

mod formats;
mod negotiate;
mod parse;
mod rtc;
mod sdes;
mod write;

use std::net::{IpAddr, SocketAddr};

use crate::media::rtc::{Ours, Theirs};
use crate::media::srtp::MasterKey;
use crate::media::{Codec, Direction};
use crate::settings::SrtpPolicy;

pub use negotiate::{accept, answer, offer, reoffer};

/// Whether a description's first audio stream that is on is WebRTC's (`UDP/TLS/RTP/SAVPF`).
#[must_use]
pub fn is_webrtc(description: &[u8]) -> bool {
    let Ok(session) = parse::Session::parse(description) else { return false };
    let mut on = session.media.iter().filter(|stream| negotiate::is_on(stream));
    on.next().is_some_and(|stream| rtc::is_spoken(stream.protocol))
}

/// Whether an offer asks for an ICE restart (RFC 8839 §4.4.3): its user name fragment or password differ from
/// those the leg has. The answer wants new credentials of ours then.
#[must_use]
pub fn ice_restarts(offer: &[u8], theirs: &Theirs) -> bool {
    let Ok(session) = parse::Session::parse(offer) else { return false };
    let mut on = session.media.iter().filter(|stream| negotiate::is_on(stream));
    on.find_map(|stream| stream.rtc.ice()).is_some_and(|ice| ice != theirs.ice)
}

/// Our side of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// Where we receive RTP, as the peer reaches it.
    pub rtp: SocketAddr,
    /// Where we receive RTCP.
    pub rtcp: SocketAddr,
    /// The session's number in `o=`; the same for the dialog's life.
    pub session_id: u64,
    /// The description's number in `o=`; one more for each description sent (RFC 3264 §8).
    pub version: u64,
    /// A WebRTC leg: what is told of ICE and DTLS. Offers are UDP/TLS/RTP/SAVPF then, and no other is taken.
    pub rtc: Option<Ours>,
}

/// What we would do in a leg.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// What we speak, the best first.
    pub codecs: &'a [Codec],
    /// Which way audio may flow, as seen from us.
    pub direction: Direction,
    /// Whether audio is sealed. In mid-call: `Required` when the leg is sealed and shall stay so.
    pub srtp: SrtpPolicy,
    /// Our keys, the best first, one a suite, drawn for the leg's life. Without one of them nothing is sealed.
    pub keys: &'a [MasterKey],
    /// What we tell a peer that understands `a=record` (RFC 7866); `None`: nothing.
    pub record: Option<RecordState>,
    /// Whether comfort noise (RFC 3389) is offered and taken.
    pub comfort_noise: bool,
    /// The packet time we ask for in ms, 10-60; `None`: 20.
    pub ptime: Option<u8>,
    /// Handed on to [`LegMedia::in_band_digits`](crate::media::LegMedia::in_band_digits).
    pub in_band_digits: bool,
    /// See [`LegMedia::signalled_from`](crate::media::LegMedia::signalled_from).
    pub signalled_from: Option<IpAddr>,
}

impl Default for Terms<'_> {
    /// Plain G.711 both ways.
    fn default() -> Self {
        Self {
            codecs: &[Codec::Pcma, Codec::Pcmu],
            direction: Direction::SendRecv,
            srtp: SrtpPolicy::Off,
            keys: &[],
            record: None,
            comfort_noise: false,
            ptime: None,
            in_band_digits: false,
            signalled_from: None,
        }
    }
}

/// Whether we record, as `a=record` tells it (RFC 7866 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordState {
    /// It is recorded.
    On,
    /// It is not.
    Off,
    /// It was, and will be again.
    Paused,
}

/// Whether a peer wants to be recorded, as `a=recordpref` tells it (RFC 7866 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordWish {
    /// It does.
    On,
    /// It does not.
    Off,
    /// Not for now.
    Pause,
    /// It does not care.
    Any,
}

/// What the peer's offer or answer says about being recorded; `None`: nothing.
#[must_use]
pub fn record_wish(description: &[u8]) -> Option<RecordWish> {
    let session = parse::Session::parse(description).ok()?;
    let wish = |stream: &parse::Media<'_>| stream.record_wish.filter(|_| stream.port != 0);
    session.media.iter().find_map(wish)
}

/// Why a description cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Too many bytes.
    #[error("SDP of {bytes} bytes: at most {limit} are read")]
    TooLong {
        /// How many there are.
        bytes: usize,
        /// How many are read.
        limit: usize,
    },
    /// A line breaks the grammar.
    #[error("SDP line {line}: {fault}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: Fault,
    },
    /// Well formed, but there is no audio stream for us.
    #[error("no audio stream can be used: {0}")]
    NoUsableAudio(Unusable),
}

impl SdpError {
    /// The SIP status to refuse the request with (RFC 3261 §13.3.1.3, §21.4.1).
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::TooLong { .. } | Self::Malformed { .. } => 400,
            Self::NoUsableAudio(_) => 488,
        }
    }
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not a letter and `=`.
    #[error("a letter, \"=\" and a value are expected")]
    NotALine,
    /// More lines than are read.
    #[error("there are too many lines")]
    TooManyLines,
    /// The description does not begin with `v=0`.
    #[error("\"v=0\" is expected first")]
    Version,
    /// A line that must be text is not.
    #[error("the line has characters outside printable ASCII")]
    NotText,
    /// `c=`.
    #[error("\"c=<network> <address type> <address>\" is expected")]
    Connection,
    /// `m=`.
    #[error("\"m=<media> <port> <protocol> <format> …\" is expected")]
    Media,
    /// `a=rtpmap`.
    #[error("\"a=rtpmap:<payload type> <name>/<clock rate>\" is expected")]
    Rtpmap,
    /// `a=rtcp`.
    #[error("\"a=rtcp:<port>\", perhaps with \"IN IP4 <address>\", is expected")]
    Rtcp,
}

/// Why the first audio stream cannot be used, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// No `m=audio`.
    #[error("there is none")]
    NoAudio,
    /// Port 0.
    #[error("it is refused (port 0)")]
    Refused,
    /// Neither RTP/AVP nor RTP/SAVP (with or without F), or several ports.
    #[error("only RTP/AVP and RTP/SAVP on one port are spoken")]
    Protocol,
    /// Another protocol than UDP/TLS/RTP/SAVPF in a WebRTC leg.
    #[error(
        "only UDP/TLS/RTP/SAVPF is spoken by WebRTC: the phone, or its media setting, is of another kind"
    )]
    NotWebrtc,
    /// No ICE user name fragment and password (RFC 8839 §5.4), or not such as are allowed.
    #[error("it has no ICE user name and password (a=ice-ufrag, a=ice-pwd)")]
    NoIce,
    /// No SHA-256 fingerprint (RFC 8122).
    #[error("it has no fingerprint by SHA-256 (a=fingerprint)")]
    NoFingerprint,
    /// RTCP on a port of its own, which WebRTC has not (RFC 8834 §4.5).
    #[error("it has RTCP on a port of its own (no a=rtcp-mux)")]
    NoMux,
    /// No address, a host name, a multicast address or one of the other IP version.
    #[error("its address is missing or not one we can send to")]
    Address,
    /// None of our codecs.
    #[error("no codec in common")]
    Codec,
    /// RTP/SAVP where SRTP is off.
    #[error("it is sealed (RTP/SAVP) and SRTP is off here: set srtp to optional or required")]
    Sealed,
    /// No `a=crypto` where SRTP is required or agreed.
    #[error("it is not sealed (no a=crypto), and must be")]
    Plain,
    /// No `a=crypto` line that we understand and have a key for, or an answer to none of ours.
    #[error("no a=crypto line can be used")]
    Suite,
}
