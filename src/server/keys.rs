//! The vault's keys by configuration and database, for the server and the command line.

use crate::audit::Actor;
use crate::config::Config;
use crate::consent::RecordingPermit;
use crate::store::{
    Change, Filter, KekChange, KekProvider, KekRow, KekState as Stored, RecordingChange, Store, StoreError,
};
use crate::time::Timestamp;
use crate::vault::{KekState, KeySource, Keyring, KmsConfig, KnownKek, NewKek, Provider, Signer, Vault};

/// Opens the keys that the database knows. At a first start one is made; a key file that the database does not know
/// yet (of an older Sayso) is taken. Either is registered before this returns.
///
/// # Errors
/// When a key is not where it should be, or the database refuses. Each says what to do.
pub(crate) async fn open(
    config: &Config,
    store: &Store,
    at: Timestamp,
    by: Actor,
) -> anyhow::Result<Keyring> {
    let known = known(store).await?;
    let first_start =
        known.is_empty() && Vault::is_empty(&config.vault_dir())? && nothing_recorded(store).await?;
    let (keyring, new) = Keyring::open(source(config), &known, first_start).await?;
    if let Some(new) = new {
        register(store, &keyring, new, at, by).await?;
    }
    let current = keyring.current();
    tracing::info!(key = %current, "key-encryption key opened");
    if config.vault.kms.is_some() && provider_of(store, current.as_str()).await? == Some(KekProvider::File) {
        tracing::warn!(
            "the current key-encryption key lies in the key file although there is [vault.kms]: `sayso keys rotate` \
             has AWS KMS make the next one"
        );
    }
    Ok(keyring)
}

/// Registers a new key as the current one, and has the keyring follow. When another process was faster with one of its
/// own, that one is current.
///
/// # Errors
/// When the database refuses, or the other's key is not where it should be.
pub(crate) async fn register(
    store: &Store,
    keyring: &Keyring,
    new: NewKek,
    at: Timestamp,
    by: Actor,
) -> anyhow::Result<()> {
    let provider = match new.provider {
        Provider::File => KekProvider::File,
        Provider::Kms => KekProvider::Kms,
    };
    let made = KekChange::Made { id: new.id.to_string(), provider, wrapped: new.wrapped, at, by };
    match store.commit(vec![Change::Kek(made)]).await {
        Ok(()) | Err(StoreError::Conflict { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    keyring.reload(&known(store).await?).await?;
    Ok(())
}

/// Has the keyring follow the database. A server calls it whenever what [`Store::keks`] says has changed.
///
/// # Errors
/// When the database cannot be read or a key is not where it should be; the keyring stays as it was.
pub(crate) async fn follow(store: &Store, keyring: &Keyring) -> anyhow::Result<()> {
    Ok(keyring.reload(&known(store).await?).await?)
}

/// Stores what arms a recording: its row, with its data key wrapped by the current key. When that key was retired
/// before we noticed, the database refuses; the keyring then follows it and the row is stored with the new one.
///
/// # Errors
/// When the row cannot be stored; nothing may be captured then.
pub(crate) async fn arm(
    store: &Store,
    keyring: &Keyring,
    permit: &RecordingPermit,
    (spool, format): (&str, &str),
    at: Timestamp,
) -> Result<(), StoreError> {
    let armed = || {
        let wrapped = keyring.wrap(permit.id(), permit.key());
        let kek = wrapped.kek().map(|kek| kek.to_string()).unwrap_or_default();
        vec![Change::Recording(RecordingChange::Armed {
            id: permit.id(),
            call: permit.call(),
            basis: permit.basis().clone(),
            wrapped_key: wrapped.0,
            kek,
            spool: spool.to_owned(),
            format: format.to_owned(),
            at,
        })]
    };
    let refused = match store.commit(armed()).await {
        Err(error @ StoreError::State { .. }) => error,
        stored => return stored,
    };
    match follow(store, keyring).await {
        Ok(()) => store.commit(armed()).await,
        Err(error) => {
            tracing::error!(%error, "the key-encryption keys of the database cannot be opened");
            Err(refused)
        }
    }
}

/// The key-encryption keys that the database knows.
///
/// # Errors
/// When it cannot be read.
pub(crate) async fn known(store: &Store) -> Result<Vec<KnownKek>, StoreError> {
    store.keks().await?.into_iter().map(known_of).collect()
}

/// The key that signs certificates and exports; made when nothing was ever signed.
///
/// # Errors
/// When it is missing although there are certificates, or its file will not do.
pub(crate) async fn signer(config: &Config, store: &Store) -> anyhow::Result<Signer> {
    let may_make = store.certificates(None, 1).await?.items.is_empty();
    let path = config.signing_key_file();
    Ok(tokio::task::spawn_blocking(move || Signer::open(&path, may_make)).await??)
}

/// Where the configuration says that keys are kept.
fn source(config: &Config) -> KeySource {
    let kms = config.vault.kms.as_ref().map(|kms| KmsConfig {
        key_id: kms.key_id.clone(),
        service: super::archive::service(&kms.service()),
    });
    KeySource { file: config.key_file(), kms }
}

async fn nothing_recorded(store: &Store) -> Result<bool, StoreError> {
    let one = Filter { limit: 1, ..Filter::default() };
    Ok(store.recordings(&one).await?.is_empty())
}

async fn provider_of(store: &Store, id: &str) -> Result<Option<KekProvider>, StoreError> {
    Ok(store.keks().await?.into_iter().find(|kek| kek.id == id).map(|kek| kek.provider))
}

fn known_of(row: KekRow) -> Result<KnownKek, StoreError> {
    let id = row.id.parse().map_err(|_| StoreError::Corrupt { table: "keks", column: "id" })?;
    let provider = match row.provider {
        KekProvider::File => Provider::File,
        KekProvider::Kms => Provider::Kms,
    };
    let state = match row.state {
        Stored::Current => KekState::Current,
        Stored::Retiring => KekState::Retiring,
        Stored::Retired => KekState::Retired,
    };
    Ok(KnownKek { id, provider, state, wrapped: row.wrapped.map(|wrapped| wrapped.0) })
}
