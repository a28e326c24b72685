//! Reading a whole recording in the clear, from anywhere to anywhere: bytes of its WAV or Ogg file, each chunk verified
//! before a byte of it goes out.

use std::future::ready;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use aws_lc_rs::digest::{self, SHA256};
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt, TryStreamExt};

use super::objects::Content;
use super::sealed::{self, Cipher, HEAD, HEADER, Header, Kind, MAX_SEALED, OVERHEAD, TAG, TRAILER};
use super::walk::check_samples;
use super::{Format, Source, VaultError, wav};
use crate::consent::DataKey;
use crate::ids::RecordingId;
use crate::media::tap::{End, Gap};

/// Sealed bytes that are fetched at once: a listener costs two of these.
const WINDOW: u64 = 1024 * 1024;
/// Bytes that are fetched to find the end: there are a hundred gaps in it.
const TAIL: u64 = 2 * 1024;

/// What a recording is, by its verified metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// What it is made of; tells media type and extension.
    pub format: Format,
    /// Size of the WAV or Ogg file.
    pub bytes: u64,
    /// Length of each channel, in samples at 8 kHz.
    pub samples: u64,
    /// Stretches of silence that nobody spoke.
    pub gaps: Vec<Gap>,
    /// Silent samples, both channels together, that `gaps` does not list.
    pub unlisted: u64,
    /// It was cut short by a crash and salvaged.
    pub salvaged: bool,
}

/// Reads one recording. Clones share what was found when it was opened.
#[derive(Clone)]
pub struct Reader(Arc<Inner>);

struct Inner {
    source: Source,
    cipher: Cipher,
    header: Header,
    /// Audio chunks.
    chunks: u64,
    /// Bytes of audio in them.
    plain: u64,
    /// What precedes the audio in the file in the clear.
    preamble: Bytes,
    info: Info,
}

impl Reader {
    /// Opens a whole recording and verifies its end. `samples`: what the database says, if it does.
    ///
    /// # Errors
    /// When it is cut short, has bytes after its end, was changed, is another recording or none, does not open with the key,
    /// has not that many samples, or cannot be read.
    pub async fn open(
        source: Source,
        id: RecordingId,
        key: DataKey,
        samples: Option<u64>,
    ) -> Result<Self, VaultError> {
        let size = source.size(id).await?;
        let foreign = || VaultError::NotARecording { path: source.path() };
        if size < HEADER as u64 {
            return Err(foreign());
        }
        let bytes = source.read(0..HEADER as u64).await?;
        let bytes = bytes.as_ref().try_into().map_err(|_| foreign())?;
        let header = Header::parse(bytes).ok_or_else(foreign)?;
        if header.id != id {
            return Err(VaultError::Misplaced { path: source.path(), id, found: header.id });
        }
        let cipher = Cipher::new(&key, &header);
        drop(key);
        let Some(found) = find_end(&source, &cipher, &header, size).await? else {
            return Err(diagnose(&source, &cipher, &header, size).await?);
        };
        let Found { end, salvaged, chunks, plain } = found;
        check_samples(&header, plain, &end)?;
        if let Some(said) = samples.filter(|said| *said != end.samples) {
            return Err(VaultError::NotAsStored { id, found: end.samples, said });
        }
        let format = header.format;
        let preamble = match format {
            Format::Opus => Bytes::new(),
            Format::Pcm16 | Format::Ulaw | Format::Alaw => {
                wav::header(format, end.samples).ok_or(VaultError::TooLong(id))?.into()
            }
        };
        let End { samples, gaps, unlisted } = end;
        let bytes = preamble.len() as u64 + plain;
        let info = Info { format, bytes, samples, gaps, unlisted, salvaged };
        Ok(Self(Arc::new(Inner { source, cipher, header, chunks, plain, preamble, info })))
    }

