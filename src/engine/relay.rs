//! The way of a packet through a worker: received, judged, recorded, rewritten in place, sent on.
//! Runs to completion without a lock, a log line or an allocation. What cannot be forwarded as it is goes to
//! `transcode`.

use std::net::SocketAddr;

use rustix::event::epoll;
use tracing::debug;

use crate::media::codec;
use crate::media::g711::{ALAW_TO_ULAW, ULAW_TO_ALAW};
use crate::media::rtp::{self, Header, View};
use crate::media::stream::Kind;
use crate::media::tap::{Channel, Tap};
use crate::media::{Codec, Digit, DigitChannel};
use crate::time::Timestamp;

use super::MediaEvent;
use super::agreed::Agreed;
use super::hearing::Monitor;
use super::leg::{Leg, Taken, Way};
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
    /// Receives one datagram into `buffer` and runs it to completion. Not inlined: `sayso-load count` counts its
    /// instructions by its name.
    #[inline(never)]
    pub(super) fn receive(&mut self, key: usize, port: Port, buffer: &mut [u8], now: Timestamp) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        let Way::Ports(sockets) = &leg.way else { return };
        let received = match port {
            Port::Rtp => sockets.rtp().recv_from(buffer).map(|(len, from)| (len, Some(from))),
            Port::Rtcp => sockets.rtcp().recv_from(buffer).map(|(len, from)| (len, Some(from))),
            Port::Twin => match sockets.receive_twin(buffer) {
                Some(received) => received.map(|len| (len, None)),
                None => return,
            },
        };
        // Nothing there after all, or an ICMP error told of an earlier packet: both are of no use.
        let Ok((len, from)) = received else { return };
        if port == Port::Rtcp || rtp::is_rtcp(&buffer[..len]) {
            leg.take_rtcp(&mut buffer[..len], from, port != Port::Rtcp, now);
        } else {
            self.receive_rtp(key, from, buffer, len, now);
        }
    }

    pub(super) fn receive_rtp(
        &mut self,
        key: usize,
        from: Option<SocketAddr>,
        buffer: &mut [u8],
        len: usize,
        now: Timestamp,
    ) {
        let leg = &mut self.legs[key];
        match leg.take(&mut buffer[..len], from, now) {
            Taken::Nothing => return,
            Taken::Stranger => {
                self.stats.strangers += 1;
                return;
            }
            Taken::Forged => {
                self.stats.auth_failures += 1;
                return;
            }
            Taken::Audio(view, codec) => {
                if leg.monitor.is_some() {
                    self.listen(key, &view, codec, buffer, now);
                }
                self.relay_audio(key, &view, codec, buffer, now);
            }
            Taken::Event(view, pressed) => {
                if let Some(digit) = pressed {
                    self.pressed(key, digit, DigitChannel::Rfc4733);
                }
                self.relay_event(key, &view, buffer, now);
            }
            Taken::Noise(view) => self.relay_noise(key, &view, buffer, now),
            Taken::Unknown(view) => {
                let peer = leg.peer;
                if let Some(ear) = &mut leg.ear {
                    // It keeps its place in the sequence: nothing is missing.
                    ear.playout.event(&view.header, now);
                }
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

    fn pressed(&mut self, key: usize, digit: Digit, channel: DigitChannel) {
        let (call, leg) = (self.legs[key].call, self.legs[key].number);
        self.stats.digits += 1;
        self.post(call, MediaEvent::Digit { leg, digit, channel });
    }

    /// Decodes a packet of a leg that is listened to for keys, or recorded in a codec other than G.711.
    fn listen(&mut self, key: usize, view: &View, codec: Codec, datagram: &[u8], now: Timestamp) {
        let leg = &mut self.legs[key];
        let Some(monitor) = &mut leg.monitor else { return };
        let decoded = monitor.take(&view.header, codec, &datagram[view.payload()]);
        if !decoded {
            return;
        }
        if let Some(digit) = monitor.key().and_then(|digit| leg.pressed.by_tone(digit, now)) {
            leg.stats.digits += 1;
            self.pressed(key, digit, DigitChannel::InBand);
        }
    }

    /// Forwards an audio packet to the leg that hears this one, and records it when it does.
    fn relay_audio(&mut self, key: usize, view: &View, codec: Codec, buffer: &mut [u8], now: Timestamp) {
        if self.legs[key].ear.is_some() {
            self.put_audio(key, view, codec, buffer, now);
            return;
        }
        let Some((leg, peer)) = pair(&mut self.legs, key) else { return };
        if !leg.receives() {
            return;
        }
        let Some(agreed) = peer.hears() else { return };
        let octets = view.payload().len();
        let ticks = match codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => u32::try_from(octets).unwrap_or(0),
            Codec::Opus => codec::ticks(codec, &buffer[view.payload()]).unwrap_or(0),
        };
        if !passes(codec, agreed, ticks, &mut leg.odd_packets) {
            self.put_audio(key, view, codec, buffer, now);
            return;
        }
        let (payload_type, wanted) = (agreed.payload_type, agreed.codec);
        let kind = Kind::Audio { samples: ticks };
        let Some(header) = peer.out.forward(&view.header, payload_type, kind, now) else { return };
        if let (Some(channel), Some(_)) = (leg.channel, peer.channel)
            && let Some(recording) = self.calls.get_mut(leg.call).and_then(|call| call.recording.as_mut())
        {
            let payload = &buffer[view.payload()];
            record_packet(leg, &mut recording.tap, channel, (view, codec, ticks), payload, now);
        }
        transcode(codec, wanted, &mut buffer[view.payload()]);
        let (packet, len) = view.rewrite(buffer, &header);
        peer.send(packet, len);
        self.stats.packets_out += 1;
    }

    fn relay_event(&mut self, key: usize, view: &View, buffer: &mut [u8], now: Timestamp) {
        if let Some(ear) = &mut self.legs[key].ear {
            ear.playout.event(&view.header, now);
        }
        let Some((leg, peer)) = pair(&mut self.legs, key) else { return };
        let Some(agreed) = peer.hears().filter(|_| leg.receives()) else { return };
        let Some(to) = agreed.events else {
            peer.out.skip(&view.header);
            return;
        };
        let from = leg.agreed.as_ref().and_then(|agreed| agreed.events).unwrap_or(to);
        let other_clock =
            from.clock != to.clock || leg.heard.is_some_and(|c| c.clock() != agreed.codec.clock());
        let header = if leg.ear.is_some() || other_clock {
            let payload = &mut buffer[view.payload()];
            peer.event_relay.forward(
                &view.header,
                payload,
                (from.clock, to.clock),
                to.send,
                &mut peer.out,
                now,
            )
        } else {
            peer.out.forward(&view.header, to.send, Kind::Event, now)
        };
        if let Some(header) = header {
            let (packet, len) = view.rewrite(buffer, &header);
            peer.send(packet, len);
            self.stats.packets_out += 1;
        }
    }

    /// Comfort noise (RFC 3389): forwarded to a peer that knows it. For one that does not, the sender is
    /// decoded from now on, since the noise it asks for has to be made.
    fn relay_noise(&mut self, key: usize, view: &View, buffer: &mut [u8], now: Timestamp) {
        if self.legs[key].ear.is_some() {
            self.put_noise(key, view, buffer, now);
            return;
        }
        let Some((leg, peer)) = pair(&mut self.legs, key) else { return };
        let Some(agreed) = peer.hears().filter(|_| leg.receives()) else { return };
        let same_clock = leg.heard.is_none_or(|codec| codec.clock() == agreed.codec.clock());
        let Some(payload_type) = agreed.comfort_noise.filter(|_| same_clock) else {
            self.put_noise(key, view, buffer, now);
            return;
        };
        let kind = Kind::Audio { samples: 0 };
        let Some(header) = peer.out.forward(&view.header, payload_type, kind, now) else { return };
        if let (Some(channel), Some(_)) = (leg.channel, peer.channel)
            && let Some(recording) = self.calls.get_mut(leg.call).and_then(|call| call.recording.as_mut())
        {
            recording.tap.rest(channel, now);
        }
        let (packet, len) = view.rewrite(buffer, &header);
        peer.send(packet, len);
        self.stats.packets_out += 1;
    }

    fn connect(&mut self, key: usize, peer: SocketAddr) {
        let Way::Ports(sockets) = &mut self.legs[key].way else { return };
        let watched = sockets.connect(peer).and_then(|twin| {
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
            sockets.disconnect();
        }
    }
}

/// Packets of another length than the peer wants, in a row, before its sender is decoded and cut anew: the
/// last packet of a talkspurt may be short.
const ODD_PACKETS: u8 = 3;

/// Whether audio of `codec` can be forwarded as it is, but for a table between the two G.711 codecs. G.711
/// in packets of another length than asked for is cut anew: phones with a small fixed buffer stutter on
/// longer ones, and each of the shorter costs headers. Other codecs go as they are: a ptime is a wish (RFC
/// 4566 §6), and decoding would cost them quality.
fn passes(codec: Codec, wanted: &Agreed, ticks: u32, odd: &mut u8) -> bool {
    match (codec, wanted.codec) {
        (Codec::Pcma | Codec::Pcmu, Codec::Pcma | Codec::Pcmu) => {
            if ticks == wanted.packet_ticks() {
                *odd = 0;
                return true;
            }
            *odd = odd.saturating_add(1);
            *odd < ODD_PACKETS
        }
        (Codec::G722, Codec::G722) | (Codec::Opus, Codec::Opus) => true,
        (Codec::Pcma | Codec::Pcmu, Codec::G722 | Codec::Opus)
        | (Codec::G722 | Codec::Opus, Codec::Pcma | Codec::Pcmu)
        | (Codec::G722, Codec::Opus)
        | (Codec::Opus, Codec::G722) => false,
    }
}

/// Records a packet that is forwarded. G.711 goes to the tap as it is; another codec is decoded for it.
fn record_packet(
    leg: &mut Leg,
    tap: &mut Tap,
    channel: Channel,
    (view, codec, ticks): (&View, Codec, u32),
    payload: &[u8],
    now: Timestamp,
) {
    if leg.rested(&view.header, ticks) {
        tap.rested(channel);
    }
    let Header { ssrc, timestamp, .. } = view.header;
    match codec {
        Codec::Pcmu | Codec::Pcma => tap.push(channel, ssrc, timestamp, codec, payload, now),
        Codec::G722 | Codec::Opus => {
            // One that listens for keys has decoded it already.
            let listens = leg.monitor.is_some();
            let monitor = leg.monitor.get_or_insert_with(|| Box::new(Monitor::new(false)));
            if listens || monitor.take(&view.header, codec, payload) {
                for (timestamp, pcm) in monitor.heard() {
                    tap.push_pcm(channel, ssrc, timestamp, pcm, now);
                }
            }
        }
    }
}

/// Between the two G.711 codecs, in place.
fn transcode(from: Codec, to: Codec, payload: &mut [u8]) {
    let table = match (from, to) {
        (Codec::Pcma, Codec::Pcma) | (Codec::Pcmu, Codec::Pcmu) => return,
        (Codec::Pcma, Codec::Pcmu) => &ALAW_TO_ULAW,
        (Codec::Pcmu, Codec::Pcma) => &ULAW_TO_ALAW,
        // Forwarded untouched.
        (Codec::G722 | Codec::Opus, _) | (_, Codec::G722 | Codec::Opus) => return,
    };
    for octet in payload {
        *octet = table[usize::from(*octet)];
    }
}
