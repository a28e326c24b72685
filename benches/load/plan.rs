//! What a run does, and the settings a server needs for it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;

use crate::speech::Speech;

/// Calls to this number are answered and wait; nobody takes them.
pub(crate) const SETUP_NUMBER: &str = "+4930199";

/// What the workers do.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Where calls and registrations go; `None`: from the callers straight to the agents, without a
    /// server, to see what the generator itself adds.
    pub(crate) server: Option<SocketAddr>,
    /// Our own address.
    pub(crate) ip: IpAddr,
    /// Calls in all.
    pub(crate) calls: u32,
    /// New calls a second.
    pub(crate) rate: f64,
    /// Threads; each has its own queue, number and agents, so that no call spans two threads.
    pub(crate) workers: u32,
    /// What a call is for.
    pub(crate) kind: Kind,
    /// Agents are browsers: ICE, DTLS and SRTP (their signalling stays UDP, which costs the server the same).
    pub(crate) web: bool,
    /// Callers speak this in G.711 and agents in Opus, instead of packets that can be told apart: for conversion.
    pub(crate) speech: Option<Arc<Speech>>,
    /// The key that callers press, if any.
    pub(crate) key: Option<Key>,
    /// What the server calls numbers and agents.
    pub(crate) names: Names,
    /// Refusals by 503 with Retry-After are as they should be.
    pub(crate) overload: bool,
}

/// A key and when it is pressed: before the question is asked, keys mean nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Its event code (RFC 4733).
    pub(crate) event: u8,
    /// So long after the answer.
    pub(crate) after: Duration,
    /// And again in this interval until an agent comes.
    pub(crate) every: Duration,
}

impl Key {
    /// This one, at the times that suit an IVR with a short greeting.
    pub(crate) fn of(event: u8) -> Self {
        Self { event, after: Duration::from_secs(2), every: Duration::from_secs(2) }
    }
}

/// Names and passwords; `{}` stands for the number of the worker, of the agent.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// Dialled for a conversation; `{}` is the worker.
    pub(crate) number: String,
    /// Dialled for a set-up.
    pub(crate) setup: String,
    /// An agent's user; `{}` is the call.
    pub(crate) agent: String,
    /// Its password.
    pub(crate) password: String,
}

impl Default for Names {
    /// Those of [`settings`].
    fn default() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            number: text("+493010{}"),
            setup: text(SETUP_NUMBER),
            agent: text("agent{}"),
            password: text("secret-of-agent{}"),
        }
    }
}

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Press 1, talk with an agent until told to stop.
    Talk,
    /// Be answered, hold for so long, hang up.
    SetUp {
        /// How long.
        hold: Duration,
    },
}

impl Plan {
    /// Talks between SIP callers and SIP agents, G.711 both, with one thread.
    pub(crate) fn talks(server: Option<SocketAddr>, calls: u32, rate: f64) -> Self {
        Self {
            server,
            ip: IpAddr::from([127, 0, 0, 1]),
            calls,
            rate,
            workers: 1,
            kind: Kind::Talk,
            web: false,
            speech: None,
            key: Some(Key::of(1)),
            names: Names::default(),
            overload: false,
        }
    }

    /// The user of the agent for a call number.
    pub(crate) fn agent(&self, n: u32) -> String {
        self.names.agent.replace("{}", &n.to_string())
    }

    /// Its password.
    pub(crate) fn password(&self, n: u32) -> String {
        self.names.password.replace("{}", &n.to_string())
    }

    /// The number that leads to a worker's queue.
    pub(crate) fn number(&self, worker: u32) -> String {
        match self.kind {
            Kind::Talk => self.names.number.replace("{}", &worker.to_string()),
            Kind::SetUp { .. } => self.names.setup.clone(),
        }
    }

    /// The caller's number of a call: call numbers are counted over all workers.
    pub(crate) fn caller(call: u32) -> String {
        format!("+49305{call:06}")
    }

    /// The call numbers of a worker.
    pub(crate) fn calls_of(&self, worker: u32) -> impl Iterator<Item = u32> {
        (worker..self.calls).step_by(self.workers.max(1) as usize)
    }
}

/// What the queues of held calls do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recording {
    /// They ask, and record who presses 1.
    Consent,
    /// They record nobody, and nobody is asked.
    Never,
}

/// What a server of ours is set up for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) agents: u32,
    pub(crate) workers: u32,
    pub(crate) web: bool,
    pub(crate) recording: Recording,
    /// Most calls of the trunk; `None`: as many as the server takes.
    pub(crate) admitted: Option<u32>,
}

/// Settings for `sayso apply`: a queue with a number for each worker, `agents` agents in all, and a number
/// for set-ups.
pub(crate) fn settings(setting: &Setting) -> String {
    let &Setting { agents, workers, web, recording, admitted } = setting;
    let media = if web { "media = \"webrtc\"\n" } else { "" };
    let recording = match recording {
        Recording::Consent => "recording = \"consent\"\nconsent = { attempts = 9, timeout = \"10s\" }",
        Recording::Never => "recording = \"never\"",
    };
    let mut text = String::from("[trunk.load]\nnetworks = [\"127.0.0.1/32\"]\n");
    if let Some(admitted) = admitted {
        text.push_str(&format!("max-calls = {admitted}\n"));
    }
    let names = Names::default();
    for worker in 0..workers {
        text.push_str(&format!(
            "\n[number.\"+493010{worker}\"]\nqueue = \"talk{worker}\"\n\n[queue.talk{worker}]\n{recording}\nwrap-up = \"0s\"\n"
        ));
    }
    text.push_str(&format!(
        "\n[number.\"{SETUP_NUMBER}\"]\nqueue = \"setup\"\n\n[queue.setup]\nrecording = \"never\"\n"
    ));
    for n in 0..agents {
        let [name, password] = [&names.agent, &names.password].map(|of| of.replace("{}", &n.to_string()));
        let worker = n % workers.max(1);
        text.push_str(&format!(
            "\n[agent.{name}]\npassword = \"{password}\"\nqueues = [\"talk{worker}\"]\n{media}"
        ));
    }
    text
}

/// What the workers and the one who watches tell each other.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Agents registered.
    pub(crate) registered: AtomicU32,
    /// Calls may start.
    pub(crate) go: AtomicBool,
    /// Calls in which caller and agent have heard each other.
    pub(crate) connected: AtomicU32,
    /// Calls that are over, well or not.
    pub(crate) over: AtomicU32,
    /// Calls that failed.
    pub(crate) failed: AtomicU32,
    /// Calls refused as they should be.
    pub(crate) refused: AtomicU32,
    /// Delays count now.
    pub(crate) measuring: AtomicBool,
    /// Stop talking, then hang up.
    pub(crate) stop: AtomicBool,
}
