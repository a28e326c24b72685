//! One load on one server: `ivr-record`, `relay`, `webrtc`, `overload`, `setup`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use sayso::media::Digit;

use crate::check;
use crate::plan::{Key, Kind, Names, Plan, Recording, Setting, settings};
use crate::process::Usage;
use crate::run::{Measure, run};
use crate::server::{Media, Server};
use crate::speech::Speech;

/// Which load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    IvrRecord,
    Relay,
    Webrtc,
    Overload,
}

impl Load {
    const fn word(self) -> &'static str {
        match self {
            Self::IvrRecord => "ivr-record",
            Self::Relay => "relay",
            Self::Webrtc => "webrtc",
            Self::Overload => "overload",
        }
    }
}

/// Where the load goes and what is measured of it.
#[derive(clap::Args)]
struct Common {
    /// The SIP server's address (UDP). Without it and `--sayso`, callers call the agents directly: what is measured
    /// then is this generator.
    #[arg(long, conflicts_with = "sayso")]
    server: Option<SocketAddr>,
    /// The server's process, for CPU and memory (on this machine).
    #[arg(long)]
    pid: Option<u32>,
    /// Start a Sayso of this binary in a folder of its own instead.
    #[arg(long)]
    sayso: Option<PathBuf>,
    /// Our own address, as the server reaches it.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    ip: IpAddr,
    /// Print JSON instead of a table, or write it to this file beside the table.
    #[arg(long, num_args = 0..=1, value_name = "FILE")]
    json: Option<Option<PathBuf>>,
}

/// Held calls.
#[derive(clap::Args)]
pub(crate) struct Talks {
    #[command(flatten)]
    common: Common,
    /// Calls held at once; of `overload`, calls offered.
    #[arg(long, default_value_t = 200)]
    calls: u32,
    /// Seconds they are held once all are connected.
    #[arg(long, default_value_t = 30)]
    hold: u64,
    /// New calls a second until all are there.
    #[arg(long, default_value_t = 20.0)]
    rate: f64,
    /// Threads of the generator; each dials a number of its own, whose queue has agents of its own.
    #[arg(long, default_value_t = 1)]
    workers: u32,
    /// The number that callers dial; `{}` stands for the thread.
    #[arg(long, default_value = "+493010{}")]
    number: String,
    /// The key they press; `none`: nothing is pressed. `relay` presses none by itself.
    #[arg(long)]
    digit: Option<String>,
    /// Seconds after the answer when it is pressed, and how often again until an agent comes.
    #[arg(long, default_value_t = 2.0)]
    press: f64,
    /// The agents' users, who register; `{}` stands for the agent, from 0. There are as many as calls.
    #[arg(long, default_value = "agent{}")]
    agent: String,
    /// Their passwords.
    #[arg(long, default_value = "secret-of-agent{}")]
    password: String,
    /// Agents in browsers speak Opus, callers G.711, both real speech (`webrtc` only). Delays are not measured then.
    #[arg(long)]
    opus: bool,
    /// With `--sayso`: the calls that are admitted in `overload`; half of those offered otherwise.
    #[arg(long)]
    admitted: Option<u32>,
    /// With `--sayso`: recordings that are taken out and looked into.
    #[arg(long, default_value_t = 40)]
    check: u32,
}

/// Set-ups.
#[derive(clap::Args)]
pub(crate) struct SetUps {
    #[command(flatten)]
    common: Common,
    /// New calls a second.
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// For how many seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Milliseconds each call is held.
    #[arg(long, default_value_t = 0)]
    hold: u64,
    /// The number that is dialled: it must be answered at once.
    #[arg(long, default_value = crate::plan::SETUP_NUMBER)]
    number: String,
}

impl Common {
    /// A server with these settings, if it is to be ours.
    fn own(&self, setting: &Setting) -> Result<Option<Server>> {
        let start = |sayso: &PathBuf| Server::start(sayso, &settings(setting), &Media::default());
        self.sayso.as_ref().map(start).transpose()
    }

    /// Its address, and the process to look at.
    fn where_to(&self, own: Option<&Server>) -> (Option<SocketAddr>, Option<u32>) {
        match own {
            Some(server) => (Some(server.udp), Some(server.pid())),
            None => (self.server, self.pid),
        }
    }
}

impl Talks {
    /// Runs it; whether all went as it should.
    pub(crate) fn run(&self, load: Load) -> Result<bool> {
        let (web, overload) = (load == Load::Webrtc, load == Load::Overload);
        ensure!(web || !self.opus, "--opus is for webrtc");
        let recording = if load == Load::Relay { Recording::Never } else { Recording::Consent };
        let admitted = overload.then(|| self.admitted.unwrap_or(self.calls / 2));
        let setting = Setting { agents: self.calls, workers: self.workers, web, recording, admitted };
        let own = self.common.own(&setting)?;
        let (server, pid) = self.common.where_to(own.as_ref());
        ensure!(!overload || server.is_some(), "overload needs --server or --sayso");
        let plan = Plan {
            ip: self.common.ip,
            workers: self.workers,
            web,
            speech: if self.opus { Some(Arc::new(Speech::new()?)) } else { None },
            key: self.key(load)?,
            names: Names {
                number: self.number.clone(),
                agent: self.agent.clone(),
                password: self.password.clone(),
                ..Names::default()
            },
            overload,
            ..Plan::talks(server, self.calls, self.rate)
        };
        let idle = pid.and_then(Usage::of);
        let measure = Measure { hold: Duration::from_secs(self.hold), pid, idle };
        let mut report = run(load.word(), &plan, &measure)?;
        if let Some(server) = own.filter(|_| recording == Recording::Consent && !self.opus) {
            report.recordings = Some(check::recordings(&server, &report, self.check)?);
        }
        let good = crate::put(&report, self.common.json.as_ref())?;
        Ok(good && (!overload || report.refused > 0))
    }

    fn key(&self, load: Load) -> Result<Option<Key>> {
        let word = self.digit.as_deref().unwrap_or(if load == Load::Relay { "none" } else { "1" });
        if word == "none" {
            return Ok(None);
        }
        let mut keys = word.chars();
        let (Some(key), None) = (keys.next(), keys.next()) else { bail!("--digit: one key, or `none`") };
        let event = Digit::try_from(key).context("--digit")?.event();
        let press = Duration::from_secs_f64(self.press.max(0.2));
        Ok(Some(Key { event, after: press, every: press }))
    }
}

impl SetUps {
    /// Runs it; whether all went as it should.
    pub(crate) fn run(&self) -> Result<bool> {
        let setting =
            Setting { agents: 1, workers: 1, web: false, recording: Recording::Never, admitted: None };
        let own = self.common.own(&setting)?;
        let (server, pid) = self.common.where_to(own.as_ref());
        ensure!(server.is_some(), "setup needs --server or --sayso");
        let calls = (self.rate * f64::from(self.seconds)) as u32;
        let plan = Plan {
            ip: self.common.ip,
            kind: Kind::SetUp { hold: Duration::from_millis(self.hold) },
            names: Names { setup: self.number.clone(), ..Names::default() },
            ..Plan::talks(server, calls, self.rate)
        };
        let measure = Measure { hold: Duration::ZERO, pid, idle: None };
        crate::put(&run("setup", &plan, &measure)?, self.common.json.as_ref())
    }
}
