//! Two endpoints and the bad network between them, in virtual time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::bench::{config, settings};
use crate::ids::TrunkId;
use crate::settings::{Outbound, Trunk};
use crate::sip::core::{Callee, Command, DialogId, Endpoint, EndpointConfig, Event, Flow, Output, Transport};
use crate::time::Timestamp;

/// What the network does to a datagram, in percent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    pub(super) loss: u64,
    pub(super) doubles: u64,
    /// The longest delay, in ms; datagrams overtake one another.
    pub(super) delay: u64,
}

/// A small generator (an LCG with xorshift), so that a seed tells the whole story.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = self.0 ^ (self.0 >> 33);
        (mixed >> 16) % limit.max(1)
    }
}

/// The two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum End {
    Phone,
    Server,
}

const ADDRESSES: [&str; 2] = ["10.0.0.2:5060", "10.0.0.1:5060"];

pub(super) struct Pair {
    pub(super) now: Timestamp,
    ends: [Endpoint; 2],
    pub(super) events: [VecDeque<Event>; 2],
    /// How often each dialog of each end ended.
    pub(super) ended: HashMap<(End, DialogId), u32>,
    network: Network,
    dice: Dice,
    wire: BTreeMap<(Timestamp, u64), (End, Flow, Bytes)>,
    sent: u64,
}

impl Pair {
    pub(super) fn new(network: Network, seed: u64) -> Self {
        Self::with(network, seed, |_| {})
    }

    /// With another configuration at both ends.
    pub(super) fn with(network: Network, seed: u64, change: fn(&mut EndpointConfig)) -> Self {
        let end = |own: &str, other: &str, key: u8| {
            let network = format!("{}/32", other.split(':').next().unwrap());
            let mut config = config(own);
            change(&mut config);
            Endpoint::new(config, [key; 32], Arc::new(settings(&[&network], &[])))
        };
        let [phone, server] = ADDRESSES;
        Self {
            now: Timestamp::from_micros(1_000_000_000_000),
            ends: [end(phone, server, 1), end(server, phone, 2)],
            events: [VecDeque::new(), VecDeque::new()],
            ended: HashMap::new(),
            network,
            dice: Dice(seed),
            wire: BTreeMap::new(),
            sent: 0,
        }
    }

    /// The network is another from now on.
    pub(super) fn network(&mut self, network: Network) {
        self.network = network;
    }

    /// The phone's end is a server with this trunk, registered at the other end, which knows it as an
    /// agent, too.
    pub(super) fn with_trunk(mut self, outbound: Outbound) -> Self {
        let known = Arc::new(settings(&["10.0.0.2/32"], &["ada"]));
        let mut own = settings(&[], &[]);
        let trunk = Trunk { outbound: Some(outbound), ..Trunk::default() };
        own.trunks.insert(TrunkId::from("carrier"), Arc::new(trunk));
        let now = self.now;
        self.end(End::Server).settings(known, now);
        self.end(End::Phone).settings(Arc::new(own), now);
        self.drain(End::Phone);
        self
    }

    pub(super) fn end(&mut self, end: End) -> &mut Endpoint {
        &mut self.ends[end as usize]
    }

    pub(super) fn command(&mut self, end: End, command: Command) {
        let now = self.now;
        self.end(end).command(command, now);
        self.drain(end);
    }

    /// The phone calls the server.
    pub(super) fn dial(&mut self) -> DialogId {
        let dialog = self.end(End::Phone).new_dialog();
        let remote = ADDRESSES[1].parse().unwrap();
        let to = Callee::Uri {
            uri: "sip:100@10.0.0.1".to_owned(),
            remote,
            transport: Transport::Udp,
            login: None,
        };
        let (from, sdp) = ("+4930123".to_owned(), Bytes::from_static(b"offer"));
        self.command(End::Phone, Command::Invite { dialog, to, from, sdp, particulars: Box::default() });
        dialog
    }

    fn drain(&mut self, end: End) {
        while let Some(output) = self.ends[end as usize].poll_output() {
            match output {
                Output::Send { flow, bytes } => self.carry(end, flow, &bytes),
                Output::Resolve(query, _) => {
                    let other = ADDRESSES[1 - end as usize].parse().unwrap();
                    let now = self.now;
                    self.ends[end as usize].resolved(query, vec![(Transport::Udp, other)], now);
                }
                Output::Close(flow) => panic!("no connection to close: {flow:?}"),
                Output::Event(event) => {
                    if let Event::Ended { dialog, .. } = &event {
                        *self.ended.entry((end, *dialog)).or_default() += 1;
                    }
                    self.events[end as usize].push_back(event);
                }
            }
        }
    }

    fn carry(&mut self, from: End, flow: Flow, bytes: &Bytes) {
        let to = if from == End::Phone { End::Server } else { End::Phone };
        assert_eq!(flow.remote.to_string(), ADDRESSES[to as usize], "sent to nowhere");
        let copies = 1 + u64::from(self.dice.below(100) < self.network.doubles);
        for _ in 0..copies {
            if self.dice.below(100) < self.network.loss {
                continue;
            }
            self.sent += 1;
            let at = self.now + Duration::from_millis(1 + self.dice.below(self.network.delay));
            let back = Flow { local: flow.remote, remote: flow.local, ..flow };
            self.wire.insert((at, self.sent), (to, back, bytes.clone()));
        }
    }

    /// The next thing that happens, up to `end`; `false`: nothing before that.
    pub(super) fn step(&mut self, end: Timestamp) -> bool {
        let timers = self.ends.iter().filter_map(Endpoint::poll_timeout).min();
        let datagram = self.wire.first_key_value().map(|(place, _)| place.0);
        let Some(at) = timers.into_iter().chain(datagram).min().filter(|at| *at <= end) else {
            self.now = end;
            return false;
        };
        self.now = self.now.max(at);
        if datagram == Some(at) {
            let (_, (to, flow, bytes)) = self.wire.pop_first().unwrap();
            let now = self.now;
            self.end(to).receive(flow, bytes, now);
            self.drain(to);
        } else {
            for end in [End::Phone, End::Server] {
                let now = self.now;
                self.end(end).handle_timeout(now);
                self.drain(end);
            }
        }
        true
    }

    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
    }

    /// Takes the first event of an end for which `pick` has an answer, waiting up to 60 s.
    pub(super) fn wait<T>(&mut self, end: End, pick: impl Fn(&Event) -> Option<T>) -> T {
        let limit = self.now + Duration::from_secs(60);
        loop {
            while let Some(event) = self.events[end as usize].pop_front() {
                if let Some(found) = pick(&event) {
                    return found;
                }
            }
            assert!(self.step(limit), "{end:?} waits in vain");
        }
    }

    /// After 64*T1 of quiet and a little, nothing is left at either end.
    pub(super) fn is_clean(&mut self) {
        self.pass(Duration::from_secs(41));
        for end in [End::Phone, End::Server] {
            let sizes = self.end(end).sizes();
            assert!(sizes.is_idle(), "{end:?}: {sizes:?}");
        }
        assert!(self.ended.values().all(|times| *times == 1), "{:?}", self.ended);
    }
}
