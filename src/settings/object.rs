//! One object of the settings, whatever its kind, and its attributes by name.

use std::fmt;
use std::sync::Arc;

use crate::audit::Value;
use crate::consent::{AskRule, LegalBasis, Policy, Script};
use crate::media::{Codec, Digit};

use super::{
    Agent, CustomRole, Number, OnRecordingFailure, Overflow, PhoneMedia, Provider, Queue, Role, Settings,
    SipCredentials, SrtpPolicy, Strategy, System, Trunk, User, Webhook, format_span, more, system,
};

/// The kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// [`Trunk`].
    Trunk,
    /// [`Queue`].
    Queue,
    /// [`Number`].
    Number,
    /// [`Agent`].
    Agent,
    /// [`CustomRole`].
    Role,
    /// [`User`].
    User,
    /// [`Webhook`].
    Webhook,
    /// [`Provider`].
    Provider,
    /// [`System`]: there is one, named [`SYSTEM`](super::SYSTEM).
    System,
}

impl Kind {
    /// All kinds; what others refer to comes before what refers.
    pub const ALL: [Self; 9] = [
        Self::Trunk,
        Self::Queue,
        Self::Number,
        Self::Agent,
        Self::Role,
        Self::User,
        Self::Webhook,
        Self::Provider,
        Self::System,
    ];

    /// Its word in the apply file, in the store and in the audit log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Trunk => "trunk",
            Self::Number => "number",
            Self::Queue => "queue",
            Self::Agent => "agent",
            Self::User => "user",
            Self::Role => "role",
            Self::Webhook => "webhook",
            Self::Provider => "provider",
            Self::System => "system",
        }
    }

    /// From its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A trunk.
    Trunk(Arc<Trunk>),
    /// A queue.
    Queue(Arc<Queue>),
    /// A number.
    Number(Arc<Number>),
    /// An agent.
    Agent(Arc<Agent>),
    /// A user.
    User(Arc<User>),
    /// A role of one's own.
    Role(Arc<CustomRole>),
    /// A webhook.
    Webhook(Arc<Webhook>),
    /// An OpenID Connect provider.
    Provider(Arc<Provider>),
    /// What holds for all.
    System(Arc<System>),
}

