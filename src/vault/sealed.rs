//! The sealed file: its format, sealing and opening. Integers are little-endian.
//!
//! ```text
//! header, 56 bytes   "SAYSOREC"  version u8 = 2  content u8  channels u8 = 2  0  sample rate u32 = 8000
//!                    recording id (ULID, 16 bytes, big-endian)  nonce prefix (7 random bytes)  0
//!                    chunk size u32  12 zero bytes
//! chunk, repeated    kind u8  length u24  AES-256-GCM ciphertext (length bytes, tag included)
//! trailer, 4 bytes   length of the last chunk again, u32
//! ```
//!
//! Content: 1 PCM16, 2 µ-law, 3 A-law (interleaved stereo, caller first), 4 the bytes of an Ogg Opus file.
//! Kinds: 0 audio, 1 the last chunk (metadata), 2 the last chunk as salvage writes it. Each audio chunk but the last
//! holds exactly chunk-size plaintext bytes, so any byte of the audio is found by arithmetic; from a file's
//! size and its trailer follow the last chunk's place and number.
//!
//! Chunks follow the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, 2015): the nonce is
//! prefix, 32-bit big-endian counter, kind; the header is the associated data of each. So a chunk
//! opens only in its own place of its own file, and a file is whole only with its last chunk. The two last kinds
//! have nonces of their own so that salvage, which may follow a torn last chunk, never seals another text
//! with the same nonce; its text is decided by what precedes.
//!
//! A recording may have more than one file (PCM, then Opus made of it, twice if a crash came between) under its one
//! data key. 56 random bits would be few to tell them apart, so each file has a key of its own:
//! HKDF-SHA-256 (RFC 5869) of the data key, with the whole header as info. Nonces can meet only in files of the
//! same content with the same prefix, that is in attempts at the same Opus file, once in 2^56.
//!
//! Metadata: version u8 = 1, samples u64, unlisted u64, count u32, then per gap start u64, len u64,
//! code u8 (reason 0-3; plus 0 both channels, 16 caller, 32 agent).

use std::io::{self, Read};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use ulid::Ulid;

use super::keys;
use crate::consent::DataKey;
use crate::ids::RecordingId;
use crate::media::tap::{CHUNK, Channel, End, Gap, Missing};

/// Bytes in the header.
pub(super) const HEADER: usize = 56;
/// Bytes of kind and length before each chunk.
pub(super) const HEAD: usize = 4;
/// Bytes of AES-GCM's tag.
pub(super) const TAG: usize = 16;
/// Bytes of the trailer.
pub(super) const TRAILER: usize = 4;
/// What a chunk takes in the file beyond its plaintext.
pub(super) const OVERHEAD: usize = HEAD + TAG;
/// Most ciphertext in a chunk.
pub(super) const MAX_SEALED: usize = 64 * 1024;

const MAGIC: &[u8; 8] = b"SAYSOREC";
const VERSION: u8 = 2;
/// Channels, reserved; sample rate.
const STEREO: [u8; 6] = [2, 0, 0x40, 0x1F, 0, 0];

/// What a recording is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// WAV, stereo, 16-bit PCM at 8 kHz.
    Pcm16,
    /// WAV, stereo, G.711 µ-law.
    Ulaw,
    /// WAV, stereo, G.711 A-law.
    Alaw,
    /// Ogg Opus (RFC 7845), made of the PCM after the call.
    Opus,
}

impl Format {
    const ALL: [Self; 4] = [Self::Pcm16, Self::Ulaw, Self::Alaw, Self::Opus];

