//! What the engine says, in the store's words: shell modules do not know one another.

use crate::engine::LegStats;
use crate::store::LegQuality;

pub(super) fn quality(stats: &LegStats) -> LegQuality {
    LegQuality {
        packets_in: stats.packets_in,
        packets_out: stats.packets_out,
        lost: stats.lost,
        strangers: stats.strangers,
        digits: u64::from(stats.digits),
        jitter_us: micros(stats.jitter_ms),
        peer_lost: stats.peer_lost.map(i64::from),
        peer_jitter_us: stats.peer_jitter_ms.map(micros),
        round_trip_us: stats.round_trip_ms.map(micros),
        codec: stats.codec.map(|codec| codec.word().to_owned()),
        srtp: stats.srtp.map(|suite| suite.name().to_owned()),
        mos_x100: stats.mos.map(hundredths),
        peer_mos_x100: stats.peer_mos.map(hundredths),
        concealed_ms: stats.concealed,
        auth_failures: stats.auth_failures,
    }
}

fn hundredths(mos: f32) -> u16 {
    (mos.clamp(1.0, 5.0) * 100.0).round() as u16
}

fn micros(ms: f32) -> u64 {
    (ms.max(0.0) * 1_000.0) as u64
}
