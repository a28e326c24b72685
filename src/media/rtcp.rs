//! RTCP (RFC 3550 §6): sender and receiver reports, SDES and BYE, read and built without allocation;
//! and what a receiver measures for them: loss, extended sequence, jitter, round trip.

use std::time::Duration;

use super::rtp::{sequence_distance, timestamp_distance};
use crate::time::Timestamp;

/// Room for the largest compound packet [`Report::build`] makes.
pub const MAX_REPORT: usize = 160;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const BLOCK: usize = 24;

/// What a sender says of itself (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// NTP time, 32.32 fixed point.
    pub ntp: u64,
    /// The same moment on the media clock.
    pub rtp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload octets sent.
    pub octets: u32,
}

/// What a receiver says of a source (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The source it speaks of.
    pub ssrc: u32,
    /// Share lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Lost in all; negative when packets came twice. 24 bits.
    pub lost: i32,
    /// Highest sequence received, with the count of its wraps above.
    pub highest: u32,
    /// Interarrival jitter in ticks of the source's RTP clock.
    pub jitter: u32,
    /// The middle 32 bits of the last sender report's NTP time; 0 for none.
    pub last_report: u32,
    /// Time since it came, in 1/65,536 s.
    pub delay: u32,
}

/// One packet of a compound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// SR, or RR when there is no sender info.
    Report {
        /// Who reports.
        ssrc: u32,
        /// In an SR.
        sender: Option<SenderInfo>,
        /// Report blocks, see [`Packet::blocks`].
        blocks: &'a [u8],
    },
    /// SDES; its items are of no use to us.
    Description,
    /// BYE, of the first source it names.
    Goodbye {
        /// Who leaves; `None` when it names nobody.
        ssrc: Option<u32>,
    },
    /// Another type (APP, feedback, XR).
    Other(u8),
}

/// Why a datagram, or the rest of it, is not RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtcpError {
    /// Shorter than its length field or its count says.
    #[error("RTCP packet cut short: {0} octets")]
    Short(usize),
    /// The version is not 2.
    #[error("RTCP version {0}, only 2 is known")]
    Version(u8),
}

/// The packets of a compound, in order; ends after the first error.
pub fn packets(datagram: &[u8]) -> impl Iterator<Item = Result<Packet<'_>, RtcpError>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let parsed = parse_one(rest);
        rest = parsed.as_ref().map_or(&[], |(_, rest)| *rest);
        Some(parsed.map(|(packet, _)| packet))
    })
}

fn parse_one(octets: &[u8]) -> Result<(Packet<'_>, &[u8]), RtcpError> {
    let short = RtcpError::Short(octets.len());
    let [first, kind, high, low] = *octets.first_chunk().ok_or(short)?;
    if first >> 6 != 2 {
        return Err(RtcpError::Version(first >> 6));
    }
    let len = 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
    let (packet, rest) = octets.split_at_checked(len).ok_or(short)?;
    let count = usize::from(first & 0x1F);
    let body = &packet[4..];
    let packet = match kind {
        SENDER_REPORT => {
            let info = body.get(4..24).ok_or(short)?;
            let sender = SenderInfo {
                ntp: (u64::from(word(info, 0)) << 32) | u64::from(word(info, 1)),
                rtp: word(info, 2),
                packets: word(info, 3),
                octets: word(info, 4),
            };
            let blocks = body.get(24..24 + count * BLOCK).ok_or(short)?;
            Packet::Report { ssrc: word(body, 0), sender: Some(sender), blocks }
        }
        RECEIVER_REPORT => {
            let blocks = body.get(4..4 + count * BLOCK).ok_or(short)?;
            Packet::Report { ssrc: word(body, 0), sender: None, blocks }
        }
        DESCRIPTION => Packet::Description,
        GOODBYE => Packet::Goodbye { ssrc: (count > 0 && body.len() >= 4).then(|| word(body, 0)) },
        other => Packet::Other(other),
    };
    Ok((packet, rest))
}

/// The `n`th 32-bit word; the caller has checked the length.
fn word(octets: &[u8], n: usize) -> u32 {
    octets.get(4 * n..4 * n + 4).and_then(|w| w.try_into().ok()).map_or(0, u32::from_be_bytes)
}

impl Packet<'_> {
    /// The report blocks of an SR or RR; none for the others.
    pub fn blocks(&self) -> impl Iterator<Item = Block> {
        let blocks = match self {
            Packet::Report { blocks, .. } => blocks,
            Packet::Description | Packet::Goodbye { .. } | Packet::Other(_) => &[][..],
        };
        blocks.chunks_exact(BLOCK).map(|block| Block {
            ssrc: word(block, 0),
            fraction_lost: block[4],
            // Sign-extended from 24 bits.
            lost: (word(block, 1) << 8).cast_signed() >> 8,
            highest: word(block, 2),
            jitter: word(block, 3),
            last_report: word(block, 4),
            delay: word(block, 5),
        })
    }
}

