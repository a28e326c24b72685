//! AWS KMS as the keeper of key-encryption keys: each is drawn by GenerateDataKey, its ciphertext lies in the database,
//! and one Decrypt at start opens it. From then on it is held in memory: a KMS that is away later stops no call.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use zeroize::{Zeroize, Zeroizing};

use super::kek::{Kek, KekId};
use crate::vault::AwsService;

/// How long one try may take, and all of them together.
const TRY: Duration = Duration::from_secs(5);
const ALL_TRIES: Duration = Duration::from_secs(20);

/// What a key of KMS is bound to (its encryption context, shown in AWS's own log).
const PURPOSE: (&str, &str) = ("sayso", "kek");

/// Where AWS KMS is, and which key.
#[derive(Clone, Debug)]
pub struct KmsConfig {
    /// The KMS key: id, ARN or alias.
    pub key_id: String,
    /// Where KMS is, and as whom it is asked.
    pub service: AwsService,
}

/// Why AWS KMS did not do it. Nothing secret is in it.
#[derive(Debug, thiserror::Error)]
pub enum KmsError {
    /// It cannot be reached, or is busy.
    #[error(
        "AWS KMS cannot be reached to {doing} ({key}): {why}; check region, endpoint and network, then start again"
    )]
    Away {
        /// What was tried.
        doing: &'static str,
        /// Which KMS key.
        key: String,
        /// What was seen.
        why: String,
    },
    /// We may not.
    #[error(
        "AWS KMS does not allow us to {doing} ({key}): {why}; check the credentials, and that they may \
         kms:GenerateDataKey and kms:Decrypt with that key"
    )]
    Denied {
        /// What was tried.
        doing: &'static str,
        /// Which KMS key.
        key: String,
        /// KMS's words.
        why: String,
    },
    /// The key is disabled, or waits for its deletion.
    #[error(
        "the key {key} of AWS KMS cannot be used to {doing}: {why}; enable it again (or cancel its deletion): \
         recordings cannot be opened without it"
    )]
    Disabled {
        /// What was tried.
        doing: &'static str,
        /// Which KMS key.
        key: String,
        /// KMS's words.
        why: String,
    },
    /// There is no such key.
    #[error("AWS KMS knows no key {key} to {doing}: {why}; check key-id and region in [vault.kms]")]
    NoSuchKey {
        /// What was tried.
        doing: &'static str,
        /// Which KMS key.
        key: String,
        /// KMS's words.
        why: String,
    },
    /// What lies in the database is not what it made.
    #[error(
        "AWS KMS does not open the key-encryption key {kek} of the database with {key}: {why}; check key-id in \
         [vault.kms], and that the database is the one it belongs to"
    )]
    Foreign {
        /// Which key-encryption key.
        kek: KekId,
        /// Which KMS key.
        key: String,
        /// KMS's words, or ours.
        why: String,
    },
    /// Anything else.
    #[error("AWS KMS refused to {doing} ({key}): {why}")]
    Refused {
        /// What was tried.
        doing: &'static str,
        /// Which KMS key.
        key: String,
        /// KMS's words.
        why: String,
    },
}

impl KmsError {
    /// Whether it may pass by itself.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self {
            Self::Away { .. } => true,
            Self::Denied { .. }
            | Self::Disabled { .. }
            | Self::NoSuchKey { .. }
            | Self::Foreign { .. }
            | Self::Refused { .. } => false,
        }
    }
}

/// A client of KMS.
pub(super) struct Kms {
    client: Client,
    key: String,
}

