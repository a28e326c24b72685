//! Descriptions of ours, as text.

use std::fmt::{Arguments, Write};
use std::net::IpAddr;

use zeroize::Zeroizing;

use super::formats::Format;
use super::parse::Media;
use super::{Local, RecordState, rtc};
use crate::media::Direction;

/// The longest packet we take or make, in milliseconds; longer ones cost delay and are lost whole.
pub(super) const MAX_PTIME: u8 = 60;

/// Our audio stream.
pub(super) struct Audio<'a> {
    pub(super) protocol: &'a str,
    pub(super) formats: &'a [Format],
    /// Values of `a=crypto`.
    pub(super) crypto: Vec<Zeroizing<String>>,
    pub(super) ptime: u8,
    pub(super) direction: Direction,
    pub(super) rtcp_mux: bool,
    pub(super) record: Option<RecordState>,
    /// Of a WebRTC leg, and of no other.
    pub(super) webrtc: Option<Webrtc<'a>>,
}

/// What a WebRTC stream says beside what [`Local::rtc`] has.
#[derive(Clone, Copy)]
pub(super) struct Webrtc<'a> {
    pub(super) mid: Option<&'a str>,
    /// The number of the MID header extension.
    pub(super) mid_extension: Option<u8>,
    /// `a=setup`.
    pub(super) setup: &'static str,
}

impl Webrtc<'_> {
    /// Of a first offer.
    pub(super) const fn first() -> Self {
        Self { mid: Some("0"), mid_extension: Some(MID_EXTENSION), setup: "actpass" }
    }
}

/// The number we give the MID header extension; any of 1 to 14 would do (RFC 8285 §4.2).
const MID_EXTENSION: u8 = 4;

/// Everything before the first stream. `bundled`: the stream that is a bundle of its own.
pub(super) fn head(local: &Local, time: &str, bundled: Option<&str>) -> String {
    let at = address(local.rtp.ip());
    let Local { session_id, version, .. } = local;
    let mut text = format!("v=0\r\no=- {session_id} {version} {at}\r\ns=-\r\nc={at}\r\nt={time}\r\n");
    if local.rtc.is_some() {
        text.push_str("a=ice-lite\r\n");
        if let Some(mid) = bundled {
            text.push_str("a=group:BUNDLE ");
            text.push_str(mid);
            text.push_str("\r\n");
        }
    }
    text
}

pub(super) fn audio(text: &mut String, local: &Local, audio: &Audio<'_>) {
    let mut put = |line: Arguments<'_>| text.write_fmt(line).expect("a string takes all");
    put(format_args!("m=audio {} {}", local.rtp.port(), audio.protocol));
    for (number, _) in audio.formats {
        put(format_args!(" {number}"));
    }
    put(format_args!("\r\n"));
    for (number, encoding) in audio.formats {
        put(format_args!("a=rtpmap:{number} {}\r\n", encoding.name()));
        if let Some(parameters) = encoding.parameters() {
            put(format_args!("a=fmtp:{number} {parameters}\r\n"));
        }
    }
    for line in &audio.crypto {
        put(format_args!("a=crypto:{}\r\n", line.as_str()));
    }
    put(format_args!("a=ptime:{}\r\na=maxptime:{MAX_PTIME}\r\n", audio.ptime));
    put(format_args!("a={}\r\n", attribute(audio.direction)));
    if let Some(state) = audio.record {
        put(format_args!("a=record:{}\r\n", word(state)));
    }
    if let (Some(ours), Some(webrtc)) = (&local.rtc, &audio.webrtc) {
        return rtc::write(text, local, ours, webrtc);
    }
    if local.rtcp.ip() != local.rtp.ip() {
        put(format_args!("a=rtcp:{} {}\r\n", local.rtcp.port(), address(local.rtcp.ip())));
    } else if Some(local.rtcp.port()) != local.rtp.port().checked_add(1) {
        put(format_args!("a=rtcp:{}\r\n", local.rtcp.port()));
    }
    if audio.rtcp_mux {
        put(format_args!("a=rtcp-mux\r\n"));
    }
}

/// RFC 3264 §6: port 0, everything else as it was offered. Browsers want its mid as well (RFC 8829 §5.3.1).
pub(super) fn refusal(text: &mut String, stream: &Media<'_>) {
    let formats = stream.formats.join(" ");
    write!(text, "m={} 0 {} {formats}\r\n", stream.kind, stream.protocol).expect("a string takes all");
    if let Some(mid) = stream.mid {
        write!(text, "a=mid:{mid}\r\n").expect("a string takes all");
    }
}

pub(super) fn address(ip: IpAddr) -> String {
    let ip = ip.to_canonical();
    format!("IN {} {ip}", if ip.is_ipv4() { "IP4" } else { "IP6" })
}

pub(super) const fn attribute(direction: Direction) -> &'static str {
    match direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    }
}

const fn word(state: RecordState) -> &'static str {
    match state {
        RecordState::On => "on",
        RecordState::Off => "off",
        RecordState::Paused => "paused",
    }
}
