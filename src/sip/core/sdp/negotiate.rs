//! Offer and answer (RFC 3264): what both sides can do, and how we say it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;

use super::formats::{self, Encoding, Format};
use super::parse::{Connection, Media, Session};
use super::write::{self, Audio, MAX_PTIME, Webrtc};
use super::{Local, SdpError, Terms, Unusable, rtc, sdes};
use crate::media::srtp::Crypto;
use crate::media::{Codec, Direction, Events, LegMedia};
use crate::settings::SrtpPolicy;

/// Milliseconds of audio a packet, when nobody asks for something else (RFC 3551 §4.2).
const PTIME: u8 = 20;

/// Answers an offer: the first audio stream we can use is accepted with one codec, the first of
/// `terms.codecs` it has; all others are refused in place. The offer may ask for less than `terms` would do
/// (RFC 3264 §6.1); [`LegMedia`] says what came out.
///
/// # Errors
/// [`SdpError`], with the status for the refusal.
pub fn answer(offer: &[u8], local: &Local, terms: &Terms<'_>) -> Result<(Bytes, LegMedia), SdpError> {
    let session = Session::parse(offer)?;
    let (chosen, agreed) = choose(&session, local, terms)?;
    let Agreed { media, formats, tag } = agreed;
    let ours = &session.media[chosen];
    let bundled = session.bundle_of(ours).and(ours.mid);
    let mut text = write::head(local, session.time.unwrap_or("0 0"), bundled);
    for (at, stream) in session.media.iter().enumerate() {
        if at == chosen {
            let crypto = tag.zip(media.crypto.as_ref()).map(|(tag, crypto)| sdes::line(tag, &crypto.send));
            let audio = Audio {
                protocol: stream.protocol,
                formats: &formats,
                crypto: crypto.into_iter().collect(),
                // The peer's wish is ours, when we have none: many want the same both ways.
                ptime: wish(terms).unwrap_or(media.ptime),
                direction: media.direction,
                rtcp_mux: media.rtcp_mux,
                record: terms.record,
                webrtc: media.rtc.as_ref().map(|theirs| Webrtc {
                    mid: stream.mid,
                    mid_extension: theirs.mid_extension,
                    setup: rtc::setup_of(theirs.role),
                }),
            };
            write::audio(&mut text, local, &audio);
        } else {
            write::refusal(&mut text, stream);
        }
    }
    Ok((text.into(), media))
}

/// Our offer of one audio stream: all of `terms.codecs`, telephone-event, rtcp-mux, and a line of SDES for
/// each key unless SRTP is off.
#[must_use]
pub fn offer(local: &Local, terms: &Terms<'_>) -> Bytes {
    let formats = formats::numbered(&formats::wanted(terms), &[], &[]);
    let protocol = match (&local.rtc, terms.srtp) {
        (Some(_), _) => rtc::PROTOCOL,
        (None, SrtpPolicy::Required) => "RTP/SAVP",
        (None, SrtpPolicy::Off | SrtpPolicy::Optional) => "RTP/AVP",
    };
    let webrtc = local.rtc.as_ref().map(|_| Webrtc::first());
    let mut text = write::head(local, "0 0", webrtc.as_ref().and_then(|webrtc| webrtc.mid));
    write::audio(&mut text, local, &offered(terms, protocol, &formats, webrtc));
    text.into()
}

