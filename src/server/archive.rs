//! The vault by configuration: what the server and the command line open it with, and what an operator is told of
//! it before it runs.

use std::sync::Arc;
use std::time::Duration;

use crate::audit::Actor;
use crate::config::{self, AudioFormat, Config, Encryption, LockedErasure, S3Section};
use crate::jobs::{self, AlarmKind, Alarms, JobsConfig, SeparateStore};
use crate::store::Store;
use crate::time::Clock;
use crate::vault::objects::{Lock, LockMode, ObjectError, Objects, ObjectsConfig, S3Settings, Sse};
use crate::vault::{AwsService, Format, Signer, Vault, VaultConfig};

use super::keys;

/// How long the start waits for the object store to say whether it will do. One that is away stops no start.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a store that did not answer then is asked again.
const AGAIN: Duration = Duration::from_secs(30);

/// Spool and format.
pub(crate) fn vault_config(config: &Config) -> VaultConfig {
    let format = match config.vault.format {
        AudioFormat::Pcm16 => Format::Pcm16,
        AudioFormat::Ulaw => Format::Ulaw,
        AudioFormat::Alaw => Format::Alaw,
        AudioFormat::Opus => Format::Opus,
    };
    VaultConfig { dir: config.vault_dir(), format, reserve: config.vault.reserve }
}

/// Where recordings are kept.
pub(crate) fn objects_config(config: &Config) -> ObjectsConfig {
    match &config.vault.s3 {
        None => ObjectsConfig::Folder { dir: config.objects_dir() },
        Some(s3) => ObjectsConfig::S3(Box::new(s3_settings(s3))),
    }
}

fn s3_settings(s3: &S3Section) -> S3Settings {
    S3Settings {
        bucket: s3.bucket.clone(),
        prefix: s3.prefix.clone(),
        service: service(&s3.service()),
        path_style: s3.path_style,
        sse: s3.sse.map(|sse| match sse {
            config::Sse::S3 => Sse::S3,
            config::Sse::Kms => Sse::Kms { key: s3.sse_kms_key.clone() },
        }),
        storage_class: s3.storage_class.clone(),
        tags: s3.tags.clone(),
        bandwidth: s3.bandwidth,
        lock: s3.object_lock.map(|lock| Lock {
            mode: match lock.mode {
                config::LockMode::Governance => LockMode::Governance,
                config::LockMode::Compliance => LockMode::Compliance,
            },
            days: lock.days,
        }),
    }
}

/// Where a service of AWS is, and as whom it is asked.
pub(crate) fn service(section: &config::ServiceSection<'_>) -> AwsService {
    AwsService {
        region: section.region.cloned(),
        endpoint: section.endpoint.cloned(),
        credentials: section.access_key_id.cloned().zip(section.secret_access_key.cloned()),
    }
}

/// How jobs are run.
pub(crate) fn jobs_config(config: &Config) -> JobsConfig {
    let vault = &config.vault;
    JobsConfig {
        uploads: vault.uploads,
        segment: vault.segment,
        alarm_after: vault.alarm_after,
        late: vault.late,
        plain: vault.encryption == Encryption::Store,
        reconcile_every: vault.reconcile_every,
        separate_store: config
            .privacy
            .archive
            .clone()
            .map(|dir| SeparateStore { dir, key_file: config.archive_key_file() }),
    }
}

/// Opens keys and spool; `by` makes what is missing at a first start.
///
/// # Errors
/// Whatever cannot be opened; each says what to do.
pub(crate) async fn vault(config: &Config, store: &Store, by: Actor, clock: Clock) -> anyhow::Result<Vault> {
    let keyring = keys::open(config, store, clock.now(), by).await?;
    Ok(Vault::open(vault_config(config), keyring, clock)?)
}

/// Makes ready to talk to the object store; no request is made.
///
/// # Errors
/// For settings that can never work.
pub(crate) async fn objects(config: &Config) -> anyhow::Result<Objects> {
    Ok(Objects::open(&objects_config(config)).await?)
}

