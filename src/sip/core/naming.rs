//! Finding a SIP server by name (RFC 3263): which questions to ask the name service, and what order
//! its answers make. The shell asks; see [`Search`].

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use super::io::{Transport, Whereabouts};

/// More ways than this are not worth trying: a caller waits.
const MAX_WAYS: usize = 16;
/// A zone that leads from name to name for longer than this leads nowhere.
const MAX_QUESTIONS: usize = 32;

/// What we can send by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Means {
    /// Transports we have, each with whether it is for IPv4 (or else IPv6).
    pub ways: Vec<(Transport, bool)>,
}

impl Means {
    fn has(&self, transport: Transport) -> bool {
        self.ways.iter().any(|(ours, _)| *ours == transport)
    }

    fn reaches(&self, transport: Transport, ip: IpAddr) -> bool {
        self.ways.contains(&(transport, ip.is_ipv4()))
    }
}

/// A question to the name service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// NAPTR records of a domain.
    Naptr(String),
    /// SRV records of a service's name.
    Srv(String),
    /// A and AAAA records of a host.
    Addresses(String),
}

/// A NAPTR record (RFC 3403), as far as SIP uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Lower comes first.
    pub order: u16,
    /// Among equal orders, lower comes first.
    pub preference: u16,
    /// `s`: the replacement is a service's name; `a`: a host's.
    pub flags: String,
    /// `SIP+D2U` and its like.
    pub service: String,
    /// Where to look next.
    pub replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower comes first.
    pub priority: u16,
    /// Among equal priorities, its share of the draws.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; `.`: there is no such service.
    pub target: String,
}

/// What was answered. Nothing found is an empty list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// To [`Question::Naptr`].
    Naptr(Vec<Naptr>),
    /// To [`Question::Srv`].
    Srv(Vec<Srv>),
    /// To [`Question::Addresses`].
    Addresses(Vec<IpAddr>),
}

/// One search: while [`Search::question`] has one, ask it and hand the records to [`Search::answer`]; then
/// [`Search::found`] has the ways, best first. It may be cut short at any time.
#[derive(Debug)]
pub struct Search {
    means: Means,
    /// Still to be asked, the most wanted first.
    steps: VecDeque<Step>,
    /// What is asked when no service has a record.
    otherwise: Option<Step>,
    secure: bool,
    asked: usize,
    found: Vec<(Transport, SocketAddr)>,
    random: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Naptr(String),
    Srv(String, Transport),
    Addresses(String, u16, Transport),
}

impl Search {
    /// Begins a search (RFC 3263 §4.1). `random` makes the draws among SRV records of equal priority.
    #[must_use]
    pub fn new(wanted: &Whereabouts, means: &Means, random: u64) -> Self {
        let mut search = Self {
            means: means.clone(),
            steps: VecDeque::new(),
            otherwise: None,
            secure: wanted.secure,
            asked: 0,
            found: Vec::new(),
            random,
        };
        search.begin(wanted);
        search
    }

    fn begin(&mut self, wanted: &Whereabouts) {
        let host = wanted.host.trim_start_matches('[').trim_end_matches(']');
        let usual = match wanted.transport {
            Some(given) => secured(given, wanted.secure),
            None if wanted.secure => Some(Transport::Tls),
            // RFC 3263 §4.1 says UDP; who has no UDP socket can only try what he has.
            None => [Transport::Udp, Transport::Tcp, Transport::Tls].into_iter().find(|t| self.means.has(*t)),
        };
        let Some(usual) = usual.filter(|transport| self.means.has(*transport)) else { return };
        let port = wanted.port.unwrap_or(usual.default_port());
        if let Ok(ip) = host.parse::<IpAddr>() {
            return self.add(usual, SocketAddr::new(ip, port));
        }
        let addresses = Step::Addresses(host.to_owned(), port, usual);
        let has_service = service(usual).is_some();
        if wanted.port.is_some() || !has_service {
            self.steps.push_back(addresses);
            return;
        }
        self.otherwise = Some(addresses);
        match wanted.transport {
            Some(_) => self.ask_services(host, &[usual]),
            None => self.steps.push_back(Step::Naptr(host.to_owned())),
        }
    }

    /// What to ask next; `None`: all is known.
    #[must_use]
    pub fn question(&self) -> Option<Question> {
        if self.asked >= MAX_QUESTIONS || self.found.len() >= MAX_WAYS {
            return None;
        }
        Some(match self.steps.front()? {
            Step::Naptr(name) => Question::Naptr(name.clone()),
            Step::Srv(name, _) => Question::Srv(name.clone()),
            Step::Addresses(name, ..) => Question::Addresses(name.clone()),
        })
    }