impl Object {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Trunk(_) => Kind::Trunk,
            Self::Queue(_) => Kind::Queue,
            Self::Number(_) => Kind::Number,
            Self::Agent(_) => Kind::Agent,
            Self::User(_) => Kind::User,
            Self::Role(_) => Kind::Role,
            Self::Webhook(_) => Kind::Webhook,
            Self::Provider(_) => Kind::Provider,
            Self::System(_) => Kind::System,
        }
    }

    /// The document the store keeps. It holds hashes of passwords.
    ///
    /// # Errors
    /// Never in practice: every type of settings has a JSON form.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Trunk(object) => serde_json::to_string(&**object),
            Self::Queue(object) => serde_json::to_string(&**object),
            Self::Number(object) => serde_json::to_string(&**object),
            Self::Agent(object) => serde_json::to_string(&**object),
            Self::User(object) => serde_json::to_string(&**object),
            Self::Role(object) => serde_json::to_string(&**object),
            Self::Webhook(object) => serde_json::to_string(&**object),
            Self::Provider(object) => serde_json::to_string(&**object),
            Self::System(object) => serde_json::to_string(&**object),
        }
    }

    /// From a stored document.
    ///
    /// # Errors
    /// When the document is not one of this kind.
    pub fn from_json(kind: Kind, json: &str) -> Result<Self, serde_json::Error> {
        Ok(match kind {
            Kind::Trunk => Self::Trunk(Arc::new(serde_json::from_str(json)?)),
            Kind::Queue => Self::Queue(Arc::new(serde_json::from_str(json)?)),
            Kind::Number => Self::Number(Arc::new(serde_json::from_str(json)?)),
            Kind::Agent => Self::Agent(Arc::new(serde_json::from_str(json)?)),
            Kind::User => Self::User(Arc::new(serde_json::from_str(json)?)),
            Kind::Role => Self::Role(Arc::new(serde_json::from_str(json)?)),
            Kind::Webhook => Self::Webhook(Arc::new(serde_json::from_str(json)?)),
            Kind::Provider => Self::Provider(Arc::new(serde_json::from_str(json)?)),
            Kind::System => Self::System(Arc::new(serde_json::from_str(json)?)),
        })
    }

    /// Its attributes by the names of the apply file, in its order; absent ones are left out.
    #[must_use]
    pub fn attributes(&self) -> Vec<(&'static str, Shown)> {
        let mut list = Vec::new();
        match self {
            Self::Trunk(trunk) => trunk_attributes(trunk, &mut list),
            Self::Queue(queue) => queue_attributes(queue, &mut list),
            Self::Number(number) => {
                list.push(("queue", plain(&number.queue)));
                list.extend(number.language.as_ref().map(|language| ("language", plain(&language.0))));
            }
            Self::Agent(agent) => {
                let queues: Vec<&str> = agent.queues.iter().map(|queue| queue.0.as_str()).collect();
                list.push(("display-name", Shown::Personal(agent.display_name.0.clone())));
                list.extend(agent.credentials.as_ref().map(|login| ("password", credentials(login))));
                list.push(("queues", Shown::Plain(queues.join(", "))));
                list.push(("skills", Shown::Plain(agent.skills.join(", "))));
                list.push(("codecs", codecs(&agent.phone.codecs)));
                list.push(("srtp", plain(agent.phone.srtp.word())));
                list.push(("media", plain(agent.phone.media.word())));
                list.push(("three-way-code", code(&agent.phone.codes.three_way)));
                list.push(("complete-code", code(&agent.phone.codes.complete)));
                list.push(("return-code", code(&agent.phone.codes.back)));
            }
            Self::User(user) => {
                list.push(("display-name", Shown::Personal(user.display_name.0.clone())));
                list.push(("password", Shown::Secret(user.password_hash.0.clone())));
                list.push(("must-change", plain(user.must_change_password)));
                list.push(("role", plain(user.custom_role.as_deref().unwrap_or(user.role.word()))));
                let grants: Vec<&str> = user.grants.iter().map(|right| right.word()).collect();
                list.push(("grants", Shown::Plain(grants.join(", "))));
                list.extend(user.only_queues.as_ref().map(|queues| {
                    let queues: Vec<&str> = queues.iter().map(|queue| queue.0.as_str()).collect();
                    ("only-queues", Shown::Plain(queues.join(", ")))
                }));
                list.extend(user.agent.as_ref().map(|agent| ("agent", plain(agent))));
                list.extend(user.language.as_ref().map(|language| ("language", plain(&language.0))));
            }
            Self::Role(role) => more::role_attributes(role, &mut list),
            Self::Webhook(webhook) => more::webhook_attributes(webhook, &mut list),
            Self::Provider(provider) => more::provider_attributes(provider, &mut list),
            Self::System(system) => system::attributes(system, &mut list),
        }
        list
    }
}

