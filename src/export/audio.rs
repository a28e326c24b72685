//! A recording's audio in the clear, wherever it lies: the spool, the object store sealed by us, or plain in a store
//! that encrypts by itself.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use futures_util::stream::{BoxStream, try_unfold};
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::ids::RecordingId;
use crate::store::{RecordingRow, StoredObject};
use crate::vault::objects::{ObjectError, Objects};
use crate::vault::{Format, Reader, Source, Vault, VaultError, WrappedKey};

/// Why there is no audio. No personal data.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// Nothing whole is there yet, or nothing was captured.
    #[error("the recording is {0}: there is no whole file of it")]
    NotWhole(String),
    /// It broke.
    #[error("the recording failed: {0}")]
    Failed(String),
    /// Its key is gone.
    #[error("the recording is destroyed")]
    Destroyed,
    /// It lies in the spool of another server, which has not handed it to the object store yet.
    #[error(
        "the recording is still in the spool {0} of another server: wait for its upload, or ask that server"
    )]
    Elsewhere(String),
    /// The object store does not answer; that passes.
    #[error("the object store does not answer: {0}")]
    Away(#[source] ObjectError),
    /// What is there is not what was put there, or is not there at all.
    #[error("{0}")]
    Damaged(String),
    /// The file it is copied to cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Unwritten {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It cannot be read for another reason.
    #[error(transparent)]
    Vault(VaultError),
}

impl AudioError {
    /// Whether somebody has to look at the recording.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_))
    }
}

impl From<VaultError> for AudioError {
    fn from(error: VaultError) -> Self {
        if let VaultError::Object(error) = error {
            return error.into();
        }
        let damage = matches!(
            error,
            VaultError::NotARecording { .. }
                | VaultError::Misplaced { .. }
                | VaultError::Tampered { .. }
                | VaultError::Truncated { .. }
                | VaultError::Trailing { .. }
                | VaultError::Inconsistent { .. }
                | VaultError::NotAsStored { .. }
                | VaultError::NotFound(_)
                | VaultError::WrongKey(_)
        );
        if damage { Self::Damaged(error.to_string()) } else { Self::Vault(error) }
    }
}

impl From<ObjectError> for AudioError {
    fn from(error: ObjectError) -> Self {
        let damage = matches!(error, ObjectError::NotFound { .. } | ObjectError::Corrupt { .. });
        if damage { Self::Damaged(error.to_string()) } else { Self::Away(error) }
    }
}

/// A recording that can be read.
pub struct Audio {
    lies: Lies,
    length: u64,
    content_type: &'static str,
    tag: String,
}

enum Lies {
    Sealed(Reader),
    /// `sha256`: of the whole, as it was put there.
    Plain {
        objects: Objects,
        name: String,
        id: RecordingId,
        sha256: String,
    },
}

impl Audio {
    /// Opens a recording.
    ///
    /// # Errors
    /// See [`AudioError`].
    pub async fn open(row: &RecordingRow, vault: &Vault, objects: &Objects) -> Result<Self, AudioError> {
        let state = row.state.as_str();
        match state {
            "finished" | "stored" => {}
            "destroyed" | "removed" => return Err(AudioError::Destroyed),
            "failed" => return Err(AudioError::Failed(row.why.clone().unwrap_or_default())),
            // Armed, recording, discarded.
            _ => return Err(AudioError::NotWhole(state.to_owned())),
        }
        let tag = row.sha256.clone().unwrap_or_default();
        let source = match &row.object {
            Some(object) if object.encryption == "store" => return plain(row.id, object, objects).await,
            Some(object) => {
                Source::Object { objects: objects.clone(), name: object.name.clone(), bytes: object.bytes }
            }
            None => match vault.spooled(row.id)? {
                Some(file) => Source::Spool(file),
                None => return Err(absent(row, vault)),
            },
        };
        let key = row.wrapped_key.clone().ok_or(AudioError::Destroyed)?;
        let reader = vault.read(source, row.id, &WrappedKey(key.0), row.samples).await?;
        let content_type = match reader.info().format {
            Format::Opus => "audio/ogg",
            Format::Pcm16 | Format::Ulaw | Format::Alaw => "audio/wav",
        };
        Ok(Self { length: reader.info().bytes, content_type, tag, lies: Lies::Sealed(reader) })
    }