/// A compound to send: SR or RR, then SDES with the CNAME, then BYE when the leg ends.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Who we are.
    pub ssrc: u32,
    /// When we have sent since the last report: an SR.
    pub sender: Option<SenderInfo>,
    /// What we received, if anything.
    pub block: Option<Block>,
    /// Canonical name (RFC 7022), at most 64 octets are used.
    pub cname: &'a [u8],
    /// Our last one.
    pub goodbye: bool,
}

impl Report<'_> {
    /// Writes the compound and returns its length.
    pub fn build(&self, out: &mut [u8; MAX_REPORT]) -> usize {
        let mut writer = Writer { out, len: 0 };
        let start = writer.begin(
            if self.sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT },
            u8::from(self.block.is_some()),
        );
        writer.word(self.ssrc);
        if let Some(info) = &self.sender {
            writer.bytes(&info.ntp.to_be_bytes());
            [info.rtp, info.packets, info.octets].into_iter().for_each(|value| writer.word(value));
        }
        if let Some(block) = &self.block {
            writer.word(block.ssrc);
            let lost = block.lost.clamp(-0x80_0000, 0x7F_FFFF).cast_unsigned() & 0xFF_FFFF;
            writer.word((u32::from(block.fraction_lost) << 24) | lost);
            for value in [block.highest, block.jitter, block.last_report, block.delay] {
                writer.word(value);
            }
        }
        writer.end(start);

        let start = writer.begin(DESCRIPTION, 1);
        writer.word(self.ssrc);
        let cname = &self.cname[..self.cname.len().min(64)];
        writer.bytes(&[1, u8::try_from(cname.len()).unwrap_or(64)]);
        writer.bytes(cname);
        // At least one zero ends the chunk, then up to the word's end (§6.5).
        writer.bytes(&[0; 4][..4 - writer.len % 4]);
        writer.end(start);

        if self.goodbye {
            let start = writer.begin(GOODBYE, 1);
            writer.word(self.ssrc);
            writer.end(start);
        }
        writer.len
    }
}

