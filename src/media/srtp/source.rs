//! Packet numbers.

/// How late a packet may be, in packets (RFC 3711 §3.3.2).
pub(super) const WINDOW: u64 = 64;
/// SSRCs a key serves at most.
pub(super) const MOST: usize = 256;
