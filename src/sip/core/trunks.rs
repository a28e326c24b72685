//! Our registrations at trunks' servers (RFC 3261 §10.2): made at the start and when settings change,
//! refreshed before they end, tried again after a while when they fail, taken back when not wanted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::challenge::{Keyring, is_challenge};
use super::endpoint::Endpoint;
use super::hunt;
use super::io::{Event, Flow, Source};
use super::locate::{Asker, Place, SILENCE};
use super::machines::Outcome;
use super::registration::{Bound, MAX_EXPIRES, Registration, RegistrationId, State};
use super::respond::Inbound;
use super::timers::Deadline;
use super::transactions::{ClientId, Purpose};
use super::wire::{self, HeaderName, Response};
use crate::ids::TrunkId;
use crate::time::Timestamp;

/// A failed registration is tried again after 30 s to 36 s at first, each time after twice as long, at
/// most after 10 min: no server is asked by all its customers at once when it comes back.
const FIRST_WAIT: u64 = 36;
const LONGEST_WAIT: u64 = 600;

impl Endpoint {
    /// Registers where settings want it, and nowhere else.
    pub(super) fn wish_for_registrations(&mut self) -> Vec<RegistrationId> {
        let settings = Arc::clone(&self.settings);
        let mint = &mut self.mint;
        self.registrations.wish_for(&settings, || mint.token())
    }

    /// After new settings.
    pub(super) fn renew_registrations(&mut self, now: Timestamp) {
        for id in self.wish_for_registrations() {
            self.take_back(id, now);
        }
    }

    /// Takes all registrations back; none is made any more.
    pub(super) fn close_registrations(&mut self, now: Timestamp) {
        self.registrations.closed = true;
        self.registrations.by_trunk.clear();
        let all: Vec<_> = self.registrations.all.keys().copied().collect();
        for id in all {
            self.take_back(id, now);
        }
    }

    /// Runs what is due.
    pub(super) fn run_registrations(&mut self, now: Timestamp) {
        while let Some(id) = self.registrations.timers.pop(now) {
            let Some(registration) = self.registrations.all.get_mut(&id) else { continue };
            registration.state = State::Locating;
            let whereabouts = registration.server.whereabouts.clone();
            self.ask(Asker::Registration(id), whereabouts, now);
        }
    }

    /// The server's addresses came. A binding is refreshed where it is, if that is still one of them.
    pub(super) fn registrar_located(&mut self, id: RegistrationId, places: Vec<Place>, now: Timestamp) {
        let Some(registration) = self.registrations.all.get_mut(&id) else { return };
        if !matches!(registration.state, State::Locating) {
            return;
        }
        let mut places = VecDeque::from(places);
        if let Some(bound) = registration.bound.as_ref().filter(|bound| bound.until > now) {
            let there = places.iter().position(|place| place.remote == bound.place.remote);
            match there {
                Some(at) => places.swap(0, at),
                // The name service is down; the server need not be.
                None if places.is_empty() => places.push_front(bound.place),
                None => {}
            }
        }
        self.register_at(id, places, None, now);
    }

    /// Asks the next of these places. `status`: what the last said.
    fn register_at(
        &mut self,
        id: RegistrationId,
        mut rest: VecDeque<Place>,
        status: Option<u16>,
        now: Timestamp,
    ) {
        let Some(place) = rest.pop_front() else { return self.registration_failed(id, status, now) };
        let Some(client) = self.send_trunk_register(id, place, None, now) else {
            return self.registration_failed(id, None, now);
        };
        if !rest.is_empty() {
            self.timers.set(Deadline::TryNext(client), now + SILENCE);
        }
        if let Some(registration) = self.registrations.all.get_mut(&id) {
            registration.state = State::Asking { client, place, rest };
        }
    }

    fn send_trunk_register(
        &mut self,
        id: RegistrationId,
        place: Place,
        expires: Option<u32>,
        now: Timestamp,
    ) -> Option<ClientId> {
        let flow = self.connections.resolve(self.way_to(place));
        let (branch, cnonce) = (self.mint.branch(), self.mint.token());
        let registration = self.registrations.all.get_mut(&id)?;
        let expires = expires.unwrap_or(registration.expires);
        let request = registration.request(&self.config, &flow, &branch, &cnonce, expires)?;
        Some(self.start(request, &branch, flow, Purpose::Trunk(id), now))
    }

