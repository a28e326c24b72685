//! How long a session lives.

use std::time::Duration;

use crate::settings::SessionRules;
use crate::time::Timestamp;

/// Sessions one user may have: some browsers, and those that were closed without logging out. With one more the one
/// that was not used for longest ends.
pub const SESSIONS: u32 = 16;
/// Its last use is written again after so long and not with each request: it may end so much too early.
pub const TOUCH: Duration = Duration::from_secs(60);

/// The times of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// When it began.
    pub created: Timestamp,
    /// When it was last used, as written.
    pub used: Timestamp,
}

impl Session {
    /// One that begins now.
    #[must_use]
    pub const fn begun(now: Timestamp) -> Self {
        Self { created: now, used: now }
    }

    /// Whether it goes on.
    #[must_use]
    pub fn lives(self, rules: &SessionRules, now: Timestamp) -> bool {
        now < self.ends(rules) && now < self.used + rules.idle
    }

    /// When it is over whatever is done.
    #[must_use]
    pub fn ends(self, rules: &SessionRules) -> Timestamp {
        self.created + rules.absolute
    }

    /// Whether its use has to be written.
    #[must_use]
    pub fn to_be_touched(self, now: Timestamp) -> bool {
        now.since(self.used) >= TOUCH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_idle_and_it_ends_old() {
        let hour = Duration::from_secs(3_600);
        let other = SessionRules { idle: hour, absolute: hour * 3, ..SessionRules::default() };
        for rules in [SessionRules::default(), other] {
            let SessionRules { idle, absolute, .. } = rules;
            let start = Timestamp::from_micros(1_795_000_000_000_000);
            let mut session = Session::begun(start);
            assert!(session.lives(&rules, start + idle - Duration::from_micros(1)));
            assert!(!session.lives(&rules, start + idle));
            assert!(!session.to_be_touched(start + TOUCH - Duration::from_micros(1)));
            session.used = start + idle - TOUCH;
            assert!(session.to_be_touched(session.used + TOUCH));
            assert!(session.lives(&rules, start + idle));
            session.used = start + absolute - TOUCH;
            assert!(session.lives(&rules, start + absolute - Duration::from_micros(1)));
            assert!(!session.lives(&rules, start + absolute), "however busy");
        }
    }
}
