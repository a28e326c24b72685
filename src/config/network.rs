//! How peers reach us: certificates, addresses behind a NAT, and what must fit together.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use super::{Config, ConfigError};
use crate::sip::core::{Advertise, Nat};

/// See [`Config::tls`]. The files are PEM; they are read again when they change, without a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TlsConfig {
    /// Our certificate, its chain after it.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// Whoever connects to `sip.tls` with a certificate must have it from one of these. Browsers
    /// (`sip.wss`, `http.tls`) are not asked for one.
    pub client_ca: Option<PathBuf>,
    /// Whoever connects to `sip.tls` must have a certificate.
    pub require_client_certificate: bool,
    /// Servers that we connect to may have their certificate from one of these too; else from one of
    /// the system's authorities.
    pub ca: Option<PathBuf>,
    /// What we show servers that ask for our certificate.
    pub client_certificate: Option<PathBuf>,
    /// Its private key.
    pub client_key: Option<PathBuf>,
}

/// Something that is allowed and seldom meant; for the log at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Any web page may connect to the WebSocket ports.
    AnyOrigin,
    /// SIP is spoken in the clear only.
    NothingSecure,
    /// `insecure = true` in `[vault.s3]` or `[vault.kms]`.
    VaultInClear,
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnyOrigin => "sip.ws-origins: scripts of any web page may connect",
            Self::NothingSecure => "no address in sip.tls or sip.wss: all SIP is in the clear, SRTP keys too",
            Self::VaultInClear => {
                "vault: insecure = true: what is sent to the object store or the KMS may be in the clear"
            }
        })
    }
}

impl Config {
    pub(super) fn check_network(&self, file: &str) -> Result<(), ConfigError> {
        let (sip, tls) = (&self.sip, &self.tls);
        let fault = |section: &str, what: &str| {
            Err(ConfigError { place: format!("{file}: [{section}]"), what: what.to_owned() })
        };
        let listens = [&sip.udp, &sip.tcp, &sip.tls, &sip.ws, &sip.wss];
        if listens.iter().all(|list| list.is_empty()) {
            return fault("sip", "nothing to listen on: name an address in udp, tcp, tls, ws or wss");
        }
        if tls.certificate.is_some() != tls.key.is_some() {
            return fault("tls", "certificate and key go together: name both files or neither");
        }
        if tls.client_certificate.is_some() != tls.client_key.is_some() {
            return fault("tls", "client-certificate and client-key go together: name both files or neither");
        }
        if tls.require_client_certificate && tls.client_ca.is_none() {
            return fault("tls", "require-client-certificate needs client-ca: the file of who may sign them");
        }
        if tls.certificate.is_none() {
            if !sip.tls.is_empty() || !sip.wss.is_empty() {
                return fault("sip", "tls and wss need certificate and key in [tls]");
            }
            if self.http.tls {
                return fault("http", "tls = true needs certificate and key in [tls]");
            }
        }
        for origin in &sip.ws_origins {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if origin != "*" && !host.is_some_and(|host| !host.is_empty() && !host.contains('/')) {
                let what = format!(
                    "ws-origins: {origin:?} is no origin, such as https://desk.example:8443 (without a path)"
                );
                return fault("sip", &what);
            }
        }
        for (section, advertise) in [("sip", &sip.advertise), ("media", &self.media.advertise)] {
            if let Some((ours, theirs)) = mixed(advertise) {
                let what = format!("advertise: {ours} and {theirs} are of different families");
                return fault(section, &what);
            }
        }
        Ok(())
    }

    /// What an operator should know of this configuration.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        let any = self.sip.ws_origins.iter().any(|origin| origin == "*").then_some(Fact::AnyOrigin);
        let clear = self.sip.tls.is_empty() && self.sip.wss.is_empty();
        let (s3, kms) = (&self.vault.s3, &self.vault.kms);
        let vault = s3.as_ref().is_some_and(|s3| s3.insecure) || kms.as_ref().is_some_and(|kms| kms.insecure);
        let clear = clear.then_some(Fact::NothingSecure);
        any.into_iter().chain(clear).chain(vault.then_some(Fact::VaultInClear)).collect()
    }

    /// Which of our addresses a SIP peer is told.
    #[must_use]
    pub fn sip_nat(&self) -> Nat {
        Nat::new(self.sip.advertise.clone(), self.sip.local_networks.clone())
    }

    /// Which of our addresses a peer is told for audio.
    #[must_use]
    pub fn media_nat(&self) -> Nat {
        let own = &self.media.advertise;
        let advertise = if *own == Advertise::Nothing { &self.sip.advertise } else { own };
        Nat::new(advertise.clone(), self.sip.local_networks.clone())
    }
}

/// An entry whose two sides cannot stand for each other.
fn mixed(advertise: &Advertise) -> Option<(IpAddr, IpAddr)> {
    match advertise {
        Advertise::Nothing | Advertise::One(_) => None,
        Advertise::Each(table) => {
            let mixed = table.iter().find(|(ours, theirs)| ours.is_ipv4() != theirs.is_ipv4());
            mixed.map(|(ours, theirs)| (*ours, *theirs))
        }
    }
}

/// An address, or a table of addresses.
pub(super) fn advertise<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Advertise, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "an address, \"203.0.113.7\", or a table of addresses, { \"10.0.0.1\" = \"203.0.113.7\" }"
    )]
    enum Written {
        One(IpAddr),
        Each(std::collections::BTreeMap<IpAddr, IpAddr>),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::One(ip) => Advertise::One(ip),
        Written::Each(table) => Advertise::Each(table),
    })
}
