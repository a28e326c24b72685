//! `make bench`: the bars of issue after issue, each on a server that had no call before, with the bare relay beside them
//! in the same run: the speed of a virtual machine changes from run to run.

mod bars;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::check;
use crate::cost::Compared;
use crate::floor;
use crate::plan::{Kind, Plan, Recording, Setting, settings};
use crate::process::Usage;
use crate::report::Report;
use crate::run::{Measure, run};
use crate::server::{Media, Server};
use crate::soak::watch;
use crate::speech::Speech;
use bars::{Bar, table};

/// What `bench` is asked for.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The server's binary.
    #[arg(long)]
    pub(crate) sayso: PathBuf,
    /// Calls held at once in `recorded`, `relay` and `floor`.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) calls: u32,
    /// Seconds they are held.
    #[arg(long, default_value_t = 20)]
    pub(crate) hold: u64,
    /// Threads of the generator.
    #[arg(long, default_value_t = 1)]
    pub(crate) workers: u32,
    /// Only these, in this order: `--only floor,recorded`. Otherwise all but `plateau`, which takes nine minutes.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) only: Vec<Part>,
    /// Recordings that are taken out and looked into; the others are counted.
    #[arg(long, default_value_t = 40)]
    pub(crate) check: u32,
    /// Print JSON instead of tables, or write it to this file beside them.
    #[arg(long, num_args = 0..=1, value_name = "FILE")]
    pub(crate) json: Option<Option<PathBuf>>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// The generator against itself: its own delay is part of every delay below.
    Generator,
    /// The bare relay loop with recording and encryption.
    Floor,
    /// As many recorded calls as `--calls`.
    Recorded,
    /// 200 recorded calls.
    Few,
    /// As many calls as `--calls` that nobody records.
    Relay,
    /// 300 recorded calls with agents in browsers, G.711 passed through.
    Webrtc,
    /// 100 recorded calls between G.711 on the trunk and Opus in browsers.
    Opus,
    /// 100 set-ups a second.
    Setup,
    /// Twice the calls that the trunk admits.
    Overload,
    /// 50,000 calls: does memory stop growing?
    Plateau,
}

impl Part {
    const USUAL: [Self; 9] = [
        Self::Generator,
        Self::Floor,
        Self::Relay,
        Self::Recorded,
        Self::Few,
        Self::Webrtc,
        Self::Opus,
        Self::Setup,
        Self::Overload,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Generator => "generator",
            Self::Floor => "floor",
            Self::Recorded => "recorded",
            Self::Few => "few",
            Self::Relay => "relay",
            Self::Webrtc => "webrtc",
            Self::Opus => "opus",
            Self::Setup => "setup",
            Self::Overload => "overload",
            Self::Plateau => "plateau",
        }
    }

    /// Calls at once.
    fn calls(self, options: &Options) -> u32 {
        match self {
            Self::Generator | Self::Floor | Self::Recorded | Self::Relay => options.calls,
            Self::Few => 200.min(options.calls),
            Self::Webrtc => 300.min(options.calls),
            Self::Opus => 100.min(options.calls),
            // Set-ups in all: twenty seconds of them.
            Self::Setup => 2_000,
            Self::Overload => (options.calls / 5).max(2),
            Self::Plateau => 10_000,
        }
    }
}

/// What one part showed.
pub(crate) struct Measured {
    pub(crate) part: Part,
    pub(crate) report: Report,
    /// Samples of a channel that the vault took in.
    samples: f64,
    /// Memory in MB after each further round (`plateau`).
    pub(crate) rounds: Vec<f64>,
}

/// Runs what was asked for; whether all bars were met.
pub(crate) fn bench(options: &Options) -> Result<bool> {
    let parts = if options.only.is_empty() { Part::USUAL.to_vec() } else { options.only.clone() };
    let mut all = Vec::new();
    for part in parts {
        let measured = measure(part, options).with_context(|| part.word().to_owned())?;
        if options.json != Some(None) {
            println!("{}", measured.report.table());
        }
        all.push(measured);
    }
    let bars = bars::of(&all);
    let compared = compared(&all);
    let good = bars.iter().all(Bar::is_met);
    if let Some(file) = &options.json {
        let mut whole: serde_json::Map<_, _> =
            all.iter().map(|of| (of.part.word().to_owned(), json!(of.report))).collect();
        whole.insert("bars".to_owned(), json!(bars));
        whole.insert("recording".to_owned(), json!(compared));
        whole.insert("met".to_owned(), json!(good));
        crate::put_json(&serde_json::Value::Object(whole), file.as_deref())?;
    }
    if options.json != Some(None) {
        print!("{}", table(&bars));
        if let Some(compared) = compared {
            print!("\n{}", compared.table());
        }
    }
    Ok(good)
}

