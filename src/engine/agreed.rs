//! What offer and answer agreed for a leg, as far as packets need it: who the peer is, what its numbers
//! mean, what it wants to be sent.

use std::net::{IpAddr, SocketAddr};

use crate::media::lock::SourceLock;
use crate::media::{Codec, Direction, Events, LegMedia};

/// See [`LegMedia`]; asked for each packet, so looked up and not searched.
#[derive(Debug)]
pub(super) struct Agreed {
    pub(super) lock: SourceLock,
    /// What we send: codec and the peer's number for it.
    pub(super) codec: Codec,
    pub(super) payload_type: u8,
    /// What the peer sends, by payload type.
    receive: [Option<Codec>; 128],
    pub(super) events: Option<Events>,
    pub(super) comfort_noise: Option<u8>,
    pub(super) sends: bool,
    pub(super) receives: bool,
    /// Milliseconds of audio in a packet of ours.
    pub(super) packet_ms: u32,
    pub(super) rtcp_mux: bool,
    remote_rtcp: SocketAddr,
}

/// What a payload type means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Audio(Codec),
    Event,
    Noise,
    /// Nobody agreed on it.
    Unknown,
}

impl Agreed {
    pub(super) fn new(media: &LegMedia, lock: SourceLock) -> Self {
        let reachable = !media.remote_rtp.ip().is_unspecified() && media.remote_rtp.port() != 0;
        let (sends, receives) = match media.direction {
            Direction::SendRecv => (true, true),
            Direction::SendOnly => (true, false),
            Direction::RecvOnly => (false, true),
            Direction::Inactive => (false, false),
        };
        let mut receive = [None; 128];
        // The static types of both G.711 codecs are taken even when only one was agreed: some gateways
        // switch without asking, and to understand costs nothing.
        receive[0] = Some(Codec::Pcmu);
        receive[8] = Some(Codec::Pcma);
        for (payload_type, codec) in &media.receive {
            if let Some(slot) = receive.get_mut(usize::from(*payload_type)) {
                *slot = Some(*codec);
            }
        }
        Self {
            lock,
            codec: media.codec,
            payload_type: media.payload_type,
            receive,
            events: media.dtmf,
            comfort_noise: media.comfort_noise,
            // ICE finds a WebRTC peer.
            sends: sends && (reachable || media.rtc.is_some()),
            receives,
            packet_ms: packet_ms(media.codec, media.ptime),
            rtcp_mux: media.rtcp_mux,
            remote_rtcp: media.remote_rtcp,
        }
    }

    /// What a payload type means in what the peer sends. Comfort noise is understood under its static
    /// number even when it was not agreed (RFC 3551 §6: 13).
    pub(super) fn meaning(&self, payload_type: u8) -> Meaning {
        const STATIC_NOISE: u8 = 13;
        if let Some(codec) = self.receive[usize::from(payload_type & 0x7F)] {
            Meaning::Audio(codec)
        } else if self.events.is_some_and(|events| events.receive == payload_type) {
            Meaning::Event
        } else if self.comfort_noise == Some(payload_type) || payload_type == STATIC_NOISE {
            Meaning::Noise
        } else {
            Meaning::Unknown
        }
    }

    pub(super) fn is_reachable(&self) -> bool {
        let to = self.lock.destination();
        !to.ip().is_unspecified() && to.port() != 0
    }

    pub(super) fn is_peer(&self, ip: IpAddr) -> bool {
        self.lock.is_peer_host(ip) || self.remote_rtcp.ip() == ip
    }

    /// Behind a NAT the announced RTCP address is of no use: the port above the RTP source is the best
    /// guess until the peer's own RTCP comes.
    pub(super) fn rtcp_destination(&self) -> SocketAddr {
        match self.lock.source() {
            Some(source) if source.ip() != self.remote_rtcp.ip() => {
                SocketAddr::new(source.ip(), source.port().saturating_add(1))
            }
            Some(_) | None => self.remote_rtcp,
        }
    }

    /// Samples at 8 kHz in a packet of ours.
    pub(super) fn packet_samples(&self) -> usize {
        self.packet_ms as usize * 8
    }

    /// RTP clock ticks in a packet of ours.
    pub(super) fn packet_ticks(&self) -> u32 {
        self.packet_ms * (self.codec.clock() / 1_000)
    }
}

/// Milliseconds of audio in a packet, for the ptime a peer wants: what the codec can do (Opus has no frames
/// of 30 and 50 ms, RFC 6716 §2.1.4), and 20 when it wants something unusual.
fn packet_ms(codec: Codec, ptime: u8) -> u32 {
    match (codec, ptime) {
        (_, 10 | 20 | 40 | 60) | (Codec::Pcmu | Codec::Pcma | Codec::G722, 30 | 50) => u32::from(ptime),
        _ => 20,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media() -> LegMedia {
        LegMedia {
            remote_rtp: "192.0.2.1:4000".parse().unwrap(),
            remote_rtcp: "192.0.2.1:4001".parse().unwrap(),
            rtcp_mux: false,
            codec: Codec::Opus,
            payload_type: 111,
            receive: vec![(96, Codec::Opus), (9, Codec::G722), (200, Codec::Pcma)],
            dtmf: Some(Events { send: 110, receive: 97, clock: 48_000 }),
            comfort_noise: Some(19),
            direction: Direction::SendRecv,
            ptime: 30,
            crypto: None,
            rtc: None,
            in_band_digits: false,
            signalled_from: None,
        }
    }

    #[test]
    fn numbers_are_ours_in_what_comes() {
        let agreed = Agreed::new(&media(), SourceLock::new(media().remote_rtp));
        for (payload_type, meaning) in [
            (96, Meaning::Audio(Codec::Opus)),
            (9, Meaning::Audio(Codec::G722)),
            (0, Meaning::Audio(Codec::Pcmu)),
            (8, Meaning::Audio(Codec::Pcma)),
            (97, Meaning::Event),
            (13, Meaning::Noise),
            (19, Meaning::Noise),
            (111, Meaning::Unknown),
            (110, Meaning::Unknown),
        ] {
            assert_eq!(agreed.meaning(payload_type), meaning, "{payload_type}");
        }
    }

    #[test]
    fn packets_are_as_long_as_the_codec_can_make_them() {
        for (codec, ptime, ms) in [
            (Codec::Opus, 30, 20),
            (Codec::Pcma, 30, 30),
            (Codec::G722, 50, 50),
            (Codec::Opus, 60, 60),
            (Codec::Pcmu, 0, 20),
            (Codec::Pcmu, 13, 20),
        ] {
            let agreed =
                Agreed::new(&LegMedia { codec, ptime, ..media() }, SourceLock::new(media().remote_rtp));
            assert_eq!(agreed.packet_ms, ms, "{codec:?} {ptime}");
        }
    }
}
