//! Who may call, and how much: trunks by network, strangers ignored for a while, limits per trunk. How much
//! each source may ask is in `guard`.
//!
//! A trunk whose networks are listed is trusted by its source address, over UDP too: that is the operator's
//! choice, for networks where addresses cannot be forged. A trunk with a password needs no networks.
//!
//! Every table is bounded, as each is filled by whoever finds our port.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::guard::{Answer, Guard, Standing, source};
use super::io::Flow;
use crate::ids::TrunkId;
use crate::settings::{Settings, Trunk};
use crate::time::Timestamp;

/// Addresses ignored at once, and addresses with failed log-ins at once; about 1 MB each.
const MAX_IGNORED: usize = 10_000;
/// Failed log-ins in a row that make an address a stranger.
const MAX_FAILURES: u32 = 5;
/// Seconds to wait when all of a trunk's calls are taken. A carrier sends us nothing meanwhile
/// (RFC 3261 §21.5.4), so not longer than it takes for some call to end.
const RETRY_WHEN_FULL: u32 = 5;
/// Seconds to wait when a trunk is allowed no call at all.
const RETRY_WHEN_SHUT: u32 = 60;
/// A call in the token bucket's unit: a token a second is then one unit a microsecond.
const CALL: u64 = 1_000_000;

/// What a request has to log in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogIn {
    /// It is not one to log in by.
    No,
    /// Nothing yet: it would be challenged.
    Could,
    /// Credentials for a challenge that this very source was given.
    Tries,
}

/// Who an out-of-dialog request may be from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// A trunk, by its network.
    Trunk(TrunkId),
    /// Some trunk or agent may be there: challenge.
    NeedsDigest,
    /// Nobody.
    Stranger {
        /// Answer 403 and tell; on later requests be silent.
        first: bool,
        /// Until when it is ignored.
        ignored_until: Timestamp,
    },
}

/// A trunk is at its limit: answer 503 with this Retry-After, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter(pub u32);

/// Recognises sources and counts calls.
pub struct Gate {
    settings: Arc<Settings>,
    networks: Networks,
    /// Whether anybody could log in.
    passwords: bool,
    ignore: Duration,
    /// Strangers who were refused: ignored unless they log in.
    ignored: Expiring<()>,
    /// Strangers who gave wrong passwords: ignored whatever they send.
    banned: Expiring<()>,
    failures: Expiring<u32>,
    pub(super) guard: Guard,
    trunks: HashMap<TrunkId, Load>,
}

impl Gate {
    /// A gate for `settings`; strangers are ignored for `ignore`. `seed` is a secret.
    #[must_use]
    pub fn new(settings: Arc<Settings>, ignore: Duration, seed: u64) -> Self {
        Self {
            networks: Networks::new(&settings),
            passwords: has_passwords(&settings),
            settings,
            ignore,
            ignored: Expiring::default(),
            banned: Expiring::default(),
            failures: Expiring::default(),
            guard: Guard::new(seed),
            trunks: HashMap::new(),
        }
    }

    /// Takes new settings; calls already admitted stay counted.
    pub fn settings(&mut self, settings: Arc<Settings>) {
        self.networks = Networks::new(&settings);
        self.passwords = has_passwords(&settings);
        self.trunks.retain(|id, load| load.calls > 0 || settings.trunks.contains_key(id));
        self.settings = settings;
    }

    /// The trunk whose network holds `remote`, the longest prefix first.
    #[must_use]
    pub fn recognise(&self, remote: IpAddr) -> Option<TrunkId> {
        self.networks.find(remote).cloned()
    }

    /// Whether a message from there is to be read.
    pub(super) fn takes(&mut self, flow: &Flow, now: Timestamp) -> bool {
        let standing = self.standing(flow.remote.ip());
        if standing == Standing::Stranger && self.banned(flow.remote.ip(), now) {
            self.guard.refused.stranger_requests += 1;
            return false;
        }
        self.guard.takes(flow.remote, standing, !flow.transport.is_datagram(), now)
    }

    /// Whether a request from there may be answered; `Err`: a stranger has used up its answers just now, and
    /// is ignored until then.
    pub(super) fn answers(&mut self, flow: &Flow, now: Timestamp) -> Result<bool, Timestamp> {
        let remote = flow.remote.ip();
        if !flow.transport.is_datagram() || self.standing(remote) != Standing::Stranger {
            return Ok(true);
        }
        match self.guard.answers(remote, now) {
            Answer::Yes => Ok(true),
            Answer::Spent if !self.ignored(remote, now) => Err(self.refuse(remote, now)),
            Answer::Spent | Answer::Busy => Ok(false),
        }
    }

