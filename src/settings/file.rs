//! The file of `sayso apply FILE.toml`.
//!
//! It is the whole truth for every object it names: an attribute it does not mention has its
//! default. Only passwords differ: an agent, trunk or user that exists keeps its password when the
//! file gives none. A new agent without one works in the browser alone. A user who has chosen one since keeps
//! it, too, while the file says what it said before: only a password that the file did not set last is a new
//! one. Such a one must be changed at the first log-in, unless the file says `must-change = false`. Objects it
//! does not name stay as they are, unless pruning is asked for, see
//! [`DiffOptions::prune`](super::DiffOptions::prune).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::access::{PASSWORD_OVER, Right};
use crate::consent::{AskRule, LegalBasis, Policy, Script};
use crate::ids::{AgentId, QueueId, Redacted, TrunkId};
use crate::media::Digit;

use super::object::Kind;
use super::read::{
    SettingsError, Source, Table, boolean, entries, filled, integer, join, list, secret, single, span,
    span_or_never, text, unknown, word,
};
use super::{
    Codes, CustomRole, Language, Number, OnRecordingFailure, Overflow, Phone, PhoneMedia, Provider, Queue,
    Role, SipCredentials, SrtpPolicy, Strategy, System, Trunk, Webhook, hours, more, system, trunk,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// An apply file that was read without an error. References between objects are checked by
/// [`diff`](super::diff), against what is stored as well.
#[derive(Clone, Debug, Default)]
pub struct ApplyFile {
    pub(super) file: String,
    /// The kinds it mentions, if only by an empty table.
    pub(super) mentioned: BTreeSet<Kind>,
    pub(super) trunks: BTreeMap<TrunkId, TrunkEntry>,
    pub(super) numbers: BTreeMap<String, Number>,
    pub(super) queues: BTreeMap<QueueId, Arc<Queue>>,
    pub(super) agents: BTreeMap<AgentId, AgentEntry>,
    pub(super) users: BTreeMap<String, UserEntry>,
    pub(super) roles: BTreeMap<String, CustomRole>,
    /// And whether it came with a secret.
    pub(super) webhooks: BTreeMap<String, (Webhook, bool)>,
    pub(super) providers: BTreeMap<String, Provider>,
    pub(super) system: Option<System>,
    /// Lines of the keys that refer to other objects, and of the objects.
    pub(super) lines: BTreeMap<String, usize>,
}

/// A trunk of the file.
#[derive(Clone, Debug)]
pub(super) struct TrunkEntry {
    /// As it will be; `digest` is filled in from `login`, the outbound log-in from `outbound`.
    pub(super) trunk: Trunk,
    pub(super) login: Option<Login>,
    pub(super) outbound: Option<OutboundLogin>,
}

/// What we log on with at a trunk's server.
#[derive(Clone, Debug)]
pub(super) struct OutboundLogin {
    pub(super) user: String,
    /// `None`: the stored one stays, if it is of the same user.
    pub(super) password: Option<Redacted<String>>,
}

/// Digest credentials of the file.
#[derive(Clone, Debug)]
pub(super) enum Login {
    /// With a password.
    New(SipCredentials),
    /// Without: that of the stored object with the same user name stays.
    Keep { user: String },
}

/// An agent of the file.
#[derive(Clone, Debug)]
pub(super) struct AgentEntry {
    pub(super) display_name: Redacted<String>,
    pub(super) queues: Vec<QueueId>,
    pub(super) skills: Vec<String>,
    pub(super) phone: Phone,
    pub(super) login: Login,
}

/// A user of the file.
#[derive(Clone, Debug)]
pub(super) struct UserEntry {
    pub(super) display_name: Redacted<String>,
    pub(super) role: Role,
    pub(super) custom_role: Option<String>,
    pub(super) grants: Vec<Right>,
    pub(super) only_queues: Option<Vec<QueueId>>,
    /// `None`: the stored one stays.
    pub(super) password: Option<Redacted<String>>,
    /// `None`: as usual, see [`ApplyFile`].
    pub(super) must_change: Option<bool>,
    /// The password has to be changed even if it stays the same: somebody says so now, as no file does.
    pub(super) change_now: bool,
    pub(super) agent: Option<AgentId>,
    pub(super) language: Option<Language>,
}

/// Reads an apply file. `file` is its name for the errors, `realm` the SIP realm that passwords of
/// agents and trunks are hashed for.
///
/// # Errors
/// Everything that is wrong with it, in the order of the lines.
pub fn parse(text: &str, file: &str, realm: &str) -> Result<ApplyFile, Vec<SettingsError>> {
    let mut source = Source::new(file, text);
    let (root, faults) = DeTable::parse_recoverable(text);
    for fault in faults {
        let at = fault.span().map_or(0, |span| span.start);
        source.error(at, "", format!("is not TOML: {}", fault.message()));
    }
    let mut read = ApplyFile { file: file.to_owned(), ..ApplyFile::default() };
    if source.errors.is_empty() {
        for (name, place, value) in entries(root.get_ref()) {
            match Kind::from_word(name) {
                Some(kind) => read.kind(&mut source, kind, value, realm),
                None => {
                    let words: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
                    source.error(place.start, name, unknown(name, &words));
                }
            }
        }
    }
    let Source { mut errors, .. } = source;
    errors.sort_by_key(|error| error.line);
    if errors.is_empty() { Ok(read) } else { Err(errors) }
}

impl ApplyFile {
    fn kind<'t>(
        &mut self,
        source: &mut Source<'_>,
        kind: Kind,
        value: &'t Spanned<DeValue<'t>>,
        realm: &str,
    ) {
        self.mentioned.insert(kind);
        let Some(objects) = value.get_ref().as_table() else {
            let what = format!("tables [{kind}.NAME] are expected");
            return source.error(value.span().start, kind.word(), what);
        };
        for (name, place, value) in entries(objects) {
            let path = join(kind.word(), name);
            if let Err(what) = check_name(kind, name) {
                source.error(place.start, path, what);
                continue;
            }
            self.lines.insert(path.clone(), source.line(place.start));
            let Some(mut table) = Table::open(source, path, place.start, value) else { continue };
            match kind {
                Kind::Trunk => {
                    let entry = trunk::read(source, &mut table, realm);
                    self.trunks.insert(TrunkId(name.to_owned()), entry);
                }
                Kind::Number => {
                    if let Some(number) = number(source, &mut table, &mut self.lines) {
                        self.numbers.insert(name.to_owned(), number);
                    }
                }
                Kind::Queue => {
                    let queue = queue(source, &mut table, &mut self.lines);
                    self.queues.insert(QueueId(name.to_owned()), Arc::new(queue));
                }
                Kind::Agent => {
                    let entry = agent(source, &mut table, &mut self.lines, name, realm);
                    self.agents.insert(AgentId(name.to_owned()), entry);
                }
                Kind::User => {
                    if let Some(entry) = user(source, &mut table, &mut self.lines, name) {
                        self.users.insert(name.to_owned(), entry);
                    }
                }
                Kind::Role => drop(self.roles.insert(name.to_owned(), more::read_role(source, &mut table))),
                Kind::Webhook => {
                    self.webhooks.insert(name.to_owned(), more::read_webhook(source, &mut table));
                }
                Kind::Provider => {
                    self.providers.insert(name.to_owned(), more::read_provider(source, &mut table));
                }
                Kind::System => self.system = Some(system::read(source, &mut table)),
            }
            table.close(source);
        }
    }
}

