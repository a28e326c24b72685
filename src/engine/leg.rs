//! One leg: its sockets, what was agreed, the stream it receives and the one it is sent. What is read
//! and written for each packet is kept together here; nothing allocates.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::call::PlayId;
use crate::media::dtmf::{self, Heard};
use crate::media::lock::{SourceLock, Verdict};
use crate::media::player::{Player, Step};
use crate::media::rtcp::{self, Reception, Report, SenderInfo};
use crate::media::rtp::{HEADER, Header, View};
use crate::media::stream::OutStream;
use crate::media::tap::Channel;
use crate::media::{Codec, Digit, Direction, LegMedia};
use crate::time::Timestamp;

use super::socket::Sockets;
use super::stats::LegStats;

/// The largest packet of our own: 60 ms of G.711.
const LARGEST: usize = HEADER + 480;
/// Packets from the locked source before a twin is connected to it: a second of steady audio, so that
/// calls that only hear a prompt do not pay for it.
const STEADY: u64 = 50;

/// What makes a leg's stream its own: random, as RFC 3550 §5.1 and RFC 7022 ask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    cname: [u8; 16],
}

impl Identity {
    pub(super) fn from_random([a, b, c]: [u64; 3]) -> Self {
        let mut cname = [0; 16];
        for (n, letter) in cname.iter_mut().enumerate() {
            *letter = b"abcdefghijklmnopqrstuvwxyz234567"[(c >> (4 * n) & 0x0F) as usize * 2 + n % 2];
        }
        Self { ssrc: (a >> 32) as u32, sequence: (a & 0xFFFF) as u16, timestamp: b as u32, cname }
    }
}

/// A leg.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) sockets: Sockets,
    /// The leg that hears this one, by its place on the worker.
    pub(super) peer: Option<usize>,
    /// Its call, by its place on the worker.
    pub(super) call: usize,
    pub(super) number: u16,
    /// Tells this leg's timers from those of an earlier one in the same place.
    pub(super) generation: u32,
    /// Its side of the recording, while there is one.
    pub(super) channel: Option<Channel>,
    /// The time-out's timer runs.
    pub(super) watched: bool,
    agreed: Option<Agreed>,
    pub(super) out: OutStream,
    pub(super) player: Option<Player<PlayId>>,
    reception: Option<Reception>,
    digits: dtmf::Receiver,
    pub(super) stats: LegStats,
    /// Silence counts from here when nothing came since.
    expecting: Timestamp,
    rtcp_source: Option<SocketAddr>,
    reported_out: u64,
    cname: [u8; 16],
}

/// What offer and answer agreed, as far as packets need it.
#[derive(Debug)]
struct Agreed {
    lock: SourceLock,
    codec: Codec,
    payload_type: u8,
    dtmf_payload_type: Option<u8>,
    sends: bool,
    receives: bool,
    packet_samples: usize,
    rtcp_mux: bool,
    remote_rtcp: SocketAddr,
}

/// What a datagram on the RTP port was.
pub(super) enum Taken {
    /// Nothing to hand on.
    Nothing,
    /// Of somebody else: counted, nothing more.
    Stranger,
    /// Audio, to be forwarded and recorded.
    Audio(View, Codec),
    /// A telephone-event, to be forwarded.
    Event(View, Option<Digit>),
    /// Of the peer, but of no agreed payload type.
    Unknown(View),
}

/// How a change of what was agreed matters to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// The flow from the peer begins or ends: the leg that hears it starts a new talkspurt.
    pub(super) receives: bool,
    /// The time-out's timer is to be armed.
    pub(super) watch: bool,
    /// The first time: report timers are to be armed.
    pub(super) first: bool,
}

impl Leg {
    pub(super) fn new(
        sockets: Sockets,
        identity: Identity,
        (call, number): (usize, u16),
        generation: u32,
        now: Timestamp,
    ) -> Self {
        Self {
            sockets,
            peer: None,
            call,
            number,
            generation,
            channel: None,
            watched: false,
            agreed: None,
            out: OutStream::new(identity.ssrc, identity.sequence, identity.timestamp),
            player: None,
            reception: None,
            digits: dtmf::Receiver::default(),
            stats: LegStats::default(),
            expecting: now,
            rtcp_source: None,
            reported_out: 0,
            cname: identity.cname,
        }
    }

