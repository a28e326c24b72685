//! HTTP by hand: a path goes out as it is written, headers are the test's, and an answer is given as it came.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Work on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// An answer: its status, its header lines, and its body with the chunks put together.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Its body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a request, its body of this type, and reads the answer to its end.
pub(crate) fn ask(
    http: SocketAddr,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: {http}\r\nX-Sayso: 1\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let mut stream = TcpStream::connect(http).expect("the server accepts");
    stream.set_read_timeout(Some(SOON)).expect("a timeout can be set");
    stream.write_all(request.as_bytes()).and_then(|()| stream.write_all(body)).expect("the server reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("{method} {path}: no HTTP answer"));
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    let body = &answer[end + 4..];
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Reply { status, head, body: if chunked { joined(body) } else { body.to_vec() } }
}

/// The chunks of a body put together (RFC 9112 §7.1).
fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = chunks.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&chunks[..line]).expect("digits");
        let length = usize::from_str_radix(length.trim(), 16).expect("hexadecimal digits");
        let begin = line + 2;
        if length == 0 {
            break;
        }
        body.extend_from_slice(&chunks[begin..begin + length]);
        chunks = &chunks[begin + length + 2..];
    }
    body
}

#[test]
fn chunks_are_put_together() {
    assert_eq!(joined(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), b"abcde");
}

/// Puts a text into a URL: everything but letters and digits is encoded.
pub(crate) fn encoded(text: &str) -> String {
    let byte = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(byte).collect()
}