/// Our offer within a session: `last` is the description we sent last. Each of its streams keeps its
/// place and its payload types (RFC 3264 §8), and what was refused stays refused.
///
/// # Errors
/// [`SdpError`] when `last` has no audio stream that is on; it is not one of ours then.
pub fn reoffer(last: &[u8], local: &Local, terms: &Terms<'_>) -> Result<Bytes, SdpError> {
    let session = Session::parse(last)?;
    let on = session.media.iter().position(is_on).ok_or(SdpError::NoUsableAudio(Unusable::NoAudio))?;
    let before = &session.media[on];
    let webrtc = local.rtc.as_ref().map(|_| Webrtc {
        mid: before.mid,
        mid_extension: before.rtc.mid_extension,
        setup: "actpass",
    });
    let bundled = session.bundle_of(before).and(before.mid);
    let mut text = write::head(local, session.time.unwrap_or("0 0"), bundled);
    for (at, stream) in session.media.iter().enumerate() {
        if at == on {
            let taken: Vec<u8> = stream.formats.iter().filter_map(|format| format.parse().ok()).collect();
            let formats = formats::numbered(&formats::wanted(terms), &formats::of(stream), &taken);
            let protocol =
                if webrtc.is_some() { stream.protocol } else { protocol_again(stream, terms.srtp) };
            write::audio(&mut text, local, &offered(terms, protocol, &formats, webrtc));
        } else {
            write::refusal(&mut text, stream);
        }
    }
    Ok(text.into())
}

/// Reads the peer's answer to `offer`, which is our [`offer`] or [`reoffer`] on these `terms`. The first
/// codec of theirs that we offered counts.
///
/// # Errors
/// [`SdpError`]; also when the peer refused the stream, or left out the keys we required.
pub fn accept(answer: &[u8], offer: &[u8], local: &Local, terms: &Terms<'_>) -> Result<LegMedia, SdpError> {
    let no_audio = SdpError::NoUsableAudio(Unusable::NoAudio);
    let ours = Session::parse(offer)?;
    let at = ours.media.iter().position(is_on).ok_or(no_audio)?;
    let session = Session::parse(answer)?;
    // Answers keep the places of the offer's streams (RFC 3264 §6); some peers leave refused ones out.
    let in_place = session.media.get(at).filter(|stream| is_on(stream));
    let refused = session.media.iter().any(|stream| stream.kind == "audio");
    let why = if refused { Unusable::Refused } else { Unusable::NoAudio };
    let stream = in_place.or_else(|| session.media.iter().find(|stream| is_on(stream)));
    let stream = stream.ok_or(SdpError::NoUsableAudio(why))?;
    accept_stream(stream, &ours.media[at], local, terms).map_err(SdpError::NoUsableAudio)
}

/// What an offered stream comes to.
struct Agreed<'a> {
    media: LegMedia,
    /// What the answer names.
    formats: Vec<Format>,
    /// Which line of SDES is answered.
    tag: Option<&'a str>,
}

/// The first stream we can use, by its place, or why the first audio stream is none.
fn choose<'a>(
    session: &Session<'a>,
    local: &Local,
    terms: &Terms<'_>,
) -> Result<(usize, Agreed<'a>), SdpError> {
    let mut why = None;
    for (at, stream) in session.media.iter().enumerate().filter(|(_, stream)| stream.kind == "audio") {
        match answer_stream(stream, local, terms) {
            Ok(agreed) => return Ok((at, agreed)),
            Err(unusable) => why = why.or(Some(unusable)),
        }
    }
    Err(SdpError::NoUsableAudio(why.unwrap_or(Unusable::NoAudio)))
}

fn answer_stream<'a>(stream: &Media<'a>, local: &Local, terms: &Terms<'_>) -> Result<Agreed<'a>, Unusable> {
    let transport = Transport::of(stream, local)?;
    let theirs = formats::of(stream);
    let (codec, formats) = formats::answered(&theirs, terms).ok_or(Unusable::Codec)?;
    if let Some(webrtc) = rtc::theirs(stream, local)? {
        let media = agree(stream, transport.rtp, (&theirs, &formats), codec, (local, terms), None);
        let media = LegMedia { rtc: Some(Box::new(webrtc)), ..media };
        return Ok(Agreed { media, formats, tag: None });
    }
    let crypto = match terms.srtp {
        SrtpPolicy::Off if transport.secure => return Err(Unusable::Sealed),
        SrtpPolicy::Off => None,
        SrtpPolicy::Optional | SrtpPolicy::Required => sdes::choose(&stream.crypto, terms.keys),
    };
    if crypto.is_none() && (transport.secure || terms.srtp == SrtpPolicy::Required) {
        return Err(if stream.crypto.is_empty() { Unusable::Plain } else { Unusable::Suite });
    }
    let (tag, crypto) = crypto.unzip();
    let media = agree(stream, transport.rtp, (&theirs, &formats), codec, (local, terms), crypto);
    Ok(Agreed { media, formats, tag })
}

