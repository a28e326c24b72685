//! That somebody is left who can grant rights, and that nobody takes over who has more of them.

use crate::settings::{Settings, User};

use super::{Held, Right};

/// Whether in these settings nobody holds `manage-roles`: nobody could grant rights, or give them back. A change by
/// which it becomes so (it was not so before, and is after) is refused by whoever makes it.
#[must_use]
pub fn leaves_no_superuser(settings: &Settings) -> bool {
    let holds = |user: &User| {
        let custom = user.custom_role.as_ref().and_then(|role| settings.roles.get(role));
        Held::of(user, custom.map(|role| &**role)).has(Right::ManageRoles)
    };
    !settings.users.values().any(|user| holds(user))
}

/// Whether somebody may act upon another's log-in (give a password, remove a second factor, remove the user): whoever
/// could log in as somebody else could do what they can. So it takes all their rights, or the one to grant them.
#[must_use]
pub fn may_manage(actor: &Held, other: &Held) -> bool {
    actor.has(Right::ManageRoles) || other.rights().all(|right| actor.has(right))
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
        settings.users.insert("bob".into(), Arc::new(granted));
        assert!(!leaves_no_superuser(&settings));
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
}
