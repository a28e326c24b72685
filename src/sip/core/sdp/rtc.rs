//! What WebRTC adds to a stream (RFC 8829): ICE with us as the lite side (RFC 8839), DTLS (RFC 8842), and the
//! MID header extension (RFC 9143 §15). Read, judged and written here.

use std::fmt::Write;

use super::parse::Media;
use super::write::Webrtc;
use super::{Local, Unusable};
use crate::ids::Redacted;
use crate::media::rtc::{DtlsRole, Fingerprint, IceLogin, Ours, Theirs};

/// What we offer (RFC 8834 §4.2).
pub(super) const PROTOCOL: &str = "UDP/TLS/RTP/SAVPF";
/// The URI of the one header extension we speak.
const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
/// Of a host candidate, the only one there is (RFC 8445 §5.1.2.1: type preference 126, local preference 65,535).
const PRIORITY: u32 = 2_130_706_431;
/// The mid where a peer gives none.
const NO_MID: &str = "0";

/// Whether a protocol is WebRTC's.
pub(super) fn is_spoken(protocol: &str) -> bool {
    matches!(protocol, PROTOCOL | "UDP/TLS/RTP/SAVP")
}

/// The attributes of a stream, or of the session for all of its streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes<'a> {
    /// `a=ice-ufrag`, if it is one.
    ufrag: Option<&'a str>,
    /// `a=ice-pwd`, if it is one.
    password: Option<Redacted<&'a str>>,
    /// `a=fingerprint:sha-256`, whatever other hashes there are.
    fingerprint: Option<Fingerprint>,
    setup: Option<Setup>,
    /// The number of the MID header extension.
    pub(super) mid_extension: Option<u8>,
    /// The first `a=ssrc`.
    ssrc: Option<u32>,
}

/// `a=setup` (RFC 4145 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setup {
    Active,
    Passive,
    Actpass,
}

impl<'a> Attributes<'a> {
    /// Takes an attribute, if it is one of these and well formed.
    pub(super) fn take(&mut self, name: &str, value: &'a str) {
        let value = value.trim();
        match name {
            "ice-ufrag" => self.ufrag = Some(value).filter(|text| is_ice(text, 4)),
            "ice-pwd" => self.password = Some(value).filter(|text| is_ice(text, 22)).map(Redacted),
            "fingerprint" => self.fingerprint = self.fingerprint.or_else(|| parse_fingerprint(value)),
            "setup" => {
                self.setup = match value {
                    "active" => Some(Setup::Active),
                    "passive" => Some(Setup::Passive),
                    "actpass" => Some(Setup::Actpass),
                    _ => None,
                }
            }
            "extmap" => self.mid_extension = self.mid_extension.or_else(|| parse_mid_extension(value)),
            "ssrc" => {
                let number = value.split_ascii_whitespace().next().and_then(|number| number.parse().ok());
                self.ssrc = self.ssrc.or(number);
            }
            _ => {}
        }
    }

    /// Takes what the session says and the stream does not.
    pub(super) fn inherit(&mut self, session: &Self) {
        self.share(session);
        self.mid_extension = self.mid_extension.or(session.mid_extension);
    }

    /// Takes what the stream does not say itself from the one whose transport it shares.
    pub(super) fn share(&mut self, other: &Self) {
        // They come in pairs (RFC 8839 §5.4).
        if self.ufrag.is_none() && self.password.is_none() {
            (self.ufrag, self.password) = (other.ufrag, other.password);
        }
        self.fingerprint = self.fingerprint.or(other.fingerprint);
        self.setup = self.setup.or(other.setup);
    }

    /// Its ICE credentials, if it has both.
    pub(super) fn ice(&self) -> Option<IceLogin> {
        let (ufrag, password) = (self.ufrag?, self.password?);
        Some(IceLogin { ufrag: ufrag.to_owned(), password: Redacted(password.0.to_owned()) })
    }
}

