//! What reconciliation finds, and what it may mend by itself.

use serde::{Deserialize, Serialize};

use crate::ids::{CallId, RecordingId};

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// The name of the object or file, or the id of the call, recording or job, that it is about.
    pub subject: String,
    /// The recording it is about, where one is known.
    pub recording: Option<RecordingId>,
    /// The call it is about, where one is known.
    pub call: Option<CallId>,
    /// More of it, in words, without personal data.
    pub detail: String,
    /// What was done about it.
    pub healed: Option<Heal>,
}

/// See [`Finding::healed`]: only what is safe and may be done twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heal {
    /// The job that takes it to the object store was made again.
    Upload,
    /// The job that removes its copies was made again.
    Destroy,
    /// The job that makes a whole recording of what is there was made again.
    Rescue,
}

impl Heal {
    /// As it is stored and shown.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Destroy => "destroy",
            Self::Rescue => "rescue",
        }
    }

    /// The other way round; `None` for another word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Upload, Self::Destroy, Self::Rescue].into_iter().find(|heal| heal.word() == word)
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// See [`Finding::kind`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FindingKind {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        impl FindingKind {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// As it is stored and shown.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

kinds! {
    /// An object that no row knows. Deleted only by an operator's word.
    Orphan = "orphan",
    /// A row says `stored`, and its object is not there.
    Lost = "lost",
    /// An object has another size than its row says.
    WrongSize = "wrong-size",
    /// An object has another content than its row says.
    WrongContent = "wrong-content",
    /// A multipart upload that nobody ended.
    UnfinishedUpload = "unfinished-upload",
    /// A job that waits longer than it may.
    LateJob = "late-job",
    /// A recording that is whole in the spool, and no job takes it on.
    NoJob = "no-job",
    /// A recording that should be in the spool and is not.
    SpoolLost = "spool-lost",
    /// A file in the spool that no row knows.
    SpoolOrphan = "spool-orphan",
    /// A file in the spool of a recording that has left it.
    SpoolLeft = "spool-left",
    /// A recording that neither ended nor is being made.
    Stuck = "stuck",
    /// Segments of a recording that is stored as a whole.
    SegmentsLeft = "segments-left",
    /// A destroyed recording of which there is something left.
    NotGone = "not-gone",
    /// A recording nobody can open: its key-encryption key is not known, or its key is gone.
    UnknownKek = "unknown-kek",
    /// A call that should have been recorded and is not.
    CallFailed = "call-failed",
}

impl FindingKind {
    /// The other way round; `None` for another word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }

    /// Whether audio that should be there cannot be had: the alarm `recording-lost`.
    #[must_use]
    pub const fn is_loss(self) -> bool {
        match self {
            Self::Lost | Self::WrongSize | Self::WrongContent | Self::SpoolLost | Self::UnknownKek => true,
            Self::Orphan
            | Self::UnfinishedUpload
            | Self::LateJob
            | Self::NoJob
            | Self::SpoolOrphan
            | Self::SpoolLeft
            | Self::Stuck
            | Self::SegmentsLeft
            | Self::NotGone
            | Self::CallFailed => false,
        }
    }
}
