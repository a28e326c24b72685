//! A whole sealed file from its beginning to its end, every chunk verified; blocks.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::VaultError;
use super::sealed::{Fault, HEADER, Header, Opener, Piece};
use crate::consent::DataKey;
use crate::ids::RecordingId;
use crate::media::tap::End;

/// Takes a piece of the audio, and where in the file it ended. What it was given is right only if all of it is.
pub(super) type Each<'a> = &'a mut dyn FnMut(&[u8], u64) -> Result<(), VaultError>;

/// A file that is read once.
pub(super) struct Walk {
    pub(super) header: Header,
    pub(super) size: u64,
    from: BufReader<File>,
    path: PathBuf,
}

impl Walk {
    /// Reads the header. An error of kind `NotFound` means `missing`.
    pub(super) fn open(path: PathBuf, id: RecordingId, missing: VaultError) -> Result<Self, VaultError> {
        let file = File::open(&path);
        let file = file.map_err(VaultError::io_or(io::ErrorKind::NotFound, missing, "open", &path))?;
        let size = file.metadata().map_err(VaultError::io("look at", &path))?.len();
        let mut from = BufReader::with_capacity(128 * 1024, file);
        let header = read_header(&mut from, &path, id)?;
        Ok(Self { header, size, from, path })
    }

    /// Gives all audio to `each`, in order; then how it ended, and whether it was salvaged.
    pub(super) fn run(self, key: &DataKey, each: Each<'_>) -> Result<(End, bool), VaultError> {
        let Self { header, from, path, .. } = self;
        let id = header.id;
        let mut opener = Opener::new(key, &header, from);
        loop {
            let (chunk, at) = (opener.chunk(), opener.at());
            match opener.next() {
                Ok(Piece::Audio(plain)) => each(plain, at)?,
                Ok(Piece::Last { end, salvaged }) => {
                    let (at, plain) = (opener.at(), opener.plain());
                    check_end(&header, plain, at, &end, opener.into_inner(), &path)?;
                    return Ok((end, salvaged));
                }
                Err(Fault::Torn) => return Err(VaultError::Truncated { id, at }),
                Err(Fault::Bad) => return Err(VaultError::Tampered { id, chunk, at }),
                Err(Fault::Io(error)) => return Err(VaultError::io("read", path)(error)),
            }
        }
    }
}

/// Reads and checks the header, which must be `id`'s.
pub(super) fn read_header(from: &mut impl Read, path: &Path, id: RecordingId) -> Result<Header, VaultError> {
    let mut bytes = [0; HEADER];
    let foreign = || VaultError::NotARecording { path: path.into() };
    let read = from.read_exact(&mut bytes);
    read.map_err(VaultError::io_or(io::ErrorKind::UnexpectedEof, foreign(), "read", path))?;
    let header = Header::parse(&bytes).ok_or_else(foreign)?;
    if header.id != id {
        return Err(VaultError::Misplaced { path: path.into(), id, found: header.id });
    }
    Ok(header)
}

/// Checks that length and metadata agree and that nothing follows the end, which is at `at`.
pub(super) fn check_end(
    header: &Header,
    plain: u64,
    at: u64,
    end: &End,
    mut rest: impl Read,
    path: &Path,
) -> Result<(), VaultError> {
    check_samples(header, plain, end)?;
    match rest.read(&mut [0; 1]) {
        Ok(0) => Ok(()),
        Ok(_) => Err(VaultError::Trailing { id: header.id, at }),
        Err(error) => Err(VaultError::io("read", path)(error)),
    }
}

/// Checks that as much audio is there as the metadata says. Of Opus only its encoder can tell.
pub(super) fn check_samples(header: &Header, plain: u64, end: &End) -> Result<(), VaultError> {
    match header.format.frame().map(|frame| plain / frame as u64) {
        Some(found) if found != end.samples => {
            Err(VaultError::Inconsistent { id: header.id, found, said: end.samples })
        }
        Some(_) | None => Ok(()),
    }
}