    /// Its word in database and settings.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pcm16 => "pcm16",
            Self::Ulaw => "ulaw",
            Self::Alaw => "alaw",
            Self::Opus => "opus",
        }
    }

    /// The format of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }

    /// The media type of the file in the clear.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Pcm16 | Self::Ulaw | Self::Alaw => "audio/wav",
            Self::Opus => "audio/ogg",
        }
    }

    /// What the name of the file in the clear ends with, without the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Pcm16 | Self::Ulaw | Self::Alaw => "wav",
            Self::Opus => "ogg",
        }
    }

    /// What is written while the call goes on.
    pub(super) const fn live(self) -> Self {
        match self {
            Self::Opus => Self::Pcm16,
            Self::Pcm16 | Self::Ulaw | Self::Alaw => self,
        }
    }

    /// Bytes of a stereo frame; `None`: frames are not all as long.
    pub(super) const fn frame(self) -> Option<usize> {
        match self {
            Self::Pcm16 => Some(4),
            Self::Ulaw | Self::Alaw => Some(2),
            Self::Opus => None,
        }
    }

    /// Plaintext bytes of a chunk: one chunk of the tap (160 ms), so that nothing waits in memory.
    const fn chunk(self) -> usize {
        match self.frame() {
            Some(frame) => frame * CHUNK as usize,
            None => 16 * 1024,
        }
    }

    const fn byte(self) -> u8 {
        match self {
            Self::Pcm16 => 1,
            Self::Ulaw => 2,
            Self::Alaw => 3,
            Self::Opus => 4,
        }
    }
}

/// What precedes the chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: RecordingId,
    pub(super) format: Format,
    /// Plaintext bytes of each audio chunk but the last.
    pub(super) chunk: usize,
    prefix: [u8; 7],
}

impl Header {
    /// A header with a fresh nonce prefix.
    pub(super) fn draw(id: RecordingId, format: Format) -> Self {
        let mut prefix = [0; 7];
        keys::fill(&mut prefix);
        Self { id, format, chunk: format.chunk(), prefix }
    }

    pub(super) fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8] = VERSION;
        bytes[9] = self.format.byte();
        bytes[10..16].copy_from_slice(&STEREO);
        bytes[16..32].copy_from_slice(&ulid(self.id).to_bytes());
        bytes[32..39].copy_from_slice(&self.prefix);
        bytes[40..44].copy_from_slice(&(self.chunk as u32).to_le_bytes());
        bytes
    }

    /// `None`: no header of a version known here.
    pub(super) fn parse(bytes: &[u8; HEADER]) -> Option<Self> {
        let format = Format::ALL.into_iter().find(|format| format.byte() == bytes[9])?;
        let id = Ulid::from_bytes(bytes[16..32].try_into().ok()?);
        let chunk = u32::from_le_bytes(bytes[40..44].try_into().ok()?) as usize;
        let prefix = bytes[32..39].try_into().ok()?;
        let header = Self { id: RecordingId::new(id), format, chunk, prefix };
        let fits =
            (1..=MAX_SEALED - TAG).contains(&chunk) && chunk.is_multiple_of(format.frame().unwrap_or(1));
        (fits && header.bytes() == *bytes).then_some(header)
    }

    /// Where chunk `n` begins, if all before it are full.
    pub(super) fn at(&self, n: u64) -> u64 {
        HEADER as u64 + n * (self.chunk + OVERHEAD) as u64
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
    pub(super) const fn byte(self) -> u8 {
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

/// What precedes a chunk: its kind, and the length of the ciphertext that follows. `None`: none of ours.
pub(super) fn head(bytes: [u8; HEAD]) -> Option<(Kind, usize)> {
    let length = u32::from_le_bytes([bytes[1], bytes[2], bytes[3], 0]) as usize;
    let kind = Kind::parse(bytes[0])?;
    (TAG..=MAX_SEALED).contains(&length).then_some((kind, length))
}

/// A file's own key: seals and opens its chunks, each by its number.
pub(super) struct Cipher {
    key: LessSafeKey,
    header: [u8; HEADER],
}

impl Cipher {
    pub(super) fn new(key: &DataKey, header: &Header) -> Self {
        let header = header.bytes();
        let drawn = Salt::new(HKDF_SHA256, MAGIC).extract(key.bytes());
        let key = drawn.expand(&[&header], &AES_256_GCM).map(UnboundKey::from);
        Self { key: LessSafeKey::new(key.expect("a key's length is within HKDF's limit")), header }
    }

    fn nonce(&self, n: u32, kind: Kind) -> Nonce {
        let mut nonce = [0; 12];
        nonce[..7].copy_from_slice(&self.header[32..39]);
        nonce[7..11].copy_from_slice(&n.to_be_bytes());
        nonce[11] = kind.byte();
        Nonce::assume_unique_for_key(nonce)
    }

    /// Seals in place: `chunk` is room for the head and then the plaintext; it becomes the bytes to write.
    pub(super) fn seal(&self, n: u32, kind: Kind, chunk: &mut Vec<u8>) {
        let length = chunk.len() - HEAD + TAG;
        debug_assert!(length <= MAX_SEALED, "{length} bytes in a chunk");
        chunk[0] = kind.byte();
        chunk[1..HEAD].copy_from_slice(&(length as u32).to_le_bytes()[..3]);
        let (nonce, header) = (self.nonce(n, kind), Aad::from(&self.header));
        let tag = self.key.seal_in_place_separate_tag(nonce, header, &mut chunk[HEAD..]);
        chunk.extend_from_slice(tag.expect("a chunk is within the cipher's limit").as_ref());
    }

    /// Opens the ciphertext of a chunk (what follows its head). `None`: it does not verify.
    pub(super) fn open<'a>(&self, n: u32, kind: Kind, sealed: &'a mut [u8]) -> Option<&'a mut [u8]> {
        self.key.open_in_place(self.nonce(n, kind), Aad::from(&self.header), sealed).ok()
    }

    /// The whole end of a file: last chunk and trailer, after `n` chunks of audio.
    pub(super) fn end(&self, n: u32, end: &End, salvaged: bool) -> Vec<u8> {
        let mut chunk = vec![0; HEAD];
        encode(end, &mut chunk);
        self.seal(n, if salvaged { Kind::LastSalvaged } else { Kind::Last }, &mut chunk);
        let length = chunk.len() - HEAD;
        chunk.extend_from_slice(&(length as u32).to_le_bytes());
        chunk
    }
}