    /// What it is.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.0.info
    }

    /// The recording's id.
    #[must_use]
    pub fn id(&self) -> RecordingId {
        self.0.header.id
    }

    /// Bytes of the WAV or Ogg file; what is beyond its end is left out. Fetched in windows, one ahead. After an error
    /// nothing comes.
    #[must_use]
    pub fn stream(&self, range: Range<u64>) -> BoxStream<'static, Result<Bytes, VaultError>> {
        let inner = Arc::clone(&self.0);
        let ahead = inner.preamble.len() as u64;
        let end = range.end.min(inner.info.bytes);
        let start = range.start.min(end);
        let first = inner.preamble.slice(start.min(ahead) as usize..end.min(ahead) as usize);
        let first = stream::iter((!first.is_empty()).then_some(Ok(first)));
        let windows = inner.windows(start.saturating_sub(ahead)..end.saturating_sub(ahead));
        let windows = stream::iter(windows).map(move |range| Arc::clone(&inner).audio(range)).buffered(2);
        let until_error = first.chain(windows).scan(false, |failed, piece| {
            ready((!std::mem::replace(failed, piece.is_err())).then_some(piece))
        });
        until_error.boxed()
    }

    /// SHA-256 (hex) of the WAV or Ogg file, in one pass.
    ///
    /// # Errors
    /// When a chunk does not verify or cannot be read.
    pub async fn sha256(&self) -> Result<String, VaultError> {
        let mut hash = digest::Context::new(&SHA256);
        let mut stream = self.stream(0..self.0.info.bytes);
        while let Some(bytes) = stream.try_next().await? {
            hash.update(&bytes);
        }
        Ok(hex::encode(hash.finish()))
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("id", &self.id()).field("info", self.info()).finish_non_exhaustive()
    }
}

/// The WAV or Ogg file, made while it is read.
impl Content for Reader {
    fn len(&self) -> u64 {
        self.0.info.bytes
    }

    fn read(&self, range: Range<u64>) -> BoxFuture<'_, io::Result<Bytes>> {
        async move {
            if range.start > range.end || range.end > self.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut bytes = BytesMut::with_capacity((range.end - range.start) as usize);
            let mut stream = self.stream(range);
            while let Some(more) = stream.try_next().await.map_err(io::Error::other)? {
                bytes.extend_from_slice(&more);
            }
            Ok(bytes.freeze())
        }
        .boxed()
    }
}

impl Inner {
    /// A range of the audio, cut where windows end.
    fn windows(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> + Send + use<> {
        let chunk = self.header.chunk as u64;
        let window = (WINDOW / (chunk + OVERHEAD as u64)).max(1) * chunk;
        let mut at = range.start;
        std::iter::from_fn(move || {
            let end = ((at / window + 1) * window).min(range.end);
            (at < end).then(|| std::mem::replace(&mut at, end)..end)
        })
    }

    /// A range of the audio that is not empty, in memory.
    async fn audio(self: Arc<Self>, range: Range<u64>) -> Result<Bytes, VaultError> {
        let chunk = self.header.chunk as u64;
        let (first, after) = (range.start / chunk, range.end.div_ceil(chunk));
        let end = self.header.at(first) + self.sealed_len(first..after);
        let mut sealed = self.source.read(self.header.at(first)..end).await?;
        let mut plain = BytesMut::with_capacity(((after - first) * chunk) as usize);
        for n in first..after {
            let mut one = sealed.split_to(self.sealed_len(n..n + 1) as usize);
            let opened = open(&self.cipher, n, Kind::Audio, &mut one);
            let bad = VaultError::Tampered { id: self.header.id, chunk: n as u32, at: self.header.at(n) };
            plain.extend_from_slice(opened.ok_or(bad)?);
        }
        let plain = plain.freeze();
        let from = (range.start - first * chunk) as usize;
        Ok(plain.slice(from..from + (range.end - range.start) as usize))
    }

    /// Bytes that audio chunks take in the file.
    fn sealed_len(&self, chunks: Range<u64>) -> u64 {
        let chunk = self.header.chunk as u64;
        let plain = (chunks.end * chunk).min(self.plain) - chunks.start * chunk;
        debug_assert!(chunks.end <= self.chunks, "a range within the audio");
        plain + (chunks.end - chunks.start) * OVERHEAD as u64
    }
}

/// Opens a whole chunk that must be of this kind and length.
fn open<'a>(cipher: &Cipher, n: u64, kind: Kind, chunk: &'a mut [u8]) -> Option<&'a mut [u8]> {
    let (head, sealed) = chunk.split_at_mut_checked(HEAD)?;
    let (found, length) = sealed::head((&*head).try_into().ok()?)?;
    if (found, length) != (kind, sealed.len()) {
        return None;
    }
    cipher.open(u32::try_from(n).ok()?, kind, sealed)
}

