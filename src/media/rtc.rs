//! What a WebRTC leg agrees on beyond its RTP (RFC 8829): ICE (RFC 8445) with us as the lite side, and the keys
//! of SRTP by DTLS (RFC 5763, RFC 5764). One audio stream, RTCP on the RTP port.

use std::fmt;

use crate::ids::Redacted;

/// SHA-256 of a DTLS certificate (RFC 8122), the only hash we tell and the only one we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    /// As in `a=fingerprint:sha-256 `: upper-case hex, a colon between octets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, octet) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(":")?;
            }
            write!(f, "{octet:02X}")?;
        }
        Ok(())
    }
}

/// One side's ICE user name fragment and password (RFC 8445 §5.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceLogin {
    /// 4 to 256 ice-chars.
    pub ufrag: String,
    /// 22 to 256 ice-chars.
    pub password: Redacted<String>,
}

/// Our side of a WebRTC leg, told in offer and answer. Its address is the leg's RTP address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    /// Drawn by the engine; new after an ICE restart.
    pub ice: IceLogin,
    /// Of the engine's certificate.
    pub fingerprint: Fingerprint,
    /// Our role as it was agreed: it stays when the peer leaves it to us again (RFC 8842 §5.3). `None` before.
    pub role: Option<DtlsRole>,
}

/// Who sends the first DTLS message (RFC 5763 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DtlsRole {
    /// The client.
    Active,
    /// The server.
    Passive,
}

/// The peer's side, as offer and answer agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theirs {
    /// Its user name fragment and password.
    pub ice: IceLogin,
    /// Of its certificate; a handshake with another fails.
    pub fingerprint: Fingerprint,
    /// Our role.
    pub role: DtlsRole,
    /// `a=mid`.
    pub mid: String,
    /// The number of the MID header extension (RFC 9143 §15), if agreed.
    pub mid_extension: Option<u8>,
    /// The SSRC it announced (`a=ssrc`), if it did.
    pub ssrc: Option<u32>,
}