/// What a chunk held.
#[derive(Debug, PartialEq)]
pub(super) enum Piece<'a> {
    /// Audio: the chunk size, or less in the last one.
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
    cipher: Cipher,
    header: Header,
    from: R,
    next: u32,
    at: u64,
    plain: u64,
    short: bool,
    sealed: Vec<u8>,
}

impl<R: Read> Opener<R> {
    /// `from` stands behind the header.
    pub(super) fn new(key: &DataKey, header: &Header, from: R) -> Self {
        let (cipher, at) = (Cipher::new(key, header), HEADER as u64);
        Self { cipher, header: *header, from, next: 0, at, plain: 0, short: false, sealed: Vec::new() }
    }

    /// Where the next chunk begins.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The next chunk's number, from 0.
    pub(super) fn chunk(&self) -> u32 {
        self.next
    }

    /// Bytes of audio so far.
    pub(super) fn plain(&self) -> u64 {
        self.plain
    }

    /// Opens the next chunk. Call it until it gave [`Piece::Last`] or a fault.
    pub(super) fn next(&mut self) -> Result<Piece<'_>, Fault> {
        let mut bytes = [0; HEAD];
        read(&mut self.from, &mut bytes)?;
        let (kind, length) = head(bytes).ok_or(Fault::Bad)?;
        self.sealed.resize(length, 0);
        read(&mut self.from, &mut self.sealed)?;
        let plain = self.cipher.open(self.next, kind, &mut self.sealed).ok_or(Fault::Bad)?;
        match kind {
            Kind::Audio => {
                let frame = self.header.format.frame().unwrap_or(1);
                // Only the last one may be shorter, and none is empty.
                let fits =
                    (1..=self.header.chunk).contains(&plain.len()) && plain.len().is_multiple_of(frame);
                if self.short || !fits {
                    return Err(Fault::Bad);
                }
                self.short = plain.len() < self.header.chunk;
                self.plain += plain.len() as u64;
                self.at += (HEAD + length) as u64;
                self.next = self.next.checked_add(1).ok_or(Fault::Bad)?;
                Ok(Piece::Audio(plain))
            }
            Kind::Last | Kind::LastSalvaged => {
                let end = decode(plain).ok_or(Fault::Bad)?;
                let mut trailer = [0; TRAILER];
                read(&mut self.from, &mut trailer)?;
                if u32::from_le_bytes(trailer) as usize != length {
                    return Err(Fault::Bad);
                }
                self.at += (HEAD + length + TRAILER) as u64;
                Ok(Piece::Last { end, salvaged: kind == Kind::LastSalvaged })
            }
        }
    }

    /// Gives the reader back, for what follows the end.
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

/// Reads a last chunk's metadata. `None`: it is none.
pub(super) fn decode(mut bytes: &[u8]) -> Option<End> {
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
