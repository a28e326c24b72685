//! A proxy before an HTTP server that does to requests and answers what networks and overloaded stores do. The test
//! says which requests are met by what; each request has a connection of its own.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What happens to one request. Counts of bytes are of the body.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// So many bytes reach the server, then both connections break.
    CutRequest(u64),
    /// One bit of this byte of the request is flipped.
    FlipRequest(u64),
    /// The server does it, but the connection breaks before the first byte of its answer.
    LoseAnswer,
    /// So many bytes of the answer arrive, then the connection ends.
    Truncate(u64),
    /// One bit of this byte of the answer is flipped.
    FlipAnswer(u64),
    /// It waits so long before it goes on.
    Delay(Duration),
    /// The proxy answers with this status and AWS's error code, as S3 or KMS would; the server sees nothing.
    Answer(u16, &'static str),
    /// Nobody answers until the client gives up.
    #[allow(dead_code)] // the store's patience is long: for tests that have other things to do meanwhile
    Silence,
}

/// A running proxy; its threads end with the test process.
pub(crate) struct Faults {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    away: AtomicBool,
    /// Bytes a second of each request's body; 0 is no limit.
    rate: AtomicU64,
    script: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<(String, String)>>,
}

/// The next `times` requests whose line contains all words of `mark` are met by `fault`.
struct Rule {
    mark: String,
    times: u32,
    fault: Fault,
}

impl Faults {
    /// Passes everything on to `server` until told otherwise.
    pub(crate) fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let shared: Arc<Shared> = Arc::default();
        let of_thread = shared.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let shared = of_thread.clone();
                std::thread::spawn(move || {
                    // A broken connection is what this is for; the client tells what it makes of it.
                    let _ = serve(&near, server, &shared);
                    let _ = near.shutdown(Shutdown::Both);
                });
            }
        });
        Self { address, shared }
    }

    /// Where to connect to, as a URL.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next `times` requests whose line (`PUT /bucket/name?partNumber=2`) contains all words of `mark` are met by
    /// `fault`. Rules are asked in the order they were given.
    pub(crate) fn rule(&self, mark: &str, times: u32, fault: Fault) {
        lock(&self.shared.script).push(Rule { mark: mark.to_owned(), times, fault });
    }

    /// Forgets all rules.
    pub(crate) fn mend(&self) {
        lock(&self.shared.script).clear();
    }

    /// Whether each rule has met as many requests as it was to meet.
    pub(crate) fn all_met(&self) -> bool {
        lock(&self.shared.script).iter().all(|rule| rule.times == 0)
    }

    /// Connections are closed as soon as they are made (`true`), or served again.
    pub(crate) fn away(&self, away: bool) {
        self.shared.away.store(away, Ordering::SeqCst);
    }

    /// Bodies of requests go on with so many bytes a second; 0 is no limit.
    pub(crate) fn rate(&self, bytes_a_second: u64) {
        self.shared.rate.store(bytes_a_second, Ordering::SeqCst);
    }

    /// The lines of all requests so far, `PUT /bucket/name?partNumber=2`.
    pub(crate) fn seen(&self) -> Vec<String> {
        lock(&self.shared.seen).iter().map(|(line, _)| line.clone()).collect()
    }

    /// The headers of the last request whose line contains all words of `mark`, in lower case.
    pub(crate) fn headers(&self, mark: &str) -> Option<String> {
        let seen = lock(&self.shared.seen);
        let found = seen.iter().rev().find(|(line, _)| contains(line, mark));
        found.map(|(_, head)| head.to_lowercase())
    }

    /// How many requests so far have a line that contains all words of `mark`.
    pub(crate) fn count(&self, mark: &str) -> usize {
        self.seen().iter().filter(|line| contains(line, mark)).count()
    }
}