    /// Takes over what offer and answer agreed, the first time or again.
    pub(super) fn configure(&mut self, media: &LegMedia, now: Timestamp) -> Changed {
        let reachable = !media.remote_rtp.ip().is_unspecified() && media.remote_rtp.port() != 0;
        let (sends, receives) = match media.direction {
            Direction::SendRecv => (true, true),
            Direction::SendOnly => (true, false),
            Direction::RecvOnly => (false, true),
            Direction::Inactive => (false, false),
        };
        let before = self.agreed.take();
        let first = before.is_none();
        let (sent, received) = before.as_ref().map_or((false, false), |old| (old.sends, old.receives));
        let lock = match before {
            Some(Agreed { mut lock, .. }) => {
                if lock.announce(media.remote_rtp) {
                    self.sockets.disconnect();
                    self.rtcp_source = None;
                }
                lock
            }
            None => SourceLock::new(media.remote_rtp),
        };
        let sends = sends && reachable;
        if sends != sent {
            self.out.interrupt();
        }
        if receives && (!received || !self.watched) {
            self.expecting = now;
        }
        let watch = receives && !self.watched;
        self.watched |= watch;
        self.agreed = Some(Agreed {
            lock,
            codec: media.codec,
            payload_type: media.payload_type,
            dtmf_payload_type: media.dtmf.map(|events| events.receive),
            sends,
            receives,
            packet_samples: packet_samples(media.ptime),
            rtcp_mux: media.rtcp_mux,
            remote_rtcp: media.remote_rtcp,
        });
        Changed { receives: receives != received, watch, first }
    }

    /// Whether audio flows both ways (no hold).
    pub(super) fn is_two_way(&self) -> bool {
        self.agreed.as_ref().is_some_and(|agreed| agreed.sends && agreed.receives)
    }

    /// Whether what the peer sends is to be handed on.
    pub(super) fn receives(&self) -> bool {
        self.agreed.as_ref().is_some_and(|agreed| agreed.receives)
    }

    /// Judges a datagram of the RTP port that is not RTCP. `from` is `None` when it came on the twin.
    pub(super) fn take(&mut self, datagram: &[u8], from: Option<SocketAddr>, now: Timestamp) -> Taken {
        let Some(agreed) = &mut self.agreed else { return Taken::Nothing };
        let Ok(view) = View::parse(datagram) else {
            self.stats.unknown += 1;
            return Taken::Nothing;
        };
        let payload_type = view.header.payload_type;
        let codec = agreed.codec_of(payload_type);
        let is_event = agreed.dtmf_payload_type == Some(payload_type);
        if let Some(from) = from {
            let known = codec.is_some() || is_event;
            let verdict = if known { agreed.lock.judge(from, now) } else { agreed.lock.peek(from) };
            match verdict {
                Verdict::Accept => {}
                Verdict::Locked => self.sockets.disconnect(),
                Verdict::Wait => return Taken::Nothing,
                Verdict::Stranger => {
                    self.stats.strangers += 1;
                    return Taken::Stranger;
                }
            }
        }
        self.stats.packets_in += 1;
        self.stats.bytes_in += datagram.len() as u64;
        self.stats.first_in.get_or_insert(now);
        self.stats.last_in = Some(now);
        match codec {
            Some(codec) => {
                self.measure(&view.header, now);
                Taken::Audio(view, codec)
            }
            None if is_event => {
                if let Some(reception) = &mut self.reception
                    && reception.ssrc() == view.header.ssrc
                {
                    reception.count(view.header.sequence);
                }
                let Heard { pressed, released: _ } = self.digits.receive(
                    view.header.ssrc,
                    view.header.timestamp,
                    &datagram[view.payload()],
                    now,
                );
                self.stats.digits += u32::from(pressed.is_some());
                Taken::Event(view, pressed)
            }
            None => {
                self.stats.unknown += 1;
                Taken::Unknown(view)
            }
        }
    }

