//! References between objects, checked in the settings as they will be.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{QueueId, TrunkId};

use super::file::{ApplyFile, TrunkEntry};
use super::read::{SettingsError, join};
use super::{Overflow, Role, Settings, SrtpPolicy};

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
        match &queue.overflow {
            Overflow::Hangup => {}
            Overflow::Queue(next) => refer(join("queue", &id.0), "overflow", next),
        }
    }
    for (name, user) in &settings.users {
        user.only_queues.iter().flatten().for_each(|queue| refer(join("user", name), "only-queues", queue));
    }
    agents_of_users(settings, file, errors);
    roles_of_users(settings, file, errors);
    overflow_circles(settings, file, errors);
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

/// A caller must not be passed round for ever: overflow has to end somewhere.
fn overflow_circles(settings: &Settings, file: &ApplyFile, errors: &mut Vec<SettingsError>) {
    let next = |id: &QueueId| match settings.queues.get(id).map(|queue| &queue.overflow) {
        Some(Overflow::Queue(next)) => Some(next.clone()),
        Some(Overflow::Hangup) | None => None,
    };
    let mut told: BTreeSet<QueueId> = BTreeSet::new();
    for start in settings.queues.keys() {
        let mut way = vec![start.clone()];
        while let Some(step) = way.last().and_then(next) {
            if let Some(first) = way.iter().position(|id| *id == step) {
                let circle = &way[first..];
                if !circle.iter().any(|id| told.contains(id)) {
                    let mut names: Vec<&str> = circle.iter().map(|id| id.0.as_str()).collect();
                    names.push(&step.0);
                    let what = format!("leads in a circle ({}): one of them must end", names.join(" -> "));
                    let object = join("queue", &step.0);
                    errors.push(file.error(&object, &join(&object, "overflow"), what));
                }
                told.extend(circle.iter().cloned());
                break;
            }
            way.push(step);
        }
    }
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
