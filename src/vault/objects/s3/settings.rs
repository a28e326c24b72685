//! What has to be known of a bucket.

use std::collections::BTreeMap;
use std::fmt;

use crate::vault::AwsService;

/// A bucket, and how objects are put into it.
#[derive(Clone)]
pub struct S3Settings {
    /// The bucket; it is not made.
    pub bucket: String,
    /// What all names begin with, empty or with a slash at its end. Callers never see it.
    pub prefix: String,
    /// Where the store is, and as whom it is asked.
    pub service: AwsService,
    /// Whether the bucket is named in the path and not in the host; by default where there is an endpoint.
    pub path_style: Option<bool>,
    /// The store's own encryption.
    pub sse: Option<Sse>,
    /// The storage class by S3's name.
    pub storage_class: Option<String>,
    /// Tags of each object; `sayso-recording` and `sayso-kind` are added.
    pub tags: BTreeMap<String, String>,
    /// Most bytes a second, of all uploads together.
    pub bandwidth: Option<u64>,
    /// Object Lock for each recording.
    pub lock: Option<Lock>,
}

/// See [`S3Settings::sse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sse {
    /// SSE-S3 (`AES256`).
    S3,
    /// SSE-KMS (`aws:kms`).
    Kms {
        /// The KMS key; by default the store's own.
        key: Option<String>,
    },
}

/// See [`S3Settings::lock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Whether we may lift it.
    pub mode: LockMode,
    /// How long after its upload an object is locked, in days.
    pub days: u32,
}

/// See [`Lock::mode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// May be lifted with the right `s3:BypassGovernanceRetention`.
    Governance,
    /// May be lifted by nobody. Whoever sets this has accepted that the destruction of a recording destroys its
    /// key at once and the noise that is left when the lock ends.
    Compliance,
}

/// Neither access key nor secret, and no values of tags.
impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Settings")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("service", &self.service)
            .field("path_style", &self.path_style)
            .field("sse", &self.sse)
            .field("storage_class", &self.storage_class)
            .field("bandwidth", &self.bandwidth)
            .field("lock", &self.lock)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Redacted;

    #[test]
    fn keys_are_not_shown() {
        let settings = S3Settings {
            bucket: "b".to_owned(),
            prefix: String::new(),
            service: AwsService {
                credentials: Some(("AKIDEXAMPLE".to_owned(), Redacted("hunter2".to_owned()))),
                ..AwsService::default()
            },
            path_style: None,
            sse: Some(Sse::Kms { key: None }),
            storage_class: None,
            tags: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
            bandwidth: None,
            lock: Some(Lock { mode: LockMode::Governance, days: 1 }),
        };
        let shown = format!("{settings:?}");
        assert!(!["AKID", "hunter2", "blue"].iter().any(|secret| shown.contains(secret)), "{shown}");
    }
}
