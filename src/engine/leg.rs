//! One leg: its way to the peer, what was agreed, the stream it receives and the one it is sent. What is read
//! and written for each packet is kept together here; nothing allocates.

use std::io;
use std::net::SocketAddr;

use crate::call::PlayId;
use crate::media::dtmf::{self, Heard};
use crate::media::lock::{SourceLock, Verdict};
use crate::media::player::Player;
use crate::media::rtcp::Reception;
use crate::media::rtp::{Header, View};
use crate::media::stream::OutStream;
use crate::media::tap::Channel;
use crate::media::{Codec, Digit, LegMedia};
use crate::time::Timestamp;

use super::agreed::{Agreed, Meaning};
use super::hearing::{Ear, Monitor};
use super::keys::{EventRelay, Pressed};
use super::rtc::Rtc;
use super::secure::{Security, Sort};
use super::socket::Sockets;
use super::speaking::Mouth;
use super::stats::LegStats;

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
        // Below 2^15, so that the first packets cannot wrap it before the peer has seen one (RFC 3711 §3.3.1).
        Self { ssrc: (a >> 32) as u32, sequence: (a & 0x7FFF) as u16, timestamp: b as u32, cname }
    }
}

/// How a leg's packets come and go.
#[derive(Debug)]
pub(super) enum Way {
    /// Over sockets of its own.
    Ports(Sockets),
    /// Over the port that all WebRTC legs of the worker share.
    Shared(Box<Rtc>),
}

impl Way {
    /// Closes the twin: the peer may change.
    fn disconnect(&mut self) {
        match self {
            Self::Ports(sockets) => sockets.disconnect(),
            Self::Shared(_) => {}
        }
    }
}

/// A leg.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) way: Way,
    /// The leg that hears this one, by its place on the worker; `None` in a conference.
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
    pub(super) agreed: Option<Agreed>,
    pub(super) security: Security,
    pub(super) out: OutStream,
    pub(super) player: Option<Player<PlayId>>,
    /// What this leg says goes through a jitter buffer and is decoded: for a peer that needs it otherwise.
    pub(super) ear: Option<Box<Ear>>,
    /// What this leg says is decoded as it comes: for recorder and keys in the audio.
    pub(super) monitor: Option<Box<Monitor>>,
    /// Encodes what this leg is told, when that is not G.711 already.
    pub(super) mouth: Option<Box<Mouth>>,
    /// The telephone-event on its way to this leg, when it has to be rewritten.
    pub(super) event_relay: EventRelay,
    /// Keys lately pressed, however they came.
    pub(super) pressed: Pressed,
    /// Packets in a row that were of another length than the peer wants.
    pub(super) odd_packets: u8,
    /// SSRC, next sequence and next timestamp of the packet recorded last.
    run: Option<(u32, u16, u32)>,
    pub(super) reception: Option<Reception>,
    /// What the peer sent last.
    pub(super) heard: Option<Codec>,
    digits: dtmf::Receiver,
    pub(super) stats: LegStats,
    /// Silence counts from here when nothing came since.
    expecting: Timestamp,
    pub(super) rtcp_source: Option<SocketAddr>,
    pub(super) reported_out: u64,
    pub(super) cname: [u8; 16],
}

/// What a datagram on the RTP port was.
pub(super) enum Taken {
    /// Nothing to hand on.
    Nothing,
    /// Of somebody else: counted, nothing more.
    Stranger,
    /// Not sealed with the peer's key: counted, nothing more.
    Forged,
    /// Audio, to be forwarded and recorded.
    Audio(View, Codec),
    /// A telephone-event, to be forwarded.
    Event(View, Option<Digit>),
    /// Comfort noise.
    Noise(View),
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
    /// It is sent something else now: another codec, or packets of another length.
    pub(super) format: bool,
}

