//! What administrators set: trunks, numbers, queues, agents, users. Parsed from an apply file,
//! checked, compared, and kept in the store as one document per object.
//!
//! [`parse`] reads the file, [`diff`] compares it with what is stored, [`Difference`]s are shown to
//! the operator, then handed to the store, which applies and audits them in one transaction.

mod check;
mod diff;
mod document;
mod file;
mod hours;
mod lint;
mod more;
mod object;
mod plan;
mod reach;
mod read;
mod secret;
mod sentence;
mod span;
mod system;
#[cfg(test)]
mod tests;
mod trunk;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::access::Right;
use crate::consent::{Policy, Script};
use crate::ids::{AgentId, QueueId, Redacted, TrunkId};
use crate::media::{Codec, Digit};

pub use check::warnings;
pub use diff::{AttributeChange, Changed, DiffOptions, Difference, diff, differences};
pub use document::{
    AgentDocument, DocumentError, NumberDocument, ProviderDocument, QueueDocument, RoleDocument,
    SystemDocument, TrunkDocument, UserDocument, WebhookDocument, from_document, to_document, without,
};
pub use file::{ApplyFile, parse};
pub use hours::{BadTime, DAYS, Day, Hours, Opening, WayIn};
pub use lint::{Finding, Level, Spoken, Subject, Wording, lint};
pub use more::{CustomRole, Provider, Webhook};
pub use object::{Kind, Object, Shown};
pub use plan::Way;
pub use reach::WebhookRules;
pub use read::SettingsError;
pub use secret::{ha1, hash_password, verify_password};
pub use sentence::{kept, sentence};
pub use span::{BadSpan, format_span, parse_span};
pub use system::{
    AuditRules, Keep, PasswordRules, PrivacyRules, Retention, SYSTEM, SecondFactor, SessionRules, System,
};

/// All settings at one moment; the server swaps the whole when they change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Trunks by name.
    pub trunks: BTreeMap<TrunkId, Arc<Trunk>>,
    /// Numbers by what is dialled.
    pub numbers: BTreeMap<String, Arc<Number>>,
    /// Queues by name.
    pub queues: BTreeMap<QueueId, Arc<Queue>>,
    /// Agents by name (their SIP user name).
    pub agents: BTreeMap<AgentId, Arc<Agent>>,
    /// Users by name.
    pub users: BTreeMap<String, Arc<User>>,
    /// Roles of one's own, by name.
    pub roles: BTreeMap<String, Arc<CustomRole>>,
    /// Webhooks by name.
    pub webhooks: BTreeMap<String, Arc<Webhook>>,
    /// OpenID Connect providers by name.
    pub providers: BTreeMap<String, Arc<Provider>>,
    /// What holds for all; `None`: the defaults.
    pub system: Option<Arc<System>>,
}

/// A language with prompts, as a BCP 47 primary tag: `en`, `de`, …
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Language(pub String);

/// A carrier's or PBX's SIP trunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trunk {
    /// Source networks it calls from.
    pub networks: Vec<IpNet>,
    /// Or: it authenticates with digest as this user.
    pub digest: Option<SipCredentials>,
    /// At most so many calls at once.
    pub max_calls: Option<u32>,
    /// At most so many new calls a second.
    pub calls_per_second: Option<u32>,
    /// Country (ISO 3166 alpha-2) of numbers that come without `+`.
    pub region: Option<String>,
    /// Calls to the outside go there; `None`: it only brings calls.
    #[serde(default)]
    pub outbound: Option<Outbound>,
    /// What it speaks, the best first.
    #[serde(default = "g711")]
    pub codecs: Vec<Codec>,
    /// Whether its audio is sealed.
    #[serde(default)]
    pub srtp: SrtpPolicy,
    /// Whether keys are also listened for in the audio.
    #[serde(default)]
    pub in_band_digits: bool,
    /// On a transfer to the outside: hand the caller over to the trunk by REFER and leave the path. The
    /// recording ends with that.
    #[serde(default)]
    pub release_path: bool,
}

impl Default for Trunk {
    /// A trunk nobody can call by: no network, no log-in.
    fn default() -> Self {
        Self {
            networks: Vec::new(),
            digest: None,
            max_calls: None,
            calls_per_second: None,
            region: None,
            outbound: None,
            codecs: g711(),
            srtp: SrtpPolicy::Off,
            in_band_digits: false,
            release_path: false,
        }
    }
}

fn g711() -> Vec<Codec> {
    vec![Codec::Pcma, Codec::Pcmu]
}

/// How calls to the outside go by a trunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbound {
    /// Its server: `sip:` or `sips:` URI without user, perhaps with port and `transport`.
    pub server: String,
    /// What we answer its challenges with.
    pub login: Option<TrunkLogin>,
    /// Whether it wants us registered.
    pub register: bool,
    /// The number we show when the caller's own may not be shown; E.164.
    pub caller_id: Option<Redacted<String>>,
    /// The numbers that go by it, by how they begin in E.164 form: `+`, `+49`, …; of all trunks the
    /// longest that fits wins. Empty: none, unless it is named.
    #[serde(default)]
    pub prefixes: Vec<String>,
}

