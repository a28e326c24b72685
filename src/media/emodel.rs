//! How good a call sounded: the E-model (ITU-T G.107) with the impairments of ITU-T G.113 Appendix I.

use super::Codec;

/// Mean opinion score (1-4.5) of what is heard over `codec`: share of packets lost (0-1), RFC 3550 jitter in
/// milliseconds (a receiver's buffer is assumed to be [`buffer_ms`] deep), and round trip, if known.
#[must_use]
pub fn mos(codec: Codec, loss: f32, jitter_ms: f32, round_trip_ms: Option<f32>) -> f32 {
    mos_buffered(codec, loss, buffer_ms(jitter_ms), round_trip_ms)
}

/// As [`mos`], where the jitter buffer is ours and its depth known.
#[must_use]
pub fn mos_buffered(codec: Codec, loss: f32, buffer_ms: f32, round_trip_ms: Option<f32>) -> f32 {
    let _ = (codec, loss, buffer_ms, round_trip_ms);
    1.0
}

/// The depth an adaptive buffer takes at a given RFC 3550 jitter, in milliseconds.
#[must_use]
pub fn buffer_ms(jitter_ms: f32) -> f32 {
    jitter_ms
}
