//! The shell of one call in the property test: it does what the call puts out, and holds it to the rules
//! while it does.

mod chance;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::consent::{Answered, Basis, Receipt};
use crate::ids::CommitId;
use crate::media::DigitChannel;

/// How often something happened.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) conversations: u32,
    pub(super) takes: u32,
    pub(super) overrides: u32,
    pub(super) transfers: u32,
    pub(super) withdrawals: u32,
    pub(super) failed_units: u32,
    pub(super) missed: u32,
    pub(super) quiet: u32,
    pub(super) handed_over: u32,
    pub(super) returned: u32,
    pub(super) consulted: u32,
    pub(super) conferences: u32,
    pub(super) replaced: u32,
    pub(super) outside: u32,
    pub(super) referred: u32,
}

impl Seen {
    pub(super) fn add(&mut self, other: &Self) {
        self.conversations += other.conversations;
        self.takes += other.takes;
        self.overrides += other.overrides;
        self.transfers += other.transfers;
        self.withdrawals += other.withdrawals;
        self.failed_units += other.failed_units;
        self.missed += other.missed;
        self.quiet += other.quiet;
        self.handed_over += other.handed_over;
        self.returned += other.returned;
        self.consulted += other.consulted;
        self.conferences += other.conferences;
        self.replaced += other.replaced;
        self.outside += other.outside;
        self.referred += other.referred;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leg {
    Ringing,
    /// Called in for a consultation, not answered yet.
    Calling,
    Answered,
    Gone,
}

/// How a leg came into the call.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Came {
    First,
    Dialled(Option<AgentId>),
    Admitted,
}

/// The vault's side of a take.
#[derive(Debug, PartialEq, Eq)]
enum Tape {
    None,
    Arming(TakeId, Basis),
    Armed(TakeId, Basis),
    Running { take: TakeId, basis: Basis, quiet: bool },
}

pub(super) struct Shell {
    pub(super) call: Call,
    pub(super) ended: bool,
    pub(super) seen: Seen,
    legs: BTreeMap<LegId, (Leg, Came)>,
    plays: BTreeMap<LegId, (PlayId, Prompt)>,
    units: Vec<(CommitId, Vec<Fact>)>,
    stored: Vec<Fact>,
    tape: Tape,
    /// Who hear each other.
    together: Vec<LegId>,
    /// Who were ever together with the caller.
    met: BTreeSet<LegId>,
    /// Which legs are recorded.
    taped: Option<(LegId, LegId)>,
    holds: BTreeSet<LegId>,
    paused: bool,
    withdrawn: bool,
    /// The caller pressed the key for yes when it could count.
    said_yes: bool,
    queued: bool,
    /// The name of the last wait.
    wait: Timestamp,
    busy: BTreeSet<AgentId>,
    /// Who came by taking a leg's place: the queue did not send them.
    picked: BTreeSet<AgentId>,
    /// Claims without an answer.
    claims: Vec<AgentId>,
}

impl Shell {
    pub(super) fn new(arrival: Arrival, now: Timestamp) -> Self {
        let caller = LegId::caller(arrival.call);
        Self {
            call: Call::new(arrival, now),
            ended: false,
            seen: Seen::default(),
            legs: BTreeMap::from([(caller, (Leg::Answered, Came::First))]),
            plays: BTreeMap::new(),
            units: Vec::new(),
            stored: Vec::new(),
            tape: Tape::None,
            together: Vec::new(),
            met: BTreeSet::new(),
            taped: None,
            holds: BTreeSet::new(),
            paused: false,
            withdrawn: false,
            said_yes: false,
            queued: false,
            wait: now,
            busy: BTreeSet::new(),
            picked: BTreeSet::new(),
            claims: Vec::new(),
        }
    }

