//! Bytes into a [`Session`]. Line endings may be LF alone; unknown lines and attributes are skipped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::rtc::{self, Attributes};
use super::sdes::CryptoLine;
use super::{Fault, RecordWish, SdpError};
use crate::media::Direction;

/// Bytes of a description at most; a browser's with video has about 8,000.
pub(super) const MAX_BYTES: usize = 16_384;
/// Lines at most.
const MAX_LINES: usize = 500;

/// A description, as far as we use it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Session<'a> {
    /// The first `t=` line's value, which an answer repeats.
    pub(super) time: Option<&'a str>,
    /// The streams, in order.
    pub(super) media: Vec<Media<'a>>,
    /// The mids of each `a=group:BUNDLE` (RFC 9143).
    pub(super) bundles: Vec<Vec<&'a str>>,
}

/// A stream: an `m=` line, what belongs to it, and what it inherits from the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Media<'a> {
    /// `audio`, `video`, …
    pub(super) kind: &'a str,
    /// 0: refused, or not offered.
    pub(super) port: u16,
    /// How many ports, 1 as a rule.
    pub(super) ports: u16,
    /// `RTP/AVP`, …
    pub(super) protocol: &'a str,
    /// Payload types, or whatever the protocol has instead; one at least.
    pub(super) formats: Vec<&'a str>,
    /// Where it wants to receive.
    pub(super) connection: Option<Connection>,
    /// As the description's author sees it.
    pub(super) direction: Option<Direction>,
    /// `a=rtpmap`, in order.
    pub(super) rtpmaps: Vec<Rtpmap<'a>>,
    /// `a=rtcp` (RFC 3605).
    pub(super) rtcp: Option<(u16, Option<Connection>)>,
    /// `a=rtcp-mux` (RFC 5761).
    pub(super) rtcp_mux: bool,
    /// `a=ptime`, in milliseconds, if it is a whole number.
    pub(super) ptime: Option<u32>,
    /// `a=maxptime`, likewise.
    pub(super) maxptime: Option<u32>,
    /// `a=fmtp`: payload type and parameters.
    fmtps: Vec<(u8, &'a str)>,
    /// `a=crypto` (RFC 4568), as far as they look like it.
    pub(super) crypto: Vec<CryptoLine<'a>>,
    /// `a=recordpref` (RFC 7866).
    pub(super) record_wish: Option<RecordWish>,
    /// `a=mid` (RFC 5888), if it is a word.
    pub(super) mid: Option<&'a str>,
    /// `a=bundle-only` (RFC 9143 §6): port 0 is no refusal.
    pub(super) bundle_only: bool,
    /// What WebRTC adds.
    pub(super) rtc: Attributes<'a>,
}

/// An address to send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// An IP address; the unspecified one means "do not send" (RFC 3264 §8.4).
    Address(IpAddr),
    /// A host name, or another network.
    Other,
}

/// What a payload type means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rtpmap<'a> {
    pub(super) payload_type: u8,
    pub(super) name: &'a str,
    pub(super) rate: u32,
    pub(super) channels: u32,
}

/// What is set for the session and counts for streams that do not say otherwise.
#[derive(Default)]
struct Defaults<'a> {
    connection: Option<Connection>,
    direction: Option<Direction>,
    rtc: Attributes<'a>,
}

