//! WebRTC legs (RFC 8829): a leg whose packets come and go on the one port its worker has for all of them, to
//! an address that ICE finds, sealed with keys that DTLS agrees on. What is inside is RTP as anywhere, and goes
//! the way of every other leg's packets.
//!
//! ICE messages and DTLS are str0m's; its RTP stack is not used. Ours opens, rewrites and seals a packet in
//! place, where str0m's would copy it into an allocation each way and keep its own books of loss and jitter.

mod arrivals;
mod dtls;
mod ice;

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use str0m::crypto::{CryptoProvider, from_feature_flags};

use crate::media::rtc::{IceLogin, Theirs};
use crate::media::rtp::HEADER;
use crate::media::srtp::{Crypto, OVERHEAD};
use crate::time::Timestamp;

use super::ports::Lease;
use super::secure::{Security, Sort};
use super::session::Place;

use dtls::{Connection, Outcome};
use ice::Lite;

pub(super) use dtls::certificate;
pub(super) use ice::draw;

/// A WebRTC leg that should send and sends nothing for so long is told of: long against a burst of loss,
/// short against the time a caller wonders.
const QUIET: Duration = Duration::from_millis(1_500);
/// The same before its first packet: ICE over a relay, or a flight of DTLS that was lost, take seconds.
const FIRST: Duration = Duration::from_secs(4);
/// Room for the largest packet with the extension: 60 ms of G.711 are 480 octets, Opus has 1,275 at most.
const PACKET: usize = 1_500;
/// The extension with a MID of at most 16 octets, which is all that its one-octet header can say.
const EXTENSION: usize = 4 + 1 + 16 + 3;

/// str0m's cryptography: that of aws-lc-rs.
fn provider() -> &'static CryptoProvider {
    static PROVIDER: OnceLock<CryptoProvider> = OnceLock::new();
    PROVIDER.get_or_init(from_feature_flags)
}

/// A worker's port for WebRTC legs, and whose the datagrams are that come there.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) socket: Arc<UdpSocket>,
    /// Legs by the user name fragments they were given.
    ufrags: HashMap<String, Place>,
    /// Legs by the addresses ICE found them at: those that each leg's [`Lite`] knows, and no others.
    addresses: HashMap<SocketAddr, Place>,
    /// The port is one of the range.
    _lease: Option<Lease>,
}

impl Door {
    pub(super) fn new(socket: Arc<UdpSocket>, lease: Option<Lease>) -> Self {
        Self { socket, ufrags: HashMap::new(), addresses: HashMap::new(), _lease: lease }
    }
}

/// What a WebRTC leg has in place of sockets.
#[derive(Debug)]
pub(super) struct Rtc {
    socket: Arc<UdpSocket>,
    ice: Lite,
    connection: Option<Connection>,
    mid: Option<Mid>,
    pub(super) presence: Presence,
    /// The timer that looks for silence runs.
    pub(super) watched: bool,
    /// The handshake's timer is armed for this time.
    timer: Option<Timestamp>,
}

/// Whether the peer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// Not yet.
    Awaited,
    /// It does.
    Heard,
    /// Not any more; that was told.
    Silent,
}

impl Presence {
    /// How long it may send nothing.
    const fn patience(self) -> Duration {
        match self {
            Self::Awaited => FIRST,
            Self::Heard | Self::Silent => QUIET,
        }
    }
}

/// The header extension that names the media section (RFC 8285 §4.2, RFC 9143 §15), as it stands in every
/// packet: browsers with several sections need it, and one costs 8 octets.
#[derive(Debug)]
struct Mid {
    octets: [u8; EXTENSION],
    len: usize,
}

impl Mid {
    /// `None` for a number or a name that does not fit into the one-octet form.
    fn new(id: u8, mid: &str) -> Option<Self> {
        let name = mid.as_bytes();
        if !(1..=14).contains(&id) || !(1..=16).contains(&name.len()) {
            return None;
        }
        let words = (1 + name.len()).div_ceil(4);
        let mut octets = [0; EXTENSION];
        octets[..4].copy_from_slice(&[0xBE, 0xDE, 0, u8::try_from(words).ok()?]);
        octets[4] = id << 4 | u8::try_from(name.len() - 1).ok()?;
        octets[5..5 + name.len()].copy_from_slice(name);
        Some(Self { octets, len: 4 + 4 * words })
    }

    /// Copies a packet with a plain header, the extension put in. `None` when there is no room.
    fn insert(&self, packet: &[u8], out: &mut [u8]) -> Option<usize> {
        let (header, payload) = packet.split_at_checked(HEADER)?;
        let len = packet.len() + self.len;
        let out = out.get_mut(..len)?;
        out[..HEADER].copy_from_slice(header);
        out[0] |= 0x10;
        out[HEADER..HEADER + self.len].copy_from_slice(&self.octets[..self.len]);
        out[HEADER + self.len..].copy_from_slice(payload);
        Some(len)
    }
}

