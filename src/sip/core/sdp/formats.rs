//! Payload types: what a stream's numbers mean, and which numbers we give.

use super::Terms;
use super::parse::{Media, Rtpmap};
use crate::media::Codec;

/// What a payload type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Audio.
    Audio(Codec),
    /// telephone-event (RFC 4733) with this clock.
    Events(u32),
    /// Comfort noise (RFC 3389) at 8 kHz.
    ComfortNoise,
}

/// A payload type and what it stands for.
pub(super) type Format = (u8, Encoding);

/// Dynamic payload types (RFC 3551 §6).
const DYNAMIC: std::ops::RangeInclusive<u8> = 96..=127;

impl Encoding {
    pub(super) fn of(map: &Rtpmap<'_>) -> Option<Self> {
        let Rtpmap { name, rate, channels, .. } = *map;
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match (rate, channels) {
            (8_000, 1) if is("PCMU") => Some(Self::Audio(Codec::Pcmu)),
            (8_000, 1) if is("PCMA") => Some(Self::Audio(Codec::Pcma)),
            (8_000, 1) if is("G722") => Some(Self::Audio(Codec::G722)),
            // Always two channels (RFC 7587 §7); where they were forgotten nothing else can be meant.
            (48_000, 1 | 2) if is("opus") => Some(Self::Audio(Codec::Opus)),
            (8_000, 1) if is("CN") => Some(Self::ComfortNoise),
            (8_000 | 48_000, 1) if is("telephone-event") => Some(Self::Events(rate)),
            _ => None,
        }
    }

    /// Its value in `a=rtpmap`.
    pub(super) fn name(self) -> String {
        match self {
            Self::Audio(Codec::Pcmu) => "PCMU/8000".to_owned(),
            Self::Audio(Codec::Pcma) => "PCMA/8000".to_owned(),
            Self::Audio(Codec::G722) => "G722/8000".to_owned(),
            Self::Audio(Codec::Opus) => "opus/48000/2".to_owned(),
            Self::ComfortNoise => "CN/8000".to_owned(),
            Self::Events(clock) => format!("telephone-event/{clock}"),
        }
    }

    /// Its value in `a=fmtp`. We correct losses inside Opus, and take no packets below 10 ms.
    pub(super) const fn parameters(self) -> Option<&'static str> {
        match self {
            Self::Audio(Codec::Opus) => Some("useinbandfec=1;minptime=10"),
            Self::Events(_) => Some("0-15"),
            Self::Audio(Codec::Pcmu | Codec::Pcma | Codec::G722) | Self::ComfortNoise => None,
        }
    }

    /// The number it has by RFC 3551, or that most phones give it.
    const fn usual(self) -> u8 {
        match self {
            Self::Audio(Codec::Pcmu) => 0,
            Self::Audio(Codec::Pcma) => 8,
            Self::Audio(Codec::G722) => 9,
            Self::ComfortNoise => 13,
            Self::Audio(Codec::Opus) => 111,
            Self::Events(48_000) => 110,
            Self::Events(_) => 101,
        }
    }

    const fn audio(self) -> Option<Codec> {
        match self {
            Self::Audio(codec) => Some(codec),
            Self::Events(_) | Self::ComfortNoise => None,
        }
    }

    const fn clock(self) -> Option<u32> {
        match self {
            Self::Events(clock) => Some(clock),
            Self::Audio(_) | Self::ComfortNoise => None,
        }
    }
}

/// What the stream's payload types mean to us, in its order.
pub(super) fn of(stream: &Media<'_>) -> Vec<Format> {
    let known = |map: Rtpmap<'_>| Some((map.payload_type, Encoding::of(&map)?));
    stream.formats.iter().filter_map(|format| known(stream.rtpmap(format)?)).collect()
}

/// What we offer: codecs, comfort noise, and telephone-event at each of their clocks, so that keys ride on
/// the clock of the audio around them (RFC 4733 §2.1).
pub(super) fn wanted(terms: &Terms<'_>) -> Vec<Encoding> {
    let mut wanted = Vec::new();
    let mut put = |encoding| {
        if !wanted.contains(&encoding) {
            wanted.push(encoding);
        }
    };
    terms.codecs.iter().for_each(|codec| put(Encoding::Audio(*codec)));
    if terms.comfort_noise && terms.codecs.iter().any(|codec| codec.clock() == 8_000) {
        put(Encoding::ComfortNoise);
    }
    terms.codecs.iter().for_each(|codec| put(Encoding::Events(codec.clock())));
    wanted
}

