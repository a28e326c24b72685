//! That somebody is left who can grant rights, and that nobody takes over who has more of them.

use crate::settings::{Settings, User};

use super::{Held, Right};

/// Whether in these settings nobody holds `manage-roles` for all queues: nobody could grant rights, or give them back. A
/// change by which it becomes so (it was not so before, and is after) is refused by whoever makes it.
#[must_use]
pub fn leaves_no_superuser(settings: &Settings) -> bool {
    superusers(settings).next().is_none()
}

/// Who holds `manage-roles`, and for all queues: whose rights hold for some changes nobody else's.
pub fn superusers(settings: &Settings) -> impl Iterator<Item = &str> {
    let holds = |user: &User| {
        let custom = user.custom_role.as_ref().and_then(|role| settings.roles.get(role));
        let held = Held::of(user, custom.map(|role| &**role));
        held.has(Right::ManageRoles) && held.queues().is_none()
    };
    settings.users.iter().filter(move |(_, user)| holds(user)).map(|(name, _)| name.as_str())
}

/// Whether somebody may act upon another's log-in (give a password, remove a second factor, remove the user): whoever
/// could log in as somebody else could do what they can. So it takes all their rights, or the one to grant them, and for
/// all their queues.
#[must_use]
pub fn may_manage(actor: &Held, other: &Held) -> bool {
    let queues = match (actor.queues(), other.queues()) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(own), Some(theirs)) => theirs.is_subset(own),
    };
    queues && (actor.has(Right::ManageRoles) || other.rights().all(|right| actor.has(right)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ids::Redacted;
    use crate::settings::{CustomRole, Role};

    fn user(role: Role) -> User {
        User {
            display_name: Redacted(String::new()),
            password_hash: Redacted(String::new()),
            applied_hash: None,
            must_change_password: false,
            role,
            custom_role: None,
            grants: Vec::new(),
            only_queues: None,
            agent: None,
            language: None,
        }
    }

    #[test]
    fn somebody_has_to_be_able_to_grant_rights() {
        let mut settings = Settings::default();
        assert!(leaves_no_superuser(&settings));
        settings.users.insert("lead".into(), Arc::new(user(Role::Supervisor)));
        assert!(leaves_no_superuser(&settings));
        settings.users.insert("boss".into(), Arc::new(user(Role::Superuser)));
        assert!(!leaves_no_superuser(&settings));
        let custom = User { custom_role: Some("chief".into()), ..user(Role::Superuser) };
        settings.users.insert("boss".into(), Arc::new(custom));
        assert!(leaves_no_superuser(&settings), "the role of one's own takes the place of the default one");
        let chief = CustomRole { rights: vec![Right::ManageRoles], ..CustomRole::default() };
        settings.roles.insert("chief".into(), Arc::new(chief));
        assert!(!leaves_no_superuser(&settings));
        settings.users.remove("boss");
        let granted = User { grants: vec![Right::ManageRoles], ..user(Role::Agent) };
        settings.users.insert("bob".into(), Arc::new(granted.clone()));
        assert!(!leaves_no_superuser(&settings));
        let limited = User { only_queues: Some(vec!["sales".into()]), ..granted };
        settings.users.insert("bob".into(), Arc::new(limited));
        assert!(leaves_no_superuser(&settings), "who sees some queues gives nobody else rights for others");
    }

    #[test]
    fn nobody_takes_over_who_has_more_rights() {
        let held = |role, grants: &[Right]| Held::of(&User { grants: grants.to_vec(), ..user(role) }, None);
        let boss = held(Role::Superuser, &[]);
        let clerk = held(Role::Reporting, &[Right::ManageUsers]);
        assert!(may_manage(&boss, &clerk) && !may_manage(&clerk, &boss));
        assert!(may_manage(&clerk, &held(Role::Reporting, &[])));
        let officer = held(Role::Reporting, &[Right::Dpo]);
        assert!(may_manage(&boss, &officer), "who grants the right may");
        assert!(!may_manage(&clerk, &officer));
    }

    #[test]
    fn nobody_takes_over_who_has_more_queues() {
        let held = |role, queues: Option<&[&str]>| {
            let only_queues = queues.map(|queues| queues.iter().map(|&queue| queue.into()).collect());
            Held::of(&User { only_queues, ..user(role) }, None)
        };
        let boss = held(Role::Superuser, Some(&["a", "b"]));
        for (other, may) in [
            (held(Role::Agent, Some(&["a"])), true),
            (held(Role::Agent, Some(&["a", "b"])), true),
            (held(Role::Agent, Some(&["a", "c"])), false),
            (held(Role::Agent, None), false),
        ] {
            assert_eq!(may_manage(&boss, &other), may, "{other:?}");
        }
        assert!(may_manage(&held(Role::Superuser, None), &boss));
    }
}
