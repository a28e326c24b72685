//! Who spoke in a recording, in the order of the call's legs: the caller first.

use serde_json::{Value, json};

use crate::store::{LegRow, RecordingRow};

use super::Facts;

/// A party of the recording.
pub(super) struct Party<'a> {
    /// 0 (caller) or 1 (everybody else).
    pub(super) channel: u8,
    who: Who<'a>,
}

enum Who<'a> {
    /// By number; `None`: withheld.
    Number(Option<&'a str>),
    /// One of us, by name in the settings.
    Agent(&'a str),
}

impl Party<'_> {
    /// As a vCon tells of it (§ "Party Object").
    pub(super) fn vcon(&self) -> Value {
        match &self.who {
            Who::Number(Some(number)) => json!({ "tel": format!("tel:{number}"), "type": "person" }),
            Who::Number(None) => json!({ "name": "anonymous", "type": "person" }),
            // Nobody takes calls without the password of the agent's phone or user.
            Who::Agent(name) => json!({ "name": name, "validation": "password", "type": "person" }),
        }
    }

    /// As the manifest tells of it.
    pub(super) fn manifest(&self) -> Value {
        let (number, agent) = match &self.who {
            Who::Number(number) => (*number, None),
            Who::Agent(name) => (None, Some(*name)),
        };
        json!({ "channel": self.channel, "number": number, "agent": agent })
    }
}

/// Who took part while it was made.
pub(super) fn parties(facts: &Facts) -> Vec<Party<'_>> {
    let caller = facts.call.call.from.as_ref().map(|number| number.0.as_str());
    let mut parties = vec![Party { channel: 0, who: Who::Number(caller) }];
    let spoke = facts.call.legs.iter().filter(|leg| leg.n != 0 && overlaps(leg, &facts.recording));
    parties.extend(spoke.map(|leg| Party {
        channel: 1,
        who: match &leg.agent {
            Some(agent) => Who::Agent(&agent.0),
            None => Who::Number(leg.outside.as_ref().map(|number| number.0.as_str())),
        },
    }));
    parties
}

fn overlaps(leg: &LegRow, recording: &RecordingRow) -> bool {
    let Some(connected) = leg.connected_at else { return false };
    let began = recording.started_at.unwrap_or(recording.armed_at);
    recording.ended_at.is_none_or(|ended| connected < ended) && leg.ended_at.is_none_or(|left| left > began)
}