fn trunk_attributes(trunk: &Trunk, list: &mut Vec<(&'static str, Shown)>) {
    let networks: Vec<String> = trunk.networks.iter().map(ToString::to_string).collect();
    list.push(("networks", Shown::Plain(networks.join(", "))));
    if let Some(digest) = &trunk.digest {
        list.push(("digest.user", plain(&digest.user)));
        list.push(("digest.password", credentials(digest)));
    }
    list.extend(trunk.max_calls.map(|most| ("max-calls", plain(most))));
    list.extend(trunk.calls_per_second.map(|most| ("calls-per-second", plain(most))));
    list.extend(trunk.region.as_ref().map(|region| ("region", plain(region))));
    list.push(("codecs", codecs(&trunk.codecs)));
    list.push(("srtp", plain(trunk.srtp.word())));
    list.push(("in-band-digits", plain(trunk.in_band_digits)));
    list.push(("release-path", plain(trunk.release_path)));
    if let Some(outbound) = &trunk.outbound {
        list.push(("outbound.server", plain(&outbound.server)));
        if let Some(login) = &outbound.login {
            list.push(("outbound.user", plain(&login.user)));
            list.push(("outbound.password", Shown::Secret(login.password.0.clone())));
        }
        list.push(("outbound.register", plain(outbound.register)));
        let caller_id = outbound.caller_id.as_ref();
        list.extend(caller_id.map(|number| ("outbound.caller-id", plain(&number.0))));
        list.push(("outbound.prefixes", Shown::Plain(outbound.prefixes.join(", "))));
    }
}

fn codecs(codecs: &[Codec]) -> Shown {
    let words: Vec<&str> = codecs.iter().map(|codec| codec.word()).collect();
    Shown::Plain(words.join(", "))
}

fn code(keys: &[Digit]) -> Shown {
    if keys.is_empty() { plain("none") } else { Shown::Plain(keys.iter().map(|key| key.as_char()).collect()) }
}

fn queue_attributes(queue: &Queue, list: &mut Vec<(&'static str, Shown)>) {
    let never = || plain("never");
    list.push(("language", plain(&queue.language.0)));
    match &queue.recording {
        Policy::Never => list.push(("recording", never())),
        Policy::Always(basis) => {
            list.push(("recording", plain("always")));
            list.push((
                "legal-basis",
                match basis {
                    LegalBasis::Obligation(name) => Shown::Plain(format!("obligation {name}")),
                    LegalBasis::Contract(name) => Shown::Plain(format!("contract {name}")),
                },
            ));
        }
        Policy::Consent(script) => {
            list.push(("recording", plain("consent")));
            script_attributes(script, list);
        }
    }
    list.push(("override-allowed", plain(queue.override_allowed)));
    list.push(("pause-limit", queue.pause_limit.map_or_else(never, |span| plain(format_span(span)))));
    list.push(("destroy-on-withdrawal", plain(queue.destroy_on_withdrawal)));
    let failure = match queue.on_recording_failure {
        OnRecordingFailure::Continue => "continue",
        OnRecordingFailure::DropCall => "drop-call",
    };
    list.push(("on-recording-failure", plain(failure)));
    let strategy = match queue.strategy {
        Strategy::LongestIdle => "longest-idle",
        Strategy::RoundRobin => "round-robin",
        Strategy::RingAll => "ring-all",
    };
    list.push(("strategy", plain(strategy)));
    list.push(("priority", plain(queue.priority)));
    list.push(("ring-timeout", plain(format_span(queue.ring_timeout))));
    list.push(("wrap-up", plain(format_span(queue.wrap_up))));
    list.push(("max-wait", plain(format_span(queue.max_wait))));
    list.push(("overflow", onward(&queue.overflow)));
    list.push(("position-every", queue.position_every.map_or_else(never, |span| plain(format_span(span)))));
    list.push(("service-seconds", plain(queue.service_seconds)));
    list.extend(queue.retention.map(|keep| ("retention", plain(keep))));
    list.extend(queue.file_removal.map(|keep| ("file-removal", plain(keep))));
    list.push(("skills", Shown::Plain(queue.skills.join(", "))));
    list.extend(queue.hours.as_ref().map(|hours| ("hours", plain(hours))));
    let closed: Vec<String> = queue.closed.iter().map(ToString::to_string).collect();
    list.push(("closed", Shown::Plain(closed.join(", "))));
    list.push(("when-closed", onward(&queue.when_closed)));
}

fn onward(to: &Overflow) -> Shown {
    match to {
        Overflow::Hangup => plain("hangup"),
        Overflow::Queue(queue) => Shown::Plain(format!("queue {queue}")),
    }
}

fn script_attributes(script: &Script, list: &mut Vec<(&'static str, Shown)>) {
    let ask = match script.ask {
        AskRule::EveryCall => plain("every-call"),
        AskRule::WhenUnknown => plain("when-unknown"),
        AskRule::OlderThan(age) => Shown::Plain(format!("older-than {}", format_span(age))),
    };
    list.push(("consent.yes", plain(script.yes.as_char())));
    list.push(("consent.no", plain(script.no.as_char())));
    list.push(("consent.attempts", plain(script.attempts)));
    list.push(("consent.timeout", plain(format_span(script.timeout))));
    list.push(("consent.barge-in", plain(script.barge_in)));
    list.push(("consent.ask", ask));
}

fn plain(value: impl ToString) -> Shown {
    Shown::Plain(value.to_string())
}

fn credentials(credentials: &SipCredentials) -> Shown {
    Shown::Secret(format!("{}{}", credentials.ha1_md5.0, credentials.ha1_sha256.0))
}

/// An attribute's value on its way to a person's eyes.
#[derive(Clone, PartialEq, Eq)]
pub enum Shown {
    /// As it is.
    Plain(String),
    /// About a person: shown to the operator, erasable in the audit log, never in logs.
    Personal(String),
    /// Compared, never shown.
    Secret(String),
}

impl Shown {
    /// As a value of the audit log; a secret is only `(secret)`.
    #[must_use]
    pub fn to_audit(&self) -> Value {
        match self {
            Self::Plain(text) => Value::Plain(text.clone()),
            Self::Personal(text) => Value::Personal(text.clone()),
            Self::Secret(_) => Value::plain("(secret)"),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) | Self::Personal(text) if text.is_empty() => f.write_str("(none)"),
            Self::Plain(text) | Self::Personal(text) => f.write_str(text),
            Self::Secret(_) => f.write_str("(secret)"),
        }
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => write!(f, "Plain({text:?})"),
            Self::Personal(_) => f.write_str("Personal(…)"),
            Self::Secret(_) => f.write_str("Secret(…)"),
        }
    }
}

impl SrtpPolicy {
    /// The policies by their words.
    pub const WORDS: [(&'static str, Self); 3] =
        [("off", Self::Off), ("optional", Self::Optional), ("required", Self::Required)];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }
}

impl PhoneMedia {
    /// The kinds by their words.
    pub const WORDS: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("rtp", Self::Rtp), ("webrtc", Self::Webrtc)];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Rtp => "rtp",
            Self::Webrtc => "webrtc",
        }
    }
}

