//! Offer and answer (RFC 3264): what both sides can do, and how we say it.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::parse::{Connection, Media, Rtpmap, Session};
use super::{Local, SdpError, Terms, Unusable};
use crate::media::{Codec, Direction, Events, LegMedia};

/// telephone-event's payload type in our offers: the one most phones use.
const DTMF_PAYLOAD_TYPE: u8 = 101;
/// Milliseconds of audio a packet, when nobody asks for something else (RFC 3551 §4.2).
const PTIME: u8 = 20;
/// The longest packet we make, in milliseconds; longer ones cost delay and are lost whole.
const MAX_PTIME: u32 = 60;

/// Answers an offer: the first audio stream we can use is accepted with one codec, the first of
/// `prefer` it has; all others are refused in place. `want` is what we would do, the offer may ask
/// for less (RFC 3264 §6.1); [`LegMedia::direction`] says what came out.
///
/// # Errors
/// [`SdpError`], with the status for the refusal.
pub fn answer(offer: &[u8], local: &Local, terms: &Terms<'_>) -> Result<(Bytes, LegMedia), SdpError> {
    let session = Session::parse(offer)?;
    let (chosen, media) = choose(&session, local, terms.codecs)?;
    let media = LegMedia { direction: meet(media.direction, terms.direction), ..media };
    let mut text = head(local, session.time.unwrap_or("0 0"));
    for (at, stream) in session.media.iter().enumerate() {
        if at == chosen {
            let dtmf = media.dtmf.map(|events| events.receive);
            let codecs = [(media.payload_type, media.codec)];
            put_audio(&mut text, local, &codecs, dtmf, media.rtcp_mux, media.direction);
        } else {
            put_refusal(&mut text, stream);
        }
    }
    Ok((text.into(), media))
}

/// Our offer of one audio stream: `codecs` in order of preference, telephone-event, rtcp-mux.
#[must_use]
pub fn offer(local: &Local, terms: &Terms<'_>) -> Bytes {
    let Terms { codecs, direction, .. } = *terms;
    let formats = formats(codecs, |codec| Some(static_payload_type(codec)));
    let mut text = head(local, "0 0");
    put_audio(&mut text, local, &formats, Some(DTMF_PAYLOAD_TYPE), true, direction);
    text.into()
}

/// Our offer within a session: `last` is the description we sent last. Each of its streams keeps its
/// place and its payload types (RFC 3264 §8), and what was refused stays refused.
///
/// # Errors
/// [`SdpError`] when `last` has no audio stream that is on; it is not one of ours then.
pub fn reoffer(last: &[u8], local: &Local, terms: &Terms<'_>) -> Result<Bytes, SdpError> {
    let Terms { codecs, direction, .. } = *terms;
    let session = Session::parse(last)?;
    let on = session.media.iter().position(is_on).ok_or(SdpError::NoUsableAudio(Unusable::NoAudio))?;
    let mut text = head(local, session.time.unwrap_or("0 0"));
    for (at, stream) in session.media.iter().enumerate() {
        if at == on {
            let maps = payload_types(stream);
            let number =
                |name: &str| maps.iter().find(|map| is_8khz_mono(map, name)).map(|map| map.payload_type);
            // A number that means something in this session may not get another meaning.
            let free = |pt: &u8| !maps.iter().any(|map| map.payload_type == *pt);
            let formats = formats(codecs, |codec| {
                number(name(codec)).or(Some(static_payload_type(codec)).filter(free))
            });
            let dtmf = number("telephone-event").or_else(|| (DTMF_PAYLOAD_TYPE..=127).find(free));
            put_audio(&mut text, local, &formats, dtmf, true, direction);
        } else {
            put_refusal(&mut text, stream);
        }
    }
    Ok(text.into())
}

/// Reads the peer's answer to our [`offer`] or [`reoffer`] of `offered`. In the stream that is on,
/// the first codec we offered counts.
///
/// # Errors
/// [`SdpError`]; also when the peer refused the stream.
pub fn accept(answer: &[u8], offer: &[u8], local: &Local, terms: &Terms<'_>) -> Result<LegMedia, SdpError> {
    Session::parse(offer)?;
    let session = Session::parse(answer)?;
    let refused = session.media.iter().any(|stream| stream.kind == "audio");
    let why = if refused { Unusable::Refused } else { Unusable::NoAudio };
    let stream = session.media.iter().find(|stream| is_on(stream)).ok_or(SdpError::NoUsableAudio(why))?;
    agree(stream, local, terms.codecs, ByWhom::Peer).map_err(SdpError::NoUsableAudio)
}

