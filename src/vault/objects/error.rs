//! What can go wrong with an object store: what, where, and what to do. Names of objects hold no personal data;
//! keys and secrets are never in here.

use std::io;

use crate::time::Timestamp;

/// A fault of the object store.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// Names are never overwritten.
    #[error("{name} exists already with another content: it was left as it is; find out who put it there")]
    Exists {
        /// The object.
        name: String,
    },
    /// There is none of that name.
    #[error("{name} is not in the object store")]
    NotFound {
        /// The object.
        name: String,
    },
    /// We may not. Keys, policies or the bucket's name have to be put right by a person.
    #[error("the object store denies to {what} {name}: {why}")]
    Denied {
        /// What was tried.
        what: &'static str,
        /// On what.
        name: String,
        /// The store's words, and what to do.
        why: String,
    },
    /// A lock that nobody can lift.
    #[error("{name} is locked by the store until {until} and cannot be removed before")]
    Locked {
        /// The object whose lock lasts longest.
        name: String,
        /// When its lock ends.
        until: Timestamp,
    },
    /// Not now: it passes, try again.
    #[error("the object store is away, cannot {what} {name}: {why}")]
    Away {
        /// What was tried.
        what: &'static str,
        /// On what.
        name: String,
        /// The reason.
        why: String,
    },
    /// It will not pass by itself.
    #[error("cannot {what} {name}: {why}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// On what.
        name: String,
        /// The reason, and what to do.
        why: String,
    },
    /// What is there, or what was to be put there, is not what it should be.
    #[error("{name} is damaged: {why}")]
    Corrupt {
        /// The object.
        name: String,
        /// What was expected and what was found.
        why: String,
    },
}

impl ObjectError {
    /// Whether trying again later can succeed without a person doing something.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self {
            Self::Away { .. } | Self::Locked { .. } => true,
            Self::Exists { .. }
            | Self::NotFound { .. }
            | Self::Denied { .. }
            | Self::Refused { .. }
            | Self::Corrupt { .. } => false,
        }
    }

    /// For `map_err` on the local file system: a full disk and the like pass, missing rights do not.
    pub(super) fn file(what: &'static str, name: &str) -> impl FnOnce(io::Error) -> Self {
        let name = name.to_owned();
        move |error| {
            let denied = [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem];
            if error.kind() == io::ErrorKind::NotFound {
                return Self::NotFound { name };
            }
            if denied.contains(&error.kind()) {
                let why = format!("{error}: the folder must be writable for the user that sayso runs as");
                return Self::Denied { what, name, why };
            }
            // A disk that is full, or a mount that is away: both are put right outside, and then it goes on.
            Self::Away { what, name, why: error.to_string() }
        }
    }
}
