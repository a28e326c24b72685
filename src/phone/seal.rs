//! The phone's SRTP: what it says is sealed, what it hears opened, once keys were agreed.

use crate::media::srtp::{Crypto, OVERHEAD, Opener, Sealer, SrtpError, Suite};

/// See the module.
#[derive(Default)]
pub(super) struct Seal(Option<(Crypto, Sealer, Opener)>);

impl Seal {
    /// Takes what was agreed. The same keys go on where they are: their roll-over counters are not told
    /// again.
    pub(super) fn set(&mut self, crypto: Option<&Crypto>) -> Result<(), SrtpError> {
        let Some(crypto) = crypto else {
            self.0 = None;
            return Ok(());
        };
        let before = self.0.take();
        let (sealer, opener) = match before {
            Some((known, sealer, opener)) => (
                if known.send == crypto.send { sealer } else { Sealer::new(&crypto.send)? },
                if known.receive == crypto.receive { opener } else { Opener::new(&crypto.receive)? },
            ),
            None => (Sealer::new(&crypto.send)?, Opener::new(&crypto.receive)?),
        };
        self.0 = Some((crypto.clone(), sealer, opener));
        Ok(())
    }

    /// What it is sealed with.
    pub(super) fn suite(&self) -> Option<Suite> {
        self.0.as_ref().map(|(_, sealer, _)| sealer.suite())
    }

    /// The packet as it is sent.
    pub(super) fn close(&mut self, mut packet: Vec<u8>) -> Result<Vec<u8>, SrtpError> {
        if let Some((_, sealer, _)) = &mut self.0 {
            let plain = packet.len();
            packet.resize(plain + OVERHEAD, 0);
            let sealed = sealer.rtp(&mut packet, plain)?;
            packet.truncate(sealed);
        }
        Ok(packet)
    }

    /// The packet as it was said; `None`: not by our peer.
    pub(super) fn open<'a>(&mut self, packet: &'a mut [u8]) -> Option<&'a [u8]> {
        let Some((_, _, opener)) = &mut self.0 else { return Some(packet) };
        let plain = opener.rtp(packet).ok()?;
        Some(&packet[..plain])
    }
}
