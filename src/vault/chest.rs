//! A chest: a sealed file of any content, written once from its start to its end and read the same way; what is made for
//! people, and the archive of what was moved away.
//!
//! Header: `SAYSOBOX`, version u8 = 1, a zero octet, length of the note u16, id (16 octets), salt (32 random octets), the
//! note. Then chunks of 64 KiB of plaintext, each sealed by AES-256-GCM with its tag behind it; the last one is shorter,
//! and may be empty. The key is derived (HKDF-SHA-256) from the data key with the whole header as info, so no two files
//! share one; the nonce is the chunk's number and whether it is the last, after STREAM (Hoang et al., 2015). So no chunk
//! can be moved, and no end be cut off, without a fault. Numbers are little-endian, the counter is big-endian.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use ulid::Ulid;

use super::draft::Draft;
use super::error::VaultError;
use super::keys::fill;
use super::{Keyring, Vault, WrappedKey};
use crate::consent::DataKey;
use crate::ids::{RecordingId, TaskId};

const MAGIC: &[u8; 8] = b"SAYSOBOX";
const VERSION: u8 = 1;
/// Octets of the header before the note.
const FIXED: usize = 8 + 1 + 1 + 2 + 16 + 32;
/// Plaintext of a chunk.
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;

/// What was put into a chest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// How long it is.
    pub bytes: u64,
    /// SHA-256 (hex).
    pub sha256: String,
}

/// A chest that is being filled. It is in its place only after [`Filling::finish`].
pub struct Filling {
    draft: Draft,
    file: File,
    key: LessSafeKey,
    chunk: Vec<u8>,
    next: u32,
    bytes: u64,
    sha256: Context,
}

impl Filling {
    /// Begins one that is to lie at `out`; what an interrupted one left beside it is begun anew. Blocks, as all here does.
    ///
    /// # Errors
    /// When it cannot be made, another process fills it, or the note has more than 64 KiB.
    pub fn begin(out: &Path, id: TaskId, key: &DataKey, note: &[u8]) -> io::Result<Self> {
        let draft = Draft::open(out, ".part")?;
        let mut file = draft.file()?;
        file.set_len(0)?;
        let length = u16::try_from(note.len()).map_err(io::Error::other)?;
        let mut salt = [0; 32];
        fill(&mut salt);
        let mut header = Vec::with_capacity(FIXED + note.len());
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&[VERSION, 0]);
        header.extend_from_slice(&length.to_le_bytes());
        header.extend_from_slice(&ulid(id).to_bytes());
        header.extend_from_slice(&salt);
        header.extend_from_slice(note);
        file.write_all(&header)?;
        let key = derived(key, &header);
        let sha256 = Context::new(&SHA256);
        Ok(Self { draft, file, key, chunk: Vec::with_capacity(CHUNK + TAG), next: 0, bytes: 0, sha256 })
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let sealed = self.key.seal_in_place_append_tag(nonce(self.next, last), Aad::empty(), &mut self.chunk);
        sealed.map_err(|_| io::Error::other("a chunk is too long to be sealed"))?;
        self.file.write_all(&self.chunk)?;
        self.chunk.clear();
        self.next = self.next.checked_add(1).ok_or_else(|| io::Error::other("a chest is full"))?;
        Ok(())
    }

    /// Ends it and puts it into its place, durably.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(mut self, out: &Path) -> Result<Contents, VaultError> {
        self.seal(true).map_err(VaultError::io("write", out))?;
        let contents = Contents { bytes: self.bytes, sha256: hex::encode(self.sha256.finish()) };
        self.draft.finish(out)?;
        Ok(contents)
    }

    /// Gives it up; nothing is left of it.
    pub fn discard(self) {
        self.draft.discard();
    }
}

impl Write for Filling {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if octets.is_empty() {
            return Ok(0);
        }
        // A full chunk waits until something follows: the last one has another nonce.
        if self.chunk.len() == CHUNK {
            self.seal(false)?;
        }
        let taken = octets.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&octets[..taken]);
        self.sha256.update(&octets[..taken]);
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        // What is not a whole chunk cannot be sealed yet.
        Ok(())
    }
}

/// A chest that is read from its start to its end.
pub struct Chest {
    from: BufReader<File>,
    key: LessSafeKey,
    /// Sealed octets that are left.
    left: u64,
    next: u32,
    chunk: Vec<u8>,
    /// How much of `chunk` was given out.
    given: usize,
}

impl Chest {
    /// The id and the note of a chest; neither is proven before it is opened.
    ///
    /// # Errors
    /// When it cannot be read or is none.
    pub fn label(path: &Path) -> io::Result<(TaskId, Vec<u8>)> {
        let header = header(&mut File::open(path)?)?;
        Ok((TaskId::new(id_of(&header)), header[FIXED..].to_vec()))
    }

