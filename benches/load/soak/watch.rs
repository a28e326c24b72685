//! What the soak looks at: memory, files and tables of the server, and whether they grow.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde::Serialize;

use crate::process::Usage;

/// Gauges that are zero when there is no call.
const TABLES: [&str; 5] =
    ["sayso_calls", "sayso_media_legs", "sayso_media_ports", "sayso_switchboard_dialogs", "sayso_sip_table"];

/// One look.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Look {
    /// Seconds since the start.
    pub(crate) at: f64,
    pub(crate) rss_mb: f64,
    pub(crate) files: usize,
    /// Calls, legs, ports, dialogs, SIP tables and timers.
    pub(crate) tables: [f64; 5],
    /// Calls ended so far.
    pub(crate) calls: u32,
}

impl Look {
    /// Looks now; `None` when there is nobody to look at.
    pub(crate) fn now(pid: u32, http: SocketAddr, at: Duration, calls: u32) -> Option<Self> {
        // Before our own connection is one of them.
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
        let metrics = metrics(http)?;
        Some(Self {
            at: at.as_secs_f64(),
            rss_mb: Usage::of(pid)?.rss as f64 / 1e6,
            files,
            tables: TABLES.map(|name| sum(&metrics, name)),
            calls,
        })
    }

    /// Whether nothing is held by a call.
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.iter().all(|count| *count == 0.0)
    }

    pub(crate) fn row(&self) -> String {
        let [calls, legs, ports, dialogs, sip] = self.tables;
        format!(
            "{:>7.0} s{:>8}{:>10.1}{:>7}{calls:>7}{legs:>6}{ports:>7}{dialogs:>9}{sip:>6}",
            self.at, self.calls, self.rss_mb, self.files
        )
    }
}

/// The head of the rows.
pub(crate) const HEAD: &str = "     time   calls    RSS MB  files  calls  legs  ports  dialogs   SIP";

/// The slope of memory in MB an hour, by least squares, from `settled` on; `None` with fewer than three looks.
pub(crate) fn growth(looks: &[Look], settled: Duration) -> Option<f64> {
    let points: Vec<(f64, f64)> = looks
        .iter()
        .filter(|look| look.at >= settled.as_secs_f64())
        .map(|look| (look.at / 3600.0, look.rss_mb))
        .collect();
    if points.len() < 3 {
        return None;
    }
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let over: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let under: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    (under > 0.0).then(|| over / under)
}

/// Its metrics now, as Prometheus text.
fn metrics(http: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(http).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: sayso\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}

/// A counter's sum now; zero when it was never set. `None` when there is nobody to ask.
pub(crate) fn counted(http: SocketAddr, name: &str) -> Option<f64> {
    metrics(http).map(|metrics| sum(&metrics, name))
}

/// The sum of a gauge, what stays without calls left out: registrations, connections.
fn sum(metrics: &str, name: &str) -> f64 {
    let stays = ["registration", "binding", "connection"];
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    let ours = lines.filter(|line| line.split(['{', ' ']).next() == Some(name));
    let counted = ours.filter(|line| !stays.iter().any(|word| line.contains(word)));
    counted.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_a_slope() {
        let look = |at: f64, rss_mb| Look { at, rss_mb, files: 0, tables: [0.0; 5], calls: 0 };
        let looks: Vec<Look> = (0..30)
            .map(|n| look(f64::from(n) * 60.0, if n < 5 { 10.0 } else { 40.0 + f64::from(n) / 60.0 }))
            .collect();
        let slope = growth(&looks, Duration::from_secs(300)).expect("enough looks");
        assert!((slope - 1.0).abs() < 1e-6, "{slope} MB an hour");
        assert_eq!(growth(&looks[..2], Duration::ZERO), None);
    }

    #[test]
    fn only_what_calls_hold_counts() {
        let text = "# TYPE a gauge\na{t=\"x\"} 2\na{t=\"registrations\"} 5\nab 7\na 1\n";
        assert_eq!(sum(text, "a"), 3.0);
    }
}
