//! Requests that name a dialog or an INVITE of ours and do not come from where its other side is do
//! nothing, however well they guess.

use super::dialog::Peer;
use super::endpoint::Endpoint;
use super::io::{DialogId, Event, Flow};
use super::respond::Inbound;
use super::source::LoggedIn;
use crate::settings::Settings;
use crate::time::Timestamp;

impl Endpoint {
    /// Whether a request inside a dialog comes from its other side: from its address or connection, from its
    /// trunk's networks, from where its agent is logged on, or with the right password. `false`: it was
    /// answered and counted.
    pub(super) fn is_from_peer(&mut self, id: DialogId, inbound: &Inbound) -> bool {
        if self.is_where_peer_is(id, inbound) {
            self.gate.befriend(inbound.flow.remote.ip());
            return true;
        }
        let peer =
            self.legs.get(&id).and_then(|leg| leg.holds(&inbound.head)).map(|dialog| dialog.peer.clone());
        let moved = match peer {
            Some(peer) if has_password(&self.settings, &peer) => match (self.log_in(inbound), peer) {
                (None, _) => None, // answered
                (Some(LoggedIn::Agent(agent, _)), Peer::Agent(ours)) => Some(agent == ours),
                (Some(LoggedIn::Trunk(trunk)), Peer::Trunk(ours)) => Some(trunk == ours),
                (Some(LoggedIn::Agent(..) | LoggedIn::Trunk(_)), _) => Some(false),
            },
            Some(Peer::Trunk(_) | Peer::Agent(_) | Peer::Address) | None => Some(false),
        };
        if moved == Some(true) {
            return true;
        }
        if moved == Some(false) && !self.gate.ignored(inbound.flow.remote.ip(), inbound.now) {
            self.refuse(inbound, 481, &[]);
        }
        self.spoofed(inbound);
        false
    }

    /// The same without a question for a password: an ACK gets no answer.
    pub(super) fn is_where_peer_is(&self, id: DialogId, inbound: &Inbound) -> bool {
        let Some(dialog) = self.legs.get(&id).and_then(|leg| leg.holds(&inbound.head)) else { return false };
        dialog.is_at(&inbound.flow)
            || match &dialog.peer {
                Peer::Trunk(trunk) => {
                    let ip = inbound.flow.remote.ip();
                    self.gate.recognise(ip).as_ref() == Some(trunk)
                        || self.registrations.is_at(trunk, ip, inbound.now)
                }
                Peer::Agent(agent) => self.is_phone_of(agent, &inbound.flow, inbound.now),
                Peer::Address => false,
            }
    }

    /// Whether an agent is logged on from this address.
    fn is_phone_of(&self, agent: &crate::ids::AgentId, flow: &Flow, now: Timestamp) -> bool {
        let bindings = self.registrar.bindings(agent, now);
        bindings.iter().any(|binding| binding.flow.remote.ip() == flow.remote.ip())
    }

    /// CANCEL goes hop by hop, so it comes from where its INVITE came from (RFC 3261 §9.1).
    pub(super) fn is_from_same_hop(invite: &Flow, cancel: &Flow) -> bool {
        invite.remote.ip().to_canonical() == cancel.remote.ip().to_canonical()
    }

    /// Counts a request that did nothing.
    pub(super) fn spoofed(&mut self, inbound: &Inbound) {
        tracing::debug!(method = %inbound.request.method, "a request that is not the other side's");
        self.tell(Event::Spoofed { remote: inbound.flow.remote });
    }
}

/// Whether a password could tell that the other side has moved.
fn has_password(settings: &Settings, peer: &Peer) -> bool {
    match peer {
        Peer::Trunk(trunk) => settings.trunks.get(trunk).is_some_and(|trunk| trunk.digest.is_some()),
        Peer::Agent(agent) => settings.agents.contains_key(agent),
        Peer::Address => false,
    }
}