impl Rtc {
    pub(super) fn new(socket: Arc<UdpSocket>, ours: IceLogin) -> Self {
        Self {
            socket,
            ice: Lite::new(ours),
            connection: None,
            mid: None,
            presence: Presence::Awaited,
            watched: false,
            timer: None,
        }
    }

    /// Whether the peer has said goodbye: what still comes was on its way.
    fn is_over(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_over)
    }

    /// Whether ICE has found the peer.
    pub(super) fn is_reachable(&self) -> bool {
        self.ice.destination().is_some()
    }

    /// Sends the RTP packet in the first `len` octets of `buffer`, sealed; behind it is room for the tag.
    /// `None`: nothing was sent, since nobody is there or no key is agreed yet.
    pub(super) fn send_rtp(
        &self,
        security: &mut Security,
        buffer: &mut [u8],
        len: usize,
    ) -> Option<io::Result<usize>> {
        let to = self.ice.destination().filter(|_| security.proves())?;
        let mut room = [0; PACKET];
        let named = self.mid.as_ref().and_then(|mid| {
            let plain = room.len() - OVERHEAD;
            mid.insert(buffer.get(..len)?, &mut room[..plain])
        });
        let sealed = match named {
            Some(len) => security.seal(Sort::Rtp, &mut room, len),
            None => security.seal(Sort::Rtp, buffer, len),
        };
        Some(self.socket.send_to(sealed?, to))
    }

    /// Sends a sealed RTCP packet.
    pub(super) fn send_rtcp(&self, packet: &[u8]) -> io::Result<usize> {
        match self.ice.destination() {
            Some(to) => self.socket.send_to(packet, to),
            None => Ok(0),
        }
    }

    /// Stops sending to a peer whose consent has run out.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.ice.expire(now);
    }

    /// Takes over what was agreed. A peer with another certificate is shaken hands with anew. Returns a login of
    /// ours that does not count any more.
    fn agree(&mut self, theirs: &Theirs, now: Instant) -> (Option<IceLogin>, Outcome) {
        let dropped = self.ice.agree(&theirs.ice);
        self.mid = theirs.mid_extension.and_then(|id| Mid::new(id, &theirs.mid));
        let goes_on =
            self.connection.as_ref().is_some_and(|old| old.is_with(theirs.fingerprint, theirs.role));
        if goes_on {
            return (dropped, Outcome::default());
        }
        match Connection::new(theirs.fingerprint, theirs.role, now) {
            Ok(connection) => self.connection = Some(connection),
            Err(error) => tracing::error!(%error, "a WebRTC leg stays deaf"),
        }
        (dropped, self.begin(now))
    }

    /// Says hello to a peer that was found, when that is on us.
    fn begin(&mut self, now: Instant) -> Outcome {
        self.step(|connection, send| connection.begin(now, send))
    }

    /// Says goodbye.
    pub(super) fn close(&mut self, now: Instant) {
        self.step(|connection, send| {
            connection.close(now, send);
            Outcome::default()
        });
    }

    fn step(&mut self, step: impl FnOnce(&mut Connection, &mut dyn FnMut(&[u8])) -> Outcome) -> Outcome {
        let (Some(connection), Some(to)) = (&mut self.connection, self.ice.destination()) else {
            return Outcome::default();
        };
        // A lost one is sent again, as if the network had lost it.
        step(connection, &mut |packet| drop(self.socket.send_to(packet, to)))
    }
}

/// The keys that DTLS gave take the place of whatever there was.
pub(super) fn use_keys(security: &mut Security, keys: &Crypto, now: Timestamp) {
    security.agree(Some(keys), now);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::rtp::{Header, View};

    #[test]
    fn the_extension_is_one_that_others_can_read() {
        for mid in ["0", "audio", "a-mid-of-16-octs"] {
            let header = Header { marker: true, payload_type: 8, sequence: 7, timestamp: 9, ssrc: 3 };
            let mut packet = vec![0; HEADER];
            header.write(&mut packet);
            packet.extend(b"payload");
            let mut out = [0; 200];
            let len = Mid::new(4, mid).unwrap().insert(&packet, &mut out).unwrap();
            let view = View::parse(&out[..len]).unwrap();
            assert_eq!((view.header, &out[view.payload()]), (header, &b"payload"[..]));
            assert_eq!(out[12..14], [0xBE, 0xDE]);
            assert_eq!(out[16], 4 << 4 | (mid.len() - 1) as u8);
            assert_eq!(&out[17..17 + mid.len()], mid.as_bytes());
        }
        assert!(Mid::new(15, "0").is_none() && Mid::new(0, "0").is_none() && Mid::new(4, "").is_none());
        assert!(Mid::new(4, "a mid of 17 octet").is_none());
        assert_eq!(Mid::new(4, "0").unwrap().insert(&[0; HEADER], &mut [0; 16]), None);
    }
}