/// Asks the object store whether it can keep our promises. One that does not answer in time is asked again in the
/// background, while calls are taken.
///
/// # Errors
/// When it can never do, a bucket whose locks forbid erasure for example.
pub(super) async fn check(objects: &Objects, alarms: &Alarms) -> anyhow::Result<()> {
    let place = objects.place();
    match tokio::time::timeout(PATIENCE, objects.check()).await {
        Ok(Ok(facts)) => tell(&place, &facts),
        Ok(Err(error @ ObjectError::Refused { .. })) => return Err(error.into()),
        Ok(Err(error)) => later(objects, alarms, error.to_string()),
        Err(_) => later(objects, alarms, "no answer in time".to_owned()),
    }
    Ok(())
}

fn tell(place: &str, facts: &[String]) {
    tracing::info!(place, "recordings are kept there");
    for fact in facts {
        tracing::info!(place, "{fact}");
    }
}

fn later(objects: &Objects, alarms: &Alarms, why: String) {
    let raise = |alarms: &Alarms, place: &str, why: &str| {
        let what = format!("{place} cannot be used: {why}. Calls go on, recordings wait in the spool");
        alarms.raise_for(AlarmKind::StoreAway, "check", what);
    };
    raise(alarms, &objects.place(), &why);
    let (objects, alarms) = (objects.clone(), alarms.clone());
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(AGAIN).await;
            match objects.check().await {
                Ok(facts) => {
                    alarms.clear_for(AlarmKind::StoreAway, "check");
                    alarms.clear_for(AlarmKind::StoreAway, jobs::REFUSED);
                    return tell(&objects.place(), &facts);
                }
                // As at a start it would be refused: nothing is put there.
                Err(error @ ObjectError::Refused { .. }) => {
                    alarms.raise_for(AlarmKind::StoreAway, jobs::REFUSED, error.to_string());
                }
                Err(error) => raise(&alarms, &objects.place(), &error.to_string()),
            }
        }
    });
}

/// What the configuration of the vault comes to, a line each, for `sayso config check`.
///
/// # Errors
/// What can be seen to be wrong without asking anybody.
pub(crate) async fn describe(config: &Config) -> anyhow::Result<Vec<String>> {
    let vault = &config.vault;
    let objects = objects(config).await?;
    let audio = match vault.format {
        AudioFormat::Pcm16 => "WAV, 16-bit PCM, 32 kB a second",
        AudioFormat::Ulaw => "WAV, G.711 µ-law, 16 kB a second",
        AudioFormat::Alaw => "WAV, G.711 A-law, 16 kB a second",
        AudioFormat::Opus => "Ogg Opus, made after the call, about 6 kB a second",
    };
    let sealed = match vault.encryption {
        Encryption::Sealed => "sealed by us: destroying a key destroys every copy",
        Encryption::Store => {
            "plain to whoever may read the bucket, left to the store's own encryption; only deletion destroys copies"
        }
    };
    let keys = match &vault.kms {
        Some(kms) => format!("AWS KMS, {}", kms.key_id),
        None => format!("the file {}", config.key_file().display()),
    };
    let mut lines = vec![
        format!("recordings: {audio}; {sealed}"),
        format!("kept in {}", objects.place()),
        format!(
            "spool: {}, at least {} MB stay free; copied each {} s while a call goes on; {} uploads at once",
            config.vault_dir().display(),
            vault.reserve / 1_000_000,
            vault.segment.as_secs(),
            vault.uploads
        ),
        format!("keys: {keys}; certificates are signed with {}", config.signing_key_file().display()),
    ];
    if let Some(lock) = vault.s3.as_ref().and_then(|s3| s3.object_lock) {
        lines.push(match (lock.mode, lock.erasure) {
            (config::LockMode::Governance, _) => {
                format!("locked for {} days (governance): lifted when a recording is destroyed", lock.days)
            }
            (config::LockMode::Compliance, LockedErasure::KeyOnly | LockedErasure::Whole) => format!(
                "locked for {} days (compliance): a recording that is destroyed before is noise until then, and its \
                 certificate is written when the lock has ended",
                lock.days
            ),
        });
    }
    Ok(lines)
}

/// For those who share it.
pub(super) async fn open(
    config: &Config,
    store: &Store,
    clock: Clock,
) -> anyhow::Result<(Arc<Vault>, Objects, Arc<Signer>)> {
    let vault = Arc::new(vault(config, store, Actor::System, clock).await?);
    Ok((vault, objects(config).await?, Arc::new(keys::signer(config, store).await?)))
}
