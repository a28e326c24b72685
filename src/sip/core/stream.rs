//! TCP: the connections, and how their bytes are cut into messages (RFC 3261 §18.3). A malformed
//! message whose length is known costs only itself; one whose length is not costs the connection.

use std::collections::HashMap;
use std::net::SocketAddr;

use bytes::{Buf, Bytes, BytesMut};

use super::io::{Flow, Transport};

/// The longest message taken, in octets; the same as a datagram can hold.
const MAX_MESSAGE: usize = 65_535;

/// What a stream held.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A whole message, well formed or not.
    Message(Bytes),
    /// A keep-alive that asks for CRLF in return (RFC 5626 §4.4.1).
    Ping,
    /// Where the next message begins cannot be known. The octets are the head of the bad one.
    Lost(Bytes),
}

/// A TCP connection's unread octets.
struct Connection {
    flow: Flow,
    buffer: BytesMut,
    /// How far the end of the head was looked for.
    scanned: usize,
}

/// The TCP connections there are.
#[derive(Default)]
pub(super) struct Connections {
    open: HashMap<u64, Connection>,
    by_remote: HashMap<SocketAddr, u64>,
}

impl Connections {
    pub(super) fn add(&mut self, flow: Flow) {
        self.by_remote.insert(flow.remote, flow.connection);
        self.open.insert(flow.connection, Connection { flow, buffer: BytesMut::new(), scanned: 0 });
    }

    pub(super) fn remove(&mut self, flow: &Flow) {
        self.open.remove(&flow.connection);
        if self.by_remote.get(&flow.remote) == Some(&flow.connection) {
            self.by_remote.remove(&flow.remote);
        }
    }

    pub(super) fn has(&self, flow: &Flow) -> bool {
        self.open.contains_key(&flow.connection)
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// The way to send on: a connection that is gone, or was never there, is replaced by one to
    /// the same address if there is one, or by connection 0.
    pub(super) fn resolve(&self, flow: Flow) -> Flow {
        if flow.transport == Transport::Udp || self.has(&flow) {
            return flow;
        }
        let there = self.by_remote.get(&flow.remote).and_then(|id| self.open.get(id));
        there.map_or(Flow { connection: 0, ..flow }, |connection| connection.flow)
    }

    /// Takes octets that came over `flow`.
    pub(super) fn push(&mut self, flow: &Flow, bytes: &[u8]) {
        if let Some(connection) = self.open.get_mut(&flow.connection) {
            connection.buffer.extend_from_slice(bytes);
        }
    }

    /// The next thing in what came over `flow`.
    pub(super) fn next(&mut self, flow: &Flow) -> Option<Frame> {
        self.open.get_mut(&flow.connection)?.next()
    }

    /// Whether a message was begun and not ended; a line end alone is a keep-alive.
    pub(super) fn is_half(&self, flow: &Flow) -> bool {
        let begun = |connection: &Connection| connection.buffer.iter().any(|b| !matches!(b, b'\r' | b'\n'));
        self.open.get(&flow.connection).is_some_and(begun)
    }

    /// The flow of a connection's number.
    pub(super) fn flow(&self, connection: u64) -> Option<Flow> {
        self.open.get(&connection).map(|connection| connection.flow)
    }
}

impl Connection {
    fn next(&mut self) -> Option<Frame> {
        if self.buffer.starts_with(b"\r\n\r\n") {
            self.buffer.advance(4);
            return Some(Frame::Ping);
        }
        // A lone CRLF before a message means nothing (RFC 3261 §7.5), but it may be half a ping.
        if self.buffer.starts_with(b"\r\n")
            && self.buffer.len() > 2
            && !b"\r\n".starts_with(&self.buffer[2..3])
        {
            self.buffer.advance(2);
        }
        if self.buffer.iter().all(|b| matches!(b, b'\r' | b'\n')) && self.buffer.len() < 4 {
            return None;
        }
        let from = self.scanned.min(self.buffer.len());
        let Some(end) = self.buffer[from..].windows(4).position(|four| four == b"\r\n\r\n") else {
            self.scanned = self.buffer.len().saturating_sub(3);
            return (self.buffer.len() > MAX_MESSAGE).then(|| self.give_up(MAX_MESSAGE));
        };
        let head = from + end + 4;
        self.scanned = head - 4;
        let length = match content_length(&self.buffer[..head]) {
            Some(length) if length <= MAX_MESSAGE - head.min(MAX_MESSAGE) => length,
            Some(_) | None => return Some(self.give_up(head)),
        };
        if self.buffer.len() < head + length {
            return None;
        }
        self.scanned = 0;
        Some(Frame::Message(self.buffer.split_to(head + length).freeze()))
    }

    fn give_up(&mut self, head: usize) -> Frame {
        let head = self.buffer.split_to(head.min(self.buffer.len())).freeze();
        self.buffer.clear();
        self.scanned = 0;
        Frame::Lost(head)
    }
}

/// The one Content-Length of a message's head; `None` when it is missing, repeated or no number
/// (RFC 3261 §18.3, RFC 4475 §3.1.2.3 and §3.3.9).
fn content_length(head: &[u8]) -> Option<usize> {
    let mut found = None;
    for line in head.split(|b| *b == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
        let name = line[..colon].trim_ascii();
        let folded = line.first().is_some_and(|b| matches!(b, b' ' | b'\t'));
        if folded || !(name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"l")) {
            continue;
        }
        let digits = line[colon + 1..].trim_ascii();
        let number =
            std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
        if found.replace(number.parse().ok()?).is_some() {
            return None;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> Flow {
        let at = |port| SocketAddr::from(([10, 0, 0, 1], port));
        Flow { transport: Transport::Tcp, local: at(5060), remote: at(40_000), connection: 7 }
    }

    fn frames(chunks: &[&[u8]]) -> Vec<Frame> {
        let mut connections = Connections::default();
        connections.add(flow());
        let mut frames = Vec::new();
        for chunk in chunks {
            connections.push(&flow(), chunk);
            frames.extend(std::iter::from_fn(|| connections.next(&flow())));
        }
        frames
    }

    #[test]
    fn messages_are_cut_wherever_the_chunks_end() {
        let text = b"\r\nA b c\r\nl : 3\r\n\r\nxyz\r\n\r\nD e f\r\nContent-Length:0\r\nSubject: l:9\r\n\r\n";
        let whole = [
            Frame::Message(Bytes::from_static(b"A b c\r\nl : 3\r\n\r\nxyz")),
            Frame::Ping,
            Frame::Message(Bytes::from_static(b"D e f\r\nContent-Length:0\r\nSubject: l:9\r\n\r\n")),
        ];
        for cut in 0..text.len() {
            assert_eq!(frames(&[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(frames(&bytes), whole);
    }

    #[test]
    fn without_one_good_length_the_place_is_lost() {
        for lengths in [
            "",
            "l: -1\r\n",
            "l: 1\r\nContent-Length: 1\r\n",
            "l:\r\n 3\r\n",
            "l: 999999999999999999999999\r\n",
        ] {
            let head = format!("A b c\r\n{lengths}\r\n");
            let lost = Frame::Lost(Bytes::from(head.clone()));
            assert_eq!(frames(&[format!("{head}xyz").as_bytes()]), [lost], "{lengths}");
        }
        let endless = vec![b'a'; MAX_MESSAGE + 1];
        assert!(matches!(&frames(&[&endless])[..], [Frame::Lost(_)]));
    }
}