    /// What to make of an out-of-dialog request from `remote`. Whether the user it names exists makes no
    /// difference, so that nobody learns it. A stranger's first request here starts its time of being ignored.
    pub fn judge(&mut self, remote: IpAddr, log_in: LogIn, now: Timestamp) -> Known {
        if let Some(trunk) = self.recognise(remote) {
            return Known::Trunk(trunk);
        }
        let may_log_in = match log_in {
            LogIn::No => false,
            LogIn::Could => self.passwords && !self.ignored(remote, now),
            LogIn::Tries => !self.banned(remote, now),
        };
        if may_log_in {
            return Known::NeedsDigest;
        }
        let first = self.ignored.get(source(remote), now).is_none() && !self.banned(remote, now);
        Known::Stranger { first, ignored_until: self.refuse(remote, now) }
    }

    /// Whether requests from `remote` get no answer, unless they log in. Never so for a trunk's address (an
    /// agent behind it with a wrong password must not cut the trunk off), nor where somebody has logged in.
    #[must_use]
    pub fn ignored(&self, remote: IpAddr, now: Timestamp) -> bool {
        (self.ignored.get(source(remote), now).is_some() || self.banned(remote, now))
            && self.standing(remote) == Standing::Stranger
    }

    fn banned(&self, remote: IpAddr, now: Timestamp) -> bool {
        self.banned.get(source(remote), now).is_some()
    }

    /// Whether `remote` is a trunk's, or has shown who it is.
    pub(super) fn is_known(&self, remote: IpAddr) -> bool {
        self.standing(remote) != Standing::Stranger
    }

    /// A trunk by its network, somebody who has shown who it is, or anybody.
    fn standing(&self, remote: IpAddr) -> Standing {
        if self.networks.find(remote).is_some() {
            Standing::Trunk
        } else if self.guard.is_peer(remote) {
            Standing::Peer
        } else {
            Standing::Stranger
        }
    }

    /// Ignores `remote` from now on; says until when. Being ignored already is not prolonged.
    pub fn refuse(&mut self, remote: IpAddr, now: Timestamp) -> Timestamp {
        self.ignored.entry(source(remote), now, now + self.ignore).1
    }

    /// Whether a password for `user` from `remote` is looked at: `false` when there were too many wrong ones.
    pub fn may_try(&mut self, remote: IpAddr, user: &str, now: Timestamp) -> bool {
        let standing = self.standing(remote);
        self.guard.may_try(remote, user, standing, now)
    }

    /// A password for `user` from `remote` was wrong. After five in a row (within an hour) a stranger is
    /// ignored until the returned time; others are slowed.
    pub fn failed(&mut self, remote: IpAddr, user: &str, now: Timestamp) -> Option<Timestamp> {
        let standing = self.standing(remote);
        self.guard.failed(remote, user, standing, now);
        if standing != Standing::Stranger {
            return None;
        }
        let source = source(remote);
        let (count, _) = self.failures.entry(source, now, now + Duration::from_secs(3_600));
        *count += 1;
        if *count < MAX_FAILURES {
            return None;
        }
        self.failures.remove(source);
        Some(self.banned.entry(source, now, now + self.ignore).1)
    }

    /// `user` has logged in from `remote`: its failures are forgotten, and it keeps its way.
    pub fn succeeded(&mut self, remote: IpAddr, user: &str) {
        self.failures.remove(source(remote));
        self.guard.succeeded(remote, user);
    }

    /// `remote` has answered a request of ours, or spoken in a dialog of its own.
    pub(super) fn befriend(&mut self, remote: IpAddr) {
        self.guard.befriend(remote);
    }

    /// Counts a new call of `trunk` in, unless it is at one of its limits. Each call admitted must be
    /// [released](Self::release) once.
    ///
    /// # Errors
    /// [`RetryAfter`] for the 503.
    pub fn admit(&mut self, trunk: &TrunkId, now: Timestamp) -> Result<(), RetryAfter> {
        // A trunk that is no more was recognised before the settings changed.
        let Some(limits) = self.settings.trunks.get(trunk) else { return Err(RetryAfter(RETRY_WHEN_SHUT)) };
        self.trunks.entry(trunk.clone()).or_default().admit(limits, now)
    }

    /// A call of `trunk` that was admitted is over.
    pub fn release(&mut self, trunk: &TrunkId) {
        let Some(load) = self.trunks.get_mut(trunk) else { return };
        load.calls = load.calls.saturating_sub(1);
        if load.calls == 0 && !self.settings.trunks.contains_key(trunk) {
            self.trunks.remove(trunk);
        }
    }