    /// Opens one that was filled under this id and key.
    ///
    /// # Errors
    /// When it cannot be read, or is another one.
    pub fn open(path: &Path, id: Ulid, key: &DataKey) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let header = header(&mut file)?;
        if id_of(&header) != id {
            return Err(damaged("it is another one"));
        }
        let left = file.metadata()?.len().saturating_sub(header.len() as u64);
        let (key, from) = (derived(key, &header), BufReader::with_capacity(CHUNK + TAG, file));
        Ok(Self { from, key, left, next: 0, chunk: Vec::new(), given: 0 })
    }

    /// Begins a chest of the archive: its key is wrapped by the archive's own keyring and lies in the chest, so that it
    /// opens without this installation.
    ///
    /// # Errors
    /// As [`Filling::begin`].
    pub fn begin_archived(out: &Path, id: TaskId, keys: &Keyring) -> io::Result<Filling> {
        let key = super::keys::draw();
        let wrapped = keys.wrap(as_recording(id), &key);
        Filling::begin(out, id, &key, &wrapped.0)
    }

    /// Opens a chest of the archive.
    ///
    /// # Errors
    /// When it is none, or its key is not in the keyring.
    pub fn open_archived(path: &Path, keys: &Keyring) -> Result<(TaskId, Self), VaultError> {
        let io = |error| VaultError::io("open", path)(error);
        let (id, wrapped) = Self::label(path).map_err(io)?;
        let key = keys.unwrap(as_recording(id), &WrappedKey(wrapped))?;
        Ok((id, Self::open(path, ulid(id), &key).map_err(io)?))
    }

    /// The next chunk, verified; `None`: that was the last one.
    ///
    /// # Errors
    /// When it cannot be read or does not verify.
    pub fn chunk(&mut self) -> io::Result<Option<&[u8]>> {
        if self.left == 0 {
            return if self.next == 0 { Err(damaged("it has no end")) } else { Ok(None) };
        }
        let length = self.left.min((CHUNK + TAG) as u64);
        let last = self.left == length;
        self.chunk.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        self.from.read_exact(&mut self.chunk)?;
        let opened = self.key.open_in_place(nonce(self.next, last), Aad::empty(), &mut self.chunk);
        let plain = opened.map_err(|_| damaged("a chunk does not verify, or its end is cut off"))?.len();
        self.chunk.truncate(plain);
        self.left -= length;
        self.next = self.next.checked_add(1).ok_or_else(|| damaged("it is too long"))?;
        Ok(Some(&self.chunk))
    }

    /// Reads it to its end.
    ///
    /// # Errors
    /// When it cannot be read or does not verify.
    pub fn contents(mut self, mut progress: impl FnMut(u64)) -> io::Result<Contents> {
        let (mut sha256, mut bytes) = (Context::new(&SHA256), 0);
        while let Some(chunk) = self.chunk()? {
            sha256.update(chunk);
            bytes += chunk.len() as u64;
            progress(bytes);
        }
        Ok(Contents { bytes, sha256: hex::encode(sha256.finish()) })
    }
}

impl Read for Chest {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.given == self.chunk.len() {
            self.given = 0;
            if self.chunk()?.is_none() {
                self.chunk.clear();
                return Ok(0);
            }
        }
        let taken = to.len().min(self.chunk.len() - self.given);
        to[..taken].copy_from_slice(&self.chunk[self.given..self.given + taken]);
        self.given += taken;
        Ok(taken)
    }
}

impl Vault {
    /// Where the chest of a task lies: beside the spool.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn chest(&self, id: TaskId) -> Result<PathBuf, VaultError> {
        let folder = self.chests_folder();
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(VaultError::io("create directory", &folder))?;
        Ok(folder.join(format!("{id}.box")))
    }

    /// All files of tasks' chests, whole or not, each with its task.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn chests(&self) -> Result<Vec<(TaskId, PathBuf)>, VaultError> {
        let folder = self.chests_folder();
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(VaultError::io("read directory", &folder))?,
        };
        let mut chests = Vec::new();
        for entry in entries {
            let path = entry.map_err(VaultError::io("read directory", &folder))?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let id = name.split_once(".box").and_then(|(id, _)| id.parse().ok());
            chests.extend(id.map(|id| (id, path)));
        }
        Ok(chests)
    }

    /// A data key for a task's chest, and how it is kept.
    #[must_use]
    pub fn draw_chest_key(&self, id: TaskId) -> (DataKey, WrappedKey) {
        let key = self.draw_key();
        let wrapped = self.keys.wrap(as_recording(id), &key);
        (key, wrapped)
    }

    /// Opens the chest of a task.
    ///
    /// # Errors
    /// When its key is not held here any more, or it is not there or damaged.
    pub fn open_chest(&self, id: TaskId, key: &WrappedKey) -> Result<Chest, VaultError> {
        let key = self.keys.unwrap(as_recording(id), key)?;
        let path = self.chest(id)?;
        Chest::open(&path, ulid(id), &key).map_err(VaultError::io("open", path))
    }

    fn chests_folder(&self) -> PathBuf {
        self.paths.dir().join("people")
    }
}

/// A keyring binds data keys to recordings; ids of both are drawn, and never meet.
pub(super) fn as_recording(id: TaskId) -> RecordingId {
    RecordingId::new(ulid(id))
}

