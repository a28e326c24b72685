//! Settings as JSON documents, one for each object, with the keys of the apply file. What comes in goes through the
//! apply file's own reader, so that API, console and `sayso apply` take and refuse the same.
//!
//! Passwords and secrets go in and never come out.

mod house;
mod reading;
mod shapes;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::{Map, Value};

use super::check::check;
use super::diff::{Changed, DiffOptions, Difference, diff, differences};
use super::file::{ApplyFile, parse};
use super::object::{Kind, Object};
use super::read::{SettingsError, join};
use super::{SYSTEM, Settings};

pub use house::{ProviderDocument, RoleDocument, SystemDocument, UserDocument, WebhookDocument};
pub use shapes::{AgentDocument, NumberDocument, QueueDocument, TrunkDocument};

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{key}: {what}")]
pub struct DocumentError {
    /// The key within the document, such as `consent.yes`; empty: the whole. An error elsewhere, which the change would
    /// cause, has the key of the apply file: `number.100.queue`.
    pub key: String,
    /// What is wrong, and what is allowed. Holds no secret.
    pub what: String,
}

/// An object as a document: everything that holds, defaults too, but no password and no secret.
#[must_use]
pub fn to_document(object: &Object) -> Value {
    let value = match object {
        Object::Trunk(trunk) => serde_json::to_value(TrunkDocument::from(&**trunk)),
        Object::Queue(queue) => serde_json::to_value(QueueDocument::from(&**queue)),
        Object::Number(number) => serde_json::to_value(NumberDocument::from(&**number)),
        Object::Agent(agent) => serde_json::to_value(AgentDocument::from(&**agent)),
        Object::User(user) => serde_json::to_value(UserDocument::from(&**user)),
        Object::Role(role) => serde_json::to_value(RoleDocument::from(&**role)),
        Object::Webhook(webhook) => serde_json::to_value(WebhookDocument::from(&**webhook)),
        Object::Provider(provider) => serde_json::to_value(ProviderDocument::from(&**provider)),
        Object::System(system) => serde_json::to_value(SystemDocument::from(&**system)),
    };
    value.expect("documents have texts, numbers and lists alone, and texts as keys")
}

/// What a document would change: nothing, or the object it describes. It is the whole truth of the object; an attribute
/// it does not mention has its default, a password or secret it does not mention stays. `realm` as in [`parse`],
/// `seed` as in [`DiffOptions::seed`]. Hashes a password where one is given: not for a thread that others wait for.
///
/// # Errors
/// All that is wrong with it, or that would be wrong elsewhere.
pub fn from_document(
    stored: &Settings,
    kind: Kind,
    name: &str,
    document: &Map<String, Value>,
    realm: &str,
    seed: [u8; 32],
) -> Result<Vec<Difference>, Vec<DocumentError>> {
    let object = join(kind.word(), name);
    let text = reading::to_toml(kind, name, document)?;
    let mut file = parse(&text, "", realm).map_err(|errors| told(&object, errors))?;
    if kind == Kind::User && document.get("must-change") == Some(&Value::Bool(true)) {
        file.users.values_mut().for_each(|user| user.change_now = true);
    }
    diff(stored, &file, &DiffOptions { prune: false, seed }).map_err(|errors| told(&object, errors))
}

/// What removing an object changes; nothing when it is not there.
///
/// # Errors
/// What refers to it.
pub fn without(stored: &Settings, kind: Kind, name: &str) -> Result<Vec<Difference>, Vec<DocumentError>> {
    let mut left = stored.clone();
    left.remove(kind, name);
    let faults = |settings: &Settings| {
        let mut errors = Vec::new();
        check(settings, &ApplyFile::default(), &mut errors);
        errors
    };
    // What was wrong before is not the fault of this.
    let before = faults(stored);
    let mut errors = faults(&left);
    errors.retain(|error| !before.iter().any(|old| old.key == error.key));
    if errors.is_empty() {
        Ok(differences(stored, &left))
    } else {
        Err(told(&join(kind.word(), name), errors))
    }
}

/// Errors with keys as a document has them.
fn told(object: &str, errors: Vec<SettingsError>) -> Vec<DocumentError> {
    let own = |key: &str| {
        let rest = key.strip_prefix(object)?;
        if rest.is_empty() { Some(String::new()) } else { rest.strip_prefix('.').map(str::to_owned) }
    };
    let tell = |SettingsError { key, what, .. }| DocumentError { key: own(&key).unwrap_or(key), what };
    errors.into_iter().map(tell).collect()
}

impl Settings {
    /// An object by its name. The system is there always, if only with its defaults.
    #[must_use]
    pub fn object(&self, kind: Kind, name: &str) -> Option<Object> {
        match kind {
            Kind::Trunk => self.trunks.get(&name.into()).cloned().map(Object::Trunk),
            Kind::Queue => self.queues.get(&name.into()).cloned().map(Object::Queue),
            Kind::Number => self.numbers.get(name).cloned().map(Object::Number),
            Kind::Agent => self.agents.get(&name.into()).cloned().map(Object::Agent),
            Kind::Role => self.roles.get(name).cloned().map(Object::Role),
            Kind::User => self.users.get(name).cloned().map(Object::User),
            Kind::Webhook => self.webhooks.get(name).cloned().map(Object::Webhook),
            Kind::Provider => self.providers.get(name).cloned().map(Object::Provider),
            Kind::System => (name == SYSTEM).then(|| Object::System(self.system.clone().unwrap_or_default())),
        }
    }

    /// Makes changes.
    pub fn apply(&mut self, differences: &[Difference]) {
        for Difference { kind, name, what } in differences {
            match what {
                Changed::Added(new) | Changed::Altered { new, .. } => self.insert(name, new.clone()),
                Changed::Removed(_) => self.remove(*kind, name),
            }
        }
    }

    /// Takes an object out, if it is there.
    pub fn remove(&mut self, kind: Kind, name: &str) {
        match kind {
            Kind::Trunk => drop(self.trunks.remove(&name.into())),
            Kind::Queue => drop(self.queues.remove(&name.into())),
            Kind::Number => drop(self.numbers.remove(name)),
            Kind::Agent => drop(self.agents.remove(&name.into())),
            Kind::Role => drop(self.roles.remove(name)),
            Kind::User => drop(self.users.remove(name)),
            Kind::Webhook => drop(self.webhooks.remove(name)),
            Kind::Provider => drop(self.providers.remove(name)),
            Kind::System => self.system = None,
        }
    }
}
