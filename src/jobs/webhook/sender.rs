//! One request to a webhook: signed, without redirects and proxies, to no address that is not allowed, and over within
//! ten seconds.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_lc_rs::hmac;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url, redirect};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::lookup_host;
use ulid::Ulid;

use crate::settings::{Webhook, WebhookRules};
use crate::time::Timestamp;

/// A receiver has to answer within this time.
const WITHIN: Duration = Duration::from_secs(10);
/// What is told of a failure has no more characters.
const TOLD: usize = 300;

/// Sends. Clones share it.
#[derive(Clone, Debug)]
pub struct Sender {
    client: Result<Client, String>,
    rules: Arc<WebhookRules>,
}

/// Where it leads is private, and nobody allowed it. The address is not told: names of another network are none of the
/// reader's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it leads to a private address, which webhook-networks of [system.sayso] does not allow")]
struct Private;

/// Why an event was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The answer's status, if there was an answer.
    pub status: Option<u16>,
    /// In words; without the URL, which may hold a secret.
    pub what: String,
}

/// Whom we believe: the system's certificate authorities.
static TLS: LazyLock<Result<ClientConfig, String>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
});

impl Sender {
    /// One that waits for ten seconds, and goes where these rules allow it.
    #[must_use]
    pub fn new(rules: &WebhookRules) -> Self {
        Self::within(WITHIN, rules)
    }

    /// Whether it goes by these.
    pub(super) fn is_by(&self, rules: &WebhookRules) -> bool {
        *self.rules == *rules
    }

    /// One that waits so long.
    #[must_use]
    pub(super) fn within(span: Duration, rules: &WebhookRules) -> Self {
        let rules = Arc::new(rules.clone());
        let client = TLS.clone().and_then(|tls| {
            let client = Client::builder()
                .tls_backend_preconfigured(tls)
                .timeout(span)
                .redirect(redirect::Policy::none())
                .no_proxy()
                .dns_resolver(Names(Arc::clone(&rules)))
                // Events are rare, and a connection that was closed meanwhile would cost a try.
                .pool_max_idle_per_host(0)
                .user_agent(concat!("sayso/", env!("CARGO_PKG_VERSION")));
            client.build().map_err(|error| error.to_string())
        });
        Self { client, rules }
    }

    /// Sends an event; the status of the answer that took it.
    ///
    /// # Errors
    /// When there was no answer in time, or another than 2xx.
    pub async fn send(
        &self,
        webhook: &Webhook,
        event: &str,
        id: Ulid,
        body: &str,
        now: Timestamp,
    ) -> Result<u16, Refused> {
        let refused = |what: String| Refused { status: None, what };
        let client =
            self.client.as_ref().map_err(|error| refused(format!("no requests can be made: {error}")))?;
        let url = target(&webhook.url).map_err(refused)?;
        // An address is not looked up, so it is not seen by `Names`.
        if address(&url).is_some_and(|ip| !self.rules.allows(ip)) {
            return Err(refused(Private.to_string()));
        }
        if webhook.secret.0.is_empty() {
            return Err(refused("the webhook has no secret to sign with: set one".to_owned()));
        }
        let request = client
            .post(url)
            .header("content-type", "application/json")
            .header("sayso-event", event)
            .header("sayso-delivery", id.to_string())
            .header("sayso-signature", signature(&webhook.secret.0, now, body))
            .body(body.to_owned());
        let answer = request.send().await.map_err(|error| refused(told(error)))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(status.as_u16());
        }
        let what = if status.is_redirection() {
            format!("the answer was a redirect ({}), which is not followed", status.as_u16())
        } else {
            format!("the answer was {}", status.as_u16())
        };
        Err(Refused { status: Some(status.as_u16()), what })
    }
}

/// `t=<unix seconds>,v1=<hex>`: HMAC-SHA256 under the webhook's secret over `t`, a dot and the body. A receiver computes
/// the same, compares in constant time, and refuses what is older than some minutes.
fn signature(secret: &str, now: Timestamp, body: &str) -> String {
    let at = now.as_micros().div_euclid(1_000_000);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
    format!("t={at},v1={}", hex::encode(tag))
}