struct Writer<'a> {
    out: &'a mut [u8; MAX_REPORT],
    len: usize,
}

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        self.out[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn word(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    fn begin(&mut self, kind: u8, count: u8) -> usize {
        let start = self.len;
        self.bytes(&[0x80 | count, kind, 0, 0]);
        start
    }

    /// Puts the length field: 32-bit words less one.
    fn end(&mut self, start: usize) {
        let words = u16::try_from((self.len - start) / 4 - 1).unwrap_or(u16::MAX);
        self.out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
    }
}

/// NTP time (seconds since 1900, 32.32 fixed point) of a timestamp.
#[must_use]
pub fn ntp(at: Timestamp) -> u64 {
    const SECONDS_1900_TO_1970: u64 = 2_208_988_800;
    let micros = u64::try_from(at.as_micros()).unwrap_or(0);
    let seconds = micros / 1_000_000 + SECONDS_1900_TO_1970;
    (seconds << 32) | (((micros % 1_000_000) << 32) / 1_000_000)
}

/// The middle 32 bits of an NTP time, as LSR carries it.
#[must_use]
pub const fn ntp_middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// Round trip by a report block on one of our sender reports that came at `now` (RFC 3550 §6.4.1);
/// `None` when it names no report of ours or the clocks disagree.
#[must_use]
pub fn round_trip(block: &Block, now: Timestamp) -> Option<Duration> {
    if block.last_report == 0 {
        return None;
    }
    let span = ntp_middle(ntp(now)).wrapping_sub(block.last_report).wrapping_sub(block.delay);
    // Beyond a minute it is a lie or a wrapped negative.
    (span < 60 << 16).then(|| Duration::from_micros((u64::from(span) * 1_000_000) >> 16))
}

/// What we measure of one source (RFC 3550 A.1, A.3, A.8).
#[derive(Clone, Debug)]
pub struct Reception {
    ssrc: u32,
    base: u32,
    highest: u16,
    cycles: u32,
    received: u64,
    /// Lost before the sender jumped and was taken to have started anew.
    lost_before: u64,
    /// A packet far off: if the next follows it, the sender has started anew.
    restart_at: Option<u16>,
    prior: (u64, u64),
    /// Of the last audio packet: its timestamp and arrival.
    transit: Option<(u32, Timestamp)>,
    /// In 1/16 ticks.
    jitter: u32,
    /// Ticks of the source's clock in a millisecond.
    khz: u32,
    last_report: Option<(u32, Timestamp)>,
}

impl Reception {
    /// Begins with the source's first packet, which is still to be [`Reception::count`]ed.
    #[must_use]
    pub fn new(ssrc: u32, sequence: u16) -> Self {
        Self {
            ssrc,
            base: u32::from(sequence),
            highest: sequence,
            cycles: 0,
            received: 0,
            lost_before: 0,
            restart_at: None,
            prior: (0, 0),
            transit: None,
            jitter: 0,
            khz: 8,
            last_report: None,
        }
    }

    /// The ticks of the source's RTP clock per second, 8,000 until told: with each change of codec.
    pub fn set_clock(&mut self, hz: u32) {
        let khz = (hz / 1_000).max(1);
        if khz != self.khz {
            self.jitter = self.jitter / self.khz * khz;
            self.khz = khz;
            self.transit = None;
        }
    }

    /// The source's SSRC.
    #[must_use]
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Counts a packet by its sequence number (A.1).
    pub fn count(&mut self, sequence: u16) {
        const MAX_DROPOUT: i16 = 3_000;
        const MAX_MISORDER: i16 = -100;
        let distance = sequence_distance(self.highest, sequence);
        if (MAX_MISORDER..MAX_DROPOUT).contains(&distance) {
            if distance > 0 {
                if sequence < self.highest {
                    self.cycles += 1 << 16;
                }
                self.highest = sequence;
            }
            self.restart_at = None;
        } else if self.restart_at == Some(sequence) {
            self.lost_before = self.lost();
            (self.base, self.highest, self.cycles) = (u32::from(sequence), sequence, 0);
            (self.received, self.prior, self.restart_at) = (0, (0, 0), None);
        } else {
            self.restart_at = Some(sequence.wrapping_add(1));
            return;
        }
        self.received += 1;
    }

    /// Measures jitter (A.8) by an audio packet. Events are left out: they all bear the timestamp of
    /// their start.
    pub fn measure(&mut self, timestamp: u32, arrival: Timestamp) {
        if let Some((before, at)) = self.transit.replace((timestamp, arrival)) {
            let micros = arrival.as_micros().saturating_sub(at.as_micros());
            let elapsed = micros.saturating_mul(i64::from(self.khz)) / 1_000;
            let strayed =
                elapsed.saturating_sub(i64::from(timestamp_distance(before, timestamp))).unsigned_abs();
            // A jump of more than 2 s is a new talkspurt's clock, not the network's jitter.
            if strayed < 2_000 * u64::from(self.khz) {
                let strayed = u32::try_from(strayed).unwrap_or(0);
                self.jitter = self.jitter + strayed - ((self.jitter + 8) >> 4);
            }
        }
    }

    /// Remembers a sender report, for LSR and DLSR.
    pub fn sender_report(&mut self, ntp: u64, now: Timestamp) {
        self.last_report = Some((ntp_middle(ntp), now));
    }

    /// Packets that did not come, up to now; those that came twice make up for lost ones.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost_before + self.expected().saturating_sub(self.received)
    }

    /// Jitter in milliseconds.
    #[must_use]
    pub fn jitter_ms(&self) -> f32 {
        (self.jitter >> 4) as f32 / self.khz as f32
    }

    /// Packets that came, since the source was last taken to have started anew.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The report block for now; the next one's share of loss counts from here.
    pub fn block(&mut self, now: Timestamp) -> Block {
        let expected = self.expected();
        let (expected_span, received_span) = (expected - self.prior.0, self.received - self.prior.1);
        self.prior = (expected, self.received);
        let lost_span = expected_span.saturating_sub(received_span);
        let fraction = (lost_span << 8).checked_div(expected_span).unwrap_or(0);
        let (last_report, delay) = self.last_report.map_or((0, 0), |(report, at)| {
            let micros = u64::try_from(now.since(at).as_micros()).unwrap_or(u64::MAX);
            (report, u32::try_from((micros.min(1 << 40) << 16) / 1_000_000).unwrap_or(u32::MAX))
        });
        Block {
            ssrc: self.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: i32::try_from(self.lost()).unwrap_or(i32::MAX),
            highest: self.cycles | u32::from(self.highest),
            jitter: self.jitter >> 4,
            last_report,
            delay,
        }
    }

    fn expected(&self) -> u64 {
        u64::from(self.cycles + u32::from(self.highest)) + 1 - u64::from(self.base)
    }
}

#[cfg(test)]
#[path = "rtcp_tests.rs"]
mod tests;
