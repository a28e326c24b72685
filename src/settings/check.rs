//! References between objects, checked in the settings as they will be.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{QueueId, TrunkId};

use super::file::{ApplyFile, TrunkEntry};
use super::reach::literal;
use super::read::{SettingsError, join};
use super::{Overflow, Queue, Role, SYSTEM, Settings, SrtpPolicy, Webhook, WebhookRules};

impl ApplyFile {
    /// An error about `key`, at its line or that of its `object`.
    pub(super) fn error(&self, object: &str, key: &str, what: String) -> SettingsError {
        let line = self.lines.get(key).or_else(|| self.lines.get(object)).copied();
        SettingsError { file: self.file.clone(), line, key: key.to_owned(), what }
    }
}

/// Everything that refers to nothing, leads in a circle or is claimed twice.
pub(super) fn check(settings: &Settings, file: &ApplyFile, errors: &mut Vec<SettingsError>) {
    let mut refer = |object: String, key: &str, queue: &QueueId| {
        if !settings.queues.contains_key(queue) {
            let names: Vec<&str> = settings.queues.keys().map(|id| id.0.as_str()).collect();
            let known = if names.is_empty() { "there is none".into() } else { names.join(", ") };
            let what = format!("names the queue {:?}, which does not exist; queues: {known}", queue.0);
            errors.push(file.error(&object, &join(&object, key), what));
        }
    };
    for (dialled, number) in &settings.numbers {
        refer(join("number", dialled), "queue", &number.queue);
    }
    for (id, agent) in &settings.agents {
        agent.queues.iter().for_each(|queue| refer(join("agent", &id.0), "queues", queue));
    }
    for (id, queue) in &settings.queues {
        for (key, onward) in ways(queue) {
            match onward {
                Overflow::Hangup => {}
                Overflow::Queue(next) => refer(join("queue", &id.0), key, next),
            }
        }
    }
    for (name, user) in &settings.users {
        user.only_queues.iter().flatten().for_each(|queue| refer(join("user", name), "only-queues", queue));
    }
    agents_of_users(settings, file, errors);
    roles_of_users(settings, file, errors);
    roles_of_providers(settings, file, errors);
    anchors(settings, file, errors);
    reaches(settings, file, errors);
    circles(settings, file, errors);
    names_claimed_twice(settings, file, errors);
}

/// A user's agent is there, and nobody else's.
fn agents_of_users(settings: &Settings, file: &ApplyFile, errors: &mut Vec<SettingsError>) {
    let mut taken = BTreeMap::new();
    for (name, user) in &settings.users {
        let Some(agent) = &user.agent else { continue };
        let mut fault = |what| {
            let object = join("user", name);
            errors.push(file.error(&object, &join(&object, "agent"), what));
        };
        if !settings.agents.contains_key(agent) {
            let names: Vec<&str> = settings.agents.keys().map(|id| id.0.as_str()).collect();
            let known = if names.is_empty() { "there is none".into() } else { names.join(", ") };
            fault(format!("names the agent {:?}, which does not exist; agents: {known}", agent.0));
        } else if let Some(other) = taken.insert(agent, name) {
            fault(format!("is {:?}, which user {other} is already", agent.0));
        }
    }
}

/// A role is a default one or exists.
fn roles_of_users(settings: &Settings, file: &ApplyFile, errors: &mut Vec<SettingsError>) {
    for (name, user) in &settings.users {
        let Some(role) = user.custom_role.as_ref().filter(|role| !settings.roles.contains_key(*role)) else {
            continue;
        };
        let defaults = Role::WORDS.iter().map(|(word, _)| *word);
        let words: Vec<&str> = defaults.chain(settings.roles.keys().map(String::as_str)).collect();
        let what = format!("is the role {role:?}, which does not exist; roles: {}", words.join(", "));
        let object = join("user", name);
        errors.push(file.error(&object, &join(&object, "role"), what));
    }
}

/// The roles that a provider's values stand for are default ones or exist.
fn roles_of_providers(settings: &Settings, file: &ApplyFile, errors: &mut Vec<SettingsError>) {
    for (name, provider) in &settings.providers {
        let known = |role: &str| {
            Role::WORDS.iter().any(|(word, _)| *word == role) || settings.roles.contains_key(role)
        };
        for (value, role) in provider.roles.iter().filter(|(_, role)| !known(role)) {
            let object = join("provider", name);
            let what = format!("{value:?} stands for the role {role:?}, which does not exist");
            errors.push(file.error(&object, &join(&object, "roles"), what));
        }
    }
}

/// The webhooks that the audit log's head is told to exist.
fn anchors(settings: &Settings, file: &ApplyFile, errors: &mut Vec<SettingsError>) {
    let to = settings.system.iter().flat_map(|system| &system.audit.anchor_to);
    for name in to.filter_map(|to| to.strip_prefix("webhook ")).map(str::trim) {
        if !settings.webhooks.contains_key(name) {
            let object = join("system", SYSTEM);
            let what = format!("names the webhook {name:?}, which does not exist");
            errors.push(file.error(&object, &join(&object, "anchor-to"), what));
        }
    }
}