fn accept_stream(
    stream: &Media<'_>,
    ours: &Media<'_>,
    local: &Local,
    terms: &Terms<'_>,
) -> Result<LegMedia, Unusable> {
    let transport = Transport::of(stream, local)?;
    let (theirs, offered) = (formats::of(stream), formats::of(ours));
    let codec = formats::picked(&theirs, &offered).ok_or(Unusable::Codec)?;
    if let Some(webrtc) = rtc::theirs(stream, local)? {
        let media = agree(stream, transport.rtp, (&theirs, &offered), codec, (local, terms), None);
        return Ok(LegMedia { rtc: Some(Box::new(webrtc)), ..media });
    }
    let crypto = if stream.crypto.is_empty() {
        if transport.secure || is_secure(ours.protocol) || terms.srtp == SrtpPolicy::Required {
            return Err(Unusable::Plain);
        }
        None
    } else {
        // They seal what they send: what cannot be opened is no audio.
        Some(sdes::accept(&stream.crypto, &ours.crypto, terms.keys).ok_or(Unusable::Suite)?)
    };
    Ok(agree(stream, transport.rtp, (&theirs, &offered), codec, (local, terms), crypto))
}

/// What the stream and we do together, once codec and keys are settled. `ours` are the formats of our own
/// description.
fn agree(
    stream: &Media<'_>,
    remote_rtp: SocketAddr,
    (theirs, ours): (&[Format], &[Format]),
    codec: Codec,
    (local, terms): (&Local, &Terms<'_>),
    crypto: Option<Crypto>,
) -> LegMedia {
    let receive = formats::receivable(ours, theirs, codec);
    let payload_type = formats::number(theirs, Encoding::Audio(codec)).unwrap_or(receive[0].0);
    let events = formats::events(ours, theirs, codec.clock());
    let noise = formats::number(theirs, Encoding::ComfortNoise)
        .filter(|_| codec.clock() == 8_000 && formats::number(ours, Encoding::ComfortNoise).is_some());
    // On one port, RTP of these types looks like RTCP (RFC 5761 §4).
    let clashes = |(number, _): &Format| (64..96).contains(number);
    let rtcp_mux = stream.rtcp_mux && (local.rtc.is_some() || !theirs.iter().chain(ours).any(clashes));
    LegMedia {
        remote_rtp,
        remote_rtcp: if rtcp_mux { remote_rtp } else { rtcp_address(stream, remote_rtp, local) },
        rtcp_mux,
        codec,
        payload_type,
        receive,
        dtmf: events.map(|(receive, send, clock)| Events { send, receive, clock }),
        comfort_noise: noise,
        direction: meet(ours_of(stream, remote_rtp.ip(), local), terms.direction),
        ptime: packet_time(stream, payload_type, codec, terms),
        crypto: crypto.map(Box::new),
        rtc: None,
        in_band_digits: terms.in_band_digits,
        signalled_from: terms.signalled_from,
    }
}

/// Our stream in an offer.
fn offered<'a>(
    terms: &Terms<'_>,
    protocol: &'a str,
    formats: &'a [Format],
    webrtc: Option<Webrtc<'a>>,
) -> Audio<'a> {
    let crypto = match terms.srtp {
        _ if webrtc.is_some() => Vec::new(), // its keys come by DTLS
        SrtpPolicy::Off => Vec::new(),
        SrtpPolicy::Optional | SrtpPolicy::Required => {
            terms.keys.iter().zip(1..).map(|(key, tag): (_, u32)| sdes::line(&tag.to_string(), key)).collect()
        }
    };
    Audio {
        protocol,
        formats,
        crypto,
        ptime: wish(terms).unwrap_or(PTIME),
        direction: terms.direction,
        rtcp_mux: true,
        record: terms.record,
        webrtc,
    }
}

