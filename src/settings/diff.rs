//! What an apply file would change.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::ids::Redacted;

use super::check::check;
use super::file::{AgentEntry, ApplyFile, Login, TrunkEntry, UserEntry};
use super::object::{Kind, Object, Shown};
use super::read::{SettingsError, join};
use super::secret::{hash_password, verify_password};
use super::{Agent, PasswordRules, Settings, SipCredentials, Trunk, TrunkLogin, User};

/// How a file is applied.
#[derive(Clone, Copy)]
pub struct DiffOptions {
    /// Remove what is stored and not in the file. Only within the kinds the file mentions (an empty
    /// `[agent]` does mention agents), so that a file of queues alone cannot lock every user out.
    pub prune: bool,
    /// 32 fresh random bytes, from which each changed user password gets its salt.
    pub seed: [u8; 32],
}

/// One object that comes, goes or changes. Displays as lines for the operator's terminal
/// (`+ queue support`, `~ queue support.wrap-up: 10s -> 20s`, `- agent bob`), secrets as `changed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What happens to it.
    pub what: Changed,
}

/// What happens to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It comes.
    Added(Object),
    /// It goes.
    Removed(Object),
    /// It changes.
    Altered {
        /// From this.
        old: Object,
        /// To this.
        new: Object,
    },
}

/// An attribute that comes, goes or changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeChange {
    /// Its name, such as `wrap-up` or `consent.yes`.
    pub attribute: &'static str,
    /// The value before.
    pub old: Option<Shown>,
    /// The value after.
    pub new: Option<Shown>,
}

/// Compares what is stored with the file, and checks every reference in the result.
/// Nothing to change is an empty list.
///
/// # Errors
/// References to nothing, overflow queues that lead in a circle, new trunks and users without a password.
pub fn diff(
    old: &Settings,
    new: &ApplyFile,
    options: &DiffOptions,
) -> Result<Vec<Difference>, Vec<SettingsError>> {
    let mut errors = Vec::new();
    let merged = merge(old, new, options, &mut errors);
    check(&merged, new, &mut errors);
    if errors.is_empty() {
        return Ok(differences(old, &merged));
    }
    errors.sort_by_key(|error| error.line);
    Err(errors)
}

/// The objects that differ between two states, in an order in which each step leaves no reference to
/// nothing: what is referred to comes first and goes last.
#[must_use]
pub fn differences(old: &Settings, new: &Settings) -> Vec<Difference> {
    let before: BTreeMap<(Kind, &str), Object> =
        old.objects().map(|(kind, name, object)| ((kind, name), object)).collect();
    let after: BTreeMap<(Kind, &str), Object> =
        new.objects().map(|(kind, name, object)| ((kind, name), object)).collect();
    let make = |(kind, name): (Kind, &str), what| Difference { kind, name: name.to_owned(), what };
    let coming = after.iter().filter_map(|(key, new)| match before.get(key) {
        None => Some(make(*key, Changed::Added(new.clone()))),
        Some(old) if old == new => None,
        Some(old) => Some(make(*key, Changed::Altered { old: old.clone(), new: new.clone() })),
    });
    let going = before.iter().rev().filter(|(key, _)| !after.contains_key(key));
    coming.chain(going.map(|(key, old)| make(*key, Changed::Removed(old.clone())))).collect()
}