impl Kms {
    /// Makes no request.
    pub(super) async fn new(config: &KmsConfig) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(TRY)
            .operation_attempt_timeout(TRY)
            .operation_timeout(ALL_TRIES)
            .build();
        let loader = config.service.loader().timeout_config(timeouts).retry_config(RetryConfig::standard());
        Self { client: Client::new(&loader.load().await), key: config.key_id.clone() }
    }

    /// Draws a key-encryption key: the key, and its ciphertext for the database. That KMS opens it again is tried at
    /// once, since a key that cannot be opened must never seal anything.
    pub(super) async fn draw(&self) -> Result<(Kek, Vec<u8>), KmsError> {
        let drawn = self
            .client
            .generate_data_key()
            .key_id(&self.key)
            .key_spec(DataKeySpec::Aes256)
            .encryption_context(PURPOSE.0, PURPOSE.1)
            .send()
            .await;
        let drawn = drawn.map_err(|error| self.fault("draw a key-encryption key", &error))?;
        let wrapped = drawn.ciphertext_blob.map(Blob::into_inner).unwrap_or_default();
        let kek = drawn.plaintext.and_then(kek_of).ok_or_else(|| KmsError::Refused {
            doing: "draw a key-encryption key",
            key: self.key.clone(),
            why: "its answer holds no key of 32 bytes".to_owned(),
        })?;
        self.open(kek.id(), &wrapped).await?;
        Ok((kek, wrapped))
    }

    /// Opens a key-encryption key of the database.
    pub(super) async fn open(&self, id: &KekId, wrapped: &[u8]) -> Result<Kek, KmsError> {
        let opened = self
            .client
            .decrypt()
            .key_id(&self.key)
            .ciphertext_blob(Blob::new(wrapped))
            .encryption_context(PURPOSE.0, PURPOSE.1)
            .send()
            .await;
        let foreign = |why: String| KmsError::Foreign { kek: id.clone(), key: self.key.clone(), why };
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                return Err(match error.code() {
                    Some(code @ ("InvalidCiphertextException" | "IncorrectKeyException")) => {
                        foreign(code.to_owned())
                    }
                    Some(_) | None => self.fault("open a key-encryption key", &error),
                });
            }
        };
        let kek = opened.plaintext.and_then(kek_of);
        let kek = kek.filter(|kek| kek.id() == id);
        kek.ok_or_else(|| foreign("what it opens is another key".to_owned()))
    }

    fn fault<E>(&self, doing: &'static str, error: &SdkError<E>) -> KmsError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let key = self.key.clone();
        let Some(code) = error.code() else {
            let why = DisplayErrorContext(error).to_string();
            return match error {
                SdkError::ConstructionFailure(_) => KmsError::Refused { doing, key, why },
                // Not a matter of the network: there is nobody to sign the request.
                SdkError::DispatchFailure(failure) if failure.is_other() && why.contains("redential") => {
                    KmsError::Denied { doing, key, why }
                }
                SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
                    KmsError::Away { doing, key, why }
                }
                SdkError::ServiceError(answer) if answer.raw().status().is_server_error() => {
                    KmsError::Away { doing, key, why }
                }
                // `SdkError` is of another crate and may grow.
                SdkError::ServiceError(_) | _ => KmsError::Refused { doing, key, why },
            };
        };
        let why = match error.message() {
            Some(message) => format!("{code}: {message}"),
            None => code.to_owned(),
        };
        match code {
            "AccessDeniedException"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "InvalidClientTokenId"
            | "MissingAuthenticationTokenException"
            | "ExpiredTokenException"
            | "NotAuthorizedException" => KmsError::Denied { doing, key, why },
            "DisabledException" | "KMSInvalidStateException" => KmsError::Disabled { doing, key, why },
            "NotFoundException" => KmsError::NoSuchKey { doing, key, why },
            "DependencyTimeoutException"
            | "KMSInternalException"
            | "KeyUnavailableException"
            | "ThrottlingException"
            | "LimitExceededException" => KmsError::Away { doing, key, why },
            _ => KmsError::Refused { doing, key, why },
        }
    }
}

/// The key of KMS's answer; the answer's bytes are wiped.
fn kek_of(plaintext: Blob) -> Option<Kek> {
    let mut bytes = plaintext.into_inner();
    let key = <[u8; 32]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new);
    bytes.zeroize();
    key.map(|key| Kek::new(&key))
}
