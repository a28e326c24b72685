//! The vault's keys by configuration and database, for the server and the command line.

use crate::audit::Actor;
use crate::config::Config;
use crate::store::{Change, KekChange, KekProvider, KekRow, KekState as Stored, Store, StoreError};
use crate::time::Timestamp;
use crate::vault::{KekState, KeySource, Keyring, KmsConfig, KnownKek, NewKek, Provider, Vault};

/// Where the configuration says that keys are kept.
pub(crate) fn source(config: &Config) -> KeySource {
    let kms = config.vault.kms.as_ref().map(|kms| KmsConfig {
        key_id: kms.key_id.clone(),
        region: kms.region.clone(),
        endpoint: kms.endpoint.clone(),
        credentials: kms.access_key_id.clone().zip(kms.secret_access_key.clone()),
    });
    KeySource { file: config.key_file(), kms }
}

/// Opens the keys that the database knows. At first start one is made and registered there, before anything is
/// sealed with it.
///
/// # Errors
/// When the database or a key cannot be read, or KMS does not open one; each says what to do.
pub(crate) async fn open(config: &Config, store: &Store, at: Timestamp) -> anyhow::Result<Keyring> {
    loop {
        let known = known(store.keks().await?)?;
        // Another node that uses this database has its own folder: its keys are known, so none is made here.
        let first_start = known.is_empty() && Vault::is_empty(&config.vault_dir())?;
        let (keyring, new) = Keyring::open(source(config), &known, first_start).await?;
        let Some(new) = new else { return Ok(keyring) };
        match store.commit(vec![Change::Kek(made(&new, at, Actor::System))]).await {
            Ok(()) => return Ok(keyring),
            // Another node was first: its key is the one.
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// For the database: there is this key.
pub(crate) fn made(new: &NewKek, at: Timestamp, by: Actor) -> KekChange {
    let provider = match new.provider {
        Provider::File => KekProvider::File,
        Provider::Kms => KekProvider::Kms,
    };
    KekChange::Made { id: new.id.to_string(), provider, wrapped: new.wrapped.clone(), at, by }
}

/// The database's keys in the vault's words.
///
/// # Errors
/// When the database holds an id that is none.
pub(crate) fn known(rows: Vec<KekRow>) -> Result<Vec<KnownKek>, StoreError> {
    let read = |row: KekRow| {
        let corrupt = StoreError::Corrupt { table: "keks", column: "id" };
        Ok(KnownKek {
            id: row.id.parse().map_err(|_| corrupt)?,
            provider: match row.provider {
                KekProvider::File => Provider::File,
                KekProvider::Kms => Provider::Kms,
            },
            state: match row.state {
                Stored::Current => KekState::Current,
                Stored::Retiring => KekState::Retiring,
                Stored::Retired => KekState::Retired,
            },
            wrapped: row.wrapped.map(|wrapped| wrapped.0),
        })
    };
    rows.into_iter().map(read).collect()
}

/// Follows the database: takes up a key that is current now, drops those that are retired.
///
/// # Errors
/// When the database or a key cannot be read; everything stays as it was then.
pub(crate) async fn reload(keyring: &Keyring, store: &Store) -> anyhow::Result<()> {
    let known = known(store.keks().await?)?;
    Ok(keyring.reload(&known).await?)
}
