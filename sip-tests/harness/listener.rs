//! Another house's system that webhooks tell: it keeps what it is sent, and checks the signature as a receiver does.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use aws_lc_rs::hmac;
use serde_json::Value;

/// Listens until the test process ends.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    told: Receiver<Told>,
}

/// What came.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) event: String,
    pub(crate) body: String,
    /// `t=SECONDS,v1=HEX`.
    signature: String,
}

impl Listener {
    /// On a port of the system's choosing; answers 200 to everything.
    pub(crate) fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = socket.local_addr().expect("an address");
        let (tell, told) = channel();
        std::thread::spawn(move || {
            for stream in socket.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream);
                let (mut event, mut signature, mut length) = (String::new(), String::new(), 0);
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
                        break;
                    }
                    let (name, value) = line.split_once(':').unwrap_or((&line, ""));
                    match name.to_ascii_lowercase().as_str() {
                        "sayso-event" => event = value.trim().to_owned(),
                        "sayso-signature" => signature = value.trim().to_owned(),
                        "content-length" => length = value.trim().parse().unwrap_or(0),
                        _ => {}
                    }
                }
                let mut body = vec![0; length];
                let whole = reader.read_exact(&mut body).is_ok();
                let said = reader
                    .get_mut()
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                if whole && said.is_ok() {
                    let body = String::from_utf8_lossy(&body).into_owned();
                    let _ended = tell.send(Told { event, body, signature }); // the test may have ended
                }
            }
        });
        Self { address, told }
    }

    /// Waits for this event; what came before it is passed over.
    pub(crate) fn hears(&self, event: &str) -> Told {
        let mut others = Vec::new();
        loop {
            let told = self.told.recv_timeout(Duration::from_secs(20));
            let told = told.unwrap_or_else(|_| panic!("{event} did not come, but {others:?}"));
            if told.event == event {
                return told;
            }
            others.push(told.event);
        }
    }
}

impl Told {
    /// Whether it was signed with this secret.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let Some((at, tag)) = self.signature.strip_prefix("t=").and_then(|rest| rest.split_once(",v1="))
        else {
            return false;
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hex::decode(tag).unwrap_or_default();
        hmac::verify(&key, format!("{at}.{}", self.body).as_bytes(), &tag).is_ok()
    }

    /// What it says.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}
