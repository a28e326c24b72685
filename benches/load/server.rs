//! A server of our own for a run: its folder, its settings, its process.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

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
    sayso: PathBuf,
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
        let server = Self { child, sayso: sayso.to_owned(), dir, udp: udp.unwrap_or(nowhere), http };
        if udp.is_none() {
            let log = std::fs::read_to_string(server.dir.join("log")).unwrap_or_default();
            bail!("the server does not start: {line}{log}");
        }
        Ok(server)
    }

    /// Its folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What `sayso` with these words prints.
    pub(crate) fn sayso(&self, words: &[&str]) -> Result<String> {
        let config = self.dir.join("sayso.toml");
        let output = Command::new(&self.sayso).args(words).arg("--config").arg(config).output()?;
        if !output.status.success() {
            bail!("sayso {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
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