impl<'a> Session<'a> {
    /// Reads a description.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, SdpError> {
        if bytes.len() > MAX_BYTES {
            return Err(SdpError::TooLong { bytes: bytes.len(), limit: MAX_BYTES });
        }
        let mut session = Self::default();
        let mut defaults = Defaults::default();
        let mut first = true;
        for (at, line) in bytes.split(|b| *b == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let malformed = |fault| SdpError::Malformed { line: at + 1, fault };
            if at >= MAX_LINES {
                return Err(malformed(Fault::TooManyLines));
            }
            if line.is_empty() {
                continue; // after the last line, and where someone was generous
            }
            let (letter, value) = match line {
                [letter, b'=', value @ ..] if letter.is_ascii_alphabetic() => (*letter, value),
                _ => return Err(malformed(Fault::NotALine)),
            };
            if first && line != b"v=0" {
                return Err(malformed(Fault::Version));
            }
            first = false;
            session.line(letter, value, &mut defaults).map_err(malformed)?;
        }
        if first {
            return Err(SdpError::Malformed { line: 1, fault: Fault::Version });
        }
        for media in &mut session.media {
            media.connection = media.connection.or(defaults.connection);
            media.direction = media.direction.or(defaults.direction);
            media.rtc.inherit(&defaults.rtc);
        }
        session.share_transports();
        Ok(session)
    }

    /// The bundle that holds this stream.
    pub(super) fn bundle_of(&self, stream: &Media<'_>) -> Option<&[&'a str]> {
        let mid = stream.mid?;
        self.bundles.iter().find(|bundle| bundle.contains(&mid)).map(Vec::as_slice)
    }

    /// Streams of a bundle travel together: what only its first stream tells counts for all (RFC 9143 §7.1.3).
    fn share_transports(&mut self) {
        for bundle in &self.bundles {
            let Some(first) = self.media.iter().find(|media| media.mid == bundle.first().copied()) else {
                continue;
            };
            let shared = first.rtc.clone();
            let within = |media: &&mut Media<'a>| media.mid.is_some_and(|mid| bundle.contains(&mid));
            self.media.iter_mut().filter(within).for_each(|media| media.rtc.share(&shared));
        }
    }

    fn line(&mut self, letter: u8, value: &'a [u8], defaults: &mut Defaults<'a>) -> Result<(), Fault> {
        match (letter, self.media.last_mut()) {
            (b'm', _) => self.media.push(Media::parse(text(value)?)?),
            (b'c', media) => {
                let connection = media.map_or(&mut defaults.connection, |media| &mut media.connection);
                connection.get_or_insert(parse_connection(text(value)?)?);
            }
            (b'a', Some(media)) => media.attribute(value)?,
            (b'a', None) => {
                let Ok(value) = std::str::from_utf8(value) else { return Ok(()) };
                defaults.direction = defaults.direction.or(parse_direction(value));
                let (name, value) = value.split_once(':').unwrap_or((value, ""));
                match (name, value.strip_prefix("BUNDLE")) {
                    ("group", Some(mids)) => self.bundles.push(mids.split_ascii_whitespace().collect()),
                    (_, Some(_) | None) => defaults.rtc.take(name, value),
                }
            }
            (b't', None) if self.time.is_none() => {
                let is_time = |v: &&str| v.bytes().all(|b| b.is_ascii_digit() || b == b' ');
                self.time = text(value).ok().filter(is_time);
            }
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Media<'a> {
    /// From the value of an `m=` line (RFC 8866 §5.14).
    fn parse(value: &'a str) -> Result<Self, Fault> {
        let mut words = value.split_ascii_whitespace();
        let mut word = || words.next().ok_or(Fault::Media);
        let (kind, port, protocol) = (word()?, word()?, word()?);
        let (port, ports) = port.split_once('/').unwrap_or((port, "1"));
        let media = Self {
            kind,
            port: port.parse().map_err(|_| Fault::Media)?,
            ports: ports.parse().map_err(|_| Fault::Media)?,
            protocol,
            formats: words.collect(),
            connection: None,
            direction: None,
            rtpmaps: Vec::new(),
            rtcp: None,
            rtcp_mux: false,
            ptime: None,
            maxptime: None,
            fmtps: Vec::new(),
            crypto: Vec::new(),
            record_wish: None,
            mid: None,
            bundle_only: false,
            rtc: Attributes::default(),
        };
        if media.formats.is_empty() { Err(Fault::Media) } else { Ok(media) }
    }

    /// Takes an `a=` line, if it is one of ours. Other streams' may be what they like.
    fn attribute(&mut self, value: &'a [u8]) -> Result<(), Fault> {
        let Ok(value) = std::str::from_utf8(value) else { return Ok(()) };
        let (name, value) = value.split_once(':').unwrap_or((value, ""));
        // Of whatever kind a stream is, an answer names it, and the others of its bundle go its way.
        match name {
            "mid" => self.mid = Some(value.trim()).filter(|mid| rtc::is_word(mid)),
            "bundle-only" => self.bundle_only = true,
            _ => self.rtc.take(name, value),
        }
        if self.kind != "audio" {
            return Ok(());
        }
        match name {
            "rtpmap" => self.rtpmaps.push(parse_rtpmap(value).ok_or(Fault::Rtpmap)?),
            "rtcp" => {
                let (port, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
                let port = port.parse().map_err(|_| Fault::Rtcp)?;
                let at = (!rest.is_empty()).then(|| parse_connection(rest).map_err(|_| Fault::Rtcp));
                self.rtcp = Some((port, at.transpose()?));
            }
            "rtcp-mux" => self.rtcp_mux = true,
            // Wishes: one that cannot be read is none.
            "ptime" => self.ptime = value.trim().parse().ok(),
            "maxptime" => self.maxptime = value.trim().parse().ok(),
            "fmtp" => self.fmtps.extend(parse_fmtp(value)),
            "crypto" => self.crypto.extend(CryptoLine::parse(value)),
            "recordpref" => self.record_wish = parse_record_wish(value),
            _ => self.direction = self.direction.or_else(|| parse_direction(name)),
        }
        Ok(())
    }

    /// What a format means: its `a=rtpmap`, or the static table of RFC 3551 as far as it is ours.
    pub(super) fn rtpmap(&self, format: &str) -> Option<Rtpmap<'a>> {
        let payload_type: u8 = format.parse().ok()?;
        let ours = |name| Rtpmap { payload_type, name, rate: 8_000, channels: 1 };
        let mapped = self.rtpmaps.iter().find(|map| map.payload_type == payload_type);
        mapped.copied().or(match payload_type {
            0 => Some(ours("PCMU")),
            8 => Some(ours("PCMA")),
            9 => Some(ours("G722")),
            13 => Some(ours("CN")),
            _ => None,
        })
    }

    /// The shortest packets they want of a payload type, in milliseconds (RFC 7587 §6.1).
    pub(super) fn minptime(&self, payload_type: u8) -> Option<u32> {
        let (_, parameters) = self.fmtps.iter().find(|(number, _)| *number == payload_type)?;
        let pairs = parameters.split(';').filter_map(|pair| pair.split_once('='));
        let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("minptime"));
        named.next()?.1.trim().parse().ok()
    }
}

