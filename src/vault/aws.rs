//! How a service of AWS, or one that speaks like it, is reached: the object store, and KMS.

use std::fmt;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, ConfigLoader, Region};
use aws_sdk_s3::config::Credentials;

use crate::ids::Redacted;

/// See the module.
#[derive(Clone, Default)]
pub struct AwsService {
    /// The region; `None`: as AWS's environment and profile say, else `us-east-1`.
    pub region: Option<String>,
    /// Another service than AWS's, as a URL.
    pub endpoint: Option<String>,
    /// Access key and its secret; `None`: AWS's own chain (environment, profile, web identity, instance role).
    pub credentials: Option<(String, Redacted<String>)>,
}

impl AwsService {
    /// What a client of the service begins with. No request is made.
    pub(super) fn loader(&self) -> ConfigLoader {
        // Not the SDK's whole chain: that asks the machine's metadata service, and a start waits for nobody.
        let region = RegionProviderChain::first_try(self.region.clone().map(Region::new))
            .or_else(EnvironmentVariableRegionProvider::new())
            .or_else(ProfileFileRegionProvider::new())
            .or_else(Region::new("us-east-1"));
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).region(region);
        if let Some((key, secret)) = &self.credentials {
            loader = loader.credentials_provider(Credentials::new(key, &secret.0, None, None, "sayso.toml"));
        }
        if let Some(endpoint) = &self.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        loader
    }
}

/// Neither access key nor secret.
impl fmt::Debug for AwsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsService")
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .field("own_credentials", &self.credentials.is_some())
            .finish()
    }
}
