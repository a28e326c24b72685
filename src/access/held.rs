//! What a user holds: the rights of the role, those granted beside it, and for which queues.

use std::collections::BTreeSet;

use crate::ids::QueueId;
use crate::settings::{CustomRole, User};

use super::{Right, rights};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    rights: BTreeSet<Right>,
    /// `None`: for all queues.
    queues: Option<BTreeSet<QueueId>>,
}

impl Held {
    /// Of a user; `custom`: the role of one's own that the user names, if it exists. A user whose role does not exist
    /// any more holds what was granted, and no more.
    #[must_use]
    pub fn of(user: &User, custom: Option<&CustomRole>) -> Self {
        let of_role: &[Right] = match (&user.custom_role, custom) {
            (None, _) => rights(user.role),
            (Some(_), Some(role)) => &role.rights,
            (Some(_), None) => &[],
        };
        let of_role = of_role.iter().filter(|right| !right.is_special());
        Self {
            rights: of_role.chain(&user.grants).copied().collect(),
            queues: user.only_queues.as_ref().map(|queues| queues.iter().cloned().collect()),
        }
    }

    /// Only those of `scopes`: what a token carries of its maker's rights.
    #[must_use]
    pub fn within(mut self, scopes: &[Right]) -> Self {
        self.rights.retain(|right| scopes.contains(right));
        self
    }

    /// Whether it is among them.
    #[must_use]
    pub fn has(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }

    /// Whether they hold for this queue.
    #[must_use]
    pub fn sees(&self, queue: &QueueId) -> bool {
        self.queues.as_ref().is_none_or(|queues| queues.contains(queue))
    }

    /// The queues they hold for; `None`: all.
    #[must_use]
    pub fn queues(&self) -> Option<&BTreeSet<QueueId>> {
        self.queues.as_ref()
    }

    /// The rights, in the order of [`Right::ALL`].
    pub fn rights(&self) -> impl Iterator<Item = Right> {
        self.rights.iter().copied()
    }
}
