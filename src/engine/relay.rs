//! The way of a packet through a worker: received, judged, recorded, rewritten in place, sent on.
//! Runs to completion without a lock, a log line or an allocation.

use std::net::SocketAddr;

use rustix::event::epoll;
use tracing::debug;

use crate::media::Codec;
use crate::media::g711::{ALAW_TO_ULAW, ULAW_TO_ALAW};
use crate::media::rtp::{self, View};
use crate::media::stream::Kind;
use crate::time::Timestamp;

use super::MediaEvent;
use super::leg::Taken;
use super::session::{Sessions, pair};

/// Which of a leg's descriptors has something to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// The bound RTP socket.
    Rtp,
    /// The RTCP socket.
    Rtcp,
    /// The RTP socket that is connected to the peer.
    Twin,
}

/// The token epoll hands back for a leg's descriptor.
pub(super) fn token(key: usize, port: Port) -> u64 {
    (key as u64) << 2
        | match port {
            Port::Rtp => 0,
            Port::Rtcp => 1,
            Port::Twin => 2,
        }
}

/// The leg and descriptor of a token.
pub(super) fn from_token(token: u64) -> (usize, Port) {
    let port = match token & 3 {
        0 => Port::Rtp,
        1 => Port::Rtcp,
        _ => Port::Twin,
    };
    ((token >> 2) as usize, port)
}

impl Sessions {
    /// Receives one datagram into `buffer` and runs it to completion.
    pub(super) fn receive(&mut self, key: usize, port: Port, buffer: &mut [u8], now: Timestamp) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        let received = match port {
            Port::Rtp => leg.sockets.rtp().recv_from(buffer).map(|(len, from)| (len, Some(from))),
            Port::Rtcp => leg.sockets.rtcp().recv_from(buffer).map(|(len, from)| (len, Some(from))),
            Port::Twin => match leg.sockets.twin() {
                Some(twin) => twin.recv(buffer).map(|len| (len, None)),
                None => return,
            },
        };
        // Nothing there after all, or an ICMP error told of an earlier packet: both are of no use.
        let Ok((len, from)) = received else { return };
        let datagram = &mut buffer[..len];
        if port == Port::Rtcp || rtp::is_rtcp(datagram) {
            leg.take_rtcp(datagram, from, port != Port::Rtcp, now);
        } else {
            self.receive_rtp(key, from, datagram, now);
        }
    }

    fn receive_rtp(&mut self, key: usize, from: Option<SocketAddr>, datagram: &mut [u8], now: Timestamp) {
        let leg = &mut self.legs[key];
        match leg.take(datagram, from, now) {
            Taken::Nothing => return,
            Taken::Stranger => {
                self.stats.strangers += 1;
                return;
            }
            Taken::Audio(view, codec) => self.relay_audio(key, &view, codec, datagram, now),
            Taken::Event(view, pressed) => {
                if let Some(digit) = pressed {
                    let (call, leg) = (leg.call, leg.number);
                    self.stats.digits += 1;
                    self.post(call, MediaEvent::Digit { leg, digit });
                }
                self.relay_event(key, &view, datagram, now);
            }
            Taken::Unknown(view) => {
                let peer = leg.peer;
                if let Some(peer) = peer.and_then(|peer| self.legs.get_mut(peer)) {
                    peer.out.skip(&view.header);
                }
            }
        }
        self.stats.packets_in += 1;
        if let Some(peer) = self.legs[key].ready_to_connect() {
            self.connect(key, peer);
        }
    }

    /// Forwards an audio packet to the leg that hears this one, and records it when it does.
    fn relay_audio(&mut self, key: usize, view: &View, codec: Codec, datagram: &mut [u8], now: Timestamp) {
        let Some((leg, peer)) = pair(&mut self.legs, key) else { return };
        if !leg.receives() {
            return;
        }
        let Some((payload_type, wanted)) = peer.hears() else { return };
        let kind = Kind::Audio { samples: u32::try_from(view.payload().len()).unwrap_or(0) };
        let Some(header) = peer.out.forward(&view.header, payload_type, kind, now) else { return };
        if let (Some(channel), Some(_)) = (leg.channel, peer.channel)
            && let Some(recording) = self.calls.get_mut(leg.call).and_then(|call| call.recording.as_mut())
        {
            let (ssrc, timestamp) = (view.header.ssrc, view.header.timestamp);
            recording.tap.push(channel, ssrc, timestamp, codec, &datagram[view.payload()], now);
        }
        transcode(codec, wanted, &mut datagram[view.payload()]);
        peer.send(view.rewrite(datagram, &header));
        self.stats.packets_out += 1;
    }

    fn relay_event(&mut self, key: usize, view: &View, datagram: &mut [u8], now: Timestamp) {
        let Some((leg, peer)) = pair(&mut self.legs, key) else { return };
        if !leg.receives() || peer.hears().is_none() {
            return;
        }
        let Some(payload_type) = peer.event_payload_type() else {
            peer.out.skip(&view.header);
            return;
        };
        if let Some(header) = peer.out.forward(&view.header, payload_type, Kind::Event, now) {
            peer.send(view.rewrite(datagram, &header));
            self.stats.packets_out += 1;
        }
    }

    fn connect(&mut self, key: usize, peer: SocketAddr) {
        let leg = &mut self.legs[key];
        let watched = leg.sockets.connect(peer).and_then(|twin| {
            Ok(epoll::add(
                &*self.epoll,
                twin,
                epoll::EventData::new_u64(token(key, Port::Twin)),
                epoll::EventFlags::IN,
            )?)
        });
        if let Err(error) = watched {
            // It goes on unconnected, which costs a little more.
            debug!(%error, "media socket could not be connected");
            leg.sockets.disconnect();
        }
    }
}

/// Between the two G.711 codecs, in place.
fn transcode(from: Codec, to: Codec, payload: &mut [u8]) {
    let table = match (from, to) {
        (Codec::Pcma, Codec::Pcma) | (Codec::Pcmu, Codec::Pcmu) => return,
        (Codec::Pcma, Codec::Pcmu) => &ALAW_TO_ULAW,
        (Codec::Pcmu, Codec::Pcma) => &ULAW_TO_ALAW,
        (Codec::G722 | Codec::Opus, _) | (_, Codec::G722 | Codec::Opus) => return,
    };
    for octet in payload {
        *octet = table[usize::from(*octet)];
    }
}
