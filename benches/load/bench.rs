//! `make bench`: a server in a folder of its own, both profiles, and the results beside the bars.

use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::cost::Compared;
use crate::plan::{Kind, Plan, Recording, settings};
use crate::process::Usage;
use crate::report::Report;
use crate::run::{Measure, run};
use crate::soak::watch;

/// What `bench` and `webrtc` are asked for.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The server's binary.
    #[arg(long)]
    sayso: PathBuf,
    /// Calls held at once.
    #[arg(long, default_value_t = 200)]
    calls: u32,
    /// Seconds they are held.
    #[arg(long, default_value_t = 30)]
    hold: u64,
    /// Threads of the generator.
    #[arg(long, default_value_t = 1)]
    workers: u32,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
}

/// A figure, its bar, and its unit; lower is better.
struct Bar {
    name: &'static str,
    is: f64,
    bar: f64,
    unit: &'static str,
}

/// Runs everything; whether all bars were met.
pub(crate) fn bench(options: &Options) -> Result<bool> {
    let &Options { calls, workers, .. } = options;
    // First the generator against itself: its own delay is part of every delay below.
    let direct = Measure { hold: Duration::from_secs(5), pid: None, idle: None };
    let own = run("generator alone", &talks(options, None, false), &direct)?;
    let never = settings(calls, workers, false, Recording::Never);
    let Held { server, report: relay, samples: nothing, .. } =
        Held::measure("relay alone", options, &never, false)?;
    drop(server); // the next one has the same folder
    let consent = settings(calls, workers, false, Recording::Consent);
    let Held { server, idle, report: held, samples } = Held::measure("ivr-record", options, &consent, false)?;
    let kind = Kind::SetUp { hold: Duration::ZERO };
    let plan = Plan { rate: 100.0, calls: 2000, workers: 1, kind, ..talks(options, Some(server.udp), false) };
    let measure = Measure { hold: Duration::ZERO, pid: Some(server.pid()), idle };
    let setup = run("setup", &plan, &measure)?;
    drop(server);
    let compared = Compared::of((&held, samples), (&relay, nothing))?;
    let bars = bars(&held, &setup);
    let good = bars.iter().all(|bar| bar.is <= bar.bar);
    let reports = [("generator", &own), ("relay", &relay), ("ivr_record", &held), ("setup", &setup)];
    print(&reports, &bars, Some(&compared), options.json);
    Ok(good)
}

/// Runs callers against agents in browsers; whether all bars were met.
pub(crate) fn webrtc(options: &Options) -> Result<bool> {
    let consent = settings(options.calls, options.workers, true, Recording::Consent);
    let held = Held::measure("webrtc", options, &consent, true)?.report;
    let cost = held.server.as_ref();
    let cpu = cost.and_then(|cost| cost.cpu_ms_per_call_second).unwrap_or(f64::INFINITY);
    let memory = cost.and_then(|cost| cost.rss_mb_per_call).unwrap_or(f64::INFINITY);
    // The first two of issue 7.
    let bars = [
        Bar { name: "CPU per call-second, recorded", is: cpu, bar: 1.2, unit: "ms" },
        Bar { name: "memory per call", is: memory, bar: 0.3, unit: "MB" },
        Bar { name: "packets lost", is: held.packets.lost as f64, bar: 0.0, unit: "" },
        Bar { name: "calls failed", is: f64::from(held.failed), bar: 0.0, unit: "" },
    ];
    print(&[("webrtc", &held)], &bars, None, options.json);
    Ok(bars.iter().all(|bar| bar.is <= bar.bar))
}

/// The plan of held calls.
fn talks(options: &Options, server: Option<SocketAddr>, web: bool) -> Plan {
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let &Options { calls, workers, .. } = options;
    Plan { server, ip, calls, rate: 20.0, workers, kind: Kind::Talk, web }
}

/// Held calls that were measured, on a server that had no call before.
struct Held {
    server: Server,
    idle: Option<Usage>,
    report: Report,
    /// Samples of a channel that the vault took in.
    samples: f64,
}

impl Held {
    fn measure(name: &str, options: &Options, settings: &str, web: bool) -> Result<Self> {
        let server = Server::start(&options.sayso, settings, &Media::default())?;
        let (pid, idle) = (Some(server.pid()), Usage::of(server.pid()));
        let hold = Duration::from_secs(options.hold);
        let report = run(name, &talks(options, Some(server.udp), web), &Measure { hold, pid, idle })?;
        let samples = watch::counted(server.http, "sayso_recording_samples_total")
            .context("the server's metrics cannot be read")?;
        Ok(Self { server, idle, report, samples })
    }
}

