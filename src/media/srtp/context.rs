//! The two ends of a key: [`Sealer`] for what we send, [`Opener`] for what the peer sends.

use super::{MasterKey, SrtpError};

/// Seals what we send with one key. No packet number is sealed twice.
pub struct Sealer {}

impl Sealer {
    /// For a key of ours.
    ///
    /// # Errors
    /// [`SrtpError::KeyLength`].
    pub fn new(key: &MasterKey) -> Result<Self, SrtpError> {
        let MasterKey { suite, .. } = *key;
        Err(SrtpError::KeyLength { suite, is: 0, wants: 0 })
    }

    /// Seals the RTP packet in the first `len` octets of `packet`, which has [`OVERHEAD`](super::OVERHEAD) octets
    /// of room behind them. Returns how long it is then.
    ///
    /// # Errors
    /// [`SrtpError`]; the packet must not be sent then.
    pub fn rtp(&mut self, packet: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        Err(SrtpError::NoRoom(packet.len().min(len)))
    }

    /// Seals an RTCP compound packet, likewise.
    ///
    /// # Errors
    /// [`SrtpError`]; the packet must not be sent then.
    pub fn rtcp(&mut self, packet: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        Err(SrtpError::NoRoom(packet.len().min(len)))
    }
}

/// Opens what the peer sends. Nothing of a packet is believed, nor kept, before its tag was found right.
pub struct Opener {}

impl Opener {
    /// For a key of the peer.
    ///
    /// # Errors
    /// [`SrtpError::KeyLength`].
    pub fn new(key: &MasterKey) -> Result<Self, SrtpError> {
        let MasterKey { suite, .. } = *key;
        Err(SrtpError::KeyLength { suite, is: 0, wants: 0 })
    }

    /// Opens an SRTP packet. Returns how long the RTP packet in its place is.
    ///
    /// # Errors
    /// [`SrtpError`]; what `packet` holds is of no use then.
    pub fn rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        Err(SrtpError::Malformed(packet.len()))
    }

    /// Opens an SRTCP packet, likewise.
    ///
    /// # Errors
    /// [`SrtpError`]; what `packet` holds is of no use then.
    pub fn rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        Err(SrtpError::Malformed(packet.len()))
    }
}