impl Difference {
    /// Its attributes that come, go or change.
    #[must_use]
    pub fn attributes(&self) -> Vec<AttributeChange> {
        let (old, new) = match &self.what {
            Changed::Added(new) => (Vec::new(), new.attributes()),
            Changed::Removed(old) => (old.attributes(), Vec::new()),
            Changed::Altered { old, new } => (old.attributes(), new.attributes()),
        };
        let find = |list: &[(&'static str, Shown)], name: &'static str| {
            list.iter().find(|(it, _)| *it == name).map(|(_, value)| value.clone())
        };
        let gone = old.iter().filter(|(name, _)| find(&new, name).is_none());
        let names = new.iter().chain(gone).map(|(name, _)| *name);
        names
            .map(|name| AttributeChange { attribute: name, old: find(&old, name), new: find(&new, name) })
            .filter(|change| change.old != change.new)
            .collect()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, what } = self;
        match what {
            Changed::Added(_) => write!(f, "+ {kind} {name}"),
            Changed::Removed(_) => write!(f, "- {kind} {name}"),
            Changed::Altered { .. } => {
                for (n, change) in self.attributes().iter().enumerate() {
                    let line = if n == 0 { "" } else { "\n" };
                    write!(f, "{line}~ {kind} {name}.{change}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for AttributeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attribute, old, new } = self;
        match (old, new) {
            (Some(Shown::Secret(_)), Some(Shown::Secret(_))) => write!(f, "{attribute}: changed"),
            (Some(old), Some(new)) => write!(f, "{attribute}: {old} -> {new}"),
            (None, Some(new)) => write!(f, "{attribute}: (none) -> {new}"),
            (Some(old), None) => write!(f, "{attribute}: {old} -> (none)"),
            (None, None) => write!(f, "{attribute}"),
        }
    }
}

/// The settings as they will be.
fn merge(
    old: &Settings,
    new: &ApplyFile,
    options: &DiffOptions,
    errors: &mut Vec<SettingsError>,
) -> Settings {
    let mut merged = old.clone();
    if options.prune {
        for kind in &new.mentioned {
            match kind {
                Kind::Trunk => merged.trunks.retain(|id, _| new.trunks.contains_key(id)),
                Kind::Number => merged.numbers.retain(|id, _| new.numbers.contains_key(id)),
                Kind::Queue => merged.queues.retain(|id, _| new.queues.contains_key(id)),
                Kind::Agent => merged.agents.retain(|id, _| new.agents.contains_key(id)),
                Kind::User => merged.users.retain(|id, _| new.users.contains_key(id)),
                Kind::Role => merged.roles.retain(|id, _| new.roles.contains_key(id)),
                Kind::Webhook => merged.webhooks.retain(|id, _| new.webhooks.contains_key(id)),
                Kind::Provider => merged.providers.retain(|id, _| new.providers.contains_key(id)),
                Kind::System => merged.system = None,
            }
        }
    }
    merged.queues.extend(new.queues.iter().map(|(id, queue)| (id.clone(), queue.clone())));
    merged.numbers.extend(new.numbers.iter().map(|(id, it)| (id.clone(), Arc::new(it.clone()))));
    for (id, entry) in &new.trunks {
        match trunk(entry, old.trunks.get(id).map(|trunk| &**trunk)) {
            Ok(trunk) => drop(merged.trunks.insert(id.clone(), Arc::new(trunk))),
            Err(attribute) => errors.push(no_password(new, &join("trunk", &id.0), attribute)),
        }
    }
    for (id, AgentEntry { display_name, queues, skills, phone, login }) in &new.agents {
        let stored = old.agents.get(id).and_then(|agent| agent.credentials.as_ref());
        // Without a password it logs on in the browser only, with what its page is lent.
        let credentials = credentials(login, stored);
        let (display_name, queues, phone) = (display_name.clone(), queues.clone(), phone.clone());
        let agent = Agent { display_name, credentials, queues, skills: skills.clone(), phone };
        merged.agents.insert(id.clone(), Arc::new(agent));
    }
    for (name, entry) in &new.users {
        let stored = old.users.get(name).map(|user| &**user);
        match user(name, entry, stored, &options.seed) {
            Some(user) => drop(merged.users.insert(name.clone(), Arc::new(user))),
            None => errors.push(no_password(new, &join("user", name), "password")),
        }
    }
    others(old, new, &mut merged, errors);
    passwords(old, new, &merged, errors);
    merged
}

/// New passwords are as long as the system asks.
fn passwords(old: &Settings, new: &ApplyFile, merged: &Settings, errors: &mut Vec<SettingsError>) {
    let over =
        merged.system.as_ref().map_or_else(PasswordRules::default, |system| system.passwords).longer_than;
    for (name, entry) in &new.users {
        let short = |password: &Redacted<String>| password.0.chars().count() <= usize::from(over);
        let hash = |settings: &Settings| settings.users.get(name).map(|user| user.password_hash.clone());
        if entry.password.as_ref().is_some_and(short) && hash(old) != hash(merged) {
            let object = join("user", name);
            let what = format!("is too short: more than {over} characters are expected");
            errors.push(new.error(&object, &join(&object, "password"), what));
        }
    }
}

/// Roles, webhooks, providers, the system; secrets a file does not give stay as they are.
fn others(old: &Settings, new: &ApplyFile, merged: &mut Settings, errors: &mut Vec<SettingsError>) {
    merged.roles.extend(new.roles.iter().map(|(id, role)| (id.clone(), Arc::new(role.clone()))));
    for (id, (webhook, with_secret)) in &new.webhooks {
        let mut webhook = webhook.clone();
        match (with_secret, old.webhooks.get(id)) {
            (true, _) => {}
            (false, Some(stored)) => webhook.secret = stored.secret.clone(),
            (false, None) => errors.push(no_password(new, &join("webhook", id), "secret")),
        }
        merged.webhooks.insert(id.clone(), Arc::new(webhook));
    }
    for (id, provider) in &new.providers {
        let mut provider = provider.clone();
        let stored = old.providers.get(id).and_then(|stored| stored.client_secret.clone());
        provider.client_secret = provider.client_secret.or(stored);
        merged.providers.insert(id.clone(), Arc::new(provider));
    }
    merged.system = new.system.clone().map(Arc::new).or(merged.system.take());
}

/// The trunk with its passwords: those of the file, or the stored ones of the same users; else the
/// attribute that is missing.
fn trunk(entry: &TrunkEntry, stored: Option<&Trunk>) -> Result<Trunk, &'static str> {
    let TrunkEntry { trunk, login, outbound } = entry;
    let mut trunk = trunk.clone();
    if let Some(login) = login {
        let stored = stored.and_then(|trunk| trunk.digest.as_ref());
        trunk.digest = Some(credentials(login, stored).ok_or("digest.password")?);
    }
    if let (Some(ours), Some(outbound)) = (outbound, &mut trunk.outbound) {
        let stored = stored.and_then(|trunk| trunk.outbound.as_ref()?.login.as_ref());
        let kept = stored.filter(|stored| stored.user == ours.user).map(|stored| stored.password.clone());
        let password = ours.password.clone().or(kept).ok_or("outbound.password")?;
        outbound.login = Some(TrunkLogin { user: ours.user.clone(), password });
    }
    Ok(trunk)
}

fn credentials(login: &Login, stored: Option<&SipCredentials>) -> Option<SipCredentials> {
    match login {
        Login::New(credentials) => Some(credentials.clone()),
        Login::Keep { user } => stored.filter(|stored| stored.user == *user).cloned(),
    }
}

/// The user with a password: the stored one if the file gives none or the one it gave last, whatever the
/// user changed it to since; else that of the file. `None`: there is neither.
fn user(name: &str, entry: &UserEntry, stored: Option<&User>, seed: &[u8; 32]) -> Option<User> {
    let says_the_same = |stored: &User, password: &Redacted<String>| {
        verify_password(stored.applied_hash.as_ref().unwrap_or(&stored.password_hash), &password.0)
    };
    let (password_hash, applied_hash, must_change_password) = match (&entry.password, stored) {
        (None, None) => return None,
        (Some(password), Some(stored)) if !says_the_same(stored, password) => {
            (hash_password(name, &password.0, seed), None, entry.must_change.unwrap_or(true))
        }
        (Some(password), None) => {
            (hash_password(name, &password.0, seed), None, entry.must_change.unwrap_or(true))
        }
        (None | Some(_), Some(stored)) => {
            // `true` speaks of a password that the file sets anew, `false` of any.
            let demanded = stored.must_change_password || entry.change_now;
            let must_change = demanded && entry.must_change != Some(false);
            (stored.password_hash.clone(), stored.applied_hash.clone(), must_change)
        }
    };
    let (display_name, agent) = (entry.display_name.clone(), entry.agent.clone());
    let (role, language) = (entry.role, entry.language.clone());
    let (custom_role, grants) = (entry.custom_role.clone(), entry.grants.clone());
    let only_queues = entry.only_queues.clone();
    Some(User {
        display_name,
        password_hash,
        applied_hash,
        must_change_password,
        role,
        custom_role,
        grants,
        only_queues,
        agent,
        language,
    })
}

fn no_password(file: &ApplyFile, object: &str, attribute: &str) -> SettingsError {
    let what = "is missing: it may be left out only while the stored one stays right".to_owned();
    file.error(object, &format!("{object}.{attribute}"), what)
}
