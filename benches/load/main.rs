//! `sayso-load`: callers and agents by the hundred with real paced RTP, and what the server makes of them.
//!
//! `ivr-record` holds calls that agreed to be recorded, `setup` sets calls up and tears them down, `bench`
//! starts a server of its own and runs both beside the bars, with recording and without, `webrtc` does so with agents in browsers, `soak`
//! looks for what grows, `fill` makes a database of years, `scale` times what is asked of one.
#![allow(clippy::print_stdout)] // a command-line tool
#![allow(clippy::disallowed_methods)] // measures real time

mod agent;
mod bench;
mod caller;
mod cost;
mod fill;
mod plan;
mod process;
mod report;
mod rtp;
mod run;
mod scale;
mod sip;
mod soak;
mod timers;
mod web;
mod worker;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use plan::{Kind, Plan};
use report::Report;
use run::{Measure, run};

/// Call load for a Sayso server on this machine.
#[derive(Parser)]
#[command(name = "sayso-load", version)]
struct Arguments {
    #[command(subcommand)]
    profile: Profile,
}

#[derive(Subcommand)]
enum Profile {
    /// Hold calls that pressed 1 and talk with an agent, both sides with 50 packets a second.
    IvrRecord {
        #[command(flatten)]
        common: Common,
        /// Calls held at once.
        #[arg(long, default_value_t = 200)]
        calls: u32,
        /// Seconds they are held once all are connected.
        #[arg(long, default_value_t = 30)]
        hold: u64,
        /// New calls a second until all are there.
        #[arg(long, default_value_t = 20.0)]
        rate: f64,
    },
    /// Set calls up and tear them down, without audio of their own.
    Setup {
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
    },
    /// Print the settings (`sayso apply`) a server needs for these profiles.
    Settings {
        /// Agents, as many as calls held.
        #[arg(long, default_value_t = 200)]
        agents: u32,
        /// As `--workers` of the profile.
        #[arg(long, default_value_t = 1)]
        workers: u32,
    },
    /// Start a server in a folder of its own, run both profiles, print them beside the bars; and the talks once
    /// more without recording, to see what that costs.
    Bench(bench::Options),
    /// Start a server in a folder of its own and let callers talk with agents in browsers (WebRTC), recorded;
    /// print it beside the bars.
    Webrtc(bench::Options),
    /// Fill a database with calls of three years and an audit log, without a server and without audio.
    Fill(fill::Options),
    /// Fill a database if it is empty, and time what users ask of it: searches, lists, reports, retention, the log's proof.
    Scale(scale::Options),
    /// Start a server in a folder of its own and go through mixed calls, transfers, holds and faults: does
    /// anything grow, is anything left?
    Soak {
        /// The server's binary.
        #[arg(long)]
        sayso: PathBuf,
        /// For how long.
        #[arg(long, default_value_t = 30.0)]
        minutes: f64,
        /// Calls at once.
        #[arg(long, default_value_t = 16)]
        lanes: usize,
        /// The first of 1000 media ports.
        #[arg(long, default_value_t = 20_000)]
        first_port: u16,
        /// Print JSON instead of tables.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct Common {
    /// The server's SIP address (UDP). Without it callers call the agents directly: what is measured then
    /// is this generator.
    #[arg(long)]
    server: Option<SocketAddr>,
    /// The server's process, for CPU and memory.
    #[arg(long)]
    pid: Option<u32>,
    /// Threads; each needs its own queue, see `settings`.
    #[arg(long, default_value_t = 1)]
    workers: u32,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match start(Arguments::parse().profile) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("sayso-load: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs a profile; whether every call succeeded and no packet was lost.
fn start(profile: Profile) -> Result<bool> {
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    match profile {
        Profile::IvrRecord { common, calls, hold, rate } => {
            let plan = Plan {
                server: common.server,
                ip,
                calls,
                rate,
                workers: common.workers,
                kind: Kind::Talk,
                web: false,
            };
            let measure = Measure { hold: Duration::from_secs(hold), pid: common.pid, idle: None };
            print(&run("ivr-record", &plan, &measure)?, common.json)
        }
        Profile::Setup { common, rate, seconds, hold } => {
            let kind = Kind::SetUp { hold: Duration::from_millis(hold) };
            let calls = (rate * f64::from(seconds)) as u32;
            anyhow::ensure!(common.server.is_some(), "setup needs --server");
            let plan =
                Plan { server: common.server, ip, calls, rate, workers: common.workers, kind, web: false };
            let measure = Measure { hold: Duration::ZERO, pid: common.pid, idle: None };
            print(&run("setup", &plan, &measure)?, common.json)
        }
        Profile::Settings { agents, workers } => {
            print!("{}", plan::settings(agents, workers, false, plan::Recording::Consent));
            Ok(true)
        }
        Profile::Bench(options) => bench::bench(&options),
        Profile::Webrtc(options) => bench::webrtc(&options),
        Profile::Fill(options) => fill::fill(&options),
        Profile::Scale(options) => scale::scale(&options),
        Profile::Soak { sayso, minutes, lanes, first_port, json } => {
            let span = Duration::from_secs_f64(minutes.max(0.1) * 60.0);
            soak::soak(&soak::Options { sayso, span, lanes: lanes.clamp(1, 200), first_port, json })
        }
    }
}

fn print(report: &Report, json: bool) -> Result<bool> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        print!("{}", report.table());
    }
    Ok(report.failed == 0 && report.packets.lost == 0)
}
