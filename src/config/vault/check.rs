//! What must fit together in `[vault]`, and why what does not is refused.

use std::net::IpAddr;
use std::time::Duration;

use super::{Encryption, LockMode, LockedErasure, ObjectLock, S3Section, ServiceSection, Sse, VaultSection};
use crate::config::{Config, ConfigError};

/// The shortest time between two comparisons of store and database: each lists all of both.
const LEAST_RECONCILE: Duration = Duration::from_secs(10 * 60);
/// The shortest segment: each is a request to the store.
const LEAST_SEGMENT: Duration = Duration::from_secs(5);
/// S3 takes 10 tags, and two are ours.
const MOST_TAGS: usize = 8;

/// The section, and what is wrong in it.
type Refusal = (&'static str, String);

impl Config {
    pub(in crate::config) fn check_vault(&self, file: &str) -> Result<(), ConfigError> {
        check(&self.vault)
            .map_err(|(section, what)| ConfigError { place: format!("{file}: [{section}]"), what })
    }
}

fn check(vault: &VaultSection) -> Result<(), Refusal> {
    if vault.uploads == 0 {
        return refuse("vault", "uploads: at least one must run, or nothing leaves the spool");
    }
    if vault.segment < LEAST_SEGMENT {
        return refuse("vault", "segment: at least 5s, each is a request to the store");
    }
    if !vault.reconcile_every.is_zero() && vault.reconcile_every < LEAST_RECONCILE {
        return refuse(
            "vault",
            "reconcile-every: at least 10m, each lists all of the store; or 0s: only when asked",
        );
    }
    if let Some(kms) = &vault.kms {
        if vault.key_file.is_some() {
            return refuse("vault", "key-file and [vault.kms] exclude each other: one of them holds the key");
        }
        let crosses = "the key-encryption key itself crosses it when it is made and at each start";
        check_service("vault.kms", &kms.service(), crosses)?;
    }
    match &vault.s3 {
        None if vault.encryption == Encryption::Store => refuse(
            "vault",
            "encryption = \"store\" needs [vault.s3] with sse: a folder encrypts nothing by itself",
        ),
        None => Ok(()),
        Some(_) if vault.folder.is_some() => {
            refuse("vault", "folder and [vault.s3] exclude each other: recordings are kept in one place")
        }
        Some(s3) => check_s3(s3, vault.encryption),
    }
}

/// How a service is reached. `crosses`: what the way is trusted with.
fn check_service(section: &'static str, service: &ServiceSection<'_>, crosses: &str) -> Result<(), Refusal> {
    if service.access_key_id.is_some() != service.secret_access_key.is_some() {
        return refuse(section, "access-key-id and secret-access-key go together: give both or neither");
    }
    service.endpoint.map_or(Ok(()), |endpoint| check_endpoint(section, endpoint, service.insecure, crosses))
}

fn check_s3(s3: &S3Section, encryption: Encryption) -> Result<(), Refusal> {
    let refuse_s3 = |what: &str| refuse("vault.s3", what);
    if s3.bucket.is_empty() || s3.bucket.contains(['/', ' ']) {
        return refuse_s3("bucket: a bucket's name is expected, without slashes (see `prefix`)");
    }
    if s3.prefix.starts_with('/') || (!s3.prefix.is_empty() && !s3.prefix.ends_with('/')) {
        return refuse_s3("prefix: it begins without a slash and ends with one, as in \"sayso/\"");
    }
    if s3.sse_kms_key.is_some() && s3.sse != Some(Sse::Kms) {
        return refuse_s3("sse-kms-key needs sse = \"kms\"");
    }
    if s3.tags.len() > MOST_TAGS {
        return refuse_s3("tags: at most 8, S3 takes 10 and two are ours");
    }
    let crosses = match encryption {
        Encryption::Sealed => "what is asked, answered and removed can be changed on it",
        Encryption::Store => "the audio itself crosses it, plain (encryption = \"store\")",
    };
    check_service("vault.s3", &s3.service(), crosses)?;
    if encryption == Encryption::Store && s3.sse.is_none() {
        return refuse("vault", "encryption = \"store\" needs [vault.s3] sse = \"s3\" or \"kms\"");
    }
    s3.object_lock.map_or(Ok(()), |lock| check_lock(lock, encryption))
}

fn check_lock(lock: ObjectLock, encryption: Encryption) -> Result<(), Refusal> {
    if lock.days == 0 {
        return refuse("vault.s3", "object-lock.days: at least 1");
    }
    match (lock.mode, lock.erasure, encryption) {
        (LockMode::Governance, _, _) | (LockMode::Compliance, LockedErasure::KeyOnly, Encryption::Sealed) => {
            Ok(())
        }
        (LockMode::Compliance, LockedErasure::KeyOnly, Encryption::Store) => refuse(
            "vault.s3",
            "object-lock: compliance with encryption = \"store\" cannot be erased in any way before the lock \
             ends: whoever reads the bucket reads the audio. Use encryption = \"sealed\", or governance",
        ),
        (LockMode::Compliance, LockedErasure::Whole, _) => refuse(
            "vault.s3",
            "object-lock: nobody can delete an object under compliance before its lock ends, so neither a \
             withdrawal, nor an erasure, nor retention could be carried out in full. Use mode = \"governance\", or \
             say erasure = \"key-only\": the key is destroyed at once and the noise that is left is deleted \
             when the lock ends",
        ),
    }
}

/// An endpoint is `http(s)://HOST[:PORT][/PATH]`, and in the clear only where nobody else listens. No message shows
/// what stands there: it may hold a password. `crosses`: see [`check_service`].
fn check_endpoint(
    section: &'static str,
    endpoint: &str,
    insecure: bool,
    crosses: &str,
) -> Result<(), Refusal> {
    if endpoint.contains('@') {
        return refuse(
            section,
            "endpoint: no user name and no password may stand in it, it is shown in logs: see access-key-id and \
             secret-access-key",
        );
    }
    let lower = endpoint.to_ascii_lowercase();
    let (clear, host) = match (lower.strip_prefix("http://"), lower.strip_prefix("https://")) {
        (Some(rest), _) => (true, host(rest)),
        (None, Some(rest)) => (false, host(rest)),
        (None, None) => (false, None),
    };
    let Some(host) = host else {
        return refuse(section, "endpoint: a URL is expected, such as https://minio.example:9000");
    };
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if clear && !here && !insecure {
        let what = format!(
            "endpoint: http:// to another machine is read and changed by whoever is on the way: {crosses}. Use \
             https://, or say insecure = true in [{section}] if the way is safe by other means"
        );
        return Err((section, what));
    }
    Ok(())
}

/// The host of what follows a URL's scheme; `None` if it is not one with an optional port and path.
fn host(rest: &str) -> Option<&str> {
    if rest.contains(|c: char| c.is_whitespace() || c.is_control() || ['?', '#', '\\'].contains(&c)) {
        return None;
    }
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => v6.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let has_port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    (!host.is_empty() && has_port).then_some(host)
}

fn refuse(section: &'static str, what: &str) -> Result<(), Refusal> {
    Err((section, what.to_owned()))
}
