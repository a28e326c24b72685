//! Figures: of a leg when it closes, and of a worker at any time. A worker counts in plain fields
//! and publishes them once per tick, so that a packet touches no atomic.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::media::Codec;
use crate::media::srtp::Suite;
use crate::time::Timestamp;

/// How a leg's media fared, from its first packet to its close.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LegStats {
    /// The codec we sent at the end; `None` when nothing was agreed.
    pub codec: Option<Codec>,
    /// How the leg was sealed at the end (SRTP); `None`: not at all.
    pub srtp: Option<Suite>,
    /// What we heard of the peer, by the E-model (ITU-T G.107): 1 to 4.5. `None` when nothing came.
    pub mos: Option<f32>,
    /// What the peer heard of us, by its last report; `None` without a report.
    pub peer_mos: Option<f32>,
    /// Milliseconds made up for packets that did not come in time, where the leg was decoded (another codec
    /// on the other side, or a conference); what is forwarded untouched is concealed by its receiver.
    pub concealed: u64,
    /// RTP and RTCP packets that were not sealed with the peer's key, ignored.
    pub auth_failures: u64,
    /// RTP packets taken from the locked source.
    pub packets_in: u64,
    /// Their octets, RTP headers included.
    pub bytes_in: u64,
    /// RTP packets sent.
    pub packets_out: u64,
    /// Their octets, RTP headers included.
    pub bytes_out: u64,
    /// Packets that did not reach us (RFC 3550 A.3), over all sources the peer used.
    pub lost: u64,
    /// Interarrival jitter at the end (RFC 3550 A.8), in milliseconds.
    pub jitter_ms: f32,
    /// The peer's share of our packets lost, as its last report says; `None` without a report.
    pub peer_lost: Option<i32>,
    /// Jitter the peer sees, in milliseconds; `None` without a report.
    pub peer_jitter_ms: Option<f32>,
    /// Round trip by the last report with LSR and DLSR (RFC 3550 §6.4.1), in milliseconds.
    pub round_trip_ms: Option<f32>,
    /// Packets of other sources than the locked one, ignored.
    pub strangers: u64,
    /// Datagrams that were no RTP, or of a payload type nobody agreed on.
    pub unknown: u64,
    /// Keys pressed (RFC 4733, or tones where they are listened for).
    pub digits: u32,
    /// Times the peer's audio took another SSRC.
    pub ssrc_changes: u32,
    /// RTCP packets understood.
    pub rtcp_in: u32,
    /// Packets the system refused to send.
    pub send_errors: u32,
    /// Arrival of the first RTP packet.
    pub first_in: Option<Timestamp>,
    /// Arrival of the last one.
    pub last_in: Option<Timestamp>,
}

/// A worker's figures, as of its last tick. Counters grow from the start of the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerStats {
    /// Share of time at work in the last second, in thousandths.
    pub load: u64,
    /// Calls it holds.
    pub calls: u64,
    /// Legs it holds.
    pub legs: u64,
    /// RTP packets received and sent.
    pub packets_in: u64,
    /// RTP packets sent.
    pub packets_out: u64,
    /// Packets that never came, by sequence number; counted when a leg closes.
    pub lost: u64,
    /// Packets of strangers, ignored.
    pub strangers: u64,
    /// SRTP packets with a wrong tag, ignored.
    pub auth_failures: u64,
    /// Keys heard.
    pub digits: u64,
    /// Wake-ups that came more than 5 ms after their time: the machine is short of CPU.
    pub late_ticks: u64,
    /// Media events thrown away because their receiver did not keep up.
    pub dropped_events: u64,
    /// Packets the system refused to send.
    pub send_errors: u64,
}

/// What a worker publishes.
#[derive(Debug, Default)]
pub(super) struct Counters {
    load: AtomicU64,
    calls: AtomicU64,
    legs: AtomicU64,
    packets_in: AtomicU64,
    packets_out: AtomicU64,
    lost: AtomicU64,
    strangers: AtomicU64,
    auth_failures: AtomicU64,
    digits: AtomicU64,
    late_ticks: AtomicU64,
    dropped_events: AtomicU64,
    send_errors: AtomicU64,
}

impl Counters {
    pub(super) fn load(&self) -> u64 {
        self.load.load(Ordering::Relaxed)
    }

    /// Called by the worker, once per tick.
    pub(super) fn publish(&self, stats: &WorkerStats) {
        let Self {
            load,
            calls,
            legs,
            packets_in,
            packets_out,
            lost,
            strangers,
            auth_failures,
            digits,
            late_ticks,
            dropped_events,
            send_errors,
        } = self;
        for (cell, value) in [
            (load, stats.load),
            (calls, stats.calls),
            (legs, stats.legs),
            (packets_in, stats.packets_in),
            (packets_out, stats.packets_out),
            (lost, stats.lost),
            (strangers, stats.strangers),
            (auth_failures, stats.auth_failures),
            (digits, stats.digits),
            (late_ticks, stats.late_ticks),
            (dropped_events, stats.dropped_events),
            (send_errors, stats.send_errors),
        ] {
            cell.store(value, Ordering::Relaxed);
        }
    }

    pub(super) fn snapshot(&self) -> WorkerStats {
        let read = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        WorkerStats {
            load: read(&self.load),
            calls: read(&self.calls),
            legs: read(&self.legs),
            packets_in: read(&self.packets_in),
            packets_out: read(&self.packets_out),
            lost: read(&self.lost),
            strangers: read(&self.strangers),
            auth_failures: read(&self.auth_failures),
            digits: read(&self.digits),
            late_ticks: read(&self.late_ticks),
            dropped_events: read(&self.dropped_events),
            send_errors: read(&self.send_errors),
        }
    }
}
