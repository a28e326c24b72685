//! The vault's keys by configuration and database, for the server and the command line.

use crate::config::Config;
use crate::vault::{KeySource, Keyring, KmsConfig, Vault};

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

/// Opens the keys.
pub(crate) async fn open(config: &Config) -> anyhow::Result<Keyring> {
    let first_start = Vault::is_empty(&config.vault_dir())?;
    let (keyring, _) = Keyring::open(source(config), &[], first_start).await?;
    Ok(keyring)
}
