//! `sayso-load`: callers and agents by the hundred with real paced RTP, and what the server makes of them. Against any SIP
//! server: see `benches/README.md`.
//!
//! `ivr-record`, `relay`, `webrtc`, `setup` and `overload` are one load each, on a server that is there (`--server`) or on
//! one of their own (`--sayso`); `bench` runs them beside the bars, `floor` the bare relay they are compared with,
//! `soak` looks for what grows, `fill` makes a database of years, `scale` times what is asked of one, `count` counts instructions, `compare` reads Criterion's figures.
#![allow(clippy::print_stdout)] // a command-line tool
#![allow(clippy::disallowed_methods)] // measures real time

mod agent;
mod arrival;
mod bench;
mod caller;
mod check;
mod compare;
mod cost;
mod count;
mod fill;
mod floor;
mod flow;
mod plan;
mod process;
mod report;
mod rtp;
mod run;
mod scale;
#[path = "../scene/mod.rs"]
mod scene;
mod server;
mod sip;
mod soak;
mod speech;
mod talk;
mod timers;
mod web;
mod worker;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use rustix::process::{Resource, getrlimit, setrlimit};

use plan::{Recording, Setting};
use report::Report;
use talk::{Load, SetUps, Talks};

/// Call load for a SIP server.
#[derive(Parser)]
#[command(name = "sayso-load", version)]
struct Arguments {
    #[command(subcommand)]
    profile: Profile,
}

#[derive(Subcommand)]
enum Profile {
    /// Hold calls that pressed 1 and talk with an agent, both sides with 50 packets a second; look into the
    /// recordings, where the server is ours.
    IvrRecord(Talks),
    /// The same without a key and without recording.
    Relay(Talks),
    /// As `ivr-record`, with agents in browsers (ICE, DTLS, SRTP).
    Webrtc(Talks),
    /// Offer more calls than are admitted: the others must be refused with 503 and Retry-After, and those that were
    /// taken must lose nothing.
    Overload(Talks),
    /// Set calls up and tear them down, without audio of their own.
    Setup(SetUps),
    /// Print the settings (`sayso apply`) a server needs for these profiles.
    Settings {
        /// Agents, as many as calls held.
        #[arg(long, default_value_t = 200)]
        agents: u32,
        /// As `--workers` of the profile.
        #[arg(long, default_value_t = 1)]
        workers: u32,
        /// Agents in browsers.
        #[arg(long)]
        webrtc: bool,
        /// Record nobody, and ask nobody.
        #[arg(long)]
        never: bool,
        /// Most calls of the trunk.
        #[arg(long)]
        admitted: Option<u32>,
    },
    /// Start servers in folders of their own, run every profile on them, print the figures beside the bars.
    Bench(bench::Options),
    /// What a bare relay loop with recording and encryption costs on this machine.
    Floor(floor::Options),
    /// Count the instructions of the hot paths (by valgrind) and hold them against the committed baseline.
    Count(count::Options),
    /// Print Criterion's figures beside the committed ones.
    Compare(compare::Options),
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

fn main() -> ExitCode {
    let asked = Arguments::parse();
    more_files();
    match start(asked.profile) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("sayso-load: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// As many open files as the system allows, for us and for the servers we start: a call takes up to eight.
fn more_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Refused: a run that needs more says so.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Runs a profile; whether every call succeeded and no packet was lost.
fn start(profile: Profile) -> Result<bool> {
    match profile {
        Profile::IvrRecord(talks) => talks.run(Load::IvrRecord),
        Profile::Relay(talks) => talks.run(Load::Relay),
        Profile::Webrtc(talks) => talks.run(Load::Webrtc),
        Profile::Overload(talks) => talks.run(Load::Overload),
        Profile::Setup(setups) => setups.run(),
        Profile::Settings { agents, workers, webrtc, never, admitted } => {
            let recording = if never { Recording::Never } else { Recording::Consent };
            print!("{}", plan::settings(&Setting { agents, workers, web: webrtc, recording, admitted }));
            Ok(true)
        }
        Profile::Bench(options) => bench::bench(&options),
        Profile::Floor(options) => match &options.here {
            Some(dir) => floor::relay(options.calls, dir).map(|()| true),
            None => put(&floor::floor(&options)?, options.json.as_ref()),
        },
        Profile::Count(options) => count::count(&options),
        Profile::Compare(options) => compare::compare(&options),
        Profile::Fill(options) => fill::fill(&options),
        Profile::Scale(options) => scale::scale(&options),
        Profile::Soak { sayso, minutes, lanes, first_port, json } => {
            let span = Duration::from_secs_f64(minutes.max(0.1) * 60.0);
            soak::soak(&soak::Options { sayso, span, lanes: lanes.clamp(1, 200), first_port, json })
        }
    }
}

/// Prints a report: the table, or JSON where that is wanted (`--json`), or both (`--json FILE`). Whether it is good.
pub(crate) fn put(report: &Report, json: Option<&Option<PathBuf>>) -> Result<bool> {
    if json.is_none_or(Option::is_some) {
        print!("{}", report.table());
    }
    if let Some(file) = json {
        put_json(&serde_json::to_value(report)?, file.as_deref())?;
    }
    let whole = report.recordings.as_ref().is_none_or(check::Checked::is_whole);
    Ok(report.failed == 0 && report.packets.lost == 0 && whole)
}

/// JSON into a file, or to standard output.
pub(crate) fn put_json(value: &serde_json::Value, file: Option<&Path>) -> Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    match file {
        None => println!("{text}"),
        Some(file) => std::fs::write(file, text + "\n").with_context(|| file.display().to_string())?,
    }
    Ok(())
}
