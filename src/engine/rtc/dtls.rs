//! The keys of a WebRTC leg: a DTLS handshake (RFC 5763, RFC 5764) whose certificate must be the announced
//! one. Of the connection only its end matters afterwards.

use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use str0m::crypto::dtls::{DtlsCert, DtlsInstance, DtlsOutput, DtlsVersion, KeyingMaterial, SrtpProfile};
use zeroize::Zeroizing;

use crate::engine::EngineError;
use crate::media::rtc::{DtlsRole, Fingerprint};
use crate::media::srtp::{Crypto, MasterKey, Suite};

use super::provider;

/// Octets of a flight's packet, below every usual MTU (str0m's own choice).
const MTU: usize = 1_200;
/// Room for the largest record or certificate.
const RECORD: usize = 4_096;
/// A timer further away than this is no timer: the handshake is over.
const NEVER: Duration = Duration::from_secs(3_600);

/// Our certificate: one for the process, made at its first use, gone with it.
pub(in crate::engine) struct Certificate {
    inner: DtlsCert,
    fingerprint: Fingerprint,
}

/// The process's certificate.
///
/// # Errors
/// None could be made.
pub(in crate::engine) fn certificate() -> Result<&'static Certificate, EngineError> {
    static CERTIFICATE: OnceLock<Option<Certificate>> = OnceLock::new();
    let made = CERTIFICATE.get_or_init(|| {
        let inner = provider().dtls_provider.generate_certificate()?;
        let fingerprint = fingerprint(&inner.certificate)?;
        Some(Certificate { inner, fingerprint })
    });
    made.as_ref().ok_or(EngineError::NoKey("the DTLS certificate failed"))
}

impl Certificate {
    pub(in crate::engine) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

fn fingerprint(der: &[u8]) -> Option<Fingerprint> {
    digest::digest(&digest::SHA256, der).as_ref().try_into().ok().map(Fingerprint)
}

/// A DTLS connection.
pub(super) struct Connection {
    instance: Box<dyn DtlsInstance>,
    theirs: Fingerprint,
    role: DtlsRole,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// We are the client, and have nobody to say hello to yet.
    Idle,
    /// The peer has not shown its certificate.
    Unproven,
    /// It has, and it was the right one.
    Proven,
    /// Over: closed, or refused.
    Ended,
}

/// What came of a step.
#[derive(Default)]
pub(super) struct Outcome {
    /// When to take the next step without being asked to.
    pub(super) timeout: Option<Instant>,
    /// The handshake gave these.
    pub(super) keys: Option<Crypto>,
    /// The peer closed the connection, or it failed.
    pub(super) ended: Option<&'static str>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({:?}, {:?})", self.role, self.state)
    }
}

impl Connection {
    /// One that waits for the peer, or for [`Connection::begin`] when we are the client.
    pub(super) fn new(theirs: Fingerprint, role: DtlsRole, now: Instant) -> Result<Self, EngineError> {
        let certificate = &certificate()?.inner;
        let mut instance = provider()
            .dtls_provider
            .new_dtls(certificate, now, DtlsVersion::default(), Some(MTU))
            .map_err(|_| EngineError::NoKey("the DTLS connection could not be made"))?;
        instance.set_active(role == DtlsRole::Active);
        let state = match role {
            DtlsRole::Active => State::Idle,
            DtlsRole::Passive => State::Unproven,
        };
        Ok(Self { instance, theirs, role, state })
    }

    /// Whether it is the one that was agreed on, and alive.
    pub(super) fn is_with(&self, theirs: Fingerprint, role: DtlsRole) -> bool {
        (self.theirs, self.role) == (theirs, role) && self.state != State::Ended
    }

    /// Says hello, when that is on us: there is somebody to say it to.
    pub(super) fn begin(&mut self, now: Instant, send: impl FnMut(&[u8])) -> Outcome {
        if self.state != State::Idle {
            return Outcome::default();
        }
        self.state = State::Unproven;
        if self.instance.handle_timeout(now).is_err() {
            return self.end("it cannot begin");
        }
        // str0m's own way to wake a client: no packet at all. It is refused, and the hello is on its way.
        let _ = self.instance.handle_packet(&[]);
        self.step(now, send)
    }