    /// Notes what an input does to the shell's own things, then hands it to the call.
    pub(super) fn input(&mut self, input: Input, now: Timestamp) {
        match &input {
            Input::LegGone { leg, .. } => {
                if let Some((state, _)) = self.legs.get_mut(leg) {
                    *state = Leg::Gone;
                }
                self.holds.remove(leg);
                self.plays.remove(leg);
            }
            Input::Consult { own: Some(own), .. } => {
                self.legs.insert(*own, (Leg::Calling, Came::Admitted));
            }
            Input::Replaced { new, agent, .. } => {
                self.seen.replaced += 1;
                self.legs.insert(*new, (Leg::Answered, Came::Admitted));
                self.picked.extend(agent.clone());
            }
            Input::Overflow { since, .. } if *since == self.wait => self.queued = false,
            Input::Claimed { agent, .. } => {
                let at = self.claims.iter().position(|claim| claim == agent).expect("was claimed");
                self.claims.remove(at);
            }
            Input::AgentAnswered { leg } => {
                if let Some((state @ Leg::Ringing, _)) = self.legs.get_mut(leg) {
                    *state = Leg::Answered;
                }
            }
            Input::PromptDone { play } => self.plays.retain(|_, (playing, _)| playing != play),
            Input::Digit { leg, digit, .. } => {
                let caller = *leg == self.call.caller() && *digit == key('1');
                self.said_yes |= caller && self.call.phase() == Phase::Asking;
            }
            Input::Committed(receipt) => {
                let facts = self.take_unit(receipt.commit());
                self.stored.extend(facts);
            }
            Input::CommitFailed(commit) => {
                self.seen.failed_units += 1;
                self.take_unit(*commit);
            }
            Input::RecordingArmed(take) => match std::mem::replace(&mut self.tape, Tape::None) {
                Tape::Arming(id, basis) if id == *take => self.tape = Tape::Armed(id, basis),
                other => self.tape = other,
            },
            Input::RecordingFailed(take) if self.open_take() == Some(*take) => self.tape = Tape::None,
            Input::Hold { leg, on } if self.alive(*leg) => {
                if *on {
                    self.holds.insert(*leg)
                } else {
                    self.holds.remove(leg)
                };
            }
            _ => {}
        }
        self.call.handle(input, now);
    }

    pub(super) fn timeout(&mut self, now: Timestamp) {
        self.call.handle_timeout(now);
    }

    fn take_unit(&mut self, commit: CommitId) -> Vec<Fact> {
        match self.units.iter().position(|(id, _)| *id == commit) {
            Some(at) => self.units.remove(at).1,
            None => Vec::new(),
        }
    }

    fn open_take(&self) -> Option<TakeId> {
        match &self.tape {
            Tape::None => None,
            Tape::Arming(take, _) | Tape::Armed(take, _) | Tape::Running { take, .. } => Some(*take),
        }
    }

    /// Does what the call has put out; gives back what the desk is told.
    pub(super) fn drain(&mut self) -> Vec<queue::Input> {
        let mut to_desk = Vec::new();
        while let Some(output) = self.call.poll_output() {
            assert!(!self.ended, "{output:?} after the end");
            self.follow(output, &mut to_desk);
        }
        if !self.ended {
            self.check_audio();
        }
        to_desk
    }

    /// Who hears whom, who hears music, and what is recorded of it.
    fn check_audio(&self) {
        let (caller, phase) = (self.call.caller(), self.call.phase());
        let met = self.together.contains(&caller);
        match phase {
            Phase::Talking => assert!(met && self.together.len() == 2),
            Phase::Conference => assert!(met && self.together.len() == 3),
            Phase::Consulting => assert!(!met && matches!(self.together.len(), 0 | 2)),
            _ => assert!(self.together.is_empty(), "{phase:?} with {:?}", self.together),
        }
        assert!(self.together.iter().all(|leg| self.alive(*leg)), "connected with nobody");
        let hears = met || self.plays.contains_key(&caller);
        assert!(
            hears || matches!(phase, Phase::Answering | Phase::Asking),
            "a caller in dead air: {phase:?}"
        );
        let Tape::Running { quiet, basis, .. } = &self.tape else { return };
        assert!(met, "capturing while the caller is apart");
        let (left, right) = self.taped.expect("started");
        assert!(left == caller && right != caller && self.together.contains(&right), "the wrong legs");
        let away = self.holds.contains(&caller) || (phase == Phase::Talking && self.holds.contains(&right));
        assert_eq!(*quiet, self.paused || away, "sound when silence was due, or the reverse");
        if let Basis::Override { agent, .. } = basis {
            assert_eq!(self.call.agent(), Some(agent), "an override outlived its agent");
        }
    }

