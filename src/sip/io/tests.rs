//! The stack on loopback, spoken to by plain sockets.

#[allow(clippy::duplicate_mod)] // the same helper in the tests of `server`
#[path = "../../../sip-tests/harness/authority.rs"]
mod authority;
mod reach;
mod secure;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::*;
use crate::ids::TrunkId;
use crate::settings::Trunk;
use crate::sip::core::Callee;

/// Nothing here takes long; what takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(10);

struct Stack {
    handle: SipHandle,
    events: mpsc::Receiver<Event>,
}

impl Stack {
    /// Listens on loopback; calls from there are a trunk's.
    async fn start(change: impl FnOnce(&mut StackConfig)) -> Self {
        let trunk = Trunk { networks: vec!["127.0.0.1/32".parse().unwrap()], ..Trunk::default() };
        let trunks = [(TrunkId::from("t"), Arc::new(trunk))].into();
        Self::with(Settings { trunks, ..Settings::default() }, 100, change).await
    }

    async fn with(settings: Settings, room: usize, change: impl FnOnce(&mut StackConfig)) -> Self {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let mut config = StackConfig { udp: vec![any], tcp: vec![any], ..StackConfig::default() };
        change(&mut config);
        let (sender, events) = mpsc::channel(room);
        let handle = start(config, Arc::new(settings), Clock::start(), sender).await.unwrap();
        Self { handle, events }
    }

    fn address(&self, transport: Transport) -> SocketAddr {
        self.handle.local().iter().find(|(t, _)| *t == transport).unwrap().1
    }

    async fn connect(&self) -> Peer {
        let stream = TcpStream::connect(self.address(Transport::Tcp)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Peer { stream, unread: String::new() }
    }

    async fn until(&self, wanted: impl Fn(&Status) -> bool) {
        let mut status = self.handle.status();
        let waited = timeout(PATIENCE, status.wait_for(|status| wanted(status))).await;
        assert!(waited.is_ok(), "still {:?}", *self.handle.status().borrow());
    }

    async fn event(&mut self) -> Event {
        timeout(PATIENCE, self.events.recv()).await.expect("an event in time").expect("a running stack")
    }
}

/// The other end of a TCP connection.
struct Peer {
    stream: TcpStream,
    unread: String,
}

impl Peer {
    async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next message's head (the answers here have no body); `None`: closed.
    async fn hear(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.find("\r\n\r\n") {
                let rest = self.unread.split_off(end + 4);
                return Some(std::mem::replace(&mut self.unread, rest));
            }
            let mut buffer = [0; 4096];
            match timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("an answer in time") {
                Ok(0) | Err(_) => return None,
                Ok(length) => self.unread.push_str(std::str::from_utf8(&buffer[..length]).unwrap()),
            }
        }
    }

    async fn is_answered(&mut self, call: &str) {
        let answer = self.hear().await.expect("an open connection");
        assert_ok(&answer, call);
    }
}

fn request(method: &str, transport: &str, call: &str) -> String {
    format!(
        "{method} sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:9;rport;branch=z9hG4bK{call}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:200@127.0.0.1>;tag={call}\r\nTo: <sip:100@127.0.0.1>\r\n\
         Call-ID: {call}\r\nCSeq: 1 {method}\r\nContact: <sip:200@127.0.0.1:9>\r\nContent-Length: 0\r\n\r\n"
    )
}

fn assert_ok(answer: &str, call: &str) {
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    let call_id = answer.lines().find_map(|line| line.strip_prefix("Call-ID: ")).expect("a Call-ID");
    assert_eq!(call_id, call);
}

#[tokio::test]
async fn options_over_udp_come_back_to_where_they_came_from() {
    let stack = Stack::start(|_| ()).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(stack.address(Transport::Udp)).await.unwrap();
    socket.send(b"\r\n\r\n").await.unwrap();
    let mut buffer = [0; 4096];
    // More than a batch at once, and all are answered; few enough for this socket's own buffer.
    for n in 0..100 {
        socket.send(request("OPTIONS", "UDP", &format!("u{n}")).as_bytes()).await.unwrap();
    }
    let mut calls = std::collections::BTreeSet::new();
    while calls.len() < 100 {
        let length = timeout(PATIENCE, socket.recv(&mut buffer)).await.expect("an answer in time").unwrap();
        let answer = std::str::from_utf8(&buffer[..length]).unwrap();
        let call = answer.lines().find_map(|line| line.strip_prefix("Call-ID: ")).unwrap();
        assert_ok(answer, call);
        calls.insert(call.to_owned());
    }
}

