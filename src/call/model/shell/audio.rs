//! Who hears whom, who hears music, and what is recorded of it.

use super::*;

impl Shell {
    pub(super) fn check_audio(&mut self) {
        let (caller, phase) = (self.call.caller(), self.call.phase());
        let (met, parties) = (self.hears(caller), self.parties());
        match phase {
            Phase::Talking => assert!(met && parties.len() == 2),
            Phase::Conference => assert!(met && parties.len() == 3),
            Phase::Consulting => assert!(!met && matches!(parties.len(), 0 | 2)),
            Phase::Lost => {
                assert!(parties.is_empty() || met && parties.len() == 2);
                self.seen.paused_while_lost += u32::from(self.paused);
            }
            _ => assert!(self.seats.is_empty(), "{phase:?} with {:?}", self.seats),
        }
        assert!(self.seats.iter().all(|seat| self.alive(self.leg(seat.leg))), "connected with nobody");
        let hears = met || self.plays.contains_key(&caller);
        assert!(
            hears || matches!(phase, Phase::Answering | Phase::Asking),
            "a caller in dead air: {phase:?}"
        );
        self.check_supervisors();
        let Tape::Running { quiet, basis, .. } = &self.tape else { return };
        assert!(met, "capturing while the caller is apart");
        let (left, right) = self.taped.expect("started");
        assert!(left == caller && right != caller && self.hears(right), "the wrong legs");
        assert!(!self.supervises(right), "a supervisor is recorded as the agent");
        let two = matches!(phase, Phase::Talking | Phase::Lost);
        let away = self.holds.contains(&caller) || (two && self.holds.contains(&right));
        assert_eq!(*quiet, self.paused || away, "sound when silence was due, or the reverse");
        if let Basis::Override { agent, .. } = basis {
            assert_eq!(self.call.agent(), Some(agent), "an override outlived its agent");
            assert_ne!(phase, Phase::Lost, "an override without its agent");
        }
    }

    /// Each hears the conversation, and only that, when caller and agent are together and it is stored.
    fn check_supervisors(&self) {
        let talk = self.call.talk();
        let known = talk.map_or(0, |talk| talk.supervisors.len());
        assert!(known <= MAX_SUPERVISORS);
        let alive = self.legs.keys().filter(|leg| self.alive(**leg) && self.supervises(**leg)).count();
        assert_eq!(alive, known, "a supervisor's leg without a conversation, or the reverse");
        let Some(talk) = talk else { return };
        let own = talk.party.leg;
        let together = matches!(self.call.phase(), Phase::Talking | Phase::Conference)
            && ![self.call.caller(), own].iter().any(|leg| self.holds.contains(leg));
        for supervisor in &talk.supervisors {
            let leg = supervisor.leg;
            assert_eq!(self.hears(leg), together && self.stored_listening(leg), "{leg} listens");
        }
    }

    /// Whether it is stored that it takes part, and each change of the way since.
    fn stored_listening(&self, leg: LegId) -> bool {
        let told = |fact: &&Fact| matches!(fact, Fact::Supervised { leg: own, .. } if *own == leg);
        let mut outstanding = self.units.iter().flat_map(|(_, facts)| facts);
        let mut failed = self.failed.iter().filter(told);
        self.stored.iter().any(|fact| told(&fact))
            && outstanding.all(|fact| !told(&fact))
            && failed.all(|fact| self.stored.contains(fact))
    }

    pub(super) fn bridge(&mut self, one: LegId, other: LegId) {
        assert!(self.seats.is_empty(), "two bridges at once");
        self.sit(vec![Seat { leg: one.n, voice: Voice::All }, Seat { leg: other.n, voice: Voice::All }]);
    }

    pub(super) fn join(&mut self, seats: Vec<Seat>) {
        let before = self.parties();
        self.sit(seats);
        if before.is_empty() {
            self.seen.conferences += u32::from(self.parties().len() == 3);
        } else {
            assert_eq!(self.parties(), before, "who speaks with whom changed without a cut");
        }
    }