impl Leg {
    pub(super) fn new(
        way: Way,
        identity: Identity,
        (call, number): (usize, u16),
        generation: u32,
        now: Timestamp,
    ) -> Self {
        let security = match way {
            Way::Ports(_) => Security::Plain,
            Way::Shared(_) => Security::Awaited,
        };
        Self {
            way,
            peer: None,
            call,
            number,
            generation,
            channel: None,
            watched: false,
            agreed: None,
            security,
            out: OutStream::new(identity.ssrc, identity.sequence, identity.timestamp),
            player: None,
            ear: None,
            monitor: None,
            mouth: None,
            event_relay: EventRelay::default(),
            pressed: Pressed::default(),
            odd_packets: 0,
            run: None,
            reception: None,
            heard: None,
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
        let before = self.agreed.take();
        let first = before.is_none();
        let (sent, received) = before.as_ref().map_or((false, false), |old| (old.sends, old.receives));
        let format = |old: &Agreed| (old.codec, old.packet_ms);
        let formatted = before.as_ref().map(format);
        let lock = match before {
            Some(Agreed { mut lock, .. }) => {
                if lock.announce(media.remote_rtp) {
                    self.way.disconnect();
                    self.rtcp_source = None;
                }
                lock
            }
            None => SourceLock::new(media.remote_rtp),
        };
        let mut lock = lock;
        lock.only_from(media.signalled_from);
        let agreed = Agreed::new(media, lock);
        match (&self.way, &media.rtc) {
            (Way::Ports(_), None) => self.security.agree(media.crypto.as_deref(), now),
            // WebRTC was agreed for a leg that has no way to speak it: nothing goes out in plain.
            (Way::Ports(_), Some(_)) => self.security = Security::Broken,
            // Its keys come by DTLS.
            (Way::Shared(_), _) => {}
        }
        self.out.set_clock(agreed.codec.clock(), now);
        if agreed.sends != sent {
            self.out.interrupt();
        }
        if agreed.receives && (!received || !self.watched) {
            self.expecting = now;
        }
        let watch = agreed.receives && !self.watched;
        self.watched |= watch;
        let format = formatted.is_some_and(|old| old != format(&agreed));
        if format {
            self.mouth = None;
        }
        match &mut self.monitor {
            Some(monitor) => monitor.set_tones(media.in_band_digits),
            None if media.in_band_digits => self.monitor = Some(Box::new(Monitor::new(true))),
            None => {}
        }
        let receives = agreed.receives != received;
        self.agreed = Some(agreed);
        Changed { receives, watch, first, format }
    }

    /// Whether audio flows both ways (no hold).
    pub(super) fn is_two_way(&self) -> bool {
        self.agreed.as_ref().is_some_and(|agreed| agreed.sends && agreed.receives)
    }

    /// Whether what the peer sends is to be handed on.
    pub(super) fn receives(&self) -> bool {
        self.agreed.as_ref().is_some_and(|agreed| agreed.receives)
    }

    /// Judges a datagram of the RTP port that is not RTCP, and opens it in place. `from` is `None` when it
    /// came on the twin.
    pub(super) fn take(&mut self, datagram: &mut [u8], from: Option<SocketAddr>, now: Timestamp) -> Taken {
        let Some(agreed) = &mut self.agreed else { return Taken::Nothing };
        if !matches!(self.security, Security::Plain) && from.is_some_and(|from| agreed.lock.is_stranger(from))
        {
            // Refused before it costs an attempt to open it.
            self.stats.strangers += 1;
            return Taken::Stranger;
        }
        let octets = datagram.len();
        let Some(len) = self.security.open(Sort::Rtp, datagram, now) else {
            self.stats.auth_failures += 1;
            return Taken::Forged;
        };
        let Ok(view) = View::parse(&datagram[..len]) else {
            self.stats.unknown += 1;
            return Taken::Nothing;
        };
        let meaning = agreed.meaning(view.header.payload_type);
        if let Some(from) = from {
            let verdict = match (meaning, self.security.proves()) {
                (Meaning::Unknown, _) => agreed.lock.peek(from),
                (_, true) => agreed.lock.judge_proven(from, now),
                (_, false) => agreed.lock.judge(from, now),
            };
            match verdict {
                Verdict::Accept => {}
                Verdict::Locked => self.way.disconnect(),
                Verdict::Wait => return Taken::Nothing,
                Verdict::Stranger => {
                    self.stats.strangers += 1;
                    return Taken::Stranger;
                }
            }
        }
        self.stats.packets_in += 1;
        self.stats.bytes_in += octets as u64;
        self.stats.first_in.get_or_insert(now);
        self.stats.last_in = Some(now);
        match meaning {
            Meaning::Audio(codec) => {
                self.measure(&view.header, codec, now);
                Taken::Audio(view, codec)
            }
            Meaning::Event => self.take_event(view, datagram, now),
            Meaning::Noise => {
                self.count(&view.header);
                Taken::Noise(view)
            }
            Meaning::Unknown => {
                self.stats.unknown += 1;
                Taken::Unknown(view)
            }
        }
    }

    fn take_event(&mut self, view: View, datagram: &[u8], now: Timestamp) -> Taken {
        self.count(&view.header);
        let (ssrc, timestamp) = (view.header.ssrc, view.header.timestamp);
        let Heard { pressed, released: _ } =
            self.digits.receive(ssrc, timestamp, &datagram[view.payload()], now);
        let pressed = self.pressed.by_event(pressed, now);
        self.stats.digits += u32::from(pressed.is_some());
        Taken::Event(view, pressed)
    }

    /// Counts a packet that is no audio, when it belongs to the audio's stream.
    fn count(&mut self, header: &Header) {
        if let Some(reception) = self.reception.as_mut().filter(|known| known.ssrc() == header.ssrc) {
            reception.count(header.sequence);
        }
    }

    fn measure(&mut self, header: &Header, codec: Codec, now: Timestamp) {
        let other = self.reception.as_ref().is_none_or(|known| known.ssrc() != header.ssrc);
        if other {
            let new = Reception::new(header.ssrc, header.sequence);
            if let Some(old) = self.reception.replace(new) {
                self.stats.lost += old.lost();
                self.stats.ssrc_changes += 1;
            }
        }
        if let Some(reception) = &mut self.reception {
            if other || self.heard != Some(codec) {
                self.heard = Some(codec);
                reception.set_clock(codec.clock());
            }
            reception.count(header.sequence);
            reception.measure(header.timestamp, now);
        }
    }

    /// Whether the sender was silent on purpose before this packet of `ticks`, which is about to be recorded:
    /// none is missing, though the timestamp jumps.
    pub(super) fn rested(&mut self, header: &Header, ticks: u32) -> bool {
        let next = (header.ssrc, header.sequence.wrapping_add(1), header.timestamp.wrapping_add(ticks));
        self.run.replace(next).is_some_and(|(ssrc, sequence, timestamp)| {
            (ssrc, sequence) == (header.ssrc, header.sequence) && timestamp != header.timestamp
        })
    }

    /// The peer has been steady for a while: time to connect a twin to this address.
    pub(super) fn ready_to_connect(&self) -> Option<SocketAddr> {
        let due = match &self.way {
            Way::Ports(sockets) => self.stats.packets_in.is_multiple_of(STEADY) && sockets.twin().is_none(),
            Way::Shared(_) => false,
        };
        if due { self.agreed.as_ref()?.lock.source() } else { None }
    }

    /// What forwarded audio is sent as; `None` when nothing is to be forwarded (hold, a prompt, not
    /// configured).
    pub(super) fn hears(&self) -> Option<&Agreed> {
        self.agreed.as_ref().filter(|agreed| agreed.sends && self.player.is_none())
    }

    /// Sends the RTP packet in the first `len` octets of `buffer`, sealed if that was agreed; behind it is
    /// room for the tag.
    pub(super) fn send(&mut self, buffer: &mut [u8], len: usize) {
        let Some(agreed) = &self.agreed else { return };
        let sent = match &self.way {
            Way::Ports(sockets) => {
                let Some(packet) = self.security.seal(Sort::Rtp, buffer, len) else {
                    self.stats.send_errors += u32::from(matches!(self.security, Security::Broken));
                    return;
                };
                sockets.send_rtp(packet, agreed.lock.destination())
            }
            Way::Shared(rtc) => match rtc.send_rtp(&mut self.security, buffer, len) {
                Some(sent) => sent,
                None => return,
            },
        };
        match sent {
            Ok(_) => {
                self.stats.packets_out += 1;
                self.stats.bytes_out += len as u64;
            }
            // A port unreachable reported by the peer's host says nothing about this packet.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(_) => self.stats.send_errors += 1,
        }
    }

    /// How long the peer has been silent though it should send; `None` when it should not.
    pub(super) fn silent_since(&self) -> Option<Timestamp> {
        let last = self.stats.last_in.map_or(self.expecting, |last| last.max(self.expecting));
        self.receives().then_some(last)
    }

    /// What it says is forwarded as it is from now on, or to nobody.
    pub(super) fn drop_ear(&mut self) {
        if let Some(ear) = self.ear.take() {
            self.stats.concealed += ear.concealed_ms();
        }
        self.odd_packets = 0;
        self.run = None;
    }

    /// Another voice than before will speak to it: a new talkspurt, and nothing left over of the last one.
    pub(super) fn interrupt(&mut self) {
        self.out.interrupt();
        if let Some(mouth) = &mut self.mouth {
            mouth.clear();
        }
    }
}
