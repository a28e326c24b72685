//! The server under test: its own folder, ports of the system's choosing, settings applied with
//! `sayso apply`, and the listings of the command line as JSON.

use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use super::metrics::{Metrics, get};
use super::{Process, ports, until};

/// The binary under test.
pub(crate) const SAYSO: &str = env!("CARGO_BIN_EXE_sayso");

/// Gauges that count what a call holds. When no call is there, each of them is zero.
pub(crate) const HELD_BY_CALLS: &[&str] =
    &["sayso_calls", "sayso_media_legs", "sayso_media_ports", "sayso_sip_table"];

/// A running server and its folder.
pub(crate) struct Server {
    pub(crate) dir: tempfile::TempDir,
    process: Option<Process>,
    /// Where it takes SIP over UDP.
    pub(crate) udp: SocketAddr,
    /// Where it takes SIP over TCP.
    pub(crate) tcp: SocketAddr,
    /// Where it takes SIP over TLS and WebSocket, if the configuration says so.
    pub(crate) tls: Option<SocketAddr>,
    pub(crate) ws: Option<SocketAddr>,
    pub(crate) wss: Option<SocketAddr>,
    /// Where it answers HTTP.
    pub(crate) http: SocketAddr,
    /// How many media ports it may use, from which.
    pub(crate) media_ports: (u16, u16),
    /// What it is started by, if by something: `sh -c '…; exec "$@"' sh`. It must become the server's process.
    pub(crate) under: Vec<String>,
}

impl Server {
    /// Applies `settings` (TOML) to a new folder and starts a server on it.
    pub(crate) fn start(settings: &str) -> Self {
        Self::start_with(settings, "")
    }

    /// The same, with more keys for the configuration's `[sip]`, perhaps with further tables after them.
    pub(crate) fn start_with(settings: &str, sip: &str) -> Self {
        Self::start_on(settings, IpAddr::from([127, 0, 0, 1]), sip)
    }

    /// The same, with SIP and audio at another address.
    pub(crate) fn start_on(settings: &str, ip: IpAddr, sip: &str) -> Self {
        let any = SocketAddr::new(ip, 0);
        let dir = tempfile::tempdir().expect("a folder");
        let first = ports(1000);
        let media_ports = (first, first + 999);
        let config = format!(
            "data = {:?}\n[sip]\nudp = [\"{any}\"]\ntcp = [\"{any}\"]\nrealm = \"sayso\"\n\
             {sip}\n[media]\nip = \"{ip}\"\nports = [{}, {}]\nworkers = 2\ntimeout = \"10s\"\n\
             [http]\nlisten = \"127.0.0.1:0\"\n",
            dir.path().join("data"),
            media_ports.0,
            media_ports.1,
        );
        std::fs::write(dir.path().join("sayso.toml"), config).expect("the folder is writable");
        let nowhere: SocketAddr = ([127, 0, 0, 1], 0).into();
        let (tls, ws, wss) = (None, None, None);
        let http = nowhere;
        let mut server = Self {
            dir,
            process: None,
            udp: nowhere,
            tcp: nowhere,
            tls,
            ws,
            wss,
            http,
            media_ports,
            under: vec![],
        };
        server.apply(settings);
        server.start_again();
        server
    }