    fn follow(&mut self, output: Output, to_desk: &mut Vec<queue::Input>) {
        let call = self.call.id();
        match output {
            Output::Answer => {}
            Output::Play { leg, play, prompt } => {
                assert!(self.alive(leg), "playing to a leg that is gone");
                self.plays.insert(leg, (play, prompt));
            }
            Output::StopPlay { leg } => drop(self.plays.remove(&leg)),
            Output::Commit(id, facts) => {
                assert!(!facts.is_empty());
                for fact in &facts {
                    self.fact(fact);
                }
                self.units.push((id, facts));
            }
            Output::Enqueue { queue, priority, only, since } => {
                self.queued = true;
                self.wait = since;
                to_desk.push(queue::Input::Wait { call, queue, priority, only, since });
            }
            Output::Dequeue => {
                self.queued = false;
                to_desk.push(queue::Input::Leave { call });
            }
            Output::Dial { leg, to } => {
                assert!(self.alive(self.call.caller()), "ringing for a caller who is gone");
                let agent = match to {
                    Whom::Agent(agent) => Some(agent),
                    Whom::Outside(to) => {
                        self.seen.outside += 1;
                        assert!(!to.release, "we were to leave the path");
                        None
                    }
                };
                self.busy.extend(agent.clone());
                let before = self.legs.insert(leg, (Leg::Ringing, Came::Dialled(agent)));
                assert!(before.is_none(), "a leg's number used twice");
            }
            Output::AnswerLeg { leg } => {
                let (state, _) = self.legs.get_mut(&leg).expect("known");
                assert_eq!(*state, Leg::Calling);
                *state = Leg::Answered;
            }
            Output::Claim { agent } => {
                self.claims.push(agent.clone());
                to_desk.push(queue::Input::Claim { call, agent });
            }
            Output::TransferProgress { leg, progress } => {
                assert!(self.alive(leg), "telling {leg}, which is gone");
                self.seen.handed_over += u32::from(progress == Progress::Done);
            }
            Output::Refer { leg, to } => {
                assert!(leg == self.call.caller() && self.alive(leg) && to.release);
                self.seen.referred += 1;
            }
            Output::AgentReport { agent, report } => {
                let strange = self.picked.contains(&agent);
                match report {
                    AgentReport::Ringing => assert!(self.busy.contains(&agent)),
                    AgentReport::Connected => {
                        assert!(self.busy.contains(&agent) || strange);
                        self.busy.insert(agent.clone());
                    }
                    AgentReport::Released => {
                        let claimed = self.claims.contains(&agent);
                        assert!(self.busy.remove(&agent) || claimed || self.queued || strange);
                    }
                    AgentReport::Missed(_) | AgentReport::Finished => {
                        self.seen.missed += u32::from(matches!(report, AgentReport::Missed(_)));
                        assert!(self.busy.remove(&agent) || strange, "{agent} is given back twice");
                    }
                }
                to_desk.push(queue::Input::Report { call, agent, report });
            }
            Output::Bridge { caller, agent } => self.connect(vec![caller, agent]),
            Output::Join { legs } => {
                self.seen.conferences += 1;
                self.connect(legs);
            }
            Output::Unbridge => {
                assert!(!self.together.is_empty(), "nobody to take apart");
                self.together.clear();
            }
            Output::Hangup { leg, .. } => {
                assert!(self.alive(leg), "hanging up {leg}, which is gone");
                assert!(!self.together.contains(&leg), "the legs are taken apart first");
                if let Some((state, _)) = self.legs.get_mut(&leg) {
                    *state = Leg::Gone;
                }
                self.holds.remove(&leg);
                self.plays.remove(&leg);
            }
            Output::ArmRecording { take, grant } => self.arm(take, grant),
            Output::StartRecording { caller, agent } => self.start(caller, agent),
            Output::PauseRecording | Output::ResumeRecording => {
                let pause = matches!(output, Output::PauseRecording);
                let Tape::Running { quiet, .. } = &mut self.tape else {
                    panic!("nothing to pause or resume")
                };
                assert_ne!(*quiet, pause);
                *quiet = pause;
                self.seen.quiet += u32::from(pause);
            }
            Output::StopRecording { destroy } => {
                assert!(destroy || self.open_take().is_some(), "nothing to stop");
                self.tape = Tape::None;
            }
            Output::Ended => {
                self.ended = true;
                // The shell sees the last units through.
                for (_, facts) in std::mem::take(&mut self.units) {
                    self.stored.extend(facts);
                }
            }
        }
    }

