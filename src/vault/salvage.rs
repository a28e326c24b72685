//! Salvage: a file that a crash left in the spool becomes a whole recording, as far as it verifies.
//!
//! What a crash leaves is known: of a killed process, a last chunk that is cut short; of a machine
//! that lost power, zeros where data had not reached the disk. Only that is cut off. Anything else
//! that does not verify is damage or tampering, and the file is left for a person to look at.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use aws_lc_rs::digest::{self, SHA256};

use super::spool::{FRAME, Fault, HEAD, HEADER, Header, Opener, Piece, Sealer, TAG};
use super::{Finished, Paths, VaultError};
use crate::consent::DataKey;
use crate::ids::RecordingId;
use crate::media::tap::End;
use crate::time::Clock;

pub(super) fn salvage(
    paths: &Paths,
    id: RecordingId,
    key: &DataKey,
    clock: Clock,
) -> Result<Finished, VaultError> {
    let (part, rec) = (paths.part(id), paths.rec(id));
    let mut found = None;
    for path in [&part, &rec] {
        match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => found = found.or(Some((path, file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(VaultError::io("open", path)(error)),
        }
    }
    let (path, mut file) = found.ok_or(VaultError::NotFound(id))?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => VaultError::InUse(id),
        TryLockError::Error(error) => VaultError::io("lock", path)(error),
    })?;
    let io = |what| VaultError::io(what, path);
    let (end, salvaged) = if path == &part {
        let ended = mend(&mut file, path, id, key)?;
        file.sync_all().map_err(io("sync"))?;
        ended
    } else {
        // It was put in its place before the crash: nothing may be changed there.
        let survey = survey(&mut file, path, id, key)?;
        let (end, salvaged) = survey.last.ok_or(VaultError::Truncated { id, at: survey.at })?;
        (end, salvaged.then_some(0))
    };
    let (bytes, sha256) = digest(&mut file).map_err(io("read"))?;
    if path == &part {
        paths.settle(id)?;
    }
    let End { samples, gaps, unlisted } = end;
    Ok(Finished { id, at: clock.now(), samples, bytes, sha256, gaps, unlisted, salvaged })
}

/// Cuts a torn tail and writes the last chunk, where that is needed; tells how the recording ends
/// and how many bytes were cut if it had no end.
fn mend(
    file: &mut File,
    path: &Path,
    id: RecordingId,
    key: &DataKey,
) -> Result<(End, Option<u64>), VaultError> {
    let io = |what| VaultError::io(what, path);
    let size = file.metadata().map_err(io("look at"))?.len();
    if size < HEADER as u64 {
        // It crashed in its first write: nothing was sealed yet, a new header will do.
        file.set_len(0).and_then(|()| file.write_all(&Header::draw(id).bytes())).map_err(io("write"))?;
    }
    let survey = survey(file, path, id, key)?;
    if let Some((end, salvaged)) = survey.last {
        return Ok((end, salvaged.then_some(0)));
    }
    let end = End { samples: survey.samples, ..End::default() };
    let mut sealed = Vec::new();
    Sealer::new(key, &survey.header, survey.chunks).last(&end, true, &mut sealed);
    file.set_len(survey.at)
        .and_then(|()| file.seek(SeekFrom::Start(survey.at)))
        .and_then(|_| file.write_all(&sealed))
        .map_err(io("write"))?;
    Ok((end, Some(size.saturating_sub(survey.at))))
}

/// What of a file verifies.
struct Survey {
    header: Header,
    /// Chunks that verify, and where they end.
    chunks: u32,
    at: u64,
    /// Samples per channel in them.
    samples: u64,
    /// The last chunk, and whether salvage wrote it.
    last: Option<(End, bool)>,
}

fn survey(file: &mut File, path: &Path, id: RecordingId, key: &DataKey) -> Result<Survey, VaultError> {
    let io = |what| VaultError::io(what, path);
    file.seek(SeekFrom::Start(0)).map_err(io("read"))?;
    let mut reader = BufReader::new(&*file);
    let header = read_header(&mut reader, path, id)?;
    let mut opener = Opener::new(key, &header, reader);
    let mut samples = 0;
    let fault = loop {
        match opener.next() {
            Ok(Piece::Audio(audio)) => samples += (audio.len() / FRAME) as u64,
            Ok(Piece::Last { end, salvaged }) => {
                let (chunks, at) = (opener.chunk(), opener.at());
                check_end(id, samples, at, &end, opener.into_inner(), path)?;
                return Ok(Survey { header, chunks, at, samples, last: Some((end, salvaged)) });
            }
            Err(fault) => break fault,
        }
    };
    let (chunks, at) = (opener.chunk(), opener.at());
    match fault {
        Fault::Torn => {}
        Fault::Io(error) => return Err(io("read")(error)),
        Fault::Bad => {
            if !ends_in_zeros(file, at).map_err(io("read"))? {
                return Err(VaultError::Tampered { id, chunk: chunks, at });
            }
        }
    }
    Ok(Survey { header, chunks, at, samples, last: None })
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

/// Checks that length and metadata agree and that the file ends with its last chunk, at `at`.
pub(super) fn check_end(
    id: RecordingId,
    samples: u64,
    at: u64,
    end: &End,
    mut rest: impl Read,
    path: &Path,
) -> Result<(), VaultError> {
    if end.samples != samples {
        return Err(VaultError::Inconsistent { id, found: samples, said: end.samples });
    }
    match rest.read(&mut [0; 1]) {
        Ok(0) => Ok(()),
        Ok(_) => Err(VaultError::Trailing { id, at }),
        Err(error) => Err(VaultError::io("read", path)(error)),
    }
}

/// Whether the chunk at `at` lost its end to zeros, and all after it: pages that never reached the
/// disk.
fn ends_in_zeros(file: &mut File, at: u64) -> io::Result<bool> {
    file.seek(SeekFrom::Start(at))?;
    let mut reader = BufReader::new(file);
    let mut head = [0; HEAD];
    if reader.read_exact(&mut head).is_ok() {
        let length = u64::from(u32::from_le_bytes([head[1], head[2], head[3], 0]));
        let tag = length.saturating_sub(TAG as u64);
        io::copy(&mut reader.by_ref().take(tag), &mut io::sink())?;
    }
    let mut bytes = [0; 4096];
    loop {
        match reader.read(&mut bytes)? {
            0 => return Ok(true),
            n if bytes[..n].iter().any(|byte| *byte != 0) => return Ok(false),
            _ => {}
        }
    }
}

/// Size and SHA-256 (hex) of a file.
fn digest(file: &mut File) -> io::Result<(u64, String)> {
    file.seek(SeekFrom::Start(0))?;
    let mut context = digest::Context::new(&SHA256);
    let (mut bytes, mut size) = (vec![0; 64 * 1024], 0);
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok((size, hex::encode(context.finish()))),
            n => {
                context.update(&bytes[..n]);
                size += n as u64;
            }
        }
    }
}
