//! Reading: a finished recording in the clear, as a WAV file or in memory, every chunk verified.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::salvage::{check_end, read_header};
use super::spool::{Fault, Opener, Piece};
use super::{Paths, VaultError, sync_dir};
use crate::consent::DataKey;
use crate::ids::RecordingId;
use crate::media::tap::{End, Gap};

/// A recording that was written out in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Length of each channel, in samples at 8 kHz.
    pub samples: u64,
    /// Size of the WAV file.
    pub bytes: u64,
    /// Stretches of silence that nobody spoke.
    pub gaps: Vec<Gap>,
    /// It was cut short by a crash and salvaged.
    pub salvaged: bool,
}

const WAV: hound::WavSpec = hound::WavSpec {
    channels: 2,
    sample_rate: 8_000,
    bits_per_sample: 16,
    sample_format: hound::SampleFormat::Int,
};

pub(super) fn export(
    paths: &Paths,
    id: RecordingId,
    key: &DataKey,
    out: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Exported, VaultError> {
    let mut draft = OsString::from(out);
    draft.push(".part");
    let draft = PathBuf::from(draft);
    let written = export_to(paths, id, key, &draft, progress).and_then(|exported| {
        fs::rename(&draft, out).map_err(VaultError::io("move the export to", out))?;
        sync_dir(&fs::canonicalize(out).unwrap_or_else(|_| out.into()))?;
        Ok(exported)
    });
    if written.is_err() {
        let _ = fs::remove_file(&draft); // it may not be there
    }
    written
}

fn export_to(
    paths: &Paths,
    id: RecordingId,
    key: &DataKey,
    draft: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Exported, VaultError> {
    let mut source = Source::open(paths, id)?;
    if source.size > u64::from(u32::MAX) - 1024 {
        return Err(VaultError::TooLong(id));
    }
    let io = |what| VaultError::io(what, draft);
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(draft);
    let file = file.map_err(io("create"))?;
    let bad = |error| {
        let error = if let hound::Error::IoError(error) = error { error } else { io::Error::other(error) };
        VaultError::io("write", draft)(error)
    };
    let mut wav = hound::WavWriter::new(BufWriter::new(&file), WAV).map_err(bad)?;
    let (end, salvaged) = source.read(key, &mut |audio, done, all| {
        let mut samples = wav.get_i16_writer((audio.len() / 2) as u32);
        for sample in audio.chunks_exact(2) {
            samples.write_sample(i16::from_le_bytes([sample[0], sample[1]]));
        }
        samples.flush().map_err(bad)?;
        progress(done, all);
        Ok(())
    })?;
    wav.finalize().map_err(bad)?;
    file.sync_all().map_err(io("sync"))?;
    let bytes = file.metadata().map_err(io("look at"))?.len();
    progress(source.size, source.size);
    Ok(Exported { samples: end.samples, bytes, gaps: end.gaps, salvaged })
}

pub(super) fn read_pcm(
    paths: &Paths,
    id: RecordingId,
    key: &DataKey,
) -> Result<(Vec<i16>, Vec<i16>), VaultError> {
    let (mut caller, mut agent) = (Vec::new(), Vec::new());
    Source::open(paths, id)?.read(key, &mut |audio, _, _| {
        for frame in audio.chunks_exact(4) {
            caller.push(i16::from_le_bytes([frame[0], frame[1]]));
            agent.push(i16::from_le_bytes([frame[2], frame[3]]));
        }
        Ok(())
    })?;
    Ok((caller, agent))
}

/// Takes interleaved PCM16, bytes of the file done, and in all.
type Audio<'a> = dyn FnMut(&[u8], u64, u64) -> Result<(), VaultError> + 'a;

/// A finished recording's file.
struct Source {
    id: RecordingId,
    path: PathBuf,
    file: File,
    size: u64,
}

impl Source {
    fn open(paths: &Paths, id: RecordingId) -> Result<Self, VaultError> {
        let path = paths.rec(id);
        let unfinished = paths.part(id).exists();
        let missing = if unfinished { VaultError::Unfinished(id) } else { VaultError::NotFound(id) };
        let file = File::open(&path);
        let file = file.map_err(VaultError::io_or(io::ErrorKind::NotFound, missing, "open", &path))?;
        let size = file.metadata().map_err(VaultError::io("look at", &path))?.len();
        Ok(Self { id, path, file, size })
    }

    /// Gives all audio to `audio`, in order; then how it ended, and whether it was salvaged. What
    /// was given is right only if all of it is.
    fn read(&mut self, key: &DataKey, audio: &mut Audio<'_>) -> Result<(End, bool), VaultError> {
        let Self { id, path, file, size } = self;
        let mut reader = BufReader::with_capacity(128 * 1024, &*file);
        let header = read_header(&mut reader, path, *id)?;
        let mut opener = Opener::new(key, &header, reader);
        let mut samples = 0;
        loop {
            let (chunk, at) = (opener.chunk(), opener.at());
            match opener.next() {
                Ok(Piece::Audio(plain)) => {
                    samples += plain.len() as u64 / 4;
                    audio(plain, at, *size)?;
                }
                Ok(Piece::Last { end, salvaged }) => {
                    let at = opener.at();
                    check_end(*id, samples, at, &end, opener.into_inner(), path)?;
                    return Ok((end, salvaged));
                }
                Err(Fault::Torn) => return Err(VaultError::Truncated { id: *id, at }),
                Err(Fault::Bad) => return Err(VaultError::Tampered { id: *id, chunk, at }),
                Err(Fault::Io(error)) => return Err(VaultError::io("read", &*path)(error)),
            }
        }
    }
}
