//! What must be true of a call that is over.

use super::*;

impl Shell {
    /// What must be true of a call that is over.
    pub(in crate::call::model) fn check_ended(&self) {
        assert!(self.legs.values().all(|(state, _)| *state == Leg::Gone), "a leg is left: {:?}", self.legs);
        assert_eq!(self.tape, Tape::None, "a take is left");
        assert!(self.seats.is_empty() && !self.queued, "a bridge or a place is left");
        assert!(self.busy.is_empty(), "agents are stuck: {:?}", self.busy);
        assert_eq!(self.call.poll_timeout(), None, "a timer is left");
        assert_eq!(self.call.phase(), Phase::Over);
        let count = |found: fn(&Fact) -> bool| self.stored.iter().filter(|fact| found(fact)).count();
        assert_eq!(count(|f| matches!(f, Fact::Arrived { .. })), 1);
        assert_eq!(count(|f| matches!(f, Fact::Ended { .. })), 1);
        let decisions = 1
            + count(|f| matches!(f, Fact::Overridden { .. }))
            + count(|f| matches!(f, Fact::ConsentWithdrawn { .. }));
        assert_eq!(count(|f| matches!(f, Fact::Decided { .. })), decisions, "one row for each decision");
        assert!(count(|f| matches!(f, Fact::ConsentWithdrawn { .. })) <= 1);
        let answers: Vec<&Answered> = self
            .stored
            .iter()
            .filter_map(
                |f| if let Fact::ConsentAnswered { answered, .. } = f { Some(answered) } else { None },
            )
            .collect();
        assert!(answers.len() <= 1);
        assert!(answers.iter().all(|answered| !answered.answer.agreed() || self.said_yes));
        for (leg, (_, came)) in &self.legs {
            self.check_leg(*leg, came);
        }
    }

    /// A leg comes once and ends once, as the facts tell it; one that the call would not know leaves none.
    fn check_leg(&self, leg: LegId, came: &Came) {
        let count = |found: &dyn Fn(&Fact) -> bool| self.stored.iter().filter(|fact| found(fact)).count();
        let ends = count(&|f| matches!(f, Fact::LegEnded { leg: ended, .. } if *ended == leg));
        let dials = count(&|f| matches!(f, Fact::Dialled { leg: dialled, .. } if *dialled == leg));
        let comes = count(&|f| matches!(f, Fact::Admitted { leg: admitted, .. } if *admitted == leg));
        let begins = count(&|f| matches!(f, Fact::Supervised { leg: own, was: None, .. } if *own == leg));
        let stops = count(&|f| matches!(f, Fact::SuperviseEnded { leg: own, .. } if *own == leg));
        let facts = (dials, comes, begins, stops);
        match came {
            Came::First => assert_eq!((ends, facts), (1, (0, 0, 0, 0)), "{leg}"),
            Came::Dialled(_) => assert_eq!((ends, facts), (1, (1, 0, 0, 0)), "{leg}"),
            Came::Admitted => assert_eq!((ends, facts), (1, (0, 1, 0, 0)), "{leg}"),
            Came::Anew(_) => assert!(ends <= 1 && facts == (ends, 0, 0, 0), "{leg}"),
            Came::Supervises => assert!(ends <= 1 && facts == (0, 0, ends, ends), "{leg}"),
        }
        let meets = |f: &Fact| matches!(f, Fact::Connected { leg: connected, .. } if *connected == leg);
        assert!(!self.met.contains(&leg) || self.stored.iter().any(meets), "{leg} met the caller unseen");
    }
}
