//! What is shown of a call: a snapshot, to be compared with the last one and published when it differs.

use crate::consent::{Basis, Policy};
use crate::ids::{AgentId, LegId, PhoneNumber, QueueId};
use crate::time::Timestamp;

use super::roles::Role;
use super::state::{Party, Pause, State, Who};
use super::{Call, Phase, RecordingState, Supervision};

/// A call at one moment. Its `Debug` shows no number and no free text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Where the call is.
    pub phase: Phase,
    /// When it came.
    pub arrived_at: Timestamp,
    /// The queue the caller waits in or was connected from.
    pub queue: QueueId,
    /// The queue whose recording settings follow the call (domain rule 4).
    pub first_queue: QueueId,
    /// The caller's number; `None`: withheld.
    pub caller: Option<PhoneNumber>,
    /// Since when the place in the queue counts, while the caller waits.
    pub waiting_since: Option<Timestamp>,
    /// Since when the conversation with this agent goes on; it outlasts a consultation, a failed transfer and a
    /// lost phone.
    pub connected_at: Option<Timestamp>,
    /// Everybody but the caller; an agent's second line is not told apart.
    pub parties: Vec<PartyView>,
    /// What the caller said to being recorded.
    pub consent: ConsentView,
    /// The lamp.
    pub recording: RecordingView,
}

/// Somebody in the call who is not the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyView {
    /// The leg.
    pub leg: LegId,
    /// Who.
    pub who: PartyWho,
    /// How they take part.
    pub state: PartyState,
}

/// Who somebody in a call is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartyWho {
    /// An agent.
    Agent(AgentId),
    /// Somebody outside; the number is unknown of one who took another's place.
    Outside(Option<PhoneNumber>),
    /// A supervisor, by the user's name.
    Supervisor(String),
}

/// How somebody takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartyState {
    /// The phone is called.
    Dialled,
    /// It rings, or has answered and is about to be connected.
    Ringing,
    /// With the caller.
    Talking,
    /// Of the conversation, but the caller hears music: the line is held, somebody is asked, or the caller is on
    /// the way to somebody else.
    Holding,
    /// Was asked by the agent and speaks with them.
    Consulted,
    /// The phone is gone; it is waited for.
    Lost,
    /// A supervisor who is heard by nobody.
    Listening,
    /// A supervisor who is heard by the agent.
    Whispering,
    /// A supervisor who is heard by all.
    Barged,
}

/// How it stands with the caller's consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsentView {
    /// How.
    pub state: ConsentState,
    /// Since when; `None` while undecided or not needed.
    pub at: Option<Timestamp>,
}

/// See [`ConsentView::state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConsentState {
    /// Not asked, not answered yet, or the answer could not be stored.
    Undecided,
    /// Yes, in this call or an earlier one.
    Given,
    /// No.
    Refused,
    /// Taken back.
    Withdrawn,
    /// The first queue does not ask.
    NotNeeded,
}

/// The recording as an agent's lamp shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingView {
    /// On or off.
    pub state: Lamp,
    /// Why; `None` while undecided.
    pub basis: Option<Basis>,
    /// When that was decided.
    pub since: Option<Timestamp>,
    /// Since when it is paused by a press; a hold's silence is none.
    pub paused_at: Option<Timestamp>,
    /// When such a pause ends by itself.
    pub resumes_at: Option<Timestamp>,
    /// What the agent in conversation may do now.
    pub can: Vec<Act>,
}

/// See [`RecordingView::state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lamp {
    /// Nothing is captured.
    Off,
    /// Key and row are being made, or are ready for the conversation.
    Starting,
    /// Sound is captured.
    Recording,
    /// Silence is captured: a pause or a hold.
    Paused,
    /// Allowed, but it could not be made or broke.
    Failed,
}

/// See [`RecordingView::can`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Pause.
    Pause,
    /// Resume.
    Resume,
    /// Record without consent; a reason must be written.
    Override,
    /// The caller takes the consent back.
    Withdraw,
}

impl Call {
    /// The call as it is shown now. It copies a handful of names: cheap enough for after every input.
    #[must_use]
    pub fn view(&self) -> View {
        let waiting_since = match &self.state {
            State::Waiting(wait) | State::Offering(wait, _) | State::Joining(wait, _) => Some(wait.since),
            State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Talking(_)
            | State::Transferring(_)
            | State::Consulting(_)
            | State::Conference(_)
            | State::Lost(_)
            | State::Over => None,
        };
        View {
            phase: self.phase(),
            arrived_at: self.since,
            queue: self.queue().clone(),
            first_queue: self.arrival.queue_id.clone(),
            caller: self.arrival.from.clone(),
            waiting_since,
            connected_at: self.talk().map(|talk| talk.since),
            parties: self.view_parties(),
            consent: self.view_consent(),
            recording: self.view_recording(),
        }
    }