/// Where it goes: https, or http to this machine, where nobody listens in.
fn target(url: &str) -> Result<Url, String> {
    let url = Url::parse(url).map_err(|error| format!("its URL cannot be read: {error}"))?;
    let host = url.host_str().unwrap_or_default();
    let is_here = host == "localhost" || address(&url).is_some_and(|address| address.is_loopback());
    match url.scheme() {
        "https" if !host.is_empty() => Ok(url),
        "http" if is_here => Ok(url),
        "http" => Err("its URL is http to another machine: use https".to_owned()),
        other => Err(format!("its URL is of the scheme {other}: use https")),
    }
}

/// The address it names, however it is written (`0x7f.1` is read when the URL is); `None`: a name.
fn address(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Looks names up, and gives only addresses that may be reached: the connection is made to one of these and no other,
/// so a name that is answered otherwise the next time (DNS rebinding) gains nothing.
struct Names(Arc<WebhookRules>);

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(look_up(name, Arc::clone(&self.0)))
    }
}

async fn look_up(name: Name, rules: Arc<WebhookRules>) -> Result<Addrs, Box<dyn Error + Send + Sync>> {
    let found = lookup_host((name.as_str(), 0)).await?.collect();
    Ok(Box::new(reachable(found, &rules)?.into_iter()))
}

/// Those of a name's addresses that may be reached.
fn reachable(found: Vec<SocketAddr>, rules: &WebhookRules) -> Result<Vec<SocketAddr>, Private> {
    let some = !found.is_empty();
    let may: Vec<SocketAddr> = found.into_iter().filter(|at| rules.allows(at.ip())).collect();
    if some && may.is_empty() { Err(Private) } else { Ok(may) }
}

/// An error with its causes, in a line.
fn told(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "there was no answer in time".to_owned();
    }
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words.chars().take(TOLD).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_a_receiver_computes() {
        // Computed by another program: HMAC-SHA256("secret", "1795339800.{}").
        let at = Timestamp::from_micros(1_795_339_800_999_999);
        let signed = signature("secret", at, "{}");
        assert_eq!(
            signed,
            "t=1795339800,v1=45a1d75f9a60cb4c2824e4fae29adc9bd2f03a9a7813961472802569ce370645"
        );
        assert_ne!(signature("other", at, "{}"), signed);
        assert_ne!(signature("secret", at, "{} "), signed);
    }

    #[test]
    fn of_a_name_s_addresses_only_those_that_may_be_reached_are() {
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        let nobody = WebhookRules::default();
        let both = vec![at("10.0.0.1"), at("8.8.8.8"), at("::1")];
        assert_eq!(reachable(both.clone(), &nobody), Ok(vec![at("8.8.8.8")]));
        assert_eq!(reachable(vec![at("10.0.0.1"), at("::1")], &nobody), Err(Private));
        assert_eq!(
            reachable(Vec::new(), &nobody),
            Ok(Vec::new()),
            "a name without addresses is another fault"
        );
        let ten = WebhookRules { networks: vec!["10.0.0.0/8".parse().unwrap()] };
        assert_eq!(reachable(both, &ten), Ok(vec![at("10.0.0.1"), at("8.8.8.8")]));
    }

    #[test]
    fn an_address_is_known_however_it_is_written() {
        for odd in ["https://2130706433/", "https://0x7f.1/", "https://0177.0.0.1/", "https://127.1/"] {
            assert_eq!(address(&target(odd).unwrap()), Some(IpAddr::from([127, 0, 0, 1])), "{odd}");
        }
    }

    #[test]
    fn events_go_to_https_or_to_this_machine() {
        for good in
            ["https://a.example/x?y=1", "http://127.0.0.1:8080/", "http://[::1]/", "http://localhost/"]
        {
            assert!(target(good).is_ok(), "{good}");
        }
        let bad = [
            "http://a.example/",
            "http://127.0.0.1.a.example/",
            "http://10.0.0.1/",
            "ftp://a.example/",
            "file:///etc/passwd",
            "a.example",
            "",
        ];
        for bad in bad {
            assert!(target(bad).is_err(), "{bad}");
        }
    }
}
