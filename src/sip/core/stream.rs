//! The connections, and how the octets of a stream are cut into messages (RFC 3261 §18.3). A malformed
//! message whose length is known costs only itself; one whose length is not costs the connection.
//! WebSocket frames are messages already; of their connections only the table is here.

use std::collections::HashMap;
use std::net::SocketAddr;

use bytes::{Buf, Bytes, BytesMut};

use super::io::{Flow, Transport};

/// The longest message taken, in octets; the same as a datagram can hold.
const MAX_MESSAGE: usize = 65_535;

/// What a stream held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A whole message, well formed or not.
    Message(Bytes),
    /// A keep-alive that asks for CRLF in return (RFC 5626 §4.4.1).
    Ping,
    /// Where the next message begins cannot be known. The octets are the head of the bad one.
    Lost(Bytes),
}

/// A connection and its unread octets.
struct Connection {
    flow: Flow,
    buffer: BytesMut,
    /// How far the end of the head was looked for.
    scanned: usize,
}

/// The connections there are.
#[derive(Default)]
pub(super) struct Connections {
    open: HashMap<u64, Connection>,
    /// For requests of ours. By transport too: what was asked to go in TLS never goes in the clear.
    by_remote: HashMap<(Transport, SocketAddr), u64>,
}

impl Connections {
    /// `ours`: requests of ours to its far address may go over it.
    pub(super) fn add(&mut self, flow: Flow, ours: bool) {
        if ours {
            self.by_remote.insert((flow.transport, flow.remote), flow.connection);
        }
        self.open.insert(flow.connection, Connection { flow, buffer: BytesMut::new(), scanned: 0 });
    }

    pub(super) fn remove(&mut self, flow: &Flow) {
        self.open.remove(&flow.connection);
        let place = (flow.transport, flow.remote);
        if self.by_remote.get(&place) == Some(&flow.connection) {
            self.by_remote.remove(&place);
        }
    }

    pub(super) fn has(&self, flow: &Flow) -> bool {
        self.open.contains_key(&flow.connection)
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// The way to send on: a connection that is gone, or was never there, is replaced by one of the same
    /// transport to the same address if there is one, or by connection 0.
    pub(super) fn resolve(&self, flow: Flow) -> Flow {
        if flow.transport.is_datagram() || self.has(&flow) {
            return flow;
        }
        let there = self.by_remote.get(&(flow.transport, flow.remote)).and_then(|id| self.open.get(id));
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
        if self.pass_over() {
            return Some(Frame::Ping);
        }
        if matches!(self.buffer.first(), None | Some(b'\r' | b'\n')) {
            return None;
        }
        let from = self.scanned.min(self.buffer.len());
        let Some(end) = head_end(&self.buffer[from..]) else {
            self.scanned = self.buffer.len().saturating_sub(3);
            return (self.buffer.len() > MAX_MESSAGE).then(|| self.give_up(MAX_MESSAGE));
        };
        let head = from + end;
        self.scanned = from;
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

    /// Passes over what may stand between messages. Line ends mean nothing there (RFC 3261 §7.5); spaces
    /// and zero octets come from those who count their bodies wrong or keep alive in their own way.
    /// `true`: a ping.
    fn pass_over(&mut self) -> bool {
        const PING: &[u8] = b"\r\n\r\n";
        loop {
            if self.buffer.starts_with(PING) {
                self.buffer.advance(PING.len());
                return true;
            }
            match self.buffer.first() {
                // Half a ping, perhaps.
                Some(b'\r' | b'\n') if PING.starts_with(&self.buffer) => return false,
                Some(b'\r' | b'\n' | b' ' | b'\t' | 0) => self.buffer.advance(1),
                Some(_) | None => return false,
            }
        }
    }

    fn give_up(&mut self, head: usize) -> Frame {
        let head = self.buffer.split_to(head.min(self.buffer.len())).freeze();
        self.buffer.clear();
        self.scanned = 0;
        Frame::Lost(head)
    }
}

/// Where the head ends: after its blank line. Some end their lines with LF alone; where such a message
/// ends is still clear, and whether it can be read is the parser's affair.
fn head_end(octets: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let line = from + octets[from..].iter().position(|b| *b == b'\n')? + 1;
        match &octets[line..] {
            [b'\n', ..] => return Some(line + 1),
            [b'\r', b'\n', ..] => return Some(line + 2),
            _ => from = line,
        }
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
        connections.add(flow(), true);
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

    #[test]
    fn what_stands_between_messages_is_passed_over() {
        let message = b"A b c\r\nl: 1\r\n\r\nx";
        let text = [&b" \t\n\n\0"[..], message, b"\n\r \r\n", message, b"  \r\n\r\n\r\n", message].concat();
        let message = Frame::Message(Bytes::from_static(message));
        let whole = [message.clone(), message.clone(), Frame::Ping, message];
        for cut in 0..text.len() {
            assert_eq!(frames(&[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
        assert_eq!(frames(&[b"\r\n\r\n\r\n\r\n"]), [Frame::Ping, Frame::Ping]);
        let mut connections = Connections::default();
        connections.add(flow(), true);
        for _ in 0..10_000 {
            connections.push(&flow(), b"  \n\n    \0\0  ");
            assert_eq!(connections.next(&flow()), None);
        }
        assert!(connections.open[&7].buffer.len() < 4 && !connections.is_half(&flow()));
    }

    #[test]
    fn lines_that_end_with_lf_alone_have_an_end() {
        let text = b"A b c\nl: 3\n\nxyzA b c\r\nl: 3\n\r\nxyz";
        let whole = [
            Frame::Message(Bytes::from_static(b"A b c\nl: 3\n\nxyz")),
            Frame::Message(Bytes::from_static(b"A b c\r\nl: 3\n\r\nxyz")),
        ];
        for cut in 0..text.len() {
            assert_eq!(frames(&[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
    }

    #[test]
    fn only_a_connection_of_the_same_transport_is_reused() {
        let mut connections = Connections::default();
        connections.add(flow(), true);
        let lost = |transport| Flow { transport, connection: 0, ..flow() };
        assert_eq!(connections.resolve(lost(Transport::Tcp)), flow());
        for other in [Transport::Tls, Transport::Ws, Transport::Wss] {
            assert_eq!(connections.resolve(lost(other)), lost(other));
        }
        let tls = Flow { transport: Transport::Tls, connection: 8, ..flow() };
        connections.add(tls, false);
        assert_eq!(connections.resolve(lost(Transport::Tls)), lost(Transport::Tls), "not ours to use");
        assert_eq!(connections.resolve(tls), tls);
        connections.remove(&tls);
        let gone = Flow { connection: 0, ..tls };
        assert_eq!(connections.resolve(tls), gone, "TCP is there, and is not taken");
        assert_eq!(connections.resolve(lost(Transport::Tcp)), flow());
    }
}