    /// Starts it (again) on the same folder and waits until it says that it is ready.
    pub(crate) fn start_again(&mut self) {
        assert!(self.process.is_none(), "it is running");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log()).expect("a log file");
        let mut words = self.under.iter().map(String::as_str).chain([SAYSO]);
        let mut command = Command::new(words.next().expect("the server at least"));
        command.args(words).arg("serve").arg("--config").arg(self.config());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut process = Process::start("sayso", &mut command);
        let stdout = process.child().stdout.take().expect("stdout is piped");
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            let _ = tell.send(read.map(|_| line)); // nobody listens any more: the test has ended
        });
        let line = told.recv_timeout(Duration::from_secs(20)).map_err(|e| e.to_string());
        let line = line.and_then(|read| read.map_err(|e| e.to_string()));
        let ready: Value = line
            .and_then(|line| serde_json::from_str(&line).map_err(|e| format!("{e}: {line:?}")))
            .unwrap_or_else(|e| panic!("no ready line within 20 s: {e}\n{}", self.log_tail()));
        let address = |value: &Value| value.as_str().and_then(|a| a.parse().ok()).expect("an address");
        assert_eq!(ready["ready"], true);
        self.udp = address(&ready["sip_udp"][0]);
        self.tcp = address(&ready["sip_tcp"][0]);
        let first = |key: &str| ready[key][0].as_str().map(|text| text.parse().expect("an address"));
        (self.tls, self.ws, self.wss) = (first("sip_tls"), first("sip_ws"), first("sip_wss"));
        self.http = address(&ready["http"]);
        self.process = Some(process);
        let ready = || get(self.http, "/readyz").filter(|(status, _)| *status == 200);
        until(Duration::from_secs(10), "/readyz", ready);
    }

    /// Ends it with SIGKILL, in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        drop(self.process.take().expect("it is running"));
    }

    /// Asks it to drain (SIGTERM).
    pub(crate) fn terminate(&self) {
        self.process.as_ref().expect("it is running").signal(rustix::process::Signal::TERM);
    }

    /// Waits for its end after [`Self::terminate`]: the exit code.
    pub(crate) fn ended(&mut self, deadline: Duration) -> Option<i32> {
        let code = self.process.as_mut().expect("it is running").wait(deadline);
        self.process = None;
        code
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("it is running").pid()
    }

    /// Resident memory in kB.
    pub(crate) fn rss_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it is running");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("kB")
    }

    /// Applies settings; a refusal fails the test.
    pub(crate) fn apply(&self, settings: &str) {
        let file = self.dir.path().join("settings.toml");
        std::fs::write(&file, settings).expect("the folder is writable");
        let output = self.run(&["apply", "--config"], &[&self.config(), &file]);
        assert!(output.status.success(), "apply: {}", text(&output));
    }

    /// Runs a subcommand of the binary with paths as its last arguments.
    pub(crate) fn run(&self, words: &[&str], paths: &[&Path]) -> Output {
        Command::new(SAYSO).args(words).args(paths).stdin(Stdio::null()).output().expect("sayso runs")
    }

    /// A listing (`calls list`, `audit list`, …): one row for each line of JSON, newest first.
    pub(crate) fn rows(&self, words: &[&str]) -> Vec<Value> {
        let words = [words, &["--json", "--limit", "100000", "--config"]].concat();
        let output = self.run(&words, &[&self.config()]);
        assert!(output.status.success(), "{words:?}: {}", text(&output));
        rows(&output)
    }

    /// Exports a recording to a WAV file.
    pub(crate) fn export(&self, id: &str) -> PathBuf {
        let out = self.dir.path().join(format!("{id}.wav"));
        let output = self.try_export(id, &out);
        assert!(output.status.success(), "export: {}", text(&output));
        out
    }

    /// The same to this file; what it said.
    pub(crate) fn try_export(&self, id: &str, out: &Path) -> Output {
        let words = ["recordings", "export", id, "--to", out.to_str().expect("UTF-8"), "--config"];
        self.run(&words, &[&self.config()])
    }

    /// Asserts that the audit chain is whole.
    pub(crate) fn audit_is_whole(&self) {
        let output = self.run(&["audit", "verify", "--config"], &[&self.config()]);
        assert!(output.status.success(), "audit verify: {}", text(&output));
    }

    /// Its metrics now.
    pub(crate) fn metrics(&self) -> Metrics {
        Metrics::of(self.http)
    }

    /// Waits until a call is in this phase: `welcome`, `asking`, `waiting`, `ringing`, `talking`.
    pub(crate) fn phase(&self, phase: &str) {
        let label = format!("phase=\"{phase}\"");
        let there = || {
            let metrics = self.metrics();
            let mut calls = metrics.named("sayso_calls").filter(|s| s.name == "sayso_calls");
            calls.any(|s| s.labels.contains(&label) && s.value >= 1.0).then_some(())
        };
        until(Duration::from_secs(15), &format!("a call that is {phase}"), there);
    }

    /// How much the vault has taken in: samples, chunks and bytes, whichever the server counts. That these
    /// counters do count is shown where a recording is made.
    pub(crate) fn captured(&self) -> f64 {
        let metrics = self.metrics();
        let counters =
            ["sayso_recording_samples_total", "sayso_recording_chunks_total", "sayso_recording_bytes_total"];
        counters.iter().filter_map(|name| metrics.sum(name)).sum()
    }

    /// Asserts that nothing was captured: no row, no file, nothing counted.
    pub(crate) fn nothing_captured(&self) {
        assert_eq!(self.rows(&["recordings", "list"]), Vec::<Value>::new());
        assert_eq!(self.vault_files(), Vec::<PathBuf>::new());
        assert_eq!(self.captured(), 0.0);
    }

    /// The only recording, once it is where recordings are kept: its row.
    pub(crate) fn sealed_recording(&self) -> Value {
        let sealed = || {
            let rows = self.rows(&["recordings", "list"]);
            assert!(rows.len() <= 1, "one recording: {rows:?}");
            rows.into_iter().next().filter(|row| row["state"] == "stored")
        };
        until(Duration::from_secs(10), "a stored recording", sealed)
    }

    /// Waits until no call holds anything: no leg, no port, no dialog, no transaction. Transactions
    /// linger for up to 32 s (64*T1, RFC 3261 §17), so most tests wait only for `what` of the gauges.
    pub(crate) fn empty(&self, what: &[&str], deadline: Duration) {
        let mut last = Vec::new();
        let end = std::time::Instant::now() + deadline;
        while std::time::Instant::now() < end {
            let metrics = self.metrics();
            // A gauge is there once it was set the first time.
            let missing = what.iter().filter(|name| metrics.sum(name).is_none());
            last = missing.map(|name| format!("there is no metric {name}")).collect();
            last.extend(metrics.not_zero(what));
            // Registered agents stay; they are no part of a call.
            last.retain(|series| !series.contains("registration") && !series.contains("binding"));
            last.retain(|series| !series.contains("connection"));
            if last.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100)); // between two looks
        }
        panic!("after {deadline:?} still held: {last:?}\n{}", self.log_tail());
    }

    /// Everything in the vault's folder, but not the vault's own key files, its lock and the spool's name.
    pub(crate) fn vault_files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.dir.path().join("data")];
        while let Some(dir) = open.pop() {
            for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    open.push(path);
                } else if path.components().any(|c| c.as_os_str() == "vault" || c.as_os_str() == "recordings")
                {
                    found.push(path);
                }
            }
        }
        let ours = |name: &str| name.contains("key") || ["spool.id", "owner.lock"].contains(&name);
        found.retain(|path| !path.file_name().is_some_and(|name| ours(&name.to_string_lossy())));
        found
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("sayso.toml")
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("sayso.log")
    }

    /// All that it has logged.
    pub(crate) fn whole_log(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// The end of its log, for messages.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.whole_log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the server's log ends with\n{}", self.log_tail());
        }
    }
}

/// The rows of a listing.
pub(crate) fn rows(output: &Output) -> Vec<Value> {
    let lines = String::from_utf8_lossy(&output.stdout);
    let row = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    lines.lines().map(row).collect()
}

/// Both outputs of a finished command.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Settings that most tests start from: the loopback as a trunk, number +4930100 for queue `support`
/// with `recording`, and `agents`, each with the password `secret-of-NAME`.
pub(crate) fn settings(recording: &str, agents: &[&str]) -> String {
    let mut text = format!(
        "[trunk.carrier]\nnetworks = [\"127.0.0.1/32\"]\n\n[number.\"+4930100\"]\nqueue = \"support\"\n\n\
         [queue.support]\nlanguage = \"en\"\nwrap-up = \"0s\"\n{recording}\n"
    );
    for agent in agents {
        text.push_str(&format!(
            "\n[agent.{agent}]\npassword = \"secret-of-{agent}\"\nqueues = [\"support\"]\n"
        ));
    }
    text
}

/// The password that [`settings`] gives an agent.
pub(crate) fn password(agent: &str) -> String {
    format!("secret-of-{agent}")
}
