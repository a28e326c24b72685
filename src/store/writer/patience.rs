//! How long units of work may wait for others, so that many share one transaction: those that nobody waits for.

use std::time::Duration;

use crate::call::Fact;
use crate::store::change::Change;
use crate::store::particulars::ParticularsChange;

use super::Job;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Patience {
    /// Those that nobody looks for. With the commit it stays below the quarter of a second that a crash may cost; what
    /// calls said in it is lost then, and the next start ends them.
    pub(super) long: Duration,
    /// Those that somebody may look for: an agent's page asks for the call that rings, or is over.
    pub(super) short: Duration,
}

impl Patience {
    pub(in crate::store) const USUAL: Self =
        Self { long: Duration::from_millis(200), short: Duration::from_millis(25) };

    /// How long a job may wait for others.
    pub(super) fn of(&self, job: &Job) -> Duration {
        match job {
            Job::Commit { changes, awaited: false, .. } => {
                changes.iter().map(|change| self.of_change(change)).min().unwrap_or(Duration::ZERO)
            }
            Job::Commit { awaited: true, .. } | Job::Shred { .. } | Job::Close { .. } => Duration::ZERO,
        }
    }

    /// How long until a step of a call, a page or a person waits for it.
    fn of_change(&self, change: &Change) -> Duration {
        match change {
            Change::LegStats { .. } => self.long,
            // They come many at once; who keeps them waits, and who asks for one waits for that.
            Change::Particulars(ParticularsChange::Ladder { .. }) => self.short,
            Change::Fact(fact) => self.of_fact(fact),
            Change::Recording(_)
            | Change::Job(_)
            | Change::Adopt(_)
            | Change::Kek(_)
            | Change::Report(_)
            | Change::Agent { .. }
            | Change::Settings(..)
            | Change::SettingsSince { .. }
            | Change::Prompt(_)
            | Change::Session(_)
            | Change::Attempts { .. }
            | Change::Note(_)
            | Change::Listened(_)
            | Change::Hold(_)
            | Change::Anonymise(_)
            | Change::Privacy(_)
            | Change::Login(_)
            | Change::Webhook(_)
            | Change::Anchor(_)
            | Change::Particulars(ParticularsChange::Data { .. })
            | Change::ErasePerson { .. }
            | Change::ErasePersonalOf { .. }
            | Change::Node(_)
            | Change::Audit(_) => Duration::ZERO,
        }
    }

    fn of_fact(&self, fact: &Fact) -> Duration {
        match fact {
            Fact::Arrived { .. } | Fact::Queued { .. } | Fact::Ended { .. } => self.long,
            // Of a call that reached nobody; an agent sees the own ones.
            Fact::LegEnded { leg, .. } if leg.n == 0 => self.long,
            Fact::LegEnded { .. } | Fact::Dialled { .. } | Fact::Connected { .. } => self.short,
            // A grant is made of the receipt.
            Fact::Decided { basis, .. } if basis.allows() => Duration::ZERO,
            Fact::Decided { .. } => self.long,
            Fact::ConsentAnswered { .. }
            | Fact::ConsentWithdrawn { .. }
            | Fact::Admitted { .. }
            | Fact::Overridden { .. }
            | Fact::Paused { .. }
            | Fact::RecordingFailed { .. }
            | Fact::Returned { .. }
            | Fact::Consulted { .. }
            | Fact::Transferred { .. }
            | Fact::Lost { .. }
            | Fact::Reattached { .. }
            | Fact::Supervised { .. }
            | Fact::SuperviseEnded { .. } => Duration::ZERO,
        }
    }
}
