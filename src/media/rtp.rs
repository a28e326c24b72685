//! RTP (RFC 3550 §5.1): a view on a received datagram without copying it, and a new header written
//! in place. Nothing here allocates; every offset is checked.

use std::ops::Range;

/// Length of the fixed header in octets.
pub const HEADER: usize = 12;

/// The fields of the fixed header that matter to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Header {
    /// First packet of a talkspurt, or of an event.
    pub marker: bool,
    /// Payload type, 0-127.
    pub payload_type: u8,
    /// Counts packets, wraps.
    pub sequence: u16,
    /// Counts ticks of the codec's clock, wraps.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
}

/// A datagram read as RTP: its header, and where its payload lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The fixed header.
    pub header: Header,
    start: usize,
    end: usize,
}

/// Why a datagram is not RTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    /// Shorter than its header says.
    #[error("RTP packet cut short: {0} octets")]
    Short(usize),
    /// The version is not 2.
    #[error("RTP version {0}, only 2 is known")]
    Version(u8),
    /// The padding is longer than the payload, or zero.
    #[error("RTP padding of {0} octets does not fit")]
    Padding(u8),
}

impl View {
    /// Reads a datagram. CSRCs, header extension (RFC 3550 §5.3.1) and padding are skipped.
    ///
    /// # Errors
    /// Says which length or version is wrong; such a datagram is dropped and counted.
    pub fn parse(datagram: &[u8]) -> Result<Self, RtpError> {
        let short = RtpError::Short(datagram.len());
        let fixed: &[u8; HEADER] = datagram.first_chunk().ok_or(short)?;
        let version = fixed[0] >> 6;
        if version != 2 {
            return Err(RtpError::Version(version));
        }
        let mut start = HEADER + 4 * usize::from(fixed[0] & 0x0F);
        if fixed[0] & 0x10 != 0 {
            let words = datagram.get(start + 2..start + 4).ok_or(short)?;
            start += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
        }
        let mut end = datagram.len();
        if start > end {
            return Err(short);
        }
        if fixed[0] & 0x20 != 0 {
            let padding = datagram[end - 1];
            if padding == 0 || usize::from(padding) > end - start {
                return Err(RtpError::Padding(padding));
            }
            end -= usize::from(padding);
        }
        let header = Header {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7F,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        };
        Ok(Self { header, start, end })
    }

    /// Where the payload lies in the datagram that was parsed.
    #[must_use]
    pub fn payload(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Writes `header` right before the payload, in place. Returns the buffer from there on, and the length
    /// of the packet at its beginning: fixed header and payload; what lies behind is room for a tag (SRTP).
    /// CSRCs, extension and padding of the sender go no further, since they were not negotiated with the
    /// receiver.
    /// `buffer` must begin with the datagram that was parsed.
    #[must_use]
    pub fn rewrite<'a>(&self, buffer: &'a mut [u8], header: &Header) -> (&'a mut [u8], usize) {
        let packet = &mut buffer[self.start - HEADER..];
        header.write(packet);
        (packet, self.end - self.start + HEADER)
    }
}

impl Header {
    /// Writes the fixed header into the first [`HEADER`] octets of `out`: version 2, no padding,
    /// no extension, no CSRC. Panics if `out` is shorter.
    pub fn write(&self, out: &mut [u8]) {
        out[0] = 0x80;
        out[1] = (u8::from(self.marker) << 7) | (self.payload_type & 0x7F);
        out[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }
}

/// Whether a datagram on a port shared by RTP and RTCP is RTCP (RFC 5761 §4: packet types 192-223).
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, kind, ..] if first >> 6 == 2 && (192..=223).contains(kind))
}

/// How far `to` is ahead of `from` on the wrapping sequence number line; negative when behind.
#[must_use]
pub const fn sequence_distance(from: u16, to: u16) -> i16 {
    to.wrapping_sub(from).cast_signed()
}

/// How far `to` is ahead of `from` on the wrapping timestamp line; negative when behind.
#[must_use]
pub const fn timestamp_distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> impl Strategy<Value = Header> {
        (any::<bool>(), 0u8..128, any::<u16>(), any::<u32>(), any::<u32>()).prop_map(
            |(marker, payload_type, sequence, timestamp, ssrc)| Header {
                marker,
                payload_type,
                sequence,
                timestamp,
                ssrc,
            },
        )
    }

    /// A packet with everything the header can announce.
    fn build(header: Header, csrcs: u8, extension: Option<u8>, payload: &[u8], padding: u8) -> Vec<u8> {
        let mut packet = vec![0; HEADER];
        header.write(&mut packet);
        packet[0] |= csrcs;
        packet.extend(std::iter::repeat_n(0xC5, 4 * usize::from(csrcs)));
        if let Some(words) = extension {
            packet[0] |= 0x10;
            packet.extend([0xBE, 0xDE, 0, words]);
            packet.extend(std::iter::repeat_n(0xE0, 4 * usize::from(words)));
        }
        packet.extend(payload);
        if padding > 0 {
            packet[0] |= 0x20;
            packet.extend(std::iter::repeat_n(0, usize::from(padding) - 1));
            packet.push(padding);
        }
        packet
    }

    proptest! {
        #[test]
        fn whatever_the_header_announces_the_payload_is_found_and_forwarded(
            before in header(), after in header(), csrcs in 0u8..16, extension in proptest::option::of(0u8..9),
            payload in proptest::collection::vec(any::<u8>(), 0..200), padding in 0u8..9,
        ) {
            let mut packet = build(before, csrcs, extension, &payload, padding);
            let view = View::parse(&packet).expect("well formed");
            prop_assert_eq!(view.header, before);
            prop_assert_eq!(&packet[view.payload()], &payload[..]);
            let (sent, len) = view.rewrite(&mut packet, &after);
            prop_assert_eq!(&sent[..len], build(after, 0, None, &payload, 0));
        }

        #[test]
        fn no_octets_make_it_panic(datagram in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(view) = View::parse(&datagram) {
                prop_assert!(view.payload().end <= datagram.len());
            }
            let _ = is_rtcp(&datagram);
        }
    }

    #[test]
    fn lies_about_lengths_are_refused() {
        let whole = build(Header::default(), 3, Some(2), b"abcd", 4);
        for cut in 0..HEADER + 12 + 4 + 8 {
            assert!(View::parse(&whole[..cut]).is_err(), "{cut} octets");
        }
        let mut padding = build(Header::default(), 0, None, b"abcd", 4);
        *padding.last_mut().unwrap() = 9;
        assert_eq!(View::parse(&padding), Err(RtpError::Padding(9)));
        assert_eq!(View::parse(&[0x40; 12]), Err(RtpError::Version(1)));
    }

    #[test]
    fn rtcp_is_told_from_rtp_by_its_packet_type() {
        assert!(is_rtcp(&[0x80, 200, 0, 6]));
        assert!(is_rtcp(&[0x81, 201, 0, 7]));
        assert!(!is_rtcp(&[0x80, 0x88, 0, 1])); // PCMA with marker
        assert!(!is_rtcp(&[0x80, 0xE0, 0, 1])); // payload type 96 with marker
        assert!(!is_rtcp(&[]));
    }

    #[test]
    fn distances_wrap() {
        assert_eq!(sequence_distance(65_535, 1), 2);
        assert_eq!(sequence_distance(1, 65_535), -2);
        assert_eq!(timestamp_distance(u32::MAX - 159, 0), 160);
    }
}
