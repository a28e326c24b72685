//! The two ends of a key: [`Sealer`] for what we send, [`Opener`] for what the peer sends.

use std::fmt;

use super::cipher::{Cipher, RTCP_HEADER};
use super::source::Sources;
use super::{MasterKey, SrtpError, Suite};
use crate::media::rtp;

/// Seals what we send with one key. No packet number is sealed twice, which would give the key stream
/// away; so keep it for as long as the key is in use, through every re-INVITE.
pub struct Sealer {
    suite: Suite,
    rtp: Cipher,
    rtp_sources: Sources,
    rtcp: Cipher,
    rtcp_sources: Sources,
}

impl Sealer {
    /// For a key of ours.
    ///
    /// # Errors
    /// [`SrtpError::KeyLength`].
    pub fn new(key: &MasterKey) -> Result<Self, SrtpError> {
        key.check()?;
        Ok(Self {
            suite: key.suite,
            rtp: Cipher::for_rtp(key),
            rtp_sources: Sources::default(),
            rtcp: Cipher::for_rtcp(key),
            rtcp_sources: Sources::default(),
        })
    }

    /// Which suite its key is for.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Seals the RTP packet in the first `len` octets of `packet`, which has [`OVERHEAD`](super::OVERHEAD) octets
    /// of room behind them. Returns how long it is then.
    ///
    /// # Errors
    /// [`SrtpError`]; the packet must not be sent then.
    pub fn rtp(&mut self, packet: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let plain = packet.get(..len).ok_or(SrtpError::NoRoom(len))?;
        let RtpHeader { ssrc, sequence, len: header } = rtp_header(plain)?;
        let sealed = len + self.rtp.tag_len();
        let packet = packet.get_mut(..sealed).ok_or(SrtpError::NoRoom(sealed))?;
        let place = self.rtp_sources.place_rtp(ssrc, sequence)?;
        let sealed = self.rtp.seal_rtp(packet, header, len, place)?;
        self.rtp_sources.keep(place);
        Ok(sealed)
    }

    /// Seals an RTCP compound packet, likewise.
    ///
    /// # Errors
    /// [`SrtpError`]; the packet must not be sent then.
    pub fn rtcp(&mut self, packet: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let plain = packet.get(..len).ok_or(SrtpError::NoRoom(len))?;
        let ssrc = rtcp_ssrc(plain)?;
        let sealed = len + self.rtcp.rtcp_overhead();
        let packet = packet.get_mut(..sealed).ok_or(SrtpError::NoRoom(sealed))?;
        let place = self.rtcp_sources.next_rtcp(ssrc)?;
        let sealed = self.rtcp.seal_rtcp(packet, len, place)?;
        self.rtcp_sources.keep(place);
        Ok(sealed)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({:?}, …)", self.suite)
    }
}

/// Opens what the peer sends with one key. Nothing of a packet is believed, nor kept, before its tag
/// was found right. Keep it for as long as the key is in use: it knows the roll-over counters.
pub struct Opener {
    suite: Suite,
    mki: Vec<u8>,
    rtp: Cipher,
    rtp_sources: Sources,
    rtcp: Cipher,
    rtcp_sources: Sources,
}

impl Opener {
    /// For a key of the peer.
    ///
    /// # Errors
    /// [`SrtpError::KeyLength`].
    pub fn new(key: &MasterKey) -> Result<Self, SrtpError> {
        key.check()?;
        Ok(Self {
            suite: key.suite,
            mki: key.mki.clone(),
            rtp: Cipher::for_rtp(key),
            rtp_sources: Sources::default(),
            rtcp: Cipher::for_rtcp(key),
            rtcp_sources: Sources::default(),
        })
    }

    /// Which suite its key is for.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Opens an SRTP packet. Returns how long the RTP packet in its place is.
    ///
    /// # Errors
    /// [`SrtpError`]; what `packet` holds is of no use then.
    pub fn rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let RtpHeader { ssrc, sequence, len: header } = rtp_header(packet)?;
        let place = self.rtp_sources.place_rtp(ssrc, sequence)?;
        let plain = self.rtp.open_rtp(packet, header, &self.mki, place)?;
        self.rtp_sources.keep(place);
        Ok(plain)
    }

    /// Opens an SRTCP packet, likewise.
    ///
    /// # Errors
    /// [`SrtpError`]; what `packet` holds is of no use then.
    pub fn rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let ssrc = rtcp_ssrc(packet)?;
        let index = self.rtcp.rtcp_index(packet, &self.mki)?;
        let place = self.rtcp_sources.place_rtcp(ssrc, index)?;
        let plain = self.rtcp.open_rtcp(packet, &self.mki, place)?;
        self.rtcp_sources.keep(place);
        Ok(plain)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener({:?}, …)", self.suite)
    }
}

/// What is readable of a sealed RTP packet.
struct RtpHeader {
    ssrc: u32,
    sequence: u16,
    /// Octets that are not encrypted: fixed header, CSRCs, extension (RFC 3711 §3.1).
    len: usize,
}

/// Reads the header. Padding is not judged: in a sealed packet it is sealed too.
fn rtp_header(packet: &[u8]) -> Result<RtpHeader, SrtpError> {
    let malformed = SrtpError::Malformed(packet.len());
    let fixed: &[u8; rtp::HEADER] = packet.first_chunk().ok_or(malformed)?;
    if fixed[0] >> 6 != 2 {
        return Err(malformed);
    }
    let mut len = rtp::HEADER + 4 * usize::from(fixed[0] & 0x0F);
    if fixed[0] & 0x10 != 0 {
        let words = packet.get(len + 2..len + 4).ok_or(malformed)?;
        len += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    if len > packet.len() {
        return Err(malformed);
    }
    Ok(RtpHeader {
        ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
        len,
    })
}

/// Who sent an RTCP packet.
fn rtcp_ssrc(packet: &[u8]) -> Result<u32, SrtpError> {
    match packet.first_chunk::<RTCP_HEADER>() {
        Some([first, _, _, _, ssrc @ ..]) if first >> 6 == 2 => Ok(u32::from_be_bytes(*ssrc)),
        Some(_) | None => Err(SrtpError::Malformed(packet.len())),
    }
}