    /// Its length in bytes, as WAV or Ogg.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// `audio/wav` or `audio/ogg`.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// SHA-256 (hex) of the file it lies in, sealed or plain: the same audio has the same.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Some of its bytes. Dropping the stream stops the reading.
    ///
    /// Of a sealed recording each byte is verified before it comes. A plain object has only a hash of the whole: what of
    /// it is read from the start to the end is compared with that, and a stream that does not fit ends in
    /// [`AudioError::Damaged`] before its last piece; of any other range it is known only that the store still has the
    /// version and the size that were put there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn stream(&self, range: Range<u64>) -> Result<Pieces, AudioError> {
        match &self.lies {
            Lies::Sealed(reader) => Ok(reader.stream(range).map_err(AudioError::from).boxed()),
            Lies::Plain { objects, name, id, sha256 } => {
                let stream = objects.get(name, range.clone()).await?.map_err(AudioError::from).boxed();
                let whole = range == (0..self.length);
                Ok(if whole { compared(stream, *id, sha256.clone()) } else { stream })
            }
        }
    }

    /// All of it, in memory.
    ///
    /// # Errors
    /// As [`Self::stream`].
    pub async fn read(&self) -> Result<Vec<u8>, AudioError> {
        let mut all = Vec::new();
        let mut stream = self.stream(0..self.length).await?;
        while let Some(bytes) = stream.try_next().await? {
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }

    /// Writes it to `out`, mode 0600, whole or not at all; gives its SHA-256 (hex). What an interrupted export left
    /// is used. `progress` gets bytes done and in all.
    ///
    /// # Errors
    /// As [`Self::stream`], and when `out` cannot be written.
    pub async fn export(
        &self,
        id: RecordingId,
        out: &Path,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<String, AudioError> {
        match &self.lies {
            Lies::Sealed(reader) => Ok(reader.export(out, progress).await?.sha256),
            Lies::Plain { sha256, .. } => {
                super::plain::copy(self, id, sha256, out, progress).await?;
                Ok(sha256.clone())
            }
        }
    }
}

/// A plain object: that of the row, or none.
async fn plain(id: RecordingId, object: &StoredObject, objects: &Objects) -> Result<Audio, AudioError> {
    let StoredObject { name, version, bytes, checksum, .. } = object;
    if checksum.len() != 64 || !checksum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(AudioError::Damaged(format!("recording {id} was stored without its SHA-256")));
    }
    let Some(head) = objects.head(name).await? else {
        return Err(ObjectError::NotFound { name: name.clone() }.into());
    };
    if head.bytes != *bytes {
        let what = format!("the object of recording {id} has {} bytes, {bytes} were stored", head.bytes);
        return Err(AudioError::Damaged(what));
    }
    if version.is_some() && head.version != *version {
        let what =
            format!("the object of recording {id} was written over: it is not the version that was stored");
        return Err(AudioError::Damaged(what));
    }
    let content_type = if name.ends_with(".ogg") { "audio/ogg" } else { "audio/wav" };
    let sha256 = checksum.to_ascii_lowercase();
    let tag = sha256.clone();
    let lies = Lies::Plain { objects: objects.clone(), name: name.clone(), id, sha256 };
    Ok(Audio { lies, length: *bytes, content_type, tag })
}

type Pieces = BoxStream<'static, Result<Bytes, AudioError>>;

/// The same pieces, the last one only if all of them have this hash.
fn compared(stream: Pieces, id: RecordingId, sha256: String) -> Pieces {
    struct Compared {
        stream: Pieces,
        held: Option<Bytes>,
        hash: Context,
        id: RecordingId,
        sha256: String,
    }
    // Asked once more after its end.
    let stream = stream.fuse().boxed();
    let start = Compared { stream, held: None, hash: Context::new(&SHA256), id, sha256 };
    let next = |mut it: Compared| async move {
        loop {
            match it.stream.try_next().await? {
                Some(piece) => {
                    it.hash.update(&piece);
                    if let Some(before) = it.held.replace(piece) {
                        return Ok(Some((before, it)));
                    }
                }
                None => {
                    let found = hex::encode(it.hash.clone().finish());
                    if found != it.sha256 {
                        return Err(not_as_stored(it.id, &found, &it.sha256));
                    }
                    return Ok(it.held.take().map(|last| (last, it)));
                }
            }
        }
    };
    try_unfold(start, next).boxed()
}

pub(super) fn not_as_stored(id: RecordingId, found: &str, stored: &str) -> AudioError {
    AudioError::Damaged(format!(
        "the object of recording {id} is not what was stored: its SHA-256 is {found}, and was {stored}"
    ))
}

/// A row says that its file is in a spool, and it is not in ours.
fn absent(row: &RecordingRow, vault: &Vault) -> AudioError {
    match &row.spool {
        Some(spool) if spool != vault.spool_id() => AudioError::Elsewhere(spool.clone()),
        Some(_) | None => AudioError::Damaged(format!("recording {} is not in the spool any more", row.id)),
    }
}

/// How a file of this type is named.
#[must_use]
pub fn extension(content_type: &str) -> &'static str {
    if content_type == "audio/ogg" { "ogg" } else { "wav" }
}
