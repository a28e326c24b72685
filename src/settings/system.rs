//! What holds for the whole system, and what a queue may override: retention, passwords, sessions, the audit log,
//! people's data, webhooks. One object, `[system.sayso]` of the apply file; without it all defaults hold.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::de::DeValue;

use crate::audit::Class;

use super::hours;
use super::object::Shown;
use super::reach::WebhookRules;
use super::read::{Source, Table, boolean, filled, integer, list, span, span_or_never, text, word};
use super::span::{BadSpan, format_span, parse_span};
use super::trunk::network;

/// The name of the one object.
pub const SYSTEM: &str = "sayso";

const DAY: Duration = Duration::from_secs(86_400);
const YEARS: Duration = Duration::from_secs(86_400 * 366 * 100);
const MINUTE: Duration = Duration::from_secs(60);

/// How long something is kept (domain rules 10-12): `"forever"`, `"90d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    /// For so long.
    For(Duration),
    /// No rule removes it.
    Forever,
}

impl Keep {
    /// From its text.
    ///
    /// # Errors
    /// For what is neither a duration nor `forever`.
    pub fn parse(text: &str) -> Result<Self, BadSpan> {
        if text == "forever" { Ok(Self::Forever) } else { parse_span(text).map(Self::For) }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(span) => f.write_str(&format_span(*span)),
            Self::Forever => f.write_str("forever"),
        }
    }
}

impl Serialize for Keep {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct System {
    /// IANA name of the time zone in which opening hours and days are meant: `Europe/Vienna`; `UTC` by default.
    pub time_zone: String,
    /// How long things are kept where no queue says otherwise.
    pub retention: Retention,
    /// What a password must be, and when a name is locked.
    pub passwords: PasswordRules,
    /// How long sessions live, and whether a second factor is asked.
    pub sessions: SessionRules,
    /// What is written to the audit log, and where its head is anchored.
    pub audit: AuditRules,
    /// How people's data is erased and restricted.
    pub privacy: PrivacyRules,
    /// Where webhooks may be.
    pub webhooks: WebhookRules,
}

impl Default for System {
    fn default() -> Self {
        Self {
            time_zone: "UTC".to_owned(),
            retention: Retention::default(),
            passwords: PasswordRules::default(),
            sessions: SessionRules::default(),
            audit: AuditRules::default(),
            privacy: PrivacyRules::default(),
            webhooks: WebhookRules::default(),
        }
    }
}

/// See [`System::retention`]. Nothing is removed before somebody says so: all is kept for ever by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// Call data: at this age a call's recordings go and the call is anonymised.
    pub calls: Keep,
    /// Automatic file removal: at this age recordings go.
    pub recordings: Keep,
    /// Reporting data, which is anonymous by then: at this age the call's row goes.
    pub reporting: Keep,
}

impl Default for Retention {
    fn default() -> Self {
        Self { calls: Keep::Forever, recordings: Keep::Forever, reporting: Keep::Forever }
    }
}

/// See [`System::passwords`] (domain rule 23).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PasswordRules {
    /// A password has more characters than this; 8.
    pub longer_than: u8,
    /// So many earlier passwords may not be used again; 5.
    pub history: u8,
    /// At this age it has to be changed; never by default.
    pub expires: Option<Duration>,
    /// So many failures in a row lock a name; 5.
    pub lock_after: u8,
    /// For so long; 30 minutes.
    pub lock_for: Duration,
}

impl Default for PasswordRules {
    fn default() -> Self {
        Self { longer_than: 8, history: 5, expires: None, lock_after: 5, lock_for: 30 * MINUTE }
    }
}

/// See [`System::sessions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionRules {
    /// One that nobody used for so long is over; 12 hours.
    pub idle: Duration,
    /// None lives longer; 24 hours.
    pub absolute: Duration,
    /// Whether a code of a second device is asked.
    pub second_factor: SecondFactor,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self { idle: 720 * MINUTE, absolute: 1_440 * MINUTE, second_factor: SecondFactor::Optional }
    }
}

/// See [`SessionRules::second_factor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecondFactor {
    /// Who wants one has one.
    Optional,
    /// Everybody who logs in with a password has to have one.
    Required,
}

impl SecondFactor {
    const WORDS: [(&'static str, Self); 2] = [("optional", Self::Optional), ("required", Self::Required)];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }
}

/// See [`System::audit`] (domain rules 25, 26).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditRules {
    /// The words of the classes that are not written; none by default. `rights` and `modify` cannot be switched off:
    /// consents, overrides and destructions are proven by them.
    pub off: Vec<String>,
    /// How often the chain's head is anchored; never by default.
    pub anchor_every: Option<Duration>,
    /// Where: a file (`/path/anchors.jsonl`), `store` (an object in the object store, locked where it locks), or the
    /// name of a webhook (`webhook NAME`).
    pub anchor_to: Vec<String>,
}

/// See [`System::privacy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PrivacyRules {
    /// Erasing asks for the word of a second person with the right; yes by default.
    pub second_approver: bool,
    /// Reports and zips made for a person are removed after this; a day.
    pub keep_reports: Duration,
}

impl Default for PrivacyRules {
    fn default() -> Self {
        Self { second_approver: true, keep_reports: DAY }
    }
}