fn text(value: &[u8]) -> Result<&str, Fault> {
    let text = std::str::from_utf8(value).map_err(|_| Fault::NotText)?;
    let printable = text.bytes().all(|b| b == b' ' || b == b'\t' || b.is_ascii_graphic());
    if printable { Ok(text) } else { Err(Fault::NotText) }
}

/// `IN IP4 192.0.2.1/127`, `IN IP6 2001:db8::1` (RFC 8866 §5.7).
fn parse_connection(value: &str) -> Result<Connection, Fault> {
    let mut words = value.split_ascii_whitespace();
    let (Some(net), Some(kind), Some(address)) = (words.next(), words.next(), words.next()) else {
        return Err(Fault::Connection);
    };
    if net != "IN" {
        return Ok(Connection::Other);
    }
    let base = address.split_once('/').map_or(address, |(base, _)| base);
    let is_name = base.bytes().any(|b| b.is_ascii_alphabetic()) && !base.contains(':');
    match kind {
        // The held phone's address where 0.0.0.0 has no meaning (RFC 6157 §4.2).
        "IP6" if base.ends_with(".invalid") => Ok(Connection::Address(Ipv6Addr::UNSPECIFIED.into())),
        "IP4" | "IP6" if is_name => Ok(Connection::Other),
        "IP4" => {
            base.parse::<Ipv4Addr>().map(|ip| Connection::Address(ip.into())).map_err(|_| Fault::Connection)
        }
        "IP6" => {
            base.parse::<Ipv6Addr>().map(|ip| Connection::Address(ip.into())).map_err(|_| Fault::Connection)
        }
        _ => Ok(Connection::Other),
    }
}

fn parse_direction(name: &str) -> Option<Direction> {
    match name.trim() {
        "sendrecv" => Some(Direction::SendRecv),
        "sendonly" => Some(Direction::SendOnly),
        "recvonly" => Some(Direction::RecvOnly),
        "inactive" => Some(Direction::Inactive),
        _ => None,
    }
}

fn parse_record_wish(value: &str) -> Option<RecordWish> {
    match value.trim() {
        "on" => Some(RecordWish::On),
        "off" => Some(RecordWish::Off),
        "pause" => Some(RecordWish::Pause),
        "nopreference" => Some(RecordWish::Any),
        _ => None,
    }
}

/// `111 useinbandfec=1;minptime=10` (RFC 8866 §6.15).
fn parse_fmtp(value: &str) -> Option<(u8, &str)> {
    let (payload_type, parameters) = value.trim().split_once(' ')?;
    Some((payload_type.parse().ok()?, parameters))
}

