//! Overload: what is refused when there is more to do than can be done. Established calls come first: requests
//! inside a dialog, ACK, BYE and CANCEL are always served, and the tables keep room for them.

use super::endpoint::Endpoint;
use super::io::Source;
use super::respond::Inbound;
use super::wire::HeaderName;

/// How hard it is to keep up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// All is well.
    #[default]
    None,
    /// New calls are refused, those of agents excepted: they may consult somebody in a call.
    High,
    /// New calls and new registrations are refused.
    Critical,
}

/// Of each bound so many hundredths are for new calls; the rest is for those that are there: their agents' legs,
/// transfers, re-INVITEs and BYEs.
const FOR_CALLS: usize = 90;
/// And so many for new registrations.
const FOR_REGISTRATIONS: usize = 97;
/// Outputs that may wait to be taken. The shell takes them after each batch, so more means that it cannot.
const MAX_OUTPUTS: usize = 20_000;

/// Retry-After lies between these, in seconds: spread, so that those refused at once do not come back at
/// once. A carrier sends us nothing meanwhile (RFC 3261 §21.5.4), so not for long.
pub(super) const RETRY: std::ops::RangeInclusive<u32> = 5..=15;

impl Endpoint {
    /// What the user knows of its own load; in force until it says otherwise.
    pub fn pressure(&mut self, level: Pressure) {
        self.told_pressure = level;
    }

    /// Whether a new call can be taken; an agent's may be for the call it is in. `false`: it was answered
    /// 503.
    pub(super) fn has_room_for_call(&mut self, inbound: &Inbound, source: &Source) -> bool {
        let limit = match source {
            Source::Trunk(_) => Pressure::High,
            Source::Agent(_) => Pressure::Critical,
        };
        self.current_pressure() < limit || self.come_back(inbound)
    }

    /// Whether a new registration can be taken. `false`: it was answered 503.
    pub(super) fn has_room_for_registration(&mut self, inbound: &Inbound) -> bool {
        self.current_pressure() < Pressure::Critical || self.come_back(inbound)
    }

    fn current_pressure(&self) -> Pressure {
        let (_, servers) = self.tx.len();
        let bounds = [
            (self.legs.len(), self.config.max_dialogs),
            (servers, self.config.max_transactions),
            (self.waiting_outputs(), MAX_OUTPUTS),
        ];
        bounds.into_iter().map(|(is, most)| of_table(is, most)).fold(self.told_pressure, Pressure::max)
    }

    fn come_back(&mut self, inbound: &Inbound) -> bool {
        self.gate.guard.refused.overload += 1;
        let after = self.retry_after(&inbound.head.call_id);
        self.refuse(inbound, 503, &[(HeaderName::RetryAfter, &after)]);
        false
    }

    /// A Retry-After for this Call-ID.
    pub(super) fn retry_after(&self, call_id: &[u8]) -> String {
        self.mint.spread(call_id, RETRY).to_string()
    }
}

fn of_table(is: usize, most: usize) -> Pressure {
    let filled = |hundredths: usize| is * 100 >= most.saturating_mul(hundredths);
    match (filled(FOR_CALLS), filled(FOR_REGISTRATIONS)) {
        (_, true) => Pressure::Critical,
        (true, false) => Pressure::High,
        (false, false) => Pressure::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_tenth_is_for_those_that_are_there() {
        assert_eq!(of_table(8_999, 10_000), Pressure::None);
        assert_eq!(of_table(9_000, 10_000), Pressure::High);
        assert_eq!(of_table(9_700, 10_000), Pressure::Critical);
        assert_eq!(of_table(1, 2), Pressure::None, "small tables are filled");
        assert_eq!(of_table(0, 0), Pressure::Critical);
    }
}