fn ulid(id: TaskId) -> Ulid {
    Ulid::from_string(&id.to_string()).expect("an id's text is a ULID")
}

fn header(file: &mut File) -> io::Result<Vec<u8>> {
    let mut header = vec![0; FIXED];
    file.read_exact(&mut header)?;
    if header[..8] != *MAGIC || header[8] != VERSION {
        return Err(damaged("it is no chest of a version that is known here"));
    }
    let length = usize::from(u16::from_le_bytes([header[10], header[11]]));
    header.resize(FIXED + length, 0);
    file.read_exact(&mut header[FIXED..])?;
    Ok(header)
}

fn id_of(header: &[u8]) -> Ulid {
    Ulid::from_bytes(header[12..28].try_into().expect("sixteen octets of a header that has them"))
}

fn derived(key: &DataKey, header: &[u8]) -> LessSafeKey {
    let drawn = Salt::new(HKDF_SHA256, MAGIC).extract(key.bytes());
    let key = drawn.expand(&[header], &AES_256_GCM).map(UnboundKey::from);
    LessSafeKey::new(key.expect("a key's length is within HKDF's limit"))
}

fn nonce(n: u32, last: bool) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[7..11].copy_from_slice(&n.to_be_bytes());
    nonce[11] = u8::from(last);
    Nonce::assume_unique_for_key(nonce)
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the sealed file is damaged: {what}"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const ID: TaskId = TaskId::new(Ulid(7));

    fn key() -> DataKey {
        DataKey::new([5; 32])
    }

    fn filled(path: &Path, text: &[u8]) -> Contents {
        let mut filling = Filling::begin(path, ID, &key(), b"note").unwrap();
        for piece in text.chunks(10_007) {
            filling.write_all(piece).unwrap();
        }
        filling.finish(path).unwrap()
    }

    #[test]
    fn what_is_put_in_comes_out_whatever_its_length() {
        let dir = tempfile::tempdir().unwrap();
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 17] {
            let path = dir.path().join(format!("{length}.box"));
            let text: Vec<u8> = (0..length).map(|n| (n * 31 % 251) as u8).collect();
            let contents = filled(&path, &text);
            assert_eq!(contents.bytes, length as u64);
            assert_eq!(Chest::label(&path).unwrap(), (ID, b"note".to_vec()));
            let mut read = Vec::new();
            Chest::open(&path, ulid(ID), &key()).unwrap().read_to_end(&mut read).unwrap();
            assert!(read == text, "{length}");
            assert_eq!(Chest::open(&path, ulid(ID), &key()).unwrap().contents(|_| {}).unwrap(), contents);
            let sealed = std::fs::read(&path).unwrap();
            let plain: HashSet<&[u8]> = text.windows(32).take(251).collect();
            assert!(
                !sealed.windows(32).any(|part| plain.contains(part)),
                "{length}: nothing is in the clear"
            );
        }
    }

    #[test]
    fn what_is_changed_cut_or_moved_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.box");
        filled(&path, &vec![9; 2 * CHUNK + 5]);
        let whole = std::fs::read(&path).unwrap();
        let fails = |octets: &[u8], what: &str| {
            std::fs::write(&path, octets).unwrap();
            let read = Chest::open(&path, ulid(ID), &key()).and_then(|chest| chest.contents(|_| {}));
            assert!(read.is_err(), "{what}");
        };
        for at in [0, 8, 12, 30, FIXED + 1, FIXED + 10, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fails(&changed, &format!("octet {at}"));
        }
        let begin = FIXED + 4;
        let sealed = CHUNK + TAG;
        fails(&whole[..begin], "no chunk at all");
        fails(&whole[..begin + sealed], "cut behind a whole chunk");
        fails(&whole[..begin + 2 * sealed], "the last chunk is missing");
        fails(&whole[..whole.len() - 1], "an octet is missing");
        fails(&[&whole[..], b"x"].concat(), "an octet too many");
        let swapped = [
            &whole[..begin],
            &whole[begin + sealed..begin + 2 * sealed],
            &whole[begin..begin + sealed],
            &whole[begin + 2 * sealed..],
        ];
        fails(&swapped.concat(), "chunks swapped");
        std::fs::write(&path, &whole).unwrap();
        assert!(Chest::open(&path, Ulid(8), &key()).is_err(), "of another task");
        let other = Chest::open(&path, ulid(ID), &DataKey::new([6; 32])).unwrap();
        assert!(other.contents(|_| {}).is_err(), "another key");
    }

    #[test]
    fn an_unfinished_one_is_not_in_its_place_and_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.box");
        let mut half = Filling::begin(&path, ID, &key(), b"").unwrap();
        half.write_all(&vec![1; 3 * CHUNK]).unwrap();
        drop(half);
        assert!(!path.exists());
        filled(&path, b"whole");
        let mut read = String::new();
        Chest::open(&path, ulid(ID), &key()).unwrap().read_to_string(&mut read).unwrap();
        assert_eq!(read, "whole");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
    }
}