    fn sit(&mut self, seats: Vec<Seat>) {
        let caller = self.call.caller();
        let with_caller = seats.iter().any(|seat| seat.leg == caller.n);
        let own = self.call.talk().map(|talk| talk.party.leg.n);
        for seat in &seats {
            let leg = self.leg(seat.leg);
            assert_eq!(self.legs[&leg].0, Leg::Answered, "bridging {leg}");
            if !self.supervises(leg) {
                assert_eq!(seat.voice, Voice::All);
                continue;
            }
            assert!(with_caller && self.stored_listening(leg), "{leg} listens to what it may not");
            let voice = match self.modes[&leg] {
                Supervision::Listen => (Voice::Nobody, &mut self.seen.listened),
                Supervision::Whisper => (Voice::Only(own.expect("an agent")), &mut self.seen.whispered),
                Supervision::Barge => (Voice::All, &mut self.seen.barged),
            };
            assert_eq!(seat.voice, voice.0);
            *voice.1 += 1;
        }
        self.seats = seats;
        if with_caller {
            self.seen.conversations += 1;
            self.met.extend(self.parties().into_iter().filter(|leg| *leg != caller));
        }
    }

    /// Who speaks with whom, supervisors left out.
    fn parties(&self) -> Vec<LegId> {
        let legs = self.seats.iter().map(|seat| self.leg(seat.leg));
        legs.filter(|leg| !self.supervises(*leg)).collect()
    }

    pub(super) fn hears(&self, leg: LegId) -> bool {
        self.seats.iter().any(|seat| seat.leg == leg.n)
    }

    fn supervises(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|(_, came)| *came == Came::Supervises)
    }

    fn leg(&self, n: u16) -> LegId {
        LegId { call: self.call.id(), n }
    }

    /// The heart of it: what is allowed to be recorded, and is it stored?
    pub(super) fn arm(&mut self, take: TakeId, grant: crate::consent::Grant) {
        assert_eq!(grant.call(), self.call.id());
        assert_eq!(self.tape, Tape::None, "two takes at once");
        let basis = grant.basis().clone();
        let decided = |fact: &Fact| matches!(fact, Fact::Decided { basis: stored, .. } if *stored == basis);
        assert!(self.stored.iter().any(decided), "armed on {basis:?}, which is not stored");
        let arrival = self.call.arrival();
        match (&basis, &arrival.queue.recording) {
            (Basis::Legal(legal), Policy::Always(named)) => assert_eq!(legal, named),
            (Basis::Agreed(_), Policy::Consent(_)) => {
                assert!(self.said_yes, "nobody pressed yes");
                assert!(!self.withdrawn, "the consent was taken back");
            }
            (Basis::AgreedEarlier(_), Policy::Consent(script)) => {
                assert!(script.ask == AskRule::WhenUnknown && arrival.from.is_some());
                assert!(arrival.known.is_some_and(|known| known.agreed) && !self.withdrawn);
            }
            (Basis::Override { agent, reason }, _) => {
                assert!(arrival.queue.override_allowed);
                assert!(self.stored.iter().any(|fact| {
                    matches!(fact, Fact::Overridden { agent: by, reason: why, .. } if by == agent && why == reason)
                }));
                assert_eq!(self.call.agent(), Some(agent));
                self.seen.overrides += 1;
            }
            (basis, policy) => panic!("armed on {basis:?} under {policy:?}"),
        }
        self.tape = Tape::Arming(take, basis);
    }

    pub(super) fn start(&mut self, caller: LegId, agent: LegId, quiet: bool) {
        for leg in [caller, agent] {
            assert_eq!(self.legs[&leg].0, Leg::Answered, "recording {leg}");
        }
        match std::mem::replace(&mut self.tape, Tape::None) {
            Tape::Armed(take, basis) => self.tape = Tape::Running { take, basis, quiet },
            other => panic!("started with {other:?}"),
        }
        self.taped = Some((caller, agent));
        self.seen.takes += 1;
        self.seen.quiet += u32::from(quiet);
    }
}
