//! `[vault]`: what recordings are made of, who seals them, and where they are kept.

mod check;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::ids::Redacted;

/// See [`Config::vault`](super::Config::vault).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct VaultSection {
    /// The folder of the spool; by default `vault` in the data folder.
    pub dir: Option<PathBuf>,
    /// Where finished recordings are kept when there is no `[vault.s3]`; by default `objects` in `dir`.
    pub folder: Option<PathBuf>,
    /// The file of the key-encryption keys; by default `vault.key` in the data folder. Not used with `[vault.kms]`.
    pub key_file: Option<PathBuf>,
    /// The file of the key that signs deletion certificates and exports; by default `signing.key` in the data folder.
    pub signing_key_file: Option<PathBuf>,
    /// What a recording is made of.
    pub format: AudioFormat,
    /// Who keeps the audio unreadable where it is kept.
    pub encryption: Encryption,
    /// Free bytes that recordings leave on the spool's disk: below that, none begins.
    #[serde(deserialize_with = "size")]
    pub reserve: u64,
    /// A recording that goes on is copied to the store so often, so that a lost disk costs no more than that.
    #[serde(deserialize_with = "super::span")]
    pub segment: Duration,
    /// Uploads that run at once.
    pub uploads: u8,
    /// An upload that is older raises an alarm.
    #[serde(deserialize_with = "super::span")]
    pub alarm_after: Duration,
    /// How long the store may take to carry out an upload whose end nobody saw. A recording that is destroyed after
    /// such an upload is looked for once more then, and certified as gone no sooner.
    #[serde(deserialize_with = "super::span")]
    pub late: Duration,
    /// Whether who listens to a recording must say why (domain rule 24).
    pub listening_reason: bool,
    /// How often store and database are compared, at least 10 minutes apart; `0s`: only when asked.
    #[serde(deserialize_with = "super::span")]
    pub reconcile_every: Duration,
    /// An S3-compatible store; without it recordings are kept in `folder`.
    pub s3: Option<S3Section>,
    /// AWS KMS holds the key-encryption key; without it `key-file` does.
    pub kms: Option<KmsSection>,
}

/// See [`VaultSection::format`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AudioFormat {
    /// WAV, stereo, 16-bit PCM at 8 kHz: 32 kB a second.
    #[default]
    Pcm16,
    /// WAV, stereo, G.711 µ-law: half of that.
    Ulaw,
    /// WAV, stereo, G.711 A-law: half of that.
    Alaw,
    /// Ogg Opus (RFC 7845), made of the PCM after the call: about 6 kB a second.
    Opus,
}

/// See [`VaultSection::encryption`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encryption {
    /// We do: objects are noise without their data key, and destroying the key destroys every copy.
    #[default]
    Sealed,
    /// The store does (`[vault.s3] sse`): objects are plain WAV or Ogg files to whoever may read the bucket. The
    /// spool is sealed all the same.
    Store,
}

/// See [`VaultSection::s3`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct S3Section {
    /// The bucket; it is not made.
    pub bucket: String,
    /// What all names begin with, `sayso/` for example. No personal data.
    #[serde(default)]
    pub prefix: String,
    /// The region; by default what AWS's own environment and profile say, else `us-east-1`.
    #[serde(default)]
    pub region: Option<String>,
    /// Another store than AWS: `https://minio.example:9000`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Accepts an `endpoint` of another machine without TLS, where the way there is safe by other means.
    #[serde(default)]
    pub insecure: bool,
    /// Whether the bucket is named in the path and not in the host; by default where there is an `endpoint`.
    #[serde(default)]
    pub path_style: Option<bool>,
    /// The access key; by default AWS's own chain (environment, profile, web identity, instance role).
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// Its secret.
    #[serde(default)]
    pub secret_access_key: Option<Redacted<String>>,
    /// The store's own encryption.
    #[serde(default)]
    pub sse: Option<Sse>,
    /// The KMS key of `sse = "kms"`; by default the store's own.
    #[serde(default)]
    pub sse_kms_key: Option<String>,
    /// The storage class by S3's name, `STANDARD_IA` for example.
    #[serde(default)]
    pub storage_class: Option<String>,
    /// Tags of each object. No personal data.
    #[serde(default)]
    pub tags: std::collections::BTreeMap<String, String>,
    /// Most bytes a second, of all uploads together.
    #[serde(default, deserialize_with = "some_size")]
    pub bandwidth: Option<u64>,
    /// S3 Object Lock for each recording.
    #[serde(default)]
    pub object_lock: Option<ObjectLock>,
}

