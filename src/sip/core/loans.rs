//! User names and passwords that are lent for a while: what a web page logs its phone on with, so that the
//! agent's own password stays out of the browser, or is not needed at all.

use std::collections::HashMap;

use super::io::Loan;
use crate::ids::AgentId;
use crate::settings::{SipCredentials, ha1};
use crate::time::Timestamp;

/// Loans at once, about 4 MB; past it the one that ends first goes.
const MAX_LOANS: usize = 10_000;

/// What somebody logged on with that is lent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lent {
    /// The digest user name.
    pub user: String,
    /// When it ends.
    pub until: Timestamp,
}

/// See the module.
#[derive(Default)]
pub(super) struct Loans(HashMap<String, Entry>);

struct Entry {
    agent: AgentId,
    credentials: SipCredentials,
    until: Timestamp,
}

impl Loans {
    /// Keeps a loan; the password only as the hashes that digest needs. Gives the loans that end by it, whose and by
    /// what user name: the one that has to give way, and one of this user name to another agent.
    pub(super) fn lend(&mut self, loan: &Loan, realm: &str, now: Timestamp) -> Vec<(AgentId, String)> {
        let mut ended = Vec::new();
        if self.0.len() >= MAX_LOANS {
            self.0.retain(|_, entry| entry.until > now);
        }
        if self.0.len() >= MAX_LOANS
            && let Some(first) =
                self.0.iter().min_by_key(|(_, entry)| entry.until).map(|(user, _)| user.clone())
        {
            ended.extend(self.0.remove(&first).map(|entry| (entry.agent, first)));
        }
        let credentials = ha1(&loan.user, realm, &loan.password.0);
        let entry = Entry { agent: loan.agent.clone(), credentials, until: loan.until };
        let before = self.0.insert(loan.user.clone(), entry).filter(|before| before.agent != loan.agent);
        ended.extend(before.map(|before| (before.agent, loan.user.clone())));
        ended
    }

    /// Ends a loan; whose it was.
    pub(super) fn end(&mut self, user: &str) -> Option<AgentId> {
        self.0.remove(user).map(|entry| entry.agent)
    }

    /// The password's hashes of a user name that is lent now.
    pub(super) fn credentials(&self, user: &str, now: Timestamp) -> Option<&SipCredentials> {
        self.entry(user, now).map(|entry| &entry.credentials)
    }

    /// Whose phone logs on with it now.
    pub(super) fn holder(&self, user: &str, now: Timestamp) -> Option<(&AgentId, Lent)> {
        let entry = self.entry(user, now)?;
        Some((&entry.agent, Lent { user: user.to_owned(), until: entry.until }))
    }

    fn entry(&self, user: &str, now: Timestamp) -> Option<&Entry> {
        self.0.get(user).filter(|entry| entry.until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Redacted;

    fn loan(user: &str, until: i64) -> Loan {
        let password = Redacted("pass".to_owned());
        Loan { agent: "ada".into(), user: user.to_owned(), password, until: Timestamp::from_micros(until) }
    }

    #[test]
    fn they_end_by_time_and_by_hand_and_the_first_to_end_gives_way() {
        let mut loans = Loans::default();
        let at = Timestamp::from_micros;
        for n in 0..MAX_LOANS {
            loans.lend(&loan(&n.to_string(), 1_000 + n as i64), "r", at(0));
        }
        assert_eq!(loans.lend(&loan("new", 9_000_000), "r", at(0)), [("ada".into(), "0".to_owned())]);
        assert!(loans.holder("0", at(0)).is_none(), "it would have ended first");
        assert!(loans.holder("1", at(1_000)).is_some() && loans.holder("1", at(1_001)).is_none());
        assert_eq!(loans.lend(&loan("newer", 9_000_000), "r", at(1_500)), []);
        assert_eq!(loans.0.len(), MAX_LOANS - 501 + 2);
        assert_eq!(loans.credentials("new", at(0)), Some(&ha1("new", "r", "pass")));
        assert_eq!(loans.end("new"), Some("ada".into()));
        assert!(loans.credentials("new", at(0)).is_none() && loans.end("new").is_none());
        assert_eq!(loans.lend(&loan("newer", 1), "r", at(0)), [], "the same agent's");
        let to_bob = Loan { agent: "bob".into(), ..loan("newer", 1) };
        assert_eq!(loans.lend(&to_bob, "r", at(0)), [("ada".into(), "newer".to_owned())]);
    }
}