/// `0 PCMU/8000`, `101 telephone-event/8000`, `8 PCMA/8000/1` (RFC 8866 §6.6).
fn parse_rtpmap(value: &str) -> Option<Rtpmap<'_>> {
    let (payload_type, encoding) = value.trim().split_once(' ')?;
    let mut parts = encoding.trim().splitn(3, '/');
    Some(Rtpmap {
        payload_type: payload_type.parse().ok().filter(|pt| *pt < 128)?,
        name: parts.next().filter(|name| !name.is_empty())?,
        rate: parts.next()?.parse().ok()?,
        // Encoding parameters that are no number mean something only to that codec.
        channels: parts.next().and_then(|channels| channels.parse().ok()).unwrap_or(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (usize, Fault) {
        match Session::parse(text.as_bytes()) {
            Err(SdpError::Malformed { line, fault }) => (line, fault),
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    #[test]
    fn malformed_lines_are_named() {
        assert_eq!(fault(""), (1, Fault::Version));
        assert_eq!(fault("\r\n\r\n"), (1, Fault::Version));
        assert_eq!(fault("v=1\n"), (1, Fault::Version));
        assert_eq!(fault("o=- 1 1 IN IP4 192.0.2.1\r\nv=0\r\n"), (1, Fault::Version));
        assert_eq!(fault("v=0\r\nhello\r\n"), (2, Fault::NotALine));
        assert_eq!(fault("v=0\r\n =x\r\n"), (2, Fault::NotALine));
        assert_eq!(fault("v=0\ns=-\nc=IN IP4\n"), (3, Fault::Connection));
        assert_eq!(fault("v=0\ns=-\nc=IN IP4 999.0.2.1\n"), (3, Fault::Connection));
        assert_eq!(fault("v=0\ns=-\nc=IN IP6 192.0.2.1\n"), (3, Fault::Connection));
        for m in [
            "audio",
            "audio 4000 RTP/AVP",
            "audio 70000 RTP/AVP 0",
            "audio x RTP/AVP 0",
            "audio 1/x RTP/AVP 0",
        ] {
            assert_eq!(fault(&format!("v=0\nm={m}\n")), (2, Fault::Media), "{m}");
        }
        assert_eq!(fault("v=0\nm=audio 4000 RTP/AVP 0\u{e9}\n"), (2, Fault::NotText));
        for map in ["", "0", "0 PCMU", "0 PCMU/", "0 /8000", "128 PCMU/8000", "x PCMU/8000"] {
            let text = format!("v=0\nm=audio 4000 RTP/AVP 0\na=rtpmap:{map}\n");
            assert_eq!(fault(&text), (3, Fault::Rtpmap), "{map}");
        }
        for rtcp in ["", "x", "99999", "5001 IN", "5001 IN IP4 1.2.3"] {
            let text = format!("v=0\nm=audio 4000 RTP/AVP 0\na=rtcp:{rtcp}\n");
            assert_eq!(fault(&text), (3, Fault::Rtcp), "{rtcp}");
        }
        assert_eq!(fault(&format!("v=0\n{}", "a=x\n".repeat(500))), (501, Fault::TooManyLines));
        let long = vec![b'x'; MAX_BYTES + 1];
        assert_eq!(Session::parse(&long), Err(SdpError::TooLong { bytes: MAX_BYTES + 1, limit: MAX_BYTES }));
    }

    #[test]
    fn what_is_not_ours_is_not_judged() {
        let text =
            b"v=0\no=nonsense\ns=caf\xe9\na=rtpmap:bad\nm=video 9 RTP/AVP 31\na=rtpmap:bad\na=rtcp:bad\n\
            m=audio 4000/2 RTP/AVP 0 96\na=ptime:20.5\na=\xff\na=rtpmap:96 L16/44100/x\n";
        let session = Session::parse(text).unwrap();
        assert_eq!(session.media.len(), 2);
        assert_eq!((session.media[1].ptime, session.media[1].ports), (None, 2));
        assert_eq!(session.media[1].rtpmap("96").unwrap().channels, 1);
    }

    #[test]
    fn streams_inherit_from_the_session() {
        let session = Session::parse(
            b"v=0\r\nc=IN IP4 192.0.2.1/127\r\nt=0 0\r\na=sendonly\r\nm=audio 4000 RTP/AVP 0\r\n\
            m=audio 4002 RTP/AVP 8\r\nc=IN IP6 2001:db8::1\r\na=inactive\r\na=rtcp:53020 IN IP6 2001:db8::2\r\n",
        )
        .unwrap();
        let [first, second] = &session.media[..] else { panic!("two streams") };
        let address = |text: &str| Some(Connection::Address(text.parse().unwrap()));
        assert_eq!((first.connection, first.direction), (address("192.0.2.1"), Some(Direction::SendOnly)));
        assert_eq!(
            (second.connection, second.direction),
            (address("2001:db8::1"), Some(Direction::Inactive))
        );
        assert_eq!(second.rtcp, Some((53_020, address("2001:db8::2"))));
        assert_eq!(session.time, Some("0 0"));
    }
}
