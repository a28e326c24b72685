//! Who sends a request outside a dialog: a trunk, an agent's phone, or a stranger, who is refused
//! once and then ignored.

use super::digest::Verdict;
use super::endpoint::Endpoint;
use super::gate::Known;
use super::io::{Event, Flow, Source, Transport};
use super::respond::Inbound;
use super::wire::{self, HeaderName, Method};
use crate::ids::{AgentId, TrunkId};
use crate::settings::{Settings, SipCredentials};

/// Who has shown the right password.
pub(super) enum LoggedIn {
    Agent(AgentId),
    Trunk(TrunkId),
}

impl Endpoint {
    /// Who sent an INVITE; `None`: it was answered, or is ignored.
    pub(super) fn source_of(&mut self, inbound: &Inbound) -> Option<Source> {
        if let Some(agent) = self.registered_phone(inbound) {
            return Some(Source::Agent(agent));
        }
        if let Some(trunk) = self.gate.recognise(inbound.flow.remote.ip()) {
            return Some(Source::Trunk(trunk));
        }
        if let Some(trunk) = self.registered_trunk(inbound) {
            return Some(Source::Trunk(trunk));
        }
        self.log_in(inbound).map(|who| match who {
            LoggedIn::Agent(agent) => Source::Agent(agent),
            LoggedIn::Trunk(trunk) => Source::Trunk(trunk),
        })
    }

    /// Asks for a password and checks it; `None`: answered, or ignored.
    pub(super) fn log_in(&mut self, inbound: &Inbound) -> Option<LoggedIn> {
        let Inbound { request, flow, now, .. } = inbound;
        let (remote, now) = (flow.remote, *now);
        let headers = request.headers.get_all(&HeaderName::Authorization);
        let values: Vec<_> = headers
            .chain(request.headers.get_all(&HeaderName::ProxyAuthorization))
            .map(|h| h.value())
            .collect();
        // A phone that is logged on already may share its address with a stranger.
        if !self.is_registered(inbound)
            && let Known::Stranger { first, ignored_until } =
                self.gate.judge(remote.ip(), !values.is_empty() || self.names_a_user(inbound), now)
        {
            if first {
                self.refuse(inbound, 403, &[]);
                self.tell(Event::Stranger { remote, ignored_until });
            }
            return None;
        }
        let uri = String::from_utf8_lossy(&request.uri.to_bytes()).into_owned();
        let settings = &self.settings;
        let credentials = |user: &str| credentials(settings, user);
        let values = values.iter().map(|value| &value[..]);
        match self.digest.verify(&request.method.to_string(), values, &uri, &credentials, now) {
            Verdict::Accepted { user } => {
                self.gate.succeeded(remote.ip());
                who(&self.settings, &user)
            }
            Verdict::Missing => self.challenge(inbound, false),
            Verdict::Stale => self.challenge(inbound, true),
            Verdict::Wrong => {
                self.tell(Event::LoginFailed { remote });
                match self.gate.failed(remote.ip(), now) {
                    Some(ignored_until) => {
                        self.refuse(inbound, 403, &[]);
                        self.tell(Event::Stranger { remote, ignored_until });
                        None
                    }
                    None => self.challenge(inbound, false),
                }
            }
        }
    }

    fn challenge(&mut self, inbound: &Inbound, stale: bool) -> Option<LoggedIn> {
        let challenges = self.digest.challenges(stale, inbound.now);
        let headers: Vec<_> =
            challenges.iter().map(|value| (HeaderName::WwwAuthenticate, value.as_str())).collect();
        self.refuse(inbound, 401, &headers);
        None
    }

    /// Whether a request other than INVITE and REGISTER comes from someone we know; strangers are
    /// answered here.
    pub(super) fn is_known_source(&mut self, inbound: &Inbound) -> bool {
        if self.gate.recognise(inbound.flow.remote.ip()).is_some() || self.is_registered(inbound) {
            return true;
        }
        let remote = inbound.flow.remote;
        if let Known::Stranger { first: true, ignored_until } =
            self.gate.judge(remote.ip(), false, inbound.now)
        {
            self.refuse(inbound, 403, &[]);
            self.tell(Event::Stranger { remote, ignored_until });
        }
        false
    }

    /// Whether it comes from a phone that is registered here, or from a trunk's server where we are.
    pub(super) fn is_registered(&self, inbound: &Inbound) -> bool {
        self.registered_phone(inbound).is_some() || self.registered_trunk(inbound).is_some()
    }

    /// The agent named in From, if this is the way its phone registered.
    fn registered_phone(&self, inbound: &Inbound) -> Option<AgentId> {
        let agent = AgentId(wire::user_of(&inbound.head.from.uri)?);
        let bindings = self.registrar.bindings(&agent, inbound.now);
        bindings.iter().any(|binding| same_way(&binding.flow, &inbound.flow)).then_some(agent)
    }

    /// Whether From or the Request-URI (To of a REGISTER) names someone who has a password.
    fn names_a_user(&self, inbound: &Inbound) -> bool {
        let named = if inbound.request.method == Method::Register {
            &inbound.head.to.uri
        } else {
            &inbound.request.uri
        };
        [&inbound.head.from.uri, named]
            .into_iter()
            .filter_map(wire::user_of)
            .any(|user| credentials(&self.settings, &user).is_some())
    }
}

fn same_way(a: &Flow, b: &Flow) -> bool {
    match a.transport {
        Transport::Udp => a.transport == b.transport && a.remote == b.remote,
        Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
            a.transport == b.transport && a.connection == b.connection
        }
    }
}

fn credentials(settings: &Settings, user: &str) -> Option<SipCredentials> {
    match who(settings, user)? {
        LoggedIn::Agent(agent) => settings.agents.get(&agent).map(|agent| agent.credentials.clone()),
        LoggedIn::Trunk(trunk) => settings.trunks.get(&trunk).and_then(|trunk| trunk.digest.clone()),
    }
}

/// Whose SIP user name this is. Agents come first; their name is their user name.
fn who(settings: &Settings, user: &str) -> Option<LoggedIn> {
    let agent = AgentId(user.to_owned());
    if settings.agents.contains_key(&agent) {
        return Some(LoggedIn::Agent(agent));
    }
    let of_trunk =
        |trunk: &crate::settings::Trunk| trunk.digest.as_ref().is_some_and(|digest| digest.user == user);
    settings.trunks.iter().find(|(_, trunk)| of_trunk(trunk)).map(|(id, _)| LoggedIn::Trunk(id.clone()))
}