/// Numbers for `wanted`: what has one keeps it, and no number of `taken`, whatever it stood for, gets
/// another meaning (RFC 3264 §8.3.2).
pub(super) fn numbered(wanted: &[Encoding], kept: &[Format], taken: &[u8]) -> Vec<Format> {
    let mut taken = taken.to_vec();
    let mut formats = Vec::new();
    for encoding in wanted {
        let free = |number: &u8| !taken.contains(number);
        let before = kept.iter().find(|(_, known)| known == encoding).map(|(number, _)| *number);
        let usual = Some(encoding.usual()).filter(free);
        if let Some(number) = before.or(usual).or_else(|| DYNAMIC.into_iter().find(free)) {
            taken.push(number);
            formats.push((number, *encoding));
        }
    }
    formats
}

/// As the answerer: the first of `terms.codecs` that they offer, with telephone-event and comfort noise
/// that go with it, all under their numbers. One codec only: what is not named cannot be sent.
pub(super) fn answered(theirs: &[Format], terms: &Terms<'_>) -> Option<(Codec, Vec<Format>)> {
    let find = |encoding| theirs.iter().find(|(_, known)| *known == encoding).copied();
    let of_codec = |codec: &Codec| Some((*codec, find(Encoding::Audio(*codec))?));
    let (codec, audio) = terms.codecs.iter().find_map(of_codec)?;
    let noise = find(Encoding::ComfortNoise).filter(|_| terms.comfort_noise && codec.clock() == 8_000);
    let events = find(Encoding::Events(codec.clock()))
        .or_else(|| theirs.iter().find(|(_, known)| known.clock().is_some()).copied());
    Some((codec, [Some(audio), noise, events].into_iter().flatten().collect()))
}

/// As the offerer: the first codec of their answer that we had offered.
pub(super) fn picked(theirs: &[Format], ours: &[Format]) -> Option<Codec> {
    let offered = |encoding: &Encoding| ours.iter().any(|(_, known)| known == encoding);
    theirs.iter().map(|(_, encoding)| *encoding).filter(offered).find_map(Encoding::audio)
}

/// What they may send, `codec` first: our numbers for all audio both descriptions have. Many phones send
/// under the number of their own answer instead, so that is taken too where it means nothing else.
pub(super) fn receivable(ours: &[Format], theirs: &[Format], codec: Codec) -> Vec<(u8, Codec)> {
    let both = |(number, encoding): &Format| {
        let agreed = theirs.iter().any(|(_, known)| known == encoding);
        encoding.audio().filter(|_| agreed).map(|codec| (*number, codec))
    };
    let mut receive: Vec<_> = ours.iter().filter_map(both).collect();
    for (number, encoding) in theirs {
        if let Some(codec) = encoding.audio()
            && receive.iter().any(|(_, known)| *known == codec)
            && !ours.iter().chain(theirs).any(|(n, known)| n == number && known != encoding)
            && !receive.contains(&(*number, codec))
        {
            receive.push((*number, codec));
        }
    }
    receive.sort_by_key(|(_, known)| *known != codec);
    receive
}

/// telephone-event in both descriptions: our number, theirs and the clock, that of the audio if possible.
pub(super) fn events(ours: &[Format], theirs: &[Format], clock: u32) -> Option<(u8, u8, u32)> {
    let both = |(number, encoding): &Format| {
        let (their_number, _) = theirs.iter().find(|(_, known)| known == encoding)?;
        Some((*number, *their_number, encoding.clock()?))
    };
    let all: Vec<_> = ours.iter().filter_map(both).collect();
    all.iter().find(|(.., known)| *known == clock).or(all.first()).copied()
}

/// The number under which `encoding` is sent or received.
pub(super) fn number(formats: &[Format], encoding: Encoding) -> Option<u8> {
    formats.iter().find(|(_, known)| *known == encoding).map(|(number, _)| *number)
}
