//! The number plan: where a user part that was dialled leads. Agents and queues by name, numbers set
//! here to their queue, any other number by the trunk whose prefix fits best.

use crate::ids::{AgentId, PhoneNumber, QueueId, TrunkId};

use super::Settings;

/// Where what was dialled leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// To an agent of this name.
    Agent(AgentId),
    /// To a queue, by its name or by a number that leads to it.
    Queue(QueueId),
    /// To the outside.
    Outside {
        /// By this trunk.
        trunk: TrunkId,
        /// To this number.
        number: PhoneNumber,
    },
}

impl Settings {
    /// Where `dialled` (a Request-URI's or Refer-To's user part) leads; `None`: nowhere. An agent's
    /// name goes before a queue's, a number set here before the outside.
    #[must_use]
    pub fn way(&self, dialled: &str) -> Option<Way> {
        if self.agents.contains_key(&dialled.into()) {
            return Some(Way::Agent(dialled.into()));
        }
        if self.queues.contains_key(&dialled.into()) {
            return Some(Way::Queue(dialled.into()));
        }
        if let Some(number) = self.numbers.get(dialled) {
            return Some(Way::Queue(number.queue.clone()));
        }
        let (trunk, number) = self.outside(dialled)?;
        Some(match self.numbers.get(number.as_e164()) {
            Some(number) => Way::Queue(number.queue.clone()),
            None => Way::Outside { trunk, number },
        })
    }

    /// The trunk with the longest prefix that fits. Each trunk reads a number without `+` as one of its
    /// own region.
    fn outside(&self, dialled: &str) -> Option<(TrunkId, PhoneNumber)> {
        let ways = self.trunks.iter().filter_map(|(id, trunk)| {
            let outbound = trunk.outbound.as_ref()?;
            let number = PhoneNumber::parse(dialled, trunk.region.as_deref())?;
            let fits = outbound.prefixes.iter().filter(|prefix| number.as_e164().starts_with(*prefix));
            let longest = fits.map(String::len).max()?;
            Some((longest, id.clone(), number))
        });
        ways.max_by_key(|(longest, ..)| *longest).map(|(_, id, number)| (id, number))
    }
}