/// The end of a file, and what follows from its place.
struct Found {
    end: End,
    salvaged: bool,
    chunks: u64,
    plain: u64,
}

/// Finds the last chunk by the trailer. `None`: there is none that verifies at the end of the file.
async fn find_end(
    source: &Source,
    cipher: &Cipher,
    header: &Header,
    size: u64,
) -> Result<Option<Found>, VaultError> {
    let least = HEADER as u64;
    let mut tail = source.read(size.saturating_sub(TAIL).max(least)..size).await?;
    let Some(trailer) = tail.last_chunk::<TRAILER>() else { return Ok(None) };
    let length = u64::from(u32::from_le_bytes(*trailer));
    let total = length + (HEAD + TRAILER) as u64;
    if !(TAG as u64..=MAX_SEALED as u64).contains(&length) || least + total > size {
        return Ok(None);
    }
    if total > tail.len() as u64 {
        tail = source.read(size - total..size).await?;
    }
    // From the end's place follows how many chunks precede it: all are full but the last.
    let (audio, full) = (size - least - total, (header.chunk + OVERHEAD) as u64);
    let (chunks, short) = (audio / full, audio % full);
    let frame = header.format.frame().unwrap_or(1) as u64;
    let (chunks, plain) = match short.checked_sub(OVERHEAD as u64) {
        None if short == 0 => (chunks, chunks * header.chunk as u64),
        Some(rest) if rest > 0 && rest % frame == 0 => (chunks + 1, chunks * header.chunk as u64 + rest),
        None | Some(_) => return Ok(None),
    };
    let begin = tail.len() - total as usize;
    let whole = tail.len() - TRAILER;
    let last = &mut tail[begin..whole];
    for (kind, salvaged) in [(Kind::Last, false), (Kind::LastSalvaged, true)] {
        if last.first().is_some_and(|byte| *byte == kind.byte())
            && let Some(end) = open(cipher, chunks, kind, last).and_then(|plain| sealed::decode(plain))
        {
            return Ok(Some(Found { end, salvaged, chunks, plain }));
        }
    }
    Ok(None)
}

/// Why there is no end where it should be. A few chunks are read, however long the recording is.
async fn diagnose(
    source: &Source,
    cipher: &Cipher,
    header: &Header,
    size: u64,
) -> Result<VaultError, VaultError> {
    let (id, full) = (header.id, (header.chunk + OVERHEAD) as u64);
    let most = (size - HEADER as u64) / full;
    // Where the audio's full chunks end, if they are in order.
    let (mut good, mut bad) = (0, most + 1);
    while good + 1 < bad {
        let n = good + (bad - good) / 2 - 1;
        let mut chunk = source.read(header.at(n)..header.at(n) + full).await?;
        if open(cipher, n, Kind::Audio, &mut chunk).is_some() { good = n + 1 } else { bad = n + 1 }
    }
    let (mut n, mut at) = (good, header.at(good));
    loop {
        let rest = source.read(at..size.min(at + (HEAD + MAX_SEALED + TRAILER) as u64)).await?;
        let truncated = VaultError::Truncated { id, at };
        let Some(first) = rest.first_chunk::<HEAD>() else { return Ok(truncated) };
        let tampered = VaultError::Tampered { id, chunk: n as u32, at };
        let Some((kind, length)) = sealed::head(*first) else { return Ok(tampered) };
        let whole = HEAD + length;
        if whole > rest.len() {
            return Ok(truncated);
        }
        let mut chunk = rest.clone();
        chunk.truncate(whole);
        if open(cipher, n, kind, &mut chunk).is_none() {
            return Ok(if n == 0 { VaultError::WrongDataKey(id) } else { tampered });
        }
        match kind {
            Kind::Audio => (n, at) = (n + 1, at + whole as u64),
            Kind::Last | Kind::LastSalvaged => {
                let end = at + (whole + TRAILER) as u64;
                return Ok(match size.cmp(&end) {
                    std::cmp::Ordering::Less => truncated,
                    std::cmp::Ordering::Equal => tampered,
                    std::cmp::Ordering::Greater => VaultError::Trailing { id, at: end },
                });
            }
        }
    }
}
