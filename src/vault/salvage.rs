//! Salvage: a file that a crash left in the spool becomes a whole recording, as far as it verifies.
//!
//! What a crash leaves is known: of a killed process, a last chunk that is cut short; of a machine
//! that lost power, zeros where data had not reached the disk. Only that is cut off. Anything else
//! that does not verify is damage or tampering, and the file is left for a person to look at.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use aws_lc_rs::digest::{self, SHA256};

use super::sealed::{Cipher, Fault, Format, HEAD, HEADER, Header, Opener, Piece, TAG, TRAILER};
use super::spool::Paths;
use super::walk::{check_end, read_header};
use super::{Finished, VaultError};
use crate::consent::DataKey;
use crate::ids::RecordingId;
use crate::media::tap::End;
use crate::time::Clock;

/// What a disk writes whole or not at all, in bytes.
const SECTOR: u64 = 512;

pub(super) fn salvage(
    paths: &Paths,
    id: RecordingId,
    key: &DataKey,
    format: Format,
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
    if path == &part && rec.exists() {
        // Nobody makes both; a whole one is not replaced by what is less.
        return Err(VaultError::Exists(id));
    }
    let (end, salvaged) = if path == &part {
        let ended = mend(&mut file, path, id, key, format)?;
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
    format: Format,
) -> Result<(End, Option<u64>), VaultError> {
    let io = |what| VaultError::io(what, path);
    let size = file.metadata().map_err(io("look at"))?.len();
    if size < HEADER as u64 || begins_with_zeros(file).map_err(io("read"))? {
        // It crashed in its first write, or power was lost before that write reached the disk. Nothing was sealed yet,
        // or nobody can open what was: its nonces are gone. A new header will do.
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(&Header::draw(id, format).bytes()))
            .map_err(io("write"))?;
    }
    let survey = survey(file, path, id, key)?;
    if let Some((end, salvaged)) = survey.last {
        return Ok((end, salvaged.then_some(0)));
    }
    let Some(frame) = survey.header.format.frame() else {
        // What is written while a call goes on is no Opus.
        return Err(VaultError::NotARecording { path: path.into() });
    };
    let end = End { samples: survey.plain / frame as u64, ..End::default() };
    let sealed = Cipher::new(key, &survey.header).end(survey.chunks, &end, true);
    file.set_len(survey.at)
        .and_then(|()| file.seek(SeekFrom::Start(survey.at)))
        .and_then(|_| file.write_all(&sealed))
        .map_err(io("write"))?;
    Ok((end, Some(size.saturating_sub(survey.at))))
}

/// Whether the first sector, header and all, never reached the disk.
fn begins_with_zeros(file: &mut File) -> io::Result<bool> {
    let mut first = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    Read::by_ref(file).take(SECTOR).read_to_end(&mut first)?;
    Ok(first.iter().all(|byte| *byte == 0))
}

/// What of a file verifies.
struct Survey {
    header: Header,
    /// Chunks of audio that verify, and where they end.
    chunks: u32,
    at: u64,
    /// Bytes of audio in them.
    plain: u64,
    /// The last chunk, and whether salvage wrote it.
    last: Option<(End, bool)>,
}

fn survey(file: &mut File, path: &Path, id: RecordingId, key: &DataKey) -> Result<Survey, VaultError> {
    let io = |what| VaultError::io(what, path);
    file.seek(SeekFrom::Start(0)).map_err(io("read"))?;
    let mut reader = BufReader::new(&*file);
    let header = read_header(&mut reader, path, id)?;
    let mut opener = Opener::new(key, &header, reader);
    let fault = loop {
        match opener.next() {
            Ok(Piece::Audio(_)) => {}
            Ok(Piece::Last { end, salvaged }) => {
                let (chunks, at, plain) = (opener.chunk(), opener.at(), opener.plain());
                check_end(&header, plain, at, &end, opener.into_inner(), path)?;
                return Ok(Survey { header, chunks, at, plain, last: Some((end, salvaged)) });
            }
            Err(fault) => break fault,
        }
    };
    let (chunks, at, plain) = (opener.chunk(), opener.at(), opener.plain());
    match fault {
        Fault::Torn => {}
        Fault::Io(error) => return Err(io("read")(error)),
        Fault::Bad => {
            if !ends_in_zeros(file, at).map_err(io("read"))? {
                return Err(VaultError::Tampered { id, chunk: chunks, at });
            }
        }
    }
    Ok(Survey { header, chunks, at, plain, last: None })
}

/// Whether the chunk at `at` lost its end to zeros, and all after it: pages that never reached the
/// disk. They begin at the boundary of a sector, or take its whole tag along.
fn ends_in_zeros(file: &mut File, at: u64) -> io::Result<bool> {
    file.seek(SeekFrom::Start(at))?;
    let mut reader = BufReader::new(file);
    let (mut here, mut zeros) = (at, at);
    let mut first = [0; HEAD];
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        let read = bytes.len();
        for (n, byte) in bytes.iter().enumerate() {
            if let Some(place) = usize::try_from(here + n as u64 - at).ok().filter(|place| *place < HEAD) {
                first[place] = *byte;
            }
        }
        if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
            zeros = here + last as u64 + 1;
        }
        here += read as u64;
        reader.consume(read);
    }
    let length = u64::from(u32::from_le_bytes([first[1], first[2], first[3], 0]));
    let tag = at + HEAD as u64 + length.saturating_sub(TAG as u64);
    let end = (at + (HEAD + TRAILER) as u64 + length).min(here);
    Ok(zeros <= tag || zeros.next_multiple_of(SECTOR) < end)
}

/// Size and SHA-256 (hex) of a file.
pub(super) fn digest(file: &mut File) -> io::Result<(u64, String)> {
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
