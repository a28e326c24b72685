//! Media without I/O: RTP and RTCP, codecs, jitter buffer, digits, prompt player, recorder tap.

pub mod codec;
pub mod conceal;
pub mod convert;
pub mod dtmf;
pub mod emodel;
pub mod g711;
pub mod jitter;
pub mod lock;
pub mod loudness;
pub mod mix;
pub mod noise;
pub mod player;
pub mod playout;
pub mod resample;
pub mod rtc;
pub mod rtcp;
pub mod rtp;
mod seat;
pub mod sound;
pub mod srtp;
pub mod stream;
pub mod tap;
pub mod tones;

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

pub use seat::{Seat, Voice};

/// A DTMF key (RFC 4733 events 0-15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "char", into = "char")]
pub struct Digit(u8);

impl Digit {
    /// The key's character: `0`-`9`, `*`, `#`, `A`-`D`.
    #[must_use]
    pub const fn as_char(self) -> char {
        b"0123456789*#ABCD"[self.0 as usize] as char
    }

    /// From an RFC 4733 event code; `None` above 15.
    #[must_use]
    pub const fn from_event(event: u8) -> Option<Self> {
        if event < 16 { Some(Self(event)) } else { None }
    }

    /// The RFC 4733 event code, 0-15.
    #[must_use]
    pub const fn event(self) -> u8 {
        self.0
    }
}

/// A character that is no DTMF key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no key: 0-9, *, #, A-D are")]
pub struct BadDigit(pub char);

impl TryFrom<char> for Digit {
    type Error = BadDigit;

    fn try_from(key: char) -> Result<Self, BadDigit> {
        let upper = key.to_ascii_uppercase();
        let at = "0123456789*#ABCD".find(upper).ok_or(BadDigit(key))?;
        u8::try_from(at).map(Self).map_err(|_| BadDigit(key))
    }
}

impl From<Digit> for char {
    fn from(digit: Digit) -> Self {
        digit.as_char()
    }
}

/// How a key came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DigitChannel {
    /// RFC 4733 telephone-event.
    Rfc4733,
    /// SIP INFO.
    Info,
    /// Tones in the audio (ITU-T Q.23).
    InBand,
}

/// An audio codec of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Codec {
    /// G.711 µ-law, 8 kHz (static payload type 0).
    Pcmu,
    /// G.711 A-law, 8 kHz (static payload type 8).
    Pcma,
    /// G.722 at 64 kbit/s, 16 kHz; its RTP clock runs at 8 kHz (static payload type 9, RFC 3551 §4.5.2).
    G722,
    /// Opus, 48 kHz (RFC 7587; dynamic payload type).
    Opus,
}

impl Codec {
    /// Its name in `a=rtpmap` and in settings, upper case there, lower case here.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pcmu => "pcmu",
            Self::Pcma => "pcma",
            Self::G722 => "g722",
            Self::Opus => "opus",
        }
    }

    /// Ticks per second of its RTP timestamps.
    #[must_use]
    pub const fn clock(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8_000,
            Self::Opus => 48_000,
        }
    }

    /// Samples per second of its audio.
    #[must_use]
    pub const fn rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8_000,
            Self::G722 => 16_000,
            Self::Opus => 48_000,
        }
    }
}

/// Which way audio flows, as seen from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// We send only.
    SendOnly,
    /// We receive only: the peer holds us (RFC 3264 §8.4).
    RecvOnly,
    /// Neither.
    Inactive,
}

/// What offer and answer agreed for a leg's audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegMedia {
    /// Where to send RTP until the source lock learns better (symmetric RTP).
    pub remote_rtp: SocketAddr,
    /// Where to send RTCP; the RTP address when `rtcp_mux`.
    pub remote_rtcp: SocketAddr,
    /// RTCP on the RTP port (RFC 5761).
    pub rtcp_mux: bool,
    /// The codec we send.
    pub codec: Codec,
    /// Its payload type in what we send: the number the peer gave it.
    pub payload_type: u8,
    /// What the peer may send: our numbers and what they mean. At least the codec above.
    pub receive: Vec<(u8, Codec)>,
    /// telephone-event, if agreed.
    pub dtmf: Option<Events>,
    /// Comfort noise's payload type (RFC 3389; static 13), if agreed.
    pub comfort_noise: Option<u8>,
    /// Which way audio flows, as seen from us.
    pub direction: Direction,
    /// Milliseconds of audio the peer wants in a packet; 20 by default.
    pub ptime: u8,
    /// The keys of SRTP, if agreed (RFC 4568).
    pub crypto: Option<Box<srtp::Crypto>>,
    /// A WebRTC leg: ICE and DTLS as agreed. Such a leg has no `crypto`, and its addresses are found by ICE.
    pub rtc: Option<Box<rtc::Theirs>>,
    /// Whether keys are also listened for in the audio itself (a trunk's setting).
    pub in_band_digits: bool,
    /// The host its signalling comes from: besides the announced one the only host whose RTP may be believed
    /// without a key. `None`: any, where nothing is known of the signalling.
    pub signalled_from: Option<IpAddr>,
}

/// telephone-event as agreed (RFC 4733).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Events {
    /// The payload type we send: the number the peer gave it.
    pub send: u8,
    /// The payload type the peer sends: our number.
    pub receive: u8,
    /// Ticks per second of its durations: that of the audio's RTP clock.
    pub clock: u32,
}