/// Names stand in SIP URIs, file names and metrics, so they are kept simple.
fn check_name(kind: Kind, name: &str) -> Result<(), String> {
    if kind == Kind::System && name != system::SYSTEM {
        return Err(format!("is unknown: there is one system, [system.{}]", system::SYSTEM));
    }
    if kind == Kind::Role && Role::WORDS.iter().any(|(word, _)| *word == name) {
        return Err("is a default role, which cannot be changed: copy it under another name".to_owned());
    }
    let extra = match kind {
        Kind::Number => "._-+*#",
        Kind::Trunk
        | Kind::Queue
        | Kind::Agent
        | Kind::User
        | Kind::Role
        | Kind::Webhook
        | Kind::Provider
        | Kind::System => "._-",
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
    if (1..=64).contains(&name.len()) && name.chars().all(fits) {
        return Ok(());
    }
    Err(format!("is no name: 1 to 64 letters (a-z), digits and {extra} are allowed"))
}

fn language(value: &DeValue<'_>) -> Result<Language, String> {
    let text = text(value)?;
    let primary = (2..=3).contains(&text.len()) && text.chars().all(|c| c.is_ascii_lowercase());
    if primary {
        Ok(Language(text.to_owned()))
    } else {
        Err(format!("{text:?} is no language such as \"en\" or \"de\""))
    }
}

fn number(
    source: &mut Source<'_>,
    table: &mut Table<'_>,
    lines: &mut BTreeMap<String, usize>,
) -> Option<Number> {
    let queue = reference(source, table, lines, "queue", filled);
    let language = table.take(source, "language", language);
    if !table.has("queue") {
        source.error(table.at, table.path_of("queue"), "is missing: the queue its callers wait in");
    }
    Some(Number { queue: QueueId(queue?), language })
}

/// As [`Table::take`], and notes the line for the check of references.
fn reference<T>(
    source: &mut Source<'_>,
    table: &mut Table<'_>,
    lines: &mut BTreeMap<String, usize>,
    key: &'static str,
    read: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
) -> Option<T> {
    let (at, _) = table.raw(key)?;
    lines.insert(table.path_of(key), source.line(at));
    table.take(source, key, read)
}

fn queue(source: &mut Source<'_>, table: &mut Table<'_>, lines: &mut BTreeMap<String, usize>) -> Queue {
    let recording = policy(source, table);
    let strategies = [
        ("longest-idle", Strategy::LongestIdle),
        ("round-robin", Strategy::RoundRobin),
        ("ring-all", Strategy::RingAll),
    ];
    let failures = [("continue", OnRecordingFailure::Continue), ("drop-call", OnRecordingFailure::DropCall)];
    let pause = SECOND..=HOUR;
    let position = Duration::from_secs(10)..=HOUR;
    let usual = Queue::default();
    Queue {
        recording,
        language: table.take(source, "language", language).unwrap_or(usual.language),
        override_allowed: table.take(source, "override-allowed", boolean).unwrap_or(usual.override_allowed),
        pause_limit: table
            .take(source, "pause-limit", |v| span_or_never(v, pause))
            .unwrap_or(usual.pause_limit),
        destroy_on_withdrawal: table
            .take(source, "destroy-on-withdrawal", boolean)
            .unwrap_or(usual.destroy_on_withdrawal),
        on_recording_failure: table
            .take(source, "on-recording-failure", |v| word(v, &failures))
            .unwrap_or(usual.on_recording_failure),
        strategy: table.take(source, "strategy", |v| word(v, &strategies)).unwrap_or(usual.strategy),
        priority: table.take(source, "priority", small).unwrap_or(usual.priority),
        ring_timeout: timed(source, table, "ring-timeout", SECOND..=10 * MINUTE, usual.ring_timeout),
        wrap_up: timed(source, table, "wrap-up", Duration::ZERO..=HOUR, usual.wrap_up),
        max_wait: timed(source, table, "max-wait", SECOND..=DAY, usual.max_wait),
        overflow: reference(source, table, lines, "overflow", overflow).unwrap_or(usual.overflow),
        position_every: table
            .take(source, "position-every", |v| span_or_never(v, position))
            .unwrap_or(usual.position_every),
        service_seconds: table
            .take(source, "service-seconds", |v| integer(v, 1..=3_600))
            .unwrap_or(usual.service_seconds),
        retention: table.take(source, "retention", system::keep),
        file_removal: table.take(source, "file-removal", system::keep),
        skills: table.take(source, "skills", |value| set(value, skill)).unwrap_or_default(),
        hours: table.take(source, "hours", hours::hours),
        closed: table.take(source, "closed", |value| set(value, hours::day)).unwrap_or_default(),
        when_closed: reference(source, table, lines, "when-closed", overflow).unwrap_or(usual.when_closed),
    }
}

fn timed(
    source: &mut Source<'_>,
    table: &mut Table<'_>,
    key: &'static str,
    range: RangeInclusive<Duration>,
    default: Duration,
) -> Duration {
    table.take(source, key, |value| span(value, range)).unwrap_or(default)
}

fn small(value: &DeValue<'_>) -> Result<u8, String> {
    integer(value, 0..=255).and_then(|number| u8::try_from(number).map_err(|error| error.to_string()))
}

/// A list in which neither order nor repetition means anything.
fn set<T: Ord>(
    value: &DeValue<'_>,
    read: impl Fn(&DeValue<'_>) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    list(value, read).map(|items| items.into_iter().collect::<BTreeSet<T>>().into_iter().collect())
}

/// A skill's name: short, in one line, and without commas, which part skills where they are shown.
fn skill(value: &DeValue<'_>) -> Result<String, String> {
    let skill = filled(value)?;
    if skill.chars().count() <= 64 && !skill.contains(|c: char| c.is_control() || c == ',') {
        Ok(skill)
    } else {
        Err("is no skill: at most 64 characters, without commas, are expected".to_owned())
    }
}

fn overflow(value: &DeValue<'_>) -> Result<Overflow, String> {
    if value.as_str() == Some("hangup") {
        return Ok(Overflow::Hangup);
    }
    single(value, &["queue"])
        .and_then(|(_, queue)| filled(queue))
        .map(|queue| Overflow::Queue(QueueId(queue)))
        .map_err(|what| format!("{what}, or \"hangup\""))
}

/// Which of the three policies `recording` names.
#[derive(Clone, Copy, PartialEq)]
enum Recording {
    Never,
    Always,
    Consent,
}

/// `recording`, with `legal-basis` for `always` and the table `consent` for `consent`.
fn policy(source: &mut Source<'_>, table: &mut Table<'_>) -> Policy {
    let words = [("never", Recording::Never), ("always", Recording::Always), ("consent", Recording::Consent)];
    // Asking is the default: without a yes it records nothing, and it cannot be overlooked.
    let recording =
        table.take(source, "recording", |value| word(value, &words)).unwrap_or(Recording::Consent);
    let basis = table.take(source, "legal-basis", legal_basis);
    let script = script(source, table);
    for (key, goes_with, word) in
        [("legal-basis", Recording::Always, "always"), ("consent", Recording::Consent, "consent")]
    {
        if recording != goes_with
            && let Some((at, _)) = table.raw(key)
        {
            let what = format!("goes with recording = {word:?} only: take it out, or change recording");
            source.error(at, table.path_of(key), what);
        }
    }
    match recording {
        Recording::Never => Policy::Never,
        Recording::Consent => Policy::Consent(script),
        Recording::Always => {
            if !table.has("legal-basis") {
                let what = "is missing: recording = \"always\" needs one, { obligation = \"...\" } or \
                            { contract = \"...\" }";
                source.error(table.at, table.path_of("legal-basis"), what);
            }
            basis.map_or(Policy::Never, Policy::Always)
        }
    }
}

fn legal_basis(value: &DeValue<'_>) -> Result<LegalBasis, String> {
    let (key, name) = single(value, &["obligation", "contract"])?;
    let name = filled(name)?;
    Ok(if key == "obligation" { LegalBasis::Obligation(name) } else { LegalBasis::Contract(name) })
}

fn script(source: &mut Source<'_>, queue: &mut Table<'_>) -> Script {
    let mut script = Script::default();
    let Some((at, value)) = queue.raw("consent") else { return script };
    let Some(mut table) = Table::open(source, queue.path_of("consent"), at, value) else { return script };
    let (yes, no) = (table.take(source, "yes", key), table.take(source, "no", key));
    script.yes = yes.unwrap_or(script.yes);
    script.no = no.unwrap_or(script.no);
    if script.yes == script.no {
        let what = format!("is the key {} for yes and for no: they must differ", script.yes.as_char());
        source.error(at, table.path.clone(), what);
    }
    let attempts = table.take(source, "attempts", |value| integer(value, 1..=9));
    script.attempts = attempts.and_then(|n| u8::try_from(n).ok()).unwrap_or(script.attempts);
    script.timeout = timed(source, &mut table, "timeout", SECOND..=MINUTE, script.timeout);
    script.barge_in = table.take(source, "barge-in", boolean).unwrap_or(script.barge_in);
    script.ask = table.take(source, "ask", ask).unwrap_or(script.ask);
    table.close(source);
    script
}

fn key(value: &DeValue<'_>) -> Result<Digit, String> {
    let text = text(value)?;
    let mut keys = text.chars();
    match (keys.next().map(Digit::try_from), keys.next()) {
        (Some(Ok(digit)), None) => Ok(digit),
        (_, _) => Err(format!("{text:?} is no key; one of 0-9, *, #, A-D is expected")),
    }
}

fn ask(value: &DeValue<'_>) -> Result<AskRule, String> {
    let text = text(value)?;
    let rule = match (text, text.strip_prefix("older-than ")) {
        ("every-call", _) => Some(AskRule::EveryCall),
        ("when-unknown", _) => Some(AskRule::WhenUnknown),
        (_, Some(age)) => super::parse_span(age).ok().map(AskRule::OlderThan),
        (_, None) => None,
    };
    rule.ok_or_else(|| {
        format!(
            "is {text:?}; allowed: \"every-call\", \"when-unknown\", \"older-than 365d\" (or another age)"
        )
    })
}

fn agent(
    source: &mut Source<'_>,
    table: &mut Table<'_>,
    lines: &mut BTreeMap<String, usize>,
    name: &str,
    realm: &str,
) -> AgentEntry {
    let display_name = table.take(source, "display-name", filled).unwrap_or_else(|| name.to_owned());
    let password = table.take(source, "password", secret);
    let queues = reference(source, table, lines, "queues", |value| list(value, filled)).unwrap_or_default();
    // A set of queues: neither order nor repetition is a change.
    let queues: BTreeSet<QueueId> = queues.into_iter().map(QueueId).collect();
    AgentEntry {
        display_name: Redacted(display_name),
        queues: queues.into_iter().collect(),
        skills: table.take(source, "skills", |value| set(value, skill)).unwrap_or_default(),
        phone: phone(source, table),
        login: trunk::login(name.to_owned(), password.as_deref(), realm),
    }
}

fn phone(source: &mut Source<'_>, table: &mut Table<'_>) -> Phone {
    let usual = Phone::default();
    let codecs = table.take(source, "codecs", trunk::codecs).unwrap_or(usual.codecs);
    let srtp = table.take(source, "srtp", |value| word(value, &SrtpPolicy::WORDS)).unwrap_or(usual.srtp);
    let media = table.take(source, "media", |value| word(value, &PhoneMedia::WORDS)).unwrap_or(usual.media);
    let mut code = |key, usual| table.take(source, key, code).unwrap_or(usual);
    let codes = Codes {
        three_way: code("three-way-code", usual.codes.three_way),
        complete: code("complete-code", usual.codes.complete),
        back: code("return-code", usual.codes.back),
    };
    if let Some(clash) = codes.clash() {
        let what = format!("has keypad codes of which one begins with another ({clash}): make them differ");
        source.error(table.at, table.path.clone(), what);
    }
    Phone { codecs, srtp, codes, media }
}

/// One to four keys, or `"none"`.
fn code(value: &DeValue<'_>) -> Result<Vec<Digit>, String> {
    let text = text(value)?;
    if text == "none" {
        return Ok(Vec::new());
    }
    let keys: Result<Vec<Digit>, _> = text.chars().map(Digit::try_from).collect();
    keys.ok()
        .filter(|keys| (1..=4).contains(&keys.len()))
        .ok_or_else(|| format!("{text:?} is no code; 1 to 4 keys such as \"*3\", or \"none\", are expected"))
}

fn user(
    source: &mut Source<'_>,
    table: &mut Table<'_>,
    lines: &mut BTreeMap<String, usize>,
    name: &str,
) -> Option<UserEntry> {
    let display_name = table.take(source, "display-name", filled).unwrap_or_else(|| name.to_owned());
    let password = table.take(source, "password", |value| {
        let password = secret(value)?;
        if password.chars().count() > PASSWORD_OVER {
            Ok(Redacted(password))
        } else {
            Err(format!("is too short: more than {PASSWORD_OVER} characters are expected"))
        }
    });
    // A default role, or one of one's own, which the check of references looks for.
    let role = reference(source, table, lines, "role", filled).map(|name| {
        let known = Role::WORDS.iter().find(|(word, _)| *word == name);
        known.map_or((Role::Reporting, Some(name)), |(_, role)| (*role, None))
    });
    if !table.has("role") {
        let words: Vec<&str> = Role::WORDS.iter().map(|(word, _)| *word).collect();
        source.error(table.at, table.path_of("role"), format!("is missing; allowed: {}", words.join(", ")));
    }
    let grants = table.take(source, "grants", |value| list(value, more::any_right)).unwrap_or_default();
    let grants: BTreeSet<Right> = grants.into_iter().collect();
    let only_queues = reference(source, table, lines, "only-queues", |value| list(value, filled));
    let must_change = table.take(source, "must-change", boolean);
    let agent = reference(source, table, lines, "agent", filled).map(AgentId);
    let language = table.take(source, "language", language);
    Some(UserEntry {
        display_name: Redacted(display_name),
        custom_role: role.as_ref().and_then(|(_, custom)| custom.clone()),
        role: role?.0,
        grants: grants.into_iter().collect(),
        only_queues: only_queues.map(|queues| queues.into_iter().map(QueueId).collect()),
        password,
        must_change,
        change_now: false,
        agent,
        language,
    })
}
