//! Who may change what of an object; whether somebody may change objects of its kind at all, the route has asked.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::access::{Held, Right, may_manage, rights};
use crate::api::guard::Visitor;
use crate::api::problem::Problem;
use crate::ids::QueueId;
use crate::settings::{CustomRole, Object, Overflow, Provider, Queue, Role, Settings, System, User};

/// Whether an object is shown to somebody whose rights may hold for some queues only.
pub(super) fn see(visitor: &Visitor, name: &str, object: &Object) -> bool {
    match object {
        Object::Queue(_) => visitor.sees(&name.into()),
        Object::Number(number) => visitor.sees(&number.queue),
        Object::Trunk(_)
        | Object::Agent(_)
        | Object::User(_)
        | Object::Role(_)
        | Object::Webhook(_)
        | Object::Provider(_)
        | Object::System(_) => true,
    }
}

/// Whether somebody may make this of that; `None`: there is none.
///
/// # Errors
/// 403, with what is missing; 409 for who would remove oneself.
pub(super) fn change(
    visitor: &Visitor,
    settings: &Settings,
    name: &str,
    old: Option<&Object>,
    new: Option<&Object>,
) -> Result<(), Problem> {
    for object in [old, new].into_iter().flatten() {
        match object {
            Object::Queue(_) => sees(visitor, [&name.into()])?,
            Object::Number(number) => sees(visitor, [&number.queue])?,
            Object::Agent(agent) => sees(visitor, &agent.queues)?,
            Object::User(user) => within(visitor, user)?,
            // What is all queues' is not for whose rights hold for some.
            Object::Trunk(_)
            | Object::Role(_)
            | Object::Webhook(_)
            | Object::Provider(_)
            | Object::System(_) => visitor.of_all_queues()?,
        }
    }
    match (old, new) {
        (Some(Object::Queue(old)), Some(Object::Queue(new))) => queue(visitor, old, new),
        (Some(Object::Queue(one)), None) | (None, Some(Object::Queue(one))) => {
            needs(visitor, Right::ConfigureQueues, "make or remove a queue")?;
            queue(visitor, &Queue::default(), one)
        }
        (old, Some(Object::User(new))) => user(visitor, settings, name, as_user(old), Some(new)),
        (Some(Object::User(old)), None) => user(visitor, settings, name, Some(old), None),
        (old, Some(Object::Role(new))) => {
            let old = match old {
                Some(Object::Role(old)) => Some(old),
                Some(_) | None => None,
            };
            role(visitor, name, old, new)
        }
        (_, Some(Object::Provider(new))) => provider(visitor, settings, new),
        (old, Some(Object::System(new))) => {
            let usual = Arc::default();
            let old = match old {
                Some(Object::System(old)) => old,
                Some(_) | None => &usual,
            };
            system(visitor, old, new)
        }
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

fn as_user(object: Option<&Object>) -> Option<&Arc<User>> {
    match object {
        Some(Object::User(user)) => Some(user),
        Some(_) | None => None,
    }
}

fn sees<'q>(visitor: &Visitor, queues: impl IntoIterator<Item = &'q QueueId>) -> Result<(), Problem> {
    match queues.into_iter().find(|queue| !visitor.sees(queue)) {
        None => Ok(()),
        Some(queue) => Err(no_right(format!("Your rights do not hold for the queue {queue}."))),
    }
}

/// Somebody whose rights hold for some queues makes nobody whose rights hold for others.
fn within(visitor: &Visitor, user: &User) -> Result<(), Problem> {
    match (visitor.held.queues(), &user.only_queues) {
        (None, _) => Ok(()),
        (Some(_), Some(theirs)) => sees(visitor, theirs),
        (Some(_), None) => Err(no_right("This user's rights hold for more queues than yours.")),
    }
}

fn needs(visitor: &Visitor, right: Right, what: &str) -> Result<(), Problem> {
    if visitor.has(right) { Ok(()) } else { Err(no_right(format!("To {what} takes the right {right}."))) }
}

/// One's own is changed by `/session/password`.
pub(super) fn own_password() -> Problem {
    no_right("One's own password is changed with the old one, on one's own page.")
}

fn no_right(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "no-right", detail)
}

