//! Objects in a bucket, by the SDK of AWS: any endpoint that speaks S3. One request is tried twice here; who
//! called tries for longer. Nothing is believed that the store did not say: a put is compared with a HEAD, a
//! removal with a listing.

mod check;
mod errors;
mod pace;
mod put;
mod read;
mod remove;
pub(super) mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
};
use aws_sdk_s3::primitives::DateTime;

use super::ObjectError;
use crate::time::{Clock, Timestamp};
use pace::Pace;
use settings::S3Settings;

/// Beyond this a store that is there would have taken the connection.
const CONNECT: Duration = Duration::from_secs(5);
/// From the request to the first byte of its answer, when no part has to be sent.
const READ: Duration = Duration::from_secs(30);
/// One try of a request without a part, connection and answer together.
const ATTEMPT: Duration = Duration::from_secs(60);
/// How long a body may stand still.
const STALL: Duration = Duration::from_secs(20);
/// Tries of one request: the second one mends a connection that the store closed meanwhile.
const TRIES: u32 = 2;
/// Most that the second try waits: who called waits longer between its own.
const BACK_OFF: Duration = Duration::from_millis(100);
/// Where the SHA-256 of the whole is kept with an object.
const SHA256_KEY: &str = "sayso-sha256";

/// A bucket.
pub(super) struct S3 {
    client: Client,
    settings: S3Settings,
    pace: Option<Arc<Pace>>,
    clock: Clock,
    /// The store does not list unfinished uploads.
    hides_uploads: AtomicBool,
}

impl S3 {
    pub(super) async fn open(settings: &S3Settings) -> Result<Self, ObjectError> {
        if let Some(endpoint) = &settings.service.endpoint
            && !["http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme))
        {
            return Err(ObjectError::Refused {
                what: "use the endpoint",
                name: endpoint.clone(),
                why: "a URL is expected, \"https://minio.example:9000\"".to_owned(),
            });
        }
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .read_timeout(READ)
            .operation_attempt_timeout(ATTEMPT);
        let loader = settings
            .service
            .loader()
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES).with_initial_backoff(BACK_OFF))
            .timeout_config(timeouts.build())
            .stalled_stream_protection(StalledStreamProtectionConfig::enabled().grace_period(STALL).build());
        // Checksums are ours and explicit: the SDK's own default is one that many stores do not know.
        let config = aws_sdk_s3::config::Builder::from(&loader.load().await)
            .force_path_style(settings.path_style.unwrap_or(settings.service.endpoint.is_some()))
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        Ok(Self {
            client: Client::from_conf(config.build()),
            settings: settings.clone(),
            pace: settings.bandwidth.filter(|rate| *rate > 0).map(|rate| Arc::new(Pace::new(rate))),
            clock: Clock::start(),
            hides_uploads: AtomicBool::new(false),
        })
    }

    pub(super) fn place(&self) -> String {
        format!("s3://{}/{}", self.settings.bucket, self.settings.prefix)
    }

    pub(super) fn not_listed(&self) -> Option<&'static str> {
        self.hides_uploads
            .load(Ordering::Relaxed)
            .then_some("parts of uploads that were never finished: this object store cannot list them")
    }

    /// The store's key of a name.
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.settings.prefix)
    }

    /// The name of a key that a listing below our prefix brought.
    fn name(&self, key: &str) -> String {
        key.strip_prefix(&self.settings.prefix).unwrap_or(key).to_owned()
    }

    fn bucket(&self) -> &str {
        &self.settings.bucket
    }
}

/// Our time of the SDK's.
fn timestamp(at: &DateTime) -> Timestamp {
    let micros = i64::from(at.subsec_nanos() / 1_000);
    Timestamp::from_micros(at.secs().saturating_mul(1_000_000).saturating_add(micros))
}
