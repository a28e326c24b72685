//! What a session has to do first: change the password, add a second factor.

use crate::settings::{SecondFactor, System};
use crate::time::Timestamp;

use super::{Session, passwords};

/// What has to be done before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owes {
    /// Change the password: it is the first one, or has expired.
    Password,
    /// Add a second factor: the system asks for one.
    SecondFactor,
}

/// How somebody who is logged in stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether the log-in was by a password of ours. A provider's word owes nothing: password and second factor are
    /// the provider's matter then.
    pub by_password: bool,
    /// Whether the password is one that somebody else chose.
    pub must_change: bool,
    /// When the password was set; `None`: not known.
    pub changed: Option<Timestamp>,
    /// Whether there is a second factor.
    pub second_factor: bool,
}

impl Standing {
    /// What is owed in a session. A password that expires in a session's middle is owed with the next log-in: nobody
    /// is cut off in a call by the calendar.
    #[must_use]
    pub fn owes(&self, system: &System, session: Session) -> Option<Owes> {
        if !self.by_password {
            return None;
        }
        let expired = self.expires(system).is_some_and(|at| at <= session.created);
        if self.must_change || expired {
            return Some(Owes::Password);
        }
        let required = system.sessions.second_factor == SecondFactor::Required;
        (required && !self.second_factor).then_some(Owes::SecondFactor)
    }

    /// When the password has to be changed; `None`: never, or there is none in this.
    #[must_use]
    pub fn expires(&self, system: &System) -> Option<Timestamp> {
        passwords::expires(self.changed.filter(|_| self.by_password), &system.passwords)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);
    const DAY: Duration = Duration::from_secs(86_400);

    fn standing() -> Standing {
        Standing { by_password: true, must_change: false, changed: Some(START), second_factor: false }
    }

    #[test]
    fn the_first_password_comes_before_the_second_factor_and_a_provider_s_word_owes_neither() {
        let mut system = System::default();
        system.sessions.second_factor = SecondFactor::Required;
        let session = Session::begun(START);
        let first = Standing { must_change: true, ..standing() };
        assert_eq!(first.owes(&system, session), Some(Owes::Password));
        assert_eq!(standing().owes(&system, session), Some(Owes::SecondFactor));
        assert_eq!(Standing { second_factor: true, ..standing() }.owes(&system, session), None);
        assert_eq!(Standing { by_password: false, ..first }.owes(&system, session), None);
        assert_eq!(standing().owes(&System::default(), session), None, "who wants one has one");
    }

    #[test]
    fn an_expired_password_is_owed_by_the_sessions_that_begin_after() {
        let mut system = System::default();
        system.passwords.expires = Some(DAY);
        let owes = |at| standing().owes(&system, Session::begun(at));
        assert_eq!(owes(START + DAY - Duration::from_micros(1)), None, "it goes on to its end");
        assert_eq!(owes(START + DAY), Some(Owes::Password));
        assert_eq!(standing().expires(&system), Some(START + DAY));
        assert_eq!(Standing { by_password: false, ..standing() }.expires(&system), None);
    }
}