    /// What became of a REGISTER of ours at a trunk's server.
    pub(super) fn on_trunk_outcome(
        &mut self,
        client: ClientId,
        id: RegistrationId,
        outcome: &Outcome,
        now: Timestamp,
    ) {
        self.timers.clear(Deadline::TryNext(client));
        let response = match outcome {
            Outcome::Response(response) if response.status.is_provisional() => return,
            Outcome::Response(response) => Some(&**response),
            Outcome::Failed(_) => None,
        };
        let status = match outcome {
            Outcome::Response(response) => response.status.code(),
            Outcome::Failed(status) => *status,
        };
        if response.is_some_and(|response| self.register_again(client, id, response, now)) {
            return;
        }
        let Some(registration) = self.registrations.all.get_mut(&id) else { return };
        match std::mem::replace(&mut registration.state, State::Waiting) {
            State::Asking { client: asked, place, rest } if asked == client => match response {
                Some(response) if response.status.is_success() => {
                    self.registered(client, id, place, response, now)
                }
                None => self.register_at(id, rest, Some(status), now),
                Some(_) if matches!(status, 408 | 503) => self.register_at(id, rest, Some(status), now),
                Some(_) => self.registration_failed(id, Some(status), now),
            },
            State::Unwanted { client: asked, place } if asked == client => {
                match response.filter(|response| response.status.is_success()) {
                    Some(_) => self.unregister(id, place, now),
                    None => self.registrations.forget(id),
                }
            }
            State::Leaving { client: asked } if asked == client => self.registrations.forget(id),
            // An answer to a request given up before.
            other @ (State::Waiting
            | State::Locating
            | State::Asking { .. }
            | State::Unwanted { .. }
            | State::Leaving { .. }) => registration.state = other,
        }
    }

    /// After a challenge, or with the expiry the server asks for (RFC 3261 §10.2.8): the same again.
    /// `false`: not that.
    fn register_again(
        &mut self,
        client: ClientId,
        id: RegistrationId,
        response: &Response,
        now: Timestamp,
    ) -> bool {
        let Some(sent) = self.tx.client(client).map(|client| client.machine.request().clone()) else {
            return false;
        };
        let Some(registration) = self.registrations.all.get_mut(&id) else { return false };
        let (place, leaves) = match &registration.state {
            State::Asking { client: asked, place, .. } | State::Unwanted { client: asked, place }
                if *asked == client =>
            {
                (*place, false)
            }
            State::Leaving { client: asked } if *asked == client => match &registration.bound {
                Some(bound) => (bound.place, true),
                None => return false,
            },
            State::Waiting
            | State::Locating
            | State::Asking { .. }
            | State::Unwanted { .. }
            | State::Leaving { .. } => {
                return false;
            }
        };
        let again = if is_challenge(response) {
            registration.keys.as_mut().is_some_and(|keys| keys.learn(&sent, response))
        } else if response.status.code() == 423 && !leaves {
            let least =
                response.headers.value(&HeaderName::MinExpires).and_then(|value| wire::seconds(&value));
            match least.filter(|least| *least > registration.expires && *least <= MAX_EXPIRES) {
                Some(least) => {
                    registration.expires = least;
                    true
                }
                None => false,
            }
        } else {
            false
        };
        if !again {
            return false;
        }
        let Some(next) = self.send_trunk_register(id, place, leaves.then_some(0), now) else { return false };
        let Some(registration) = self.registrations.all.get_mut(&id) else { return true };
        match &mut registration.state {
            State::Asking { client, .. } | State::Unwanted { client, .. } | State::Leaving { client } => {
                *client = next
            }
            State::Waiting | State::Locating => {}
        }
        true
    }

    fn registered(
        &mut self,
        client: ClientId,
        id: RegistrationId,
        place: Place,
        response: &Response,
        now: Timestamp,
    ) {
        let heard = self.tx.client(client).map(|client| client.heard);
        let flow = heard.unwrap_or_else(|| self.way_to(place));
        let spread = self.mint.below(61);
        let Some(registration) = self.registrations.all.get_mut(&id) else { return };
        let contact = registration.contact(&self.config, &flow);
        let seconds = registration.granted(&response.headers, &contact);
        if seconds == 0 {
            return self.registration_failed(id, Some(response.status.code()), now);
        }
        registration.failures = 0;
        if let Some(keys) = &mut registration.keys {
            keys.accepted();
        }
        // Early enough to find another server meanwhile.
        let lead = (seconds / 2).min(60 + spread);
        let at = |seconds: u32| now + Duration::from_secs(u64::from(seconds));
        self.registrations.timers.set(id, at(seconds - lead));
        self.registrations.bind(id, Bound { place, flow, until: at(seconds) });
        self.tell_trunk(id, Ok(()));
    }

    /// All places were tried, or the server refused. The binding there may be, lives until it ends.
    fn registration_failed(&mut self, id: RegistrationId, status: Option<u16>, now: Timestamp) {
        let Some(registration) = self.registrations.all.get_mut(&id) else { return };
        registration.state = State::Waiting;
        let longest = (FIRST_WAIT << registration.failures.min(5)).min(LONGEST_WAIT);
        registration.failures = registration.failures.saturating_add(1);
        if let Some(keys) = &mut registration.keys {
            keys.accepted();
        }
        let spread = self.mint.below(u32::try_from(longest * 1_000 / 6).unwrap_or(u32::MAX));
        let wait = Duration::from_secs(longest) - Duration::from_millis(u64::from(spread));
        self.registrations.timers.set(id, now + wait);
        self.tell_trunk(id, Err(status));
    }

