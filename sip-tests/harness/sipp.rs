//! sipp 3.6 as a crowd of callers or as the agents' phones.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::audio::clips;
use super::{Process, ports};

/// A running sipp.
pub(crate) struct Sipp {
    process: Process,
    dir: tempfile::TempDir,
    /// Its SIP address.
    pub(crate) local: SocketAddr,
}

/// How many calls, how fast.
#[derive(Clone, Copy)]
pub(crate) struct Calls {
    /// In all.
    pub(crate) total: u32,
    /// New ones a second.
    pub(crate) rate: u32,
    /// At once at most.
    pub(crate) at_once: u32,
    /// How long each is held.
    pub(crate) hold: Duration,
}

impl Sipp {
    /// Calls `number` at `server` by a scenario of `sip-tests/sipp/`.
    pub(crate) fn call(scenario: &str, server: SocketAddr, number: &str, calls: Calls) -> Self {
        let arguments: Vec<String> = vec![
            server.to_string(),
            "-s".into(),
            number.into(),
            "-m".into(),
            calls.total.to_string(),
            "-r".into(),
            calls.rate.to_string(),
            "-l".into(),
            calls.at_once.to_string(),
            "-d".into(),
            calls.hold.as_millis().to_string(),
        ];
        Self::start(scenario, Self::address(), &arguments)
    }

    /// Answers calls at `local` and echoes their audio.
    pub(crate) fn answer(scenario: &str, local: SocketAddr) -> Self {
        Self::start(scenario, local, &["-rtp_echo".into()])
    }

    /// A SIP address for one.
    pub(crate) fn address() -> SocketAddr {
        ([127, 0, 0, 1], ports(2)).into()
    }

    fn start(scenario: &str, local: SocketAddr, arguments: &[String]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-tests/sipp").join(scenario);
        // The scenarios play it with `rtp_stream`, which takes a name, not a path of our choosing.
        std::fs::copy(clips().caller_alaw(), dir.path().join("caller.alaw")).expect("the folder is writable");
        let rtp = ports(600);
        let mut command = Command::new("sipp");
        command.arg("-sf").arg(scenario).args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-nostdin"]);
        command.args(["-p", &local.port().to_string(), "-mp", &rtp.to_string()]);
        command.args(["-trace_err", "-error_file"]).arg(dir.path().join("errors"));
        command.args(["-trace_stat", "-fd", "1", "-stf"]).arg(dir.path().join("statistics"));
        // Without it sipp waits for calls that will never end, instead of failing them.
        command.args(["-recv_timeout", "20000"]).args(arguments).current_dir(dir.path());
        let log = std::fs::File::create(dir.path().join("log")).expect("the folder is writable");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be cloned")).stderr(log);
        Self { process: Process::start("sipp", &mut command), dir, local }
    }

    /// Waits until all its calls are done; panics unless all succeeded. How many there were.
    pub(crate) fn succeeded(mut self, deadline: Duration) -> u32 {
        let code = self.process.wait(deadline);
        let statistics = self.statistics();
        let count = |name: &str| statistics.iter().find(|(n, _)| n == name).map_or(0, |(_, v)| *v);
        let (good, bad) = (count("SuccessfulCall(C)"), count("FailedCall(C)"));
        assert!(
            code == Some(0) && bad == 0,
            "sipp: exit {code:?}, {good} calls, {bad} failed\n{}",
            self.errors()
        );
        good
    }

    /// The last line of its statistics: name and value.
    fn statistics(&self) -> Vec<(String, u32)> {
        let text = std::fs::read_to_string(self.dir.path().join("statistics")).unwrap_or_default();
        let mut lines = text.lines();
        let names = lines.next().unwrap_or_default().split(';');
        let values = lines.last().unwrap_or_default().split(';');
        names.zip(values).filter_map(|(n, v)| Some((n.to_owned(), v.parse().ok()?))).collect()
    }

    fn errors(&self) -> String {
        let read = |name: &str| -> String {
            let path: PathBuf = self.dir.path().join(name);
            let text = std::fs::read(path).unwrap_or_default();
            String::from_utf8_lossy(&text).chars().take(3000).collect()
        };
        format!("{}\n{}", read("errors"), read("log"))
    }
}

/// sipp against sipp, no server: the scenarios themselves are right.
#[test]
fn the_scenarios_fit_each_other() {
    let _machine = super::shared();
    let agent = Sipp::answer("agent.xml", Sipp::address());
    let calls = Calls { total: 20, rate: 20, at_once: 20, hold: Duration::from_millis(300) };
    let number = "+4930100";
    assert_eq!(Sipp::call("setup.xml", agent.local, number, calls).succeeded(Duration::from_secs(20)), 20);
    let few = Calls { total: 4, at_once: 4, ..calls };
    let hold = Sipp::call("hold.xml", agent.local, number, few);
    assert_eq!(hold.succeeded(Duration::from_secs(20)), 4);
    let press = Sipp::call("press.xml", agent.local, number, few);
    assert_eq!(press.succeeded(Duration::from_secs(30)), 4);
}
