//! Calls to the outside by a trunk: who calls as the trunk may see it, the way to its server, the next
//! way when one fails, and redirections, which are followed to the same trunk only.

use std::collections::VecDeque;

use bytes::Bytes;

use super::challenge::Keyring;
use super::dialog::{self, Peer, Reach};
use super::endpoint::Endpoint;
use super::io::{DialogId, Event, Login, Particulars, Transport};
use super::leg::{Calling, Leg};
use super::locate::{self, Asker, Place, SILENCE, Server};
use super::particulars::{self, ANONYMOUS, is_anonymous};
use super::timers::Deadline;
use super::transactions::ClientId;
use super::uac::{Way, Wish};
use super::wire::{self, ContactValue, HeaderName, Response, Uri};
use crate::call::Cause;
use crate::ids::TrunkId;
use crate::settings::Outbound;
use crate::time::Timestamp;

/// Contacts of redirections tried in one call at most.
const MAX_CONTACTS: usize = 5;

/// A call that looks for its way to a trunk's server.
pub(super) struct Hunt {
    trunk: TrunkId,
    server: Server,
    target: Uri,
    from: String,
    to: String,
    sdp: Bytes,
    extra: Vec<(HeaderName, String)>,
    login: Option<Login>,
    /// Ways to the server not tried yet.
    places: VecDeque<Place>,
    /// Where redirections lead, not tried yet.
    contacts: VecDeque<Uri>,
    /// Contacts taken so far, as text: none is tried twice.
    followed: Vec<String>,
}

impl Hunt {
    fn new(
        trunk: TrunkId,
        number: &str,
        wish: Wish,
        (server, outbound): (Server, &Outbound),
        ours: &str,
    ) -> Option<Self> {
        // A server that knows us by name expects us in its own domain.
        let host = if outbound.login.is_some() { &server.host } else { ours };
        let (from, particulars) = identity(&wish, outbound, host);
        let user = dialog::user_uri(number, "");
        let params = if is_number(number) { ";user=phone" } else { "" };
        let user = user.strip_prefix("sip:").unwrap_or(&user);
        Some(Self {
            trunk,
            target: server.uri(user, params)?,
            to: format!("<{}{params}>", dialog::user_uri(number, &server.host)),
            from,
            extra: particulars::write(&particulars, host),
            sdp: wish.sdp,
            login: login_of(outbound),
            server,
            places: VecDeque::new(),
            contacts: VecDeque::new(),
            followed: Vec::new(),
        })
    }

    /// It rings: from here on the call is at this place or nowhere.
    pub(super) fn found(&mut self) {
        self.places.clear();
        self.contacts.clear();
    }

    /// The contacts of a redirection that may be followed: at this trunk's server, or at the address
    /// that sent it, and not less safe. Best first (RFC 3261 §8.1.3.4).
    fn redirections(&mut self, response: &Response, sender: &str) -> Vec<Uri> {
        let mut all = Vec::new();
        for value in wire::contacts(&response.headers).unwrap_or_default() {
            let ContactValue::Address(address) = value else { continue };
            let Some(server) = Server::read(&address.uri) else { continue };
            let host = &server.whereabouts.host;
            let here = host.eq_ignore_ascii_case(&self.server.whereabouts.host) || host == sender;
            let safe = server.whereabouts.secure || !self.server.whereabouts.secure;
            let text = String::from_utf8_lossy(&address.uri.to_bytes()).into_owned();
            let new = self.followed.len() < MAX_CONTACTS && !self.followed.contains(&text);
            if here && safe && new && !address.uri.has_headers() && address.uri.user().is_some() {
                let preference = address.param("q").and_then(|q| std::str::from_utf8(q).ok()?.parse().ok());
                all.push((preference.unwrap_or(1.0_f32), address.uri));
                self.followed.push(text);
            }
        }
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        all.into_iter().map(|(_, uri)| uri).collect()
    }
}

/// Our password at a trunk's server.
pub(super) fn login_of(outbound: &Outbound) -> Option<Login> {
    let login = outbound.login.as_ref()?;
    Some(Login { user: login.user.clone(), password: login.password.0.clone() })
}

