//! A leg's SRTP (RFC 3711; keys by RFC 4568): opens what comes before anything in it is believed, seals
//! what goes. A leg whose keys are of no use lets nothing through: it never falls back to plain RTP.

use std::fmt;
use std::time::Duration;

use crate::media::srtp::{Crypto, MasterKey, Opener, Sealer, SrtpError, Suite};
use crate::time::Timestamp;

/// Packets sealed with the key before a change are still opened for so long: those on their way, and those
/// of a peer that changes a little later than it answers (RFC 3264 §8.3.2).
const FORMER: Duration = Duration::from_secs(5);
/// The largest packet tried with two keys.
const LARGEST: usize = 2_048;

/// Whether and how a leg's packets are sealed.
#[derive(Debug, Default)]
pub(super) enum Security {
    /// Plain RTP was agreed.
    #[default]
    Plain,
    /// SRTP.
    Sealed(Box<Keys>),
    /// SRTP whose keys are on their way (DTLS): nothing is let through before.
    Awaited,
    /// SRTP was agreed with keys that cannot be used.
    Broken,
}

/// A leg's keys and what they have seen.
pub(super) struct Keys {
    crypto: Crypto,
    sealer: Sealer,
    opener: Opener,
    /// The peer's key before, and until when it counts.
    former: Option<(Opener, Timestamp)>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({:?})", self.crypto.send.suite)
    }
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Rtp,
    Rtcp,
}

impl Security {
    /// Takes over what was agreed, the first time or again. A key that stays keeps what it has seen; the
    /// former key of a peer that changes it is known for a while.
    pub(super) fn agree(&mut self, crypto: Option<&Crypto>, now: Timestamp) {
        let Some(crypto) = crypto else {
            *self = Self::Plain;
            return;
        };
        let before = match std::mem::take(self) {
            Self::Sealed(keys) => Some(*keys),
            Self::Plain | Self::Awaited | Self::Broken => None,
        };
        *self = Keys::changed(before, crypto, now).map_or(Self::Broken, |keys| Self::Sealed(Box::new(keys)));
    }

    /// The suite of what we send.
    pub(super) fn suite(&self) -> Option<Suite> {
        match self {
            Self::Sealed(keys) => Some(keys.crypto.send.suite),
            Self::Plain | Self::Awaited | Self::Broken => None,
        }
    }

    /// Whether what [`Security::open`] lets through is proven to be the peer's.
    pub(super) fn proves(&self) -> bool {
        matches!(self, Self::Sealed(_))
    }

    /// Opens a packet in place; returns its plain length, `None` when it is to be dropped and counted.
    #[inline]
    pub(super) fn open(&mut self, sort: Sort, packet: &mut [u8], now: Timestamp) -> Option<usize> {
        match self {
            Self::Plain => Some(packet.len()),
            Self::Sealed(keys) => keys.open(sort, packet, now),
            Self::Awaited | Self::Broken => None,
        }
    }

    /// Seals the packet in the first `len` octets of `buffer`; returns what to send. `None`: send nothing.
    #[inline]
    pub(super) fn seal<'a>(&mut self, sort: Sort, buffer: &'a mut [u8], len: usize) -> Option<&'a [u8]> {
        let sealed = match self {
            Self::Plain => len,
            // A packet that came twice is refused here: no number is sealed twice.
            Self::Sealed(keys) => match sort {
                Sort::Rtp => keys.sealer.rtp(buffer, len),
                Sort::Rtcp => keys.sealer.rtcp(buffer, len),
            }
            .ok()?,
            Self::Awaited | Self::Broken => return None,
        };
        buffer.get(..sealed)
    }
}

impl Keys {
    fn changed(before: Option<Self>, crypto: &Crypto, now: Timestamp) -> Result<Self, SrtpError> {
        let Some(before) = before else {
            return Ok(Self {
                sealer: Sealer::new(&crypto.send)?,
                opener: Opener::new(&crypto.receive)?,
                former: None,
                crypto: crypto.clone(),
            });
        };
        let same = |old: &MasterKey, new: &MasterKey| old == new;
        let sealer = match same(&before.crypto.send, &crypto.send) {
            true => before.sealer,
            false => Sealer::new(&crypto.send)?,
        };
        let (opener, former) = match same(&before.crypto.receive, &crypto.receive) {
            true => (before.opener, before.former),
            false => (Opener::new(&crypto.receive)?, Some((before.opener, now + FORMER))),
        };
        Ok(Self { sealer, opener, former, crypto: crypto.clone() })
    }

    fn open(&mut self, sort: Sort, packet: &mut [u8], now: Timestamp) -> Option<usize> {
        self.former.take_if(|(_, until)| now > *until);
        let Some((former, _)) = &mut self.former else {
            return open(&mut self.opener, sort, packet).ok();
        };
        // An attempt may spoil the packet: the second key needs it as it came.
        let mut kept = [0; LARGEST];
        let kept = kept.get_mut(..packet.len())?;
        kept.copy_from_slice(packet);
        if let Ok(len) = open(&mut self.opener, sort, packet) {
            return Some(len);
        }
        packet.copy_from_slice(kept);
        open(former, sort, packet).ok()
    }
}

fn open(opener: &mut Opener, sort: Sort, packet: &mut [u8]) -> Result<usize, SrtpError> {
    match sort {
        Sort::Rtp => opener.rtp(packet),
        Sort::Rtcp => opener.rtcp(packet),
    }
}
