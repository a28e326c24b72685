//! The sealed file: its format, sealing and opening. Integers are little-endian.
//!
//! ```text
//! header, 40 bytes   "SAYSOREC"  version u8 = 1  sample format u8 = 1 (PCM16)  channels u8 = 2  0
//!                    sample rate u32 = 8000      recording id (ULID, 16 bytes, big-endian)
//!                    nonce prefix (7 random bytes)  0
//! chunk, repeated    kind u8  length u24  AES-256-GCM ciphertext (length bytes, tag included)
//! ```
//!
//! Chunks follow the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, 2015): the nonce is
//! prefix, 32-bit big-endian counter, kind; the header is the associated data of each. So a chunk
//! opens only in its own place of its own file, and a file is whole only with its last chunk.
//! Kinds: 0 audio (interleaved stereo PCM16), 1 the last chunk (metadata), 2 the last chunk as
//! salvage writes it. The two have kinds of their own so that salvage, which may follow a torn
//! last chunk, never seals another text with the same nonce; its text is decided by what precedes.
//! Metadata: version u8 = 1, samples u64, unlisted u64, count u32, then per gap start u64, len u64,
//! code u8 (reason 0-3; plus 0 both channels, 16 caller, 32 agent).

use std::io::{self, Read};

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use ulid::Ulid;

use super::keys;
use crate::consent::DataKey;
use crate::ids::RecordingId;
use crate::media::tap::{Channel, End, Gap, Missing};

/// Bytes in the header.
pub(super) const HEADER: usize = 40;
/// Most stereo frames in a chunk: 2 s, so that with its tag it stays below 64 KiB.
pub(super) const MAX_FRAMES: usize = 16_000;
/// Bytes in a stereo frame.
pub(super) const FRAME: usize = 4;
/// Bytes of kind and length before each chunk.
pub(super) const HEAD: usize = 4;
/// Bytes of AES-GCM's tag.
pub(super) const TAG: usize = 16;
/// Most ciphertext in a chunk.
const MAX_SEALED: usize = 64 * 1024;

const MAGIC: &[u8; 8] = b"SAYSOREC";
/// Version, sample format, channels, reserved; sample rate.
const FORMAT: [u8; 8] = [1, 1, 2, 0, 0x40, 0x1F, 0, 0];

/// What precedes the chunks.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) id: RecordingId,
    prefix: [u8; 7],
}

impl Header {
    /// A header with a fresh nonce prefix.
    pub(super) fn draw(id: RecordingId) -> Self {
        let mut prefix = [0; 7];
        keys::fill(&mut prefix);
        Self { id, prefix }
    }

    pub(super) fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..16].copy_from_slice(&FORMAT);
        bytes[16..32].copy_from_slice(&ulid(self.id).to_bytes());
        bytes[32..39].copy_from_slice(&self.prefix);
        bytes
    }

    /// `None`: no header of a version known here.
    pub(super) fn parse(bytes: &[u8; HEADER]) -> Option<Self> {
        if &bytes[..8] != MAGIC || bytes[8..16] != FORMAT || bytes[39] != 0 {
            return None;
        }
        let id = Ulid::from_bytes(bytes[16..32].try_into().ok()?);
        Some(Self { id: RecordingId::new(id), prefix: bytes[32..39].try_into().ok()? })
    }
}

/// The ULID of a recording: its bytes and its time.
pub(super) fn ulid(id: RecordingId) -> Ulid {
    Ulid::from_string(&id.to_string()).expect("an id's text is a ULID")
}

/// What a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Audio,
    Last,
    LastSalvaged,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Audio => 0,
            Self::Last => 1,
            Self::LastSalvaged => 2,
        }
    }

    fn parse(byte: u8) -> Option<Self> {
        [Self::Audio, Self::Last, Self::LastSalvaged].into_iter().find(|kind| kind.byte() == byte)
    }
}

/// Data key and place in the stream: seals or opens one chunk after the other.
struct Stream {
    key: LessSafeKey,
    header: [u8; HEADER],
    next: u32,
}

impl Stream {
    fn new(key: &DataKey, header: &Header) -> Self {
        Self { key: keys::aes(key.bytes()), header: header.bytes(), next: 0 }
    }

    fn nonce(&self, kind: Kind) -> Nonce {
        let mut nonce = [0; 12];
        nonce[..7].copy_from_slice(&self.header[32..39]);
        nonce[7..11].copy_from_slice(&self.next.to_be_bytes());
        nonce[11] = kind.byte();
        Nonce::assume_unique_for_key(nonce)
    }

    fn advance(&mut self) {
        self.next = self.next.checked_add(1).expect("2^32 chunks take years to fill");
    }
}

/// Seals chunks in their order.
pub(super) struct Sealer(Stream);

impl Sealer {
    /// Goes on after `chunks` chunks. The same place is never sealed twice with different content.
    pub(super) fn new(key: &DataKey, header: &Header, chunks: u32) -> Self {
        Self(Stream { next: chunks, ..Stream::new(key, header) })
    }

    /// Seals interleaved samples, at most [`MAX_FRAMES`] frames; leaves the bytes to write in `out`.
    pub(super) fn audio(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        out.clear();
        out.resize(HEAD + samples.len() * 2, 0);
        for (bytes, sample) in out[HEAD..].chunks_exact_mut(2).zip(samples) {
            bytes.copy_from_slice(&sample.to_le_bytes());
        }
        self.seal(Kind::Audio, out);
    }

