//! A user's session at the HTTP API, as a page holds one: log-in, commands, what goes on.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::phone::SOON;
use super::until;

/// A logged-in user.
pub(crate) struct Session {
    http: SocketAddr,
    cookie: String,
}

/// An answer: status, the session's cookie if one was set, body.
struct Answer {
    status: u16,
    cookie: Option<String>,
    body: Value,
}

impl Session {
    /// Logs in.
    pub(crate) fn open(http: SocketAddr, user: &str, password: &str) -> Self {
        let body = json!({ "user": user, "password": password });
        let answer = ask(http, "POST", "/api/v1/session", None, Some(&body));
        assert_eq!(answer.status, 200, "log-in of {user}: {}", answer.body);
        Self { http, cookie: answer.cookie.expect("a session's cookie") }
    }

    /// Nobody's.
    pub(crate) fn stranger(http: SocketAddr) -> Self {
        Self { http, cookie: "sayso=nobody".to_owned() }
    }

    /// The cookie, `name=token`.
    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Asks; status and body.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let path = format!("/api/v1{path}");
        let answer = ask(self.http, method, &path, Some(&self.cookie), body.as_ref());
        (answer.status, answer.body)
    }

    /// Asks, and waits for no answer: it comes on this connection, if one comes.
    pub(crate) fn start(&self, method: &str, path: &str, body: Option<&Value>) -> TcpStream {
        send(self.http, method, &format!("/api/v1{path}"), Some(&self.cookie), body)
    }

    /// Commands, and asserts that it is done.
    pub(crate) fn does(&self, method: &str, path: &str, body: Option<Value>) {
        let (status, answer) = self.ask(method, path, body);
        assert_eq!(status, 204, "{method} {path}: {answer}");
    }

    /// Commands, and asserts that it is refused with this status; the sentence.
    pub(crate) fn refused(&self, method: &str, path: &str, body: Option<Value>, status: u16) -> String {
        let (was, answer) = self.ask(method, path, body);
        assert_eq!(was, status, "{method} {path}: {answer}");
        answer["detail"].as_str().expect("a sentence").to_owned()
    }

    /// All that goes on: the first event of the stream.
    pub(crate) fn snapshot(&self) -> Value {
        let mut stream = connect(self.http);
        let request =
            format!("GET /api/v1/events HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\n\r\n", self.http, self.cookie);
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut lines = BufReader::new(stream).lines().map(|line| line.expect("a line in time"));
        assert!(lines.any(|line| line == "event: snapshot"), "a snapshot comes first");
        let data = lines.next().expect("its data");
        let data = data.strip_prefix("data:").expect("one line of data").trim();
        serde_json::from_str(data).expect("JSON")
    }

    /// The only call as this user sees it, once it fits.
    pub(crate) fn call(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let last = std::cell::RefCell::new(Value::Null);
        let found = || {
            let calls = self.snapshot()["calls"].take();
            let fitting = calls.as_array().and_then(|calls| match calls.as_slice() {
                [call] if fits(call) => Some(call.clone()),
                _ => None,
            });
            *last.borrow_mut() = calls;
            fitting
        };
        let end = std::time::Instant::now() + Duration::from_secs(15);
        until(Duration::from_secs(16), what, || {
            assert!(std::time::Instant::now() < end, "{what}: {:#}", last.borrow());
            found()
        })
    }
}

fn connect(http: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(http).expect("the server accepts");
    // The longest answer is that of a trunk which is asked and keeps silent: 12 s.
    stream.set_read_timeout(Some(4 * SOON)).expect("a timeout can be set");
    stream
}

fn send(http: SocketAddr, method: &str, path: &str, cookie: Option<&str>, body: Option<&Value>) -> TcpStream {
    let body = body.map(Value::to_string).unwrap_or_default();
    let cookie = cookie.map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {http}\r\nX-Sayso: 1\r\n{cookie}Content-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = connect(http);
    stream.write_all(request.as_bytes()).expect("the server reads");
    stream
}

fn ask(http: SocketAddr, method: &str, path: &str, cookie: Option<&str>, body: Option<&Value>) -> Answer {
    let mut stream = send(http, method, path, cookie, body);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in time");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    let cookie = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("set-cookie")
            .then(|| value.trim().split(';').next().unwrap_or("").to_owned())
    });
    let body = body.get(body.find(['{', '[']).unwrap_or(body.len())..).unwrap_or_default();
    let body = body.rfind(['}', ']']).map_or("", |end| &body[..=end]);
    Answer { status, cookie, body: serde_json::from_str(body).unwrap_or(Value::Null) }
}
