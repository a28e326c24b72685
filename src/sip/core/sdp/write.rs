//! Descriptions of ours, as text.

use std::fmt::{Arguments, Write};
use std::net::IpAddr;

use zeroize::Zeroizing;

use super::formats::Format;
use super::parse::Media;
use super::{Local, RecordState};
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
}

/// Everything before the first stream.
pub(super) fn head(local: &Local, time: &str) -> String {
    let at = address(local.rtp.ip());
    let Local { session_id, version, .. } = local;
    format!("v=0\r\no=- {session_id} {version} {at}\r\ns=-\r\nc={at}\r\nt={time}\r\n")
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
    if local.rtcp.ip() != local.rtp.ip() {
        put(format_args!("a=rtcp:{} {}\r\n", local.rtcp.port(), address(local.rtcp.ip())));
    } else if Some(local.rtcp.port()) != local.rtp.port().checked_add(1) {
        put(format_args!("a=rtcp:{}\r\n", local.rtcp.port()));
    }
    if audio.rtcp_mux {
        put(format_args!("a=rtcp-mux\r\n"));
    }
}

/// RFC 3264 §6: port 0, everything else as it was offered.
pub(super) fn refusal(text: &mut String, stream: &Media<'_>) {
    let formats = stream.formats.join(" ");
    write!(text, "m={} 0 {} {formats}\r\n", stream.kind, stream.protocol).expect("a string takes all");
}

fn address(ip: IpAddr) -> String {
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