/// The protocol of a later offer: the one there is, as long as it fits.
fn protocol_again<'a>(last: &Media<'a>, srtp: SrtpPolicy) -> &'a str {
    let sealed = is_secure(last.protocol) || !last.crypto.is_empty();
    match srtp {
        SrtpPolicy::Off if is_secure(last.protocol) => "RTP/AVP",
        SrtpPolicy::Required if !sealed => "RTP/SAVP",
        SrtpPolicy::Off | SrtpPolicy::Optional | SrtpPolicy::Required => last.protocol,
    }
}

/// How packets of a stream travel.
struct Transport {
    rtp: SocketAddr,
    /// By its protocol, SRTP and nothing else.
    secure: bool,
}

impl Transport {
    /// AVPF (RFC 4585) is AVP with feedback that nobody is obliged to send. A WebRTC leg finds its addresses by
    /// ICE, so what is written there may be anything.
    fn of(stream: &Media<'_>, local: &Local) -> Result<Self, Unusable> {
        if !is_on(stream) {
            return Err(Unusable::Refused);
        }
        if local.rtc.is_some() {
            if !rtc::is_spoken(stream.protocol) || stream.ports != 1 {
                return Err(Unusable::NotWebrtc);
            }
            let nowhere =
                if local.rtp.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            let ip = usable_address(stream.connection, local).unwrap_or(nowhere);
            return Ok(Self { rtp: SocketAddr::new(ip, stream.port), secure: true });
        }
        let known = matches!(stream.protocol, "RTP/AVP" | "RTP/AVPF" | "RTP/SAVP" | "RTP/SAVPF");
        if !known || stream.ports != 1 {
            return Err(Unusable::Protocol);
        }
        let ip = usable_address(stream.connection, local).ok_or(Unusable::Address)?;
        Ok(Self { rtp: SocketAddr::new(ip, stream.port), secure: is_secure(stream.protocol) })
    }
}

fn is_secure(protocol: &str) -> bool {
    protocol.starts_with("RTP/SAVP")
}

/// Audio that is not refused. In a bundle, port 0 may mean that it goes another stream's way.
pub(super) fn is_on(stream: &Media<'_>) -> bool {
    stream.kind == "audio" && (stream.port != 0 || stream.bundle_only && rtc::is_spoken(stream.protocol))
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
/// §8.4): its author may send, but must not be sent to. With ICE it says nothing.
fn ours_of(stream: &Media<'_>, address: IpAddr, local: &Local) -> Direction {
    let (their_send, their_recv) = flows(stream.direction.unwrap_or(Direction::SendRecv));
    direction(their_recv && (local.rtc.is_some() || !address.is_unspecified()), their_send)
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

/// Our own wish, as far as we keep to it.
fn wish(terms: &Terms<'_>) -> Option<u8> {
    terms.ptime.map(|wish| wish.clamp(10, MAX_PTIME) / 10 * 10)
}

/// The peer's wish in whole 10 ms, within its own and our limit, and as long as a packet of the codec can
/// be: Opus has frames of 10, 20, 40 and 60 ms (RFC 6716 §2.1.4).
fn packet_time(stream: &Media<'_>, payload_type: u8, codec: Codec, terms: &Terms<'_>) -> u8 {
    let limit = u32::from(MAX_PTIME);
    let most = stream.maxptime.filter(|most| *most > 0).unwrap_or(limit).min(limit);
    let least = stream.minptime(payload_type).filter(|_| codec == Codec::Opus).unwrap_or(0);
    let asked = stream.ptime.filter(|asked| *asked > 0).unwrap_or(wish(terms).unwrap_or(PTIME).into());
    let whole = u8::try_from(asked.max(least).min(most) / 10 * 10).unwrap_or(PTIME).max(10);
    match (codec, whole) {
        (Codec::Opus, 30) => 20,
        (Codec::Opus, 50) => 40,
        (Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::Opus, whole) => whole,
    }
}

#[cfg(test)]
#[path = "negotiate_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "secure_tests.rs"]
mod secure_tests;

#[cfg(test)]
#[path = "rtc_tests.rs"]
mod rtc_tests;