    /// Takes the answer to [`Search::question`].
    pub fn answer(&mut self, records: Records) {
        let Some(step) = self.steps.pop_front() else { return };
        self.asked += 1;
        match (step, records) {
            (Step::Naptr(host), Records::Naptr(found)) => self.take_naptr(&host, found),
            (Step::Srv(_, transport), Records::Srv(found)) => self.take_srv(transport, found),
            (Step::Addresses(_, port, transport), Records::Addresses(mut found)) => {
                // Who gave us IPv6 sockets wants them used.
                found.sort_by_key(IpAddr::is_ipv4);
                for ip in found {
                    self.add(transport, SocketAddr::new(ip, port));
                }
            }
            // An answer to another question: as good as none.
            (Step::Naptr(_) | Step::Srv(..) | Step::Addresses(..), _) => {}
        }
        if self.steps.is_empty() {
            self.steps.extend(self.otherwise.take());
        }
    }

    /// The ways found, best first.
    #[must_use]
    pub fn found(self) -> Vec<(Transport, SocketAddr)> {
        self.found
    }

    /// RFC 3263 §4.1: of what we can speak, by order and preference; without any, the services of all
    /// transports we can speak.
    fn take_naptr(&mut self, host: &str, mut found: Vec<Naptr>) {
        found.sort_by_key(|record| (record.order, record.preference));
        let usable = found.iter().filter_map(|record| {
            let transport = of_service(&record.service)?;
            let allowed = self.means.has(transport) && (transport.is_secure() || !self.secure);
            let name = record.replacement.trim_end_matches('.').to_owned();
            if !allowed || name.is_empty() {
                return None;
            }
            match record.flags.to_ascii_lowercase().as_str() {
                "s" => Some(Step::Srv(name, transport)),
                "a" => Some(Step::Addresses(name, transport.default_port(), transport)),
                _ => None,
            }
        });
        let usable: Vec<Step> = usable.collect();
        if usable.is_empty() {
            self.ask_services(host, &[Transport::Udp, Transport::Tcp, Transport::Tls]);
        } else {
            self.steps.extend(usable);
        }
    }

    fn ask_services(&mut self, host: &str, transports: &[Transport]) {
        for transport in transports {
            let allowed = self.means.has(*transport) && (transport.is_secure() || !self.secure);
            if let Some(service) = service(*transport).filter(|_| allowed) {
                self.steps.push_back(Step::Srv(format!("{service}.{host}"), *transport));
            }
        }
    }

    fn take_srv(&mut self, transport: Transport, found: Vec<Srv>) {
        if found.is_empty() {
            return;
        }
        self.otherwise = None;
        let ordered = by_weight(found, || self.random_draw());
        for record in ordered.into_iter().rev() {
            let host = record.target.trim_end_matches('.');
            if !host.is_empty() && record.port != 0 {
                self.steps.push_front(Step::Addresses(host.to_owned(), record.port, transport));
            }
        }
    }

    fn add(&mut self, transport: Transport, at: SocketAddr) {
        let new = !self.found.contains(&(transport, at));
        let usable = at.port() != 0 && !at.ip().is_unspecified() && self.means.reaches(transport, at.ip());
        if new && usable && self.found.len() < MAX_WAYS {
            self.found.push((transport, at));
        }
    }

    /// The next of a row of numbers that the seed begins (splitmix64).
    fn random_draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// RFC 2782: by priority; among equals each place goes to a record by a draw among the weights left, those
/// without weight considered first.
fn by_weight(mut records: Vec<Srv>, mut draw: impl FnMut() -> u64) -> Vec<Srv> {
    records.sort_by_key(|record| (record.priority, record.weight));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let priority = first.priority;
        let same = records.iter().take_while(|record| record.priority == priority).count();
        let total: u64 = records[..same].iter().map(|record| u64::from(record.weight)).sum();
        let drawn = draw() % (total + 1);
        let mut sum = 0;
        let chosen = records[..same].iter().position(|record| {
            sum += u64::from(record.weight);
            sum >= drawn
        });
        ordered.push(records.remove(chosen.unwrap_or(0)));
    }
    ordered
}

/// `sips:` makes TLS of TCP, and has no UDP (RFC 3261 §26.2.2).
fn secured(transport: Transport, secure: bool) -> Option<Transport> {
    match transport {
        other if !secure => Some(other),
        Transport::Udp => None,
        Transport::Tcp | Transport::Tls => Some(Transport::Tls),
        Transport::Ws | Transport::Wss => Some(Transport::Wss),
    }
}

/// The SRV name's first labels (RFC 3263 §4.1); WebSocket servers have none.
fn service(transport: Transport) -> Option<&'static str> {
    match transport {
        Transport::Udp => Some("_sip._udp"),
        Transport::Tcp => Some("_sip._tcp"),
        Transport::Tls => Some("_sips._tcp"),
        Transport::Ws | Transport::Wss => None,
    }
}

/// NAPTR services (RFC 3263 §4.1, RFC 7118 §8.4).
fn of_service(service: &str) -> Option<Transport> {
    match service.to_ascii_uppercase().as_str() {
        "SIP+D2U" => Some(Transport::Udp),
        "SIP+D2T" => Some(Transport::Tcp),
        "SIPS+D2T" => Some(Transport::Tls),
        "SIP+D2W" => Some(Transport::Ws),
        "SIPS+D2W" => Some(Transport::Wss),
        _ => None,
    }
}

#[cfg(test)]
#[path = "naming_tests.rs"]
mod tests;
