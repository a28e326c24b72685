//! A TURN server (coturn), as `deploy/` sets it up, on loopback.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Process, ports, until};

const SECRET: &str = "shared by turnserver and sayso";

/// A running coturn.
pub(crate) struct Turn {
    port: u16,
    dir: tempfile::TempDir,
    // Ends with it.
    _process: Process,
}

impl Turn {
    /// Starts it and waits until it answers a binding request (RFC 8489 §6).
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let (port, relayed) = (ports(2), ports(100));
        let mut command = Command::new("turnserver");
        command.args(["-n", "--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--realm", "sayso"]);
        command.args(["--use-auth-secret", "--static-auth-secret", SECRET, "--allow-loopback-peers"]);
        command.args([
            "--no-tls",
            "--no-dtls",
            "--no-cli",
            "--verbose",
            "--simple-log",
            "--new-log-timestamp",
        ]);
        for (key, value) in [("listening-port", port), ("min-port", relayed), ("max-port", relayed + 99)] {
            command.arg(format!("--{key}={value}"));
        }
        for (key, file) in [("log-file", "log"), ("pidfile", "pid"), ("userdb", "users")] {
            command.arg(format!("--{key}={}", dir.path().join(file).display()));
        }
        let process = Process::start(
            "turnserver",
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()),
        );
        let turn = Self { port, dir, _process: process };
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout can be set");
        let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        request.extend_from_slice(b"twelve bytes");
        until(Duration::from_secs(10), "the TURN server", || {
            socket.send_to(&request, ("127.0.0.1", port)).ok()?;
            socket.recv(&mut [0u8; 1500]).ok()
        });
        turn
    }

    /// The server's configuration with it.
    pub(crate) fn config(&self) -> String {
        format!(
            "[turn]\nurls = [\"turn:127.0.0.1:{}?transport=udp\"]\nsecret = \"{SECRET}\"\nttl = \"1h\"",
            self.port
        )
    }

    /// Asserts that it relayed for a user of this name.
    pub(crate) fn is_for(&self, user: &str) {
        let log = || std::fs::read_to_string(self.log()).unwrap_or_default();
        until(Duration::from_secs(10), &format!("the relay's log to name {user}"), || {
            log().lines().any(|line| line.contains("ALLOCATE") && line.contains(user)).then_some(())
        });
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }
}