/// The peer's side of a WebRTC leg; `None`: ours is none.
pub(super) fn theirs(stream: &Media<'_>, local: &Local) -> Result<Option<Theirs>, Unusable> {
    let Some(ours) = &local.rtc else { return Ok(None) };
    if !stream.rtcp_mux {
        return Err(Unusable::NoMux);
    }
    let attributes = &stream.rtc;
    Ok(Some(Theirs {
        ice: attributes.ice().ok_or(Unusable::NoIce)?,
        fingerprint: attributes.fingerprint.ok_or(Unusable::NoFingerprint)?,
        // Who may choose lets them begin: their path is open when their first packet comes through. Chosen once, it
        // stays: another role is another handshake. No `a=setup` means active (RFC 4145 §4.1).
        role: match attributes.setup {
            Some(Setup::Passive) => DtlsRole::Active,
            Some(Setup::Actpass) => ours.role.unwrap_or(DtlsRole::Passive),
            Some(Setup::Active) | None => DtlsRole::Passive,
        },
        mid: stream.mid.unwrap_or(NO_MID).to_owned(),
        mid_extension: attributes.mid_extension,
        ssrc: attributes.ssrc,
    }))
}

/// `a=setup` of an answer by which we have this role.
pub(super) const fn setup_of(role: DtlsRole) -> &'static str {
    match role {
        DtlsRole::Active => "active",
        DtlsRole::Passive => "passive",
    }
}

/// Our attributes, from `a=rtcp-mux` on. A stream has a name in `a=msid`, so that browsers put its track into
/// a `MediaStream`.
pub(super) fn write(text: &mut String, local: &Local, ours: &Ours, webrtc: &Webrtc<'_>) {
    let Ours { ice, fingerprint, role: _ } = ours;
    let (ip, port) = (local.rtp.ip().to_canonical(), local.rtp.port());
    let mut put = |line: std::fmt::Arguments<'_>| text.write_fmt(line).expect("a string takes all");
    put(format_args!("a=rtcp-mux\r\n"));
    if let Some(mid) = webrtc.mid {
        put(format_args!("a=mid:{mid}\r\n"));
    }
    if let Some(number) = webrtc.mid_extension {
        put(format_args!("a=extmap:{number} {MID}\r\n"));
    }
    put(format_args!("a=msid:sayso voice\r\n"));
    put(format_args!("a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", ice.ufrag, ice.password.0));
    put(format_args!("a=fingerprint:sha-256 {fingerprint}\r\na=setup:{}\r\n", webrtc.setup));
    put(format_args!("a=candidate:1 1 udp {PRIORITY} {ip} {port} typ host\r\na=end-of-candidates\r\n"));
}

/// Whether a text can stand where a word is wanted (RFC 8866 §9, `token`), and is not overlong.
pub(super) fn is_word(text: &str) -> bool {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(is_token)
}

/// `ice-char`s, so many at least (RFC 8839 §5.4).
fn is_ice(text: &str, least: usize) -> bool {
    let is_char = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    (least..=256).contains(&text.len()) && text.bytes().all(is_char)
}

/// `sha-256 0A:1B:…` (RFC 8122 §5).
fn parse_fingerprint(value: &str) -> Option<Fingerprint> {
    let (hash, digits) = value.split_once(' ')?;
    if !hash.eq_ignore_ascii_case("sha-256") {
        return None;
    }
    let mut octets = [0; 32];
    let mut pairs = digits.trim().split(':');
    for octet in &mut octets {
        let pair =
            pairs.next().filter(|pair| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
        *octet = u8::from_str_radix(pair, 16).ok()?;
    }
    pairs.next().is_none().then_some(Fingerprint(octets))
}

/// `4 urn:…:mid`, `4/sendrecv urn:…:mid` (RFC 8285 §8); one octet's headers only, so 1 to 14.
fn parse_mid_extension(value: &str) -> Option<u8> {
    let mut words = value.split_ascii_whitespace();
    let (number, uri) = (words.next()?, words.next()?);
    let number = number.split_once('/').map_or(number, |(number, _)| number);
    number.parse().ok().filter(|number| uri == MID && (1..=14).contains(number))
}