impl Role {
    /// The roles by their words.
    pub const WORDS: [(&'static str, Self); 8] = [
        ("superuser", Self::Superuser),
        ("supervisor", Self::Supervisor),
        ("agent", Self::Agent),
        ("reporting", Self::Reporting),
        ("queue-administrator", Self::QueueAdministrator),
        ("ivr-administrator", Self::IvrAdministrator),
        ("recording-administrator", Self::RecordingAdministrator),
        ("advanced-monitoring", Self::AdvancedMonitoring),
    ];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Superuser => "superuser",
            Self::Supervisor => "supervisor",
            Self::Agent => "agent",
            Self::Reporting => "reporting",
            Self::QueueAdministrator => "queue-administrator",
            Self::IvrAdministrator => "ivr-administrator",
            Self::RecordingAdministrator => "recording-administrator",
            Self::AdvancedMonitoring => "advanced-monitoring",
        }
    }
}

impl Settings {
    /// Every object with its kind and name; what others refer to comes first.
    pub fn objects(&self) -> impl Iterator<Item = (Kind, &str, Object)> {
        let trunks = self.trunks.iter().map(|(id, it)| (id.0.as_str(), Object::Trunk(it.clone())));
        let queues = self.queues.iter().map(|(id, it)| (id.0.as_str(), Object::Queue(it.clone())));
        let numbers = self.numbers.iter().map(|(id, it)| (id.as_str(), Object::Number(it.clone())));
        let agents = self.agents.iter().map(|(id, it)| (id.0.as_str(), Object::Agent(it.clone())));
        let roles = self.roles.iter().map(|(id, it)| (id.as_str(), Object::Role(it.clone())));
        let users = self.users.iter().map(|(id, it)| (id.as_str(), Object::User(it.clone())));
        let webhooks = self.webhooks.iter().map(|(id, it)| (id.as_str(), Object::Webhook(it.clone())));
        let providers = self.providers.iter().map(|(id, it)| (id.as_str(), Object::Provider(it.clone())));
        let system = self.system.iter().map(|it| (system::SYSTEM, Object::System(it.clone())));
        trunks
            .chain(queues)
            .chain(numbers)
            .chain(agents)
            .chain(roles)
            .chain(users)
            .chain(webhooks)
            .chain(providers)
            .chain(system)
            .map(|(name, object)| (object.kind(), name, object))
    }

    /// Puts an object in, in place of one with the same name.
    pub fn insert(&mut self, name: &str, object: Object) {
        match object {
            Object::Trunk(it) => drop(self.trunks.insert(name.into(), it)),
            Object::Queue(it) => drop(self.queues.insert(name.into(), it)),
            Object::Number(it) => drop(self.numbers.insert(name.to_owned(), it)),
            Object::Agent(it) => drop(self.agents.insert(name.into(), it)),
            Object::User(it) => drop(self.users.insert(name.to_owned(), it)),
            Object::Role(it) => drop(self.roles.insert(name.to_owned(), it)),
            Object::Webhook(it) => drop(self.webhooks.insert(name.to_owned(), it)),
            Object::Provider(it) => drop(self.providers.insert(name.to_owned(), it)),
            Object::System(it) => self.system = Some(it),
        }
    }
}