    /// Seals the last chunk.
    pub(super) fn last(&mut self, end: &End, salvaged: bool, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&[0; HEAD]);
        encode(end, out);
        self.seal(if salvaged { Kind::LastSalvaged } else { Kind::Last }, out);
    }

    fn seal(&mut self, kind: Kind, out: &mut Vec<u8>) {
        let length = out.len() - HEAD + TAG;
        debug_assert!(length <= MAX_SEALED, "{length} bytes in a chunk");
        out[0] = kind.byte();
        out[1..HEAD].copy_from_slice(&(length as u32).to_le_bytes()[..3]);
        let (nonce, header) = (self.0.nonce(kind), Aad::from(&self.0.header));
        let sealed = self.0.key.seal_in_place_separate_tag(nonce, header, &mut out[HEAD..]);
        out.extend_from_slice(sealed.expect("a chunk is within the cipher's limit").as_ref());
        self.0.advance();
    }
}

/// What a chunk held.
#[derive(Debug, PartialEq)]
pub(super) enum Piece<'a> {
    /// Interleaved PCM16, whole frames.
    Audio(&'a [u8]),
    /// The end, and whether salvage wrote it.
    Last { end: End, salvaged: bool },
}

/// Why a chunk could not be opened.
#[derive(Debug)]
pub(super) enum Fault {
    /// The file ends within it, or before it though it is not the end.
    Torn,
    /// It does not verify.
    Bad,
    /// It could not be read.
    Io(io::Error),
}

/// Opens chunks in their order.
pub(super) struct Opener<R> {
    stream: Stream,
    from: R,
    at: u64,
    sealed: Vec<u8>,
}

impl<R: Read> Opener<R> {
    /// `from` stands behind the header.
    pub(super) fn new(key: &DataKey, header: &Header, from: R) -> Self {
        Self { stream: Stream::new(key, header), from, at: HEADER as u64, sealed: Vec::new() }
    }

    /// Where the next chunk begins.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The next chunk's number, from 0.
    pub(super) fn chunk(&self) -> u32 {
        self.stream.next
    }

    /// Opens the next chunk. Call it until it gave [`Piece::Last`] or a fault.
    pub(super) fn next(&mut self) -> Result<Piece<'_>, Fault> {
        let mut head = [0; HEAD];
        read(&mut self.from, &mut head)?;
        let kind = Kind::parse(head[0]).ok_or(Fault::Bad)?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], 0]) as usize;
        if !(TAG..=MAX_SEALED).contains(&length) {
            return Err(Fault::Bad);
        }
        self.sealed.resize(length, 0);
        read(&mut self.from, &mut self.sealed)?;
        let (nonce, header) = (self.stream.nonce(kind), Aad::from(&self.stream.header));
        let opened = self.stream.key.open_in_place(nonce, header, &mut self.sealed);
        let plain = opened.map_err(|_| Fault::Bad)?;
        self.at += (HEAD + length) as u64;
        self.stream.advance();
        match kind {
            Kind::Audio if plain.len().is_multiple_of(FRAME) => Ok(Piece::Audio(plain)),
            Kind::Audio => Err(Fault::Bad),
            Kind::Last | Kind::LastSalvaged => {
                let end = decode(plain).ok_or(Fault::Bad)?;
                Ok(Piece::Last { end, salvaged: kind == Kind::LastSalvaged })
            }
        }
    }

    /// Gives the reader back, for what follows the last chunk.
    pub(super) fn into_inner(self) -> R {
        self.from
    }
}

fn read(from: &mut impl Read, bytes: &mut [u8]) -> Result<(), Fault> {
    from.read_exact(bytes).map_err(|error| {
        if error.kind() == io::ErrorKind::UnexpectedEof { Fault::Torn } else { Fault::Io(error) }
    })
}

fn encode(end: &End, out: &mut Vec<u8>) {
    out.push(1);
    out.extend_from_slice(&end.samples.to_le_bytes());
    out.extend_from_slice(&end.unlisted.to_le_bytes());
    // What would not fit is a sink's fault: the tap lists fewer.
    let room = (MAX_SEALED - TAG - 21) / 17;
    let gaps = &end.gaps[..end.gaps.len().min(room)];
    out.extend_from_slice(&(gaps.len() as u32).to_le_bytes());
    for gap in gaps {
        out.extend_from_slice(&gap.start.to_le_bytes());
        out.extend_from_slice(&gap.len.to_le_bytes());
        let why = match gap.why {
            Missing::Paused => 0,
            Missing::Hold => 1,
            Missing::Lost => 2,
            Missing::Backlog => 3,
        };
        let channel = match gap.channel {
            None => 0,
            Some(Channel::Caller) => 16,
            Some(Channel::Agent) => 32,
        };
        out.push(why | channel);
    }
}

fn decode(mut bytes: &[u8]) -> Option<End> {
    let mut take = |n| bytes.split_off(..n);
    if take(1)? != [1] {
        return None;
    }
    let samples = u64::from_le_bytes(take(8)?.try_into().ok()?);
    let unlisted = u64::from_le_bytes(take(8)?.try_into().ok()?);
    let count = u32::from_le_bytes(take(4)?.try_into().ok()?);
    let gaps = (0..count).map(|_| {
        let start = u64::from_le_bytes(take(8)?.try_into().ok()?);
        let len = u64::from_le_bytes(take(8)?.try_into().ok()?);
        let code = take(1)?[0];
        let why = match code & 15 {
            0 => Missing::Paused,
            1 => Missing::Hold,
            2 => Missing::Lost,
            3 => Missing::Backlog,
            _ => return None,
        };
        let channel = match code & !15 {
            0 => None,
            16 => Some(Channel::Caller),
            32 => Some(Channel::Agent),
            _ => return None,
        };
        Some(Gap { start, len, why, channel })
    });
    let gaps = gaps.collect::<Option<Vec<_>>>()?;
    bytes.is_empty().then_some(End { samples, gaps, unlisted })
}
