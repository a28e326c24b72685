//! baresip 1.0.0 as a caller or an agent: says a clip, keeps what it said and heard, is steered over
//! its control port and tells what happens there.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Process, audio, ports, until};

/// How baresip logs on.
pub(crate) enum Login<'a> {
    /// It does not: it calls as itself, or was registered by `phone::register_for`.
    None,
    /// The same, and it calls over TCP.
    Tcp,
    /// The same, and it calls over TLS; servers must have their certificate from this file.
    Tls(&'a Path),
    /// It registers by itself at this server with this password.
    Registers(SocketAddr, &'a str),
}

/// What baresip speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speech {
    /// The codec by baresip's name: `PCMA`, `G722`, `opus`.
    pub(crate) codec: &'static str,
    /// Sealed with keys by SDES, or no call (`srtp-mand`).
    pub(crate) sealed: bool,
}

impl Speech {
    /// Plain A-law.
    pub(crate) const USUAL: Self = Self { codec: "PCMA", sealed: false };
}

/// A running baresip.
pub(crate) struct Baresip {
    process: Process,
    dir: tempfile::TempDir,
    control: TcpStream,
    events: Receiver<Value>,
}

/// What it said and heard in its call.
pub(crate) struct Talk {
    pub(crate) said: Vec<i16>,
    pub(crate) heard: Vec<i16>,
}

impl Baresip {
    /// A SIP address for one; baresip takes the port after it too (for TLS).
    pub(crate) fn address() -> SocketAddr {
        ([127, 0, 0, 1], ports(2)).into()
    }

    /// Starts `user` at `local`; it answers calls by itself and says `clip` in each.
    pub(crate) fn start(user: &str, local: SocketAddr, clip: &Path, login: &Login<'_>) -> Self {
        Self::start_as(user, local, clip, login, Speech::USUAL)
    }