/// The first stream we can use, by its place, or why the first audio stream is none.
fn choose(session: &Session<'_>, local: &Local, prefer: &[Codec]) -> Result<(usize, LegMedia), SdpError> {
    let mut why = None;
    for (at, stream) in session.media.iter().enumerate().filter(|(_, stream)| stream.kind == "audio") {
        match agree(stream, local, prefer, ByWhom::Us) {
            Ok(media) => return Ok((at, media)),
            Err(unusable) => why = why.or(Some(unusable)),
        }
    }
    Err(SdpError::NoUsableAudio(why.unwrap_or(Unusable::NoAudio)))
}

fn is_on(stream: &Media<'_>) -> bool {
    stream.kind == "audio" && stream.port != 0
}

/// Each codec that has a payload type, once.
fn formats(codecs: &[Codec], number: impl Fn(Codec) -> Option<u8>) -> Vec<(u8, Codec)> {
    let mut formats = Vec::new();
    for format in codecs.iter().filter_map(|codec| Some((number(*codec)?, *codec))) {
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    formats
}

/// What the stream's payload types mean, in its order.
fn payload_types<'a>(stream: &Media<'a>) -> Vec<Rtpmap<'a>> {
    stream.formats.iter().filter_map(|format| stream.rtpmap(format)).collect()
}

/// Whose order of codecs counts.
#[derive(Clone, Copy)]
enum ByWhom {
    /// Ours: we answer.
    Us,
    /// Theirs: they answered.
    Peer,
}

/// What we and `stream`'s author can do together.
fn agree(stream: &Media<'_>, local: &Local, codecs: &[Codec], order: ByWhom) -> Result<LegMedia, Unusable> {
    if stream.port == 0 {
        return Err(Unusable::Refused);
    }
    if stream.protocol != "RTP/AVP" || stream.ports != 1 {
        return Err(Unusable::Protocol);
    }
    let address = usable_address(stream.connection, local).ok_or(Unusable::Address)?;
    let maps = payload_types(stream);
    let is = |map: &Rtpmap<'_>, codec: Codec| is_8khz_mono(map, name(codec));
    let mut theirs = maps.iter().filter_map(|map| {
        let codec = codecs.iter().find(|codec| is(map, **codec))?;
        Some((map.payload_type, *codec))
    });
    let found = match order {
        ByWhom::Peer => theirs.next(),
        ByWhom::Us => codecs
            .iter()
            .find_map(|codec| maps.iter().find(|map| is(map, *codec)).map(|map| (map.payload_type, *codec))),
    };
    let (payload_type, codec) = found.ok_or(Unusable::Codec)?;
    let dtmf = maps.iter().find(|map| is_8khz_mono(map, "telephone-event")).map(|map| map.payload_type);
    // On one port, RTP of these types looks like RTCP (RFC 5761 §4).
    let rtcp_mux =
        stream.rtcp_mux && ![Some(payload_type), dtmf].iter().flatten().any(|pt| (64..96).contains(pt));
    let remote_rtp = SocketAddr::new(address, stream.port);
    Ok(LegMedia {
        remote_rtp,
        remote_rtcp: if rtcp_mux { remote_rtp } else { rtcp_address(stream, remote_rtp, local) },
        rtcp_mux,
        codec,
        payload_type,
        receive: vec![(payload_type, codec)],
        dtmf: dtmf.map(|number| Events { send: number, receive: number, clock: 8_000 }),
        comfort_noise: None,
        direction: ours(stream, address),
        ptime: packet_time(stream),
        crypto: None,
        in_band_digits: false,
    })
}

/// An address our socket can send to, or the unspecified one for a peer on hold.
fn usable_address(connection: Option<Connection>, local: &Local) -> Option<IpAddr> {
    match connection? {
        Connection::Address(ip) => {
            let ip = ip.to_canonical();
            let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
            let reachable = ip.is_unspecified() || ip.is_ipv4() == local.rtp.ip().to_canonical().is_ipv4();
            (reachable && !broadcast && !ip.is_multicast()).then_some(ip)
        }
        Connection::Other => None,
    }
}

/// RFC 3605: `a=rtcp`, else the next port.
fn rtcp_address(stream: &Media<'_>, rtp: SocketAddr, local: &Local) -> SocketAddr {
    let next = rtp.port().saturating_add(1);
    match stream.rtcp {
        Some((port, at)) if port != 0 => SocketAddr::new(usable_address(at, local).unwrap_or(rtp.ip()), port),
        Some(_) | None => SocketAddr::new(rtp.ip(), next),
    }
}

