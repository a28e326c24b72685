//! The judge of what was on the wire: tshark on the loopback, with a filter on the test's own ports.

use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::{Process, until};

/// Ends a capture: no packet before it is missing from the file.
const MARK: &[u8] = b"sayso: the end of this capture";

/// A running capture.
pub(crate) struct Capture {
    process: Process,
    dir: tempfile::TempDir,
    port: u16,
}

/// A packet that looks like RTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) from: u16,
    pub(crate) to: u16,
    pub(crate) payload_type: u8,
    pub(crate) timestamp: u32,
    /// RFC 4733: the key's event code, and whether the event has ended.
    pub(crate) event: Option<(u8, bool)>,
    /// Octets after the RTP header of 12.
    pub(crate) payload: usize,
}

impl Capture {
    /// Captures UDP on the ports from `first` to `last`.
    pub(crate) fn start(first: u16, last: u16) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("tshark");
        command.args(["-i", "lo", "-f", &format!("udp portrange {first}-{last}"), "-w"]);
        command.arg(dir.path().join("wire.pcapng")).stdin(Stdio::null()).stdout(Stdio::null());
        let mut process = Process::start("tshark", command.stderr(Stdio::piped()));
        let stderr = BufReader::new(process.child().stderr.take().expect("stderr is piped"));
        let (tell, told) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if line.contains("Capture started") {
                    let _ = tell.send(()); // the test may have ended
                }
            }
        });
        told.recv_timeout(Duration::from_secs(15)).expect("tshark captures on lo (it needs the right to)");
        Self { process, dir, port: first }
    }

    /// Stops and reads all packets as RTP; `dtmf` is the payload type of telephone-event.
    pub(crate) fn stop(mut self, dtmf: u8) -> Vec<Packet> {
        let file = self.file();
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let marked = || {
            // The port may be closed: what counts is that the packet passed.
            let _ = socket.send_to(MARK, ("127.0.0.1", self.port));
            let bytes = std::fs::read(&file).unwrap_or_default();
            bytes.windows(MARK.len()).any(|w| w == MARK).then_some(())
        };
        until(Duration::from_secs(10), "the capture's end mark", marked);
        self.process.signal(rustix::process::Signal::INT);
        self.process.wait(Duration::from_secs(10));
        let mut command = Command::new("tshark");
        command.arg("-r").arg(&file).args(["-o", "rtp.heuristic_rtp:TRUE", "-T", "fields"]);
        command.args(["-o", &format!("rtpevent.event_payload_type_value:{dtmf}")]);
        command.args(["--enable-heuristic", "rtp_udp"]);
        for field in [
            "udp.srcport",
            "udp.dstport",
            "rtp.p_type",
            "rtp.timestamp",
            "rtpevent.event_id",
            "rtpevent.end_of_event",
            "udp.length",
        ] {
            command.args(["-e", field]);
        }
        let output = command.stdin(Stdio::null()).output().expect("tshark reads");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().filter_map(packet).collect()
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("wire.pcapng")
    }
}

fn packet(line: &str) -> Option<Packet> {
    let mut fields = line.split('\t');
    let mut next = || fields.next().unwrap_or_default();
    let (from, to) = (next().parse().ok()?, next().parse().ok()?);
    let (payload_type, timestamp) = (next().parse().ok()?, next().parse().ok()?);
    let (event, end) = (next(), next());
    let event = event.parse().ok().map(|event| (event, matches!(end, "1" | "True" | "true")));
    let length: usize = next().parse().ok()?;
    Some(Packet { from, to, payload_type, timestamp, event, payload: length.saturating_sub(8 + 12) })
}

#[test]
fn keys_are_seen_on_the_wire() {
    use super::rtp::{self, Stream};
    let _machine = super::shared();
    let sockets = [(); 2].map(|()| rtp::socket([127, 0, 0, 1].into()));
    let [a, b] = sockets.each_ref().map(|s| s.local_addr().expect("bound").port());
    let capture = Capture::start(a.min(b), a.max(b));
    let [one, two] = &sockets;
    let clip = std::sync::Arc::new(vec![1000; 8000]);
    let talker = Stream::start(one, two.local_addr().expect("bound"), clip.clone());
    let listener = Stream::start(two, one.local_addr().expect("bound"), clip);
    talker.press(1);
    talker.press(11);
    until(Duration::from_secs(5), "two keys", || listener.log(|log| log.digits.len() == 2).then_some(()));
    let (sent, heard) = (talker.finish(), listener.finish());
    assert_eq!(heard.digits, [1, 11]);
    assert!(!sent.said.is_empty());
    let packets = capture.stop(101);
    let keys: Vec<_> = packets.iter().filter(|p| p.from == a).filter_map(|p| p.event).collect();
    assert_eq!(keys.len(), 14, "seven packets a key: {keys:?}");
    assert_eq!(
        keys.iter().filter(|(_, end)| *end).map(|(key, _)| *key).collect::<Vec<_>>(),
        [1, 1, 1, 11, 11, 11]
    );
    assert!(packets.iter().any(|p| p.from == b && p.to == a && p.payload_type == 8));
}