fn contains(line: &str, mark: &str) -> bool {
    mark.split_whitespace().all(|word| line.contains(word))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(mut near: &TcpStream, server: SocketAddr, shared: &Shared) -> io::Result<()> {
    if shared.away.load(Ordering::SeqCst) {
        return Ok(());
    }
    let Some(head) = Head::read(near)? else { return Ok(()) };
    lock(&shared.seen).push((head.line.clone(), String::from_utf8_lossy(&head.bytes).into_owned()));
    let fault = take(shared, &head.line);
    if head.continues {
        near.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    match fault {
        Some(Fault::Answer(status, code)) => {
            io::copy(&mut near.take(head.length), &mut io::sink())?;
            let (kind, body) = error_body(&head, code);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} Fault\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
                 connection: close\r\n\r\n{body}"
            );
            return near.write_all(answer.as_bytes());
        }
        Some(Fault::Silence) => {
            // Ends when the client closes.
            return io::copy(&mut &mut near, &mut io::sink()).map(drop);
        }
        Some(Fault::Delay(span)) => std::thread::sleep(span),
        Some(
            Fault::CutRequest(_)
            | Fault::FlipRequest(_)
            | Fault::LoseAnswer
            | Fault::Truncate(_)
            | Fault::FlipAnswer(_),
        )
        | None => {}
    }
    let mut far = TcpStream::connect(server)?;
    far.write_all(&head.bytes)?;
    let (send, flip) = match fault {
        Some(Fault::CutRequest(at)) => (at.min(head.length), None),
        Some(Fault::FlipRequest(at)) => (head.length, Some(at)),
        _ => (head.length, None),
    };
    let mut body = near.take(send);
    if pass(&mut body, &mut far, flip, shared.rate.load(Ordering::SeqCst)).is_err() {
        // The server has answered (refused, mostly) and closed before it had all of it: its answer counts, and comes
        // when the client has said all, or closing would tear it.
        io::copy(&mut body, &mut io::sink())?;
    }
    if matches!(fault, Some(Fault::CutRequest(_))) {
        return far.shutdown(Shutdown::Both);
    }
    if matches!(fault, Some(Fault::LoseAnswer)) {
        return far.read_exact(&mut [0]);
    }
    answer(far, near, fault.as_ref())
}

/// Passes the server's answer on.
fn answer(mut far: TcpStream, mut near: &TcpStream, fault: Option<&Fault>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        far.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    near.write_all(&head)?;
    match fault {
        Some(Fault::Truncate(at)) => pass(&mut far.take(*at), &mut near, None, 0),
        Some(Fault::FlipAnswer(at)) => pass(&mut far, &mut near, Some(*at), 0),
        _ => pass(&mut far, &mut near, None, 0),
    }
}

/// The first rule that still has something to do with this request.
fn take(shared: &Shared, line: &str) -> Option<Fault> {
    let mut script = lock(&shared.script);
    let rule = script.iter_mut().find(|rule| rule.times > 0 && contains(line, &rule.mark))?;
    rule.times -= 1;
    Some(rule.fault.clone())
}

/// An error as the service that is asked puts it, with its content type.
fn error_body(asked: &Head, code: &str) -> (&'static str, String) {
    const JSON: &str = "application/x-amz-json-1.1";
    const XML: &str = "application/xml";
    if asked.line.starts_with("HEAD") {
        return (XML, String::new());
    }
    if String::from_utf8_lossy(&asked.bytes).contains(JSON) {
        return (JSON, format!("{{\"__type\":\"{code}\",\"message\":\"fault\"}}"));
    }
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>fault</Message></Error>"
    );
    (XML, body)
}

/// Copies to the end; flips a bit of byte `flip`; keeps to `rate` bytes a second when it is not 0.
fn pass(from: &mut impl Read, to: &mut impl Write, flip: Option<u64>, rate: u64) -> io::Result<()> {
    let mut buffer = [0u8; 16_384];
    let mut at = 0u64;
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        if let Some(byte) =
            flip.and_then(|flip| flip.checked_sub(at)).and_then(|byte| usize::try_from(byte).ok())
            && byte < length
        {
            buffer[byte] ^= 1;
        }
        to.write_all(&buffer[..length])?;
        at += length as u64;
        if rate > 0 {
            std::thread::sleep(Duration::from_secs_f64(length as f64 / rate as f64));
        }
    }
}

/// A request's head, as it goes to the server: it is told to close, so that the answer ends with the connection.
struct Head {
    /// Method and path.
    line: String,
    bytes: Vec<u8>,
    length: u64,
    /// Whether the client waits for leave to send its body.
    continues: bool,
}

impl Head {
    /// `None` when the connection was closed without a request.
    fn read(mut from: &TcpStream) -> io::Result<Option<Self>> {
        let mut raw = Vec::new();
        while !raw.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if from.read(&mut byte)? == 0 {
                return Ok(None);
            }
            raw.push(byte[0]);
        }
        let text = String::from_utf8_lossy(&raw);
        let mut lines = text.trim_end().split("\r\n");
        let first = lines.next().unwrap_or_default();
        let mut head = Self {
            line: first.trim_end_matches(" HTTP/1.1").to_owned(),
            bytes: format!("{first}\r\n").into_bytes(),
            length: 0,
            continues: false,
        };
        for line in lines {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            match name.to_ascii_lowercase().as_str() {
                "expect" => head.continues = true,
                "connection" => {}
                other => {
                    if other == "content-length" {
                        head.length = value.trim().parse().unwrap_or(0);
                    }
                    assert_ne!(other, "transfer-encoding", "the proxy knows bodies of known length only");
                    head.bytes.extend_from_slice(format!("{line}\r\n").as_bytes());
                }
            }
        }
        head.bytes.extend_from_slice(b"connection: close\r\n\r\n");
        Ok(Some(head))
    }
}
