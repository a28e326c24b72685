//! Who somebody that a provider vouches for is here, and with which role.

use std::net::IpAddr;
use std::sync::Arc;

use crate::access::{Claims, Mapped, Right, leaves_no_superuser, mapped};
use crate::api::desk::{Desk, random};
use crate::api::guard::{By, Visitor};
use crate::audit::{Actor, AuditEvent, Class, Value};
use crate::ids::Redacted;
use crate::settings::{
    Changed, Difference, Kind, Object as Setting, Provider, Role, Settings, User, hash_password,
};
use crate::store::{Change, Identity, LoginChange, StoreError};

use super::super::{Opening, computed, open, user_object};
use super::Fault;

/// The settings may be changed by another between reading and writing; so often it is tried again.
const TRIES: usize = 3;

/// Lets somebody in: finds the user (or makes one, where the provider may), gives the role that the provider's word
/// is mapped to, and begins a session.
///
/// # Errors
/// When there is no user, no role, or the name is somebody else's.
pub(super) async fn admit(
    desk: &Arc<Desk>,
    name: &str,
    provider: &Provider,
    subject: &str,
    claims: &Claims,
    from: IpAddr,
) -> Result<(String, Visitor), Fault> {
    let said = mapped(provider, claims);
    for _ in 0..TRIES {
        let person = Person::of(desk, name, provider, subject, &said).await?;
        let system = desk.store().system().await?;
        let opening = Opening {
            name: &person.name,
            account: person.account.clone(),
            by: By::Provider(name.to_owned()),
            system,
            more: person.changes,
        };
        match open(desk, opening, from).await {
            Ok(done) => return Ok(done),
            Err(StoreError::Conflict { object }) if object.starts_with("identity") => {
                return Err(Fault::Other);
            }
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Fault::Unavailable)
}

/// Who it is here, and what has to be stored for that.
struct Person {
    name: String,
    account: User,
    changes: Vec<Change>,
}

impl Person {
    async fn of(
        desk: &Arc<Desk>,
        name: &str,
        provider: &Provider,
        subject: &str,
        said: &Mapped,
    ) -> Result<Self, Fault> {
        let bound = desk.store().identity(name, subject).await?;
        // The provider may call the person otherwise by now, or give the name to another: the subject stays.
        let known = bound.as_ref().map(|identity| identity.user.clone());
        let user = known.or_else(|| said.name.clone()).ok_or(Fault::BadName)?;
        let (generation, settings) = desk.store().settings().await?;
        let role = said.role.as_ref().map(|word| role(&settings, word).ok_or(Fault::NoRole)).transpose()?;
        let stored = settings.users.get(&user).cloned();
        let made = bound.as_ref().map_or(stored.is_none(), |identity| identity.made)
            || desk.store().was_made(&user).await?;
        // A name that a provider lets people choose must not open what the strongest of this system may, nor pass by a
        // second factor.
        if bound.is_none()
            && let Some(stored) = &stored
        {
            let held = desk.store().held(stored).await?;
            let strong = held.has(Right::ManageRoles) || held.rights().any(Right::is_special);
            let factor = desk.store().second_factor(&user).await?.is_some_and(|factor| factor.confirmed);
            if strong || factor {
                return Err(Fault::NoUser);
            }
        }
        // Whom the provider made has here what the provider says, and nothing without it; so has whoever comes by one that
        // says roles: who is taken out of a group there must not keep its role here.
        if role.is_none() && (made || !provider.roles.is_empty()) {
            return Err(if stored.is_none() && !provider.make_users { Fault::NoUser } else { Fault::NoRole });
        }
        let mut changes = Vec::new();
        let account = match (stored, role) {
            (None, _) if !provider.make_users => return Err(Fault::NoUser),
            (None, role) => {
                let role = role.ok_or(Fault::NoRole)?;
                let account = make(desk, &user, said, role).await?;
                let added = Changed::Added(Setting::User(Arc::new(account.clone())));
                changes.push(settled(&user, added, name, generation));
                account
            }
            (Some(stored), Some(role)) => {
                let (account, more) = promoted(desk, &user, &stored, role, (generation, settings), name);
                changes.extend(more);
                account
            }
            (Some(stored), None) => User::clone(&stored),
        };
        if bound.is_none() {
            let subject = Redacted(subject.to_owned());
            let identity = Identity { provider: name.to_owned(), subject, user: user.clone(), made };
            changes.push(Change::Login(LoginChange::Bound(identity, desk.now())));
            let what = user_object(&user).attribute("provider");
            let event = AuditEvent::new(Class::Rights, by(name), desk.now(), "user.provider-bound", what);
            changes.push(Change::Audit(event.new_value(Some(Value::plain(name)))));
        }
        Ok(Self { name: user, account, changes })
    }
}

/// A user whom nobody can log in as but by the provider: the password is random, and told to nobody.
async fn make(
    desk: &Arc<Desk>,
    name: &str,
    said: &Mapped,
    (role, custom_role): (Role, Option<String>),
) -> Result<User, Fault> {
    let user = name.to_owned();
    let password_hash =
        computed(desk, move || hash_password(&user, &hex::encode(random()), &random())).await?;
    Ok(User {
        display_name: Redacted(said.display_name.clone().unwrap_or_else(|| name.to_owned())),
        password_hash,
        applied_hash: None,
        must_change_password: false,
        role,
        custom_role,
        grants: Vec::new(),
        only_queues: None,
        agent: None,
        language: None,
    })
}

/// The user with the role that the provider's word gives, and the change that makes it so. The last who can grant
/// rights keeps them.
fn promoted(
    desk: &Desk,
    name: &str,
    stored: &Arc<User>,
    (role, custom_role): (Role, Option<String>),
    (generation, mut settings): (u64, Settings),
    provider: &str,
) -> (User, Option<Change>) {
    if stored.custom_role == custom_role && (stored.role == role || custom_role.is_some()) {
        return (User::clone(stored), None);
    }
    let account = User { role, custom_role, ..User::clone(stored) };
    let before = leaves_no_superuser(&settings);
    settings.users.insert(name.to_owned(), Arc::new(account.clone()));
    if !before && leaves_no_superuser(&settings) {
        let what = user_object(name).attribute("role");
        let event = AuditEvent::new(Class::Failure, by(provider), desk.now(), "user.role-kept", what);
        let event = event.old(Some(Value::plain(word(stored)))).new_value(Some(Value::plain(word(&account))));
        return (User::clone(stored), Some(Change::Audit(event)));
    }
    let (old, new) = (Setting::User(Arc::clone(stored)), Setting::User(Arc::new(account.clone())));
    (account, Some(settled(name, Changed::Altered { old, new }, provider, generation)))
}

/// Only while the settings are as they were looked at: two who log in at once must not both lose the rights that one of
/// them has to keep.
fn settled(name: &str, what: Changed, provider: &str, generation: u64) -> Change {
    let difference = Difference { kind: Kind::User, name: name.to_owned(), what };
    Change::SettingsSince { generation, differences: vec![difference], who: by(provider) }
}

/// Who gives roles and makes users at a log-in.
fn by(provider: &str) -> Actor {
    Actor::User(format!("provider {provider}"))
}

fn word(user: &User) -> String {
    user.custom_role.clone().unwrap_or_else(|| user.role.word().to_owned())
}

/// A role by its word: a default one, or one of one's own that exists.
fn role(settings: &Settings, word: &str) -> Option<(Role, Option<String>)> {
    if let Some((_, role)) = Role::WORDS.iter().find(|(known, _)| *known == word) {
        return Some((*role, None));
    }
    // As the apply file reads it: what stands beside a role of one's own does not count.
    settings.roles.contains_key(word).then(|| (Role::Reporting, Some(word.to_owned())))
}