    fn measure(&mut self, header: &Header, now: Timestamp) {
        if self.reception.as_ref().is_none_or(|known| known.ssrc() != header.ssrc) {
            let new = Reception::new(header.ssrc, header.sequence);
            if let Some(old) = self.reception.replace(new) {
                self.stats.lost += old.lost();
                self.stats.ssrc_changes += 1;
            }
        }
        if let Some(reception) = &mut self.reception {
            reception.count(header.sequence);
            reception.measure(header.timestamp, now);
        }
    }

    /// The peer has been steady for a while: time to connect a twin to this address.
    pub(super) fn ready_to_connect(&self) -> Option<SocketAddr> {
        let due = self.stats.packets_in.is_multiple_of(STEADY) && self.sockets.twin().is_none();
        if due { self.agreed.as_ref()?.lock.source() } else { None }
    }

    /// What forwarded audio is sent as: payload type and codec; `None` when nothing is to be forwarded
    /// (hold, a prompt, not configured).
    pub(super) fn hears(&self) -> Option<(u8, Codec)> {
        let agreed = self.agreed.as_ref().filter(|agreed| agreed.sends)?;
        self.player.is_none().then_some((agreed.payload_type, agreed.codec))
    }

    /// The payload type of telephone-events to this leg, if it knows them.
    pub(super) fn event_payload_type(&self) -> Option<u8> {
        self.agreed.as_ref()?.dtmf_payload_type
    }

    /// Sends an RTP packet to the peer.
    pub(super) fn send(&mut self, packet: &[u8]) {
        let Some(agreed) = &self.agreed else { return };
        match self.sockets.send_rtp(packet, agreed.lock.destination()) {
            Ok(_) => {
                self.stats.packets_out += 1;
                self.stats.bytes_out += packet.len() as u64;
            }
            // A port unreachable reported by the peer's host says nothing about this packet.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(_) => self.stats.send_errors += 1,
        }
    }

    /// Sends what the player is due to send. `Some` when it came to its end.
    pub(super) fn play(&mut self, now: Timestamp) -> Option<PlayId> {
        let (codec, payload_type, samples, sends) = match &self.agreed {
            Some(agreed) => (agreed.codec, agreed.payload_type, agreed.packet_samples, agreed.sends),
            None => (Codec::Pcma, 8, 160, false),
        };
        let mut packet = [0; LARGEST];
        let packet = &mut packet[..HEADER + samples];
        while let Some(player) = self.player.as_mut().filter(|player| player.due() <= now) {
            match player.fill(codec, &mut packet[HEADER..], now) {
                Step::Packet { due } if sends => {
                    self.out.local(payload_type, samples as u32, due).write(packet);
                    self.send(packet);
                }
                // On hold the sound goes on unheard.
                Step::Packet { .. } => {}
                Step::Done => return self.player.take().map(|player| player.play),
            }
        }
        None
    }

    /// How long the peer has been silent though it should send; `None` when it should not.
    pub(super) fn silent_since(&self) -> Option<Timestamp> {
        let last = self.stats.last_in.map_or(self.expecting, |last| last.max(self.expecting));
        self.receives().then_some(last)
    }

    /// Takes an RTCP compound, on either port; `from` is `None` when it came on the twin.
    pub(super) fn take_rtcp(
        &mut self,
        datagram: &[u8],
        from: Option<SocketAddr>,
        on_rtp_port: bool,
        now: Timestamp,
    ) {
        let Some(agreed) = &self.agreed else { return };
        if from.is_some_and(|from| !agreed.is_peer(from.ip())) {
            self.stats.strangers += 1;
            return;
        }
        if !on_rtp_port {
            self.rtcp_source = from;
        }
        for packet in rtcp::packets(datagram) {
            let Ok(packet) = packet else {
                self.stats.unknown += 1;
                return;
            };
            self.stats.rtcp_in += 1;
            if let rtcp::Packet::Report { ssrc, sender: Some(info), .. } = &packet
                && let Some(reception) = self.reception.as_mut().filter(|known| known.ssrc() == *ssrc)
            {
                reception.sender_report(info.ntp, now);
            }
            for block in packet.blocks().filter(|block| block.ssrc == self.out.ssrc()) {
                self.stats.peer_lost = Some(block.lost);
                self.stats.peer_jitter_ms = Some(block.jitter as f32 / 8.0);
                if let Some(span) = rtcp::round_trip(&block, now) {
                    self.stats.round_trip_ms = Some(span.as_secs_f32() * 1_000.0);
                }
            }
        }
    }

