//! Who sends a request outside a dialog: a trunk, an agent's phone, or a stranger, who is refused
//! once and then ignored.
//!
//! A phone is known by the connection it registered on. Over UDP that would be its address, which anybody can
//! write into a datagram: its INVITEs are challenged there. What comes inside a dialog is guarded by the
//! dialog's tags and the other side's address (see `spoof`).

use std::borrow::Cow;

use super::digest::{Ask, Verdict};
use super::endpoint::Endpoint;
use super::gate::{Known, LogIn};
use super::guard::RETRY_LOG_IN;
use super::io::{Event, Flow, Source, Transport};
use super::loans::{Lent, Loans};
use super::respond::Inbound;
use super::wire::{self, HeaderName};
use crate::ids::{AgentId, TrunkId};
use crate::settings::{Settings, SipCredentials};
use crate::time::Timestamp;

/// Who has shown the right password.
pub(super) enum LoggedIn {
    /// Its phone; and with what, if that was lent.
    Agent(AgentId, Option<Lent>),
    Trunk(TrunkId),
}

impl Endpoint {
    /// Who sent an INVITE; `None`: it was answered, or is ignored.
    pub(super) fn source_of(&mut self, inbound: &Inbound) -> Option<Source> {
        match self.registered_phone(inbound) {
            Some(agent) if !inbound.flow.transport.is_datagram() => return Some(Source::Agent(agent)),
            Some(_) => {}
            None => {
                let by_network = self.gate.recognise(inbound.flow.remote.ip());
                if let Some(trunk) = by_network.or_else(|| self.registered_trunk(inbound)) {
                    return Some(Source::Trunk(trunk));
                }
            }
        }
        self.log_in(inbound).map(|who| match who {
            LoggedIn::Agent(agent, _) => Source::Agent(agent),
            LoggedIn::Trunk(trunk) => Source::Trunk(trunk),
        })
    }

    /// Asks for a password and checks it; `None`: answered, or ignored.
    pub(super) fn log_in(&mut self, inbound: &Inbound) -> Option<LoggedIn> {
        let Inbound { request, flow, now, .. } = inbound;
        let (remote, now) = (flow.remote, *now);
        let log_in = if self.tries_to_log_in(inbound) { LogIn::Tries } else { LogIn::Could };
        // A phone that is logged on already may share its address with a stranger.
        if !self.is_registered(inbound)
            && let Known::Stranger { first, ignored_until } = self.gate.judge(remote.ip(), log_in, now)
        {
            if first {
                self.refuse(inbound, 403, &[]);
                self.tell(Event::Stranger { remote, ignored_until });
            }
            return None;
        }
        let uri = String::from_utf8_lossy(&request.uri.to_bytes()).into_owned();
        let (settings, loans, gate) = (&self.settings, &self.loans, &mut self.gate);
        let credentials = |user: &str| credentials(settings, loans, user, now);
        let mut may_try = |user: &str| gate.may_try(remote.ip(), user, now);
        let values = authorization(inbound);
        let values = values.iter().map(|value| &value[..]);
        let ask = Ask { method: &request.method.to_string(), uri: &uri, remote: remote.ip() };
        match self.digest.verify(ask, values, &credentials, &mut may_try, now) {
            Verdict::Accepted { user } => {
                self.gate.succeeded(remote.ip(), &user);
                match who(&self.settings, &self.loans, &user, now) {
                    // Lent to pages, whose phones come by WebSocket; elsewhere it was taken from one.
                    Some(LoggedIn::Agent(_, Some(_))) if !of_page(flow.transport) => {
                        self.refuse(inbound, 403, &[]);
                        None
                    }
                    who => who,
                }
            }
            Verdict::Missing | Verdict::Unusable => self.challenge(inbound, false),
            Verdict::Stale => self.challenge(inbound, true),
            Verdict::Throttled => {
                self.refuse(inbound, 503, &[(HeaderName::RetryAfter, &RETRY_LOG_IN.to_string())]);
                None
            }
            Verdict::Wrong { user } => {
                self.tell(Event::LoginFailed { remote });
                match self.gate.failed(remote.ip(), &user, now) {
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

    /// Whether it bears credentials for a challenge that this source was given.
    pub(super) fn tries_to_log_in(&self, inbound: &Inbound) -> bool {
        let values = authorization(inbound);
        let values = values.iter().map(|value| &value[..]);
        self.digest.answers_challenge(values, inbound.flow.remote.ip(), inbound.now)
    }

    /// Whether a request from there may be answered: a stranger's datagrams get few answers.
    pub(super) fn may_answer(&mut self, flow: &Flow, now: Timestamp) -> bool {
        match self.gate.answers(flow, now) {
            Ok(may) => may,
            Err(ignored_until) => {
                self.tell(Event::Stranger { remote: flow.remote, ignored_until });
                false
            }
        }
    }

    fn challenge(&mut self, inbound: &Inbound, stale: bool) -> Option<LoggedIn> {
        let challenges = self.digest.challenges(stale, inbound.flow.remote.ip(), inbound.now);
        let headers: Vec<_> =
            challenges.iter().map(|value| (HeaderName::WwwAuthenticate, value.as_str())).collect();
        self.refuse(inbound, 401, &headers);
        None
    }

    /// Whether a request other than INVITE and REGISTER comes from someone we know; strangers are
    /// answered here.
    pub(super) fn is_known_source(&mut self, inbound: &Inbound) -> bool {
        let remote = inbound.flow.remote;
        if self.gate.is_known(remote.ip()) || self.is_registered(inbound) {
            return true;
        }
        if let Known::Stranger { first: true, ignored_until } =
            self.gate.judge(remote.ip(), LogIn::No, inbound.now)
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
}

/// The values of Authorization and Proxy-Authorization.
fn authorization(inbound: &Inbound) -> Vec<Cow<'_, [u8]>> {
    let headers = &inbound.request.headers;
    let own = headers.get_all(&HeaderName::Authorization);
    own.chain(headers.get_all(&HeaderName::ProxyAuthorization)).map(|header| header.value()).collect()
}

const fn of_page(transport: Transport) -> bool {
    match transport {
        Transport::Ws | Transport::Wss => true,
        Transport::Udp | Transport::Tcp | Transport::Tls => false,
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

fn credentials(settings: &Settings, loans: &Loans, user: &str, now: Timestamp) -> Option<SipCredentials> {
    match who(settings, loans, user, now)? {
        LoggedIn::Agent(_, Some(lent)) => loans.credentials(&lent.user, now).cloned(),
        LoggedIn::Agent(agent, None) => settings.agents.get(&agent)?.credentials.clone(),
        LoggedIn::Trunk(trunk) => settings.trunks.get(&trunk).and_then(|trunk| trunk.digest.clone()),
    }
}

/// Whose SIP user name this is. Agents come first; their name is their user name. Then what is lent to them.
fn who(settings: &Settings, loans: &Loans, user: &str, now: Timestamp) -> Option<LoggedIn> {
    let agent = AgentId(user.to_owned());
    if settings.agents.contains_key(&agent) {
        return Some(LoggedIn::Agent(agent, None));
    }
    if let Some((agent, lent)) = loans.holder(user, now) {
        return settings.agents.contains_key(agent).then(|| LoggedIn::Agent(agent.clone(), Some(lent)));
    }
    let of_trunk =
        |trunk: &crate::settings::Trunk| trunk.digest.as_ref().is_some_and(|digest| digest.user == user);
    settings.trunks.iter().find(|(_, trunk)| of_trunk(trunk)).map(|(id, _)| LoggedIn::Trunk(id.clone()))
}