/// See [`S3Section::sse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sse {
    /// SSE-S3 (`AES256`).
    S3,
    /// SSE-KMS (`aws:kms`).
    Kms,
}

/// See [`S3Section::object_lock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ObjectLock {
    /// Governance: we may lift it to destroy; compliance: nobody may.
    pub mode: LockMode,
    /// How long after its upload an object is locked, in days.
    pub days: u32,
    /// With compliance only: destruction before that destroys the key at once and the object when the lock ends.
    #[serde(default)]
    pub erasure: LockedErasure,
}

/// See [`ObjectLock::mode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockMode {
    /// May be lifted with the right `s3:BypassGovernanceRetention`.
    Governance,
    /// May be lifted by nobody.
    Compliance,
}

/// See [`ObjectLock::erasure`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockedErasure {
    /// Erasure must be whole at once: compliance locks are refused at start.
    #[default]
    Whole,
    /// The operator accepts that noise stays until the lock ends.
    KeyOnly,
}

/// See [`VaultSection::kms`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KmsSection {
    /// The KMS key: id, ARN or alias.
    pub key_id: String,
    /// The region; as in `[vault.s3]`.
    #[serde(default)]
    pub region: Option<String>,
    /// Another KMS than AWS's.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// As in `[vault.s3]`.
    #[serde(default)]
    pub insecure: bool,
    /// As in `[vault.s3]`.
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// Its secret.
    #[serde(default)]
    pub secret_access_key: Option<Redacted<String>>,
}

/// What `[vault.s3]` and `[vault.kms]` have in common. Each section has these keys itself: serde's flattening would take
/// away the refusal of unknown keys, and the lines of messages.
#[derive(Clone, Copy, Debug)]
pub struct ServiceSection<'a> {
    /// The region.
    pub region: Option<&'a String>,
    /// Another service than AWS's, as a URL.
    pub endpoint: Option<&'a String>,
    /// Accepts an endpoint of another machine without TLS.
    pub insecure: bool,
    /// The access key.
    pub access_key_id: Option<&'a String>,
    /// Its secret.
    pub secret_access_key: Option<&'a Redacted<String>>,
}

impl S3Section {
    /// How the store is reached.
    #[must_use]
    pub fn service(&self) -> ServiceSection<'_> {
        ServiceSection {
            region: self.region.as_ref(),
            endpoint: self.endpoint.as_ref(),
            insecure: self.insecure,
            access_key_id: self.access_key_id.as_ref(),
            secret_access_key: self.secret_access_key.as_ref(),
        }
    }
}

impl KmsSection {
    /// How KMS is reached.
    #[must_use]
    pub fn service(&self) -> ServiceSection<'_> {
        ServiceSection {
            region: self.region.as_ref(),
            endpoint: self.endpoint.as_ref(),
            insecure: self.insecure,
            access_key_id: self.access_key_id.as_ref(),
            secret_access_key: self.secret_access_key.as_ref(),
        }
    }
}

impl Default for VaultSection {
    fn default() -> Self {
        Self {
            dir: None,
            folder: None,
            key_file: None,
            signing_key_file: None,
            format: AudioFormat::default(),
            encryption: Encryption::default(),
            reserve: 256 << 20,
            segment: Duration::from_secs(60),
            uploads: 4,
            alarm_after: Duration::from_secs(15 * 60),
            late: Duration::from_secs(15 * 60),
            listening_reason: false,
            reconcile_every: Duration::from_secs(24 * 3_600),
            s3: None,
            kms: None,
        }
    }
}

/// Reads a size: bytes, or with a unit as people write it, `500MB`, `2GiB`.
///
/// # Errors
/// For anything else, with what is expected.
pub fn parse_size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 7] = [
        ("kB", 1_000),
        ("KiB", 1 << 10),
        ("MB", 1_000_000),
        ("MiB", 1 << 20),
        ("GB", 1_000_000_000),
        ("GiB", 1 << 30),
        ("B", 1),
    ];
    let text = text.trim();
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let scale = UNITS.iter().find(|(name, _)| *name == unit.trim()).map(|(_, scale)| *scale);
    let bytes = digits.parse::<u64>().ok().zip(scale).and_then(|(count, scale)| count.checked_mul(scale));
    bytes.ok_or_else(|| {
        format!("{text:?} is no size such as \"500MB\" or \"2GiB\" (units: B, kB, MB, GB, KiB, MiB, GiB)")
    })
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    parse_size(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn some_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    size(deserializer).map(Some)
}
