//! What the agents' pages are given.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::{Config, ConfigError};
use crate::ids::Redacted;

/// See [`Config::desktop`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DesktopConfig {
    /// What an agent may name as the reason for not being ready.
    #[serde(deserialize_with = "reasons")]
    pub not_ready_reasons: Vec<String>,
    /// Where browsers reach the pages, `https://desk.example`, when a proxy stands before the HTTP port; by
    /// default where they say they asked.
    pub url: Option<String>,
}

impl Default for DesktopConfig {
    fn default() -> Self {
        let reasons = ["Break", "Lunch", "Meeting", "Training", "After-call work"];
        Self { not_ready_reasons: reasons.map(str::to_owned).to_vec(), url: None }
    }
}

/// See [`Config::turn`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TurnConfig {
    /// `turn:`, `turns:`, `stun:` and `stuns:` URIs (RFC 7065, RFC 7064).
    pub urls: Vec<String>,
    /// What the TURN server knows as `static-auth-secret` (coturn's `use-auth-secret`).
    pub secret: Option<Redacted<String>>,
    /// How long a browser's user name and password hold. As long as a phone's by default: one that ran out
    /// in a conversation could not be prolonged.
    #[serde(deserialize_with = "super::span")]
    pub ttl: Duration,
}

impl Default for TurnConfig {
    fn default() -> Self {
        Self { urls: Vec::new(), secret: None, ttl: Duration::from_secs(12 * 3_600) }
    }
}

impl Config {
    pub(super) fn check_desktop(&self, file: &str) -> Result<(), ConfigError> {
        let fault =
            |section: &str, what: String| Err(ConfigError { place: format!("{file}: [{section}]"), what });
        for url in &self.turn.urls {
            let known = ["turn:", "turns:", "stun:", "stuns:"].iter().any(|scheme| url.starts_with(scheme));
            if !known || url.contains("//") {
                let what = format!("urls: {url:?} is no URI such as turn:turn.example:3478?transport=udp");
                return fault("turn", what);
            }
        }
        let relays = self.turn.urls.iter().any(|url| url.starts_with("turn"));
        let secret = self.turn.secret.as_ref().is_some_and(|secret| !secret.0.is_empty());
        if relays != secret {
            return fault("turn", "turn: URIs and secret go together: give both or neither".to_owned());
        }
        if let Some(url) = &self.desktop.url {
            let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            if !host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' '])) {
                let what = format!("url: {url:?} is no origin such as https://desk.example (without a path)");
                return fault("desktop", what);
            }
        }
        Ok(())
    }
}

/// Short texts, none twice.
fn reasons<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let list = Vec::<String>::deserialize(deserializer)?;
    for (n, reason) in list.iter().enumerate() {
        let odd = reason.trim().is_empty() || reason.contains(char::is_control);
        if odd || reason.chars().count() > 64 || list[..n].contains(reason) {
            let fault =
                format!("{reason:?}: different texts of 1 to 64 characters, all on one line, are expected");
            return Err(serde::de::Error::custom(fault));
        }
    }
    Ok(list)
}