    fn view_parties(&self) -> Vec<PartyView> {
        let parties = self.parties().into_iter().map(|(role, party)| PartyView {
            leg: party.leg,
            who: PartyWho::of(party),
            state: self.state_of(role, party.leg),
        });
        let supervisors = self.talk().into_iter().flat_map(|talk| &talk.supervisors);
        let supervisors = supervisors.map(|supervisor| PartyView {
            leg: supervisor.leg,
            who: PartyWho::Supervisor(supervisor.by.clone()),
            state: match supervisor.mode {
                Supervision::Listen => PartyState::Listening,
                Supervision::Whisper => PartyState::Whispering,
                Supervision::Barge => PartyState::Barged,
            },
        });
        parties.chain(supervisors).collect()
    }

    fn state_of(&self, role: Role, leg: LegId) -> PartyState {
        match role {
            Role::Ringing | Role::Anew if self.alerting.contains(&leg) => PartyState::Ringing,
            Role::Ringing | Role::Anew => PartyState::Dialled,
            Role::Answered => PartyState::Ringing,
            Role::Consulted => PartyState::Consulted,
            Role::Own | Role::Third if self.holding.contains(&leg) => PartyState::Holding,
            Role::Third => PartyState::Talking,
            Role::Own => match self.phase() {
                Phase::Lost => PartyState::Lost,
                Phase::Transferring | Phase::Consulting => PartyState::Holding,
                Phase::Talking
                | Phase::Conference
                | Phase::Answering
                | Phase::Welcome
                | Phase::Asking
                | Phase::Waiting
                | Phase::Ringing
                | Phase::Joining
                | Phase::Over => PartyState::Talking,
            },
            // No parties: the walk names none of them.
            Role::Caller | Role::Calling | Role::Second | Role::Supervisor => PartyState::Talking,
        }
    }

    fn view_consent(&self) -> ConsentView {
        let asks = matches!(self.arrival.queue.recording, Policy::Consent(_));
        let (state, at) = match self.standing.basis() {
            _ if !asks => (ConsentState::NotNeeded, None),
            Some(Basis::Agreed(at) | Basis::AgreedEarlier(at)) => (ConsentState::Given, Some(*at)),
            Some(Basis::Refused(_)) => (ConsentState::Refused, self.decided_at),
            Some(Basis::RefusedEarlier(at)) => (ConsentState::Refused, Some(*at)),
            Some(Basis::Withdrawn(at)) => (ConsentState::Withdrawn, Some(*at)),
            // A policy that asks is decided by an answer, unless that could not be stored.
            Some(Basis::Never | Basis::Legal(_) | Basis::Override { .. } | Basis::NotStored) | None => {
                (ConsentState::Undecided, None)
            }
        };
        ConsentView { state, at }
    }

    fn view_recording(&self) -> RecordingView {
        let (state, basis) = match self.recording_state() {
            // Who asked for an override is told that there is none.
            RecordingState::Off(_) if self.talk().is_some_and(|talk| talk.overriding.has_failed()) => {
                (Lamp::Off, Some(&Basis::NotStored))
            }
            RecordingState::Off(basis) => (Lamp::Off, basis),
            RecordingState::Armed(basis) => (Lamp::Starting, Some(basis)),
            RecordingState::Recording(basis) => (Lamp::Recording, Some(basis)),
            RecordingState::Paused(basis) => (Lamp::Paused, Some(basis)),
            RecordingState::Failed(basis) => (Lamp::Failed, Some(basis)),
        };
        let talk = self.talk();
        let since = match basis {
            Some(Basis::Override { .. }) => talk.and_then(|talk| talk.overriding.since()),
            Some(
                Basis::Never
                | Basis::Legal(_)
                | Basis::Agreed(_)
                | Basis::AgreedEarlier(_)
                | Basis::Refused(_)
                | Basis::RefusedEarlier(_)
                | Basis::Withdrawn(_)
                | Basis::NotStored,
            )
            | None => self.decided_at,
        };
        let (paused_at, resumes_at) = match talk.map(|talk| talk.pause) {
            Some(Pause::Yes { since, until }) => (Some(since), until),
            Some(Pause::No) | None => (None, None),
        };
        RecordingView { state, basis: basis.cloned(), since, paused_at, resumes_at, can: self.acts() }
    }

    /// What the agent in conversation may do with the recording.
    fn acts(&self) -> Vec<Act> {
        let Some(agent) = self.talk().and_then(|talk| talk.party.agent()) else { return Vec::new() };
        let acts = [
            (Act::Pause, self.may_pause(agent).is_ok()),
            (Act::Resume, self.may_resume(agent).is_ok()),
            (Act::Override, self.could_override(agent).is_ok()),
            (Act::Withdraw, self.may_withdraw().is_ok()),
        ];
        acts.into_iter().filter_map(|(act, may)| may.then_some(act)).collect()
    }
}

impl PartyWho {
    fn of(party: &Party) -> Self {
        match &party.who {
            Who::Agent(agent) => Self::Agent(agent.clone()),
            Who::Outside(number) => Self::Outside(number.clone()),
        }
    }
}
