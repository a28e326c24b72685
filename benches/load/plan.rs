//! What a run does, and the settings a server needs for it.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;

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
    /// The number that leads to a worker's queue.
    pub(crate) fn number(&self, worker: u32) -> String {
        match self.kind {
            Kind::Talk => format!("+493010{worker}"),
            Kind::SetUp { .. } => SETUP_NUMBER.to_owned(),
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

/// Name and password of the agent for a call number.
pub(crate) fn agent(n: u32) -> (String, String) {
    (format!("agent{n}"), format!("secret-of-agent{n}"))
}

/// What the queues of held calls do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recording {
    /// They ask, and record who presses 1.
    Consent,
    /// They record nobody, and nobody is asked.
    Never,
}

/// Settings for `sayso apply`: a queue with a number for each worker, `agents` agents in all, and a number
/// for set-ups.
pub(crate) fn settings(agents: u32, workers: u32, web: bool, recording: Recording) -> String {
    let media = if web { "media = \"webrtc\"\n" } else { "" };
    let recording = match recording {
        Recording::Consent => "recording = \"consent\"\nconsent = { attempts = 9, timeout = \"10s\" }",
        Recording::Never => "recording = \"never\"",
    };
    let mut text = String::from("[trunk.load]\nnetworks = [\"127.0.0.1/32\"]\n");
    for worker in 0..workers {
        text.push_str(&format!(
            "\n[number.\"+493010{worker}\"]\nqueue = \"talk{worker}\"\n\n[queue.talk{worker}]\n{recording}\nwrap-up = \"0s\"\n"
        ));
    }
    text.push_str(&format!(
        "\n[number.\"{SETUP_NUMBER}\"]\nqueue = \"setup\"\n\n[queue.setup]\nrecording = \"never\"\n"
    ));
    for n in 0..agents {
        let (name, password) = agent(n);
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
    /// Delays count now.
    pub(crate) measuring: AtomicBool,
    /// Stop talking, then hang up.
    pub(crate) stop: AtomicBool,
}
