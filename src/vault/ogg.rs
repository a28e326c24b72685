//! Ogg Opus (RFC 7845) of a stereo recording: two uncoupled mono streams in one logical stream (channel mapping family
//! 1), so that caller and agent never mix, and any player makes left and right of them. libopus frames the two packets
//! itself: the first self-delimited (RFC 6716 Appendix B), the second as it is.

use std::io::{self, Write};

use ogg::{PacketWriteEndInfo, PacketWriter};
use opus::{Application, Bitrate, MSEncoder, Signal};

/// Samples per channel in a packet: 20 ms, which every player takes and telephony speaks.
pub(super) const FRAME: usize = 160;
/// Bits a second of both channels: 24 kbit/s each, where narrowband speech is as good as G.711.
const BITRATE: i32 = 48_000;
/// Opus counts in samples at 48 kHz, whatever goes in (RFC 7845 section 4).
const GRANULES: u64 = 6;
/// Packets of a page: a second, which is what seeking can find (RFC 7845 section 6).
const PAGE: u64 = 50;
/// Most bytes of two packets: 1,275 each, and the first one's length (RFC 6716 section 3.4).
const MAX_PACKET: usize = 2 * 1_275 + 2;

/// Writes an Ogg Opus file to `W`, sample by sample.
pub(super) struct OggOpus<W: Write> {
    encoder: MSEncoder,
    pages: PacketWriter<'static, W>,
    serial: u32,
    /// What a decoder leaves out at the beginning, at 48 kHz.
    skip: u64,
    /// Interleaved samples of the packet that is being filled.
    frame: Vec<i16>,
    /// Encoded, and not handed on: whether it is the last one is not known before another comes.
    held: Option<Vec<u8>>,
    packets: u64,
    samples: u64,
}

impl<W: Write> OggOpus<W> {
    /// Writes the two packets of the head. `serial` tells the stream from others in the same file; there are none.
    pub(super) fn new(to: W, serial: u32) -> Result<Self, OggError> {
        let mut encoder = MSEncoder::new(8_000, 2, 0, &[0, 1], Application::Voip)?;
        encoder.set_bitrate(Bitrate::Bits(BITRATE))?;
        encoder.set_signal(Signal::Voice)?;
        let skip = u64::try_from(encoder.get_lookahead()?).unwrap_or(0) * GRANULES;
        let mut pages = PacketWriter::new(to);
        pages.write_packet(head(skip as u16), serial, PacketWriteEndInfo::EndPage, 0)?;
        pages.write_packet(tags(), serial, PacketWriteEndInfo::EndPage, 0)?;
        let frame = Vec::with_capacity(FRAME * 2);
        Ok(Self { encoder, pages, serial, skip, frame, held: None, packets: 0, samples: 0 })
    }

    /// Takes interleaved samples.
    pub(super) fn push(&mut self, mut samples: &[i16]) -> Result<(), OggError> {
        self.samples += samples.len() as u64 / 2;
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(FRAME * 2 - self.frame.len()));
            self.frame.extend_from_slice(now);
            samples = later;
            if self.frame.len() == FRAME * 2 {
                self.encode()?;
            }
        }
        Ok(())
    }

    /// Writes what the encoder still holds and the end of the stream. Gives what it was written to.
    pub(super) fn finish(mut self) -> Result<W, OggError> {
        // The last granule position says where the audio ends; what follows in the last packet is padding that decoders
        // cut off (RFC 7845 section 4.4). There is at least one packet, though there may be no sample.
        let end = self.skip + self.samples * GRANULES;
        while self.packets == 0 || !self.frame.is_empty() || self.packets * FRAME as u64 * GRANULES < end {
            self.frame.resize(FRAME * 2, 0);
            self.encode()?;
        }
        if let Some(packet) = self.held.take() {
            self.pages.write_packet(packet, self.serial, PacketWriteEndInfo::EndStream, end)?;
        }
        Ok(self.pages.into_inner())
    }

    /// Encodes a whole frame.
    fn encode(&mut self) -> Result<(), OggError> {
        if let Some(packet) = self.held.take() {
            let full = self.packets.is_multiple_of(PAGE);
            let page = if full { PacketWriteEndInfo::EndPage } else { PacketWriteEndInfo::NormalPacket };
            let granule = self.packets * FRAME as u64 * GRANULES;
            self.pages.write_packet(packet, self.serial, page, granule)?;
        }
        let mut packet = vec![0; MAX_PACKET];
        let length = self.encoder.encode(&self.frame, &mut packet)?;
        packet.truncate(length);
        self.frame.clear();
        self.held = Some(packet);
        self.packets += 1;
        Ok(())
    }
}

/// The identification header (RFC 7845 section 5.1).
fn head(skip: u16) -> Vec<u8> {
    let mut head = b"OpusHead".to_vec();
    head.extend_from_slice(&[1, 2]); // version, channels
    head.extend_from_slice(&skip.to_le_bytes());
    head.extend_from_slice(&8_000u32.to_le_bytes()); // what it was made of
    head.extend_from_slice(&0i16.to_le_bytes()); // gain
    head.extend_from_slice(&[1, 2, 0, 0, 1]); // mapping family, streams, of these coupled, mapping
    head
}

/// The comment header (RFC 7845 section 5.2): who made it, and nothing else.
fn tags() -> Vec<u8> {
    let vendor = concat!("sayso ", env!("CARGO_PKG_VERSION"));
    let mut tags = b"OpusTags".to_vec();
    tags.extend_from_slice(&(vendor.len() as u32).to_le_bytes());
    tags.extend_from_slice(vendor.as_bytes());
    tags.extend_from_slice(&0u32.to_le_bytes());
    tags
}

/// Why it could not be made.
#[derive(Debug)]
pub(super) enum OggError {
    /// Where it is written to.
    Io(io::Error),
    /// libopus.
    Codec(opus::Error),
}

impl From<io::Error> for OggError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<opus::Error> for OggError {
    fn from(error: opus::Error) -> Self {
        Self::Codec(error)
    }
}
