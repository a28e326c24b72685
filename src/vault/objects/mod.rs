//! Where finished recordings are kept: an S3 bucket or a folder, behind one set of promises. A name is never
//! overwritten, what was put is proven to be there byte by byte, and what was removed is proven to be gone by
//! listing everything the store can still hold of it.
//!
//! Names are relative to the configured prefix (or folder) and hold no personal data:
//! `recordings/yyyy/mm/dd/<ULID>.rec`, segments `recordings/yyyy/mm/dd/<ULID>.seg/<6 digits>`.

mod content;
mod error;
mod folder;
mod probe;
mod s3;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::ids::RecordingId;
use crate::time::Timestamp;

pub use content::Content;
pub use error::ObjectError;
pub use s3::settings::{Lock, LockMode, S3Settings, Sse};

use folder::Folder;
use s3::S3;

/// Which store, and how it is reached.
#[derive(Clone, Debug)]
pub enum ObjectsConfig {
    /// A folder of this machine, or one that is mounted.
    Folder {
        /// Made when it is missing.
        dir: PathBuf,
    },
    /// A bucket.
    S3(Box<S3Settings>),
}

/// The object store. Cheap to clone; all clones share connections and the bandwidth limit.
#[derive(Clone)]
pub struct Objects(Store);

#[derive(Clone)]
enum Store {
    Folder(Arc<Folder>),
    S3(Arc<S3>),
}

/// What is said about an object when it is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Whose it is: becomes the tag `sayso-recording`.
    pub recording: RecordingId,
    /// SHA-256 (hex) of the whole. Without it the content is read once more to find it; with it, content that
    /// does not have it is refused.
    pub sha256: Option<String>,
    /// As in HTTP.
    pub content_type: &'static str,
    /// What is locked and what is not.
    pub class: ObjectClass,
}

/// See [`About::class`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectClass {
    /// A whole recording: gets the configured Object Lock.
    Recording,
    /// A piece of one that goes on: goes when the whole is stored, so it gets no lock.
    Segment,
    /// Where the audit log ended: locked as recordings are. It is of no recording and says none in its tags.
    Anchor,
}

/// An object that was put, and is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Its version, where the store keeps versions.
    pub version: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 (hex) of the whole.
    pub checksum: String,
    /// How it is known to be there unharmed.
    pub proof: Proof,
}

/// See [`Put::proof`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The store computed the checksum of what it keeps, and it is ours.
    Checksum,
    /// The store tells no checksum: the whole was read back and compared.
    ReadBack,
}

/// What the store says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its size.
    pub bytes: u64,
    /// SHA-256 (hex) of the whole as it was said when it was put; `None`: somebody else put it.
    pub sha256: Option<String>,
    /// Its version, where the store keeps versions.
    pub version: Option<String>,
    /// Nobody deletes it before, except that governance can be lifted.
    pub locked_until: Option<Timestamp>,
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In the order of their names (of the bytes).
    pub objects: Vec<Listed>,
    /// Whether there are more after the last one.
    pub more: bool,
}

/// An object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// When it was put.
    pub modified: Timestamp,
}

/// What is to be removed or looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// One object of exactly this name.
    Name(&'a str),
    /// All whose names begin with this and a slash. It may end with the slash itself.
    Below(&'a str),
}

/// What [`Objects::remove`] took away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Objects, each version for itself.
    pub versions: u64,
    /// Delete markers.
    pub delete_markers: u64,
    /// Unfinished uploads.
    pub uploads: u64,
    /// Names of all these, each once, in order.
    pub names: Vec<String>,
}

/// Something the store still holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Of which object.
    pub name: String,
    /// Its version, where the store keeps versions; for an upload, the store's name of it.
    pub version: Option<String>,
    /// What it is.
    pub kind: TraceKind,
    /// Its size; 0 for delete markers, and for uploads whose size the store does not tell.
    pub bytes: u64,
}

/// See [`Trace::kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceKind {
    /// A version of an object, the current one or an older one.
    Version,
    /// The mark that hides older versions.
    DeleteMarker,
    /// Parts that never became an object.
    Upload,
    /// An object in a store without versions.
    File,
}

/// An upload that was begun and neither finished nor aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// What it was to become.
    pub name: String,
    /// The store's name of it.
    pub id: String,
    /// Since when.
    pub began: Timestamp,
}

