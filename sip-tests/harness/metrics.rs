//! Reads the server's HTTP pages: `/metrics` in Prometheus text, `/healthz`, `/readyz`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Fetches `path`: status and body; `None` when nobody answers.
pub(crate) fn get(server: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(server).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: sayso\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let status = text.split(' ').nth(1)?.parse().ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding: chunked"), "these pages have a length");
    Some((status, body.to_owned()))
}

/// One look at all metrics.
pub(crate) struct Metrics(Vec<Sample>);

/// A sample: name, labels as written, value.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: String,
    pub(crate) value: f64,
}

impl Metrics {
    /// Reads them now.
    pub(crate) fn of(server: SocketAddr) -> Self {
        let (status, body) = get(server, "/metrics").expect("the server answers /metrics");
        assert_eq!(status, 200, "/metrics");
        Self::parse(&body)
    }

    /// Reads Prometheus text.
    pub(crate) fn parse(text: &str) -> Self {
        let sample = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let labels = labels.trim_end_matches('}').to_owned();
            Some(Sample { name: name.to_owned(), labels, value: value.parse().ok()? })
        };
        Self(text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect())
    }

    /// The sum over all series of this name; `None` when there is none.
    pub(crate) fn sum(&self, name: &str) -> Option<f64> {
        self.0.iter().filter(|s| s.name == name).map(|s| s.value).reduce(|a, b| a + b)
    }

    /// The series of this name that are not zero, as text for messages.
    pub(crate) fn not_zero(&self, names: &[&str]) -> Vec<String> {
        let wanted = |s: &&Sample| names.contains(&s.name.as_str()) && s.value != 0.0;
        let text = |s: &Sample| format!("{}{{{}}} {}", s.name, s.labels, s.value);
        self.0.iter().filter(wanted).map(text).collect()
    }

    /// The kinds of alarms that are raised, sorted, each once.
    pub(crate) fn alarms(&self) -> Vec<String> {
        let raised = self.0.iter().filter(|s| s.name == "sayso_alarm" && s.value > 0.0);
        let kind = |s: &Sample| {
            let (_, rest) =
                s.labels.split_once("kind=\"").unwrap_or_else(|| panic!("an alarm of no kind: {s:?}"));
            rest.split('"').next().unwrap_or_default().to_owned()
        };
        let mut kinds: Vec<String> = raised.map(kind).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }

    /// All series whose name contains `part`.
    pub(crate) fn named(&self, part: &str) -> impl Iterator<Item = &Sample> {
        self.0.iter().filter(move |s| s.name.contains(part))
    }
}

#[test]
fn prometheus_text_is_read() {
    let text = "# HELP a b\n# TYPE a gauge\na{t=\"x\"} 2\na{t=\"y\"} 0\nb 1.5\n";
    let metrics = Metrics::parse(text);
    assert_eq!(metrics.sum("a"), Some(2.0));
    assert_eq!(metrics.sum("c"), None);
    assert_eq!(metrics.not_zero(&["a", "b"]), ["a{t=\"x\"} 2", "b{} 1.5"]);
    let text =
        "sayso_alarm{kind=\"b\"} 1\nsayso_alarm{kind=\"c\"} 0\nsayso_alarm{kind=\"a\"} 1\nsayso_alarms 5\n";
    assert_eq!(Metrics::parse(text).alarms(), ["a", "b"]);
}