    /// Sends a report (RFC 3550 §6.4), or our last one with BYE.
    pub(super) fn report(&mut self, goodbye: bool, now: Timestamp) {
        let Some(agreed) = &self.agreed else { return };
        let packets = self.stats.packets_out;
        if !agreed.is_reachable() || (goodbye && packets == 0 && self.reception.is_none()) {
            return;
        }
        let sender = (packets > self.reported_out).then(|| SenderInfo {
            ntp: rtcp::ntp(now),
            rtp: self.out.timestamp_at(now),
            // Both wrap, as RFC 3550 has it.
            packets: packets as u32,
            octets: (self.stats.bytes_out - packets * HEADER as u64) as u32,
        });
        let block = self.reception.as_mut().map(|reception| reception.block(now));
        let report = Report { ssrc: self.out.ssrc(), sender, block, cname: &self.cname, goodbye };
        let mut compound = [0; rtcp::MAX_REPORT];
        let len = report.build(&mut compound);
        let sent = if agreed.rtcp_mux {
            self.sockets.send_rtp(&compound[..len], agreed.lock.destination())
        } else {
            let to = self.rtcp_source.unwrap_or_else(|| agreed.rtcp_destination());
            self.sockets.rtcp().send_to(&compound[..len], to)
        };
        self.stats.send_errors += u32::from(sent.is_err());
        self.reported_out = packets;
    }

    /// The time between reports: 5 s (RFC 3550 §6.2), a little more or less by SSRC, so that legs set up
    /// together do not report together.
    pub(super) fn report_interval(&self) -> Duration {
        Duration::from_millis(4_750 + u64::from(self.out.ssrc() % 500))
    }

    /// Says goodbye and gives the final figures. The sockets close when the leg is dropped.
    pub(super) fn close(mut self, now: Timestamp) -> LegStats {
        self.report(true, now);
        if let Some(reception) = &self.reception {
            self.stats.lost += reception.lost();
            self.stats.jitter_ms = reception.jitter_ms();
        }
        self.stats
    }
}

impl Agreed {
    /// The codec of a payload type. The static types of both G.711 codecs are taken even when only one
    /// was agreed: some gateways switch without asking, and to understand costs nothing.
    fn codec_of(&self, payload_type: u8) -> Option<Codec> {
        match payload_type {
            agreed if agreed == self.payload_type => Some(self.codec),
            0 => Some(Codec::Pcmu),
            8 => Some(Codec::Pcma),
            _ => None,
        }
    }

    fn is_reachable(&self) -> bool {
        let to = self.lock.destination();
        !to.ip().is_unspecified() && to.port() != 0
    }

    fn is_peer(&self, ip: IpAddr) -> bool {
        self.lock.is_peer_host(ip) || self.remote_rtcp.ip() == ip
    }

    /// Behind a NAT the announced RTCP address is of no use: the port above the RTP source is the best
    /// guess until the peer's own RTCP comes.
    fn rtcp_destination(&self) -> SocketAddr {
        match self.lock.source() {
            Some(source) if source.ip() != self.remote_rtcp.ip() => {
                SocketAddr::new(source.ip(), source.port().saturating_add(1))
            }
            Some(_) | None => self.remote_rtcp,
        }
    }
}

/// Samples per packet for the ptime a peer wants; 20 ms when it wants something unusual.
fn packet_samples(ptime: u8) -> usize {
    match ptime {
        10 | 20 | 30 | 40 | 60 => usize::from(ptime) * 8,
        _ => 160,
    }
}
