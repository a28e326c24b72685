//! The shell of one call in the property test: it does what the call puts out, and holds it to the rules
//! while it does.

mod audio;
mod chance;
mod ended;
mod seen;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::consent::{Answered, Basis, Receipt};
use crate::ids::CommitId;
use crate::media::{DigitChannel, Seat, Voice};

pub(super) use seen::Seen;

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
    /// Dialled by the driver in the place of a lost one.
    Anew(Option<AgentId>),
    /// Dialled by the driver to a supervisor's phone.
    Supervises,
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
    /// What was told and could not be stored; most of it is told once more.
    failed: Vec<Fact>,
    tape: Tape,
    /// Who hears whom.
    seats: Vec<Seat>,
    /// How supervisors were told to take part.
    modes: BTreeMap<LegId, Supervision>,
    /// Who were ever together with the caller.
    met: BTreeSet<LegId>,
    /// Which legs are recorded.
    taped: Option<(LegId, LegId)>,
    holds: BTreeSet<LegId>,
    paused: bool,
    /// The agent whose phone is gone, and whether a pause of that agent was ended meanwhile.
    lost: Option<(AgentId, bool)>,
    /// Whose phone is to be rung anew.
    wanted: Option<AgentId>,
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
            failed: Vec::new(),
            tape: Tape::None,
            seats: Vec::new(),
            modes: BTreeMap::new(),
            met: BTreeSet::new(),
            taped: None,
            holds: BTreeSet::new(),
            paused: false,
            lost: None,
            wanted: None,
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
            Input::Reattach { leg } => {
                let agent = self.wanted.take();
                self.legs.insert(*leg, (Leg::Ringing, Came::Anew(agent)));
            }
            Input::Supervising { by, mode } => {
                if let Some((leg, _)) = self.call.supervisor(by) {
                    self.modes.insert(leg, *mode);
                }
            }
            Input::Supervise { leg, mode, .. } => {
                self.modes.insert(*leg, *mode);
                self.legs.insert(*leg, (Leg::Answered, Came::Supervises));
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
                let facts = self.take_unit(*commit);
                self.failed.extend(facts);
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
                    match self.failed.iter().position(|failed| failed == fact) {
                        Some(at) => drop(self.failed.remove(at)),
                        None => self.fact(fact),
                    }
                }
                self.units.push((id, facts));
            }
            Output::Enqueue { queue, priority, only, since } => {
                self.seen.requeued += u32::from(self.lost.take().is_some());
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
            Output::Bridge { caller, agent } => self.bridge(caller, agent),
            Output::Join { seats } => self.join(seats),
            Output::Unbridge => {
                assert!(!self.seats.is_empty(), "nobody to take apart");
                self.seats.clear();
            }
            Output::Reattach { agent, lost } => {
                assert_eq!(self.call.agent(), Some(&agent));
                assert!(self.call.phase() == Phase::Lost && self.legs.contains_key(&lost));
                self.wanted = Some(agent);
            }
            Output::Hangup { leg, .. } => {
                assert!(self.alive(leg), "hanging up {leg}, which is gone");
                assert!(!self.hears(leg), "the legs are taken apart first");
                if let Some((state, _)) = self.legs.get_mut(&leg) {
                    *state = Leg::Gone;
                }
                self.holds.remove(&leg);
                self.plays.remove(&leg);
            }
            Output::ArmRecording { take, grant } => self.arm(take, grant),
            Output::StartRecording { caller, agent, quiet } => self.start(caller, agent, quiet),
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

    fn fact(&mut self, fact: &Fact) {
        match fact {
            Fact::Paused { agent, on, .. } => {
                self.paused = *on;
                if let Some((lost, dropped)) = &mut self.lost {
                    *dropped |= !on && agent.as_ref() == Some(lost);
                }
            }
            Fact::Lost { agent, .. } => {
                self.seen.lost += 1;
                self.lost = Some((agent.clone(), false));
            }
            Fact::Reattached { agent, .. } => {
                self.seen.reattached += 1;
                assert_eq!(self.lost.take(), Some((agent.clone(), false)), "a pause was lost with the phone");
            }
            Fact::Supervised { .. } => self.seen.supervised += 1,
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

    fn alive(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|(state, _)| *state != Leg::Gone)
    }

    /// Not one that is rung anew: who has picked up this call while another's rang may be lost and found in it.
    pub(super) fn has_leg_to(&self, name: &str) -> bool {
        self.legs.values().any(|(state, came)| {
            *state != Leg::Gone && matches!(came, Came::Dialled(Some(agent)) if agent.0 == name)
        })
    }
}