    fn connect(&mut self, legs: Vec<LegId>) {
        assert!(self.together.is_empty(), "two bridges at once");
        for leg in &legs {
            assert_eq!(self.legs[leg].0, Leg::Answered, "bridging {leg}");
        }
        if legs.contains(&self.call.caller()) {
            self.seen.conversations += 1;
            self.met.extend(legs.iter().copied().filter(|leg| *leg != self.call.caller()));
        }
        self.together = legs;
    }

    fn fact(&mut self, fact: &Fact) {
        match fact {
            Fact::Paused { on, .. } => self.paused = *on,
            Fact::ConsentWithdrawn { .. } => {
                self.seen.withdrawals += 1;
                self.withdrawn = true;
                assert!(self.open_take().is_none(), "still open after the withdrawal");
            }
            Fact::Transferred { .. } => self.seen.transfers += 1,
            Fact::Consulted { .. } => self.seen.consulted += 1,
            Fact::Returned { .. } => self.seen.returned += 1,
            Fact::Overridden { reason, .. } => assert!(!reason.text.0.trim().is_empty()),
            _ => {}
        }
    }

    /// The heart of it: what is allowed to be recorded, and is it stored?
    fn arm(&mut self, take: TakeId, grant: crate::consent::Grant) {
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

    fn start(&mut self, caller: LegId, agent: LegId) {
        for leg in [caller, agent] {
            assert_eq!(self.legs[&leg].0, Leg::Answered, "recording {leg}");
        }
        match std::mem::replace(&mut self.tape, Tape::None) {
            Tape::Armed(take, basis) => self.tape = Tape::Running { take, basis, quiet: false },
            other => panic!("started with {other:?}"),
        }
        self.taped = Some((caller, agent));
        self.seen.takes += 1;
    }

    fn alive(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|(state, _)| *state != Leg::Gone)
    }

    pub(super) fn has_leg_to(&self, name: &str) -> bool {
        self.legs.values().any(|(state, came)| {
            *state != Leg::Gone && matches!(came, Came::Dialled(Some(agent)) if agent.0 == name)
        })
    }

    /// What must be true of a call that is over.
    pub(super) fn check_ended(&self) {
        assert!(self.legs.values().all(|(state, _)| *state == Leg::Gone), "a leg is left: {:?}", self.legs);
        assert_eq!(self.tape, Tape::None, "a take is left");
        assert!(self.together.is_empty() && !self.queued, "a bridge or a place is left");
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
            let ends = |f: &&Fact| matches!(f, Fact::LegEnded { leg: ended, .. } if ended == leg);
            assert_eq!(self.stored.iter().filter(ends).count(), 1, "{leg} ends once");
            let dials = |f: &&Fact| matches!(f, Fact::Dialled { leg: dialled, .. } if dialled == leg);
            assert_eq!(
                self.stored.iter().filter(dials).count(),
                usize::from(matches!(came, Came::Dialled(_))),
                "{leg}"
            );
            let comes = |f: &&Fact| matches!(f, Fact::Admitted { leg: admitted, .. } if admitted == leg);
            assert_eq!(
                self.stored.iter().filter(comes).count(),
                usize::from(*came == Came::Admitted),
                "{leg}"
            );
            let meets = |f: &Fact| matches!(f, Fact::Connected { leg: connected, .. } if connected == leg);
            assert!(!self.met.contains(leg) || self.stored.iter().any(meets), "{leg} met the caller unseen");
        }
    }
}