/// What recording costs, when the same number of calls was held with it and without it.
fn compared(all: &[Measured]) -> Option<Compared> {
    let of = |part| all.iter().find(|of| of.part == part);
    let (with, without) = of(Part::Recorded).zip(of(Part::Relay))?;
    Compared::of((&with.report, with.samples), (&without.report, without.samples)).ok()
}

fn measure(part: Part, options: &Options) -> Result<Measured> {
    let calls = part.calls(options);
    let simple = |report| Measured { part, report, samples: 0.0, rounds: Vec::new() };
    match part {
        Part::Generator => {
            let plan = Plan { workers: options.workers, ..Plan::talks(None, calls, 100.0) };
            let measure = Measure { hold: Duration::from_secs(5), pid: None, idle: None };
            Ok(simple(run("generator alone", &plan, &measure)?))
        }
        Part::Floor => {
            let asked = floor::Options { calls, hold: options.hold, json: None, here: None };
            Ok(simple(floor::floor(&asked)?))
        }
        Part::Recorded | Part::Few | Part::Relay | Part::Webrtc | Part::Opus | Part::Overload => {
            talks(part, options, calls)
        }
        Part::Setup | Part::Plateau => setups(part, options, calls),
    }
}

/// Held calls.
fn talks(part: Part, options: &Options, calls: u32) -> Result<Measured> {
    let web = matches!(part, Part::Webrtc | Part::Opus);
    let recording = if part == Part::Relay { Recording::Never } else { Recording::Consent };
    let overload = part == Part::Overload;
    let offered = if overload { calls * 2 } else { calls };
    let workers = if overload { 1 } else { options.workers };
    let setting = Setting { agents: offered, workers, web, recording, admitted: overload.then_some(calls) };
    let server = Server::start(&options.sayso, &settings(&setting), &Media::default())?;
    let speech = if part == Part::Opus { Some(Arc::new(Speech::new()?)) } else { None };
    let mut plan = Plan { workers, web, speech, overload, ..Plan::talks(Some(server.udp), offered, 40.0) };
    if part == Part::Relay {
        plan.key = None; // nobody is asked
    }
    let hold = Duration::from_secs(options.hold);
    let measure = Measure { hold, pid: Some(server.pid()), idle: Usage::of(server.pid()) };
    let mut report = run(part.word(), &plan, &measure)?;
    let samples = watch::counted(server.http, "sayso_recording_samples_total")
        .context("the server's metrics cannot be read")?;
    // Speech carries no marks to look for.
    if recording == Recording::Consent && part != Part::Opus {
        report.recordings = Some(check::recordings(&server, &report, options.check)?);
    }
    Ok(Measured { part, report, samples, rounds: Vec::new() })
}

/// Calls that are answered and hung up at once, 100 a second; `plateau` does it five times over.
fn setups(part: Part, options: &Options, calls: u32) -> Result<Measured> {
    let setting = Setting { agents: 1, workers: 1, web: false, recording: Recording::Never, admitted: None };
    let server = Server::start(&options.sayso, &settings(&setting), &Media::default())?;
    let kind = Kind::SetUp { hold: Duration::ZERO };
    let plan = Plan { kind, ..Plan::talks(Some(server.udp), calls, 100.0) };
    let measure = Measure { hold: Duration::ZERO, pid: Some(server.pid()), idle: None };
    let mut report = run(part.word(), &plan, &measure)?;
    let mut rounds = Vec::new();
    if part == Part::Plateau {
        let memory = |report: &Report| report.server.as_ref().map_or(0.0, |cost| cost.rss_mb);
        rounds.push(memory(&report));
        for _ in 1..5 {
            let next = run(part.word(), &plan, &measure)?;
            rounds.push(memory(&next));
            report.calls += next.calls;
            next.failures.iter().for_each(|(why, count)| report.fail(why, *count));
        }
    }
    Ok(Measured { part, report, samples: 0.0, rounds })
}
