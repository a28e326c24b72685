//! `sayso.toml` and the environment -> [`Config`], parsed once at start.
//!
//! The environment wins over the file: `SAYSO_DATA`, `SAYSO_DATABASE_URL`, `SAYSO_HTTP_LISTEN`,
//! `SAYSO_LOG`. Anything unknown, misspelt or out of range is an error that says where it stands.

mod desktop;
mod network;
mod vault;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

use crate::ids::Redacted;
use crate::settings::parse_span;
use crate::sip::core::digest::Algorithm;
use crate::sip::core::{Advertise, Nat};

pub use desktop::{DesktopConfig, TurnConfig};
pub use network::{Fact, TlsConfig};
pub use vault::{
    AudioFormat, Encryption, KmsSection, LockMode, LockedErasure, ObjectLock, S3Section, ServiceSection, Sse,
    VaultSection, parse_size,
};

/// All that an operator sets for one node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Config {
    /// The folder of database, vault and imported prompts.
    pub data: PathBuf,
    /// Where state is kept.
    pub database: DatabaseConfig,
    /// Signalling.
    pub sip: SipConfig,
    /// Certificates: for `sip.tls`, `sip.wss` and `http.tls`, and for connections of our own.
    pub tls: TlsConfig,
    /// Audio.
    pub media: MediaConfig,
    /// Health, metrics.
    pub http: HttpConfig,
    /// The agents' pages.
    pub desktop: DesktopConfig,
    /// How browsers reach us from behind a NAT or a firewall.
    pub turn: TurnConfig,
    /// Recordings at rest.
    pub vault: VaultSection,
    /// People's data.
    pub privacy: PrivacySection,
    /// What is logged, and how.
    pub log: LogConfig,
    /// How long calls may go on after a stop was asked for.
    #[serde(deserialize_with = "span")]
    pub drain: Duration,
}

/// See [`Config::database`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseConfig {
    /// `sqlite:PATH` or `postgres://USER@HOST/DATABASE`; by default the file `sayso.db` in the data folder.
    /// PostgreSQL's may hold a password, so it is shown nowhere.
    pub url: Option<Redacted<String>>,
}

/// See [`Config::sip`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SipConfig {
    /// UDP addresses to listen on. `0.0.0.0` and `[::]` are all addresses of their family; answers leave
    /// from the one that was asked.
    pub udp: Vec<SocketAddr>,
    /// TCP addresses to listen on.
    pub tcp: Vec<SocketAddr>,
    /// TLS addresses to listen on; they need `tls.certificate`.
    pub tls: Vec<SocketAddr>,
    /// Addresses to listen on for WebSocket clients (RFC 7118); any path will do. The HTTP port takes them
    /// too, at `/sip`.
    pub ws: Vec<SocketAddr>,
    /// The same in TLS; they need `tls.certificate`.
    pub wss: Vec<SocketAddr>,
    /// The web pages whose scripts may connect: `https://desk.example`, or `*` for all. By default those
    /// that come from the same host and port. Clients that are no browsers name no page and are not
    /// judged by this.
    pub ws_origins: Vec<String>,
    /// The digest realm. Changing it makes every agent's stored password void.
    #[serde(deserialize_with = "realm")]
    pub realm: String,
    /// The address peers elsewhere reach us at, when it is not the one we listen on: one for all, or a
    /// table from our address to theirs, `{ "10.0.0.1" = "203.0.113.7" }`.
    #[serde(deserialize_with = "network::advertise")]
    pub advertise: Advertise,
    /// Peers there are told our own addresses and not those of `advertise`, here and for audio.
    pub local_networks: Vec<IpNet>,
    /// Name servers for trunks' hosts; by default those of the system.
    pub dns: Vec<SocketAddr>,
    /// The digest algorithms offered to phones, best first. Some phones (baresip 1.0) give up when
    /// SHA-256 is among them.
    #[serde(deserialize_with = "some_of")]
    pub digest: Vec<Algorithm>,
}