    /// Takes a packet of the peer.
    pub(super) fn take(&mut self, packet: &[u8], now: Instant, send: impl FnMut(&[u8])) -> Outcome {
        if matches!(self.state, State::Idle | State::Ended) {
            return Outcome::default();
        }
        if self.instance.handle_timeout(now).is_err() {
            return self.end("it timed out");
        }
        // A packet that makes no sense may be anybody's: it changes nothing.
        let refused = self.instance.handle_packet(packet).is_err();
        if refused && self.state == State::Unproven {
            tracing::debug!("a DTLS packet was refused");
        }
        self.step(now, send)
    }

    /// Sends again what was not answered. Call it at [`Outcome::timeout`].
    pub(super) fn handle_timeout(&mut self, now: Instant, send: impl FnMut(&[u8])) -> Outcome {
        if matches!(self.state, State::Idle | State::Ended) {
            return Outcome::default();
        }
        if self.instance.handle_timeout(now).is_err() {
            return self.end("the peer does not answer");
        }
        self.step(now, send)
    }

    /// Says goodbye.
    pub(super) fn close(&mut self, now: Instant, send: impl FnMut(&[u8])) {
        if self.state == State::Proven && self.instance.close().is_ok() {
            self.step(now, send);
        }
        self.state = State::Ended;
    }

    fn step(&mut self, now: Instant, mut send: impl FnMut(&[u8])) -> Outcome {
        let mut buffer = [0; RECORD];
        let mut keys = None;
        loop {
            match self.instance.poll_output(&mut buffer) {
                DtlsOutput::Packet(packet) => send(packet),
                DtlsOutput::PeerCert(der) if fingerprint(der) == Some(self.theirs) => {
                    self.state = State::Proven;
                }
                DtlsOutput::PeerCert(_) => return self.end("the certificate is not the announced one"),
                DtlsOutput::KeyingMaterial(material, profile) if self.state == State::Proven => {
                    keys = derive(&material, profile, self.role);
                    if keys.is_none() {
                        return self.end("it gives no keys of use");
                    }
                }
                DtlsOutput::KeyingMaterial(..) => return self.end("it gives keys without a certificate"),
                // There is no data channel.
                DtlsOutput::Connected | DtlsOutput::ApplicationData(_) => {}
                DtlsOutput::CloseNotify => return self.end("the peer closed it"),
                DtlsOutput::Timeout(at) => {
                    let timeout = Some(at).filter(|at| at.saturating_duration_since(now) < NEVER);
                    return Outcome { timeout, keys, ended: None };
                }
                // Of str0m's making, and of a later version.
                _ => return self.end("its records are too large"),
            }
        }
    }

    fn end(&mut self, why: &'static str) -> Outcome {
        self.state = State::Ended;
        Outcome { ended: Some(why), ..Outcome::default() }
    }
}

/// The exported material (RFC 5764 §4.2): client's key, server's key, client's salt, server's salt.
fn derive(material: &KeyingMaterial, profile: SrtpProfile, role: DtlsRole) -> Option<Crypto> {
    let suite = match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Suite::AesCm128HmacSha1_80,
        SrtpProfile::AEAD_AES_128_GCM => Suite::AeadAes128Gcm,
        SrtpProfile::AEAD_AES_256_GCM => Suite::AeadAes256Gcm,
        _ => return None,
    };
    let octets: &[u8] = material.as_ref();
    let (key, salt) = (suite.key_len(), suite.salt_len());
    let (keys, salts) = octets.split_at_checked(2 * key)?;
    let master = |n: usize| {
        let mut joined = Zeroizing::new(Vec::with_capacity(key + salt));
        joined.extend_from_slice(keys.get(n * key..(n + 1) * key)?);
        joined.extend_from_slice(salts.get(n * salt..(n + 1) * salt)?);
        MasterKey::new(suite, joined).ok()
    };
    let (client, server) = (master(0)?, master(1)?);
    Some(match role {
        DtlsRole::Active => Crypto { send: client, receive: server },
        DtlsRole::Passive => Crypto { send: server, receive: client },
    })
}
