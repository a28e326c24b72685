//! What a password must be, and how long it is good (domain rule 23).

use crate::settings::PasswordRules;
use crate::time::Timestamp;

/// Whatever the rules say, an apply file gives no password of so many characters or fewer.
pub const PASSWORD_OVER: usize = 8;
/// The longest password, in bytes: argon2 reads all of it, whoever sends it.
pub const LONGEST_PASSWORD: usize = 1_024;

/// Why a password a user chose is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// It has too few characters.
    #[error("A password has more than {over} characters.")]
    TooShort {
        /// It needs more than so many.
        over: u8,
    },
    /// It has too many bytes.
    #[error("A password has at most {LONGEST_PASSWORD} bytes.")]
    TooLong,
}

/// Whether a password may be chosen under these rules.
///
/// # Errors
/// Why it may not.
pub fn fits(password: &str, rules: &PasswordRules) -> Result<(), BadPassword> {
    if password.chars().count() <= usize::from(rules.longer_than) {
        return Err(BadPassword::TooShort { over: rules.longer_than });
    }
    if password.len() > LONGEST_PASSWORD { Err(BadPassword::TooLong) } else { Ok(()) }
}

/// When a password that was set at `changed` has to be changed; `None`: never.
#[must_use]
pub fn expires(changed: Option<Timestamp>, rules: &PasswordRules) -> Option<Timestamp> {
    Some(changed? + rules.expires?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn length_is_counted_in_characters_and_limited_in_bytes() {
        let rules = PasswordRules::default();
        assert_eq!(fits("12345678", &rules), Err(BadPassword::TooShort { over: 8 }));
        assert_eq!(fits("123456789", &rules), Ok(()));
        assert_eq!(fits("äöüäöüäö", &rules), Err(BadPassword::TooShort { over: 8 }), "sixteen bytes");
        assert_eq!(fits(&"x".repeat(1_024), &rules), Ok(()));
        assert_eq!(fits(&"x".repeat(1_025), &rules), Err(BadPassword::TooLong));
        let longer = PasswordRules { longer_than: 20, ..rules };
        assert_eq!(fits(&"x".repeat(20), &longer), Err(BadPassword::TooShort { over: 20 }));
        assert_eq!(fits(&"x".repeat(21), &longer), Ok(()));
    }

    #[test]
    fn a_password_expires_so_long_after_it_was_set_and_by_default_never() {
        let at = Timestamp::from_micros(1_795_000_000_000_000);
        let day = Duration::from_secs(86_400);
        let rules = PasswordRules { expires: Some(day * 90), ..PasswordRules::default() };
        assert_eq!(expires(Some(at), &rules), Some(at + day * 90));
        assert_eq!(expires(None, &rules), None);
        assert_eq!(expires(Some(at), &PasswordRules::default()), None);
    }
}
