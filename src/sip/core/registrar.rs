//! Where the agents' phones are: the bindings of RFC 3261 §10.3, kept in memory, bounded, with an end.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use super::loans::Lent;
use super::{Flow, Media, Phones, Transport, uri};
use crate::ids::AgentId;
use crate::time::Timestamp;

/// One phone of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The URI it wants to be reached at.
    pub contact: String,
    /// The way its REGISTER came: requests go back this way, whatever the URI says.
    pub flow: Flow,
    /// When it ends.
    pub expires: Timestamp,
    /// The Call-ID of the REGISTER that made or refreshed it.
    pub call_id: String,
    /// Its CSeq.
    pub cseq: u32,
    /// What the phone speaks.
    pub media: Media,
    /// Which phone it is, if that says so.
    pub instance: Option<Instance>,
    /// What it logged on with, if that was lent: they end together.
    pub lent: Option<Lent>,
}

/// A phone, by its number and that of its connection (RFC 5626 §4.1): wherever it registers from, it is the same
/// one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// `+sip.instance` without its quotes.
    pub id: String,
    /// `reg-id`.
    pub reg_id: u32,
}

impl Binding {
    /// Whole seconds left, rounded up, for the response's `expires` parameter.
    #[must_use]
    pub fn seconds_left(&self, now: Timestamp) -> u32 {
        u32::try_from(self.expires.since(now).as_micros().div_ceil(1_000_000)).unwrap_or(u32::MAX)
    }
}

/// The Contact header fields of a REGISTER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// One at least.
    List(Vec<Contact>),
    /// `*`.
    RemoveAll,
    /// None: what is there?
    Query,
}

/// One value of Contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The URI.
    pub uri: String,
    /// Its own `expires` parameter, in seconds.
    pub expires: Option<u32>,
    /// Which phone it is.
    pub instance: Option<Instance>,
}

/// An authenticated REGISTER.
#[derive(Clone, Debug)]
pub struct Registration {
    /// What it asks.
    pub contacts: Contacts,
    /// The Expires header, in seconds.
    pub expires: Option<u32>,
    /// Its Call-ID.
    pub call_id: String,
    /// Its CSeq number.
    pub cseq: u32,
    /// The way it came.
    pub flow: Flow,
    /// What the phone speaks.
    pub media: Media,
    /// What it logged on with, if that is lent.
    pub lent: Option<Lent>,
}

/// Why a REGISTER was refused. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// 423: ask again with at least this.
    #[error("the registration is too brief: ask for at least {min_expires} s")]
    TooBrief {
        /// The Min-Expires header's value, in seconds.
        min_expires: u32,
    },
    /// 400: `Contact: *` means "remove all" and needs `Expires: 0`.
    #[error("Contact * without Expires: 0")]
    StarWithoutZero,
    /// 403: more contacts in one request than an agent may have.
    #[error("{asked} contacts at once, at most {allowed} are allowed")]
    TooMany {
        /// How many the request has.
        asked: usize,
        /// The limit.
        allowed: usize,
    },
    /// 500: a later request of the same Call-ID was served before.
    #[error("out of order: this Call-ID's CSeq {last} was served before")]
    OutOfOrder {
        /// The CSeq it had.
        last: u32,
    },
}

impl RegisterError {
    /// The SIP status to answer with (RFC 3261 §10.3).
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TooBrief { .. } => 423,
            Self::StarWithoutZero => 400,
            Self::TooMany { .. } => 403,
            Self::OutOfOrder { .. } => 500,
        }
    }
}

/// The bindings of all agents. After each `register`, `flow_closed`, `retain`, `classify`, `end_loan` and
/// `handle_timeout` drain [`Registrar::poll_change`].
#[derive(Debug)]
pub struct Registrar {
    min_expires: u32,
    max_expires: u32,
    default_expires: u32,
    max_bindings: usize,
    agents: HashMap<AgentId, Vec<Binding>>,
    /// Each agent's next expiry; one entry an agent.
    deadlines: BTreeSet<(Timestamp, AgentId)>,
    /// Which agents have a binding over a TCP connection.
    connections: BTreeMap<u64, Vec<AgentId>>,
    changes: VecDeque<(AgentId, Phones)>,
    count: usize,
}

