//! What a machine's token may carry of the rights of who made it.

use super::{Held, Right};

/// The longest a token is good, in days.
pub const LONGEST_DAYS: u16 = 365;

/// Why a token cannot have these rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadScopes {
    /// There are none.
    #[error("A token needs a right at least.")]
    None,
    /// No machine has it.
    #[error("No token carries the right {0}: a person has to be there for it.")]
    Never(Right),
    /// Who makes the token does not hold it.
    #[error("You do not hold the right {0} yourself.")]
    NotHeld(Right),
}

/// The rights of a token that `maker` makes, in the order of [`Right::ALL`] and each once.
///
/// # Errors
/// When one of them is not the maker's, or no machine's.
pub fn scopes(asked: &[Right], maker: &Held) -> Result<Vec<Right>, BadScopes> {
    for right in asked {
        if never(*right) {
            return Err(BadScopes::Never(*right));
        }
        if !maker.has(*right) {
            return Err(BadScopes::NotHeld(*right));
        }
    }
    let rights: Vec<Right> = Right::ALL.iter().copied().filter(|right| asked.contains(right)).collect();
    if rights.is_empty() { Err(BadScopes::None) } else { Ok(rights) }
}

/// What a token with these scopes carries while its maker holds this: it loses what the maker loses.
#[must_use]
pub fn carried(maker: Held, scopes: &[Right]) -> Held {
    let scopes: Vec<Right> = scopes.iter().copied().filter(|right| !never(*right)).collect();
    maker.within(&scopes)
}

/// Rights are granted, people's data erased and consents reset by persons alone.
const fn never(right: Right) -> bool {
    right.is_special() || matches!(right, Right::ManageRoles)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Redacted;
    use crate::settings::{Role, User};

    fn held(role: Role, grants: &[Right]) -> Held {
        let user = User {
            display_name: Redacted(String::new()),
            password_hash: Redacted(String::new()),
            applied_hash: None,
            must_change_password: false,
            role,
            custom_role: None,
            grants: grants.to_vec(),
            only_queues: None,
            agent: None,
            language: None,
        };
        Held::of(&user, None)
    }

    #[test]
    fn a_token_has_at_most_its_maker_s_rights_and_some_never() {
        let boss = held(Role::Superuser, &[Right::Dpo, Right::CustomerConsent]);
        let asked = [Right::ViewReports, Right::ViewCalls, Right::ViewReports];
        assert_eq!(scopes(&asked, &boss), Ok(vec![Right::ViewCalls, Right::ViewReports]));
        for right in [Right::ManageRoles, Right::Dpo, Right::CustomerConsent] {
            assert_eq!(scopes(&[Right::ViewCalls, right], &boss), Err(BadScopes::Never(right)));
        }
        assert_eq!(scopes(&[], &boss), Err(BadScopes::None));
        let clerk = held(Role::Reporting, &[]);
        assert_eq!(scopes(&asked, &clerk), Err(BadScopes::NotHeld(Right::ViewCalls)));
    }

    #[test]
    fn a_token_loses_what_its_maker_loses() {
        let asked = [Right::ViewCalls, Right::ViewReports, Right::ManageRoles];
        let rights = |maker| carried(maker, &asked).rights().collect::<Vec<_>>();
        assert_eq!(rights(held(Role::Superuser, &[])), [Right::ViewCalls, Right::ViewReports]);
        assert_eq!(rights(held(Role::Reporting, &[])), [Right::ViewReports]);
        assert_eq!(rights(held(Role::Agent, &[])), []);
    }
}