/// See [`Config::media`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct MediaConfig {
    /// The address RTP sockets are bound to.
    pub ip: IpAddr,
    /// The address peers elsewhere reach them at, as in `[sip]`; by default what `[sip]` says.
    #[serde(deserialize_with = "network::advertise")]
    pub advertise: Advertise,
    /// First and last RTP port; each leg takes an even and the next odd one.
    #[serde(deserialize_with = "port_range")]
    pub ports: (u16, u16),
    /// The UDP port that all WebRTC legs of the first media thread share; thread n takes this one + n. By
    /// default one of `ports` for each.
    #[serde(deserialize_with = "shared_port")]
    pub webrtc_port: Option<u16>,
    /// Media threads; one per core by default.
    pub workers: Option<NonZeroUsize>,
    /// A leg without RTP for so long is taken for dead.
    #[serde(deserialize_with = "span")]
    pub timeout: Duration,
}

/// See [`Config::http`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Whether it speaks TLS; needs `tls.certificate`.
    pub tls: bool,
    /// Our own proxies before it: what they say in `X-Forwarded-For` is where a request comes from. Without it all
    /// who come by a proxy are one address, which a few failed log-ins shut out together.
    pub proxies: Vec<IpNet>,
}

/// See [`Config::privacy`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PrivacySection {
    /// The folder of the separate store, into which people's data is moved, sealed, before it is erased here; without it
    /// nothing can be moved. Best on another disk, to which few have access.
    pub archive: Option<PathBuf>,
    /// The file of its keys; by default `archive.key` in the data folder. Who has it and the folder reads what was moved.
    pub archive_key_file: Option<PathBuf>,
}

/// See [`Config::log`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// A `tracing` filter: `info`, `sayso=debug`, …
    pub filter: String,
    /// Text or JSON lines.
    pub format: LogFormat,
}

/// See [`LogConfig::format`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("var"),
            database: DatabaseConfig::default(),
            sip: SipConfig::default(),
            tls: TlsConfig::default(),
            media: MediaConfig::default(),
            http: HttpConfig::default(),
            desktop: DesktopConfig::default(),
            turn: TurnConfig::default(),
            vault: VaultSection::default(),
            privacy: PrivacySection::default(),
            log: LogConfig::default(),
            drain: Duration::from_secs(30),
        }
    }
}

impl Default for SipConfig {
    fn default() -> Self {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5060));
        Self {
            udp: vec![any],
            tcp: vec![any],
            tls: Vec::new(),
            ws: Vec::new(),
            wss: Vec::new(),
            ws_origins: Vec::new(),
            realm: "sayso".to_owned(),
            advertise: Advertise::Nothing,
            local_networks: Nat::usual_local_networks(),
            dns: Vec::new(),
            digest: vec![Algorithm::Sha256, Algorithm::Md5],
        }
    }
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            advertise: Advertise::Nothing,
            ports: (20_000, 29_999),
            webrtc_port: None,
            workers: None,
            timeout: Duration::from_secs(60),
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)), tls: false, proxies: Vec::new() }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