    /// The same, speaking this.
    pub(crate) fn start_as(
        user: &str,
        local: SocketAddr,
        clip: &Path,
        login: &Login<'_>,
        speech: Speech,
    ) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let (control, rtp) = (ports(2), ports(20));
        let dump = dir.path().join("dump");
        std::fs::create_dir(&dump).expect("the folder is writable");
        let modules = "/usr/lib/baresip/modules";
        let mut config = format!(
            "sip_listen {local}\nrtp_ports {rtp}-{}\njitter_buffer_delay 2-5\naudio_source aufile,{}\n\
             audio_player aubridge,none\naudio_alert none,none\nsnd_path {}\nctrl_tcp_listen 127.0.0.1:{control}\n\
             module_path {modules}\nausrc_srate 8000\nausrc_channels 1\nopus_stereo no\nopus_sprop_stereo no\n",
            rtp + 19,
            clip.display(),
            dump.display(),
        );
        for module in
            ["g711", "g722", "opus", "srtp", "aufile", "aubridge", "sndfile", "account", "menu", "ctrl_tcp"]
        {
            config.push_str(&format!("module {module}.so\n"));
        }
        let transport = match login {
            Login::None | Login::Registers(..) => "udp",
            Login::Tcp => "tcp",
            Login::Tls(ca) => {
                config.push_str(&format!("sip_cafile {}\n", ca.display()));
                "tls"
            }
        };
        let (host, login) = match login {
            Login::None | Login::Tcp | Login::Tls(_) => (local, "regint=0".to_owned()),
            Login::Registers(server, password) => {
                (*server, format!("auth_user={user};auth_pass={password};regint=600"))
            }
        };
        let Speech { codec, sealed } = speech;
        let seal = if sealed { ";mediaenc=srtp-mand" } else { "" };
        let account = format!(
            "<sip:{user}@{host};transport={transport}>;{login};answermode=auto;audio_codecs={codec}{seal}\n"
        );
        for (file, text) in [("config", config.as_str()), ("accounts", &account), ("contacts", "")] {
            std::fs::write(dir.path().join(file), text).expect("the folder is writable");
        }
        let log = std::fs::File::create(dir.path().join("log")).expect("the folder is writable");
        let mut command = Command::new("baresip");
        command.arg("-f").arg(dir.path()).args(["-n", "127.0.0.1"]);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be cloned")).stderr(log);
        let process = Process::start("baresip", &mut command);
        let address = SocketAddr::from(([127, 0, 0, 1], control));
        let control =
            until(Duration::from_secs(10), "baresip's control port", || TcpStream::connect(address).ok());
        let events = listen(control.try_clone().expect("a socket can be cloned"));
        Self { process, dir, control, events }
    }

    /// Calls a URI.
    pub(crate) fn dial(&mut self, uri: &str) {
        self.command("dial", uri);
    }

    /// Presses a key (RFC 4733).
    pub(crate) fn press(&mut self, key: char) {
        self.command("sndcode", &key.to_string());
    }

    /// Ends the call.
    pub(crate) fn hang_up(&mut self) {
        self.command("hangup", "");
        self.expect("CALL_CLOSED", Duration::from_secs(5));
    }

    /// Waits for an event of this type; panics at the deadline.
    pub(crate) fn expect(&mut self, kind: &str, deadline: Duration) -> Value {
        let end = Instant::now() + deadline;
        let mut passed = Vec::new();
        loop {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(event) if event["type"] == kind => return event,
                Ok(event) => passed.push(event["type"].to_string()),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("baresip told no {kind} within {deadline:?}, but {passed:?}\n{}", self.log())
                }
            }
        }
    }

    /// Quits, and gives what was said and heard in its call.
    pub(crate) fn quit(mut self) -> Talk {
        self.command("quit", "");
        self.process.wait(Duration::from_secs(10));
        let dump = |end: &str| {
            let files = std::fs::read_dir(self.dir.path().join("dump")).expect("the folder is there");
            let files = files.flatten().map(|entry| entry.path());
            let mut files: Vec<_> = files.filter(|path| path.to_string_lossy().ends_with(end)).collect();
            files.sort();
            files.first().map(|file| audio::read_any(file)).unwrap_or_default()
        };
        Talk { said: dump("-enc.wav"), heard: dump("-dec.wav") }
    }

    fn command(&mut self, command: &str, params: &str) {
        let text = serde_json::json!({ "command": command, "params": params }).to_string();
        write!(self.control, "{}:{text},", text.len()).expect("baresip listens");
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

/// Reads netstrings of JSON; events go to the channel, answers to commands are dropped.
fn listen(mut control: TcpStream) -> Receiver<Value> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut buffer = [0u8; 4096];
        while let Ok(length @ 1..) = control.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..length]);
            while let Some((event, used)) = netstring(&bytes) {
                bytes.drain(..used);
                if event["event"] == true && tell.send(event).is_err() {
                    return;
                }
            }
        }
    });
    told
}

fn netstring(bytes: &[u8]) -> Option<(Value, usize)> {
    let colon = bytes.iter().position(|b| *b == b':')?;
    let length: usize = std::str::from_utf8(&bytes[..colon]).ok()?.parse().ok()?;
    let text = bytes.get(colon + 1..colon + 1 + length)?;
    bytes.get(colon + 1 + length)?; // the comma
    Some((serde_json::from_slice(text).unwrap_or(Value::Null), colon + length + 2))
}

/// The clients and the ears by themselves: two baresips, no server. What this shows of their own loss
/// is the yardstick for the tests with a server.
#[test]
fn two_baresips_hear_each_other() {
    let _machine = super::shared();
    let clips = audio::clips();
    let (at, to) = (Baresip::address(), Baresip::address());
    let mut agent = Baresip::start("ada", to, &clips.agent, &Login::None);
    let mut caller = Baresip::start("caller", at, &clips.caller, &Login::None);
    caller.dial(&format!("sip:ada@{to}"));
    caller.expect("CALL_ESTABLISHED", Duration::from_secs(5));
    agent.expect("CALL_ESTABLISHED", Duration::from_secs(5));
    let end = Instant::now() + Duration::from_secs(8);
    until(Duration::from_secs(9), "8 s of talk", || (Instant::now() > end).then_some(()));
    caller.hang_up();
    let (caller, agent) = (caller.quit(), agent.quit());
    audio::find(&caller.heard, &agent.said).assert("agent to caller", 8, 0.99, 0.1);
    audio::find(&agent.heard, &caller.said).assert("caller to agent", 8, 0.99, 0.1);
}
