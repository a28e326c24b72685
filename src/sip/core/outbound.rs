//! Phones whose connection cannot be made by us, as a browser's: they lose it and come back on another (a change
//! of network, a reloaded page), and their dialogs with them (RFC 5626, RFC 7118 §5).

use super::dialog::Peer;
use super::endpoint::Endpoint;
use super::io::{DialogId, Event, Flow, Media, Transport};
use super::leg::Leg;
use super::machines::Outcome;
use super::registrar::Binding;
use super::session;
use super::uri;
use crate::ids::AgentId;
use crate::settings::{PhoneMedia, Settings};
use crate::time::Timestamp;

/// What an agent's phone speaks that registers by this transport.
pub(super) fn media_of(settings: &Settings, agent: &AgentId, transport: Transport) -> Media {
    let media = settings.agents.get(agent).map(|agent| agent.phone.media).unwrap_or_default();
    match media {
        PhoneMedia::Auto if transport.is_web() => Media::Webrtc,
        PhoneMedia::Auto | PhoneMedia::Rtp => Media::Rtp,
        PhoneMedia::Webrtc => Media::Webrtc,
    }
}

impl Endpoint {
    /// A connection closed: who of its phones cannot be reached any more is told, once each.
    pub(super) fn legs_lost(&mut self, flow: &Flow) {
        let legs = self.legs.iter_mut();
        let mut lost: Vec<DialogId> =
            legs.filter_map(|(id, leg)| leg.lost_connection(flow).then_some(*id)).collect();
        lost.sort_unstable();
        for dialog in lost {
            self.tell(Event::Unreachable { dialog });
        }
    }

    /// An agent's bindings are `new` instead of `old`, by a REGISTER over `flow`. Dialogs of a phone that came
    /// back there go on over it; those of one that another took the place of are lost.
    pub(super) fn phones_moved(
        &mut self,
        agent: &AgentId,
        (old, new): (&[Binding], &[Binding]),
        flow: &Flow,
        now: Timestamp,
    ) {
        let on_it = |list: &[Binding], contact: &str| {
            list.iter().any(|b| b.flow.is_same_way(flow) && uri::same(&b.contact, contact))
        };
        let came: Vec<&Binding> =
            new.iter().filter(|b| b.flow.is_same_way(flow) && !on_it(old, &b.contact)).collect();
        if came.is_empty() || !flow.transport.is_web() {
            return; // a mere refresh, or a transport by which we find them ourselves
        }
        let went: Vec<&Binding> =
            old.iter().filter(|b| !new.iter().any(|kept| uri::same(&kept.contact, &b.contact))).collect();
        let (mut back, mut lost) = (Vec::new(), Vec::new());
        for (id, leg) in &mut self.legs {
            let Some(dialog) = leg.dialog().filter(|dialog| dialog.peer == Peer::Agent(agent.clone())) else {
                continue;
            };
            let target = String::from_utf8_lossy(&dialog.target.to_bytes()).into_owned();
            if came.iter().any(|b| uri::same(&b.contact, &target)) && !dialog.flow.is_same_way(flow) {
                leg.found_again(*flow);
                back.push(*id);
            } else if went.iter().any(|b| uri::same(&b.contact, &target)) && leg.lost_phone() {
                lost.push(*id);
            }
        }
        back.sort_unstable();
        lost.sort_unstable();
        for dialog in lost {
            self.tell(Event::Unreachable { dialog });
        }
        for dialog in back {
            self.pursue_reinvite(dialog, now);
        }
    }

    /// Whether what became of a request inside a dialog ends that. Not so while its phone is out of reach: it
    /// may come back, and whether that is waited for is our user's to say.
    pub(super) fn ends_dialog(&self, id: DialogId, outcome: &Outcome) -> bool {
        let failed = match outcome {
            Outcome::Failed(_) => true,
            Outcome::Response(_) => false,
        };
        session::ends_dialog(outcome) && !(failed && self.is_out_of_reach(id))
    }

    /// Whether a dialog's phone has lost its connection and not come back.
    pub(super) fn is_out_of_reach(&self, id: DialogId) -> bool {
        self.legs.get(&id).and_then(Leg::dialog).is_some_and(super::dialog::Dialog::is_lost)
    }
}