#[tokio::test]
async fn tcp_messages_may_come_in_any_pieces() {
    let stack = Stack::start(|_| ()).await;
    let mut peer = stack.connect().await;
    for size in [1, 2, 3, 7, 50, 399] {
        let text = request("OPTIONS", "TCP", &format!("p{size}"));
        for piece in text.as_bytes().chunks(size) {
            peer.stream.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        peer.is_answered(&format!("p{size}")).await;
    }
    let both = request("OPTIONS", "TCP", "first") + &request("OPTIONS", "TCP", "second");
    peer.say(&both).await;
    peer.is_answered("first").await;
    peer.is_answered("second").await;
    let (start, rest) = both.split_at(both.len() - 30);
    let again = |text: &str| text.replace("first", "third").replace("second", "fourth");
    peer.say(&again(start)).await;
    peer.is_answered("third").await;
    peer.say(&again(rest)).await;
    peer.is_answered("fourth").await;
}

#[tokio::test]
async fn a_ping_gets_its_pong() {
    let stack = Stack::start(|_| ()).await;
    let mut peer = stack.connect().await;
    peer.say("\r\n\r\n").await;
    let mut pong = [0; 2];
    timeout(PATIENCE, peer.stream.read_exact(&mut pong)).await.expect("a pong in time").unwrap();
    assert_eq!(&pong, b"\r\n");
    peer.say(&request("OPTIONS", "TCP", "after")).await;
    peer.is_answered("after").await;
}

#[tokio::test]
async fn garbage_costs_its_own_connection_only() {
    let stack = Stack::start(|_| ()).await;
    let mut good = stack.connect().await;
    good.say(&request("OPTIONS", "TCP", "before")).await;
    good.is_answered("before").await;
    let mut bad = stack.connect().await;
    let _ = bad.stream.write_all(&[0xa5; 200_000]).await; // the reset may come in between
    good.say(&request("OPTIONS", "TCP", "meanwhile")).await;
    good.is_answered("meanwhile").await;
    while bad.hear().await.is_some() {}
    drop(bad);
    stack.until(|status| status.connections == 1 && status.core.connections == 1).await;
    good.say(&request("OPTIONS", "TCP", "after")).await;
    good.is_answered("after").await;
}

#[tokio::test]
async fn closed_connections_leave_nothing() {
    let stack = Stack::start(|_| ()).await;
    let mut peers = Vec::new();
    for _ in 0..200 {
        peers.push(stack.connect().await);
    }
    stack.until(|status| status.connections == 200 && status.core.connections == 200).await;
    peers[150].say(&request("OPTIONS", "TCP", "among-many")).await;
    peers[150].is_answered("among-many").await;
    drop(peers);
    stack.until(|status| status.connections == 0 && status.core.connections == 0).await;
}

#[tokio::test]
async fn who_asks_and_closes_its_half_is_answered() {
    let stack = Stack::start(|_| ()).await;
    let mut peer = stack.connect().await;
    peer.say(&request("OPTIONS", "TCP", "half")).await;
    peer.stream.shutdown().await.unwrap();
    peer.is_answered("half").await;
    assert_eq!(peer.hear().await, None);
    stack.until(|status| status.connections == 0).await;
}

#[tokio::test]
async fn connections_past_the_limit_are_refused() {
    let stack = Stack::start(|config| config.endpoint.max_connections = 2).await;
    let (mut first, second) = (stack.connect().await, stack.connect().await);
    stack.until(|status| status.connections == 2).await;
    let mut third = stack.connect().await;
    assert_eq!(third.hear().await, None);
    first.say(&request("OPTIONS", "TCP", "still")).await;
    first.is_answered("still").await;
    drop(second);
    stack.until(|status| status.connections == 1).await;
    let mut fourth = stack.connect().await;
    fourth.say(&request("OPTIONS", "TCP", "room")).await;
    fourth.is_answered("room").await;
}

#[tokio::test]
async fn quiet_connections_are_closed_unless_a_call_depends_on_them() {
    let mut stack = Stack::start(|config| {
        config.idle = Duration::from_millis(300);
        config.first_word = Duration::from_millis(100);
    })
    .await;
    let mut caller = stack.connect().await;
    caller.say(&request("INVITE", "TCP", "a-call")).await;
    assert!(caller.hear().await.unwrap().starts_with("SIP/2.0 100 "));
    let Event::Incoming(incoming) = stack.event().await else { panic!("a call") };
    stack.handle.send(Command::Ring { dialog: incoming.dialog, sdp: None }).unwrap();
    assert!(caller.hear().await.unwrap().starts_with("SIP/2.0 180 "));
    let (mut silent, mut brief) = (stack.connect().await, stack.connect().await);
    brief.say(&request("OPTIONS", "TCP", "brief")).await;
    brief.is_answered("brief").await;
    assert_eq!(silent.hear().await, None, "said nothing at all");
    assert_eq!(brief.hear().await, None, "said something long ago");
    caller.say(&request("OPTIONS", "TCP", "caller")).await;
    caller.is_answered("caller").await;
}

#[tokio::test]
async fn we_connect_where_there_is_no_connection() {
    let mut stack = Stack::start(|_| ()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = listener.local_addr().unwrap();
    let invite = |stack: &Stack, remote: SocketAddr| {
        let dialog = stack.handle.new_dialog();
        let to =
            Callee::Uri { uri: format!("sip:x@{remote}"), remote, transport: Transport::Tcp, login: None };
        let (from, sdp) = ("200".to_owned(), bytes::Bytes::from_static(b"v=0\r\n"));
        stack.handle.send(Command::Invite { dialog, to, from, sdp, particulars: Box::default() }).unwrap();
        dialog
    };
    let first = invite(&stack, remote);
    let second = invite(&stack, remote);
    assert_ne!(first, second);
    let (mut stream, _) = timeout(PATIENCE, listener.accept()).await.expect("a connection in time").unwrap();
    let mut heard = String::new();
    while heard.matches("INVITE sip:x@").count() < 2 {
        let mut buffer = [0; 4096];
        let length = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("both in time").unwrap();
        assert!(length > 0);
        heard.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    stack.until(|status| status.connections == 1 && status.core.connections == 1).await;
    drop((stream, listener));
    let third = invite(&stack, remote);
    loop {
        if let Event::Ended { dialog, .. } = stack.event().await
            && dialog == third
        {
            break;
        }
    }
    stack.until(|status| status.connections == 0 && status.core.connections == 0).await;
}

#[tokio::test]
async fn a_slow_taker_loses_no_event() {
    let mut stack = Stack::with(Settings::default(), 1, |_| ()).await;
    for n in 1..=40 {
        let socket = UdpSocket::bind((format!("127.0.0.{n}"), 0)).await.unwrap();
        let to = stack.address(Transport::Udp);
        socket.send_to(request("INVITE", "UDP", &format!("s{n}")).as_bytes(), to).await.unwrap();
        let mut buffer = [0; 4096];
        let length = timeout(PATIENCE, socket.recv(&mut buffer)).await.expect("403 in time").unwrap();
        assert!(buffer[..length].starts_with(b"SIP/2.0 403 "));
    }
    for n in 1..=40 {
        let Event::Stranger { remote, .. } = stack.event().await else { panic!("a stranger") };
        assert_eq!(remote.ip().to_string(), format!("127.0.0.{n}"), "in order");
    }
}

/// Calls until the first line of the answer begins with this.
async fn calls_until(peer: &mut Peer, start: &str, call: &str) {
    for n in 0..1_000 {
        peer.say(&request("INVITE", "TCP", &format!("{call}{n}"))).await;
        if peer.hear().await.expect("an open connection").starts_with(start) {
            return;
        }
    }
    panic!("never {start}");
}

#[tokio::test]
async fn under_pressure_new_calls_are_refused_and_counted() {
    let stack = Stack::start(|_| ()).await;
    let mut peer = stack.connect().await;
    calls_until(&mut peer, "SIP/2.0 100", "a").await;
    stack.handle.pressure(Pressure::High);
    calls_until(&mut peer, "SIP/2.0 503", "b").await;
    stack.until(|status| status.refusals.overload == 1).await;
    stack.handle.pressure(Pressure::None);
    calls_until(&mut peer, "SIP/2.0 100", "c").await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_costs_its_own_connection_only() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (inbound, mut heard) = mpsc::channel(100);
    let long = Duration::from_secs(600);
    let limits =
        connections::Limits { most: 10, idle: long, first_word: long, ping: long, web_client: false };
    let mut connections = connections::Connections::new(inbound, Certificates::default(), limits);
    let now = Clock::start().now();
    let pair = async || {
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, remote) = listener.accept().await.unwrap();
        (peer, stream.local_addr().unwrap(), remote, stream)
    };
    let (deaf, local, remote, stream) = pair().await;
    let deaf_flow = connections.accepted(link::Link::Tcp(stream), local, remote, now).unwrap();
    let (mut good, local, remote, stream) = pair().await;
    let good_flow = connections.accepted(link::Link::Tcp(stream), local, remote, now).unwrap();
    let message = bytes::Bytes::from(vec![b'x'; 60_000]);
    let mut sent = 0;
    while connections.received(&deaf_flow, now) {
        let _ = connections.send(deaf_flow, message.clone(), now);
        sent += 1;
        assert!(sent < 10_000, "the queue is bounded");
        tokio::task::yield_now().await;
    }
    let _ = connections.send(good_flow, bytes::Bytes::from_static(b"hello"), now);
    let mut buffer = [0; 5];
    timeout(PATIENCE, good.read_exact(&mut buffer)).await.expect("no wait for the other").unwrap();
    drop(deaf);
    let Some(connections::Inbound::Closed { flow }) = timeout(PATIENCE, heard.recv()).await.expect("in time")
    else {
        panic!("only an end can come")
    };
    assert_eq!(flow, deaf_flow);
    assert!(connections.closed(&flow) && !connections.closed(&flow));
    assert_eq!(connections.len(), 1);
}

#[tokio::test]
async fn the_stack_ends_with_its_last_handle() {
    let stack = Stack::start(|_| ()).await;
    let (mut peer, udp) = (stack.connect().await, stack.address(Transport::Udp));
    stack.until(|status| status.connections == 1).await;
    let mut status = stack.handle.status();
    let Stack { handle, events } = stack;
    let clone = handle.clone();
    drop(handle);
    assert_eq!(clone.send(Command::Ring { dialog: clone.new_dialog(), sdp: None }), Ok(()));
    drop(clone);
    timeout(PATIENCE, async { while status.changed().await.is_ok() {} }).await.expect("an end in time");
    assert_eq!(peer.hear().await, None);
    UdpSocket::bind(udp).await.expect("the port is free again");
    drop(events);
}

#[tokio::test]
async fn the_stack_ends_with_its_listener() {
    let Stack { handle, events } = Stack::start(|_| ()).await;
    drop(events);
    let mut status = handle.status();
    timeout(PATIENCE, async { while status.changed().await.is_ok() {} }).await.expect("an end in time");
    assert_eq!(handle.send(Command::Ring { dialog: handle.new_dialog(), sdp: None }), Err(SendError::Gone));
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let config = StackConfig { udp: vec![address], tcp: vec![], ..StackConfig::default() };
    let start = |config| start(config, Arc::default(), Clock::start(), mpsc::channel(1).0);
    let error = start(config.clone()).await.unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    let none = StackConfig { udp: vec![], ..config };
    assert!(matches!(start(none).await, Err(StackError::NoAddress)));
}

#[test]
fn contacts_are_reachable_addresses() {
    let at = |text: &str| (Transport::Udp, text.parse::<SocketAddr>().unwrap());
    assert_eq!(contacts(&[at("10.0.0.1:5060")]), [at("10.0.0.1:5060")]);
    assert!(!contacts(&[at("0.0.0.0:5060")])[0].1.ip().is_unspecified());
}