    fn tell_trunk(&mut self, id: RegistrationId, result: Result<(), Option<u16>>) {
        let Some(registration) = self.registrations.all.get_mut(&id) else { return };
        if registration.told.replace(result) != Some(result) {
            let trunk = registration.trunk.clone();
            self.tell(Event::TrunkRegistered { trunk, result });
        }
    }

    /// A server has not said a word while another is left.
    pub(super) fn registrar_silent(&mut self, id: RegistrationId, client: ClientId, now: Timestamp) {
        let Some(registration) = self.registrations.all.get_mut(&id) else { return };
        if let State::Asking { client: asked, rest, .. } = &mut registration.state
            && *asked == client
        {
            let rest = std::mem::take(rest);
            self.register_at(id, rest, Some(408), now);
        }
    }

    /// A registration is not wanted any more.
    fn take_back(&mut self, id: RegistrationId, now: Timestamp) {
        self.registrations.timers.clear(id);
        let Some(registration) = self.registrations.all.get_mut(&id) else { return };
        let place = registration.bound.as_ref().filter(|bound| bound.until > now).map(|bound| bound.place);
        match &registration.state {
            State::Asking { client, place, .. } => {
                registration.state = State::Unwanted { client: *client, place: *place };
            }
            State::Waiting | State::Locating => match place {
                Some(place) => self.unregister(id, place, now),
                None => self.registrations.forget(id),
            },
            State::Unwanted { .. } | State::Leaving { .. } => {}
        }
    }

    fn unregister(&mut self, id: RegistrationId, place: Place, now: Timestamp) {
        match self.send_trunk_register(id, place, Some(0), now) {
            Some(client) => {
                // From now on calls from there are no longer this trunk's.
                let flow = self.way_to(place);
                self.registrations.unbind(id);
                if let Some(registration) = self.registrations.all.get_mut(&id) {
                    registration.bound = Some(Bound { place, flow, until: now });
                    registration.state = State::Leaving { client };
                }
            }
            None => self.registrations.forget(id),
        }
    }

    /// A connection is gone that a registration was made over: calls cannot come by it, so it is made
    /// again soon.
    pub(super) fn registrations_lost(&mut self, flow: &Flow, now: Timestamp) {
        let over = |registration: &&mut Registration| {
            registration.bound.as_ref().is_some_and(|bound| bound.flow.connection == flow.connection)
        };
        if flow.connection == 0 {
            return;
        }
        let mut lost = Vec::new();
        for (id, registration) in &mut self.registrations.all {
            if Some(registration).as_ref().is_some_and(over) {
                lost.push(*id);
            }
        }
        for id in lost {
            let wait = Duration::from_millis(1_000 + u64::from(self.mint.below(4_000)));
            let waits = |registration: &&Registration| matches!(registration.state, State::Waiting);
            if self.registrations.all.get(&id).filter(waits).is_some() {
                self.registrations.timers.set(id, now + wait);
            }
        }
    }

    /// The trunk at whose server we are registered, if this comes from its address.
    pub(super) fn registered_trunk(&self, inbound: &Inbound) -> Option<TrunkId> {
        let user = wire::user_of(&inbound.request.uri);
        self.registrations.find(inbound.flow.remote.ip(), user.as_deref(), inbound.now).cloned()
    }

    /// What answers a trunk's challenges inside its calls.
    pub(super) fn keys_for(&self, source: &Source) -> Option<Box<Keyring>> {
        let Source::Trunk(trunk) = source else { return None };
        let outbound = self.settings.trunks.get(trunk)?.outbound.as_ref()?;
        hunt::login_of(outbound).map(|login| Box::new(Keyring::new(login)))
    }

    /// The number that was dialled: the Request-URI's user part, except where that is the name we are
    /// registered under; then it is in P-Called-Party-ID (RFC 7315 §4.2) or To.
    pub(super) fn dialled(&self, inbound: &Inbound, source: &Source) -> String {
        let user = wire::user_of(&inbound.request.uri).unwrap_or_default();
        let Source::Trunk(trunk) = source else { return user };
        let outbound = self.settings.trunks.get(trunk).and_then(|trunk| trunk.outbound.as_ref());
        let login =
            outbound.filter(|outbound| outbound.register).and_then(|outbound| outbound.login.as_ref());
        if login.is_none_or(|login| login.user != user) {
            return user;
        }
        let name = HeaderName::parse(&bytes::Bytes::from_static(b"P-Called-Party-ID"));
        let called = wire::addresses(&inbound.request.headers, &name).unwrap_or_default();
        let called = called.first().and_then(|address| wire::user_of(&address.uri));
        called.or_else(|| wire::user_of(&inbound.head.to.uri)).filter(|to| !to.is_empty()).unwrap_or(user)
    }
}
