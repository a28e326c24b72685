//! A call in the words of the HTTP side.

use crate::api::view;
use crate::audit::{answer_word, category_word};
use crate::call::{self, Act, PartyWho, Phase, View};
use crate::consent::{Basis, LegalBasis};
use crate::ids::{CallId, Redacted};
use crate::settings::Settings;
use crate::time::Timestamp;

/// What is shown of a call; names come from the settings.
pub(super) fn call(id: CallId, view: &View, settings: &Settings) -> view::CallView {
    view::CallView {
        id,
        phase: phase(view.phase),
        arrived_at: view.arrived_at,
        queue: view.queue.clone(),
        first_queue: view.first_queue.clone(),
        caller: view.caller.as_ref().map(|number| Redacted(number.as_e164().to_owned())),
        waiting_since: view.waiting_since,
        connected_at: view.connected_at,
        parties: view.parties.iter().map(|one| party(one, settings)).collect(),
        consent: view::ConsentView { state: consent(view.consent.state), at: view.consent.at },
        recording: recording(&view.recording, view.arrived_at),
    }
}

const fn phase(phase: Phase) -> view::PhaseWord {
    use view::PhaseWord as Word;
    match phase {
        Phase::Answering => Word::Answering,
        Phase::Welcome => Word::Welcome,
        Phase::Asking => Word::Asking,
        Phase::Waiting => Word::Waiting,
        Phase::Ringing => Word::Ringing,
        Phase::Joining => Word::Joining,
        Phase::Talking => Word::Talking,
        Phase::Transferring => Word::Transferring,
        Phase::Consulting => Word::Consulting,
        Phase::Conference => Word::Conference,
        Phase::Lost => Word::Lost,
        Phase::Over => Word::Over,
    }
}

fn party(party: &call::PartyView, settings: &Settings) -> view::PartyView {
    let (kind, id, name) = match &party.who {
        PartyWho::Agent(agent) => {
            let name = settings.agents.get(agent).map(|agent| agent.display_name.clone());
            (view::PartyKind::Agent, agent.0.clone(), name)
        }
        // The number of one who took another's place is not known.
        PartyWho::Outside(number) => {
            let number = number.as_ref().map_or("", |number| number.as_e164()).to_owned();
            (view::PartyKind::Outside, number, None)
        }
        PartyWho::Supervisor(user) => {
            let name = settings.users.get(user).map(|user| user.display_name.clone());
            (view::PartyKind::Supervisor, user.clone(), name)
        }
    };
    let id = Redacted(id);
    let name = name.unwrap_or_else(|| id.clone());
    view::PartyView { leg: party.leg.n, kind, id, name, state: party_state(party.state) }
}

const fn party_state(state: call::PartyState) -> view::PartyState {
    use call::PartyState as Is;
    match state {
        Is::Dialled => view::PartyState::Dialled,
        Is::Ringing => view::PartyState::Ringing,
        Is::Talking => view::PartyState::Talking,
        Is::Holding => view::PartyState::Holding,
        Is::Consulted => view::PartyState::Consulted,
        Is::Lost => view::PartyState::Lost,
        Is::Listening => view::PartyState::Listening,
        Is::Whispering => view::PartyState::Whispering,
        Is::Barged => view::PartyState::Barged,
    }
}

const fn consent(state: call::ConsentState) -> view::ConsentState {
    use call::ConsentState as Is;
    match state {
        Is::Undecided => view::ConsentState::Undecided,
        Is::Given => view::ConsentState::Given,
        Is::Refused => view::ConsentState::Refused,
        Is::Withdrawn => view::ConsentState::Withdrawn,
        Is::NotNeeded => view::ConsentState::NotNeeded,
    }
}

fn recording(recording: &call::RecordingView, arrived: Timestamp) -> view::RecordingView {
    let state = match recording.state {
        call::Lamp::Off => view::Lamp::Off,
        call::Lamp::Starting => view::Lamp::Starting,
        call::Lamp::Recording => view::Lamp::Recording,
        call::Lamp::Paused => view::Lamp::Paused,
        call::Lamp::Failed => view::Lamp::Failed,
    };
    view::RecordingView {
        state,
        why: recording.basis.as_ref().map_or(view::Why::Undecided, |basis| {
            // A basis without a time of its own was decided then; at the latest with the call's arrival.
            why(basis, recording.since.unwrap_or(arrived))
        }),
        paused_at: recording.paused_at,
        resumes_at: recording.resumes_at,
        can: recording.can.iter().copied().map(can).collect(),
    }
}

const fn can(act: Act) -> view::Can {
    match act {
        Act::Pause => view::Can::Pause,
        Act::Resume => view::Can::Resume,
        Act::Override => view::Can::Override,
        Act::Withdraw => view::Can::Withdraw,
    }
}