impl Registrar {
    /// Expiries in seconds: below `min_expires` is refused, above `max_expires` is cut, none asked
    /// means `default_expires`. `max_bindings` is for one agent.
    #[must_use]
    pub fn new(min_expires: u32, max_expires: u32, default_expires: u32, max_bindings: usize) -> Self {
        Self {
            min_expires: min_expires.min(3_600), // RFC 3261 §10.3: an hour may not be called too brief
            max_expires,
            default_expires,
            max_bindings,
            agents: HashMap::new(),
            deadlines: BTreeSet::new(),
            connections: BTreeMap::new(),
            changes: VecDeque::new(),
            count: 0,
        }
    }

    /// Serves an authenticated REGISTER for `agent`, whole or not at all; the bindings after it go
    /// into the 200. An agent with `max_bindings` phones gets a new one for the one refreshed longest
    /// ago: a phone that restarts on a new port must not lock its user out.
    ///
    /// # Errors
    /// What the RFC says to refuse, see [`RegisterError`].
    pub fn register(
        &mut self,
        agent: &AgentId,
        registration: Registration,
        now: Timestamp,
    ) -> Result<Vec<Binding>, RegisterError> {
        let bindings = self.bindings(agent, now);
        let bindings = match &registration.contacts {
            Contacts::Query => return Ok(bindings),
            Contacts::RemoveAll if registration.expires != Some(0) => {
                return Err(RegisterError::StarWithoutZero);
            }
            Contacts::RemoveAll => {
                bindings.iter().try_for_each(|binding| in_order(binding, &registration))?;
                Vec::new()
            }
            Contacts::List(contacts) => self.bind(bindings, contacts, &registration, now)?,
        };
        self.replace(agent, bindings.clone());
        Ok(bindings)
    }

    /// Where `agent` can be reached now, the most recently refreshed last.
    #[must_use]
    pub fn bindings(&self, agent: &AgentId, now: Timestamp) -> Vec<Binding> {
        let all = self.agents.get(agent).map_or(&[][..], Vec::as_slice);
        all.iter().filter(|binding| binding.expires > now).cloned().collect()
    }

    /// A TCP connection is gone, and the bindings over it with it. Does nothing for UDP.
    pub fn flow_closed(&mut self, flow: &Flow) {
        let Some(connection) = connection(flow) else { return };
        for agent in self.connections.get(&connection).cloned().unwrap_or_default() {
            self.keep(&agent, |binding| binding.flow.connection != connection);
        }
    }

    /// The numbers of the TCP connections some phone is reached over.
    pub fn connections(&self) -> impl Iterator<Item = u64> {
        self.connections.keys().copied()
    }

    /// Drops the bindings of agents that are no more.
    pub fn retain(&mut self, keep: impl Fn(&AgentId) -> bool) {
        let gone: Vec<_> = self.agents.keys().filter(|agent| !keep(agent)).cloned().collect();
        for agent in gone {
            self.replace(&agent, Vec::new());
        }
    }

    /// Phones speak what `media` says from now on: it depends on settings.
    pub fn classify(&mut self, media: impl Fn(&AgentId, Transport) -> Media) {
        let differs = |agent: &AgentId, b: &Binding| b.media != media(agent, b.flow.transport);
        let agents = self.agents.iter().filter(|(agent, list)| list.iter().any(|b| differs(agent, b)));
        let agents: Vec<AgentId> = agents.map(|(agent, _)| agent.clone()).collect();
        for agent in agents {
            let mut list = self.agents.get(&agent).cloned().unwrap_or_default();
            list.iter_mut().for_each(|b| b.media = media(&agent, b.flow.transport));
            self.replace(&agent, list);
        }
    }

    /// Drops what an agent's phones registered with a user name that is lent no more.
    pub fn end_loan(&mut self, agent: &AgentId, user: &str) {
        self.keep(agent, |binding| binding.lent.as_ref().is_none_or(|lent| lent.user != user));
    }