/// The stream's direction as we see it. An unspecified address is the old way to hold (RFC 3264
/// §8.4): its author may send, but must not be sent to.
fn ours(stream: &Media<'_>, address: IpAddr) -> Direction {
    let (their_send, their_recv) = flows(stream.direction.unwrap_or(Direction::SendRecv));
    direction(their_recv && !address.is_unspecified(), their_send)
}

/// What both allow.
fn meet(a: Direction, b: Direction) -> Direction {
    let ((a_send, a_recv), (b_send, b_recv)) = (flows(a), flows(b));
    direction(a_send && b_send, a_recv && b_recv)
}

/// Whether it sends, and whether it receives.
const fn flows(direction: Direction) -> (bool, bool) {
    match direction {
        Direction::SendRecv => (true, true),
        Direction::SendOnly => (true, false),
        Direction::RecvOnly => (false, true),
        Direction::Inactive => (false, false),
    }
}

const fn direction(send: bool, recv: bool) -> Direction {
    match (send, recv) {
        (true, true) => Direction::SendRecv,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::RecvOnly,
        (false, false) => Direction::Inactive,
    }
}

/// The peer's wish in whole 10 ms, within its own and our limit.
fn packet_time(stream: &Media<'_>) -> u8 {
    let most = stream.maxptime.filter(|most| *most > 0).unwrap_or(MAX_PTIME).min(MAX_PTIME);
    let asked = stream.ptime.filter(|asked| *asked > 0).unwrap_or(PTIME.into()).min(most);
    u8::try_from((asked / 10 * 10).max(10)).unwrap_or(PTIME)
}

fn is_8khz_mono(map: &Rtpmap<'_>, name: &str) -> bool {
    map.name.eq_ignore_ascii_case(name) && map.rate == 8_000 && map.channels == 1
}

const fn name(codec: Codec) -> &'static str {
    match codec {
        Codec::Pcmu => "PCMU",
        Codec::Pcma => "PCMA",
        Codec::G722 => "G722",
        Codec::Opus => "opus",
    }
}

const fn static_payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus => 111,
    }
}

fn head(local: &Local, time: &str) -> String {
    let at = address(local.rtp.ip());
    let Local { session_id, version, .. } = local;
    format!("v=0\r\no=- {session_id} {version} {at}\r\ns=-\r\nc={at}\r\nt={time}\r\n")
}

fn put_audio(
    text: &mut String,
    local: &Local,
    codecs: &[(u8, Codec)],
    dtmf: Option<u8>,
    rtcp_mux: bool,
    direction: Direction,
) {
    let mut put = |line: std::fmt::Arguments<'_>| text.write_fmt(line).expect("a string takes all");
    put(format_args!("m=audio {} RTP/AVP", local.rtp.port()));
    for payload_type in codecs.iter().map(|(pt, _)| *pt).chain(dtmf) {
        put(format_args!(" {payload_type}"));
    }
    put(format_args!("\r\n"));
    for (payload_type, codec) in codecs {
        put(format_args!("a=rtpmap:{payload_type} {}/8000\r\n", name(*codec)));
    }
    if let Some(payload_type) = dtmf {
        put(format_args!("a=rtpmap:{payload_type} telephone-event/8000\r\na=fmtp:{payload_type} 0-15\r\n"));
    }
    put(format_args!("a=ptime:{PTIME}\r\na={}\r\n", attribute(direction)));
    if local.rtcp.ip() != local.rtp.ip() {
        put(format_args!("a=rtcp:{} {}\r\n", local.rtcp.port(), address(local.rtcp.ip())));
    } else if Some(local.rtcp.port()) != local.rtp.port().checked_add(1) {
        put(format_args!("a=rtcp:{}\r\n", local.rtcp.port()));
    }
    if rtcp_mux {
        put(format_args!("a=rtcp-mux\r\n"));
    }
}

/// RFC 3264 §6: port 0, everything else as it was offered.
fn put_refusal(text: &mut String, stream: &Media<'_>) {
    let formats = stream.formats.join(" ");
    write!(text, "m={} 0 {} {formats}\r\n", stream.kind, stream.protocol).expect("a string takes all");
}

fn address(ip: IpAddr) -> String {
    let ip = ip.to_canonical();
    format!("IN {} {ip}", if ip.is_ipv4() { "IP4" } else { "IP6" })
}

const fn attribute(direction: Direction) -> &'static str {
    match direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    }
}

#[cfg(test)]
#[path = "negotiate_tests.rs"]
mod tests;