/// `"forever"` or a duration.
pub(super) fn keep(value: &DeValue<'_>) -> Result<Keep, String> {
    if value.as_str() == Some("forever") {
        return Ok(Keep::Forever);
    }
    span(value, MINUTE..=YEARS).map(Keep::For).map_err(|what| format!("{what}, or \"forever\""))
}

/// Reads `[system.sayso]`; its keys are flat: `retention-calls`, `password-history`, …
pub(super) fn read(source: &mut Source<'_>, table: &mut Table<'_>) -> System {
    let usual = System::default();
    let mut kept = |key, usual| table.take(source, key, keep).unwrap_or(usual);
    let retention = Retention {
        calls: kept("retention-calls", usual.retention.calls),
        recordings: kept("retention-recordings", usual.retention.recordings),
        reporting: kept("retention-reporting", usual.retention.reporting),
    };
    let mut number = |key, range, usual: u8| {
        let read = |value: &DeValue<'_>| {
            integer(value, range).and_then(|number| u8::try_from(number).map_err(|error| error.to_string()))
        };
        table.take(source, key, read).unwrap_or(usual)
    };
    let passwords = usual.passwords;
    let (longer_than, history, lock_after) = (
        number("password-longer-than", 8..=64, passwords.longer_than),
        number("password-history", 0..=50, passwords.history),
        number("lock-after", 1..=100, passwords.lock_after),
    );
    let never = |value: &DeValue<'_>| span_or_never(value, DAY..=YEARS);
    let mut time = |key, range, usual| table.take(source, key, |value| span(value, range)).unwrap_or(usual);
    let lock_for = time("lock-for", MINUTE..=DAY, passwords.lock_for);
    let idle = time("session-idle", MINUTE..=30 * DAY, usual.sessions.idle);
    let absolute = time("session-absolute", MINUTE..=30 * DAY, usual.sessions.absolute);
    let keep_reports = time("keep-reports", 60 * MINUTE..=30 * DAY, usual.privacy.keep_reports);
    let expires = table.take(source, "password-expires", never).unwrap_or(None);
    let second_factor = table
        .take(source, "second-factor", |value| word(value, &SecondFactor::WORDS))
        .unwrap_or(usual.sessions.second_factor);
    let off = table.take(source, "audit-off", |value| list(value, class)).unwrap_or_default();
    let anchor = |value: &DeValue<'_>| span_or_never(value, MINUTE..=365 * DAY);
    let anchor_every = table.take(source, "anchor-every", anchor).unwrap_or(None);
    let anchor_to = table.take(source, "anchor-to", |value| list(value, filled)).unwrap_or_default();
    let second_approver =
        table.take(source, "second-approver", boolean).unwrap_or(usual.privacy.second_approver);
    let networks = table.take(source, "webhook-networks", |value| list(value, network)).unwrap_or_default();
    System {
        time_zone: table.take(source, "time-zone", hours::zone_name).unwrap_or(usual.time_zone),
        retention,
        passwords: PasswordRules { longer_than, history, expires, lock_after, lock_for },
        sessions: SessionRules { idle, absolute, second_factor },
        audit: AuditRules { off, anchor_every, anchor_to },
        privacy: PrivacyRules { second_approver, keep_reports },
        webhooks: WebhookRules { networks },
    }
}

/// A class that may be switched off.
fn class(value: &DeValue<'_>) -> Result<String, String> {
    let may = |class: &&Class| ![Class::Rights, Class::Modify].contains(class);
    let text = text(value)?;
    if Class::ALL.iter().filter(may).any(|class| class.word() == text) {
        return Ok(text.to_owned());
    }
    let words: Vec<&str> = Class::ALL.iter().filter(may).map(|class| class.word()).collect();
    Err(format!("{text:?} cannot be switched off; allowed: {}", words.join(", ")))
}

/// Its attributes by the names of the apply file.
pub(super) fn attributes(system: &System, list: &mut Vec<(&'static str, Shown)>) {
    let plain = |value: &dyn ToString| Shown::Plain(value.to_string());
    let maybe = |span: Option<Duration>| Shown::Plain(span.map_or_else(|| "never".to_owned(), format_span));
    let time = |span: Duration| Shown::Plain(format_span(span));
    let networks: Vec<String> = system.webhooks.networks.iter().map(ToString::to_string).collect();
    list.extend([
        ("time-zone", plain(&system.time_zone)),
        ("retention-calls", plain(&system.retention.calls)),
        ("retention-recordings", plain(&system.retention.recordings)),
        ("retention-reporting", plain(&system.retention.reporting)),
        ("password-longer-than", plain(&system.passwords.longer_than)),
        ("password-history", plain(&system.passwords.history)),
        ("password-expires", maybe(system.passwords.expires)),
        ("lock-after", plain(&system.passwords.lock_after)),
        ("lock-for", time(system.passwords.lock_for)),
        ("session-idle", time(system.sessions.idle)),
        ("session-absolute", time(system.sessions.absolute)),
        ("second-factor", plain(&system.sessions.second_factor.word())),
        ("audit-off", Shown::Plain(system.audit.off.join(", "))),
        ("anchor-every", maybe(system.audit.anchor_every)),
        ("anchor-to", Shown::Plain(system.audit.anchor_to.join(", "))),
        ("second-approver", plain(&system.privacy.second_approver)),
        ("keep-reports", time(system.privacy.keep_reports)),
        ("webhook-networks", Shown::Plain(networks.join(", "))),
    ]);
}