impl Config {
    /// Reads `path`, then the environment.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the line, the key, what is wrong and what is allowed.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError { place: file.clone(), what: format!("cannot be read: {error}") })?;
        let mut config = Self::parse(&text, &file)?;
        config.environment(|name| std::env::var(name).ok())?;
        Ok(config)
    }

    /// Parses the text of a configuration; `file` is for messages.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| ConfigError::of_toml(file, text, &error))?;
        config.check_network(file)?;
        config.check_desktop(file)?;
        config.check_vault(file)?;
        Ok(config)
    }

    fn environment(&mut self, read: impl Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        if let Some(data) = read("SAYSO_DATA") {
            self.data = PathBuf::from(data);
        }
        if let Some(url) = read("SAYSO_DATABASE_URL") {
            self.database.url = Some(Redacted(url));
        }
        if let Some(filter) = read("SAYSO_LOG") {
            self.log.filter = filter;
        }
        if let Some(listen) = read("SAYSO_HTTP_LISTEN") {
            self.http.listen = listen.parse().map_err(|_| ConfigError {
                place: "environment: SAYSO_HTTP_LISTEN".to_owned(),
                what: format!("{listen:?} is no address and port, such as 127.0.0.1:8080"),
            })?;
        }
        Ok(())
    }

    /// The database's URL; not for logs.
    #[must_use]
    pub fn database_url(&self) -> String {
        self.database
            .url
            .as_ref()
            .map_or_else(|| format!("sqlite:{}", self.data.join("sayso.db").display()), |url| url.0.clone())
    }

    /// The folder of recordings.
    #[must_use]
    pub fn vault_dir(&self) -> PathBuf {
        self.vault.dir.clone().unwrap_or_else(|| self.data.join("vault"))
    }

    /// The key-encryption key's file.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.vault.key_file.clone().unwrap_or_else(|| self.data.join("vault.key"))
    }

    /// The file of the separate store's keys.
    #[must_use]
    pub fn archive_key_file(&self) -> PathBuf {
        self.privacy.archive_key_file.clone().unwrap_or_else(|| self.data.join("archive.key"))
    }

    /// The folder of finished recordings, where there is no S3 store.
    #[must_use]
    pub fn objects_dir(&self) -> PathBuf {
        self.vault.folder.clone().unwrap_or_else(|| self.vault_dir().join("objects"))
    }

    /// The file of the key that signs certificates and exports.
    #[must_use]
    pub fn signing_key_file(&self) -> PathBuf {
        self.vault.signing_key_file.clone().unwrap_or_else(|| self.data.join("signing.key"))
    }

    /// The folder of imported prompts.
    #[must_use]
    pub fn prompts_dir(&self) -> PathBuf {
        self.data.join("prompts")
    }

    /// The RTP ports.
    #[must_use]
    pub fn ports(&self) -> RangeInclusive<u16> {
        self.media.ports.0..=self.media.ports.1
    }
}

fn port_range<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(u16, u16), D::Error> {
    let (first, last) = <(u16, u16)>::deserialize(deserializer)?;
    if first < 1024 || u32::from(first) + 3 > u32::from(last) {
        let fault = format!("[{first}, {last}]: a first port from 1024 on, and room for two pairs of ports");
        return Err(serde::de::Error::custom(fault));
    }
    Ok((first, last))
}

fn shared_port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    let port = u16::deserialize(deserializer)?;
    if port < 1024 {
        return Err(serde::de::Error::custom(format!("{port}: a port from 1024 on")));
    }
    Ok(Some(port))
}

fn realm<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let realm = String::deserialize(deserializer)?;
    if realm.is_empty() || realm.contains(['"', '\\', '\r', '\n']) {
        return Err(serde::de::Error::custom("a name without quotes, backslashes or line ends is expected"));
    }
    Ok(realm)
}

/// A list that is not empty.
fn some_of<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let list = Vec::deserialize(deserializer)?;
    if list.is_empty() {
        return Err(serde::de::Error::custom("an empty list: at least one is needed"));
    }
    Ok(list)
}

fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_span(&text).map_err(serde::de::Error::custom)
}

/// What is wrong with a configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    place: String,
    what: String,
}

impl ConfigError {
    fn of_toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let before = error.span().map_or("", |span| &text[..span.start]);
        let line = 1 + before.matches('\n').count();
        let key = shown(text, before);
        let what = error.message().trim_end_matches('\n');
        Self { place: format!("{file}:{line}"), what: format!("`{key}`: {what}") }
    }
}

/// The line where `before` ends, for a message: without its value, for any may be a secret, under a misspelt key too.
fn shown(text: &str, before: &str) -> String {
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next().unwrap_or_default().trim();
    let in_a_text = |quotes| before[..start].matches(quotes).count() % 2 == 1;
    match line.split_once('=') {
        _ if in_a_text("\"\"\"") || in_a_text("'''") => "…".to_owned(),
        Some((key, _)) => format!("{key}= …"),
        None if line.starts_with('[') => line.to_owned(),
        None => "…".to_owned(),
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

#[cfg(test)]
mod tests;