    /// The calls of `trunk` that are admitted and not released.
    #[must_use]
    pub fn calls(&self, trunk: &TrunkId) -> u32 {
        self.trunks.get(trunk).map_or(0, |load| load.calls)
    }
}

/// A trunk's calls, and its token bucket: it holds a second's worth of calls and begins full.
#[derive(Default)]
struct Load {
    calls: u32,
    bucket: Option<Bucket>,
}

struct Bucket {
    level: u64,
    at: Timestamp,
}

impl Load {
    fn admit(&mut self, limits: &Trunk, now: Timestamp) -> Result<(), RetryAfter> {
        if let Some(max) = limits.max_calls
            && self.calls >= max
        {
            return Err(RetryAfter(if max == 0 { RETRY_WHEN_SHUT } else { RETRY_WHEN_FULL }));
        }
        if let Some(rate) = limits.calls_per_second {
            if rate == 0 {
                return Err(RetryAfter(RETRY_WHEN_SHUT));
            }
            self.take_token(rate.into(), now)?;
        }
        self.calls += 1;
        Ok(())
    }

    /// `rate` is in calls a second.
    fn take_token(&mut self, rate: u64, now: Timestamp) -> Result<(), RetryAfter> {
        let full = rate * CALL;
        let bucket = self.bucket.get_or_insert(Bucket { level: full, at: now });
        let micros = u64::try_from(now.since(bucket.at).as_micros()).unwrap_or(u64::MAX);
        bucket.level = bucket.level.saturating_add(micros.saturating_mul(rate)).min(full);
        bucket.at = bucket.at.max(now);
        match bucket.level.checked_sub(CALL) {
            Some(left) => {
                bucket.level = left;
                Ok(())
            }
            // The next token is at most a second away.
            None => Err(RetryAfter(1)),
        }
    }
}

/// The trunks' networks: one table for each prefix length in use, the longest first.
struct Networks {
    v4: BTreeMap<std::cmp::Reverse<u8>, HashMap<IpAddr, TrunkId>>,
    v6: BTreeMap<std::cmp::Reverse<u8>, HashMap<IpAddr, TrunkId>>,
}

impl Networks {
    fn new(settings: &Settings) -> Self {
        let mut networks = Self { v4: BTreeMap::new(), v6: BTreeMap::new() };
        for (id, trunk) in &settings.trunks {
            for net in &trunk.networks {
                let family = if net.addr().is_ipv4() { &mut networks.v4 } else { &mut networks.v6 };
                let table = family.entry(std::cmp::Reverse(net.prefix_len())).or_default();
                table.entry(net.network()).or_insert_with(|| id.clone());
            }
        }
        networks
    }

    fn find(&self, remote: IpAddr) -> Option<&TrunkId> {
        let remote = remote.to_canonical();
        let family = if remote.is_ipv4() { &self.v4 } else { &self.v6 };
        family.iter().find_map(|(length, table)| {
            let network = ipnet::IpNet::new(remote, length.0).expect("the length is of this family");
            table.get(&network.network())
        })
    }
}

/// Whether anybody has a password to log in with.
fn has_passwords(settings: &Settings) -> bool {
    !settings.agents.is_empty() || settings.trunks.values().any(|trunk| trunk.digest.is_some())
}

/// Values by source for a fixed time; at most [`MAX_IGNORED`], the oldest out.
struct Expiring<T> {
    values: HashMap<IpAddr, (T, Timestamp)>,
    /// In the order they were made; an entry whose time is not the value's is a removed one.
    order: VecDeque<(Timestamp, IpAddr)>,
}

impl<T> Default for Expiring<T> {
    fn default() -> Self {
        Self { values: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T: Default> Expiring<T> {
    fn get(&self, source: IpAddr, now: Timestamp) -> Option<&T> {
        self.values.get(&source).filter(|(_, until)| *until > now).map(|(value, _)| value)
    }

    /// The value of `source`, made now if there is none, and when it ends.
    fn entry(&mut self, source: IpAddr, now: Timestamp, until: Timestamp) -> (&mut T, Timestamp) {
        while self.order.front().is_some_and(|(at, _)| *at <= now) {
            self.drop_oldest();
        }
        if !self.values.contains_key(&source) {
            while self.order.len() >= MAX_IGNORED {
                self.drop_oldest();
            }
            self.order.push_back((until, source));
        }
        let (value, until) = self.values.entry(source).or_insert_with(|| (T::default(), until));
        (value, *until)
    }

    fn remove(&mut self, source: IpAddr) {
        self.values.remove(&source);
    }

    fn drop_oldest(&mut self) {
        if let Some((until, source)) = self.order.pop_front()
            && self.values.get(&source).is_some_and(|(_, at)| *at == until)
        {
            self.values.remove(&source);
        }
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