/// Webhooks that name a private address which nobody allowed. Those of names are known when something is sent. What was
/// stored before there was this rule is refused when it, or the rule, is set anew.
fn reaches(settings: &Settings, file: &ApplyFile, errors: &mut Vec<SettingsError>) {
    let usual = WebhookRules::default();
    let rules = settings.system.as_ref().map_or(&usual, |system| &system.webhooks);
    let barred = |webhook: &Webhook| literal(&webhook.url).is_some_and(|ip| !rules.allows(ip));
    for name in settings.webhooks.iter().filter(|(_, webhook)| barred(webhook)).map(|(name, _)| name) {
        if file.webhooks.contains_key(name) {
            let object = join("webhook", name);
            let what = "is at a private address, which webhooks may reach only if webhook-networks of \
                        [system.sayso] names it or its network";
            errors.push(file.error(&object, &join(&object, "url"), what.to_owned()));
        } else if file.system.is_some() {
            let object = join("system", SYSTEM);
            let what = format!("does not name the private address of the webhook {name:?}, nor its network");
            errors.push(file.error(&object, &join(&object, "webhook-networks"), what));
        }
    }
}

/// The ways out of a queue, by their keys.
fn ways(queue: &Queue) -> [(&'static str, &Overflow); 2] {
    [("overflow", &queue.overflow), ("when-closed", &queue.when_closed)]
}

/// A caller must not be passed round for ever: the ways on from a queue have to end somewhere, whichever of them are
/// taken.
fn circles(settings: &Settings, file: &ApplyFile, errors: &mut Vec<SettingsError>) {
    let mut seen: BTreeSet<&QueueId> = BTreeSet::new();
    for start in settings.queues.keys() {
        follow(settings, file, start, &mut Vec::new(), &mut seen, errors);
    }
}

/// Looks at all ways on from `id`, which was reached by `way`; what was `seen` was followed to its end.
fn follow<'s>(
    settings: &'s Settings,
    file: &ApplyFile,
    id: &'s QueueId,
    way: &mut Vec<(&'s QueueId, &'static str)>,
    seen: &mut BTreeSet<&'s QueueId>,
    errors: &mut Vec<SettingsError>,
) {
    if let Some(first) = way.iter().position(|(on, _)| *on == id) {
        let circle = &way[first..];
        let mut names: Vec<&str> = circle.iter().map(|(on, _)| on.0.as_str()).collect();
        names.push(&id.0);
        let what = format!("leads in a circle ({}): one of them must end", names.join(" -> "));
        let object = join("queue", &id.0);
        let key = circle.first().map_or("overflow", |(_, key)| key);
        errors.push(file.error(&object, &join(&object, key), what));
        return;
    }
    if seen.contains(id) {
        return;
    }
    for (key, onward) in settings.queues.get(id).into_iter().flat_map(|queue| ways(queue)) {
        match onward {
            Overflow::Hangup => {}
            Overflow::Queue(next) => {
                way.push((id, key));
                follow(settings, file, next, way, seen, errors);
                way.pop();
            }
        }
    }
    seen.insert(id);
}

/// What will work and is still doubtful: keys of SRTP that travel where they can be read (RFC 4568 §7).
#[must_use]
pub fn warnings(file: &ApplyFile) -> Vec<SettingsError> {
    let doubtful = |(id, entry): (&TrunkId, &TrunkEntry)| {
        let server = &entry.trunk.outbound.as_ref()?.server;
        let sealed = server.starts_with("sips:") || server.ends_with(";transport=tls");
        let keys = entry.trunk.srtp != SrtpPolicy::Off;
        let object = join("trunk", &id.0);
        let what = format!(
            "is {:?}, but {server} is not reached by TLS: the keys can be read on the way. \
             Use sips: or ;transport=tls",
            entry.trunk.srtp.word()
        );
        (keys && !sealed).then(|| file.error(&object, &join(&object, "srtp"), what))
    };
    file.trunks.iter().filter_map(doubtful).collect()
}

/// A digest user name or a source network that two objects claim would make the caller a guess, and a
/// prefix the way out.
fn names_claimed_twice(settings: &Settings, file: &ApplyFile, errors: &mut Vec<SettingsError>) {
    let mut users: BTreeMap<&str, String> =
        settings.agents.keys().map(|id| (id.0.as_str(), format!("agent {id}"))).collect();
    let mut networks = BTreeMap::new();
    let mut prefixes = BTreeMap::new();
    for (id, trunk) in &settings.trunks {
        let object = join("trunk", &id.0);
        if let Some(digest) = &trunk.digest
            && let Some(other) = users.insert(&digest.user, format!("trunk {id}"))
        {
            let what = format!("is {:?}, which {other} has already", digest.user);
            errors.push(file.error(&object, &format!("{object}.digest.user"), what));
        }
        for network in &trunk.networks {
            if let Some(other) = networks.insert(network, id) {
                let what = format!("has {network}, which trunk {other} has already");
                errors.push(file.error(&object, &format!("{object}.networks"), what));
            }
        }
        for prefix in trunk.outbound.iter().flat_map(|outbound| &outbound.prefixes) {
            if let Some(other) = prefixes.insert(prefix.as_str(), id) {
                let what = format!("has {prefix:?}, which trunk {other} has already");
                errors.push(file.error(&object, &format!("{object}.outbound.prefixes"), what));
            }
        }
    }
}