/// What is recorded, on which basis and how long it is kept is one right's matter, how calls are served another's.
fn queue(visitor: &Visitor, old: &Queue, new: &Queue) -> Result<(), Problem> {
    let recorded_as_new = Queue {
        recording: new.recording.clone(),
        override_allowed: new.override_allowed,
        pause_limit: new.pause_limit,
        destroy_on_withdrawal: new.destroy_on_withdrawal,
        on_recording_failure: new.on_recording_failure,
        retention: new.retention,
        file_removal: new.file_removal,
        ..old.clone()
    };
    if recorded_as_new != *old {
        needs(visitor, Right::ConfigureRecording, "change what is recorded and how long it is kept")?;
    }
    if recorded_as_new != *new {
        needs(visitor, Right::ConfigureQueues, "change how a queue serves its callers")?;
    }
    // Where callers are led to is another queue's matter, too.
    for (before, after) in [(&old.overflow, &new.overflow), (&old.when_closed, &new.when_closed)] {
        match after {
            Overflow::Queue(queue) if before != after => sees(visitor, [queue])?,
            Overflow::Queue(_) | Overflow::Hangup => {}
        }
    }
    Ok(())
}

/// By a provider's groups nobody gives more than one has: not to oneself, who may be in one of them, nor to others.
fn provider(visitor: &Visitor, settings: &Settings, new: &Provider) -> Result<(), Problem> {
    for (_, word) in &new.roles {
        let given = match (settings.roles.get(word), Role::WORDS.iter().find(|(known, _)| known == word)) {
            (_, Some((_, role))) => rights(*role),
            (Some(custom), None) => &custom.rights,
            (None, None) => &[],
        };
        if given.iter().any(|right| !visitor.has(*right)) {
            return Err(no_right(format!("The role {word} has rights that you have not.")));
        }
    }
    Ok(())
}

/// How long things are kept is the recording administrators' matter.
fn system(visitor: &Visitor, old: &System, new: &System) -> Result<(), Problem> {
    let kept_as_new = System { retention: new.retention, ..old.clone() };
    if kept_as_new != *old {
        needs(visitor, Right::ConfigureRecording, "change how long things are kept")?;
    }
    if kept_as_new != *new {
        needs(visitor, Right::ConfigureSystem, "change the system")?;
    }
    // Behind these networks is what the server may reach, and who sets webhooks may not: a superuser decides.
    if old.webhooks != new.webhooks {
        needs(visitor, Right::ManageRoles, "change which private networks webhooks may reach")?;
    }
    Ok(())
}

/// Only who manages roles gives rights, and nobody gives them to oneself (domain rule 22).
fn user(
    visitor: &Visitor,
    settings: &Settings,
    name: &str,
    old: Option<&Arc<User>>,
    new: Option<&Arc<User>>,
) -> Result<(), Problem> {
    let held = |user: &User| {
        let custom = user.custom_role.as_ref().and_then(|role| settings.roles.get(role));
        Held::of(user, custom.map(|role| &**role))
    };
    if old.is_some_and(|old| name != visitor.user && !may_manage(&visitor.held, &held(old))) {
        return Err(no_right("This user has rights that you have not."));
    }
    if name == visitor.user && old.zip(new).is_some_and(|(old, new)| old.password_hash != new.password_hash) {
        return Err(own_password());
    }
    let Some(new) = new else {
        let own = "Nobody removes oneself: another user has to.";
        return if name == visitor.user { Err(Problem::conflict("refused", own)) } else { Ok(()) };
    };
    let granted = match old {
        Some(old) => {
            let rights = |user: &User| {
                (user.role, user.custom_role.clone(), user.grants.clone(), user.only_queues.clone())
            };
            rights(old) != rights(new)
        }
        None => held(new).rights().next().is_some(),
    };
    if granted && name == visitor.user {
        return Err(no_right("Nobody gives rights to oneself, or takes them: another user has to."));
    }
    if granted {
        needs(visitor, Right::ManageRoles, "give a role and rights")?;
    }
    Ok(())
}

/// Nobody adds to the role one has.
fn role(
    visitor: &Visitor,
    name: &str,
    old: Option<&Arc<CustomRole>>,
    new: &CustomRole,
) -> Result<(), Problem> {
    let own = visitor.account.custom_role.as_deref() == Some(name);
    let had = |right: &Right| old.is_some_and(|old| old.rights.contains(right));
    if own && new.rights.iter().any(|right| !had(right)) {
        return Err(no_right("This is your own role: nobody gives rights to oneself."));
    }
    Ok(())
}