    /// When to call [`Registrar::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Drops what has expired.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some((_, agent)) = self.deadlines.first().filter(|(at, _)| *at <= now).cloned() {
            self.keep(&agent, |binding| binding.expires > now);
        }
    }

    /// The kinds of an agent's phones have changed, or one came over a new WebSocket connection; in order.
    pub fn poll_change(&mut self) -> Option<(AgentId, Phones)> {
        self.changes.pop_front()
    }

    /// How many bindings there are, expired ones included until `handle_timeout`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    /// `bindings` after adding, refreshing and removing `contacts`.
    fn bind(
        &self,
        mut bindings: Vec<Binding>,
        contacts: &[Contact],
        registration: &Registration,
        now: Timestamp,
    ) -> Result<Vec<Binding>, RegisterError> {
        if contacts.len() > self.max_bindings {
            return Err(RegisterError::TooMany { asked: contacts.len(), allowed: self.max_bindings });
        }
        let named = |binding: &&Binding| contacts.iter().any(|contact| contact.is_of(binding));
        bindings.iter().filter(named).try_for_each(|binding| in_order(binding, registration))?;
        for contact in contacts {
            let seconds = self.seconds(contact.expires.or(registration.expires))?;
            bindings.retain(|binding| !contact.is_of(binding));
            if seconds > 0 {
                let expires = now + Duration::from_secs(seconds.into());
                let lent = registration.lent.clone();
                bindings.push(Binding {
                    contact: contact.uri.clone(),
                    flow: registration.flow,
                    expires: lent.as_ref().map_or(expires, |lent| expires.min(lent.until)),
                    call_id: registration.call_id.clone(),
                    cseq: registration.cseq,
                    media: registration.media,
                    instance: contact.instance.clone(),
                    lent,
                });
            }
        }
        let surplus = bindings.len().saturating_sub(self.max_bindings);
        bindings.drain(..surplus); // a refreshed binding moved to the end
        Ok(bindings)
    }

    /// What the phone gets when it asks for this.
    fn seconds(&self, asked: Option<u32>) -> Result<u32, RegisterError> {
        match asked {
            Some(0) => Ok(0),
            Some(brief) if brief < self.min_expires => {
                Err(RegisterError::TooBrief { min_expires: self.min_expires })
            }
            asked => Ok(asked.unwrap_or(self.default_expires).min(self.max_expires)),
        }
    }

    fn keep(&mut self, agent: &AgentId, keep: impl Fn(&Binding) -> bool) {
        let Some(bindings) = self.agents.get(agent) else { return };
        let left = bindings.iter().filter(|binding| keep(binding)).cloned().collect();
        self.replace(agent, left);
    }

    /// The only place where bindings change: keeps the two indexes and the changes right.
    fn replace(&mut self, agent: &AgentId, new: Vec<Binding>) {
        let on = !new.is_empty();
        let now_there = phones(&new);
        let web = |list: &[Binding]| -> BTreeSet<u64> {
            list.iter().filter(|b| b.flow.transport.is_web()).map(|b| b.flow.connection).collect()
        };
        let web_now = web(&new);
        self.count += new.len();
        let next = new.iter().map(|binding| binding.expires).min();
        let over: BTreeSet<u64> = new.iter().filter_map(|binding| connection(&binding.flow)).collect();
        let old = if on { self.agents.insert(agent.clone(), new) } else { self.agents.remove(agent) };
        let old = old.unwrap_or_default();
        self.count -= old.len();
        if let Some(before) = old.iter().map(|binding| binding.expires).min() {
            self.deadlines.remove(&(before, agent.clone()));
        }
        self.deadlines.extend(next.map(|at| (at, agent.clone())));
        let was_over: BTreeSet<u64> = old.iter().filter_map(|binding| connection(&binding.flow)).collect();
        for gone in was_over.difference(&over) {
            if let Some(agents) = self.connections.get_mut(gone) {
                agents.retain(|other| other != agent);
                if agents.is_empty() {
                    self.connections.remove(gone);
                }
            }
        }
        for came in over.difference(&was_over) {
            self.connections.entry(*came).or_default().push(agent.clone());
        }
        if phones(&old) != now_there || !web_now.is_subset(&web(&old)) {
            self.changes.push_back((agent.clone(), now_there));
        }
    }
}

impl Contact {
    /// Whether it is about the same phone (RFC 3261 §10.3 step 7; RFC 5626 §6).
    fn is_of(&self, binding: &Binding) -> bool {
        let same_phone = self.instance.is_some() && self.instance == binding.instance;
        same_phone || uri::same(&binding.contact, &self.uri)
    }
}

fn phones(bindings: &[Binding]) -> Phones {
    let any = |media| bindings.iter().any(|binding| binding.media == media);
    Phones { rtp: any(Media::Rtp), webrtc: any(Media::Webrtc) }
}

fn connection(flow: &Flow) -> Option<u64> {
    match flow.transport {
        Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => Some(flow.connection),
        Transport::Udp => None,
    }
}

/// RFC 3261 §10.3 step 7: within a Call-ID, CSeq must grow.
fn in_order(binding: &Binding, registration: &Registration) -> Result<(), RegisterError> {
    if binding.call_id == registration.call_id && registration.cseq <= binding.cseq {
        return Err(RegisterError::OutOfOrder { last: binding.cseq });
    }
    Ok(())
}

#[cfg(test)]
#[path = "registrar_tests.rs"]
mod tests;