fn print(reports: &[(&str, &Report)], bars: &[Bar], recording: Option<&Compared>, json: bool) {
    if json {
        let bar = |b: &Bar| json!({ "name": b.name, "is": b.is, "bar": b.bar, "unit": b.unit });
        let mut all: serde_json::Map<String, Value> =
            reports.iter().map(|(name, report)| ((*name).to_owned(), json!(report))).collect();
        all.insert("bars".to_owned(), bars.iter().map(bar).collect());
        if let Some(recording) = recording {
            all.insert("recording".to_owned(), json!(recording));
        }
        all.insert("met".to_owned(), json!(bars.iter().all(|bar| bar.is <= bar.bar)));
        println!("{}", Value::Object(all));
        return;
    }
    for (_, report) in reports {
        println!("{}", report.table());
    }
    println!("{:<34}{:>10}{:>10}", "", "is", "bar");
    for Bar { name, is, bar, unit } in bars {
        let verdict = if is <= bar { "" } else { "  MISSED" };
        println!("{name:<34}{is:>10.3}{bar:>10.3} {unit}{verdict}");
    }
    if let Some(recording) = recording {
        print!("\n{}", recording.table());
    }
}

/// The first bars (issue 2). Delay is measured from system call to system call, the generator's own included.
fn bars(held: &Report, setup: &Report) -> Vec<Bar> {
    let (talk, calls) = (held.server.as_ref(), setup.server.as_ref());
    // Without a figure a bar is missed.
    let or_missed = |figure: Option<f64>| figure.unwrap_or(f64::INFINITY);
    let bar = |name, is, bar, unit| Bar { name, is, bar, unit };
    vec![
        bar(
            "CPU per call-second, recorded",
            or_missed(talk.and_then(|c| c.cpu_ms_per_call_second)),
            1.5,
            "ms",
        ),
        bar("memory per call", or_missed(talk.and_then(|c| c.rss_mb_per_call)), 0.3, "MB"),
        bar("packets lost", held.packets.lost as f64, 0.0, ""),
        bar("calls failed", f64::from(held.failed + setup.failed), 0.0, ""),
        bar("delay p99", held.delay_us.p99 as f64 / 1000.0, 3.0, "ms"),
        bar("CPU per set-up", or_missed(calls.and_then(|c| c.cpu_ms_per_setup)), 2.0, "ms"),
    ]
}

/// The server's media settings.
pub(crate) struct Media {
    /// Its ports, the first and the last.
    pub(crate) ports: (u16, u16),
    /// Seconds without a packet after which a call ends.
    pub(crate) timeout: u32,
}

impl Default for Media {
    fn default() -> Self {
        Self { ports: (20_000, 29_999), timeout: 30 }
    }
}

/// A server in a folder that goes with it.
pub(crate) struct Server {
    child: Child,
    dir: PathBuf,
    pub(crate) udp: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Server {
    pub(crate) fn start(sayso: &Path, settings: &str, media: &Media) -> Result<Self> {
        let dir = std::env::temp_dir().join(format!("sayso-bench-{}", std::process::id()));
        std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        let (config, file) = (dir.join("sayso.toml"), dir.join("settings.toml"));
        let text = format!(
            "data = {:?}\n[sip]\nudp = [\"127.0.0.1:0\"]\ntcp = [\"127.0.0.1:0\"]\nrealm = \"sayso\"\n[media]\n\
             ip = \"127.0.0.1\"\nports = [{}, {}]\ntimeout = \"{}s\"\n[http]\nlisten = \"127.0.0.1:0\"\n",
            dir.join("data"),
            media.ports.0,
            media.ports.1,
            media.timeout,
        );
        std::fs::write(&config, text)?;
        std::fs::write(&file, settings)?;
        let applied = Command::new(sayso).arg("apply").arg("--config").args([&config, &file]).output()?;
        if !applied.status.success() {
            bail!("sayso apply: {}", String::from_utf8_lossy(&applied.stderr));
        }
        let log = std::fs::File::create(dir.join("log"))?;
        let mut command = Command::new(sayso);
        command
            .args(["serve", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = command.spawn().with_context(|| sayso.display().to_string())?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let ready: Value = serde_json::from_str(&line).unwrap_or(Value::Null);
        let udp = ready["sip_udp"][0].as_str().and_then(|address| address.parse().ok());
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let http = ready["http"].as_str().and_then(|address| address.parse().ok()).unwrap_or(nowhere);
        let server = Self { child, dir, udp: udp.unwrap_or(nowhere), http };
        if udp.is_none() {
            let log = std::fs::read_to_string(server.dir.join("log")).unwrap_or_default();
            bail!("the server does not start: {line}{log}");
        }
        Ok(server)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is a server for this run only; errors mean it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
