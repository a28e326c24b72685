//! A leg's RTCP (RFC 3550 §6): the peer's reports read, ours sent, and what both say of quality.

use std::net::SocketAddr;
use std::time::Duration;

use crate::media::emodel;
use crate::media::rtcp::{self, Report, SenderInfo};
use crate::media::rtp::HEADER;
use crate::media::srtp::OVERHEAD;
use crate::time::Timestamp;

use super::leg::{Leg, Way};
use super::secure::Sort;
use super::stats::LegStats;

impl Leg {
    /// Takes an RTCP compound, on either port; `from` is `None` when it came on the twin.
    pub(super) fn take_rtcp(
        &mut self,
        datagram: &mut [u8],
        from: Option<SocketAddr>,
        on_rtp_port: bool,
        now: Timestamp,
    ) {
        let Some(agreed) = &self.agreed else { return };
        if from.is_some_and(|from| !agreed.is_peer(from.ip())) {
            self.stats.strangers += 1;
            return;
        }
        let Some(len) = self.security.open(Sort::Rtcp, datagram, now) else {
            self.stats.auth_failures += 1;
            return;
        };
        if !on_rtp_port {
            self.rtcp_source = from;
        }
        for packet in rtcp::packets(&datagram[..len]) {
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
                self.stats.peer_jitter_ms = Some(block.jitter as f32 / self.out.khz() as f32);
                if let Some(span) = rtcp::round_trip(&block, now) {
                    self.stats.round_trip_ms = Some(span.as_secs_f32() * 1_000.0);
                }
                if let Some(mouth) = &mut self.mouth {
                    mouth.expect_loss(block.fraction_lost);
                }
            }
        }
    }

    /// Sends a report (RFC 3550 §6.4), or our last one with BYE.
    pub(super) fn report(&mut self, goodbye: bool, now: Timestamp) {
        let Some(agreed) = &self.agreed else { return };
        let packets = self.stats.packets_out;
        let reachable = match &mut self.way {
            Way::Ports(_) => agreed.is_reachable(),
            Way::Shared(rtc) => {
                rtc.expire(now);
                rtc.is_reachable()
            }
        };
        if !reachable || (goodbye && packets == 0 && self.reception.is_none()) {
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
        let mut buffer = [0; rtcp::MAX_REPORT + OVERHEAD];
        buffer[..len].copy_from_slice(&compound[..len]);
        let Some(packet) = self.security.seal(Sort::Rtcp, &mut buffer, len) else { return };
        let sent = match &self.way {
            Way::Shared(rtc) => rtc.send_rtcp(packet),
            Way::Ports(sockets) if agreed.rtcp_mux => sockets.send_rtp(packet, agreed.lock.destination()),
            Way::Ports(sockets) => {
                let to = self.rtcp_source.unwrap_or_else(|| agreed.rtcp_destination());
                sockets.rtcp().send_to(packet, to)
            }
        };
        self.stats.send_errors += u32::from(sent.is_err());
        self.reported_out = packets;
        self.rate();
    }

    /// The time between reports: 5 s (RFC 3550 §6.2), a little more or less by SSRC, so that legs set up
    /// together do not report together.
    pub(super) fn report_interval(&self) -> Duration {
        Duration::from_millis(4_750 + u64::from(self.out.ssrc() % 500))
    }

    /// Gives the final figures. The sockets close with it.
    pub(super) fn close(mut self) -> LegStats {
        self.drop_ear();
        self.rate();
        self.stats.lost = self.lost();
        self.stats
    }

    /// Lost of all sources so far.
    fn lost(&self) -> u64 {
        self.stats.lost + self.reception.as_ref().map_or(0, rtcp::Reception::lost)
    }

    /// Judges what was heard so far, on both sides (ITU-T G.107).
    fn rate(&mut self) {
        let lost = self.lost();
        let stats = &mut self.stats;
        stats.srtp = self.security.suite();
        stats.codec = self.agreed.as_ref().map(|agreed| agreed.codec);
        if let (Some(reception), Some(codec)) = (&self.reception, self.heard) {
            stats.jitter_ms = reception.jitter_ms();
            let share = lost as f32 / (stats.packets_in + lost).max(1) as f32;
            stats.mos = Some(emodel::mos(codec, share, stats.jitter_ms, stats.round_trip_ms));
        }
        if let (Some(lost), Some(jitter), Some(codec)) = (stats.peer_lost, stats.peer_jitter_ms, stats.codec)
        {
            let share = lost.max(0) as f32 / stats.packets_out.max(1) as f32;
            stats.peer_mos = Some(emodel::mos(codec, share.min(1.0), jitter, stats.round_trip_ms));
        }
    }
}