/// Our user name and password at a trunk's server. Kept as it is: the server's realm is not known
/// before it challenges us, so no hash will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrunkLogin {
    /// The SIP user name.
    pub user: String,
    /// The password.
    pub password: Redacted<String>,
}

/// Whether audio is sealed with SRTP (keys by SDES, RFC 4568).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SrtpPolicy {
    /// Plain RTP; an offer of SRTP alone is refused.
    #[default]
    Off,
    /// Sealed when the other side can, plain otherwise; the call record says which.
    Optional,
    /// Sealed, or no call.
    Required,
}

/// SIP digest credentials, as hashes over `user:realm:password`; the password itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SipCredentials {
    /// The SIP user name.
    pub user: String,
    /// MD5 (hex) of `user:realm:password` (RFC 2617).
    pub ha1_md5: Redacted<String>,
    /// SHA-256 (hex) of the same (RFC 7616).
    pub ha1_sha256: Redacted<String>,
}

/// A number that can be dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// The queue it leads to.
    pub queue: QueueId,
    /// Overrides the queue's language.
    pub language: Option<Language>,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// The language of its prompts.
    pub language: Language,
    /// Recording policy.
    pub recording: Policy,
    /// Whether an agent may override a refusal.
    pub override_allowed: bool,
    /// A pause ends by itself after this.
    pub pause_limit: Option<Duration>,
    /// Whether withdrawal destroys what was recorded.
    pub destroy_on_withdrawal: bool,
    /// What happens to a call that should be recorded and cannot be.
    pub on_recording_failure: OnRecordingFailure,
    /// How agents are chosen.
    pub strategy: Strategy,
    /// Higher goes first where an agent serves several queues; 0 by default.
    pub priority: u8,
    /// How long an agent's phone rings.
    pub ring_timeout: Duration,
    /// An agent's time after a call.
    pub wrap_up: Duration,
    /// How long a caller waits at most.
    pub max_wait: Duration,
    /// What happens after that.
    pub overflow: Overflow,
    /// How often the caller is told the place in the queue; `None`: never.
    pub position_every: Option<Duration>,
    /// The service level counts answered calls that waited at most so many seconds.
    #[serde(default = "service_seconds")]
    pub service_seconds: u32,
    /// How long call data is kept (domain rule 10); `None`: as the system says.
    #[serde(default)]
    pub retention: Option<Keep>,
    /// Automatic file removal (domain rule 11); `None`: as the system says.
    #[serde(default)]
    pub file_removal: Option<Keep>,
    /// Only agents with all of these get its calls; in order, each once.
    #[serde(default)]
    pub skills: Vec<String>,
    /// When it is open, in the system's time zone; `None`: always.
    #[serde(default)]
    pub hours: Option<Hours>,
    /// Days on which it is closed, in order.
    #[serde(default)]
    pub closed: Vec<Day>,
    /// What happens to a caller who comes while it is closed.
    #[serde(default = "hangup")]
    pub when_closed: Overflow,
}

impl Default for Queue {
    /// As an apply file that says nothing of it: callers are asked each time.
    fn default() -> Self {
        Self {
            language: Language("en".to_owned()),
            recording: Policy::Consent(Script::default()),
            override_allowed: false,
            pause_limit: None,
            destroy_on_withdrawal: true,
            on_recording_failure: OnRecordingFailure::Continue,
            strategy: Strategy::LongestIdle,
            priority: 0,
            ring_timeout: Duration::from_secs(20),
            wrap_up: Duration::from_secs(10),
            max_wait: Duration::from_secs(600),
            overflow: Overflow::Hangup,
            position_every: Some(Duration::from_secs(60)),
            service_seconds: service_seconds(),
            retention: None,
            file_removal: None,
            skills: Vec::new(),
            hours: None,
            closed: Vec::new(),
            when_closed: Overflow::Hangup,
        }
    }
}

const fn hangup() -> Overflow {
    Overflow::Hangup
}

/// The usual limit of contact centres: 80 of 100 calls within 20 s.
const fn service_seconds() -> u32 {
    20
}

/// See [`Queue::on_recording_failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnRecordingFailure {
    /// Go on unrecorded.
    Continue,
    /// End the call.
    DropCall,
}

/// How a queue chooses agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Who has been idle longest.
    LongestIdle,
    /// In turn.
    RoundRobin,
    /// All that are ready; the first to answer.
    RingAll,
}

/// What happens to a caller who waited too long, or came while the queue was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overflow {
    /// The call ends.
    Hangup,
    /// Wait in another queue; the first queue's recording settings stay.
    Queue(QueueId),
}

