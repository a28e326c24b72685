//! Writing a sealed file: cuts what comes into chunks of one size, seals and appends them.

use std::io::{self, Write};

use aws_lc_rs::digest::{self, SHA256};

use super::sealed::{Cipher, Format, HEAD, HEADER, Header, Kind, OVERHEAD};
use crate::consent::DataKey;
use crate::media::g711::{pcm_to_alaw, pcm_to_ulaw};
use crate::media::tap::End;

/// A sealed file that grows. After an error it must not be written to again: what was sealed last may be in
/// the file in part, and its place must not be sealed twice.
pub(super) struct Sealing<W> {
    cipher: Cipher,
    format: Format,
    /// Length of `chunk` when it is full.
    full: usize,
    /// Room for the head, and plaintext of the chunk that is being filled. Sealed in place.
    chunk: Vec<u8>,
    next: u32,
    to: W,
    sha256: digest::Context,
    written: u64,
    /// Of these, plaintext.
    plain: u64,
}

impl<W: Write> Sealing<W> {
    /// `to` stands behind the header.
    pub(super) fn new(key: &DataKey, header: &Header, to: W) -> Self {
        let mut sha256 = digest::Context::new(&SHA256);
        sha256.update(&header.bytes());
        let mut chunk = Vec::with_capacity(header.chunk + OVERHEAD);
        chunk.resize(HEAD, 0);
        Self {
            cipher: Cipher::new(key, header),
            format: header.format,
            full: HEAD + header.chunk,
            chunk,
            next: 0,
            to,
            sha256,
            written: HEADER as u64,
            plain: 0,
        }
    }

    /// Bytes in the file, up to a chunk's end.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Samples per channel in the file. Of a file of Opus, none are known.
    pub(super) fn samples(&self) -> u64 {
        self.format.frame().map_or(0, |frame| self.plain / frame as u64)
    }

    /// Takes interleaved samples, for any format but Opus. Not inlined: `sayso-load count` counts its instructions
    /// by its name.
    #[inline(never)]
    pub(super) fn pcm(&mut self, mut samples: &[i16]) -> io::Result<()> {
        let width = self.format.frame().unwrap_or(4) / 2;
        while !samples.is_empty() {
            let room = (self.full - self.chunk.len()) / width;
            let (now, later) = samples.split_at(samples.len().min(room));
            match self.format {
                Format::Pcm16 => self.chunk.extend(now.iter().flat_map(|sample| sample.to_le_bytes())),
                Format::Ulaw => self.chunk.extend(now.iter().map(|sample| pcm_to_ulaw(*sample))),
                Format::Alaw => self.chunk.extend(now.iter().map(|sample| pcm_to_alaw(*sample))),
                Format::Opus => return Err(io::Error::other("samples for an Opus file: this is a bug")),
            }
            samples = later;
            self.flush_full()?;
        }
        Ok(())
    }

    /// Takes bytes of the content as they are.
    pub(super) fn bytes(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = self.full - self.chunk.len();
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.chunk.extend_from_slice(now);
            bytes = later;
            self.flush_full()?;
        }
        Ok(())
    }

    /// Writes what does not fill a chunk. No audio may follow.
    pub(super) fn flush_short(&mut self) -> io::Result<()> {
        if self.chunk.len() > HEAD { self.flush() } else { Ok(()) }
    }

    /// Writes the rest and the end.
    pub(super) fn end(&mut self, end: &End, salvaged: bool) -> io::Result<()> {
        self.flush_short()?;
        let sealed = self.cipher.end(self.next, end, salvaged);
        self.to.write_all(&sealed)?;
        self.sha256.update(&sealed);
        self.written += sealed.len() as u64;
        Ok(())
    }

    /// What it was written to, its size and its SHA-256 (hex).
    pub(super) fn into_parts(self) -> (W, u64, String) {
        (self.to, self.written, hex::encode(self.sha256.finish()))
    }

    fn flush_full(&mut self) -> io::Result<()> {
        if self.chunk.len() == self.full { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        let plain = self.chunk.len() - HEAD;
        let next = self.next.checked_add(1).ok_or_else(|| io::Error::other("2^32 chunks are the most"))?;
        self.cipher.seal(self.next, Kind::Audio, &mut self.chunk);
        self.to.write_all(&self.chunk)?;
        self.sha256.update(&self.chunk);
        self.written += self.chunk.len() as u64;
        self.plain += plain as u64;
        self.next = next;
        self.chunk.truncate(HEAD);
        Ok(())
    }
}