/// From, and what else tells who calls. A caller who may not be named, or whom nobody knows, goes out
/// under the trunk's own number: asserted, and shown unless privacy was asked for.
fn identity(wish: &Wish, outbound: &Outbound, host: &str) -> (String, Particulars) {
    let mut particulars = (*wish.particulars).clone();
    let ours = outbound.caller_id.as_ref().map(|number| number.0.clone());
    // An agent's name is no number; a carrier has no use for it.
    let unknown = is_anonymous(&wish.from) || (ours.is_some() && !is_number(&wish.from));
    let shown = if unknown { ours.clone() } else { Some(wish.from.clone()) };
    let asserted = particulars.asserted.take().filter(|user| !is_anonymous(user));
    particulars.asserted =
        if particulars.private || unknown { ours.or(asserted) } else { asserted.or(shown.clone()) };
    let from = match shown {
        Some(user) if !particulars.private => format!("<{}>", dialog::user_uri(&user, host)),
        Some(_) | None => ANONYMOUS.to_owned(),
    };
    (from, particulars)
}

fn is_number(user: &str) -> bool {
    let digits = user.strip_prefix('+').unwrap_or(user);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

impl Endpoint {
    /// Calls a number by a trunk.
    pub(super) fn invite_trunk(
        &mut self,
        id: DialogId,
        trunk: TrunkId,
        number: &str,
        wish: Wish,
        now: Timestamp,
    ) {
        let outbound = self.settings.trunks.get(&trunk).and_then(|trunk| trunk.outbound.clone());
        let server = outbound.and_then(|outbound| Some((Server::parse(&outbound.server)?, outbound)));
        let Some((server, outbound)) = server.filter(|_| !number.is_empty()) else {
            return self.tell(Event::Ended { dialog: id, cause: Cause::Unreachable, status: None });
        };
        if self.gate.admit(&trunk, now).is_err() {
            self.tell(Event::Limited { trunk });
            return self.tell(Event::Ended { dialog: id, cause: Cause::Unreachable, status: Some(503) });
        }
        let whereabouts = server.whereabouts.clone();
        let ours = self.our_host(whereabouts.transport.unwrap_or(Transport::Udp));
        let Some(hunt) = Hunt::new(trunk.clone(), number, wish, (server, &outbound), &ours) else {
            self.gate.release(&trunk);
            return self.tell(Event::Ended { dialog: id, cause: Cause::Unreachable, status: None });
        };
        let calling = Calling { trunk: Some(trunk), hunt: Some(Box::new(hunt)), ..Calling::default() };
        self.legs.insert(id, Leg::Calling(calling));
        self.ask(Asker::Call(id), whereabouts, now);
    }

    fn our_host(&self, transport: Transport) -> String {
        let ours = self.config.contacts.iter().find(|(ours, _)| *ours == transport);
        let at = ours.or(self.config.contacts.first());
        at.map_or_else(|| self.config.realm.clone(), |(_, at)| dialog::host_text(at.ip()))
    }

    fn hunt(&mut self, id: DialogId) -> Option<&mut Hunt> {
        match self.legs.get_mut(&id)? {
            Leg::Calling(calling) => calling.hunt.as_deref_mut(),
            Leg::Offered(_) | Leg::Live(_) | Leg::Leaving(_) | Leg::LoggingOn => None,
        }
    }

    /// The server's addresses came. Where we are registered goes first.
    pub(super) fn call_located(&mut self, id: DialogId, places: Vec<Place>, now: Timestamp) {
        let Some(trunk) = self.hunt(id).map(|hunt| hunt.trunk.clone()) else { return };
        let registered = self.registrations.place_of(&trunk, now);
        let Some(hunt) = self.hunt(id) else { return };
        hunt.places = places.into();
        if let Some(at) =
            registered.and_then(|place| hunt.places.iter().position(|other| same(other, &place)))
        {
            hunt.places.swap(0, at);
        }
        if !self.next_way(id, now) {
            self.finish(id, Cause::Unreachable, None);
        }
    }

    /// Sends the INVITE the next way. `false`: there is none left.
    fn next_way(&mut self, id: DialogId, now: Timestamp) -> bool {
        let Some(Leg::Calling(calling)) = self.legs.get_mut(&id) else { return false };
        let Some(mut hunt) = calling.hunt.take() else { return false };
        let went_on = match hunt.places.pop_front() {
            Some(place) => {
                self.send_to(id, &mut hunt, place, now);
                true
            }
            None => match hunt.contacts.pop_front() {
                Some(contact) => {
                    if let Some(server) = Server::read(&contact) {
                        self.ask(Asker::Call(id), server.whereabouts, now);
                    }
                    hunt.target = contact;
                    true
                }
                None => false,
            },
        };
        if let Some(Leg::Calling(calling)) = self.legs.get_mut(&id) {
            calling.hunt = Some(hunt);
        }
        went_on
    }

    fn send_to(&mut self, id: DialogId, hunt: &mut Hunt, mut place: Place, now: Timestamp) {
        let mut made = self.make_invite(hunt.way(self.way_to(place)), &hunt.extra, &hunt.sdp);
        if locate::too_large(&made.invite, place) {
            hunt.places.push_front(Place { or_tcp: false, ..place });
            place.transport = Transport::Tcp;
            made = self.make_invite(hunt.way(self.way_to(place)), &hunt.extra, &hunt.sdp);
        }
        let client = self.send_branch(id, made, now);
        if !(hunt.places.is_empty() && hunt.contacts.is_empty()) {
            self.timers.set(Deadline::TryNext(client), now + SILENCE);
        }
    }

    /// A branch of a call to a trunk failed: tries another way if that can help. `response`: what it was
    /// answered; none: the transport failed, or nobody answered. `true`: the call goes on.
    pub(super) fn another_way(
        &mut self,
        id: DialogId,
        client: ClientId,
        response: Option<&Response>,
        now: Timestamp,
    ) -> bool {
        let sender = self.tx.client(client).map(|client| client.flow.remote.ip().to_string());
        let Some(Leg::Calling(calling)) = self.legs.get_mut(&id) else { return false };
        if !calling.branches.contains(&client) {
            return false;
        }
        let Some(hunt) = calling.hunt.as_deref_mut() else { return false };
        match response.map(|response| (response, response.status.code())) {
            // RFC 3263 §4.3.
            None | Some((_, 408 | 503)) => {}
            Some((response, 300..=302)) => {
                hunt.places.clear();
                let contacts = hunt.redirections(response, &sender.unwrap_or_default());
                hunt.contacts.extend(contacts);
            }
            // Where a redirection led may refuse; the next contact may not. A busy one was reached.
            Some((_, 400..=485 | 487..=599)) => hunt.places.clear(),
            Some(_) => return false,
        }
        if !self.next_way(id, now) {
            return false;
        }
        self.drop_early(id, client, now);
        if let Some(Leg::Calling(calling)) = self.legs.get_mut(&id) {
            calling.branches.retain(|other| *other != client);
        }
        true
    }
}

impl Hunt {
    fn way(&self, flow: super::io::Flow) -> Way {
        Way {
            target: self.target.clone(),
            flow,
            from: self.from.clone(),
            to: self.to.clone(),
            keys: self.login.clone().map(Keyring::new),
            reach: Reach::Written,
            peer: Peer::Trunk(self.trunk.clone()),
        }
    }
}

/// Whether both are the same address by the same transport.
fn same(one: &Place, other: &Place) -> bool {
    (one.transport, one.remote) == (other.transport, other.remote)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Redacted;

    fn shown(
        from: &str,
        private: bool,
        asserted: Option<&str>,
        caller_id: Option<&str>,
    ) -> (String, Option<String>) {
        let particulars =
            Particulars { private, asserted: asserted.map(str::to_owned), ..Particulars::default() };
        let wish = Wish { from: from.to_owned(), sdp: Bytes::new(), particulars: Box::new(particulars) };
        let outbound = Outbound {
            server: "sip:h".to_owned(),
            login: None,
            register: false,
            caller_id: caller_id.map(|id| Redacted(id.to_owned())),
            prefixes: Vec::new(),
        };
        let (from, particulars) = identity(&wish, &outbound, "h");
        (from, particulars.asserted)
    }

    #[test]
    fn a_caller_is_named_as_the_trunk_may_see_it() {
        let own = Some("+4989");
        let named = |user: &str| format!("<sip:{user}@h>");
        let is = |user: &str| Some(user.to_owned());
        assert_eq!(shown("+4930", false, None, own), (named("+4930"), is("+4930")));
        assert_eq!(shown("+4930", false, Some("+4931"), own), (named("+4930"), is("+4931")));
        assert_eq!(shown("anonymous", false, None, own), (named("+4989"), is("+4989")));
        assert_eq!(shown("ada", false, None, own), (named("+4989"), is("+4989")));
        assert_eq!(shown("ada", false, None, None), (named("ada"), is("ada")));
        assert_eq!(shown("+4930", true, Some("+4930"), own), (ANONYMOUS.to_owned(), is("+4989")));
        assert_eq!(shown("anonymous", true, Some("+4930"), None), (ANONYMOUS.to_owned(), is("+4930")));
        assert_eq!(shown("anonymous", false, None, None), (ANONYMOUS.to_owned(), None));
    }
}
