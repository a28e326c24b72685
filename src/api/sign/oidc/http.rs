//! The HTTP client that asks providers: TLS everywhere but on this machine, no redirects, nothing without end.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::{Client, Url, redirect};
use rustls::{ClientConfig, RootCertStore};

/// A provider that takes longer is away: somebody waits for the page.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer: keys and claims are some kilobytes.
const LONGEST: usize = 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// Neither TLS nor this machine: whoever is on the way could say who anybody is.
    #[error("{0} is reached without TLS, and is not this machine")]
    Open(String),
    /// The client could not be made, or the other side does not answer.
    #[error("{0}")]
    Away(#[from] reqwest::Error),
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The answer has no end.
    #[error("the answer is longer than {LONGEST} bytes")]
    Long,
}

/// Whom we believe: the system's certificate authorities. None at all is no error here: nobody is trusted then.
static TLS: LazyLock<Result<ClientConfig, rustls::Error>> = LazyLock::new(|| {
    let mut trusted = RootCertStore::empty();
    trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(tls.with_root_certificates(trusted).with_no_client_auth())
});

/// See the module.
pub(super) struct Http {
    client: Client,
    /// Whether the provider is on this machine: then so may be what it names, and in the clear.
    here: bool,
}

impl Http {
    /// For a provider at this place.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn of(issuer: &Url) -> Result<Self, HttpError> {
        let here = is_here(issuer);
        allowed(issuer, here)?;
        let client = Client::builder()
            .tls_backend_preconfigured(TLS.clone()?)
            .redirect(redirect::Policy::none())
            // A connection that was kept may be closed by the other side just as the next request goes out.
            .pool_max_idle_per_host(0)
            .connect_timeout(PATIENCE / 2)
            .timeout(PATIENCE);
        // A proxy does not know what this machine calls itself.
        let client = if here { client.no_proxy() } else { client };
        Ok(Self { client: client.build()?, here })
    }

    /// Whether what the provider names may be asked, or browsers be sent there.
    ///
    /// # Errors
    /// When it goes in the clear over a network, or to this machine's own services where the provider is elsewhere.
    pub(super) fn allows(&self, url: &Url) -> Result<(), HttpError> {
        allowed(url, self.here)
    }

    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request: reqwest::Request = request.try_into()?;
        self.allows(request.url())?;
        let mut answer = self.client.execute(request).await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(more) = answer.chunk().await? {
            if body.len() + more.len() > LONGEST {
                return Err(HttpError::Long);
            }
            body.extend_from_slice(&more);
        }
        let mut whole = HttpResponse::new(body);
        *whole.status_mut() = status;
        *whole.headers_mut() = headers;
        Ok(whole)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

/// Whether what is said there can be believed, by a provider that is `here`, on this machine, or elsewhere.
fn allowed(url: &Url, here: bool) -> Result<(), HttpError> {
    if url.scheme() == "https" || (here && url.scheme() == "http" && is_here(url)) {
        return Ok(());
    }
    Err(HttpError::Open(url.origin().ascii_serialization()))
}

/// Whether it is this machine.
pub(super) fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    host == "localhost" || ip.is_some_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_speaks_tls_or_is_on_this_machine() {
        let fits = |text: &str| {
            let url: Url = text.parse().unwrap();
            allowed(&url, is_here(&url)).is_ok()
        };
        for good in [
            "https://id.example/realms/house",
            "http://127.0.0.1:5556/dex",
            "http://127.8.9.10/",
            "http://[::1]:80/",
            "http://localhost:4000",
        ] {
            assert!(fits(good), "{good}");
        }
        for bad in [
            "http://id.example",
            "http://192.168.1.1",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "http://localhost@evil.example/",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
        ] {
            assert!(!fits(bad), "{bad}");
        }
    }

    #[test]
    fn a_provider_elsewhere_sends_no_request_to_this_machine_s_services() {
        let elsewhere = Http::of(&"https://id.example/".parse().unwrap()).unwrap();
        let here = Http::of(&"http://127.0.0.1:5556/".parse().unwrap()).unwrap();
        let service: Url = "http://127.0.0.1:9000/".parse().unwrap();
        assert!(elsewhere.allows(&service).is_err() && here.allows(&service).is_ok());
        assert!(elsewhere.allows(&"https://keys.id.example/".parse().unwrap()).is_ok());
    }
}