impl Objects {
    /// Makes ready to talk to the store. No request is made: a store that is away stops no start.
    ///
    /// # Errors
    /// [`ObjectError::Refused`] for settings that can never work.
    pub async fn open(config: &ObjectsConfig) -> Result<Self, ObjectError> {
        Ok(Self(match config {
            ObjectsConfig::Folder { dir } => Store::Folder(Arc::new(Folder::new(dir.clone()))),
            ObjectsConfig::S3(settings) => Store::S3(Arc::new(S3::open(settings).await?)),
        }))
    }

    /// Where it is, for log lines: a path, or `s3://bucket/prefix`.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.0 {
            Store::Folder(folder) => folder.place(),
            Store::S3(s3) => s3.place(),
        }
    }

    /// Whether a put that was cut off may still be carried out later.
    #[must_use]
    pub fn lands_late(&self) -> bool {
        match &self.0 {
            // The temporary file is gone with the try, and nobody else links it.
            Store::Folder(_) => false,
            Store::S3(_) => true,
        }
    }

    /// What the store was asked for by [`Objects::traces`] and cannot list, in words; `None`: it lists all.
    #[must_use]
    pub fn not_listed(&self) -> Option<&'static str> {
        match &self.0 {
            Store::Folder(_) => None,
            Store::S3(s3) => s3.not_listed(),
        }
    }

    /// Asks the store whether it can keep our promises, by a probe object that is put, compared, put again (which
    /// must fail) and removed. The answer is facts worth a log line.
    ///
    /// # Errors
    /// When it cannot be reached, refuses us, overwrites, or locks objects so that erasure cannot be carried out.
    pub async fn check(&self) -> Result<Vec<String>, ObjectError> {
        let (mut facts, may_probe) = match &self.0 {
            Store::Folder(_) => (Vec::new(), true),
            Store::S3(s3) => s3.check().await?,
        };
        if may_probe {
            facts.push(probe::probe(self).await?);
        }
        Ok(facts)
    }

    /// Puts an object and proves that it is there. Done again after a crash it finds its own object and is done.
    ///
    /// # Errors
    /// [`ObjectError::Exists`] when there is another object of that name: it is left as it is.
    /// [`ObjectError::Corrupt`] when what arrived, or what was read, is not what was said in `about`.
    pub async fn put(&self, name: &str, content: &dyn Content, about: &About) -> Result<Put, ObjectError> {
        check_name(name)?;
        match &self.0 {
            Store::Folder(folder) => folder.put(name, content, about).await,
            Store::S3(s3) => s3.put(name, content, about).await,
        }
    }

    /// Whether the object is there, with this size and SHA-256 (hex) of the whole, by the store's checksum or
    /// by reading it back.
    ///
    /// # Errors
    /// [`ObjectError::NotFound`], [`ObjectError::Corrupt`].
    pub async fn verify(&self, name: &str, bytes: u64, sha256: &str) -> Result<Put, ObjectError> {
        check_name(name)?;
        match &self.0 {
            Store::Folder(folder) => folder.verify(name, bytes, sha256).await,
            Store::S3(s3) => s3.verify(name, bytes, sha256).await,
        }
    }

    /// What the store says of an object; `None`: there is none (or a delete marker hides it).
    ///
    /// # Errors
    /// When the store does not answer or refuses us.
    pub async fn head(&self, name: &str) -> Result<Option<Head>, ObjectError> {
        check_name(name)?;
        match &self.0 {
            Store::Folder(folder) => folder.head(name).await,
            Store::S3(s3) => s3.head(name).await,
        }
    }

    /// Bytes of an object. The stream ends with an error when it brings fewer than asked for.
    ///
    /// # Errors
    /// [`ObjectError::NotFound`]; [`ObjectError::Refused`] for a range that is not in the object.
    pub async fn get(
        &self,
        name: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, ObjectError>>, ObjectError> {
        check_name(name)?;
        match &self.0 {
            Store::Folder(folder) => folder.get(name, range).await,
            Store::S3(s3) => s3.clone().get(name, range).await,
        }
    }

    /// Objects whose names begin with `prefix`, in name order: at most `limit` (1 to 1,000), those after the name `after`.
    ///
    /// # Errors
    /// When the store does not answer or refuses us.
    pub async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, ObjectError> {
        check_prefix(prefix)?;
        let limit = limit.clamp(1, 1_000);
        match &self.0 {
            Store::Folder(folder) => folder.list(prefix, after, limit).await,
            Store::S3(s3) => s3.list(prefix, after, limit).await,
        }
    }

    /// Removes all the store holds of the target: every version, delete marker and unfinished upload. Governance
    /// locks are lifted. What is not there any more is no error.
    ///
    /// # Errors
    /// [`ObjectError::Locked`] when a compliance lock holds something; all else was removed by then.
    pub async fn remove(&self, target: &Target<'_>) -> Result<Removed, ObjectError> {
        target.check()?;
        match &self.0 {
            Store::Folder(folder) => folder.remove(target).await,
            Store::S3(s3) => s3.remove(target).await,
        }
    }

    /// All the store holds of the target, by listing: empty is the proof that it is gone.
    ///
    /// # Errors
    /// When the store does not answer or refuses us.
    pub async fn traces(&self, target: &Target<'_>) -> Result<Vec<Trace>, ObjectError> {
        target.check()?;
        match &self.0 {
            Store::Folder(folder) => folder.traces(target).await,
            Store::S3(s3) => s3.traces(target).await,
        }
    }

    /// Whether anything was ever put below `prefix`, as far as can be seen: a folder keeps its directories, and that of a
    /// disk that is not mounted has none. A bucket answers by its name.
    ///
    /// # Errors
    /// When the store does not answer or refuses us.
    pub async fn is_used(&self, prefix: &str) -> Result<bool, ObjectError> {
        check_prefix(prefix)?;
        match &self.0 {
            Store::Folder(folder) => folder.is_used(prefix).await,
            Store::S3(s3) => s3.list(prefix, None, 1).await.map(|_| true),
        }
    }

    /// Uploads below `prefix` that were begun before `older_than` and never ended.
    ///
    /// # Errors
    /// When the store does not answer or refuses us.
    pub async fn unfinished(
        &self,
        prefix: &str,
        older_than: Timestamp,
    ) -> Result<Vec<Unfinished>, ObjectError> {
        check_prefix(prefix)?;
        match &self.0 {
            Store::Folder(folder) => folder.unfinished(prefix, older_than).await,
            Store::S3(s3) => s3.unfinished(prefix, older_than).await,
        }
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objects({})", self.place())
    }
}