/// Why a call is recorded or not, decided `at` that time. The reason an agent wrote is not shown: it is free
/// text about a person, and in the audit log.
fn why(basis: &Basis, at: Timestamp) -> view::Why {
    use view::Why;
    match basis {
        Basis::Never => Why::Never,
        Basis::Legal(LegalBasis::Obligation(detail)) => {
            Why::Legal { basis: "obligation", detail: detail.clone() }
        }
        Basis::Legal(LegalBasis::Contract(detail)) => {
            Why::Legal { basis: "contract", detail: detail.clone() }
        }
        Basis::Agreed(at) => Why::Agreed { at: *at },
        Basis::AgreedEarlier(at) => Why::AgreedEarlier { at: *at },
        Basis::Refused(answer) => Why::Refused { answer: answer_word(*answer), at },
        Basis::RefusedEarlier(at) => Why::RefusedEarlier { at: *at },
        Basis::Withdrawn(at) => Why::Withdrawn { at: *at },
        Basis::Override { agent, reason } => {
            Why::Override { by: agent.clone(), category: category_word(reason.category), at }
        }
        Basis::NotStored => Why::NotStored,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ulid::Ulid;

    use super::*;
    use crate::call::{ConsentState, ConsentView, Lamp, PartyState, PartyView, RecordingView};
    use crate::consent::{Answer, OverrideCategory, OverrideReason};
    use crate::ids::{LegId, PhoneNumber};
    use crate::settings::{Agent, Phone};

    const AT: Timestamp = Timestamp::from_micros(1_795_339_800_000_000);

    fn settings() -> Settings {
        let mut settings = Settings::default();
        let (display_name, phone) = (Redacted("Ada Lovelace".to_owned()), Phone::default());
        let ada = Agent { display_name, credentials: None, queues: Vec::new(), skills: Vec::new(), phone };
        settings.agents.insert("ada".into(), Arc::new(ada));
        settings
    }

    fn view(basis: Option<Basis>) -> View {
        let call = CallId::new(Ulid(7));
        let party = |n, who, state| PartyView { leg: LegId { call, n }, who, state };
        View {
            phase: Phase::Lost,
            arrived_at: AT,
            queue: "sales".into(),
            first_queue: "support".into(),
            caller: PhoneNumber::parse("+4930123456", None),
            waiting_since: None,
            connected_at: Some(AT),
            parties: vec![
                party(1, PartyWho::Agent("ada".into()), PartyState::Lost),
                party(2, PartyWho::Outside(PhoneNumber::parse("+442071234567", None)), PartyState::Talking),
                party(3, PartyWho::Supervisor("eve".to_owned()), PartyState::Whispering),
            ],
            consent: ConsentView { state: ConsentState::Given, at: Some(AT) },
            recording: RecordingView {
                state: Lamp::Paused,
                basis,
                since: Some(AT),
                paused_at: Some(AT),
                resumes_at: None,
                can: vec![Act::Resume, Act::Withdraw],
            },
        }
    }

    fn shown(basis: Option<Basis>) -> serde_json::Value {
        let shown = call(CallId::new(Ulid(7)), &view(basis), &settings());
        serde_json::to_value(shown).expect("it can be written")
    }

    #[test]
    fn a_call_reads_as_the_list_of_shapes_says() {
        let at = AT.to_rfc3339();
        let party = |leg, kind, id, name, state| serde_json::json!({ "leg": leg, "kind": kind, "id": id, "name": name, "state": state });
        let expected = serde_json::json!({
            "id": CallId::new(Ulid(7)),
            "phase": "lost",
            "arrivedAt": at,
            "queue": "sales",
            "firstQueue": "support",
            "caller": "+4930123456",
            "waitingSince": null,
            "connectedAt": at,
            "parties": [
                party(1, "agent", "ada", "Ada Lovelace", "lost"),
                party(2, "outside", "+442071234567", "+442071234567", "talking"),
                party(3, "supervisor", "eve", "eve", "whispering"),
            ],
            "consent": { "state": "given", "at": at },
            "recording": {
                "state": "paused",
                "why": { "kind": "agreed", "at": at },
                "pausedAt": at,
                "resumesAt": null,
                "can": ["resume", "withdraw"],
            },
        });
        assert_eq!(shown(Some(Basis::Agreed(AT))), expected);
    }

    #[test]
    fn every_basis_has_its_words() {
        let text = Redacted("she was in danger".to_owned());
        let reason = OverrideReason { category: OverrideCategory::Emergency, text };
        let at = AT.to_rfc3339();
        let cases = [
            (None, serde_json::json!({ "kind": "undecided" })),
            (Some(Basis::Never), serde_json::json!({ "kind": "never" })),
            (
                Some(Basis::Legal(LegalBasis::Obligation("MiFID II".to_owned()))),
                serde_json::json!({ "kind": "legal", "basis": "obligation", "detail": "MiFID II" }),
            ),
            (
                Some(Basis::Refused(Answer::Silence)),
                serde_json::json!({ "kind": "refused", "answer": "silence", "at": at }),
            ),
            (Some(Basis::RefusedEarlier(AT)), serde_json::json!({ "kind": "refused-earlier", "at": at })),
            (Some(Basis::Withdrawn(AT)), serde_json::json!({ "kind": "withdrawn", "at": at })),
            (
                Some(Basis::Override { agent: "ada".into(), reason }),
                serde_json::json!({ "kind": "override", "by": "ada", "category": "emergency", "at": at }),
            ),
            (Some(Basis::NotStored), serde_json::json!({ "kind": "not-stored" })),
        ];
        for (basis, words) in cases {
            assert_eq!(shown(basis)["recording"]["why"], words);
        }
    }
}