impl Settings {
    /// The queues whose calls an agent gets: those it serves, where it has all the skills asked. A queue that does not
    /// exist any more asks for none.
    #[must_use]
    pub fn served_by(&self, agent: &AgentId) -> Vec<QueueId> {
        let Some(agent) = self.agents.get(agent) else { return Vec::new() };
        let asks = |queue: &QueueId| self.queues.get(queue).map_or(&[][..], |queue| &queue.skills);
        let able = |queue: &&QueueId| asks(queue).iter().all(|skill| agent.skills.contains(skill));
        agent.queues.iter().filter(able).cloned().collect()
    }
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The name people see.
    pub display_name: Redacted<String>,
    /// How its phone logs on; `None`: only with what it is lent (see `sip::core::Loan`), as the page in the
    /// browser is.
    pub credentials: Option<SipCredentials>,
    /// The queues it serves.
    pub queues: Vec<QueueId>,
    /// What it can, in order, each once: see [`Queue::skills`].
    #[serde(default)]
    pub skills: Vec<String>,
    /// What its phone speaks, and its keypad codes.
    #[serde(default)]
    pub phone: Phone,
}

/// How an agent's phone is spoken with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// The codecs offered to it, the best first; the other side's goes in front of all, so that nothing
    /// need be converted.
    pub codecs: Vec<Codec>,
    /// Whether its audio is sealed.
    pub srtp: SrtpPolicy,
    /// What the agent presses in a conversation. RFC 4733 and INFO keys only.
    pub codes: Codes,
    /// What it speaks beneath SIP.
    #[serde(default)]
    pub media: PhoneMedia,
}

/// What an agent's phone speaks beneath SIP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhoneMedia {
    /// One that registers over WebSocket is a browser and speaks WebRTC, any other RTP.
    #[default]
    Auto,
    /// RTP, plain or SRTP with keys in SDP.
    Rtp,
    /// ICE and DTLS-SRTP.
    Webrtc,
}

impl Default for Phone {
    fn default() -> Self {
        let codecs = vec![Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];
        Self { codecs, srtp: SrtpPolicy::Off, codes: Codes::default(), media: PhoneMedia::Auto }
    }
}

/// What an agent's phone asks for with its keys while somebody is consulted. An empty code asks for
/// nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Codes {
    /// All three speak together; `*3` by default.
    pub three_way: Vec<Digit>,
    /// The caller goes to the consulted party and the agent leaves; `*4` by default.
    pub complete: Vec<Digit>,
    /// The consultation ends and the agent is with the caller again; `*1` by default.
    pub back: Vec<Digit>,
}

impl Default for Codes {
    fn default() -> Self {
        let code = |keys: &str| keys.chars().filter_map(|key| Digit::try_from(key).ok()).collect();
        Self { three_way: code("*3"), complete: code("*4"), back: code("*1") }
    }
}

/// A person who may log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name people see.
    pub display_name: Redacted<String>,
    /// argon2id, PHC string.
    pub password_hash: Redacted<String>,
    /// The hash of the password an apply file set last, since the user changed it; `None`: it is
    /// [`Self::password_hash`]. By it a file that is applied again is known to say nothing new.
    #[serde(default)]
    pub applied_hash: Option<Redacted<String>>,
    /// Nothing can be done before the password is changed.
    #[serde(default)]
    pub must_change_password: bool,
    /// Its role.
    pub role: Role,
    /// A role of one's own that takes the place of `role`, by name.
    #[serde(default)]
    pub custom_role: Option<String>,
    /// Rights beside those of the role, granted by a superuser; the only way to `dpo` and `customer-consent`.
    #[serde(default)]
    pub grants: Vec<Right>,
    /// The rights hold for these queues only; `None`: for all.
    #[serde(default)]
    pub only_queues: Option<Vec<QueueId>>,
    /// The agent this user is; no two users are the same.
    #[serde(default)]
    pub agent: Option<AgentId>,
    /// The language of the pages; `None`: the browser's.
    #[serde(default)]
    pub language: Option<Language>,
}

impl User {
    /// With a password the user chose; the seed as in [`hash_password`].
    #[must_use]
    pub fn with_own_password(&self, name: &str, password: &str, seed: &[u8; 32]) -> Self {
        Self {
            password_hash: hash_password(name, password, seed),
            applied_hash: Some(self.applied_hash.as_ref().unwrap_or(&self.password_hash).clone()),
            must_change_password: false,
            ..self.clone()
        }
    }
}

/// The default roles (domain rule 22). *DPO* and *Customer consent* are rights of their own, in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything but the two special rights.
    Superuser,
    /// Leads agents.
    Supervisor,
    /// Takes calls.
    Agent,
    /// Reads reports.
    Reporting,
    /// Sets queues.
    QueueAdministrator,
    /// Sets prompts and scripts.
    IvrAdministrator,
    /// Sets recording policy and retention.
    RecordingAdministrator,
    /// Watches the system.
    AdvancedMonitoring,
}