impl Target<'_> {
    fn check(&self) -> Result<(), ObjectError> {
        match self {
            Self::Name(name) => check_name(name),
            Self::Below(prefix) => check_name(prefix.trim_end_matches('/')),
        }
    }

    /// What all names it covers begin with.
    fn prefix(&self) -> String {
        match self {
            Self::Name(name) => (*name).to_owned(),
            Self::Below(prefix) => format!("{}/", prefix.trim_end_matches('/')),
        }
    }

    /// Whether it covers `name`: a listing by prefix also brings names that merely begin alike.
    fn covers(&self, name: &str) -> bool {
        match self {
            Self::Name(own) => *own == name,
            Self::Below(_) => name.starts_with(&self.prefix()),
        }
    }
}

/// Refuses what is no name of an object: it could lead out of the folder or be read otherwise by some store.
fn check_name(name: &str) -> Result<(), ObjectError> {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'='))
    };
    if name.len() <= 512 && name.split('/').all(plain) {
        return Ok(());
    }
    Err(ObjectError::Refused {
        what: "use the name",
        name: name.to_owned(),
        why: "letters, digits and -_.= in parts that are not empty and begin with no dot are expected"
            .to_owned(),
    })
}

/// The same for the beginning of names: it may be empty or end anywhere.
fn check_prefix(prefix: &str) -> Result<(), ObjectError> {
    match prefix.strip_suffix('/').unwrap_or(prefix) {
        "" if prefix.is_empty() => Ok(()),
        rest => check_name(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        for good in ["recordings/2026/11/22/01J.rec", "recordings/2026/11/22/01J.seg/000000", "a=b-c_d.e"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let long = "a".repeat(513);
        for bad in
            ["", "/", "/etc", "a/", "a//b", "..", "a/../b", "a/.hidden", "a\0b", "a b", "ä", "a\\b", &long]
        {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        assert!(
            check_prefix("").is_ok() && check_prefix("recordings/").is_ok() && check_prefix("rec").is_ok()
        );
        assert!(check_prefix("/").is_err() && check_prefix("../").is_err());
    }

    #[test]
    fn a_target_covers_its_own_names_only() {
        assert!(Target::Name("a/b").covers("a/b"));
        assert!(!Target::Name("a/b").covers("a/bc"));
        assert!(Target::Below("a/b").covers("a/b/c") && Target::Below("a/b/").covers("a/b/c"));
        assert!(!Target::Below("a/b").covers("a/b") && !Target::Below("a/b").covers("a/bc/d"));
    }
}
